// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Seeing changes: one fsnotify group, one superblock mark per filesystem in use,
 * shared by the mappings on it.
 *
 * The handler runs in the context of whoever changes a file, perhaps with directories
 * locked and inside freeze protection: it never waits for the uploader, configfs
 * or sysfs. Most events end in azs_watch_is_idle(), under RCU and without a lock:
 * the path is known to be dirty, or no mapping covers it.
 *
 * Lifetimes: a mapping is found by the dentry of its root in azs_roots[] under RCU,
 * and may be used under azs_watch_srcu; azs_watch_remove() waits for both. A watch of
 * a filesystem is its mark: freed by fsnotify, with a reference on the module
 * so that rmmod fails instead of waiting for a mark that somebody pins.
 */
#include <linux/dcache.h>
#include <linux/fsnotify_backend.h>
#include <linux/hash.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/wait.h>

#include "mapping.h"
#include "watch.h"

#define AZS_WATCH_MASK	(FS_MODIFY | FS_ATTRIB | FS_CLOSE_WRITE | FS_CREATE | FS_DELETE | FS_RENAME)

/* Mappings that cover one place and are told its path; see azs_watch_overflow(). */
#define AZS_MAX_COVERS	16
#define AZS_ROOTS_BITS	8

/* The mark of one filesystem. */
struct azs_watch_sb {
	struct fsnotify_mark mark;
	struct super_block *sb;
	struct list_head node;		/* [azs_watch_lock] azs_watches */
	struct list_head mappings;	/* [azs_watch_lock], SRCU */
};

struct azs_excluded {
	unsigned int nr;
	struct path dirs[AZS_MAX_EXCLUDED];
};

static DEFINE_MUTEX(azs_watch_lock);
static LIST_HEAD(azs_watches);
static struct hlist_head azs_roots[1 << AZS_ROOTS_BITS];	/* [azs_watch_lock], RCU */
static struct azs_excluded __rcu *azs_excluded;	/* [azs_watch_lock], SRCU */
static struct fsnotify_group *azs_group;
static struct kmem_cache *azs_path_cache;	/* AZS_PATH_MAX bytes each */
static atomic_t azs_nr_marks;
static DECLARE_WAIT_QUEUE_HEAD(azs_marks_gone);
DEFINE_STATIC_SRCU(azs_watch_srcu);

static struct hlist_head *azs_roots_bucket(const struct dentry *d)
{
	return &azs_roots[hash_ptr(d, AZS_ROOTS_BITS)];
}

/* ---- where an event happened ---- */

/* What a walk from a dentry to the root of its filesystem found. */
struct azs_where {
	char *buf;			/* AZS_PATH_MAX bytes, filled from the end; or NULL */
	unsigned int len;		/* bytes of the path so far; what does not fit is counted */
	unsigned int cut;		/* bytes still to be left out at its end */
	unsigned int excess;		/* bytes by which a mapping's path is too long */
	unsigned int nr;
	bool excluded;
	bool connected;			/* the walk ended at the filesystem's root */
	bool overflow;			/* more mappings than fit */
	struct {
		struct azs_mapping *m;
		unsigned int start;	/* in buf */
	} in[AZS_MAX_COVERS];
};

/* Puts "/name" before what is in @w; the length may belong to another name, if
 * a rename runs: then the walk is repeated. */
static void azs_where_prepend(struct azs_where *w, const char *name, u32 len)
{
	char *p;

	if (!w->buf)
		return;
	len = strnlen(name, len);
	if (w->cut) {
		w->cut -= min(w->cut, len + 1);
		return;
	}
	w->len += len + 1;
	if (w->len > AZS_PATH_MAX)
		return;
	p = w->buf + AZS_PATH_MAX - w->len;
	*p = '/';
	memcpy(p + 1, name, len);
}

static void azs_where_probe(struct azs_where *w, const struct dentry *d)
{
	struct azs_mapping *m;

	hlist_for_each_entry_rcu(m, azs_roots_bucket(d), watch_node) {
		if (m->root.dentry != d)
			continue;
		if (w->nr == AZS_MAX_COVERS) {
			w->overflow = true;
			return;
		}
		/* Only what lies below a root counts: the root itself may be deeper still. */
		if (w->len > AZS_PATH_MAX)
			w->excess = w->len - AZS_PATH_MAX;
		w->in[w->nr].m = m;
		/* Without the slash, if there is one. */
		w->in[w->nr++].start = AZS_PATH_MAX - w->len + !!w->len;
	}
}

