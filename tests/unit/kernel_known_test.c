/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The fast path, renames, and who holds an inode for how long. */
#include "kshim/set.h"

#define CONTENT		AZS_DIRTY_CONTENT
#define CLOSED		(AZS_DIRTY_CONTENT | AZS_DIRTY_CLOSED)
#define SUBTREE		AZS_DIRTY_SUBTREE

static void known_only_while_pending(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode(), *other = set_inode();
	u64 id;

	(void)state;
	assert_false(set_is_known(inode, false, false));
	set_event(m, "a", inode, CONTENT);
	assert_true(set_is_known(inode, true, false));
	assert_true(set_is_known(inode, false, false));
	assert_false(set_is_known(other, false, false));
	assert_int_equal(set_count(m, AZS_CNT_RECORDED), 1);
	assert_int_equal(set_count(m, AZS_CNT_COALESCED), 2);
	kshim_advance_ms(500);
	id = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	assert_false(set_is_known(inode, false, false));
	/* Once it is marked as changed, the same need not be told again. */
	set_event(m, "a", inode, 0);
	assert_true(set_is_known(inode, false, false));
	assert_false(set_is_known(inode, true, false));
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_true(set_is_known(inode, false, false));
	kshim_advance_ms(500);
	id = set_take_path(m, "a", AZS_REC_PATH, 0);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_false(set_is_known(inode, false, false));
	set_end(m);
}

static void attributes_do_not_stand_for_content(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();

	(void)state;
	set_event(m, "a", inode, 0);
	assert_true(set_is_known(inode, false, false));
	assert_false(set_is_known(inode, true, false));
	set_event(m, "a", inode, CONTENT);
	assert_true(set_is_known(inode, true, false));
	set_end(m);
}

static void a_second_name_is_the_slow_path(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();

	(void)state;
	set_event(m, "a", inode, CONTENT);
	inode->i_nlink = 2;
	assert_false(set_is_known(inode, true, false));
	inode->i_nlink = 1;
	assert_true(set_is_known(inode, true, false));
	set_end(m);
}

