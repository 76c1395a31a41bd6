/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* When an entry is handed out: settle, writers, lag, flush, open writers. */
#include "kshim/set.h"

#define CONTENT		AZS_DIRTY_CONTENT
#define CLOSED		(AZS_DIRTY_CONTENT | AZS_DIRTY_CLOSED)
#define DAY_MS		86400000u

/* Advances in steps of one jiffy until something is ready; ms, or @limit_ms if nothing is. */
static unsigned int ms_until_ready(struct azs_mapping *m, unsigned int limit_ms)
{
	unsigned int ms = 0;

	while (!azs_dirty_is_ready(m) && ms < limit_ms) {
		kshim_advance_ms(KSHIM_MS_PER_JIFFY);
		ms += KSHIM_MS_PER_JIFFY;
	}
	return ms;
}

/* The same by the timer alone: nobody is asked unless it rings. Counts its rings. */
static unsigned int ms_until_woken(struct azs_mapping *m, unsigned int limit_ms,
				   unsigned int *rings)
{
	unsigned int ms = 0, before = kshim.wakes;

	for (*rings = 0; kshim.wakes == before && ms < limit_ms; ms += KSHIM_MS_PER_JIFFY) {
		kshim_advance_ms(KSHIM_MS_PER_JIFFY);
		*rings += kshim_run_timer(&m->dirty.timer);
	}
	return ms;
}

static void settles_after_the_last_event(void **state)
{
	struct azs_mapping *m = set_start();
	u64 id;

	(void)state;
	set_dirty(m, "a", 0);
	kshim_advance_ms(400);
	set_dirty(m, "a", CONTENT);
	assert_int_equal(ms_until_ready(m, 2000), 500);
	id = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	assert_true(set_has_none(m));
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_int_equal(set_done(id, AZS_DONE_OK), -ENOENT);
	assert_int_equal(azs_dirty_oldest_ms(m), 0);
	set_end(m);
}

static void a_known_event_delays_too(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();

	(void)state;
	set_event(m, "a", inode, CONTENT);
	kshim_advance_ms(496);
	assert_true(set_is_known(inode, true, false));
	kshim_advance_ms(8);
	assert_false(azs_dirty_is_ready(m));
	assert_int_equal(ms_until_ready(m, 2000), 492);
	/* What was ready and was written to since is not handed out. */
	assert_true(set_is_known(inode, true, false));
	assert_true(set_has_none(m));
	set_check(m);
	set_end(m);
}

static void a_timer_wakes_the_reader_once_it_is_due(void **state)
{
	struct azs_mapping *m = set_start();
	unsigned int rings;

	(void)state;
	assert_false(delayed_work_pending(&m->dirty.timer));
	set_dirty(m, "a", 0);
	assert_int_equal(ms_until_woken(m, 2000, &rings), 500);
	assert_int_equal(rings, 1);
	assert_true(azs_dirty_is_ready(m));
	assert_false(delayed_work_pending(&m->dirty.timer));
	set_end(m);
}

static void nobody_is_woken_without_an_uploader(void **state)
{
	struct azs_mapping *m = set_start();

	(void)state;
	kshim.connected = false;
	set_dirty(m, "a", 0);
	kshim_advance_ms(1000);
	assert_true(azs_dirty_is_ready(m));
	set_dirty(m, "b", 0);
	assert_int_equal(kshim.wakes, 0);
	assert_false(delayed_work_pending(&m->dirty.timer));
	set_end(m);
}

static void a_writer_holds_a_file_back_until_it_closes(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	unsigned int rings;

	(void)state;
	inode->writers = 1;
	set_event(m, "a", inode, CONTENT);
	assert_int_equal(ms_until_ready(m, 20000), 20000);
	/* While it closes, the closer is a writer still. */
	assert_false(set_is_known(inode, true, true));
	set_event(m, "a", inode, CLOSED);
	kshim_advance_ms(1000);
	assert_true(set_has_none(m));
	inode->writers = 0;
	assert_in_range(ms_until_woken(m, 2000, &rings), 4, 8);
	set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	set_end(m);
}

