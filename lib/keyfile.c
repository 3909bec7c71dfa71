/* SPDX-License-Identifier: MPL-2.0 */
/*  The reader is our own and not CZMQ's zconfig: that one (4.2.1) prints a
    line it cannot parse, secret and all, to stdout, drops what follows a NUL
    byte without a word, and frees its copies of the secret without clearing
    them.  This one works on the text where it lies and copies out only what is
    kept.  */

#include "lib/keyfile.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>
#include <zmq.h>

#include "lib/file.h"
#include "lib/owner.h"
#include "lib/secret.h"
#include "lib/zpl.h"

#define KEY_SIZE 32
#define KEY_DIGITS (SH_KEY_TEXT - 1)
#define NAME_MOST 255
/*  What a field's line has besides name and value: four blanks, ' = ""'.  */
#define FIELD_FRAME 9

typedef enum
{
    SECTION_NONE,
    SECTION_METADATA,
    SECTION_CURVE,
    SECTION_COUNT
} section_t;

static const char *const s_sections[SECTION_COUNT]
    = { [SECTION_METADATA] = "metadata", [SECTION_CURVE] = "curve" };

typedef struct
{
    sh_keyfile_t *key;
    const char *label;
    sh_why_t *why;
    int line;
    bool secret;
    section_t section;         /* the one that the line is in */
    bool begun[SECTION_COUNT]; /* sections that the text had so far */
    bool secret_seen;
} reader_t;

static sh_err_t SH_PRINTF (2, 3)
s_refuse (const reader_t *reader, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    return sh_fail (reader->why, SH_E_SYNTAX, "%s:%d: %s", reader->label,
                    reader->line, text);
}

static sh_err_t
s_append (sh_keyfile_t *self, sh_zpl_span_t name, sh_zpl_span_t value)
{
    if (self->field_count >= SH_KEYFILE_FIELDS)
        return SH_E_TOO_LARGE;
    /*  What is kept must be readable again once it is written.  */
    if (name.size < 1 || name.size > NAME_MOST
        || value.size > SH_ZPL_LINE_MOST - FIELD_FRAME - name.size)
        return SH_E_SYNTAX;
    /*  One at a time is fine: realloc is cheap at this many.  */
    sh_keyfield_t *fields = realloc (
        self->fields, (self->field_count + 1) * sizeof *self->fields);
    if (!fields)
        return SH_E_MEMORY;
    self->fields = fields;
    sh_keyfield_t field = { strndup (name.at, name.size),
                            value.size > 0 ? strndup (value.at, value.size)
                                           : strdup ("") };
    if (!field.name || !field.value) {
        free (field.name);
        free (field.value);
        return SH_E_MEMORY;
    }
    fields[self->field_count++] = field;
    return SH_OK;
}

static sh_err_t
s_read_field (reader_t *reader, const sh_zpl_line_t *line)
{
    sh_err_t rc = s_append (reader->key, line->name, line->value);
    if (rc == SH_E_SYNTAX)
        return s_refuse (reader, "the name or the value is too long");
    if (rc == SH_E_TOO_LARGE)
        return s_refuse (reader, "more than %d metadata lines",
                         SH_KEYFILE_FIELDS);
    if (rc != SH_OK)
        return sh_fail (reader->why, rc, "%s: out of memory", reader->label);
    return SH_OK;
}

static sh_err_t
s_read_key (const reader_t *reader, char out[static SH_KEY_TEXT],
            sh_zpl_span_t value, const char *what)
{
    char text[SH_KEY_TEXT] = "";
    if (value.size == KEY_DIGITS)
        memcpy (text, value.at, value.size);
    sh_err_t rc = SH_OK;
    if (sh_key_valid (text))
        memcpy (out, text, sizeof text);
    else
        rc = s_refuse (reader, "the %s is not 40 characters of Z85", what);
    sh_secret_wipe (text, sizeof text);
    return rc;
}

