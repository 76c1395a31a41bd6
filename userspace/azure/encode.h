/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Base64, hexadecimal and HTTP dates, strictly: what is not well-formed is refused. */
#ifndef AZURE_ENCODE_H
#define AZURE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AZURE_BASE64_SIZE(n) (4 * (((n) + 2) / 3) + 1)
#define AZURE_HTTP_DATE_LEN 29	/* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* @out has room for AZURE_BASE64_SIZE(len). */
void azure_base64_encode(char *out, const void *data, size_t len);
/*
 * Canonical base64 of at most @size bytes: padded, no white space, no stray bits. Return: how many
 * bytes, or -EINVAL.
 */
int azure_base64_decode(void *out, size_t size, const char *text, size_t len)
	__attribute__((warn_unused_result));

/* The value of one upper-case hexadecimal digit, or -1. */
int azure_hex_upper(char c);
/* The same, either case. */
int azure_hex_any(char c);

/* RFC 9110, 5.6.7, the preferred form only. @out has room for AZURE_HTTP_DATE_LEN + 1. */
void azure_http_date_format(char *out, int64_t seconds);
/* Seconds of the epoch; 0 when it is not such a date. */
int64_t azure_http_date_parse(const char *text, size_t len);

#endif
