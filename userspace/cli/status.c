/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "cli/status.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/configfs.h"
#include "lib/sysfs.h"

static const char *const figure_files[STATUS_NR_FIGURES] = {
	[STATUS_PENDING] = "pending",
	[STATUS_IN_FLIGHT] = "in_flight",
	[STATUS_OPEN_WRITERS] = "open_writers",
	[STATUS_BACKLOG_FILES] = "backlog_files",
	[STATUS_BACKLOG_BYTES] = "backlog_bytes",
	[STATUS_FAILED] = "failed",
	[STATUS_DELETES_HELD] = "deletes_held",
	[STATUS_OLDEST_PENDING_MS] = "oldest_pending_ms",
	[STATUS_LAST_SUCCESS_S] = "last_success_s",
	[STATUS_UPLOADED_FILES] = "stats/uploaded_files",
	[STATUS_UPLOADED_BYTES] = "stats/uploaded_bytes",
	[STATUS_DELETED_BLOBS] = "stats/deleted_blobs",
};

const char *status_figure_file(enum status_figure f)
{
	return figure_files[f];
}

const char *status_figure_field(enum status_figure f)
{
	const char *slash = strchr(figure_files[f], '/');

	return slash ? slash + 1 : figure_files[f];
}

const char *status_verdict_name(enum status_verdict v)
{
	static const char *const names[] = {
		[STATUS_OFF] = "disabled",
		[STATUS_IN_SYNC] = "in sync",
		[STATUS_BEHIND] = "behind",
		[STATUS_FAILING] = "failing",
	};

	return names[v];
}

static enum status_verdict judge(const struct status *s)
{
	if (strcmp(s->state, "disabled") == 0)
		return STATUS_OFF;
	if (strcmp(s->state, "blocked") == 0 || strcmp(s->state, "error") == 0 ||
	    s->figures[STATUS_FAILED] || s->figures[STATUS_DELETES_HELD])
		return STATUS_FAILING;
	if (strcmp(s->state, "live") != 0 || s->figures[STATUS_PENDING] ||
	    s->figures[STATUS_IN_FLIGHT] || s->figures[STATUS_BACKLOG_FILES])
		return STATUS_BEHIND;
	return STATUS_IN_SYNC;
}

/* It may be disabled because it could not be enabled. */
static void look_for_refusal(struct status *s)
{
	char *why;

	if (configfs_read(s->name, "last_error", &why, NULL))
		return;
	if (!why[0]) {
		free(why);
		return;
	}
	free(s->last_error);
	s->last_error = why;
	s->verdict = STATUS_FAILING;
}

int status_read(struct status *s, const char *name, struct error *e)
{
	int err;

	*s = (struct status){ .name = strdup(name) };
	if (!s->name)
		return error_set_errno(e, -ENOMEM, "%s", name);
	err = sysfs_read(name, "state", &s->state, e);
	if (!err)
		err = sysfs_read(name, "path", &s->path, e);
	for (size_t i = 0; !err && i < STATUS_NR_FIGURES; i++)
		err = sysfs_read_u64(name, figure_files[i], &s->figures[i], e);
	if (err) {
		status_free(s);
		return err;
	}
	/* For root only: it names files. */
	if (sysfs_read(name, "last_error", &s->last_error, NULL))
		s->last_error = NULL;
	s->verdict = judge(s);
	if (s->verdict == STATUS_OFF)
		look_for_refusal(s);
	return 0;
}

void status_free(struct status *s)
{
	free(s->name);
	free(s->state);
	free(s->path);
	free(s->last_error);
	*s = (struct status){ 0 };
}

/* ------------------------------------------------------------------ command */

struct options {
	const char *name;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->name)
			argp_error(state, "one NAME only");
		o->name = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_list[] = {
	{ "json", 'j', NULL, 0, "For programs", 0 },
	{ 0 },
};

/* All mappings, or the one that is named; those that vanish meanwhile are left out. */
static int read_all(const char *only, struct status **list, size_t *nr, struct error *e)
{
	char **names = NULL;
	size_t nr_names = 0;
	int err;

	err = configfs_list(&names, &nr_names, e);
	if (err)
		return err;
	*nr = 0;
	*list = calloc(nr_names + 1, sizeof(**list));
	if (!*list)
		err = error_set_errno(e, -ENOMEM, "status");
	for (size_t i = 0; !err && i < nr_names; i++) {
		if (only && strcmp(only, names[i]) != 0)
			continue;
		err = status_read(&(*list)[*nr], names[i], e);
		if (!err)
			(*nr)++;
		else if (err == -ENOENT && !configfs_exists(names[i]))
			err = 0;
	}
	if (!err && only && *nr == 0)
		err = error_set(e, -ENOENT, "there is no mapping '%s'", only);
	configfs_list_free(names, nr_names);
	return err;
}

static enum status_verdict judge_all(const struct status *list, size_t nr)
{
	enum status_verdict worst = STATUS_OFF;

	for (size_t i = 0; i < nr; i++)
		if (list[i].verdict > worst)
			worst = list[i].verdict;
	return worst;
}

/* A mapping that is off holds nobody up, unless somebody asked about it. */
static int exit_code(enum status_verdict v, bool named)
{
	switch (v) {
	case STATUS_FAILING:
		return CLI_FAILED;
	case STATUS_BEHIND:
		return CLI_REMAINS;
	case STATUS_OFF:
		return named ? CLI_REMAINS : CLI_DONE;
	default:
		return CLI_DONE;
	}
}

static bool has_uploader(void)
{
	bool there = false;
	char *pid;

	if (sysfs_module_read("uploader_pid", &pid, NULL) == 0) {
		there = strcmp(pid, "0") != 0;
		free(pid);
	}
	return there;
}

int cmd_status(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.args_doc = "[NAME]",
		.doc = "How far behind the cloud is. Exit status: 0 in sync, 3 behind, 1 failing, "
		       "blocked, deletes held, or the module is not loaded.",
	};
	struct options o = { 0 };
	struct status *list = NULL;
	enum status_verdict whole;
	struct error e;
	size_t nr = 0;
	int code;

	if (argp_parse(&argp, argc, argv, 0, NULL, &o))
		return CLI_USAGE;
	if (read_all(o.name, &list, &nr, &e)) {
		code = cli_fail(&e);
		goto out;
	}
	whole = judge_all(list, nr);
	code = exit_code(whole, o.name);
	if (o.json) {
		if (status_print_json(list, nr, whole, has_uploader()))
			code = cli_fail_text("not enough memory");
		goto out;
	}
	if (o.name)
		status_print_one(&list[0]);
	else
		status_print_table(list, nr);
	if (whole != STATUS_OFF && !has_uploader())
		puts("\nNo uploader is connected: systemctl status azure-storage-uploader");
out:
	for (size_t i = 0; i < nr; i++)
		status_free(&list[i]);
	free(list);
	return code;
}
