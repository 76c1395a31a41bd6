/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The operations: what is remembered, and what the client is told. */
#include "answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct counters counters;

void http_date(char out[HTTP_DATE_SIZE], int64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, HTTP_DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static const char *reason(int status)
{
	switch (status) {
	case 200: return "OK";
	case 201: return "Created";
	case 202: return "Accepted";
	case 400: return "Bad Request";
	case 404: return "Not Found";
	case 409: return "Conflict";
	case 412: return "Precondition Failed";
	case 431: return "Request Header Fields Too Large";
	case 501: return "Not Implemented";
	case 505: return "HTTP Version Not Supported";
	}
	return "Error";
}

/* The date is made once a second: it is the dearest part of an answer. */
static const char *date_now(void)
{
	static char text[HTTP_DATE_SIZE];
	static time_t last;
	time_t now = time(NULL);

	if (now != last) {
		http_date(text, now);
		last = now;
	}
	return text;
}

void answer_head(struct buf *out, const struct request *req, int status, uint64_t length)
{
	static uint64_t serial;

	buf_printf(out,
		   "HTTP/1.1 %d %s\r\nServer: sink\r\nDate: %s\r\nContent-Length: %" PRIu64 "\r\n"
		   "x-ms-request-id: 00000000-0000-0000-0000-%012" PRIx64 "\r\nx-ms-version: %s\r\n",
		   status, reason(status), date_now(), length, ++serial,
		   *req->version ? req->version : "2021-08-06");
	if (*req->request_id)
		buf_printf(out, "x-ms-client-request-id: %s\r\n", req->request_id);
	if (status >= 400)
		counters.errors++;
}

static void answer_end(struct buf *out)
{
	buf_add(out, "\r\n", 2);
}

static void answer_empty(struct buf *out, const struct request *req, int status)
{
	answer_head(out, req, status, 0);
	answer_end(out);
}

static void answer_error(struct buf *out, const struct request *req, int status, const char *code)
{
	struct buf body = { 0 };

	if (strcmp(req->method, "HEAD") != 0)
		buf_printf(&body,
			   "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code>"
			   "<Message>%s</Message></Error>", code, code);
	answer_head(out, req, status, body.len);
	buf_printf(out, "Content-Type: application/xml\r\nx-ms-error-code: %s\r\n\r\n", code);
	buf_add(out, body.data, body.len);
	buf_free(&body);
}

void answer_refusal(struct buf *out, int status)
{
	const struct request none = { .version = "", .request_id = "", .method = "" };

	counters.requests++;
	answer_error(out, &none, status, "InvalidInput");
}

static void answer_etag(struct buf *out, const struct blob *blob)
{
	char date[HTTP_DATE_SIZE];

	http_date(date, blob->modified_s);
	buf_printf(out, "ETag: %s\r\nLast-Modified: %s\r\n", blob->etag, date);
}

/* The condition's answer, or 0 when it holds. */
static int check_conditions(const struct request *req, const struct blob *blob, const char **code)
{
	bool is_there = blob && blob->committed;

	if (strcmp(req->if_none_match, "*") == 0 && is_there) {
		*code = "BlobAlreadyExists";
		return 409;
	}
	*code = "ConditionNotMet";
	if (*req->if_match && (!is_there || (strcmp(req->if_match, "*") != 0 &&
					     strcmp(req->if_match, blob->etag) != 0)))
		return 412;
	return 0;
}

/* The blob has new content: what goes with it comes from the request. */
static void commit(struct blob *blob, const struct request *req, uint64_t size, const char *md5)
{
	static uint64_t serial = 0x8D000000000;

	snprintf(blob->md5, sizeof(blob->md5), "%s", md5);
	snprintf(blob->etag, sizeof(blob->etag), "\"0x%" PRIX64 "\"", ++serial);
	free(blob->meta);
	blob->meta = xstrdup(req->meta.data ? req->meta.data : "");
	free(blob->content_type);
	blob->content_type =
		xstrdup(*req->content_type ? req->content_type : "application/octet-stream");
	blob->size = size;
	blob->modified_s = time(NULL);
	blob->committed = true;
	store_drop_blocks(blob);
}

static void put_blob(struct buf *out, const struct request *req)
{
	const char *md5 = *req->blob_content_md5 ? req->blob_content_md5 : req->content_md5;
	struct blob *blob;

	counters.put_blob++;
	blob = store_get(req->container, req->blob);
	commit(blob, req, req->body_bytes, md5);
	answer_head(out, req, 201, 0);
	answer_etag(out, blob);
	if (*md5)
		buf_printf(out, "Content-MD5: %s\r\n", md5);
	buf_printf(out, "x-ms-request-server-encrypted: true\r\n\r\n");
}

static struct block *find_block(struct blob *blob, const char *id)
{
	for (size_t i = 0; i < blob->nr_blocks; i++) {
		if (strcmp(blob->blocks[i].id, id) == 0)
			return &blob->blocks[i];
	}
	return NULL;
}

static void put_block(struct buf *out, const struct request *req)
{
	struct blob *blob = store_get(req->container, req->blob);
	struct block *block;

	counters.put_block++;
	if (!*req->blockid || strlen(req->blockid) >= SINK_BLOCK_ID_MAX ||
	    (blob->nr_blocks && strlen(blob->blocks[0].id) != strlen(req->blockid))) {
		answer_error(out, req, 400, "InvalidBlobOrBlock");
		return;
	}
	block = find_block(blob, req->blockid);
	if (!block) {
		blob->blocks = xrealloc(blob->blocks, (blob->nr_blocks + 1) * sizeof(*block));
		block = &blob->blocks[blob->nr_blocks++];
		strcpy(block->id, req->blockid);
	}
	block->size = req->body_bytes;
	answer_head(out, req, 201, 0);
	if (*req->content_md5)
		buf_printf(out, "Content-MD5: %s\r\n", req->content_md5);
	buf_printf(out, "x-ms-request-server-encrypted: true\r\n\r\n");
}

/* <BlockList><Latest>ID</Latest>..: the sum of the blocks, or false for one that is not there. */
static bool sum_blocks(struct blob *blob, const char *xml, uint64_t *size)
{
	static const char *const tags[] = { "<Latest>", "<Uncommitted>" };

	*size = 0;
	while ((xml = strchr(xml, '<'))) {
		char id[SINK_BLOCK_ID_MAX];
		struct block *block;
		size_t skip = 0, len;

		for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
			if (strncmp(xml, tags[i], strlen(tags[i])) == 0)
				skip = strlen(tags[i]);
		}
		if (strncmp(xml, "<Committed>", 11) == 0)
			return false;	/* of what was committed no blocks are kept */
		if (!skip) {
			xml++;
			continue;
		}
		xml += skip;
		len = strcspn(xml, "<");
		if (len >= sizeof(id))
			return false;
		memcpy(id, xml, len);
		id[len] = '\0';
		block = find_block(blob, id);
		if (!block)
			return false;
		*size += block->size;
	}
	return true;
}

