/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSHIM_RCULIST_H
#define KSHIM_RCULIST_H

#include <linux/list.h>

#endif /* KSHIM_RCULIST_H */