static void a_close_that_sees_a_writer_looks_again_ever_later(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	unsigned long before, expect = 1;
	unsigned int i;

	(void)state;
	m->max_lag_ms = 0;
	inode->writers = 2;
	set_event(m, "a", inode, CLOSED);
	kshim_advance_ms(500);
	for (i = 0; i < 12; i++) {
		assert_true(kshim_run_timer(&m->dirty.timer));
		assert_true(delayed_work_pending(&m->dirty.timer));
		before = kshim_jiffies;
		kshim_jiffies = m->dirty.timer.timer.expires;
		assert_int_equal(kshim_jiffies - before, expect);
		expect = expect * 2 > HZ ? HZ : expect * 2;
	}
	/* Another close is looked at soon again. */
	set_event(m, "a", inode, CLOSED);
	kshim_advance_ms(500);
	assert_true(kshim_run_timer(&m->dirty.timer));
	assert_int_equal(m->dirty.timer.timer.expires - kshim_jiffies, 1);
	assert_int_equal(kshim.wakes, 0);
	set_end(m);
}

static void max_lag_overrules_settle_and_writers(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *a = set_inode();
	unsigned int ms;

	(void)state;
	m->max_lag_ms = 3000;
	a->writers = 1;
	set_event(m, "a", a, CONTENT);
	for (ms = 0; ms < 2996; ms += 4) {
		kshim_advance_ms(4);
		set_event(m, "b", NULL, CONTENT);
		if (ms == 0)
			set_check(m);
		assert_true(set_has_none(m));
	}
	kshim_advance_ms(4);
	set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT | AZS_ENTRY_LAGGED);
	kshim_advance_ms(4);
	set_take_path(m, "b", AZS_REC_PATH, AZS_ENTRY_CONTENT | AZS_ENTRY_LAGGED);
	set_end(m);
}

static void max_lag_0_waits_for_the_close_for_ever(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	unsigned int i;

	(void)state;
	m->max_lag_ms = 0;
	inode->writers = 1;
	set_event(m, "a", inode, CONTENT);
	for (i = 0; i < 48; i++) {
		kshim_advance_ms(3600000);
		kshim_run_timer(&m->dirty.timer);
		assert_true(set_has_none(m));
	}
	inode->writers = 0;
	set_event(m, "a", inode, CLOSED);
	assert_int_equal(ms_until_ready(m, 2000), 500);
	set_end(m);
}

static void a_writer_that_comes_at_the_last_moment_is_no_lag(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	u32 flags;
	u64 id;

	(void)state;
	set_event(m, "a", inode, CONTENT);
	kshim_advance_ms(500);
	kshim.writer_opens = inode;
	kshim.writer_opens_at = 3;
	id = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	inode->writers = 1;
	assert_int_equal(set_open(m, &id, "a", inode, &flags), -EAGAIN);
	set_end(m);
}

static void flush_waives_settle_but_not_writers(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();

	(void)state;
	m->settle_ms = 60000;
	inode->writers = 1;
	set_event(m, "a", inode, CONTENT);
	set_dirty(m, "b", 0);
	set_dirty(m, "d", AZS_DIRTY_SUBTREE);
	assert_true(set_has_none(m));
	assert_int_equal(azs_dirty_flush(m), 3);
	assert_true(kshim.wakes > 0);
	set_take_path(m, "b", AZS_REC_PATH, 0);
	set_take_path(m, "d", AZS_REC_SUBTREE, 0);
	assert_true(set_has_none(m));
	/* What comes later settles as ever. */
	set_dirty(m, "c", 0);
	assert_true(set_has_none(m));
	inode->writers = 0;
	set_event(m, "a", inode, CLOSED);
	set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	assert_true(set_has_none(m));
	set_check(m);
	set_end(m);
}

static void oldest_change_goes_first(void **state)
{
	struct azs_mapping *m = set_start();

	(void)state;
	set_dirty(m, "z", 0);
	kshim_advance_ms(100);
	set_dirty(m, "a", 0);
	kshim_advance_ms(100);
	set_dirty(m, "m", AZS_DIRTY_SUBTREE);
	kshim_advance_ms(1000);
	set_dirty(m, "m/x", 0);
	assert_int_equal(azs_dirty_oldest_ms(m), 1200);
	set_take_path(m, "z", AZS_REC_PATH, 0);
	set_take_path(m, "a", AZS_REC_PATH, 0);
	set_take_path(m, "m", AZS_REC_SUBTREE, 0);
	set_end(m);
}

