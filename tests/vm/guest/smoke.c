/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The module loads, says so, unloads, says so, and loads again. */
#include "harness.h"

#include <errno.h>

#define LOADED "Azure Storage Module loaded to memory"
#define UNLOADED "Azure Storage Module unloaded from memory"

static void unload_if_loaded(void *arg)
{
	(void)arg;
	if (module_loaded())
		module_unload();
}

static void load_and_unload(void)
{
	defer(unload_if_loaded, NULL);
	klog_mark();
	CHECK_OK(module_load(NULL));
	CHECK(module_loaded());
	WAIT_FOR(klog_has(LOADED), 1000);
	CHECK(!klog_has(UNLOADED));
	CHECK_OK(module_unload());
	WAIT_FOR(klog_has(UNLOADED), 1000);
	CHECK(!module_loaded());
}

static void twice_is_refused(void)
{
	defer(unload_if_loaded, NULL);
	CHECK_OK(module_load(NULL));
	CHECK_ERRNO(module_load(NULL), EEXIST);
	CHECK_OK(module_unload());
}

static void loads_again(void)
{
	defer(unload_if_loaded, NULL);
	for (int i = 0; i < 3; i++) {
		klog_mark();
		CHECK_OK(module_load(NULL));
		WAIT_FOR(klog_has(LOADED), 1000);
		CHECK_OK(module_unload());
	}
}

int main(int argc, char **argv)
{
	static const struct harness_test tests[] = {
		TEST(load_and_unload),
		TEST(twice_is_refused),
		TEST(loads_again),
	};

	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
