/* SPDX-License-Identifier: MPL-2.0 */
/*  What is measured of the hub, for /metrics and 'scanhubctl status': report
    parts by door and result, refusals by cause with the time of the first and
    the last, handshakes that were refused, how long things took, and gauges
    that their owners set.  Counts begin with the process.  Every thread may
    write and read at any time.  */

#ifndef HUB_METERS_H
#define HUB_METERS_H

#include "hub/principal.h"
#include "scanner-proto/message.h"

#define HUB_DOOR_COUNT (HUB_DOOR_HTTP + 1)

/*  Why a handshake was refused.  */
typedef enum
{
    HUB_HANDSHAKE_UNKNOWN,   /* the key is not in the registry */
    HUB_HANDSHAKE_TWICE,     /* two files claim it */
    HUB_HANDSHAKE_OFTEN,     /* it connects too often */
    HUB_HANDSHAKE_PUT_OFF,   /* it filled the hub's memory */
    HUB_HANDSHAKE_MALFORMED, /* not what libzmq asks */
    HUB_HANDSHAKE_COUNT
} hub_handshake_t;

/*  What is timed.  */
typedef enum
{
    HUB_TIME_VERDICT,     /* of a part: from its arrival to its verdict */
    HUB_TIME_TRANSACTION, /* from BEGIN to the end of COMMIT or ROLLBACK */
    HUB_TIME_COUNT
} hub_time_t;

/*  What somebody sets, the newest value counts.  */
typedef enum
{
    HUB_GAUGE_JOBS_OUT,       /* parts that wait for their verdict */
    HUB_GAUGE_ORDERS_OPEN,    /* ordered scans that are not over */
    HUB_GAUGE_CEILING,        /* bytes of memory above which the door closes */
    HUB_GAUGE_CLOSINGS,       /* how often it has been closed for that */
    HUB_GAUGE_DOOR_OPEN,      /* 0: it is closed at the moment */
    HUB_GAUGE_WATCHED,        /* epoch ms of the last good look at phpIPAM */
    HUB_GAUGE_HTTP_PENDING,   /* requests at work in the HTTP door */
    HUB_GAUGE_HTTP_SPOOL,     /* reports in its spool */
    HUB_GAUGE_COUNT
} hub_gauge_t;

/*  Upper bounds of the buckets, in ms; what is slower counts in the last one,
    which has none.  */
#define HUB_BUCKETS 14
extern const unsigned hub_bucket_ms[HUB_BUCKETS - 1];

typedef struct
{
    uint64_t buckets[HUB_BUCKETS]; /* each by itself, not added up */
    uint64_t count;                /* the sum of those */
    double seconds;                /* the sum of all times */
} hub_times_t;

typedef struct
{
    uint64_t count;
    int64_t first, last; /* epoch ms; 0: never */
} hub_refusals_t;

typedef struct hub_meters hub_meters_t;

sh_err_t hub_meters_new (hub_meters_t **out) SH_MUST_CHECK;
void hub_meters_destroy (hub_meters_t **self_p);

/*  A part has its verdict.  'cause' is SH_OK where it was applied; else it
    counts as a refusal or a delay for that cause at 'now' (epoch ms).  */
void hub_meters_part (hub_meters_t *self, hub_door_t door, sp_result_t result,
                      sh_err_t cause, int64_t now);
uint64_t hub_meters_parts (hub_meters_t *self, hub_door_t door,
                           sp_result_t result);
/*  Of both kinds: refused for good and put off; sh_err_class tells which.  */
hub_refusals_t hub_meters_refusals (hub_meters_t *self, sh_err_t cause);

void hub_meters_handshake (hub_meters_t *self, hub_handshake_t why);
uint64_t hub_meters_handshakes (hub_meters_t *self, hub_handshake_t why);

/*  Something took 'ms'; less than 0 counts as 0.  */
void hub_meters_time (hub_meters_t *self, hub_time_t what, int64_t ms);
hub_times_t hub_meters_times (hub_meters_t *self, hub_time_t what);

void hub_meters_set (hub_meters_t *self, hub_gauge_t which, uint64_t value);
uint64_t hub_meters_get (hub_meters_t *self, hub_gauge_t which);

/*  Words for labels and people; never NULL.  */
const char *hub_door_word (hub_door_t door);
const char *hub_handshake_word (hub_handshake_t why);

#endif
