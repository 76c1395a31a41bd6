/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What watching costs those who are watched: instructions per operation, by the time stamp counter
 * of a machine whose clock counts instructions (run-mini --icount).
 *
 * Prints `figure FS OPERATION PLACE STATE INSTRUCTIONS`, where STATE is who watches:
 *
 *	none		nobody, the module is not loaded
 *	inotify		IN_MODIFY of the file's directory; nobody reads, so that events merge
 *	fanotify	FAN_MODIFY of the filesystem; likewise
 *	loaded		the module, without a mapping
 *	root-pending	a mapping that no uploader has looked at: all of it is dirty
 *	mapped		a mapping whose root is done: a file that was written to is dirty by itself
 *
 * and PLACE where the file lies: inside the mapping, or outside, 3 or 12 directories deep.
 */
#include "azs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <x86intrin.h>

#define BATCHES 41
#define PER_BATCH 250
#define WARM_UP 500

struct file {
	const char *place;
	const char *path;
	const char *renamed;	/* its other name */
	const char *scratch;	/* beside it; made and removed */
	int fd;
};

struct operation {
	const char *name;
	void (*run)(const struct file *f);
	unsigned int times;	/* what is counted happens so often in run() */
};

static const char *fs_name;

/* ------------------------------------------------------------- operations */

static void op_write(const struct file *f)
{
	CHECK_OK(pwrite(f->fd, "x", 1, 0));
}

static void op_read(const struct file *f)
{
	char c;

	CHECK_OK(pread(f->fd, &c, 1, 0));
}

static void op_open(const struct file *f)
{
	CHECK_OK(close((int)CHECK_OK(open(f->path, O_RDONLY))));
}

static void op_create(const struct file *f)
{
	CHECK_OK(close((int)CHECK_OK(open(f->scratch, O_WRONLY | O_CREAT | O_EXCL, 0644))));
	CHECK_OK(unlink(f->scratch));
}

static void op_rename(const struct file *f)
{
	CHECK_OK(rename(f->path, f->renamed));
	CHECK_OK(rename(f->renamed, f->path));
}

/* A file that is dirty, in a folder in which files are renamed all the time. */
static void op_rename_write(const struct file *f)
{
	const char *other = f->scratch, *other_renamed = f->renamed;

	CHECK_OK(rename(other, other_renamed));
	CHECK_OK(pwrite(f->fd, "x", 1, 0));
	CHECK_OK(rename(other_renamed, other));
	CHECK_OK(pwrite(f->fd, "x", 1, 0));
}

static const struct operation write_op = { "write", op_write, 1 };
static const struct operation other_ops[] = {
	{ "read", op_read, 1 },
	{ "open+close", op_open, 1 },
	{ "create+close+unlink", op_create, 1 },
	{ "rename", op_rename, 2 },
};
static const struct operation rename_write_op = { "rename-another+write", op_rename_write, 2 };

/* -------------------------------------------------------------- measuring */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void figure(const char *op, const char *place, const char *state, double value)
{
	printf("figure %s %s %s %s %.0f\n", fs_name, op, place, state, value);
	fflush(stdout);
}

/*
 * The lowest decile of the batches: a timer's interrupt falls into a few, and a worker of the
 * filesystem may run beside most of them. Per call, of what happens @times in a call.
 */
static double typical(uint64_t spent[BATCHES], unsigned int times)
{
	qsort(spent, BATCHES, sizeof(spent[0]), by_value);
	return (double)spent[BATCHES / 10] / PER_BATCH / times;
}

static void measure(const struct operation *op, const struct file *f, const char *state)
{
	uint64_t spent[BATCHES];

	for (int i = 0; i < WARM_UP; i++)
		op->run(f);
	for (int i = 0; i < BATCHES; i++) {
		uint64_t start = __rdtsc();

		for (int j = 0; j < PER_BATCH; j++)
			op->run(f);
		spent[i] = __rdtsc() - start;
	}
	figure(op->name, f->place, state, typical(spent, op->times));
}

static void measure_others(const struct file *f, const char *state)
{
	for (size_t i = 0; i < ARRAY_SIZE(other_ops); i++)
		measure(&other_ops[i], f, state);
	CHECK_OK(file_write(f->scratch, "x"));
	measure(&rename_write_op, f, state);
	CHECK_OK(unlink(f->scratch));
}

