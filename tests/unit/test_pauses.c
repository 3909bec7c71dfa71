/* SPDX-License-Identifier: MPL-2.0 */
/*  Pauses: what is in force, what is on disk, and a file that is broken.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hub/pauses.h"
#include "scanner-proto/limits.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define NOW 1000000

static char s_dir[64];
static char s_path[96];

static int
s_setup (void **state)
{
    (void) state;
    snprintf (s_dir, sizeof s_dir, "/tmp/test_pauses.XXXXXX");
    if (!mkdtemp (s_dir))
        return -1;
    snprintf (s_path, sizeof s_path, "%s/state/pauses", s_dir);
    return 0;
}

static int
s_teardown (void **state)
{
    char parent[80];
    (void) state;
    snprintf (parent, sizeof parent, "%s/state", s_dir);
    remove (s_path);
    remove (parent);
    return rmdir (s_dir);
}

static hub_pauses_t *
s_open (void)
{
    hub_pauses_t *made = NULL;
    sh_why_t why = { "" };
    if (hub_pauses_new (&made, s_path, &why) != SH_OK)
        fail_msg ("%s", why.text);
    return made;
}

static void
s_put (hub_pauses_t *self, hub_pause_kind_t kind, uint64_t id, int64_t until,
       int64_t now)
{
    const hub_pause_t one = { .kind = kind, .id = id, .until = until };
    sh_why_t why = { "" };
    if (hub_pauses_put (self, &one, now, &why) != SH_OK)
        fail_msg ("%s", why.text);
}

static void
s_write (const char *text, size_t size)
{
    char parent[80];
    snprintf (parent, sizeof parent, "%s/state", s_dir);
    mkdir (parent, 0700);
    FILE *to = fopen (s_path, "w");
    assert_non_null (to);
    assert_int_equal (fwrite (text, 1, size, to), size);
    assert_int_equal (fclose (to), 0);
}

static void
s_expect_file (const char *wanted)
{
    char got[512] = "";
    FILE *from = fopen (s_path, "r");
    assert_non_null (from);
    got[fread (got, 1, sizeof got - 1, from)] = '\0';
    fclose (from);
    assert_string_equal (got, wanted);
}

static void
test_in_force (void **state)
{
    (void) state;
    hub_pauses_t *pauses = s_open ();
    assert_int_equal (hub_pauses_of (pauses, 7, 2, NOW), 0);
    s_put (pauses, HUB_PAUSE_SUBNET, 7, NOW + 500, NOW);
    s_put (pauses, HUB_PAUSE_AGENT, 7, NOW + 100, NOW);
    s_put (pauses, HUB_PAUSE_SUBNET, 3, HUB_PAUSE_NO_END, NOW);
    /*  The ids of agents and subnets have nothing to do with each other.  */
    assert_int_equal (hub_pauses_of (pauses, 7, 2, NOW), NOW + 500);
    assert_int_equal (hub_pauses_of (pauses, 8, 7, NOW), NOW + 100);
    assert_int_equal (hub_pauses_of (pauses, 7, 7, NOW), NOW + 500);
    assert_int_equal (hub_pauses_of (pauses, 8, 2, NOW), 0);
    assert_true (hub_pauses_of (pauses, 3, 7, NOW) == HUB_PAUSE_NO_END);
    /*  They end by themselves, at their very moment.  */
    assert_int_equal (hub_pauses_of (pauses, 7, 2, NOW + 499), NOW + 500);
    assert_int_equal (hub_pauses_of (pauses, 7, 2, NOW + 500), 0);
    hub_pause_t list[4];
    assert_int_equal (hub_pauses_list (pauses, list, 4, NOW), 3);
    assert_int_equal (list[0].kind, HUB_PAUSE_AGENT);
    assert_int_equal (list[1].id, 3);
    assert_int_equal (list[2].id, 7);
    assert_int_equal (hub_pauses_list (pauses, list, 4, NOW + 100), 2);
    assert_int_equal (hub_pauses_list (pauses, list, 1, NOW), 1);
    hub_pauses_destroy (&pauses);
    assert_null (pauses);
}

static void
test_kept (void **state)
{
    (void) state;
    hub_pauses_t *pauses = s_open ();
    s_put (pauses, HUB_PAUSE_SUBNET, 7, NOW + 500, NOW);
    s_put (pauses, HUB_PAUSE_AGENT, 2, HUB_PAUSE_NO_END, NOW);
    s_put (pauses, HUB_PAUSE_SUBNET, 7, NOW + 900, NOW); /* another end */
    s_expect_file ("scanhub-pauses 1\nagent 2 until -\n"
                   "subnet 7 until 1000900\n");
    hub_pauses_destroy (&pauses);

    pauses = s_open ();
    assert_int_equal (hub_pauses_of (pauses, 7, 1, NOW), NOW + 900);
    assert_true (hub_pauses_of (pauses, 1, 2, NOW) == HUB_PAUSE_NO_END);
    bool was = false;
    sh_why_t why = { "" };
    assert_int_equal (
        hub_pauses_end (pauses, HUB_PAUSE_AGENT, 2, NOW, &was, &why), SH_OK);
    assert_true (was);
    s_expect_file ("scanhub-pauses 1\nsubnet 7 until 1000900\n");
    assert_int_equal (
        hub_pauses_end (pauses, HUB_PAUSE_AGENT, 2, NOW, &was, &why), SH_OK);
    assert_false (was);
    /*  One that is over counts as none, and leaves the file with the next.  */
    assert_int_equal (hub_pauses_end (pauses, HUB_PAUSE_SUBNET, 7, NOW + 900,
                                      &was, &why),
                      SH_OK);
    assert_false (was);
    s_put (pauses, HUB_PAUSE_SUBNET, 9, NOW + 2000, NOW + 900);
    s_expect_file ("scanhub-pauses 1\nsubnet 9 until 1002000\n");
    hub_pauses_destroy (&pauses);
}

