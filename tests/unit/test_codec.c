/* SPDX-License-Identifier: MPL-2.0 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <msgpack.h>

#include "scanner-proto/codec.h"
#include "scanner-proto/walk.h"
#include "tests/unit/samples.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

/*  A growing frame under construction.  */
typedef struct
{
    uint8_t *data;
    size_t size, room;
} s_frame_t;

static void
s_append (s_frame_t *self, const void *data, size_t size)
{
    if (self->size + size >= self->room) {
        self->room = (self->size + size + 16) * 2;
        self->data = realloc (self->data, self->room);
        assert_non_null (self->data);
    }
    if (size > 0)
        memcpy (self->data + self->size, data, size);
    self->size += size;
}

static s_frame_t
s_encode (const sp_message_t *message)
{
    s_frame_t frame = { 0 };
    if (sp_encode (&frame.data, &frame.size, message) != SH_OK)
        fail_msg ("cannot encode");
    return frame;
}

/*  Decode a copy of just that size, so that reads beyond it are seen.  */
static sh_err_t
s_decode (sp_message_t **out, const uint8_t *data, size_t size, sh_why_t *why)
{
    uint8_t *copy = malloc (size ? size : 1);
    assert_non_null (copy);
    memcpy (copy, data, size);
    sh_err_t rc = sp_decode (out, (sh_bytes_t){ copy, size }, why);
    free (copy);
    return rc;
}

static void
s_expect (const s_frame_t *frame, sh_err_t expected, const char *because)
{
    sp_message_t *message = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = s_decode (&message, frame->data, frame->size, &why);
    if (rc != expected || !strstr (why.text, because))
        fail_msg ("%s, not %s: '%s', expected '%s'", sh_err_word (rc),
                  sh_err_word (expected), why.text, because);
    assert_true ((rc == SH_OK) == (message != NULL));
    sp_message_destroy (&message);
}

/*  Where a value is in a frame.  */
typedef struct
{
    size_t begin, end;
    size_t pair; /* where its key begins */
    sp_token_kind_t kind;
    char key[SP_KEY_MOST + 1];
} s_value_t;

typedef struct
{
    s_value_t values[512];
    size_t count;
    const uint8_t *start;
} s_values_t;

static void
s_collect (s_values_t *self, sh_bytes_t *rest, size_t pair, const char *key)
{
    size_t begin = (size_t) (rest->data - self->start), slot = self->count++;
    sp_token_t token = { 0 };
    assert_true (slot < COUNT (self->values));
    assert_null (sp_token_read (&token, rest));
    for (uint64_t i = 0; token.kind == SP_TOKEN_MAP && i < token.number; i++) {
        size_t at = (size_t) (rest->data - self->start);
        sp_token_t name = { 0 };
        char text[SP_KEY_MOST + 1];
        assert_null (sp_token_read (&name, rest));
        snprintf (text, sizeof text, "%.*s", (int) name.bytes.size,
                  (const char *) name.bytes.data);
        s_collect (self, rest, at, text);
    }
    for (uint64_t i = 0; token.kind == SP_TOKEN_ARRAY && i < token.number; i++)
        s_collect (self, rest, pair, key);

    s_value_t *value = &self->values[slot];
    value->begin = begin;
    value->end = (size_t) (rest->data - self->start);
    value->pair = pair;
    value->kind = token.kind;
    snprintf (value->key, sizeof value->key, "%s", key);
}

static void
s_values_of (s_values_t *self, const s_frame_t *frame)
{
    sh_bytes_t rest = { frame->data, frame->size };
    self->count = 0;
    self->start = frame->data;
    s_collect (self, &rest, 0, "");
    assert_int_equal (rest.size, 0);
}

/*  The 'nth' value (from 0) under 'key' in order of the frame; elements of an
    array count as under its key.  */
static s_value_t
s_find (const s_frame_t *frame, const char *key, int nth)
{
    s_values_t values;
    s_values_of (&values, frame);
    for (size_t i = 0; i < values.count; i++) {
        if (strcmp (values.values[i].key, key) == 0 && nth-- == 0)
            return values.values[i];
    }
    fail_msg ("no key '%s'", key);
    abort ();
}

static s_frame_t
s_splice (const s_frame_t *frame, size_t begin, size_t end, const void *data,
          size_t size)
{
    s_frame_t out = { 0 };
    s_append (&out, frame->data, begin);
    s_append (&out, data, size);
    s_append (&out, frame->data + end, frame->size - end);
    return out;
}

/*  A sample with one value replaced.  */
static s_frame_t
s_with (const char *sample, const char *key, int nth, const void *data,
        size_t size)
{
    s_frame_t frame = s_encode (sample_get (sample));
    s_value_t value = s_find (&frame, key, nth);
    s_frame_t out = s_splice (&frame, value.begin, value.end, data, size);
    free (frame.data);
    return out;
}

/*  A sample with a pair put in front of the outer map's others.  */
static s_frame_t
s_plus (const char *sample, const void *pair, size_t size)
{
    s_frame_t frame = s_encode (sample_get (sample)), out = { 0 };
    size_t head = frame.data[0] == 0xde ? 3 : 1;
    size_t pairs = head == 3 ? frame.data[2] : frame.data[0] & 0x0fu;
    uint8_t map[3] = { 0xde, 0, (uint8_t) (pairs + 1) };
    s_append (&out, map, sizeof map);
    s_append (&out, pair, size);
    s_append (&out, frame.data + head, frame.size - head);
    free (frame.data);
    return out;
}

