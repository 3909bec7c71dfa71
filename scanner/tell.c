/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/tell.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/text.h"
#include "lib/wrap.h"

#define CIDR_WIDTH 18 /* of an IPv4 network; longer ones get a line */

int
sc_exit_status (sh_err_t err)
{
    static const struct
    {
        sh_err_t err;
        int status;
    } special[] = {
        { SH_E_DISCONNECTED, EX_UNAVAILABLE },
        { SH_E_HUB_KEY, EX_UNAVAILABLE },
        { SH_E_NOT_FOUND, EX_OSFILE },
        { SH_E_PROBE, EX_TEMPFAIL },
        { SH_E_MEMORY, EX_OSERR },
        { SH_E_IO, EX_IOERR },
        { SH_E_CONFIG, EX_CONFIG },
        { SH_E_SYNTAX, EX_CONFIG },
        { SH_E_MODE, EX_CONFIG },
    };
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (special[i].err == err)
            return special[i].status;
    }
    switch (sh_err_class (err)) {
    case SH_CLASS_NONE:
        return EX_OK;
    case SH_CLASS_PEER:
        return EX_PROTOCOL;
    case SH_CLASS_DENIED:
        return EX_NOPERM;
    case SH_CLASS_RETRY:
        return EX_TEMPFAIL;
    case SH_CLASS_OURS:
        break;
    }
    return EX_SOFTWARE;
}

static void
s_count (sc_tell_t *self, sh_err_t err)
{
    int status = sc_exit_status (err);
    if (status > self->exit_status)
        self->exit_status = status;
}

void
sc_tell_up (sc_tell_t *self, const sp_welcome_t *welcome, const char *endpoint)
{
    if (self->once)
        return;
    sh_log (SH_LOG_NOTICE, "connected to the hub", SH_STR ("hub", endpoint),
            SH_STR ("name", welcome->name),
            SH_STR ("version", welcome->version));
}

static void
s_complain (sc_tell_t *self, const char *what, const char *text)
{
    char clean[SP_LONG_TEXT_MOST], line[sizeof clean + SP_LONG_TEXT_MOST];
    if (self->silent
        || (!what && strncmp (self->last, text, sizeof self->last - 1) == 0))
        return;
    if (!what)
        (void) snprintf (self->last, sizeof self->last, "%s", text);
    sh_escape (clean, sizeof clean, text);
    (void) fflush (stdout); /* keeps the order where both go to one place */
    (void) snprintf (line, sizeof line, "%s: %s",
                     what ? what : "scanhub-scanner", clean);
    sh_wrap_terminal (stderr, line);
}

void
sc_tell_down (sc_tell_t *self, const sp_event_t *event)
{
    if (self->once)
        s_complain (self, NULL, event->text);
    else
        sh_log (SH_LOG_WARNING, event->text,
                SH_STR ("cause", sh_err_word (event->err)),
                SH_INT ("retry_ms", event->delay));
}

void
sc_tell_note (sc_tell_t *self, const char *what, const char *text)
{
    if (self->once)
        s_complain (self, what, text);
    else
        sh_log (SH_LOG_NOTICE, text, SH_STR ("about", what));
}

void
sc_tell_trouble (sc_tell_t *self, const char *what, sh_err_t err,
                 const char *text)
{
    s_count (self, err);
    if (!text || !*text)
        text = sh_err_text (err);
    if (self->once)
        s_complain (self, what, text);
    else
        sh_log (SH_LOG_WARNING, "failed", SH_STR ("about", what),
                SH_STR ("cause", sh_err_word (err)), SH_STR ("text", text));
}

static void
s_add (uint64_t *sum, uint64_t more)
{
    if (__builtin_add_overflow (*sum, more, sum))
        *sum = UINT64_MAX;
}

/*  Were hosts refused for something that an administrator has to mend?  What
    a scanner may find and phpIPAM not hold is nobody's fault.  */
static bool
s_hosts_need_help (const sp_delivery_sum_t *sum)
{
    return *sum->host_cause
           && sh_err_class (sh_err_from_word (sum->host_cause))
                  != SH_CLASS_PEER;
}

/*  What the word of a cause means; "" for one that a newer hub may have.  */
static const char *
s_meaning (const char *cause)
{
    sh_err_t err = sh_err_from_word (cause);
    return strcmp (sh_err_word (err), cause) == 0 ? sh_err_text (err) : "";
}

/*  A line below a subnet's own; wrapped on a terminal.  */
static void SH_PRINTF (1, 2)
s_print_below (const char *format, ...)
{
    char line[SP_LONG_TEXT_MOST * 2];
    va_list args;
    va_start (args, format);
    (void) vsnprintf (line, sizeof line, format, args);
    va_end (args);
    if (isatty (STDOUT_FILENO))
        sh_wrap (stdout, 4, 6, line);
    else
        (void) printf ("    %s\n", line);
}

static void
s_print_refused (const sp_delivery_sum_t *sum)
{
    if (!sum->refused || !*sum->host_cause)
        return;
    char word[64];
    const char *meaning = s_meaning (sum->host_cause);
    sh_escape (word, sizeof word, sum->host_cause);
    s_print_below ("%" PRIu64 " address%s refused, %s%s%s%s", sum->refused,
                   sum->refused == 1 ? "" : "es",
                   sum->host_causes ? "among other things " : "", word,
                   *meaning ? ": " : "", meaning);
}

