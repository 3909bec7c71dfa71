/* SPDX-License-Identifier: MPL-2.0 */
/*  Key files, and under them small files and secrets.  */

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <czmq.h>

#ifdef HAVE_CONFIG_H
#include "build-config.h"
#endif

#include "lib/file.h"
#include "lib/keyfile.h"
#include "lib/secret.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

/*  A pair of its own; and another public key.  */
#define PUBLIC "w21-:n8$TEeaQkE1]tj7MbBj$ZvDV[>ITKmRXmY>"
#define SECRET "cX>/Qr8]0-E^KsapmH.tU%%mu70>D=aC3xSBQcw}"
#define OTHER "9a/$q)z0Fo9BsgLqJv/q6t(81}sa<7DD^7=eUUMF"
#define CURVE "curve\n    public-key = \"" PUBLIC "\"\n"

static char s_dir[64];
static char s_path_buffer[4][160];

/*  A path in the test's own directory; four may be in use at a time.  */
static const char *
s_path (const char *name)
{
    static unsigned next;
    char *path = s_path_buffer[next++ % COUNT (s_path_buffer)];
    snprintf (path, sizeof s_path_buffer[0], "%s/%s", s_dir, name);
    return path;
}

static int
s_setup (void **state)
{
    (void) state;
    snprintf (s_dir, sizeof s_dir, "/tmp/sh-test-XXXXXX");
    return mkdtemp (s_dir) ? 0 : -1;
}

/*  What is in the directory, hidden files too.  */
static size_t
s_entries (bool remove)
{
    size_t count = 0;
    DIR *dir = opendir (s_dir);
    assert_non_null (dir);
    struct dirent *entry;
    while ((entry = readdir (dir))) {
        if (streq (entry->d_name, ".") || streq (entry->d_name, ".."))
            continue;
        count++;
        if (remove && unlinkat (dirfd (dir), entry->d_name, 0) != 0)
            unlinkat (dirfd (dir), entry->d_name, AT_REMOVEDIR);
    }
    closedir (dir);
    return count;
}

static int
s_teardown (void **state)
{
    (void) state;
    unsetenv ("CREDENTIALS_DIRECTORY");
    s_entries (true);
    return rmdir (s_dir);
}

