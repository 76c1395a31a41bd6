// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * SCAN: the entries of a directory, many a call, each with its description.
 *
 * Names are read ahead into the scan's buffer, then looked up one by one. A scan
 * that is not at its end stays in the table of the open device; while a call
 * works on it, it is `busy` and that call's own. The table's lock is that of its
 * xarray.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "file.h"
#include "mapping.h"

/* Bytes of names that a scan keeps, some hundred of them: 8 KiB with what is beside. */
#define AZS_SCAN_NAMES		(8192 - 128)
/* Bytes of a name; file systems of Linux have 255, some in user space more. */
#define AZS_SCAN_NAME_MAX	1024

struct azs_scan_state {
	struct azs_mapping *m;		/* a reference */
	u32 generation;
	u32 id;				/* 0: not in the table */
	bool busy;			/* [xa_lock] a call works on it */
	bool dropped;			/* [xa_lock] its mapping went down meanwhile */
	struct list_head gone;		/* while it is being freed */
	struct file *dir;
	u32 used;			/* bytes of names */
	u32 pos;			/* .. that were reported */
	char names[AZS_SCAN_NAMES];	/* each with its NUL; not zeroed */
};
static_assert(sizeof(struct azs_scan_state) <= 8192);

struct azs_scans {
	struct xarray table;		/* by id */
	u32 next;
};

/* ---- the table ---- */

static void azs_scan_free(struct azs_scan_state *scan)
{
	if (scan->dir)
		fput(scan->dir);
	azs_mapping_put(scan->m);
	kfree(scan);
}

struct azs_scans *azs_scans_alloc(void)
{
	struct azs_scans *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (s)
		xa_init_flags(&s->table, XA_FLAGS_ALLOC1);
	return s;
}

/* Takes those of @m, or all, out of the table, but for busy ones: these go when
 * their call ends. */
static void azs_scans_drop(struct azs_scans *s, struct azs_mapping *m)
{
	struct azs_scan_state *scan, *next;
	unsigned long id;
	LIST_HEAD(gone);

	xa_lock(&s->table);
	xa_for_each(&s->table, id, scan) {
		if (m && scan->m != m)
			continue;
		if (scan->busy) {
			scan->dropped = true;
			continue;
		}
		__xa_erase(&s->table, id);
		list_add(&scan->gone, &gone);
	}
	xa_unlock(&s->table);
	list_for_each_entry_safe(scan, next, &gone, gone)
		azs_scan_free(scan);
}

void azs_scans_drop_mapping(struct azs_scans *s, struct azs_mapping *m)
{
	azs_scans_drop(s, m);
}

void azs_scans_free(struct azs_scans *s)
{
	azs_scans_drop(s, NULL);
	xa_destroy(&s->table);
	kfree(s);
}

static struct azs_scan_state *azs_scan_get(struct azs_scans *s, struct azs_mapping *m, u64 id)
{
	struct azs_scan_state *scan = NULL;

	xa_lock(&s->table);
	if (id <= U32_MAX)
		scan = xa_load(&s->table, id);
	if (!scan || scan->m != m || scan->generation != m->generation)
		scan = ERR_PTR(-EBADF);
	else if (scan->busy)
		scan = ERR_PTR(-EBUSY);
	else
		scan->busy = true;
	xa_unlock(&s->table);
	return scan;
}

/* The call is over; @ended: so is the scan. */
static void azs_scan_put(struct azs_scans *s, struct azs_scan_state *scan, bool ended)
{
	xa_lock(&s->table);
	scan->busy = false;
	ended |= scan->dropped;
	if (ended && scan->id)
		__xa_erase(&s->table, scan->id);
	xa_unlock(&s->table);
	if (ended)
		azs_scan_free(scan);
}

