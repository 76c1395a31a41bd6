/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The engine as the uploader runs it: entries come in, DONE goes out, blobs change. */
#include "engine_harness.h"

#include <signal.h>
#include <sys/resource.h>

static const struct kdev_attr deleting[] = { { "on_delete", "delete" } };

#define HI_MD5 "SfaKXIST7CwL9ImCHCH8Ow=="	/* of "hi" */

static void test_upload_then_nothing(void **state)
{
	struct kdev_done_item *d;

	(void)state;
	put_file("a", "hello");
	let_ticks_pass();
	start(NULL, 0, 0);
	d = do_path(100, "a", KDEV_CONTENT);
	assert_int_equal(d->result, KDEV_OK);
	assert_int_equal(d->flags, KDEV_DID_UPLOAD);
	assert_int_equal(d->bytes, 5);
	assert_true(has_blob("a"));
	d = do_path(101, "a", 0);
	assert_int_equal(d->result, KDEV_OK);
	assert_int_equal(d->flags, KDEV_DID_SKIP);
	assert_int_equal(fake->opens, 1);
	/* With CONTENT it is read, and found equal. */
	d = do_path(102, "a", KDEV_CONTENT);
	assert_int_equal(d->flags, KDEV_DID_SKIP);
	assert_int_equal(fake->opens, 2);
	assert_int_equal(server->puts, 1);
	put_file("a", "HELLO");
	d = do_path(103, "a", KDEV_CONTENT);
	assert_int_equal(d->flags, KDEV_DID_UPLOAD);
	assert_int_equal(server->puts, 2);
	wait_report();
	assert_int_equal(fake->report.backlog_files, 0);
	assert_int_equal(fake->report.backlog_bytes, 0);
	assert_true(fake->report.last_success_s > 0);
	assert_true(fake->requests >= 3);
}

static void test_restart_uploads_nothing(void **state)
{
	(void)state;
	put_file("a", "hello");
	in_root(make_dir, "d");
	put_file("d/b", "world");
	in_root(make_dir, "d/empty");
	let_ticks_pass();
	start(NULL, 0, 0);
	give(KDEV_ENTRY_SUBTREE, 1, "", 0);
	assert_int_equal(wait_done(1)->result, KDEV_OK);
	assert_int_equal(wait_done(DERIVED)->flags, KDEV_DID_UPLOAD);
	assert_int_equal(wait_done(DERIVED + 1)->flags, KDEV_DID_UPLOAD);
	assert_true(has_blob("a") && has_blob("d/b"));
	assert_true(blob_has("d/empty", "hdi_isfolder"));
	assert_false(has_blob("d"));
	assert_int_equal(server->puts, 3);
	stop();
	start(NULL, 0, 0);
	give(KDEV_ENTRY_SUBTREE, 2, "", 0);
	assert_int_equal(wait_done(2)->result, KDEV_OK);
	assert_int_equal(server->puts, 3);
	assert_int_equal(fake->opens, 0);
	/* CONTENT of a subtree: nothing below it is trusted. */
	give(KDEV_ENTRY_SUBTREE, 3, "", KDEV_CONTENT);
	assert_int_equal(wait_done(3)->result, KDEV_OK);
	wait_done(DERIVED + 1);
	assert_int_equal(fake->opens, 2);
	assert_int_equal(server->puts, 3);
}

