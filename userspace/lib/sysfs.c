/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "lib/sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/configfs.h"
#include "lib/kfile.h"

static const char *sysfs_root = "/sys/class/azure_storage";
static const char *module_root = "/sys/class/misc/azure_storage";

void sysfs_set_root(const char *dir)
{
	sysfs_root = dir;
}

void sysfs_set_module_root(const char *dir)
{
	module_root = dir;
}

static int read_in(const char *dir, const char *attr, char **value, struct error *e)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, attr), err;

	if (n < 0 || n >= PATH_MAX)
		return error_set(e, -ENAMETOOLONG, "%s: path too long", attr);
	err = kfile_read(path, value);
	return err ? error_set_errno(e, err, "%s", path) : 0;
}

int sysfs_module_read(const char *attr, char **value, struct error *e)
{
	return read_in(module_root, attr, value, e);
}

int sysfs_module_version(char **value, struct error *e)
{
	return read_in("/sys/module/azure_storage", "version", value, e);
}

static int make_path(char path[PATH_MAX], const char *name, const char *attr, struct error *e)
{
	int n;

	if (!configfs_is_name(name) || strstr(attr, "..") || attr[0] == '/')
		return error_set(e, -EINVAL, "'%.100s' has no '%.100s'", name, attr);
	n = snprintf(path, PATH_MAX, "%s/%s/%s", sysfs_root, name, attr);
	if (n < 0 || n >= PATH_MAX)
		return error_set(e, -ENAMETOOLONG, "%s: path too long", name);
	return 0;
}

static int explain(int err, const char *name, const char *attr, struct error *e)
{
	/* ENODEV: asked of a mapping that is not enabled, or that went away meanwhile. */
	if (err == -ENODEV && configfs_exists(name))
		return error_set(e, err, "%s is not enabled", name);
	if (err == -ENOENT && configfs_exists(name))
		return error_set(e, err, "%s: the module has no file '%s'", name, attr);
	if (err == -ENODEV || (err == -ENOENT && access(sysfs_root, F_OK) == 0))
		return error_set(e, -ENOENT, "there is no mapping '%s'", name);
	if (err == -ENOENT)
		return error_set(e, -ENODEV, "the module azure_storage is not loaded (%s is not "
				 "there)", sysfs_root);
	return error_set_errno(e, err, "%s: %s", name, attr);
}

int sysfs_read(const char *name, const char *attr, char **value, struct error *e)
{
	char path[PATH_MAX];
	int err = make_path(path, name, attr, e);

	if (err)
		return err;
	err = kfile_read(path, value);
	return err ? explain(err, name, attr, e) : 0;
}

static int parse_u64(const char *text, uint64_t *value)
{
	unsigned long long v;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EBADMSG;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end)
		return -EBADMSG;
	*value = v;
	return 0;
}

int sysfs_read_u64(const char *name, const char *attr, uint64_t *value, struct error *e)
{
	char *text;
	int err = sysfs_read(name, attr, &text, e);

	if (err)
		return err;
	err = parse_u64(text, value);
	if (err)
		error_set(e, err, "%s: %s is '%.40s', not a number", name, attr, text);
	free(text);
	return err;
}

int sysfs_write(const char *name, const char *attr, const char *value, struct error *e)
{
	char path[PATH_MAX];
	bool opened;
	int err = make_path(path, name, attr, e);

	if (err)
		return err;
	err = kfile_write(path, value, &opened);
	return err ? explain(err, name, attr, e) : 0;
}

int sysfs_watch_open(struct sysfs_watch *w, const char *name, const char *attr, struct error *e)
{
	char path[PATH_MAX];
	int err;

	w->fd = -1;
	err = make_path(path, name, attr, e);
	if (err)
		return err;
	w->fd = open(path, O_RDONLY | O_CLOEXEC);
	return w->fd < 0 ? explain(-errno, name, attr, e) : 0;
}

void sysfs_watch_close(struct sysfs_watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

int sysfs_watch_read(struct sysfs_watch *w, char *buf, size_t size, struct error *e)
{
	ssize_t n;

	do
		n = pread(w->fd, buf, size - 1, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		int err = -errno;

		if (err == -ENODEV)
			return error_set(e, err, "the mapping was removed");
		return error_set_errno(e, err, "cannot read its attribute");
	}
	buf[n] = '\0';
	if (n > 0 && buf[n - 1] == '\n')
		buf[n - 1] = '\0';
	return 0;
}

int sysfs_watch_wait(struct sysfs_watch *w, int timeout_ms, struct error *e)
{
	struct pollfd p = { .fd = w->fd, .events = POLLPRI };
	int n = poll(&p, 1, timeout_ms);

	if (n >= 0)
		return n > 0;
	return error_set_errno(e, -errno, "cannot wait for its attribute");
}
