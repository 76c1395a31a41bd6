/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* When an entry is handed out: writers, settle_ms, max_lag_ms, order, flush. */
#include "azs.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Timers of the kernel count in ticks, this clock does not. */
#define TICK_MS 10

static int opened(const char *path, int flags)
{
	return (int)CHECK_OK(open(path, flags | O_CLOEXEC, 0644));
}

static void done_ok(struct fixture *fx, const struct rec *r)
{
	CHECK_EQ(dev_done(fx->dev, r->entry, AZS_DONE_OK, 0, 0), 1);
}

static void waits_for_the_writer(void)
{
	struct fixture fx = fixture_with("20", "0");
	struct rec r;
	int fd = opened("in/f", O_WRONLY | O_CREAT);

	CHECK_EQ(write(fd, "x", 1), 1);
	expect_none(fx.dev, 200);
	CHECK_EQ(map_gauge("m", "pending"), 1);
	CHECK_OK(close(fd));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK_EQ(r.flags, AZS_ENTRY_CONTENT);
	CHECK_EQ(map_gauge("m", "pending"), 0);
	CHECK_EQ(map_gauge("m", "in_flight"), 1);
	done_ok(&fx, &r);
	CHECK_EQ(map_gauge("m", "in_flight"), 0);
}

/* A mapping is a writer as long as it lasts, the descriptor closed or not. */
static void waits_for_a_shared_mapping(void)
{
	struct fixture fx = fixture_with("20", "0");
	int fd = opened("in/f", O_RDWR | O_CREAT);
	struct rec r;
	char *p;

	CHECK_OK(ftruncate(fd, 4096));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_OK(close(fd));
	expect_none(fx.dev, 200);
	p[0] = 1;
	CHECK_OK(munmap(p, 4096));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK_EQ(r.flags, AZS_ENTRY_CONTENT);
	done_ok(&fx, &r);
}

static void waits_until_it_settled(void)
{
	struct fixture fx = fixture_with("300", "0");
	uint64_t last;
	struct rec r;

	CHECK_OK(file_write("in/f", "1"));
	expect_none(fx.dev, 150);
	CHECK_OK(file_append("in/f", "2"));
	last = now_ms();
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK_MSG(now_ms() - last + TICK_MS >= 300, "handed out after %llu ms of quiet",
		  (unsigned long long)(now_ms() - last));
	CHECK_MSG(r.age_ms + TICK_MS >= 450, "age %llu ms", (unsigned long long)r.age_ms);
	done_ok(&fx, &r);
}

/* Written all the time, but never open for long: after max_lag_ms it goes as it is. */
static void lag_overrules_settle(void)
{
	struct fixture fx = fixture_with("200", "500");
	uint64_t first = now_ms();
	struct rec r;

	do {
		CHECK_OK(file_write("in/f", "x"));
		CHECK_MSG(now_ms() - first < PATIENCE_MS, "not handed out");
	} while (!dev_next(fx.dev, &r, 20));
	CHECK_STR(r.path, "f");
	CHECK_MSG(r.age_ms + TICK_MS >= 500, "age %llu ms", (unsigned long long)r.age_ms);
	CHECK_EQ(r.flags, AZS_ENTRY_CONTENT | AZS_ENTRY_LAGGED);
	done_ok(&fx, &r);
}