static void test_changing_file_is_not_presented(void **state)
{
	struct kdev_done_item *d;

	(void)state;
	put_file("log", "one");
	let_ticks_pass();
	start(NULL, 0, 0);
	fake->unquiet = 1000;
	d = do_path(100, "log", KDEV_CONTENT);
	assert_int_equal(d->result, KDEV_AGAIN);
	assert_int_equal(server->puts, 0);
	/* Lagged: as it is, and marked. */
	d = do_path(101, "log", KDEV_CONTENT | KDEV_LAGGED);
	assert_int_equal(d->result, KDEV_OK);
	assert_int_equal(d->flags, KDEV_DID_UPLOAD | KDEV_UNQUIET);
	assert_true(blob_has("log", "azs_unquiet"));
	/* Quiet at the second reading: equal, but the mark has to go. */
	fake->unquiet = 1;
	d = do_path(102, "log", 0);
	assert_int_equal(d->result, KDEV_OK);
	assert_int_equal(d->flags & KDEV_UNQUIET, 0);
	assert_false(blob_has("log", "azs_unquiet"));
	assert_true(has_blob("log"));
}

static void test_not_ready_is_dropped(void **state)
{
	(void)state;
	put_file("busy", "x");
	let_ticks_pass();
	start(NULL, 0, 0);
	fake->open_error = -EAGAIN;
	assert_int_equal(do_path(100, "busy", 0)->result, KDEV_AGAIN);
	give(KDEV_ENTRY_SUBTREE, 1, "", 0);
	assert_int_equal(wait_done(1)->result, KDEV_OK);
	assert_int_equal(server->puts, 0);
	fake->open_error = -EACCES;
	assert_int_equal(do_path(101, "busy", 0)->result, KDEV_PARKED);
	wait_report();
	assert_int_equal(fake->report.failed, 1);
	assert_non_null(strstr(fake->error, "busy"));
	fake->open_error = 0;
	assert_int_equal(do_path(102, "busy", 0)->result, KDEV_OK);
	wait_report();
	assert_int_equal(fake->report.failed, 0);
}

static void test_delete(void **state)
{
	(void)state;
	in_root(make_dir, "d");
	put_file("a", "1");
	put_file("d/b", "2");
	put_file("d/c", "3");
	let_ticks_pass();
	start(deleting, 1, 0);
	give(KDEV_ENTRY_SUBTREE, 1, "", 0);
	wait_done(1);
	wait_done(DERIVED + 2);
	in_root(unlink, "a");
	assert_int_equal(do_path(100, "a", 0)->result, KDEV_OK);
	assert_false(has_blob("a"));
	in_root(unlink, "d/b");
	in_root(unlink, "d/c");
	in_root(rmdir, "d");
	give(KDEV_ENTRY_SUBTREE, 2, "", 0);
	assert_int_equal(wait_done(2)->result, KDEV_OK);
	assert_false(has_blob("d/b") || has_blob("d/c"));
	assert_int_equal(server->deletes, 3);
	/* A path nobody ever knew. */
	assert_int_equal(do_path(101, "never", 0)->result, KDEV_OK);
	assert_int_equal(server->deletes, 3);
}

static void test_delete_is_checked_again(void **state)
{
	struct kdev_done_item *d;

	(void)state;
	put_file("a", "1");
	put_file("b", "1");
	let_ticks_pass();
	start(deleting, 1, 1500);
	do_path(100, "a", 0);
	do_path(101, "b", 0);
	in_root(unlink, "a");
	in_root(unlink, "b");
	/* Not before its time: the kernel keeps them until then. */
	d = do_path(102, "a", 0);
	assert_int_equal(d->result, KDEV_AGAIN);
	assert_in_range(d->delay_ms, 1000, 1900);
	d = do_path(103, "b", 0);
	assert_int_equal(d->result, KDEV_AGAIN);
	assert_true(has_blob("a") && has_blob("b"));
	put_file("a", "1");
	for (int64_t until = engine_now_ms() + WAIT_MS; has_blob("b") && engine_now_ms() < until;)
		run_some();
	assert_int_equal(do_path(104, "a", 0)->result, KDEV_OK);
	assert_int_equal(do_path(105, "b", 0)->result, KDEV_OK);
	assert_true(has_blob("a"));
	assert_false(has_blob("b"));
}

