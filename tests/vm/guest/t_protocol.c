/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* /dev/azure_storage: what is refused, what read(2) and poll(2) do, mappings up and down. */
#include "azs.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static const unsigned int numbers[] = {
	AZS_IOC_OPEN, AZS_IOC_SCAN, AZS_IOC_STAT, AZS_IOC_READLINK, AZS_IOC_STABLE,
	AZS_IOC_DONE, AZS_IOC_REPORT, AZS_IOC_MARK,
};

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms) == 1 && (pfd.revents & POLLIN);
}

/* ---- HELLO ---- */

static void hello_comes_first(void)
{
	static char zeroes[4096], buf[AZS_READ_MIN];
	int fd;

	need_module();
	fd = (int)CHECK_OK(dev_open_raw());
	CHECK_ERRNO(read(fd, buf, sizeof(buf)), EPROTO);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		CHECK_ERRNO(ioctl(fd, numbers[i], zeroes), EPROTO);
	CHECK(!is_readable(fd, 0));
	CHECK_ERRNO(ioctl(fd, _IOWR(AZS_IOC_MAGIC, 0x7f, struct azs_open), zeroes), ENOTTY);
	CHECK_EQ(attr_number(MISC_DIR "/uploader_pid"), 0);
	CHECK_OK(dev_hello(fd));
	CHECK_EQ(attr_number(MISC_DIR "/uploader_pid"), getpid());
	CHECK_ERRNO(dev_hello(fd), EALREADY);
	CHECK_ERRNO(ioctl(fd, _IOWR(AZS_IOC_MAGIC, 0x7f, struct azs_open), zeroes), ENOTTY);
	CHECK_OK(close(fd));
	CHECK_EQ(attr_number(MISC_DIR "/uploader_pid"), 0);
}

static void hello_is_checked(void)
{
	static const struct azs_hello good = { .abi_min = AZS_ABI_VERSION_MIN,
					       .abi_max = AZS_ABI_VERSION };
	struct azs_hello hello;
	int fd, file;

	need_module();
	fd = (int)CHECK_OK(dev_open_raw());
	file = (int)CHECK_OK(open("/proc/self/status", O_RDONLY));

	hello = good;
	hello.flags = 1;
	CHECK_ERRNO(ioctl(fd, AZS_IOC_HELLO, &hello), EINVAL);
	hello = good;
	hello.reserved = 1;
	CHECK_ERRNO(ioctl(fd, AZS_IOC_HELLO, &hello), EINVAL);
	hello = good;
	hello.nr_excluded = AZS_MAX_EXCLUDED + 1;
	CHECK_ERRNO(ioctl(fd, AZS_IOC_HELLO, &hello), EINVAL);
	hello = good;
	hello.abi_min = hello.abi_max + 1;
	CHECK_ERRNO(ioctl(fd, AZS_IOC_HELLO, &hello), EINVAL);
	hello = good;
	hello.nr_excluded = 1;
	hello.excluded[0] = -1;
	CHECK_ERRNO(ioctl(fd, AZS_IOC_HELLO, &hello), EBADF);
	hello.excluded[0] = file;
	CHECK_ERRNO(ioctl(fd, AZS_IOC_HELLO, &hello), ENOTDIR);
	CHECK_ERRNO(ioctl(fd, AZS_IOC_HELLO, NULL), EFAULT);

	hello = good;
	hello.abi_min = hello.abi_max = AZS_ABI_VERSION + 1;
	CHECK_ERRNO(ioctl(fd, AZS_IOC_HELLO, &hello), EPROTO);
	CHECK_EQ(hello.abi_min, AZS_ABI_VERSION_MIN);
	CHECK_EQ(hello.abi_max, AZS_ABI_VERSION);

	/* A newer uploader that still speaks this version; features we do not have. */
	hello = good;
	hello.abi_max = AZS_ABI_VERSION + 5;
	hello.features = ~0ULL;
	memset(hello.module_version, 'x', sizeof(hello.module_version));
	CHECK_OK(ioctl(fd, AZS_IOC_HELLO, &hello));
	CHECK_EQ(hello.abi_version, AZS_ABI_VERSION);
	CHECK_EQ(hello.features, 0);
	CHECK(memchr(hello.module_version, 0, sizeof(hello.module_version)));
	CHECK_STR(hello.module_version, attr_read("/sys/module/azure_storage/version"));
	CHECK_OK(close(file));
	CHECK_OK(close(fd));
}

