/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A few threads for what may block: opening, reading, hashing, scanning. Work is handed over in
 * lists, so that many small pieces cost few wake-ups.
 */
#ifndef ENGINE_POOL_H
#define ENGINE_POOL_H

#include <stdbool.h>

struct pool;

struct pool_work {
	struct pool_work *next;
	void (*run)(struct pool_work *work);	/* on a worker */
	void (*done)(struct pool_work *work);	/* on the loop's thread, by pool_complete() */
};

/* `notify` is called by a worker when there is something for pool_complete() again. */
struct pool *pool_create(unsigned int nr_threads, void (*notify)(void *arg), void *arg);
/* Waits for what runs; what is queued is run. Nothing is completed. NULL is fine. */
void pool_free(struct pool *pool);

/* From the loop's thread. */
void pool_submit(struct pool *pool, struct pool_work *work);
/* Calls done() of all that is finished; true if there was any. */
bool pool_complete(struct pool *pool);
/*
 * One worker serves a short queue, which saves switches. Should it be held up, this wakes another:
 * to be called every POOL_KICK_MS while it answers true.
 */
#define POOL_KICK_MS 20
bool pool_kick(struct pool *pool);

#endif /* ENGINE_POOL_H */
