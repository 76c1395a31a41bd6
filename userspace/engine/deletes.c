/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The one place where blobs are deleted, or marked as deleted.
 *
 * What has a row and is not there stands in the state as `gone`. The sweep takes those that have
 * waited long enough, in the order they were found, asks the file system once more, and only then
 * sends the request, under the ETag of the row. An entry that led to something gone is not done
 * until the sweep is past it, so that a flush waits for the deletion: a path goes back to the
 * kernel until it is due, the rest is held. When it comes again, after a crash too, it meets the
 * old mark, whose time runs on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/internal.h"
#include "lib/log.h"

#define SWEEP_ITEMS	32
#define HOUR_MS		3600000
#define LIMIT_MIN	10		/* blobs an hour, or a tenth of all */
#define RETRY_MS	5000
#define SLACK_MS	300		/* for the sweep to be there first */

enum verdict {
	VERDICT_DROP,		/* it is there, or there is no row: nothing to delete */
	VERDICT_DELETE,
	VERDICT_AGAIN,
};

struct sweep_item {
	struct state_op op;
	struct mapping *mapping;
	struct azure_request *request;
	struct state_gone gone;
	struct state_row row;
	enum verdict verdict;
};

/* ---- entries that wait ---- */

/* Lets those go whose ids are all below that and were there when the step began. */
static void release(struct mapping *m, int64_t below)
{
	struct entry **p = &m->sweep.waiting, *entry;

	while ((entry = *p)) {
		if (entry->gone >= below || entry->late) {
			p = &entry->next;
			continue;
		}
		*p = entry->next;
		entry->gone = 0;
		entry_put(entry);
	}
}

static int64_t delay_ms(const struct mapping *m)
{
	return m->policy.deletes ? m->engine->config.delete_delay_ms : 0;
}

uint32_t deletes_due_in_ms(struct mapping *m, const struct state_op *op)
{
	int64_t now = engine_realtime_ms(), due = op->gone_seen_ms + delay_ms(m);

	m->sweep.next_ms = 1;
	/* As in find_due(): a clock that was set back is not waited for. */
	if (op->gone_seen_ms > now || due <= now)
		return 0;
	return (uint32_t)(due - now) + SLACK_MS;
}

void deletes_wait(struct entry *entry, int64_t gone)
{
	struct sweep *s = &entry->mapping->sweep;

	s->next_ms = 1;
	if (entry->mapping->down || entry->mapping->engine->draining) {
		entry_result(entry, KDEV_AGAIN, 0);
		return;
	}
	if (s->running) {
		/* The step may have asked for what is due before this was noted. */
		entry->late = true;
	} else {
		/* A path that was gone already has an older mark: the sweep may be past it. */
		if (gone <= s->cursor)
			s->cursor = gone - 1;
		s->next_ms = 1;
	}
	if (entry->gone) {
		entry->gone = gone > entry->gone ? gone : entry->gone;
		return;
	}
	entry_get(entry);
	entry->gone = gone;
	entry->next = s->waiting;
	s->waiting = entry;
}

/* At the end of a step: what came meanwhile is for the next one. */
static void welcome_late(struct mapping *m)
{
	struct sweep *s = &m->sweep;

	for (struct entry *entry = s->waiting; entry; entry = entry->next) {
		if (!entry->late)
			continue;
		entry->late = false;
		if (!s->next_ms)
			s->next_ms = 1;
		/*
		 * It found a mark that the step has dealt with since, by what it saw before that: the
		 * path has to be looked at from the beginning.
		 */
		if (entry->gone <= s->last_id)
			entry_result(entry, KDEV_AGAIN, RETRY_MS);
	}
}

void deletes_stop(struct mapping *m)
{
	for (struct entry *entry = m->sweep.waiting; entry; entry = entry->next) {
		entry_result(entry, KDEV_AGAIN, 0);
		entry->late = false;
	}
	for (unsigned int i = 0; i < m->sweep.nr_items; i++)
		if (m->sweep.items[i].request)
			azure_request_cancel(m->sweep.items[i].request);
	release(m, INT64_MAX);
}

/* ---- on a worker: the next that are due, and the last look ---- */

static enum verdict look(struct mapping *m, struct sweep_item *item, struct error *e)
{
	const struct state_path *path = &item->gone.path;
	struct kdev_stat st;
	int r = state_get(m->engine->state, m->target.id, path->text, path->len, &item->row);

	if (r < 0)
		return VERDICT_AGAIN;
	if (r == 0 || (item->row.flags & STATE_KEPT))
		return VERDICT_DROP;
	r = m->source->ops->stat(m->source, path->text, path->len, &st, e);
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
		return VERDICT_DELETE;
	if (r)
		return VERDICT_AGAIN;
	/* Something is there; what is never uploaded does not keep a blob. */
	if (S_ISREG(st.mode) || S_ISDIR(st.mode))
		return VERDICT_DROP;
	if (S_ISLNK(st.mode) && m->policy.stores_symlinks)
		return VERDICT_DROP;
	return VERDICT_DELETE;
}

