/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* An inode is what the module looks at: names, writers, references. */
#ifndef KSHIM_FS_H
#define KSHIM_FS_H

#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct inode {
	unsigned int i_nlink;
	int writers;
	unsigned int refs;		/* the test holds one */
	struct timespec64 ctime;
};

void ihold(struct inode *inode);
/* May delete a file: never under a lock. */
void iput(struct inode *inode);
bool inode_is_open_for_write(const struct inode *inode);

static inline struct timespec64 azs_inode_ctime(const struct inode *inode)
{
	return inode->ctime;
}

#endif /* KSHIM_FS_H */
