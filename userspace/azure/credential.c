/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "credential.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connstr.h"

#define FILE_BYTES_MAX 65536

enum setting {
	SETTING_KEY,
	SETTING_ACCESS_KEY,
	SETTING_CONNECTION_STRING,
	SETTING_SAS,
	SETTING_MANAGED_IDENTITY,
	SETTING_CLIENT_SECRET,
	SETTING_CLIENT_CERTIFICATE,
	SETTING_FEDERATED_TOKEN,
	N_KIND_SETTINGS,	/* exactly one of those above is given */
	SETTING_ACCOUNT = N_KIND_SETTINGS,
	SETTING_ALLOWED_HOSTS,
	SETTING_ALLOW_HTTP,
	SETTING_TENANT,
	SETTING_CLIENT,
	SETTING_AUTHORITY,
	N_SETTINGS,
};

static const char *const setting_names[N_SETTINGS] = {
	[SETTING_KEY] = "AZURE_STORAGE_KEY",
	[SETTING_ACCESS_KEY] = "AZURE_STORAGE_ACCESS_KEY",
	[SETTING_CONNECTION_STRING] = "AZURE_STORAGE_CONNECTION_STRING",
	[SETTING_SAS] = "AZURE_STORAGE_SAS_TOKEN",
	[SETTING_MANAGED_IDENTITY] = "MANAGED_IDENTITY",
	[SETTING_CLIENT_SECRET] = "AZURE_CLIENT_SECRET",
	[SETTING_CLIENT_CERTIFICATE] = "AZURE_CLIENT_CERTIFICATE_PATH",
	[SETTING_FEDERATED_TOKEN] = "AZURE_FEDERATED_TOKEN_FILE",
	[SETTING_ACCOUNT] = "AZURE_STORAGE_ACCOUNT",
	[SETTING_ALLOWED_HOSTS] = "ALLOWED_HOSTS",
	[SETTING_ALLOW_HTTP] = "ALLOW_HTTP",
	[SETTING_TENANT] = "AZURE_TENANT_ID",
	[SETTING_CLIENT] = "AZURE_CLIENT_ID",
	[SETTING_AUTHORITY] = "AZURE_AUTHORITY_HOST",
};

/* Points into the caller's text. */
struct value {
	const char *at;
	size_t len;
};

static int refuse(struct azure_error *err, const char *what)
{
	azure_error_set(err, AZURE_SCOPE_TARGET, EINVAL, "%s", what);
	return -EINVAL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct value trimmed(const char *at, size_t len)
{
	while (len && is_blank(*at)) {
		at++;
		len--;
	}
	while (len && is_blank(at[len - 1]))
		len--;
	if (len >= 2 && (*at == '"' || *at == '\'') && at[len - 1] == *at) {
		at++;
		len -= 2;
	}
	return (struct value){ at, len };
}

/* Says which line, never what is on it: a key may stand where a name should. */
static int parse_line(struct value *values, struct value line, unsigned int number,
		      struct azure_error *err)
{
	const char *equals = memchr(line.at, '=', line.len);
	struct value name;

	if (!equals) {
		azure_error_set(err, AZURE_SCOPE_TARGET, EINVAL,
				"line %u of the credential is not KEY=value", number);
		return -EINVAL;
	}
	name = trimmed(line.at, (size_t)(equals - line.at));
	for (int i = 0; i < N_SETTINGS; i++) {
		if (strlen(setting_names[i]) != name.len ||
		    strncmp(setting_names[i], name.at, name.len))
			continue;
		if (values[i].at) {
			azure_error_set(err, AZURE_SCOPE_TARGET, EINVAL,
					"line %u of the credential repeats %s", number,
					setting_names[i]);
			return -EINVAL;
		}
		values[i] = trimmed(equals + 1, line.len - (size_t)(equals + 1 - line.at));
		return 0;
	}
	azure_error_set(err, AZURE_SCOPE_TARGET, EINVAL,
			"line %u of the credential is an unknown setting", number);
	return -EINVAL;
}

static int parse_lines(struct value *values, const char *text, size_t len, struct azure_error *err)
{
	const char *end = text + len;
	unsigned int number = 0;

	if (memchr(text, '\0', len))
		return refuse(err, "the credential holds a NUL byte");
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		struct value line;
		int ret;

		stop = stop ? stop : end;
		number++;
		line = (struct value){ text, (size_t)(stop - text) };
		while (line.len && is_blank(*line.at)) {
			line.at++;
			line.len--;
		}
		while (line.len && is_blank(line.at[line.len - 1]))
			line.len--;
		if (line.len && *line.at != '#') {
			ret = parse_line(values, line, number, err);
			if (ret)
				return ret;
		}
		text = stop < end ? stop + 1 : end;
	}
	return 0;
}