/* ---- files that stay open ---- */

/* @path is open for writing and was handed out for lag; now among the open writers. */
static void make_writer(struct azs_mapping *m, const char *path, struct inode *inode)
{
	struct set_record r;
	u32 flags;
	u64 id;

	inode->writers = 1;
	set_event(m, path, inode, CONTENT);
	kshim_advance_ms(m->max_lag_ms);
	r = set_take(m);
	assert_int_equal(r.err, 0);
	assert_string_equal(r.path, path);
	assert_true(r.rec.flags & AZS_ENTRY_LAGGED);
	id = r.rec.entry;
	assert_int_equal(set_open(m, &id, path, inode, &flags), 0);
	assert_int_equal(flags, AZS_OPEN_WRITER);
	assert_false(set_is_quiet(id));
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	set_check(m);
}

static void an_open_file_leaves_pending_and_comes_back_by_an_event(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();

	(void)state;
	make_writer(m, "a", inode);
	assert_int_equal(m->dirty.nr_writers, 1);
	assert_int_equal(m->dirty.nr_pending, 0);
	assert_int_equal(azs_dirty_flushed(m), 1);
	assert_false(set_is_known(inode, false, false));
	inode->writers = 0;
	/* Of its attributes only: the content is hashed all the same. */
	set_event(m, "a", inode, 0);
	assert_int_equal(m->dirty.nr_writers, 0);
	kshim_advance_ms(500);
	set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	set_end(m);
}

static void an_open_file_is_hashed_again_ever_later(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	unsigned int expect = 300000, i, ms;
	u64 id;

	(void)state;
	make_writer(m, "a", inode);
	for (i = 0; i < 12; i++) {
		for (ms = 0; !azs_dirty_is_ready(m); ms += 1000)
			kshim_advance_ms(1000);
		assert_int_equal(ms, expect);
		id = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT | AZS_ENTRY_LAGGED);
		assert_int_equal(set_done(id, AZS_DONE_OK), 0);
		assert_int_equal(m->dirty.nr_writers, 1);
		expect = expect * 2 > DAY_MS ? DAY_MS : expect * 2;
	}
	/* An event starts anew. */
	make_writer(m, "a", inode);
	for (ms = 0; !azs_dirty_is_ready(m); ms += 1000)
		kshim_advance_ms(1000);
	assert_int_equal(ms, 300000);
	set_end(m);
}

static void looking_for_a_closer_does_not_delay_the_next_hash(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	unsigned int ms;
	u64 id;

	(void)state;
	inode->writers = 2;
	set_event(m, "a", inode, CLOSED);
	assert_int_equal(ms_until_ready(m, 400000), 300000);
	id = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT | AZS_ENTRY_LAGGED);
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	for (ms = 0; !azs_dirty_is_ready(m) && ms < DAY_MS; ms += 1000)
		kshim_advance_ms(1000);
	assert_int_equal(ms, 300000);
	set_end(m);
}

static void an_open_file_that_was_closed_once_is_not_polled(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	unsigned int rings;
	u64 id;

	(void)state;
	set_event(m, "a", inode, CLOSED);
	kshim_advance_ms(500);
	id = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	/* Somebody opens it before it is done, and keeps it open. */
	inode->writers = 1;
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_int_equal(m->dirty.nr_writers, 1);
	set_event(m, "a", inode, CONTENT);
	/* 0.5 s, then after 1, 2, 4, .. 128 s, and when max_lag_ms have passed; and
	 * once for what was armed before. */
	assert_int_equal(ms_until_woken(m, 600000, &rings), 300000);
	assert_in_range(rings, 10, 11);
	set_end(m);
}

static void with_max_lag_0_only_an_event_or_a_flush_brings_it_back(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();
	u64 id;

	(void)state;
	set_event(m, "a", inode, CONTENT);
	kshim_advance_ms(500);
	m->max_lag_ms = 0;
	id = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	inode->writers = 1;
	assert_int_equal(set_done(id, AZS_DONE_OK), 0);
	assert_int_equal(m->dirty.nr_writers, 1);
	kshim_advance_ms(10 * DAY_MS);
	assert_true(set_has_none(m));
	assert_int_equal(azs_dirty_flush(m), 2);
	assert_int_equal(m->dirty.nr_writers, 0);
	assert_int_equal(azs_dirty_flushed(m), 1);
	assert_true(set_has_none(m));
	inode->writers = 0;
	set_event(m, "a", inode, CLOSED);
	set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT);
	set_check(m);
	set_end(m);
}

