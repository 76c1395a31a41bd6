/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The life of requests: submitted (ready), with libcurl (active), waiting for another try,
 * completed. All of it in the owner's thread.
 */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "http.h"
#include "poller.h"
#include "request.h"
#include "retry.h"
#include "xml.h"

/* Azure refuses at 15 minutes; well before that the clock is worth a word. */
#define SKEW_WORTH_SAYING_S 300
/* Rounds of completions that submit before the loop looks at its descriptors again. */
#define ROUNDS_MAX 4
#define USER_AGENT_MAX 128

struct watch {
	struct watch *next;
	int fd;
	azure_watch_fn fn;
	void *arg;
};

struct list {
	struct azure_request *first, *last;
};

struct azure_client {
	struct azure_poller *poller;
	struct azure_http *http;
	struct azure_client_counters counters;
	unsigned int max_tries;
	struct list ready, active, waiting;
	size_t in_flight;
	size_t n_cancelled;	/* marked, and not yet completed */
	int64_t next_due_ms;	/* the earliest of those waiting, or earlier */
	bool is_closing;
	struct watch *watches;
	char user_agent[USER_AGENT_MAX];
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---------------------------------------------------------------- lists */

static struct list *list_of(struct azure_client *client, const struct azure_request *request)
{
	switch (request->state) {
	case AZURE_REQUEST_READY:
		return &client->ready;
	case AZURE_REQUEST_ACTIVE:
		return &client->active;
	default:
		return &client->waiting;
	}
}

static void list_add(struct azure_client *client, struct azure_request *request,
		     enum azure_request_state state)
{
	struct list *list;

	request->state = state;
	list = list_of(client, request);
	request->next = NULL;
	request->prev = list->last;
	if (list->last)
		list->last->next = request;
	else
		list->first = request;
	list->last = request;
}

static void list_remove(struct azure_client *client, struct azure_request *request)
{
	struct list *list = list_of(client, request);

	if (request->prev)
		request->prev->next = request->next;
	else
		list->first = request->next;
	if (request->next)
		request->next->prev = request->prev;
	else
		list->last = request->prev;
}

/* ---------------------------------------------------------------- completion */

/* @request is on no list any more. */
static void complete(struct azure_client *client, struct azure_request *request)
{
	struct azure_response *response = &request->reply.response;

	if (request->is_cancelled)
		client->n_cancelled--;
	client->in_flight--;
	client->counters.failures += response->error.scope != AZURE_SCOPE_NONE;
	response->error.maybe_done = response->error.scope != AZURE_SCOPE_NONE &&
				     (response->error.maybe_done || request->earlier_maybe_done);
	response->tries = request->tries;
	if (request->sink)
		response->content_length = request->received;
	request->done(request->done_arg, response);
	azure_request_free(request);
}

static void complete_cancelled(struct azure_client *client, struct azure_request *request)
{
	bool was_sent = request->state == AZURE_REQUEST_ACTIVE;
	struct azure_error *err = &request->reply.response.error;

	list_remove(client, request);
	azure_http_cancel(client->http, request);
	azure_reply_reset(&request->reply);
	azure_error_set(err, AZURE_SCOPE_CANCELLED, ECANCELED, "cancelled");
	err->maybe_done = was_sent;
	complete(client, request);
}

static int64_t skew_of(const struct azure_reply *reply)
{
	int64_t skew = reply->response.date_s ? reply->response.date_s - time(NULL) : 0;

	return llabs(skew) >= SKEW_WORTH_SAYING_S ? skew : 0;
}

/* Callbacks of the caller's come first: what they say explains the rest. */
static bool callback_failed(const struct azure_request *request, struct azure_error *err)
{
	int error = request->callback_errno;

	if (!error)
		return false;
	if (request->sink_failed)
		azure_error_set(err, AZURE_SCOPE_LOCAL, error, "the answer could not be stored: %s",
				strerror(error));
	else if (error == ENODATA)
		azure_error_set(err, AZURE_SCOPE_FILE, error,
				"the file became shorter while it was sent");
	else
		azure_error_set(err, AZURE_SCOPE_FILE, error, "the file could not be read: %s",
				strerror(error));
	return true;
}

/* A good status with a body that is not what it must be is no success. */
static void finish_body(struct azure_request *request, struct azure_error *err)
{
	struct azure_reply *reply = &request->reply;
	struct azure_outcome out = { .http_status = reply->response.status, .retry_after_ms = -1 };
	int error;

	if (!reply->xml)
		return;
	error = azure_xml_finish(reply->xml);
	if (error) {
		out.transport = error == -ENOMEM ? AZURE_TRANSPORT_LOCAL : AZURE_TRANSPORT_BROKEN;
		out.sys_errno = -error;
		out.transport_message = strerror(-error);
		azure_error_classify(err, &out);
		return;
	}
	reply->response.list = azure_xml_list(reply->xml);
	reply->response.block_list = azure_xml_block_list(reply->xml);
}

static void classify(struct azure_request *request, struct azure_outcome *out,
		     struct azure_error *err)
{
	struct azure_reply *reply = &request->reply;
	struct azure_xml *xml = NULL;

