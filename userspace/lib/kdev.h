/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * /dev/azure_storage as the uploader sees it: types of our own, every record checked.
 *
 * Functions return 0 or a negative errno and leave a sentence in `e`, which may be NULL.
 * All may be called from any thread at any time, but that a batch and a scan belong to
 * one thread each. Paths are relative to the mapping's root, byte strings with a length,
 * without a NUL; the root itself is empty.
 */
#ifndef LIB_KDEV_H
#define LIB_KDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/error.h"

#define KDEV_PATH		"/dev/azure_storage"
#define KDEV_MAX_EXCLUDED	8	/* directories */
#define KDEV_MAX_DONE		1024	/* items in one kdev_done() */
#define KDEV_MAX_ATTRS		64	/* of one mapping */
#define KDEV_PATH_MAX		4095	/* bytes of a path */
#define KDEV_ERROR_MAX		1023	/* bytes of kdev_report.error; more are cut */

struct kdev;

/* A mapping, and which time of its being enabled; an older one answers -ESTALE. */
struct kdev_mref {
	uint32_t id;
	uint32_t generation;
};

struct kdev_version {
	uint32_t abi;			/* the version spoken */
	uint64_t features;		/* granted */
	char module[32];		/* of the module, printable */
};

/*
 * Opens `path` (NULL: KDEV_PATH) and says HELLO. Events below the directories named by the descriptors of
 * `excluded` never come. -ENOENT: the module is not loaded; -EBUSY: another uploader
 * runs; -EPROTO: module and uploader do not fit.
 */
int kdev_open(struct kdev **out, const char *path, const int *excluded, size_t nr_excluded,
	      struct error *e);
/* Gives back all that is out. No other thread may be inside. */
void kdev_close(struct kdev *k);
/* To poll(2) for POLLIN; non-blocking. Belongs to `k`. */
int kdev_fd(const struct kdev *k);
const struct kdev_version *kdev_version(const struct kdev *k);

/* ------------------------------------------------------------------- records */

enum kdev_record_type {
	KDEV_MAPPING_UP,
	KDEV_MAPPING_DOWN,
	KDEV_ENTRY_PATH,		/* one path */
	KDEV_ENTRY_SUBTREE,		/* a path and all below it */
	KDEV_ENTRY_INODE,		/* an inode, its path not known */
};

#define KDEV_CONTENT	(1u << 0)	/* compare by hash, not by stat */
#define KDEV_LAGGED	(1u << 1)	/* may be read while open for writing */
#define KDEV_RETRY	(1u << 2)	/* was out before */

struct kdev_attr {
	const char *name;
	const char *value;		/* "": the default that is nothing */
};

/* Strings belong to the batch and live until the next kdev_read() into it. */
struct kdev_record {
	enum kdev_record_type type;
	struct kdev_mref mapping;
	union {
		struct {
			uint8_t fs_uuid[16];	/* zeroes where there is none */
			uint64_t root_ino;
			int64_t root_btime_sec;	/* 0 where not kept */
			uint32_t root_btime_nsec;
			uint32_t fs_magic;
			uint64_t tick_ns;	/* granularity of file times */
			const struct kdev_attr *attrs;	/* "name" is one of them */
			size_t nr_attrs;
		} up;
		struct {
			uint64_t entry;		/* for DONE; never used again */
			uint64_t seq;
			uint64_t age_ms;
			uint64_t ino;		/* KDEV_ENTRY_INODE; else 0 */
			uint64_t generation;
			uint32_t flags;		/* KDEV_CONTENT, .. */
			const char *path;	/* with a NUL behind it */
			size_t path_len;
		} entry;
	};
};

/* The value of an attribute of a MAPPING_UP record, or NULL. */
const char *kdev_record_attr(const struct kdev_record *r, const char *name);

struct kdev_batch {
	unsigned char *data;
	size_t size;			/* bytes allocated */
	size_t len;			/* bytes read */
	size_t pos;			/* of the next record */
	struct kdev_attr attrs[KDEV_MAX_ATTRS];
};

/* -ENOMEM; `data` is then NULL. */
int kdev_batch_init(struct kdev_batch *b);
void kdev_batch_free(struct kdev_batch *b);

/*
 * Reads what is ready. -EAGAIN: nothing is (poll kdev_fd()).
 */
int kdev_read(struct kdev *k, struct kdev_batch *b, struct error *e);

/*
 * The next record of the batch: 1, or 0 when there is none left. Records of unknown type
 * are passed over. -EBADMSG: the bytes break the protocol; nothing after them can be
 * trusted, and closing the device is the way to get back what they stood for.
 */
int kdev_batch_next(struct kdev_batch *b, struct kdev_record *r, struct error *e);

/* --------------------------------------------------------------------- files */

