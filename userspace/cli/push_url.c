/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "cli/push_url.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *skip_scheme(const char *url)
{
	if (strncasecmp(url, "https://", 8) == 0)
		return url + 8;
	if (strncasecmp(url, "http://", 7) == 0)
		return url + 7;
	return NULL;
}

/* Whether the account stands in the path: there is no label of a host it could be. */
static bool is_path_style(const char *host, size_t len)
{
	if (host[0] == '[' || !memchr(host, '.', len))
		return true;
	return strspn(host, "0123456789.:") >= len;
}

static const char *segment_end(const char *s)
{
	return s + strcspn(s, "/");
}

static char *prefix_of(const char *rest)
{
	size_t len;
	char *prefix;

	while (*rest == '/')
		rest++;
	len = strlen(rest);
	prefix = malloc(len + 2);
	if (!prefix)
		return NULL;
	memcpy(prefix, rest, len + 1);
	if (len > 0 && prefix[len - 1] != '/')
		memcpy(prefix + len, "/", 2);
	return prefix;
}

int push_url_parse(struct push_url *u, const char *url, struct error *e)
{
	const char *host = skip_scheme(url), *end, *account, *account_end, *container;

	*u = (struct push_url){ 0 };
	if (!host)
		return error_set(e, -EINVAL, "a URL begins with https:// (or http://)");
	if (strpbrk(url, "?#"))
		return error_set(e, -EINVAL, "a URL with ? or #: a SAS token belongs into the "
				 "environment, as AZURE_STORAGE_SAS_TOKEN");
	if (strchr(url, '@'))
		return error_set(e, -EINVAL, "a URL with a user name");
	end = segment_end(host);
	account = host;
	account_end = host + strcspn(host, ".");
	if (is_path_style(host, (size_t)(end - host))) {
		if (*end != '/')
			return error_set(e, -EINVAL, "the URL names no account and no container");
		account = end + 1;
		account_end = segment_end(account);
		end = account_end;
	}
	container = *end ? end + 1 : end;
	if (host == account_end || account == account_end || container == segment_end(container))
		return error_set(e, -EINVAL, "the URL names no container: "
				 "https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX]");
	u->account = strndup(account, (size_t)(account_end - account));
	u->endpoint = strndup(url, (size_t)(end - url));
	u->container = strndup(container, (size_t)(segment_end(container) - container));
	u->prefix = prefix_of(segment_end(container));
	if (u->account && u->endpoint && u->container && u->prefix)
		return 0;
	push_url_free(u);
	return error_set_errno(e, -ENOMEM, "the URL");
}

void push_url_free(struct push_url *u)
{
	free(u->account);
	free(u->endpoint);
	free(u->container);
	free(u->prefix);
	*u = (struct push_url){ 0 };
}
