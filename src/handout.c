// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * What goes out of a dirty set, what becomes of it, and the barrier of flush. Nothing
 * here runs in the write path.
 */
#include <linux/jiffies.h>

#include "entry.h"

/* Before another OPEN of a file that could not be opened. */
#define AZS_OPEN_AGAIN_MS	100

/* Not to be handed out before; 0: at any time. */
static void azs_entry_delay(struct azs_entry *e, unsigned int ms)
{
	e->not_before = ms ? (jiffies + msecs_to_jiffies(ms)) ?: 1 : 0;
}

/* From wherever it is counted to OUT. */
static void azs_entry_take_out(struct azs_entry *e)
{
	struct azs_dirty *d = &e->m->dirty;

	azs_entry_enqueue(e, AZS_QUEUE_NONE);
	azs_entry_unlink_seq(e);
	if (e->state == AZS_ENTRY_PENDING)
		WRITE_ONCE(d->nr_pending, d->nr_pending - 1);
	else
		WRITE_ONCE(d->nr_writers, d->nr_writers - 1);
	azs_entry_hand_out(e);
}

static void azs_entry_describe(const struct azs_entry *e, struct azs_rec_entry *rec, char *path)
{
	size_t len = e->type == AZS_REC_INODE ? 0 : e->path_len;

	memset(rec, 0, sizeof(*rec));
	rec->hdr.len = round_up(sizeof(*rec) + len + 1, 8);
	rec->hdr.type = e->type;
	rec->hdr.mapping.id = e->m->id;
	rec->hdr.mapping.generation = e->m->generation;
	rec->entry = e->id;
	rec->seq = e->seq;
	rec->age_ms = jiffies64_to_msecs(jiffies - e->since);
	rec->path_len = len;
	if (e->content)
		rec->flags |= AZS_ENTRY_CONTENT;
	if (e->lagged)
		rec->flags |= AZS_ENTRY_LAGGED;
	if (e->retry)
		rec->flags |= AZS_ENTRY_RETRY;
	memcpy(path, e->path, len);
	path[len] = 0;
	if (e->type == AZS_REC_INODE &&
	    sscanf(e->path, "//%llu:%llu", &rec->ino, &rec->generation) != 2)
		rec->ino = 0;
}

int azs_dirty_take(struct azs_mapping *m, struct azs_rec_entry *rec, char *path)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *e;
	unsigned long now, at;
	bool whole;

	spin_lock(&d->lock);
	e = azs_first_ready(d);
	now = jiffies;
	if (!e) {
		spin_unlock(&d->lock);
		return -ENOENT;
	}
	/* Ready in spite of a writer, or of no pause: its time is up. A writer that
	 * came this moment is none of these: OPEN sees it. */
	e->lagged = e->type == AZS_REC_PATH && azs_entry_is_lagging(e, now) &&
		    (azs_entry_has_writer(e) || !azs_entry_is_settled(e, now, &at));
	azs_entry_take_out(e);
	whole = e == d->root && e->type == AZS_REC_SUBTREE;
	azs_entry_describe(e, rec, path);
	spin_unlock(&d->lock);
	if (whole) {
		azs_count(m, AZS_CNT_RESCANS);
		/* It may have come about in a write, where nobody can be told. */
		azs_mapping_state_changed(m);
	}
	return 0;
}

/* OUT to PENDING, with its place in the order of changes. */
static void azs_entry_give_back(struct azs_entry *e)
{
	if (!e->m->dirty.up) {
		azs_entry_remove(e);
		return;
	}
	azs_entry_end_out(e);
	azs_entry_unlink_seq(e);
	if (e->changed_content)
		e->content = 1;
	if (e->changed_subtree)
		azs_entry_set_type(e, AZS_REC_SUBTREE);
	e->retry = 1;
	azs_entry_make_pending(e);
}

static struct azs_entry *azs_find_out_of(struct azs_mapping *m, u64 id)
{
	struct azs_entry *e;

