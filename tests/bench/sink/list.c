/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Listings, the service's and the benchmark's own. */
#include "answer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void list_blob(struct buf *xml, const struct blob *blob, const char *name, bool with_meta)
{
	char date[HTTP_DATE_SIZE];

	http_date(date, blob->modified_s);
	buf_printf(xml, "<Blob><Name>");
	buf_add_xml(xml, name);
	buf_printf(xml,
		   "</Name><Properties><Creation-Time>%s</Creation-Time><Last-Modified>%s"
		   "</Last-Modified><Etag>%.*s</Etag><Content-Length>%" PRIu64 "</Content-Length>"
		   "<Content-Type>%s</Content-Type>",
		   date, date, (int)strlen(blob->etag) - 2, blob->etag + 1, blob->size,
		   blob->content_type);
	if (*blob->md5)
		buf_printf(xml, "<Content-MD5>%s</Content-MD5>", blob->md5);
	buf_printf(xml, "<BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>"
			"<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>"
			"<ServerEncrypted>true</ServerEncrypted></Properties>");
	if (with_meta && *blob->meta) {
		buf_printf(xml, "<Metadata>");
		for (const char *line = blob->meta; *line; line += strcspn(line, "\n") + 1) {
			int name_len = (int)(strchr(line, ':') - line);
			int len = (int)strcspn(line, "\n") - name_len - 1;
			struct buf value = { 0 };

			buf_add(&value, line + name_len + 1, (size_t)len);
			buf_printf(xml, "<%.*s>", name_len, line);
			buf_add_xml(xml, value.data);
			buf_printf(xml, "</%.*s>", name_len, line);
			buf_free(&value);
		}
		buf_printf(xml, "</Metadata>");
	}
	buf_printf(xml, "</Blob>");
}

/*
 * Names from the marker on. With a delimiter, what has it after the prefix is told once, as a
 * BlobPrefix. Returns the marker of the next page, or "".
 */
static const char *list_page(struct buf *xml, const struct request *req)
{
	size_t container_len = strlen(req->container), prefix_len = strlen(req->prefix), nr;
	struct blob **blobs = store_sorted(&nr);
	unsigned long max = strtoul(req->maxresults, NULL, 10), n = 0;
	const char *last = NULL;
	size_t last_len = 0;

	if (max == 0 || max > SINK_LIST_MAX)
		max = SINK_LIST_MAX;
	for (size_t i = 0; i < nr; i++) {
		const char *name = blobs[i]->name + container_len + 1, *cut;

		if (strncmp(blobs[i]->name, req->container, container_len) != 0 ||
		    blobs[i]->name[container_len] != '/' ||
		    strncmp(name, req->prefix, prefix_len) != 0 || strcmp(name, req->marker) < 0)
			continue;
		cut = *req->delimiter ? strstr(name + prefix_len, req->delimiter) : NULL;
		if (cut && last && strncmp(name, last, last_len) == 0)
			continue;
		if (n++ == max)
			return name;
		if (!cut) {
			list_blob(xml, blobs[i], name, strstr(req->include, "metadata"));
			continue;
		}
		last = name;
		last_len = (size_t)(cut - name) + strlen(req->delimiter);
		struct buf text = { 0 };

		buf_add(&text, last, last_len);
		buf_printf(xml, "<BlobPrefix><Name>");
		buf_add_xml(xml, text.data);
		buf_printf(xml, "</Name></BlobPrefix>");
		buf_free(&text);
	}
	return "";
}

void answer_list(struct buf *out, const struct request *req)
{
	struct buf xml = { 0 };
	const char *next;

	counters.list++;
	buf_printf(&xml, "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults "
			 "ServiceEndpoint=\"http://127.0.0.1/" SINK_ACCOUNT "\" ContainerName=\"%s\">"
			 "<Blobs>", req->container);
	next = list_page(&xml, req);
	buf_printf(&xml, "</Blobs><NextMarker>");
	buf_add_xml(&xml, next);
	buf_printf(&xml, "</NextMarker></EnumerationResults>");
	answer_head(out, req, 200, xml.len);
	buf_printf(out, "Content-Type: application/xml\r\n\r\n");
	buf_add(out, xml.data, xml.len);
	buf_free(&xml);
}

static void service_stats(struct buf *text)
{
	const struct counters *c = &counters;

	buf_printf(text,
		   "{\"requests\": %" PRIu64 ", \"body_bytes\": %" PRIu64 ", \"connections\": %" PRIu64
		   ", \"connections_max\": %" PRIu64 ", \"errors\": %" PRIu64 ", \"put_blob\": %" PRIu64
		   ", \"put_block\": %" PRIu64 ", \"put_block_list\": %" PRIu64 ", \"head_blob\": %" PRIu64
		   ", \"list\": %" PRIu64 ", \"other\": %" PRIu64 "}\n",
		   c->requests, c->body_bytes, c->connections, c->open_max, c->errors, c->put_blob,
		   c->put_block, c->put_block_list, c->head_blob, c->list, c->other);
}

static void service_list(struct buf *text)
{
	size_t nr;
	struct blob **blobs = store_sorted(&nr);

	for (size_t i = 0; i < nr; i++)
		buf_printf(text, "%" PRIu64 " %s %s\n", blobs[i]->size,
			   *blobs[i]->md5 ? blobs[i]->md5 : "-", blobs[i]->name);
}

void answer_service(struct buf *out, const struct request *req)
{
	uint64_t open = counters.open;
	struct buf text = { 0 };
	int status = 200;

	if (strcmp(req->service, "__stats") == 0) {
		service_stats(&text);
	} else if (strcmp(req->service, "__list") == 0) {
		service_list(&text);
	} else if (strcmp(req->service, "__reset") == 0 && strcmp(req->method, "POST") == 0) {
		store_clear();
		memset(&counters, 0, sizeof(counters));
		counters.open = open;
	} else {
		status = 404;
	}
	answer_head(out, req, status, text.len);
	buf_printf(out, "Content-Type: text/plain\r\n\r\n");
	buf_add(out, text.data, text.len);
	buf_free(&text);
}
