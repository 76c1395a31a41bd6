/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is out: exclusive, never forgotten, opened and called quiet by the rules. */
#include "kshim/set.h"

#define CONTENT		AZS_DIRTY_CONTENT
#define SUBTREE		AZS_DIRTY_SUBTREE

static void never_out_twice(void **state)
{
	struct azs_mapping *m = set_start();
	u64 id, again;

	(void)state;
	set_dirty(m, "a", 0);
	kshim_advance_ms(500);
	id = set_take_path(m, "a", AZS_REC_PATH, 0);
	set_dirty(m, "a", CONTENT);
	kshim_advance_ms(400000);
	assert_true(set_has_none(m));
	set_check(m);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	again = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	assert_true(again > id);
	set_end(m);
}

static void changed_while_out_is_pending_as_of_the_change(void **state)
{
	struct azs_mapping *m = set_start();
	struct set_record r;
	u64 id;

	(void)state;
	set_dirty(m, "a", CONTENT);
	kshim_advance_ms(500);
	id = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	set_dirty(m, "b", 0);
	set_dirty(m, "a", 0);
	set_dirty(m, "a", 0);
	assert_int_equal(azs_dirty_flushed(m), 0);
	kshim_advance_ms(500);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_int_equal(azs_dirty_flushed(m), 1);
	set_take_path(m, "b", AZS_REC_PATH, 0);
	r = set_take(m);
	assert_int_equal(r.err, 0);
	assert_string_equal(r.path, "a");
	/* For what changed only: the content was uploaded. */
	assert_int_equal(r.rec.flags, 0);
	assert_int_equal(r.rec.seq, 3);
	assert_int_equal(r.rec.age_ms, 500);
	set_check(m);
	set_end(m);
}

static void subtree_that_is_out_and_changes(void **state)
{
	struct azs_mapping *m = set_start();
	u64 id;

	(void)state;
	set_dirty(m, "d", SUBTREE | CONTENT);
	kshim_advance_ms(500);
	id = set_take_path(m, "d", AZS_REC_SUBTREE, AZS_ENTRY_CONTENT);
	/* Below it: an entry of its own. The directory itself: a path. */
	set_dirty(m, "d/x", 0);
	set_dirty(m, "d", 0);
	assert_non_null(set_find(m, "d/x"));
	kshim_advance_ms(500);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	set_take_path(m, "d/x", AZS_REC_PATH, 0);
	id = set_take_path(m, "d", AZS_REC_PATH, 0);
	set_dirty(m, "d", SUBTREE);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	kshim_advance_ms(500);
	set_take_path(m, "d", AZS_REC_SUBTREE, 0);
	set_check(m);
	set_end(m);
}

static void again_keeps_sequence_and_age_and_waits(void **state)
{
	struct azs_mapping *m = set_start();
	struct set_record r;
	u64 id;

	(void)state;
	set_dirty(m, "a", CONTENT);
	kshim_advance_ms(500);
	set_dirty(m, "b", 0);
	id = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	assert_int_equal(set_again(id, 2000), 0);
	kshim_advance_ms(1996);
	set_take_path(m, "b", AZS_REC_PATH, 0);
	/* Not even an event or a flush is faster. */
	azs_dirty_flush(m);
	set_dirty(m, "a", 0);
	assert_true(set_has_none(m));
	kshim_advance_ms(4);
	r = set_take(m);
	assert_int_equal(r.err, 0);
	assert_string_equal(r.path, "a");
	assert_int_equal(r.rec.seq, 1);
	assert_int_equal(r.rec.age_ms, 2500);
	assert_int_equal(r.rec.flags, AZS_ENTRY_CONTENT | AZS_ENTRY_RETRY);
	assert_int_equal(set_again(r.rec.entry, ~0u), 0);
	kshim_advance_ms(1u << 30);
	assert_true(set_has_none(m));
	set_end(m);
}

