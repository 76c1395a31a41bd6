/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "azure/credential.h"
#include "azure/target.h"

#define KEY "MDEyMzQ1Njc4OWFiY2RlZg=="	/* 0123456789abcdef */

static struct azure_error err;

static struct azure_credential *parse(const char *text)
{
	memset(&err, 0, sizeof(err));
	return azure_credential_parse(text, strlen(text), &err);
}

static void refused(const char *text, const char *why)
{
	struct azure_credential *cred = parse(text);

	if (cred || !strstr(err.message, why))
		fail_msg("%s: %s", text, cred ? "accepted" : err.message);
	assert_int_equal(err.scope, AZURE_SCOPE_TARGET);
	assert_null(strstr(err.message, "MDEy"));
	assert_null(strstr(err.message, "0123456789abcdef"));
}

static void keys(void **state)
{
	struct azure_credential *cred = parse("# a comment\n\n  AZURE_STORAGE_KEY = " KEY " \r\n"
					      "AZURE_STORAGE_ACCOUNT=myaccount\nALLOW_HTTP=1");

	(void)state;
	assert_non_null(cred);
	assert_int_equal(cred->kind, AZURE_CREDENTIAL_SHARED_KEY);
	assert_int_equal(cred->key_len, 16);
	assert_memory_equal(cred->key, "0123456789abcdef", 16);
	assert_string_equal(cred->account, "myaccount");
	assert_string_equal(cred->source, "AZURE_STORAGE_KEY");
	assert_true(cred->allow_http);
	azure_credential_put(azure_credential_get(cred));
	azure_credential_put(cred);
	cred = parse("AZURE_STORAGE_ACCESS_KEY=\"" KEY "\"");
	assert_non_null(cred);
	assert_string_equal(cred->account, "");
	azure_credential_put(cred);
}

static void sas(void **state)
{
	struct azure_credential *cred = parse("AZURE_STORAGE_SAS_TOKEN=?sv=1&sig=a%2Bb%3D\n");

	(void)state;
	assert_non_null(cred);
	assert_int_equal(cred->kind, AZURE_CREDENTIAL_SAS);
	assert_string_equal(cred->sas, "sv=1&sig=a%2Bb%3D");
	azure_credential_put(cred);
	refused("AZURE_STORAGE_SAS_TOKEN=sv=1&xsig=abc", "no signature");
	refused("AZURE_STORAGE_SAS_TOKEN=sv=1&sig=", "no signature");
	refused("AZURE_STORAGE_SAS_TOKEN=sig=a b", "cannot stand");
	refused("AZURE_STORAGE_SAS_TOKEN=sig=a#b", "cannot stand");
	refused("AZURE_STORAGE_SAS_TOKEN=?", "empty");
}

static void bad_files(void **state)
{
	(void)state;
	refused("", "neither");
	refused("AZURE_STORAGE_ACCOUNT=abc", "neither");
	refused("AZURE_STORAGE_KEY=" KEY "\nAZURE_STORAGE_SAS_TOKEN=sig=1", "exactly one kind");
	refused("AZURE_STORAGE_KEY=" KEY "\nAZURE_STORAGE_ACCESS_KEY=" KEY, "exactly one kind");
	refused("AZURE_STORAGE_KEY=" KEY "\nMANAGED_IDENTITY=system", "exactly one kind");
	refused("AZURE_STORAGE_KEY=" KEY "\nAZURE_STORAGE_KEY=" KEY, "line 2 of the credential repeats");
	refused("\n" KEY "x", "line 2");
	refused("AZURE_STORAGE_KEEY=" KEY, "line 1 of the credential is an unknown");
	refused("AZURE_STORAGE_KEY", "line 1 of the credential is not");
	refused("AZURE_STORAGE_KEY=MDEy", "not base64");
	refused("AZURE_STORAGE_KEY=MDEyMzQ1Njc4OWFiY2RlZg", "not base64");
	refused("AZURE_STORAGE_KEY=MDEyMzQ1Njc4OWFiY2RlZg==!", "not base64");
	refused("AZURE_STORAGE_KEY=" KEY "\nAZURE_STORAGE_ACCOUNT=No", "account name");
	refused("AZURE_STORAGE_KEY=" KEY "\nALLOW_HTTP=yes", "ALLOW_HTTP");
	refused("AZURE_STORAGE_KEY=" KEY "\nALLOWED_HOSTS= , ", "ALLOWED_HOSTS");
	refused("AZURE_CLIENT_SECRET=x\nAZURE_TENANT_ID=t\nAZURE_CLIENT_ID=c", "OAuth");
	refused("MANAGED_IDENTITY=system", "OAuth");
	assert_null(azure_credential_parse("AZURE\0STORAGE", 13, &err));
	assert_non_null(strstr(err.message, "NUL"));
}

