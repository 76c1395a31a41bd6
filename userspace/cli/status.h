/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How a mapping is going: read once, then printed for people or programs. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

/* In the order of badness: the worst one is that of the whole. */
enum status_verdict {
	STATUS_OFF,			/* disabled: nothing is promised */
	STATUS_IN_SYNC,
	STATUS_BEHIND,
	STATUS_FAILING,
};

/* The figures of sysfs, by the names of their files. */
enum status_figure {
	STATUS_PENDING,
	STATUS_IN_FLIGHT,
	STATUS_OPEN_WRITERS,
	STATUS_BACKLOG_FILES,
	STATUS_BACKLOG_BYTES,
	STATUS_FAILED,
	STATUS_DELETES_HELD,
	STATUS_OLDEST_PENDING_MS,
	STATUS_LAST_SUCCESS_S,
	STATUS_UPLOADED_FILES,
	STATUS_UPLOADED_BYTES,
	STATUS_DELETED_BLOBS,
	STATUS_NR_FIGURES,
};

struct status {
	char *name;
	char *state;
	char *path;
	char *last_error;		/* NULL: not readable for us; "": none */
	uint64_t figures[STATUS_NR_FIGURES];
	enum status_verdict verdict;
};

/* Name of a figure's file, "stats/" included, and as a field of JSON. */
const char *status_figure_file(enum status_figure f);
const char *status_figure_field(enum status_figure f);
const char *status_verdict_name(enum status_verdict v);

/* -ENOENT: the mapping is not there (any more). */
int status_read(struct status *s, const char *name, struct error *e);
void status_free(struct status *s);

void status_print_table(const struct status *list, size_t nr);
void status_print_one(const struct status *s);
int status_print_json(const struct status *list, size_t nr, enum status_verdict whole,
		      bool uploader);

#endif /* CLI_STATUS_H */
