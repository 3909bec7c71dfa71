/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/codec.h"

#include <assert.h>
#include <inttypes.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "scanner-proto/walk.h"

/*  Signed numbers, which are all times or differences of times: two of them
    can be added or subtracted without overflow.  */
#define INT_MOST (INT64_C (1) << 61)

typedef enum
{
    FIELD_UINT,    /* uint64_t, 'least' to 'most' */
    FIELD_INT,     /* int64_t, up to INT_MOST either way */
    FIELD_BOOL,    /* bool */
    FIELD_TEXT,    /* const char *, up to 'most' bytes */
    FIELD_BIN,     /* sh_bytes_t, 'least' to 'most' bytes */
    FIELD_ADDRESS, /* sh_bytes_t, 4 or 16 bytes */
    FIELD_WORD,    /* int, by 'word'; 'least' for unknown words, if below
                      'most', the number of words */
    FIELD_MAPS,    /* array of structs as 'shape' says, up to 'most' */
    FIELD_TEXTS,   /* array of const char *, up to 'most' of them */
    /*  For peeking only; passed over if the value is none.  */
    FIELD_SPAN,    /* sh_bytes_t, a text up to 'most' bytes within the frame */
    FIELD_FLAG     /* bool */
} s_kind_t;

typedef struct s_shape s_shape_t;

/*  One field: what it is on the wire and where it is in the struct.  The same
    rows drive decoding and encoding.  */
typedef struct
{
    const char *key;
    s_kind_t kind;
    bool optional;
    size_t offset;
    uint64_t least, most;
    size_t count_offset;            /* MAPS, TEXTS: of the size_t */
    const s_shape_t *shape;         /* MAPS */
    const char *(*word) (int index); /* WORD */
} s_field_t;

struct s_shape
{
    const s_field_t *fields;
    size_t count;
    size_t size; /* of the struct */
};

#define REQUIRED false
#define OPTIONAL true
#define AT(type, member) offsetof (sp_##type##_t, member)
#define UINT(key, need, at, most)                                              \
    { key, FIELD_UINT, need, at, 0, most, 0, 0, 0 }
#define INT(key, need, at) { key, FIELD_INT, need, at, 0, 0, 0, 0, 0 }
#define BOOL(key, need, at) { key, FIELD_BOOL, need, at, 0, 0, 0, 0, 0 }
#define TEXT(key, need, at, most)                                              \
    { key, FIELD_TEXT, need, at, 0, most, 0, 0, 0 }
#define BIN(key, need, at, least, most)                                        \
    { key, FIELD_BIN, need, at, least, most, 0, 0, 0 }
#define ADDRESS(key, need, at) { key, FIELD_ADDRESS, need, at, 0, 0, 0, 0, 0 }
#define WORD(key, at, unknown, count, word)                                    \
    { key, FIELD_WORD, REQUIRED, at, unknown, count, 0, 0, word }
#define MAPS(key, need, at, count_at, most, shape)                             \
    { key, FIELD_MAPS, need, at, 0, most, count_at, shape, 0 }
#define TEXTS(key, need, at, count_at, most)                                   \
    { key, FIELD_TEXTS, need, at, 0, most, count_at, 0, 0 }
#define SPAN(key, at, most) { key, FIELD_SPAN, OPTIONAL, at, 0, most, 0, 0, 0 }
#define FLAG(key, at) { key, FIELD_FLAG, OPTIONAL, at, 0, 0, 0, 0, 0 }
#define SHAPE(name, type)                                                      \
    static const s_shape_t name                                                \
        = { name##_fields, sizeof name##_fields / sizeof name##_fields[0],     \
            sizeof (type) }

#define ANY (uint64_t) INT64_MAX /* so that readers may count in int64_t */

static const s_field_t s_hello_fields[] = {
    INT ("now", REQUIRED, AT (hello, now)),
    TEXT ("version", REQUIRED, AT (hello, version), SP_TEXT_MOST),
    BOOL ("orders", OPTIONAL, AT (hello, orders)),
};
SHAPE (s_hello, sp_hello_t);

static const s_field_t s_welcome_fields[] = {
    INT ("now", REQUIRED, AT (welcome, now)),
    INT ("hello_now", REQUIRED, AT (welcome, hello_now)),
    TEXT ("name", REQUIRED, AT (welcome, name), SP_TEXT_MOST),
    TEXT ("version", REQUIRED, AT (welcome, version), SP_TEXT_MOST),
    UINT ("part_bytes", REQUIRED, AT (welcome, part_bytes), ANY),
    UINT ("part_hosts", REQUIRED, AT (welcome, part_hosts), ANY),
    BIN ("rev", OPTIONAL, AT (welcome, revision), SP_REVISION, SP_REVISION),
};
SHAPE (s_welcome, sp_welcome_t);

static const s_field_t s_beat_fields[] = {
    INT ("now", REQUIRED, AT (beat, now)),
    UINT ("spool", OPTIONAL, AT (beat, spool), ANY),
    UINT ("running", OPTIONAL, AT (beat, running), ANY),
    TEXT ("version", OPTIONAL, AT (beat, version), SP_TEXT_MOST),
};
SHAPE (s_beat, sp_beat_t);

static const s_field_t s_revision_fields[] = {
    BIN ("rev", REQUIRED, AT (revision, revision), SP_REVISION, SP_REVISION),
};
SHAPE (s_revision, sp_revision_t);

static const s_field_t s_assignments_fields[] = {
    TEXT ("for", OPTIONAL, AT (assignments, code), SP_CODE_MOST),
    UINT ("after", OPTIONAL, AT (assignments, after), ANY),
};
SHAPE (s_assignments, sp_assignments_t);

static const s_field_t s_range_fields[] = {
    ADDRESS ("first", REQUIRED, AT (range, first)),
    ADDRESS ("last", REQUIRED, AT (range, last)),
};
SHAPE (s_range, sp_range_t);

