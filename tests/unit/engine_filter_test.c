/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/filter.h"
#include "engine/policy.h"

static const struct {
	const char *patterns;
	const char *path;
	bool is_dir;
	bool matches;
} table[] = {
	{ "", "a", false, false },
	{ "a", "a", false, true },
	{ "a", "b/a", false, true },
	{ "a", "a/b", false, true },
	{ "a", "ab", false, false },
	{ "/a", "a", false, true },
	{ "/a", "b/a", false, false },
	{ "b/a", "b/a", false, true },
	{ "b/a", "c/b/a", false, false },
	{ "a/", "a", false, false },
	{ "a/", "a", true, true },
	{ "a/", "x/a/b", false, true },
	{ "*.tmp", "x.tmp", false, true },
	{ "*.tmp", "d/x.tmp", false, true },
	{ "*.tmp", "d/x.tmp.gz", false, false },
	{ "/d/*.c", "d/x.c", false, true },
	{ "/d/*.c", "d/e/x.c", false, false },
	{ "/d/**/x", "d/x", false, true },
	{ "/d/**/x", "d/1/2/x", false, true },
	{ "/d/**/x", "d/1/2/y", false, false },
	{ "**/x", "x", false, true },
	{ "**/x", "1/2/x", false, true },
	{ "d/**", "d/1/2", false, true },
	{ "d/**", "d", true, false },
	{ "?", "a", false, true },
	{ "?", "ab", false, false },
	{ "a?c", "a/c", false, false },
	{ "[a-c]", "b", false, true },
	{ "[a-c]", "d", false, false },
	{ "[!a-c]", "d", false, true },
	{ "[^a-c]", "b", false, false },
	{ "[]a]", "]", false, true },
	{ "[a", "[a", false, true },
	{ "x[/]y", "x/y", false, false },
	{ "\\*", "*", false, true },
	{ "\\*", "a", false, false },
	{ "\\#a", "#a", false, true },
	{ "#a", "#a", false, false },
	{ "\\!a", "!a", false, true },
	{ "*.c\n!keep.c", "x.c", false, true },
	{ "*.c\n!keep.c", "keep.c", false, false },
	{ "!keep.c\n*.c", "keep.c", false, true },
	{ "d\n!d/keep", "d/keep", false, true },
	{ "a  \r\nb", "a", false, true },
	{ "\n\n", "a", false, false },
	{ "!", "a", false, false },
	{ "/", "a", false, false },
	{ "a*b*c", "a1b2c", false, true },
	{ "a*b*c", "a1b2", false, false },
	{ "*", "any/thing", false, true },
	{ "foo", "FOO", false, false },
	{ "\xff*", "\xff\xfe", false, true },
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct filter *f = filter_create(table[i].patterns);
		bool matches;

		assert_non_null(f);
		matches = filter_matches(f, table[i].path, strlen(table[i].path), table[i].is_dir);
		filter_free(f);
		if (matches != table[i].matches)
			fail_msg("row %zu: \"%s\" and \"%s\"", i, table[i].patterns, table[i].path);
	}
}

static void test_hostile_pattern_ends(void **state)
{
	struct filter *f = filter_create("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b");
	char name[256];
	clock_t start = clock();

	(void)state;
	memset(name, 'a', 255);
	name[255] = '\0';
	assert_false(filter_matches(f, name, 255, false));
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5.0);
	filter_free(f);
}

static void test_policy(void **state)
{
	const struct kdev_attr attrs[] = {
		{ "include", "*.txt" }, { "exclude", "secret/" }, { "on_delete", "delete" },
		{ "delete_limit", "5" }, { "rescan_s", "0" }, { "unknown", "x" },
	};
	struct policy p;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(policy_parse(&p, attrs, 6, &e), 0);
	assert_true(p.deletes);
	assert_true(p.has_delete_limit);
	assert_int_equal(p.delete_limit, 5);
	assert_int_equal(p.rescan_s, 0);
	assert_true(policy_takes(&p, "a/b.txt", 7, false));
	assert_false(policy_takes(&p, "a/b.bin", 7, false));
	assert_true(policy_takes(&p, "a", 1, true));
	assert_false(policy_takes(&p, "secret/b.txt", 12, false));
	assert_false(policy_takes(&p, "secret", 6, true));
	policy_free(&p);
}

static void test_policy_defaults_and_refusals(void **state)
{
	const struct kdev_attr bad_word[] = { { "on_delete", "maybe" } };
	const struct kdev_attr bad_number[] = { { "rescan_s", "1h" } };
	struct policy p;
	struct error e = { 0 };

	(void)state;
	assert_int_equal(policy_parse(&p, NULL, 0, &e), 0);
	assert_false(p.deletes || p.overwrites || p.stores_symlinks || p.has_delete_limit);
	assert_int_equal(p.rescan_s, 86400);
	policy_free(&p);
	assert_int_equal(policy_parse(&p, bad_word, 1, &e), -22);
	assert_non_null(strstr(e.message, "on_delete"));
	assert_int_equal(policy_parse(&p, bad_number, 1, &e), -22);
	assert_non_null(strstr(e.message, "rescan_s"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_hostile_pattern_ends),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_policy_defaults_and_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