static void put_block_list(struct buf *out, const struct request *req, const struct buf *body)
{
	struct blob *blob = store_get(req->container, req->blob);
	uint64_t size;

	counters.put_block_list++;
	if (!sum_blocks(blob, body->data ? body->data : "", &size)) {
		answer_error(out, req, 400, "InvalidBlockList");
		return;
	}
	commit(blob, req, size, req->blob_content_md5);
	answer_head(out, req, 201, 0);
	answer_etag(out, blob);
	buf_printf(out, "x-ms-request-server-encrypted: true\r\n\r\n");
}

static void get_block_list(struct buf *out, const struct request *req, const struct blob *blob)
{
	struct buf xml = { 0 };

	buf_printf(&xml, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList><CommittedBlocks/>"
			 "<UncommittedBlocks>");
	for (size_t i = 0; i < blob->nr_blocks; i++)
		buf_printf(&xml, "<Block><Name>%s</Name><Size>%" PRIu64 "</Size></Block>",
			   blob->blocks[i].id, blob->blocks[i].size);
	buf_printf(&xml, "</UncommittedBlocks></BlockList>");
	answer_head(out, req, 200, xml.len);
	buf_printf(out, "Content-Type: application/xml\r\n\r\n");
	buf_add(out, xml.data, xml.len);
	buf_free(&xml);
}

