/* SPDX-License-Identifier: MPL-2.0 */
/*  The registry: a real directory, real inotify.  */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hub/registry.h"
#include "lib/clock.h"

#define CODE_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define CODE_B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define WAIT_MS 5000 /* far more than the second that is promised */

static char s_base[64];
static char s_dir[128];

static int
setup (void **state)
{
    (void) state;
    snprintf (s_base, sizeof s_base, "/tmp/test_registry.XXXXXX");
    if (!mkdtemp (s_base))
        return -1;
    snprintf (s_dir, sizeof s_dir, "%s/scanners", s_base);
    return mkdir (s_dir, 0755);
}

static int
run_rm (const char *path)
{
    pid_t pid = fork ();
    if (pid == 0) {
        execlp ("rm", "rm", "-rf", "--", path, (char *) NULL);
        _exit (127);
    }
    int status = -1;
    return pid > 0 && waitpid (pid, &status, 0) == pid ? status : -1;
}

static int
teardown (void **state)
{
    (void) state;
    return run_rm (s_base);
}

/*  A key that is different for every number: valid Z85 need not be a point on
    the curve for the registry.  */
static void
key_of (char out[static SH_KEY_TEXT], unsigned number)
{
    snprintf (out, SH_KEY_TEXT, "%040u", number);
}

static const char *
path_of (const char *file)
{
    static char path[256];
    snprintf (path, sizeof path, "%s/%s", s_dir, file);
    return path;
}

static void
write_text (const char *path, const char *text)
{
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    assert_true (fputs (text, file) >= 0);
    assert_int_equal (fclose (file), 0);
}

/*  Write FILE in place, as an editor would.  'code2' may be NULL.  */
static void
put (const char *file, unsigned key, const char *code, const char *code2)
{
    char text[512], public_key[SH_KEY_TEXT];
    key_of (public_key, key);
    int size = snprintf (text, sizeof text,
                         "metadata\n    code = \"%s\"\n", code);
    if (code2)
        size += snprintf (text + size, sizeof text - (size_t) size,
                          "    code = \"%s\"\n", code2);
    snprintf (text + size, sizeof text - (size_t) size,
              "curve\n    public-key = \"%s\"\n", public_key);
    write_text (path_of (file), text);
}

static hub_registry_t *
open_registry (void)
{
    hub_registry_t *registry = NULL;
    sh_why_t why = { "" };
    assert_int_equal (hub_registry_new (&registry, s_dir, &why), SH_OK);
    return registry;
}

static bool
knows (hub_registry_t *registry, unsigned key)
{
    char text[SH_KEY_TEXT];
    hub_principal_t who = { 0 };
    key_of (text, key);
    bool found = hub_registry_find (registry, text, &who);
    if (found)
        assert_string_equal (who.key, text);
    hub_principal_clear (&who);
    return found;
}

static bool
allows (hub_registry_t *registry, unsigned key, const char *code)
{
    char text[SH_KEY_TEXT];
    key_of (text, key);
    return hub_registry_allows (registry, text, code);
}

/*  Follow until 'key' is known or not, as the ZAP actor would.  False if that
    does not come.  */
static bool
follow_until (hub_registry_t *registry, unsigned key, bool known)
{
    const sh_clock_t *clock = sh_clock_system ();
    int64_t deadline = sh_clock_mono (clock) + WAIT_MS;
    while (knows (registry, key) != known) {
        struct pollfd item
            = { .fd = hub_registry_fd (registry), .events = POLLIN };
        if (sh_clock_mono (clock) > deadline)
            return false;
        if (poll (&item, 1, 100) > 0)
            hub_registry_follow (registry);
    }
    return true;
}

/*  Follow everything that is told within 'ms'.  */
static void
follow_for (hub_registry_t *registry, int ms)
{
    const sh_clock_t *clock = sh_clock_system ();
    int64_t deadline = sh_clock_mono (clock) + ms;
    while (sh_clock_mono (clock) < deadline) {
        struct pollfd item
            = { .fd = hub_registry_fd (registry), .events = POLLIN };
        if (poll (&item, 1, 20) > 0)
            hub_registry_follow (registry);
    }
}

