/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Mappings in configfs: a directory each, a file per attribute. Errors carry the
 * sentence of the mapping's last_error where the kernel left one.
 */
#ifndef LIB_CONFIGFS_H
#define LIB_CONFIGFS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

#define CONFIGFS_NAME_MAX	63	/* bytes of a mapping's name */
#define CONFIGFS_VALUE_MAX	4094	/* bytes of a value; more: -E2BIG */

/* Another directory than the kernel's, for tests. `dir` stays referenced. */
void configfs_set_root(const char *dir);

/* Whether the module is there. */
bool configfs_is_present(void);
/* [a-z0-9][a-z0-9-]{0,62}; everything here refuses other names with -EINVAL. */
bool configfs_is_name(const char *name);

/* Names in order; free with configfs_list_free(). -ENODEV: the module is not loaded. */
int configfs_list(char ***names, size_t *nr, struct error *e);
void configfs_list_free(char **names, size_t nr);

int configfs_create(const char *name, struct error *e);
int configfs_remove(const char *name, struct error *e);
bool configfs_exists(const char *name);

/* The value without its newline, a string of malloc(3). */
int configfs_read(const char *name, const char *attr, char **value, struct error *e);
int configfs_write(const char *name, const char *attr, const char *value, struct error *e);
/* Names of the attributes that can be written, `enable` left out, in order. */
int configfs_attrs(const char *name, char ***attrs, size_t *nr, struct error *e);

#endif /* LIB_CONFIGFS_H */
