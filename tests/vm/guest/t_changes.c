/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Every way to change a file, and what becomes dirty by it: no less, and no more. All
 * cases are set up before the mapping is enabled, so what they change existed
 * before; each has a directory of its own, which "@" stands for in its expectation.
 */
#include "azs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int opened(const char *path, int flags)
{
	return (int)CHECK_OK(open(path, flags | O_CLOEXEC, 0644));
}

static void closed(int fd)
{
	CHECK_OK(close(fd));
}

static void put(int fd, const char *text)
{
	CHECK_EQ(write(fd, text, strlen(text)), (long long)strlen(text));
}

/* ---- before the mapping; the current directory is the case's own ---- */

static void has_file(void)
{
	CHECK_OK(file_write("f", "before"));
}

static void has_two(void)
{
	CHECK_OK(file_write("a", "before a"));
	CHECK_OK(file_write("b", "before b"));
}

static void has_tree(void)
{
	make_dirs("d/e");
	CHECK_OK(file_write("d/f", "f"));
	CHECK_OK(file_write("d/e/g", "g"));
	make_dirs("n");
}

static void has_links(void)
{
	has_file();
	CHECK_OK(link("f", "g"));
}

/* The case's name is unique, so is that of what it keeps outside. */
static const char *outside(void)
{
	char *dir = getcwd(NULL, 0);

	return fmt("../../out/%s", strrchr(dir, '/') + 1);
}

static void has_outside_file(void)
{
	CHECK_OK(file_write(outside(), "from outside"));
}

static void has_outside_tree(void)
{
	make_dirs(outside());
	CHECK_OK(file_write(fmt("%s/f", outside()), "from outside"));
}

static void has_outside_link(void)
{
	has_file();
	CHECK_OK(link("f", outside()));
}

static int kept_fd;

static void has_writer(void)
{
	kept_fd = opened("f", O_WRONLY | O_CREAT);
	put(kept_fd, "before");
}

/* ---- the changes ---- */

static void makes_node(void) { CHECK_OK(mknod("f", S_IFREG | 0644, 0)); }
static void creates(void) { closed(opened("f", O_WRONLY | O_CREAT | O_EXCL)); }
static void creates_and_writes(void) { CHECK_OK(file_write("f", "new")); }
static void overwrites(void) { CHECK_OK(file_write("f", "after")); }
static void appends(void) { CHECK_OK(file_append("f", "more")); }
static void reads(void) { closed(opened("f", O_RDONLY)); CHECK(file_read("f")); }
static void truncates(void) { CHECK_OK(truncate("f", 2)); }
static void extends(void) { CHECK_OK(truncate("f", 100000)); }
static void renames_file(void) { CHECK_OK(rename("a", "c")); }
static void renames_over(void) { CHECK_OK(rename("a", "b")); }
static void renames_tree(void) { CHECK_OK(rename("d", "moved")); }
static void renames_into(void) { CHECK_OK(rename("d/e", "n/e")); }
static void makes_dir(void) { CHECK_OK(mkdir("d", 0755)); }
static void unlinks(void) { CHECK_OK(unlink("f")); }
static void removes_dir(void) { CHECK_OK(rmdir("n")); }
static void links(void) { CHECK_OK(link("f", "g")); }
static void symlinks(void) { CHECK_OK(symlink("nowhere", "l")); }
static void changes_mode(void) { CHECK_OK(chmod("f", 0600)); }
static void changes_owner(void) { CHECK_OK(chown("f", 12, 34)); }
static void changes_dir_mode(void) { CHECK_OK(chmod("d", 0700)); }
static void moves_in(void) { CHECK_OK(rename(outside(), "f")); }
static void moves_tree_in(void) { CHECK_OK(rename(outside(), "d")); }
static void moves_out(void) { CHECK_OK(rename("f", outside())); }
static void moves_tree_out(void) { CHECK_OK(rename("d", outside())); }
static void writes_outside_link(void) { CHECK_OK(file_append(outside(), "!")); }

static void writes_at(void)
{
	int fd = opened("f", O_WRONLY);

	CHECK_EQ(pwrite(fd, "x", 1, 3), 1);
	closed(fd);
}

static void stores_through_mapping(void)
{
	int fd = opened("f", O_RDWR);
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	closed(fd);
	p[0] = 'B';
	CHECK_OK(munmap(p, 4096));
}

static void truncates_open(void)
{
	int fd = opened("f", O_WRONLY);

	CHECK_OK(ftruncate(fd, 1));
	closed(fd);
}

static void opens_truncating(void)
{
	closed(opened("f", O_WRONLY | O_TRUNC));
}

static void allocates(void)
{
	int fd = opened("f", O_WRONLY);

	CHECK_OK(fallocate(fd, 0, 0, 8192));
	closed(fd);
}

static void sends_file(void)
{
	int in = opened("a", O_RDONLY), out = opened("b", O_WRONLY);

	CHECK_EQ(sendfile(out, in, NULL, 3), 3);
	closed(in);
	closed(out);
}