static void
reads_what_is_there (void **state)
{
    (void) state;
    put ("site-a.cert", 1, CODE_A, NULL);
    put ("shim.cert", 2, CODE_A, CODE_B);
    put (".hidden.cert", 3, CODE_A, NULL);
    put ("notes.txt", 4, CODE_A, NULL);
    hub_registry_t *registry = open_registry ();
    char key[SH_KEY_TEXT];
    key_of (key, 1);
    hub_principal_t who;
    assert_true (hub_registry_find (registry, key, &who));
    assert_int_equal (who.door, HUB_DOOR_CURVE);
    assert_string_equal (who.name, "site-a");
    assert_int_equal (who.code_count, 1);
    assert_string_equal (who.codes[0].text, CODE_A);
    hub_principal_clear (&who);
    assert_int_equal (hub_registry_size (registry), 2);
    assert_false (knows (registry, 3));
    assert_false (knows (registry, 4));
    assert_false (knows (registry, 99));
    hub_registry_destroy (&registry);
    assert_null (registry);
    hub_registry_destroy (&registry);
}

static void
codes_are_compared_byte_by_byte (void **state)
{
    (void) state;
    put ("a.cert", 1, "abcDEF-_=", NULL);
    put ("shim.cert", 2, CODE_A, CODE_B);
    put ("twice.cert", 3, "twice", "twice");
    hub_registry_t *registry = open_registry ();
    assert_true (allows (registry, 1, "abcDEF-_="));
    assert_false (allows (registry, 1, "ABCDEF-_="));
    assert_false (allows (registry, 1, "abcDEF-_= "));
    assert_false (allows (registry, 1, ""));
    assert_true (allows (registry, 2, CODE_A));
    assert_true (allows (registry, 2, CODE_B));
    assert_false (allows (registry, 2, "abcDEF-_="));
    assert_false (allows (registry, 9, CODE_A));

    assert_true (hub_registry_reserves (registry, "abcDEF-_="));
    assert_false (hub_registry_reserves (registry, CODE_A)); /* a shim's */
    assert_false (hub_registry_reserves (registry, "abcdef-_="));
    assert_true (hub_registry_reserves (registry, "twice"));

    hub_scanner_t scanners[2];
    char key[SH_KEY_TEXT];
    key_of (key, 1);
    assert_int_equal (
        hub_registry_scanners (registry, "abcDEF-_=", scanners, 2), 1);
    assert_string_equal (scanners[0].key, key);
    assert_int_equal (hub_registry_scanners (registry, CODE_A, scanners, 2),
                      0); /* a shim's */
    hub_registry_destroy (&registry);
}

static void
a_file_comes_changes_and_goes (void **state)
{
    (void) state;
    hub_registry_t *registry = open_registry ();
    unsigned before = hub_registry_generation (registry);
    put ("a.cert", 1, CODE_A, NULL);
    assert_true (follow_until (registry, 1, true));
    assert_int_equal (hub_registry_generation (registry), before + 1);

    put ("a.cert", 1, CODE_B, NULL);
    follow_for (registry, 300);
    assert_true (allows (registry, 1, CODE_B));
    assert_false (allows (registry, 1, CODE_A));
    assert_false (hub_registry_reserves (registry, CODE_A));

    put ("a.cert", 2, CODE_B, NULL); /* another key */
    assert_true (follow_until (registry, 2, true));
    assert_false (knows (registry, 1));

    assert_int_equal (unlink (path_of ("a.cert")), 0);
    assert_true (follow_until (registry, 2, false));
    assert_int_equal (hub_registry_size (registry), 0);
    assert_false (hub_registry_reserves (registry, CODE_B));
    hub_registry_destroy (&registry);
}

static void
links_and_renames_count (void **state)
{
    (void) state;
    hub_registry_t *registry = open_registry ();
    char other[256];
    put ("new.tmp", 1, CODE_A, NULL);
    follow_for (registry, 100);
    assert_false (knows (registry, 1));

    snprintf (other, sizeof other, "%s", path_of ("linked.cert"));
    assert_int_equal (link (path_of ("new.tmp"), other), 0);
    assert_int_equal (unlink (path_of ("new.tmp")), 0);
    assert_true (follow_until (registry, 1, true));

    /*  A file under another name is another entry, and one key stays in force
        all the time.  */
    char moved[256];
    snprintf (moved, sizeof moved, "%s", path_of ("moved.cert"));
    assert_int_equal (rename (other, moved), 0);
    follow_for (registry, 200);
    char key[SH_KEY_TEXT];
    hub_principal_t who;
    key_of (key, 1);
    assert_true (hub_registry_find (registry, key, &who));
    assert_string_equal (who.name, "moved");
    hub_principal_clear (&who);

    snprintf (other, sizeof other, "%s", path_of ("moved.cert.off"));
    assert_int_equal (rename (moved, other), 0);
    assert_true (follow_until (registry, 1, false));
    hub_registry_destroy (&registry);
}

