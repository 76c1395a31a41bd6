/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is done with one request: Put Blob, Set Blob Metadata, a copy on the server. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/internal.h"
#include "lib/log.h"

int job_name(const struct job *job, struct azure_name *name)
{
	return azure_name_encode(name, job->mapping->prefix, job->path, job->path_len);
}

void job_options(struct job *job, struct metadata *meta, struct azure_blob_options *o, bool is_long)
{
	struct mapping *m = job->mapping;
	struct metadata_in in = {
		.kind = job->kind,
		.mode = job->st.mode,
		.uid = job->st.uid,
		.gid = job->st.gid,
		.mtime_ns = job->st.mtime_ns,
		.owner = m->owner,
		.unquiet = job->unquiet,
		.path = is_long ? job->path : NULL,
		.path_len = job->path_len,
	};

	metadata_fill(meta, &in);
	*o = (struct azure_blob_options){
		.meta = meta->items,
		.n_meta = meta->nr,
		.tier = m->policy.access_tier,
	};
	if (job->if_match[0])
		o->cond.if_match = job->if_match;
	else if (!job->create)
		o->cond.if_match = job->row.etag;
	else
		o->cond.if_none_match = "*";
}

/* The request could not even be made: a bad name is the file's, the rest passes. */
static void not_sent(struct job *job, int err)
{
	error_set_errno(&job->error, err, "cannot be sent");
	if (err == -EINVAL || err == -ENAMETOOLONG)
		job_park(job);
	else
		job_finish(job, KDEV_AGAIN, 0, mapping_delay_ms(job->mapping));
}

static bool begin_answer(struct job *job, const struct azure_response *rsp)
{
	job->request = NULL;
	mapping_count(job->mapping, rsp);
	/* What was carried out before the mapping went down is adopted when it comes up again. */
	if (!job_is_stopped(job))
		return true;
	return false;
}

static void on_put(void *arg, const struct azure_response *rsp)
{
	struct job *job = arg;

	if (!begin_answer(job, rsp))
		return;
	if (rsp->error.scope == AZURE_SCOPE_NONE) {
		log_debug("%s: %s: uploaded", job->mapping->name, job_shown_path(job));
		job_commit(job, rsp->etag, KDEV_DID_UPLOAD);
	} else if (rsp->error.scope == AZURE_SCOPE_CONFLICT ||
		   rsp->error.scope == AZURE_SCOPE_NOT_FOUND) {
		job_conflict(job, job_put);
	} else {
		job_fail(job, &rsp->error);
	}
}

void job_put(struct job *job)
{
	struct azure_call call = { .done = on_put, .arg = job, .handle = &job->request };
	struct azure_body body = { .length = job->data_len, .data = job->data };
	struct azure_blob_options options;
	struct azure_name name;
	struct metadata meta;
	int r = job_name(job, &name);

	if (!r) {
		job_options(job, &meta, &options, name.is_long);
		options.md5 = job->md5;
		r = azure_put_blob(job->mapping->engine->client, job->mapping->azure, name.blob,
				   &body, &options, &call);
	}
	if (r)
		not_sent(job, r);
}

static void on_meta(void *arg, const struct azure_response *rsp)
{
	struct job *job = arg;

	if (!begin_answer(job, rsp))
		return;
	if (rsp->error.scope == AZURE_SCOPE_NONE) {
		job_commit(job, rsp->etag, KDEV_DID_SKIP);
	} else if (rsp->error.scope == AZURE_SCOPE_CONFLICT ||
		   rsp->error.scope == AZURE_SCOPE_NOT_FOUND) {
		/* The content was not read: hash it and see what the blob is now. */
		job_conflict(job, job_set_meta);
	} else {
		job_fail(job, &rsp->error);
	}
}

void job_set_meta(struct job *job)
{
	struct azure_call call = { .done = on_meta, .arg = job, .handle = &job->request };
	struct azure_blob_options options;
	struct azure_name name;
	struct metadata meta;
	int r = job_name(job, &name);

	if (!r) {
		job_options(job, &meta, &options, name.is_long);
		options.tier = NULL;
		r = azure_set_blob_metadata(job->mapping->engine->client, job->mapping->azure,
					    name.blob, &options, &call);
	}
	if (r)
		not_sent(job, r);
}

/* Whatever the reason: what cannot be copied is uploaded. */
static void upload_instead(struct job *job)
{
	engine_sent(job);
	job->content = true;
	job->quiet = false;
	job_submit(job);
}

static void on_copied(void *arg, const struct azure_response *rsp)
{
	struct job *job = arg;

	if (!begin_answer(job, rsp))
		return;
	if (rsp->error.scope == AZURE_SCOPE_NONE && rsp->etag[0]) {
		log_debug("%s: %s: copied on the server", job->mapping->name, job_shown_path(job));
		job_commit(job, rsp->etag, KDEV_DID_COPY);
	} else if (azure_error_blocks_target(&rsp->error) ||
		   rsp->error.scope == AZURE_SCOPE_TRANSIENT) {
		job_fail(job, &rsp->error);
	} else {
		upload_instead(job);
	}
}

void job_copy(struct job *job)
{
	struct azure_call call = { .done = on_copied, .arg = job, .handle = &job->request };
	struct mapping *m = job->mapping;
	struct azure_blob_options options;
	struct azure_name name, from;
	struct metadata meta;
	int r = job_name(job, &name);

	if (!r)
		r = azure_name_encode(&from, m->prefix, job->from->text, job->from->len);
	if (!r) {
		job->create = true;
		job_options(job, &meta, &options, name.is_long);
		r = azure_copy_blob(m->engine->client, m->azure, name.blob, from.blob,
				    job->row.etag, &options, &call);
	}
	if (r)
		upload_instead(job);
}