static const s_field_t s_hours_fields[] = {
    UINT ("from", REQUIRED, AT (hours, from), SP_DAY_MINUTES - 1),
    UINT ("to", REQUIRED, AT (hours, to), SP_DAY_MINUTES - 1),
};
SHAPE (s_hours, sp_hours_t);

static const s_field_t s_subnet_fields[] = {
    UINT ("id", REQUIRED, AT (subnet, id), ANY),
    TEXT ("cidr", REQUIRED, AT (subnet, cidr), SP_CIDR_MOST),
    BOOL ("discover", REQUIRED, AT (subnet, discover)),
    BOOL ("check", REQUIRED, AT (subnet, check)),
    BOOL ("resolve", REQUIRED, AT (subnet, resolve)),
    BOOL ("pool", REQUIRED, AT (subnet, pool)),
    TEXTS ("ns", REQUIRED, AT (subnet, nameservers),
           AT (subnet, nameserver_count), SP_NAMESERVERS_MOST),
    UINT ("check_s", OPTIONAL, AT (subnet, check_s), SP_EVERY_MOST),
    UINT ("discover_s", OPTIONAL, AT (subnet, discover_s), SP_EVERY_MOST),
    UINT ("rate", OPTIONAL, AT (subnet, rate), SP_RATE_MOST),
    TEXT ("ipv6", OPTIONAL, AT (subnet, ipv6), SP_TEXT_MOST),
    BOOL ("paused", OPTIONAL, AT (subnet, paused)),
    MAPS ("skip", OPTIONAL, AT (subnet, skip), AT (subnet, skip_count),
          SP_SKIP_MOST, &s_range),
    MAPS ("quiet", OPTIONAL, AT (subnet, quiet), AT (subnet, quiet_count),
          SP_QUIET_MOST, &s_hours),
};
SHAPE (s_subnet, sp_subnet_t);

static const s_field_t s_assignments_page_fields[] = {
    BIN ("rev", REQUIRED, AT (assignments_page, revision), SP_REVISION,
         SP_REVISION),
    BOOL ("more", REQUIRED, AT (assignments_page, more)),
    MAPS ("subnets", REQUIRED, AT (assignments_page, subnets),
          AT (assignments_page, subnet_count), SP_PAGE_SUBNETS_MOST,
          &s_subnet),
};
SHAPE (s_assignments_page, sp_assignments_page_t);

static const s_field_t s_targets_fields[] = {
    TEXT ("for", OPTIONAL, AT (targets, code), SP_CODE_MOST),
    UINT ("subnet", REQUIRED, AT (targets, subnet), ANY),
    ADDRESS ("after", OPTIONAL, AT (targets, after)),
};
SHAPE (s_targets, sp_targets_t);

static const s_field_t s_target_fields[] = {
    ADDRESS ("ip", REQUIRED, AT (target, ip)),
    BOOL ("exclude", REQUIRED, AT (target, exclude)),
};
SHAPE (s_target, sp_target_t);

static const s_field_t s_targets_page_fields[] = {
    UINT ("subnet", REQUIRED, AT (targets_page, subnet), ANY),
    BOOL ("more", REQUIRED, AT (targets_page, more)),
    MAPS ("targets", REQUIRED, AT (targets_page, targets),
          AT (targets_page, target_count), SP_PAGE_TARGETS_MOST, &s_target),
};
SHAPE (s_targets_page, sp_targets_page_t);

/*  An address of a wrong size refuses its host, not the part.  */
static const s_field_t s_host_fields[] = {
    BIN ("ip", REQUIRED, AT (host, ip), 0, SP_TEXT_MOST),
    INT ("seen", REQUIRED, AT (host, seen)),
    TEXT ("mac", OPTIONAL, AT (host, mac), SP_LONG_TEXT_MOST),
    TEXT ("name", OPTIONAL, AT (host, name), SP_LONG_TEXT_MOST),
    TEXT ("how", OPTIONAL, AT (host, how), SP_TEXT_MOST),
    UINT ("subnet", OPTIONAL, AT (host, subnet), ANY),
    INT ("old", OPTIONAL, AT (host, old)),
};
SHAPE (s_host, sp_host_t);

static const s_field_t s_report_fields[] = {
    BIN ("id", REQUIRED, AT (report, id), SP_REPORT_ID, SP_REPORT_ID),
    UINT ("part", REQUIRED, AT (report, part), SP_PARTS_MOST - 1),
    TEXT ("for", OPTIONAL, AT (report, code), SP_CODE_MOST),
    UINT ("subnet", OPTIONAL, AT (report, subnet), ANY),
    UINT ("hint", OPTIONAL, AT (report, hint), ANY),
    TEXT ("cidr", REQUIRED, AT (report, cidr), SP_CIDR_MOST),
    WORD ("kind", AT (report, kind), SP_KIND_COUNT, SP_KIND_COUNT,
          sp_kind_word),
    INT ("started", REQUIRED, AT (report, started)),
    INT ("finished", REQUIRED, AT (report, finished)),
    INT ("off", REQUIRED, AT (report, off)),
    MAPS ("hosts", OPTIONAL, AT (report, hosts), AT (report, host_count),
          SP_PART_HOSTS_MOST, &s_host),
    BOOL ("last", OPTIONAL, AT (report, last)),
    UINT ("parts", OPTIONAL, AT (report, parts), SP_PARTS_MOST),
    BOOL ("complete", OPTIONAL, AT (report, complete)),
    UINT ("up", OPTIONAL, AT (report, up), ANY),
    MAPS ("covered", OPTIONAL, AT (report, covered), AT (report, covered_count),
          SP_RANGES_MOST, &s_range),
};
SHAPE (s_report, sp_report_t);

