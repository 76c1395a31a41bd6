/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "unit.h"

#include "azure/retry.h"

static const struct azure_error transient = { .scope = AZURE_SCOPE_TRANSIENT,
					      .retry_after_ms = -1 };

static void full_jitter(void **state)
{
	static const int64_t most[] = { 800,   1600,  3200,  6400,  12800, 25600,
					51200, 60000, 60000, 60000 };

	(void)state;
	for (unsigned int tries = 1; tries <= 10; tries++) {
		assert_int_equal(azure_retry_delay_ms(&transient, tries, 100, 0), 0);
		assert_int_equal(azure_retry_delay_ms(&transient, tries, 100, UINT32_MAX),
				 most[tries - 1]);
		assert_in_range(azure_retry_delay_ms(&transient, tries, 100, UINT32_MAX / 2),
				(most[tries - 1]) / 2 - 1, most[tries - 1] / 2 + 1);
	}
	assert_int_equal(azure_retry_delay_ms(&transient, 4000000000u, UINT32_MAX, UINT32_MAX),
			 60000);
}

static void tries_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(azure_retry_delay_ms(&transient, 3, 4, 0), 0);
	assert_int_equal(azure_retry_delay_ms(&transient, 4, 4, 0), -1);
	assert_int_equal(azure_retry_delay_ms(&transient, 1, 1, 0), -1);
}

static void what_the_server_asks(void **state)
{
	struct azure_error err = transient;

	(void)state;
	err.retry_after_ms = 5000;
	assert_int_equal(azure_retry_delay_ms(&err, 1, 4, 0), 5000);
	assert_int_equal(azure_retry_delay_ms(&err, 1, 4, UINT32_MAX), 5800);
	err.retry_after_ms = INT64_MAX;
	assert_int_equal(azure_retry_delay_ms(&err, 1, 4, 0), AZURE_RETRY_AFTER_CAP_MS);
}

static void only_what_may_pass(void **state)
{
	struct azure_error err = transient;

	(void)state;
	for (int scope = AZURE_SCOPE_NONE; scope <= AZURE_SCOPE_LOCAL; scope++) {
		err.scope = (enum azure_scope)scope;
		assert_int_equal(azure_retry_delay_ms(&err, 1, 4, 0),
				 scope == AZURE_SCOPE_TRANSIENT ? 0 : -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_jitter),
		cmocka_unit_test(tries_are_bounded),
		cmocka_unit_test(what_the_server_asks),
		cmocka_unit_test(only_what_may_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