static bool azs_is_excluded(const struct azs_excluded *x, const struct dentry *d)
{
	unsigned int i;

	for (i = 0; x && i < x->nr; i++)
		if (x->dirs[i].dentry == d)
			return true;
	return false;
}

/* One walk up; the last components, of @cut bytes or more, are left out of the paths. */
static void azs_where_walk(struct azs_where *w, const struct dentry *dentry,
			   const struct qstr *name, unsigned int cut)
{
	const struct azs_excluded *x = srcu_dereference(azs_excluded, &azs_watch_srcu);
	const struct dentry *d, *parent;

	w->len = 0;
	w->cut = cut;
	w->excess = 0;
	w->nr = 0;
	w->excluded = false;
	w->overflow = false;
	if (name)
		azs_where_prepend(w, name->name, name->len);
	for (d = dentry;; d = parent) {
		azs_where_probe(w, d);
		w->excluded |= azs_is_excluded(x, d);
		parent = READ_ONCE(d->d_parent);
		if (parent == d)
			break;
		azs_where_prepend(w, smp_load_acquire(&d->d_name.name), READ_ONCE(d->d_name.len));
	}
	w->connected = d == d->d_sb->s_root;
}

/*
 * Finds the mappings that cover @dentry, or @name in it, and the path in each.
 * Where a path is too long, each is cut to an ancestor that can be named in all; true if
 * so. Two walks do, however deep the place is, unless a rename makes it longer in between.
 * Under azs_watch_srcu.
 */
static bool azs_where_find(struct azs_where *w, const struct dentry *dentry,
			   const struct qstr *name)
{
	unsigned int cut = 0;
	int seq = 0;

	for (;;) {
		rcu_read_lock();
		read_seqbegin_or_lock(&rename_lock, &seq);
		azs_where_walk(w, dentry, name, cut);
		if (need_seqretry(&rename_lock, seq)) {
			rcu_read_unlock();
			seq = 1;
			continue;
		}
		done_seqretry(&rename_lock, seq);
		rcu_read_unlock();
		if (!w->excess)
			return cut;
		cut += w->excess;
		seq = 0;
	}
}

/* ---- recording ---- */

/* Renames that may make one event's path void before it gives up to name it. */
#define AZS_RECORD_TRIES	16

/* What to record, of one place. */
struct azs_change {
	struct dentry *dentry;
	const struct qstr *name;	/* in dentry, or NULL: dentry itself */
	struct inode *inode;		/* a regular file's with one name, or NULL */
	unsigned int flags;		/* AZS_DIRTY_* */
	bool moved_from;		/* renamed away from here */
};

/* Too many mappings to name the path in each: the whole of them is dirty. */
static void azs_watch_overflow(struct azs_watch_sb *ws)
{
	struct azs_mapping *m;

	list_for_each_entry_srcu(m, &ws->mappings, watch_list,
				 srcu_read_lock_held(&azs_watch_srcu))
		azs_dirty_add(m, "", 0, AZS_DIRTY_SUBTREE | AZS_DIRTY_CONTENT);
}

static int azs_where_record(const struct azs_where *w, const struct azs_change *c, u64 gen,
			    unsigned int flags, bool *hash)
{
	struct azs_event ev = {
		/* A path that was cut stands for a directory. */
		.inode = flags & AZS_DIRTY_SUBTREE ? NULL : c->inode,
		.gen = gen,
		/* Of those that found no room no entry tells: never to be taken for known. */
		.covers = w->overflow ? 0 : w->nr,
		.flags = flags,
	};
	unsigned int i;
	int err;

	for (i = 0; i < w->nr; i++) {
		struct azs_mapping *m = w->in[i].m;

		if (!w->buf) {
			/* Entries below what moved are not what they were. */
			if (c->moved_from)
				azs_dirty_moved(m, "", 0, true);
			azs_dirty_add(m, "", 0, AZS_DIRTY_SUBTREE | AZS_DIRTY_CONTENT);
			*hash = true;
			continue;
		}
		ev.path = w->buf + w->in[i].start;
		ev.len = AZS_PATH_MAX - w->in[i].start;
		if (c->moved_from &&
		    azs_dirty_moved(m, ev.path, ev.len, flags & AZS_DIRTY_SUBTREE))
			*hash = true;
		if (c->moved_from)
			continue;
		err = azs_dirty_event(m, &ev);
		if (err)
			return err;
	}
	return 0;
}

