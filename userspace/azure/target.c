/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "names.h"
#include "target_internal.h"

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static int refuse(struct azure_error *err, const char *what)
{
	azure_error_set(err, AZURE_SCOPE_TARGET, EINVAL, "%s", what);
	return -EINVAL;
}

/* Return: what follows the host, or NULL. */
static const char *parse_host(struct azure_endpoint *endpoint, const char *text)
{
	bool is_six = *text == '[';
	const char *set = is_six ? "0123456789abcdefABCDEF:." : ALNUM "-.";
	size_t n;

	text += is_six;
	n = strspn(text, set);
	if (!n || n > AZURE_HOST_MAX)
		return NULL;
	memcpy(endpoint->host, text, n);
	endpoint->host[n] = '\0';
	text += n;
	if (is_six) {
		struct in6_addr address;

		if (*text++ != ']' || inet_pton(AF_INET6, endpoint->host, &address) != 1)
			return NULL;
	}
	return text;
}

static const char *parse_port(const char *text)
{
	unsigned long port = 0;

	if (*text != ':')
		return text;
	for (text++; *text >= '0' && *text <= '9' && port < 65536; text++)
		port = port * 10 + (unsigned long)(*text - '0');
	return port > 0 && port < 65536 ? text : NULL;
}

/* Plain segments only: no '?', '#' or '%' can change what is signed, no ".." where it leads. */
static bool path_is_plain(const char *path)
{
	const char *last = strrchr(path, '/');

	if (last && (!strcmp(last, "/.") || !strcmp(last, "/..")))
		return false;
	if (*path && *path != '/')
		return false;
	if (strspn(path, ALNUM "-._~/") != strlen(path) || strstr(path, "//"))
		return false;
	return !strstr(path, "/./") && !strstr(path, "/../");
}

int azure_endpoint_parse(struct azure_endpoint *endpoint, const char *text,
			 struct azure_error *err)
{
	size_t len = strlen(text);
	const char *rest;
	char *end;

	if (len >= sizeof(endpoint->base))
		return refuse(err, "the endpoint is too long");
	memcpy(endpoint->base, text, len + 1);
	for (end = endpoint->base + len; end > endpoint->base && end[-1] == '/'; end--)
		end[-1] = '\0';

	endpoint->is_https = !strncasecmp(endpoint->base, "https://", 8);
	if (!endpoint->is_https && strncasecmp(endpoint->base, "http://", 7))
		return refuse(err, "the endpoint must begin with https:// or http://");
	rest = parse_host(endpoint, endpoint->base + (endpoint->is_https ? 8 : 7));
	if (rest)
		rest = parse_port(rest);
	if (!rest || !path_is_plain(rest))
		return refuse(err, "the endpoint must be https://HOST[:PORT][/PATH]");
	memcpy(endpoint->path, rest, strlen(rest) + 1);
	return 0;
}

static bool is_set(const char *text)
{
	return text && *text;
}

static int set_account(struct azure_target *target, const char *account, struct azure_error *err)
{
	const char *own = target->credential->account;

	if (is_set(account) && *own && strcmp(account, own)) {
		azure_error_set(err, AZURE_SCOPE_TARGET, EINVAL,
				"the credential is for account %s, the mapping for %.24s", own,
				account);
		return -EINVAL;
	}
	if (!is_set(account))
		account = own;
	if (!*account)
		return refuse(err, "neither the mapping nor the credential names an account");
	if (!azure_account_name_is_valid(account))
		return refuse(err, "the account name is not 3 to 24 of a-z 0-9");
	memcpy(target->account, account, strlen(account) + 1);
	return 0;
}

static int set_endpoint(struct azure_target *target, const char *endpoint, struct azure_error *err)
{
	char usual[AZURE_ENDPOINT_MAX];
	int ret;

	if (!is_set(endpoint))
		endpoint = target->credential->endpoint;
	if (!*endpoint) {
		snprintf(usual, sizeof(usual), "https://%s.blob.core.windows.net",
			 target->account);
		endpoint = usual;
	}
	ret = azure_endpoint_parse(&target->endpoint, endpoint, err);
	if (ret)
		return ret;
	return azure_credential_check_host(target->credential, target->endpoint.host,
					   target->endpoint.is_https, err);
}

static bool is_printable(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

static int set_transport(struct azure_target *target, const struct azure_target_config *config,
			 struct azure_error *err)
{
	if (is_set(config->proxy) && (strlen(config->proxy) > 4095 || !is_printable(config->proxy)))
		return refuse(err, "the proxy is not a URL");
	target->proxy = strdup(is_set(config->proxy) ? config->proxy : "");
	if (is_set(config->ca_file))
		target->ca_file = strdup(config->ca_file);
	if (target->credential->kind == AZURE_CREDENTIAL_SHARED_KEY)
		target->signer = azure_signer_create(target->credential->key,
						     target->credential->key_len);
	if (!target->proxy || (is_set(config->ca_file) && !target->ca_file) ||
	    (target->credential->kind == AZURE_CREDENTIAL_SHARED_KEY && !target->signer)) {
		azure_error_set(err, AZURE_SCOPE_LOCAL, ENOMEM, "out of memory");
		return -ENOMEM;
	}
	return 0;
}

struct azure_target *azure_target_create(const struct azure_target_config *config,
					 struct azure_error *err)
{
	struct azure_target *target = calloc(1, sizeof(*target));
	int ret;

	if (!target) {
		azure_error_set(err, AZURE_SCOPE_LOCAL, ENOMEM, "out of memory");
		return NULL;
	}
	target->refs = 1;
	target->credential = azure_credential_get(config->credential);
	if (!is_set(config->container) || !azure_container_name_is_valid(config->container)) {
		refuse(err, "the container name is not 3 to 63 of a-z 0-9 and single '-'");
		goto err_put;
	}
	memcpy(target->container, config->container, strlen(config->container) + 1);
	ret = set_account(target, config->account, err);
	if (!ret)
		ret = set_endpoint(target, config->endpoint, err);
	if (!ret)
		ret = set_transport(target, config, err);
	if (!ret)
		return target;
err_put:
	azure_target_put(target);
	return NULL;
}

struct azure_target *azure_target_get(struct azure_target *target)
{
	__atomic_add_fetch(&target->refs, 1, __ATOMIC_RELAXED);
	return target;
}

void azure_target_put(struct azure_target *target)
{
	if (!target || __atomic_sub_fetch(&target->refs, 1, __ATOMIC_ACQ_REL))
		return;
	azure_signer_free(target->signer);
	azure_credential_put(target->credential);
	free(target->proxy);
	free(target->ca_file);
	free(target);
}

const char *azure_target_account(const struct azure_target *target)
{
	return target->account;
}

const char *azure_target_container(const struct azure_target *target)
{
	return target->container;
}

const char *azure_target_endpoint(const struct azure_target *target)
{
	return target->endpoint.base;
}
