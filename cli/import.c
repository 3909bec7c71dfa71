/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl scanner import: what 'scanner export' wrote becomes the
    registry's content, all of it or nothing.  Everything is checked, and
    written beside the registry's files, before the first of them changes; if
    one cannot be put in its place, those before it are put back.  */

#include "cli/ctl.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/registration.h"
#include "cli/roster.h"
#include "hub/registry.h"

#define ENTRIES_MOST 65536

/*  One file of the registry that changes.  */
typedef struct
{
    char *path;
    char *fresh; /* its next content, hidden beside it; NULL: it goes */
    char *was;   /* its present one, while we are at it; NULL: it is new */
    bool placed;
} step_t;

/*  One entry of the document.  */
typedef struct
{
    const char *name, *key, *replaces; /* borrowed from the document */
    sh_keyfile_t *file;
    const ctl_entry_t *old; /* of the same key, or NULL */
} item_t;

typedef struct
{
    ctl_t *ctl;
    json_t *document;
    ctl_roster_t roster;
    item_t *items;
    size_t count;
    step_t *steps; /* room for all items and all of the roster */
    size_t step_count;
    bool replace, dry_run;
} import_t;

static int
s_refuse (size_t at, const char *what)
{
    return ctl_fail (EX_DATAERR, "entry %zu of the document: %s", at + 1,
                     what);
}

static sh_err_t
s_add_codes (sh_keyfile_t *file, const json_t *codes)
{
    sh_err_t rc = json_array_size (codes) > 0 ? SH_OK : SH_E_SYNTAX;
    for (size_t i = 0; rc == SH_OK && i < json_array_size (codes); i++) {
        const char *code = json_string_value (json_array_get (codes, i));
        rc = hub_registry_code_valid (code)
                 ? sh_keyfile_add (file, "code", code)
                 : SH_E_SYNTAX;
    }
    return rc;
}

static int
s_take (item_t *item, json_t *value, size_t at)
{
    const char *kind = "scanner";
    json_t *codes = NULL;
    int legacy = 0;
    if (json_unpack (value, "{s:s, s:s, s?:s, s:o, s?:b, s?:s}", "name",
                     &item->name, "key", &item->key, "kind", &kind, "codes",
                     &codes, "legacy_http", &legacy, "replaces",
                     &item->replaces)
        != 0)
        return s_refuse (at, "it has no name, key and codes");
    if (!hub_registry_name_valid (item->name))
        return s_refuse (at, "the name cannot be a scanner's");
    bool shim = strcmp (kind, "shim") == 0;
    if (!shim && strcmp (kind, "scanner") != 0)
        return s_refuse (at, "the kind is neither scanner nor shim");
    if (item->replaces
        && (!sh_key_valid (item->replaces)
            || strcmp (item->replaces, item->key) == 0))
        return s_refuse (at, "'replaces' is no other public key");
    sh_err_t rc = sh_keyfile_from_public (&item->file, item->key);
    if (rc == SH_E_SYNTAX)
        return s_refuse (at, "the key is no public key");
    if (rc == SH_OK)
        rc = sh_keyfile_add (item->file, "name", item->name);
    if (rc == SH_OK && shim)
        rc = sh_keyfile_add (item->file, "kind", "shim");
    if (rc == SH_OK && legacy)
        rc = sh_keyfile_add (item->file, "legacy_http", "true");
    if (rc == SH_OK && item->replaces)
        rc = sh_keyfile_add (item->file, "replaces", item->replaces);
    if (rc == SH_OK)
        rc = s_add_codes (item->file, codes);
    return rc == SH_OK ? 0 : s_refuse (at, "the codes are not good");
}

/*  Two with one key would let neither in; two of one name are a scanner and
    its next key.  */
static int
s_check_pair (const item_t *a, const item_t *b, size_t at)
{
    if (strcmp (a->key, b->key) == 0)
        return s_refuse (at, "an entry before it has the same key");
    bool rotation = (a->replaces && strcmp (a->replaces, b->key) == 0)
                    || (b->replaces && strcmp (b->replaces, a->key) == 0);
    if (strcmp (a->name, b->name) == 0 && !rotation)
        return s_refuse (at, "an entry before it has the same name");
    return 0;
}

