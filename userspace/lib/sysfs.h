/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How a mapping is going: /sys/class/azure_storage/NAME/. Names as in configfs.h. */
#ifndef LIB_SYSFS_H
#define LIB_SYSFS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

/* Other directories than the kernel's, for tests. They stay referenced. */
void sysfs_set_root(const char *dir);
void sysfs_set_module_root(const char *dir);

/* An attribute of the module as a whole: /sys/class/misc/azure_storage/. */
int sysfs_module_read(const char *attr, char **value, struct error *e);
/* Of the module in memory; -ENOENT if it tells none or is not there. */
int sysfs_module_version(char **value, struct error *e);

/* `attr` may lead into a group: "stats/events". -ENOENT: no such mapping. */
int sysfs_read(const char *name, const char *attr, char **value, struct error *e);
int sysfs_read_u64(const char *name, const char *attr, uint64_t *value, struct error *e);
int sysfs_write(const char *name, const char *attr, const char *value, struct error *e);

/*
 * An attribute that tells when it changes (`state`, `flushed`). Each sysfs_watch_read()
 * arms the next sysfs_watch_wait(): read, decide, wait, so that no change is missed.
 */
struct sysfs_watch {
	int fd;
};

int sysfs_watch_open(struct sysfs_watch *w, const char *name, const char *attr,
		     struct error *e);
void sysfs_watch_close(struct sysfs_watch *w);
/* Without its newline, cut to size. */
int sysfs_watch_read(struct sysfs_watch *w, char *buf, size_t size, struct error *e);
/* 1: it changed, or may have; 0: timeout_ms (-1: none) passed; -EINTR; negative errno. */
int sysfs_watch_wait(struct sysfs_watch *w, int timeout_ms, struct error *e);

#endif /* LIB_SYSFS_H */
