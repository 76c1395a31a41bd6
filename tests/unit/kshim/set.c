/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <stdlib.h>

#include "set.h"

#include "../../../src/chardev.h"

struct set {
	struct azs_mapping m;
	struct azs_counters counters;
};

static struct azs_mapping *sets[4];
static struct inode inodes[64];
static unsigned int nr_inodes;
static unsigned int base_objects;

/* ---- what the module asks of its other parts ---- */

bool azs_chardev_is_connected(void)
{
	return kshim.connected;
}

void azs_chardev_wake(void)
{
	kshim.wakes++;
}

void azs_mapping_drained(struct azs_mapping *m)
{
	(void)m;
	kshim.drained++;
}

void azs_mapping_state_changed(struct azs_mapping *m)
{
	(void)m;
	kshim.state_changes++;
}

void azs_stats_notify_flushed(struct azs_mapping *m)
{
	(void)m;
	kshim.flushed_told++;
}

/* ---- life ---- */

struct azs_mapping *set_start(void)
{
	struct set *s = calloc(1, sizeof(*s));
	unsigned int i;

	assert_non_null(s);
	for (i = 0; sets[i]; i++)
		assert_true(i + 1 < sizeof(sets) / sizeof(*sets));
	if (!i) {
		kshim_reset();
		kshim.live_objects = base_objects;
		nr_inodes = 0;
	}
	s->m.dev.refs = 1;
	s->m.id = 7 + i;
	s->m.generation = 3;
	s->m.settle_ms = 500;
	s->m.max_lag_ms = 300000;
	s->m.max_pending = 65536;
	s->m.stats.counters = &s->counters;
	azs_dirty_setup(&s->m.dirty);
	assert_int_equal(azs_dirty_start(&s->m), 0);
	sets[i] = &s->m;
	return &s->m;
}

static void set_free(struct azs_mapping *m)
{
	unsigned int i = 0;

	while (sets[i] != m)
		i++;
	sets[i] = NULL;
	kshim.fail_every = 0;
	azs_dirty_stop(m);
	azs_dirty_free(m);
	kshim_run_works();
	kshim_grace();
}

void set_end(struct azs_mapping *m)
{
	unsigned int refs, i, others = 0;
	bool armed;

	set_check(m);
	set_free(m);
	for (i = 0; i < sizeof(sets) / sizeof(*sets); i++)
		others += sets[i] != NULL;
	refs = m->dev.refs;
	armed = delayed_work_pending(&m->dirty.timer);
	free(container_of(m, struct set, m));
	assert_int_equal(refs, 1);
	assert_false(armed);
	if (others)
		return;
	assert_int_equal(kshim.live_objects, base_objects);
	for (i = 0; i < nr_inodes; i++)
		assert_int_equal(inodes[i].refs, 1);
}

int set_teardown(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		struct azs_mapping *m = sets[i];

		if (!m)
			continue;
		/* The test may have failed while it held the lock. */
		spin_lock_init(&m->dirty.lock);
		kshim.locks_held = 0;
		set_free(m);
		free(container_of(m, struct set, m));
	}
	return 0;
}

int set_group_setup(void **state)
{
	int err;

	(void)state;
	kshim_reset();
	err = azs_dirty_init();
	base_objects = kshim.live_objects;
	return err;
}

int set_group_teardown(void **state)
{
	(void)state;
	azs_dirty_exit();
	return kshim.live_objects ? -1 : 0;
}

struct inode *set_inode(void)
{
	assert_true(nr_inodes < sizeof(inodes) / sizeof(*inodes));
	inodes[nr_inodes] = (struct inode){ .i_nlink = 1, .refs = 1, .ctime = { .tv_sec = 1000 } };
	return &inodes[nr_inodes++];
}

/* ---- events ---- */

void set_dirty(struct azs_mapping *m, const char *path, unsigned int flags)
{
	azs_dirty_add(m, path, strlen(path), flags);
}

void set_event(struct azs_mapping *m, const char *path, struct inode *inode, unsigned int flags)
{
	const struct azs_event ev = {
		.path = path,
		.len = strlen(path),
		.inode = inode,
		.gen = atomic64_read(&azs_generation),
		.covers = 1,
		.flags = flags,
	};

	assert_int_equal(azs_dirty_event(m, &ev), 0);
}

bool set_is_known(struct inode *inode, bool content, bool closed)
{
	bool known;

	rcu_read_lock();
	known = azs_dirty_is_known(inode, content, closed);
	rcu_read_unlock();
	return known;
}

bool set_is_root_known(struct azs_mapping *m, bool content)
{
	bool known;

	rcu_read_lock();
	known = azs_dirty_is_root_known(m, content);
	rcu_read_unlock();
	return known;
}

/* ---- the uploader ---- */

struct set_record set_take(struct azs_mapping *m)
{
	struct set_record r;

	memset(&r, 0xa5, sizeof(r));
	r.err = azs_dirty_take(m, &r.rec, r.path);
	return r;
}

u64 set_take_path(struct azs_mapping *m, const char *path, u32 type, u32 flags)
{
	struct set_record r = set_take(m);

	assert_int_equal(r.err, 0);
	assert_string_equal(r.path, path);
	assert_int_equal(r.rec.hdr.type, type);
	assert_int_equal(r.rec.flags, flags);
	assert_int_equal(r.rec.path_len, strlen(path));
	assert_int_equal(r.rec.hdr.len,
			 (sizeof(r.rec) + strlen(path) + 1 + 7) & ~7ul);
	assert_int_equal(r.rec.hdr.mapping.id, m->id);
	assert_int_equal(r.rec.hdr.mapping.generation, m->generation);
	return r.rec.entry;
}

