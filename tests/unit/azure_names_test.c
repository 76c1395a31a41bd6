/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "azure/names.h"

static struct azure_name name, other;

static void encodes(const char *prefix, const char *path, const char *blob)
{
	char decoded[AZURE_PATH_BYTES_MAX + 1];
	size_t len;

	assert_int_equal(azure_name_encode(&name, prefix, path, strlen(path)), 0);
	assert_string_equal(name.blob, blob);
	assert_false(name.is_long);
	assert_int_equal(name.is_encoded, strcmp(path, blob + strlen(prefix)) != 0);
	assert_int_equal(azure_name_decode(prefix, blob, NULL, decoded, &len), 0);
	assert_string_equal(decoded, path);
	assert_int_equal(len, strlen(path));
}

static void examples(void **state)
{
	(void)state;
	encodes("", "plain/file.txt", "plain/file.txt");
	encodes("backup/", "a b%c#d?e", "backup/a b%c#d?e");
	encodes("", "\xc3\xa4/\xf0\x9f\x98\x80", "\xc3\xa4/\xf0\x9f\x98\x80");
	encodes("", "a\\b", "a=5Cb");
	encodes("", "new\nline\x7f", "new=0Aline=7F");
	encodes("", "dir./file.", "dir=2E/file=2E");
	encodes("", "..", ".=2E");
	encodes("", "a/../b", "a/.=2E/b");
	encodes("", ".hidden", ".hidden");
	/* Invalid UTF-8: a lone byte, an overlong '/', a surrogate, beyond the end. */
	encodes("", "\xff", "=FF");
	encodes("", "\xc0\xaf", "=C0=AF");
	encodes("", "\xed\xa0\x80", "=ED=A0=80");
	encodes("", "\xf4\x90\x80\x80", "=F4=90=80=80");
	encodes("", "\xe2\x82", "=E2=82");
	/* Well-formed, but not for XML. */
	encodes("", "\xef\xbf\xbe-\xef\xbf\xbf", "=EF=BF=BE-=EF=BF=BF");
	/* '=' is itself unless it looks like ours. */
	encodes("", "a=b", "a=b");
	encodes("", "a=4", "a=4");
	encodes("", "a=4g=aF=af", "a=4g=aF=af");
	encodes("", "=41", "=3D41");
	encodes("", "==41", "==3D41");
	encodes("", "=3D41", "=3D3D41");
	encodes("", "=\x01", "==01");
	encodes("", "=4\x01", "=4=01");
	encodes("", "=long/x", "=3Dlong/x");
	encodes("", "=long", "=3Dlong");
	encodes("", "=longer/x", "=longer/x");
	encodes("", "a/=long/x", "a/=long/x");
}

static void refused(void **state)
{
	static const char *const paths[] = { "", "/a", "a/", "a//b", "/" };
	static char path[AZURE_PATH_BYTES_MAX + 1];
	static char prefix[AZURE_NAME_CHARS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		assert_int_equal(azure_name_encode(&name, "", paths[i], strlen(paths[i])), -EINVAL);
	memset(path, 'a', sizeof(path));
	assert_int_equal(azure_name_encode(&name, "", path, sizeof(path)), -ENAMETOOLONG);
	/* There must be room for the long form behind the prefix: 6 + 64 characters. */
	memset(prefix, 'p', AZURE_NAME_CHARS_MAX - 70);
	assert_int_equal(azure_name_encode(&name, prefix, "x", 1), 0);
	prefix[AZURE_NAME_CHARS_MAX - 70] = 'p';
	assert_int_equal(azure_name_encode(&name, prefix, "x", 1), -ENAMETOOLONG);
	assert_int_equal(azure_name_encode(&name, "\xff", "x", 1), -EINVAL);
}

static void foreign(void **state)
{
	/* Names that decode, but that we would have written otherwise. */
	static const char *const blobs[] = { "a=41",  "=2Ea",  "a=5c=3D", "a=3D",	"x.",
					     "a\\b",  "a//b",  "/a",	  "=long/zz",	"=3dlong",
					     "=FFx=C3=A4" };
	char decoded[AZURE_PATH_BYTES_MAX + 1];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(blobs) / sizeof(*blobs); i++) {
		int err = azure_name_decode("", blobs[i], NULL, decoded, &len);

		if (strcmp(blobs[i], "=3dlong"))
			assert_int_equal(err, -EILSEQ);
		else
			assert_int_equal(err, 0);
	}
	assert_int_equal(azure_name_decode("p/", "q/a", NULL, decoded, &len), -EXDEV);
	assert_int_equal(azure_name_decode("p/", "p/a", NULL, decoded, &len), 0);
	assert_string_equal(decoded, "a");
}

static void long_round_trip(const char *prefix, const char *path, size_t len)
{
	char decoded[AZURE_PATH_BYTES_MAX + 1], meta[AZURE_META_PATH_MAX];
	size_t decoded_len;

	assert_int_equal(azure_name_encode(&name, prefix, path, len), 0);
	assert_true(name.is_long && name.is_encoded);
	assert_int_equal(strncmp(name.blob + strlen(prefix), "=long/", 6), 0);
	assert_int_equal(strlen(name.blob), strlen(prefix) + 6 + 64);
	assert_int_equal(azure_name_meta_path(path, len, meta), 0);
	assert_int_equal(azure_name_decode(prefix, name.blob, meta, decoded, &decoded_len), 0);
	assert_int_equal(decoded_len, len);
	assert_memory_equal(decoded, path, len);
	assert_int_equal(azure_name_decode(prefix, name.blob, NULL, decoded, &decoded_len),
			 -ENODATA);
	meta[0] = meta[0] == 'Q' ? 'R' : 'Q';
	assert_int_equal(azure_name_decode(prefix, name.blob, meta, decoded, &decoded_len),
			 -ENODATA);
}

