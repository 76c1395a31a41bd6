/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Whole small files of configfs and sysfs: one value each. For use inside lib. */
#ifndef LIB_KFILE_H
#define LIB_KFILE_H

#include <stdbool.h>

/* Without one trailing newline; a string of malloc(3). Negative errno. */
int kfile_read(const char *path, char **value);
/*
 * In one write(2), as the kernel takes it. `opened` tells an error of open(2) from the
 * refusal of the value.
 */
int kfile_write(const char *path, const char *value, bool *opened);

#endif /* LIB_KFILE_H */
