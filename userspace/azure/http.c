/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * libcurl's multi interface, driven by its socket and timer callbacks. Easy handles are kept and
 * used again, with what does not change set once; the header list is built of nodes of our own
 * that point into the request's memory.
 */
#include "http.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "body.h"
#include "xml.h"

#define CONNECT_TIMEOUT_MS 30000
#define LOW_SPEED_S 60
#define CONNECTIONS 64
/* Handles beyond this many idle ones are given up: each holds buffers. */
#define IDLE_MAX 64
/* A body up to this size goes out with the headers, in one system call. */
#define INLINE_BODY_MAX 65536
#define UPLOAD_BUFFER 262144
#define DOWNLOAD_BUFFER 65536
/* What libcurl adds by itself, taken out, and the end of the list. */
#define EXTRA_LINES 4

struct transfer {
	CURL *easy;
	struct transfer *next;		/* in azure_http.idle */
	struct azure_http *http;
	struct azure_request *request;	/* NULL: idle */
	struct azure_target *last;	/* whose proxy and certificates are set; a reference */
	uint64_t sent;			/* position in the body */
	bool has_begun;			/* the sink has had a piece */
	int answer_error;		/* negative errno: why we broke off the answer */
	struct curl_slist lines[AZURE_REQUEST_HEADERS_MAX + EXTRA_LINES];
	char message[CURL_ERROR_SIZE];
};

