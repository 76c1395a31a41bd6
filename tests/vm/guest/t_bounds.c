/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Folding when the set is full, several mappings at one place, mounts, paths too long. */
#include "azs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static void unmount_it(void *dir)
{
	CHECK_OK(umount(dir));
}

static struct fixture bounded(const char *max_pending)
{
	struct fixture fx = fixture_prepare("tmpfs");

	map_create_for("m", fx.in);
	map_set("m", "max_pending", max_pending);
	return fx;
}

/* Is the path covered by a word of what collect() gave, and with CONTENT? */
static bool is_covered(const char *collected, const char *path)
{
	char *text = strdup(collected), *save = NULL;

	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		size_t len = strlen(word);

		if (word[len - 1] != '*')
			continue;
		word[--len] = '\0';
		if (strcmp(word, path) == 0)
			return true;
		if (strcmp(word, "/") == 0 ||
		    (word[len - 1] == '/' && strncmp(word, path, len) == 0))
			return true;
	}
	return false;
}

static void folds_where_it_is_full(void)
{
	struct fixture fx = bounded("20");
	unsigned long long folded;
	const char *got;

	make_dirs("in/a/b");
	make_dirs("in/c");
	make_dirs("in/quiet/still");
	CHECK_OK(file_write("in/quiet/f", "x"));
	fixture_enable(&fx);
	CHECK_OK(file_write("in/quiet/f", "y"));
	folded = map_gauge("m", "stats/folded");
	for (int i = 0; i < 100; i++) {
		CHECK_OK(file_write(fmt("in/a/b/f%02d", i), "x"));
		CHECK_OK(file_write(fmt("in/c/f%02d", i), "x"));
		CHECK_MSG(map_gauge("m", "pending") <= 21, "%llu pending with max_pending=20",
			  map_gauge("m", "pending"));
	}
	CHECK(map_gauge("m", "stats/folded") > folded);
	got = collect(fx.dev, "m");
	for (int i = 0; i < 100; i++) {
		CHECK_MSG(is_covered(got, fmt("a/b/f%02d", i)), "a/b/f%02d is not in: %s", i, got);
		CHECK_MSG(is_covered(got, fmt("c/f%02d", i)), "c/f%02d is not in: %s", i, got);
	}
	/* What had nothing to do with it is not dragged in, nor is the whole folder. */
	CHECK_MSG(got[0] != '/', "the root was folded into: %s", got);
	CHECK_MSG(is_covered(got, "quiet/f"), "quiet/f is not in: %s", got);
	CHECK_MSG(!is_covered(got, "quiet/still/x"), "quiet was folded into: %s", got);
}

/* One entry is all there is: the root's, which is always there. */
static void folds_into_the_root(void)
{
	struct fixture fx = bounded("1");
	const char *got;

	make_dirs("in/a/b");
	make_dirs("in/c");
	fixture_enable(&fx);
	CHECK_OK(file_write("in/a/b/f", "x"));
	CHECK_OK(file_write("in/c/f", "x"));
	CHECK_OK(file_write("in/f", "x"));
	CHECK(map_gauge("m", "pending") <= 2);
	got = collect(fx.dev, "m");
	CHECK_MSG(is_covered(got, "a/b/f") && is_covered(got, "c/f") && is_covered(got, "f"),
		  "%s", got);
}

/* An attribute's change folded is no change of the content. */
static void folding_invents_no_content(void)
{
	struct fixture fx = bounded("2");
	const char *got;

	make_dirs("in/d");
	for (int i = 0; i < 20; i++)
		CHECK_OK(file_write(fmt("in/d/f%d", i), "x"));
	fixture_enable(&fx);
	for (int i = 0; i < 20; i++)
		CHECK_OK(chmod(fmt("in/d/f%d", i), 0600));
	got = collect(fx.dev, "m");
	CHECK_STR(got, "d/");
}

/* Age and sequence of the oldest stay: a flush that was taken waits for them. */
static void folding_keeps_the_oldest(void)
{
	struct fixture fx = bounded("3");
	unsigned long long number;
	struct rec r;

	make_dirs("in/d");
	fixture_enable(&fx);
	CHECK_OK(file_write("in/d/first", "x"));
	CHECK_OK(file_store(CLASS_DIR "/m/flush", "1"));
	number = map_gauge("m", "flush");
	sleep_ms(300);
	for (int i = 0; i < 20; i++)
		CHECK_OK(file_write(fmt("in/d/f%d", i), "x"));
	CHECK(map_gauge("m", "flushed") < number);
	CHECK(dev_next(fx.dev, &r, PATIENCE_MS));
	CHECK_EQ(r.type, AZS_REC_SUBTREE);
	CHECK_STR(r.path, "d");
	CHECK(r.seq <= number);
	CHECK(r.age_ms >= 290);
	CHECK(map_gauge("m", "flushed") < number);
	CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 1);
	CHECK(map_gauge("m", "flushed") >= number);
}