static int
s_class (sp_token_kind_t kind)
{
    return kind == SP_TOKEN_INT ? SP_TOKEN_UINT : (int) kind;
}

/*  Put each kind of value into each place of each message.  */
static void
test_wrong_types (void **state)
{
    (void) state;
    static const struct
    {
        sp_token_kind_t kind;
        const char *bytes;
        size_t size;
    } kinds[] = {
        { SP_TOKEN_BOOL, "\xc3", 1 },     { SP_TOKEN_UINT, "\x05", 1 },
        { SP_TOKEN_INT, "\xfb", 1 },      { SP_TOKEN_TEXT, "\xa1x", 2 },
        { SP_TOKEN_BIN, "\xc4\x01x", 3 }, { SP_TOKEN_ARRAY, "\x90", 1 },
        { SP_TOKEN_MAP, "\x80", 1 },
        { SP_TOKEN_FLOAT, "\xcb\x3f\xf0\0\0\0\0\0\0", 9 },
    };
    size_t tried = 0;
    for (size_t i = 0; i < sample_count; i++) {
        s_frame_t frame = s_encode (&samples[i].message);
        s_values_t values;
        s_values_of (&values, &frame);
        for (size_t j = 1; j < values.count; j++) { /* 0 is the outer map */
            const s_value_t *value = &values.values[j];
            for (size_t k = 0; k < COUNT (kinds); k++) {
                if (s_class (kinds[k].kind) == s_class (value->kind))
                    continue;
                s_frame_t wrong = s_splice (&frame, value->begin, value->end,
                                            kinds[k].bytes, kinds[k].size);
                s_expect (&wrong, SH_E_BAD_MESSAGE, value->key);
                free (wrong.data);
                tried++;
            }
        }
        free (frame.data);
    }
    assert_true (tried > 1000);
}

/*  A float is no integer even where its value is one.  */
static void
test_messages_name_the_field (void **state)
{
    (void) state;
    static const struct
    {
        const char *sample, *key;
        int nth;
        const char *bytes;
        size_t size;
        const char *because;
    } cases[] = {
        { "report-hosts", "seen", 1, "\xcb\x3f\xf0\0\0\0\0\0\0", 9,
          "report: hosts[1].seen: not an integer" },
        { "report-hosts", "hosts", 2, "\xc3", 1,
          "report: hosts[1]: not a map" },
        { "report-hosts", "part", 0, "\xff", 1, "report: part: negative" },
        { "report-hosts", "cidr", 0, "\xc4\x01x", 3,
          "report: cidr: not a text" },
        { "report-hosts", "ip", 0, "\xa4xxxx", 5,
          "report: hosts[0].ip: not bytes" },
        { "report-hosts", "kind", 0, "\xa4s\x1b\"p", 5,
          "report: kind: unknown word 's\\x1b" },
        { "report-hosts", "id", 0, "\xc0", 1, "report: id: missing" },
        { "report-hosts", "ip", 1, "\xc0", 1,
          "report: hosts[1].ip: missing" },
        { "assignments-page", "ns", 2, "\xc0", 1,
          "assignments-page: subnets[0].ns[1]: not a text" },
        { "hello", "now", 0, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9,
          "hello: now: out of range" },
        { "hello", "t", 0, "\xa5\x1b[31m", 6,
          "unknown type '\\x1b[31m'" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        s_frame_t frame = s_with (cases[i].sample, cases[i].key, cases[i].nth,
                                  cases[i].bytes, cases[i].size);
        bool type = strcmp (cases[i].key, "t") == 0;
        s_expect (&frame, type ? SH_E_UNKNOWN_TYPE : SH_E_BAD_MESSAGE,
                  cases[i].because);
        free (frame.data);
    }
}

typedef enum
{
    LIMIT_TEXT,
    LIMIT_BIN,
    LIMIT_UINT,
    LIMIT_INT, /* and as far below zero */
    LIMIT_ARRAY
} s_limit_t;

static void
s_pack (s_frame_t *out, s_limit_t kind, uint64_t number, const s_frame_t *item)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    msgpack_sbuffer_init (&buffer);
    msgpack_packer_init (&packer, &buffer, msgpack_sbuffer_write);
    if (kind == LIMIT_UINT)
        msgpack_pack_uint64 (&packer, number);
    else if (kind == LIMIT_INT)
        msgpack_pack_int64 (&packer, (int64_t) number);
    else if (kind == LIMIT_TEXT)
        msgpack_pack_str (&packer, number);
    else if (kind == LIMIT_BIN)
        msgpack_pack_bin (&packer, number);
    else
        msgpack_pack_array (&packer, number);
    s_append (out, buffer.data, buffer.size);
    msgpack_sbuffer_destroy (&buffer);

    for (uint64_t i = 0; i < number && kind == LIMIT_ARRAY; i++)
        s_append (out, item->data, item->size);
    for (uint64_t i = 0; i < number; i++) {
        if (kind != LIMIT_TEXT && kind != LIMIT_BIN)
            break;
        s_append (out, "x", 1);
    }
}

static void
s_try_limit (const char *sample, const char *key, int nth, s_limit_t kind,
             uint64_t number, bool fine)
{
    s_frame_t value = { 0 }, item = { 0 };
    if (kind == LIMIT_ARRAY) { /* repeat the first element */
        s_frame_t frame = s_encode (sample_get (sample));
        s_value_t first = s_find (&frame, key, nth + 1);
        s_append (&item, frame.data + first.begin, first.end - first.begin);
        free (frame.data);
    }
    s_pack (&value, kind, number, &item);
    s_frame_t frame = s_with (sample, key, nth, value.data, value.size);
    s_expect (&frame, fine ? SH_OK : SH_E_BAD_MESSAGE, fine ? "" : key);
    free (frame.data);
    free (value.data);
    free (item.data);
}