struct azure_http {
	CURLM *multi;
	struct azure_poller *poller;
	struct azure_client_counters *counters;
	struct azure_client_config config;
	struct transfer *idle;
	size_t n_idle;
	int64_t due_ms;			/* monotonic; -1: no timer */
	struct transfer *reaped;	/* its message is in use until the next call */
	bool *is_connection;		/* by descriptor: its close is told by on_close() */
	size_t n_is_connection;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---------------------------------------------------------------- the multi handle */

static void on_event(void *arg, int fd, uint32_t events)
{
	struct azure_http *http = arg;
	int running, mask = 0;

	if (events & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	curl_multi_socket_action(http->multi, fd, mask, &running);
}

static bool fd_is_connection(const struct azure_http *http, curl_socket_t fd)
{
	return (size_t)fd < http->n_is_connection && http->is_connection[fd];
}

static int on_open(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	struct azure_http *http = arg;

	(void)purpose;
	if ((size_t)fd >= http->n_is_connection) {
		size_t n = ((size_t)fd + 64) * 2;
		bool *grown = realloc(http->is_connection, n * sizeof(*grown));

		/* Not known as a connection, it costs a system call more. */
		if (!grown)
			return CURL_SOCKOPT_OK;
		memset(grown + http->n_is_connection, 0,
		       (n - http->n_is_connection) * sizeof(*grown));
		http->is_connection = grown;
		http->n_is_connection = n;
	}
	http->is_connection[fd] = true;
	return CURL_SOCKOPT_OK;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct azure_http *http = arg;
	uint32_t events = 0;

	(void)easy;
	(void)socket_arg;
	/* Of a connection the next request may take it up again; the resolver's close unheard. */
	if (what == CURL_POLL_REMOVE && !fd_is_connection(http, fd)) {
		azure_poller_forget(http->poller, fd);
		return 0;
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= EPOLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= EPOLLOUT;
	/* -1 makes every transfer fail, which is what there is to be done without memory. */
	return azure_poller_set(http->poller, fd, events, on_event, http) ? -1 : 0;
}

/* The number may belong to another connection in a moment. */
static int on_close(void *arg, curl_socket_t fd)
{
	struct azure_http *http = arg;

	azure_poller_forget(http->poller, fd);
	if (fd_is_connection(http, fd))
		http->is_connection[fd] = false;
	return close(fd);
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct azure_http *http = arg;

	(void)multi;
	http->due_ms = timeout_ms < 0 ? -1 : timeout_ms ? now_ms() + timeout_ms : 0;
	return 0;
}

int azure_http_timeout_ms(const struct azure_http *http)
{
	int64_t left;

	if (http->due_ms <= 0)
		return (int)http->due_ms;
	left = http->due_ms - now_ms();
	return left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

void azure_http_expire(struct azure_http *http)
{
	int running;

	if (azure_http_timeout_ms(http))
		return;
	http->due_ms = -1;
	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

/* ---------------------------------------------------------------- callbacks of a transfer */

static size_t on_read(char *buf, size_t size, size_t n, void *arg)
{
	struct transfer *transfer = arg;
	struct azure_request *request = transfer->request;
	ssize_t got = azure_body_read(&request->body, buf, size * n, transfer->sent);

	if (got < 0) {
		request->callback_errno = (int)-got;
		return CURL_READFUNC_ABORT;
	}
	transfer->sent += (uint64_t)got;
	return (size_t)got;
}

/* When a kept connection turns out to be dead, libcurl sends again on another. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct transfer *transfer = arg;

	if (origin != SEEK_SET || offset < 0)
		return CURL_SEEKFUNC_CANTSEEK;
	transfer->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *transfer = arg;
	struct azure_reply *reply = &transfer->request->reply;
	size_t len = size * n;

	if (len >= 5 && !memcmp(line, "HTTP/", 5)) {
		azure_reply_reset(reply);
		return len;
	}
	transfer->answer_error = azure_reply_header(reply, line, len);
	return transfer->answer_error ? 0 : len;
}

static long status_of(const struct transfer *transfer)
{
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* Is what comes what was asked for? A server that ignores the range would spoil the file. */
static int check_range(const struct azure_request *request, long status)
{
	const struct azure_reply *reply = &request->reply;
	uint64_t wanted = request->range_start + request->received;

	if (request->range < 0 || request->headers[request->range].is_absent)
		return 0;
	if (status == 206 && reply->has_range)
		return reply->range_at == wanted ? 0 : -EPROTO;
	return wanted ? -EPROTO : 0;
}

static int take_piece(struct transfer *transfer, const char *data, size_t len, long status)
{
	struct azure_request *request = transfer->request;
	struct azure_reply *reply = &request->reply;
	int err;

	if (request->sink) {
		err = transfer->has_begun ? 0 : check_range(request, status);
		if (err)
			return err;
		transfer->has_begun = true;
		if (!request->received)
			memcpy(request->first_etag, reply->response.etag, AZURE_ETAG_MAX);
		err = request->sink(request->sink_arg, data, len,
				    request->range_start + request->received);
		if (err) {
			request->callback_errno = abs(err);
			request->sink_failed = true;
			return -ECANCELED;
		}
		request->received += len;
		return 0;
	}
	/* Other answers of success have no body that anybody reads. */
	return reply->xml ? azure_xml_feed(reply->xml, data, len) : 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *transfer = arg;
	struct azure_text *error_body = &transfer->request->reply.error_body;
	size_t len = size * n;
	long status = status_of(transfer);

	transfer->http->counters->bytes_received += len;
	if (status >= 200 && status < 300) {
		transfer->answer_error = take_piece(transfer, data, len, status);
		return transfer->answer_error ? 0 : len;
	}
	/* The rest of an error's text is read, to keep the connection, and dropped. */
	if (error_body->len < AZURE_ERROR_BODY_MAX)
		azure_text_put(error_body, data,
			       len < AZURE_ERROR_BODY_MAX - error_body->len ?
				       len : AZURE_ERROR_BODY_MAX - error_body->len);
	return len;
}

/* ---------------------------------------------------------------- handles */

static bool set_constants(struct transfer *transfer)
{
	const struct azure_client_config *config = &transfer->http->config;
	CURL *easy = transfer->easy;
	int bad = 0;

#define SET(option, value) (bad |= curl_easy_setopt(easy, option, value) != CURLE_OK)
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_NOPROGRESS, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_TCP_NODELAY, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)config->connect_timeout_ms);
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, (long)config->low_speed_timeout_s);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER);
	SET(CURLOPT_BUFFERSIZE, (long)DOWNLOAD_BUFFER);
	SET(CURLOPT_USERAGENT, config->user_agent);
	SET(CURLOPT_ERRORBUFFER, transfer->message);
	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_READFUNCTION, on_read);
	SET(CURLOPT_READDATA, transfer);
	SET(CURLOPT_SEEKFUNCTION, on_seek);
	SET(CURLOPT_SEEKDATA, transfer);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, transfer);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_SOCKOPTFUNCTION, on_open);
	SET(CURLOPT_SOCKOPTDATA, transfer->http);
	SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
	SET(CURLOPT_CLOSESOCKETDATA, transfer->http);
#undef SET
	return !bad;
}

static void transfer_free(struct transfer *transfer)
{
	if (!transfer)
		return;
	curl_easy_cleanup(transfer->easy);
	azure_target_put(transfer->last);
	free(transfer);
}

static struct transfer *transfer_get(struct azure_http *http)
{
	struct transfer *transfer = http->idle;

	if (transfer) {
		http->idle = transfer->next;
		http->n_idle--;
		return transfer;
	}
	transfer = calloc(1, sizeof(*transfer));
	if (!transfer)
		return NULL;
	transfer->http = http;
	transfer->easy = curl_easy_init();
	if (!transfer->easy || !set_constants(transfer)) {
		transfer_free(transfer);
		return NULL;
	}
	return transfer;
}

static void transfer_put(struct azure_http *http, struct transfer *transfer)
{
	if (transfer->request)
		transfer->request->transfer = NULL;
	transfer->request = NULL;
	if (http->n_idle == IDLE_MAX) {
		transfer_free(transfer);
		return;
	}
	transfer->next = http->idle;
	http->idle = transfer;
	http->n_idle++;
}

