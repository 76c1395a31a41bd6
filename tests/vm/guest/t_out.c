/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What happens to an entry while it is out, and what its end makes of it. */
#include "azs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int opened(const char *path, int flags)
{
	return (int)CHECK_OK(open(path, flags | O_CLOEXEC, 0644));
}

static void done_ok(struct fixture *fx, uint64_t entry)
{
	CHECK_EQ(dev_done(fx->dev, entry, AZS_DONE_OK, 0, 0), 1);
}

static bool is_quiet(struct fixture *fx, uint64_t entry)
{
	bool quiet;

	CHECK_OK(dev_stable(fx->dev, entry, &quiet));
	return quiet;
}

/* Writes the file and takes its entry. */
static uint64_t take(struct fixture *fx, const char *path)
{
	struct rec r;

	CHECK_OK(file_write(fmt("in/%s", path), "before"));
	expect_rec(fx->dev, &r, AZS_REC_PATH, path);
	return r.entry;
}

/* .. and opens it. The descriptor is of no further use here. */
static uint64_t take_open(struct fixture *fx, const char *path)
{
	uint64_t entry = take(fx, path), same = entry;

	CHECK_OK(close((int)CHECK_OK(dev_open_file(fx->dev, fx->m, &same, path, NULL))));
	CHECK_EQ(same, entry);
	CHECK(is_quiet(fx, entry));
	return entry;
}

static void undisturbed_is_quiet(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t entry = take_open(&fx, "f");

	/* Neither is a change of the content. */
	CHECK(file_read("in/f"));
	CHECK_OK(chmod("in/f", 0600));
	CHECK(is_quiet(&fx, entry));
	done_ok(&fx, entry);
	/* The mode has changed since. */
	CHECK_STR(collect(fx.dev, "m"), "f");
}

static void write_ends_quiet(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t entry = take_open(&fx, "f");

	CHECK_OK(file_write("in/f", "after!"));
	CHECK(!is_quiet(&fx, entry));
	/* Exclusive: it waits for DONE. */
	expect_none(fx.dev, 100);
	done_ok(&fx, entry);
	CHECK_STR(collect(fx.dev, "m"), "f*");
}

static void truncate_ends_quiet(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t entry = take_open(&fx, "f");

	CHECK_OK(truncate("in/f", 3));
	CHECK(!is_quiet(&fx, entry));
	done_ok(&fx, entry);
	CHECK_STR(collect(fx.dev, "m"), "f*");
}

/* A writer that has not written yet may store through a mapping at any time. */
static void writer_ends_quiet(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t entry = take_open(&fx, "f");
	int fd = opened("in/f", O_WRONLY);

	CHECK(!is_quiet(&fx, entry));
	CHECK_OK(close(fd));
	CHECK(!is_quiet(&fx, entry));
	CHECK_EQ(dev_done(fx.dev, entry, AZS_DONE_AGAIN, 0, 0), 1);
	CHECK_STR(collect(fx.dev, "m"), "f*^");
}

/* Changed between hand-out and OPEN: not ready, and pending again. */
static void change_before_open(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t entry = take(&fx, "f");

	CHECK_OK(file_write("in/f", "after!"));
	CHECK_ERRNO(dev_open_file(fx.dev, fx.m, &entry, "f", NULL), EAGAIN);
	CHECK_EQ(map_gauge("m", "in_flight"), 0);
	CHECK_EQ(dev_done(fx.dev, entry, AZS_DONE_OK, 0, 0), 0);
	CHECK_STR(collect(fx.dev, "m"), "f*^");
}

static void writer_before_open(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t entry = take(&fx, "f");
	int fd = opened("in/f", O_WRONLY);

	CHECK_ERRNO(dev_open_file(fx.dev, fx.m, &entry, "f", NULL), EAGAIN);
	expect_none(fx.dev, 100);
	CHECK_OK(close(fd));
	CHECK_STR(collect(fx.dev, "m"), "f*^");
}

/*
 * A SUBTREE above takes the event in. Still the one that has the file must learn that
 * what it read is not what is there.
 */
static void write_below_pending_subtree(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t entry;

	make_dirs("in/d");
	collect(fx.dev, "m");
	entry = take_open(&fx, "d/f");
	CHECK_OK(dev_mark(fx.dev, fx.m, "d", AZS_MARK_SUBTREE));
	CHECK_EQ(map_gauge("m", "pending"), 1);
	CHECK_OK(file_write("in/d/f", "after!"));
	CHECK(!is_quiet(&fx, entry));
	done_ok(&fx, entry);
	CHECK_MSG(strstr(collect(fx.dev, "m"), "*"), "nothing says that the content changed");
}

