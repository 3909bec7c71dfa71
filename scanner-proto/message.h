/* SPDX-License-Identifier: MPL-2.0 */
/*  The messages of the protocol as C values; docs/protocol.md has the
    meaning of every field, codec.h turns them into frames and back.

    Texts and bytes in a decoded message are borrowed from the message itself
    and live until it is destroyed.  In a message to be encoded they are the
    caller's.  A text is NULL where the field is absent.  Times are
    milliseconds since the Unix epoch in the sender's clock.  */

#ifndef SP_MESSAGE_H
#define SP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/bytes.h"
#include "lib/err.h"
#include "scanner-proto/limits.h"

typedef enum
{
    SP_HELLO,            /* scanner -> hub, always the first */
    SP_WELCOME,          /* hub -> scanner */
    SP_BEAT,             /* both ways */
    SP_REVISION_PUSH,    /* hub -> scanner: the assignments changed */
    SP_ASSIGNMENTS,      /* scanner -> hub */
    SP_ASSIGNMENTS_PAGE, /* hub -> scanner */
    SP_TARGETS,          /* scanner -> hub */
    SP_TARGETS_PAGE,     /* hub -> scanner */
    SP_REPORT,           /* scanner -> hub: one part */
    SP_VERDICT,          /* hub -> scanner: the answer to one part */
    SP_ERROR,            /* hub -> scanner */
    SP_SCAN,             /* hub -> scanner: scan this now */
    SP_CANCEL,           /* hub -> scanner: no more of that */
    SP_PROGRESS,         /* scanner -> hub: how far an ordered scan is */
    SP_HUB_KEY,          /* hub -> scanner: it will have another key */
    SP_TYPE_COUNT
} sp_type_t;

typedef enum
{
    SP_KIND_DISCOVER, /* swept for unknown hosts */
    SP_KIND_CHECK,    /* looked at known addresses */
    SP_KIND_BOTH,
    SP_KIND_COUNT
} sp_kind_t;

typedef enum
{
    SP_APPLIED, /* committed */
    SP_REFUSED, /* never resend */
    SP_RETRY,   /* resend after 'delay' */
    SP_NOTED,   /* stored for preview; done as far as the sender goes */
    SP_RESULT_COUNT
} sp_result_t;

/*  How far an ordered scan is.  The last three are its end.  */
typedef enum
{
    SP_STATE_WAITING,   /* for its turn, or for the known addresses */
    SP_STATE_PROBING,
    SP_STATE_REPORTING, /* found out, not yet all applied */
    SP_STATE_DONE,
    SP_STATE_FAILED,
    SP_STATE_CANCELLED,
    SP_STATE_COUNT
} sp_state_t;

typedef struct
{
    const char *version; /* program and version, for people */
    int64_t now;
    bool orders; /* it takes 'scan' and 'cancel' */
} sp_hello_t;

typedef struct
{
    int64_t now;
    const char *name; /* the registry's name of this scanner */
    const char *version;
    uint64_t part_bytes, part_hosts;
    sh_bytes_t revision; /* absent (size 0) while the hub has none */
    int64_t hello_now;   /* echo of hello's 'now' */
    sh_bytes_t next_key; /* the hub's, from next_at on; absent: none is known */
    int64_t next_at;
} sp_welcome_t;

typedef struct
{
    int64_t now;
    uint64_t spool;      /* reports that wait for delivery */
    uint64_t running;    /* scans under way */
    const char *version; /* may be absent */
} sp_beat_t;

typedef struct
{
    sh_bytes_t revision;
} sp_revision_t;

/*  The same two as in the welcome, for those who have had theirs.  */
typedef struct
{
    sh_bytes_t next_key;
    int64_t next_at;
} sp_hub_key_t;

typedef struct
{
    const char *code; /* 'for': absent means the key's own code */
    uint64_t after;   /* subnet id of the last row received; 0 to begin */
} sp_assignments_t;

typedef struct
{
    sh_bytes_t first, last; /* addresses of one size, first <= last */
} sp_range_t;

/*  A stretch of the day at the site, in minutes since midnight, up to but not
    including 'to'; over midnight if from > to.  */
typedef struct
{
    uint64_t from, to; /* 0 to 1439 */
} sp_hours_t;

typedef struct
{
    uint64_t id; /* subnets.id */
    const char *cidr;
    bool discover, check;        /* discoverSubnet, pingSubnet */
    bool resolve;                /* resolveDNS */
    bool pool;                   /* isPool: the edges are host addresses */
    const char **nameservers;    /* addresses in text */
    size_t nameserver_count;
    /*  From the hub's file; absent from older hubs.  */
    uint64_t check_s, discover_s; /* seconds from scan to scan; 0: not said */
    uint64_t rate;     /* probes per second; 0: the site's */
    const char *ipv6;  /* "off", "stable", "all": which neighbours count as
                          found; absent: stable */
    bool paused;       /* only scans that are ordered */
    sp_range_t *skip;  /* never probed; ascending, not overlapping */
    size_t skip_count;
    sp_hours_t *quiet; /* no scan begins, and none goes on */
    size_t quiet_count;
} sp_subnet_t;

