/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The engine: makes containers follow folders. The uploader runs it on the kernel's device,
 * `azure-storagectl push` once on a plain directory.
 *
 * One thread runs an engine: event loop, HTTP and every decision. Beside it a few I/O workers open,
 * read and hash, and one thread writes the state database.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "azure/target.h"
#include "lib/error.h"
#include "lib/kdev.h"

/* ---------------------------------------------------------------------- push */

struct push_progress {
	uint64_t files_seen;		/* by the scan, so far */
	uint64_t files_done;		/* of them: uploaded, copied or found equal */
	uint64_t bytes_total;		/* of the files that are to be uploaded, as far as known */
	uint64_t bytes_done;		/* of them, uploaded */
	uint64_t uploaded;		/* files */
	uint64_t deleted;		/* blobs */
	uint64_t failed;		/* files; push_options.on_failure has named each */
	bool scan_complete;		/* the totals are final */
};

struct push_options {
	const char *path;		/* the folder */
	struct azure_target *target;	/* account, container, endpoint, credential */
	const char *prefix;		/* of every blob name; NULL or "": none */
	/*
	 * The state database: what the container is known to hold, so that a second push sends
	 * what changed. NULL: push.db in $XDG_STATE_HOME/azure-storage (~/.local/state/..).
	 */
	const char *state_path;
	/* Policy, named and valued as the attributes of a mapping: on_delete, include, .. */
	const struct kdev_attr *attrs;
	size_t nr_attrs;
	/* On the caller's thread, at most ten times a second and once at the end; may be NULL. */
	void (*on_progress)(void *arg, const struct push_progress *progress);
	/* For each file that failed; the path is not escaped. May be NULL. */
	void (*on_failure)(void *arg, const char *path, const char *message);
	void *arg;
	/* Set by a signal handler to end early; may be NULL. */
	const volatile sig_atomic_t *stop;
};

/*
 * Uploads what differs. 0: the container holds every file, or -EINTR: stopped early, or -EIO with
 * progress.failed > 0: some files failed, or another negative errno: the target, the
 * folder or the state refused. `result` (may be NULL) receives the last figures.
 */
int engine_push(const struct push_options *options, struct push_progress *result,
		struct error *e) __attribute__((warn_unused_result));

/* -------------------------------------------------------------------- daemon */

struct engine;

struct engine_config {
	const char *state_path;		/* the database; its directory is ours alone */
	const char *credentials_dir;	/* see azure_credential_load() */
	unsigned int nr_workers;	/* I/O threads; 0: 4 */
	unsigned int max_requests;	/* in flight, of all mappings; 0: 64 */
	size_t buffer_bytes;		/* for content on its way; 0: 24 MiB */
	uint32_t delete_delay_ms;	/* between finding a file gone and deleting its blob */
};

#define ENGINE_DELETE_DELAY_MS	60000	/* the default of delete_delay_ms */

/* What an operator wants to see at a glance. */
struct engine_status {
	unsigned int mappings;
	unsigned int blocked;		/* of them */
	uint64_t backlog_files;
	uint64_t uploaded_files;
	uint64_t failed;
};

/* Opens the state and starts the threads. */
int engine_create(struct engine **out, const struct engine_config *config, struct error *e)
	__attribute__((warn_unused_result));
/* What is in flight is cancelled and given back. NULL is fine. */
void engine_free(struct engine *engine);

/* Serves `kdev`, which stays the caller's and must outlive the engine. Once. */
int engine_attach_kdev(struct engine *engine, struct kdev *kdev, struct error *e)
	__attribute__((warn_unused_result));

/*
 * One round of the loop: waits at most timeout_ms for something to do, and does it. 0, or a
 * negative errno after which the engine is of no use (the device broke the protocol, ...).
 */
int engine_run(struct engine *engine, int timeout_ms, struct error *e)
	__attribute__((warn_unused_result));

/* Ends the wait of engine_run(), now or the next. Any thread, and signal handlers. */
void engine_wake(struct engine *engine);

/*
 * Takes nothing new, finishes what is out and gives back, after timeout_ms, what is not finished
 * by then.
 */
void engine_drain(struct engine *engine, unsigned int timeout_ms);

void engine_status(const struct engine *engine, struct engine_status *status);

#endif /* ENGINE_ENGINE_H */