/* ---------------------------------------------------------------- a try begins */

static int set_target(struct transfer *transfer, struct azure_target *target)
{
	CURL *easy = transfer->easy;
	bool has_own_ca = transfer->last && transfer->last->ca_file;

	if (transfer->last == target)
		return 0;
	azure_target_put(transfer->last);
	transfer->last = NULL;
	/* There is no other way back to the system's certificates: NULL stands for none. */
	if (has_own_ca && !target->ca_file) {
		curl_easy_reset(easy);
		if (!set_constants(transfer))
			return -ENOMEM;
	}
	if (target->ca_file && curl_easy_setopt(easy, CURLOPT_CAINFO, target->ca_file))
		return -ENOMEM;
	/* "" is "no proxy"; NULL would look into the environment, as would a missing exception. */
	if (curl_easy_setopt(easy, CURLOPT_PROXY, target->proxy) ||
	    curl_easy_setopt(easy, CURLOPT_NOPROXY, ""))
		return -ENOMEM;
	transfer->last = azure_target_get(target);
	return 0;
}

static void link_lines(struct transfer *transfer)
{
	/* No answer of "100 Continue" is waited for; no type is put on a body that has none. */
	static const char *const without[] = { "Expect:", "Accept:" };
	const struct azure_request *request = transfer->request;
	size_t n = 0;

	for (size_t i = 0; i < request->n_headers; i++) {
		if (!request->headers[i].is_absent)
			transfer->lines[n++].data = (char *)azure_request_line(request, i);
	}
	if (request->content_type < 0)
		transfer->lines[n++].data = (char *)"Content-Type:";
	for (size_t i = 0; i < sizeof(without) / sizeof(*without); i++)
		transfer->lines[n++].data = (char *)without[i];
	for (size_t i = 0; i < n; i++)
		transfer->lines[i].next = i + 1 < n ? &transfer->lines[i + 1] : NULL;
}

static int set_method(struct transfer *transfer)
{
	const struct azure_request *request = transfer->request;
	const struct azure_body *body = &request->body;
	CURL *easy = transfer->easy;
	int bad = 0;

#define SET(option, value) (bad |= curl_easy_setopt(easy, option, value) != CURLE_OK)
	/* Each of these undoes what the one before has set: what is left is the last's. */
	SET(CURLOPT_HTTPGET, 1L);
	SET(CURLOPT_CUSTOMREQUEST, request->verb == AZURE_VERB_DELETE ? "DELETE" : NULL);
	if (request->verb == AZURE_VERB_HEAD) {
		SET(CURLOPT_NOBODY, 1L);
	} else if (request->verb == AZURE_VERB_PUT && body->length <= INLINE_BODY_MAX &&
		   (body->data || !body->length)) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDS, body->length ? body->data : "");
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->length);
		SET(CURLOPT_CUSTOMREQUEST, "PUT");
	} else if (request->verb == AZURE_VERB_PUT) {
		SET(CURLOPT_UPLOAD, 1L);
		SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)body->length);
	}
#undef SET
	return bad ? -ENOMEM : 0;
}

int azure_http_start(struct azure_http *http, struct azure_request *request)
{
	struct transfer *transfer = transfer_get(http);
	int err = -ENOMEM;

	if (!transfer)
		return -ENOMEM;
	transfer->request = request;
	transfer->sent = 0;
	transfer->has_begun = false;
	transfer->answer_error = 0;
	transfer->message[0] = '\0';
	link_lines(transfer);
	if (!set_target(transfer, request->target) && !set_method(transfer) &&
	    !curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->lines) &&
	    !curl_easy_setopt(transfer->easy, CURLOPT_URL, request->url.data))
		err = curl_multi_add_handle(http->multi, transfer->easy) ? -ENOMEM : 0;
	if (err) {
		transfer_put(http, transfer);
		return err;
	}
	request->transfer = transfer;
	http->counters->requests++;
	return 0;
}

void azure_http_cancel(struct azure_http *http, struct azure_request *request)
{
	struct transfer *transfer = request->transfer;

	if (!transfer)
		return;
	curl_multi_remove_handle(http->multi, transfer->easy);
	transfer_put(http, transfer);
}

/* ---------------------------------------------------------------- a try ends */

static enum azure_transport transport_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return AZURE_TRANSPORT_OK;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return AZURE_TRANSPORT_RESOLVE;
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:	/* often a connection cut during the handshake */
	case CURLE_PROXY:
		return AZURE_TRANSPORT_CONNECT;
	case CURLE_OPERATION_TIMEDOUT:
		return AZURE_TRANSPORT_TIMEOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_USE_SSL_FAILED:
		return AZURE_TRANSPORT_TLS;
	case CURLE_OUT_OF_MEMORY:
	case CURLE_FAILED_INIT:
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_BAD_FUNCTION_ARGUMENT:
		return AZURE_TRANSPORT_LOCAL;
	default:
		return AZURE_TRANSPORT_BROKEN;
	}
}