static void one_uploader_at_a_time(void)
{
	int fd;

	need_module();
	fd = (int)CHECK_OK(dev_open_raw());
	CHECK_ERRNO(dev_open_raw(), EBUSY);
	CHECK_OK(dev_hello(fd));
	CHECK_ERRNO(dev_open_raw(), EBUSY);
	CHECK_OK(close(fd));
	fd = (int)CHECK_OK(dev_open_raw());
	CHECK_OK(close(fd));
}

/* ---- refusals ---- */

static void unknown_flags_are_refused(void)
{
	struct fixture fx = fixture_with("20", "0");
	int fd = fx.dev->fd;
	struct azs_open o = { .mapping = fx.m, .flags = 1 };
	struct azs_scan s = { .mapping = fx.m, .flags = 2 };
	struct azs_stat_req st = { .mapping = fx.m, .flags = 1 };
	struct azs_readlink l = { .mapping = fx.m, .flags = 1 };
	struct azs_stable q = { .flags = 1 };
	struct azs_mark m = { .mapping = fx.m, .flags = 4 };
	struct azs_report r = { .mapping = fx.m, .flags = 4 };
	struct azs_done_item bad[] = {
		{ .result = 3 },
		{ .flags = 32 },
		{ .reserved = 1 },
		{ .result = AZS_DONE_OK, .delay_ms = 1 },
	};

	CHECK_ERRNO(ioctl(fd, AZS_IOC_OPEN, &o), EINVAL);
	CHECK_ERRNO(ioctl(fd, AZS_IOC_SCAN, &s), EINVAL);
	CHECK_ERRNO(ioctl(fd, AZS_IOC_STAT, &st), EINVAL);
	CHECK_ERRNO(ioctl(fd, AZS_IOC_READLINK, &l), EINVAL);
	CHECK_ERRNO(ioctl(fd, AZS_IOC_STABLE, &q), EINVAL);
	CHECK_ERRNO(ioctl(fd, AZS_IOC_MARK, &m), EINVAL);
	CHECK_ERRNO(ioctl(fd, AZS_IOC_REPORT, &r), EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct azs_done d = { .items = (uintptr_t)&bad[i], .nr = 1 };

		CHECK_ERRNO(ioctl(fd, AZS_IOC_DONE, &d), EINVAL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		CHECK_ERRNO(ioctl(fd, numbers[i], NULL), EFAULT);
}

static void done_is_all_or_nothing(void)
{
	struct fixture fx = fixture_with("20", "0");
	struct azs_done_item *items = calloc(AZS_MAX_DONE + 1, sizeof(*items));
	struct azs_done d = { .items = (uintptr_t)items, .nr = AZS_MAX_DONE + 1 };
	struct rec a, b;

	CHECK(items);
	CHECK_ERRNO(ioctl(fx.dev->fd, AZS_IOC_DONE, &d), EINVAL);
	d.nr = 0;
	CHECK_OK(ioctl(fx.dev->fd, AZS_IOC_DONE, &d));
	d = (struct azs_done){ .items = 8, .nr = 1 };
	CHECK_ERRNO(ioctl(fx.dev->fd, AZS_IOC_DONE, &d), EFAULT);

	CHECK_OK(file_write("in/a", "x"));
	CHECK_OK(file_write("in/b", "x"));
	expect_rec(fx.dev, &a, AZS_REC_PATH, "a");
	expect_rec(fx.dev, &b, AZS_REC_PATH, "b");
	items[0].entry = a.entry;
	items[1].entry = 12345678;
	items[2].entry = b.entry;
	items[2].reserved = 1;
	d = (struct azs_done){ .items = (uintptr_t)items, .nr = 3 };
	CHECK_ERRNO(ioctl(fx.dev->fd, AZS_IOC_DONE, &d), EINVAL);
	CHECK_EQ(map_gauge("m", "in_flight"), 2);
	items[2].reserved = 0;
	items[2].flags = AZS_DONE_UPLOADED;
	items[2].bytes = 77;
	CHECK_OK(ioctl(fx.dev->fd, AZS_IOC_DONE, &d));
	CHECK_EQ(d.nr_known, 2);
	CHECK_EQ(map_gauge("m", "in_flight"), 0);
	CHECK_EQ(map_gauge("m", "stats/uploaded_files"), 1);
	CHECK_EQ(map_gauge("m", "stats/uploaded_bytes"), 77);
	free(items);
}

static void other_mappings_are_stale(void)
{
	struct fixture fx = fixture_with("20", "0");
	struct azs_mref wrong[] = {
		{ fx.m.id + 1, fx.m.generation },
		{ fx.m.id, fx.m.generation + 1 },
		{ fx.m.id, fx.m.generation - 1 },
		{ 0, 0 },
	};
	uint64_t entry = 1;
	char buf[16];

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct azs_report r = { .mapping = wrong[i] };

		CHECK_ERRNO(dev_stat(fx.dev, wrong[i], "f", NULL), ESTALE);
		CHECK_ERRNO(dev_open_file(fx.dev, wrong[i], &entry, "f", NULL), ESTALE);
		CHECK_ERRNO(dev_readlink(fx.dev, wrong[i], "f", buf, sizeof(buf)), ESTALE);
		CHECK_ERRNO(dev_scan(fx.dev, wrong[i], "", NULL, NULL), ESTALE);
		CHECK_ERRNO(dev_mark(fx.dev, wrong[i], "f", 0), ESTALE);
		CHECK_ERRNO(ioctl(fx.dev->fd, AZS_IOC_REPORT, &r), ESTALE);
	}
}

/* ---- read(2) and poll(2) ---- */

static void reads_are_checked(void)
{
	struct fixture fx = fixture_with("20", "0");
	char *buf = aligned_alloc(8, AZS_READ_MIN);
	void *nothing = mmap(NULL, AZS_READ_MIN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rec r;

	CHECK(buf && nothing != MAP_FAILED);
	CHECK_ERRNO(read(fx.dev->fd, buf, AZS_READ_MIN - 1), EINVAL);
	CHECK_ERRNO(read(fx.dev->fd, buf, 0), EINVAL);
	CHECK_ERRNO(read(fx.dev->fd, buf, AZS_READ_MIN), EAGAIN);
	CHECK_OK(file_write("in/f", "x"));
	CHECK(is_readable(fx.dev->fd, PATIENCE_MS));
	/* What could not be delivered was not handed out. */
	CHECK_ERRNO(read(fx.dev->fd, nothing, AZS_READ_MIN), EFAULT);
	CHECK_EQ(map_gauge("m", "pending"), 1);
	CHECK_EQ(map_gauge("m", "in_flight"), 0);
	CHECK(is_readable(fx.dev->fd, 0));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK_EQ(r.flags, AZS_ENTRY_CONTENT);
	CHECK(!is_readable(fx.dev->fd, 0));
	CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 1);
	free(buf);
}

static void many_records_a_read(void)
{
	struct fixture fx = fixture_with("0", "0");
	struct rec r;
	ssize_t n;

	for (int i = 0; i < 300; i++)
		CHECK_OK(file_write(fmt("in/f%03d", i), "x"));
	/* Until the last close has been looked at again. */
	sleep_ms(200);
	n = CHECK_OK(read(fx.dev->fd, fx.dev->buf, AZS_READ_MIN));
	fx.dev->pos = 0;
	fx.dev->len = (size_t)n;
	for (int i = 0; i < 300; i++) {
		expect_rec(fx.dev, &r, AZS_REC_PATH, fmt("f%03d", i));
		CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 1);
	}
	CHECK_EQ(fx.dev->pos, n);
}

