/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure/response.h"
#include "azure/xml.h"

static int parse(struct azure_xml *xml, const char *text)
{
	int ret = azure_xml_feed(xml, text, strlen(text));

	return ret ? ret : azure_xml_finish(xml);
}

static int parse_alone(enum azure_xml_kind kind, const char *text)
{
	struct azure_xml *xml = azure_xml_create(kind);
	int ret;

	assert_non_null(xml);
	ret = parse(xml, text);
	azure_xml_free(xml);
	return ret;
}

/* With the byte order mark that Azure sends. */
static const char listing[] =
	"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>"
	"<EnumerationResults ServiceEndpoint=\"https://a/\" ContainerName=\"c\"><Prefix>p</Prefix>"
	"<Blobs><Blob><Name>p/a &amp;&lt;\xc3\xa4</Name><Properties>"
	"<Last-Modified>Sun, 06 Nov 1994 08:49:37 GMT</Last-Modified><Etag>0x8D1</Etag>"
	"<Content-Length>123</Content-Length><Content-MD5>AAECAwQFBgcICQoLDA0ODw==</Content-MD5>"
	"<BlobType>BlockBlob</BlobType><AccessTier>Archive</AccessTier>"
	"<ArchiveStatus>rehydrate-pending-to-hot</ArchiveStatus></Properties>"
	"<Metadata><Azs_Owner>me</Azs_Owner><empty /></Metadata><OrMetadata /></Blob>"
	"<BlobPrefix><Name>q/</Name></BlobPrefix>"
	"<Blob><Name Encoded=\"true\">p/%EF%BF%BE%25</Name><Properties><Etag>\"0x2\"</Etag>"
	"<Content-Length>0</Content-Length><ResourceType>directory</ResourceType></Properties>"
	"</Blob></Blobs><NextMarker>2!80!x</NextMarker></EnumerationResults>";

static void check_listing(const struct azure_list *list)
{
	const struct azure_list_blob *blob = list->blobs;

	assert_int_equal(list->n_blobs, 2);
	assert_string_equal(list->next_marker, "2!80!x");
	assert_string_equal(blob->name, "p/a &<\xc3\xa4");
	assert_string_equal(blob->etag, "\"0x8D1\"");
	assert_int_equal(blob->size, 123);
	assert_int_equal(blob->last_modified_s, 784111777);
	assert_true(blob->has_md5 && blob->is_block_blob && !blob->is_directory);
	assert_memory_equal(blob->md5, "\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf", 16);
	assert_string_equal(blob->tier, "Archive");
	assert_string_equal(blob->archive_status, "rehydrate-pending-to-hot");
	assert_int_equal(blob->n_meta, 2);
	assert_string_equal(azure_meta_find(blob->meta, 2, "azs_owner"), "me");
	assert_string_equal(azure_meta_find(blob->meta, 2, "empty"), "");
	assert_null(azure_meta_find(blob->meta, 2, "azs"));
	blob++;
	assert_string_equal(blob->name, "p/\xef\xbf\xbe%");
	assert_string_equal(blob->etag, "\"0x2\"");
	assert_string_equal(blob->tier, "");
	assert_true(blob->is_directory && !blob->has_md5 && !blob->n_meta);
}

static void list(void **state)
{
	struct azure_xml *xml = azure_xml_create(AZURE_XML_LIST);

	(void)state;
	assert_int_equal(parse(xml, listing), 0);
	check_listing(azure_xml_list(xml));
	/* Byte by byte, and after what another try left. */
	azure_xml_reset(xml);
	assert_int_equal(azure_xml_feed(xml, listing, 400), 0);
	azure_xml_reset(xml);
	for (size_t i = 0; i < sizeof(listing) - 1; i++)
		assert_int_equal(azure_xml_feed(xml, listing + i, 1), 0);
	assert_int_equal(azure_xml_finish(xml), 0);
	check_listing(azure_xml_list(xml));
	azure_xml_reset(xml);
	assert_int_equal(parse(xml, "<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>"),
			 0);
	assert_int_equal(azure_xml_list(xml)->n_blobs, 0);
	assert_string_equal(azure_xml_list(xml)->next_marker, "");
	azure_xml_free(xml);
}

