/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The Blob client against the server at $AZURITE_ENDPOINT; see tests/azurite/run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

/* Every Azurite has this key: it is no secret. */
static const char credential_text[] =
	"AZURE_STORAGE_ACCOUNT=devstoreaccount1\n"
	"AZURE_STORAGE_KEY=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
	"K1SZFPTOtr/KBHBeksoGMGw==\n";

int main(void)
{
	const char *endpoint = getenv("AZURITE_ENDPOINT");
	struct suite suite = { 0 };
	struct azure_error err;

	if (!endpoint) {
		fprintf(stderr, "AZURITE_ENDPOINT is not set\n");
		return 2;
	}
	snprintf(suite.endpoint, sizeof(suite.endpoint), "%s", endpoint);
	suite.client = azure_client_create(NULL);
	suite.credential = azure_credential_parse(credential_text, strlen(credential_text), &err);
	if (!suite.client || !suite.credential) {
		fprintf(stderr, "no client, or no credential: %s\n", err.message);
		return 2;
	}
	suite.target = target_for(&suite, "client-test", NULL, NULL);
	if (!suite.target)
		return 2;

	tests_of_blobs(&suite);
	tests_of_blocks(&suite);
	tests_of_errors(&suite);
	tests_of_tls(&suite);
	tests_of_load(&suite);

	azure_client_free(suite.client);
	azure_target_put(suite.target);
	azure_credential_put(suite.credential);
	printf("end\n");
	fflush(stdout);
	return test_failures() ? 1 : 0;
}