/*  What cannot be written does not count.  */
static void
test_not_written (void **state)
{
    (void) state;
    hub_pauses_t *pauses = s_open ();
    s_put (pauses, HUB_PAUSE_SUBNET, 7, NOW + 500, NOW);
    remove (s_path);
    assert_int_equal (mkdir (s_path, 0700), 0);
    sh_why_t why = { "" };
    const hub_pause_t one = { HUB_PAUSE_SUBNET, 8, NOW + 500 };
    assert_int_equal (hub_pauses_put (pauses, &one, NOW, &why), SH_E_IO);
    assert_non_null (strstr (why.text, s_path));
    assert_int_equal (hub_pauses_of (pauses, 8, 1, NOW), 0);
    bool was = false;
    assert_int_equal (
        hub_pauses_end (pauses, HUB_PAUSE_SUBNET, 7, NOW, &was, &why),
        SH_E_IO);
    assert_false (was);
    assert_int_equal (hub_pauses_of (pauses, 7, 1, NOW), NOW + 500);
    assert_int_equal (rmdir (s_path), 0);
    hub_pauses_destroy (&pauses);
}

static void
test_full (void **state)
{
    (void) state;
    char *text = malloc (HUB_PAUSES_MOST * 64);
    assert_non_null (text);
    size_t used = (size_t) sprintf (text, "scanhub-pauses 1\n");
    for (unsigned i = 0; i < HUB_PAUSES_MOST; i++)
        used += (size_t) sprintf (text + used, "subnet %u until 1000500\n",
                                  4294967295u - i);
    s_write (text, used);
    hub_pauses_t *pauses = s_open ();
    sh_why_t why = { "" };
    const hub_pause_t one = { HUB_PAUSE_SUBNET, 8, HUB_PAUSE_NO_END };
    assert_int_equal (hub_pauses_put (pauses, &one, NOW, &why),
                      SH_E_TOO_LARGE);
    /*  Another end for one that is there, and room when they are over.  */
    s_put (pauses, HUB_PAUSE_SUBNET, 4294967295u, NOW + 900, NOW);
    s_put (pauses, HUB_PAUSE_SUBNET, 8, HUB_PAUSE_NO_END, NOW + 500);
    s_expect_file ("scanhub-pauses 1\nsubnet 8 until -\n"
                   "subnet 4294967295 until 1000900\n");
    /*  An end that could not be read again.  */
    const hub_pause_t late = { HUB_PAUSE_SUBNET, 8, SP_TIME_MOST_MS + 1 };
    assert_int_equal (hub_pauses_put (pauses, &late, NOW + 500, &why),
                      SH_E_TOO_LARGE);
    s_put (pauses, HUB_PAUSE_SUBNET, 8, SP_TIME_MOST_MS, NOW + 500);
    hub_pauses_destroy (&pauses);
    hub_pauses_destroy (&(hub_pauses_t *){ s_open () });

    sprintf (text + used, "subnet 7 until -\n");
    s_write (text, strlen (text));
    assert_int_equal (hub_pauses_new (&pauses, s_path, &why), SH_E_CONFIG);
    assert_null (pauses);
    free (text);
}

static void
test_broken (void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        int line;
    } cases[] = {
        { "", 1 },
        { "\n", 1 },
        { "scanhub-pauses 2\n", 1 },
        { "scanhub-pauses 1", 1 }, /* cut off */
        { "scanhub-pauses 1\nsubnet 7 until -", 1 },
        { "subnet 7 until -\n", 1 },
        { "scanhub-pauses 1\n\n", 2 },
        { "scanhub-pauses 1\nsubnet 7 until -\nsubnet 7 until -\n", 3 },
        { "scanhub-pauses 1\nscanner 7 until -\n", 2 },
        { "scanhub-pauses 1\nsubnet 0 until -\n", 2 },
        { "scanhub-pauses 1\nsubnet -7 until -\n", 2 },
        { "scanhub-pauses 1\nsubnet 7 until\n", 2 },
        { "scanhub-pauses 1\nsubnet 7 until 5m\n", 2 },
        { "scanhub-pauses 1\nsubnet 7 until - x\n", 2 },
        { "scanhub-pauses 1\nsubnet 7 untl -\n", 2 },
        { "scanhub-pauses 1\nsubnet 7 until 99999999999999999999\n", 2 },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        hub_pauses_t *pauses = NULL;
        sh_why_t why = { "" };
        char place[160];
        s_write (cases[i].text, strlen (cases[i].text));
        if (hub_pauses_new (&pauses, s_path, &why) != SH_E_CONFIG)
            fail_msg ("case %zu was taken", i);
        assert_null (pauses);
        snprintf (place, sizeof place, "%s:%d: ", s_path, cases[i].line);
        if (strncmp (why.text, place, strlen (place)) != 0)
            fail_msg ("case %zu: %s", i, why.text);
    }
    s_write ("scanhub-pauses 1\nsubnet 7 until -\n\0\n", 36);
    hub_pauses_t *pauses = NULL;
    assert_int_equal (hub_pauses_new (&pauses, s_path, NULL), SH_E_CONFIG);
}

int
main (void)
{
#define CASE(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
    const struct CMUnitTest tests[] = {
        CASE (test_in_force), CASE (test_kept), CASE (test_not_written),
        CASE (test_full),     CASE (test_broken),
    };
    return cmocka_run_group_tests_name ("pauses", tests, NULL, NULL);
}
