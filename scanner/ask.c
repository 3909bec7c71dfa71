/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/ask.h"

#include <assert.h>
#include <string.h>

#include "lib/log.h"

#define ANSWER_MS 10000 /* then the question is asked again */
#define LATER_MS 2000   /* after the hub said 'later' */
#define RESTARTS_MOST 5 /* assignments that change while they are read */

typedef enum
{
    FIT_NOT, /* a message about something else */
    FIT_OLD, /* a page, but not beyond what we have */
    FIT
} fit_t;

/*  Questions for page after page, one at a time.  */
typedef struct
{
    const sc_ask_t *ask;
    const sp_message_t *question;
    fit_t (*fits) (const sp_message_t *question, const sp_message_t *message);
    size_t open; /* times that we asked without having got a page yet */
    int64_t until;
    int64_t due;      /* when to ask (again) */
    sh_err_t later;   /* the hub's last excuse ... */
    sh_why_t excuse;  /* ... in its words */
} exchange_t;

static sh_err_t
s_give_up (const exchange_t *self, sh_why_t *why)
{
    const sc_ask_t *ask = self->ask;
    if (!sp_client_is_up (sc_link_client (ask->link)))
        return sc_link_why (ask->link, why);
    if (self->later != SH_OK)
        return sh_fail (why, self->later, "%s", self->excuse.text);
    return sh_fail (why, SH_E_TIMEOUT, "%s is connected but gives no answer",
                    sp_client_endpoint (sc_link_client (ask->link)));
}

static sh_err_t
s_take_error (exchange_t *self, const sp_error_t *error, int64_t now,
              sh_why_t *why)
{
    sh_err_t err = sh_err_from_word (error->cause);
    const char *text = error->text ? error->text : sh_err_text (err);
    char cause[64];
    sh_escape (cause, sizeof cause, error->cause ? error->cause : "");
    if (sh_err_class (err) != SH_CLASS_RETRY)
        return sh_fail (why, err, "the hub answered %s: %.300s", cause, text);
    self->later
        = sh_fail (&self->excuse, err, "the hub answered %s: %.300s", cause,
                   text);
    self->due = now + LATER_MS;
    return SH_OK;
}

static void
s_send (exchange_t *self, int64_t now)
{
    sp_client_t *client = sc_link_client (self->ask->link);
    if (!sp_client_is_up (client) || now < self->due)
        return;
    sh_err_t rc = sp_client_send (client, self->question);
    self->due = now + (rc == SH_OK ? ANSWER_MS : LATER_MS);
    if (rc == SH_OK)
        self->open++;
}

static int
s_timeout (const exchange_t *self, int64_t now)
{
    int64_t end = self->until;
    if (sp_client_is_up (sc_link_client (self->ask->link)) && self->due < end)
        end = self->due;
    return end <= now ? 0 : (int) (end - now);
}

/*  A page that does not go beyond what we have may be the late answer to a
    question that was asked twice, but never the only one.  */
static sh_err_t
s_take_page (exchange_t *self, fit_t fit, sh_why_t *why)
{
    bool only = self->open < 2;
    if (self->open)
        self->open--;
    if (fit == FIT_OLD && only)
        return sh_fail (why, SH_E_BAD_MESSAGE,
                        "the hub's pages of %s do not advance",
                        self->question->type == SP_TARGETS ? "targets"
                                                           : "assignments");
    return SH_OK;
}

/*  Ask until there is an answer; it stays valid until the next wait.  */
static sh_err_t
s_exchange (exchange_t *self, const sp_message_t **answer, sh_why_t *why)
{
    sc_link_t *link = self->ask->link;
    const sh_clock_t *clock = sc_link_clock (link);
    self->until = sh_clock_mono (clock) + self->ask->patience;
    self->due = 0;
    self->later = SH_OK;
    for (;;) {
        int64_t now = sh_clock_mono (clock);
        if (now >= self->until
            || (self->ask->once && sc_link_is_hopeless (link)))
            return s_give_up (self, why);
        s_send (self, now);
        const sp_event_t *event;
        sh_err_t rc = sc_link_wait (link, s_timeout (self, now), &event);
        if (rc != SH_OK)
            return sh_fail (why, rc, "%s", sh_err_text (rc));
        if (event->kind == SP_EVENT_UP) {
            self->due = 0;
            self->open = 0; /* what the last session was asked is lost */
        }
        if (event->kind != SP_EVENT_MESSAGE)
            continue;
        fit_t fit = self->fits (self->question, event->message);
        if (fit != FIT_NOT)
            rc = s_take_page (self, fit, why);
        if (fit == FIT) {
            *answer = event->message;
            return SH_OK;
        }
        if (event->message->type == SP_ERROR)
            rc = s_take_error (self, &event->message->u.error,
                               sh_clock_mono (clock), why);
        if (rc != SH_OK)
            return rc;
    }
}

static fit_t
s_fits_assignments (const sp_message_t *question, const sp_message_t *message)
{
    if (message->type != SP_ASSIGNMENTS_PAGE)
        return FIT_NOT;
    const sp_assignments_page_t *page = &message->u.assignments_page;
    if (page->subnet_count == 0)
        return page->more ? FIT_OLD : FIT;
    return page->subnets[0].id > question->u.assignments.after ? FIT : FIT_OLD;
}

/*  Rows have to ascend whether they can be read or not, and count either way:
    else a hub could send them without end.  'after' is the last one's id.  */