static void block_list(void **state)
{
	struct azure_xml *xml = azure_xml_create(AZURE_XML_BLOCK_LIST);
	const struct azure_block_list *blocks;

	(void)state;
	assert_int_equal(parse(xml, "<BlockList><CommittedBlocks><Block><Name>QQ==</Name>"
				    "<Size>7</Size></Block></CommittedBlocks><UncommittedBlocks>"
				    "<Block><Name>Qg==</Name><Size>4194304000</Size></Block>"
				    "</UncommittedBlocks></BlockList>"), 0);
	blocks = azure_xml_block_list(xml);
	assert_int_equal(blocks->n_blocks, 2);
	assert_string_equal(blocks->blocks[0].id, "QQ==");
	assert_true(blocks->blocks[0].is_committed && blocks->blocks[0].size == 7);
	assert_true(!blocks->blocks[1].is_committed && blocks->blocks[1].size == 4194304000);
	azure_xml_free(xml);
}

static void error_body(void **state)
{
	struct azure_xml *xml = azure_xml_create(AZURE_XML_ERROR);

	(void)state;
	assert_int_equal(parse(xml, "<?xml version=\"1.0\"?><Error><Code>ServerBusy</Code>"
				    "<Message>Busy.\nRequestId:1</Message></Error>"), 0);
	assert_string_equal(azure_xml_error_code(xml), "ServerBusy");
	assert_string_equal(azure_xml_error_message(xml), "Busy.\nRequestId:1");
	azure_xml_free(xml);
}

#define IN_BLOB(x) "<EnumerationResults><Blobs><Blob>" x "</Blob></Blobs></EnumerationResults>"
#define IN_PROPERTIES(x) IN_BLOB("<Name>n</Name><Properties>" x "</Properties>")

static void hostile(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"<html><body>proxy</body></html>",
		"<EnumerationResults>",
		"<EnumerationResults></Blobs>",
		"<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]>"
		"<EnumerationResults><NextMarker>&b;</NextMarker></EnumerationResults>",
		"<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><EnumerationResults/>",
		"<EnumerationResults><NextMarker>&b;</NextMarker></EnumerationResults>",
		"<?xml version=\"1.0\" encoding=\"utf-16\"?><EnumerationResults/>x",
		IN_BLOB(""),
		IN_BLOB("<Name>\xff</Name>"),
		IN_BLOB("<Name>&#1;</Name>"),
		IN_BLOB("<Name Encoded=\"true\">%zz</Name>"),
		IN_BLOB("<Name Encoded=\"true\">%4</Name>"),
		IN_BLOB("<Name Encoded=\"true\">%00</Name>"),
		IN_PROPERTIES("<Content-Length>-1</Content-Length>"),
		IN_PROPERTIES("<Content-Length>99999999999999999999</Content-Length>"),
		IN_PROPERTIES("<Content-Length>1x</Content-Length>"),
	};
	static const char *const large[] = {
		"<EnumerationResults><a><a><a><a><a><a><a><a>",
		IN_PROPERTIES("<Etag>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			      "</Etag>"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (parse_alone(AZURE_XML_LIST, bad[i]) != -EBADMSG)
			fail_msg("not refused: %s", bad[i]);
	}
	for (size_t i = 0; i < sizeof(large) / sizeof(*large); i++)
		assert_int_equal(parse_alone(AZURE_XML_LIST, large[i]), -EMSGSIZE);
	assert_int_equal(parse_alone(AZURE_XML_BLOCK_LIST, IN_BLOB("<Name>n</Name>")), -EBADMSG);
	assert_int_equal(parse_alone(AZURE_XML_BLOCK_LIST,
				     "<BlockList><CommittedBlocks><Block/></CommittedBlocks>"
				     "</BlockList>"), -EBADMSG);
	/* Elements where they do not belong are no blobs. */
	assert_int_equal(parse_alone(AZURE_XML_LIST,
				     "<EnumerationResults><Name>n</Name><Metadata><a>b</a></Metadata>"
				     "<Blobs><Name>n</Name><x><Name>n</Name></x></Blobs>"
				     "</EnumerationResults>"), 0);
}

