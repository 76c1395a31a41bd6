/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Each operation as the service's reference has it: learn.microsoft.com/rest/api/storageservices/
 * operations-on-blobs, operations-on-containers
 */
#include "blob.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "encode.h"
#include "names.h"
#include "request.h"
#include "xml.h"

/* Long enough for all tries of one copy, short enough to be worth little to a finder. */
#define COPY_SAS_S 1800
#define DEFAULT_TYPE "application/octet-stream"

/*
 * An operation is a chain of steps, of which the first that fails decides: `err` sticks, and the
 * steps after it do nothing.
 */
struct builder {
	struct azure_request *request;
	int err;
};

static struct builder begin(struct azure_client *client, struct azure_target *target,
			    enum azure_verb verb)
{
	struct builder b = { .request = azure_request_create(client, target, verb) };

	b.err = b.request ? 0 : -ENOMEM;
	return b;
}

static bool blob_name_fits(const char *blob)
{
	size_t len = strlen(blob);

	return len && len <= AZURE_NAME_BYTES_MAX && *blob != '/';
}

static void resource(struct builder *b, const char *blob, const struct azure_parameter *parameters,
		     size_t n)
{
	if (!b->err && blob && !blob_name_fits(blob))
		b->err = -EINVAL;
	if (!b->err)
		b->err = azure_request_set_resource(b->request, blob, parameters, n);
}

/* NULL and "" are left out. */
static void header(struct builder *b, const char *name, const char *value)
{
	if (!b->err && value && *value)
		b->err = azure_request_add_header(b->request, name, value);
}

static void md5_header(struct builder *b, const char *name, const uint8_t *md5)
{
	char text[AZURE_BASE64_SIZE(AZURE_MD5_BYTES)];

	if (!md5)
		return;
	azure_base64_encode(text, md5, AZURE_MD5_BYTES);
	header(b, name, text);
}

/* An ETag that somebody has lost must not make a write unconditional. */
static void condition(struct builder *b, const char *name, const char *value)
{
	if (!b->err && value && !*value)
		b->err = -EINVAL;
	header(b, name, value);
}

static void conditions(struct builder *b, const struct azure_conditions *cond)
{
	if (!cond)
		return;
	condition(b, "If-Match", cond->if_match);
	condition(b, "If-None-Match", cond->if_none_match);
}

