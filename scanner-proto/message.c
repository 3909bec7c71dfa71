/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/message.h"

#include <assert.h>
#include <string.h>

static const char *const s_kinds[SP_KIND_COUNT] = {
    [SP_KIND_DISCOVER] = "discover",
    [SP_KIND_CHECK] = "check",
    [SP_KIND_BOTH] = "both",
};

static const char *const s_results[SP_RESULT_COUNT] = {
    [SP_APPLIED] = "applied",
    [SP_REFUSED] = "refused",
    [SP_RETRY] = "retry",
    [SP_NOTED] = "noted",
};

static const char *const s_states[SP_STATE_COUNT] = {
    [SP_STATE_WAITING] = "waiting",
    [SP_STATE_PROBING] = "probing",
    [SP_STATE_REPORTING] = "reporting",
    [SP_STATE_DONE] = "done",
    [SP_STATE_FAILED] = "failed",
    [SP_STATE_CANCELLED] = "cancelled",
};

static const char *const s_types[SP_TYPE_COUNT] = {
    [SP_HELLO] = "hello",
    [SP_WELCOME] = "welcome",
    [SP_BEAT] = "beat",
    [SP_REVISION_PUSH] = "revision",
    [SP_ASSIGNMENTS] = "assignments",
    [SP_ASSIGNMENTS_PAGE] = "assignments-page",
    [SP_TARGETS] = "targets",
    [SP_TARGETS_PAGE] = "targets-page",
    [SP_REPORT] = "report",
    [SP_VERDICT] = "verdict",
    [SP_ERROR] = "error",
    [SP_SCAN] = "scan",
    [SP_CANCEL] = "cancel",
    [SP_PROGRESS] = "progress",
    [SP_HUB_KEY] = "hub-key",
};

static const char *
s_word (const char *const *words, int index, int count)
{
    return index >= 0 && index < count ? words[index] : NULL;
}

bool
sp_hours_hold (const sp_hours_t *hours, size_t count, unsigned minute)
{
    assert (hours || count == 0);
    for (size_t i = 0; i < count; i++) {
        uint64_t from = hours[i].from, to = hours[i].to;
        bool within = from < to ? minute >= from && minute < to
                                : minute >= from || minute < to;
        if (within)
            return true;
    }
    return false;
}

const char *
sp_kind_word (int kind)
{
    return s_word (s_kinds, kind, SP_KIND_COUNT);
}

int
sp_kind_of (const char *word)
{
    assert (word);
    int kind = 0;
    while (kind < SP_KIND_COUNT && strcmp (s_kinds[kind], word) != 0)
        kind++;
    return kind;
}

const char *
sp_result_word (int result)
{
    return s_word (s_results, result, SP_RESULT_COUNT);
}

const char *
sp_state_word (int state)
{
    return s_word (s_states, state, SP_STATE_COUNT);
}

const char *
sp_type_word (sp_type_t type)
{
    return s_word (s_types, (int) type, SP_TYPE_COUNT);
}
