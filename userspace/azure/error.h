/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What went wrong with a request, and whom it concerns. Every failure of azure/ is told in this one
 * type, and the scope is decided in one place (error.c). Messages never hold a secret: neither
 * keys, signatures, query strings nor headers are put in.
 */
#ifndef AZURE_ERROR_H
#define AZURE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

enum azure_scope {
	AZURE_SCOPE_NONE = 0,	/* no error */
	AZURE_SCOPE_TRANSIENT,	/* may succeed when repeated; the client has used up its tries */
	AZURE_SCOPE_NOT_FOUND,	/* the blob is not there (the container is: else TARGET) */
	AZURE_SCOPE_CONFLICT,	/* a condition did not hold: somebody else's blob or change */
	AZURE_SCOPE_FILE,	/* this blob or file cannot be done; others can */
	AZURE_SCOPE_TARGET,	/* nothing can be done at this account or container */
	AZURE_SCOPE_CANCELLED,	/* the caller cancelled the request, or the client is going away */
	AZURE_SCOPE_LOCAL,	/* this process: no memory, a bug, a callback that failed */
};

#define AZURE_CODE_MAX 64
#define AZURE_MESSAGE_MAX 320

struct azure_error {
	enum azure_scope scope;
	int http_status;		/* 0: no answer came */
	int curl_code;			/* CURLcode; 0 when an answer came */
	int sys_errno;			/* positive; of the socket, or what a body callback returned */
	bool unreachable;		/* no answer at all: refused, no route, DNS, timed out */
	bool maybe_done;		/* this or an earlier try may have been carried out */
	int64_t retry_after_ms;		/* as the server said, bounded; -1: it said nothing */
	int64_t skew_s;			/* server's clock minus ours; 0: near enough, or unknown */
	char code[AZURE_CODE_MAX];	/* x-ms-error-code, or empty */
	char message[AZURE_MESSAGE_MAX];/* a sentence for a person; without a secret */
};

/* How the exchange itself went, whatever the server said. */
enum azure_transport {
	AZURE_TRANSPORT_OK = 0,		/* a whole answer came */
	AZURE_TRANSPORT_RESOLVE,	/* no address for the host or the proxy */
	AZURE_TRANSPORT_CONNECT,	/* refused, no route */
	AZURE_TRANSPORT_TIMEOUT,	/* connecting or waiting took too long */
	AZURE_TRANSPORT_TLS,		/* certificate or protocol refused: trying again is no use */
	AZURE_TRANSPORT_BROKEN,		/* cut, reset, incomplete or malformed */
	AZURE_TRANSPORT_LOCAL,		/* memory, or a request that libcurl refuses */
	AZURE_TRANSPORT_TOO_LARGE,	/* the answer is beyond its bound, or is not what it must be */
};

/* The facts of one try, from which the scope follows. Strings may be NULL. */
struct azure_outcome {
	enum azure_transport transport;
	int http_status;
	int curl_code;
	int sys_errno;
	const char *service_code;
	const char *service_message;	/* hostile text: cleaned and cut */
	const char *transport_message;	/* libcurl's */
	int64_t retry_after_ms;		/* -1: none */
	int64_t skew_s;
	bool if_none_match;		/* the request was "only if absent" */
	bool is_container;		/* the request was about the container, not about a blob */
};

/* Fills @err from @out; scope NONE for a status of 2xx without a transport error. */
void azure_error_classify(struct azure_error *err, const struct azure_outcome *out);

/* printf-like; sets scope, message and sys_errno and clears the rest. */
void azure_error_set(struct azure_error *err, enum azure_scope scope, int sys_errno,
		     const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Is another try of the same request of any use? */
bool azure_error_is_retryable(const struct azure_error *err);

/*
 * Should the caller, after the client's own tries, treat the whole target as blocked and probe it,
 * rather than this one file? True for TARGET, and for a server that never answered.
 */
bool azure_error_blocks_target(const struct azure_error *err);

/*
 * May the request have been carried out although it failed (OperationTimedOut, a connection cut
 * after sending)? Also true of a conflict or a missing blob met by a repetition of such a try: it
 * may be of our own making. Then the caller looks (HEAD) before it judges or repeats.
 */
bool azure_error_is_ambiguous(const struct azure_error *err);

const char *azure_scope_name(enum azure_scope scope);

#endif
