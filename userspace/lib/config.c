/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A parser of our own, where libinih was meant to be: as distributed, that one cuts a
 * line silently at 200 bytes and ends a value at " ;", and gives no line numbers.
 */
#include "lib/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/configfs.h"

#define FILE_MAX	(1 << 20)	/* bytes */
#define MAPPINGS_MAX	1024

struct parser {
	struct config *c;
	struct config_section *section;	/* NULL before the first; moves as sections grow */
	bool seen_uploader;
	bool seen_defaults;
	int line;
	struct error *e;
};

static void section_free(struct config_section *s)
{
	for (size_t i = 0; i < s->nr; i++) {
		free(s->values[i].name);
		free(s->values[i].value);
	}
	free(s->values);
	free(s->name);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	section_free(&c->uploader);
	section_free(&c->defaults);
	for (size_t i = 0; i < c->nr_mappings; i++)
		section_free(&c->mappings[i]);
	free(c->mappings);
	free(c);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *s)
{
	size_t len;

	while (is_blank(*s))
		s++;
	len = strlen(s);
	while (len > 0 && is_blank(s[len - 1]))
		len--;
	s[len] = '\0';
	return s;
}

static int fail_memory(struct parser *p)
{
	return error_set_errno(p->e, -ENOMEM, "line %d", p->line);
}

static int section_start(struct parser *p, struct config_section *s, const char *name)
{
	s->name = strdup(name);
	s->line = p->line;
	p->section = s;
	return s->name ? 0 : fail_memory(p);
}

static int mapping_start(struct parser *p, const char *name)
{
	struct config *c = p->c;
	struct config_section *list;

	if (!configfs_is_name(name))
		return error_set(p->e, -EINVAL, "line %d: '%.100s' cannot be the name of a mapping: "
				 "1 to 63 of a-z, 0-9 and -, not beginning with -", p->line, name);
	for (size_t i = 0; i < c->nr_mappings; i++)
		if (strcmp(c->mappings[i].name, name) == 0)
			return error_set(p->e, -EINVAL, "line %d: mapping '%s' stands in line %d "
					 "already", p->line, name, c->mappings[i].line);
	if (c->nr_mappings == MAPPINGS_MAX)
		return error_set(p->e, -EINVAL, "line %d: more than %d mappings", p->line,
				 MAPPINGS_MAX);
	list = reallocarray(c->mappings, c->nr_mappings + 1, sizeof(*list));
	if (!list)
		return fail_memory(p);
	c->mappings = list;
	list[c->nr_mappings] = (struct config_section){ 0 };
	return section_start(p, &list[c->nr_mappings++], name);
}

static int parse_section(struct parser *p, char *text)
{
	size_t len = strlen(text);
	bool *seen = NULL;
	char *name;

	if (text[len - 1] != ']')
		return error_set(p->e, -EINVAL, "line %d: a section ends with ]", p->line);
	text[len - 1] = '\0';
	name = trim(text + 1);
	if (strncmp(name, "mapping", 7) == 0 && (is_blank(name[7]) || !name[7]))
		return mapping_start(p, trim(name + 7));
	if (strcmp(name, "uploader") == 0)
		seen = &p->seen_uploader;
	else if (strcmp(name, "defaults") == 0)
		seen = &p->seen_defaults;
	if (!seen)
		return error_set(p->e, -EINVAL, "line %d: no section is called [%.100s]: there are "
				 "[uploader], [defaults] and [mapping NAME]", p->line, name);
	if (*seen)
		return error_set(p->e, -EINVAL, "line %d: a second [%s]", p->line, name);
	*seen = true;
	return section_start(p, seen == &p->seen_uploader ? &p->c->uploader : &p->c->defaults,
			     name);
}

