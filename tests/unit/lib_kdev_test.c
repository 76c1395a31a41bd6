/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The calls of the device: what reaches the kernel, and what becomes of its answers. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/kdev_uapi.h"

static struct error e;
static const struct kdev_mref mref = { 7, 3 };

/* The kernel's part: one function of the test at hand; NULL when no call is expected. */
static int (*kernel)(unsigned long request, void *arg);
static int calls;

int __wrap_ioctl(int fd, unsigned long request, void *arg);

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	int err;

	assert_true(fd >= 0);
	assert_non_null(kernel);
	calls++;
	err = kernel(request, arg);
	if (!err)
		return 0;
	errno = err;
	return -1;
}

static int kernel_hello(unsigned long request, void *arg)
{
	struct azs_hello *h = arg;

	assert_int_equal(request, AZS_IOC_HELLO);
	assert_int_equal(h->abi_max, AZS_ABI_VERSION);
	assert_int_equal(h->flags, 0);
	assert_int_equal(h->reserved, 0);
	h->abi_version = AZS_ABI_VERSION;
	memset(h->module_version, 'v', sizeof(h->module_version));
	h->module_version[3] = '\n';
	return 0;
}

/* A file stands in for the device; what it holds is what read(2) gives. */
static char device[] = "/tmp/lib_kdev_test.XXXXXX";
static struct kdev *k;

static int setup(void **state)
{
	int fd;

	(void)state;
	strcpy(device + strlen(device) - 6, "XXXXXX");
	fd = mkstemp(device);
	if (fd < 0)
		return -1;
	close(fd);
	kernel = kernel_hello;
	error_clear(&e);
	if (kdev_open(&k, device, NULL, 0, &e))
		return -1;
	kernel = NULL;
	calls = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kdev_close(k);
	return unlink(device);
}

static int kernel_hello_excluded(unsigned long request, void *arg)
{
	struct azs_hello *h = arg;

	assert_int_equal(h->nr_excluded, 2);
	assert_int_equal(h->excluded[0], 40);
	assert_int_equal(h->excluded[1], 41);
	assert_int_equal(h->excluded[2], 0);
	return kernel_hello(request, arg);
}

static int kernel_hello_eproto(unsigned long request, void *arg)
{
	struct azs_hello *h = arg;

	(void)request;
	h->abi_min = 5;
	h->abi_max = 6;
	return EPROTO;
}

static int kernel_hello_lies(unsigned long request, void *arg)
{
	kernel_hello(request, arg);
	((struct azs_hello *)arg)->abi_version = 99;
	return 0;
}

static int kernel_busy(unsigned long request, void *arg)
{
	(void)request;
	(void)arg;
	return EBUSY;
}

static void test_hello(void **state)
{
	const int excluded[KDEV_MAX_EXCLUDED + 1] = { 40, 41 };
	struct kdev *other = NULL;

	(void)state;
	assert_int_equal(kdev_version(k)->abi, AZS_ABI_VERSION);
	assert_int_equal(strlen(kdev_version(k)->module), 31);
	assert_int_equal(kdev_version(k)->module[3], '?');

	kernel = kernel_hello_excluded;
	assert_int_equal(kdev_open(&other, device, excluded, 2, &e), 0);
	kdev_close(other);
	assert_int_equal(kdev_open(&other, device, excluded, KDEV_MAX_EXCLUDED + 1, &e), -EINVAL);
	kernel = kernel_hello_eproto;
	assert_int_equal(kdev_open(&other, device, NULL, 0, &e), -EPROTO);
	assert_non_null(strstr(e.message, "5 to 6"));
	assert_non_null(strstr(e.message, "reboot"));
	kernel = kernel_hello_lies;
	assert_int_equal(kdev_open(&other, device, NULL, 0, &e), -EPROTO);
	kernel = kernel_busy;
	assert_int_equal(kdev_open(&other, device, NULL, 0, &e), -EBUSY);
	assert_non_null(strstr(e.message, "another uploader"));
	assert_int_equal(kdev_open(&other, "/nonexistent", NULL, 0, &e), -ENOENT);
	assert_non_null(strstr(e.message, "not loaded"));
}