/* The same when the whole folder is due, which the fast path knows. */
static void write_below_pending_root(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t entry = take_open(&fx, "f");

	CHECK_OK(dev_mark(fx.dev, fx.m, "", AZS_MARK_SUBTREE | AZS_MARK_CONTENT));
	CHECK_OK(file_write("in/f", "after!"));
	CHECK(!is_quiet(&fx, entry));
	done_ok(&fx, entry);
	CHECK_MSG(strstr(collect(fx.dev, "m"), "/*"), "nothing says that the content changed");
}

/* Who comes along another way finds it busy and leaves: the holder must do his work, too. */
static void busy_leaves_its_change(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t entry, lead;
	struct rec r;

	make_dirs("in/d");
	collect(fx.dev, "m");
	entry = take_open(&fx, "d/f");
	CHECK_OK(dev_mark(fx.dev, fx.m, "d", AZS_MARK_SUBTREE | AZS_MARK_CONTENT));
	expect_rec(fx.dev, &r, AZS_REC_SUBTREE, "d");
	CHECK_EQ(r.flags, AZS_ENTRY_CONTENT);
	lead = r.entry;
	CHECK_ERRNO(dev_open_file(fx.dev, fx.m, &lead, "d/f", NULL), EBUSY);
	done_ok(&fx, r.entry);
	CHECK_EQ(map_gauge("m", "in_flight"), 1);
	done_ok(&fx, entry);
	CHECK_STR(collect(fx.dev, "m"), "d/f*");
}

/* A name that was written through another link while it was out. */
static void other_link_of_what_is_out(void)
{
	struct fixture fx = fixture_prepare("tmpfs");
	uint64_t entry, lead;
	struct rec r;

	CHECK_OK(file_write("in/f", "before"));
	CHECK_OK(link("in/f", "out/f"));
	fixture_up(&fx);
	CHECK_OK(dev_mark(fx.dev, fx.m, "f", AZS_MARK_CONTENT));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	entry = r.entry;
	CHECK_OK(close((int)CHECK_OK(dev_open_file(fx.dev, fx.m, &entry, "f", NULL))));
	CHECK_OK(file_write("out/f", "after!"));
	expect_rec(fx.dev, &r, AZS_REC_INODE, "");
	lead = r.entry;
	CHECK_ERRNO(dev_open_file(fx.dev, fx.m, &lead, "f", NULL), EBUSY);
	done_ok(&fx, r.entry);
	done_ok(&fx, entry);
	CHECK_STR(collect(fx.dev, "m"), "f*");
}

/* A new entry below a SUBTREE that is out: the scan may have passed it already. */
static void event_below_subtree_that_is_out(void)
{
	struct fixture fx = fixture_with("20", "0");
	struct rec r;

	make_dirs("in/d");
	CHECK_OK(file_write("in/d/f", "x"));
	expect_rec(fx.dev, &r, AZS_REC_SUBTREE, "d");
	CHECK_OK(file_write("in/d/f", "y"));
	CHECK_OK(file_write("in/d/g", "y"));
	CHECK_EQ(map_gauge("m", "pending"), 2);
	done_ok(&fx, r.entry);
	CHECK_STR(collect(fx.dev, "m"), "d/f* d/g*");
}

/*
 * Pending still, under names that went with their directory: writes under the new names
 * must not be taken for known by these. More than one rename folds.
 */
static void pending_under_an_old_name(void)
{
	struct fixture fx = fixture_with("20", "0");
	const char *got;
	struct rec r;

	make_dirs("in/old");
	collect(fx.dev, "m");
	for (int i = 0; i < 200; i++)
		CHECK_OK(file_write(fmt("in/old/f%d", i), "before"));
	/* Given back for a while, they wait for nothing that a write could bring. */
	for (int i = 0; i < 200; i++) {
		expect_rec(fx.dev, &r, AZS_REC_PATH, fmt("old/f%d", i));
		CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_AGAIN, 3000, 0), 1);
	}
	CHECK_OK(rename("in/old", "in/new"));
	for (int i = 0; i < 2; i++) {
		CHECK(dev_next(fx.dev, &r, PATIENCE_MS));
		CHECK_EQ(r.type, AZS_REC_SUBTREE);
		done_ok(&fx, r.entry);
	}
	CHECK_MSG(map_gauge("m", "pending") > 50, "all were folded");
	for (int i = 0; i < 200; i++)
		CHECK_OK(file_write(fmt("in/new/f%d", i), "after!"));
	got = fmt(" %s ", collect(fx.dev, "m"));
	for (int i = 0; i < 200; i++)
		CHECK_MSG(strstr(got, fmt(" new/f%d* ", i)), "new/f%d was missed", i);
}

