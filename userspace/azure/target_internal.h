/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What azure/ itself knows of endpoints and targets. */
#ifndef AZURE_TARGET_INTERNAL_H
#define AZURE_TARGET_INTERNAL_H

#include "auth.h"
#include "target.h"

struct azure_endpoint {
	bool is_https;
	char host[AZURE_HOST_MAX + 1];	/* without the brackets of an IPv6 address */
	char path[AZURE_ENDPOINT_MAX];	/* "" or "/segment...": of emulators and proxies */
	char base[AZURE_ENDPOINT_MAX];	/* the whole, without a trailing slash */
};

struct azure_target {
	unsigned int refs;	/* atomic */
	char account[AZURE_ACCOUNT_MAX + 1];
	char container[64];
	struct azure_endpoint endpoint;
	char *proxy;		/* "": none */
	char *ca_file;		/* NULL: the system's */
	struct azure_credential *credential;
	struct azure_signer *signer;	/* SHARED_KEY only */
};

/* -EINVAL with @err filled in, unless @text is http[s]://host[:port][/path], nothing else. */
int azure_endpoint_parse(struct azure_endpoint *endpoint, const char *text,
			 struct azure_error *err) __attribute__((warn_unused_result));
bool azure_host_is_loopback(const char *host);

#endif
