/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A target is one container of one account, reached by one endpoint with one credential: what a
 * mapping uploads to. Immutable and reference-counted: any number of clients, requests and threads
 * may share it.
 */
#ifndef AZURE_TARGET_H
#define AZURE_TARGET_H

#include <stdbool.h>

#include "credential.h"
#include "error.h"

struct azure_target;

struct azure_target_config {
	const char *account;	/* NULL or "": the credential's */
	const char *container;
	const char *endpoint;	/* NULL or "": the credential's, else the public cloud's */
	const char *proxy;	/* NULL or "": none (the environment's is not looked at) */
	const char *ca_file;	/* NULL or "": the system's */
	struct azure_credential *credential;	/* a reference is taken */
};

/* Checks everything that can be checked without the network. NULL with @err filled in. */
struct azure_target *azure_target_create(const struct azure_target_config *config,
					 struct azure_error *err);
struct azure_target *azure_target_get(struct azure_target *target);
void azure_target_put(struct azure_target *target);	/* NULL is fine */

const char *azure_target_account(const struct azure_target *target);
const char *azure_target_container(const struct azure_target *target);
/* "https://host[:port][/path]", without a trailing slash and without the container. */
const char *azure_target_endpoint(const struct azure_target *target);

#endif
