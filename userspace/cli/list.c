/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <argp.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/configfs.h"

/* What list shows of a mapping, by attribute. */
static const char *const shown[] = {
	"enable", "path", "account", "container", "prefix", "endpoint", "credential",
};

#define NR_SHOWN (sizeof(shown) / sizeof(shown[0]))

struct row {
	const char *name;
	char *values[NR_SHOWN];
};

static int row_read(struct row *r, const char *name, struct error *e)
{
	int err = 0;

	*r = (struct row){ .name = name };
	for (size_t i = 0; !err && i < NR_SHOWN; i++)
		err = configfs_read(name, shown[i], &r->values[i], e);
	return err;
}

static void row_free(struct row *r)
{
	for (size_t i = 0; i < NR_SHOWN; i++)
		free(r->values[i]);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;

	(void)arg;
	if (key == 'j') {
		*json = true;
		return 0;
	}
	if (key == ARGP_KEY_ARG)
		argp_error(state, "no arguments, please");
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option option_list[] = {
	{ "json", 'j', NULL, 0, "For programs", 0 },
	{ 0 },
};

static int print_table(const struct row *rows, size_t nr)
{
	static const struct cli_column columns[] = {
		{ "NAME", false }, { "ENABLED", false }, { "PATH", false }, { "ACCOUNT", false },
		{ "CONTAINER", false }, { "PREFIX", false }, { "ENDPOINT", false },
		{ "CREDENTIAL", false },
	};
	struct cli_table *t = cli_table_new(columns, NR_SHOWN + 1);
	int err = t ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < nr; i++) {
		const char *cells[NR_SHOWN + 1] = { rows[i].name };

		for (size_t j = 0; j < NR_SHOWN; j++)
			cells[j + 1] = rows[i].values[j];
		cells[1] = strcmp(cells[1], "1") == 0 ? "yes" : "no";
		err = cli_table_add(t, cells, NULL);
	}
	if (!err && nr > 0)
		err = cli_table_print(t);
	cli_table_free(t);
	return err;
}

static int print_json(const struct row *rows, size_t nr)
{
	struct json_object *top = json_object_new_object();
	struct json_object *mappings = json_object_new_array();

	if (!top || !mappings) {
		json_object_put(top);
		json_object_put(mappings);
		return -ENOMEM;
	}
	for (size_t i = 0; i < nr; i++) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "name", json_object_new_string(rows[i].name));
		json_object_object_add(o, "enabled",
				       json_object_new_boolean(rows[i].values[0][0] == '1'));
		for (size_t j = 1; j < NR_SHOWN; j++)
			json_object_object_add(o, shown[j],
					       json_object_new_string(rows[i].values[j]));
		json_object_array_add(mappings, o);
	}
	json_object_object_add(top, "version", json_object_new_int(CLI_JSON_VERSION));
	json_object_object_add(top, "mappings", mappings);
	puts(json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(top);
	return 0;
}

int cmd_list(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.doc = "The mappings and where they go.",
	};
	struct row *rows = NULL;
	char **names = NULL;
	size_t nr_names = 0, nr = 0;
	bool json = false;
	struct error e;
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &json))
		return CLI_USAGE;
	err = configfs_list(&names, &nr_names, &e);
	if (err)
		return cli_fail(&e);
	rows = calloc(nr_names + 1, sizeof(*rows));
	if (!rows)
		err = error_set_errno(&e, -ENOMEM, "list");
	for (size_t i = 0; !err && i < nr_names; i++) {
		err = row_read(&rows[nr], names[i], &e);
		if (!err) {
			nr++;
			continue;
		}
		row_free(&rows[nr]);
		/* It vanished meanwhile. */
		if (err == -ENOENT && !configfs_exists(names[i]))
			err = 0;
	}
	if (!err && (json ? print_json(rows, nr) : print_table(rows, nr)))
		err = error_set_errno(&e, -ENOMEM, "list");
	for (size_t i = 0; i < nr; i++)
		row_free(&rows[i]);
	free(rows);
	configfs_list_free(names, nr_names);
	return err ? cli_fail(&e) : CLI_DONE;
}
