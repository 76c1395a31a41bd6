/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a test sets and sees of the kernel around the module's dirty set.
 *
 * The headers of linux/ stand in for those of the kernel, as far as the dirty set
 * needs them, and are strict: a lock taken twice, something that sleeps under a lock, an
 * inode put once too often or a node that is in no tree ends the test.
 */
#ifndef KSHIM_H
#define KSHIM_H

#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

struct kshim {
	/* Set by the test. */
	unsigned int fail_every;	/* every Nth allocation fails; 0: none */
	bool connected;			/* azs_chardev_is_connected() */
	void (*on_resched)(void);	/* once, at the next cond_resched_lock() */
	/* At the Nth question for writers from now on, *writer_opens gets one. */
	unsigned int writer_opens_at;
	struct inode *writer_opens;

	/* Counted. */
	unsigned long allocations;
	unsigned int live_objects;	/* allocated and not freed */
	unsigned int locks_held;
	unsigned int wakes;		/* azs_chardev_wake() */
	unsigned int drained;		/* azs_mapping_drained() */
	unsigned int state_changes;
	unsigned int flushed_told;
};

extern struct kshim kshim;

void kshim_reset(void);
/* Time passes; work that falls due does not run by itself. */
void kshim_advance_ms(unsigned int ms);
/* All readers have left: what call_rcu() was given runs. */
void kshim_grace(void);
/* Runs what was scheduled without a delay, until there is no more. */
void kshim_run_works(void);
/* Runs a timer if it is armed and due. True if it did. */
bool kshim_run_timer(struct delayed_work *dw);

__attribute__((noreturn, format(printf, 1, 2)))
void kshim_die(const char *fmt, ...);

#endif /* KSHIM_H */
