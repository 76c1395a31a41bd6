/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The client against a server that follows a script: what goes over the wire, what if it breaks. */
#include "unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "azure/blob.h"
#include "azure/encode.h"

#define STEPS_MAX 8
#define REQUEST_MAX 8192

/* One request, and what it is answered. */
struct step {
	const char *answer;	/* NULL: none, the connection is cut */
	bool then_close;
};

static struct server {
	int fd;
	const struct step *steps;
	size_t n_steps;
	size_t served;			/* requests that came */
	size_t connections;
	char requests[STEPS_MAX][REQUEST_MAX];
	pthread_t thread;
} server;

static struct azure_client *client;
static struct azure_target *target;
static char answer_text[1024];

/* Reads one request with its body into @to; false when the client has gone. */
static bool read_request(int fd, char *to)
{
	size_t len = 0, need = 0;

	for (;;) {
		char *end = strstr(to, "\r\n\r\n");
		ssize_t n;

		if (end && !need) {
			const char *length = strcasestr(to, "\r\nContent-Length:");

			need = (size_t)(end - to) + 4;
			if (length && length < end)
				need += strtoul(length + 17, NULL, 10);
		}
		if (need && len >= need)
			return true;
		n = recv(fd, to + len, REQUEST_MAX - 1 - len, 0);
		if (n <= 0)
			return false;
		len += (size_t)n;
		to[len] = '\0';
	}
}

static void *serve(void *arg)
{
	(void)arg;
	while (server.served < server.n_steps) {
		int fd = accept(server.fd, NULL, NULL);

		server.connections++;
		while (server.served < server.n_steps) {
			const struct step *step = &server.steps[server.served];

			if (!read_request(fd, server.requests[server.served]))
				break;
			server.served++;
			if (step->answer)
				send(fd, step->answer, strlen(step->answer), MSG_NOSIGNAL);
			if (!step->answer || step->then_close)
				break;
		}
		close(fd);
	}
	return NULL;
}

static void start_with(const struct step *steps, size_t n,
		       const struct azure_client_config *client_config)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static const char text[] = "AZURE_STORAGE_ACCOUNT=abc\n"
				   "AZURE_STORAGE_KEY=MDEyMzQ1Njc4OWFiY2RlZg==\n";
	struct azure_credential *cred;
	struct azure_target_config config = { .container = "con" };
	struct azure_error err;
	socklen_t len = sizeof(address);
	char endpoint[64];

	memset(&server, 0, sizeof(server));
	server.steps = steps;
	server.n_steps = n;
	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(server.fd, 16), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);

	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u/abc", ntohs(address.sin_port));
	cred = azure_credential_parse(text, strlen(text), &err);
	assert_non_null(cred);
	config.credential = cred;
	config.endpoint = endpoint;
	target = azure_target_create(&config, &err);
	assert_non_null(target);
	azure_credential_put(cred);
	client = azure_client_create(client_config);
	assert_non_null(client);
}

static void start(const struct step *steps, size_t n)
{
	start_with(steps, n, NULL);
}

/* Every step of the script must have been asked for. */
static void stop(void)
{
	azure_client_free(client);
	azure_target_put(target);
	pthread_join(server.thread, NULL);
	assert_int_equal(server.served, server.n_steps);
	close(server.fd);
}

struct result {
	bool is_done;
	struct azure_response rsp;
	char body[256];
	size_t body_len;
};

static void on_done(void *arg, const struct azure_response *rsp)
{
	struct result *result = arg;

	result->is_done = true;
	result->rsp = *rsp;
}

static struct azure_call call_for(struct result *result)
{
	memset(result, 0, sizeof(*result));
	return (struct azure_call){ .done = on_done, .arg = result };
}

static void wait_for(struct result *result)
{
	time_t deadline = time(NULL) + 60;

	while (!result->is_done && time(NULL) < deadline)
		assert_true(azure_client_run(client, 1000) >= 0);
	assert_true(result->is_done);
}

static void put(struct result *result, const char *text, const struct azure_blob_options *options,
		unsigned int max_tries)
{
	struct azure_body body = { .data = text, .length = strlen(text) };
	struct azure_call call = call_for(result);

	call.max_tries = max_tries;
	assert_int_equal(azure_put_blob(client, target, "a b", &body, options, &call), 0);
	wait_for(result);
}

#define CREATED "HTTP/1.1 201 Created\r\nETag: \"0x1\"\r\nContent-Length: 0\r\n\r\n"

static bool asked(size_t request, const char *text)
{
	return strstr(server.requests[request], text);
}

