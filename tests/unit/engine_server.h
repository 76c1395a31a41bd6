/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A blob service of a few hundred lines, for the engine's tests: it keeps names, sizes, hashes,
 * ETags and metadata, honours conditions, and fails on demand. Signatures are not looked at. One
 * thread.
 */
#ifndef TESTS_ENGINE_SERVER_H
#define TESTS_ENGINE_SERVER_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_CONNS	80
#define SERVER_BLOBS	512
#define SERVER_HEAD	16384

struct server_blob {
	bool used;
	char name[512];
	char etag[32];
	char md5[64];
	char meta[2048];		/* header lines */
	unsigned long size;
	unsigned long staged;		/* bytes of blocks that wait */
};

struct server_conn {
	int fd;
	char head[SERVER_HEAD];
	size_t len;
	unsigned long body;		/* bytes to come */
	bool in_body;
};

struct server {
	pthread_t thread;
	pthread_mutex_t lock;		/* protects all below but conns */
	int listener;
	int wake[2];
	int port;
	bool has_container;
	unsigned int containers_made;
	struct server_blob blobs[SERVER_BLOBS];
	unsigned long etags;
	unsigned int puts, blocks, lists, metas, heads, deletes, copies;
	/* While nonzero, requests whose line holds `fail_what` are answered so. */
	int fail_status;
	unsigned int fail_times;
	char fail_what[64];
	char fail_code[64];
	struct server_conn conns[SERVER_CONNS];
};

static struct server_blob *server_find(struct server *s, const char *name)
{
	for (int i = 0; i < SERVER_BLOBS; i++)
		if (s->blobs[i].used && !strcmp(s->blobs[i].name, name))
			return &s->blobs[i];
	return NULL;
}

static struct server_blob *server_make(struct server *s, const char *name)
{
	struct server_blob *b = server_find(s, name);

	for (int i = 0; !b && i < SERVER_BLOBS; i++)
		if (!s->blobs[i].used)
			b = &s->blobs[i];
	if (b && !b->used) {
		memset(b, 0, sizeof(*b));
		snprintf(b->name, sizeof(b->name), "%s", name);
		b->used = true;
	}
	return b;
}

static bool server_header(const char *head, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	*out = '\0';
	for (const char *l = strstr(head, "\r\n"); l; l = strstr(l, "\r\n")) {
		l += 2;
		if (!strncasecmp(l, name, n) && l[n] == ':') {
			const char *v = l + n + 1, *e;

			while (*v == ' ')
				v++;
			e = strstr(v, "\r\n");
			snprintf(out, size, "%.*s", e ? (int)(e - v) : 0, v);
			return true;
		}
	}
	return false;
}

static void server_keep_meta(struct server_blob *b, const char *head)
{
	b->meta[0] = '\0';
	for (const char *l = strstr(head, "\r\n"); l; l = strstr(l, "\r\n")) {
		const char *e;
		size_t at = strlen(b->meta);

		l += 2;
		if (strncasecmp(l, "x-ms-meta-", 10))
			continue;
		e = strstr(l, "\r\n");
		if (e && at + (size_t)(e - l) + 3 < sizeof(b->meta))
			snprintf(b->meta + at, sizeof(b->meta) - at, "%.*s\r\n", (int)(e - l), l);
	}
}

static void server_new_etag(struct server *s, struct server_blob *b)
{
	snprintf(b->etag, sizeof(b->etag), "\"0x%lX\"", ++s->etags);
}

/* 0, or the status of the condition that does not hold. */
static int server_check(const struct server_blob *b, const char *head)
{
	char want[128];
	bool there = b && b->etag[0];

	if (server_header(head, "If-None-Match", want, sizeof(want)) && there)
		return 409;
	if (server_header(head, "If-Match", want, sizeof(want)) &&
	    (!there || (strcmp(want, "*") && strcmp(want, b->etag))))
		return there ? 412 : 404;
	return 0;
}

static void server_answer(int fd, int status, const char *code, const char *headers)
{
	char out[4096];
	int len = snprintf(out, sizeof(out), "HTTP/1.1 %d X\r\nContent-Length: 0\r\n"
			   "x-ms-request-id: 1\r\n%s%s%s%s\r\n", status,
			   *code ? "x-ms-error-code: " : "", code, *code ? "\r\n" : "", headers);

	if (write(fd, out, (size_t)len) != len)
		perror("answer");
}