static void copies_range(void)
{
	int in = opened("a", O_RDONLY), out = opened("b", O_WRONLY);

	CHECK_EQ(copy_file_range(in, NULL, out, NULL, 3, 0), 3);
	closed(in);
	closed(out);
}

static void exchanges(const char *a, const char *b)
{
	CHECK_OK(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE));
}

static void exchanges_files(void) { exchanges("a", "b"); }
static void exchanges_trees(void) { exchanges("d", "n"); }

static void writes_then_renames(void)
{
	CHECK_OK(file_write("a", "after a!"));
	CHECK_OK(rename("a", "c"));
}

static void renames_then_writes(void)
{
	int fd = opened("a", O_WRONLY);

	CHECK_OK(rename("a", "c"));
	put(fd, "after");
	closed(fd);
}

static void writes_in_renamed_tree(void)
{
	int fd = opened("d/e/g", O_WRONLY);

	CHECK_OK(rename("d", "moved"));
	put(fd, "after");
	closed(fd);
}

static void writes_then_unlinks(void)
{
	int fd = opened("f", O_WRONLY);

	CHECK_OK(unlink("f"));
	put(fd, "too late");
	closed(fd);
}

static void sets_times(void)
{
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };

	CHECK_OK(utimensat(AT_FDCWD, "f", times, 0));
}

/* As mail is delivered: the entry of the old name must not swallow what the new one is told. */
static void links_unlinks_writes(void)
{
	CHECK_OK(file_write("f", "delivered"));
	CHECK_OK(link("f", "g"));
	CHECK_OK(unlink("f"));
	CHECK_OK(file_append("g", "more"));
}

static void writes_one_link(void)
{
	CHECK_OK(file_write("g", "through g"));
}

static void links_nameless(void)
{
	int fd = opened(".", O_TMPFILE | O_WRONLY);

	put(fd, "no name yet");
	CHECK_OK(linkat(AT_FDCWD, fmt("/proc/self/fd/%d", fd), AT_FDCWD, "f",
			AT_SYMLINK_FOLLOW));
	put(fd, ", and now one");
	closed(fd);
}

static void nameless_only(void)
{
	int fd = opened(".", O_TMPFILE | O_WRONLY);

	put(fd, "never seen");
	closed(fd);
}

static void writes_by_old_writer(void)
{
	put(kept_fd, "after");
	closed(kept_fd);
}

static void works_outside(void)
{
	const char *path = outside();

	CHECK_OK(file_write(path, "x"));
	CHECK_OK(chmod(path, 0600));
	CHECK_OK(rename(path, fmt("%s.moved", path)));
	CHECK_OK(unlink(fmt("%s.moved", path)));
	CHECK_OK(mkdir(path, 0755));
	CHECK_OK(rmdir(path));
}

static void writes_through_bind_mount(void)
{
	make_dirs("/mnt/bind");
	CHECK_OK(mount(".", "/mnt/bind", NULL, MS_BIND, NULL));
	CHECK_OK(file_write("/mnt/bind/f", "through a bind mount"));
	CHECK_OK(umount("/mnt/bind"));
}

static void rewrites_same_size(void)
{
	int fd = opened("f", O_WRONLY);

	for (int i = 0; i < 10; i++)
		CHECK_EQ(pwrite(fd, i & 1 ? "AFTER!" : "after!", 6, 0), 6);
	closed(fd);
}

static void changes_new_dir(void)
{
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(file_write("d/f", "x"));
	CHECK_OK(mkdir("d/e", 0755));
	CHECK_OK(file_write("d/e/g", "x"));
	CHECK_OK(rename("d/f", "d/e/f"));
}

static void removes_tree(void)
{
	remove_tree("d");
}