#define CS "AZURE_STORAGE_CONNECTION_STRING="

static void endpoint_is(const char *text, const char *account, const char *endpoint)
{
	struct azure_credential *cred = parse(text);

	if (!cred)
		fail_msg("%s: %s", text, err.message);
	assert_string_equal(cred->account, account);
	assert_string_equal(cred->endpoint, endpoint);
	azure_credential_put(cred);
}

static void connection_strings(void **state)
{
	struct azure_credential *cred;

	(void)state;
	endpoint_is(CS "DefaultEndpointsProtocol=https;AccountName=abc;AccountKey=" KEY
		       ";EndpointSuffix=core.windows.net", "abc",
		    "https://abc.blob.core.windows.net");
	endpoint_is(CS "AccountName=abc;AccountKey=" KEY, "abc", "");
	endpoint_is(CS "accountname=abc;accountkey=" KEY ";;", "abc", "");
	endpoint_is(CS "DefaultEndpointsProtocol=http;AccountName=abc;AccountKey=" KEY, "abc",
		    "http://abc.blob.core.windows.net");
	endpoint_is(CS "BlobEndpoint=http://127.0.0.1:10000/abc;AccountName=abc;AccountKey=" KEY
		       ";QueueEndpoint=http://q", "abc", "http://127.0.0.1:10000/abc");
	endpoint_is(CS "UseDevelopmentStorage=true", "devstoreaccount1",
		    "http://127.0.0.1:10000/devstoreaccount1");
	cred = parse(CS "BlobEndpoint=https://h/;SharedAccessSignature=sv=1&sig=x%3D");
	assert_non_null(cred);
	assert_string_equal(cred->sas, "sv=1&sig=x%3D");
	azure_credential_put(cred);

	refused(CS "AccountName=abc", "either AccountKey or");
	refused(CS "AccountKey=" KEY, "no AccountName");
	refused(CS "AccountName=abc;AccountKey=" KEY ";SharedAccessSignature=sig=1", "either");
	refused(CS "AccountName=abc;AccountName=abd;AccountKey=" KEY, "twice");
	refused(CS "AccountName=abc;junk;AccountKey=" KEY, "without '='");
	refused(CS "AccountName=abc;AccountKey=" KEY ";DefaultEndpointsProtocol=ftp", "neither http");
	refused(CS "UseDevelopmentStorage=false", "UseDevelopmentStorage");
	refused(CS "UseDevelopmentStorage=true;AccountName=abc", "UseDevelopmentStorage");
	refused(CS "AccountName=abc;BlobEndpoint=;AccountKey=" KEY, "empty or too long");
	refused(CS "AccountName=abc;AccountKey=" KEY "\nAZURE_STORAGE_ACCOUNT=abd", "different");
}

static int check(const char *text, const char *host, bool is_https)
{
	struct azure_credential *cred = parse(text);
	int ret;

	assert_non_null(cred);
	ret = azure_credential_check_host(cred, host, is_https, &err);
	azure_credential_put(cred);
	return ret;
}