static const char *
s_put (const char *name, const void *text, size_t size, mode_t mode)
{
    const char *path = s_path (name);
    unlink (path); /* it may be one that cannot be written */
    int fd = open (path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true (fd >= 0);
    assert_int_equal (write (fd, text, size), (ssize_t) size);
    assert_int_equal (fchmod (fd, mode), 0);
    close (fd);
    return path;
}

static const char *
s_put_text (const char *name, const char *text)
{
    return s_put (name, text, strlen (text), 0600);
}

static mode_t
s_mode (const char *path)
{
    struct stat meta;
    assert_int_equal (stat (path, &meta), 0);
    return meta.st_mode & 07777;
}

static void
test_file_read (void **state)
{
    (void) state;
    char *text = NULL;
    size_t size = 0;
    struct stat meta;
    sh_why_t why;

    const char *path = s_put ("a", "ab\0cd", 5, 0640);
    assert_int_equal (sh_file_read (&text, &size, &meta, path, 5, &why), SH_OK);
    assert_int_equal (size, 5);
    assert_memory_equal (text, "ab\0cd", 6); /* with its NUL */
    assert_int_equal (meta.st_mode & 07777, 0640);
    free (text);

    assert_int_equal (sh_file_read (&text, &size, NULL, path, 4, &why),
                      SH_E_TOO_LARGE);
    assert_non_null (strstr (why.text, "larger than 4 bytes"));
    path = s_put ("empty", "", 0, 0600);
    assert_int_equal (sh_file_read (&text, &size, NULL, path, 0, NULL), SH_OK);
    assert_int_equal (size, 0);
    assert_string_equal (text, "");
    free (text);

    /*  fstat says 0 here; what can be read is what counts.  */
    assert_int_equal (
        sh_file_read (&text, &size, NULL, "/proc/self/stat", 4096, NULL),
        SH_OK);
    assert_true (size > 10);
    free (text);
}

static void
test_file_read_faults (void **state)
{
    (void) state;
    char *text = NULL;
    size_t size = 99;
    sh_why_t why;
    assert_int_equal (sh_file_read (&text, &size, NULL, s_path ("no"), 9, &why),
                      SH_E_NOT_FOUND);
    assert_non_null (strstr (why.text, "/no: cannot open"));
    s_put_text ("a", "x");
    assert_int_equal (
        sh_file_read (&text, &size, NULL, s_path ("a/b"), 9, &why),
        SH_E_NOT_FOUND);
    assert_int_equal (sh_file_read (&text, &size, NULL, s_dir, 9, &why),
                      SH_E_IO);
    assert_non_null (strstr (why.text, "not a regular file"));
    /*  A pipe without a writer must not hang.  */
    assert_int_equal (mkfifo (s_path ("fifo"), 0600), 0);
    assert_int_equal (
        sh_file_read (&text, &size, NULL, s_path ("fifo"), 9, &why), SH_E_IO);
    assert_int_equal (
        sh_file_read (&text, &size, NULL, "/dev/null", 9, &why), SH_E_IO);
    assert_int_equal (symlink ("loop", s_path ("loop")), 0);
    assert_int_equal (
        sh_file_read (&text, &size, NULL, s_path ("loop"), 9, NULL), SH_E_IO);
    assert_null (text);
    assert_int_equal (size, 99);
}

static void
s_assert_content (const char *path, const char *expected)
{
    char *text = NULL;
    size_t size;
    assert_int_equal (sh_file_read (&text, &size, NULL, path, 65536, NULL),
                      SH_OK);
    assert_string_equal (text, expected);
    free (text);
}

static void
test_file_write (void **state)
{
    (void) state;
    sh_why_t why;
    const char *path = s_path ("new");
    mode_t old = umask (0077);
    assert_int_equal (sh_file_write (path, "one", 3, 0644, false, &why), SH_OK);
    umask (0);
    assert_int_equal (s_mode (path), 0644);
    s_assert_content (path, "one");

    /*  What exists is not touched...  */
    assert_int_equal (sh_file_write (path, "two", 3, 0600, false, &why),
                      SH_E_EXISTS);
    assert_non_null (strstr (why.text, "/new: cannot create"));
    s_assert_content (path, "one");
    assert_int_equal (s_mode (path), 0644);
    /*  ...unless that is what is asked for.  */
    assert_int_equal (sh_file_write (path, "", 0, 0600, true, &why), SH_OK);
    umask (old);
    assert_int_equal (s_mode (path), 0600);
    s_assert_content (path, "");
    assert_int_equal (sh_file_write (s_path ("b"), "b", 1, 0400, true, NULL),
                      SH_OK);
    assert_int_equal (s_entries (false), 2); /* and no temporary */
}

static void
test_file_write_links (void **state)
{
    (void) state;
    /*  A symbolic link is a name that exists, even one that leads nowhere;
        replacing it leaves what it points to alone.  */
    assert_int_equal (symlink ("target", s_path ("link")), 0);
    assert_int_equal (
        sh_file_write (s_path ("link"), "x", 1, 0600, false, NULL),
        SH_E_EXISTS);
    s_put_text ("target", "kept");
    assert_int_equal (sh_file_write (s_path ("link"), "x", 1, 0600, true, NULL),
                      SH_OK);
    s_assert_content (s_path ("target"), "kept");
    s_assert_content (s_path ("link"), "x");
    assert_int_equal (s_entries (false), 2);
}

static void
test_file_write_faults (void **state)
{
    (void) state;
    sh_why_t why;
    assert_int_equal (
        sh_file_write (s_path ("no/file"), "x", 1, 0600, false, &why),
        SH_E_NOT_FOUND);
    assert_non_null (strstr (why.text, "/no/: cannot open the directory"));
    s_put_text ("a", "x");
    assert_int_equal (
        sh_file_write (s_path ("a/file"), "x", 1, 0600, false, NULL),
        SH_E_NOT_FOUND);
    static const char *const names[] = { "", ".", "..", "dir/" };
    for (size_t i = 0; i < COUNT (names); i++) {
        assert_int_equal (
            sh_file_write (s_path (names[i]), "x", 1, 0600, true, &why),
            SH_E_IO);
        assert_non_null (strstr (why.text, "not a file name"));
    }
    assert_int_equal (mkdir (s_path ("dir"), 0700), 0);
    assert_int_equal (sh_file_write (s_path ("dir"), "x", 1, 0600, true, NULL),
                      SH_E_IO);
    assert_int_equal (sh_file_write (s_path ("dir"), "x", 1, 0600, false, NULL),
                      SH_E_EXISTS);
    /*  A full disk, played by the limit on a file's size.  */
    struct rlimit old, small = { 0 };
    assert_int_equal (getrlimit (RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    small.rlim_cur = 10;
    signal (SIGXFSZ, SIG_IGN);
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &small), 0);
    sh_err_t rc = sh_file_write (s_path ("big"), "0123456789abc", 13, 0600,
                                 false, NULL);
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &old), 0);
    assert_int_equal (rc, SH_E_IO);
    assert_int_equal (s_entries (false), 2); /* a and dir, no temporary */
}

static void
test_secret_read (void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        size_t size;
        const char *secret; /* NULL: refused */
    } cases[] = {
        { "hunter2\n", 8, "hunter2" },
        { "hunter2", 7, "hunter2" },
        { " with blanks \t\n", 15, " with blanks \t" },
        { "p\xc3\xa4ss\n", 6, "p\xc3\xa4ss" },
        { "", 0, NULL },
        { "\n", 1, NULL },
        { "a\n\n", 3, NULL },
        { "a\nb\n", 4, NULL },
        { "a\r\n", 3, NULL },
        { "a\0b\n", 4, NULL },
        { "\0\n", 2, NULL },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        char *secret = NULL;
        sh_why_t why = { "" };
        const char *path = s_put ("s", cases[i].text, cases[i].size, 0600);
        sh_err_t rc = sh_secret_read (&secret, path, &why);
        assert_int_equal (rc, cases[i].secret ? SH_OK : SH_E_SYNTAX);
        if (cases[i].secret)
            assert_string_equal (secret, cases[i].secret);
        else
            assert_null (secret);
        sh_secret_free (&secret);
        assert_null (secret);
    }
    char *secret = NULL;
    assert_int_equal (sh_secret_read (&secret, s_path ("no"), NULL),
                      SH_E_NOT_FOUND);
    char big[4097];
    memset (big, 'a', sizeof big);
    assert_int_equal (
        sh_secret_read (&secret, s_put ("s", big, 4097, 0600), NULL),
        SH_E_TOO_LARGE);
    assert_int_equal (
        sh_secret_read (&secret, s_put ("s", big, 4096, 0600), NULL), SH_OK);
    assert_int_equal (strlen (secret), 4096);
    sh_secret_free (&secret);
}

