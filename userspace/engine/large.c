/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A file of more than one block. It is read in order, one block at a time, each byte hashed once on
 * the way; blocks are sent side by side as far as the memory goes, and become visible with one Put
 * Block List when the whole was found stable.
 *
 * Where a row says that the blob has this size, the file is hashed first and sent only if it
 * differs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "engine/internal.h"
#include "lib/log.h"

struct part {
	struct pool_work work;
	struct budget_wait wait;
	struct part *prev, *next;	/* of large.parts */
	struct job *job;
	uint32_t index;
	size_t len;
	void *data;
	struct azure_request *request;
	bool waiting;			/* for memory */
	int err;			/* of reading; -ENODATA: the file has shrunk */
};

struct large {
	struct blocks_plan plan;
	uint64_t size;
	EVP_MD_CTX *md5;
	uint8_t attempt[16];
	char (*ids)[AZURE_BLOCK_ID_TEXT];
	struct part *parts;		/* those in flight */
	uint32_t next_index;		/* to be read */
	bool reading;			/* one at a time: the hash wants them in order */
	bool only_hash;
	bool failed;			/* nothing more is begun; the rest is waited for */
	enum kdev_result result;	/* with failed */
	struct azure_error error;	/* with failed, if a request did */
};

static void advance(struct job *job);

void large_free(struct job *job)
{
	struct large *l = job->large;

	EVP_MD_CTX_free(l->md5);
	free(l->ids);
	free(l);
	job->large = NULL;
}

static int begin_pass(struct large *l, bool only_hash)
{
	l->only_hash = only_hash;
	l->next_index = 0;
	if (!EVP_DigestInit_ex(l->md5, EVP_md5(), NULL))
		return -ENOMEM;
	if (only_hash)
		return 0;
	/* Ids of an attempt are its own: what an interrupted one left is not mistaken for this. */
	if (getrandom(l->attempt, sizeof(l->attempt), 0) != sizeof(l->attempt))
		return -EIO;
	l->ids = calloc(l->plan.nr, sizeof(*l->ids));
	if (!l->ids)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->plan.nr; i++)
		azure_block_id_format(l->ids[i], l->attempt, i);
	return 0;
}

void job_large(struct job *job)
{
	struct large *l = calloc(1, sizeof(*l));
	bool same_size = job->has_row && job->row.kind == STATE_FILE &&
			 job->row.size == job->st.size;
	int r = l ? 0 : -ENOMEM;

	if (!r) {
		job->large = l;
		l->size = job->st.size;
		l->md5 = EVP_MD_CTX_new();
		r = l->md5 ? blocks_plan(&l->plan, l->size) : -ENOMEM;
	}
	if (!r)
		r = begin_pass(l, same_size);
	if (!r) {
		advance(job);
		return;
	}
	if (r == -EFBIG) {
		error_set_errno(&job->error, r, "more than a blob can hold");
		job_park(job);
		return;
	}
	error_set_errno(&job->error, r, "no memory");
	job_finish(job, KDEV_AGAIN, 0, mapping_delay_ms(job->mapping));
}

/* ---- parts ---- */

static void free_part(struct part *p)
{
	struct job *job = p->job;

	if (p->data)
		budget_give(&job->mapping->engine->budget, p->data, p->wait.bytes);
	if (p->prev)
		p->prev->next = p->next;
	else
		job->large->parts = p->next;
	if (p->next)
		p->next->prev = p->prev;
	free(p);
}

static void fail(struct job *job, enum kdev_result result)
{
	if (job->large->failed)
		return;
	job->large->failed = true;
	job->large->result = result;
	large_cancel(job);
}

void large_cancel(struct job *job)
{
	struct large *l = job->large;
	struct part *p, *next;
	bool freed = false;

	if (!l->failed) {
		l->failed = true;
		l->result = KDEV_AGAIN;
	}
	if (job->request)
		azure_request_cancel(job->request);
	for (p = l->parts; p; p = next) {
		next = p->next;
		if (p->request) {
			azure_request_cancel(p->request);
		} else if (p->waiting) {
			budget_cancel(&job->mapping->engine->budget, &p->wait);
			l->reading = false;
			freed = true;
			free_part(p);
		}
	}
	/* Nobody is left who would come back and end it. */
	if (job->cancelled && freed && !l->parts)
		job_finish(job, KDEV_AGAIN, 0, 0);
}

