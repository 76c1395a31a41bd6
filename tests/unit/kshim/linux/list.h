/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSHIM_LIST_H
#define KSHIM_LIST_H

#include <linux/llist.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next;
	struct hlist_node **link;	/* what points here; NULL: in no list */
};

struct hlist_head {
	struct hlist_node *first;
};

static inline bool hlist_unhashed(const struct hlist_node *n)
{
	return !n->link;
}

static inline void hlist_add_head_rcu(struct hlist_node *n, struct hlist_head *head)
{
	n->next = head->first;
	n->link = &head->first;
	if (n->next)
		n->next->link = &n->next;
	head->first = n;
}

/* Readers that are at the node go on from it. */
static inline void hlist_del_init_rcu(struct hlist_node *n)
{
	if (hlist_unhashed(n))
		return;
	*n->link = n->next;
	if (n->next)
		n->next->link = n->link;
	n->link = NULL;
}

#define kshim_hlist_entry(node, pos, member) ({						\
	struct hlist_node *n_ = (node);							\
	n_ ? container_of(n_, __typeof__(*(pos)), member) : NULL; })

#define hlist_for_each_entry_rcu(pos, head, member)					\
	for (kshim_assert_rcu(), pos = kshim_hlist_entry((head)->first, pos, member);	\
	     pos; pos = kshim_hlist_entry(pos->member.next, pos, member))

#define hlist_for_each_entry(pos, head, member)						\
	for (pos = kshim_hlist_entry((head)->first, pos, member);			\
	     pos; pos = kshim_hlist_entry(pos->member.next, pos, member))

#define hlist_for_each_entry_safe(pos, following, head, member)				\
	for (pos = kshim_hlist_entry((head)->first, pos, member);			\
	     pos && ((following = pos->member.next), true);				\
	     pos = kshim_hlist_entry(following, pos, member))

#endif /* KSHIM_LIST_H */
