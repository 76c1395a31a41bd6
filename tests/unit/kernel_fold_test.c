/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What keeps the set bounded, and that nothing is lost by it. */
#include <stdlib.h>

#include "kshim/set.h"

#define CONTENT		AZS_DIRTY_CONTENT
#define SUBTREE		AZS_DIRTY_SUBTREE

static void a_full_set_folds_the_nearest_directory(void **state)
{
	struct azs_mapping *m = set_start();
	struct set_record r;

	(void)state;
	m->max_pending = 5;
	set_dirty(m, "c/x", 0);
	set_dirty(m, "a/b/1", 0);
	kshim_advance_ms(100);
	set_dirty(m, "a/b/2", CONTENT);
	set_dirty(m, "a/b/c/3", 0);
	set_dirty(m, "a b", 0);
	set_dirty(m, "a/b/d/4", 0);
	set_check(m);
	assert_int_equal(m->dirty.nr_pending, 3);
	assert_int_equal(set_find(m, "a/b")->type, AZS_REC_SUBTREE);
	assert_null(set_find(m, "a/b/1"));
	assert_null(set_find(m, "a/b/c/3"));
	assert_non_null(set_find(m, "a b"));
	assert_int_equal(set_count(m, AZS_CNT_FOLDED), 4);
	kshim_advance_ms(500);
	set_take_path(m, "c/x", AZS_REC_PATH, 0);
	r = set_take(m);
	assert_string_equal(r.path, "a/b");
	assert_int_equal(r.rec.hdr.type, AZS_REC_SUBTREE);
	/* The oldest of all: sequence and age of the first. */
	assert_int_equal(r.rec.seq, 2);
	assert_int_equal(r.rec.age_ms, 600);
	assert_int_equal(r.rec.flags, AZS_ENTRY_CONTENT);
	set_end(m);
}

static void what_shares_no_directory_folds_into_the_root(void **state)
{
	struct azs_mapping *m = set_start();

	(void)state;
	m->max_pending = 2;
	set_dirty(m, "a", CONTENT);
	azs_dirty_add_inode(m, 5, 6);
	set_dirty(m, "c", 0);
	set_check(m);
	assert_int_equal(m->dirty.nr_pending, 1);
	kshim_advance_ms(500);
	set_take_path(m, "", AZS_REC_SUBTREE, AZS_ENTRY_CONTENT);
	set_end(m);
}

static void an_event_folds_64_at_most(void **state)
{
	struct azs_mapping *m = set_start();
	char path[16];
	int i, left = 200;

	(void)state;
	for (i = 0; i < left; i++) {
		snprintf(path, sizeof(path), "d/%d", i);
		set_dirty(m, path, 0);
	}
	set_dirty(m, "d", SUBTREE);
	for (; left > 0; left -= AZS_FOLD_BATCH) {
		left = left < AZS_FOLD_BATCH ? AZS_FOLD_BATCH : left;
		assert_int_equal(m->dirty.nr_pending, 1 + left - AZS_FOLD_BATCH);
		set_check(m);
		set_dirty(m, "d/0", 0);
	}
	assert_int_equal(m->dirty.nr_pending, 1);
	assert_int_equal(set_find(m, "d")->seq, 1);
	set_end(m);
}