static void
a_rename_over_a_file_replaces_it (void **state)
{
    (void) state;
    put ("a.cert", 1, CODE_A, NULL);
    hub_registry_t *registry = open_registry ();
    char fresh[256];
    put ("fresh.tmp", 2, CODE_A, NULL);
    snprintf (fresh, sizeof fresh, "%s", path_of ("fresh.tmp"));
    assert_int_equal (rename (fresh, path_of ("a.cert")), 0);
    assert_true (follow_until (registry, 2, true));
    assert_false (knows (registry, 1));
    hub_registry_destroy (&registry);
}

static void
two_files_with_one_key_let_nobody_in (void **state)
{
    (void) state;
    put ("a.cert", 1, CODE_A, NULL);
    hub_registry_t *registry = open_registry ();
    char key[SH_KEY_TEXT];
    key_of (key, 1);
    assert_true (knows (registry, 1));
    put ("b.cert", 1, CODE_B, NULL);
    assert_true (follow_until (registry, 1, false));
    assert_int_equal (hub_registry_claims (registry, key), 2);
    assert_int_equal (hub_registry_size (registry), 0);
    assert_false (allows (registry, 1, CODE_A));
    assert_false (allows (registry, 1, CODE_B));
    assert_true (hub_registry_reserves (registry, CODE_A));
    /*  Whom nobody lets in cannot be given work.  */
    assert_int_equal (hub_registry_scanners (registry, CODE_A, NULL, 0), 0);
    assert_int_equal (hub_registry_scanners (registry, CODE_B, NULL, 0), 0);

    put ("c.cert", 1, CODE_B, NULL);
    follow_for (registry, 200);
    assert_int_equal (unlink (path_of ("c.cert")), 0);
    follow_for (registry, 200);
    assert_false (knows (registry, 1)); /* two are still there */

    assert_int_equal (unlink (path_of ("a.cert")), 0);
    assert_true (follow_until (registry, 1, true));
    assert_true (allows (registry, 1, CODE_B));
    assert_int_equal (hub_registry_scanners (registry, CODE_B, NULL, 0), 1);
    assert_false (allows (registry, 1, CODE_A));
    assert_int_equal (hub_registry_claims (registry, key), 1);
    assert_int_equal (hub_registry_size (registry), 1);
    hub_registry_destroy (&registry);

    put ("a.cert", 1, CODE_A, NULL); /* the same from the start */
    registry = open_registry ();
    assert_false (knows (registry, 1));
    put ("a.cert", 5, CODE_A, NULL);
    assert_true (follow_until (registry, 1, true));
    assert_true (knows (registry, 5));
    hub_registry_destroy (&registry);
}

static void
a_file_that_turns_bad_lets_nobody_in (void **state)
{
    (void) state;
    put ("a.cert", 1, CODE_A, NULL);
    put ("b.cert", 2, CODE_B, NULL);
    hub_registry_t *registry = open_registry ();
    write_text (path_of ("a.cert"), "metadata\n");
    assert_true (follow_until (registry, 1, false));
    assert_true (knows (registry, 2));

    put ("a.cert", 1, CODE_A, NULL);
    assert_true (follow_until (registry, 1, true));
    assert_int_equal (chmod (path_of ("a.cert"), 0666), 0);
    assert_true (follow_until (registry, 1, false));
    assert_int_equal (chmod (path_of ("a.cert"), 0644), 0);
    assert_true (follow_until (registry, 1, true));
    hub_registry_destroy (&registry);
}

