/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSHIM_HASH_H
#define KSHIM_HASH_H

#include <linux/types.h>

static inline unsigned int hash_64(u64 value, unsigned int bits)
{
	return (value * 0x9e3779b97f4a7c15ULL) >> (64 - bits);
}

#define hash_ptr(p, bits)	hash_64((uintptr_t)(p), bits)

#endif /* KSHIM_HASH_H */
