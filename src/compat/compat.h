/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Every difference between the kernels that the module builds for, and nowhere
 * else. Included before each source file by the compiler's command line;
 * probed.h is made by probe.sh from the headers that are built against.
 */
#ifndef AZS_COMPAT_H
#define AZS_COMPAT_H

/* Before the first header that prints. */
#define pr_fmt(fmt) "azure_storage: " fmt

#include <linux/version.h>

/* The support window; dkms.conf and the test matrix say the same. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 10, 223) || \
	LINUX_VERSION_CODE >= KERNEL_VERSION(7, 4, 0)
#error "azure_storage supports Linux 5.10.223 to 7.3"
#endif

#include <linux/device/class.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/stat.h>
#include <linux/statfs.h>

#include "compat/probed.h"

/*
 * Flags of our fsnotify group, beside none. FSNOTIFY_GROUP_NOFS told that marks
 * are freed in reclaim; the kernel treats every group so since 6.10.
 */
#ifdef FSNOTIFY_GROUP_NOFS
#define AZS_GROUP_FLAGS		FSNOTIFY_GROUP_NOFS
#else
#define AZS_GROUP_FLAGS		0
#endif

/*
 * azs_fsnotify_add_sb_mark - put @mark on @sb
 * May sleep. -EEXIST if the group has a mark there.
 *
 * Before 6.9 the connector holds the fsid of whoever comes first, and fanotify
 * users that come later must find the right one: 0 counts as none.
 */
static inline int azs_fsnotify_add_sb_mark(struct fsnotify_mark *mark, struct super_block *sb)
{
#if AZS_ADD_MARK_BY_OBJECT
	return fsnotify_add_mark(mark, sb, FSNOTIFY_OBJ_TYPE_SB, 0);
#else
	__kernel_fsid_t fsid = {};
	bool known = !vfs_get_fsid(sb->s_root, &fsid) && (fsid.val[0] || fsid.val[1]);

	return fsnotify_add_mark(mark, &sb->s_fsnotify_marks, FSNOTIFY_OBJ_TYPE_SB, 0,
				 known ? &fsid : NULL);
#endif
}

/* 6.6 made the field private. */
static inline struct timespec64 azs_inode_ctime(const struct inode *inode)
{
#if AZS_CTIME_ACCESSOR
	return inode_get_ctime(inode);
#else
	return inode->i_ctime;
#endif
}

/* May current do @mask to @inode, seen through @mnt? May sleep. */
static inline int azs_inode_permission(struct vfsmount *mnt, struct inode *inode, int mask)
{
#define AZS_ARG_IDMAP	mnt_idmap(mnt),
#define AZS_ARG_USERNS	mnt_user_ns(mnt),
#define AZS_ARG_NONE
	return inode_permission(AZS_PERMISSION_ARG inode, mask);
#undef AZS_ARG_IDMAP
#undef AZS_ARG_USERNS
#undef AZS_ARG_NONE
}

/* What a filldir_t returns. */
#if AZS_FILLDIR_BOOL
typedef bool azs_filldir_ret;
#define AZS_FILLDIR_MORE	true
#define AZS_FILLDIR_STOP	false
#else
typedef int azs_filldir_ret;
#define AZS_FILLDIR_MORE	0
#define AZS_FILLDIR_STOP	(-ENOSPC)	/* any error; iterate_dir() does not pass it on */
#endif

static inline struct class *azs_class_create(const char *name)
{
#if AZS_CLASS_CREATE_OWNER
	return class_create(THIS_MODULE, name);
#else
	return class_create(name);
#endif
}

/* Exported to modules in all of the window; declared for them since 6.2 only. */
int vfs_path_lookup(struct dentry *dentry, struct vfsmount *mnt, const char *name,
		    unsigned int flags, struct path *path);

/* 6.10: the number of a btrfs subvolume; STATX_SUBVOL came with the field. */
static inline u64 azs_kstat_subvol(const struct kstat *st)
{
#ifdef STATX_SUBVOL
	return st->result_mask & STATX_SUBVOL ? st->subvol : 0;
#else
	return 0;
#endif
}

#ifdef STATX_SUBVOL
#define AZS_STATX_SUBVOL	STATX_SUBVOL
#else
#define AZS_STATX_SUBVOL	0
#endif

#endif /* AZS_COMPAT_H */
