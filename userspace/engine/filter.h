/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Patterns as in .gitignore, one a line: `#` comments, `!` takes back, a `/` at the end means
 * directories, one elsewhere ties the pattern to the root, `*` `?` `[a-z]` stay within a name, `**`
 * crosses names. The last pattern that matches decides; what lies below a directory that matches
 * is matched as well.
 */
#ifndef ENGINE_FILTER_H
#define ENGINE_FILTER_H

#include <stdbool.h>
#include <stddef.h>

struct filter;

/* `text` is copied. NULL: no memory. An empty filter matches nothing. */
struct filter *filter_create(const char *text);
void filter_free(struct filter *filter);
bool filter_is_empty(const struct filter *filter);
/* `path` is relative and ends in a NUL that `len` does not count. */
bool filter_matches(const struct filter *filter, const char *path, size_t len, bool is_dir);

#endif /* ENGINE_FILTER_H */
