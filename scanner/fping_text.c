/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/fping_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#define LINE_MOST 256 /* an address, what is said of it, an error's text */
#define REASON_MOST 64

typedef struct
{
    char text[LINE_MOST];
    size_t size;
    bool over; /* longer than that: passed over */
} line_t;

struct sc_fping_text
{
    sc_result_t *result;
    const sc_job_t *job;
    const sh_clock_t *clock;
    sh_addr_t canary;
    uint64_t asked, silent; /* addresses of the job; of these, unreachable */
    bool heard;             /* the canary, or a host */
    line_t output, errors;
    sh_addr_t *unsent;
    size_t count, room;
    char reason[REASON_MOST]; /* of the first that was not sent */
    sh_err_t error;           /* stays */
};

sh_err_t
sc_fping_text_new (sc_fping_text_t **out, sc_result_t *result,
                   const sc_job_t *job, const sh_addr_t *canary,
                   const sh_clock_t *clock)
{
    sc_fping_text_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->result = result;
    self->job = job;
    self->canary = *canary;
    self->clock = clock;
    self->asked = sh_ranges_count (job->ranges);
    *out = self;
    return SH_OK;
}

void
sc_fping_text_destroy (sc_fping_text_t **self_p)
{
    if (*self_p)
        free ((*self_p)->unsent);
    free (*self_p);
    *self_p = NULL;
}

/*  The address that ends right before 'end': from there back to a blank, or to
    the bracket of a note that fping put in front without ending its line.  */
static bool
s_address_before (sh_addr_t *out, const char *line, const char *end)
{
    const char *begin = end;
    while (begin > line && begin[-1] != ' ' && begin[-1] != ']')
        begin--;
    char text[SH_ADDR_TEXT];
    size_t size = (size_t) (end - begin);
    if (size >= sizeof text)
        return false;
    memcpy (text, begin, size);
    text[size] = '\0';
    return sh_addr_parse (out, text) == SH_OK;
}

static void
s_on_alive (sc_fping_text_t *self, const sh_addr_t *ip)
{
    bool wanted = sh_ranges_contain (self->job->ranges, ip);
    if (wanted || sh_addr_cmp (ip, &self->canary) == 0)
        self->heard = true;
    if (!wanted || self->result->count >= self->asked)
        return;
    sc_host_t host = { .ip = *ip,
                       .seen = sh_clock_wall (self->clock),
                       .how = "echo" };
    sh_err_t rc = sc_result_add (self->result, &host);
    if (rc != SH_OK)
        self->error = rc;
}

static void
s_on_output (sc_fping_text_t *self, const char *line)
{
    static const char alive[] = " is alive", other[] = " is alive [<- ",
                      silent[] = " is unreachable";
    const char *end = strchr (line, ' ');
    sh_addr_t ip;
    if (!end || !s_address_before (&ip, line, end))
        return;
    /* behind it may stand which other address of the host has answered */
    if (strcmp (end, alive) == 0
        || strncmp (end, other, sizeof other - 1) == 0)
        s_on_alive (self, &ip);
    else if (strcmp (end, silent) == 0
             && sh_ranges_contain (self->job->ranges, &ip))
        self->silent++;
}

static void
s_on_error (sc_fping_text_t *self, const char *line)
{
    static const char sign[] = ": error while sending ping: ";
    const char *at = strstr (line, sign);
    sh_addr_t ip;
    if (!at || !s_address_before (&ip, line, at)
        || !sh_ranges_contain (self->job->ranges, &ip)
        || self->count >= self->asked)
        return;
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 64;
        sh_addr_t *unsent = reallocarray (self->unsent, room, sizeof *unsent);
        if (!unsent) {
            self->error = SH_E_MEMORY;
            return;
        }
        self->unsent = unsent;
        self->room = room;
    }
    if (self->count == 0)
        sh_escape (self->reason, sizeof self->reason,
                   at[sizeof sign - 1] ? at + sizeof sign - 1
                                       : "no reason given");
    self->unsent[self->count++] = ip;
}

static void
s_take (sc_fping_text_t *self, line_t *line, const char *data, size_t size,
        void (*on_line) (sc_fping_text_t *self, const char *line))
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] != '\n') {
            if (line->size < sizeof line->text - 1)
                line->text[line->size++] = data[i];
            else
                line->over = true;
            continue;
        }
        line->text[line->size] = '\0';
        /* a NUL in it would hide the rest */
        if (!line->over && strlen (line->text) == line->size)
            on_line (self, line->text);
        *line = (line_t){ 0 };
    }
}

void
sc_fping_text_feed (sc_fping_text_t *self, const void *data, size_t size)
{
    s_take (self, &self->output, data, size, s_on_output);
}

void
sc_fping_text_feed_errors (sc_fping_text_t *self, const void *data,
                           size_t size)
{
    s_take (self, &self->errors, data, size, s_on_error);
}

uint64_t
sc_fping_text_done (const sc_fping_text_t *self)
{
    uint64_t done = self->result->count + self->silent;
    return done < self->asked ? done : self->asked;
}

static int
s_compare_addr (const void *a, const void *b)
{
    return sh_addr_cmp (a, b);
}

static int
s_compare_host (const void *a, const void *b)
{
    return sh_addr_cmp (&((const sc_host_t *) a)->ip,
                        &((const sc_host_t *) b)->ip);
}

/*  Of what was not sent once, those are missed that did not answer another
    time.  */
static sh_err_t
s_put_missed (sc_fping_text_t *self)
{
    sc_result_t *result = self->result;
    if (self->count == 0)
        return SH_OK;
    qsort (self->unsent, self->count, sizeof *self->unsent, s_compare_addr);
    if (result->count)
        qsort (result->hosts, result->count, sizeof *result->hosts,
               s_compare_host);
    sh_err_t rc = SH_OK;
    for (size_t i = 0; i < self->count && rc == SH_OK; i++) {
        sc_host_t key = { .ip = self->unsent[i] };
        bool again = i && s_compare_addr (&key.ip, &self->unsent[i - 1]) == 0;
        if (!again
            && !(result->count
                 && bsearch (&key, result->hosts, result->count, sizeof key,
                             s_compare_host)))
            rc = sh_ranges_add (&result->missed, &key.ip, &key.ip);
    }
    return rc;
}

sh_err_t
sc_fping_text_finish (sc_fping_text_t *self, sh_why_t *why)
{
    sc_result_t *result = self->result;
    sh_err_t rc = self->error;
    if (rc == SH_OK)
        rc = s_put_missed (self);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s", sh_err_text (rc));
    uint64_t missed = sh_ranges_count (&result->missed);
    if (missed && missed >= self->asked)
        return sh_fail (why, SH_E_PROBE, "fping could not send: %s",
                        self->reason);
    if (!self->heard)
        return sh_fail (why, SH_E_PROBE,
                        "fping hears no answers, not even this machine's own: "
                        "it may not send raw packets, and fping before 5.2 "
                        "cannot do without (setcap cap_net_raw=ep FPING), or a "
                        "firewall is in the way");
    if (sc_fping_text_done (self) < self->asked)
        return sh_fail (why, SH_E_PROBE,
                        "fping ended before all addresses were settled");
    if (missed)
        (void) snprintf (result->text, sizeof result->text,
                         "%llu address%s could not be asked: %s",
                         (unsigned long long) missed, missed == 1 ? "" : "es",
                         self->reason);
    return SH_OK;
}
