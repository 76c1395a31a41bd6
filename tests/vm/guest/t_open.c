/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* OPEN: only regular files, only beneath the root, only to read. */
#include "azs.h"

#include <fcntl.h>
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

/* A SUBTREE of the root that stays out, under which everything may be asked for. */
static uint64_t take_root(struct fixture *fx)
{
	struct rec r;

	CHECK_OK(dev_mark(fx->dev, fx->m, "", AZS_MARK_SUBTREE));
	expect_rec(fx->dev, &r, AZS_REC_SUBTREE, "");
	return r.entry;
}

static int open_under(struct fixture *fx, uint64_t root, const char *path)
{
	uint64_t entry = root;

	return dev_open_file(fx->dev, fx->m, &entry, path, NULL);
}

static void paths_are_confined(void)
{
	static const struct {
		const char *path;
		int err;
	} refused[] = {
		{ "", EINVAL },
		{ "/", EINVAL },
		{ "/etc/passwd", EINVAL },
		{ "..", EINVAL },
		{ ".", EINVAL },
		{ "../out/secret", EINVAL },
		{ "d/../../out/secret", EINVAL },
		{ "d/..", EINVAL },
		{ "d/./f", EINVAL },
		{ "d//f", EINVAL },
		{ "d/f/", EINVAL },
		{ "link", ELOOP },		/* to a file inside */
		{ "abs", ELOOP },		/* absolute, outside */
		{ "up/secret", ELOOP },		/* a directory outside */
		{ "d/up/out/secret", ELOOP },
		{ "dlink/f", ELOOP },		/* a directory inside */
		{ "mnt/hidden", EXDEV },
		{ "mnt", EXDEV },
		{ "filemnt", EXDEV },
		{ "none", ENOENT },
		{ "d/none/x", ENOENT },
		{ "d/f/x", ENOTDIR },
		{ "d", EISDIR },
		{ "fifo", EINVAL },
		{ "null", EINVAL },
		{ "disk", EINVAL },
		{ "socket", EINVAL },
	};
	struct fixture fx = fixture_prepare("tmpfs");
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "in/socket" };
	uint64_t root;
	int fd;

	make_dirs("in/d");
	make_dirs("in/mnt");
	CHECK_OK(file_write("in/d/f", "inside"));
	CHECK_OK(file_write("in/filemnt", "covered"));
	CHECK_OK(file_write("out/secret", "outside"));
	CHECK_OK(symlink("d/f", "in/link"));
	CHECK_OK(symlink(fmt("%s/secret", fx.out), "in/abs"));
	CHECK_OK(symlink("../out", "in/up"));
	CHECK_OK(symlink("../..", "in/d/up"));
	CHECK_OK(symlink("d", "in/dlink"));
	CHECK_OK(mknod("in/fifo", S_IFIFO | 0666, 0));
	CHECK_OK(mknod("in/null", S_IFCHR | 0666, makedev(1, 3)));
	CHECK_OK(mknod("in/disk", S_IFBLK | 0666, makedev(7, 0)));
	fd = (int)CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_OK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	CHECK_OK(close(fd));
	CHECK_OK(mount("tmpfs", "in/mnt", "tmpfs", 0, NULL));
	defer(unmount_it, (void *)fmt("%s/mnt", fx.in));
	CHECK_OK(file_write("in/mnt/hidden", "on another filesystem"));
	CHECK_OK(mount("out/secret", "in/filemnt", NULL, MS_BIND, NULL));
	defer(unmount_it, (void *)fmt("%s/filemnt", fx.in));
	fixture_up(&fx);
	root = take_root(&fx);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		fd = open_under(&fx, root, refused[i].path);
		if (fd >= 0)
			FAIL("\"%s\" was opened", refused[i].path);
		if (errno != refused[i].err)
			FAIL("\"%s\": %s, expected %s", refused[i].path, strerror(errno),
			     strerror(refused[i].err));
	}
	CHECK_OK(close((int)CHECK_OK(open_under(&fx, root, "d/f"))));
	/* None of these has left an entry out but the root and d/f. */
	CHECK_EQ(map_gauge("m", "in_flight"), 2);
}

static void malformed_requests(void)
{
	struct fixture fx = fixture_prepare("tmpfs");
	struct azs_open req = { .fd = -1 };
	char *longest = malloc(AZS_PATH_MAX + 1);
	uint64_t root;

	CHECK_OK(file_write("in/f", "x"));
	fixture_up(&fx);
	root = take_root(&fx);
	memset(longest, 'a', AZS_PATH_MAX);
	longest[AZS_PATH_MAX] = '\0';
	CHECK_ERRNO(open_under(&fx, root, longest), ENAMETOOLONG);
	longest[AZS_PATH_MAX - 1] = '\0';
	CHECK_ERRNO(open_under(&fx, root, longest), ENAMETOOLONG);
	req.mapping = fx.m;
	req.entry = root;
	req.path = 8;
	req.path_len = 1;
	CHECK_ERRNO(ioctl(fx.dev->fd, AZS_IOC_OPEN, &req), EFAULT);
	req.path = (uintptr_t)"f\0x";
	req.path_len = 3;
	CHECK_ERRNO(ioctl(fx.dev->fd, AZS_IOC_OPEN, &req), EINVAL);
	CHECK_ERRNO(open_under(&fx, 0, "f"), ESTALE);
	CHECK_ERRNO(open_under(&fx, root + 1000, "f"), ESTALE);
}

