/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What cannot work: whom it concerns, and that nothing secret is said. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "azure/auth.h"
#include "harness.h"

static const char wrong_key[] =
	"AZURE_STORAGE_ACCOUNT=devstoreaccount1\n"
	"AZURE_STORAGE_KEY=d3Jvbmcga2V5IHdyb25nIGtleSB3cm9uZyBrZXkgd3Jvbmcga2V5IHdyb25nIGs=\n";

static void wrong_key_is_refused(struct suite *suite)
{
	struct azure_error err;
	struct azure_credential *cred = azure_credential_parse(wrong_key, strlen(wrong_key), &err);
	struct azure_target *target = cred ? target_for(suite, "client-test", NULL, cred) : NULL;
	struct outcome out = { 0 };
	struct azure_call call = call_for(&out);

	CHECK(target);
	CHECK(ended(suite, azure_get_blob_properties(suite->client, target, "x", NULL, &call),
		    &out, AZURE_SCOPE_TARGET, 403));
	CHECK(out.rsp.tries == 1 && azure_error_blocks_target(&out.rsp.error));
	CHECK(!strstr(out.rsp.error.message, "SharedKey") && !strstr(out.rsp.error.message, "sig"));
	azure_target_put(target);
	azure_credential_put(cred);
}

static void missing_container(struct suite *suite)
{
	struct azure_target *target = target_for(suite, "no-such-container", NULL, NULL);
	struct azure_body body = { .data = "x", .length = 1 };
	struct outcome out = { 0 };
	struct azure_call call = call_for(&out);

	CHECK(ended(suite, azure_put_blob(suite->client, target, "x", &body, NULL, &call), &out,
		    AZURE_SCOPE_TARGET, 404));
	CHECK(!strcmp(out.rsp.error.code, "ContainerNotFound"));
	call = call_for(&out);
	CHECK(ended(suite, azure_list_blobs(suite->client, target, NULL, NULL, 0, false, &call),
		    &out, AZURE_SCOPE_TARGET, 404));
	azure_target_put(target);
}

/* A port that is ours and that nobody listens on. */
static int unused_port(char *endpoint, size_t size)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) ||
	    getsockname(fd, (struct sockaddr *)&address, &len))
		return -1;
	snprintf(endpoint, size, "http://127.0.0.1:%u/devstoreaccount1", ntohs(address.sin_port));
	return fd;
}

static void server_not_there(struct suite *suite)
{
	char endpoint[64];
	int fd = unused_port(endpoint, sizeof(endpoint));
	struct azure_target *target = target_for(suite, "client-test", endpoint, NULL);
	struct azure_client_counters before, after;
	struct outcome out = { 0 };
	struct azure_call call = call_for(&out);

	CHECK(fd >= 0 && target);
	call.max_tries = 2;
	azure_client_counters(suite->client, &before);
	CHECK(ended(suite, azure_get_blob_properties(suite->client, target, "x", NULL, &call),
		    &out, AZURE_SCOPE_TRANSIENT, 0));
	azure_client_counters(suite->client, &after);
	CHECK(out.rsp.tries == 2 && after.retries == before.retries + 1);
	CHECK(azure_error_blocks_target(&out.rsp.error));
	CHECK(!azure_error_is_ambiguous(&out.rsp.error));
	azure_target_put(target);
	close(fd);
}

static void name_not_there(struct suite *suite)
{
	static const char text[] = "AZURE_STORAGE_ACCOUNT=devstoreaccount1\nALLOW_HTTP=1\n"
				   "ALLOWED_HOSTS=.invalid\nAZURE_STORAGE_KEY=MTIzNDU2Nzg5MDEyMzQ1Ng==\n";
	struct azure_error err;
	struct azure_credential *cred = azure_credential_parse(text, strlen(text), &err);
	struct azure_target *target = cred ? target_for(suite, "client-test",
							"http://no-such-host.invalid", cred) : NULL;
	struct outcome out = { 0 };
	struct azure_call call = call_for(&out);

	CHECK(target);
	CHECK(ended(suite, azure_get_blob_properties(suite->client, target, "x", NULL, &call),
		    &out, AZURE_SCOPE_TARGET, 0));
	CHECK(out.rsp.error.unreachable);
	azure_target_put(target);
	azure_credential_put(cred);
}