static void test_read(void **state)
{
	struct azs_record down = { .len = sizeof(down), .type = AZS_REC_MAPPING_DOWN,
				   .mapping = { 9, 1 } };
	struct kdev_record r;
	struct kdev_batch b;
	FILE *f = fopen(device, "w");

	(void)state;
	fwrite(&down, sizeof(down), 1, f);
	fwrite("junk", 4, 1, f);
	fclose(f);
	assert_int_equal(kdev_batch_init(&b), 0);
	assert_true(b.size >= AZS_READ_MIN);
	assert_int_equal(kdev_read(k, &b, &e), 0);
	assert_int_equal(kdev_batch_next(&b, &r, &e), 1);
	assert_int_equal(r.mapping.id, 9);
	assert_int_equal(kdev_batch_next(&b, &r, &e), -EBADMSG);
	assert_int_equal(kdev_read(k, &b, &e), -EIO);
	assert_int_equal(kdev_batch_next(&b, &r, &e), 0);
	kdev_batch_free(&b);
}

static int kernel_open(unsigned long request, void *arg)
{
	struct azs_open *o = arg;

	assert_int_equal(request, AZS_IOC_OPEN);
	assert_int_equal(o->mapping.id, 7);
	assert_int_equal(o->mapping.generation, 3);
	assert_int_equal(o->path_len, 3);
	assert_memory_equal((void *)(uintptr_t)o->path, "a/b", 3);
	assert_int_equal(o->flags, 0);
	if (calls == 1)
		return EINTR;
	if (o->entry == 1)
		return EAGAIN;
	o->fd = o->entry == 2 ? -1 : 55;
	o->entry += 100;
	o->out_flags = AZS_OPEN_WRITER;
	o->st.size = 12;
	return 0;
}

static void test_open(void **state)
{
	struct kdev_file f = { .fd = -2 };

	(void)state;
	kernel = kernel_open;
	assert_int_equal(kdev_file_open(k, mref, 3, "a/bc", 3, &f, &e), 0);
	assert_int_equal(calls, 2);
	assert_int_equal(f.fd, 55);
	assert_int_equal(f.entry, 103);
	assert_true(f.writer);
	assert_int_equal(f.st.size, 12);
	assert_int_equal(kdev_file_open(k, mref, 1, "a/b", 3, &f, &e), -EAGAIN);
	assert_non_null(strstr(e.message, "open 'a/b'"));
	assert_int_equal(kdev_file_open(k, mref, 2, "a/b", 3, &f, &e), -EBADMSG);
	kernel = NULL;
	assert_int_equal(kdev_file_open(k, mref, 3, "a", KDEV_PATH_MAX + 1, &f, &e), -ENAMETOOLONG);
	assert_int_equal(kdev_file_open(k, mref, 3, NULL, 0, &f, &e), -EINVAL);
}

static int kernel_stat(unsigned long request, void *arg)
{
	struct azs_stat_req *s = arg;

	assert_int_equal(request, AZS_IOC_STAT);
	s->st.size = 5;
	return s->path_len == 0 ? 0 : ENOENT;
}

static void test_stat(void **state)
{
	struct kdev_stat st;

	(void)state;
	kernel = kernel_stat;
	assert_int_equal(kdev_stat(k, mref, "", 0, &st, &e), 0);
	assert_int_equal(st.size, 5);
	assert_int_equal(kdev_stat(k, mref, "x", 1, &st, &e), -ENOENT);
	assert_int_equal(kdev_stat(k, mref, "x", 1, &st, NULL), -ENOENT);
}

static int kernel_readlink(unsigned long request, void *arg)
{
	struct azs_readlink *l = arg;
	static const char target[] = "target";

	assert_int_equal(request, AZS_IOC_READLINK);
	l->len = 6;
	memcpy((void *)(uintptr_t)l->buf, target, l->buf_len < 6 ? l->buf_len : 6);
	return 0;
}

static void test_readlink(void **state)
{
	char buf[7];

	(void)state;
	kernel = kernel_readlink;
	assert_int_equal(kdev_readlink(k, mref, "l", 1, buf, sizeof(buf), &e), 6);
	assert_string_equal(buf, "target");
	assert_int_equal(kdev_readlink(k, mref, "l", 1, buf, 6, &e), -ENAMETOOLONG);
	assert_int_equal(kdev_readlink(k, mref, "l", 1, buf, 1, &e), -EINVAL);
}

static uint32_t fill_dirent(struct azs_scan *s, const char *name)
{
	struct azs_dirent d = { .name_len = (uint32_t)strlen(name) };
	unsigned char *at = (unsigned char *)(uintptr_t)s->buf + s->used;

	d.len = (uint32_t)((sizeof(d) + d.name_len + 8) & ~7u);
	d.st.ino = s->used;
	memset(at, 0, d.len);
	memcpy(at, &d, sizeof(d));
	memcpy(at + sizeof(d), name, d.name_len);
	return s->used += d.len;
}

