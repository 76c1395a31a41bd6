/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* SCAN, STAT and READLINK: what is told of a folder without a descriptor. */
#include "azs.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static void unmount_it(void *dir)
{
	CHECK_OK(umount(dir));
}

static void make_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	CHECK_OK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	CHECK_OK(close(fd));
}

static void same_as_stat(const char *path, const struct azs_stat *st)
{
	struct stat want;

	CHECK_OK(lstat(path, &want));
	CHECK_EQ(st->mode, want.st_mode);
	CHECK_EQ(st->nlink, want.st_nlink);
	CHECK_EQ(st->uid, want.st_uid);
	CHECK_EQ(st->gid, want.st_gid);
	CHECK_EQ(st->ino, want.st_ino);
	CHECK_EQ(st->dev, want.st_dev);
	CHECK_EQ(st->size, want.st_size);
	CHECK_EQ(st->allocated, want.st_blocks * 512LL);
	CHECK_EQ(st->mtime_sec, want.st_mtim.tv_sec);
	CHECK_EQ(st->mtime_nsec, want.st_mtim.tv_nsec);
	CHECK_EQ(st->ctime_sec, want.st_ctim.tv_sec);
	CHECK_EQ(st->ctime_nsec, want.st_ctim.tv_nsec);
	CHECK_EQ(st->reserved, 0);
}

/* ---- every kind ---- */

struct kinds {
	const char *dir;
	unsigned int nr;
};

static bool check_kind(const struct azs_dirent *de, const char *name, void *arg)
{
	struct kinds *k = arg;
	unsigned int flags = 0;

	k->nr++;
	if (strcmp(name, "mounted") == 0) {
		/* What is covered is described, not what covers it. */
		CHECK_EQ(de->st.flags, AZS_STAT_MOUNTPOINT);
		CHECK_EQ(de->st.mode, S_IFDIR | 0712);
		return true;
	}
	if (strcmp(name, "busy") == 0)
		flags = AZS_STAT_WRITER;
	CHECK_EQ(de->st.flags, flags);
	same_as_stat(fmt("%s/%s", k->dir, name), &de->st);
	return true;
}

static void every_kind(const char *fs)
{
	struct fixture fx = fixture_prepare(fs);
	struct kinds k = { .dir = "in/k" };
	int busy;

	make_dirs("in/k/dir");
	CHECK_OK(file_write("in/k/file", "content"));
	CHECK_OK(chown("in/k/file", 1000, 100));
	CHECK_OK(chmod("in/k/file", 04751));
	CHECK_OK(link("in/k/file", "in/k/link"));
	CHECK_OK(symlink("file", "in/k/symlink"));
	CHECK_OK(symlink("nowhere", "in/k/dangling"));
	CHECK_OK(mknod("in/k/fifo", S_IFIFO | 0600, 0));
	CHECK_OK(mknod("in/k/null", S_IFCHR | 0600, makedev(1, 3)));
	CHECK_OK(mknod("in/k/disk", S_IFBLK | 0600, makedev(7, 0)));
	make_socket("in/k/socket");
	CHECK_OK(mkdir("in/k/mounted", 0700));
	CHECK_OK(chmod("in/k/mounted", 0712));
	CHECK_OK(mount("tmpfs", "in/k/mounted", "tmpfs", 0, NULL));
	defer(unmount_it, (void *)fmt("%s/k/mounted", fx.in));
	CHECK_OK(file_write("in/k/mounted/hidden", "x"));
	busy = (int)CHECK_OK(open("in/k/busy", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	fixture_up(&fx);
	CHECK_OK(dev_scan(fx.dev, fx.m, "k", check_kind, &k));
	CHECK_EQ(k.nr, 11);
	CHECK_ERRNO(dev_scan(fx.dev, fx.m, "k/mounted", check_kind, &k), EXDEV);
	CHECK_EQ(map_gauge("m", "stats/mounts_skipped"), 1);
	CHECK_OK(close(busy));
}
ON_EACH_FS(every_kind)

/* ---- many, and odd ones ---- */

#define MANY 5000

static bool count_name(const struct azs_dirent *de, const char *name, void *arg)
{
	unsigned char *seen = arg;
	int i = atoi(name + 1);

	(void)de;
	CHECK_MSG(name[0] == 'n' && i >= 0 && i < MANY, "\"%s\"", name);
	CHECK_MSG(!seen[i], "\"%s\" came twice", name);
	seen[i] = 1;
	return true;
}

static void many_entries(const char *fs)
{
	struct fixture fx = fixture_prepare(fs);
	static unsigned char seen[MANY];

	make_dirs("in/d");
	for (int i = 0; i < MANY; i++)
		CHECK_OK(mknod(fmt("in/d/n%d", i), S_IFREG | 0600, 0));
	fixture_up(&fx);
	memset(seen, 0, sizeof(seen));
	CHECK_OK(dev_scan(fx.dev, fx.m, "d", count_name, seen));
	for (int i = 0; i < MANY; i++)
		CHECK_MSG(seen[i], "n%d is missing", i);
}
ON_EACH_FS(many_entries)

static const char *const odd[] = {
	"new\nline", "\xff\xfe\xc3", "back\\slash", "tab\t", "qu\"ote'", "per%20cent", "#?&",
	" ", "...", "-rf", "\x01\x7f", "\xe2\x80\xae" "desrever",
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678",
};

static bool find_odd(const struct azs_dirent *de, const char *name, void *arg)
{
	bool *found = arg;

	CHECK_EQ(de->name_len, strlen(name));
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		if (strcmp(name, odd[i]) == 0)
			found[i] = true;
	}
	return true;
}

/* No byte but '/' and NUL means anything, from the event to the descriptor. */
static void odd_names(const char *fs)
{
	struct fixture fx = fixture_prepare(fs);
	bool found[ARRAY_SIZE(odd)] = { false };
	struct rec r;

	fixture_up(&fx);
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		CHECK_OK(file_write(fmt("in/%s", odd[i]), "x"));
		expect_rec(fx.dev, &r, AZS_REC_PATH, odd[i]);
		CHECK_OK(dev_stat(fx.dev, fx.m, odd[i], NULL));
		CHECK_OK(close((int)CHECK_OK(dev_open_file(fx.dev, fx.m, &r.entry, odd[i], NULL))));
		CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 1);
	}
	CHECK_OK(dev_scan(fx.dev, fx.m, "", find_odd, found));
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		CHECK_MSG(found[i], "name %zu was not found", i);
}
ON_EACH_FS(odd_names)

