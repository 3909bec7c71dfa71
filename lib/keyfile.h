/* SPDX-License-Identifier: MPL-2.0 */
/*  CURVE key files in CZMQ's certificate format (ZPL, as zcert writes it):

        metadata
            name = "site-a"
        curve
            public-key = "40 characters of Z85"
            secret-key = "40 characters of Z85"     (secret files only)

    The reader is bounded and strict where zcert is not: it aborts on nothing
    that a file can contain.  Secret files are 0600, and refused when group or
    others may read them.  */

#ifndef SH_KEYFILE_H
#define SH_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

#define SH_KEY_TEXT 41         /* 40 characters of Z85 and the NUL */
#define SH_FINGERPRINT_TEXT 20 /* "0123-4567-89ab-cdef" and the NUL */
#define SH_KEYFILE_MOST 16384  /* bytes in a key file */
#define SH_KEYFILE_FIELDS 1100 /* metadata lines in a key file */

typedef struct
{
    char *name;  /* never NULL */
    char *value; /* never NULL */
} sh_keyfield_t;

typedef struct
{
    char public_key[SH_KEY_TEXT];
    char secret_key[SH_KEY_TEXT]; /* "" in a public file */
    sh_keyfield_t *fields;        /* metadata in file order; a name may occur
                                     more than once */
    size_t field_count;
} sh_keyfile_t;

/*  Make a new pair.  The caller destroys it.  */
sh_err_t sh_keyfile_generate (sh_keyfile_t **out) SH_MUST_CHECK;

/*  Start an entry for a known public key, with no metadata.  SH_E_SYNTAX if
    it is not 40 characters of Z85.  */
sh_err_t sh_keyfile_from_public (sh_keyfile_t **out, const char *public_key)
    SH_MUST_CHECK;

/*  Wipes the secret.  '*self_p' becomes NULL; NULL is fine.  */
void sh_keyfile_destroy (sh_keyfile_t **self_p);

/*  Read a file.  With 'secret' the secret key must be there and match the
    public one, the file must be closed to group and others and we have to be
    allowed to read it (SH_E_MODE); without it, a secret key in the file is
    ignored and not kept.  SH_E_SYNTAX names file and fault.  */
sh_err_t sh_keyfile_load (sh_keyfile_t **out, const char *path, bool secret,
                          sh_why_t *why) SH_MUST_CHECK;

/*  The same from memory, for tests and fuzzers; 'label' stands for the path
    in messages.  */
sh_err_t sh_keyfile_parse (sh_keyfile_t **out, const char *text, size_t size,
                           const char *label, bool secret, sh_why_t *why)
    SH_MUST_CHECK;

/*  Write a new file: 0600 with the secret key if 'secret', else 0644 without
    it.  Never overwrites (SH_E_EXISTS); SH_E_TOO_LARGE if it would be more
    than SH_KEYFILE_MOST, SH_E_SYNTAX if there is no secret key to write.  */
sh_err_t sh_keyfile_save (const sh_keyfile_t *self, const char *path,
                          bool secret, sh_why_t *why) SH_MUST_CHECK;

/*  Write a public file, over one that may be there, in one step.  Errors as
    sh_keyfile_save.  */
sh_err_t sh_keyfile_replace (const sh_keyfile_t *self, const char *path,
                             sh_why_t *why) SH_MUST_CHECK;

/*  Give the field 'name' this value, the first if there are several; it is
    appended if there is none.  Errors as sh_keyfile_add.  */
sh_err_t sh_keyfile_set (sh_keyfile_t *self, const char *name,
                         const char *value) SH_MUST_CHECK;

/*  Append a metadata field.  Quotes, control bytes, line ends and bytes that
    are not UTF-8 in 'value' are SH_E_SYNTAX, as are a name that is not of
    letters, digits and $-_@.&+/ and a line of more than 1,024 bytes;
    SH_E_TOO_LARGE when there are SH_KEYFILE_FIELDS already.  */
sh_err_t sh_keyfile_add (sh_keyfile_t *self, const char *name,
                         const char *value) SH_MUST_CHECK;

/*  The first value of 'name', or NULL.  */
const char *sh_keyfile_get (const sh_keyfile_t *self, const char *name);

/*  Is it 40 characters of valid Z85?  */
bool sh_key_valid (const char *text);

/*  Something short for people to compare keys by: the first 16 hexadecimal
    digits of the BLAKE2b-256 hash of the key's 32 bytes.  */
void sh_key_fingerprint (char out[static SH_FINGERPRINT_TEXT],
                         const char *key);

/*  A whole fingerprint as people type it, in either case, with or without the
    '-' between its groups, in the form of sh_key_fingerprint.  False: it is
    none.  Part of one is not enough, for a key whose fingerprint begins like
    another's is soon made.  */
bool sh_fingerprint_read (char out[static SH_FINGERPRINT_TEXT],
                          const char *text);

#endif