static void *write_later(void *arg)
{
	sleep_ms(200);
	if (file_write(arg, "x") < 0)
		perror(arg);
	return NULL;
}

static void ignore_signal(int sig)
{
	(void)sig;
}

static void blocking_reads(void)
{
	struct fixture fx = fixture_with("20", "0");
	struct sigaction act = { .sa_handler = ignore_signal };
	uint64_t start = now_ms();
	pthread_t thread;
	ssize_t n;

	CHECK_OK(fcntl(fx.dev->fd, F_SETFL, O_RDWR));
	CHECK_EQ(pthread_create(&thread, NULL, write_later, (void *)"in/f"), 0);
	n = CHECK_OK(read(fx.dev->fd, fx.dev->buf, AZS_READ_MIN));
	CHECK_MSG(now_ms() - start >= 190, "it did not wait");
	CHECK_EQ(n, sizeof(struct azs_rec_entry) + 8);
	pthread_join(thread, NULL);

	CHECK_OK(sigaction(SIGALRM, &act, NULL));
	alarm(1);
	CHECK_ERRNO(read(fx.dev->fd, fx.dev->buf, AZS_READ_MIN), EINTR);
}

/* ---- MAPPING_UP and MAPPING_DOWN ---- */

static void mapping_up_tells_all(void)
{
	static const char *const attrs[][2] = {
		{ "account", "myaccount" }, { "container", "my-container" },
		{ "prefix", "some/where" }, { "endpoint", "http://127.0.0.1:10000/myaccount" },
		{ "credential", "other" }, { "settle_ms", "11" }, { "max_lag_ms", "12" },
		{ "max_pending", "13" }, { "access_tier", "cool" }, { "include", "*.c\n*.h" },
		{ "exclude", "*.o" }, { "filter_file", "/etc/filter" }, { "on_delete", "delete" },
		{ "on_conflict", "overwrite" }, { "on_archived", "replace" },
		{ "symlinks", "store" }, { "delete_limit", "14" }, { "rescan_s", "15" },
		{ "audit_days", "16" }, { "max_mbps", "17" }, { "max_requests_per_s", "18" },
		{ "proxy", "http://proxy:3128" }, { "ca_file", "/etc/ca.pem" },
		{ "allow_remote", "0" }, { "log_paths", "hash" },
	};
	struct fixture fx = fixture_prepare("ext4");
	static const uint8_t no_uuid[16];
	struct statfs fs;
	struct stat st;
	struct rec r;

	map_create_for("m", fx.in);
	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++)
		map_set("m", attrs[i][0], attrs[i][1]);
	map_set("m", "enable", "1");
	fx.dev = dev_open();
	expect_rec(fx.dev, &r, AZS_REC_MAPPING_UP, "m");
	CHECK_STR(rec_attr(&r, "path"), fx.in);
	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
		if (!rec_attr(&r, attrs[i][0]))
			FAIL("MAPPING_UP has no %s", attrs[i][0]);
		CHECK_STR(rec_attr(&r, attrs[i][0]), attrs[i][1]);
	}
	CHECK_EQ(r.up->nr_attrs, ARRAY_SIZE(attrs) + 2);
	CHECK_OK(statfs(fx.in, &fs));
	CHECK_OK(stat(fx.in, &st));
	CHECK_EQ(r.up->fs_magic, fs.f_type);
	CHECK_EQ(r.up->root_ino, st.st_ino);
	CHECK(r.up->root_btime_sec > 0);
	CHECK(memcmp(r.up->fs_uuid, no_uuid, sizeof(no_uuid)) != 0);
	CHECK_MSG(r.up->tick_ns >= 1000000 && r.up->tick_ns <= 20000000, "tick_ns %llu",
		  (unsigned long long)r.up->tick_ns);
	CHECK_EQ(r.mapping.generation, 1);
}

