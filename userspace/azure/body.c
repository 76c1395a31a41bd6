/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "body.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static size_t read_iov(const struct azure_body *body, char *buf, size_t size, uint64_t offset)
{
	size_t copied = 0;

	for (size_t i = 0; i < body->n_iov && copied < size; i++) {
		const struct iovec *iov = &body->iov[i];
		size_t n;

		if (offset >= iov->iov_len) {
			offset -= iov->iov_len;
			continue;
		}
		n = iov->iov_len - (size_t)offset;
		n = n < size - copied ? n : size - copied;
		memcpy(buf + copied, (const char *)iov->iov_base + offset, n);
		copied += n;
		offset = 0;
	}
	return copied;
}

static ssize_t read_fd(const struct azure_body *body, void *buf, size_t size, uint64_t offset)
{
	ssize_t n;

	do {
		n = pread(body->fd, buf, size, (off_t)(body->fd_offset + offset));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t azure_body_read(const struct azure_body *body, void *buf, size_t size, uint64_t offset)
{
	uint64_t left = offset < body->length ? body->length - offset : 0;
	ssize_t n;

	if (size > left)
		size = (size_t)left;
	if (!size)
		return 0;
	if (body->data) {
		memcpy(buf, (const char *)body->data + offset, size);
		return (ssize_t)size;
	}
	if (body->iov)
		n = (ssize_t)read_iov(body, buf, size, offset);
	else if (body->read)
		n = body->read(body->read_arg, buf, size, offset);
	else
		n = read_fd(body, buf, size, offset);
	if (n > (ssize_t)size)
		return -EIO;
	return n ? n : -ENODATA;
}
