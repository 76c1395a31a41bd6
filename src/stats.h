/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The figures of a mapping and their files in /sys/class/azure_storage/NAME/.
 * The figures are a leaf; the files ask the other objects and never block.
 */
#ifndef AZS_STATS_H
#define AZS_STATS_H

#include <linux/device.h>
#include <linux/percpu.h>
#include <linux/types.h>

struct azs_mapping;

/* Monotone counters of stats/, in the order of their files. */
enum azs_counter {
	AZS_CNT_RECORDED,		/* events that were news; the file `events` adds the others */
	AZS_CNT_COALESCED,		/* events that found their path dirty already */
	AZS_CNT_EXCLUDED,		/* .. below the uploader's own directories */
	AZS_CNT_UNPLACED,		/* .. that became an INODE record */
	AZS_CNT_FOLDED,			/* entries folded into a SUBTREE */
	AZS_CNT_RESCANS,		/* times the whole folder was handed out */
	AZS_CNT_MOUNTS_SKIPPED,		/* mount points met below the root */
	AZS_CNT_UPLOADED_FILES,
	AZS_CNT_UPLOADED_BYTES,
	AZS_CNT_COPIED_BLOBS,
	AZS_CNT_DELETED_BLOBS,
	AZS_CNT_SKIPPED,
	AZS_CNT_RETRIES,
	AZS_CNT_REQUESTS,
	AZS_CNT_DRIFTED,
	AZS_NR_COUNTERS,
};

struct azs_counters {
	u64 v[AZS_NR_COUNTERS];
};

/* What the uploader last reported, and the counters. */
struct azs_stats {
	struct azs_counters __percpu *counters;
	u64 backlog_files;
	u64 backlog_bytes;
	u64 failed;
	u64 deletes_held;
	s64 last_success_s;
	char *last_error;		/* [m->lock] of the uploader; NULL: none */
	const char *state_told;		/* by uevent; a literal of azs_mapping_state() */
};

/* Any context, also the write path: one per-CPU addition. */
#define azs_count_add(m, c, n)	this_cpu_add((m)->stats.counters->v[c], n)
#define azs_count(m, c)		azs_count_add(m, c, 1)

/*
 * The files /sys/class/azure_storage/NAME/ belong to m->dev: azs_stats_class and
 * azs_stats_groups are its class and groups. Those of the whole module belong
 * to the misc device.
 */
extern struct class *azs_stats_class;
extern const struct attribute_group *azs_stats_groups[];
extern const struct attribute_group *azs_stats_module_groups[];

int azs_stats_init(void);
void azs_stats_exit(void);

/* Sleeps. 0 or -ENOMEM; freeing what was not allocated is allowed. */
int azs_stats_alloc(struct azs_stats *s);
void azs_stats_free(struct azs_stats *s);
u64 azs_stats_counter(const struct azs_stats *s, enum azs_counter c);

/*
 * Tell pollers, and for a state that is another than the last one told, udev.
 * Both may sleep: no spinlock may be held; m->lock may be.
 */
void azs_stats_notify_state(struct azs_mapping *m);
void azs_stats_notify_flushed(struct azs_mapping *m);

#endif /* AZS_STATS_H */
