/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "engine/names.h"

#include <errno.h>
#include <stdlib.h>

#define SIZE_MIN 64

static uint64_t mix(uint64_t h)
{
	h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ULL;
	h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ULL;
	return h ^ (h >> 32);
}

static uint64_t hash(const char *name, size_t len, bool is_dir)
{
	/* Far apart: names differ in the low bits. */
	uint64_t h = is_dir ? 0x84222325cbf29ce4ULL : 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 0x100000001b3ULL;
	h = mix(h ^ len);
	return h ? h : 1;
}

static size_t find(const struct names *n, uint64_t h)
{
	size_t i = h & (n->size - 1);

	while (n->slots[i] && n->slots[i] != h)
		i = (i + 1) & (n->size - 1);
	return i;
}

static int grow(struct names *n)
{
	struct names bigger = { .size = n->size ? n->size * 2 : SIZE_MIN, .nr = n->nr };

	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < n->size; i++)
		if (n->slots[i])
			bigger.slots[find(&bigger, n->slots[i])] = n->slots[i];
	free(n->slots);
	*n = bigger;
	return 0;
}

int names_add(struct names *n, const char *name, size_t len, bool is_dir)
{
	uint64_t h = hash(name, len, is_dir);
	size_t i;

	if (n->nr * 2 >= n->size && grow(n))
		return -ENOMEM;
	i = find(n, h);
	n->nr += !n->slots[i];
	n->slots[i] = h;
	return 0;
}

bool names_has(const struct names *n, const char *name, size_t len, bool is_dir)
{
	return n->size && n->slots[find(n, hash(name, len, is_dir))];
}

void names_free(struct names *n)
{
	free(n->slots);
	*n = (struct names){ 0 };
}
