/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The engine's objects. All belong to the loop's thread, but for a job or a walk that was submitted
 * to the pool, which is the worker's until its done() is called, and what says otherwise.
 *
 *	engine --< mapping --< entry --< job
 *
 * An entry is what the kernel handed out: it is answered (DONE) when the last reference to it goes.
 * A job is one path on its way; it holds a reference to the entry it works for. A walk goes through
 * a directory and makes jobs. A mapping lives until it is down and the last of these is gone.
 */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include <stdatomic.h>

#include "azure/blob.h"
#include "azure/client.h"
#include "engine/blocks.h"
#include "engine/budget.h"
#include "engine/engine.h"
#include "engine/metadata.h"
#include "engine/policy.h"
#include "engine/pool.h"
#include "engine/reconcile.h"
#include "engine/source.h"
#include "state/state.h"

#define JOBS_MAX		256	/* at a time, of all mappings */
#define WALK_JOBS_MAX		128	/* of one walk */
#define WALKS_MAX		2	/* of one mapping, at a time */
#define ENTRIES_MAX		4096	/* taken from the kernel and not answered */
#define DONE_BATCH		256
#define READ_AT_ONCE_BYTES	(64u << 10)	/* files read without asking the budget */
#define TRIES_UNQUIET		3	/* readings of a file that keeps changing */

struct walk;
struct large;

struct engine {
	struct engine_config config;
	struct azure_client *client;
	struct state *state;
	struct pool *pool;
	struct budget budget;
	struct kdev *kdev;
	struct kdev_batch batch;
	struct mapping *mappings;
	struct job *ready;		/* jobs that wait to send */
	struct job **ready_tail;
	unsigned int nr_sending;
	unsigned int nr_jobs;
	unsigned int nr_entries;
	bool watching;			/* the device */
	bool draining;
	int device_error;		/* negative errno that ends the engine */
	struct error device_message;
};

struct gauges {
	uint64_t backlog_files;
	uint64_t backlog_bytes;
	int64_t last_success_s;
};

struct counters {
	uint64_t requests;
	uint64_t retries;
	uint64_t drifted;
	uint64_t copied;
	uint64_t deleted;
	uint64_t skipped;
};

enum mapping_phase {
	MAPPING_PROBING,		/* is the container there? */
	MAPPING_LIVE,
	MAPPING_BLOCKED,		/* until probe_at_ms */
	MAPPING_DOWN,
};

/* Deletes: see deletes.c. */
struct sweep {
	struct pool_work work;
	struct entry *waiting;		/* entries for which something is gone */
	int64_t cursor;			/* ids up to here are dealt with */
	int64_t retry_from;		/* the lowest id that has to be tried again, or 0 */
	int64_t next_ms;		/* when to look again (realtime); 0: nothing to do */
	unsigned int in_flight;
	bool running;
	uint64_t rows;			/* of the target, at rows_ms */
	int64_t rows_ms;
	struct sweep_item *items;	/* of the step that runs */
	unsigned int nr_items;
	int64_t last_id;		/* ids up to here were looked at */
	int64_t next_id;		/* the first that is not due; INT64_MAX: none is left */
	int64_t next_due_ms;
	int err;			/* the step's */
	struct error message;
};

struct mapping {
	struct mapping *next;
	struct engine *engine;
	struct source *source;
	char name[64];
	struct policy policy;
	struct azure_target *azure;
	char *prefix;
	struct attr_copy *attrs;	/* to make `azure` of, as often as it takes */
	struct state_target_key key;
	struct state_target target;	/* id 0: not known yet */
	char owner[METADATA_OWNER_TEXT];
	uint64_t tick_ns;

	enum mapping_phase phase;
	_Atomic bool down;		/* read by workers */
	unsigned int refs;		/* entries, jobs, walks, requests of its own */
	struct job *jobs;		/* all that live, for cancelling */
	struct entry *queue;		/* not begun */
	struct entry **queue_tail;
	unsigned int nr_walks;
	struct azure_request *probe;

	int64_t probe_at_ms;		/* monotonic */
	uint32_t backoff_ms;
	bool cautious;			/* one thing at a time until something worked */
	char error[512];		/* the last one told */
	bool error_changed;
	bool error_settled;		/* no earlier uploader's stands in the kernel */
	int64_t again_ms;		/* monotonic: by then what was given back has come again */

	struct sweep sweep;
	struct gauges gauges;
	struct counters counters;
	struct counters reported;
	struct state_counts counts;
	uint64_t uploaded_files;
	bool report_due;
	int64_t reported_ms;
	int64_t parked_check_ms;
	int64_t rescan_at_ms;

