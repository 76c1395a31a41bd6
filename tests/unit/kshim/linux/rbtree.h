/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Ordered trees: a treap behind the names that the module uses; rbtree.c. */
#ifndef KSHIM_RBTREE_H
#define KSHIM_RBTREE_H

#include <linux/types.h>

struct rb_node {
	struct rb_node *rb_left;
	struct rb_node *rb_right;
	struct rb_node *parent;
	unsigned int priority;		/* 0: in no tree */
};

struct rb_root {
	struct rb_node *rb_node;
};

struct rb_root_cached {
	struct rb_root rb_root;
};

#define RB_ROOT		((struct rb_root){ NULL })
#define RB_ROOT_CACHED	((struct rb_root_cached){ { NULL } })

typedef bool rb_less(struct rb_node *a, const struct rb_node *b);

/* Fails if a neighbour is out of order, that is, if a key changed inside the tree. */
void rb_add(struct rb_node *node, struct rb_root *root, rb_less *less);
/* Fails if the node is not in this tree. */
void rb_erase(struct rb_node *node, struct rb_root *root);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);

static inline void rb_add_cached(struct rb_node *node, struct rb_root_cached *root, rb_less *less)
{
	rb_add(node, &root->rb_root, less);
}

static inline void rb_erase_cached(struct rb_node *node, struct rb_root_cached *root)
{
	rb_erase(node, &root->rb_root);
}

#define rb_first_cached(root)	rb_first(&(root)->rb_root)
#define rb_entry(node, type, member)	container_of(node, type, member)
#define rb_entry_safe(node, type, member) \
	({ struct rb_node *n_ = (node); n_ ? rb_entry(n_, type, member) : NULL; })

#endif /* KSHIM_RBTREE_H */