static void too_much(void **state)
{
	struct azure_xml *xml = azure_xml_create(AZURE_XML_LIST);
	static char text[100000];
	int ret = 0;

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(azure_xml_feed(xml, "<EnumerationResults><NextMarker>", 32), 0);
	assert_int_equal(azure_xml_feed(xml, text, sizeof(text)), -EMSGSIZE);
	/* An error stays, whatever comes. */
	assert_int_equal(azure_xml_feed(xml, "a", 1), -EMSGSIZE);
	assert_int_equal(azure_xml_finish(xml), -EMSGSIZE);

	azure_xml_reset(xml);
	assert_int_equal(azure_xml_feed(xml, "<EnumerationResults><Blobs>", 27), 0);
	for (int i = 0; i <= AZURE_LIST_MAX_RESULTS && !ret; i++)
		ret = azure_xml_feed(xml, "<Blob><Name>n</Name></Blob>", 27);
	assert_int_equal(ret, -EMSGSIZE);
	azure_xml_free(xml);
}

/* Cut anywhere, or with a byte changed, it is refused or read; never more. */
static void damaged(void **state)
{
	char text[sizeof(listing)];

	(void)state;
	srand(7);
	for (size_t len = 0; len < sizeof(listing) - 1; len++) {
		memcpy(text, listing, len);
		text[len] = '\0';
		assert_int_equal(parse_alone(AZURE_XML_LIST, text), -EBADMSG);
	}
	for (int i = 0; i < 20000; i++) {
		int ret;

		memcpy(text, listing, sizeof(text));
		text[(size_t)rand() % (sizeof(text) - 1)] = (char)(1 + rand() % 255);
		ret = parse_alone(AZURE_XML_LIST, text);
		assert_true(ret == 0 || ret == -EBADMSG || ret == -EMSGSIZE);
	}
}

static int header(struct azure_reply *reply, const char *line)
{
	/* In memory of its own, without a terminator: reading on is found. */
	char *copy = malloc(strlen(line));
	int ret;

	memcpy(copy, line, strlen(line));
	ret = azure_reply_header(reply, copy, strlen(line));
	free(copy);
	return ret;
}

static void headers(void **state)
{
	struct azure_reply *reply = calloc(1, sizeof(*reply));
	int ret = 0;

	(void)state;
	azure_reply_init(reply);
	assert_int_equal(header(reply, "ETag: \"0x1\"\r\n"), 0);
	assert_int_equal(header(reply, "content-LENGTH:42"), 0);
	assert_int_equal(header(reply, "x-ms-meta-Azs_Owner:  me \r\n"), 0);
	assert_int_equal(header(reply, "Content-Range: bytes 5-9/100"), 0);
	assert_int_equal(header(reply, "Content-MD5: bad"), 0);
	assert_int_equal(header(reply, "Retry-After: 7"), 0);
	assert_string_equal(reply->response.etag, "\"0x1\"");
	assert_int_equal(reply->response.content_length, 42);
	assert_int_equal(reply->response.blob_size, 100);
	assert_int_equal(reply->range_at, 5);
	assert_false(reply->response.has_md5);
	assert_int_equal(reply->retry_after_ms, 7000);
	assert_string_equal(azure_meta_find(reply->response.meta, reply->response.n_meta,
					    "azs_owner"), "me");
	assert_int_equal(header(reply, "x-ms-retry-after-ms: 250"), 0);
	assert_int_equal(reply->retry_after_ms, 250);
	azure_reply_reset(reply);
	assert_int_equal(header(reply, "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT"), 0);
	assert_int_equal(header(reply, "Retry-After: 99999999999999"), 0);
	assert_int_equal(reply->retry_after_ms, -1);
	assert_int_equal(header(reply, "no colon"), 0);
	assert_int_equal(header(reply, ":"), 0);
	assert_int_equal(header(reply, "etag:"), 0);
	assert_int_equal(header(reply, "Content-Range: bytes"), 0);
	assert_int_equal(header(reply, "Content-Range: bytes /-"), 0);
	/* Half an ETag would match nothing. */
	assert_int_equal(header(reply, "ETag: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				       "aaaaaaaaaaaaaaaaaaaaaaaa\""), 0);
	assert_string_equal(reply->response.etag, "");
	for (int i = 0; i < 1000 && !ret; i++)
		ret = header(reply, "x-ms-meta-a: b");
	assert_int_equal(ret, -EMSGSIZE);
	azure_reply_free(reply);
	free(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list),	    cmocka_unit_test(block_list),
		cmocka_unit_test(error_body), cmocka_unit_test(hostile),
		cmocka_unit_test(too_much), cmocka_unit_test(damaged),
		cmocka_unit_test(headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
