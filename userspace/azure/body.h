/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef AZURE_BODY_H
#define AZURE_BODY_H

#include "blob.h"

/*
 * Up to @size bytes of the body from @offset; 0 only at its end. A negative errno: what the source
 * said, or -ENODATA when it is shorter than the body's length.
 */
ssize_t azure_body_read(const struct azure_body *body, void *buf, size_t size, uint64_t offset)
	__attribute__((warn_unused_result));

#endif
