/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "lib/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What `data` points at while nothing is allocated; never written to. */
static char buf_nothing[1];

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .data = buf_nothing, .max = max };
}

void buf_free(struct buf *b)
{
	if (b->size)
		free(b->data);
	buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->err = 0;
	if (b->size)
		b->data[0] = '\0';
}

void buf_truncate(struct buf *b, size_t len)
{
	if (len >= b->len)
		return;
	b->len = len;
	b->data[len] = '\0';
}

int buf_reserve(struct buf *b, size_t more)
{
	size_t need, size;
	char *data;

	if (b->err)
		return b->err;
	if (more > b->max - b->len)
		return b->err = -E2BIG;
	if (__builtin_add_overflow(b->len, more, &need) || __builtin_add_overflow(need, 1, &need))
		return b->err = -E2BIG;
	if (need <= b->size)
		return 0;
	/* Doubling keeps the copying linear; the bound keeps it honest. */
	size = b->size > (size_t)-1 / 2 ? need : b->size * 2;
	if (size < need)
		size = need;
	if (size < 64)
		size = 64;
	data = realloc(b->size ? b->data : NULL, size);
	if (!data)
		return b->err = -ENOMEM;
	if (!b->size)
		data[0] = '\0';
	b->data = data;
	b->size = size;
	return 0;
}

int buf_add(struct buf *b, const void *data, size_t len)
{
	int err = buf_reserve(b, len);

	if (err)
		return err;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	int len, err;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		return b->err ? b->err : (b->err = -EINVAL);
	err = buf_reserve(b, (size_t)len);
	if (err)
		return err;
	va_start(args, fmt);
	vsnprintf(b->data + b->len, (size_t)len + 1, fmt, args);
	va_end(args);
	b->len += (size_t)len;
	return 0;
}

ssize_t buf_read_fd(struct buf *b, int fd, size_t want)
{
	ssize_t n;
	int err = buf_reserve(b, want);

	if (err)
		return err;
	do
		n = read(fd, b->data + b->len, want);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	b->len += (size_t)n;
	b->data[b->len] = '\0';
	return n;
}

char *buf_steal(struct buf *b)
{
	char *data;

	if (buf_reserve(b, 0))
		return NULL;
	data = b->data;
	buf_init(b, b->max);
	return data;
}
