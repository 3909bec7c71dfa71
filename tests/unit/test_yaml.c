/* SPDX-License-Identifier: MPL-2.0 */
/*  The YAML reader, and the binding of its trees to structs.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/config.h"
#include "lib/file.h"
#include "lib/yaml.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

static sh_yaml_t *
s_parse (const char *text)
{
    sh_yaml_t *root = NULL;
    sh_why_t why = { "" };
    if (sh_yaml_parse (&root, text, strlen (text), "y", &why) != SH_OK)
        fail_msg ("'%s': %s", text, why.text);
    return root;
}

static void
s_assert_refused (const char *text, size_t size, const char *fault)
{
    sh_yaml_t *root = NULL;
    sh_why_t why = { "" };
    if (sh_yaml_parse (&root, text, size, "y", &why) != SH_E_CONFIG)
        fail_msg ("'%s' should be refused", text);
    if (strncmp (why.text, fault, strlen (fault)) != 0)
        fail_msg ("'%s' is not '%s'", why.text, fault);
    assert_null (root);
    /*  Callers that do not care why.  */
    assert_int_equal (sh_yaml_parse (&root, text, size, "y", NULL),
                      SH_E_CONFIG);
}

static void
s_assert_text (const sh_yaml_t *node, const char *text, bool quoted, int line)
{
    assert_non_null (node);
    assert_int_equal (node->kind, SH_YAML_TEXT);
    assert_string_equal (node->text, text);
    assert_int_equal (node->quoted, quoted);
    assert_int_equal (node->line, line);
}

static void
test_tree (void **state)
{
    (void) state;
    sh_yaml_t *root = s_parse ("# a comment\n"         /* 1 */
                               "host: hub.example\n"   /* 2 */
                               "port: 5766\n"          /* 3 */
                               "quoted: \"a\\nb\"\n"   /* 4 */
                               "single: 'it''s'\n"     /* 5 */
                               "list:\n"               /* 6 */
                               "  - one\n"             /* 7 */
                               "  - [two, 'three']\n"  /* 8 */
                               "map:\n"                /* 9 */
                               "  deep: {a: 1, b: 2}\n" /* 10 */
                               "block: |\n"            /* 11 */
                               "  two\n"               /* 12 */
                               "  lines\n"             /* 13 */
                               "folded: >-\n"          /* 14 */
                               "  one\n"               /* 15 */
                               "  line\n"              /* 16 */
                               "'a key': x\n");        /* 17 */
    assert_int_equal (root->kind, SH_YAML_MAP);
    assert_int_equal (root->count, 9);
    assert_int_equal (root->line, 2);
    assert_string_equal (root->keys[0], "host");
    assert_string_equal (root->keys[8], "a key");
    assert_int_equal (root->key_lines[0], 2);
    assert_int_equal (root->key_lines[5], 9);
    s_assert_text (sh_yaml_get (root, "host"), "hub.example", false, 2);
    s_assert_text (sh_yaml_get (root, "port"), "5766", false, 3);
    s_assert_text (sh_yaml_get (root, "quoted"), "a\nb", true, 4);
    s_assert_text (sh_yaml_get (root, "single"), "it's", true, 5);
    s_assert_text (sh_yaml_get (root, "block"), "two\nlines\n", true, 11);
    s_assert_text (sh_yaml_get (root, "folded"), "one line", true, 14);
    s_assert_text (sh_yaml_get (root, "a key"), "x", false, 17);

    const sh_yaml_t *list = sh_yaml_get (root, "list");
    assert_int_equal (list->kind, SH_YAML_LIST);
    assert_int_equal (list->count, 2);
    assert_int_equal (list->line, 7);
    assert_null (list->keys);
    s_assert_text (list->items[0], "one", false, 7);
    assert_int_equal (list->items[1]->kind, SH_YAML_LIST);
    s_assert_text (list->items[1]->items[1], "three", true, 8);
    const sh_yaml_t *deep = sh_yaml_get (sh_yaml_get (root, "map"), "deep");
    s_assert_text (sh_yaml_get (deep, "b"), "2", false, 10);

    assert_null (sh_yaml_get (root, "Host"));
    assert_null (sh_yaml_get (list, "one"));
    assert_null (sh_yaml_get (NULL, "one"));
    sh_yaml_destroy (&root);
    assert_null (root);
    sh_yaml_destroy (&root);
}

