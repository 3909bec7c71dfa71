/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/adhoc.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/signals.h"
#include "scanner/names.h"
#include "scanner/rights.h"
#include "scanner/scan.h"
#include "scanner/tell.h"

#define SHOW_MS 200   /* between two looks of the progress bar */
#define BAR_WIDTH 30
#define MAC_WIDTH 17
#define HOW_WIDTH 6
#define ADDR_WIDTH 15 /* of an IPv4 address; longer ones push the rest on */

typedef struct
{
    const sc_adhoc_t *options;
    const sc_engine_t *engine;
    sc_prober_t *prober;
    sc_scan_t *scan;
    sc_job_t job;
    sc_result_t result;
    uint64_t asked; /* addresses, to the end */
    sc_tell_t tell;
    int signals; /* signalfd */
    int signal;  /* received, or 0 */
    bool bar;    /* standard error is a terminal */
    int64_t begin, shown; /* mono ms */
} adhoc_t;

static int64_t
s_now (const adhoc_t *self)
{
    return sh_clock_mono (self->options->clock);
}

static int
s_fail (adhoc_t *self, sh_err_t rc, const char *text)
{
    sc_tell_trouble (&self->tell, NULL, rc, text);
    return self->tell.exit_status;
}

/*  "10.0.0.5/24" is a slip that deserves better than 'no'.  */
static sh_err_t
s_explain (const char *text, sh_why_t *why)
{
    char shown[64], base[SH_ADDR_TEXT + 1];
    sh_escape (shown, sizeof shown, text);
    const char *slash = strchr (text, '/');
    size_t size = slash ? (size_t) (slash - text) : 0;
    sh_addr_t addr;
    if (size > 0 && size < sizeof base) {
        memcpy (base, text, size);
        base[size] = '\0';
        size_t digits = strspn (slash + 1, "0123456789");
        unsigned long length = strtoul (slash + 1, NULL, 10);
        unsigned long most = strchr (base, ':') ? 128 : 32;
        if (sh_addr_parse (&addr, base) == SH_OK && digits > 0
            && slash[1 + digits] == '\0' && length <= most) {
            for (unsigned long bit = length; bit < most; bit++)
                addr.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
            sh_addr_text (&addr, base);
            return sh_fail (why, SH_E_SYNTAX,
                            "'%s' is an address within a network; the network "
                            "is %s/%lu",
                            shown, base, length);
        }
    }
    return sh_fail (why, SH_E_SYNTAX,
                    "'%s' is not a network such as 10.0.0.0/24, nor an address",
                    shown);
}

static sh_err_t
s_read_cidr (sh_prefix_t *out, const char *text, sh_why_t *why)
{
    sh_addr_t addr;
    if (sh_addr_parse (&addr, text) == SH_OK) {
        *out = (sh_prefix_t){ .base = addr,
                              .length = addr.family == 4 ? 32 : 128 };
        return SH_OK;
    }
    if (sh_prefix_parse (out, text) != SH_OK)
        return s_explain (text, why);
    if (out->base.family == 4 && sh_prefix_count (out) > SC_SWEEP_MOST)
        return sh_fail (why, SH_E_SYNTAX,
                        "%s has more than %d addresses; take a part of it",
                        text, SC_SWEEP_MOST);
    return SH_OK;
}

static sh_err_t
s_prepare (adhoc_t *self, sh_why_t *why)
{
    const sc_adhoc_t *options = self->options;
    sc_subnet_t subnet = { .id = 1, .discover = true,
                           .neighbours = options->neighbours };
    sh_err_t rc = s_read_cidr (&subnet.prefix, options->cidr, why);
    if (rc != SH_OK)
        return rc;
    const void *settings;
    sh_why_t note = { "" };
    self->engine = sc_config_engine (options->config, &settings);
    rc = self->engine->check (settings, &note);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s", note.text);
    if (*note.text)
        sc_tell_note (&self->tell, NULL, note.text);
    rc = self->engine->open (&self->prober, settings, options->clock, why);
    if (rc == SH_OK)
        rc = sc_rights_reduce (!self->engine->alone, why);
    if (rc == SH_OK)
        rc = sc_scan_new (&self->scan, &subnet, SP_KIND_DISCOVER, NULL);
    if (rc == SH_OK)
        rc = sc_scan_plan (self->scan);
    if (rc != SH_OK)
        return rc;
    self->job = *sc_scan_job (self->scan);
    self->job.rate = options->rate;
    self->signals = sh_signals_open ();
    if (self->signals < 0)
        return sh_fail (why, SH_E_IO, "signalfd: %s", strerror (errno));
    self->bar = isatty (STDERR_FILENO) == 1;
    return SH_OK;
}

