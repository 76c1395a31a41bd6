/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Workers take one record each and finish it before they take the next. Locks: o->take
 * around reading the device; o->lock around the table and what is out. The ioctls
 * that decide about a row are made with o->lock held, so that "it is not there any
 * more" and "it is there, and this is its content" are in the order in which they were
 * true.
 */
#include "oracle.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WORKERS_MAX	4
#define ROWS_MAX	16384
#define OUT_MAX		8192
#define AGAIN_MS	10

struct row {
	char *path;
	struct azs_stat st;	/* when it was committed */
	uint64_t hash;
	bool trusted;
	uint64_t seen;		/* number of the scan that met it last */
};

struct oracle {
	const char *mapping;
	struct dev *dev;
	pthread_t threads[WORKERS_MAX];
	unsigned int workers;
	volatile bool stop;
	volatile bool killed;	/* from here on nothing is committed nor done */

	pthread_mutex_t take;
	struct azs_mref mref;		/* [take] */

	pthread_mutex_t lock;
	struct row rows[ROWS_MAX];	/* [lock] */
	size_t nr_rows;
	char *out[OUT_MAX];		/* [lock] paths that are ours */
	size_t nr_out;
	uint64_t scans;
	unsigned long uploads;
	char *wrong;			/* [lock] the first thing that was */
};

static void note_wrong(struct oracle *o, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void note_wrong(struct oracle *o, const char *format, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = strdup("out of memory");
	va_end(ap);
	pthread_mutex_lock(&o->lock);
	if (!o->wrong)
		o->wrong = text;
	pthread_mutex_unlock(&o->lock);
	o->stop = true;
}

/* ---- what is out ---- */

static void out_add(struct oracle *o, const char *path)
{
	bool twice = false;

	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->nr_out; i++)
		twice |= strcmp(o->out[i], path) == 0;
	if (o->nr_out < OUT_MAX)
		o->out[o->nr_out++] = strdup(path);
	pthread_mutex_unlock(&o->lock);
	if (twice)
		note_wrong(o, "\"%s\" was handed out twice", path);
}

/* Before the call that gives it back, so that the next hand-out is no twin. */
static void out_remove(struct oracle *o, const char *path)
{
	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->nr_out; i++) {
		if (strcmp(o->out[i], path) != 0)
			continue;
		free(o->out[i]);
		o->out[i] = o->out[--o->nr_out];
		break;
	}
	pthread_mutex_unlock(&o->lock);
}

static void done(struct oracle *o, const char *path, uint64_t entry, unsigned int result,
		 unsigned int flags)
{
	int known;

	out_remove(o, path);
	if (o->killed)
		return;
	known = dev_done(o->dev, entry, result, result == AZS_DONE_AGAIN ? AGAIN_MS : 0, flags);
	/* A mapping that goes down takes its entries along. */
	if (known < 0 && !o->stop)
		note_wrong(o, "DONE of \"%s\": %s", path, strerror(errno));
}

/* ---- the table, all under o->lock ---- */

static struct row *row_find(struct oracle *o, const char *path)
{
	for (size_t i = 0; i < o->nr_rows; i++) {
		if (strcmp(o->rows[i].path, path) == 0)
			return &o->rows[i];
	}
	return NULL;
}

static void row_delete(struct oracle *o, size_t i)
{
	free(o->rows[i].path);
	o->rows[i] = o->rows[--o->nr_rows];
}

static bool is_at_or_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !len || (strncmp(path, dir, len) == 0 && (!path[len] || path[len] == '/'));
}

static bool is_content(const struct azs_stat *st)
{
	return S_ISREG(st->mode) || S_ISLNK(st->mode);
}

