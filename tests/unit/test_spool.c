/* SPDX-License-Identifier: MPL-2.0 */
/*  The spool: nothing that put has promised gets lost, whatever happens to the
    process, the file or the disk.  */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <dirent.h>

#include <sqlite3.h>

#include "lib/file.h"
#include "scanner-proto/spool.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define NOW INT64_C (1795347954321) /* 2026-11-22 11:45:54 UTC */
#define BYTES(text) { (const uint8_t *) (text), sizeof (text) - 1 }
#define MOST SP_SPOOL_DEFAULT_MOST
#define FILE_MOST (64 * 1024 * 1024)

static char s_dir[64], s_path[80];

static int64_t
s_clock_ms (void *context)
{
    return *(int64_t *) context;
}

static int64_t s_now = NOW;
static const sh_clock_t s_clock = { s_clock_ms, s_clock_ms, &s_now, NULL };

static int
s_setup (void **state)
{
    (void) state;
    snprintf (s_dir, sizeof s_dir, "/tmp/scanhub-spool-XXXXXX");
    if (!mkdtemp (s_dir))
        return -1;
    snprintf (s_path, sizeof s_path, "%s/spool", s_dir);
    s_now = NOW;
    return 0;
}

/*  How many names in the directory begin with 'prefix'; the first one goes to
    'found', if it is not NULL.  */
static size_t
s_count_files (const char *prefix, char *found, size_t size)
{
    DIR *dir = opendir (s_dir);
    assert_non_null (dir);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir (dir));) {
        if (strncmp (entry->d_name, prefix, strlen (prefix)) != 0)
            continue;
        if (count++ == 0 && found)
            snprintf (found, size, "%s/%s", s_dir, entry->d_name);
    }
    closedir (dir);
    return count;
}

static int
s_teardown (void **state)
{
    (void) state;
    DIR *dir = opendir (s_dir);
    for (struct dirent *entry; dir && (entry = readdir (dir));)
        unlinkat (dirfd (dir), entry->d_name, 0);
    closedir (dir);
    return rmdir (s_dir);
}

static sp_spool_t *
s_open (void)
{
    sp_spool_t *spool = NULL;
    sh_why_t why = { "" };
    if (sp_spool_open (&spool, s_path, MOST, &s_clock, &why) != SH_OK)
        fail_msg ("%s", why.text);
    return spool;
}

static void
s_expect_counts (const sp_spool_t *spool, uint64_t depth, uint64_t bytes)
{
    assert_int_equal (sp_spool_depth (spool), depth);
    assert_int_equal (sp_spool_bytes (spool), bytes);
}

/*  A report that is told from others by 'number'.  */
static sp_report_t
s_small (uint64_t number)
{
    static sp_host_t host = { .ip = BYTES ("\x0a\0\0\x05"), .seen = NOW,
                              .name = "printer" };
    return (sp_report_t){ .code = "siteA", .subnet = number,
                          .cidr = "10.0.0.0/24", .kind = SP_KIND_CHECK,
                          .started = NOW, .finished = NOW + 1,
                          .hosts = &host, .host_count = 1, .complete = true,
                          .up = 1 };
}

static void
s_put (sp_spool_t *spool, uint64_t number)
{
    sp_report_t report = s_small (number);
    assert_int_equal (sp_spool_put (spool, "test", &report, 0, NULL), SH_OK);
}

/*  The numbers of all that waits, as '1 2 3 '.  */
static const char *
s_list (sp_spool_t *spool)
{
    static char text[1024];
    size_t used = 0;
    int64_t after = 0;
    sp_spooled_t *spooled;
    sh_err_t rc;
    text[0] = '\0';
    while ((rc = sp_spool_next (spool, after, &spooled)) == SH_OK) {
        assert_true (spooled->row > after);
        after = spooled->row;
        used += (size_t) snprintf (text + used, sizeof text - used, "%d ",
                                   (int) spooled->report.subnet);
        sp_spooled_destroy (&spooled);
        assert_null (spooled);
    }
    assert_int_equal (rc, SH_E_NOT_FOUND);
    return text;
}

static void
s_expect_list (sp_spool_t *spool, const char *numbers)
{
    assert_string_equal (s_list (spool), numbers);
}

static int64_t
s_row_of (sp_spool_t *spool, uint64_t number)
{
    int64_t row = 0;
    sp_spooled_t *spooled;
    for (uint64_t found = 0; found != number;) {
        assert_int_equal (sp_spool_next (spool, row, &spooled), SH_OK);
        row = spooled->row;
        found = spooled->report.subnet;
        sp_spooled_destroy (&spooled);
    }
    return row;
}

static void
s_remove (sp_spool_t *spool, uint64_t number)
{
    int64_t row = s_row_of (spool, number);
    assert_int_equal (sp_spool_remove (spool, row), SH_OK);
    assert_int_equal (sp_spool_remove (spool, row), SH_E_NOT_FOUND);
}

static void
s_same_text (const char *a, const char *b)
{
    if (a && b)
        assert_string_equal (a, b);
    else
        assert_true (a == b);
}

static void
s_same_bytes (sh_bytes_t a, sh_bytes_t b)
{
    assert_int_equal (a.size, b.size);
    assert_memory_equal (a.data, b.data, a.size);
}

static void
s_same_report (const sp_report_t *a, const sp_report_t *b)
{
    s_same_text (a->code, b->code);
    s_same_text (a->cidr, b->cidr);
    assert_int_equal (a->subnet, b->subnet);
    assert_int_equal (a->hint, b->hint);
    assert_int_equal (a->kind, b->kind);
    assert_int_equal (a->started, b->started);
    assert_int_equal (a->finished, b->finished);
    assert_int_equal (a->off, 0); /* decided when it is sent */
    assert_int_equal (a->complete, b->complete);
    assert_int_equal (a->up, b->up);
    assert_int_equal (a->host_count, b->host_count);
    for (size_t i = 0; i < a->host_count; i++) {
        s_same_bytes (a->hosts[i].ip, b->hosts[i].ip);
        assert_int_equal (a->hosts[i].seen, b->hosts[i].seen);
        assert_int_equal (a->hosts[i].subnet, b->hosts[i].subnet);
        assert_int_equal (a->hosts[i].old, b->hosts[i].old);
        s_same_text (a->hosts[i].mac, b->hosts[i].mac);
        s_same_text (a->hosts[i].name, b->hosts[i].name);
        s_same_text (a->hosts[i].how, b->hosts[i].how);
    }
    assert_int_equal (a->covered_count, b->covered_count);
    for (size_t i = 0; i < a->covered_count; i++) {
        s_same_bytes (a->covered[i].first, b->covered[i].first);
        s_same_bytes (a->covered[i].last, b->covered[i].last);
    }
}

