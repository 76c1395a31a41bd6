/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the two device files share. With kdev.c and kdev_record.c the only place where
 * the kernel's header is seen; nothing else may include this file.
 */
#ifndef LIB_KDEV_UAPI_H
#define LIB_KDEV_UAPI_H

#include <azure_storage.h>

#include "lib/kdev.h"

void kdev_stat_decode(struct kdev_stat *out, const struct azs_stat *st);

/*
 * The directory entry at data[*pos]; moves *pos behind it. 1, or 0 at the end, or
 * -EBADMSG.
 */
int kdev_dirent_decode(const unsigned char *data, size_t len, size_t *pos,
		       struct kdev_dirent *d, struct error *e);

#endif /* LIB_KDEV_UAPI_H */
