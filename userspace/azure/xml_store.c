/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "xml_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"

/* A blob may have 50,000 committed and 100,000 uncommitted blocks. */
#define BLOCKS_MAX 150000
#define METAS_MAX ((size_t)AZURE_LIST_MAX_RESULTS * 256)

struct azure_store_blob {
	size_t name, etag, tier, archive_status;	/* offsets; 0: none */
	uint64_t size;
	int64_t last_modified_s;
	bool is_block_blob, is_directory, has_md5;
	uint8_t md5[AZURE_MD5_BYTES];
	size_t first_meta, n_meta;
};

struct azure_store_meta {
	size_t name, value;
};

struct azure_store_block {
	size_t id;
	uint64_t size;
	bool is_committed;
};

/* Room for one more element of an array; what is new is zero. */
static int reserve(void **array, size_t n, size_t *size, size_t max, size_t element)
{
	size_t more = *size ? *size * 2 : 32;
	void *grown;

	if (n >= max)
		return -EMSGSIZE;
	if (n < *size)
		return 0;
	grown = realloc(*array, more * element);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*size = more;
	return 0;
}

/* Offset 0 is the empty string. */
static int keep(struct azure_store *store, const char *value, size_t *offset)
{
	if (!store->strings.len)
		azure_text_put(&store->strings, "", 1);
	*offset = store->strings.len;
	azure_text_put(&store->strings, value, strlen(value) + 1);
	return store->strings.failed ? -ENOMEM : 0;
}

static int parse_size(const char *value, uint64_t *size)
{
	size_t len = strlen(value);

	if (!len || len > 19 || strspn(value, "0123456789") != len)
		return -EBADMSG;
	*size = strtoull(value, NULL, 10);
	return 0;
}

int azure_store_add_blob(struct azure_store *store)
{
	void *array = store->blobs;
	int err = reserve(&array, store->n_blobs, &store->blobs_size, AZURE_LIST_MAX_RESULTS,
			  sizeof(*store->blobs));

	store->blobs = array;
	if (err)
		return err;
	store->blobs[store->n_blobs++] = (struct azure_store_blob){ .first_meta = store->n_metas };
	return 0;
}

static struct azure_store_blob *last_blob(struct azure_store *store)
{
	return &store->blobs[store->n_blobs - 1];
}

int azure_store_set_name(struct azure_store *store, const char *value)
{
	return keep(store, value, &last_blob(store)->name);
}

/* Listings leave out the quotes that If-Match wants. */
static int keep_etag(struct azure_store *store, const char *value, size_t *offset)
{
	char quoted[AZURE_ETAG_MAX];
	size_t len = strlen(value);

	if (*value == '"')
		return len < AZURE_ETAG_MAX ? keep(store, value, offset) : -EMSGSIZE;
	if (len + 3 > sizeof(quoted))
		return -EMSGSIZE;
	quoted[0] = '"';
	memcpy(quoted + 1, value, len);
	memcpy(quoted + 1 + len, "\"", 2);
	return keep(store, quoted, offset);
}

int azure_store_set_property(struct azure_store *store, const char *name, const char *value)
{
	struct azure_store_blob *blob = last_blob(store);

	if (!strcmp(name, "Content-Length"))
		return *value ? parse_size(value, &blob->size) : 0;
	if (!strcmp(name, "Etag"))
		return keep_etag(store, value, &blob->etag);
	if (!strcmp(name, "AccessTier"))
		return keep(store, value, &blob->tier);
	if (!strcmp(name, "ArchiveStatus"))
		return keep(store, value, &blob->archive_status);
	if (!strcmp(name, "Last-Modified"))
		blob->last_modified_s = azure_http_date_parse(value, strlen(value));
	else if (!strcmp(name, "BlobType"))
		blob->is_block_blob = !strcmp(value, "BlockBlob");
	else if (!strcmp(name, "ResourceType"))
		blob->is_directory = !strcmp(value, "directory");
	else if (!strcmp(name, "Content-MD5"))
		blob->has_md5 = azure_base64_decode(blob->md5, AZURE_MD5_BYTES, value,
						    strlen(value)) == AZURE_MD5_BYTES;
	return 0;
}