static int
s_read (import_t *self, const char *path)
{
    json_error_t error;
    json_int_t version = 0;
    json_t *all = NULL;
    self->document = json_load_file (path, JSON_REJECT_DUPLICATES, &error);
    if (!self->document)
        return access (path, R_OK) != 0
                   ? ctl_fail (EX_NOINPUT, "%s: cannot read: %s", path,
                               strerror (errno))
                   : ctl_fail (EX_DATAERR,
                               "%s: is no document of scanhubctl scanner "
                               "export: line %d: %s", path, error.line,
                               error.text);
    if (json_unpack (self->document, "{s:I, s:o}", CTL_EXPORT_KEY, &version,
                     "scanners", &all)
            != 0
        || version != CTL_EXPORT_VERSION || !json_is_array (all)
        || json_array_size (all) > ENTRIES_MOST)
        return ctl_fail (EX_DATAERR,
                         "%s: is no document of scanhubctl scanner export of "
                         "this version",
                         path);
    self->items = calloc (json_array_size (all) + 1, sizeof *self->items);
    int status = self->items ? 0 : ctl_fail (EX_OSERR, "out of memory");
    for (size_t i = 0; status == 0 && i < json_array_size (all); i++) {
        self->count++;
        status = s_take (&self->items[i], json_array_get (all, i), i);
        for (size_t k = 0; status == 0 && k < i; k++)
            status = s_check_pair (&self->items[k], &self->items[i], i);
    }
    return status;
}

/*  Does the document have this key?  */
static bool
s_has_key (const import_t *self, const char *key)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp (self->items[i].key, key) == 0)
            return true;
    return false;
}

/*  A name that has another key here is not taken from it in silence.  */
static int
s_match (import_t *self, item_t *item, size_t at)
{
    if (ctl_key_is_retired (self->ctl, item->key))
        return s_refuse (at, "its key was replaced here and stays out of "
                             "force");
    for (size_t i = 0; i < self->roster.count; i++) {
        const ctl_entry_t *entry = &self->roster.items[i];
        if (entry->bad != SH_OK || entry->retired)
            continue;
        if (strcmp (entry->who.key, item->key) == 0)
            item->old = entry;
        else if (strcmp (entry->who.name, item->name) == 0 && !self->replace
                 && !s_has_key (self, entry->who.key)
                 && (!item->replaces
                     || strcmp (item->replaces, entry->who.key) != 0))
            return ctl_fail (EX_CANTCREAT,
                             "scanner '%s' has another key here; rotate or "
                             "revoke it first, or take the whole document "
                             "over by --replace",
                             item->name);
    }
    return 0;
}

/*  Would the hub see a difference?  */
static bool
s_is_same (const item_t *item)
{
    const hub_principal_t *who = &item->old->who;
    bool same = who->code_count + 1 + who->shim + who->legacy_http
                    + (who->replaces[0] != '\0')
                == item->file->field_count;
    for (size_t i = 0; same && i < item->file->field_count; i++) {
        const sh_keyfield_t *field = &item->file->fields[i];
        const char *listed = NULL;
        if (strcmp (field->name, "name") == 0)
            same = strcmp (who->name, field->value) == 0;
        else if (strcmp (field->name, "kind") == 0)
            same = who->shim;
        else if (strcmp (field->name, "legacy_http") == 0)
            same = who->legacy_http;
        else if (strcmp (field->name, "replaces") == 0)
            same = strcmp (who->replaces, field->value) == 0;
        else
            same = hub_principal_code (who, field->value, &listed) == SH_OK;
    }
    return same;
}

/*  Plan one file's change: what there is ('old'), what is to be ('item'),
    either of which may be NULL.  */
static int
s_add_step (import_t *self, const ctl_entry_t *old, const item_t *item)
{
    step_t *step = &self->steps[self->step_count];
    const char *directory = self->ctl->config->registry;
    char fingerprint[SH_FINGERPRINT_TEXT];
    struct stat meta;
    assert (old || item);
    const char *key = item ? item->key : NULL;
    if (!item && old)
        key = old->who.key;
    sh_key_fingerprint (fingerprint, key);
    if (old && (lstat (old->path, &meta) != 0 || !S_ISREG (meta.st_mode)))
        return ctl_fail (EX_DATAERR, "%s is a link; nothing was changed",
                         old->path);
    int made = old ? asprintf (&step->path, "%s", old->path)
                   : asprintf (&step->path, "%s/%s.cert", directory,
                               item->name);
    if (made >= 0 && !old && lstat (step->path, &meta) == 0) {
        free (step->path);
        made = asprintf (&step->path, "%s/%s.%s.cert", directory, item->name,
                         fingerprint);
    }
    if (made < 0)
        step->path = NULL;
    self->step_count++;
    bool whole = step->path != NULL;
    if (item && asprintf (&step->fresh, "%s/.%s.import", directory,
                          fingerprint)
                    < 0)
        whole = false;
    if (old
        && asprintf (&step->was, "%s/.%s.was", directory, fingerprint) < 0)
        whole = false;
    return whole ? 0 : ctl_fail (EX_OSERR, "out of memory");
}

