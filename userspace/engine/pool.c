/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "engine/pool.h"

#include <pthread.h>
#include <stdlib.h>

/* So much work for each thread that runs, before another is woken. */
#define QUEUE_PER_THREAD 48
#define THREADS_MAX 64

struct pool {
	void (*notify)(void *arg);
	void *arg;

	pthread_mutex_t lock;		/* protects all below but threads */
	pthread_cond_t queued;
	struct pool_work *queue;
	struct pool_work **queue_tail;
	struct pool_work *finished;
	struct pool_work **finished_tail;
	unsigned int nr_queued;
	unsigned int nr_idle;
	unsigned int nr_busy;
	bool stop;

	unsigned int nr_threads;
	pthread_t threads[];
};

static struct pool_work *take(struct pool *p)
{
	struct pool_work *w;

	while (!p->queue && !p->stop) {
		p->nr_busy--;
		p->nr_idle++;
		pthread_cond_wait(&p->queued, &p->lock);
		p->nr_idle--;
		p->nr_busy++;
	}
	w = p->queue;
	if (!w)
		return NULL;
	p->queue = w->next;
	if (!p->queue)
		p->queue_tail = &p->queue;
	p->nr_queued--;
	return w;
}

static void *worker(void *arg)
{
	struct pool *p = arg;
	struct pool_work *w;
	bool was_empty;

	pthread_mutex_lock(&p->lock);
	p->nr_busy++;
	while ((w = take(p))) {
		pthread_mutex_unlock(&p->lock);
		w->run(w);
		w->next = NULL;
		pthread_mutex_lock(&p->lock);
		was_empty = !p->finished;
		*p->finished_tail = w;
		p->finished_tail = &w->next;
		if (was_empty)
			p->notify(p->arg);
	}
	p->nr_busy--;
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct pool *pool_create(unsigned int nr, void (*notify)(void *arg), void *arg)
{
	struct pool *p;

	if (nr > THREADS_MAX)
		nr = THREADS_MAX;
	p = calloc(1, sizeof(*p) + nr * sizeof(*p->threads));
	if (!p)
		return NULL;
	p->notify = notify;
	p->arg = arg;
	p->queue_tail = &p->queue;
	p->finished_tail = &p->finished;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->queued, NULL);
	for (; p->nr_threads < nr; p->nr_threads++)
		if (pthread_create(&p->threads[p->nr_threads], NULL, worker, p))
			break;
	if (p->nr_threads)
		return p;
	pool_free(p);
	return NULL;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->queued);
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 0; i < p->nr_threads; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->queued);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void pool_submit(struct pool *p, struct pool_work *w)
{
	w->next = NULL;
	pthread_mutex_lock(&p->lock);
	*p->queue_tail = w;
	p->queue_tail = &w->next;
	p->nr_queued++;
	if (p->nr_idle && (!p->nr_busy || p->nr_queued > p->nr_busy * QUEUE_PER_THREAD))
		pthread_cond_signal(&p->queued);
	pthread_mutex_unlock(&p->lock);
}

bool pool_complete(struct pool *p)
{
	struct pool_work *list, *next;
	bool any;

	pthread_mutex_lock(&p->lock);
	list = p->finished;
	p->finished = NULL;
	p->finished_tail = &p->finished;
	pthread_mutex_unlock(&p->lock);
	any = list != NULL;
	for (; list; list = next) {
		next = list->next;
		list->done(list);
	}
	return any;
}

bool pool_kick(struct pool *p)
{
	bool waiting;

	pthread_mutex_lock(&p->lock);
	waiting = p->nr_queued && p->nr_idle;
	if (waiting)
		pthread_cond_signal(&p->queued);
	pthread_mutex_unlock(&p->lock);
	return waiting;
}
