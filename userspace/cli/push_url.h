/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Where push goes: https://HOST/CONTAINER[/PREFIX], taken apart. */
#ifndef CLI_PUSH_URL_H
#define CLI_PUSH_URL_H

#include "lib/error.h"

struct push_url {
	char *account;			/* "": whatever the credential says */
	char *endpoint;			/* without a trailing slash */
	char *container;
	char *prefix;			/* "": none; ends with a slash otherwise */
};

/*
 * In https://ACCOUNT.HOST/CONTAINER/PREFIX the account is the host's first label. Where the
 * host is an IP address or has no dot (an emulator), the first segment of the path is the
 * account and belongs to the endpoint: http://127.0.0.1:10000/ACCOUNT/CONTAINER/PREFIX.
 * A query is refused: it would be a secret on the command line.
 */
int push_url_parse(struct push_url *u, const char *url, struct error *e);
void push_url_free(struct push_url *u);

#endif /* CLI_PUSH_URL_H */
