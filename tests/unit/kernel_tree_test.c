/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The order of paths, and the searches that rest on it, against naive ones. */
#include <stdlib.h>

#include "kshim/set.h"

static int cmp(const char *a, const char *b)
{
	return azs_path_cmp(a, strlen(a), b, strlen(b));
}

static bool below(const char *path, const char *dir)
{
	return azs_path_is_below(path, strlen(path), dir, strlen(dir));
}

/* Few letters and names that are prefixes of one another, so that paths meet. */
static void random_path(char *path, size_t size)
{
	static const char *const names[] = { "a", "b", "ab", "a b", "a-b", "a\xff", "\x01", "abc" };
	size_t n = 0;
	int depth = rand() % 5;

	path[0] = 0;
	while (depth--)
		n += snprintf(path + n, size - n, "%s%s", n ? "/" : "", names[rand() % 8]);
}

static void order_puts_what_is_below_right_after(void **state)
{
	static const char *const sorted[] = {
		"", "//12:3", "\x01", "a", "a/", "a/b", "a/b/c", "a/c", "a\x01", "a b", "a-b", "a.b",
		"ab", "ab/c", "b", "\x7f", "\xff",
	};
	size_t i, j, n = sizeof(sorted) / sizeof(*sorted);

	(void)state;
	for (i = 0; i < n; i++)
		for (j = 0; j < n; j++)
			assert_int_equal(cmp(sorted[i], sorted[j]), i < j ? -1 : i > j);
}

static void below_means_a_whole_name(void **state)
{
	(void)state;
	assert_true(below("a", ""));
	assert_true(below("a/b", "a"));
	assert_true(below("a/b/c", "a/b"));
	assert_true(below("//1:2", ""));
	assert_false(below("", ""));
	assert_false(below("a", "a"));
	assert_false(below("ab", "a"));
	assert_false(below("a b", "a"));
	assert_false(below("a", "a/b"));
	assert_false(below("b/a", "a"));
}

static void order_is_total_and_subtrees_are_contiguous(void **state)
{
	char p[3][64];
	int i;

	(void)state;
	srand(1);
	for (i = 0; i < 200000; i++) {
		const char *a = p[0], *b = p[1], *c = p[2];

		random_path(p[0], sizeof(p[0]));
		random_path(p[1], sizeof(p[1]));
		random_path(p[2], sizeof(p[2]));
		assert_int_equal(cmp(a, b), -cmp(b, a));
		assert_int_equal(!cmp(a, b), !strcmp(a, b));
		if (cmp(a, b) < 0 && cmp(b, c) < 0)
			assert_true(cmp(a, c) < 0);
		if (below(b, a))
			assert_true(cmp(a, b) < 0);
		/* Between a directory and what is below it lies only what is below it. */
		if (below(c, a) && cmp(a, b) < 0 && cmp(b, c) < 0)
			assert_true(below(b, a));
	}
}

/* ---- searches ---- */

static bool accept_all(const struct azs_entry *e)
{
	(void)e;
	return true;
}

static bool accept_content(const struct azs_entry *e)
{
	return e->content;
}

static const struct azs_entry *naive_covering(struct azs_mapping *m, const char *path,
					      bool (*accept)(const struct azs_entry *e))
{
	const struct azs_entry *best = NULL;
	struct rb_node *n;

	for (n = rb_first(&m->dirty.by_path); n; n = rb_next(n)) {
		const struct azs_entry *e = rb_entry(n, struct azs_entry, path_node);

		if (e->type == AZS_REC_SUBTREE && accept(e) &&
		    (!strcmp(e->path, path) || below(path, e->path)) &&
		    (!best || e->path_len > best->path_len))
			best = e;
	}
	return best;
}

static const struct azs_entry *naive_first_below(struct azs_mapping *m, const char *dir)
{
	struct rb_node *n;

	for (n = rb_first(&m->dirty.by_path); n; n = rb_next(n))
		if (below(rb_entry(n, struct azs_entry, path_node)->path, dir))
			return rb_entry(n, struct azs_entry, path_node);
	return NULL;
}

/* Into the trees without the rules of events: nested subtrees stay apart. */
static void plant(struct azs_mapping *m, const char *path, u8 type, bool content)
{
	struct azs_entry *e;

	if (!*path || set_find(m, path))
		return;
	e = azs_entry_alloc(m, path, strlen(path));
	assert_non_null(e);
	spin_lock(&m->dirty.lock);
	e->type = type;
	e->content = content;
	e->seq = ++m->dirty.seq;
	azs_entry_link_path(&m->dirty, e);
	azs_entry_make_pending(e);
	spin_unlock(&m->dirty.lock);
}

static void searches_agree_with_naive_ones(void **state)
{
	char path[64];
	int round, i;

	(void)state;
	srand(2);
	for (round = 0; round < 300; round++) {
		struct azs_mapping *m = set_start();
		struct azs_dirty *d = &m->dirty;

		for (i = rand() % 40; i >= 0; i--) {
			random_path(path, sizeof(path));
			plant(m, path, rand() % 2 ? AZS_REC_SUBTREE : AZS_REC_PATH, rand() % 2);
		}
		if (rand() % 4 == 0)
			set_dirty(m, "", 0);
		set_check(m);
		for (i = 0; i < 200; i++) {
			size_t len;

			random_path(path, sizeof(path));
			len = strlen(path);
			spin_lock(&d->lock);
			assert_ptr_equal(azs_entry_covering_subtree(d, path, len, accept_all),
					 naive_covering(m, path, accept_all));
			assert_ptr_equal(azs_entry_covering_subtree(d, path, len, accept_content),
					 naive_covering(m, path, accept_content));
			assert_ptr_equal(azs_entry_first_below(d, path, len),
					 naive_first_below(m, path));
			spin_unlock(&d->lock);
		}
		set_end(m);
	}
}

static void next_by_sequence_needs_no_entry(void **state)
{
	struct azs_mapping *m = set_start();
	struct azs_dirty *d = &m->dirty;
	struct azs_entry *a, *b, *lo, *hi;

	(void)state;
	set_dirty(m, "a", 0);
	set_dirty(m, "b", 0);
	set_dirty(m, "c", 0);
	a = set_find(m, "a");
	b = set_find(m, "b");
	spin_lock(&d->lock);
	/* Two of one sequence, as inheriting makes them: both are visited, once. */
	azs_entry_unlink_seq(b);
	b->seq = a->seq;
	azs_entry_link_seq(b);
	lo = a < b ? a : b;
	hi = a < b ? b : a;
	assert_ptr_equal(azs_entry_next_seq(d, 0, NULL), lo);
	assert_ptr_equal(azs_entry_next_seq(d, 1, lo), hi);
	assert_string_equal(azs_entry_next_seq(d, 1, hi)->path, "c");
	assert_ptr_equal(azs_entry_next_seq(d, 3, azs_entry_lookup(d, "c", 1)), NULL);
	spin_unlock(&d->lock);
	set_end(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_puts_what_is_below_right_after),
		cmocka_unit_test(below_means_a_whole_name),
		cmocka_unit_test(order_is_total_and_subtrees_are_contiguous),
		SET_TEST(searches_agree_with_naive_ones),
		SET_TEST(next_by_sequence_needs_no_entry),
	};

	return cmocka_run_group_tests_name("kernel_tree", tests, set_group_setup,
					   set_group_teardown);
}
