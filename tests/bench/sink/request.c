/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Request heads: HTTP/1.1 as clients of the Blob service write it. */
#include "sink.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX in place; false for what is malformed or decodes to a NUL. */
static bool unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		int hi, lo;

		if (*s != '%') {
			*out++ = *s;
			continue;
		}
		hi = hex_digit(s[1]);
		lo = hi < 0 ? -1 : hex_digit(s[2]);
		if (lo < 0 || (hi == 0 && lo == 0))
			return false;
		*out++ = (char)(hi << 4 | lo);
		s += 2;
	}
	*out = '\0';
	return true;
}

static bool parse_path(struct request *req, char *path)
{
	char *slash;

	if (strncmp(path, "/__", 3) == 0) {
		req->service = path + 1;
		return true;
	}
	if (*path++ != '/')
		return false;
	/* The emulator's form: the account is the first segment. */
	if (strncmp(path, SINK_ACCOUNT, strlen(SINK_ACCOUNT)) != 0)
		return false;
	path += strlen(SINK_ACCOUNT);
	if (*path == '\0' || strcmp(path, "/") == 0) {
		req->is_account = true;
		return true;
	}
	if (*path++ != '/')
		return false;
	slash = strchr(path, '/');
	if (slash) {
		*slash = '\0';
		req->blob = slash + 1;
		if (!unescape(slash + 1))
			return false;
	}
	req->container = path;
	return unescape(path);
}

static bool parse_query(struct request *req, char *query)
{
	const struct {
		const char *name, **value;
	} known[] = {
		{ "restype", &req->restype },	{ "comp", &req->comp },
		{ "blockid", &req->blockid },	{ "prefix", &req->prefix },
		{ "delimiter", &req->delimiter }, { "marker", &req->marker },
		{ "include", &req->include },	{ "maxresults", &req->maxresults },
	};
	char *save = NULL;

	for (char *pair = strtok_r(query, "&", &save); pair; pair = strtok_r(NULL, "&", &save)) {
		char *value = strchr(pair, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (!unescape(value))
			return false;
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
			if (strcmp(pair, known[i].name) == 0)
				*known[i].value = value;
		}
	}
	return true;
}

static bool parse_length(struct request *req, const char *value)
{
	char *end;

	if (!isdigit((unsigned char)*value))
		return false;
	req->content_length = strtoull(value, &end, 10);
	req->has_length = true;
	return *end == '\0';
}

static bool parse_header(struct request *req, char *name, const char *value)
{
	const struct {
		const char *name, **value;
	} known[] = {
		{ "if-match", &req->if_match },
		{ "if-none-match", &req->if_none_match },
		{ "content-md5", &req->content_md5 },
		{ "x-ms-blob-content-md5", &req->blob_content_md5 },
		{ "x-ms-blob-content-type", &req->content_type },
		{ "x-ms-version", &req->version },
		{ "x-ms-client-request-id", &req->request_id },
		{ "x-ms-access-tier", &req->tier },
	};

	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (strncmp(name, "x-ms-meta-", 10) == 0) {
		buf_printf(&req->meta, "%s:%s\n", name + 10, value);
		return true;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(name, known[i].name) == 0)
			*known[i].value = value;
	}
	if (strcmp(name, "content-length") == 0)
		return parse_length(req, value);
	if (strcmp(name, "transfer-encoding") == 0)
		req->is_chunked = strcasecmp(value, "chunked") == 0;
	else if (strcmp(name, "expect") == 0)
		req->expects_continue = strcasecmp(value, "100-continue") == 0;
	else if (strcmp(name, "connection") == 0)
		req->wants_close = strcasecmp(value, "close") == 0;
	return true;
}

static void request_init(struct request *req)
{
	const char **const strings[] = {
		&req->method, &req->container, &req->blob, &req->service, &req->restype, &req->comp,
		&req->blockid, &req->prefix, &req->delimiter, &req->marker, &req->include,
		&req->maxresults, &req->if_match, &req->if_none_match, &req->content_md5,
		&req->blob_content_md5, &req->content_type, &req->version, &req->request_id,
		&req->tier,
	};

	memset(req, 0, sizeof(*req));
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		*strings[i] = "";
}

/* "VERB PATH[?QUERY] HTTP/1.1" */
static int parse_first_line(struct request *req, char *line)
{
	char *path = strchr(line, ' '), *version, *query;

	if (!path)
		return 400;
	*path++ = '\0';
	req->method = line;
	version = strchr(path, ' ');
	if (!version)
		return 400;
	*version++ = '\0';
	if (strcmp(version, "HTTP/1.1") != 0)
		return 505;
	query = strchr(path, '?');
	if (query) {
		*query++ = '\0';
		if (!parse_query(req, query))
			return 400;
	}
	return parse_path(req, path) ? 0 : 400;
}

int request_parse(struct request *req, char *head, size_t len)
{
	char *line = head, *end;
	int status;

	request_init(req);
	if (memchr(head, '\0', len))
		return 400;
	head[len - 2] = '\0';	/* the empty line: what is before it ends in CR LF */
	end = strstr(line, "\r\n");
	if (!end)
		return 400;
	*end = '\0';
	status = parse_first_line(req, line);
	for (line = end + 2; status == 0 && *line; line = end + 2) {
		char *value;

		end = strstr(line, "\r\n");
		value = strchr(line, ':');
		if (!end || !value || value > end)
			return 400;
		*end = '\0';
		*value++ = '\0';
		value += strspn(value, " \t");
		if (!parse_header(req, line, value))
			return 400;
	}
	return status;
}

bool request_keeps_body(const struct request *req)
{
	return strcmp(req->method, "PUT") == 0 && strcmp(req->comp, "blocklist") == 0;
}
