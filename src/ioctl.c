// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The ioctls of /dev/azure_storage: copied in, checked, worked, copied out. Unknown
 * flags and padding that is not zero are refused, so that later versions can
 * give them a meaning.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "chardev.h"
#include "dirty.h"
#include "file.h"
#include "mapping.h"
#include "uploader.h"
#include "watch.h"

/* ---- HELLO ---- */

/* The descriptors may be O_PATH ones; watch.c takes references of its own. */
static int azs_hello_excluded(const struct azs_hello *req)
{
	struct file *files[AZS_MAX_EXCLUDED];
	struct path dirs[AZS_MAX_EXCLUDED];
	unsigned int nr;
	int err = 0;

	for (nr = 0; nr < req->nr_excluded; nr++) {
		files[nr] = fget_raw(req->excluded[nr]);
		if (!files[nr]) {
			err = -EBADF;
			break;
		}
		dirs[nr] = files[nr]->f_path;
		if (!d_is_dir(dirs[nr].dentry)) {
			nr++;
			err = -ENOTDIR;
			break;
		}
	}
	if (!err)
		err = azs_watch_set_excluded(dirs, nr);
	while (nr--)
		fput(files[nr]);
	return err;
}

static int azs_hello_locked(struct azs_uploader *u, struct azs_hello *req, void __user *arg)
{
	u32 version = min_t(u32, req->abi_max, AZS_ABI_VERSION);
	bool fits = version >= max_t(u32, req->abi_min, AZS_ABI_VERSION_MIN);
	int err;

	if (azs_uploader_is_greeted(u))
		return -EALREADY;
	if (fits) {
		err = azs_hello_excluded(req);
		if (err)
			return err;
	}
	req->abi_min = AZS_ABI_VERSION_MIN;
	req->abi_max = AZS_ABI_VERSION;
	req->abi_version = fits ? version : 0;
	req->features = 0;
	strscpy(req->module_version, AZS_VERSION, sizeof(req->module_version));
	if (copy_to_user(arg, req, sizeof(*req))) {
		azs_watch_set_excluded(NULL, 0);
		return -EFAULT;
	}
	if (!fits)
		return -EPROTO;
	azs_uploader_connect(u, version);
	return 0;
}

static int azs_ioctl_hello(struct azs_uploader *u, void *data, void __user *arg)
{
	struct azs_hello *req = data;
	int err;

	if (req->flags || req->reserved || req->nr_excluded > AZS_MAX_EXCLUDED ||
	    req->abi_min > req->abi_max)
		return -EINVAL;
	mutex_lock(&u->lock);
	memset(req->module_version, 0, sizeof(req->module_version));
	err = azs_hello_locked(u, req, arg);
	mutex_unlock(&u->lock);
	return err;
}

/* ---- OPEN, SCAN, STAT, READLINK ---- */

static int azs_ioctl_open(struct azs_uploader *u, void *data, void __user *arg)
{
	struct azs_open *req = data;
	struct azs_mapping *m;
	struct file *file;
	int err;

	if (req->flags)
		return -EINVAL;
	m = azs_mapping_use(&req->mapping);
	if (IS_ERR(m))
		return PTR_ERR(m);
	req->fd = get_unused_fd_flags(O_CLOEXEC);
	if (req->fd < 0) {
		err = req->fd;
		goto out_unuse;
	}
	err = azs_file_open(m, req, &file);
	if (err)
		goto err_put_fd;
	/* Once installed, a descriptor belongs to the process and cannot be taken back. */
	if (copy_to_user(arg, req, sizeof(*req))) {
		err = -EFAULT;
		goto err_put_file;
	}
	fd_install(req->fd, file);
	goto out_unuse;

err_put_file:
	azs_dirty_open_failed(m, req->entry);
	fput(file);
err_put_fd:
	put_unused_fd(req->fd);
out_unuse:
	azs_mapping_unuse(m);
	return err;
}

static int azs_ioctl_scan(struct azs_uploader *u, void *data, void __user *arg)
{
	struct azs_scan *req = data;
	struct azs_mapping *m;
	int err;

	if (req->flags & ~AZS_SCAN_CLOSE)
		return -EINVAL;
	m = azs_mapping_use(&req->mapping);
	if (IS_ERR(m))
		return PTR_ERR(m);
	err = azs_file_scan(u->scans, m, req);
	azs_mapping_unuse(m);
	return err;
}

