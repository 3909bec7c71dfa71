/* SPDX-License-Identifier: MPL-2.0 */
/*  Every name server is a resolver that asks once.  Which of them is asked
    next, and which one not any more, is decided here and not in c-ares, whose
    versions differ in it: a dead server costs one time-out and not one for
    each host.

    A resolver answers in the middle of its work, so that is only noted; all
    that follows from it is done in the step.  */

#include "scanner/names.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/hostname.h"
#include "scanner-proto/limits.h"
#include "scanner/generated.h"
#include "scanner/resolver.h"

#define TIMEOUT_MS 2000
#define TRIES 2
#define DEADLINE_MS 30000
#define PORT 53
#define SOURCES_MOST (SP_NAMESERVERS_MOST + 1) /* and the hosts file */
#define MOVES_MOST 256 /* in one step; others want to work, too */

/*  Where a name can come from.  */
typedef struct
{
    sc_resolver_t *resolver;
    char server[SC_RESOLVER_TEXT]; /* "" the hosts file */
    uint64_t heard;  /* answers, of any kind */
    unsigned silent; /* questions in a row after which nothing was heard */
    bool given_up;
} source_t;

typedef enum
{
    QUERY_FREE,
    QUERY_ASKED,
    QUERY_ANSWERED /* or failed; to be looked at */
} state_t;

/*  The question for one host.  */
typedef struct
{
    state_t state;
    sc_host_t *host;
    size_t attempt;   /* the next one: source by source, 'tries' times */
    source_t *source; /* of the last attempt */
    uint64_t heard;   /* what the source's count was then */
    uint32_t useless; /* bits: sources that need not be asked again */
    sc_answer_t answer;
    char name[SH_HOSTNAME_TEXT]; /* "": none so far */
} query_t;

struct sc_names
{
    sc_result_t *result;
    const sh_clock_t *clock;
    sc_names_options_t options;
    int pollset;
    source_t sources[SOURCES_MOST];
    size_t count;
    query_t queries[SC_NAMES_AT_ONCE];
    size_t next; /* host to begin with */
    int64_t end; /* mono ms */
    bool busy;   /* the last step left something to do */
    bool over;
    char note[200];
};

static bool
s_is_file (const source_t *source)
{
    return source->server[0] == '\0';
}

/*  'server' as for a resolver.  */
static sh_err_t
s_add (sc_names_t *self, const char *server, sh_why_t *why)
{
    source_t *source = &self->sources[self->count];
    sc_resolver_options_t options = { .server = server,
                                      .port = self->options.port,
                                      .timeout = self->options.timeout,
                                      .resolv_conf = self->options.resolv_conf,
                                      .pollset = self->pollset,
                                      .id = (uint32_t) self->count };
    sh_err_t rc = sc_resolver_new (&source->resolver, &options, why);
    if (rc != SH_OK)
        return rc;
    if (!server)
        server = "of the system";
    assert (strlen (server) < sizeof source->server);
    memcpy (source->server, server, strlen (server) + 1);
    self->count++;
    return SH_OK;
}

static sh_err_t
s_add_servers (sc_names_t *self, const sh_addr_t *servers, size_t count,
               sh_why_t *why)
{
    sh_err_t rc = SH_OK;
    for (size_t i = 0; i < count && rc == SH_OK; i++) {
        char text[SH_ADDR_TEXT];
        sh_addr_text (&servers[i], text);
        rc = s_add (self, text, why);
    }
    return rc;
}

/*  The system's hosts file and servers.  */
static sh_err_t
s_add_system (sc_names_t *self, sh_why_t *why)
{
    char servers[SP_NAMESERVERS_MOST][SC_RESOLVER_TEXT];
    size_t count = 0;
    sh_err_t rc = s_add (self, "", why);
    if (rc == SH_OK)
        rc = sc_resolver_list (self->sources[0].resolver, servers,
                               SP_NAMESERVERS_MOST, &count, why);
    if (rc == SH_OK && count == 0)
        rc = s_add (self, NULL, why);
    for (size_t i = 0; i < count && rc == SH_OK; i++)
        rc = s_add (self, servers[i], why);
    return rc;
}