static int set_allowed_hosts(struct azure_credential *cred, struct value list,
			     struct azure_error *err)
{
	while (list.len) {
		size_t skip = strspn(list.at, ", \t");
		size_t n;

		skip = skip < list.len ? skip : list.len;
		list.at += skip;
		list.len -= skip;
		for (n = 0; n < list.len && !strchr(", \t", list.at[n]); n++)
			;
		if (!n)
			break;
		if (n > AZURE_HOST_MAX || cred->n_allowed == AZURE_ALLOWED_HOSTS_MAX)
			return refuse(err, "ALLOWED_HOSTS holds too many or too long names");
		memcpy(cred->allowed[cred->n_allowed], list.at, n);
		cred->allowed[cred->n_allowed++][n] = '\0';
		list.at += n;
		list.len -= n;
	}
	if (!cred->n_allowed)
		return refuse(err, "ALLOWED_HOSTS is empty");
	return 0;
}

static int set_secret(struct azure_credential *cred, enum setting kind, struct value value,
		      struct azure_error *err)
{
	cred->source = setting_names[kind];
	switch (kind) {
	case SETTING_KEY:
	case SETTING_ACCESS_KEY:
		return azure_credential_set_key(cred, value.at, value.len, err);
	case SETTING_SAS:
		return azure_credential_set_sas(cred, value.at, value.len, err);
	case SETTING_CONNECTION_STRING:
		return azure_connstr_parse(cred, value.at, value.len, err);
	default:
		azure_error_set(err, AZURE_SCOPE_TARGET, EOPNOTSUPP,
				"%s: signing in with OAuth is not supported by this version",
				setting_names[kind]);
		return -EOPNOTSUPP;
	}
}

static int set_account(struct azure_credential *cred, struct value value, struct azure_error *err)
{
	char inner[AZURE_ACCOUNT_MAX + 1];
	int ret;

	memcpy(inner, cred->account, sizeof(inner));
	ret = azure_credential_set_account(cred, value.at, value.len, err);
	if (!ret && *inner && strcmp(inner, cred->account))
		return refuse(err, "AZURE_STORAGE_ACCOUNT and the connection string name different "
				   "accounts");
	return ret;
}

static int apply_settings(struct azure_credential *cred, const struct value *values,
			  struct azure_error *err)
{
	const struct value *allow_http = &values[SETTING_ALLOW_HTTP];
	int kind = -1;
	int ret;

	for (int i = 0; i < N_KIND_SETTINGS; i++) {
		if (!values[i].at)
			continue;
		if (kind >= 0) {
			azure_error_set(err, AZURE_SCOPE_TARGET, EINVAL,
					"the credential has both %s and %s: exactly one kind is "
					"allowed", setting_names[kind], setting_names[i]);
			return -EINVAL;
		}
		kind = i;
	}
	if (kind < 0)
		return refuse(err, "the credential has neither a key, a connection string nor a SAS "
				   "token");
	ret = set_secret(cred, (enum setting)kind, values[kind], err);
	if (!ret && values[SETTING_ACCOUNT].at)
		ret = set_account(cred, values[SETTING_ACCOUNT], err);
	if (!ret && values[SETTING_ALLOWED_HOSTS].at)
		ret = set_allowed_hosts(cred, values[SETTING_ALLOWED_HOSTS], err);
	if (ret || !allow_http->at)
		return ret;
	if (allow_http->len != 1 || (*allow_http->at != '0' && *allow_http->at != '1'))
		return refuse(err, "ALLOW_HTTP is neither 0 nor 1");
	cred->allow_http = *allow_http->at == '1';
	return 0;
}

static struct azure_credential *credential_from(const struct value *values,
						struct azure_error *err)
{
	struct azure_credential *cred = calloc(1, sizeof(*cred));

