/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Connection strings:
 * learn.microsoft.com/azure/storage/common/storage-configure-connection-string
 */
#ifndef AZURE_CONNSTR_H
#define AZURE_CONNSTR_H

#include "credential.h"

/*
 * Fills in kind, account, endpoint and key or sas of @cred from the @len bytes of @text. Settings
 * of other services are skipped. Return: 0, or a negative errno with @err filled in; never with
 * the text.
 */
int azure_connstr_parse(struct azure_credential *cred, const char *text, size_t len,
			struct azure_error *err) __attribute__((warn_unused_result));

/* One value each, checked; shared with the plain settings of a credential. */
int azure_credential_set_key(struct azure_credential *cred, const char *text, size_t len,
			     struct azure_error *err) __attribute__((warn_unused_result));
int azure_credential_set_sas(struct azure_credential *cred, const char *text, size_t len,
			     struct azure_error *err) __attribute__((warn_unused_result));
int azure_credential_set_account(struct azure_credential *cred, const char *text, size_t len,
				 struct azure_error *err) __attribute__((warn_unused_result));

#endif