static bool is_value_name(const char *name)
{
	return name[0] && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static struct config_value *find(const struct config_section *s, const char *name)
{
	for (size_t i = 0; i < s->nr; i++)
		if (strcmp(s->values[i].name, name) == 0)
			return &s->values[i];
	return NULL;
}

/* The attributes that are lists, a line each, are given a line at a time. */
static int add_again(struct parser *p, struct config_value *v, const char *value)
{
	char *joined;

	if (strcmp(v->name, "include") != 0 && strcmp(v->name, "exclude") != 0)
		return error_set(p->e, -EINVAL, "line %d: a second %.100s", p->line, v->name);
	if (strlen(v->value) + 1 + strlen(value) > CONFIG_VALUE_MAX)
		return error_set(p->e, -EINVAL, "line %d: more than %d bytes of %s", p->line,
				 CONFIG_VALUE_MAX, v->name);
	if (asprintf(&joined, "%s\n%s", v->value, value) < 0)
		return fail_memory(p);
	free(v->value);
	v->value = joined;
	return 0;
}

static int parse_value(struct parser *p, char *text)
{
	struct config_section *s = p->section;
	char *equals = strchr(text, '='), *name, *value;
	struct config_value *list, *before;

	if (!equals)
		return error_set(p->e, -EINVAL, "line %d: neither [section] nor name = value",
				 p->line);
	*equals = '\0';
	name = trim(text);
	value = trim(equals + 1);
	if (!s)
		return error_set(p->e, -EINVAL, "line %d: a value before the first section",
				 p->line);
	if (!is_value_name(name))
		return error_set(p->e, -EINVAL, "line %d: '%.100s' cannot be a name: a-z, 0-9 and _",
				 p->line, name);
	before = find(s, name);
	if (before)
		return add_again(p, before, value);
	if (strlen(value) > CONFIG_VALUE_MAX)
		return error_set(p->e, -EINVAL, "line %d: more than %d bytes", p->line,
				 CONFIG_VALUE_MAX);
	list = reallocarray(s->values, s->nr + 1, sizeof(*list));
	if (!list)
		return fail_memory(p);
	s->values = list;
	list[s->nr] = (struct config_value){ strdup(name), strdup(value), p->line };
	s->nr++;
	return list[s->nr - 1].name && list[s->nr - 1].value ? 0 : fail_memory(p);
}

static int parse_line(struct parser *p, char *line)
{
	char *text = trim(line);

	if (!text[0] || text[0] == '#' || text[0] == ';')
		return 0;
	return text[0] == '[' ? parse_section(p, text) : parse_value(p, text);
}

static int parse(struct parser *p, char *text, size_t len)
{
	char *line = text;

	if (strlen(text) != len)
		return error_set(p->e, -EINVAL, "a NUL byte: this is no text");
	if (strncmp(line, "\xef\xbb\xbf", 3) == 0)
		line += 3;
	while (*line) {
		char *end = strchrnul(line, '\n');
		char *next = *end ? end + 1 : end;
		int err;

		*end = '\0';
		p->line++;
		err = parse_line(p, line);
		if (err)
			return err;
		line = next;
	}
	return 0;
}

static int read_all(struct buf *b, const char *path, struct error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return error_set_errno(e, -errno, "%s", path);
	do
		n = buf_read_fd(b, fd, 16384);
	while (n > 0);
	close(fd);
	if (n == -E2BIG)
		return error_set(e, -EINVAL, "%s: longer than %d bytes", path, FILE_MAX);
	return n < 0 ? error_set_errno(e, (int)n, "%s", path) : 0;
}

int config_load(struct config **out, const char *path, struct error *e)
{
	struct parser p = { .c = calloc(1, sizeof(*p.c)), .e = e };
	struct buf b;
	int err;

	if (!p.c)
		return error_set_errno(e, -ENOMEM, "%s", path);
	buf_init(&b, FILE_MAX + 16384);
	err = read_all(&b, path, e);
	if (!err) {
		err = parse(&p, b.data, b.len);
		if (err)
			error_prefix(e, "%s", path);
	}
	buf_free(&b);
	if (err) {
		config_free(p.c);
		return err;
	}
	*out = p.c;
	return 0;
}

const char *config_get(const struct config_section *s, const char *name)
{
	const struct config_value *v = find(s, name);

	return v ? v->value : NULL;
}

const char *config_mapping_get(const struct config *c, const struct config_section *s,
			       const char *name)
{
	const char *value = config_get(s, name);

	return value ? value : config_get(&c->defaults, name);
}

int config_get_u64(const struct config_section *s, const char *name, unsigned long long min,
		   unsigned long long max, unsigned long long fallback,
		   unsigned long long *value, struct error *e)
{
	const char *text = config_get(s, name);
	char *end;

	*value = fallback;
	if (!text)
		return 0;
	errno = 0;
	if (text[0] >= '0' && text[0] <= '9')
		*value = strtoull(text, &end, 10);
	else
		errno = EINVAL;
	if (errno || *end || *value < min || *value > max)
		return error_set(e, -EINVAL, "%s = %.100s: not a whole number from %llu to %llu",
				 name, text, min, max);
	return 0;
}
