/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A Blob endpoint for measuring clients: it answers as they expect, remembers what was put (name,
 * size, MD5, metadata) and drops the bytes, so that the time that is measured is the client's.
 *
 * It believes every credential and checks no content. What it checks is what a client relies on:
 * conditions, block lists, containers that are there. One thread; nothing here is locked.
 *
 * Protocol: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api
 */
#ifndef AZS_TESTS_BENCH_SINK_H
#define AZS_TESTS_BENCH_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SINK_ACCOUNT "devstoreaccount1"
#define SINK_BLOCK_ID_MAX 96		/* base64 of at most 64 bytes, with the NUL */
#define SINK_ETAG_MAX 24
#define SINK_LIST_MAX 5000

/* ----------------------------------------------------------------- buffers */

/* Grows as needed and ends the program when memory is short; `data` has a NUL after `len`. */
struct buf {
	char *data;
	size_t len;
	size_t cap;
};

void buf_add(struct buf *b, const void *data, size_t len);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_add_xml(struct buf *b, const char *text);	/* escaped */
void buf_free(struct buf *b);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);

/* ---------------------------------------------------------------- requests */

/*
 * A request's head, cut in place: strings live as long as the connection's input is not moved, and
 * are "" when absent. Path and query values are decoded.
 */
struct request {
	const char *method;
	const char *container;
	const char *blob;		/* "" for the container, the account */
	const char *service;		/* of the server's own paths, /__stats; else "" */
	bool is_account;		/* /devstoreaccount1/ alone */

	const char *restype, *comp, *blockid, *prefix, *delimiter, *marker, *include;
	const char *maxresults;
	const char *if_match, *if_none_match;
	const char *content_md5, *blob_content_md5, *content_type;
	const char *version, *request_id, *tier;
	struct buf meta;		/* "name:value\n" each, names in lower case */

	bool has_length;
	uint64_t content_length;
	bool is_chunked;
	bool expects_continue;
	bool wants_close;
	uint64_t body_bytes;		/* that came */
};

/*
 * Cuts the head of @len bytes that ends in an empty line. 0, or the HTTP status to refuse it with.
 * The caller frees req->meta.
 */
int request_parse(struct request *req, char *head, size_t len);
/* The request's body is wanted, not dropped. */
bool request_keeps_body(const struct request *req);

/* ------------------------------------------------------------------- store */

struct block {
	char id[SINK_BLOCK_ID_MAX];
	uint64_t size;
};

struct blob {
	struct blob *next;		/* of the same hash */
	char *name;			/* CONTAINER/NAME */
	bool committed;
	uint64_t size;
	char md5[32];			/* base64 as given, or "" */
	char etag[SINK_ETAG_MAX];	/* with quotes */
	char *meta;			/* as in struct request */
	char *content_type;
	int64_t modified_s;
	struct block *blocks;		/* uncommitted */
	size_t nr_blocks;
};

bool store_has_container(const char *container);
bool store_add_container(const char *container);	/* false: it is there */
struct blob *store_find(const char *container, const char *name);	/* committed or not */
struct blob *store_get(const char *container, const char *name);	/* made when missing */
void store_remove(struct blob *blob);
void store_clear(void);
/* The committed blobs by name; *nr of them. Valid until the next change. */
struct blob **store_sorted(size_t *nr);
void store_drop_blocks(struct blob *blob);

/* ------------------------------------------------------------------ answers */

struct counters {
	uint64_t requests, body_bytes, connections, errors;
	uint64_t open, open_max;	/* connections at a time */
	uint64_t put_blob, put_block, put_block_list, head_blob, list, other;
};

extern struct counters counters;

/* Appends the answer to @req, whose body was @body if it was kept, to @out. */
void answer(struct buf *out, const struct request *req, const struct buf *body);
/* An answer to what could not be parsed; the connection is to be closed after it. */
void answer_refusal(struct buf *out, int status);

#endif