/*  Put, close, open, take: is it the same report?  */
static void
s_expect_kept (const sp_report_t *report)
{
    sp_spool_t *spool = s_open ();
    assert_int_equal (sp_spool_put (spool, "who", report, 0, NULL), SH_OK);
    uint64_t bytes = sp_spool_bytes (spool);
    assert_true (bytes > 0);
    s_expect_counts (spool, 1, bytes);
    sp_spool_close (&spool);
    assert_null (spool);

    spool = s_open ();
    s_expect_counts (spool, 1, bytes);
    sp_spooled_t *spooled;
    assert_int_equal (sp_spool_next (spool, 0, &spooled), SH_OK);
    assert_string_equal (spooled->label, "who");
    assert_int_equal (spooled->put, NOW);
    s_same_report (&spooled->report, report);
    assert_int_equal (spooled->report.id.size, 0);
    assert_false (spooled->report.last);
    assert_int_equal (spooled->report.part, 0);
    assert_int_equal (spooled->report.parts, 0);
    assert_int_equal (sp_spool_remove (spool, spooled->row), SH_OK);
    sp_spooled_destroy (&spooled);
    s_expect_counts (spool, 0, 0);
    assert_int_equal (sp_spool_next (spool, 0, &spooled), SH_E_NOT_FOUND);
    sp_spool_close (&spool);
}

static void
test_all_fields (void **state)
{
    (void) state;
    sp_host_t hosts[] = {
        { .ip = BYTES ("\x0a\0\0\x05"), .seen = NOW - 5000, .subnet = 7,
          .mac = "52:54:00:AB:CD:01", .name = "o'brien \xc3\xa4",
          .how = "arp" },
        { .ip = BYTES ("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"),
          .seen = -1 },
        { .ip = BYTES (""), .seen = INT64_C (4070908800000), .subnet = 8,
          .name = "" },
    };
    sp_range_t covered[] = {
        { BYTES ("\x0a\0\0\x01"), BYTES ("\x0a\0\0\xfe") },
        { BYTES ("\x0a\0\0\xff"), BYTES ("\x0a\0\0\xff") },
    };
    sp_report_t report = {
        .id = BYTES ("ignored"), .part = 17, .last = true, .parts = 4,
        .code = "siteA", .subnet = 7, .hint = 9, .cidr = "10.0.0.0/24",
        .kind = SP_KIND_BOTH, .started = NOW - 60000, .finished = NOW - 1000,
        .off = -2500, .hosts = hosts, .host_count = COUNT (hosts),
        .complete = true, .up = 3, .covered = covered,
        .covered_count = COUNT (covered),
    };
    s_expect_kept (&report);
    report.complete = false;
    report.kind = SP_KIND_DISCOVER;
    report.covered_count = 0;
    report.hint = 0;
    s_expect_kept (&report);
}

static void
test_without_hosts (void **state)
{
    (void) state;
    sp_report_t report = { .code = "siteA", .cidr = "10.0.0.0/24",
                           .kind = SP_KIND_BOTH, .hint = 3, .started = NOW,
                           .finished = NOW, .off = 12, .complete = true };
    s_expect_kept (&report);
    report.code = NULL;
    report.subnet = 7;
    report.complete = false;
    report.up = 5;
    s_expect_kept (&report);
}

static const char *
s_long_name (void)
{
    static char name[SP_LONG_TEXT_MOST + 1];
    memset (name, 'n', SP_LONG_TEXT_MOST);
    return name;
}

/*  More hosts, more bytes and more ranges than go into one part.  */
static void
test_many (void **state)
{
    (void) state;
    enum { HOSTS = 10000, RANGES = 2 * SP_RANGES_MOST };
    sp_host_t *hosts = calloc (HOSTS, sizeof *hosts);
    sp_range_t *covered = calloc (RANGES, sizeof *covered);
    uint8_t *addrs = malloc (HOSTS * 16);
    assert_true (hosts && covered && addrs);
    memset (addrs, 0x20, HOSTS * 16);
    for (size_t i = 0; i < HOSTS; i++) {
        uint8_t *addr = addrs + 16 * i;
        addr[14] = (uint8_t) (i >> 8);
        addr[15] = (uint8_t) i;
        hosts[i] = (sp_host_t){ .ip = { addr, 16 }, .seen = NOW + (int64_t) i,
                                .subnet = i };
        if (i < RANGES)
            covered[i] = (sp_range_t){ { addr, 16 }, { addr, 16 } };
    }
    sp_report_t report = s_small (7);
    report.hosts = hosts;
    report.host_count = HOSTS;
    report.up = HOSTS;
    report.covered = covered;
    for (size_t ranges = RANGES - 1; ranges <= RANGES; ranges++) {
        report.covered_count = ranges;
        s_expect_kept (&report);
    }
    /* a frame of these is over the limit of bytes at 128 hosts */
    for (size_t i = 0; i < 1000; i++)
        hosts[i].name = hosts[i].mac = s_long_name ();
    report.host_count = SP_PART_HOSTS_MOST;
    report.covered_count = 1;
    s_expect_kept (&report);
    free (hosts);
    free (covered);
    free (addrs);
}

static void
test_order (void **state)
{
    (void) state;
    sp_spool_t *spool = s_open ();
    sp_spooled_t *spooled;
    s_expect_counts (spool, 0, 0);
    s_expect_list (spool, "");
    assert_int_equal (sp_spool_remove (spool, 1), SH_E_NOT_FOUND);
    s_put (spool, 1);
    uint64_t each = sp_spool_bytes (spool);
    for (uint64_t i = 2; i <= 5; i++)
        s_put (spool, i);
    s_expect_counts (spool, 5, 5 * each);
    s_expect_list (spool, "1 2 3 4 5 ");
    s_remove (spool, 3);
    s_remove (spool, 1);
    s_expect_list (spool, "2 4 5 ");
    int64_t last = s_row_of (spool, 5);
    s_remove (spool, 5);
    s_expect_counts (spool, 2, 2 * each);
    sp_spool_close (&spool);

    spool = s_open ();
    s_expect_counts (spool, 2, 2 * each);
    s_put (spool, 6);
    assert_true (s_row_of (spool, 6) > last);
    s_expect_list (spool, "2 4 6 ");
    assert_int_equal (sp_spool_next (spool, INT64_MAX, &spooled),
                      SH_E_NOT_FOUND);
    s_expect_counts (spool, 3, 3 * each);
    sp_spool_close (&spool);
    sp_spool_close (&spool);
}

