/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Subtrees and directories in the engine: what is found below them, fails there, or goes. */
#include "engine_harness.h"

static const struct kdev_attr deleting[] = { { "on_delete", "delete" } };

/* A file opened under a subtree is out by its own number, which all further openings need. */
static void test_every_number_is_answered(void **state)
{
	(void)state;
	put_file("a", "hi");
	let_ticks_pass();
	start(NULL, 0, 0);
	fake->unquiet = 1;
	give(KDEV_ENTRY_SUBTREE, 1, "", 0);
	assert_int_equal(wait_done(1)->result, KDEV_OK);
	assert_int_equal(wait_done(DERIVED)->flags, KDEV_DID_UPLOAD);
	fake->unquiet = TRIES_UNQUIET;
	put_file("a", "changes and changes");
	give(KDEV_ENTRY_SUBTREE, 2, "", KDEV_CONTENT);
	assert_int_equal(wait_done(2)->result, KDEV_OK);
	assert_int_equal(wait_done(DERIVED + 1)->result, KDEV_AGAIN);
	assert_int_equal(fake->next_number, DERIVED + 2);
}

/* Its own event tells of it: the subtree need not be gone through again. */
static void test_vanished_below_subtree(void **state)
{
	(void)state;
	put_file("a", "hi");
	let_ticks_pass();
	start(NULL, 0, 0);
	fake->open_error = -ENOENT;
	give(KDEV_ENTRY_SUBTREE, 1, "", 0);
	assert_int_equal(wait_done(1)->result, KDEV_OK);
	assert_int_equal(do_path(100, "a", 0)->result, KDEV_AGAIN);
}

static void test_failure_ends_when_equal(void **state)
{
	(void)state;
	put_file("a", "hi");
	let_ticks_pass();
	start(NULL, 0, 0);
	do_path(100, "a", 0);
	fake->open_error = -EIO;
	assert_int_equal(do_path(101, "a", KDEV_CONTENT)->result, KDEV_PARKED);
	/* Who waits for the entry reads it at once. */
	assert_int_equal(fake->report.failed, 1);
	fake->open_error = 0;
	assert_true(strlen(fake->error) > 0);
	assert_int_equal(do_path(102, "a", KDEV_CONTENT)->flags, KDEV_DID_SKIP);
	wait_report();
	assert_int_equal(fake->report.failed, 0);
	for (int64_t until = engine_now_ms() + WAIT_MS; *fake->error && engine_now_ms() < until;)
		run_some();
	assert_string_equal(fake->error, "");
}

static void give_inode(uint64_t number, uint64_t ino)
{
	struct kdev_record r = {
		.type = KDEV_ENTRY_INODE,
		.entry = { .entry = number, .path = "", .ino = ino, .flags = KDEV_CONTENT },
	};
	struct entry *entry = entry_create(mapping, &r);

	*mapping->queue_tail = entry;
	mapping->queue_tail = &entry->next;
}

/* Linked files elsewhere on the file system must not have everything looked at. */
static void test_inode(void **state)
{
	struct stat st;
	char path[256];
	unsigned int opens, scans;

	(void)state;
	put_file("a", "hi");
	put_file("b", "ho");
	let_ticks_pass();
	start(NULL, 0, 0);
	do_path(100, "a", 0);
	do_path(101, "b", 0);
	snprintf(path, sizeof(path), "%s/a", root);
	assert_int_equal(stat(path, &st), 0);
	opens = fake->opens;
	scans = fake->scans;
	give_inode(1, st.st_ino + 1000000);
	assert_int_equal(wait_done(1)->result, KDEV_OK);
	assert_int_equal(fake->scans, scans);
	/* One that has a row is hashed where it is met, and no other. */
	give_inode(2, st.st_ino);
	assert_int_equal(wait_done(2)->result, KDEV_OK);
	assert_int_equal(wait_done(DERIVED)->flags, KDEV_DID_SKIP);
	assert_true(fake->scans > scans);
	assert_int_equal(fake->opens, opens + 1);
	assert_int_equal(server->puts, 2);
}

static void test_directory_is_listed_again(void **state)
{
	(void)state;
	in_root(make_dir, "d");
	put_file("d/x", "1");
	let_ticks_pass();
	start(NULL, 0, 0);
	fake->scan_error = -EIO;
	give(KDEV_ENTRY_SUBTREE, 1, "", 0);
	assert_int_equal(wait_done(1)->result, KDEV_OK);
	wait_report();
	assert_int_equal(fake->report.failed, 1);
	fake->scan_error = 0;
	/* The retry leads to a walk, and ends when that has seen everything. */
	assert_int_equal(do_path(100, "d", KDEV_CONTENT)->result, KDEV_PARKED);
	assert_int_equal(fake->marked, KDEV_MARK_SUBTREE);
	give(KDEV_ENTRY_SUBTREE, 2, "d", 0);
	assert_int_equal(wait_done(2)->result, KDEV_OK);
	wait_report();
	assert_int_equal(fake->report.failed, 0);
	assert_true(has_blob("d/x"));
}

/* Many may go at once: waiting for their time they must not keep others out. */
static void test_directory_waits_in_the_kernel(void **state)
{
	struct kdev_done_item *d;

	(void)state;
	in_root(make_dir, "d");
	put_file("d/a", "1");
	let_ticks_pass();
	start(deleting, 1, 1500);
	do_path(100, "d/a", 0);
	in_root(unlink, "d/a");
	in_root(rmdir, "d");
	d = do_path(101, "d", 0);
	assert_int_equal(d->result, KDEV_AGAIN);
	assert_in_range(d->delay_ms, 1000, 1900);
	for (int64_t until = engine_now_ms() + d->delay_ms; engine_now_ms() < until;)
		run_some();
	assert_int_equal(do_path(102, "d", 0)->result, KDEV_OK);
	assert_false(has_blob("d/a"));
}

static void test_directory_becomes_a_file(void **state)
{
	(void)state;
	in_root(make_dir, "d");
	put_file("d/x", "1");
	let_ticks_pass();
	start(deleting, 1, 0);
	do_path(100, "d/x", 0);
	in_root(unlink, "d/x");
	in_root(rmdir, "d");
	put_file("d", "2");
	give(KDEV_ENTRY_SUBTREE, 1, "d", 0);
	assert_int_equal(wait_done(1)->result, KDEV_OK);
	assert_false(has_blob("d/x"));
	wait_done(DERIVED);
	assert_true(has_blob("d"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_number_is_answered),
		TEST(test_vanished_below_subtree),
		TEST(test_failure_ends_when_equal),
		TEST(test_inode),
		TEST(test_directory_is_listed_again),
		TEST(test_directory_waits_in_the_kernel),
		TEST(test_directory_becomes_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
