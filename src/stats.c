// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * sysfs: how it is going. No file here waits for the uploader or for a file
 * system: a show or store that blocks would block the device's removal.
 */
#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "chardev.h"
#include "dirty.h"
#include "mapping.h"
#include "stats.h"

struct class *azs_stats_class;
static ktime_t azs_loaded_at;

int azs_stats_alloc(struct azs_stats *s)
{
	s->counters = alloc_percpu(struct azs_counters);
	return s->counters ? 0 : -ENOMEM;
}

void azs_stats_free(struct azs_stats *s)
{
	free_percpu(s->counters);
	s->counters = NULL;
	kfree(s->last_error);
	s->last_error = NULL;
}

u64 azs_stats_counter(const struct azs_stats *s, enum azs_counter c)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(s->counters, cpu)->v[c]);
	return sum;
}

/* ---- what can be polled ---- */

void azs_stats_notify_flushed(struct azs_mapping *m)
{
	sysfs_notify(&m->dev.kobj, NULL, "flushed");
}

void azs_stats_notify_state(struct azs_mapping *m)
{
	const char *state, *told;
	char text[32];
	char *env[] = { text, NULL };

	/* Who looked earlier may tell later: the last word must be what is so. */
	do {
		state = azs_mapping_state(m);
		told = xchg(&m->stats.state_told, state);
		if (told && !strcmp(told, state))
			return;
		sysfs_notify(&m->dev.kobj, NULL, "state");
		scnprintf(text, sizeof(text), "STATE=%s", state);
		kobject_uevent_env(&m->dev.kobj, KOBJ_CHANGE, env);
	} while (strcmp(azs_mapping_state(m), state));
}

/* ---- files of a mapping ---- */

#define AZS_SHOW(name, fmt, value) \
static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *buf) \
{ \
	struct azs_mapping *m = azs_mapping_of_dev(dev); \
	\
	return sysfs_emit(buf, fmt "\n", value); \
} \
static DEVICE_ATTR_RO(name)

AZS_SHOW(state, "%s", azs_mapping_state(m));
AZS_SHOW(pending, "%u", READ_ONCE(m->dirty.nr_pending));
AZS_SHOW(in_flight, "%u", READ_ONCE(m->dirty.nr_out));
AZS_SHOW(open_writers, "%u", READ_ONCE(m->dirty.nr_writers));
AZS_SHOW(backlog_files, "%llu", READ_ONCE(m->stats.backlog_files));
AZS_SHOW(backlog_bytes, "%llu", READ_ONCE(m->stats.backlog_bytes));
AZS_SHOW(failed, "%llu", READ_ONCE(m->stats.failed));
AZS_SHOW(deletes_held, "%llu", READ_ONCE(m->stats.deletes_held));
AZS_SHOW(oldest_pending_ms, "%llu", azs_dirty_oldest_ms(m));
AZS_SHOW(last_success_s, "%lld", READ_ONCE(m->stats.last_success_s));
AZS_SHOW(flushed, "%llu", azs_dirty_flushed(m));

static ssize_t path_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct azs_mapping *m = azs_mapping_of_dev(dev);
	ssize_t len;

	mutex_lock(&m->lock);
	len = sysfs_emit(buf, "%s\n", azs_attr_value(m, AZS_ATTR_PATH));
	mutex_unlock(&m->lock);
	return len;
}
static DEVICE_ATTR_RO(path);

/* Of the uploader; that of the configuration is in configfs. */
static ssize_t last_error_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct azs_mapping *m = azs_mapping_of_dev(dev);
	ssize_t len;

	mutex_lock(&m->lock);
	len = sysfs_emit(buf, "%s\n", m->stats.last_error ?: "");
	mutex_unlock(&m->lock);
	return len;
}
static DEVICE_ATTR(last_error, 0400, last_error_show, NULL);

/* For files to which only 1 may be written, while the mapping is enabled. */
static int azs_check_trigger(struct azs_mapping *m, const char *buf)
{
	if (!sysfs_streq(buf, "1"))
		return -EINVAL;
	return READ_ONCE(m->phase) == AZS_LIVE ? 0 : -ENODEV;
}

static ssize_t flush_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct azs_dirty *d = &azs_mapping_of_dev(dev)->dirty;
	u64 seq;

	spin_lock(&d->lock);
	seq = d->flush_seq;
	spin_unlock(&d->lock);
	return sysfs_emit(buf, "%llu\n", seq);
}

static ssize_t flush_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t count)
{
	struct azs_mapping *m = azs_mapping_of_dev(dev);
	int err = azs_check_trigger(m, buf);

	if (err)
		return err;
	azs_dirty_flush(m);
	return count;
}
static DEVICE_ATTR(flush, 0600, flush_show, flush_store);