static const s_field_t s_refused_fields[] = {
    BIN ("ip", REQUIRED, AT (refused, ip), 0, SP_TEXT_MOST),
    TEXT ("cause", REQUIRED, AT (refused, cause), SP_TEXT_MOST),
};
SHAPE (s_refused, sp_refused_t);

static const s_field_t s_verdict_fields[] = {
    BIN ("id", REQUIRED, AT (verdict, id), SP_REPORT_ID, SP_REPORT_ID),
    UINT ("part", REQUIRED, AT (verdict, part), SP_PARTS_MOST - 1),
    WORD ("result", AT (verdict, result), SP_RETRY, SP_RESULT_COUNT,
          sp_result_word),
    TEXT ("cause", OPTIONAL, AT (verdict, cause), SP_TEXT_MOST),
    TEXT ("text", OPTIONAL, AT (verdict, text), SP_LONG_TEXT_MOST),
    UINT ("delay", OPTIONAL, AT (verdict, delay), ANY),
    UINT ("seen", OPTIONAL, AT (verdict, seen), ANY),
    UINT ("added", OPTIONAL, AT (verdict, added), ANY),
    UINT ("named", OPTIONAL, AT (verdict, named), ANY),
    UINT ("macs", OPTIONAL, AT (verdict, macs), ANY),
    UINT ("tagged", OPTIONAL, AT (verdict, tagged), ANY),
    UINT ("held", OPTIONAL, AT (verdict, held), ANY),
    UINT ("skipped", OPTIONAL, AT (verdict, skipped), ANY),
    UINT ("bad_names", OPTIONAL, AT (verdict, bad_names), ANY),
    UINT ("bad_macs", OPTIONAL, AT (verdict, bad_macs), ANY),
    UINT ("refused_count", OPTIONAL, AT (verdict, refused_count), ANY),
    MAPS ("refused", OPTIONAL, AT (verdict, refused),
          AT (verdict, refused_named), SP_REFUSED_MOST, &s_refused),
};
SHAPE (s_verdict, sp_verdict_t);

static const s_field_t s_error_fields[] = {
    TEXT ("cause", REQUIRED, AT (error, cause), SP_TEXT_MOST),
    TEXT ("text", OPTIONAL, AT (error, text), SP_LONG_TEXT_MOST),
};
SHAPE (s_error, sp_error_t);

static const s_field_t s_scan_fields[] = {
    BIN ("id", REQUIRED, AT (scan, id), SP_ORDER_ID, SP_ORDER_ID),
    UINT ("subnet", REQUIRED, AT (scan, subnet), ANY),
    WORD ("kind", AT (scan, kind), SP_KIND_COUNT, SP_KIND_COUNT,
          sp_kind_word),
};
SHAPE (s_scan, sp_scan_t);

static const s_field_t s_cancel_fields[] = {
    BIN ("id", REQUIRED, AT (cancel, id), SP_ORDER_ID, SP_ORDER_ID),
};
SHAPE (s_cancel, sp_cancel_t);

static const s_field_t s_progress_fields[] = {
    BIN ("id", REQUIRED, AT (progress, id), SP_ORDER_ID, SP_ORDER_ID),
    WORD ("state", AT (progress, state), SP_STATE_PROBING, SP_STATE_COUNT,
          sp_state_word),
    UINT ("done", OPTIONAL, AT (progress, done), ANY),
    UINT ("total", OPTIONAL, AT (progress, total), ANY),
    UINT ("up", OPTIONAL, AT (progress, up), ANY),
    UINT ("rate", OPTIONAL, AT (progress, rate), ANY),
    TEXT ("cause", OPTIONAL, AT (progress, cause), SP_TEXT_MOST),
    TEXT ("text", OPTIONAL, AT (progress, text), SP_LONG_TEXT_MOST),
    BOOL ("complete", OPTIONAL, AT (progress, complete)),
    UINT ("seen", OPTIONAL, AT (progress, seen), ANY),
    UINT ("added", OPTIONAL, AT (progress, added), ANY),
    UINT ("refused", OPTIONAL, AT (progress, refused), ANY),
};
SHAPE (s_progress, sp_progress_t);

/*  The elements that a message may have in arrays known to its table, and the
    most memory that one of them takes: what bounds an arena.  */
static const struct
{
    const s_shape_t *shape;
    size_t items_most, item_size;
} s_types[SP_TYPE_COUNT] = {
    [SP_HELLO] = { &s_hello, 0, 0 },
    [SP_WELCOME] = { &s_welcome, 0, 0 },
    [SP_BEAT] = { &s_beat, 0, 0 },
    [SP_REVISION_PUSH] = { &s_revision, 0, 0 },
    [SP_ASSIGNMENTS] = { &s_assignments, 0, 0 },
    [SP_ASSIGNMENTS_PAGE]
    = { &s_assignments_page, SP_PAGE_SUBNETS_MOST
          * (1 + SP_NAMESERVERS_MOST + SP_SKIP_MOST + SP_QUIET_MOST),
        sizeof (sp_subnet_t) },
    [SP_TARGETS] = { &s_targets, 0, 0 },
    [SP_TARGETS_PAGE]
    = { &s_targets_page, SP_PAGE_TARGETS_MOST, sizeof (sp_target_t) },
    [SP_REPORT] = { &s_report, SP_PART_HOSTS_MOST + SP_RANGES_MOST,
                    sizeof (sp_host_t) },
    [SP_VERDICT] = { &s_verdict, SP_REFUSED_MOST, sizeof (sp_refused_t) },
    [SP_ERROR] = { &s_error, 0, 0 },
    [SP_SCAN] = { &s_scan, 0, 0 },
    [SP_CANCEL] = { &s_cancel, 0, 0 },
    [SP_PROGRESS] = { &s_progress, 0, 0 },
};

