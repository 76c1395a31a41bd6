/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The attributes of a mapping that the engine goes by. */
#ifndef ENGINE_POLICY_H
#define ENGINE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/filter.h"
#include "lib/error.h"
#include "lib/kdev.h"

struct policy {
	char access_tier[16];		/* "": the account's */
	struct filter *include;
	struct filter *exclude;
	bool deletes;			/* on_delete=delete */
	bool overwrites;		/* on_conflict=overwrite */
	bool replaces_archived;		/* on_archived=replace */
	bool stores_symlinks;		/* symlinks=store */
	bool hides_paths;		/* log_paths=hash */
	bool has_delete_limit;		/* else the larger of 10 and 10 % */
	uint64_t delete_limit;		/* blobs in an hour */
	uint64_t rescan_s;		/* 0: never */
	uint32_t settle_ms;
};

/* Attributes that are not policy are passed over. -EINVAL: `e` names the attribute. */
int policy_parse(struct policy *policy, const struct kdev_attr *attrs, size_t nr,
		 struct error *e) __attribute__((warn_unused_result));
void policy_free(struct policy *policy);

/* May this path be uploaded, as far as include and exclude go? */
bool policy_takes(const struct policy *policy, const char *path, size_t len, bool is_dir);

#endif /* ENGINE_POLICY_H */
