/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scanner-proto/limits.h"
#include "scanner-proto/walk.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
/* a string literal as bytes, and within {"a": ...} */
#define RAW(text) { (const uint8_t *) (text), sizeof (text) - 1 }
#define IN_MAP(text) RAW ("\x81\xa1\x61" text)

/*  The bytes are copied into memory of just their size, so that a read beyond
    them is seen by the sanitizer.  */
static sh_err_t
s_walk (sh_bytes_t frame, sh_why_t *why)
{
    uint8_t *copy = malloc (frame.size + 1);
    assert_non_null (copy);
    uint8_t *at = copy + 1; /* at an odd address too */
    memcpy (at, frame.data, frame.size);
    sh_err_t rc = sp_walk ((sh_bytes_t){ at, frame.size }, SP_FRAME_MOST, why);
    free (copy);
    return rc;
}

static void
s_takes (sh_bytes_t frame)
{
    sh_why_t why = { "" };
    if (s_walk (frame, &why) != SH_OK)
        fail_msg ("refused: %s", why.text);
}

static void
s_refuses (sh_bytes_t frame, const char *because)
{
    sh_why_t why = { "" };
    assert_int_equal (s_walk (frame, &why), SH_E_BAD_FRAME);
    if (!strstr (why.text, because))
        fail_msg ("'%s' should say '%s'", why.text, because);
}

