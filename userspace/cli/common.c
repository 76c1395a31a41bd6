/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "cli/cli.h"

#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/configfs.h"
#include "lib/sysfs.h"

#define DRAIN_MS	10000	/* twice the longest that the kernel drains */

int cli_fail(const struct error *e)
{
	return cli_fail_text("%s", e->message);
}

int cli_fail_text(const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	/* Both may go to the same place: in the order in which they were said. */
	fflush(stdout);
	fputs(CLI_NAME ": ", stderr);
	cli_put_safe(stderr, text);
	fputc('\n', stderr);
	return CLI_FAILED;
}

static error_t parse_name(int key, char *arg, struct argp_state *state)
{
	const char **name = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (*name)
			argp_error(state, "one NAME only");
		*name = arg;
		return 0;
	case ARGP_KEY_END:
		if (!*name)
			argp_error(state, "NAME of a mapping is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const char *cli_one_name(int argc, char **argv, const char *doc)
{
	const struct argp argp = { .parser = parse_name, .args_doc = "NAME", .doc = doc };
	const char *name = NULL;

	if (argp_parse(&argp, argc, argv, 0, NULL, &name))
		return NULL;
	return name;
}

bool cli_split_setting(char *arg, char **attr, char **value)
{
	char *equals = strchr(arg, '=');

	if (!equals || equals == arg)
		return false;
	*equals = '\0';
	*attr = arg;
	*value = equals + 1;
	return true;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int wait_disabled(const char *name, struct error *e)
{
	int64_t end = now_ms() + DRAIN_MS;
	struct sysfs_watch w;
	char state[32];
	int err;

	err = sysfs_watch_open(&w, name, "state", e);
	if (err)
		return err;
	for (;;) {
		int64_t left = end - now_ms();

		err = sysfs_watch_read(&w, state, sizeof(state), e);
		if (err || strcmp(state, "disabled") == 0)
			break;
		if (left <= 0) {
			err = error_set(e, -ETIMEDOUT, "%s is still %s", name, state);
			break;
		}
		err = sysfs_watch_wait(&w, (int)left, e);
		if (err < 0)
			break;
	}
	sysfs_watch_close(&w);
	return err;
}

int cli_disable(const char *name, struct error *e)
{
	int err = configfs_write(name, "enable", "0", e);

	return err ? err : wait_disabled(name, e);
}

void cli_put_safe(FILE *f, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			fprintf(f, "\\x%02x", *p);
		else
			fputc(*p, f);
	}
}

const char *cli_bytes(char buf[CLI_TEXT], uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1024 && u + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1024;
		u++;
	}
	snprintf(buf, CLI_TEXT, u == 0 || v >= 100 ? "%.0f %s" : "%.1f %s", v, units[u]);
	return buf;
}

const char *cli_ago(char buf[CLI_TEXT], int64_t then_s, int64_t now_s)
{
	int64_t s = now_s - then_s;

	if (then_s <= 0)
		return "never";
	if (s < 1)
		return "now";
	if (s < 120)
		snprintf(buf, CLI_TEXT, "%lld s ago", (long long)s);
	else if (s < 2 * 3600)
		snprintf(buf, CLI_TEXT, "%lld min ago", (long long)(s / 60));
	else if (s < 2 * 86400)
		snprintf(buf, CLI_TEXT, "%lld h ago", (long long)(s / 3600));
	else
		snprintf(buf, CLI_TEXT, "%lld days ago", (long long)(s / 86400));
	return buf;
}
