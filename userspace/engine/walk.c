/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A walk: goes through a directory depth-first and compares each listing with the rows of that
 * directory. What is new or differs becomes a job, what has a row and was not seen is gone.
 *
 * It advances in steps on a worker. A step ends after so much work; the loop then takes what it
 * found and submits the next one when few enough of its jobs are left. In memory are the names that
 * were seen in the directories from the top down to where it is, no more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/internal.h"
#include "engine/names.h"
#include "lib/buf.h"
#include "lib/log.h"

#define STEP_JOBS	64		/* found in one step */
#define STEP_WORK	4096		/* names and rows looked at in one step */
#define RESUME_JOBS	(WALK_JOBS_MAX / 2)
#define SUBDIRS_MAX	(256u << 20)	/* bytes of names of sub-directories to go into */

enum phase {
	PHASE_SCAN,		/* of the directory */
	PHASE_ROWS,		/* of its files: which were not seen? */
	PHASE_ROW_DIRS,		/* of the directories that have rows below them */
	PHASE_DESCEND,
};

struct level {
	struct level *up;
	enum phase phase;
	size_t path_len;		/* of this directory, in walk.path */
	struct kdev_stat st;
	struct source_scan *scan;
	struct names seen;
	struct buf subdirs;		/* names, each with a NUL */
	size_t subdirs_at;
	bool any;			/* it is not empty */
	bool failed;			/* something in it could not be seen, and is parked */
	char after[256];		/* the row that was looked at last */
	size_t after_len;
};

/* To the state: what has a row is not there, or a failure is over. */
struct note {
	struct state_op op;
	struct note *next;
	struct walk *walk;
	char path[];
};

struct walk {
	struct pool_work work;
	struct mapping *mapping;
	struct entry *entry;
	struct level *top;
	bool begun;
	bool ended;			/* there is nothing more to find */
	bool running;			/* on a worker */
	bool any_parked;		/* a directory that was may be listed now */
	unsigned int jobs_out;
	unsigned int notes_out;

	/* of the step: */
	unsigned int work_left;
	unsigned int jobs_left;
	struct job *found;		/* by next_ready */
	struct note *notes;
	uint64_t seen;			/* files */
	uint64_t skipped;
	int err;			/* ends the walk; the entry comes again */
	struct error message;

	size_t path_len;
	char path[KDEV_PATH_MAX + 1];
};

static int fail(struct walk *w, int err)
{
	if (!w->message.message[0])
		error_set_errno(&w->message, err, "scan");
	w->err = err;
	return err;
}

/* ---- paths ---- */

static int push_name(struct walk *w, const char *name, size_t len)
{
	size_t slash = w->path_len ? 1 : 0;

	if (w->path_len + slash + len > KDEV_PATH_MAX)
		return -ENAMETOOLONG;
	if (slash)
		w->path[w->path_len] = '/';
	memcpy(w->path + w->path_len + slash, name, len);
	w->path_len += slash + len;
	w->path[w->path_len] = '\0';
	return 0;
}

static void cut_path(struct walk *w, size_t len)
{
	w->path_len = len;
	w->path[len] = '\0';
}

/* ---- findings ---- */

static struct job *add_job(struct walk *w)
{
	struct job *job = job_alloc(w->path, w->path_len);

	if (!job) {
		fail(w, -ENOMEM);
		return NULL;
	}
	job->next_ready = w->found;
	w->found = job;
	if (w->jobs_left)
		w->jobs_left--;
	return job;
}

/* A place that cannot be read is noted as failed; the rest goes on. */
static void add_failure(struct walk *w, const struct error *why)
{
	struct job *job = add_job(w);

	if (!job)
		return;
	job->decided = true;
	job->next = NEXT_PARK;
	job->error = *why;
}

static void on_noted(struct state_op *op);

static void add_note(struct walk *w, enum state_op_kind kind)
{
	struct note *g = calloc(1, sizeof(*g) + w->path_len + 1);

	if (!g) {
		fail(w, -ENOMEM);
		return;
	}
	memcpy(g->path, w->path, w->path_len);
	g->walk = w;
	g->op.kind = kind;
	g->op.target = w->mapping->target.id;
	g->op.path = g->path;
	g->op.path_len = w->path_len;
	g->op.now_ms = engine_realtime_ms();
	g->op.distrust = w->entry->flags & KDEV_CONTENT;
	g->op.done = on_noted;
	g->next = w->notes;
	w->notes = g;
	if (w->jobs_left)
		w->jobs_left--;
}

/* ---- levels ---- */

static void pop_level(struct walk *w)
{
	struct level *l = w->top;

	w->top = l->up;
	if (l->scan)
		w->mapping->source->ops->scan_close(l->scan);
	names_free(&l->seen);
	buf_free(&l->subdirs);
	free(l);
}