static void lag_overrules_the_writer(void)
{
	struct fixture fx = fixture_with("20", "300");
	int fd = opened("in/f", O_WRONLY | O_CREAT);
	struct azs_open file;
	uint64_t entry;
	struct rec r;
	bool quiet;

	CHECK_EQ(write(fd, "x", 1), 1);
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK_EQ(r.flags, AZS_ENTRY_CONTENT | AZS_ENTRY_LAGGED);
	CHECK_MSG(r.age_ms + TICK_MS >= 300, "age %llu ms", (unsigned long long)r.age_ms);
	entry = r.entry;
	CHECK_OK(close((int)CHECK_OK(dev_open_file(fx.dev, fx.m, &entry, "f", &file))));
	CHECK_EQ(entry, r.entry);
	CHECK_EQ(file.out_flags, AZS_OPEN_WRITER);
	CHECK_EQ(file.st.flags & AZS_STAT_WRITER, AZS_STAT_WRITER);
	CHECK_OK(dev_stable(fx.dev, r.entry, &quiet));
	CHECK(!quiet);
	CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 1);
	CHECK_EQ(map_gauge("m", "open_writers"), 1);
	CHECK_EQ(map_gauge("m", "pending"), 0);
	CHECK_EQ(map_gauge("m", "in_flight"), 0);

	/* Nothing more was written, but stores through a mapping would not show. */
	CHECK_OK(close(fd));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK_EQ(r.flags, AZS_ENTRY_CONTENT);
	CHECK_EQ(map_gauge("m", "open_writers"), 0);
	done_ok(&fx, &r);
}

static void open_writer_comes_back_on_write(void)
{
	struct fixture fx = fixture_with("20", "300");
	int fd = opened("in/f", O_WRONLY | O_CREAT);
	struct rec r;

	CHECK_EQ(write(fd, "x", 1), 1);
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	done_ok(&fx, &r);
	CHECK_EQ(map_gauge("m", "open_writers"), 1);
	CHECK_EQ(write(fd, "y", 1), 1);
	CHECK_EQ(map_gauge("m", "open_writers"), 0);
	CHECK_EQ(map_gauge("m", "pending"), 1);
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK_EQ(r.flags, AZS_ENTRY_CONTENT | AZS_ENTRY_LAGGED);
	CHECK_OK(close(fd));
	done_ok(&fx, &r);
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK_EQ(r.flags, AZS_ENTRY_CONTENT);
	done_ok(&fx, &r);
}

/* Stores through a mapping raise no event: the file is looked at again by the clock. */
static void open_writer_comes_back_by_time(void)
{
	struct fixture fx = fixture_with("20", "300");
	int fd = opened("in/f", O_RDWR | O_CREAT);
	struct rec r;

	CHECK_OK(ftruncate(fd, 4096));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	done_ok(&fx, &r);
	CHECK_EQ(map_gauge("m", "open_writers"), 1);
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK_EQ(r.flags, AZS_ENTRY_CONTENT | AZS_ENTRY_LAGGED);
	done_ok(&fx, &r);
	CHECK_OK(close(fd));
}

static void flush_takes_open_writers(void)
{
	struct fixture fx = fixture_with("20", "300");
	int fd = opened("in/f", O_WRONLY | O_CREAT);
	unsigned long long number;
	struct rec r;

	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	done_ok(&fx, &r);
	CHECK_EQ(map_gauge("m", "open_writers"), 1);
	CHECK_OK(file_store(CLASS_DIR "/m/flush", "1"));
	number = map_gauge("m", "flush");
	CHECK_EQ(map_gauge("m", "open_writers"), 0);
	CHECK_EQ(map_gauge("m", "pending"), 1);
	CHECK(map_gauge("m", "flushed") < number);
	CHECK_OK(close(fd));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK_EQ(r.flags & AZS_ENTRY_CONTENT, AZS_ENTRY_CONTENT);
	CHECK(map_gauge("m", "flushed") < number);
	done_ok(&fx, &r);
	CHECK(map_gauge("m", "flushed") >= number);
}

/* ---- two last closes at one time ---- */

#define CLOSERS_FILES	20
#define CLOSERS_ROUNDS	100

static struct {
	int fds[2][CLOSERS_FILES];
	atomic_int ready[CLOSERS_FILES];
} closers;

static void *close_in_step(void *arg)
{
	int *fds = arg;

	for (int i = 0; i < CLOSERS_FILES; i++) {
		/* Within each other's reach, whatever the number of processors. */
		atomic_fetch_add(&closers.ready[i], 1);
		for (int spins = 0; atomic_load(&closers.ready[i]) < 2 && spins < 2000; spins++)
			;
		close(fds[i]);
	}
	return NULL;
}