	lockdep_assert_held(&m->dirty.lock);
	rcu_read_lock();
	e = azs_entry_find_out(id);
	/* One of ours stays as long as the lock is held; another may go any time. */
	if (e && (e->m != m || e->state != AZS_ENTRY_OUT || e->id != id))
		e = NULL;
	rcu_read_unlock();
	return e;
}

void azs_dirty_untake(struct azs_mapping *m, u64 entry)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *e;
	bool retry;

	spin_lock(&d->lock);
	e = azs_find_out_of(m, entry);
	if (e) {
		retry = e->retry;
		azs_entry_give_back(e);
		if (e->state == AZS_ENTRY_PENDING)
			e->retry = retry;	/* nobody has seen it */
	}
	spin_unlock(&d->lock);
}

void azs_dirty_putback(struct azs_mapping *m)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *e, *prev = NULL;
	u64 seq = 0;

	spin_lock(&d->lock);
	while ((e = azs_entry_next_seq(d, seq, prev))) {
		seq = e->seq;
		prev = e;
		if (e->state == AZS_ENTRY_OUT)
			azs_entry_give_back(e);
		cond_resched_lock(&d->lock);
	}
	spin_unlock(&d->lock);
	if (READ_ONCE(m->phase) == AZS_DRAINING)
		azs_mapping_drained(m);
}

/* ---- OPEN ---- */

/* What led to an entry is as old as the entry. */
static void azs_entry_inherit(struct azs_entry *e, const struct azs_entry *lead)
{
	if (time_before(lead->since, e->since))
		e->since = lead->since;
	if (e->seq <= lead->seq)
		return;
	azs_entry_unlink_seq(e);
	e->seq = lead->seq;
	azs_entry_link_seq(e);
}

/*
 * Without the generation of a path that an event built: only to see writers. False if they
 * will not be seen: there was no memory to let go of another inode, or this one is deleted.
 */
static bool azs_entry_bind_opened(struct azs_entry *e, struct inode *inode)
{
	if (e->inode != inode || hlist_unhashed(&e->hash_node))
		azs_entry_bind(e, inode, 0, 0);
	smp_mb();	/* as at hand-out, see entry.h: before the data is read */
	return e->inode == inode;
}

/*
 * Out under another entry when @lead leads to it: what made @lead dirty may be newer than
 * what was read, so it is changed, as long ago as @lead, and not flushed before that is done.
 */
static void azs_entry_note_lead(struct azs_entry *e, const struct azs_entry *lead)
{
	azs_entry_inherit(e, lead);
	if (!e->changed || e->changed_seq > lead->seq) {
		e->changed_seq = lead->seq;
		e->changed_since = lead->since;
	}
	e->changed = 1;
	if (lead->content)
		e->changed_content = 1;
}

/* A PATH entry opens its own file. */
static int azs_open_lead(struct azs_entry *e, struct inode *inode, u32 *out_flags)
{
	bool writer = inode_is_open_for_write(inode);
	bool bound = azs_entry_bind_opened(e, inode);

	if (!e->lagged && (writer || e->changed_content)) {
		azs_entry_give_back(e);
		return -EAGAIN;
	}
	e->unquiet = writer || e->changed_content || !bound;
	*out_flags = writer ? AZS_OPEN_WRITER : 0;
	return 0;
}

/* Nothing was known of this file: it counts as changed when its ctime says so. */
static unsigned long azs_last_change(const struct azs_mapping *m, struct inode *inode)
{
	struct timespec64 ctime = azs_inode_ctime(inode), now;
	s64 ms;

	ktime_get_real_ts64(&now);
	ms = (now.tv_sec - ctime.tv_sec) * MSEC_PER_SEC +
	     (now.tv_nsec - ctime.tv_nsec) / NSEC_PER_MSEC;
	if (ms < 0 || ms > m->settle_ms)
		ms = m->settle_ms;
	return jiffies - msecs_to_jiffies(ms);
}

/* There is no room for what is not ready below @lead: it leads there once more. */
static void azs_lead_come_again(struct azs_entry *lead)
{
	if (!lead->changed)
		lead->changed_since = jiffies;
	lead->changed = 1;
	lead->changed_seq = lead->seq;
	if (lead->content)
		lead->changed_content = 1;
	if (lead->type == AZS_REC_SUBTREE)
		lead->changed_subtree = 1;
}

