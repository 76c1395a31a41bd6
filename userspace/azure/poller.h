/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * epoll with callbacks. What a descriptor is watched for is told to the kernel only just before
 * waiting, so that a connection that goes from one request to the next costs no system call.
 * One thread, but for azure_poller_wake().
 */
#ifndef AZURE_POLLER_H
#define AZURE_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct azure_poller;

typedef void (*azure_poll_fn)(void *arg, int fd, uint32_t events);

struct azure_poller *azure_poller_create(void);	/* NULL: errno */
void azure_poller_free(struct azure_poller *poller);

/* Watch @fd for @events from the next wait on; 0 keeps it but asks for nothing. */
int azure_poller_set(struct azure_poller *poller, int fd, uint32_t events, azure_poll_fn fn,
		     void *arg) __attribute__((warn_unused_result));
/* @fd is about to be closed, or of no interest any more. -ENOENT: it was not watched. */
int azure_poller_forget(struct azure_poller *poller, int fd);

/* Waits, and calls back for what happened. How many callbacks, or a negative errno. */
int azure_poller_wait(struct azure_poller *poller, int timeout_ms);
/* Tells the kernel what was set, for one who waits on azure_poller_fd() instead. */
int azure_poller_flush(struct azure_poller *poller);
int azure_poller_fd(const struct azure_poller *poller);
/* Ends this wait or the next. Any thread, any signal handler. */
void azure_poller_wake(struct azure_poller *poller);

#endif
