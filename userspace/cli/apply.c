/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * apply: configfs made to match the configuration file. Each mapping stands for itself:
 * one that is refused, or whose folder is missing, keeps no other from coming up.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/config.h"
#include "lib/configfs.h"

struct options {
	const char *file;
	const char *only;		/* one mapping; NULL: all */
	bool dry_run;
	bool prune;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'n':
		o->dry_run = true;
		return 0;
	case 'p':
		o->prune = true;
		return 0;
	case 'm':
		o->only = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "one FILE only");
		o->file = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_list[] = {
	{ "dry-run", 'n', NULL, 0, "Say what would be done, and do nothing", 0 },
	{ "prune", 'p', NULL, 0, "Disable and remove mappings that are not in the file", 0 },
	{ "mapping", 'm', "NAME", 0, "Look at this mapping only", 0 },
	{ 0 },
};

/* What one mapping shall be: names and values of the file, own before [defaults]. */
struct wish {
	const char *name;
	const struct config_value **values;
	size_t nr;
	bool enable;
};

static int wish_add(struct wish *w, const struct config_value *v, struct error *e)
{
	if (strcmp(v->name, "enable") != 0) {
		w->values[w->nr++] = v;
		return 0;
	}
	if (strcmp(v->value, "0") != 0 && strcmp(v->value, "1") != 0)
		return error_set(e, -EINVAL, "%s: line %d: enable is 0 or 1", w->name, v->line);
	w->enable = v->value[0] == '1';
	return 0;
}

static int wish_make(struct wish *w, const struct config *c, const struct config_section *s,
		     struct error *e)
{
	int err = 0;

	*w = (struct wish){ .name = s->name, .enable = true };
	w->values = calloc(s->nr + c->defaults.nr + 1, sizeof(*w->values));
	if (!w->values)
		return error_set_errno(e, -ENOMEM, "%s", s->name);
	for (size_t i = 0; !err && i < c->defaults.nr; i++)
		if (!config_get(s, c->defaults.values[i].name))
			err = wish_add(w, &c->defaults.values[i], e);
	for (size_t i = 0; !err && i < s->nr; i++)
		err = wish_add(w, &s->values[i], e);
	return err;
}

static int is_enabled(const char *name, bool *enabled, struct error *e)
{
	char *value;
	int err = configfs_read(name, "enable", &value, e);

	if (err)
		return err;
	*enabled = value[0] == '1';
	free(value);
	return 0;
}

/* Writes what differs, switching the mapping off before the first such write. */
static int write_one(const struct wish *w, const struct config_value *v, bool dry_run,
		     bool *enabled, struct error *e)
{
	char *now;
	bool same;
	int err = configfs_read(w->name, v->name, &now, e);

	if (err) {
		error_prefix(e, "line %d", v->line);
		return err;
	}
	same = strcmp(now, v->value) == 0;
	free(now);
	if (same)
		return 0;
	printf("%s: %s = ", w->name, v->name);
	cli_put_safe(stdout, v->value);
	fputc('\n', stdout);
	if (dry_run)
		return 0;
	if (*enabled) {
		err = cli_disable(w->name, e);
		if (err)
			return err;
		*enabled = false;
	}
	err = configfs_write(w->name, v->name, v->value, e);
	if (err)
		error_prefix(e, "line %d", v->line);
	return err;
}

static int set_enabled(const struct wish *w, bool enabled, bool dry_run, struct error *e)
{
	if (enabled == w->enable)
		return 0;
	printf("%s: %s\n", w->name, w->enable ? "enable" : "disable");
	if (dry_run)
		return 0;
	return w->enable ? configfs_write(w->name, "enable", "1", e) : cli_disable(w->name, e);
}

static int create(const struct wish *w, bool dry_run, struct error *e)
{
	printf("%s: add\n", w->name);
	if (!dry_run)
		return configfs_create(w->name, e);
	for (size_t i = 0; i < w->nr; i++) {
		printf("%s: %s = ", w->name, w->values[i]->name);
		cli_put_safe(stdout, w->values[i]->value);
		fputc('\n', stdout);
	}
	return set_enabled(w, false, dry_run, e);
}

static int apply_one(const struct wish *w, bool dry_run, struct error *e)
{
	bool enabled = false;
	int err = 0;

	if (!configfs_exists(w->name)) {
		err = create(w, dry_run, e);
		if (err || dry_run)
			return err;
	}
	err = is_enabled(w->name, &enabled, e);
	for (size_t i = 0; !err && i < w->nr; i++)
		err = write_one(w, w->values[i], dry_run, &enabled, e);
	return err ? err : set_enabled(w, enabled, dry_run, e);
}

static int remove_one(const char *name, bool dry_run, struct error *e)
{
	bool enabled;
	int err;

	printf("%s: remove\n", name);
	if (dry_run)
		return 0;
	err = is_enabled(name, &enabled, e);
	if (!err && enabled)
		err = cli_disable(name, e);
	return err ? err : configfs_remove(name, e);
}

static bool is_in_file(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nr_mappings; i++)
		if (strcmp(c->mappings[i].name, name) == 0)
			return true;
	return false;
}

static int prune(const struct config *c, bool dry_run)
{
	int code = CLI_DONE;
	struct error e;
	char **names;
	size_t nr;

	if (configfs_list(&names, &nr, &e))
		return cli_fail(&e);
	for (size_t i = 0; i < nr; i++)
		if (!is_in_file(c, names[i]) && remove_one(names[i], dry_run, &e))
			code = cli_fail(&e);
	configfs_list_free(names, nr);
	return code;
}

static int apply_all(const struct config *c, const struct options *o)
{
	int code = CLI_DONE;
	struct error e;

	for (size_t i = 0; i < c->nr_mappings; i++) {
		struct wish w;

		if (o->only && strcmp(o->only, c->mappings[i].name) != 0)
			continue;
		if (wish_make(&w, c, &c->mappings[i], &e) || apply_one(&w, o->dry_run, &e))
			code = cli_fail(&e);
		free(w.values);
	}
	return code;
}

int cmd_apply(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.args_doc = "[FILE]",
		.doc = "Make the mappings match the configuration file, by default " CONFIG_PATH ". "
		       "Says what it changes; what matches already is left alone, as are mappings "
		       "that are not in the file and attributes that the file does not name.",
	};
	struct options o = { .file = CONFIG_PATH };
	struct config *c;
	struct error e;
	int code;

	if (argp_parse(&argp, argc, argv, 0, NULL, &o))
		return CLI_USAGE;
	if (config_load(&c, o.file, &e))
		return cli_fail(&e);
	if (!configfs_is_present()) {
		config_free(c);
		return cli_fail_text("the module azure_storage is not loaded");
	}
	if (o.only && !is_in_file(c, o.only)) {
		config_free(c);
		return cli_fail_text("%s has no mapping '%s'", o.file, o.only);
	}
	code = apply_all(c, &o);
	if (o.prune && !o.only) {
		int pruned = prune(c, o.dry_run);

		code = code ? code : pruned;
	}
	config_free(c);
	return code;
}
