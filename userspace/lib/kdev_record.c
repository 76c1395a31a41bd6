/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Records of the device, decoded. The module is trusted with the files, not with our
 * memory: every length is checked against what was read before it is used, and headers
 * are copied out, so that alignment does not matter.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/kdev_uapi.h"

#define BATCH_BYTES	(2 * AZS_READ_MIN)

_Static_assert(KDEV_PATH_MAX == AZS_PATH_MAX - 1, "a path without its NUL");
_Static_assert(KDEV_MAX_EXCLUDED == AZS_MAX_EXCLUDED, "directories in HELLO");
_Static_assert(KDEV_MAX_DONE == AZS_MAX_DONE, "items in one DONE");
_Static_assert(KDEV_ERROR_MAX == AZS_ERROR_MAX - 1, "an error without its NUL");
_Static_assert(KDEV_CONTENT == AZS_ENTRY_CONTENT && KDEV_LAGGED == AZS_ENTRY_LAGGED &&
	       KDEV_RETRY == AZS_ENTRY_RETRY, "flags of an entry are passed on");
_Static_assert(KDEV_DID_UPLOAD == AZS_DONE_UPLOADED && KDEV_DID_COPY == AZS_DONE_COPIED &&
	       KDEV_DID_DELETE == AZS_DONE_DELETED && KDEV_DID_SKIP == AZS_DONE_SKIPPED &&
	       KDEV_UNQUIET == AZS_DONE_UNQUIET, "flags of DONE are passed on");
_Static_assert(KDEV_MARK_CONTENT == AZS_MARK_CONTENT && KDEV_MARK_SUBTREE == AZS_MARK_SUBTREE,
	       "flags of MARK are passed on");

int kdev_batch_init(struct kdev_batch *b)
{
	*b = (struct kdev_batch){ .data = malloc(BATCH_BYTES), .size = BATCH_BYTES };
	return b->data ? 0 : -ENOMEM;
}

void kdev_batch_free(struct kdev_batch *b)
{
	free(b->data);
	*b = (struct kdev_batch){ 0 };
}

/* ------------------------------------------------------------------- pieces */

