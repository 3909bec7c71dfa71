/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/job.h"

#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

sh_err_t
hub_job_new (hub_job_t **out, hub_job_kind_t kind, const hub_principal_t *who,
             sh_bytes_t frame)
{
    hub_job_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->kind = kind;
    sh_err_t rc = hub_principal_copy (&self->who, who);
    if (rc == SH_OK && frame.size) {
        self->frame = malloc (frame.size);
        if (self->frame) {
            memcpy (self->frame, frame.data, frame.size);
            self->frame_size = frame.size;
        } else
            rc = SH_E_MEMORY;
    }
    if (rc != SH_OK) {
        hub_job_destroy (&self);
        return rc;
    }
    *out = self;
    return SH_OK;
}

void
hub_job_destroy (hub_job_t **self_p)
{
    hub_job_t *self = *self_p;
    if (!self)
        return;
    hub_principal_clear (&self->who);
    free (self->frame);
    hub_deltas_clear (&self->done);
    hub_deltas_clear (&self->listed);
    free (self->answer);
    free (self);
    *self_p = NULL;
}

uint64_t
hub_job_shard (uint64_t subnet, sh_bytes_t code, sh_bytes_t cidr)
{
    if (subnet)
        return subnet;
    uint64_t hash = sh_hash (SH_HASH, code.data, code.size);
    return sh_hash (hash, cidr.data, cidr.size);
}