static const struct change {
	const char *name;
	void (*before)(void);
	void (*run)(void);
	const char *expect;	/* "?" after a path: with or without CONTENT */
} changes[] = {
	{ "mknod", NULL, makes_node, "@/f" },
	{ "create", NULL, creates, "@/f*" },
	{ "create-write", NULL, creates_and_writes, "@/f*" },
	{ "write", has_file, overwrites, "@/f*" },
	{ "append", has_file, appends, "@/f*" },
	{ "pwrite", has_file, writes_at, "@/f*" },
	{ "same-size", has_file, rewrites_same_size, "@/f*" },
	{ "mmap", has_file, stores_through_mapping, "@/f*" },
	{ "read", has_file, reads, "" },
	{ "truncate", has_file, truncates, "@/f*" },
	{ "extend", has_file, extends, "@/f*" },
	{ "ftruncate", has_file, truncates_open, "@/f*" },
	{ "o-trunc", has_file, opens_truncating, "@/f*" },
	{ "fallocate", has_file, allocates, "@/f*" },
	{ "sendfile", has_two, sends_file, "@/b*" },
	{ "copy-file-range", has_two, copies_range, "@/b*" },
	{ "rename", has_two, renames_file, "@/a @/c" },
	{ "rename-over", has_two, renames_over, "@/a @/b" },
	{ "rename-tree", has_tree, renames_tree, "@/d/ @/moved/" },
	{ "rename-into", has_tree, renames_into, "@/d/e/ @/n/e/" },
	{ "exchange", has_two, exchanges_files, "@/a? @/b?" },
	{ "exchange-trees", has_tree, exchanges_trees, "@/d/? @/n/?" },
	{ "write-rename", has_two, writes_then_renames, "@/a? @/c*" },
	{ "rename-write", has_two, renames_then_writes, "@/a? @/c*" },
	{ "rename-tree-write", has_tree, writes_in_renamed_tree, "@/d/? @/moved/*" },
	{ "mkdir", NULL, makes_dir, "@/d/" },
	{ "unlink", has_file, unlinks, "@/f" },
	{ "unlink-write", has_file, writes_then_unlinks, "@/f?" },
	{ "rmdir", has_tree, removes_dir, "@/n" },
	{ "remove-tree", has_tree, removes_tree, "@/d @/d/e @/d/e/g @/d/f" },
	{ "link", has_file, links, "@/g" },
	{ "link-unlink-write", NULL, links_unlinks_writes, "@/f* @/g*" },
	{ "write-one-link", has_links, writes_one_link, "#* @/g*" },
	{ "write-outside-link", has_outside_link, writes_outside_link, "#*" },
	{ "symlink", NULL, symlinks, "@/l" },
	{ "chmod", has_file, changes_mode, "@/f" },
	{ "chown", has_file, changes_owner, "@/f" },
	{ "utimes", has_file, sets_times, "@/f" },
	{ "chmod-dir", has_tree, changes_dir_mode, "@/d" },
	{ "tmpfile-link", NULL, links_nameless, "@/f*" },
	{ "tmpfile", NULL, nameless_only, "" },
	{ "old-writer", has_writer, writes_by_old_writer, "@/f*" },
	{ "outside", NULL, works_outside, "" },
	{ "move-in", has_outside_file, moves_in, "@/f*" },
	{ "move-tree-in", has_outside_tree, moves_tree_in, "@/d/*" },
	{ "move-out", has_file, moves_out, "@/f" },
	{ "move-tree-out", has_tree, moves_tree_out, "@/d/" },
	{ "bind-mount", NULL, writes_through_bind_mount, "@/f*" },
	{ "new-dir", NULL, changes_new_dir, "@/d/*" },
};

/* "?" in the expectation takes "*" or nothing. */
static bool matches(const char *got, const char *want)
{
	for (; *want; want++) {
		if (*want == '?')
			got += *got == '*';
		else if (*want != *got++)
			return false;
	}
	return !*got;
}

static const char *expand(const struct change *c)
{
	const char *text = "";

	for (const char *p = c->expect; *p; p++)
		text = *p == '@' ? fmt("%s%s", text, c->name) : fmt("%s%c", text, *p);
	return text;
}

static void every_change(const char *fs)
{
	struct fixture fx = fixture_prepare(fs);
	const char *failures = "";

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		make_dirs(fmt("%s/%s", fx.in, changes[i].name));
		CHECK_OK(chdir(fmt("%s/%s", fx.in, changes[i].name)));
		if (changes[i].before)
			changes[i].before();
	}
	fixture_up(&fx);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const char *got, *want = expand(&changes[i]);

		CHECK_OK(chdir(fmt("%s/%s", fx.in, changes[i].name)));
		changes[i].run();
		got = collect(fx.dev, "m");
		if (!matches(got, want))
			failures = fmt("%s[%s: %s, expected %s] ", failures, changes[i].name, got,
				       want);
	}
	CHECK_MSG(!*failures, "%s", failures);
}
ON_EACH_FS(every_change)

/* The same inside of a directory that is made in the same breath: one SUBTREE tells all. */
static void changes_in_new_directory(const char *fs)
{
	struct fixture fx = fixture_prepare(fs);
	const char *failures = "";

	fixture_up(&fx);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const char *name = changes[i].name, *got;

		CHECK_OK(mkdir(fmt("%s/%s", fx.in, name), 0755));
		CHECK_OK(chdir(fmt("%s/%s", fx.in, name)));
		if (changes[i].before)
			changes[i].before();
		changes[i].run();
		got = collect(fx.dev, "m");
		/* Hard links may be told of once more, by inode. */
		if (strncmp(got, "#* ", 3) == 0)
			got += 3;
		if (!matches(got, fmt("%s/?", name)))
			failures = fmt("%s[%s: %s] ", failures, name, got);
	}
	CHECK_MSG(!*failures, "%s", failures);
}
ON_EACH_FS(changes_in_new_directory)

SUITE(FS_TESTS(every_change), FS_TESTS(changes_in_new_directory))
