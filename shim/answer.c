/* SPDX-License-Identifier: MPL-2.0 */

#include "shim/answer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/log.h"

#define TEXT "text/plain; charset=utf-8"
#define JSON "application/json"

static unsigned
s_status (const sm_fate_t *fate, bool as_status)
{
    switch (fate->kind) {
    case SM_FATE_INVALID:
        return 400;
    case SM_FATE_BUSY:
        return 503;
    case SM_FATE_REFUSED:
        if (!as_status)
            return 200;
        return sh_err_class (fate->cause) == SH_CLASS_DENIED ? 403 : 422;
    default:
        return 200;
    }
}

/*  The old server answered with the path; its scanners look at the status
    alone, people at the text.  */
static void
s_answer_text (sm_request_t *request, const sm_fate_t *fate, unsigned status)
{
    char body[SP_LONG_TEXT_MOST + 128];
    switch (fate->kind) {
    case SM_FATE_APPLIED:
        snprintf (body, sizeof body, "%s", sm_request_path (request));
        break;
    case SM_FATE_QUEUED:
        snprintf (body, sizeof body, "queued");
        break;
    case SM_FATE_INVALID:
        snprintf (body, sizeof body, "Invalid JSON payload");
        break;
    case SM_FATE_REFUSED:
        snprintf (body, sizeof body, "refused: %s: %s",
                  sh_err_word (fate->cause), fate->text);
        break;
    case SM_FATE_BUSY:
        snprintf (body, sizeof body, "the database does not answer and the "
                                     "report could not be spooled; send it "
                                     "again later");
        break;
    }
    sm_request_answer (request, status, TEXT, body);
}

/*  jansson escapes what JSON asks for, but takes valid UTF-8 only.  */
static json_t *
s_text (const char *text)
{
    json_t *value = json_string (text ? text : "");
    if (value)
        return value;
    char safe[SP_LONG_TEXT_MOST + 64];
    sh_escape (safe, sizeof safe, text);
    return json_string (safe);
}

static json_t *
s_refused (const sm_fate_t *fate)
{
    json_t *list = json_array ();
    for (size_t i = 0; list && i < fate->refused_count; i++) {
        json_t *host = json_object ();
        json_object_set_new (host, "ip", s_text (fate->refused[i].ip));
        json_object_set_new (
            host, "cause", json_string (sh_err_word (fate->refused[i].cause)));
        json_array_append_new (list, host);
    }
    return list;
}

static void
s_set_counts (json_t *root, const sp_delivery_sum_t *sum)
{
    const struct
    {
        const char *key;
        uint64_t count;
    } counts[] = {
        { "seen", sum->seen },       { "new", sum->added },
        { "names", sum->named },     { "macs", sum->macs },
        { "tags", sum->tagged },     { "held", sum->held },
        { "skipped", sum->skipped },
        { "names_dropped", sum->bad_names },
        { "macs_dropped", sum->bad_macs },
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        json_object_set_new (root, counts[i].key,
                             json_integer ((json_int_t) counts[i].count));
}

static char *
s_json (const sm_fate_t *fate)
{
    static const char *const words[] = {
        [SM_FATE_APPLIED] = "applied", [SM_FATE_REFUSED] = "refused",
        [SM_FATE_QUEUED] = "queued",   [SM_FATE_INVALID] = "invalid",
        [SM_FATE_BUSY] = "busy",
    };
    json_t *root = json_object ();
    json_object_set_new (root, "result", json_string (words[fate->kind]));
    if (fate->kind == SM_FATE_REFUSED || fate->kind == SM_FATE_INVALID) {
        json_object_set_new (root, "cause",
                             json_string (sh_err_word (fate->cause)));
        json_object_set_new (root, "text", s_text (fate->text));
    }
    if (fate->sum)
        s_set_counts (root, fate->sum);
    json_object_set_new (root, "hosts_refused",
                         json_integer ((json_int_t) fate->refused_total));
    json_object_set_new (root, "refused", s_refused (fate));
    char *body = json_dumps (root, JSON_COMPACT);
    json_decref (root);
    return body;
}

void
sm_answer (sm_request_t *request, const sm_fate_t *fate, bool as_status)
{
    unsigned status = s_status (fate, as_status);
    char *body = sm_request_wants_json (request) ? s_json (fate) : NULL;
    if (body)
        sm_request_answer (request, status, JSON, body);
    else
        s_answer_text (request, fate, status);
    free (body);
}
