/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "engine/budget.h"

#include <stdlib.h>

void budget_init(struct budget *b, size_t limit)
{
	*b = (struct budget){ .limit = limit };
	b->waiting_tail = &b->waiting;
}

void budget_trim(struct budget *b)
{
	while (b->nr_spare)
		free(b->spare[--b->nr_spare]);
}

void budget_exit(struct budget *b)
{
	budget_trim(b);
}

static bool fits(const struct budget *b, size_t bytes)
{
	return b->used == 0 || (bytes <= b->limit && b->used <= b->limit - bytes);
}

static void grant(struct budget *b, struct budget_wait *w)
{
	void *memory;

	if (w->bytes == BUDGET_SPARE_BYTES && b->nr_spare) {
		memory = b->spare[--b->nr_spare];
	} else {
		/* Spare blocks count for nothing while they lie: they make room for others. */
		if (b->nr_spare && b->used + b->nr_spare * BUDGET_SPARE_BYTES + w->bytes > b->limit)
			free(b->spare[--b->nr_spare]);
		memory = malloc(w->bytes);
	}
	if (memory)
		b->used += w->bytes;
	w->granted(w, memory);
}

void budget_take(struct budget *b, struct budget_wait *w)
{
	w->next = NULL;
	if (!b->waiting && fits(b, w->bytes)) {
		grant(b, w);
		return;
	}
	*b->waiting_tail = w;
	b->waiting_tail = &w->next;
}

static void unlink_wait(struct budget *b, struct budget_wait **p)
{
	struct budget_wait *w = *p;

	*p = w->next;
	if (b->waiting_tail == &w->next)
		b->waiting_tail = p;
}

void budget_cancel(struct budget *b, struct budget_wait *w)
{
	for (struct budget_wait **p = &b->waiting; *p; p = &(*p)->next) {
		if (*p == w) {
			unlink_wait(b, p);
			return;
		}
	}
}

void budget_give(struct budget *b, void *memory, size_t bytes)
{
	b->used -= bytes;
	if (bytes == BUDGET_SPARE_BYTES &&
	    b->nr_spare < sizeof(b->spare) / sizeof(*b->spare) &&
	    b->used + (b->nr_spare + 1) * BUDGET_SPARE_BYTES <= b->limit)
		b->spare[b->nr_spare++] = memory;
	else
		free(memory);
	while (b->waiting && fits(b, b->waiting->bytes)) {
		struct budget_wait *w = b->waiting;

		unlink_wait(b, &b->waiting);
		grant(b, w);
	}
}
