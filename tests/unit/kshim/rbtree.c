/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A treap: priorities are random, and a parent's is never below its children's. */
#include <linux/rbtree.h>

#include "kshim.h"

static unsigned int next_priority(void)
{
	static unsigned int x = 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

static struct rb_node **link_of(struct rb_root *root, struct rb_node *n)
{
	if (!n->parent)
		return &root->rb_node;
	return n->parent->rb_left == n ? &n->parent->rb_left : &n->parent->rb_right;
}

/* Turns the edge between a node and its parent: the node comes out on top. */
static void raise(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *p = n->parent, *moved;

	*link_of(root, p) = n;
	n->parent = p->parent;
	if (p->rb_left == n) {
		moved = n->rb_right;
		p->rb_left = moved;
		n->rb_right = p;
	} else {
		moved = n->rb_left;
		p->rb_right = moved;
		n->rb_left = p;
	}
	if (moved)
		moved->parent = p;
	p->parent = n;
}

static struct rb_node *rb_prev(const struct rb_node *n)
{
	if (n->rb_left) {
		for (n = n->rb_left; n->rb_right;)
			n = n->rb_right;
		return (struct rb_node *)n;
	}
	while (n->parent && n->parent->rb_left == n)
		n = n->parent;
	return n->parent;
}

void rb_add(struct rb_node *node, struct rb_root *root, rb_less *less)
{
	struct rb_node **link = &root->rb_node, *parent = NULL;

	if (node->priority)
		kshim_die("rb_add of a node that is in a tree");
	while (*link) {
		parent = *link;
		link = less(node, parent) ? &parent->rb_left : &parent->rb_right;
	}
	*node = (struct rb_node){ .parent = parent, .priority = next_priority() };
	*link = node;
	if (rb_prev(node) && less(node, rb_prev(node)))
		kshim_die("rb_add: the node before is out of order");
	if (rb_next(node) && less(rb_next(node), node))
		kshim_die("rb_add: the node after is out of order");
	while (node->parent && node->parent->priority < node->priority)
		raise(root, node);
}

void rb_erase(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *top = node, *child;

	if (!node->priority)
		kshim_die("rb_erase of a node that is in no tree");
	while (top->parent)
		top = top->parent;
	if (root->rb_node != top)
		kshim_die("rb_erase of a node that is in another tree");
	while (node->rb_left && node->rb_right)
		raise(root, node->rb_left->priority > node->rb_right->priority ?
			    node->rb_left : node->rb_right);
	child = node->rb_left ? node->rb_left : node->rb_right;
	*link_of(root, node) = child;
	if (child)
		child->parent = node->parent;
	*node = (struct rb_node){ NULL };
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->rb_node;

	while (n && n->rb_left)
		n = n->rb_left;
	return n;
}

struct rb_node *rb_next(const struct rb_node *n)
{
	if (n->rb_right) {
		for (n = n->rb_right; n->rb_left;)
			n = n->rb_left;
		return (struct rb_node *)n;
	}
	while (n->parent && n->parent->rb_right == n)
		n = n->parent;
	return n->parent;
}