static void putback_keeps_order_and_marks_a_retry(void **state)
{
	struct azs_mapping *m = set_start();
	static const char *const names[] = { "c", "a", "b", "e", "d" };
	unsigned int i;
	u64 ids[5];

	(void)state;
	for (i = 0; i < 5; i++)
		set_dirty(m, names[i], 0);
	kshim_advance_ms(500);
	for (i = 0; i < 5; i++)
		ids[i] = set_take_path(m, names[i], AZS_REC_PATH, 0);
	set_dirty(m, "b", CONTENT);
	assert_int_equal(set_done(ids[1], AZS_DONE_OK), 0);
	kshim.fail_every = 1;
	azs_dirty_putback(m);
	kshim.fail_every = 0;
	set_check(m);
	assert_int_equal(m->dirty.nr_out, 0);
	assert_int_equal(set_done(ids[0], AZS_DONE_OK), -ENOENT);
	kshim_advance_ms(500);
	set_take_path(m, "c", AZS_REC_PATH, AZS_ENTRY_RETRY);
	set_take_path(m, "b", AZS_REC_PATH, AZS_ENTRY_RETRY | AZS_ENTRY_CONTENT);
	set_take_path(m, "e", AZS_REC_PATH, AZS_ENTRY_RETRY);
	set_take_path(m, "d", AZS_REC_PATH, AZS_ENTRY_RETRY);
	assert_true(set_has_none(m));
	set_end(m);
}

static void untaken_was_never_out(void **state)
{
	struct azs_mapping *m = set_start();
	u64 id;

	(void)state;
	set_dirty(m, "a", 0);
	kshim_advance_ms(500);
	id = set_take_path(m, "a", AZS_REC_PATH, 0);
	azs_dirty_untake(m, id);
	azs_dirty_untake(m, id);
	set_take_path(m, "a", AZS_REC_PATH, 0);
	set_check(m);
	set_end(m);
}

static void not_more_than_4096_are_out(void **state)
{
	struct azs_mapping *m = set_start();
	struct set_record r;
	char path[16];
	int i;

	(void)state;
	for (i = 0; i < AZS_MAX_OUT + 1; i++) {
		snprintf(path, sizeof(path), "%d", i);
		set_dirty(m, path, 0);
	}
	kshim_advance_ms(500);
	for (i = 0; i < AZS_MAX_OUT; i++) {
		r = set_take(m);
		assert_int_equal(r.err, 0);
	}
	assert_true(set_has_none(m));
	assert_false(azs_dirty_is_ready(m));
	assert_int_equal(set_done(r.rec.entry, AZS_DONE_PARKED), 0);
	assert_true(azs_dirty_is_ready(m));
	set_end(m);
}

/* ---- OPEN ---- */

static void a_path_opens_its_own_file(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	u32 flags = 9;
	u64 id, none = 12345678;

	(void)state;
	set_event(m, "a", inode, CONTENT);
	kshim_advance_ms(500);
	id = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	assert_int_equal(set_open(m, &none, "a", inode, &flags), -ESTALE);
	assert_int_equal(set_open(m, &id, "a/b", inode, &flags), -EINVAL);
	assert_int_equal(set_open(m, &id, "b", inode, &flags), -EINVAL);
	assert_int_equal(set_open(m, &id, "a", inode, &flags), 0);
	assert_int_equal(flags, 0);
	assert_true(set_is_quiet(id));
	/* An attribute is no content. */
	set_event(m, "a", inode, 0);
	assert_true(set_is_quiet(id));
	inode->writers = 1;
	assert_false(set_is_quiet(id));
	inode->writers = 0;
	assert_true(set_is_quiet(id));
	set_event(m, "a", inode, CONTENT);
	assert_false(set_is_quiet(id));
	/* Read it again: but not before it is quiet. */
	assert_int_equal(set_open(m, &id, "a", inode, &flags), -EAGAIN);
	assert_int_equal(set_done(id, AZS_DONE_OK), -ENOENT);
	kshim_advance_ms(500);
	set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT | AZS_ENTRY_RETRY);
	set_end(m);
}

static void a_file_replaced_while_it_is_read_is_not_quiet(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *old = set_inode(), *new = set_inode();
	u32 flags;
	u64 id;

	(void)state;
	set_event(m, "a", old, CONTENT);
	kshim_advance_ms(500);
	id = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	assert_int_equal(set_open(m, &id, "a", old, &flags), 0);
	/* Another is renamed over it; somebody writes to the old one all the same. */
	old->i_nlink = 0;
	old->writers = 1;
	set_event(m, "a", new, 0);
	assert_false(set_is_quiet(id));
	set_end(m);
}

