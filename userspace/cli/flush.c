/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lib/sysfs.h"

#define LOOK_MS	1000	/* how often the state is looked at, and the person told */

struct flush {
	const char *name;
	uint64_t number;		/* to be reached by `flushed` */
	int64_t end_ms;			/* of the monotonic clock; 0: no limit */
	bool terminal;
	bool line;			/* a progress line stands there */
	char said[32];			/* the state a person was told of */
};

struct options {
	const char *name;
	uint64_t timeout_s;
	bool has_timeout;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char *end;

	switch (key) {
	case 't':
		errno = 0;
		o->timeout_s = strtoull(arg, &end, 10);
		if (errno || *end || arg[0] < '0' || arg[0] > '9' || o->timeout_s > 10000000)
			argp_error(state, "'%s' is not a number of seconds", arg);
		o->has_timeout = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->name)
			argp_error(state, "one NAME only");
		o->name = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->name)
			argp_error(state, "NAME of a mapping is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_list[] = {
	{ "timeout", 't', "SECONDS", 0, "Give up waiting (exit status 3); uploading goes on", 0 },
	{ 0 },
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void clear_line(struct flush *f)
{
	if (f->line)
		fputs("\r\033[K", stderr);
	f->line = false;
}

static void show_progress(struct flush *f)
{
	uint64_t pending, in_flight, backlog, bytes;
	char text[CLI_TEXT];

	if (!f->terminal || sysfs_read_u64(f->name, "pending", &pending, NULL) ||
	    sysfs_read_u64(f->name, "in_flight", &in_flight, NULL) ||
	    sysfs_read_u64(f->name, "backlog_files", &backlog, NULL) ||
	    sysfs_read_u64(f->name, "stats/uploaded_bytes", &bytes, NULL))
		return;
	fprintf(stderr, "\r\033[K%s: %" PRIu64 " pending, %" PRIu64 " in flight, %" PRIu64
		" files in the backlog, %s uploaded", f->name, pending, in_flight, backlog,
		cli_bytes(text, bytes));
	f->line = true;
}

/* Whether waiting still makes sense; tells of a state that holds things up, once. */
static int look_at_state(struct flush *f, struct error *e)
{
	char *state, *why = NULL;
	int err = sysfs_read(f->name, "state", &state, e);

	if (err)
		return err;
	if (strcmp(state, "blocked") == 0 || strcmp(state, "error") == 0)
		if (sysfs_read(f->name, "last_error", &why, NULL))
			why = NULL;
	if (strcmp(state, "disabled") == 0) {
		err = error_set(e, -ECANCELED, "%s is disabled", f->name);
	} else if (strcmp(state, "error") == 0) {
		err = error_set(e, -EIO, "%s is in error: %s", f->name, why ? why : "see the log");
	} else if (strcmp(state, f->said) != 0 && strcmp(state, "live") != 0 &&
		   strcmp(state, "scanning") != 0) {
		clear_line(f);
		cli_fail_text("%s is %s%s%s; still waiting", f->name, state, why ? ": " : "",
			      why ? why : strcmp(state, "waiting") == 0 ? " for an uploader" : "");
	}
	snprintf(f->said, sizeof(f->said), "%s", state);
	free(why);
	free(state);
	return err;
}

/* 0 when the number is reached, -ETIME when time is up. */
static int wait_for_number(struct flush *f, struct error *e)
{
	struct sysfs_watch w;
	char text[32];
	int err = sysfs_watch_open(&w, f->name, "flushed", e);

	while (!err) {
		int64_t left = LOOK_MS;

		err = sysfs_watch_read(&w, text, sizeof(text), e);
		if (err || strtoull(text, NULL, 10) >= f->number)
			break;
		err = look_at_state(f, e);
		if (err)
			break;
		show_progress(f);
		if (f->end_ms && f->end_ms - now_ms() < left)
			left = f->end_ms - now_ms();
		if (left <= 0) {
			err = error_set(e, -ETIME, "%s: not all is uploaded yet", f->name);
			break;
		}
		err = sysfs_watch_wait(&w, (int)left, e);
		if (err > 0)
			err = 0;
	}
	clear_line(f);
	sysfs_watch_close(&w);
	return err;
}

int cmd_flush(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.args_doc = "NAME",
		.doc = "Wait until all that changed until now is in the container.\vExit status: 0 it "
		       "is there, 1 a file failed, deletes are held or the mapping fails, 3 not "
		       "within the time given.",
	};
	struct options o = { 0 };
	struct flush f = { .terminal = isatty(STDERR_FILENO) };
	struct error e;
	uint64_t failed, held;
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &o))
		return CLI_USAGE;
	f.name = o.name;
	if (o.has_timeout)
		f.end_ms = now_ms() + (int64_t)o.timeout_s * 1000;
	/* A number that somebody else took since is later than ours: as good. */
	err = sysfs_write(f.name, "flush", "1", &e);
	if (!err)
		err = sysfs_read_u64(f.name, "flush", &f.number, &e);
	if (!err)
		err = wait_for_number(&f, &e);
	if (!err)
		err = sysfs_read_u64(f.name, "failed", &failed, &e);
	if (!err)
		err = sysfs_read_u64(f.name, "deletes_held", &held, &e);
	if (err) {
		cli_fail(&e);
		return err == -ETIME ? CLI_REMAINS : CLI_FAILED;
	}
	if (failed)
		return cli_fail_text("%s: %" PRIu64 " files failed; " CLI_NAME " status %s says why",
				     f.name, failed, f.name);
	if (held)
		return cli_fail_text("%s: %" PRIu64 " deletes are held; " CLI_NAME
				     " status %s says why", f.name, held, f.name);
	return CLI_DONE;
}
