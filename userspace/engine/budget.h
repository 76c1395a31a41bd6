/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Memory for content on its way. Who wants more than is left waits in line. All on the loop's
 * thread.
 */
#ifndef ENGINE_BUDGET_H
#define ENGINE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

struct budget_wait {
	struct budget_wait *next;
	size_t bytes;
	/* With memory of so many bytes, which is charged; NULL: there is none. */
	void (*granted)(struct budget_wait *wait, void *memory);
};

struct budget {
	size_t limit;
	size_t used;
	struct budget_wait *waiting;
	struct budget_wait **waiting_tail;
	void *spare[8];			/* blocks of BUDGET_SPARE_BYTES, kept to be used again */
	unsigned int nr_spare;
};

/* The size of nearly all large buffers: faulting fresh pages in costs as much as hashing them. */
#define BUDGET_SPARE_BYTES (4u << 20)

void budget_init(struct budget *b, size_t limit);
void budget_exit(struct budget *b);
/* Calls granted(), at once or later. A request beyond the limit is served alone. */
void budget_take(struct budget *b, struct budget_wait *wait);
/* Gives up waiting: granted() will not be called. */
void budget_cancel(struct budget *b, struct budget_wait *wait);
void budget_give(struct budget *b, void *memory, size_t bytes);
/* Gives spare memory back to the system: there is nothing to do. */
void budget_trim(struct budget *b);

#endif /* ENGINE_BUDGET_H */
