/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "cli/push_url.h"

static struct error e;

static void assert_url(const char *url, const char *account, const char *endpoint,
		       const char *container, const char *prefix)
{
	struct push_url u;

	if (push_url_parse(&u, url, &e))
		fail_msg("%s: %s", url, e.message);
	assert_string_equal(u.account, account);
	assert_string_equal(u.endpoint, endpoint);
	assert_string_equal(u.container, container);
	assert_string_equal(u.prefix, prefix);
	push_url_free(&u);
}

static void test_account_in_the_host(void **state)
{
	(void)state;
	assert_url("https://acme.blob.core.windows.net/docs", "acme",
		   "https://acme.blob.core.windows.net", "docs", "");
	assert_url("https://acme.blob.core.windows.net/docs/", "acme",
		   "https://acme.blob.core.windows.net", "docs", "");
	assert_url("HTTPS://acme.example.org:444/docs/a b/c", "acme",
		   "HTTPS://acme.example.org:444", "docs", "a b/c/");
	assert_url("https://acme.blob.core.windows.net/docs//a/", "acme",
		   "https://acme.blob.core.windows.net", "docs", "a/");
}

static void test_account_in_the_path(void **state)
{
	(void)state;
	assert_url("http://127.0.0.1:10000/dev1/docs", "dev1", "http://127.0.0.1:10000/dev1",
		   "docs", "");
	assert_url("http://localhost:10000/dev1/docs/p", "dev1", "http://localhost:10000/dev1",
		   "docs", "p/");
	assert_url("http://[::1]:10000/dev1/docs", "dev1", "http://[::1]:10000/dev1", "docs", "");
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"", "acme", "ftp://acme.example.org/docs", "https://", "https:///docs",
		"https://acme.example.org", "https://acme.example.org/", "https://acme.example.org//x",
		"https://.example.org/docs", "http://127.0.0.1:10000", "http://127.0.0.1:10000/dev1",
		"http://127.0.0.1:10000/dev1/", "http://127.0.0.1:10000//docs",
		"https://acme.example.org/docs?sig=secret", "https://acme.example.org/docs#x",
		"https://user:password@acme.example.org/docs",
	};
	struct push_url u;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (push_url_parse(&u, bad[i], &e) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
		assert_null(u.container);
		assert_null(strstr(e.message, "secret"));
		assert_null(strstr(e.message, "password"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_account_in_the_host),
		cmocka_unit_test(test_account_in_the_path),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
