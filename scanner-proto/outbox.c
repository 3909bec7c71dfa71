/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/outbox.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#define AT_ONCE 4 /* reports on their way */
#define WINDOW (SP_WINDOW / AT_ONCE)
#define PATIENCE_MS 60000 /* without a good verdict: others get a turn */
#define PAUSE_MS 1000     /* when all have had one, or after trouble */
#define WAIT_MS 5000      /* a longer 'later' is waited for without a place */
#define LATER_MOST 4096   /* reports that wait so; more come back sooner */
#define MEMORY_MOST (UINT64_C (64) * 1024 * 1024)

enum
{
    STORE_DISK,
    STORE_MEMORY,
    STORE_COUNT
};

/*  A report on its way.  */
typedef struct
{
    sp_outbox_t *outbox;
    sp_spooled_t *spooled; /* NULL: the place is free */
    int store;
    sp_delivery_t *delivery;
    bool later;      /* the last verdict was 'retry' */
    int64_t give_up; /* mono ms */
} s_place_t;

/*  A report that was told 'later', and not before when.  */
typedef struct
{
    int64_t row;
    int store;
    int64_t until; /* mono ms */
} s_later_t;

struct sp_outbox
{
    sp_outbox_options_t options;
    sp_spool_t *stores[STORE_COUNT]; /* the second is ours */
    int64_t after[STORE_COUNT];      /* rows up to this one had their turn */
    s_place_t places[AT_ONCE];
    const sp_outbox_way_t *way; /* during a push */
    bool up;                    /* at the last push */
    bool noted[STORE_COUNT];    /* the hub's clock, of this session */
    int64_t pause;              /* mono ms: nothing is begun before */
    int64_t turn[STORE_COUNT];  /* mono ms: not from the beginning before */
    s_later_t *later;
    size_t later_count;
    uint64_t progress;
    bool memory_told;
    bool put_off_told; /* the log knows that the hub takes nothing now */
    char put_off[400];
};

static int64_t
s_now (const sp_outbox_t *self)
{
    return sh_clock_mono (self->options.clock);
}

sh_err_t
sp_outbox_new (sp_outbox_t **out, const sp_outbox_options_t *options)
{
    assert (out && options && options->clock && options->ended);
    sp_outbox_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->options = *options;
    self->stores[STORE_DISK] = options->spool;
    for (size_t i = 0; i < AT_ONCE; i++)
        self->places[i].outbox = self;
    *out = self;
    return SH_OK;
}

static void
s_leave (sp_outbox_t *self, s_place_t *place)
{
    sp_spool_release (self->stores[place->store], place->spooled->row);
    sp_delivery_destroy (&place->delivery);
    sp_spooled_destroy (&place->spooled);
}

static uint64_t
s_ticket (int64_t row, int store)
{
    return (uint64_t) row * STORE_COUNT + (unsigned) store;
}

/*  What waits in memory goes to disk.  One that does not fit does not keep the
    others from it.  False: not all of it could.  */
static bool
s_save_memory (sp_outbox_t *self)
{
    sp_spool_t *from = self->stores[STORE_MEMORY];
    sp_spool_t *to = self->stores[STORE_DISK];
    sp_spooled_t *one = NULL;
    int64_t after = 0;
    sh_err_t rc = SH_OK;
    if (!from || sp_spool_depth (from) == 0)
        return true;
    while (rc != SH_E_IO && to && sp_spool_next (from, after, &one) == SH_OK) {
        int64_t row = 0;
        after = one->row;
        rc = sp_spool_put (to, one->label, &one->report, one->epoch, &row);
        if (rc == SH_OK && self->options.moved)
            self->options.moved (self->options.context,
                                 s_ticket (one->row, STORE_MEMORY),
                                 s_ticket (row, STORE_DISK));
        if (rc == SH_OK)
            rc = sp_spool_remove (from, one->row);
        sp_spooled_destroy (&one);
    }
    return sp_spool_depth (from) == 0;
}

