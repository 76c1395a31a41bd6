/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A condition did not hold: the blob is not what the state said. A HEAD tells what it is.
 *
 *  - Not there: somebody removed it; it is made anew.
 *  - It holds this very content and is ours, of an earlier try whose row was lost, or nobody's, put there
 *    by another tool. It is adopted by Set Metadata.
 *  - Ours, but other content: it was altered behind our back, and is overwritten.
 *  - Another's: as on_conflict says, whatever it holds: who adopts it may delete it later.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/internal.h"

#define CONFLICTS_MAX 3		/* of one job: somebody keeps writing */

static bool holds_content(const struct job *job, const struct azure_response *rsp)
{
	uint64_t size = job->kind == STATE_FILE ? job->st.size : job->data_len;

	return rsp->has_md5 && rsp->blob_size == size &&
	       !memcmp(rsp->md5, job->md5, sizeof(job->md5));
}

/* The content has not been read yet, or is not in memory any more. */
static bool lacks_content(const struct job *job)
{
	return !job->data && !job->large && job->kind != STATE_DIR;
}

static void write_again(struct job *job)
{
	void (*again)(struct job *job) = job->again;

	if (again == job_set_meta && lacks_content(job)) {
		engine_sent(job);
		job->has_row = false;
		job->known = false;
		job->forced = true;
		job_submit(job);
		return;
	}
	if (again == job_set_meta)
		again = job_put;
	again(job);
}

static void overwrite(struct job *job, const struct azure_response *rsp)
{
	snprintf(job->if_match, sizeof(job->if_match), "%s", rsp->etag);
	write_again(job);
}

static void refuse(struct job *job)
{
	error_set(&job->error, -EEXIST,
		  "another's blob of this name is in the container (on_conflict=keep)");
	snprintf(job->code, sizeof(job->code), "NotOurs");
	job_park(job);
}

static void judge_blob(struct job *job, const struct azure_response *rsp)
{
	const char *owner = azure_meta_find(rsp->meta, rsp->n_meta, METADATA_OWNER);
	bool ours = owner && !strcmp(owner, job->mapping->owner);
	bool may_take = ours || !owner || job->mapping->policy.overwrites;

	if (may_take && holds_content(job, rsp)) {
		snprintf(job->if_match, sizeof(job->if_match), "%s", rsp->etag);
		job_set_meta(job);
	} else if (ours) {
		job->mapping->counters.drifted += job->has_row;
		overwrite(job, rsp);
	} else if (job->mapping->policy.overwrites) {
		overwrite(job, rsp);
	} else {
		refuse(job);
	}
}

static void on_head(void *arg, const struct azure_response *rsp)
{
	struct job *job = arg;

	job->request = NULL;
	mapping_count(job->mapping, rsp);
	if (job_is_stopped(job))
		return;
	if (rsp->error.scope == AZURE_SCOPE_NONE) {
		judge_blob(job, rsp);
	} else if (rsp->error.scope == AZURE_SCOPE_NOT_FOUND) {
		job->mapping->counters.drifted += job->has_row;
		job->if_match[0] = '\0';
		job->create = true;
		write_again(job);
	} else {
		job_fail(job, &rsp->error);
	}
}

void job_conflict(struct job *job, void (*again)(struct job *job))
{
	struct azure_call call = { .done = on_head, .arg = job, .handle = &job->request };
	struct azure_name name;
	int r = -EBUSY;

	if (again)
		job->again = again;
	if (job->conflicts++ < CONFLICTS_MAX) {
		r = job_name(job, &name);
		if (!r)
			r = azure_get_blob_properties(job->mapping->engine->client,
						      job->mapping->azure, name.blob, NULL, &call);
	}
	if (!r)
		return;
	error_set(&job->error, r, "its blob keeps changing behind our back");
	job_finish(job, KDEV_AGAIN, 0, mapping_delay_ms(job->mapping));
}
