/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/store_events.h"

#include <stdio.h>

#include "lib/log.h"

#define ROWS 500          /* in a statement */
#define DETAILS_MOST 1024 /* bytes that the column holds before phpIPAM 1.5 */

/*  As phpIPAM's discovery writes them: nobody's, severity 0.  */
static void
s_add_row (hub_sql_t *sql, const hub_event_t *one)
{
    char details[DETAILS_MOST];
    hub_event_details (one, details, sizeof details);
    hub_sql_add (sql, "(0,");
    hub_sql_text (sql, one->written.text);
    hub_sql_add (sql, ",NULL,NULL,'Address create',");
    hub_sql_text (sql, details);
    hub_sql_add (sql, ")");
}

static void
s_say_remedy (const hub_sql_t *sql)
{
    char grant[320];
    snprintf (grant, sizeof grant,
              "GRANT INSERT (severity, date, username, ipaddr, command, "
              "details) ON %s.logs TO '%s'@'HUB'",
              sql->config->name, sql->config->user);
    sh_log (SH_LOG_WARNING, "new hosts are not told in phpIPAM's logs, until "
                            "the next connection",
            SH_STR ("remedy", grant), SH_STR ("or", "phpipam_log: none"));
}

sh_err_t
hub_store_events (hub_sql_t *sql, const hub_event_t *events, size_t count,
                  size_t *written)
{
    sh_err_t rc = SH_OK;
    *written = 0;
    for (size_t some; rc == SH_OK && *written < count; *written += some) {
        hub_sql_start (sql, "INSERT INTO logs (severity, date, username, "
                            "ipaddr, command, details) VALUES ");
        for (some = 0; some < ROWS && *written + some < count; some++) {
            hub_sql_add (sql, some ? "," : "");
            s_add_row (sql, &events[*written + some]);
        }
        rc = hub_sql_run (sql);
        if (rc != SH_OK)
            some = 0;
    }
    if (rc == SH_E_DB_RIGHTS)
        s_say_remedy (sql);
    return rc;
}