static void
test_secret_mode (void **state)
{
    (void) state;
    static const mode_t closed[] = { 0600, 0400, 0700 };
    static const mode_t opened[] = { 0640, 0604, 0644, 0620, 0602, 0610, 0666 };
    char *secret = NULL;
    sh_why_t why;
    for (size_t i = 0; i < COUNT (closed); i++) {
        assert_int_equal (
            sh_secret_read (&secret, s_put ("s", "x\n", 2, closed[i]), &why),
            SH_OK);
        sh_secret_free (&secret);
    }
    for (size_t i = 0; i < COUNT (opened); i++) {
        assert_int_equal (
            sh_secret_read (&secret, s_put ("s", "x\n", 2, opened[i]), &why),
            SH_E_MODE);
        assert_non_null (strstr (why.text, "chmod 0600"));
    }
    assert_null (secret);

    /*  systemd's credentials are 0440 with an ACL.  Only what lies in that
        very directory, however it is spelled.  */
    const char *path = s_put ("s", "x\n", 2, 0440);
    setenv ("CREDENTIALS_DIRECTORY", "/", 1);
    assert_int_equal (sh_secret_read (&secret, path, NULL), SH_E_MODE);
    setenv ("CREDENTIALS_DIRECTORY", "/nonexistent", 1);
    assert_int_equal (sh_secret_read (&secret, path, NULL), SH_E_MODE);
    setenv ("CREDENTIALS_DIRECTORY", s_dir, 1);
    assert_int_equal (sh_secret_read (&secret, path, NULL), SH_OK);
    sh_secret_free (&secret);
    assert_int_equal (mkdir (s_path ("d"), 0700), 0);
    assert_int_equal (sh_secret_read (&secret, s_path ("d/../s"), NULL), SH_OK);
    sh_secret_free (&secret);
    setenv ("CREDENTIALS_DIRECTORY", s_path ("d"), 1);
    assert_int_equal (sh_secret_read (&secret, s_path ("d/../s"), NULL),
                      SH_E_MODE);
}

static void
test_secret_wipe (void **state)
{
    (void) state;
    char text[8] = "secret!";
    sh_secret_wipe (text, 6);
    assert_memory_equal (text, "\0\0\0\0\0\0!", 8);
    sh_secret_wipe (NULL, 6);
    char *none = NULL;
    sh_secret_free (&none);
    assert_null (none);
}

#if defined(SCANHUB_SANITIZED) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static void
test_harden (void **state)
{
    (void) state;
    pid_t child = fork ();
    assert_true (child >= 0);
    if (child == 0) {
        struct rlimit core;
        int result = 0;
        if (sh_secret_harden (NULL) != SH_OK
            || sh_secret_harden (NULL) != SH_OK)
            result |= 1;
        if (getrlimit (RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0
            || core.rlim_max != 0)
            result |= 2;
        if (prctl (PR_GET_DUMPABLE) != SANITIZED)
            result |= 4;
        _exit (result);
    }
    int status = -1;
    assert_int_equal (waitpid (child, &status, 0), child);
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), 0);
}

static void
test_key_valid (void **state)
{
    (void) state;
    assert_true (sh_key_valid (PUBLIC));
    assert_true (sh_key_valid (SECRET));
    assert_true (sh_key_valid ("0000000000000000000000000000000000000000"));
    static const char *const bad[] = {
        NULL, "", "0", PUBLIC "0", PUBLIC "00000",
        "000000000000000000000000000000000000000",
        "000000000000000000000000000000000000000\"",
        "000000000000000000000000000000000000000 ",
        "000000000000000000000000000000000000000\n",
        "00000000000000000000000000000000000000\xc3\xa4",
        "00000000000000000000000000000000000,0000",
        /*  Five characters that are more than 32 bits hold.  */
        "00000000000000000000000000000000000#####",
    };
    for (size_t i = 0; i < COUNT (bad); i++) {
        if (sh_key_valid (bad[i]))
            fail_msg ("'%s' should be refused", bad[i]);
    }
}

static sh_err_t
s_parse (sh_keyfile_t **out, const char *text, bool secret, sh_why_t *why)
{
    return sh_keyfile_parse (out, text, strlen (text), "k", secret, why);
}