/* An entry opens what it stands for and nothing else. */
static void entries_open_their_own(void)
{
	struct fixture fx = fixture_prepare("tmpfs");
	uint64_t entry;
	struct rec r, sub;

	make_dirs("in/d");
	make_dirs("in/dd");
	CHECK_OK(file_write("in/d/f", "x"));
	CHECK_OK(file_write("in/dd/f", "x"));
	CHECK_OK(file_write("in/g", "x"));
	fixture_up(&fx);
	CHECK_OK(dev_mark(fx.dev, fx.m, "g", 0));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "g");
	CHECK_ERRNO(open_under(&fx, r.entry, "d/f"), EINVAL);
	CHECK_OK(dev_mark(fx.dev, fx.m, "d", AZS_MARK_SUBTREE));
	expect_rec(fx.dev, &sub, AZS_REC_SUBTREE, "d");
	CHECK_ERRNO(open_under(&fx, sub.entry, "g"), EINVAL);
	CHECK_ERRNO(open_under(&fx, sub.entry, "dd/f"), EINVAL);
	entry = sub.entry;
	CHECK_OK(close((int)CHECK_OK(dev_open_file(fx.dev, fx.m, &entry, "d/f", NULL))));
	CHECK(entry != sub.entry);
	CHECK_ERRNO(open_under(&fx, sub.entry, "d/f"), EBUSY);
	/* Its own may be opened again, from the start. */
	CHECK_OK(close((int)CHECK_OK(open_under(&fx, entry, "d/f"))));
}

static void descriptors_only_read(void)
{
	struct fixture fx = fixture_prepare("tmpfs");
	char buf[16] = "";
	uint64_t root;
	int fd;

	CHECK_OK(file_write("in/f", "content"));
	fixture_up(&fx);
	root = take_root(&fx);
	fd = (int)CHECK_OK(open_under(&fx, root, "f"));
	CHECK_EQ(read(fd, buf, sizeof(buf)), 7);
	CHECK_STR(buf, "content");
	CHECK_ERRNO(write(fd, "x", 1), EBADF);
	CHECK_ERRNO(pwrite(fd, "x", 1, 0), EBADF);
	CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
	CHECK_ERRNO(fallocate(fd, 0, 0, 10), EBADF);
	CHECK(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	CHECK_ERRNO(openat(fd, "..", O_RDONLY), ENOTDIR);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NOATIME), O_RDONLY | O_NOATIME);
	CHECK_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	CHECK_OK(close(fd));
}

/* A lease must not hold up the uploader: not ready, and it comes again. */
static void leases_do_not_block(void)
{
	struct fixture fx = fixture_with("20", "0");
	uint64_t start;
	struct rec r;
	int fd;

	CHECK_OK(file_write("in/f", "x"));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	fd = (int)CHECK_OK(open("in/f", O_RDONLY | O_CLOEXEC));
	CHECK_OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	/* A reader's lease disturbs no reader. */
	CHECK_OK(close((int)CHECK_OK(open_under(&fx, r.entry, "f"))));
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK_OK(close(fd));
	CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 1);

	CHECK_OK(file_write("in/f", "y"));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	fd = (int)CHECK_OK(open("in/f", O_RDONLY | O_CLOEXEC));
	CHECK_OK(fcntl(fd, F_SETSIG, SIGURG));
	CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
	start = now_ms();
	CHECK_ERRNO(open_under(&fx, r.entry, "f"), EAGAIN);
	CHECK_MSG(now_ms() - start < 2000, "it waited for the lease");
	CHECK_OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	CHECK_OK(close(fd));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK_OK(close((int)CHECK_OK(open_under(&fx, r.entry, "f"))));
}

/* Somebody who may say no to each open, and does. */
static volatile bool denial_over;

static void *deny_opens(void *arg)
{
	struct pollfd pfd = { .fd = *(int *)arg, .events = POLLIN };
	struct fanotify_event_metadata ev;

	while (!denial_over) {
		struct fanotify_response no = { .response = FAN_DENY };

		if (poll(&pfd, 1, 50) != 1 || read(pfd.fd, &ev, sizeof(ev)) != sizeof(ev))
			continue;
		no.fd = ev.fd;
		if (write(pfd.fd, &no, sizeof(no)) != sizeof(no))
			break;
		close(ev.fd);
	}
	return NULL;
}