static void counters_are_exact(void)
{
	struct fixture fx = fixture_with("20", "0");
	unsigned long long events = map_gauge("m", "stats/events");
	unsigned long long coalesced = map_gauge("m", "stats/coalesced");
	int fd;

	CHECK_OK(mknod("in/f", S_IFREG | 0644, 0));
	CHECK_EQ(map_gauge("m", "stats/events"), events + 1);
	CHECK_EQ(map_gauge("m", "stats/coalesced"), coalesced);
	fd = (int)CHECK_OK(open("in/f", O_WRONLY | O_CLOEXEC));
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(pwrite(fd, "x", 1, i % 7), 1);
	CHECK_EQ(map_gauge("m", "stats/events"), events + 1001);
	CHECK_EQ(map_gauge("m", "stats/coalesced"), coalesced + 1000);
	CHECK_OK(close(fd));
	CHECK_EQ(map_gauge("m", "stats/events"), events + 1002);
	CHECK_EQ(map_gauge("m", "pending"), 1);
	CHECK_OK(file_write("out/f", "not counted"));
	CHECK_EQ(map_gauge("m", "stats/events"), events + 1002);
	CHECK_STR(collect(fx.dev, "m"), "f*");
	CHECK_EQ(map_gauge("m", "stats/folded"), 0);
	CHECK_EQ(map_gauge("m", "stats/rescans"), 1);
}

/* ---- several mappings ---- */

/* All that there is, of all mappings: "name:path*". */
static const char *collect_all(struct dev *d, const struct azs_mref *refs,
			       const char *const *names, size_t nr)
{
	const char *words[64], *text = "";
	size_t n = 0;
	struct rec r;

	while (dev_next(d, &r, 300)) {
		CHECK(n < ARRAY_SIZE(words));
		for (size_t i = 0; i < nr; i++) {
			if (refs[i].id == r.mapping.id)
				words[n++] = fmt("%s:%s%s%s", names[i], r.path,
						 r.type == AZS_REC_SUBTREE ? "/" : "",
						 r.flags & AZS_ENTRY_CONTENT ? "*" : "");
		}
		CHECK_EQ(dev_done(d, r.entry, AZS_DONE_OK, 0, 0), 1);
	}
	for (size_t i = 0; i < nr; i++)
		CHECK_MSG(is_at_rest(names[i]), "%s is not at rest", names[i]);
	while (n > 0) {
		size_t least = 0;

		for (size_t i = 1; i < n; i++) {
			if (strcmp(words[i], words[least]) < 0)
				least = i;
		}
		text = fmt("%s%s%s", text, *text ? " " : "", words[least]);
		words[least] = words[--n];
	}
	return text;
}

static void each_mapping_for_itself(const char *fs)
{
	static const char *const names[] = { "inner", "outer", "same", "side" };
	struct fixture fx = fixture_prepare(fs);
	struct azs_mref refs[4];
	struct rec r;

	make_dirs("in/a/b");
	make_dirs("in/c");
	map_up("inner", fmt("%s/a", fx.in));
	map_up("outer", fx.in);
	map_up("same", fmt("%s/a", fx.in));
	map_up("side", fmt("%s/c", fx.in));
	fx.dev = dev_open();
	for (int i = 0; i < 4; i++) {
		CHECK(dev_next(fx.dev, &r, PATIENCE_MS) && r.type == AZS_REC_MAPPING_UP);
		for (int j = 0; j < 4; j++) {
			if (strcmp(r.path, names[j]) == 0)
				refs[j] = r.mapping;
		}
	}
	CHECK_STR(collect_all(fx.dev, refs, names, 4), "inner:/ outer:/ same:/ side:/");

	CHECK_OK(file_write("in/a/b/f", "x"));
	CHECK_STR(collect_all(fx.dev, refs, names, 4), "inner:b/f* outer:a/b/f* same:b/f*");
	CHECK_OK(file_write("in/f", "x"));
	CHECK_STR(collect_all(fx.dev, refs, names, 4), "outer:f*");
	/* From one into the other: each has its half, both in the outer one. */
	CHECK_OK(rename("in/a/b/f", "in/c/g"));
	CHECK_STR(collect_all(fx.dev, refs, names, 4),
		  "inner:b/f outer:a/b/f outer:c/g same:b/f side:g");
	/* What one has let go of is still the other's. */
	map_set("side", "enable", "0");
	expect_rec(fx.dev, &r, AZS_REC_MAPPING_DOWN, "");
	WAIT_FOR(state_is("side", "disabled"), PATIENCE_MS);
	CHECK_OK(file_write("in/c/g", "again"));
	CHECK_STR(collect_all(fx.dev, refs, names, 3), "outer:c/g*");
}
ON_EACH_FS(each_mapping_for_itself)

