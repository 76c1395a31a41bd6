/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The one place where a failure is given its scope. Service codes:
 * learn.microsoft.com/rest/api/storageservices/blob-service-error-codes and
 * .../common-rest-api-error-codes
 */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Codes whose scope does not follow from the status. */
static const struct code_scope {
	const char *code;
	enum azure_scope scope;
} code_scopes[] = {
	/* 400 that concern the account, not the blob */
	{ "AccountRequiresHttps", AZURE_SCOPE_TARGET },
	{ "InvalidAuthenticationInfo", AZURE_SCOPE_TARGET },
	{ "InvalidResourceName", AZURE_SCOPE_FILE },
	/* 400: damaged on the way */
	{ "Md5Mismatch", AZURE_SCOPE_TRANSIENT },
	{ "Crc64Mismatch", AZURE_SCOPE_TRANSIENT },
	{ "RequestTimeout", AZURE_SCOPE_TRANSIENT },
	/* 400: the blocks are gone, so somebody else has written the blob */
	{ "InvalidBlockList", AZURE_SCOPE_CONFLICT },
	{ "InvalidBlobOrBlock", AZURE_SCOPE_CONFLICT },
	/* 401, 403, 404, 409: the source of a copy, not our own right */
	{ "CannotVerifyCopySource", AZURE_SCOPE_FILE },
	{ "BlobImmutableDueToPolicy", AZURE_SCOPE_FILE },
	{ "BlobImmutableDueToLegalHold", AZURE_SCOPE_FILE },
	{ "UnauthorizedBlobOverwrite", AZURE_SCOPE_FILE },
	{ "BlobNotFound", AZURE_SCOPE_NOT_FOUND },
	{ "ContainerNotFound", AZURE_SCOPE_TARGET },
	{ "ContainerBeingDeleted", AZURE_SCOPE_TARGET },
	{ "ContainerDisabled", AZURE_SCOPE_TARGET },
	{ "ContainerAlreadyExists", AZURE_SCOPE_CONFLICT },
	{ "AccountBeingCreated", AZURE_SCOPE_TARGET },
	{ "AccountIsDisabled", AZURE_SCOPE_TARGET },
	{ "BlobAlreadyExists", AZURE_SCOPE_CONFLICT },
	{ "ConditionNotMet", AZURE_SCOPE_CONFLICT },
	{ "TargetConditionNotMet", AZURE_SCOPE_CONFLICT },
	{ "SourceConditionNotMet", AZURE_SCOPE_CONFLICT },
	{ "BlobModifiedWhileReading", AZURE_SCOPE_CONFLICT },
	/* 412, but waiting or looking again does not help */
	{ "LeaseIdMissing", AZURE_SCOPE_FILE },
	{ "LeaseLost", AZURE_SCOPE_FILE },
	{ "LeaseIdMismatchWithBlobOperation", AZURE_SCOPE_FILE },
	{ "LeaseNotPresentWithBlobOperation", AZURE_SCOPE_FILE },
	/* 500, 503 */
	{ "InternalError", AZURE_SCOPE_TRANSIENT },
	{ "OperationTimedOut", AZURE_SCOPE_TRANSIENT },
	{ "ServerBusy", AZURE_SCOPE_TRANSIENT },
};

static enum azure_scope scope_of_status(const struct azure_outcome *out)
{
	switch (out->http_status) {
	case 401:
	case 403:
		return AZURE_SCOPE_TARGET;
	case 404:
		return out->is_container ? AZURE_SCOPE_TARGET : AZURE_SCOPE_NOT_FOUND;
	case 304:
	case 412:
		return AZURE_SCOPE_CONFLICT;
	case 409:
		/* Without a code (an answer to HEAD, a proxy): somebody was there first. */
		if (out->if_none_match && (!out->service_code || !*out->service_code))
			return AZURE_SCOPE_CONFLICT;
		return AZURE_SCOPE_FILE;
	case 408:
	case 429:
	case 500:
	case 502:
	case 503:
	case 504:
		return AZURE_SCOPE_TRANSIENT;
	case 305:
	case 407:
		return AZURE_SCOPE_TARGET;	/* the proxy */
	default:
		break;
	}
	if (out->http_status < 400)
		return AZURE_SCOPE_TARGET;	/* a redirect: not a storage account */
	return AZURE_SCOPE_FILE;
}

static enum azure_scope scope_of_answer(const struct azure_outcome *out)
{
	if (out->service_code) {
		for (size_t i = 0; i < sizeof(code_scopes) / sizeof(*code_scopes); i++) {
			if (!strcmp(out->service_code, code_scopes[i].code))
				return code_scopes[i].scope;
		}
	}
	return scope_of_status(out);
}

static enum azure_scope scope_of_transport(enum azure_transport transport)
{
	switch (transport) {
	case AZURE_TRANSPORT_RESOLVE:
	case AZURE_TRANSPORT_TLS:
		return AZURE_SCOPE_TARGET;
	case AZURE_TRANSPORT_LOCAL:
		return AZURE_SCOPE_LOCAL;
	case AZURE_TRANSPORT_TOO_LARGE:
		return AZURE_SCOPE_FILE;
	default:
		return AZURE_SCOPE_TRANSIENT;
	}
}

