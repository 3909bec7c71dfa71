/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/builtin.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "scanner/inquiry.h"

#define AT_ONCE 8
#define RECEIVE_MOST 1024 /* packets of one socket in one step */

typedef struct probe probe_t;

typedef struct
{
    sc_prober_t base;
    sc_means_t means;
    probe_t *probes[AT_ONCE]; /* NULL: free */
} prober_t;

/*  Answers come to sockets that all probes share, so any of them may read what
    is another's; that one is then woken by its timer.  */
struct probe
{
    sc_probe_t base;
    prober_t *prober;
    sc_inquiry_t *inquiry;
    int epoll; /* the shared sockets, and ... */
    int timer;
};

/*  What s_take needs to know.  */
typedef struct
{
    const prober_t *prober;
    const probe_t *reader; /* NULL: none */
    int64_t now;
} delivery_t;

void
sc_builtin_default (sc_builtin_settings_t *out)
{
    *out = (sc_builtin_settings_t){ .rate = 1000,
                                    .tcp_ports = { 443, 80, 22, 445 },
                                    .tcp_port_count = 4 };
}

/*  ns.  Not the clock of the results, which may be another's.  */
static int64_t
s_now (void)
{
    struct timespec now = { 0 };
    (void) clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

/* the prober */

#define HOW_TO                                                                 \
    "give it CAP_NET_RAW (AmbientCapabilities=CAP_NET_RAW in its systemd "     \
    "unit, or setcap cap_net_raw+ep on the program)"

/*  What is missing without the right to all of it.  */
static void
s_note (const sc_sockets_t *sockets, const sc_socket_errors_t *errors,
        sh_why_t *note)
{
    note->text[0] = '\0';
    if (sockets->echo4 < 0)
        (void) sh_fail (note, SH_OK,
                        "no right to probe by ARP or echo (%s): hosts are "
                        "only found by TCP connections, and without MAC "
                        "addresses; " HOW_TO
                        ", or let its group ping (net.ipv4.ping_group_range)",
                        strerror (errors->echo4));
    else if (errors->link)
        (void) sh_fail (note, SH_OK,
                        "no right to probe by ARP and neighbour discovery "
                        "(%s): hosts are only found by echo, without MAC "
                        "addresses; " HOW_TO,
                        strerror (errors->link));
    else if (sockets->echo6 < 0)
        (void) sh_fail (note, SH_OK,
                        "no ICMPv6 echo (%s): IPv6 hosts beyond our links "
                        "are only found by TCP connections",
                        strerror (errors->echo6));
}

static sh_err_t
s_check (const void *settings, sh_why_t *note)
{
    (void) settings;
    sc_sockets_t sockets;
    sc_socket_errors_t errors;
    sh_why_t text;
    sc_sockets_open (&sockets, &errors);
    s_note (&sockets, &errors, &text);
    if (note)
        *note = text;
    sc_sockets_close (&sockets);
    return SH_OK;
}

static void
s_close (sc_prober_t **self_p)
{
    prober_t *self = (prober_t *) *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < AT_ONCE; i++)
        assert (!self->probes[i]);
    sc_sockets_close (&self->means.sockets);
    sc_tcp_destroy (&self->means.tcp);
    free (self);
    *self_p = NULL;
}

static sh_err_t
s_open (sc_prober_t **out, const void *settings, const sh_clock_t *clock,
        sh_why_t *why)
{
    (void) clock;
    if (sodium_init () < 0)
        return sh_fail (why, SH_E_PROBE, "libsodium cannot be used");
    prober_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
    self->base.engine = &sc_engine_builtin;
    self->means.settings = settings;
    sc_socket_errors_t errors;
    sc_sockets_open (&self->means.sockets, &errors);
    self->means.pace.chance = randombytes_random ();
    sc_pace_set (&self->means.pace, self->means.settings->rate, s_now ());
    sh_err_t rc = sc_tcp_new (&self->means.tcp, why);
    sc_prober_t *prober = &self->base;
    if (rc == SH_OK)
        *out = prober;
    else
        s_close (&prober);
    return rc;
}

/* answers */

