/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/nomem.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/log.h"

enum { BLOCKS_MOST = 32768 };

static struct
{
    unsigned fail_in; /* 0: never */
    bool on, hit;
    void *blocks[BLOCKS_MOST];
    size_t count;
} s;

/*  What the linker makes of our names (--wrap).  */
void *__real_malloc (size_t size);
void *__real_calloc (size_t count, size_t size);
void *__real_realloc (void *old, size_t size);
void __real_free (void *old);
void *__wrap_malloc (size_t size);
void *__wrap_calloc (size_t count, size_t size);
void *__wrap_realloc (void *old, size_t size);
void *__wrap_reallocarray (void *old, size_t count, size_t size);
void __wrap_free (void *old);
char *__wrap_strdup (const char *text);
char *__wrap_strndup (const char *text, size_t most);
int __wrap_asprintf (char **out, const char *format, ...) SH_PRINTF (2, 3);
int __wrap___asprintf_chk (char **out, int flag, const char *format, ...)
    SH_PRINTF (3, 4);

void __wrap_sh_log_fields (sh_level_t level, const char *text,
                           const sh_field_t *fields);

static bool
s_fails (void)
{
    if (!s.fail_in || (s.fail_in > 1 && s.fail_in--))
        return false;
    if (!s.on)
        s.fail_in = 0;
    s.hit = true;
    return true;
}

static void *
s_note (void *block)
{
    if (block && s.count < BLOCKS_MOST)
        s.blocks[s.count++] = block;
    return block;
}

/*  Blocks of libraries are not known here.  */
static void
s_forget (const void *block)
{
    for (size_t i = s.count; block && i > 0; i--)
        if (s.blocks[i - 1] == block) {
            s.blocks[i - 1] = s.blocks[--s.count];
            return;
        }
}

void *
__wrap_malloc (size_t size)
{
    return s_fails () ? NULL : s_note (__real_malloc (size));
}

void *
__wrap_calloc (size_t count, size_t size)
{
    return s_fails () ? NULL : s_note (__real_calloc (count, size));
}

void *
__wrap_realloc (void *old, size_t size)
{
    if (s_fails ())
        return NULL;
    s_forget (old);
    return s_note (__real_realloc (old, size));
}

void *
__wrap_reallocarray (void *old, size_t count, size_t size)
{
    size_t all;
    if (__builtin_mul_overflow (count, size, &all))
        return NULL;
    return __wrap_realloc (old, all);
}

void
__wrap_free (void *old)
{
    s_forget (old);
    __real_free (old);
}

char *
__wrap_strndup (const char *text, size_t most)
{
    size_t size = strnlen (text, most);
    char *copy = __wrap_malloc (size + 1);
    if (!copy)
        return NULL;
    memcpy (copy, text, size);
    copy[size] = '\0';
    return copy;
}

char *
__wrap_strdup (const char *text)
{
    return __wrap_strndup (text, strlen (text));
}

static int SH_PRINTF (2, 0)
s_print (char **out, const char *format, va_list arguments)
{
    va_list again;
    va_copy (again, arguments);
    int size = vsnprintf (NULL, 0, format, again);
    va_end (again);
    char *text = __wrap_malloc ((size_t) size + 1);
    if (!text)
        return -1;
    vsnprintf (text, (size_t) size + 1, format, arguments);
    *out = text;
    return size;
}

int
__wrap_asprintf (char **out, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    int size = s_print (out, format, arguments);
    va_end (arguments);
    return size;
}

int
__wrap___asprintf_chk (char **out, int flag, const char *format, ...)
{
    (void) flag;
    va_list arguments;
    va_start (arguments, format);
    int size = s_print (out, format, arguments);
    va_end (arguments);
    return size;
}

void
nomem_fail_at (unsigned n, bool on)
{
    s.fail_in = n;
    s.on = on;
    s.hit = false;
}

void
nomem_lift (void)
{
    s.fail_in = 0;
}