static void every_mapping_comes_up(void)
{
	struct fixture fx = fixture_prepare("tmpfs");
	unsigned int up = 0, subtrees = 0;
	bool seen[5] = { false };
	struct rec r;

	for (int i = 0; i < 5; i++) {
		make_dirs(fmt("in/%d", i));
		map_up(fmt("m%d", i), fmt("%s/%d", fx.in, i));
	}
	fx.dev = dev_open();
	while (up < 5 || subtrees < 5) {
		CHECK(dev_next(fx.dev, &r, PATIENCE_MS));
		if (r.type == AZS_REC_MAPPING_UP) {
			CHECK(r.path[0] == 'm' && r.path[1] >= '0' && r.path[1] < '5');
			CHECK(!seen[r.path[1] - '0']);
			seen[r.path[1] - '0'] = true;
			up++;
		} else {
			CHECK_EQ(r.type, AZS_REC_SUBTREE);
			CHECK_EQ(up, 5);
			subtrees++;
		}
	}
	/* A busy mapping does not keep the others waiting. */
	for (int i = 0; i < 200; i++)
		CHECK_OK(file_write(fmt("in/0/f%d", i), "x"));
	CHECK_OK(file_write("in/4/f", "x"));
	sleep_ms(200);
	for (int i = 0; i < 201; i++) {
		CHECK(dev_next(fx.dev, &r, PATIENCE_MS));
		if (strcmp(r.path, "f") == 0)
			return;
		CHECK_MSG(i < 150, "the other mapping is not served");
	}
}

