/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The layout of the device's protocol is a promise: sizes, offsets and numbers, the same for C
 * and C++ and for 32 and 64 bits. Compiled in all of these ways, never run.
 */
#include "uapi/azure_storage.h"

#ifdef __cplusplus
#define PIN(cond) static_assert(cond, #cond)
#else
#define PIN(cond) _Static_assert(cond, #cond)
#endif
#define SIZE(type, bytes) PIN(sizeof(struct type) == (bytes))
#define AT(type, member, offset) PIN(__builtin_offsetof(struct type, member) == (offset))

SIZE(azs_mref, 8);
AT(azs_mref, generation, 4);

SIZE(azs_record, 16);
AT(azs_record, type, 4);
AT(azs_record, mapping, 8);

SIZE(azs_rec_mapping_up, 72);
AT(azs_rec_mapping_up, fs_uuid, 16);
AT(azs_rec_mapping_up, root_ino, 32);
AT(azs_rec_mapping_up, root_btime_sec, 40);
AT(azs_rec_mapping_up, root_btime_nsec, 48);
AT(azs_rec_mapping_up, fs_magic, 52);
AT(azs_rec_mapping_up, tick_ns, 56);
AT(azs_rec_mapping_up, nr_attrs, 64);

SIZE(azs_attr, 8);
AT(azs_attr, name_len, 4);
AT(azs_attr, value_len, 6);

SIZE(azs_rec_entry, 64);
AT(azs_rec_entry, entry, 16);
AT(azs_rec_entry, seq, 24);
AT(azs_rec_entry, age_ms, 32);
AT(azs_rec_entry, ino, 40);
AT(azs_rec_entry, generation, 48);
AT(azs_rec_entry, flags, 56);
AT(azs_rec_entry, path_len, 60);

SIZE(azs_hello, 96);
AT(azs_hello, abi_version, 8);
AT(azs_hello, features, 16);
AT(azs_hello, nr_excluded, 24);
AT(azs_hello, excluded, 28);
AT(azs_hello, module_version, 64);

SIZE(azs_stat, 96);
AT(azs_stat, ino, 16);
AT(azs_stat, generation, 24);
AT(azs_stat, subvol, 32);
AT(azs_stat, dev, 40);
AT(azs_stat, size, 48);
AT(azs_stat, allocated, 56);
AT(azs_stat, mtime_sec, 64);
AT(azs_stat, ctime_sec, 72);
AT(azs_stat, mtime_nsec, 80);
AT(azs_stat, ctime_nsec, 84);
AT(azs_stat, flags, 88);

SIZE(azs_open, 136);
AT(azs_open, entry, 8);
AT(azs_open, path, 16);
AT(azs_open, path_len, 24);
AT(azs_open, fd, 32);
AT(azs_open, out_flags, 36);
AT(azs_open, st, 40);

SIZE(azs_scan, 48);
AT(azs_scan, scan, 8);
AT(azs_scan, path, 16);
AT(azs_scan, buf, 32);
AT(azs_scan, used, 44);

SIZE(azs_dirent, 104);
AT(azs_dirent, st, 8);

SIZE(azs_stat_req, 120);
AT(azs_stat_req, path, 8);
AT(azs_stat_req, st, 24);

SIZE(azs_readlink, 40);
AT(azs_readlink, buf, 24);
AT(azs_readlink, len, 36);

SIZE(azs_stable, 16);
AT(azs_stable, out_flags, 12);

SIZE(azs_done, 16);
AT(azs_done, nr, 8);
AT(azs_done, nr_known, 12);

SIZE(azs_done_item, 32);
AT(azs_done_item, result, 8);
AT(azs_done_item, bytes, 16);
AT(azs_done_item, delay_ms, 24);

SIZE(azs_mark, 24);
AT(azs_mark, flags, 20);

SIZE(azs_report, 112);
AT(azs_report, error, 16);
AT(azs_report, backlog_files, 24);
AT(azs_report, last_success_s, 56);
AT(azs_report, skipped, 104);

PIN(AZS_ABI_VERSION == 1);
PIN(AZS_IOC_HELLO == 0xc060ad01);
PIN(AZS_IOC_OPEN == 0xc088ad02);
PIN(AZS_IOC_SCAN == 0xc030ad03);
PIN(AZS_IOC_STAT == 0xc078ad04);
PIN(AZS_IOC_READLINK == 0xc028ad05);
PIN(AZS_IOC_STABLE == 0xc010ad06);
PIN(AZS_IOC_DONE == 0xc010ad07);
PIN(AZS_IOC_REPORT == 0x4070ad08);
PIN(AZS_IOC_MARK == 0x4018ad09);

PIN(AZS_REC_MAPPING_UP == 1);
PIN(AZS_REC_MAPPING_DOWN == 2);
PIN(AZS_REC_PATH == 3);
PIN(AZS_REC_SUBTREE == 4);
PIN(AZS_REC_INODE == 5);
PIN(AZS_ENTRY_CONTENT == 1 && AZS_ENTRY_LAGGED == 2 && AZS_ENTRY_RETRY == 4);
PIN(AZS_STAT_WRITER == 1 && AZS_STAT_MOUNTPOINT == 2 && AZS_STAT_SUBVOLUME == 4);
PIN(AZS_DONE_OK == 0);
PIN(AZS_DONE_AGAIN == 1);
PIN(AZS_DONE_PARKED == 2);
