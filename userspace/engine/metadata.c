/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "engine/metadata.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000LL

static void add(struct metadata *m, const char *name, const char *value)
{
	m->items[m->nr++] = (struct azure_meta){ name, value };
}

/* RFC 3339 in UTC with nine digits, as rclone writes it. */
static void format_time(char *out, size_t size, int64_t ns)
{
	time_t s = (time_t)(ns / NS_PER_S);
	int64_t rest = ns % NS_PER_S;
	struct tm tm;
	size_t len;

	if (rest < 0) {
		rest += NS_PER_S;
		s--;
	}
	if (!gmtime_r(&s, &tm))
		memset(&tm, 0, sizeof(tm));
	len = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + len, size - len, ".%09dZ", (int)rest);
}

void metadata_fill(struct metadata *m, const struct metadata_in *in)
{
	m->nr = 0;
	format_time(m->mtime, sizeof(m->mtime), in->mtime_ns);
	snprintf(m->modtime, sizeof(m->modtime), "%" PRId64, in->mtime_ns);
	snprintf(m->mode, sizeof(m->mode), "%" PRIu32, in->mode);
	snprintf(m->uid, sizeof(m->uid), "%" PRIu32, in->uid);
	snprintf(m->gid, sizeof(m->gid), "%" PRIu32, in->gid);
	add(m, METADATA_OWNER, in->owner);
	if (in->unquiet)
		add(m, METADATA_UNQUIET, "1");
	if (in->deleted_s) {
		snprintf(m->deleted, sizeof(m->deleted), "%" PRId64, in->deleted_s);
		add(m, METADATA_DELETED, m->deleted);
	}
	if (in->path && !azure_name_meta_path(in->path, in->path_len, m->path))
		add(m, AZURE_META_PATH, m->path);
	if (in->kind == STATE_DIR)
		add(m, "hdi_isfolder", "true");
	if (in->kind == STATE_SYMLINK)
		add(m, "is_symlink", "true");
	add(m, "modtime", m->modtime);
	add(m, "mtime", m->mtime);
	add(m, "permissions", m->mode);
	add(m, "posix_group", m->gid);
	add(m, "posix_owner", m->uid);
}

void metadata_format_owner(char out[METADATA_OWNER_TEXT], const uint8_t owner[STATE_OWNER_BYTES])
{
	for (int i = 0; i < STATE_OWNER_BYTES; i++)
		snprintf(out + 2 * i, 3, "%02x", owner[i]);
}
