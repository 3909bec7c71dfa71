/* SPDX-License-Identifier: MPL-2.0 */
/*  The numbers of 'scanhubctl status': queues, limits, counters, causes.  */

#include "hub/ceiling.h"
#include "hub/census.h"
#include "hub/descriptors.h"
#include "hub/requests_status.h"

static json_t *
s_workers (const hub_requests_t *self, const hub_health_times_t *times)
{
    json_t *array = json_array ();
    for (size_t i = 0; i < hub_pool_size (self->pool); i++) {
        hub_worker_state_t one;
        hub_pool_look (self->pool, i, &one);
        int64_t busy = one.jobs ? times->mono - one.since : 0;
        json_array_append_new (
            array, json_pack ("{s:o, s:o, s:I}", "waiting",
                              hub_status_number (one.waiting), "jobs",
                              hub_status_number (one.jobs), "busy_ms",
                              (json_int_t) (busy > 0 ? busy : 0)));
    }
    return array;
}

static json_t *
s_limits (const hub_requests_t *self)
{
    hub_meters_t *meters = hub_live_meters (self->live);
    hub_descriptors_t gauge;
    hub_descriptors_read (&gauge);
    return json_pack (
        "{s:{s:o, s:o, s:o, s:b}, s:{s:o, s:o, s:o, s:o}}", "memory", "bytes",
        hub_status_number (hub_memory_used ()), "ceiling",
        hub_status_number (hub_meters_get (meters, HUB_GAUGE_CEILING)),
        "closings",
        hub_status_number (hub_meters_get (meters, HUB_GAUGE_CLOSINGS)),
        "door_open", hub_meters_get (meters, HUB_GAUGE_DOOR_OPEN) != 0,
        "descriptors", "used", hub_status_number (gauge.used), "limit",
        hub_status_number (gauge.limit), "reserve",
        hub_status_number (gauge.reserve), "turned_away",
        hub_status_number (gauge.turned_away));
}

static json_t *
s_http (const hub_requests_t *self)
{
    hub_meters_t *meters = hub_live_meters (self->live);
    if (!self->http)
        return json_null ();
    return json_pack (
        "{s:o, s:o}", "pending",
        hub_status_number (hub_meters_get (meters, HUB_GAUGE_HTTP_PENDING)),
        "spool",
        hub_status_number (hub_meters_get (meters, HUB_GAUGE_HTTP_SPOOL)));
}

/*  null: it is switched off.  */
static json_t *
s_journal (const hub_requests_t *self)
{
    hub_journal_status_t status;
    if (!self->journal)
        return json_null ();
    hub_journal_status (self->journal, &status);
    return json_pack ("{s:b, s:o, s:o, s:o, s:o, s:o}", "failing",
                      status.failing, "error",
                      *status.error.text ? hub_status_text (status.error.text)
                                         : json_null (),
                      "written", hub_status_number (status.written), "dropped",
                      hub_status_number (status.dropped), "waiting",
                      hub_status_number (status.depth), "bytes",
                      hub_status_number (status.size));
}

static json_t *
s_previews (const hub_requests_t *self)
{
    hub_previews_totals_t totals;
    hub_previews_totals (self->previews, &totals);
    return json_pack ("{s:o, s:o, s:o, s:o, s:o, s:o}", "previews",
                      hub_status_number (totals.previews), "held",
                      hub_status_number (totals.held), "changes",
                      hub_status_number (totals.changes), "bytes",
                      hub_status_number (totals.bytes), "dropped",
                      hub_status_number (totals.dropped), "trouble",
                      *totals.trouble ? hub_status_text (totals.trouble)
                                      : json_null ());
}

static json_t *
s_counters (const hub_requests_t *self)
{
    json_t *object = json_object ();
    for (int i = 0; i < HUB_COUNT_COUNT; i++)
        json_object_set_new (
            object, hub_count_word ((hub_count_t) i),
            hub_status_number (
                hub_live_counted (self->live, (hub_count_t) i)));
    return object;
}

static json_t *
s_parts (const hub_requests_t *self)
{
    json_t *object = json_object ();
    for (int door = 0; door < HUB_DOOR_COUNT; door++) {
        json_t *parts = json_object ();
        for (int i = 0; i < SP_RESULT_COUNT; i++)
            json_object_set_new (
                parts, sp_result_word (i),
                hub_status_number (hub_meters_parts (
                    hub_live_meters (self->live), (hub_door_t) door,
                    (sp_result_t) i)));
        json_object_set_new (object, hub_door_word ((hub_door_t) door), parts);
    }
    return object;
}

static json_t *
s_refusals (const hub_requests_t *self)
{
    json_t *array = json_array ();
    for (int i = SH_OK + 1; i < SH_ERR_COUNT; i++) {
        sh_err_t cause = (sh_err_t) i;
        hub_refusals_t one
            = hub_meters_refusals (hub_live_meters (self->live), cause);
        sh_class_t class = sh_err_class (cause);
        bool never = class == SH_CLASS_PEER || class == SH_CLASS_DENIED;
        if (one.count == 0)
            continue;
        json_array_append_new (
            array,
            json_pack ("{s:s, s:b, s:o, s:I, s:I, s:s}", "cause",
                       sh_err_word (cause), "for_good", never, "count",
                       hub_status_number (one.count), "first",
                       (json_int_t) one.first, "last", (json_int_t) one.last,
                       "text", sh_err_text (cause)));
    }
    return array;
}

static json_t *
s_handshakes (const hub_requests_t *self)
{
    json_t *object = json_object ();
    for (int i = 0; i < HUB_HANDSHAKE_COUNT; i++)
        json_object_set_new (
            object, hub_handshake_word ((hub_handshake_t) i),
            hub_status_number (hub_meters_handshakes (
                hub_live_meters (self->live), (hub_handshake_t) i)));
    return object;
}

static json_t *
s_queues (const hub_requests_t *self)
{
    hub_meters_t *meters = hub_live_meters (self->live);
    return json_pack (
        "{s:o, s:o, s:o}", "waiting",
        hub_status_number (hub_pool_depth (self->pool)), "unanswered",
        hub_status_number (hub_meters_get (meters, HUB_GAUGE_JOBS_OUT)),
        "orders_open",
        hub_status_number (hub_meters_get (meters, HUB_GAUGE_ORDERS_OPEN)));
}

static void
s_set (json_t *document, const char *key, json_t *value)
{
    json_object_set_new (document, key, value);
}

void
hub_status_numbers (const hub_requests_t *self,
                    const hub_health_times_t *times, json_t *document)
{
    s_set (document, "queues", s_queues (self));
    s_set (document, "workers", s_workers (self, times));
    json_t *limits = s_limits (self);
    json_object_update (document, limits);
    json_decref (limits);
    s_set (document, "http", s_http (self));
    s_set (document, "journal", s_journal (self));
    s_set (document, "previews", s_previews (self));
    s_set (document, "pending_keys",
           hub_status_number (
               hub_census_pending (self->registry, self->pending)));
    s_set (document, "parts", s_parts (self));
    s_set (document, "counters", s_counters (self));
    s_set (document, "refusals", s_refusals (self));
    s_set (document, "handshakes_refused", s_handshakes (self));
}
