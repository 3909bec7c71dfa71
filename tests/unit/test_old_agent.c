/* SPDX-License-Identifier: MPL-2.0 */
/*  What is taken over from the older agent's file, and which lines of crontabs
    are shown for removal.  */

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

#include "lib/file.h"
#include "scanner/old_agent.h"

static char s_root[64];

static int
s_setup (void **state)
{
    (void) state;
    snprintf (s_root, sizeof s_root, "/tmp/test_old_agent.XXXXXX");
    return mkdtemp (s_root) ? 0 : -1;
}

static const char *const s_made[]
    = { "/etc/cron.d/scan", "/etc/cron.d", "/etc/crontab", "/etc", "/agent" };

static int
s_teardown (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof s_made / sizeof *s_made; i++) {
        char path[128];
        snprintf (path, sizeof path, "%s%s", s_root, s_made[i]);
        (void) remove (path);
    }
    return rmdir (s_root);
}

static const char *
s_put (const char *file, const char *text)
{
    static char path[128];
    sh_why_t why;
    snprintf (path, sizeof path, "%s%s", s_root, file);
    if (text)
        assert_int_equal (sh_file_write (path, text, strlen (text), 0644, true,
                                         &why),
                          SH_OK);
    else
        assert_int_equal (mkdir (path, 0755), 0);
    return path;
}

static void
test_read (void **state)
{
    (void) state;
    sc_old_agent_t old;
    sh_why_t why = { "" };
    const char *path
        = s_put ("/agent", "nofusscomputing_phpipam_scan_agent:\n"
                           "  client_token: secret\n"
                           "  client_name: harbour east\n"
                           "  scanagent_code: abc-1\n");
    assert_int_equal (sc_old_agent_read (&old, path, &why), SH_OK);
    assert_string_equal (old.name, "harbour east");
    assert_string_equal (old.code, "abc-1");
    path = s_put ("/agent", "nofusscomputing_phpipam_scan_agent:\n"
                            "  client_name:\n");
    assert_int_equal (sc_old_agent_read (&old, path, &why), SH_OK);
    assert_string_equal (old.name, "");
    assert_string_equal (old.code, "");
    static const char *const bad[]
        = { "a: b\n",
            "nofusscomputing_phpipam_scan_agent:\n  scanagent_code: [1]\n",
            ("nofusscomputing_phpipam_scan_agent:\n  scanagent_code: "
             "012345678901234567890123456789012\n") };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal (sc_old_agent_read (&old, s_put ("/agent", bad[i]),
                                             &why),
                          SH_E_CONFIG);
    (void) remove (path);
    assert_int_equal (sc_old_agent_read (&old, path, &why), SH_E_NOT_FOUND);
}

static void
test_cron (void **state)
{
    (void) state;
    char text[1024] = "";
    FILE *to = fmemopen (text, sizeof text, "w");
    assert_non_null (to);
    assert_int_equal (sc_old_agent_cron (to, s_root), 0);
    (void) s_put ("/etc", NULL);
    (void) s_put ("/etc/cron.d", NULL);
    (void) s_put ("/etc/crontab", "# phpipam_scan_agent, once\n"
                                  "5 * * * * root run-parts /etc/cron.hourly\n");
    (void) s_put ("/etc/cron.d/scan",
                  "*/5 * * * * root ansible-playbook "
                  "nofusscomputing.phpipam_scan_agent.agent\t\x1b[m\n");
    assert_int_equal (sc_old_agent_cron (to, s_root), 1);
    assert_int_equal (fclose (to), 0);
    assert_non_null (strstr (text, "/etc/cron.d/scan: */5 * * * * root "));
    assert_null (strchr (text, '\x1b'));
    assert_null (strstr (text, "once"));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_read, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_cron, s_setup, s_teardown),
    };
    return cmocka_run_group_tests_name ("old_agent", tests, NULL, NULL);
}
