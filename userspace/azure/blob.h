/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Operations of the Blob service. Each submits one request to a client and returns at once; the
 * completion is called exactly once, from azure_client_run() (never from inside the submission),
 * after as many tries as the policy allows.
 *
 * Return of every operation: 0 — the completion will be called; or a negative errno (-EINVAL: an
 * argument that cannot be sent; -ENOMEM) — it will not.
 *
 * Arguments are copied, except the memory or the callback behind a body, which must stay valid and
 * give the same bytes again (a retry reads them again) until the completion is called.
 */
#ifndef AZURE_BLOB_H
#define AZURE_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "client.h"
#include "error.h"
#include "target.h"

#define AZURE_MD5_BYTES 16
#define AZURE_ETAG_MAX 64
#define AZURE_LIST_MAX_RESULTS 5000
#define AZURE_BLOCK_ID_MAX 64		/* bytes before base64; one length within a blob */
#define AZURE_BLOCKS_MAX 50000
#define AZURE_METADATA_BYTES_MAX 8192
#define AZURE_PUT_BLOB_BYTES_MAX (5000ULL << 20)
#define AZURE_PUT_BLOCK_BYTES_MAX (4000ULL << 20)

struct azure_request;
struct azure_response;

typedef void (*azure_done_fn)(void *arg, const struct azure_response *rsp);

/* How to do it; zeroes are the defaults. */
struct azure_call {
	azure_done_fn done;
	void *arg;
	unsigned int max_tries;		/* 0: the client's; 1: no retry */
	struct azure_request **handle;	/* NULL, or filled in for azure_request_cancel() */
};

/*
 * Completes with CANCELLED at the next azure_client_run(). Whether the service has carried it out
 * is unknown. A handle is valid until its completion returns.
 */
void azure_request_cancel(struct azure_request *request);

/*
 * A body of exactly @length bytes, from the first source that is set. A read callback fills up to
 * @size bytes from @offset (0 is the body's start) and returns how many, or a negative errno,
 * which fails the request with scope FILE and that errno, as does a short body (-ENODATA).
 */
struct azure_body {
	uint64_t length;
	const void *data;
	const struct iovec *iov;	/* the array is copied, what it points to is not */
	size_t n_iov;
	ssize_t (*read)(void *arg, void *buf, size_t size, uint64_t offset);
	void *read_arg;
	bool use_fd;			/* pread from @fd at @fd_offset + offset */
	int fd;
	uint64_t fd_offset;
};

struct azure_meta {
	const char *name;	/* [a-z_][a-z0-9_]*, and signed in one order by all; see auth.h */
	const char *value;	/* printable ASCII, no leading or trailing space; may be empty */
};

/*
 * Conditions: ETags as the service gave them, quotes included, or "*". NULL: none. "" is refused:
 * an ETag that was lost must not make a write unconditional.
 */
struct azure_conditions {
	const char *if_match;
	const char *if_none_match;
};

/* What a write says about the blob. NULL for all of it is allowed. */
struct azure_blob_options {
	struct azure_conditions cond;
	const struct azure_meta *meta;
	size_t n_meta;
	const char *tier;		/* NULL or "": the account's; Hot, Cool, Cold, Archive; any case */
	const char *content_type;	/* NULL: the service's default */
	/*
	 * Of the whole blob, or NULL. Put Blob: checked by the service and stored. Put Block List:
	 * stored only. Copy: not used.
	 */
	const uint8_t *md5;
};

struct azure_list_blob {
	const char *name;		/* UTF-8, decoded */
	uint64_t size;
	int64_t last_modified_s;	/* of the epoch; 0: unknown */
	const char *etag;		/* with quotes, as for If-Match */
	const char *tier;		/* or "" */
	const char *archive_status;	/* or "" */
	bool is_block_blob;
	bool is_directory;		/* hierarchical namespace: <ResourceType>directory */
	bool has_md5;
	uint8_t md5[AZURE_MD5_BYTES];
	const struct azure_meta *meta;	/* names in lower case */
	size_t n_meta;
};

struct azure_list {
	const struct azure_list_blob *blobs;
	size_t n_blobs;
	const char *next_marker;	/* "": the end. A page may be empty and not the end. */
};

struct azure_block {
	const char *id;			/* base64, as sent and as listed */
	uint64_t size;			/* listings only */
	bool is_committed;		/* listings only */
};

struct azure_block_list {
	const struct azure_block *blocks;	/* committed ones first, in order */
	size_t n_blocks;
};

