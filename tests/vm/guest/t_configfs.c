/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* configfs: what each attribute takes, what it refuses and how it says so. */
#include "azs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>
#include <sys/syscall.h>

static const char *repeat(const char *text, int times)
{
	const char *all = "";

	while (times--)
		all = fmt("%s%s", all, text);
	return all;
}

/* ---- values ---- */

static const struct {
	const char *attr;
	const char *def;
	const char *good[8];
	const char *bad[12];		/* EINVAL */
} attrs[] = {
	{ "path", "", { "/", "/srv/data", "/a b/\"c\"/\xc3\xa4" }, { "srv", "./x", " /x" } },
	{ "account", "", { "abc", "abcdefghijklmnopqrstuvwx", "0a9" },
	  { "ab", "Abc", "a-b-c", "abc ", "\xc3\xa4 ab" } },
	{ "container", "", { "abc", "a-b-c", "$root", "0123" },
	  { "ab", "-abc", "abc-", "a--b", "aBc", "a_b", "a.b" } },
	{ "prefix", "", { "p", "a/b/c", "with space", "\xc3\xa4/x", "a/" },
	  { "/a", "a//b", "a/.", "a./b", "a\\b", "a\tb", "\xff", "a\x7f" "b" } },
	{ "endpoint", "", { "https://x.blob.core.windows.net", "http://127.0.0.1:10000/acc",
			    "https://[::1]:8443", "https://a-b.c:1" },
	  { "x.blob.core.windows.net", "ftp://x", "https://", "https://u:p@x", "https://x:0",
	    "https://x:99999", "https://x?sig=secret", "https://x#a", "https://x y" } },
	{ "credential", "default", { "a", "Backup_2.key-3" },
	  { ".hidden", "-x", "a/b", "a b", "\xc3\xa4" } },
	{ "settle_ms", "500", { "0", "1", "3600000" },
	  { "3600001", "-1", "+1", "1s", "0x1", "1 " } },
	{ "max_lag_ms", "300000", { "0", "604800000" }, { "604800001", "x", "99999999999" } },
	{ "max_pending", "65536", { "1", "1048576" }, { "0", "1048577", "many" } },
	{ "access_tier", "", { "hot", "cool", "cold", "archive" }, { "Hot", "ho", "hot,cool" } },
	{ "include", "", { "*.c", "*.c\n!x.c\n/build/", "\xff" }, { "a\tb", "a\rb" } },
	{ "exclude", "", { "*.o" }, { "a\x01" } },
	{ "filter_file", "", { "/etc/azure-storage/filter" }, { "filter" } },
	{ "on_delete", "keep", { "delete", "keep" }, { "yes", "" "keep delete" } },
	{ "on_conflict", "keep", { "overwrite", "keep" }, { "replace" } },
	{ "on_archived", "park", { "replace", "park" }, { "keep" } },
	{ "symlinks", "skip", { "store", "skip" }, { "follow" } },
	{ "delete_limit", "", { "0", "100000" }, { "-1", "10%" } },
	{ "rescan_s", "86400", { "0", "60" }, { "1d", "31536001" } },
	{ "audit_days", "7", { "0", "30" }, { "week" } },
	{ "max_mbps", "0", { "100" }, { "1.5" } },
	{ "max_requests_per_s", "0", { "100" }, { "-5" } },
	{ "proxy", "", { "http://proxy:3128", "socks5h://127.0.0.1:1080" },
	  { "proxy:3128", "http://u:p@proxy", "http://proxy/x" } },
	{ "ca_file", "", { "/etc/ssl/ca.pem" }, { "ca.pem" } },
	{ "allow_remote", "0", { "1", "0" }, { "2", "yes" } },
	{ "log_paths", "full", { "hash", "full" }, { "none" } },
};

static const char *shown(const char *name, size_t i)
{
	return map_get(name, attrs[i].attr);
}

static void values_are_taken(void)
{
	need_module();
	map_create("m");
	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
		if (strcmp(shown("m", i), attrs[i].def) != 0)
			FAIL("default of %s: \"%s\"", attrs[i].attr, shown("m", i));
	}
	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(attrs[i].good) && attrs[i].good[j]; j++) {
			const char *good = attrs[i].good[j];

			map_set("m", attrs[i].attr, good);
			if (strcmp(shown("m", i), good) != 0)
				FAIL("%s=\"%s\" reads \"%s\"", attrs[i].attr, good, shown("m", i));
			/* With a newline at the end it is the same value. */
			map_set("m", attrs[i].attr, fmt("%s\n", good));
			if (strcmp(shown("m", i), good) != 0)
				FAIL("%s=\"%s\\n\" reads \"%s\"", attrs[i].attr, good,
				     shown("m", i));
			CHECK_STR(map_get("m", "last_error"), "");
		}
	}
	map_set("m", "account", "abc");
	map_set("m", "endpoint", "");
	CHECK_STR(map_get("m", "endpoint"), "https://abc.blob.core.windows.net");
	/* Trailing slashes mean nothing for a folder. */
	map_set("m", "path", "/srv/data//");
	CHECK_STR(map_get("m", "path"), "/srv/data");
}

