/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "lib/configfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/kfile.h"

static const char *configfs_root = "/sys/kernel/config/azure_storage";

void configfs_set_root(const char *dir)
{
	configfs_root = dir;
}

bool configfs_is_present(void)
{
	struct stat st;

	return stat(configfs_root, &st) == 0 && S_ISDIR(st.st_mode);
}

bool configfs_is_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return len > 0 && len <= CONFIGFS_NAME_MAX && name[len] == '\0' && name[0] != '-';
}

static bool is_attr_name(const char *attr)
{
	return attr[0] && attr[strspn(attr, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

/* The path of a mapping, or of its attribute, if the names are harmless. */
static int make_path(char path[PATH_MAX], const char *name, const char *attr, struct error *e)
{
	int n;

	if (!configfs_is_name(name))
		return error_set(e, -EINVAL, "'%.100s' cannot be the name of a mapping: "
				 "1 to 63 of a-z, 0-9 and -, not beginning with -", name);
	if (attr && !is_attr_name(attr))
		return error_set(e, -EINVAL, "%s: no attribute '%.100s'", name, attr);
	n = snprintf(path, PATH_MAX, "%s/%s%s%s", configfs_root, name, attr ? "/" : "",
		     attr ? attr : "");
	if (n < 0 || n >= PATH_MAX)
		return error_set(e, -ENAMETOOLONG, "%s: path too long", name);
	return 0;
}

static int error_no_module(struct error *e)
{
	return error_set(e, -ENODEV, "the module azure_storage is not loaded (%s is not there)",
			 configfs_root);
}

/* ENOENT has three meanings; say which. */
static int error_missing(const char *name, const char *attr, struct error *e)
{
	if (!configfs_is_present())
		return error_no_module(e);
	if (attr && configfs_exists(name))
		return error_set(e, -ENOENT, "%s: no attribute '%s'", name, attr);
	return error_set(e, -ENOENT, "there is no mapping '%s'", name);
}

/* ------------------------------------------------------------------ listing */

static int is_visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int is_mapping(const struct dirent *d)
{
	return configfs_is_name(d->d_name);
}

void configfs_list_free(char **names, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		free(names[i]);
	free(names);
}

/* Turns what scandir(3) gave into strings, those that `keep` wants. */
static int take_names(struct dirent **entries, int nr_entries,
		      bool (*keep)(const char *dir, const char *name), const char *dir,
		      char ***names, size_t *nr)
{
	char **list = calloc((size_t)nr_entries + 1, sizeof(*list));
	int err = list ? 0 : -ENOMEM;
	size_t n = 0;

	for (int i = 0; i < nr_entries; i++) {
		if (!err && (!keep || keep(dir, entries[i]->d_name))) {
			list[n] = strdup(entries[i]->d_name);
			if (list[n])
				n++;
			else
				err = -ENOMEM;
		}
		free(entries[i]);
	}
	free(entries);
	if (err) {
		configfs_list_free(list, n);
		return err;
	}
	*names = list;
	*nr = n;
	return 0;
}

int configfs_list(char ***names, size_t *nr, struct error *e)
{
	struct dirent **entries;
	int n, err;

	n = scandir(configfs_root, &entries, is_mapping, alphasort);
	if (n < 0) {
		err = -errno;
		if (err == -ENOENT || err == -ENOTDIR)
			return error_no_module(e);
		return error_set_errno(e, err, "%s", configfs_root);
	}
	err = take_names(entries, n, NULL, configfs_root, names, nr);
	return err ? error_set_errno(e, err, "%s", configfs_root) : 0;
}

static bool is_writable_attr(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	int n;

	if (!is_attr_name(name) || strcmp(name, "enable") == 0)
		return false;
	n = snprintf(path, sizeof(path), "%s/%s", dir, name);
	return n > 0 && n < PATH_MAX && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_mode & S_IWUSR);
}

int configfs_attrs(const char *name, char ***attrs, size_t *nr, struct error *e)
{
	struct dirent **entries;
	char path[PATH_MAX];
	int n, err;

	err = make_path(path, name, NULL, e);
	if (err)
		return err;
	n = scandir(path, &entries, is_visible, alphasort);
	if (n < 0) {
		err = -errno;
		if (err == -ENOENT)
			return error_missing(name, NULL, e);
		return error_set_errno(e, err, "%s", name);
	}
	err = take_names(entries, n, is_writable_attr, path, attrs, nr);
	return err ? error_set_errno(e, err, "%s", name) : 0;
}

/* ----------------------------------------------------------- making, undoing */

bool configfs_exists(const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return make_path(path, name, NULL, NULL) == 0 && stat(path, &st) == 0;
}

int configfs_create(const char *name, struct error *e)
{
	char path[PATH_MAX];
	int err = make_path(path, name, NULL, e);

	if (err)
		return err;
	if (mkdir(path, 0755) == 0)
		return 0;
	err = -errno;
	if (err == -ENOENT)
		return error_no_module(e);
	if (err == -EEXIST)
		return error_set(e, err, "there is a mapping '%s' already", name);
	return error_set_errno(e, err, "cannot make the mapping '%s'", name);
}

int configfs_remove(const char *name, struct error *e)
{
	char path[PATH_MAX];
	int err = make_path(path, name, NULL, e);

	if (err)
		return err;
	if (rmdir(path) == 0)
		return 0;
	err = -errno;
	if (err == -ENOENT)
		return error_missing(name, NULL, e);
	if (err == -EBUSY)
		return error_set(e, err, "%s is enabled or still draining: disable it first", name);
	return error_set_errno(e, err, "cannot remove the mapping '%s'", name);
}

/* --------------------------------------------------------------- attributes */

int configfs_read(const char *name, const char *attr, char **value, struct error *e)
{
	char path[PATH_MAX];
	int err = make_path(path, name, attr, e);

	if (err)
		return err;
	err = kfile_read(path, value);
	if (err == -ENOENT)
		return error_missing(name, attr, e);
	if (err)
		return error_set_errno(e, err, "%s: %s", name, attr);
	return 0;
}

int configfs_write(const char *name, const char *attr, const char *value, struct error *e)
{
	char path[PATH_MAX], *why;
	bool opened;
	int err = make_path(path, name, attr, e);

	if (err)
		return err;
	if (strlen(value) > CONFIGFS_VALUE_MAX)
		return error_set(e, -E2BIG, "%s: %s: more than %d bytes", name, attr,
				 CONFIGFS_VALUE_MAX);
	err = kfile_write(path, value, &opened);
	if (!err)
		return 0;
	if (err == -ENOENT && !opened)
		return error_missing(name, attr, e);
	/* The kernel's own sentence says more than the number, if this was its refusal. */
	if (opened && configfs_read(name, "last_error", &why, NULL) == 0) {
		if (why[0])
			error_set(e, err, "%s: %s", name, why);
		else
			error_set_errno(e, err, "%s: %s", name, attr);
		free(why);
		return err;
	}
	return error_set_errno(e, err, "%s: %s", name, attr);
}
