/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The dirty set of a mapping: relative paths that may differ from the cloud.
 *
 * An entry is PENDING (in the set), OUT (the uploader has it) or a WRITER (was
 * handed out while open for writing: outside of `pending` until an event or a
 * flush brings it back). At most one entry of a path is PENDING or WRITER, and
 * at most one is OUT; an event that meets an OUT one marks it changed, and
 * DONE makes it PENDING again.
 */
#ifndef AZS_DIRTY_H
#define AZS_DIRTY_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "uapi/azure_storage.h"

struct azs_entry;
struct azs_mapping;

struct azs_dirty {
	spinlock_t lock;
	bool up;			/* takes entries; false: drops them */
	struct rb_root by_path;		/* PENDING and WRITER */
	struct rb_root subtrees;	/* PENDING SUBTREEs; none below another */
	struct rb_root_cached by_seq;	/* PENDING and OUT: oldest change first */
	struct rb_root_cached by_time;	/* PENDING, not ready: when to look again */
	struct rb_root_cached ready;	/* PENDING and ready, oldest change first */
	struct list_head out;
	struct list_head writers;
	u64 seq;			/* last number given */
	u64 flush_seq;			/* up to here settle is waived */
	u64 flushed_shown;		/* last value told to pollers */
	unsigned int nr_pending;
	unsigned int nr_out;
	unsigned int nr_writers;
	u64 first_scan_seq;		/* of the scan that enable began; 0: done */
	struct azs_entry *root;		/* preallocated: folding never fails */
};

/* Flags of azs_dirty_add(); the values are internal. */
#define AZS_DIRTY_CONTENT	(1u << 0)	/* hash, do not trust stat */
#define AZS_DIRTY_SUBTREE	(1u << 1)	/* the path and all below */
#define AZS_DIRTY_CLOSED	(1u << 2)	/* by a close: look for writers again soon */

int azs_dirty_init(void);
void azs_dirty_exit(void);

/* ---- life of a set; process context, may sleep ---- */
int azs_dirty_start(struct azs_mapping *m);
void azs_dirty_stop(struct azs_mapping *m);
void azs_dirty_free(struct azs_mapping *m);

/*
 * azs_dirty_add - a path may differ
 * @path: relative to the root, NUL-terminated, "" for the root
 * @inode: of a regular file whose later events may take the fast path; or NULL
 * Never fails: what cannot be kept is folded. Process context; does not wait for
 * the uploader.
 */
void azs_dirty_add(struct azs_mapping *m, const char *path, size_t len,
		   struct inode *inode, unsigned int flags);

/* ---- for chardev.c; process context, m is live or draining ---- */

/* True if azs_dirty_take() would return an entry now. */
bool azs_dirty_is_ready(struct azs_mapping *m);

/* The oldest ready entry, now OUT, described in @rec; its path is copied to
 * @path (AZS_PATH_MAX bytes). 0, or -ENOENT if none is ready. */
int azs_dirty_take(struct azs_mapping *m, struct azs_rec_entry *rec, char *path);

/* Gives back what azs_dirty_take() gave: it was not delivered. */
void azs_dirty_untake(struct azs_mapping *m, u64 entry);

/*
 * azs_dirty_open - may this file be opened for @entry, and under which number?
 * @entry: in: the entry that is out; out: the PATH entry that stands for the file
 * @inode: of the file that was looked up
 * @out_flags: AZS_OPEN_WRITER
 * 0; -EAGAIN: not ready, pending now; -EBUSY: out under another entry;
 * -ESTALE: the entry is not out.
 */
int azs_dirty_open(struct azs_mapping *m, u64 *entry, const char *path, size_t len,
		   struct inode *inode, u32 *out_flags);
/* The file of a successful azs_dirty_open() could not be opened after all
 * (a lease, say): the entry is pending again if it was made by that call. */
void azs_dirty_open_failed(struct azs_mapping *m, u64 led_by, u64 entry);

/* By number only: OUT entries of all mappings. -ENOENT: not known. */
int azs_dirty_stable(u64 entry, u32 *out_flags);
int azs_dirty_done(const struct azs_done_item *item);

/* The reader has gone: everything OUT goes back. Allocates nothing. */
void azs_dirty_putback(struct azs_mapping *m);

/* ---- figures and the barrier ---- */
u64 azs_dirty_flush(struct azs_mapping *m);	/* returns the number taken */
u64 azs_dirty_flushed(struct azs_mapping *m);
u64 azs_dirty_oldest_ms(struct azs_mapping *m);

/* ---- fast path of watch.c ---- */

/*
 * azs_dirty_is_known - does this event tell nothing new?
 * @content: it is a content event
 * Under rcu_read_lock(), in the write path of every process: takes no lock.
 * @gen is the generation of renames, read by the caller before.
 */
bool azs_dirty_is_known(struct inode *inode, u64 gen, bool content);

#endif /* AZS_DIRTY_H */