static void
test_parse (void **state)
{
    (void) state;
    sh_keyfile_t *key = NULL;
    sh_why_t why = { "" };
    static const char text[]
        = "#   a comment\n"
          "\n"
          "metadata   # with a comment\n"
          "    name = \"site-a\"\n"
          "    code = 'one two'    # single quotes\n"
          "    code = bare value   # and a comment\n"
          "    code=x\n"
          "    # indented comment\n"
          "  \t  \n"
          "    empty\n"
          "    empty2 =\n"
          "    empty3 = \"\"\n"
          "    q = 'say \"x\"'\n"
          "    r = \"it's\"\n"
          "    hash = \"a#b\"\n"
          "    $-_@.&+/x = m\xc3\xbcller\r\n"
          "curve\n"
          "    public-key = \"" PUBLIC "\"\n"
          "    secret-key = \"" SECRET "\""; /* no line end */
    assert_int_equal (s_parse (&key, text, true, &why), SH_OK);
    assert_string_equal (key->public_key, PUBLIC);
    assert_string_equal (key->secret_key, SECRET);
    static const char *const fields[][2] = {
        { "name", "site-a" },   { "code", "one two" }, { "code", "bare value" },
        { "code", "x" },        { "empty", "" },       { "empty2", "" },
        { "empty3", "" },       { "q", "say \"x\"" },  { "r", "it's" },
        { "hash", "a#b" },      { "$-_@.&+/x", "m\xc3\xbcller" },
    };
    assert_int_equal (key->field_count, COUNT (fields));
    for (size_t i = 0; i < COUNT (fields); i++) {
        assert_string_equal (key->fields[i].name, fields[i][0]);
        assert_string_equal (key->fields[i].value, fields[i][1]);
    }
    assert_string_equal (sh_keyfile_get (key, "code"), "one two");
    assert_null (sh_keyfile_get (key, "Code"));
    sh_keyfile_destroy (&key);
    assert_null (key);
    sh_keyfile_destroy (&key);

    /*  Asked for the public half only, the secret is not kept.  */
    assert_int_equal (s_parse (&key, text, false, &why), SH_OK);
    assert_string_equal (key->public_key, PUBLIC);
    static const char zeroes[SH_KEY_TEXT] = "";
    assert_memory_equal (key->secret_key, zeroes, sizeof zeroes);
    sh_keyfile_destroy (&key);

    /*  Sections in either order, metadata missing, CRLF, no quotes.  */
    assert_int_equal (
        s_parse (&key, CURVE "metadata\n    a = b\n", false, &why), SH_OK);
    assert_string_equal (sh_keyfile_get (key, "a"), "b");
    sh_keyfile_destroy (&key);
    assert_int_equal (
        s_parse (&key, "curve\r\n    public-key = " PUBLIC "\r\n", false, &why),
        SH_OK);
    assert_int_equal (key->field_count, 0);
    sh_keyfile_destroy (&key);
    assert_int_equal (
        s_parse (&key, "curve\n    public-key='" OTHER "'\n", false, &why),
        SH_OK);
    sh_keyfile_destroy (&key);
}

static const struct
{
    const char *text, *fault;
} s_refused[] = {
    { "", "k: no public-key" },
    { "metadata\n    a = b\n", "k: no public-key" },
    { "curve\n", "k: no public-key" },
    { "curve\n    public-key = \"short\"\n", "k:2: the public-key is not" },
    { "curve\n    public-key\n", "k:2: the public-key is not" },
    { "curve\n    public-key = \"" PUBLIC "0\"\n", "k:2: the public-key" },
    { "curve\n    public-key = \"00000000000000000000000000000000000,0000\""
      "\n",
      "k:2: the public-key is not 40 characters of Z85" },
    { "curve\n    public-key = \"" PUBLIC "\n", "k:2: the value's closing" },
    { "curve\n    public-key = \"" PUBLIC "\" x\n", "k:2: text behind" },
    { "curve\n    public-key = a'b\n", "k:2: a quote within" },
    { "curve\n    public-key = a#b\n", "k:2: a value that contains '#'" },
    { CURVE "    public-key = \"" OTHER "\"\n", "k:3: a second public-key" },
    { CURVE "    secret-key = x\n    secret-key = x\n",
      "k:4: a second secret-key" },
    { CURVE "    server-key = x\n", "k:3: only public-key and" },
    { CURVE "    Public-key = x\n", "k:3: only public-key and" },
    { CURVE "curve\n", "k:3: a second section 'curve'" },
    { "metadata\nmetadata\n", "k:2: a second section 'metadata'" },
    { "metadata = x\n" CURVE, "k:1: the section's name cannot" },
    { "metadata =\n" CURVE, "k:1: the section's name cannot" },
    { "metdata\n" CURVE, "k:1: unknown section" },
    { "public-key = \"" PUBLIC "\"\n", "k:1: unknown section" },
    { "    public-key = \"" PUBLIC "\"\n", "k:1: indented too far" },
    { "curve\n        public-key = \"" PUBLIC "\"\n",
      "k:2: indented too far" },
    { CURVE "  x = y\n", "k:3: indent with four spaces" },
    { CURVE "\tx = y\n", "k:3: indent with four spaces" },
    { CURVE "    \tx = y\n", "k:3: indent with four spaces" },
    { CURVE "metadata\n    = x\n", "k:4: a name is expected" },
    { CURVE "metadata\n    \"x\" = x\n", "k:4: a name is expected" },
    { CURVE "metadata\n    a b = x\n", "k:4: '=' is expected" },
    { CURVE "metadata\n    a: x\n", "k:4: '=' is expected" },
    { CURVE "metadata\n    /a = x\n", "k:4: a name cannot begin or end" },
    { CURVE "metadata\n    a/ = x\n", "k:4: a name cannot begin or end" },
    { CURVE "metadata\n    / = x\n", "k:4: a name cannot begin or end" },
    { CURVE "metadata\n    a = \x01\n", "k:4: control characters" },
    { CURVE "metadata\n    a = \x1b[1m\n", "k:4: control characters" },
    { CURVE "metadata\n    a = \x7f\n", "k:4: control characters" },
    { CURVE "metadata\n    a = b\rc\n", "k:4: control characters" },
    { CURVE "# \xff\n", "k:3: control characters" },
    { CURVE "# \xc3", "k:3: control characters" },
    { CURVE "# \xc3(\n", "k:3: control characters" },
    { CURVE "# \xc0\xaf\n", "k:3: control characters" },
    { CURVE "# \xc2\x85\n", "k:3: control characters" },
    { CURVE "# \xe0\x80\xaf\n", "k:3: control characters" },
    { CURVE "# \xed\xa0\x80\n", "k:3: control characters" },
    { CURVE "# \xf0\x80\x80\x80\n", "k:3: control characters" },
    { CURVE "# \xf4\x90\x80\x80\n", "k:3: control characters" },
    { CURVE "# \xf5\x80\x80\x80\n", "k:3: control characters" },
    { CURVE "# \x80\n", "k:3: control characters" },
};