/* ---- life of a scan ---- */

static int scan_once(struct fixture *fx, uint64_t *scan, uint32_t buf_len, uint32_t flags)
{
	static unsigned char buf[65536] __attribute__((aligned(8)));
	struct azs_scan req = {
		.mapping = fx->m, .scan = *scan, .path = (uintptr_t)"d",
		.path_len = *scan ? 0 : 1, .buf = (uintptr_t)buf, .buf_len = buf_len,
		.flags = flags,
	};
	int ret = ioctl(fx->dev->fd, AZS_IOC_SCAN, &req);

	if (ret == 0)
		*scan = req.scan;
	return ret;
}

static struct fixture with_directory(int files)
{
	struct fixture fx = fixture_prepare("tmpfs");

	make_dirs("in/d");
	for (int i = 0; i < files; i++)
		CHECK_OK(mknod(fmt("in/d/n%d", i), S_IFREG | 0600, 0));
	fixture_up(&fx);
	return fx;
}

static void scans_are_bounded(void)
{
	struct fixture fx = with_directory(200);
	uint64_t *scans = calloc(AZS_MAX_SCANS, sizeof(*scans)), scan = 0, other;

	CHECK_ERRNO(scan_once(&fx, &scan, AZS_SCAN_BUF_MIN - 1, 0), EINVAL);
	CHECK_ERRNO(scan_once(&fx, &scan, AZS_SCAN_BUF_MAX + 1, 0), EINVAL);
	scan = 999;
	CHECK_ERRNO(scan_once(&fx, &scan, 4096, 0), EBADF);
	CHECK_ERRNO(scan_once(&fx, &scan, 4096, AZS_SCAN_CLOSE), EBADF);
	for (int i = 0; i < AZS_MAX_SCANS; i++) {
		CHECK_OK(scan_once(&fx, &scans[i], AZS_SCAN_BUF_MIN, 0));
		CHECK(scans[i]);
	}
	scan = 0;
	CHECK_ERRNO(scan_once(&fx, &scan, AZS_SCAN_BUF_MIN, 0), EMFILE);
	other = scans[7];
	CHECK_OK(scan_once(&fx, &scans[7], AZS_SCAN_BUF_MIN, AZS_SCAN_CLOSE));
	CHECK_EQ(scans[7], 0);
	CHECK_ERRNO(scan_once(&fx, &other, AZS_SCAN_BUF_MIN, 0), EBADF);
	CHECK_OK(scan_once(&fx, &scan, AZS_SCAN_BUF_MIN, 0));
	/* The device's close ends those that are open. */
}

