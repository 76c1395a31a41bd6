/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSHIM_CONFIGFS_H
#define KSHIM_CONFIGFS_H

struct config_item;

#endif /* KSHIM_CONFIGFS_H */
