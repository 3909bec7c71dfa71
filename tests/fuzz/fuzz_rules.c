/* SPDX-License-Identifier: MPL-2.0 */
/*  phpIPAM's rules over drawn facts: a report of one subnet, the rows that it
    has, the administrator's policy.  Whatever the input: nothing outside of the
    subnet or excluded is touched, no lastSeen moves back, nobody's typed name
    is replaced, and only what a finished scan covered goes Offline.  */

#include "hub/changes.h"
#include "tests/fuzz/input.h"

#define HOSTS 16
#define ROWS 32
#define NOW INT64_C (1795347954)

typedef struct
{
    input_t input;
    sp_host_t hosts[HOSTS];
    uint8_t addresses[HOSTS][16];
    sp_range_t covered[HOSTS];
    uint8_t edges[HOSTS][2][16];
    char texts[ROWS + HOSTS][40];
    size_t text_count;
    sh_wall_t walls[ROWS];
    hub_row_t rows[ROWS];
    sp_report_t report;
    hub_subnet_t subnet;
    hub_agent_t agent;
    hub_rows_t found;
} draft_t;

static uint8_t
s_byte (draft_t *self)
{
    return fuzz_byte (&self->input);
}

static bool
s_bool (draft_t *self)
{
    return s_byte (self) & 1;
}

/*  An address in 10.0.0.0/24, or sometimes any.  */
static sh_bytes_t
s_address (draft_t *self, uint8_t out[static 16])
{
    uint8_t kind = s_byte (self);
    memcpy (out, (uint8_t[]){ 10, 0, 0, s_byte (self) }, 4);
    if (kind == 255)
        out[2] = 1;
    return (sh_bytes_t){ out, kind == 254 ? 16 : kind == 253 ? 3 : 4 };
}

static const char *
s_text (draft_t *self)
{
    static const char *const known[]
        = { "a.example", "a", "b.example.", "00:11:22:33:44:55",
            "0011.2233.4466", "-bad-", "" };
    uint8_t which = s_byte (self);
    if (which < sizeof known / sizeof *known)
        return known[which];
    if (which < 128 || self->text_count == ROWS + HOSTS)
        return NULL;
    const uint8_t *at;
    char *text = self->texts[self->text_count];
    size_t size = fuzz_take (&self->input, sizeof self->texts[0] - 1, &at);
    for (size_t i = 0; i < size; i++)
        text[i] = (char) (at[i] ? at[i] : '?');
    text[size] = '\0';
    self->text_count++;
    return text;
}

/*  A second near now, or far from it.  */
static int64_t
s_second (draft_t *self)
{
    uint8_t kind = s_byte (self);
    if (kind == 255)
        return (int64_t) fuzz_number (&self->input, UINT32_MAX);
    return NOW + (int64_t) (s_byte (self)) - 128 + (kind > 250 ? 86400 : 0);
}

static void
s_draw_report (draft_t *self)
{
    sp_report_t *report = &self->report;
    *report = (sp_report_t){ .subnet = 7, .cidr = "10.0.0.0/24" };
    report->kind = s_byte (self) % SP_KIND_COUNT;
    report->started = s_second (self) * 1000;
    report->finished = report->started + s_byte (self) * 1000;
    report->off = s_bool (self) ? (s_byte (self) - 128) * INT64_C (1000) : 0;
    report->last = s_bool (self);
    size_t count = s_byte (self) % (HOSTS + 1);
    if (report->last) {
        report->complete = s_bool (self);
        report->up = s_byte (self) % 3;
        report->covered = self->covered;
        report->covered_count = count;
    }
    else {
        report->hosts = self->hosts;
        report->host_count = count;
    }
    for (size_t i = 0; i < count; i++) {
        self->hosts[i] = (sp_host_t){
            .ip = s_address (self, self->addresses[i]),
            .seen = s_second (self) * 1000,
            .mac = s_text (self),
            .name = s_text (self),
            .subnet = s_byte (self) > 250 ? 8 : 0,
        };
        uint8_t a = s_byte (self), b = s_byte (self);
        memcpy (self->edges[i][0], (uint8_t[]){ 10, 0, 0, a < b ? a : b }, 4);
        memcpy (self->edges[i][1], (uint8_t[]){ 10, 0, 0, a < b ? b : a }, 4);
        self->covered[i] = (sp_range_t){ { self->edges[i][0], 4 },
                                         { self->edges[i][1], 4 } };
    }
}

