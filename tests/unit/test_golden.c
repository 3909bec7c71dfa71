/* SPDX-License-Identifier: MPL-2.0 */
/*  The bytes of every message: they were written down once, by another
    encoder, and must never change.  */

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>

#include "scanner-proto/codec.h"
#include "tests/unit/samples.h"

static FILE *
s_open (const char *name)
{
    const char *top = getenv ("srcdir");
    char path[512];
    snprintf (path, sizeof path, "%s/tests/golden/%s.hex", top ? top : ".",
              name);
    FILE *file = fopen (path, "r");
    if (!file)
        fail_msg ("cannot open %s", path);
    return file;
}

/*  Hex digits and blanks; '#' to the end of the line is a comment.  */
static size_t
s_read (const char *name, uint8_t *out, size_t room)
{
    FILE *file = s_open (name);
    size_t digits = 0;
    for (int c = fgetc (file); c != EOF; c = fgetc (file)) {
        if (c == '#') {
            while (c != '\n' && c != EOF)
                c = fgetc (file);
        } else if (isxdigit (c)) {
            char text[2] = { (char) c, '\0' };
            unsigned value = (unsigned) strtoul (text, NULL, 16);
            assert_true (digits / 2 < room);
            uint8_t *byte = &out[digits / 2];
            unsigned high = digits % 2 ? *byte * 16u : 0;
            *byte = (uint8_t) (high + value);
            digits++;
        } else
            assert_true (isspace (c));
    }
    fclose (file);
    assert_true (digits > 0 && digits % 2 == 0);
    return digits / 2;
}

static void
test_encode (void **state)
{
    (void) state;
    for (size_t i = 0; i < sample_count; i++) {
        uint8_t golden[4096], *data;
        size_t expected = s_read (samples[i].name, golden, sizeof golden), size;
        print_message ("%s\n", samples[i].name);
        assert_int_equal (sp_encode (&data, &size, &samples[i].message), SH_OK);
        assert_int_equal (size, expected);
        assert_memory_equal (data, golden, size);
        free (data);
    }
}

/*  The bytes in a file mean what the sample says.  */
static void
s_decode (const char *name, const sample_t *sample)
{
    uint8_t golden[4096];
    size_t size = s_read (name, golden, sizeof golden);
    sp_message_t *message;
    sh_why_t why = { "" };
    sh_bytes_t frame = { golden, size };
    if (sp_decode (&message, frame, &why) != SH_OK)
        fail_msg ("%s: %s", name, why.text);
    /* nothing in the message may point into the frame */
    memset (golden, 0xff, sizeof golden);
    const char *what = sample_difference (message, &sample->message);
    if (what)
        fail_msg ("%s: %s", name, what);
    sp_message_destroy (&message);
    assert_null (message);
}

static void
test_decode (void **state)
{
    (void) state;
    for (size_t i = 0; i < sample_count; i++)
        s_decode (samples[i].name, &samples[i]);
}

static const sample_t *
s_sample (const char *name)
{
    for (size_t i = 0; i < sample_count; i++)
        if (strcmp (samples[i].name, name) == 0)
            return &samples[i];
    fail_msg ("no sample '%s'", name);
    return NULL;
}

/*  What an earlier version sent still means the same: its bytes are never
    changed, only added to when a version is released.  */
static void
test_released (void **state)
{
    (void) state;
    static const struct
    {
        const char *version;
        size_t files;
    } released[] = { { "0.1", 26 } };
    for (size_t i = 0; i < sizeof released / sizeof *released; i++) {
        char path[512];
        const char *top = getenv ("srcdir");
        snprintf (path, sizeof path, "%s/tests/golden/%s", top ? top : ".",
                  released[i].version);
        DIR *folder = opendir (path);
        assert_non_null (folder);
        size_t files = 0;
        for (struct dirent *entry; (entry = readdir (folder));) {
            char name[300], file[340];
            snprintf (name, sizeof name, "%s", entry->d_name);
            char *dot = strrchr (name, '.');
            if (!dot || strcmp (dot, ".hex") != 0)
                continue;
            *dot = '\0';
            snprintf (file, sizeof file, "%s/%s", released[i].version, name);
            s_decode (file, s_sample (name));
            files++;
        }
        closedir (folder);
        assert_int_equal (files, released[i].files);
    }
}

static void
test_every_type_has_a_sample (void **state)
{
    (void) state;
    bool seen[SP_TYPE_COUNT] = { false };
    for (size_t i = 0; i < sample_count; i++)
        seen[samples[i].message.type] = true;
    for (int type = 0; type < SP_TYPE_COUNT; type++)
        assert_true (seen[type]);
}

static void
test_every_file_has_a_sample (void **state)
{
    (void) state;
    const char *top = getenv ("srcdir");
    char path[512];
    snprintf (path, sizeof path, "%s/tests/golden", top ? top : ".");
    DIR *folder = opendir (path);
    assert_non_null (folder);
    size_t files = 0;
    for (struct dirent *entry; (entry = readdir (folder));) {
        const char *dot = strrchr (entry->d_name, '.');
        files += dot && strcmp (dot, ".hex") == 0 ? 1 : 0;
    }
    closedir (folder);
    assert_int_equal (files, sample_count);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_encode),
        cmocka_unit_test (test_decode),
        cmocka_unit_test (test_released),
        cmocka_unit_test (test_every_type_has_a_sample),
        cmocka_unit_test (test_every_file_has_a_sample),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
