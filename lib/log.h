/* SPDX-License-Identifier: MPL-2.0 */
/*  Log lines for the operator at three in the morning: one line per event on
    stderr, 'text key=value key="quoted value"', with the journal's <N>
    priority prefix when stderr is the journal's, else with a UTC time and the
    level.  Values are escaped (control bytes, quotes, non-ASCII as \xNN), so
    a peer's text can neither break a line nor colour a terminal.  The same
    line repeated is written five times in a minute, then counted and
    summarised; lines with a field "scanner" come to 600 a minute for each.
    Thread-safe.  Never give it a secret.  */

#ifndef SH_LOG_H
#define SH_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

typedef enum
{
    SH_LOG_NOTHING = 0, /* of no line; only for sh_log_set_level */
    SH_LOG_ERROR = 3, /* syslog's numbers */
    SH_LOG_WARNING = 4,
    SH_LOG_NOTICE = 5,
    SH_LOG_INFO = 6,
    SH_LOG_DEBUG = 7
} sh_level_t;

typedef struct
{
    const char *key;
    enum
    {
        SH_FIELD_NONE,
        SH_FIELD_STR,
        SH_FIELD_INT
    } kind;
    const char *str; /* NULL prints as - */
    int64_t num;
} sh_field_t;

#define SH_STR(k, v) { .key = (k), .kind = SH_FIELD_STR, .str = (v) }
#define SH_INT(k, v) { .key = (k), .kind = SH_FIELD_INT, .num = (int64_t) (v) }

/*  sh_log (SH_LOG_WARNING, "report refused", SH_STR ("scanner", name),
            SH_INT ("subnet", id));  */
#define sh_log(level, text, ...)                                               \
    sh_log_fields (level, text,                                                \
                   (const sh_field_t[]){ { 0 }, ##__VA_ARGS__, { 0 } } + 1)

/*  'fields' ends with a key of NULL.  */
void sh_log_fields (sh_level_t level, const char *text,
                    const sh_field_t *fields);

/*  Lines above 'level' are left out; INFO until set.  */
void sh_log_set_level (sh_level_t level);

/*  "error" .. "debug"; SH_E_SYNTAX.  */
sh_err_t sh_level_parse (sh_level_t *out, const char *text) SH_MUST_CHECK;

/*  Write out the counts of held-back repeats; call about once a minute and
    before exit.  */
void sh_log_flush (void);

/*  Escape 'text' as in a log line (without quotes) into 'out', cut to 'size'
    with '...': for error texts that quote a peer.  */
void sh_escape (char *out, size_t size, const char *text);

#endif
