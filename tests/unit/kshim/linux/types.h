/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Types, arithmetic, memory order: one thread runs everything, so barriers are nothing. */
#ifndef KSHIM_TYPES_H
#define KSHIM_TYPES_H

#include_next <linux/types.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;
typedef unsigned int gfp_t;

#define __percpu
#define __rcu
#define __printf(text, first)	__attribute__((format(printf, text, first)))

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value)	((void)(*(volatile __typeof__(x) *)&(x) = (value)))
#define smp_mb()		((void)0)
#define smp_mb__before_atomic()	((void)0)
#define smp_load_acquire(p)	READ_ONCE(*(p))
#define smp_store_release(p, v)	WRITE_ONCE(*(p), v)

#define min(a, b)	({ __auto_type a_ = (a); __auto_type b_ = (b); a_ < b_ ? a_ : b_; })
#define max(a, b)	({ __auto_type a_ = (a); __auto_type b_ = (b); a_ > b_ ? a_ : b_; })
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define max_t(type, a, b)	max((type)(a), (type)(b))
#define round_up(x, to)		(((x) + (to) - 1) / (to) * (to))
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
#define scnprintf		snprintf	/* the buffers are large enough */

typedef struct {
	long long value;
} atomic64_t;

#define ATOMIC64_INIT(v)	{ v }

static inline long long atomic64_read(const atomic64_t *a)
{
	return a->value;
}

static inline void atomic64_add(long long n, atomic64_t *a)
{
	a->value += n;
}

static inline void atomic64_sub(long long n, atomic64_t *a)
{
	a->value -= n;
}

static inline long long atomic64_inc_return(atomic64_t *a)
{
	return ++a->value;
}

static inline void atomic64_inc(atomic64_t *a)
{
	a->value++;
}

#endif /* KSHIM_TYPES_H */
