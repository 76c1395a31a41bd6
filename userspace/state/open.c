/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "state/internal.h"

/* Readers and the writer do not wait for one another in WAL; only recovery and a foreign
 * process (sqlite3(1) by hand) can make one wait. */
#define BUSY_TIMEOUT_MS 5000
#define CACHE_KIB 2048

static int open_db(sqlite3 **db, const char *path, int flags, struct error *e)
{
	int rc = sqlite3_open_v2(path, db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
				 NULL);
	char *sql;

	if (rc != SQLITE_OK)
		return state_fail(e, *db, rc, path);
	sqlite3_extended_result_codes(*db, 1);
	sqlite3_busy_timeout(*db, BUSY_TIMEOUT_MS);
	sql = sqlite3_mprintf("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			      "PRAGMA cache_size = -%d; PRAGMA temp_store = MEMORY;"
			      "PRAGMA trusted_schema = OFF; PRAGMA mmap_size = 0;", CACHE_KIB);
	rc = sql ? sqlite3_exec(*db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
	sqlite3_free(sql);
	return rc == SQLITE_OK ? 0 : state_fail(e, *db, rc, path);
}

/* SQLite makes files with the umask; paths and names of others are nobody else's business. */
static int create_private(const char *path, struct error *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_set_errno(e, -errno, "state database %s", path);
	close(fd);
	return 0;
}

static int limit_pages(struct state *s, struct error *e)
{
	char *sql;
	int rc;

	if (!s->config.max_pages)
		return 0;
	sql = sqlite3_mprintf("PRAGMA max_page_count = %u", s->config.max_pages);
	rc = sql ? sqlite3_exec(s->wdb, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
	sqlite3_free(sql);
	return rc == SQLITE_OK ? 0 : state_fail(e, s->wdb, rc, "max_page_count");
}

static int open_both(struct state *s, struct error *e)
{
	int r = create_private(s->config.path, e);

	if (!r)
		r = open_db(&s->wdb, s->config.path, SQLITE_OPEN_READWRITE, e);
	if (!r)
		r = limit_pages(s, e);
	if (!r)
		r = state_schema_apply(s->wdb, e);
	if (!r)
		r = open_db(&s->rdb, s->config.path, SQLITE_OPEN_READWRITE, e);
	if (!r)
		r = state_prepare(s->wdb, state_write_sql, s->wstmt, W_COUNT, e);
	if (!r)
		r = state_prepare(s->rdb, state_read_sql, s->rstmt, R_COUNT, e);
	return r;
}

/* SQLite counts its memory under a lock of the whole process, for figures nobody asks for. */
static void configure_once(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int state_open(struct state **out, const struct state_config *config, struct error *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct state *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;
	int r;

	*out = NULL;
	pthread_once(&once, configure_once);
	if (!s)
		return error_set(e, -ENOMEM, "state database: no memory");
	s->config = *config;
	s->queue_tail = &s->queue;
	s->completed_tail = &s->completed;
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->read_lock, NULL);
	/* The writer's wait for company must not depend on who sets the clock. */
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->queued, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&s->committed, NULL);
	r = open_both(s, e);
	if (!r) {
		r = -pthread_create(&s->writer, NULL, state_writer_main, s);
		if (r)
			error_set_errno(e, r, "state database: no thread");
		s->has_writer = !r;
	}
	if (r) {
		state_close(s);
		return r;
	}
	*out = s;
	return 0;
}

void state_close(struct state *s)
{
	if (!s)
		return;
	if (s->has_writer) {
		pthread_mutex_lock(&s->lock);
		s->stop = true;
		pthread_cond_signal(&s->queued);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->writer, NULL);
	}
	state_finalize(s->rstmt, R_COUNT);
	state_finalize(s->wstmt, W_COUNT);
	sqlite3_close(s->rdb);
	sqlite3_close(s->wdb);
	pthread_cond_destroy(&s->committed);
	pthread_cond_destroy(&s->queued);
	pthread_mutex_destroy(&s->read_lock);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