static bool scan_closed;

/* Three calls: two names, none (all had vanished), one and the end. */
static int kernel_scan(unsigned long request, void *arg)
{
	struct azs_scan *s = arg;

	assert_int_equal(request, AZS_IOC_SCAN);
	if (s->flags & AZS_SCAN_CLOSE) {
		assert_int_equal(s->scan, 77);
		scan_closed = true;
		return 0;
	}
	assert_true(s->buf_len >= AZS_SCAN_BUF_MIN && s->buf_len <= AZS_SCAN_BUF_MAX);
	switch (calls) {
	case 1:
		assert_int_equal(s->scan, 0);
		assert_int_equal(s->path_len, 3);
		fill_dirent(s, "one");
		fill_dirent(s, "two two");
		s->scan = 77;
		return 0;
	case 2:
		assert_int_equal(s->scan, 77);
		assert_int_equal(s->path_len, 0);
		return 0;
	default:
		assert_int_equal(s->scan, 77);
		fill_dirent(s, "three");
		s->scan = 0;
		return 0;
	}
}

static void test_scan(void **state)
{
	struct kdev_scan *s;
	struct kdev_dirent d;

	(void)state;
	kernel = kernel_scan;
	scan_closed = false;
	assert_int_equal(kdev_scan_open(&s, k, mref, "dir", 3, &e), 0);
	assert_int_equal(kdev_scan_next(s, &d, &e), 1);
	assert_string_equal(d.name, "one");
	assert_int_equal(kdev_scan_next(s, &d, &e), 1);
	assert_string_equal(d.name, "two two");
	assert_int_equal(d.name_len, 7);
	assert_true(d.st.ino > 0);
	assert_int_equal(kdev_scan_next(s, &d, &e), 1);
	assert_string_equal(d.name, "three");
	assert_int_equal(calls, 3);
	assert_int_equal(kdev_scan_next(s, &d, &e), 0);
	assert_int_equal(kdev_scan_next(s, &d, &e), 0);
	assert_int_equal(calls, 3);
	kdev_scan_close(s);
	assert_false(scan_closed);
}

static void test_scan_ended_early(void **state)
{
	struct kdev_scan *s;
	struct kdev_dirent d;

	(void)state;
	kernel = kernel_scan;
	scan_closed = false;
	assert_int_equal(kdev_scan_open(&s, k, mref, "dir", 3, &e), 0);
	assert_int_equal(kdev_scan_next(s, &d, &e), 1);
	kdev_scan_close(s);
	assert_true(scan_closed);
	kdev_scan_close(NULL);
}

static int kernel_scan_fails(unsigned long request, void *arg)
{
	(void)request;
	if (calls == 1) {
		fill_dirent(arg, "one");
		((struct azs_scan *)arg)->scan = 77;
		return 0;
	}
	return ESTALE;
}

static int kernel_scan_lies(unsigned long request, void *arg)
{
	struct azs_scan *s = arg;

	(void)request;
	s->used = s->flags ? 0 : s->buf_len + 8;
	s->scan = 77;
	return 0;
}

static void test_scan_that_fails_is_no_end(void **state)
{
	struct kdev_scan *s;
	struct kdev_dirent d;

	(void)state;
	kernel = kernel_scan_fails;
	assert_int_equal(kdev_scan_open(&s, k, mref, "dir", 3, &e), 0);
	assert_int_equal(kdev_scan_next(s, &d, &e), 1);
	assert_int_equal(kdev_scan_next(s, &d, &e), -ESTALE);
	assert_int_equal(kdev_scan_next(s, &d, &e), -ESTALE);
	kdev_scan_close(s);
	kernel = kernel_scan_lies;
	assert_int_equal(kdev_scan_open(&s, k, mref, "dir", 3, &e), -EBADMSG);
}

static int kernel_stable(unsigned long request, void *arg)
{
	struct azs_stable *s = arg;

	assert_int_equal(request, AZS_IOC_STABLE);
	s->out_flags = s->entry == 5 ? AZS_STABLE_QUIET : 0;
	return s->entry == 6 ? ESTALE : 0;
}