static const s_field_t s_peek_report_fields[] = {
    BIN ("id", REQUIRED, AT (peek, id), SP_REPORT_ID, SP_REPORT_ID),
    UINT ("part", REQUIRED, AT (peek, part), SP_PARTS_MOST - 1),
    UINT ("subnet", OPTIONAL, AT (peek, subnet), ANY),
    SPAN ("for", AT (peek, code), SP_CODE_MOST),
    SPAN ("cidr", AT (peek, cidr), SP_CIDR_MOST),
    FLAG ("last", AT (peek, last)),
};
SHAPE (s_peek_report, sp_peek_t);

static const s_field_t s_peek_targets_fields[] = {
    UINT ("subnet", REQUIRED, AT (peek, subnet), ANY),
};
SHAPE (s_peek_targets, sp_peek_t);

/*  Where a reader or writer is, for messages: a chain from the innermost map
    to the message.  */
typedef struct s_path s_path_t;

struct s_path
{
    const s_path_t *up;
    const char *key; /* NULL: the map itself */
    size_t index;    /* in the array 'key'; SIZE_MAX: not an array's element */
};

static void
s_path_text (char *out, size_t size, const s_path_t *path)
{
    if (path->up)
        s_path_text (out, size, path->up);
    size_t used = strlen (out);
    if (!path->key || used + 1 >= size)
        return;
    used += (size_t) snprintf (out + used, size - used, "%s%s",
                               path->up ? "." : ": ", path->key);
    if (path->index != SIZE_MAX && used < size)
        snprintf (out + used, size - used, "[%zu]", path->index);
}

/*  The reading cursor.  The first fault sticks in 'rc' and ends all reading:
    'rest' is empty from then on.  */
typedef struct
{
    sh_bytes_t rest;
    sh_err_t rc;
    sh_why_t *why;
    const char *type;
    uint8_t *structs, *structs_end; /* of the arena; aligned */
    uint8_t *texts, *texts_end;     /* of the arena; NULL: borrow bytes from
                                       the frame (no texts are read then) */
} s_reader_t;

static void
s_fault (s_reader_t *self, sh_err_t rc, const s_path_t *path, const char *what)
{
    if (self->rc)
        return;
    char where[160];
    snprintf (where, sizeof where, "%s", self->type);
    s_path_text (where, sizeof where, path);
    self->rc = sh_fail (self->why, rc, "%s: %s", where, what);
    self->rest.size = 0;
}

static bool
s_bad (s_reader_t *self, const s_path_t *path, const char *what)
{
    s_fault (self, SH_E_BAD_MESSAGE, path, what);
    return false;
}

/*  The frame has been walked, so a token that does not come is our fault.  */
static sp_token_t
s_next (s_reader_t *self, const s_path_t *path)
{
    sp_token_t token = { .kind = SP_TOKEN_NIL };
    if (!self->rc) {
        const char *wrong = sp_token_read (&token, &self->rest);
        if (wrong)
            s_fault (self, SH_E_INTERNAL, path, wrong);
    }
    return token;
}

static uint64_t
s_inside (const sp_token_t *token)
{
    if (token->kind == SP_TOKEN_ARRAY)
        return token->number;
    return token->kind == SP_TOKEN_MAP ? token->number * 2 : 0;
}

static void
s_skip_some (s_reader_t *self, uint64_t values, const s_path_t *path)
{
    for (; values > 0 && !self->rc; values--) {
        sp_token_t token = s_next (self, path);
        values += s_inside (&token);
    }
}

static void
s_skip (s_reader_t *self, const s_path_t *path)
{
    s_skip_some (self, 1, path);
}

static bool
s_key_is (sh_bytes_t bytes, const char *key)
{
    size_t size = strlen (key);
    return bytes.size == size && memcmp (bytes.data, key, size) == 0;
}

static void *
s_take_structs (s_reader_t *self, size_t count, size_t size,
                const s_path_t *path)
{
    size_t bytes = (count * size + 7) & ~(size_t) 7;
    if (bytes > (size_t) (self->structs_end - self->structs)) {
        s_fault (self, SH_E_INTERNAL, path, "the arena is too small");
        return NULL;
    }
    void *at = self->structs;
    self->structs += bytes;
    memset (at, 0, bytes);
    return at;
}

/*  Copy into the arena, with a NUL behind it if 'text'.  Both are smaller
    there than in the frame, where a text has a byte of header at least.  */
static const uint8_t *
s_keep (s_reader_t *self, sh_bytes_t bytes, bool text, const s_path_t *path)
{
    if (!self->texts)
        return bytes.data;
    size_t size = bytes.size + (text ? 1 : 0);
    if (size > (size_t) (self->texts_end - self->texts)) {
        s_fault (self, SH_E_INTERNAL, path, "the arena is too small");
        return NULL;
    }
    uint8_t *at = self->texts;
    memcpy (at, bytes.data, bytes.size);
    if (text)
        at[bytes.size] = '\0';
    self->texts += size;
    return at;
}

static void
s_read_uint (s_reader_t *self, uint64_t *out, const sp_token_t *token,
             const s_field_t *field, const s_path_t *path)
{
    if (token->kind != SP_TOKEN_UINT && token->kind != SP_TOKEN_INT)
        s_bad (self, path, "not an integer");
    else if (token->kind == SP_TOKEN_INT)
        s_bad (self, path, "negative");
    else if (token->number > field->most)
        s_bad (self, path, "too great a number");
    else
        *out = token->number;
}

static void
s_read_int (s_reader_t *self, int64_t *out, const sp_token_t *token,
            const s_path_t *path)
{
    if (token->kind == SP_TOKEN_UINT && token->number <= INT_MOST)
        *out = (int64_t) token->number;
    else if (token->kind == SP_TOKEN_INT && token->negative >= -INT_MOST)
        *out = token->negative;
    else if (token->kind == SP_TOKEN_UINT || token->kind == SP_TOKEN_INT)
        s_bad (self, path, "out of range");
    else
        s_bad (self, path, "not an integer");
}