static void
s_set (sc_names_t *self, const sc_names_options_t *options)
{
    self->options = *options;
    if (!self->options.timeout)
        self->options.timeout = TIMEOUT_MS;
    if (!self->options.tries)
        self->options.tries = TRIES;
    if (!self->options.deadline)
        self->options.deadline = DEADLINE_MS;
    if (!self->options.port)
        self->options.port = PORT;
}

sh_err_t
sc_names_start (sc_names_t **out, sc_result_t *result, const sh_addr_t *servers,
                size_t count, const sc_names_options_t *options,
                const sh_clock_t *clock, sh_why_t *why)
{
    assert (out && result && options && clock && count <= SP_NAMESERVERS_MOST);
    sc_names_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
    self->result = result;
    self->clock = clock;
    s_set (self, options);
    self->end = sh_clock_mono (clock) + self->options.deadline;
    self->busy = true;
    self->pollset = epoll_create1 (EPOLL_CLOEXEC);
    sh_err_t rc;
    if (self->pollset < 0)
        rc = sh_fail (why, SH_E_IO, "names cannot be looked up: %s",
                      strerror (errno));
    else
        rc = count ? s_add_servers (self, servers, count, why)
                   : s_add_system (self, why);
    self->options.resolv_conf = NULL; /* not ours to keep */
    if (rc == SH_OK)
        *out = self;
    else
        sc_names_destroy (&self);
    return rc;
}

void
sc_names_destroy (sc_names_t **self_p)
{
    sc_names_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        sc_resolver_destroy (&self->sources[i].resolver);
    if (self->pollset >= 0)
        (void) close (self->pollset);
    free (self);
    *self_p = NULL;
}

/*  Take a name, if it is a good one and goes before what is there.  Servers
    change the order of their answers from one to the next, and the name in
    phpIPAM is not to change with it; the hosts file has its order from the
    administrator.  */
static void
s_consider (query_t *query, const char *text)
{
    char name[SH_HOSTNAME_TEXT];
    if (sh_hostname_check (name, text) != SH_OK
        || sc_name_is_generated (name, &query->host->ip))
        return;
    int order = strcasecmp (name, query->name);
    if (order == 0)
        order = strcmp (name, query->name);
    if (!query->name[0] || (order < 0 && !s_is_file (query->source)))
        memcpy (query->name, name, sizeof name);
}

static void
s_on_answer (void *context, sc_answer_t answer, const char *const *names)
{
    query_t *query = context;
    for (; *names; names++)
        s_consider (query, *names);
    query->answer = answer;
    query->state = QUERY_ANSWERED;
}

/*  Ask the next source that is worth it; without one the host has no name.  */
static void
s_ask (sc_names_t *self, query_t *query)
{
    query->state = QUERY_FREE;
    while (query->attempt < self->options.tries * self->count) {
        size_t at = query->attempt++ % self->count;
        source_t *source = &self->sources[at];
        if (source->given_up || (query->useless & 1u << at))
            continue;
        query->source = source;
        query->heard = source->heard;
        query->state = QUERY_ASKED;
        sc_resolver_ask (source->resolver, &query->host->ip, s_on_answer,
                         query);
        return;
    }
}

static void
s_name_host (const sc_names_t *self, query_t *query)
{
    if (self->options.form == SC_NAMES_SHORT)
        query->name[strcspn (query->name, ".")] = '\0';
    query->host->name = strdup (query->name); /* without memory it has none */
    query->state = QUERY_FREE;
}

/*  After some silence a server is not asked any more, and what waits for it
    goes elsewhere.  One that has answered others meanwhile is there.  */
static void
s_count_silence (source_t *source, uint64_t heard)
{
    if (source->heard != heard || source->given_up
        || ++source->silent < SC_NAMES_SILENT)
        return;
    source->given_up = true;
    sc_resolver_cancel (source->resolver);
}

