/* SPDX-License-Identifier: MPL-2.0 */
/*  Which agent may touch which subnet; every cause, and which comes first.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hub/authorise.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define CODE "AbCdEfGhIjKlMnOpQrStUvWxYz012345"

static void
test_agent (void **state)
{
    (void) state;
    static const struct
    {
        const char *stored, *spoken;
        bool eligible;
        sh_err_t expected;
    } cases[] = {
        { CODE, CODE, true, SH_OK },
        { CODE, CODE, false, SH_E_AGENT_TYPE },
        /*  What the column's collation would take for the same.  */
        { CODE, "abcdefghijklmnopqrstuvwxyz012345", true, SH_E_AGENT_UNKNOWN },
        { CODE, CODE " ", true, SH_E_AGENT_UNKNOWN },
        { CODE " ", CODE, true, SH_E_AGENT_UNKNOWN },
        { CODE, "AbCdEfGhIjKlMnOpQrStUvWxYz01234", true, SH_E_AGENT_UNKNOWN },
        { "codé", "code", true, SH_E_AGENT_UNKNOWN },
        { "0", "", true, SH_E_AGENT_UNKNOWN },
        { "", "", true, SH_E_AGENT_UNKNOWN },
        { NULL, "", true, SH_E_AGENT_UNKNOWN },
        { NULL, CODE, true, SH_E_AGENT_UNKNOWN },
        /*  Nobody learns the type of an agent that is not his.  */
        { CODE, "other", false, SH_E_AGENT_UNKNOWN },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        char stored[64] = "";
        snprintf (stored, sizeof stored, "%s",
                  cases[i].stored ? cases[i].stored : "");
        hub_agent_t agent = {
            .id = 3,
            .code = cases[i].stored ? stored : NULL,
            .eligible = cases[i].eligible,
        };
        if (hub_authorise_agent (&agent, cases[i].spoken) != cases[i].expected)
            fail_msg ("case %zu", i);
    }
}

/*  A subnet that agent 3 may write.  */
static hub_subnet_t
s_good (void)
{
    hub_subnet_t subnet = {
        .id = 7, .has_prefix = true, .agent = 3, .check = true,
        .discover = true,
    };
    assert_int_equal (sh_prefix_parse (&subnet.prefix, "10.0.0.0/24"), SH_OK);
    return subnet;
}

static sh_err_t
s_try (uint64_t agent_id, const hub_subnet_t *subnet)
{
    hub_agent_t agent = { .id = agent_id };
    return hub_authorise_subnet (&agent, subnet);
}

static void
test_subnet (void **state)
{
    (void) state;
    hub_subnet_t one = s_good ();
    assert_int_equal (s_try (3, &one), SH_OK);
    assert_int_equal (s_try (4, &one), SH_E_SUBNET_NOT_ASSIGNED);

    one = s_good ();
    one.discover = false;
    assert_int_equal (s_try (3, &one), SH_OK);
    one.check = false;
    assert_int_equal (s_try (3, &one), SH_E_SUBNET_DISABLED);
    one.discover = true;
    assert_int_equal (s_try (3, &one), SH_OK);

    one = s_good ();
    one.pool = true;
    assert_int_equal (s_try (3, &one), SH_OK);
    one.has_prefix = false;
    assert_int_equal (s_try (3, &one), SH_E_SUBNET_MASK);
    one = s_good ();
    one.prefix.length = 0;
    assert_int_equal (s_try (3, &one), SH_E_SUBNET_MASK);

    /*  No agent: 0 must not match a subnet that is assigned to none.  */
    one = s_good ();
    one.agent = 0;
    assert_int_equal (s_try (0, &one), SH_E_SUBNET_NOT_ASSIGNED);
    assert_int_equal (s_try (3, &one), SH_E_SUBNET_NOT_ASSIGNED);
}

/*  With everything wrong, mending one cause after the other.  */
static void
test_subnet_order (void **state)
{
    (void) state;
    hub_subnet_t one = { .id = 7, .agent = 4, .folder = true, .parent = true };
    assert_int_equal (s_try (3, &one), SH_E_SUBNET_NOT_ASSIGNED);
    one.agent = 3;
    assert_int_equal (s_try (3, &one), SH_E_SUBNET_FOLDER);
    one.folder = false;
    assert_int_equal (s_try (3, &one), SH_E_SUBNET_MASK);
    one.has_prefix = true;
    assert_int_equal (sh_prefix_parse (&one.prefix, "10.0.0.0/24"), SH_OK);
    assert_int_equal (s_try (3, &one), SH_E_SUBNET_PARENT);
    one.parent = false;
    assert_int_equal (s_try (3, &one), SH_E_SUBNET_DISABLED);
    one.check = true;
    assert_int_equal (s_try (3, &one), SH_OK);
}

static void
test_cidr (void **state)
{
    (void) state;
    static const struct
    {
        const char *stored, *stated;
        sh_err_t expected;
    } cases[] = {
        { "10.0.0.0/24", "10.0.0.0/24", SH_OK },
        { "10.0.0.0/24", "10.0.0.0/25", SH_E_CIDR_MISMATCH },
        { "10.0.0.0/24", "10.0.0.0/23", SH_E_CIDR_MISMATCH },
        { "10.0.0.0/24", "10.0.1.0/24", SH_E_CIDR_MISMATCH },
        { "10.0.0.0/24", "10.0.0.1/24", SH_E_BAD_MESSAGE },
        { "10.0.0.0/24", "10.0.0.0", SH_E_BAD_MESSAGE },
        { "10.0.0.0/24", "", SH_E_BAD_MESSAGE },
        { "10.0.0.0/24", "10.0.0.0/24 ", SH_E_BAD_MESSAGE },
        { "10.0.0.0/24", "0.0.0.0/0", SH_E_CIDR_MISMATCH },
        { "2001:db8::/64", "2001:db8::/64", SH_OK },
        { "2001:db8::/64", "2001:DB8:0:0::/64", SH_OK },
        { "2001:db8::/64", "2001:db8::/65", SH_E_CIDR_MISMATCH },
        { "2001:db8::/64", "10.0.0.0/24", SH_E_CIDR_MISMATCH },
        { "192.0.2.7/32", "192.0.2.7/32", SH_OK },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        hub_subnet_t subnet = { .has_prefix = true };
        assert_int_equal (sh_prefix_parse (&subnet.prefix, cases[i].stored),
                          SH_OK);
        if (hub_authorise_cidr (&subnet, cases[i].stated) != cases[i].expected)
            fail_msg ("case %zu: '%s'", i, cases[i].stated);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_agent),
        cmocka_unit_test (test_subnet),
        cmocka_unit_test (test_subnet_order),
        cmocka_unit_test (test_cidr),
    };
    return cmocka_run_group_tests_name ("authorise", tests, NULL, NULL);
}