static const char *
s_stored_time (draft_t *self, sh_wall_t *wall)
{
    static const char *const known[]
        = { "", "0000-00-00 00:00:00", "1970-01-01 00:00:01" };
    uint8_t which = s_byte (self);
    if (which < sizeof known / sizeof *known)
        return known[which];
    sh_wall_at (wall, SH_ZONE_UTC, s_second (self));
    return wall->text;
}

static const char *
s_or_empty (const char *text)
{
    return text ? text : "";
}

/*  Rows in ascending order of their addresses, each once.  */
static void
s_draw_rows (draft_t *self)
{
    unsigned last = 0;
    self->found = (hub_rows_t){ .items = self->rows };
    for (size_t i = 0; i < ROWS && self->input.left > 0; i++) {
        last += 1u + s_byte (self) % 16;
        if (last > 255)
            break;
        hub_row_t *row = &self->rows[self->found.count++];
        *row = (hub_row_t){ .id = 100 + i,
                            .ip = { 4, { 10, 0, 0, (uint8_t) last } } };
        uint8_t bits = s_byte (self);
        row->excluded = bits & 1;
        row->autodiscovered = bits & 2;
        row->has_state = bits & 4;
        row->state = bits >> 4;
        row->last_seen = s_stored_time (self, &self->walls[i]);
        row->hostname = s_or_empty (s_text (self));
        row->mac = s_or_empty (s_text (self));
    }
}

static void
s_draw_subnet (draft_t *self, hub_policy_t *policy)
{
    sh_wall_t wall;
    uint8_t bits = s_byte (self);
    hub_subnet_t *subnet = &self->subnet;
    *subnet = (hub_subnet_t){ .id = 7, .has_prefix = true, .agent = 1 };
    fuzz_require (sh_prefix_parse (&subnet->prefix, "10.0.0.0/24") == SH_OK);
    subnet->check = bits & 1;
    subnet->discover = bits & 2;
    subnet->pool = bits & 4;
    snprintf (subnet->last_scan, sizeof subnet->last_scan, "%s",
              s_stored_time (self, &wall));
    snprintf (subnet->last_discovery, sizeof subnet->last_discovery, "%s",
              s_stored_time (self, &wall));
    static char name[] = "agent", code[] = "code";
    self->agent = (hub_agent_t){ .id = 1,
                                 .name = name,
                                 .code = code,
                                 .eligible = true,
                                 .update_tags = bits & 8,
                                 .tags = { 1, 2, 4, 9 },
                                 .tag_count = (size_t) (bits >> 4) % 5 };
    policy->hostname
        = HUB_FIELD_NEVER + s_byte (self) % (HUB_FIELD_AUTO);
    policy->mac = HUB_FIELD_NEVER + s_byte (self) % (HUB_FIELD_AUTO);
    policy->tags = HUB_TAGS_NEVER + s_byte (self) % HUB_TAGS_PHPIPAM;
}

static const hub_row_t *
s_row (const draft_t *self, uint64_t id)
{
    for (size_t i = 0; i < self->found.count; i++) {
        if (self->rows[i].id == id)
            return &self->rows[i];
    }
    abort ();
}

static bool
s_was_sighted (const hub_sightings_t *sightings, const sh_addr_t *ip)
{
    for (size_t i = 0; sightings && i < sightings->count; i++) {
        if (sh_addr_cmp (&sightings->items[i].ip, ip) == 0)
            return true;
    }
    return false;
}

static void
s_check_sightings (const draft_t *self, const hub_sightings_t *sightings)
{
    fuzz_require (sightings->count + sightings->refused_count
                  <= self->report.host_count);
    for (size_t i = 0; i < sightings->count; i++) {
        const hub_sighting_t *seen = &sightings->items[i];
        fuzz_require (sh_prefix_contains (&self->subnet.prefix, &seen->ip)
                      && seen->seen <= NOW);
        uint8_t host = seen->ip.bytes[3];
        fuzz_require (self->subnet.pool || (host != 0 && host != 255));
        fuzz_require (i == 0
                      || sh_addr_cmp (&seen[-1].ip, &seen->ip) < 0);
    }
}

static void
s_check_seen (const draft_t *self, const hub_changes_t *changes,
              const hub_sightings_t *sightings)
{
    for (size_t i = 0; i < changes->seen_count; i++) {
        const hub_seen_t *seen = &changes->seen[i];
        const hub_row_t *row = s_row (self, seen->row);
        fuzz_require (!row->excluded && s_was_sighted (sightings, &row->ip));
        fuzz_require (sh_wall_is_never (row->last_seen)
                      || strcmp (row->last_seen, changes->limit.text) > 0
                      || strcmp (row->last_seen, seen->wall.text) <= 0);
    }
}