static void find_due(struct pool_work *work)
{
	struct sweep *s = (struct sweep *)((char *)work - offsetof(struct sweep, work));
	struct mapping *m = (struct mapping *)((char *)s - offsetof(struct mapping, sweep));
	int64_t now = engine_realtime_ms(), at = s->cursor;
	int64_t delay = delay_ms(m);
	struct kdev_stat root;
	int r;

	s->nr_items = 0;
	s->last_id = at;
	s->next_id = INT64_MAX;
	s->err = m->source->ops->stat(m->source, "", 0, &root, &s->message);
	while (!s->err && s->nr_items < SWEEP_ITEMS) {
		struct sweep_item *item = &s->items[s->nr_items];

		memset(item, 0, sizeof(*item));
		item->mapping = m;
		r = state_next_gone(m->engine->state, m->target.id, at, &item->gone);
		if (r < 0)
			s->err = r;
		if (r <= 0)
			break;
		at = item->gone.id;
		/* A clock that was set back must not make it wait for ever. */
		if (item->gone.seen_ms <= now && item->gone.seen_ms + delay > now) {
			s->next_id = item->gone.id;
			s->next_due_ms = item->gone.seen_ms + delay;
			break;
		}
		item->verdict = look(m, item, &s->message);
		s->last_id = at;
		s->nr_items++;
	}
	if (s->nr_items == SWEEP_ITEMS) {
		s->next_id = at + 1;
		s->next_due_ms = now;
	}
	if (m->policy.deletes && s->nr_items && (!s->rows_ms || now - s->rows_ms > HOUR_MS) &&
	    !state_count_rows(m->engine->state, m->target.id, &s->rows))
		s->rows_ms = now;
}

/* ---- on the loop ---- */

static void item_done(struct sweep_item *item, bool again)
{
	struct mapping *m = item->mapping;
	struct sweep *s = &m->sweep;

	item->request = NULL;
	if (again && (!s->retry_from || item->gone.id < s->retry_from))
		s->retry_from = item->gone.id;
	if (--s->in_flight)
		return;
	s->running = false;
	if (s->retry_from) {
		s->cursor = s->retry_from - 1;
		s->next_ms = engine_realtime_ms() + RETRY_MS;
	} else {
		s->cursor = s->next_id == INT64_MAX ? s->cursor : s->next_id - 1;
		s->next_ms = s->next_id == INT64_MAX ? 0 : s->next_due_ms;
	}
	/* Who waits for the entries asks at once whether deletes are held. */
	m->report_due = true;
	mapping_report(m, true);
	release(m, s->retry_from ? s->retry_from : s->next_id);
	welcome_late(m);
	s->retry_from = 0;
	mapping_put(m);
}

static void on_noted(struct state_op *op)
{
	struct sweep_item *item = (struct sweep_item *)op;
	char why[256];

	if (op->err) {
		state_last_error(item->mapping->engine->state, why, sizeof(why));
		mapping_block(item->mapping, why, -1);
	}
	item_done(item, op->err != 0);
}

static void note(struct sweep_item *item, enum state_op_kind kind)
{
	struct state_op *op = &item->op;

	*op = (struct state_op){
		.kind = kind,
		.target = item->mapping->target.id,
		.path = item->gone.path.text,
		.path_len = item->gone.path.len,
		.gone = item->gone.id,
		.now_ms = engine_realtime_ms(),
		.blob_deleted = kind == STATE_OP_REMOVE,
		.row = item->row,
		.done = on_noted,
	};
	op->row.flags |= kind == STATE_OP_PUT ? STATE_KEPT : 0;
	state_submit(item->mapping->engine->state, op);
}

/* Not ours any more, or not deletable: it stays, and a person is told. */
static void give_up(struct sweep_item *item, const struct azure_error *err)
{
	struct mapping *m = item->mapping;

	mapping_say(m, "%s: not deleted: %s",
		    m->policy.hides_paths ? "a file" : item->gone.path.text, err->message);
	note(item, STATE_OP_GONE_HOLD);
}

static void failed(struct sweep_item *item, const struct azure_error *err)
{
	if (azure_error_blocks_target(err))
		mapping_block(item->mapping, err->message, err->retry_after_ms);
	item_done(item, true);
}

static void on_deleted(void *arg, const struct azure_response *rsp)
{
	struct sweep_item *item = arg;
	struct mapping *m = item->mapping;

	item->request = NULL;
	mapping_count(m, rsp);
	switch (rsp->error.scope) {
	case AZURE_SCOPE_NONE:
		m->counters.deleted++;
		note(item, STATE_OP_REMOVE);
		break;
	case AZURE_SCOPE_NOT_FOUND:
		note(item, STATE_OP_REMOVE);
		break;
	case AZURE_SCOPE_CONFLICT:
	case AZURE_SCOPE_FILE:
		give_up(item, &rsp->error);
		break;
	default:
		failed(item, &rsp->error);
	}
}

