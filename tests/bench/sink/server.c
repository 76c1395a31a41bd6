/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * sink [PORT]   serves on 127.0.0.1 (port 0 or none: any free one), prints the port, and runs
 *               until it is killed. What it is for: see sink.h.
 *
 * One thread, level-triggered epoll. A connection has one request at a time; bodies of known
 * length are dropped inside the kernel (MSG_TRUNC), so that dropping a GiB costs next to nothing.
 */
#include "sink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define IN_SIZE (64u << 10)
#define KEPT_BODY_MAX (16u << 20)	/* of a block list: 50,000 ids are 6 MiB */
#define DROP_SIZE (4u << 20)		/* at a time */

enum state {
	HEAD,
	BODY,			/* of known length */
	CHUNK_SIZE,
	CHUNK_DATA,
	CHUNK_END,		/* the line after a chunk's data */
	TRAILER,		/* lines after the last chunk */
	SEND,
};

struct conn {
	int fd;
	enum state state;
	uint64_t left;		/* BODY, CHUNK_DATA: bytes to come */
	bool waits_for_room;	/* registered for EPOLLOUT */
	bool close_after;
	struct request req;	/* its strings lie in `head` */
	struct buf head;
	struct buf body;
	struct buf out;
	size_t sent;
	size_t in_from, in_len;	/* unread: in[in_from .. in_len) */
	char in[IN_SIZE];
};

static int epfd;

static void conn_close(struct conn *c)
{
	close(c->fd);
	counters.open--;
	buf_free(&c->req.meta);
	buf_free(&c->head);
	buf_free(&c->body);
	buf_free(&c->out);
	free(c);
}

static void refuse(struct conn *c, int status)
{
	answer_refusal(&c->out, status);
	c->close_after = true;
	c->state = SEND;
}

static void finish(struct conn *c)
{
	answer(&c->out, &c->req, &c->body);
	c->close_after = c->req.wants_close;
	c->state = SEND;
}

