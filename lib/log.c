/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/log.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/hash.h"

#define LINE_MOST 4096  /* PIPE_BUF: up to here write(2) does not interleave */
#define VALUE_MOST 1024 /* one long value must not push out the others */
#define REPEAT_SLOTS 256
#define REPEAT_FREE 5
#define REPEAT_WINDOW_MS 60000
#define SOURCE_SLOTS 64
#define SOURCE_MOST 600 /* lines about one scanner in a minute */

typedef struct
{
    char text[LINE_MOST];
    size_t length;
} line_t;

/*  A line seen within the last minute.  */
typedef struct
{
    char *line; /* NULL in an unused slot */
    uint64_t hash;
    sh_level_t level;
    int64_t since; /* when the window began, ms */
    uint64_t seen; /* in this window */
    uint64_t held; /* of those, not written */
} slot_t;

/*  How much is written about a scanner: what a peer does must not fill the
    disk, however it varies its lines.  Two scanners of one slot share it.  */
typedef struct
{
    int64_t since;
    unsigned lines, held;
    char name[80]; /* whose line was held last */
} source_t;

static const char *const s_level_names[]
    = { [SH_LOG_ERROR] = "error", [SH_LOG_WARNING] = "warning",
        [SH_LOG_NOTICE] = "notice", [SH_LOG_INFO] = "info",
        [SH_LOG_DEBUG] = "debug" };

/*  Process-wide, as stderr is.  */
static atomic_int s_level = SH_LOG_INFO;
static pthread_mutex_t s_lock = PTHREAD_MUTEX_INITIALIZER;
static slot_t s_slots[REPEAT_SLOTS]; /* under s_lock */
static source_t s_sources[SOURCE_SLOTS]; /* under s_lock */

/*  Append; what does not fit is cut, and the line then ends in dots.  */
static void SH_PRINTF (2, 3)
s_add (line_t *line, const char *format, ...)
{
    size_t room = sizeof line->text - line->length;
    va_list args;
    va_start (args, format);
    int length = vsnprintf (line->text + line->length, room, format, args);
    va_end (args);
    if (length < 0)
        return;
    if ((size_t) length < room) {
        line->length += (size_t) length;
        return;
    }
    line->length = sizeof line->text - 1;
    memcpy (line->text + line->length - 3, "...", 3);
}