static void
test_null (void **state)
{
    (void) state;
    sh_yaml_t *root = s_parse ("a:\nb: ~\nc: null\nd: NULL\ne: Null\n"
                               "f: ''\ng: 'null'\nh: \"~\"\ni: nULL\n"
                               "j: no\nk: [~, x, ]\n");
    static const char *const nulls[] = { "a", "b", "c", "d", "e" };
    for (size_t i = 0; i < COUNT (nulls); i++) {
        const sh_yaml_t *node = sh_yaml_get (root, nulls[i]);
        assert_int_equal (node->kind, SH_YAML_NULL);
        assert_null (node->text);
        assert_int_equal (node->line, (int) i + 1);
    }
    s_assert_text (sh_yaml_get (root, "f"), "", true, 6);
    s_assert_text (sh_yaml_get (root, "g"), "null", true, 7);
    s_assert_text (sh_yaml_get (root, "h"), "~", true, 8);
    s_assert_text (sh_yaml_get (root, "i"), "nULL", false, 9);
    s_assert_text (sh_yaml_get (root, "j"), "no", false, 10);
    assert_int_equal (sh_yaml_get (root, "k")->count, 2);
    assert_int_equal (sh_yaml_get (root, "k")->items[0]->kind, SH_YAML_NULL);
    sh_yaml_destroy (&root);
}

static void
test_empty (void **state)
{
    (void) state;
    static const char *const cases[]
        = { "", "\n\n", "# only a comment\n", "---\n", "--- \n...\n", "~\n",
            "null", "{}", "\xef\xbb\xbf", "%YAML 1.1\n---\n" };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_yaml_t *root = s_parse (cases[i]);
        assert_int_equal (root->kind, SH_YAML_MAP);
        assert_int_equal (root->count, 0);
        assert_null (sh_yaml_get (root, "x"));
        sh_yaml_destroy (&root);
    }
    sh_yaml_t *root = NULL;
    assert_int_equal (sh_yaml_parse (&root, NULL, 0, "y", NULL), SH_OK);
    sh_yaml_destroy (&root);
    /*  The root need not be a map; that is for its reader to say.  */
    root = s_parse ("- a\n");
    assert_int_equal (root->kind, SH_YAML_LIST);
    sh_yaml_destroy (&root);
    /*  A key of Z85 may have two braces side by side.  */
    static const char key[] = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL{{]!=yPVb";
    char line[64];
    snprintf (line, sizeof line, "'%s'\n", key);
    root = s_parse (line);
    s_assert_text (root, key, true, 1);
    sh_yaml_destroy (&root);
    root = s_parse ("just text\n");
    s_assert_text (root, "just text", false, 1);
    sh_yaml_destroy (&root);
}

