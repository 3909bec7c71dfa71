/* SPDX-License-Identifier: MPL-2.0 */
/*  One place that knows the names of addresses: a name server, asked once for
    each question, or the system's hosts file.  All of c-ares is behind this
    header.  Everything is done by the owner's thread and nothing blocks: the
    descriptors are in an epoll of the owner's, with the resolver's 'id' in the
    upper half of data.u64 and the descriptor in the lower one.  */

#ifndef SC_RESOLVER_H
#define SC_RESOLVER_H

#include "lib/addr.h"
#include "lib/err.h"

#define SC_RESOLVER_TEXT 100 /* bytes for an address with zone and port */

typedef enum
{
    SC_ANSWER_NAMES,    /* these are its names */
    SC_ANSWER_NONE,     /* it has none, or none that can be read */
    SC_ANSWER_FAULT,    /* the server could not say */
    SC_ANSWER_SILENCE,  /* nothing came in time, or nobody is there */
    SC_ANSWER_CANCELLED /* by sc_resolver_cancel or _destroy */
} sc_answer_t;

/*  'names' ends with NULL; they are as somebody wrote them, unchecked, and
    borrowed for the time of the call, in which nothing may be asked of any
    resolver.  */
typedef void (*sc_resolver_done_f) (void *context, sc_answer_t answer,
                                    const char *const *names);

typedef struct
{
    /*  "192.0.2.1", "2001:db8::1", or as sc_resolver_list has it; "": the hosts
        file; NULL: the system's servers, all in this one.  */
    const char *server;
    uint16_t port;           /* of a server that names none */
    uint32_t timeout;        /* ms for an answer */
    const char *resolv_conf; /* NULL: /etc/resolv.conf */
    int pollset;
    uint32_t id;
} sc_resolver_options_t;

typedef struct sc_resolver sc_resolver_t;

/*  What 'options' points to is not kept.  SH_E_MEMORY, SH_E_IO.  */
sh_err_t sc_resolver_new (sc_resolver_t **out,
                          const sc_resolver_options_t *options, sh_why_t *why)
    SH_MUST_CHECK;
void sc_resolver_destroy (sc_resolver_t **self_p);

/*  The servers of the system that this resolver read, for one of their own
    each: texts for 'server', at most 'most'.  '*count' 0: they cannot be taken
    apart.  SH_E_MEMORY, SH_E_IO.  */
sh_err_t sc_resolver_list (const sc_resolver_t *self,
                           char (*servers)[SC_RESOLVER_TEXT], size_t most,
                           size_t *count, sh_why_t *why) SH_MUST_CHECK;

/*  Ask.  'done' is called once, perhaps before this returns; 'context' stays
    valid until then.  */
void sc_resolver_ask (sc_resolver_t *self, const sh_addr_t *ip,
                      sc_resolver_done_f done, void *context);

/*  End all questions: 'done' is called for each before this returns.  */
void sc_resolver_cancel (sc_resolver_t *self);

/*  Work on a descriptor that epoll told of; -1: on time-outs alone.  */
void sc_resolver_work (sc_resolver_t *self, int fd, uint32_t events);

/*  ms until a time-out, at most 'most'.  */
int64_t sc_resolver_timeout (const sc_resolver_t *self, int64_t most);

/*  Name and version of the library; static.  */
const char *sc_resolver_library (void);

#endif
