/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSHIM_VMALLOC_H
#define KSHIM_VMALLOC_H

#include <linux/slab.h>

#endif /* KSHIM_VMALLOC_H */