static int azs_ioctl_stat(struct azs_uploader *u, void *data, void __user *arg)
{
	struct azs_stat_req *req = data;
	struct azs_mapping *m;
	int err;

	if (req->flags)
		return -EINVAL;
	m = azs_mapping_use(&req->mapping);
	if (IS_ERR(m))
		return PTR_ERR(m);
	err = azs_file_stat(m, req);
	azs_mapping_unuse(m);
	return err;
}

static int azs_ioctl_readlink(struct azs_uploader *u, void *data, void __user *arg)
{
	struct azs_readlink *req = data;
	struct azs_mapping *m;
	int err;

	if (req->flags)
		return -EINVAL;
	m = azs_mapping_use(&req->mapping);
	if (IS_ERR(m))
		return PTR_ERR(m);
	err = azs_file_readlink(m, req);
	azs_mapping_unuse(m);
	return err;
}

/* ---- STABLE, DONE, MARK ---- */

static int azs_ioctl_stable(struct azs_uploader *u, void *data, void __user *arg)
{
	struct azs_stable *req = data;

	if (req->flags)
		return -EINVAL;
	req->out_flags = 0;
	return azs_dirty_stable(req->entry, &req->out_flags);
}

static bool azs_is_done_item(const struct azs_done_item *item)
{
	const u32 known = AZS_DONE_UPLOADED | AZS_DONE_COPIED | AZS_DONE_DELETED |
			  AZS_DONE_SKIPPED | AZS_DONE_UNQUIET;

	return item->result <= AZS_DONE_PARKED && !(item->flags & ~known) && !item->reserved &&
	       (!item->delay_ms || item->result == AZS_DONE_AGAIN);
}

static int azs_ioctl_done(struct azs_uploader *u, void *data, void __user *arg)
{
	struct azs_done *req = data;
	struct azs_done_item *items;
	u32 i;

	if (req->nr > AZS_MAX_DONE)
		return -EINVAL;
	items = vmemdup_user(u64_to_user_ptr(req->items), req->nr * sizeof(*items));
	if (IS_ERR(items))
		return PTR_ERR(items);
	/* All before any: half a call cannot be repeated. */
	for (i = 0; i < req->nr; i++) {
		if (!azs_is_done_item(&items[i])) {
			kvfree(items);
			return -EINVAL;
		}
	}
	req->nr_known = 0;
	for (i = 0; i < req->nr; i++) {
		req->nr_known += !azs_dirty_done(&items[i]);
		cond_resched();
	}
	kvfree(items);
	return 0;
}

static int azs_ioctl_mark(struct azs_uploader *u, void *data, void __user *arg)
{
	struct azs_mark *req = data;
	struct azs_mapping *m;
	unsigned int flags = 0;
	char *path;

	if (req->flags & ~(AZS_MARK_CONTENT | AZS_MARK_SUBTREE))
		return -EINVAL;
	if (req->flags & AZS_MARK_CONTENT)
		flags |= AZS_DIRTY_CONTENT;
	if (req->flags & AZS_MARK_SUBTREE)
		flags |= AZS_DIRTY_SUBTREE;
	path = azs_path_get(req->path, req->path_len, true);
	if (IS_ERR(path))
		return PTR_ERR(path);
	m = azs_mapping_use(&req->mapping);
	if (IS_ERR(m)) {
		kfree(path);
		return PTR_ERR(m);
	}
	azs_dirty_add(m, path, req->path_len, flags);
	azs_mapping_unuse(m);
	kfree(path);
	return 0;
}

/* ---- REPORT ---- */

