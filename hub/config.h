/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubd's configuration file; scanhub.yaml(5) is its manual.

        hub:
          listen: tcp://[::]:5766       (or a list)
          key: /etc/scanhub/hub.cert
          registry: /etc/scanhub/scanners
          control: /run/scanhub/control.sock
          pauses: /var/lib/scanhub/pauses
          retired: /var/lib/scanhub/retired
          journal: /var/lib/scanhub/journal.db  (or off)
          journal_days: 90
          journal_size: 256             (MiB)
          previews: /var/lib/scanhub/previews.db
          workers: 2
          memory_ceiling: 512           (MiB)
        database:
          host: 127.0.0.1               (or: socket: /run/mysqld/mysqld.sock)
          port: 3306
          name: phpipam
          user: scanhub
          password_file: /etc/scanhub/database.password   (or: password: ...)
          tls: verify-full              (off, preferred, required, verify-full)
          tls_ca: /etc/ssl/certs/ca-certificates.crt
        http: {...}                     (see lib/http_config.h; without this
                                         section there is no HTTP door)
        metrics:
          listen: 127.0.0.1:9766        (or a list; off)
        phpipam_timezone: auto          (auto, UTC or an IANA name)
        phpipam_log: none               (or events)
        policy:
          hostname: auto                (never, fill, follow, auto)
          mac: auto
          tags: phpipam                 (never, phpipam)
          preview: false
          max_new: 1000                 (rows, or off)
          max_offline: 50               (percent, or off)
          seen_granularity: 0           (seconds, or off)
          agents: { NAME: {hostname: ...} }
          subnets: { ID: {tags: never} }
        scan:
          check: 300                    (seconds, or never)
          discover: 3600
          rate: 1000                    (default: each site's own)
          ipv6_discover: stable         (off, stable, all)
          exclude: [10.0.0.1-10.0.0.9]
          quiet: ['22:00-06:00']
          agents: { NAME: {check: ...} }
          prefixes: { 10.0.0.0/8: {...} }
          subnets: { ID: {...} }
        log_level: info

    What is shown is the default, but for memory_ceiling (default: by the
    number of keys), max_new (default: see hub/brake.h), scan's rate, exclude
    and quiet (default: none), password and password_file (default: no
    password), tls_ca (the system's), and tls: verify-full for a host beyond
    this machine, else off.  /etc and /run stand for configure's sysconfdir and
    runstatedir.  Paths are absolute; only password_file, token_file and http's
    cert and key may be relative and are then looked up in
    $CREDENTIALS_DIRECTORY, or without that beside the configuration file.

    Or else it is the old scan server's file, to be taken as it is:

        nofusscomputing_phpipam_scan_server:
          mysql_host:                   (mandatory)
          mysql_port: 3306
          mysql_user:                   (mandatory)
          mysql_password:               (mandatory)
          http_port: 5000
          auth_token:                   (none: the public "no-token-set")
          http_listen: [127.0.0.1, '[::1]']     (from here on our additions)
          http_cert:
          http_key:
          http_plain_ok: false
          phpipam_timezone: auto
          mysql_tls: preferred

    There, keys that nobody knows and a file open to others are only warned
    about.  The hub's key, the registry and the spool are in $STATE_DIRECTORY
    (/var/lib/scanhub), the control socket in $RUNTIME_DIRECTORY
    (/run/scanhub), and CURVE listens on port 5766 of all addresses.  */

#ifndef HUB_CONFIG_H
#define HUB_CONFIG_H

#include "hub/policy.h"
#include "hub/scan_settings.h"
#include "lib/config.h"
#include "lib/http_config.h"
#include "lib/log.h"

typedef enum
{
    HUB_TLS_OFF,
    HUB_TLS_PREFERRED,
    HUB_TLS_REQUIRED,
    HUB_TLS_VERIFY_FULL,
    HUB_TLS_DEFAULT /* verify-full beyond this machine, else off */
} hub_tls_t;

typedef struct
{
    char *host; /* "localhost" means TCP; default 127.0.0.1 */
    uint32_t port;
    char *socket; /* a path; then host and port are not used */
    char *name;
    char *user;
    char *password;      /* never NULL after loading; "" is none */
    char *password_file; /* read by loading into 'password' */
    int tls;             /* hub_tls_t; never DEFAULT after loading */
    char *tls_ca;        /* NULL: the system's */
} hub_database_config_t;

#define HUB_METRICS_PORT 9766

typedef struct
{
    sh_strings_t listen; /* each an address with a port; none: off */
    bool said; /* the file names them; else it is the default, without which a
                  hub starts as well */
} hub_metrics_config_t;

typedef enum
{
    HUB_LOG_NONE,
    HUB_LOG_EVENTS /* new hosts in phpIPAM's table 'logs' */
} hub_phpipam_log_t;

typedef struct
{
    char *path; /* the file it came from */
    sh_strings_t listen;
    char *key;
    char *registry;
    char *control;
    char *pauses; /* the file of what is paused */
    char *retired; /* the file of keys that were replaced */
    char *journal; /* the file of what reports did; NULL: none is kept */
    uint32_t journal_days, journal_size; /* at most; MiB */
    char *previews; /* the file of reports that are held */
    uint32_t workers; /* 1 to 64 */
    uint32_t memory_ceiling; /* MiB, at least 64; 0: see hub/ceiling.h */
    hub_database_config_t database;
    bool http_on; /* open the HTTP door; else 'http' is of no meaning */
    sh_http_config_t http; /* if on: each address with a port, paths absolute,
                              at least one listen and one trusted proxy */
    uint32_t http_port;    /* of addresses in the file that named none */
    hub_metrics_config_t metrics;
    bool legacy;           /* it is the old scan server's file */
    char *timezone; /* "auto", "UTC" or an IANA name */
    int phpipam_log; /* hub_phpipam_log_t */
    hub_policies_t policies;
    hub_scan_settings_t scan; /* settled */
    int log_level; /* sh_level_t */
} hub_config_t;

/*  The file to read when none is named: SYSCONFDIR/scanhub/scanhub.yaml, or if
    that is not there the old server's: the credential scan_server.yaml, or
    /etc/phpipam/scan_server.yaml; the first one again if none is.  Static.  */
const char *hub_config_default (void);

/*  Read and check a whole file.  SH_E_CONFIG, SH_E_MODE, SH_E_NOT_FOUND with
    a why of the form file:line: what, and what to do.  A password or token in
    the file itself makes the file a secret one (0600, else SH_E_MODE).  */
sh_err_t hub_config_load (hub_config_t **out, const char *path, sh_why_t *why)
    SH_MUST_CHECK;

/*  The same for programs that need no database: password_file and token_file
    are not read, so that 'password' and tokens may be "" although there are
    some, and nothing is logged.  */
sh_err_t hub_config_peek (hub_config_t **out, const char *path, sh_why_t *why)
    SH_MUST_CHECK;

/*  For the old server's file, whose owner has prepared nothing: make the state
    directory (0700), the registry (0755), the control socket's directory and
    the hub's key with its public half, if they are missing, and say so in the
    log.  Does nothing for our own file.  SH_E_IO, SH_E_MEMORY.  */
sh_err_t hub_config_prepare (hub_config_t *self, sh_why_t *why) SH_MUST_CHECK;

void hub_config_destroy (hub_config_t **self_p);

/*  The first setting that 'fresh' has different and that only a restart can
    change (listen, key, registry, control, pauses, retired, journal*, previews,
    workers, memory_ceiling, timezone, database, metrics.listen, and of
    http whether it is on, listen and spool), as the file calls it; NULL if
    none.  */
const char *hub_config_needs_restart (const hub_config_t *self,
                                      const hub_config_t *fresh);

#endif
