// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * OPEN, STAT and READLINK: answers about what lies below a mapping's root.
 *
 * The uploader is not trusted with more than that: it names a relative path, and
 * the look-up starts at the pinned root, goes beneath only, follows no link and
 * crosses no mount, under the credentials of the one who enabled the mapping.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "dirty.h"
#include "file.h"
#include "mapping.h"

/* Inode number of the root of each btrfs subvolume. */
#define AZS_BTRFS_SUBVOLUME_INO	256

/* ---- paths ---- */

static bool azs_is_component(const char *s, size_t len)
{
	return len && !(len == 1 && s[0] == '.') && !(len == 2 && s[0] == '.' && s[1] == '.');
}

static bool azs_is_relative_path(const char *path)
{
	size_t len;

	for (;; path += len + 1) {
		len = strcspn(path, "/");
		if (!azs_is_component(path, len))
			return false;
		if (!path[len])
			return true;
	}
}

char *azs_path_get(u64 upath, u32 len, bool empty_ok)
{
	char *path;

	if (len >= AZS_PATH_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	path = memdup_user_nul(u64_to_user_ptr(upath), len);
	if (IS_ERR(path))
		return path;
	if (!memchr(path, '\0', len) && (len ? azs_is_relative_path(path) : empty_ok))
		return path;
	kfree(path);
	return ERR_PTR(-EINVAL);
}

/* ---- look-up ---- */

/*
 * The name is one component and not `..`, so that it can lead nowhere but to
 * this directory's child or to what is mounted on it; that is climbed back from.
 */
int azs_lookup_one(const struct path *dir, const char *name, struct path *out, bool *mounted)
{
	int err = vfs_path_lookup(dir->dentry, dir->mnt, name, LOOKUP_NO_SYMLINKS, out);

	*mounted = false;
	if (err)
		return err;
	while (out->mnt != dir->mnt) {
		*mounted = true;
		if (!follow_up(out)) {
			path_put(out);
			return -EBUSY;	/* unmounted under our feet; do ask again */
		}
	}
	return 0;
}

/* For where azs_lookup() found a mount: is it on the last component alone? */
static int azs_lookup_covered(struct azs_mapping *m, const char *path, struct path *out,
			      bool *mounted)
{
	const char *slash = strrchr(path, '/');
	struct path dir;
	char *parent;
	int err;

	if (!slash)
		return azs_lookup_one(&m->root, path, out, mounted);
	parent = kmemdup_nul(path, slash - path, GFP_KERNEL);
	if (!parent)
		return -ENOMEM;
	err = vfs_path_lookup(m->root.dentry, m->root.mnt, parent,
			      LOOKUP_BENEATH | LOOKUP_NO_SYMLINKS | LOOKUP_NO_XDEV |
			      LOOKUP_DIRECTORY, &dir);
	kfree(parent);
	if (err)
		return err;
	err = azs_lookup_one(&dir, slash + 1, out, mounted);
	path_put(&dir);
	return err;
}

static int azs_lookup_uncrossed(struct azs_mapping *m, const char *path, struct path *out)
{
	return vfs_path_lookup(m->root.dentry, m->root.mnt, path,
			       LOOKUP_BENEATH | LOOKUP_NO_SYMLINKS | LOOKUP_NO_XDEV, out);
}

int azs_lookup(struct azs_mapping *m, const char *path, struct path *out, bool *mounted)
{
	int err;

	*mounted = false;
	if (!*path) {
		*out = m->root;
		path_get(out);
		return 0;
	}
	err = azs_lookup_uncrossed(m, path, out);
	return err == -EXDEV ? azs_lookup_covered(m, path, out, mounted) : err;
}

/* ---- STAT ---- */

static u32 azs_stat_flags(struct inode *inode, bool mounted)
{
	u32 flags = mounted ? AZS_STAT_MOUNTPOINT : 0;

	if (S_ISREG(inode->i_mode) && inode_is_open_for_write(inode))
		flags |= AZS_STAT_WRITER;
	if (S_ISDIR(inode->i_mode) && inode->i_sb->s_magic == BTRFS_SUPER_MAGIC &&
	    inode->i_ino == AZS_BTRFS_SUBVOLUME_INO)
		flags |= AZS_STAT_SUBVOLUME;
	return flags;
}

int azs_stat_fill(const struct path *path, bool mounted, struct azs_stat *st)
{
	struct inode *inode = d_backing_inode(path->dentry);
	struct kstat ks;
	int err;

	memset(st, 0, sizeof(*st));
	/* Before the times are read: a writer that comes later changes them. */
	st->flags = azs_stat_flags(inode, mounted);
	err = vfs_getattr(path, &ks, STATX_BASIC_STATS | AZS_STATX_SUBVOL, AT_STATX_SYNC_AS_STAT);
	if (err)
		return err;
	st->mode = ks.mode;
	st->nlink = ks.nlink;
	st->uid = from_kuid_munged(&init_user_ns, ks.uid);
	st->gid = from_kgid_munged(&init_user_ns, ks.gid);
	st->ino = ks.ino;
	st->generation = inode->i_generation;
	st->subvol = azs_kstat_subvol(&ks);
	st->dev = new_encode_dev(ks.dev);
	st->size = ks.size;
	st->allocated = ks.blocks << 9;
	st->mtime_sec = ks.mtime.tv_sec;
	st->mtime_nsec = ks.mtime.tv_nsec;
	st->ctime_sec = ks.ctime.tv_sec;
	st->ctime_nsec = ks.ctime.tv_nsec;
	return 0;
}

int azs_file_stat(struct azs_mapping *m, struct azs_stat_req *req)
{
	char *path = azs_path_get(req->path, req->path_len, true);
	const struct cred *old;
	struct path found;
	bool mounted;
	int err;

	if (IS_ERR(path))
		return PTR_ERR(path);
	err = azs_mapping_root_check(m);
	if (err)
		goto out;
	old = override_creds(m->cred);
	err = azs_lookup(m, path, &found, &mounted);
	if (!err) {
		err = azs_stat_fill(&found, mounted, &req->st);
		path_put(&found);
	}
	revert_creds(old);
out:
	kfree(path);
	return err;
}

/* ---- READLINK ---- */

static int azs_link_read(struct azs_mapping *m, const char *path, struct azs_readlink *req)
{
	const struct cred *old = override_creds(m->cred);
	DEFINE_DELAYED_CALL(done);
	const char *target = NULL;
	struct path found;
	bool mounted;
	int err;

	err = azs_lookup(m, path, &found, &mounted);
	if (!err) {
		target = vfs_get_link(found.dentry, &done);
		err = PTR_ERR_OR_ZERO(target);
	}
	revert_creds(old);
	if (!target)
		return err;
	if (!err) {
		req->len = strlen(target);
		if (copy_to_user(u64_to_user_ptr(req->buf), target, min(req->len, req->buf_len)))
			err = -EFAULT;
	}
	do_delayed_call(&done);
	path_put(&found);
	return err;
}

int azs_file_readlink(struct azs_mapping *m, struct azs_readlink *req)
{
	char *path = azs_path_get(req->path, req->path_len, false);
	int err;

	if (IS_ERR(path))
		return PTR_ERR(path);
	err = azs_mapping_root_check(m) ?: azs_link_read(m, path, req);
	kfree(path);
	return err;
}

/* ---- OPEN ---- */

/* dentry_open() asks for no permission and opens whatever it is given. */
static int azs_check_openable(const struct path *path)
{
	struct inode *inode = d_backing_inode(path->dentry);

	if (S_ISDIR(inode->i_mode))
		return -EISDIR;
	if (S_ISLNK(inode->i_mode))
		return -ELOOP;
	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	return azs_inode_permission(path->mnt, inode, MAY_READ | MAY_OPEN);
}

static struct file *azs_open_path(const struct path *path, const struct cred *cred,
				  struct azs_stat *st)
{
	struct file *file;
	int err;

	/* Not blocking: on a lease that somebody holds. */
	file = dentry_open(path, O_RDONLY | O_NONBLOCK | O_NOATIME | O_LARGEFILE, cred);
	if (IS_ERR(file))
		return file;
	if (file_inode(file) != d_backing_inode(path->dentry))
		err = -ESTALE;
	else
		err = azs_stat_fill(&file->f_path, false, st);
	if (!err)
		return file;
	fput(file);
	return ERR_PTR(err);
}

/* Under the mapping's credentials. */
static int azs_open_at(struct azs_mapping *m, const char *path, struct azs_open *req,
		       struct file **filp)
{
	const u64 lead = req->entry;
	struct path found;
	u32 flags = 0;
	int err;

	err = azs_lookup_uncrossed(m, path, &found);
	if (err)
		return err;
	err = azs_check_openable(&found);
	if (err)
		goto out;
	err = azs_dirty_open(m, &req->entry, path, req->path_len,
			     d_backing_inode(found.dentry), &flags);
	if (err)
		goto out;
	*filp = azs_open_path(&found, m->cred, &req->st);
	if (IS_ERR(*filp)) {
		err = PTR_ERR(*filp);
		/* What waiting does not help stays out: the uploader says what becomes of
		 * it. A number that it has not learnt must not. */
		if (err == -EWOULDBLOCK || req->entry != lead)
			azs_dirty_open_failed(m, req->entry);
		goto out;
	}
	req->out_flags = flags;
out:
	path_put(&found);
	return err;
}

int azs_file_open(struct azs_mapping *m, struct azs_open *req, struct file **filp)
{
	char *path = azs_path_get(req->path, req->path_len, false);
	const struct cred *old;
	int err;

	if (IS_ERR(path))
		return PTR_ERR(path);
	err = azs_mapping_root_check(m);
	if (!err) {
		old = override_creds(m->cred);
		err = azs_open_at(m, path, req, filp);
		revert_creds(old);
	}
	kfree(path);
	return err;
}