static const struct
{
    const char *text, *fault;
} s_refused[] = {
    { "host: a\nport: 1\nhost: b\n",
      "y:3: duplicate key 'host', first on line 1" },
    { "a:\n  x: 1\n  y: 2\n  'x': 3\n",
      "y:4: duplicate key 'x', first on line 2" },
    { "b: 1\na: 1\nb: 2\na: 2\n",
      "y:3: duplicate key 'b', first on line 1" },
    { "a: 1\nb: 1\na: 2\na: 3\n",
      "y:3: duplicate key 'a', first on line 1" },
    { "- {a: 1, a: 2}\n", "y:1: duplicate key 'a', first on line 1" },
    { "a: &x 1\n", "y:1: anchors (&name)" },
    { "a: &x [1]\n", "y:1: anchors (&name)" },
    { "a: &x\n  b: 1\n", "y:1: anchors (&name)" },
    { "&x a: 1\n", "y:1: anchors (&name)" },
    { "a: 1\nb: *x\n", "y:2: aliases (*name)" },
    { "- *x\n", "y:1: aliases (*name)" },
    { "*x : 1\n", "y:1: aliases (*name)" },
    { "password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n",
      "y:1: Ansible vault values cannot be read; put the plain value in a "
      "file of its own" },
    { "a: 1\nb: !vault x\n", "y:2: Ansible vault" },
    { "top:\n  password: !vault |\n    $ANSIBLE_VAULT;1.1;AES256\n    61\n",
      "y:2: Ansible vault values cannot be read; put the plain value in a "
      "file of its own (key 'password')" },
    { "top:\n  password: |\n    $ANSIBLE_VAULT;1.1;AES256\n    61\n",
      "y:2: Ansible vault values cannot be read; put the plain value in a "
      "file of its own (key 'password')" },
    { "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
      "y:1: Ansible vault values cannot be read" },
    { "a: !!str 1\n", "y:1: the tag tag:yaml.org,2002:str is not read" },
    { "a: !!binary aGk=\n", "y:1: the tag" },
    { "a: !x 1\n", "y:1: the tag !x is not read" },
    { "a: ! 1\n", "y:1: the tag ! is not read" },
    { "a: !<tag:example,2000:x> 1\n", "y:1: the tag tag:example,2000:x" },
    { "a: !x [1]\n", "y:1: the tag !x" },
    { "a: !x {b: 1}\n", "y:1: the tag !x" },
    { "!x a: 1\n", "y:1: the tag !x" },
    { "!!map\na: 1\n", "y:1: the tag" },
    { "<<: {a: 1}\n", "y:1: merge keys (<<)" },
    { "a: 1\n---\nb: 2\n", "y:2: a second document" },
    { "a: 1\n---\n", "y:2: a second document" },
    { "? [a]\n: 1\n", "y:1: a key must be text" },
    { "? - a\n: 1\n", "y:1: a key must be text" },
    { "? a: b\n: 1\n", "y:1: a key must be text" },
    { "? {a: b}\n: 1\n", "y:1: a map as a key; if '{{'" },
    { "?\n: 1\n", "y:1: a key is missing" },
    { "{: 1}\n", "y:1: while parsing a flow node" },
    { "~: 1\n", "y:1: a key is missing" },
    { "null: 1\n", "y:1: a key is missing" },
    { "a: 1\n: 2\n", "y:2: while parsing a block mapping" },
    { "a: {{ b }}\n", "y:1: a map as a key; if '{{'" },
    { "a: {{ b }}/c\n", "y:1: a map as a key; if '{{'" },
    { "a: '{{ b }}'\n", "y:1: '{{' begins a Jinja" },
    { "a: 1\nb: \"x{{ c }}\"\n", "y:2: '{{' begins a Jinja" },
    { "a: x {{ b }}\n", "y:1: '{{' begins a Jinja" },
    { "a:\n  b: 1\n  c: '{{ d }}'\n",
      "y:3: '{{' begins a Jinja expression, which is not evaluated here; write "
      "the value itself (key 'c')" },
    { "a:\n  b: {{ c }}\n",
      "y:2: a map as a key; if '{{' was to begin a Jinja expression: those are "
      "not evaluated here (key 'b')" },
    { "a: {b: 1}\nc: &x 1\n",
      "y:2: anchors (&name) are not read; write the value out (key 'c')" },
    { "a: |\n  {{ b }}\n", "y:1: '{{' begins a Jinja" },
    { "'{{ a }}': 1\n", "y:1: '{{' begins a Jinja" },
    { "- '0123456789012345678901234567890123456{{'\n", "y:1: '{{'" },
    { "- '{{ 3456789012345678901234567890123456 }}'\n", "y:1: '{{'" },
    { "- \"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL{{]!=yPVb\"\n", "y:1: '{{'" },
    { "- '{{'\n", "y:1: '{{' begins a Jinja" },
    { "a: \"x\\0y\"\n", "y:1: a NUL byte in the text" },
    { "\"a\\0\": y\n", "y:1: a NUL byte in the text" },
    { "a: [1\n", "y:2: while parsing a flow sequence: did not find" },
    { "a: 'b\n", "y:2: while scanning a quoted scalar" },
    { "a: b: c\n", "y:1: mapping values are not allowed" },
    { "\ta: b\n", "y:1: while scanning for the next token" },
    { "a: 1\n b: 2\n", "y:2: mapping values are not allowed" },
    { "a\nb: 1\n", "y:2: mapping values are not allowed" },
    { "a: 1\nb\n", "y:3: while scanning a simple key" },
    { "a: @x\n", "y:1: while scanning for the next token" },
    { "a: 1\nb: \x01\n", "y:2: control characters are not allowed" },
    { "a: 1\n\nb: \xff\n", "y:3: invalid leading UTF-8 octet" },
    { "a: \xc3(\n", "y:1: invalid trailing UTF-8 octet" },
    { "%YAML 2.0\n---\n", "y:1: found incompatible YAML document" },
    { "\xff\xfe" "a", "y:1: invalid leading UTF-8 octet" },
};