	reply->response.status = out->http_status;
	out->service_code = reply->code;
	out->retry_after_ms = reply->retry_after_ms;
	out->skew_s = skew_of(reply);
	out->if_none_match = request->if_none_match;
	out->is_container = request->is_container;
	if (out->http_status >= 300 && reply->error_body.len)
		xml = azure_xml_create(AZURE_XML_ERROR);
	if (xml && !azure_xml_feed(xml, reply->error_body.data, reply->error_body.len) &&
	    !azure_xml_finish(xml)) {
		out->service_message = azure_xml_error_message(xml);
		if (!*reply->code)
			out->service_code = azure_xml_error_code(xml);
	}
	azure_error_classify(err, out);
	azure_xml_free(xml);
	if (err->scope == AZURE_SCOPE_NONE)
		finish_body(request, err);
}

static bool retry_later(struct azure_client *client, struct azure_request *request,
			const struct azure_error *err)
{
	uint32_t random = 0;
	int64_t delay;

	/* Without entropy all wait the longest: no reason to fail. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = UINT32_MAX;
	delay = azure_retry_delay_ms(err, request->tries, request->max_tries, random);
	if (delay < 0 || request->is_cancelled)
		return false;
	request->earlier_maybe_done |= err->maybe_done;
	request->due_ms = now_ms() + delay;
	if (!client->waiting.first || request->due_ms < client->next_due_ms)
		client->next_due_ms = request->due_ms;
	list_add(client, request, AZURE_REQUEST_WAITING);
	return true;
}

static int reap(struct azure_client *client)
{
	struct azure_request *request;
	struct azure_outcome out;
	int completed = 0;

	while ((request = azure_http_reap(client->http, &out))) {
		struct azure_error err;

		list_remove(client, request);
		if (!callback_failed(request, &err)) {
			classify(request, &out, &err);
			if (err.scope == AZURE_SCOPE_TRANSIENT &&
			    retry_later(client, request, &err))
				continue;
		}
		request->reply.response.error = err;
		complete(client, request);
		completed++;
	}
	return completed;
}

/* ---------------------------------------------------------------- starting */

/* Return: whether it has ended instead. */
static bool start(struct azure_client *client, struct azure_request *request)
{
	int err;

	list_remove(client, request);
	request->tries++;
	client->counters.retries += request->tries > 1;
	azure_reply_reset(&request->reply);
	err = azure_request_sign(request, time(NULL));
	if (!err)
		err = azure_http_start(client->http, request);
	if (!err) {
		list_add(client, request, AZURE_REQUEST_ACTIVE);
		return false;
	}
	azure_error_set(&request->reply.response.error, AZURE_SCOPE_LOCAL, -err,
			"the request could not be started: %s", strerror(-err));
	complete(client, request);
	return true;
}

static int start_ready(struct azure_client *client)
{
	struct azure_request *last = client->ready.last;
	int ended = 0;

	/* No further than what is there now: a completion may submit again and again. */
	while (client->ready.first) {
		struct azure_request *request = client->ready.first;
		bool is_last = request == last;

		ended += start(client, request);
		if (is_last)
			break;
	}
	return ended;
}

static void wake_due(struct azure_client *client)
{
	int64_t now, next = INT64_MAX;

	if (!client->waiting.first)
		return;
	now = now_ms();
	if (now < client->next_due_ms)
		return;
	for (struct azure_request *request = client->waiting.first, *after; request;
	     request = after) {
		after = request->next;
		if (request->due_ms <= now) {
			list_remove(client, request);
			list_add(client, request, AZURE_REQUEST_READY);
		} else if (request->due_ms < next) {
			next = request->due_ms;
		}
	}
	client->next_due_ms = next;
}

static struct azure_request *find_cancelled(const struct list *list)
{
	for (struct azure_request *request = list->first; request; request = request->next) {
		if (request->is_cancelled)
			return request;
	}
	return NULL;
}

static int complete_all_cancelled(struct azure_client *client)
{
	int completed = 0;

	while (client->n_cancelled) {
		struct azure_request *request = find_cancelled(&client->ready);

		if (!request)
			request = find_cancelled(&client->waiting);
		if (!request)
			request = find_cancelled(&client->active);
		if (!request)
			break;
		complete_cancelled(client, request);
		completed++;
	}
	return completed;
}

static int progress(struct azure_client *client)
{
	int completed = 0;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		completed += complete_all_cancelled(client);
		wake_due(client);
		completed += start_ready(client);
		azure_http_expire(client->http);
		completed += reap(client);
		if (!client->ready.first && !client->n_cancelled)
			break;
	}
	return completed;
}

/* ---------------------------------------------------------------- interface */

int azure_client_run(struct azure_client *client, int timeout_ms)
{
	int completed = progress(client);
	int most = completed ? 0 : azure_client_timeout_ms(client);
	int n;

	if (most >= 0 && (timeout_ms < 0 || most < timeout_ms))
		timeout_ms = most;
	n = azure_poller_wait(client->poller, timeout_ms);
	if (n < 0)
		return n;
	return completed + progress(client);
}

int azure_client_timeout_ms(const struct azure_client *client)
{
	int timeout = azure_http_timeout_ms(client->http);

	if (client->ready.first || client->n_cancelled)
		return 0;
	if (client->waiting.first) {
		int64_t left = client->next_due_ms - now_ms();

		left = left < 0 ? 0 : left;
		/* A millisecond more: the clock is read in whole ones. */
		if (timeout < 0 || left < timeout)
			timeout = (int)left + 1;
	}
	return timeout;
}

int azure_client_fd(const struct azure_client *client)
{
	azure_poller_flush(client->poller);
	return azure_poller_fd(client->poller);
}

void azure_client_wake(struct azure_client *client)
{
	azure_poller_wake(client->poller);
}

size_t azure_client_in_flight(const struct azure_client *client)
{
	return client->in_flight;
}

void azure_client_counters(const struct azure_client *client, struct azure_client_counters *out)
{
	*out = client->counters;
}

static void on_watch(void *arg, int fd, uint32_t events)
{
	const struct watch *watch = arg;

	(void)fd;
	watch->fn(watch->arg, events);
}

int azure_client_watch(struct azure_client *client, int fd, uint32_t events, azure_watch_fn fn,
		       void *arg)
{
	struct watch *watch = client->watches;
	bool is_new;
	int err;

	while (watch && watch->fd != fd)
		watch = watch->next;
	is_new = !watch;
	if (is_new)
		watch = malloc(sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	err = azure_poller_set(client->poller, fd, events, on_watch, watch);
	if (err) {
		if (is_new)
			free(watch);
		return err;
	}
	watch->fd = fd;
	watch->fn = fn;
	watch->arg = arg;
	if (is_new) {
		watch->next = client->watches;
		client->watches = watch;
	}
	return 0;
}

int azure_client_unwatch(struct azure_client *client, int fd)
{
	for (struct watch **at = &client->watches; *at; at = &(*at)->next) {
		struct watch *watch = *at;

		if (watch->fd != fd)
			continue;
		*at = watch->next;
		azure_poller_forget(client->poller, fd);
		free(watch);
		return 0;
	}
	return -ENOENT;
}

int azure_client_submit(struct azure_client *client, struct azure_request *request)
{
	if (client->is_closing)
		return -ESHUTDOWN;
	if (!request->max_tries)
		request->max_tries = client->max_tries;
	client->in_flight++;
	list_add(client, request, AZURE_REQUEST_READY);
	return 0;
}

void azure_request_cancel(struct azure_request *request)
{
	if (request->is_cancelled)
		return;
	request->is_cancelled = true;
	request->client->n_cancelled++;
}

struct azure_client *azure_client_create(const struct azure_client_config *config)
{
	struct azure_client *client = calloc(1, sizeof(*client));
	struct azure_client_config used = { 0 };
	const char *agent;
	int error;

	if (!client)
		return NULL;
	if (config)
		used = *config;
	agent = used.user_agent ? used.user_agent : "azure-storage";
	strncpy(client->user_agent, agent, sizeof(client->user_agent) - 1);
	used.user_agent = client->user_agent;
	client->max_tries = used.max_tries ? used.max_tries : AZURE_RETRY_TRIES;
	client->poller = azure_poller_create();
	error = errno;
	if (client->poller) {
		client->http = azure_http_create(&used, client->poller, &client->counters);
		error = ENOMEM;
	}
	if (client->http)
		return client;
	azure_poller_free(client->poller);
	free(client);
	errno = error;
	return NULL;
}

void azure_client_free(struct azure_client *client)
{
	struct list *const lists[] = { &client->ready, &client->waiting, &client->active };

	if (!client)
		return;
	client->is_closing = true;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		while (lists[i]->first)
			complete_cancelled(client, lists[i]->first);
	}
	azure_http_free(client->http);
	while (client->watches)
		azure_client_unwatch(client, client->watches->fd);
	azure_poller_free(client->poller);
	free(client);
}