void
sp_outbox_destroy (sp_outbox_t **self_p)
{
    assert (self_p);
    sp_outbox_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < AT_ONCE; i++)
        if (self->places[i].spooled)
            s_leave (self, &self->places[i]);
    if (!s_save_memory (self))
        sh_log (SH_LOG_ERROR, "reports are lost: they waited in memory, for "
                              "want of a spool",
                SH_INT ("reports",
                        sp_spool_depth (self->stores[STORE_MEMORY])));
    sp_spool_close (&self->stores[STORE_MEMORY]);
    free (self->later);
    free (self);
    *self_p = NULL;
}

static sh_err_t
s_put_in_memory (sp_outbox_t *self, const char *label,
                 const sp_report_t *report, int64_t epoch, int64_t *row)
{
    sh_err_t rc = SH_OK;
    if (!self->stores[STORE_MEMORY])
        rc = sp_spool_open (&self->stores[STORE_MEMORY], NULL, MEMORY_MOST,
                            self->options.clock, NULL);
    if (rc == SH_OK)
        rc = sp_spool_put (self->stores[STORE_MEMORY], label, report, epoch,
                           row);
    /*  Whoever has no spool at all has said so.  */
    if (rc == SH_OK && !self->memory_told && self->stores[STORE_DISK])
        sh_log (SH_LOG_WARNING, "reports wait in memory until the spool can be "
                                "used again; they are lost if the program ends "
                                "before the hub has them");
    self->memory_told = self->memory_told || rc == SH_OK;
    return rc;
}

void
sp_outbox_use (sp_outbox_t *self, sp_spool_t *spool)
{
    assert (self && !self->stores[STORE_DISK]);
    self->stores[STORE_DISK] = spool;
}

sh_err_t
sp_outbox_put (sp_outbox_t *self, const char *label, const sp_report_t *report,
               int64_t epoch, uint64_t *ticket, bool *durable)
{
    assert (self && label && report);
    int store = STORE_DISK;
    int64_t row = 0;
    sh_err_t rc = SH_E_IO;
    (void) s_save_memory (self);
    /*  What comes behind a report in memory stays behind it.  */
    bool behind = self->stores[STORE_MEMORY]
                  && sp_spool_waits (self->stores[STORE_MEMORY], label, report);
    if (self->stores[STORE_DISK] && !behind)
        rc = sp_spool_put (self->stores[STORE_DISK], label, report, epoch,
                           &row);
    if (rc == SH_OK && self->memory_told)
        sh_log (SH_LOG_NOTICE, "the spool is used again");
    if (rc == SH_OK)
        self->memory_told = false;
    else if (rc == SH_E_IO && self->options.in_memory) {
        store = STORE_MEMORY;
        rc = s_put_in_memory (self, label, report, epoch, &row);
    }
    if (rc != SH_OK)
        return rc;
    if (ticket)
        *ticket = s_ticket (row, store);
    if (durable)
        *durable = store == STORE_DISK;
    return SH_OK;
}

static sh_err_t
s_send (void *context, const sp_message_t *part)
{
    s_place_t *place = context;
    const sp_outbox_way_t *way = place->outbox->way;
    return way->send (way->context, place->spooled->label, part);
}

/*  Two reports of a subnet must not be on their way at once: the later one
    would make the other come too late.  Within a store its order sees to that;
    what is in memory came after what is on disk.  */
static bool
s_would_overtake (const sp_outbox_t *self, const sp_spooled_t *one, int store)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        const sp_spooled_t *other = self->places[i].spooled;
        if (other && strcmp (other->subject, one->subject) == 0)
            return true;
    }
    return store == STORE_MEMORY && self->stores[STORE_DISK]
           && sp_spool_waits (self->stores[STORE_DISK], one->label,
                              &one->report);
}

/*  Was it told 'later', and that is not over yet?  What is over is
    forgotten.  */
static bool
s_is_later (sp_outbox_t *self, int store, int64_t row)
{
    int64_t now = s_now (self);
    bool found = false;
    size_t kept = 0;
    for (size_t i = 0; i < self->later_count; i++) {
        const s_later_t one = self->later[i];
        if (one.until <= now)
            continue;
        self->later[kept++] = one;
        found = found || (one.row == row && one.store == store);
    }
    self->later_count = kept;
    return found;
}

