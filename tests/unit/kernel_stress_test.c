/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Everything at random, against an oracle of debts: each event is a debt, of its path
 * and perhaps of its content, that an uploader pays who looked at the path (and read
 * it) after the event and said DONE. No debt may be forgotten, and none that is older than
 * a flush may be open when that flush counts as done.
 */
#include <stdlib.h>

#include "kshim/set.h"

static const char *const paths[] = {
	"", "a", "a/b", "a/b/c", "a/b/d", "a/x", "ab", "ab/c", "a b", "b", "b/1", "b/2", "b/3",
	"b/4", "b/5", "c", "c/d", "c/d/e", "c/d/e/f", "c/d/g", "\x01", "\x01/z", "//1:1", "//2:7",
};

#define NR_PATHS	((int)(sizeof(paths) / sizeof(*paths)))
#define FIRST_INODE	(NR_PATHS - 2)
#define MAX_DEBTS	20000
#define MAX_TAKEN	512

struct debt {
	int path;
	bool content;
	unsigned int at;
	u64 flush;		/* the first that must wait for it; 0: none yet */
};

/* What the uploader has out. */
struct taken {
	u64 id;
	int path;
	u32 type;
	bool content;
	unsigned int looked_at;	/* pays debts up to here */
	unsigned int read_at;	/* pays those of content; 0: not read */
	bool visited[NR_PATHS];	/* below a SUBTREE */
	bool processed;
};

static struct azs_mapping *m;
static struct inode *inodes[NR_PATHS];
static struct debt debts[MAX_DEBTS];
static struct taken taken[MAX_TAKEN];
static int nr_debts, nr_taken;
static unsigned int now, content_at[NR_PATHS];

static bool covers(int dir, int path)
{
	return dir == path || azs_path_is_below(paths[path], strlen(paths[path]), paths[dir],
						strlen(paths[dir]));
}

static int path_index(const char *path)
{
	int i;

	for (i = 0; i < NR_PATHS; i++)
		if (!strcmp(paths[i], path))
			return i;
	fail_msg("no such path was ever dirty: %s", path);
	return -1;
}

/* ---- the oracle ---- */

static void owe(int path, bool content)
{
	assert_true(nr_debts < MAX_DEBTS);
	debts[nr_debts++] = (struct debt){ .path = path, .content = content, .at = now };
}

static void owe_below(int dir, bool content)
{
	int i;

	for (i = 0; i < FIRST_INODE; i++)
		if (covers(dir, i))
			owe(i, content);
}

static void pay(int path, bool content, unsigned int up_to)
{
	int i;

	for (i = 0; i < nr_debts;) {
		struct debt *d = &debts[i];

		if (d->path == path && d->content == content && d->at <= up_to)
			*d = debts[--nr_debts];
		else
			i++;
	}
}

static void check_flushed(void)
{
	u64 flushed = azs_dirty_flushed(m);
	int i;

	for (i = 0; i < nr_debts; i++)
		if (debts[i].flush && flushed >= debts[i].flush)
			fail_msg("flushed is %llu, but %s of event %u is not done since flush %llu",
				 flushed, paths[debts[i].path], debts[i].at, debts[i].flush);
}

/* ---- producers ---- */

/* As the watcher: the fast path first. */
static void event_of_file(int p, unsigned int flags)
{
	bool content = flags & AZS_DIRTY_CONTENT, closed = flags & AZS_DIRTY_CLOSED, idle;

	owe(p, content);
	if (content)
		content_at[p] = now;
	if (!p) {
		set_dirty(m, "", flags);
		return;
	}
	rcu_read_lock();
	idle = azs_dirty_is_known(inodes[p], content, closed) ||
	       azs_dirty_is_root_known(m, content);
	rcu_read_unlock();
	if (!idle)
		set_event(m, paths[p], inodes[p], flags);
}

static void produce(void)
{
	int p = rand() % FIRST_INODE;
	bool content = rand() % 2;

	switch (rand() % 12) {
	case 0:
		owe_below(p, content);
		set_dirty(m, paths[p], AZS_DIRTY_SUBTREE | (content ? AZS_DIRTY_CONTENT : 0));
		break;
	case 1:
		p = FIRST_INODE + rand() % 2;
		owe(p, true);
		azs_dirty_add_inode(m, p == FIRST_INODE ? 1 : 2, p == FIRST_INODE ? 1 : 7);
		break;
	case 2:
		if (!p)
			break;
		if (content)
			owe_below(p, false);
		else
			owe(p, false);
		azs_dirty_moved(m, paths[p], strlen(paths[p]), content);
		break;
	case 3:
		if (!p)
			break;
		owe(p, false);
		set_event(m, paths[p], NULL, AZS_DIRTY_GONE);
		break;
	case 4:
		inodes[p]->writers = 1;
		event_of_file(p, AZS_DIRTY_CONTENT);
		break;
	case 5:
		if (!inodes[p]->writers)
			break;
		inodes[p]->writers = rand() % 2;
		event_of_file(p, AZS_DIRTY_CONTENT | AZS_DIRTY_CLOSED);
		inodes[p]->writers = 0;
		break;
	default:
		event_of_file(p, content ? AZS_DIRTY_CONTENT : 0);
	}
}

