// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * What read(2) returns: mappings that came up or went down, and entries.
 *
 * A record is built in kernel memory and copied out with no lock held but
 * u->lock: the reader's page faults wait for whatever it likes. What could not be
 * copied out is given back.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "attrs.h"
#include "dirty.h"
#include "file.h"
#include "mapping.h"
#include "uploader.h"

/* Entries of one mapping before it is the next one's turn. */
#define AZS_READ_BATCH		64
#define AZS_ENTRY_RECORD_MAX	(sizeof(struct azs_rec_entry) + AZS_PATH_MAX + 8)

/* ---- what there is to read ---- */

enum azs_work {
	AZS_WORK_NONE,
	AZS_WORK_UP,
	AZS_WORK_DOWN,
	AZS_WORK_ENTRIES,
};

static enum azs_work azs_work_of(struct azs_mapping *m)
{
	lockdep_assert_held(&azs_mappings_lock);
	if (m->phase == AZS_LIVE && !m->announced)
		return AZS_WORK_UP;
	if (m->phase == AZS_DRAINING && m->announced)
		return AZS_WORK_DOWN;
	if (m->phase == AZS_LIVE && azs_dirty_is_ready(m))
		return AZS_WORK_ENTRIES;
	return AZS_WORK_NONE;
}

/*
 * The mapping whose turn it is: what came up or went down goes first, entries
 * follow in the order of ids after @cursor. AZS_WORK_NONE if there is nothing.
 */
static enum azs_work azs_next_work(u32 cursor, struct azs_mapping **mp)
{
	struct azs_mapping *m, *best = NULL;
	enum azs_work work, found = AZS_WORK_NONE;

	mutex_lock(&azs_mappings_lock);
	list_for_each_entry(m, &azs_mappings_live, live) {
		work = azs_work_of(m);
		if (work == AZS_WORK_NONE)
			continue;
		/* Unsigned distance: ids up to the cursor come last. */
		if (work == AZS_WORK_ENTRIES && best &&
		    m->id - cursor - 1 > best->id - cursor - 1)
			continue;
		best = m;
		found = work;
		if (work != AZS_WORK_ENTRIES)
			break;
	}
	*mp = best ? azs_mapping_use_locked(best) : NULL;
	mutex_unlock(&azs_mappings_lock);
	return found;
}

bool azs_read_is_ready(void)
{
	struct azs_mapping *m;

	if (azs_next_work(0, &m) == AZS_WORK_NONE)
		return false;
	azs_mapping_unuse(m);
	return true;
}

/* ---- records ---- */

static void azs_record_init(struct azs_record *rec, struct azs_mapping *m, u16 type, u32 len)
{
	rec->len = len;
	rec->type = type;
	rec->reserved = 0;
	rec->mapping.id = m->id;
	rec->mapping.generation = m->generation;
}

/* Fills in @rec for a name and a value that follow it. Returns its length. */
static u32 azs_attr_seal(struct azs_attr *rec, const char *name, size_t value_len)
{
	char *p = (char *)(rec + 1);
	size_t name_len = strlen(name), len = sizeof(*rec) + name_len + 1 + value_len + 1;

	memcpy(p, name, name_len + 1);
	rec->len = ALIGN(len, 8);
	rec->name_len = name_len;
	rec->value_len = value_len;
	memset((char *)rec + len, 0, rec->len - len);
	return rec->len;
}

static void azs_record_root(struct azs_rec_mapping_up *rec, struct azs_mapping *m)
{
	struct super_block *sb = m->root.dentry->d_sb;
	const struct cred *old;
	struct kstat st;
	int err;

	memcpy(rec->fs_uuid, &sb->s_uuid, sizeof(rec->fs_uuid));
	rec->fs_magic = sb->s_magic;
	/* The clock that stamps files ticks; the file system may be coarser. */
	rec->tick_ns = max_t(u64, TICK_NSEC, sb->s_time_gran);
	rec->root_ino = d_inode(m->root.dentry)->i_ino;
	old = override_creds(m->cred);
	err = vfs_getattr(&m->root, &st, STATX_INO | STATX_BTIME, AT_STATX_SYNC_AS_STAT);
	revert_creds(old);
	if (err)
		return;
	rec->root_ino = st.ino;
	if (st.result_mask & STATX_BTIME) {
		rec->root_btime_sec = st.btime.tv_sec;
		rec->root_btime_nsec = st.btime.tv_nsec;
	}
}

/* MAPPING_UP in u->record; the attributes are fixed while @m is in use. Returns
 * the length: by the bounds of names and values it fits. */
