/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* sysfs: every file, the states and how they are told. */
#include "azs.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <linux/netlink.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned int mode;
	const char *value;	/* of a mapping that was just made; NULL: not readable */
} files[] = {
	{ "state", 0444, "disabled" },
	{ "path", 0444, "" },
	{ "pending", 0444, "0" },
	{ "in_flight", 0444, "0" },
	{ "open_writers", 0444, "0" },
	{ "backlog_files", 0444, "0" },
	{ "backlog_bytes", 0444, "0" },
	{ "failed", 0444, "0" },
	{ "deletes_held", 0444, "0" },
	{ "oldest_pending_ms", 0444, "0" },
	{ "last_success_s", 0444, "0" },
	{ "last_error", 0400, "" },
	{ "flush", 0600, "0" },
	{ "flushed", 0444, "0" },
	{ "rescan", 0200, NULL },
	{ "stats/events", 0444, "0" },
	{ "stats/coalesced", 0444, "0" },
	{ "stats/excluded", 0444, "0" },
	{ "stats/unplaced", 0444, "0" },
	{ "stats/folded", 0444, "0" },
	{ "stats/rescans", 0444, "0" },
	{ "stats/mounts_skipped", 0444, "0" },
	{ "stats/uploaded_files", 0444, "0" },
	{ "stats/uploaded_bytes", 0444, "0" },
	{ "stats/copied_blobs", 0444, "0" },
	{ "stats/deleted_blobs", 0444, "0" },
	{ "stats/skipped", 0444, "0" },
	{ "stats/retries", 0444, "0" },
	{ "stats/requests", 0444, "0" },
	{ "stats/drifted", 0444, "0" },
};

static unsigned int count_files(const char *path)
{
	unsigned int nr = 0;
	struct dirent *de;
	DIR *dir = opendir(path);

	CHECK(dir);
	while ((de = readdir(dir)))
		nr += de->d_type == DT_REG && strcmp(de->d_name, "uevent") != 0;
	closedir(dir);
	return nr;
}

static void every_file(void)
{
	unsigned long long uptime;

	need_module();
	map_create("m");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		const char *path = fmt(CLASS_DIR "/m/%s", files[i].name);
		struct stat st;

		if (stat(path, &st) < 0)
			FAIL("%s is missing", path);
		CHECK_MSG((st.st_mode & 07777) == files[i].mode, "mode of %s: %o", files[i].name,
			  st.st_mode & 07777);
		if (files[i].value && strcmp(attr_read(path), files[i].value) != 0)
			FAIL("%s: \"%s\"", files[i].name, attr_read(path));
	}
	/* A file that is not listed here is not pinned: it has to be added. */
	CHECK_EQ(count_files(CLASS_DIR "/m") + count_files(CLASS_DIR "/m/stats"),
		 ARRAY_SIZE(files));
	CHECK_EQ(attr_number(MISC_DIR "/abi_version"), AZS_ABI_VERSION);
	CHECK_EQ(attr_number(MISC_DIR "/uploader_pid"), 0);
	uptime = attr_number(MISC_DIR "/uptime_seconds");
	CHECK(uptime < 60);
	WAIT_FOR(attr_number(MISC_DIR "/uptime_seconds") > uptime, 3000);
}

/* ---- states ---- */

struct watcher {
	int state;
	int uevents;
};

static struct watcher watch_states(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	struct watcher w;
	char c;

	w.state = (int)CHECK_OK(open(CLASS_DIR "/m/state", O_RDONLY | O_CLOEXEC));
	CHECK(pread(w.state, &c, 1, 0) == 1);
	w.uevents = (int)CHECK_OK(socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK,
					 NETLINK_KOBJECT_UEVENT));
	CHECK_OK(bind(w.uevents, (struct sockaddr *)&addr, sizeof(addr)));
	return w;
}

static bool uevent_says(int fd, const char *want)
{
	char text[4096];
	ssize_t n;

	while ((n = recv(fd, text, sizeof(text) - 1, 0)) > 0) {
		text[n] = '\0';
		if (!strstr(text, "/azure_storage/m"))
			continue;
		for (char *p = text; p < text + n; p += strlen(p) + 1) {
			if (strcmp(p, want) == 0)
				return true;
		}
	}
	return false;
}

