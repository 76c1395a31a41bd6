/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The device file, for tests: records checked to the letter, ioctls as functions. */
#include "azs.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define READ_BYTES (2 * AZS_READ_MIN)

int dev_open_raw(void)
{
	return open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

int dev_hello(int fd)
{
	struct azs_hello hello = { .abi_min = AZS_ABI_VERSION_MIN, .abi_max = AZS_ABI_VERSION };

	return ioctl(fd, AZS_IOC_HELLO, &hello);
}

void dev_close(struct dev *d)
{
	if (d->fd >= 0)
		CHECK_OK(close(d->fd));
	d->fd = -1;
	d->len = d->pos = 0;
}

static void close_device(void *d)
{
	dev_close(d);
}

struct dev *dev_open(void)
{
	struct dev *d = calloc(1, sizeof(*d));

	CHECK(d);
	d->buf = aligned_alloc(8, READ_BYTES);
	CHECK(d->buf);
	d->fd = (int)CHECK_OK(dev_open_raw());
	defer(close_device, d);
	CHECK_OK(dev_hello(d->fd));
	return d;
}

/* ---- records ---- */

/* Bytes after the text of a record: a NUL and zeroes up to a multiple of 8. */
static bool is_padded(const unsigned char *text, size_t len, size_t room)
{
	if (room < len + 1 || room - len > 8 || memchr(text, 0, len))
		return false;
	for (size_t i = len; i < room; i++) {
		if (text[i])
			return false;
	}
	return true;
}

static const char *parse_entry(const unsigned char *data, size_t len, struct rec *r)
{
	struct azs_rec_entry e;

	if (len < sizeof(e))
		return "an entry is cut";
	memcpy(&e, data, sizeof(e));
	if (e.path_len >= AZS_PATH_MAX || !is_padded(data + sizeof(e), e.path_len, len - sizeof(e)))
		return "an entry's path does not fill its record";
	if (e.flags & ~(AZS_ENTRY_CONTENT | AZS_ENTRY_LAGGED | AZS_ENTRY_RETRY))
		return "unknown flags of an entry";
	if (!e.entry || !e.seq)
		return "an entry without a number";
	if ((r->type == AZS_REC_INODE) != (e.ino != 0) ||
	    (r->type == AZS_REC_INODE && e.path_len))
		return "an inode number where a path belongs, or the reverse";
	r->entry = e.entry;
	r->seq = e.seq;
	r->age_ms = e.age_ms;
	r->ino = e.ino;
	r->generation = e.generation;
	r->flags = e.flags;
	memcpy(r->path, data + sizeof(e), e.path_len + 1);
	return NULL;
}

static const char *parse_up(struct dev *d, const unsigned char *data, size_t len, struct rec *r)
{
	const struct azs_rec_mapping_up *up = (const void *)data;
	size_t pos = sizeof(*up);

	if (len < sizeof(*up) || up->reserved)
		return "MAPPING_UP is cut, or its padding is not zero";
	for (uint32_t i = 0; i < up->nr_attrs; i++) {
		const struct azs_attr *a = (const void *)(data + pos);
		const unsigned char *name = (const void *)(a + 1);

		if (len - pos < sizeof(*a) || a->len > len - pos || a->len % 8 ||
		    a->len < sizeof(*a) + a->name_len + 2u + a->value_len)
			return "an attribute of MAPPING_UP is cut";
		if (name[a->name_len] || memchr(name, 0, a->name_len) ||
		    !is_padded(name + a->name_len + 1, a->value_len,
			       a->len - sizeof(*a) - a->name_len - 1))
			return "an attribute of MAPPING_UP is not padded";
		pos += a->len;
	}
	if (pos != len)
		return "MAPPING_UP does not end with its attributes";
	r->up = up;
	d->tick_ns = up->tick_ns;
	snprintf(r->path, sizeof(r->path), "%s", rec_attr(r, "name") ?: "");
	return NULL;
}

const char *rec_attr(const struct rec *r, const char *name)
{
	const unsigned char *p = (const void *)(r->up + 1);

	for (uint32_t i = 0; i < r->up->nr_attrs; i++) {
		const struct azs_attr *a = (const void *)p;
		const char *key = (const char *)(a + 1);

		if (strcmp(key, name) == 0)
			return key + a->name_len + 1;
		p += a->len;
	}
	return NULL;
}

static const char *parse(struct dev *d, struct rec *r)
{
	const unsigned char *data = d->buf + d->pos;
	struct azs_record hdr;

	memset(r, 0, offsetof(struct rec, path) + 1);
	r->up = NULL;
	if (d->len - d->pos < sizeof(hdr))
		return "a record's head is cut";
	memcpy(&hdr, data, sizeof(hdr));
	if (hdr.len % 8 || hdr.len < sizeof(hdr) || hdr.len > d->len - d->pos || hdr.reserved)
		return "a record's length or padding is wrong";
	if (!hdr.mapping.id || !hdr.mapping.generation)
		return "a record without a mapping";
	d->pos += hdr.len;
	r->type = hdr.type;
	r->mapping = hdr.mapping;
	switch (hdr.type) {
	case AZS_REC_MAPPING_UP:
		return parse_up(d, data, hdr.len, r);
	case AZS_REC_MAPPING_DOWN:
		return hdr.len == sizeof(hdr) ? NULL : "MAPPING_DOWN carries something";
	case AZS_REC_PATH:
	case AZS_REC_SUBTREE:
	case AZS_REC_INODE:
		return parse_entry(data, hdr.len, r);
	default:
		return "a record of unknown type";
	}
}

const char *dev_try_next(struct dev *d, struct rec *r, unsigned int timeout_ms, bool *got)
{
	uint64_t until = now_ms() + timeout_ms;

	*got = false;
	while (d->pos == d->len) {
		struct pollfd pfd = { .fd = d->fd, .events = POLLIN };
		ssize_t n = read(d->fd, d->buf, READ_BYTES);
		uint64_t now = now_ms();

		if (n < 0 && errno != EAGAIN)
			return strerror(errno);
		if (n == 0)
			return "read(2) returned 0";
		d->pos = 0;
		d->len = n < 0 ? 0 : (size_t)n;
		if (n > 0)
			break;
		if (now >= until)
			return NULL;
		poll(&pfd, 1, (int)(until - now));
	}
	*got = true;
	return parse(d, r);
}

bool dev_next(struct dev *d, struct rec *r, unsigned int timeout_ms)
{
	bool got;
	const char *wrong = dev_try_next(d, r, timeout_ms, &got);

	if (wrong)
		FAIL("read: %s", wrong);
	return got;
}

/* ---- expectations ---- */

void expect_rec(struct dev *d, struct rec *r, unsigned int type, const char *path)
{
	if (!dev_next(d, r, PATIENCE_MS))
		FAIL("no record came; expected type %u \"%s\"", type, path);
	if (r->type != type || strcmp(r->path, path) != 0)
		FAIL("record type %u \"%s\" came; expected %u \"%s\"", r->type, r->path, type,
		     path);
}

struct azs_mref expect_up(struct dev *d, const char *name)
{
	struct azs_mref m;
	struct rec r;

	expect_rec(d, &r, AZS_REC_MAPPING_UP, name);
	m = r.mapping;
	expect_rec(d, &r, AZS_REC_SUBTREE, "");
	CHECK_EQ(r.mapping.id, m.id);
	CHECK_EQ(dev_done(d, r.entry, AZS_DONE_OK, 0, 0), 1);
	return m;
}

void expect_none(struct dev *d, unsigned int ms)
{
	struct rec r;

	if (dev_next(d, &r, ms))
		FAIL("record type %u \"%s\" came unexpectedly", r.type, r.path);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *describe(const struct rec *r)
{
	const char *path = r->type == AZS_REC_INODE ? "#" : r->path;

	return fmt("%s%s%s%s%s", path, r->type == AZS_REC_SUBTREE ? "/" : "",
		   r->flags & AZS_ENTRY_CONTENT ? "*" : "", r->flags & AZS_ENTRY_LAGGED ? "+" : "",
		   r->flags & AZS_ENTRY_RETRY ? "^" : "");
}

const char *collect(struct dev *d, const char *name)
{
	const char *words[512], *text = "";
	uint64_t until = now_ms() + PATIENCE_MS;
	size_t n = 0;
	struct rec r;

	for (;;) {
		if (dev_next(d, &r, 10)) {
			CHECK_MSG(r.type >= AZS_REC_PATH, "record type %u came", r.type);
			CHECK(n < ARRAY_SIZE(words));
			words[n++] = describe(&r);
			CHECK_EQ(dev_done(d, r.entry, AZS_DONE_OK, 0, 0), 1);
		} else if (is_at_rest(name)) {
			break;
		}
		CHECK_MSG(now_ms() < until, "%llu pending, %llu out, not at rest",
			  map_gauge(name, "pending"), map_gauge(name, "in_flight"));
	}
	qsort(words, n, sizeof(words[0]), by_text);
	for (size_t i = 0; i < n; i++)
		text = fmt("%s%s%s", text, i ? " " : "", words[i]);
	return text;
}

/* ---- ioctls ---- */

int dev_open_file(struct dev *d, struct azs_mref m, uint64_t *entry, const char *path,
		  struct azs_open *out)
{
	struct azs_open req = {
		.mapping = m,
		.entry = *entry,
		.path = (uintptr_t)path,
		.path_len = (uint32_t)strlen(path),
		.fd = -1,
	};

	if (ioctl(d->fd, AZS_IOC_OPEN, &req) < 0)
		return -1;
	*entry = req.entry;
	if (out)
		*out = req;
	return req.fd;
}

int dev_stat(struct dev *d, struct azs_mref m, const char *path, struct azs_stat *st)
{
	struct azs_stat_req req = {
		.mapping = m,
		.path = (uintptr_t)path,
		.path_len = (uint32_t)strlen(path),
	};
	int ret = ioctl(d->fd, AZS_IOC_STAT, &req);

	if (ret == 0 && st)
		*st = req.st;
	return ret;
}

int dev_readlink(struct dev *d, struct azs_mref m, const char *path, char *buf, size_t len)
{
	struct azs_readlink req = {
		.mapping = m,
		.path = (uintptr_t)path,
		.path_len = (uint32_t)strlen(path),
		.buf = (uintptr_t)buf,
		.buf_len = (uint32_t)len - 1,
	};

	if (ioctl(d->fd, AZS_IOC_READLINK, &req) < 0)
		return -1;
	buf[req.len < len ? req.len : len - 1] = '\0';
	return (int)req.len;
}

int dev_stable(struct dev *d, uint64_t entry, bool *quiet)
{
	struct azs_stable req = { .entry = entry };

	if (ioctl(d->fd, AZS_IOC_STABLE, &req) < 0)
		return -1;
	*quiet = req.out_flags & AZS_STABLE_QUIET;
	return 0;
}

int dev_done(struct dev *d, uint64_t entry, unsigned int result, unsigned int delay_ms,
	     unsigned int flags)
{
	struct azs_done_item item = {
		.entry = entry,
		.result = result,
		.flags = flags,
		.delay_ms = delay_ms,
	};
	struct azs_done req = { .items = (uintptr_t)&item, .nr = 1 };

	return ioctl(d->fd, AZS_IOC_DONE, &req) < 0 ? -1 : (int)req.nr_known;
}

int dev_mark(struct dev *d, struct azs_mref m, const char *path, unsigned int flags)
{
	struct azs_mark req = {
		.mapping = m,
		.path = (uintptr_t)path,
		.path_len = (uint32_t)strlen(path),
		.flags = flags,
	};

	return ioctl(d->fd, AZS_IOC_MARK, &req);
}

static const char *walk_dirents(const unsigned char *buf, size_t used,
				bool (*fn)(const struct azs_dirent *, const char *, void *),
				void *arg, bool *more)
{
	for (size_t pos = 0; pos < used;) {
		const struct azs_dirent *de = (const void *)(buf + pos);

		if (used - pos < sizeof(*de) || de->len % 8 || de->len > used - pos ||
		    de->len < sizeof(*de) ||
		    !is_padded((const void *)(de + 1), de->name_len, de->len - sizeof(*de)))
			return "malformed";
		pos += de->len;
		*more = fn(de, (const char *)(de + 1), arg);
		if (!*more)
			break;
	}
	return NULL;
}

int dev_scan(struct dev *d, struct azs_mref m, const char *path,
	     bool (*fn)(const struct azs_dirent *de, const char *name, void *arg), void *arg)
{
	unsigned char *buf = aligned_alloc(8, 65536);
	struct azs_scan req = {
		.mapping = m,
		.path = (uintptr_t)path,
		.path_len = (uint32_t)strlen(path),
		.buf = (uintptr_t)buf,
		.buf_len = 65536,
	};
	bool more = true;
	int ret;

	do {
		ret = ioctl(d->fd, AZS_IOC_SCAN, &req);
		if (ret == 0 && walk_dirents(buf, req.used, fn, arg, &more)) {
			errno = EBADMSG;
			ret = -1;
		}
		/* The path belongs to the first call only. */
		req.path = 0;
		req.path_len = 0;
	} while (ret == 0 && req.scan && more);
	if (ret == 0 && req.scan) {
		req.flags = AZS_SCAN_CLOSE;
		req.buf = 0;
		req.buf_len = 0;
		ret = ioctl(d->fd, AZS_IOC_SCAN, &req);
	}
	free(buf);
	return ret;
}

/* ---- both together ---- */

static void leave_dir(void *arg)
{
	(void)arg;
	CHECK_OK(chdir("/"));
}

struct fixture fixture_prepare(const char *fs)
{
	struct fixture fx = { 0 };
	const char *dir;

	need_module();
	dir = fresh_dir(fs);
	fx.in = fmt("%s/in", dir);
	fx.out = fmt("%s/out", dir);
	make_dirs(fx.in);
	make_dirs(fx.out);
	CHECK_OK(chdir(dir));
	defer(leave_dir, NULL);
	return fx;
}

void fixture_enable(struct fixture *fx)
{
	map_set("m", "enable", "1");
	/* The first SUBTREE waits for settle_ms, too. */
	CHECK_OK(file_store(CLASS_DIR "/m/flush", "1"));
	fx->dev = dev_open();
	fx->m = expect_up(fx->dev, "m");
}

void fixture_up(struct fixture *fx)
{
	map_create_for("m", fx->in);
	fixture_enable(fx);
}

struct fixture fixture_with(const char *settle_ms, const char *max_lag_ms)
{
	struct fixture fx = fixture_prepare("tmpfs");

	map_create_for("m", fx.in);
	map_set("m", "settle_ms", settle_ms);
	map_set("m", "max_lag_ms", max_lag_ms);
	fixture_enable(&fx);
	return fx;
}