static void
bad_files_are_told_with_a_reason (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *why;
    } cases[] = {
        { "", "public-key" },
        { "metadata\n    name = \"x\"\ncurve\n    public-key = \"%s\"\n",
          "code" },
        { "metadata\n    code = \"no blanks\"\ncurve\n"
          "    public-key = \"%s\"\n",
          "characters" },
        { "metadata\n    code = \"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456\"\ncurve\n"
          "    public-key = \"%s\"\n",
          "1 to 32" },
        { "metadata\n    code = \"x\"\n    name = \"../x\"\ncurve\n"
          "    public-key = \"%s\"\n",
          "name" },
        { "metadata\n    code = \"x\"\n    name = \"a\"\n    name = \"b\"\n"
          "curve\n    public-key = \"%s\"\n",
          "second name" },
        { "metadata\n    code = \"x\"\n    kind = \"Shim\"\ncurve\n"
          "    public-key = \"%s\"\n",
          "kind must be \"shim\" or \"scanner\"" },
        { "metadata\n    code = \"x\"\n    kind = \"\"\ncurve\n"
          "    public-key = \"%s\"\n",
          "kind must be" },
        { "metadata\n    code = \"x\"\n    legacy_http = \"yes\"\ncurve\n"
          "    public-key = \"%s\"\n",
          "legacy_http must be \"true\" or \"false\"" },
        { "metadata\n    code = \"x\"\ncurve\n    public-key = \"short\"\n",
          "Z85" },
    };
    char key[SH_KEY_TEXT];
    key_of (key, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        const char *hole = strstr (cases[i].text, "%s");
        if (hole)
            snprintf (text, sizeof text, "%.*s%s%s",
                      (int) (hole - cases[i].text), cases[i].text, key,
                      hole + 2);
        else
            snprintf (text, sizeof text, "%s", cases[i].text);
        write_text (path_of ("bad.cert"), text);
        hub_principal_t who = { 0 };
        sh_why_t why = { "" };
        assert_int_equal (
            hub_registry_read_file (&who, path_of ("bad.cert"), &why),
            SH_E_SYNTAX);
        assert_null (who.codes);
        assert_non_null (strstr (why.text, "bad.cert"));
        if (!strstr (why.text, cases[i].why))
            fail_msg ("'%s' does not say '%s'", why.text, cases[i].why);
    }
}

static void
large_metadata_is_no_matter (void **state)
{
    (void) state;
    char text[4096], key[SH_KEY_TEXT];
    key_of (key, 1);
    int size = snprintf (text, sizeof text,
                         "metadata\n    code = \"%s\"\n", CODE_A);
    for (int i = 0; i < 40; i++)
        size += snprintf (text + size, sizeof text - (size_t) size,
                          "    remark-%d = \"%050d\"\n", i, i);
    assert_true (size > 2048);
    snprintf (text + size, sizeof text - (size_t) size,
              "curve\n    public-key = \"%s\"\n", key);
    write_text (path_of ("a.cert"), text);
    hub_registry_t *registry = open_registry ();
    assert_true (allows (registry, 1, CODE_A));
    hub_registry_destroy (&registry);
}

static void
a_shim_may_list_many_codes (void **state)
{
    (void) state;
    FILE *file = fopen (path_of ("shim.cert"), "w");
    char key[SH_KEY_TEXT];
    assert_non_null (file);
    key_of (key, 1);
    fprintf (file, "metadata\n");
    for (int i = 0; i < 500; i++)
        fprintf (file, "    code = \"code-%04d\"\n", i);
    fprintf (file, "curve\n    public-key = \"%s\"\n", key);
    fclose (file);
    hub_registry_t *registry = open_registry ();
    assert_true (allows (registry, 1, "code-0000"));
    assert_true (allows (registry, 1, "code-0499"));
    assert_false (allows (registry, 1, "code-0500"));
    assert_false (hub_registry_reserves (registry, "code-0000"));
    hub_registry_destroy (&registry);
}

/*  Write FILE with one code and more metadata.  */
static void
put_more (const char *file, unsigned key, const char *code, const char *more)
{
    char text[512], public_key[SH_KEY_TEXT];
    key_of (public_key, key);
    snprintf (text, sizeof text,
              "metadata\n    code = \"%s\"\n    %s\ncurve\n"
              "    public-key = \"%s\"\n",
              code, more, public_key);
    write_text (path_of (file), text);
}

static hub_principal_t
principal_of (hub_registry_t *registry, unsigned key)
{
    char text[SH_KEY_TEXT];
    hub_principal_t who = { 0 };
    key_of (text, key);
    assert_true (hub_registry_find (registry, text, &who));
    return who;
}

static void
an_entry_says_what_it_is (void **state)
{
    (void) state;
    static const struct
    {
        const char *more;
        bool shim, legacy_http;
    } cases[] = {
        { "note = \"x\"", false, false },
        { "kind = \"scanner\"", false, false },
        { "kind = \"shim\"", true, false },
        { "legacy_http = \"true\"", false, true },
        { "legacy_http = \"false\"", false, false },
        { "code = \"other\"", true, false },
        { "code = \"other\"\n    kind = \"scanner\"", true, false },
    };
    char file[32];
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf (file, sizeof file, "e%u.cert", i);
        put_more (file, i, CODE_A, cases[i].more);
    }
    hub_registry_t *registry = open_registry ();
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        hub_principal_t who = principal_of (registry, i);
        assert_int_equal (who.shim, cases[i].shim);
        assert_int_equal (who.legacy_http, cases[i].legacy_http);
        hub_principal_clear (&who);
    }
    hub_registry_destroy (&registry);
}

