/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The state database: what is committed is there and whole, whatever happens. */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state/state.h"

static char dir[64];
static char db[96];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/azs-state-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(db, sizeof(db), "%s/state.db", dir);
	return 0;
}

static int teardown(void **state)
{
	char path[128];

	(void)state;
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s", db, i == 0 ? "" : i == 1 ? "-wal" : "-shm");
		unlink(path);
	}
	return rmdir(dir);
}

static struct state *open_db(unsigned int max_pages)
{
	struct state_config config = { .path = db, .max_pages = max_pages };
	struct error e = { 0 };
	struct state *s;

	if (state_open(&s, &config, &e))
		fail_msg("%s", e.message);
	return s;
}

static int64_t open_target(struct state *s, const char *prefix)
{
	struct state_target_key key = { .account = "acc", .container = "con", .prefix = prefix,
					.root_ino = 2, .root_btime_ns = 5 };
	struct state_target target;

	assert_int_equal(state_target_open(s, &key, &target, NULL), 0);
	return target.id;
}

static void on_done(struct state_op *op)
{
	(void)op;
}

/* Submits one operation and waits until it is complete. */
static int do_op(struct state *s, struct state_op *op)
{
	struct state_op *done;

	op->done = on_done;
	state_submit(s, op);
	while (!(done = state_completed(s)))
		poll(NULL, 0, 1);
	assert_ptr_equal(done, op);
	assert_null(done->next);
	return op->err;
}

static int do_path(struct state *s, enum state_op_kind kind, int64_t target, const char *path,
		   struct state_op *out)
{
	struct state_op op = { .kind = kind, .target = target, .path = path,
			       .path_len = strlen(path), .now_ms = 1000000,
			       .row = { .kind = STATE_FILE, .size = strlen(path), .ino = 7,
					.generation = UINT64_MAX, .mtime_ns = -5, .etag = "\"e\"",
					.flags = STATE_QUIET },
			       .message = "it failed", .code = "Code", .retry_at_s = 50 };
	int r;

	memset(op.row.md5, 0xab, sizeof(op.row.md5));
	r = do_op(s, &op);
	if (out)
		*out = op;
	return r;
}

static int put(struct state *s, int64_t target, const char *path)
{
	return do_path(s, STATE_OP_PUT, target, path, NULL);
}

