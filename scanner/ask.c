/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/ask.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
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

struct sc_ask
{
    sc_link_t *link;
    const char *code;
    bool once;
    bool busy; /* there is a question */
    bool over; /* it has its answer, or no hope of one; 'rc' says which */
    sh_err_t rc;
    sh_why_t why;
    sp_message_t question;
    size_t open; /* times that we asked without having got a page yet */
    size_t stray; /* of these, for a question that nobody wants any more */
    int64_t patience, until;
    int64_t due;     /* when to ask (again) */
    sh_err_t later;  /* the hub's last excuse ... */
    sh_why_t excuse; /* ... in its words */
    /*  Of assignments.  */
    sc_plan_t *plan;
    sc_tell_t *tell;
    uint8_t revision[SP_REVISION];
    bool begun; /* a first page gave the revision */
    size_t rows;
    int restarts;
    /*  Of targets.  */
    sc_scan_t *scan;
};

static int64_t
s_now (const sc_ask_t *self)
{
    return sh_clock_mono (sc_link_clock (self->link));
}

static bool
s_is_up (const sc_ask_t *self)
{
    return sp_client_is_up (sc_link_client (self->link));
}

sh_err_t
sc_ask_new (sc_ask_t **out, sc_link_t *link, const char *code, bool once)
{
    sc_ask_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->link = link;
    self->code = code;
    self->once = once;
    *out = self;
    return SH_OK;
}

