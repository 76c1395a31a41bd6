/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The table of what happens to a path: each row changes one thing of a file that is in order. */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/reconcile.h"

static const uint8_t same_md5[16] = "0123456789abcde";
static const uint8_t other_md5[16] = "edcba9876543210";

enum change {
	C_NO_ROW	= 1 << 0,
	C_ABSENT	= 1 << 1,
	C_CONTENT	= 1 << 2,
	C_BY_EVENT	= 1 << 3,
	C_SIZE		= 1 << 4,
	C_MTIME		= 1 << 5,
	C_CTIME		= 1 << 6,
	C_MODE		= 1 << 7,
	C_INO		= 1 << 8,
	C_UNTRUSTED	= 1 << 9,
	C_KEPT		= 1 << 10,
	C_HASH_SAME	= 1 << 11,
	C_HASH_OTHER	= 1 << 12,
	C_ORIGIN	= 1 << 13,
	C_NLINK		= 1 << 14,
	C_EXCLUDED	= 1 << 15,
	C_MOUNT		= 1 << 16,
	C_WRITER	= 1 << 17,
	C_DELETES	= 1 << 18,
	C_DIR		= 1 << 19,
	C_LINK		= 1 << 20,
	C_FIFO		= 1 << 21,
	C_SYMLINKS	= 1 << 22,
	C_ROW_LINK	= 1 << 23,
	C_ORIGIN_LOOSE	= 1 << 24,
	C_UNQUIET	= 1 << 25,
};

static const struct {
	unsigned int changes;
	enum action action;
} table[] = {
	{ 0, ACTION_NOTHING },
	{ C_BY_EVENT, ACTION_NOTHING },
	/* what stat proves, and what it does not */
	{ C_CONTENT, ACTION_HASH },
	{ C_CONTENT | C_BY_EVENT, ACTION_HASH },
	{ C_WRITER, ACTION_HASH },
	{ C_UNTRUSTED, ACTION_HASH },
	{ C_MTIME, ACTION_HASH },
	{ C_INO, ACTION_HASH },
	{ C_CTIME, ACTION_HASH },
	{ C_CTIME | C_BY_EVENT, ACTION_ROW },
	{ C_CTIME | C_MODE | C_BY_EVENT, ACTION_META },
	{ C_CTIME | C_MODE, ACTION_HASH },
	{ C_SIZE, ACTION_UPLOAD },
	{ C_SIZE | C_CONTENT, ACTION_UPLOAD },
	{ C_NO_ROW, ACTION_UPLOAD },
	/* once hashed */
	{ C_CONTENT | C_HASH_SAME, ACTION_NOTHING },
	{ C_UNTRUSTED | C_HASH_SAME, ACTION_ROW },
	{ C_CTIME | C_HASH_SAME, ACTION_ROW },
	{ C_INO | C_HASH_SAME, ACTION_ROW },
	{ C_MTIME | C_HASH_SAME, ACTION_META },
	{ C_MODE | C_HASH_SAME, ACTION_META },
	{ C_CONTENT | C_HASH_OTHER, ACTION_UPLOAD },
	/* uploaded while it changed: the mark has to go */
	{ C_UNQUIET, ACTION_HASH },
	{ C_UNQUIET | C_HASH_SAME, ACTION_META },
	{ C_SIZE | C_HASH_SAME, ACTION_UPLOAD },
	/* a blob that was kept when its file went */
	{ C_KEPT, ACTION_META },
	{ C_KEPT | C_CONTENT, ACTION_HASH },
	{ C_KEPT | C_CONTENT | C_HASH_SAME, ACTION_META },
	{ C_KEPT | C_ABSENT, ACTION_NOTHING },
	{ C_KEPT | C_ABSENT | C_DELETES, ACTION_NOTHING },
	/* gone */
	{ C_ABSENT, ACTION_MARK_DELETED },
	{ C_ABSENT | C_DELETES, ACTION_DELETE },
	{ C_ABSENT | C_NO_ROW, ACTION_FORGET },
	{ C_ABSENT | C_NO_ROW | C_DELETES, ACTION_FORGET },
	/* moved */
	{ C_NO_ROW | C_ORIGIN, ACTION_COPY },
	{ C_NO_ROW | C_ORIGIN | C_CTIME, ACTION_COPY },
	{ C_NO_ROW | C_ORIGIN | C_CONTENT, ACTION_UPLOAD },
	{ C_NO_ROW | C_ORIGIN | C_WRITER, ACTION_UPLOAD },
	{ C_NO_ROW | C_ORIGIN | C_NLINK, ACTION_UPLOAD },
	{ C_NO_ROW | C_ORIGIN | C_MTIME, ACTION_UPLOAD },
	{ C_NO_ROW | C_ORIGIN | C_SIZE, ACTION_UPLOAD },
	{ C_NO_ROW | C_ORIGIN | C_INO, ACTION_UPLOAD },
	{ C_NO_ROW | C_ORIGIN | C_ORIGIN_LOOSE, ACTION_UPLOAD },
	/* not for us */
	{ C_EXCLUDED, ACTION_SKIP },
	{ C_EXCLUDED | C_NO_ROW, ACTION_SKIP },
	{ C_EXCLUDED | C_ABSENT, ACTION_MARK_DELETED },
	{ C_MOUNT | C_DIR, ACTION_SKIP },
	{ C_FIFO | C_NO_ROW, ACTION_SKIP },
	{ C_FIFO | C_DELETES, ACTION_DELETE },
	{ C_FIFO, ACTION_MARK_DELETED },
	{ C_LINK | C_NO_ROW, ACTION_SKIP },
	{ C_LINK | C_NO_ROW | C_SYMLINKS, ACTION_UPLOAD },
	{ C_LINK | C_SYMLINKS, ACTION_UPLOAD },
	{ C_LINK | C_SYMLINKS | C_ROW_LINK, ACTION_HASH },
	{ C_LINK | C_SYMLINKS | C_ROW_LINK | C_HASH_OTHER, ACTION_UPLOAD },
	{ C_LINK | C_SYMLINKS | C_ROW_LINK | C_HASH_SAME | C_MODE, ACTION_META },
	{ C_ROW_LINK, ACTION_UPLOAD },
	{ C_DIR, ACTION_DIRECTORY },
	{ C_DIR | C_NO_ROW, ACTION_DIRECTORY },
};

