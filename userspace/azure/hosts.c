/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Where a credential may go: the last line of defence against a mapping that leads elsewhere. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "credential.h"
#include "target_internal.h"

/* The blob endpoints of Azure's clouds; DNS-zone endpoints are below blob.storage.azure.net. */
static const char *const azure_suffixes[] = {
	".blob.core.windows.net",	  ".blob.core.chinacloudapi.cn",
	".blob.core.usgovcloudapi.net",	  ".blob.core.cloudapi.de",
	".blob.storage.azure.net",
};

bool azure_host_is_loopback(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	if (!strcasecmp(host, "localhost"))
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static bool ends_with(const char *host, const char *suffix)
{
	size_t host_len = strlen(host);
	size_t len = strlen(suffix);

	return host_len > len && !strcasecmp(host + host_len - len, suffix);
}

/* "host", or ".suffix" and "*.suffix" for what lies below it. */
static bool matches(const char *host, const char *allowed)
{
	if (*allowed == '*')
		allowed++;
	return *allowed == '.' ? ends_with(host, allowed) : !strcasecmp(host, allowed);
}

static bool is_own_endpoint(const struct azure_credential *cred, const char *host)
{
	struct azure_endpoint own;
	struct azure_error ignored;

	return *cred->endpoint && !azure_endpoint_parse(&own, cred->endpoint, &ignored) &&
	       !strcasecmp(own.host, host);
}

static bool is_allowed(const struct azure_credential *cred, const char *host)
{
	for (size_t i = 0; i < cred->n_allowed; i++) {
		if (matches(host, cred->allowed[i]))
			return true;
	}
	if (cred->n_allowed)
		return false;
	for (size_t i = 0; i < sizeof(azure_suffixes) / sizeof(*azure_suffixes); i++) {
		if (ends_with(host, azure_suffixes[i]))
			return true;
	}
	/* Who wrote the key into a connection string has said there where it belongs. */
	return azure_host_is_loopback(host) || is_own_endpoint(cred, host);
}

int azure_credential_check_host(const struct azure_credential *cred, const char *host,
				bool is_https, struct azure_error *err)
{
	if (!is_allowed(cred, host)) {
		azure_error_set(err, AZURE_SCOPE_TARGET, EACCES,
				"the credential may not be sent to %s; ALLOWED_HOSTS in the credential "
				"names the hosts that it may be sent to", host);
		return -EACCES;
	}
	if (!is_https && !azure_host_is_loopback(host) && !cred->allow_http) {
		azure_error_set(err, AZURE_SCOPE_TARGET, EACCES,
				"the credential may not be sent to %s without TLS; ALLOW_HTTP=1 in the "
				"credential allows http://", host);
		return -EACCES;
	}
	return 0;
}