/*  The place is for others until it is time.  Without memory it comes back
    sooner, which is no harm.  */
static void
s_put_off (sp_outbox_t *self, const s_place_t *place, int64_t wait)
{
    s_later_t *later = NULL;
    if (self->later_count < LATER_MOST)
        later = reallocarray (self->later, self->later_count + 1,
                              sizeof *later);
    if (!later)
        return;
    self->later = later;
    self->later[self->later_count++]
        = (s_later_t){ .row = place->spooled->row,
                       .store = place->store,
                       .until = s_now (self) + wait };
}

/*  The next report of a store that may go now; the caller's.  What was told
    'later' is not even read: that may be all that waits.  */
static sh_err_t
s_choose (sp_outbox_t *self, int store, sp_spooled_t **out)
{
    for (;;) {
        sp_spooled_t *one = NULL;
        int64_t row;
        sh_err_t rc
            = sp_spool_peek (self->stores[store], self->after[store], &row);
        if (rc != SH_OK)
            return rc;
        if (!s_is_later (self, store, row))
            rc = sp_spool_next (self->stores[store], row - 1, &one);
        if (rc != SH_OK)
            return rc;
        self->after[store] = row;
        /*  One that could not be read is gone, and then it is another.  */
        if (one && one->row == row && !s_would_overtake (self, one, store)) {
            *out = one;
            return SH_OK;
        }
        sp_spooled_destroy (&one);
    }
}

/*  Put a report on its way.  Its offset is on disk before the first part
    leaves: whoever sends it again must send the same times.  */
static sh_err_t
s_begin (sp_outbox_t *self, s_place_t *place, int store)
{
    sp_spool_t *spool = self->stores[store];
    sp_spooled_t *one = NULL;
    sp_delivery_t *delivery = NULL;
    sh_err_t rc = s_choose (self, store, &one);
    if (rc != SH_OK)
        return rc;
    rc = sp_spool_fix (spool, one);
    if (rc == SH_OK || rc == SH_E_IO) /* not kept: better than not at all */
        rc = sp_delivery_new (&delivery, &one->report, self->options.clock);
    if (rc == SH_OK)
        rc = sp_spool_hold (spool, one->row);
    if (rc != SH_OK) {
        sp_delivery_destroy (&delivery);
        sp_spooled_destroy (&one);
        return rc;
    }
    sp_delivery_settle (delivery, one->report.off, WINDOW);
    *place = (s_place_t){ .outbox = self,
                          .spooled = one,
                          .store = store,
                          .delivery = delivery,
                          .give_up = s_now (self) + PATIENCE_MS };
    return SH_OK;
}

static uint64_t
s_under_way (const sp_outbox_t *self, int store)
{
    uint64_t count = 0;
    for (size_t i = 0; i < AT_ONCE; i++)
        count += self->places[i].spooled && self->places[i].store == store;
    return count;
}

/*  The next report of a store.  At its end it is begun again, after a pause,
    for those that gave up their place.  */
static sh_err_t
s_begin_next (sp_outbox_t *self, s_place_t *place, int store)
{
    sh_err_t rc = s_begin (self, place, store);
    if (rc != SH_E_NOT_FOUND || s_now (self) < self->turn[store])
        return rc;
    self->turn[store] = s_now (self) + PAUSE_MS;
    self->after[store] = 0;
    return s_begin (self, place, store);
}

/*  Fill free places, the oldest first.  */
static void
s_fill (sp_outbox_t *self)
{
    for (int store = 0; store < STORE_COUNT; store++) {
        sp_spool_t *spool = self->stores[store];
        sh_err_t rc = SH_OK;
        for (size_t i = 0; spool && rc == SH_OK && i < AT_ONCE; i++)
            if (!self->places[i].spooled
                && sp_spool_depth (spool) > s_under_way (self, store))
                rc = s_begin_next (self, &self->places[i], store);
        if (rc != SH_OK && rc != SH_E_NOT_FOUND)
            self->pause = s_now (self) + PAUSE_MS;
    }
}

