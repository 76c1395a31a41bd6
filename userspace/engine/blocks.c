/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "engine/blocks.h"

#include <errno.h>

#include "azure/blob.h"

int blocks_plan(struct blocks_plan *plan, uint64_t size)
{
	uint64_t bytes = BLOCKS_SIZE_MIN;

	*plan = (struct blocks_plan){ .block_bytes = bytes };
	if (size <= bytes)
		return 0;
	/* The smallest whole number of units of which AZURE_BLOCKS_MAX are enough. */
	if (size / AZURE_BLOCKS_MAX >= bytes)
		bytes = (size / AZURE_BLOCKS_MAX / BLOCKS_UNIT + 1) * BLOCKS_UNIT;
	if (bytes > AZURE_PUT_BLOCK_BYTES_MAX)
		return -EFBIG;
	plan->block_bytes = bytes;
	plan->nr = (uint32_t)((size - 1) / bytes + 1);
	return 0;
}

uint64_t blocks_length(const struct blocks_plan *plan, uint64_t size, uint32_t index)
{
	uint64_t start = plan->block_bytes * index;

	return size - start < plan->block_bytes ? size - start : plan->block_bytes;
}