/*
 * Records a change in every mapping that covers the place. Returns true if the place is
 * connected to the filesystem's root, so that the paths say all. *hash is set, for a place
 * that something was renamed away from, if it must be hashed in its new one: a change of it was
 * not uploaded yet, or nobody has watched it. Under azs_watch_srcu.
 */
static bool azs_watch_record(struct azs_watch_sb *ws, const struct azs_change *c, bool *hash)
{
	char *buf = kmem_cache_alloc(azs_path_cache, GFP_NOFS | __GFP_NOWARN | __GFP_NORETRY);
	struct azs_where w = { .buf = buf };
	unsigned int flags, i, tries = 0;
	u64 gen;

	do {
		/* Somebody renames in a loop: this write does not wait for him to end. */
		if (tries++ == AZS_RECORD_TRIES)
			w.buf = NULL;
		/* Before the path is built: a rename from here on makes it void. */
		gen = atomic64_read_acquire(&azs_generation);
		flags = c->flags;
		if (azs_where_find(&w, c->dentry, c->name))
			flags |= AZS_DIRTY_SUBTREE | AZS_DIRTY_CONTENT;
		if (w.excluded) {
			for (i = 0; i < w.nr; i++)
				azs_count(w.in[i].m, AZS_CNT_EXCLUDED);
			break;
		}
		if (w.overflow)
			azs_watch_overflow(ws);
		if (!w.nr || w.overflow)
			*hash = true;
	} while (azs_where_record(&w, c, gen, flags, hash) == -EAGAIN);
	if (buf)
		kmem_cache_free(azs_path_cache, buf);
	return w.connected;
}

static bool azs_watch_record_in(struct azs_watch_sb *ws, struct inode *dir,
				struct azs_change *c, bool *hash)
{
	bool connected = false;

	c->dentry = d_find_any_alias(dir);
	if (c->dentry)
		connected = azs_watch_record(ws, c, hash);
	dput(c->dentry);
	return connected;
}

/* The name is not known, or there are more of them: the inode itself. */
static void azs_watch_record_inode(struct azs_watch_sb *ws, const struct inode *inode)
{
	struct azs_mapping *m;

	list_for_each_entry_srcu(m, &ws->mappings, watch_list,
				 srcu_read_lock_held(&azs_watch_srcu))
		azs_dirty_add_inode(m, inode->i_ino, inode->i_generation);
}

/* ---- events ---- */

static struct inode *azs_bindable(struct inode *inode)
{
	return inode && S_ISREG(inode->i_mode) && inode->i_nlink == 1 ? inode : NULL;
}

/* MODIFY, ATTRIB, CLOSE_WRITE: something that exists changed. */
static void azs_watch_changed(struct azs_watch_sb *ws, u32 mask, struct dentry *dentry,
			      struct inode *inode)
{
	struct azs_change c = { .dentry = dentry, .inode = azs_bindable(inode) };
	struct dentry *alias = NULL;
	bool placed = false, hash = false;

	if (mask & (FS_MODIFY | FS_CLOSE_WRITE)) {
		if (!S_ISREG(inode->i_mode))
			return;
		c.flags |= AZS_DIRTY_CONTENT;
	}
	if (mask & FS_CLOSE_WRITE)
		c.flags |= AZS_DIRTY_CLOSED;
	if (!inode->i_nlink) {
		azs_dirty_forget_inode(inode);
		return;
	}
	/* Opened by a name that is gone, or made without one and linked since. */
	if (!dentry || (d_unhashed(dentry) && !IS_ROOT(dentry))) {
		alias = d_find_alias(inode);
		c.dentry = alias;
	}
	if (c.dentry)
		placed = azs_watch_record(ws, &c, &hash);
	dput(alias);
	if (!S_ISREG(inode->i_mode) || (placed && inode->i_nlink == 1))
		return;
	if (c.flags & AZS_DIRTY_CONTENT)
		azs_dirty_note_inode(inode);
	azs_watch_record_inode(ws, inode);
}

