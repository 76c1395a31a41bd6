/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The calls of /dev/azure_storage. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/kdev_uapi.h"

#define SCAN_BYTES	65536	/* some 400 entries a call */

struct kdev {
	int fd;
	struct kdev_version version;
};

struct kdev_scan {
	struct kdev *k;
	struct azs_mref mapping;
	uint64_t scan;			/* 0: the kernel has no more */
	size_t used;			/* bytes in buf */
	size_t pos;			/* of the next entry */
	unsigned char buf[SCAN_BYTES];
};

/* A signal may end a call that waits; none of them must be told to our callers. */
static int call(const struct kdev *k, unsigned long request, void *arg)
{
	int n;

	do
		n = ioctl(k->fd, request, arg);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static struct azs_mref to_mref(struct kdev_mref m)
{
	return (struct azs_mref){ .id = m.id, .generation = m.generation };
}

static int check_path(const char *path, size_t path_len, struct error *e)
{
	if (path_len > KDEV_PATH_MAX)
		return error_set(e, -ENAMETOOLONG, "a path of %zu bytes", path_len);
	return path ? 0 : error_set(e, -EINVAL, "no path");
}

/* "open 'some/path': Stale file handle" */
static int path_error(struct error *e, int err, const char *what, const char *path,
		      size_t path_len)
{
	if (!path_len && err == -ESTALE)
		return error_set(e, err, "the folder was removed, moved or mounted over");
	return error_set_errno(e, err, "%s '%.*s'", what, (int)path_len, path);
}

/* ------------------------------------------------------------- open and read */

static int check_hello(const struct azs_hello *h, struct kdev_version *v, struct error *e)
{
	if (h->abi_version < AZS_ABI_VERSION_MIN || h->abi_version > AZS_ABI_VERSION)
		return error_set(e, -EPROTO, "the module answered with protocol version %u",
				 h->abi_version);
	v->abi = h->abi_version;
	v->features = h->features;
	memcpy(v->module, h->module_version, sizeof(v->module));
	v->module[sizeof(v->module) - 1] = '\0';
	for (char *p = v->module; *p; p++)
		if (!isgraph((unsigned char)*p))
			*p = '?';
	return 0;
}

static int hello(struct kdev *k, const int *excluded, size_t nr, struct error *e)
{
	struct azs_hello h = {
		.abi_min = AZS_ABI_VERSION_MIN,
		.abi_max = AZS_ABI_VERSION,
		.nr_excluded = (uint32_t)nr,
	};
	int err;

	for (size_t i = 0; i < nr; i++)
		h.excluded[i] = excluded[i];
	err = call(k, AZS_IOC_HELLO, &h);
	if (err == -EPROTO)
		return error_set(e, err, "the module in memory speaks protocol versions %u to %u, "
				 "this uploader %u to %u: reboot to load the module that belongs "
				 "to it", h.abi_min, h.abi_max, AZS_ABI_VERSION_MIN,
				 AZS_ABI_VERSION);
	if (err == -EBUSY)
		return error_set(e, err, "another uploader is connected to the module");
	if (err)
		return error_set_errno(e, err, "the module refused the uploader");
	return check_hello(&h, &k->version, e);
}

int kdev_open(struct kdev **out, const char *path, const int *excluded, size_t nr_excluded,
	      struct error *e)
{
	struct kdev *k;
	int err;

	if (nr_excluded > KDEV_MAX_EXCLUDED)
		return error_set(e, -EINVAL, "%zu excluded directories, at most %d", nr_excluded,
				 KDEV_MAX_EXCLUDED);
	if (!path)
		path = KDEV_PATH;
	k = calloc(1, sizeof(*k));
	if (!k)
		return error_set_errno(e, -ENOMEM, "%s", path);
	k->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (k->fd < 0) {
		err = -errno;
		if (err == -ENOENT)
			error_set(e, err, "%s is not there: the module azure_storage is not loaded",
				  path);
		else if (err == -EBUSY)
			error_set(e, err, "%s: another uploader is connected", path);
		else
			error_set_errno(e, err, "%s", path);
		goto err_free;
	}
	err = hello(k, excluded, nr_excluded, e);
	if (err)
		goto err_close;
	*out = k;
	return 0;

err_close:
	close(k->fd);
err_free:
	free(k);
	return err;
}

void kdev_close(struct kdev *k)
{
	if (!k)
		return;
	close(k->fd);
	free(k);
}

int kdev_fd(const struct kdev *k)
{
	return k->fd;
}

const struct kdev_version *kdev_version(const struct kdev *k)
{
	return &k->version;
}

int kdev_read(struct kdev *k, struct kdev_batch *b, struct error *e)
{
	ssize_t n;

	b->len = 0;
	b->pos = 0;
	do
		n = read(k->fd, b->data, b->size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_set_errno(e, -errno, "cannot read from the device");
	if (n == 0)
		return error_set(e, -EIO, "the device has ended");
	b->len = (size_t)n;
	return 0;
}

/* -------------------------------------------------------------------- files */

int kdev_file_open(struct kdev *k, struct kdev_mref m, uint64_t entry, const char *path,
		   size_t path_len, struct kdev_file *out, struct error *e)
{
	struct azs_open req = {
		.mapping = to_mref(m),
		.entry = entry,
		.path = (uintptr_t)path,
		.path_len = (uint32_t)path_len,
		.fd = -1,
	};
	int err = check_path(path, path_len, e);

	if (err)
		return err;
	err = call(k, AZS_IOC_OPEN, &req);
	if (err)
		return path_error(e, err, "open", path, path_len);
	if (req.fd < 0)
		return error_set(e, -EBADMSG, "the device gave no descriptor");
	out->fd = req.fd;
	out->entry = req.entry;
	out->writer = req.out_flags & AZS_OPEN_WRITER;
	kdev_stat_decode(&out->st, &req.st);
	return 0;
}

int kdev_stat(struct kdev *k, struct kdev_mref m, const char *path, size_t path_len,
	      struct kdev_stat *out, struct error *e)
{
	struct azs_stat_req req = {
		.mapping = to_mref(m),
		.path = (uintptr_t)path,
		.path_len = (uint32_t)path_len,
	};
	int err = check_path(path, path_len, e);

	if (err)
		return err;
	err = call(k, AZS_IOC_STAT, &req);
	if (err)
		return path_error(e, err, "stat", path, path_len);
	kdev_stat_decode(out, &req.st);
	return 0;
}

ssize_t kdev_readlink(struct kdev *k, struct kdev_mref m, const char *path, size_t path_len,
		      char *buf, size_t size, struct error *e)
{
	struct azs_readlink req = {
		.mapping = to_mref(m),
		.path = (uintptr_t)path,
		.path_len = (uint32_t)path_len,
		.buf = (uintptr_t)buf,
	};
	int err = check_path(path, path_len, e);

	if (err)
		return err;
	if (size < 2)
		return error_set(e, -EINVAL, "no room for a link's target");
	req.buf_len = size - 1 > KDEV_PATH_MAX ? KDEV_PATH_MAX : (uint32_t)(size - 1);
	err = call(k, AZS_IOC_READLINK, &req);
	if (!err && req.len > req.buf_len)
		err = -ENAMETOOLONG;
	if (err)
		return path_error(e, err, "read link", path, path_len);
	buf[req.len] = '\0';
	return (ssize_t)req.len;
}

/* --------------------------------------------------------------- directories */

static int scan_fill(struct kdev_scan *s, const char *path, size_t path_len, struct error *e)
{
	struct azs_scan req = {
		.mapping = s->mapping,
		.scan = s->scan,
		.path = (uintptr_t)path,
		.path_len = (uint32_t)path_len,
		.buf = (uintptr_t)s->buf,
		.buf_len = sizeof(s->buf),
	};
	int err = call(s->k, AZS_IOC_SCAN, &req);

	s->used = 0;
	s->pos = 0;
	if (err)
		return path_error(e, err, "list", path ? path : "(continued)",
				  path ? path_len : strlen("(continued)"));
	s->scan = req.scan;
	if (req.used > sizeof(s->buf))
		return error_set(e, -EBADMSG, "the device says it filled %u bytes of %zu", req.used,
				 sizeof(s->buf));
	s->used = req.used;
	return 0;
}

int kdev_scan_open(struct kdev_scan **out, struct kdev *k, struct kdev_mref m,
		   const char *path, size_t path_len, struct error *e)
{
	struct kdev_scan *s;
	int err = check_path(path, path_len, e);

	if (err)
		return err;
	s = malloc(sizeof(*s));
	if (!s)
		return path_error(e, -ENOMEM, "list", path, path_len);
	s->k = k;
	s->mapping = to_mref(m);
	s->scan = 0;
	err = scan_fill(s, path, path_len, e);
	if (err) {
		kdev_scan_close(s);
		return err;
	}
	*out = s;
	return 0;
}

int kdev_scan_next(struct kdev_scan *s, struct kdev_dirent *d, struct error *e)
{
	int n;

	for (;;) {
		n = kdev_dirent_decode(s->buf, s->used, &s->pos, d, e);
		if (n != 0 || s->scan == 0)
			return n;
		n = scan_fill(s, NULL, 0, e);
		if (n)
			return n;
	}
}

void kdev_scan_close(struct kdev_scan *s)
{
	if (!s)
		return;
	if (s->scan) {
		struct azs_scan req = {
			.mapping = s->mapping,
			.scan = s->scan,
			.flags = AZS_SCAN_CLOSE,
		};

		/* Fails only for a scan that is gone already. */
		(void)call(s->k, AZS_IOC_SCAN, &req);
	}
	free(s);
}

/* ------------------------------------------------------------------ verdicts */

int kdev_stable(struct kdev *k, uint64_t entry, bool *quiet, struct error *e)
{
	struct azs_stable req = { .entry = entry };
	int err = call(k, AZS_IOC_STABLE, &req);

	if (err)
		return error_set_errno(e, err, "cannot ask whether entry %" PRIu64 " was quiet",
				       entry);
	*quiet = req.out_flags & AZS_STABLE_QUIET;
	return 0;
}

static const uint32_t done_results[] = {
	[KDEV_OK] = AZS_DONE_OK,
	[KDEV_AGAIN] = AZS_DONE_AGAIN,
	[KDEV_PARKED] = AZS_DONE_PARKED,
};

static int done_some(struct kdev *k, const struct kdev_done_item *items, size_t nr,
		     struct error *e)
{
	struct azs_done_item *list = calloc(nr, sizeof(*list));
	struct azs_done req = { .items = (uintptr_t)list, .nr = (uint32_t)nr };
	int err;

	if (!list)
		return error_set_errno(e, -ENOMEM, "cannot report %zu entries", nr);
	for (size_t i = 0; i < nr; i++) {
		list[i] = (struct azs_done_item){
			.entry = items[i].entry,
			.result = done_results[items[i].result],
			.flags = items[i].flags,
			.bytes = items[i].bytes,
			.delay_ms = items[i].result == KDEV_AGAIN ? items[i].delay_ms : 0,
		};
	}
	err = call(k, AZS_IOC_DONE, &req);
	free(list);
	return err ? error_set_errno(e, err, "cannot report %zu entries", nr) : 0;
}

int kdev_done(struct kdev *k, const struct kdev_done_item *items, size_t nr, struct error *e)
{
	while (nr > 0) {
		size_t some = nr < KDEV_MAX_DONE ? nr : KDEV_MAX_DONE;
		int err = done_some(k, items, some, e);

		if (err)
			return err;
		items += some;
		nr -= some;
	}
	return 0;
}

int kdev_mark(struct kdev *k, struct kdev_mref m, const char *path, size_t path_len,
	      uint32_t flags, struct error *e)
{
	struct azs_mark req = {
		.mapping = to_mref(m),
		.path = (uintptr_t)path,
		.path_len = (uint32_t)path_len,
		.flags = flags,
	};
	int err = check_path(path, path_len, e);

	if (err)
		return err;
	err = call(k, AZS_IOC_MARK, &req);
	return err ? path_error(e, err, "mark", path, path_len) : 0;
}

int kdev_report(struct kdev *k, struct kdev_mref m, const struct kdev_report *r,
		struct error *e)
{
	size_t len = r->error ? strnlen(r->error, KDEV_ERROR_MAX) : 0;
	struct azs_report req = {
		.mapping = to_mref(m),
		.flags = (r->blocked ? AZS_REPORT_BLOCKED : 0) |
			 (r->error ? AZS_REPORT_SET_ERROR : 0),
		.error_len = (uint32_t)len,
		.error = len ? (uintptr_t)r->error : 0,
		.backlog_files = r->backlog_files,
		.backlog_bytes = r->backlog_bytes,
		.failed = r->failed,
		.deletes_held = r->deletes_held,
		.last_success_s = r->last_success_s,
		.requests = r->requests,
		.retries = r->retries,
		.drifted = r->drifted,
		.copied_blobs = r->copied_blobs,
		.deleted_blobs = r->deleted_blobs,
		.skipped = r->skipped,
	};
	int err = call(k, AZS_IOC_REPORT, &req);

	return err ? error_set_errno(e, err, "cannot report on mapping %u", m.id) : 0;
}
