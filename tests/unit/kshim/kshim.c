/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <stdarg.h>
#include <stdlib.h>

#include "kshim.h"

struct kshim kshim;
/* Wraps within the first minutes of every test. */
unsigned long kshim_jiffies = -60UL * HZ;

static unsigned int rcu_depth;
static struct rcu_head *rcu_waiting;
static struct work_struct *works;

void kshim_die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("kshim: ERROR: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

void kshim_reset(void)
{
	kshim = (struct kshim){ .connected = true };
	kshim_jiffies = -60UL * HZ;
}

static void might_sleep(const char *what)
{
	if (kshim.locks_held || rcu_depth)
		kshim_die("%s may sleep, with %u locks held, RCU depth %u", what,
			  kshim.locks_held, rcu_depth);
}

/* ---- time ---- */

void kshim_advance_ms(unsigned int ms)
{
	kshim_jiffies += ms / KSHIM_MS_PER_JIFFY;
}

void ktime_get_real_ts64(struct timespec64 *ts)
{
	u64 ms = 1000ull * 1000 * 1000 + (kshim_jiffies + 60ul * HZ) * KSHIM_MS_PER_JIFFY;

	ts->tv_sec = ms / 1000;
	ts->tv_nsec = ms % 1000 * NSEC_PER_MSEC;
}

/* ---- locks ---- */

void spin_lock_init(spinlock_t *lock)
{
	lock->locked = false;
}

void spin_lock(spinlock_t *lock)
{
	if (lock->locked)
		kshim_die("a lock is taken twice");
	lock->locked = true;
	kshim.locks_held++;
}

void spin_unlock(spinlock_t *lock)
{
	if (!lock->locked)
		kshim_die("a lock is released that is not held");
	lock->locked = false;
	kshim.locks_held--;
}

void lockdep_assert_held(const spinlock_t *lock)
{
	if (!lock->locked)
		kshim_die("a lock should be held");
}

void cond_resched_lock(spinlock_t *lock)
{
	void (*other)(void) = kshim.on_resched;

	spin_unlock(lock);
	might_sleep("cond_resched_lock");
	kshim.on_resched = NULL;
	if (other)
		other();
	spin_lock(lock);
}

void cond_resched(void)
{
	might_sleep("cond_resched");
}

/* ---- RCU ---- */

void rcu_read_lock(void)
{
	rcu_depth++;
}

void rcu_read_unlock(void)
{
	if (!rcu_depth--)
		kshim_die("rcu_read_unlock without rcu_read_lock");
}

void kshim_assert_rcu(void)
{
	if (!rcu_depth && !kshim.locks_held)
		kshim_die("an RCU list is walked without protection");
}

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	head->func = func;
	head->next = rcu_waiting;
	rcu_waiting = head;
}

void kshim_grace(void)
{
	struct rcu_head *head;

	might_sleep("a grace period");
	while ((head = rcu_waiting)) {
		rcu_waiting = head->next;
		head->func(head);
	}
}

void synchronize_rcu(void)
{
	kshim_grace();
}

void rcu_barrier(void)
{
	kshim_grace();
}

/* ---- memory ---- */

struct kmem_cache {
	size_t size;
	unsigned int live;
};

static void *allocate(size_t size, gfp_t gfp)
{
	void *object;

	if (gfp & __GFP_MAYSLEEP)
		might_sleep("an allocation");
	if (kshim.fail_every && ++kshim.allocations % kshim.fail_every == 0)
		return NULL;
	object = malloc(size);
	if (!object)
		abort();
	/* What is not asked to be zeroed must not be taken for zeroes. */
	memset(object, gfp & __GFP_ZERO ? 0 : 0xa5, size);
	kshim.live_objects++;
	return object;
}

void *kmalloc(size_t size, gfp_t gfp)
{
	return allocate(size, gfp);
}

void kfree(void *object)
{
	if (!object)
		return;
	kshim.live_objects--;
	free(object);
}

void *kvcalloc(size_t n, size_t size, gfp_t gfp)
{
	return allocate(n * size, gfp | __GFP_ZERO);
}

void kvfree(void *object)
{
	kfree(object);
}

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align,
				     unsigned int flags, void (*ctor)(void *object))
{
	struct kmem_cache *cache = allocate(sizeof(*cache), GFP_KERNEL | __GFP_ZERO);

	(void)name;
	(void)align;
	(void)flags;
	(void)ctor;
	if (cache)
		cache->size = size;
	return cache;
}

void kmem_cache_destroy(struct kmem_cache *cache)
{
	if (cache->live)
		kshim_die("%u objects are left in a cache", cache->live);
	kfree(cache);
}

void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	void *object = allocate(cache->size, gfp);

	if (object)
		cache->live++;
	return object;
}

void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	cache->live--;
	kfree(object);
}

/* ---- work ---- */

static void work_unlink(struct work_struct *work)
{
	struct work_struct **link = &works;

	while (*link && *link != work)
		link = &(*link)->next;
	if (*link)
		*link = work->next;
	work->queued = false;
}

void schedule_work(struct work_struct *work)
{
	if (work->queued)
		return;
	work->queued = true;
	work->next = works;
	works = work;
}

void flush_work(struct work_struct *work)
{
	might_sleep("flush_work");
	if (!work->queued)
		return;
	work_unlink(work);
	work->func(work);
}

void kshim_run_works(void)
{
	while (works)
		flush_work(works);
}

void mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *dw, unsigned long delay)
{
	(void)wq;
	dw->work.queued = true;
	dw->timer.expires = kshim_jiffies + delay;
}

void cancel_delayed_work_sync(struct delayed_work *dw)
{
	might_sleep("cancel_delayed_work_sync");
	dw->work.queued = false;
}

bool kshim_run_timer(struct delayed_work *dw)
{
	if (!dw->work.queued || time_before(kshim_jiffies, dw->timer.expires))
		return false;
	dw->work.queued = false;
	dw->work.func(&dw->work);
	return true;
}

/* ---- inodes ---- */

void ihold(struct inode *inode)
{
	if (!inode->refs)
		kshim_die("ihold of an inode that nobody holds");
	inode->refs++;
}

void iput(struct inode *inode)
{
	might_sleep("iput");
	if (inode->refs < 2)
		kshim_die("iput of an inode that was not held");
	inode->refs--;
}

bool inode_is_open_for_write(const struct inode *inode)
{
	if (kshim.writer_opens_at && !--kshim.writer_opens_at)
		kshim.writer_opens->writers++;
	return inode->writers > 0;
}
