/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The dirty set of a mapping: relative paths that may differ from the cloud.
 *
 * An entry is PENDING (in the set), OUT (the uploader has it) or a WRITER (was
 * handed out while open for writing: outside of `pending` until an event, the
 * time or a flush brings it back). A path has at most one entry: an event that
 * meets an OUT one marks it changed, and DONE makes it PENDING again.
 *
 * The functions are in five files: entry.c (one entry: memory, inode, fast
 * path), tree.c (the order of paths), dirty.c (what goes in: events, folding),
 * ready.c (when) and handout.c (what goes out: open, done, flush).
 */
#ifndef AZS_DIRTY_H
#define AZS_DIRTY_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "uapi/azure_storage.h"

struct azs_entry;
struct azs_mapping;

/* Entries that may be out at a time, of one mapping. */
#define AZS_MAX_OUT		4096
/* Bytes of entries and paths, of all mappings. */
#define AZS_MAX_BYTES		(64ULL << 20)
/* Entries that one event may fold. */
#define AZS_FOLD_BATCH		64

struct azs_dirty {
	spinlock_t lock;
	/* All below: [lock], counts read with READ_ONCE without it. */
	bool up;			/* takes entries; false: drops them */
	struct rb_root by_path;		/* all entries */
	struct rb_root subtrees;	/* SUBTREEs, PENDING or OUT */
	struct rb_root_cached by_seq;	/* PENDING and OUT: oldest change first */
	struct rb_root_cached writers;	/* WRITER */
	struct rb_root_cached by_time;	/* not ready: when to look again */
	struct rb_root_cached ready;	/* oldest change first */
	u64 seq;			/* last number given */
	u32 dir_moves;			/* directories renamed away so far */
	u64 flush_seq;			/* up to here settle is waived */
	u64 flushed_told;		/* last value that pollers were told */
	u64 owed;			/* oldest change that a stop has dropped; 0: none */
	unsigned int nr_pending;
	unsigned int nr_out;
	unsigned int nr_writers;
	struct azs_entry *root;		/* for the path "": folding never fails */
	struct delayed_work timer;	/* next time something may become ready */
};

/* Flags of azs_dirty_add(). */
#define AZS_DIRTY_CONTENT	(1u << 0)	/* hash, do not trust stat */
#define AZS_DIRTY_SUBTREE	(1u << 1)	/* the path and all below */
#define AZS_DIRTY_CLOSED	(1u << 2)	/* by a close: look for writers soon */
#define AZS_DIRTY_GONE		(1u << 3)	/* the name went; its inode may have others */

int azs_dirty_init(void);
void azs_dirty_exit(void);

/* ---- life of a set; process context, may sleep ---- */

/* Once, before anything else. */
void azs_dirty_setup(struct azs_dirty *d);
/* The root becomes one SUBTREE entry only by azs_dirty_add() after the mapping is watched. */
int azs_dirty_start(struct azs_mapping *m);
/* No further entry; what is not out is dropped. OUT ones stay until done. What was not done
 * is not flushed before the first look at the whole folder after the next start. */
void azs_dirty_stop(struct azs_mapping *m);
/* Drops what is still out; at return no entry holds an inode of the filesystem. */
void azs_dirty_free(struct azs_mapping *m);

/* ---- producers: watch.c and AZS_IOC_MARK ---- */

/* Where an event happened: what is known of one path in one mapping. */
struct azs_event {
	const char *path;	/* relative, not NUL-terminated; len 0: the root */
	size_t len;
	struct inode *inode;	/* a regular file's, or NULL */
	u64 gen;		/* azs_generation before the path was built; 0: none */
	unsigned int covers;	/* mappings that cover the place */
	unsigned int flags;	/* AZS_DIRTY_* */
};

/*
 * azs_dirty_event - a path may differ
 * Never fails but for a generation that has passed: -EAGAIN, the path must be
 * built again. What cannot be kept is folded. May sleep to allocate, GFP_NOFS; does not
 * wait for the uploader.
 */
int azs_dirty_event(struct azs_mapping *m, const struct azs_event *ev);

