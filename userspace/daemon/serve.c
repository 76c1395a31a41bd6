/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Waits for the device, runs the engine on it, and ends it in order. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "daemon/daemon.h"
#include "engine/engine.h"

#define DEVICE_POLL_MS	1000
#define STATUS_EVERY_S	1
#define DRAIN_MS	8000		/* of the 10 s within which a stop has to be over */

static volatile sig_atomic_t stopping;
static struct engine *_Atomic running;	/* for the signal handler to wake */

static void on_signal(int signal)
{
	struct engine *engine = running;

	(void)signal;
	stopping = 1;
	if (engine)
		engine_wake(engine);
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* The device may come later: the module is loaded when somebody wants it. */
static int wait_for_device(struct kdev **kdev, const struct options *o, struct error *e)
{
	int dir = open(o->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool told = false;
	int r = dir < 0 ? error_set_errno(e, -errno, "%s", o->state_dir) : -EAGAIN;

	while (dir >= 0 && !stopping) {
		r = kdev_open(kdev, o->device, &dir, 1, e);
		if (r != -ENOENT && r != -ENODEV && r != -ENXIO && r != -EPROTO)
			break;
		if (!told) {
			log_notice("waiting for %s: %s", o->device, e->message);
			sd_notifyf(0, "READY=1\nSTATUS=waiting: %s", e->message);
		}
		told = true;
		sd_notify(0, "WATCHDOG=1");
		poll(NULL, 0, DEVICE_POLL_MS);
	}
	if (dir >= 0)
		close(dir);
	if (stopping && r)
		return -EINTR;
	return r;
}

static void tell_systemd(const struct engine *engine)
{
	static time_t last;
	struct engine_status s;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - last < STATUS_EVERY_S)
		return;
	last = now.tv_sec;
	engine_status(engine, &s);
	sd_notifyf(0, "WATCHDOG=1\nSTATUS=%u mappings, %u blocked, %" PRIu64 " files on their way, "
		   "%" PRIu64 " uploaded, %" PRIu64 " failed", s.mappings, s.blocked,
		   s.backlog_files, s.uploaded_files, s.failed);
}

static int run(struct kdev *kdev, const struct options *o, const struct settings *settings,
	       struct error *e)
{
	char path[PATH_MAX];
	struct engine_config config = {
		.state_path = path,
		.credentials_dir = o->credentials_dir,
		.max_requests = settings->max_requests,
		.buffer_bytes = settings->buffer_bytes,
		.delete_delay_ms = settings->delete_delay_ms,
	};
	struct engine *engine;
	int r;

	if (snprintf(path, sizeof(path), "%s/state.db", o->state_dir) >= (int)sizeof(path))
		return error_set(e, -ENAMETOOLONG, "%s", o->state_dir);
	r = engine_create(&engine, &config, e);
	if (r)
		return r;
	running = engine;
	r = engine_attach_kdev(engine, kdev, e);
	if (!r)
		sd_notify(0, "READY=1\nSTATUS=running");
	while (!r && !stopping) {
		r = engine_run(engine, 1000 * STATUS_EVERY_S, e);
		tell_systemd(engine);
	}
	sd_notify(0, "STOPPING=1");
	if (!r)
		engine_drain(engine, DRAIN_MS);
	running = NULL;
	engine_free(engine);
	return r;
}

int serve(const struct options *o, const struct settings *settings)
{
	struct error e = { 0 };
	struct kdev *kdev = NULL;
	int r;

	catch_signals();
	r = wait_for_device(&kdev, o, &e);
	if (!r) {
		log_notice("module %s, protocol %u", kdev_version(kdev)->module,
			   kdev_version(kdev)->abi);
		r = run(kdev, o, settings, &e);
		/* Gives back whatever is still out. */
		kdev_close(kdev);
	}
	if (r && r != -EINTR) {
		log_error("%s", e.message);
		sd_notifyf(0, "STATUS=%s\nERRNO=%d", e.message, -r);
		return EXIT_FAILURE;
	}
	log_notice("stopped");
	return EXIT_SUCCESS;
}
