/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* /dev/azure_storage: one uploader at a time. */
#ifndef AZS_CHARDEV_H
#define AZS_CHARDEV_H

#include <linux/types.h>

int azs_chardev_init(void);
void azs_chardev_exit(void);

/* A reader may find something new. Any context that may take a spinlock. */
void azs_chardev_wake(void);
/* An uploader has said HELLO and not closed the device. Lockless. */
bool azs_chardev_is_connected(void);
/* 0 if there is none. */
pid_t azs_chardev_uploader_pid(void);

#endif /* AZS_CHARDEV_H */
