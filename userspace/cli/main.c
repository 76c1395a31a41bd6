/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "cli/cli.h"

#include <argp.h>
#include <locale.h>
#include <string.h>

#include "lib/log.h"
#include "lib/version.h"

struct command {
	const char *name;
	const char *args;
	const char *help;
	int (*run)(int argc, char **argv);
};

static int cmd_help(int argc, char **argv);

static const struct command commands[] = {
	{ "status", "[NAME] [--json]", "how far behind the cloud is", cmd_status },
	{ "list", "[--json]", "the mappings and where they go", cmd_list },
	{ "add", "NAME ATTR=VALUE... [--enable]", "make a mapping", cmd_add },
	{ "enable", "NAME", "start uploading", cmd_enable },
	{ "disable", "NAME", "stop, and wait until all is given back", cmd_disable },
	{ "remove", "NAME", "forget a mapping; blobs and files stay", cmd_remove },
	{ "flush", "NAME [--timeout=S]", "wait until what changed until now is uploaded",
	  cmd_flush },
	{ "apply", "[FILE] [--dry-run] [--prune]", "make the mappings match the configuration file",
	  cmd_apply },
	{ "push", "PATH URL [ATTR=VALUE...]", "upload a folder once, without the module",
	  cmd_push },
	{ "version", "", "versions of this program, the module and their protocol", cmd_version },
	{ "help", "", "this list", cmd_help },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_commands(FILE *f)
{
	fputs("Usage: " CLI_NAME " COMMAND [ARGUMENT...]\n\n", f);
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(f, "  %-8s %-30s %s\n", commands[i].name, commands[i].args,
			commands[i].help);
	fputs("\n" CLI_NAME " COMMAND --help says more. Exit status: 0 done, 1 failed, 2 wrong "
	      "usage,\n3 something remains to be done. See azure-storagectl(8).\n", f);
}

static int cmd_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	print_commands(stdout);
	return CLI_DONE;
}

static const struct command *find(const char *name)
{
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	else if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct command *c;
	char title[64];
	int status;

	setlocale(LC_ALL, "");
	argp_err_exit_status = CLI_USAGE;
	log_init(CLI_NAME, LOG_LEVEL_WARNING);
	if (argc < 2) {
		print_commands(stderr);
		return CLI_USAGE;
	}
	c = find(argv[1]);
	if (!c) {
		cli_fail_text("there is no command '%s'; '" CLI_NAME " help' lists them", argv[1]);
		return CLI_USAGE;
	}
	snprintf(title, sizeof(title), CLI_NAME " %s", c->name);
	argv[1] = title;
	status = c->run(argc - 1, argv + 1);
	/* An answer that could not be written is none. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		cli_fail_text("cannot write the output");
		return CLI_FAILED;
	}
	return status;
}
