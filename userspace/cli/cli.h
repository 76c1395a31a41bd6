/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* azure-storagectl: what its commands share. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/error.h"

#define CLI_NAME		"azure-storagectl"
#define CLI_JSON_VERSION	1	/* of every --json output; fields are only ever added */

/* Exit codes, which scripts rely on. */
enum cli_exit {
	CLI_DONE	= 0,	/* status: in sync */
	CLI_FAILED	= 1,	/* status: failing, blocked, held, no module */
	CLI_USAGE	= 2,
	CLI_REMAINS	= 3,	/* status: behind; flush: not in time */
};

/* argv[0] is "azure-storagectl COMMAND"; returns an exit code. */
int cmd_status(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_add(int argc, char **argv);
int cmd_enable(int argc, char **argv);
int cmd_disable(int argc, char **argv);
int cmd_remove(int argc, char **argv);
int cmd_flush(int argc, char **argv);
int cmd_apply(int argc, char **argv);
int cmd_push(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* ------------------------------------------------------------------- common.c */

/* The sentence on stderr; returns CLI_FAILED. */
int cli_fail(const struct error *e);
__attribute__((format(printf, 1, 2)))
int cli_fail_text(const char *fmt, ...);

/* For commands that take one NAME and nothing else: NULL after a usage message. */
const char *cli_one_name(int argc, char **argv, const char *doc);

/* Splits "attr=value"; the value points into `arg`. False if there is no '='. */
bool cli_split_setting(char *arg, char **attr, char **value);

/*
 * Switches a mapping off and waits until it has drained, so that it can be written to
 * and removed. -ETIMEDOUT when that takes longer than the kernel's own limit.
 */
int cli_disable(const char *name, struct error *e);

/* Control characters as \xNN: names of files are anybody's. */
void cli_put_safe(FILE *f, const char *text);

/* "1.4 GiB", "3 h ago": for people; buf has room for CLI_TEXT bytes. */
#define CLI_TEXT	32
const char *cli_bytes(char buf[CLI_TEXT], uint64_t bytes);
const char *cli_ago(char buf[CLI_TEXT], int64_t then_s, int64_t now_s);

/* -------------------------------------------------------------------- table.c */

struct cli_column {
	const char *name;
	bool right;			/* numbers */
};

/* Rows of text in columns; colour and width only for a terminal. */
struct cli_table;

/* NULL when memory is short. `json` is not this table's business. */
struct cli_table *cli_table_new(const struct cli_column *columns, size_t nr);
void cli_table_free(struct cli_table *t);
/* Cells are copied; colour may be NULL, or "red", "green", "yellow". */
int cli_table_add(struct cli_table *t, const char *const *cells, const char *colour);
int cli_table_print(struct cli_table *t);

#endif /* CLI_CLI_H */