/* ---- the uploader ---- */

static struct taken *keep(u64 id, int path, u32 type, bool content)
{
	struct taken *t = &taken[nr_taken];
	int i;

	assert_true(nr_taken < MAX_TAKEN);
	for (i = 0; i < nr_taken; i++) {
		assert_int_not_equal(taken[i].id, id);
		if (taken[i].path == path)
			fail_msg("%s is out twice", paths[path]);
	}
	nr_taken++;
	*t = (struct taken){ .id = id, .path = path, .type = type, .content = content };
	t->looked_at = now;
	return t;
}

static void forget(struct taken *t)
{
	*t = taken[--nr_taken];
}

static void take(void)
{
	struct set_record r = set_take(m);
	char key[64];

	if (r.err) {
		assert_int_equal(r.err, -ENOENT);
		return;
	}
	if (rand() % 16 == 0) {
		azs_dirty_untake(m, r.rec.entry);
		return;
	}
	snprintf(key, sizeof(key), "//%llu:%llu", r.rec.ino, r.rec.generation);
	keep(r.rec.entry, path_index(r.rec.hdr.type == AZS_REC_INODE ? key : r.path),
	     r.rec.hdr.type, r.rec.flags & AZS_ENTRY_CONTENT);
}

/* Opens or looks at all that a SUBTREE covers. False if it must come again. */
static bool visit_below(u64 lead, int dir, bool content, bool *visited)
{
	u32 flags;
	int i, err;

	for (i = 0; i < NR_PATHS; i++) {
		u64 id = lead;

		if (!covers(dir, i))
			continue;
		if (i == dir || i >= FIRST_INODE || (!content && rand() % 2)) {
			visited[i] = true;
			continue;
		}
		err = set_open(m, &id, paths[i], inodes[i], &flags);
		if (!err)
			keep(id, i, AZS_REC_PATH, true)->read_at = now;
		else if (err == -ENOMEM)
			return false;
		else
			assert_true(err == -EAGAIN || err == -EBUSY);
	}
	return true;
}

static void pay_for(const struct taken *t)
{
	int i;

	if (t->type == AZS_REC_SUBTREE) {
		for (i = 0; i < NR_PATHS; i++) {
			if (!t->visited[i])
				continue;
			pay(i, false, t->looked_at);
			if (t->content)
				pay(i, true, t->looked_at);
		}
		return;
	}
	pay(t->path, false, t->read_at > t->looked_at ? t->read_at : t->looked_at);
	if (t->read_at)
		pay(t->path, true, t->read_at);
}

/* False if it is out no more. */
static bool work_on(struct taken *t)
{
	bool visited[NR_PATHS] = { false };
	const u64 id = t->id;
	u64 opened = id;
	u32 flags;

	if (t->processed)
		return true;
	if (t->type == AZS_REC_SUBTREE) {
		if (!visit_below(t->id, t->path, t->content, visited)) {
			assert_int_equal(set_again(id, 0), 0);
			forget(t);
			return false;
		}
		memcpy(t->visited, visited, sizeof(visited));
	} else if (t->type == AZS_REC_INODE) {
		t->read_at = t->looked_at;
	} else if (t->path && (t->content || rand() % 4 == 0) && !t->read_at) {
		if (set_open(m, &opened, paths[t->path], inodes[t->path], &flags)) {
			assert_int_equal(set_done(id, AZS_DONE_OK), -ENOENT);
			forget(t);
			return false;
		}
		t->read_at = now;
		if (rand() % 16 == 0) {
			azs_dirty_open_failed(m, id);
			forget(t);
			return false;
		}
	} else if (!t->path && t->content) {
		t->read_at = t->looked_at;
	}
	t->processed = true;
	return true;
}

