/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Writers against an uploader, some seconds each: when all is quiet, the table in memory holds
 * the tree. The operations are chosen at random, from a seed that the output shows.
 */
#include "oracle.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS_MAX	4
#define HELD_MAX	4
#define BYTES		64
#define ROUND_MS	250
#define DAWDLE_US	1000

enum op {
	OP_REWRITE,		/* same size, opened and closed */
	OP_HELD,		/* same size, through a descriptor that stays */
	OP_MMAP,
	OP_APPEND,
	OP_TRUNCATE,
	OP_CREATE,
	OP_UNLINK,
	OP_RENAME,
	OP_RENAME_DIR,
	OP_EXCHANGE,
	OP_MKDIR,
	OP_RMDIR,
	OP_LINK,
	OP_OUTSIDE,		/* writes through a link outside */
	OP_MOVE_OUT,
	OP_MOVE_IN,
	OP_SYMLINK,
	OP_CHMOD,
	NR_OPS,
};

struct churn {
	const char *fs;
	const char *settle_ms, *max_lag_ms, *max_pending;
	unsigned int writers, workers;
	unsigned int kills;		/* of the uploader, in each round */
	unsigned int rounds;
	unsigned char weight[NR_OPS];
};

struct writer {
	const struct churn *churn;
	pthread_t thread;
	unsigned int seed;
	int held[HELD_MAX];
	unsigned long counts[NR_OPS];
};

static volatile bool churn_over;

/* A small tree, so that threads meet: d0..d2, in each e0..e1, in each f0..f3. */
static const char *some_dir(struct writer *w, char *buf)
{
	sprintf(buf, "in/d%d/e%d", rand_r(&w->seed) % 3, rand_r(&w->seed) % 2);
	return buf;
}

static const char *some_file(struct writer *w, char *buf)
{
	some_dir(w, buf);
	sprintf(buf + strlen(buf), "/f%d", rand_r(&w->seed) % 4);
	return buf;
}

static const char *some_outside(struct writer *w, char *buf)
{
	sprintf(buf, "out/x%d", rand_r(&w->seed) % 4);
	return buf;
}

static void put(struct writer *w, int fd, off_t at)
{
	char text[BYTES];

	memset(text, 'a' + rand_r(&w->seed) % 26, sizeof(text));
	if (fd >= 0 && pwrite(fd, text, sizeof(text), at) < 0)
		perror("pwrite");
}

static void rewrite(struct writer *w, const char *path, int flags)
{
	int fd = open(path, O_WRONLY | flags, 0644);

	put(w, fd, 0);
	put(w, fd, 0);
	if (fd >= 0)
		close(fd);
}

static void write_held(struct writer *w, const char *path)
{
	int *fd = &w->held[rand_r(&w->seed) % HELD_MAX];

	put(w, *fd, 0);
	if (rand_r(&w->seed) % 8)
		return;
	if (*fd >= 0)
		close(*fd);
	*fd = open(path, O_RDWR);
}

static void store_mapped(struct writer *w, const char *path)
{
	int fd = open(path, O_RDWR);
	struct stat st;
	char *p;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		/* Another thread may truncate it: keep a page of it there. */
		if (st.st_size < 4096 && ftruncate(fd, 4096) < 0)
			perror("ftruncate");
		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
		if (p == MAP_FAILED)
			return;
		for (int i = 0; i < 20; i++)
			p[i] = (char)('A' + rand_r(&w->seed) % 26);
		munmap(p, 4096);
	} else {
		close(fd);
	}
}

static void make_symlink(struct writer *w, const char *path)
{
	char target[16];

	sprintf(target, "t%d", rand_r(&w->seed) % 100);
	unlink(path);
	if (symlink(target, path) < 0 && errno != EEXIST && errno != ENOENT)
		perror("symlink");
}

