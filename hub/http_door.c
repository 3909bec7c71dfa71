/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/http_door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/tsan.h"
#include "scanner-proto/codec.h"
#include "shim/door.h"
#include "shim/setup.h"

#define STEP_MS 1000

typedef struct
{
    hub_http_door_args_t *args;
    zsock_t *pipe;
    sp_spool_t *spool;
    sm_http_t *http;
    sm_door_t *door;
    bool told; /* that the link is up */
    bool ending;
} http_door_t;

static bool
s_is_up (void *context)
{
    (void) context;
    return true; /* the pool itself says "retry" when it cannot */
}

static int64_t
s_offset (void *context)
{
    (void) context;
    return 0; /* one machine, one clock */
}

static sh_bytes_t
s_bytes (const char *text)
{
    return (sh_bytes_t){ (const uint8_t *) text, strlen (text) };
}

/*  The shim has checked that the token may speak for the code; the hub checks
    all the rest, as for anybody.  */
static sh_err_t
s_send (void *context, const char *label, const sp_message_t *part)
{
    http_door_t *self = context;
    const sp_report_t *report = &part->u.report;
    hub_code_t code;
    hub_principal_t who = {
        .door = HUB_DOOR_HTTP,
        .codes = &code,
        .code_count = 1,
    };
    snprintf (code.text, sizeof code.text, "%s", report->code);
    snprintf (who.name, sizeof who.name, "%s", label);

    uint8_t *frame = NULL;
    size_t size = 0;
    hub_job_t *job = NULL;
    sh_err_t rc = sp_encode (&frame, &size, part);
    if (rc == SH_OK)
        rc = hub_job_new (&job, HUB_JOB_REPORT, &who,
                          (sh_bytes_t){ frame, size });
    free (frame);
    if (rc != SH_OK)
        return rc;
    job->received = sh_clock_wall (self->args->clock);
    job->taken = sh_clock_mono (self->args->clock);
    job->shard = hub_job_shard (report->subnet, s_bytes (report->code),
                                s_bytes (report->cidr));
    job->heavy = report->last;
    job->home = self->args->home;
    if (hub_pool_submit (self->args->pool, job))
        return SH_OK;
    hub_job_destroy (&job);
    return SH_E_DISCONNECTED; /* the delivery tries again in a moment */
}

static const char *
s_reload (http_door_t *self, sh_why_t *why)
{
    sh_err_t rc = sm_setup_reload (self->http, &self->args->fresh->http, why);
    if (rc != SH_OK)
        return *why->text ? why->text : sh_err_text (rc);
    sm_door_set_refusals (self->door,
                          self->args->fresh->http.refusals_as_status);
    return "";
}

static void
s_measure (http_door_t *self)
{
    hub_meters_t *meters = self->args->meters;
    hub_meters_set (meters, HUB_GAUGE_HTTP_PENDING,
                    sm_door_pending (self->door));
    hub_meters_set (meters, HUB_GAUGE_HTTP_SPOOL,
                    self->spool ? sp_spool_depth (self->spool) : 0);
}

static void
s_command (http_door_t *self)
{
    char *command = zstr_recv (self->pipe);
    sh_why_t why = { "" };
    if (!command || streq (command, "$TERM"))
        self->ending = true;
    else if (streq (command, "RELOAD")) {
        SH_TSAN_TAKE (self->args);
        const char *answer = s_reload (self, &why);
        SH_TSAN_GIVE (self->args);
        zstr_send (self->pipe, answer);
    }
    zstr_free (&command);
}

/*  One answered job becomes an event of the link.  */
static void
s_take_answer (http_door_t *self, sp_event_t *event)
{
    hub_job_t *job = NULL;
    if (hub_queue_take (self->args->home, &job, 1, 0, 0) == 0)
        return;
    sh_why_t why;
    if (job->answer
        && sp_decode (&event->message,
                      (sh_bytes_t){ job->answer, job->answer_size }, &why)
               == SH_OK)
        event->kind = SP_EVENT_MESSAGE;
    hub_job_destroy (&job);
}

static sh_err_t
s_wait (void *context, int other, int timeout, sp_event_t *event)
{
    http_door_t *self = context;
    *event = (sp_event_t){ .kind = SP_EVENT_NOTHING };
    s_measure (self);
    if (!self->told) {
        self->told = true;
        event->kind = SP_EVENT_UP;
        return SH_OK;
    }
    zmq_pollitem_t items[] = {
        { zsock_resolve (self->pipe), 0, ZMQ_POLLIN, 0 },
        { NULL, hub_queue_fd (self->args->home), ZMQ_POLLIN, 0 },
        { NULL, other, ZMQ_POLLIN, 0 },
    };
    hub_beat_idle (self->args->beat);
    int count = zmq_poll (items, 3, timeout);
    hub_beat_work (self->args->beat);
    if (count < 0)
        return errno == EINTR ? SH_OK : SH_E_INTERRUPTED;
    if (items[0].revents)
        s_command (self);
    if (items[1].revents)
        s_take_answer (self, event);
    else if (items[2].revents)
        event->kind = SP_EVENT_OTHER;
    return SH_OK;
}

/*  Without a spool the door still works as long as the database does.  */
static void
s_open_spool (http_door_t *self)
{
    const char *path = self->args->config->http.spool;
    sh_why_t why = { "" };
    sh_err_t rc = sp_spool_open (&self->spool, path, SP_SPOOL_DEFAULT_MOST,
                                 self->args->clock, &why);
    if (rc != SH_OK)
        sh_log (SH_LOG_ERROR,
                "no spool: reports that the database does not take at once "
                "will be refused with status 503",
                SH_STR ("path", path), SH_STR ("why", why.text));
}

static sh_err_t
s_open (http_door_t *self)
{
    hub_http_door_args_t *args = self->args;
    s_open_spool (self);
    sm_door_options_t options = {
        .refusals_as_status = args->config->http.refusals_as_status,
        .courier = {
            .context = self,
            .wait = s_wait,
            .send = s_send,
            .is_up = s_is_up,
            .offset = s_offset,
        },
        .spool = self->spool,
        .clock = args->clock,
    };
    sh_err_t rc = sm_door_new (&self->door, &options);
    if (rc == SH_OK)
        rc = sm_setup_open (&self->http, &args->config->http, args->clock,
                            sm_door_take, self->door, &args->why);
    return rc;
}

void
hub_http_door_actor (zsock_t *pipe, void *arguments)
{
    hub_http_door_args_t *args = arguments;
    http_door_t self = { .args = args, .pipe = pipe };
    hub_beat_begin (args->beat);
    args->err = s_open (&self);
    SH_TSAN_GIVE (args);
    zsock_signal (pipe, 0);
    if (args->err != SH_OK) {
        char *command = zstr_recv (pipe);
        zstr_free (&command);
    }
    while (args->err == SH_OK && !self.ending)
        if (sm_door_step (self.door, self.http, STEP_MS) != SH_OK) {
            sh_log (SH_LOG_ERROR, "the HTTP door cannot go on; restart "
                                  "scanhubd");
            hub_beat_leave (args->beat);
            /*  main must still get its answers.  */
            while (!self.ending)
                s_command (&self);
        }
    hub_beat_leave (args->beat);
    sm_door_destroy (&self.door);
    sm_setup_close (&self.http);
    sp_spool_close (&self.spool);
}
