/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * /dev/azure_storage: the protocol between azure_storage.ko and its uploader.
 *
 * The module keeps, for each mapping, the set of relative paths that may
 * differ from the cloud. read(2) takes entries out of that set, ioctl(2) opens
 * and describes what they name, and AZS_IOC_DONE says what became of them. An
 * entry that was taken and is not done goes back when the device is closed, so
 * that an uploader may die at any point.
 *
 * One layout for 32- and 64-bit callers and for C and C++: fixed-width types,
 * 64-bit fields aligned to 8 bytes, no pointer but as __aligned_u64, explicit
 * padding which must be zero. Unknown flags and non-zero padding are refused
 * with EINVAL. A number, once used, is never used for anything else.
 *
 * History
 *  1: first version
 */
#ifndef _UAPI_LINUX_AZURE_STORAGE_H
#define _UAPI_LINUX_AZURE_STORAGE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define AZS_DEVICE_NAME		"azure_storage"

/* A module of version N serves uploaders of N and N - 1, and the reverse. */
#define AZS_ABI_VERSION		1
#define AZS_ABI_VERSION_MIN	1

#define AZS_MAX_EXCLUDED	8	/* directories in struct azs_hello */
#define AZS_MAX_DONE		1024	/* items in one AZS_IOC_DONE */
#define AZS_MAX_SCANS		4096	/* directory scans open at a time */
#define AZS_PATH_MAX		4096	/* bytes of a path with its NUL */
#define AZS_RECORD_MAX		131072	/* bytes of the longest record */
#define AZS_READ_MIN		AZS_RECORD_MAX	/* a shorter read(2): EINVAL */
#define AZS_SCAN_BUF_MIN	4096	/* bytes; a shorter buffer: EINVAL */
#define AZS_SCAN_BUF_MAX	(1 << 20)
#define AZS_ERROR_MAX		1024	/* bytes of a last error with its NUL */

/*
 * Which mapping, and which time of its being enabled. An id is given at mkdir
 * and never used again; the generation counts the times it was enabled. What
 * names an earlier generation answers ESTALE.
 */
struct azs_mref {
	__u32 id;
	__u32 generation;
};

/* ------------------------------------------------------------------ read(2)
 *
 * read(2) returns whole records, as many as are ready and fit. It waits for
 * the first one unless O_NONBLOCK; poll(2) tells. A record that cannot be
 * copied out is not taken. Each starts on a multiple of 8 bytes and `len`,
 * itself a multiple of 8, leads to the next. Unknown types are to be skipped.
 */
enum azs_record_type {
	AZS_REC_MAPPING_UP	= 1,	/* struct azs_rec_mapping_up */
	AZS_REC_MAPPING_DOWN	= 2,	/* struct azs_record alone */
	AZS_REC_PATH		= 3,	/* struct azs_rec_entry: one path */
	AZS_REC_SUBTREE		= 4,	/* .. a path and all below it */
	AZS_REC_INODE		= 5,	/* .. an inode, its path not known */
};

struct azs_record {
	__u32 len;			/* bytes, with everything that follows */
	__u16 type;			/* enum azs_record_type */
	__u16 reserved;
	struct azs_mref mapping;
};

/*
 * A mapping came up: sent before any of its entries, and for every mapping
 * that is up after AZS_IOC_HELLO. Its attributes follow as struct azs_attr,
 * the mapping's own name first as "name". Another generation of a mapping means
 * that the earlier one went down, also if no MAPPING_DOWN said so: that is not
 * waited for longer than a drain may take.
 */
struct azs_rec_mapping_up {
	struct azs_record hdr;
	__u8  fs_uuid[16];		/* zeroes where there is none */
	__u64 root_ino;
	__s64 root_btime_sec;		/* 0 where not kept */
	__u32 root_btime_nsec;
	__u32 fs_magic;			/* as in statfs(2) */
	__u64 tick_ns;			/* granularity of file times */
	__u32 nr_attrs;
	__u32 reserved;
};

/* Followed by the name, a NUL, the value, a NUL and padding to 8 bytes. */
struct azs_attr {
	__u32 len;			/* bytes, with the padding */
	__u16 name_len;			/* bytes without the NUL */
	__u16 value_len;		/* bytes without the NUL */
};

/*
 * An entry was handed out: it belongs to the reader until AZS_IOC_DONE. The
 * path is relative to the mapping's root and empty for the root itself.
 */
struct azs_rec_entry {
	struct azs_record hdr;
	__u64 entry;			/* never used again */
	__u64 seq;			/* place in the order of changes */
	__u64 age_ms;			/* since it became dirty */
	__u64 ino;			/* AZS_REC_INODE; else 0 */
	__u64 generation;		/* AZS_REC_INODE; else 0 */
	__u32 flags;			/* AZS_ENTRY_* */
	__u32 path_len;			/* bytes without the NUL */
	/* path, NUL, padding to 8 bytes */
};

