// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The table of a mapping's attributes, and what asks it. */
#include <linux/kernel.h>
#include <linux/string.h>

#include "attrs.h"
#include "mapping.h"

#define AZS_NUMBER(_name, _def, _min, _max) { \
	.name = #_name, .def = _def, .check = azs_check_u32, .min = _min, .max = _max, \
	.reason = "must be a whole number from " #_min " to " #_max \
}
#define AZS_CHOICE(_name, _def, _choices) { \
	.name = #_name, .def = _def, .check = azs_check_choice, .choices = _choices, \
	.reason = "must be one of: " _choices \
}
#define AZS_TEXT(_name, _def, _check, _reason) { \
	.name = #_name, .def = _def, .check = azs_check_##_check, .reason = _reason \
}

const struct azs_attr_desc azs_attrs[AZS_NR_ATTRS] = {
	[AZS_ATTR_PATH] = AZS_TEXT(path, "", path, "must be an absolute path"),
	[AZS_ATTR_ACCOUNT] = AZS_TEXT(account, "", account,
		"must be 3 to 24 characters of a-z and 0-9"),
	[AZS_ATTR_CONTAINER] = AZS_TEXT(container, "", container,
		"must be 3 to 63 characters of a-z, 0-9 and single dashes between them, $root or $web"),
	[AZS_ATTR_PREFIX] = AZS_TEXT(prefix, "", prefix, "must be a legal blob name"),
	[AZS_ATTR_ENDPOINT] = AZS_TEXT(endpoint, "", endpoint,
		"must be http:// or https://, a host, a port if wanted and a path if wanted"),
	[AZS_ATTR_CREDENTIAL] = AZS_TEXT(credential, "default", credential,
		"must be the name of a credential: a-z, A-Z, 0-9, '.', '_' and '-', not first '.' or '-'"),
	[AZS_ATTR_SETTLE_MS] = AZS_NUMBER(settle_ms, "500", 0, 3600000),
	[AZS_ATTR_MAX_LAG_MS] = AZS_NUMBER(max_lag_ms, "300000", 0, 604800000),
	[AZS_ATTR_MAX_PENDING] = AZS_NUMBER(max_pending, "65536", 1, 1048576),
	[AZS_ATTR_ACCESS_TIER] = AZS_CHOICE(access_tier, "", "hot, cool, cold, archive"),
	[AZS_ATTR_INCLUDE] = AZS_TEXT(include, "", filter,
		"must be patterns, one per line, without control characters"),
	[AZS_ATTR_EXCLUDE] = AZS_TEXT(exclude, "", filter,
		"must be patterns, one per line, without control characters"),
	[AZS_ATTR_FILTER_FILE] = AZS_TEXT(filter_file, "", path, "must be an absolute path"),
	[AZS_ATTR_ON_DELETE] = AZS_CHOICE(on_delete, "keep", "keep, delete"),
	[AZS_ATTR_ON_CONFLICT] = AZS_CHOICE(on_conflict, "keep", "keep, overwrite"),
	[AZS_ATTR_ON_ARCHIVED] = AZS_CHOICE(on_archived, "park", "park, replace"),
	[AZS_ATTR_SYMLINKS] = AZS_CHOICE(symlinks, "skip", "skip, store"),
	/* Empty: the uploader's rule, a share of the mapping's blobs. */
	[AZS_ATTR_DELETE_LIMIT] = AZS_NUMBER(delete_limit, "", 0, 4294967295),
	[AZS_ATTR_RESCAN_S] = AZS_NUMBER(rescan_s, "86400", 0, 31536000),
	[AZS_ATTR_AUDIT_DAYS] = AZS_NUMBER(audit_days, "7", 0, 3650),
	/* 0: no limit. */
	[AZS_ATTR_MAX_MBPS] = AZS_NUMBER(max_mbps, "0", 0, 1000000),
	[AZS_ATTR_MAX_REQUESTS_PER_S] = AZS_NUMBER(max_requests_per_s, "0", 0, 1000000),
	[AZS_ATTR_PROXY] = AZS_TEXT(proxy, "", proxy,
		"must be http://, https://, socks5:// or socks5h://, a host and a port if wanted"),
	[AZS_ATTR_CA_FILE] = AZS_TEXT(ca_file, "", path, "must be an absolute path"),
	[AZS_ATTR_ALLOW_REMOTE] = AZS_NUMBER(allow_remote, "0", 0, 1),
	[AZS_ATTR_LOG_PATHS] = AZS_CHOICE(log_paths, "full", "full, hash"),
};

int azs_attr_check(enum azs_attr_id id, const char *text, size_t len, const char **reason)
{
	const struct azs_attr_desc *desc = &azs_attrs[id];

	if (len > AZS_ATTR_MAX) {
		*reason = "is longer than 4094 bytes";
		return -E2BIG;
	}
	if (memchr(text, '\0', len)) {
		*reason = "has a NUL in it";
		return -EINVAL;
	}
	if (!len)
		return 0;
	*reason = desc->reason;
	return desc->check(desc, text, len, reason);
}

size_t azs_attr_normal_len(enum azs_attr_id id, const char *text, size_t len)
{
	switch (id) {
	case AZS_ATTR_PATH:
		while (len > 1 && text[len - 1] == '/')
			len--;
		return len;
	case AZS_ATTR_ENDPOINT:
	case AZS_ATTR_PROXY:
		while (len && text[len - 1] == '/')
			len--;
		return len;
	default:
		return len;
	}
}

const char *azs_attr_value(const struct azs_mapping *m, enum azs_attr_id id)
{
	return m->attr[id] ?: azs_attrs[id].def;
}

u32 azs_attr_u32(const struct azs_mapping *m, enum azs_attr_id id)
{
	u32 value;

	return kstrtou32(azs_attr_value(m, id), 10, &value) ? 0 : value;
}

size_t azs_attr_print(const struct azs_mapping *m, enum azs_attr_id id, char *buf, size_t size)
{
	const char *account = azs_attr_value(m, AZS_ATTR_ACCOUNT);

	if (id == AZS_ATTR_ENDPOINT && !m->attr[id] && *account)
		return scnprintf(buf, size, "https://%s.blob.core.windows.net", account);
	return scnprintf(buf, size, "%s", azs_attr_value(m, id));
}

bool azs_attrs_targets_overlap(const struct azs_mapping *a, const struct azs_mapping *b)
{
	const char *pa = azs_attr_value(a, AZS_ATTR_PREFIX);
	const char *pb = azs_attr_value(b, AZS_ATTR_PREFIX);

	return !strcmp(azs_attr_value(a, AZS_ATTR_ACCOUNT), azs_attr_value(b, AZS_ATTR_ACCOUNT)) &&
	       !strcmp(azs_attr_value(a, AZS_ATTR_CONTAINER),
		       azs_attr_value(b, AZS_ATTR_CONTAINER)) &&
	       !strncmp(pa, pb, min(strlen(pa), strlen(pb)));
}
