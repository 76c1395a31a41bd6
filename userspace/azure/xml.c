/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "xml.h"

#include <errno.h>
#include <expat.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "response.h"
#include "text.h"
#include "xml_store.h"

#define DEPTH_MAX 8
#define NAME_MAX_BYTES 256
#define VALUE_BYTES_MAX ((size_t)64 << 10)

struct azure_xml {
	enum azure_xml_kind kind;
	XML_Parser parser;
	int error;			/* negative errno; stays */
	size_t bytes;
	unsigned int depth;
	char path[DEPTH_MAX][NAME_MAX_BYTES];	/* names of the open elements */
	bool is_encoded;		/* the open Name is percent-encoded */
	struct azure_text value;	/* text of the innermost open element */
	struct azure_store store;
	char code[AZURE_CODE_MAX];
	char message[256];
};

static void fail(struct azure_xml *xml, int error)
{
	if (!xml->error)
		xml->error = error;
	XML_StopParser(xml->parser, XML_FALSE);
}

static bool is_at(const struct azure_xml *xml, unsigned int level, const char *name)
{
	return xml->depth > level && !strcmp(xml->path[level], name);
}

/* Is the innermost open element the one of this path? */
static bool path_is(const struct azure_xml *xml, unsigned int depth, const char *const *names)
{
	if (xml->depth != depth)
		return false;
	for (unsigned int i = 0; i < depth; i++) {
		if (strcmp(xml->path[i], names[i]))
			return false;
	}
	return true;
}

static bool root_is_right(const struct azure_xml *xml)
{
	static const char *const roots[] = {
		[AZURE_XML_LIST] = "EnumerationResults",
		[AZURE_XML_BLOCK_LIST] = "BlockList",
		[AZURE_XML_ERROR] = "Error",
	};

	return !strcmp(xml->path[0], roots[xml->kind]);
}

static void XMLCALL on_start(void *arg, const char *name, const char **attributes)
{
	static const char *const blob[] = { "EnumerationResults", "Blobs", "Blob" };
	struct azure_xml *xml = arg;
	size_t len = strlen(name);
	int err = 0;

	if (xml->depth == DEPTH_MAX || len >= NAME_MAX_BYTES) {
		fail(xml, -EMSGSIZE);
		return;
	}
	memcpy(xml->path[xml->depth++], name, len + 1);
	azure_text_reset(&xml->value);
	if (xml->depth == 1 && !root_is_right(xml)) {
		fail(xml, -EBADMSG);
		return;
	}
	if (xml->kind == AZURE_XML_LIST && path_is(xml, 3, blob))
		err = azure_store_add_blob(&xml->store);
	else if (xml->kind == AZURE_XML_BLOCK_LIST && xml->depth == 3)
		err = azure_store_add_block(&xml->store, is_at(xml, 1, "CommittedBlocks"));
	xml->is_encoded = false;
	for (; *attributes; attributes += 2) {
		if (!strcmp(attributes[0], "Encoded") && !strcmp(attributes[1], "true"))
			xml->is_encoded = true;
	}
	if (err)
		fail(xml, err);
}

static int percent_decode(struct azure_text *text)
{
	size_t to = 0;

	for (size_t at = 0; at < text->len; at++) {
		char c = text->data[at];

		if (c == '%') {
			int high = azure_hex_any(text->data[at + 1]);
			int low = high >= 0 ? azure_hex_any(text->data[at + 2]) : -1;

			if (low < 0 || (high == 0 && low == 0))
				return -EBADMSG;
			c = (char)(high << 4 | low);
			at += 2;
		}
		text->data[to++] = c;
	}
	text->len = to;
	if (text->data)
		text->data[to] = '\0';
	return 0;
}

static int end_in_list(struct azure_xml *xml, const char *name, const char *value)
{
	static const char *const marker[] = { "EnumerationResults", "NextMarker" };

	if (path_is(xml, 2, marker))
		return azure_store_set_marker(&xml->store, value);
	if (!is_at(xml, 1, "Blobs") || !is_at(xml, 2, "Blob"))
		return 0;
	if (xml->depth == 4 && !strcmp(name, "Name")) {
		int err = xml->is_encoded ? percent_decode(&xml->value) : 0;

		return err ? err : azure_store_set_name(&xml->store, value);
	}
	if (xml->depth != 5)
		return 0;
	if (is_at(xml, 3, "Properties"))
		return azure_store_set_property(&xml->store, name, value);
	if (is_at(xml, 3, "Metadata"))
		return azure_store_add_meta(&xml->store, name, value);
	return 0;
}

