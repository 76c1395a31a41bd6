/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSHIM_PATH_H
#define KSHIM_PATH_H

struct path {
	void *mnt;
	void *dentry;
};

#endif /* KSHIM_PATH_H */
