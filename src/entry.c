// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * One entry: its memory, the inode it holds, the look-up of the fast path and the
 * one by number. Locks: see entry.h.
 */
#include <linux/hash.h>
#include <linux/llist.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "entry.h"

#define AZS_HASH_BITS	14
#define AZS_ID_BITS	10

static struct kmem_cache *azs_entry_cache;
static struct hlist_head *azs_inode_hash;
static struct hlist_head azs_id_hash[1 << AZS_ID_BITS];
static DEFINE_SPINLOCK(azs_entry_hash_lock);
static atomic64_t azs_entry_bytes;
static atomic64_t azs_entry_last_id;

/*
 * Entries are taken out of a set in the middle of somebody's write(2), perhaps
 * with a directory locked. Letting go of an inode can mean to delete it, which
 * must not happen there: a work item does.
 */
static LLIST_HEAD(azs_reap_list);
static void azs_entry_reap(struct work_struct *work);
static DECLARE_WORK(azs_reap_work, azs_entry_reap);

/* Paths of up to this length share the cache's objects; longer ones are kmalloc'ed. */
#define AZS_INLINE_PATH	63

static size_t azs_entry_size(size_t path_len)
{
	return offsetof(struct azs_entry, path) + path_len + 1;
}

static bool azs_entry_is_cached(const struct azs_entry *e)
{
	return e->path_len <= AZS_INLINE_PATH;
}

static size_t azs_entry_bytes_of(const struct azs_entry *e)
{
	return azs_entry_size(max_t(size_t, e->path_len, AZS_INLINE_PATH));
}

bool azs_entry_is_over_bound(void)
{
	return atomic64_read(&azs_entry_bytes) >= AZS_MAX_BYTES;
}

struct azs_entry *azs_entry_alloc(struct azs_mapping *m, const char *path, size_t len)
{
	const gfp_t gfp = GFP_NOFS | __GFP_NOWARN | __GFP_NORETRY | __GFP_ZERO;
	struct azs_entry *e;

	if (len >= AZS_PATH_MAX)
		return NULL;
	if (len <= AZS_INLINE_PATH)
		e = kmem_cache_alloc(azs_entry_cache, gfp);
	else
		e = kmalloc(azs_entry_size(len), gfp);
	if (!e)
		return NULL;
	e->m = m;
	e->type = AZS_REC_PATH;
	e->path_len = len;
	memcpy(e->path, path, len);
	atomic64_add(azs_entry_bytes_of(e), &azs_entry_bytes);
	return e;
}

static void azs_entry_free_rcu(struct rcu_head *rcu)
{
	struct azs_entry *e = container_of(rcu, struct azs_entry, rcu);

	if (azs_entry_is_cached(e))
		kmem_cache_free(azs_entry_cache, e);
	else
		kfree(e);
}

void azs_entry_free(struct azs_entry *e)
{
	if (!e)
		return;
	atomic64_sub(azs_entry_bytes_of(e), &azs_entry_bytes);
	call_rcu(&e->rcu, azs_entry_free_rcu);
}

/*
 * What azs_entry_unbind() leaves behind: an inode to let go of. It needs memory that
 * is there even when none can be had, so it lies in the entry or, when the
 * entry lives on, in a small object of its own.
 */
struct azs_put {
	struct llist_node reap;
	struct inode *inode;
};

static LLIST_HEAD(azs_put_list);

static void azs_entry_reap(struct work_struct *work)
{
	struct azs_entry *e, *next;
	struct azs_put *p, *next_p;

	llist_for_each_entry_safe(p, next_p, llist_del_all(&azs_put_list), reap) {
		iput(p->inode);
		kfree(p);
		cond_resched();
	}
	llist_for_each_entry_safe(e, next, llist_del_all(&azs_reap_list), reap) {
		iput(e->inode);
		azs_entry_free(e);
		cond_resched();
	}
}

void azs_entry_flush_reaper(void)
{
	flush_work(&azs_reap_work);
}

/* ---- the inode, and the fast path ---- */

struct hlist_head *azs_inode_bucket(const struct inode *inode)
{
	return &azs_inode_hash[hash_ptr(inode, AZS_HASH_BITS)];
}

static void azs_entry_unhash(struct azs_entry *e)
{
	spin_lock(&azs_entry_hash_lock);
	hlist_del_init_rcu(&e->hash_node);
	spin_unlock(&azs_entry_hash_lock);
}