static void every_mapping_that_covers_the_place_must_know(void **state)
{
	struct azs_mapping *one = set_start(), *two = set_start();
	struct inode *inode = set_inode();
	struct azs_event ev = {
		.path = "a",
		.len = 1,
		.inode = inode,
		.gen = atomic64_read(&azs_generation),
		.covers = 2,
		.flags = CONTENT,
	};

	(void)state;
	assert_int_equal(azs_dirty_event(one, &ev), 0);
	assert_false(set_is_known(inode, true, false));
	assert_int_equal(azs_dirty_event(two, &ev), 0);
	assert_true(set_is_known(inode, true, false));
	assert_int_equal(set_count(one, AZS_CNT_COALESCED), 1);
	assert_int_equal(set_count(two, AZS_CNT_COALESCED), 1);
	kshim_advance_ms(500);
	set_take_path(one, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	assert_false(set_is_known(inode, true, false));
	set_end(one);
	assert_false(set_is_known(inode, true, false));
	set_end(two);
}

static void a_close_is_told_to_who_waits_for_it(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();

	(void)state;
	inode->writers = 1;
	set_event(m, "a", inode, CONTENT);
	/* Nobody waits for it yet: settle is what it waits for. */
	assert_true(set_is_known(inode, true, true));
	set_event(m, "b", set_inode(), CONTENT);
	kshim_advance_ms(500);
	set_take_path(m, "b", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	/* That close was seen; it is looked for, not waited for. */
	assert_int_equal(set_find(m, "a")->waits_writer, 0);
	set_end(m);

	m = set_start();
	inode = set_inode();
	inode->writers = 1;
	set_event(m, "a", inode, CONTENT);
	kshim_advance_ms(500);
	assert_true(set_has_none(m));
	assert_true(set_is_known(inode, true, false));
	assert_false(set_is_known(inode, true, true));
	set_end(m);
}

static void the_root_knows_for_all(void **state)
{
	struct azs_mapping *m = set_start();
	u64 id;

	(void)state;
	assert_false(set_is_root_known(m, false));
	set_dirty(m, "", 0);
	assert_false(set_is_root_known(m, false));
	set_dirty(m, "", SUBTREE);
	assert_true(set_is_root_known(m, false));
	assert_false(set_is_root_known(m, true));
	set_dirty(m, "x/y", CONTENT);
	assert_true(set_is_root_known(m, true));
	assert_true(azs_dirty_is_scanning(m));
	kshim_advance_ms(500);
	id = set_take_path(m, "", AZS_REC_SUBTREE, AZS_ENTRY_CONTENT);
	assert_int_equal(set_count(m, AZS_CNT_RESCANS), 1);
	assert_false(set_is_root_known(m, false));
	assert_true(azs_dirty_is_scanning(m));
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_int_equal(kshim.state_changes, 2);	/* taken, done */
	assert_false(azs_dirty_is_scanning(m));
	assert_false(set_is_root_known(m, false));
	set_check(m);
	set_end(m);
}

/* ---- names that change ---- */

static void a_path_of_an_older_generation_is_refused(void **state)
{
	struct azs_mapping *m = set_start();
	struct azs_event ev = {
		.path = "d/x",
		.len = 3,
		.gen = atomic64_read(&azs_generation),
		.covers = 1,
	};

	(void)state;
	azs_dirty_moved(m, "d", 1, true);
	assert_int_equal(azs_dirty_event(m, &ev), -EAGAIN);
	ev.path = "e/x";
	assert_int_equal(azs_dirty_event(m, &ev), -EAGAIN);
	assert_null(set_find(m, "e/x"));
	ev.gen = atomic64_read(&azs_generation);
	assert_int_equal(azs_dirty_event(m, &ev), 0);
	assert_non_null(set_find(m, "e/x"));
	assert_int_equal(set_find(m, "d")->type, AZS_REC_SUBTREE);
	set_end(m);
}

static void a_rename_ends_what_was_known(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode(), *bystander = set_inode();

	(void)state;
	set_event(m, "d/x", inode, CONTENT);
	set_event(m, "y", bystander, CONTENT);
	assert_true(azs_dirty_moved(m, "d", 1, true));
	assert_false(set_is_known(inode, true, false));
	assert_false(set_is_known(bystander, true, false));
	set_event(m, "y", bystander, CONTENT);
	assert_true(set_is_known(bystander, true, false));
	set_end(m);
}

static void moved_tells_what_must_be_hashed(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	struct set_record r;

	(void)state;
	assert_false(azs_dirty_moved(m, "clean", 5, false));
	assert_int_equal(set_find(m, "clean")->type, AZS_REC_PATH);
	set_event(m, "a", inode, CONTENT);
	assert_true(azs_dirty_moved(m, "a", 1, false));
	kshim_run_works();
	assert_int_equal(inode->refs, 1);
	assert_false(set_is_known(inode, true, false));
	/* Of a directory: what is below it. Of a file: names that begin alike are others. */
	set_dirty(m, "d/e/x", CONTENT);
	assert_false(azs_dirty_moved(m, "d/e ", 4, true));
	assert_true(azs_dirty_moved(m, "d/e", 3, true));
	/* Below a SUBTREE: when that one was told to hash. */
	set_dirty(m, "s", SUBTREE);
	assert_false(azs_dirty_moved(m, "s/x", 3, false));
	set_dirty(m, "t", SUBTREE | CONTENT);
	assert_true(azs_dirty_moved(m, "t/x", 3, false));
	set_dirty(m, "u", SUBTREE);
	kshim_advance_ms(500);
	do
		r = set_take(m);
	while (!r.err && strcmp(r.path, "u"));
	assert_int_equal(r.err, 0);
	set_dirty(m, "u", CONTENT);
	assert_true(azs_dirty_moved(m, "u/x", 3, false));
	set_check(m);
	set_end(m);
}

static void a_name_that_is_gone_lets_go(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	int i;

	(void)state;
	/* As mail is delivered: written here, linked there, unlinked here. */
	set_event(m, "tmp/x", inode, CONTENT);
	inode->i_nlink = 2;
	set_event(m, "new/x", NULL, 0);
	inode->i_nlink = 1;
	set_event(m, "tmp/x", NULL, AZS_DIRTY_GONE);
	/* The entry of the old name says nothing of what happens to the new one. */
	assert_false(set_is_known(inode, true, false));
	kshim_run_works();
	assert_int_equal(inode->refs, 1);
	/* The same when the event is absorbed. */
	set_event(m, "new/x", inode, CONTENT);
	for (i = 0; i < 2 * AZS_FOLD_BATCH; i++) {
		char path[16];

		snprintf(path, sizeof(path), "%d", i);
		set_dirty(m, path, 0);
	}
	set_dirty(m, "", SUBTREE);
	set_event(m, "new/x", NULL, AZS_DIRTY_GONE);
	assert_false(set_is_known(inode, true, false));
	set_end(m);
}

static void an_inode_has_one_entry_of_a_set(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();

	(void)state;
	set_event(m, "a", inode, CONTENT);
	/* Linked as b, a unlinked, and of neither an event has come through. */
	set_event(m, "b", inode, CONTENT);
	assert_true(set_is_known(inode, true, false));
	assert_null(set_find(m, "a")->inode);
	kshim_run_works();
	assert_int_equal(inode->refs, 2);
	/* The last name goes: nothing may keep its blocks. */
	inode->i_nlink = 0;
	azs_dirty_forget_inode(inode);
	kshim_run_works();
	assert_int_equal(inode->refs, 1);
	set_check(m);
	set_end(m);
}

static void hard_links_that_are_read_do_not_disturb_each_other(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	u64 a, b;
	u32 flags;

	(void)state;
	inode->i_nlink = 2;
	set_dirty(m, "", SUBTREE);
	kshim_advance_ms(500);
	a = b = set_take_path(m, "", AZS_REC_SUBTREE, 0);
	assert_int_equal(set_open(m, &a, "a", inode, &flags), 0);
	assert_int_equal(set_open(m, &b, "b", inode, &flags), 0);
	assert_true(set_is_quiet(a));
	assert_true(set_is_quiet(b));
	inode->writers = 1;
	assert_false(set_is_quiet(a));
	assert_false(set_is_quiet(b));
	inode->writers = 0;
	inode->i_nlink = 0;
	azs_dirty_forget_inode(inode);
	kshim_run_works();
	assert_int_equal(inode->refs, 1);
	assert_false(set_is_quiet(a));
	set_end(m);
}

static void replaced_at_a_path(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *old = set_inode(), *new = set_inode();

	(void)state;
	set_event(m, "a", old, CONTENT);
	set_event(m, "a", new, 0);
	assert_false(set_is_known(old, true, false));
	assert_true(set_is_known(new, true, false));
	kshim_run_works();
	assert_int_equal(old->refs, 1);
	assert_int_equal(new->refs, 2);
	set_end(m);
}

static void without_memory_an_inode_is_held_but_not_trusted(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *old = set_inode(), *new = set_inode();

	(void)state;
	set_event(m, "a", old, CONTENT);
	kshim.fail_every = 1;
	set_event(m, "a", new, 0);
	assert_false(set_is_known(old, false, false));
	assert_false(set_is_known(new, false, false));
	azs_dirty_forget_inode(old);
	kshim.fail_every = 0;
	kshim_run_works();
	assert_int_equal(new->refs, 1);
	set_check(m);
	set_event(m, "a", new, CONTENT);
	assert_true(set_is_known(new, true, false));
	kshim_run_works();
	assert_int_equal(old->refs, 1);
	set_end(m);
}

static void no_inode_is_bound_that_is_being_deleted(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();

	(void)state;
	inode->i_nlink = 0;
	set_event(m, "a", inode, CONTENT);
	assert_int_equal(inode->refs, 1);
	set_end(m);
}

static void stop_and_free_let_everything_go(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode;
	char path[160];
	int i;

	(void)state;
	for (i = 0; i < 60; i++) {
		inode = set_inode();
		/* Short paths and long ones live in different memory. */
		memset(path, 'p', sizeof(path));
		snprintf(path + 2 * i, sizeof(path) - 2 * i, "%d", i);
		inode->writers = i % 7 == 0;
		set_event(m, path, inode, CONTENT);
	}
	kshim_advance_ms(500);
	for (i = 0; i < 20; i++)
		assert_int_equal(set_take(m).err, 0);
	assert_true(azs_dirty_is_ready(m));
	azs_dirty_stop(m);
	set_check(m);
	assert_int_equal(m->dirty.nr_pending, 0);
	assert_int_equal(m->dirty.nr_out, 20);
	set_dirty(m, "late", 0);
	assert_int_equal(m->dirty.nr_pending, 0);
	azs_dirty_putback(m);
	assert_int_equal(m->dirty.nr_out, 0);
	set_end(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SET_TEST(known_only_while_pending),
		SET_TEST(attributes_do_not_stand_for_content),
		SET_TEST(a_second_name_is_the_slow_path),
		SET_TEST(every_mapping_that_covers_the_place_must_know),
		SET_TEST(a_close_is_told_to_who_waits_for_it),
		SET_TEST(the_root_knows_for_all),
		SET_TEST(a_path_of_an_older_generation_is_refused),
		SET_TEST(a_rename_ends_what_was_known),
		SET_TEST(moved_tells_what_must_be_hashed),
		SET_TEST(a_name_that_is_gone_lets_go),
		SET_TEST(an_inode_has_one_entry_of_a_set),
		SET_TEST(hard_links_that_are_read_do_not_disturb_each_other),
		SET_TEST(replaced_at_a_path),
		SET_TEST(without_memory_an_inode_is_held_but_not_trusted),
		SET_TEST(no_inode_is_bound_that_is_being_deleted),
		SET_TEST(stop_and_free_let_everything_go),
	};

	return cmocka_run_group_tests_name("kernel_known", tests, set_group_setup,
					   set_group_teardown);
}