/*
 * A file that a SUBTREE or an INODE led to: from now on an entry of its own, the
 * one that it has or @spare.
 */
static int azs_open_below(struct azs_entry *lead, struct azs_entry **spare, struct inode *inode,
			  u32 *out_flags, u64 *id)
{
	struct azs_dirty *d = &lead->m->dirty;
	struct azs_entry *e = azs_entry_lookup(d, (*spare)->path, (*spare)->path_len);
	bool writer, bound = false, full = !e && azs_dirty_is_full(lead->m);

	if (e && e->state == AZS_ENTRY_OUT) {
		azs_entry_note_lead(e, lead);
		return -EBUSY;
	}
	if (e && e->state == AZS_ENTRY_WRITER) {
		azs_entry_wake_writer(e);
	} else if (!e) {
		e = *spare;
		*spare = NULL;
		azs_entry_link_path(d, e);
		e->seq = lead->seq;
		e->since = lead->since;
		e->last_event = azs_last_change(lead->m, inode);
		azs_entry_make_pending(e);
	}
	if (lead->content)
		e->content = 1;
	if (e->type == AZS_REC_PATH)
		bound = azs_entry_bind_opened(e, inode);
	azs_entry_inherit(e, lead);
	WRITE_ONCE(e->known, azs_known_bits(e->content));
	azs_entry_requeue(e);
	if (e->type != AZS_REC_PATH)
		return -EBUSY;		/* a directory was here a moment ago */
	if (e->queue != AZS_QUEUE_READY && full) {
		azs_entry_remove(e);
		azs_lead_come_again(lead);
		return -EAGAIN;
	}
	if (e->queue != AZS_QUEUE_READY) {
		e->content = 1;		/* somebody is at it */
		WRITE_ONCE(e->known, azs_known_bits(true));
		return -EAGAIN;
	}
	writer = azs_entry_has_writer(e);
	e->lagged = writer && azs_entry_is_lagging(e, jiffies);
	azs_entry_take_out(e);
	e->unquiet = writer || !bound;
	*out_flags = writer ? AZS_OPEN_WRITER : 0;
	*id = e->id;
	return 0;
}

int azs_dirty_open(struct azs_mapping *m, u64 *entry, const char *path, size_t len,
		   struct inode *inode, u32 *out_flags)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *lead, *spare = NULL;
	int err;

	*out_flags = 0;
	spin_lock(&d->lock);
	lead = azs_find_out_of(m, *entry);
	if (lead && lead->type == AZS_REC_PATH) {
		bool same = lead->path_len == len && !memcmp(lead->path, path, len);

		err = same ? azs_open_lead(lead, inode, out_flags) : -EINVAL;
		goto out;
	}
	spin_unlock(&d->lock);

	spare = azs_entry_alloc(m, path, len);
	if (!spare)
		return -ENOMEM;
	spin_lock(&d->lock);
	lead = azs_find_out_of(m, *entry);
	if (!lead || !d->up)
		err = -ESTALE;
	else if (lead->type == AZS_REC_PATH ||
		 (lead->type == AZS_REC_SUBTREE &&
		  !azs_path_is_below(path, len, lead->path, lead->path_len)))
		err = -EINVAL;
	else if (d->nr_out >= AZS_MAX_OUT)
		err = -ENOBUFS;
	else
		err = azs_open_below(lead, &spare, inode, out_flags, entry);
out:
	spin_unlock(&d->lock);
	azs_entry_free(spare);
	if (err == -EAGAIN)
		azs_dirty_kick(m);
	return err;
}

void azs_dirty_open_failed(struct azs_mapping *m, u64 entry)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *e;

	spin_lock(&d->lock);
	e = azs_find_out_of(m, entry);
	if (e) {
		WRITE_ONCE(e->last_event, jiffies);
		/* Not again at once, also when nothing is waited for any more: a lease
		 * can be held for long. */
		azs_entry_delay(e, AZS_OPEN_AGAIN_MS);
		azs_entry_give_back(e);
	}
	spin_unlock(&d->lock);
	azs_dirty_kick(m);
}