/* What waiting does not help is the uploader's to say: it does not come again by itself. */
static void refused_opens_stay_out(void)
{
	struct fixture fx = fixture_with("20", "0");
	pthread_t thread;
	struct rec r;
	int fan;

	CHECK_OK(file_write("in/f", "x"));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	fan = (int)CHECK_OK(fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY));
	CHECK_OK(fanotify_mark(fan, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "in/f"));
	denial_over = false;
	CHECK_EQ(pthread_create(&thread, NULL, deny_opens, &fan), 0);
	CHECK_ERRNO(open_under(&fx, r.entry, "f"), EPERM);
	CHECK_EQ(map_gauge("m", "in_flight"), 1);
	CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_PARKED, 0, 0), 1);
	CHECK(is_at_rest("m"));
	/* The number below a SUBTREE is not known to the uploader: that comes by itself. */
	CHECK_OK(dev_mark(fx.dev, fx.m, "", AZS_MARK_SUBTREE));
	expect_rec(fx.dev, &r, AZS_REC_SUBTREE, "");
	CHECK_ERRNO(open_under(&fx, r.entry, "f"), EPERM);
	CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 1);
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_PARKED, 0, 0), 1);
	CHECK(is_at_rest("m"));
	denial_over = true;
	pthread_join(thread, NULL);
	CHECK_OK(close(fan));
}

/* ---- races with renames ---- */

static volatile bool race_over;

static void *swap_directory(void *arg)
{
	(void)arg;
	while (!race_over) {
		renameat2(AT_FDCWD, "in/d", AT_FDCWD, "in/link", RENAME_EXCHANGE);
		renameat2(AT_FDCWD, "in/e/e", AT_FDCWD, "out/e", RENAME_EXCHANGE);
	}
	return NULL;
}

/*
 * The directory on the way becomes a link that leads out, and another one moves out and
 * in, while files below them are opened: never must one from outside be seen.
 */
static void renames_lead_nowhere(void)
{
	struct fixture fx = fixture_prepare("tmpfs");
	static const char *const paths[] = { "d/f", "e/e/f", "e/e/g" };
	unsigned int opened = 0, refused = 0;
	pthread_t thread;
	uint64_t root;

	make_dirs("in/d");
	make_dirs("in/e/e");
	make_dirs("out/e");
	CHECK_OK(file_write("in/d/f", "inside"));
	CHECK_OK(file_write("in/e/e/f", "inside"));
	CHECK_OK(file_write("out/f", "outside"));
	CHECK_OK(file_write("out/e/g", "inside"));
	CHECK_OK(symlink("../out", "in/link"));
	fixture_up(&fx);
	root = take_root(&fx);
	race_over = false;
	CHECK_EQ(pthread_create(&thread, NULL, swap_directory, NULL), 0);
	for (int i = 0; i < 10000; i++) {
		uint64_t entry = root;
		char buf[16] = "";
		int fd = dev_open_file(fx.dev, fx.m, &entry, paths[i % 3], NULL);

		if (fd < 0) {
			CHECK_MSG(errno == ELOOP || errno == ENOENT || errno == EAGAIN ||
				  errno == EXDEV || errno == EBUSY || errno == ENOTDIR,
				  "%s: %s", paths[i % 3], strerror(errno));
			refused++;
			continue;
		}
		opened++;
		CHECK(read(fd, buf, sizeof(buf)) == 6);
		CHECK_STR(buf, "inside");
		CHECK_OK(close(fd));
		if (dev_done(fx.dev, entry, AZS_DONE_OK, 0, 0) < 0)
			FAIL("DONE: %s", strerror(errno));
	}
	race_over = true;
	pthread_join(thread, NULL);
	printf("%u opened, %u refused\n", opened, refused);
	CHECK_MSG(opened >= 50 && refused >= 50, "%u opened, %u refused: that was no race", opened,
		  refused);
}

/* Under the credentials of the one who enabled the mapping, not of the uploader. */
static void unprivileged_uploader(void)
{
	struct fixture fx = fixture_prepare("tmpfs");
	uint64_t root;

	make_dirs("in/private");
	CHECK_OK(file_write("in/private/f", "x"));
	CHECK_OK(chmod("in/private/f", 0600));
	CHECK_OK(chmod("in/private", 0700));
	/* Somebody's home: the folder itself is out of the uploader's reach. */
	CHECK_OK(chmod(".", 0700));
	fixture_up(&fx);
	root = take_root(&fx);
	CHECK_OK(setegid(65534));
	CHECK_OK(seteuid(65534));
	CHECK_ERRNO(open("in/private/f", O_RDONLY), EACCES);
	CHECK_ERRNO(open(fx.in, O_RDONLY), EACCES);
	CHECK_OK(close((int)CHECK_OK(open_under(&fx, root, "private/f"))));
	CHECK_OK(dev_stat(fx.dev, fx.m, "private/f", NULL));
	CHECK_STR(map_state("m"), "scanning");
	CHECK_OK(seteuid(0));
	CHECK_OK(setegid(0));
}

SUITE(TEST(paths_are_confined), TEST(malformed_requests), TEST(entries_open_their_own),
      TEST(descriptors_only_read), TEST(leases_do_not_block), TEST(refused_opens_stay_out),
      TEST_SLOW(renames_lead_nowhere, 120), TEST(unprivileged_uploader))