static void
test_parse_refuses (void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT (s_refused); i++) {
        sh_keyfile_t *key = NULL;
        sh_why_t why = { "" };
        if (s_parse (&key, s_refused[i].text, false, &why) != SH_E_SYNTAX)
            fail_msg ("'%s' should be refused", s_refused[i].text);
        if (strstr (why.text, s_refused[i].fault) != why.text)
            fail_msg ("'%s' is not '%s'", why.text, s_refused[i].fault);
        assert_null (key);
    }
    /*  What is UTF-8 but looks like what is refused above.  */
    sh_keyfile_t *key = NULL;
    assert_int_equal (s_parse (&key,
                               CURVE "# \xc2\xa0 \xed\x9f\xbf \xe0\xa0\x80 "
                                     "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf\n",
                               false, NULL),
                      SH_OK);
    sh_keyfile_destroy (&key);
}

static void
test_parse_secret (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *fault;
    } cases[] = {
        { CURVE, "no secret-key" },
        { CURVE "    secret-key = \"short\"\n", "the secret-key is not" },
        { CURVE "    secret-key = \"" OTHER "\"\n", "do not belong together" },
        { CURVE "    secret-key = \"" PUBLIC "\"\n", "do not belong together" },
        { "curve\n    secret-key = \"" SECRET "\"\n", "no public-key" },
        { "curve\n    public-key = \"" OTHER "\"\n    secret-key = \"" SECRET
          "\"\n",
          "do not belong together" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_keyfile_t *key = NULL;
        sh_why_t why = { "" };
        assert_int_equal (s_parse (&key, cases[i].text, true, &why),
                          SH_E_SYNTAX);
        if (!strstr (why.text, cases[i].fault))
            fail_msg ("'%s' is not '%s'", why.text, cases[i].fault);
        /*  No message quotes a secret.  */
        assert_null (strstr (why.text, SECRET));
        assert_null (key);
    }
}

static void
test_parse_bounds (void **state)
{
    (void) state;
    sh_keyfile_t *key = NULL;
    sh_why_t why;
    static char text[SH_KEYFILE_MOST + 1];
    size_t head = strlen (CURVE);
    memcpy (text, CURVE, head);

    /*  The largest file, then one byte more.  */
    for (size_t i = head; i < sizeof text; i++)
        text[i] = '\n';
    assert_int_equal (
        sh_keyfile_parse (&key, text, SH_KEYFILE_MOST, "k", false, &why),
        SH_OK);
    sh_keyfile_destroy (&key);
    assert_int_equal (
        sh_keyfile_parse (&key, text, SH_KEYFILE_MOST + 1, "k", false, &why),
        SH_E_SYNTAX);
    assert_non_null (strstr (why.text, "larger than"));

    /*  The longest line, then one byte more.  */
    memset (text + head, '#', 1025);
    assert_int_equal (
        sh_keyfile_parse (&key, text, head + 1024, "k", false, &why), SH_OK);
    sh_keyfile_destroy (&key);
    assert_int_equal (
        sh_keyfile_parse (&key, text, head + 1025, "k", false, &why),
        SH_E_SYNTAX);
    assert_non_null (strstr (why.text, "k:3: the line is longer"));

    /*  A NUL byte ends nothing.  */
    text[head] = '\0';
    assert_int_equal (
        sh_keyfile_parse (&key, text, head + 1, "k", false, &why),
        SH_E_SYNTAX);
    assert_null (key);
    assert_int_equal (sh_keyfile_parse (&key, NULL, 0, "k", false, NULL),
                      SH_E_SYNTAX);
}

static void
test_parse_fields (void **state)
{
    (void) state;
    sh_keyfile_t *key = NULL;
    sh_why_t why;
    static char text[SH_KEYFILE_MOST];
    size_t size = (size_t) snprintf (text, sizeof text, "%smetadata\n", CURVE);
    for (int i = 0; i < SH_KEYFILE_FIELDS; i++)
        size += (size_t) snprintf (text + size, sizeof text - size,
                                   "    a=%d\n", i);
    assert_true (size < sizeof text);
    assert_int_equal (sh_keyfile_parse (&key, text, size, "k", false, &why),
                      SH_OK);
    assert_int_equal (key->field_count, SH_KEYFILE_FIELDS);
    assert_string_equal (key->fields[SH_KEYFILE_FIELDS - 1].value, "1099");
    assert_int_equal (sh_keyfile_add (key, "b", "c"), SH_E_TOO_LARGE);
    sh_keyfile_destroy (&key);
    size += (size_t) snprintf (text + size, sizeof text - size, "    a\n");
    assert_int_equal (sh_keyfile_parse (&key, text, size, "k", false, &why),
                      SH_E_SYNTAX);
    assert_non_null (strstr (why.text, "more than 1100 metadata lines"));
}