static void finish(struct taken *t)
{
	struct azs_done_item item = { .entry = t->id, .result = AZS_DONE_OK };

	if (t->type == AZS_REC_PATH && t->read_at && content_at[t->path] > t->read_at)
		assert_false(set_is_quiet(t->id));
	switch (rand() % 8) {
	case 0:
		item.result = AZS_DONE_AGAIN;
		item.delay_ms = rand() % 2 ? rand() % 3000 : 0;
		break;
	case 1:
		item.result = AZS_DONE_PARKED;
		break;
	case 2:
		item.flags = AZS_DONE_UNQUIET;
		break;
	}
	assert_int_equal(azs_dirty_done(&item), 0);
	if (item.result != AZS_DONE_AGAIN)
		pay_for(t);
	forget(t);
}

static void upload(void)
{
	struct taken *t = &taken[nr_taken ? rand() % nr_taken : 0];

	if (nr_taken && work_on(t) && rand() % 2)
		finish(t);
}

/* ---- rounds ---- */

static void flush(void)
{
	u64 n = azs_dirty_flush(m);
	int i;

	for (i = 0; i < nr_debts; i++)
		if (!debts[i].flush)
			debts[i].flush = n;
}

static void step(void)
{
	now++;
	switch (rand() % 24) {
	case 0 ... 9:
		produce();
		break;
	case 10 ... 14:
		take();
		break;
	case 15 ... 19:
		upload();
		break;
	case 20:
		if (rand() % 4)
			break;
		kshim.connected = !kshim.connected;
		azs_dirty_putback(m);
		nr_taken = 0;
		break;
	case 21:
		flush();
		break;
	case 22:
		kshim_run_works();
		kshim_grace();
		kshim_run_timer(&m->dirty.timer);
		break;
	case 23:
		kshim_advance_ms(rand() % 1000);
		break;
	}
}

/* The file system rests and memory is back: everything must go out. */
static void drain(void)
{
	int i;

	kshim.fail_every = 0;
	for (i = 1; i < FIRST_INODE; i++)
		inodes[i]->writers = 0;
	for (i = 0; i < 4000 && (nr_debts || nr_taken || m->dirty.nr_pending); i++) {
		now++;
		kshim_advance_ms(500);
		take();
		while (nr_taken) {
			if (work_on(&taken[nr_taken - 1]))
				finish(&taken[nr_taken - 1]);
		}
		check_flushed();
	}
	for (i = 0; i < nr_debts; i++)
		print_message("lost: %s%s, event %u\n", paths[debts[i].path],
			      debts[i].content ? " (content)" : "", debts[i].at);
	assert_int_equal(nr_debts, 0);
	assert_int_equal(m->dirty.nr_pending, 0);
	assert_true(azs_dirty_flushed(m) == m->dirty.seq);
}

static void stress(unsigned int seed, unsigned int fail_every, unsigned int max_pending,
		   unsigned int max_lag_ms)
{
	int i;

	srand(seed);
	m = set_start();
	m->max_pending = max_pending;
	m->max_lag_ms = max_lag_ms;
	for (i = 0; i < NR_PATHS; i++)
		inodes[i] = set_inode();
	nr_debts = nr_taken = 0;
	now = 0;
	memset(content_at, 0, sizeof(content_at));
	kshim.fail_every = fail_every;
	for (i = 0; i < 250; i++) {
		step();
		check_flushed();
		if (i % 8 == 0)
			set_check(m);
	}
	set_check(m);
	drain();
	set_check(m);
	set_end(m);
}

static void rounds(unsigned int fail_every, unsigned int max_pending, unsigned int max_lag_ms)
{
	unsigned int seed;

	for (seed = 1; seed <= 400; seed++)
		stress(seed, fail_every, max_pending, max_lag_ms);
}

static void nothing_is_lost_with_room(void **state)
{
	(void)state;
	rounds(0, 65536, 300000);
}

static void nothing_is_lost_when_only_a_close_tells(void **state)
{
	(void)state;
	rounds(0, 65536, 0);
}

static void nothing_is_lost_when_files_lag(void **state)
{
	(void)state;
	rounds(0, 65536, 700);
}

static void nothing_is_lost_by_folding(void **state)
{
	unsigned int max;

	(void)state;
	for (max = 1; max <= 5; max++)
		rounds(0, max, max % 2 ? 3000 : 0);
}

static void nothing_is_lost_without_memory(void **state)
{
	unsigned int every;

	(void)state;
	for (every = 1; every <= 5; every++)
		rounds(every, every % 2 ? 65536 : 5, 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SET_TEST(nothing_is_lost_with_room),
		SET_TEST(nothing_is_lost_when_only_a_close_tells),
		SET_TEST(nothing_is_lost_when_files_lag),
		SET_TEST(nothing_is_lost_by_folding),
		SET_TEST(nothing_is_lost_without_memory),
	};

	return cmocka_run_group_tests_name("kernel_stress", tests, set_group_setup,
					   set_group_teardown);
}
