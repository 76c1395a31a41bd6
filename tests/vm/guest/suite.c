/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* main() of a program that is made of several files of tests. */
#include "azs.h"

#define TESTS_MAX 256

static struct harness_test all[TESTS_MAX];
static size_t nr;

void suite_add(const struct harness_test *tests, size_t count)
{
	/* A table that is full makes main() refuse to run. */
	for (size_t i = 0; i < count && nr < TESTS_MAX; i++)
		all[nr++] = tests[i];
}

int main(int argc, char **argv)
{
	return nr == TESTS_MAX ? 1 : harness_main(argc, argv, all, nr);
}