/* An entry that only one of two mappings still has pending must not hide an event. */
static void one_done_the_other_not(void)
{
	static const char *const names[] = { "m1", "m2" };
	struct fixture fx = fixture_prepare("tmpfs");
	struct azs_mref refs[2];
	struct rec r;
	int fd;

	map_up("m1", fx.in);
	map_up("m2", fx.in);
	fx.dev = dev_open();
	for (int i = 0; i < 2; i++) {
		CHECK(dev_next(fx.dev, &r, PATIENCE_MS) && r.type == AZS_REC_MAPPING_UP);
		refs[r.path[1] - '1'] = r.mapping;
	}
	collect_all(fx.dev, refs, names, 2);
	CHECK_OK(file_write("in/f", "x"));
	CHECK(dev_next(fx.dev, &r, PATIENCE_MS));
	if (r.mapping.id == refs[0].id)
		CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 1);
	/* The other one is out, or pending; this write concerns both. */
	fd = (int)CHECK_OK(open("in/f", O_WRONLY | O_CLOEXEC));
	CHECK_EQ(write(fd, "y", 1), 1);
	CHECK_OK(close(fd));
	CHECK(map_gauge("m1", "pending") + map_gauge("m1", "in_flight") == 1);
	CHECK(map_gauge("m2", "pending") + map_gauge("m2", "in_flight") == 1);
	if (r.mapping.id != refs[0].id)
		CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 1);
	collect_all(fx.dev, refs, names, 2);
}

/* ---- where folders are ---- */

static void root_is_a_mount_point(const char *fs)
{
	struct fixture fx = fixture_prepare("tmpfs");
	const char *dir = fmt("/mnt/%s-root", fs);

	mount_disk(fs, dir);
	remove_tree(fmt("%s/case", dir));
	make_dirs(fmt("%s/case", dir));
	map_create_for("m", dir);
	fixture_enable(&fx);
	CHECK_OK(file_write(fmt("%s/case/f", dir), "x"));
	CHECK_STR(collect(fx.dev, "m"), "case/f*");
	CHECK_OK(rename(fmt("%s/case", dir), fmt("%s/other", dir)));
	CHECK_STR(collect(fx.dev, "m"), "case/ other/");
	CHECK_ERRNO(umount(dir), EBUSY);
	remove_tree(fmt("%s/other", dir));
	collect(fx.dev, "m");
}
ON_EACH_FS(root_is_a_mount_point)

/* Mapped through a bind mount, changed at its source, and the other way round. */
static void mapped_through_a_bind_mount(void)
{
	struct fixture fx = fixture_prepare("tmpfs");

	make_dirs("in/src/d");
	make_dirs("in/bound");
	CHECK_OK(mount("in/src", "in/bound", NULL, MS_BIND, NULL));
	defer(unmount_it, (void *)fmt("%s/bound", fx.in));
	map_create_for("m", fmt("%s/bound", fx.in));
	fixture_enable(&fx);
	CHECK_OK(file_write("in/src/d/f", "x"));
	CHECK_STR(collect(fx.dev, "m"), "d/f*");
	CHECK_OK(file_write("in/bound/d/f", "y"));
	CHECK_STR(collect(fx.dev, "m"), "d/f*");
	CHECK_OK(dev_stat(fx.dev, fx.m, "d/f", NULL));
}

/* What is mounted below belongs to no mapping. */
static void mounts_below_are_not_ours(void)
{
	struct fixture fx = fixture_prepare("ext4");

	make_dirs("in/mnt");
	CHECK_OK(mount("tmpfs", "in/mnt", "tmpfs", 0, NULL));
	defer(unmount_it, (void *)fmt("%s/mnt", fx.in));
	fixture_up(&fx);
	CHECK_OK(file_write("in/mnt/f", "x"));
	CHECK_STR(collect(fx.dev, "m"), "");
}