static void server_answer_blob(int fd, int status, const struct server_blob *b, bool all)
{
	char headers[3000];

	snprintf(headers, sizeof(headers), "ETag: %s\r\n%s", b->etag, all ? b->meta : "");
	if (all) {
		char out[4096];
		int len = snprintf(out, sizeof(out), "HTTP/1.1 200 OK\r\nContent-Length: %lu\r\n"
				   "x-ms-blob-type: BlockBlob\r\n%s%s%s%s\r\n", b->size, headers,
				   b->md5[0] ? "Content-MD5: " : "", b->md5,
				   b->md5[0] ? "\r\n" : "");

		if (write(fd, out, (size_t)len) != len)
			perror("answer");
		return;
	}
	server_answer(fd, status, "", headers);
}

static void server_write(struct server *s, int fd, const char *head, const char *name,
			 const char *query, unsigned long length)
{
	struct server_blob *b = server_find(s, name), *from;
	char value[512];
	int status;

	if (strstr(query, "blockid=")) {
		s->blocks++;
		b = server_make(s, name);
		b->staged += length;
		server_answer(fd, 201, "", "");
		return;
	}
	status = server_check(b, head);
	if (status) {
		server_answer(fd, status, status == 409 ? "BlobAlreadyExists" :
			      status == 412 ? "ConditionNotMet" : "BlobNotFound", "");
		return;
	}
	if (strstr(query, "comp=metadata")) {
		s->metas++;
		if (!b || !b->etag[0]) {
			server_answer(fd, 404, "BlobNotFound", "");
			return;
		}
	} else if (server_header(head, "x-ms-copy-source", value, sizeof(value))) {
		char *q = strchr(value, '?'), *n = strstr(value, "/con/");

		if (q)
			*q = '\0';
		from = n ? server_find(s, n + 5) : NULL;
		if (!from) {
			server_answer(fd, 404, "CannotVerifyCopySource", "");
			return;
		}
		s->copies++;
		b = server_make(s, name);
		b->size = from->size;
		memcpy(b->md5, from->md5, sizeof(b->md5));
	} else if (strstr(query, "comp=blocklist")) {
		s->lists++;
		b = server_make(s, name);
		b->size = b->staged;
		b->staged = 0;
		server_header(head, "x-ms-blob-content-md5", b->md5, sizeof(b->md5));
	} else {
		s->puts++;
		b = server_make(s, name);
		b->size = length;
		if (!server_header(head, "Content-MD5", b->md5, sizeof(b->md5)))
			server_header(head, "x-ms-blob-content-md5", b->md5, sizeof(b->md5));
	}
	server_keep_meta(b, head);
	server_new_etag(s, b);
	server_answer_blob(fd, 201, b, false);
}

static void server_container(struct server *s, int fd, const char *method)
{
	if (!strcmp(method, "PUT")) {
		s->has_container = true;
		s->containers_made++;
		server_answer(fd, 201, "", "");
	} else if (s->has_container) {
		server_answer(fd, 200, "", "");
	} else {
		server_answer(fd, 404, "ContainerNotFound", "");
	}
}

static void server_request(struct server *s, struct server_conn *c, unsigned long length)
{
	char method[16], target[1024], *query, *name;
	struct server_blob *b;
	int status;

	if (sscanf(c->head, "%15s %1023s", method, target) != 2)
		return;
	query = strchr(target, '?');
	if (query)
		*query++ = '\0';
	else
		query = target + strlen(target);
	pthread_mutex_lock(&s->lock);
	name = strstr(target, "/con");
	if (s->fail_times && strstr(c->head, s->fail_what)) {
		s->fail_times--;
		server_answer(c->fd, s->fail_status, s->fail_code, "");
	} else if (strstr(query, "restype=container")) {
		server_container(s, c->fd, method);
	} else if (!name || name[4] != '/' || !s->has_container) {
		server_answer(c->fd, 404, "ContainerNotFound", "");
	} else if (!strcmp(method, "PUT")) {
		server_write(s, c->fd, c->head, name + 5, query, length);
	} else {
		b = server_find(s, name + 5);
		status = server_check(b, c->head);
		if (!b || !b->etag[0]) {
			server_answer(c->fd, 404, "BlobNotFound", "");
		} else if (status) {
			server_answer(c->fd, status, "ConditionNotMet", "");
		} else if (!strcmp(method, "DELETE")) {
			s->deletes++;
			b->used = false;
			server_answer(c->fd, 202, "", "");
		} else {
			s->heads++;
			server_answer_blob(c->fd, 200, b, true);
		}
	}
	pthread_mutex_unlock(&s->lock);
}

