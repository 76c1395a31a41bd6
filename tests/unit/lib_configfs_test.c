/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* configfs and sysfs, played by plain directories. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/configfs.h"
#include "lib/sysfs.h"

static struct error e;
static char root[] = "/tmp/lib_configfs_test.XXXXXX";

static void put(const char *path, const char *text, mode_t mode)
{
	char full[200];
	int fd;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	chmod(full, mode);
}

static int setup(void **state)
{
	(void)state;
	strcpy(root + strlen(root) - 6, "XXXXXX");
	if (!mkdtemp(root))
		return -1;
	configfs_set_root(root);
	sysfs_set_root(root);
	error_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static void test_names(void **state)
{
	char longest[CONFIGFS_NAME_MAX + 2];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_false(configfs_is_name(longest));
	longest[sizeof(longest) - 2] = '\0';
	assert_true(configfs_is_name(longest));
	assert_true(configfs_is_name("0-a"));
	assert_false(configfs_is_name(""));
	assert_false(configfs_is_name("-a"));
	assert_false(configfs_is_name("A"));
	assert_false(configfs_is_name(".."));
	assert_false(configfs_is_name("a/b"));
	assert_int_equal(configfs_create("../x", &e), -EINVAL);
	assert_int_equal(configfs_remove("..", &e), -EINVAL);
}

static void test_no_module(void **state)
{
	char **names, *value;
	size_t nr;

	(void)state;
	configfs_set_root("/nonexistent");
	sysfs_set_root("/nonexistent");
	assert_false(configfs_is_present());
	assert_int_equal(configfs_list(&names, &nr, &e), -ENODEV);
	assert_non_null(strstr(e.message, "not loaded"));
	assert_int_equal(configfs_create("a", &e), -ENODEV);
	assert_int_equal(configfs_read("a", "path", &value, &e), -ENODEV);
	assert_non_null(strstr(e.message, "not loaded"));
	assert_int_equal(sysfs_read("a", "state", &value, &e), -ENODEV);
	assert_non_null(strstr(e.message, "not loaded"));
}

static void test_create_list_remove(void **state)
{
	char **names;
	size_t nr;

	(void)state;
	assert_int_equal(configfs_create("b", &e), 0);
	assert_int_equal(configfs_create("a", &e), 0);
	assert_int_equal(configfs_create("a", &e), -EEXIST);
	assert_true(configfs_exists("a"));
	assert_false(configfs_exists("c"));
	assert_int_equal(configfs_list(&names, &nr, &e), 0);
	assert_int_equal(nr, 2);
	assert_string_equal(names[0], "a");
	assert_string_equal(names[1], "b");
	configfs_list_free(names, nr);
	assert_int_equal(configfs_remove("a", &e), 0);
	assert_int_equal(configfs_remove("a", &e), -ENOENT);
	assert_string_equal(e.message, "there is no mapping 'a'");
}

static void test_read_and_write(void **state)
{
	char big[CONFIGFS_VALUE_MAX + 2], *value;

	(void)state;
	configfs_create("a", &e);
	put("a/path", "/srv/a\n", 0644);
	put("a/include", "x\n\n", 0644);
	assert_int_equal(configfs_read("a", "path", &value, &e), 0);
	assert_string_equal(value, "/srv/a");
	free(value);
	assert_int_equal(configfs_read("a", "include", &value, &e), 0);
	assert_string_equal(value, "x\n");
	free(value);
	put("a/path", "", 0644);
	assert_int_equal(configfs_write("a", "path", "/srv/b", &e), 0);
	assert_int_equal(configfs_read("a", "path", &value, &e), 0);
	assert_string_equal(value, "/srv/b");
	free(value);
	/* Nothing at all would not reach the kernel. */
	put("a/path", "", 0644);
	assert_int_equal(configfs_write("a", "path", "", &e), 0);
	assert_int_equal(configfs_read("a", "path", &value, &e), 0);
	assert_string_equal(value, "");
	free(value);
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(configfs_write("a", "path", big, &e), -E2BIG);
	assert_int_equal(configfs_write("a", "nothing", "x", &e), -ENOENT);
	assert_string_equal(e.message, "a: no attribute 'nothing'");
	assert_int_equal(configfs_write("a", "../b", "x", &e), -EINVAL);
	assert_int_equal(configfs_write("b", "path", "x", &e), -ENOENT);
	assert_string_equal(e.message, "there is no mapping 'b'");
}

/* /dev/full refuses what is written, as the kernel refuses a value. */
static void test_refusal_carries_the_kernels_sentence(void **state)
{
	char link[200];

	(void)state;
	configfs_create("a", &e);
	snprintf(link, sizeof(link), "%s/a/account", root);
	assert_int_equal(symlink("/dev/full", link), 0);
	assert_int_equal(configfs_write("a", "account", "x", &e), -ENOSPC);
	assert_string_equal(e.message, "a: account: No space left on device");
	put("a/last_error", "account: 'x' is shorter than 3 characters\n", 0444);
	assert_int_equal(configfs_write("a", "account", "x", &e), -ENOSPC);
	assert_string_equal(e.message, "a: account: 'x' is shorter than 3 characters");
	put("a/last_error", "\n", 0444);
	assert_int_equal(configfs_write("a", "account", "x", &e), -ENOSPC);
	assert_string_equal(e.message, "a: account: No space left on device");
}

static void test_attributes_that_can_be_written(void **state)
{
	char **attrs;
	size_t nr;

	(void)state;
	configfs_create("a", &e);
	put("a/path", "", 0644);
	put("a/account", "", 0644);
	put("a/enable", "0\n", 0644);
	put("a/last_error", "", 0444);
	assert_int_equal(configfs_attrs("a", &attrs, &nr, &e), 0);
	assert_int_equal(nr, 2);
	assert_string_equal(attrs[0], "account");
	assert_string_equal(attrs[1], "path");
	configfs_list_free(attrs, nr);
	assert_int_equal(configfs_attrs("b", &attrs, &nr, &e), -ENOENT);
}

static void test_figures(void **state)
{
	static const char *const bad[] = { "", "-1\n", "1 2\n", "x\n", "18446744073709551616\n" };
	uint64_t v;

	(void)state;
	configfs_create("a", &e);
	put("a/pending", "18446744073709551615\n", 0444);
	assert_int_equal(sysfs_read_u64("a", "pending", &v, &e), 0);
	assert_true(v == UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put("a/pending", bad[i], 0444);
		assert_int_equal(sysfs_read_u64("a", "pending", &v, &e), -EBADMSG);
	}
	assert_int_equal(sysfs_read_u64("a", "../../etc/passwd", &v, &e), -EINVAL);
	assert_int_equal(sysfs_read_u64("b", "pending", &v, &e), -ENOENT);
}

static void test_watch(void **state)
{
	struct sysfs_watch w;
	char buf[4];

	(void)state;
	configfs_create("a", &e);
	assert_int_equal(sysfs_watch_open(&w, "a", "flushed", &e), -ENOENT);
	put("a/flushed", "7\n", 0444);
	assert_int_equal(sysfs_watch_open(&w, "a", "flushed", &e), 0);
	assert_int_equal(sysfs_watch_read(&w, buf, sizeof(buf), &e), 0);
	assert_string_equal(buf, "7");
	assert_int_equal(sysfs_watch_wait(&w, 0, &e), 0);
	put("a/flushed", "12345\n", 0444);
	assert_int_equal(sysfs_watch_read(&w, buf, sizeof(buf), &e), 0);
	assert_string_equal(buf, "123");
	sysfs_watch_close(&w);
	sysfs_watch_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_module, setup, teardown),
		cmocka_unit_test_setup_teardown(test_create_list_remove, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_and_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusal_carries_the_kernels_sentence, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_attributes_that_can_be_written, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_figures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watch, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
