/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The module, mappings and their figures, for tests. */
#include "azs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *attr_path(const char *name, const char *attr)
{
	return fmt(CONFIGFS "/%s/%s", name, attr);
}

/* ---- the module ---- */

static void unload_module(void *arg)
{
	(void)arg;
	/* Marks are freed a moment after the last mapping has gone. */
	WAIT_FOR(module_unload() == 0, PATIENCE_MS);
}

/* What a test that crashed has left. */
static void sweep_mappings(void)
{
	struct dirent *de;
	DIR *dir = opendir(CONFIGFS);

	while (dir && (de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		map_store(de->d_name, "enable", "0");
		WAIT_FOR(rmdir(fmt(CONFIGFS "/%s", de->d_name)) == 0, PATIENCE_MS);
	}
	if (dir)
		closedir(dir);
}

void need_module(void)
{
	if (module_loaded()) {
		sweep_mappings();
		unload_module(NULL);
	}
	CHECK_OK(module_load(NULL));
	defer(unload_module, NULL);
	/* devtmpfs makes the node in a thread of its own. */
	WAIT_FOR(access(DEVICE, F_OK) == 0, PATIENCE_MS);
}

/* ---- filesystems ---- */

const char *fresh_dir(const char *fs)
{
	const char *mnt = fmt("/mnt/%s", fs), *dir = fmt("%s/t%d", mnt, (int)getpid());

	/* What a test that failed has left mounted. */
	umount2(mnt, MNT_DETACH);
	mount_disk(fs, mnt);
	remove_tree(dir);
	make_dirs(dir);
	return dir;
}

/* ---- mappings ---- */

static void destroy_mapping(void *name)
{
	if (access(fmt(CONFIGFS "/%s", (const char *)name), F_OK) < 0)
		return;
	map_remove(name);
}

void map_create(const char *name)
{
	CHECK_OK(mkdir(fmt(CONFIGFS "/%s", name), 0755));
	defer(destroy_mapping, strdup(name));
}

void map_create_for(const char *name, const char *folder)
{
	map_create(name);
	map_set(name, "path", folder);
	map_set(name, "account", "account");
	map_set(name, "container", fmt("container-%s", name));
	map_set(name, "settle_ms", "20");
}

void map_up(const char *name, const char *folder)
{
	map_create_for(name, folder);
	map_set(name, "enable", "1");
}

int map_store(const char *name, const char *attr, const char *value)
{
	/* configfs does not take a write of no bytes. */
	return file_store(attr_path(name, attr), *value ? value : "\n");
}

void map_set(const char *name, const char *attr, const char *value)
{
	if (map_store(name, attr, value) < 0)
		FAIL("%s/%s = \"%s\": %s", name, attr, value, strerror(errno));
}

const char *map_get(const char *name, const char *attr)
{
	return attr_read(attr_path(name, attr));
}

void map_down(const char *name)
{
	map_set(name, "enable", "0");
	WAIT_FOR(state_is(name, "disabled"), PATIENCE_MS);
}

void map_remove(const char *name)
{
	map_down(name);
	/* The reference that keeps a mapping enabled goes right after its state. */
	WAIT_FOR(rmdir(fmt(CONFIGFS "/%s", name)) == 0, PATIENCE_MS);
}

const char *map_state(const char *name)
{
	return attr_read(fmt(CLASS_DIR "/%s/state", name));
}

bool state_is(const char *name, const char *state)
{
	return strcmp(map_state(name), state) == 0;
}

unsigned long long map_gauge(const char *name, const char *attr)
{
	return attr_number(fmt(CLASS_DIR "/%s/%s", name, attr));
}

bool is_at_rest(const char *name)
{
	return map_gauge(name, "pending") == 0 && map_gauge(name, "in_flight") == 0;
}
