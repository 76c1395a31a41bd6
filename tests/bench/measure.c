/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * measure OUT COMMAND [ARG...]   runs COMMAND and writes what it and all its descendants cost:
 *
 *	user_us=N sys_us=N wall_us=N maxrss_kib=N status=N
 *
 * maxrss is that of the largest process. Exit status: COMMAND's, 128 + its signal, or 127.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t tv_us(struct timeval tv)
{
	return (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
}

/* Until the command has ended and nothing it left behind is running; its wait status. */
static int wait_all(pid_t command)
{
	int status, result = 0;
	pid_t pid;

	while ((pid = wait(&status)) > 0 || errno == EINTR) {
		if (pid == command)
			result = status;
	}
	return result;
}

int main(int argc, char **argv)
{
	struct rusage ru;
	int64_t start;
	int status, code;
	pid_t pid;
	FILE *out;

	if (argc < 3) {
		fprintf(stderr, "usage: measure OUT COMMAND [ARG...]\n");
		return 2;
	}
	out = fopen(argv[1], "we");
	if (!out) {
		fprintf(stderr, "measure: %s: %s\n", argv[1], strerror(errno));
		return 127;
	}
	/* What the command starts and does not wait for is counted, too. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	start = now_us();
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		fprintf(stderr, "measure: %s: %s\n", argv[2], strerror(errno));
		_exit(127);
	}
	if (pid < 0) {
		perror("measure: fork");
		return 127;
	}
	status = wait_all(pid);
	getrusage(RUSAGE_CHILDREN, &ru);
	code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	fprintf(out,
		"user_us=%" PRId64 " sys_us=%" PRId64 " wall_us=%" PRId64
		" maxrss_kib=%ld status=%d\n",
		tv_us(ru.ru_utime), tv_us(ru.ru_stime), now_us() - start, ru.ru_maxrss, code);
	return fclose(out) == 0 ? code : 127;
}
