/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* azure-storage-uploader: the process around the engine. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/log.h"

struct options {
	const char *device;
	const char *state_dir;
	const char *credentials_dir;
	const char *config;
	const char *user;		/* NULL: stay who we are */
	bool allow_root;
	enum log_level level;
};

/* [uploader] of the configuration file. */
struct settings {
	uint32_t delete_delay_ms;
	unsigned int max_requests;
	uint64_t buffer_bytes;
};

/* Says what is wrong and exits with 2 itself. */
void options_parse(struct options *options, int argc, char **argv);
/* Without the file: the defaults. */
int settings_load(struct settings *settings, const struct options *options, struct error *e)
	__attribute__((warn_unused_result));

/* Becomes options->user, and sees to it that secrets do not reach a core dump or a debugger. */
int confine(const struct options *options, struct error *e) __attribute__((warn_unused_result));

/* Serves the device until a signal. The exit code. */
int serve(const struct options *options, const struct settings *settings);

#endif /* DAEMON_DAEMON_H */
