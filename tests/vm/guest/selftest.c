/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What can go wrong with a guest test, on demand: tests/vm/selftest runs each of
 * these modes and expects the runner to notice. "good" is the one that may pass.
 */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void passes(void)
{
	CHECK(true);
}

static void fails(void)
{
	CHECK_EQ(1 + 1, 3);
}

static void crashes(void)
{
	raise(SIGSEGV);
}

static void hangs(void)
{
	for (;;)
		pause();
}

static void leaves(void)
{
	_exit(0);
}

static void is_skipped(void)
{
	SKIP("for the self-test");
}

static void bad_cleanup(void *arg)
{
	(void)arg;
	FAIL("clean-up failed");
}

static void fails_in_cleanup(void)
{
	defer(bad_cleanup, NULL);
}

static void panics(void)
{
	CHECK_OK(file_store("/proc/sysrq-trigger", "c"));
}

static void splats(void)
{
	klog_write("WARNING: possible recursive locking detected");
}

static void powers_off(void)
{
	run("poweroff", "-f", NULL);
	hangs();
}

static void mounts_disks(void)
{
	static const char *const labels[] = { "e4", "x", "b", "tmpfs" };

	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		const char *dir = fmt("/mnt/%s", labels[i]);
		const char *file = fmt("%s/file", dir);

		mount_disk(labels[i], dir);
		CHECK_OK(file_write(file, "one "));
		CHECK_OK(file_append(file, "two\n"));
		CHECK_STR(attr_read(file), "one two");
	}
}

static void has_what_was_given(void)
{
	CHECK_STR(attr_read("/data/given"), "a file");
	CHECK_STR(getenv("GIVEN"), "it's $HOME");
	CHECK(access("/sys/kernel/config", F_OK) == 0);
}

/* Writes to the verdict port past the harness. */
static int say_raw(const char *text)
{
	int fd = open(getenv("AZS_VERDICT"), O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		perror("verdict port");
		return 1;
	}
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct harness_test tests[] = {
		TEST(passes), TEST(fails), TEST(crashes), TEST_SLOW(hangs, 2), TEST(leaves),
		TEST(is_skipped), TEST(fails_in_cleanup), TEST_SLOW(panics, 600), TEST(splats),
		TEST_SLOW(powers_off, 600), TEST(mounts_disks), TEST(has_what_was_given),
	};

	if (argc == 3 && strcmp(argv[1], "--raw") == 0)
		return say_raw(argv[2]);
	if (argc == 2 && strcmp(argv[1], "--silent") == 0)
		return 0;
	if (argc == 2 && strcmp(argv[1], "--silent-hang") == 0)
		hangs();
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
