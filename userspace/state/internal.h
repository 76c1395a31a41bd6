/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef STATE_INTERNAL_H
#define STATE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>

#include "state/state.h"

enum write_stmt {
	W_BEGIN, W_COMMIT, W_ROLLBACK,
	W_PUT, W_REMOVE, W_PARK, W_UNPARK,
	W_GONE, W_GONE_FIND, W_GONE_TREE, W_GONE_LAST, W_GONE_DROP, W_GONE_HOLD, W_GONE_CLEAR,
	W_DISTRUST, W_DISTRUST_TREE,
	W_DELETED, W_DELETED_TRIM, W_TARGET_FIND, W_TARGET_ADD,
	W_COUNT
};

enum read_stmt {
	R_GET, R_EMPTY, R_BELOW, R_HAS_INODE, R_INODE, R_CHILD, R_SUBDIR, R_GONE, R_PARKED,
	R_COUNT_PARKED, R_COUNT_HELD, R_COUNT_ROWS, R_COUNT_DELETED,
	R_COUNT
};

struct state {
	struct state_config config;

	sqlite3 *wdb;			/* the writer's, but for open and close */
	sqlite3_stmt *wstmt[W_COUNT];
	pthread_t writer;
	bool has_writer;

	pthread_mutex_t lock;		/* protects down to last_error */
	pthread_cond_t queued;
	pthread_cond_t committed;	/* for state_target_open() */
	struct state_op *queue;
	struct state_op **queue_tail;
	size_t nr_queued;
	struct state_op *completed;
	struct state_op **completed_tail;
	bool stop;
	char last_error[256];

	pthread_mutex_t read_lock;	/* protects rdb and rstmt */
	sqlite3 *rdb;
	sqlite3_stmt *rstmt[R_COUNT];
};

/* A path as the two columns of its key: "a/b/" and "c"; both empty for the root. */
struct state_key {
	const char *parent;
	size_t parent_len;
	const char *name;
	size_t name_len;
};

static inline struct state_key state_key(const char *path, size_t len)
{
	size_t slash = len;

	while (slash > 0 && path[slash - 1] != '/')
		slash--;
	return (struct state_key){ path, slash, path + slash, len - slash };
}

/* A negative errno for an SQLite result. */
int state_errno(int rc);
int state_fail(struct error *e, sqlite3 *db, int rc, const char *what);
/* As sqlite3_bind_blob(), where an empty string is not NULL. */
int state_bind_bytes(sqlite3_stmt *s, int index, const void *data, size_t len);
/* Reads the row's columns from `col` on; the list is STATE_ROW_COLUMNS. */
#define STATE_ROW_COLUMNS \
	"kind, flags, subvol, ino, generation, size, mtime_ns, ctime_ns, mode, uid, gid, etag, md5"
void state_read_row(sqlite3_stmt *s, int col, struct state_row *row);

int state_prepare(sqlite3 *db, const char *const *sql, sqlite3_stmt **stmt, int n, struct error *e);
void state_finalize(sqlite3_stmt **stmt, int n);

extern const char *const state_write_sql[W_COUNT];
extern const char *const state_read_sql[R_COUNT];

int state_schema_apply(sqlite3 *db, struct error *e);

void *state_writer_main(void *arg);

#endif /* STATE_INTERNAL_H */
