/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Log lines on stderr. Under systemd each line carries its level as `<N>`, which the
 * journal understands; on a terminal it carries the name of the level.
 *
 * A line is one write(2), whatever the thread; control characters in it are shown as
 * \xNN, so that a file name cannot forge a second line. Callers pass no secrets: there
 * is no filter that would find them.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stdbool.h>

/* The numbers are those of syslog(3). */
enum log_level {
	LOG_LEVEL_ERROR		= 3,
	LOG_LEVEL_WARNING	= 4,
	LOG_LEVEL_NOTICE	= 5,
	LOG_LEVEL_INFO		= 6,
	LOG_LEVEL_DEBUG		= 7,
};

#define LOG_LINE_MAX	4096	/* bytes; a longer line is cut */

/* Once, before there are threads. `program` stays referenced. */
void log_init(const char *program, enum log_level max_level);

/* By its name, as in a configuration file; -EINVAL if there is none such. */
int log_level_parse(const char *name, enum log_level *level);

/* For callers who would compute something only to have it logged. */
bool log_is_on(enum log_level level);

__attribute__((format(printf, 2, 3)))
void log_line(enum log_level level, const char *fmt, ...);

#define log_error(...)		log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...)	log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)		log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)		log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)							\
	do {								\
		if (log_is_on(LOG_LEVEL_DEBUG))				\
			log_line(LOG_LEVEL_DEBUG, __VA_ARGS__);		\
	} while (0)

#endif /* LIB_LOG_H */
