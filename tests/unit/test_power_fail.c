/* SPDX-License-Identifier: MPL-2.0 */
/*  The spool when a call of SQLite to the disk fails, or SQLite gets no memory:
    each call in turn, until the whole run is through without.  */

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
enum { STEPS = 12, LASTING = 3 };

/*  SQLite's memory, of which the n-th piece from now on is refused.  */

static sqlite3_mem_methods s_memory;
static unsigned s_refuse_in;
static bool s_refuse_on, s_refused;
static const char *s_failed = ""; /* which call it was */

static bool
s_refuse (void)
{
    if (!s_refuse_in || (s_refuse_in > 1 && s_refuse_in--))
        return false;
    if (!s_refuse_on)
        s_refuse_in = 0;
    return s_refused = true;
}

static void *
s_malloc (int size)
{
    return s_refuse () ? NULL : s_memory.xMalloc (size);
}

static void *
s_realloc (void *old, int size)
{
    return s_refuse () ? NULL : s_memory.xRealloc (old, size);
}

/*  A kind of trouble.  */
typedef struct
{
    const char *name;
    int code;    /* SQLITE_NOMEM: of SQLite's memory */
    bool on;     /* not just once, but until it is lifted */
    unsigned by; /* from one call that fails to the next */
    bool merged; /* reports of few subnets, see spool_model.h */
} trouble_t;

static void
s_begin (const trouble_t *trouble, unsigned n)
{
    s_refused = false;
    s_refuse_on = trouble->on;
    s_refuse_in = trouble->code == SQLITE_NOMEM ? n : 0;
    powerfs_fail_at (trouble->code == SQLITE_NOMEM ? 0 : n, trouble->code,
                     trouble->on);
}

static bool
s_is_hit (void)
{
    s_failed = s_refused ? "of malloc" : powerfs_failed ();
    return *s_failed;
}

static void
s_lift (void)
{
    s_refuse_in = 0;
    powerfs_fail_at (0, 0, false);
}

/*  Open, then steps: trouble that lasts is lifted after some of them.  What
    fails is simply gone on with, as the programs do.  */
static bool
s_run (model_t *self, const trouble_t *trouble, unsigned n)
{
    int lasted = 0;
    bool hit = false;
    s_begin (trouble, n);
    for (int i = 0; i < STEPS && !*self->fault; i++) {
        if (i % 5 == 4)
            model_close (self); /* and the next step opens it */
        (void) model_step (self);
        hit = hit || s_is_hit ();
        if (hit && ++lasted == LASTING)
            s_lift ();
    }
    s_lift ();
    return hit;
}

static bool
s_fail_at (const trouble_t *trouble, unsigned n)
{
    model_t model;
    model_init (&model, 5, 300);
    if (trouble->merged)
        model_merge (&model);
    bool hit = s_run (&model, trouble, n);
    /*  It is healthy again: the same spool works, or can at least be opened.  */
    if (n % 2 == 0)
        model_close (&model);
    model_go_on (&model, 3);
    model_end (&model);
    powerfs_reset ();
    if (*model.fault)
        fail_msg ("%s at call %u %s: %s", trouble->name, n, s_failed,
                  model.fault);
    return hit;
}

static void
s_fail_everywhere (const trouble_t *trouble)
{
    unsigned n = 1;
    while (s_fail_at (trouble, n))
        n += trouble->by * s_stride;
    print_message ("# %s: at %u of %u calls\n", trouble->name,
                   (n - 1) / (trouble->by * s_stride), n - 1);
    assert_true (n > 20);
}

static void
test_errors (void **state)
{
    (void) state;
    s_fail_everywhere (&(trouble_t){ "an error", SQLITE_IOERR, false, 1, false });
    s_fail_everywhere (&(trouble_t){ "errors", SQLITE_IOERR, true, 5, false });
}

static void
test_disk_full (void **state)
{
    (void) state;
    s_fail_everywhere (&(trouble_t){ "full once", SQLITE_FULL, false, 2, false });
    s_fail_everywhere (&(trouble_t){ "full", SQLITE_FULL, true, 3, false });
}

static void
test_merging (void **state)
{
    (void) state;
    s_fail_everywhere (&(trouble_t){ "an error", SQLITE_IOERR, false, 1, true });
    s_fail_everywhere (&(trouble_t){ "full", SQLITE_FULL, true, 1, true });
    s_fail_everywhere (&(trouble_t){ "no memory", SQLITE_NOMEM, false, 61,
                                     true });
}

/*  Not each call, for there are thousands.  */
static void
test_memory (void **state)
{
    (void) state;
    s_fail_everywhere (&(trouble_t){ "no memory", SQLITE_NOMEM, false, 23, false });
    s_fail_everywhere (&(trouble_t){ "no memory for long", SQLITE_NOMEM, true,
                                     61, false });
}

/*  Also after a test that has failed.  */
static int
s_reset (void **state)
{
    (void) state;
    s_lift ();
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
        cmocka_unit_test_setup (test_errors, s_reset),
        cmocka_unit_test_setup (test_disk_full, s_reset),
        cmocka_unit_test_setup (test_merging, s_reset),
        cmocka_unit_test_setup (test_memory, s_reset),
    };
    sqlite3_config (SQLITE_CONFIG_GETMALLOC, &s_memory);
    sqlite3_mem_methods failing = s_memory;
    failing.xMalloc = s_malloc;
    failing.xRealloc = s_realloc;
    sqlite3_config (SQLITE_CONFIG_MALLOC, &failing);
    powerfs_register ();
    return cmocka_run_group_tests_name ("power fail", tests, NULL, NULL);
}