/* The first write to a clean file: in a mapping that makes an entry. */
static void measure_first(const char *dir, const char *place, const char *state)
{
	uint64_t spent[BATCHES];
	int fds[PER_BATCH];

	for (int i = 0; i < BATCHES; i++) {
		uint64_t start;

		for (int j = 0; j < PER_BATCH; j++) {
			const char *path = fmt("%s/%d-%d", dir, i, j);

			fds[j] = (int)CHECK_OK(open(path, O_WRONLY));
		}
		start = __rdtsc();
		for (int j = 0; j < PER_BATCH; j++)
			CHECK_OK(pwrite(fds[j], "x", 1, 0));
		spent[i] = __rdtsc() - start;
		for (int j = 0; j < PER_BATCH; j++)
			CHECK_OK(close(fds[j]));
	}
	figure("first-write", place, state, typical(spent, 1));
}

/* ------------------------------------------------------------------ states */

static struct file new_file(const char *place, const char *dir)
{
	struct file f = {
		.place = place,
		.path = fmt("%s/file", dir),
		.renamed = fmt("%s/renamed", dir),
		.scratch = fmt("%s/scratch", dir),
	};

	make_dirs(dir);
	f.fd = (int)CHECK_OK(open(f.path, O_RDWR | O_CREAT, 0644));
	return f;
}

static const char *deep(const char *top, int depth)
{
	const char *dir = top;

	while (depth--)
		dir = fmt("%s/dir-%d", dir, depth);
	return dir;
}

static void make_clean_files(const char *dir)
{
	make_dirs(dir);
	for (int i = 0; i < BATCHES; i++) {
		for (int j = 0; j < PER_BATCH; j++) {
			const char *path = fmt("%s/%d-%d", dir, i, j);

			CHECK_OK(file_write(path, "x"));
		}
	}
}

static void with_inotify(const struct file *f, const char *dir)
{
	int fd = (int)CHECK_OK(inotify_init1(IN_CLOEXEC));

	CHECK_OK(inotify_add_watch(fd, dir, IN_MODIFY));
	measure(&write_op, f, "inotify");
	CHECK_OK(close(fd));
}

static void with_fanotify(const struct file *f, const char *dir)
{
	int fd = (int)CHECK_OK(fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY));

	CHECK_OK(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_MODIFY, AT_FDCWD, dir));
	measure(&write_op, f, "fanotify");
	CHECK_OK(close(fd));
}

static void costs(const char *fs)
{
	const char *mnt = fmt("/mnt/%s", fs), *map = fmt("%s/map", mnt), *dir = fmt("%s/dir", map);
	const char *fresh = fmt("%s/fresh", map);
	struct file inside, out3, out12;

	fs_name = fs;
	mount_disk(fs, mnt);
	inside = new_file("inside", dir);
	out3 = new_file("outside-3", deep(mnt, 3));
	out12 = new_file("outside-12", deep(mnt, 12));
	make_clean_files(fresh);

	measure(&write_op, &inside, "none");
	measure(&write_op, &out3, "none");
	measure(&write_op, &out12, "none");
	measure_others(&inside, "none");
	measure_others(&out3, "none");
	measure_first(fresh, "inside", "none");
	with_inotify(&inside, dir);
	with_fanotify(&inside, dir);

	need_module();
	measure(&write_op, &inside, "loaded");
	map_create_for("bench", map);
	map_set("bench", "settle_ms", "500");
	map_set("bench", "enable", "1");
	measure(&write_op, &inside, "root-pending");

	/* From here on a file that is written to is dirty by itself; as nobody takes it, it stays so. */
	expect_up(dev_open(), "bench");
	measure(&write_op, &inside, "mapped");
	CHECK_EQ(map_gauge("bench", "pending"), 1);
	measure(&write_op, &out3, "mapped");
	measure(&write_op, &out12, "mapped");
	measure_others(&inside, "mapped");
	measure_others(&out3, "mapped");
	measure_first(fresh, "inside", "mapped");
	CHECK_OK(close(inside.fd));
	CHECK_OK(close(out3.fd));
	CHECK_OK(close(out12.fd));
}

static void costs_ext4(void)
{
	costs("ext4");
}

static void costs_tmpfs(void)
{
	costs("tmpfs");
}

int main(int argc, char **argv)
{
	static const struct harness_test tests[] = {
		TEST_SLOW(costs_ext4, 600),
		TEST_SLOW(costs_tmpfs, 600),
	};

	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
