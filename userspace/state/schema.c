/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The tables. A directory's rows lie side by side, as `parent` is its path with a '/' behind it;
 * what lies below it is one range: from "dir/" to, exclusively, "dir0" ('0' follows '/').
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "state/internal.h"

#define APPLICATION_ID 0x415a5331	/* "AZS1" */

static const char schema[] =
	"CREATE TABLE meta("
	"	key TEXT PRIMARY KEY,"
	"	value NOT NULL"
	") WITHOUT ROWID;"

	"CREATE TABLE targets("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	account TEXT NOT NULL,"
	"	container TEXT NOT NULL,"
	"	prefix TEXT NOT NULL,"
	"	fs_uuid BLOB NOT NULL,"
	"	root_ino INTEGER NOT NULL,"
	"	root_btime_ns INTEGER NOT NULL,"
	"	owner BLOB NOT NULL,"
	"	created_s INTEGER NOT NULL DEFAULT (strftime('%s', 'now')),"
	"	UNIQUE(account, container, prefix, fs_uuid, root_ino, root_btime_ns)"
	");"

	/* blocks: of large files, the id and hash of each, so that only changed ones are sent */
	"CREATE TABLE files("
	"	target INTEGER NOT NULL,"
	"	parent BLOB NOT NULL,"
	"	name BLOB NOT NULL,"
	"	kind INTEGER NOT NULL,"
	"	flags INTEGER NOT NULL,"
	"	subvol INTEGER NOT NULL,"
	"	ino INTEGER NOT NULL,"
	"	generation INTEGER NOT NULL,"
	"	size INTEGER NOT NULL,"
	"	mtime_ns INTEGER NOT NULL,"
	"	ctime_ns INTEGER NOT NULL,"
	"	mode INTEGER NOT NULL,"
	"	uid INTEGER NOT NULL,"
	"	gid INTEGER NOT NULL,"
	"	etag TEXT NOT NULL,"
	"	md5 BLOB NOT NULL,"
	"	blocks BLOB,"
	"	PRIMARY KEY(target, parent, name)"
	") WITHOUT ROWID;"
	"CREATE INDEX files_inode ON files(target, ino, generation, subvol) WHERE kind = 1;"

	"CREATE TABLE parked("
	"	target INTEGER NOT NULL,"
	"	parent BLOB NOT NULL,"
	"	name BLOB NOT NULL,"
	"	code TEXT NOT NULL,"
	"	message TEXT NOT NULL,"
	"	since_s INTEGER NOT NULL DEFAULT (strftime('%s', 'now')),"
	"	tries INTEGER NOT NULL,"
	"	retry_at_s INTEGER NOT NULL,"
	"	PRIMARY KEY(target, parent, name)"
	") WITHOUT ROWID;"
	"CREATE INDEX parked_due ON parked(target, retry_at_s);"

	"CREATE TABLE gone("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	target INTEGER NOT NULL,"
	"	parent BLOB NOT NULL,"
	"	name BLOB NOT NULL,"
	"	seen_ms INTEGER NOT NULL,"
	"	held INTEGER NOT NULL DEFAULT 0,"
	"	UNIQUE(target, parent, name)"
	");"
	"CREATE INDEX gone_next ON gone(target, held, id);"

	/* Blobs deleted a minute: the sliding hour of delete_limit. */
	"CREATE TABLE deleted("
	"	target INTEGER NOT NULL,"
	"	minute INTEGER NOT NULL,"
	"	blobs INTEGER NOT NULL,"
	"	PRIMARY KEY(target, minute)"
	") WITHOUT ROWID;";

int state_errno(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_CANTOPEN:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	default:
		return -EIO;
	}
}