static void open_below_a_subtree_inherits(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	struct set_record r;
	u64 lead, id;
	u32 flags;

	(void)state;
	set_dirty(m, "d", SUBTREE | CONTENT);
	kshim_advance_ms(500);
	lead = set_take_path(m, "d", AZS_REC_SUBTREE, AZS_ENTRY_CONTENT);
	kshim_advance_ms(1000);
	set_dirty(m, "z", 0);
	id = lead;
	assert_int_equal(set_open(m, &id, "e/x", inode, &flags), -EINVAL);
	assert_int_equal(set_open(m, &id, "d", inode, &flags), -EINVAL);
	assert_int_equal(set_open(m, &id, "d/x", inode, &flags), 0);
	assert_int_not_equal(id, lead);
	assert_true(set_is_quiet(id));
	set_check(m);
	/* The subtree is done, the file is not: nothing later counts as flushed. */
	assert_int_equal(set_done(lead, AZS_DONE_OK), 0);
	assert_int_equal(azs_dirty_flushed(m), 0);
	assert_int_equal(azs_dirty_oldest_ms(m), 1500);
	assert_int_equal(set_again(id, 0), 0);
	r = set_take(m);
	assert_string_equal(r.path, "d/x");
	assert_int_equal(r.rec.seq, 1);
	assert_int_equal(r.rec.flags, AZS_ENTRY_CONTENT | AZS_ENTRY_RETRY);
	assert_int_equal(set_done(r.rec.entry, AZS_DONE_OK), 0);
	assert_int_equal(azs_dirty_flushed(m), 1);
	set_end(m);
}

static void open_below_takes_over_what_is_pending(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	u64 lead, id;
	u32 flags;

	(void)state;
	set_dirty(m, "d", SUBTREE);
	kshim_advance_ms(500);
	lead = id = set_take_path(m, "d", AZS_REC_SUBTREE, 0);
	set_event(m, "d/x", inode, CONTENT);
	assert_int_equal(set_open(m, &id, "d/x", inode, &flags), -EAGAIN);
	assert_int_equal(set_find(m, "d/x")->seq, 1);
	kshim_advance_ms(500);
	assert_int_equal(set_open(m, &id, "d/x", inode, &flags), 0);
	assert_true(set_has_none(m));
	assert_int_equal(set_done(lead, AZS_DONE_OK), 0);
	assert_int_equal(azs_dirty_flushed(m), 0);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_int_equal(azs_dirty_flushed(m), 2);
	set_end(m);
}

