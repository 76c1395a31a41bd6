/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSHIM_LLIST_H
#define KSHIM_LLIST_H

#include <linux/types.h>

struct llist_node {
	struct llist_node *next;
};

struct llist_head {
	struct llist_node *first;
};

#define LLIST_HEAD(name)	struct llist_head name

/* True if the list was empty. */
static inline bool llist_add(struct llist_node *n, struct llist_head *head)
{
	n->next = head->first;
	head->first = n;
	return !n->next;
}

static inline struct llist_node *llist_del_all(struct llist_head *head)
{
	struct llist_node *all = head->first;

	head->first = NULL;
	return all;
}

#define kshim_llist_entry(node, pos, member) ({						\
	struct llist_node *n_ = (node);							\
	n_ ? container_of(n_, __typeof__(*(pos)), member) : NULL; })

#define llist_for_each_entry_safe(pos, n, node, member)					\
	for (pos = kshim_llist_entry(node, pos, member);				\
	     pos && ((n = kshim_llist_entry(pos->member.next, pos, member)), true);	\
	     pos = n)

#endif /* KSHIM_LLIST_H */