bool
nomem_is_hit (void)
{
    return s.hit;
}

void
nomem_count_from_here (void)
{
    s.count = 0;
}

size_t
nomem_live (void)
{
    return s.count;
}

/*  True as long as the n-th allocation was there to fail.  */
static bool
s_try_at (const char *name, nomem_fn *run, bool lenient, unsigned n, bool on)
{
    nomem_count_from_here ();
    nomem_fail_at (n, on);
    sh_err_t rc = run ();
    nomem_lift ();
    if (rc != SH_OK && !(s.hit && rc == SH_E_MEMORY))
        fail_msg ("%s, allocation %u: %s", name, n, sh_err_word (rc));
    if (rc == SH_OK && s.hit && !lenient)
        fail_msg ("%s, allocation %u: its failure was not told", name, n);
    if (nomem_live () != 0)
        fail_msg ("%s, allocation %u: %zu blocks leaked", name, n,
                  nomem_live ());
    return s.hit;
}

static unsigned
s_try (const char *name, nomem_fn *run, bool lenient)
{
    unsigned n = 1;
    while (s_try_at (name, run, lenient, n, false))
        n++;
    for (unsigned i = 1; i < n; i++)
        if (!s_try_at (name, run, lenient, i, true))
            fail_msg ("%s: not the same allocations again", name);
    return n - 1;
}

unsigned
nomem_try (const char *name, nomem_fn *run)
{
    return s_try (name, run, false);
}

unsigned
nomem_try_lenient (const char *name, nomem_fn *run)
{
    return s_try (name, run, true);
}

void
__wrap_sh_log_fields (sh_level_t level, const char *text,
                      const sh_field_t *fields)
{
    (void) level;
    (void) text;
    (void) fields;
}

char nomem_dir[64];

int
nomem_setup (void **state)
{
    (void) state;
    snprintf (nomem_dir, sizeof nomem_dir, "/tmp/scanhub-nomem-XXXXXX");
    return mkdtemp (nomem_dir) ? 0 : -1;
}

int
nomem_teardown (void **state)
{
    (void) state;
    DIR *dir = opendir (nomem_dir);
    if (!dir)
        return -1;
    for (struct dirent *one = readdir (dir); one; one = readdir (dir))
        if (strcmp (one->d_name, ".") != 0 && strcmp (one->d_name, "..") != 0)
            (void) unlinkat (dirfd (dir), one->d_name, 0);
    closedir (dir);
    return rmdir (nomem_dir);
}

sp_report_t
nomem_report (void)
{
    static uint8_t addrs[NOMEM_HOSTS][4], id[SP_REPORT_ID];
    static sp_host_t hosts[NOMEM_HOSTS];
    static char names[NOMEM_HOSTS][64];
    static sp_range_t range = { { addrs[0], 4 }, { addrs[NOMEM_HOSTS - 1], 4 } };
    for (size_t i = 0; i < NOMEM_HOSTS; i++) {
        uint8_t addr[4] = { 10, 0, (uint8_t) (i >> 8), (uint8_t) i };
        memcpy (addrs[i], addr, 4);
        snprintf (names[i], sizeof names[i], "host-%zu.site-a.example", i);
        hosts[i] = (sp_host_t){ .ip = { addrs[i], 4 }, .seen = NOMEM_NOON * 1000,
                                .name = names[i],
                                .mac = "00:1a:2b:00:00:0a" };
    }
    return (sp_report_t){ .id = { id, sizeof id }, .subnet = 7,
                          .cidr = "10.0.0.0/16", .kind = SP_KIND_BOTH,
                          .started = (NOMEM_NOON - 60) * 1000,
                          .finished = NOMEM_NOON * 1000, .hosts = hosts,
                          .host_count = NOMEM_HOSTS, .complete = true, .up = NOMEM_HOSTS,
                          .covered = &range, .covered_count = 1 };
}
