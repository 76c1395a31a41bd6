/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Work that is recorded until the test runs it; kshim.c. */
#ifndef KSHIM_WORKQUEUE_H
#define KSHIM_WORKQUEUE_H

#include <linux/types.h>

struct work_struct {
	void (*func)(struct work_struct *work);
	bool queued;
	struct work_struct *next;
};

struct delayed_work {
	struct work_struct work;
	struct {
		unsigned long expires;	/* jiffies */
	} timer;
};

struct workqueue_struct;
#define system_wq	((struct workqueue_struct *)NULL)

#define DECLARE_WORK(name, function)	struct work_struct name = { .func = function }
#define INIT_DELAYED_WORK(dw, function)	\
	(*(dw) = (struct delayed_work){ .work = { .func = (function) } })

void schedule_work(struct work_struct *work);
void flush_work(struct work_struct *work);
void mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *dw, unsigned long delay);
void cancel_delayed_work_sync(struct delayed_work *dw);

static inline bool delayed_work_pending(const struct delayed_work *dw)
{
	return dw->work.queued;
}

static inline struct delayed_work *to_delayed_work(struct work_struct *work)
{
	return container_of(work, struct delayed_work, work);
}

#endif /* KSHIM_WORKQUEUE_H */