/* The directory w->path. One that has vanished is passed over: an event will tell. */
static void cannot_enter(struct walk *w, int r, const struct error *e)
{
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -EXDEV)
		return;
	if (r != -ESTALE && r != -ENOMEM && r != -EMFILE && r != -ENFILE) {
		add_failure(w, e);
		return;
	}
	w->message = *e;
	fail(w, r);
}

/* Goes into the directory w->path. */
static void push_level(struct walk *w, const struct kdev_stat *st)
{
	struct source *s = w->mapping->source;
	struct level *l = calloc(1, sizeof(*l));
	struct error e = { 0 };
	int r;

	if (!l) {
		fail(w, -ENOMEM);
		return;
	}
	l->st = *st;
	l->path_len = w->path_len;
	buf_init(&l->subdirs, SUBDIRS_MAX);
	l->up = w->top;
	w->top = l;
	r = s->ops->scan_open(s, &l->scan, w->path, w->path_len, &e);
	if (!r)
		return;
	l->scan = NULL;
	pop_level(w);
	cannot_enter(w, r, &e);
}

static void add_subdir(struct walk *w, struct level *l, const struct kdev_dirent *d)
{
	if (!policy_takes(&w->mapping->policy, w->path, w->path_len, true) || d->st.mountpoint) {
		w->skipped++;
		return;
	}
	if (buf_add(&l->subdirs, d->name, d->name_len + 1))
		fail(w, l->subdirs.err);
}

/* A file or link in the listing: does anything have to be done? */
/* An INODE says CONTENT of that inode alone. */
static bool wants_hash(const struct walk *w, const struct kdev_dirent *d)
{
	if (w->entry->type == KDEV_ENTRY_INODE && d->st.ino != w->entry->ino)
		return d->st.writer;
	return d->st.writer || (w->entry->flags & KDEV_CONTENT);
}

static void see_file(struct walk *w, const struct kdev_dirent *d)
{
	struct mapping *m = w->mapping;
	struct state_row row;
	struct reconcile_in in = {
		.st = &d->st,
		.content = wants_hash(w, d),
		.taken = policy_takes(&m->policy, w->path, w->path_len, false),
		.stores_symlinks = m->policy.stores_symlinks,
		.deletes = m->policy.deletes,
	};
	enum action action;
	struct job *job;
	int r;

	r = state_get(m->engine->state, m->target.id, w->path, w->path_len, &row);
	if (r < 0) {
		fail(w, r);
		return;
	}
	in.row = r ? &row : NULL;
	action = reconcile(&in);
	w->seen++;
	if (action == ACTION_SKIP)
		w->skipped++;
	if (action == ACTION_NOTHING || action == ACTION_SKIP)
		return;
	job = add_job(w);
	if (!job)
		return;
	job->known = true;
	job->has_st = true;
	job->st = d->st;
	job->has_row = r == 1;
	job->content = in.content;
	if (r)
		job->row = row;
}

static void see(struct walk *w, struct level *l, const struct kdev_dirent *d)
{
	bool is_dir = S_ISDIR(d->st.mode);
	struct error e = { 0 };

	l->any = true;
	if (names_add(&l->seen, d->name, d->name_len, is_dir)) {
		fail(w, -ENOMEM);
		return;
	}
	if (push_name(w, d->name, d->name_len)) {
		l->failed = true;
		error_set(&e, -ENAMETOOLONG, "below it is a path of more than %d bytes",
			  KDEV_PATH_MAX);
		add_failure(w, &e);
		return;
	}
	if (is_dir)
		add_subdir(w, l, d);
	else
		see_file(w, d);
	cut_path(w, l->path_len);
}

/* The directory itself, now that it is known whether it is empty. */
static void see_self(struct walk *w, struct level *l)
{
	struct mapping *m = w->mapping;
	struct kdev_stat parent;
	struct state_row row;
	struct job *job;
	int r;

	if (!l->path_len)
		return;
	if (l->up) {
		parent = l->up->st;
	} else {
		char dir[KDEV_PATH_MAX + 1];
		size_t len = w->path_len;

		memcpy(dir, w->path, len);
		while (len && dir[len - 1] != '/')
			len--;
		len -= len ? 1 : 0;
		dir[len] = '\0';
		if (m->source->ops->stat(m->source, dir, len, &parent, NULL))
			return;
	}
	r = state_get(m->engine->state, m->target.id, w->path, w->path_len, &row);
	if (r < 0) {
		fail(w, r);
		return;
	}
	if (reconcile_directory(&l->st, &parent, !l->any, r ? &row : NULL) == ACTION_NOTHING)
		return;
	job = add_job(w);
	if (!job)
		return;
	job->known = true;
	job->has_st = true;
	job->st = l->st;
	job->parent = parent;
	job->is_empty = !l->any;
	job->has_row = r == 1;
	if (r)
		job->row = row;
}

