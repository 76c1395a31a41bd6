/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Blobs of blocks: sources of bodies, lists long and short, what is left uncommitted. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define BLOCK ((size_t)1 << 20)
#define N_LARGE 5
#define N_MANY 2000

static const uint8_t attempt[16] = "attempt-number-1";

struct source {
	const uint8_t *data;
	unsigned int reads;
};

static ssize_t read_source(void *arg, void *buf, size_t size, uint64_t offset)
{
	struct source *source = arg;

	size = size > 10000 ? 10000 : size;
	memcpy(buf, source->data + offset, size);
	source->reads++;
	return (ssize_t)size;
}

/* The five ways to give a body; block @i takes the one with its number. */
static void body_of(struct azure_body *body, int i, uint8_t *data, struct iovec *iov,
		    struct source *source, int fd)
{
	uint8_t *block = data + (size_t)i * BLOCK;

	*body = (struct azure_body){ .length = BLOCK };
	switch (i) {
	case 0:
		body->data = block;
		break;
	case 1:
		for (int k = 0; k < 4; k++)
			iov[k] = (struct iovec){ block + (size_t)k * BLOCK / 4, BLOCK / 4 };
		body->iov = iov;
		body->n_iov = 4;
		break;
	case 2:
		source->data = block;
		body->read = read_source;
		body->read_arg = source;
		break;
	default:
		body->use_fd = true;
		body->fd = fd;
		body->fd_offset = (uint64_t)i * BLOCK;
		break;
	}
}

struct comparison {
	const uint8_t *data;
	uint64_t next;
	bool differs;
};

static int compare(void *arg, const void *data, size_t len, uint64_t offset)
{
	struct comparison *comparison = arg;

	if (offset != comparison->next || memcmp(data, comparison->data + offset, len))
		comparison->differs = true;
	comparison->next += len;
	return 0;
}

static void put_blocks(struct suite *suite, uint8_t *data, int fd)
{
	struct azure_blob_options options = { .cond.if_none_match = "*" };
	char ids[N_LARGE][AZURE_BLOCK_ID_TEXT];
	const char *list[N_LARGE];
	uint8_t md5[AZURE_MD5_BYTES];
	struct outcome out = { 0 };
	struct comparison comparison = { .data = data };
	struct azure_call call;

	for (int i = 0; i < N_LARGE; i++) {
		struct source source = { 0 };
		struct iovec iov[4];
		struct azure_body body;

		azure_block_id_format(ids[i], attempt, (uint64_t)i);
		list[i] = ids[i];
		body_of(&body, i, data, iov, &source, fd);
		EVP_Digest(data + (size_t)i * BLOCK, BLOCK, md5, NULL, EVP_md5(), NULL);
		call = call_for(&out);
		CHECK(ended(suite, azure_put_block(suite->client, suite->target, "large", ids[i],
						   &body, md5, &call), &out, AZURE_SCOPE_NONE,
			    201));
	}
	call = call_for(&out);
	CHECK(ended(suite, azure_get_block_list(suite->client, suite->target, "large", &call),
		    &out, AZURE_SCOPE_NONE, 200));
	CHECK(out.n_blocks == N_LARGE && out.n_committed == 0);

	EVP_Digest(data, N_LARGE * BLOCK, md5, NULL, EVP_md5(), NULL);
	options.md5 = md5;
	call = call_for(&out);
	CHECK(ended(suite, azure_put_block_list(suite->client, suite->target, "large", list,
						N_LARGE, &options, &call), &out,
		    AZURE_SCOPE_NONE, 201));
	call = call_for(&out);
	CHECK(ended(suite, azure_get_blob(suite->client, suite->target, "large", 0, 0, NULL,
					  compare, &comparison, &call), &out, AZURE_SCOPE_NONE,
		    200));
	CHECK(!comparison.differs && comparison.next == N_LARGE * BLOCK);
	CHECK(out.rsp.has_md5 && !memcmp(out.rsp.md5, md5, sizeof(md5)));
	CHECK(out.rsp.content_length == N_LARGE * BLOCK);
}

