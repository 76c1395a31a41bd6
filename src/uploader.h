/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The open device: what chardev.c (open, read, poll, close) and ioctl.c share.
 *
 * ioctls come from several threads at a time; read(2) and HELLO are one at a
 * time. The structure lives from open to release, which come when no call is
 * left.
 */
#ifndef AZS_UPLOADER_H
#define AZS_UPLOADER_H

#include <linux/fs.h>
#include <linux/mutex.h>

#include "uapi/azure_storage.h"

struct azs_mapping;
struct azs_scans;

struct azs_uploader {
	struct mutex lock;		/* read, HELLO */
	u32 version;			/* [lock] written once, with release; 0: no HELLO yet */
	struct azs_scans *scans;
	u32 cursor;			/* [lock] id of the mapping served last */
	char *record;			/* [lock] AZS_RECORD_MAX bytes */
	char *path;			/* [lock] AZS_PATH_MAX bytes */
};

static inline bool azs_uploader_is_greeted(struct azs_uploader *u)
{
	return smp_load_acquire(&u->version);
}

/*
 * azs_mapping_use - a mapping to work on, live or draining
 * Until azs_mapping_unuse() its root, credentials and attributes stay, and its
 * drain does not end. -ESTALE: gone, of another generation, or its drain is over time.
 */
struct azs_mapping *azs_mapping_use(const struct azs_mref *ref);
/* The one with the smallest id above @after, whatever its state; or NULL. */
struct azs_mapping *azs_mapping_use_next(u32 after);
void azs_mapping_unuse(struct azs_mapping *m);

/* The same for one of the list. [azs_mappings_lock] */
struct azs_mapping *azs_mapping_use_locked(struct azs_mapping *m);

/*
 * Was MAPPING_UP read, and no MAPPING_DOWN since? Nothing is noted if @m went down and
 * came up again meanwhile: then it is to be told anew.
 */
void azs_set_announced(struct azs_mapping *m, u32 generation, bool announced);

/* Would azs_read_records() return some? May sleep. */
bool azs_read_is_ready(void);
/*
 * azs_read_records - as many whole records as are there and fit
 * @count: AZS_READ_MIN or more. Under u->lock. Bytes, 0 if there is none (or a signal), -EFAULT.
 */
ssize_t azs_read_records(struct azs_uploader *u, char __user *buf, size_t count);

/* HELLO was accepted: from here on the uploader is connected. Under u->lock. */
void azs_uploader_connect(struct azs_uploader *u, u32 version);

long azs_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif /* AZS_UPLOADER_H */
