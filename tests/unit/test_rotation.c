/* SPDX-License-Identifier: MPL-2.0 */
/*  The rotation of keys: a scanner's in the registry, the list of those that
    were replaced, the registry's digest, and what a scanner keeps of its hubs'
    keys.  */

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

#include "hub/registry.h"
#include "hub/retired.h"
#include "lib/file.h"
#include "scanner-proto/hub_keys.h"

static char s_base[64];

static int
s_setup (void **state)
{
    (void) state;
    snprintf (s_base, sizeof s_base, "/tmp/test_rotation.XXXXXX");
    if (!mkdtemp (s_base))
        return -1;
    char path[128];
    snprintf (path, sizeof path, "%s/scanners", s_base);
    return mkdir (path, 0755);
}

static const char *
s_path (const char *file)
{
    static char paths[4][192];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf (path, sizeof paths[0], "%s/%s", s_base, file);
    return path;
}

static int
s_teardown (void **state)
{
    (void) state;
    static const char *const files[]
        = { "scanners/old.cert", "scanners/new.cert", "scanners/other.cert",
            "retired",           "hubs",              "scanners" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        (void) remove (s_path (files[i]));
    return rmdir (s_base);
}

static const char *
s_key (unsigned number)
{
    static char keys[4][SH_KEY_TEXT];
    static unsigned next;
    char *key = keys[next++ % 4];
    snprintf (key, SH_KEY_TEXT, "%040u", number);
    return key;
}

static void
s_put (const char *file, const char *name, unsigned key, unsigned replaces)
{
    char text[512], more[128] = "";
    if (replaces)
        snprintf (more, sizeof more, "    replaces = \"%s\"\n",
                  s_key (replaces));
    int size = snprintf (text, sizeof text,
                         "metadata\n    name = \"%s\"\n    code = \"c\"\n%s"
                         "curve\n    public-key = \"%s\"\n",
                         name, more, s_key (key));
    sh_why_t why;
    assert_int_equal (sh_file_write (s_path (file), text, (size_t) size, 0644,
                                     true, &why),
                      SH_OK);
}

static hub_registry_t *
s_registry (void)
{
    hub_registry_t *registry = NULL;
    sh_why_t why = { "" };
    if (hub_registry_new (&registry, s_path ("scanners"), &why) != SH_OK
        || hub_registry_keep_retired (registry, s_path ("retired"), &why)
               != SH_OK)
        fail_msg ("%s", why.text);
    return registry;
}

static bool
s_lets_in (hub_registry_t *registry, unsigned key)
{
    hub_principal_t who;
    if (!hub_registry_find (registry, s_key (key), &who))
        return false;
    hub_principal_clear (&who);
    return true;
}

/*  Both are good until the new one is used; then the old one is not, although
    its file is there, and after a restart neither.  */
static void
test_replaced (void **state)
{
    (void) state;
    s_put ("scanners/old.cert", "site", 1, 0);
    s_put ("scanners/new.cert", "site", 2, 1);
    hub_registry_t *registry = s_registry ();
    unsigned generation = hub_registry_generation (registry);
    assert_true (s_lets_in (registry, 1) && s_lets_in (registry, 2));
    assert_int_equal (hub_registry_size (registry), 2);
    assert_false (hub_registry_used (registry, s_key (1)));
    assert_false (hub_registry_used (registry, s_key (9)));
    assert_true (s_lets_in (registry, 1));

    assert_true (hub_registry_used (registry, s_key (2)));
    assert_false (s_lets_in (registry, 1));
    assert_true (s_lets_in (registry, 2));
    assert_false (hub_registry_allows (registry, s_key (1), "c"));
    assert_true (hub_registry_is_retired (registry, s_key (1)));
    assert_true (hub_registry_generation (registry) != generation);
    assert_int_equal (hub_registry_size (registry), 1);
    hub_scanner_t scanners[4];
    assert_int_equal (hub_registry_scanners (registry, "c", scanners, 4), 1);
    assert_string_equal (scanners[0].key, s_key (2));
    assert_false (hub_registry_used (registry, s_key (2)));

    hub_registry_follow (registry);
    assert_int_not_equal (access (s_path ("scanners/old.cert"), F_OK), 0);
    assert_int_equal (access (s_path ("scanners/new.cert"), F_OK), 0);
    hub_registry_destroy (&registry);

    s_put ("scanners/old.cert", "site", 1, 0);
    registry = s_registry ();
    assert_false (s_lets_in (registry, 1));
    assert_true (s_lets_in (registry, 2));
    hub_registry_destroy (&registry);
}

/*  A key of another scanner is not put out by a line in somebody's file.  */
static void
test_replaces_its_own_only (void **state)
{
    (void) state;
    s_put ("scanners/other.cert", "other", 1, 0);
    s_put ("scanners/new.cert", "site", 2, 1);
    hub_registry_t *registry = s_registry ();
    assert_false (hub_registry_used (registry, s_key (2)));
    assert_true (s_lets_in (registry, 1));
    hub_registry_destroy (&registry);
    hub_principal_t who;
    sh_why_t why;
    s_put ("scanners/new.cert", "site", 2, 2);
    assert_int_equal (hub_registry_read_file (&who, s_path ("scanners/new.cert"),
                                              &why),
                      SH_E_SYNTAX);
}

/*  Whether the list could be written or not, the key is out; and what is no
    list is told.  */
static void
test_retired_list (void **state)
{
    (void) state;
    hub_retired_t *list = NULL;
    sh_why_t why = { "" };
    assert_int_equal (hub_retired_new (&list, s_path ("retired"), &why), SH_OK);
    for (unsigned i = 0; i < HUB_RETIRED_MOST + 2; i++)
        hub_retired_add (list, s_key (i));
    hub_retired_add (list, s_key (5));
    assert_int_equal (hub_retired_count (list), HUB_RETIRED_MOST);
    assert_false (hub_retired_has (list, s_key (1)));
    assert_true (hub_retired_has (list, s_key (2)));
    char *text = hub_retired_text (list);
    assert_int_equal (sh_file_write (s_path ("retired"), text, strlen (text),
                                     0644, true, &why),
                      SH_OK);
    hub_retired_destroy (&list);
    assert_int_equal (hub_retired_new (&list, s_path ("retired"), &why), SH_OK);
    assert_int_equal (hub_retired_count (list), HUB_RETIRED_MOST);
    assert_true (hub_retired_has (list, s_key (HUB_RETIRED_MOST + 1)));
    hub_retired_destroy (&list);

    static const char *const bad[]
        = { "", "x\n", "scanhub-retired 1", "scanhub-retired 1\nkey\n",
            ("scanhub-retired 1\n"
             "0000000000000000000000000000000000000001") };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal (sh_file_write (s_path ("retired"), bad[i],
                                         strlen (bad[i]), 0644, true, &why),
                          SH_OK);
        assert_int_equal (hub_retired_new (&list, s_path ("retired"), &why),
                          SH_E_CONFIG);
        assert_non_null (strstr (why.text, "no list of replaced keys"));
    }
    free (text);
}

