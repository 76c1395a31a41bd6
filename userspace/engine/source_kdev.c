/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A mapping of the kernel's device as a source: hardly more than the table. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/source.h"

struct source_device {
	struct source base;
	struct kdev *kdev;
};

static struct kdev *kdev_of(struct source *s)
{
	return ((struct source_device *)s)->kdev;
}

static int device_open(struct source *s, uint64_t entry, const char *path, size_t len,
		       struct kdev_file *out, struct error *e)
{
	return kdev_file_open(kdev_of(s), s->mref, entry, path, len, out, e);
}

static void device_close(struct source *s, struct kdev_file *file)
{
	(void)s;
	close(file->fd);
	file->fd = -1;
}

static int device_stat(struct source *s, const char *path, size_t len, struct kdev_stat *out,
		       struct error *e)
{
	return kdev_stat(kdev_of(s), s->mref, path, len, out, e);
}

static ssize_t device_readlink(struct source *s, const char *path, size_t len, char *buf,
			       size_t size, struct error *e)
{
	return kdev_readlink(kdev_of(s), s->mref, path, len, buf, size, e);
}

static int device_stable(struct source *s, const struct kdev_file *file, bool *quiet,
			 struct error *e)
{
	*quiet = false;
	return kdev_stable(kdev_of(s), file->entry, quiet, e);
}

static int device_scan_open(struct source *s, struct source_scan **out, const char *path,
			    size_t len, struct error *e)
{
	return kdev_scan_open((struct kdev_scan **)out, kdev_of(s), s->mref, path, len, e);
}

static int device_scan_next(struct source_scan *scan, struct kdev_dirent *d, struct error *e)
{
	return kdev_scan_next((struct kdev_scan *)scan, d, e);
}

static void device_scan_close(struct source_scan *scan)
{
	kdev_scan_close((struct kdev_scan *)scan);
}

static int device_done(struct source *s, const struct kdev_done_item *items, size_t nr,
		       struct error *e)
{
	return kdev_done(kdev_of(s), items, nr, e);
}

static int device_mark(struct source *s, const char *path, size_t len, uint32_t flags,
		       struct error *e)
{
	return kdev_mark(kdev_of(s), s->mref, path, len, flags, e);
}

static int device_report(struct source *s, const struct kdev_report *r, struct error *e)
{
	return kdev_report(kdev_of(s), s->mref, r, e);
}

static void device_free(struct source *s)
{
	free(s);
}

static const struct source_ops device_ops = {
	.open = device_open,
	.close = device_close,
	.stat = device_stat,
	.readlink = device_readlink,
	.stable = device_stable,
	.scan_open = device_scan_open,
	.scan_next = device_scan_next,
	.scan_close = device_scan_close,
	.done = device_done,
	.mark = device_mark,
	.report = device_report,
	.free = device_free,
};

struct source *source_kdev_create(struct kdev *kdev, struct kdev_mref mref)
{
	struct source_device *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->base.ops = &device_ops;
	d->base.mref = mref;
	d->kdev = kdev;
	return &d->base;
}
