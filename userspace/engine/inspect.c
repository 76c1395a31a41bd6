/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A job's part on a worker: look, compare, open, read, hash. It touches nothing of the mapping but
 * what never changes (source, policy, target) and `down`, and leaves its verdict in job->next.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "engine/internal.h"

/* Not there, without a symbolic link or a mount on the way. */
static bool is_absent(int err)
{
	return err == -ENOENT || err == -ENOTDIR || err == -ELOOP;
}

static int64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* What an error of the source means for the file. */
static enum next source_failed(int err)
{
	switch (err) {
	case -EAGAIN:
	case -EBUSY:
		/* The kernel has it among its pending entries. */
		return NEXT_DROP;
	case -ESTALE:
		return NEXT_AGAIN;
	case -EXDEV:
		return NEXT_SKIP;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ENOBUFS:		/* too many are out */
	case -EINTR:
		return NEXT_AGAIN;
	default:
		return NEXT_PARK;
	}
}

static int open_file(struct job *job)
{
	struct source *s = job->mapping->source;
	/* What was opened under a SUBTREE before is out by a number of its own since. */
	uint64_t number = job->file.entry ? job->file.entry : job->entry->number;
	struct kdev_file file;
	int r;

	job->opened_ns = realtime_ns();
	r = s->ops->open(s, number, job->path, job->path_len, &file, &job->error);
	if (r)
		return r;
	job->file = file;
	job->opened = true;
	job->st = job->file.st;
	job->has_st = true;
	return 0;
}

static void close_file(struct job *job)
{
	struct source *s = job->mapping->source;

	if (job->opened)
		s->ops->close(s, &job->file);
	job->opened = false;
}

/* 0, or -EIO with job->error; fewer bytes than asked for: the file has shrunk (`*got` says). */
static int read_all(struct job *job, size_t *got)
{
	ssize_t n;

	for (*got = 0; *got < job->data_len; *got += (size_t)n) {
		n = pread(job->file.fd, (char *)job->data + *got, job->data_len - *got,
			  (off_t)*got);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return error_set_errno(&job->error, -errno, "cannot read the file");
		else if (n == 0)
			break;
	}
	return 0;
}

static enum next ask(struct job *job, const struct state_row *moved_from);

static bool is_lagged(const struct job *job)
{
	return job->entry->type == KDEV_ENTRY_PATH && (job->entry->flags & KDEV_LAGGED);
}

enum next job_judge(struct job *job)
{
	struct source *s = job->mapping->source;
	bool quiet = false;
	int r = s->ops->stable(s, &job->file, &quiet, &job->error);

	/* No such entry: the mapping went down, of which we have not read yet. */
	if (r)
		return r == -ENOENT ? NEXT_AGAIN : source_failed(r);
	job->quiet = quiet && !job->file.writer;
	job->trusted = reconcile_is_trusted(&job->st, job->opened_ns, job->mapping->tick_ns);
	job->unquiet = !job->quiet;
	if (job->quiet || is_lagged(job))
		return NEXT_PUT;
	return NEXT_AGAIN;
}

enum next job_decide_hashed(struct job *job)
{
	job->has_md5 = true;
	if (job->has_row)
		return ask(job, NULL);
	return NEXT_PUT;
}

/* Reads and hashes the whole file into job->data. */
static enum next read_whole(struct job *job)
{
	size_t got;
	enum next next;

	job->data_len = job->st.size;
	if (!job->data)
		job->data = malloc(job->data_len ? job->data_len : 1);
	if (!job->data)
		return NEXT_AGAIN;
	if (read_all(job, &got))
		return NEXT_PARK;
	next = got == job->data_len ? job_judge(job) : NEXT_AGAIN;
	if (next != NEXT_PUT)
		return next;
	if (!EVP_Digest(job->data, job->data_len, job->md5, NULL, EVP_md5(), NULL)) {
		error_set(&job->error, -EIO, "cannot compute an MD5");
		return NEXT_PARK;
	}
	return job_decide_hashed(job);
}

/* Opens and reads what is small; what is not comes back with memory, or goes in blocks. */
static enum next read_file(struct job *job)
{
	enum next next = NEXT_AGAIN;
	int r;