static void values_are_refused(void)
{
	need_module();
	map_create("m");
	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
		map_set("m", attrs[i].attr, attrs[i].good[0]);
		for (size_t j = 0; j < ARRAY_SIZE(attrs[i].bad) && attrs[i].bad[j]; j++) {
			const char *error;

			if (map_store("m", attrs[i].attr, attrs[i].bad[j]) == 0)
				FAIL("%s took \"%s\"", attrs[i].attr, attrs[i].bad[j]);
			if (errno != EINVAL)
				FAIL("%s=\"%s\": %s", attrs[i].attr, attrs[i].bad[j],
				     strerror(errno));
			error = map_get("m", "last_error");
			if (strncmp(error, fmt("%s: ", attrs[i].attr), strlen(attrs[i].attr) + 2))
				FAIL("last_error after %s: \"%s\"", attrs[i].attr, error);
			if (strcmp(shown("m", i), attrs[i].good[0]) != 0)
				FAIL("%s=\"%s\" was refused, and the old value is gone",
				     attrs[i].attr, attrs[i].bad[j]);
		}
		/* A good one clears it. */
		map_set("m", attrs[i].attr, attrs[i].good[0]);
		CHECK_STR(map_get("m", "last_error"), "");
	}
}

static void lengths_are_bounded(void)
{
	const char *big = repeat("0123456789abcdef", 256);	/* 4096 */

	need_module();
	map_create("m");
	CHECK_ERRNO(map_store("m", "account", repeat("a", 25)), ENAMETOOLONG);
	CHECK_ERRNO(map_store("m", "container", repeat("a", 64)), ENAMETOOLONG);
	CHECK_ERRNO(map_store("m", "credential", repeat("a", 65)), ENAMETOOLONG);
	CHECK_ERRNO(map_store("m", "prefix", repeat("a", 1025)), ENAMETOOLONG);
	CHECK_ERRNO(map_store("m", "path", fmt("/%s", repeat("a", 256))), ENAMETOOLONG);
	map_set("m", "prefix", repeat("a", 1024));
	map_set("m", "path", fmt("/%s", repeat("a", 255)));

	/* The first 4095 bytes of a longer write arrive alone; they are not the value. */
	map_set("m", "exclude", "kept");
	CHECK_ERRNO(file_store_bytes(CONFIGFS "/m/exclude", big, 4095), E2BIG);
	CHECK(file_store_bytes(CONFIGFS "/m/exclude", big, 4096) < 0);
	CHECK_STR(map_get("m", "exclude"), "kept");
	CHECK_OK(file_store_bytes(CONFIGFS "/m/exclude", big, 4094));
	CHECK_EQ(strlen(map_get("m", "exclude")), 4094);
	map_set("m", "exclude", "kept");
	CHECK_OK(file_store(CONFIGFS "/m/exclude", "a\n\n"));

	CHECK_ERRNO(file_store_bytes(CONFIGFS "/m/account", "ab\0c", 4), EINVAL);
	CHECK_ERRNO(file_store_bytes(CONFIGFS "/m/exclude", "ab\0", 3), EINVAL);
	CHECK_ERRNO(file_store_bytes(CONFIGFS "/m/enable", "1\0", 2), EINVAL);
	CHECK_ERRNO(map_store("m", "enable", "2"), EINVAL);
	CHECK_ERRNO(map_store("m", "enable", "10"), EINVAL);
	CHECK_ERRNO(map_store("m", "last_error", "x"), EACCES);
}

/* ---- names and numbers of mappings ---- */

