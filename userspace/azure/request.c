/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"

/* A try fills these in; each stands for the longest value that may come. */
#define DATE_LONGEST "Thu, 01 Jan 1970 00:00:00 GMT"
#define RANGE_LONGEST "bytes=18446744073709551615-18446744073709551615"

static const char *const verb_names[] = {
	[AZURE_VERB_GET] = "GET",
	[AZURE_VERB_HEAD] = "HEAD",
	[AZURE_VERB_PUT] = "PUT",
	[AZURE_VERB_DELETE] = "DELETE",
};

struct azure_request *azure_request_create(struct azure_client *client,
					   struct azure_target *target, enum azure_verb verb)
{
	struct azure_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->client = client;
	request->target = azure_target_get(target);
	request->verb = verb;
	request->content_md5 = -1;
	request->content_type = -1;
	request->header_if_match = -1;
	request->header_if_none_match = -1;
	request->date = -1;
	request->range = -1;
	request->authorization = -1;
	azure_reply_init(&request->reply);
	return request;
}

void azure_request_free(struct azure_request *request)
{
	if (!request)
		return;
	azure_text_free(&request->url);
	azure_text_free(&request->resource);
	azure_text_free(&request->lines);
	azure_text_free(&request->body_text);
	azure_reply_free(&request->reply);
	free(request->iov);
	azure_target_put(request->target);
	free(request);
}

/* Nothing that could end the line or be altered on the way: visible ASCII and inner spaces. */
static bool is_header_safe(const char *value)
{
	size_t len = strlen(value);

	if (len && (value[0] == ' ' || value[len - 1] == ' '))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (value[i] < ' ' || value[i] > '~')
			return false;
	}
	return true;
}

int azure_request_add_header(struct azure_request *request, const char *name, const char *value)
{
	struct azure_header *header = &request->headers[request->n_headers];
	struct azure_text *lines = &request->lines;

	if (request->n_headers == AZURE_REQUEST_HEADERS_MAX || !is_header_safe(value))
		return -EINVAL;
	*header = (struct azure_header){ .line = (uint32_t)lines->len,
					 .name_len = (uint32_t)strlen(name),
					 .value_len = (uint32_t)strlen(value) };
	azure_text_put(lines, name, header->name_len);
	/* "name;" is how libcurl is told of a header without a value. */
	azure_text_put(lines, *value ? ": " : ";", 2);
	azure_text_put(lines, value, header->value_len + 1);
	if (lines->failed)
		return -ENOMEM;
	request->n_headers++;
	return 0;
}

static void put_query(struct azure_text *url, const struct azure_parameter *parameters, size_t n,
		      const char *sas)
{
	char separator = '?';

	for (size_t i = 0; i < n; i++) {
		azure_text_putc(url, separator);
		azure_text_puts(url, parameters[i].name);
		azure_text_putc(url, '=');
		azure_text_put_url(url, parameters[i].value, false);
		separator = '&';
	}
	if (sas) {
		azure_text_putc(url, separator);
		azure_text_puts(url, sas);
	}
}

int azure_request_set_resource(struct azure_request *request, const char *blob,
			       const struct azure_parameter *parameters, size_t n)
{
	const struct azure_target *target = request->target;
	struct azure_text *url = &request->url;
	size_t path = strlen(target->endpoint.base) - strlen(target->endpoint.path);

	azure_text_puts(url, target->endpoint.base);
	azure_text_putc(url, '/');
	azure_text_puts(url, target->container);
	if (blob) {
		azure_text_putc(url, '/');
		azure_text_put_url(url, blob, true);
	}
	if (url->failed)
		return -ENOMEM;
	azure_sign_put_resource(&request->resource, target->account, url->data + path, parameters,
				n);
	put_query(url, parameters, n, target->credential->sas);
	request->is_container = !blob;
	return url->failed || request->resource.failed ? -ENOMEM : 0;
}