static void open_below_of_what_is_not_ready(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *open = set_inode(), *fresh = set_inode();
	u64 lead, id;
	u32 flags;

	(void)state;
	set_dirty(m, "", SUBTREE);
	kshim_advance_ms(500);
	lead = id = set_take_path(m, "", AZS_REC_SUBTREE, 0);
	open->writers = 1;
	ktime_get_real_ts64(&fresh->ctime);
	assert_int_equal(set_open(m, &id, "o", open, &flags), -EAGAIN);
	assert_int_equal(set_open(m, &id, "f", fresh, &flags), -EAGAIN);
	assert_int_equal(id, lead);
	set_check(m);
	assert_int_equal(set_done(lead, AZS_DONE_OK), 0);
	assert_int_equal(azs_dirty_flushed(m), 0);
	kshim_advance_ms(496);
	assert_true(set_has_none(m));
	kshim_advance_ms(4);
	set_take_path(m, "f", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	open->writers = 0;
	set_event(m, "o", open, AZS_DIRTY_CLOSED | CONTENT);
	kshim_advance_ms(500);
	set_take_path(m, "o", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	set_end(m);
}

static void open_below_is_bounded(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	char path[16];
	u64 lead, id;
	u32 flags;
	int i;

	(void)state;
	m->max_pending = 10;
	set_dirty(m, "", SUBTREE);
	kshim_advance_ms(500);
	lead = id = set_take_path(m, "", AZS_REC_SUBTREE, 0);
	inode->writers = 1;
	for (i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "%d", i);
		assert_int_equal(set_open(m, &id, path, inode, &flags), -EAGAIN);
		assert_true(m->dirty.nr_pending <= 10);
	}
	set_check(m);
	/* What found no room is found by another scan, and is not flushed before. */
	assert_int_equal(set_done(lead, AZS_DONE_OK), 0);
	assert_int_equal(azs_dirty_flushed(m), 0);
	assert_true(set_has_none(m));
	kshim_advance_ms(500);
	set_take_path(m, "", AZS_REC_SUBTREE, 0);
	set_end(m);
}

static void open_below_of_a_file_that_rests(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	u32 flags;
	u64 id;

	(void)state;
	/* Longer than anything the module remembers of this file: its ctime tells. */
	m->settle_ms = 200000;
	set_dirty(m, "", SUBTREE);
	kshim_advance_ms(200000);
	id = set_take_path(m, "", AZS_REC_SUBTREE, 0);
	assert_int_equal(set_open(m, &id, "old", inode, &flags), 0);
	set_end(m);
}

static void open_below_of_a_directory_of_a_moment_ago(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	u64 lead, id;
	u32 flags;

	(void)state;
	set_dirty(m, "d", SUBTREE | CONTENT);
	kshim_advance_ms(500);
	lead = id = set_take_path(m, "d", AZS_REC_SUBTREE, AZS_ENTRY_CONTENT);
	set_dirty(m, "d/x", SUBTREE);
	assert_int_equal(set_open(m, &id, "d/x", inode, &flags), -EBUSY);
	assert_int_equal(set_done(lead, AZS_DONE_OK), 0);
	assert_int_equal(azs_dirty_flushed(m), 0);
	set_check(m);
	kshim_advance_ms(500);
	set_take_path(m, "d/x", AZS_REC_SUBTREE, AZS_ENTRY_CONTENT);
	set_end(m);
}

static void open_failed_waits_a_moment(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	u32 flags;
	u64 id;

	(void)state;
	set_event(m, "a", inode, CONTENT);
	kshim_advance_ms(500);
	id = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	assert_int_equal(set_open(m, &id, "a", inode, &flags), 0);
	azs_dirty_open_failed(m, id);
	assert_true(set_has_none(m));
	kshim_advance_ms(500);
	set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT | AZS_ENTRY_RETRY);
	set_end(m);
}

/* A flush waives settle_ms; what cannot be opened must not go round and round for it. */
static void open_failed_waits_also_when_settle_is_waived(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	u32 flags;
	u64 id;

	(void)state;
	set_event(m, "a", inode, CONTENT);
	azs_dirty_flush(m);
	id = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	assert_int_equal(set_open(m, &id, "a", inode, &flags), 0);
	azs_dirty_open_failed(m, id);
	assert_true(set_has_none(m));
	kshim_advance_ms(96);
	assert_true(set_has_none(m));
	kshim_advance_ms(4);
	set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT | AZS_ENTRY_RETRY);
	set_end(m);
}

/* Who waits for a flush while the mapping is disabled must not hear that it is done. */
static void what_a_stop_drops_is_not_flushed(void **state)
{
	struct azs_mapping *m = set_start();
	u64 id, number;

	(void)state;
	set_dirty(m, "a", CONTENT);
	set_dirty(m, "b", CONTENT);
	number = azs_dirty_flush(m);
	id = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_true(azs_dirty_flushed(m) == 1);
	azs_dirty_stop(m);
	assert_true(azs_dirty_flushed(m) == 1);
	azs_dirty_free(m);
	assert_true(azs_dirty_flushed(m) == 1);
	/* The next start looks at everything: then it is. */
	assert_int_equal(azs_dirty_start(m), 0);
	set_dirty(m, "", SUBTREE);
	assert_true(azs_dirty_flushed(m) == 1);
	id = set_take_path(m, "", AZS_REC_SUBTREE, 0);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_true(azs_dirty_flushed(m) >= number);
	set_end(m);
}

