/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The server at $AZURITE_TLS_ENDPOINT has a certificate that only $AZURITE_TLS_CA vouches for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static struct azure_target *tls_target(struct suite *suite, const char *ca_file)
{
	struct azure_target_config config = {
		.container = "tls-test",
		.endpoint = getenv("AZURITE_TLS_ENDPOINT"),
		.ca_file = ca_file,
		.credential = suite->credential,
	};
	struct azure_error err;

	return azure_target_create(&config, &err);
}

static void vouched_for(struct suite *suite)
{
	struct azure_target *target = tls_target(suite, getenv("AZURITE_TLS_CA"));
	struct azure_body body = { .data = "over TLS", .length = 8 };
	struct outcome out = { 0 };
	struct azure_call call = call_for(&out);
	char etag[AZURE_ETAG_MAX];

	CHECK(target);
	CHECK(ended(suite, azure_create_container(suite->client, target, &call), &out,
		    AZURE_SCOPE_NONE, 201), "%s", out.rsp.error.message);
	call = call_for(&out);
	CHECK(ended(suite, azure_put_blob(suite->client, target, "a b", &body, NULL, &call), &out,
		    AZURE_SCOPE_NONE, 201));
	strcpy(etag, out.rsp.etag);
	call = call_for(&out);
	CHECK(ended(suite, azure_get_blob_properties(suite->client, target, "a b",
						     &(struct azure_conditions){ etag, NULL },
						     &call), &out, AZURE_SCOPE_NONE, 200));
	azure_target_put(target);
}

/* After a target with a CA of its own, in the same handles. */
static void not_vouched_for(struct suite *suite)
{
	struct azure_target *target = tls_target(suite, NULL);
	struct outcome out = { 0 };
	struct azure_call call = call_for(&out);

	CHECK(target);
	CHECK(ended(suite, azure_get_container_properties(suite->client, target, &call), &out,
		    AZURE_SCOPE_TARGET, 0));
	CHECK(out.rsp.tries == 1 && strstr(out.rsp.error.message, "TLS failed"), "%s",
	      out.rsp.error.message);
	azure_target_put(target);
}

static void missing_ca(struct suite *suite)
{
	struct azure_target *target = tls_target(suite, "/nonexistent/ca.pem");
	struct outcome out = { 0 };
	struct azure_call call = call_for(&out);

	CHECK(target);
	CHECK(ended(suite, azure_get_container_properties(suite->client, target, &call), &out,
		    AZURE_SCOPE_TARGET, 0));
	azure_target_put(target);
}

void tests_of_tls(struct suite *suite)
{
	test_run("a certificate that ca_file vouches for", vouched_for, suite);
	test_run("a certificate that nobody vouches for", not_vouched_for, suite);
	test_run("a ca_file that is not there", missing_ca, suite);
}