/* Valid during the completion. Strings are "" and numbers 0 where the service said nothing. */
struct azure_response {
	struct azure_error error;	/* scope NONE: done */
	int status;
	unsigned int tries;
	char etag[AZURE_ETAG_MAX];	/* with quotes */
	int64_t last_modified_s;
	int64_t date_s;			/* the server's clock */
	char request_id[64];
	char version_id[48];
	char tier[16];
	char archive_status[48];
	char copy_status[16];
	bool is_block_blob;
	bool has_md5;			/* Content-MD5, of the blob (HEAD) or as computed (Put Block) */
	uint8_t md5[AZURE_MD5_BYTES];
	uint64_t content_length;	/* HEAD and GET: of the blob or the range */
	uint64_t blob_size;		/* HEAD and GET: of the whole blob */
	const struct azure_meta *meta;	/* x-ms-meta-*, names in lower case */
	size_t n_meta;
	const struct azure_list *list;			/* azure_list_blobs() */
	const struct azure_block_list *block_list;	/* azure_get_block_list() */
};

/* NULL when absent. */
const char *azure_meta_find(const struct azure_meta *meta, size_t n_meta, const char *name);

int azure_create_container(struct azure_client *client, struct azure_target *target,
			   const struct azure_call *call) __attribute__((warn_unused_result));
/* Says whether the container is there and the credential works; NOT a HEAD of a blob. */
int azure_get_container_properties(struct azure_client *client, struct azure_target *target,
				   const struct azure_call *call)
	__attribute__((warn_unused_result));
/* Of the tests; the uploader never deletes a container. */
int azure_delete_container(struct azure_client *client, struct azure_target *target,
			   const struct azure_call *call) __attribute__((warn_unused_result));

/* @blob, here and below: as in azure_name.blob. */
int azure_put_blob(struct azure_client *client, struct azure_target *target, const char *blob,
		   const struct azure_body *body, const struct azure_blob_options *options,
		   const struct azure_call *call) __attribute__((warn_unused_result));

/*
 * @block_id: base64 (azure_block_id_format()). @md5: of this block, checked in transport, or NULL.
 */
int azure_put_block(struct azure_client *client, struct azure_target *target, const char *blob,
		    const char *block_id, const struct azure_body *body, const uint8_t *md5,
		    const struct azure_call *call) __attribute__((warn_unused_result));
/* Each id is taken from the uncommitted blocks if it is there, else from the committed ones. */
int azure_put_block_list(struct azure_client *client, struct azure_target *target,
			 const char *blob, const char *const *block_ids, size_t n_blocks,
			 const struct azure_blob_options *options, const struct azure_call *call)
	__attribute__((warn_unused_result));
int azure_get_block_list(struct azure_client *client, struct azure_target *target,
			 const char *blob, const struct azure_call *call)
	__attribute__((warn_unused_result));

int azure_get_blob_properties(struct azure_client *client, struct azure_target *target,
			      const char *blob, const struct azure_conditions *cond,
			      const struct azure_call *call) __attribute__((warn_unused_result));

/*
 * @length 0: to the end. @sink is called with each piece in order; after a connection that broke,
 * the client continues where it stopped, under the first answer's ETag. Nonzero from the sink ends
 * the request with scope LOCAL and that value's magnitude in sys_errno.
 */
typedef int (*azure_sink_fn)(void *arg, const void *data, size_t len, uint64_t offset);
int azure_get_blob(struct azure_client *client, struct azure_target *target, const char *blob,
		   uint64_t offset, uint64_t length, const struct azure_conditions *cond,
		   azure_sink_fn sink, void *sink_arg, const struct azure_call *call)
	__attribute__((warn_unused_result));

/* Replaces the metadata as a whole; uses options->meta and options->cond. */
int azure_set_blob_metadata(struct azure_client *client, struct azure_target *target,
			    const char *blob, const struct azure_blob_options *options,
			    const struct azure_call *call) __attribute__((warn_unused_result));
/* Never touches snapshots: a blob that has any answers 409 SnapshotsPresent, scope FILE. */
int azure_delete_blob(struct azure_client *client, struct azure_target *target, const char *blob,
		      const struct azure_conditions *cond, const struct azure_call *call)
	__attribute__((warn_unused_result));

/* @prefix, @marker: NULL or "" for none. @max_results: 0 for the service's most. */
int azure_list_blobs(struct azure_client *client, struct azure_target *target, const char *prefix,
		     const char *marker, unsigned int max_results, bool with_metadata,
		     const struct azure_call *call) __attribute__((warn_unused_result));

/*
 * Copies within the target on the server, synchronously; at most 256 MiB. The source is authorised
 * with a service SAS for that one blob, or the credential's SAS. options->cond is the
 * destination's; without options->meta the source's metadata is copied.
 */
int azure_copy_blob(struct azure_client *client, struct azure_target *target, const char *blob,
		    const char *source_blob, const char *source_if_match,
		    const struct azure_blob_options *options, const struct azure_call *call)
	__attribute__((warn_unused_result));

/*
 * Base64 of a 24-byte id: 16 bytes of @attempt (random per upload: what an interrupted one left
 * cannot be taken for ours) and the index. @out has room for 33 bytes.
 */
#define AZURE_BLOCK_ID_TEXT 33
void azure_block_id_format(char *out, const uint8_t attempt[16], uint64_t index);
/* Is @id one of ours? Fills in what it says. */
bool azure_block_id_parse(const char *id, uint8_t attempt[16], uint64_t *index);

#endif
