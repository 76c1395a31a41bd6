/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/log.h"

static char out[3 * LOG_LINE_MAX];
static int capture_fd, saved_fd;

static void capture(void)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	capture_fd = dup(fileno(f));
	fclose(f);
	saved_fd = dup(STDERR_FILENO);
	dup2(capture_fd, STDERR_FILENO);
}

/* What was logged since capture(), in `out`. */
static void release(void)
{
	ssize_t n = pread(capture_fd, out, sizeof(out) - 1, 0);

	dup2(saved_fd, STDERR_FILENO);
	close(saved_fd);
	close(capture_fd);
	assert_true(n >= 0);
	out[n] = '\0';
}

static void test_levels(void **state)
{
	(void)state;
	capture();
	log_init("prog", LOG_LEVEL_NOTICE);
	log_error("a %d", 1);
	log_warning("b");
	log_notice("c");
	log_info("d");
	log_debug("e");
	release();
	assert_string_equal(out, "prog: error: a 1\nprog: warning: b\nprog: notice: c\n");
}

static void test_control_characters_cannot_forge_a_line(void **state)
{
	(void)state;
	capture();
	log_init("prog", LOG_LEVEL_INFO);
	log_info("%s", "x\n<0>\x1b[2J\x7f\xc3\xa9");
	release();
	assert_string_equal(out, "prog: info: x\\x0a<0>\\x1b[2J\\x7f\xc3\xa9\n");
}

static void test_long_line_is_cut_and_ended(void **state)
{
	static char big[3 * LOG_LINE_MAX];

	(void)state;
	memset(big, '\n', sizeof(big) - 1);
	capture();
	log_init("prog", LOG_LEVEL_INFO);
	log_info("%s", big);
	release();
	assert_in_range(strlen(out), LOG_LINE_MAX - 8, LOG_LINE_MAX);
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

static void test_journal_gets_numbers(void **state)
{
	char stream[64];
	struct stat st;

	(void)state;
	capture();
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init("prog", LOG_LEVEL_INFO);
	log_error("a");
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_init("prog", LOG_LEVEL_INFO);
	log_error("b");
	unsetenv("JOURNAL_STREAM");
	release();
	assert_string_equal(out, "<3>a\nprog: error: b\n");
}

static void test_errno_is_left_alone(void **state)
{
	(void)state;
	capture();
	log_init("prog", LOG_LEVEL_INFO);
	errno = EXDEV;
	close(STDERR_FILENO);
	errno = EXDEV;
	log_error("a");
	assert_int_equal(errno, EXDEV);
	release();
}

static void test_level_names(void **state)
{
	enum log_level level;

	(void)state;
	assert_int_equal(log_level_parse("warning", &level), 0);
	assert_int_equal(level, LOG_LEVEL_WARNING);
	assert_int_equal(log_level_parse("WARNING", &level), -EINVAL);
	assert_int_equal(log_level_parse("", &level), -EINVAL);
}

static void test_error_sentences(void **state)
{
	static char big[2000];
	struct error e;

	(void)state;
	assert_int_equal(error_set(&e, -EIO, "a %d", 1), -EIO);
	assert_int_equal(e.err, -EIO);
	assert_string_equal(e.message, "a 1");
	assert_int_equal(error_set_errno(&e, -ENOENT, "b"), -ENOENT);
	assert_string_equal(e.message, "b: No such file or directory");
	error_prefix(&e, "c %s", "d");
	assert_string_equal(e.message, "c d: b: No such file or directory");
	assert_int_equal(e.err, -ENOENT);
	memset(big, 'x', sizeof(big) - 1);
	error_prefix(&e, "%s", big);
	assert_int_equal(strlen(e.message), sizeof(e.message) - 1);
	error_clear(&e);
	assert_int_equal(e.err, 0);
	assert_string_equal(e.message, "");
	assert_int_equal(error_set(NULL, -EIO, "nobody asks"), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_control_characters_cannot_forge_a_line),
		cmocka_unit_test(test_long_line_is_cut_and_ended),
		cmocka_unit_test(test_journal_gets_numbers),
		cmocka_unit_test(test_errno_is_left_alone),
		cmocka_unit_test(test_level_names),
		cmocka_unit_test(test_error_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
