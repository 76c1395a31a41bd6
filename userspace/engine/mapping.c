/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A mapping: coming up, being blocked, going down, and what it begins when.
 *
 * A probe finds out whether the target takes anything; it makes what is missing (credential, state,
 * container) on the way. Nothing is begun before the first one has succeeded, nor while blocked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "lib/log.h"

#define BACKOFF_MIN_MS	1000
#define BACKOFF_MAX_MS	300000
#define AGAIN_MS	2000		/* for what failed without a word on when to come back */
#define PARKED_CHECK_MS	30000
#define PARKED_AT_ONCE	100

static void probe(struct mapping *m);

/* The attributes, as long as the mapping lives. */
struct attr_copy {
	size_t nr;
	struct kdev_attr items[];
};

static struct attr_copy *copy_attrs(const struct kdev_attr *attrs, size_t nr)
{
	struct attr_copy *c;
	size_t bytes = sizeof(*c) + nr * sizeof(*attrs);
	char *text;

	for (size_t i = 0; i < nr; i++)
		bytes += strlen(attrs[i].name) + strlen(attrs[i].value) + 2;
	c = malloc(bytes);
	if (!c)
		return NULL;
	c->nr = nr;
	text = (char *)&c->items[nr];
	for (size_t i = 0; i < nr; i++) {
		c->items[i].name = text;
		text = stpcpy(text, attrs[i].name) + 1;
		c->items[i].value = text;
		text = stpcpy(text, attrs[i].value) + 1;
	}
	return c;
}

static const char *attr(const struct mapping *m, const char *name)
{
	for (size_t i = 0; i < m->attrs->nr; i++)
		if (!strcmp(m->attrs->items[i].name, name))
			return m->attrs->items[i].value;
	return "";
}

struct mapping *mapping_create(struct engine *en, const struct mapping_config *config)
{
	struct mapping *m = calloc(1, sizeof(*m));

	if (m) {
		m->attrs = copy_attrs(config->attrs, config->nr_attrs);
		m->prefix = m->attrs ? strdup(config->azure ? config->prefix : attr(m, "prefix"))
				     : NULL;
	}
	if (!m || !m->prefix) {
		config->source->ops->free(config->source);
		if (m)
			free(m->attrs);
		free(m);
		return NULL;
	}
	m->engine = en;
	m->source = config->source;
	m->push = config->push;
	m->key = config->key;
	m->tick_ns = config->tick_ns;
	m->refs = 1;
	m->queue_tail = &m->queue;
	m->phase = MAPPING_PROBING;
	strncpy(m->name, config->name, sizeof(m->name) - 1);
	if (config->azure)
		m->azure = azure_target_get(config->azure);
	m->next = en->mappings;
	en->mappings = m;
	log_notice("%s: up", m->name);
	probe(m);
	return m;
}

static void destroy(struct mapping *m)
{
	struct mapping **p = &m->engine->mappings;

	while (*p != m)
		p = &(*p)->next;
	*p = m->next;
	log_notice("%s: down", m->name);
	m->source->ops->free(m->source);
	azure_target_put(m->azure);
	policy_free(&m->policy);
	free(m->sweep.items);
	free(m->attrs);
	free(m->prefix);
	free(m);
}

void mapping_get(struct mapping *m)
{
	m->refs++;
}

void mapping_put(struct mapping *m)
{
	if (--m->refs == 0)
		destroy(m);
}

void mapping_stop(struct mapping *m)
{
	struct entry *entry;
	struct job *job, *next;

	if (m->phase == MAPPING_DOWN)
		return;
	m->phase = MAPPING_DOWN;
	m->down = true;
	deletes_stop(m);
	while ((entry = m->queue)) {
		m->queue = entry->next;
		entry_result(entry, KDEV_AGAIN, 0);
		entry_put(entry);
	}
	m->queue_tail = &m->queue;
	for (job = m->jobs; job; job = next) {
		next = job->next_job;
		job_cancel(job);
	}
	if (m->probe)
		azure_request_cancel(m->probe);
	mapping_flush_done(m);
	mapping_put(m);
}

/* ---- blocked, and how it ends ---- */

void mapping_block(struct mapping *m, const char *why, int64_t retry_after_ms)
{
	if (m->phase == MAPPING_DOWN || m->phase == MAPPING_BLOCKED)
		return;
	m->backoff_ms = m->backoff_ms ? m->backoff_ms * 2 : BACKOFF_MIN_MS;
	if (retry_after_ms > m->backoff_ms)
		m->backoff_ms = retry_after_ms < BACKOFF_MAX_MS ? (uint32_t)retry_after_ms
							       : BACKOFF_MAX_MS;
	if (m->backoff_ms > BACKOFF_MAX_MS)
		m->backoff_ms = BACKOFF_MAX_MS;
	m->phase = MAPPING_BLOCKED;
	m->probe_at_ms = engine_now_ms() + m->backoff_ms;
	mapping_say(m, "%s", why);
	mapping_report(m, true);
	if (m->push)
		push_blocked(m->push, why);
}