/* Another entry of this set that has the inode; the set's lock keeps it. Or NULL. */
static struct azs_entry *azs_entry_find_twin(const struct azs_entry *e, const struct inode *inode)
{
	struct azs_entry *o;

	spin_lock(&azs_entry_hash_lock);
	hlist_for_each_entry(o, azs_inode_bucket(inode), hash_node)
		if (o->inode == inode && o->m == e->m && o != e)
			break;
	spin_unlock(&azs_entry_hash_lock);
	return o;
}

void azs_entry_bind(struct azs_entry *e, struct inode *inode, u64 gen, unsigned int covers)
{
	const bool only_name = inode->i_nlink == 1;
	struct azs_entry *twin;

	lockdep_assert_held(&e->m->dirty.lock);
	if (e->inode != inode) {
		azs_entry_unbind(e);
		if (e->inode || !inode->i_nlink)	/* could not let go: slow path */
			return;
		ihold(inode);
		e->inode = inode;
	}
	/* They had it under an older name: not to be found, nor to keep it from deletion. */
	while (only_name && (twin = azs_entry_find_twin(e, inode)))
		azs_entry_unbind(twin);
	e->covers = covers;
	WRITE_ONCE(e->gen, only_name ? gen : 0);
	spin_lock(&azs_entry_hash_lock);
	if (hlist_unhashed(&e->hash_node))
		hlist_add_head_rcu(&e->hash_node, azs_inode_bucket(inode));
	spin_unlock(&azs_entry_hash_lock);
}

/*
 * The entry lives on without its inode. A reader of the hash that has the entry
 * already compares e->inode: it is cleared only here and set only while the
 * entry is unhashed, and the generation is wrong from now on.
 */
void azs_entry_unbind(struct azs_entry *e)
{
	struct azs_put *p;

	lockdep_assert_held(&e->m->dirty.lock);
	if (!e->inode)
		return;
	azs_entry_unhash(e);
	WRITE_ONCE(e->gen, 0);
	e->unquiet = 1;		/* if it is being read: its writers are seen no more */
	p = kmalloc(sizeof(*p), GFP_NOWAIT | __GFP_NOWARN);
	if (!p)
		return;		/* held until the entry goes; never wrong */
	p->inode = e->inode;
	WRITE_ONCE(e->inode, NULL);
	if (llist_add(&p->reap, &azs_put_list))
		schedule_work(&azs_reap_work);
}

void azs_dirty_forget_inode(struct inode *inode)
{
	struct azs_mapping *m;
	struct azs_entry *e;
	bool again;

	do {
		again = false;
		rcu_read_lock();
		hlist_for_each_entry_rcu(e, azs_inode_bucket(inode), hash_node) {
			if (READ_ONCE(e->inode) != inode)
				continue;
			m = e->m;
			spin_lock(&m->dirty.lock);
			if (e->inode == inode && !hlist_unhashed(&e->hash_node)) {
				azs_entry_unbind(e);
				again = true;
			}
			spin_unlock(&m->dirty.lock);
			break;
		}
		rcu_read_unlock();
	} while (again);
}

static void azs_entry_count_known(struct azs_entry *e)
{
	WRITE_ONCE(e->last_event, jiffies);
	azs_count(e->m, AZS_CNT_COALESCED);
}

bool azs_dirty_is_known(struct inode *inode, bool content, bool closed)
{
	const u8 need = content ? AZS_KNOWN_ANY | AZS_KNOWN_CONTENT : AZS_KNOWN_ANY;
	const u64 gen = atomic64_read(&azs_generation);
	struct azs_entry *e, *known = NULL;
	unsigned int n = 0;

	azs_entry_for_each_of(e, inode) {
		if ((READ_ONCE(e->known) & need) != need || READ_ONCE(e->gen) != gen)
			return false;
		if (closed) {
			WRITE_ONCE(e->closed, 1);
			smp_mb();	/* pairs with azs_entry_await_writer() */
			if (READ_ONCE(e->waits_writer))
				return false;
		}
		known = e;
		n++;
	}
	if (!known || n != READ_ONCE(known->covers) || inode->i_nlink != 1)
		return false;
	if (n == 1) {
		azs_entry_count_known(known);
		return true;
	}
	azs_entry_for_each_of(e, inode)
		azs_entry_count_known(e);
	return true;
}