static void
test_good (void **state)
{
    (void) state;
    static const sh_bytes_t good[] = {
        RAW ("\x80"),
        RAW ("\xde\0\0"),
        RAW ("\xdf\0\0\0\0"),
        IN_MAP ("\xc0"),
        IN_MAP ("\xc2"),
        IN_MAP ("\x7f"),
        IN_MAP ("\xe0"),
        IN_MAP ("\xcc\xff"),
        IN_MAP ("\xcd\xff\xff"),
        IN_MAP ("\xce\xff\xff\xff\xff"),
        IN_MAP ("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
        IN_MAP ("\xd0\x80"),
        IN_MAP ("\xd1\x80\0"),
        IN_MAP ("\xd2\x80\0\0\0"),
        IN_MAP ("\xd3\x80\0\0\0\0\0\0\0"),
        IN_MAP ("\xca\0\0\0\0"),
        IN_MAP ("\xcb\0\0\0\0\0\0\0\0"),
        IN_MAP ("\xa3xyz"),
        IN_MAP ("\xd9\x03xyz"),
        IN_MAP ("\xda\0\x03xyz"),
        IN_MAP ("\xdb\0\0\0\x03xyz"),
        IN_MAP ("\xc4\x02\0\xff"),
        IN_MAP ("\xc5\0\x02\0\xff"),
        IN_MAP ("\xc6\0\0\0\x02\0\xff"),
        IN_MAP ("\x90"),
        IN_MAP ("\x93\x01\x02\x03"),
        IN_MAP ("\xdc\0\x02\x91\xc0\x01"),
        IN_MAP ("\xdd\0\0\0\x01\x90"),
        IN_MAP ("\x82\xa0\xc0\xa0\xc0"),
    };
    for (size_t i = 0; i < COUNT (good); i++)
        s_takes (good[i]);
}

static void
test_bad (void **state)
{
    (void) state;
    static const struct
    {
        sh_bytes_t frame;
        const char *because;
    } bad[] = {
        { RAW (""), "empty" },
        { RAW ("\xc0"), "not a map" },
        { RAW ("\x91\x80"), "not a map" },
        { RAW ("\xa1x"), "not a map" },
        { RAW ("\x80\x80"), "follows" },
        { RAW ("\x80\0"), "follows" },
        { IN_MAP ("\xc1"), "0xc1" },
        { IN_MAP ("\xd4\x01\0"), "extension" },
        { IN_MAP ("\xd8\xff" "0123456789abcdef"), "extension" },
        { IN_MAP ("\xc7\0\x01"), "extension" },
        { IN_MAP ("\xc8\0\0\x01"), "extension" },
        { IN_MAP ("\xc9\0\0\0\0\x01"), "extension" },
        { RAW ("\x81\x01\xc0"), "not a text" },
        { RAW ("\x81\xc4\x01\x61\xc0"), "not a text" },
        { RAW ("\x81\x80\xc0"), "not a text" },
        /* what a list of 2^32 - 1 would take 256 GiB for, in six bytes */
        { RAW ("\x81\xdd\xff\xff\xff\xff"), "not a text" },
        { IN_MAP ("\xdd\xff\xff\xff\xff"), "more elements" },
        { IN_MAP ("\xdc\0\x02\xc0"), "more elements" },
        { IN_MAP ("\xdf\xff\xff\xff\xff"), "too many keys" },
        { RAW ("\xdf\xff\xff\xff\xff"), "too many keys" },
        { RAW ("\x82\xa1\x61\xc0"), "more elements" },
        { RAW ("\x82\xa3xyz"), "cut off" },
        { RAW ("\x82\xa1\x61"), "more elements" },
        { IN_MAP ("\xa3xy"), "cut off" },
        { IN_MAP ("\xdb\xff\xff\xff\xffxy"), "cut off" },
        { IN_MAP ("\xc6\xff\xff\xff\xffxy"), "cut off" },
        { IN_MAP ("\xcb\0\0\0"), "cut off" },
    };
    for (size_t i = 0; i < COUNT (bad); i++)
        s_refuses (bad[i].frame, bad[i].because);
}

static void
test_texts (void **state)
{
    (void) state;
    static const sh_bytes_t good[] = {
        IN_MAP ("\xa2\xc2\x80"),                 /* U+0080 */
        IN_MAP ("\xa2\xdf\xbf"),                 /* U+07FF */
        IN_MAP ("\xa3\xe0\xa0\x80"),             /* U+0800 */
        IN_MAP ("\xa3\xed\x9f\xbf"),             /* U+D7FF */
        IN_MAP ("\xa3\xee\x80\x80"),             /* U+E000 */
        IN_MAP ("\xa4\xf0\x90\x80\x80"),         /* U+10000 */
        IN_MAP ("\xa4\xf4\x8f\xbf\xbf"),         /* U+10FFFF */
        IN_MAP ("\xaa" "1234567\xc3\xa9x"),      /* across a word */
        IN_MAP ("\xb1" "0123456789\x01\x7f\x1f" "abcd"),
        RAW ("\x81\xa2\xc3\xa9\xc0"),            /* in a key */
    };
    static const sh_bytes_t bad[] = {
        IN_MAP ("\xa1\0"),
        IN_MAP ("\xa8" "123\0" "4567"),
        IN_MAP ("\xa9" "12345678\0"),
        IN_MAP ("\xa1\x80"),
        IN_MAP ("\xa1\xff"),
        IN_MAP ("\xa2\xc0\x80"),         /* overlong NUL */
        IN_MAP ("\xa2\xc1\xbf"),
        IN_MAP ("\xa3\xe0\x9f\xbf"),     /* overlong */
        IN_MAP ("\xa4\xf0\x8f\xbf\xbf"), /* overlong */
        IN_MAP ("\xa3\xed\xa0\x80"),     /* surrogate */
        IN_MAP ("\xa3\xed\xbf\xbf"),     /* surrogate */
        IN_MAP ("\xa4\xf4\x90\x80\x80"), /* above U+10FFFF */
        IN_MAP ("\xa4\xf5\x80\x80\x80"),
        IN_MAP ("\xa1\xc3"),             /* cut */
        IN_MAP ("\xa2\xe2\x82"),
        IN_MAP ("\xa3\xf0\x9f\x98"),
        IN_MAP ("\xa3\xe2\x28\xa1"),
        IN_MAP ("\xa3\xe2\x82\x28"),
        IN_MAP ("\xa4\xf0\x9f\x98\x28"),
        IN_MAP ("\xa9" "1234567\xc3" "x"),
        RAW ("\x81\xa1\xff\xc0"),        /* in a key */
    };
    for (size_t i = 0; i < COUNT (good); i++)
        s_takes (good[i]);
    for (size_t i = 0; i < COUNT (bad); i++)
        s_refuses (bad[i], "UTF-8");
}

/*  {"a": [[...]]}: the map and 'arrays' arrays.  */
static size_t
s_nest (uint8_t *out, size_t arrays)
{
    memcpy (out, "\x81\xa1\x61", 3);
    memset (out + 3, 0x91, arrays);
    out[3 + arrays] = 0xc0;
    return 4 + arrays;
}

static void
test_depth (void **state)
{
    (void) state;
    uint8_t frame[70000];
    size_t size = s_nest (frame, SP_DEPTH_MOST - 1);
    s_takes ((sh_bytes_t){ frame, size });
    size = s_nest (frame, SP_DEPTH_MOST);
    s_refuses ((sh_bytes_t){ frame, size }, "too deeply");
    size = s_nest (frame, 60000);
    s_refuses ((sh_bytes_t){ frame, size }, "too deeply");
}

static void
test_siblings_do_not_add_up_to_depth (void **state)
{
    (void) state;
    uint8_t frame[4 + 100] = "\x81\xa1\x61\xdc";
    uint8_t *at = frame + 4;
    *at++ = 0;
    *at++ = 40;
    for (int i = 0; i < 40; i++) {
        *at++ = 0x91;
        *at++ = 0x90;
    }
    s_takes ((sh_bytes_t){ frame, (size_t) (at - frame) });
}

static size_t
s_map_of (uint8_t *out, unsigned pairs, size_t key_size)
{
    uint8_t *at = out;
    *at++ = 0xde;
    *at++ = 0;
    *at++ = (uint8_t) pairs;
    for (unsigned i = 0; i < pairs; i++) {
        *at++ = 0xd9;
        *at++ = (uint8_t) key_size;
        memset (at, 'k', key_size);
        at += key_size;
        *at++ = 0xc0;
    }
    return (size_t) (at - out);
}

static void
test_keys (void **state)
{
    (void) state;
    uint8_t frame[8192];
    size_t size = s_map_of (frame, SP_MAP_KEYS_MOST, SP_KEY_MOST);
    s_takes ((sh_bytes_t){ frame, size });
    size = s_map_of (frame, SP_MAP_KEYS_MOST + 1, SP_KEY_MOST);
    s_refuses ((sh_bytes_t){ frame, size }, "too many keys");
    size = s_map_of (frame, 1, SP_KEY_MOST + 1);
    s_refuses ((sh_bytes_t){ frame, size }, "too long");
}

static void
test_size (void **state)
{
    (void) state;
    size_t most = SP_FRAME_MOST;
    uint8_t *frame = calloc (1, most + 1);
    assert_non_null (frame);
    memcpy (frame, "\x81\xa1\x61\xc6", 4);
    uint32_t bytes = (uint32_t) (most - 8);
    for (int i = 0; i < 4; i++)
        frame[4 + i] = (uint8_t) (bytes >> (24 - 8 * i));

    sh_why_t why;
    assert_int_equal (sp_walk ((sh_bytes_t){ frame, most }, most, &why),
                      SH_OK);
    assert_int_equal (sp_walk ((sh_bytes_t){ frame, most }, most - 1,
                               &why),
                      SH_E_TOO_LARGE);
    assert_non_null (strstr (why.text, "1048575"));
    assert_int_equal (sp_walk ((sh_bytes_t){ frame, most + 1 },
                               most + 1, &why),
                      SH_E_BAD_FRAME);
    free (frame);
}

/*  One kind for one value, however wide the sender wrote it.  */
static void
test_tokens (void **state)
{
    (void) state;
    static const struct
    {
        sh_bytes_t bytes;
        sp_token_kind_t kind;
        uint64_t number;
        int64_t negative;
    } cases[] = {
        { RAW ("\x05"), SP_TOKEN_UINT, 5, 0 },
        { RAW ("\xd0\x05"), SP_TOKEN_UINT, 5, 0 },
        { RAW ("\xd3\0\0\0\0\0\0\0\x05"), SP_TOKEN_UINT, 5, 0 },
        { RAW ("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), SP_TOKEN_UINT,
          UINT64_MAX, 0 },
        { RAW ("\xff"), SP_TOKEN_INT, 0, -1 },
        { RAW ("\xe0"), SP_TOKEN_INT, 0, -32 },
        { RAW ("\xd0\x80"), SP_TOKEN_INT, 0, -128 },
        { RAW ("\xd1\xff\xfe"), SP_TOKEN_INT, 0, -2 },
        { RAW ("\xd2\x80\0\0\0"), SP_TOKEN_INT, 0, INT32_MIN },
        { RAW ("\xd3\x80\0\0\0\0\0\0\0"), SP_TOKEN_INT, 0, INT64_MIN },
        { RAW ("\xd3\xff\xff\xff\xff\xff\xff\xff\xff"), SP_TOKEN_INT, 0, -1 },
        { RAW ("\xc2"), SP_TOKEN_BOOL, 0, 0 },
        { RAW ("\xc3"), SP_TOKEN_BOOL, 1, 0 },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_bytes_t rest = cases[i].bytes;
        sp_token_t token = { .kind = SP_TOKEN_NIL };
        assert_null (sp_token_read (&token, &rest));
        assert_int_equal (rest.size, 0);
        assert_int_equal (token.kind, cases[i].kind);
        assert_true (token.number == cases[i].number);
        assert_true (token.negative == cases[i].negative);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_good),
        cmocka_unit_test (test_bad),
        cmocka_unit_test (test_texts),
        cmocka_unit_test (test_depth),
        cmocka_unit_test (test_siblings_do_not_add_up_to_depth),
        cmocka_unit_test (test_keys),
        cmocka_unit_test (test_size),
        cmocka_unit_test (test_tokens),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
