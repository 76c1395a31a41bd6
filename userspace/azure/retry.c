/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "retry.h"

int64_t azure_retry_delay_ms(const struct azure_error *err, unsigned int tries,
			     unsigned int max_tries, uint32_t random)
{
	uint64_t ceiling = AZURE_RETRY_CAP_MS;
	int64_t asked = err->retry_after_ms;

	if (!azure_error_is_retryable(err) || tries >= max_tries)
		return -1;
	/* From the seventh doubling on the cap holds. */
	if (tries >= 1 && tries <= 7 && (AZURE_RETRY_BASE_MS << (tries - 1)) < AZURE_RETRY_CAP_MS)
		ceiling = AZURE_RETRY_BASE_MS << (tries - 1);
	if (asked < 0)
		asked = 0;
	if (asked > AZURE_RETRY_AFTER_CAP_MS)
		asked = AZURE_RETRY_AFTER_CAP_MS;
	return asked + (int64_t)((ceiling + 1) * random >> 32);
}
