/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSHIM_MUTEX_H
#define KSHIM_MUTEX_H

struct mutex {
	bool locked;
};

#endif /* KSHIM_MUTEX_H */
