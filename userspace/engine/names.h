/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The names that a scan of one directory has seen: 8 bytes each. */
#ifndef ENGINE_NAMES_H
#define ENGINE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names {
	uint64_t *slots;	/* hashes, 0: free */
	size_t size;		/* a power of two, or 0 */
	size_t nr;
};

/*
 * Two names of one hash pass for one: then a file that has vanished is overlooked until the next
 * scan, about once in 2^64.
 */
int names_add(struct names *n, const char *name, size_t len, bool is_dir);	/* 0, -ENOMEM */
bool names_has(const struct names *n, const char *name, size_t len, bool is_dir);
void names_free(struct names *n);

#endif /* ENGINE_NAMES_H */
