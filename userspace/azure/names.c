/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What may stand in a blob name: learn.microsoft.com/rest/api/storageservices/
 * naming-and-referencing-containers--blobs--and-metadata
 */
#include "names.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"

#define LONG_DIR "=long/"
#define LONG_DIR_LEN (sizeof(LONG_DIR) - 1)
#define SHA256_BYTES 32
#define LONG_LEN (LONG_DIR_LEN + 2 * SHA256_BYTES)

/* What has been written so far, with what is counted against the service's limits. */
struct encoder {
	char *out;
	size_t len;
	size_t units;		/* UTF-16 */
	size_t segments;
	bool changed;
	bool is_full;
};

static void encoder_put(struct encoder *enc, const uint8_t *bytes, size_t n, size_t units)
{
	if (enc->units + units > AZURE_NAME_CHARS_MAX) {
		enc->is_full = true;
		return;
	}
	memcpy(enc->out + enc->len, bytes, n);
	enc->len += n;
	enc->units += units;
	if (*bytes == '/' && ++enc->segments > AZURE_NAME_SEGMENTS_MAX)
		enc->is_full = true;
}

static void encoder_put_escaped(struct encoder *enc, uint8_t byte)
{
	static const char hex[] = "0123456789ABCDEF";
	const uint8_t escaped[3] = { '=', (uint8_t)hex[byte >> 4], (uint8_t)hex[byte & 15] };

	encoder_put(enc, escaped, 3, 3);
	enc->changed = true;
}

/*
 * How many bytes of well-formed UTF-8 start at @p, or 0. Surrogates, overlong forms and what lies
 * beyond U+10FFFF are not well-formed; U+FFFE and U+FFFF are, but cannot stand in XML.
 */
static size_t utf8_length(const uint8_t *p, size_t left, bool *is_nonchar)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code;
	size_t n;

	*is_nonchar = false;
	if (*p < 0x80)
		return 1;
	n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
	if (*p < 0xc2 || *p > 0xf4 || n > left)
		return 0;
	code = *p & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fu);
	}
	if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*is_nonchar = code == 0xfffe || code == 0xffff;
	return n;
}

/* Must this one of the single-byte characters be escaped where it stands? */
static bool must_escape(const uint8_t *path, size_t len, size_t at)
{
	uint8_t c = path[at];

	if (c < 0x20 || c == 0x7f || c == '\\')
		return true;
	if (c == '.')
		return at + 1 == len || path[at + 1] == '/';
	if (c != '=')
		return false;
	if (at + 2 < len && azure_hex_upper((char)path[at + 1]) >= 0 &&
	    azure_hex_upper((char)path[at + 2]) >= 0)
		return true;
	/* The directory of the long names is ours. */
	return at == 0 && len >= LONG_DIR_LEN - 1 && !memcmp(path, LONG_DIR, LONG_DIR_LEN - 1) &&
	       (len == LONG_DIR_LEN - 1 || path[LONG_DIR_LEN - 1] == '/');
}

static void encode_path(struct encoder *enc, const uint8_t *path, size_t len)
{
	for (size_t at = 0; at < len && !enc->is_full;) {
		bool is_nonchar;
		size_t n = utf8_length(path + at, len - at, &is_nonchar);

		if (n == 1 && !must_escape(path, len, at)) {
			encoder_put(enc, path + at, 1, 1);
		} else if (n > 1 && !is_nonchar) {
			encoder_put(enc, path + at, n, n == 4 ? 2 : 1);
		} else {
			n = n ? n : 1;
			for (size_t i = 0; i < n && !enc->is_full; i++)
				encoder_put_escaped(enc, path[at + i]);
		}
		at += n;
	}
}

static bool is_relative(const char *path, size_t len)
{
	if (!len || path[0] == '/' || path[len - 1] == '/')
		return false;
	return !memmem(path, len, "//", 2);
}

static int put_long_name(char *out, const void *path, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t digest[SHA256_BYTES];

	if (!EVP_Digest(path, len, digest, NULL, EVP_sha256(), NULL))
		return -ENOMEM;
	memcpy(out, LONG_DIR, LONG_DIR_LEN);
	out += LONG_DIR_LEN;
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		*out++ = hex[digest[i] >> 4];
		*out++ = hex[digest[i] & 15];
	}
	*out = '\0';
	return 0;
}