static enum azure_transport broken_off(int answer_error)
{
	if (answer_error == -ENOMEM)
		return AZURE_TRANSPORT_LOCAL;
	/* Ill-formed once may be damaged; a range that is not ours is not worth a second try. */
	return answer_error == -EBADMSG ? AZURE_TRANSPORT_BROKEN : AZURE_TRANSPORT_TOO_LARGE;
}

static void describe(struct transfer *transfer, CURLcode code, struct azure_outcome *out)
{
	long os_errno = 0, connections = 0;
	curl_off_t uploaded = 0;

	*out = (struct azure_outcome){ .transport = transport_of(code),
				       .http_status = (int)status_of(transfer),
				       .curl_code = (int)code,
				       .retry_after_ms = -1 };
	curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connections);
	curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
	transfer->http->counters->connections += (uint64_t)connections;
	transfer->http->counters->bytes_sent += (uint64_t)uploaded;
	if (code == CURLE_OK)
		return;
	curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_errno);
	out->sys_errno = (int)os_errno;
	out->transport_message = *transfer->message ? transfer->message :
						      curl_easy_strerror(code);
	if (transfer->answer_error) {
		out->transport = broken_off(transfer->answer_error);
		out->sys_errno = -transfer->answer_error;
		out->transport_message = strerror(-transfer->answer_error);
	}
}

struct azure_request *azure_http_reap(struct azure_http *http, struct azure_outcome *out)
{
	struct azure_request *request;
	struct transfer *transfer;
	CURLMsg *message;
	CURLcode code;
	char *private;
	int left;

	if (http->reaped)
		transfer_put(http, http->reaped);
	http->reaped = NULL;
	do {
		message = curl_multi_info_read(http->multi, &left);
		if (!message)
			return NULL;
	} while (message->msg != CURLMSG_DONE);

	code = message->data.result;
	curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
	transfer = (struct transfer *)private;
	curl_multi_remove_handle(http->multi, transfer->easy);
	describe(transfer, code, out);
	request = transfer->request;
	request->transfer = NULL;
	transfer->request = NULL;
	http->reaped = transfer;
	return request;
}

/* ---------------------------------------------------------------- life */

/*
 * A connection that the server has closed must not end the program. libcurl would see to it with
 * two system calls around each of its own; who has set a handler knows what he does.
 */
static void ignore_sigpipe(void)
{
	struct sigaction now;

	if (!sigaction(SIGPIPE, NULL, &now) && now.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

struct azure_http *azure_http_create(const struct azure_client_config *config,
				     struct azure_poller *poller,
				     struct azure_client_counters *counters)
{
	struct azure_http *http = calloc(1, sizeof(*http));
	int bad = 0;

	if (!http)
		return NULL;
	ignore_sigpipe();
	http->poller = poller;
	http->counters = counters;
	http->config = *config;
	http->due_ms = -1;
	if (!http->config.connect_timeout_ms)
		http->config.connect_timeout_ms = CONNECT_TIMEOUT_MS;
	if (!http->config.low_speed_timeout_s)
		http->config.low_speed_timeout_s = LOW_SPEED_S;
	if (!http->config.max_connections)
		http->config.max_connections = CONNECTIONS;
	/* Counted by libcurl, and safe in any thread since 7.84. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
		free(http);
		return NULL;
	}
	http->multi = curl_multi_init();
	if (!http->multi) {
		azure_http_free(http);
		return NULL;
	}
#define SET(option, value) (bad |= curl_multi_setopt(http->multi, option, value) != CURLM_OK)
	SET(CURLMOPT_SOCKETFUNCTION, on_socket);
	SET(CURLMOPT_SOCKETDATA, http);
	SET(CURLMOPT_TIMERFUNCTION, on_timer);
	SET(CURLMOPT_TIMERDATA, http);
	SET(CURLMOPT_MAXCONNECTS, (long)http->config.max_connections);
	SET(CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
#undef SET
	if (bad) {
		azure_http_free(http);
		return NULL;
	}
	return http;
}

void azure_http_free(struct azure_http *http)
{
	if (!http)
		return;
	if (http->reaped)
		transfer_free(http->reaped);
	while (http->idle) {
		struct transfer *transfer = http->idle;

		http->idle = transfer->next;
		transfer_free(transfer);
	}
	curl_multi_cleanup(http->multi);
	curl_global_cleanup();
	free(http->is_connection);
	free(http);
}
