/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "connstr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "encode.h"
#include "names.h"

#define KEY_BYTES_MIN 16
#define SAS_LEN_MAX 4096

/* The emulator's account, the same on every machine and published with it: not a secret. */
#define DEV_ACCOUNT "devstoreaccount1"
#define DEV_KEY                                                                                    \
	"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
#define DEV_ENDPOINT "http://127.0.0.1:10000/devstoreaccount1"

enum part {
	PART_ACCOUNT,
	PART_KEY,
	PART_SAS,
	PART_ENDPOINT,
	PART_SUFFIX,
	PART_PROTOCOL,
	PART_DEVELOPMENT,
	N_PARTS,
};

static const char *const part_names[N_PARTS] = {
	[PART_ACCOUNT] = "AccountName",
	[PART_KEY] = "AccountKey",
	[PART_SAS] = "SharedAccessSignature",
	[PART_ENDPOINT] = "BlobEndpoint",
	[PART_SUFFIX] = "EndpointSuffix",
	[PART_PROTOCOL] = "DefaultEndpointsProtocol",
	[PART_DEVELOPMENT] = "UseDevelopmentStorage",
};

struct slice {
	const char *at;
	size_t len;
};

static int refuse(struct azure_error *err, const char *what)
{
	azure_error_set(err, AZURE_SCOPE_TARGET, EINVAL, "%s", what);
	return -EINVAL;
}

int azure_credential_set_key(struct azure_credential *cred, const char *text, size_t len,
			     struct azure_error *err)
{
	int n = azure_base64_decode(cred->key, sizeof(cred->key), text, len);

	if (n < KEY_BYTES_MIN)
		return refuse(err, "the account key is not base64 of 16 to 64 bytes");
	cred->key_len = (size_t)n;
	cred->kind = AZURE_CREDENTIAL_SHARED_KEY;
	return 0;
}

int azure_credential_set_sas(struct azure_credential *cred, const char *text, size_t len,
			     struct azure_error *err)
{
	bool has_signature = false;

	if (len && *text == '?') {
		text++;
		len--;
	}
	if (!len || len > SAS_LEN_MAX)
		return refuse(err, "the SAS token is empty or too long");
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~' || strchr("\"#<>\\^`{|}", text[i]))
			return refuse(err, "the SAS token holds a character that cannot stand in a URL");
		if (!strncmp(text + i, "sig=", len - i < 4 ? len - i : 4) && len - i > 4 &&
		    (i == 0 || text[i - 1] == '&'))
			has_signature = true;
	}
	if (!has_signature)
		return refuse(err, "the SAS token has no signature (sig=)");
	free(cred->sas);
	cred->sas = strndup(text, len);
	if (!cred->sas) {
		azure_error_set(err, AZURE_SCOPE_LOCAL, ENOMEM, "out of memory");
		return -ENOMEM;
	}
	cred->kind = AZURE_CREDENTIAL_SAS;
	return 0;
}

int azure_credential_set_account(struct azure_credential *cred, const char *text, size_t len,
				 struct azure_error *err)
{
	if (len > AZURE_ACCOUNT_MAX)
		return refuse(err, "the credential's account name is too long");
	memcpy(cred->account, text, len);
	cred->account[len] = '\0';
	if (strlen(cred->account) != len || !azure_account_name_is_valid(cred->account))
		return refuse(err, "the credential's account name is not 3 to 24 of a-z 0-9");
	return 0;
}

static int split(struct slice *parts, const char *text, size_t len, struct azure_error *err)
{
	const char *end = text + len;

	while (text < end) {
		const char *stop = memchr(text, ';', (size_t)(end - text));
		const char *equals;

		stop = stop ? stop : end;
		if (stop == text) {
			text++;
			continue;
		}
		equals = memchr(text, '=', (size_t)(stop - text));
		if (!equals)
			return refuse(err, "the connection string has a part without '='");
		for (int i = 0; i < N_PARTS; i++) {
			if (strlen(part_names[i]) != (size_t)(equals - text) ||
			    strncasecmp(part_names[i], text, (size_t)(equals - text)))
				continue;
			if (parts[i].at)
				return refuse(err, "the connection string has a part twice");
			parts[i] = (struct slice){ equals + 1, (size_t)(stop - equals - 1) };
		}
		text = stop < end ? stop + 1 : end;
	}
	return 0;
}