static uint32_t file_mode(unsigned int c)
{
	return c & C_DIR ? S_IFDIR : c & C_LINK ? S_IFLNK : c & C_FIFO ? S_IFIFO : S_IFREG;
}

static enum action run(unsigned int c)
{
	struct kdev_stat st = {
		.mode = 0644, .nlink = 1, .uid = 7, .gid = 8, .ino = 99, .generation = 3,
		.size = 1000, .mtime_ns = 5000, .ctime_ns = 6000,
	};
	struct state_row row = {
		.kind = c & C_ROW_LINK ? STATE_SYMLINK : STATE_FILE,
		.flags = STATE_QUIET | STATE_TRUSTED, .ino = 99, .generation = 3, .size = 1000,
		.mtime_ns = 5000, .ctime_ns = 6000, .mode = file_mode(c) | 0644, .uid = 7,
		.gid = 8, .etag = "\"1\"",
	};
	struct state_row origin;

	memcpy(row.md5, same_md5, 16);
	origin = row;
	st.mode |= file_mode(c);
	st.size += !!(c & C_SIZE);
	st.mtime_ns += !!(c & C_MTIME);
	st.ctime_ns += !!(c & C_CTIME);
	st.mode ^= c & C_MODE ? 0111 : 0;
	st.ino += !!(c & C_INO);
	st.nlink += !!(c & C_NLINK);
	st.writer = c & C_WRITER;
	st.mountpoint = c & C_MOUNT;
	row.flags &= c & C_UNTRUSTED ? ~STATE_TRUSTED : ~0u;
	row.flags &= c & C_UNQUIET ? ~(STATE_TRUSTED | STATE_QUIET) : ~0u;
	row.flags |= c & C_KEPT ? STATE_KEPT : 0;
	origin.flags &= c & C_ORIGIN_LOOSE ? ~STATE_TRUSTED : ~0u;
	return reconcile(&(struct reconcile_in){
		.st = c & C_ABSENT ? NULL : &st,
		.row = c & C_NO_ROW ? NULL : &row,
		.moved_from = c & C_ORIGIN ? &origin : NULL,
		.md5 = c & C_HASH_SAME ? same_md5 : c & C_HASH_OTHER ? other_md5 : NULL,
		.content = c & C_CONTENT,
		.by_event = c & C_BY_EVENT,
		.taken = !(c & C_EXCLUDED),
		.stores_symlinks = c & C_SYMLINKS,
		.deletes = c & C_DELETES,
	});
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		enum action action = run(table[i].changes);

		if (action != table[i].action)
			fail_msg("row %zu (changes %#x): action %d, not %d", i, table[i].changes,
				 action, table[i].action);
	}
}

/* Nothing that is not there, or not known to be unchanged, may ever be called NOTHING. */
static void test_never_trusts_what_may_differ(void **state)
{
	(void)state;
	for (unsigned int c = 0; c < 1u << 18; c++) {
		if (c & (C_HASH_SAME | C_HASH_OTHER | C_ABSENT))
			continue;
		if (!(c & (C_CONTENT | C_SIZE | C_MTIME | C_INO | C_UNTRUSTED | C_NO_ROW |
			   C_WRITER)))
			continue;
		if (run(c) == ACTION_NOTHING)
			fail_msg("changes %#x were taken for equality", c);
	}
}

static void test_directory(void **state)
{
	const struct kdev_stat parent = { .mode = S_IFDIR | 0755, .uid = 1, .gid = 2 };
	const struct kdev_stat other = { .mode = S_IFDIR | 0700, .uid = 1, .gid = 2 };
	const struct state_row marker = { .kind = STATE_DIR, .mode = S_IFDIR | 0755, .uid = 1,
					  .gid = 2 };
	const struct state_row file = { .kind = STATE_FILE };

	(void)state;
	assert_int_equal(reconcile_directory(&parent, &parent, false, NULL), ACTION_NOTHING);
	assert_int_equal(reconcile_directory(&parent, &parent, true, NULL), ACTION_UPLOAD);
	assert_int_equal(reconcile_directory(&other, &parent, false, NULL), ACTION_UPLOAD);
	assert_int_equal(reconcile_directory(&parent, &parent, false, &marker), ACTION_NOTHING);
	assert_int_equal(reconcile_directory(&other, &parent, false, &marker), ACTION_META);
	assert_int_equal(reconcile_directory(&parent, &parent, false, &file), ACTION_UPLOAD);
}

static void test_trust_needs_two_ticks(void **state)
{
	struct kdev_stat st = { .ctime_ns = 1000000000 };

	(void)state;
	assert_true(reconcile_is_trusted(&st, 1008000000, 4000000));
	assert_false(reconcile_is_trusted(&st, 1007999999, 4000000));
	assert_false(reconcile_is_trusted(&st, 999999999, 0));
	assert_false(reconcile_is_trusted(&st, INT64_MAX / 4, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_never_trusts_what_may_differ),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_trust_needs_two_ticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