/* Both see a writer in CLOSE_WRITE, the other one or themselves: nothing else will come. */
static void two_last_closes(void)
{
	struct fixture fx = fixture_with("0", "0");
	pthread_t thread;

	for (int round = 0; round < CLOSERS_ROUNDS; round++) {
		for (int i = 0; i < CLOSERS_FILES; i++) {
			for (int side = 0; side < 2; side++) {
				closers.fds[side][i] = opened(fmt("in/f%d", i), O_WRONLY | O_CREAT);
				CHECK_EQ(write(closers.fds[side][i], "x", 1), 1);
			}
			atomic_store(&closers.ready[i], 0);
		}
		CHECK_EQ(pthread_create(&thread, NULL, close_in_step, closers.fds[1]), 0);
		close_in_step(closers.fds[0]);
		pthread_join(thread, NULL);
		for (int i = 0; i < CLOSERS_FILES; i++) {
			struct rec r;

			CHECK_MSG(dev_next(fx.dev, &r, PATIENCE_MS),
				  "round %d: only %d of %d files became ready", round, i,
				  CLOSERS_FILES);
			CHECK_EQ(r.flags, AZS_ENTRY_CONTENT);
			done_ok(&fx, &r);
		}
		CHECK(is_at_rest("m"));
	}
}

/* ---- order ---- */

static void oldest_first(void)
{
	static const char *const names[] = { "q", "c", "z", "a", "m", "b", "y" };
	struct fixture fx = fixture_with("50", "0");
	uint64_t seq = 0;
	struct rec r;
	int busy;

	busy = opened("in/busy", O_WRONLY | O_CREAT);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		CHECK_OK(file_write(fmt("in/%s", names[i]), "x"));
	/* A later change does not send the first to the end of the queue. */
	CHECK_OK(file_append("in/q", "y"));
	sleep_ms(200);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		expect_rec(fx.dev, &r, AZS_REC_PATH, names[i]);
		CHECK(r.seq > seq);
		seq = r.seq;
		done_ok(&fx, &r);
	}
	/* The oldest of all waits for its writer and holds up nobody. */
	CHECK_EQ(map_gauge("m", "pending"), 1);
	CHECK(map_gauge("m", "oldest_pending_ms") + TICK_MS >= 200);
	CHECK_OK(close(busy));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "busy");
	CHECK(r.seq < seq);
	done_ok(&fx, &r);
	CHECK_EQ(map_gauge("m", "oldest_pending_ms"), 0);
}

/* ---- flush ---- */

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLPRI };

	return poll(&pfd, 1, timeout_ms) == 1;
}

/* A file of sysfs reports to poll(2) only what came after it was read. */
static unsigned long long reread(int fd)
{
	char text[32] = "";

	CHECK(pread(fd, text, sizeof(text) - 1, 0) > 0);
	return strtoull(text, NULL, 10);
}

static void flush_waives_settle(void)
{
	struct fixture fx = fixture_with("600000", "0");
	int flushed = opened(CLASS_DIR "/m/flushed", O_RDONLY);
	unsigned long long number;
	struct rec r;

	CHECK_OK(file_write("in/f", "x"));
	expect_none(fx.dev, 200);
	CHECK_OK(file_store(CLASS_DIR "/m/flush", "1"));
	number = map_gauge("m", "flush");
	CHECK(reread(flushed) < number);
	CHECK(!is_readable(flushed, 0));
	/* What is dirty from here on is not part of it. */
	CHECK_OK(file_write("in/later", "x"));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK(r.seq <= number);
	expect_none(fx.dev, 100);
	CHECK(reread(flushed) < number);
	done_ok(&fx, &r);
	CHECK(is_readable(flushed, PATIENCE_MS));
	CHECK(reread(flushed) >= number);
	CHECK_EQ(map_gauge("m", "pending"), 1);
	CHECK_OK(close(flushed));
}

