/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "engine/filter.h"

#include <stdlib.h>
#include <string.h>

struct pattern {
	const char *text;	/* into filter.text */
	bool negated;
	bool dirs_only;
	bool anchored;		/* against the path, not its last name */
};

struct filter {
	char *text;
	struct pattern *patterns;
	size_t nr;
};

/*
 * Trailing stars of hostile patterns make naive matching exponential: this bounds the steps of
 * one match; what exceeds it does not match.
 */
#define MATCH_STEPS_MAX 100000

/* One character of a bracket expression, an escape taken off. */
static const char *bracket_char(const char *p, unsigned char *c)
{
	if (*p == '\\' && p[1])
		p++;
	*c = (unsigned char)*p;
	return *p ? p + 1 : p;
}

/* `p` is behind '['. NULL: the expression has no end, so that '[' means itself. */
static const char *match_bracket(const char *p, unsigned char c, bool *matched)
{
	bool negated = *p == '!' || *p == '^', found = false, first = true;
	unsigned char low, high;

	if (negated)
		p++;
	while (*p && (first || *p != ']')) {
		first = false;
		p = bracket_char(p, &low);
		high = low;
		if (*p == '-' && p[1] && p[1] != ']')
			p = bracket_char(p + 1, &high);
		if (c >= low && c <= high)
			found = true;
	}
	if (*p != ']')
		return NULL;
	*matched = found != negated && c != '/';
	return p + 1;
}

static bool match(const char *p, const char *s, unsigned int *steps);

/* `p` is behind the stars. */
static bool match_star(const char *p, const char *s, bool crosses, unsigned int *steps)
{
	for (;; s++) {
		if (match(p, s, steps))
			return true;
		if (!*s || (*s == '/' && !crosses))
			return false;
	}
}

static bool match_stars(const char *p, const char *s, bool at_start, unsigned int *steps)
{
	if (p[1] != '*')
		return match_star(p + 1, s, false, steps);
	while (*p == '*')
		p++;
	/* "**" and a slash: any number of directories, none as well. */
	if (at_start && *p == '/') {
		if (match(p + 1, s, steps))
			return true;
		for (; *s; s++)
			if (*s == '/' && match(p + 1, s + 1, steps))
				return true;
		return false;
	}
	return match_star(p, s, at_start, steps);
}

static bool match(const char *p, const char *s, unsigned int *steps)
{
	const char *begin = p;

	for (; *p; s++) {
		const char *next;
		bool ok;

		if ((*steps)++ > MATCH_STEPS_MAX)
			return false;
		if (*p == '*')
			return match_stars(p, s, p == begin || p[-1] == '/', steps);
		if (!*s)
			return false;
		if (*p == '[' && (next = match_bracket(p + 1, (unsigned char)*s, &ok))) {
			if (!ok)
				return false;
			p = next;
			continue;
		}
		if (*p == '?') {
			if (*s == '/')
				return false;
			p++;
			continue;
		}
		if (*p == '\\' && p[1])
			p++;
		if (*p++ != *s)
			return false;
	}
	return !*s;
}

static void add_line(struct filter *f, char *line)
{
	struct pattern *p = &f->patterns[f->nr];
	size_t len = strlen(line);

	/* Blanks at the end do not count, unless escaped. */
	while (len && (line[len - 1] == ' ' || line[len - 1] == '\r' || line[len - 1] == '\t') &&
	       !(len > 1 && line[len - 2] == '\\'))
		line[--len] = '\0';
	*p = (struct pattern){ .text = line };
	if (!len || *line == '#')
		return;
	if (*p->text == '!') {
		p->negated = true;
		p->text++;
		len--;
	}
	if (len && p->text[len - 1] == '/') {
		line[strlen(line) - 1] = '\0';
		p->dirs_only = true;
	}
	p->anchored = strchr(p->text, '/') != NULL;
	if (*p->text == '/')
		p->text++;
	if (*p->text)
		f->nr++;
}

struct filter *filter_create(const char *text)
{
	struct filter *f = calloc(1, sizeof(*f));
	size_t lines = 1;
	char *save, *line;

	if (!f)
		return NULL;
	f->text = strdup(text ? text : "");
	for (const char *c = f->text; c && *c; c++)
		lines += *c == '\n';
	f->patterns = calloc(lines, sizeof(*f->patterns));
	if (!f->text || !f->patterns) {
		filter_free(f);
		return NULL;
	}
	for (line = strtok_r(f->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		add_line(f, line);
	return f;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	free(f->patterns);
	free(f->text);
	free(f);
}

bool filter_is_empty(const struct filter *f)
{
	return f->nr == 0;
}

/* What the patterns say of this very path: 1 matched, 0 taken back, -1 nothing. */
static int verdict(const struct filter *f, const char *path, const char *name, bool is_dir)
{
	for (size_t i = f->nr; i-- > 0;) {
		const struct pattern *p = &f->patterns[i];
		unsigned int steps = 0;

		if (p->dirs_only && !is_dir)
			continue;
		if (match(p->text, p->anchored ? path : name, &steps))
			return !p->negated;
	}
	return -1;
}

bool filter_matches(const struct filter *f, const char *path, size_t len, bool is_dir)
{
	char buf[4097];
	size_t start = 0;

	if (!f->nr || !len || len >= sizeof(buf))
		return false;
	memcpy(buf, path, len);
	buf[len] = '\0';
	/* From the top: what lies below a matching directory cannot be taken back, as in git. */
	for (size_t i = 0; i <= len; i++) {
		bool last = i == len;

		if (!last && buf[i] != '/')
			continue;
		buf[i] = '\0';
		if (verdict(f, buf, buf + start, last ? is_dir : true) == 1)
			return true;
		if (!last)
			buf[i] = '/';
		start = i + 1;
	}
	return false;
}