/*  The same for the same content in other files, in another order; another one
    for anything that lets in more, less, or under another name.  */
static void
test_digest (void **state)
{
    (void) state;
    char one[HUB_DIGEST_TEXT], other[HUB_DIGEST_TEXT];
    s_put ("scanners/old.cert", "a", 1, 0);
    s_put ("scanners/new.cert", "b", 2, 0);
    hub_registry_t *registry = s_registry ();
    assert_true (hub_registry_digest (registry, one));
    assert_int_equal (strlen (one), HUB_DIGEST_TEXT - 1);
    hub_registry_destroy (&registry);
    s_put ("scanners/old.cert", "b", 2, 3); /* what it replaced is past */
    s_put ("scanners/new.cert", "a", 1, 0);
    registry = s_registry ();
    assert_true (hub_registry_digest (registry, other));
    assert_string_equal (one, other);
    hub_registry_destroy (&registry);
    static const struct
    {
        const char *name;
        unsigned key;
    } others[] = { { "c", 1 }, { "a", 3 } };
    for (size_t i = 0; i < 2; i++) {
        s_put ("scanners/new.cert", others[i].name, others[i].key, 0);
        registry = s_registry ();
        assert_true (hub_registry_digest (registry, other));
        assert_string_not_equal (one, other);
        hub_registry_destroy (&registry);
    }

    hub_code_t codes[] = { { "x" }, { "y" } }, swapped[] = { { "y" }, { "x" } };
    hub_principal_t who = { .codes = codes, .code_count = 2, .shim = true };
    hub_digest_t digest = { 0 };
    hub_digest_add (&digest, &who);
    assert_true (hub_digest_end (&digest, one));
    who.codes = swapped;
    hub_digest_add (&digest, &who);
    assert_true (hub_digest_end (&digest, other));
    assert_string_equal (one, other);
}

