/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Where the files of a mapping come from: the kernel's device, or a plain directory. The engine
 * reaches files only through this table. Paths are relative byte strings ending in a NUL that the
 * length does not count; the root is "". No symbolic link is followed and no mount is crossed.
 *
 * Every function may be called from any thread; a scan belongs to one at a time.
 */
#ifndef ENGINE_SOURCE_H
#define ENGINE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/kdev.h"

struct source;
struct source_scan;

struct source_ops {
	/* As kdev_file_open(); may sleep long. */
	int (*open)(struct source *s, uint64_t entry, const char *path, size_t len,
		    struct kdev_file *out, struct error *e);
	/* Closes what open() gave, whatever became of it. */
	void (*close)(struct source *s, struct kdev_file *file);
	int (*stat)(struct source *s, const char *path, size_t len, struct kdev_stat *out,
		    struct error *e);
	ssize_t (*readlink)(struct source *s, const char *path, size_t len, char *buf,
			    size_t size, struct error *e);
	/* Whether what was read since open() is what the file held at one moment. */
	int (*stable)(struct source *s, const struct kdev_file *file, bool *quiet,
		      struct error *e);
	int (*scan_open)(struct source *s, struct source_scan **out, const char *path,
			 size_t len, struct error *e);
	/* 1: *d was filled in; 0: no more; negative: the scan is incomplete. */
	int (*scan_next)(struct source_scan *scan, struct kdev_dirent *d, struct error *e);
	void (*scan_close)(struct source_scan *scan);
	int (*done)(struct source *s, const struct kdev_done_item *items, size_t nr,
		    struct error *e);
	int (*mark)(struct source *s, const char *path, size_t len, uint32_t flags,
		    struct error *e);
	int (*report)(struct source *s, const struct kdev_report *r, struct error *e);
	void (*free)(struct source *s);
};

struct source {
	const struct source_ops *ops;
	struct kdev_mref mref;		/* {0, 0} for a directory */
};

/* A mapping of the device. `kdev` must outlive it. NULL: no memory. */
struct source *source_kdev_create(struct kdev *kdev, struct kdev_mref mref);

/*
 * A directory, read once: there are no entries but those the engine makes up, and done(), mark()
 * and report() have nobody to tell.
 */
int source_dir_create(struct source **out, const char *path, struct error *e)
	__attribute__((warn_unused_result));

struct source_dir_identity {
	uint8_t fs_uuid[16];		/* derived from the filesystem's id */
	uint64_t root_ino;
	int64_t root_btime_ns;
};
void source_dir_identity(struct source *s, struct source_dir_identity *out);

#endif /* ENGINE_SOURCE_H */
