/* SPDX-License-Identifier: MPL-2.0 */
#include "shim/legacy.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/log.h"
#include "lib/utf8.h"

#define EAST_MOST (14 * 3600) /* no zone is further from UTC */

/*  What a mac or hostname of another type than text becomes: no check lets
    it through, so the hub counts and drops it as it does any other.  */
static const char s_no_text[] = "?";

/*  What the report's pointers point to.  */
typedef struct
{
    char code[SP_CODE_MOST + 1];
    char cidr[SH_PREFIX_TEXT];
    sp_host_t *hosts;
    sh_addr_t *addrs; /* one for each host */
    char *texts;      /* names and MACs */
    size_t texts_used, texts_size;
} s_memory_t;

/*  Look at the text before jansson does, which recurses and allocates as the
    text commands.  Up to the first fault of syntax both see the same strings
    and brackets, and jansson does not go beyond that.  NULL, or what is
    wrong.  */
static const char *
s_judge_shape (const char *text, size_t size)
{
    size_t depth = 0, opened = 0;
    bool inside = false; /* of a string */
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '\0')
            return "there is a NUL byte in it";
        if (inside) {
            if (c == '\\' && i + 1 < size && text[i + 1] != '\0')
                i++;
            else if (c == '"')
                inside = false;
        } else if (c == '"')
            inside = true;
        else if (c == '{' || c == '[') {
            if (++depth > SM_JSON_DEPTH)
                return "lists and objects are nested too deep";
            if (++opened > SM_JSON_LISTS_MOST)
                return "there are too many lists and objects";
        } else if ((c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return NULL;
}

/*  jansson tells an allocation that failed as bad syntax, which a client takes
    for final, and where it collects a long token it even goes on without the
    byte.  So its memory comes by way of us.  */
static _Thread_local bool s_ran_out;

static void *
s_json_malloc (size_t size)
{
    void *block = malloc (size);
    if (!block)
        s_ran_out = true;
    return block;
}

static sh_err_t
s_load (json_t **out, const char *text, size_t size, const char *label,
        sh_why_t *why)
{
    const char *wrong = s_judge_shape (text, size);
    if (wrong)
        return sh_fail (why, SH_E_SYNTAX, "%s: not acceptable as JSON: %s",
                        label, wrong);
    json_set_alloc_funcs (s_json_malloc, free);
    s_ran_out = false;
    json_error_t error;
    json_t *root = json_loadb (text, size,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                               &error);
    if (s_ran_out) {
        json_decref (root);
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", label);
    }
    *out = root;
    if (root)
        return SH_OK;
    char safe[256]; /* jansson quotes the text */
    sh_escape (safe, sizeof safe, error.text);
    return sh_fail (why, SH_E_SYNTAX, "%s: not JSON: line %d, column %d: %s",
                    label, error.line, error.column, safe);
}

static sh_err_t
s_bad (sh_why_t *why, const char *field, const char *what)
{
    return sh_fail (why, SH_E_BAD_MESSAGE, "%s: %s", field, what);
}

/*  Absent and null mean the same.  */
static const json_t *
s_get (const json_t *object, const char *key)
{
    const json_t *value = json_object_get (object, key);
    return json_is_null (value) ? NULL : value;
}

/*  Two digits, or -1.  */
static int
s_two (const char *at)
{
    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
        return -1;
    return (at[0] - '0') * 10 + (at[1] - '0');
}

sh_err_t
sm_tz_parse (int *out, const char *text)
{
    assert (out && text);
    if (strcmp (text, "") == 0 || strcmp (text, "Z") == 0) {
        *out = 0;
        return SH_OK;
    }
    size_t length = strlen (text);
    bool colon = length == 6 && text[3] == ':';
    if ((text[0] != '+' && text[0] != '-') || (length != 5 && !colon))
        return SH_E_SYNTAX;
    int hours = s_two (text + 1), minutes = s_two (text + (colon ? 4 : 3));
    if (hours < 0 || minutes < 0 || minutes > 59)
        return SH_E_SYNTAX;
    int seconds = hours * 3600 + minutes * 60;
    if (seconds > EAST_MOST)
        return SH_E_SYNTAX;
    *out = text[0] == '-' ? -seconds : seconds;
    return SH_OK;
}

/*  The same moment in another struct is the same date; a day or an hour that
    does not exist has been carried over into another one.  */
static bool
s_same_wall (const struct tm *a, const struct tm *b)
{
    return a->tm_year == b->tm_year && a->tm_mon == b->tm_mon
           && a->tm_mday == b->tm_mday && a->tm_hour == b->tm_hour
           && a->tm_min == b->tm_min && a->tm_sec == b->tm_sec;
}

sh_err_t
sm_wall_parse (int64_t *out, const char *text, int east)
{
    assert (out && text);
    static const char form[] = "dddd-dd-dd dd:dd:dd";
    if (strlen (text) != sizeof form - 1)
        return SH_E_SYNTAX;
    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == 'd' ? !digit : text[i] != form[i])
            return SH_E_SYNTAX;
    }
    const struct tm given = {
        .tm_year = s_two (text) * 100 + s_two (text + 2) - 1900,
        .tm_mon = s_two (text + 5) - 1,
        .tm_mday = s_two (text + 8),
        .tm_hour = s_two (text + 11),
        .tm_min = s_two (text + 14),
        .tm_sec = s_two (text + 17),
    };
    struct tm carried = given;
    int64_t epoch = timegm (&carried);
    if (!s_same_wall (&given, &carried))
        return SH_E_SYNTAX;
    *out = epoch - east;
    return SH_OK;
}

