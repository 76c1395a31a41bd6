/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Tests that run inside the mini guest, as root, on a kernel under test.
 *
 * A test program has a table of tests and calls harness_main(). Each test is a
 * function that returns when it is done; CHECK* leave it at the first failure.
 * The verdicts go to the file named by $AZS_VERDICT, one line each:
 *
 *	plan N
 *	ok NAME | not ok NAME - reason | skip NAME - reason
 *	end
 *
 * Each test runs in a process of its own group (a crash fails that test, not the
 * run), with a deadline; what it leaves mounted, loaded or configured is its own
 * to clean up, with defer(). stdout and stderr go to the output file of the run.
 */
#ifndef AZS_TESTS_VM_HARNESS_H
#define AZS_TESTS_VM_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct harness_test {
	const char *name;	/* no white space; unique in the table */
	void (*run)(void);
	unsigned int timeout_s;	/* 0: HARNESS_TIMEOUT_S */
};

#define HARNESS_TIMEOUT_S 60
#define TEST(function) { .name = #function, .run = (function) }
#define TEST_SLOW(function, seconds) \
	{ .name = #function, .run = (function), .timeout_s = (seconds) }
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Runs the tests and returns the exit status for main(). Arguments that do not
 * start with '-' select tests by name; an unknown name is a failure.
 */
int harness_main(int argc, char **argv, const struct harness_test *tests, size_t count);

/* Leave the running test with a verdict; both print to the output, too. */
_Noreturn void harness_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void harness_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Runs fn(arg) when the test ends, whatever its verdict; last come, first run. */
void defer(void (*fn)(void *arg), void *arg);

#define FAIL(...) harness_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) harness_skip(__VA_ARGS__)

#define CHECK(cond) \
	do { \
		if (!(cond)) \
			FAIL("%s", #cond); \
	} while (0)

/* For reasons that need values: CHECK_MSG(n == 3, "n is %d", n). */
#define CHECK_MSG(cond, ...) \
	do { \
		if (!(cond)) \
			FAIL(__VA_ARGS__); \
	} while (0)

#define CHECK_EQ(got, want) \
	do { \
		long long got_ = (long long)(got), want_ = (long long)(want); \
		if (got_ != want_) \
			FAIL("%s is %lld, expected %lld", #got, got_, want_); \
	} while (0)

#define CHECK_STR(got, want) \
	do { \
		const char *got_ = (got), *want_ = (want); \
		if (__builtin_strcmp(got_, want_) != 0) \
			FAIL("%s is \"%s\", expected \"%s\"", #got, got_, want_); \
	} while (0)

/* The call is to succeed (not to return a negative number); says errno if not. */
#define CHECK_OK(call) \
	({ \
		long long ret_ = (long long)(call); \
		if (ret_ < 0) \
			FAIL("%s: %s", #call, harness_strerror()); \
		ret_; \
	})

/* The call is to fail with this errno. */
#define CHECK_ERRNO(call, want) \
	do { \
		long long ret_ = (long long)(call); \
		if (ret_ >= 0) \
			FAIL("%s returned %lld, expected %s", #call, ret_, #want); \
		if (harness_errno() != (want)) \
			FAIL("%s: %s, expected %s", #call, harness_strerror(), #want); \
	} while (0)

int harness_errno(void);
const char *harness_strerror(void);

/*
 * Waits until the condition holds, evaluating it every few milliseconds; fails
 * the test after timeout_ms.
 */
#define WAIT_FOR(cond, timeout_ms) \
	do { \
		uint64_t until_ = now_ms() + (timeout_ms); \
		while (!(cond)) { \
			if (now_ms() > until_) \
				FAIL("%s: not within %llu ms", #cond, \
				     (unsigned long long)(timeout_ms)); \
			sleep_ms(5); \
		} \
	} while (0)

uint64_t now_ms(void);
void sleep_ms(unsigned int ms);

/* printf into a string that lives until the test ends. */
const char *fmt(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Files. Those that return int give 0 or -1 with errno and suit CHECK_OK and
 * CHECK_ERRNO; the store is exactly one write(2), as attributes want it.
 */
int file_store(const char *path, const char *value);
int file_store_bytes(const char *path, const void *data, size_t len);
int file_write(const char *path, const char *content);	/* O_CREAT | O_TRUNC, 0644 */
int file_append(const char *path, const char *content);

/*
 * The content without its last newline, in a string that lives until the test
 * ends; NULL with errno when it cannot be read, EFBIG over 1 MiB.
 */
const char *file_read(const char *path);
const char *attr_read(const char *path);		/* fails the test instead */
unsigned long long attr_number(const char *path);	/* fails the test if it is none */

void make_dirs(const char *path);			/* mkdir -p, fails the test */
void remove_tree(const char *path);			/* rm -rf on one filesystem */

/*
 * Mounts the disk that run-mini attached under this label (or "tmpfs") and
 * unmounts it when the test ends. The directory is made when missing. A disk
 * that is not there fails the test; a filesystem that this kernel does not have
 * skips it.
 */
void mount_disk(const char *label, const char *dir);

/* The module under test: $AZS_MODULE. 0, or -1 with errno. */
int module_load(const char *params);
int module_unload(void);
bool module_loaded(void);

/*
 * The kernel log. klog_mark() remembers its end; klog_has() searches what came
 * since for a fixed string.
 */
void klog_mark(void);
bool klog_has(const char *text);
/* Writes a line to /dev/kmsg, for landmarks in the console's log. */
void klog_write(const char *text);

/* Runs a program, found by PATH, without a shell; its exit status, 128 + signal. */
int run(const char *program, ...) __attribute__((sentinel));

#endif
