/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSHIM_DEVICE_H
#define KSHIM_DEVICE_H

#include <linux/list.h>
#include <linux/types.h>

struct device {
	unsigned int refs;
};

struct attribute_group;

static inline void get_device(struct device *dev)
{
	dev->refs++;
}

static inline void put_device(struct device *dev)
{
	dev->refs--;
}

#endif /* KSHIM_DEVICE_H */
