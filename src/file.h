/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * OPEN, SCAN, STAT, READLINK: confined below a mapping's root, under the
 * credentials of the one who enabled it.
 *
 * The mapping is in use (azs_mapping_use). The structures are kernel copies, the
 * pointers within them user addresses. Each call may sleep, also for as long as
 * a fanotify permission listener likes.
 */
#ifndef AZS_FILE_H
#define AZS_FILE_H

#include <linux/path.h>
#include <linux/types.h>

#include "uapi/azure_storage.h"

struct azs_mapping;
struct azs_scans;	/* directory scans of one open device */
struct file;

struct azs_scans *azs_scans_alloc(void);
/* When no call is left. */
void azs_scans_free(struct azs_scans *s);
/* Ends the scans of a mapping that goes down; one that is at work when it returns. */
void azs_scans_drop_mapping(struct azs_scans *s, struct azs_mapping *m);

/*
 * azs_path_get - a relative path from userspace, checked
 * @empty_ok: "" stands for the root
 * NUL-terminated, to be freed with kfree(). ERR_PTR: -EINVAL for what is absolute
 * or has empty components, `.`, `..` or a NUL, -ENAMETOOLONG, -EFAULT, -ENOMEM.
 */
char *azs_path_get(u64 upath, u32 len, bool empty_ok);

/* The file is the caller's: to install, or else fput() and azs_dirty_open_failed(). */
int azs_file_open(struct azs_mapping *m, struct azs_open *req, struct file **filp);
int azs_file_scan(struct azs_scans *s, struct azs_mapping *m, struct azs_scan *req);
int azs_file_stat(struct azs_mapping *m, struct azs_stat_req *req);
int azs_file_readlink(struct azs_mapping *m, struct azs_readlink *req);

/* ---- shared by file.c and scan.c ---- */

/*
 * azs_lookup - what is at a path below the root, no link followed, no mount crossed
 * Where something is mounted, @out is what it covers and *@mounted is set. Under the
 * mapping's credentials. path_put() it. Negative errno.
 */
int azs_lookup(struct azs_mapping *m, const char *path, struct path *out, bool *mounted);
/* The same for one name of a directory that was looked up so. */
int azs_lookup_one(const struct path *dir, const char *name, struct path *out, bool *mounted);
/* Describes @path; under the mapping's credentials. */
int azs_stat_fill(const struct path *path, bool mounted, struct azs_stat *st);

#endif /* AZS_FILE_H */
