/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Shared Key: learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
 * Service SAS: learn.microsoft.com/rest/api/storageservices/create-service-sas
 */
#ifndef AZURE_AUTH_H
#define AZURE_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

/*
 * The oldest version that lists names which XML cannot hold (Encoded="true"); it has the limits of
 * 2019-12-12 and copies with a source SAS. A newer one would bring nothing that is used here.
 */
#define AZURE_API_VERSION "2021-12-02"
#define AZURE_SIGNATURE_LEN 44	/* base64 of 32 bytes */

struct azure_signer;

/* NULL: out of memory. Signing with one signer from several threads is fine. */
struct azure_signer *azure_signer_create(const uint8_t *key, size_t len);
void azure_signer_free(struct azure_signer *signer);
/* @out has room for AZURE_SIGNATURE_LEN + 1. 0 or -ENOMEM. */
int azure_signer_sign(const struct azure_signer *signer, const char *text, size_t len, char *out)
	__attribute__((warn_unused_result));

struct azure_sign_header {
	const char *name;	/* lower case, not terminated */
	size_t name_len;
	const char *value;
	size_t value_len;
};

/* NULL stands for a header that is not sent. */
struct azure_sign_input {
	const char *verb;
	uint64_t content_length;
	const char *content_md5;
	const char *content_type;
	const char *date;		/* not sent: x-ms-date stands for it */
	const char *if_match;
	const char *if_none_match;
	const struct azure_sign_header *ms_headers;	/* x-ms-*, sorted */
	size_t n_ms_headers;
	const char *resource;		/* azure_sign_put_resource() */
};

void azure_sign_put_string(struct azure_text *out, const struct azure_sign_input *in);

/* Query parameters with their decoded values, sorted by name, each name once, lower case. */
struct azure_parameter {
	const char *name;
	const char *value;
};

/* @path: of the URL as it is sent, percent-encoding included. */
void azure_sign_put_resource(struct azure_text *out, const char *account, const char *path,
			     const struct azure_parameter *parameters, size_t n);

/*
 * The service sorts header names in an order of its own, in which '_' comes before the digits, not
 * as in ASCII after them (see the weights in the Azure SDKs' shared key policies). Return: whether
 * both orders say the same of @a and @b, names of [a-z0-9_-].
 */
bool azure_sign_orders_agree(const char *a, size_t a_len, const char *b, size_t b_len);

/*
 * A token to read one blob, for @seconds from @now_s on. @blob: decoded. Puts "sv=...&sig=..." at
 * the end of @out. 0 or -ENOMEM.
 */
int azure_sas_put_blob_read(struct azure_text *out, const struct azure_signer *signer,
			    const char *account, const char *container, const char *blob,
			    bool https_only, int64_t now_s, int64_t seconds)
	__attribute__((warn_unused_result));

#endif