static void on_marked(void *arg, const struct azure_response *rsp)
{
	struct sweep_item *item = arg;

	item->request = NULL;
	mapping_count(item->mapping, rsp);
	switch (rsp->error.scope) {
	case AZURE_SCOPE_NONE:
		snprintf(item->row.etag, sizeof(item->row.etag), "%s", rsp->etag);
		note(item, STATE_OP_PUT);
		break;
	case AZURE_SCOPE_NOT_FOUND:
		note(item, STATE_OP_REMOVE);
		break;
	case AZURE_SCOPE_CONFLICT:
	case AZURE_SCOPE_FILE:
		give_up(item, &rsp->error);
		break;
	default:
		failed(item, &rsp->error);
	}
}

static int send_mark(struct sweep_item *item, const struct azure_name *name)
{
	struct azure_call call = { .done = on_marked, .arg = item, .handle = &item->request };
	struct mapping *m = item->mapping;
	const struct state_row *row = &item->row;
	struct metadata meta;
	struct metadata_in in = {
		.kind = row->kind, .mode = row->mode, .uid = row->uid, .gid = row->gid,
		.mtime_ns = row->mtime_ns, .owner = m->owner,
		.unquiet = !(row->flags & STATE_QUIET),
		.deleted_s = item->gone.seen_ms / 1000,
		.path = name->is_long ? item->gone.path.text : NULL,
		.path_len = item->gone.path.len,
	};
	struct azure_blob_options options = { .cond.if_match = row->etag };

	metadata_fill(&meta, &in);
	options.meta = meta.items;
	options.n_meta = meta.nr;
	return azure_set_blob_metadata(m->engine->client, m->azure, name->blob, &options, &call);
}

static int send_delete(struct sweep_item *item, const struct azure_name *name)
{
	struct azure_call call = { .done = on_deleted, .arg = item, .handle = &item->request };
	struct azure_conditions cond = { .if_match = item->row.etag };
	struct mapping *m = item->mapping;

	return azure_delete_blob(m->engine->client, m->azure, name->blob, &cond, &call);
}

static void send_item(struct sweep_item *item)
{
	struct mapping *m = item->mapping;
	struct azure_name name;
	int r = azure_name_encode(&name, m->prefix, item->gone.path.text, item->gone.path.len);

	if (!r)
		r = m->policy.deletes ? send_delete(item, &name) : send_mark(item, &name);
	if (r == -ENOMEM)
		item_done(item, true);
	else if (r)
		note(item, STATE_OP_GONE_HOLD);
}

/* How many blobs may still be deleted within this hour. */
static uint64_t allowance(struct mapping *m)
{
	uint64_t limit = m->sweep.rows / 10, deleted = 0;

	if (!m->policy.deletes)
		return UINT64_MAX;
	if (limit < LIMIT_MIN)
		limit = LIMIT_MIN;
	if (m->policy.has_delete_limit)
		limit = m->policy.delete_limit;
	if (state_count_deleted(m->engine->state, m->target.id, engine_realtime_ms() - HOUR_MS,
				&deleted))
		return 0;
	return deleted < limit ? limit - deleted : 0;
}

static void on_found(struct pool_work *work)
{
	struct sweep *s = (struct sweep *)((char *)work - offsetof(struct sweep, work));
	struct mapping *m = (struct mapping *)((char *)s - offsetof(struct mapping, sweep));
	bool stop = s->err || m->phase != MAPPING_LIVE || m->engine->draining;
	uint64_t left = stop ? 0 : allowance(m);
	unsigned int nr = s->nr_items;

	if (s->err && !m->down)
		mapping_say(m, "deletes wait: %s", s->message.message);
	/* One more in flight than there are: item_done() ends the step, once. */
	s->in_flight = nr + 1;
	for (unsigned int i = 0; i < nr; i++) {
		struct sweep_item *item = &s->items[i];

		if (stop || item->verdict == VERDICT_AGAIN) {
			item_done(item, true);
		} else if (item->verdict == VERDICT_DROP) {
			note(item, STATE_OP_GONE_DROP);
		} else if (!left) {
			mapping_say(m, "deletes are held: more than delete_limit within an hour");
			note(item, STATE_OP_GONE_HOLD);
		} else {
			left--;
			send_item(item);
		}
	}
	s->items[SWEEP_ITEMS].mapping = m;
	s->items[SWEEP_ITEMS].gone.id = s->cursor + 1;
	item_done(&s->items[SWEEP_ITEMS], s->err != 0);
}

void deletes_tick(struct mapping *m)
{
	struct sweep *s = &m->sweep;

	if (s->running || !s->next_ms || s->next_ms > engine_realtime_ms())
		return;
	if (!s->items)
		s->items = calloc(SWEEP_ITEMS + 1, sizeof(*s->items));
	if (!s->items)
		return;
	s->running = true;
	mapping_get(m);
	s->work.run = find_due;
	s->work.done = on_found;
	pool_submit(m->engine->pool, &s->work);
}