static void
test_limits (void **state)
{
    (void) state;
    const uint64_t any = INT64_MAX, time = UINT64_C (1) << 61;
    const struct
    {
        const char *sample, *key;
        int nth;
        s_limit_t kind;
        uint64_t most;
    } cases[] = {
        { "hello", "version", 0, LIMIT_TEXT, 255 },
        { "hello", "now", 0, LIMIT_INT, time },
        { "welcome", "name", 0, LIMIT_TEXT, 255 },
        { "welcome", "version", 0, LIMIT_TEXT, 255 },
        { "welcome", "rev", 0, LIMIT_BIN, 8 },
        { "welcome", "part_bytes", 0, LIMIT_UINT, any },
        { "welcome", "hello_now", 0, LIMIT_INT, time },
        { "welcome-next-key", "next_key", 0, LIMIT_BIN, 32 },
        { "welcome-next-key", "next_at", 0, LIMIT_INT, time },
        { "hub-key", "next_key", 0, LIMIT_BIN, 32 },
        { "beat", "spool", 0, LIMIT_UINT, any },
        { "beat", "version", 0, LIMIT_TEXT, 255 },
        { "revision", "rev", 0, LIMIT_BIN, 8 },
        { "assignments-next", "for", 0, LIMIT_TEXT, 32 },
        { "assignments-next", "after", 0, LIMIT_UINT, any },
        { "assignments-page", "rev", 0, LIMIT_BIN, 8 },
        { "assignments-page", "subnets", 0, LIMIT_ARRAY, 1000 },
        { "assignments-page", "cidr", 1, LIMIT_TEXT, 49 },
        { "assignments-page", "ns", 0, LIMIT_ARRAY, 8 },
        { "assignments-page", "ns", 1, LIMIT_TEXT, 255 },
        { "targets-next", "for", 0, LIMIT_TEXT, 32 },
        { "targets-next", "after", 0, LIMIT_BIN, 4 },
        { "targets-next", "after", 0, LIMIT_BIN, 16 },
        { "targets-page", "targets", 0, LIMIT_ARRAY, 8192 },
        { "targets-page", "ip", 0, LIMIT_BIN, 16 },
        { "report-hosts", "id", 0, LIMIT_BIN, 16 },
        { "report-hosts", "part", 0, LIMIT_UINT, 65535 },
        { "report-hosts-v6", "for", 0, LIMIT_TEXT, 32 },
        { "report-hosts", "subnet", 0, LIMIT_UINT, any },
        { "report-hosts", "cidr", 0, LIMIT_TEXT, 49 },
        { "report-hosts", "started", 0, LIMIT_INT, time },
        { "report-hosts", "finished", 0, LIMIT_INT, time },
        { "report-hosts", "off", 0, LIMIT_INT, time },
        { "report-hosts-v6", "hosts", 0, LIMIT_ARRAY, 4096 },
        { "report-hosts", "ip", 0, LIMIT_BIN, 255 },
        { "report-hosts", "seen", 0, LIMIT_INT, time },
        { "report-hosts", "mac", 0, LIMIT_TEXT, 1024 },
        { "report-hosts", "name", 0, LIMIT_TEXT, 1024 },
        { "report-hosts", "how", 0, LIMIT_TEXT, 255 },
        { "report-closing", "parts", 0, LIMIT_UINT, 65536 },
        { "report-closing", "up", 0, LIMIT_UINT, any },
        { "report-closing", "covered", 0, LIMIT_ARRAY, 4096 },
        { "verdict-applied", "id", 0, LIMIT_BIN, 16 },
        { "verdict-applied", "part", 0, LIMIT_UINT, 65535 },
        { "verdict-applied", "refused", 0, LIMIT_ARRAY, 64 },
        { "verdict-retry", "cause", 0, LIMIT_TEXT, 255 },
        { "verdict-retry", "text", 0, LIMIT_TEXT, 1024 },
        { "verdict-retry", "delay", 0, LIMIT_UINT, any },
        { "error", "cause", 0, LIMIT_TEXT, 255 },
        { "error", "text", 0, LIMIT_TEXT, 1024 },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        const char *sample = cases[i].sample, *key = cases[i].key;
        uint64_t most = cases[i].most;
        int nth = cases[i].nth;
        s_try_limit (sample, key, nth, cases[i].kind, most, true);
        s_try_limit (sample, key, nth, cases[i].kind, most + 1, false);
        if (cases[i].kind == LIMIT_INT) {
            s_try_limit (sample, key, nth, LIMIT_INT, -most, true);
            s_try_limit (sample, key, nth, LIMIT_INT, -most - 1, false);
        }
    }
}

static void
test_exact_sizes (void **state)
{
    (void) state;
    static const struct
    {
        const char *sample, *key;
        uint64_t size;
    } wrong[] = {
        { "report-hosts", "id", 15 },   { "report-hosts", "id", 0 },
        { "verdict-applied", "id", 15 }, { "welcome", "rev", 7 },
        { "welcome", "rev", 0 },        { "targets-next", "after", 0 },
        { "targets-next", "after", 3 }, { "targets-next", "after", 15 },
        { "targets-page", "ip", 0 },    { "report-closing", "first", 5 },
    };
    for (size_t i = 0; i < COUNT (wrong); i++)
        s_try_limit (wrong[i].sample, wrong[i].key, 0, LIMIT_BIN, wrong[i].size,
                     false);
    /* a host's address of a wrong size is the host's misfortune only */
    s_try_limit ("report-hosts", "ip", 0, LIMIT_BIN, 0, true);
    s_try_limit ("report-hosts", "ip", 0, LIMIT_BIN, 5, true);
}

