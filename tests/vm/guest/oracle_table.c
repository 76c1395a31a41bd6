/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What was uploaded and what is out, and the first thing that went wrong. */
#include "oracle_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void note_wrong(struct oracle *o, const char *format, ...)
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

void dawdle(const struct oracle *o)
{
	static _Thread_local unsigned int seed;

	if (!seed)
		seed = (unsigned int)(uintptr_t)&seed;
	if (o->dawdle_us)
		usleep((unsigned int)rand_r(&seed) % o->dawdle_us);
}

/* ---- what is out ---- */

void out_add(struct oracle *o, const char *path)
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

void out_remove(struct oracle *o, const char *path)
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

/* ---- the table ---- */

struct row *row_find(struct oracle *o, const char *path)
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

void rows_prune(struct oracle *o, struct azs_mref m, const char *dir, uint64_t scan)
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

bool row_commit(struct oracle *o, struct azs_mref m, const char *path, const struct azs_stat *st,
		uint64_t hash, bool trusted)
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

bool row_is_current(struct oracle *o, const char *path, const struct azs_stat *st, uint64_t scan)
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

/* ---- content ---- */

uint64_t hash_bytes(uint64_t hash, const unsigned char *data, size_t len)
{
	while (len--)
		hash = (hash ^ *data++) * 0x100000001b3ULL;
	return hash;
}

int hash_fd(int fd, uint64_t *hash)
{
	unsigned char buf[16384];
	ssize_t n;

	*hash = 0xcbf29ce484222325ULL;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		*hash = hash_bytes(*hash, buf, (size_t)n);
	return (int)n;
}