/* Into the table, if it is not there: there is more to come. */
static int azs_scan_keep(struct azs_scans *s, struct azs_scan_state *scan)
{
	int err;

	if (scan->id)
		return 0;
	/* Room for AZS_MAX_SCANS: `next` goes round within the limit. */
	err = xa_alloc_cyclic(&s->table, &scan->id, scan, XA_LIMIT(1, AZS_MAX_SCANS), &s->next,
			      GFP_KERNEL);
	if (err >= 0)
		return 0;
	scan->id = 0;
	return err == -EBUSY ? -EMFILE : err;
}

/* ---- opening ---- */

/* Under the mapping's credentials. */
static struct file *azs_scan_open_dir(struct azs_mapping *m, const char *path)
{
	struct path found;
	struct file *dir;
	bool mounted;
	int err;

	err = azs_lookup(m, path, &found, &mounted);
	if (err)
		return ERR_PTR(err);
	if (mounted)
		err = -EXDEV;
	else if (!d_is_dir(found.dentry))
		err = d_is_symlink(found.dentry) ? -ELOOP : -ENOTDIR;
	else
		err = azs_inode_permission(m->root.mnt, d_backing_inode(found.dentry),
					   MAY_READ | MAY_EXEC);
	dir = err ? ERR_PTR(err) :
		    dentry_open(&found, O_RDONLY | O_DIRECTORY | O_NOATIME | O_LARGEFILE, m->cred);
	path_put(&found);
	return dir;
}

static struct azs_scan_state *azs_scan_begin(struct azs_mapping *m, struct azs_scan *req)
{
	struct azs_scan_state *scan;
	char *path = azs_path_get(req->path, req->path_len, true);
	int err;

	if (IS_ERR(path))
		return ERR_CAST(path);
	scan = kmalloc(sizeof(*scan), GFP_KERNEL_ACCOUNT);
	if (!scan) {
		kfree(path);
		return ERR_PTR(-ENOMEM);
	}
	memset(scan, 0, offsetof(struct azs_scan_state, names));
	azs_mapping_get(m);
	scan->m = m;
	scan->generation = m->generation;
	scan->busy = true;
	scan->dir = azs_scan_open_dir(m, path);
	kfree(path);
	if (!IS_ERR(scan->dir))
		return scan;
	err = PTR_ERR(scan->dir);
	scan->dir = NULL;
	azs_scan_free(scan);
	return ERR_PTR(err);
}

/* ---- reading ---- */

struct azs_scan_ctx {
	struct dir_context ctx;
	struct azs_scan_state *scan;
	int err;
};

static azs_filldir_ret azs_scan_actor(struct dir_context *ctx, const char *name, int len,
				      loff_t pos, u64 ino, unsigned int type)
{
	struct azs_scan_ctx *c = container_of(ctx, struct azs_scan_ctx, ctx);
	struct azs_scan_state *scan = c->scan;

	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return AZS_FILLDIR_MORE;
	/* A damaged directory, or a file system that lies. */
	if (len <= 0 || len > AZS_SCAN_NAME_MAX || memchr(name, '/', len) ||
	    memchr(name, '\0', len)) {
		c->err = -EIO;
		return AZS_FILLDIR_STOP;
	}
	if (len + 1 > AZS_SCAN_NAMES - scan->used)
		return AZS_FILLDIR_STOP;
	memcpy(scan->names + scan->used, name, len);
	scan->names[scan->used + len] = '\0';
	scan->used += len + 1;
	return AZS_FILLDIR_MORE;
}

/* Reads names ahead. 1: there are some; 0: the end. */
static int azs_scan_refill(struct azs_scan_state *scan)
{
	struct azs_scan_ctx c = { .ctx.actor = azs_scan_actor, .scan = scan };
	int err;

	scan->used = 0;
	scan->pos = 0;
	err = iterate_dir(scan->dir, &c.ctx) ?: c.err;
	return err ?: scan->used > 0;
}