void
sc_ask_destroy (sc_ask_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

bool
sc_ask_is_idle (const sc_ask_t *self)
{
    return !self->busy;
}

static void
s_end (sc_ask_t *self, sh_err_t rc)
{
    self->over = true;
    self->rc = rc;
}

static void
s_begin (sc_ask_t *self, int64_t patience)
{
    assert (!self->busy);
    self->busy = true;
    self->over = false;
    self->open = self->stray;
    self->patience = patience;
    self->until = s_now (self) + patience;
    self->due = 0;
    self->later = SH_OK;
    self->restarts = 0;
    self->rows = 0;
    self->begun = false;
}

void
sc_ask_assignments (sc_ask_t *self, sc_plan_t *out, sc_tell_t *tell,
                    int64_t patience)
{
    s_begin (self, patience);
    self->plan = out;
    self->tell = tell;
    self->question = (sp_message_t){ .type = SP_ASSIGNMENTS,
                                     .u.assignments = { .code = self->code } };
}

void
sc_ask_targets (sc_ask_t *self, uint64_t subnet, sc_scan_t *scan,
                int64_t patience)
{
    s_begin (self, patience);
    self->scan = scan;
    self->question = (sp_message_t){
        .type = SP_TARGETS,
        .u.targets = { .code = self->code,
                       .subnet = subnet,
                       .after = sc_scan_last (scan) },
    };
}

static sh_err_t
s_give_up (sc_ask_t *self)
{
    sh_why_t *why = &self->why;
    if (!s_is_up (self))
        return sc_link_why (self->link, why);
    if (self->later != SH_OK)
        return sh_fail (why, self->later, "%s", self->excuse.text);
    return sh_fail (why, SH_E_TIMEOUT, "%s is connected but gives no answer",
                    sp_client_endpoint (sc_link_client (self->link)));
}

static void
s_take_error (sc_ask_t *self, const sp_error_t *error)
{
    sh_err_t err = sh_err_from_word (error->cause);
    const char *text = error->text ? error->text : sh_err_text (err);
    char cause[64];
    sh_escape (cause, sizeof cause, error->cause ? error->cause : "");
    if (sh_err_class (err) != SH_CLASS_RETRY) {
        s_end (self, sh_fail (&self->why, err, "the hub answered %s: %.300s",
                              cause, text));
        return;
    }
    self->later = sh_fail (&self->excuse, err, "the hub answered %s: %.300s",
                           cause, text);
    self->due = s_now (self) + LATER_MS;
}

static void
s_send (sc_ask_t *self, int64_t now)
{
    if (!s_is_up (self) || now < self->due)
        return;
    sh_err_t rc = sp_client_send (sc_link_client (self->link),
                                  &self->question);
    self->due = now + (rc == SH_OK ? ANSWER_MS : LATER_MS);
    if (rc == SH_OK)
        self->open++;
}

/*  A page that does not go beyond what we have may be the late answer to a
    question that was asked twice, but never the only one.  */
static sh_err_t
s_count_page (sc_ask_t *self, fit_t fit)
{
    bool only = self->open < 2;
    if (self->open)
        self->open--;
    if (fit == FIT_OLD && only)
        return sh_fail (&self->why, SH_E_BAD_MESSAGE,
                        "the hub's pages of %s do not advance",
                        self->question.type == SP_TARGETS ? "targets"
                                                          : "assignments");
    return SH_OK;
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
    else a hub could send them without end.  */
static sh_err_t
s_check_row (sc_ask_t *self, uint64_t id)
{
    uint64_t *after = &self->question.u.assignments.after;
    if (id <= *after)
        return sh_fail (&self->why, SH_E_BAD_MESSAGE,
                        "the hub's assignments are not in ascending order");
    if (++self->rows > SC_SUBNETS_MOST)
        return sh_fail (&self->why, SH_E_TOO_LARGE,
                        "the hub assigns more than %d subnets",
                        SC_SUBNETS_MOST);
    *after = id;
    return SH_OK;
}

static sh_err_t
s_add_rows (sc_ask_t *self, const sp_assignments_page_t *page)
{
    for (size_t i = 0; i < page->subnet_count; i++) {
        sc_subnet_t subnet;
        sh_why_t bad = { "" };
        sh_err_t rc = s_check_row (self, page->subnets[i].id);
        if (rc != SH_OK)
            return rc;
        rc = sc_subnet_read (&subnet, &page->subnets[i], &bad);
        if (rc != SH_OK) {
            sc_tell_trouble (self->tell, NULL, rc, bad.text);
            continue;
        }
        rc = sc_plan_add (self->plan, &subnet);
        if (rc != SH_OK)
            return sh_fail (&self->why, rc, "the hub's assignments: %s",
                            sh_err_text (rc));
    }
    return SH_OK;
}

/*  They changed while they were read.  */
static sh_err_t
s_restart (sc_ask_t *self)
{
    if (++self->restarts >= RESTARTS_MOST)
        return sh_fail (&self->why, SH_E_DB_BUSY,
                        "the assignments keep changing");
    sc_plan_clear (self->plan);
    self->rows = 0;
    self->begun = false;
    self->question.u.assignments.after = 0;
    return SH_OK;
}

/*  '*more': the next page has to be asked for.  */
static sh_err_t
s_take_assignments (sc_ask_t *self, const sp_assignments_page_t *page,
                    bool *more)
{
    *more = true;
    if (page->revision.size != sizeof self->revision)
        return sh_fail (&self->why, SH_E_BAD_MESSAGE,
                        "the hub's assignments have no revision");
    if (self->begun
        && memcmp (self->revision, page->revision.data, sizeof self->revision)
               != 0)
        return s_restart (self);
    self->begun = true;
    memcpy (self->revision, page->revision.data, sizeof self->revision);
    sh_err_t rc = s_add_rows (self, page);
    if (rc != SH_OK)
        return rc;
    *more = page->more;
    if (!*more)
        sc_link_set_revision (self->link, (sh_bytes_t){
                                              self->revision,
                                              sizeof self->revision });
    return SH_OK;
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

static sh_err_t
s_take_targets (sc_ask_t *self, const sp_targets_page_t *page, bool *more)
{
    for (size_t i = 0; i < page->target_count; i++) {
        sh_err_t rc = sc_scan_add (self->scan, &page->targets[i], &self->why);
        if (rc != SH_OK)
            return rc;
    }
    *more = page->more;
    self->question.u.targets.after = sc_scan_last (self->scan);
    return SH_OK;
}

static bool
s_take_page (sc_ask_t *self, const sp_message_t *message)
{
    bool assignments = self->question.type == SP_ASSIGNMENTS;
    fit_t fit = assignments ? s_fits_assignments (&self->question, message)
                            : s_fits_targets (&self->question, message);
    if (fit == FIT_NOT)
        return false;
    bool more = false;
    sh_err_t rc = s_count_page (self, fit);
    if (rc == SH_OK && fit == FIT_OLD)
        return false;
    if (rc == SH_OK)
        rc = assignments
                 ? s_take_assignments (self, &message->u.assignments_page,
                                       &more)
                 : s_take_targets (self, &message->u.targets_page, &more);
    if (rc != SH_OK || !more) {
        s_end (self, rc);
        return true;
    }
    self->until = s_now (self) + self->patience;
    self->due = 0;
    self->later = SH_OK;
    return true;
}

bool
sc_ask_take (sc_ask_t *self, const sp_event_t *event)
{
    if (event->kind == SP_EVENT_UP) {
        self->due = 0;
        self->open = self->stray = 0; /* what the last one was asked is lost */
    }
    if (!self->busy || self->over || event->kind != SP_EVENT_MESSAGE)
        return false;
    if (event->message->type != SP_ERROR)
        return s_take_page (self, event->message);
    s_take_error (self, &event->message->u.error);
    return true;
}

bool
sc_ask_step (sc_ask_t *self, sh_err_t *rc, sh_why_t *why)
{
    if (!self->busy)
        return false;
    int64_t now = s_now (self);
    if (!self->over
        && (now >= self->until
            || (self->once && sc_link_is_hopeless (self->link))))
        s_end (self, s_give_up (self));
    if (!self->over) {
        s_send (self, now);
        return false;
    }
    if (self->rc != SH_OK && self->question.type == SP_ASSIGNMENTS)
        sc_plan_clear (self->plan);
    *rc = self->rc;
    if (self->rc != SH_OK)
        *why = self->why;
    sc_ask_cancel (self);
    return true;
}

int
sc_ask_timeout (const sc_ask_t *self)
{
    if (!self->busy)
        return -1;
    if (self->over)
        return 0;
    int64_t end = self->until, now = s_now (self);
    if (s_is_up (self) && self->due < end)
        end = self->due;
    return end <= now ? 0 : end - now > INT_MAX ? INT_MAX : (int) (end - now);
}

void
sc_ask_cancel (sc_ask_t *self)
{
    self->stray = self->open;
    self->busy = self->over = false;
    self->plan = NULL;
    self->scan = NULL;
}