static void
test_make (void **state)
{
    (void) state;
    sh_keyfile_t *a = NULL, *b = NULL;
    assert_int_equal (sh_keyfile_generate (&a), SH_OK);
    assert_int_equal (sh_keyfile_generate (&b), SH_OK);
    assert_true (sh_key_valid (a->public_key));
    assert_true (sh_key_valid (a->secret_key));
    assert_string_not_equal (a->public_key, b->public_key);
    assert_string_not_equal (a->secret_key, b->secret_key);
    char derived[SH_KEY_TEXT];
    assert_int_equal (zmq_curve_public (derived, a->secret_key), 0);
    assert_string_equal (derived, a->public_key);
    sh_keyfile_destroy (&a);
    sh_keyfile_destroy (&b);

    assert_int_equal (sh_keyfile_from_public (&a, PUBLIC), SH_OK);
    assert_string_equal (a->public_key, PUBLIC);
    assert_string_equal (a->secret_key, "");
    assert_int_equal (a->field_count, 0);
    sh_keyfile_destroy (&a);
    assert_int_equal (sh_keyfile_from_public (&a, "x"), SH_E_SYNTAX);
    assert_null (a);
}

static void
test_add (void **state)
{
    (void) state;
    sh_keyfile_t *key = NULL;
    assert_int_equal (sh_keyfile_from_public (&key, PUBLIC), SH_OK);
    static const char *const bad_values[]
        = { "\"", "a\"b", "it's", "a\nb", "a\n", "\r", "\t", "\x01", "\x7f",
            "\xff", "\xc3", "\xc2\x85" };
    for (size_t i = 0; i < COUNT (bad_values); i++)
        assert_int_equal (sh_keyfile_add (key, "name", bad_values[i]),
                          SH_E_SYNTAX);
    static const char *const bad_names[]
        = { "", " ", "a b", "a=b", "/a", "a/", "/", "a\n", "#", "a#", "\"",
            "\xc3\xa4", "a:b" };
    for (size_t i = 0; i < COUNT (bad_names); i++)
        assert_int_equal (sh_keyfile_add (key, bad_names[i], "x"), SH_E_SYNTAX);
    assert_int_equal (key->field_count, 0);

    char name[257], value[1025];
    memset (name, 'n', sizeof name);
    memset (value, 'v', sizeof value);
    name[256] = value[1015] = '\0';
    assert_int_equal (sh_keyfile_add (key, name, "x"), SH_E_SYNTAX);
    assert_int_equal (sh_keyfile_add (key, "n", value), SH_E_SYNTAX);
    name[255] = value[1014] = '\0';
    assert_int_equal (sh_keyfile_add (key, name, "x"), SH_OK);
    assert_int_equal (sh_keyfile_add (key, "n", value), SH_OK);
    assert_int_equal (sh_keyfile_add (key, "n", "  # m\xc3\xbc, %s = "), SH_OK);
    assert_int_equal (sh_keyfile_add (key, "n", ""), SH_OK);

    /*  Whatever can be added can be read again, byte for byte.  */
    sh_keyfile_t *back = NULL;
    sh_why_t why = { "" };
    assert_int_equal (sh_keyfile_save (key, s_path ("k"), false, &why), SH_OK);
    assert_int_equal (sh_keyfile_load (&back, s_path ("k"), false, &why),
                      SH_OK);
    assert_int_equal (back->field_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal (back->fields[i].name, key->fields[i].name);
        assert_string_equal (back->fields[i].value, key->fields[i].value);
    }
    sh_keyfile_destroy (&back);
    sh_keyfile_destroy (&key);
}

static void
test_save (void **state)
{
    (void) state;
    sh_keyfile_t *key = NULL, *back = NULL;
    sh_why_t why = { "" };
    mode_t old = umask (0);
    assert_int_equal (sh_keyfile_generate (&key), SH_OK);
    assert_int_equal (sh_keyfile_add (key, "name", "site-a"), SH_OK);
    assert_int_equal (sh_keyfile_save (key, s_path ("s"), true, &why), SH_OK);
    assert_int_equal (sh_keyfile_save (key, s_path ("p"), false, &why), SH_OK);
    umask (old);
    assert_int_equal (s_mode (s_path ("s")), 0600);
    assert_int_equal (s_mode (s_path ("p")), 0644);
    assert_int_equal (sh_keyfile_save (key, s_path ("s"), true, &why),
                      SH_E_EXISTS);

    char *text = NULL;
    size_t size;
    assert_int_equal (
        sh_file_read (&text, &size, NULL, s_path ("p"), 4096, NULL), SH_OK);
    assert_null (strstr (text, key->secret_key));
    assert_null (strstr (text, "secret-key"));
    free (text);

    assert_int_equal (sh_keyfile_load (&back, s_path ("s"), true, &why), SH_OK);
    assert_string_equal (back->public_key, key->public_key);
    assert_string_equal (back->secret_key, key->secret_key);
    assert_string_equal (sh_keyfile_get (back, "name"), "site-a");
    sh_keyfile_destroy (&back);
    assert_int_equal (sh_keyfile_load (&back, s_path ("s"), false, &why),
                      SH_OK);
    assert_string_equal (back->secret_key, "");
    /*  What has no secret cannot be saved as a secret.  */
    assert_int_equal (sh_keyfile_save (back, s_path ("n"), true, &why),
                      SH_E_SYNTAX);
    sh_keyfile_destroy (&back);
    assert_int_equal (sh_keyfile_load (&back, s_path ("p"), true, &why),
                      SH_E_MODE);
    assert_int_equal (chmod (s_path ("p"), 0600), 0);
    assert_int_equal (sh_keyfile_load (&back, s_path ("p"), true, &why),
                      SH_E_SYNTAX);
    assert_non_null (strstr (why.text, "is this the public file?"));
    assert_null (back);
    /*  Its name is the better hint, and its mode is as it should be.  */
    assert_int_equal (chmod (s_path ("p"), 0644), 0);
    char public_path[512];
    snprintf (public_path, sizeof public_path, "%s.pub", s_path ("s"));
    assert_int_equal (rename (s_path ("p"), public_path), 0);
    assert_int_equal (sh_keyfile_load (&back, public_path, true, &why),
                      SH_E_SYNTAX);
    assert_non_null (strstr (why.text, "this is the public half; name the file "
                                       "without .pub"));
    assert_int_equal (sh_keyfile_load (&back, public_path, false, &why),
                      SH_OK);
    sh_keyfile_destroy (&back);
    /*  A secret that was put there is a matter of its mode.  */
    assert_int_equal (sh_keyfile_save (key, s_path ("x.pub"), true, &why),
                      SH_OK);
    assert_int_equal (chmod (s_path ("x.pub"), 0644), 0);
    assert_int_equal (sh_keyfile_load (&back, s_path ("x.pub"), true, &why),
                      SH_E_MODE);
    assert_int_equal (unlink (s_path ("x.pub")), 0);
    sh_keyfile_destroy (&key);
    assert_int_equal (s_entries (false), 2);
}