/*  What was taken stays readable when row and spool are gone.  */
static void
test_taken (void **state)
{
    (void) state;
    sp_spool_t *spool = s_open ();
    sp_spooled_t *spooled;
    s_put (spool, 1);
    assert_int_equal (sp_spool_next (spool, 0, &spooled), SH_OK);
    assert_int_equal (sp_spool_remove (spool, spooled->row), SH_OK);
    sp_spool_close (&spool);
    sp_report_t report = s_small (1);
    s_same_report (&spooled->report, &report);
    sp_spooled_destroy (&spooled);
    sp_spooled_destroy (&spooled);
}

static void
test_limit (void **state)
{
    (void) state;
    sp_spool_t *spool = s_open ();
    s_put (spool, 1);
    uint64_t each = sp_spool_bytes (spool);
    sp_spool_close (&spool);

    sp_report_t report = s_small (1);
    assert_int_equal (sp_spool_open (&spool, s_path, 2 * each, &s_clock, NULL),
                      SH_OK);
    s_put (spool, 2); /* just fits */
    assert_int_equal (sp_spool_dropped (spool), 0);
    s_put (spool, 3); /* the oldest goes */
    assert_int_equal (sp_spool_dropped (spool), 1);
    s_expect_counts (spool, 2, 2 * each);
    s_expect_list (spool, "2 3 ");

    /* not what is on its way */
    int64_t two = s_row_of (spool, 2), three = s_row_of (spool, 3);
    assert_int_equal (sp_spool_hold (spool, two), SH_OK);
    s_put (spool, 4);
    assert_int_equal (sp_spool_hold (spool, s_row_of (spool, 4)), SH_OK);
    assert_int_equal (sp_spool_put (spool, "x", &report, 0, NULL),
                      SH_E_TOO_LARGE);
    s_expect_counts (spool, 2, 2 * each);
    sp_spool_release (spool, two);
    assert_int_equal (sp_spool_remove (spool, three), SH_E_NOT_FOUND);
    s_put (spool, 3);
    sp_spool_close (&spool);
    spool = s_open ();
    s_expect_list (spool, "4 3 ");
    s_put (spool, 2);
    s_remove (spool, 4);
    s_expect_list (spool, "3 2 ");
    sp_spool_close (&spool);

    /* a limit below what is there already */
    assert_int_equal (sp_spool_open (&spool, s_path, 1, &s_clock, NULL), SH_OK);
    assert_int_equal (sp_spool_put (spool, "x", &report, 0, NULL),
                      SH_E_TOO_LARGE);
    s_expect_list (spool, "3 2 ");
    s_remove (spool, 2);
    s_remove (spool, 3);
    assert_int_equal (sp_spool_put (spool, "x", &report, 0, NULL),
                      SH_E_TOO_LARGE);
    s_expect_counts (spool, 0, 0);
    sp_spool_close (&spool);
}

/*  What could not be read back is not taken.  */
static void
test_unfit (void **state)
{
    (void) state;
    sp_spool_t *spool = s_open ();
    sp_host_t hosts[3];
    sp_report_t fine = s_small (1);
    for (size_t i = 0; i < COUNT (hosts); i++)
        hosts[i] = fine.hosts[0];
    hosts[2].name = "\xff";
    sp_report_t bad[5] = { fine, fine, fine, fine, fine };
    bad[0].hosts = hosts;
    bad[0].host_count = COUNT (hosts);
    bad[1].cidr = NULL;
    bad[2].code = NULL;
    bad[2].subnet = 0;
    bad[3].kind = SP_KIND_COUNT;
    bad[4].code = "siteacodesiteacodesiteacode00001X";
    for (size_t i = 0; i < COUNT (bad); i++) {
        assert_int_equal (sp_spool_put (spool, "x", &bad[i], 0, NULL),
                          SH_E_INTERNAL);
        s_expect_counts (spool, 0, 0);
    }
    s_expect_list (spool, "");
    sp_spool_close (&spool);
}

static mode_t
s_mode (const char *path)
{
    struct stat meta;
    if (stat (path, &meta) != 0)
        fail_msg ("%s: %s", path, strerror (errno));
    return meta.st_mode & 0777;
}

static void
test_mode (void **state)
{
    (void) state;
    char wal[96];
    mode_t before = umask (0);
    sp_spool_t *spool = s_open ();
    s_put (spool, 1);
    umask (before);
    assert_int_equal (s_mode (s_path), 0600);
    snprintf (wal, sizeof wal, "%s-wal", s_path);
    assert_int_equal (s_mode (wal), 0600);
    assert_int_equal (s_count_files ("spool", NULL, 0), 2);
    sp_spool_close (&spool);
    assert_int_equal (s_count_files ("spool", NULL, 0), 1);
}

/*  Run 'work' in a child; its exit status, or 256 plus the signal.  */
static int
s_in_child (int (*work) (void))
{
    fflush (NULL);
    pid_t pid = fork ();
    assert_true (pid >= 0);
    if (pid == 0)
        _exit (work ());
    int status;
    assert_int_equal (waitpid (pid, &status, 0), pid);
    return WIFEXITED (status) ? WEXITSTATUS (status) : 256 + WTERMSIG (status);
}

