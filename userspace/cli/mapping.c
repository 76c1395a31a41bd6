/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* add, enable, disable, remove. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/configfs.h"

struct options {
	const char *name;
	char **settings;		/* "attr=value", the rest of the command line */
	int nr_settings;
	bool enable;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'e':
		o->enable = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!o->name) {
			o->name = arg;
			return 0;
		}
		if (!strchr(arg, '=') || arg[0] == '=')
			argp_error(state, "'%s' is not ATTR=VALUE", arg);
		o->settings[o->nr_settings++] = arg;
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
	{ "enable", 'e', NULL, 0, "Start it as well", 0 },
	{ 0 },
};

static int configure(const struct options *o, struct error *e)
{
	int err = 0;

	for (int i = 0; !err && i < o->nr_settings; i++) {
		char *attr, *value;

		/* parse() has seen to the '='. */
		if (cli_split_setting(o->settings[i], &attr, &value))
			err = configfs_write(o->name, attr, value, e);
	}
	if (!err && o->enable)
		err = configfs_write(o->name, "enable", "1", e);
	return err;
}

int cmd_add(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.args_doc = "NAME ATTR=VALUE...",
		.doc = "Make a mapping. It needs path=, account= and container=; the other "
		       "attributes are in azure-storage.conf(5). If anything is refused, nothing "
		       "remains.\vA mapping made by hand is lost at reboot: "
		       "/etc/azure-storage/azure-storage.conf keeps those that shall stay.",
	};
	struct options o = { .settings = calloc((size_t)argc, sizeof(char *)) };
	struct error e, ignored;
	int err;

	if (!o.settings)
		return cli_fail_text("not enough memory");
	if (argp_parse(&argp, argc, argv, 0, NULL, &o)) {
		free(o.settings);
		return CLI_USAGE;
	}
	err = configfs_create(o.name, &e);
	if (!err) {
		err = configure(&o, &e);
		if (err)
			configfs_remove(o.name, &ignored);
	}
	free(o.settings);
	return err ? cli_fail(&e) : CLI_DONE;
}

int cmd_enable(int argc, char **argv)
{
	const char *name = cli_one_name(argc, argv, "Start uploading: first the whole folder, then "
						    "what changes.");
	struct error e;

	if (!name)
		return CLI_USAGE;
	return configfs_write(name, "enable", "1", &e) ? cli_fail(&e) : CLI_DONE;
}

int cmd_disable(int argc, char **argv)
{
	const char *name = cli_one_name(argc, argv, "Stop uploading, and wait until all that was "
						    "handed out is given back. Changes made while a "
						    "mapping is disabled are found when it is "
						    "enabled again.");
	struct error e;

	if (!name)
		return CLI_USAGE;
	return cli_disable(name, &e) ? cli_fail(&e) : CLI_DONE;
}

int cmd_remove(int argc, char **argv)
{
	const char *name = cli_one_name(argc, argv, "Forget a mapping, which must be disabled. "
						    "Files and blobs stay as they are.");
	struct error e;

	if (!name)
		return CLI_USAGE;
	return configfs_remove(name, &e) ? cli_fail(&e) : CLI_DONE;
}