static void what_is_out_is_not_folded(void **state)
{
	struct azs_mapping *m = set_start();
	u64 id;

	(void)state;
	set_dirty(m, "d/x", CONTENT);
	kshim_advance_ms(500);
	id = set_take_path(m, "d/x", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	set_dirty(m, "d/y", 0);
	set_dirty(m, "d", SUBTREE);
	assert_int_equal(m->dirty.nr_pending, 1);
	assert_int_equal(m->dirty.nr_out, 1);
	set_check(m);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	kshim_advance_ms(500);
	set_take_path(m, "d", AZS_REC_SUBTREE, 0);
	set_end(m);
}

static void an_open_writer_that_is_folded_is_hashed(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	u64 id;

	(void)state;
	set_event(m, "d/x", inode, 0);
	kshim_advance_ms(500);
	id = set_take_path(m, "d/x", AZS_REC_PATH, 0);
	inode->writers = 1;
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_int_equal(m->dirty.nr_writers, 1);
	set_dirty(m, "d", SUBTREE);
	assert_int_equal(m->dirty.nr_writers, 0);
	kshim_advance_ms(500);
	set_take_path(m, "d", AZS_REC_SUBTREE, AZS_ENTRY_CONTENT);
	set_end(m);
}

static void counts_stay_within_bounds(void **state)
{
	struct azs_mapping *m = set_start();
	char path[64];
	int i;

	(void)state;
	srand(3);
	m->max_pending = 50;
	for (i = 0; i < 20000; i++) {
		snprintf(path, sizeof(path), "%d/%d/%d", rand() % 5, rand() % 20, rand() % 100);
		set_dirty(m, path, rand() % 2 ? CONTENT : 0);
		/* The root's entry needs no room: it was there. */
		assert_true(m->dirty.nr_pending + m->dirty.nr_writers <= 51);
		if (rand() % 50 == 0) {
			struct set_record r;

			kshim_advance_ms(500);
			r = set_take(m);
			if (!r.err)
				assert_int_equal(set_done(r.rec.entry, AZS_DONE_OK), 0);
		}
		if (i % 500 == 0) {
			set_check(m);
			kshim_grace();
		}
	}
	set_end(m);
}

static void without_any_memory_the_root_takes_it_in(void **state)
{
	struct azs_mapping *m = set_start();
	char longest[AZS_PATH_MAX + 10];

	(void)state;
	set_dirty(m, "a/b", 0);
	kshim.fail_every = 1;
	set_dirty(m, "a/c", CONTENT);
	kshim.fail_every = 0;
	assert_int_equal(m->dirty.nr_pending, 1);
	kshim_advance_ms(500);
	set_take_path(m, "", AZS_REC_SUBTREE, AZS_ENTRY_CONTENT);
	assert_true(set_has_none(m));
	/* Nor does a path that is too long have an entry. */
	memset(longest, 'x', sizeof(longest));
	azs_dirty_add(m, longest, AZS_PATH_MAX, 0);
	assert_int_equal(m->dirty.nr_pending, 0);
	assert_int_equal(set_find(m, "")->changed_subtree, 1);
	azs_dirty_add(m, longest, AZS_PATH_MAX - 1, 0);
	assert_int_equal(m->dirty.nr_pending, 1);
	set_check(m);
	set_end(m);
}

static void the_bound_of_bytes_folds_too(void **state)
{
	struct azs_mapping *m = set_start();
	char path[4001];
	int i;

	(void)state;
	memset(path, 'x', sizeof(path));
	for (i = 0; i < 20000; i++) {
		memcpy(path, "0/00000/", 8);
		path[2] += i / 10000 % 10;
		path[3] += i / 1000 % 10;
		path[4] += i / 100 % 10;
		path[5] += i / 10 % 10;
		path[6] += i % 10;
		azs_dirty_add(m, path, sizeof(path), 0);
		if (set_find(m, "0"))
			break;
	}
	/* 64 MiB of some 4.2 kB each. */
	assert_in_range(i, 15000, 17000);
	assert_int_equal(set_find(m, "0")->type, AZS_REC_SUBTREE);
	set_check(m);
	set_end(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SET_TEST(a_full_set_folds_the_nearest_directory),
		SET_TEST(what_shares_no_directory_folds_into_the_root),
		SET_TEST(an_event_folds_64_at_most),
		SET_TEST(what_is_out_is_not_folded),
		SET_TEST(an_open_writer_that_is_folded_is_hashed),
		SET_TEST(counts_stay_within_bounds),
		SET_TEST(without_any_memory_the_root_takes_it_in),
		SET_TEST(the_bound_of_bytes_folds_too),
	};

	return cmocka_run_group_tests_name("kernel_fold", tests, set_group_setup,
					   set_group_teardown);
}