static void server_close(struct server_conn *c)
{
	close(c->fd);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

static void server_read(struct server *s, struct server_conn *c)
{
	static char junk[65536];
	unsigned long length = 0;
	char value[64], *end;
	ssize_t n;

	if (c->in_body && c->body) {
		n = read(c->fd, junk, c->body < sizeof(junk) ? c->body : sizeof(junk));
		if (n <= 0) {
			server_close(c);
			return;
		}
		c->body -= (unsigned long)n;
	} else if (!c->in_body) {
		n = read(c->fd, c->head + c->len, SERVER_HEAD - 1 - c->len);
		if (n <= 0) {
			server_close(c);
			return;
		}
		c->len += (size_t)n;
		c->head[c->len] = '\0';
		end = strstr(c->head, "\r\n\r\n");
		if (!end)
			return;
		if (server_header(c->head, "Content-Length", value, sizeof(value)))
			length = strtoul(value, NULL, 10);
		if (server_header(c->head, "Expect", value, sizeof(value)) &&
		    write(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25) != 25)
			perror("continue");
		c->in_body = true;
		c->body = length - (c->len - (size_t)(end + 4 - c->head));
		end[4] = '\0';
	}
	if (c->in_body && !c->body) {
		if (server_header(c->head, "Content-Length", value, sizeof(value)))
			length = strtoul(value, NULL, 10);
		server_request(s, c, length);
		c->in_body = false;
		c->len = 0;
	}
}

static void *server_main(void *arg)
{
	struct server *s = arg;
	struct pollfd p[SERVER_CONNS + 2];

	for (;;) {
		p[0] = (struct pollfd){ s->wake[0], POLLIN, 0 };
		p[1] = (struct pollfd){ s->listener, POLLIN, 0 };
		for (int i = 0; i < SERVER_CONNS; i++)
			p[i + 2] = (struct pollfd){ s->conns[i].fd, POLLIN, 0 };
		poll(p, SERVER_CONNS + 2, -1);
		if (p[0].revents)
			return NULL;
		for (int i = 0; i < SERVER_CONNS; i++)
			if (p[i + 2].revents)
				server_read(s, &s->conns[i]);
		for (int i = 0; p[1].revents && i < SERVER_CONNS; i++) {
			if (s->conns[i].fd >= 0)
				continue;
			s->conns[i].fd = accept(s->listener, NULL, NULL);
			break;
		}
	}
}

static struct server *server_start(void)
{
	struct server *s = calloc(1, sizeof(*s));
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	s->has_container = true;
	pthread_mutex_init(&s->lock, NULL);
	for (int i = 0; i < SERVER_CONNS; i++)
		s->conns[i].fd = -1;
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->listener, (struct sockaddr *)&a, sizeof(a)) || listen(s->listener, 128) ||
	    getsockname(s->listener, (struct sockaddr *)&a, &len) || pipe(s->wake) ||
	    pthread_create(&s->thread, NULL, server_main, s))
		abort();
	s->port = ntohs(a.sin_port);
	return s;
}

static void server_stop(struct server *s)
{
	if (write(s->wake[1], "x", 1) != 1)
		abort();
	pthread_join(s->thread, NULL);
	for (int i = 0; i < SERVER_CONNS; i++)
		if (s->conns[i].fd >= 0)
			close(s->conns[i].fd);
	close(s->listener);
	close(s->wake[0]);
	close(s->wake[1]);
	free(s);
}

/* Requests whose head holds `what` fail, so many times. */
__attribute__((unused))
static void server_fail(struct server *s, const char *what, unsigned int times, int status,
			const char *code)
{
	pthread_mutex_lock(&s->lock);
	s->fail_times = times;
	s->fail_status = status;
	snprintf(s->fail_what, sizeof(s->fail_what), "%s", what);
	snprintf(s->fail_code, sizeof(s->fail_code), "%s", code);
	pthread_mutex_unlock(&s->lock);
}

#endif /* TESTS_ENGINE_SERVER_H */