const char *azure_request_line(const struct azure_request *request, size_t index)
{
	return request->lines.data + request->headers[index].line;
}

static const char *line_of(const struct azure_request *request, int index)
{
	return azure_request_line(request, (size_t)index);
}

/* The value of a header that may not be there. */
static const char *value_of(const struct azure_request *request, int index)
{
	if (index < 0 || request->headers[index].is_absent)
		return NULL;
	return line_of(request, index) + request->headers[index].name_len + 2;
}

static bool is_ms(const struct azure_request *request, size_t index)
{
	return !strncmp(line_of(request, (int)index), "x-ms-", 5);
}

static int name_order(const struct azure_request *request, size_t a, size_t b)
{
	const struct azure_header *ha = &request->headers[a];
	const struct azure_header *hb = &request->headers[b];
	uint32_t least = ha->name_len < hb->name_len ? ha->name_len : hb->name_len;
	int order = memcmp(line_of(request, (int)a), line_of(request, (int)b), least);

	return order ? order : (ha->name_len > hb->name_len) - (ha->name_len < hb->name_len);
}

/* Insertion sort: a dozen headers, which come nearly in order. x-ms-* first, by name. */
static void sort_headers(struct azure_request *request)
{
	struct azure_header *headers = request->headers;

	for (size_t i = 1; i < request->n_headers; i++) {
		for (size_t k = i; k > 0; k--) {
			struct azure_header held = headers[k];
			bool before = is_ms(request, k) &&
				      (!is_ms(request, k - 1) || name_order(request, k, k - 1) < 0);

			if (!before)
				break;
			headers[k] = headers[k - 1];
			headers[k - 1] = held;
		}
	}
	for (request->n_ms = 0; request->n_ms < request->n_headers; request->n_ms++) {
		if (!is_ms(request, request->n_ms))
			break;
	}
}

static int check_order(const struct azure_request *request)
{
	for (size_t i = 1; i < request->n_ms; i++) {
		const struct azure_header *a = &request->headers[i - 1];
		const struct azure_header *b = &request->headers[i];

		if (!name_order(request, i - 1, i))
			return -EINVAL;
		if (!azure_sign_orders_agree(line_of(request, (int)i - 1), a->name_len,
					     line_of(request, (int)i), b->name_len))
			return -EINVAL;
	}
	return 0;
}

static bool header_is(const struct azure_request *request, size_t index, const char *name)
{
	return request->headers[index].name_len == strlen(name) &&
	       !memcmp(line_of(request, (int)index), name, strlen(name));
}

static void find_headers(struct azure_request *request)
{
	const struct {
		const char *name;
		int *index;
	} wanted[] = {
		{ "x-ms-date", &request->date },
		{ "x-ms-range", &request->range },
		{ "Content-MD5", &request->content_md5 },
		{ "Content-Type", &request->content_type },
		{ "If-Match", &request->header_if_match },
		{ "If-None-Match", &request->header_if_none_match },
		{ "Authorization", &request->authorization },
	};

	for (size_t i = 0; i < request->n_headers; i++) {
		for (size_t k = 0; k < sizeof(wanted) / sizeof(*wanted); k++) {
			if (header_is(request, i, wanted[k].name))
				*wanted[k].index = (int)i;
		}
	}
}

/* Reserved for a try to fill in; absent until then. */
static int reserve_header(struct azure_request *request, const char *name, size_t longest)
{
	char blank[AZURE_ETAG_MAX];
	int err;

	memset(blank, 'x', sizeof(blank));
	blank[longest < sizeof(blank) ? longest : sizeof(blank) - 1] = '\0';
	err = azure_request_add_header(request, name, blank);
	if (!err)
		request->headers[request->n_headers - 1].is_absent = true;
	return err;
}

