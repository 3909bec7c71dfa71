/* SPDX-License-Identifier: MPL-2.0 */
/*  The variables file of the No Fuss Computing scan agent,
    /etc/phpipam/scan_agent.yaml: what of it a scanner takes over, and which
    line of cron runs the old agent.  */

#ifndef SC_OLD_AGENT_H
#define SC_OLD_AGENT_H

#include <stdio.h>

#include "lib/err.h"
#include "scanner-proto/limits.h"

#define SC_OLD_NAME_MOST 64

typedef struct
{
    char code[SP_CODE_MOST + 1];        /* "": the file has none */
    char name[SC_OLD_NAME_MOST + 1];    /* likewise */
} sc_old_agent_t;

/*  SH_E_NOT_FOUND, SH_E_CONFIG with file and line.  */
sh_err_t sc_old_agent_read (sc_old_agent_t *out, const char *path,
                            sh_why_t *why) SH_MUST_CHECK;

/*  Print "FILE: LINE" for each line of this machine's crontabs, below 'root'
    ("" for the real ones), that runs the old agent; how many.  */
size_t sc_old_agent_cron (FILE *to, const char *root);

#endif