static void
s_check_texts (const draft_t *self, const hub_text_t *texts, size_t count,
               int policy, bool names)
{
    fuzz_require (count == 0 || policy != HUB_FIELD_NEVER);
    for (size_t i = 0; i < count; i++) {
        const hub_row_t *row = s_row (self, texts[i].row);
        const char *stored = names ? row->hostname : row->mac;
        fuzz_require (strcmp (texts[i].old, stored) == 0 && !row->excluded
                      && texts[i].fresh[0]);
        fuzz_require (texts[i].follow || !stored[0]);
        fuzz_require (!texts[i].follow || policy == HUB_FIELD_FOLLOW
                      || (policy == HUB_FIELD_AUTO
                          && (row->autodiscovered
                              || (row->has_state
                                  && row->state == HUB_TAG_DHCP))));
    }
}

static bool
s_is_covered (const sp_report_t *report, const sh_addr_t *ip)
{
    for (size_t i = 0; i < report->covered_count; i++) {
        const sp_range_t *range = &report->covered[i];
        if (memcmp (range->first.data, ip->bytes, 4) <= 0
            && memcmp (ip->bytes, range->last.data, 4) <= 0)
            return true;
    }
    return false;
}

static void
s_check_tags (const draft_t *self, const hub_changes_t *changes, int policy)
{
    const sp_report_t *report = &self->report;
    size_t count = changes->used_count + changes->offline_count;
    fuzz_require (count == 0
                  || (policy == HUB_TAGS_PHPIPAM && self->subnet.check
                      && self->agent.update_tags));
    fuzz_require (changes->offline_count == 0
                  || (report->last && report->complete && report->up > 0));
    for (size_t i = 0; i < changes->offline_count; i++) {
        const hub_row_t *row = s_row (self, changes->offline[i].row);
        fuzz_require (!row->excluded && row->state != HUB_TAG_RESERVED
                      && s_is_covered (report, &row->ip)
                      && changes->offline[i].fresh == HUB_TAG_OFFLINE);
    }
    for (size_t i = 0; i < changes->used_count; i++)
        fuzz_require (!s_row (self, changes->used[i].row)->excluded
                      && changes->used[i].fresh == HUB_TAG_USED);
}

static void
s_check_inserts (const draft_t *self, const hub_changes_t *changes,
                 const hub_sightings_t *sightings)
{
    fuzz_require (changes->insert_count == 0
                  || (self->subnet.discover
                      && self->report.kind != SP_KIND_CHECK));
    size_t at = 0;
    for (size_t i = 0; i < changes->insert_count; i++) {
        const sh_addr_t *ip = &changes->inserts[i].ip;
        fuzz_require (s_was_sighted (sightings, ip)
                      && !hub_rows_next (&self->found, &at, ip));
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static draft_t draft;
    draft.input = (input_t){ data, size };
    draft.text_count = 0;
    hub_facts_t facts = { .report = &draft.report,
                          .agent = &draft.agent,
                          .subnet = &draft.subnet,
                          .rows = &draft.found,
                          .zone = SH_ZONE_UTC,
                          .received = NOW * 1000 + 999,
                          .now = NOW };
    s_draw_subnet (&draft, &facts.policy);
    s_draw_report (&draft);
    s_draw_rows (&draft);

    hub_sightings_t *sightings = NULL;
    if (!draft.report.last) {
        fuzz_require (hub_sightings_check (&sightings, &draft.report,
                                           &draft.subnet, facts.received)
                      == SH_OK);
        s_check_sightings (&draft, sightings);
    }
    facts.sightings = sightings;
    hub_changes_t *changes = NULL;
    sh_err_t rc = hub_changes_plan (&changes, &facts);
    fuzz_require (rc == SH_OK || (rc == SH_E_BAD_TIME && !changes));
    if (rc == SH_OK) {
        s_check_seen (&draft, changes, sightings);
        s_check_texts (&draft, changes->names, changes->name_count,
                       facts.policy.hostname, true);
        s_check_texts (&draft, changes->macs, changes->mac_count,
                       facts.policy.mac, false);
        s_check_tags (&draft, changes, facts.policy.tags);
        s_check_inserts (&draft, changes, sightings);
    }
    hub_changes_destroy (&changes);
    hub_sightings_destroy (&sightings);
    return 0;
}