static void
s_print_line (const sc_outcome_t *outcome, const sp_delivery_sum_t *sum)
{
    const char *cidr = outcome->cidr;
    if (strlen (cidr) > CIDR_WIDTH) {
        (void) printf ("%s\n", cidr);
        cidr = "";
    }
    (void) printf ("%-*s %6" PRIu64 " up %6" PRIu64 " seen %6" PRIu64
                   " new %6" PRIu64 " refused %7.1f s\n",
                   CIDR_WIDTH, cidr, outcome->up,
                   sum->seen, sum->added, sum->refused,
                   (double) outcome->took / 1000);
}

/*  The less usual things, each on a line below.  */
static void
s_print_more (const sc_outcome_t *outcome, const sp_delivery_sum_t *sum)
{
    char clean[SP_LONG_TEXT_MOST];
    if (*outcome->note)
        s_print_below ("%s", outcome->note);
    if (outcome->incomplete) {
        sh_escape (clean, sizeof clean, outcome->incomplete);
        s_print_below ("incomplete: %s", clean);
    }
    if (*sum->cause) {
        sh_err_t err = sh_err_from_word (sum->cause);
        const char *text = *sum->text ? sum->text : sh_err_text (err);
        char word[64];
        sh_escape (word, sizeof word, sum->cause);
        sh_escape (clean, sizeof clean, text);
        s_print_below ("refused by the hub, %s: %s", word, clean);
    }
    s_print_refused (sum);
    if (sum->noted)
        s_print_below ("only noted by the hub, for preview");
    if (sum->held)
        s_print_below ("%" PRIu64 " change%s held by the hub until somebody "
                       "there applies %s", sum->held,
                       sum->held == 1 ? " is" : "s are",
                       sum->held == 1 ? "it" : "them");
    if (sum->bad_names || sum->bad_macs)
        s_print_below ("the hub left out %" PRIu64 " name%s and %" PRIu64
                       " MAC address%s, not being valid", sum->bad_names,
                       sh_text_s (sum->bad_names), sum->bad_macs,
                       sum->bad_macs == 1 ? "" : "es");
}

static void
s_log_outcome (const sc_outcome_t *outcome, const sp_delivery_sum_t *sum)
{
    const char *cidr = outcome->cidr;
    if (*sum->cause)
        sh_log (SH_LOG_WARNING, "report refused", SH_STR ("subnet", cidr),
                SH_STR ("cause", sum->cause), SH_STR ("text", sum->text));
    else
        sh_log (SH_LOG_INFO, "subnet scanned", SH_STR ("subnet", cidr),
                SH_INT ("up", outcome->up), SH_INT ("seen", sum->seen),
                SH_INT ("new", sum->added), SH_INT ("refused", sum->refused),
                SH_INT ("noted", sum->noted), SH_INT ("held", sum->held));
    if (sum->refused && *sum->host_cause)
        sh_log (SH_LOG_WARNING, "addresses refused", SH_STR ("subnet", cidr),
                SH_INT ("count", sum->refused),
                SH_STR ("cause", sum->host_cause),
                SH_STR ("text", s_meaning (sum->host_cause)));
}

void
sc_tell_kept (sc_tell_t *self, const sp_report_t *report,
              const sc_outcome_t *outcome, bool durable)
{
    if (self->once)
        return;
    sh_log (SH_LOG_INFO, durable ? "report kept" : "report waits in memory",
            SH_STR ("subnet", outcome->cidr),
            SH_INT ("started", report->started),
            SH_INT ("hosts", report->host_count),
            SH_INT ("ms", outcome->took));
    if (*outcome->note)
        sh_log (SH_LOG_NOTICE, outcome->note, SH_STR ("subnet", outcome->cidr));
    if (outcome->incomplete)
        sh_log (SH_LOG_WARNING, "scan incomplete",
                SH_STR ("subnet", outcome->cidr),
                SH_STR ("text", outcome->incomplete));
}

void
sc_tell_outcome (sc_tell_t *self, const sc_outcome_t *outcome)
{
    static const sp_delivery_sum_t nothing = { 0 };
    const sp_delivery_sum_t *sum = outcome->sum ? outcome->sum : &nothing;
    self->subnets++;
    s_add (&self->up, outcome->up);
    s_add (&self->seen, sum->seen);
    s_add (&self->added, sum->added);
    s_add (&self->refused, sum->refused);
    if (outcome->incomplete)
        s_count (self, SH_E_PROBE);
    if (*sum->cause)
        s_count (self, sh_err_from_word (sum->cause));
    if (s_hosts_need_help (sum) && self->exit_status < EX_PROTOCOL)
        self->exit_status = EX_PROTOCOL;
    if (!self->once) {
        s_log_outcome (outcome, sum);
        return;
    }
    s_print_line (outcome, sum);
    s_print_more (outcome, sum);
    (void) fflush (stdout);
}

void
sc_tell_total (sc_tell_t *self, int64_t now)
{
    (void) printf ("%" PRIu64 " subnet%s: %" PRIu64 " up, %" PRIu64
                   " seen, %" PRIu64 " new, %" PRIu64 " refused, %.1f s\n",
                   self->subnets, self->subnets == 1 ? "" : "s", self->up,
                   self->seen, self->added, self->refused,
                   (double) (now - self->begin) / 1000);
    if (self->failed)
        (void) printf ("%" PRIu64 " more without a result, of these %" PRIu64
                       " scanned and kept on disk for the next run\n",
                       self->failed, self->kept);
    (void) fflush (stdout);
}