static void scan(struct walk *w, struct level *l)
{
	struct source *s = w->mapping->source;
	struct error e = { 0 };
	struct kdev_dirent d;
	int r;

	r = s->ops->scan_next(l->scan, &d, &e);
	if (r > 0) {
		see(w, l, &d);
		return;
	}
	if (r == 0) {
		s->ops->scan_close(l->scan);
		l->scan = NULL;
		if (w->any_parked && !l->failed)
			add_note(w, STATE_OP_UNPARK);
		see_self(w, l);
		l->phase = PHASE_ROWS;
		return;
	}
	/* Incomplete: nothing may be called gone. */
	if (r == -ESTALE) {
		w->message = e;
		fail(w, r);
		return;
	}
	if (r != -ENOENT)
		add_failure(w, &e);
	pop_level(w);
}

static void look_at_row(struct walk *w, struct level *l)
{
	struct mapping *m = w->mapping;
	char name[256];
	size_t len;
	int r = state_next_child(m->engine->state, m->target.id, w->path, w->path_len,
				 l->after_len ? l->after : NULL, l->after_len, name, &len);

	if (r < 0) {
		fail(w, r);
		return;
	}
	if (r == 0) {
		l->phase = PHASE_ROW_DIRS;
		l->after_len = 0;
		return;
	}
	memcpy(l->after, name, len);
	l->after_len = len;
	if (names_has(&l->seen, name, len, false) || names_has(&l->seen, name, len, true))
		return;
	if (!push_name(w, name, len))
		add_note(w, STATE_OP_GONE);
	cut_path(w, l->path_len);
}

static void look_at_row_dir(struct walk *w, struct level *l)
{
	struct mapping *m = w->mapping;
	char name[256];
	size_t len;
	int r = state_next_subdir(m->engine->state, m->target.id, w->path, w->path_len,
				  l->after_len ? l->after : NULL, l->after_len, name, &len);

	if (r < 0) {
		fail(w, r);
		return;
	}
	if (r == 0) {
		l->phase = PHASE_DESCEND;
		names_free(&l->seen);
		return;
	}
	memcpy(l->after, name, len);
	l->after_len = len;
	if (names_has(&l->seen, name, len, true))
		return;
	if (!push_name(w, name, len))
		add_note(w, STATE_OP_GONE_TREE);
	cut_path(w, l->path_len);
}

static void descend(struct walk *w, struct level *l)
{
	struct source *s = w->mapping->source;
	const char *name = l->subdirs.data + l->subdirs_at;
	struct error e = { 0 };
	struct kdev_stat st;
	size_t len;
	int r;

	cut_path(w, l->path_len);
	if (l->subdirs_at >= l->subdirs.len) {
		pop_level(w);
		return;
	}
	len = strlen(name);
	l->subdirs_at += len + 1;
	if (push_name(w, name, len))
		return;
	r = s->ops->stat(s, w->path, w->path_len, &st, &e);
	if (r)
		cannot_enter(w, r, &e);
	else if (S_ISDIR(st.mode) && !st.mountpoint)
		push_level(w, &st);
}

static void below_is_gone(struct walk *w)
{
	struct mapping *m = w->mapping;
	int r = state_has_below(m->engine->state, m->target.id, w->path, w->path_len);

	if (r < 0)
		fail(w, r);
	else if (r)
		add_note(w, STATE_OP_GONE_TREE);
}

/* What the entry names may have become anything since. */
static void begin(struct walk *w)
{
	struct source *s = w->mapping->source;
	struct entry *entry = w->entry;
	struct kdev_stat st;
	struct job *job;
	int r;

	w->begun = true;
	/*
	 * An inode without a path: the walk hashes it wherever it is met. One without a row lies
	 * elsewhere on the file system, or is new here and has an entry of its own.
	 */
	if (entry->type == KDEV_ENTRY_INODE) {
		r = state_has_inode(w->mapping->engine->state, w->mapping->target.id, entry->ino,
				    entry->generation);
		if (r < 0)
			fail(w, r);
		if (r <= 0)
			return;
	} else {
		memcpy(w->path, entry->path, entry->path_len);
		cut_path(w, entry->path_len);
	}
	r = s->ops->stat(s, w->path, w->path_len, &st, &w->message);
	if (!r && S_ISDIR(st.mode) && (!w->path_len || !st.mountpoint) &&
	    (!w->path_len || policy_takes(&w->mapping->policy, w->path, w->path_len, true))) {
		push_level(w, &st);
		return;
	}
	if (!w->path_len) {
		fail(w, r ? r : -ENOTDIR);
		return;
	}
	job = add_job(w);
	if (job)
		job->content = entry->flags & KDEV_CONTENT;
	/* Where a directory was is something else: what lay below has no event of its own. */
	if (!r && !S_ISDIR(st.mode))
		below_is_gone(w);
}

