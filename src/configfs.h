/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* /sys/kernel/config/azure_storage/: a directory per mapping, a file per attribute. */
#ifndef AZS_CONFIGFS_H
#define AZS_CONFIGFS_H

struct config_item;

int azs_configfs_init(void);
void azs_configfs_exit(void);

/*
 * Lets rmdir succeed again: once for each mapping that was enabled, when it has
 * become disabled. Any context that may take a spinlock.
 */
void azs_configfs_undepend(struct config_item *item);

#endif /* AZS_CONFIGFS_H */
