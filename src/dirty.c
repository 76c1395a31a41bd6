// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * What goes into a dirty set: events, and the folding that keeps it bounded.
 *
 * Everything runs in the context of whoever changed a file. Whatever happens,
 * the outcome is that the path is covered by an entry: its own, or a SUBTREE above it,
 * at worst that of the root, whose memory was there from the start.
 */
#include <linux/jiffies.h>

#include "entry.h"

atomic64_t azs_generation = ATOMIC64_INIT(1);

static bool azs_entry_is_pending(const struct azs_entry *e)
{
	return e->state == AZS_ENTRY_PENDING;
}

static bool azs_entry_needs_hash(const struct azs_entry *e)
{
	return e->content || e->changed_content;
}

/* ---- folding ---- */

/* @e is covered by @into, a pending SUBTREE above it: keep what it knew. */
static void azs_fold_one(struct azs_entry *into, struct azs_entry *e)
{
	bool older = e->state == AZS_ENTRY_PENDING && e->seq < into->seq;

	if (e->content || e->state == AZS_ENTRY_WRITER)
		into->content = 1;
	if (e->state == AZS_ENTRY_PENDING && time_before(e->since, into->since))
		into->since = e->since;
	if (older) {
		azs_entry_unlink_seq(into);
		into->seq = e->seq;
		azs_entry_link_seq(into);
	}
	WRITE_ONCE(into->known, azs_known_bits(into->content));
	azs_count(into->m, AZS_CNT_FOLDED);
	azs_entry_remove(e);
}

/* Folds at most a batch of what is below @into. True if it folded anything. */
static bool azs_fold_below(struct azs_entry *into)
{
	struct azs_dirty *d = &into->m->dirty;
	struct azs_entry *e, *next;
	unsigned int n = 0, seen = 0;

	e = azs_entry_first_below(d, into->path, into->path_len);
	for (; e && seen < AZS_FOLD_BATCH; e = next, seen++) {
		next = azs_entry_next(e);
		if (!azs_path_is_below(e->path, e->path_len, into->path, into->path_len))
			break;
		if (e->state == AZS_ENTRY_OUT)
			continue;
		azs_fold_one(into, e);
		n++;
	}
	if (n)
		azs_entry_requeue(into);
	return n > 0;
}

/* ---- entries come and change ---- */

/* A new or idle entry becomes PENDING as of now. */
static void azs_entry_start(struct azs_entry *e, u8 type)
{
	struct azs_dirty *d = &e->m->dirty;

	WRITE_ONCE(e->type, type);
	azs_entry_link_path(d, e);
	e->seq = ++d->seq;
	if (e == d->root && d->owed) {
		e->seq = d->owed;
		d->owed = 0;
	}
	e->since = jiffies;
	e->not_before = 0;
	e->content = 0;
	e->retry = 0;
	e->changed = 0;
	e->changed_content = 0;
	e->changed_subtree = 0;
	e->backoff = 0;
	e->rehash = 0;
	e->closed = 0;
	azs_entry_make_pending(e);
}

/*
 * The flags of an event, for an entry in any state. Returns with the entry where
 * the fast path may find that there is nothing more to record.
 */
static void azs_entry_note(struct azs_entry *e, unsigned int flags)
{
	struct azs_dirty *d = &e->m->dirty;
	bool content = flags & AZS_DIRTY_CONTENT;

	WRITE_ONCE(e->last_event, jiffies);
	if (flags & AZS_DIRTY_CLOSED)
		WRITE_ONCE(e->closed, 1);
	switch (e->state) {
	case AZS_ENTRY_OUT:
		if (!e->changed) {
			e->changed = 1;
			e->changed_seq = ++d->seq;
			e->changed_since = jiffies;
		}
		if (content)
			e->changed_content = 1;
		if (flags & AZS_DIRTY_SUBTREE)
			e->changed_subtree = 1;
		/* The fast path takes a SUBTREE's for all that is below. */
		if (e->type != AZS_REC_SUBTREE || e->changed_subtree)
			WRITE_ONCE(e->known, azs_known_bits(e->changed_content));
		return;
	case AZS_ENTRY_WRITER:
		azs_entry_wake_writer(e);
		break;
	}
	if (content)
		e->content = 1;
	if (flags & AZS_DIRTY_SUBTREE)
		azs_entry_set_type(e, AZS_REC_SUBTREE);
	e->backoff = 0;
	e->rehash = 0;
	smp_store_release(&e->known, azs_known_bits(e->content));
	azs_entry_requeue(e);
}

