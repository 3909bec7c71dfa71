/* SPDX-License-Identifier: MPL-2.0 */
/*  What inquiry.c, which asks, and inquiry_take.c, which hears, share.  */

#ifndef SC_INQUIRY_SELF_H
#define SC_INQUIRY_SELF_H

#include "scanner/inquiry.h"
#include "scanner/meter.h"
#include "scanner/neighbours.h"
#include "scanner/sweep.h"
#include "scanner/trouble.h"

struct sc_inquiry
{
    sc_means_t *means;
    const sc_job_t *job;
    const sh_clock_t *clock;
    sc_links_t links;
    sc_sweep_t *sweep;
    sc_search_t search;
    sc_result_t result;
    sc_trouble_t trouble;
    uint8_t key[SC_KEY_BYTES];
    uint16_t ident, sequence;
    bool by_tcp;      /* there is no other way for this family */
    sc_pace_t pace;   /* the job's own, if it names one */
    sc_slot_t slot;
    unsigned tries;   /* failures in a row that may pass */
    int64_t retry_at; /* 0: now */
    sh_err_t rc;      /* what ends it before its time */
    int64_t began;
    sc_meter_t sent;
};

/*  An address of the job's ranges answers.  True if it was news; an error stays
    in 'rc'.  */
bool sc_inquiry_answered (sc_inquiry_t *self, const sh_addr_t *addr,
                          const char *how, const uint8_t *mac,
                          int64_t asked_at, int64_t now);

/*  Before anything is asked: find ourselves.  */
void sc_inquiry_find_own (sc_inquiry_t *self, int64_t now);

#endif