/*  A step of a child: its line is the exit status, for cmocka can't help. */
#define STEP(holds)                                                            \
    do {                                                                       \
        if (!(holds)) {                                                        \
            fprintf (stderr, "%s:%d: %s\n", __FILE__, __LINE__, #holds);       \
            return 1;                                                          \
        }                                                                      \
    } while (0)
#define IMPOSSIBLE 77

static int
s_put_and_die (void)
{
    sp_spool_t *spool;
    sp_report_t report = s_small (2);
    STEP (sp_spool_open (&spool, s_path, MOST, &s_clock, NULL) == SH_OK);
    STEP (sp_spool_put (spool, "x", &report, 0, NULL) == SH_OK);
    report.subnet = 3;
    STEP (sp_spool_put (spool, "x", &report, 0, NULL) == SH_OK);
    kill (getpid (), SIGKILL);
    return 1;
}

static void
test_killed (void **state)
{
    (void) state;
    sp_spool_t *spool = s_open ();
    s_put (spool, 1);
    uint64_t each = sp_spool_bytes (spool);
    sp_spool_close (&spool);
    assert_int_equal (s_in_child (s_put_and_die), 256 + SIGKILL);
    assert_int_equal (s_count_files ("spool-wal", NULL, 0), 1);
    spool = s_open ();
    s_expect_counts (spool, 3, 3 * each);
    s_expect_list (spool, "1 2 3 ");
    sp_spool_close (&spool);

    /* also when nothing was there before */
    unlink (s_path);
    assert_int_equal (s_in_child (s_put_and_die), 256 + SIGKILL);
    spool = s_open ();
    s_expect_list (spool, "2 3 ");
    s_expect_counts (spool, 2, 2 * each);
    sp_spool_close (&spool);
}

static int
s_remove_and_die (void)
{
    sp_spool_t *spool;
    sp_spooled_t *spooled;
    STEP (sp_spool_open (&spool, s_path, MOST, &s_clock, NULL) == SH_OK);
    STEP (sp_spool_next (spool, 0, &spooled) == SH_OK);
    STEP (sp_spool_remove (spool, spooled->row) == SH_OK);
    kill (getpid (), SIGKILL);
    return 1;
}

static void
test_killed_after_remove (void **state)
{
    (void) state;
    sp_spool_t *spool = s_open ();
    s_put (spool, 1);
    uint64_t each = sp_spool_bytes (spool);
    s_put (spool, 2);
    sp_spool_close (&spool);
    assert_int_equal (s_in_child (s_remove_and_die), 256 + SIGKILL);
    spool = s_open ();
    s_expect_list (spool, "2 ");
    s_expect_counts (spool, 1, each);
    sp_spool_close (&spool);
}

static void
s_read_file (const char *path, char **text, size_t *size)
{
    sh_why_t why;
    if (sh_file_read (text, size, NULL, path, FILE_MOST, &why) != SH_OK)
        fail_msg ("%s", why.text);
}

static void
s_write_file (const void *text, size_t size)
{
    sh_why_t why;
    if (sh_file_write (s_path, text, size, 0600, true, &why) != SH_OK)
        fail_msg ("%s", why.text);
}

/*  The file 'text' is set aside as it was, and a new spool works.  */
static void
s_expect_set_aside (const char *text, size_t size)
{
    char kept[320], *now;
    size_t now_size;
    s_write_file (text, size);
    sp_spool_t *spool = s_open ();
    s_expect_counts (spool, 0, 0);
    s_put (spool, 9);
    s_expect_list (spool, "9 ");
    sp_spool_close (&spool);

    assert_int_equal (s_count_files ("spool.broken-", kept, sizeof kept), 1);
    assert_non_null (strstr (kept, "/spool.broken-20261122T114554Z"));
    s_read_file (kept, &now, &now_size);
    assert_int_equal (now_size, size);
    assert_memory_equal (now, text, size);
    free (now);
    unlink (kept);
    spool = s_open ();
    s_expect_list (spool, "9 ");
    sp_spool_close (&spool);
    assert_int_equal (s_count_files ("spool", NULL, 0), 1);
}

/*  The bytes of a sound file with 'reports' in it.  */
static char *
s_sound_file (uint64_t reports, size_t *size)
{
    char *text;
    sp_spool_t *spool = s_open ();
    for (uint64_t i = 1; i <= reports; i++)
        s_put (spool, i);
    sp_spool_close (&spool);
    s_read_file (s_path, &text, size);
    return text;
}

static void
test_garbage (void **state)
{
    (void) state;
    static char garbage[20000];
    static const char text[] = "this is no database at all, but a letter\n";
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (char) (i * 7919 >> 3);
    s_expect_set_aside (garbage, sizeof garbage);
    memset (garbage, 0, sizeof garbage);
    s_expect_set_aside (garbage, sizeof garbage);
    s_expect_set_aside (text, sizeof text);
    s_expect_set_aside ("xy", 2); /* of one byte SQLite thinks as of none */
    s_expect_set_aside ("SQLite format 3", 16);
}

static void
test_truncated (void **state)
{
    (void) state;
    size_t size;
    char *text = s_sound_file (100, &size);
    assert_true (size > 5 * 4096);
    s_expect_set_aside (text, 100);
    s_expect_set_aside (text, 4096);
    s_expect_set_aside (text, size / 2);
    s_expect_set_aside (text, size - 4096);

    /* the last byte is some frame's: that report is gone, the others stay */
    s_write_file (text, size - 1);
    sp_spool_t *spool = s_open ();
    s_expect_counts (spool, 100, sp_spool_bytes (spool));
    (void) s_list (spool);
    assert_int_equal (sp_spool_depth (spool), 99);
    sp_spool_close (&spool);
    free (text);

    /* an empty file is none */
    s_write_file ("", 0);
    spool = s_open ();
    s_expect_list (spool, "");
    sp_spool_close (&spool);
    assert_int_equal (s_count_files ("spool.broken", NULL, 0), 0);
}

/*  A page of zeros or of noise, wherever it is, costs at most the reports, but
    neither the process nor what comes later.  */
static void
test_damaged_pages (void **state)
{
    (void) state;
    size_t size, aside = 0;
    char *text = s_sound_file (100, &size);
    for (size_t page = 0; page < size / 4096; page++) {
        for (int fill = 0; fill < 256; fill += 0xa5) {
            char *bad = malloc (size);
            assert_non_null (bad);
            memcpy (bad, text, size);
            memset (bad + page * 4096, fill, 4096);
            s_write_file (bad, size);
            free (bad);
            sp_spool_t *spool = s_open ();
            s_put (spool, 200);
            (void) s_list (spool);
            uint64_t depth = sp_spool_depth (spool);
            assert_true (depth >= 1 && depth <= 101);
            sp_spool_close (&spool);
            char kept[320];
            if (s_count_files ("spool.broken-", kept, sizeof kept) == 1) {
                aside++;
                unlink (kept);
            }
        }
    }
    assert_true (aside > size / 4096);
    free (text);
}

/*  A byte of a file's head, big-endian numbers: see SQLite's file format.  */
#define HEAD_LAYOUT 60      /* user_version */
#define HEAD_APPLICATION 68 /* application_id */

static void
test_foreign (void **state)
{
    (void) state;
    size_t size;
    char *text = s_sound_file (3, &size), before;

    before = text[HEAD_LAYOUT + 3];
    text[HEAD_LAYOUT + 3] = 3;
    s_expect_set_aside (text, size);
    text[HEAD_LAYOUT + 3] = 0;
    s_expect_set_aside (text, size);
    text[HEAD_LAYOUT + 3] = before;

    before = text[HEAD_APPLICATION];
    text[HEAD_APPLICATION] = 'X';
    s_expect_set_aside (text, size);
    text[HEAD_APPLICATION] = before;

    /* as most databases of other programs are: neither number, but tables */
    memset (text + HEAD_LAYOUT, 0, 4);
    memset (text + HEAD_APPLICATION, 0, 4);
    s_expect_set_aside (text, size);
    free (text);

    /* our numbers, other columns */
    text = s_sound_file (1, &size);
    char *label = memmem (text, size, "label TEXT", 10);
    assert_non_null (label);
    memcpy (label, "lapel", 5);
    s_expect_set_aside (text, size);
    free (text);
}

static void
test_set_aside_twice (void **state)
{
    (void) state;
    for (size_t i = 1; i <= 3; i++) {
        s_write_file ("garbage", 7);
        sp_spool_t *spool = s_open ();
        sp_spool_close (&spool);
        assert_int_equal (s_count_files ("spool.broken-", NULL, 0), i);
    }
    s_now += 1000;
    s_write_file ("garbage", 7);
    sp_spool_t *spool = s_open ();
    sp_spool_close (&spool);
    assert_int_equal (s_count_files ("spool.broken-20261122T114555Z", NULL, 0),
                      1);
}

/*  The log of a killed process must not come to life in the new file.  */
static void
test_set_aside_with_log (void **state)
{
    (void) state;
    size_t size;
    char *text = s_sound_file (100, &size);
    for (size_t keep = 0; keep <= 4096; keep += 4096) {
        s_write_file (text, size);
        assert_int_equal (s_in_child (s_put_and_die), 256 + SIGKILL);
        assert_int_equal (s_count_files ("spool-wal", NULL, 0), 1);
        char *bad = malloc (size);
        assert_non_null (bad);
        memcpy (bad, text, size);
        memset (bad + keep, 0xa5, size - keep);
        s_write_file (bad, size);
        free (bad);

        sp_spool_t *spool = s_open ();
        s_expect_counts (spool, 0, 0);
        s_put (spool, 9);
        sp_spool_close (&spool);
        spool = s_open ();
        s_expect_list (spool, "9 ");
        sp_spool_close (&spool);
    }
    assert_true (s_count_files ("spool.broken-", NULL, 0) >= 2);
    free (text);
}

/*  A frame that cannot be read costs its report only.  */
static void
test_bad_frame (void **state)
{
    (void) state;
    static const char head[] = "\xa1v\x01\xa1t\xa6report";
    size_t size;
    char *text = s_sound_file (3, &size);
    for (size_t which = 0; which < 6; which++) {
        char *bad = malloc (size), *frame = bad;
        assert_non_null (bad);
        memcpy (bad, text, size);
        /* six frames: one with hosts and one to close for each report */
        for (size_t i = 0; i <= which; i++) {
            frame = memmem (frame + 1, size - (size_t) (frame + 1 - bad), head,
                            sizeof head - 1);
            assert_non_null (frame);
        }
        frame[which % 2 ? 2 : 5] ^= 0x40; /* the version; the type */
        s_write_file (bad, size);
        free (bad);
        sp_spool_t *spool = s_open ();
        uint64_t bytes = sp_spool_bytes (spool);
        assert_int_equal (sp_spool_depth (spool), 3);
        const char *left = s_list (spool);
        assert_int_equal (strlen (left), 4);
        s_expect_counts (spool, 2, bytes / 3 * 2);
        s_put (spool, 9);
        assert_int_equal (strlen (s_list (spool)), 6);
        sp_spool_close (&spool);
        spool = s_open ();
        s_expect_counts (spool, 3, bytes);
        sp_spool_close (&spool);
        assert_int_equal (s_count_files ("spool", NULL, 0), 1);
    }
    free (text);
}

/*  Nor does one that could be read, but is not what was put.  */
static void
test_changed_byte (void **state)
{
    (void) state;
    size_t size;
    char *text = s_sound_file (3, &size);
    char *name = memmem (text, size, "printer", 7);
    assert_non_null (name);
    *name = 'P';
    s_write_file (text, size);
    free (text);
    sp_spool_t *spool = s_open ();
    assert_int_equal (strlen (s_list (spool)), 4);
    assert_int_equal (sp_spool_depth (spool), 2);
    sp_spool_close (&spool);
}

static int
s_open_second (void)
{
    sp_spool_t *spool = NULL;
    sh_why_t why = { "" };
    STEP (sp_spool_open (&spool, s_path, MOST, &s_clock, &why)
          == SH_E_EXISTS);
    STEP (spool == NULL && strstr (why.text, s_path)
          && strstr (why.text, "another process"));
    return 0;
}

/*  Another process that tries to open the spool for each byte in 'ask' and
    gives the outcome to 'tell'.  It has to be there before this one opens: a
    later one would inherit what SQLite knows of its own locks.  */
typedef struct
{
    pid_t pid;
    int ask, tell;
} rival_t;

static rival_t
s_start_rival (void)
{
    int ask[2], tell[2];
    assert_int_equal (pipe (ask), 0);
    assert_int_equal (pipe (tell), 0);
    fflush (NULL);
    rival_t self = { .pid = fork (), .ask = ask[1], .tell = tell[0] };
    assert_true (self.pid >= 0);
    if (self.pid == 0) {
        char byte;
        close (ask[1]);
        while (read (ask[0], &byte, 1) == 1) {
            byte = (char) s_open_second ();
            if (write (tell[1], &byte, 1) != 1)
                break;
        }
        _exit (0);
    }
    close (ask[0]);
    close (tell[1]);
    return self;
}

static void
s_expect_refused (const rival_t *rival)
{
    char byte = 1;
    assert_int_equal (write (rival->ask, &byte, 1), 1);
    assert_int_equal (read (rival->tell, &byte, 1), 1);
    assert_int_equal (byte, 0);
}

static void
test_second_opener (void **state)
{
    (void) state;
    rival_t rival = s_start_rival ();
    sp_spool_t *spool = s_open ();
    s_expect_refused (&rival);
    assert_int_equal (s_open_second (), 0);
    /* the refused attempt in this process must not have dropped the lock */
    s_expect_refused (&rival);
    s_put (spool, 1);
    s_expect_refused (&rival);
    s_expect_list (spool, "1 ");
    sp_spool_close (&spool);

    spool = s_open (); /* a file that was there before */
    s_expect_refused (&rival);
    s_expect_list (spool, "1 ");
    sp_spool_close (&spool);
    assert_int_equal (s_count_files ("spool", NULL, 0), 1);
    close (rival.ask);
    close (rival.tell);
    assert_int_equal (waitpid (rival.pid, NULL, 0), rival.pid);
}

static void
s_expect_no_open (const char *path, const char *word)
{
    sp_spool_t *spool = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = sp_spool_open (&spool, path, MOST, &s_clock, &why);
    if (rc != SH_E_IO || spool || !strstr (why.text, word))
        fail_msg ("%s: %s: %s", path, sh_err_word (rc), why.text);
}

static void
test_no_place (void **state)
{
    (void) state;
    char path[128];
    snprintf (path, sizeof path, "%s/none/spool", s_dir);
    s_expect_no_open (path, "No such file or directory");
    snprintf (path, sizeof path, "%s/directory", s_dir);
    assert_int_equal (mkdir (path, 0700), 0);
    s_expect_no_open (path, "not a regular file");
    assert_int_equal (rmdir (path), 0);
    s_expect_no_open ("", "cannot");
    s_write_file ("x", 1);
    snprintf (path, sizeof path, "%s/spool/spool", s_dir);
    s_expect_no_open (path, "Not a directory");
    snprintf (path, sizeof path, "%s/fifo", s_dir);
    assert_int_equal (mkfifo (path, 0600), 0);
    s_expect_no_open (path, "not a regular file");
    snprintf (path, sizeof path, "%s/dangling", s_dir);
    assert_int_equal (symlink ("/nowhere/at/all", path), 0);
    s_expect_no_open (path, "not a regular file");
    assert_int_equal (s_count_files ("spool", NULL, 0), 1);
}

static void
s_expect_mode (const char *word)
{
    sp_spool_t *spool = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = sp_spool_open (&spool, s_path, MOST, &s_clock, &why);
    if (rc != SH_E_MODE || spool || !strstr (why.text, word))
        fail_msg ("%s: %s", sh_err_word (rc), why.text);
}

/*  Who may write to the directory or the file could put anything there, and
    SQLite would carry it out.  */
static void
test_others_may_write (void **state)
{
    (void) state;
    assert_int_equal (chmod (s_dir, 01777), 0);
    s_expect_mode ("owns the directory or may write");
    assert_int_equal (chmod (s_dir, 0700), 0);
    sp_spool_t *spool = s_open ();
    sp_spool_close (&spool);
    assert_int_equal (chmod (s_path, 0620), 0);
    s_expect_mode ("owns it or may write");
    assert_int_equal (chmod (s_path, 0600), 0);
    if (geteuid () == 0) {
        assert_int_equal (chown (s_path, 65534, 65534), 0);
        s_expect_mode ("owns it or may write");
        assert_int_equal (chown (s_path, 0, 0), 0);
        assert_int_equal (chown (s_dir, 65534, 65534), 0);
        s_expect_mode ("owns the directory or may write");
        assert_int_equal (chown (s_dir, 0, 0), 0);
    }
    spool = s_open ();
    sp_spool_close (&spool);
}

/*  A view and a trigger are programs, and rows that we never make are none of
    ours.  */
static void
test_not_as_we_make_it (void **state)
{
    (void) state;
    static const char *const what[] = {
        "CREATE TRIGGER t AFTER INSERT ON report BEGIN DELETE FROM part; END",
        "CREATE VIEW v AS SELECT 1",
        "UPDATE report SET row = -5",
        "UPDATE report SET row = 9223372036854775807",
    };
    for (size_t i = 0; i < COUNT (what); i++) {
        sp_spool_t *spool = s_open ();
        s_put (spool, 1);
        sp_spool_close (&spool);
        sqlite3 *db;
        assert_int_equal (sqlite3_open (s_path, &db), SQLITE_OK);
        assert_int_equal (sqlite3_exec (db, what[i], NULL, NULL, NULL),
                          SQLITE_OK);
        sqlite3_close (db);
        spool = s_open ();
        s_expect_counts (spool, 0, 0);
        assert_int_equal (s_count_files ("spool.broken-", NULL, 0), i + 1);
        sp_spool_close (&spool);
        assert_int_equal (unlink (s_path), 0);
    }
}

/*  A spool with room for so many small reports, and one in it, the label's.  */
static sp_spool_t *
s_open_for (uint64_t count, const char *label, uint64_t *each)
{
    sp_spool_t *spool = s_open ();
    sp_report_t report = s_small (1);
    assert_int_equal (sp_spool_put (spool, label, &report, 0, NULL), SH_OK);
    *each = sp_spool_bytes (spool);
    sp_spool_close (&spool);
    assert_int_equal (
        sp_spool_open (&spool, s_path, count * *each, &s_clock, NULL), SH_OK);
    return spool;
}

/*  Full: who takes most of the room loses first.  */
static void
test_limit_by_label (void **state)
{
    (void) state;
    uint64_t each;
    sp_report_t report;
    sp_spool_t *spool = s_open_for (4, "quiet", &each);
    for (uint64_t i = 2; i < 20; i++) {
        report = s_small (i);
        assert_int_equal (sp_spool_put (spool, "loud", &report, 0, NULL),
                          SH_OK);
    }
    s_expect_list (spool, "1 17 18 19 ");
    assert_int_equal (sp_spool_dropped (spool), 15);
    sp_spool_close (&spool);
}

/*  Room is made of several senders' reports, whoever came first.  */
static void
test_limit_across_labels (void **state)
{
    (void) state;
    uint64_t each;
    sp_report_t report;
    sp_spool_t *spool = s_open_for (12, "first", &each);
    for (uint64_t i = 2; i <= 12; i++) {
        report = s_small (i);
        assert_int_equal (sp_spool_put (spool, i <= 5 ? "first" : "second",
                                        &report, 0, NULL),
                          SH_OK);
    }
    assert_int_equal (sp_spool_dropped (spool), 0);

    /*  One that takes 9 to 11 of the 12.  */
    static uint8_t ips[250][4];
    static sp_host_t hosts[250];
    report = s_small (13);
    report.hosts = hosts;
    for (size_t i = 0; i < 250; i++) {
        uint8_t ip[4] = { 10, 0, 0, (uint8_t) (i + 1) };
        memcpy (ips[i], ip, sizeof ip);
        hosts[i] = (sp_host_t){ .ip = { ips[i], 4 }, .seen = report.started };
    }
    sp_frames_t frames = { 0 };
    report.host_count = 1;
    while (frames.bytes < 9 * each && report.host_count < 250) {
        sp_frames_clear (&frames);
        report.host_count++;
        assert_int_equal (sp_frames_cut (&frames, &report), SH_OK);
    }
    assert_true (frames.bytes < 11 * each);
    sp_frames_clear (&frames);
    assert_int_equal (sp_spool_put (spool, "third", &report, 0, NULL), SH_OK);
    assert_true (sp_spool_dropped (spool) >= 9);
    assert_true (sp_spool_bytes (spool) <= 12 * each);
    sp_spool_close (&spool);
}

/*  Root may write everywhere, so become somebody else.  */
static bool
s_drop_root (void)
{
    return geteuid () != 0
           || (setgroups (0, NULL) == 0 && setresgid (65534, 65534, 65534) == 0
               && setresuid (65534, 65534, 65534) == 0);
}

static int
s_open_unwritable (void)
{
    sp_spool_t *spool = NULL;
    sh_why_t why = { "" };
    if (!s_drop_root ())
        return IMPOSSIBLE;
    sh_err_t rc = sp_spool_open (&spool, s_path, MOST, &s_clock, &why);
    STEP (rc == SH_E_IO || rc == SH_E_MODE);
    STEP (spool == NULL && strstr (why.text, s_path)
          && strlen (why.text) > strlen (s_path) + 10);
    return 0;
}

static void
s_expect_unwritable (mode_t file, mode_t dir)
{
    if (file)
        assert_int_equal (chmod (s_path, file), 0);
    assert_int_equal (chmod (s_dir, dir), 0);
    int result = s_in_child (s_open_unwritable);
    assert_int_equal (chmod (s_dir, 0700), 0);
    if (result == IMPOSSIBLE) {
        print_message ("# skipped: cannot become another user\n");
        skip ();
    }
    assert_int_equal (result, 0);
}

static void
test_read_only (void **state)
{
    (void) state;
    s_expect_unwritable (0, 0555); /* no file, and none can be made */
    assert_int_equal (s_count_files ("spool", NULL, 0), 0);

    sp_spool_t *spool = s_open ();
    s_put (spool, 1);
    sp_spool_close (&spool);
    s_expect_unwritable (0444, 0555);
    s_expect_unwritable (0444, 0777);
    s_expect_unwritable (0666, 0555); /* no log can be made */
    s_expect_unwritable (0000, 0555);
    /* broken as well, but it cannot be set aside */
    s_write_file ("garbage", 7);
    s_expect_unwritable (0666, 0555);

    assert_int_equal (s_count_files ("spool.broken", NULL, 0), 0);
}

/*  Put until it says no; how often it said yes.  */
static uint64_t
s_fill (sp_spool_t *spool, uint64_t first, sh_err_t *rc)
{
    sp_host_t hosts[100];
    sp_report_t report = s_small (first);
    for (size_t i = 0; i < COUNT (hosts); i++) {
        hosts[i] = report.hosts[0];
        hosts[i].name = s_long_name ();
    }
    report.hosts = hosts;
    report.host_count = COUNT (hosts);
    uint64_t count = 0;
    while ((*rc = sp_spool_put (spool, "x", &report, 0, NULL)) == SH_OK) {
        count++;
        report.subnet++;
    }
    return count;
}

/*  Take and remove all; how many there were.  */
static uint64_t
s_drain (sp_spool_t *spool, sh_err_t *rc)
{
    uint64_t count = 0;
    sp_spooled_t *spooled;
    while ((*rc = sp_spool_next (spool, 0, &spooled)) == SH_OK) {
        bool right = spooled->report.host_count == 100
                     && spooled->report.subnet == count + 1;
        *rc = sp_spool_remove (spool, spooled->row);
        sp_spooled_destroy (&spooled);
        if (*rc || !right)
            break;
        count++;
    }
    return count;
}

/*  A file that takes what is left on the disk.  */
static int
s_eat_disk (const char *path)
{
    static const char block[4096] = "eaten";
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    while (fd >= 0 && write (fd, block, sizeof block) > 0)
        ;
    int error = errno;
    if (fd >= 0)
        close (fd);
    return error;
}

static bool
s_mount_small (void)
{
    return unshare (CLONE_NEWNS) == 0
           && mount ("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
           && mount ("none", s_dir, "tmpfs", 0, "size=8m,mode=700") == 0;
}

/*  The spool fills the disk by itself: it stops in time, and all of it can be
    taken out again.  */
static int
s_fill_disk (void)
{
    sp_spool_t *spool;
    sh_err_t rc;
    if (!s_mount_small ())
        return IMPOSSIBLE;
    for (int round = 0; round < 3; round++) {
        STEP (sp_spool_open (&spool, s_path, MOST, &s_clock, NULL) == SH_OK);
        uint64_t count = s_fill (spool, 1, &rc);
        uint64_t bytes = sp_spool_bytes (spool);
        STEP (rc == SH_E_IO && count > 20 && bytes > 2 * 1024 * 1024);
        STEP (sp_spool_depth (spool) == count);
        sp_spool_close (&spool);
        STEP (sp_spool_open (&spool, s_path, MOST, &s_clock, NULL) == SH_OK);
        STEP (sp_spool_depth (spool) == count);
        STEP (sp_spool_bytes (spool) == bytes);
        STEP (s_drain (spool, &rc) == count && rc == SH_E_NOT_FOUND);
        STEP (sp_spool_depth (spool) == 0 && sp_spool_bytes (spool) == 0);
        sp_spool_close (&spool);
    }
    return 0;
}

/*  Somebody else fills it.  Nothing gets lost, and when there is room again
    everything works.  */
static int
s_others_fill_disk (void)
{
    char food[128];
    sp_spool_t *spool;
    sp_spooled_t *spooled;
    sp_report_t report = s_small (3);
    if (!s_mount_small ())
        return IMPOSSIBLE;
    snprintf (food, sizeof food, "%s/food", s_dir);
    STEP (sp_spool_open (&spool, s_path, MOST, &s_clock, NULL) == SH_OK);
    STEP (sp_spool_put (spool, "x", &report, 0, NULL) == SH_OK);
    report.subnet = 4;
    STEP (sp_spool_put (spool, "x", &report, 0, NULL) == SH_OK);
    report.subnet = 5;
    uint64_t bytes = sp_spool_bytes (spool);
    STEP (s_eat_disk (food) == ENOSPC);
    STEP (sp_spool_put (spool, "x", &report, 0, NULL) == SH_E_IO);
    STEP (sp_spool_depth (spool) == 2 && sp_spool_bytes (spool) == bytes);
    STEP (sp_spool_next (spool, 0, &spooled) == SH_OK);
    sh_err_t rc = sp_spool_remove (spool, spooled->row);
    STEP (rc == SH_OK || rc == SH_E_IO);
    /* it is not seen any more, but may stay in the file until there is room */
    STEP (sp_spool_depth (spool) == 1);
    STEP (sp_spool_bytes (spool) == (rc == SH_OK ? bytes / 2 : bytes));
    int64_t gone = spooled->row;
    sp_spooled_destroy (&spooled);
    STEP (sp_spool_next (spool, 0, &spooled) == SH_OK && spooled->row != gone);
    sp_spooled_destroy (&spooled);

    STEP (unlink (food) == 0);
    STEP (sp_spool_put (spool, "x", &report, 0, NULL) == SH_OK);
    STEP (sp_spool_depth (spool) == 2 && sp_spool_bytes (spool) == bytes);
    sp_spool_close (&spool);
    STEP (sp_spool_open (&spool, s_path, MOST, &s_clock, NULL) == SH_OK);
    STEP (sp_spool_depth (spool) == 2 && sp_spool_bytes (spool) == bytes);
    sp_spool_close (&spool);
    return 0;
}

static int
s_open_on_full_disk (void)
{
    char food[128];
    sp_spool_t *spool = NULL;
    sh_why_t why = { "" };
    if (!s_mount_small ())
        return IMPOSSIBLE;
    snprintf (food, sizeof food, "%s/food", s_dir);
    STEP (s_eat_disk (food) == ENOSPC);
    STEP (sp_spool_open (&spool, s_path, MOST, &s_clock, &why) == SH_E_IO);
    STEP (spool == NULL && strstr (why.text, s_path));
    STEP (unlink (food) == 0);
    STEP (sp_spool_open (&spool, s_path, MOST, &s_clock, &why) == SH_OK);
    STEP (s_count_files ("spool.broken", NULL, 0) == 0);
    sp_spool_close (&spool);
    return 0;
}

static void
test_disk_full (void **state)
{
    (void) state;
    static int (*const works[]) (void)
        = { s_fill_disk, s_others_fill_disk, s_open_on_full_disk };
    for (size_t i = 0; i < COUNT (works); i++) {
        int result = s_in_child (works[i]);
        if (result == IMPOSSIBLE) {
            print_message ("# skipped: no mount namespace with a tmpfs\n");
            skip ();
        }
        assert_int_equal (result, 0);
    }
}

static bool
s_set_file_size (rlim_t most)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_FSIZE, &limit) != 0)
        return false;
    limit.rlim_cur = most;
    return setrlimit (RLIMIT_FSIZE, &limit) == 0;
}

