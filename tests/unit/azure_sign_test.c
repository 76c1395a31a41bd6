/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "unit.h"

#include <string.h>

#include "azure/auth.h"
#include "azure/encode.h"

static struct azure_sign_header ms_header(const char *name, const char *value)
{
	return (struct azure_sign_header){ name, strlen(name), value, strlen(value) };
}

/*
 * Signatures from a client that is known to work:
 * github.com/pgbackrest/pgbackrest, test/src/module/storage/azureTest.c, "minimal auth" and
 * "auth with md5 and query".
 */
static void known_signatures(void **state)
{
	const struct azure_sign_header headers[] = { ms_header("x-ms-version", "2021-06-08") };
	const struct azure_parameter parameters[] = { { "a", "b" } };
	struct azure_sign_input in = { .verb = "GET",
				       .date = "Sun, 21 Jun 2020 12:46:19 GMT",
				       .ms_headers = headers,
				       .n_ms_headers = 1 };
	struct azure_text resource = { 0 }, text = { 0 };
	char signature[AZURE_SIGNATURE_LEN + 1];
	struct azure_signer *signer = azure_signer_create((const uint8_t *)"azKey", 5);

	(void)state;
	assert_non_null(signer);
	azure_sign_put_resource(&resource, "account", "/path", NULL, 0);
	in.resource = resource.data;
	azure_sign_put_string(&text, &in);
	assert_int_equal(azure_signer_sign(signer, text.data, text.len, signature), 0);
	assert_string_equal(signature, "2HRoJbu+G0rqwMjG+6gsb8WWkVo9rJNrDywsrnkmQAE=");

	azure_text_reset(&resource);
	azure_text_reset(&text);
	azure_sign_put_resource(&resource, "account", "/path/file", parameters, 1);
	in.resource = resource.data;
	in.content_length = 44;
	in.content_md5 = "b64f49553d5c441652e95697a2c5949e";
	azure_sign_put_string(&text, &in);
	assert_int_equal(azure_signer_sign(signer, text.data, text.len, signature), 0);
	assert_string_equal(signature, "nuaRe9f/J91zHEE2x734ARyHJxd6Smju1j8qPrueE6o=");

	azure_text_free(&resource);
	azure_text_free(&text);
	azure_signer_free(signer);
}

/*
 * The example of learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key, "Blob,
 * Queue, and File Services (Shared Key authorization)".
 */
static void documented_string(void **state)
{
	const struct azure_sign_header headers[] = {
		ms_header("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"),
		ms_header("x-ms-version", "2015-02-21"),
	};
	const struct azure_parameter parameters[] = { { "comp", "metadata" },
						      { "restype", "container" },
						      { "timeout", "20" } };
	struct azure_text resource = { 0 }, text = { 0 };
	struct azure_sign_input in = { .verb = "GET", .ms_headers = headers, .n_ms_headers = 2 };

	(void)state;
	azure_sign_put_resource(&resource, "myaccount", "/mycontainer", parameters, 3);
	in.resource = resource.data;
	azure_sign_put_string(&text, &in);
	assert_string_equal(text.data,
			    "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n"
			    "x-ms-version:2015-02-21\n/myaccount/mycontainer\ncomp:metadata\n"
			    "restype:container\ntimeout:20");
	azure_text_free(&resource);
	azure_text_free(&text);
}

/* Every line in its place; the emulator's path has the account twice. */
static void every_line(void **state)
{
	const struct azure_sign_header headers[] = { ms_header("x-ms-meta-a", "") };
	struct azure_sign_input in = { .verb = "PUT",
				       .content_length = 12,
				       .content_md5 = "MD5==",
				       .content_type = "text/plain",
				       .if_match = "\"0x1\"",
				       .if_none_match = "*",
				       .ms_headers = headers,
				       .n_ms_headers = 1 };
	struct azure_text resource = { 0 }, text = { 0 };

	(void)state;
	azure_sign_put_resource(&resource, "devstoreaccount1", "/devstoreaccount1/c/a%20b", NULL,
				0);
	in.resource = resource.data;
	azure_sign_put_string(&text, &in);
	assert_string_equal(text.data, "PUT\n\n\n12\nMD5==\ntext/plain\n\n\n\"0x1\"\n*\n\n\n"
				       "x-ms-meta-a:\n/devstoreaccount1/devstoreaccount1/c/a%20b");
	azure_text_free(&resource);
	azure_text_free(&text);
}

static bool agree(const char *a, const char *b)
{
	return azure_sign_orders_agree(a, strlen(a), b, strlen(b)) &&
	       azure_sign_orders_agree(b, strlen(b), a, strlen(a));
}