/* The state changes, and those that wait for it are told in both ways. */
static void expect_state(struct watcher *w, const char *state)
{
	struct pollfd pfd = { .fd = w->state, .events = POLLPRI };
	uint64_t until = now_ms() + PATIENCE_MS;
	char text[32];
	ssize_t n;

	for (;;) {
		if (now_ms() > until || poll(&pfd, 1, PATIENCE_MS) != 1)
			FAIL("nobody was told of the state %s", state);
		n = CHECK_OK(pread(w->state, text, sizeof(text) - 1, 0));
		text[n > 0 ? n - 1 : 0] = '\0';
		if (strcmp(text, state) == 0)
			break;
	}
	WAIT_FOR(uevent_says(w->uevents, fmt("STATE=%s", state)), PATIENCE_MS);
	CHECK_STR(map_state("m"), state);
}

static void states(void)
{
	struct fixture fx = fixture_prepare("tmpfs");
	struct watcher w;
	struct rec r;

	map_create_for("m", fx.in);
	w = watch_states();
	CHECK_STR(map_state("m"), "disabled");
	map_set("m", "enable", "1");
	expect_state(&w, "waiting");
	CHECK_STR(attr_read(CLASS_DIR "/m/path"), fx.in);
	fx.dev = dev_open();
	expect_state(&w, "scanning");
	expect_rec(fx.dev, &r, AZS_REC_MAPPING_UP, "m");
	expect_rec(fx.dev, &r, AZS_REC_SUBTREE, "");
	CHECK_STR(map_state("m"), "scanning");
	CHECK_EQ(dev_done(fx.dev, r.entry, AZS_DONE_OK, 0, 0), 1);
	expect_state(&w, "live");
	dev_close(fx.dev);
	expect_state(&w, "waiting");
	fx.dev = dev_open();
	expect_state(&w, "live");
	expect_rec(fx.dev, &r, AZS_REC_MAPPING_UP, "m");
	CHECK_OK(rename("in", "moved"));
	CHECK_ERRNO(dev_stat(fx.dev, r.mapping, "f", NULL), ESTALE);
	expect_state(&w, "error");
	CHECK_OK(rename("moved", "in"));
	CHECK_ERRNO(dev_stat(fx.dev, r.mapping, "f", NULL), ENOENT);
	/* Its own move has made it due as a whole. */
	expect_state(&w, "scanning");
	CHECK_STR(collect(fx.dev, "m"), "/*");
	expect_state(&w, "live");
	map_set("m", "enable", "0");
	expect_state(&w, "draining");
	expect_rec(fx.dev, &r, AZS_REC_MAPPING_DOWN, "");
	expect_state(&w, "disabled");
}

static void rescans(void)
{
	struct fixture fx = fixture_with("20", "0");
	unsigned long long before = map_gauge("m", "stats/rescans");

	CHECK_OK(file_store(CLASS_DIR "/m/rescan", "1\n"));
	CHECK_EQ(map_gauge("m", "pending"), 1);
	CHECK_STR(map_state("m"), "scanning");
	CHECK_STR(collect(fx.dev, "m"), "/");
	CHECK_STR(map_state("m"), "live");
	CHECK_EQ(map_gauge("m", "stats/rescans"), before + 1);
	CHECK_ERRNO(file_store(CLASS_DIR "/m/rescan", "0"), EINVAL);
	CHECK_ERRNO(file_store(CLASS_DIR "/m/rescan", "11"), EINVAL);
	map_set("m", "enable", "0");
	CHECK_ERRNO(file_store(CLASS_DIR "/m/rescan", "1"), ENODEV);
	dev_close(fx.dev);
}

static void age_grows(void)
{
	struct fixture fx = fixture_with("600000", "0");
	unsigned long long age;

	CHECK_EQ(map_gauge("m", "oldest_pending_ms"), 0);
	CHECK_OK(file_write("in/f", "x"));
	sleep_ms(200);
	age = map_gauge("m", "oldest_pending_ms");
	CHECK_MSG(age >= 190 && age < 20000, "%llu ms", age);
	sleep_ms(100);
	CHECK(map_gauge("m", "oldest_pending_ms") >= age + 90);
	CHECK_EQ(fx.dev->pos, fx.dev->len);
}

SUITE(TEST(every_file), TEST(states), TEST(rescans), TEST(age_grows))