static sh_err_t
s_read_curve (reader_t *reader, const sh_zpl_line_t *line)
{
    sh_keyfile_t *key = reader->key;
    if (sh_zpl_equals (line->name, "public-key")) {
        if (key->public_key[0])
            return s_refuse (reader, "a second public-key");
        return s_read_key (reader, key->public_key, line->value, "public-key");
    }
    if (sh_zpl_equals (line->name, "secret-key")) {
        if (reader->secret_seen)
            return s_refuse (reader, "a second secret-key");
        reader->secret_seen = true;
        if (!reader->secret)
            return SH_OK;
        return s_read_key (reader, key->secret_key, line->value, "secret-key");
    }
    return s_refuse (reader, "only public-key and secret-key can stand in the "
                             "curve section");
}

static sh_err_t
s_begin_section (reader_t *reader, const sh_zpl_line_t *line)
{
    for (section_t i = SECTION_METADATA; i < SECTION_COUNT; i++) {
        if (!sh_zpl_equals (line->name, s_sections[i]))
            continue;
        if (line->has_value)
            return s_refuse (reader, "the section's name cannot have a value");
        if (reader->begun[i])
            return s_refuse (reader, "a second section '%s'", s_sections[i]);
        reader->begun[i] = true;
        reader->section = i;
        return SH_OK;
    }
    return s_refuse (reader, "unknown section; known are metadata and curve");
}

static sh_err_t
s_read_line (reader_t *reader, const sh_zpl_line_t *line)
{
    if (line->name.size == 0)
        return SH_OK;
    if (line->level == 0)
        return s_begin_section (reader, line);
    if (line->level > 1 || reader->section == SECTION_NONE)
        return s_refuse (reader, "indented too far");
    return reader->section == SECTION_METADATA ? s_read_field (reader, line)
                                               : s_read_curve (reader, line);
}

static sh_err_t
s_read_lines (reader_t *reader, sh_zpl_span_t text)
{
    sh_err_t rc = SH_OK;
    while (rc == SH_OK && text.size > 0) {
        sh_zpl_line_t line;
        reader->line++;
        const char *wrong = sh_zpl_read (&line, &text);
        rc = wrong ? s_refuse (reader, "%s", wrong)
                   : s_read_line (reader, &line);
    }
    return rc;
}

/*  Do the two halves belong together?  */
static bool
s_is_pair (const sh_keyfile_t *self)
{
    char derived[SH_KEY_TEXT];
    return zmq_curve_public (derived, self->secret_key) == 0
           && memcmp (derived, self->public_key, sizeof derived) == 0;
}

static sh_err_t
s_check_keys (const reader_t *reader)
{
    const char *fault = NULL;
    if (!reader->key->public_key[0])
        fault = "no public-key in a curve section";
    else if (reader->secret && !reader->secret_seen)
        fault = "no secret-key; is this the public file?";
    else if (reader->secret && !s_is_pair (reader->key))
        fault = "public-key and secret-key do not belong together";
    if (!fault)
        return SH_OK;
    return sh_fail (reader->why, SH_E_SYNTAX, "%s: %s", reader->label, fault);
}

bool
sh_key_valid (const char *text)
{
    uint8_t key[KEY_SIZE];
    bool valid = text && strnlen (text, SH_KEY_TEXT) == KEY_DIGITS
                 && zmq_z85_decode (key, text) != NULL;
    sh_secret_wipe (key, sizeof key);
    return valid;
}

void
sh_key_fingerprint (char out[static SH_FINGERPRINT_TEXT], const char *key)
{
    assert (key);
    uint8_t raw[KEY_SIZE] = { 0 };
    uint8_t hash[crypto_generichash_BYTES];
    if (sh_key_valid (key))
        zmq_z85_decode (raw, key);
    crypto_generichash (hash, sizeof hash, raw, sizeof raw, NULL, 0);
    snprintf (out, SH_FINGERPRINT_TEXT, "%02x%02x-%02x%02x-%02x%02x-%02x%02x",
              hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6],
              hash[7]);
}