static void header_order(void **state)
{
	/* All that is ever sent beside one another. */
	static const char *const sent[] = {
		"x-ms-access-tier",	  "x-ms-blob-content-md5", "x-ms-blob-content-type",
		"x-ms-blob-type",	  "x-ms-copy-source",	   "x-ms-date",
		"x-ms-meta-azs_deleted",  "x-ms-meta-azs_owner",   "x-ms-meta-azs_path",
		"x-ms-meta-azs_quiet",	  "x-ms-meta-hdi_isfolder", "x-ms-meta-is_symlink",
		"x-ms-meta-modtime",	  "x-ms-meta-mtime",	   "x-ms-meta-permissions",
		"x-ms-meta-posix_group",  "x-ms-meta-posix_owner", "x-ms-range",
		"x-ms-requires-sync",	  "x-ms-source-if-match",  "x-ms-version",
	};
	const size_t n = sizeof(sent) / sizeof(*sent);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++) {
			if (i != k)
				assert_true(agree(sent[i], sent[k]));
		}
	}
	/* '_' comes before the digits for the service, after them in ASCII. */
	assert_false(agree("x-ms-meta-a1", "x-ms-meta-a_b"));
	assert_false(agree("x-ms-meta-a_", "x-ms-meta-a0"));
	assert_true(agree("x-ms-meta-a", "x-ms-meta-a_b"));
	assert_true(agree("x-ms-meta-ab", "x-ms-meta-a_"));
	assert_true(agree("x-ms-meta-a1", "x-ms-meta-ab"));
	assert_true(agree("x-ms-meta-a", "x-ms-meta-a"));
}

static void service_sas(void **state)
{
	struct azure_text token = { 0 };
	struct azure_signer *signer = azure_signer_create((const uint8_t *)"azKey", 5);
	/* learn.microsoft.com/rest/api/storageservices/create-service-sas, since 2020-12-06. */
	static const char to_sign[] = "r\n2026-01-01T00:00:00Z\n2026-01-01T00:25:00Z\n"
				      "/blob/account/c/dir/a b\n\n\nhttps\n" AZURE_API_VERSION
				      "\nb\n\n\n\n\n\n\n";
	char signature[AZURE_SIGNATURE_LEN + 1];
	struct azure_text expected = { 0 };

	(void)state;
	assert_int_equal(azure_sas_put_blob_read(&token, signer, "account", "c", "dir/a b", true,
						 1767226500, 600), 0);
	assert_int_equal(azure_signer_sign(signer, to_sign, strlen(to_sign), signature), 0);
	azure_text_puts(&expected, "sv=" AZURE_API_VERSION "&sr=b&sp=r&spr=https"
				   "&st=2026-01-01T00%3A00%3A00Z&se=2026-01-01T00%3A25%3A00Z&sig=");
	azure_text_put_url(&expected, signature, false);
	assert_string_equal(token.data, expected.data);
	azure_text_free(&expected);
	azure_text_free(&token);
	azure_signer_free(signer);
}

static void base64(void **state)
{
	static const char *const bad[] = { "A",	   "AA",   "AAA",   "AAAA=",  "AA==AA==", "=AAA",
					   "A===", "AB==", "AAB=",  "AA A",   "AA\nA",	  "AA-_",
					   "====" };
	uint8_t out[8];
	char text[AZURE_BASE64_SIZE(3)];

	(void)state;
	assert_int_equal(azure_base64_decode(out, sizeof(out), "", 0), 0);
	assert_int_equal(azure_base64_decode(out, sizeof(out), "+/8=", 4), 2);
	assert_memory_equal(out, "\xfb\xff", 2);
	assert_int_equal(azure_base64_decode(out, 2, "AAAA", 4), -22);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(azure_base64_decode(out, sizeof(out), bad[i], strlen(bad[i])),
				 -22);
	azure_base64_encode(text, "\xfb\xff", 2);
	assert_string_equal(text, "+/8=");
}

static void dates(void **state)
{
	static const char *const bad[] = {
		"Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:7 GMT", "",
		"Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nix 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 19x4 08:49:37 GMT",
	};
	char text[AZURE_HTTP_DATE_LEN + 1];

	(void)state;
	azure_http_date_format(text, 784111777);
	assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_int_equal(azure_http_date_parse(text, strlen(text)), 784111777);
	azure_http_date_format(text, 1709210096);
	assert_string_equal(text, "Thu, 29 Feb 2024 12:34:56 GMT");
	assert_int_equal(azure_http_date_parse(text, strlen(text)), 1709210096);
	azure_http_date_format(text, INT64_MAX);
	assert_int_equal(strlen(text), AZURE_HTTP_DATE_LEN);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(azure_http_date_parse(bad[i], strlen(bad[i])), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_signatures), cmocka_unit_test(documented_string),
		cmocka_unit_test(every_line),	    cmocka_unit_test(header_order),
		cmocka_unit_test(service_sas),	    cmocka_unit_test(base64),
		cmocka_unit_test(dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
