/* SPDX-License-Identifier: MPL-2.0 */
/*  The hub's own key and its next one: when which of them counts, and what a
    crash at any moment leaves behind.  */

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

#include "hub/keychange.h"

#define TIME "2026-11-30T06:00:00Z"
#define AT INT64_C (1796018400000)

static char s_dir[64], s_path[128], s_next[128];

/*  A key file, with a time if 'at' is not NULL; its public key.  */
static void
s_make (const char *path, const char *at, char key[static SH_KEY_TEXT])
{
    sh_keyfile_t *pair = NULL;
    sh_why_t why;
    assert_int_equal (sh_keyfile_generate (&pair), SH_OK);
    if (at)
        assert_int_equal (sh_keyfile_add (pair, "at", at), SH_OK);
    (void) unlink (path);
    assert_int_equal (sh_keyfile_save (pair, path, true, &why), SH_OK);
    memcpy (key, pair->public_key, SH_KEY_TEXT);
    sh_keyfile_destroy (&pair);
}

static char s_old[SH_KEY_TEXT], s_new[SH_KEY_TEXT];

static int
s_setup (void **state)
{
    (void) state;
    snprintf (s_dir, sizeof s_dir, "/tmp/test_keychange.XXXXXX");
    if (!mkdtemp (s_dir))
        return -1;
    snprintf (s_path, sizeof s_path, "%s/hub.cert", s_dir);
    snprintf (s_next, sizeof s_next, "%s/hub.cert.next", s_dir);
    s_make (s_path, NULL, s_old);
    return 0;
}

static int
s_teardown (void **state)
{
    (void) state;
    (void) unlink (s_path);
    (void) unlink (s_next);
    return rmdir (s_dir);
}

static hub_keychange_t *
s_open (int64_t now)
{
    hub_keychange_t *self = NULL;
    sh_why_t why = { "" };
    if (hub_keychange_new (&self, s_path, now, &why) != SH_OK)
        fail_msg ("%s", why.text);
    return self;
}

static void
s_expect (hub_keychange_t *self, const char *key)
{
    char public_key[SH_KEY_TEXT], secret_key[SH_KEY_TEXT];
    hub_keychange_now (self, public_key, secret_key);
    assert_string_equal (public_key, key);
    assert_true (sh_key_valid (secret_key));
}

static void
test_turn (void **state)
{
    (void) state;
    char next[SH_KEY_TEXT];
    int64_t at = 0;
    sh_why_t why;
    hub_keychange_t *self = s_open (0);
    s_expect (self, s_old);
    assert_false (hub_keychange_next (self, next, &at));
    assert_false (hub_keychange_turn (self, INT64_MAX));
    unsigned generation = hub_keychange_generation (self);

    s_make (s_next, TIME, s_new);
    assert_int_equal (hub_keychange_read (self, &why), SH_OK);
    assert_int_equal (hub_keychange_generation (self), generation + 1);
    assert_int_equal (hub_keychange_read (self, &why), SH_OK);
    assert_int_equal (hub_keychange_generation (self), generation + 1);
    assert_true (hub_keychange_next (self, next, &at));
    assert_string_equal (next, s_new);
    assert_true (at == AT);
    assert_false (hub_keychange_turn (self, AT - 1));
    s_expect (self, s_old);
    assert_true (hub_keychange_turn (self, AT));
    assert_false (hub_keychange_turn (self, AT));
    s_expect (self, s_new);
    assert_false (hub_keychange_next (self, next, &at));
    assert_int_not_equal (access (s_next, F_OK), 0);
    hub_keychange_destroy (&self);
    self = s_open (0);
    s_expect (self, s_new);
    hub_keychange_destroy (&self);
}

/*  The time came while the hub was down; or it may not rename the file.  */
static void
test_start_after (void **state)
{
    (void) state;
    char key[SH_KEY_TEXT];
    sh_why_t why;
    s_make (s_next, TIME, s_new);
    hub_keychange_t *self = s_open (AT - 1);
    s_expect (self, s_old);
    hub_keychange_destroy (&self);
    assert_int_equal (hub_keychange_peek (key, s_path, AT - 1, &why), SH_OK);
    assert_string_equal (key, s_old);
    assert_int_equal (hub_keychange_peek (key, s_path, AT, &why), SH_OK);
    assert_string_equal (key, s_new);

    self = s_open (AT);
    s_expect (self, s_new);
    assert_int_equal (access (s_next, F_OK), 0); /* nothing is written yet */
    assert_int_equal (hub_keychange_read (self, &why), SH_OK);
    assert_int_equal (hub_keychange_generation (self), 0);
    hub_keychange_settle (self);
    assert_int_not_equal (access (s_next, F_OK), 0);
    hub_keychange_destroy (&self);
    self = s_open (0);
    s_expect (self, s_new);
    hub_keychange_destroy (&self);
}

static void
test_taken_back (void **state)
{
    (void) state;
    char next[SH_KEY_TEXT];
    int64_t at = 0;
    sh_why_t why = { "" };
    s_make (s_next, TIME, s_new);
    hub_keychange_t *self = s_open (0);
    s_make (s_next, NULL, s_new);
    assert_int_equal (hub_keychange_read (self, &why), SH_E_SYNTAX);
    assert_non_null (strstr (why.text, "from when on it counts"));
    assert_true (hub_keychange_next (self, next, &at)); /* stays so */
    (void) unlink (s_next);
    assert_int_equal (hub_keychange_read (self, &why), SH_OK);
    assert_int_equal (hub_keychange_generation (self), 1);
    assert_false (hub_keychange_turn (self, AT + 1));
    s_expect (self, s_old);
    hub_keychange_destroy (&self);
    s_make (s_next, "2026-11-31T06:00:00Z", s_new);
    assert_int_equal (hub_keychange_new (&self, s_path, 0, &why), SH_E_SYNTAX);
}

static void
test_times (void **state)
{
    (void) state;
    int64_t at = 0;
    char text[HUB_KEYCHANGE_TIME];
    assert_true (hub_keychange_time_read (&at, TIME));
    assert_true (at == AT);
    hub_keychange_time (text, at + 999);
    assert_string_equal (text, TIME);
    static const char *const bad[]
        = { "",
            "2026-11-30",
            "2026-11-30T06:00:00",
            "2026-11-30 06:00:00Z",
            "2026-02-30T06:00:00Z",
            "2026-11-30T06:00:00Z ",
            " 2026-11-30T06:00:00Z" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false (hub_keychange_time_read (&at, bad[i]));
}

#define CASE(f) cmocka_unit_test_setup_teardown (f, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        CASE (test_turn),
        CASE (test_start_after),
        CASE (test_taken_back),
        cmocka_unit_test (test_times),
    };
    return cmocka_run_group_tests_name ("keychange", tests, NULL, NULL);
}
