/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "encode.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void azure_base64_encode(char *out, const void *data, size_t len)
{
	EVP_EncodeBlock((unsigned char *)out, data, (int)len);
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* libcrypto's decoder skips white space and does not say how much padding there was. */
int azure_base64_decode(void *out, size_t size, const char *text, size_t len)
{
	size_t padding = 0;
	size_t n_out;
	uint8_t *to = out;
	uint32_t bits = 0;

	if (len % 4 || len > ((size_t)1 << 24))
		return -EINVAL;
	while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
		padding++;
	n_out = len / 4 * 3 - padding;
	if (n_out > size)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int value = i < len - padding ? base64_value(text[i]) : 0;

		if (value < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 != 3)
			continue;
		for (int shift = 16; shift >= 0; shift -= 8) {
			uint8_t byte = (uint8_t)(bits >> shift);

			if (to < (uint8_t *)out + n_out)
				*to++ = byte;
			else if (byte)
				return -EINVAL;
		}
		bits = 0;
	}
	return (int)n_out;
}

int azure_hex_upper(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int azure_hex_any(char c)
{
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : azure_hex_upper(c);
}

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* strftime and strptime follow the locale; the header does not. */
void azure_http_date_format(char *out, int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
		memset(&tm, 0, sizeof(tm));
	snprintf(out, AZURE_HTTP_DATE_LEN + 1, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
		 day_names + 3 * tm.tm_wday, (unsigned int)tm.tm_mday % 100,
		 month_names + 3 * tm.tm_mon, (unsigned int)(tm.tm_year + 1900) % 10000,
		 (unsigned int)tm.tm_hour % 100, (unsigned int)tm.tm_min % 100,
		 (unsigned int)tm.tm_sec % 100);
}

static int two_digits(const char *text)
{
	if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
		return -1;
	return (text[0] - '0') * 10 + text[1] - '0';
}

int64_t azure_http_date_parse(const char *text, size_t len)
{
	static const char layout[] = "???, ?? ??? ???? ??:??:?? GMT";
	struct tm tm = { 0 };
	int century, year;

	if (len != AZURE_HTTP_DATE_LEN)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (layout[i] != '?' && layout[i] != text[i])
			return 0;
	}
	tm.tm_mon = -1;
	for (int month = 0; month < 12; month++) {
		if (!memcmp(month_names + 3 * month, text + 8, 3))
			tm.tm_mon = month;
	}
	tm.tm_mday = two_digits(text + 5);
	century = two_digits(text + 12);
	year = two_digits(text + 14);
	tm.tm_hour = two_digits(text + 17);
	tm.tm_min = two_digits(text + 20);
	tm.tm_sec = two_digits(text + 23);
	if (tm.tm_mon < 0 || tm.tm_mday < 1 || tm.tm_mday > 31 || century < 19 || year < 0 ||
	    tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 ||
	    tm.tm_sec < 0 || tm.tm_sec > 60)
		return 0;
	tm.tm_year = century * 100 + year - 1900;
	return timegm(&tm);
}
