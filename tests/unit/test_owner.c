/* SPDX-License-Identifier: MPL-2.0 */
/*  lib/owner.h, with the user and the group "nobody" of any system in the place
    of the packages' own.  Only root can give anything away.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/owner.h"

static char s_dir[] = "/tmp/scanhub-owner.XXXXXX";
static char s_file[64];

static int
setup (void **state)
{
    (void) state;
    if (!mkdtemp (s_dir))
        return -1;
    snprintf (s_file, sizeof s_file, "%s/key", s_dir);
    return 0;
}

static int
teardown (void **state)
{
    (void) state;
    unlink (s_file);
    return rmdir (s_dir);
}

/*  The file, new and ours.  */
static void
s_make (void)
{
    if (geteuid () != 0) {
        print_message ("only root can give files away\n");
        skip ();
    }
    unlink (s_file);
    int fd = open (s_file, O_CREAT | O_EXCL | O_WRONLY, 0600);
    assert_true (fd >= 0);
    close (fd);
}

static void
s_assert_is (uid_t user, gid_t group)
{
    struct stat meta;
    assert_int_equal (stat (s_file, &meta), 0);
    assert_int_equal (meta.st_uid, user);
    assert_int_equal (meta.st_gid, group);
    assert_int_equal (meta.st_mode & 07777, 0600);
}

static void
a_key_becomes_the_services (void **state)
{
    (void) state;
    struct passwd *nobody = getpwnam ("nobody");
    assert_non_null (nobody);
    s_make ();
    assert_int_equal (sh_owner_give (s_file, s_dir, "nobody", NULL), SH_OK);
    s_assert_is (nobody->pw_uid, nobody->pw_gid);

    s_make (); /* by its mere name, in that directory */
    char *here = getcwd (NULL, 0);
    assert_non_null (here);
    assert_int_equal (chdir (s_dir), 0);
    assert_int_equal (sh_owner_give ("key", s_dir, "nobody", NULL), SH_OK);
    assert_int_equal (chdir (here), 0);
    free (here);
    s_assert_is (nobody->pw_uid, nobody->pw_gid);
}

static void
elsewhere_and_for_nobody_it_stays (void **state)
{
    (void) state;
    s_make ();
    assert_int_equal (sh_owner_give (s_file, "/tmp", "nobody", NULL), SH_OK);
    assert_int_equal (sh_owner_give (s_file, "/nonexistent", "nobody", NULL),
                      SH_OK);
    assert_int_equal (sh_owner_give ("key", s_dir, "nobody", NULL), SH_OK);
    assert_int_equal (sh_owner_give (s_file, s_dir, "no such user", NULL),
                      SH_OK);
    s_assert_is (0, getegid ());
}

static void
what_cannot_be_given_is_told (void **state)
{
    (void) state;
    sh_why_t why = { "" };
    s_make ();
    unlink (s_file);
    assert_int_equal (sh_owner_give (s_file, s_dir, "nobody", &why), SH_E_IO);
    assert_non_null (strstr (why.text, "cannot be given to nobody"));
}

static void
a_group_gets_a_share (void **state)
{
    (void) state;
    struct group *daemon = getgrnam ("daemon");
    assert_non_null (daemon);
    s_make ();
    assert_int_equal (sh_owner_share (s_file, "no such group", NULL), SH_OK);
    s_assert_is (0, getegid ());
    assert_int_equal (sh_owner_share (s_file, "daemon", NULL), SH_OK);
    s_assert_is (0, daemon->gr_gid);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_key_becomes_the_services),
        cmocka_unit_test (elsewhere_and_for_nobody_it_stays),
        cmocka_unit_test (what_cannot_be_given_is_told),
        cmocka_unit_test (a_group_gets_a_share),
    };
    return cmocka_run_group_tests (tests, setup, teardown);
}