static void down_drains_until_done(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t start, entry;
	struct azs_mref old;
	struct rec r, down;
	bool quiet;

	CHECK_OK(file_write("in/f", "x"));
	CHECK_OK(file_write("in/g", "x"));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK_EQ(map_gauge("m", "pending") + map_gauge("m", "in_flight"), 2);
	start = now_ms();
	map_set("m", "enable", "0");
	CHECK_STR(map_state("m"), "draining");
	CHECK_ERRNO(map_store("m", "settle_ms", "30"), EBUSY);
	CHECK_ERRNO(map_store("m", "enable", "1"), EBUSY);
	/* What is out may be brought to its end. */
	entry = r.entry;
	CHECK_OK(close((int)CHECK_OK(dev_open_file(fx.dev, fx.m, &entry, "f", NULL))));
	CHECK_OK(dev_stable(fx.dev, entry, &quiet));
	for (;;) {
		CHECK(dev_next(fx.dev, &down, PATIENCE_MS));
		if (down.type == AZS_REC_MAPPING_DOWN)
			break;
		/* Was in the buffer already. */
		CHECK_STR(down.path, "g");
		CHECK_EQ(dev_done(fx.dev, down.entry, AZS_DONE_OK, 0, 0), 1);
	}
	CHECK_EQ(down.mapping.id, fx.m.id);
	CHECK_EQ(down.mapping.generation, fx.m.generation);
	CHECK_STR(map_state("m"), "draining");
	CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 1);
	WAIT_FOR(state_is("m", "disabled"), PATIENCE_MS);
	CHECK_MSG(now_ms() - start < 4000, "the drain took %llu ms",
		  (unsigned long long)(now_ms() - start));
	CHECK_ERRNO(dev_stat(fx.dev, fx.m, "f", NULL), ESTALE);
	CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 0);

	/* Another time, another generation; the whole folder is due again. */
	old = fx.m;
	map_set("m", "enable", "1");
	fx.m = expect_up(fx.dev, "m");
	CHECK_EQ(fx.m.id, old.id);
	CHECK_EQ(fx.m.generation, old.generation + 1);
	CHECK_ERRNO(dev_stat(fx.dev, old, "f", NULL), ESTALE);
	CHECK_OK(dev_stat(fx.dev, fx.m, "f", NULL));
}

/* An uploader that never answers holds up nobody for long. */
static void drain_ends_by_time(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t start;
	struct rec r;

	CHECK_OK(file_write("in/f", "x"));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	start = now_ms();
	map_set("m", "enable", "0");
	CHECK_MSG(now_ms() - start < 1000, "the store itself waited");
	WAIT_FOR(state_is("m", "disabled"), 9000);
	CHECK_MSG(now_ms() - start >= 4900, "the drain took %llu ms only",
		  (unsigned long long)(now_ms() - start));
	CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 0);
	CHECK_EQ(map_gauge("m", "in_flight"), 0);
}

/* ---- MARK and REPORT ---- */

static void marks(void)
{
	struct fixture fx = fixture_with("20", "0");

	CHECK_OK(dev_mark(fx.dev, fx.m, "f", 0));
	CHECK_OK(dev_mark(fx.dev, fx.m, "d/g", AZS_MARK_CONTENT));
	CHECK_OK(dev_mark(fx.dev, fx.m, "s", AZS_MARK_SUBTREE));
	CHECK_STR(collect(fx.dev, "m"), "d/g* f s/");
	CHECK_OK(dev_mark(fx.dev, fx.m, "", AZS_MARK_SUBTREE));
	CHECK_STR(collect(fx.dev, "m"), "/");
	CHECK_ERRNO(dev_mark(fx.dev, fx.m, "/f", 0), EINVAL);
	CHECK_ERRNO(dev_mark(fx.dev, fx.m, "../f", 0), EINVAL);
	CHECK_ERRNO(dev_mark(fx.dev, fx.m, "d//f", 0), EINVAL);
}