static void
s_read_text (s_reader_t *self, const char **out, const sp_token_t *token,
             uint64_t most, const s_path_t *path)
{
    if (token->kind != SP_TOKEN_TEXT)
        s_bad (self, path, "not a text");
    else if (token->bytes.size > most)
        s_bad (self, path, "too long a text");
    else
        *out = (const char *) s_keep (self, token->bytes, true, path);
}

static bool
s_size_fits (const s_field_t *field, size_t size)
{
    if (field->kind == FIELD_ADDRESS)
        return size == 4 || size == 16;
    return size >= field->least && size <= field->most;
}

static void
s_read_bin (s_reader_t *self, sh_bytes_t *out, const sp_token_t *token,
            const s_field_t *field, const s_path_t *path)
{
    if (token->kind != SP_TOKEN_BIN)
        s_bad (self, path, "not bytes (msgpack bin)");
    else if (!s_size_fits (field, token->bytes.size))
        s_bad (self, path, "not of the right size");
    else {
        out->data = s_keep (self, token->bytes, false, path);
        out->size = token->bytes.size;
    }
}

/*  A wrong value is for sp_decode to tell, by the verdict on its part.  */
static void
s_read_span (s_reader_t *self, sh_bytes_t *out, const sp_token_t *token,
             uint64_t most, const s_path_t *path)
{
    if (token->kind == SP_TOKEN_TEXT && token->bytes.size <= most)
        *out = token->bytes;
    s_skip_some (self, s_inside (token), path);
}

static void
s_read_flag (s_reader_t *self, bool *out, const sp_token_t *token,
             const s_path_t *path)
{
    if (token->kind == SP_TOKEN_BOOL)
        *out = token->number != 0;
    s_skip_some (self, s_inside (token), path);
}

static void
s_read_word (s_reader_t *self, int *out, const sp_token_t *token,
             const s_field_t *field, const s_path_t *path)
{
    if (token->kind != SP_TOKEN_TEXT) {
        s_bad (self, path, "not a text");
        return;
    }
    *out = (int) field->least;
    for (int i = 0; i < (int) field->most; i++) {
        if (s_key_is (token->bytes, field->word (i)))
            *out = i;
    }
    if (*out < (int) field->most)
        return;

    char text[64], safe[64], what[96];
    snprintf (text, sizeof text, "%.*s", (int) token->bytes.size,
              (const char *) token->bytes.data);
    sh_escape (safe, sizeof safe, text);
    snprintf (what, sizeof what, "unknown word '%s'", safe);
    s_bad (self, path, what);
}

static void s_read_map (s_reader_t *self, char *target, const s_shape_t *shape,
                        const s_path_t *up);

/*  Set pointer and count of an array; true if there is anything to read.  */
static bool
s_read_array (s_reader_t *self, char *target, const sp_token_t *token,
              const s_field_t *field, size_t size, char **items,
              const s_path_t *path)
{
    if (token->kind != SP_TOKEN_ARRAY)
        return s_bad (self, path, "not an array");
    if (token->number > field->most)
        return s_bad (self, path, "too many elements");
    size_t count = (size_t) token->number;
    if (count == 0)
        return false;
    void *array = s_take_structs (self, count, size, path);
    if (!array)
        return false;
    /* the member is some pointer to object; all have one form */
    memcpy (target + field->offset, &array, sizeof array);
    memcpy (target + field->count_offset, &count, sizeof count);
    *items = array;
    return true;
}

static void
s_read_maps (s_reader_t *self, char *target, const sp_token_t *token,
             const s_field_t *field, s_path_t *path)
{
    char *items;
    size_t size = field->shape->size;
    if (!s_read_array (self, target, token, field, size, &items, path))
        return;
    for (size_t i = 0; i < token->number && !self->rc; i++) {
        path->index = i;
        s_read_map (self, items + i * size, field->shape, path);
    }
    path->index = SIZE_MAX;
}

static void
s_read_texts (s_reader_t *self, char *target, const sp_token_t *token,
              const s_field_t *field, s_path_t *path)
{
    char *items;
    size_t size = sizeof (const char *);
    if (!s_read_array (self, target, token, field, size, &items, path))
        return;
    for (size_t i = 0; i < token->number && !self->rc; i++) {
        path->index = i;
        sp_token_t text = s_next (self, path);
        s_read_text (self, (const char **) (void *) (items + i * size), &text,
                     SP_TEXT_MOST, path);
    }
    path->index = SIZE_MAX;
}

/*  Read one value.  False if it is nil, which counts as absent.  */
static bool
s_read_field (s_reader_t *self, char *target, const s_field_t *field,
              s_path_t *path)
{
    sp_token_t token = s_next (self, path);
    void *at = target + field->offset;
    if (token.kind == SP_TOKEN_NIL)
        return false;

    switch (field->kind) {
    case FIELD_UINT:
        s_read_uint (self, at, &token, field, path);
        break;
    case FIELD_INT:
        s_read_int (self, at, &token, path);
        break;
    case FIELD_BOOL:
        if (token.kind == SP_TOKEN_BOOL)
            *(bool *) at = token.number != 0;
        else
            s_bad (self, path, "neither true nor false");
        break;
    case FIELD_TEXT:
        s_read_text (self, at, &token, field->most, path);
        break;
    case FIELD_BIN:
    case FIELD_ADDRESS:
        s_read_bin (self, at, &token, field, path);
        break;
    case FIELD_WORD:
        s_read_word (self, at, &token, field, path);
        break;
    case FIELD_MAPS:
        s_read_maps (self, target, &token, field, path);
        break;
    case FIELD_TEXTS:
        s_read_texts (self, target, &token, field, path);
        break;
    case FIELD_SPAN:
        s_read_span (self, at, &token, field->most, path);
        break;
    case FIELD_FLAG:
        s_read_flag (self, at, &token, path);
        break;
    }
    return true;
}