/* ---- STABLE and DONE ---- */

/* An OUT entry by its number, its set locked and its mapping held; or NULL. */
static struct azs_entry *azs_lock_out(u64 id)
{
	struct azs_mapping *m;
	struct azs_entry *e;

	rcu_read_lock();
	e = azs_entry_find_out(id);
	if (e) {
		m = e->m;
		spin_lock(&m->dirty.lock);
		if (e->state == AZS_ENTRY_OUT && e->id == id)
			azs_mapping_get(m);
		else
			e = NULL;
		if (!e)
			spin_unlock(&m->dirty.lock);
	}
	rcu_read_unlock();
	return e;
}

int azs_dirty_stable(u64 entry, u32 *out_flags)
{
	struct azs_entry *e = azs_lock_out(entry);
	struct azs_mapping *m;

	if (!e)
		return -ENOENT;
	m = e->m;
	*out_flags = e->inode && !e->changed_content && !e->unquiet && !azs_entry_has_writer(e) ?
		     AZS_STABLE_QUIET : 0;
	spin_unlock(&m->dirty.lock);
	azs_mapping_put(m);
	return 0;
}

/* It changed while it was out: dirty as of then, for what changed only. */
static void azs_entry_renew(struct azs_entry *e)
{
	bool subtree = e->type == AZS_REC_SUBTREE && e->changed_subtree;

	azs_entry_end_out(e);
	azs_entry_unlink_seq(e);
	if (e->type == AZS_REC_SUBTREE && !subtree)
		azs_entry_set_type(e, AZS_REC_PATH);
	else if (e->changed_subtree)
		azs_entry_set_type(e, AZS_REC_SUBTREE);
	e->content = e->changed_content;
	e->seq = e->changed_seq;
	e->since = e->changed_since;
	e->retry = 0;
	e->backoff = 0;
	e->rehash = 0;
	e->not_before = 0;
	azs_entry_make_pending(e);
}

/* No event of its own said so, but it must be looked at again. */
static void azs_entry_note_changed(struct azs_entry *e, bool content)
{
	if (e->changed)
		return;
	e->changed = 1;
	e->changed_content = content;
	e->changed_seq = ++e->m->dirty.seq;
	e->changed_since = jiffies;
}

static void azs_entry_done(struct azs_entry *e, const struct azs_done_item *item)
{
	bool file = e->type == AZS_REC_PATH;

	if (item->result == AZS_DONE_AGAIN) {
		azs_entry_delay(e, item->delay_ms);
		azs_entry_give_back(e);
		return;
	}
	if (!e->m->dirty.up) {
		azs_entry_remove(e);
		return;
	}
	/* Its directory may have gone: who cleans up there may have come before this
	 * commit, and then nobody would find its blob any more. */
	if (file && e->dir_moves != e->m->dirty.dir_moves)
		azs_entry_note_changed(e, false);
	if (file && item->result == AZS_DONE_OK && !e->changed && azs_entry_has_writer(e)) {
		azs_entry_end_out(e);
		azs_entry_unlink_seq(e);
		azs_entry_make_writer(e);
		return;
	}
	if (item->flags & AZS_DONE_UNQUIET)
		azs_entry_note_changed(e, true);
	if (e->changed)
		azs_entry_renew(e);
	else
		azs_entry_remove(e);
}

static void azs_count_done(struct azs_mapping *m, const struct azs_done_item *item)
{
	if (item->flags & AZS_DONE_UPLOADED)
		azs_count(m, AZS_CNT_UPLOADED_FILES);
	if (item->flags & AZS_DONE_COPIED)
		azs_count(m, AZS_CNT_COPIED_BLOBS);
	if (item->flags & AZS_DONE_DELETED)
		azs_count(m, AZS_CNT_DELETED_BLOBS);
	if (item->flags & AZS_DONE_SKIPPED)
		azs_count(m, AZS_CNT_SKIPPED);
	azs_count_add(m, AZS_CNT_UPLOADED_BYTES, item->bytes);
}

