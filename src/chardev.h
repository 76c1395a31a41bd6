/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* /dev/azure_storage: one uploader at a time. */
#ifndef AZS_CHARDEV_H
#define AZS_CHARDEV_H

#include <linux/types.h>

struct azs_mapping;

int azs_chardev_init(void);
void azs_chardev_exit(void);

/* A reader may find something new. Any context that may take a spinlock. */
void azs_chardev_wake(void);
/* An uploader has said HELLO and not closed the device. Lockless. */
bool azs_chardev_is_connected(void);
/* In the initial pid namespace; 0 if there is none. */
pid_t azs_chardev_uploader_pid(void);
/*
 * Closes the directories that scans of @m hold open, so that its filesystem can
 * be unmounted: for the end of a drain, when no call is at work on @m any more. May
 * sleep.
 */
void azs_chardev_drop_mapping(struct azs_mapping *m);

#endif /* AZS_CHARDEV_H */
