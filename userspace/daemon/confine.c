/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/daemon.h"

static int become(const char *user, struct error *e)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(user);
	if (!pw)
		return error_set(e, -ENOENT, "there is no user %s", user);
	if (initgroups(user, pw->pw_gid) || setgid(pw->pw_gid) || setuid(pw->pw_uid))
		return error_set_errno(e, -errno, "cannot become %s", user);
	/* setuid(2) gave up the capabilities; nothing we could run may get any back. */
	if (pw->pw_uid != 0 && setuid(0) == 0)
		return error_set(e, -EPERM, "still root after becoming %s", user);
	return 0;
}

int confine(const struct options *o, struct error *e)
{
	const struct rlimit none = { 0, 0 };
	int r = 0;

	umask(077);
	if (geteuid() == 0 && o->user)
		r = become(o->user, e);
	else if (geteuid() == 0 && !o->allow_root)
		r = error_set(e, -EPERM, "it should not run as root: give it a --user");
	if (r)
		return r;
	/* The unit's filter of system calls may refuse the limit, which it has set itself. */
	if ((setrlimit(RLIMIT_CORE, &none) && errno != EPERM) ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return error_set_errno(e, -errno, "cannot keep secrets out of core dumps");
	return 0;
}