static void
s_show (adhoc_t *self, const sc_probe_t *probe)
{
    int64_t now = s_now (self);
    if (!self->bar || now - self->shown < SHOW_MS)
        return;
    self->shown = now;
    sc_progress_t progress;
    self->engine->progress (probe, &progress);
    uint64_t total = progress.total ? progress.total : 1;
    uint64_t done = progress.done < total ? progress.done : total;
    int full = (int) (BAR_WIDTH * done / total);
    char bar[BAR_WIDTH + 1];
    memset (bar, ' ', BAR_WIDTH);
    memset (bar, '#', (size_t) full);
    bar[BAR_WIDTH] = '\0';
    (void) fprintf (stderr,
                    "\r[%s] %3d %% %6" PRIu64 " up %6" PRIu64 "/s\033[K", bar,
                    (int) (100 * done / total), progress.up, progress.rate);
}

static void
s_wipe (const adhoc_t *self)
{
    if (self->bar)
        (void) fputs ("\r\033[K", stderr);
}

static bool
s_is_signalled (adhoc_t *self)
{
    int signal = sh_signals_read (self->signals);
    if (signal)
        self->signal = signal;
    return self->signal != 0;
}

/*  Until the probe is over, or a signal ends it.  */
static sh_err_t
s_watch (adhoc_t *self, sc_probe_t *probe)
{
    struct pollfd items[]
        = { { .fd = self->engine->fd (probe), .events = POLLIN },
            { .fd = self->signals, .events = POLLIN } };
    while (!self->engine->step (probe)) {
        s_show (self, probe);
        int timeout = self->engine->timeout (probe);
        if (self->bar && (timeout < 0 || timeout > SHOW_MS))
            timeout = SHOW_MS;
        if (poll (items, 2, timeout) < 0 && errno != EINTR)
            return SH_E_IO;
        if (items[1].revents && s_is_signalled (self))
            return SH_E_INTERRUPTED;
    }
    return SH_OK;
}

static sh_err_t
s_probe (adhoc_t *self, sh_why_t *why)
{
    if (sc_job_is_empty (&self->job, self->engine)) {
        self->result.complete = self->job.neighbours == SC_NEIGHBOURS_NONE;
        (void) snprintf (self->result.text, sizeof self->result.text,
                         "too large to be swept, and %s cannot look for "
                         "neighbours; --engine builtin can",
                         self->engine->name);
        return SH_OK;
    }
    sc_probe_t *probe = NULL;
    sh_err_t rc = self->engine->start (&probe, self->prober, &self->job,
                                       self->options->clock, why);
    if (rc != SH_OK)
        return rc;
    rc = s_watch (self, probe);
    s_wipe (self);
    sc_progress_t progress;
    self->engine->progress (probe, &progress);
    self->asked = progress.done;
    sc_result_t *found = self->engine->result (probe);
    self->result = *found;
    *found = (sc_result_t){ 0 };
    self->engine->destroy (&probe);
    if (rc == SH_E_INTERRUPTED) {
        self->result.complete = false;
        (void) snprintf (self->result.text, sizeof self->result.text,
                         "interrupted");
        rc = SH_OK;
    }
    return rc == SH_OK ? rc : sh_fail (why, rc, "%s", sh_err_text (rc));
}

/*  Names at the system's servers; they may be missing.  */
static void
s_find_names (adhoc_t *self)
{
    sc_names_t *names = NULL;
    sh_why_t why = { "" };
    const sc_names_options_t options = { .form = self->options->config->names };
    if (!self->options->names || self->signal || self->result.count == 0)
        return;
    if (sc_names_start (&names, &self->result, NULL, 0, &options,
                        self->options->clock, &why)
        != SH_OK) {
        sc_tell_note (&self->tell, NULL, why.text);
        return;
    }
    struct pollfd items[] = { { .fd = sc_names_fd (names), .events = POLLIN },
                              { .fd = self->signals, .events = POLLIN } };
    while (!sc_names_step (names) && !s_is_signalled (self))
        (void) poll (items, 2, sc_names_timeout (names));
    if (*sc_names_note (names))
        sc_tell_note (&self->tell, NULL, sc_names_note (names));
    sc_names_destroy (&names);
}

static void
s_print_sum (const adhoc_t *self, int64_t took)
{
    uint64_t all = sh_ranges_count (self->job.ranges);
    double seconds = (double) took / 1000;
    size_t up = self->result.count;
    if (all == 0)
        (void) printf ("%zu neighbour%s found in %.1f s\n", up,
                       up == 1 ? "" : "s", seconds);
    else if (self->signal)
        (void) printf ("%zu up; %" PRIu64 " of %" PRIu64
                       " addresses probed in %.1f s\n",
                       up, self->asked, all, seconds);
    else
        (void) printf ("%zu up of %" PRIu64 " probed in %.1f s\n", up, all,
                       seconds);
}

