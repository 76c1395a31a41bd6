#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# Reads from the kernel's headers what compat.h must know and prints it as a
# header. Distributions carry changes back, so the headers are asked and not the
# version. Each question has a pattern per known answer and the first that matches
# is taken; where none does, the build ends here with the question's name.
#
#   probe.sh KERNEL_SOURCE_TREE

set -eu

tree=${1:?usage: probe.sh KERNEL_SOURCE_TREE}

# The files of the tree that exist, without line breaks: prototypes span lines.
text()
{
	found=
	for file in "$@"; do
		[ -f "$tree/include/linux/$file" ] && found="$found $tree/include/linux/$file"
	done
	# shellcheck disable=SC2086
	[ -z "$found" ] || cat $found | tr -s '[:space:]' ' '
}

# probe NAME FILES ANSWER PATTERN [ANSWER PATTERN]...
probe()
{
	name=$1
	# shellcheck disable=SC2086
	body=$(text $2)
	shift 2
	while [ $# -gt 0 ]; do
		if printf '%s' "$body" | grep -qE -e "$2"; then
			echo "#define $name $1"
			return
		fi
		shift 2
	done
	echo "probe.sh: $name: no known form found in $tree/include/linux;" \
		"this kernel needs a new answer in compat/probe.sh and compat.h" >&2
	exit 1
}

fs_headers="fs.h fs/super.h fs/super_types.h"

echo "/* Made by compat/probe.sh from the kernel's headers. */"

# 6.9: the object itself instead of its connector pointer (and no fsid).
probe AZS_ADD_MARK_BY_OBJECT fsnotify_backend.h \
	1 'int fsnotify_add_mark\(struct fsnotify_mark \*mark, void \*obj, unsigned int [a-z_]+, int [a-z_]+\)' \
	0 'int fsnotify_add_mark\(struct fsnotify_mark \*mark, fsnotify_connp_t \*connp, unsigned int [a-z_]+, int [a-z_]+, __kernel_fsid_t \*fsid\)'

# 5.12: a user namespace, 6.3: an idmapping before the inode.
probe AZS_PERMISSION_ARG "$fs_headers" \
	AZS_ARG_IDMAP 'int inode_permission\(struct mnt_idmap \*[a-z_]*, struct inode \*[a-z_]*, int[ a-z_]*\)' \
	AZS_ARG_USERNS 'int inode_permission\(struct user_namespace \*[a-z_]*, struct inode \*[a-z_]*, int[ a-z_]*\)' \
	AZS_ARG_NONE 'int inode_permission\(struct inode \*[a-z_]*, int[ a-z_]*\)'

# 6.1: true to go on instead of 0.
probe AZS_FILLDIR_BOOL "$fs_headers" \
	1 'typedef bool \(\*filldir_t\)\(struct dir_context \*, const char \*, int, loff_t, u64, unsigned\);' \
	0 'typedef int \(\*filldir_t\)\(struct dir_context \*, const char \*, int, loff_t, u64, unsigned\);'

# 6.6: an accessor (the field's name changed then).
probe AZS_CTIME_ACCESSOR "$fs_headers" \
	1 'struct timespec64 inode_get_ctime\(const struct inode \*inode\)' \
	0 'struct timespec64 i_ctime;'

# 6.4: no owner any more; before it was a macro around __class_create().
probe AZS_CLASS_CREATE_OWNER device/class.h \
	1 '#define class_create\(owner, name\)' \
	0 'class \* ?__must_check class_create\(const char \*name\);'
