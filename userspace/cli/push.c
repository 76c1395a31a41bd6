/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "azure/target.h"
#include "cli/cli.h"
#include "cli/push_url.h"
#include "engine/engine.h"

struct options {
	const char *path;
	const char *url;
	const char *credential;		/* a file; NULL: the environment */
	const char *state;
	const char *proxy;		/* of the settings, what is the target's */
	const char *ca_file;
	struct kdev_attr *attrs;
	size_t nr_attrs;
	bool quiet;
};

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

/* The policy that has a meaning without the module; another name is a mistake. */
static const char *const push_attrs[] = {
	"access_tier", "include", "exclude", "on_delete", "on_conflict", "on_archived", "symlinks",
	"delete_limit",
};

static bool is_push_attr(const char *name)
{
	for (size_t i = 0; i < sizeof(push_attrs) / sizeof(push_attrs[0]); i++)
		if (strcmp(push_attrs[i], name) == 0)
			return true;
	return false;
}

static void take_setting(struct options *o, char *arg, struct argp_state *state)
{
	char *name, *value;

	if (!cli_split_setting(arg, &name, &value))
		argp_error(state, "'%s' is not ATTR=VALUE", arg);
	else if (strcmp(name, "proxy") == 0)
		o->proxy = value;
	else if (strcmp(name, "ca_file") == 0)
		o->ca_file = value;
	else if (!is_push_attr(name))
		argp_error(state, "push knows no attribute '%s'", name);
	else
		o->attrs[o->nr_attrs++] = (struct kdev_attr){ .name = name, .value = value };
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'c':
		o->credential = arg;
		return 0;
	case 's':
		o->state = arg;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!o->path)
			o->path = arg;
		else if (!o->url)
			o->url = arg;
		else
			take_setting(o, arg, state);
		return 0;
	case ARGP_KEY_END:
		if (!o->url)
			argp_error(state, "PATH and URL are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_list[] = {
	{ "credential", 'c', "FILE", 0, "Lines of KEY=value, as in credentials.d", 0 },
	{ "state", 's', "FILE", 0, "Database of what was uploaded", 0 },
	{ "quiet", 'q', NULL, 0, "No progress", 0 },
	{ 0 },
};

static void on_progress(void *arg, const struct push_progress *p)
{
	char done[CLI_TEXT], total[CLI_TEXT];

	(void)arg;
	fprintf(stderr, "\r\033[K%" PRIu64 " of %" PRIu64 "%s files, %s of %s", p->files_done,
		p->files_seen, p->scan_complete ? "" : "+", cli_bytes(done, p->bytes_done),
		cli_bytes(total, p->bytes_total));
	if (p->failed)
		fprintf(stderr, ", %" PRIu64 " failed", p->failed);
}

static void on_failure(void *arg, const char *path, const char *message)
{
	const bool *terminal = arg;

	if (*terminal)
		fputs("\r\033[K", stderr);
	cli_fail_text("%s: %s", path, message);
}

static struct azure_target *make_target(const struct options *o, const struct push_url *u)
{
	struct azure_target_config config = {
		.account = u->account,
		.container = u->container,
		.endpoint = u->endpoint,
		.proxy = o->proxy,
		.ca_file = o->ca_file,
	};
	struct azure_target *target = NULL;
	struct azure_error err = { 0 };

	config.credential = o->credential ? azure_credential_load_file(o->credential, &err)
					  : azure_credential_from_environment(&err);
	if (config.credential)
		target = azure_target_create(&config, &err);
	azure_credential_put(config.credential);
	if (!target)
		cli_fail_text("%s", err.message);
	return target;
}

static int push(const struct options *o, const struct push_url *u, struct azure_target *target)
{
	bool terminal = isatty(STDERR_FILENO) && !o->quiet;
	struct push_options options = {
		.path = o->path,
		.target = target,
		.prefix = u->prefix,
		.state_path = o->state,
		.attrs = o->attrs,
		.nr_attrs = o->nr_attrs,
		.on_progress = terminal ? on_progress : NULL,
		.on_failure = on_failure,
		.arg = &terminal,
		.stop = &stop,
	};
	struct push_progress result = { 0 };
	struct error e = { 0 };
	char text[CLI_TEXT];
	int err = engine_push(&options, &result, &e);

	if (terminal)
		fputs("\r\033[K", stderr);
	if (!o->quiet)
		printf("%" PRIu64 " files, %" PRIu64 " uploaded (%s), %" PRIu64 " deleted, %" PRIu64
		       " failed\n", result.files_seen, result.uploaded,
		       cli_bytes(text, result.bytes_done), result.deleted, result.failed);
	if (!err)
		return CLI_DONE;
	if (err == -EINTR) {
		cli_fail_text("stopped; the same command goes on where this one ended");
		return CLI_REMAINS;
	}
	return cli_fail(&e);
}

int cmd_push(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.args_doc = "PATH URL [ATTR=VALUE...]",
		.doc = "Upload what differs in the folder PATH to URL, "
		       "https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX], without the "
		       "module.\vThe credential comes from --credential or from the environment: "
		       "AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY, or "
		       "AZURE_STORAGE_CONNECTION_STRING; ALLOWED_HOSTS and ALLOW_HTTP. ATTR is access_tier, include, exclude, on_delete, on_conflict, "
		       "on_archived, symlinks, delete_limit, proxy or ca_file, as in "
		       "azure-storage.conf(5).",
	};
	struct options o = { .attrs = calloc((size_t)argc, sizeof(*o.attrs)) };
	const struct sigaction action = { .sa_handler = on_signal };
	struct azure_target *target = NULL;
	struct push_url url = { 0 };
	int code = CLI_USAGE;
	struct error e;

	if (!o.attrs)
		return cli_fail_text("not enough memory");
	if (argp_parse(&argp, argc, argv, 0, NULL, &o))
		goto out;
	if (push_url_parse(&url, o.url, &e)) {
		cli_fail(&e);
		goto out;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	target = make_target(&o, &url);
	code = target ? push(&o, &url, target) : CLI_FAILED;
out:
	azure_target_put(target);
	push_url_free(&url);
	free(o.attrs);
	return code;
}
