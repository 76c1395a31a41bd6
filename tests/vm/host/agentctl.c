/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The host's half of the agent protocol (tests/vm/guest/agent.h).
 *
 *   agentctl DIR TIMEOUT_S wait [BOOT_ID]
 *		waits until the guest answers (from another boot than BOOT_ID) and
 *		prints its boot id
 *   agentctl DIR TIMEOUT_S exec [-i] SCRIPT
 *		runs SCRIPT with bash in the guest, its output to ours; with -i our
 *		stdin is its stdin. Exit status: the script's.
 *
 * DIR holds QEMU's sockets agent.N and a lock for each. TIMEOUT_S 0: no limit.
 * Exit status 124: timeout; 125: the guest or its agent is gone.
 */
#include "../guest/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EXIT_TIMEOUT 124
#define EXIT_GONE 125
#define HELLO_INTERVAL_MS 300
#define PATIENCE_MS 15000

static struct agent_parser parser;
static uint64_t deadline_ms;		/* 0: none */
static unsigned char nonce[AGENT_NONCE_BYTES];
static int sock = -1;

static void quit(int status, const char *what)
{
	fprintf(stderr, "agentctl: %s\n", what);
	exit(status);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool is_late(void)
{
	return deadline_ms && now_ms() >= deadline_ms;
}

/* The time for poll(): not longer than at_most_ms, not past the deadline. */
static int wait_ms(int at_most_ms)
{
	uint64_t now = now_ms();

	if (!deadline_ms)
		return at_most_ms;
	if (now >= deadline_ms)
		return 0;
	if (at_most_ms < 0 || deadline_ms - now < (uint64_t)at_most_ms)
		return (int)(deadline_ms - now);
	return at_most_ms;
}

/* The lock is held until we exit; it says which of the ports is free. */
static bool take_port(int number)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char lock[32];
	int fd;

	snprintf(lock, sizeof(lock), "agent.%d.lock", number);
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		quit(EXIT_GONE, "cannot open the port's lock: is the guest started?");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return false;
	}
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "agent.%d", number);
	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		quit(EXIT_GONE, "the guest is not running");
	return true;
}

static void take_any_port(void)
{
	while (!is_late()) {
		for (int i = 0; i < AGENT_PORTS; i++) {
			if (take_port(i))
				return;
		}
		poll(NULL, 0, 50);
	}
	quit(EXIT_TIMEOUT, "every port of the agent is in use");
}

static void send_all(const unsigned char *data, size_t len)
{
	while (len > 0) {
		struct pollfd pfd = { .fd = sock, .events = POLLOUT };
		ssize_t n = send(sock, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			poll(&pfd, 1, wait_ms(1000));
			if (is_late())
				quit(EXIT_TIMEOUT, "timeout");
			continue;
		}
		if (n < 0)
			quit(EXIT_GONE, "the guest went away");
		data += n;
		len -= (size_t)n;
	}
}

static void send_frame(int type, const void *data, uint32_t len)
{
	unsigned char frame[AGENT_FRAME_MAX];

	send_all(frame, agent_frame(frame, type, data, len));
}

static void send_hello(void)
{
	unsigned char padding[AGENT_FRAME_MAX];

	memset(padding, AGENT_PADDING, sizeof(padding));
	send_all(padding, sizeof(padding));
	send_frame(AGENT_HELLO, nonce, sizeof(nonce));
}

/*
 * Finds the welcome to our hello in what may be the rest of an older command's
 * output. On success boot_id is set.
 */
static bool find_welcome(unsigned char *seen, size_t *len, char *boot_id)
{
	const size_t size = AGENT_NONCE_BYTES + AGENT_BOOT_ID_BYTES + 1;
	unsigned char *at = memmem(seen, *len, nonce, sizeof(nonce));

	if (at && (size_t)(seen + *len - at) >= size && at[size - 1] == AGENT_TRAILER) {
		memcpy(boot_id, at + AGENT_NONCE_BYTES, AGENT_BOOT_ID_BYTES);
		boot_id[AGENT_BOOT_ID_BYTES] = '\0';
		return true;
	}
	if (*len > size) {
		memmove(seen, seen + *len - size, size);
		*len = size;
	}
	return false;
}

/*
 * Says hello until the guest answers. Once is not enough: the guest learns of our
 * connection apart from our bytes, and drops them when they come first. The answers
 * to all our hellos carry the same nonce, and none of them is sent after this.
 */
static bool greet(char *boot_id)
{
	static unsigned char seen[8192];
	uint64_t next_hello = 0;
	size_t len = 0;

	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
		quit(EXIT_GONE, "no random numbers");
	while (!is_late()) {
		struct pollfd pfd = { .fd = sock, .events = POLLIN };
		ssize_t n;

		if (now_ms() >= next_hello) {
			send_hello();
			next_hello = now_ms() + HELLO_INTERVAL_MS;
		}
		if (poll(&pfd, 1, wait_ms(50)) <= 0)
			continue;
		n = read(sock, seen + len, sizeof(seen) - len);
		if (n <= 0)
			quit(EXIT_GONE, "the guest went away");
		len += (size_t)n;
		if (find_welcome(seen, &len, boot_id))
			return true;
	}
	return false;
}