static void hosts(void **state)
{
	static const char key[] = "AZURE_STORAGE_KEY=" KEY;
	static const char own[] = "AZURE_STORAGE_KEY=" KEY
				  "\nALLOWED_HOSTS=store.example, .corp.example *.lab.example\n";

	(void)state;
	assert_int_equal(check(key, "abc.blob.core.windows.net", true), 0);
	assert_int_equal(check(key, "ABC.Blob.Core.Windows.Net", true), 0);
	assert_int_equal(check(key, "abc.z1.blob.storage.azure.net", true), 0);
	assert_int_equal(check(key, "abc.blob.core.usgovcloudapi.net", true), 0);
	assert_int_equal(check(key, "blob.core.windows.net", true), -13);
	assert_int_equal(check(key, "abc.blob.core.windows.net.evil.example", true), -13);
	assert_int_equal(check(key, "evilblob.core.windows.net", true), -13);
	assert_int_equal(check(key, "abc.blob.core.windows.net", false), -13);
	assert_int_equal(check(key, "10.0.2.2", true), -13);
	assert_int_equal(check(key, "127.0.0.1", false), 0);
	assert_int_equal(check(key, "127.1.2.3", false), 0);
	assert_int_equal(check(key, "localhost", false), 0);
	assert_int_equal(check(key, "::1", false), 0);
	assert_int_equal(check(key, "127.0.0.1.evil.example", false), -13);
	assert_int_equal(check(own, "store.example", true), 0);
	assert_int_equal(check(own, "a.corp.example", true), 0);
	assert_int_equal(check(own, "a.lab.example", true), 0);
	assert_int_equal(check(own, "corp.example", true), -13);
	assert_int_equal(check(own, "abc.blob.core.windows.net", true), -13);
	assert_int_equal(check(own, "store.example", false), -13);
	assert_int_equal(check("AZURE_STORAGE_KEY=" KEY "\nALLOWED_HOSTS=10.0.2.2\nALLOW_HTTP=1",
			       "10.0.2.2", false), 0);
	/* A connection string that names its own endpoint has allowed it. */
	assert_int_equal(check(CS "AccountName=abc;BlobEndpoint=https://s3.example/x;AccountKey=" KEY,
			       "s3.example", true), 0);
	assert_int_equal(check(CS "AccountName=abc;BlobEndpoint=http://s3.example/x;AccountKey=" KEY,
			       "s3.example", false), -13);
}

static struct azure_target *target(const char *text, const char *account, const char *container,
				   const char *endpoint)
{
	struct azure_credential *cred = parse(text);
	struct azure_target_config config = { .account = account, .container = container,
					      .endpoint = endpoint, .credential = cred };
	struct azure_target *made;

	assert_non_null(cred);
	made = azure_target_create(&config, &err);
	azure_credential_put(cred);
	return made;
}

static void bad_target(const char *account, const char *container, const char *endpoint,
		       const char *why)
{
	struct azure_target *made = target("AZURE_STORAGE_KEY=" KEY "\nAZURE_STORAGE_ACCOUNT=abc",
					   account, container, endpoint);

	if (made || !strstr(err.message, why))
		fail_msg("%s %s %s: %s", account, container, endpoint,
			 made ? "accepted" : err.message);
}

static void targets(void **state)
{
	struct azure_target *made = target("AZURE_STORAGE_KEY=" KEY, "abc", "con", NULL);

	(void)state;
	assert_non_null(made);
	assert_string_equal(azure_target_endpoint(made), "https://abc.blob.core.windows.net");
	azure_target_put(made);
	made = target("AZURE_STORAGE_KEY=" KEY, "abc", "con", "http://[::1]:10000/abc//");
	assert_non_null(made);
	assert_string_equal(azure_target_endpoint(made), "http://[::1]:10000/abc");
	assert_string_equal(azure_target_account(made), "abc");
	assert_string_equal(azure_target_container(made), "con");
	azure_target_put(made);

	bad_target("abd", "con", NULL, "the mapping for abd");
	bad_target("abc", "Con", NULL, "container");
	bad_target("abc", "", NULL, "container");
	bad_target("abc", "con", "ftp://127.0.0.1", "https:// or http://");
	bad_target("abc", "con", "https://evil.example", "ALLOWED_HOSTS");
	bad_target("abc", "con", "http://abc.blob.core.windows.net", "ALLOW_HTTP");
	bad_target("abc", "con", "https://u:p@abc.blob.core.windows.net", "HOST");
	bad_target("abc", "con", "https://evil.example#.blob.core.windows.net", "HOST");
	bad_target("abc", "con", "https://evil.example?.blob.core.windows.net", "HOST");
	bad_target("abc", "con", "https://evil.example\\.blob.core.windows.net", "HOST");
	bad_target("abc", "con", "http://127.0.0.1:0/x", "HOST");
	bad_target("abc", "con", "http://127.0.0.1:65536/x", "HOST");
	bad_target("abc", "con", "http://127.0.0.1:1x/x", "HOST");
	bad_target("abc", "con", "http://127.0.0.1/../x", "HOST");
	bad_target("abc", "con", "http://127.0.0.1/x/..", "HOST");
	bad_target("abc", "con", "http://127.0.0.1/a b", "HOST");
	bad_target("abc", "con", "http://127.0.0.1/%2e", "HOST");
	bad_target("abc", "con", "http://[::1/x", "HOST");
	bad_target("abc", "con", "http:///x", "HOST");
	assert_null(target("AZURE_STORAGE_KEY=" KEY, NULL, "con", "https://localhost"));
	assert_non_null(strstr(err.message, "names an account"));
}