/* Content may have changed in a way that stat(2) does not show: hash it. */
#define AZS_ENTRY_CONTENT	(1u << 0)
/* max_lag_ms has passed: a file may be read while it is open for writing. */
#define AZS_ENTRY_LAGGED	(1u << 1)
/* Handed out before and given back, by DONE or because a reader went away. */
#define AZS_ENTRY_RETRY		(1u << 2)

/* ----------------------------------------------------------------- ioctl(2) */

/*
 * AZS_IOC_HELLO: first call on a descriptor; any other before it: EPROTO.
 * Events below the directories of `excluded` are dropped and counted. EPROTO
 * when the ranges of versions do not meet; then the module's range stands in
 * abi_min and abi_max.
 */
struct azs_hello {
	__u32 abi_min;			/* in, out: the other side's range */
	__u32 abi_max;
	__u32 abi_version;		/* out: the version spoken from now on */
	__u32 flags;			/* 0 */
	__u64 features;			/* in: wanted; out: granted */
	__u32 nr_excluded;
	__s32 excluded[AZS_MAX_EXCLUDED];	/* directories; not kept open */
	__u32 reserved;
	char  module_version[32];	/* out */
};

/* What is known of a file without a descriptor. Owners are those of the
 * initial user namespace. */
struct azs_stat {
	__u32 mode;			/* type and permissions */
	__u32 nlink;
	__u32 uid;
	__u32 gid;
	__u64 ino;
	__u64 generation;		/* of the inode number; 0 where not kept */
	__u64 subvol;			/* btrfs, where the kernel tells; else 0 */
	__u64 dev;			/* st_dev, as stat(2) encodes it */
	__u64 size;			/* bytes */
	__u64 allocated;		/* bytes */
	__s64 mtime_sec;
	__s64 ctime_sec;
	__u32 mtime_nsec;
	__u32 ctime_nsec;
	__u32 flags;			/* AZS_STAT_* */
	__u32 reserved;
};

#define AZS_STAT_WRITER		(1u << 0)	/* open for writing */
#define AZS_STAT_MOUNTPOINT	(1u << 1)	/* something is mounted here */
#define AZS_STAT_SUBVOLUME	(1u << 2)	/* root of a btrfs subvolume */

/*
 * AZS_IOC_OPEN: a read-only descriptor of a regular file, for an entry that is
 * out. Under a SUBTREE or INODE entry the file becomes a PATH entry of its own,
 * out as well, with the sequence and age of the one that led to it; its number
 * comes back in `entry`, and AZS_IOC_STABLE and AZS_IOC_DONE want that one.
 *
 * EAGAIN: not ready (open for writing, or changed a moment ago); it is a
 * pending PATH entry now and will be handed out; the same for a file under a
 * lease. EBUSY: this path is out under another entry, which took over the older
 * sequence. ENOENT, ENOTDIR, ELOOP, EXDEV: no such file without following
 * links or crossing mounts. EISDIR, EINVAL: not a regular file. ESTALE: the
 * mapping or the entry is gone. After all but EAGAIN and EFAULT the entry is out as before; a
 * file below a SUBTREE that could not be opened may be a pending PATH entry as well.
 */
struct azs_open {
	struct azs_mref mapping;
	__u64 entry;			/* in; out: stands for this file now */
	__aligned_u64 path;		/* relative, not NUL-terminated */
	__u32 path_len;
	__u32 flags;			/* 0 */
	__s32 fd;			/* out */
	__u32 out_flags;		/* out: AZS_OPEN_* */
	struct azs_stat st;		/* out: at the time of opening */
};

#define AZS_OPEN_WRITER		(1u << 0)	/* a writer was there: not quiet */

/*
 * AZS_IOC_SCAN: entries of a directory as struct azs_dirent, many a call. A
 * scan begins with scan 0 and goes on with the number that came back until
 * that is 0. AZS_SCAN_CLOSE ends one early. `.` and `..` are left out; what
 * vanished meanwhile is left out. By any error a scan is over and incomplete, but
 * for EBUSY: another call works on it. EBADF: no such scan; EMFILE: too many;
 * EXDEV: something is mounted there; ENOENT: gone, or moved out of the folder.
 */
struct azs_scan {
	struct azs_mref mapping;
	__u64 scan;			/* in, out */
	__aligned_u64 path;		/* of the directory; for a new scan only */
	__u32 path_len;
	__u32 flags;			/* AZS_SCAN_CLOSE */
	__aligned_u64 buf;
	__u32 buf_len;
	__u32 used;			/* out: bytes filled */
};

#define AZS_SCAN_CLOSE		(1u << 0)

struct azs_dirent {
	__u32 len;			/* bytes, with the padding to 8 */
	__u32 name_len;			/* bytes without the NUL */
	struct azs_stat st;
	/* name, NUL, padding to 8 bytes */
};

/* AZS_IOC_STAT: what is there now; a symbolic link is not followed. */
struct azs_stat_req {
	struct azs_mref mapping;
	__aligned_u64 path;
	__u32 path_len;
	__u32 flags;			/* 0 */
	struct azs_stat st;		/* out */
};