/*  The index of 'key', or 'count'.  Senders keep the order of the table, as
    good as always, so the search begins behind the last hit.  */
static size_t
s_find (const s_shape_t *shape, sh_bytes_t key, size_t hint)
{
    for (size_t i = 0; i < shape->count; i++) {
        size_t at = hint + i;
        if (at >= shape->count)
            at -= shape->count;
        if (s_key_is (key, shape->fields[at].key))
            return at;
    }
    return shape->count;
}

static void
s_read_pairs (s_reader_t *self, char *target, const s_shape_t *shape,
              uint64_t pairs, s_path_t *path)
{
    uint32_t known = 0, present = 0;
    size_t hint = 0;
    for (uint64_t i = 0; i < pairs && !self->rc; i++) {
        sp_token_t key = s_next (self, path);
        size_t at = s_find (shape, key.bytes, hint);
        if (at == shape->count) {
            s_skip (self, path);
            continue;
        }
        uint32_t bit = UINT32_C (1) << at;
        path->key = shape->fields[at].key;
        if (known & bit && shape->fields[at].kind < FIELD_SPAN)
            s_bad (self, path, "given twice");
        else if (s_read_field (self, target, &shape->fields[at], path))
            present |= bit;
        known |= bit;
        path->key = NULL;
        hint = at + 1 < shape->count ? at + 1 : 0;
    }
    for (size_t at = 0; at < shape->count && !self->rc; at++) {
        path->key = shape->fields[at].key;
        if (!shape->fields[at].optional && !(present & UINT32_C (1) << at))
            s_bad (self, path, "missing");
    }
}

static void
s_read_map (s_reader_t *self, char *target, const s_shape_t *shape,
            const s_path_t *up)
{
    assert (shape->count <= 32);
    s_path_t path = { up, NULL, SIZE_MAX };
    sp_token_t token = s_next (self, &path);
    if (token.kind == SP_TOKEN_MAP)
        s_read_pairs (self, target, shape, token.number, &path);
    else
        s_bad (self, &path, "not a map");
}

/*  The two fields that all messages have, in any order and place.  */
typedef struct
{
    bool has_version, has_type, twice;
    sp_token_t version, type;
} s_head_t;

static void
s_find_head (s_head_t *out, s_reader_t *reader, const s_path_t *path)
{
    sp_token_t map = s_next (reader, path);
    for (uint64_t i = 0; i < map.number && !reader->rc; i++) {
        sp_token_t key = s_next (reader, path);
        bool is_version = s_key_is (key.bytes, "v");
        if (!is_version && !s_key_is (key.bytes, "t")) {
            s_skip (reader, path);
            continue;
        }
        bool *has = is_version ? &out->has_version : &out->has_type;
        out->twice |= *has;
        *has = true;
        sh_bytes_t before = reader->rest;
        *(is_version ? &out->version : &out->type) = s_next (reader, path);
        reader->rest = before;
        s_skip (reader, path);
    }
}

static sh_err_t
s_judge_type (sp_type_t *out, const sp_token_t *token, sh_why_t *why)
{
    if (token->kind != SP_TOKEN_TEXT)
        return sh_fail (why, SH_E_BAD_MESSAGE, "message: t: not a text");
    for (unsigned at = 0; at < SP_TYPE_COUNT; at++) {
        sp_type_t type = (sp_type_t) at;
        if (s_key_is (token->bytes, sp_type_word (type))) {
            *out = type;
            return SH_OK;
        }
    }
    char text[64], safe[64];
    snprintf (text, sizeof text, "%.*s", (int) token->bytes.size,
              (const char *) token->bytes.data);
    sh_escape (safe, sizeof safe, text);
    return sh_fail (why, SH_E_UNKNOWN_TYPE, "message: unknown type '%s'", safe);
}

static sh_err_t
s_read_head (sp_type_t *out, sh_bytes_t frame, sh_why_t *why)
{
    s_head_t head = { 0 };
    s_path_t path = { NULL, NULL, SIZE_MAX };
    s_reader_t reader = { .rest = frame, .why = why, .type = "message" };
    s_find_head (&head, &reader, &path);
    if (reader.rc)
        return reader.rc;

    if (!head.has_version)
        return sh_fail (why, SH_E_BAD_MESSAGE, "message: v: missing");
    if (head.version.kind != SP_TOKEN_UINT && head.version.kind != SP_TOKEN_INT)
        return sh_fail (why, SH_E_BAD_MESSAGE, "message: v: not an integer");
    if (head.version.kind == SP_TOKEN_INT || head.version.number != SP_VERSION)
        return sh_fail (why, SH_E_BAD_VERSION,
                        "message: not of version %d of the protocol",
                        SP_VERSION);
    if (head.twice)
        return sh_fail (why, SH_E_BAD_MESSAGE, "message: v or t: given twice");
    if (!head.has_type)
        return sh_fail (why, SH_E_BAD_MESSAGE, "message: t: missing");
    return s_judge_type (out, &head.type, why);
}

/*  What decode and peek have in common: all that can be said of a frame
    without its type's own fields.  */
static sh_err_t
s_open (sp_type_t *type, sp_walk_t *walk, sh_bytes_t frame, sh_why_t *why)
{
    sh_err_t rc = sp_walk (walk, frame, SP_FRAME_MOST, why);
    if (rc == SH_OK)
        rc = s_read_head (type, frame, why);
    if (rc == SH_OK && *type == SP_REPORT && frame.size > SP_PART_BYTES_MOST)
        rc = sh_fail (why, SH_E_TOO_LARGE,
                      "report: a part of %zu bytes, the limit is %d",
                      frame.size, SP_PART_BYTES_MOST);
    return rc;
}