static void
test_truncated (void **state)
{
    (void) state;
    static const char *const names[] = { "report-hosts", "report-closing" };
    for (size_t i = 0; i < COUNT (names); i++) {
        s_frame_t frame = s_encode (sample_get (names[i]));
        for (size_t size = 0; size < frame.size; size++) {
            s_frame_t cut = { frame.data, size, 0 };
            s_expect (&cut, SH_E_BAD_FRAME, "frame");
        }
        s_append (&frame, "\0", 1);
        s_expect (&frame, SH_E_BAD_FRAME, "follows");
        free (frame.data);
    }
}

static void
test_bad_frames (void **state)
{
    (void) state;
    static const struct
    {
        const char *key;
        const char *bytes;
        size_t size;
    } cases[] = {
        { "hosts", "\xdd\xff\xff\xff\xff", 5 }, /* 256 GiB */
        { "cidr", "\xdb\xff\xff\xff\xff", 5 },
        { "cidr", "\xa2\xc0\x80", 3 },
        { "name", "\xa3\xed\xa0\x80", 4 },
        { "name", "\xa3" "a\0b", 4 },
        { "off", "\xd6\xff\0\0\0\0", 6 },
        { "off", "\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0", 10 },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        s_frame_t frame = s_with ("report-hosts", cases[i].key, 0,
                                  cases[i].bytes, cases[i].size);
        s_expect (&frame, SH_E_BAD_FRAME, "frame");
        free (frame.data);
    }
}

/*  Put each pair of each message in twice.  */
static void
test_duplicates (void **state)
{
    (void) state;
    size_t tried = 0;
    for (size_t i = 0; i < sample_count; i++) {
        s_frame_t frame = s_encode (&samples[i].message);
        s_values_t values;
        s_values_of (&values, &frame);
        size_t head = frame.data[0] == 0xde ? 3 : 1;
        for (size_t j = 1; j < values.count; j++) {
            const s_value_t *value = &values.values[j];
            /* only values of the outer map */
            bool outer = true;
            for (size_t k = 1; k < values.count; k++)
                outer &= value->begin <= values.values[k].begin
                         || value->end > values.values[k].end || k == j;
            if (!outer || value->pair < head)
                continue;
            s_frame_t twice
                = s_plus (samples[i].name, frame.data + value->pair,
                          value->end - value->pair);
            s_expect (&twice, SH_E_BAD_MESSAGE, "given twice");
            free (twice.data);
            tried++;
        }
        free (frame.data);
    }
    assert_true (tried > 100);

    /* nil counts as absent, but the key is there twice */
    s_frame_t nil = s_plus ("report-hosts", "\xa3off\xc0", 5);
    s_expect (&nil, SH_E_BAD_MESSAGE, "report: off: given twice");
    free (nil.data);
    s_frame_t deep = s_with ("report-closing", "covered", 1,
                             "\x83\xa5" "first\xc4\x04" "aaaa\xa4last\xc4\x04"
                             "bbbb\xa5" "first\xc4\x04" "aaaa", 36);
    s_expect (&deep, SH_E_BAD_MESSAGE, "covered[0].first: given twice");
    free (deep.data);
}

/*  Take each pair of the outer map out.  */
static void
test_required (void **state)
{
    (void) state;
    static const struct
    {
        const char *sample;
        const char *keys[10];
    } cases[] = {
        { "hello", { "v", "t", "now", "version" } },
        { "welcome",
          { "now", "hello_now", "name", "version", "part_bytes",
            "part_hosts" } },
        { "beat", { "now" } },
        { "revision", { "rev" } },
        { "assignments-page", { "rev", "more", "subnets", "id", "cidr" } },
        { "targets", { "subnet" } },
        { "targets-page", { "subnet", "more", "targets", "ip", "exclude" } },
        { "report-hosts",
          { "id", "part", "subnet", "cidr", "kind", "started", "finished",
            "off", "ip", "seen" } },
        { "report-closing", { "first" } },
        { "verdict-applied", { "id", "part", "result", "ip", "cause" } },
        { "error", { "cause" } },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        for (size_t k = 0; k < 10 && cases[i].keys[k]; k++) {
            const char *key = cases[i].keys[k];
            s_frame_t nil = s_with (cases[i].sample, key, 0, "\xc0", 1);
            bool head = strlen (key) == 1;
            s_expect (&nil, SH_E_BAD_MESSAGE, head ? "message: " : "missing");
            free (nil.data);

            s_frame_t frame = s_encode (sample_get (cases[i].sample));
            s_value_t value = s_find (&frame, key, 0);
            frame.data[value.pair + 1] = '~'; /* another, unknown key */
            s_expect (&frame, SH_E_BAD_MESSAGE, "missing");
            free (frame.data);
        }
    }
}