/* Folding makes the whole folder due in somebody's write: the hand-out tells of the state. */
static void taking_the_whole_folder_tells_of_the_state(void **state)
{
	struct azs_mapping *m = set_start();

	(void)state;
	set_dirty(m, "", SUBTREE);
	assert_int_equal(kshim.state_changes, 0);
	kshim_advance_ms(500);
	set_take_path(m, "", AZS_REC_SUBTREE, 0);
	assert_int_equal(kshim.state_changes, 1);
	set_end(m);
}

/* ---- an entry that is out below a SUBTREE that came later ---- */

static void absorbed_events_disturb_what_is_out(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	u32 flags;
	u64 id;

	(void)state;
	set_event(m, "d/x", inode, CONTENT);
	kshim_advance_ms(500);
	id = set_take_path(m, "d/x", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	assert_int_equal(set_open(m, &id, "d/x", inode, &flags), 0);
	set_dirty(m, "", SUBTREE | CONTENT);
	/* The root is due, but not all that is said of this file is known thereby. */
	assert_false(set_is_known(inode, true, false));
	assert_false(set_is_root_known(m, true));
	set_event(m, "d/x", inode, CONTENT);
	assert_false(set_is_quiet(id));
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	set_check(m);
	set_end(m);
}

/* Who prunes below the old name of a directory may have come before the commit. */
static void what_was_out_while_a_directory_moved_is_looked_at_again(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	u32 flags;
	u64 id;

	(void)state;
	set_event(m, "d/x", inode, CONTENT);
	kshim_advance_ms(500);
	id = set_take_path(m, "d/x", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	assert_int_equal(set_open(m, &id, "d/x", inode, &flags), 0);
	azs_dirty_moved(m, "d", 1, true);
	kshim_advance_ms(500);
	assert_int_equal(set_done(set_take_path(m, "d", AZS_REC_SUBTREE, 0), AZS_DONE_OK), 0);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_int_equal(m->dirty.nr_pending, 1);
	kshim_advance_ms(500);
	id = set_take_path(m, "d/x", AZS_REC_PATH, 0);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_int_equal(m->dirty.nr_pending, 0);
	set_check(m);
	set_end(m);
}

static void what_an_older_hand_out_may_have_missed_is_due_again(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	u64 id, lead, other;
	u32 flags;

	(void)state;
	set_event(m, "d/x", inode, CONTENT);
	kshim_advance_ms(500);
	id = set_take_path(m, "d/x", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	/* Another folder takes the place of d: its files raise no events of their own. */
	azs_dirty_moved(m, "d", 1, true);
	set_dirty(m, "d", SUBTREE);
	kshim_advance_ms(500);
	lead = other = set_take_path(m, "d", AZS_REC_SUBTREE, 0);
	assert_int_equal(set_open(m, &other, "d/x", set_inode(), &flags), -EBUSY);
	assert_int_equal(set_done(lead, AZS_DONE_OK), 0);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_int_equal(azs_dirty_flushed(m), 1);
	kshim_advance_ms(500);
	set_take_path(m, "d/x", AZS_REC_PATH, 0);
	set_check(m);
	set_end(m);
}

static void a_lead_that_wants_hashing_is_not_answered_by_one_without(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	u64 id, lead, other;
	u32 flags;

	(void)state;
	set_dirty(m, "d", SUBTREE | CONTENT);
	kshim_advance_ms(500);
	lead = other = set_take_path(m, "d", AZS_REC_SUBTREE, AZS_ENTRY_CONTENT);
	set_event(m, "d/x", inode, 0);
	kshim_advance_ms(500);
	id = set_take_path(m, "d/x", AZS_REC_PATH, 0);
	assert_int_equal(set_open(m, &other, "d/x", inode, &flags), -EBUSY);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_int_equal(set_done(lead, AZS_DONE_OK), 0);
	assert_int_equal(azs_dirty_flushed(m), 0);
	kshim_advance_ms(500);
	set_take_path(m, "d/x", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	assert_true(set_has_none(m));
	set_end(m);
}

/* ---- DONE ---- */

static void unquiet_uploads_are_not_clean(void **state)
{
	struct azs_mapping *m = set_start();
	struct azs_done_item item = { .flags = AZS_DONE_UNQUIET | AZS_DONE_UPLOADED, .bytes = 77 };

	(void)state;
	set_dirty(m, "a", 0);
	kshim_advance_ms(500);
	item.entry = set_take_path(m, "a", AZS_REC_PATH, 0);
	assert_int_equal(azs_dirty_done(&item), 0);
	assert_int_equal(set_count(m, AZS_CNT_UPLOADED_FILES), 1);
	assert_int_equal(set_count(m, AZS_CNT_UPLOADED_BYTES), 77);
	set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	set_end(m);
}

static void inode_records_go_out_without_a_path(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	struct set_record r;
	u32 flags;
	u64 id;

	(void)state;
	azs_dirty_add_inode(m, ~0ull, 4294967295u);
	azs_dirty_add_inode(m, ~0ull, 4294967295u);
	assert_int_equal(m->dirty.nr_pending, 1);
	kshim_advance_ms(500);
	r = set_take(m);
	assert_int_equal(r.err, 0);
	assert_int_equal(r.rec.hdr.type, AZS_REC_INODE);
	assert_true(r.rec.ino == ~0ull);
	assert_int_equal(r.rec.generation, 4294967295u);
	assert_int_equal(r.rec.path_len, 0);
	assert_string_equal(r.path, "");
	assert_int_equal(r.rec.flags, AZS_ENTRY_CONTENT);
	id = r.rec.entry;
	assert_int_equal(set_open(m, &id, "any/where", inode, &flags), 0);
	assert_int_equal(set_done(r.rec.entry, AZS_DONE_OK), 0);
	assert_int_equal(azs_dirty_flushed(m), 0);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_int_equal(azs_dirty_flushed(m), 1);
	set_end(m);
}

static void draining_ends_with_what_is_out(void **state)
{
	struct azs_mapping *m = set_start();
	u64 a, b;

	(void)state;
	set_dirty(m, "a", 0);
	set_dirty(m, "b", 0);
	kshim_advance_ms(500);
	a = set_take_path(m, "a", AZS_REC_PATH, 0);
	b = set_take_path(m, "b", AZS_REC_PATH, 0);
	set_dirty(m, "c", 0);
	azs_dirty_stop(m);
	set_dirty(m, "d", 0);
	set_check(m);
	assert_int_equal(m->dirty.nr_pending, 0);
	assert_int_equal(set_again(a, 0), 0);
	assert_int_equal(kshim.drained, 0);
	assert_int_equal(set_done(b, AZS_DONE_OK), 0);
	assert_int_equal(kshim.drained, 1);
	set_end(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SET_TEST(never_out_twice),
		SET_TEST(changed_while_out_is_pending_as_of_the_change),
		SET_TEST(subtree_that_is_out_and_changes),
		SET_TEST(again_keeps_sequence_and_age_and_waits),
		SET_TEST(putback_keeps_order_and_marks_a_retry),
		SET_TEST(untaken_was_never_out),
		SET_TEST(not_more_than_4096_are_out),
		SET_TEST(a_path_opens_its_own_file),
		SET_TEST(a_file_replaced_while_it_is_read_is_not_quiet),
		SET_TEST(open_below_a_subtree_inherits),
		SET_TEST(open_below_takes_over_what_is_pending),
		SET_TEST(open_below_of_what_is_not_ready),
		SET_TEST(open_below_is_bounded),
		SET_TEST(open_below_of_a_file_that_rests),
		SET_TEST(open_below_of_a_directory_of_a_moment_ago),
		SET_TEST(open_failed_waits_a_moment),
		SET_TEST(open_failed_waits_also_when_settle_is_waived),
		SET_TEST(what_a_stop_drops_is_not_flushed),
		SET_TEST(taking_the_whole_folder_tells_of_the_state),
		SET_TEST(absorbed_events_disturb_what_is_out),
		SET_TEST(what_was_out_while_a_directory_moved_is_looked_at_again),
		SET_TEST(what_an_older_hand_out_may_have_missed_is_due_again),
		SET_TEST(a_lead_that_wants_hashing_is_not_answered_by_one_without),
		SET_TEST(unquiet_uploads_are_not_clean),
		SET_TEST(inode_records_go_out_without_a_path),
		SET_TEST(draining_ends_with_what_is_out),
	};

	return cmocka_run_group_tests_name("kernel_handout", tests, set_group_setup,
					   set_group_teardown);
}
