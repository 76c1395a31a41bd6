/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The decoder of records: what a module sends, and what no module should ever send.
 * Hostile bytes lie at the very end of an allocation, so that the sanitizer sees the
 * first one read too far.
 */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/kdev_uapi.h"

static struct error e;

/* Builds records; `len` bytes are in use. */
struct maker {
	unsigned char data[AZS_RECORD_MAX * 2];
	size_t len;
};

static struct maker mk;

static void put(const void *data, size_t len)
{
	memcpy(mk.data + mk.len, data, len);
	mk.len += len;
}

static void pad(void)
{
	while (mk.len % 8)
		mk.data[mk.len++] = 0;
}

static size_t put_entry(uint16_t type, uint64_t entry, const char *path, size_t path_len)
{
	size_t at = mk.len;
	struct azs_rec_entry rec = {
		.hdr = { .type = type, .mapping = { 7, 3 } },
		.entry = entry,
		.seq = 100 + entry,
		.age_ms = 5,
		.flags = AZS_ENTRY_CONTENT | AZS_ENTRY_RETRY | 0x80000000u,
		.path_len = (uint32_t)path_len,
	};

	put(&rec, sizeof(rec));
	put(path, path_len);
	put("", 1);
	pad();
	((struct azs_record *)(mk.data + at))->len = (uint32_t)(mk.len - at);
	return at;
}

static void put_attr(const char *name, size_t name_len, const char *value, size_t value_len)
{
	size_t at = mk.len;
	struct azs_attr a = { .name_len = (uint16_t)name_len, .value_len = (uint16_t)value_len };

	put(&a, sizeof(a));
	put(name, name_len);
	put("", 1);
	put(value, value_len);
	put("", 1);
	pad();
	((struct azs_attr *)(mk.data + at))->len = (uint32_t)(mk.len - at);
}

static size_t put_up_start(uint32_t nr_attrs)
{
	size_t at = mk.len;
	struct azs_rec_mapping_up up = {
		.hdr = { .type = AZS_REC_MAPPING_UP, .mapping = { 7, 3 } },
		.fs_uuid = { 1, 2, 3 },
		.root_ino = 2,
		.root_btime_sec = 5,
		.root_btime_nsec = 6,
		.fs_magic = 0xEF53,
		.tick_ns = 4000000,
		.nr_attrs = nr_attrs,
	};

	put(&up, sizeof(up));
	return at;
}

static void end_record(size_t at)
{
	((struct azs_record *)(mk.data + at))->len = (uint32_t)(mk.len - at);
}

/* A batch that holds exactly what was made; freed by kdev_batch_free(). */
static struct kdev_batch take(size_t len)
{
	struct kdev_batch b = { .data = malloc(len ? len : 1), .size = len, .len = len };

	assert_non_null(b.data);
	memcpy(b.data, mk.data, len);
	error_clear(&e);
	return b;
}

static int setup(void **state)
{
	(void)state;
	mk.len = 0;
	return 0;
}

static void assert_broken(void)
{
	struct kdev_batch b = take(mk.len);
	struct kdev_record r;

	assert_int_equal(kdev_batch_next(&b, &r, &e), -EBADMSG);
	assert_true(e.message[0]);
	/* And it stays so. */
	assert_int_equal(kdev_batch_next(&b, &r, &e), -EBADMSG);
	kdev_batch_free(&b);
	mk.len = 0;
}

static void test_mapping_up(void **state)
{
	struct kdev_record r;
	struct kdev_batch b;
	size_t at;

	(void)state;
	at = put_up_start(3);
	put_attr("name", 4, "docs", 4);
	put_attr("path", 4, "/srv/docs", 9);
	put_attr("prefix", 6, "", 0);
	end_record(at);
	b = take(mk.len);
	assert_int_equal(kdev_batch_next(&b, &r, &e), 1);
	assert_int_equal(r.type, KDEV_MAPPING_UP);
	assert_int_equal(r.mapping.id, 7);
	assert_int_equal(r.mapping.generation, 3);
	assert_int_equal(r.up.fs_uuid[2], 3);
	assert_int_equal(r.up.root_ino, 2);
	assert_int_equal(r.up.root_btime_sec, 5);
	assert_int_equal(r.up.root_btime_nsec, 6);
	assert_int_equal(r.up.fs_magic, 0xEF53);
	assert_int_equal(r.up.tick_ns, 4000000);
	assert_int_equal(r.up.nr_attrs, 3);
	assert_string_equal(kdev_record_attr(&r, "name"), "docs");
	assert_string_equal(kdev_record_attr(&r, "path"), "/srv/docs");
	assert_string_equal(kdev_record_attr(&r, "prefix"), "");
	assert_null(kdev_record_attr(&r, "account"));
	assert_int_equal(kdev_batch_next(&b, &r, &e), 0);
	kdev_batch_free(&b);
}

