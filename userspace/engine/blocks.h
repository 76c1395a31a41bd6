/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How content is cut: one Put Blob, or blocks and a list of them. */
#ifndef ENGINE_BLOCKS_H
#define ENGINE_BLOCKS_H

#include <stdint.h>

#define BLOCKS_UNIT		(1ULL << 20)
/* Standard accounts take parts of more than 4 MiB by their fast path; memory wants them small. */
#define BLOCKS_SIZE_MIN		(4 * BLOCKS_UNIT)

struct blocks_plan {
	uint64_t block_bytes;	/* of every block but the last */
	uint32_t nr;		/* 0: one Put Blob */
};

/* 0, or -EFBIG: more than the service can hold. */
int blocks_plan(struct blocks_plan *plan, uint64_t size);
uint64_t blocks_length(const struct blocks_plan *plan, uint64_t size, uint32_t index);

#endif /* ENGINE_BLOCKS_H */