static int report_error(struct fixture *fx, const char *text, unsigned int flags)
{
	struct azs_report r = { .mapping = fx->m, .flags = flags, .error = (uintptr_t)text,
				.error_len = (uint32_t)strlen(text) };

	return ioctl(fx->dev->fd, AZS_IOC_REPORT, &r);
}

static void reports(void)
{
	struct fixture fx = fixture_with("20", "0");
	struct azs_report r = {
		.mapping = fx.m, .flags = AZS_REPORT_BLOCKED, .backlog_files = 1,
		.backlog_bytes = 2, .failed = 3, .deletes_held = 4, .last_success_s = 5,
		.requests = 6, .retries = 7, .drifted = 8, .copied_blobs = 9, .deleted_blobs = 10,
		.skipped = 11,
	};
	char *longest = malloc(AZS_ERROR_MAX + 1);

	for (int i = 0; i < 2; i++)
		CHECK_OK(ioctl(fx.dev->fd, AZS_IOC_REPORT, &r));
	CHECK_EQ(map_gauge("m", "backlog_files"), 1);
	CHECK_EQ(map_gauge("m", "backlog_bytes"), 2);
	CHECK_EQ(map_gauge("m", "failed"), 3);
	CHECK_EQ(map_gauge("m", "deletes_held"), 4);
	CHECK_EQ(map_gauge("m", "last_success_s"), 5);
	CHECK_EQ(map_gauge("m", "stats/requests"), 12);
	CHECK_EQ(map_gauge("m", "stats/retries"), 14);
	CHECK_EQ(map_gauge("m", "stats/drifted"), 16);
	CHECK_EQ(map_gauge("m", "stats/copied_blobs"), 18);
	CHECK_EQ(map_gauge("m", "stats/deleted_blobs"), 20);
	CHECK_EQ(map_gauge("m", "stats/skipped"), 22);
	CHECK_STR(map_state("m"), "blocked");
	r.flags = 0;
	CHECK_OK(ioctl(fx.dev->fd, AZS_IOC_REPORT, &r));
	CHECK_STR(map_state("m"), "live");

	CHECK_OK(report_error(&fx, "no such\ncontainer\x1b[m", AZS_REPORT_SET_ERROR));
	CHECK_STR(attr_read(CLASS_DIR "/m/last_error"), "no such?container?[m");
	CHECK_ERRNO(report_error(&fx, "forgotten flag", 0), EINVAL);
	CHECK_OK(report_error(&fx, "", 0));
	CHECK_STR(attr_read(CLASS_DIR "/m/last_error"), "no such?container?[m");
	CHECK_OK(report_error(&fx, "", AZS_REPORT_SET_ERROR));
	CHECK_STR(attr_read(CLASS_DIR "/m/last_error"), "");
	memset(longest, 'e', AZS_ERROR_MAX);
	longest[AZS_ERROR_MAX] = '\0';
	CHECK_ERRNO(report_error(&fx, longest, AZS_REPORT_SET_ERROR), EINVAL);
	longest[AZS_ERROR_MAX - 1] = '\0';
	CHECK_OK(report_error(&fx, longest, AZS_REPORT_SET_ERROR));
	CHECK_STR(attr_read(CLASS_DIR "/m/last_error"), longest);
}

SUITE(TEST(hello_comes_first), TEST(hello_is_checked), TEST(one_uploader_at_a_time),
      TEST(unknown_flags_are_refused), TEST(done_is_all_or_nothing),
      TEST(other_mappings_are_stale), TEST(reads_are_checked), TEST(many_records_a_read),
      TEST(blocking_reads), TEST(mapping_up_tells_all), TEST(every_mapping_comes_up),
      TEST(down_drains_until_done), TEST(drain_ends_by_time), TEST(marks), TEST(reports))
