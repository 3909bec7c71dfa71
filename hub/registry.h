/* SPDX-License-Identifier: MPL-2.0 */
/*  The registry: which CURVE keys may speak, under which name and for which
    scanner codes.  It is a directory of public key files NAME.cert (format:
    lib/keyfile.h) with the metadata

        name = "site-a"         (optional; else the file's name)
        code = "32 characters"  (once, or several times for a shim)
        kind = "shim"           (optional; a shim speaks for scanners that
                                have no key; several codes imply it)
        legacy_http = "true"    (optional; a scanner whose code shims and HTTP
                                clients may go on speaking for)
        replaces = "KEY"        (optional; the key of another file of the same
                                name: both are good until this one is used)

    Files that do not end in .cert or begin with a dot are ignored.  A file is
    taken whole or not at all: a file that cannot be read or is wrong lets
    nobody in and is logged.  A key that two files claim lets nobody in until
    one of them is gone, for nobody could say which codes it speaks for.
    Symlinks are followed to regular files; their targets are looked at once a
    second, as inotify does not tell of them.  Put files there by rename or
    link, so that they are whole when they appear.

    What cannot be read is not in force: a file that turned bad lets nobody in
    from then on, and neither does a directory that is gone, unreadable or
    writable by everybody.  Only a directory that is not there at all is given
    one second before everybody is out, so that it can be replaced by two
    renames.  It is looked for once a second and read whole when it is back.

    Thread-safe: any thread may look up while one thread (the ZAP actor's)
    follows the directory by inotify.  */

#ifndef HUB_REGISTRY_H
#define HUB_REGISTRY_H

#include "hub/digest.h"
#include "hub/principal.h"

typedef struct hub_registry hub_registry_t;

/*  Open and read the directory.  A directory that is missing or writable by
    everybody is an error; bad files in it are not, they are only logged.
    SH_E_CONFIG, SH_E_IO, SH_E_MEMORY.  */
sh_err_t hub_registry_new (hub_registry_t **out, const char *directory,
                           sh_why_t *why) SH_MUST_CHECK;
void hub_registry_destroy (hub_registry_t **self_p);

/*  Read the whole directory anew and swap it in.  On an error the registry
    stays as it was, until hub_registry_follow's next look (see above).  */
sh_err_t hub_registry_reload (hub_registry_t *self, sh_why_t *why)
    SH_MUST_CHECK;

/*  A descriptor to poll (an epoll of inotify and a timer, so it is readable
    about once a second), and what to do when it is readable: re-read the files
    that changed (everything after an overflow, or when the directory itself
    was replaced).  Returns true if anything changed.  */
int hub_registry_fd (const hub_registry_t *self);
bool hub_registry_follow (hub_registry_t *self);

/*  Look a key up.  True and a copy in 'who' (the caller clears it) if exactly
    one file has it; 'who' is untouched otherwise.  */
bool hub_registry_find (hub_registry_t *self, const char *key,
                        hub_principal_t *who);

/*  Does the key still speak for the code?  The last look before COMMIT.  */
bool hub_registry_allows (hub_registry_t *self, const char *key,
                          const char *code);

/*  Is this code some scanner's own, so that nobody may speak for it through a
    shim or over HTTP?  Not if all entries of scanners with this code say
    legacy_http.  Also true for an entry that is not in force because another
    file has the same key.  */
bool hub_registry_reserves (hub_registry_t *self, const char *code);

/*  The scanners (not shims) in force that have this code as their own; how
    many there are, of which 'most' are written.  */
typedef struct
{
    char key[SH_KEY_TEXT];
    char name[HUB_NAME_MOST + 1];
} hub_scanner_t;
size_t hub_registry_scanners (hub_registry_t *self, const char *code,
                              hub_scanner_t *out, size_t most);

/*  All keys in force; how many.  '*out' is malloc'ed, NULL if there are none
    or no memory.  */
typedef struct
{
    char key[SH_KEY_TEXT];
    char name[HUB_NAME_MOST + 1];
    bool shim;
} hub_key_t;
size_t hub_registry_list (hub_registry_t *self, hub_key_t **out);
/*  Somebody said hello with this key.  If it replaces another one, that is out
    of force from now on: in the same moment, and for good.  True if so.  */
bool hub_registry_used (hub_registry_t *self, const char *key);

/*  Was the key replaced by another one?  */
bool hub_registry_is_retired (hub_registry_t *self, const char *key);

/*  Remember in the file 'path' which keys were replaced, and take over those
    that it has; see hub/retired.h.  Without this they are forgotten at the end
    of the program.  To be called before other threads look.  */
sh_err_t hub_registry_keep_retired (hub_registry_t *self, const char *path,
                                    sh_why_t *why) SH_MUST_CHECK;

/*  A digest of all that is in force.  False: no memory.  */
bool hub_registry_digest (hub_registry_t *self,
                          char out[static HUB_DIGEST_TEXT]);

/*  How many good files have the key: 0, 1, or 2 for more, which is why nobody
    with it gets in.  */
unsigned hub_registry_claims (hub_registry_t *self, const char *key);

/*  How many keys are in force; grows by 1 with every change to the whole.  */
size_t hub_registry_size (hub_registry_t *self);
unsigned hub_registry_generation (hub_registry_t *self);

/*  How many files let nobody in: what is not in order, and those that share a
    key.  */
size_t hub_registry_idle (hub_registry_t *self);

/*  Is it a directory that the hub would use?  SH_E_CONFIG if it is missing, no
    directory or writable by everybody, SH_E_IO; the why says what to do.  */
sh_err_t hub_registry_check (const char *directory, sh_why_t *why)
    SH_MUST_CHECK;

/*  Would the hub read a file of this name?  */
bool hub_registry_is_entry (const char *file);

/*  What a file would be as an entry, for 'scanhubctl scanner list' and for
    checking before a file is put there.  SH_E_SYNTAX, SH_E_MODE (writable by
    everybody) and others with a why that names the file.  */
sh_err_t hub_registry_read_file (hub_principal_t *out, const char *path,
                                 sh_why_t *why) SH_MUST_CHECK;

/*  May it be a registry name (it becomes a file name): letters, digits, '.',
    '_', '-', not beginning with '.' or '-', at most HUB_NAME_MOST.  */
bool hub_registry_name_valid (const char *name);

/*  May it be a scanner code: 1 to 32 of phpIPAM's characters A-Z a-z 0-9 - _
    and =.  */
bool hub_registry_code_valid (const char *code);

#endif
