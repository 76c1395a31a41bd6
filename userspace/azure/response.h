/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What comes back on one try: headers into an azure_response, bodies into the parser that the
 * request asked for. The text is hostile; everything has a bound.
 */
#ifndef AZURE_RESPONSE_H
#define AZURE_RESPONSE_H

#include "blob.h"
#include "text.h"

#define AZURE_REPLY_META_MAX 256
#define AZURE_REPLY_META_BYTES_MAX 65536
#define AZURE_ERROR_BODY_MAX 65536
#define AZURE_XML_BODY_MAX ((size_t)64 << 20)

struct azure_xml;

struct azure_reply {
	struct azure_response response;	/* without error and tries */
	char code[AZURE_CODE_MAX];	/* x-ms-error-code */
	int64_t retry_after_ms;		/* -1: none */
	uint64_t range_at;		/* Content-Range: where the body begins */
	bool has_range;
	struct azure_text error_body;
	struct azure_xml *xml;		/* NULL: this answer has no body that is read */

	char *meta_text[AZURE_REPLY_META_MAX];	/* owns response.meta's strings */
	struct azure_meta meta[AZURE_REPLY_META_MAX];
	size_t meta_bytes;
};

void azure_reply_init(struct azure_reply *reply);
void azure_reply_free(struct azure_reply *reply);
/* Before a try, and when a further block of headers begins (100, 103). */
void azure_reply_reset(struct azure_reply *reply);
/* One header, as it came, with or without the line's end. -EMSGSIZE: more than is allowed. */
int azure_reply_header(struct azure_reply *reply, const char *line, size_t len)
	__attribute__((warn_unused_result));

#endif
