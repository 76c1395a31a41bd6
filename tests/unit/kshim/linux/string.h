/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSHIM_STRING_H
#define KSHIM_STRING_H

#include <linux/types.h>

#endif /* KSHIM_STRING_H */
