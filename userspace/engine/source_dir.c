/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A plain directory as a source. Names are resolved beneath it by openat2(2): no symbolic link is
 * followed, no mount is crossed. Nobody tells of changes here, so a file is stable when stat(2)
 * says the same before and after, and says that the last change was not a moment ago.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "engine/source.h"

struct source_dir {
	struct source base;
	int root;
	struct source_dir_identity identity;
};

struct source_scan {
	DIR *dir;
};

static struct source_dir *to_dir(struct source *s)
{
	return (struct source_dir *)s;
}

/* Negative errno as the device's: ENOENT, ENOTDIR, ELOOP, EXDEV. */
static int open_beneath(const struct source_dir *d, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)flags | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	long fd = syscall(SYS_openat2, d->root, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

#define STATX_WANTED (STATX_BASIC_STATS | STATX_BTIME)

/* Of `name` in the directory `fd`, or of `fd` itself where name is "". Negative errno. */
static int do_stat(int fd, const char *name, struct kdev_stat *out)
{
	struct statx sx;

	if (statx(fd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_WANTED,
		  &sx))
		return -errno;
	*out = (struct kdev_stat){
		.mode = sx.stx_mode,
		.nlink = sx.stx_nlink,
		.uid = sx.stx_uid,
		.gid = sx.stx_gid,
		.ino = sx.stx_ino,
		.dev = makedev(sx.stx_dev_major, sx.stx_dev_minor),
		.size = sx.stx_size,
		.allocated = sx.stx_blocks * 512,
		.mtime_ns = sx.stx_mtime.tv_sec * 1000000000LL + sx.stx_mtime.tv_nsec,
		.ctime_ns = sx.stx_ctime.tv_sec * 1000000000LL + sx.stx_ctime.tv_nsec,
		.mountpoint = (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0,
	};
	return 0;
}

static int dir_open(struct source *s, uint64_t entry, const char *path, size_t len,
		    struct kdev_file *out, struct error *e)
{
	int fd, r;

	(void)len;
	memset(out, 0, sizeof(*out));
	/* O_NONBLOCK: a fifo must not hold a worker up. */
	fd = open_beneath(to_dir(s), path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return error_set_errno(e, fd, "cannot open the file");
	out->fd = fd;
	out->entry = entry;
	r = do_stat(fd, "", &out->st);
	if (!r && !S_ISREG(out->st.mode))
		r = S_ISDIR(out->st.mode) ? -EISDIR : -EINVAL;
	if (!r)
		return 0;
	close(fd);
	out->fd = -1;
	return error_set_errno(e, r, "not a regular file");
}

static void dir_close(struct source *s, struct kdev_file *file)
{
	(void)s;
	close(file->fd);
	file->fd = -1;
}

static int dir_stat(struct source *s, const char *path, size_t len, struct kdev_stat *out,
		    struct error *e)
{
	int r, fd = open_beneath(to_dir(s), path, O_PATH);

	(void)len;
	if (fd < 0)
		return error_set_errno(e, fd, "cannot look the file up");
	r = do_stat(fd, "", out);
	close(fd);
	/* A folder that was removed is empty to who still holds it: not a reason to delete. */
	if (!r && !*path && !out->nlink)
		r = -ESTALE;
	return r ? error_set_errno(e, r, "cannot look the file up") : 0;
}

static ssize_t dir_readlink(struct source *s, const char *path, size_t len, char *buf, size_t size,
			    struct error *e)
{
	int fd = open_beneath(to_dir(s), path, O_PATH);
	ssize_t n;

	(void)len;
	if (fd < 0)
		return error_set_errno(e, fd, "cannot look the link up");
	n = readlinkat(fd, "", buf, size);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return error_set_errno(e, (int)n, "readlink");
	if ((size_t)n >= size)
		return error_set(e, -ENAMETOOLONG, "the link's target is too long");
	buf[n] = '\0';
	return n;
}

static int dir_stable(struct source *s, const struct kdev_file *file, bool *quiet,
		      struct error *e)
{
	struct kdev_stat now;
	int r = do_stat(file->fd, "", &now);

	(void)s;
	if (r)
		return error_set_errno(e, r, "stat");
	*quiet = now.size == file->st.size && now.mtime_ns == file->st.mtime_ns &&
		 now.ctime_ns == file->st.ctime_ns;
	return 0;
}

static int dir_scan_open(struct source *s, struct source_scan **out, const char *path, size_t len,
			 struct error *e)
{
	struct source_scan *scan;
	int fd = open_beneath(to_dir(s), path, O_RDONLY | O_DIRECTORY);

	(void)len;
	*out = NULL;
	if (fd < 0)
		return error_set_errno(e, fd, "cannot read the directory");
	scan = calloc(1, sizeof(*scan));
	if (scan)
		scan->dir = fdopendir(fd);
	if (!scan || !scan->dir) {
		free(scan);
		close(fd);
		return error_set(e, -ENOMEM, "no memory");
	}
	*out = scan;
	return 0;
}

static int dir_scan_next(struct source_scan *scan, struct kdev_dirent *d, struct error *e)
{
	struct dirent *de;
	int r;

	for (;;) {
		errno = 0;
		de = readdir(scan->dir);
		if (!de)
			return errno ? error_set_errno(e, -errno, "cannot read the directory") : 0;
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		r = do_stat(dirfd(scan->dir), de->d_name, &d->st);
		if (!r)
			break;
		if (r != -ENOENT)
			return error_set_errno(e, r, "cannot look the file up");
	}
	d->name = de->d_name;
	d->name_len = strlen(de->d_name);
	return 1;
}

static void dir_scan_close(struct source_scan *scan)
{
	if (!scan)
		return;
	closedir(scan->dir);
	free(scan);
}

/* The one entry's verdict reaches push through the engine: there is no kernel to tell. */
static int dir_done(struct source *s, const struct kdev_done_item *items, size_t nr,
		    struct error *e)
{
	(void)s;
	(void)items;
	(void)nr;
	(void)e;
	return 0;
}

static int dir_mark(struct source *s, const char *path, size_t len, uint32_t flags,
		    struct error *e)
{
	(void)s;
	(void)path;
	(void)len;
	(void)flags;
	return error_set(e, -EOPNOTSUPP, "a plain directory keeps no marks");
}

static int dir_report(struct source *s, const struct kdev_report *r, struct error *e)
{
	(void)s;
	(void)r;
	(void)e;
	return 0;
}

static void dir_free(struct source *s)
{
	close(to_dir(s)->root);
	free(s);
}

static const struct source_ops dir_ops = {
	.open = dir_open,
	.close = dir_close,
	.stat = dir_stat,
	.readlink = dir_readlink,
	.stable = dir_stable,
	.scan_open = dir_scan_open,
	.scan_next = dir_scan_next,
	.scan_close = dir_scan_close,
	.done = dir_done,
	.mark = dir_mark,
	.report = dir_report,
	.free = dir_free,
};

/* f_fsid is kept across mounts by the filesystems that matter; zeroes where there is none. */
static int identify(struct source_dir *d, struct error *e)
{
	struct statfs fs;
	struct statx sx;

	if (fstatfs(d->root, &fs) ||
	    statx(d->root, "", AT_EMPTY_PATH, STATX_WANTED, &sx))
		return error_set_errno(e, -errno, "stat");
	memcpy(d->identity.fs_uuid, &fs.f_fsid, sizeof(fs.f_fsid));
	d->identity.root_ino = sx.stx_ino;
	if (sx.stx_mask & STATX_BTIME)
		d->identity.root_btime_ns = sx.stx_btime.tv_sec * 1000000000LL +
					    sx.stx_btime.tv_nsec;
	return 0;
}

int source_dir_create(struct source **out, const char *path, struct error *e)
{
	struct source_dir *d = calloc(1, sizeof(*d));
	int r;

	*out = NULL;
	if (!d)
		return error_set(e, -ENOMEM, "no memory");
	d->base.ops = &dir_ops;
	d->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = d->root < 0 ? error_set_errno(e, -errno, "%s", path) : identify(d, e);
	if (r) {
		if (d->root >= 0)
			close(d->root);
		free(d);
		return r;
	}
	*out = &d->base;
	return 0;
}

void source_dir_identity(struct source *s, struct source_dir_identity *out)
{
	*out = to_dir(s)->identity;
}