bool set_has_none(struct azs_mapping *m)
{
	struct set_record r = set_take(m);

	if (!r.err)
		print_message("unexpected: %s\n", r.path);
	return r.err == -ENOENT;
}

int set_done(u64 id, u32 result)
{
	const struct azs_done_item item = { .entry = id, .result = result };

	return azs_dirty_done(&item);
}

int set_again(u64 id, u32 delay_ms)
{
	const struct azs_done_item item = {
		.entry = id,
		.result = AZS_DONE_AGAIN,
		.delay_ms = delay_ms,
	};

	return azs_dirty_done(&item);
}

int set_open(struct azs_mapping *m, u64 *id, const char *path, struct inode *inode, u32 *flags)
{
	return azs_dirty_open(m, id, path, strlen(path), inode, flags);
}

bool set_is_quiet(u64 id)
{
	u32 flags = ~0u;

	assert_int_equal(azs_dirty_stable(id, &flags), 0);
	assert_int_equal(flags & ~AZS_STABLE_QUIET, 0);
	return flags;
}

/* ---- looking inside ---- */

struct azs_entry *set_find(struct azs_mapping *m, const char *path)
{
	struct azs_entry *e;

	spin_lock(&m->dirty.lock);
	e = azs_entry_lookup(&m->dirty, path, strlen(path));
	spin_unlock(&m->dirty.lock);
	return e;
}

unsigned int set_count(struct azs_mapping *m, enum azs_counter counter)
{
	return m->stats.counters->v[counter];
}

static unsigned int nodes(const struct rb_root *root)
{
	struct rb_node *n;
	unsigned int count = 0;

	for (n = rb_first(root); n; n = rb_next(n))
		count++;
	return count;
}

static bool is_in(const struct rb_root *root, const struct rb_node *node)
{
	const struct rb_node *n = node;

	if (!node->priority)
		return false;
	while (n->parent)
		n = n->parent;
	return root->rb_node == n;
}

struct census {
	unsigned int all, state[AZS_ENTRY_WRITER + 1], queue[AZS_QUEUE_READY + 1], subtrees;
};

static void check_entry(struct azs_dirty *d, struct azs_entry *e, struct census *c)
{
	bool writer = e->state == AZS_ENTRY_WRITER, out = e->state == AZS_ENTRY_OUT;

	assert_int_not_equal(e->state, AZS_ENTRY_IDLE);
	assert_int_equal(strlen(e->path), e->path_len);
	c->all++;
	c->state[e->state]++;
	c->queue[e->queue]++;
	c->subtrees += e->type == AZS_REC_SUBTREE;
	assert_int_equal(is_in(&d->writers.rb_root, &e->seq_node), writer);
	assert_int_equal(is_in(&d->by_seq.rb_root, &e->seq_node), !writer);
	assert_int_equal(is_in(&d->subtrees, &e->subtree_node), e->type == AZS_REC_SUBTREE);
	assert_int_equal(is_in(&d->ready.rb_root, &e->queue_node), e->queue == AZS_QUEUE_READY);
	assert_int_equal(is_in(&d->by_time.rb_root, &e->queue_node), e->queue == AZS_QUEUE_TIME);
	assert_in_range(e->seq, 1, d->seq);
	if (e->state != AZS_ENTRY_PENDING)
		assert_int_not_equal(e->queue, AZS_QUEUE_READY);
	if (writer) {
		assert_int_equal(e->type, AZS_REC_PATH);
		assert_int_equal(e->known, 0);
	}
	if (e->state == AZS_ENTRY_PENDING)
		assert_int_equal(e->known, azs_known_bits(e->content));
	if (out) {
		assert_int_equal(e->queue, AZS_QUEUE_NONE);
		assert_ptr_equal(azs_entry_find_out(e->id), e);
		if (!e->changed)
			assert_int_equal(e->known, 0);
	}
	if (!hlist_unhashed(&e->hash_node))
		assert_non_null(e->inode);
	if (e->inode)
		assert_true(e->inode->refs > 1);
}

void set_check(struct azs_mapping *m)
{
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *e, *prev = NULL;
	struct census c = { 0 };
	u64 oldest = d->seq + 1;

	assert_int_equal(kshim.locks_held, 0);
	spin_lock(&d->lock);
	for (e = rb_entry_safe(rb_first(&d->by_path), struct azs_entry, path_node); e;
	     e = azs_entry_next(e)) {
		if (prev)
			assert_true(azs_path_cmp(prev->path, prev->path_len, e->path, e->path_len) < 0);
		check_entry(d, e, &c);
		if (e->state != AZS_ENTRY_WRITER && e->seq < oldest)
			oldest = e->seq;
		prev = e;
	}
	spin_unlock(&d->lock);
	assert_int_equal(nodes(&d->by_seq.rb_root),
			 c.state[AZS_ENTRY_PENDING] + c.state[AZS_ENTRY_OUT]);
	assert_int_equal(nodes(&d->writers.rb_root), c.state[AZS_ENTRY_WRITER]);
	assert_int_equal(nodes(&d->subtrees), c.subtrees);
	assert_int_equal(nodes(&d->ready.rb_root), c.queue[AZS_QUEUE_READY]);
	assert_int_equal(nodes(&d->by_time.rb_root), c.queue[AZS_QUEUE_TIME]);
	assert_int_equal(d->nr_pending, c.state[AZS_ENTRY_PENDING]);
	assert_int_equal(d->nr_out, c.state[AZS_ENTRY_OUT]);
	assert_int_equal(d->nr_writers, c.state[AZS_ENTRY_WRITER]);
	if (d->owed && d->owed < oldest)	/* dropped by a stop */
		oldest = d->owed;
	assert_int_equal(azs_dirty_flushed(m), oldest - 1);
}