static void step(struct pool_work *work)
{
	struct walk *w = (struct walk *)work;

	if (!w->begun)
		begin(w);
	while (w->top && !w->err && w->work_left && w->jobs_left && !w->mapping->down) {
		w->work_left--;
		switch (w->top->phase) {
		case PHASE_SCAN:
			scan(w, w->top);
			break;
		case PHASE_ROWS:
			look_at_row(w, w->top);
			break;
		case PHASE_ROW_DIRS:
			look_at_row_dir(w, w->top);
			break;
		case PHASE_DESCEND:
			descend(w, w->top);
			break;
		}
	}
	if (w->err || w->mapping->down)
		while (w->top)
			pop_level(w);
}

/* ---- on the loop ---- */

static void end(struct walk *w)
{
	struct mapping *m = w->mapping;

	if (w->err && !m->down) {
		if (m->phase != MAPPING_BLOCKED)
			mapping_say(m, "%s: %s",
				    w->entry->path_len ? w->entry->path : "scan",
				    w->message.message);
		entry_result(w->entry, KDEV_AGAIN, mapping_delay_ms(m));
	}
	if (m->down)
		entry_result(w->entry, KDEV_AGAIN, 0);
	m->nr_walks--;
	entry_put(w->entry);
	free(w);
	mapping_put(m);
}

static void on_step(struct pool_work *work);

static void go_on(struct walk *w)
{
	struct mapping *m = w->mapping;
	unsigned int most = m->cautious ? 1 : WALK_JOBS_MAX;

	if (w->running)
		return;
	if (w->ended) {
		if (!w->jobs_out && !w->notes_out)
			end(w);
		return;
	}
	if (w->jobs_out + w->notes_out >= (m->cautious ? 1 : RESUME_JOBS))
		return;
	w->running = true;
	w->any_parked = m->counts.parked;
	w->work_left = STEP_WORK;
	w->jobs_left = most < STEP_JOBS ? most : STEP_JOBS;
	w->work.run = step;
	w->work.done = on_step;
	pool_submit(m->engine->pool, &w->work);
}

static void on_noted(struct state_op *op)
{
	struct note *g = (struct note *)op;
	struct walk *w = g->walk;

	w->notes_out--;
	if (op->err)
		fail(w, op->err);
	else if (op->gone)
		deletes_wait(w->entry, op->gone);
	free(g);
	go_on(w);
}

static void take_findings(struct walk *w)
{
	struct engine *en = w->mapping->engine;
	struct job *job, *list = NULL;
	struct note *g;

	/* In the order they were met: what the client reads next lies side by side on the disk. */
	while ((job = w->found)) {
		w->found = job->next_ready;
		job->next_ready = list;
		list = job;
	}
	while ((job = list)) {
		list = job->next_ready;
		w->jobs_out++;
		job_attach(job, w->entry, w);
		if (job->decided)
			job_decide(job);
		else
			job_submit(job);
	}
	while ((g = w->notes)) {
		w->notes = g->next;
		w->notes_out++;
		state_submit(en->state, &g->op);
	}
}

static void on_step(struct pool_work *work)
{
	struct walk *w = (struct walk *)work;
	struct mapping *m = w->mapping;

	m->counters.skipped += w->skipped;
	w->skipped = 0;
	/* `running` keeps go_on() out while jobs may end at once. */
	take_findings(w);
	if (m->phase == MAPPING_BLOCKED && !w->err)
		fail(w, -EAGAIN);
	if (!w->top || w->err || m->down || m->engine->draining)
		w->ended = true;
	if (m->engine->draining && w->top)
		entry_result(w->entry, KDEV_AGAIN, 0);
	while (w->ended && w->top)
		pop_level(w);
	if (m->push)
		push_seen(m->push, w->seen, w->ended);
	w->seen = 0;
	w->running = false;
	go_on(w);
}

void walk_job_done(struct walk *w)
{
	w->jobs_out--;
	go_on(w);
}

int walk_start(struct entry *entry)
{
	struct mapping *m = entry->mapping;
	struct walk *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->mapping = m;
	w->entry = entry;
	entry_get(entry);
	mapping_get(m);
	m->nr_walks++;
	go_on(w);
	return 0;
}
