/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The insides of the oracle: oracle.c (life, the last comparison), oracle_table.c (what was
 * uploaded, what is out) and oracle_work.c (what becomes of a record).
 *
 * Workers take one record each and finish it before they take the next. Locks: o->take
 * around reading the device; o->lock around the table and what is out. The ioctls
 * that decide about a row are made with o->lock held, so that "it is not there any
 * more" and "it is there, and this is its content" are in the order in which they were
 * true.
 */
#ifndef AZS_TESTS_VM_ORACLE_PRIV_H
#define AZS_TESTS_VM_ORACLE_PRIV_H

#include <pthread.h>

#include "oracle.h"

#define WORKERS_MAX	4
#define ROWS_MAX	16384
#define OUT_MAX		8192

struct row {
	char *path;
	struct azs_stat st;	/* when it was committed */
	uint64_t hash;
	bool trusted;		/* equal by stat is equal */
	uint64_t seen;		/* number of the scan that met it last */
};

struct oracle {
	const char *mapping;
	struct dev *dev;
	pthread_t threads[WORKERS_MAX];
	unsigned int workers;
	volatile bool stop;
	volatile bool killed;	/* from here on nothing is committed nor done */

	volatile unsigned int dawdle_us;

	pthread_mutex_t take;

	pthread_mutex_t lock;
	struct row rows[ROWS_MAX];	/* [lock] */
	size_t nr_rows;
	char *out[OUT_MAX];		/* [lock] paths that are ours */
	size_t nr_out;
	uint64_t scans;
	unsigned long uploads;
	unsigned long disturbed;
	char *wrong;			/* [lock] the first thing that was */
};

/* ---- oracle_table.c; each takes o->lock but for row_find() ---- */

/* The test fails with it; the workers stop. */
void note_wrong(struct oracle *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

void out_add(struct oracle *o, const char *path);
/* Before the call that gives it back, so that the next hand-out is no twin. */
void out_remove(struct oracle *o, const char *path);

struct row *row_find(struct oracle *o, const char *path);
/* Rows at or below a path that a scan did not meet (0: all) go if they are gone now, too. */
void rows_prune(struct oracle *o, struct azs_mref m, const char *dir, uint64_t scan);
/* False if the path leads to something else by now. */
bool row_commit(struct oracle *o, struct azs_mref m, const char *path, const struct azs_stat *st,
		uint64_t hash, bool trusted);
/* Need the file not be read? Notes that a scan met it. */
bool row_is_current(struct oracle *o, const char *path, const struct azs_stat *st, uint64_t scan);

/* Between two steps; see oracle_dawdle(). */
void dawdle(const struct oracle *o);

uint64_t hash_bytes(uint64_t hash, const unsigned char *data, size_t len);
int hash_fd(int fd, uint64_t *hash);

/* ---- oracle_work.c ---- */

/* A worker's thread; arg is the oracle. */
void *oracle_work(void *arg);

#endif
