/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "lib/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 0)))
static void error_vset(struct error *e, const char *fmt, va_list args)
{
	if (vsnprintf(e->message, sizeof(e->message), fmt, args) < 0)
		strcpy(e->message, "(a message that cannot be formatted)");
}

int error_set(struct error *e, int err, const char *fmt, ...)
{
	va_list args;

	if (!e)
		return err;
	e->err = err;
	va_start(args, fmt);
	error_vset(e, fmt, args);
	va_end(args);
	return err;
}

int error_set_errno(struct error *e, int err, const char *fmt, ...)
{
	va_list args;
	size_t len;

	if (!e)
		return err;
	e->err = err;
	va_start(args, fmt);
	error_vset(e, fmt, args);
	va_end(args);
	len = strlen(e->message);
	snprintf(e->message + len, sizeof(e->message) - len, ": %s", strerror(-err));
	return err;
}

void error_prefix(struct error *e, const char *fmt, ...)
{
	char was[sizeof(e->message)];
	va_list args;
	size_t len;

	if (!e)
		return;
	memcpy(was, e->message, sizeof(was));
	va_start(args, fmt);
	error_vset(e, fmt, args);
	va_end(args);
	len = strlen(e->message);
	snprintf(e->message + len, sizeof(e->message) - len, ": %s", was);
}

void error_clear(struct error *e)
{
	if (!e)
		return;
	e->err = 0;
	e->message[0] = '\0';
}