static void
s_conclude (sp_outbox_t *self, s_place_t *place)
{
    sp_outbox_end_t end = {
        .ticket = s_ticket (place->spooled->row, place->store),
        .label = place->spooled->label,
        .report = &place->spooled->report,
        .sum = sp_delivery_sum (place->delivery),
        .refused = sp_delivery_state (place->delivery) == SP_DELIVERY_REFUSED,
    };
    if (sp_spool_remove (self->stores[place->store], place->spooled->row)
        == SH_E_IO)
        sh_log (SH_LOG_WARNING, "a report that was delivered stays in the "
                                "spool's file until that can be written",
                SH_STR ("subnet", place->spooled->report.cidr));
    self->options.ended (self->options.context, &end);
    s_leave (self, place);
}

/*  True if its place became free.  */
static bool
s_push_place (sp_outbox_t *self, s_place_t *place)
{
    const sp_outlet_t outlet = { .send = s_send,
                                 .context = place,
                                 .up = self->way->up,
                                 .offset = self->way->offset };
    sh_err_t rc = sp_delivery_push (place->delivery, &outlet);
    if (sp_delivery_state (place->delivery) != SP_DELIVERY_RUNNING) {
        s_conclude (self, place);
        return true;
    }
    if (rc != SH_OK)
        sh_log (SH_LOG_ERROR, "a report cannot be sent",
                SH_STR ("subnet", place->spooled->report.cidr),
                SH_STR ("cause", sh_err_word (rc)));
    /*  It stays in the spool.  Where all of it has been told to come later, the
        place is for others meanwhile.  */
    int wait = sp_delivery_timeout (place->delivery);
    bool put_off = place->later && sp_delivery_is_idle (place->delivery)
                   && wait >= WAIT_MS;
    bool give_up = rc != SH_OK || put_off || s_now (self) >= place->give_up;
    if (put_off)
        s_put_off (self, place, wait);
    if (give_up)
        s_leave (self, place);
    return give_up;
}

/*  Fill the places and push what is in them; true if one became free.  */
static bool
s_round (sp_outbox_t *self)
{
    bool again = false;
    if (self->up && s_now (self) >= self->pause)
        s_fill (self);
    for (size_t i = 0; i < AT_ONCE; i++)
        if (self->places[i].spooled)
            again = s_push_place (self, &self->places[i]) || again;
    return again;
}

void
sp_outbox_push (sp_outbox_t *self, const sp_outbox_way_t *way)
{
    assert (self && way && way->send);
    self->way = way;
    self->up = way->up;
    for (int i = 0; way->up && i < STORE_COUNT; i++) {
        if (!self->stores[i] || self->noted[i])
            continue;
        self->noted[i] = true;
        if (sp_spool_note_hub (self->stores[i], way->offset) != SH_OK)
            sh_log (SH_LOG_WARNING, "the hub's time is not kept on disk");
    }
    if (s_round (self))
        (void) s_round (self); /* the next in their places */
    self->way = NULL;
}

/*  Is it the hub's trouble rather than this report's?  Then all the others
    would hear the same.  */
static bool
s_is_for_all (const char *cause)
{
    static const sh_err_t causes[]
        = { SH_E_DB_DOWN, SH_E_MAINTENANCE, SH_E_STOPPING, SH_E_NOT_READY,
            SH_E_OVERLOAD, SH_E_DB_RIGHTS, SH_E_DB_SCHEMA };
    sh_err_t err = sh_err_from_word (cause);
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (causes[i] == err)
            return true;
    return false;
}

/*  A hub that has too much to do for a moment is no news.  */
static void
s_tell_put_off (sp_outbox_t *self, bool all, const sp_verdict_t *verdict)
{
    if (!all || self->put_off_told
        || sh_err_from_word (verdict->cause) == SH_E_OVERLOAD)
        return;
    self->put_off_told = true;
    sh_log (SH_LOG_WARNING, "the hub takes no reports for now, they wait",
            SH_STR ("cause", verdict->cause), SH_STR ("text", verdict->text),
            SH_INT ("reports", sp_outbox_depth (self)));
}

