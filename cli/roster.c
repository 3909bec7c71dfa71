/* SPDX-License-Identifier: MPL-2.0 */

#include "cli/roster.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "hub/registry.h"
#include "hub/retired.h"

/*  A bad file's key is wanted all the same: revoking must find it.  */
static void
s_salvage_key (ctl_entry_t *entry)
{
    sh_keyfile_t *key = NULL;
    if (sh_keyfile_load (&key, entry->path, false, NULL) == SH_OK)
        memcpy (entry->who.key, key->public_key, sizeof entry->who.key);
    sh_keyfile_destroy (&key);
}

static sh_err_t
s_add (ctl_roster_t *self, const char *directory, const char *file)
{
    ctl_entry_t entry = { 0 };
    ctl_entry_t *items
        = realloc (self->items, (self->count + 1) * sizeof *items);
    if (!items)
        return SH_E_MEMORY;
    self->items = items;
    if (asprintf (&entry.path, "%s/%s", directory, file) < 0)
        return SH_E_MEMORY;
    entry.file = entry.path + strlen (directory) + 1;
    entry.bad = hub_registry_read_file (&entry.who, entry.path, &entry.why);
    if (entry.bad != SH_OK)
        s_salvage_key (&entry);
    items[self->count++] = entry;
    return SH_OK;
}

static int
s_compare (const void *a, const void *b)
{
    const ctl_entry_t *one = a, *other = b;
    if ((one->bad != SH_OK) != (other->bad != SH_OK))
        return one->bad != SH_OK ? 1 : -1;
    int order = strcmp (one->who.name, other->who.name);
    return order ? order : strcmp (one->file, other->file);
}

sh_err_t
ctl_roster_read (ctl_roster_t *out, const char *directory, sh_why_t *why)
{
    assert (out && directory);
    *out = (ctl_roster_t){ 0 };
    DIR *stream = opendir (directory);
    sh_err_t rc = SH_OK;
    while (stream && rc == SH_OK) {
        errno = 0;
        const struct dirent *item = readdir (stream);
        if (!item)
            break;
        if (hub_registry_is_entry (item->d_name))
            rc = s_add (out, directory, item->d_name);
    }
    if (rc != SH_OK)
        rc = sh_fail (why, rc, "out of memory");
    else if (!stream || errno != 0)
        rc = sh_fail (why, errno == EACCES ? SH_E_MODE : SH_E_IO,
                      "%s: cannot read: %s", directory, strerror (errno));
    if (stream)
        closedir (stream);
    if (rc == SH_OK && out->count > 1)
        qsort (out->items, out->count, sizeof *out->items, s_compare);
    return rc;
}

void
ctl_roster_mark_retired (ctl_roster_t *self, const char *path)
{
    assert (self && path);
    hub_retired_t *retired = NULL;
    if (hub_retired_new (&retired, path, NULL) != SH_OK)
        return;
    for (size_t i = 0; i < self->count; i++)
        self->items[i].retired
            = hub_retired_has (retired, self->items[i].who.key);
    hub_retired_destroy (&retired);
}

int
ctl_roster_load (ctl_roster_t *out, ctl_t *ctl)
{
    sh_why_t why;
    *out = (ctl_roster_t){ 0 };
    int status = ctl_config (ctl);
    if (status != 0)
        return status;
    sh_err_t rc = hub_registry_check (ctl->config->registry, &why);
    if (rc == SH_OK)
        rc = ctl_roster_read (out, ctl->config->registry, &why);
    if (rc == SH_OK)
        ctl_roster_mark_retired (out, ctl->config->retired);
    return rc == SH_OK ? 0 : ctl_fail_err (rc, &why);
}

bool
ctl_key_is_retired (const ctl_t *ctl, const char *key)
{
    hub_retired_t *retired = NULL;
    if (hub_retired_new (&retired, ctl->config->retired, NULL) != SH_OK)
        return false;
    bool is = hub_retired_has (retired, key);
    hub_retired_destroy (&retired);
    return is;
}

bool
ctl_entry_in_force (const ctl_roster_t *self, const ctl_entry_t *entry)
{
    if (entry->bad != SH_OK || entry->retired)
        return false;
    for (size_t i = 0; i < self->count; i++) {
        const ctl_entry_t *one = &self->items[i];
        if (one != entry && one->bad == SH_OK
            && strcmp (one->who.key, entry->who.key) == 0)
            return false;
    }
    return true;
}

int
ctl_roster_digest (const ctl_roster_t *self, char out[static HUB_DIGEST_TEXT])
{
    hub_digest_t digest = { 0 };
    for (size_t i = 0; i < self->count; i++)
        if (ctl_entry_in_force (self, &self->items[i]))
            hub_digest_add (&digest, &self->items[i].who);
    return hub_digest_end (&digest, out)
               ? 0
               : ctl_fail (EX_OSERR, "out of memory");
}

json_t *
ctl_entry_json (const ctl_entry_t *entry)
{
    const hub_principal_t *who = &entry->who;
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_key_fingerprint (fingerprint, who->key);
    json_t *codes = json_array ();
    for (size_t i = 0; i < who->code_count; i++)
        json_array_append_new (codes, json_string (who->codes[i].text));
    json_t *out = json_pack ("{s:s, s:s, s:s, s:s, s:o}", "name", who->name,
                             "key", who->key, "fingerprint", fingerprint,
                             "kind", who->shim ? "shim" : "scanner", "codes",
                             codes);
    if (out && who->legacy_http)
        json_object_set_new (out, "legacy_http", json_true ());
    if (out && who->replaces[0])
        json_object_set_new (out, "replaces", json_string (who->replaces));
    return out;
}

void
ctl_roster_clear (ctl_roster_t *self)
{
    assert (self);
    for (size_t i = 0; i < self->count; i++) {
        hub_principal_clear (&self->items[i].who);
        free (self->items[i].path);
    }
    free (self->items);
    *self = (ctl_roster_t){ 0 };
}

const ctl_entry_t *
ctl_roster_key (const ctl_roster_t *self, const char *key,
                const ctl_entry_t *from)
{
    assert (self && key);
    const ctl_entry_t *end = self->items + self->count;
    for (const ctl_entry_t *it = from ? from : self->items; it < end; it++) {
        if (strcmp (it->who.key, key) == 0)
            return it;
    }
    return NULL;
}

const ctl_entry_t *
ctl_roster_name (const ctl_roster_t *self, const char *name,
                 const ctl_entry_t *from)
{
    assert (self && name);
    const ctl_entry_t *end = self->items + self->count;
    for (const ctl_entry_t *it = from ? from : self->items; it < end; it++)
        if (it->bad == SH_OK && !it->retired
            && strcmp (it->who.name, name) == 0)
            return it;
    return NULL;
}
