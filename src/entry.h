/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One entry of a dirty set; shared by entry.c, tree.c, dirty.c, ready.c and handout.c only.
 *
 * Locks: [set] m->dirty.lock; [hash] azs_entry_hash_lock, taken inside it. Two
 * sets are never locked at once. An entry is freed after a grace period of RCU, so
 * that the fast path and the look-up by number may meet one that has just left.
 *
 * The fast path pairs with the hand-out as in the classic store-buffer test:
 *
 *	writer				hand-out, uploader
 *	store data			known = 0, state = OUT, nr_out++
 *	smp_mb()	(watch.c)	smp_mb()	(azs_entry_hand_out)
 *	load known			load data
 *
 * Not both may miss the other's store: either the writer sees that its change
 * must be recorded anew, or the uploader reads the data.
 */
#ifndef AZS_ENTRY_H
#define AZS_ENTRY_H

#include "dirty.h"
#include "mapping.h"

enum azs_entry_state {
	AZS_ENTRY_IDLE,		/* only d->root: in no tree */
	AZS_ENTRY_PENDING,
	AZS_ENTRY_OUT,
	AZS_ENTRY_WRITER,
};

enum azs_entry_queue {
	AZS_QUEUE_NONE,
	AZS_QUEUE_TIME,
	AZS_QUEUE_READY,
};

/* Bits of e->known: which events need not be recorded any more. */
#define AZS_KNOWN_ANY		1
#define AZS_KNOWN_CONTENT	2

static inline u8 azs_known_bits(bool content)
{
	return content ? AZS_KNOWN_ANY | AZS_KNOWN_CONTENT : AZS_KNOWN_ANY;
}

struct azs_entry {
	/* What the fast path reads, in one cache line. */
	struct hlist_node hash_node;	/* [hash], RCU: by inode */
	struct inode *inode;		/* [set] changed while unhashed; held */
	struct azs_mapping *m;		/* fixed */
	u64 gen;			/* [set] azs_generation of the path */
	unsigned long last_event;	/* jiffies; written without a lock */
	u16 covers;			/* [set] mappings that cover the place */
	u8 known;			/* [set] written; AZS_KNOWN_* */
	u8 closed;			/* a close was seen; set without a lock */
	u8 waits_writer;		/* [set] written; only a close may wake it */

	u8 state;			/* [set] enum azs_entry_state */
	u8 queue;			/* [set] enum azs_entry_queue */
	u8 type;			/* [set] AZS_REC_PATH, _SUBTREE, _INODE */
	u8 content:1;			/* [set] AZS_ENTRY_CONTENT */
	u8 retry:1;
	u8 lagged:1;			/* handed out as AZS_ENTRY_LAGGED */
	u8 unquiet:1;			/* a writer was there when it was opened */
	u8 changed:1;			/* OUT: an event came */
	u8 changed_content:1;		/* OUT: .. of the content */
	u8 changed_subtree:1;		/* OUT: .. that concerns all below */
	u8 backoff;			/* [set] doublings of the next look for writers */
	u8 rehash;			/* [set] doublings of the time as a WRITER */
	u16 path_len;

	struct rb_node path_node;
	struct rb_node seq_node;
	struct rb_node queue_node;
	struct rb_node subtree_node;	/* type SUBTREE */
	struct hlist_node id_node;	/* [hash], RCU: OUT, by id */
	u64 id;				/* of this hand-out */
	u32 dir_moves;			/* of the set, at this hand-out */
	u64 seq;
	u64 changed_seq;
	unsigned long since;		/* jiffies: became dirty */
	unsigned long changed_since;
	unsigned long not_before;	/* jiffies; 0: no delay */
	unsigned long check_at;		/* jiffies: key of by_time */
	struct rcu_head rcu;
	struct llist_node reap;
	char path[];			/* NUL-terminated */
};

int azs_entry_init(void);
void azs_entry_exit(void);

