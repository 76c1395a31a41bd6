/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"
#include "engine/engine.h"
#include "lib/config.h"
#include "lib/kdev.h"
#include "lib/version.h"

#define STATE_DIR	"/var/lib/azure-storage"
#define CREDENTIALS_DIR	"/etc/azure-storage/credentials.d"

enum { KEY_ALLOW_ROOT = 0x100 };

static const struct argp_option option_list[] = {
	{ "device", 'd', "PATH", 0, "The module's device (" KDEV_PATH ")", 0 },
	{ "state-dir", 's', "DIR", 0,
	  "Where the state database is ($STATE_DIRECTORY, else " STATE_DIR ")", 0 },
	{ "credentials-dir", 'c', "DIR", 0,
	  "Where credentials are ($CREDENTIALS_DIRECTORY, else " CREDENTIALS_DIR ")", 0 },
	{ "config", 'f', "FILE", 0, "Configuration (" CONFIG_PATH ")", 0 },
	{ "user", 'u', "NAME", 0, "Become this user when started as root", 0 },
	{ "allow-root", KEY_ALLOW_ROOT, NULL, 0, "Run as root, which is not a good idea", 0 },
	{ "log-level", 'l', "LEVEL", 0, "error, warning, notice, info (the default), debug", 0 },
	{ "verbose", 'v', NULL, 0, "The same as --log-level=debug", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'd':
		o->device = arg;
		return 0;
	case 's':
		o->state_dir = arg;
		return 0;
	case 'c':
		o->credentials_dir = arg;
		return 0;
	case 'f':
		o->config = arg;
		return 0;
	case 'u':
		o->user = arg;
		return 0;
	case KEY_ALLOW_ROOT:
		o->allow_root = true;
		return 0;
	case 'l':
		if (log_level_parse(arg, &o->level))
			argp_error(state, "'%s' is not a level", arg);
		return 0;
	case 'v':
		o->level = LOG_LEVEL_DEBUG;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one argument too many", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_version(FILE *stream, struct argp_state *state)
{
	(void)state;
	fprintf(stream, "azure-storage-uploader %s\n", version_string);
}

static const char *first_set(const char *a, const char *b)
{
	return a && *a ? a : b;
}

void options_parse(struct options *o, int argc, char **argv)
{
	const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.doc = "Uploads what azure_storage.ko finds changed below mapped folders.",
	};

	*o = (struct options){ .device = KDEV_PATH, .config = CONFIG_PATH,
			       .level = LOG_LEVEL_INFO };
	argp_program_version_hook = print_version;
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, o);
	if (!o->state_dir)
		o->state_dir = first_set(getenv("STATE_DIRECTORY"), STATE_DIR);
	if (!o->credentials_dir)
		o->credentials_dir = first_set(getenv("CREDENTIALS_DIRECTORY"), CREDENTIALS_DIR);
}

int settings_load(struct settings *s, const struct options *o, struct error *e)
{
	unsigned long long delay = ENGINE_DELETE_DELAY_MS, requests = 0, buffer = 0;
	struct config *c;
	int r = config_load(&c, o->config, e);

	*s = (struct settings){ .delete_delay_ms = ENGINE_DELETE_DELAY_MS };
	if (r == -ENOENT)
		return 0;
	if (r)
		return r;
	r = config_get_u64(&c->uploader, "delete_delay_ms", 0, 86400000, ENGINE_DELETE_DELAY_MS,
			   &delay, e);
	if (!r)
		r = config_get_u64(&c->uploader, "max_requests", 1, 1024, 0, &requests, e);
	if (!r)
		r = config_get_u64(&c->uploader, "buffer_mib", 4, 4096, 0, &buffer, e);
	config_free(c);
	s->delete_delay_ms = (uint32_t)delay;
	s->max_requests = (unsigned int)requests;
	s->buffer_bytes = buffer << 20;
	return r;
}