static void large_blob(struct suite *suite)
{
	uint8_t *data = malloc(N_LARGE * BLOCK);
	FILE *file = tmpfile();
	uint32_t x = 1;

	for (size_t i = 0; i < N_LARGE * BLOCK; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = (uint8_t)(x >> 24);
	}
	if (file && fwrite(data, 1, N_LARGE * BLOCK, file) == N_LARGE * BLOCK && !fflush(file))
		put_blocks(suite, data, fileno(file));
	else
		test_fail(__FILE__, __LINE__, "a temporary file", " ");
	if (file)
		fclose(file);
	free(data);
}

static void many_blocks(struct suite *suite)
{
	const struct azure_body body = { .data = "b", .length = 1 };
	static char ids[N_MANY][AZURE_BLOCK_ID_TEXT];
	static const char *list[N_MANY];
	static struct outcome outs[N_MANY];
	struct outcome out = { 0 };
	struct azure_call call;

	for (int i = 0; i < N_MANY; i++) {
		azure_block_id_format(ids[i], attempt, (uint64_t)i);
		list[i] = ids[i];
		call = call_for(&outs[i]);
		CHECK(!azure_put_block(suite->client, suite->target, "many", ids[i], &body, NULL,
				       &call));
		if (i >= 16)
			wait_for(suite->client, &outs[i - 16]);
	}
	for (int i = 0; i < N_MANY; i++) {
		wait_for(suite->client, &outs[i]);
		CHECK(outs[i].rsp.status == 201, "block %d: %s", i, outs[i].rsp.error.message);
	}
	call = call_for(&out);
	CHECK(ended(suite, azure_put_block_list(suite->client, suite->target, "many", list, N_MANY,
						NULL, &call), &out, AZURE_SCOPE_NONE, 201));
	call = call_for(&out);
	CHECK(ended(suite, azure_get_block_list(suite->client, suite->target, "many", &call), &out,
		    AZURE_SCOPE_NONE, 200));
	CHECK(out.n_blocks == N_MANY && out.n_committed == N_MANY);
}

static void missing_block(struct suite *suite)
{
	char id[AZURE_BLOCK_ID_TEXT];
	const char *list[] = { id };
	struct outcome out = { 0 };
	struct azure_call call = call_for(&out);

	azure_block_id_format(id, attempt, 77);
	/* Somebody else's Put Blob has dropped it: a matter between writers. */
	CHECK(ended(suite, azure_put_block_list(suite->client, suite->target, "gone", list, 1,
						NULL, &call), &out, AZURE_SCOPE_CONFLICT, 400));
	CHECK(!strcmp(out.rsp.error.code, "InvalidBlockList"), "%s", out.rsp.error.code);
}

static ssize_t read_nothing(void *arg, void *buf, size_t size, uint64_t offset)
{
	(void)arg;
	(void)buf;
	(void)size;
	return offset < 70000 ? 1000 : 0;
}

static ssize_t read_error(void *arg, void *buf, size_t size, uint64_t offset)
{
	(void)arg;
	(void)buf;
	(void)size;
	(void)offset;
	return -5;
}

static void bad_sources(struct suite *suite)
{
	struct azure_body body = { .length = 100000, .read = read_nothing };
	struct outcome out = { 0 };
	struct azure_call call = call_for(&out);

	CHECK(ended(suite, azure_put_blob(suite->client, suite->target, "short", &body, NULL,
					  &call), &out, AZURE_SCOPE_FILE, 0));
	CHECK(out.rsp.error.sys_errno == 61 && out.rsp.tries == 1);
	body.read = read_error;
	call = call_for(&out);
	CHECK(ended(suite, azure_put_blob(suite->client, suite->target, "short", &body, NULL,
					  &call), &out, AZURE_SCOPE_FILE, 0));
	CHECK(out.rsp.error.sys_errno == 5);
}

void tests_of_blocks(struct suite *suite)
{
	test_run("blocks from every kind of body, committed and read back", large_blob, suite);
	test_run("a block list of 2000", many_blocks, suite);
	test_run("a block that is not there", missing_block, suite);
	test_run("a source that fails or is too short", bad_sources, suite);
}