/* Of a directory that went: held, so that a flush does not run ahead. */
static void test_subtree_waits_for_its_deletes(void **state)
{
	(void)state;
	in_root(make_dir, "d");
	put_file("d/a", "1");
	let_ticks_pass();
	start(deleting, 1, 1500);
	do_path(100, "d/a", 0);
	in_root(unlink, "d/a");
	in_root(rmdir, "d");
	give(KDEV_ENTRY_SUBTREE, 1, "d", 0);
	for (int64_t until = engine_now_ms() + 700; engine_now_ms() < until;)
		run_some();
	assert_null(find_done(1));
	assert_true(has_blob("d/a"));
	assert_int_equal(wait_done(1)->result, KDEV_OK);
	assert_false(has_blob("d/a"));
}

static void test_no_delete_when_the_root_is_gone(void **state)
{
	(void)state;
	put_file("a", "1");
	let_ticks_pass();
	start(deleting, 1, 1000);
	do_path(100, "a", 0);
	in_root(unlink, "a");
	/* Noted; the kernel keeps the path until the deletion is due. */
	assert_int_equal(do_path(101, "a", 0)->result, KDEV_AGAIN);
	fake->stat_error = -ESTALE;
	for (int64_t until = engine_now_ms() + 2000; engine_now_ms() < until;)
		run_some();
	assert_true(has_blob("a"));
	assert_int_equal(server->deletes, 0);
	fake->stat_error = 0;
	for (int64_t until = engine_now_ms() + WAIT_MS; has_blob("a") && engine_now_ms() < until;)
		run_some();
	assert_false(has_blob("a"));
	assert_int_equal(server->deletes, 1);
}

static void test_delete_limit(void **state)
{
	const struct kdev_attr attrs[] = { { "on_delete", "delete" }, { "delete_limit", "2" } };
	char name[16];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put_file(name, "1");
	}
	let_ticks_pass();
	start(attrs, 2, 0);
	give(KDEV_ENTRY_SUBTREE, 1, "", 0);
	wait_done(1);
	wait_done(DERIVED + 4);
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		in_root(unlink, name);
	}
	give(KDEV_ENTRY_SUBTREE, 2, "", 0);
	assert_int_equal(wait_done(2)->result, KDEV_OK);
	assert_int_equal(server->deletes, 2);
	wait_report();
	assert_int_equal(fake->report.deletes_held, 3);
	assert_non_null(strstr(fake->error, "delete_limit"));
	/* Uploads go on. */
	put_file("new", "1");
	assert_int_equal(do_path(100, "new", 0)->flags, KDEV_DID_UPLOAD);
}

static void test_keep_marks(void **state)
{
	(void)state;
	put_file("a", "hi");
	let_ticks_pass();
	start(NULL, 0, 60000);
	do_path(100, "a", 0);
	in_root(unlink, "a");
	assert_int_equal(do_path(101, "a", 0)->result, KDEV_OK);
	assert_true(blob_has("a", "azs_deleted"));
	assert_int_equal(server->deletes, 0);
	put_file("a", "hi");
	assert_int_equal(do_path(102, "a", KDEV_CONTENT)->result, KDEV_OK);
	assert_true(has_blob("a"));
	assert_false(blob_has("a", "azs_deleted"));
	assert_int_equal(server->puts, 1);
}

static void test_rename_is_copied(void **state)
{
	char from[128], to[128];
	struct kdev_done_item *d;

	(void)state;
	put_file("old", "content");
	let_ticks_pass();
	start(deleting, 1, 0);
	do_path(100, "old", 0);
	snprintf(from, sizeof(from), "%s/old", root);
	snprintf(to, sizeof(to), "%s/new", root);
	assert_int_equal(rename(from, to), 0);
	d = do_path(101, "new", 0);
	assert_int_equal(d->flags, KDEV_DID_COPY);
	assert_int_equal(do_path(102, "old", 0)->result, KDEV_OK);
	assert_true(has_blob("new"));
	assert_false(has_blob("old"));
	assert_int_equal(server->puts, 1);
	/* Refused: uploaded. */
	assert_int_equal(rename(to, from), 0);
	server_fail(server, "x-ms-copy-source:", 1, 403, "CannotVerifyCopySource");
	d = do_path(103, "old", 0);
	assert_int_equal(d->result, KDEV_OK);
	assert_int_equal(d->flags, KDEV_DID_UPLOAD);
	assert_int_equal(server->puts, 2);
}