/*  'due' in ns, by s_now; the past: at once.  */
static void
s_arm (const probe_t *self, int64_t due)
{
    if (due < 1)
        due = 1; /* 0 would disarm it */
    struct itimerspec when
        = { .it_value = { .tv_sec = due / 1000000000,
                          .tv_nsec = (long) (due % 1000000000) } };
    (void) timerfd_settime (self->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void
s_adopt (sc_prober_t *prober, const void *settings)
{
    prober_t *self = (prober_t *) prober;
    self->means.settings = settings;
    if (self->means.settings->rate == self->means.pace.rate)
        return;
    sc_pace_set (&self->means.pace, self->means.settings->rate, s_now ());
    for (size_t i = 0; i < AT_ONCE; i++) /* they may sleep long */
        if (self->probes[i])
            s_arm (self->probes[i], 0);
}

static void
s_take (void *context, const sc_reply_t *reply)
{
    const delivery_t *delivery = context;
    for (size_t i = 0; i < AT_ONCE; i++) {
        probe_t *probe = delivery->prober->probes[i];
        if (probe && sc_inquiry_take (probe->inquiry, reply, delivery->now)
            && probe != delivery->reader)
            s_arm (probe, 0);
    }
}

static void
s_take_tcp (void *context, const void *owner, const sh_addr_t *addr,
            int64_t asked_at)
{
    const delivery_t *delivery = context;
    for (size_t i = 0; i < AT_ONCE; i++) {
        probe_t *probe = delivery->prober->probes[i];
        if (!probe || probe->inquiry != owner)
            continue;
        sc_inquiry_take_tcp (probe->inquiry, addr, asked_at, delivery->now);
        s_arm (probe, 0);
    }
}

static void
s_receive (const prober_t *self, const probe_t *reader)
{
    delivery_t delivery
        = { .prober = self, .reader = reader, .now = s_now () };
    (void) sc_sockets_receive (&self->means.sockets, RECEIVE_MOST, s_take,
                               &delivery);
    sc_tcp_receive (self->means.tcp, delivery.now, s_take_tcp, &delivery);
}

/* the probe */

static probe_t *
s_self (sc_probe_t *probe)
{
    assert (probe->engine == &sc_engine_builtin);
    return (probe_t *) probe;
}

static const probe_t *
s_view (const sc_probe_t *probe)
{
    assert (probe->engine == &sc_engine_builtin);
    return (const probe_t *) probe;
}

static void
s_destroy (sc_probe_t **self_p)
{
    if (!*self_p)
        return;
    probe_t *self = s_self (*self_p);
    for (size_t i = 0; i < AT_ONCE; i++)
        if (self->prober->probes[i] == self)
            self->prober->probes[i] = NULL;
    sc_inquiry_destroy (&self->inquiry);
    if (self->epoll >= 0)
        (void) close (self->epoll);
    if (self->timer >= 0)
        (void) close (self->timer);
    free (self);
    *self_p = NULL;
}

/*  One descriptor for all that can wake a probe.  */
static sh_err_t
s_watch (probe_t *self, sh_why_t *why)
{
    const sc_sockets_t *sockets = &self->prober->means.sockets;
    self->epoll = epoll_create1 (EPOLL_CLOEXEC);
    self->timer
        = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    const int all[] = { self->timer,        sc_tcp_fd (self->prober->means.tcp),
                        sockets->arp,       sockets->discovery,
                        sockets->echo4,     sockets->echo6 };
    bool failed = self->epoll < 0 || self->timer < 0;
    struct epoll_event event = { .events = EPOLLIN };
    for (size_t i = 0; i < sizeof all / sizeof *all && !failed; i++)
        failed = all[i] >= 0
                 && epoll_ctl (self->epoll, EPOLL_CTL_ADD, all[i], &event) != 0;
    return failed ? sh_fail (why, SH_E_PROBE, "cannot watch sockets: %s",
                             strerror (errno))
                  : SH_OK;
}

static sh_err_t
s_join (probe_t *self, sh_why_t *why)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        if (!self->prober->probes[i]) {
            self->prober->probes[i] = self;
            return SH_OK;
        }
    }
    return sh_fail (why, SH_E_PROBE, "more than %d probes at once", AT_ONCE);
}

static sh_err_t
s_start (sc_probe_t **out, sc_prober_t *prober, const sc_job_t *job,
         const sh_clock_t *clock, sh_why_t *why)
{
    probe_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
    self->base.engine = &sc_engine_builtin;
    self->prober = (prober_t *) prober;
    self->epoll = self->timer = -1;
    /* answers that nobody has fetched since the last probe are none to us */
    s_receive (self->prober, NULL);
    sh_err_t rc = s_watch (self, why);
    if (rc == SH_OK)
        rc = sc_inquiry_new (&self->inquiry, &self->prober->means, job, clock,
                             s_now (), why);
    if (rc == SH_OK)
        rc = s_join (self, why);
    sc_probe_t *probe = &self->base;
    if (rc == SH_OK) {
        s_arm (self, 0);
        *out = probe;
    } else
        s_destroy (&probe);
    return rc;
}

static int
s_fd (const sc_probe_t *probe)
{
    return s_view (probe)->epoll;
}

/*  The descriptor says it all.  */
static int
s_timeout (const sc_probe_t *probe)
{
    (void) probe;
    return -1;
}

static bool
s_step (sc_probe_t *probe)
{
    probe_t *self = s_self (probe);
    uint64_t expired;
    while (read (self->timer, &expired, sizeof expired) < 0 && errno == EINTR)
        ;
    s_receive (self->prober, self);
    int64_t due = 0;
    if (sc_inquiry_work (self->inquiry, s_now (), &due))
        return true;
    s_arm (self, due);
    return false;
}

static void
s_progress (const sc_probe_t *probe, sc_progress_t *out)
{
    sc_inquiry_progress (s_view (probe)->inquiry, s_now (), out);
}

static sc_result_t *
s_result (sc_probe_t *probe)
{
    return sc_inquiry_result (s_self (probe)->inquiry);
}

const sc_engine_t sc_engine_builtin = { .name = "builtin",
                                        .at_once = AT_ONCE,
                                        .seeks = true,
                                        .alone = true,
                                        .check = s_check,
                                        .open = s_open,
                                        .close = s_close,
                                        .adopt = s_adopt,
                                        .start = s_start,
                                        .fd = s_fd,
                                        .timeout = s_timeout,
                                        .step = s_step,
                                        .progress = s_progress,
                                        .result = s_result,
                                        .destroy = s_destroy };
