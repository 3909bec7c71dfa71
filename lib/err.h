/* SPDX-License-Identifier: MPL-2.0 */
/*  The one list of things that can go wrong.

    Each entry has a class, which says who has to act; a word, which is the
    'cause' on the wire, in logs and in counters and never changes once
    released; and a sentence for people that says what to do next.  */

#ifndef SH_ERR_H
#define SH_ERR_H

#include <stdbool.h>

#define SH_MUST_CHECK __attribute__ ((warn_unused_result))
#define SH_PRINTF(f, a) __attribute__ ((format (printf, f, a)))

typedef enum
{
    SH_CLASS_NONE,   /* no error */
    SH_CLASS_PEER,   /* the sender's fault: the same bytes never succeed */
    SH_CLASS_DENIED, /* not allowed: an administrator has to act first */
    SH_CLASS_RETRY,  /* nobody's fault: the same bytes may succeed later */
    SH_CLASS_OURS    /* a fault of this installation or of this program */
} sh_class_t;

/*  X (name, class, word, sentence).  The order is of no meaning; words are
    looked up by sh_err_from_word.  */
#define SH_ERR_TABLE(X)                                                        \
    X (OK, NONE, "ok", "no error")                                             \
    /* what a peer sent */                                                     \
    X (E_BAD_FRAME, PEER, "bad-frame",                                         \
       "the message is not one well-formed msgpack value within the limits")   \
    X (E_BAD_MESSAGE, PEER, "bad-message",                                     \
       "a field of the message is missing or has the wrong type or value")     \
    X (E_BAD_VERSION, PEER, "bad-version",                                     \
       "the message is of a protocol version that this side does not speak")   \
    X (E_UNKNOWN_TYPE, PEER, "unknown-type",                                   \
       "the message is of a type that this side does not know")                \
    X (E_TOO_LARGE, PEER, "too-large", "the message is over a limit")          \
    X (E_NO_HELLO, PEER, "no-hello", "the first message must be hello")        \
    X (E_BAD_TIME, PEER, "bad-time",                                           \
       "a time is outside of what can be stored")                              \
    X (E_CIDR_MISMATCH, PEER, "cidr-mismatch",                                 \
       "the subnet in phpIPAM has another network or mask than the report; "   \
       "the scanner has to ask for its assignments again")                     \
    X (E_CODE_MISSING, PEER, "code-missing",                                   \
       "this key speaks for several codes and the message names none")         \
    /* what a peer may not do */                                               \
    X (E_KEY_UNKNOWN, DENIED, "revoked",                                       \
       "the key is not, or no longer, in the hub's registry")                  \
    X (E_SUPERSEDED, DENIED, "superseded",                                     \
       "a newer connection with the same key took over")                       \
    X (E_CODE_DENIED, DENIED, "code-denied",                                   \
       "the key's registry entry does not list this scanner code")             \
    X (E_CODE_HAS_KEY, DENIED, "code-has-key",                                 \
       "a scanner's own key speaks for this code; to let HTTP speak for it "   \
       "as well, put legacy_http = \"true\" into its registry entry")          \
    X (E_AGENT_UNKNOWN, DENIED, "agent-unknown",                               \
       "phpIPAM has no scan agent with this code; create it there or correct " \
       "the code in the hub's registry")                                       \
    X (E_AGENT_TYPE, DENIED, "agent-type",                                     \
       "the scan agent's type in phpIPAM is not mysql or api")                 \
    X (E_SUBNET_UNKNOWN, DENIED, "subnet-unknown",                             \
       "phpIPAM has no subnet with this id or network for this agent")         \
    X (E_SUBNET_NOT_ASSIGNED, DENIED, "subnet-not-assigned",                   \
       "phpIPAM gives this subnet to another scan agent or to none")           \
    X (E_SUBNET_FOLDER, DENIED, "subnet-folder", "the subnet is a folder")     \
    X (E_SUBNET_MASK, DENIED, "subnet-mask",                                   \
       "the subnet has no usable network and mask in phpIPAM")                 \
    X (E_SUBNET_PARENT, DENIED, "subnet-parent",                               \
       "the subnet has child subnets; assign those to the agent instead")      \
    X (E_SUBNET_DISABLED, DENIED, "subnet-disabled",                           \
       "neither host check nor discovery is on for this subnet in phpIPAM")    \
    X (E_SUBNET_AMBIGUOUS, DENIED, "ambiguous",                                \
       "several subnets of this agent have this network; name the subnet id")  \
    /* why a single host of a report was refused */                            \
    X (E_HOST_ADDRESS, PEER, "host-address", "not an IPv4 or IPv6 address")    \
    X (E_HOST_OUTSIDE, PEER, "host-outside",                                   \
       "the address is not in the subnet")                                     \
    X (E_HOST_SUBNET, PEER, "host-subnet",                                     \
       "the host names another subnet than the one it was reported in")        \
    X (E_HOST_NETWORK, PEER, "host-network", "the subnet's network address")   \
    X (E_HOST_BROADCAST, PEER, "host-broadcast",                               \
       "the subnet's broadcast address")                                       \
    X (E_HOST_UNSTORABLE, PEER, "host-unstorable",                             \
       "phpIPAM cannot tell IPv6 addresses in ::/96 from IPv4 ones")           \
    X (E_HOST_TIME, PEER, "host-time", "the time seen cannot be stored")       \
    X (E_HOST_COLUMN, OURS, "host-column",                                     \
       "the ipaddresses table has a custom column that is NOT NULL without a " \
       "default; give it a default in phpIPAM's database")                     \
    X (E_HOST_UNIQUE, OURS, "host-unique",                                     \
       "a unique key of the ipaddresses table that is not phpIPAM's forbids "  \
       "the row")                                                              \
    X (E_HOST_UPDATE, OURS, "host-update",                                     \
       "a column of the ipaddresses table takes no such name or MAC")          \
    X (E_HOST_TEXT, OURS, "host-text",                                         \
       "the ipaddresses table cannot hold this text; see its character set")   \
    /* try again later */                                                      \
    X (E_DB_DOWN, RETRY, "database-unavailable",                               \
       "the database cannot be used for now; the hub keeps trying")            \
    X (E_DB_BUSY, RETRY, "database-busy",                                      \
       "the database asked to repeat the transaction")                         \
    X (E_UNFINISHED, RETRY, "unfinished",                                      \
       "a part of the work is done; the rest is when the same is sent again")       \
    X (E_MAINTENANCE, RETRY, "maintenance",                                    \
       "phpIPAM is in maintenance mode, so nothing is written; reports are "   \
       "taken again when it is switched off there")                            \
    X (E_OVERLOAD, RETRY, "overloaded", "too many reports are waiting")        \
    X (E_STOPPING, RETRY, "stopping", "the hub is shutting down")              \
    X (E_NOT_READY, RETRY, "not-ready",                                        \
       "the hub has not yet read the assignments from the database")           \
    X (E_SCAN_RUNNING, RETRY, "scan-running",                                  \
       "the subnet is being scanned already")                                  \
    X (E_QUIET, RETRY, "quiet-hours",                                          \
       "these are quiet hours of the subnet, by the hub's file")               \
    X (E_CANCELLED, RETRY, "cancelled", "the scan was cancelled")              \
    X (E_TIMEOUT, RETRY, "timeout", "no answer in time")                       \
    X (E_DISCONNECTED, RETRY, "disconnected", "the connection was lost")       \
    /* ours */                                                                 \
    X (E_DB_RIGHTS, OURS, "database-rights",                                   \
       "the database refuses the hub's account or a right that it needs; "     \
       "'scanhubctl ping' on the hub says which")                              \
    X (E_DB_SCHEMA, OURS, "database-schema",                                   \
       "the tables are not those of phpIPAM 1.4.0 to 1.8.2; 'scanhubctl "      \
       "ping' on the hub says what is missing")                                \
    X (E_DB, OURS, "database-error", "the database refused a statement")       \
    X (E_MEMORY, OURS, "no-memory", "out of memory")                           \
    X (E_INTERNAL, OURS, "internal", "a fault in this program; please report") \
    X (E_CONFIG, OURS, "configuration", "the configuration is not valid")      \
    X (E_IO, OURS, "io", "a file or socket operation failed")                  \
    X (E_EXISTS, OURS, "exists", "the file exists already")                    \
    X (E_NOT_FOUND, OURS, "not-found", "no such file or entry")                \
    X (E_MODE, OURS, "file-mode", "a secret file is open to group or others")  \
    X (E_SYNTAX, OURS, "syntax", "the text is not in the expected form")       \
    X (E_KEY_REFUSED, DENIED, "key-refused",                                   \
       "the hub refused this scanner's key; register it on the hub")           \
    X (E_HUB_KEY, OURS, "hub-key",                                             \
       "the hub answers but the handshake ends; the configured hub key is "    \
       "probably wrong")                                                       \
    X (E_PROBE, OURS, "probe", "the scan could not be carried out")            \
    X (E_INTERRUPTED, RETRY, "interrupted", "interrupted by a signal")

