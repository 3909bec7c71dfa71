/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhub-scanner's configuration file, see scanner.yaml(5):

        hub:
          endpoint: tcp://hub.example:5766
          key: '40 characters of Z85'     (hub: may be a list of such maps)
        hub_return: 300
        key: /etc/scanhub/scanner.cert
        code: site-a                      (only for keys with several codes)
        engine: builtin                   (builtin, nmap)
        builtin: {rate: 1000, tcp_ports: [443, 80, 22, 445]}
        nmap: {program: nmap, rate: 1000, retries: 1, deadline: 300}
        fping: {program: fping, rate: 1000, retries: 1, deadline: 300}
        resolve: assigned                 (assigned, never)
        names: fqdn                       (fqdn, short)
        interval: 300                     (default: what the hub says)
        spool: /var/lib/scanhub/scanner.spool   (or none)
        spool_size: 256                   (MiB)
        hub_keys: /var/lib/scanhub/scanner.hubs (or none)
        control: /run/scanhub/scanner.sock   (or none)
        log_level: info
*/

#ifndef SC_CONFIG_H
#define SC_CONFIG_H

#include "lib/config.h"
#include "lib/log.h"
#include "scanner-proto/hubs.h"
#include "scanner/builtin.h"
#include "scanner/fping.h"
#include "scanner/names.h"
#include "scanner/nmap.h"

typedef enum
{
    SC_RESOLVE_ASSIGNED, /* where phpIPAM wants it */
    SC_RESOLVE_NEVER
} sc_resolve_t;

typedef struct
{
    char *path; /* the file it came from */
    sp_hubs_t hubs; /* at least 1 after loading */
    uint32_t hub_return; /* seconds until preferred hubs are tried again */
    char *key;        /* path of our secret certificate */
    char *code;       /* NULL: the key's own */
    int log_level;    /* sh_level_t */
    int engine;       /* index into the table of engines */
    int resolve;      /* sc_resolve_t */
    int names;        /* sc_names_form_t */
    uint32_t interval; /* seconds from one scan of a subnet to the next, of
                          either kind; 0: what the hub says */
    char *control;       /* path of the control socket; NULL: none */
    char *spool;         /* path; NULL: none is wanted */
    uint32_t spool_size; /* MiB */
    char *hub_keys;      /* path: what hubs said about their keys; NULL: none */
    sc_builtin_settings_t builtin;
    sc_nmap_settings_t nmap;
    sc_fping_settings_t fping;
} sc_config_t;

/*  SH_E_CONFIG with file and line; SH_E_MEMORY.  The caller destroys it.  */
sh_err_t sc_config_load (sc_config_t **out, const char *path, sh_why_t *why)
    SH_MUST_CHECK;

/*  What holds without a file, for work without a hub: there is none in it.
    SH_E_MEMORY.  */
sh_err_t sc_config_default (sc_config_t **out) SH_MUST_CHECK;

/*  The index of an engine's name for 'engine'; -1: there is no such engine.  */
int sc_config_engine_index (const char *name);

/*  As sc_config_load, from memory; 'label' stands for the path in messages.  */
sh_err_t sc_config_parse (sc_config_t **out, const char *text, size_t size,
                          const char *label, sh_why_t *why) SH_MUST_CHECK;

void sc_config_destroy (sc_config_t **self_p);

/*  Take over from 'fresh' what may change in a running program; 'fresh' stays
    the caller's.  SH_E_CONFIG if something else differs: then nothing was
    taken.  */
sh_err_t sc_config_adopt (sc_config_t *self, sc_config_t *fresh,
                          sh_why_t *why) SH_MUST_CHECK;

/*  Let each hub have the key that it has got since, as far as it has told; for
    programs that knock at hubs without a client.  SH_E_SYNTAX, SH_E_IO,
    SH_E_MEMORY for the file of 'hub_keys'.  */
sh_err_t sc_config_take_hub_keys (sc_config_t *self, sh_why_t *why)
    SH_MUST_CHECK;

/*  The engine that was chosen, and its settings; borrowed.  */
const sc_engine_t *sc_config_engine (const sc_config_t *self,
                                     const void **settings);

#endif
