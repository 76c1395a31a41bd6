/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What guest tests share: files and attributes, disks, the module, the log. */
#include "harness.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILE_READ_MAX (1024 * 1024)
#define MODULE_NAME "azure_storage"

int harness_errno(void)
{
	return errno;
}

const char *harness_strerror(void)
{
	return strerror(errno);
}

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* Strings of a test are never freed: its process ends with it. */
const char *fmt(const char *format, ...)
{
	char *text;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		FAIL("out of memory");
	va_end(ap);
	return text;
}

static int close_keeping_errno(int fd, int ret)
{
	int saved = errno;

	if (close(fd) < 0 && ret == 0)
		return -1;
	errno = saved;
	return ret;
}

/* One write(2): a short one is an error, as a second would be another store. */
int file_store_bytes(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, data, len);
	if (n >= 0 && (size_t)n != len) {
		errno = EIO;
		n = -1;
	}
	return close_keeping_errno(fd, n < 0 ? -1 : 0);
}

int file_store(const char *path, const char *value)
{
	return file_store_bytes(path, value, strlen(value));
}

static int write_all(const char *path, int flags, const char *content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
	size_t len = strlen(content);

	if (fd < 0)
		return -1;
	while (len > 0) {
		ssize_t n = write(fd, content, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return close_keeping_errno(fd, -1);
		content += n;
		len -= (size_t)n;
	}
	return close_keeping_errno(fd, 0);
}

int file_write(const char *path, const char *content)
{
	return write_all(path, O_TRUNC, content);
}

int file_append(const char *path, const char *content)
{
	return write_all(path, O_APPEND, content);
}

const char *file_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return NULL;
	do {
		char *more = realloc(text, len + 4097);

		if (!more)
			FAIL("out of memory");
		text = more;
		n = read(fd, text + len, 4096);
		if (n > 0)
			len += (size_t)n;
		if (len > FILE_READ_MAX) {
			errno = EFBIG;
			n = -1;
		}
	} while (n > 0);
	if (close_keeping_errno(fd, (int)n) < 0) {
		free(text);
		return NULL;
	}
	if (len > 0 && text[len - 1] == '\n')
		len--;
	text[len] = '\0';
	return text;
}

const char *attr_read(const char *path)
{
	const char *text = file_read(path);

	if (!text)
		FAIL("cannot read %s: %s", path, strerror(errno));
	return text;
}

unsigned long long attr_number(const char *path)
{
	const char *text = attr_read(path);
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || !isdigit((unsigned char)text[0]))
		FAIL("%s holds \"%s\", which is no number", path, text);
	return value;
}

void make_dirs(const char *path)
{
	char *copy = strdup(path);

	if (!copy)
		FAIL("out of memory");
	for (char *p = copy + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			FAIL("mkdir %s: %s", copy, strerror(errno));
		*p = c;
		if (c == '\0')
			break;
	}
	free(copy);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void remove_tree(const char *path)
{
	if (nftw(path, remove_one, 64, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
		FAIL("cannot remove %s: %s", path, strerror(errno));
}

/* run-mini gives each disk its label as its serial number. */
static const char *disk_by_label(const char *label)
{
	const char *found = NULL;
	struct dirent *entry;
	DIR *dir = opendir("/sys/block");

	if (!dir)
		FAIL("/sys/block: %s", strerror(errno));
	while (!found && (entry = readdir(dir))) {
		const char *serial = file_read(fmt("/sys/block/%s/serial", entry->d_name));

		if (serial && strcmp(serial, label) == 0)
			found = fmt("/dev/%s", entry->d_name);
	}
	closedir(dir);
	return found;
}

static void unmount_dir(void *dir)
{
	if (umount(dir) < 0)
		FAIL("umount %s: %s", (const char *)dir, strerror(errno));
}

void mount_disk(const char *label, const char *dir)
{
	static const char *const types[] = { "ext4", "xfs", "btrfs", "f2fs", "vfat", "exfat" };
	const char *disk = NULL, *type = NULL;
	size_t i;
	int err = ENODEV;

	make_dirs(dir);
	if (strcmp(label, "tmpfs") == 0) {
		CHECK_OK(mount("tmpfs", dir, "tmpfs", 0, NULL));
		defer(unmount_dir, (void *)dir);
		return;
	}
	disk = disk_by_label(label);
	if (!disk)
		FAIL("no disk labelled %s is attached", label);
	for (i = 0; i < ARRAY_SIZE(types) && !type; i++) {
		if (mount(disk, dir, types[i], 0, NULL) == 0)
			type = types[i];
		else if (errno != EINVAL && errno != ENODEV)
			err = errno;
	}
	if (!type && err == ENODEV)
		SKIP("this kernel cannot mount the filesystem of %s", label);
	if (!type)
		FAIL("mount %s: %s", label, strerror(err));
	defer(unmount_dir, (void *)dir);
}

int module_load(const char *params)
{
	const char *path = getenv("AZS_MODULE");
	int fd, ret;

	if (!path)
		FAIL("AZS_MODULE is not set: run-mini was told to take no module");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		FAIL("%s: %s", path, strerror(errno));
	ret = (int)syscall(SYS_finit_module, fd, params ? params : "", 0);
	return close_keeping_errno(fd, ret);
}

int module_unload(void)
{
	return (int)syscall(SYS_delete_module, MODULE_NAME, O_NONBLOCK);
}

bool module_loaded(void)
{
	return access("/sys/module/" MODULE_NAME, F_OK) == 0;
}

static struct {
	int fd;
	char *seen;		/* what came since the mark */
	size_t len;
} klog = { .fd = -1 };

void klog_mark(void)
{
	if (klog.fd < 0)
		klog.fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (klog.fd < 0)
		FAIL("/dev/kmsg: %s", strerror(errno));
	lseek(klog.fd, 0, SEEK_END);
	klog.len = 0;
}

bool klog_has(const char *text)
{
	char record[8192];
	ssize_t n;

	if (klog.fd < 0)
		FAIL("klog_has() without klog_mark()");
	/* A read gives one record; EPIPE says that the ring overtook us. */
	while ((n = read(klog.fd, record, sizeof(record))) > 0 || errno == EPIPE) {
		char *more;

		if (n < 0)
			FAIL("the kernel log overflowed while it was watched");
		more = realloc(klog.seen, klog.len + (size_t)n + 1);
		if (!more)
			FAIL("out of memory");
		klog.seen = more;
		memcpy(klog.seen + klog.len, record, (size_t)n);
		klog.len += (size_t)n;
		klog.seen[klog.len] = '\0';
	}
	return klog.len > 0 && strstr(klog.seen, text);
}

void klog_write(const char *text)
{
	CHECK_OK(file_store("/dev/kmsg", fmt("%s\n", text)));
}

int run(const char *program, ...)
{
	const char *argv[32] = { program };
	size_t argc = 1;
	int status;
	va_list ap;
	pid_t pid;

	va_start(ap, program);
	while (argc < ARRAY_SIZE(argv) - 1 && (argv[argc] = va_arg(ap, const char *)))
		argc++;
	va_end(ap);
	argv[argc] = NULL;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		FAIL("fork: %s", strerror(errno));
	if (pid == 0) {
		execvp(program, (char *const *)argv);
		fprintf(stderr, "%s: %s\n", program, strerror(errno));
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		CHECK_MSG(errno == EINTR, "waitpid: %s", strerror(errno));
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
