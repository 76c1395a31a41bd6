/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "engine/reconcile.h"

#include <string.h>
#include <sys/stat.h>

static bool same_identity(const struct kdev_stat *st, const struct state_row *row)
{
	return st->ino == row->ino && st->generation == row->generation &&
	       st->subvol == row->subvol;
}

/* What is kept in the blob's metadata. */
static bool same_meta(const struct kdev_stat *st, const struct state_row *row)
{
	return st->mode == row->mode && st->uid == row->uid && st->gid == row->gid &&
	       st->mtime_ns == row->mtime_ns;
}

static bool may_copy(const struct reconcile_in *in)
{
	const struct state_row *from = in->moved_from;

	return from && !in->content && !in->st->writer && in->st->nlink == 1 &&
	       from->kind == STATE_FILE && (from->flags & STATE_TRUSTED) &&
	       !(from->flags & STATE_KEPT) && same_identity(in->st, from) &&
	       in->st->size == from->size && in->st->mtime_ns == from->mtime_ns;
}

static enum action file_equal(const struct reconcile_in *in)
{
	const struct state_row *row = in->row;

	/* The blob says of itself that its file is gone, or that it is no single moment of it. */
	if ((row->flags & STATE_KEPT) || !(row->flags & STATE_QUIET))
		return ACTION_META;
	if (!same_meta(in->st, row))
		return ACTION_META;
	if (same_identity(in->st, row) && in->st->ctime_ns == row->ctime_ns &&
	    (row->flags & STATE_TRUSTED))
		return ACTION_NOTHING;
	return ACTION_ROW;
}

static enum action file(const struct reconcile_in *in)
{
	const struct state_row *row = in->row;
	const struct kdev_stat *st = in->st;

	if (!row)
		return may_copy(in) ? ACTION_COPY : ACTION_UPLOAD;
	if (row->kind != STATE_FILE || row->size != st->size)
		return ACTION_UPLOAD;
	if (in->md5)
		return memcmp(in->md5, row->md5, STATE_MD5_BYTES) ? ACTION_UPLOAD : file_equal(in);
	if (in->content || st->writer || !(row->flags & STATE_TRUSTED))
		return ACTION_HASH;
	if (!same_identity(st, row) || st->mtime_ns != row->mtime_ns)
		return ACTION_HASH;
	/*
	 * Only ctime differs: a scan cannot tell chmod(2) from a rewrite whose mtime was put
	 * back; the kernel, which was watching, can.
	 */
	if (st->ctime_ns != row->ctime_ns && !in->by_event)
		return ACTION_HASH;
	return file_equal(in);
}

static enum action absent(const struct reconcile_in *in)
{
	if (!in->row)
		return ACTION_FORGET;
	if (in->row->flags & STATE_KEPT)
		return ACTION_NOTHING;
	return in->deletes ? ACTION_DELETE : ACTION_MARK_DELETED;
}

enum action reconcile(const struct reconcile_in *in)
{
	if (!in->st)
		return absent(in);
	if (!in->taken || in->st->mountpoint)
		return ACTION_SKIP;
	if (S_ISREG(in->st->mode))
		return file(in);
	if (S_ISDIR(in->st->mode))
		return ACTION_DIRECTORY;
	if (S_ISLNK(in->st->mode) && in->stores_symlinks) {
		if (!in->row || in->row->kind != STATE_SYMLINK)
			return ACTION_UPLOAD;
		if (!in->md5)
			return ACTION_HASH;
		return memcmp(in->md5, in->row->md5, STATE_MD5_BYTES) ? ACTION_UPLOAD
								      : file_equal(in);
	}
	/* Something else took the place of a file of ours: that file is gone. */
	if (in->row && !(in->row->flags & STATE_KEPT))
		return in->deletes ? ACTION_DELETE : ACTION_MARK_DELETED;
	return ACTION_SKIP;
}

enum action reconcile_directory(const struct kdev_stat *st, const struct kdev_stat *parent,
				bool is_empty, const struct state_row *row)
{
	bool wanted = is_empty || st->mode != parent->mode || st->uid != parent->uid ||
		      st->gid != parent->gid;

	if (row && row->kind != STATE_DIR)
		return ACTION_UPLOAD;
	if (!row)
		return wanted ? ACTION_UPLOAD : ACTION_NOTHING;
	if (st->mode != row->mode || st->uid != row->uid || st->gid != row->gid ||
	    (row->flags & STATE_KEPT))
		return ACTION_META;
	return ACTION_NOTHING;
}

bool reconcile_is_trusted(const struct kdev_stat *st, int64_t opened_ns, uint64_t tick_ns)
{
	int64_t margin = tick_ns < INT64_MAX / 4 ? (int64_t)(2 * tick_ns) : INT64_MAX / 2;

	return st->ctime_ns <= opened_ns - margin;
}