/* Most of them may fail, as another thread is at the same files. */
static int change(struct writer *w, enum op op)
{
	char a[64], b[64];

	switch (op) {
	case OP_REWRITE:
		rewrite(w, some_file(w, a), 0);
		return 0;
	case OP_HELD:
		write_held(w, some_file(w, a));
		return 0;
	case OP_MMAP:
		store_mapped(w, some_file(w, a));
		return 0;
	case OP_APPEND:
		rewrite(w, some_file(w, a), O_APPEND);
		return 0;
	case OP_TRUNCATE:
		return truncate(some_file(w, a), 4096 + rand_r(&w->seed) % 100);
	case OP_CREATE:
		rewrite(w, some_file(w, a), O_CREAT);
		return 0;
	case OP_UNLINK:
		return unlink(some_file(w, a));
	case OP_RENAME:
		return rename(some_file(w, a), some_file(w, b));
	case OP_RENAME_DIR:
		sprintf(a, "in/d%d", rand_r(&w->seed) % 3);
		sprintf(b, "in/d%d%s", rand_r(&w->seed) % 3, rand_r(&w->seed) % 4 ? "" : "/e0/n");
		return rename(a, b);
	case OP_EXCHANGE:
		sprintf(a, "in/d%d", rand_r(&w->seed) % 3);
		return renameat2(AT_FDCWD, a, AT_FDCWD, some_dir(w, b), RENAME_EXCHANGE);
	case OP_MKDIR:
		sprintf(a, "in/d%d", rand_r(&w->seed) % 3);
		mkdir(a, 0755);
		return mkdir(some_dir(w, b), 0755);
	case OP_RMDIR:
		return rmdir(some_dir(w, a));
	case OP_LINK:
		return link(some_file(w, a), rand_r(&w->seed) % 2 ? some_file(w, b)
								  : some_outside(w, b));
	case OP_OUTSIDE:
		rewrite(w, some_outside(w, a), 0);
		return 0;
	case OP_MOVE_OUT:
		return rename(some_file(w, a), some_outside(w, b));
	case OP_MOVE_IN:
		return rename(some_outside(w, a), some_file(w, b));
	case OP_SYMLINK:
		make_symlink(w, some_file(w, a));
		return 0;
	case OP_CHMOD:
		return chmod(some_file(w, a), 0600 + rand_r(&w->seed) % 64);
	case NR_OPS:
		break;
	}
	return -1;
}

static enum op choose(struct writer *w)
{
	unsigned int sum = 0, pick;

	for (int i = 0; i < NR_OPS; i++)
		sum += w->churn->weight[i];
	pick = (unsigned int)rand_r(&w->seed) % sum;
	for (int i = 0; i < NR_OPS; i++) {
		if (pick < w->churn->weight[i])
			return (enum op)i;
		pick -= w->churn->weight[i];
	}
	return OP_REWRITE;
}

static void *churn_away(void *arg)
{
	struct writer *w = arg;

	while (!churn_over) {
		enum op op = choose(w);

		if (change(w, op) == 0)
			w->counts[op]++;
	}
	for (int i = 0; i < HELD_MAX; i++) {
		if (w->held[i] >= 0)
			close(w->held[i]);
		w->held[i] = -1;
	}
	return NULL;
}

static void make_start(void)
{
	for (int i = 0; i < 3; i++)
		remove_tree(fmt("in/d%d", i));
	for (int i = 0; i < 3 * 2 * 4; i++) {
		const char *dir = fmt("in/d%d/e%d", i / 8, i / 4 % 2);

		make_dirs(dir);
		CHECK_OK(file_write(fmt("%s/f%d", dir, i % 4), "0123456789"));
	}
}

static void start_writers(const struct churn *c, struct writer *writers)
{
	churn_over = false;
	for (unsigned int i = 0; i < c->writers; i++)
		CHECK_EQ(pthread_create(&writers[i].thread, NULL, churn_away, &writers[i]), 0);
}

