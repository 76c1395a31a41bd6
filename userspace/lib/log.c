/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *log_program = "azure-storage";
static enum log_level log_max = LOG_LEVEL_INFO;
static bool log_to_journal;

static const struct {
	enum log_level level;
	const char *name;
} log_names[] = {
	{ LOG_LEVEL_ERROR, "error" },
	{ LOG_LEVEL_WARNING, "warning" },
	{ LOG_LEVEL_NOTICE, "notice" },
	{ LOG_LEVEL_INFO, "info" },
	{ LOG_LEVEL_DEBUG, "debug" },
};

#define NR_LEVELS (sizeof(log_names) / sizeof(log_names[0]))

/* Whether stderr still is the stream that systemd set up, see systemd.exec(5). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_init(const char *program, enum log_level max_level)
{
	log_program = program;
	log_max = max_level;
	log_to_journal = stderr_is_journal();
}

int log_level_parse(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < NR_LEVELS; i++) {
		if (strcmp(name, log_names[i].name) == 0) {
			*level = log_names[i].level;
			return 0;
		}
	}
	return -EINVAL;
}

bool log_is_on(enum log_level level)
{
	return level <= log_max;
}

static const char *level_name(enum log_level level)
{
	for (size_t i = 0; i < NR_LEVELS; i++)
		if (log_names[i].level == level)
			return log_names[i].name;
	return "log";
}

/* Copies `text` into out[size], control characters as \xNN; returns the bytes written. */
static size_t escape(char *out, size_t size, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p >= 0x20 && *p != 0x7f) {
			if (n + 1 > size)
				break;
			out[n++] = (char)*p;
		} else {
			if (n + 4 > size)
				break;
			out[n++] = '\\';
			out[n++] = 'x';
			out[n++] = hex[*p >> 4];
			out[n++] = hex[*p & 15];
		}
	}
	return n;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[LOG_LINE_MAX], line[LOG_LINE_MAX];
	int saved_errno = errno;
	va_list args;
	size_t n;
	int len;

	if (!log_is_on(level))
		return;
	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len < 0)
		strcpy(text, "(a message that cannot be formatted)");

	if (log_to_journal)
		len = snprintf(line, sizeof(line), "<%d>", (int)level);
	else
		len = snprintf(line, sizeof(line), "%.64s: %s: ", log_program, level_name(level));
	n = (size_t)len + escape(line + len, sizeof(line) - (size_t)len - 1, text);
	line[n++] = '\n';
	/* Nobody is left to tell when this fails. */
	while (write(STDERR_FILENO, line, n) < 0 && errno == EINTR)
		;
	errno = saved_errno;
}
