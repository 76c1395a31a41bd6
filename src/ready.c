// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * When an entry is ready to be handed out. Nobody is asked before the time has
 * come at which it can be: events only move that time, a timer runs only while
 * something is pending and an uploader is there to be woken.
 */
#include <linux/jiffies.h>

#include "chardev.h"
#include "entry.h"

#define AZS_CLOSER_BACKOFF_MAX	HZ		/* after a close that saw a writer */
#define AZS_WRITER_BACKOFF_MAX	(86400UL * HZ)	/* of a writer that has not closed */
#define AZS_REHASH_MAX_MS	86400000ULL	/* of a file that stays open */

bool azs_entry_has_writer(const struct azs_entry *e)
{
	return e->inode && inode_is_open_for_write(e->inode);
}

bool azs_entry_is_settled(const struct azs_entry *e, unsigned long now, unsigned long *at)
{
	const struct azs_dirty *d = &e->m->dirty;
	unsigned long base = e->type == AZS_REC_PATH ? READ_ONCE(e->last_event) : e->since;

	*at = base + msecs_to_jiffies(e->m->settle_ms);
	return e->seq <= d->flush_seq || !time_before(now, *at);
}

bool azs_entry_is_lagging(const struct azs_entry *e, unsigned long now)
{
	return e->m->max_lag_ms &&
	       !time_before(now, e->since + msecs_to_jiffies(e->m->max_lag_ms));
}

/*
 * When to look again at a file that somebody has open for writing. The close tells,
 * but not every writer closes: truncate(2) by path is one for as long as it runs.
 */
static unsigned long azs_entry_await_writer(struct azs_entry *e, unsigned long now)
{
	unsigned long first = HZ, most = AZS_WRITER_BACKOFF_MAX, delay;

	WRITE_ONCE(e->waits_writer, 1);
	smp_mb();	/* pairs with azs_dirty_is_known(): a close sees this or we see it */
	if (READ_ONCE(e->closed)) {
		/* A closer is a writer still when it says that it closes: look again soon. */
		WRITE_ONCE(e->waits_writer, 0);
		first = 1;
		most = AZS_CLOSER_BACKOFF_MAX;
	}
	delay = min(first << e->backoff, most);
	/* Not when it is asked for between two looks: a flush, an OPEN. */
	if (delay < most && !time_before(now, e->check_at))
		e->backoff++;
	return now + delay;
}

/* True if it may be handed out now; *at: else, when to look again (jiffies). */
static bool azs_entry_is_ready(struct azs_entry *e, unsigned long now, unsigned long *at)
{
	unsigned long lag_at = e->since + msecs_to_jiffies(e->m->max_lag_ms);

	WRITE_ONCE(e->waits_writer, 0);
	if (e->not_before && time_before(now, e->not_before)) {
		*at = e->not_before;
		return false;
	}
	e->not_before = 0;
	if (azs_entry_is_lagging(e, now))
		return true;
	if (azs_entry_is_settled(e, now, at)) {
		if (e->type != AZS_REC_PATH || !azs_entry_has_writer(e))
			return true;
		*at = azs_entry_await_writer(e, now);
	}
	if (e->m->max_lag_ms && time_before(lag_at, *at))
		*at = lag_at;
	return false;
}

void azs_entry_requeue(struct azs_entry *e)
{
	unsigned long at = 0;

	lockdep_assert_held(&e->m->dirty.lock);
	azs_entry_enqueue(e, AZS_QUEUE_NONE);
	if (azs_entry_is_ready(e, jiffies, &at)) {
		azs_entry_enqueue(e, AZS_QUEUE_READY);
		return;
	}
	e->check_at = at;
	azs_entry_enqueue(e, AZS_QUEUE_TIME);
}

void azs_entry_make_pending(struct azs_entry *e)
{
	struct azs_dirty *d = &e->m->dirty;

	e->state = AZS_ENTRY_PENDING;
	WRITE_ONCE(d->nr_pending, d->nr_pending + 1);
	azs_entry_link_seq(e);
	smp_store_release(&e->known, azs_known_bits(e->content));
	azs_entry_requeue(e);
}

/* ---- files that stay open for writing ---- */