static void stop_writers(const struct churn *c, struct writer *writers)
{
	churn_over = true;
	for (unsigned int i = 0; i < c->writers; i++)
		pthread_join(writers[i].thread, NULL);
}

/* What counts is each file's last change: many short rounds have many of these. */
static void run_round(const struct churn *c, struct writer *writers, struct oracle *o)
{
	/* Anew each time, or the tree would grow and grow. */
	make_start();
	start_writers(c, writers);
	for (unsigned int i = 0; i < c->kills; i++) {
		sleep_ms(ROUND_MS / c->kills);
		oracle_kill(o);
		oracle_resume(o, c->workers);
	}
	if (!c->kills)
		sleep_ms(ROUND_MS);
	stop_writers(c, writers);
}

static void converges(const struct churn *c)
{
	struct fixture fx = fixture_prepare(c->fs);
	struct writer writers[THREADS_MAX] = { 0 };
	unsigned long ops = 0;
	struct oracle *o;

	map_create_for("m", fx.in);
	map_set("m", "settle_ms", c->settle_ms);
	map_set("m", "max_lag_ms", c->max_lag_ms);
	map_set("m", "max_pending", c->max_pending);
	map_set("m", "enable", "1");
	o = oracle_start("m", c->workers);
	oracle_dawdle(o, DAWDLE_US);
	for (unsigned int i = 0; i < c->writers; i++) {
		writers[i].churn = c;
		writers[i].seed = (unsigned int)(now_ms() * 31 + i);
		printf("seed %u\n", writers[i].seed);
		memset(writers[i].held, -1, sizeof(writers[i].held));
	}
	for (unsigned int round = 0; round < c->rounds; round++) {
		run_round(c, writers, o);
		oracle_settle(o, 30000);
		oracle_check(o, fx.in);
	}
	for (unsigned int i = 0; i < c->writers; i++) {
		for (int op = 0; op < NR_OPS; op++)
			ops += writers[i].counts[op];
	}
	printf("%lu changes, %lu commits, %llu folded\n", ops, oracle_uploads(o),
	       map_gauge("m", "stats/folded"));
	/* A race in which one side stood still proves nothing. */
	CHECK_MSG(ops >= 500, "only %lu changes", ops);
	CHECK_MSG(oracle_uploads(o) >= 50, "only %lu commits", oracle_uploads(o));
}

/* ---- one chance each ---- */

#define TWICE_FILES 800
#define TWICE_LAG 8

/*
 * Each file is written twice and never again. The second time comes while it is on its way, if
 * not for one then for another; whichever of the two is missed stays missed.
 */
static void second_write_while_it_is_out(const char *fs)
{
	struct fixture fx = fixture_prepare(fs);
	unsigned int seed = (unsigned int)now_ms();
	struct oracle *o;

	map_create_for("m", fx.in);
	map_set("m", "settle_ms", "0");
	map_set("m", "enable", "1");
	o = oracle_start("m", 3);
	oracle_dawdle(o, DAWDLE_US);
	printf("seed %u\n", seed);
	for (int i = 0; i < TWICE_FILES + TWICE_LAG; i++) {
		int second = i - TWICE_LAG;

		if (i < TWICE_FILES)
			CHECK_OK(file_write(fmt("in/f%d", i), "first one"));
		usleep((unsigned int)rand_r(&seed) % 1000);
		if (second >= 0 && second < TWICE_FILES) {
			int fd = (int)CHECK_OK(open(fmt("in/f%d", second), O_WRONLY | O_CLOEXEC));

			CHECK_EQ(write(fd, "second 2.", 9), 9);
			CHECK_OK(close(fd));
		}
	}
	oracle_settle(o, 30000);
	oracle_check(o, fx.in);
	printf("%lu commits, %lu disturbed\n", oracle_uploads(o), oracle_disturbed(o));
	CHECK_MSG(oracle_disturbed(o) >= TWICE_FILES / 40, "only %lu second writes were in time",
		  oracle_disturbed(o));
}
ON_EACH_FS(second_write_while_it_is_out)