typedef enum
{
#define X(name, class, word, sentence) SH_##name,
    SH_ERR_TABLE (X)
#undef X
    SH_ERR_COUNT
} sh_err_t;

sh_class_t sh_err_class (sh_err_t err);

/*  The word and the sentence; static, never NULL.  */
const char *sh_err_word (sh_err_t err);
const char *sh_err_text (sh_err_t err);

/*  The error of a wire word; SH_E_INTERNAL (class OURS) for an unknown one.  */
sh_err_t sh_err_from_word (const char *word);

/*  Where and why exactly, for people: "/etc/x.yaml:12: unknown key 'hosst'".
    Callers that don't care pass NULL.  */
typedef struct
{
    char text[512];
} sh_why_t;

/*  Write the formatted text to 'why' (may be NULL) and return 'err', so that
    a failing function can end in: return sh_fail (why, SH_E_CONFIG, ...).  */
sh_err_t sh_fail (sh_why_t *why, sh_err_t err, const char *format, ...)
    SH_PRINTF (3, 4);

/*  clang's analyser does not look into other files: it has to see here that
    what is returned is an error, else it follows each of them as success.  */
#ifdef __clang_analyzer__
#define sh_fail(why, err, ...)                                                 \
    ((void) (why), (err) != SH_OK ? (err) : SH_E_INTERNAL)
#endif

#endif