/* The whole folder becomes due. Needs no memory. */
static struct azs_entry *azs_root_note(struct azs_dirty *d, unsigned int flags)
{
	struct azs_entry *root = d->root;

	if (root->state == AZS_ENTRY_IDLE)
		azs_entry_start(root, AZS_REC_SUBTREE);
	azs_entry_note(root, flags | AZS_DIRTY_SUBTREE);
	return root;
}

/* The nearest directory above a path below which something else is pending;
 * at worst the root, the empty path. Bytes. */
static size_t azs_fold_scope(struct azs_dirty *d, const char *path, size_t len)
{
	struct azs_entry *e;

	if (path[0] == '/')	/* an INODE's key is below nothing but the root */
		return 0;
	while (len) {
		while (len && path[len - 1] != '/')
			len--;
		if (!len)
			break;
		len--;
		e = azs_entry_first_below(d, path, len);
		if (e && e->state != AZS_ENTRY_OUT)
			break;
	}
	return len;
}

bool azs_dirty_is_full(struct azs_mapping *m)
{
	struct azs_dirty *d = &m->dirty;

	return d->nr_pending + d->nr_writers >= m->max_pending || azs_entry_is_over_bound();
}

/*
 * No room for an entry of its own: a SUBTREE above takes the path in. @spare is
 * an entry for that directory, or NULL: then it is the root.
 */
static void azs_fold_in(struct azs_mapping *m, struct azs_entry **spare, unsigned int flags)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *into = NULL;

	if (*spare && (*spare)->path_len) {
		into = azs_entry_lookup(d, (*spare)->path, (*spare)->path_len);
		if (!into) {
			into = *spare;
			*spare = NULL;
			azs_entry_start(into, AZS_REC_SUBTREE);
		}
		azs_entry_note(into, flags | AZS_DIRTY_SUBTREE);
	}
	if (!into)
		into = azs_root_note(d, flags);
	azs_count(m, AZS_CNT_FOLDED);
	if (into->state == AZS_ENTRY_PENDING)
		azs_fold_below(into);
}

/*
 * A pending SUBTREE has taken the event in. Whoever has the path out must learn
 * of it nevertheless: what he read is not what is there.
 */
static void azs_event_note_out(struct azs_dirty *d, const struct azs_event *ev)
{
	struct azs_entry *e = azs_entry_lookup(d, ev->path, ev->len);

	if (!e || e->state != AZS_ENTRY_OUT || e->type != AZS_REC_PATH)
		return;
	if (ev->inode)
		azs_entry_bind(e, ev->inode, ev->gen, ev->covers);
	azs_entry_note(e, ev->flags);
}

/* An event that finds its entry, or one above that is pending. */
static bool azs_event_merge(struct azs_mapping *m, const struct azs_event *ev)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *e;

	if (ev->flags & AZS_DIRTY_GONE) {
		e = azs_entry_lookup(d, ev->path, ev->len);
		if (e)
			azs_entry_unbind(e);
	}
	e = azs_entry_covering_subtree(d, ev->path, ev->len, azs_entry_is_pending);
	if (e) {
		azs_entry_note(e, ev->flags & AZS_DIRTY_CONTENT);
		azs_fold_below(e);
		azs_event_note_out(d, ev);
		return true;
	}
	if (!ev->len) {
		if (d->root->state == AZS_ENTRY_IDLE)
			azs_entry_start(d->root, ev->flags & AZS_DIRTY_SUBTREE ? AZS_REC_SUBTREE
									       : AZS_REC_PATH);
		azs_entry_note(d->root, ev->flags);
		return true;
	}
	e = azs_entry_lookup(d, ev->path, ev->len);
	if (!e)
		return false;
	if (ev->inode && e->type == AZS_REC_PATH)
		azs_entry_bind(e, ev->inode, ev->gen, ev->covers);
	azs_entry_note(e, ev->flags);
	if (e->type == AZS_REC_SUBTREE && e->state == AZS_ENTRY_PENDING)
		azs_fold_below(e);
	return true;
}

