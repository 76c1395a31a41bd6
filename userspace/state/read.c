/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Look-ups, on a connection of their own. Callers take turns: each is a few microseconds. */
#include <errno.h>
#include <string.h>

#include "state/internal.h"

const char *const state_read_sql[R_COUNT] = {
	[R_GET] = "SELECT " STATE_ROW_COLUMNS " FROM files"
		" WHERE target=?1 AND parent=?2 AND name=?3",
	[R_EMPTY] = "SELECT 1 FROM files WHERE target=?1 LIMIT 1",
	[R_BELOW] = "SELECT 1 FROM files WHERE target=?1 AND parent>=?2 AND parent<?3"
		" AND flags & 4 = 0 LIMIT 1",
	[R_HAS_INODE] = "SELECT 1 FROM files"
		" WHERE kind=1 AND target=?1 AND ino=?2 AND generation=?3 LIMIT 1",
	[R_INODE] = "SELECT parent, name, " STATE_ROW_COLUMNS " FROM files"
		" WHERE kind=1 AND target=?1 AND ino=?2 AND generation=?3 AND subvol=?4"
		" AND flags & 4 = 0 AND (parent, name) > (?5, ?6)"
		" ORDER BY parent, name LIMIT 1",
	[R_CHILD] = "SELECT name FROM files WHERE target=?1 AND parent=?2 AND name>?3"
		" AND flags & 4 = 0 ORDER BY name LIMIT 1",
	[R_SUBDIR] = "SELECT parent FROM files WHERE target=?1 AND parent>=?2 AND parent<?3"
		" AND flags & 4 = 0 ORDER BY parent LIMIT 1",
	[R_GONE] = "SELECT id, seen_ms, parent, name FROM gone"
		" WHERE target=?1 AND held=0 AND id>?2 ORDER BY id LIMIT 1",
	[R_PARKED] = "SELECT retry_at_s, parent, name FROM parked"
		" WHERE target=?1 AND retry_at_s<=?2"
		" AND (retry_at_s, parent, name) > (?3, ?4, ?5)"
		" ORDER BY retry_at_s, parent, name LIMIT 1",
	[R_COUNT_PARKED] = "SELECT count(*) FROM parked WHERE target=?1",
	[R_COUNT_HELD] = "SELECT count(*) FROM gone WHERE target=?1 AND held=1",
	[R_COUNT_ROWS] = "SELECT count(*) FROM files WHERE target=?1",
	[R_COUNT_DELETED] = "SELECT coalesce(sum(blobs), 0) FROM deleted"
		" WHERE target=?1 AND minute>=?2",
};

static sqlite3_stmt *begin(struct state *s, enum read_stmt which, int64_t target)
{
	pthread_mutex_lock(&s->read_lock);
	sqlite3_bind_int64(s->rstmt[which], 1, target);
	return s->rstmt[which];
}

static int end(struct state *s, sqlite3_stmt *stmt, int rc)
{
	sqlite3_reset(stmt);
	pthread_mutex_unlock(&s->read_lock);
	if (rc == SQLITE_ROW)
		return 1;
	return state_errno(rc);
}

/* Joins the columns `parent` and `name`. False: they are not a path of ours. */
static bool read_path(sqlite3_stmt *stmt, int col, struct state_path *path)
{
	size_t parent = (size_t)sqlite3_column_bytes(stmt, col);
	size_t name = (size_t)sqlite3_column_bytes(stmt, col + 1);

	if (parent + name >= sizeof(path->text))
		return false;
	if (parent)
		memcpy(path->text, sqlite3_column_blob(stmt, col), parent);
	if (name)
		memcpy(path->text + parent, sqlite3_column_blob(stmt, col + 1), name);
	path->len = parent + name;
	path->text[path->len] = '\0';
	return true;
}

int state_get(struct state *s, int64_t target, const char *path, size_t len,
	      struct state_row *row)
{
	sqlite3_stmt *stmt = begin(s, R_GET, target);
	struct state_key k = state_key(path, len);
	int rc;

	state_bind_bytes(stmt, 2, k.parent, k.parent_len);
	state_bind_bytes(stmt, 3, k.name, k.name_len);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		state_read_row(stmt, 0, row);
	return end(s, stmt, rc);
}

int state_is_empty(struct state *s, int64_t target)
{
	sqlite3_stmt *stmt = begin(s, R_EMPTY, target);
	int r = end(s, stmt, sqlite3_step(stmt));

	return r < 0 ? r : !r;
}

/* "dir/" and "dir0", between which all parents below dir lie. */
static int make_range(const char *dir, size_t len, char low[4097], char high[4097])
{
	if (len > 4095)
		return -ENAMETOOLONG;
	memcpy(low, dir, len);
	memcpy(high, dir, len);
	low[len] = '/';
	high[len] = len ? '0' : '\xff';
	return 0;
}

int state_has_below(struct state *s, int64_t target, const char *dir, size_t len)
{
	char low[4097], high[4097];
	sqlite3_stmt *stmt;
	int r = make_range(dir, len, low, high);

	if (r)
		return r;
	stmt = begin(s, R_BELOW, target);
	state_bind_bytes(stmt, 2, low, len ? len + 1 : 0);
	state_bind_bytes(stmt, 3, high, len + 1);
	return end(s, stmt, sqlite3_step(stmt));
}

int state_has_inode(struct state *s, int64_t target, uint64_t ino, uint64_t generation)
{
	sqlite3_stmt *stmt = begin(s, R_HAS_INODE, target);

	sqlite3_bind_int64(stmt, 2, (int64_t)ino);
	sqlite3_bind_int64(stmt, 3, (int64_t)generation);
	return end(s, stmt, sqlite3_step(stmt));
}

