/* SPDX-License-Identifier: MPL-2.0 */
/*  A look into a spool that no program has open, without taking anything out
    of it, setting it aside or making one.  */

#ifndef SP_SPOOL_SURVEY_H
#define SP_SPOOL_SURVEY_H

#include <stdint.h>

#include "lib/err.h"

typedef struct
{
    uint64_t reports; /* that wait */
    int64_t oldest;   /* epoch ms at which the oldest was put there; 0: none */
} sp_spool_survey_t;

/*  SH_E_NOT_FOUND: there is no file; SH_E_EXISTS: a program has it open;
    SH_E_SYNTAX: it is no spool, or broken; SH_E_IO, each with a sentence.  */
sh_err_t sp_spool_survey (sp_spool_survey_t *out, const char *path,
                          sh_why_t *why) SH_MUST_CHECK;

#endif
