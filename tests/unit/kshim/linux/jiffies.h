/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The test's clock: it moves by kshim_advance_ms() only. */
#ifndef KSHIM_JIFFIES_H
#define KSHIM_JIFFIES_H

#include <linux/types.h>

#define HZ			250
#define MSEC_PER_SEC		1000L
#define NSEC_PER_MSEC		1000000L
#define KSHIM_MS_PER_JIFFY	(1000 / HZ)

extern unsigned long kshim_jiffies;
#define jiffies			(*(volatile unsigned long *)&kshim_jiffies)

static inline bool time_before(unsigned long a, unsigned long b)
{
	return (long)(a - b) < 0;
}

/* Rounded up; what is not positive as an int is for ever, as in the kernel. */
static inline unsigned long msecs_to_jiffies(unsigned int ms)
{
	if (ms > INT32_MAX)
		return (INTPTR_MAX >> 1) - 1;
	return ((unsigned long)ms + KSHIM_MS_PER_JIFFY - 1) / KSHIM_MS_PER_JIFFY;
}

static inline u64 jiffies64_to_msecs(u64 j)
{
	return j * KSHIM_MS_PER_JIFFY;
}

struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};

void ktime_get_real_ts64(struct timespec64 *ts);

#endif /* KSHIM_JIFFIES_H */