int azure_store_add_meta(struct azure_store *store, const char *name, const char *value)
{
	struct azure_store_meta *meta;
	void *array = store->metas;
	int err = reserve(&array, store->n_metas, &store->metas_size, METAS_MAX,
			  sizeof(*store->metas));

	store->metas = array;
	if (err)
		return err;
	meta = &store->metas[store->n_metas];
	err = keep(store, name, &meta->name);
	if (!err)
		err = keep(store, value, &meta->value);
	if (err)
		return err;
	for (char *c = store->strings.data + meta->name; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	}
	store->n_metas++;
	last_blob(store)->n_meta++;
	return 0;
}

int azure_store_set_marker(struct azure_store *store, const char *value)
{
	return keep(store, value, &store->marker);
}

int azure_store_add_block(struct azure_store *store, bool is_committed)
{
	void *array = store->blocks;
	int err = reserve(&array, store->n_blocks, &store->blocks_size, BLOCKS_MAX,
			  sizeof(*store->blocks));

	store->blocks = array;
	if (err)
		return err;
	store->blocks[store->n_blocks++] =
		(struct azure_store_block){ .is_committed = is_committed };
	return 0;
}

int azure_store_set_block(struct azure_store *store, const char *name, const char *value)
{
	struct azure_store_block *block = &store->blocks[store->n_blocks - 1];

	if (!strcmp(name, "Name"))
		return keep(store, value, &block->id);
	if (!strcmp(name, "Size"))
		return parse_size(value, &block->size);
	return 0;
}

static int finish_blobs(struct azure_store *store, const char *strings)
{
	store->out_blobs = calloc(store->n_blobs + 1, sizeof(*store->out_blobs));
	store->out_metas = calloc(store->n_metas + 1, sizeof(*store->out_metas));
	if (!store->out_blobs || !store->out_metas)
		return -ENOMEM;
	for (size_t i = 0; i < store->n_metas; i++)
		store->out_metas[i] = (struct azure_meta){ strings + store->metas[i].name,
							   strings + store->metas[i].value };
	for (size_t i = 0; i < store->n_blobs; i++) {
		const struct azure_store_blob *blob = &store->blobs[i];
		struct azure_list_blob *out = &store->out_blobs[i];

		if (!blob->name)
			return -EBADMSG;
		*out = (struct azure_list_blob){
			.name = strings + blob->name,
			.size = blob->size,
			.last_modified_s = blob->last_modified_s,
			.etag = strings + blob->etag,
			.tier = strings + blob->tier,
			.archive_status = strings + blob->archive_status,
			.is_block_blob = blob->is_block_blob,
			.is_directory = blob->is_directory,
			.has_md5 = blob->has_md5,
			.meta = store->out_metas + blob->first_meta,
			.n_meta = blob->n_meta,
		};
		memcpy(out->md5, blob->md5, sizeof(out->md5));
	}
	store->list = (struct azure_list){ store->out_blobs, store->n_blobs,
					   strings + store->marker };
	return 0;
}

int azure_store_finish(struct azure_store *store)
{
	const char *strings = store->strings.len ? store->strings.data : "";
	int err = finish_blobs(store, strings);

	if (err)
		return err;
	store->out_blocks = calloc(store->n_blocks + 1, sizeof(*store->out_blocks));
	if (!store->out_blocks)
		return -ENOMEM;
	for (size_t i = 0; i < store->n_blocks; i++) {
		const struct azure_store_block *block = &store->blocks[i];

		if (!block->id)
			return -EBADMSG;
		store->out_blocks[i] = (struct azure_block){ strings + block->id, block->size,
							     block->is_committed };
	}
	store->block_list = (struct azure_block_list){ store->out_blocks, store->n_blocks };
	return 0;
}

void azure_store_reset(struct azure_store *store)
{
	azure_text_reset(&store->strings);
	free(store->out_blobs);
	free(store->out_metas);
	free(store->out_blocks);
	store->out_blobs = NULL;
	store->out_metas = NULL;
	store->out_blocks = NULL;
	store->list = (struct azure_list){ 0 };
	store->block_list = (struct azure_block_list){ 0 };
	store->marker = 0;
	store->n_blobs = 0;
	store->n_metas = 0;
	store->n_blocks = 0;
}

void azure_store_free(struct azure_store *store)
{
	azure_store_reset(store);
	azure_text_free(&store->strings);
	free(store->blobs);
	free(store->metas);
	free(store->blocks);
	*store = (struct azure_store){ 0 };
}