/*  A text of decimal digits, or an integer.  Absent is 0: names none.  */
static sh_err_t
s_read_id (uint64_t *out, const json_t *value)
{
    *out = 0;
    if (!value)
        return SH_OK;
    if (json_is_integer (value)) {
        json_int_t number = json_integer_value (value);
        if (number < 0)
            return SH_E_SYNTAX;
        *out = (uint64_t) number;
        return SH_OK;
    }
    const char *text = json_string_value (value);
    size_t length = text ? strlen (text) : 0;
    if (!text || length > 18 || strspn (text, "0123456789") != length)
        return SH_E_SYNTAX;
    for (; *text; text++)
        *out = *out * 10 + (uint64_t) (*text - '0');
    return SH_OK;
}

/*  Copy a text that is worth at most SP_LONG_TEXT_MOST bytes on the wire.  A
    longer one is no host name and no MAC, and what is left of it isn't
    either; only it has to remain UTF-8.  */
static const char *
s_keep_text (s_memory_t *memory, const json_t *value)
{
    if (!value)
        return NULL;
    const char *text = json_string_value (value);
    if (!text)
        return s_no_text;
    size_t length = sh_utf8_cut (text, SP_LONG_TEXT_MOST);
    if (length == 0)
        return NULL;
    assert (length < memory->texts_size - memory->texts_used);
    char *at = memory->texts + memory->texts_used;
    memcpy (at, text, length);
    at[length] = '\0';
    memory->texts_used += length + 1;
    return at;
}

typedef struct
{
    sm_legacy_t *self;
    s_memory_t *memory;
    bool has_zone;
    int east;
} s_builder_t;

static sh_err_t
s_refuse (s_builder_t *builder, const char *ip, sh_err_t cause)
{
    sm_legacy_t *self = builder->self;
    /*  A body can be nothing but refused hosts; nobody reads thousands.  */
    self->refused_count++;
    if (self->refused_named == SM_REFUSED_MOST)
        return SH_OK;
    if (!self->refused)
        self->refused = calloc (SM_REFUSED_MOST, sizeof *self->refused);
    if (!self->refused)
        return SH_E_MEMORY;
    sm_refused_t *refused = &self->refused[self->refused_named++];
    sh_escape (refused->ip, sizeof refused->ip, ip);
    refused->cause = cause;
    return SH_OK;
}