struct kdev_stat {
	uint32_t mode;			/* type and permissions */
	uint32_t nlink;
	uint32_t uid;			/* of the initial user namespace */
	uint32_t gid;
	uint64_t ino;
	uint64_t generation;		/* 0 where not kept */
	uint64_t subvol;		/* btrfs; else 0 */
	uint64_t dev;			/* st_dev */
	uint64_t size;			/* bytes */
	uint64_t allocated;		/* bytes */
	int64_t mtime_ns;		/* since 1970 */
	int64_t ctime_ns;
	bool writer;			/* open for writing */
	bool mountpoint;		/* something is mounted here */
	bool subvolume;			/* root of a btrfs subvolume */
};

struct kdev_file {
	int fd;				/* read-only, O_CLOEXEC; the caller closes it */
	uint64_t entry;			/* stands for this file: for STABLE and DONE */
	bool writer;			/* one was there: what is read is not quiet */
	struct kdev_stat st;		/* at the time of opening */
};

/*
 * A regular file for an entry that is out. May sleep long (permission listeners): not
 * for an event loop. -EAGAIN: not ready, will be handed out by itself. -EBUSY: out under
 * another entry. -ENOENT, -ENOTDIR, -ELOOP, -EXDEV, -EISDIR, -EINVAL: no such regular
 * file. -ESTALE: mapping or entry is gone.
 */
int kdev_file_open(struct kdev *k, struct kdev_mref m, uint64_t entry, const char *path,
		   size_t path_len, struct kdev_file *out, struct error *e);

/* Without following a symbolic link. */
int kdev_stat(struct kdev *k, struct kdev_mref m, const char *path, size_t path_len,
	      struct kdev_stat *out, struct error *e);

/* The target into buf, with a NUL; its length. -ENAMETOOLONG if it does not fit. */
ssize_t kdev_readlink(struct kdev *k, struct kdev_mref m, const char *path, size_t path_len,
		      char *buf, size_t size, struct error *e);

struct kdev_dirent {
	const char *name;		/* until the next call; with a NUL behind it */
	size_t name_len;
	struct kdev_stat st;
};

struct kdev_scan;

/* The first call into the kernel is made by kdev_scan_open(): -ENOENT, -ENOTDIR, .. */
int kdev_scan_open(struct kdev_scan **out, struct kdev *k, struct kdev_mref m,
		   const char *path, size_t path_len, struct error *e);
/* 1: *d was filled in; 0: the directory has no more; negative: the scan is incomplete. */
int kdev_scan_next(struct kdev_scan *s, struct kdev_dirent *d, struct error *e);
/* At any point; NULL is fine. */
void kdev_scan_close(struct kdev_scan *s);

/* ------------------------------------------------------------------ verdicts */

/* Whether all that was read since kdev_file_open() is what the file held at one moment. */
int kdev_stable(struct kdev *k, uint64_t entry, bool *quiet, struct error *e);

enum kdev_result {
	KDEV_OK,			/* the state row is durable */
	KDEV_AGAIN,			/* back to the set, not before delay_ms */
	KDEV_PARKED,			/* failed; the uploader will come back to it */
};

#define KDEV_DID_UPLOAD	(1u << 0)	/* which counter it adds to */
#define KDEV_DID_COPY	(1u << 1)
#define KDEV_DID_DELETE	(1u << 2)
#define KDEV_DID_SKIP	(1u << 3)
#define KDEV_UNQUIET	(1u << 4)	/* uploaded while it changed */

struct kdev_done_item {
	uint64_t entry;
	enum kdev_result result;
	uint32_t flags;			/* KDEV_DID_*, KDEV_UNQUIET */
	uint64_t bytes;			/* uploaded */
	uint32_t delay_ms;		/* with KDEV_AGAIN */
};

/* Any number of items; unknown entries are passed over. */
int kdev_done(struct kdev *k, const struct kdev_done_item *items, size_t nr, struct error *e);

#define KDEV_MARK_CONTENT	(1u << 0)
#define KDEV_MARK_SUBTREE	(1u << 1)

/* Dirty again, as by an event. */
int kdev_mark(struct kdev *k, struct kdev_mref m, const char *path, size_t path_len,
	      uint32_t flags, struct error *e);

struct kdev_report {
	bool blocked;			/* the target refuses */
	const char *error;		/* a sentence; "": clear it; NULL: as it was */
	uint64_t backlog_files;		/* gauges */
	uint64_t backlog_bytes;
	uint64_t failed;
	uint64_t deletes_held;
	int64_t last_success_s;		/* since 1970; 0: never */
	uint64_t requests;		/* added to the module's counters */
	uint64_t retries;
	uint64_t drifted;
	uint64_t copied_blobs;		/* beside those of kdev_done() */
	uint64_t deleted_blobs;
	uint64_t skipped;
};

int kdev_report(struct kdev *k, struct kdev_mref m, const struct kdev_report *r,
		struct error *e);

#endif /* LIB_KDEV_H */
