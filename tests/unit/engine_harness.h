/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An engine with one mapping. The kernel is played by a source over a real directory, the storage
 * account by engine_server.h.
 */
#ifndef TESTS_ENGINE_HARNESS_H
#define TESTS_ENGINE_HARNESS_H

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/internal.h"
#include "engine_server.h"

#define WAIT_MS		20000
#define DERIVED		1000000		/* entry numbers that open() gives out */
#define TICK_NS		1000000

struct fake {
	struct source base;
	struct source *dir;
	pthread_mutex_t lock;
	struct kdev_done_item done[512];
	unsigned int nr_done;
	uint64_t next_number;
	unsigned int unquiet;		/* so many answers of stable() are no */
	int open_error;
	int stat_error;
	int scan_error;			/* of directories but the root */
	uint32_t marked;		/* flags of the last mark() */
	int open_files;
	unsigned int opens, scans;
	struct kdev_report report;
	char error[512];
	uint64_t requests;
};

static char top[64], root[96];
static struct server *server;
static struct engine *engine;
static struct mapping *mapping;
static struct fake *fake;

/* ---- the source ---- */

static struct fake *to_fake(struct source *s)
{
	return (struct fake *)s;
}

static int fake_open(struct source *s, uint64_t entry, const char *path, size_t len,
		     struct kdev_file *out, struct error *e)
{
	struct fake *f = to_fake(s);
	int r = f->open_error ? f->open_error
			      : f->dir->ops->open(f->dir, entry, path, len, out, e);

	if (r)
		return r;
	pthread_mutex_lock(&f->lock);
	f->open_files++;
	f->opens++;
	/* Entries below 100 are subtrees: a file of theirs gets a number of its own. */
	if (entry < 100)
		out->entry = f->next_number++;
	pthread_mutex_unlock(&f->lock);
	return 0;
}

static void fake_close(struct source *s, struct kdev_file *file)
{
	struct fake *f = to_fake(s);

	pthread_mutex_lock(&f->lock);
	f->open_files--;
	pthread_mutex_unlock(&f->lock);
	f->dir->ops->close(f->dir, file);
}

static int fake_stat(struct source *s, const char *path, size_t len, struct kdev_stat *out,
		     struct error *e)
{
	struct fake *f = to_fake(s);

	if (f->stat_error)
		return error_set_errno(e, f->stat_error, "stat");
	return f->dir->ops->stat(f->dir, path, len, out, e);
}

static ssize_t fake_readlink(struct source *s, const char *path, size_t len, char *buf, size_t size,
			     struct error *e)
{
	return to_fake(s)->dir->ops->readlink(to_fake(s)->dir, path, len, buf, size, e);
}

static int fake_stable(struct source *s, const struct kdev_file *file, bool *quiet,
		       struct error *e)
{
	struct fake *f = to_fake(s);
	bool no;

	pthread_mutex_lock(&f->lock);
	no = f->unquiet;
	f->unquiet -= no;
	pthread_mutex_unlock(&f->lock);
	*quiet = false;
	return no ? 0 : f->dir->ops->stable(f->dir, file, quiet, e);
}

static int fake_scan_open(struct source *s, struct source_scan **out, const char *path, size_t len,
			  struct error *e)
{
	struct fake *f = to_fake(s);

	f->scans++;
	if (f->scan_error && len)
		return error_set_errno(e, f->scan_error, "scan");
	return f->dir->ops->scan_open(f->dir, out, path, len, e);
}

static struct source_ops fake_ops;

static int fake_done(struct source *s, const struct kdev_done_item *items, size_t nr,
		     struct error *e)
{
	struct fake *f = to_fake(s);

	(void)e;
	for (size_t i = 0; i < nr; i++)
		f->done[f->nr_done++ % 512] = items[i];
	return 0;
}

static int fake_mark(struct source *s, const char *path, size_t len, uint32_t flags,
		     struct error *e)
{
	(void)path;
	(void)len;
	(void)e;
	to_fake(s)->marked = flags;
	return 0;
}

static int fake_report(struct source *s, const struct kdev_report *r, struct error *e)
{
	struct fake *f = to_fake(s);

	(void)e;
	f->requests += r->requests;
	if (r->error)
		snprintf(f->error, sizeof(f->error), "%s", r->error);
	f->report = *r;
	return 0;
}

static void fake_free(struct source *s)
{
	struct fake *f = to_fake(s);

	assert_int_equal(f->open_files, 0);
	f->dir->ops->free(f->dir);
	free(f);
}

static struct fake *fake_create(void)
{
	struct fake *f = calloc(1, sizeof(*f));
	struct error e = { 0 };

