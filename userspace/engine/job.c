/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One path on its way: what all kinds of jobs have in common, and what ends them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "lib/log.h"

#define HELD_AT_MOST_MS	1000		/* an entry whose blob is to be deleted soon */
#define RETRY_PARKED_S	3600		/* the first time; the state makes it a day after that */

struct job *job_alloc(const char *path, size_t len)
{
	struct job *job = calloc(1, sizeof(*job) + len + 1);

	if (!job)
		return NULL;
	memcpy(job->path, path, len);
	job->path_len = len;
	job->file.fd = -1;
	job->kind = STATE_FILE;
	return job;
}

void job_attach(struct job *job, struct entry *entry, struct walk *walk)
{
	struct mapping *m = entry->mapping;

	job->mapping = m;
	job->entry = entry;
	job->walk = walk;
	entry_get(entry);
	mapping_get(m);
	job->next_job = m->jobs;
	if (m->jobs)
		m->jobs->prev_job = job;
	m->jobs = job;
	m->engine->nr_jobs++;
	m->gauges.backlog_files++;
	m->report_due = true;
}

static void unlink_job(struct job *job)
{
	struct mapping *m = job->mapping;

	if (job->prev_job)
		job->prev_job->next_job = job->next_job;
	else
		m->jobs = job->next_job;
	if (job->next_job)
		job->next_job->prev_job = job->prev_job;
	m->engine->nr_jobs--;
	m->gauges.backlog_files--;
	m->gauges.backlog_bytes -= job->backlog;
	m->report_due = true;
}

void job_free_data(struct job *job)
{
	if (job->charged)
		budget_give(&job->mapping->engine->budget, job->data, job->charged);
	else
		free(job->data);
	job->data = NULL;
	job->charged = 0;
}

static void tell_push(struct job *job, enum kdev_result result, uint32_t did)
{
	struct push *push = job->mapping->push;

	if (!push)
		return;
	if (result == KDEV_OK)
		push_file_done(push, job->kind == STATE_DIR ? 0 : did);
	else
		push_failed(push, job->path, job->error.message[0] ? job->error.message
			    : "it keeps changing while it is read");
}

void job_finish(struct job *job, enum kdev_result result, uint32_t did, uint32_t delay_ms)
{
	struct mapping *m = job->mapping;
	struct entry *entry = job->entry;
	struct walk *walk = job->walk;
	bool was_large = job->large != NULL;

	engine_sent(job);
	if (job->opened)
		m->source->ops->close(m->source, &job->file);
	if (job->large)
		large_free(job);
	job_free_data(job);
	if (did & KDEV_DID_UPLOAD) {
		if (m->push && !was_large)
			push_sent(m->push, job->st.size);
		m->uploaded_files++;
		entry->bytes += job->st.size;
	}
	tell_push(job, result, did);
	/* A part of a subtree that failed is parked by itself and does not keep the rest. */
	if (result != KDEV_PARKED || entry->type == KDEV_ENTRY_PATH)
		entry_result(entry, result, delay_ms);
	/* An entry counts once; what else was done for it is counted by the report. */
	if (entry->type == KDEV_ENTRY_PATH)
		entry->did |= did;
	else if (did & KDEV_DID_COPY)
		m->counters.copied++;
	unlink_job(job);
	free(job->from);
	free(job);
	entry_put(entry);
	if (walk)
		walk_job_done(walk);
	mapping_put(m);
}

bool job_is_stopped(struct job *job)
{
	if (!job->cancelled && !job->mapping->down)
		return false;
	job_finish(job, KDEV_AGAIN, 0, 0);
	return true;
}

void job_cancel(struct job *job)
{
	job->cancelled = true;
	if (job->large) {
		large_cancel(job);
	} else if (job->request) {
		azure_request_cancel(job->request);
	} else if (job->waiting) {
		job->waiting = false;
		budget_cancel(&job->mapping->engine->budget, &job->wait);
		job_finish(job, KDEV_AGAIN, 0, 0);
	}
}

void job_fail(struct job *job, const struct azure_error *err)
{
	struct mapping *m = job->mapping;
	uint32_t delay;

	if (err->scope == AZURE_SCOPE_CANCELLED) {
		job_finish(job, KDEV_AGAIN, 0, 0);
		return;
	}
	error_set(&job->error, -EIO, "%s", err->message);
	if (err->scope == AZURE_SCOPE_FILE) {
		snprintf(job->code, sizeof(job->code), "%s", err->code);
		job_park(job);
		return;
	}
	if (azure_error_blocks_target(err))
		mapping_block(m, err->message, err->retry_after_ms);
	else
		mapping_say(m, "%s: %s", job_shown_path(job), err->message);
	delay = mapping_delay_ms(m);
	if (err->retry_after_ms > delay)
		delay = (uint32_t)err->retry_after_ms;
	job_finish(job, KDEV_AGAIN, 0, delay);
}

