/* SPDX-License-Identifier: MPL-2.0 */
/*  The way out for a message, as a struct of functions: a client's session, or
    in scanhubd itself the queue of the workers.  */

#ifndef SP_OUTLET_H
#define SP_OUTLET_H

#include "scanner-proto/message.h"

typedef struct
{
    /*  SH_E_DISCONNECTED: not now; nothing is queued anywhere.  */
    sh_err_t (*send) (void *context, const sp_message_t *message);
    void *context;
    bool up;        /* is it worth trying? */
    int64_t offset; /* the hub's clock minus ours, ms */
} sp_outlet_t;

#endif
