/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* status and list: verdicts, exit codes, both kinds of output. */
#include "cli_fixture.h"

#include <json-c/json.h>

#include "cli/cli.h"

static void test_no_module(void **state)
{
	(void)state;
	configfs_set_root("/nonexistent");
	assert_int_equal(fixture_run(cmd_status, NULL), CLI_FAILED);
	assert_says(fixture_err, "not loaded");
}

static void test_no_mapping(void **state)
{
	(void)state;
	assert_int_equal(fixture_run(cmd_status, NULL), CLI_DONE);
	assert_says(fixture_out, "no mapping");
	assert_int_equal(fixture_run(cmd_status, "docs", NULL), CLI_FAILED);
	assert_says(fixture_err, "there is no mapping 'docs'");
}

static void test_in_sync(void **state)
{
	(void)state;
	fixture_mapping("docs", "live");
	fixture_put("sysfs/docs/stats/uploaded_bytes", "1610612736\n");
	assert_int_equal(fixture_run(cmd_status, NULL), CLI_DONE);
	assert_says(fixture_out, "in sync");
	assert_says(fixture_out, "1.5 GiB");
	assert_says(fixture_out, "/srv/docs");
	assert_null(strstr(fixture_out, "\033"));
	assert_null(strstr(fixture_out, "No uploader"));
	fixture_put("module/uploader_pid", "0\n");
	fixture_run(cmd_status, NULL);
	assert_says(fixture_out, "No uploader");
}

static void assert_code(const char *file, const char *value, int code)
{
	char path[64], before[4096];

	snprintf(path, sizeof(path), "sysfs/docs/%s", file);
	fixture_get(path, before);
	fixture_put(path, value);
	if (fixture_run(cmd_status, "docs", NULL) != code)
		fail_msg("%s = %s is not exit code %d", file, value, code);
	fixture_put(path, before);
}

static void test_verdicts(void **state)
{
	(void)state;
	fixture_mapping("docs", "live");
	assert_code("pending", "1\n", CLI_REMAINS);
	assert_code("in_flight", "1\n", CLI_REMAINS);
	assert_code("backlog_files", "1\n", CLI_REMAINS);
	assert_code("open_writers", "1\n", CLI_DONE);
	assert_code("state", "waiting\n", CLI_REMAINS);
	assert_code("state", "scanning\n", CLI_REMAINS);
	assert_code("state", "draining\n", CLI_REMAINS);
	assert_code("state", "a state to come\n", CLI_REMAINS);
	assert_code("state", "blocked\n", CLI_FAILED);
	assert_code("state", "error\n", CLI_FAILED);
	assert_code("failed", "1\n", CLI_FAILED);
	assert_code("deletes_held", "1\n", CLI_FAILED);
	assert_code("state", "disabled\n", CLI_REMAINS);
	assert_code("pending", "nonsense\n", CLI_FAILED);
}

static void test_the_worst_counts(void **state)
{
	(void)state;
	fixture_mapping("a", "live");
	fixture_mapping("b", "disabled");
	assert_int_equal(fixture_run(cmd_status, NULL), CLI_DONE);
	fixture_mapping("c", "scanning");
	assert_int_equal(fixture_run(cmd_status, NULL), CLI_REMAINS);
	fixture_mapping("d", "blocked");
	fixture_put("sysfs/d/last_error", "the container is gone\n");
	assert_int_equal(fixture_run(cmd_status, NULL), CLI_FAILED);
	assert_says(fixture_out, "d: last error: the container is gone");
}

static void test_says_what_is_failing(void **state)
{
	(void)state;
	fixture_mapping("docs", "live");
	fixture_put("sysfs/docs/failed", "3\n");
	fixture_put("sysfs/docs/deletes_held", "20\n");
	fixture_put("sysfs/docs/last_error", "\n");
	assert_int_equal(fixture_run(cmd_status, NULL), CLI_FAILED);
	assert_says(fixture_out, "docs: 3 failed; journalctl");
	assert_says(fixture_out, "docs: 20 deletions of blobs are held");
	assert_null(strstr(fixture_out, "last error"));
}

static void test_refused_is_not_just_disabled(void **state)
{
	(void)state;
	fixture_mapping("docs", "disabled");
	fixture_put("configfs/docs/last_error", "path: /srv/docs: no such folder\n");
	assert_int_equal(fixture_run(cmd_status, NULL), CLI_FAILED);
	assert_says(fixture_out, "docs: last error: path: /srv/docs: no such folder");
}

static void test_errors_cannot_write_to_the_terminal(void **state)
{
	(void)state;
	fixture_mapping("docs", "blocked");
	fixture_put("sysfs/docs/last_error", "bad \033[2J name\n");
	fixture_run(cmd_status, "docs", NULL);
	assert_says(fixture_out, "bad \\x1b[2J name");
}

static void test_json(void **state)
{
	struct json_object *top, *list, *m;

	(void)state;
	fixture_mapping("a", "live");
	fixture_mapping("b", "blocked");
	fixture_put("sysfs/a/stats/uploaded_bytes", "18446744073709551615\n");
	fixture_put("sysfs/b/last_error", "403 \"no\"\n");
	assert_int_equal(fixture_run(cmd_status, "--json", NULL), CLI_FAILED);
	top = json_tokener_parse(fixture_out);
	assert_non_null(top);
	assert_int_equal(json_object_get_int(json_object_object_get(top, "version")), 1);
	assert_string_equal(json_object_get_string(json_object_object_get(top, "verdict")),
			    "failing");
	assert_true(json_object_get_boolean(json_object_object_get(top, "uploader")));
	list = json_object_object_get(top, "mappings");
	assert_int_equal(json_object_array_length(list), 2);
	m = json_object_array_get_idx(list, 0);
	assert_true(json_object_get_uint64(json_object_object_get(m, "uploaded_bytes")) ==
		    UINT64_MAX);
	assert_string_equal(json_object_get_string(json_object_object_get(m, "verdict")),
			    "in sync");
	m = json_object_array_get_idx(list, 1);
	assert_string_equal(json_object_get_string(json_object_object_get(m, "last_error")),
			    "403 \"no\"");
	json_object_put(top);
}

static void test_list(void **state)
{
	struct json_object *top, *m;

	(void)state;
	fixture_mapping("docs", "live");
	fixture_put("configfs/docs/container", "papers\n");
	fixture_put("configfs/docs/path", "/srv/my docs\n");
	assert_int_equal(fixture_run(cmd_list, NULL), CLI_DONE);
	assert_says(fixture_out, "papers");
	assert_says(fixture_out, "yes");
	assert_int_equal(fixture_run(cmd_list, "--json", NULL), CLI_DONE);
	top = json_tokener_parse(fixture_out);
	assert_non_null(top);
	m = json_object_array_get_idx(json_object_object_get(top, "mappings"), 0);
	assert_string_equal(json_object_get_string(json_object_object_get(m, "path")),
			    "/srv/my docs");
	assert_true(json_object_get_boolean(json_object_object_get(m, "enabled")));
	json_object_put(top);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_module),
		TEST(test_no_mapping),
		TEST(test_in_sync),
		TEST(test_verdicts),
		TEST(test_the_worst_counts),
		TEST(test_says_what_is_failing),
		TEST(test_refused_is_not_just_disabled),
		TEST(test_errors_cannot_write_to_the_terminal),
		TEST(test_json),
		TEST(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