static void test_foreign_blob(void **state)
{
	const struct kdev_attr overwrite[] = { { "on_conflict", "overwrite" } };

	(void)state;
	put_file("a", "hi");
	put_file("same", "hi");
	put_file("owned", "hi");
	let_ticks_pass();
	plant("a", "AAAAAAAAAAAAAAAAAAAAAA==", 9, "");
	plant("same", HI_MD5, 2, "");
	plant("owned", HI_MD5, 2, "x-ms-meta-azs_owner: 0123456789abcdef0123456789abcdef\r\n");
	start(NULL, 0, 0);
	assert_int_equal(do_path(100, "a", 0)->result, KDEV_PARKED);
	wait_report();
	assert_int_equal(fake->report.failed, 1);
	assert_int_equal(server->puts, 0);
	/* Equal content is adopted, without sending it. */
	assert_int_equal(do_path(101, "same", 0)->result, KDEV_OK);
	assert_true(blob_has("same", "azs_owner"));
	/* But not another's: whose it is does not depend on what it holds. */
	assert_int_equal(do_path(103, "owned", 0)->result, KDEV_PARKED);
	assert_true(blob_has("owned", "0123456789abcdef0123456789abcdef"));
	assert_int_equal(server->puts, 0);
	stop();
	start(overwrite, 1, 0);
	assert_int_equal(do_path(102, "a", 0)->result, KDEV_OK);
	assert_true(blob_has("a", "azs_owner"));
	assert_int_equal(server->puts, 1);
}

static void test_altered_behind_our_back(void **state)
{
	(void)state;
	put_file("a", "hi");
	put_file("b", "hi");
	let_ticks_pass();
	start(NULL, 0, 0);
	do_path(100, "a", 0);
	do_path(101, "b", 0);
	pthread_mutex_lock(&server->lock);
	server_new_etag(server, server_find(server, "a"));
	server_find(server, "a")->size = 77;
	server_find(server, "b")->used = false;
	pthread_mutex_unlock(&server->lock);
	put_file("a", "changed");
	put_file("b", "changed");
	assert_int_equal(do_path(102, "a", KDEV_CONTENT)->flags, KDEV_DID_UPLOAD);
	assert_int_equal(do_path(103, "b", KDEV_CONTENT)->flags, KDEV_DID_UPLOAD);
	wait_report();
	assert_int_equal(mapping->counters.drifted, 2);
	assert_int_equal(server_find(server, "a")->size, 7);
	assert_true(has_blob("b"));
}

static void test_bad_credential_blocks(void **state)
{
	struct kdev_done_item *d;

	(void)state;
	put_file("a", "hi");
	let_ticks_pass();
	start(NULL, 0, 0);
	do_path(100, "a", 0);
	put_file("a", "ho");
	server_fail(server, "PUT ", 1000, 403, "AuthenticationFailed");
	d = do_path(101, "a", KDEV_CONTENT);
	assert_int_equal(d->result, KDEV_AGAIN);
	assert_true(d->delay_ms >= 1000);
	run_some();
	assert_true(fake->report.blocked);
	assert_true(strlen(fake->error) > 0);
	/* While blocked nothing is tried. */
	assert_int_equal(do_path(102, "a", KDEV_CONTENT)->result, KDEV_AGAIN);
	server_fail(server, "", 0, 0, "");
	for (int64_t until = engine_now_ms() + WAIT_MS;
	     mapping->phase != MAPPING_LIVE && engine_now_ms() < until;)
		run_some();
	assert_int_equal(do_path(103, "a", KDEV_CONTENT)->flags, KDEV_DID_UPLOAD);
	wait_report();
	assert_false(fake->report.blocked);
	assert_string_equal(fake->error, "");
}