static ssize_t rescan_store(struct device *dev, struct device_attribute *attr, const char *buf,
			    size_t count)
{
	struct azs_mapping *m = azs_mapping_of_dev(dev);
	int err = azs_check_trigger(m, buf);

	if (err)
		return err;
	azs_dirty_add(m, "", 0, AZS_DIRTY_SUBTREE);
	azs_mapping_state_changed(m);
	return count;
}
static DEVICE_ATTR_WO(rescan);

static struct attribute *azs_mapping_attrs[] = {
	&dev_attr_state.attr,
	&dev_attr_path.attr,
	&dev_attr_pending.attr,
	&dev_attr_in_flight.attr,
	&dev_attr_open_writers.attr,
	&dev_attr_backlog_files.attr,
	&dev_attr_backlog_bytes.attr,
	&dev_attr_failed.attr,
	&dev_attr_deletes_held.attr,
	&dev_attr_oldest_pending_ms.attr,
	&dev_attr_last_success_s.attr,
	&dev_attr_last_error.attr,
	&dev_attr_flush.attr,
	&dev_attr_flushed.attr,
	&dev_attr_rescan.attr,
	NULL,
};

static const struct attribute_group azs_mapping_group = {
	.attrs = azs_mapping_attrs,
};

/* ---- stats/ ---- */

struct azs_counter_attr {
	struct device_attribute attr;
	enum azs_counter counter;
};

static ssize_t azs_counter_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct azs_counter_attr *c = container_of(attr, struct azs_counter_attr, attr);

	struct azs_stats *s = &azs_mapping_of_dev(dev)->stats;
	u64 value = azs_stats_counter(s, c->counter);

	/* `events` is every one: the write path counts each event once. */
	if (c->counter == AZS_CNT_RECORDED)
		value += azs_stats_counter(s, AZS_CNT_COALESCED);
	return sysfs_emit(buf, "%llu\n", value);
}

#define AZS_COUNTER_LIST(X) \
	X(RECORDED, events) \
	X(COALESCED, coalesced) \
	X(EXCLUDED, excluded) \
	X(UNPLACED, unplaced) \
	X(FOLDED, folded) \
	X(RESCANS, rescans) \
	X(MOUNTS_SKIPPED, mounts_skipped) \
	X(UPLOADED_FILES, uploaded_files) \
	X(UPLOADED_BYTES, uploaded_bytes) \
	X(COPIED_BLOBS, copied_blobs) \
	X(DELETED_BLOBS, deleted_blobs) \
	X(SKIPPED, skipped) \
	X(RETRIES, retries) \
	X(REQUESTS, requests) \
	X(DRIFTED, drifted)

#define AZS_COUNTER_ATTR(id, name) \
static struct azs_counter_attr azs_counter_##name = { \
	__ATTR(name, 0444, azs_counter_show, NULL), AZS_CNT_##id \
};
AZS_COUNTER_LIST(AZS_COUNTER_ATTR)

static struct attribute *azs_counter_attrs[] = {
#define AZS_COUNTER_POINTER(id, name)	&azs_counter_##name.attr.attr,
	AZS_COUNTER_LIST(AZS_COUNTER_POINTER)
#undef AZS_COUNTER_POINTER
	NULL,
};
static_assert(ARRAY_SIZE(azs_counter_attrs) == AZS_NR_COUNTERS + 1, "a counter without a file");

static const struct attribute_group azs_counter_group = {
	.name = "stats",
	.attrs = azs_counter_attrs,
};

const struct attribute_group *azs_stats_groups[] = {
	&azs_mapping_group,
	&azs_counter_group,
	NULL,
};

/* ---- files of the module ---- */

static ssize_t abi_version_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", AZS_ABI_VERSION);
}
static DEVICE_ATTR_RO(abi_version);

static ssize_t uptime_seconds_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lld\n",
			  ktime_divns(ktime_sub(ktime_get_boottime(), azs_loaded_at), NSEC_PER_SEC));
}
static DEVICE_ATTR_RO(uptime_seconds);

static ssize_t uploader_pid_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", azs_chardev_uploader_pid());
}
static DEVICE_ATTR_RO(uploader_pid);

static struct attribute *azs_module_attrs[] = {
	&dev_attr_abi_version.attr,
	&dev_attr_uptime_seconds.attr,
	&dev_attr_uploader_pid.attr,
	NULL,
};

static const struct attribute_group azs_module_group = {
	.attrs = azs_module_attrs,
};

const struct attribute_group *azs_stats_module_groups[] = {
	&azs_module_group,
	NULL,
};

int azs_stats_init(void)
{
	azs_loaded_at = ktime_get_boottime();
	azs_stats_class = azs_class_create("azure_storage");
	return PTR_ERR_OR_ZERO(azs_stats_class);
}

void azs_stats_exit(void)
{
	class_destroy(azs_stats_class);
}
