/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The asynchronous client: an event loop with connections that are kept alive. One thread owns a
 * client and makes every call but azure_client_wake(); a program runs as many clients as pay off.
 *
 * The client waits on an epoll instance of its own, to which the owner adds the descriptors that
 * it cares about:
 *
 *	azure_client_watch(client, fd, EPOLLIN, on_device, engine);
 *	while (!stop)
 *		azure_client_run(client, -1);
 *
 * Callbacks (watches, completions, bodies) run inside azure_client_run(), one after the other; they
 * may submit and cancel requests and add and remove watches, but must not run or free the client.
 *
 * The first client makes the process ignore SIGPIPE, unless that has a handler already.
 */
#ifndef AZURE_CLIENT_H
#define AZURE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct azure_client;

struct azure_client_config {
	unsigned int connect_timeout_ms;	/* 0: 30 s */
	unsigned int low_speed_timeout_s;	/* 0: 60 s with less than 1 byte/s: give up the try */
	unsigned int max_connections;		/* kept alive at most; 0: 64 */
	unsigned int max_tries;			/* per request, the first included; 0: 4 */
	const char *user_agent;			/* NULL: "azure-storage" */
};

/* Monotone; read by the owner, or by others for display only. */
struct azure_client_counters {
	uint64_t requests;	/* tries sent */
	uint64_t retries;	/* of them, those that were not the first of their request */
	uint64_t failures;	/* requests that ended in an error */
	uint64_t connections;	/* opened */
	uint64_t bytes_sent;	/* bodies */
	uint64_t bytes_received;
};

/* @config may be NULL. NULL when memory or descriptors are short (errno). */
struct azure_client *azure_client_create(const struct azure_client_config *config);
/* Every request that is not done completes with scope CANCELLED first. NULL is fine. */
void azure_client_free(struct azure_client *client);

/* @events: EPOLLIN, ... ; level-triggered unless EPOLLET is given. */
typedef void (*azure_watch_fn)(void *arg, uint32_t events);
int azure_client_watch(struct azure_client *client, int fd, uint32_t events, azure_watch_fn fn,
		       void *arg) __attribute__((warn_unused_result));
/* -ENOENT when @fd is not watched. To be called before @fd is closed. */
int azure_client_unwatch(struct azure_client *client, int fd);

/*
 * One round: waits at most @timeout_ms (-1: until something happens; 0: not at all), then does what
 * is due. Returns the number of requests completed, or a negative errno (-EINTR is not
 * returned: a signal ends the wait).
 */
int azure_client_run(struct azure_client *client, int timeout_ms);

/* Ends the wait of azure_client_run(), now or the next. Any thread; async-signal-safe. */
void azure_client_wake(struct azure_client *client);

/* Requests submitted and not completed, those waiting for a retry included. */
size_t azure_client_in_flight(const struct azure_client *client);
void azure_client_counters(const struct azure_client *client, struct azure_client_counters *out);

/* For a loop of somebody else's: poll this for POLLIN, at most timeout_ms, then run(client, 0). */
int azure_client_fd(const struct azure_client *client);
int azure_client_timeout_ms(const struct azure_client *client);

#endif
