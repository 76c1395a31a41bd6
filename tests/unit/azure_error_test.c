/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "unit.h"

#include <string.h>

#include "azure/error.h"

static struct azure_error classify(struct azure_outcome out)
{
	struct azure_error err;

	if (!out.retry_after_ms)
		out.retry_after_ms = -1;
	memset(&err, 0xff, sizeof(err));
	azure_error_classify(&err, &out);
	return err;
}

static enum azure_scope scope(int status, const char *code)
{
	return classify((struct azure_outcome){ .http_status = status, .service_code = code })
		.scope;
}

static void answers(void **state)
{
	static const struct {
		int status;
		const char *code;
		enum azure_scope scope;
	} cases[] = {
		{ 200, NULL, AZURE_SCOPE_NONE },
		{ 206, NULL, AZURE_SCOPE_NONE },
		{ 401, "NoAuthenticationInformation", AZURE_SCOPE_TARGET },
		{ 403, "AuthenticationFailed", AZURE_SCOPE_TARGET },
		{ 403, "AuthorizationPermissionMismatch", AZURE_SCOPE_TARGET },
		{ 403, "AccountIsDisabled", AZURE_SCOPE_TARGET },
		{ 403, NULL, AZURE_SCOPE_TARGET },
		{ 404, "ContainerNotFound", AZURE_SCOPE_TARGET },
		{ 409, "ContainerBeingDeleted", AZURE_SCOPE_TARGET },
		{ 400, "AccountRequiresHttps", AZURE_SCOPE_TARGET },
		{ 302, NULL, AZURE_SCOPE_TARGET },
		{ 407, NULL, AZURE_SCOPE_TARGET },
		{ 404, "BlobNotFound", AZURE_SCOPE_NOT_FOUND },
		{ 404, NULL, AZURE_SCOPE_NOT_FOUND },
		{ 412, "ConditionNotMet", AZURE_SCOPE_CONFLICT },
		{ 412, NULL, AZURE_SCOPE_CONFLICT },
		{ 304, NULL, AZURE_SCOPE_CONFLICT },
		{ 409, "BlobAlreadyExists", AZURE_SCOPE_CONFLICT },
		{ 400, "InvalidBlockList", AZURE_SCOPE_CONFLICT },
		{ 412, "LeaseIdMissing", AZURE_SCOPE_FILE },
		{ 409, "BlobArchived", AZURE_SCOPE_FILE },
		{ 409, "BlobImmutableDueToPolicy", AZURE_SCOPE_FILE },
		{ 409, "SnapshotsPresent", AZURE_SCOPE_FILE },
		{ 409, "InvalidBlobType", AZURE_SCOPE_FILE },
		{ 400, "InvalidResourceName", AZURE_SCOPE_FILE },
		{ 400, "MetadataTooLarge", AZURE_SCOPE_FILE },
		{ 413, "RequestBodyTooLarge", AZURE_SCOPE_FILE },
		{ 403, "CannotVerifyCopySource", AZURE_SCOPE_FILE },
		{ 404, "CannotVerifyCopySource", AZURE_SCOPE_FILE },
		{ 501, "APINotImplemented", AZURE_SCOPE_FILE },
		{ 408, NULL, AZURE_SCOPE_TRANSIENT },
		{ 429, NULL, AZURE_SCOPE_TRANSIENT },
		{ 500, "OperationTimedOut", AZURE_SCOPE_TRANSIENT },
		{ 500, "InternalError", AZURE_SCOPE_TRANSIENT },
		{ 502, NULL, AZURE_SCOPE_TRANSIENT },
		{ 503, "ServerBusy", AZURE_SCOPE_TRANSIENT },
		{ 504, NULL, AZURE_SCOPE_TRANSIENT },
		{ 400, "Md5Mismatch", AZURE_SCOPE_TRANSIENT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (scope(cases[i].status, cases[i].code) != cases[i].scope)
			fail_msg("%d %s", cases[i].status, cases[i].code ? cases[i].code : "");
	}
	/* A container that is missing is no missing blob, even where no code says so. */
	assert_int_equal(classify((struct azure_outcome){ .http_status = 404,
							  .is_container = true }).scope,
			 AZURE_SCOPE_TARGET);
	assert_int_equal(classify((struct azure_outcome){ .http_status = 409,
							  .if_none_match = true }).scope,
			 AZURE_SCOPE_CONFLICT);
}

static void transports(void **state)
{
	struct azure_error err;

	(void)state;
	err = classify((struct azure_outcome){ .transport = AZURE_TRANSPORT_RESOLVE });
	assert_true(err.scope == AZURE_SCOPE_TARGET && azure_error_blocks_target(&err));
	err = classify((struct azure_outcome){ .transport = AZURE_TRANSPORT_TLS });
	assert_true(err.scope == AZURE_SCOPE_TARGET && !azure_error_is_retryable(&err));
	err = classify((struct azure_outcome){ .transport = AZURE_TRANSPORT_CONNECT });
	assert_true(err.scope == AZURE_SCOPE_TRANSIENT && azure_error_blocks_target(&err));
	assert_false(azure_error_is_ambiguous(&err));
	err = classify((struct azure_outcome){ .transport = AZURE_TRANSPORT_TIMEOUT });
	assert_true(azure_error_blocks_target(&err) && azure_error_is_ambiguous(&err));
	err = classify((struct azure_outcome){ .transport = AZURE_TRANSPORT_BROKEN,
					       .http_status = 200 });
	assert_true(err.scope == AZURE_SCOPE_TRANSIENT && azure_error_is_ambiguous(&err));
	assert_false(azure_error_blocks_target(&err));
	err = classify((struct azure_outcome){ .transport = AZURE_TRANSPORT_LOCAL });
	assert_int_equal(err.scope, AZURE_SCOPE_LOCAL);
}

static void ambiguity(void **state)
{
	struct azure_error err;

	(void)state;
	err = classify((struct azure_outcome){ .http_status = 500,
					       .service_code = "OperationTimedOut" });
	assert_true(azure_error_is_ambiguous(&err));
	err = classify((struct azure_outcome){ .http_status = 503, .service_code = "ServerBusy" });
	assert_false(azure_error_is_ambiguous(&err));
	err = classify((struct azure_outcome){ .http_status = 201 });
	assert_false(azure_error_is_ambiguous(&err));
}

static void messages(void **state)
{
	struct azure_error err;

	(void)state;
	err = classify((struct azure_outcome){ .http_status = 409,
					       .service_code = "BlobArchived",
					       .service_message = "It is\x01 archived.\nRequestId:1" });
	assert_string_equal(err.message, "the service answered 409 BlobArchived: It is? archived.");
	assert_string_equal(err.code, "BlobArchived");
	/* What a refusal quotes may be what was signed. */
	err = classify((struct azure_outcome){ .http_status = 403,
					       .service_code = "AuthenticationFailed",
					       .service_message = "string to sign: SECRET",
					       .skew_s = -7200 });
	assert_null(strstr(err.message, "SECRET"));
	assert_non_null(strstr(err.message, "clock is 7200 s ahead of the service's"));
	err = classify((struct azure_outcome){ .http_status = 401, .skew_s = 3600 });
	assert_non_null(strstr(err.message, "clock is 3600 s behind the service's"));
	/* A code is a word, or it is none. */
	err = classify((struct azure_outcome){ .http_status = 400,
					       .service_code = "Bad Code\r\nX: y" });
	assert_string_equal(err.code, "");
	assert_null(strchr(err.message, '\r'));
}

static void long_texts(void **state)
{
	static char text[4096];
	struct azure_error err;

	(void)state;
	memset(text, 'A', sizeof(text) - 1);
	err = classify((struct azure_outcome){ .http_status = 400, .service_code = text,
					       .service_message = text });
	assert_string_equal(err.code, "");
	assert_true(strlen(err.message) < AZURE_MESSAGE_MAX);
	err = classify((struct azure_outcome){ .transport = AZURE_TRANSPORT_BROKEN,
					       .transport_message = text });
	assert_true(strlen(err.message) < AZURE_MESSAGE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),  cmocka_unit_test(transports),
		cmocka_unit_test(ambiguity), cmocka_unit_test(messages),
		cmocka_unit_test(long_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
