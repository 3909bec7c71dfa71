/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/resolver.h"

/*  The functions that take answers as bytes are in all versions of c-ares;
    those that newer ones prefer are not in Debian 12's.  */
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define REVERSE_TEXT 80 /* 32 nibbles with dots, "ip6.arpa" and a NUL */
#define NAMES_MOST 256  /* of one answer; further ones are not looked at */

struct sc_resolver
{
    ares_channel channel;
    bool hosts_file;
    int pollset;
    uint32_t id;
};

/*  c-ares keeps one pointer for a question.  */
typedef struct
{
    sh_addr_t ip;
    sc_resolver_done_f done;
    void *context;
} question_t;

/*  A descriptor that cannot be watched is a server that does not answer.  */
static void
s_on_socket (void *context, ares_socket_t fd, int readable, int writable)
{
    const sc_resolver_t *self = context;
    struct epoll_event event
        = { .events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u),
            .data.u64 = (uint64_t) self->id << 32 | (uint32_t) fd };
    if (!event.events)
        (void) epoll_ctl (self->pollset, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl (self->pollset, EPOLL_CTL_MOD, fd, &event) != 0)
        (void) epoll_ctl (self->pollset, EPOLL_CTL_ADD, fd, &event);
}

static sh_err_t
s_fail (sh_why_t *why, int status)
{
    return sh_fail (why, status == ARES_ENOMEM ? SH_E_MEMORY : SH_E_IO,
                    "names cannot be looked up: %s", ares_strerror (status));
}

static int
s_open (sc_resolver_t *self, const sc_resolver_options_t *options)
{
    char files[] = "f", dns[] = "b";
    /* without that flag 1.18 says of SERVFAIL that nobody listens */
    struct ares_options wish = { .flags = ARES_FLAG_NOCHECKRESP,
                                 .timeout = (int) options->timeout,
                                 .tries = 1,
                                 .udp_port = options->port,
                                 .tcp_port = options->port,
                                 .lookups = self->hosts_file ? files : dns,
                                 .sock_state_cb = s_on_socket,
                                 .sock_state_cb_data = self };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES
               | ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT | ARES_OPT_LOOKUPS
               | ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_UDP_MAX_QUERIES /* 1.20 */
    /* a socket for each question: these versions close one that a malformed
       answer came by, with all that others have asked there */
    wish.udp_max_queries = 1;
    mask |= ARES_OPT_UDP_MAX_QUERIES;
#endif
    if (options->resolv_conf) {
        wish.resolvconf_path = strdup (options->resolv_conf);
        if (!wish.resolvconf_path)
            return ARES_ENOMEM;
        mask |= ARES_OPT_RESOLVCONF;
    }
    int status = ares_init_options (&self->channel, &wish, mask);
    free (wish.resolvconf_path);
    if (status == ARES_SUCCESS && options->server && *options->server)
        status = ares_set_servers_ports_csv (self->channel, options->server);
    return status;
}

sh_err_t
sc_resolver_new (sc_resolver_t **out, const sc_resolver_options_t *options,
                 sh_why_t *why)
{
    int status = ares_library_init (ARES_LIB_INIT_ALL);
    if (status != ARES_SUCCESS)
        return s_fail (why, status);
    sc_resolver_t *self = calloc (1, sizeof *self);
    if (!self) {
        ares_library_cleanup ();
        return s_fail (why, ARES_ENOMEM);
    }
    self->hosts_file = options->server && !*options->server;
    self->pollset = options->pollset;
    self->id = options->id;
    status = s_open (self, options);
    if (status != ARES_SUCCESS) {
        sc_resolver_destroy (&self);
        return s_fail (why, status);
    }
    *out = self;
    return SH_OK;
}

void
sc_resolver_destroy (sc_resolver_t **self_p)
{
    sc_resolver_t *self = *self_p;
    if (!self)
        return;
    if (self->channel)
        ares_destroy (self->channel);
    ares_library_cleanup ();
    free (self);
    *self_p = NULL;
}

#if ARES_VERSION >= 0x011800 /* 1.24.0 */
sh_err_t
sc_resolver_list (const sc_resolver_t *self, char (*servers)[SC_RESOLVER_TEXT],
                  size_t most, size_t *count, sh_why_t *why)
{
    char *list = ares_get_servers_csv (self->channel);
    if (!list)
        return s_fail (why, ARES_ENOMEM);
    char *rest = list;
    size_t n = 0;
    for (char *one; n < most && (one = strsep (&rest, ",")) != NULL; n++)
        (void) snprintf (servers[n], SC_RESOLVER_TEXT, "%s", one);
    ares_free_string (list);
    *count = n;
    return SH_OK;
}
#else
/*  This list has no zones, without which a link-local server cannot be
    reached, and no ports, which these versions do not read either.  */
static bool
s_needs_zone (const struct ares_addr_port_node *server)
{
    const uint8_t *bytes = server->addr.addr6._S6_un._S6_u8;
    return server->family == AF_INET6 && bytes[0] == 0xfe
           && (bytes[1] & 0xc0) == 0x80;
}