/* ---- entry.c ---- */
/* NULL without memory, and for a path that is too long. May sleep, GFP_NOFS. */
struct azs_entry *azs_entry_alloc(struct azs_mapping *m, const char *path, size_t len);
/* Takes it out of every tree and frees it, or makes the root's entry idle. [set] */
void azs_entry_remove(struct azs_entry *e);
/* Frees one that never was in a tree. Any context. */
void azs_entry_free(struct azs_entry *e);
/* Waits until all that was freed before has let go of its inode. Sleeps. */
void azs_entry_flush_reaper(void);
bool azs_entry_is_over_bound(void);

/*
 * Later events of @inode may be recognised as known, unless @gen is 0. Of an inode
 * with one name the other entries of the set let go. [set]
 */
void azs_entry_bind(struct azs_entry *e, struct inode *inode, u64 gen, unsigned int covers);
void azs_entry_unbind(struct azs_entry *e);
/* Those that hold an inode; under RCU. */
struct hlist_head *azs_inode_bucket(const struct inode *inode);
#define azs_entry_for_each_of(e, of) \
	hlist_for_each_entry_rcu(e, azs_inode_bucket(of), hash_node) \
		if (READ_ONCE((e)->inode) != (of)) { } else
/* OUT under a new number: from here on what happens is recorded anew. [set] */
void azs_entry_hand_out(struct azs_entry *e);
/* Its number is known no more. [set] */
void azs_entry_end_out(struct azs_entry *e);
/* Under RCU; check id and state again under the set's lock. */
struct azs_entry *azs_entry_find_out(u64 id);

/* ---- tree.c, all [set] ---- */
int azs_path_cmp(const char *a, size_t alen, const char *b, size_t blen);
bool azs_path_is_below(const char *path, size_t len, const char *dir, size_t dir_len);
struct azs_entry *azs_entry_lookup(struct azs_dirty *d, const char *path, size_t len);
struct azs_entry *azs_entry_first_below(struct azs_dirty *d, const char *dir, size_t len);
struct azs_entry *azs_entry_next(struct azs_entry *e);
struct azs_entry *azs_entry_covering_subtree(struct azs_dirty *d, const char *path, size_t len,
					     bool (*accept)(const struct azs_entry *e));
void azs_entry_link_path(struct azs_dirty *d, struct azs_entry *e);
/* By state: among the writers, or among what is PENDING and OUT. */
void azs_entry_link_seq(struct azs_entry *e);
void azs_entry_unlink_seq(struct azs_entry *e);
/* The first one after (seq, e) in the order of changes; e need not exist any more. */
struct azs_entry *azs_entry_next_seq(struct azs_dirty *d, u64 seq, const struct azs_entry *e);
void azs_entry_set_type(struct azs_entry *e, u8 type);
void azs_entry_enqueue(struct azs_entry *e, enum azs_entry_queue q);

/* ---- dirty.c, [set] ---- */

/* No entry should be added: max_pending, or the module's bound. */
bool azs_dirty_is_full(struct azs_mapping *m);

/* ---- ready.c, all [set] but the last two ---- */

bool azs_entry_has_writer(const struct azs_entry *e);
/* True if settle_ms have passed, or are waived; *at: when they will have (jiffies). */
bool azs_entry_is_settled(const struct azs_entry *e, unsigned long now, unsigned long *at);
/* True if max_lag_ms have passed: neither settle nor writers hold it back. */
bool azs_entry_is_lagging(const struct azs_entry *e, unsigned long now);
/* When may it be handed out? Puts a PENDING one into `ready` or `by_time`. */
void azs_entry_requeue(struct azs_entry *e);
/* Makes it PENDING with the sequence and age it has; in no tree of the order of changes before. */
void azs_entry_make_pending(struct azs_entry *e);
/* The same for WRITER; and from there to PENDING as of now. */
void azs_entry_make_writer(struct azs_entry *e);
void azs_entry_wake_writer(struct azs_entry *e);
/* The oldest entry that is ready at this moment, or NULL. May let go of [set] on the way. */
struct azs_entry *azs_first_ready(struct azs_dirty *d);
/* Tells readers of what has become ready, or arms the timer. Takes [set]. */
void azs_dirty_kick(struct azs_mapping *m);
void azs_dirty_timer(struct work_struct *work);

#endif /* AZS_ENTRY_H */