static void
test_refuses (void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT (s_refused); i++)
        s_assert_refused (s_refused[i].text, strlen (s_refused[i].text),
                          s_refused[i].fault);
    s_assert_refused ("a: b\0c\n", 7, "y:1: control characters");
}

/*  A vaulted or templated password must not be quoted either.  */
static void
test_no_content (void **state)
{
    (void) state;
    static const char *const cases[]
        = { "p: !vault hunter2\n", "p: 'hunter2 {{'\n", "p: \"hunter2\\0\"\n",
            "p: 'hunter2\n", "p: *hunter2\n", "p: &hunter2 x\n",
            "p: \"hunter2\" x\n", "p: hunter2: x\n" };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_yaml_t *root = NULL;
        sh_why_t why = { "" };
        assert_int_equal (sh_yaml_parse (&root, cases[i], strlen (cases[i]),
                                         "y", &why),
                          SH_E_CONFIG);
        assert_null (strstr (why.text, "hunter2"));
    }
}

/*  'depth' lists around a text.  */
static size_t
s_nest (char *text, int depth)
{
    size_t size = 0;
    for (int i = 0; i < depth; i++)
        text[size++] = '[';
    text[size++] = 'x';
    for (int i = 0; i < depth; i++)
        text[size++] = ']';
    text[size] = '\0';
    return size;
}

static void
test_depth (void **state)
{
    (void) state;
    static char text[200002];
    s_nest (text, 16);
    sh_yaml_t *root = s_parse (text);
    const sh_yaml_t *node = root;
    for (int i = 0; i < 16; i++) {
        assert_int_equal (node->kind, SH_YAML_LIST);
        node = node->items[0];
    }
    s_assert_text (node, "x", false, 1);
    sh_yaml_destroy (&root);

    size_t size = s_nest (text, 17);
    s_assert_refused (text, size, "y:1: lists and maps more than 16 deep");
    size = s_nest (text, 100000);
    s_assert_refused (text, size, "y:1: ");
    static const char map[]
        = "a:\n b:\n  c:\n   d:\n    e:\n     f:\n      g:\n       h:\n"
          "        i:\n         j:\n          k:\n           l:\n"
          "            m:\n             n:\n              o:\n"
          "               p:\n                q: x\n";
    s_assert_refused (map, sizeof map - 1,
                      "y:17: lists and maps more than 16 deep");
}

static void
test_nodes (void **state)
{
    (void) state;
    static char text[300000];
    size_t size = 0;
    /*  The list is a value, too.  */
    for (int i = 0; i < 9999; i++)
        size += (size_t) snprintf (text + size, sizeof text - size, "- %d\n",
                                   i);
    sh_yaml_t *root = s_parse (text);
    assert_int_equal (root->count, 9999);
    s_assert_text (root->items[9998], "9998", false, 9999);
    sh_yaml_destroy (&root);
    size += (size_t) snprintf (text + size, sizeof text - size, "- x\n");
    s_assert_refused (text, size, "y:10000: more than 10000 values");

    /*  A map as large, whose last key is the first one again.  */
    size = 0;
    for (int i = 0; i < 9998; i++)
        size += (size_t) snprintf (text + size, sizeof text - size, "k%d: x\n",
                                   i);
    size += (size_t) snprintf (text + size, sizeof text - size, "k0: y\n");
    s_assert_refused (text, size,
                      "y:9999: duplicate key 'k0', first on line 1");
}

