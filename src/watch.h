/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Seeing changes: one fsnotify group, one superblock mark per filesystem in use. */
#ifndef AZS_WATCH_H
#define AZS_WATCH_H

#include <linux/path.h>
#include <linux/types.h>

struct azs_mapping;

int azs_watch_init(void);
void azs_watch_exit(void);

/* From its return on every change below m->root is seen. May sleep. */
int azs_watch_add(struct azs_mapping *m);
/* At its return no handler knows @m any more. May sleep. */
void azs_watch_remove(struct azs_mapping *m);

/* Events below these directories are dropped; references are taken. Replaces
 * what was set before; nr 0 clears. May sleep. */
int azs_watch_set_excluded(const struct path *dirs, unsigned int nr);

/* Why a filesystem cannot be watched, or NULL if it can. */
const char *azs_watch_refusal(struct super_block *sb, bool allow_remote);

#endif /* AZS_WATCH_H */
