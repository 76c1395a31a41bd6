// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * A mapping's life: created, enabled, drained, destroyed. Locks: see mapping.h.
 */
#include <linux/fs_struct.h>
#include <linux/namei.h>
#include <linux/nsproxy.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "chardev.h"
#include "configfs.h"
#include "mapping.h"
#include "watch.h"

DEFINE_MUTEX(azs_mappings_lock);
LIST_HEAD(azs_mappings_live);

static atomic_t azs_mapping_last_id;
static struct workqueue_struct *azs_drain_wq;

void azs_mapping_error(struct azs_mapping *m, const char *attr, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = kvasprintf(GFP_KERNEL, fmt, args);
	va_end(args);
	pr_warn_ratelimited("%s: %s: %s\n", m->name, attr, text ?: "out of memory");

	lockdep_assert_held(&m->lock);
	kfree(m->last_error);
	m->last_error = text ? kasprintf(GFP_KERNEL, "%s: %s", attr, text) : NULL;
	kfree(text);
}

/* ---- state ---- */

const char *azs_mapping_state(struct azs_mapping *m)
{
	switch (READ_ONCE(m->phase)) {
	case AZS_DISABLED:
		return "disabled";
	case AZS_DRAINING:
		return "draining";
	case AZS_LIVE:
		break;
	}
	if (READ_ONCE(m->root_lost))
		return "error";
	if (!azs_chardev_is_connected())
		return "waiting";
	if (READ_ONCE(m->blocked))
		return "blocked";
	return azs_dirty_is_scanning(m) ? "scanning" : "live";
}

void azs_mapping_state_changed(struct azs_mapping *m)
{
	azs_stats_notify_state(m);
}

/* ---- the root ---- */

/*
 * azs_mapping_root_check - is the folder still where `path` says?
 * A root that was unlinked, moved with an ancestor or mounted over is not what the
 * administrator mapped: what is missing there must not look deleted. Sleeps.
 * 0 or -ESTALE.
 */
int azs_mapping_root_check(struct azs_mapping *m)
{
	const struct cred *old = override_creds(m->cred);
	struct path now;
	bool lost;
	int err;

	/* The one who asks need not be able to reach the folder. */
	err = vfs_path_lookup(m->fs_root.dentry, m->fs_root.mnt, azs_attr_value(m, AZS_ATTR_PATH),
			      LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &now);
	revert_creds(old);
	lost = err || !path_equal(&now, &m->root);
	if (!err)
		path_put(&now);
	if (lost != READ_ONCE(m->root_lost)) {
		WRITE_ONCE(m->root_lost, lost);
		pr_warn_ratelimited("%s: path: the folder %s\n", m->name,
				    lost ? "was removed, moved or mounted over" : "is back");
		azs_mapping_state_changed(m);
	}
	return lost ? -ESTALE : 0;
}

static int azs_mapping_pin_root(struct azs_mapping *m)
{
	const char *path = azs_attr_value(m, AZS_ATTR_PATH), *refusal;
	int err;

	if (current->nsproxy->mnt_ns != init_task.nsproxy->mnt_ns) {
		azs_mapping_error(m, "enable", "only the initial mount namespace can enable a mapping");
		return -EXDEV;
	}
	err = kern_path(path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &m->root);
	if (err) {
		azs_mapping_error(m, "path", "%s: %s", path,
				  err == -ENOENT ? "no such folder" :
				  err == -ENOTDIR ? "not a folder" : "cannot be looked up");
		return err;
	}
	refusal = azs_watch_refusal(m->root.dentry->d_sb, azs_attr_u32(m, AZS_ATTR_ALLOW_REMOTE));
	if (refusal) {
		azs_mapping_error(m, "path", "%s is on %s: %s", path,
				  m->root.dentry->d_sb->s_type->name, refusal);
		path_put(&m->root);
		return -EOPNOTSUPP;
	}
	get_fs_root(current->fs, &m->fs_root);
	m->cred = get_current_cred();
	return 0;
}

static void azs_mapping_unpin_root(struct azs_mapping *m)
{
	put_cred(m->cred);
	path_put(&m->fs_root);
	path_put(&m->root);
	m->cred = NULL;
}

/* ---- enable ---- */