/*  What was delivered while the file could not be written gives its room to the
    next, before anything that waits has to go.  */
static int
s_sweep_for_room (void)
{
    sp_spool_t *spool;
    signal (SIGXFSZ, SIG_IGN);
    STEP (sp_spool_open (&spool, s_path, MOST, &s_clock, NULL) == SH_OK);
    int64_t row = 0;
    sp_report_t report = s_small (1);
    STEP (sp_spool_put (spool, "x", &report, 0, &row) == SH_OK);
    uint64_t each = sp_spool_bytes (spool);
    sp_spool_close (&spool);
    STEP (sp_spool_open (&spool, s_path, 3 * each, &s_clock, NULL) == SH_OK);
    for (uint64_t i = 2; i <= 3; i++) {
        report = s_small (i);
        STEP (sp_spool_put (spool, "x", &report, 0, NULL) == SH_OK);
    }
    STEP (s_set_file_size (0));
    STEP (sp_spool_remove (spool, row) == SH_E_IO);
    STEP (s_set_file_size (RLIM_INFINITY));
    STEP (sp_spool_depth (spool) == 2 && sp_spool_bytes (spool) == 3 * each);
    report = s_small (4);
    STEP (sp_spool_put (spool, "x", &report, 0, NULL) == SH_OK);
    STEP (sp_spool_dropped (spool) == 0 && sp_spool_depth (spool) == 3);
    STEP (sp_spool_bytes (spool) == 3 * each);
    sp_spool_close (&spool);
    return 0;
}