static void azs_watch_created(struct azs_watch_sb *ws, u32 mask, struct inode *inode,
			      struct inode *dir, const struct qstr *name)
{
	struct azs_change c = {
		.name = name,
		.inode = azs_bindable(inode),
		.flags = mask & FS_ISDIR ? AZS_DIRTY_SUBTREE : 0,
	};
	bool hash = false;

	azs_watch_record_in(ws, dir, &c, &hash);
}

static void azs_watch_deleted(struct azs_watch_sb *ws, struct inode *inode, struct inode *dir,
			      const struct qstr *name)
{
	struct azs_change c = { .name = name, .flags = AZS_DIRTY_GONE };
	bool hash = false;

	azs_watch_record_in(ws, dir, &c, &hash);
	if (inode && S_ISREG(inode->i_mode) && !inode->i_nlink)
		azs_dirty_forget_inode(inode);
}

/* @dentry is in its new place, @dir and @name tell the old one. */
static void azs_watch_renamed(struct azs_watch_sb *ws, struct dentry *dentry, struct inode *dir,
			      const struct qstr *name)
{
	struct inode *inode = d_inode(dentry);
	bool is_dir = S_ISDIR(inode->i_mode), hash = false;
	struct azs_change from = { .name = name, .moved_from = true };
	struct azs_change to = { .dentry = dentry, .inode = azs_bindable(inode) };

	if (is_dir) {
		from.flags |= AZS_DIRTY_SUBTREE;
		to.flags |= AZS_DIRTY_SUBTREE;
	}

	azs_watch_record_in(ws, dir, &from, &hash);
	if (hash || (!is_dir && inode_is_open_for_write(inode)))
		to.flags |= AZS_DIRTY_CONTENT;
	azs_watch_record(ws, &to, &hash);
}

/* The event was known to every mapping that covers the place. */
static void azs_watch_count_known(const struct dentry *dentry)
{
	const struct dentry *d = dentry, *parent;
	struct azs_mapping *m;

	for (;; d = parent) {
		hlist_for_each_entry_rcu(m, azs_roots_bucket(d), watch_node) {
			if (m->root.dentry == d)
				azs_count(m, AZS_CNT_COALESCED);
		}
		parent = READ_ONCE(d->d_parent);
		if (parent == d)
			return;
	}
}

/*
 * True if there is nothing to do: every mapping that covers the place has it pending, or
 * none covers it. Takes no lock. This is what every write on the filesystem pays.
 */
static bool azs_watch_is_idle(const struct dentry *dentry, u32 mask)
{
	const bool content = mask & (FS_MODIFY | FS_CLOSE_WRITE);
	struct inode *inode = d_inode(dentry);
	const struct dentry *d, *parent;
	bool idle, covered, inside;
	unsigned int seq;

	smp_mb();	/* see entry.h: the data is stored before we look */
	rcu_read_lock();
	idle = azs_dirty_is_known(inode, content, mask & FS_CLOSE_WRITE);
	if (idle || inode->i_nlink != 1 || d_unhashed(dentry))
		goto out;
	covered = false;
	inside = false;
	seq = read_seqbegin(&rename_lock);
	for (d = dentry;; d = parent) {
		if (unlikely(!hlist_empty(azs_roots_bucket(d)))) {
			struct azs_mapping *m;

			hlist_for_each_entry_rcu(m, azs_roots_bucket(d), watch_node) {
				if (m->root.dentry != d)
					continue;
				inside = true;
				covered |= !azs_dirty_is_root_known(m, content);
			}
		}
		parent = READ_ONCE(d->d_parent);
		if (parent == d)
			break;
	}
	/* Not again and again while somebody renames: the slow path has an end. */
	idle = !covered && d == d->d_sb->s_root && !read_seqretry(&rename_lock, seq);
	if (idle && inside)
		azs_watch_count_known(dentry);
out:
	rcu_read_unlock();
	return idle;
}