static void
test_size (void **state)
{
    (void) state;
    static char text[256 * 1024 + 1];
    memset (text, '#', sizeof text);
    sh_yaml_t *root = NULL;
    assert_int_equal (sh_yaml_parse (&root, text, sizeof text - 1, "y", NULL),
                      SH_OK);
    sh_yaml_destroy (&root);
    s_assert_refused (text, sizeof text, "y: larger than 262144 bytes");
}

static void
test_load (void **state)
{
    (void) state;
    char dir[] = "/tmp/sh-test-XXXXXX";
    assert_non_null (mkdtemp (dir));
    char path[64], expected[128];
    snprintf (path, sizeof path, "%s/x.yaml", dir);
    sh_yaml_t *root = NULL;
    sh_why_t why;

    assert_int_equal (sh_yaml_load (&root, path, &why), SH_E_NOT_FOUND);
    assert_int_equal (sh_yaml_load (&root, dir, &why), SH_E_IO);
    assert_int_equal (sh_file_write (path, "a: 1\n", 5, 0600, false, &why),
                      SH_OK);
    assert_int_equal (sh_yaml_load (&root, path, &why), SH_OK);
    s_assert_text (sh_yaml_get (root, "a"), "1", false, 1);
    sh_yaml_destroy (&root);
    assert_int_equal (sh_file_write (path, "a: 1\na: 2\n", 10, 0600, true,
                                     &why),
                      SH_OK);
    assert_int_equal (sh_yaml_load (&root, path, &why), SH_E_CONFIG);
    snprintf (expected, sizeof expected,
              "%s:2: duplicate key 'a', first on line 1", path);
    assert_string_equal (why.text, expected);

    static char big[256 * 1024 + 1];
    memset (big, '\n', sizeof big);
    assert_int_equal (sh_file_write (path, big, sizeof big, 0600, true, &why),
                      SH_OK);
    assert_int_equal (sh_yaml_load (&root, path, &why), SH_E_CONFIG);
    assert_non_null (strstr (why.text, "x.yaml: larger than 262144 bytes"));
    assert_null (root);
    unlink (path);
    rmdir (dir);
}

typedef struct
{
    char *cert;
    uint32_t depth;
} inner_t;

typedef struct
{
    char *host;
    uint32_t port;
    uint32_t any;
    bool ipv6;
    int mode;
    sh_strings_t names;
    inner_t tls;
    int calls;
    char called[64];
} outer_t;

static sh_err_t
s_call (void *target, const sh_yaml_t *node, const char *path, sh_why_t *why)
{
    outer_t *outer = target;
    outer->calls++;
    if (node->kind != SH_YAML_TEXT)
        return sh_fail (why, SH_E_CONFIG, "%s:%d: called", path, node->line);
    snprintf (outer->called, sizeof outer->called, "%s", node->text);
    return SH_OK;
}

static const char *const s_modes[] = { "off", "preferred", "verify", NULL };

static const sh_config_field_t s_inner[] = {
    { .key = "cert",
      .kind = SH_CONFIG_STR,
      .offset = offsetof (inner_t, cert) },
    { .key = "depth",
      .kind = SH_CONFIG_UINT,
      .offset = offsetof (inner_t, depth),
      .high = 9 },
    { .key = NULL },
};

static const sh_config_field_t s_fields[] = {
    { .key = "host",
      .kind = SH_CONFIG_STR,
      .offset = offsetof (outer_t, host) },
    { .key = "port",
      .kind = SH_CONFIG_UINT,
      .offset = offsetof (outer_t, port),
      .low = 1,
      .high = 65535 },
    { .key = "any",
      .kind = SH_CONFIG_UINT,
      .offset = offsetof (outer_t, any),
      .high = UINT32_MAX },
    { .key = "ipv6",
      .kind = SH_CONFIG_BOOL,
      .offset = offsetof (outer_t, ipv6) },
    { .key = "mode",
      .kind = SH_CONFIG_ENUM,
      .offset = offsetof (outer_t, mode),
      .words = s_modes },
    { .key = "names",
      .kind = SH_CONFIG_LIST,
      .offset = offsetof (outer_t, names) },
    { .key = "tls",
      .kind = SH_CONFIG_MAP,
      .offset = offsetof (outer_t, tls),
      .fields = s_inner },
    { .key = "call", .kind = SH_CONFIG_CALL, .call = s_call },
    { .key = NULL },
};