static sh_err_t
s_check_row (size_t *rows, uint64_t *after, uint64_t id, sh_why_t *why)
{
    if (id <= *after)
        return sh_fail (why, SH_E_BAD_MESSAGE,
                        "the hub's assignments are not in ascending order");
    if (++*rows > SC_SUBNETS_MOST)
        return sh_fail (why, SH_E_TOO_LARGE,
                        "the hub assigns more than %d subnets",
                        SC_SUBNETS_MOST);
    *after = id;
    return SH_OK;
}

static sh_err_t
s_add_page (sc_plan_t *plan, const sp_assignments_page_t *page, size_t *rows,
            uint64_t *after, sc_tell_t *tell, sh_why_t *why)
{
    for (size_t i = 0; i < page->subnet_count; i++) {
        sc_subnet_t subnet;
        sh_why_t bad = { 0 };
        sh_err_t rc = s_check_row (rows, after, page->subnets[i].id, why);
        if (rc != SH_OK)
            return rc;
        rc = sc_subnet_read (&subnet, &page->subnets[i], &bad);
        if (rc != SH_OK) {
            sc_tell_trouble (tell, NULL, rc, bad.text);
            continue;
        }
        rc = sc_plan_add (plan, &subnet);
        if (rc != SH_OK)
            return sh_fail (why, rc, "the hub's assignments: %s",
                            sh_err_text (rc));
    }
    return SH_OK;
}

/*  All pages of one revision; 'after' is the question's.  SH_E_DB_BUSY: it
    changed meanwhile.  */
static sh_err_t
s_read_assignments (exchange_t *exchange, uint64_t *after, sc_plan_t *out,
                    sc_tell_t *tell, sh_why_t *why)
{
    uint8_t revision[SP_REVISION] = { 0 };
    size_t rows = 0;
    *after = 0;
    for (bool first = true, more = true; more; first = false) {
        const sp_message_t *answer = NULL;
        sh_err_t rc = s_exchange (exchange, &answer, why);
        if (rc != SH_OK)
            return rc;
        assert (answer);
        const sp_assignments_page_t *page = &answer->u.assignments_page;
        if (page->revision.size != sizeof revision)
            return sh_fail (why, SH_E_BAD_MESSAGE,
                            "the hub's assignments have no revision");
        if (!first
            && memcmp (revision, page->revision.data, sizeof revision) != 0)
            return sh_fail (why, SH_E_DB_BUSY,
                            "the assignments keep changing");
        memcpy (revision, page->revision.data, sizeof revision);
        rc = s_add_page (out, page, &rows, after, tell, why);
        if (rc != SH_OK)
            return rc;
        more = page->more;
    }
    sc_link_set_revision (exchange->ask->link,
                          (sh_bytes_t){ revision, sizeof revision });
    return SH_OK;
}

sh_err_t
sc_ask_assignments (const sc_ask_t *self, sc_plan_t *out, sc_tell_t *tell,
                    sh_why_t *why)
{
    sh_err_t rc = SH_E_DB_BUSY;
    sp_message_t question = { .type = SP_ASSIGNMENTS,
                              .u.assignments = { .code = self->code } };
    exchange_t exchange = { .ask = self,
                            .question = &question,
                            .fits = s_fits_assignments };
    for (int i = 0; i < RESTARTS_MOST && rc == SH_E_DB_BUSY; i++) {
        sc_plan_clear (out);
        rc = s_read_assignments (&exchange, &question.u.assignments.after,
                                 out, tell, why);
    }
    if (rc != SH_OK)
        sc_plan_clear (out);
    return rc;
}

/*  Addresses are ordered as sh_addr_cmp does: IPv4 before IPv6.  */
static fit_t
s_fits_targets (const sp_message_t *question, const sp_message_t *message)
{
    if (message->type != SP_TARGETS_PAGE
        || message->u.targets_page.subnet != question->u.targets.subnet)
        return FIT_NOT;
    const sp_targets_page_t *page = &message->u.targets_page;
    sh_bytes_t after = question->u.targets.after;
    if (page->target_count == 0)
        return page->more ? FIT_OLD : FIT;
    sh_bytes_t ip = page->targets[0].ip;
    bool further = ip.size == after.size
                       ? memcmp (ip.data, after.data, ip.size) > 0
                       : ip.size > after.size;
    return further ? FIT : FIT_OLD;
}

sh_err_t
sc_ask_targets (const sc_ask_t *self, uint64_t subnet, sc_scan_t *scan,
                sh_why_t *why)
{
    sp_message_t question
        = { .type = SP_TARGETS,
            .u.targets = { .code = self->code, .subnet = subnet } };
    exchange_t exchange = { .ask = self,
                            .question = &question,
                            .fits = s_fits_targets };
    for (bool more = true; more;) {
        const sp_message_t *answer = NULL;
        question.u.targets.after = sc_scan_last (scan);
        sh_err_t rc = s_exchange (&exchange, &answer, why);
        if (rc != SH_OK)
            return rc;
        assert (answer);
        const sp_targets_page_t *page = &answer->u.targets_page;
        for (size_t i = 0; i < page->target_count; i++) {
            rc = sc_scan_add (scan, &page->targets[i], why);
            if (rc != SH_OK)
                return rc;
        }
        more = page->more;
    }
    return SH_OK;
}