/*  Either quote may be in a value that was read; it must survive a save.  */
static void
test_save_quotes (void **state)
{
    (void) state;
    sh_keyfile_t *key = NULL, *back = NULL;
    sh_why_t why = { "" };
    assert_int_equal (s_parse (&key,
                               CURVE "metadata\n    a = 'say \"x\"'\n"
                                     "    b = \"it's\"\n",
                               false, &why),
                      SH_OK);
    assert_int_equal (sh_keyfile_save (key, s_path ("k"), false, &why), SH_OK);
    assert_int_equal (sh_keyfile_load (&back, s_path ("k"), false, &why),
                      SH_OK);
    assert_string_equal (sh_keyfile_get (back, "a"), "say \"x\"");
    assert_string_equal (sh_keyfile_get (back, "b"), "it's");
    sh_keyfile_destroy (&key);
    sh_keyfile_destroy (&back);
}

/*  Whoever is not its owner is told so.  Root becomes another user for this;
    everybody else takes the right from himself.  */
static void
test_load_without_rights (void **state)
{
    (void) state;
    static const char text[] = CURVE "    secret-key = \"" SECRET "\"\n";
    const char *path = s_put ("k", text, sizeof text - 1, 0);
    sh_keyfile_t *key = NULL;
    sh_why_t why = { "" };
    bool root = geteuid () == 0;
    if (root)
        assert_int_equal (seteuid (65534), 0);
    sh_err_t rc = sh_keyfile_load (&key, path, true, &why);
    if (root)
        assert_int_equal (seteuid (0), 0);
    assert_int_equal (rc, SH_E_MODE);
    assert_non_null (strstr (why.text, "run as its owner"));
    assert_null (key);
}

static void
test_fingerprint (void **state)
{
    (void) state;
    char one[SH_FINGERPRINT_TEXT], other[SH_FINGERPRINT_TEXT];
    sh_key_fingerprint (one, "0000000000000000000000000000000000000000");
    assert_string_equal (one, "89eb-0d6a-8a69-1dae");
    sh_key_fingerprint (other, PUBLIC);
    assert_string_not_equal (one, other);
}

static void
test_load_faults (void **state)
{
    (void) state;
    sh_keyfile_t *key = NULL;
    sh_why_t why;
    static const char text[] = CURVE "    secret-key = \"" SECRET "\"\n";
    static const mode_t opened[] = { 0640, 0604, 0660, 0601 };
    for (size_t i = 0; i < COUNT (opened); i++) {
        const char *path = s_put ("k", text, sizeof text - 1, opened[i]);
        assert_int_equal (sh_keyfile_load (&key, path, true, &why), SH_E_MODE);
        assert_non_null (strstr (why.text, "/k: open to group or others"));
        assert_int_equal (sh_keyfile_load (&key, path, false, &why), SH_OK);
        sh_keyfile_destroy (&key);
    }
    setenv ("CREDENTIALS_DIRECTORY", s_dir, 1);
    assert_int_equal (sh_keyfile_load (&key, s_path ("k"), true, &why), SH_OK);
    sh_keyfile_destroy (&key);

    assert_int_equal (sh_keyfile_load (&key, s_path ("no"), true, &why),
                      SH_E_NOT_FOUND);
    assert_int_equal (sh_keyfile_load (&key, s_dir, false, &why), SH_E_IO);
    static char big[SH_KEYFILE_MOST + 1];
    memset (big, '\n', sizeof big);
    assert_int_equal (sh_keyfile_load (&key, s_put ("b", big, sizeof big, 0600),
                                       false, &why),
                      SH_E_SYNTAX);
    assert_non_null (strstr (why.text, "/b: larger than 16384 bytes"));
    assert_int_equal (
        sh_keyfile_load (&key, s_put_text ("x", CURVE "oops\n"), false, &why),
        SH_E_SYNTAX);
    assert_non_null (strstr (why.text, "/x:3: unknown section"));
    assert_null (key);
}

static void
test_save_too_large (void **state)
{
    (void) state;
    sh_keyfile_t *key = NULL;
    sh_why_t why;
    char value[1001];
    memset (value, 'v', sizeof value);
    value[1000] = '\0';
    assert_int_equal (sh_keyfile_from_public (&key, PUBLIC), SH_OK);
    for (int i = 0; i < 17; i++)
        assert_int_equal (sh_keyfile_add (key, "n", value), SH_OK);
    assert_int_equal (sh_keyfile_save (key, s_path ("k"), false, &why),
                      SH_E_TOO_LARGE);
    assert_int_equal (s_entries (false), 0);
    sh_keyfile_destroy (&key);
}

