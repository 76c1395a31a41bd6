/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/config.h"

static struct error e;

static int load(struct config **c, const void *text, size_t len)
{
	char path[] = "/tmp/lib_config_test.XXXXXX";
	int fd = mkstemp(path), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
	error_clear(&e);
	err = config_load(c, path, &e);
	unlink(path);
	return err;
}

static struct config *load_good(const char *text)
{
	struct config *c = NULL;

	if (load(&c, text, strlen(text)))
		fail_msg("%s", e.message);
	return c;
}

static void assert_bad(const char *text, const char *sentence)
{
	struct config *c = NULL;

	assert_int_equal(load(&c, text, strlen(text)), -EINVAL);
	if (!strstr(e.message, sentence))
		fail_msg("'%s' does not say '%s'", e.message, sentence);
}

static void test_sections_and_values(void **state)
{
	struct config *c = load_good("# comment\n; comment\n\n"
				     "[uploader]\nmax_requests = 8\n"
				     "[defaults]\r\naccount=acme\r\ncredential =  main \r\n"
				     "  [ mapping docs ]  \n\tpath = /srv/docs\n"
				     "credential = other\n"
				     "[mapping b]\npath=/b");

	(void)state;
	assert_string_equal(config_get(&c->uploader, "max_requests"), "8");
	assert_int_equal(c->nr_mappings, 2);
	assert_string_equal(c->mappings[0].name, "docs");
	assert_int_equal(c->mappings[0].line, 9);
	assert_int_equal(c->mappings[0].values[0].line, 10);
	assert_string_equal(config_get(&c->mappings[0], "path"), "/srv/docs");
	assert_null(config_get(&c->mappings[0], "account"));
	assert_string_equal(config_mapping_get(c, &c->mappings[0], "account"), "acme");
	assert_string_equal(config_mapping_get(c, &c->mappings[0], "credential"), "other");
	assert_string_equal(config_mapping_get(c, &c->mappings[1], "credential"), "main");
	assert_string_equal(config_get(&c->mappings[1], "path"), "/b");
	assert_null(config_mapping_get(c, &c->mappings[1], "prefix"));
	config_free(c);
}

static void test_marks_of_comments_stand_in_values(void **state)
{
	struct config *c = load_good("[mapping a]\npath = /a ; b # c = [d]\nprefix =\n"
				     "proxy = #x\n");

	(void)state;
	assert_string_equal(config_get(&c->mappings[0], "path"), "/a ; b # c = [d]");
	assert_string_equal(config_get(&c->mappings[0], "prefix"), "");
	assert_string_equal(config_get(&c->mappings[0], "proxy"), "#x");
	config_free(c);
}

static void test_long_values(void **state)
{
	char text[CONFIG_VALUE_MAX + 100];
	struct config *c;
	int head = sprintf(text, "[mapping a]\npath = ");

	(void)state;
	memset(text + head, 'x', CONFIG_VALUE_MAX);
	text[head + CONFIG_VALUE_MAX] = '\0';
	c = load_good(text);
	assert_int_equal(strlen(config_get(&c->mappings[0], "path")), CONFIG_VALUE_MAX);
	config_free(c);
	strcat(text, "x");
	assert_bad(text, "line 2: more than 4096 bytes");
}

static void test_lists_are_joined(void **state)
{
	struct config *c = load_good("[mapping a]\nexclude = *.tmp\npath = /a\nexclude = /cache/\n");

	(void)state;
	assert_string_equal(config_get(&c->mappings[0], "exclude"), "*.tmp\n/cache/");
	config_free(c);
}

static void test_mistakes_are_named_with_their_line(void **state)
{
	(void)state;
	assert_bad("[mapping a]\n\nnonsense\n", "line 3: neither");
	assert_bad("path = /a\n", "line 1: a value before");
	assert_bad("[mapping a\n", "line 1: a section ends");
	assert_bad("[", "line 1: a section ends");
	assert_bad("[]", "line 1: no section");
	assert_bad("[mapping]\n", "cannot be the name");
	assert_bad("[mapping ../etc]\n", "cannot be the name");
	assert_bad("[mapping A]\n", "cannot be the name");
	assert_bad("[mappings a]\n", "no section is called [mappings a]");
	assert_bad("[mapping a]\n[mapping b]\n[mapping a]\n", "line 3: mapping 'a' stands in line 1");
	assert_bad("[defaults]\n[defaults]\n", "line 2: a second [defaults]");
	assert_bad("[mapping a]\npath=/a\npath=/b\n", "line 3: a second path");
	assert_bad("[mapping a]\nPath=/a\n", "line 2: 'Path' cannot be a name");
	assert_bad("[mapping a]\n= b\n", "line 2: '' cannot be a name");
}

static void test_binary_is_refused(void **state)
{
	struct config *c;

	(void)state;
	assert_int_equal(load(&c, "[mapping a]\n\0path=/a\n", 21), -EINVAL);
	assert_non_null(strstr(e.message, "NUL"));
	assert_int_equal(config_load(&c, "/nonexistent/file", &e), -ENOENT);
}

static void test_byte_order_mark_is_passed_over(void **state)
{
	struct config *c = load_good("\xef\xbb\xbf[mapping a]\npath=/a\n");

	(void)state;
	assert_int_equal(c->nr_mappings, 1);
	config_free(c);
}

static void test_numbers(void **state)
{
	struct config *c = load_good("[uploader]\na = 7\nb = -1\nc = 1x\nd = 99999999999999999999\n"
				     "f =\ng = 101\n");
	static const char *const bad[] = { "b", "c", "d", "f", "g" };
	unsigned long long v;

	(void)state;
	assert_int_equal(config_get_u64(&c->uploader, "a", 1, 100, 3, &v, &e), 0);
	assert_int_equal(v, 7);
	assert_int_equal(config_get_u64(&c->uploader, "z", 1, 100, 3, &v, &e), 0);
	assert_int_equal(v, 3);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(config_get_u64(&c->uploader, bad[i], 1, 100, 3, &v, &e), -EINVAL);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections_and_values),
		cmocka_unit_test(test_marks_of_comments_stand_in_values),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_lists_are_joined),
		cmocka_unit_test(test_mistakes_are_named_with_their_line),
		cmocka_unit_test(test_binary_is_refused),
		cmocka_unit_test(test_byte_order_mark_is_passed_over),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
