/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/status.h"

static const char *colour_of(enum status_verdict v)
{
	switch (v) {
	case STATUS_FAILING:
		return "red";
	case STATUS_BEHIND:
		return "yellow";
	case STATUS_IN_SYNC:
		return "green";
	default:
		return NULL;
	}
}

static const char *number(char buf[CLI_TEXT], uint64_t v)
{
	snprintf(buf, CLI_TEXT, "%" PRIu64, v);
	return buf;
}

/* What keeps a mapping from being in sync, and where it says more. */
static void print_reasons_of(const struct status *s)
{
	uint64_t failed = s->figures[STATUS_FAILED], held = s->figures[STATUS_DELETES_HELD];

	if (s->last_error && s->last_error[0]) {
		printf("\n%s: last error: ", s->name);
		cli_put_safe(stdout, s->last_error);
		fputc('\n', stdout);
	} else if (!s->last_error && s->verdict == STATUS_FAILING) {
		printf("\n%s: only root may read why\n", s->name);
	}
	if (failed)
		printf("\n%s: %" PRIu64 " failed; journalctl -u azure-storage-uploader names them\n",
		       s->name, failed);
	if (held)
		printf("\n%s: %" PRIu64 " deletions of blobs are held, see delete_limit in "
		       "azure-storage.conf(5)\n", s->name, held);
}

static void print_reasons(const struct status *list, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		print_reasons_of(&list[i]);
}

void status_print_table(const struct status *list, size_t nr)
{
	static const struct cli_column columns[] = {
		{ "NAME", false }, { "STATUS", false }, { "STATE", false }, { "PENDING", true },
		{ "BACKLOG", true }, { "FAILED", true }, { "UPLOADED", true }, { "BYTES", true },
		{ "LAST SUCCESS", false }, { "PATH", false },
	};
	const size_t nr_columns = sizeof(columns) / sizeof(columns[0]);
	struct cli_table *t;
	int64_t now = time(NULL);

	if (nr == 0) {
		puts("There is no mapping. " CLI_NAME " add makes one.");
		return;
	}
	t = cli_table_new(columns, nr_columns);
	for (size_t i = 0; t && i < nr; i++) {
		const struct status *s = &list[i];
		char pending[CLI_TEXT], backlog[CLI_TEXT], failed[CLI_TEXT], files[CLI_TEXT];
		char bytes[CLI_TEXT], ago[CLI_TEXT];
		const char *cells[] = {
			s->name, status_verdict_name(s->verdict), s->state,
			number(pending, s->figures[STATUS_PENDING] + s->figures[STATUS_IN_FLIGHT]),
			number(backlog, s->figures[STATUS_BACKLOG_FILES]),
			number(failed, s->figures[STATUS_FAILED]),
			number(files, s->figures[STATUS_UPLOADED_FILES]),
			cli_bytes(bytes, s->figures[STATUS_UPLOADED_BYTES]),
			cli_ago(ago, (int64_t)s->figures[STATUS_LAST_SUCCESS_S], now),
			s->path,
		};

		if (cli_table_add(t, cells, colour_of(s->verdict)))
			break;
	}
	if (t)
		cli_table_print(t);
	cli_table_free(t);
	print_reasons(list, nr);
}

void status_print_one(const struct status *s)
{
	char text[CLI_TEXT];

	printf("%-18s %s (%s)\n", s->name, status_verdict_name(s->verdict), s->state);
	printf("%-18s ", "path");
	cli_put_safe(stdout, s->path);
	fputc('\n', stdout);
	for (int i = 0; i < STATUS_NR_FIGURES; i++) {
		const char *field = status_figure_field(i);

		if (i == STATUS_LAST_SUCCESS_S)
			printf("%-18s %s\n", "last success",
			       cli_ago(text, (int64_t)s->figures[i], time(NULL)));
		else
			printf("%-18s %" PRIu64 "\n", field, s->figures[i]);
	}
	print_reasons(s, 1);
}

static struct json_object *to_json(const struct status *s)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	json_object_object_add(o, "name", json_object_new_string(s->name));
	json_object_object_add(o, "verdict",
			       json_object_new_string(status_verdict_name(s->verdict)));
	json_object_object_add(o, "state", json_object_new_string(s->state));
	json_object_object_add(o, "path", json_object_new_string(s->path));
	if (s->last_error)
		json_object_object_add(o, "last_error", json_object_new_string(s->last_error));
	for (int i = 0; i < STATUS_NR_FIGURES; i++)
		json_object_object_add(o, status_figure_field(i),
				       json_object_new_uint64(s->figures[i]));
	return o;
}

int status_print_json(const struct status *list, size_t nr, enum status_verdict whole,
		      bool uploader)
{
	struct json_object *top = json_object_new_object();
	struct json_object *mappings = json_object_new_array();

	if (!top || !mappings) {
		json_object_put(top);
		json_object_put(mappings);
		return -ENOMEM;
	}
	for (size_t i = 0; i < nr; i++)
		json_object_array_add(mappings, to_json(&list[i]));
	json_object_object_add(top, "version", json_object_new_int(CLI_JSON_VERSION));
	json_object_object_add(top, "verdict", json_object_new_string(status_verdict_name(whole)));
	json_object_object_add(top, "uploader", json_object_new_boolean(uploader));
	json_object_object_add(top, "mappings", mappings);
	puts(json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(top);
	return 0;
}
