/* SPDX-License-Identifier: MPL-2.0 */
/*  Nothing that is given back to the allocator has a secret in it: free is this
    file's own, for us and for the libraries, and looks at each block first.  A
    block that realloc moves counts as given back.  Not with a sanitizer, whose
    allocator cannot be replaced.  */

#include <malloc.h>
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

#include "hub/config.h"
#include "lib/keyfile.h"
#include "lib/secret.h"

#ifdef HAVE_CONFIG_H
#include "build-config.h"
#endif

#define PASSWORD "password-s3cret-for-sql-77c1"
#define TOKEN "token-s3cret-for-http-8f2a"

static char s_secret[64]; /* what must not be given back; "" for nothing */
static unsigned s_freed, s_leaked;
static char s_directory[] = "/tmp/scanhub-wipe-XXXXXX";

#if defined(__GLIBC__) && !defined(SCANHUB_SANITIZED)
#define WATCHED 1
void __libc_free (void *at);
void *__libc_malloc (size_t size);

static void
s_look (void *at)
{
    size_t size = malloc_usable_size (at);
    s_freed++;
    if (memmem (at, size, s_secret, strlen (s_secret)))
        s_leaked++;
}

void
free (void *at)
{
    if (at && s_secret[0])
        s_look (at);
    __libc_free (at);
}

void *
realloc (void *at, size_t size)
{
    void *to = __libc_malloc (size);
    if (!to || !at)
        return to;
    size_t old = malloc_usable_size (at);
    memcpy (to, at, old < size ? old : size);
    free (at);
    return to;
}
#else
#define WATCHED 0
#endif

/*  First in each test: a skipped one frees nothing any more.  */
static void
s_need (void)
{
    if (WATCHED)
        return;
    print_message ("# the allocator is not ours to watch\n");
    skip ();
}

static void
s_watch (const char *secret)
{
    s_freed = s_leaked = 0;
    snprintf (s_secret, sizeof s_secret, "%s", secret);
}

/*  So many blocks were looked at that the watch was on.  */
static void
s_check (void)
{
    s_secret[0] = '\0';
    assert_true (s_freed > 0);
    assert_int_equal (s_leaked, 0);
}

static const char *
s_file (const char *name, const char *text)
{
    static char path[128];
    snprintf (path, sizeof path, "%s/%s", s_directory, name);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    setvbuf (file, NULL, _IONBF, 0);
    assert_true (fputs (text, file) >= 0);
    assert_int_equal (fclose (file), 0);
    assert_int_equal (chmod (path, 0600), 0);
    return path;
}

/*  The watch itself.  */
static void
test_watch (void **state)
{
    (void) state;
    s_need ();
    s_watch (PASSWORD);
    char *copy = strdup ("x: " PASSWORD);
    assert_non_null (copy);
    free (copy);
    assert_int_equal (s_leaked, 1);
    s_leaked = 0;
    s_check ();
}

static void
test_keyfile (void **state)
{
    (void) state;
    s_need ();
    char path[128];
    sh_keyfile_t *key = NULL, *again = NULL;
    snprintf (path, sizeof path, "%s/pair.cert", s_directory);
    assert_int_equal (sh_keyfile_generate (&key), SH_OK);
    s_watch (key->secret_key);
    assert_int_equal (sh_keyfile_save (key, path, true, NULL), SH_OK);
    assert_int_equal (sh_keyfile_load (&again, path, true, NULL), SH_OK);
    sh_keyfile_destroy (&again);
    assert_int_equal (sh_keyfile_load (&again, path, false, NULL), SH_OK);
    sh_keyfile_destroy (&again);
    sh_keyfile_destroy (&key);
    s_check ();
}

static void
test_secret_file (void **state)
{
    (void) state;
    s_need ();
    char *text = NULL;
    s_watch (PASSWORD);
    assert_int_equal (
        sh_secret_read (&text, s_file ("password", PASSWORD "\n"), NULL),
        SH_OK);
    sh_secret_free (&text);
    /*  Refused, it is gone too.  */
    assert_int_equal (
        sh_secret_read (&text, s_file ("password", PASSWORD "\nmore\n"), NULL),
        SH_E_SYNTAX);
    s_check ();
}

#define DATABASE                                                               \
    "database:\n  user: u\n  password: '" PASSWORD "'\n"
#define HTTP "http:\n  tokens:\n    - {label: a, token: " TOKEN "}\n"
#define LEGACY                                                                 \
    "nofusscomputing_phpipam_scan_server:\n  mysql_host: db\n"                 \
    "  mysql_user: u\n  mysql_password: " PASSWORD "\n"                        \
    "  auth_token: " TOKEN "\n"

static void
s_load (const char *text, const char *secret, sh_err_t wanted)
{
    hub_config_t *config = NULL;
    const char *path = s_file ("hub.yaml", text);
    s_watch (secret);
    sh_err_t rc = hub_config_load (&config, path, NULL);
    hub_config_destroy (&config);
    s_check ();
    assert_int_equal (rc, wanted);
}

static void
test_config (void **state)
{
    (void) state;
    s_need ();
    s_load (DATABASE HTTP, PASSWORD, SH_OK);
    s_load (DATABASE HTTP, TOKEN, SH_OK);
    s_load (LEGACY, PASSWORD, SH_OK);
    s_load (LEGACY, TOKEN, SH_OK);
}

/*  Wherever the fault is.  */
static void
test_bad_config (void **state)
{
    (void) state;
    s_need ();
    s_load (DATABASE "unknown: 1\n", PASSWORD, SH_E_CONFIG);
    s_load (DATABASE "database: {}\n", PASSWORD, SH_E_CONFIG);
    s_load (DATABASE "  password: '" PASSWORD "'\n", PASSWORD, SH_E_CONFIG);
    s_load (DATABASE "x: &a b\n", PASSWORD, SH_E_CONFIG);
    s_load (DATABASE "x: [\n", PASSWORD, SH_E_CONFIG);
    s_load ("database: [" PASSWORD ", {}]\n", PASSWORD, SH_E_CONFIG);
    s_load (DATABASE "http: {tokens: [{label: a, token: " TOKEN ", x: 1}]}\n",
            TOKEN, SH_E_CONFIG);
    s_load (DATABASE HTTP "  listen: nowhere:x\n", TOKEN, SH_E_CONFIG);
}

static int
s_set_up (void **state)
{
    (void) state;
    return mkdtemp (s_directory) ? 0 : -1;
}

static int
s_strike (void **state)
{
    (void) state;
    static const char *const names[]
        = { "pair.cert", "password", "hub.yaml" };
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf (path, sizeof path, "%s/%s", s_directory, names[i]);
        unlink (path);
    }
    return rmdir (s_directory);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_watch),
        cmocka_unit_test (test_keyfile),
        cmocka_unit_test (test_secret_file),
        cmocka_unit_test (test_config),
        cmocka_unit_test (test_bad_config),
    };
    return cmocka_run_group_tests_name ("wipe", tests, s_set_up, s_strike);
}
