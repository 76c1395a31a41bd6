/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Many requests at a time: connections are kept, nothing is lost when the client goes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define N_PUTS 1000
#define AT_A_TIME 16

struct load {
	struct suite *suite;
	unsigned int submitted, done, good;
	int refused;
};

static void on_put(void *arg, const struct azure_response *rsp);

static void submit_next(struct load *load)
{
	const struct azure_body body = { .data = "0123456789", .length = 10 };
	const struct azure_call call = { .done = on_put, .arg = load };
	char blob[32];

	if (load->submitted == N_PUTS)
		return;
	snprintf(blob, sizeof(blob), "load/%u", load->submitted++);
	load->refused |= azure_put_blob(load->suite->client, load->suite->target, blob, &body,
					NULL, &call);
}

static void on_put(void *arg, const struct azure_response *rsp)
{
	struct load *load = arg;

	load->done++;
	load->good += rsp->status == 201;
	submit_next(load);
}

static void kept_alive(struct suite *suite)
{
	struct load load = { .suite = suite };
	struct azure_client_counters before, after;

	azure_client_counters(suite->client, &before);
	for (int i = 0; i < AT_A_TIME; i++)
		submit_next(&load);
	while (load.done < N_PUTS && azure_client_run(suite->client, 30000) >= 0)
		;
	azure_client_counters(suite->client, &after);
	CHECK(!load.refused && load.good == N_PUTS, "%u of %u", load.good, load.done);
	CHECK(after.connections - before.connections <= AT_A_TIME, "%llu connections",
	      (unsigned long long)(after.connections - before.connections));
	CHECK(after.requests - before.requests >= N_PUTS);
}

/* All of them at once, more than connections are kept. */
static void all_at_once(struct suite *suite)
{
	const struct azure_body body = { .data = "0123456789", .length = 10 };
	static struct outcome outs[N_PUTS];
	unsigned int good = 0;
	char blob[32];

	for (int i = 0; i < N_PUTS; i++) {
		struct azure_call call = call_for(&outs[i]);

		snprintf(blob, sizeof(blob), "burst/%d", i);
		CHECK(!azure_put_blob(suite->client, suite->target, blob, &body, NULL, &call));
	}
	for (int i = 0; i < N_PUTS; i++) {
		wait_for(suite->client, &outs[i]);
		good += outs[i].rsp.status == 201;
	}
	CHECK(good == N_PUTS, "%u", good);
	CHECK(azure_client_in_flight(suite->client) == 0);
}

static void client_goes(struct suite *suite)
{
	static struct outcome outs[50];
	struct azure_client *client = azure_client_create(NULL);
	struct azure_call call;

	CHECK(client);
	for (int i = 0; i < 50; i++) {
		call = call_for(&outs[i]);
		CHECK(!azure_get_blob_properties(client, suite->target, "x", NULL, &call));
		if (i == 25)
			azure_client_run(client, 0);
	}
	azure_client_free(client);
	for (int i = 0; i < 50; i++)
		CHECK(outs[i].is_done);
}

void tests_of_load(struct suite *suite)
{
	test_run("1000 puts over kept connections", kept_alive, suite);
	test_run("1000 puts at once", all_at_once, suite);
	test_run("a client that goes completes what is under way", client_goes, suite);
}
