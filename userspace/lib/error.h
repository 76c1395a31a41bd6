/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What went wrong: a negative errno for the program, a sentence for the person. */
#ifndef LIB_ERROR_H
#define LIB_ERROR_H

#include <stddef.h>

struct error {
	int err;		/* negative errno; 0: no error */
	char message[512];	/* one line, no newline; cut when longer */
};

/*
 * Each returns `err`, so that `return error_set(e, -EIO, "...")` reads well. `e` may be
 * NULL where nobody wants the sentence.
 */
__attribute__((format(printf, 3, 4)))
int error_set(struct error *e, int err, const char *fmt, ...);

/* As error_set(), followed by ": " and what strerror() says of `err`. */
__attribute__((format(printf, 3, 4)))
int error_set_errno(struct error *e, int err, const char *fmt, ...);

/* Puts "text: " before the sentence that is there. */
__attribute__((format(printf, 2, 3)))
void error_prefix(struct error *e, const char *fmt, ...);

void error_clear(struct error *e);

#endif /* LIB_ERROR_H */
