// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * /dev/azure_storage: open, close, waiting for something to read, and which
 * mappings a call may work on. Records are made in read.c.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "chardev.h"
#include "dirty.h"
#include "file.h"
#include "mapping.h"
#include "stats.h"
#include "uploader.h"
#include "watch.h"

static DECLARE_WAIT_QUEUE_HEAD(azs_readers);
static atomic_t azs_wakes = ATOMIC_INIT(0);	/* of azs_readers, counted */

/* The open device, and what the rest of the module sees of it. */
static DEFINE_MUTEX(azs_uploader_lock);
static struct azs_uploader *azs_uploader;	/* [azs_uploader_lock] */
static bool azs_connected;
static pid_t azs_uploader_pid;

void azs_chardev_wake(void)
{
	atomic_inc(&azs_wakes);
	smp_mb__after_atomic();
	if (waitqueue_active(&azs_readers))
		wake_up_interruptible_poll(&azs_readers, EPOLLIN | EPOLLRDNORM);
}

bool azs_chardev_is_connected(void)
{
	return READ_ONCE(azs_connected);
}

pid_t azs_chardev_uploader_pid(void)
{
	return READ_ONCE(azs_uploader_pid);
}

void azs_chardev_drop_mapping(struct azs_mapping *m)
{
	mutex_lock(&azs_uploader_lock);
	if (azs_uploader)
		azs_scans_drop_mapping(azs_uploader->scans, m);
	mutex_unlock(&azs_uploader_lock);
}

/* ---- which mapping ---- */

struct azs_mapping *azs_mapping_use_locked(struct azs_mapping *m)
{
	lockdep_assert_held(&azs_mappings_lock);
	azs_mapping_get(m);
	m->users++;
	return m;
}

static bool azs_is_usable(const struct azs_mapping *m)
{
	return m->phase == AZS_LIVE ||
	       (m->phase == AZS_DRAINING && time_before(jiffies, m->drain_deadline));
}

struct azs_mapping *azs_mapping_use(const struct azs_mref *ref)
{
	struct azs_mapping *m, *found = ERR_PTR(-ESTALE);

	mutex_lock(&azs_mappings_lock);
	list_for_each_entry(m, &azs_mappings_live, live) {
		if (m->id == ref->id && m->generation == ref->generation && azs_is_usable(m)) {
			found = azs_mapping_use_locked(m);
			break;
		}
	}
	mutex_unlock(&azs_mappings_lock);
	return found;
}

struct azs_mapping *azs_mapping_use_next(u32 after)
{
	struct azs_mapping *m, *next = NULL;

	mutex_lock(&azs_mappings_lock);
	list_for_each_entry(m, &azs_mappings_live, live)
		if (m->id > after && (!next || m->id < next->id))
			next = m;
	if (next)
		azs_mapping_use_locked(next);
	mutex_unlock(&azs_mappings_lock);
	return next;
}

void azs_mapping_unuse(struct azs_mapping *m)
{
	mutex_lock(&azs_mappings_lock);
	if (!--m->users && m->phase == AZS_DRAINING)
		azs_mapping_drained(m);
	mutex_unlock(&azs_mappings_lock);
	azs_mapping_put(m);
}

void azs_set_announced(struct azs_mapping *m, u32 generation, bool announced)
{
	mutex_lock(&azs_mappings_lock);
	if (m->generation == generation)
		WRITE_ONCE(m->announced, announced);
	mutex_unlock(&azs_mappings_lock);
}

/* ---- read, poll ---- */

static ssize_t azs_chardev_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	struct azs_uploader *u = file->private_data;
	ssize_t len;
	int err, wakes;

	if (!azs_uploader_is_greeted(u))
		return -EPROTO;
	if (count < AZS_READ_MIN)
		return -EINVAL;
	for (;;) {
		/* Before looking: a wake-up that comes meanwhile is not missed. */
		wakes = atomic_read_acquire(&azs_wakes);
		if (mutex_lock_interruptible(&u->lock))
			return -ERESTARTSYS;
		len = azs_read_records(u, buf, count);
		mutex_unlock(&u->lock);
		if (len)
			return len;
		if (signal_pending(current))
			return -ERESTARTSYS;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(azs_readers, atomic_read(&azs_wakes) != wakes);
		if (err)
			return err;
	}
}