bool
sh_fingerprint_read (char out[static SH_FINGERPRINT_TEXT], const char *text)
{
    assert (out && text);
    size_t size = 0;
    for (; *text; text++) {
        if (*text == '-' && size % 5 == 4 && isxdigit ((unsigned char) text[1]))
            continue; /* where we put one ourselves */
        if (!isxdigit ((unsigned char) *text)
            || size == SH_FINGERPRINT_TEXT - 1)
            return false;
        if (size % 5 == 4)
            out[size++] = '-';
        out[size++] = (char) tolower ((unsigned char) *text);
    }
    out[size] = '\0';
    return size == SH_FINGERPRINT_TEXT - 1;
}

sh_err_t
sh_keyfile_parse (sh_keyfile_t **out, const char *text, size_t size,
                  const char *label, bool secret, sh_why_t *why)
{
    assert (out && (text || size == 0) && label);
    if (size > SH_KEYFILE_MOST)
        return sh_fail (why, SH_E_SYNTAX, "%s: larger than %d bytes", label,
                        SH_KEYFILE_MOST);
    reader_t reader = { .key = calloc (1, sizeof *reader.key),
                        .label = label,
                        .why = why,
                        .secret = secret };
    if (!reader.key)
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", label);

    sh_err_t rc = s_read_lines (&reader, (sh_zpl_span_t){ text, size });
    if (rc == SH_OK)
        rc = s_check_keys (&reader);
    if (rc == SH_OK)
        *out = reader.key;
    else
        sh_keyfile_destroy (&reader.key);
    return rc;
}

/*  The mistake of naming the wrong file of a pair, which is open to all.  */
static bool
s_is_public_half (const char *path, const char *text, size_t size)
{
    static const char suffix[] = ".pub", secret[] = "secret-key";
    size_t length = strlen (path);
    return length >= sizeof suffix
           && strcmp (path + length - (sizeof suffix - 1), suffix) == 0
           && !memmem (text, size, secret, sizeof secret - 1);
}

sh_err_t
sh_keyfile_load (sh_keyfile_t **out, const char *path, bool secret,
                 sh_why_t *why)
{
    assert (out && path);
    char *text = NULL;
    size_t size = 0;
    struct stat meta;
    sh_err_t rc
        = sh_file_read (&text, &size, &meta, path, SH_KEYFILE_MOST, why);
    if (rc == SH_E_TOO_LARGE)
        return SH_E_SYNTAX; /* as sh_keyfile_parse says it */
    if (rc == SH_E_IO && secret && euidaccess (path, R_OK) != 0
        && errno == EACCES)
        return sh_fail (why, SH_E_MODE,
                        "%s: this user may not read it; run as its owner, or "
                        "chown it to this user",
                        path);
    if (rc != SH_OK)
        return rc;

    if (secret && s_is_public_half (path, text, size))
        rc = sh_fail (why, SH_E_SYNTAX,
                      "%s: this is the public half; name the file without .pub",
                      path);
    else if (secret)
        rc = sh_secret_check_mode (path, meta.st_mode, why);
    if (rc == SH_OK)
        rc = sh_keyfile_parse (out, text, size, path, secret, why);
    sh_secret_wipe (text, size);
    free (text);
    return rc;
}

sh_err_t
sh_keyfile_generate (sh_keyfile_t **out)
{
    assert (out);
    sh_keyfile_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    if (zmq_curve_keypair (self->public_key, self->secret_key) != 0) {
        sh_keyfile_destroy (&self); /* a libzmq without CURVE */
        return SH_E_INTERNAL;
    }
    *out = self;
    return SH_OK;
}

sh_err_t
sh_keyfile_from_public (sh_keyfile_t **out, const char *public_key)
{
    assert (out && public_key);
    if (!sh_key_valid (public_key))
        return SH_E_SYNTAX;
    sh_keyfile_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    memcpy (self->public_key, public_key, sizeof self->public_key);
    *out = self;
    return SH_OK;
}

void
sh_keyfile_destroy (sh_keyfile_t **self_p)
{
    assert (self_p);
    sh_keyfile_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->field_count; i++) {
        free (self->fields[i].name);
        free (self->fields[i].value);
    }
    free (self->fields);
    sh_secret_wipe (self, sizeof *self);
    free (self);
    *self_p = NULL;
}