/* ---- a DONE between two steps of a flush ---- */

static u64 done_meanwhile;

static void finish_meanwhile(void)
{
	assert_int_equal(set_done(done_meanwhile, AZS_DONE_OK), 0);
}

static struct azs_mapping *asked;

static void write_meanwhile(void)
{
	set_dirty(asked, "late", 0);
}

/* Many fall due at once: writers are not kept waiting until all have been looked at. */
static void looking_lets_writers_in(void **state)
{
	struct azs_mapping *m = set_start();

	(void)state;
	asked = m;
	set_dirty(m, "a", 0);
	set_dirty(m, "b", 0);
	kshim_advance_ms(500);
	kshim.on_resched = write_meanwhile;
	set_take_path(m, "a", AZS_REC_PATH, 0);
	assert_null(kshim.on_resched);
	assert_non_null(set_find(m, "late"));
	set_take_path(m, "b", AZS_REC_PATH, 0);
	set_check(m);
	set_end(m);
}

static void flush_wakes_all_writers_that_there_were(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *a = set_inode(), *b = set_inode(), *c = set_inode();
	u64 number;

	(void)state;
	a->writers = 1;
	set_event(m, "a", a, CONTENT);
	kshim_advance_ms(300000);
	done_meanwhile = set_take_path(m, "a", AZS_REC_PATH, AZS_ENTRY_CONTENT | AZS_ENTRY_LAGGED);
	make_writer(m, "b", b);
	make_writer(m, "c", c);
	kshim.on_resched = finish_meanwhile;
	number = azs_dirty_flush(m);
	assert_null(kshim.on_resched);
	assert_int_equal(m->dirty.nr_writers, 0);
	assert_int_equal(set_find(m, "c")->state, AZS_ENTRY_PENDING);
	assert_true(set_find(m, "c")->seq <= number);
	set_check(m);
	set_end(m);
}

/* ---- truncate(2) is a writer that never closes ---- */

static void a_writer_that_leaves_without_a_close_is_noticed(void **state)
{
	struct azs_mapping *m = set_start();
	struct inode *inode = set_inode();

	(void)state;
	m->settle_ms = 0;
	inode->writers = 1;
	set_event(m, "a", inode, CONTENT);
	assert_true(set_has_none(m));
	inode->writers = 0;
	assert_in_range(ms_until_ready(m, 60000), 1, 2000);
	set_end(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SET_TEST(settles_after_the_last_event),
		SET_TEST(a_known_event_delays_too),
		SET_TEST(a_timer_wakes_the_reader_once_it_is_due),
		SET_TEST(nobody_is_woken_without_an_uploader),
		SET_TEST(a_writer_holds_a_file_back_until_it_closes),
		SET_TEST(a_close_that_sees_a_writer_looks_again_ever_later),
		SET_TEST(max_lag_overrules_settle_and_writers),
		SET_TEST(max_lag_0_waits_for_the_close_for_ever),
		SET_TEST(a_writer_that_comes_at_the_last_moment_is_no_lag),
		SET_TEST(flush_waives_settle_but_not_writers),
		SET_TEST(oldest_change_goes_first),
		SET_TEST(an_open_file_leaves_pending_and_comes_back_by_an_event),
		SET_TEST(an_open_file_is_hashed_again_ever_later),
		SET_TEST(looking_for_a_closer_does_not_delay_the_next_hash),
		SET_TEST(an_open_file_that_was_closed_once_is_not_polled),
		SET_TEST(with_max_lag_0_only_an_event_or_a_flush_brings_it_back),
		SET_TEST(looking_lets_writers_in),
		SET_TEST(flush_wakes_all_writers_that_there_were),
		SET_TEST(a_writer_that_leaves_without_a_close_is_noticed),
	};

	return cmocka_run_group_tests_name("kernel_ready", tests, set_group_setup,
					   set_group_teardown);
}