static void
only_a_scanner_without_legacy_http_reserves_its_code (void **state)
{
    (void) state;
    put_more ("shim.cert", 1, "of-shim", "kind = \"shim\"");
    put_more ("open.cert", 2, "open", "legacy_http = \"true\"");
    put_more ("own.cert", 3, "own", "legacy_http = \"false\"");
    put_more ("shim2.cert", 4, "own", "kind = \"shim\"");
    put_more ("both1.cert", 5, "both", "legacy_http = \"true\"");
    put_more ("both2.cert", 6, "both", "legacy_http = \"true\"");
    put_more ("mixed1.cert", 7, "mixed", "legacy_http = \"true\"");
    put_more ("mixed2.cert", 8, "mixed", "note = \"x\"");
    put_more ("mixed3.cert", 9, "mixed", "legacy_http = \"true\"");
    hub_registry_t *registry = open_registry ();
    assert_int_equal (hub_registry_size (registry), 9);
    assert_true (allows (registry, 1, "of-shim"));
    assert_false (hub_registry_reserves (registry, "of-shim"));
    assert_true (allows (registry, 2, "open"));
    assert_false (hub_registry_reserves (registry, "open"));
    assert_true (hub_registry_reserves (registry, "own"));
    assert_false (hub_registry_reserves (registry, "both"));
    assert_true (hub_registry_reserves (registry, "mixed"));
    assert_false (hub_registry_reserves (registry, "nobody's"));

    /*  The one that does not say so goes.  */
    assert_int_equal (unlink (path_of ("mixed2.cert")), 0);
    assert_true (follow_until (registry, 8, false));
    assert_false (hub_registry_reserves (registry, "mixed"));
    hub_registry_destroy (&registry);
}

static void
a_change_of_kind_or_legacy_http_counts (void **state)
{
    (void) state;
    put_more ("a.cert", 1, CODE_A, "kind = \"scanner\"");
    hub_registry_t *registry = open_registry ();
    unsigned before = hub_registry_generation (registry);
    assert_true (hub_registry_reserves (registry, CODE_A));

    put_more ("a.cert", 1, CODE_A, "legacy_http = \"true\"");
    follow_for (registry, 300);
    assert_int_equal (hub_registry_generation (registry), before + 1);
    assert_false (hub_registry_reserves (registry, CODE_A));

    put_more ("a.cert", 1, CODE_A, "legacy_http = \"false\"");
    follow_for (registry, 300);
    assert_true (hub_registry_reserves (registry, CODE_A));

    put_more ("a.cert", 1, CODE_A, "kind = \"shim\"");
    follow_for (registry, 300);
    assert_int_equal (hub_registry_generation (registry), before + 3);
    assert_false (hub_registry_reserves (registry, CODE_A));
    hub_principal_t who = principal_of (registry, 1);
    assert_true (who.shim);
    hub_principal_clear (&who);
    hub_registry_destroy (&registry);
}

/*  Nobody gets in by either, but the code is still some scanner's own.  */
static void
a_doubly_claimed_key_reserves_its_codes (void **state)
{
    (void) state;
    put_more ("a.cert", 1, CODE_A, "note = \"x\"");
    put_more ("b.cert", 1, CODE_B, "legacy_http = \"true\"");
    hub_registry_t *registry = open_registry ();
    assert_false (knows (registry, 1));
    assert_true (hub_registry_reserves (registry, CODE_A));
    assert_false (hub_registry_reserves (registry, CODE_B));
    hub_registry_destroy (&registry);
}