static void head_blob(struct buf *out, const struct request *req, const struct blob *blob)
{
	char created[HTTP_DATE_SIZE];

	counters.head_blob++;
	answer_head(out, req, 200, blob->size);
	answer_etag(out, blob);
	http_date(created, blob->modified_s);
	buf_printf(out,
		   "Content-Type: %s\r\nx-ms-blob-type: BlockBlob\r\nx-ms-creation-time: %s\r\n"
		   "x-ms-lease-state: available\r\nx-ms-lease-status: unlocked\r\n"
		   "x-ms-access-tier: Hot\r\nx-ms-access-tier-inferred: true\r\n"
		   "Accept-Ranges: bytes\r\nx-ms-server-encrypted: true\r\n",
		   blob->content_type, created);
	if (*blob->md5)
		buf_printf(out, "Content-MD5: %s\r\n", blob->md5);
	for (const char *line = blob->meta; *line; line += strcspn(line, "\n") + 1) {
		const char *colon = strchr(line, ':');

		buf_printf(out, "x-ms-meta-%.*s: %.*s\r\n", (int)(colon - line), line,
			   (int)strcspn(colon + 1, "\n"), colon + 1);
	}
	answer_end(out);
}

static void answer_account(struct buf *out, const struct request *req)
{
	answer_head(out, req, 200, 0);
	buf_printf(out, "x-ms-sku-name: Standard_LRS\r\nx-ms-account-kind: StorageV2\r\n"
			"x-ms-is-hns-enabled: false\r\n\r\n");
}

static void answer_container(struct buf *out, const struct request *req)
{
	bool is_there = store_has_container(req->container);

	if (strcmp(req->method, "PUT") == 0 && !*req->comp) {
		if (!store_add_container(req->container)) {
			answer_error(out, req, 409, "ContainerAlreadyExists");
			return;
		}
	} else if (!is_there) {
		answer_error(out, req, 404, "ContainerNotFound");
		return;
	} else if (strcmp(req->method, "GET") == 0 && strcmp(req->comp, "list") == 0) {
		answer_list(out, req);
		return;
	} else if (strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0) {
		answer_error(out, req, 501, "NotImplemented");
		return;
	}
	answer_head(out, req, is_there ? 200 : 201, 0);
	buf_printf(out, "ETag: \"0x8D0\"\r\nLast-Modified: %s\r\n\r\n", date_now());
}

/* Operations on a blob that has to be there. */
static void answer_existing(struct buf *out, const struct request *req, struct blob *blob)
{
	if (!blob || (!blob->committed && strcmp(req->comp, "blocklist") != 0)) {
		answer_error(out, req, 404, "BlobNotFound");
	} else if (strcmp(req->method, "HEAD") == 0 && !*req->comp) {
		head_blob(out, req, blob);
	} else if (strcmp(req->method, "GET") == 0 && strcmp(req->comp, "blocklist") == 0) {
		get_block_list(out, req, blob);
	} else if (strcmp(req->method, "DELETE") == 0 && !*req->comp) {
		store_remove(blob);
		answer_empty(out, req, 202);
	} else if (strcmp(req->method, "PUT") == 0 && strcmp(req->comp, "metadata") == 0) {
		free(blob->meta);
		blob->meta = xstrdup(req->meta.data ? req->meta.data : "");
		answer_head(out, req, 200, 0);
		answer_etag(out, blob);
		answer_end(out);
	} else {
		answer_error(out, req, 501, "NotImplemented");	/* content was dropped */
	}
}

static void answer_blob(struct buf *out, const struct request *req, const struct buf *body)
{
	struct blob *blob = store_find(req->container, req->blob);
	bool is_put = strcmp(req->method, "PUT") == 0;
	const char *code;
	int status;

	if (!store_has_container(req->container)) {
		answer_error(out, req, 404, "ContainerNotFound");
		return;
	}
	if (is_put && strcmp(req->comp, "block") == 0) {
		put_block(out, req);	/* knows no conditions */
		return;
	}
	status = check_conditions(req, blob, &code);
	if (status)
		answer_error(out, req, status, code);
	else if (is_put && !*req->comp)
		put_blob(out, req);
	else if (is_put && strcmp(req->comp, "blocklist") == 0)
		put_block_list(out, req, body);
	else
		answer_existing(out, req, blob);
}

void answer(struct buf *out, const struct request *req, const struct buf *body)
{
	uint64_t of_kind = counters.put_blob + counters.put_block + counters.put_block_list +
			   counters.head_blob + counters.list;

	if (*req->service) {
		answer_service(out, req);
		return;
	}
	counters.requests++;
	counters.body_bytes += req->body_bytes;
	if (strcmp(req->restype, "account") == 0)
		answer_account(out, req);
	else if (req->is_account)
		answer_error(out, req, 501, "NotImplemented");
	else if (!*req->blob)
		answer_container(out, req);
	else
		answer_blob(out, req, body);
	if (of_kind == counters.put_blob + counters.put_block + counters.put_block_list +
			       counters.head_blob + counters.list)
		counters.other++;
}
