/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSHIM_PERCPU_H
#define KSHIM_PERCPU_H

/* One processor. */
#define this_cpu_add(counter, n)	((void)((counter) += (n)))

#endif /* KSHIM_PERCPU_H */