/* Apart from the idle case, whose stack frame it would make larger. */
static noinline void azs_watch_dispatch(struct azs_watch_sb *ws, u32 mask, const void *data,
					int data_type, struct inode *dir, const struct qstr *name)
{
	struct dentry *dentry = fsnotify_data_dentry(data, data_type);
	struct inode *inode = fsnotify_data_inode(data, data_type);
	int idx = srcu_read_lock(&azs_watch_srcu);

	if (mask & FS_RENAME) {
		if (dentry && dir && name)
			azs_watch_renamed(ws, dentry, dir, name);
	} else if (mask & FS_CREATE) {
		if (dir && name)
			azs_watch_created(ws, mask, inode, dir, name);
	} else if (mask & FS_DELETE) {
		if (dir && name)
			azs_watch_deleted(ws, inode, dir, name);
	} else if (inode) {
		/* ATTRIB with an inode alone: a link was added or removed, of which
		 * CREATE or DELETE tells; only the last one's end matters. */
		if (dentry || !inode->i_nlink)
			azs_watch_changed(ws, mask, dentry, inode);
	}
	srcu_read_unlock(&azs_watch_srcu, idx);
}

static int azs_watch_event(struct fsnotify_group *group, u32 mask, const void *data,
			   int data_type, struct inode *dir, const struct qstr *name,
			   u32 cookie, struct fsnotify_iter_info *iter_info)
{
	struct dentry *dentry = fsnotify_data_dentry(data, data_type);
	struct fsnotify_mark *mark;

	if (dentry && (mask & (FS_MODIFY | FS_ATTRIB | FS_CLOSE_WRITE)) &&
	    !(mask & FS_ISDIR) && azs_watch_is_idle(dentry, mask))
		return 0;

	mark = fsnotify_iter_sb_mark(iter_info);
	if (mark)
		azs_watch_dispatch(container_of(mark, struct azs_watch_sb, mark), mask, data,
				   data_type, dir, name);
	return 0;
}

static void azs_watch_free_mark(struct fsnotify_mark *mark)
{
	kfree(container_of(mark, struct azs_watch_sb, mark));
	if (atomic_dec_and_test(&azs_nr_marks))
		wake_up(&azs_marks_gone);
	module_put(THIS_MODULE);
}

static const struct fsnotify_ops azs_watch_ops = {
	.handle_event = azs_watch_event,
	.free_mark = azs_watch_free_mark,
};

/* ---- mappings come and go ---- */

static struct azs_watch_sb *azs_watch_sb_find(const struct super_block *sb)
{
	struct azs_watch_sb *ws;

	list_for_each_entry(ws, &azs_watches, node)
		if (ws->sb == sb)
			return ws;
	return NULL;
}

static struct azs_watch_sb *azs_watch_sb_add(struct super_block *sb)
{
	struct azs_watch_sb *ws = kzalloc(sizeof(*ws), GFP_KERNEL);
	int err;

	if (!ws)
		return ERR_PTR(-ENOMEM);
	ws->sb = sb;
	INIT_LIST_HEAD(&ws->mappings);
	fsnotify_init_mark(&ws->mark, azs_group);
	ws->mark.mask = AZS_WATCH_MASK;
	__module_get(THIS_MODULE);	/* until azs_watch_free_mark() */
	atomic_inc(&azs_nr_marks);
	err = azs_fsnotify_add_sb_mark(&ws->mark, sb);
	if (err) {
		fsnotify_put_mark(&ws->mark);
		return ERR_PTR(err);
	}
	list_add(&ws->node, &azs_watches);
	return ws;
}

static void azs_watch_sb_drop(struct azs_watch_sb *ws)
{
	list_del(&ws->node);
	fsnotify_destroy_mark(&ws->mark, azs_group);
	fsnotify_put_mark(&ws->mark);
}