static bool meta_name_fits(const char *name)
{
	size_t len = strlen(name);

	return len && len <= 128 && !(name[0] >= '0' && name[0] <= '9') &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static void metadata(struct builder *b, const struct azure_blob_options *options)
{
	char name[sizeof("x-ms-meta-") + 128] = "x-ms-meta-";
	size_t bytes = 0;

	if (!options)
		return;
	if (options->n_meta > AZURE_REQUEST_META_MAX)
		b->err = -EINVAL;
	for (size_t i = 0; i < options->n_meta && !b->err; i++) {
		const struct azure_meta *meta = &options->meta[i];

		bytes += strlen(meta->name) + strlen(meta->value);
		if (!meta_name_fits(meta->name) || bytes > AZURE_METADATA_BYTES_MAX) {
			b->err = -EINVAL;
			return;
		}
		strcpy(name + strlen("x-ms-meta-"), meta->name);
		b->err = azure_request_add_header(b->request, name, meta->value);
	}
}

static void tier(struct builder *b, const char *wanted)
{
	static const char *const tiers[] = { "Hot", "Cool", "Cold", "Archive" };

	if (b->err || !wanted || !*wanted)
		return;
	for (size_t i = 0; i < sizeof(tiers) / sizeof(*tiers); i++) {
		if (!strcasecmp(wanted, tiers[i])) {
			header(b, "x-ms-access-tier", tiers[i]);
			return;
		}
	}
	b->err = -EINVAL;
}

static void body(struct builder *b, const struct azure_body *from, uint64_t most)
{
	struct azure_request *request = b->request;
	const void *source;

	if (b->err || !from)
		return;
	source = from->data ? from->data : (const void *)from->iov;
	if (from->length > most ||
	    (from->length && !source && !from->read && !from->use_fd)) {
		b->err = -EINVAL;
		return;
	}
	request->body = *from;
	if (from->data || !from->iov)
		return;
	request->iov = malloc((from->n_iov + 1) * sizeof(*request->iov));
	if (!request->iov) {
		b->err = -ENOMEM;
		return;
	}
	memcpy(request->iov, from->iov, from->n_iov * sizeof(*request->iov));
	request->body.iov = request->iov;
}

static void answer(struct builder *b, enum azure_xml_kind kind)
{
	if (b->err)
		return;
	b->request->reply.xml = azure_xml_create(kind);
	if (!b->request->reply.xml)
		b->err = -ENOMEM;
}

static int submit(struct builder *b, const struct azure_call *call)
{
	if (!b->err && !call->done)
		b->err = -EINVAL;
	if (!b->err)
		b->err = azure_request_seal(b->request);
	if (!b->err) {
		b->request->done = call->done;
		b->request->done_arg = call->arg;
		b->request->max_tries = call->max_tries;
		b->err = azure_client_submit(b->request->client, b->request);
	}
	if (b->err) {
		azure_request_free(b->request);
		return b->err;
	}
	if (call->handle)
		*call->handle = b->request;
	return 0;
}

#define PARAMETERS(p) (p), sizeof(p) / sizeof(*(p))

/* ---------------------------------------------------------------- containers */

static const struct azure_parameter container_parameters[] = { { "restype", "container" } };

static int container_operation(struct azure_client *client, struct azure_target *target,
			       enum azure_verb verb, const struct azure_call *call)
{
	struct builder b = begin(client, target, verb);

	resource(&b, NULL, PARAMETERS(container_parameters));
	return submit(&b, call);
}

int azure_create_container(struct azure_client *client, struct azure_target *target,
			   const struct azure_call *call)
{
	return container_operation(client, target, AZURE_VERB_PUT, call);
}

int azure_get_container_properties(struct azure_client *client, struct azure_target *target,
				   const struct azure_call *call)
{
	return container_operation(client, target, AZURE_VERB_HEAD, call);
}

int azure_delete_container(struct azure_client *client, struct azure_target *target,
			   const struct azure_call *call)
{
	return container_operation(client, target, AZURE_VERB_DELETE, call);
}

int azure_list_blobs(struct azure_client *client, struct azure_target *target, const char *prefix,
		     const char *marker, unsigned int max_results, bool with_metadata,
		     const struct azure_call *call)
{
	struct builder b = begin(client, target, AZURE_VERB_GET);
	struct azure_parameter parameters[6];
	char most[16];
	size_t n = 0;

	if (max_results > AZURE_LIST_MAX_RESULTS)
		b.err = b.err ? b.err : -EINVAL;
	snprintf(most, sizeof(most), "%u", max_results);
	/* In the order of their names, as they are signed. */
	parameters[n++] = (struct azure_parameter){ "comp", "list" };
	if (with_metadata)
		parameters[n++] = (struct azure_parameter){ "include", "metadata" };
	if (marker && *marker)
		parameters[n++] = (struct azure_parameter){ "marker", marker };
	if (max_results)
		parameters[n++] = (struct azure_parameter){ "maxresults", most };
	if (prefix && *prefix)
		parameters[n++] = (struct azure_parameter){ "prefix", prefix };
	parameters[n++] = container_parameters[0];
	resource(&b, NULL, parameters, n);
	answer(&b, AZURE_XML_LIST);
	return submit(&b, call);
}

/* ---------------------------------------------------------------- writing blobs */

int azure_put_blob(struct azure_client *client, struct azure_target *target, const char *blob,
		   const struct azure_body *from, const struct azure_blob_options *options,
		   const struct azure_call *call)
{
	struct builder b = begin(client, target, AZURE_VERB_PUT);
	const char *type = options ? options->content_type : NULL;

	resource(&b, blob, NULL, 0);
	header(&b, "Content-Type", type && *type ? type : DEFAULT_TYPE);
	if (options) {
		conditions(&b, &options->cond);
		md5_header(&b, "Content-MD5", options->md5);
		tier(&b, options->tier);
	}
	header(&b, "x-ms-blob-type", "BlockBlob");
	metadata(&b, options);
	body(&b, from, AZURE_PUT_BLOB_BYTES_MAX);
	return submit(&b, call);
}

static bool block_id_fits(const char *id)
{
	uint8_t raw[AZURE_BLOCK_ID_MAX];

	return azure_base64_decode(raw, sizeof(raw), id, strlen(id)) > 0;
}

int azure_put_block(struct azure_client *client, struct azure_target *target, const char *blob,
		    const char *block_id, const struct azure_body *from, const uint8_t *md5,
		    const struct azure_call *call)
{
	const struct azure_parameter parameters[] = { { "blockid", block_id },
						      { "comp", "block" } };
	struct builder b = begin(client, target, AZURE_VERB_PUT);

	if (!b.err && (!block_id_fits(block_id) || !from || !from->length))
		b.err = -EINVAL;
	resource(&b, blob, PARAMETERS(parameters));
	header(&b, "Content-Type", DEFAULT_TYPE);
	md5_header(&b, "Content-MD5", md5);
	body(&b, from, AZURE_PUT_BLOCK_BYTES_MAX);
	return submit(&b, call);
}

static void block_list_body(struct builder *b, const char *const *block_ids, size_t n_blocks)
{
	struct azure_text *text = b->request ? &b->request->body_text : NULL;

	if (b->err)
		return;
	if (n_blocks > AZURE_BLOCKS_MAX) {
		b->err = -EINVAL;
		return;
	}
	azure_text_puts(text, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
	for (size_t i = 0; i < n_blocks; i++) {
		if (!block_id_fits(block_ids[i])) {
			b->err = -EINVAL;
			return;
		}
		azure_text_puts(text, "<Latest>");
		azure_text_puts(text, block_ids[i]);
		azure_text_puts(text, "</Latest>");
	}
	azure_text_puts(text, "</BlockList>");
	if (text->failed)
		b->err = -ENOMEM;
	b->request->body.data = text->data;
	b->request->body.length = text->len;
}

int azure_put_block_list(struct azure_client *client, struct azure_target *target,
			 const char *blob, const char *const *block_ids, size_t n_blocks,
			 const struct azure_blob_options *options, const struct azure_call *call)
{
	static const struct azure_parameter parameters[] = { { "comp", "blocklist" } };
	struct builder b = begin(client, target, AZURE_VERB_PUT);
	const char *type = options ? options->content_type : NULL;

	resource(&b, blob, PARAMETERS(parameters));
	header(&b, "Content-Type", "application/xml");
	header(&b, "x-ms-blob-content-type", type && *type ? type : DEFAULT_TYPE);
	if (options) {
		conditions(&b, &options->cond);
		md5_header(&b, "x-ms-blob-content-md5", options->md5);
		tier(&b, options->tier);
	}
	metadata(&b, options);
	block_list_body(&b, block_ids, n_blocks);
	return submit(&b, call);
}

int azure_set_blob_metadata(struct azure_client *client, struct azure_target *target,
			    const char *blob, const struct azure_blob_options *options,
			    const struct azure_call *call)
{
	static const struct azure_parameter parameters[] = { { "comp", "metadata" } };
	struct builder b = begin(client, target, AZURE_VERB_PUT);

	resource(&b, blob, PARAMETERS(parameters));
	conditions(&b, options ? &options->cond : NULL);
	metadata(&b, options);
	return submit(&b, call);
}

int azure_delete_blob(struct azure_client *client, struct azure_target *target, const char *blob,
		      const struct azure_conditions *cond, const struct azure_call *call)
{
	struct builder b = begin(client, target, AZURE_VERB_DELETE);

	resource(&b, blob, NULL, 0);
	conditions(&b, cond);
	return submit(&b, call);
}

static int put_source(struct azure_text *url, const struct azure_target *target, const char *blob)
{
	const struct azure_credential *cred = target->credential;

	azure_text_puts(url, target->endpoint.base);
	azure_text_putc(url, '/');
	azure_text_puts(url, target->container);
	azure_text_putc(url, '/');
	azure_text_put_url(url, blob, true);
	azure_text_putc(url, '?');
	if (target->signer)
		return azure_sas_put_blob_read(url, target->signer, target->account,
					       target->container, blob, target->endpoint.is_https,
					       time(NULL), COPY_SAS_S);
	if (cred->sas)
		azure_text_puts(url, cred->sas);
	return url->failed ? -ENOMEM : 0;
}

int azure_copy_blob(struct azure_client *client, struct azure_target *target, const char *blob,
		    const char *source_blob, const char *source_if_match,
		    const struct azure_blob_options *options, const struct azure_call *call)
{
	struct builder b = begin(client, target, AZURE_VERB_PUT);
	struct azure_text source = { 0 };

	if (!b.err && !blob_name_fits(source_blob))
		b.err = -EINVAL;
	if (!b.err)
		b.err = put_source(&source, target, source_blob);
	resource(&b, blob, NULL, 0);
	header(&b, "x-ms-copy-source", source.data);
	header(&b, "x-ms-requires-sync", "true");
	condition(&b, "x-ms-source-if-match", source_if_match);
	if (options) {
		conditions(&b, &options->cond);
		tier(&b, options->tier);
	}
	metadata(&b, options);
	azure_text_free(&source);
	return submit(&b, call);
}

/* ---------------------------------------------------------------- reading blobs */

int azure_get_block_list(struct azure_client *client, struct azure_target *target,
			 const char *blob, const struct azure_call *call)
{
	static const struct azure_parameter parameters[] = { { "blocklisttype", "all" },
							     { "comp", "blocklist" } };
	struct builder b = begin(client, target, AZURE_VERB_GET);

	resource(&b, blob, PARAMETERS(parameters));
	answer(&b, AZURE_XML_BLOCK_LIST);
	return submit(&b, call);
}

int azure_get_blob_properties(struct azure_client *client, struct azure_target *target,
			      const char *blob, const struct azure_conditions *cond,
			      const struct azure_call *call)
{
	struct builder b = begin(client, target, AZURE_VERB_HEAD);

	resource(&b, blob, NULL, 0);
	conditions(&b, cond);
	return submit(&b, call);
}

int azure_get_blob(struct azure_client *client, struct azure_target *target, const char *blob,
		   uint64_t offset, uint64_t length, const struct azure_conditions *cond,
		   azure_sink_fn sink, void *sink_arg, const struct azure_call *call)
{
	struct builder b = begin(client, target, AZURE_VERB_GET);

	if (!b.err && (!sink || offset > INT64_MAX || length > INT64_MAX - offset))
		b.err = -EINVAL;
	resource(&b, blob, NULL, 0);
	conditions(&b, cond);
	if (!b.err) {
		b.request->sink = sink;
		b.request->sink_arg = sink_arg;
		b.request->range_start = offset;
		b.request->range_length = length;
	}
	return submit(&b, call);
}

/* ---------------------------------------------------------------- block ids */

struct block_id {
	uint8_t attempt[16];
	uint8_t index[8];	/* big endian: ids sort as their blocks */
};

_Static_assert(AZURE_BASE64_SIZE(sizeof(struct block_id)) == AZURE_BLOCK_ID_TEXT, "block id");

void azure_block_id_format(char *out, const uint8_t attempt[16], uint64_t index)
{
	struct block_id id;

	memcpy(id.attempt, attempt, sizeof(id.attempt));
	for (int i = 0; i < 8; i++)
		id.index[i] = (uint8_t)(index >> (56 - 8 * i));
	azure_base64_encode(out, &id, sizeof(id));
}

bool azure_block_id_parse(const char *text, uint8_t attempt[16], uint64_t *index)
{
	struct block_id id;

	if (azure_base64_decode(&id, sizeof(id), text, strlen(text)) != sizeof(id))
		return false;
	memcpy(attempt, id.attempt, sizeof(id.attempt));
	*index = 0;
	for (int i = 0; i < 8; i++)
		*index = *index << 8 | id.index[i];
	return true;
}
