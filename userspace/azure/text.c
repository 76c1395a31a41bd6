/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "text.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_reserve(struct azure_text *text, size_t more)
{
	size_t size = text->size ? text->size : 256;
	char *data;

	if (text->failed)
		return false;
	if (more >= AZURE_TEXT_MAX - text->len) {
		text->failed = true;
		return false;
	}
	if (text->len + more < text->size)
		return true;
	while (size <= text->len + more)
		size *= 2;
	data = malloc(size);
	if (!data) {
		text->failed = true;
		return false;
	}
	if (text->data) {
		memcpy(data, text->data, text->len + 1);
		OPENSSL_cleanse(text->data, text->len);
		free(text->data);
	}
	text->data = data;
	text->size = size;
	return true;
}

void azure_text_put(struct azure_text *text, const void *data, size_t len)
{
	if (!text_reserve(text, len))
		return;
	if (len)
		memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = '\0';
}

void azure_text_puts(struct azure_text *text, const char *string)
{
	azure_text_put(text, string, strlen(string));
}

void azure_text_putc(struct azure_text *text, char c)
{
	azure_text_put(text, &c, 1);
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

void azure_text_put_url(struct azure_text *text, const char *string, bool keep_slash)
{
	static const char hex[] = "0123456789ABCDEF";
	const unsigned char *c = (const unsigned char *)string;

	if (!text_reserve(text, 3 * strlen(string)))
		return;
	for (; *c; c++) {
		if (is_unreserved(*c) || (*c == '/' && keep_slash)) {
			text->data[text->len++] = (char)*c;
		} else {
			text->data[text->len++] = '%';
			text->data[text->len++] = hex[*c >> 4];
			text->data[text->len++] = hex[*c & 15];
		}
	}
	text->data[text->len] = '\0';
}

void azure_text_put_uint(struct azure_text *text, unsigned long long value)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", value);

	azure_text_put(text, digits, (size_t)n);
}

void azure_text_reset(struct azure_text *text)
{
	if (text->data) {
		OPENSSL_cleanse(text->data, text->len);
		text->data[0] = '\0';
	}
	text->len = 0;
	text->failed = false;
}

void azure_text_free(struct azure_text *text)
{
	azure_text_reset(text);
	free(text->data);
	*text = (struct azure_text){ 0 };
}