static void azs_event_insert(struct azs_mapping *m, const struct azs_event *ev,
			     struct azs_entry *e, u8 type)
{
	azs_entry_start(e, type);
	if (ev->inode)
		azs_entry_bind(e, ev->inode, ev->gen, ev->covers);
	azs_entry_note(e, ev->flags);
	if (type == AZS_REC_SUBTREE)
		azs_fold_below(e);
}

static bool azs_event_is_stale(const struct azs_event *ev)
{
	return ev->gen && ev->gen != atomic64_read(&azs_generation);
}

static int azs_event_record(struct azs_mapping *m, const struct azs_event *ev, u8 type)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *e = NULL, *spare = NULL;
	bool known = true;
	int err = 0;

	spin_lock(&d->lock);
	if (!d->up)
		goto out;
	if (azs_event_is_stale(ev)) {
		err = -EAGAIN;
		goto out;
	}
	known = azs_event_merge(m, ev);
	if (known)
		goto out;

	if (azs_dirty_is_full(m)) {
		size_t scope = azs_fold_scope(d, ev->path, ev->len);

		spin_unlock(&d->lock);
		spare = azs_entry_alloc(m, ev->path, scope);
	} else {
		spin_unlock(&d->lock);
		e = azs_entry_alloc(m, ev->path, ev->len);
	}

	spin_lock(&d->lock);
	if (!d->up)
		goto out;
	if (azs_event_is_stale(ev)) {
		err = -EAGAIN;
		goto out;
	}
	if (azs_event_merge(m, ev))
		goto out;
	if (e) {
		azs_event_insert(m, ev, e, type);
		e = NULL;
	} else {
		azs_fold_in(m, &spare, ev->flags);
	}
out:
	spin_unlock(&d->lock);
	azs_entry_free(e);
	azs_entry_free(spare);
	if (!err) {
		azs_count(m, known ? AZS_CNT_COALESCED : AZS_CNT_RECORDED);
		azs_dirty_kick(m);
	}
	return err;
}

int azs_dirty_event(struct azs_mapping *m, const struct azs_event *ev)
{
	return azs_event_record(m, ev, ev->flags & AZS_DIRTY_SUBTREE ? AZS_REC_SUBTREE
								     : AZS_REC_PATH);
}

void azs_dirty_add(struct azs_mapping *m, const char *path, size_t len, unsigned int flags)
{
	const struct azs_event ev = { .path = path, .len = len, .flags = flags };

	azs_dirty_event(m, &ev);
}

void azs_dirty_add_inode(struct azs_mapping *m, u64 ino, u64 generation)
{
	char key[48];
	/* No relative path begins with a slash: these never meet a real one. */
	struct azs_event ev = {
		.path = key,
		.len = scnprintf(key, sizeof(key), "//%llu:%llu", ino, generation),
		.flags = AZS_DIRTY_CONTENT,
	};

	azs_count(m, AZS_CNT_UNPLACED);
	azs_event_record(m, &ev, AZS_REC_INODE);
}

