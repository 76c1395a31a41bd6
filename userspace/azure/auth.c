/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "auth.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "encode.h"

#define HMAC_BYTES 32

/* How far another clock may be behind ours before a token made now is not yet valid. */
#define SAS_START_SLACK_S 900

struct azure_signer {
	EVP_MAC_CTX *keyed;	/* a template: only ever duplicated */
};

struct azure_signer *azure_signer_create(const uint8_t *key, size_t len)
{
	struct azure_signer *signer = calloc(1, sizeof(*signer));
	OSSL_PARAM params[2] = { OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end() };
	char digest[] = "SHA256";
	EVP_MAC *mac;

	if (!signer)
		return NULL;
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	signer->keyed = mac ? EVP_MAC_CTX_new(mac) : NULL;
	EVP_MAC_free(mac);
	if (!signer->keyed || !EVP_MAC_init(signer->keyed, key, len, params)) {
		azure_signer_free(signer);
		return NULL;
	}
	return signer;
}

void azure_signer_free(struct azure_signer *signer)
{
	if (!signer)
		return;
	EVP_MAC_CTX_free(signer->keyed);
	free(signer);
}

int azure_signer_sign(const struct azure_signer *signer, const char *text, size_t len, char *out)
{
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(signer->keyed);
	unsigned char digest[HMAC_BYTES];
	size_t n = 0;
	int ok;

	ok = ctx && EVP_MAC_update(ctx, (const unsigned char *)text, len) &&
	     EVP_MAC_final(ctx, digest, &n, sizeof(digest));
	EVP_MAC_CTX_free(ctx);
	if (!ok || n != sizeof(digest))
		return -ENOMEM;
	azure_base64_encode(out, digest, sizeof(digest));
	return 0;
}

static void put_line(struct azure_text *out, const char *value)
{
	if (value)
		azure_text_puts(out, value);
	azure_text_putc(out, '\n');
}

void azure_sign_put_string(struct azure_text *out, const struct azure_sign_input *in)
{
	put_line(out, in->verb);
	put_line(out, NULL);		/* Content-Encoding */
	put_line(out, NULL);		/* Content-Language */
	if (in->content_length)		/* since 2015-02-21 zero is left out */
		azure_text_put_uint(out, in->content_length);
	put_line(out, NULL);
	put_line(out, in->content_md5);
	put_line(out, in->content_type);
	put_line(out, in->date);
	put_line(out, NULL);		/* If-Modified-Since */
	put_line(out, in->if_match);
	put_line(out, in->if_none_match);
	put_line(out, NULL);		/* If-Unmodified-Since */
	put_line(out, NULL);		/* Range: x-ms-range stands for it */
	for (size_t i = 0; i < in->n_ms_headers; i++) {
		const struct azure_sign_header *header = &in->ms_headers[i];

		azure_text_put(out, header->name, header->name_len);
		azure_text_putc(out, ':');
		azure_text_put(out, header->value, header->value_len);
		azure_text_putc(out, '\n');
	}
	azure_text_puts(out, in->resource);
}

void azure_sign_put_resource(struct azure_text *out, const char *account, const char *path,
			     const struct azure_parameter *parameters, size_t n)
{
	azure_text_putc(out, '/');
	azure_text_puts(out, account);
	azure_text_puts(out, path);
	for (size_t i = 0; i < n; i++) {
		azure_text_putc(out, '\n');
		azure_text_puts(out, parameters[i].name);
		azure_text_putc(out, ':');
		azure_text_puts(out, parameters[i].value);
	}
}

static int ascii_order(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* '-' carries no weight in the first comparison. */
static int culture_order(const char *a, size_t a_len, const char *b, size_t b_len)
{
	static const char weights[] = "_0123456789abcdefghijklmnopqrstuvwxyz";
	size_t i = 0, k = 0;

	for (;;) {
		const char *wa, *wb;

		while (i < a_len && a[i] == '-')
			i++;
		while (k < b_len && b[k] == '-')
			k++;
		if (i == a_len || k == b_len)
			return (i < a_len) - (k < b_len);
		wa = strchr(weights, a[i++]);
		wb = strchr(weights, b[k++]);
		if (wa != wb)
			return wa < wb ? -1 : 1;
	}
}

bool azure_sign_orders_agree(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int ascii = ascii_order(a, a_len, b, b_len);
	int culture = culture_order(a, a_len, b, b_len);

	return (ascii < 0) == (culture < 0) && (ascii > 0) == (culture > 0);
}

static void sas_date(char *out, size_t size, int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		memset(&tm, 0, sizeof(tm));
	strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int azure_sas_put_blob_read(struct azure_text *out, const struct azure_signer *signer,
			    const char *account, const char *container, const char *blob,
			    bool https_only, int64_t now_s, int64_t seconds)
{
	const char *protocols = https_only ? "https" : "https,http";
	char signature[AZURE_SIGNATURE_LEN + 1];
	char start[32], expiry[32];
	struct azure_text text = { 0 };
	int ret;

	sas_date(start, sizeof(start), now_s - SAS_START_SLACK_S);
	sas_date(expiry, sizeof(expiry), now_s + seconds);

	put_line(&text, "r");			/* permissions */
	put_line(&text, start);
	put_line(&text, expiry);
	azure_text_puts(&text, "/blob/");
	azure_text_puts(&text, account);
	azure_text_putc(&text, '/');
	azure_text_puts(&text, container);
	azure_text_putc(&text, '/');
	put_line(&text, blob);
	put_line(&text, NULL);			/* stored access policy */
	put_line(&text, NULL);			/* addresses */
	put_line(&text, protocols);
	put_line(&text, AZURE_API_VERSION);
	put_line(&text, "b");			/* resource: one blob */
	put_line(&text, NULL);			/* snapshot */
	put_line(&text, NULL);			/* encryption scope, since 2020-12-06 */
	put_line(&text, NULL);			/* rscc: Cache-Control of the answer */
	put_line(&text, NULL);			/* rscd */
	put_line(&text, NULL);			/* rsce */
	put_line(&text, NULL);			/* rscl; rsct follows without a newline */
	ret = text.failed ? -ENOMEM : azure_signer_sign(signer, text.data, text.len, signature);
	azure_text_free(&text);
	if (ret)
		return ret;
	azure_text_puts(out, "sv=" AZURE_API_VERSION "&sr=b&sp=r&spr=");
	azure_text_put_url(out, protocols, false);
	azure_text_puts(out, "&st=");
	azure_text_put_url(out, start, false);
	azure_text_puts(out, "&se=");
	azure_text_put_url(out, expiry, false);
	azure_text_puts(out, "&sig=");
	azure_text_put_url(out, signature, false);
	OPENSSL_cleanse(signature, sizeof(signature));
	return out->failed ? -ENOMEM : 0;
}