	struct kdev_done_item done[DONE_BATCH];
	unsigned int nr_done;

	/* Of a push, which has no kernel to tell; else NULL. */
	struct push *push;
};

struct entry {
	struct entry *next;		/* in a queue or among sweep.waiting */
	struct mapping *mapping;
	uint64_t number;
	unsigned int refs;
	enum kdev_record_type type;
	uint32_t flags;			/* KDEV_CONTENT, .. */
	uint64_t ino;			/* of KDEV_ENTRY_INODE */
	uint64_t generation;
	int64_t gone;			/* waits for this id of the sweep; 0: for none */
	bool late;			/* its id came while a step of the sweep ran */
	enum kdev_result result;
	uint32_t did;
	uint32_t delay_ms;
	uint64_t bytes;
	size_t path_len;
	char path[];
};

/* What a worker found that the loop has to do. */
enum next {
	NEXT_NOTHING,		/* equal */
	NEXT_SKIP,		/* not for us; counted */
	NEXT_DROP,		/* the kernel will hand it out again by itself */
	NEXT_AGAIN,
	NEXT_PARK,		/* job->error says why */
	NEXT_STATE_ERROR,	/* the state cannot be read */
	NEXT_BUFFER,		/* it wants memory first */
	NEXT_PUT,		/* job->data holds it all */
	NEXT_LARGE,
	NEXT_META,
	NEXT_ROW,
	NEXT_COPY,
	NEXT_GONE,
	NEXT_GONE_TREE,
	NEXT_FORGET,
};

struct job {
	struct pool_work work;
	struct budget_wait wait;
	struct state_op op;
	struct job *prev_job, *next_job;	/* of the mapping */
	struct job *next_ready;
	void (*send)(struct job *job);		/* when there is room */
	void (*again)(struct job *job);		/* what met a conflict */
	struct azure_request *request;		/* or NULL */
	struct mapping *mapping;
	struct entry *entry;
	struct walk *walk;			/* that made it; or NULL */

	enum next next;
	enum state_kind kind;
	bool content;			/* hash it */
	bool has_st, has_row, known;	/* known: by a scan; st and row are filled in */
	bool decided;			/* .. and so is next: no worker is needed */
	bool opened, quiet, unquiet, trusted, has_md5, sending, cancelled;
	bool is_empty;			/* a directory, if known */
	bool create;			/* the blob is thought not to be there */
	bool forced;			/* send it, whatever the row says */
	bool waiting;			/* for the budget */
	uint32_t did;			/* KDEV_DID_*, once it is committed */
	uint64_t backlog;		/* bytes counted in the gauge */
	unsigned int tries;		/* readings */
	unsigned int conflicts;
	int64_t opened_ns;
	struct kdev_file file;
	struct kdev_stat st;
	struct kdev_stat parent;	/* a directory's */
	struct state_row row;
	struct state_path *from;	/* COPY */
	char if_match[AZURE_ETAG_MAX];
	uint8_t md5[AZURE_MD5_BYTES];
	void *data;
	size_t data_len;
	size_t charged;			/* of the budget */
	struct large *large;
	struct error error;
	char code[AZURE_CODE_MAX];

	size_t path_len;
	char path[];
};

/* ---- engine.c ---- */
int64_t engine_now_ms(void);		/* monotonic */
int64_t engine_realtime_ms(void);
/* Runs job->send when fewer than the most requests are out; engine_sent() after each. */
void engine_send(struct job *job, void (*send)(struct job *job));
void engine_sent(struct job *job);
void engine_dispatch(struct engine *engine);

/* ---- mapping.c ---- */
struct mapping_config {
	struct source *source;		/* taken over, also on failure */
	const char *name;
	struct azure_target *azure;	/* a reference is taken; NULL: as the attributes say */
	const char *prefix;		/* with `azure` */
	const struct kdev_attr *attrs;	/* copied */
	size_t nr_attrs;
	struct push *push;
	struct state_target_key key;	/* the root's identity; the rest is filled in */
	uint64_t tick_ns;
};
/*
 * NULL: no memory. Whatever else is wrong (policy, credential, state) blocks the mapping, which
 * says so and tries again.
 */
