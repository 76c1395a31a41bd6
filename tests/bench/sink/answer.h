/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What answer.c and list.c share. */
#ifndef AZS_TESTS_BENCH_ANSWER_H
#define AZS_TESTS_BENCH_ANSWER_H

#include "sink.h"

#define HTTP_DATE_SIZE 32

void http_date(char out[HTTP_DATE_SIZE], int64_t s);

/* Status line and the headers of every answer; more headers and an empty line are to follow. */
void answer_head(struct buf *out, const struct request *req, int status, uint64_t length);

/* List Blobs. */
void answer_list(struct buf *out, const struct request *req);
/* The server's own paths: /__stats (JSON), /__list (`SIZE MD5 CONTAINER/NAME`), /__reset. */
void answer_service(struct buf *out, const struct request *req);

#endif
