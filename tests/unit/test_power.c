/* SPDX-License-Identifier: MPL-2.0 */
/*  The spool and a power cut at every single call that SQLite makes to the
    disk.  SIGKILL cannot show this: what a killed process wrote is there.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "tests/unit/powerfs.h"
#include "tests/unit/spool_model.h"

/*  Every call in ./check alone; a sanitizer is after memory, not power.  */
static unsigned s_stride = 5;

/*  At each call, besides the cut that loses all that was not synced, so many
    that keep a random part of it.  */
static uint32_t s_torn = 1;

typedef struct
{
    uint32_t seed;
    size_t big, steps;
    bool merged;
} plan_t;

static void
s_expect_fine (const model_t *model, const plan_t *plan, unsigned call,
               uint32_t tear)
{
    if (*model->fault)
        fail_msg ("run %u, cut at call %u, tear %u: %s",
                  (unsigned) plan->seed, call, (unsigned) tear, model->fault);
}

/*  Open and do what the plan says, until it is done or something fails.  */
static void
s_run (model_t *self, const plan_t *plan)
{
    bool going = model_open (self) && model_check (self, true);
    for (size_t i = 0; going && i < plan->steps; i++)
        going = model_step (self);
    model_close (self);
}

/*  The power is back, and perhaps goes once more while the spool is being
    opened.  */
static void
s_recover (model_t *self, unsigned call, uint32_t tear)
{
    powerfs_cut (tear);
    if (tear % 2) {
        powerfs_off_at (1 + call * 7 % 50);
        if (model_open (self))
            (void) model_check (self, !powerfs_is_off ());
        model_close (self);
        powerfs_cut (powerfs_is_off () ? tear + 1 : 0);
    }
    if (model_open (self))
        (void) model_check (self, true);
    else if (!*self->fault)
        snprintf (self->fault, sizeof self->fault, "it does not open again");
}

/*  One run with a cut at a call; false: it was over before.  */
static bool
s_cut_at (const plan_t *plan, unsigned call, uint32_t tear)
{
    model_t model;
    model_init (&model, plan->seed, plan->big);
    if (plan->merged)
        model_merge (&model);
    powerfs_off_at (call);
    s_run (&model, plan);
    bool cut = powerfs_is_off ();
    s_recover (&model, call, tear);
    if (call % 3 == 0)
        model_go_on (&model, 4);
    model_end (&model);
    powerfs_reset ();
    s_expect_fine (&model, plan, call, tear);
    return cut;
}

static void
s_cut_everywhere (const plan_t *plan)
{
    unsigned call = 1;
    for (bool cut = true; cut; call += s_stride) {
        cut = false;
        for (uint32_t tear = 0; tear <= s_torn; tear++)
            if (s_cut_at (plan, call, tear ? tear + call * s_torn : 0))
                cut = true;
    }
    print_message ("# run %u: the power was cut at each of %u calls\n",
                   (unsigned) plan->seed, (call - 1) / s_stride - 1);
    assert_true (call > 100); /* there is something to cut */
}

static void
test_small_reports (void **state)
{
    (void) state;
    s_cut_everywhere (&(plan_t){ .seed = 1, .big = 20, .steps = 16 });
}

/*  With these the log is carried over into the file now and then.  */
static void
test_large_reports (void **state)
{
    (void) state;
    s_cut_everywhere (&(plan_t){ .seed = 3, .big = 400, .steps = 10 });
}

/*  What waits of one subnet becomes one report, again and again.  */
static void
test_merged_reports (void **state)
{
    (void) state;
    s_cut_everywhere (&(plan_t){ .seed = 4, .steps = 20, .merged = true });
}

/*  Would it be seen?  A disk that only says that it has synced loses reports
    that the spool has promised to keep.  */
static void
test_without_sync (void **state)
{
    (void) state;
    plan_t plan = { .seed = 1, .big = 20, .steps = 20 };
    size_t losses = 0;
    for (unsigned call = 20; call < 200; call += 20) {
        model_t model;
        model_init (&model, plan.seed, plan.big);
        model.tell_losses = true;
        powerfs_ignore_sync (true);
        powerfs_off_at (call);
        s_run (&model, &plan);
        assert_true (powerfs_is_off ());
        powerfs_cut (0);
        if (model_open (&model))
            (void) model_check (&model, true);
        losses += model.losses;
        model_end (&model);
        powerfs_reset ();
    }
    print_message ("# %zu reports lost or back\n", losses);
    assert_true (losses > 5);
}

/*  powerfs itself.  */

static void
s_exec (sqlite3 *db, const char *sql)
{
    char *text = NULL;
    if (sqlite3_exec (db, sql, NULL, NULL, &text) != SQLITE_OK)
        fail_msg ("%s: %s", sql, text);
}

static int
s_count (const char *path, bool sync)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
    s_exec (db, sync ? "PRAGMA synchronous=EXTRA" : "PRAGMA synchronous=OFF");
    s_exec (db, "CREATE TABLE IF NOT EXISTS t (a); INSERT INTO t VALUES (1)");
    assert_int_equal (sqlite3_prepare_v2 (db, "SELECT count(*) FROM t", -1,
                                          &stmt, NULL), SQLITE_OK);
    assert_int_equal (sqlite3_step (stmt), SQLITE_ROW);
    int count = sqlite3_column_int (stmt, 0);
    sqlite3_finalize (stmt);
    assert_int_equal (sqlite3_close (db), SQLITE_OK);
    return count;
}

/*  SQLite's own promise: synced stays, unsynced goes.  */
static void
test_powerfs (void **state)
{
    (void) state;
    model_t model;
    model_init (&model, 1, 1);
    assert_int_equal (s_count (model.path, false), 1);
    powerfs_cut (0);
    assert_int_equal (s_count (model.path, true), 1);
    powerfs_cut (0);
    assert_int_equal (s_count (model.path, true), 2);
    assert_int_equal (s_count (model.path, false), 3);
    powerfs_cut (0);
    assert_int_equal (s_count (model.path, true), 3);
    assert_true (powerfs_calls () > 20);
    model_end (&model);
    powerfs_reset ();
}

/*  Also after a test that has failed.  */
static int
s_reset (void **state)
{
    (void) state;
    powerfs_reset ();
    return 0;
}

int
main (void)
{
    const char *length = getenv ("SCANHUB_LONG");
    if (length && strcmp (length, "1") == 0)
        s_stride = 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup (test_powerfs, s_reset),
        cmocka_unit_test_setup (test_small_reports, s_reset),
        cmocka_unit_test_setup (test_large_reports, s_reset),
        cmocka_unit_test_setup (test_merged_reports, s_reset),
        cmocka_unit_test_setup (test_without_sync, s_reset),
    };
    const char *torn = getenv ("SCANHUB_POWER_TORN"); /* for long runs */
    if (torn)
        s_torn = (uint32_t) strtoul (torn, NULL, 10);
    powerfs_register ();
    return cmocka_run_group_tests_name ("power", tests, NULL, NULL);
}