static u64 azs_flushed_locked(const struct azs_dirty *d)
{
	const struct azs_entry *e = rb_entry_safe(rb_first_cached(&d->by_seq),
						  struct azs_entry, seq_node);

	u64 flushed = e ? e->seq - 1 : d->seq;

	return d->owed && d->owed <= flushed ? d->owed - 1 : flushed;
}

int azs_dirty_done(const struct azs_done_item *item)
{
	struct azs_entry *e = azs_lock_out(item->entry);
	struct azs_mapping *m;
	struct azs_dirty *d;
	bool tell = false, drained, scanned;
	u64 flushed;

	if (!e)
		return -ENOENT;
	m = e->m;
	d = &m->dirty;
	scanned = e == d->root;
	azs_count_done(m, item);
	azs_entry_done(e, item);
	flushed = azs_flushed_locked(d);
	if (d->flushed_told < d->flush_seq && flushed > d->flushed_told) {
		d->flushed_told = flushed;
		tell = true;
	}
	drained = !d->up && !d->nr_out;
	spin_unlock(&d->lock);

	if (tell)
		azs_stats_notify_flushed(m);
	if (drained)
		azs_mapping_drained(m);
	else if (scanned)
		azs_mapping_state_changed(m);
	azs_dirty_kick(m);
	azs_mapping_put(m);
	return 0;
}

/* ---- the barrier, and figures ---- */

/* Visits what is PENDING or OUT with a number up to @last, without holding the lock long. */
static void azs_visit_until(struct azs_dirty *d, u64 last, void (*visit)(struct azs_entry *e))
{
	struct azs_entry *e, *prev = NULL;
	u64 seq = 0;

	while ((e = azs_entry_next_seq(d, seq, prev)) && e->seq <= last) {
		seq = e->seq;
		prev = e;
		visit(e);
		cond_resched_lock(&d->lock);
	}
}

static void azs_flush_out(struct azs_entry *e)
{
	if (e->state == AZS_ENTRY_OUT && e->type == AZS_REC_PATH && azs_entry_has_writer(e))
		azs_entry_note_changed(e, true);
}

static void azs_flush_pending(struct azs_entry *e)
{
	if (e->state == AZS_ENTRY_PENDING)
		azs_entry_requeue(e);
}

u64 azs_dirty_flush(struct azs_mapping *m)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *e;
	u64 number, start;

	spin_lock(&d->lock);
	/* All that there are, however many a DONE adds meanwhile; each gets a new number
	 * and is met once. */
	start = d->seq;
	while ((e = rb_entry_safe(rb_first_cached(&d->writers), struct azs_entry, seq_node)) &&
	       e->seq <= start) {
		azs_entry_wake_writer(e);
		cond_resched_lock(&d->lock);
	}
	/* What is being read while somebody may store into it through a mapping. */
	azs_visit_until(d, start, azs_flush_out);
	number = d->seq;
	d->flush_seq = number;
	azs_visit_until(d, number, azs_flush_pending);
	spin_unlock(&d->lock);
	azs_dirty_kick(m);
	return number;
}

u64 azs_dirty_flushed(struct azs_mapping *m)
{
	struct azs_dirty *d = &m->dirty;
	u64 flushed;

	spin_lock(&d->lock);
	flushed = azs_flushed_locked(d);
	spin_unlock(&d->lock);
	return flushed;
}

u64 azs_dirty_oldest_ms(struct azs_mapping *m)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *e;
	u64 ms = 0;

	spin_lock(&d->lock);
	e = rb_entry_safe(rb_first_cached(&d->by_seq), struct azs_entry, seq_node);
	if (e)
		ms = jiffies64_to_msecs(jiffies - e->since);
	spin_unlock(&d->lock);
	return ms;
}

bool azs_dirty_is_scanning(struct azs_mapping *m)
{
	struct azs_dirty *d = &m->dirty;
	bool scanning;

	spin_lock(&d->lock);
	scanning = d->root && d->root->state != AZS_ENTRY_IDLE &&
		   d->root->type == AZS_REC_SUBTREE;
	spin_unlock(&d->lock);
	return scanning;
}