/*  An answer, or none: be done, or go on with the next source.  */
static void
s_settle (sc_names_t *self, query_t *query)
{
    source_t *source = query->source;
    if (query->answer == SC_ANSWER_SILENCE) {
        s_count_silence (source, query->heard);
    } else if (query->answer != SC_ANSWER_CANCELLED) {
        source->heard++;
        source->silent = 0;
        query->useless |= 1u << (source - self->sources);
    }
    bool told = query->answer == SC_ANSWER_NAMES
                || query->answer == SC_ANSWER_NONE;
    if (query->name[0])
        s_name_host (self, query);
    else if (told && !s_is_file (source))
        query->state = QUERY_FREE;
    else
        s_ask (self, query);
}

/*  One move with this question; false if there is none to be made.  */
static bool
s_move (sc_names_t *self, query_t *query)
{
    if (query->state == QUERY_ANSWERED) {
        s_settle (self, query);
        return true;
    }
    if (query->state == QUERY_ASKED || self->next == self->result->count)
        return false;
    sc_host_t *host = &self->result->hosts[self->next++];
    if (!host->name) {
        *query = (query_t){ .host = host };
        s_ask (self, query);
    }
    return true;
}

static void
s_work (sc_names_t *self)
{
    struct epoll_event events[SC_NAMES_AT_ONCE];
    int count = epoll_wait (self->pollset, events,
                            sizeof events / sizeof *events, 0);
    for (int i = 0; i < count; i++)
        sc_resolver_work (self->sources[events[i].data.u64 >> 32].resolver,
                          (int) (uint32_t) events[i].data.u64,
                          events[i].events);
    for (size_t i = 0; i < self->count; i++)
        sc_resolver_work (self->sources[i].resolver, -1, 0);
}

static void
s_finish (sc_names_t *self, bool late)
{
    self->over = true;
    if (late)
        (void) snprintf (self->note, sizeof self->note,
                         "not all names could be looked up in %u s",
                         (self->options.deadline + 999) / 1000);
    for (size_t i = self->count; i-- > 0;) {
        source_t *source = &self->sources[i];
        if (late)
            sc_resolver_cancel (source->resolver);
        if (source->given_up)
            (void) snprintf (self->note, sizeof self->note,
                             "the name server %s does not answer; names may "
                             "be missing",
                             source->server);
    }
}

/*  Make the moves there are.  True: nothing is left to be done or waited for.
    To give a server up ends questions in all places, so what is left can only
    be said afterwards.  */
static bool
s_move_all (sc_names_t *self)
{
    size_t moves = 0, asked = 0, answered = 0;
    for (size_t i = 0; i < SC_NAMES_AT_ONCE; i++) {
        while (moves < MOVES_MOST && s_move (self, &self->queries[i]))
            moves++;
    }
    for (size_t i = 0; i < SC_NAMES_AT_ONCE; i++) {
        asked += self->queries[i].state == QUERY_ASKED;
        answered += self->queries[i].state == QUERY_ANSWERED;
    }
    self->busy = moves == MOVES_MOST || answered;
    return !self->busy && !asked && self->next == self->result->count;
}

bool
sc_names_step (sc_names_t *self)
{
    if (self->over)
        return true;
    s_work (self);
    bool done = s_move_all (self);
    if (done || sh_clock_mono (self->clock) >= self->end)
        s_finish (self, !done);
    return self->over;
}

int
sc_names_fd (const sc_names_t *self)
{
    return self->pollset;
}

int
sc_names_timeout (const sc_names_t *self)
{
    if (self->busy || self->over)
        return 0;
    int64_t left = self->end - sh_clock_mono (self->clock);
    for (size_t i = 0; i < self->count; i++)
        left = sc_resolver_timeout (self->sources[i].resolver, left);
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int) left;
}

const char *
sc_names_note (const sc_names_t *self)
{
    return self->note;
}
