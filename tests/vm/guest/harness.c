/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The runner half of the guest harness: processes, deadlines, verdicts. The
 * helpers for tests are in helpers.c.
 *
 * A test's process reports its verdict and reason through a pipe that it alone
 * holds. A pipe that closes without a verdict means that the process died.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define REASON_MAX 480		/* with its verdict, below PIPE_BUF: one write */
#define DEFER_MAX 64

static int verdict_fd = -1;
static int report_fd = -1;

static struct {
	void (*fn)(void *arg);
	void *arg;
} deferred[DEFER_MAX];
static size_t deferred_count;

static void verdict(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void verdict(const char *format, ...)
{
	char line[REASON_MAX + 256];
	va_list ap;
	int len, done = 0;

	va_start(ap, format);
	len = vsnprintf(line, sizeof(line) - 1, format, ap);
	va_end(ap);
	if (len < 0)
		len = 0;
	if ((size_t)len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	for (int i = 0; i < len; i++) {
		if (line[i] == '\n' || line[i] == '\r')
			line[i] = ' ';
	}
	printf("%.*s\n", len, line);
	fflush(stdout);
	line[len++] = '\n';
	while (done < len) {
		ssize_t n = write(verdict_fd, line + done, (size_t)(len - done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			perror("cannot write the verdict");
			_exit(1);
		}
		done += (int)n;
	}
}

void defer(void (*fn)(void *arg), void *arg)
{
	if (deferred_count == DEFER_MAX)
		FAIL("more than %d deferred calls", DEFER_MAX);
	deferred[deferred_count].fn = fn;
	deferred[deferred_count++].arg = arg;
}

/* A deferred call that fails itself comes back here for those that remain. */
static _Noreturn void leave_test(void)
{
	while (deferred_count > 0) {
		deferred_count--;
		deferred[deferred_count].fn(deferred[deferred_count].arg);
	}
	fflush(NULL);
	_exit(0);
}

/* The runner takes the worst verdict it is sent: a failed clean-up counts. */
static void report(char kind, const char *text)
{
	char line[REASON_MAX + 2];
	int len = snprintf(line, sizeof(line), "%c%s", kind, text);

	if (len >= (int)sizeof(line))
		len = sizeof(line) - 1;
	if (write(report_fd, line, (size_t)len + 1) < 0)
		_exit(1);
}

void harness_fail(const char *file, int line, const char *format, ...)
{
	const char *base = strrchr(file, '/');
	char reason[REASON_MAX];
	va_list ap;
	int len;

	len = snprintf(reason, sizeof(reason), "%s:%d: ", base ? base + 1 : file, line);
	va_start(ap, format);
	vsnprintf(reason + len, sizeof(reason) - (size_t)len, format, ap);
	va_end(ap);
	report('F', reason);
	leave_test();
}

void harness_skip(const char *format, ...)
{
	char reason[REASON_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(reason, sizeof(reason), format, ap);
	va_end(ap);
	report('S', reason);
	leave_test();
}

static _Noreturn void child(const struct harness_test *test, int fd)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	report_fd = fd;
	deferred_count = 0;
	test->run();
	report('K', "");
	leave_test();
}

struct outcome {
	char kind;		/* 0: none, 'K' passed, 'S' skipped, 'F' failed */
	char reason[REASON_MAX];
};

static int severity(char kind)
{
	return kind == 'F' ? 3 : kind == 'S' ? 2 : kind == 'K' ? 1 : 0;
}

/* Verdicts come as strings with their NUL, several when clean-up failed, too. */
static void take(struct outcome *out, const char *data, size_t len)
{
	while (len > 0) {
		size_t n = strnlen(data, len);

		if (n > 0 && severity(data[0]) > severity(out->kind)) {
			out->kind = data[0];
			snprintf(out->reason, sizeof(out->reason), "%.*s", (int)n - 1, data + 1);
		}
		if (n == len)
			return;
		data += n + 1;
		len -= n + 1;
	}
}

/*
 * Reads until the test's process has exited: what it forked may hold the pipe
 * open, so the end of file alone is no sign. Returns false at the deadline.
 */
static bool collect(pid_t pid, int fd, uint64_t deadline, struct outcome *out, int *status)
{
	static char data[64 * 1024];
	size_t len = 0;
	bool exited = false;

	while (!exited && now_ms() < deadline) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		exited = waitpid(pid, status, WNOHANG) == pid;
		while (poll(&pfd, 1, exited ? 0 : 10) > 0 && (pfd.revents & POLLIN)) {
			ssize_t n = read(fd, data + len, sizeof(data) - len);

			if (n <= 0)
				break;
			len += (size_t)n;
		}
		if (!exited && (pfd.revents & POLLHUP))
			sleep_ms(5);
	}
	take(out, data, len);
	return exited;
}

static void run_one(const struct harness_test *test)
{
	unsigned int timeout_s = test->timeout_s ? test->timeout_s : HARNESS_TIMEOUT_S;
	struct outcome out = { 0 };
	bool exited;
	int fds[2], status = 0;
	pid_t pid;

	fflush(NULL);
	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		verdict("not ok %s - cannot start it: %s", test->name, strerror(errno));
		return;
	}
	if (pid == 0) {
		close(fds[0]);
		child(test, fds[1]);
	}
	setpgid(pid, pid);
	close(fds[1]);
	exited = collect(pid, fds[0], now_ms() + timeout_s * 1000ULL, &out, &status);
	close(fds[0]);
	kill(-pid, SIGKILL);
	if (!exited)
		waitpid(pid, &status, 0);

	if (out.kind == 'F')
		verdict("not ok %s - %s", test->name, out.reason);
	else if (!exited)
		verdict("not ok %s - no end after %u s", test->name, timeout_s);
	else if (WIFSIGNALED(status))
		verdict("not ok %s - killed by signal %d", test->name, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0 || out.kind == 0)
		verdict("not ok %s - left with status %d and no verdict", test->name,
			WEXITSTATUS(status));
	else if (out.kind == 'S')
		verdict("skip %s - %s", test->name, out.reason);
	else
		verdict("ok %s", test->name);
}

static bool selected(int argc, char **argv, const char *name)
{
	bool any = false;

	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			continue;
		any = true;
		if (strcmp(argv[i], name) == 0)
			return true;
	}
	return !any;
}

static bool known(const struct harness_test *tests, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(tests[i].name, name) == 0)
			return true;
	}
	return false;
}

int harness_main(int argc, char **argv, const struct harness_test *tests, size_t count)
{
	const char *path = getenv("AZS_VERDICT");
	size_t planned = 0;

	verdict_fd = path ? open(path, O_WRONLY | O_CLOEXEC) : dup(STDOUT_FILENO);
	if (verdict_fd < 0) {
		perror(path);
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < argc; i++)
		planned += argv[i][0] != '-' && !known(tests, count, argv[i]);
	for (size_t i = 0; i < count; i++)
		planned += selected(argc, argv, tests[i].name);
	verdict("plan %zu", planned);
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-' && !known(tests, count, argv[i]))
			verdict("not ok %s - no such test", argv[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (selected(argc, argv, tests[i].name))
			run_one(&tests[i]);
	}
	verdict("end");
	return 0;
}
