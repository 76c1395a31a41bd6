/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the containers are known to hold: one SQLite database.
 *
 * Writes are operations that are queued and committed in groups by one thread, a group with one
 * fsync; an operation is complete when it is durable, or has failed and left nothing. Reads go
 * through a second connection and see what has been committed.
 *
 * Rows belong to a target: (account, container, prefix) and the identity of the mapped root, never
 * a mapping's name or endpoint. Paths are byte strings relative to the root, without a leading or
 * trailing '/'.
 */
#ifndef STATE_STATE_H
#define STATE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define STATE_VERSION		1
#define STATE_ETAG_MAX		64
#define STATE_MD5_BYTES		16
#define STATE_OWNER_BYTES	16

struct state;

/* ------------------------------------------------------------------- content */

enum state_kind {
	STATE_FILE	= 1,
	STATE_DIR	= 2,		/* a directory's marker */
	STATE_SYMLINK	= 3,
};

/* It was uploaded while nothing changed it: the blob is one moment of the file. */
#define STATE_QUIET	(1u << 0)
/* .. and its ctime was old enough that any later change shows in stat(2). */
#define STATE_TRUSTED	(1u << 1)
/* on_delete=keep: the file is gone, the blob is marked and stays. */
#define STATE_KEPT	(1u << 2)

/* One blob of ours and the file it was made from. */
struct state_row {
	enum state_kind kind;
	uint32_t flags;			/* STATE_QUIET, .. */
	uint64_t subvol;
	uint64_t ino;
	uint64_t generation;
	uint64_t size;			/* bytes */
	int64_t mtime_ns;
	int64_t ctime_ns;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	char etag[STATE_ETAG_MAX];
	uint8_t md5[STATE_MD5_BYTES];
};

struct state_target_key {
	const char *account;
	const char *container;
	const char *prefix;
	uint8_t fs_uuid[16];
	uint64_t root_ino;
	int64_t root_btime_ns;
};

struct state_target {
	int64_t id;
	uint8_t owner[STATE_OWNER_BYTES];	/* random; in the metadata of every blob */
	bool created;				/* by this call: there are no rows */
};

/* ----------------------------------------------------------------- life cycle */

struct state_config {
	const char *path;		/* of the database; created 0600 */
	/* Called by the writer when the list of completed operations is no longer empty. */
	void (*notify)(void *arg);
	void *notify_arg;
	unsigned int max_pages;		/* 0: no bound but the disk's (tests) */
};

/* -EPROTO: the database was written by a later version; -EBUSY: another process has it. */
int state_open(struct state **out, const struct state_config *config, struct error *e)
	__attribute__((warn_unused_result));
/* Commits what is queued. Completions not taken are dropped. NULL is fine. */
void state_close(struct state *state);

/* ---------------------------------------------------------------------- writes */

enum state_op_kind {
	STATE_OP_PUT = 1,	/* the row; unparks the path, which is not gone any more */
	STATE_OP_REMOVE,	/* the row is no more, and so is what else was known of the path */
	STATE_OP_PARK,		/* the path has failed: message, code, retry_at_s */
	STATE_OP_UNPARK,
	STATE_OP_GONE,		/* the file of this row is not there any more; see below */
	STATE_OP_GONE_TREE,	/* .. of every row below this path, and of its own */
	STATE_OP_GONE_DROP,	/* `gone` is dealt with, or was wrong */
	STATE_OP_GONE_HOLD,	/* `gone` waits for a person */
	STATE_OP_TARGET,	/* finds or makes a target: see state_target_open() */
};

/*
 * The caller's memory until it is complete; what it points to must stay as well. Of one path,
 * operations are carried out in the order they were submitted.
 */