static void service_sas(struct suite *suite)
{
	struct azure_text text = { 0 };
	struct azure_signer *signer =
		azure_signer_create(suite->credential->key, suite->credential->key_len);
	struct azure_body body = { .data = "by token", .length = 8 };
	struct azure_credential *cred;
	struct azure_target *target;
	struct azure_error err;
	struct outcome out = { 0 };
	struct azure_call call = call_for(&out);

	CHECK(ended(suite, azure_put_blob(suite->client, suite->target, "sas/b lob", &body, NULL,
					  &call), &out, AZURE_SCOPE_NONE, 201));
	azure_text_puts(&text, "AZURE_STORAGE_ACCOUNT=devstoreaccount1\nAZURE_STORAGE_SAS_TOKEN=?");
	CHECK(signer && !azure_sas_put_blob_read(&text, signer, "devstoreaccount1", "client-test",
						 "sas/b lob", false, time(NULL), 600));
	cred = azure_credential_parse(text.data, text.len, &err);
	target = cred ? target_for(suite, "client-test", NULL, cred) : NULL;
	CHECK(target, "%s", err.message);
	call = call_for(&out);
	CHECK(ended(suite, azure_get_blob_properties(suite->client, target, "sas/b lob", NULL,
						     &call), &out, AZURE_SCOPE_NONE, 200));
	/* It reads that blob, and does nothing else. */
	call = call_for(&out);
	CHECK(ended(suite, azure_put_blob(suite->client, target, "sas/b lob", &body, NULL, &call),
		    &out, AZURE_SCOPE_TARGET, 403));
	call = call_for(&out);
	CHECK(ended(suite, azure_get_blob_properties(suite->client, target, "dst", NULL, &call),
		    &out, AZURE_SCOPE_TARGET, 403));
	azure_target_put(target);
	azure_credential_put(cred);
	azure_signer_free(signer);
	azure_text_free(&text);
}

static void cancelling(struct suite *suite)
{
	struct outcome out = { 0 };
	struct azure_request *handle;
	struct azure_call call = call_for(&out);

	call.handle = &handle;
	CHECK(!azure_get_blob_properties(suite->client, suite->target, "x", NULL, &call));
	azure_request_cancel(handle);
	wait_for(suite->client, &out);
	CHECK(out.rsp.error.scope == AZURE_SCOPE_CANCELLED);
	CHECK(!azure_error_is_ambiguous(&out.rsp.error));
	call = call_for(&out);
	call.handle = &handle;
	CHECK(!azure_get_blob_properties(suite->client, suite->target, "x", NULL, &call));
	azure_client_run(suite->client, 0);
	if (!out.is_done)
		azure_request_cancel(handle);
	wait_for(suite->client, &out);
	CHECK(azure_client_in_flight(suite->client) == 0);
}

static void on_pipe(void *arg, uint32_t events)
{
	if (events & EPOLLIN)
		++*(int *)arg;
}

static void watches(struct suite *suite)
{
	int pipes[2], called = 0;

	CHECK(!pipe(pipes));
	CHECK(!azure_client_watch(suite->client, pipes[0], EPOLLIN, on_pipe, &called));
	CHECK(azure_client_run(suite->client, 0) == 0 && called == 0);
	CHECK(write(pipes[1], "x", 1) == 1);
	CHECK(azure_client_run(suite->client, 60000) == 0 && called == 1);
	CHECK(!azure_client_unwatch(suite->client, pipes[0]));
	CHECK(azure_client_unwatch(suite->client, pipes[0]) == -2);
	CHECK(azure_client_run(suite->client, 0) == 0 && called == 1);
	/* A wake before the wait is not lost. */
	azure_client_wake(suite->client);
	CHECK(azure_client_run(suite->client, 60000) == 0);
	close(pipes[0]);
	close(pipes[1]);
}

void tests_of_errors(struct suite *suite)
{
	test_run("a wrong key concerns the target", wrong_key_is_refused, suite);
	test_run("a missing container concerns the target", missing_container, suite);
	test_run("a server that is not there", server_not_there, suite);
	test_run("a name that is not there", name_not_there, suite);
	test_run("a service SAS reads one blob", service_sas, suite);
	test_run("requests are cancelled before and while they run", cancelling, suite);
	test_run("descriptors are watched, the wait is woken", watches, suite);
}