int state_get_inode(struct state *s, int64_t target, uint64_t subvol, uint64_t ino,
		    uint64_t generation, const struct state_path *after, struct state_path *path,
		    struct state_row *row)
{
	sqlite3_stmt *stmt = begin(s, R_INODE, target);
	struct state_key k = state_key(after->text, after->len);
	int rc;

	sqlite3_bind_int64(stmt, 2, (int64_t)ino);
	sqlite3_bind_int64(stmt, 3, (int64_t)generation);
	sqlite3_bind_int64(stmt, 4, (int64_t)subvol);
	state_bind_bytes(stmt, 5, k.parent, k.parent_len);
	state_bind_bytes(stmt, 6, k.name, k.name_len);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		state_read_row(stmt, 2, row);
		if (!read_path(stmt, 0, path))
			rc = SQLITE_CORRUPT;
	}
	return end(s, stmt, rc);
}

static int copy_name(const void *bytes, size_t len, char *name, size_t *name_len)
{
	if (!bytes || len == 0 || len > 255)
		return SQLITE_CORRUPT;
	memcpy(name, bytes, len);
	name[len] = '\0';
	*name_len = len;
	return SQLITE_ROW;
}

int state_next_child(struct state *s, int64_t target, const char *dir, size_t dir_len,
		     const char *after, size_t after_len, char *name, size_t *name_len)
{
	char low[4097], high[4097];
	sqlite3_stmt *stmt;
	int rc, r = make_range(dir, dir_len, low, high);

	if (r)
		return r;
	stmt = begin(s, R_CHILD, target);
	state_bind_bytes(stmt, 2, low, dir_len ? dir_len + 1 : 0);
	state_bind_bytes(stmt, 3, after, after ? after_len : 0);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		rc = copy_name(sqlite3_column_blob(stmt, 0),
			       (size_t)sqlite3_column_bytes(stmt, 0), name, name_len);
	return end(s, stmt, rc);
}

int state_next_subdir(struct state *s, int64_t target, const char *dir, size_t dir_len,
		      const char *after, size_t after_len, char *name, size_t *name_len)
{
	char low[4097 + 256], high[4097];
	const char *parent, *slash;
	size_t low_len, base, len;
	sqlite3_stmt *stmt;
	int rc, r = make_range(dir, dir_len, low, high);

	if (r)
		return r;
	if (after_len > 255)
		return -EINVAL;
	base = dir_len ? dir_len + 1 : 0;
	low_len = base;
	/* The first that can be a sub-directory: "dir/" and one byte more. */
	if (after) {
		memcpy(low + base, after, after_len);
		low[base + after_len] = '0';
		low_len += after_len + 1;
	} else {
		low[low_len++] = '\x01';
	}
	stmt = begin(s, R_SUBDIR, target);
	state_bind_bytes(stmt, 2, low, low_len);
	state_bind_bytes(stmt, 3, high, dir_len + 1);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		parent = sqlite3_column_blob(stmt, 0);
		len = (size_t)sqlite3_column_bytes(stmt, 0);
		slash = len > base ? memchr(parent + base, '/', len - base) : NULL;
		rc = slash ? copy_name(parent + base, (size_t)(slash - parent) - base, name,
				       name_len) : SQLITE_CORRUPT;
	}
	return end(s, stmt, rc);
}

int state_next_gone(struct state *s, int64_t target, int64_t after, struct state_gone *gone)
{
	sqlite3_stmt *stmt = begin(s, R_GONE, target);
	int rc;

	sqlite3_bind_int64(stmt, 2, after);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		gone->id = sqlite3_column_int64(stmt, 0);
		gone->seen_ms = sqlite3_column_int64(stmt, 1);
		if (!read_path(stmt, 2, &gone->path))
			rc = SQLITE_CORRUPT;
	}
	return end(s, stmt, rc);
}

int state_next_parked(struct state *s, int64_t target, int64_t now_s,
		      struct state_parked *parked)
{
	sqlite3_stmt *stmt = begin(s, R_PARKED, target);
	struct state_key k = state_key(parked->path.text, parked->path.len);
	int rc;

	sqlite3_bind_int64(stmt, 2, now_s);
	sqlite3_bind_int64(stmt, 3, parked->retry_at_s);
	state_bind_bytes(stmt, 4, k.parent, k.parent_len);
	state_bind_bytes(stmt, 5, k.name, k.name_len);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		parked->retry_at_s = sqlite3_column_int64(stmt, 0);
		if (!read_path(stmt, 1, &parked->path))
			rc = SQLITE_CORRUPT;
	}
	return end(s, stmt, rc);
}

static int count(struct state *s, enum read_stmt which, int64_t target, int64_t arg, uint64_t *out)
{
	sqlite3_stmt *stmt = begin(s, which, target);
	int r, rc;

	if (which == R_COUNT_DELETED)
		sqlite3_bind_int64(stmt, 2, arg);
	rc = sqlite3_step(stmt);
	*out = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
	r = end(s, stmt, rc);
	return r < 0 ? r : 0;
}

int state_count(struct state *s, int64_t target, struct state_counts *counts)
{
	int r = count(s, R_COUNT_PARKED, target, 0, &counts->parked);

	return r ? r : count(s, R_COUNT_HELD, target, 0, &counts->held);
}

int state_count_rows(struct state *s, int64_t target, uint64_t *rows)
{
	return count(s, R_COUNT_ROWS, target, 0, rows);
}

int state_count_deleted(struct state *s, int64_t target, int64_t since_ms, uint64_t *blobs)
{
	return count(s, R_COUNT_DELETED, target, since_ms / 60000, blobs);
}