bool azs_dirty_is_root_known(struct azs_mapping *m, bool content)
{
	const u8 need = content ? AZS_KNOWN_ANY | AZS_KNOWN_CONTENT : AZS_KNOWN_ANY;
	const struct azs_entry *root = READ_ONCE(m->dirty.root);

	/* Acquire: `type` is at least as new as the `known` that it qualifies. */
	return root && (smp_load_acquire(&root->known) & need) == need &&
	       READ_ONCE(root->type) == AZS_REC_SUBTREE && !READ_ONCE(m->dirty.nr_out);
}

/* ---- out, by number ---- */

static struct hlist_head *azs_id_bucket(u64 id)
{
	return &azs_id_hash[hash_64(id, AZS_ID_BITS)];
}

struct azs_entry *azs_entry_find_out(u64 id)
{
	struct azs_entry *e;

	/* Not by RCU alone: one that is handed out again meanwhile would lead the
	 * walk into another bucket, and a DONE past its entry. */
	spin_lock(&azs_entry_hash_lock);
	hlist_for_each_entry(e, azs_id_bucket(id), id_node)
		if (e->id == id)
			break;
	spin_unlock(&azs_entry_hash_lock);
	return e;
}

/* The caller has taken it out of where it was counted; it is in by_seq after this. */
void azs_entry_hand_out(struct azs_entry *e)
{
	struct azs_dirty *d = &e->m->dirty;

	lockdep_assert_held(&d->lock);
	WRITE_ONCE(e->known, 0);
	WRITE_ONCE(e->state, AZS_ENTRY_OUT);
	WRITE_ONCE(d->nr_out, d->nr_out + 1);
	smp_mb();	/* see entry.h: whoever missed these has stored before we read */
	azs_entry_link_seq(e);
	e->changed = 0;
	e->changed_content = 0;
	e->changed_subtree = 0;
	e->unquiet = 0;
	e->dir_moves = d->dir_moves;
	WRITE_ONCE(e->id, atomic64_inc_return(&azs_entry_last_id));
	spin_lock(&azs_entry_hash_lock);
	hlist_add_head_rcu(&e->id_node, azs_id_bucket(e->id));
	spin_unlock(&azs_entry_hash_lock);
}

void azs_entry_end_out(struct azs_entry *e)
{
	struct azs_dirty *d = &e->m->dirty;

	lockdep_assert_held(&d->lock);
	WRITE_ONCE(d->nr_out, d->nr_out - 1);
	spin_lock(&azs_entry_hash_lock);
	hlist_del_init_rcu(&e->id_node);
	spin_unlock(&azs_entry_hash_lock);
}

void azs_entry_remove(struct azs_entry *e)
{
	struct azs_dirty *d = &e->m->dirty;

	lockdep_assert_held(&d->lock);
	azs_entry_enqueue(e, AZS_QUEUE_NONE);
	WRITE_ONCE(e->known, 0);
	switch (e->state) {
	case AZS_ENTRY_PENDING:
		WRITE_ONCE(d->nr_pending, d->nr_pending - 1);
		break;
	case AZS_ENTRY_OUT:
		azs_entry_end_out(e);
		break;
	case AZS_ENTRY_WRITER:
		WRITE_ONCE(d->nr_writers, d->nr_writers - 1);
		break;
	}
	azs_entry_unlink_seq(e);
	rb_erase(&e->path_node, &d->by_path);
	if (e->type == AZS_REC_SUBTREE)
		rb_erase(&e->subtree_node, &d->subtrees);
	e->state = AZS_ENTRY_IDLE;
	if (e == d->root) {
		WRITE_ONCE(e->type, AZS_REC_PATH);
		return;
	}
	azs_entry_unhash(e);
	if (!e->inode)
		azs_entry_free(e);
	else if (llist_add(&e->reap, &azs_reap_list))
		schedule_work(&azs_reap_work);
}

int azs_entry_init(void)
{
	azs_inode_hash = kvcalloc(1 << AZS_HASH_BITS, sizeof(*azs_inode_hash), GFP_KERNEL);
	if (!azs_inode_hash)
		return -ENOMEM;
	azs_entry_cache = kmem_cache_create("azs_entry", azs_entry_size(AZS_INLINE_PATH), 0,
					    SLAB_HWCACHE_ALIGN, NULL);
	if (!azs_entry_cache) {
		kvfree(azs_inode_hash);
		return -ENOMEM;
	}
	return 0;
}

void azs_entry_exit(void)
{
	flush_work(&azs_reap_work);
	rcu_barrier();
	kmem_cache_destroy(azs_entry_cache);
	kvfree(azs_inode_hash);
}
