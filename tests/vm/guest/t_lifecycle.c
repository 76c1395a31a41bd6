/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Coming and going: of the module, of mappings, of filesystems, of the uploader, of the root. */
#include "oracle.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* delete_module(2) says that the module is in use. */
static bool unload_is_refused(void)
{
	return module_unload() < 0 && (errno == EAGAIN || errno == EBUSY);
}

/* ---- writers in the background ---- */

static volatile bool writers_over;
static const char *writers_dir;

/* Same size, new content, and now and then a rename or a new file. */
static void *write_on(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;
	char path[256], other[256];

	while (!writers_over) {
		int i = rand_r(&seed) % 16;

		snprintf(path, sizeof(path), "%s/f%d", writers_dir, i);
		snprintf(other, sizeof(other), "%s/f%d", writers_dir, rand_r(&seed) % 16);
		if (rand_r(&seed) % 8 == 0)
			rename(path, other);
		else if (file_write(path, i & 1 ? "abcdefgh" : "ABCDEFGH") < 0)
			perror(path);
		if (rand_r(&seed) % 64 == 0)
			sleep_ms(1);
	}
	return NULL;
}

static pthread_t writer_threads[2];

static void stop_writers(void *arg)
{
	(void)arg;
	if (writers_over)
		return;
	writers_over = true;
	for (size_t i = 0; i < ARRAY_SIZE(writer_threads); i++)
		pthread_join(writer_threads[i], NULL);
}

static void start_writers(const char *dir)
{
	writers_dir = dir;
	writers_over = false;
	for (size_t i = 0; i < ARRAY_SIZE(writer_threads); i++)
		CHECK_EQ(pthread_create(&writer_threads[i], NULL, write_on, (void *)(i + 1)), 0);
	defer(stop_writers, NULL);
}

/* ---- the module ---- */

static void unload_is_refused_while_in_use(void)
{
	struct fixture fx = fixture_prepare("tmpfs");
	int fd;

	fd = (int)CHECK_OK(dev_open_raw());
	CHECK(unload_is_refused());
	CHECK_OK(close(fd));
	map_create_for("m", fx.in);
	CHECK(unload_is_refused());
	map_set("m", "enable", "1");
	CHECK(unload_is_refused());
	map_down("m");
	CHECK(unload_is_refused());
	map_remove("m");
	WAIT_FOR(module_unload() == 0, PATIENCE_MS);
	CHECK(!module_loaded());
	CHECK_ERRNO(access(CONFIGFS, F_OK), ENOENT);
	CHECK_ERRNO(access(CLASS_DIR, F_OK), ENOENT);
	WAIT_FOR(access(DEVICE, F_OK) < 0, PATIENCE_MS);
	CHECK_OK(module_load(NULL));
}

static void load_and_unload_under_load(const char *fs)
{
	struct fixture fx = fixture_prepare(fs);

	start_writers(fx.in);
	for (int i = 0; i < 20; i++) {
		struct dev *d;
		struct rec r;

		CHECK_OK(mkdir(CONFIGFS "/m", 0755));
		map_set("m", "path", fx.in);
		map_set("m", "account", "account");
		map_set("m", "container", "container");
		map_set("m", "settle_ms", "0");
		map_set("m", "enable", "1");
		WAIT_FOR(access(DEVICE, F_OK) == 0, PATIENCE_MS);
		d = dev_open();
		/* Some is out, some pending when it all goes down. */
		for (int n = 0; n < 10; n++)
			CHECK(dev_next(d, &r, PATIENCE_MS));
		if (i & 1)
			dev_close(d);
		map_set("m", "enable", "0");
		dev_close(d);
		WAIT_FOR(state_is("m", "disabled"), PATIENCE_MS);
		WAIT_FOR(rmdir(CONFIGFS "/m") == 0, PATIENCE_MS);
		WAIT_FOR(module_unload() == 0, PATIENCE_MS);
		CHECK_OK(module_load(NULL));
	}
	stop_writers(NULL);
}
ON_EACH_FS(load_and_unload_under_load)

static void enable_and_disable_under_load(void)
{
	struct fixture fx = fixture_prepare("ext4");
	struct oracle *o;

	map_create_for("m", fx.in);
	map_set("m", "settle_ms", "0");
	start_writers(fx.in);
	o = oracle_start("m", 2);
	for (int i = 0; i < 200; i++) {
		map_set("m", "enable", "1");
		if (i % 4)
			sleep_ms((unsigned int)i % 4 * 5);
		map_set("m", "enable", "0");
		WAIT_FOR(state_is("m", "disabled"), PATIENCE_MS);
	}
	map_set("m", "enable", "1");
	sleep_ms(200);
	stop_writers(NULL);
	oracle_settle(o, 30000);
	oracle_check(o, fx.in);
}