	if (!cred) {
		azure_error_set(err, AZURE_SCOPE_LOCAL, ENOMEM, "out of memory");
		return NULL;
	}
	cred->refs = 1;
	if (apply_settings(cred, values, err)) {
		azure_credential_put(cred);
		return NULL;
	}
	return cred;
}

struct azure_credential *azure_credential_parse(const char *text, size_t len,
						struct azure_error *err)
{
	struct value values[N_SETTINGS] = { 0 };

	if (parse_lines(values, text, len, err))
		return NULL;
	return credential_from(values, err);
}

struct azure_credential *azure_credential_from_environment(struct azure_error *err)
{
	struct value values[N_SETTINGS] = { 0 };

	for (int i = 0; i < N_SETTINGS; i++) {
		const char *value = getenv(setting_names[i]);

		if (value && *value)
			values[i] = (struct value){ value, strlen(value) };
	}
	return credential_from(values, err);
}

/* systemd hands credentials on as 0400 or 0440, owned by the service's user. */
static int check_file(int fd, const char *path, struct azure_error *err)
{
	struct stat st;
	const char *why = NULL;

	if (fstat(fd, &st))
		why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		why = "not a regular file";
	else if (st.st_mode & (S_IRWXO | S_IWGRP))
		why = "its mode lets others read it or the group write it; chmod 600 it";
	else if (st.st_size > FILE_BYTES_MAX)
		why = "too large";
	if (!why)
		return 0;
	azure_error_set(err, AZURE_SCOPE_TARGET, EACCES, "credential %s: %s", path, why);
	return -EACCES;
}

struct azure_credential *azure_credential_load_file(const char *path, struct azure_error *err)
{
	struct azure_credential *cred = NULL;
	char text[FILE_BYTES_MAX];
	size_t len = 0;
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		int error = errno;

		azure_error_set(err, AZURE_SCOPE_TARGET, error, "credential %s: %s", path,
				strerror(error));
		return NULL;
	}
	if (check_file(fd, path, err))
		goto out_close;
	while (len < sizeof(text)) {
		n = read(fd, text + len, sizeof(text) - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (n) {
		int error = n < 0 ? errno : EFBIG;

		azure_error_set(err, AZURE_SCOPE_TARGET, error, "credential %s: %s", path,
				strerror(error));
		goto out_wipe;
	}
	cred = azure_credential_parse(text, len, err);
out_wipe:
	OPENSSL_cleanse(text, sizeof(text));
out_close:
	close(fd);
	return cred;
}

struct azure_credential *azure_credential_load(const char *dir, const char *name,
					       struct azure_error *err)
{
	const char *passed = getenv("CREDENTIALS_DIRECTORY");
	char path[4096];
	int n;

	if (!*name || *name == '.' || strchr(name, '/') || strlen(name) > 255) {
		refuse(err, "not the name of a credential");
		return NULL;
	}
	for (size_t i = 0; passed && *passed && i < 2; i++) {
		static const char *const prefixes[] = { "credentials_", "" };

		n = snprintf(path, sizeof(path), "%s/%s%s", passed, prefixes[i], name);
		if (n > 0 && (size_t)n < sizeof(path) && !access(path, F_OK))
			return azure_credential_load_file(path, err);
	}
	n = snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (n < 0 || (size_t)n >= sizeof(path)) {
		azure_error_set(err, AZURE_SCOPE_TARGET, ENAMETOOLONG,
				"the path of the credential is too long");
		return NULL;
	}
	/* The copies that systemd makes are not where a person would look. */
	if (passed && *passed && access(path, F_OK) && errno == ENOENT) {
		azure_error_set(err, AZURE_SCOPE_TARGET, ENOENT,
				"there is no credential '%s', which is a file of that name in "
				"/etc/azure-storage/credentials.d", name);
		return NULL;
	}
	return azure_credential_load_file(path, err);
}

struct azure_credential *azure_credential_get(struct azure_credential *cred)
{
	__atomic_add_fetch(&cred->refs, 1, __ATOMIC_RELAXED);
	return cred;
}

void azure_credential_put(struct azure_credential *cred)
{
	if (!cred || __atomic_sub_fetch(&cred->refs, 1, __ATOMIC_ACQ_REL))
		return;
	if (cred->sas)
		OPENSSL_cleanse(cred->sas, strlen(cred->sas));
	free(cred->sas);
	OPENSSL_cleanse(cred, sizeof(*cred));
	free(cred);
}