static void test_container(void **state)
{
	(void)state;
	put_file("a", "hi");
	let_ticks_pass();
	server->has_container = false;
	start(NULL, 0, 0);
	assert_int_equal(do_path(100, "a", 0)->flags, KDEV_DID_UPLOAD);
	assert_int_equal(server->containers_made, 1);
	/* With rows a container that is gone is a loss, not a beginning. */
	server->has_container = false;
	put_file("a", "ho");
	assert_int_equal(do_path(101, "a", KDEV_CONTENT)->result, KDEV_AGAIN);
	run_some();
	assert_true(fake->report.blocked);
	for (int64_t until = engine_now_ms() + 2500; engine_now_ms() < until;)
		run_some();
	assert_int_equal(server->containers_made, 1);
	assert_int_equal(mapping->phase, MAPPING_BLOCKED);
}

static void test_large(void **state)
{
	struct kdev_done_item *d;

	(void)state;
	put_sized("big", 9 << 20);
	let_ticks_pass();
	start(NULL, 0, 0);
	d = do_path(100, "big", KDEV_CONTENT);
	assert_int_equal(d->result, KDEV_OK);
	assert_int_equal(d->bytes, 9 << 20);
	assert_int_equal(server->blocks, 3);
	assert_int_equal(server->lists, 1);
	assert_int_equal(server_find(server, "big")->size, 9 << 20);
	/* Equal: hashed, not sent. */
	d = do_path(101, "big", KDEV_CONTENT);
	assert_int_equal(d->flags, KDEV_DID_SKIP);
	assert_int_equal(server->blocks, 3);
	/* A block that fails for good leaves the blob as it was. */
	put_sized("big", 10 << 20);
	server_fail(server, "blockid=", 1000, 400, "InvalidBlobOrBlock");
	d = do_path(102, "big", KDEV_CONTENT);
	assert_int_not_equal(d->result, KDEV_OK);
	assert_int_equal(server->lists, 1);
	assert_int_equal(server_find(server, "big")->size, 9 << 20);
	server_fail(server, "", 0, 0, "");
	assert_int_equal(engine->budget.used, 0);
}

static void test_down_in_the_middle(void **state)
{
	char name[16];

	(void)state;
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put_sized(name, i % 4 ? 1000 : 5 << 20);
	}
	let_ticks_pass();
	start(NULL, 0, 0);
	give(KDEV_ENTRY_SUBTREE, 1, "", 0);
	for (int i = 0; i < 10 && !server->puts && !server->blocks; i++)
		run_some();
	/* fake_free() looks after the descriptors; the sanitizer after the rest. */
	mapping_stop(mapping);
	for (int64_t until = engine_now_ms() + WAIT_MS;
	     engine->mappings && engine_now_ms() < until;)
		run_some();
	assert_null(engine->mappings);
	assert_int_equal(engine->nr_jobs, 0);
	assert_int_equal(engine->nr_entries, 0);
	assert_int_equal(engine->nr_sending, 0);
	assert_int_equal(engine->budget.used, 0);
}

static void test_replaced_by_other_kinds(void **state)
{
	char path[128];

	(void)state;
	put_file("a", "hi");
	put_file("b", "hi");
	let_ticks_pass();
	start(deleting, 1, 0);
	do_path(100, "a", 0);
	do_path(101, "b", 0);
	in_root(unlink, "a");
	in_root(make_dir, "a");
	put_file("a/x", "1");
	in_root(unlink, "b");
	snprintf(path, sizeof(path), "%s/b", root);
	assert_int_equal(mkfifo(path, 0600), 0);
	give(KDEV_ENTRY_SUBTREE, 1, "", 0);
	assert_int_equal(wait_done(1)->result, KDEV_OK);
	wait_done(DERIVED);
	assert_true(blob_has("a", "hdi_isfolder"));
	assert_true(has_blob("a/x"));
	assert_false(has_blob("b"));
}