static void
s_print_table (adhoc_t *self, int64_t took)
{
    const sc_result_t *result = &self->result;
    if (result->count)
        (void) printf ("%-*s  %-*s  %-*s%s\n", ADDR_WIDTH, "ADDRESS",
                       MAC_WIDTH, "MAC", HOW_WIDTH, "BY", "NAME");
    for (size_t i = 0; i < result->count; i++) {
        const sc_host_t *host = &result->hosts[i];
        const char *how = *host->how ? host->how : "-";
        char text[SH_ADDR_TEXT], name[SP_LONG_TEXT_MOST];
        sh_addr_text (&host->ip, text);
        sh_escape (name, sizeof name, host->name ? host->name : "");
        (void) printf ("%-*s  %-*s  %s%*s%s\n", ADDR_WIDTH, text, MAC_WIDTH,
                       *host->mac ? host->mac : "-", how,
                       *name ? HOW_WIDTH - (int) strlen (how) : 0, "", name);
    }
    s_print_sum (self, took);
    if (*sc_scan_note (self->scan))
        sc_tell_note (&self->tell, NULL, sc_scan_note (self->scan));
}

static json_t *
s_text (const char *text)
{
    return text && *text ? json_string (text) : json_null ();
}

static json_t *
s_host (const sc_host_t *host)
{
    char ip[SH_ADDR_TEXT];
    sh_addr_text (&host->ip, ip);
    return json_pack ("{s:s, s:o, s:o, s:o, s:I}", "ip", ip, "mac",
                      s_text (host->mac), "name", s_text (host->name), "how",
                      s_text (host->how), "seen_ms", (json_int_t) host->seen);
}

static sh_err_t
s_print_json (const adhoc_t *self, int64_t took)
{
    const sc_result_t *result = &self->result;
    json_t *hosts = json_array ();
    for (size_t i = 0; i < result->count; i++)
        if (json_array_append_new (hosts, s_host (&result->hosts[i])) != 0)
            break;
    json_t *root = NULL;
    if (json_array_size (hosts) == result->count)
        root = json_pack (
            "{s:s, s:b, s:o, s:I, s:I, s:I, s:O}", "cidr",
            sc_scan_cidr (self->scan), "complete", result->complete, "text",
            s_text (result->text), "took_ms", (json_int_t) took, "probed",
            (json_int_t) self->asked, "missed",
            (json_int_t) sh_ranges_count (&result->missed), "hosts", hosts);
    json_decref (hosts);
    if (!root)
        return SH_E_MEMORY;
    int rc = json_dumpf (root, stdout, JSON_INDENT (1));
    json_decref (root);
    /* that it could not be written is told in the end */
    return rc == 0 || ferror (stdout) ? putchar ('\n'), SH_OK : SH_E_MEMORY;
}

/*  The exit status.  */
static int
s_tell (adhoc_t *self)
{
    int64_t took = s_now (self) - self->begin;
    sc_result_t *result = &self->result;
    sc_result_settle (result, &self->job, INT64_MIN, INT64_MAX);
    sh_err_t rc = SH_OK;
    if (self->options->json)
        rc = s_print_json (self, took);
    else
        s_print_table (self, took);
    if (rc != SH_OK)
        return s_fail (self, rc, NULL);
    if (!result->complete) {
        (void) s_fail (self, SH_E_PROBE, result->text);
        return self->signal ? 128 + self->signal : self->tell.exit_status;
    }
    if (*result->text)
        sc_tell_note (&self->tell, NULL, result->text);
    else if (result->count == 0
             && self->job.neighbours != SC_NEIGHBOURS_NONE)
        sc_tell_note (&self->tell, NULL,
                      "no neighbour in there has answered; is it on a link of "
                      "this machine? Random addresses are only shown with "
                      "--all");
    return EX_OK;
}

int
sc_adhoc_run (const sc_adhoc_t *options)
{
    adhoc_t self = { .options = options, .signals = -1 };
    self.tell.once = true;
    self.begin = sh_clock_mono (options->clock);
    sh_why_t why = { "" };
    sh_err_t rc = s_prepare (&self, &why);
    if (rc == SH_OK)
        rc = s_probe (&self, &why);
    if (rc == SH_OK)
        s_find_names (&self);
    int status = rc == SH_OK ? s_tell (&self)
                             : s_fail (&self, rc, why.text);
    if (rc == SH_E_SYNTAX)
        status = EX_USAGE;
    sc_result_clear (&self.result);
    sc_scan_destroy (&self.scan);
    if (self.prober)
        self.engine->close (&self.prober);
    if (self.signals >= 0)
        (void) close (self.signals);
    return status;
}

const char *
sc_adhoc_library (void)
{
    return "jansson " JANSSON_VERSION;
}