/* The state cannot be written: nothing is done until it can. */
static void state_failed(struct job *job)
{
	char why[256];

	state_last_error(job->mapping->engine->state, why, sizeof(why));
	mapping_block(job->mapping, why, -1);
	error_set(&job->error, job->op.err, "%s", why);
	job_finish(job, KDEV_AGAIN, 0, mapping_delay_ms(job->mapping));
}

static struct job *job_of_op(struct state_op *op)
{
	return (struct job *)((char *)op - offsetof(struct job, op));
}

static struct state_op *prepare_op(struct job *job, enum state_op_kind kind)
{
	job->op = (struct state_op){
		.kind = kind,
		.target = job->mapping->target.id,
		.path = job->path,
		.path_len = job->path_len,
		.now_ms = engine_realtime_ms(),
		.distrust = job->content,
	};
	return &job->op;
}

static void on_parked(struct state_op *op)
{
	struct job *job = job_of_op(op);

	if (op->err)
		state_failed(job);
	else
		job_finish(job, KDEV_PARKED, 0, 0);
}

void job_park(struct job *job)
{
	struct state_op *op = prepare_op(job, STATE_OP_PARK);

	engine_sent(job);
	mapping_say(job->mapping, "%s: %s", job_shown_path(job), job->error.message);
	op->message = job->error.message;
	op->code = job->code;
	op->retry_at_s = op->now_ms / 1000 + RETRY_PARKED_S;
	op->done = on_parked;
	state_submit(job->mapping->engine->state, op);
}

static void on_committed(struct state_op *op)
{
	struct job *job = job_of_op(op);

	if (op->err) {
		state_failed(job);
		return;
	}
	mapping_works(job->mapping);
	job_finish(job, KDEV_OK, job->did | (job->unquiet ? KDEV_UNQUIET : 0), 0);
}

void job_commit(struct job *job, const char *etag, uint32_t did)
{
	struct state_op *op = prepare_op(job, STATE_OP_PUT);
	const struct kdev_stat *st = &job->st;

	/* Memory and place in the queue are others' now, before the disk has answered. */
	engine_sent(job);
	job_free_data(job);
	job->did = did;
	op->row = (struct state_row){
		.kind = job->kind,
		.flags = (job->quiet ? STATE_QUIET : 0) |
			 (job->quiet && job->trusted ? STATE_TRUSTED : 0),
		.subvol = st->subvol,
		.ino = st->ino,
		.generation = st->generation,
		.size = job->kind == STATE_DIR ? 0 : st->size,
		.mtime_ns = st->mtime_ns,
		.ctime_ns = st->ctime_ns,
		.mode = st->mode,
		.uid = st->uid,
		.gid = st->gid,
	};
	snprintf(op->row.etag, sizeof(op->row.etag), "%s", etag);
	memcpy(op->row.md5, job->md5, sizeof(op->row.md5));
	op->done = on_committed;
	state_submit(job->mapping->engine->state, op);
}

/* ---- verdicts of the worker ---- */

static void on_gone(struct state_op *op)
{
	struct job *job = job_of_op(op);
	uint32_t wait;

	if (op->err) {
		state_failed(job);
		return;
	}
	if (op->gone && job->entry->type == KDEV_ENTRY_PATH) {
		wait = deletes_due_in_ms(job->mapping, op);
		if (wait > HELD_AT_MOST_MS) {
			/* The kernel keeps it meanwhile: it takes no place among those out. */
			job_finish(job, KDEV_AGAIN, 0, wait);
			return;
		}
	}
	if (op->gone)
		deletes_wait(job->entry, op->gone);
	job_finish(job, KDEV_OK, op->gone ? 0 : KDEV_DID_SKIP, 0);
}

static void on_unparked(struct state_op *op)
{
	struct job *job = job_of_op(op);

	if (op->err)
		state_failed(job);
	else
		job_finish(job, KDEV_OK, KDEV_DID_SKIP | (job->unquiet ? KDEV_UNQUIET : 0), 0);
}

static void submit_op(struct job *job, enum state_op_kind kind, void (*done)(struct state_op *op))
{
	struct state_op *op = prepare_op(job, kind);

	op->done = done;
	state_submit(job->mapping->engine->state, op);
}