static void flush_waits_for_writers(void)
{
	struct fixture fx = fixture_with("600000", "0");
	int fd = opened("in/f", O_WRONLY | O_CREAT);
	struct rec r;

	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(file_store(CLASS_DIR "/m/flush", "1"));
	expect_none(fx.dev, 200);
	CHECK_OK(close(fd));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	done_ok(&fx, &r);
	CHECK(map_gauge("m", "flushed") >= map_gauge("m", "flush"));
}

static void flush_of_nothing(void)
{
	struct fixture fx = fixture_with("600000", "0");
	unsigned long long number = map_gauge("m", "flush");

	CHECK_OK(file_store(CLASS_DIR "/m/flush", "1"));
	CHECK(map_gauge("m", "flush") >= number);
	CHECK(map_gauge("m", "flushed") >= map_gauge("m", "flush"));
	CHECK_ERRNO(file_store(CLASS_DIR "/m/flush", "2"), EINVAL);
	map_set("m", "enable", "0");
	CHECK_ERRNO(file_store(CLASS_DIR "/m/flush", "1"), ENODEV);
	dev_close(fx.dev);
}

/* Given back, found busy or led to by a SUBTREE: `flushed` must not run ahead of it. */
static void flushed_waits_for_what_was_given_back(void)
{
	struct fixture fx = fixture_with("20", "0");
	unsigned long long number;
	struct rec r, again;
	uint64_t entry;
	int fd;

	make_dirs("in/d");
	CHECK_OK(file_write("in/d/f", "x"));
	CHECK_OK(file_write("in/d/busy", "x"));
	CHECK_OK(file_store(CLASS_DIR "/m/flush", "1"));
	number = map_gauge("m", "flush");
	expect_rec(fx.dev, &r, AZS_REC_SUBTREE, "d");
	CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_AGAIN, 0, 0), 1);
	expect_rec(fx.dev, &again, AZS_REC_SUBTREE, "d");
	CHECK_EQ(again.seq, r.seq);
	CHECK_EQ(again.flags & AZS_ENTRY_RETRY, AZS_ENTRY_RETRY);
	CHECK(again.entry != r.entry);
	CHECK(map_gauge("m", "flushed") < number);

	fd = opened("in/d/busy", O_WRONLY);
	entry = again.entry;
	CHECK_ERRNO(dev_open_file(fx.dev, fx.m, &entry, "d/busy", NULL), EAGAIN);
	entry = again.entry;
	CHECK_OK(close((int)CHECK_OK(dev_open_file(fx.dev, fx.m, &entry, "d/f", NULL))));
	CHECK(entry != again.entry);
	CHECK_EQ(map_gauge("m", "in_flight"), 2);
	done_ok(&fx, &again);
	CHECK(map_gauge("m", "flushed") < number);
	CHECK_EQ(dev_done(fx.dev, entry, AZS_DONE_OK, 0, 0), 1);
	CHECK(map_gauge("m", "flushed") < number);
	CHECK_OK(close(fd));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "d/busy");
	CHECK_EQ(r.seq, again.seq);
	done_ok(&fx, &r);
	CHECK(map_gauge("m", "flushed") >= number);
	CHECK_EQ(map_gauge("m", "pending"), 0);
}

SUITE(TEST(waits_for_the_writer), TEST(waits_for_a_shared_mapping), TEST(waits_until_it_settled),
      TEST(lag_overrules_settle), TEST(lag_overrules_the_writer),
      TEST(open_writer_comes_back_on_write), TEST(open_writer_comes_back_by_time),
      TEST(flush_takes_open_writers), TEST_SLOW(two_last_closes, 180), TEST(oldest_first),
      TEST(flush_waives_settle), TEST(flush_waits_for_writers), TEST(flush_of_nothing),
      TEST(flushed_waits_for_what_was_given_back))