/* Text from outside: one line, printable, cut. UTF-8 is passed on byte by byte. */
static void clean_copy(char *to, size_t size, const char *from)
{
	size_t n = 0;

	while (from && *from && *from != '\n' && *from != '\r' && n + 1 < size) {
		unsigned char c = (unsigned char)*from++;

		to[n++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	to[n] = '\0';
}

/* Codes go into comparisons and logs: a word, or nothing. */
static void copy_code(char *to, const char *from)
{
	size_t n = from ? strspn(from, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789") : 0;

	if (!n || from[n] || n >= AZURE_CODE_MAX)
		n = 0;
	if (n)
		memcpy(to, from, n);
	to[n] = '\0';
}

static bool is_denied(int status)
{
	return status == 401 || status == 403;
}

static void describe_answer(struct azure_error *err, const struct azure_outcome *out)
{
	char said[160];
	int n;

	/* A refusal to authenticate may quote what was signed: its code says enough. */
	clean_copy(said, sizeof(said), is_denied(out->http_status) ? NULL : out->service_message);
	n = snprintf(err->message, sizeof(err->message), "the service answered %d%s%s%s%s",
		     out->http_status, *err->code ? " " : "", err->code, *said ? ": " : "", said);
	if (is_denied(out->http_status) && err->skew_s && n > 0 &&
	    (size_t)n < sizeof(err->message))
		snprintf(err->message + n, sizeof(err->message) - (size_t)n,
			 "; this machine's clock is %lld s %s the service's",
			 llabs((long long)err->skew_s), err->skew_s > 0 ? "behind" : "ahead of");
}

static void describe_transport(struct azure_error *err, const struct azure_outcome *out)
{
	static const char *const what[] = {
		[AZURE_TRANSPORT_RESOLVE] = "the host name cannot be resolved",
		[AZURE_TRANSPORT_CONNECT] = "cannot connect",
		[AZURE_TRANSPORT_TIMEOUT] = "no answer in time",
		[AZURE_TRANSPORT_TLS] = "TLS failed",
		[AZURE_TRANSPORT_BROKEN] = "the connection broke",
		[AZURE_TRANSPORT_LOCAL] = "the request could not be sent",
		[AZURE_TRANSPORT_TOO_LARGE] = "the answer cannot be taken",
	};
	char said[200];

	clean_copy(said, sizeof(said), out->transport_message);
	snprintf(err->message, sizeof(err->message), "%s%s%s", what[out->transport],
		 *said ? ": " : "", said);
}

static bool may_have_been_done(const struct azure_outcome *out)
{
	if (out->transport == AZURE_TRANSPORT_BROKEN || out->transport == AZURE_TRANSPORT_TIMEOUT)
		return true;
	return out->http_status == 408 || out->http_status == 500 || out->http_status == 502 ||
	       out->http_status == 504;
}

void azure_error_classify(struct azure_error *err, const struct azure_outcome *out)
{
	*err = (struct azure_error){ .retry_after_ms = out->retry_after_ms,
				     .http_status = out->http_status,
				     .curl_code = out->curl_code,
				     .sys_errno = out->sys_errno,
				     .skew_s = out->skew_s };

	if (out->transport != AZURE_TRANSPORT_OK) {
		err->scope = scope_of_transport(out->transport);
		err->unreachable = out->transport == AZURE_TRANSPORT_RESOLVE ||
				   out->transport == AZURE_TRANSPORT_CONNECT ||
				   (out->transport == AZURE_TRANSPORT_TIMEOUT && !out->http_status);
		describe_transport(err, out);
	} else if (out->http_status < 200 || out->http_status > 299) {
		copy_code(err->code, out->service_code);
		err->scope = scope_of_answer(out);
		describe_answer(err, out);
	}
	err->maybe_done = err->scope != AZURE_SCOPE_NONE && may_have_been_done(out);
}

void azure_error_set(struct azure_error *err, enum azure_scope scope, int sys_errno,
		     const char *fmt, ...)
{
	va_list args;

	*err = (struct azure_error){ .scope = scope, .sys_errno = sys_errno,
				     .retry_after_ms = -1 };
	va_start(args, fmt);
	vsnprintf(err->message, sizeof(err->message), fmt, args);
	va_end(args);
}

bool azure_error_is_retryable(const struct azure_error *err)
{
	return err->scope == AZURE_SCOPE_TRANSIENT;
}

bool azure_error_blocks_target(const struct azure_error *err)
{
	return err->scope == AZURE_SCOPE_TARGET ||
	       (err->scope == AZURE_SCOPE_TRANSIENT && err->unreachable);
}

bool azure_error_is_ambiguous(const struct azure_error *err)
{
	return err->scope != AZURE_SCOPE_NONE && err->maybe_done;
}

const char *azure_scope_name(enum azure_scope scope)
{
	static const char *const names[] = {
		[AZURE_SCOPE_NONE] = "none",	       [AZURE_SCOPE_TRANSIENT] = "transient",
		[AZURE_SCOPE_NOT_FOUND] = "not-found", [AZURE_SCOPE_CONFLICT] = "conflict",
		[AZURE_SCOPE_FILE] = "file",	       [AZURE_SCOPE_TARGET] = "target",
		[AZURE_SCOPE_CANCELLED] = "cancelled", [AZURE_SCOPE_LOCAL] = "local",
	};

	return (size_t)scope < sizeof(names) / sizeof(*names) ? names[scope] : "unknown";
}