static void names(void)
{
	static const char *const bad[] = { "A", "-a", "a_b", "a.b", "a b", "\xc3\xa4", "a\nb" };

	need_module();
	map_create("a");
	map_create("0-9");
	map_create(repeat("a", 63));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_ERRNO(mkdir(fmt(CONFIGFS "/%s", bad[i]), 0755), EINVAL);
	CHECK_ERRNO(mkdir(fmt(CONFIGFS "/%s", repeat("a", 64)), 0755), EINVAL);
	CHECK_ERRNO(mkdir(CONFIGFS "/a", 0755), EEXIST);
	CHECK_OK(access(CLASS_DIR "/a/state", R_OK));
	map_remove("a");
	CHECK_ERRNO(access(CLASS_DIR "/a", F_OK), ENOENT);
}

static void remove_all(void *arg)
{
	(void)arg;
	for (int i = 0; i < 256; i++)
		rmdir(fmt(CONFIGFS "/m%d", i));
}

static void as_many_as_allowed(void)
{
	need_module();
	defer(remove_all, NULL);
	for (int i = 0; i < 256; i++)
		CHECK_OK(mkdir(fmt(CONFIGFS "/m%d", i), 0755));
	CHECK_ERRNO(mkdir(CONFIGFS "/more", 0755), ENOSPC);
	CHECK_OK(rmdir(CONFIGFS "/m7"));
	CHECK_OK(mkdir(CONFIGFS "/more", 0755));
	CHECK_OK(rmdir(CONFIGFS "/more"));
}

/* ---- enable ---- */

/* Refused with this errno; the reason has this phrase, in last_error and in the log. */
static void refused(const char *name, int err, const char *phrase)
{
	klog_mark();
	if (map_store(name, "enable", "1") == 0)
		FAIL("enable was not refused; expected: %s", phrase);
	if (errno != err)
		FAIL("enable: %s; expected: %s (%s)", strerror(errno), strerror(err), phrase);
	if (!strstr(map_get(name, "last_error"), phrase))
		FAIL("last_error \"%s\" does not say \"%s\"", map_get(name, "last_error"), phrase);
	WAIT_FOR(klog_has(phrase), PATIENCE_MS);
	CHECK(klog_has(fmt("%s: ", name)));
	CHECK_STR(map_state(name), "disabled");
	CHECK_STR(map_get(name, "enable"), "0");
}

static void enable_needs_a_target(void)
{
	struct fixture fx = fixture_prepare("tmpfs");

	map_create("m");
	refused("m", EINVAL, "path: must be set");
	map_set("m", "path", fx.in);
	refused("m", EINVAL, "account: must be set");
	map_set("m", "account", "abc");
	refused("m", EINVAL, "container: must be set");
	map_set("m", "container", "abc");
	map_set("m", "allow_remote", "1");
	map_set("m", "rescan_s", "0");
	refused("m", EINVAL, "rescan_s");
	map_set("m", "rescan_s", "60");
	map_set("m", "enable", "1");
	CHECK_STR(map_get("m", "last_error"), "");
	CHECK_STR(map_get("m", "enable"), "1");
}

static void enable_needs_a_folder(void)
{
	struct fixture fx = fixture_prepare("tmpfs");

	CHECK_OK(file_write("in/file", "x"));
	CHECK_OK(symlink("loop", "in/loop"));
	map_create_for("m", fmt("%s/missing", fx.in));
	refused("m", ENOENT, "no such folder");
	map_set("m", "path", fmt("%s/file", fx.in));
	refused("m", ENOTDIR, "not a folder");
	map_set("m", "path", fmt("%s/loop", fx.in));
	refused("m", ELOOP, "path: ");
}

static void unmount_it(void *dir)
{
	CHECK_OK(umount(dir));
}

static void some_filesystems_are_refused(void)
{
	struct fixture fx = fixture_prepare("tmpfs");
	static const char *const pseudo[] = { "/proc", "/sys", "/sys/kernel/config", "/dev/pts" };

	map_create_for("m", "/proc");
	for (size_t i = 0; i < ARRAY_SIZE(pseudo); i++) {
		map_set("m", "path", pseudo[i]);
		refused("m", EOPNOTSUPP, "not supported");
	}
	CHECK_EQ(run("modprobe", "overlay", NULL), 0);
	make_dirs("in/lower");
	make_dirs("in/upper");
	make_dirs("in/work");
	make_dirs("in/merged");
	CHECK_OK(mount("overlay", "in/merged", "overlay", 0,
		       fmt("lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", fx.in, fx.in,
			   fx.in)));
	defer(unmount_it, (void *)fmt("%s/merged", fx.in));
	map_set("m", "path", fmt("%s/merged", fx.in));
	refused("m", EOPNOTSUPP, "overlay");
}