static void scan_of_what_is_no_directory(void)
{
	struct fixture fx = with_directory(1);
	struct azs_stat st;

	CHECK_OK(symlink("d", "in/l"));
	CHECK_ERRNO(dev_scan(fx.dev, fx.m, "d/n0", NULL, NULL), ENOTDIR);
	CHECK_ERRNO(dev_scan(fx.dev, fx.m, "d/n0/x", NULL, NULL), ENOTDIR);
	CHECK_ERRNO(dev_scan(fx.dev, fx.m, "none", NULL, NULL), ENOENT);
	CHECK_ERRNO(dev_scan(fx.dev, fx.m, "l", NULL, NULL), ELOOP);
	CHECK_ERRNO(dev_scan(fx.dev, fx.m, "l/n0", NULL, NULL), ELOOP);
	CHECK_ERRNO(dev_stat(fx.dev, fx.m, "d/n0/x", &st), ENOTDIR);
	CHECK_ERRNO(dev_stat(fx.dev, fx.m, "none", &st), ENOENT);
	CHECK_OK(dev_stat(fx.dev, fx.m, "", &st));
	same_as_stat("in", &st);
	CHECK_OK(dev_stat(fx.dev, fx.m, "l", &st));
	same_as_stat("in/l", &st);
}

static void scan_ends_with_its_mapping(void)
{
	struct fixture fx = with_directory(200);
	uint64_t scan = 0;
	struct rec r;

	CHECK_OK(scan_once(&fx, &scan, AZS_SCAN_BUF_MIN, 0));
	CHECK(scan);
	map_set("m", "enable", "0");
	expect_rec(fx.dev, &r, AZS_REC_MAPPING_DOWN, "");
	WAIT_FOR(state_is("m", "disabled"), PATIENCE_MS);
	CHECK_ERRNO(scan_once(&fx, &scan, AZS_SCAN_BUF_MIN, 0), ESTALE);
	/* Nothing holds the filesystem any more: the test's end unmounts it. */
}

static bool ignore_entry(const struct azs_dirent *de, const char *name, void *arg)
{
	(void)de;
	(void)name;
	++*(unsigned int *)arg;
	return true;
}

static const char *volatile scan_trouble;

static void *scan_many(void *arg)
{
	struct fixture *fx = arg;

	for (int i = 0; i < 100; i++) {
		unsigned int nr = 0;

		if (dev_scan(fx->dev, fx->m, "d", ignore_entry, &nr) < 0)
			scan_trouble = strerror(errno);
		else if (nr < 500)
			scan_trouble = "entries are missing";
	}
	return NULL;
}

/* Threads scan one directory in which another makes and removes files. */
static void scans_side_by_side(void)
{
	struct fixture fx = with_directory(500);
	pthread_t threads[3];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, scan_many, &fx), 0);
	for (int i = 0; i < 2000; i++) {
		CHECK_OK(file_write("in/d/comes-and-goes", "x"));
		CHECK_OK(unlink("in/d/comes-and-goes"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	CHECK_MSG(!scan_trouble, "%s", scan_trouble);
}

static void readlink_of_everything(void)
{
	struct fixture fx = fixture_prepare("tmpfs");
	char target[4096], longest[4001];
	struct azs_readlink req = { .path = (uintptr_t)"l", .path_len = 1 };

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	CHECK_OK(symlink("/somewhere/\xff\n", "in/l"));
	CHECK_OK(symlink(longest, "in/long"));
	CHECK_OK(file_write("in/f", "x"));
	make_dirs("in/d");
	fixture_up(&fx);
	CHECK_EQ(dev_readlink(fx.dev, fx.m, "l", target, sizeof(target)), 13);
	CHECK_STR(target, "/somewhere/\xff\n");
	CHECK_EQ(dev_readlink(fx.dev, fx.m, "long", target, sizeof(target)), 4000);
	CHECK_STR(target, longest);
	/* Cut, and said so. */
	memset(target, '!', sizeof(target));
	req.mapping = fx.m;
	req.buf = (uintptr_t)target;
	req.buf_len = 4;
	CHECK_OK(ioctl(fx.dev->fd, AZS_IOC_READLINK, &req));
	CHECK_EQ(req.len, 13);
	CHECK(memcmp(target, "/som!", 5) == 0);
	CHECK_ERRNO(dev_readlink(fx.dev, fx.m, "f", target, sizeof(target)), EINVAL);
	CHECK_ERRNO(dev_readlink(fx.dev, fx.m, "d", target, sizeof(target)), EINVAL);
	CHECK_ERRNO(dev_readlink(fx.dev, fx.m, "none", target, sizeof(target)), ENOENT);
	CHECK_ERRNO(dev_readlink(fx.dev, fx.m, "", target, sizeof(target)), EINVAL);
}

SUITE(FS_TESTS(every_kind), FS_TESTS(many_entries), FS_TESTS(odd_names), TEST(scans_are_bounded),
      TEST(scan_of_what_is_no_directory), TEST(scan_ends_with_its_mapping),
      TEST(scans_side_by_side), TEST(readlink_of_everything))