/* More input. 1: some came; 0: none now; -1: the connection is gone. */
static int fill(struct conn *c)
{
	ssize_t n;

	if (c->in_from) {
		memmove(c->in, c->in + c->in_from, c->in_len - c->in_from);
		c->in_len -= c->in_from;
		c->in_from = 0;
	}
	n = recv(c->fd, c->in + c->in_len, IN_SIZE - c->in_len, 0);
	if (n > 0) {
		c->in_len += (size_t)n;
		return 1;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static int begin_body(struct conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (c->req.is_chunked)
		c->state = CHUNK_SIZE;
	else if (c->req.content_length)
		c->state = BODY;
	c->left = c->req.content_length;
	if (c->state == HEAD) {
		finish(c);
		return 1;
	}
	if (request_keeps_body(&c->req) && c->left > KEPT_BODY_MAX) {
		refuse(c, 400);
		return 1;
	}
	/* All answers so far have left: there is room for these few bytes. */
	if (c->req.expects_continue && c->in_from == c->in_len &&
	    send(c->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL) != sizeof(go_on) - 1)
		return -1;
	return 1;
}

static int step_head(struct conn *c)
{
	char *start = c->in + c->in_from;
	char *end = memmem(start, c->in_len - c->in_from, "\r\n\r\n", 4);
	int status;

	if (!end) {
		if (c->in_from == 0 && c->in_len == IN_SIZE) {
			refuse(c, 431);
			return 1;
		}
		return fill(c);
	}
	buf_add(&c->head, start, (size_t)(end + 4 - start));
	c->in_from = (size_t)(end + 4 - c->in);
	status = request_parse(&c->req, c->head.data, c->head.len);
	if (status) {
		refuse(c, status);
		return 1;
	}
	return begin_body(c);
}

static void account(struct conn *c, const char *data, size_t len)
{
	if (request_keeps_body(&c->req))
		buf_add(&c->body, data, len);
	c->req.body_bytes += len;
	c->left -= len;
}

/* Body bytes: first those that came with the head, then those that are still in the kernel. */
static int step_data(struct conn *c, enum state next)
{
	static char block[64 << 10];
	size_t have = c->in_len - c->in_from;
	bool keep = request_keeps_body(&c->req);
	ssize_t n;

	if (c->left == 0) {
		c->state = next;
		if (next == SEND)
			finish(c);
		return 1;
	}
	if (have) {
		have = have < c->left ? have : (size_t)c->left;
		account(c, c->in + c->in_from, have);
		c->in_from += have;
		return 1;
	}
	if (keep)
		n = recv(c->fd, block, c->left < sizeof(block) ? (size_t)c->left : sizeof(block), 0);
	else
		n = recv(c->fd, NULL, c->left < DROP_SIZE ? (size_t)c->left : DROP_SIZE, MSG_TRUNC);
	if (n > 0) {
		account(c, block, (size_t)n);
		return 1;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* A line of the chunked framing, without its CR LF, cut in place. NULL: none whole; *got as fill(). */
static char *next_line(struct conn *c, int *got)
{
	char *start = c->in + c->in_from;
	char *end = memmem(start, c->in_len - c->in_from, "\r\n", 2);

	if (end) {
		*end = '\0';
		c->in_from = (size_t)(end + 2 - c->in);
		return start;
	}
	*got = c->in_len - c->in_from >= 1024 ? -1 : fill(c);
	return NULL;
}

static int step_chunk_line(struct conn *c)
{
	int got = 1;
	char *line = next_line(c, &got), *end;

	if (!line)
		return got;
	switch (c->state) {
	case CHUNK_SIZE:
		c->left = strtoull(line, &end, 16);
		if (end == line || (*end && *end != ';'))
			return -1;
		c->state = c->left ? CHUNK_DATA : TRAILER;
		return 1;
	case CHUNK_END:
		c->state = CHUNK_SIZE;
		return *line ? -1 : 1;
	default:
		if (!*line)
			finish(c);
		return 1;
	}
}

static void want(struct conn *c, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &ev);
	c->waits_for_room = events & EPOLLOUT;
}

static int step_send(struct conn *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			want(c, EPOLLOUT);
			return 0;
		}
		if (n < 0)
			return -1;
		c->sent += (size_t)n;
	}
	if (c->close_after)
		return -1;
	if (c->waits_for_room)
		want(c, EPOLLIN);
	c->sent = c->out.len = c->head.len = c->body.len = 0;
	buf_free(&c->req.meta);
	c->state = HEAD;
	/* Another request may have come along already; if not, epoll tells. */
	return c->in_from < c->in_len;
}

/* One step. 1: go on; 0: wait; -1: close. */
static int step(struct conn *c)
{
	switch (c->state) {
	case HEAD:
		return step_head(c);
	case BODY:
		return step_data(c, SEND);
	case CHUNK_DATA:
		return step_data(c, CHUNK_END);
	case SEND:
		return step_send(c);
	default:
		return step_chunk_line(c);
	}
}

static void accept_all(int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
		struct conn *c;
		struct epoll_event ev = { .events = EPOLLIN };

		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c = xrealloc(NULL, sizeof(*c));
		memset(c, 0, offsetof(struct conn, in));
		c->fd = fd;
		ev.data.ptr = c;
		if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) < 0) {
			perror("sink: epoll_ctl");
			exit(1);
		}
		counters.connections++;
		counters.open++;
		if (counters.open > counters.open_max)
			counters.open_max = counters.open;
	}
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) < 0 ||
	    epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		perror("sink");
		exit(1);
	}
	printf("%u\n", ntohs(addr.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event events[64];
	int listener;

	signal(SIGPIPE, SIG_IGN);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_on((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
	for (;;) {
		int n = epoll_wait(epfd, events, 64, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;
			int more = 1;

			if (!c) {
				accept_all(listener);
				continue;
			}
			while (more > 0)
				more = step(c);
			if (more < 0)
				conn_close(c);
		}
	}
}