static void
s_clear (outer_t *outer)
{
    free (outer->host);
    free (outer->tls.cert);
    sh_strings_clear (&outer->names);
    *outer = (outer_t){ 0 };
}

static sh_err_t
s_bind (outer_t *outer, const char *text, sh_why_t *why)
{
    sh_yaml_t *root = s_parse (text);
    sh_err_t rc = sh_config_bind (outer, s_fields, root, "c", why);
    sh_yaml_destroy (&root);
    return rc;
}

static void
test_bind (void **state)
{
    (void) state;
    outer_t outer = { .port = 1, .host = strdup ("default") };
    sh_why_t why = { "" };
    assert_int_equal (s_bind (&outer,
                              "host: hub.example\n"
                              "port: '5766'\n"
                              "any: 4294967295\n"
                              "ipv6: yes\n"
                              "mode: verify\n"
                              "names: [a, 'b c']\n"
                              "tls:\n"
                              "  cert: /etc/x\n"
                              "  depth: 0\n"
                              "call: me\n",
                              &why),
                      SH_OK);
    assert_string_equal (outer.host, "hub.example");
    assert_int_equal (outer.port, 5766);
    assert_true (outer.any == UINT32_MAX);
    assert_true (outer.ipv6);
    assert_int_equal (outer.mode, 2);
    assert_int_equal (outer.names.count, 2);
    assert_string_equal (outer.names.items[1], "b c");
    assert_string_equal (outer.tls.cert, "/etc/x");
    assert_int_equal (outer.tls.depth, 0);
    assert_int_equal (outer.calls, 1);
    assert_string_equal (outer.called, "me");

    /*  Bound again, what is named is replaced and the rest stays.  */
    assert_int_equal (s_bind (&outer, "names: one\nport: 1\nhost: ''\n", &why),
                      SH_OK);
    assert_int_equal (outer.names.count, 1);
    assert_string_equal (outer.names.items[0], "one");
    assert_int_equal (outer.port, 1);
    assert_string_equal (outer.host, "");
    assert_string_equal (outer.tls.cert, "/etc/x");
    assert_int_equal (s_bind (&outer, "names: []\nport: 65535\n", &why), SH_OK);
    assert_int_equal (outer.names.count, 0);
    assert_int_equal (outer.port, 65535);
    s_clear (&outer);
}

static void
test_bind_null (void **state)
{
    (void) state;
    outer_t outer
        = { .port = 7, .ipv6 = true, .mode = 1, .tls = { .depth = 3 } };
    outer.host = strdup ("kept");
    assert_int_equal (s_bind (&outer, "", NULL), SH_OK);
    assert_int_equal (s_bind (&outer,
                              "host:\nport: ~\nany: null\nipv6:\nmode:\n"
                              "names:\ntls:\ncall:\n",
                              NULL),
                      SH_OK);
    assert_int_equal (s_bind (&outer, "tls:\n  depth:\n", NULL), SH_OK);
    assert_string_equal (outer.host, "kept");
    assert_int_equal (outer.port, 7);
    assert_true (outer.ipv6);
    assert_int_equal (outer.mode, 1);
    assert_null (outer.names.items);
    assert_int_equal (outer.tls.depth, 3);
    assert_int_equal (outer.calls, 0);
    s_clear (&outer);
}

static void
test_bind_bool (void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        bool value;
    } cases[] = {
        { "ipv6: true", true },  { "ipv6: True", true }, { "ipv6: YES", true },
        { "ipv6: on", true },    { "ipv6: 'yes'", true }, { "ipv6: no", false },
        { "ipv6: false", false }, { "ipv6: OFF", false },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        outer_t outer = { .ipv6 = !cases[i].value };
        assert_int_equal (s_bind (&outer, cases[i].text, NULL), SH_OK);
        assert_int_equal (outer.ipv6, cases[i].value);
    }
}

