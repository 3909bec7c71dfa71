/* SPDX-License-Identifier: MPL-2.0 */
/*  What the database's error numbers mean for us.  Pure tables.  */

#ifndef HUB_SQL_ERROR_H
#define HUB_SQL_ERROR_H

#include "lib/err.h"

#define HUB_SQL_ERROR_TRUNCATED 1292 /* a time in the session's spring gap */
#define HUB_SQL_ERROR_READ_ONLY 1290

/*  What a server's or the client library's number means, and what the
    administrator should do; NULL if the error's own sentence says it.  */
sh_err_t hub_sql_error (unsigned number);
const char *hub_sql_remedy (unsigned number);

#endif