/* Rows at or below a path that a scan did not meet go if they are gone now, too. */
static void rows_prune(struct oracle *o, struct azs_mref m, const char *dir, uint64_t scan)
{
	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->nr_rows;) {
		struct row *row = &o->rows[i];
		struct azs_stat st;

		if (!is_at_or_below(row->path, dir) || (scan && row->seen >= scan)) {
			i++;
			continue;
		}
		if (dev_stat(o->dev, m, row->path, &st) < 0 ? errno == ENOENT || errno == ENOTDIR
							    : !is_content(&st))
			row_delete(o, i);
		else
			i++;
	}
	pthread_mutex_unlock(&o->lock);
}

/* False if the path leads to something else by now. */
static bool row_commit(struct oracle *o, struct azs_mref m, const char *path,
		       const struct azs_stat *st, uint64_t hash, bool trusted)
{
	struct azs_stat now;
	struct row *row = NULL;

	pthread_mutex_lock(&o->lock);
	if (!o->killed && dev_stat(o->dev, m, path, &now) == 0 && now.ino == st->ino &&
	    now.generation == st->generation && (now.mode & S_IFMT) == (st->mode & S_IFMT)) {
		row = row_find(o, path);
		if (!row && o->nr_rows < ROWS_MAX) {
			row = &o->rows[o->nr_rows++];
			row->path = strdup(path);
		}
	}
	if (row) {
		row->st = *st;
		row->hash = hash;
		row->trusted = trusted;
		row->seen = o->scans;
		o->uploads++;
	}
	pthread_mutex_unlock(&o->lock);
	return row;
}

static bool row_is_current(struct oracle *o, const char *path, const struct azs_stat *st,
			   uint64_t scan)
{
	struct row *row;
	bool current;

	pthread_mutex_lock(&o->lock);
	row = row_find(o, path);
	if (row && scan)
		row->seen = scan;
	current = row && row->trusted && !(st->flags & AZS_STAT_WRITER) &&
		  row->st.ino == st->ino && row->st.generation == st->generation &&
		  row->st.size == st->size && row->st.mtime_sec == st->mtime_sec &&
		  row->st.mtime_nsec == st->mtime_nsec && row->st.ctime_sec == st->ctime_sec &&
		  row->st.ctime_nsec == st->ctime_nsec;
	pthread_mutex_unlock(&o->lock);
	return current;
}

/* ---- files ---- */

static uint64_t hash_bytes(uint64_t hash, const unsigned char *data, size_t len)
{
	while (len--)
		hash = (hash ^ *data++) * 0x100000001b3ULL;
	return hash;
}

static int hash_fd(int fd, uint64_t *hash)
{
	unsigned char buf[16384];
	ssize_t n;

	*hash = 0xcbf29ce484222325ULL;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		*hash = hash_bytes(*hash, buf, (size_t)n);
	return (int)n;
}

/* Two ticks older than the moment of opening: no later change can have the same time. */
static bool is_old_enough(const struct oracle *o, const struct azs_stat *st)
{
	struct timespec now;
	uint64_t age_ns;

	clock_gettime(CLOCK_REALTIME, &now);
	age_ns = (uint64_t)(now.tv_sec - st->ctime_sec) * 1000000000ULL +
		 (uint64_t)now.tv_nsec - st->ctime_nsec;
	return age_ns > 2 * o->dev->tick_ns;
}

/* Reads and commits an open file; finishes its entry. */
static void upload(struct oracle *o, struct azs_mref m, uint64_t entry, const char *path, int fd,
		   const struct azs_open *opened, bool old, bool lagged)
{
	bool quiet = false, committed = false;
	uint64_t hash = 0;

	if (!S_ISREG(opened->st.mode))
		note_wrong(o, "OPEN of \"%s\" gave something of mode %o", path, opened->st.mode);
	if (hash_fd(fd, &hash) < 0)
		note_wrong(o, "reading \"%s\": %s", path, strerror(errno));
	close(fd);
	if (dev_stable(o->dev, entry, &quiet) < 0 && !o->stop && errno != ENOENT && errno != ESTALE)
		note_wrong(o, "STABLE of \"%s\": %s", path, strerror(errno));
	if (quiet || lagged)
		committed = row_commit(o, m, path, &opened->st, hash, quiet && old);
	if (committed)
		done(o, path, entry, AZS_DONE_OK,
		     AZS_DONE_UPLOADED | (quiet ? 0 : AZS_DONE_UNQUIET));
	else
		done(o, path, entry, AZS_DONE_AGAIN, 0);
}