int azs_watch_add(struct azs_mapping *m)
{
	struct super_block *sb = m->root.dentry->d_sb;
	struct azs_watch_sb *ws;
	int err = 0;

	mutex_lock(&azs_watch_lock);
	ws = azs_watch_sb_find(sb);
	if (!ws)
		ws = azs_watch_sb_add(sb);
	if (IS_ERR(ws)) {
		err = PTR_ERR(ws);
		goto out;
	}
	m->watch = ws;
	list_add_rcu(&m->watch_list, &ws->mappings);
	hlist_add_head_rcu(&m->watch_node, azs_roots_bucket(m->root.dentry));
	/* Who covers what has changed: no entry may be taken for known. Whoever sees the
	 * new generation sees the mapping. */
	smp_mb__before_atomic();
	atomic64_inc(&azs_generation);
out:
	mutex_unlock(&azs_watch_lock);
	return err;
}

void azs_watch_remove(struct azs_mapping *m)
{
	struct azs_watch_sb *ws = m->watch;

	mutex_lock(&azs_watch_lock);
	hlist_del_rcu(&m->watch_node);
	list_del_rcu(&m->watch_list);
	atomic64_inc(&azs_generation);
	m->watch = NULL;
	synchronize_rcu();
	synchronize_srcu(&azs_watch_srcu);
	if (list_empty(&ws->mappings))
		azs_watch_sb_drop(ws);
	mutex_unlock(&azs_watch_lock);
}

static void azs_excluded_free(struct azs_excluded *x)
{
	unsigned int i;

	for (i = 0; x && i < x->nr; i++)
		path_put(&x->dirs[i]);
	kfree(x);
}

int azs_watch_set_excluded(const struct path *dirs, unsigned int nr)
{
	struct azs_excluded *x = NULL, *old;
	unsigned int i;

	if (nr > AZS_MAX_EXCLUDED)
		return -EINVAL;
	if (nr) {
		x = kzalloc(sizeof(*x), GFP_KERNEL);
		if (!x)
			return -ENOMEM;
		for (i = 0; i < nr; i++) {
			x->dirs[i] = dirs[i];
			path_get(&x->dirs[i]);
		}
		x->nr = nr;
	}
	mutex_lock(&azs_watch_lock);
	old = rcu_replace_pointer(azs_excluded, x, lockdep_is_held(&azs_watch_lock));
	mutex_unlock(&azs_watch_lock);
	synchronize_srcu(&azs_watch_srcu);
	azs_excluded_free(old);
	return 0;
}

const char *azs_watch_refusal(struct super_block *sb, bool allow_remote)
{
	static const char * const local[] = {
		"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs",
	};
	static const char * const remote[] = {
		"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "fuse", "fuseblk", "virtiofs", "afs",
	};
	const char *type = sb->s_type->name;

	if (!strcmp(type, "overlay"))
		return "overlayfs does not report stores through a mapping after close; map the upper directory's filesystem";
	if (match_string(local, ARRAY_SIZE(local), type) >= 0)
		return NULL;
	if (match_string(remote, ARRAY_SIZE(remote), type) < 0)
		return "this type of filesystem is not supported";
	return allow_remote ? NULL :
		"changes made by other machines are not reported; set allow_remote=1 and rescan_s to accept that";
}

/* A constructor keeps the allocator from clearing what is written before it is read. */
static void azs_path_ctor(void *buf)
{
}

int azs_watch_init(void)
{
	azs_path_cache = kmem_cache_create("azs_path", AZS_PATH_MAX, 0, 0, azs_path_ctor);
	if (!azs_path_cache)
		return -ENOMEM;
	azs_group = fsnotify_alloc_group(&azs_watch_ops, AZS_GROUP_FLAGS);
	if (IS_ERR(azs_group)) {
		kmem_cache_destroy(azs_path_cache);
		return PTR_ERR(azs_group);
	}
	return 0;
}

/*
 * A mark is freed by a worker of fsnotify some time after the last reference; the
 * first wait flushes what is queued, the second the worker that ran our
 * free_mark, whose code goes away with us.
 */
void azs_watch_exit(void)
{
	fsnotify_wait_marks_destroyed();
	wait_event(azs_marks_gone, !atomic_read(&azs_nr_marks));
	fsnotify_wait_marks_destroyed();
	fsnotify_put_group(azs_group);
	rcu_barrier();
	kmem_cache_destroy(azs_path_cache);
}
