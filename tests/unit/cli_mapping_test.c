/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* flush, enable, disable, remove and apply, where the kernel is a directory of files. */
#include "cli_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "cli/cli.h"

static void test_flush_that_is_there_already(void **state)
{
	(void)state;
	fixture_mapping("docs", "live");
	fixture_put("sysfs/docs/flushed", "7\n");
	assert_int_equal(fixture_run(cmd_flush, "docs", NULL), CLI_DONE);
	/* What was written is what is read back as the number, 1 here. */
	fixture_assert("sysfs/docs/flush", "1\n");
}

/* A store replaces the file's text from its start: "0\n" becomes "1\n". */
static void test_flush_out_of_time(void **state)
{
	(void)state;
	fixture_mapping("docs", "live");
	assert_int_equal(fixture_run(cmd_flush, "docs", "--timeout", "0", NULL), CLI_REMAINS);
	assert_says(fixture_err, "not all is uploaded yet");
}

static void test_flush_with_failures(void **state)
{
	(void)state;
	fixture_mapping("docs", "live");
	fixture_put("sysfs/docs/flushed", "7\n");
	fixture_put("sysfs/docs/failed", "3\n");
	assert_int_equal(fixture_run(cmd_flush, "docs", NULL), CLI_FAILED);
	assert_says(fixture_err, "3 files failed");
	fixture_put("sysfs/docs/failed", "0\n");
	fixture_put("sysfs/docs/deletes_held", "2\n");
	assert_int_equal(fixture_run(cmd_flush, "docs", NULL), CLI_FAILED);
	assert_says(fixture_err, "2 deletes are held");
}

static void test_flush_of_what_will_not_come(void **state)
{
	(void)state;
	fixture_mapping("docs", "disabled");
	assert_int_equal(fixture_run(cmd_flush, "docs", NULL), CLI_FAILED);
	assert_says(fixture_err, "disabled");
	fixture_put("sysfs/docs/state", "error\n");
	fixture_put("sysfs/docs/last_error", "the folder was moved\n");
	assert_int_equal(fixture_run(cmd_flush, "docs", NULL), CLI_FAILED);
	assert_says(fixture_err, "the folder was moved");
	assert_int_equal(fixture_run(cmd_flush, "other", NULL), CLI_FAILED);
	assert_says(fixture_err, "there is no mapping 'other'");
}

static void test_flush_tells_what_holds_it_up(void **state)
{
	(void)state;
	fixture_mapping("docs", "blocked");
	fixture_put("sysfs/docs/last_error", "403: the key is wrong\n");
	assert_int_equal(fixture_run(cmd_flush, "docs", "--timeout", "0", NULL), CLI_REMAINS);
	assert_says(fixture_err, "docs is blocked: 403: the key is wrong; still waiting");
	fixture_put("sysfs/docs/state", "waiting\n");
	assert_int_equal(fixture_run(cmd_flush, "docs", "--timeout", "0", NULL), CLI_REMAINS);
	assert_says(fixture_err, "docs is waiting for an uploader");
}

/* The uploader's part: reaches the number once the command has taken it. */
static void *finish_later(void *arg)
{
	char text[4096] = "";
	const struct timespec pause = { .tv_nsec = 1000000 };

	(void)arg;
	while (strcmp(text, "1\n") != 0) {
		nanosleep(&pause, NULL);
		fixture_get("sysfs/docs/flush", text);
	}
	fixture_put("sysfs/docs/flushed", "1\n");
	return NULL;
}

static void test_flush_waits(void **state)
{
	pthread_t thread;

	(void)state;
	fixture_mapping("docs", "live");
	assert_int_equal(pthread_create(&thread, NULL, finish_later, NULL), 0);
	assert_int_equal(fixture_run(cmd_flush, "docs", "--timeout", "60", NULL), CLI_DONE);
	pthread_join(thread, NULL);
}

static void test_enable_and_disable(void **state)
{
	(void)state;
	fixture_mapping("docs", "disabled");
	assert_int_equal(fixture_run(cmd_enable, "docs", NULL), CLI_DONE);
	fixture_assert("configfs/docs/enable", "1\n");
	assert_int_equal(fixture_run(cmd_disable, "docs", NULL), CLI_DONE);
	fixture_assert("configfs/docs/enable", "0\n");
	assert_int_equal(fixture_run(cmd_enable, "other", NULL), CLI_FAILED);
	assert_says(fixture_err, "there is no mapping 'other'");
}

/* mkdir makes no attribute files here, so that the first store fails: nothing may remain. */
static void test_add_that_fails_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(fixture_run(cmd_add, "docs", "path=/srv/docs", NULL), CLI_FAILED);
	assert_says(fixture_err, "docs: no attribute 'path'");
	assert_false(configfs_exists("docs"));
	fixture_mapping("docs", "live");
	assert_int_equal(fixture_run(cmd_add, "docs", "path=/srv/docs", NULL), CLI_FAILED);
	assert_says(fixture_err, "already");
	assert_true(configfs_exists("docs"));
	assert_int_equal(fixture_run(cmd_add, "Docs", NULL), CLI_FAILED);
	assert_says(fixture_err, "cannot be the name");
}

