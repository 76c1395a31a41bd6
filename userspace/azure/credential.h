/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Credentials: what proves who we are to a storage account, and which hosts it may be shown to.
 * A credential is read-only after loading and may be shared by threads and targets. Its secrets
 * are wiped from memory when the last reference goes.
 */
#ifndef AZURE_CREDENTIAL_H
#define AZURE_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum azure_credential_kind {
	AZURE_CREDENTIAL_SHARED_KEY = 1,
	AZURE_CREDENTIAL_SAS,
	AZURE_CREDENTIAL_CLIENT_SECRET,		/* the kinds from here on are OAuth; refused with */
	AZURE_CREDENTIAL_CLIENT_CERTIFICATE,	/* a clear message until they are implemented */
	AZURE_CREDENTIAL_FEDERATED_TOKEN,
	AZURE_CREDENTIAL_MANAGED_IDENTITY,
};

#define AZURE_KEY_BYTES_MAX 64		/* account keys have 64 bytes */
#define AZURE_ACCOUNT_MAX 24
#define AZURE_HOST_MAX 253
#define AZURE_ENDPOINT_MAX 512
#define AZURE_ALLOWED_HOSTS_MAX 32

struct azure_credential {
	enum azure_credential_kind kind;
	unsigned int refs;			/* atomic; azure_credential_get/put */
	char account[AZURE_ACCOUNT_MAX + 1];	/* empty: whatever the mapping says */
	char endpoint[AZURE_ENDPOINT_MAX];	/* from a connection string; else empty */
	uint8_t key[AZURE_KEY_BYTES_MAX];	/* SHARED_KEY: decoded */
	size_t key_len;
	char *sas;				/* SAS: without the leading '?' */
	size_t n_allowed;			/* 0: Azure's own suffixes */
	char allowed[AZURE_ALLOWED_HOSTS_MAX][AZURE_HOST_MAX + 1];
	bool allow_http;
	const char *source;			/* which setting won: "AZURE_STORAGE_KEY", ... */
};

/*
 * Reads credential @name: from $CREDENTIALS_DIRECTORY when that is set and has it, else @dir/@name.
 * There it is called credentials_@name (systemd joins the two when LoadCredential= passes a whole
 * directory as "credentials") or @name.
 * @name is a mapping attribute: '/' and a leading '.' are refused. The file must be a regular file
 * that others cannot read and the group cannot write. On failure @err says why, without the
 * contents.
 */
struct azure_credential *azure_credential_load(const char *dir, const char *name,
					       struct azure_error *err);
struct azure_credential *azure_credential_load_file(const char *path, struct azure_error *err);
/* From AZURE_STORAGE_* of the environment, for `push` by an ordinary user. */
struct azure_credential *azure_credential_from_environment(struct azure_error *err);
/* From KEY=value lines in memory; @len bytes, which the caller wipes. */
struct azure_credential *azure_credential_parse(const char *text, size_t len,
						struct azure_error *err);

struct azure_credential *azure_credential_get(struct azure_credential *cred);
void azure_credential_put(struct azure_credential *cred);	/* NULL is fine */

/* May this credential be sent to @host by this scheme? -EACCES with @err filled in otherwise. */
int azure_credential_check_host(const struct azure_credential *cred, const char *host,
				bool is_https, struct azure_error *err)
	__attribute__((warn_unused_result));

#endif