/* AZS_IOC_READLINK: a symbolic link's target, without a NUL. */
struct azs_readlink {
	struct azs_mref mapping;
	__aligned_u64 path;
	__u32 path_len;
	__u32 flags;			/* 0 */
	__aligned_u64 buf;
	__u32 buf_len;
	__u32 len;			/* out: bytes; > buf_len: cut */
};

/*
 * AZS_IOC_STABLE: asked when all has been read and before it is committed.
 * QUIET: from AZS_IOC_OPEN until now no content event came for this entry and
 * no writer was seen; what was read is what the file held at one moment.
 */
struct azs_stable {
	__u64 entry;
	__u32 flags;			/* 0 */
	__u32 out_flags;		/* out: AZS_STABLE_* */
};

#define AZS_STABLE_QUIET	(1u << 0)

/*
 * AZS_IOC_DONE: what became of entries. An unknown entry is passed over (its
 * mapping may have gone down meanwhile).
 */
struct azs_done {
	__aligned_u64 items;		/* struct azs_done_item[] */
	__u32 nr;			/* <= AZS_MAX_DONE */
	__u32 nr_known;			/* out */
};

enum azs_done_result {
	/* The cloud holds what the entry stood for, durably noted. An entry
	 * that changed meanwhile is pending again; one with a writer is kept
	 * among the open writers. */
	AZS_DONE_OK	= 0,
	/* Not done: back to the set with its sequence and age, not to be
	 * handed out before delay_ms. */
	AZS_DONE_AGAIN	= 1,
	/* The uploader keeps it as failed and will try again by itself. */
	AZS_DONE_PARKED	= 2,
};

struct azs_done_item {
	__u64 entry;
	__u32 result;			/* enum azs_done_result */
	__u32 flags;			/* AZS_DONE_UPLOADED, .. */
	__u64 bytes;			/* uploaded */
	__u32 delay_ms;			/* AZS_DONE_AGAIN; else 0 */
	__u32 reserved;
};

/* Which counter of stats/ it adds to. */
#define AZS_DONE_UPLOADED	(1u << 0)
#define AZS_DONE_COPIED		(1u << 1)
#define AZS_DONE_DELETED	(1u << 2)
#define AZS_DONE_SKIPPED	(1u << 3)	/* nothing to do */
/* It was uploaded while it changed: do not call the path clean. */
#define AZS_DONE_UNQUIET	(1u << 4)

/*
 * AZS_IOC_MARK: the uploader found that a path differs (an audit, a retry):
 * dirty again, as by an event.
 */
struct azs_mark {
	struct azs_mref mapping;
	__aligned_u64 path;
	__u32 path_len;
	__u32 flags;			/* AZS_MARK_* */
};

#define AZS_MARK_CONTENT	(1u << 0)
#define AZS_MARK_SUBTREE	(1u << 1)

/*
 * AZS_IOC_REPORT: what sysfs shows and only the uploader knows. Gauges are
 * set, counters are added to.
 */
struct azs_report {
	struct azs_mref mapping;
	__u32 flags;			/* AZS_REPORT_* */
	__u32 error_len;		/* bytes without a NUL; 0: none */
	__aligned_u64 error;		/* a sentence; < AZS_ERROR_MAX bytes */
	__u64 backlog_files;		/* gauges */
	__u64 backlog_bytes;
	__u64 failed;
	__u64 deletes_held;
	__s64 last_success_s;		/* since 1970; 0: never */
	__u64 requests;			/* counters */
	__u64 retries;
	__u64 drifted;
	__u64 copied_blobs;		/* beside those that DONE counts */
	__u64 deleted_blobs;
	__u64 skipped;
};

#define AZS_REPORT_BLOCKED	(1u << 0)	/* state: the target refuses */
#define AZS_REPORT_SET_ERROR	(1u << 1)	/* take error, empty to clear */

#define AZS_IOC_MAGIC		0xAD
#define AZS_IOC_HELLO		_IOWR(AZS_IOC_MAGIC, 0x01, struct azs_hello)
#define AZS_IOC_OPEN		_IOWR(AZS_IOC_MAGIC, 0x02, struct azs_open)
#define AZS_IOC_SCAN		_IOWR(AZS_IOC_MAGIC, 0x03, struct azs_scan)
#define AZS_IOC_STAT		_IOWR(AZS_IOC_MAGIC, 0x04, struct azs_stat_req)
#define AZS_IOC_READLINK	_IOWR(AZS_IOC_MAGIC, 0x05, struct azs_readlink)
#define AZS_IOC_STABLE		_IOWR(AZS_IOC_MAGIC, 0x06, struct azs_stable)
#define AZS_IOC_DONE		_IOWR(AZS_IOC_MAGIC, 0x07, struct azs_done)
#define AZS_IOC_REPORT		_IOW(AZS_IOC_MAGIC, 0x08, struct azs_report)
#define AZS_IOC_MARK		_IOW(AZS_IOC_MAGIC, 0x09, struct azs_mark)

#endif /* _UAPI_LINUX_AZURE_STORAGE_H */