static int do_wait(const char *other_than)
{
	char boot_id[AGENT_BOOT_ID_BYTES + 1];

	while (!is_late()) {
		if (!greet(boot_id))
			break;
		if (!other_than || strcmp(boot_id, other_than) != 0) {
			printf("%s\n", boot_id);
			return 0;
		}
		poll(NULL, 0, wait_ms(100));
	}
	quit(EXIT_TIMEOUT, "the guest does not answer");
	return EXIT_TIMEOUT;
}

static void write_all(int fd, const unsigned char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			quit(EXIT_GONE, strerror(errno));
		data += n;
		len -= (size_t)n;
	}
}

/* Returns the exit status when the frame holds it, else -1. */
static int take_frame(int type, const unsigned char *data, uint32_t len)
{
	switch (type) {
	case AGENT_STDOUT:
		write_all(STDOUT_FILENO, data, len);
		break;
	case AGENT_STDERR:
		write_all(STDERR_FILENO, data, len);
		break;
	case AGENT_WELCOME:
		/* The answer to an earlier try at greeting carries our nonce. */
		if (len < sizeof(nonce) || memcmp(data, nonce, sizeof(nonce)) != 0)
			quit(EXIT_GONE, "the guest or its agent started anew");
		break;
	case AGENT_EXIT:
		if (len == 4)
			return data[0] | data[1] << 8;
		break;
	}
	return -1;
}

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

/* -1 when stdin is at its end. */
static int forward_stdin(void)
{
	unsigned char data[AGENT_PAYLOAD_MAX];
	ssize_t n = read(STDIN_FILENO, data, sizeof(data));

	if (n > 0) {
		send_frame(AGENT_STDIN, data, (uint32_t)n);
		return STDIN_FILENO;
	}
	if (n < 0 && errno == EINTR)
		return STDIN_FILENO;
	send_frame(AGENT_STDIN_END, NULL, 0);
	return -1;
}

static void stop_command(int status, const char *what)
{
	deadline_ms = now_ms() + 2000;
	send_frame(AGENT_KILL, NULL, 0);
	quit(status, what);
}

static int relay(int in)
{
	unsigned char data[16384];
	uint32_t len;

	for (;;) {
		struct pollfd pfd[] = {
			{ .fd = sock, .events = POLLIN },
			{ .fd = in, .events = POLLIN },
		};
		ssize_t n;

		if (interrupted)
			stop_command(128 + interrupted, "interrupted");
		if (is_late())
			stop_command(EXIT_TIMEOUT, "timeout");
		if (poll(pfd, 2, wait_ms(-1)) <= 0)
			continue;
		if (pfd[1].revents)
			in = forward_stdin();
		if (!pfd[0].revents)
			continue;
		n = read(sock, data, sizeof(data));
		if (n <= 0)
			quit(EXIT_GONE, "the guest went away");
		for (ssize_t i = 0; i < n; i++) {
			int type = agent_parse(&parser, data[i], &len);
			int status = type ? take_frame(type, parser.buf + 5, len) : -1;

			if (status >= 0)
				return status;
		}
	}
}

static int do_exec(bool with_stdin, const char *script)
{
	struct sigaction action = { .sa_handler = on_signal };
	char boot_id[AGENT_BOOT_ID_BYTES + 1];
	uint64_t given_ms = deadline_ms;
	size_t left = strlen(script);

	if (left > AGENT_SCRIPT_MAX)
		quit(2, "the script is too long: put it there as a file");
	if (!given_ms || given_ms > now_ms() + PATIENCE_MS)
		deadline_ms = now_ms() + PATIENCE_MS;
	if (!greet(boot_id))
		quit(EXIT_GONE, "the guest does not answer");
	deadline_ms = given_ms;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	while (left > 0) {
		uint32_t part = left < AGENT_PAYLOAD_MAX ? (uint32_t)left : AGENT_PAYLOAD_MAX;

		send_frame(AGENT_SCRIPT, script, part);
		script += part;
		left -= part;
	}
	send_frame(AGENT_EXEC, NULL, 0);
	if (!with_stdin)
		send_frame(AGENT_STDIN_END, NULL, 0);
	return relay(with_stdin ? STDIN_FILENO : -1);
}

int main(int argc, char **argv)
{
	const char *command = argc > 3 ? argv[3] : "";
	bool with_stdin = argc == 6 && strcmp(argv[4], "-i") == 0;
	long timeout_s;

	if (argc < 4) {
		fprintf(stderr, "usage: agentctl DIR TIMEOUT_S wait [BOOT_ID] | exec [-i] SCRIPT\n");
		return 2;
	}
	if (chdir(argv[1]) < 0)
		quit(EXIT_GONE, "no such guest");
	timeout_s = strtol(argv[2], NULL, 10);
	if (timeout_s > 0)
		deadline_ms = now_ms() + (uint64_t)timeout_s * 1000;
	take_any_port();
	if (strcmp(command, "wait") == 0)
		return do_wait(argc > 4 ? argv[4] : NULL);
	if (strcmp(command, "exec") == 0 && (argc == 5 || with_stdin))
		return do_exec(with_stdin, argv[argc - 1]);
	quit(2, "unknown command");
	return 2;
}
