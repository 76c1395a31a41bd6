/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Tests of the client against a server: verdicts as lines, requests that are waited for. */
#ifndef TESTS_AZURITE_HARNESS_H
#define TESTS_AZURITE_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "azure/blob.h"

/* What a completion left; the parts of the response that outlive it. */
struct outcome {
	bool is_done;
	struct azure_response rsp;	/* its pointers are not to be followed */
	struct azure_meta meta[32];	/* copies */
	size_t n_meta;
	char list_names[64][256];
	char list_etags[64][AZURE_ETAG_MAX];
	uint64_t list_sizes[64];
	size_t n_list;
	char list_owner[64];		/* azs_owner of the first blob */
	char next_marker[512];
	size_t n_blocks, n_committed;
};

struct suite {
	struct azure_client *client;
	struct azure_credential *credential;
	struct azure_target *target;
	char endpoint[256];
};

/* Ends the test in which it stands with a verdict. */
#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			test_fail(__FILE__, __LINE__, #condition, " " __VA_ARGS__);                \
			return;                                                                    \
		}                                                                                  \
	} while (0)

void test_fail(const char *file, int line, const char *condition, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void test_run(const char *name, void (*fn)(struct suite *suite), struct suite *suite);
unsigned int test_failures(void);

/* A call whose completion fills in @out, which it clears. */
struct azure_call call_for(struct outcome *out);
/* Runs the client until @out is done; fails the program after a minute. */
void wait_for(struct azure_client *client, struct outcome *out);
/* Waits, and says whether the operation was submitted and ended with this scope and status. */
bool ended(struct suite *suite, int submitted, struct outcome *out, enum azure_scope scope,
	   int status);
const char *outcome_meta(const struct outcome *out, const char *name);
void outcome_clear(struct outcome *out);

/* A target of the suite's account; NULL after a message. */
struct azure_target *target_for(struct suite *suite, const char *container, const char *endpoint,
				struct azure_credential *credential);

void tests_of_blobs(struct suite *suite);
void tests_of_blocks(struct suite *suite);
void tests_of_errors(struct suite *suite);
void tests_of_load(struct suite *suite);
void tests_of_tls(struct suite *suite);

#endif
