/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A growing string whose error is sticky: put any number of pieces, then look once at `failed`.
 * The data is always NUL-terminated once something was put. Memory is wiped before it is given up,
 * because requests hold signatures and tokens.
 */
#ifndef AZURE_TEXT_H
#define AZURE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct azure_text {
	char *data;
	size_t len;
	size_t size;
	bool failed;	/* out of memory, or beyond AZURE_TEXT_MAX */
};

#define AZURE_TEXT_MAX ((size_t)64 << 20)

void azure_text_put(struct azure_text *text, const void *data, size_t len);
void azure_text_puts(struct azure_text *text, const char *string);
void azure_text_putc(struct azure_text *text, char c);
/* Percent-encodes all but the unreserved characters of RFC 3986 and, if asked, '/'. */
void azure_text_put_url(struct azure_text *text, const char *string, bool keep_slash);
void azure_text_put_uint(struct azure_text *text, unsigned long long value);
/* Empties it and keeps the memory. */
void azure_text_reset(struct azure_text *text);
void azure_text_free(struct azure_text *text);

#endif