typedef struct
{
    sh_bytes_t revision;
    bool more; /* ask again, after the last id */
    sp_subnet_t *subnets;
    size_t subnet_count;
} sp_assignments_page_t;

typedef struct
{
    const char *code;
    uint64_t subnet;
    sh_bytes_t after; /* address of the last row received; absent to begin */
} sp_targets_t;

typedef struct
{
    sh_bytes_t ip;
    bool exclude; /* excludePing: do not probe */
} sp_target_t;

typedef struct
{
    uint64_t subnet;
    bool more;
    sp_target_t *targets; /* ascending by address */
    size_t target_count;
} sp_targets_page_t;

typedef struct
{
    sh_bytes_t ip; /* 4 or 16 bytes; other sizes refuse this host */
    int64_t seen;
    const char *mac;  /* any usual spelling, or absent */
    const char *name; /* or absent */
    const char *how;  /* what answered (arp, echo, ...), for people */
    uint64_t subnet;  /* the subnet id that the sender believes; 0: none */
    int64_t old;      /* 0, or of a host that only an earlier scan found: when
                         that began */
} sp_host_t;

typedef struct
{
    sh_bytes_t id;
    uint64_t part;
    const char *code; /* 'for' */
    uint64_t subnet;  /* 0: absent, only with 'for' */
    uint64_t hint;    /* subnet id that all hosts name; 0: none or several */
    const char *cidr;
    int kind; /* sp_kind_t */
    int64_t started, finished;
    int64_t off; /* hub's clock minus the scanner's */
    sp_host_t *hosts;
    size_t host_count;
    bool last; /* a closing part */
    /* closing parts only */
    uint64_t parts; /* how many parts with hosts there were */
    bool complete;
    uint64_t up;
    sp_range_t *covered;
    size_t covered_count;
} sp_report_t;

typedef struct
{
    sh_bytes_t ip;
    const char *cause; /* a word of lib/err.h */
} sp_refused_t;

typedef struct
{
    sh_bytes_t id;
    uint64_t part;
    int result;        /* sp_result_t; an unknown word decodes as SP_RETRY */
    const char *cause; /* a word of lib/err.h; absent when applied */
    const char *text;  /* for people */
    uint64_t delay;    /* ms, with SP_RETRY */
    /* what was done, with SP_APPLIED and SP_NOTED */
    uint64_t seen;      /* rows whose lastSeen was confirmed or moved */
    uint64_t added;     /* new rows */
    uint64_t named;     /* rows whose host name changed */
    uint64_t macs;      /* rows whose MAC changed */
    uint64_t tagged;    /* rows whose tag changed */
    uint64_t held;      /* row changes that wait for a person's leave */
    uint64_t skipped;   /* hosts left alone: no row, no discovery; excluded */
    uint64_t bad_names; /* names dropped */
    uint64_t bad_macs;  /* MACs dropped */
    uint64_t refused_count; /* all refused hosts, named or not */
    sp_refused_t *refused;
    size_t refused_named; /* at most SP_REFUSED_MOST */
} sp_verdict_t;

typedef struct
{
    const char *cause;
    const char *text;
} sp_error_t;

typedef struct
{
    sh_bytes_t id; /* of the order, SP_ORDER_ID bytes, the hub's choice */
    uint64_t subnet;
    int kind; /* sp_kind_t; BOTH: whatever is assigned */
} sp_scan_t;

typedef struct
{
    sh_bytes_t id;
} sp_cancel_t;

typedef struct
{
    sh_bytes_t id;
    int state;            /* sp_state_t; an unknown word decodes as PROBING */
    uint64_t done, total; /* addresses asked to the end, and in all */
    uint64_t up;          /* that answered */
    uint64_t rate;        /* probes per second, lately */
    /*  At the end.  */
    const char *cause;    /* a word of lib/err.h; absent when all is well */
    const char *text;     /* for people */
    bool complete;        /* every address was asked to the end */
    uint64_t seen, added, refused; /* of the verdicts */
} sp_progress_t;

typedef struct
{
    sp_type_t type;
    union
    {
        sp_hello_t hello;
        sp_welcome_t welcome;
        sp_beat_t beat;
        sp_revision_t revision;
        sp_assignments_t assignments;
        sp_assignments_page_t assignments_page;
        sp_targets_t targets;
        sp_targets_page_t targets_page;
        sp_report_t report;
        sp_verdict_t verdict;
        sp_error_t error;
        sp_scan_t scan;
        sp_cancel_t cancel;
        sp_progress_t progress;
        sp_hub_key_t hub_key;
    } u;
    void *arena; /* memory of a decoded message; NULL in others */
} sp_message_t;

/*  Is a time of the day (minutes since midnight, 0 to 1439) in one of them?  */
bool sp_hours_hold (const sp_hours_t *hours, size_t count, unsigned minute);

/*  "discover", "check", "both"; "applied", ...; NULL out of range.  */
const char *sp_kind_word (int kind);
/*  The kind that the word says; SP_KIND_COUNT: none.  */
int sp_kind_of (const char *word);
const char *sp_result_word (int result);
/*  "waiting", "probing", ...; NULL out of range.  */
const char *sp_state_word (int state);
/*  "hello", "report", ...; NULL out of range.  */
const char *sp_type_word (sp_type_t type);

#endif
