/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* When a failed try is worth repeating, and after how long: a pure function. */
#ifndef AZURE_RETRY_H
#define AZURE_RETRY_H

#include <stdint.h>

#include "error.h"

#define AZURE_RETRY_TRIES 4
#define AZURE_RETRY_BASE_MS 800
#define AZURE_RETRY_CAP_MS 60000
/* A server that says "come back tomorrow" is asked again after this all the same. */
#define AZURE_RETRY_AFTER_CAP_MS 300000

/*
 * @tries: how many were made, at least 1; @max_tries: of them all; @random: uniform in 32 bits.
 * Return: milliseconds to wait before the next try; -1: no further try.
 *
 * Full jitter: uniform in [0, min(cap, base * 2^(tries-1))]. What the server asked for comes first
 * and the jitter on top, so that those who were turned away together do not return together.
 */
int64_t azure_retry_delay_ms(const struct azure_error *err, unsigned int tries,
			     unsigned int max_tries, uint32_t random);

#endif
