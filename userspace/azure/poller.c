/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "poller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 64
/* Descriptors are small numbers; a process with more than this is not ours. */
#define FD_MAX (1 << 20)

struct slot {
	azure_poll_fn fn;	/* NULL: not watched */
	void *arg;
	uint32_t wanted;
	uint32_t registered;	/* what the kernel was told last */
	uint32_t generation;	/* tells an event of an earlier holder of the number */
	bool in_kernel;
	bool is_dirty;		/* listed in poller->dirty */
};

struct azure_poller {
	int epoll_fd;
	int wake_fd;
	struct slot *slots;
	size_t n_slots;
	int *dirty;
	size_t n_dirty;
};

static void on_wake(void *arg, int fd, uint32_t events)
{
	uint64_t count;

	(void)arg;
	(void)events;
	if (read(fd, &count, sizeof(count)) < 0)
		return;	/* EAGAIN: somebody was faster, which is as good */
}

struct azure_poller *azure_poller_create(void)
{
	struct azure_poller *poller = calloc(1, sizeof(*poller));
	int error;

	if (!poller)
		return NULL;
	poller->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	poller->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (poller->epoll_fd >= 0 && poller->wake_fd >= 0 &&
	    !azure_poller_set(poller, poller->wake_fd, EPOLLIN, on_wake, NULL))
		return poller;
	error = errno ? errno : ENOMEM;
	azure_poller_free(poller);
	errno = error;
	return NULL;
}

void azure_poller_free(struct azure_poller *poller)
{
	if (!poller)
		return;
	if (poller->wake_fd >= 0)
		close(poller->wake_fd);
	if (poller->epoll_fd >= 0)
		close(poller->epoll_fd);
	free(poller->slots);
	free(poller->dirty);
	free(poller);
}

static int grow(struct azure_poller *poller, int fd)
{
	size_t n = poller->n_slots ? poller->n_slots : 64;
	struct slot *slots;
	int *dirty;

	if (fd < 0 || fd >= FD_MAX)
		return -EBADF;
	if ((size_t)fd < poller->n_slots)
		return 0;
	while (n <= (size_t)fd)
		n *= 2;
	/* Room for every slot: marking one dirty cannot fail. */
	dirty = realloc(poller->dirty, n * sizeof(*dirty));
	if (!dirty)
		return -ENOMEM;
	poller->dirty = dirty;
	slots = realloc(poller->slots, n * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots + poller->n_slots, 0, (n - poller->n_slots) * sizeof(*slots));
	poller->slots = slots;
	poller->n_slots = n;
	return 0;
}

int azure_poller_set(struct azure_poller *poller, int fd, uint32_t events, azure_poll_fn fn,
		     void *arg)
{
	struct slot *slot;
	int err = grow(poller, fd);

	if (err)
		return err;
	slot = &poller->slots[fd];
	slot->fn = fn;
	slot->arg = arg;
	slot->wanted = events;
	if (!slot->is_dirty && slot->wanted != slot->registered) {
		slot->is_dirty = true;
		poller->dirty[poller->n_dirty++] = fd;
	}
	return 0;
}

int azure_poller_forget(struct azure_poller *poller, int fd)
{
	struct slot *slot;

	if (fd < 0 || (size_t)fd >= poller->n_slots || !poller->slots[fd].fn)
		return -ENOENT;
	slot = &poller->slots[fd];
	if (slot->in_kernel)
		epoll_ctl(poller->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	slot->fn = NULL;
	slot->wanted = 0;
	slot->registered = 0;
	slot->in_kernel = false;
	slot->generation++;
	return 0;
}

static int tell_kernel(struct azure_poller *poller, int fd, struct slot *slot)
{
	struct epoll_event event = {
		.events = slot->wanted,
		.data.u64 = (uint64_t)slot->generation << 32 | (uint32_t)fd,
	};
	int op = slot->in_kernel ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	/*
	 * Asking for nothing, epoll would still report a hang-up, again and again: an idle
	 * connection that the server closed is found when it is used next.
	 */
	if (!slot->wanted)
		op = EPOLL_CTL_DEL;
	if (epoll_ctl(poller->epoll_fd, op, fd, &event))
		return -errno;
	slot->registered = slot->wanted;
	slot->in_kernel = slot->wanted != 0;
	return 0;
}

int azure_poller_flush(struct azure_poller *poller)
{
	int first = 0;

	for (size_t i = 0; i < poller->n_dirty; i++) {
		int fd = poller->dirty[i];
		struct slot *slot = &poller->slots[fd];
		int err = 0;

		slot->is_dirty = false;
		if (slot->fn && slot->wanted != slot->registered)
			err = tell_kernel(poller, fd, slot);
		if (err && !first)
			first = err;
	}
	poller->n_dirty = 0;
	return first;
}

int azure_poller_wait(struct azure_poller *poller, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int called = 0;
	int n = azure_poller_flush(poller);

	if (n)
		return n;
	n = epoll_wait(poller->epoll_fd, events, EVENTS_MAX, timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		int fd = (int)(uint32_t)events[i].data.u64;
		const struct slot *slot = &poller->slots[fd];

		/* An earlier callback may have closed it, and its number may be used again. */
		if (!slot->fn || slot->generation != events[i].data.u64 >> 32)
			continue;
		slot->fn(slot->arg, fd, events[i].events);
		called++;
	}
	return called;
}

int azure_poller_fd(const struct azure_poller *poller)
{
	return poller->epoll_fd;
}

void azure_poller_wake(struct azure_poller *poller)
{
	const uint64_t one = 1;
	int saved = errno;

	/* Only EAGAIN can come, when 2^64-2 wakes are pending. */
	if (write(poller->wake_fd, &one, sizeof(one)) < 0)
		errno = saved;
}
