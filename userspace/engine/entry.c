/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the kernel handed out, and the answer to it. */
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

#define COMES_AGAIN_MS 5000	/* after its delay, and an attempt is over */

static struct entry *alloc(struct mapping *m, uint64_t number, const char *path, size_t len)
{
	struct entry *entry = calloc(1, sizeof(*entry) + len + 1);

	if (!entry)
		return NULL;
	entry->mapping = m;
	entry->number = number;
	entry->refs = 1;
	entry->type = KDEV_ENTRY_PATH;
	entry->path_len = len;
	memcpy(entry->path, path, len);
	mapping_get(m);
	m->engine->nr_entries++;
	return entry;
}

struct entry *entry_create(struct mapping *m, const struct kdev_record *r)
{
	struct entry *entry = alloc(m, r->entry.entry, r->entry.path, r->entry.path_len);

	if (!entry)
		return NULL;
	entry->type = r->type;
	entry->flags = r->entry.flags;
	entry->ino = r->entry.ino;
	entry->generation = r->entry.generation;
	return entry;
}

struct entry *entry_derive(struct entry *from, uint64_t number, const char *path, size_t len)
{
	return alloc(from->mapping, number, path, len);
}

void entry_get(struct entry *entry)
{
	entry->refs++;
}

void entry_result(struct entry *entry, enum kdev_result result, uint32_t delay_ms)
{
	static const int badness[] = { [KDEV_OK] = 0, [KDEV_PARKED] = 1, [KDEV_AGAIN] = 2 };

	if (badness[result] > badness[entry->result])
		entry->result = result;
	if (delay_ms > entry->delay_ms)
		entry->delay_ms = delay_ms;
}

void entry_put(struct entry *entry)
{
	struct mapping *m = entry->mapping;

	if (--entry->refs)
		return;
	if (m->nr_done == DONE_BATCH)
		mapping_flush_done(m);
	m->done[m->nr_done++] = (struct kdev_done_item){
		.entry = entry->number,
		.result = entry->result,
		.flags = entry->did,
		.bytes = entry->bytes,
		.delay_ms = entry->result == KDEV_AGAIN ? entry->delay_ms : 0,
	};
	if (entry->result == KDEV_AGAIN) {
		int64_t again = engine_now_ms() + entry->delay_ms + COMES_AGAIN_MS;

		m->again_ms = again > m->again_ms ? again : m->again_ms;
	}
	m->engine->nr_entries--;
	m->report_due = true;
	if (m->push && entry->number == PUSH_ENTRY)
		push_entry_done(m->push, entry->result);
	free(entry);
	mapping_put(m);
}