/* ---- random changes ---- */

#define WRITES_ONLY { [OP_REWRITE] = 10, [OP_HELD] = 10 }
#define EVERYTHING { [OP_REWRITE] = 20, [OP_HELD] = 20, [OP_MMAP] = 5, [OP_APPEND] = 5, \
	[OP_TRUNCATE] = 5, [OP_CREATE] = 20, [OP_UNLINK] = 6, [OP_RENAME] = 8, \
	[OP_RENAME_DIR] = 4, [OP_EXCHANGE] = 2, [OP_MKDIR] = 8, [OP_RMDIR] = 2, \
	[OP_MOVE_OUT] = 3, [OP_MOVE_IN] = 3, [OP_SYMLINK] = 2, [OP_CHMOD] = 3 }

/* Rewrites of the same size within a tick, while the file is handed out and read. */
static void rewrites_race_with_hand_out(const char *fs)
{
	converges(&(struct churn){ .fs = fs, .settle_ms = "0", .max_lag_ms = "30",
		.max_pending = "1000", .writers = 2, .workers = 2, .rounds = 6,
		.weight = WRITES_ONLY });
}
ON_EACH_FS(rewrites_race_with_hand_out)

static void writes_race_with_renames_of_ancestors(const char *fs)
{
	converges(&(struct churn){ .fs = fs, .settle_ms = "0", .max_lag_ms = "50",
		.max_pending = "1000", .writers = 3, .workers = 2, .rounds = 6,
		.weight = { [OP_REWRITE] = 20, [OP_HELD] = 20, [OP_CREATE] = 10, [OP_MKDIR] = 4,
			    [OP_RENAME_DIR] = 10, [OP_EXCHANGE] = 4 } });
}
ON_EACH_FS(writes_race_with_renames_of_ancestors)

static void everything_at_once(const char *fs)
{
	converges(&(struct churn){ .fs = fs, .settle_ms = "5", .max_lag_ms = "200",
		.max_pending = "1000", .writers = 3, .workers = 2, .rounds = 6,
		.weight = EVERYTHING });
}
ON_EACH_FS(everything_at_once)

static void everything_while_folding(void)
{
	converges(&(struct churn){ .fs = "ext4", .settle_ms = "5", .max_lag_ms = "200",
		.max_pending = "4", .writers = 3, .workers = 2, .rounds = 8,
		.weight = EVERYTHING });
}

static void everything_without_lag(void)
{
	converges(&(struct churn){ .fs = "tmpfs", .settle_ms = "0", .max_lag_ms = "0",
		.max_pending = "20", .writers = 3, .workers = 3, .rounds = 8,
		.weight = EVERYTHING });
}

static void everything_while_the_uploader_dies(void)
{
	converges(&(struct churn){ .fs = "ext4", .settle_ms = "5", .max_lag_ms = "100",
		.max_pending = "50", .writers = 2, .workers = 2, .kills = 2, .rounds = 8,
		.weight = EVERYTHING });
}

static void hard_links(void)
{
	converges(&(struct churn){ .fs = "ext4", .settle_ms = "5", .max_lag_ms = "100",
		.max_pending = "1000", .writers = 2, .workers = 2, .rounds = 8,
		.weight = { [OP_REWRITE] = 10, [OP_CREATE] = 4, [OP_UNLINK] = 4, [OP_LINK] = 8,
			    [OP_OUTSIDE] = 10, [OP_MOVE_OUT] = 1, [OP_MOVE_IN] = 2 } });
}

SUITE(FS_TESTS(second_write_while_it_is_out), FS_TESTS(rewrites_race_with_hand_out),
      FS_TESTS(writes_race_with_renames_of_ancestors),
      FS_TESTS(everything_at_once), TEST(everything_while_folding), TEST(everything_without_lag),
      TEST(everything_while_the_uploader_dies), TEST(hard_links))
