/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What becomes of a record: files are opened, read and committed, directories scanned. */
#include "oracle_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AGAIN_MS	10

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

/* ---- files ---- */

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

static void note_disturbed(struct oracle *o)
{
	pthread_mutex_lock(&o->lock);
	o->disturbed++;
	pthread_mutex_unlock(&o->lock);
}

/* Reads and commits an open file; finishes its entry. */
static void upload(struct oracle *o, struct azs_mref m, uint64_t entry, const char *path, int fd,
		   const struct azs_open *opened, bool old, bool lagged)
{
	bool quiet = false, committed = false;
	uint64_t hash = 0;

	dawdle(o);
	if (!S_ISREG(opened->st.mode))
		note_wrong(o, "OPEN of \"%s\" gave something of mode %o", path, opened->st.mode);
	if (hash_fd(fd, &hash) < 0)
		note_wrong(o, "reading \"%s\": %s", path, strerror(errno));
	close(fd);
	dawdle(o);
	if (dev_stable(o->dev, entry, &quiet) < 0 && !o->stop && errno != ENOENT && errno != ESTALE)
		note_wrong(o, "STABLE of \"%s\": %s", path, strerror(errno));
	if (!quiet)
		note_disturbed(o);
	dawdle(o);
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

	dawdle(o);
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
		note_disturbed(o);
		return;
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

void *oracle_work(void *arg)
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
