/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A mapping: one folder, one place in the cloud.
 *
 * Lifetime: made by mkdir in configfs, freed by the release of its class
 * device, which is its only reference count (azs_mapping_get/put). While it is
 * enabled it pins its root, and configfs_depend_item_unlocked() makes rmdir
 * answer EBUSY.
 *
 * Locks, outermost first:
 *   azs_mappings_lock (mutex)   the list of live mappings, target overlaps
 *   m->lock (mutex)             attributes, state changes, last_error
 *   sbm->lock, dirty->lock      (spinlocks, watch.c and dirty.c) never held
 *                               while sleeping; the fast path takes neither
 */
#ifndef AZS_MAPPING_H
#define AZS_MAPPING_H

#include <linux/configfs.h>
#include <linux/cred.h>
#include <linux/device.h>
#include <linux/mutex.h>
#include <linux/path.h>
#include <linux/workqueue.h>

#include "attrs.h"
#include "dirty.h"
#include "stats.h"
#include "uapi/azure_storage.h"

#define AZS_MAX_MAPPINGS	256
#define AZS_NAME_MAX		63
#define AZS_DRAIN_MS		5000

struct azs_watch_sb;

/* Where a mapping stands; what sysfs calls `state` is derived from it. */
enum azs_phase {
	AZS_DISABLED,
	AZS_LIVE,
	AZS_DRAINING,
};

struct azs_mapping {
	struct device dev;
	struct config_item *item;	/* of configfs, while it exists */
	u32 id;
	char name[AZS_NAME_MAX + 1];

	struct mutex lock;
	char *attr[AZS_NR_ATTRS];	/* [lock] text, NULL: default; fixed while live */
	char *last_error;		/* [lock] of configuration; NULL: none */

	enum azs_phase phase;		/* [lock] written; READ_ONCE without */
	u32 generation;			/* [lock] written; counts the enables */

	/* Valid from enable until the drain has ended. */
	struct path root;
	struct path fs_root;		/* where `path` was looked up from */
	const struct cred *cred;	/* of the one who enabled it */
	u32 settle_ms;
	u32 max_lag_ms;
	u32 max_pending;

	/* watch.c */
	struct azs_watch_sb *watch;
	struct hlist_node watch_node;	/* RCU, by root dentry */
	struct list_head watch_list;	/* SRCU, of the filesystem */

	struct azs_dirty dirty;		/* dirty.c */

	/* Live and draining mappings, for chardev.c. */
	struct list_head live;		/* [azs_mappings_lock] */
	bool announced;			/* [chardev] MAPPING_UP was read */
	struct delayed_work drain;
	unsigned long drain_deadline;	/* jiffies */
	unsigned int users;		/* [azs_mappings_lock] calls at work: the root stays */

	bool root_lost;			/* unlinked, moved or over-mounted */
	bool blocked;			/* as the uploader reported */
	struct azs_stats stats;		/* stats.c */
};

static inline struct azs_mapping *azs_mapping_of_dev(struct device *dev)
{
	return container_of(dev, struct azs_mapping, dev);
}

static inline void azs_mapping_get(struct azs_mapping *m)
{
	get_device(&m->dev);
}

static inline void azs_mapping_put(struct azs_mapping *m)
{
	put_device(&m->dev);
}

extern struct mutex azs_mappings_lock;
extern struct list_head azs_mappings_live;	/* [azs_mappings_lock] */

struct azs_mapping *azs_mapping_create(const char *name);
void azs_mapping_destroy(struct azs_mapping *m);
int azs_mapping_enable(struct azs_mapping *m);
int azs_mapping_disable(struct azs_mapping *m);
int azs_mapping_root_check(struct azs_mapping *m);
const char *azs_mapping_state(struct azs_mapping *m);
void azs_mapping_state_changed(struct azs_mapping *m);
void azs_mapping_drained(struct azs_mapping *m);

int azs_mapping_init(void);
void azs_mapping_exit(void);

__printf(3, 4)
void azs_mapping_error(struct azs_mapping *m, const char *attr, const char *fmt, ...);

#endif /* AZS_MAPPING_H */