static void
symlinks_lead_to_files_only (void **state)
{
    (void) state;
    char target[256], other[256];
    snprintf (target, sizeof target, "%s/target", s_base);
    snprintf (other, sizeof other, "%s/other", s_base);
    put ("x", 1, CODE_A, NULL);
    assert_int_equal (rename (path_of ("x"), target), 0);
    put ("x", 2, CODE_B, NULL);
    assert_int_equal (rename (path_of ("x"), other), 0);

    hub_registry_t *registry = open_registry ();
    assert_int_equal (symlink (target, path_of ("a.cert")), 0);
    assert_int_equal (symlink ("/dev/zero", path_of ("zero.cert")), 0);
    assert_int_equal (symlink (s_base, path_of ("dir.cert")), 0);
    assert_int_equal (symlink ("/nowhere", path_of ("gone.cert")), 0);
    assert_int_equal (mkfifo (path_of ("pipe.cert"), 0644), 0);
    assert_int_equal (mkdir (path_of ("sub.cert"), 0755), 0);
    assert_true (follow_until (registry, 1, true));
    assert_int_equal (hub_registry_size (registry), 1);

    /*  inotify does not tell of what happens behind a symlink.  */
    assert_int_equal (rename (other, target), 0);
    assert_true (follow_until (registry, 2, true));
    assert_false (knows (registry, 1));
    assert_int_equal (unlink (target), 0);
    assert_true (follow_until (registry, 2, false));
    hub_registry_destroy (&registry);
}

static void
a_directory_that_everybody_may_write_is_refused (void **state)
{
    (void) state;
    put ("a.cert", 1, CODE_A, NULL);
    assert_int_equal (chmod (s_dir, 0777), 0);
    hub_registry_t *registry = NULL;
    sh_why_t why = { "" };
    assert_int_equal (hub_registry_new (&registry, s_dir, &why), SH_E_CONFIG);
    assert_null (registry);
    assert_non_null (strstr (why.text, "chmod o-w"));

    assert_int_equal (chmod (s_dir, 0755), 0);
    registry = open_registry ();
    assert_int_equal (chmod (s_dir, 0777), 0);
    assert_true (follow_until (registry, 1, false));
    assert_int_equal (hub_registry_reload (registry, &why), SH_E_CONFIG);
    assert_int_equal (chmod (s_dir, 0755), 0);
    assert_true (follow_until (registry, 1, true));
    hub_registry_destroy (&registry);
}

static void
a_missing_directory_is_refused (void **state)
{
    (void) state;
    hub_registry_t *registry = NULL;
    sh_why_t why = { "" };
    assert_int_equal (hub_registry_new (&registry, "/nowhere/at/all", &why),
                      SH_E_CONFIG);
    assert_non_null (strstr (why.text, "/nowhere/at/all"));
    assert_int_equal (hub_registry_new (&registry, "/dev/null", &why),
                      SH_E_CONFIG);
    assert_null (registry);
}

static void
a_directory_that_goes_takes_everybody_out (void **state)
{
    (void) state;
    put ("a.cert", 1, CODE_A, NULL);
    hub_registry_t *registry = open_registry ();
    char away[256];
    snprintf (away, sizeof away, "%s/away", s_base);
    assert_int_equal (rename (s_dir, away), 0);
    assert_true (follow_until (registry, 1, false));
    assert_int_equal (hub_registry_size (registry), 0);
    assert_false (hub_registry_reserves (registry, CODE_A));

    assert_int_equal (mkdir (s_dir, 0755), 0);
    put ("b.cert", 2, CODE_A, NULL);
    assert_true (follow_until (registry, 2, true));
    put ("c.cert", 3, CODE_A, NULL); /* the new one is followed */
    assert_true (follow_until (registry, 3, true));
    assert_false (knows (registry, 1));
    hub_registry_destroy (&registry);
}

static void
a_directory_can_be_replaced_without_a_gap (void **state)
{
    (void) state;
    put ("a.cert", 1, CODE_A, NULL);
    put ("b.cert", 2, CODE_B, NULL);
    hub_registry_t *registry = open_registry ();
    char away[256], fresh[256], file[300];
    snprintf (away, sizeof away, "%s/away", s_base);
    snprintf (fresh, sizeof fresh, "%s/fresh", s_base);
    assert_int_equal (mkdir (fresh, 0755), 0);
    snprintf (file, sizeof file, "%s/a.cert", fresh);
    assert_int_equal (link (path_of ("a.cert"), file), 0);

    assert_int_equal (rename (s_dir, away), 0);
    hub_registry_follow (registry);
    hub_registry_follow (registry);
    assert_true (knows (registry, 1)); /* for one second */
    assert_int_equal (rename (fresh, s_dir), 0);
    assert_true (follow_until (registry, 2, false));
    assert_true (knows (registry, 1));
    hub_registry_destroy (&registry);
}