static void test_remove(void **state)
{
	(void)state;
	fixture_mkdir("configfs/docs");
	assert_int_equal(fixture_run(cmd_remove, "docs", NULL), CLI_DONE);
	assert_false(configfs_exists("docs"));
	assert_int_equal(fixture_run(cmd_remove, "docs", NULL), CLI_FAILED);
}

static int apply(const char *text, const char *option)
{
	char path[128];

	fixture_put("conf", text);
	snprintf(path, sizeof(path), "%s/conf", fixture_root);
	return fixture_run(cmd_apply, path, option, NULL);
}

static void test_apply_writes_what_differs(void **state)
{
	(void)state;
	fixture_mapping("docs", "disabled");
	fixture_put("configfs/docs/account", "acme\n");
	assert_int_equal(apply("[defaults]\naccount = acme\ncredential = main\n"
			       "[mapping docs]\npath = /srv/docs\ncontainer = docs\n", NULL),
			 CLI_DONE);
	assert_string_equal(fixture_out, "docs: credential = main\ndocs: path = /srv/docs\n"
					 "docs: container = docs\ndocs: enable\n");
	fixture_assert("configfs/docs/path", "/srv/docs");
	fixture_assert("configfs/docs/enable", "1\n");
	/* And once more: nothing to do. */
	assert_int_equal(apply("[defaults]\naccount = acme\ncredential = main\n"
			       "[mapping docs]\npath = /srv/docs\ncontainer = docs\n", NULL),
			 CLI_DONE);
	assert_string_equal(fixture_out, "");
	/* Switched off for the change, and on again; "disabled" is what `state` says here. */
	assert_int_equal(apply("[mapping docs]\npath = /srv/other\n", NULL), CLI_DONE);
	assert_string_equal(fixture_out, "docs: path = /srv/other\ndocs: enable\n");
}

static void test_apply_enable_0(void **state)
{
	(void)state;
	fixture_mapping("docs", "disabled");
	fixture_put("configfs/docs/enable", "1\n");
	assert_int_equal(apply("[mapping docs]\nenable = 0\n", NULL), CLI_DONE);
	assert_string_equal(fixture_out, "docs: disable\n");
	fixture_assert("configfs/docs/enable", "0\n");
	assert_int_equal(apply("[mapping docs]\nenable = yes\n", NULL), CLI_FAILED);
	assert_says(fixture_err, "line 2: enable is 0 or 1");
}

static void test_apply_dry_run(void **state)
{
	(void)state;
	fixture_mapping("docs", "disabled");
	fixture_mapping("old", "disabled");
	assert_int_equal(apply("[mapping docs]\npath = /srv/docs\n[mapping new]\npath = /n\n",
			       "--dry-run"), CLI_DONE);
	assert_string_equal(fixture_out, "docs: path = /srv/docs\ndocs: enable\n"
					 "new: add\nnew: path = /n\nnew: enable\n");
	fixture_assert("configfs/docs/path", "\n");
	fixture_assert("configfs/docs/enable", "0\n");
	assert_false(configfs_exists("new"));
}

static void test_apply_goes_on_after_a_failure(void **state)
{
	(void)state;
	fixture_mapping("a", "disabled");
	fixture_mapping("b", "disabled");
	assert_int_equal(apply("[mapping a]\nnonsense = 1\n[mapping b]\npath = /b\n", NULL),
			 CLI_FAILED);
	assert_says(fixture_err, "line 2: a: no attribute 'nonsense'");
	fixture_assert("configfs/b/path", "/b");
	fixture_assert("configfs/b/enable", "1\n");
	fixture_assert("configfs/a/enable", "0\n");
}

static void test_apply_prune(void **state)
{
	(void)state;
	fixture_mapping("docs", "disabled");
	fixture_put("configfs/docs/enable", "1\n");
	fixture_mkdir("configfs/old");
	/* Without --prune it stays. */
	assert_int_equal(apply("[mapping docs]\n", NULL), CLI_DONE);
	assert_true(configfs_exists("old"));
	/* A directory without attributes cannot be asked whether it is enabled. */
	assert_int_equal(apply("[mapping docs]\n", "--prune"), CLI_FAILED);
	assert_says(fixture_out, "old: remove");
	assert_true(configfs_exists("docs"));
}

static void test_apply_bad_file(void **state)
{
	(void)state;
	fixture_mapping("docs", "disabled");
	assert_int_equal(apply("[mapping docs]\npath = /srv/docs\nnonsense\n", NULL), CLI_FAILED);
	assert_says(fixture_err, "line 3");
	/* Not half of it. */
	fixture_assert("configfs/docs/path", "\n");
	assert_int_equal(fixture_run(cmd_apply, "/nonexistent", NULL), CLI_FAILED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_flush_that_is_there_already),
		TEST(test_flush_out_of_time),
		TEST(test_flush_with_failures),
		TEST(test_flush_of_what_will_not_come),
		TEST(test_flush_tells_what_holds_it_up),
		TEST(test_flush_waits),
		TEST(test_enable_and_disable),
		TEST(test_add_that_fails_leaves_nothing),
		TEST(test_remove),
		TEST(test_apply_writes_what_differs),
		TEST(test_apply_enable_0),
		TEST(test_apply_dry_run),
		TEST(test_apply_goes_on_after_a_failure),
		TEST(test_apply_prune),
		TEST(test_apply_bad_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
