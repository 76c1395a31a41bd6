/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Spinlocks and RCU that only check how they are used; kshim.c. */
#ifndef KSHIM_SPINLOCK_H
#define KSHIM_SPINLOCK_H

#include <linux/types.h>

typedef struct {
	bool locked;
} spinlock_t;

#define DEFINE_SPINLOCK(name)	spinlock_t name

void spin_lock_init(spinlock_t *lock);
void spin_lock(spinlock_t *lock);
void spin_unlock(spinlock_t *lock);
/* Lets kshim.on_resched run as if it were another thread. */
void cond_resched_lock(spinlock_t *lock);
void lockdep_assert_held(const spinlock_t *lock);
void cond_resched(void);

struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};

void rcu_read_lock(void);
void rcu_read_unlock(void);
/* Runs at kshim_grace(), or when somebody waits for it. */
void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
void synchronize_rcu(void);
void rcu_barrier(void);
/* Fails unless the caller is in an RCU section or holds a lock. */
void kshim_assert_rcu(void);

#endif /* KSHIM_SPINLOCK_H */