static void test_stable(void **state)
{
	bool quiet = false;

	(void)state;
	kernel = kernel_stable;
	assert_int_equal(kdev_stable(k, 5, &quiet, &e), 0);
	assert_true(quiet);
	assert_int_equal(kdev_stable(k, 7, &quiet, &e), 0);
	assert_false(quiet);
	assert_int_equal(kdev_stable(k, 6, &quiet, &e), -ESTALE);
}

static uint64_t done_seen;

static int kernel_done(unsigned long request, void *arg)
{
	struct azs_done *d = arg;
	const struct azs_done_item *items = (void *)(uintptr_t)d->items;

	assert_int_equal(request, AZS_IOC_DONE);
	assert_true(d->nr > 0 && d->nr <= AZS_MAX_DONE);
	for (uint32_t i = 0; i < d->nr; i++, done_seen++) {
		assert_int_equal(items[i].entry, done_seen);
		assert_int_equal(items[i].result, done_seen % 3);
		assert_int_equal(items[i].delay_ms, done_seen % 3 == AZS_DONE_AGAIN ? 50 : 0);
		assert_int_equal(items[i].flags, AZS_DONE_UPLOADED | AZS_DONE_UNQUIET);
		assert_int_equal(items[i].bytes, 9);
		assert_int_equal(items[i].reserved, 0);
	}
	return 0;
}

static void test_done_in_pieces(void **state)
{
	static const enum kdev_result results[] = { KDEV_OK, KDEV_AGAIN, KDEV_PARKED };
	struct kdev_done_item items[2 * KDEV_MAX_DONE + 1];
	const size_t nr = sizeof(items) / sizeof(items[0]);

	(void)state;
	for (size_t i = 0; i < nr; i++)
		items[i] = (struct kdev_done_item){
			.entry = i, .result = results[i % 3], .bytes = 9, .delay_ms = 50,
			.flags = KDEV_DID_UPLOAD | KDEV_UNQUIET,
		};
	kernel = kernel_done;
	done_seen = 0;
	assert_int_equal(kdev_done(k, items, nr, &e), 0);
	assert_int_equal(calls, 3);
	assert_int_equal(done_seen, nr);
	assert_int_equal(kdev_done(k, items, 0, &e), 0);
	assert_int_equal(calls, 3);
	kernel = kernel_busy;
	assert_int_equal(kdev_done(k, items, nr, &e), -EBUSY);
	assert_int_equal(calls, 4);
}

static int kernel_mark(unsigned long request, void *arg)
{
	struct azs_mark *m = arg;

	assert_int_equal(request, AZS_IOC_MARK);
	assert_int_equal(m->flags, AZS_MARK_SUBTREE);
	assert_int_equal(m->path_len, 2);
	return 0;
}

static int kernel_report(unsigned long request, void *arg)
{
	struct azs_report *r = arg;

	assert_int_equal(request, AZS_IOC_REPORT);
	switch (calls) {
	case 1:
		assert_int_equal(r->flags, AZS_REPORT_BLOCKED | AZS_REPORT_SET_ERROR);
		assert_int_equal(r->error_len, AZS_ERROR_MAX - 1);
		assert_int_equal(r->failed, 4);
		assert_int_equal(r->last_success_s, -5);
		assert_int_equal(r->skipped, 6);
		return 0;
	case 2:
		assert_int_equal(r->flags, AZS_REPORT_SET_ERROR);
		assert_int_equal(r->error_len, 0);
		assert_int_equal(r->error, 0);
		return 0;
	default:
		assert_int_equal(r->flags, 0);
		return ESTALE;
	}
}

static void test_mark_and_report(void **state)
{
	static char big[2000];
	struct kdev_report r = { .blocked = true, .error = big, .failed = 4,
				 .last_success_s = -5, .skipped = 6 };

	(void)state;
	kernel = kernel_mark;
	assert_int_equal(kdev_mark(k, mref, "ab", 2, KDEV_MARK_SUBTREE, &e), 0);
	memset(big, 'x', sizeof(big) - 1);
	kernel = kernel_report;
	calls = 0;
	assert_int_equal(kdev_report(k, mref, &r, &e), 0);
	r = (struct kdev_report){ .error = "" };
	assert_int_equal(kdev_report(k, mref, &r, &e), 0);
	r = (struct kdev_report){ 0 };
	assert_int_equal(kdev_report(k, mref, &r, &e), -ESTALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hello, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_readlink, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scan_ended_early, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scan_that_fails_is_no_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_done_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mark_and_report, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