void azs_dirty_note_inode(struct inode *inode)
{
	struct azs_entry *e;

	rcu_read_lock();
	azs_entry_for_each_of(e, inode) {
		struct azs_dirty *d = &e->m->dirty;

		if (READ_ONCE(e->state) != AZS_ENTRY_OUT)
			continue;
		spin_lock(&d->lock);
		if (e->state == AZS_ENTRY_OUT && e->inode == inode)
			azs_entry_note(e, AZS_DIRTY_CONTENT);
		spin_unlock(&d->lock);
	}
	rcu_read_unlock();
}

bool azs_dirty_moved(struct azs_mapping *m, const char *path, size_t len, bool is_dir)
{
	const struct azs_event ev = {
		.path = path,
		.len = len,
		.flags = is_dir ? AZS_DIRTY_SUBTREE : 0,
	};
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *e;
	bool hash;

	spin_lock(&d->lock);
	/* Whoever built the old path and comes after us sees this and builds anew;
	 * whoever came before us is in the set and found now. Who sees it sees the rename. */
	smp_mb__before_atomic();
	atomic64_inc(&azs_generation);
	hash = azs_entry_covering_subtree(d, path, len, azs_entry_needs_hash);
	e = azs_entry_lookup(d, path, len);
	if (e) {
		hash = true;
		azs_entry_unbind(e);
	}
	if (is_dir) {
		d->dir_moves++;
		if (azs_entry_first_below(d, path, len))
			hash = true;
	}
	spin_unlock(&d->lock);

	azs_dirty_event(m, &ev);
	return hash;
}

/* ---- life ---- */

void azs_dirty_setup(struct azs_dirty *d)
{
	spin_lock_init(&d->lock);
	INIT_DELAYED_WORK(&d->timer, azs_dirty_timer);
}

int azs_dirty_start(struct azs_mapping *m)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *root = azs_entry_alloc(m, "", 0);

	if (!root)
		return -ENOMEM;
	spin_lock(&d->lock);
	d->by_path = RB_ROOT;
	d->subtrees = RB_ROOT;
	d->by_seq = RB_ROOT_CACHED;
	d->by_time = RB_ROOT_CACHED;
	d->ready = RB_ROOT_CACHED;
	d->writers = RB_ROOT_CACHED;
	d->root = root;
	d->up = true;
	spin_unlock(&d->lock);
	return 0;
}

/* Removes up to a batch of entries, all or those that are not OUT. */
static bool azs_dirty_drop_some(struct azs_dirty *d, bool out_too)
{
	struct azs_entry *e, *next;
	unsigned int n = 0;

	spin_lock(&d->lock);
	for (e = rb_entry_safe(rb_first(&d->by_path), struct azs_entry, path_node);
	     e && n < 1024; e = next) {
		next = azs_entry_next(e);
		if (e->state == AZS_ENTRY_OUT && !out_too)
			continue;
		azs_entry_remove(e);
		n++;
	}
	spin_unlock(&d->lock);
	return n > 0;
}

static void azs_dirty_drop(struct azs_dirty *d, bool out_too)
{
	while (azs_dirty_drop_some(d, out_too))
		cond_resched();
}

void azs_dirty_stop(struct azs_mapping *m)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *e;

	spin_lock(&d->lock);
	d->up = false;
	e = rb_entry_safe(rb_first_cached(&d->by_seq), struct azs_entry, seq_node);
	if (e && (!d->owed || e->seq < d->owed))
		d->owed = e->seq;
	spin_unlock(&d->lock);
	azs_dirty_drop(d, false);
	cancel_delayed_work_sync(&d->timer);
}

void azs_dirty_free(struct azs_mapping *m)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *root = d->root;

	azs_dirty_drop(d, true);
	cancel_delayed_work_sync(&d->timer);
	spin_lock(&d->lock);
	WRITE_ONCE(d->root, NULL);
	spin_unlock(&d->lock);
	/* Who found an entry under RCU may be waiting for the lock of this set. */
	synchronize_rcu();
	azs_entry_free(root);
	azs_entry_flush_reaper();
}

int azs_dirty_init(void)
{
	return azs_entry_init();
}

void azs_dirty_exit(void)
{
	azs_entry_exit();
}