/*  What changes, a line for each, and the steps to it.  */
static int
s_plan (import_t *self)
{
    char fingerprint[SH_FINGERPRINT_TEXT];
    size_t same = 0;
    int status = 0;
    self->steps = calloc (self->count + self->roster.count + 1,
                          sizeof *self->steps);
    if (!self->steps)
        return ctl_fail (EX_OSERR, "out of memory");
    for (size_t i = 0; status == 0 && i < self->count; i++) {
        item_t *item = &self->items[i];
        status = s_match (self, item, i);
        if (status == 0 && item->old && s_is_same (item)) {
            same++;
            continue;
        }
        if (status == 0)
            status = s_add_step (self, item->old, item);
        if (status != 0)
            break;
        sh_key_fingerprint (fingerprint, item->key);
        printf ("%s %-20s  %s\n", item->old ? "changed" : "new    ",
                item->name, fingerprint);
    }
    for (size_t i = 0; status == 0 && i < self->roster.count; i++) {
        const ctl_entry_t *entry = &self->roster.items[i];
        if (!self->replace || entry->bad != SH_OK
            || s_has_key (self, entry->who.key))
            continue;
        sh_key_fingerprint (fingerprint, entry->who.key);
        printf ("removed %-20s  %s\n", entry->who.name, fingerprint);
        status = s_add_step (self, entry, NULL);
    }
    if (status == 0)
        printf ("%zu to change, %zu stay%s as %s\n", self->step_count, same,
                same == 1 ? "s" : "", same == 1 ? "it is" : "they are");
    return status;
}

/*  What the hub would not take is not put before it.  */
static int
s_check_staged (const step_t *step)
{
    hub_principal_t who = { 0 };
    sh_why_t why;
    sh_err_t rc = hub_registry_read_file (&who, step->fresh, &why);
    hub_principal_clear (&who);
    return rc == SH_OK ? 0 : ctl_fail_err (rc, &why);
}

static int
s_stage (import_t *self)
{
    sh_why_t why;
    size_t at = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (self->items[i].old && s_is_same (&self->items[i]))
            continue;
        const step_t *step = &self->steps[at++];
        sh_err_t rc
            = sh_keyfile_replace (self->items[i].file, step->fresh, &why);
        int status = rc == SH_OK ? s_check_staged (step)
                                 : ctl_fail_err (rc, &why);
        if (status != 0)
            return status;
    }
    return 0;
}

static bool
s_place (step_t *step)
{
    if (step->was) {
        (void) unlink (step->was); /* of a run that was killed */
        if ((step->fresh ? link (step->path, step->was)
                         : rename (step->path, step->was))
            != 0)
            return false;
    }
    step->placed = !step->fresh || rename (step->fresh, step->path) == 0;
    return step->placed;
}

static void
s_put_back (const step_t *step)
{
    if (!step->placed)
        return;
    if (step->was ? rename (step->was, step->path) != 0
                  : unlink (step->path) != 0)
        ctl_warn ("%s cannot be put back: %s", step->path, strerror (errno));
}

static int
s_apply (import_t *self)
{
    int status = s_stage (self);
    for (size_t i = 0; status == 0 && i < self->step_count; i++) {
        if (s_place (&self->steps[i]))
            continue;
        status = ctl_fail (EX_IOERR, "%s: %s; nothing was changed",
                           self->steps[i].path, strerror (errno));
        while (i > 0)
            s_put_back (&self->steps[--i]);
        break;
    }
    for (size_t i = 0; i < self->step_count; i++) {
        if (self->steps[i].fresh)
            (void) unlink (self->steps[i].fresh);
        if (self->steps[i].was)
            (void) unlink (self->steps[i].was);
    }
    return status;
}

static void
s_clear (import_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        sh_keyfile_destroy (&self->items[i].file);
    for (size_t i = 0; i < self->step_count; i++) {
        free (self->steps[i].path);
        free (self->steps[i].fresh);
        free (self->steps[i].was);
    }
    free (self->items);
    free (self->steps);
    json_decref (self->document);
    ctl_roster_clear (&self->roster);
}

static int
s_import (import_t *self, const char *path)
{
    int lock = -1;
    int status = s_read (self, path);
    if (status == 0)
        status = ctl_registry_lock (&lock, self->ctl);
    if (status == 0)
        status = ctl_roster_load (&self->roster, self->ctl);
    if (status == 0)
        status = s_plan (self);
    if (status == 0 && self->dry_run)
        printf ("nothing was changed (--dry-run)\n");
    else if (status == 0)
        status = s_apply (self);
    if (status == 0 && !self->dry_run && self->step_count > 0)
        printf ("changed\n");
    if (lock >= 0)
        close (lock);
    s_clear (self);
    return status;
}

int
ctl_scanner_import (ctl_t *self, int argc, char **argv)
{
    static const struct option options[]
        = { { "dry-run", no_argument, NULL, 'n' },
            { "replace", no_argument, NULL, 'r' },
            { "help", no_argument, NULL, 'h' },
            { 0 } };
    import_t import = { .ctl = self };
    int option;
    while ((option = getopt_long (argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            ctl_usage_command (stdout, self->command);
            return 0;
        }
        if (option == 'n')
            import.dry_run = true;
        else if (option == 'r')
            import.replace = true;
        else
            return ctl_misused (self);
    }
    if (optind + 1 != argc)
        return ctl_miscounted (self, argc, argv, 1);
    return s_import (&import, argv[optind]);
}