static void
test_limit_after_sweep (void **state)
{
    (void) state;
    assert_int_equal (s_in_child (s_sweep_for_room), 0);
}

/*  Writing fails in the midst of a put, which the margin cannot foresee.  */
static int
s_fail_writes (void)
{
    sp_spool_t *spool;
    sh_err_t rc;
    signal (SIGXFSZ, SIG_IGN);
    STEP (sp_spool_open (&spool, s_path, MOST, &s_clock, NULL) == SH_OK);
    STEP (s_set_file_size (3 * 1024 * 1024));
    uint64_t count = s_fill (spool, 1, &rc);
    uint64_t bytes = sp_spool_bytes (spool);
    STEP (rc == SH_E_IO && count > 5);
    STEP (sp_spool_depth (spool) == count);
    STEP (s_set_file_size (RLIM_INFINITY));
    sp_report_t report = s_small (1000);
    STEP (sp_spool_put (spool, "x", &report, 0, NULL) == SH_OK);
    STEP (sp_spool_depth (spool) == count + 1);
    sp_spool_close (&spool);
    STEP (sp_spool_open (&spool, s_path, MOST, &s_clock, NULL) == SH_OK);
    STEP (sp_spool_depth (spool) == count + 1);
    STEP (sp_spool_bytes (spool) > bytes);
    STEP (s_drain (spool, &rc) == count && rc == SH_OK);
    STEP (sp_spool_depth (spool) == 0 && sp_spool_bytes (spool) == 0);
    sp_spool_close (&spool);
    return 0;
}

static void
test_failing_writes (void **state)
{
    (void) state;
    assert_int_equal (s_in_child (s_fail_writes), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (test_all_fields),
        TEST (test_without_hosts),
        TEST (test_many),
        TEST (test_order),
        TEST (test_taken),
        TEST (test_limit),
        TEST (test_unfit),
        TEST (test_mode),
        TEST (test_killed),
        TEST (test_killed_after_remove),
        TEST (test_garbage),
        TEST (test_truncated),
        TEST (test_damaged_pages),
        TEST (test_foreign),
        TEST (test_set_aside_twice),
        TEST (test_set_aside_with_log),
        TEST (test_bad_frame),
        TEST (test_changed_byte),
        TEST (test_second_opener),
        TEST (test_no_place),
        TEST (test_others_may_write),
        TEST (test_not_as_we_make_it),
        TEST (test_limit_by_label),
        TEST (test_limit_across_labels),
        TEST (test_limit_after_sweep),
        TEST (test_read_only),
        TEST (test_disk_full),
        TEST (test_failing_writes),
    };
    return cmocka_run_group_tests_name ("spool", tests, NULL, NULL);
}