static bool slice_is(const struct slice *slice, const char *value)
{
	return slice->at && slice->len == strlen(value) &&
	       !strncasecmp(slice->at, value, slice->len);
}

static int set_development(struct azure_credential *cred, const struct slice *parts,
			   struct azure_error *err)
{
	int ret;

	if (!slice_is(&parts[PART_DEVELOPMENT], "true") || parts[PART_ACCOUNT].at ||
	    parts[PART_KEY].at || parts[PART_SAS].at)
		return refuse(err, "UseDevelopmentStorage must be true and stand without an account");
	ret = azure_credential_set_account(cred, DEV_ACCOUNT, strlen(DEV_ACCOUNT), err);
	if (!ret)
		ret = azure_credential_set_key(cred, DEV_KEY, strlen(DEV_KEY), err);
	snprintf(cred->endpoint, sizeof(cred->endpoint), "%s", DEV_ENDPOINT);
	return ret;
}

/* The endpoint is only put together here; azure_target_create() checks it as any other. */
static int set_endpoint(struct azure_credential *cred, const struct slice *parts,
			struct azure_error *err)
{
	const struct slice *suffix = &parts[PART_SUFFIX];
	const struct slice *endpoint = &parts[PART_ENDPOINT];
	bool is_http = slice_is(&parts[PART_PROTOCOL], "http");
	int n = 0;

	if (parts[PART_PROTOCOL].at && !is_http && !slice_is(&parts[PART_PROTOCOL], "https"))
		return refuse(err, "DefaultEndpointsProtocol is neither http nor https");
	if (endpoint->at) {
		n = snprintf(cred->endpoint, sizeof(cred->endpoint), "%.*s",
			     (int)(endpoint->len & 0xffff), endpoint->at);
		if (!endpoint->len || endpoint->len >= sizeof(cred->endpoint))
			n = -1;
	} else if (suffix->at || is_http) {
		if (!*cred->account)
			return refuse(err, "the connection string has no AccountName");
		n = snprintf(cred->endpoint, sizeof(cred->endpoint), "http%s://%s.blob.%.*s",
			     is_http ? "" : "s", cred->account,
			     suffix->at ? (int)(suffix->len & 0xffff) : 16,
			     suffix->at ? suffix->at : "core.windows.net");
	}
	if (n < 0 || (size_t)n >= sizeof(cred->endpoint))
		return refuse(err, "the connection string's endpoint is empty or too long");
	return 0;
}

int azure_connstr_parse(struct azure_credential *cred, const char *text, size_t len,
			struct azure_error *err)
{
	struct slice parts[N_PARTS] = { 0 };
	int ret = split(parts, text, len, err);

	if (ret)
		return ret;
	if (parts[PART_DEVELOPMENT].at)
		return set_development(cred, parts, err);
	if (!parts[PART_KEY].at == !parts[PART_SAS].at)
		return refuse(err, "the connection string must have either AccountKey or "
				   "SharedAccessSignature");
	if (parts[PART_KEY].at && !parts[PART_ACCOUNT].at)
		return refuse(err, "the connection string has no AccountName");
	if (parts[PART_ACCOUNT].at) {
		ret = azure_credential_set_account(cred, parts[PART_ACCOUNT].at,
						   parts[PART_ACCOUNT].len, err);
		if (ret)
			return ret;
	}
	if (parts[PART_KEY].at)
		ret = azure_credential_set_key(cred, parts[PART_KEY].at, parts[PART_KEY].len, err);
	else
		ret = azure_credential_set_sas(cred, parts[PART_SAS].at, parts[PART_SAS].len, err);
	return ret ? ret : set_endpoint(cred, parts, err);
}