static void targets_are_exclusive(void)
{
	static const struct {
		const char *first, *second;
		bool collide;
	} prefixes[] = {
		{ "", "", true },
		{ "", "a", true },
		{ "a", "", true },
		{ "a", "a", true },
		{ "a", "a/b", true },
		{ "a/b", "a", true },
		{ "a/b", "a/c", false },
		{ "a", "b", false },
	};
	struct fixture fx = fixture_prepare("tmpfs");

	map_create_for("m1", fx.in);
	map_create_for("m2", fx.in);
	map_set("m1", "container", "same");
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		map_set("m1", "prefix", prefixes[i].first);
		map_set("m2", "prefix", prefixes[i].second);
		map_set("m2", "container", "same");
		map_set("m2", "account", "account");
		map_set("m1", "enable", "1");
		if (prefixes[i].collide) {
			refused("m2", EEXIST, "m1");
			map_set("m2", "container", "other");
			map_set("m2", "enable", "1");
			map_down("m2");
			map_set("m2", "container", "same");
			map_set("m2", "account", "other");
		}
		map_set("m2", "enable", "1");
		map_down("m2");
		map_down("m1");
	}
}

static void enabled_is_fixed(void)
{
	struct fixture fx = fixture_prepare("tmpfs");

	map_up("m", fx.in);
	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
		if (map_store("m", attrs[i].attr, attrs[i].good[0]) == 0 || errno != EBUSY)
			FAIL("%s: not EBUSY", attrs[i].attr);
	}
	CHECK_ERRNO(map_store("m", "enable", "1"), EBUSY);
	CHECK_ERRNO(rmdir(CONFIGFS "/m"), EBUSY);
	map_down("m");
	map_set("m", "settle_ms", "1");
	/* Stopping what is stopped is no error. */
	map_set("m", "enable", "0");
	map_remove("m");
}

/* ---- who may ---- */

static void drop_sys_admin(void)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	CHECK_OK(syscall(SYS_capget, &hdr, data));
	data[0].effective &= ~(1u << CAP_SYS_ADMIN);
	data[0].permitted &= ~(1u << CAP_SYS_ADMIN);
	CHECK_OK(syscall(SYS_capset, &hdr, data));
}

/* In a process that gave up what `become` says; its status tells. */
static int store_as(void (*become)(void), const char *attr, const char *value)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		become();
		_exit(map_store("m", attr, value) == 0 ? 0 : errno);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void become_nobody(void)
{
	CHECK_OK(setgid(65534));
	CHECK_OK(setuid(65534));
}

static void only_the_administrator(void)
{
	struct fixture fx = fixture_prepare("tmpfs");

	map_create_for("m", fx.in);
	CHECK_EQ(store_as(drop_sys_admin, "path", "/tmp"), EPERM);
	CHECK_EQ(store_as(drop_sys_admin, "enable", "1"), EPERM);
	CHECK(strstr(map_get("m", "last_error"), "CAP_SYS_ADMIN"));
	CHECK_EQ(store_as(become_nobody, "enable", "1"), EACCES);
	CHECK_OK(chown(CONFIGFS "/m/enable", 65534, 65534));
	CHECK_OK(chown(CONFIGFS "/m/path", 65534, 65534));
	CHECK_OK(chown(CONFIGFS "/m", 65534, 65534));
	CHECK_EQ(store_as(become_nobody, "enable", "1"), EPERM);
	CHECK_EQ(store_as(become_nobody, "path", "/tmp"), EPERM);
	CHECK_STR(map_get("m", "path"), fx.in);
	map_set("m", "enable", "1");
	CHECK_EQ(store_as(become_nobody, "enable", "0"), EPERM);
	CHECK_STR(map_get("m", "enable"), "1");
}

static void become_other_namespace(void)
{
	if (syscall(SYS_unshare, 0x00020000 /* CLONE_NEWNS */) < 0)
		_exit(99);
}

static void only_the_initial_mount_namespace(void)
{
	struct fixture fx = fixture_prepare("tmpfs");

	map_create_for("m", fx.in);
	CHECK_EQ(store_as(become_other_namespace, "enable", "1"), EXDEV);
	CHECK(strstr(map_get("m", "last_error"), "namespace"));
}

SUITE(TEST(values_are_taken), TEST(values_are_refused), TEST(lengths_are_bounded), TEST(names),
      TEST(as_many_as_allowed), TEST(enable_needs_a_target), TEST(enable_needs_a_folder),
      TEST(some_filesystems_are_refused), TEST(targets_are_exclusive), TEST(enabled_is_fixed),
      TEST(only_the_administrator), TEST(only_the_initial_mount_namespace))
