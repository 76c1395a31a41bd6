/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The loop: the device, the client's completions, those of the workers and of the state. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "engine/internal.h"
#include "lib/log.h"

#define WORKERS_DEFAULT		4
#define REQUESTS_DEFAULT	64
#define BUFFER_DEFAULT		(24u << 20)
#define TICK_MS			1000

static int64_t clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

int64_t engine_now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

int64_t engine_realtime_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

void engine_wake(struct engine *en)
{
	azure_client_wake(en->client);
}

static void wake(void *arg)
{
	engine_wake(arg);
}

static int open_state(struct engine *en, struct error *e)
{
	struct state_config config = {
		.path = en->config.state_path,
		.notify = wake,
		.notify_arg = en,
	};

	return state_open(&en->state, &config, e);
}

int engine_create(struct engine **out, const struct engine_config *config, struct error *e)
{
	struct engine *en = calloc(1, sizeof(*en));
	struct azure_client_config client = { 0 };
	int r;

	*out = NULL;
	if (!en)
		return error_set(e, -ENOMEM, "no memory");
	en->config = *config;
	if (!en->config.nr_workers)
		en->config.nr_workers = WORKERS_DEFAULT;
	if (!en->config.max_requests)
		en->config.max_requests = REQUESTS_DEFAULT;
	if (!en->config.buffer_bytes)
		en->config.buffer_bytes = BUFFER_DEFAULT;
	en->ready_tail = &en->ready;
	budget_init(&en->budget, en->config.buffer_bytes);
	client.max_connections = en->config.max_requests;
	en->client = azure_client_create(&client);
	r = en->client ? open_state(en, e) : error_set_errno(e, -errno, "the HTTP client");
	if (!r) {
		en->pool = pool_create(en->config.nr_workers, wake, en);
		if (!en->pool)
			r = error_set(e, -ENOMEM, "cannot start a thread");
	}
	if (r) {
		engine_free(en);
		return r;
	}
	*out = en;
	return 0;
}

static void complete_state(struct engine *en)
{
	struct state_op *op = state_completed(en->state), *next;

	for (; op; op = next) {
		next = op->next;
		op->done(op);
	}
}

void engine_send(struct job *job, void (*send)(struct job *job))
{
	struct engine *en = job->mapping->engine;

	job->send = send;
	if (en->nr_sending < en->config.max_requests) {
		en->nr_sending++;
		job->sending = true;
		send(job);
		return;
	}
	job->next_ready = NULL;
	*en->ready_tail = job;
	en->ready_tail = &job->next_ready;
}

void engine_sent(struct job *job)
{
	if (!job->sending)
		return;
	job->sending = false;
	job->mapping->engine->nr_sending--;
}

/* ---- the device ---- */

/* A mapping that comes up again went down before, even if the device did not get to say so. */
static void stop_earlier(struct engine *en, uint32_t id)
{
	struct mapping *m = en->mappings;

	while (m && (m->phase == MAPPING_DOWN || m->push || m->source->mref.id != id))
		m = m->next;
	if (m)
		mapping_stop(m);
}

static void mapping_up(struct engine *en, const struct kdev_record *r)
{
	const char *name = kdev_record_attr(r, "name");
	struct mapping_config config = {
		.source = source_kdev_create(en->kdev, r->mapping),
		.name = name ? name : "",
		.attrs = r->up.attrs,
		.nr_attrs = r->up.nr_attrs,
		.tick_ns = r->up.tick_ns,
	};

	stop_earlier(en, r->mapping.id);
	memcpy(config.key.fs_uuid, r->up.fs_uuid, sizeof(config.key.fs_uuid));
	config.key.root_ino = r->up.root_ino;
	config.key.root_btime_ns = (int64_t)((uint64_t)r->up.root_btime_sec * 1000000000ULL +
					     r->up.root_btime_nsec);
	/* Without an object its entries cannot be answered: only a new start helps. */
	if (!config.source || !mapping_create(en, &config))
		en->device_error = error_set(&en->device_message, -ENOMEM, "no memory");
}

static struct mapping *find_mapping(struct engine *en, struct kdev_mref mref)
{
	for (struct mapping *m = en->mappings; m; m = m->next)
		if (m->phase != MAPPING_DOWN && m->source->mref.id == mref.id &&
		    m->source->mref.generation == mref.generation)
			return m;
	return NULL;
}

static void take_record(struct engine *en, const struct kdev_record *r)
{
	struct mapping *m;
	struct entry *entry;

	if (r->type == KDEV_MAPPING_UP) {
		mapping_up(en, r);
		return;
	}
	m = find_mapping(en, r->mapping);
	if (!m)
		return;
	if (r->type == KDEV_MAPPING_DOWN) {
		mapping_stop(m);
		return;
	}
	entry = entry_create(m, r);
	if (!entry) {
		struct kdev_done_item item = {
			.entry = r->entry.entry, .result = KDEV_AGAIN, .delay_ms = 1000,
		};

		m->source->ops->done(m->source, &item, 1, NULL);
		return;
	}
	*m->queue_tail = entry;
	m->queue_tail = &entry->next;
}