sh_err_t
sc_resolver_list (const sc_resolver_t *self, char (*servers)[SC_RESOLVER_TEXT],
                  size_t most, size_t *count, sh_why_t *why)
{
    struct ares_addr_port_node *list = NULL;
    int status = ares_get_servers_ports (self->channel, &list);
    if (status != ARES_SUCCESS)
        return s_fail (why, status);
    size_t n = 0;
    bool whole = true;
    for (const struct ares_addr_port_node *at = list; at && n < most;
         at = at->next) {
        whole = whole && !s_needs_zone (at)
                && inet_ntop (at->family, &at->addr, servers[n],
                              SC_RESOLVER_TEXT);
        n++;
    }
    ares_free_data (list);
    *count = whole ? n : 0;
    return SH_OK;
}
#endif

static sc_answer_t
s_answer (int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return SC_ANSWER_NAMES;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_EBADRESP: /* 1.18 also says so of a name that no host may have,
                           which other servers would tell as well */
        return SC_ANSWER_NONE;
    case ARES_ETIMEOUT:
    case ARES_ECONNREFUSED:
    case ARES_EOF:
        return SC_ANSWER_SILENCE;
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        return SC_ANSWER_CANCELLED;
    default:
        return SC_ANSWER_FAULT;
    }
}

/*  The question has its answer.  */
static void
s_end (question_t *question, int status, const struct hostent *found)
{
    const char *names[NAMES_MOST + 2];
    size_t count = 0;
    if (found && found->h_name)
        names[count++] = found->h_name;
    for (char **at = found ? found->h_aliases : NULL;
         at && *at && count <= NAMES_MOST; at++)
        names[count++] = *at;
    names[count] = NULL;
    question->done (question->context, s_answer (status), names);
    free (question);
}

static int
s_family (const sh_addr_t *ip)
{
    return ip->family == 6 ? AF_INET6 : AF_INET;
}

static void
s_on_reply (void *context, int status, int timeouts, unsigned char *data,
            int size)
{
    question_t *question = context;
    sh_bytes_t ip = sh_addr_bytes (&question->ip);
    struct hostent *found = NULL;
    (void) timeouts;
    if (status == ARES_SUCCESS)
        status = ares_parse_ptr_reply (data, size, ip.data, (int) ip.size,
                                       s_family (&question->ip), &found);
    s_end (question, status, found);
    if (found)
        ares_free_hostent (found);
}

static void
s_on_entry (void *context, int status, int timeouts, struct hostent *found)
{
    (void) timeouts;
    s_end (context, status, status == ARES_SUCCESS ? found : NULL);
}

/*  1.0.0.10.in-addr.arpa, and for IPv6 nibble by nibble (RFC 3596).  */
static void
s_reverse (char out[static REVERSE_TEXT], const sh_addr_t *ip)
{
    sh_bytes_t bytes = sh_addr_bytes (ip);
    size_t used = 0;
    for (size_t i = bytes.size; i-- > 0;) {
        unsigned byte = bytes.data[i];
        char *at = out + used;
        size_t left = REVERSE_TEXT - used;
        int size = ip->family == 4
                       ? snprintf (at, left, "%u.", byte)
                       : snprintf (at, left, "%x.%x.", byte & 15, byte >> 4);
        used += (size_t) size;
    }
    (void) snprintf (out + used, REVERSE_TEXT - used, "%s",
                     ip->family == 4 ? "in-addr.arpa" : "ip6.arpa");
}

void
sc_resolver_ask (sc_resolver_t *self, const sh_addr_t *ip,
                 sc_resolver_done_f done, void *context)
{
    const char *none[] = { NULL };
    question_t *question = malloc (sizeof *question);
    if (!question) {
        done (context, SC_ANSWER_FAULT, none);
        return;
    }
    *question = (question_t){ .ip = *ip, .done = done, .context = context };
    if (self->hosts_file) {
        sh_bytes_t bytes = sh_addr_bytes (ip);
        ares_gethostbyaddr (self->channel, bytes.data, (int) bytes.size,
                            s_family (ip), s_on_entry, question);
        return;
    }
    /* not ares_gethostbyaddr: it does not tell silence from 'no such name' */
    char reverse[REVERSE_TEXT];
    s_reverse (reverse, ip);
    ares_query (self->channel, reverse, ns_c_in, ns_t_ptr, s_on_reply,
                question);
}

void
sc_resolver_cancel (sc_resolver_t *self)
{
    ares_cancel (self->channel);
}

void
sc_resolver_work (sc_resolver_t *self, int fd, uint32_t events)
{
    bool readable = fd >= 0 && (events & ~(uint32_t) EPOLLOUT);
    bool writable = fd >= 0 && (events & ~(uint32_t) EPOLLIN);
    ares_process_fd (self->channel, readable ? fd : ARES_SOCKET_BAD,
                     writable ? fd : ARES_SOCKET_BAD);
}

int64_t
sc_resolver_timeout (const sc_resolver_t *self, int64_t most)
{
    struct timeval store;
    const struct timeval *wait = ares_timeout (self->channel, NULL, &store);
    if (!wait)
        return most;
    int64_t due = (int64_t) wait->tv_sec * 1000 + (wait->tv_usec + 999) / 1000;
    return due < most ? due : most;
}

const char *
sc_resolver_library (void)
{
    return "c-ares " ARES_VERSION_STR;
}
