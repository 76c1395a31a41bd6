/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The attributes of a mapping: one table for configfs, the checks and the
 * protocol. A value is text; NULL in azs_mapping.attr[] stands for the default,
 * and so storing an empty value goes back to it.
 */
#ifndef AZS_ATTRS_H
#define AZS_ATTRS_H

#include <linux/types.h>

struct azs_mapping;

/* In the order of configfs and of MAPPING_UP; azs_attrs[] in attrs.c has a row for each. */
#define AZS_ATTR_LIST(X) \
	X(PATH, path) \
	X(ACCOUNT, account) \
	X(CONTAINER, container) \
	X(PREFIX, prefix) \
	X(ENDPOINT, endpoint) \
	X(CREDENTIAL, credential) \
	X(SETTLE_MS, settle_ms) \
	X(MAX_LAG_MS, max_lag_ms) \
	X(MAX_PENDING, max_pending) \
	X(ACCESS_TIER, access_tier) \
	X(INCLUDE, include) \
	X(EXCLUDE, exclude) \
	X(FILTER_FILE, filter_file) \
	X(ON_DELETE, on_delete) \
	X(ON_CONFLICT, on_conflict) \
	X(ON_ARCHIVED, on_archived) \
	X(SYMLINKS, symlinks) \
	X(DELETE_LIMIT, delete_limit) \
	X(RESCAN_S, rescan_s) \
	X(AUDIT_DAYS, audit_days) \
	X(MAX_MBPS, max_mbps) \
	X(MAX_REQUESTS_PER_S, max_requests_per_s) \
	X(PROXY, proxy) \
	X(CA_FILE, ca_file) \
	X(ALLOW_REMOTE, allow_remote) \
	X(LOG_PATHS, log_paths)

enum azs_attr_id {
#define AZS_ATTR_ENUM(id, name)	AZS_ATTR_##id,
	AZS_ATTR_LIST(AZS_ATTR_ENUM)
#undef AZS_ATTR_ENUM
	AZS_NR_ATTRS,
};

/* Bytes of the longest value without its NUL: configfs passes one page at most,
 * and a value that fills it may have been cut. */
#define AZS_ATTR_MAX		4094

/*
 * One kind of value.
 * @name: of the file in configfs
 * @check: 0, -EINVAL or -ENAMETOOLONG for a non-empty text without NULs; may set
 *         @reason to a static phrase that goes on after the attribute's name
 */
struct azs_attr_desc {
	const char *name;
	const char *def;
	int (*check)(const struct azs_attr_desc *desc, const char *text, size_t len,
		     const char **reason);
	const char *reason;		/* unless check says a better one */
	const char *choices;		/* "a, b, c" */
	u32 min;
	u32 max;
};

extern const struct azs_attr_desc azs_attrs[AZS_NR_ATTRS];

/*
 * azs_attr_check - may @text become the value?
 * @text: NUL-terminated; @len bytes without the NUL
 * @reason: set on failure, to a static phrase
 * 0, -EINVAL, -ENAMETOOLONG or -E2BIG. Sleeps not.
 */
int azs_attr_check(enum azs_attr_id id, const char *text, size_t len, const char **reason);

/* Bytes of @text to keep: a folder's trailing slashes mean nothing. */
size_t azs_attr_normal_len(enum azs_attr_id id, const char *text, size_t len);

/*
 * The value or its default, never NULL. [m->lock], or m is live or draining. The
 * endpoint's default depends on the account: "" here, azs_attr_print() has it.
 */
const char *azs_attr_value(const struct azs_mapping *m, enum azs_attr_id id);

/* The same for a number; 0 where there is no default (delete_limit). */
u32 azs_attr_u32(const struct azs_mapping *m, enum azs_attr_id id);

/*
 * azs_attr_print - the value that is in force, as configfs shows it and as the
 * uploader gets it
 * @size: of @buf; AZS_ATTR_MAX + 1 is enough for each
 * Same locking as azs_attr_value(). Returns the length without the NUL.
 */
size_t azs_attr_print(const struct azs_mapping *m, enum azs_attr_id id, char *buf, size_t size);

/*
 * azs_attrs_targets_overlap - could two mappings write the same blob?
 * Same account and container, and one prefix begins with the other. The
 * endpoint plays no part: one account has many names. Both as azs_attr_value().
 */
bool azs_attrs_targets_overlap(const struct azs_mapping *a, const struct azs_mapping *b);

/* Checks for the table; attrcheck.c. */
#define AZS_CHECK(name) \
	int azs_check_##name(const struct azs_attr_desc *desc, const char *text, size_t len, \
			     const char **reason)
AZS_CHECK(path);
AZS_CHECK(account);
AZS_CHECK(container);
AZS_CHECK(prefix);
AZS_CHECK(endpoint);
AZS_CHECK(credential);
AZS_CHECK(proxy);
AZS_CHECK(filter);
AZS_CHECK(u32);
AZS_CHECK(choice);

#endif /* AZS_ATTRS_H */
