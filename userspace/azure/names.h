/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * File paths as blob names. The encoding is part of the storage format: it is reversible, has no
 * collisions and is the identity for ordinary names.
 *
 *   - a byte that cannot stand in a blob name (0x00-0x1f, 0x7f, '\', invalid UTF-8, U+FFFE and
 *     U+FFFF, the last '.' of a segment) becomes =XX, two upper-case hex digits;
 *   - a '=' followed by two upper-case hex digits becomes =3D;
 *   - the '=' of a path whose first segment is "=long" becomes =3D;
 *   - a result of more than 1024 characters (UTF-16 units, prefix included) or more than 254
 *     segments becomes "=long/" and the SHA-256 of the path in hex; the path then goes into the
 *     blob's metadata under AZURE_META_PATH (azure_name_meta_path()).
 */
#ifndef AZURE_NAMES_H
#define AZURE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AZURE_NAME_CHARS_MAX 1024
#define AZURE_NAME_SEGMENTS_MAX 254
/* A UTF-16 unit takes at most three bytes of UTF-8. */
#define AZURE_NAME_BYTES_MAX (3 * AZURE_NAME_CHARS_MAX)
#define AZURE_PATH_BYTES_MAX 4095
#define AZURE_META_PATH "azs_path"
/* Base64 of the longest path and the terminator; still below the 8 KiB allowed for metadata. */
#define AZURE_META_PATH_MAX (4 * ((AZURE_PATH_BYTES_MAX + 2) / 3) + 1)

struct azure_name {
	char blob[AZURE_NAME_BYTES_MAX + 1];	/* UTF-8, prefix included, not URL-encoded */
	bool is_long;				/* needs AZURE_META_PATH in the metadata */
	bool is_encoded;			/* differs from prefix + path */
};

/*
 * @path: relative, @len bytes, any bytes; no leading, trailing or doubled '/'.
 * @prefix: put in front as it is; "" for none; a legal blob name itself.
 * Return: 0, -EINVAL (path empty or not relative), -ENAMETOOLONG (path beyond
 * AZURE_PATH_BYTES_MAX, or no room behind the prefix).
 */
int azure_name_encode(struct azure_name *name, const char *prefix, const void *path, size_t len)
	__attribute__((warn_unused_result));

/*
 * The path of a blob that is called @blob below @prefix. @meta_path is the value of
 * AZURE_META_PATH or NULL. Only names that azure_name_encode() makes are accepted.
 * @path has room for AZURE_PATH_BYTES_MAX + 1 bytes; a NUL is put behind what is returned in @len.
 * Return: 0, -EXDEV (not below the prefix), -EILSEQ (not a name of ours), -ENODATA (a long name
 * without its path, or with a path that is not its own).
 */
int azure_name_decode(const char *prefix, const char *blob, const char *meta_path, char *path,
		      size_t *len) __attribute__((warn_unused_result));

/* The value of AZURE_META_PATH for a path; @out has room for AZURE_META_PATH_MAX. */
int azure_name_meta_path(const void *path, size_t len, char *out)
	__attribute__((warn_unused_result));

/* 3-63 of a-z 0-9 '-', begins and ends alphanumeric, no "--". */
bool azure_container_name_is_valid(const char *name);
/* 3-24 of a-z 0-9. */
bool azure_account_name_is_valid(const char *name);

#endif