static void test_row_comes_back(void **state)
{
	struct state *s = open_db(0);
	int64_t t = open_target(s, "");
	struct state_row row;
	struct stat st;

	(void)state;
	assert_int_equal(state_is_empty(s, t), 1);
	assert_int_equal(put(s, t, "a/b/c\xff"), 0);
	state_close(s);
	s = open_db(0);
	assert_int_equal(open_target(s, ""), t);
	assert_int_equal(state_get(s, t, "a/b/c\xff", 6, &row), 1);
	assert_int_equal(row.kind, STATE_FILE);
	assert_int_equal(row.size, 6);
	assert_true(row.generation == UINT64_MAX);
	assert_int_equal(row.mtime_ns, -5);
	assert_string_equal(row.etag, "\"e\"");
	assert_int_equal(row.md5[15], 0xab);
	assert_int_equal(row.flags, STATE_QUIET);
	assert_int_equal(state_get(s, t, "a/b", 3, &row), 0);
	assert_int_equal(state_get(s, t + 1, "a/b/c\xff", 6, &row), 0);
	assert_int_equal(state_is_empty(s, t), 0);
	assert_int_equal(stat(db, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	state_close(s);
}

static void test_targets_are_apart(void **state)
{
	struct state_target_key key = { .account = "acc", .container = "con", .prefix = "",
					.root_ino = 2, .root_btime_ns = 5 };
	struct state_target a, b, again;
	struct state *s = open_db(0);

	(void)state;
	assert_int_equal(state_target_open(s, &key, &a, NULL), 0);
	assert_true(a.created);
	key.root_ino = 3;
	assert_int_equal(state_target_open(s, &key, &b, NULL), 0);
	assert_true(a.id != b.id);
	assert_memory_not_equal(a.owner, b.owner, STATE_OWNER_BYTES);
	key.root_ino = 2;
	assert_int_equal(state_target_open(s, &key, &again, NULL), 0);
	assert_false(again.created);
	assert_memory_equal(a.owner, again.owner, STATE_OWNER_BYTES);
	state_close(s);
}

static void collect(struct state *s, int64_t t, const char *in, bool subdirs, char *out)
{
	char name[256], after[256];
	size_t len, after_len = 0;
	int r;

	*out = '\0';
	for (;;) {
		r = (subdirs ? state_next_subdir : state_next_child)
			(s, t, in, strlen(in), after_len ? after : NULL, after_len, name, &len);
		assert_in_range(r, 0, 1);
		if (!r)
			return;
		strcat(strcat(out, name), " ");
		memcpy(after, name, len);
		after_len = len;
	}
}

static void test_listings(void **state)
{
	static const char *const paths[] = { "d", "d/x", "d/x-y/1", "d/x/z", "d/x/y/1", "d/x0/1",
					     "d0/q", "e", "d/\x01/1", "d/\xff/1", "d/.a" };
	struct state *s = open_db(0);
	int64_t t = open_target(s, ""), other = open_target(s, "p");
	struct state_op op;
	char out[512];

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		assert_int_equal(put(s, t, paths[i]), 0);
	assert_int_equal(put(s, other, "d/other/1"), 0);
	collect(s, t, "", false, out);
	assert_string_equal(out, "d e ");
	collect(s, t, "", true, out);
	assert_string_equal(out, "d d0 ");
	collect(s, t, "d", false, out);
	assert_string_equal(out, ".a x ");
	collect(s, t, "d", true, out);
	/* As "x-y/", "x/" and "x0/" sort. */
	assert_string_equal(out, "\x01 x-y x x0 \xff ");
	collect(s, t, "d/x", true, out);
	assert_string_equal(out, "y ");
	assert_int_equal(state_has_below(s, t, "d/x", 3), 1);
	assert_int_equal(state_has_below(s, t, "e", 1), 0);
	/* All of a directory is gone at once, and nothing beside it. */
	assert_int_equal(do_path(s, STATE_OP_GONE_TREE, t, "d/x", &op), 0);
	assert_int_equal(op.nr_changed, 3);
	assert_true(op.gone > 0);
	assert_int_equal(do_path(s, STATE_OP_GONE_TREE, t, "", &op), 0);
	assert_int_equal(op.nr_changed, 11);
	state_close(s);
}

/* What had changed before it went is no source of a copy. */
static void test_gone_and_changed(void **state)
{
	struct state_op op = { .kind = STATE_OP_PUT, .path = "d/a", .path_len = 3,
			       .row = { .kind = STATE_FILE, .etag = "\"e\"",
					.flags = STATE_QUIET | STATE_TRUSTED } };
	struct state *s = open_db(0);
	struct state_row row;

	(void)state;
	op.target = open_target(s, "");
	for (int tree = 0; tree < 2; tree++) {
		op.kind = STATE_OP_PUT;
		op.path_len = 3;
		assert_int_equal(do_op(s, &op), 0);
		op.kind = tree ? STATE_OP_GONE_TREE : STATE_OP_GONE;
		op.path_len = tree ? 1 : 3;
		op.distrust = false;
		assert_int_equal(do_op(s, &op), 0);
		assert_int_equal(state_get(s, op.target, "d/a", 3, &row), 1);
		assert_int_equal(row.flags, STATE_QUIET | STATE_TRUSTED);
		op.distrust = true;
		assert_int_equal(do_op(s, &op), 0);
		assert_int_equal(state_get(s, op.target, "d/a", 3, &row), 1);
		assert_int_equal(row.flags, STATE_QUIET);
	}
	state_close(s);
}

static void test_gone_and_back(void **state)
{
	struct state *s = open_db(0);
	int64_t t = open_target(s, ""), first;
	struct state_gone gone;
	struct state_counts counts;
	struct state_op op;
	uint64_t n;

	(void)state;
	put(s, t, "a");
	put(s, t, "b");
	assert_int_equal(do_path(s, STATE_OP_GONE, t, "nothing", &op), 0);
	assert_int_equal(op.gone, 0);
	assert_int_equal(do_path(s, STATE_OP_GONE, t, "a", &op), 0);
	first = op.gone;
	assert_int_equal(state_next_gone(s, t, 0, &gone), 1);
	assert_string_equal(gone.path.text, "a");
	assert_int_equal(gone.seen_ms, 1000000);
	/* Found gone again while its drop is under way: the drop is about the old finding. */
	assert_int_equal(do_path(s, STATE_OP_GONE, t, "a", &op), 0);
	assert_true(op.gone > first);
	op.gone = first;
	op.kind = STATE_OP_GONE_DROP;
	assert_int_equal(do_op(s, &op), 0);
	assert_int_equal(state_next_gone(s, t, first, &gone), 1);
	/* It is there again. */
	put(s, t, "a");
	assert_int_equal(state_next_gone(s, t, 0, &gone), 0);
	/* Held, until a person says so. */
	assert_int_equal(do_path(s, STATE_OP_GONE, t, "b", &op), 0);
	op.kind = STATE_OP_GONE_HOLD;
	assert_int_equal(do_op(s, &op), 0);
	assert_int_equal(state_next_gone(s, t, 0, &gone), 0);
	assert_int_equal(do_path(s, STATE_OP_GONE, t, "b", &op), 0);
	assert_int_equal(op.gone, 0);
	assert_int_equal(state_count(s, t, &counts), 0);
	assert_int_equal(counts.held, 1);
	/* Removed: counted within the hour. */
	op.kind = STATE_OP_REMOVE;
	op.blob_deleted = true;
	assert_int_equal(do_op(s, &op), 0);
	assert_int_equal(state_count(s, t, &counts), 0);
	assert_int_equal(counts.held, 0);
	assert_int_equal(state_count_deleted(s, t, 960000, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(state_count_deleted(s, t, 1080000, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(state_count_rows(s, t, &n), 0);
	assert_int_equal(n, 1);
	state_close(s);
}

static void test_parked(void **state)
{
	struct state *s = open_db(0);
	int64_t t = open_target(s, "");
	struct state_parked parked = { 0 };
	struct state_counts counts;

	(void)state;
	assert_int_equal(do_path(s, STATE_OP_PARK, t, "x/y", NULL), 0);
	assert_int_equal(state_next_parked(s, t, 49, &parked), 0);
	assert_int_equal(state_next_parked(s, t, 50, &parked), 1);
	assert_string_equal(parked.path.text, "x/y");
	assert_int_equal(state_next_parked(s, t, 50, &parked), 0);
	/* The second time it waits for a day. */
	assert_int_equal(do_path(s, STATE_OP_PARK, t, "x/y", NULL), 0);
	memset(&parked, 0, sizeof(parked));
	assert_int_equal(state_next_parked(s, t, 50, &parked), 0);
	assert_int_equal(state_next_parked(s, t, 50 + 82800, &parked), 1);
	assert_int_equal(state_count(s, t, &counts), 0);
	assert_int_equal(counts.parked, 1);
	put(s, t, "x/y");
	assert_int_equal(state_count(s, t, &counts), 0);
	assert_int_equal(counts.parked, 0);
	state_close(s);
}

static void test_by_inode(void **state)
{
	struct state *s = open_db(0);
	int64_t t = open_target(s, "");
	struct state_path after = { .len = 0 }, path;
	struct state_row row;

	(void)state;
	put(s, t, "d/two");
	put(s, t, "one");
	assert_int_equal(state_get_inode(s, t, 0, 7, UINT64_MAX, &after, &path, &row), 1);
	assert_string_equal(path.text, "one");
	after = path;
	assert_int_equal(state_get_inode(s, t, 0, 7, UINT64_MAX, &after, &path, &row), 1);
	assert_string_equal(path.text, "d/two");
	after = path;
	assert_int_equal(state_get_inode(s, t, 0, 7, UINT64_MAX, &after, &path, &row), 0);
	after.len = 0;
	assert_int_equal(state_get_inode(s, t, 0, 7, 1, &after, &path, &row), 0);
	state_close(s);
}

static void test_later_version_is_refused(void **state)
{
	struct state_config config = { .path = db };
	struct error e = { 0 };
	struct state *s;
	sqlite3 *raw;

	(void)state;
	state_close(open_db(0));
	assert_int_equal(sqlite3_open(db, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_exec(raw, "UPDATE meta SET value=99 WHERE key='version'", NULL,
				      NULL, NULL), SQLITE_OK);
	sqlite3_close(raw);
	assert_int_equal(state_open(&s, &config, &e), -EPROTO);
	assert_non_null(strstr(e.message, "99"));
	assert_null(s);
}

static void test_foreign_file_is_refused(void **state)
{
	struct state_config config = { .path = db };
	struct error e = { 0 };
	struct state *s;
	FILE *f = fopen(db, "w");

	(void)state;
	for (int i = 0; i < 300; i++)
		fputs("this is not a database\n", f);
	fclose(f);
	assert_int_not_equal(state_open(&s, &config, &e), 0);
	assert_non_null(strstr(e.message, "database"));
}

/* Full: nothing of a failed group is there, and it goes on when there is room. */
static void test_full(void **state)
{
	struct state *s = open_db(40);
	int64_t t = open_target(s, "");
	struct state_row row;
	char path[512], why[256];
	int i, r = 0;

	(void)state;
	for (i = 0; i < 10000 && !r; i++) {
		snprintf(path, sizeof(path), "%0400d", i);
		r = put(s, t, path);
	}
	assert_int_equal(r, -ENOSPC);
	state_last_error(s, why, sizeof(why));
	assert_non_null(strstr(why, "full"));
	assert_int_equal(state_get(s, t, path, strlen(path), &row), 0);
	snprintf(path, sizeof(path), "%0400d", 0);
	assert_int_equal(state_get(s, t, path, strlen(path), &row), 1);
	/* Room is made. */
	for (int j = 0; j < 20; j++) {
		snprintf(path, sizeof(path), "%0400d", j);
		assert_int_equal(do_path(s, STATE_OP_REMOVE, t, path, NULL), 0);
	}
	assert_int_equal(put(s, t, "short"), 0);
	assert_int_equal(state_get(s, t, "short", 5, &row), 1);
	state_close(s);
}

/* Writes rows until it is killed, and says after each commit how far it is. */
static void write_until_killed(int out)
{
	static struct state_op ops[64];
	static char paths[64][32];
	struct state *s = open_db(0);
	int64_t t = open_target(s, "");
	struct state_op *done;

	for (uint32_t n = 0;; n += 64) {
		unsigned int left = 64;

		for (uint32_t i = 0; i < 64; i++) {
			snprintf(paths[i], sizeof(paths[i]), "d/%u", n + i);
			ops[i] = (struct state_op){ .kind = STATE_OP_PUT, .target = t,
						    .path = paths[i], .path_len = strlen(paths[i]),
						    .row = { .kind = STATE_FILE, .size = n + i,
							     .etag = "\"e\"" } };
			state_submit(s, &ops[i]);
		}
		while (left) {
			for (done = state_completed(s); done; done = done->next)
				left--;
			poll(NULL, 0, 1);
		}
		if (write(out, &n, sizeof(n)) != sizeof(n))
			_exit(1);
	}
}

static void test_killed_while_writing(void **state)
{
	uint32_t n = 0, last = 0;
	struct state_row row;
	struct state *s;
	char path[32];
	int64_t t;
	int p[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(p[0]);
		write_until_killed(p[1]);
	}
	close(p[1]);
	while (last < 640 && read(p[0], &n, sizeof(n)) == sizeof(n))
		last = n;
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (read(p[0], &n, sizeof(n)) == sizeof(n))
		last = n;
	close(p[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(last >= 640);
	s = open_db(0);
	t = open_target(s, "");
	/* What was told to be complete is there and whole. */
	for (uint32_t i = 0; i < last + 64; i++) {
		int len = snprintf(path, sizeof(path), "d/%u", i);

		assert_int_equal(state_get(s, t, path, (size_t)len, &row), 1);
		assert_int_equal(row.size, i);
		assert_string_equal(row.etag, "\"e\"");
	}
	state_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_row_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_targets_are_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_listings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_and_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_by_inode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later_version_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_file_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_while_writing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