static void again_waits(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t given;
	struct rec r, again;

	CHECK_OK(file_write("in/f", "x"));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_AGAIN, 300, 0), 1);
	given = now_ms();
	CHECK_EQ(map_gauge("m", "pending"), 1);
	expect_rec(fx.dev, &again, AZS_REC_PATH, "f");
	CHECK_MSG(now_ms() - given + 10 >= 300, "came back after %llu ms",
		  (unsigned long long)(now_ms() - given));
	CHECK_EQ(again.seq, r.seq);
	CHECK(again.age_ms >= r.age_ms + 290);
	CHECK(again.entry != r.entry);
	CHECK_EQ(again.flags, AZS_ENTRY_CONTENT | AZS_ENTRY_RETRY);
	done_ok(&fx, again.entry);
}

static void unquiet_comes_back(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t entry = take(&fx, "f");

	CHECK_EQ(dev_done(fx.dev, entry, AZS_DONE_OK, 0, AZS_DONE_UPLOADED | AZS_DONE_UNQUIET), 1);
	CHECK_STR(collect(fx.dev, "m"), "f*");
}

static void parked_is_gone(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t entry = take(&fx, "f");

	CHECK_EQ(dev_done(fx.dev, entry, AZS_DONE_PARKED, 0, 0), 1);
	CHECK(is_at_rest("m"));
	CHECK_OK(file_write("in/f", "changed"));
	CHECK_STR(collect(fx.dev, "m"), "f*");
}

static void numbers_are_used_once(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t entry = take(&fx, "f"), other;
	bool quiet;

	done_ok(&fx, entry);
	CHECK_EQ(dev_done(fx.dev, entry, AZS_DONE_OK, 0, 0), 0);
	CHECK_EQ(dev_done(fx.dev, 0, AZS_DONE_OK, 0, 0), 0);
	CHECK_EQ(dev_done(fx.dev, ~0ULL, AZS_DONE_OK, 0, 0), 0);
	CHECK_ERRNO(dev_stable(fx.dev, entry, &quiet), ENOENT);
	CHECK_ERRNO(dev_open_file(fx.dev, fx.m, &entry, "f", NULL), ESTALE);
	other = take(&fx, "f");
	CHECK(other != entry);
	CHECK_EQ(dev_done(fx.dev, entry, AZS_DONE_OK, 0, 0), 0);
	CHECK_EQ(map_gauge("m", "in_flight"), 1);
	done_ok(&fx, other);
}

/* The uploader dies: all comes back, oldest first, with its sequence, age and CONTENT. */
static void close_gives_back(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t seqs[20];
	struct rec r;

	for (int i = 0; i < 20; i++)
		CHECK_OK(file_write(fmt("in/f%02d", i), "x"));
	for (int i = 0; i < 20; i++) {
		expect_rec(fx.dev, &r, AZS_REC_PATH, fmt("f%02d", i));
		CHECK_EQ(r.flags, AZS_ENTRY_CONTENT);
		seqs[i] = r.seq;
	}
	CHECK_OK(file_write("in/f03", "changed while out"));
	CHECK_EQ(map_gauge("m", "in_flight"), 20);
	dev_close(fx.dev);
	CHECK_EQ(map_gauge("m", "in_flight"), 0);
	CHECK_EQ(map_gauge("m", "pending"), 20);
	CHECK_STR(map_state("m"), "waiting");
	sleep_ms(100);
	fx.dev = dev_open();
	expect_rec(fx.dev, &r, AZS_REC_MAPPING_UP, "m");
	for (int i = 0; i < 20; i++) {
		expect_rec(fx.dev, &r, AZS_REC_PATH, fmt("f%02d", i));
		CHECK_EQ(r.seq, seqs[i]);
		CHECK_EQ(r.flags, AZS_ENTRY_CONTENT | AZS_ENTRY_RETRY);
		CHECK(r.age_ms >= 100);
		done_ok(&fx, r.entry);
	}
	CHECK(is_at_rest("m"));
}

SUITE(TEST(undisturbed_is_quiet), TEST(write_ends_quiet), TEST(truncate_ends_quiet),
      TEST(writer_ends_quiet), TEST(change_before_open), TEST(writer_before_open),
      TEST(write_below_pending_subtree), TEST(write_below_pending_root),
      TEST(busy_leaves_its_change), TEST(other_link_of_what_is_out),
      TEST(event_below_subtree_that_is_out), TEST(pending_under_an_old_name),
      TEST(again_waits), TEST(unquiet_comes_back),
      TEST(parked_is_gone), TEST(numbers_are_used_once), TEST(close_gives_back))
