/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * One try of a request over libcurl: connections, TLS, bodies in and out. Knows nothing of what the
 * answer means but success or not, by which it tells where the body goes.
 */
#ifndef AZURE_HTTP_H
#define AZURE_HTTP_H

#include "client.h"
#include "error.h"
#include "poller.h"
#include "request.h"

struct azure_http;

struct azure_http *azure_http_create(const struct azure_client_config *config,
				     struct azure_poller *poller,
				     struct azure_client_counters *counters);
void azure_http_free(struct azure_http *http);

/* Takes up a signed request. A negative errno: it was not. */
int azure_http_start(struct azure_http *http, struct azure_request *request)
	__attribute__((warn_unused_result));
/* Gives up the try that is under way. */
void azure_http_cancel(struct azure_http *http, struct azure_request *request);

/* Milliseconds until azure_http_expire() is due: 0 now, -1 never. */
int azure_http_timeout_ms(const struct azure_http *http);
void azure_http_expire(struct azure_http *http);

/*
 * The next try that has ended, or NULL. Its connection is free again; @out says how it went, its
 * strings being valid until the next call of this file.
 */
struct azure_request *azure_http_reap(struct azure_http *http, struct azure_outcome *out);

#endif