/*  Rules that are about more than one field.  */
static sh_err_t
s_check_report (const sp_report_t *report, sh_why_t *why)
{
    if (report->subnet == 0 && !report->code)
        return sh_fail (why, SH_E_BAD_MESSAGE,
                        "report: subnet: missing, and there is no 'for'");
    if (report->last && report->host_count > 0)
        return sh_fail (why, SH_E_BAD_MESSAGE,
                        "report: hosts: not allowed in a closing part");
    for (size_t i = 0; i < report->covered_count; i++) {
        const sp_range_t *range = &report->covered[i];
        if (range->first.size != range->last.size)
            return sh_fail (why, SH_E_BAD_MESSAGE,
                            "report: covered[%zu]: two address families", i);
        if (memcmp (range->first.data, range->last.data, range->first.size) > 0)
            return sh_fail (why, SH_E_BAD_MESSAGE,
                            "report: covered[%zu]: first is after last", i);
    }
    return SH_OK;
}

/*  One block: the message, its arrays, its texts.  */
static sp_message_t *
s_new_message (s_reader_t *reader, sp_type_t type, size_t items, size_t texts)
{
    size_t most = s_types[type].items_most;
    size_t head = (sizeof (sp_message_t) + 7) & ~(size_t) 7;
    size_t structs = (items < most ? items : most) * s_types[type].item_size;
    structs = (structs + 7) & ~(size_t) 7;

    uint8_t *block = malloc (head + structs + texts);
    if (!block)
        return NULL;
    reader->structs = block + head;
    reader->structs_end = reader->texts = reader->structs + structs;
    reader->texts_end = reader->texts + texts;

    sp_message_t *self = (sp_message_t *) (void *) block;
    memset (self, 0, sizeof *self);
    self->type = type;
    self->arena = block;
    return self;
}

sh_err_t
sp_decode (sp_message_t **out, sh_bytes_t frame, sh_why_t *why)
{
    assert (out);
    sp_type_t type;
    sp_walk_t walk;
    sh_err_t rc = s_open (&type, &walk, frame, why);
    if (rc)
        return rc;

    s_reader_t reader
        = { .rest = frame, .why = why, .type = sp_type_word (type) };
    sp_message_t *self = s_new_message (&reader, type, walk.items, frame.size);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s: no memory for %zu bytes",
                        reader.type, frame.size);

    s_read_map (&reader, (char *) &self->u, s_types[type].shape, NULL);
    rc = reader.rc;
    if (rc == SH_OK && type == SP_REPORT)
        rc = s_check_report (&self->u.report, why);
    if (rc == SH_OK)
        *out = self;
    else
        sp_message_destroy (&self);
    return rc;
}

void
sp_message_destroy (sp_message_t **self_p)
{
    assert (self_p);
    if (*self_p) {
        free ((*self_p)->arena); /* the message itself is in there */
        *self_p = NULL;
    }
}

sh_err_t
sp_peek (sp_peek_t *out, sh_bytes_t frame, sh_why_t *why)
{
    assert (out);
    sp_walk_t walk;
    sp_peek_t peek = { 0 };
    sh_err_t rc = s_open (&peek.type, &walk, frame, why);
    if (rc)
        return rc;

    s_reader_t reader
        = { .rest = frame, .why = why, .type = sp_type_word (peek.type) };
    if (peek.type == SP_REPORT)
        s_read_map (&reader, (char *) &peek, &s_peek_report, NULL);
    else if (peek.type == SP_TARGETS)
        s_read_map (&reader, (char *) &peek, &s_peek_targets, NULL);
    if (reader.rc == SH_OK)
        *out = peek;
    return reader.rc;
}

/*  Encoding.  A value out of its limits is our own fault; like the reader's,
    the first fault sticks.  */
typedef struct
{
    msgpack_packer packer;
    sh_err_t rc;
} s_writer_t;

static void
s_refuse_unless (s_writer_t *self, bool fine)
{
    if (!fine && !self->rc)
        self->rc = SH_E_INTERNAL;
}

static void
s_packed (s_writer_t *self, int result)
{
    if (result != 0 && !self->rc)
        self->rc = SH_E_MEMORY;
}

static void
s_write_text (s_writer_t *self, const char *text, uint64_t most)
{
    size_t size = text ? strlen (text) : 0;
    s_refuse_unless (self, text && size <= most);
    if (self->rc)
        return;
    s_packed (self, msgpack_pack_str (&self->packer, size));
    s_packed (self, msgpack_pack_str_body (&self->packer, text, size));
}

static void
s_write_bin (s_writer_t *self, sh_bytes_t bytes, const s_field_t *field)
{
    s_refuse_unless (self, s_size_fits (field, bytes.size));
    if (self->rc)
        return;
    s_packed (self, msgpack_pack_bin (&self->packer, bytes.size));
    if (bytes.size > 0)
        s_packed (self, msgpack_pack_bin_body (&self->packer, bytes.data,
                                               bytes.size));
}

/*  Pointer and count of an array member.  */
static const char *
s_array_of (const char *source, const s_field_t *field, size_t *count)
{
    const void *array;
    memcpy (&array, source + field->offset, sizeof array);
    memcpy (count, source + field->count_offset, sizeof *count);
    return array;
}