/* ---- filesystems ---- */

static void unmount_is_refused_while_enabled(const char *fs)
{
	const char *dir = fmt("/mnt/%s-busy", fs);

	need_module();
	mount_disk(fs, dir);
	map_create_for("m", dir);
	CHECK_OK(file_write(fmt("%s/f", dir), "x"));
	map_set("m", "enable", "1");
	CHECK_OK(file_write(fmt("%s/f", dir), "y"));
	CHECK_ERRNO(umount(dir), EBUSY);
	map_down("m");
	CHECK_OK(unlink(fmt("%s/f", dir)));
	/* At once: nothing of it is held any more. What the test's end unmounts comes after. */
	CHECK_OK(umount(dir));
	CHECK_OK(mount("tmpfs", dir, "tmpfs", 0, NULL));
}
ON_EACH_FS(unmount_is_refused_while_enabled)

static unsigned long long free_bytes(const char *dir)
{
	struct statfs fs;

	sync();
	CHECK_OK(statfs(dir, &fs));
	return (unsigned long long)fs.f_bfree * (unsigned long long)fs.f_bsize;
}

/* A file that is gone frees its blocks, though its entry is pending still. */
static void deleted_files_are_let_go(const char *fs)
{
	struct fixture fx = fixture_prepare(fs);
	unsigned long long before;
	int fd;

	map_create_for("m", fx.in);
	map_set("m", "settle_ms", "3600000");
	map_set("m", "max_lag_ms", "0");
	fixture_enable(&fx);
	before = free_bytes(fx.in);
	fd = (int)CHECK_OK(open("in/big", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	CHECK_OK(fallocate(fd, 0, 0, 64 << 20));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(close(fd));
	CHECK(free_bytes(fx.in) + (60 << 20) < before);
	CHECK_OK(unlink("in/big"));
	CHECK_EQ(map_gauge("m", "pending"), 1);
	WAIT_FOR(free_bytes(fx.in) + (8 << 20) > before, PATIENCE_MS);
}
ON_EACH_FS(deleted_files_are_let_go)

/* ---- the root ---- */

static void lost(struct fixture *fx)
{
	struct azs_stat st;
	uint64_t entry = 1;

	CHECK_ERRNO(dev_stat(fx->dev, fx->m, "f", &st), ESTALE);
	CHECK_ERRNO(dev_scan(fx->dev, fx->m, "", NULL, NULL), ESTALE);
	CHECK_ERRNO(dev_open_file(fx->dev, fx->m, &entry, "f", NULL), ESTALE);
	CHECK_STR(map_state("m"), "error");
}

static void back(struct fixture *fx)
{
	CHECK_OK(dev_stat(fx->dev, fx->m, "f", NULL));
	/* Its own move, if it was moved itself, makes it due as a whole. */
	collect(fx->dev, "m");
	CHECK_STR(map_state("m"), "live");
}

static void root_that_is_not_there(const char *fs)
{
	struct fixture fx = fixture_prepare(fs);

	make_dirs("in/way/root");
	CHECK_OK(file_write("in/way/root/f", "x"));
	map_create_for("m", fmt("%s/way/root", fx.in));
	fixture_enable(&fx);
	back(&fx);

	CHECK_OK(rename("in/way/root", "in/way/moved"));
	lost(&fx);
	/* Another folder in its place is not the one that was mapped. */
	CHECK_OK(mkdir("in/way/root", 0755));
	CHECK_OK(file_write("in/way/root/f", "an impostor"));
	lost(&fx);
	remove_tree("in/way/root");
	CHECK_OK(rename("in/way/moved", "in/way/root"));
	back(&fx);

	CHECK_OK(rename("in/way", "in/other"));
	lost(&fx);
	CHECK_OK(rename("in/other", "in/way"));
	back(&fx);

	CHECK_OK(mount("tmpfs", "in/way/root", "tmpfs", 0, NULL));
	CHECK_OK(file_write("in/way/root/f", "covers"));
	lost(&fx);
	CHECK_OK(umount("in/way/root"));
	back(&fx);

	remove_tree("in/way/root");
	lost(&fx);
	/* It can be disabled nevertheless: the test's end does it. */
}
ON_EACH_FS(root_that_is_not_there)

/* ---- the uploader ---- */

static void killed_uploader(void)
{
	struct fixture fx = fixture_prepare("tmpfs");
	int fds[2], status;
	struct rec r;
	pid_t pid;
	char c;

	map_up("m", fx.in);
	CHECK_OK(pipe(fds));
	pid = (pid_t)CHECK_OK(fork());
	if (pid == 0) {
		struct dev d = { .fd = dev_open_raw(), .buf = aligned_alloc(8, 2 * AZS_READ_MIN) };
		bool got = false;

		if (d.fd < 0 || dev_hello(d.fd) < 0)
			_exit(1);
		while (!got || r.type != AZS_REC_SUBTREE)
			if (dev_try_next(&d, &r, PATIENCE_MS, &got))
				_exit(1);
		if (write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_STR(map_state("m"), "scanning");
	CHECK_EQ(map_gauge("m", "in_flight"), 1);
	CHECK_EQ(attr_number(MISC_DIR "/uploader_pid"), pid);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
	CHECK_STR(map_state("m"), "waiting");
	CHECK_EQ(map_gauge("m", "in_flight"), 0);
	CHECK_EQ(map_gauge("m", "pending"), 1);
	fx.dev = dev_open();
	expect_rec(fx.dev, &r, AZS_REC_MAPPING_UP, "m");
	expect_rec(fx.dev, &r, AZS_REC_SUBTREE, "");
	CHECK_EQ(r.flags & AZS_ENTRY_RETRY, AZS_ENTRY_RETRY);
}

static void close_ends_the_drain(void)
{
	struct fixture fx = fixture_with("20", "0");
	struct rec r;

	CHECK_OK(file_write("in/f", "x"));
	expect_rec(fx.dev, &r, AZS_REC_PATH, "f");
	map_set("m", "enable", "0");
	CHECK_STR(map_state("m"), "draining");
	dev_close(fx.dev);
	WAIT_FOR(state_is("m", "disabled"), 2000);
}

static void excluded_directories(const char *fs)
{
	struct fixture fx = fixture_prepare(fs);
	struct azs_hello hello = { .abi_min = 1, .abi_max = 1, .nr_excluded = 2 };
	unsigned long long excluded;
	struct rec r;

	make_dirs("in/state/wal");
	make_dirs("in/log");
	map_up("m", fx.in);
	fx.dev = calloc(1, sizeof(*fx.dev));
	fx.dev->buf = aligned_alloc(8, 2 * AZS_READ_MIN);
	fx.dev->fd = (int)CHECK_OK(dev_open_raw());
	hello.excluded[0] = (int)CHECK_OK(open("in/state", O_RDONLY | O_DIRECTORY));
	hello.excluded[1] = (int)CHECK_OK(open("in/log", O_PATH | O_DIRECTORY));
	CHECK_OK(ioctl(fx.dev->fd, AZS_IOC_HELLO, &hello));
	CHECK_OK(close(hello.excluded[0]));
	CHECK_OK(close(hello.excluded[1]));
	expect_up(fx.dev, "m");

	excluded = map_gauge("m", "stats/excluded");
	CHECK_OK(file_write("in/state/db", "x"));
	CHECK_OK(file_write("in/state/wal/1", "x"));
	CHECK_OK(file_write("in/log/l", "x"));
	CHECK_OK(mkdir("in/log/d", 0755));
	CHECK_OK(file_write("in/logs", "not excluded"));
	CHECK_STR(collect(fx.dev, "m"), "logs*");
	CHECK_MSG(map_gauge("m", "stats/excluded") >= excluded + 4, "%llu excluded",
		  map_gauge("m", "stats/excluded"));
	/* For as long as that uploader is there. */
	dev_close(fx.dev);
	fx.dev = dev_open();
	expect_rec(fx.dev, &r, AZS_REC_MAPPING_UP, "m");
	CHECK_OK(file_write("in/state/db", "y"));
	CHECK_STR(collect(fx.dev, "m"), "state/db*");
}
ON_EACH_FS(excluded_directories)

SUITE(TEST(unload_is_refused_while_in_use), FS_TESTS(load_and_unload_under_load),
      TEST_SLOW(enable_and_disable_under_load, 180), FS_TESTS(unmount_is_refused_while_enabled),
      FS_TESTS(deleted_files_are_let_go), FS_TESTS(root_that_is_not_there), TEST(killed_uploader),
      TEST(close_ends_the_drain), FS_TESTS(excluded_directories))