static char dir[] = "/tmp/azure-credential-XXXXXX";

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static bool loads(const char *name)
{
	struct azure_credential *cred = azure_credential_load(dir, name, &err);

	azure_credential_put(cred);
	return cred;
}

static void files(void **state)
{
	static const mode_t good[] = { 0600, 0400, 0440, 0640 };
	static const mode_t bad[] = { 0644, 0604, 0601, 0660, 0620, 0602 };
	char path[128], other[128];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/default", dir);
	snprintf(other, sizeof(other), "%s/sub", dir);
	unsetenv("CREDENTIALS_DIRECTORY");
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		write_file(path, "AZURE_STORAGE_KEY=" KEY "\n", good[i]);
		assert_true(loads("default"));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		write_file(path, "AZURE_STORAGE_KEY=" KEY "\n", bad[i]);
		assert_false(loads("default"));
		assert_int_equal(err.sys_errno, 13);
	}
	assert_false(loads("missing"));
	assert_int_equal(err.sys_errno, 2);
	assert_false(loads("../default"));
	assert_false(loads("."));
	assert_false(loads(""));
	assert_int_equal(mkdir(other, 0700), 0);
	assert_false(loads("sub"));
	assert_non_null(strstr(err.message, "not a regular file"));

	/* What systemd passes comes first. */
	setenv("CREDENTIALS_DIRECTORY", other, 1);
	write_file(path, "AZURE_STORAGE_KEY=" KEY "\n", 0600);
	assert_true(loads("default"));
	assert_false(loads("missing"));
	assert_int_equal(err.sys_errno, 2);
	assert_non_null(strstr(err.message, "no credential 'missing'"));
	assert_non_null(strstr(err.message, "/etc/azure-storage/credentials.d"));
	snprintf(other, sizeof(other), "%s/sub/default", dir);
	write_file(other, "nonsense", 0400);
	assert_false(loads("default"));
	unsetenv("CREDENTIALS_DIRECTORY");
	unlink(other);
	unlink(path);
	snprintf(other, sizeof(other), "%s/sub", dir);
	rmdir(other);
	rmdir(dir);
}

static void environment(void **state)
{
	struct azure_credential *cred;

	(void)state;
	unsetenv("AZURE_STORAGE_CONNECTION_STRING");
	unsetenv("AZURE_STORAGE_KEY");
	assert_null(azure_credential_from_environment(&err));
	setenv("AZURE_STORAGE_ACCOUNT", "abc", 1);
	setenv("AZURE_STORAGE_KEY", KEY, 1);
	setenv("AZURE_STORAGE_SAS_TOKEN", "", 1);
	cred = azure_credential_from_environment(&err);
	assert_non_null(cred);
	assert_string_equal(cred->account, "abc");
	azure_credential_put(cred);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),		      cmocka_unit_test(sas),
		cmocka_unit_test(bad_files),	      cmocka_unit_test(connection_strings),
		cmocka_unit_test(hosts),	      cmocka_unit_test(targets),
		cmocka_unit_test(files),	      cmocka_unit_test(environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