void mapping_works(struct mapping *m)
{
	m->gauges.last_success_s = engine_realtime_ms() / 1000;
	m->report_due = true;
	/* What was under way when the target began to refuse does not end the block. */
	if (!m->backoff_ms || m->phase == MAPPING_BLOCKED)
		return;
	m->backoff_ms = 0;
	m->cautious = false;
	mapping_say(m, "%s", "");
}

uint32_t mapping_delay_ms(const struct mapping *m)
{
	int64_t wait = m->probe_at_ms - engine_now_ms();

	if (m->phase != MAPPING_BLOCKED || wait < AGAIN_MS)
		return AGAIN_MS;
	return (uint32_t)wait + BACKOFF_MIN_MS;
}

static void go_live(struct mapping *m)
{
	m->phase = MAPPING_LIVE;
	/* What an earlier run found gone and did not get to delete. */
	m->sweep.next_ms = 1;
	m->cautious = m->backoff_ms != 0;
	m->report_due = true;
	if (m->policy.rescan_s && !m->rescan_at_ms)
		m->rescan_at_ms = engine_now_ms() + (int64_t)m->policy.rescan_s * 1000;
}

/* Is this an answer to a credential that may write blobs but not ask about containers? */
static bool proves_nothing(const struct azure_error *err)
{
	static const char *const codes[] = {
		"AuthorizationPermissionMismatch", "AuthorizationResourceTypeMismatch",
		"AuthorizationServiceMismatch",
	};

	for (size_t i = 0; err->http_status == 403 && i < sizeof(codes) / sizeof(*codes); i++)
		if (!strcmp(err->code, codes[i]))
			return true;
	return false;
}

static void probe_failed(struct mapping *m, const struct azure_error *err)
{
	m->phase = MAPPING_PROBING;
	if (proves_nothing(err))
		go_live(m);
	else
		mapping_block(m, err->message, err->retry_after_ms);
}

static void on_created(void *arg, const struct azure_response *rsp)
{
	struct mapping *m = arg;

	m->probe = NULL;
	mapping_count(m, rsp);
	if (m->phase != MAPPING_DOWN) {
		if (rsp->error.scope == AZURE_SCOPE_NONE) {
			log_notice("%s: container %s created", m->name,
				   azure_target_container(m->azure));
			go_live(m);
		} else if (!strcmp(rsp->error.code, "ContainerAlreadyExists")) {
			go_live(m);
		} else {
			probe_failed(m, &rsp->error);
		}
	}
	mapping_put(m);
}

static void on_probed(void *arg, const struct azure_response *rsp)
{
	struct azure_call call = { .done = on_created, .arg = arg };
	struct mapping *m = arg;

	m->probe = NULL;
	mapping_count(m, rsp);
	if (m->phase == MAPPING_DOWN) {
		mapping_put(m);
		return;
	}
	if (rsp->error.scope == AZURE_SCOPE_NONE) {
		go_live(m);
	} else if (rsp->status == 404 && state_is_empty(m->engine->state, m->target.id) == 1) {
		/* With rows it once was there: making it anew would hide a loss. */
		call.handle = &m->probe;
		if (!azure_create_container(m->engine->client, m->azure, &call))
			return;
		m->phase = MAPPING_PROBING;
		mapping_block(m, "no memory", -1);
	} else {
		probe_failed(m, &rsp->error);
	}
	mapping_put(m);
}

static int make_azure(struct mapping *m, struct azure_error *err)
{
	struct azure_target_config config = {
		.account = attr(m, "account"),
		.container = attr(m, "container"),
		.endpoint = attr(m, "endpoint"),
		.proxy = attr(m, "proxy"),
		.ca_file = attr(m, "ca_file"),
	};

	config.credential = azure_credential_load(m->engine->config.credentials_dir,
						  attr(m, "credential"), err);
	if (!config.credential)
		return -EACCES;
	m->azure = azure_target_create(&config, err);
	azure_credential_put(config.credential);
	return m->azure ? 0 : -EINVAL;
}

static int prepare(struct mapping *m, struct error *e)
{
	struct azure_error err = { 0 };
	int r = 0;

	if (!m->policy.include)
		r = policy_parse(&m->policy, m->attrs->items, m->attrs->nr, e);
	if (!r && !m->azure) {
		r = make_azure(m, &err);
		if (r)
			return error_set(e, r, "%s", err.message);
	}
	if (!r && !m->target.id) {
		m->key.account = azure_target_account(m->azure);
		m->key.container = azure_target_container(m->azure);
		m->key.prefix = m->prefix;
		r = state_target_open(m->engine->state, &m->key, &m->target, e);
		metadata_format_owner(m->owner, m->target.owner);
	}
	return r;
}

