/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_S 60

static char complaint[1024];
static unsigned int failures;

void test_fail(const char *file, int line, const char *condition, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	va_list args;
	int n = snprintf(complaint, sizeof(complaint), "%s:%d: %s ", base ? base + 1 : file, line,
			 condition);

	va_start(args, fmt);
	vsnprintf(complaint + n, sizeof(complaint) - (size_t)n, fmt, args);
	va_end(args);
}

void test_run(const char *name, void (*fn)(struct suite *suite), struct suite *suite)
{
	complaint[0] = '\0';
	fn(suite);
	for (char *c = complaint; *c; c++) {
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	}
	failures += complaint[0] != '\0';
	printf("%s\t%s\t%s\n", complaint[0] ? "fail" : "ok", name, complaint);
	fflush(stdout);
}

unsigned int test_failures(void)
{
	return failures;
}

static void keep_list(struct outcome *out, const struct azure_list *list)
{
	for (size_t i = 0; i < list->n_blobs && out->n_list < 64; i++) {
		const struct azure_list_blob *blob = &list->blobs[i];
		const char *owner = azure_meta_find(blob->meta, blob->n_meta, "azs_owner");

		snprintf(out->list_names[out->n_list], sizeof(out->list_names[0]), "%s",
			 blob->name);
		snprintf(out->list_etags[out->n_list], sizeof(out->list_etags[0]), "%s",
			 blob->etag);
		out->list_sizes[out->n_list++] = blob->size;
		if (owner && !*out->list_owner)
			snprintf(out->list_owner, sizeof(out->list_owner), "%s", owner);
	}
	snprintf(out->next_marker, sizeof(out->next_marker), "%s", list->next_marker);
}

static void on_done(void *arg, const struct azure_response *rsp)
{
	struct outcome *out = arg;

	out->rsp = *rsp;
	for (size_t i = 0; i < rsp->n_meta && i < 32; i++) {
		out->meta[i].name = strdup(rsp->meta[i].name);
		out->meta[i].value = strdup(rsp->meta[i].value);
		out->n_meta++;
	}
	if (rsp->list)
		keep_list(out, rsp->list);
	if (rsp->block_list) {
		out->n_blocks = rsp->block_list->n_blocks;
		for (size_t i = 0; i < out->n_blocks; i++)
			out->n_committed += rsp->block_list->blocks[i].is_committed;
	}
	out->is_done = true;
}

void outcome_clear(struct outcome *out)
{
	for (size_t i = 0; i < out->n_meta; i++) {
		free((char *)out->meta[i].name);
		free((char *)out->meta[i].value);
	}
	memset(out, 0, sizeof(*out));
}

struct azure_call call_for(struct outcome *out)
{
	outcome_clear(out);
	return (struct azure_call){ .done = on_done, .arg = out };
}

void wait_for(struct azure_client *client, struct outcome *out)
{
	time_t deadline = time(NULL) + PATIENCE_S;

	while (!out->is_done) {
		int n = azure_client_run(client, 1000);

		if (n < 0 || time(NULL) > deadline) {
			fprintf(stderr, "no completion in %d s (run: %d)\n", PATIENCE_S, n);
			exit(3);
		}
	}
}

bool ended(struct suite *suite, int submitted, struct outcome *out, enum azure_scope scope,
	   int status)
{
	if (submitted) {
		test_fail("submit", submitted, "refused", " ");
		return false;
	}
	wait_for(suite->client, out);
	if (out->rsp.error.scope == scope && (!status || out->rsp.status == status))
		return true;
	fprintf(stderr, "expected %s %d, got %s %d %s: %s\n", azure_scope_name(scope), status,
		azure_scope_name(out->rsp.error.scope), out->rsp.status, out->rsp.error.code,
		out->rsp.error.message);
	return false;
}

const char *outcome_meta(const struct outcome *out, const char *name)
{
	const char *value = azure_meta_find(out->meta, out->n_meta, name);

	return value ? value : "(none)";
}

struct azure_target *target_for(struct suite *suite, const char *container, const char *endpoint,
				struct azure_credential *credential)
{
	struct azure_target_config config = {
		.container = container,
		.endpoint = endpoint ? endpoint : suite->endpoint,
		.credential = credential ? credential : suite->credential,
	};
	struct azure_error err;
	struct azure_target *target = azure_target_create(&config, &err);

	if (!target)
		fprintf(stderr, "target: %s\n", err.message);
	return target;
}