static void on_buffer(struct budget_wait *wait, void *memory)
{
	struct job *job = (struct job *)((char *)wait - offsetof(struct job, wait));

	job->waiting = false;
	if (!memory) {
		error_set(&job->error, -ENOMEM, "no memory");
		job_finish(job, KDEV_AGAIN, 0, mapping_delay_ms(job->mapping));
		return;
	}
	job->data = memory;
	job->charged = wait->bytes;
	job_submit(job);
}

static void wait_for_buffer(struct job *job)
{
	job->wait.bytes = job->st.size;
	job->wait.granted = on_buffer;
	job->waiting = true;
	budget_take(&job->mapping->engine->budget, &job->wait);
}

/* A file that was opened under a SUBTREE stands for itself from now on. */
static void adopt_number(struct job *job)
{
	struct source *s = job->mapping->source;
	struct entry *entry;

	/* Also if it is closed again: the number is out until it is answered. */
	if (!job->file.entry || job->file.entry == job->entry->number)
		return;
	entry = entry_derive(job->entry, job->file.entry, job->path, job->path_len);
	if (!entry) {
		struct kdev_done_item item = {
			.entry = job->file.entry, .result = KDEV_AGAIN, .delay_ms = 1000,
		};

		s->ops->done(s, &item, 1, NULL);
		job->next = NEXT_DROP;
		return;
	}
	entry_put(job->entry);
	job->entry = entry;
}

static void drop(struct job *job)
{
	/* The one that was handed out for this path goes home; below a subtree there is none. */
	bool own = job->entry->type == KDEV_ENTRY_PATH;

	job_finish(job, own ? KDEV_AGAIN : KDEV_OK, 0, own ? job->mapping->policy.settle_ms : 0);
}

static bool sends(enum next next)
{
	return next == NEXT_PUT || next == NEXT_LARGE || next == NEXT_META || next == NEXT_COPY;
}

void job_decide(struct job *job)
{
	struct mapping *m = job->mapping;

	if (m->phase == MAPPING_BLOCKED && sends(job->next)) {
		error_set(&job->error, -EIO, "%s", m->error);
		job_finish(job, KDEV_AGAIN, 0, mapping_delay_ms(m));
		return;
	}
	switch (job->next) {
	case NEXT_NOTHING:
		/* It may have failed before and is as it was again. */
		submit_op(job, STATE_OP_UNPARK, on_unparked);
		break;
	case NEXT_SKIP:
		m->counters.skipped++;
		submit_op(job, STATE_OP_UNPARK, on_unparked);
		break;
	case NEXT_FORGET:
		submit_op(job, STATE_OP_UNPARK, on_unparked);
		break;
	case NEXT_DROP:
		drop(job);
		break;
	case NEXT_AGAIN:
		job_finish(job, KDEV_AGAIN, 0, m->policy.settle_ms);
		break;
	case NEXT_PARK:
		job_park(job);
		break;
	case NEXT_STATE_ERROR:
		mapping_block(m, job->error.message, -1);
		job_finish(job, KDEV_AGAIN, 0, mapping_delay_ms(m));
		break;
	case NEXT_BUFFER:
		wait_for_buffer(job);
		break;
	case NEXT_PUT:
		engine_send(job, job_put);
		break;
	case NEXT_LARGE:
		job_large(job);
		break;
	case NEXT_META:
		engine_send(job, job_set_meta);
		break;
	case NEXT_ROW:
		job_commit(job, job->row.etag, KDEV_DID_SKIP);
		break;
	case NEXT_COPY:
		engine_send(job, job_copy);
		break;
	case NEXT_GONE:
		submit_op(job, STATE_OP_GONE, on_gone);
		break;
	case NEXT_GONE_TREE:
		submit_op(job, STATE_OP_GONE_TREE, on_gone);
		break;
	}
}

static void on_inspected(struct pool_work *work)
{
	struct job *job = (struct job *)work;

	adopt_number(job);
	if (job_is_stopped(job))
		return;
	if (!job->backlog && (job->next == NEXT_PUT || job->next == NEXT_LARGE ||
			      job->next == NEXT_BUFFER)) {
		job->backlog = job->st.size;
		job->mapping->gauges.backlog_bytes += job->backlog;
		if (job->mapping->push)
			push_to_send(job->mapping->push, job->st.size);
	}
	job_decide(job);
}

void job_submit(struct job *job)
{
	job->work.run = job_inspect;
	job->work.done = on_inspected;
	pool_submit(job->mapping->engine->pool, &job->work);
}

const char *job_shown_path(const struct job *job)
{
	return job->mapping->policy.hides_paths ? "a file (log_paths=hash)" : job->path;
}