/* Opens a file for the entry that led to it. For a PATH entry, that entry is finished. */
static void file(struct oracle *o, const struct rec *lead, const char *path)
{
	bool own = lead->type == AZS_REC_PATH;
	uint64_t entry = lead->entry;
	struct azs_open opened;
	bool old;
	int fd;

	if (own)
		out_remove(o, path);
	fd = dev_open_file(o->dev, lead->mapping, &entry, path, &opened);
	if (fd >= 0) {
		old = is_old_enough(o, &opened.st);
		out_add(o, path);
		upload(o, lead->mapping, entry, path, fd, &opened, old,
		       (lead->flags & AZS_ENTRY_LAGGED) || (opened.out_flags & AZS_OPEN_WRITER));
		return;
	}
	switch (errno) {
	case EAGAIN:		/* it is pending again, or now */
	case ESTALE:		/* the mapping went down */
		return;
	case EBUSY:		/* another entry stands for it; a PATH entry of ours cannot */
		if (own)
			note_wrong(o, "OPEN of \"%s\" for its own entry: EBUSY", path);
		return;
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case EISDIR:
	case EINVAL:		/* something else by now, of which an event tells */
		rows_prune(o, lead->mapping, path, 0);
		break;
	case ENOBUFS:
		if (!own)
			dev_mark(o->dev, lead->mapping, path, AZS_MARK_CONTENT);
		break;
	default:
		if (!o->stop)
			note_wrong(o, "OPEN of \"%s\": %s", path, strerror(errno));
	}
	if (own)
		done(o, path, entry, AZS_DONE_OK, AZS_DONE_SKIPPED);
}

static bool symlink_at(struct oracle *o, struct azs_mref m, const char *path,
		       const struct azs_stat *st)
{
	char target[AZS_PATH_MAX];
	int len = dev_readlink(o->dev, m, path, target, sizeof(target));

	if (len < 0)
		return false;
	return row_commit(o, m, path, st,
			  hash_bytes(0, (const unsigned char *)target, (size_t)len), false);
}

/* ---- directories ---- */

struct listing {
	struct azs_stat *st;
	char **names;
	size_t nr;
};

static bool list_add(const struct azs_dirent *de, const char *name, void *arg)
{
	struct listing *l = arg;

	if (l->nr % 64 == 0) {
		l->st = realloc(l->st, (l->nr + 64) * sizeof(l->st[0]));
		l->names = realloc(l->names, (l->nr + 64) * sizeof(l->names[0]));
	}
	l->st[l->nr] = de->st;
	l->names[l->nr++] = strdup(name);
	return true;
}

static void subtree(struct oracle *o, const struct rec *lead, const char *dir, uint64_t scan);

static void listed(struct oracle *o, const struct rec *lead, const char *path,
		   const struct azs_stat *st, uint64_t scan)
{
	if (S_ISDIR(st->mode)) {
		if (!(st->flags & AZS_STAT_MOUNTPOINT))
			subtree(o, lead, path, scan);
	} else if (S_ISLNK(st->mode)) {
		symlink_at(o, lead->mapping, path, st);
	} else if (S_ISREG(st->mode)) {
		bool current = row_is_current(o, path, st, scan);

		if (!current || (lead->flags & AZS_ENTRY_CONTENT))
			file(o, lead, path);
	}
}