static void
test_bind_refuses (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *fault;
    } cases[] = {
        { "hosst: x\n",
          "c:1: unknown key 'hosst'; known here: host, port, any, ipv6, mode, "
          "names, tls, call" },
        { "host: x\nHost: y\n", "c:2: unknown key 'Host'" },
        { "hosst:\n  a: b\n", "c:1: unknown key 'hosst'" },
        { "tls:\n  depth: 1\n  key: x\n",
          "c:3: unknown key 'key'; known here: cert, depth" },
        { "\"a\\eb\": 1\n", "c:1: unknown key 'a\\x1bb'" },
        { "- a\n", "c:1: 'key: value' lines are expected here, not a list" },
        { "text\n", "c:1: 'key: value' lines are expected here, not text" },
        { "host: [a]\n", "c:1: 'host' must be text, not a list" },
        { "host:\n  a: b\n", "c:2: 'host' must be text, not a map" },
        { "port: 0\n",
          "c:1: 'port' must be a number from 1 to 65535, not '0'" },
        { "port: 65536\n", "c:1: 'port' must be a number from 1 to 65535" },
        { "port: -1\n", "c:1: 'port' must be a number" },
        { "port: +1\n", "c:1: 'port' must be a number" },
        { "port: 010\n", "c:1: 'port' must be a number" },
        { "port: 0x10\n", "c:1: 'port' must be a number" },
        { "port: 1.5\n", "c:1: 'port' must be a number" },
        { "port: 1_000\n", "c:1: 'port' must be a number" },
        { "port: 5s\n", "c:1: 'port' must be a number" },
        { "port: ' 5'\n", "c:1: 'port' must be a number" },
        { "port: ''\n", "c:1: 'port' must be a number" },
        { "port: \"\\e[31m\"\n",
          "c:1: 'port' must be a number from 1 to 65535, not '\\x1b[31m'" },
        { "port: [1]\n",
          "c:1: 'port' must be a number from 1 to 65535, not a list" },
        { "any: 4294967296\n", "c:1: 'any' must be a number from 0 to" },
        { "any: 99999999999999999999\n", "c:1: 'any' must be a number" },
        { "ipv6: 1\n", "c:1: 'ipv6' must be true or false, not '1'" },
        { "ipv6: y\n", "c:1: 'ipv6' must be true or false, not 'y'" },
        { "ipv6: [yes]\n", "c:1: 'ipv6' must be true or false, not a list" },
        { "mode: Off\n",
          "c:1: 'mode' must be one of off, preferred, verify, not 'Off'" },
        { "mode: {a: b}\n",
          "c:1: 'mode' must be one of off, preferred, verify, not a map" },
        { "names: {a: b}\n",
          "c:1: 'names' must be a text or a list of texts, not a map" },
        { "names: [a, [b]]\n",
          "c:1: 'names' must be a list of texts; this item is a list" },
        { "names:\n  - a\n  -\n",
          "c:3: 'names' must be a list of texts; this item is empty" },
        { "tls: yes\n", "c:1: 'tls' must be a map, not text" },
        { "tls: []\n", "c:1: 'tls' must be a map, not a list" },
        { "tls:\n  depth: 10\n",
          "c:2: 'depth' must be a number from 0 to 9, not '10'" },
        { "call: [x]\n", "c:1: called" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        outer_t outer = { .port = 7 };
        sh_why_t why = { "" };
        if (s_bind (&outer, cases[i].text, &why) != SH_E_CONFIG)
            fail_msg ("'%s' should be refused", cases[i].text);
        if (strncmp (why.text, cases[i].fault, strlen (cases[i].fault)) != 0)
            fail_msg ("'%s' is not '%s'", why.text, cases[i].fault);
        assert_int_equal (outer.port, 7);
        assert_int_equal (s_bind (&outer, cases[i].text, NULL), SH_E_CONFIG);
        s_clear (&outer);
    }
}