static bool
s_is_plain (char c)
{
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

void
sh_escape (char *out, size_t size, const char *text)
{
    assert (out || size == 0);
    if (size == 0)
        return;
    if (!text)
        text = "-";

    size_t at = 0;
    size_t last_fit = 0; /* where the dots go if the rest does not fit */
    for (; *text; text++) {
        size_t need = s_is_plain (*text) ? 1 : 4;
        if (at + need >= size) {
            at = last_fit;
            for (int i = 0; i < 3 && at + 1 < size; i++)
                out[at++] = '.';
            break;
        }
        if (need == 1)
            out[at] = *text;
        else
            snprintf (out + at, size - at, "\\x%02x", (unsigned char) *text);
        at += need;
        if (at + 4 <= size)
            last_fit = at;
    }
    out[at] = '\0';
}

static void
s_add_field (line_t *line, const sh_field_t *field)
{
    if (field->kind == SH_FIELD_INT) {
        s_add (line, " %s=%" PRId64, field->key, field->num);
        return;
    }
    char value[VALUE_MOST];
    sh_escape (value, sizeof value, field->str);
    /*  Escaping leaves no quote in the value, but may have left a \x22.  */
    bool quote = field->str
                 && (field->str[0] == '\0' || strpbrk (field->str, " ='\"\t"));
    const char *mark = quote ? "\"" : "";
    s_add (line, " %s=%s%s%s", field->key, mark, value, mark);
}

static void
s_compose (line_t *line, const char *text, const sh_field_t *fields)
{
    line->length = 0;
    s_add (line, "%s", text);
    for (; fields && fields->key; fields++) {
        if (fields->kind != SH_FIELD_NONE)
            s_add_field (line, fields);
    }
}

/*  systemd sets JOURNAL_STREAM to the device and inode of what it connected;
    a child whose stderr went elsewhere since inherits the variable too.  */
static bool
s_is_journal (void)
{
    const char *stream = getenv ("JOURNAL_STREAM");
    struct stat meta;
    if (!stream || fstat (STDERR_FILENO, &meta) != 0)
        return false;
    char own[64];
    snprintf (own, sizeof own, "%ju:%ju", (uintmax_t) meta.st_dev,
              (uintmax_t) meta.st_ino);
    return strcmp (own, stream) == 0;
}

static void
s_add_prefix (line_t *line, sh_level_t level)
{
    if (s_is_journal ()) {
        s_add (line, "<%d>", (int) level);
        return;
    }
    time_t now = (time_t) (sh_clock_wall (sh_clock_system ()) / 1000);
    struct tm parts;
    char when[32] = "?";
    if (gmtime_r (&now, &parts))
        strftime (when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    s_add (line, "%s %s ", when, s_level_names[level]);
}

/*  One write(2), so that lines of several processes do not mix.  When it
    fails there is nobody left to tell.  */
static void
s_write (sh_level_t level, const char *text, uint64_t held)
{
    line_t line = { .length = 0 };
    s_add_prefix (&line, level);
    if (held > 0)
        s_add (&line, "held back %" PRIu64 " more of: ", held);
    s_add (&line, "%s", text);
    line.text[line.length++] = '\n';
    ssize_t ignored = write (STDERR_FILENO, line.text, line.length);
    (void) ignored;
}

static void
s_slot_flush (slot_t *slot)
{
    if (slot->held > 0)
        s_write (slot->level, slot->line, slot->held);
    slot->held = 0;
}

/*  The line's slot, or else the one to use for it: a free or the oldest one.
    The whole line is compared, for a peer could make two that hash alike.  */
static slot_t *
s_slot_find (sh_level_t level, const char *line, uint64_t hash)
{
    slot_t *oldest = &s_slots[0];
    for (size_t i = 0; i < REPEAT_SLOTS; i++) {
        slot_t *slot = &s_slots[i];
        if (slot->line && slot->hash == hash && slot->level == level
            && strcmp (slot->line, line) == 0)
            return slot;
        if (oldest->line && (!slot->line || slot->since < oldest->since))
            oldest = slot;
    }
    s_slot_flush (oldest);
    free (oldest->line);
    *oldest = (slot_t){ .line = strdup (line), .hash = hash, .level = level };
    return oldest;
}

/*  Count the line; may it be written?  */
static bool
s_admit (sh_level_t level, const char *line)
{
    int64_t now = sh_clock_mono (sh_clock_system ());
    slot_t *slot = s_slot_find (level, line, sh_hash (SH_HASH, line, strlen (line)));
    if (slot->seen == 0 || now - slot->since >= REPEAT_WINDOW_MS) {
        s_slot_flush (slot);
        slot->since = now;
        slot->seen = 0;
    }
    slot->seen++;
    if (slot->seen <= REPEAT_FREE || !slot->line)
        return true;
    slot->held++;
    return false;
}

static void
s_source_flush (source_t *source)
{
    static const sh_field_t end = { 0 };
    if (source->held == 0)
        return;
    const sh_field_t fields[] = { SH_STR ("scanner", source->name),
                                  SH_INT ("lines", source->held), end };
    line_t line;
    s_compose (&line, "more lines about a scanner were left out", fields);
    source->held = 0;
    s_write (SH_LOG_WARNING, line.text, 0);
}

/*  May another line about this scanner be written?  Lines about none always
    may.  */
static bool
s_admit_source (const sh_field_t *fields)
{
    while (fields && fields->key && strcmp (fields->key, "scanner") != 0)
        fields++;
    if (!fields || !fields->key || fields->kind != SH_FIELD_STR || !fields->str)
        return true;
    uint64_t hash = sh_hash (SH_HASH, fields->str, strlen (fields->str));
    source_t *source = &s_sources[hash % SOURCE_SLOTS];
    int64_t now = sh_clock_mono (sh_clock_system ());
    if (source->lines == 0 || now - source->since >= REPEAT_WINDOW_MS) {
        s_source_flush (source);
        source->since = now;
        source->lines = 0;
    }
    if (source->lines < SOURCE_MOST) {
        source->lines++;
        return true;
    }
    source->held++;
    snprintf (source->name, sizeof source->name, "%s", fields->str);
    return false;
}

void
sh_log_fields (sh_level_t level, const char *text, const sh_field_t *fields)
{
    assert (text && level >= SH_LOG_ERROR && level <= SH_LOG_DEBUG);
    if ((int) level > atomic_load (&s_level))
        return;
    line_t line;
    s_compose (&line, text, fields);

    pthread_mutex_lock (&s_lock);
    if (s_admit (level, line.text) && s_admit_source (fields))
        s_write (level, line.text, 0);
    pthread_mutex_unlock (&s_lock);
}

void
sh_log_set_level (sh_level_t level)
{
    assert (level == SH_LOG_NOTHING
            || (level >= SH_LOG_ERROR && level <= SH_LOG_DEBUG));
    atomic_store (&s_level, (int) level);
}

sh_err_t
sh_level_parse (sh_level_t *out, const char *text)
{
    assert (out && text);
    for (sh_level_t level = SH_LOG_ERROR; level <= SH_LOG_DEBUG; level++) {
        if (strcmp (s_level_names[level], text) == 0) {
            *out = level;
            return SH_OK;
        }
    }
    return SH_E_SYNTAX;
}

void
sh_log_flush (void)
{
    pthread_mutex_lock (&s_lock);
    for (size_t i = 0; i < REPEAT_SLOTS; i++)
        s_slot_flush (&s_slots[i]);
    for (size_t i = 0; i < SOURCE_SLOTS; i++)
        s_source_flush (&s_sources[i]);
    pthread_mutex_unlock (&s_lock);
}