static int azs_mapping_check(struct azs_mapping *m)
{
	static const struct {
		enum azs_attr_id id;
		const char *name;
	} needed[] = {
		{ AZS_ATTR_PATH, "path" },
		{ AZS_ATTR_ACCOUNT, "account" },
		{ AZS_ATTR_CONTAINER, "container" },
	};
	struct azs_mapping *other;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(needed); i++) {
		if (*azs_attr_value(m, needed[i].id))
			continue;
		azs_mapping_error(m, needed[i].name, "must be set before enable");
		return -EINVAL;
	}
	if (azs_attr_u32(m, AZS_ATTR_ALLOW_REMOTE) && !azs_attr_u32(m, AZS_ATTR_RESCAN_S)) {
		azs_mapping_error(m, "allow_remote", "needs rescan_s: changes by others are found by no other means");
		return -EINVAL;
	}
	list_for_each_entry(other, &azs_mappings_live, live) {
		if (!azs_attrs_targets_overlap(m, other))
			continue;
		azs_mapping_error(m, "prefix", "mapping %s uploads to the same place or to one within it",
				  other->name);
		return -EEXIST;
	}
	return 0;
}

static int azs_mapping_start(struct azs_mapping *m)
{
	int err;

	err = azs_mapping_pin_root(m);
	if (err)
		return err;
	m->settle_ms = azs_attr_u32(m, AZS_ATTR_SETTLE_MS);
	m->max_lag_ms = azs_attr_u32(m, AZS_ATTR_MAX_LAG_MS);
	m->max_pending = azs_attr_u32(m, AZS_ATTR_MAX_PENDING);
	m->root_lost = false;
	m->blocked = false;
	err = azs_dirty_start(m);
	if (err) {
		azs_mapping_error(m, "enable", "out of memory");
		goto err_unpin_root;
	}
	m->generation++;
	err = azs_watch_add(m);
	if (err) {
		azs_mapping_error(m, "enable", "the filesystem cannot be watched: error %d", err);
		goto err_free_dirty;
	}
	/* Armed first: what changes from here on is seen, and then all is looked at. */
	azs_dirty_add(m, "", 0, AZS_DIRTY_SUBTREE);
	return 0;

err_free_dirty:
	azs_dirty_stop(m);
	azs_dirty_free(m);
err_unpin_root:
	azs_mapping_unpin_root(m);
	return err;
}

int azs_mapping_enable(struct azs_mapping *m)
{
	int err;

	mutex_lock(&azs_mappings_lock);
	mutex_lock(&m->lock);
	if (m->phase != AZS_DISABLED) {
		azs_mapping_error(m, "enable", m->phase == AZS_LIVE ? "is enabled already" :
				  "is still draining; try again when its state is disabled");
		err = -EBUSY;
		goto out;
	}
	err = azs_mapping_check(m) ?: azs_mapping_start(m);
	if (err)
		goto out;
	m->announced = false;
	WRITE_ONCE(m->phase, AZS_LIVE);
	list_add_tail(&m->live, &azs_mappings_live);
	azs_mapping_get(m);	/* until azs_mapping_drain() */
out:
	mutex_unlock(&m->lock);
	mutex_unlock(&azs_mappings_lock);
	if (!err) {
		azs_mapping_state_changed(m);
		azs_chardev_wake();
	}
	return err;
}

/* ---- disable ---- */

int azs_mapping_disable(struct azs_mapping *m)
{
	mutex_lock(&azs_mappings_lock);
	mutex_lock(&m->lock);
	if (m->phase != AZS_LIVE) {
		mutex_unlock(&m->lock);
		mutex_unlock(&azs_mappings_lock);
		return 0;
	}
	azs_watch_remove(m);
	WRITE_ONCE(m->phase, AZS_DRAINING);
	azs_dirty_stop(m);
	m->drain_deadline = jiffies + msecs_to_jiffies(AZS_DRAIN_MS);
	mutex_unlock(&m->lock);
	mutex_unlock(&azs_mappings_lock);

	azs_mapping_state_changed(m);
	azs_chardev_wake();
	queue_delayed_work(azs_drain_wq, &m->drain, 0);
	return 0;
}