static void
test_hub_keys (void **state)
{
    (void) state;
    char endpoint[] = "tcp://hub:5766", key[SH_KEY_TEXT];
    snprintf (key, sizeof key, "%s", s_key (1));
    sp_hub_t hub = { .endpoint = endpoint, .public_key = key };
    sp_hub_keys_t *keys = NULL;
    sh_why_t why = { "" };
    int64_t at = 0;
    assert_int_equal (sp_hub_keys_new (&keys, s_path ("hubs"), &why), SH_OK);
    assert_string_equal (sp_hub_keys_now (keys, &hub), s_key (1));
    assert_null (sp_hub_keys_next (keys, &hub, &at));
    assert_false (sp_hub_keys_learn (keys, &hub, NULL, 0));
    assert_false (sp_hub_keys_learn (keys, &hub, s_key (1), 5));
    assert_true (sp_hub_keys_learn (keys, &hub, s_key (2), 5));
    assert_false (sp_hub_keys_learn (keys, &hub, s_key (2), 5));
    assert_true (sp_hub_keys_learn (keys, &hub, s_key (2), 6));
    sp_hub_keys_destroy (&keys);

    assert_int_equal (sp_hub_keys_new (&keys, s_path ("hubs"), &why), SH_OK);
    assert_string_equal (sp_hub_keys_next (keys, &hub, &at), s_key (2));
    assert_int_equal (at, 6);
    sp_hub_keys_turn (keys, &hub);
    assert_string_equal (sp_hub_keys_now (keys, &hub), s_key (2));
    assert_null (sp_hub_keys_next (keys, &hub, NULL));
    sp_hub_keys_destroy (&keys);

    /*  Somebody has put another key into the configuration.  */
    assert_int_equal (sp_hub_keys_new (&keys, s_path ("hubs"), &why), SH_OK);
    assert_string_equal (sp_hub_keys_now (keys, &hub), s_key (2));
    snprintf (key, sizeof key, "%s", s_key (7));
    assert_string_equal (sp_hub_keys_now (keys, &hub), s_key (7));
    /*  More hubs than there is room for.  */
    for (unsigned i = 0; i < SP_HUBS_MOST + 3; i++) {
        snprintf (key, sizeof key, "%s", s_key (100 + i));
        assert_true (sp_hub_keys_learn (keys, &hub, s_key (3), 1));
    }
    assert_string_equal (sp_hub_keys_next (keys, &hub, NULL), s_key (3));
    sp_hub_keys_destroy (&keys);
    static const char *const bad[]
        = { "", "scanhub-hub-keys 1", "scanhub-hub-keys 1\ntcp://a:1 x y - 0\n",
            "scanhub-hub-keys 2\n" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal (sh_file_write (s_path ("hubs"), bad[i],
                                         strlen (bad[i]), 0644, true, &why),
                          SH_OK);
        assert_int_equal (sp_hub_keys_new (&keys, s_path ("hubs"), &why),
                          SH_E_SYNTAX);
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown (f, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        CASE (test_replaced),     CASE (test_replaces_its_own_only),
        CASE (test_retired_list), CASE (test_digest),
        CASE (test_hub_keys),
    };
    return cmocka_run_group_tests_name ("rotation", tests, NULL, NULL);
}
