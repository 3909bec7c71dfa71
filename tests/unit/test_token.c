/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim/token.h"

static int
setup (void **state)
{
    sm_tokens_t *tokens = NULL;
    if (sm_tokens_new (&tokens) != SH_OK)
        return -1;
    *state = tokens;
    return 0;
}

static int
teardown (void **state)
{
    sm_tokens_t *tokens = *state;
    sm_tokens_destroy (&tokens);
    sm_tokens_destroy (&tokens); /* once more does no harm */
    return tokens ? -1 : 0;
}

static void
each_token_has_its_owner (void **state)
{
    sm_tokens_t *tokens = *state;
    const char *codes[] = { "site-a", "site-b" };
    assert_null (sm_tokens_find (tokens, "secret-one"));
    assert_int_equal (sm_tokens_add (tokens, "one", "secret-one", codes, 2),
                      SH_OK);
    assert_int_equal (sm_tokens_add (tokens, "two", "secret-two", NULL, 0),
                      SH_OK);
    assert_int_equal (sm_tokens_size (tokens), 2);

    const sm_principal_t *who = sm_tokens_find (tokens, "secret-one");
    assert_non_null (who);
    assert_string_equal (who->label, "one");
    assert_int_equal (who->code_count, 2);
    assert_string_equal (who->codes[0], "site-a");
    assert_string_equal (who->codes[1], "site-b");
    assert_ptr_not_equal (who->codes[0], codes[0]);

    who = sm_tokens_find (tokens, "secret-two");
    assert_non_null (who);
    assert_string_equal (who->label, "two");
    assert_int_equal (who->code_count, 0);
}

static void
nothing_else_has_one (void **state)
{
    sm_tokens_t *tokens = *state;
    assert_int_equal (sm_tokens_add (tokens, "one", "secret", NULL, 0), SH_OK);
    static const char *const others[]
        = { "", "s", "secre", "secret ", " secret", "secrets", "Secret",
            "secret\n" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_null (sm_tokens_find (tokens, others[i]));
}

static void
a_principal_stays_where_it_is (void **state)
{
    sm_tokens_t *tokens = *state;
    assert_int_equal (sm_tokens_add (tokens, "0", "token-0", NULL, 0), SH_OK);
    const sm_principal_t *who = sm_tokens_find (tokens, "token-0");
    for (int i = 1; i < SM_TOKENS_MOST; i++) {
        char token[32];
        snprintf (token, sizeof token, "token-%d", i);
        assert_int_equal (sm_tokens_add (tokens, "more", token, NULL, 0),
                          SH_OK);
    }
    assert_ptr_equal (sm_tokens_find (tokens, "token-0"), who);
    assert_string_equal (who->label, "0");
    assert_int_equal (sm_tokens_add (tokens, "x", "one-more", NULL, 0),
                      SH_E_TOO_LARGE);
    assert_null (sm_tokens_find (tokens, "one-more"));
    assert_non_null (sm_tokens_find (tokens, "token-255"));
}

static void
a_token_twice_is_refused (void **state)
{
    sm_tokens_t *tokens = *state;
    const char *codes[] = { "a" };
    assert_int_equal (sm_tokens_add (tokens, "one", "same", NULL, 0), SH_OK);
    assert_int_equal (sm_tokens_add (tokens, "two", "same", codes, 1),
                      SH_E_EXISTS);
    assert_int_equal (sm_tokens_size (tokens), 1);
    assert_string_equal (sm_tokens_find (tokens, "same")->label, "one");
}

static void
what_no_client_can_send_is_refused (void **state)
{
    sm_tokens_t *tokens = *state;
    char longest[SM_TOKEN_MOST + 2];
    memset (longest, 'x', sizeof longest);
    longest[SM_TOKEN_MOST + 1] = '\0';
    assert_int_equal (sm_tokens_add (tokens, "a", longest, NULL, 0),
                      SH_E_SYNTAX);
    longest[SM_TOKEN_MOST] = '\0';
    assert_int_equal (sm_tokens_add (tokens, "a", longest, NULL, 0), SH_OK);
    assert_non_null (sm_tokens_find (tokens, longest));

    static const char *const odd[] = { "", "two words", " x", "x ", "a\tb",
                                       "a\nb", "a\rb", "\x01", "\x7f" };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        assert_int_equal (sm_tokens_add (tokens, "a", odd[i], NULL, 0),
                          SH_E_SYNTAX);
    /*  Bytes that are not ASCII do go through.  */
    assert_int_equal (sm_tokens_add (tokens, "a", "gr\xc3\xbc\xc3\x9f", NULL,
                                     0),
                      SH_OK);
    assert_int_equal (sm_tokens_size (tokens), 2);
}

static void
a_label_has_its_limit (void **state)
{
    sm_tokens_t *tokens = *state;
    char label[SM_TOKEN_LABEL + 2];
    memset (label, 'l', sizeof label);
    label[SM_TOKEN_LABEL + 1] = '\0';
    assert_int_equal (sm_tokens_add (tokens, label, "t", NULL, 0),
                      SH_E_SYNTAX);
    label[SM_TOKEN_LABEL] = '\0';
    assert_int_equal (sm_tokens_add (tokens, label, "t", NULL, 0), SH_OK);
    assert_string_equal (sm_tokens_find (tokens, "t")->label, label);
}

#define CASE(f) cmocka_unit_test_setup_teardown (f, setup, teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        CASE (each_token_has_its_owner),
        CASE (nothing_else_has_one),
        CASE (a_principal_stays_where_it_is),
        CASE (a_token_twice_is_refused),
        CASE (what_no_client_can_send_is_refused),
        CASE (a_label_has_its_limit),
    };
    return cmocka_run_group_tests_name ("token", tests, NULL, NULL);
}