static u32 azs_build_up(struct azs_uploader *u, struct azs_mapping *m)
{
	struct azs_rec_mapping_up *rec = (void *)u->record;
	struct azs_attr *attr = (void *)(rec + 1);
	char *value;
	u32 len, i;

	BUILD_BUG_ON(sizeof(*rec) + (AZS_NR_ATTRS + 1) * (sizeof(*attr) + 64 + AZS_ATTR_MAX + 1) >
		     AZS_RECORD_MAX);
	memset(rec, 0, sizeof(*rec));
	value = (char *)(attr + 1) + sizeof("name");
	strscpy(value, m->name, AZS_NAME_MAX + 1);
	len = sizeof(*rec) + azs_attr_seal(attr, "name", strlen(value));
	for (i = 0; i < AZS_NR_ATTRS; i++) {
		attr = (void *)(u->record + len);
		value = (char *)(attr + 1) + strlen(azs_attrs[i].name) + 1;
		len += azs_attr_seal(attr, azs_attrs[i].name,
				     azs_attr_print(m, i, value, AZS_ATTR_MAX + 1));
	}
	azs_record_init(&rec->hdr, m, AZS_REC_MAPPING_UP, len);
	rec->nr_attrs = AZS_NR_ATTRS + 1;
	azs_record_root(rec, m);
	return len;
}

/* ---- copying out ---- */

/* Where read(2) is in the caller's buffer. */
struct azs_dest {
	char __user *buf;
	size_t room;
	size_t done;
};

static int azs_dest_put(struct azs_dest *dst, const void *record, u32 len)
{
	if (copy_to_user(dst->buf + dst->done, record, len))
		return -EFAULT;
	dst->done += len;
	dst->room -= len;
	return 0;
}

static int azs_read_up(struct azs_uploader *u, struct azs_mapping *m, struct azs_dest *dst)
{
	u32 len = azs_build_up(u, m);
	int err;

	if (len > dst->room)
		return -ENOSPC;
	err = azs_dest_put(dst, u->record, len);
	if (!err)
		azs_set_announced(m, m->generation, true);
	return err;
}

static int azs_read_down(struct azs_uploader *u, struct azs_mapping *m, struct azs_dest *dst)
{
	struct azs_record rec;
	int err;

	if (sizeof(rec) > dst->room)
		return -ENOSPC;
	azs_record_init(&rec, m, AZS_REC_MAPPING_DOWN, sizeof(rec));
	err = azs_dest_put(dst, &rec, sizeof(rec));
	if (err)
		return err;
	azs_scans_drop_mapping(u->scans, m);
	azs_set_announced(m, m->generation, false);
	return 0;
}

static int azs_read_entry(struct azs_uploader *u, struct azs_mapping *m, struct azs_dest *dst)
{
	struct azs_rec_entry *rec = (void *)u->record;
	size_t len;
	int err;

	if (dst->room < AZS_ENTRY_RECORD_MAX)
		return -ENOSPC;
	memset(rec, 0, sizeof(*rec));
	err = azs_dirty_take(m, rec, u->path);
	if (err)
		return err;
	len = sizeof(*rec) + rec->path_len + 1;
	memcpy(rec + 1, u->path, rec->path_len);
	memset(u->record + len - 1, 0, ALIGN(len, 8) - len + 1);
	azs_record_init(&rec->hdr, m, rec->hdr.type, ALIGN(len, 8));
	err = azs_dest_put(dst, rec, rec->hdr.len);
	if (err)
		azs_dirty_untake(m, rec->entry);
	return err;
}

/* 0: look for more; -ENOSPC: no room; -EFAULT. */
static int azs_read_entries(struct azs_uploader *u, struct azs_mapping *m, struct azs_dest *dst)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < AZS_READ_BATCH; i++)
		err = azs_read_entry(u, m, dst);
	u->cursor = m->id;
	return err == -ENOENT ? 0 : err;
}

ssize_t azs_read_records(struct azs_uploader *u, char __user *buf, size_t count)
{
	struct azs_dest dst = { .buf = buf, .room = min_t(size_t, count, MAX_RW_COUNT) };
	struct azs_mapping *m;
	enum azs_work work;
	int err = 0;

	while (!err && !signal_pending(current)) {
		work = azs_next_work(u->cursor, &m);
		if (work == AZS_WORK_NONE)
			break;
		if (work == AZS_WORK_UP)
			err = azs_read_up(u, m, &dst);
		else if (work == AZS_WORK_DOWN)
			err = azs_read_down(u, m, &dst);
		else
			err = azs_read_entries(u, m, &dst);
		azs_mapping_unuse(m);
		cond_resched();
	}
	return dst.done ?: err;
}