static sh_err_t
s_take_host (s_builder_t *builder, const json_t *entry)
{
    if (!json_is_object (entry))
        return s_refuse (builder, NULL, SH_E_BAD_MESSAGE);

    sh_addr_t addr;
    const char *ip = json_string_value (s_get (entry, "ip"));
    if (!ip || sh_addr_parse (&addr, ip) != SH_OK)
        return s_refuse (builder, ip, SH_E_HOST_ADDRESS);
    int64_t seen;
    const char *last_seen = json_string_value (s_get (entry, "lastSeen"));
    if (!builder->has_zone || !last_seen
        || sm_wall_parse (&seen, last_seen, builder->east) != SH_OK)
        return s_refuse (builder, ip, SH_E_HOST_TIME);
    uint64_t subnet;
    if (s_read_id (&subnet, s_get (entry, "subnetId")) != SH_OK)
        return s_refuse (builder, ip, SH_E_BAD_MESSAGE);

    sp_report_t *report = &builder->self->report;
    s_memory_t *memory = builder->memory;
    memory->addrs[report->host_count] = addr;
    memory->hosts[report->host_count] = (sp_host_t){
        .ip = sh_addr_bytes (&memory->addrs[report->host_count]),
        .seen = seen * 1000,
        .mac = s_keep_text (memory, s_get (entry, "mac")),
        .name = s_keep_text (memory, s_get (entry, "hostname")),
        .subnet = subnet,
    };
    report->host_count++;
    return SH_OK;
}

/*  The id that all hosts name, or 0.  */
static uint64_t
s_common_id (const sp_report_t *report)
{
    uint64_t id = report->host_count ? report->hosts[0].subnet : 0;
    for (size_t i = 1; i < report->host_count; i++) {
        if (report->hosts[i].subnet != id)
            return 0;
    }
    return id;
}

static sh_err_t
s_take_hosts (s_builder_t *builder, const json_t *results, sh_why_t *why)
{
    sm_legacy_t *self = builder->self;
    s_memory_t *memory = builder->memory;
    self->host_total = json_array_size (results);
    if (self->host_total > SM_HOSTS_MOST)
        return s_bad (why, "scan.results", "too many hosts");
    /* one more of each: nobody asks calloc for nothing */
    memory->hosts = calloc (self->host_total + 1, sizeof *memory->hosts);
    memory->addrs = calloc (self->host_total + 1, sizeof *memory->addrs);
    sh_err_t rc = memory->hosts && memory->addrs ? SH_OK : SH_E_MEMORY;
    self->report.hosts = memory->hosts;
    for (size_t i = 0; rc == SH_OK && i < self->host_total; i++)
        rc = s_take_host (builder, json_array_get (results, i));
    if (rc)
        return sh_fail (why, rc, "scan.results: out of memory");
    self->report.up = self->report.host_count;
    self->report.hint = s_common_id (&self->report);
    return SH_OK;
}

/*  A list, or a text that is one.  '*own' is the list that such a text has
    become, for the caller to release.  */
static sh_err_t
s_find_results (const json_t **out, json_t **own, const json_t *scan,
                sh_why_t *why)
{
    const json_t *results = s_get (scan, "results");
    if (!results)
        return s_bad (why, "scan.results", "missing");
    if (json_is_string (results)) {
        sh_err_t rc = s_load (own, json_string_value (results),
                              json_string_length (results), "scan.results",
                              why);
        if (rc) /* the body as such is JSON */
            return rc == SH_E_SYNTAX ? SH_E_BAD_MESSAGE : rc;
        results = *own;
    }
    if (!json_is_array (results))
        return s_bad (why, "scan.results", "not a list");
    *out = results;
    return SH_OK;
}

static sh_err_t
s_take_code (sm_legacy_t *self, s_memory_t *memory, const json_t *root,
             sh_why_t *why)
{
    const json_t *value = s_get (root, "code");
    const char *code = json_string_value (value);
    if (!value)
        return s_bad (why, "code", "missing");
    if (!code)
        return s_bad (why, "code", "not a text");
    if (!*code)
        return s_bad (why, "code", "empty");
    if (strlen (code) > SP_CODE_MOST)
        return s_bad (why, "code", "longer than a scanner code can be");
    snprintf (memory->code, sizeof memory->code, "%s", code);
    self->report.code = memory->code;
    return SH_OK;
}

