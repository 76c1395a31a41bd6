/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A dirty set under test: its life, what a test does to it, and what must always hold. */
#ifndef KSHIM_SET_H
#define KSHIM_SET_H

#include "kshim.h"
#include "../unit.h"
#include "../../../src/entry.h"

/* Of tests that do not care: settle 500 ms, lag 300 s, 65536 entries. */
struct azs_mapping *set_start(void);
/* Stops and frees it; fails if anything is left that was allocated. */
void set_end(struct azs_mapping *m);

int set_group_setup(void **state);
/* Ends the set of a test that failed too. */
int set_teardown(void **state);
int set_group_teardown(void **state);

#define SET_TEST(f)	cmocka_unit_test_teardown(f, set_teardown)

/* ---- events ---- */

void set_dirty(struct azs_mapping *m, const char *path, unsigned int flags);
/* Of a file whose only name is @path. Fails the test if the answer is not 0. */
void set_event(struct azs_mapping *m, const char *path, struct inode *inode, unsigned int flags);
/* What the watcher asks first. */
bool set_is_known(struct inode *inode, bool content, bool closed);
bool set_is_root_known(struct azs_mapping *m, bool content);

/* One with one name, changed long ago; it lives until the next test. set_end() fails
 * if the module holds one still. */
struct inode *set_inode(void);

/* ---- the uploader ---- */

struct set_record {
	int err;			/* of azs_dirty_take() */
	struct azs_rec_entry rec;
	char path[AZS_PATH_MAX];
};

struct set_record set_take(struct azs_mapping *m);
/* The next record must be this one; returns its number. */
u64 set_take_path(struct azs_mapping *m, const char *path, u32 type, u32 flags);
bool set_has_none(struct azs_mapping *m);
int set_done(u64 id, u32 result);
int set_again(u64 id, u32 delay_ms);
int set_open(struct azs_mapping *m, u64 *id, const char *path, struct inode *inode, u32 *flags);
bool set_is_quiet(u64 id);

/* ---- looking inside ---- */

struct azs_entry *set_find(struct azs_mapping *m, const char *path);
unsigned int set_count(struct azs_mapping *m, enum azs_counter counter);
/* Each entry in exactly the right trees, and the counts agree. */
void set_check(struct azs_mapping *m);

#endif /* KSHIM_SET_H */