static void
an_overflow_reads_everything (void **state)
{
    (void) state;
    hub_registry_t *registry = open_registry ();
    /*  The queue holds fs.inotify.max_queued_events (16384 as a rule); two
        events at least for each round.  */
    char other[256];
    put ("x.cert", 1, CODE_A, NULL);
    snprintf (other, sizeof other, "%s", path_of ("y.cert"));
    for (int i = 0; i < 9000; i++) {
        assert_int_equal (rename (path_of ("x.cert"), other), 0);
        assert_int_equal (rename (other, path_of ("x.cert")), 0);
    }
    put ("late.cert", 2, CODE_B, NULL);
    assert_true (follow_until (registry, 2, true));
    assert_true (knows (registry, 1));
    assert_int_equal (hub_registry_size (registry), 2);
    hub_registry_destroy (&registry);
}

static void
reload_swaps_the_whole (void **state)
{
    (void) state;
    put ("a.cert", 1, CODE_A, NULL);
    hub_registry_t *registry = open_registry ();
    unsigned before = hub_registry_generation (registry);
    sh_why_t why = { "" };
    assert_int_equal (hub_registry_reload (registry, &why), SH_OK);
    assert_int_equal (hub_registry_generation (registry), before);
    put ("b.cert", 2, CODE_B, NULL);
    assert_int_equal (unlink (path_of ("a.cert")), 0);
    assert_int_equal (hub_registry_reload (registry, &why), SH_OK);
    assert_int_equal (hub_registry_generation (registry), before + 1);
    assert_false (knows (registry, 1));
    assert_true (knows (registry, 2));

    assert_int_equal (chmod (s_dir, 0777), 0);
    assert_int_equal (hub_registry_reload (registry, &why), SH_E_CONFIG);
    assert_true (knows (registry, 2));
    hub_registry_destroy (&registry);
}

#define MANY 4000

static void
many_keys (void **state)
{
    (void) state;
    char file[32], code[33];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf (file, sizeof file, "s%u.cert", i);
        snprintf (code, sizeof code, "code-%u", i);
        put (file, i, code, NULL);
    }
    hub_registry_t *registry = open_registry ();
    assert_int_equal (hub_registry_size (registry), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf (code, sizeof code, "code-%u", i);
        assert_true (allows (registry, i, code));
        assert_true (hub_registry_reserves (registry, code));
    }
    assert_false (knows (registry, MANY));

    /*  All gone one by one, found missing one by one.  */
    for (unsigned i = 0; i < MANY; i += 2) {
        snprintf (file, sizeof file, "s%u.cert", i);
        assert_int_equal (unlink (path_of (file)), 0);
    }
    assert_true (follow_until (registry, MANY - 2, false));
    assert_int_equal (hub_registry_size (registry), MANY / 2);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal (knows (registry, i), i % 2);
    hub_registry_destroy (&registry);
}

typedef struct
{
    hub_registry_t *registry;
    atomic_bool stop;
    atomic_uint wrong;
} readers_t;

static void *
read_on (void *context)
{
    readers_t *self = context;
    char key[SH_KEY_TEXT];
    while (!atomic_load (&self->stop)) {
        hub_principal_t who = { 0 };
        key_of (key, 1); /* never touched */
        if (!hub_registry_find (self->registry, key, &who)
            || strcmp (who.key, key) != 0 || who.code_count != 1)
            atomic_fetch_add (&self->wrong, 1);
        hub_principal_clear (&who);
        key_of (key, 2); /* comes and goes, but always whole */
        if (hub_registry_find (self->registry, key, &who)
            && (who.code_count != 2
                || strcmp (who.codes[1].text, CODE_B) != 0))
            atomic_fetch_add (&self->wrong, 1);
        hub_principal_clear (&who);
    }
    return NULL;
}

static void
readers_and_a_writer (void **state)
{
    (void) state;
    put ("still.cert", 1, CODE_A, NULL);
    readers_t readers = { .registry = open_registry () };
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal (
            pthread_create (&threads[i], NULL, read_on, &readers), 0);
    char moved[256];
    snprintf (moved, sizeof moved, "%s", path_of ("moves.cert"));
    for (int i = 0; i < 60; i++) {
        put ("moves.tmp", 2, CODE_A, CODE_B);
        assert_int_equal (rename (path_of ("moves.tmp"), moved), 0);
        hub_registry_follow (readers.registry);
        assert_true (knows (readers.registry, 2));
        assert_int_equal (unlink (moved), 0);
        hub_registry_follow (readers.registry);
        assert_false (knows (readers.registry, 2));
        if (i % 20 == 0)
            assert_int_equal (hub_registry_reload (readers.registry, NULL),
                              SH_OK);
    }
    atomic_store (&readers.stop, true);
    for (int i = 0; i < 3; i++)
        pthread_join (threads[i], NULL);
    assert_int_equal (atomic_load (&readers.wrong), 0);
    hub_registry_destroy (&readers.registry);
}

