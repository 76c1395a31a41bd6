/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The writer: takes what is queued, commits it as one, tells. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "state/internal.h"

/* A small group waits this long for company: an fsync costs far more than the wait. */
#define LINGER_MS 5
#define LINGER_BELOW 128
#define MINUTE_MS 60000
#define DELETED_KEPT_MINUTES 120

#define GONE_INSERT \
	"INSERT OR REPLACE INTO gone(target, parent, name, seen_ms)" \
	" SELECT f.target, f.parent, f.name, coalesce(g.seen_ms, ?4)" \
	" FROM files f LEFT JOIN gone g USING(target, parent, name)" \
	" WHERE f.target=?1 AND f.flags & 4 = 0 AND coalesce(g.held, 0) = 0"

const char *const state_write_sql[W_COUNT] = {
	[W_BEGIN] = "BEGIN IMMEDIATE",
	[W_COMMIT] = "COMMIT",
	[W_ROLLBACK] = "ROLLBACK",
	[W_PUT] = "INSERT INTO files(target, parent, name, " STATE_ROW_COLUMNS ")"
		" VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)"
		" ON CONFLICT(target, parent, name) DO UPDATE SET kind=?4, flags=?5, subvol=?6,"
		" ino=?7, generation=?8, size=?9, mtime_ns=?10, ctime_ns=?11, mode=?12, uid=?13,"
		" gid=?14, etag=?15, md5=?16, blocks=NULL",
	[W_REMOVE] = "DELETE FROM files WHERE target=?1 AND parent=?2 AND name=?3",
	[W_PARK] = "INSERT INTO parked(target, parent, name, code, message, tries, retry_at_s)"
		" VALUES(?1,?2,?3,?4,?5,1,?6) ON CONFLICT(target, parent, name) DO UPDATE SET"
		" code=?4, message=?5, tries=tries+1,"
		/* an hour the first time, then a day */
		" retry_at_s=?6 + 82800",
	[W_UNPARK] = "DELETE FROM parked WHERE target=?1 AND parent=?2 AND name=?3",
	/*
	 * A path that is gone already gets a new id, so that a GONE_DROP under way for the old one
	 * does not undo this; its time runs on. One that is held stays held.
	 */
	[W_GONE] = GONE_INSERT " AND f.parent=?2 AND f.name=?3",
	[W_GONE_FIND] = "SELECT id, seen_ms FROM gone"
		" WHERE target=?1 AND parent=?2 AND name=?3 AND held=0",
	[W_GONE_TREE] = GONE_INSERT " AND f.parent>=?2 AND f.parent<?3",
	[W_GONE_LAST] = "SELECT id, seen_ms FROM gone WHERE target=?1 AND held=0"
		" ORDER BY id DESC LIMIT 1",
	[W_GONE_DROP] = "DELETE FROM gone WHERE id=?1",
	[W_GONE_HOLD] = "UPDATE gone SET held=1 WHERE id=?1",
	[W_GONE_CLEAR] = "DELETE FROM gone WHERE target=?1 AND parent=?2 AND name=?3",
	[W_DISTRUST] = "UPDATE files SET flags=flags & ~2"
		" WHERE target=?1 AND parent=?2 AND name=?3",
	[W_DISTRUST_TREE] = "UPDATE files SET flags=flags & ~2"
		" WHERE target=?1 AND parent>=?2 AND parent<?3",
	[W_DELETED] = "INSERT INTO deleted VALUES(?1,?2,1)"
		" ON CONFLICT(target, minute) DO UPDATE SET blobs=blobs+1",
	[W_DELETED_TRIM] = "DELETE FROM deleted WHERE target=?1 AND minute<?2",
	[W_TARGET_FIND] = "SELECT id, owner FROM targets WHERE account=?1 AND container=?2"
		" AND prefix=?3 AND fs_uuid=?4 AND root_ino=?5 AND root_btime_ns=?6",
	[W_TARGET_ADD] = "INSERT INTO targets(account, container, prefix, fs_uuid, root_ino,"
		" root_btime_ns, owner) VALUES(?1,?2,?3,?4,?5,?6,?7)",
};

