/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/yaml.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "lib/file.h"
#include "lib/log.h"
#include "lib/secret.h"

#define SIZE_MOST (256 * 1024)
#define DEPTH_MOST 16
#define NODES_MOST 10000
#define SHOWN_MOST 64 /* of a key in a message */
#define Z85_KEY 40 /* characters */
#define VAULT "$ANSIBLE_VAULT;"

typedef struct
{
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    const char *text;   /* all of it, borrowed */
    size_t size;
    const char *label;
    sh_why_t *why;
    size_t nodes;
    const char *key; /* whose value is being read; NULL outside of any map */
} reader_t;

/*  A key and where it was, to look for duplicates.  */
typedef struct
{
    const char *text;
    int line;
} mark_t;

static int
s_line (const reader_t *reader)
{
    return (int) reader->event.start_mark.line + 1;
}

static sh_err_t SH_PRINTF (3, 4)
s_refuse (const reader_t *reader, int line, const char *format, ...)
{
    char text[384];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    return sh_fail (reader->why, SH_E_CONFIG, "%s:%d: %s", reader->label, line,
                    text);
}

/*  A fault of the current event, with the key that it stands behind: the line
    alone is little help to whoever generates the file.  */
static sh_err_t SH_PRINTF (2, 3)
s_refuse_value (const reader_t *reader, const char *format, ...)
{
    char text[256], key[SHOWN_MOST];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    if (!reader->key)
        return s_refuse (reader, s_line (reader), "%s", text);
    sh_escape (key, sizeof key, reader->key);
    return s_refuse (reader, s_line (reader), "%s (key '%s')", text, key);
}

static sh_err_t
s_no_memory (const reader_t *reader)
{
    return sh_fail (reader->why, SH_E_MEMORY, "%s: out of memory",
                    reader->label);
}

/*  A scalar may be a password.  */
static void
s_event_clear (yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        sh_secret_wipe (event->data.scalar.value, event->data.scalar.length);
    yaml_event_delete (event);
    memset (event, 0, sizeof *event);
}

/*  For faults in the bytes libyaml gives no line but an offset.  */
static int
s_line_at (const reader_t *reader, size_t offset)
{
    int line = 1;
    for (size_t i = 0; i < offset && i < reader->size; i++)
        line += reader->text[i] == '\n';
    return line;
}

/*  What libyaml says is about the grammar and never quotes the content.  */
static sh_err_t
s_parser_fault (const reader_t *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return s_no_memory (reader);
    const char *problem = parser->problem ? parser->problem : "not YAML";
    bool token = strstr (problem, "cannot start any token") != NULL;
    if (parser->error == YAML_READER_ERROR)
        return s_refuse (reader, s_line_at (reader, parser->problem_offset),
                         "%s", problem);
    return s_refuse (reader, (int) parser->problem_mark.line + 1, "%s%s%s%s",
                     parser->context ? parser->context : "",
                     parser->context ? ": " : "", problem,
                     token ? "; a tab, or one of % @ ` without quotes?" : "");
}

static sh_err_t
s_refuse_vault (const reader_t *reader)
{
    return s_refuse_value (reader, "Ansible vault values cannot be read; put "
                                   "the plain value in a file of its own");
}

static sh_err_t
s_next (reader_t *reader)
{
    s_event_clear (&reader->event);
    if (!yaml_parser_parse (&reader->parser, &reader->event))
        return s_parser_fault (reader);
    return SH_OK;
}

/*  Anchors and tags, on whatever kind of node.  */
static sh_err_t
s_check_marks (const reader_t *reader)
{
    const yaml_event_t *event = &reader->event;
    const yaml_char_t *anchor = NULL;
    const yaml_char_t *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    }
    else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    }
    else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }

    if (anchor)
        return s_refuse_value (reader, "anchors (&name) are not read; write "
                                       "the value out");
    if (!tag)
        return SH_OK;
    const char *text = (const char *) tag;
    if (strcmp (text, "!vault") == 0)
        return s_refuse_vault (reader);
    char shown[SHOWN_MOST];
    sh_escape (shown, sizeof shown, text);
    return s_refuse_value (reader, "the tag %s is not read; leave tags out",
                           shown);
}

/*  A CURVE key in quotes: one in some 200 has two braces side by side.  */
static bool
s_may_be_key (const reader_t *reader)
{
    const char *text = (const char *) reader->event.data.scalar.value;
    return strlen (text) == Z85_KEY && !strpbrk (text, " \t\r\n")
           && reader->event.data.scalar.style
                  == YAML_SINGLE_QUOTED_SCALAR_STYLE;
}