static void
s_take_retry (sp_outbox_t *self, s_place_t *place, const sp_verdict_t *verdict)
{
    (void) snprintf (self->put_off, sizeof self->put_off,
                     "the hub says 'later', %s: %.300s",
                     verdict->cause ? verdict->cause : "without cause",
                     verdict->text ? verdict->text : "");
    bool all = verdict->cause && s_is_for_all (verdict->cause);
    s_tell_put_off (self, all, verdict);
    int64_t until = sp_delivery_later (place->delivery);
    place->later = !all;
    if (all && until > self->pause)
        self->pause = until;
    /*  The hub has written some of it, and knows where to go on only as long as
        it is the same delivery.  */
    if (verdict->cause && sh_err_from_word (verdict->cause) == SH_E_UNFINISHED)
        place->give_up = s_now (self) + PATIENCE_MS;
}

static void
s_take_verdict (sp_outbox_t *self, s_place_t *place,
                const sp_verdict_t *verdict)
{
    place->later = false;
    if (verdict->result == SP_APPLIED || verdict->result == SP_NOTED) {
        self->progress++;
        if (self->put_off_told)
            sh_log (SH_LOG_NOTICE, "the hub takes reports again",
                    SH_INT ("reports", sp_outbox_depth (self)));
        self->put_off_told = false;
        place->give_up = s_now (self) + PATIENCE_MS;
    } else if (verdict->result == SP_RETRY)
        s_take_retry (self, place, verdict);
}

bool
sp_outbox_take (sp_outbox_t *self, const sp_event_t *event)
{
    assert (self && event);
    if (event->kind == SP_EVENT_DOWN) {
        self->up = false;
        memset (self->noted, 0, sizeof self->noted);
    }
    bool ours = false;
    for (size_t i = 0; i < AT_ONCE && !ours; i++) {
        s_place_t *place = &self->places[i];
        if (!place->spooled)
            continue;
        ours = sp_delivery_take (place->delivery, event);
        if (ours && event->message->type == SP_VERDICT)
            s_take_verdict (self, place, &event->message->u.verdict);
    }
    return ours;
}

/*  When a report that waits for a place may get one: INT64_MAX for never, that
    is, only when one becomes free.  */
static int64_t
s_next_begin (const sp_outbox_t *self)
{
    int64_t next = INT64_MAX;
    uint64_t all = 0;
    for (int store = 0; store < STORE_COUNT; store++) {
        uint64_t under_way = s_under_way (self, store);
        all += under_way;
        if (self->stores[store]
            && sp_spool_depth (self->stores[store]) > under_way
            && self->turn[store] < next)
            next = self->turn[store];
    }
    if (all == AT_ONCE || next == INT64_MAX)
        return INT64_MAX;
    return next > self->pause ? next : self->pause;
}

int
sp_outbox_timeout (const sp_outbox_t *self)
{
    assert (self);
    if (!self->up)
        return -1;
    int64_t now = s_now (self);
    int64_t next = s_next_begin (self);
    if (next != INT64_MAX)
        next -= now;
    for (size_t i = 0; i < AT_ONCE; i++) {
        const s_place_t *place = &self->places[i];
        if (!place->spooled)
            continue;
        int due = sp_delivery_timeout (place->delivery);
        if (due >= 0 && due < next)
            next = due;
        if (place->give_up - now < next)
            next = place->give_up - now;
    }
    if (next == INT64_MAX)
        return -1;
    return next < 0 ? 0 : next > INT_MAX ? INT_MAX : (int) next;
}

bool
sp_outbox_waits (sp_outbox_t *self, const char *label,
                 const sp_report_t *report)
{
    assert (self);
    for (int i = 0; i < STORE_COUNT; i++)
        if (self->stores[i]
            && sp_spool_waits (self->stores[i], label, report))
            return true;
    return false;
}

uint64_t
sp_outbox_depth (const sp_outbox_t *self)
{
    assert (self);
    uint64_t depth = 0;
    for (int i = 0; i < STORE_COUNT; i++)
        depth += self->stores[i] ? sp_spool_depth (self->stores[i]) : 0;
    return depth;
}

uint64_t
sp_outbox_progress (const sp_outbox_t *self)
{
    assert (self);
    return self->progress;
}

const char *
sp_outbox_put_off (const sp_outbox_t *self)
{
    assert (self);
    return self->put_off;
}