static __poll_t azs_chardev_poll(struct file *file, poll_table *wait)
{
	struct azs_uploader *u = file->private_data;

	poll_wait(file, &azs_readers, wait);
	if (!azs_uploader_is_greeted(u))
		return 0;
	return azs_read_is_ready() ? EPOLLIN | EPOLLRDNORM : 0;
}

/* ---- open, close ---- */

static void azs_uploader_free(struct azs_uploader *u)
{
	if (u->scans)
		azs_scans_free(u->scans);
	kfree(u->path);
	kvfree(u->record);
	mutex_destroy(&u->lock);
	kfree(u);
}

static struct azs_uploader *azs_uploader_alloc(void)
{
	struct azs_uploader *u = kzalloc(sizeof(*u), GFP_KERNEL);

	if (!u)
		return NULL;
	mutex_init(&u->lock);
	u->scans = azs_scans_alloc();
	u->path = kmalloc(AZS_PATH_MAX, GFP_KERNEL);
	u->record = kvmalloc(AZS_RECORD_MAX, GFP_KERNEL);
	if (u->scans && u->path && u->record)
		return u;
	azs_uploader_free(u);
	return NULL;
}

static int azs_chardev_open(struct inode *inode, struct file *file)
{
	struct azs_uploader *u = azs_uploader_alloc();
	int err = 0;

	if (!u)
		return -ENOMEM;
	mutex_lock(&azs_uploader_lock);
	if (azs_uploader)
		err = -EBUSY;
	else
		azs_uploader = u;
	mutex_unlock(&azs_uploader_lock);
	if (err) {
		azs_uploader_free(u);
		return err;
	}
	file->private_data = u;
	return nonseekable_open(inode, file);
}

void azs_uploader_connect(struct azs_uploader *u, u32 version)
{
	struct azs_mapping *m;
	u32 id = 0;

	lockdep_assert_held(&u->lock);
	WRITE_ONCE(azs_uploader_pid, task_tgid_nr(current));
	WRITE_ONCE(azs_connected, true);
	smp_store_release(&u->version, version);
	while ((m = azs_mapping_use_next(id))) {
		id = m->id;
		azs_mapping_state_changed(m);
		azs_mapping_unuse(m);
	}
	azs_chardev_wake();
}

/* Everything that was out goes back, so that the next one finds it. */
static void azs_uploader_disconnect(void)
{
	struct azs_mapping *m;
	u32 id = 0;

	WRITE_ONCE(azs_connected, false);
	WRITE_ONCE(azs_uploader_pid, 0);
	azs_watch_set_excluded(NULL, 0);
	while ((m = azs_mapping_use_next(id))) {
		id = m->id;
		azs_set_announced(m, m->generation, false);
		WRITE_ONCE(m->blocked, false);
		azs_dirty_putback(m);
		azs_mapping_state_changed(m);
		azs_mapping_unuse(m);
	}
}

static int azs_chardev_release(struct inode *inode, struct file *file)
{
	struct azs_uploader *u = file->private_data;

	if (u->version)
		azs_uploader_disconnect();
	mutex_lock(&azs_uploader_lock);
	azs_uploader = NULL;
	mutex_unlock(&azs_uploader_lock);
	azs_uploader_free(u);
	return 0;
}

static const struct file_operations azs_chardev_fops = {
	.owner = THIS_MODULE,
	.open = azs_chardev_open,
	.release = azs_chardev_release,
	.read = azs_chardev_read,
	.poll = azs_chardev_poll,
	.unlocked_ioctl = azs_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice azs_miscdev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = AZS_DEVICE_NAME,
	.fops = &azs_chardev_fops,
	.mode = 0600,
	.groups = azs_stats_module_groups,
};

int azs_chardev_init(void)
{
	return misc_register(&azs_miscdev);
}

void azs_chardev_exit(void)
{
	misc_deregister(&azs_miscdev);
}