int state_fail(struct error *e, sqlite3 *db, int rc, const char *what)
{
	return error_set(e, state_errno(rc), "state database: %s: %s", what,
			 db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

int state_bind_bytes(sqlite3_stmt *s, int index, const void *data, size_t len)
{
	return sqlite3_bind_blob64(s, index, len ? data : "", len, SQLITE_STATIC);
}

void state_read_row(sqlite3_stmt *s, int col, struct state_row *row)
{
	const void *bytes;

	memset(row, 0, sizeof(*row));
	row->kind = sqlite3_column_int(s, col++);
	row->flags = (uint32_t)sqlite3_column_int64(s, col++);
	row->subvol = (uint64_t)sqlite3_column_int64(s, col++);
	row->ino = (uint64_t)sqlite3_column_int64(s, col++);
	row->generation = (uint64_t)sqlite3_column_int64(s, col++);
	row->size = (uint64_t)sqlite3_column_int64(s, col++);
	row->mtime_ns = sqlite3_column_int64(s, col++);
	row->ctime_ns = sqlite3_column_int64(s, col++);
	row->mode = (uint32_t)sqlite3_column_int64(s, col++);
	row->uid = (uint32_t)sqlite3_column_int64(s, col++);
	row->gid = (uint32_t)sqlite3_column_int64(s, col++);
	bytes = sqlite3_column_text(s, col);
	if (bytes && sqlite3_column_bytes(s, col) < STATE_ETAG_MAX)
		memcpy(row->etag, bytes, (size_t)sqlite3_column_bytes(s, col));
	col++;
	bytes = sqlite3_column_blob(s, col);
	if (bytes && sqlite3_column_bytes(s, col) == STATE_MD5_BYTES)
		memcpy(row->md5, bytes, STATE_MD5_BYTES);
}

int state_prepare(sqlite3 *db, const char *const *sql, sqlite3_stmt **stmt, int n, struct error *e)
{
	for (int i = 0; i < n; i++) {
		int rc = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &stmt[i],
					    NULL);

		if (rc != SQLITE_OK)
			return state_fail(e, db, rc, "cannot prepare a statement");
	}
	return 0;
}

void state_finalize(sqlite3_stmt **stmt, int n)
{
	for (int i = 0; i < n; i++) {
		sqlite3_finalize(stmt[i]);
		stmt[i] = NULL;
	}
}

/* One number, as of a PRAGMA. */
static int read_number(sqlite3 *db, const char *sql, int64_t *out, struct error *e)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return state_fail(e, db, rc, "cannot be read");
	return rc == SQLITE_ROW;
}

static int create(sqlite3 *db, struct error *e)
{
	char *sql = sqlite3_mprintf("BEGIN IMMEDIATE; %s"
				    "INSERT INTO meta VALUES('version', %d);"
				    "PRAGMA application_id = %d; COMMIT;",
				    schema, STATE_VERSION, APPLICATION_ID);
	int rc = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;

	sqlite3_free(sql);
	return rc == SQLITE_OK ? 0 : state_fail(e, db, rc, "cannot be created");
}

/* Creates the tables in an empty database, refuses one that is not ours or from the future. */
int state_schema_apply(sqlite3 *db, struct error *e)
{
	int64_t tables = 0, application = 0, version = 0;
	int r;

	r = read_number(db, "SELECT count(*) FROM sqlite_master", &tables, e);
	if (r < 0)
		return r;
	if (tables == 0)
		return create(db, e);
	r = read_number(db, "PRAGMA application_id", &application, e);
	if (r < 0)
		return r;
	if (application != APPLICATION_ID)
		return error_set(e, -EUCLEAN, "state database: it belongs to another program");
	r = read_number(db, "SELECT value FROM meta WHERE key = 'version'", &version, e);
	if (r < 0)
		return r;
	if (version > STATE_VERSION)
		return error_set(e, -EPROTO,
				 "state database: it has format %lld, written by a later version; this program knows %d",
				 (long long)version, STATE_VERSION);
	if (version < 1)
		return error_set(e, -EUCLEAN, "state database: it does not say its format");
	return 0;
}