static void test_entries_in_one_batch(void **state)
{
	struct azs_record down = { .len = sizeof(down), .type = AZS_REC_MAPPING_DOWN,
				   .mapping = { 7, 3 } };
	struct azs_record later = { .len = 24, .type = 999 };
	struct kdev_record r;
	struct kdev_batch b;

	(void)state;
	put_entry(AZS_REC_PATH, 1, "a/b c.txt", 9);
	put(&later, sizeof(later));
	put("12345678", 8);
	put_entry(AZS_REC_SUBTREE, 2, "", 0);
	put_entry(AZS_REC_INODE, 3, "", 0);
	put(&down, sizeof(down));
	b = take(mk.len);

	assert_int_equal(kdev_batch_next(&b, &r, &e), 1);
	assert_int_equal(r.type, KDEV_ENTRY_PATH);
	assert_int_equal(r.entry.entry, 1);
	assert_int_equal(r.entry.seq, 101);
	assert_int_equal(r.entry.age_ms, 5);
	assert_int_equal(r.entry.flags, KDEV_CONTENT | KDEV_RETRY);
	assert_int_equal(r.entry.path_len, 9);
	assert_string_equal(r.entry.path, "a/b c.txt");
	assert_null(kdev_record_attr(&r, "name"));
	assert_int_equal(kdev_batch_next(&b, &r, &e), 1);
	assert_int_equal(r.type, KDEV_ENTRY_SUBTREE);
	assert_string_equal(r.entry.path, "");
	assert_int_equal(kdev_batch_next(&b, &r, &e), 1);
	assert_int_equal(r.type, KDEV_ENTRY_INODE);
	assert_int_equal(kdev_batch_next(&b, &r, &e), 1);
	assert_int_equal(r.type, KDEV_MAPPING_DOWN);
	assert_int_equal(kdev_batch_next(&b, &r, &e), 0);
	assert_int_equal(kdev_batch_next(&b, &r, &e), 0);
	kdev_batch_free(&b);
}

static void test_longest_path(void **state)
{
	char path[KDEV_PATH_MAX + 2];
	struct kdev_record r;
	struct kdev_batch b;

	(void)state;
	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 200 == 199 ? '/' : 'x';
	path[KDEV_PATH_MAX] = 'x';
	put_entry(AZS_REC_PATH, 1, path, KDEV_PATH_MAX);
	b = take(mk.len);
	assert_int_equal(kdev_batch_next(&b, &r, &e), 1);
	assert_int_equal(r.entry.path_len, KDEV_PATH_MAX);
	kdev_batch_free(&b);
	mk.len = 0;
	put_entry(AZS_REC_PATH, 1, path, KDEV_PATH_MAX + 1);
	assert_broken();
}

static void test_record_lengths(void **state)
{
	static const uint32_t bad[] = { 0, 1, 8, 15, 17, 20, 28, 0x7ffffff8, 0xfffffff8, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct azs_record h = { .len = bad[i], .type = AZS_REC_MAPPING_DOWN };

		put(&h, sizeof(h));
		put("\0\0\0\0\0\0\0", 8);
		assert_broken();
	}
	/* More than any record has, though the bytes are there. */
	mk.len = AZS_RECORD_MAX + 8;
	memset(mk.data, 0, mk.len);
	((struct azs_record *)mk.data)->len = (uint32_t)mk.len;
	((struct azs_record *)mk.data)->type = 999;
	assert_broken();
}

static void test_every_truncation(void **state)
{
	size_t at, first, whole;

	(void)state;
	at = put_up_start(2);
	put_attr("name", 4, "docs", 4);
	put_attr("path", 4, "/srv", 4);
	end_record(at);
	first = mk.len;
	put_entry(AZS_REC_PATH, 1, "a/b", 3);
	whole = mk.len;
	for (size_t len = 0; len < whole; len++) {
		struct kdev_batch b = take(len);
		struct kdev_record r;
		int n, records = 0;

		while ((n = kdev_batch_next(&b, &r, &e)) == 1)
			records++;
		assert_int_equal(n, len == 0 || len == first ? 0 : -EBADMSG);
		assert_true(records <= 1);
		kdev_batch_free(&b);
	}
}

