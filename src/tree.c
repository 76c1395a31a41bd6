// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The order of paths and the trees of a dirty set. Everything here is under the
 * set's lock and touches memory only.
 */
#include <linux/rbtree.h>
#include <linux/string.h>

#include "entry.h"

/* A path sorts right before all that is below it: '/' is the lowest character. */
int azs_path_cmp(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t i, n = min(alen, blen);

	for (i = 0; i < n; i++) {
		u8 x = a[i], y = b[i];

		if (x == y)
			continue;
		if (x == '/')
			return -1;
		if (y == '/')
			return 1;
		return x < y ? -1 : 1;
	}
	return alen < blen ? -1 : alen > blen;
}

bool azs_path_is_below(const char *path, size_t len, const char *dir, size_t dir_len)
{
	if (!dir_len)
		return len > 0;
	return len > dir_len && path[dir_len] == '/' && !memcmp(path, dir, dir_len);
}

struct azs_entry *azs_entry_lookup(struct azs_dirty *d, const char *path, size_t len)
{
	struct rb_node *n = d->by_path.rb_node;

	while (n) {
		struct azs_entry *e = rb_entry(n, struct azs_entry, path_node);
		int c = azs_path_cmp(path, len, e->path, e->path_len);

		if (!c)
			return e;
		n = c < 0 ? n->rb_left : n->rb_right;
	}
	return NULL;
}

/* The first entry strictly below a directory, in the order of paths. */
struct azs_entry *azs_entry_first_below(struct azs_dirty *d, const char *dir, size_t len)
{
	struct rb_node *n = d->by_path.rb_node;
	struct azs_entry *best = NULL;

	while (n) {
		struct azs_entry *e = rb_entry(n, struct azs_entry, path_node);

		if (azs_path_cmp(dir, len, e->path, e->path_len) < 0) {
			best = e;
			n = n->rb_left;
		} else {
			n = n->rb_right;
		}
	}
	return best && azs_path_is_below(best->path, best->path_len, dir, len) ? best : NULL;
}

struct azs_entry *azs_entry_next(struct azs_entry *e)
{
	struct rb_node *n = rb_next(&e->path_node);

	return n ? rb_entry(n, struct azs_entry, path_node) : NULL;
}

/* The last SUBTREE at or before a path, in the order of paths. */
static struct azs_entry *azs_subtree_at_or_before(struct azs_dirty *d, const char *path,
						  size_t len)
{
	struct rb_node *n = d->subtrees.rb_node;
	struct azs_entry *best = NULL;

	while (n) {
		struct azs_entry *e = rb_entry(n, struct azs_entry, subtree_node);

		if (azs_path_cmp(e->path, e->path_len, path, len) <= 0) {
			best = e;
			n = n->rb_right;
		} else {
			n = n->rb_left;
		}
	}
	return best;
}

static size_t azs_parent_len(const char *path, size_t len)
{
	while (len && path[len - 1] != '/')
		len--;
	return len ? len - 1 : 0;
}

/* Bytes of the deepest directory that holds (or is) both. */
static size_t azs_common_dir(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t i, dir = 0, n = min(alen, blen);

	for (i = 0; i < n && a[i] == b[i]; i++)
		if (a[i] == '/')
			dir = i;
	if (i == n && (alen == blen || (alen > n ? a[n] : b[n]) == '/'))
		dir = n;
	return dir;
}

/*
 * The nearest SUBTREE at or above a path that @accept takes. What lies between an
 * ancestor and the path, in the order of paths, is below that ancestor: so each
 * miss leads up to the directory that the miss and the path have in common.
 */
struct azs_entry *azs_entry_covering_subtree(struct azs_dirty *d, const char *path, size_t len,
					     bool (*accept)(const struct azs_entry *e))
{
	struct azs_entry *e;

	lockdep_assert_held(&d->lock);
	while ((e = azs_subtree_at_or_before(d, path, len))) {
		bool covers = (e->path_len == len && !memcmp(e->path, path, len)) ||
			      azs_path_is_below(path, len, e->path, e->path_len);

		if (covers && accept(e))
			return e;
		if (covers) {
			if (!e->path_len)
				return NULL;
			len = azs_parent_len(e->path, e->path_len);
		} else {
			len = azs_common_dir(path, len, e->path, e->path_len);
		}
	}
	return NULL;
}

