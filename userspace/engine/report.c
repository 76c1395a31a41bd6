/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the kernel is told: verdicts, gauges, counters, the last error. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/internal.h"
#include "lib/log.h"

#define REPORT_EVERY_MS 250

/* Is all done that is known? Then the figures have to be exact, at once. */
static bool is_quiet(const struct mapping *m)
{
	return !m->jobs && !m->queue && !m->nr_walks;
}

static bool any_parked(const struct mapping *m)
{
	for (unsigned int i = 0; i < m->nr_done; i++)
		if (m->done[i].result == KDEV_PARKED)
			return true;
	return false;
}

void mapping_flush_done(struct mapping *m)
{
	struct engine *en = m->engine;
	struct error e = { 0 };
	int r;

	if (!m->nr_done)
		return;
	/* Who waits for these entries reads `failed` as soon as they are answered. */
	if (any_parked(m) || (m->counts.parked && is_quiet(m)))
		mapping_report(m, true);
	r = m->source->ops->done(m->source, m->done, m->nr_done, &e);
	m->nr_done = 0;
	if (!r || m->down || en->device_error)
		return;
	/* They would stay out for ever: closing the device gives them back. */
	log_error("%s: entries cannot be answered: %s", m->name, e.message);
	en->device_error = r;
	en->device_message = e;
}

void mapping_say(struct mapping *m, const char *fmt, ...)
{
	char text[sizeof(m->error)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	m->report_due = true;
	if (!strcmp(text, m->error))
		return;
	memcpy(m->error, text, sizeof(text));
	m->error_changed = true;
	if (*text && !m->push)
		log_warning("%s: %s", m->name, text);
}

void mapping_forget_error(struct mapping *m, int64_t now_ms)
{
	if (m->error_settled && !m->error[0])
		return;
	if (m->phase != MAPPING_LIVE || !is_quiet(m) || m->report_due)
		return;
	if (m->counts.parked || m->counts.held || m->sweep.next_ms || m->sweep.running)
		return;
	if (now_ms <= m->again_ms)
		return;
	/* Not by mapping_say(): what stands there may be what stopped an earlier uploader. */
	m->error[0] = '\0';
	m->error_changed = true;
	m->error_settled = true;
	m->report_due = true;
}

void mapping_report(struct mapping *m, bool now)
{
	int64_t now_ms = engine_now_ms();
	struct kdev_report r = { 0 };

	if (m->down || !m->report_due)
		return;
	if (!now && !is_quiet(m) && now_ms - m->reported_ms < REPORT_EVERY_MS)
		return;
	if (m->target.id)
		state_count(m->engine->state, m->target.id, &m->counts);
	r.blocked = m->phase == MAPPING_BLOCKED;
	r.error = m->error_changed ? m->error : NULL;
	r.backlog_files = m->gauges.backlog_files;
	r.backlog_bytes = m->gauges.backlog_bytes;
	r.failed = m->counts.parked;
	r.deletes_held = m->counts.held;
	r.last_success_s = m->gauges.last_success_s;
	r.requests = m->counters.requests - m->reported.requests;
	r.retries = m->counters.retries - m->reported.retries;
	r.drifted = m->counters.drifted - m->reported.drifted;
	r.copied_blobs = m->counters.copied - m->reported.copied;
	r.deleted_blobs = m->counters.deleted - m->reported.deleted;
	r.skipped = m->counters.skipped - m->reported.skipped;
	m->reported_ms = now_ms;
	/* Counters are added to over there: what did not arrive is told again. */
	if (m->source->ops->report(m->source, &r, NULL))
		return;
	m->reported = m->counters;
	m->error_changed = false;
	m->report_due = false;
}