static void test_paths_that_lead_astray(void **state)
{
	static const struct {
		const char *path;
		size_t len;
	} bad[] = {
		{ "/etc/passwd", 11 }, { "..", 2 }, { "../x", 4 }, { "a/../b", 6 }, { "a/..", 4 },
		{ ".", 1 }, { "a/./b", 5 }, { "a//b", 4 }, { "a/", 2 }, { "/", 1 },
		{ "a\0b", 3 }, { "a\0", 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_entry(AZS_REC_PATH, 1, bad[i].path, bad[i].len);
		assert_broken();
	}
}

static void test_path_lengths(void **state)
{
	static const uint32_t bad[] = { 4, 6, 7, 8, 16, 4096, 0x7fffffff, 0xffffffff };
	size_t at;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		at = put_entry(AZS_REC_PATH, 1, "abcde", 5);
		((struct azs_rec_entry *)(mk.data + at))->path_len = bad[i];
		assert_broken();
	}
	/* No NUL behind it. */
	at = put_entry(AZS_REC_PATH, 1, "abcdefg", 7);
	mk.data[mk.len - 1] = 'h';
	assert_broken();
}

static void test_attributes(void **state)
{
	size_t at;

	(void)state;
	/* No name among them. */
	at = put_up_start(1);
	put_attr("path", 4, "/srv", 4);
	end_record(at);
	assert_broken();
	/* More announced than there are, and more than anybody has. */
	for (uint32_t nr = 2; nr; nr = nr == 2 ? KDEV_MAX_ATTRS + 1 : nr < 1000 ? 0xffffffff : 0) {
		at = put_up_start(nr);
		put_attr("name", 4, "docs", 4);
		end_record(at);
		assert_broken();
	}
	/* NULs inside, and a name that is empty. */
	at = put_up_start(1);
	put_attr("name", 4, "do\0s", 4);
	end_record(at);
	assert_broken();
	at = put_up_start(2);
	put_attr("name", 4, "docs", 4);
	put_attr("pa\0h", 4, "x", 1);
	end_record(at);
	assert_broken();
	at = put_up_start(2);
	put_attr("name", 4, "docs", 4);
	put_attr("", 0, "x", 1);
	end_record(at);
	assert_broken();
}

static void test_attribute_lengths(void **state)
{
	static const uint32_t bad[] = { 0, 4, 8, 16, 20, 32, 0xfffffff8, 0xffffffff };
	size_t at, attr;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		at = put_up_start(1);
		attr = mk.len;
		put_attr("name", 4, "docs", 4);
		end_record(at);
		((struct azs_attr *)(mk.data + attr))->len = bad[i];
		assert_broken();
	}
	for (uint16_t n = 5; n; n = n == 5 ? 0xffff : 0) {
		for (int which = 0; which < 2; which++) {
			struct azs_attr *a;

			at = put_up_start(1);
			attr = mk.len;
			put_attr("name", 4, "docs", 4);
			end_record(at);
			a = (struct azs_attr *)(mk.data + attr);
			*(which ? &a->name_len : &a->value_len) = n;
			assert_broken();
		}
	}
}

/* Any byte of good records turned into any of some nasty values: no crash, no loop. */
static void test_every_byte_spoilt(void **state)
{
	static const unsigned char nasty[] = { 0, 1, 7, 8, 0x7f, 0x80, 0xff };
	size_t at;

	(void)state;
	at = put_up_start(2);
	put_attr("name", 4, "docs", 4);
	put_attr("path", 4, "/srv", 4);
	end_record(at);
	put_entry(AZS_REC_PATH, 1, "a/b", 3);
	put_entry(AZS_REC_INODE, 2, "", 0);
	for (size_t i = 0; i < mk.len; i++) {
		for (size_t j = 0; j < sizeof(nasty); j++) {
			struct kdev_batch b = take(mk.len);
			struct kdev_record r;
			int n, records = 0;

			b.data[i] = nasty[j];
			while ((n = kdev_batch_next(&b, &r, &e)) == 1) {
				records++;
				if (r.type == KDEV_MAPPING_UP)
					assert_non_null(kdev_record_attr(&r, "name"));
				else if (r.type != KDEV_MAPPING_DOWN)
					assert_int_equal(strlen(r.entry.path), r.entry.path_len);
			}
			assert_true(n == 0 || n == -EBADMSG);
			assert_true(records <= 3);
			kdev_batch_free(&b);
		}
	}
}