static int add_try_headers(struct azure_request *request)
{
	char blank[sizeof("SharedKey :") + AZURE_ACCOUNT_MAX + AZURE_SIGNATURE_LEN];
	int err = azure_request_add_header(request, "x-ms-date", DATE_LONGEST);

	if (!err && request->sink)
		err = reserve_header(request, "x-ms-range", strlen(RANGE_LONGEST));
	if (!err && request->sink && request->header_if_match < 0)
		err = reserve_header(request, "If-Match", AZURE_ETAG_MAX - 1);
	if (!err && request->target->signer) {
		snprintf(blank, sizeof(blank), "SharedKey %s:%0*d", request->target->account,
			 AZURE_SIGNATURE_LEN, 0);
		err = azure_request_add_header(request, "Authorization", blank);
	}
	return err;
}

int azure_request_seal(struct azure_request *request)
{
	int err = azure_request_add_header(request, "x-ms-version", AZURE_API_VERSION);

	find_headers(request);
	request->if_none_match = request->header_if_none_match >= 0;
	if (!err)
		err = add_try_headers(request);
	if (err)
		return err;
	sort_headers(request);
	find_headers(request);
	return check_order(request);
}

static void set_value(struct azure_request *request, int index, const char *value)
{
	struct azure_header *header = &request->headers[index];

	header->value_len = (uint32_t)strlen(value);
	header->is_absent = false;
	memcpy(request->lines.data + header->line + header->name_len + 2, value,
	       header->value_len + 1);
}

/* From where the last try stopped, and then only if it is still the same blob. */
static void set_range(struct azure_request *request)
{
	uint64_t start = request->range_start + request->received;
	char range[sizeof(RANGE_LONGEST)];

	if (request->received && *request->first_etag)
		set_value(request, request->header_if_match, request->first_etag);
	if (request->range_length)
		snprintf(range, sizeof(range), "bytes=%llu-%llu", (unsigned long long)start,
			 (unsigned long long)(request->range_start + request->range_length - 1));
	else if (start)
		snprintf(range, sizeof(range), "bytes=%llu-", (unsigned long long)start);
	else
		return;	/* the whole: an empty blob has no range that could be asked for */
	set_value(request, request->range, range);
}

static int set_authorization(struct azure_request *request)
{
	struct azure_sign_header headers[AZURE_REQUEST_HEADERS_MAX];
	struct azure_sign_input in = {
		.verb = verb_names[request->verb],
		.content_length = request->body.length,
		.content_md5 = value_of(request, request->content_md5),
		.content_type = value_of(request, request->content_type),
		.if_match = value_of(request, request->header_if_match),
		.if_none_match = value_of(request, request->header_if_none_match),
		.ms_headers = headers,
		.resource = request->resource.data,
	};
	struct azure_text text = { 0 };
	char value[sizeof("SharedKey :") + AZURE_ACCOUNT_MAX + AZURE_SIGNATURE_LEN];
	int n, err;

	for (size_t i = 0; i < request->n_ms; i++) {
		const struct azure_header *header = &request->headers[i];
		const char *line = line_of(request, (int)i);

		if (!header->is_absent)
			headers[in.n_ms_headers++] = (struct azure_sign_header){
				line, header->name_len, line + header->name_len + 2,
				header->value_len };
	}
	azure_sign_put_string(&text, &in);
	n = snprintf(value, sizeof(value), "SharedKey %s:", request->target->account);
	err = text.failed ? -ENOMEM :
			    azure_signer_sign(request->target->signer, text.data, text.len,
					      value + n);
	azure_text_free(&text);
	if (!err)
		set_value(request, request->authorization, value);
	return err;
}

int azure_request_sign(struct azure_request *request, int64_t now_s)
{
	char date[AZURE_HTTP_DATE_LEN + 1];

	azure_http_date_format(date, now_s);
	set_value(request, request->date, date);
	if (request->range >= 0)
		set_range(request);
	return request->authorization >= 0 ? set_authorization(request) : 0;
}