/* Deeper than any path can be said: the nearest directory that can is due as a whole. */
static void deeper_than_a_path(void)
{
	struct fixture fx = fixture_prepare("ext4");
	char name[201];
	struct rec r;

	memset(name, 'd', 200);
	name[200] = '\0';
	CHECK_OK(chdir("in"));
	for (int i = 0; i < 25; i++) {
		CHECK_OK(mkdir(name, 0755));
		CHECK_OK(chdir(name));
	}
	fixture_up(&fx);
	CHECK_OK(file_write("f", "x"));
	CHECK(dev_next(fx.dev, &r, PATIENCE_MS));
	CHECK_EQ(r.type, AZS_REC_SUBTREE);
	CHECK_EQ(r.flags, AZS_ENTRY_CONTENT);
	/* 20 of 201 bytes each fit into 4095, less the last slash. */
	CHECK_EQ(strlen(r.path), 20 * 201 - 1);
	CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 1);
	CHECK(is_at_rest("m"));
}

/* What counts is the path below the folder, not how deep the folder itself lies. */
static void a_folder_deeper_than_a_path(void)
{
	struct fixture fx = fixture_prepare("tmpfs");
	char name[201], half[15 * 201];
	const char *deep = fmt("%s/half/half", fx.out);

	memset(name, 'd', 200);
	name[200] = '\0';
	memset(half, 'd', sizeof(half));
	for (int i = 1; i < 15; i++)
		half[i * 201 - 1] = '/';
	half[sizeof(half) - 1] = '\0';
	CHECK_OK(chdir("out"));
	for (int level = 0; level < 2; level++) {
		CHECK_OK(symlink(half, "half"));
		for (int i = 0; i < 15; i++) {
			CHECK_OK(mkdir(name, 0755));
			CHECK_OK(chdir(name));
		}
	}
	CHECK_OK(mkdir("sub", 0755));
	map_create_for("m", deep);
	fixture_enable(&fx);
	CHECK_OK(file_write("sub/f", "x"));
	CHECK_STR(collect(fx.dev, "m"), "sub/f*");
}

/*
 * More mappings on one place than an event names: the first that was enabled is told of
 * the whole folder, and of every event, whatever the others know already.
 */
static void more_mappings_than_fit(void)
{
	enum { MAPPINGS = 17 };
	struct fixture fx = fixture_prepare("tmpfs");
	uint64_t roots[MAPPINGS];
	struct rec r;
	int fd;

	for (int i = 0; i < MAPPINGS; i++)
		map_up(fmt("%c", 'a' + i), fx.in);
	fx.dev = dev_open();
	for (int i = 0; i < MAPPINGS; i++)
		CHECK(dev_next(fx.dev, &r, PATIENCE_MS) && r.type == AZS_REC_MAPPING_UP);
	for (int i = 0; i < MAPPINGS; i++) {
		expect_rec(fx.dev, &r, AZS_REC_SUBTREE, "");
		roots[i] = r.entry;
	}
	fd = (int)CHECK_OK(open("in/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	CHECK_EQ(write(fd, "x", 1), 1);
	for (int i = 0; i < MAPPINGS; i++)
		CHECK_EQ(dev_done(fx.dev, roots[i], AZS_DONE_OK, 0, 0), 1);
	/* The file waits for its writer, the folders do not. */
	for (int i = 0; i < MAPPINGS; i++) {
		expect_rec(fx.dev, &r, AZS_REC_SUBTREE, "");
		CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 1);
	}
	CHECK_EQ(map_gauge("a", "pending"), 0);
	CHECK_EQ(write(fd, "y", 1), 1);
	CHECK_EQ(map_gauge("a", "pending"), 1);
	CHECK_OK(close(fd));
}

SUITE(TEST(folds_where_it_is_full), TEST(folds_into_the_root), TEST(folding_invents_no_content),
      TEST(folding_keeps_the_oldest), TEST(counters_are_exact),
      FS_TESTS(each_mapping_for_itself), TEST(one_done_the_other_not),
      FS_TESTS(root_is_a_mount_point), TEST(mapped_through_a_bind_mount),
      TEST(mounts_below_are_not_ours), TEST(deeper_than_a_path),
      TEST(a_folder_deeper_than_a_path), TEST(more_mappings_than_fit))