static void long_names(void **state)
{
	char path[AZURE_PATH_BYTES_MAX];
	size_t len = 0;

	(void)state;
	memset(path, 'a', sizeof(path));
	assert_int_equal(azure_name_encode(&name, "", path, 1024), 0);
	assert_false(name.is_long);
	long_round_trip("", path, 1025);
	long_round_trip("p/", path, 1023);
	long_round_trip("", path, sizeof(path));
	/* 342 escapes are 1026 characters. */
	memset(path, 1, 342);
	long_round_trip("", path, 342);
	/* A character outside the first plane counts twice. */
	for (size_t i = 0; i < 513; i++)
		memcpy(path + 4 * i, "\xf0\x9f\x98\x80", 4);
	assert_int_equal(azure_name_encode(&name, "", path, 4 * 512), 0);
	assert_false(name.is_long);
	long_round_trip("", path, 4 * 513);
	/* 254 segments stand, 255 do not. */
	for (int i = 0; i < 255; i++) {
		path[len++] = 'd';
		path[len++] = '/';
	}
	assert_int_equal(azure_name_encode(&name, "", path, 2 * 254 - 1), 0);
	assert_false(name.is_long);
	long_round_trip("", path, 2 * 255 - 1);
	/* A short path that looks like a long one's name is not taken for it. */
	assert_int_equal(azure_name_encode(&name, "", path, 2 * 255 - 1), 0);
	assert_int_equal(azure_name_encode(&other, "", name.blob, strlen(name.blob)), 0);
	assert_string_not_equal(name.blob, other.blob);
}

/* Bytes that make trouble come up more often than others. */
static char odd_byte(void)
{
	static const char odd[] = "==/..\\=0123456789ABCDEFlong\x01\x7f\xc3\xa4\xef\xbf\xbe\xf0";

	return rand() % 4 ? odd[(size_t)rand() % (sizeof(odd) - 1)] : (char)(1 + rand() % 255);
}

static bool is_relative(const char *path, size_t len)
{
	return len && path[0] != '/' && path[len - 1] != '/' && !memmem(path, len, "//", 2);
}

static bool is_legal_blob(const char *blob)
{
	for (const unsigned char *c = (const unsigned char *)blob; *c; c++) {
		if (*c < 0x20 || *c == 0x7f || *c == '\\' ||
		    (*c == '.' && (c[1] == '/' || !c[1])))
			return false;
	}
	return true;
}

static void random_round_trips(void **state)
{
	char decoded[AZURE_PATH_BYTES_MAX + 1], path[64], before[64] = "x";
	size_t len, decoded_len, before_len = 1, tried = 0;

	(void)state;
	srand(20260101);
	assert_int_equal(azure_name_encode(&other, "", before, before_len), 0);
	for (int i = 0; i < 400000; i++) {
		len = 1 + (size_t)rand() % 12;
		for (size_t k = 0; k < len; k++)
			path[k] = odd_byte();
		if (!is_relative(path, len)) {
			assert_int_equal(azure_name_encode(&name, "", path, len), -EINVAL);
			continue;
		}
		assert_int_equal(azure_name_encode(&name, "", path, len), 0);
		assert_true(is_legal_blob(name.blob));
		assert_int_equal(azure_name_decode("", name.blob, NULL, decoded, &decoded_len), 0);
		assert_int_equal(decoded_len, len);
		assert_memory_equal(decoded, path, len);
		/* Encoded again it is another name: no two paths share one. */
		if (len != before_len || memcmp(path, before, len))
			assert_string_not_equal(name.blob, other.blob);
		memcpy(before, path, len);
		before_len = len;
		other = name;
		tried++;
	}
	assert_true(tried > 200000);
}

/* What decodes is what we would have written: hence no two names stand for one path. */
static void random_names(void **state)
{
	char decoded[AZURE_PATH_BYTES_MAX + 1], blob[32];
	size_t len, decoded_len, ours = 0;

	(void)state;
	srand(42);
	for (int i = 0; i < 400000; i++) {
		len = 1 + (size_t)rand() % 8;
		for (size_t k = 0; k < len; k++)
			blob[k] = odd_byte();
		blob[len] = '\0';
		if (azure_name_decode("", blob, NULL, decoded, &decoded_len))
			continue;
		assert_int_equal(azure_name_encode(&name, "", decoded, decoded_len), 0);
		assert_string_equal(name.blob, blob);
		ours++;
	}
	assert_true(ours > 10000);
}

static void containers_and_accounts(void **state)
{
	static const char *const good[] = { "abc", "a-b", "0-9-a" };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_true(azure_container_name_is_valid(good[i]));
	assert_false(azure_container_name_is_valid("ab"));
	assert_false(azure_container_name_is_valid("-ab"));
	assert_false(azure_container_name_is_valid("ab-"));
	assert_false(azure_container_name_is_valid("a--b"));
	assert_false(azure_container_name_is_valid("aBc"));
	assert_false(azure_container_name_is_valid("a/b"));
	assert_true(azure_container_name_is_valid(
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	assert_false(azure_container_name_is_valid(
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	assert_true(azure_account_name_is_valid("abc"));
	assert_true(azure_account_name_is_valid("a23456789012345678901234"));
	assert_false(azure_account_name_is_valid("a234567890123456789012345"));
	assert_false(azure_account_name_is_valid("ab"));
	assert_false(azure_account_name_is_valid("a-b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples),	      cmocka_unit_test(refused),
		cmocka_unit_test(foreign),	      cmocka_unit_test(long_names),
		cmocka_unit_test(random_round_trips), cmocka_unit_test(random_names),
		cmocka_unit_test(containers_and_accounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