static void probe(struct mapping *m)
{
	struct azure_call call = { .done = on_probed, .arg = m, .handle = &m->probe,
				   .max_tries = 1 };
	struct error e = { 0 };
	int r = prepare(m, &e);

	if (!r) {
		r = azure_get_container_properties(m->engine->client, m->azure, &call);
		if (!r) {
			mapping_get(m);
			return;
		}
		error_set_errno(&e, r, "cannot ask for the container");
	}
	m->phase = MAPPING_PROBING;
	mapping_block(m, e.message, -1);
}

/* ---- work ---- */

static void begin_path(struct entry *entry)
{
	struct job *job = job_alloc(entry->path, entry->path_len);

	if (!job) {
		entry_result(entry, KDEV_AGAIN, AGAIN_MS);
		return;
	}
	job->content = entry->flags & KDEV_CONTENT;
	job_attach(job, entry, NULL);
	job_submit(job);
}

static void begin(struct entry *entry)
{
	/* The root has no blob: all that can be asked of it is a look below. */
	if (entry->type == KDEV_ENTRY_PATH && entry->path_len)
		begin_path(entry);
	else if (walk_start(entry))
		entry_result(entry, KDEV_AGAIN, AGAIN_MS);
	entry_put(entry);
}

static bool has_room(const struct mapping *m, const struct entry *entry)
{
	if (m->engine->nr_jobs >= JOBS_MAX)
		return false;
	if (m->cautious && (m->jobs || m->nr_walks))
		return false;
	return entry->type == KDEV_ENTRY_PATH || m->nr_walks < WALKS_MAX;
}

static void give_back_queue(struct mapping *m)
{
	uint32_t delay = mapping_delay_ms(m);
	struct entry *entry;

	while ((entry = m->queue)) {
		m->queue = entry->next;
		entry_result(entry, KDEV_AGAIN, delay);
		entry_put(entry);
	}
	m->queue_tail = &m->queue;
}

void mapping_dispatch(struct mapping *m)
{
	struct entry **p = &m->queue, *entry;

	if (m->phase == MAPPING_BLOCKED || m->engine->draining)
		give_back_queue(m);
	if (m->phase != MAPPING_LIVE)
		return;
	/* A walk that waits for its turn does not hold up the paths behind it. */
	while ((entry = *p) && m->engine->nr_jobs < JOBS_MAX) {
		if (!has_room(m, entry)) {
			p = &entry->next;
			continue;
		}
		*p = entry->next;
		if (m->queue_tail == &entry->next)
			m->queue_tail = p;
		begin(entry);
	}
}

static void retry_parked(struct mapping *m)
{
	int64_t now_s = engine_realtime_ms() / 1000;
	struct state_parked *parked;

	if (m->push)
		return;
	parked = calloc(1, sizeof(*parked));
	/* The outcome of each moves its date on; until then it stays in the list. */
	for (int i = 0; parked && i < PARKED_AT_ONCE; i++) {
		if (state_next_parked(m->engine->state, m->target.id, now_s, parked) != 1)
			break;
		m->source->ops->mark(m->source, parked->path.text, parked->path.len,
				     parked->path.len ? KDEV_MARK_CONTENT : KDEV_MARK_SUBTREE,
				     NULL);
	}
	free(parked);
}

static void tick_live(struct mapping *m, int64_t now_ms)
{
	if (now_ms >= m->parked_check_ms) {
		m->parked_check_ms = now_ms + PARKED_CHECK_MS;
		retry_parked(m);
	}
	if (m->rescan_at_ms && now_ms >= m->rescan_at_ms) {
		m->rescan_at_ms = now_ms + (int64_t)m->policy.rescan_s * 1000;
		m->source->ops->mark(m->source, "", 0, KDEV_MARK_SUBTREE, NULL);
	}
	deletes_tick(m);
}

int mapping_tick(struct mapping *m, int64_t now_ms)
{
	int64_t wait = 1000, due;

	if (m->phase == MAPPING_BLOCKED && now_ms >= m->probe_at_ms && !m->probe &&
	    !m->engine->draining) {
		m->phase = MAPPING_PROBING;
		probe(m);
	}
	if (m->phase == MAPPING_LIVE && !m->engine->draining)
		tick_live(m, now_ms);
	mapping_forget_error(m, now_ms);
	mapping_report(m, false);
	if (m->phase == MAPPING_BLOCKED && m->probe_at_ms - now_ms < wait)
		wait = m->probe_at_ms - now_ms;
	if (m->sweep.next_ms && m->sweep.next_ms != INT64_MAX) {
		due = m->sweep.next_ms - engine_realtime_ms();
		wait = due < wait ? due : wait;
	}
	if (m->report_due && wait > 250)
		wait = 250;
	return wait < 0 ? 0 : (int)wait;
}

void mapping_count(struct mapping *m, const struct azure_response *rsp)
{
	m->counters.requests += rsp->tries;
	m->counters.retries += rsp->tries > 1 ? rsp->tries - 1 : 0;
	m->report_due = true;
}
