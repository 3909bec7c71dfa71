/* SPDX-License-Identifier: MPL-2.0 */
/*  What the files of the survey share.  */

#ifndef HUB_STORE_SURVEY_WITHIN_H
#define HUB_STORE_SURVEY_WITHIN_H

#include "hub/sql.h"
#include "hub/store_survey.h"

struct hub_survey
{
    hub_sql_t sql;
    const sh_clock_t *clock;
    char account[160]; /* as GRANT takes it; "" until it is known */
};

/*  Who we are to the server.  */
sh_err_t hub_survey_account (hub_survey_t *self) SH_MUST_CHECK;

#endif
