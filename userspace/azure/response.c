/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "response.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "encode.h"
#include "xml.h"

struct slice {
	const char *at;
	size_t len;
};

typedef void (*header_fn)(struct azure_reply *reply, struct slice value);

static void copy_text(char *to, size_t size, struct slice value)
{
	size_t n = value.len;

	for (size_t i = 0; i < n; i++) {
		if (value.at[i] < ' ' || value.at[i] > '~')
			n = 0;
	}
	/* Half an ETag is worse than none. */
	if (n >= size)
		n = 0;
	memcpy(to, value.at, n);
	to[n] = '\0';
}

/* False, and *n zero, unless the whole value is a number of at most @max_digits. */
static bool parse_number(struct slice value, size_t max_digits, uint64_t *n)
{
	uint64_t sum = 0;

	*n = 0;
	if (!value.len || value.len > max_digits)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return false;
		sum = sum * 10 + (uint64_t)(value.at[i] - '0');
	}
	*n = sum;
	return true;
}

static uint64_t number(struct slice value)
{
	uint64_t n;

	parse_number(value, 19, &n);
	return n;
}

static void on_length(struct azure_reply *reply, struct slice value)
{
	reply->response.content_length = number(value);
	if (!reply->has_range)
		reply->response.blob_size = reply->response.content_length;
}

static void on_md5(struct azure_reply *reply, struct slice value)
{
	reply->response.has_md5 = azure_base64_decode(reply->response.md5, AZURE_MD5_BYTES,
						      value.at, value.len) == AZURE_MD5_BYTES;
}

/* "bytes 0-99/1234" */
static void on_range(struct azure_reply *reply, struct slice value)
{
	const char *slash = memchr(value.at, '/', value.len);
	const char *dash = memchr(value.at, '-', value.len);

	if (value.len < 6 || strncmp(value.at, "bytes ", 6) || !slash || !dash)
		return;
	reply->has_range = true;
	reply->range_at = number((struct slice){ value.at + 6, (size_t)(dash - value.at) - 6 });
	reply->response.blob_size = number(
		(struct slice){ slash + 1, (size_t)(value.at + value.len - slash) - 1 });
}

static void on_date(struct azure_reply *reply, struct slice value)
{
	reply->response.date_s = azure_http_date_parse(value.at, value.len);
}

static void on_modified(struct azure_reply *reply, struct slice value)
{
	reply->response.last_modified_s = azure_http_date_parse(value.at, value.len);
}

static void on_type(struct azure_reply *reply, struct slice value)
{
	reply->response.is_block_blob = value.len == 9 && !memcmp(value.at, "BlockBlob", 9);
}

static void on_retry_after_s(struct azure_reply *reply, struct slice value)
{
	uint64_t seconds;

	/* A date may stand there too; then our own delay has to do. */
	if (reply->retry_after_ms < 0 && parse_number(value, 9, &seconds))
		reply->retry_after_ms = (int64_t)seconds * 1000;
}

static void on_retry_after_ms(struct azure_reply *reply, struct slice value)
{
	uint64_t ms;

	if (parse_number(value, 12, &ms))
		reply->retry_after_ms = (int64_t)ms;
}

/* A header that is copied as it is, or one with a function of its own. */
static const struct known_header {
	const char *name;
	header_fn fn;
	size_t offset;
	size_t size;
} known_headers[] = {
#define TEXT(name, member)                                                                         \
	{ name, NULL, offsetof(struct azure_reply, member),                                        \
	  sizeof(((struct azure_reply *)NULL)->member) }
	TEXT("etag", response.etag),
	TEXT("x-ms-error-code", code),
	TEXT("x-ms-request-id", response.request_id),
	TEXT("x-ms-version-id", response.version_id),
	TEXT("x-ms-access-tier", response.tier),
	TEXT("x-ms-archive-status", response.archive_status),
	TEXT("x-ms-copy-status", response.copy_status),
#undef TEXT
	{ "content-length", on_length, 0, 0 },
	{ "content-md5", on_md5, 0, 0 },
	{ "content-range", on_range, 0, 0 },
	{ "date", on_date, 0, 0 },
	{ "last-modified", on_modified, 0, 0 },
	{ "x-ms-blob-type", on_type, 0, 0 },
	{ "retry-after", on_retry_after_s, 0, 0 },
	{ "retry-after-ms", on_retry_after_ms, 0, 0 },
	{ "x-ms-retry-after-ms", on_retry_after_ms, 0, 0 },
};