static void azs_scan_count_mount(struct azs_mapping *m, const struct path *path)
{
	if (!azs_stats_counter(&m->stats, AZS_CNT_MOUNTS_SKIPPED))
		pr_info("%s: something is mounted on %pd4 below the folder; what is there is not uploaded (map it by itself)\n",
			m->name, path->dentry);
	azs_count(m, AZS_CNT_MOUNTS_SKIPPED);
}

static int azs_scan_copy_out(struct azs_scan *req, struct azs_dirent *ent, const char *name)
{
	char __user *dst = u64_to_user_ptr(req->buf) + req->used;
	size_t len = sizeof(*ent) + ent->name_len;

	if (copy_to_user(dst, ent, sizeof(*ent)) ||
	    copy_to_user(dst + sizeof(*ent), name, ent->name_len) ||
	    clear_user(dst + len, ent->len - len))
		return -EFAULT;
	req->used += ent->len;
	return 0;
}

/* The next name. 0, -ENOSPC: no room for it, or another error. */
static int azs_scan_emit(struct azs_scan_state *scan, struct azs_scan *req)
{
	const char *name = scan->names + scan->pos;
	struct azs_dirent ent;
	struct path found;
	bool mounted;
	int err;

	ent.name_len = strlen(name);
	ent.len = ALIGN(sizeof(ent) + ent.name_len + 1, 8);
	if (ent.len > req->buf_len - req->used)
		return -ENOSPC;
	err = azs_lookup_one(&scan->dir->f_path, name, &found, &mounted);
	if (!err) {
		if (mounted)
			azs_scan_count_mount(scan->m, &found);
		err = azs_stat_fill(&found, mounted, &ent.st) ?: azs_scan_copy_out(req, &ent, name);
		path_put(&found);
	}
	if (err && err != -ENOENT)
		return err;
	scan->pos += ent.name_len + 1;
	return 0;
}

/* 0: the end; 1: the buffer is full; or an error, by which the scan is over: what
 * is not complete must not look so. */
static int azs_scan_run(struct azs_scan_state *scan, struct azs_scan *req)
{
	int err;

	for (;;) {
		if (scan->pos == scan->used) {
			err = azs_scan_refill(scan);
			if (err <= 0)
				return err;
		}
		err = azs_scan_emit(scan, req);
		if (err)
			return err == -ENOSPC ? 1 : err;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
}

/* Under the mapping's credentials. */
static int azs_scan_work(struct azs_scans *s, struct azs_mapping *m, struct azs_scan *req)
{
	struct azs_scan_state *scan;
	int more;

	scan = req->scan ? azs_scan_get(s, m, req->scan) : azs_scan_begin(m, req);
	if (IS_ERR(scan))
		return PTR_ERR(scan);
	/* A directory that was moved out takes its scan with it. */
	more = path_is_under(&scan->dir->f_path, &m->root) ? azs_scan_run(scan, req) : -ENOENT;
	if (more > 0)
		more = azs_scan_keep(s, scan) ?: 1;
	req->scan = more > 0 ? scan->id : 0;
	azs_scan_put(s, scan, more <= 0);
	return min(more, 0);
}

int azs_file_scan(struct azs_scans *s, struct azs_mapping *m, struct azs_scan *req)
{
	const struct cred *old;
	struct azs_scan_state *scan;
	int err;

	req->used = 0;
	if (req->flags & AZS_SCAN_CLOSE) {
		scan = azs_scan_get(s, m, req->scan);
		if (IS_ERR(scan))
			return PTR_ERR(scan);
		azs_scan_put(s, scan, true);
		req->scan = 0;
		return 0;
	}
	if (req->buf_len < AZS_SCAN_BUF_MIN || req->buf_len > AZS_SCAN_BUF_MAX)
		return -EINVAL;
	err = azs_mapping_root_check(m);
	if (err)
		return err;
	old = override_creds(m->cred);
	err = azs_scan_work(s, m, req);
	revert_creds(old);
	return err;
}
