/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"

static void test_empty_is_a_string(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_string_equal(b.data, "");
	buf_reset(&b);
	buf_truncate(&b, 0);
	assert_string_equal(b.data, "");
	buf_free(&b);
	assert_string_equal(b.data, "");
}

static void test_grows(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100000);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(buf_printf(&b, "%05d", i), 0);
	assert_int_equal(b.len, 50000);
	assert_memory_equal(b.data + 5 * 4321, "04321", 5);
	assert_int_equal(b.data[b.len], '\0');
	buf_truncate(&b, 7);
	assert_string_equal(b.data, "0000000");
	buf_free(&b);
}

static void test_holds_exactly_its_bound(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	assert_int_equal(buf_add_str(&b, "abcd"), 0);
	assert_int_equal(buf_add_char(&b, 'e'), -E2BIG);
	assert_string_equal(b.data, "abcd");
	buf_free(&b);
}

static void test_first_failure_sticks(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	assert_int_equal(buf_add_str(&b, "ab"), 0);
	assert_int_equal(buf_printf(&b, "%s", "cde"), -E2BIG);
	assert_int_equal(buf_add_str(&b, "c"), -E2BIG);
	assert_string_equal(b.data, "ab");
	buf_reset(&b);
	assert_int_equal(buf_add_str(&b, "c"), 0);
	assert_string_equal(b.data, "c");
	buf_free(&b);
}

static void test_absurd_sizes_are_refused(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, (size_t)-1);
	assert_int_equal(buf_add_str(&b, "a"), 0);
	assert_int_equal(buf_reserve(&b, (size_t)-2), -E2BIG);
	buf_free(&b);
}

static void test_keeps_zero_bytes(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_int_equal(buf_add(&b, "a\0b", 3), 0);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b", 4);
	buf_free(&b);
}

static void test_reads_a_descriptor_to_its_end(void **state)
{
	struct buf b;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "hello", 5), 5);
	close(fds[1]);
	buf_init(&b, 10);
	assert_int_equal(buf_read_fd(&b, fds[0], 3), 3);
	assert_int_equal(buf_read_fd(&b, fds[0], 3), 2);
	assert_int_equal(buf_read_fd(&b, fds[0], 3), 0);
	assert_string_equal(b.data, "hello");
	close(fds[0]);
	assert_int_equal(buf_read_fd(&b, fds[0], 3), -EBADF);
	buf_free(&b);
}

static void test_steal_gives_a_string(void **state)
{
	struct buf b;
	char *s;

	(void)state;
	buf_init(&b, 10);
	s = buf_steal(&b);
	assert_string_equal(s, "");
	free(s);
	buf_add_str(&b, "x");
	s = buf_steal(&b);
	assert_string_equal(s, "x");
	assert_int_equal(b.len, 0);
	free(s);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_is_a_string),
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_holds_exactly_its_bound),
		cmocka_unit_test(test_first_failure_sticks),
		cmocka_unit_test(test_absurd_sizes_are_refused),
		cmocka_unit_test(test_keeps_zero_bytes),
		cmocka_unit_test(test_reads_a_descriptor_to_its_end),
		cmocka_unit_test(test_steal_gives_a_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