void azure_reply_init(struct azure_reply *reply)
{
	reply->retry_after_ms = -1;
	reply->response.meta = reply->meta;
}

void azure_reply_reset(struct azure_reply *reply)
{
	for (size_t i = 0; i < reply->response.n_meta; i++)
		free(reply->meta_text[i]);
	memset(&reply->response, 0, sizeof(reply->response));
	reply->response.meta = reply->meta;
	reply->code[0] = '\0';
	reply->retry_after_ms = -1;
	reply->range_at = 0;
	reply->has_range = false;
	reply->meta_bytes = 0;
	azure_text_reset(&reply->error_body);
	if (reply->xml)
		azure_xml_reset(reply->xml);
}

void azure_reply_free(struct azure_reply *reply)
{
	for (size_t i = 0; i < reply->response.n_meta; i++)
		free(reply->meta_text[i]);
	reply->response.n_meta = 0;
	azure_text_free(&reply->error_body);
	azure_xml_free(reply->xml);
	reply->xml = NULL;
}

static int add_meta(struct azure_reply *reply, struct slice name, struct slice value)
{
	struct azure_response *response = &reply->response;
	char *text;

	if (response->n_meta == AZURE_REPLY_META_MAX ||
	    reply->meta_bytes + name.len + value.len > AZURE_REPLY_META_BYTES_MAX)
		return -EMSGSIZE;
	text = malloc(name.len + value.len + 2);
	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < name.len; i++)
		text[i] = name.at[i] >= 'A' && name.at[i] <= 'Z' ? (char)(name.at[i] | 0x20) :
								     name.at[i];
	text[name.len] = '\0';
	memcpy(text + name.len + 1, value.at, value.len);
	text[name.len + 1 + value.len] = '\0';
	reply->meta_text[response->n_meta] = text;
	reply->meta[response->n_meta++] = (struct azure_meta){ text, text + name.len + 1 };
	reply->meta_bytes += name.len + value.len;
	return 0;
}

int azure_reply_header(struct azure_reply *reply, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	struct slice name = { line, colon ? (size_t)(colon - line) : 0 };
	struct slice value;

	if (!colon)
		return 0;
	value = (struct slice){ colon + 1, len - name.len - 1 };
	while (value.len && (*value.at == ' ' || *value.at == '\t')) {
		value.at++;
		value.len--;
	}
	while (value.len && strchr(" \t\r\n", value.at[value.len - 1]))
		value.len--;

	if (name.len > 10 && !strncasecmp(name.at, "x-ms-meta-", 10))
		return add_meta(reply, (struct slice){ name.at + 10, name.len - 10 }, value);
	for (size_t i = 0; i < sizeof(known_headers) / sizeof(*known_headers); i++) {
		const struct known_header *known = &known_headers[i];

		if (strncasecmp(known->name, name.at, name.len) || known->name[name.len])
			continue;
		if (known->fn)
			known->fn(reply, value);
		else
			copy_text((char *)reply + known->offset, known->size, value);
		break;
	}
	return 0;
}

const char *azure_meta_find(const struct azure_meta *meta, size_t n_meta, const char *name)
{
	for (size_t i = 0; i < n_meta; i++) {
		if (!strcmp(meta[i].name, name))
			return meta[i].value;
	}
	return NULL;
}