/* It ends up in sysfs and on terminals: one line, no control characters. */
static char *azs_report_error(const struct azs_report *req)
{
	char *text, *p;

	if (!req->error_len)
		return NULL;
	if (req->error_len >= AZS_ERROR_MAX)
		return ERR_PTR(-EINVAL);
	text = memdup_user_nul(u64_to_user_ptr(req->error), req->error_len);
	if (IS_ERR(text))
		return text;
	for (p = text; p < text + req->error_len; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return text;
}

static void azs_report_take(struct azs_mapping *m, const struct azs_report *req)
{
	struct azs_stats *s = &m->stats;

	WRITE_ONCE(s->backlog_files, req->backlog_files);
	WRITE_ONCE(s->backlog_bytes, req->backlog_bytes);
	WRITE_ONCE(s->failed, req->failed);
	WRITE_ONCE(s->deletes_held, req->deletes_held);
	WRITE_ONCE(s->last_success_s, req->last_success_s);
	azs_count_add(m, AZS_CNT_REQUESTS, req->requests);
	azs_count_add(m, AZS_CNT_RETRIES, req->retries);
	azs_count_add(m, AZS_CNT_DRIFTED, req->drifted);
	azs_count_add(m, AZS_CNT_COPIED_BLOBS, req->copied_blobs);
	azs_count_add(m, AZS_CNT_DELETED_BLOBS, req->deleted_blobs);
	azs_count_add(m, AZS_CNT_SKIPPED, req->skipped);
	WRITE_ONCE(m->blocked, !!(req->flags & AZS_REPORT_BLOCKED));
}

static int azs_ioctl_report(struct azs_uploader *u, void *data, void __user *arg)
{
	struct azs_report *req = data;
	struct azs_mapping *m;
	char *error = NULL;

	if (req->flags & ~(AZS_REPORT_BLOCKED | AZS_REPORT_SET_ERROR))
		return -EINVAL;
	if (req->flags & AZS_REPORT_SET_ERROR)
		error = azs_report_error(req);
	else if (req->error_len)
		return -EINVAL;
	if (IS_ERR(error))
		return PTR_ERR(error);
	m = azs_mapping_use(&req->mapping);
	if (IS_ERR(m)) {
		kfree(error);
		return PTR_ERR(m);
	}
	if (req->flags & AZS_REPORT_SET_ERROR) {
		mutex_lock(&m->lock);
		swap(m->stats.last_error, error);
		mutex_unlock(&m->lock);
		kfree(error);
	}
	azs_report_take(m, req);
	azs_mapping_state_changed(m);
	azs_mapping_unuse(m);
	return 0;
}

/* ---- dispatch ---- */

/*
 * @work: gets the copied structure, and the user's for what must be copied out
 *        by itself
 * @copies_out: it does so
 */
struct azs_ioctl_desc {
	unsigned int cmd;
	int (*work)(struct azs_uploader *u, void *data, void __user *arg);
	bool copies_out;
};

static const struct azs_ioctl_desc azs_ioctls[] = {
	{ AZS_IOC_HELLO, azs_ioctl_hello, true },
	{ AZS_IOC_OPEN, azs_ioctl_open, true },
	{ AZS_IOC_SCAN, azs_ioctl_scan },
	{ AZS_IOC_STAT, azs_ioctl_stat },
	{ AZS_IOC_READLINK, azs_ioctl_readlink },
	{ AZS_IOC_STABLE, azs_ioctl_stable },
	{ AZS_IOC_DONE, azs_ioctl_done },
	{ AZS_IOC_REPORT, azs_ioctl_report },
	{ AZS_IOC_MARK, azs_ioctl_mark },
};

/* Room for each of them on the stack. */
union azs_ioctl_data {
	struct azs_hello hello;
	struct azs_open open;
	struct azs_scan scan;
	struct azs_stat_req stat;
	struct azs_readlink readlink;
	struct azs_stable stable;
	struct azs_done done;
	struct azs_report report;
	struct azs_mark mark;
};

static const struct azs_ioctl_desc *azs_ioctl_find(unsigned int cmd)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(azs_ioctls); i++)
		if (azs_ioctls[i].cmd == cmd)
			return &azs_ioctls[i];
	return NULL;
}

long azs_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct azs_ioctl_desc *desc = azs_ioctl_find(cmd);
	struct azs_uploader *u = file->private_data;
	void __user *uarg = (void __user *)arg;
	union azs_ioctl_data data;
	size_t size = _IOC_SIZE(cmd);
	int err;

	if (!desc)
		return -ENOTTY;
	if (cmd != AZS_IOC_HELLO && !azs_uploader_is_greeted(u))
		return -EPROTO;
	if (copy_from_user(&data, uarg, size))
		return -EFAULT;
	err = desc->work(u, &data, uarg);
	if (err || desc->copies_out || !(_IOC_DIR(cmd) & _IOC_READ))
		return err;
	return copy_to_user(uarg, &data, size) ? -EFAULT : 0;
}