/*  An optional field that is zero, false, NULL or empty is left out.  */
static bool
s_present (const char *source, const s_field_t *field)
{
    const void *at = source + field->offset;
    size_t count;
    if (!field->optional)
        return true;
    switch (field->kind) {
    case FIELD_UINT:
        return *(const uint64_t *) at != 0;
    case FIELD_INT:
        return *(const int64_t *) at != 0;
    case FIELD_BOOL:
    case FIELD_FLAG:
        return *(const bool *) at;
    case FIELD_TEXT:
        return *(const char *const *) at != NULL;
    case FIELD_BIN:
    case FIELD_ADDRESS:
    case FIELD_SPAN:
        return ((const sh_bytes_t *) at)->size > 0;
    case FIELD_WORD:
        return true;
    case FIELD_MAPS:
    case FIELD_TEXTS:
        s_array_of (source, field, &count);
        return count > 0;
    }
    return true;
}

static void s_write_fields (s_writer_t *self, const char *source,
                            const s_shape_t *shape);
static size_t s_count_present (const char *source, const s_shape_t *shape);

static void
s_write_array (s_writer_t *self, const char *source, const s_field_t *field)
{
    size_t count;
    const char *items = s_array_of (source, field, &count);
    s_refuse_unless (self, count <= field->most && (items || count == 0));
    if (self->rc)
        return;
    s_packed (self, msgpack_pack_array (&self->packer, count));
    for (size_t i = 0; i < count && !self->rc; i++) {
        if (field->kind == FIELD_TEXTS) {
            const char *text;
            memcpy (&text, items + i * sizeof text, sizeof text);
            s_write_text (self, text, SP_TEXT_MOST);
            continue;
        }
        const char *item = items + i * field->shape->size;
        size_t present = s_count_present (item, field->shape);
        s_packed (self, msgpack_pack_map (&self->packer, present));
        s_write_fields (self, item, field->shape);
    }
}

static void
s_write_value (s_writer_t *self, const char *source, const s_field_t *field)
{
    const void *at = source + field->offset;
    switch (field->kind) {
    case FIELD_UINT: {
        uint64_t number = *(const uint64_t *) at;
        s_refuse_unless (self, number <= field->most);
        s_packed (self, msgpack_pack_uint64 (&self->packer, number));
        break;
    }
    case FIELD_INT: {
        int64_t number = *(const int64_t *) at;
        s_refuse_unless (self, number >= -INT_MOST && number <= INT_MOST);
        s_packed (self, msgpack_pack_int64 (&self->packer, number));
        break;
    }
    case FIELD_BOOL:
        s_packed (self, *(const bool *) at
                            ? msgpack_pack_true (&self->packer)
                            : msgpack_pack_false (&self->packer));
        break;
    case FIELD_TEXT:
        s_write_text (self, *(const char *const *) at, field->most);
        break;
    case FIELD_BIN:
    case FIELD_ADDRESS:
        s_write_bin (self, *(const sh_bytes_t *) at, field);
        break;
    case FIELD_WORD:
        s_write_text (self, field->word (*(const int *) at), SP_TEXT_MOST);
        break;
    case FIELD_MAPS:
    case FIELD_TEXTS:
        s_write_array (self, source, field);
        break;
    case FIELD_SPAN:
    case FIELD_FLAG:
        s_refuse_unless (self, false);
        break;
    }
}

static size_t
s_count_present (const char *source, const s_shape_t *shape)
{
    size_t count = 0;
    for (size_t i = 0; i < shape->count; i++)
        count += s_present (source, &shape->fields[i]) ? 1 : 0;
    return count;
}

static void
s_write_fields (s_writer_t *self, const char *source, const s_shape_t *shape)
{
    for (size_t i = 0; i < shape->count && !self->rc; i++) {
        const s_field_t *field = &shape->fields[i];
        if (!s_present (source, field))
            continue;
        s_write_text (self, field->key, SP_KEY_MOST);
        s_write_value (self, source, field);
    }
}

static void
s_write_message (s_writer_t *self, const sp_message_t *message)
{
    const s_shape_t *shape = s_types[message->type].shape;
    const char *source = (const char *) &message->u;
    size_t pairs = 2 + s_count_present (source, shape);
    s_packed (self, msgpack_pack_map (&self->packer, pairs));
    s_write_text (self, "v", SP_KEY_MOST);
    s_packed (self, msgpack_pack_int (&self->packer, SP_VERSION));
    s_write_text (self, "t", SP_KEY_MOST);
    s_write_text (self, sp_type_word (message->type), SP_TEXT_MOST);
    s_write_fields (self, source, shape);
}

/*  Walking our own frame catches what the tables cannot: texts that are not
    UTF-8, a frame that is too large.  */
static sh_err_t
s_check_own (const sp_message_t *message, sh_bytes_t frame)
{
    sp_walk_t walk;
    bool report = message->type == SP_REPORT;
    size_t most = report ? SP_PART_BYTES_MOST : SP_FRAME_MOST;
    sh_err_t rc = sp_walk (&walk, frame, most, NULL);
    if (rc == SH_OK && report)
        rc = s_check_report (&message->u.report, NULL);
    return rc ? SH_E_INTERNAL : SH_OK;
}

sh_err_t
sp_encode (uint8_t **data, size_t *size, const sp_message_t *message)
{
    assert (data && size && message);
    if ((unsigned) message->type >= SP_TYPE_COUNT)
        return SH_E_INTERNAL;

    msgpack_sbuffer buffer;
    msgpack_sbuffer_init (&buffer);
    s_writer_t writer = { .rc = SH_OK };
    msgpack_packer_init (&writer.packer, &buffer, msgpack_sbuffer_write);
    s_write_message (&writer, message);

    sh_err_t rc = writer.rc;
    sh_bytes_t frame = { (const uint8_t *) buffer.data, buffer.size };
    if (rc == SH_OK)
        rc = s_check_own (message, frame);
    if (rc == SH_OK) {
        *data = (uint8_t *) buffer.data;
        *size = buffer.size;
    } else
        msgpack_sbuffer_destroy (&buffer);
    return rc;
}

const char *
sp_codec_library (void)
{
    return "msgpack-c " MSGPACK_VERSION;
}