static void
names_and_codes (void **state)
{
    (void) state;
    assert_true (hub_registry_name_valid ("site-a.example_1"));
    assert_true (hub_registry_name_valid ("_x"));
    assert_false (hub_registry_name_valid (""));
    assert_false (hub_registry_name_valid (NULL));
    assert_false (hub_registry_name_valid (".x"));
    assert_false (hub_registry_name_valid ("-x"));
    assert_false (hub_registry_name_valid ("a/b"));
    assert_false (hub_registry_name_valid ("a b"));
    assert_false (hub_registry_name_valid ("\xc3\xa4"));
    char text[HUB_NAME_MOST + 2];
    memset (text, 'a', sizeof text);
    text[HUB_NAME_MOST + 1] = '\0';
    assert_false (hub_registry_name_valid (text));
    text[HUB_NAME_MOST] = '\0';
    assert_true (hub_registry_name_valid (text));

    assert_true (hub_registry_code_valid (CODE_A));
    assert_true (hub_registry_code_valid ("a"));
    assert_true (hub_registry_code_valid ("-_="));
    assert_false (hub_registry_code_valid (CODE_A "A"));
    assert_false (hub_registry_code_valid (""));
    assert_false (hub_registry_code_valid (NULL));
    assert_false (hub_registry_code_valid ("a.b"));
    assert_false (hub_registry_code_valid ("a "));

    assert_true (hub_registry_is_entry ("a.cert"));
    assert_false (hub_registry_is_entry (".cert"));
    assert_false (hub_registry_is_entry (".a.cert"));
    assert_false (hub_registry_is_entry ("a.cert~"));
    assert_false (hub_registry_is_entry ("a.pub"));
}

static void
a_principal_speaks_for_its_codes (void **state)
{
    (void) state;
    hub_code_t codes[2] = { { CODE_A }, { CODE_B } };
    hub_principal_t who = { .codes = codes, .code_count = 1 };
    const char *code = NULL;
    assert_int_equal (hub_principal_code (&who, NULL, &code), SH_OK);
    assert_string_equal (code, CODE_A);
    assert_int_equal (hub_principal_code (&who, CODE_B, &code),
                      SH_E_CODE_DENIED);
    who.code_count = 2;
    assert_int_equal (hub_principal_code (&who, NULL, &code),
                      SH_E_CODE_MISSING);
    assert_int_equal (hub_principal_code (&who, CODE_B, &code), SH_OK);
    assert_string_equal (code, CODE_B);
    assert_int_equal (hub_principal_code (&who, "", &code), SH_E_CODE_DENIED);
    who.code_count = 0;
    assert_int_equal (hub_principal_code (&who, NULL, &code),
                      SH_E_CODE_MISSING);
}

#define CASE(f) cmocka_unit_test_setup_teardown (f, setup, teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        CASE (reads_what_is_there),
        CASE (codes_are_compared_byte_by_byte),
        CASE (a_file_comes_changes_and_goes),
        CASE (links_and_renames_count),
        CASE (a_rename_over_a_file_replaces_it),
        CASE (two_files_with_one_key_let_nobody_in),
        CASE (a_file_that_turns_bad_lets_nobody_in),
        CASE (bad_files_are_told_with_a_reason),
        CASE (large_metadata_is_no_matter),
        CASE (a_shim_may_list_many_codes),
        CASE (an_entry_says_what_it_is),
        CASE (only_a_scanner_without_legacy_http_reserves_its_code),
        CASE (a_change_of_kind_or_legacy_http_counts),
        CASE (a_doubly_claimed_key_reserves_its_codes),
        CASE (symlinks_lead_to_files_only),
        CASE (a_directory_that_everybody_may_write_is_refused),
        CASE (a_missing_directory_is_refused),
        CASE (a_directory_that_goes_takes_everybody_out),
        CASE (a_directory_can_be_replaced_without_a_gap),
        CASE (an_overflow_reads_everything),
        CASE (reload_swaps_the_whole),
        CASE (many_keys),
        CASE (readers_and_a_writer),
        CASE (names_and_codes),
        CASE (a_principal_speaks_for_its_codes),
    };
    return cmocka_run_group_tests_name ("registry", tests, NULL, NULL);
}
