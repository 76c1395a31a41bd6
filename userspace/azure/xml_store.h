/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What has been read of a listing or a block list. While it grows, strings are known by their
 * offsets; azure_store_finish() turns them into the pointers of blob.h.
 */
#ifndef AZURE_XML_STORE_H
#define AZURE_XML_STORE_H

#include "blob.h"
#include "text.h"

struct azure_store_blob;
struct azure_store_meta;
struct azure_store_block;

struct azure_store {
	struct azure_text strings;
	size_t marker;			/* offset */
	struct azure_store_blob *blobs;
	size_t n_blobs, blobs_size;
	struct azure_store_meta *metas;
	size_t n_metas, metas_size;
	struct azure_store_block *blocks;
	size_t n_blocks, blocks_size;

	/* After azure_store_finish(). */
	struct azure_list list;
	struct azure_block_list block_list;
	struct azure_list_blob *out_blobs;
	struct azure_meta *out_metas;
	struct azure_block *out_blocks;
};

/* 0, -ENOMEM, -EMSGSIZE (more than the service may send), -EBADMSG. */
int azure_store_add_blob(struct azure_store *store);
int azure_store_set_name(struct azure_store *store, const char *value);
int azure_store_set_property(struct azure_store *store, const char *name, const char *value);
int azure_store_add_meta(struct azure_store *store, const char *name, const char *value);
int azure_store_set_marker(struct azure_store *store, const char *value);
int azure_store_add_block(struct azure_store *store, bool is_committed);
int azure_store_set_block(struct azure_store *store, const char *name, const char *value);
int azure_store_finish(struct azure_store *store);

void azure_store_reset(struct azure_store *store);
void azure_store_free(struct azure_store *store);

#endif
