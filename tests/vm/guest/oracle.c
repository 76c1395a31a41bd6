/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The oracle's life, and the comparison at its end. See oracle_priv.h. */
#include "oracle_priv.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
		CHECK_EQ(pthread_create(&o->threads[o->workers++], NULL, oracle_work, o), 0);
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

void oracle_dawdle(struct oracle *o, unsigned int max_us)
{
	o->dawdle_us = max_us;
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

unsigned long oracle_disturbed(const struct oracle *o)
{
	return o->disturbed;
}

unsigned long oracle_uploads(const struct oracle *o)
{
	return o->uploads;
}