	if (source_dir_create(&f->dir, root, &e))
		fail_msg("%s", e.message);
	fake_ops = (struct source_ops){
		.open = fake_open, .close = fake_close, .stat = fake_stat,
		.readlink = fake_readlink, .stable = fake_stable, .scan_open = fake_scan_open,
		.scan_next = f->dir->ops->scan_next, .scan_close = f->dir->ops->scan_close,
		.done = fake_done, .mark = fake_mark, .report = fake_report, .free = fake_free,
	};
	f->base.ops = &fake_ops;
	f->next_number = DERIVED;
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

/* ---- files, the engine, waiting ---- */

static void put_file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

__attribute__((unused))
static void put_sized(const char *name, off_t size)
{
	char path[256];

	put_file(name, "x");
	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(truncate(path, size), 0);
}

static void in_root(int (*what)(const char *), const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(what(path), 0);
}

static int make_dir(const char *path)
{
	return mkdir(path, 0755);
}

static void let_ticks_pass(void)
{
	/* Files that were written a moment ago are never trusted by stat. */
	usleep(20000);
}

static void start(const struct kdev_attr *attrs, size_t nr, uint32_t delete_delay_ms)
{
	char db[96], text[512];
	struct engine_config config = { .state_path = db, .delete_delay_ms = delete_delay_ms };
	struct azure_target_config target = { .container = "con" };
	struct mapping_config m = { .name = "test", .prefix = "", .attrs = attrs, .nr_attrs = nr,
				    .key = { .root_ino = 1 }, .tick_ns = TICK_NS };
	struct azure_error err = { 0 };
	struct error e = { 0 };

	snprintf(db, sizeof(db), "%s/state.db", top);
	if (engine_create(&engine, &config, &e))
		fail_msg("%s", e.message);
	snprintf(text, sizeof(text),
		 "AZURE_STORAGE_CONNECTION_STRING=DefaultEndpointsProtocol=http;AccountName=acc0;AccountKey=a2V5a2V5a2V5a2V5a2V5a2V5;"
		 "BlobEndpoint=http://127.0.0.1:%d/acc0\n", server->port);
	target.credential = azure_credential_parse(text, strlen(text), &err);
	if (!target.credential)
		fail_msg("%s", err.message);
	m.azure = azure_target_create(&target, &err);
	if (!m.azure)
		fail_msg("%s", err.message);
	azure_credential_put(target.credential);
	fake = fake_create();
	m.source = &fake->base;
	mapping = mapping_create(engine, &m);
	azure_target_put(m.azure);
	assert_non_null(mapping);
}

static void stop(void)
{
	engine_free(engine);
	engine = NULL;
}

static void give(enum kdev_record_type type, uint64_t number, const char *path, uint32_t flags)
{
	struct kdev_record r = { .type = type, .entry = { .entry = number, .path = path,
							   .path_len = strlen(path),
							   .flags = flags } };
	struct entry *entry = entry_create(mapping, &r);

	*mapping->queue_tail = entry;
	mapping->queue_tail = &entry->next;
}

static struct kdev_done_item *find_done(uint64_t number)
{
	for (unsigned int i = fake->nr_done; i-- > 0;)
		if (fake->done[i % 512].entry == number)
			return &fake->done[i % 512];
	return NULL;
}

static void run_some(void)
{
	struct error e = { 0 };

	if (engine_run(engine, 50, &e))
		fail_msg("%s", e.message);
}

static struct kdev_done_item *wait_done(uint64_t number)
{
	int64_t until = engine_now_ms() + WAIT_MS;

	while (!find_done(number) && engine_now_ms() < until)
		run_some();
	if (!find_done(number))
		fail_msg("entry %lu is not done: %s", (unsigned long)number, mapping->error);
	return find_done(number);
}

/* One path through to its end. */
static struct kdev_done_item *do_path(uint64_t number, const char *path, uint32_t flags)
{
	give(KDEV_ENTRY_PATH, number, path, flags);
	return wait_done(number);
}

static void wait_report(void)
{
	int64_t until = engine_now_ms() + WAIT_MS;

	while (mapping->report_due && engine_now_ms() < until)
		run_some();
	assert_false(mapping->report_due);
}

static bool blob_has(const char *name, const char *text)
{
	struct server_blob *b;
	bool has;

	pthread_mutex_lock(&server->lock);
	b = server_find(server, name);
	has = b && b->etag[0] && strstr(b->meta, text);
	pthread_mutex_unlock(&server->lock);
	return has;
}

static bool has_blob(const char *name)
{
	return blob_has(name, "");
}

/* A blob that is there without the engine. */
__attribute__((unused))
static void plant(const char *name, const char *md5, unsigned long size, const char *meta)
{
	struct server_blob *b;

	pthread_mutex_lock(&server->lock);
	b = server_make(server, name);
	snprintf(b->md5, sizeof(b->md5), "%s", md5);
	snprintf(b->meta, sizeof(b->meta), "%s", meta);
	b->size = size;
	server_new_etag(server, b);
	pthread_mutex_unlock(&server->lock);
}

static int setup(void **state)
{
	(void)state;
	strcpy(top, "/tmp/azs-engine-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(root, sizeof(root), "%s/root", top);
	server = server_start();
	return mkdir(root, 0755);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	stop();
	server_stop(server);
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

#endif /* TESTS_ENGINE_HARNESS_H */