static void on_the_wire(void **state)
{
	static const struct step steps[] = { { CREATED, false }, { CREATED, false } };
	const struct azure_meta meta[] = { { "azs_owner", "me" }, { "azs_empty", "" } };
	const struct azure_blob_options options = { .meta = meta, .n_meta = 2,
						    .cond.if_none_match = "*", .tier = "hot" };
	struct result result;

	(void)state;
	start(steps, 2);
	put(&result, "hello", &options, 1);
	assert_int_equal(result.rsp.error.scope, AZURE_SCOPE_NONE);
	assert_string_equal(result.rsp.etag, "\"0x1\"");
	put(&result, "", NULL, 1);
	assert_int_equal(result.rsp.error.scope, AZURE_SCOPE_NONE);
	stop();
	assert_int_equal(server.connections, 1);
	assert_int_equal(strncmp(server.requests[0], "PUT /abc/con/a%20b HTTP/1.1\r\n", 29), 0);
	assert_true(asked(0, "\r\nx-ms-version: 2021-12-02\r\n"));
	assert_true(asked(0, "\r\nx-ms-blob-type: BlockBlob\r\n"));
	assert_true(asked(0, "\r\nx-ms-meta-azs_owner: me\r\n"));
	assert_true(asked(0, "\r\nx-ms-meta-azs_empty:\r\n"));
	assert_true(asked(0, "\r\nx-ms-access-tier: Hot\r\n"));
	assert_true(asked(0, "\r\nIf-None-Match: *\r\n"));
	assert_true(asked(0, "\r\nContent-Length: 5\r\n"));
	assert_true(asked(0, "\r\nAuthorization: SharedKey abc:"));
	assert_true(asked(0, "\r\nx-ms-date: "));
	assert_true(asked(0, "\r\n\r\nhello"));
	assert_false(asked(0, "Expect:"));
	assert_false(asked(0, "Transfer-Encoding:"));
	assert_true(asked(1, "\r\nContent-Length: 0\r\n"));
	assert_false(asked(1, "x-ms-meta"));
}

static void busy_then_done(void **state)
{
	static const struct step steps[] = {
		{ "HTTP/1.1 503 Busy\r\nx-ms-error-code: ServerBusy\r\nretry-after-ms: 1100\r\n"
		  "Content-Length: 0\r\n\r\n", false },
		{ CREATED, false },
	};
	struct timespec before, after;
	struct result result;
	char *first, *second;

	(void)state;
	start(steps, 2);
	clock_gettime(CLOCK_MONOTONIC, &before);
	put(&result, "hello", NULL, 2);
	clock_gettime(CLOCK_MONOTONIC, &after);
	stop();
	assert_int_equal(result.rsp.error.scope, AZURE_SCOPE_NONE);
	assert_int_equal(result.rsp.tries, 2);
	assert_true((after.tv_sec - before.tv_sec) * 1000 +
		    (after.tv_nsec - before.tv_nsec) / 1000000 >= 1100);
	/* Signed afresh: more than a second later the date is another, and so is the signature. */
	first = strstr(server.requests[0], "Authorization: ");
	second = strstr(server.requests[1], "Authorization: ");
	assert_memory_not_equal(first, second, 70);
	first = strstr(server.requests[0], "x-ms-date: ");
	second = strstr(server.requests[1], "x-ms-date: ");
	assert_memory_not_equal(first, second, 40);
}

static void gives_up(void **state)
{
	static const struct step steps[] = {
		{ "HTTP/1.1 500 E\r\nx-ms-error-code: OperationTimedOut\r\n"
		  "Content-Length: 0\r\n\r\n", false },
		{ "HTTP/1.1 503 E\r\nContent-Length: 0\r\n\r\n", false },
	};
	struct result result;

	(void)state;
	start(steps, 2);
	put(&result, "hello", NULL, 2);
	stop();
	assert_int_equal(result.rsp.error.scope, AZURE_SCOPE_TRANSIENT);
	assert_int_equal(result.rsp.tries, 2);
	assert_int_equal(result.rsp.error.http_status, 503);
	/* The first of them may have been carried out. */
	assert_true(azure_error_is_ambiguous(&result.rsp.error));
}

static void conflict_with_oneself(void **state)
{
	static const struct step steps[] = {
		{ NULL, true },
		{ "HTTP/1.1 409 C\r\nx-ms-error-code: BlobAlreadyExists\r\n"
		  "Content-Length: 0\r\n\r\n", false },
	};
	const struct azure_blob_options options = { .cond.if_none_match = "*" };
	struct result result;

	(void)state;
	start(steps, 2);
	put(&result, "hello", &options, 2);
	stop();
	assert_int_equal(result.rsp.error.scope, AZURE_SCOPE_CONFLICT);
	assert_true(azure_error_is_ambiguous(&result.rsp.error));
}