static void
test_optional (void **state)
{
    (void) state;
    static const struct
    {
        const char *sample;
        const char *keys[16];
    } cases[] = {
        { "welcome", { "rev" } },
        { "welcome-next-key", { "next_key", "next_at" } },
        { "hub-key", { "next_key", "next_at" } },
        { "beat", { "spool", "running", "version" } },
        { "assignments-next", { "for", "after" } },
        { "targets-next", { "for", "after" } },
        { "report-hosts", { "hosts", "mac", "name", "how" } },
        { "report-hosts-v6", { "how" } },
        { "report-closing", { "last", "parts", "complete", "up", "covered" } },
        { "verdict-applied",
          { "seen", "added", "named", "macs", "tagged", "skipped", "bad_names",
            "bad_macs", "refused_count", "refused" } },
        { "verdict-retry", { "text", "delay" } },
        { "error", { "text" } },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        for (size_t k = 0; k < 16 && cases[i].keys[k]; k++) {
            s_frame_t frame = s_with (cases[i].sample, cases[i].keys[k], 0,
                                      "\xc0", 1);
            s_expect (&frame, SH_OK, "");
            free (frame.data);
        }
    }
}

static void
test_unknown_keys (void **state)
{
    (void) state;
    static const char pair[] = "\xa6" "future\x93\xcb\x3f\xf0\0\0\0\0\0\0\x82"
                               "\xa1" "a\xc4\x01x\xa1" "a\xc0\xa1z";
    for (size_t i = 0; i < sample_count; i++) {
        s_frame_t frame = s_plus (samples[i].name, pair, sizeof pair - 1);
        sp_message_t *message = NULL;
        assert_int_equal (s_decode (&message, frame.data, frame.size, NULL),
                          SH_OK);
        assert_null (sample_difference (message, &samples[i].message));
        sp_message_destroy (&message);
        free (frame.data);
    }
}

/*  A number of 'width' bytes behind a first byte.  */
static void
s_append_wide (s_frame_t *out, uint8_t first, uint64_t number, size_t width)
{
    s_append (out, &first, 1);
    while (width-- > 0) {
        uint8_t byte = (uint8_t) (number >> 8 * width);
        s_append (out, &byte, 1);
    }
}

/*  Every token in the longest form that msgpack has for it.  */
static s_frame_t
s_widened (const s_frame_t *frame)
{
    s_frame_t out = { 0 };
    sh_bytes_t rest = { frame->data, frame->size };
    while (rest.size > 0) {
        sp_token_t token = { 0 };
        const uint8_t *begin = rest.data;
        assert_null (sp_token_read (&token, &rest));
        bool text = token.kind == SP_TOKEN_TEXT;
        if (text || token.kind == SP_TOKEN_BIN) {
            s_append_wide (&out, text ? 0xdb : 0xc6, token.bytes.size, 4);
            s_append (&out, token.bytes.data, token.bytes.size);
        } else if (token.kind == SP_TOKEN_UINT)
            s_append_wide (&out, 0xcf, token.number, 8);
        else if (token.kind == SP_TOKEN_INT)
            s_append_wide (&out, 0xd3, (uint64_t) token.negative, 8);
        else if (token.kind == SP_TOKEN_ARRAY)
            s_append_wide (&out, 0xdd, token.number, 4);
        else if (token.kind == SP_TOKEN_MAP)
            s_append_wide (&out, 0xdf, token.number, 4);
        else
            s_append (&out, begin, (size_t) (rest.data - begin));
    }
    return out;
}

/*  More than fifteen pairs, for which the map's head has another form.  */
static void
test_many_pairs (void **state)
{
    (void) state;
    sp_message_t report = *sample_get ("report-closing");
    report.u.report.code = "Agent";
    report.u.report.hint = 7;
    sp_message_t verdict = *sample_get ("verdict-applied");
    verdict.u.verdict.cause = "overloaded";
    verdict.u.verdict.text = "later";
    verdict.u.verdict.delay = verdict.u.verdict.held = 5;
    const sp_message_t *const messages[] = { &report, &verdict };
    for (size_t i = 0; i < COUNT (messages); i++) {
        s_frame_t frame = s_encode (messages[i]);
        sp_message_t *read = NULL;
        assert_int_equal (frame.data[0], 0xde);
        assert_int_equal (s_decode (&read, frame.data, frame.size, NULL),
                          SH_OK);
        assert_null (sample_difference (read, messages[i]));
        sp_message_destroy (&read);
        free (frame.data);
    }
}

static void
test_forms_do_not_matter (void **state)
{
    (void) state;
    for (size_t i = 0; i < sample_count; i++) {
        s_frame_t frame = s_encode (&samples[i].message);
        s_frame_t wide = s_widened (&frame);
        sp_message_t *message = NULL;
        sp_peek_t peek;
        assert_true (wide.size > frame.size);
        assert_int_equal (s_decode (&message, wide.data, wide.size, NULL),
                          SH_OK);
        assert_null (sample_difference (message, &samples[i].message));
        assert_int_equal (sp_peek (&peek, (sh_bytes_t){ wide.data, wide.size },
                                   NULL),
                          SH_OK);
        assert_int_equal (peek.type, samples[i].message.type);
        sp_message_destroy (&message);
        free (wide.data);
        free (frame.data);
    }
}

static void
test_order_does_not_matter (void **state)
{
    (void) state;
    static const char frame[] = "\x84\xa7version\xa1x\xa1t\xa5hello\xa3now\x07"
                                "\xa1v\x01";
    sp_message_t *message = NULL;
    assert_int_equal (s_decode (&message, (const uint8_t *) frame,
                                sizeof frame - 1, NULL),
                      SH_OK);
    assert_int_equal (message->type, SP_HELLO);
    assert_int_equal (message->u.hello.now, 7);
    assert_string_equal (message->u.hello.version, "x");
    sp_message_destroy (&message);
}