/* Runs a statement whose parameters are bound; SQLITE_ROW leaves it for the caller to reset. */
static int step(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	if (rc != SQLITE_ROW)
		sqlite3_reset(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static sqlite3_stmt *bind_path(struct state *s, enum write_stmt which, const struct state_op *op)
{
	struct state_key k = state_key(op->path, op->path_len);
	sqlite3_stmt *stmt = s->wstmt[which];

	sqlite3_bind_int64(stmt, 1, op->target);
	state_bind_bytes(stmt, 2, k.parent, k.parent_len);
	state_bind_bytes(stmt, 3, k.name, k.name_len);
	return stmt;
}

static int run_path(struct state *s, enum write_stmt which, const struct state_op *op)
{
	return step(bind_path(s, which, op));
}

static int apply_put(struct state *s, struct state_op *op)
{
	sqlite3_stmt *stmt = bind_path(s, W_PUT, op);
	const struct state_row *r = &op->row;
	int i = 4, rc;

	sqlite3_bind_int(stmt, i++, (int)r->kind);
	sqlite3_bind_int64(stmt, i++, r->flags);
	sqlite3_bind_int64(stmt, i++, (int64_t)r->subvol);
	sqlite3_bind_int64(stmt, i++, (int64_t)r->ino);
	sqlite3_bind_int64(stmt, i++, (int64_t)r->generation);
	sqlite3_bind_int64(stmt, i++, (int64_t)r->size);
	sqlite3_bind_int64(stmt, i++, r->mtime_ns);
	sqlite3_bind_int64(stmt, i++, r->ctime_ns);
	sqlite3_bind_int64(stmt, i++, r->mode);
	sqlite3_bind_int64(stmt, i++, r->uid);
	sqlite3_bind_int64(stmt, i++, r->gid);
	sqlite3_bind_text(stmt, i++, r->etag, -1, SQLITE_STATIC);
	sqlite3_bind_blob(stmt, i++, r->md5, STATE_MD5_BYTES, SQLITE_STATIC);
	rc = step(stmt);
	if (rc == SQLITE_OK)
		rc = run_path(s, W_UNPARK, op);
	if (rc == SQLITE_OK)
		rc = run_path(s, W_GONE_CLEAR, op);
	return rc;
}

static int apply_remove(struct state *s, struct state_op *op)
{
	int64_t minute = op->now_ms / MINUTE_MS;
	int rc = run_path(s, W_REMOVE, op);

	if (rc == SQLITE_OK)
		rc = run_path(s, W_UNPARK, op);
	if (rc == SQLITE_OK)
		rc = run_path(s, W_GONE_CLEAR, op);
	if (rc != SQLITE_OK || !op->blob_deleted)
		return rc;
	sqlite3_bind_int64(s->wstmt[W_DELETED], 1, op->target);
	sqlite3_bind_int64(s->wstmt[W_DELETED], 2, minute);
	rc = step(s->wstmt[W_DELETED]);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(s->wstmt[W_DELETED_TRIM], 1, op->target);
	sqlite3_bind_int64(s->wstmt[W_DELETED_TRIM], 2, minute - DELETED_KEPT_MINUTES);
	return step(s->wstmt[W_DELETED_TRIM]);
}

static int apply_park(struct state *s, struct state_op *op)
{
	sqlite3_stmt *stmt = bind_path(s, W_PARK, op);

	sqlite3_bind_text(stmt, 4, op->code ? op->code : "", -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 5, op->message ? op->message : "", -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 6, op->retry_at_s);
	return step(stmt);
}

static int apply_gone(struct state *s, struct state_op *op)
{
	sqlite3_stmt *stmt = bind_path(s, W_GONE, op);
	int rc = op->distrust ? run_path(s, W_DISTRUST, op) : SQLITE_OK;

	op->gone = 0;
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(stmt, 4, op->now_ms);
	rc = step(stmt);
	if (rc != SQLITE_OK)
		return rc;
	op->nr_changed = (uint64_t)sqlite3_changes(s->wdb);
	stmt = bind_path(s, W_GONE_FIND, op);
	rc = step(stmt);
	if (rc != SQLITE_ROW)
		return rc;
	op->gone = sqlite3_column_int64(stmt, 0);
	op->gone_seen_ms = sqlite3_column_int64(stmt, 1);
	sqlite3_reset(stmt);
	return SQLITE_OK;
}

/* The range below a directory: "dir/" <= parent < "dir0"; all of it for the root. */
static int run_below(struct state *s, enum write_stmt which, const struct state_op *op)
{
	sqlite3_stmt *stmt = s->wstmt[which];
	char low[4097], high[4097];
	size_t len = op->path_len;

	if (len >= sizeof(low))
		return SQLITE_TOOBIG;
	memcpy(low, op->path, len);
	memcpy(high, op->path, len);
	low[len] = '/';
	high[len] = len ? '0' : '\xff';
	sqlite3_bind_int64(stmt, 1, op->target);
	state_bind_bytes(stmt, 2, low, len ? len + 1 : 0);
	state_bind_bytes(stmt, 3, high, len + 1);
	return step(stmt);
}

static int distrust_tree(struct state *s, const struct state_op *op)
{
	int rc = run_below(s, W_DISTRUST_TREE, op);

	return rc == SQLITE_OK ? run_path(s, W_DISTRUST, op) : rc;
}

static int apply_gone_tree(struct state *s, struct state_op *op)
{
	sqlite3_stmt *stmt;
	int rc = op->distrust ? distrust_tree(s, op) : SQLITE_OK;

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(s->wstmt[W_GONE_TREE], 4, op->now_ms);
	rc = run_below(s, W_GONE_TREE, op);
	if (rc != SQLITE_OK)
		return rc;
	op->nr_changed = (uint64_t)sqlite3_changes(s->wdb);
	stmt = bind_path(s, W_GONE, op);
	sqlite3_bind_int64(stmt, 4, op->now_ms);
	rc = step(stmt);
	if (rc != SQLITE_OK)
		return rc;
	op->nr_changed += (uint64_t)sqlite3_changes(s->wdb);
	op->gone = 0;
	if (!op->nr_changed)
		return SQLITE_OK;
	stmt = s->wstmt[W_GONE_LAST];
	sqlite3_bind_int64(stmt, 1, op->target);
	rc = step(stmt);
	if (rc != SQLITE_ROW)
		return rc;
	op->gone = sqlite3_column_int64(stmt, 0);
	op->gone_seen_ms = sqlite3_column_int64(stmt, 1);
	sqlite3_reset(stmt);
	return SQLITE_OK;
}

static int apply_gone_id(struct state *s, enum write_stmt which, struct state_op *op)
{
	sqlite3_bind_int64(s->wstmt[which], 1, op->gone);
	return step(s->wstmt[which]);
}

static void bind_target(sqlite3_stmt *stmt, const struct state_target_key *k)
{
	sqlite3_bind_text(stmt, 1, k->account, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, k->container, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, k->prefix, -1, SQLITE_STATIC);
	sqlite3_bind_blob(stmt, 4, k->fs_uuid, sizeof(k->fs_uuid), SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 5, (int64_t)k->root_ino);
	sqlite3_bind_int64(stmt, 6, k->root_btime_ns);
}

static int apply_target(struct state *s, struct state_op *op)
{
	struct state_target *out = op->target_out;
	sqlite3_stmt *stmt = s->wstmt[W_TARGET_FIND];
	const void *owner;
	int rc;

	memset(out, 0, sizeof(*out));
	bind_target(stmt, op->key);
	rc = step(stmt);
	if (rc == SQLITE_ROW) {
		out->id = sqlite3_column_int64(stmt, 0);
		owner = sqlite3_column_blob(stmt, 1);
		rc = SQLITE_CORRUPT;
		if (owner && sqlite3_column_bytes(stmt, 1) == STATE_OWNER_BYTES) {
			memcpy(out->owner, owner, STATE_OWNER_BYTES);
			rc = SQLITE_OK;
		}
		sqlite3_reset(stmt);
		return rc;
	}
	if (rc != SQLITE_OK)
		return rc;
	if (getrandom(out->owner, STATE_OWNER_BYTES, 0) != STATE_OWNER_BYTES)
		return SQLITE_IOERR;
	stmt = s->wstmt[W_TARGET_ADD];
	bind_target(stmt, op->key);
	sqlite3_bind_blob(stmt, 7, out->owner, STATE_OWNER_BYTES, SQLITE_STATIC);
	rc = step(stmt);
	out->id = sqlite3_last_insert_rowid(s->wdb);
	out->created = true;
	return rc;
}

static int apply(struct state *s, struct state_op *op)
{
	switch (op->kind) {
	case STATE_OP_PUT:
		return apply_put(s, op);
	case STATE_OP_REMOVE:
		return apply_remove(s, op);
	case STATE_OP_PARK:
		return apply_park(s, op);
	case STATE_OP_UNPARK:
		return run_path(s, W_UNPARK, op);
	case STATE_OP_GONE:
		return apply_gone(s, op);
	case STATE_OP_GONE_TREE:
		return apply_gone_tree(s, op);
	case STATE_OP_GONE_DROP:
		return apply_gone_id(s, W_GONE_DROP, op);
	case STATE_OP_GONE_HOLD:
		return apply_gone_id(s, W_GONE_HOLD, op);
	case STATE_OP_TARGET:
		return apply_target(s, op);
	}
	return SQLITE_MISUSE;
}

/* All or nothing; the result is that of every operation in it. */
static int commit_group(struct state *s, struct state_op *ops)
{
	int rc = step(s->wstmt[W_BEGIN]);

	for (struct state_op *op = ops; op && rc == SQLITE_OK; op = op->next)
		rc = apply(s, op);
	if (rc == SQLITE_OK)
		rc = step(s->wstmt[W_COMMIT]);
	if (rc == SQLITE_OK)
		return 0;
	pthread_mutex_lock(&s->lock);
	snprintf(s->last_error, sizeof(s->last_error), "state database: %s",
		 sqlite3_errmsg(s->wdb));
	pthread_mutex_unlock(&s->lock);
	/* Some failures have rolled back by themselves. */
	if (!sqlite3_get_autocommit(s->wdb))
		step(s->wstmt[W_ROLLBACK]);
	return state_errno(rc);
}

static struct state_op *take_group(struct state *s)
{
	struct timespec until;
	struct state_op *ops;

	pthread_mutex_lock(&s->lock);
	while (!s->queue && !s->stop)
		pthread_cond_wait(&s->queued, &s->lock);
	if (s->nr_queued < LINGER_BELOW && !s->stop) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += LINGER_MS * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		while (s->nr_queued < LINGER_BELOW && !s->stop &&
		       pthread_cond_timedwait(&s->queued, &s->lock, &until) == 0)
			;
	}
	ops = s->queue;
	s->queue = NULL;
	s->queue_tail = &s->queue;
	s->nr_queued = 0;
	pthread_mutex_unlock(&s->lock);
	return ops;
}

static void complete_group(struct state *s, struct state_op *ops, int err)
{
	bool was_empty;
	struct state_op **tail = &ops;

	for (struct state_op *op = ops; op; op = op->next) {
		op->err = err;
		tail = &op->next;
	}
	pthread_mutex_lock(&s->lock);
	was_empty = !s->completed;
	*s->completed_tail = ops;
	s->completed_tail = tail;
	pthread_cond_broadcast(&s->committed);
	pthread_mutex_unlock(&s->lock);
	if (was_empty && s->config.notify)
		s->config.notify(s->config.notify_arg);
}

void *state_writer_main(void *arg)
{
	struct state *s = arg;
	struct state_op *ops;

	while ((ops = take_group(s)))
		complete_group(s, ops, commit_group(s, ops));
	return NULL;
}

void state_submit(struct state *s, struct state_op *op)
{
	op->next = NULL;
	op->err = 0;
	pthread_mutex_lock(&s->lock);
	*s->queue_tail = op;
	s->queue_tail = &op->next;
	/* The writer waits for the first, and for company until there are enough. */
	if (s->nr_queued++ == 0 || s->nr_queued == LINGER_BELOW)
		pthread_cond_signal(&s->queued);
	pthread_mutex_unlock(&s->lock);
}

struct state_op *state_completed(struct state *s)
{
	struct state_op *ops;

	pthread_mutex_lock(&s->lock);
	ops = s->completed;
	s->completed = NULL;
	s->completed_tail = &s->completed;
	pthread_mutex_unlock(&s->lock);
	return ops;
}

void state_last_error(struct state *s, char *buf, size_t size)
{
	pthread_mutex_lock(&s->lock);
	snprintf(buf, size, "%s", s->last_error);
	pthread_mutex_unlock(&s->lock);
}

int state_target_open(struct state *s, const struct state_target_key *key,
		      struct state_target *out, struct error *e)
{
	struct state_op op = { .kind = STATE_OP_TARGET, .key = key, .target_out = out };
	struct state_op **p;

	state_submit(s, &op);
	pthread_mutex_lock(&s->lock);
	for (;;) {
		for (p = &s->completed; *p && *p != &op; p = &(*p)->next)
			;
		if (*p)
			break;
		pthread_cond_wait(&s->committed, &s->lock);
	}
	*p = op.next;
	if (s->completed_tail == &op.next)
		s->completed_tail = p;
	pthread_mutex_unlock(&s->lock);
	if (op.err)
		return error_set(e, op.err, "%s", s->last_error);
	return 0;
}