static void subtree(struct oracle *o, const struct rec *lead, const char *dir, uint64_t scan)
{
	struct listing l = { 0 };
	char path[AZS_PATH_MAX];

	if (dev_scan(o->dev, lead->mapping, dir, list_add, &l) < 0 && errno != ENOENT &&
	    errno != ENOTDIR && errno != ESTALE && !o->stop)
		note_wrong(o, "SCAN of \"%s\": %s", dir, strerror(errno));
	for (size_t i = 0; i < l.nr; i++) {
		snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", l.names[i]);
		if (!o->stop)
			listed(o, lead, path, &l.st[i], scan);
		free(l.names[i]);
	}
	free(l.names);
	free(l.st);
}

/* ---- entries ---- */

static void handle_path(struct oracle *o, const struct rec *r)
{
	struct azs_stat st;
	int ret = dev_stat(o->dev, r->mapping, r->path, &st);
	bool ok = true;

	if (ret == 0 && S_ISREG(st.mode)) {
		if ((r->flags & AZS_ENTRY_CONTENT) || !row_is_current(o, r->path, &st, 0))
			file(o, r, r->path);
		else
			done(o, r->path, r->entry, AZS_DONE_OK, AZS_DONE_SKIPPED);
		return;
	}
	if (ret == 0 && S_ISLNK(st.mode))
		ok = symlink_at(o, r->mapping, r->path, &st);
	else if (ret == 0 || errno == ENOENT || errno == ENOTDIR)
		rows_prune(o, r->mapping, r->path, 0);
	else if (errno != ESTALE)
		note_wrong(o, "STAT of \"%s\": %s", r->path, strerror(errno));
	done(o, r->path, r->entry, ok ? AZS_DONE_OK : AZS_DONE_AGAIN, 0);
}

static void handle_subtree(struct oracle *o, const struct rec *r)
{
	uint64_t scan;
	struct azs_stat st;

	pthread_mutex_lock(&o->lock);
	scan = ++o->scans;
	pthread_mutex_unlock(&o->lock);
	if (dev_stat(o->dev, r->mapping, r->path, &st) == 0)
		listed(o, r, r->path, &st, scan);
	rows_prune(o, r->mapping, r->path, scan);
	done(o, r->path, r->entry, AZS_DONE_OK, 0);
}

/* Every path known for the inode; if there is none, the folder is looked through. */
static void handle_inode(struct oracle *o, const struct rec *r)
{
	char *paths[64];
	size_t nr = 0;

	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->nr_rows && nr < ARRAY_SIZE(paths); i++) {
		if (o->rows[i].st.ino == r->ino)
			paths[nr++] = strdup(o->rows[i].path);
	}
	pthread_mutex_unlock(&o->lock);
	for (size_t i = 0; i < nr; i++) {
		file(o, r, paths[i]);
		free(paths[i]);
	}
	if (!nr)
		dev_mark(o->dev, r->mapping, "", AZS_MARK_SUBTREE | AZS_MARK_CONTENT);
	done(o, r->path, r->entry, AZS_DONE_OK, 0);
}

static void handle(struct oracle *o, const struct rec *r)
{
	switch (r->type) {
	case AZS_REC_PATH:
		out_add(o, r->path);
		handle_path(o, r);
		break;
	case AZS_REC_SUBTREE:
		out_add(o, r->path);
		handle_subtree(o, r);
		break;
	case AZS_REC_INODE:
		handle_inode(o, r);
		break;
	}
}

static void *work(void *arg)
{
	struct oracle *o = arg;
	struct rec *r = malloc(sizeof(*r));

	while (r && !o->stop) {
		const char *wrong;
		bool got;

		pthread_mutex_lock(&o->take);
		wrong = dev_try_next(o->dev, r, 20, &got);
		pthread_mutex_unlock(&o->take);
		if (wrong && !o->stop)
			note_wrong(o, "read: %s", wrong);
		else if (!wrong && got)
			handle(o, r);
	}
	free(r);
	return NULL;
}

/* ---- life ---- */