sh_err_t
sh_keyfile_add (sh_keyfile_t *self, const char *name, const char *value)
{
    assert (self && name && value);
    sh_zpl_span_t name_span = { name, strlen (name) };
    sh_zpl_span_t value_span = { value, strlen (value) };
    if (!sh_zpl_can_write (name_span, value_span))
        return SH_E_SYNTAX;
    return s_append (self, name_span, value_span);
}

sh_err_t
sh_keyfile_set (sh_keyfile_t *self, const char *name, const char *value)
{
    sh_err_t rc = sh_keyfile_add (self, name, value);
    if (rc != SH_OK)
        return rc;
    sh_keyfield_t *last = &self->fields[self->field_count - 1];
    for (sh_keyfield_t *field = self->fields; field < last; field++) {
        if (strcmp (field->name, name) != 0)
            continue;
        free (field->value);
        free (last->name);
        field->value = last->value;
        self->field_count--;
        break;
    }
    return SH_OK;
}

const char *
sh_keyfile_get (const sh_keyfile_t *self, const char *name)
{
    assert (self && name);
    for (size_t i = 0; i < self->field_count; i++) {
        if (strcmp (self->fields[i].name, name) == 0)
            return self->fields[i].value;
    }
    return NULL;
}

typedef struct
{
    char text[SH_KEYFILE_MOST + 1];
    size_t size;
    bool full;
} writer_t;

static void SH_PRINTF (2, 3)
s_print (writer_t *writer, const char *format, ...)
{
    size_t room = sizeof writer->text - writer->size;
    va_list args;
    va_start (args, format);
    int length = vsnprintf (writer->text + writer->size, room, format, args);
    va_end (args);
    if (length < 0 || (size_t) length >= room)
        writer->full = true;
    else
        writer->size += (size_t) length;
}

static void
s_compose (writer_t *writer, const sh_keyfile_t *self, bool secret)
{
    s_print (writer, "%s",
             secret ? "#   CURVE secret key: keep it to this machine, mode "
                      "0600\n"
                    : "#   CURVE public key: no secret, but whoever gets it "
                      "must be sure whose it is\n");
    s_print (writer, "metadata\n");
    for (size_t i = 0; i < self->field_count; i++) {
        const sh_keyfield_t *field = &self->fields[i];
        /*  A value read from single quotes may contain double ones.  */
        char quote = strchr (field->value, '"') ? '\'' : '"';
        s_print (writer, "    %s = %c%s%c\n", field->name, quote, field->value,
                 quote);
    }
    s_print (writer, "curve\n    public-key = \"%s\"\n", self->public_key);
    if (secret)
        s_print (writer, "    secret-key = \"%s\"\n", self->secret_key);
}

static sh_err_t
s_write (const sh_keyfile_t *self, const char *path, bool secret, bool replace,
         sh_why_t *why)
{
    writer_t *writer = calloc (1, sizeof *writer);
    if (!writer)
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    s_compose (writer, self, secret);
    sh_err_t rc;
    if (writer->full)
        rc = sh_fail (why, SH_E_TOO_LARGE, "%s: more than %d bytes", path,
                      SH_KEYFILE_MOST);
    else
        rc = sh_file_write (path, writer->text, writer->size,
                            secret ? 0600 : 0644, replace, why);
    if (rc == SH_OK && secret)
        rc = sh_owner_give (path, SYSCONFDIR "/scanhub", SH_OWNER_NAME, why);
    sh_secret_wipe (writer, sizeof *writer);
    free (writer);
    return rc;
}

sh_err_t
sh_keyfile_save (const sh_keyfile_t *self, const char *path, bool secret,
                 sh_why_t *why)
{
    assert (self && path);
    if (secret && !self->secret_key[0])
        return sh_fail (why, SH_E_SYNTAX, "%s: there is no secret key to write",
                        path);
    return s_write (self, path, secret, false, why);
}

sh_err_t
sh_keyfile_replace (const sh_keyfile_t *self, const char *path, sh_why_t *why)
{
    assert (self && path);
    return s_write (self, path, false, true, why);
}