/*  What no scalar may contain, be it a key or a value.  */
static sh_err_t
s_check_scalar (const reader_t *reader)
{
    const char *text = (const char *) reader->event.data.scalar.value;
    if (strlen (text) != reader->event.data.scalar.length)
        return s_refuse_value (reader, "a NUL byte in the text");
    if (strstr (text, "{{") && !s_may_be_key (reader))
        return s_refuse_value (reader,
                               "'{{' begins a Jinja expression, which is not "
                               "evaluated here; write the value itself");
    /*  Without its tag, or a whole file.  */
    if (strncmp (text, VAULT, sizeof VAULT - 1) == 0)
        return s_refuse_vault (reader);
    return SH_OK;
}

static bool
s_is_plain (const reader_t *reader)
{
    return reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static bool
s_is_null (const reader_t *reader)
{
    static const char *const words[] = { "", "~", "null", "Null", "NULL" };
    const char *text = (const char *) reader->event.data.scalar.value;
    for (size_t i = 0; s_is_plain (reader) && i < sizeof words / sizeof *words;
         i++) {
        if (strcmp (text, words[i]) == 0)
            return true;
    }
    return false;
}

/*  An array of 'count' with room for one more; NULL if there is no memory and
    the array is as it was.  Doubling: 10,000 single steps would copy it 10,000
    times.  */
static void *
s_grow (void *array, size_t count, size_t item)
{
    if (count != 0 && (count < 8 || (count & (count - 1)) != 0))
        return array;
    return realloc (array, (count ? count * 2 : 8) * item);
}

static sh_err_t s_read_node (reader_t *reader, int depth, sh_yaml_t **out);

static sh_err_t
s_make (reader_t *reader, sh_yaml_kind_t kind, sh_yaml_t **out)
{
    if (++reader->nodes > NODES_MOST)
        return s_refuse (reader, s_line (reader), "more than %d values",
                         NODES_MOST);
    sh_yaml_t *node = calloc (1, sizeof *node);
    if (!node)
        return s_no_memory (reader);
    node->kind = kind;
    node->line = s_line (reader);
    *out = node;
    return SH_OK;
}

static sh_err_t
s_read_scalar (reader_t *reader, sh_yaml_t **out)
{
    sh_err_t rc = s_check_scalar (reader);
    if (rc != SH_OK)
        return rc;
    bool null = s_is_null (reader);
    rc = s_make (reader, null ? SH_YAML_NULL : SH_YAML_TEXT, out);
    if (rc != SH_OK || null)
        return rc;
    (*out)->quoted = !s_is_plain (reader);
    (*out)->text = strdup ((const char *) reader->event.data.scalar.value);
    return (*out)->text ? SH_OK : s_no_memory (reader);
}

/*  Read the value that begins with the current event and append it.  */
static sh_err_t
s_append (reader_t *reader, int depth, sh_yaml_t *node)
{
    void *items = s_grow (node->items, node->count, sizeof *node->items);
    if (!items)
        return s_no_memory (reader);
    node->items = items;
    sh_yaml_t *item = NULL;
    sh_err_t rc = s_read_node (reader, depth + 1, &item);
    if (rc == SH_OK)
        node->items[node->count++] = item;
    return rc;
}

static sh_err_t
s_read_list (reader_t *reader, int depth, sh_yaml_t *node)
{
    sh_err_t rc = s_next (reader);
    while (rc == SH_OK && reader->event.type != YAML_SEQUENCE_END_EVENT) {
        rc = s_append (reader, depth, node);
        if (rc == SH_OK)
            rc = s_next (reader);
    }
    return rc;
}

static sh_err_t
s_check_key (const reader_t *reader)
{
    const yaml_event_t *event = &reader->event;
    if (event->type == YAML_MAPPING_START_EVENT
        && event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE)
        return s_refuse_value (reader,
                               "a map as a key; if '{{' was to begin a Jinja "
                               "expression: those are not evaluated here");
    if (event->type == YAML_ALIAS_EVENT)
        return s_refuse (reader, s_line (reader), "aliases (*name) are not "
                                                  "read; write the key out");
    if (event->type != YAML_SCALAR_EVENT)
        return s_refuse (reader, s_line (reader), "a key must be text");

    sh_err_t rc = s_check_marks (reader);
    if (rc == SH_OK)
        rc = s_check_scalar (reader);
    if (rc != SH_OK)
        return rc;
    if (s_is_null (reader))
        return s_refuse (reader, s_line (reader), "a key is missing before "
                                                  "':'");
    if (s_is_plain (reader)
        && strcmp ((const char *) event->data.scalar.value, "<<") == 0)
        return s_refuse (reader, s_line (reader), "merge keys (<<) are not "
                                                  "read; write the map out");
    return SH_OK;
}

/*  Set the current event's text as the key of the value that comes next.  */
static sh_err_t
s_read_key (const reader_t *reader, sh_yaml_t *node)
{
    sh_err_t rc = s_check_key (reader);
    if (rc != SH_OK)
        return rc;
    void *grown = s_grow (node->keys, node->count, sizeof *node->keys);
    if (!grown)
        return s_no_memory (reader);
    node->keys = grown;
    grown = s_grow (node->key_lines, node->count, sizeof *node->key_lines);
    if (!grown)
        return s_no_memory (reader);
    node->key_lines = grown;

    char *text = strdup ((const char *) reader->event.data.scalar.value);
    if (!text)
        return s_no_memory (reader);
    node->keys[node->count] = text;
    node->key_lines[node->count] = s_line (reader);
    return SH_OK;
}

static sh_err_t
s_read_pair (reader_t *reader, int depth, sh_yaml_t *node)
{
    sh_err_t rc = s_read_key (reader, node);
    if (rc != SH_OK)
        return rc;
    const char *outer = reader->key;
    reader->key = node->keys[node->count];
    rc = s_next (reader);
    if (rc == SH_OK)
        rc = s_append (reader, depth, node);
    reader->key = outer;
    if (rc != SH_OK) {
        /*  A key beyond 'count' is not seen by sh_yaml_destroy.  */
        sh_secret_free (&node->keys[node->count]);
        return rc;
    }
    return s_next (reader);
}

static int
s_mark_cmp (const void *left, const void *right)
{
    const mark_t *a = left;
    const mark_t *b = right;
    int order = strcmp (a->text, b->text);
    return order ? order : a->line - b->line;
}

/*  Of the keys that were there before, the one that comes first in the file;
    its predecessor stands in front of it.  NULL if all differ.  */
static const mark_t *
s_find_duplicate (mark_t *marks, size_t count)
{
    qsort (marks, count, sizeof *marks, s_mark_cmp);
    const mark_t *found = NULL;
    for (size_t i = 1; i < count; i++) {
        if (strcmp (marks[i - 1].text, marks[i].text) == 0
            && (!found || marks[i].line < found->line))
            found = &marks[i];
    }
    return found;
}

/*  Sorted, because comparing each with each takes long under a sanitizer when
    there are 10,000.  */
static sh_err_t
s_check_duplicates (const reader_t *reader, const sh_yaml_t *node)
{
    if (node->count < 2)
        return SH_OK;
    mark_t *marks = calloc (node->count, sizeof *marks);
    if (!marks)
        return s_no_memory (reader);
    for (size_t i = 0; i < node->count; i++)
        marks[i] = (mark_t){ node->keys[i], node->key_lines[i] };

    sh_err_t rc = SH_OK;
    const mark_t *found = s_find_duplicate (marks, node->count);
    if (found) {
        char shown[SHOWN_MOST];
        sh_escape (shown, sizeof shown, found->text);
        rc = s_refuse (reader, found->line,
                       "duplicate key '%s', first on line %d", shown,
                       found[-1].line);
    }
    free (marks);
    return rc;
}

static sh_err_t
s_read_map (reader_t *reader, int depth, sh_yaml_t *node)
{
    sh_err_t rc = s_next (reader);
    while (rc == SH_OK && reader->event.type != YAML_MAPPING_END_EVENT)
        rc = s_read_pair (reader, depth, node);
    if (rc == SH_OK)
        rc = s_check_duplicates (reader, node);
    return rc;
}

/*  Read the value that begins with the current event, up to its last event.
    'depth' counts the lists and maps around it.  */
static sh_err_t
s_read_node (reader_t *reader, int depth, sh_yaml_t **out)
{
    yaml_event_type_t type = reader->event.type;
    if (type == YAML_ALIAS_EVENT)
        return s_refuse (reader, s_line (reader), "aliases (*name) are not "
                                                  "read; write the value out");
    sh_err_t rc = s_check_marks (reader);
    if (rc != SH_OK)
        return rc;
    if (type != YAML_SCALAR_EVENT && depth >= DEPTH_MOST)
        return s_refuse (reader, s_line (reader),
                         "lists and maps more than %d deep", DEPTH_MOST);

    sh_yaml_t *node = NULL;
    if (type == YAML_SCALAR_EVENT)
        rc = s_read_scalar (reader, &node);
    else if (type == YAML_SEQUENCE_START_EVENT) {
        rc = s_make (reader, SH_YAML_LIST, &node);
        if (rc == SH_OK)
            rc = s_read_list (reader, depth, node);
    }
    else {
        rc = s_make (reader, SH_YAML_MAP, &node);
        if (rc == SH_OK)
            rc = s_read_map (reader, depth, node);
    }
    if (rc == SH_OK)
        *out = node;
    else
        sh_yaml_destroy (&node);
    return rc;
}

/*  From the stream's start to its end.  */
static sh_err_t
s_read_stream (reader_t *reader, sh_yaml_t **out)
{
    sh_err_t rc = s_next (reader);
    if (rc == SH_OK)
        rc = s_next (reader);
    if (rc == SH_OK && reader->event.type == YAML_STREAM_END_EVENT)
        return s_make (reader, SH_YAML_MAP, out);

    if (rc == SH_OK) /* a document begins */
        rc = s_next (reader);
    sh_yaml_t *root = NULL;
    if (rc == SH_OK)
        rc = s_read_node (reader, 0, &root);
    if (rc == SH_OK)
        rc = s_next (reader); /* it ends */
    if (rc == SH_OK)
        rc = s_next (reader);
    if (rc == SH_OK && reader->event.type != YAML_STREAM_END_EVENT)
        rc = s_refuse (reader, s_line (reader),
                       "a second document; only one is read");
    if (rc != SH_OK) {
        sh_yaml_destroy (&root);
        return rc;
    }
    assert (root);
    if (root->kind == SH_YAML_NULL)
        root->kind = SH_YAML_MAP;
    *out = root;
    return SH_OK;
}

/*  libyaml frees what it has copied of the text without clearing it.  */
static void
s_parser_wipe (yaml_parser_t *parser)
{
    if (parser->raw_buffer.start)
        sh_secret_wipe (parser->raw_buffer.start,
                        (size_t) (parser->raw_buffer.end
                                  - parser->raw_buffer.start));
    if (parser->buffer.start)
        sh_secret_wipe (parser->buffer.start,
                        (size_t) (parser->buffer.end - parser->buffer.start));
    for (yaml_token_t *token = parser->tokens.head;
         token != parser->tokens.tail; token++) {
        if (token->type == YAML_SCALAR_TOKEN)
            sh_secret_wipe (token->data.scalar.value,
                            token->data.scalar.length);
    }
}

sh_err_t
sh_yaml_parse (sh_yaml_t **out, const char *text, size_t size,
               const char *label, sh_why_t *why)
{
    assert (out && (text || size == 0) && label);
    if (size > SIZE_MOST)
        return sh_fail (why, SH_E_CONFIG, "%s: larger than %d bytes", label,
                        SIZE_MOST);
    reader_t reader = { .text = text ? text : "",
                        .size = size,
                        .label = label,
                        .why = why };
    if (!yaml_parser_initialize (&reader.parser))
        return s_no_memory (&reader);
    /*  Said, not guessed: a byte order mark must not make it UTF-16.  */
    yaml_parser_set_encoding (&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string (&reader.parser,
                                  (const unsigned char *) reader.text, size);
    sh_err_t rc = s_read_stream (&reader, out);
    s_event_clear (&reader.event);
    s_parser_wipe (&reader.parser);
    yaml_parser_delete (&reader.parser);
    return rc;
}

sh_err_t
sh_yaml_load (sh_yaml_t **out, const char *path, sh_why_t *why)
{
    assert (out && path);
    char *text = NULL;
    size_t size = 0;
    sh_err_t rc = sh_file_read (&text, &size, NULL, path, SIZE_MOST, why);
    if (rc == SH_E_TOO_LARGE)
        return SH_E_CONFIG; /* as sh_yaml_parse says it */
    if (rc == SH_OK)
        rc = sh_yaml_parse (out, text, size, path, why);
    sh_secret_wipe (text, size);
    free (text);
    return rc;
}

void
sh_yaml_destroy (sh_yaml_t **self_p)
{
    assert (self_p);
    sh_yaml_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++) {
        if (self->keys)
            sh_secret_free (&self->keys[i]);
        sh_yaml_destroy (&self->items[i]);
    }
    free (self->keys);
    free (self->key_lines);
    free (self->items);
    sh_secret_free (&self->text);
    free (self);
    *self_p = NULL;
}

const sh_yaml_t *
sh_yaml_get (const sh_yaml_t *self, const char *key)
{
    assert (key);
    if (!self || self->kind != SH_YAML_MAP)
        return NULL;
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->keys[i], key) == 0)
            return self->items[i];
    }
    return NULL;
}

const char *
sh_yaml_library (void)
{
    static char text[32];
    (void) snprintf (text, sizeof text, "libyaml %s", yaml_get_version_string ());
    return text;
}
