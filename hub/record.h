/* SPDX-License-Identifier: MPL-2.0 */
/*  What became of one report part, for the journal: who sent it, what of, how
    it ended, and what it changed.  Made by the worker when all is decided; it
    belongs to whoever holds the pointer.  */

#ifndef HUB_RECORD_H
#define HUB_RECORD_H

#include "hub/deltas.h"
#include "hub/part.h"

#define HUB_RECORD_CAUSES 16 /* more causes for hosts than there are */

typedef struct
{
    sh_err_t cause;
    uint64_t count;
} hub_cause_t;

typedef struct hub_record hub_record_t;

struct hub_record
{
    hub_record_t *next; /* in the journal's queue */
    size_t size;        /* bytes that it takes */

    char scanner[HUB_NAME_MOST + 1]; /* registry name or token label */
    char source[SH_KEY_TEXT + 8];    /* whose report ids these are: its key, or
                                        "http" */
    hub_door_t door;
    char code[SP_CODE_MOST + 1]; /* "": it could not be told */
    char *agent;                 /* its name in phpIPAM; NULL: not known */

    uint8_t id[SP_REPORT_ID];
    bool has_report; /* what follows is known; else the part made no sense */
    uint64_t part;
    bool last; /* a closing part */
    uint64_t subnet;
    char cidr[SH_PREFIX_TEXT]; /* "": it was none */
    int kind;                  /* sp_kind_t */
    int64_t started, finished; /* epoch ms by the hub's clock */
    int64_t received, written; /* likewise */

    sp_result_t result;
    sh_err_t cause; /* SH_OK if it was applied */
    uint64_t seen, added, named, macs, tagged, offline, held;
    uint64_t refused; /* hosts, and why: */
    hub_cause_t causes[HUB_RECORD_CAUSES];
    size_t cause_count;
    hub_deltas_t deltas; /* but for times of rows that existed */
};

/*  What became of a part; its deltas move over.  NULL: no memory.  */
hub_record_t *hub_record_new (hub_part_t *part, int64_t now);
void hub_record_destroy (hub_record_t **self_p);

#endif
