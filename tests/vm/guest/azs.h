/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The module's three faces as tests see them: configfs, sysfs and the device file.
 * What is made here is taken down when the test ends, and taking it down is a check
 * of its own: a mapping that does not come to rest, a filesystem that stays busy or
 * a module that does not unload fails the test.
 */
#ifndef AZS_TESTS_VM_AZS_H
#define AZS_TESTS_VM_AZS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness.h"
#include "uapi/azure_storage.h"

#define CONFIGFS	"/sys/kernel/config/azure_storage"
#define CLASS_DIR	"/sys/class/azure_storage"
#define MISC_DIR	"/sys/class/misc/azure_storage"
#define DEVICE		"/dev/azure_storage"

/* Long enough for a loaded machine without KVM; nothing waits so long when all is well. */
#define PATIENCE_MS	20000

/*
 * Tests of one file; the files that are linked together make one program.
 * FS_TESTS is for functions defined by ON_EACH_FS.
 */
void suite_add(const struct harness_test *tests, size_t count);
#define SUITE(...) \
	static const struct harness_test suite_tests[] = { __VA_ARGS__ }; \
	__attribute__((constructor)) static void suite_register(void) \
	{ \
		suite_add(suite_tests, ARRAY_SIZE(suite_tests)); \
	}

#define ON_EACH_FS(fn) \
	static void fn##_ext4(void) { fn("ext4"); } \
	static void fn##_xfs(void) { fn("xfs"); } \
	static void fn##_btrfs(void) { fn("btrfs"); } \
	static void fn##_tmpfs(void) { fn("tmpfs"); }
#define FS_TESTS(fn) TEST(fn##_ext4), TEST(fn##_xfs), TEST(fn##_btrfs), TEST(fn##_tmpfs)

/* ---- module, filesystems, mappings (azs.c) ---- */

/* The module, loaded anew. First in a test, so that it is unloaded last. */
void need_module(void);

/* An empty directory on a filesystem of this type ("ext4", "xfs", "btrfs", "tmpfs"). */
const char *fresh_dir(const char *fs);

/* mkdir in configfs. */
void map_create(const char *name);
/* .. with a path, a target of its own and settle_ms=20; not enabled. */
void map_create_for(const char *name, const char *folder);
/* .. and enabled. */
void map_up(const char *name, const char *folder);
int map_store(const char *name, const char *attr, const char *value);
void map_set(const char *name, const char *attr, const char *value);
const char *map_get(const char *name, const char *attr);
/* Writes 0 to enable and waits until the state is disabled. */
void map_down(const char *name);
void map_remove(const char *name);

const char *map_state(const char *name);
unsigned long long map_gauge(const char *name, const char *attr);
bool state_is(const char *name, const char *state);
/* Nothing pending and nothing out. */
bool is_at_rest(const char *name);

/* ---- the device (azs_dev.c) ---- */

struct rec {
	unsigned int type;
	struct azs_mref mapping;
	uint64_t entry, seq, age_ms, ino, generation;
	uint32_t flags;
	char path[AZS_PATH_MAX];	/* MAPPING_UP: the mapping's name */
	const struct azs_rec_mapping_up *up;	/* until the next read */
};

struct dev {
	int fd;			/* O_NONBLOCK; -1 when closed */
	unsigned char *buf;
	size_t len, pos;
	uint64_t tick_ns;	/* of the last MAPPING_UP */
};

/* open(2) alone, O_RDWR | O_NONBLOCK. */
int dev_open_raw(void);
int dev_hello(int fd);
/* Opened, greeted, closed when the test ends. */
struct dev *dev_open(void);
void dev_close(struct dev *d);

/*
 * The next record, whose layout was checked; false after timeout_ms. dev_try_next() is for
 * threads: it returns what is wrong instead of failing the test, NULL if nothing is.
 */
bool dev_next(struct dev *d, struct rec *r, unsigned int timeout_ms);
const char *dev_try_next(struct dev *d, struct rec *r, unsigned int timeout_ms, bool *got);
/* The value of an attribute in MAPPING_UP, or NULL. */
const char *rec_attr(const struct rec *r, const char *name);

/* The next entry must come, and be of this type and path. */
void expect_rec(struct dev *d, struct rec *r, unsigned int type, const char *path);
/* MAPPING_UP and the first SUBTREE of the root, which is answered. */
struct azs_mref expect_up(struct dev *d, const char *name);
/* No entry comes for this long. For what has no event to wait for. */
void expect_none(struct dev *d, unsigned int ms);

/*
 * Takes and finishes what there is until the mapping is at rest. What came, sorted, one word
 * each: the path, then "/" for a SUBTREE, "*" for CONTENT, "+" for LAGGED, "^" for
 * RETRY; "#" stands for an INODE record. The root's SUBTREE is "/".
 */
const char *collect(struct dev *d, const char *name);

/* ioctls; as system calls: 0 or -1 with errno. */
int dev_open_file(struct dev *d, struct azs_mref m, uint64_t *entry, const char *path,
		  struct azs_open *out);	/* the descriptor; out may be NULL */
int dev_stat(struct dev *d, struct azs_mref m, const char *path, struct azs_stat *st);
/* Bytes of the target; buf is terminated. */
int dev_readlink(struct dev *d, struct azs_mref m, const char *path, char *buf, size_t len);
int dev_stable(struct dev *d, uint64_t entry, bool *quiet);
/* How many were known: 0 or 1. */
int dev_done(struct dev *d, uint64_t entry, unsigned int result, unsigned int delay_ms,
	     unsigned int flags);
int dev_mark(struct dev *d, struct azs_mref m, const char *path, unsigned int flags);

/*
 * A directory through SCAN: fn is called for each entry, which ends when it returns
 * false. 0 or -1 with errno.
 */
int dev_scan(struct dev *d, struct azs_mref m, const char *path,
	     bool (*fn)(const struct azs_dirent *de, const char *name, void *arg), void *arg);

/* ---- both together ---- */

/*
 * A folder "in" that is mapped as "m", and one "out" beside it, which is not. The current
 * directory is the one that holds both.
 */
struct fixture {
	const char *in;
	const char *out;
	struct dev *dev;
	struct azs_mref m;
};

/* The folders alone, then the mapping, up, and its first SUBTREE answered. */
struct fixture fixture_prepare(const char *fs);
void fixture_up(struct fixture *fx);
/* The same in two steps: between map_create_for() and this, attributes can be set. */
void fixture_enable(struct fixture *fx);
/* All at once, on tmpfs. */
struct fixture fixture_with(const char *settle_ms, const char *max_lag_ms);

#endif