static int end_in_block_list(struct azure_xml *xml, const char *name, const char *value)
{
	if (xml->depth != 4 || !is_at(xml, 2, "Block"))
		return 0;
	return azure_store_set_block(&xml->store, name, value);
}

static int end_in_error(struct azure_xml *xml, const char *name, const char *value)
{
	if (xml->depth != 2)
		return 0;
	if (!strcmp(name, "Code"))
		strncat(xml->code, value, sizeof(xml->code) - 1 - strlen(xml->code));
	else if (!strcmp(name, "Message"))
		strncat(xml->message, value, sizeof(xml->message) - 1 - strlen(xml->message));
	return 0;
}

static void XMLCALL on_end(void *arg, const char *name)
{
	struct azure_xml *xml = arg;
	const char *value = xml->value.len ? xml->value.data : "";
	int err;

	/* Callbacks that were already on their way are made even after a stop. */
	if (xml->error || !xml->depth)
		return;
	if (xml->kind == AZURE_XML_LIST)
		err = end_in_list(xml, name, value);
	else if (xml->kind == AZURE_XML_BLOCK_LIST)
		err = end_in_block_list(xml, name, value);
	else
		err = end_in_error(xml, name, value);
	xml->depth--;
	azure_text_reset(&xml->value);
	if (err)
		fail(xml, err);
}

static void XMLCALL on_text(void *arg, const char *text, int len)
{
	struct azure_xml *xml = arg;

	if (xml->error)
		return;
	if (xml->value.len + (size_t)len > VALUE_BYTES_MAX) {
		fail(xml, -EMSGSIZE);
		return;
	}
	azure_text_put(&xml->value, text, (size_t)len);
	if (xml->value.failed)
		fail(xml, -ENOMEM);
}

static void XMLCALL on_doctype(void *arg, const char *name, const char *system,
			       const char *public, int has_internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)has_internal;
	fail(arg, -EBADMSG);
}

static void set_handlers(struct azure_xml *xml)
{
	XML_SetUserData(xml->parser, xml);
	XML_SetElementHandler(xml->parser, on_start, on_end);
	XML_SetCharacterDataHandler(xml->parser, on_text);
	XML_SetStartDoctypeDeclHandler(xml->parser, on_doctype);
}

struct azure_xml *azure_xml_create(enum azure_xml_kind kind)
{
	struct azure_xml *xml = calloc(1, sizeof(*xml));

	if (!xml)
		return NULL;
	xml->kind = kind;
	xml->parser = XML_ParserCreate("UTF-8");
	if (!xml->parser) {
		free(xml);
		return NULL;
	}
	set_handlers(xml);
	return xml;
}

void azure_xml_free(struct azure_xml *xml)
{
	if (!xml)
		return;
	XML_ParserFree(xml->parser);
	azure_text_free(&xml->value);
	azure_store_free(&xml->store);
	free(xml);
}

void azure_xml_reset(struct azure_xml *xml)
{
	XML_ParserReset(xml->parser, "UTF-8");
	set_handlers(xml);
	xml->error = 0;
	xml->bytes = 0;
	xml->depth = 0;
	xml->code[0] = '\0';
	xml->message[0] = '\0';
	azure_text_reset(&xml->value);
	azure_store_reset(&xml->store);
}

static int feed(struct azure_xml *xml, const char *data, size_t len, int is_final)
{
	if (xml->error)
		return xml->error;
	if (len > AZURE_XML_BODY_MAX - xml->bytes) {
		xml->error = -EMSGSIZE;
		return xml->error;
	}
	xml->bytes += len;
	if (XML_Parse(xml->parser, data, (int)len, is_final) != XML_STATUS_OK && !xml->error)
		xml->error = XML_GetErrorCode(xml->parser) == XML_ERROR_NO_MEMORY ? -ENOMEM :
										   -EBADMSG;
	return xml->error;
}

int azure_xml_feed(struct azure_xml *xml, const char *data, size_t len)
{
	return feed(xml, data, len, 0);
}

int azure_xml_finish(struct azure_xml *xml)
{
	int err = feed(xml, "", 0, 1);

	if (!err)
		err = azure_store_finish(&xml->store);
	if (err && !xml->error)
		xml->error = err;
	return err;
}

const struct azure_list *azure_xml_list(const struct azure_xml *xml)
{
	return xml->kind == AZURE_XML_LIST ? &xml->store.list : NULL;
}

const struct azure_block_list *azure_xml_block_list(const struct azure_xml *xml)
{
	return xml->kind == AZURE_XML_BLOCK_LIST ? &xml->store.block_list : NULL;
}

const char *azure_xml_error_code(const struct azure_xml *xml)
{
	return xml->code;
}

const char *azure_xml_error_message(const struct azure_xml *xml)
{
	return xml->message;
}