/*  What is wrong leaves what was set before as it was.  */
static void
test_bind_keeps (void **state)
{
    (void) state;
    outer_t outer = { 0 };
    assert_int_equal (s_bind (&outer, "host: a\nnames: [b]\n", NULL), SH_OK);
    assert_int_equal (s_bind (&outer, "host: [x]\n", NULL), SH_E_CONFIG);
    assert_int_equal (s_bind (&outer, "names: [x, []]\n", NULL), SH_E_CONFIG);
    assert_string_equal (outer.host, "a");
    assert_int_equal (outer.names.count, 1);
    assert_string_equal (outer.names.items[0], "b");
    s_clear (&outer);
}

static void
test_many_known (void **state)
{
    (void) state;
    /*  A long table is cut at a key, not within one.  */
    static char keys[60][16];
    static sh_config_field_t fields[61];
    for (size_t i = 0; i < 60; i++) {
        snprintf (keys[i], sizeof keys[i], "some_key_%02zu", i);
        fields[i] = (sh_config_field_t){ .key = keys[i],
                                         .kind = SH_CONFIG_BOOL };
    }
    bool target;
    sh_why_t why;
    sh_yaml_t *root = s_parse ("x: 1\n");
    assert_int_equal (sh_config_bind (&target, fields, root, "c", &why),
                      SH_E_CONFIG);
    sh_yaml_destroy (&root);
    size_t length = strlen (why.text);
    assert_true (length > 200 && length < 300);
    const char *last = strrchr (why.text, '_');
    assert_non_null (last);
    assert_string_equal (last + 3, ", ...");
}

static void
test_scalars (void **state)
{
    (void) state;
    sh_yaml_t *root = s_parse ("n: 5\ns: text\nw: verify\nl: [1]\nz:\n");
    uint32_t number = 1;
    char *text = NULL;
    int word = -1;
    sh_why_t why;
    assert_int_equal (sh_config_uint (&number, sh_yaml_get (root, "n"), "n", 5,
                                      5, "c", &why),
                      SH_OK);
    assert_int_equal (number, 5);
    assert_int_equal (sh_config_uint (&number, sh_yaml_get (root, "n"), "n", 6,
                                      9, "c", &why),
                      SH_E_CONFIG);
    assert_int_equal (number, 5);
    assert_int_equal (
        sh_config_str (&text, sh_yaml_get (root, "s"), "s", "c", &why), SH_OK);
    assert_string_equal (text, "text");
    assert_int_equal (
        sh_config_str (&text, sh_yaml_get (root, "l"), "l", "c", &why),
        SH_E_CONFIG);
    assert_int_equal (
        sh_config_str (&text, sh_yaml_get (root, "z"), "z", "c", &why),
        SH_E_CONFIG);
    assert_string_equal (why.text, "c:5: 'z' must be text, not empty");
    assert_string_equal (text, "text");
    free (text);
    assert_int_equal (sh_config_word (&word, sh_yaml_get (root, "w"), "w",
                                      s_modes, "c", &why),
                      SH_OK);
    assert_int_equal (word, 2);
    assert_int_equal (sh_config_word (&word, sh_yaml_get (root, "s"), "s",
                                      s_modes, "c", &why),
                      SH_E_CONFIG);
    assert_int_equal (word, 2);
    sh_yaml_destroy (&root);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_tree),
        cmocka_unit_test (test_null),
        cmocka_unit_test (test_empty),
        cmocka_unit_test (test_refuses),
        cmocka_unit_test (test_no_content),
        cmocka_unit_test (test_depth),
        cmocka_unit_test (test_nodes),
        cmocka_unit_test (test_size),
        cmocka_unit_test (test_load),
        cmocka_unit_test (test_bind),
        cmocka_unit_test (test_bind_null),
        cmocka_unit_test (test_bind_bool),
        cmocka_unit_test (test_bind_refuses),
        cmocka_unit_test (test_bind_keeps),
        cmocka_unit_test (test_many_known),
        cmocka_unit_test (test_scalars),
    };
    return cmocka_run_group_tests_name ("yaml", tests, NULL, NULL);
}