/* The uploader has given up a descriptor, or was told, or has gone: look again. */
void azs_mapping_drained(struct azs_mapping *m)
{
	mod_delayed_work(azs_drain_wq, &m->drain, 0);
}

/*
 * Ends the drain when the uploader knows of it and holds nothing any more, or when its time
 * is up: then what it still asks for is answered ESTALE, by the generation.
 */
static void azs_mapping_drain(struct work_struct *work)
{
	struct azs_mapping *m = container_of(to_delayed_work(work), struct azs_mapping, drain);
	bool waits;
	long left;

	mutex_lock(&azs_mappings_lock);
	mutex_lock(&m->lock);
	if (m->phase != AZS_DRAINING) {
		mutex_unlock(&m->lock);
		mutex_unlock(&azs_mappings_lock);
		return;
	}
	left = m->drain_deadline - jiffies;
	waits = azs_chardev_is_connected() &&
		(READ_ONCE(m->announced) || READ_ONCE(m->dirty.nr_out)) && left > 0;
	/* A call at work needs the root; when it ends, it asks for another look. */
	if (waits || m->users) {
		if (left > 0)
			queue_delayed_work(azs_drain_wq, &m->drain, left);
		mutex_unlock(&m->lock);
		mutex_unlock(&azs_mappings_lock);
		return;
	}
	list_del_init(&m->live);
	mutex_unlock(&azs_mappings_lock);
	azs_chardev_drop_mapping(m);
	azs_dirty_free(m);
	azs_mapping_unpin_root(m);
	WRITE_ONCE(m->phase, AZS_DISABLED);
	mutex_unlock(&m->lock);
	wake_up_var(&m->phase);

	azs_mapping_state_changed(m);
	azs_configfs_undepend(m->item);
	azs_mapping_put(m);
}

/* ---- create, destroy ---- */

static void azs_mapping_release(struct device *dev)
{
	struct azs_mapping *m = azs_mapping_of_dev(dev);
	unsigned int i;

	for (i = 0; i < AZS_NR_ATTRS; i++)
		kfree(m->attr[i]);
	kfree(m->last_error);
	azs_stats_free(&m->stats);
	kfree(m);
}

/*
 * azs_mapping_create - a mapping, disabled, and its figures in sysfs
 * The caller ends it with azs_mapping_destroy(). Sleeps. ERR_PTR on failure.
 */
struct azs_mapping *azs_mapping_create(const char *name)
{
	struct azs_mapping *m = kzalloc(sizeof(*m), GFP_KERNEL);
	int err;

	if (!m)
		return ERR_PTR(-ENOMEM);
	strscpy(m->name, name, sizeof(m->name));
	m->id = atomic_inc_return(&azs_mapping_last_id);
	mutex_init(&m->lock);
	INIT_LIST_HEAD(&m->live);
	INIT_DELAYED_WORK(&m->drain, azs_mapping_drain);
	azs_dirty_setup(&m->dirty);
	device_initialize(&m->dev);
	m->dev.class = azs_stats_class;
	m->dev.groups = azs_stats_groups;
	m->dev.release = azs_mapping_release;
	err = azs_stats_alloc(&m->stats) ?: dev_set_name(&m->dev, "%s", name) ?:
	      device_add(&m->dev);
	if (err) {
		azs_mapping_put(m);
		return ERR_PTR(err);
	}
	return m;
}

/*
 * Of one that is disabled, or is draining because rmdir overtook its enabling: then
 * the drain is cut short. Sleeps until it has ended and nobody reads its files.
 */
void azs_mapping_destroy(struct azs_mapping *m)
{
	mutex_lock(&m->lock);
	if (m->phase == AZS_DRAINING) {
		m->drain_deadline = jiffies;
		mod_delayed_work(azs_drain_wq, &m->drain, 0);
	}
	mutex_unlock(&m->lock);
	wait_var_event(&m->phase, READ_ONCE(m->phase) == AZS_DISABLED);
	cancel_delayed_work_sync(&m->drain);
	device_unregister(&m->dev);
}

int azs_mapping_init(void)
{
	azs_drain_wq = alloc_workqueue("azure_storage_drain", WQ_UNBOUND, 0);
	return azs_drain_wq ? 0 : -ENOMEM;
}

void azs_mapping_exit(void)
{
	destroy_workqueue(azs_drain_wq);
}
