/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What to do about a path: a pure function of what is there, what the container is known to
 * hold, and what led to the question.
 */
#ifndef ENGINE_RECONCILE_H
#define ENGINE_RECONCILE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/kdev.h"
#include "state/state.h"

enum action {
	ACTION_NOTHING,		/* the container holds it */
	ACTION_ROW,		/* it does; the row's times or identity are to be renewed */
	ACTION_META,		/* content equal, metadata not: Set Blob Metadata */
	ACTION_HASH,		/* read it, then ask again with its hash */
	ACTION_UPLOAD,
	ACTION_COPY,		/* on the server, from `moved_from` */
	ACTION_DELETE,		/* after the re-check of deletes.c */
	ACTION_MARK_DELETED,	/* on_delete=keep: likewise */
	ACTION_FORGET,		/* nothing there, no blob: only a failure may be known of it */
	ACTION_DIRECTORY,	/* see reconcile_directory() */
	ACTION_SKIP,		/* of a kind, or in a place, that is not uploaded */
};

struct reconcile_in {
	const struct kdev_stat *st;		/* NULL: not there */
	const struct state_row *row;		/* NULL: none */
	const struct state_row *moved_from;	/* of another path with this identity; NULL: none */
	const uint8_t *md5;			/* of the content, once it was read; else NULL */
	bool content;				/* stat proves nothing: hash */
	bool by_event;				/* the kernel watched: no content event */
	bool taken;				/* by include and exclude */
	bool stores_symlinks;
	bool deletes;				/* on_delete=delete */
};

enum action reconcile(const struct reconcile_in *in);

/*
 * A directory needs a marker when nothing else implies it: it is empty, or its mode or owner is not
 * its parent's. A marker that is there is kept up to date.
 */
enum action reconcile_directory(const struct kdev_stat *st, const struct kdev_stat *parent,
				bool is_empty, const struct state_row *row);

/* May a later stat that is equal be taken for equality? tick_ns: granularity of file times. */
bool reconcile_is_trusted(const struct kdev_stat *st, int64_t opened_ns, uint64_t tick_ns);

#endif /* ENGINE_RECONCILE_H */