static void test_transient_goes_back(void **state)
{
	struct kdev_done_item *d;

	(void)state;
	put_file("a", "hi");
	let_ticks_pass();
	start(NULL, 0, 0);
	do_path(100, "missing", 0);
	server_fail(server, "PUT ", 1, 500, "InternalError");
	d = do_path(101, "a", 0);
	assert_int_equal(d->result, KDEV_OK);
	wait_report();
	assert_int_equal(mapping->counters.retries, 1);
}

/* Full: what was uploaded is not called done; with room again it is found in the container. */
static void test_disk_full_under_the_state(void **state)
{
	struct rlimit old, small;
	struct stat st;
	char wal[128];
	struct kdev_done_item *d;

	(void)state;
	put_file("a", "hi");
	put_file("b", "hi");
	let_ticks_pass();
	start(NULL, 0, 0);
	do_path(100, "a", 0);
	snprintf(wal, sizeof(wal), "%s/state.db-wal", top);
	assert_int_equal(stat(wal, &st), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = (rlim_t)st.st_size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	d = do_path(101, "b", 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(d->result, KDEV_AGAIN);
	run_some();
	assert_true(fake->report.blocked);
	assert_non_null(strstr(fake->error, "state database"));
	assert_true(has_blob("b"));
	for (int64_t until = engine_now_ms() + WAIT_MS;
	     mapping->phase != MAPPING_LIVE && engine_now_ms() < until;)
		run_some();
	assert_int_equal(do_path(102, "b", 0)->result, KDEV_OK);
	wait_report();
	assert_false(fake->report.blocked);
	assert_int_equal(server->puts, 2);
	assert_int_equal(server->metas, 1);
}

/* Whatever is out when the uploader ends has been answered, and nothing new is begun. */
static void test_drain(void **state)
{
	char name[16];

	(void)state;
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put_file(name, name);
	}
	let_ticks_pass();
	start(deleting, 1, 60000);
	give(KDEV_ENTRY_SUBTREE, 1, "", 0);
	wait_done(1);
	wait_done(DERIVED + 29);
	in_root(unlink, "f0");
	give(KDEV_ENTRY_SUBTREE, 2, "", 0);
	for (int64_t until = engine_now_ms() + 500; engine_now_ms() < until;)
		run_some();
	assert_null(find_done(2));
	put_file("f1", "changed");
	give(KDEV_ENTRY_PATH, 100, "f1", KDEV_CONTENT);
	engine_drain(engine, WAIT_MS);
	assert_int_equal(engine->nr_entries, 0);
	assert_int_equal(engine->nr_jobs, 0);
	assert_int_equal(find_done(2)->result, KDEV_AGAIN);
	assert_int_equal(find_done(100)->result, KDEV_AGAIN);
	assert_int_equal(server->deletes, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_upload_then_nothing),
		TEST(test_restart_uploads_nothing),
		TEST(test_changing_file_is_not_presented),
		TEST(test_not_ready_is_dropped),
		TEST(test_delete),
		TEST(test_delete_is_checked_again),
		TEST(test_subtree_waits_for_its_deletes),
		TEST(test_no_delete_when_the_root_is_gone),
		TEST(test_delete_limit),
		TEST(test_keep_marks),
		TEST(test_rename_is_copied),
		TEST(test_foreign_blob),
		TEST(test_altered_behind_our_back),
		TEST(test_bad_credential_blocks),
		TEST(test_container),
		TEST(test_large),
		TEST(test_down_in_the_middle),
		TEST(test_replaced_by_other_kinds),
		TEST(test_transient_goes_back),
		TEST(test_disk_full_under_the_state),
		TEST(test_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
