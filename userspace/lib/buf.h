/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A buffer that grows up to a bound its owner names.
 *
 * The first failure sticks: later additions do nothing and return the same error, so
 * that a caller may add many pieces and look once. `data` always ends with a NUL that
 * `len` does not count; it is never NULL.
 */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stddef.h>
#include <sys/types.h>

struct buf {
	char *data;
	size_t len;		/* bytes in use */
	size_t size;		/* bytes allocated; 0: data is not ours */
	size_t max;		/* len never exceeds it */
	int err;		/* -ENOMEM, -E2BIG; 0 */
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);
/* Empty again and without error; keeps the memory. */
void buf_reset(struct buf *b);
/* Keeps the first `len` bytes; does nothing if there are no more. */
void buf_truncate(struct buf *b, size_t len);

/* 0, or -E2BIG beyond the bound, or -ENOMEM; then nothing was added. */
int buf_reserve(struct buf *b, size_t more);
int buf_add(struct buf *b, const void *data, size_t len);
int buf_add_str(struct buf *b, const char *s);
int buf_add_char(struct buf *b, char c);
__attribute__((format(printf, 2, 3)))
int buf_printf(struct buf *b, const char *fmt, ...);

/* One read(2) of at most `want` bytes appended: how many, 0 at the end, or a negative
 * errno. EINTR is retried. */
ssize_t buf_read_fd(struct buf *b, int fd, size_t want);

/* The content as a string of malloc(3), or NULL with the error in `err`; empties b. */
char *buf_steal(struct buf *b);

#endif /* LIB_BUF_H */
