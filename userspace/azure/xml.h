/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The three XML answers that are read: a listing of blobs, a block list, an error. Parsed as they
 * arrive; a document type declaration ends the parse, so that no entity is ever expanded.
 *
 * learn.microsoft.com/rest/api/storageservices/list-blobs, .../get-block-list,
 * .../status-and-error-codes2
 */
#ifndef AZURE_XML_H
#define AZURE_XML_H

#include <stddef.h>

#include "blob.h"

enum azure_xml_kind {
	AZURE_XML_LIST,
	AZURE_XML_BLOCK_LIST,
	AZURE_XML_ERROR,
};

struct azure_xml;

struct azure_xml *azure_xml_create(enum azure_xml_kind kind);	/* NULL: out of memory */
void azure_xml_free(struct azure_xml *xml);			/* NULL is fine */
/* As new. */
void azure_xml_reset(struct azure_xml *xml);

/*
 * The next piece of the document. -EBADMSG: not well-formed, or not what was expected;
 * -EMSGSIZE: beyond a bound; -ENOMEM. An error stays.
 */
int azure_xml_feed(struct azure_xml *xml, const char *data, size_t len)
	__attribute__((warn_unused_result));
/* After the last piece; the results may be asked for when it returns 0, until reset or free. */
int azure_xml_finish(struct azure_xml *xml) __attribute__((warn_unused_result));

const struct azure_list *azure_xml_list(const struct azure_xml *xml);
const struct azure_block_list *azure_xml_block_list(const struct azure_xml *xml);
/* "" where the document has none. */
const char *azure_xml_error_code(const struct azure_xml *xml);
const char *azure_xml_error_message(const struct azure_xml *xml);

#endif
