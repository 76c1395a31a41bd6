// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Is a text a legal value of its attribute? Called with 1 to AZS_ATTR_MAX bytes
 * without NULs, NUL-terminated; pure functions.
 */
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>

#include "attrs.h"

#define AZS_URL_MAX		1024
#define AZS_CREDENTIAL_MAX	64
/* Azure's limits of a blob's name. */
#define AZS_BLOB_CHARS_MAX	1024
#define AZS_BLOB_SEGMENTS_MAX	254

static bool azs_is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* isalnum() takes Latin-1 letters for letters. */
static bool azs_is_alnum(char c)
{
	return azs_is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool azs_is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static int azs_check_length(size_t len, size_t max, const char **reason)
{
	if (len <= max)
		return 0;
	*reason = "is too long";
	return -ENAMETOOLONG;
}

AZS_CHECK(path)
{
	size_t start = 0, end;

	if (text[0] != '/')
		return -EINVAL;
	for (; start < len; start = end + 1) {
		end = start + strcspn(text + start, "/");
		if (end - start > NAME_MAX) {
			*reason = "has a component of more than 255 bytes";
			return -ENAMETOOLONG;
		}
	}
	return azs_check_length(len, PATH_MAX - 1, reason);
}

AZS_CHECK(account)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!azs_is_lower_alnum(text[i]))
			return -EINVAL;
	if (len < 3)
		return -EINVAL;
	return azs_check_length(len, 24, reason);
}

AZS_CHECK(container)
{
	size_t i;

	/* The two that do not follow the rule and can be written to. */
	if (!strcmp(text, "$root") || !strcmp(text, "$web"))
		return 0;
	for (i = 0; i < len; i++) {
		if (azs_is_lower_alnum(text[i]))
			continue;
		if (text[i] != '-' || !i || i == len - 1 || text[i - 1] == '-')
			return -EINVAL;
	}
	if (len < 3)
		return -EINVAL;
	return azs_check_length(len, 63, reason);
}

/*
 * Decodes one character of UTF-8 from @len bytes. Returns its bytes, 0 if there
 * is no legal one: too long a form, a surrogate, beyond U+10FFFF, cut short.
 */
static size_t azs_utf8_decode(const char *text, size_t len, u32 *ch)
{
	static const u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	size_t n, i;

	if (s[0] < 0x80) {
		*ch = s[0];
		return 1;
	}
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || n > len)
		return 0;
	*ch = s[0] & (0x7f >> n);
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*ch = *ch << 6 | (s[i] & 0x3f);
	}
	if (*ch < least[n] || *ch > 0x10ffff || (*ch >= 0xd800 && *ch <= 0xdfff))
		return 0;
	return n;
}

AZS_CHECK(prefix)
{
	size_t pos, n, chars = 0, segments = 1;
	u32 ch, last = '/';

	for (pos = 0; pos < len; pos += n, last = ch) {
		n = azs_utf8_decode(text + pos, len - pos, &ch);
		if (!n) {
			*reason = "is not valid UTF-8";
			return -EINVAL;
		}
		if (ch < 0x20 || ch == 0x7f || ch == '\\' || ch == 0xfffe || ch == 0xffff) {
			*reason = "has a character that no blob name may have";
			return -EINVAL;
		}
		if (ch == '/' && last == '/') {
			*reason = "has an empty segment";
			return -EINVAL;
		}
		if (ch == '/' && last == '.')
			break;
		segments += ch == '/';
		/* Azure counts UTF-16 units. */
		chars += ch > 0xffff ? 2 : 1;
	}
	if (last == '.') {
		*reason = "has a segment that ends with a dot";
		return -EINVAL;
	}
	if (segments > AZS_BLOB_SEGMENTS_MAX)
		return azs_check_length(segments, AZS_BLOB_SEGMENTS_MAX, reason);
	return azs_check_length(chars, AZS_BLOB_CHARS_MAX, reason);
}

/* A name or an IPv4 address, or an IPv6 address in brackets. NULL: neither. */
static const char *azs_skip_host(const char *s)
{
	const char *start = s;

	if (*s == '[') {
		for (s++; isxdigit(*s) || *s == ':' || *s == '.'; s++)
			;
		return *s == ']' && s - start > 2 ? s + 1 : NULL;
	}
	while (azs_is_alnum(*s) || *s == '-' || *s == '.' || *s == '_')
		s++;
	return s > start && *start != '-' && *start != '.' && s - start <= 253 ? s : NULL;
}

/* A colon and a number from 1 to 65535, or nothing. NULL: something else. */
static const char *azs_skip_port(const char *s)
{
	u32 port = 0;

	if (*s != ':')
		return s;
	for (s++; *s >= '0' && *s <= '9'; s++) {
		port = port * 10 + (*s - '0');
		if (port > 65535)
			return NULL;
	}
	return port ? s : NULL;
}

/* Host and port; what follows is returned, NULL if it is not legal. */
static const char *azs_skip_authority(const char *s, const char **reason)
{
	if (strcspn(s, "@") < strcspn(s, "/")) {
		*reason = "must not hold a user or a password: secrets belong into a credential";
		return NULL;
	}
	s = azs_skip_host(s);
	return s ? azs_skip_port(s) : NULL;
}

AZS_CHECK(endpoint)
{
	const char *s;
	int err = azs_check_length(len, AZS_URL_MAX, reason);

	if (err)
		return err;
	if (strpbrk(text, "?#")) {
		*reason = "must not hold a query: secrets belong into a credential";
		return -EINVAL;
	}
	if (!strncmp(text, "https://", 8))
		s = azs_skip_authority(text + 8, reason);
	else if (!strncmp(text, "http://", 7))
		s = azs_skip_authority(text + 7, reason);
	else
		return -EINVAL;
	if (!s || (*s && *s != '/'))
		return -EINVAL;
	for (; *s; s++)
		if (!azs_is_alnum(*s) && !strchr("/-._~%", *s))
			return -EINVAL;
	return 0;
}

AZS_CHECK(proxy)
{
	static const char *const schemes[] = { "http://", "https://", "socks5://", "socks5h://" };
	const char *s = NULL;
	size_t i, n;
	int err = azs_check_length(len, AZS_URL_MAX, reason);

	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(schemes); i++) {
		n = strlen(schemes[i]);
		if (!strncmp(text, schemes[i], n))
			s = azs_skip_authority(text + n, reason);
	}
	return s && (!*s || !strcmp(s, "/")) ? 0 : -EINVAL;
}

AZS_CHECK(credential)
{
	size_t i;

	if (text[0] == '.' || text[0] == '-')
		return -EINVAL;
	for (i = 0; i < len; i++)
		if (!azs_is_alnum(text[i]) && !strchr("._-", text[i]))
			return -EINVAL;
	return azs_check_length(len, AZS_CREDENTIAL_MAX, reason);
}

/* Patterns are the uploader's; file names need not be UTF-8, so nor need these. */
AZS_CHECK(filter)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (azs_is_control(text[i]) && text[i] != '\n')
			return -EINVAL;
	return 0;
}

AZS_CHECK(u32)
{
	u32 value;
	size_t i;

	/* kstrtou32() takes a sign and a newline, too. */
	for (i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
	if (kstrtou32(text, 10, &value))
		return -EINVAL;
	return value >= desc->min && value <= desc->max ? 0 : -EINVAL;
}

AZS_CHECK(choice)
{
	const char *s = desc->choices;
	size_t n;

	for (; *s; s += n + strspn(s + n, ", ")) {
		n = strcspn(s, ",");
		if (n == len && !strncmp(s, text, n))
			return 0;
	}
	return -EINVAL;
}
