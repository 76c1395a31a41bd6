/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "azure/blob.h"
#include "engine/blocks.h"
#include "engine/metadata.h"
#include "engine/names.h"

static const uint64_t MIB = 1 << 20;

static void test_small_is_one_blob(void **state)
{
	struct blocks_plan plan;

	(void)state;
	assert_int_equal(blocks_plan(&plan, 0), 0);
	assert_int_equal(plan.nr, 0);
	assert_int_equal(blocks_plan(&plan, 4 * MIB), 0);
	assert_int_equal(plan.nr, 0);
	assert_int_equal(blocks_plan(&plan, 4 * MIB + 1), 0);
	assert_int_equal(plan.nr, 2);
	assert_int_equal(blocks_length(&plan, 4 * MIB + 1, 0), 4 * MIB);
	assert_int_equal(blocks_length(&plan, 4 * MIB + 1, 1), 1);
}

/* Around every place where the size of blocks changes: whole, covered, not too many. */
static void test_any_size_is_covered(void **state)
{
	struct blocks_plan plan;

	(void)state;
	for (uint64_t mib = 4; mib <= 4000; mib += mib < 64 ? 1 : 97) {
		for (int64_t d = -2; d <= 2; d++) {
			uint64_t size = mib * MIB * AZURE_BLOCKS_MAX + (uint64_t)d, sum;

			if (size > AZURE_PUT_BLOCK_BYTES_MAX * AZURE_BLOCKS_MAX)
				continue;
			if (blocks_plan(&plan, size)) {
				assert_true(size >= AZURE_PUT_BLOCK_BYTES_MAX * AZURE_BLOCKS_MAX);
				continue;
			}
			assert_in_range(plan.nr, 2, AZURE_BLOCKS_MAX);
			assert_true(plan.block_bytes <= AZURE_PUT_BLOCK_BYTES_MAX);
			sum = plan.block_bytes * (plan.nr - 1) +
			      blocks_length(&plan, size, plan.nr - 1);
			assert_int_equal(sum, size);
			assert_in_range(blocks_length(&plan, size, plan.nr - 1), 1,
					plan.block_bytes);
		}
	}
}

static void test_too_large(void **state)
{
	struct blocks_plan plan;

	(void)state;
	assert_int_equal(blocks_plan(&plan, UINT64_MAX), -EFBIG);
	assert_int_equal(blocks_plan(&plan, INT64_MAX), -EFBIG);
}

static const char *value(const struct metadata *m, const char *name)
{
	return azure_meta_find(m->items, m->nr, name);
}

static void test_metadata(void **state)
{
	struct metadata m;
	struct metadata_in in = {
		.kind = STATE_FILE, .mode = 0100644, .uid = 1000, .gid = 4294967295u,
		.mtime_ns = 1700000000123456789LL, .owner = "00ff",
	};

	(void)state;
	metadata_fill(&m, &in);
	assert_string_equal(value(&m, "mtime"), "2023-11-14T22:13:20.123456789Z");
	assert_string_equal(value(&m, "modtime"), "1700000000123456789");
	assert_string_equal(value(&m, "permissions"), "33188");
	assert_string_equal(value(&m, "posix_owner"), "1000");
	assert_string_equal(value(&m, "posix_group"), "4294967295");
	assert_string_equal(value(&m, "azs_owner"), "00ff");
	assert_null(value(&m, "azs_unquiet"));
	assert_null(value(&m, "azs_deleted"));
	assert_null(value(&m, "hdi_isfolder"));
	in.mtime_ns = -1;
	in.kind = STATE_DIR;
	in.unquiet = true;
	in.deleted_s = 17;
	metadata_fill(&m, &in);
	assert_string_equal(value(&m, "mtime"), "1969-12-31T23:59:59.999999999Z");
	assert_string_equal(value(&m, "hdi_isfolder"), "true");
	assert_string_equal(value(&m, "azs_unquiet"), "1");
	assert_string_equal(value(&m, "azs_deleted"), "17");
}

static void test_names(void **state)
{
	struct names n = { 0 };
	char name[16];

	(void)state;
	assert_false(names_has(&n, "a", 1, false));
	for (int i = 0; i < 5000; i++)
		assert_int_equal(names_add(&n, name, (size_t)snprintf(name, 16, "%d", i), i & 1),
				 0);
	for (int i = 0; i < 5000; i++) {
		size_t len = (size_t)snprintf(name, 16, "%d", i);

		assert_true(names_has(&n, name, len, i & 1));
		assert_false(names_has(&n, name, len, !(i & 1)));
	}
	assert_int_equal(n.nr, 5000);
	names_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_is_one_blob),
		cmocka_unit_test(test_any_size_is_covered),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
