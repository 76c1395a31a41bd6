/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One request, from its submission to its completion. blob.c makes it, client.c owns its life,
 * http.c carries out each try. What does not change between tries — URL, header lines, canonical
 * resource — is built once; a try fills in date and signature in place.
 *
 * Ownership: the client's lists hold the request; azure_request_free() after the completion.
 */
#ifndef AZURE_REQUEST_H
#define AZURE_REQUEST_H

#include "auth.h"
#include "blob.h"
#include "response.h"
#include "target_internal.h"
#include "text.h"

#define AZURE_REQUEST_META_MAX 64
#define AZURE_REQUEST_HEADERS_MAX (AZURE_REQUEST_META_MAX + 20)

enum azure_verb {
	AZURE_VERB_GET,
	AZURE_VERB_HEAD,
	AZURE_VERB_PUT,
	AZURE_VERB_DELETE,
};

enum azure_request_state {
	AZURE_REQUEST_READY,	/* to be started at the next run */
	AZURE_REQUEST_ACTIVE,	/* with http.c */
	AZURE_REQUEST_WAITING,	/* for its next try */
};

/* A line of azure_request.lines, by offset: the memory moves while it grows. */
struct azure_header {
	uint32_t line;
	uint32_t name_len;	/* two characters, then the value */
	uint32_t value_len;
	bool is_absent;		/* reserved, and not sent by this try */
};

struct azure_request {
	struct azure_client *client;
	struct azure_target *target;
	struct azure_request *prev, *next;
	enum azure_request_state state;
	bool is_cancelled;

	/* What is asked, fixed when the request is sealed. */
	enum azure_verb verb;
	bool is_container;
	bool if_none_match;
	struct azure_text url;
	struct azure_text resource;	/* canonical; for Shared Key */
	struct azure_text lines;	/* "name: value\0", one after the other */
	struct azure_header headers[AZURE_REQUEST_HEADERS_MAX];
	size_t n_headers;
	size_t n_ms;			/* the first ones, x-ms-*, sorted */
	int content_md5, content_type, header_if_match, header_if_none_match;	/* or -1 */
	int date, range, authorization;	/* those that a try fills in, or -1 */
	struct azure_body body;
	struct azure_text body_text;	/* of those that azure/ makes itself */
	struct iovec *iov;
	azure_sink_fn sink;
	void *sink_arg;
	uint64_t range_start, range_length;	/* of Get Blob */

	azure_done_fn done;
	void *done_arg;
	unsigned int max_tries;

	/* Of the try, and what is kept from one to the next. */
	unsigned int tries;
	int64_t due_ms;			/* WAITING: monotonic clock */
	bool earlier_maybe_done;
	uint64_t received;		/* handed to the sink so far */
	char first_etag[AZURE_ETAG_MAX];	/* of the blob that the sink has a part of */
	int callback_errno;		/* what a body callback or the sink returned; positive */
	bool sink_failed;
	struct azure_reply reply;
	void *transfer;			/* http.c's, while ACTIVE */
};

/* Header lines grow by this; -EINVAL when @value cannot stand in a header. */
int azure_request_add_header(struct azure_request *request, const char *name, const char *value)
	__attribute__((warn_unused_result));

struct azure_request *azure_request_create(struct azure_client *client,
					   struct azure_target *target, enum azure_verb verb);
void azure_request_free(struct azure_request *request);

/*
 * URL and canonical resource: of @blob, or of the container when NULL; @parameters as for
 * azure_sign_put_resource().
 */
int azure_request_set_resource(struct azure_request *request, const char *blob,
			       const struct azure_parameter *parameters, size_t n)
	__attribute__((warn_unused_result));
/* After the last header: puts in what every request has, sorts, checks the order. */
int azure_request_seal(struct azure_request *request) __attribute__((warn_unused_result));
/* Before each try: date, range, signature. -ENOMEM. */
int azure_request_sign(struct azure_request *request, int64_t now_s)
	__attribute__((warn_unused_result));
/* The line of header @index as libcurl takes it. */
const char *azure_request_line(const struct azure_request *request, size_t index);

/*
 * client.c: takes the sealed request, whose completion will be called. -ESHUTDOWN: the client is
 * going away, and the request is still the caller's.
 */
int azure_client_submit(struct azure_client *client, struct azure_request *request)
	__attribute__((warn_unused_result));

#endif