	for (; job->tries < TRIES_UNQUIET && !job->mapping->down; job->tries++) {
		if (!job->opened) {
			r = open_file(job);
			/* An event tells of what vanished since it was listed. */
			if (is_absent(r) || r == -EISDIR || r == -EINVAL)
				return NEXT_DROP;
			if (r)
				return source_failed(r);
		}
		if (job->charged && job->st.size > job->charged)
			return NEXT_AGAIN;
		if (!job->charged && job->st.size > READ_AT_ONCE_BYTES)
			return job->st.size <= BLOCKS_SIZE_MIN ? NEXT_BUFFER : NEXT_LARGE;
		next = read_whole(job);
		if (next != NEXT_AGAIN)
			return next;
		/* Once more, from a new opening: the kernel counts events from there. */
		close_file(job);
		if (!job->charged)
			job_free_data(job);
	}
	return next;
}

static enum next read_link(struct job *job)
{
	struct source *s = job->mapping->source;
	char target[4097];
	ssize_t n = s->ops->readlink(s, job->path, job->path_len, target, sizeof(target),
				     &job->error);

	if (is_absent((int)n) || n == -EINVAL)
		return NEXT_DROP;
	if (n < 0)
		return source_failed((int)n);
	job->kind = STATE_SYMLINK;
	job->data = malloc((size_t)n + 1);
	if (!job->data)
		return NEXT_AGAIN;
	memcpy(job->data, target, (size_t)n);
	job->data_len = (size_t)n;
	job->quiet = true;
	/* The target is read anyhow; trust would save nothing. */
	job->trusted = false;
	if (!EVP_Digest(job->data, job->data_len, job->md5, NULL, EVP_md5(), NULL))
		return NEXT_PARK;
	return job_decide_hashed(job);
}

static int look_into(struct job *job)
{
	struct source *s = job->mapping->source;
	struct source_scan *scan;
	struct kdev_dirent d;
	size_t slash = job->path_len;
	int r;

	while (slash > 0 && job->path[slash - 1] != '/')
		slash--;
	if (slash) {
		/* Paths end in a NUL: the source wants it there. */
		char parent[4096];

		memcpy(parent, job->path, slash - 1);
		parent[slash - 1] = '\0';
		r = s->ops->stat(s, parent, slash - 1, &job->parent, &job->error);
	} else {
		r = s->ops->stat(s, "", 0, &job->parent, &job->error);
	}
	if (r)
		return r;
	r = s->ops->scan_open(s, &scan, job->path, job->path_len, &job->error);
	if (r)
		return r;
	r = s->ops->scan_next(scan, &d, &job->error);
	s->ops->scan_close(scan);
	job->is_empty = r == 0;
	return r < 0 ? r : 0;
}

/*
 * No event says that a directory's content changed: this is a retry after it could not be listed.
 * It stays parked until a walk has listed it.
 */
static enum next list_again(struct job *job)
{
	struct source *s = job->mapping->source;
	int r = s->ops->mark(s, job->path, job->path_len, KDEV_MARK_SUBTREE, &job->error);

	if (r)
		return source_failed(r);
	error_set(&job->error, -EAGAIN, "it could not be listed, which is tried again");
	return NEXT_PARK;
}

static enum next directory(struct job *job)
{
	enum action action;
	int r = job->known ? 0 : look_into(job);

	if (is_absent(r))
		return NEXT_DROP;
	if (r)
		return source_failed(r);
	if (job->content && job->entry->type == KDEV_ENTRY_PATH)
		return list_again(job);
	job->kind = STATE_DIR;
	job->quiet = true;
	if (!EVP_Digest("", 0, job->md5, NULL, EVP_md5(), NULL))
		return NEXT_PARK;
	action = reconcile_directory(&job->st, &job->parent, job->is_empty,
				     job->has_row ? &job->row : NULL);
	if (action == ACTION_UPLOAD)
		return NEXT_PUT;
	return action == ACTION_META ? NEXT_META : NEXT_NOTHING;
}

/* Is there a row of another path with this file's identity, whose path is no more? */
static bool find_origin(struct job *job, struct state_row *row)
{
	struct mapping *m = job->mapping;
	struct state_path after, path;
	struct kdev_stat st;

	if (job->content || job->st.nlink != 1 || !S_ISREG(job->st.mode))
		return false;
	/* Nearly every new file ends here, at the first look: nothing is cleared or allocated. */
	after.len = 0;
	while (state_get_inode(m->engine->state, m->target.id, job->st.subvol, job->st.ino,
			       job->st.generation, &after, &path, row) == 1) {
		if (is_absent(m->source->ops->stat(m->source, path.text, path.len, &st, NULL))) {
			job->from = malloc(sizeof(*job->from));
			if (job->from)
				*job->from = path;
			return job->from != NULL;
		}
		after = path;
	}
	return false;
}

