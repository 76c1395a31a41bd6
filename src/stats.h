/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The figures of a mapping and their files in /sys/class/azure_storage/NAME/. A leaf: knows no other object. */
#ifndef AZS_STATS_H
#define AZS_STATS_H

#include <linux/device.h>
#include <linux/percpu.h>
#include <linux/types.h>

struct azs_mapping;

/* Monotone counters of stats/, in the order of their files. */
enum azs_counter {
	AZS_CNT_EVENTS,			/* seen below the root */
	AZS_CNT_COALESCED,		/* .. that found their path dirty already */
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
};

/* Any context, also the write path: one per-CPU addition. */
#define azs_count_add(m, c, n)	this_cpu_add((m)->stats.counters->v[c], n)
#define azs_count(m, c)		azs_count_add(m, c, 1)

int azs_stats_alloc(struct azs_stats *s);
void azs_stats_free(struct azs_stats *s);
u64 azs_stats_counter(const struct azs_stats *s, enum azs_counter c);

extern const struct attribute_group *azs_stats_groups[];

#endif /* AZS_STATS_H */
