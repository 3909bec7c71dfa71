/* SPDX-License-Identifier: MPL-2.0 */
/*  What /metrics says, in Prometheus's text format 0.0.4.  Asks nobody: it
    reads the tables that router, workers, ZAP and watcher fill.  */

#ifndef HUB_METRICS_TEXT_H
#define HUB_METRICS_TEXT_H

#include <stdio.h>

#include "hub/journal.h"
#include "hub/knocks.h"
#include "hub/live.h"
#include "hub/pool.h"
#include "hub/previews.h"
#include "hub/pulse.h"
#include "hub/registry.h"

#define HUB_METRICS_NAMES 1000 /* of scanners, and of agents, in labels */

/*  All of it is borrowed.  */
typedef struct
{
    hub_registry_t *registry;
    hub_live_t *live;
    hub_pool_t *pool;
    hub_pulse_t *pulse;
    hub_knocks_t *pending;
    hub_journal_t *journal;   /* NULL: switched off */
    hub_previews_t *previews; /* NULL: likewise */
    const sh_clock_t *clock;
    int64_t started; /* epoch ms */
} hub_metrics_sources_t;

void hub_metrics_write (FILE *to, const hub_metrics_sources_t *self);

/*  One line of help and type; and a label's value with what must be escaped
    escaped.  For hub/metrics_lists.c as well.  */
void hub_metrics_head (FILE *to, const char *name, const char *type,
                       const char *help);
void hub_metrics_label (FILE *to, const char *value);
/*  A series without labels, whole.  */
void hub_metrics_single (FILE *to, const char *name, const char *type,
                         const char *help, double value);

/*  The series that have a name in them: scanners, subnets by state, agents.  */
void hub_metrics_write_lists (FILE *to, const hub_metrics_sources_t *self);

#endif