static void redirect(void **state)
{
	static const struct step steps[] = {
		{ "HTTP/1.1 307 R\r\nLocation: http://127.0.0.1:1/steal\r\n"
		  "Content-Length: 0\r\n\r\n", false },
	};
	struct result result;

	(void)state;
	start(steps, 1);
	put(&result, "hello", NULL, 4);
	stop();
	assert_int_equal(result.rsp.error.scope, AZURE_SCOPE_TARGET);
	assert_int_equal(result.rsp.error.http_status, 307);
}

static void skew(void **state)
{
	const struct step steps[] = { { answer_text, false } };
	char date[AZURE_HTTP_DATE_LEN + 1];
	struct result result;

	(void)state;
	azure_http_date_format(date, time(NULL) + 7200);
	snprintf(answer_text, sizeof(answer_text),
		 "HTTP/1.1 403 F\r\nDate: %s\r\nContent-Length: 96\r\n\r\n"
		 "<Error><Code>AuthenticationFailed</Code><Message>to sign: 'SECRET'"
		 "</Message></Error>             ", date);
	start(steps, 1);
	put(&result, "hello", NULL, 4);
	stop();
	assert_int_equal(result.rsp.error.scope, AZURE_SCOPE_TARGET);
	assert_string_equal(result.rsp.error.code, "AuthenticationFailed");
	assert_in_range(result.rsp.error.skew_s, 7190, 7210);
	assert_non_null(strstr(result.rsp.error.message, "clock"));
	assert_null(strstr(result.rsp.error.message, "SECRET"));
}

static int into_result(void *arg, const void *data, size_t len, uint64_t offset)
{
	struct result *result = arg;

	assert_int_equal(offset, result->body_len);
	assert_true(result->body_len + len < sizeof(result->body));
	memcpy(result->body + result->body_len, data, len);
	result->body_len += len;
	return 0;
}

static void get(struct result *result, uint64_t offset, uint64_t length, unsigned int max_tries)
{
	struct azure_call call = call_for(result);

	call.max_tries = max_tries;
	assert_int_equal(azure_get_blob(client, target, "b", offset, length, NULL, into_result,
					result, &call), 0);
	wait_for(result);
}

static void resumed(void **state)
{
	static const struct step steps[] = {
		{ "HTTP/1.1 200 OK\r\nETag: \"0x7\"\r\nContent-Length: 10\r\n\r\n01234", true },
		{ "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", false },
		{ "HTTP/1.1 206 P\r\nETag: \"0x7\"\r\nContent-Range: bytes 5-9/10\r\n"
		  "Content-Length: 5\r\n\r\n56789", false },
	};
	struct result result;

	(void)state;
	start(steps, 3);
	get(&result, 0, 0, 3);
	stop();
	assert_int_equal(result.rsp.error.scope, AZURE_SCOPE_NONE);
	assert_string_equal(result.body, "0123456789");
	assert_int_equal(result.rsp.content_length, 10);
	assert_int_equal(result.rsp.blob_size, 10);
	assert_false(asked(0, "x-ms-range"));
	assert_false(asked(0, "If-Match"));
	for (size_t i = 1; i < 3; i++) {
		assert_true(asked(i, "\r\nx-ms-range: bytes=5-\r\n"));
		assert_true(asked(i, "\r\nIf-Match: \"0x7\"\r\n"));
	}
}

static void range_ignored(void **state)
{
	static const struct step steps[] = {
		{ "HTTP/1.1 200 OK\r\nETag: \"0x7\"\r\nContent-Length: 10\r\n\r\n0123456789", true },
	};
	struct result result;

	(void)state;
	start(steps, 1);
	get(&result, 3, 4, 3);
	stop();
	assert_true(asked(0, "\r\nx-ms-range: bytes=3-6\r\n"));
	assert_int_equal(result.rsp.error.scope, AZURE_SCOPE_FILE);
	assert_int_equal(result.body_len, 0);
}

static int refuse_it(void *arg, const void *data, size_t len, uint64_t offset)
{
	(void)arg;
	(void)data;
	(void)len;
	(void)offset;
	return -28;
}

static void sink_refuses(void **state)
{
	static const struct step steps[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", true },
	};
	struct result result;
	struct azure_call call = call_for(&result);

	(void)state;
	start(steps, 1);
	assert_int_equal(azure_get_blob(client, target, "b", 0, 0, NULL, refuse_it, NULL, &call),
			 0);
	wait_for(&result);
	stop();
	assert_int_equal(result.rsp.error.scope, AZURE_SCOPE_LOCAL);
	assert_int_equal(result.rsp.error.sys_errno, 28);
	assert_int_equal(result.rsp.tries, 1);
}