static sh_err_t
s_take_subnet (sm_legacy_t *self, s_memory_t *memory, const json_t *scan,
               sh_why_t *why)
{
    const json_t *value = s_get (scan, "subnet");
    const char *cidr = json_string_value (value);
    sh_prefix_t prefix;
    if (!value)
        return s_bad (why, "scan.subnet", "missing");
    if (!cidr)
        return s_bad (why, "scan.subnet", "not a text");
    if (sh_prefix_parse (&prefix, cidr) != SH_OK)
        return s_bad (why, "scan.subnet",
                      "not a network such as 10.0.0.0/24, without host bits");
    sh_prefix_text (&prefix, memory->cidr);
    self->report.cidr = memory->cidr;
    return SH_OK;
}

static sh_err_t
s_build (s_builder_t *builder, const json_t *root, sh_why_t *why)
{
    const json_t *scan = s_get (root, "scan");
    if (!json_is_object (root))
        return s_bad (why, "body", "not an object");
    sh_err_t rc = s_take_code (builder->self, builder->memory, root, why);
    if (rc)
        return rc;
    if (!json_is_object (scan))
        return s_bad (why, "scan", scan ? "not an object" : "missing");
    rc = s_take_subnet (builder->self, builder->memory, scan, why);
    if (rc)
        return rc;

    /* strftime's %z is empty where there is no zone */
    const json_t *tz = s_get (scan, "tz");
    const char *zone = tz ? json_string_value (tz) : "";
    builder->has_zone
        = zone && sm_tz_parse (&builder->east, zone) == SH_OK;

    const json_t *results = NULL;
    json_t *own = NULL;
    rc = s_find_results (&results, &own, scan, why);
    if (rc == SH_OK)
        rc = s_take_hosts (builder, results, why);
    json_decref (own);
    return rc;
}

static sm_legacy_t *
s_new (size_t size, int64_t received)
{
    sm_legacy_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    s_memory_t *memory = calloc (1, sizeof *memory);
    self->memory = memory;
    /* texts without their quotes and escapes, so shorter than the body */
    if (memory)
        memory->texts = malloc (size + 1);
    if (!memory || !memory->texts) {
        sm_legacy_destroy (&self);
        return NULL;
    }
    memory->texts_size = size + 1;

    int64_t second = received / 1000 - (received % 1000 < 0 ? 1 : 0);
    self->report = (sp_report_t){
        .kind = SP_KIND_BOTH,
        .started = second * 1000,
        .finished = second * 1000,
        .complete = true,
    };
    return self;
}

sh_err_t
sm_legacy_parse (sm_legacy_t **out, const char *body, size_t size,
                 int64_t received, sh_why_t *why)
{
    assert (out && (body || size == 0));
    if (size > SM_BODY_MOST)
        return sh_fail (why, SH_E_TOO_LARGE, "body: more than %d bytes",
                        SM_BODY_MOST);
    json_t *root;
    sh_err_t rc = s_load (&root, body ? body : "", size, "body", why);
    if (rc)
        return rc;
    sm_legacy_t *self = s_new (size, received);
    if (!self)
        rc = sh_fail (why, SH_E_MEMORY, "body: out of memory");
    if (rc == SH_OK) {
        s_builder_t builder = { .self = self, .memory = self->memory };
        rc = s_build (&builder, root, why);
    }
    json_decref (root);
    if (rc == SH_OK)
        *out = self;
    else
        sm_legacy_destroy (&self);
    return rc;
}

void
sm_legacy_destroy (sm_legacy_t **self_p)
{
    assert (self_p);
    sm_legacy_t *self = *self_p;
    if (!self)
        return;
    s_memory_t *memory = self->memory;
    if (memory) {
        free (memory->hosts);
        free (memory->addrs);
        free (memory->texts);
        free (memory);
    }
    free (self->refused);
    free (self);
    *self_p = NULL;
}
