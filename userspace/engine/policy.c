/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "engine/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *find(const struct kdev_attr *attrs, size_t nr, const char *name)
{
	for (size_t i = 0; i < nr; i++)
		if (!strcmp(attrs[i].name, name))
			return attrs[i].value ? attrs[i].value : "";
	return "";
}

/* One of two words; empty is the first. */
static int choose(bool *second, const char *name, const char *value, const char *a, const char *b,
		  struct error *e)
{
	*second = !strcmp(value, b);
	if (!*value || !strcmp(value, a) || *second)
		return 0;
	return error_set(e, -EINVAL, "%s: \"%.32s\" is neither %s nor %s", name, value, a, b);
}

static int number(uint64_t *out, const char *name, const char *value, uint64_t fallback,
		  struct error *e)
{
	char *end;

	*out = fallback;
	if (!*value)
		return 0;
	errno = 0;
	*out = strtoull(value, &end, 10);
	if (errno || *end || *value == '-')
		return error_set(e, -EINVAL, "%s: \"%.32s\" is not a number", name, value);
	return 0;
}

static int parse_words(struct policy *p, const struct kdev_attr *attrs, size_t nr, struct error *e)
{
	const struct {
		const char *name, *first, *second;
		bool *out;
	} words[] = {
		{ "on_delete", "keep", "delete", &p->deletes },
		{ "on_conflict", "keep", "overwrite", &p->overwrites },
		{ "on_archived", "park", "replace", &p->replaces_archived },
		{ "symlinks", "skip", "store", &p->stores_symlinks },
		{ "log_paths", "full", "hash", &p->hides_paths },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words) && !r; i++)
		r = choose(words[i].out, words[i].name, find(attrs, nr, words[i].name),
			   words[i].first, words[i].second, e);
	return r;
}

static int parse_numbers(struct policy *p, const struct kdev_attr *attrs, size_t nr,
			 struct error *e)
{
	const char *limit = find(attrs, nr, "delete_limit");
	uint64_t settle = 0;
	int r;

	p->has_delete_limit = *limit && strcmp(limit, "auto");
	r = p->has_delete_limit ? number(&p->delete_limit, "delete_limit", limit, 0, e) : 0;
	if (!r)
		r = number(&p->rescan_s, "rescan_s", find(attrs, nr, "rescan_s"), 86400, e);
	if (!r)
		r = number(&settle, "settle_ms", find(attrs, nr, "settle_ms"), 500, e);
	p->settle_ms = settle < 60000 ? (uint32_t)settle : 60000;
	return r;
}

int policy_parse(struct policy *p, const struct kdev_attr *attrs, size_t nr, struct error *e)
{
	const char *tier = find(attrs, nr, "access_tier");
	int r;

	memset(p, 0, sizeof(*p));
	if (strlen(tier) >= sizeof(p->access_tier))
		return error_set(e, -EINVAL, "access_tier: \"%.32s\" is no tier", tier);
	strcpy(p->access_tier, tier);
	r = parse_words(p, attrs, nr, e);
	if (!r)
		r = parse_numbers(p, attrs, nr, e);
	if (r)
		return r;
	p->include = filter_create(find(attrs, nr, "include"));
	p->exclude = filter_create(find(attrs, nr, "exclude"));
	if (p->include && p->exclude)
		return 0;
	policy_free(p);
	return error_set(e, -ENOMEM, "no memory for the filters");
}

void policy_free(struct policy *p)
{
	filter_free(p->include);
	filter_free(p->exclude);
	p->include = NULL;
	p->exclude = NULL;
}

bool policy_takes(const struct policy *p, const char *path, size_t len, bool is_dir)
{
	if (filter_matches(p->exclude, path, len, is_dir))
		return false;
	/* A directory may have files below it that are included. */
	return is_dir || filter_is_empty(p->include) ||
	       filter_matches(p->include, path, len, is_dir);
}