/* The server ends connections that are idle; the next request must not notice. */
static void stale_connection(void **state)
{
	static const struct step steps[] = { { CREATED, true }, { CREATED, true } };
	struct result result;

	(void)state;
	start(steps, 2);
	put(&result, "one", NULL, 1);
	assert_int_equal(result.rsp.error.scope, AZURE_SCOPE_NONE);
	put(&result, "two", NULL, 1);
	assert_int_equal(result.rsp.error.scope, AZURE_SCOPE_NONE);
	assert_int_equal(result.rsp.tries, 1);
	stop();
	assert_int_equal(server.connections, 2);
}

static void hanging(void **state)
{
	static const struct step steps[] = { { "", false }, { CREATED, false } };
	const struct azure_client_config config = { .low_speed_timeout_s = 1 };
	struct result result;

	(void)state;
	start_with(steps, 2, &config);
	put(&result, "hello", NULL, 2);
	stop();
	assert_int_equal(result.rsp.error.scope, AZURE_SCOPE_NONE);
	assert_int_equal(result.rsp.tries, 2);
	assert_int_equal(server.connections, 2);
}

static void not_xml(void **state)
{
	static const struct step steps[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>", false },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false },
	};
	struct result result;

	(void)state;
	start(steps, 2);
	for (int i = 0; i < 2; i++) {
		struct azure_call call = call_for(&result);

		call.max_tries = 1;
		assert_int_equal(azure_list_blobs(client, target, NULL, NULL, 0, false, &call), 0);
		wait_for(&result);
		assert_int_equal(result.rsp.error.scope, AZURE_SCOPE_TRANSIENT);
		assert_null(result.rsp.list);
	}
	stop();
}

static void bad_arguments(void **state)
{
	const struct azure_body body = { .data = "x", .length = 1 };
	const struct azure_meta bad[] = {
		{ "Upper", "x" }, { "1st", "x" },     { "a-b", "x" },  { "", "x" },
		{ "a", "x\r\ny" }, { "a", "\xc3\xa4" }, { "a", " x" },  { "a", "x " },
		{ "a:b", "x" },
	};
	struct azure_blob_options options = { .n_meta = 1 };
	struct result result;
	struct azure_call call = call_for(&result);
	const struct azure_meta twice[] = { { "a", "1" }, { "a", "2" } };

	(void)state;
	start(NULL, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		options.meta = &bad[i];
		assert_int_equal(azure_put_blob(client, target, "b", &body, &options, &call), -22);
	}
	options.meta = twice;
	options.n_meta = 2;
	assert_int_equal(azure_put_blob(client, target, "b", &body, &options, &call), -22);
	options = (struct azure_blob_options){ .tier = "lukewarm" };
	assert_int_equal(azure_put_blob(client, target, "b", &body, &options, &call), -22);
	options = (struct azure_blob_options){ .cond.if_match = "x\r\nEvil: 1" };
	assert_int_equal(azure_put_blob(client, target, "b", &body, &options, &call), -22);
	options = (struct azure_blob_options){ .cond.if_match = "" };
	assert_int_equal(azure_put_blob(client, target, "b", &body, &options, &call), -22);
	assert_int_equal(azure_delete_blob(client, target, "b", &options.cond, &call), -22);
	assert_int_equal(azure_copy_blob(client, target, "b", "a", "", NULL, &call), -22);
	assert_int_equal(azure_put_blob(client, target, "", &body, NULL, &call), -22);
	assert_int_equal(azure_put_block(client, target, "b", "not base64", &body, NULL, &call),
			 -22);
	assert_int_equal(azure_list_blobs(client, target, NULL, NULL, 5001, false, &call), -22);
	assert_int_equal(azure_client_in_flight(client), 0);
	stop();
}

static void block_ids(void **state)
{
	uint8_t attempt[16], parsed[16];
	char text[AZURE_BLOCK_ID_TEXT];
	uint64_t index;

	(void)state;
	memset(attempt, 0xab, sizeof(attempt));
	azure_block_id_format(text, attempt, 0x0102030405060708);
	assert_int_equal(strlen(text), AZURE_BLOCK_ID_TEXT - 1);
	assert_true(azure_block_id_parse(text, parsed, &index));
	assert_memory_equal(parsed, attempt, sizeof(parsed));
	assert_true(index == 0x0102030405060708);
	assert_false(azure_block_id_parse("QQ==", parsed, &index));
	assert_false(azure_block_id_parse("", parsed, &index));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_the_wire),	    cmocka_unit_test(busy_then_done),
		cmocka_unit_test(gives_up),	    cmocka_unit_test(conflict_with_oneself),
		cmocka_unit_test(redirect),	    cmocka_unit_test(skew),
		cmocka_unit_test(resumed),	    cmocka_unit_test(range_ignored),
		cmocka_unit_test(sink_refuses),	    cmocka_unit_test(stale_connection),
		cmocka_unit_test(hanging),	    cmocka_unit_test(not_xml),
		cmocka_unit_test(bad_arguments),    cmocka_unit_test(block_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