struct mapping *mapping_create(struct engine *engine, const struct mapping_config *config);
/* Cancels and gives back; the mapping frees itself when all of it has come home. */
void mapping_stop(struct mapping *m);
void mapping_get(struct mapping *m);
void mapping_put(struct mapping *m);
/* Begins what is queued, as far as there is room. */
void mapping_dispatch(struct mapping *m);
/* The target refuses everything: `why` is shown, and one probe goes out now and then. */
void mapping_block(struct mapping *m, const char *why, int64_t retry_after_ms);
void mapping_works(struct mapping *m);	/* a write was taken */
uint32_t mapping_delay_ms(const struct mapping *m);	/* to give back with */
/* What is due by the clock; when to come back, in ms. */
int mapping_tick(struct mapping *m, int64_t now_ms);
void mapping_count(struct mapping *m, const struct azure_response *rsp);
/* The last error, shown in sysfs and logged. */
__attribute__((format(printf, 2, 3)))
void mapping_say(struct mapping *m, const char *fmt, ...);

/* ---- report.c ---- */
void mapping_report(struct mapping *m, bool now);
/* Takes back the last error once there is nothing left that it may be about. */
void mapping_forget_error(struct mapping *m, int64_t now_ms);
void mapping_flush_done(struct mapping *m);

/* ---- entry.c ---- */
struct entry *entry_create(struct mapping *m, const struct kdev_record *r);
/* For a file that was opened under another entry and has its own number now. */
struct entry *entry_derive(struct entry *from, uint64_t number, const char *path, size_t len);
void entry_get(struct entry *entry);
void entry_put(struct entry *entry);
/* The worst result of all its parts counts. */
void entry_result(struct entry *entry, enum kdev_result result, uint32_t delay_ms);

/* ---- job.c ---- */
/* Any thread; not known to anybody until it is attached. NULL: no memory. */
struct job *job_alloc(const char *path, size_t len);
void job_attach(struct job *job, struct entry *entry, struct walk *walk);
/* On a worker: finds out what to do. */
void job_submit(struct job *job);
void job_finish(struct job *job, enum kdev_result result, uint32_t did, uint32_t delay_ms);
/* The request failed in a way that is no conflict. */
void job_fail(struct job *job, const struct azure_error *err);
/* Notes the failure of job->error durably; then it is finished. */
void job_park(struct job *job);
/* Commits the row, then finishes as OK. */
void job_commit(struct job *job, const char *etag, uint32_t did);
void job_cancel(struct job *job);
void job_free_data(struct job *job);
/* Is the mapping going down? Then the job is finished and gone. */
bool job_is_stopped(struct job *job);
/* On the loop: does what job->next says. */
void job_decide(struct job *job);
/* As far as it may be shown in logs. */
const char *job_shown_path(const struct job *job);

/* ---- inspect.c: on a worker ---- */
void job_inspect(struct pool_work *work);
/* After the last byte: is it one moment of the file, or may it go as it is (NEXT_PUT)? */
enum next job_judge(struct job *job);
/* The content's hash is known: does it have to be sent after all (NEXT_PUT)? */
enum next job_decide_hashed(struct job *job);

/* ---- upload.c ---- */
void job_put(struct job *job);
void job_set_meta(struct job *job);
void job_copy(struct job *job);
/* The options of a write for this job; the strings are in `m` and the job. */
void job_options(struct job *job, struct metadata *m, struct azure_blob_options *o, bool is_long);
int job_name(const struct job *job, struct azure_name *name);

/* ---- conflict.c ---- */
/* A condition did not hold: looks, then adopts, overwrites or parks. */
void job_conflict(struct job *job, void (*again)(struct job *job));

/* ---- large.c ---- */
void job_large(struct job *job);
void large_cancel(struct job *job);
/* After a conflict: commits the blocks that are up, under the new condition. */
void large_commit(struct job *job);
void large_free(struct job *job);

/* ---- walk.c ---- */
int walk_start(struct entry *entry);
void walk_job_done(struct walk *walk);

/* ---- deletes.c ---- */
/* The entry is answered when the sweep has dealt with this id. Takes a reference. */
void deletes_wait(struct entry *entry, int64_t gone);
/* When the sweep will have got to what a STATE_OP_GONE has noted. */
uint32_t deletes_due_in_ms(struct mapping *m, const struct state_op *op);
void deletes_tick(struct mapping *m);
void deletes_stop(struct mapping *m);

/* ---- push.c ---- */
#define PUSH_ENTRY 1		/* the number of its only entry */
void push_blocked(struct push *push, const char *why);
void push_seen(struct push *push, uint64_t files, bool complete);
void push_to_send(struct push *push, uint64_t bytes);
void push_sent(struct push *push, uint64_t bytes);
void push_file_done(struct push *push, uint32_t did);
void push_failed(struct push *push, const char *path, const char *message);
void push_entry_done(struct push *push, enum kdev_result result);

#endif /* ENGINE_INTERNAL_H */