/*  CZMQ reads what we write, and we read what CZMQ writes.  */
static void
test_zcert (void **state)
{
    (void) state;
    sh_keyfile_t *key = NULL;
    sh_why_t why = { "" };
    assert_int_equal (sh_keyfile_generate (&key), SH_OK);
    assert_int_equal (sh_keyfile_add (key, "name", "site a # 1"), SH_OK);
    assert_int_equal (sh_keyfile_add (key, "code", "x/y=z"), SH_OK);
    assert_int_equal (sh_keyfile_save (key, s_path ("s"), true, &why), SH_OK);
    assert_int_equal (sh_keyfile_save (key, s_path ("p"), false, &why), SH_OK);

    zcert_t *cert = zcert_load (s_path ("s"));
    assert_non_null (cert);
    assert_string_equal (zcert_public_txt (cert), key->public_key);
    assert_string_equal (zcert_secret_txt (cert), key->secret_key);
    assert_string_equal (zcert_meta (cert, "name"), "site a # 1");
    assert_string_equal (zcert_meta (cert, "code"), "x/y=z");
    zcert_destroy (&cert);
    cert = zcert_load (s_path ("p"));
    assert_non_null (cert);
    assert_string_equal (zcert_public_txt (cert), key->public_key);
    assert_string_not_equal (zcert_secret_txt (cert), key->secret_key);
    zcert_destroy (&cert);
    sh_keyfile_destroy (&key);

    cert = zcert_new ();
    assert_non_null (cert);
    zcert_set_meta (cert, "name", "%s", "by czmq");
    assert_int_equal (zcert_save (cert, s_path ("c")), 0);
    assert_int_equal (sh_keyfile_load (&key, s_path ("c"), false, &why), SH_OK);
    assert_string_equal (key->public_key, zcert_public_txt (cert));
    assert_string_equal (sh_keyfile_get (key, "name"), "by czmq");
    sh_keyfile_destroy (&key);
    assert_int_equal (sh_keyfile_load (&key, s_path ("c_secret"), true, &why),
                      SH_OK);
    assert_string_equal (key->secret_key, zcert_secret_txt (cert));
    sh_keyfile_destroy (&key);
    zcert_destroy (&cert);
}

/*  As people type it; but never a part of one.  */
static void
test_fingerprint_read (void **state)
{
    (void) state;
    char out[SH_FINGERPRINT_TEXT];
    static const char whole[] = "0123-4567-89ab-cdef";
    static const char *const good[]
        = { whole, "0123456789abcdef", "0123-4567-89AB-CDEF",
            "01234567-89abcdef" };
    static const char *const bad[]
        = { "", "-", "0123", "0123-4567-89ab-cde", "0123-4567-89ab-cdef0",
            "0123-4567-89ab-cdef-", "-0123456789abcdef", "012-34567-89ab-cdef",
            "0123--4567-89ab-cdef", "0123-4567-89ab-cdeg",
            "0123 4567 89ab cdef" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true (sh_fingerprint_read (out, good[i]));
        assert_string_equal (out, whole);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false (sh_fingerprint_read (out, bad[i]));
}

/*  Another name for a file, over one that is there.  */
static void
test_file_rename (void **state)
{
    (void) state;
    char *text = NULL, from[4096];
    size_t size = 0;
    sh_why_t why;
    snprintf (from, sizeof from, "%s", s_path ("from"));
    const char *to = s_path ("to");
    assert_int_equal (sh_file_rename (from, to, &why), SH_E_NOT_FOUND);
    assert_int_equal (sh_file_write (from, "new", 3, 0600, false, &why),
                      SH_OK);
    assert_int_equal (sh_file_write (to, "old", 3, 0644, false, &why), SH_OK);
    assert_int_equal (sh_file_rename (from, to, &why), SH_OK);
    assert_int_equal (sh_file_read (&text, &size, NULL, to, 10, &why), SH_OK);
    assert_string_equal (text, "new");
    free (text);
    assert_int_equal (sh_file_rename (from, to, &why), SH_E_NOT_FOUND);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown (f, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST (test_file_read),
        FILE_TEST (test_file_read_faults),
        FILE_TEST (test_file_write),
        FILE_TEST (test_file_write_links),
        FILE_TEST (test_file_write_faults),
        FILE_TEST (test_file_rename),
        FILE_TEST (test_secret_read),
        FILE_TEST (test_secret_mode),
        cmocka_unit_test (test_secret_wipe),
        cmocka_unit_test (test_harden),
        cmocka_unit_test (test_key_valid),
        cmocka_unit_test (test_fingerprint),
        cmocka_unit_test (test_fingerprint_read),
        cmocka_unit_test (test_parse),
        cmocka_unit_test (test_parse_refuses),
        cmocka_unit_test (test_parse_secret),
        cmocka_unit_test (test_parse_bounds),
        cmocka_unit_test (test_parse_fields),
        cmocka_unit_test (test_make),
        FILE_TEST (test_add),
        FILE_TEST (test_save),
        FILE_TEST (test_save_quotes),
        FILE_TEST (test_load_without_rights),
        FILE_TEST (test_load_faults),
        FILE_TEST (test_save_too_large),
        FILE_TEST (test_zcert),
    };
    return cmocka_run_group_tests_name ("keyfile", tests, NULL, NULL);
}