void azs_entry_make_writer(struct azs_entry *e)
{
	struct azs_dirty *d = &e->m->dirty;
	u64 ms = min(max(e->m->max_lag_ms, 1000U) * (1ULL << min_t(u8, e->rehash, 27)),
		     AZS_REHASH_MAX_MS);

	WRITE_ONCE(e->known, 0);
	e->state = AZS_ENTRY_WRITER;
	e->retry = 0;
	e->backoff = 0;
	WRITE_ONCE(e->closed, 0);	/* who writes now has not closed */
	WRITE_ONCE(d->nr_writers, d->nr_writers + 1);
	azs_entry_link_seq(e);
	if (!e->m->max_lag_ms)
		return;
	e->check_at = jiffies + msecs_to_jiffies(ms);
	azs_entry_enqueue(e, AZS_QUEUE_TIME);
}

void azs_entry_wake_writer(struct azs_entry *e)
{
	struct azs_dirty *d = &e->m->dirty;

	azs_entry_enqueue(e, AZS_QUEUE_NONE);
	WRITE_ONCE(d->nr_writers, d->nr_writers - 1);
	azs_entry_unlink_seq(e);
	e->seq = ++d->seq;
	e->since = jiffies;
	e->not_before = 0;
	e->content = 1;		/* stores through a mapping raise no event */
	azs_entry_make_pending(e);
}

/* Its time has come without an event: hash it as it is. */
static void azs_writer_is_due(struct azs_entry *e)
{
	azs_entry_wake_writer(e);
	e->since = jiffies - msecs_to_jiffies(e->m->max_lag_ms);
	e->rehash = min(e->rehash + 1, 27);
	azs_entry_requeue(e);
}

/* ---- what is ready, and when ---- */

static struct azs_entry *azs_first(struct rb_root_cached *root)
{
	return rb_entry_safe(rb_first_cached(root), struct azs_entry, queue_node);
}

/* Many can fall due at once, and writers wait for the lock. */
struct azs_entry *azs_first_ready(struct azs_dirty *d)
{
	unsigned long now = jiffies;
	struct azs_entry *e;

	lockdep_assert_held(&d->lock);
	while ((e = azs_first(&d->by_time)) && !time_before(now, e->check_at)) {
		if (e->state == AZS_ENTRY_WRITER)
			azs_writer_is_due(e);
		else
			azs_entry_requeue(e);
		cond_resched_lock(&d->lock);
	}
	if (d->nr_out >= AZS_MAX_OUT)
		return NULL;
	/* What was ready may have been written to since: each miss leaves `ready`. */
	while ((e = azs_first(&d->ready))) {
		azs_entry_requeue(e);
		if (e->queue == AZS_QUEUE_READY)
			return e;
		cond_resched_lock(&d->lock);
	}
	return NULL;
}

static void azs_dirty_arm(struct azs_dirty *d, unsigned long at)
{
	unsigned long now = jiffies;

	if (!delayed_work_pending(&d->timer) || time_before(at, d->timer.timer.expires))
		mod_delayed_work(system_wq, &d->timer, time_before(now, at) ? at - now : 0);
}

void azs_dirty_kick(struct azs_mapping *m)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *e;

	if (!azs_chardev_is_connected())
		return;
	spin_lock(&d->lock);
	if (azs_first(&d->ready)) {
		spin_unlock(&d->lock);
		azs_chardev_wake();
		return;
	}
	e = azs_first(&d->by_time);
	if (e && d->up)
		azs_dirty_arm(d, e->check_at);
	spin_unlock(&d->lock);
}

void azs_dirty_timer(struct work_struct *work)
{
	struct azs_dirty *d = container_of(to_delayed_work(work), struct azs_dirty, timer);

	if (azs_dirty_is_ready(container_of(d, struct azs_mapping, dirty)))
		azs_chardev_wake();
}

bool azs_dirty_is_ready(struct azs_mapping *m)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *e;
	bool ready;

	spin_lock(&d->lock);
	ready = azs_first_ready(d);
	e = azs_first(&d->by_time);
	if (!ready && e && d->up && azs_chardev_is_connected())
		azs_dirty_arm(d, e->check_at);
	spin_unlock(&d->lock);
	return ready;
}
