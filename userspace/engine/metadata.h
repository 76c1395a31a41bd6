/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The metadata of a blob: a file's times, mode and owner under the names by which rclone (`mtime`)
 * and azcopy (the rest) know them, and ours. The names are such that the two orders of header names
 * in which clients and services sign agree on them: keep it so.
 */
#ifndef ENGINE_METADATA_H
#define ENGINE_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "azure/blob.h"
#include "azure/names.h"
#include "state/state.h"

#define METADATA_OWNER_TEXT (2 * STATE_OWNER_BYTES + 1)

#define METADATA_OWNER		"azs_owner"
#define METADATA_UNQUIET	"azs_unquiet"
#define METADATA_DELETED	"azs_deleted"

struct metadata {
	struct azure_meta items[12];
	size_t nr;
	char mtime[40];
	char modtime[24];
	char mode[12];
	char uid[12];
	char gid[12];
	char deleted[24];
	char path[AZURE_META_PATH_MAX];
};

struct metadata_in {
	enum state_kind kind;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	int64_t mtime_ns;
	const char *owner;		/* METADATA_OWNER_TEXT */
	bool unquiet;			/* the blob may be no single moment of the file */
	int64_t deleted_s;		/* on_delete=keep: when the file was gone; else 0 */
	const char *path;		/* NULL unless the name is long */
	size_t path_len;
};

void metadata_fill(struct metadata *m, const struct metadata_in *in);
void metadata_format_owner(char out[METADATA_OWNER_TEXT], const uint8_t owner[STATE_OWNER_BYTES]);

#endif /* ENGINE_METADATA_H */
