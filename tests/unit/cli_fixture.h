/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* configfs and sysfs played by plain files, and commands run against them. */
#ifndef TESTS_CLI_FIXTURE_H
#define TESTS_CLI_FIXTURE_H

#include "unit.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/configfs.h"
#include "lib/sysfs.h"

static char fixture_root[64];
static char fixture_configfs[80], fixture_sysfs[80], fixture_module[80];
static char fixture_out[16384], fixture_err[16384];

/* PATH is below the root: "configfs/NAME/ATTR", "sysfs/NAME/ATTR", "module/ATTR". */
static inline void fixture_put(const char *path, const char *text)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", fixture_root, path);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static inline void fixture_get(const char *path, char text[4096])
{
	char full[256];
	size_t n;
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", fixture_root, path);
	f = fopen(full, "r");
	assert_non_null(f);
	n = fread(text, 1, 4095, f);
	text[n] = '\0';
	fclose(f);
}

static inline void fixture_assert(const char *path, const char *text)
{
	char is[4096];

	fixture_get(path, is);
	assert_string_equal(is, text);
}

static inline void fixture_mkdir(const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s/%s", fixture_root, path);
	assert_int_equal(mkdir(full, 0755), 0);
}

static inline int fixture_setup(void **state)
{
	(void)state;
	strcpy(fixture_root, "/tmp/cli_test.XXXXXX");
	if (!mkdtemp(fixture_root))
		return -1;
	snprintf(fixture_configfs, sizeof(fixture_configfs), "%s/configfs", fixture_root);
	snprintf(fixture_sysfs, sizeof(fixture_sysfs), "%s/sysfs", fixture_root);
	snprintf(fixture_module, sizeof(fixture_module), "%s/module", fixture_root);
	fixture_mkdir("configfs");
	fixture_mkdir("sysfs");
	fixture_mkdir("module");
	fixture_put("module/uploader_pid", "42\n");
	fixture_put("module/abi_version", "1\n");
	configfs_set_root(fixture_configfs);
	sysfs_set_root(fixture_sysfs);
	sysfs_set_module_root(fixture_module);
	return 0;
}

static inline int fixture_teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", fixture_root);
	return system(command);
}

/* A mapping with nothing to do. */
static inline void fixture_mapping(const char *name, const char *state)
{
	static const char *const attrs[] = {
		"path", "account", "container", "prefix", "endpoint", "credential", "last_error",
	};
	static const char *const figures[] = {
		"pending", "in_flight", "open_writers", "backlog_files", "backlog_bytes", "failed",
		"deletes_held", "oldest_pending_ms", "last_success_s", "flush", "flushed",
		"stats/uploaded_files", "stats/uploaded_bytes", "stats/deleted_blobs",
	};
	char path[128], text[64];

	snprintf(path, sizeof(path), "configfs/%s", name);
	fixture_mkdir(path);
	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		snprintf(path, sizeof(path), "configfs/%s/%s", name, attrs[i]);
		fixture_put(path, "\n");
	}
	snprintf(path, sizeof(path), "configfs/%s/enable", name);
	fixture_put(path, strcmp(state, "disabled") == 0 ? "0\n" : "1\n");
	snprintf(path, sizeof(path), "sysfs/%s", name);
	fixture_mkdir(path);
	snprintf(path, sizeof(path), "sysfs/%s/stats", name);
	fixture_mkdir(path);
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		snprintf(path, sizeof(path), "sysfs/%s/%s", name, figures[i]);
		fixture_put(path, "0\n");
	}
	snprintf(path, sizeof(path), "sysfs/%s/path", name);
	snprintf(text, sizeof(text), "/srv/%s\n", name);
	fixture_put(path, text);
	snprintf(path, sizeof(path), "sysfs/%s/state", name);
	snprintf(text, sizeof(text), "%s\n", state);
	fixture_put(path, text);
	snprintf(path, sizeof(path), "sysfs/%s/last_error", name);
	fixture_put(path, "\n");
}

static inline void fixture_read_back(const char *file, char *out, size_t size)
{
	char path[128];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", fixture_root, file);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	fclose(f);
}

/* Runs a command with arguments up to NULL; its output is in fixture_out and fixture_err. */
static inline int fixture_run(int (*command)(int, char **), ...)
{
	char path[128], *argv[16], *arg;
	int saved_out = dup(1), saved_err = dup(2), fd, code, argc = 0;
	va_list args;

	argv[argc++] = strdup("azure-storagectl test");
	va_start(args, command);
	while ((arg = va_arg(args, char *)) && argc < 15)
		argv[argc++] = strdup(arg);
	va_end(args);
	argv[argc] = NULL;

	fflush(stdout);
	snprintf(path, sizeof(path), "%s/out", fixture_root);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	dup2(fd, 1);
	close(fd);
	snprintf(path, sizeof(path), "%s/err", fixture_root);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	dup2(fd, 2);
	close(fd);
	code = command(argc, argv);
	fflush(stdout);
	fflush(stderr);
	dup2(saved_out, 1);
	dup2(saved_err, 2);
	close(saved_out);
	close(saved_err);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	fixture_read_back("out", fixture_out, sizeof(fixture_out));
	fixture_read_back("err", fixture_err, sizeof(fixture_err));
	return code;
}

#define assert_says(text, part)						\
	do {								\
		if (!strstr(text, part))				\
			fail_msg("'%s' does not say '%s'", text, part);	\
	} while (0)

#endif /* TESTS_CLI_FIXTURE_H */
