/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "lib/kfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"

#define KFILE_MAX	65536	/* bytes; the kernel's files hold at most a page */

int kfile_read(const char *path, char **value)
{
	struct buf b;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	buf_init(&b, KFILE_MAX);
	do
		n = buf_read_fd(&b, fd, 4096);
	while (n > 0);
	close(fd);
	if (n < 0) {
		buf_free(&b);
		return (int)n;
	}
	if (b.len > 0 && b.data[b.len - 1] == '\n')
		buf_truncate(&b, b.len - 1);
	*value = buf_steal(&b);
	return *value ? 0 : -ENOMEM;
}

int kfile_write(const char *path, const char *value, bool *opened)
{
	size_t len = strlen(value);
	ssize_t n;
	int fd, err = 0;

	*opened = false;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*opened = true;
	/* A write of no bytes would not reach the kernel's store function. */
	if (len == 0) {
		value = "\n";
		len = 1;
	}
	do
		n = write(fd, value, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		err = -errno;
	else if ((size_t)n != len)
		err = -E2BIG;	/* a second write would replace the first */
	close(fd);
	return err;
}