static void
test_head (void **state)
{
    (void) state;
    static const struct
    {
        const char *frame;
        size_t size;
        sh_err_t rc;
        const char *because;
    } cases[] = {
        { "\x80", 1, SH_E_BAD_MESSAGE, "message: v: missing" },
        { "\x81\xa1v\x01", 4, SH_E_BAD_MESSAGE, "message: t: missing" },
        { "\x81\xa1v\xa1" "1", 5, SH_E_BAD_MESSAGE, "v: not an integer" },
        { "\x81\xa1v\x02", 4, SH_E_BAD_VERSION, "version" },
        { "\x81\xa1v\xff", 4, SH_E_BAD_VERSION, "version" },
        /* version first: the rest may mean something else by then */
        { "\x83\xa1t\x07\xa1t\x08\xa1v\x02", 10, SH_E_BAD_VERSION, "version" },
        { "\x82\xa1v\x01\xa1t\x07", 7, SH_E_BAD_MESSAGE, "t: not a text" },
        { "\x82\xa1v\x01\xa1t\xa4wink", 11, SH_E_UNKNOWN_TYPE, "'wink'" },
        { "\x82\xa1v\x01\xa1t\xa0", 7, SH_E_UNKNOWN_TYPE, "''" },
        { "\x83\xa1v\x01\xa1v\x01\xa1t\xa5hello", 15, SH_E_BAD_MESSAGE,
          "given twice" },
        { "\x83\xa1v\x01\xa1t\xa5hello\xa1v\x01", 15, SH_E_BAD_MESSAGE,
          "given twice" },
        { "\x83\xa1v\x01\xa1t\xa5hello\xa1t\xc0", 15, SH_E_BAD_MESSAGE,
          "given twice" },
        { "\x83\xa1v\x01\xa1t\xa5hello\xa1v\x02", 15, SH_E_BAD_VERSION,
          "version" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        const uint8_t *data = (const uint8_t *) cases[i].frame;
        sp_message_t *message = NULL;
        sp_peek_t peek;
        sh_why_t why = { "" };
        assert_int_equal (s_decode (&message, data, cases[i].size, &why),
                          cases[i].rc);
        if (!strstr (why.text, cases[i].because))
            fail_msg ("'%s' should say '%s'", why.text, cases[i].because);
        assert_int_equal (sp_peek (&peek, (sh_bytes_t){ data, cases[i].size },
                                   NULL),
                          cases[i].rc);
    }
}

static void
test_report_rules (void **state)
{
    (void) state;
    s_frame_t frame = s_plus ("report-hosts", "\xa4last\xc3", 6);
    s_expect (&frame, SH_E_BAD_MESSAGE, "report: hosts: not allowed");
    free (frame.data);
    frame = s_plus ("report-hosts", "\xa4last\xc2", 6);
    s_expect (&frame, SH_OK, "");
    free (frame.data);
    frame = s_with ("report-hosts", "subnet", 0, "\0", 1);
    s_expect (&frame, SH_E_BAD_MESSAGE, "report: subnet: missing");
    free (frame.data);
    frame = s_with ("report-closing", "first", 1, "\xc4\x04\x0a\0\0\x08", 6);
    s_expect (&frame, SH_E_BAD_MESSAGE, "covered[1]: first is after last");
    free (frame.data);
    frame = s_with ("report-closing", "first", 1,
                    "\xc4\x10" "0123456789abcdef", 18);
    s_expect (&frame, SH_E_BAD_MESSAGE, "covered[1]: two address families");
    free (frame.data);
}

static void
test_unknown_result_is_retry (void **state)
{
    (void) state;
    s_frame_t frame = s_with ("verdict-applied", "result", 0, "\xa5later", 6);
    sp_message_t *message = NULL;
    assert_int_equal (s_decode (&message, frame.data, frame.size, NULL), SH_OK);
    assert_int_equal (message->u.verdict.result, SP_RETRY);
    assert_int_equal (message->u.verdict.seen, 250);
    sp_message_destroy (&message);
    free (frame.data);
}

/*  A sample made 'size' bytes long by an unknown key.  */
static s_frame_t
s_padded (const char *sample, size_t size)
{
    s_frame_t plain = s_encode (sample_get (sample)), pair = { 0 };
    /* the outer map's head grows from 1 byte to 3 */
    size_t bytes = size - (plain.size + 2) - 2 - 5;
    uint8_t head[7] = { 0xa1, '~', 0xc6, (uint8_t) (bytes >> 24),
                        (uint8_t) (bytes >> 16), (uint8_t) (bytes >> 8),
                        (uint8_t) bytes };
    s_append (&pair, head, sizeof head);
    for (size_t i = 0; i < bytes; i++)
        s_append (&pair, "", 1);
    s_frame_t frame = s_plus (sample, pair.data, pair.size);
    assert_int_equal (frame.size, size);
    free (plain.data);
    free (pair.data);
    return frame;
}

static void
test_frame_sizes (void **state)
{
    (void) state;
    s_frame_t frame = s_padded ("report-hosts", SP_PART_BYTES_MOST);
    s_expect (&frame, SH_OK, "");
    free (frame.data);
    frame = s_padded ("report-hosts", SP_PART_BYTES_MOST + 1);
    s_expect (&frame, SH_E_TOO_LARGE, "262145");
    free (frame.data);
    frame = s_padded ("beat", SP_FRAME_MOST);
    s_expect (&frame, SH_OK, "");
    free (frame.data);
    frame = s_padded ("beat", SP_FRAME_MOST + 1);
    s_expect (&frame, SH_E_TOO_LARGE, "1048577");
    free (frame.data);
}

/*  Bytes that malloc has given out; 0 with sanitizers.  */
static size_t
s_allocated (void)
{
    struct mallinfo2 info = mallinfo2 ();
    return info.uordblks + info.hblkhd;
}

/*  msgpack's own unpacker takes 24 bytes for each of these nils.  */
static void
test_expansion (void **state)
{
    (void) state;
    size_t count = 250000;
    s_frame_t pair = { 0 };
    uint8_t head[7] = { 0xa1, '~', 0xdd, 0, (uint8_t) (count >> 16),
                        (uint8_t) (count >> 8), (uint8_t) count };
    s_append (&pair, head, sizeof head);
    for (size_t i = 0; i < count; i++)
        s_append (&pair, "\xc0", 1);
    s_frame_t frame = s_plus ("report-hosts", pair.data, pair.size);
    sp_message_t *message = NULL;
    size_t before = s_allocated ();
    assert_int_equal (s_decode (&message, frame.data, frame.size, NULL), SH_OK);
    size_t bound = frame.size + 4 * sizeof (sp_host_t) + 4096;
    assert_true (s_allocated () - before <= bound);
    sp_message_destroy (&message);
    free (frame.data);
    free (pair.data);
}

static void
s_peek_network (s_frame_t frame, const char *code, const char *cidr)
{
    sp_peek_t peek;
    sh_bytes_t bytes = { frame.data, frame.size };
    assert_int_equal (sp_peek (&peek, bytes, NULL), SH_OK);
    assert_int_equal (peek.code.size, strlen (code));
    assert_int_equal (peek.cidr.size, strlen (cidr));
    if (*code)
        assert_memory_equal (peek.code.data, code, strlen (code));
    if (*cidr)
        assert_memory_equal (peek.cidr.data, cidr, strlen (cidr));
    free (frame.data);
}

static void
test_peek (void **state)
{
    (void) state;
    sp_peek_t peek;
    s_frame_t frame = s_encode (sample_get ("report-closing"));
    sh_bytes_t bytes = { frame.data, frame.size };
    assert_int_equal (sp_peek (&peek, bytes, NULL), SH_OK);
    assert_int_equal (peek.type, SP_REPORT);
    assert_int_equal (peek.subnet, 7);
    assert_int_equal (peek.part, 2);
    assert_true (peek.last);
    assert_int_equal (peek.id.size, SP_REPORT_ID);
    assert_memory_equal (peek.id.data,
                         sample_get ("report-closing")->u.report.id.data, 16);
    /* borrowed: it points into the frame */
    assert_true (peek.id.data > frame.data
                 && peek.id.data < frame.data + frame.size);
    free (frame.data);

    s_peek_network (s_encode (sample_get ("report-hosts-shim")),
                    "code-of-site-a", "10.0.0.0/24");
    s_peek_network (s_encode (sample_get ("report-hosts")), "", "10.0.0.0/24");
    /* what is no such text is for the verdict on the part to tell */
    s_peek_network (s_with ("report-hosts-shim", "for", 0,
                            "\x92\x81\xa1x\x90\xc0", 6),
                    "", "10.0.0.0/24");
    s_peek_network (s_with ("report-hosts-shim", "cidr", 0, "\x07", 1),
                    "code-of-site-a", "");
    s_peek_network (s_with ("report-hosts-shim", "cidr", 0, "\xc0", 1),
                    "code-of-site-a", "");
    s_peek_network (s_plus ("report-hosts-shim", "\xa4" "cidr\xa1x", 7),
                    "code-of-site-a", "10.0.0.0/24");
    frame = s_with ("report-closing", "last", 0, "\x91\xc3", 2);
    bytes = (sh_bytes_t){ frame.data, frame.size };
    assert_int_equal (sp_peek (&peek, bytes, NULL), SH_OK);
    assert_false (peek.last);
    free (frame.data);

    for (size_t i = 0; i < sample_count; i++) {
        frame = s_encode (&samples[i].message);
        bytes = (sh_bytes_t){ frame.data, frame.size };
        assert_int_equal (sp_peek (&peek, bytes, NULL), SH_OK);
        assert_int_equal (peek.type, samples[i].message.type);
        if (peek.type == SP_TARGETS)
            assert_int_equal (peek.subnet, 7);
        else if (peek.type != SP_REPORT)
            assert_true (peek.subnet == 0 && peek.id.size == 0);
        free (frame.data);
    }
    frame = s_with ("report-hosts", "id", 0, "\xc4\x01x", 3);
    bytes = (sh_bytes_t){ frame.data, frame.size };
    assert_int_equal (sp_peek (&peek, bytes, NULL), SH_E_BAD_MESSAGE);
    free (frame.data);
    frame = s_padded ("report-hosts", SP_PART_BYTES_MOST + 1);
    bytes = (sh_bytes_t){ frame.data, frame.size };
    assert_int_equal (sp_peek (&peek, bytes, NULL), SH_E_TOO_LARGE);
    free (frame.data);
}

/*  What another implementation makes of our frames.  */
static void
test_msgpack_reads_us (void **state)
{
    (void) state;
    for (size_t i = 0; i < sample_count; i++) {
        s_frame_t frame = s_encode (&samples[i].message);
        msgpack_unpacked result;
        msgpack_unpacked_init (&result);
        size_t used = 0;
        assert_int_equal (msgpack_unpack_next (&result,
                                               (const char *) frame.data,
                                               frame.size, &used),
                          MSGPACK_UNPACK_SUCCESS);
        assert_int_equal (used, frame.size);
        assert_int_equal (result.data.type, MSGPACK_OBJECT_MAP);
        const msgpack_object_kv *first = result.data.via.map.ptr;
        assert_int_equal (first[0].key.via.str.size, 1);
        assert_memory_equal (first[0].key.via.str.ptr, "v", 1);
        assert_int_equal (first[0].val.via.u64, SP_VERSION);
        assert_memory_equal (first[1].key.via.str.ptr, "t", 1);
        const char *word = sp_type_word (samples[i].message.type);
        assert_int_equal (first[1].val.via.str.size, strlen (word));
        assert_memory_equal (first[1].val.via.str.ptr, word, strlen (word));
        msgpack_unpacked_destroy (&result);
        free (frame.data);
    }
}

static void
s_cannot_encode (sp_message_t message)
{
    uint8_t *data = NULL;
    size_t size = 0;
    assert_int_equal (sp_encode (&data, &size, &message), SH_E_INTERNAL);
    assert_null (data);
}

static void
test_encode_refuses_our_faults (void **state)
{
    (void) state;
    static char text[2000];
    memset (text, 'x', sizeof text - 1);
    sp_message_t message = *sample_get ("hello");
    message.u.hello.version = NULL;
    s_cannot_encode (message);
    message.u.hello.version = text;
    s_cannot_encode (message);
    message.u.hello.version = "\xff";
    s_cannot_encode (message);
    message.type = SP_TYPE_COUNT;
    s_cannot_encode (message);

    message = *sample_get ("report-hosts");
    message.u.report.kind = SP_KIND_COUNT;
    s_cannot_encode (message);
    message = *sample_get ("report-hosts");
    message.u.report.id.size = 15;
    s_cannot_encode (message);
    message = *sample_get ("report-hosts");
    message.u.report.last = true;
    s_cannot_encode (message);
    message = *sample_get ("report-hosts");
    message.u.report.subnet = 0;
    s_cannot_encode (message);
    message = *sample_get ("report-hosts");
    message.u.report.part = SP_PARTS_MOST;
    s_cannot_encode (message);
    message = *sample_get ("report-hosts");
    message.u.report.off = INT64_MIN;
    s_cannot_encode (message);
    message = *sample_get ("report-hosts");
    message.u.report.host_count = SP_PART_HOSTS_MOST + 1;
    s_cannot_encode (message);
}

/*  Each host obeys its limits, but all together do not fit into a part.  */
static void
test_encode_refuses_a_large_part (void **state)
{
    (void) state;
    static char name[SP_LONG_TEXT_MOST + 1];
    memset (name, 'x', SP_LONG_TEXT_MOST);
    sp_host_t hosts[300];
    for (size_t i = 0; i < COUNT (hosts); i++)
        hosts[i] = (sp_host_t){ .ip = { (const uint8_t *) "abcd", 4 },
                                .name = name };
    sp_message_t message = *sample_get ("report-hosts");
    message.u.report.hosts = hosts;
    message.u.report.host_count = 200;
    s_frame_t frame = s_encode (&message);
    s_expect (&frame, SH_OK, "");
    free (frame.data);
    message.u.report.host_count = COUNT (hosts);
    s_cannot_encode (message);
}

static void
test_words (void **state)
{
    (void) state;
    assert_string_equal (sp_kind_word (SP_KIND_DISCOVER), "discover");
    assert_string_equal (sp_kind_word (SP_KIND_CHECK), "check");
    assert_string_equal (sp_kind_word (SP_KIND_BOTH), "both");
    assert_int_equal (sp_kind_of ("discover"), SP_KIND_DISCOVER);
    assert_int_equal (sp_kind_of ("check"), SP_KIND_CHECK);
    assert_int_equal (sp_kind_of ("both"), SP_KIND_BOTH);
    assert_int_equal (sp_kind_of ("Both"), SP_KIND_COUNT);
    assert_int_equal (sp_kind_of (""), SP_KIND_COUNT);
    assert_string_equal (sp_result_word (SP_APPLIED), "applied");
    assert_string_equal (sp_result_word (SP_NOTED), "noted");
    assert_string_equal (sp_type_word (SP_REVISION_PUSH), "revision");
    assert_null (sp_kind_word (-1));
    assert_null (sp_kind_word (SP_KIND_COUNT));
    assert_null (sp_result_word (SP_RESULT_COUNT));
    assert_null (sp_type_word (SP_TYPE_COUNT));
    sp_message_t *none = NULL;
    sp_message_destroy (&none);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_wrong_types),
        cmocka_unit_test (test_messages_name_the_field),
        cmocka_unit_test (test_limits),
        cmocka_unit_test (test_exact_sizes),
        cmocka_unit_test (test_truncated),
        cmocka_unit_test (test_bad_frames),
        cmocka_unit_test (test_duplicates),
        cmocka_unit_test (test_required),
        cmocka_unit_test (test_optional),
        cmocka_unit_test (test_unknown_keys),
        cmocka_unit_test (test_many_pairs),
        cmocka_unit_test (test_forms_do_not_matter),
        cmocka_unit_test (test_order_does_not_matter),
        cmocka_unit_test (test_head),
        cmocka_unit_test (test_report_rules),
        cmocka_unit_test (test_unknown_result_is_retry),
        cmocka_unit_test (test_frame_sizes),
        cmocka_unit_test (test_expansion),
        cmocka_unit_test (test_peek),
        cmocka_unit_test (test_msgpack_reads_us),
        cmocka_unit_test (test_encode_refuses_our_faults),
        cmocka_unit_test (test_encode_refuses_a_large_part),
        cmocka_unit_test (test_words),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
