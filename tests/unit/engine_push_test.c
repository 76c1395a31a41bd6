/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* engine_push(): a folder goes up, and the second time nothing does. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine_server.h"

static char top[64], root[96], db[96];
static struct server *server;
static unsigned int failures;
static char last_failure[128];

static int setup(void **state)
{
	(void)state;
	strcpy(top, "/tmp/azs-push-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(root, sizeof(root), "%s/root", top);
	snprintf(db, sizeof(db), "%s/push.db", top);
	failures = 0;
	server = server_start();
	return mkdir(root, 0755);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	server_stop(server);
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

static void put_file(const char *name, off_t size)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(name, f);
	fclose(f);
	if (size)
		assert_int_equal(truncate(path, size), 0);
}

static void on_failure(void *arg, const char *path, const char *message)
{
	(void)arg;
	(void)message;
	failures++;
	snprintf(last_failure, sizeof(last_failure), "%s", path);
}

static int push(const struct kdev_attr *attrs, size_t nr, struct push_progress *p, struct error *e)
{
	struct azure_target_config config = { .container = "con" };
	struct push_options o = { .path = root, .prefix = "pre/", .state_path = db, .attrs = attrs,
				  .nr_attrs = nr, .on_failure = on_failure };
	struct azure_error err = { 0 };
	char text[256];
	int r;

	snprintf(text, sizeof(text),
		 "AZURE_STORAGE_CONNECTION_STRING=DefaultEndpointsProtocol=http;AccountName=acc0;"
		 "AccountKey=a2V5a2V5a2V5a2V5a2V5a2V5;BlobEndpoint=http://127.0.0.1:%d/acc0\n", server->port);
	config.credential = azure_credential_parse(text, strlen(text), &err);
	assert_non_null(config.credential);
	o.target = azure_target_create(&config, &err);
	if (!o.target)
		fail_msg("%s", err.message);
	azure_credential_put(config.credential);
	r = engine_push(&o, p, e);
	azure_target_put(o.target);
	return r;
}

static void test_second_push_sends_nothing(void **state)
{
	struct push_progress p;
	struct error e = { 0 };
	char name[32];

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put_file(name, 0);
	}
	put_file("big", (8 << 20) + 1);
	usleep(50000);
	if (push(NULL, 0, &p, &e))
		fail_msg("%s", e.message);
	assert_int_equal(p.uploaded, 301);
	assert_int_equal(p.files_seen, 301);
	assert_int_equal(p.files_done, 301);
	assert_int_equal(p.bytes_done, p.bytes_total);
	assert_true(p.scan_complete);
	assert_non_null(server_find(server, "pre/f299"));
	assert_int_equal(server_find(server, "pre/big")->size, (8 << 20) + 1);
	assert_int_equal(server->puts, 300);
	assert_int_equal(push(NULL, 0, &p, &e), 0);
	assert_int_equal(p.uploaded, 0);
	assert_int_equal(p.files_done, 301);
	assert_int_equal(server->puts, 300);
	assert_int_equal(server->lists, 1);
}

static void test_failures_are_named(void **state)
{
	struct push_progress p;
	struct error e = { 0 };
	struct server_blob *b;

	(void)state;
	put_file("mine", 0);
	put_file("theirs", 0);
	b = server_make(server, "pre/theirs");
	server_new_etag(server, b);
	assert_int_equal(push(NULL, 0, &p, &e), -EIO);
	assert_int_equal(p.failed, 1);
	assert_int_equal(failures, 1);
	assert_string_equal(last_failure, "theirs");
	assert_int_equal(p.uploaded, 1);
	assert_non_null(server_find(server, "pre/mine"));
}

static void test_refusals(void **state)
{
	const struct kdev_attr bad[] = { { "on_delete", "sometimes" } };
	struct error e = { 0 };

	(void)state;
	assert_int_equal(push(bad, 1, NULL, &e), -EINVAL);
	assert_non_null(strstr(e.message, "on_delete"));
	put_file("a", 0);
	server_fail(server, "/acc0/", 1000, 403, "AuthenticationFailed");
	assert_int_equal(push(NULL, 0, NULL, &e), -EACCES);
	assert_int_equal(server->puts, 0);
	assert_int_equal(failures, 0);
	server_fail(server, "", 0, 0, "");
	strcat(root, "/none");
	assert_int_equal(push(NULL, 0, NULL, &e), -ENOENT);
	assert_non_null(strstr(e.message, root));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_second_push_sends_nothing),
		TEST(test_failures_are_named),
		TEST(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