static void on_device(void *arg, uint32_t events)
{
	struct engine *en = arg;
	struct kdev_record r;
	int n;

	(void)events;
	n = kdev_read(en->kdev, &en->batch, &en->device_message);
	if (n == -EAGAIN || n == -EINTR)
		return;
	while (n >= 0 && (n = kdev_batch_next(&en->batch, &r, &en->device_message)) == 1)
		take_record(en, &r);
	if (n < 0)
		en->device_error = n;
}

static int watch_device(struct engine *en, struct error *e)
{
	bool want = en->kdev && !en->draining && en->nr_entries < ENTRIES_MAX;
	int r;

	if (want == en->watching)
		return 0;
	if (want)
		r = azure_client_watch(en->client, kdev_fd(en->kdev), EPOLLIN, on_device, en);
	else
		r = azure_client_unwatch(en->client, kdev_fd(en->kdev));
	if (r)
		return error_set_errno(e, r, "cannot watch the device");
	en->watching = want;
	return 0;
}

int engine_attach_kdev(struct engine *en, struct kdev *kdev, struct error *e)
{
	int r = kdev_batch_init(&en->batch);

	if (r)
		return error_set_errno(e, r, "no memory for records");
	en->kdev = kdev;
	return watch_device(en, e);
}

/* ---- rounds ---- */

void engine_dispatch(struct engine *en)
{
	struct mapping *m, *next;

	while (en->ready && en->nr_sending < en->config.max_requests) {
		struct job *job = en->ready;

		en->ready = job->next_ready;
		if (!en->ready)
			en->ready_tail = &en->ready;
		if (!job_is_stopped(job))
			engine_send(job, job->send);
	}
	for (m = en->mappings; m; m = next) {
		next = m->next;
		mapping_get(m);
		mapping_dispatch(m);
		mapping_flush_done(m);
		mapping_put(m);
	}
}

static int tick(struct engine *en)
{
	int64_t now = engine_now_ms();
	struct mapping *m, *next;
	int wait = TICK_MS, due;

	for (m = en->mappings; m; m = next) {
		next = m->next;
		mapping_get(m);
		due = mapping_tick(m, now);
		mapping_flush_done(m);
		mapping_put(m);
		if (due < wait)
			wait = due;
	}
	if (!en->nr_jobs)
		budget_trim(&en->budget);
	if (pool_kick(en->pool) && wait > POOL_KICK_MS)
		wait = POOL_KICK_MS;
	return wait;
}

int engine_run(struct engine *en, int timeout_ms, struct error *e)
{
	int wait = tick(en);
	int r = watch_device(en, e);

	if (r)
		return r;
	if (timeout_ms >= 0 && wait > timeout_ms)
		wait = timeout_ms;
	r = azure_client_run(en->client, wait);
	if (r < 0)
		return error_set_errno(e, r, "the HTTP client");
	pool_complete(en->pool);
	complete_state(en);
	engine_dispatch(en);
	if (!en->device_error)
		return 0;
	if (e)
		*e = en->device_message;
	return en->device_error;
}

/* ---- the end ---- */

static bool is_idle(const struct engine *en)
{
	return en->nr_entries == 0 && en->nr_jobs == 0;
}

void engine_drain(struct engine *en, unsigned int timeout_ms)
{
	int64_t until = engine_now_ms() + timeout_ms;
	struct mapping *m;

	en->draining = true;
	for (m = en->mappings; m; m = m->next)
		deletes_stop(m);
	while (!is_idle(en) && engine_now_ms() < until)
		if (engine_run(en, 100, NULL))
			break;
}

void engine_free(struct engine *en)
{
	struct mapping *m, *next;

	if (!en)
		return;
	en->draining = true;
	for (m = en->mappings; m; m = next) {
		next = m->next;
		mapping_stop(m);
	}
	/* What was cancelled comes home through the loop; a worker may take its time. */
	while (en->mappings && en->pool) {
		azure_client_run(en->client, 100);
		pool_complete(en->pool);
		complete_state(en);
		pool_kick(en->pool);
		engine_dispatch(en);
	}
	pool_free(en->pool);
	state_close(en->state);
	if (en->watching)
		azure_client_unwatch(en->client, kdev_fd(en->kdev));
	azure_client_free(en->client);
	budget_exit(&en->budget);
	if (en->kdev)
		kdev_batch_free(&en->batch);
	free(en);
}

void engine_status(const struct engine *en, struct engine_status *status)
{
	memset(status, 0, sizeof(*status));
	for (const struct mapping *m = en->mappings; m; m = m->next) {
		status->mappings++;
		status->blocked += m->phase == MAPPING_BLOCKED;
		status->backlog_files += m->gauges.backlog_files;
		status->uploaded_files += m->uploaded_files;
		status->failed += m->counts.parked;
	}
}