static enum next gone(struct job *job)
{
	struct mapping *m = job->mapping;
	int r = state_has_below(m->engine->state, m->target.id, job->path, job->path_len);

	if (r < 0) {
		error_set_errno(&job->error, r, "state database");
		return NEXT_STATE_ERROR;
	}
	if (r)
		return NEXT_GONE_TREE;
	return job->has_row && !(job->row.flags & STATE_KEPT) ? NEXT_GONE : NEXT_FORGET;
}

/* Puts the question to reconcile() and translates the answer. */
static enum next ask(struct job *job, const struct state_row *moved_from)
{
	const struct policy *policy = &job->mapping->policy;
	struct reconcile_in in = {
		.st = job->has_st ? &job->st : NULL,
		.row = job->has_row ? &job->row : NULL,
		.moved_from = moved_from,
		.md5 = job->has_md5 ? job->md5 : NULL,
		.content = job->content,
		.by_event = job->entry->type == KDEV_ENTRY_PATH && !job->known,
		.taken = policy_takes(policy, job->path, job->path_len,
				      job->has_st && S_ISDIR(job->st.mode)),
		.stores_symlinks = policy->stores_symlinks,
		.deletes = policy->deletes,
	};

	switch (reconcile(&in)) {
	case ACTION_NOTHING:
		return job->has_st ? NEXT_NOTHING : gone(job);
	case ACTION_ROW:
		return NEXT_ROW;
	case ACTION_META:
		return NEXT_META;
	case ACTION_HASH:
	case ACTION_UPLOAD:
		if (job->has_md5)
			return NEXT_PUT;
		return S_ISLNK(job->st.mode) ? read_link(job) : read_file(job);
	case ACTION_COPY:
		memcpy(job->md5, moved_from->md5, sizeof(job->md5));
		job->row = *moved_from;
		job->quiet = true;
		job->trusted = reconcile_is_trusted(&job->st, realtime_ns(),
						    job->mapping->tick_ns);
		return NEXT_COPY;
	case ACTION_DELETE:
	case ACTION_MARK_DELETED:
	case ACTION_FORGET:
		return gone(job);
	case ACTION_DIRECTORY:
		return directory(job);
	case ACTION_SKIP:
		return NEXT_SKIP;
	}
	return NEXT_PARK;
}

/* Where metadata or row alone are renewed, they keep what is known of the content. */
static void keep_content(struct job *job)
{
	if (job->next != NEXT_META && job->next != NEXT_ROW)
		return;
	job->kind = job->row.kind;
	if (job->has_md5)
		return;
	memcpy(job->md5, job->row.md5, sizeof(job->md5));
	job->quiet = job->kind != STATE_FILE || (job->row.flags & STATE_QUIET);
	job->trusted = (job->row.flags & STATE_TRUSTED) &&
		       reconcile_is_trusted(&job->st, realtime_ns(), job->mapping->tick_ns);
}

static enum next look(struct job *job)
{
	struct mapping *m = job->mapping;
	struct source *s = m->source;
	struct state_row origin;
	bool moved;
	int r;

	if (!job->known) {
		r = state_get(m->engine->state, m->target.id, job->path, job->path_len, &job->row);
		if (r < 0) {
			error_set_errno(&job->error, r, "state database");
			return NEXT_STATE_ERROR;
		}
		job->has_row = r == 1 && !job->forced;
		/* A new file will be opened in any case, unless it has only moved. */
		r = s->ops->stat(s, job->path, job->path_len, &job->st, &job->error);
		if (r && !is_absent(r))
			return source_failed(r);
		job->has_st = !r;
	}
	moved = job->has_st && !job->has_row && !job->forced && find_origin(job, &origin);
	return ask(job, moved ? &origin : NULL);
}

void job_inspect(struct pool_work *work)
{
	struct job *job = (struct job *)work;

	if (job->mapping->down) {
		job->next = NEXT_AGAIN;
		return;
	}
	/* A second time round is for the memory that was lacking. */
	job->next = job->charged ? read_file(job) : look(job);
	keep_content(job);
	if (job->next == NEXT_PUT || job->next == NEXT_META || job->next == NEXT_LARGE)
		job->create = !job->has_row || !job->row.etag[0];
}