struct state_op {
	struct state_op *next;
	enum state_op_kind kind;
	int64_t target;
	const char *path;
	size_t path_len;
	struct state_row row;		/* PUT */
	bool blob_deleted;		/* REMOVE: counts against the limit of deletes */
	const char *message;		/* PARK */
	const char *code;		/* PARK: a short word for programs */
	int64_t retry_at_s;		/* PARK; seconds since 1970 */
	int64_t gone;			/* GONE*: out, 0: nothing is; GONE_DROP, GONE_HOLD: in */
	int64_t gone_seen_ms;		/* GONE, GONE_TREE: out: since when that one is */
	int64_t now_ms;			/* GONE, GONE_TREE, REMOVE: since 1970 */
	/* GONE, GONE_TREE: the content had changed: what is found elsewhere is no copy of it. */
	bool distrust;
	uint64_t nr_changed;		/* out: GONE_TREE: rows */
	const struct state_target_key *key;	/* TARGET */
	struct state_target *target_out;	/* TARGET */
	int err;			/* out: 0, -ENOSPC, -EIO, .. */
	void (*done)(struct state_op *op);	/* by whoever took it from the list */
};

/* Never fails at once: see op->err. Any thread. */
void state_submit(struct state *state, struct state_op *op);
/* The completed operations in order, as a list, or NULL. */
struct state_op *state_completed(struct state *state);
/* The sentence that goes with the last failed commit. */
void state_last_error(struct state *state, char *buf, size_t size);

/* Waits for its commit. */
int state_target_open(struct state *state, const struct state_target_key *key,
		      struct state_target *out, struct error *e)
	__attribute__((warn_unused_result));

/* ----------------------------------------------------------------------- reads
 *
 * 1: found; 0: not; or a negative errno. Any thread; they take turns.
 */

int state_get(struct state *state, int64_t target, const char *path, size_t len,
	      struct state_row *row);
int state_is_empty(struct state *state, int64_t target);	/* 1: no rows */
/* Does any row lie below this directory? */
int state_has_below(struct state *state, int64_t target, const char *dir, size_t len);

/* A path of at most `size` - 1 bytes with a NUL behind it. */
struct state_path {
	char text[4096];
	size_t len;
};

/* Is there a row of a file with this inode, in whatever subvolume? 1, 0 or a negative errno. */
int state_has_inode(struct state *state, int64_t target, uint64_t ino, uint64_t generation);

/* The first row of a file, not kept, by its identity, after `after` (len 0: from the start). */
int state_get_inode(struct state *state, int64_t target, uint64_t subvol, uint64_t ino,
		    uint64_t generation, const struct state_path *after, struct state_path *path,
		    struct state_row *row);

/*
 * Names in a directory that have rows, in the order of their bytes, those that are kept left out:
 * the first after `after` (NULL: from the start). `name` has 256 bytes.
 */
int state_next_child(struct state *state, int64_t target, const char *dir, size_t dir_len,
		     const char *after, size_t after_len, char *name, size_t *name_len);
/* The same for sub-directories with rows below them, in the order of their names and a '/'. */
int state_next_subdir(struct state *state, int64_t target, const char *dir, size_t dir_len,
		      const char *after, size_t after_len, char *name, size_t *name_len);

struct state_gone {
	int64_t id;			/* grows; a path that is found gone again gets a new one */
	int64_t seen_ms;		/* found gone; since 1970 */
	struct state_path path;
};
/* The first gone path that is not held and whose id is greater than `after`. */
int state_next_gone(struct state *state, int64_t target, int64_t after, struct state_gone *gone);

struct state_parked {
	int64_t retry_at_s;
	struct state_path path;
};
/*
 * A parked path that is due at or before now_s: the first behind the one in `parked`, in the order of
 * date and path; zeroes begin.
 */
int state_next_parked(struct state *state, int64_t target, int64_t now_s,
		      struct state_parked *parked);

struct state_counts {
	uint64_t parked;
	uint64_t held;
};
int state_count(struct state *state, int64_t target, struct state_counts *counts);
/* Walks all rows of the target: not for every day. */
int state_count_rows(struct state *state, int64_t target, uint64_t *rows);
/* Blobs deleted since then. */
int state_count_deleted(struct state *state, int64_t target, int64_t since_ms, uint64_t *blobs);

#endif /* STATE_STATE_H */