static int64_t to_ns(int64_t sec, uint32_t nsec)
{
	int64_t ns;

	/* A file may claim any time; one that does not fit is as good as the last that does. */
	if (nsec > 999999999)
		nsec = 999999999;
	if (__builtin_mul_overflow(sec, INT64_C(1000000000), &ns) ||
	    __builtin_add_overflow(ns, (int64_t)nsec, &ns))
		return sec < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

void kdev_stat_decode(struct kdev_stat *out, const struct azs_stat *st)
{
	*out = (struct kdev_stat){
		.mode = st->mode,
		.nlink = st->nlink,
		.uid = st->uid,
		.gid = st->gid,
		.ino = st->ino,
		.generation = st->generation,
		.subvol = st->subvol,
		.dev = st->dev,
		.size = st->size,
		.allocated = st->allocated,
		.mtime_ns = to_ns(st->mtime_sec, st->mtime_nsec),
		.ctime_ns = to_ns(st->ctime_sec, st->ctime_nsec),
		.writer = st->flags & AZS_STAT_WRITER,
		.mountpoint = st->flags & AZS_STAT_MOUNTPOINT,
		.subvolume = st->flags & AZS_STAT_SUBVOLUME,
	};
}

/* Whether `len` bytes at `s`, which are there, are text with its NUL right behind. */
static bool is_text(const char *s, size_t len)
{
	return s[len] == '\0' && !memchr(s, '\0', len);
}

/* A component that stands for another directory, or for none, cannot be a file's name. */
static bool is_component(const char *name, size_t len)
{
	if (len == 0 || len > 255 || memchr(name, '/', len))
		return false;
	return !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

static bool is_relative_path(const char *path, size_t len)
{
	const char *end = path + len;

	if (len == 0)
		return true;
	for (;;) {
		const char *slash = memchr(path, '/', (size_t)(end - path));

		if (!is_component(path, (size_t)((slash ? slash : end) - path)))
			return false;
		if (!slash)
			return true;
		path = slash + 1;
	}
}

/* ------------------------------------------------------------------ records */

static int decode_attr(const unsigned char *data, size_t len, size_t *pos, struct kdev_attr *out)
{
	const char *name, *value;
	struct azs_attr a;

	if (len - *pos < sizeof(a))
		return -EBADMSG;
	memcpy(&a, data + *pos, sizeof(a));
	if (a.len > len - *pos || a.len % 8 ||
	    a.len < sizeof(a) + a.name_len + 1u + a.value_len + 1u)
		return -EBADMSG;
	name = (const char *)data + *pos + sizeof(a);
	value = name + a.name_len + 1;
	if (a.name_len == 0 || !is_text(name, a.name_len) || !is_text(value, a.value_len))
		return -EBADMSG;
	*out = (struct kdev_attr){ .name = name, .value = value };
	*pos += a.len;
	return 0;
}

static int decode_up(struct kdev_batch *b, const unsigned char *data, size_t len,
		     struct kdev_record *r, struct error *e)
{
	size_t pos = sizeof(struct azs_rec_mapping_up);
	struct azs_rec_mapping_up up;

	if (len < sizeof(up))
		return error_set(e, -EBADMSG, "the device sent a MAPPING_UP of %zu bytes", len);
	memcpy(&up, data, sizeof(up));
	if (up.nr_attrs > KDEV_MAX_ATTRS)
		return error_set(e, -EBADMSG, "the device sent a mapping with %u attributes",
				 up.nr_attrs);
	for (uint32_t i = 0; i < up.nr_attrs; i++)
		if (decode_attr(data, len, &pos, &b->attrs[i]))
			return error_set(e, -EBADMSG, "the device sent a broken attribute %u", i);
	r->type = KDEV_MAPPING_UP;
	memcpy(r->up.fs_uuid, up.fs_uuid, sizeof(r->up.fs_uuid));
	r->up.root_ino = up.root_ino;
	r->up.root_btime_sec = up.root_btime_sec;
	r->up.root_btime_nsec = up.root_btime_nsec;
	r->up.fs_magic = up.fs_magic;
	r->up.tick_ns = up.tick_ns;
	r->up.attrs = b->attrs;
	r->up.nr_attrs = up.nr_attrs;
	if (!kdev_record_attr(r, "name"))
		return error_set(e, -EBADMSG, "the device sent a mapping without a name");
	return 0;
}

static int decode_entry(enum kdev_record_type type, const unsigned char *data, size_t len,
			struct kdev_record *r, struct error *e)
{
	struct azs_rec_entry rec;
	const char *path;

	if (len < sizeof(rec))
		return error_set(e, -EBADMSG, "the device sent an entry of %zu bytes", len);
	memcpy(&rec, data, sizeof(rec));
	path = (const char *)data + sizeof(rec);
	if (rec.path_len > KDEV_PATH_MAX || rec.path_len >= len - sizeof(rec) ||
	    !is_text(path, rec.path_len) || !is_relative_path(path, rec.path_len))
		return error_set(e, -EBADMSG, "the device sent a broken path in entry %llu",
				 (unsigned long long)rec.entry);
	r->type = type;
	r->entry.entry = rec.entry;
	r->entry.seq = rec.seq;
	r->entry.age_ms = rec.age_ms;
	r->entry.ino = rec.ino;
	r->entry.generation = rec.generation;
	r->entry.flags = rec.flags & (KDEV_CONTENT | KDEV_LAGGED | KDEV_RETRY);
	r->entry.path = path;
	r->entry.path_len = rec.path_len;
	return 0;
}

/* 1: decoded; 0: a type that is not known. */
static int decode_record(struct kdev_batch *b, const struct azs_record *h,
			 const unsigned char *data, struct kdev_record *r, struct error *e)
{
	int err = 0;

	memset(r, 0, sizeof(*r));
	r->mapping = (struct kdev_mref){ h->mapping.id, h->mapping.generation };
	switch (h->type) {
	case AZS_REC_MAPPING_UP:
		err = decode_up(b, data, h->len, r, e);
		break;
	case AZS_REC_MAPPING_DOWN:
		r->type = KDEV_MAPPING_DOWN;
		break;
	case AZS_REC_PATH:
		err = decode_entry(KDEV_ENTRY_PATH, data, h->len, r, e);
		break;
	case AZS_REC_SUBTREE:
		err = decode_entry(KDEV_ENTRY_SUBTREE, data, h->len, r, e);
		break;
	case AZS_REC_INODE:
		err = decode_entry(KDEV_ENTRY_INODE, data, h->len, r, e);
		break;
	default:
		return 0;
	}
	return err ? err : 1;
}

int kdev_batch_next(struct kdev_batch *b, struct kdev_record *r, struct error *e)
{
	struct azs_record h;
	int n = 0;

	while (n == 0 && b->pos < b->len) {
		const unsigned char *data = b->data + b->pos;
		size_t left = b->len - b->pos;

		if (left < sizeof(h))
			return error_set(e, -EBADMSG, "the device sent %zu bytes too many", left);
		memcpy(&h, data, sizeof(h));
		if (h.len < sizeof(h) || h.len % 8 || h.len > left || h.len > AZS_RECORD_MAX)
			return error_set(e, -EBADMSG, "the device sent a record of %u bytes, "
					 "%zu are there", h.len, left);
		n = decode_record(b, &h, data, r, e);
		if (n >= 0)
			b->pos += h.len;
	}
	return n;
}

const char *kdev_record_attr(const struct kdev_record *r, const char *name)
{
	if (r->type != KDEV_MAPPING_UP)
		return NULL;
	for (size_t i = 0; i < r->up.nr_attrs; i++)
		if (strcmp(r->up.attrs[i].name, name) == 0)
			return r->up.attrs[i].value;
	return NULL;
}

int kdev_dirent_decode(const unsigned char *data, size_t len, size_t *pos,
		       struct kdev_dirent *d, struct error *e)
{
	size_t left = len - *pos;
	struct azs_dirent rec;
	const char *name;

	if (left == 0)
		return 0;
	if (left < sizeof(rec))
		return error_set(e, -EBADMSG, "the device sent a directory entry of %zu bytes", left);
	memcpy(&rec, data + *pos, sizeof(rec));
	name = (const char *)data + *pos + sizeof(rec);
	if (rec.len < sizeof(rec) || rec.len % 8 || rec.len > left ||
	    rec.name_len >= rec.len - sizeof(rec) || !is_text(name, rec.name_len) ||
	    !is_component(name, rec.name_len))
		return error_set(e, -EBADMSG, "the device sent a broken directory entry");
	kdev_stat_decode(&d->st, &rec.st);
	d->name = name;
	d->name_len = rec.name_len;
	*pos += rec.len;
	return 1;
}