static bool azs_less_path(struct rb_node *a, const struct rb_node *b)
{
	const struct azs_entry *x = rb_entry(a, struct azs_entry, path_node);
	const struct azs_entry *y = rb_entry(b, struct azs_entry, path_node);

	return azs_path_cmp(x->path, x->path_len, y->path, y->path_len) < 0;
}

static bool azs_less_subtree(struct rb_node *a, const struct rb_node *b)
{
	const struct azs_entry *x = rb_entry(a, struct azs_entry, subtree_node);
	const struct azs_entry *y = rb_entry(b, struct azs_entry, subtree_node);

	return azs_path_cmp(x->path, x->path_len, y->path, y->path_len) < 0;
}

/* Sequences are inherited, so they are not unique: addresses decide between equals. */
static bool azs_seq_is_before(u64 seq, const struct azs_entry *e, const struct azs_entry *f)
{
	return seq != f->seq ? seq < f->seq : e < f;
}

static bool azs_less_seq(struct rb_node *a, const struct rb_node *b)
{
	const struct azs_entry *e = rb_entry(a, struct azs_entry, seq_node);

	return azs_seq_is_before(e->seq, e, rb_entry(b, struct azs_entry, seq_node));
}

static bool azs_less_ready(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct azs_entry, queue_node)->seq <
	       rb_entry(b, struct azs_entry, queue_node)->seq;
}

static bool azs_less_time(struct rb_node *a, const struct rb_node *b)
{
	return time_before(rb_entry(a, struct azs_entry, queue_node)->check_at,
			   rb_entry(b, struct azs_entry, queue_node)->check_at);
}

void azs_entry_link_path(struct azs_dirty *d, struct azs_entry *e)
{
	rb_add(&e->path_node, &d->by_path, azs_less_path);
	if (e->type == AZS_REC_SUBTREE)
		rb_add(&e->subtree_node, &d->subtrees, azs_less_subtree);
}

static struct rb_root_cached *azs_seq_root(struct azs_entry *e)
{
	struct azs_dirty *d = &e->m->dirty;

	return e->state == AZS_ENTRY_WRITER ? &d->writers : &d->by_seq;
}

void azs_entry_link_seq(struct azs_entry *e)
{
	rb_add_cached(&e->seq_node, azs_seq_root(e), azs_less_seq);
}

void azs_entry_unlink_seq(struct azs_entry *e)
{
	rb_erase_cached(&e->seq_node, azs_seq_root(e));
}

struct azs_entry *azs_entry_next_seq(struct azs_dirty *d, u64 seq, const struct azs_entry *e)
{
	struct rb_node *n = d->by_seq.rb_root.rb_node;
	struct azs_entry *best = NULL;

	while (n) {
		struct azs_entry *f = rb_entry(n, struct azs_entry, seq_node);

		if (azs_seq_is_before(seq, e, f)) {
			best = f;
			n = n->rb_left;
		} else {
			n = n->rb_right;
		}
	}
	return best;
}

/* Of an entry that is in the trees. */
void azs_entry_set_type(struct azs_entry *e, u8 type)
{
	struct azs_dirty *d = &e->m->dirty;

	lockdep_assert_held(&d->lock);
	if (e->type == type)
		return;
	if (e->type == AZS_REC_SUBTREE)
		rb_erase(&e->subtree_node, &d->subtrees);
	WRITE_ONCE(e->type, type);
	if (type == AZS_REC_SUBTREE) {
		azs_entry_unbind(e);
		rb_add(&e->subtree_node, &d->subtrees, azs_less_subtree);
	}
}

void azs_entry_enqueue(struct azs_entry *e, enum azs_entry_queue q)
{
	struct azs_dirty *d = &e->m->dirty;

	lockdep_assert_held(&d->lock);
	if (e->queue == AZS_QUEUE_READY)
		rb_erase_cached(&e->queue_node, &d->ready);
	else if (e->queue == AZS_QUEUE_TIME)
		rb_erase_cached(&e->queue_node, &d->by_time);
	e->queue = q;
	if (q == AZS_QUEUE_READY)
		rb_add_cached(&e->queue_node, &d->ready, azs_less_ready);
	else if (q == AZS_QUEUE_TIME)
		rb_add_cached(&e->queue_node, &d->by_time, azs_less_time);
}