static int decode_name(const char *name, uint32_t name_len, uint32_t len)
{
	struct azs_dirent d = { .len = len, .name_len = name_len };
	struct kdev_dirent out;
	unsigned char *copy;
	size_t pos = 0;
	int n;

	mk.len = 0;
	put(&d, sizeof(d));
	put(name, 7);
	put("", 1);
	copy = malloc(mk.len);
	assert_non_null(copy);
	memcpy(copy, mk.data, mk.len);
	n = kdev_dirent_decode(copy, mk.len, &pos, &out, &e);
	if (n == 1)
		assert_int_equal(pos, len);
	free(copy);
	return n;
}

static void test_directory_entries(void **state)
{
	const uint32_t whole = sizeof(struct azs_dirent) + 8;

	(void)state;
	assert_int_equal(decode_name("abcdefg", 7, whole), 1);
	assert_int_equal(decode_name("abc\0\0\0\0", 3, whole), 1);
	assert_int_equal(decode_name("abc\0\0\0\0", 0, whole), -EBADMSG);
	assert_int_equal(decode_name("abc\0\0\0\0", 2, whole), -EBADMSG);
	assert_int_equal(decode_name("abc\0\0\0\0", 4, whole), -EBADMSG);
	assert_int_equal(decode_name("abcdefg", 8, whole), -EBADMSG);
	assert_int_equal(decode_name("abcdefg", 0xffffffff, whole), -EBADMSG);
	assert_int_equal(decode_name("abcdefg", 7, whole - 8), -EBADMSG);
	assert_int_equal(decode_name("abcdefg", 7, whole + 8), -EBADMSG);
	assert_int_equal(decode_name("abcdefg", 7, 0), -EBADMSG);
	assert_int_equal(decode_name("abcdefg", 7, whole - 1), -EBADMSG);
	assert_int_equal(decode_name("..\0\0\0\0\0", 2, whole), -EBADMSG);
	assert_int_equal(decode_name(".\0\0\0\0\0\0", 1, whole), -EBADMSG);
	assert_int_equal(decode_name("...\0\0\0\0", 3, whole), 1);
	assert_int_equal(decode_name("a/b\0\0\0\0", 3, whole), -EBADMSG);
}

static void test_stat(void **state)
{
	struct azs_stat st = {
		.mode = 0100644, .nlink = 1, .uid = 2, .gid = 3, .ino = 4, .generation = 5,
		.subvol = 6, .dev = 7, .size = 8, .allocated = 9, .mtime_sec = 10,
		.mtime_nsec = 11, .ctime_sec = -1, .ctime_nsec = 999999999,
		.flags = AZS_STAT_WRITER | AZS_STAT_SUBVOLUME,
	};
	struct kdev_stat out;

	(void)state;
	kdev_stat_decode(&out, &st);
	assert_int_equal(out.mode, 0100644);
	assert_int_equal(out.nlink, 1);
	assert_int_equal(out.uid, 2);
	assert_int_equal(out.gid, 3);
	assert_int_equal(out.ino, 4);
	assert_int_equal(out.generation, 5);
	assert_int_equal(out.subvol, 6);
	assert_int_equal(out.dev, 7);
	assert_int_equal(out.size, 8);
	assert_int_equal(out.allocated, 9);
	assert_int_equal(out.mtime_ns, 10000000011);
	assert_int_equal(out.ctime_ns, -1);
	assert_true(out.writer && out.subvolume && !out.mountpoint);

	/* Times that no clock shows must not overflow. */
	st.mtime_sec = INT64_MAX;
	st.ctime_sec = INT64_MIN;
	st.mtime_nsec = st.ctime_nsec = 0xffffffff;
	kdev_stat_decode(&out, &st);
	assert_true(out.mtime_ns == INT64_MAX);
	assert_true(out.ctime_ns == INT64_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_mapping_up, setup),
		cmocka_unit_test_setup(test_entries_in_one_batch, setup),
		cmocka_unit_test_setup(test_longest_path, setup),
		cmocka_unit_test_setup(test_record_lengths, setup),
		cmocka_unit_test_setup(test_every_truncation, setup),
		cmocka_unit_test_setup(test_paths_that_lead_astray, setup),
		cmocka_unit_test_setup(test_path_lengths, setup),
		cmocka_unit_test_setup(test_attributes, setup),
		cmocka_unit_test_setup(test_attribute_lengths, setup),
		cmocka_unit_test_setup(test_every_byte_spoilt, setup),
		cmocka_unit_test_setup(test_directory_entries, setup),
		cmocka_unit_test_setup(test_stat, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
