/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * agent NUMBER: runs the host's commands as root; one process for each port. See
 * agent.h for the protocol.
 *
 * While a command's stdin is full the port is not read, so what follows waits in
 * the host. When the host goes away the command is killed.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int port = -1;
static int sigchld_fd = -1;
static struct agent_parser parser;
static char boot_id[AGENT_BOOT_ID_BYTES + 1];

static char script[AGENT_SCRIPT_MAX + 1];
static size_t script_len;

static struct {
	pid_t pid;			/* 0: nothing runs */
	int in, out, err;		/* our ends of its pipes, -1: closed */
	unsigned char pending[AGENT_PAYLOAD_MAX];	/* for its stdin */
	size_t pending_len;
	bool in_ends;			/* close stdin once pending is written */
} command = { .in = -1, .out = -1, .err = -1 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void send_frame(int type, const void *data, uint32_t len)
{
	unsigned char frame[AGENT_FRAME_MAX];
	size_t size = agent_frame(frame, type, data, len), done = 0;

	while (done < size) {
		ssize_t n = write(port, frame + done, size - done);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			die("write to the port");
		if (n < 0 && errno == EAGAIN) {
			struct pollfd pfd = { .fd = port, .events = POLLOUT };

			poll(&pfd, 1, 100);
			if (pfd.revents & POLLHUP)
				return;
		}
		if (n > 0)
			done += (size_t)n;
	}
}

static void welcome(const void *nonce)
{
	unsigned char data[AGENT_NONCE_BYTES + AGENT_BOOT_ID_BYTES];

	memcpy(data, nonce, AGENT_NONCE_BYTES);
	memcpy(data + AGENT_NONCE_BYTES, boot_id, AGENT_BOOT_ID_BYTES);
	send_frame(AGENT_WELCOME, data, sizeof(data));
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void forget_command(void)
{
	close_fd(&command.in);
	close_fd(&command.out);
	close_fd(&command.err);
	command.pid = 0;
	command.pending_len = 0;
	command.in_ends = false;
	script_len = 0;
}

static void kill_command(void)
{
	if (command.pid > 0) {
		kill(-command.pid, SIGKILL);
		while (waitpid(command.pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	forget_command();
}

static void child(const int in[2], const int out[2], const int err[2])
{
	static char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash", "LANG=C.UTF-8",
		"DEBIAN_FRONTEND=noninteractive", NULL,
	};
	char *const argv[] = { "bash", "-c", script, NULL };
	sigset_t none;
	int fd;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* The agent is kept from the out-of-memory killer, commands are not. */
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "0", 1) < 0)
		perror("oom_score_adj");
	if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0 || dup2(err[1], 2) < 0)
		_exit(126);
	if (chdir("/root") < 0)
		_exit(126);
	execve("/bin/bash", argv, env);
	_exit(127);
}

static void start_command(void)
{
	int in[2], out[2], err[2];

	if (command.pid > 0)
		return;
	script[script_len] = '\0';
	command.in_ends = false;
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		die("pipe");
	command.pid = fork();
	if (command.pid < 0)
		die("fork");
	if (command.pid == 0)
		child(in, out, err);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	command.in = in[1];
	command.out = out[0];
	command.err = err[0];
	fcntl(command.in, F_SETFL, O_NONBLOCK);
	fcntl(command.out, F_SETFL, O_NONBLOCK);
	fcntl(command.err, F_SETFL, O_NONBLOCK);
	script_len = 0;
}

static void feed_command(void)
{
	if (command.in >= 0 && command.pending_len > 0) {
		ssize_t n = write(command.in, command.pending, command.pending_len);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			close_fd(&command.in);
		if (n > 0) {
			command.pending_len -= (size_t)n;
			memmove(command.pending, command.pending + n, command.pending_len);
		}
	}
	if (command.in < 0)
		command.pending_len = 0;
	if (command.in_ends && command.pending_len == 0)
		close_fd(&command.in);
}

static void take_frame(int type, const unsigned char *data, uint32_t len)
{
	switch (type) {
	case AGENT_HELLO:
		kill_command();
		if (len == AGENT_NONCE_BYTES)
			welcome(data);
		break;
	case AGENT_SCRIPT:
		if (len > AGENT_SCRIPT_MAX - script_len)
			len = (uint32_t)(AGENT_SCRIPT_MAX - script_len);
		memcpy(script + script_len, data, len);
		script_len += len;
		break;
	case AGENT_EXEC:
		start_command();
		break;
	case AGENT_STDIN:
		memcpy(command.pending, data, len);
		command.pending_len = len;
		feed_command();
		break;
	case AGENT_STDIN_END:
		command.in_ends = true;
		feed_command();
		break;
	case AGENT_KILL:
		if (command.pid > 0)
			kill(-command.pid, SIGKILL);
		break;
	}
}

/* Returns false at the end of the stream, true while there may be more. */
static bool forward(int *fd, int type)
{
	unsigned char data[AGENT_PAYLOAD_MAX];
	ssize_t n;

	if (*fd < 0)
		return false;
	n = read(*fd, data, sizeof(data));
	if (n > 0)
		send_frame(type, data, (uint32_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_fd(fd);
	return n > 0;
}

static void reap_command(void)
{
	struct signalfd_siginfo info;
	unsigned char data[4];
	int status;

	while (read(sigchld_fd, &info, sizeof(info)) > 0)
		;
	if (command.pid <= 0 || waitpid(command.pid, &status, WNOHANG) != command.pid)
		return;
	/* What it left running may hold the pipes; what it wrote itself is in them. */
	while (forward(&command.out, AGENT_STDOUT))
		;
	while (forward(&command.err, AGENT_STDERR))
		;
	status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	for (int i = 0; i < 4; i++)
		data[i] = (unsigned char)(status >> (8 * i));
	forget_command();
	send_frame(AGENT_EXIT, data, sizeof(data));
}

/*
 * The port's bytes wait here while a command's stdin is full; nothing more is
 * read until they are used up.
 */
static unsigned char input[4096];
static size_t input_at, input_len;

/* Returns false when no host is there. */
static bool read_port(void)
{
	uint32_t len;
	int type;

	if (input_at == input_len) {
		ssize_t n = read(port, input, sizeof(input));

		if (n == 0)
			return false;
		input_at = 0;
		input_len = n > 0 ? (size_t)n : 0;
	}
	while (input_at < input_len && command.pending_len == 0) {
		type = agent_parse(&parser, input[input_at++], &len);
		if (type)
			take_frame(type, parser.buf + 5, len);
	}
	return true;
}

/*
 * With no host there, poll() returns at once, saying that there is input: wait for
 * the driver's signal instead.
 */
static void wait_for_host(const sigset_t *sigio)
{
	struct timespec second = { .tv_sec = 1 };

	kill_command();
	parser.len = 0;
	input_at = input_len = 0;
	sigtimedwait(sigio, NULL, &second);
}

static void serve(const sigset_t *sigio)
{
	for (;;) {
		struct pollfd pfd[] = {
			{ .fd = port, .events = command.pending_len ? 0 : POLLIN },
			{ .fd = sigchld_fd, .events = POLLIN },
			{ .fd = command.out, .events = POLLIN },
			{ .fd = command.err, .events = POLLIN },
			{ .fd = command.pending_len ? command.in : -1, .events = POLLOUT },
		};
		bool buffered = input_at < input_len && command.pending_len == 0;

		if (poll(pfd, sizeof(pfd) / sizeof(pfd[0]), buffered ? 0 : -1) < 0)
			continue;
		if ((pfd[0].revents & (POLLHUP | POLLIN)) == POLLHUP && !buffered) {
			wait_for_host(sigio);
			continue;
		}
		if (pfd[2].revents)
			forward(&command.out, AGENT_STDOUT);
		if (pfd[3].revents)
			forward(&command.err, AGENT_STDERR);
		if (pfd[4].revents)
			feed_command();
		if (pfd[1].revents)
			reap_command();
		if (((pfd[0].revents & POLLIN) || buffered) && !read_port())
			wait_for_host(sigio);
	}
}

static void read_boot_id(void)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, boot_id, AGENT_BOOT_ID_BYTES) != AGENT_BOOT_ID_BYTES)
		die("boot_id");
	close(fd);
}

int main(int argc, char **argv)
{
	static const unsigned char no_nonce[AGENT_NONCE_BYTES];
	sigset_t sigio, sigchld, both;
	char path[128];

	if (argc != 2) {
		fprintf(stderr, "usage: agent NUMBER\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&sigio);
	sigaddset(&sigio, SIGIO);
	sigemptyset(&sigchld);
	sigaddset(&sigchld, SIGCHLD);
	sigemptyset(&both);
	sigaddset(&both, SIGIO);
	sigaddset(&both, SIGCHLD);
	sigprocmask(SIG_BLOCK, &both, NULL);
	sigchld_fd = signalfd(-1, &sigchld, SFD_CLOEXEC | SFD_NONBLOCK);
	read_boot_id();
	snprintf(path, sizeof(path), "/dev/virtio-ports/" AGENT_PORT_NAME "%s", argv[1]);
	port = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (port < 0 || sigchld_fd < 0)
		die(path);
	if (fcntl(port, F_SETOWN, getpid()) < 0 ||
	    fcntl(port, F_SETFL, O_NONBLOCK | O_ASYNC) < 0)
		die("asynchronous port");
	welcome(no_nonce);
	serve(&sigio);
	return 0;
}
