/* SPDX-License-Identifier: MPL-2.0 */
/*  The layout of the journal's file and the statements that are run on it.
    Only for hub/journal_file.c.  */

#ifndef HUB_JOURNAL_SQL_H
#define HUB_JOURNAL_SQL_H

#define HUB_JOURNAL_LAYOUT 1

/*  A temporary table: the reports that are to go.  */
#define HUB_JOURNAL_DOOMED "temp.doomed"

typedef enum
{
    STMT_BEGIN,
    STMT_COMMIT,
    STMT_ROLLBACK,
    STMT_FIND,
    STMT_OPEN,
    STMT_ADD,
    STMT_CHANGE,
    STMT_REFUSE,
    STMT_OLD,
    STMT_OLD_IDLE,
    STMT_GREEDY_IDLE,
    STMT_GREEDY,
    STMT_REMEMBER,
    STMT_DROP_CHANGES,
    STMT_DROP,
    STMT_OLD_REFUSALS,
    STMT_MANY_REFUSALS,
    STMT_COUNT
} stmt_t;

extern const char hub_journal_schema[];
extern const char hub_journal_settings[];
extern const char *const hub_journal_sql[STMT_COUNT];

#endif