static void read_part(struct pool_work *work)
{
	struct part *p = (struct part *)work;
	struct large *l = p->job->large;
	uint64_t at = (uint64_t)p->index * l->plan.block_bytes;
	size_t got = 0;
	ssize_t n;

	if (!p->data) {
		p->err = -ENOMEM;
		return;
	}
	while (got < p->len && !p->job->mapping->down) {
		n = pread(p->job->file.fd, (char *)p->data + got, p->len - got,
			  (off_t)(at + got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			p->err = n ? -errno : -ENODATA;
			return;
		}
		got += (size_t)n;
	}
	if (got < p->len || !EVP_DigestUpdate(l->md5, p->data, p->len))
		p->err = -ECANCELED;
}

static void on_block(void *arg, const struct azure_response *rsp)
{
	struct part *p = arg;
	struct job *job = p->job;
	struct large *l = job->large;

	p->request = NULL;
	mapping_count(job->mapping, rsp);
	if (rsp->error.scope == AZURE_SCOPE_NONE) {
		if (job->mapping->push)
			push_sent(job->mapping->push, p->len);
	} else if (!l->failed) {
		l->error = rsp->error;
		fail(job, KDEV_AGAIN);
	}
	free_part(p);
	advance(job);
}

static void send_part(struct part *p)
{
	struct job *job = p->job;
	struct azure_call call = { .done = on_block, .arg = p, .handle = &p->request };
	struct azure_body body = { .length = p->len, .data = p->data };
	struct azure_name name;
	int r = job_name(job, &name);

	if (!r)
		r = azure_put_block(job->mapping->engine->client, job->mapping->azure, name.blob,
				    job->large->ids[p->index], &body, NULL, &call);
	if (!r)
		return;
	error_set_errno(&job->error, r, "cannot be sent");
	fail(job, r == -ENOMEM ? KDEV_AGAIN : KDEV_PARKED);
	free_part(p);
}

static void on_part_read(struct pool_work *work)
{
	struct part *p = (struct part *)work;
	struct job *job = p->job;
	struct large *l = job->large;

	l->reading = false;
	if (p->err == -ENODATA || p->err == -ECANCELED || p->err == -ENOMEM) {
		fail(job, KDEV_AGAIN);
	} else if (p->err) {
		error_set_errno(&job->error, p->err, "cannot read the file");
		fail(job, KDEV_PARKED);
	}
	if (l->failed || l->only_hash)
		free_part(p);
	else
		send_part(p);
	advance(job);
}

static void on_memory(struct budget_wait *wait, void *memory)
{
	struct part *p = (struct part *)((char *)wait - offsetof(struct part, wait));
	struct job *job = p->job;

	/* Without memory too: its failure is dealt with where others are. */
	p->waiting = false;
	p->data = memory;
	p->work.run = read_part;
	p->work.done = on_part_read;
	pool_submit(job->mapping->engine->pool, &p->work);
}

static void begin_part(struct job *job)
{
	struct large *l = job->large;
	struct part *p = calloc(1, sizeof(*p));

	if (!p) {
		error_set(&job->error, -ENOMEM, "no memory");
		fail(job, KDEV_AGAIN);
		return;
	}
	p->job = job;
	p->index = l->next_index++;
	p->len = (size_t)blocks_length(&l->plan, l->size, p->index);
	p->next = l->parts;
	if (p->next)
		p->next->prev = p;
	l->parts = p;
	l->reading = true;
	/* Always a whole block: buffers of one size are used again and again. */
	p->wait.bytes = (size_t)l->plan.block_bytes;
	p->wait.granted = on_memory;
	p->waiting = true;
	budget_take(&job->mapping->engine->budget, &p->wait);
}

/* ---- the end of a pass ---- */

static void end_failed(struct job *job)
{
	struct large *l = job->large;
	struct azure_error error = l->error;

	if (error.scope != AZURE_SCOPE_NONE && error.scope != AZURE_SCOPE_CANCELLED)
		job_fail(job, &error);
	else if (l->result == KDEV_PARKED)
		job_park(job);
	else
		job_finish(job, KDEV_AGAIN, 0, job->mapping->policy.settle_ms);
}

static void judge(struct pool_work *work)
{
	struct job *job = (struct job *)work;

	job->next = job_judge(job);
	if (job->next != NEXT_PUT)
		return;
	if (!EVP_DigestFinal_ex(job->large->md5, job->md5, NULL)) {
		error_set(&job->error, -EIO, "cannot compute an MD5");
		job->next = NEXT_PARK;
	} else if (job->large->only_hash) {
		job->next = job_decide_hashed(job);
	}
}

static void on_judged(struct pool_work *work)
{
	struct job *job = (struct job *)work;
	struct large *l = job->large;

	if (job_is_stopped(job))
		return;
	if (job->next != NEXT_PUT) {
		job_decide(job);
	} else if (!l->only_hash) {
		engine_send(job, large_commit);
	} else if (begin_pass(l, false)) {
		error_set(&job->error, -ENOMEM, "no memory");
		job_finish(job, KDEV_AGAIN, 0, mapping_delay_ms(job->mapping));
	} else {
		job->has_md5 = false;
		advance(job);
	}
}

static void advance(struct job *job)
{
	struct large *l = job->large;

	while (!l->failed && !l->reading && l->next_index < l->plan.nr)
		begin_part(job);
	if (l->parts || l->reading)
		return;
	if (job_is_stopped(job))
		return;
	if (l->failed) {
		end_failed(job);
		return;
	}
	job->work.run = judge;
	job->work.done = on_judged;
	pool_submit(job->mapping->engine->pool, &job->work);
}

static void on_list(void *arg, const struct azure_response *rsp)
{
	struct job *job = arg;
	const struct azure_error *err = &rsp->error;

	job->request = NULL;
	mapping_count(job->mapping, rsp);
	if (job_is_stopped(job))
		return;
	if (err->scope == AZURE_SCOPE_NONE) {
		log_debug("%s: %s: uploaded in %u blocks", job->mapping->name,
			  job_shown_path(job), job->large->plan.nr);
		job_commit(job, rsp->etag, KDEV_DID_UPLOAD);
	} else if (!strcmp(err->code, "InvalidBlockList")) {
		/* Somebody wrote the blob meanwhile, which drops blocks that wait. */
		error_set(&job->error, -EAGAIN, "%s", err->message);
		job_finish(job, KDEV_AGAIN, 0, mapping_delay_ms(job->mapping));
	} else if (err->scope == AZURE_SCOPE_CONFLICT || err->scope == AZURE_SCOPE_NOT_FOUND) {
		job_conflict(job, large_commit);
	} else {
		job_fail(job, err);
	}
}

void large_commit(struct job *job)
{
	struct azure_call call = { .done = on_list, .arg = job, .handle = &job->request };
	struct large *l = job->large;
	struct azure_blob_options options;
	struct azure_name name;
	struct metadata meta;
	const char **ids = calloc(l->plan.nr, sizeof(*ids));
	int r = ids ? job_name(job, &name) : -ENOMEM;

	for (uint32_t i = 0; ids && i < l->plan.nr; i++)
		ids[i] = l->ids[i];
	if (!r) {
		job_options(job, &meta, &options, name.is_long);
		options.md5 = job->md5;
		r = azure_put_block_list(job->mapping->engine->client, job->mapping->azure,
					 name.blob, ids, l->plan.nr, &options, &call);
	}
	free(ids);
	if (!r)
		return;
	error_set_errno(&job->error, r, "cannot be sent");
	job_finish(job, KDEV_AGAIN, 0, mapping_delay_ms(job->mapping));
}
