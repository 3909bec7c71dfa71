/* SPDX-License-Identifier: MPL-2.0 */
/*  Every limit of protocol version 1, as docs/protocol.md states them.  A hub
    may raise a limit and says so in 'welcome'; it never lowers one, because a
    part that a scanner has spooled must stay acceptable.  */

#ifndef SP_LIMITS_H
#define SP_LIMITS_H

#define SP_VERSION 1

#define SP_FRAME_MOST (1024 * 1024)    /* bytes in any frame (MAXMSGSIZE) */
#define SP_PART_BYTES_MOST (256 * 1024) /* bytes in a report part */
#define SP_PART_HOSTS_MOST 4096        /* hosts in a report part */
#define SP_PARTS_MOST 65536            /* parts of a report */
#define SP_RANGES_MOST 4096            /* covered ranges in a closing part */
#define SP_PAGE_SUBNETS_MOST 1000      /* rows in an assignments page */
#define SP_PAGE_TARGETS_MOST 8192      /* rows in a targets page */
#define SP_REFUSED_MOST 64             /* refused hosts named in a verdict */
#define SP_NAMESERVERS_MOST 8          /* of one subnet */
#define SP_SKIP_MOST 64                /* ranges of one subnet never probed */
#define SP_QUIET_MOST 8                /* quiet hours of one subnet */
#define SP_EVERY_MOST 604800           /* seconds from scan to scan */
#define SP_RATE_MOST 1000000           /* probes per second */
#define SP_DAY_MINUTES 1440
#define SP_ORDER_ID 16                 /* bytes of the id of an ordered scan */

/*  What CURVE makes of a frame is longer: by its name (8), the nonce (8), the
    MAC (16) and the flags (1).  libzmq's MAXMSGSIZE looks at that.  */
#define SP_CURVE_AROUND 33

#define SP_DEPTH_MOST 8         /* nesting of a frame */
#define SP_MAP_KEYS_MOST 64     /* keys of one map */
#define SP_KEY_MOST 32          /* bytes of a map key */
#define SP_TEXT_MOST 255        /* bytes of a short text: version, cause, ... */
#define SP_LONG_TEXT_MOST 1024  /* bytes of text for people, host names, MACs */
#define SP_CODE_MOST 32         /* bytes of a scanner code (scanAgents.code) */
#define SP_CIDR_MOST 49         /* bytes of a prefix in text */
#define SP_REPORT_ID 16         /* bytes of a report id */
#define SP_HUB_KEY_BYTES 32     /* of a CURVE public key */
#define SP_REVISION 8           /* bytes of an assignment revision */

#define SP_BEAT_MS 30000        /* between two beats, both ways */
#define SP_SILENCE_MS 90000     /* without any message: the peer is gone */
#define SP_OFFSET_IGNORED_MS 2000 /* a smaller clock difference counts as 0 */
/*  No report is older than this program, and no clock beyond 2099 is right.  */
#define SP_TIME_LEAST_MS INT64_C (1767225600000) /* 2026-01-01 */
#define SP_TIME_MOST_MS INT64_C (4102444800000)  /* 2100-01-01 */
#define SP_WINDOW 16            /* parts that a scanner may have unanswered */

#define SP_DEFAULT_PORT 5766
#define SP_ZAP_DOMAIN "scanhub"

#endif