/* The same for a caller that knows no inode. @path as in struct azs_event. */
void azs_dirty_add(struct azs_mapping *m, const char *path, size_t len, unsigned int flags);

/* An inode whose path is not known may differ in content. */
void azs_dirty_add_inode(struct azs_mapping *m, u64 ino, u64 generation);

/*
 * azs_dirty_moved - a path was renamed away
 * Adds it, forgets which inode it had and invalidates every path that was built
 * before, in one step. Returns true if what is at its new place must be hashed:
 * a change that was not uploaded yet may have moved with it.
 */
bool azs_dirty_moved(struct azs_mapping *m, const char *path, size_t len, bool is_dir);

/* Its content changed, under a name that is not known or is one of several: whoever has
 * any of them out must learn of it. */
void azs_dirty_note_inode(struct inode *inode);

/* The last name of an inode is gone: let it go so that its blocks are freed. */
void azs_dirty_forget_inode(struct inode *inode);

/* ---- consumers: chardev.c and file.c; m is live or draining; may sleep ---- */

/* True if azs_dirty_take() would return an entry now; if not, the reader will
 * be woken when that changes. */
bool azs_dirty_is_ready(struct azs_mapping *m);

/* The oldest ready entry, now OUT, described in @rec; its path is copied to
 * @path (AZS_PATH_MAX bytes). 0, or -ENOENT if none is ready. */
int azs_dirty_take(struct azs_mapping *m, struct azs_rec_entry *rec, char *path);

/* Gives back what azs_dirty_take() gave: it was not delivered. */
void azs_dirty_untake(struct azs_mapping *m, u64 entry);

/*
 * azs_dirty_open - may this file be opened for @entry, and under which number?
 * @entry: in: the entry that is out; out: the PATH entry that stands for the file
 * @path: not NUL-terminated
 * @inode: of the file that was looked up
 * @out_flags: AZS_OPEN_WRITER
 * 0; -EAGAIN: not ready, pending now; -EBUSY: out under another entry;
 * -ESTALE: the entry is not out; -EINVAL: the path is not the entry's nor
 * below it; -ENOBUFS: AZS_MAX_OUT are out.
 */
int azs_dirty_open(struct azs_mapping *m, u64 *entry, const char *path, size_t len,
		   struct inode *inode, u32 *out_flags);
/* The file of a successful azs_dirty_open() could not be opened or its
 * descriptor not delivered: @entry is pending again. */
void azs_dirty_open_failed(struct azs_mapping *m, u64 entry);

/* By number only, of all mappings. -ENOENT: not out. */
int azs_dirty_stable(u64 entry, u32 *out_flags);
int azs_dirty_done(const struct azs_done_item *item);

/* The reader has gone: everything OUT goes back. Allocates nothing. */
void azs_dirty_putback(struct azs_mapping *m);

/* ---- figures and the barrier ---- */
u64 azs_dirty_flush(struct azs_mapping *m);	/* returns the number taken */
u64 azs_dirty_flushed(struct azs_mapping *m);	/* everything up to here is done */
u64 azs_dirty_oldest_ms(struct azs_mapping *m);	/* 0 if nothing is pending */
bool azs_dirty_is_scanning(struct azs_mapping *m); /* the whole folder is due */

/* ---- fast path of watch.c, under rcu_read_lock(); take no lock ---- */

/*
 * Bumped, with the locks of the sets concerned held, by every rename that a mapping
 * sees and by every change of the list of mappings. A path that was built under
 * another generation may not be trusted.
 */
extern atomic64_t azs_generation;

/*
 * azs_dirty_is_known - does this event tell nothing new?
 * @content: of its data; @closed: a close. Counts the event if so.
 */
bool azs_dirty_is_known(struct inode *inode, bool content, bool closed);
/* The same for the mapping as a whole: its root is pending, and nothing is out whose
 * reader must learn of the event. Does not count. */
bool azs_dirty_is_root_known(struct azs_mapping *m, bool content);

#endif /* AZS_DIRTY_H */
