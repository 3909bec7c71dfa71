/* SPDX-License-Identifier: MPL-2.0 */
/*  The section 'database' of scanhub.yaml.  Of hub/config.c.  */

#ifndef HUB_CONFIG_DATABASE_H
#define HUB_CONFIG_DATABASE_H

#include "hub/config.h"

/*  The words of hub_tls_t.  */
extern const char *const hub_tls_words[];

/*  What binds a hub_database_config_t.  */
extern const sh_config_field_t hub_database_fields[];

/*  Read the password's file, which may be named relative to the configuration's
    'file', unless 'peek'.  SH_E_MODE, SH_E_NOT_FOUND, SH_E_CONFIG, SH_E_IO,
    SH_E_MEMORY.  */
sh_err_t hub_database_settle_password (hub_database_config_t *self,
                                       const char *file, bool peek,
                                       sh_why_t *why) SH_MUST_CHECK;

/*  Say what the default of 'tls' means here, and unless 'quiet' warn where it
    protects nothing.  */
void hub_database_settle_tls (hub_database_config_t *self, bool legacy,
                              bool quiet);

/*  Do both lead to one database in one way?  */
bool hub_database_same (const hub_database_config_t *a,
                        const hub_database_config_t *b);

#endif
