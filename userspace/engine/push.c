/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The engine once over a plain directory: one mapping, one entry, which is its root's subtree. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/internal.h"

#define PROGRESS_EVERY_MS 100

struct push {
	const struct push_options *options;
	struct push_progress progress;
	bool ended;
	bool blocked;
	enum kdev_result result;
	char why[512];
	int64_t told_ms;
};

void push_blocked(struct push *p, const char *why)
{
	p->blocked = true;
	snprintf(p->why, sizeof(p->why), "%s", why);
}

void push_seen(struct push *p, uint64_t files, bool complete)
{
	p->progress.files_seen += files;
	p->progress.scan_complete |= complete;
}

void push_to_send(struct push *p, uint64_t bytes)
{
	p->progress.bytes_total += bytes;
}

void push_sent(struct push *p, uint64_t bytes)
{
	p->progress.bytes_done += bytes;
}

void push_file_done(struct push *p, uint32_t did)
{
	p->progress.uploaded += (did & KDEV_DID_UPLOAD) != 0;
}

void push_failed(struct push *p, const char *path, const char *message)
{
	/* A target that refuses everything is told once, as the result. */
	if (p->blocked)
		return;
	p->progress.failed++;
	if (p->options->on_failure)
		p->options->on_failure(p->options->arg, path, message);
}

void push_entry_done(struct push *p, enum kdev_result result)
{
	p->ended = true;
	p->result = result;
}

static void tell(struct push *p, const struct mapping *m, bool now)
{
	int64_t ms = engine_now_ms();
	uint64_t open = m->gauges.backlog_files + p->progress.failed;

	if (!now && ms - p->told_ms < PROGRESS_EVERY_MS)
		return;
	p->told_ms = ms;
	p->progress.files_done = p->progress.files_seen > open ? p->progress.files_seen - open : 0;
	p->progress.deleted = m->counters.deleted;
	if (p->options->on_progress)
		p->options->on_progress(p->options->arg, &p->progress);
}

static int default_state_path(char **path, struct error *e)
{
	const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *dir = NULL;
	int r;

	if (base && *base == '/')
		r = asprintf(&dir, "%s/azure-storage", base);
	else if (home && *home == '/')
		r = asprintf(&dir, "%s/.local/state/azure-storage", home);
	else
		return error_set(e, -ENOENT, "no state: neither XDG_STATE_HOME nor HOME is set");
	if (r < 0)
		return error_set(e, -ENOMEM, "no memory");
	for (char *c = dir + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		mkdir(dir, 0700);
		*c = '/';
	}
	r = mkdir(dir, 0700) && errno != EEXIST ? error_set_errno(e, -errno, "%s", dir) : 0;
	if (!r && asprintf(path, "%s/push.db", dir) < 0)
		r = error_set(e, -ENOMEM, "no memory");
	free(dir);
	return r;
}

static int add_mapping(struct engine *en, struct push *p, struct mapping **out, struct error *e)
{
	const struct push_options *o = p->options;
	struct mapping_config config = {
		.name = "push", .azure = o->target, .prefix = o->prefix ? o->prefix : "",
		.attrs = o->attrs, .nr_attrs = o->nr_attrs, .push = p,
		/* The coarsest there is among the filesystems in use. */
		.tick_ns = 10000000,
	};
	struct kdev_record record = {
		.type = KDEV_ENTRY_SUBTREE, .entry = { .entry = PUSH_ENTRY, .path = "" },
	};
	struct source_dir_identity id;
	struct policy policy;
	struct entry *entry;
	int r;

	/* Of a mapping a bad attribute is a state; here it is the caller's mistake. */
	r = policy_parse(&policy, o->attrs, o->nr_attrs, e);
	if (r)
		return r;
	policy_free(&policy);
	r = source_dir_create(&config.source, o->path, e);
	if (r)
		return r;
	source_dir_identity(config.source, &id);
	memcpy(config.key.fs_uuid, id.fs_uuid, sizeof(id.fs_uuid));
	config.key.root_ino = id.root_ino;
	config.key.root_btime_ns = id.root_btime_ns;
	*out = mapping_create(en, &config);
	entry = *out ? entry_create(*out, &record) : NULL;
	if (!entry)
		return error_set(e, -ENOMEM, "no memory");
	*(*out)->queue_tail = entry;
	(*out)->queue_tail = &entry->next;
	return 0;
}

static int run(struct engine *en, struct push *p, struct mapping *m, struct error *e)
{
	int r = 0;

	while (!p->ended && !p->blocked && !r) {
		if (p->options->stop && *p->options->stop)
			return error_set(e, -EINTR, "stopped");
		r = engine_run(en, PROGRESS_EVERY_MS, e);
		tell(p, m, false);
	}
	if (r)
		return r;
	if (p->blocked)
		return error_set(e, -EACCES, "%s", p->why);
	if (p->progress.failed)
		return error_set(e, -EIO, "%llu of the files failed",
				 (unsigned long long)p->progress.failed);
	if (p->result != KDEV_OK)
		return error_set(e, -EIO, "%s", m->error[0] ? m->error
				 : "some of the folder could not be read");
	return 0;
}

int engine_push(const struct push_options *options, struct push_progress *result,
		struct error *e)
{
	struct push push = { .options = options };
	struct engine_config config = { .state_path = options->state_path };
	struct mapping *m = NULL;
	struct engine *en = NULL;
	char *path = NULL;
	int r = 0;

	if (!options->state_path) {
		r = default_state_path(&path, e);
		config.state_path = path;
	}
	if (!r)
		r = engine_create(&en, &config, e);
	if (!r)
		r = add_mapping(en, &push, &m, e);
	if (!r) {
		r = run(en, &push, m, e);
		tell(&push, m, true);
	}
	engine_free(en);
	free(path);
	if (result)
		*result = push.progress;
	return r;
}