int azure_name_encode(struct azure_name *name, const char *prefix, const void *path, size_t len)
{
	struct encoder enc = { .out = name->blob, .segments = 1 };
	size_t prefix_len = strlen(prefix);
	size_t prefix_units;
	bool is_nonchar;

	if (!is_relative(path, len))
		return -EINVAL;
	if (len > AZURE_PATH_BYTES_MAX || prefix_len > AZURE_NAME_BYTES_MAX)
		return -ENAMETOOLONG;
	for (size_t at = 0; at < prefix_len;) {
		const uint8_t *p = (const uint8_t *)prefix + at;
		size_t n = utf8_length(p, prefix_len - at, &is_nonchar);

		if (!n)
			return -EINVAL;
		encoder_put(&enc, p, n, n == 4 ? 2 : 1);
		at += n;
	}
	prefix_units = enc.units;
	if (enc.is_full || prefix_units + LONG_LEN > AZURE_NAME_CHARS_MAX ||
	    enc.segments + 1 > AZURE_NAME_SEGMENTS_MAX)
		return -ENAMETOOLONG;

	encode_path(&enc, path, len);
	name->is_long = enc.is_full;
	name->is_encoded = enc.changed || enc.is_full;
	if (enc.is_full)
		return put_long_name(name->blob + prefix_len, path, len);
	name->blob[enc.len] = '\0';
	return 0;
}

static int decode_long(const char *name, const char *meta_path, char *path, size_t *len)
{
	char expected[LONG_LEN + 1];
	int n, err;

	if (strlen(name) != LONG_LEN)
		return -EILSEQ;
	if (!meta_path)
		return -ENODATA;
	n = azure_base64_decode(path, AZURE_PATH_BYTES_MAX, meta_path, strlen(meta_path));
	if (n <= 0)
		return -ENODATA;
	err = put_long_name(expected, path, (size_t)n);
	if (err)
		return err;
	if (strcmp(expected, name))
		return -ENODATA;
	*len = (size_t)n;
	return 0;
}

static int decode_short(const char *name, char *path, size_t *len)
{
	size_t n = 0;

	while (*name) {
		int high = *name == '=' ? azure_hex_upper(name[1]) : -1;
		int low = high >= 0 ? azure_hex_upper(name[2]) : -1;

		if (n == AZURE_PATH_BYTES_MAX)
			return -EILSEQ;
		if (low >= 0) {
			path[n++] = (char)(high << 4 | low);
			name += 3;
		} else {
			path[n++] = *name++;
		}
	}
	*len = n;
	return 0;
}

int azure_name_decode(const char *prefix, const char *blob, const char *meta_path, char *path,
		      size_t *len)
{
	size_t prefix_len = strlen(prefix);
	struct azure_name again;
	int err;

	if (strncmp(blob, prefix, prefix_len))
		return -EXDEV;
	if (!strncmp(blob + prefix_len, LONG_DIR, LONG_DIR_LEN))
		err = decode_long(blob + prefix_len, meta_path, path, len);
	else
		err = decode_short(blob + prefix_len, path, len);
	if (err)
		return err;
	path[*len] = '\0';
	/* Two names must not stand for one path, so only the one that we would make is ours. */
	if (azure_name_encode(&again, prefix, path, *len) || strcmp(again.blob, blob))
		return -EILSEQ;
	return 0;
}

int azure_name_meta_path(const void *path, size_t len, char *out)
{
	if (len > AZURE_PATH_BYTES_MAX)
		return -ENAMETOOLONG;
	azure_base64_encode(out, path, len);
	return 0;
}

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool azure_container_name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len < 3 || len > 63 || !is_lower_alnum(name[0]) || !is_lower_alnum(name[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_lower_alnum(name[i]) && !(name[i] == '-' && name[i + 1] != '-'))
			return false;
	}
	return true;
}

bool azure_account_name_is_valid(const char *name)
{
	size_t len = strlen(name);

	return len >= 3 && len <= 24 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789") == len;
}