static void join_workers(struct oracle *o)
{
	o->stop = true;
	for (unsigned int i = 0; i < o->workers; i++)
		pthread_join(o->threads[i], NULL);
	o->workers = 0;
}

static void stop_oracle(void *o)
{
	join_workers(o);
}

static void start_workers(struct oracle *o, unsigned int workers)
{
	CHECK(workers <= WORKERS_MAX);
	o->stop = false;
	while (o->workers < workers)
		CHECK_EQ(pthread_create(&o->threads[o->workers++], NULL, work, o), 0);
}

struct oracle *oracle_start(const char *mapping, unsigned int workers)
{
	struct oracle *o = calloc(1, sizeof(*o));

	CHECK(o);
	o->mapping = mapping;
	o->dev = dev_open();
	pthread_mutex_init(&o->take, NULL);
	pthread_mutex_init(&o->lock, NULL);
	defer(stop_oracle, o);
	start_workers(o, workers);
	return o;
}

static void check_wrong(struct oracle *o)
{
	if (o->wrong)
		FAIL("the uploader: %s", o->wrong);
}

void oracle_kill(struct oracle *o)
{
	o->killed = true;
	join_workers(o);
	while (o->nr_out > 0)
		free(o->out[--o->nr_out]);
	dev_close(o->dev);
	check_wrong(o);
}

void oracle_resume(struct oracle *o, unsigned int workers)
{
	o->killed = false;
	WAIT_FOR((o->dev->fd = dev_open_raw()) >= 0, PATIENCE_MS);
	CHECK_OK(dev_hello(o->dev->fd));
	start_workers(o, workers);
}

void oracle_settle(struct oracle *o, unsigned int timeout_ms)
{
	uint64_t until = now_ms() + timeout_ms;

	while (!is_at_rest(o->mapping) || map_gauge(o->mapping, "open_writers")) {
		check_wrong(o);
		CHECK_MSG(now_ms() < until, "%llu pending, %llu out, %llu writers after %u ms",
			  map_gauge(o->mapping, "pending"), map_gauge(o->mapping, "in_flight"),
			  map_gauge(o->mapping, "open_writers"), timeout_ms);
		sleep_ms(5);
	}
	check_wrong(o);
}

/* ---- the end ---- */

static struct oracle *checked;
static size_t checked_base;
static size_t checked_files;

static int check_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char target[AZS_PATH_MAX];
	const char *rel = path + checked_base;
	uint64_t hash = 0;
	struct row *row;
	ssize_t len;
	int fd;

	(void)type;
	(void)ftw;
	if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
		return 0;
	checked_files++;
	row = row_find(checked, rel);
	if (!row)
		FAIL("\"%s\" was not uploaded", rel);
	if (S_ISREG(st->st_mode)) {
		fd = (int)CHECK_OK(open(path, O_RDONLY | O_CLOEXEC));
		CHECK_OK(hash_fd(fd, &hash));
		close(fd);
	} else {
		len = CHECK_OK(readlink(path, target, sizeof(target)));
		hash = hash_bytes(0, (const unsigned char *)target, (size_t)len);
	}
	CHECK_MSG(row->hash == hash, "\"%s\" has other content than what was uploaded", rel);
	return 0;
}

/* The workers are idle: nothing is out. */
void oracle_check(struct oracle *o, const char *folder)
{
	checked = o;
	checked_base = strlen(folder) + 1;
	checked_files = 0;
	CHECK_OK(nftw(folder, check_one, 64, FTW_PHYS | FTW_MOUNT));
	for (size_t i = 0; i < o->nr_rows; i++) {
		struct stat st;

		if (lstat(fmt("%s/%s", folder, o->rows[i].path), &st) < 0)
			FAIL("\"%s\" is gone, but not in the table", o->rows[i].path);
	}
	CHECK_EQ(o->nr_rows, checked_files);
}

unsigned long oracle_uploads(const struct oracle *o)
{
	return o->uploads;
}
