/* SPDX-License-Identifier: MPL-2.0 */
/*  Runs a fuzz target without a fuzzer: feeds it each file named on the command
    line, and each file in each directory named there, and reports in TAP.  A
    finding ends the process, so the plan comes first and the lines that are
    missing then tell that it did.  */

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MOST (8 << 20)

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct
{
    char **items;
    size_t count;
} paths_t;

static void
s_bail (const char *path, const char *why)
{
    printf ("Bail out! %s: %s\n", path, why);
    exit (99); /* Automake's number for a broken test */
}

static void
s_add (paths_t *paths, const char *dir, const char *name)
{
    size_t room = strlen (dir) + strlen (name) + 2;
    char *path = malloc (room);
    char **items
        = realloc (paths->items, (paths->count + 1) * sizeof *paths->items);
    if (!path || !items)
        s_bail (name, "out of memory");
    snprintf (path, room, "%s%s%s", dir, dir[0] ? "/" : "", name);
    paths->items = items;
    paths->items[paths->count++] = path;
}

static int
s_no_dots (const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/*  Sorted, so that the numbers stay the same from run to run.  */
static void
s_add_dir (paths_t *paths, const char *dir)
{
    struct dirent **entries;
    int count = scandir (dir, &entries, s_no_dots, alphasort);
    if (count < 0)
        s_bail (dir, strerror (errno));
    for (int i = 0; i < count; i++) {
        s_add (paths, dir, entries[i]->d_name);
        free (entries[i]);
    }
    free (entries);
}

static void
s_collect (paths_t *paths, const char *argument)
{
    struct stat meta;
    if (stat (argument, &meta) != 0)
        s_bail (argument, strerror (errno));
    if (S_ISDIR (meta.st_mode))
        s_add_dir (paths, argument);
    else
        s_add (paths, "", argument);
}

/*  In a block of just its size, so that a sanitizer sees a read beyond it.  */
static uint8_t *
s_load (const char *path, size_t *size)
{
    struct stat meta;
    FILE *file = fopen (path, "rb");
    if (!file || fstat (fileno (file), &meta) != 0)
        s_bail (path, strerror (errno));
    if (!S_ISREG (meta.st_mode) || meta.st_size > INPUT_MOST)
        s_bail (path, "not a regular file, or too large");
    *size = (size_t) meta.st_size;
    uint8_t *data = malloc (*size);
    if (*size > 0 && (!data || fread (data, 1, *size, file) != *size))
        s_bail (path, "cannot be read");
    fclose (file);
    return data;
}

int
main (int argc, char **argv)
{
    paths_t paths = { 0 };
    for (int i = 1; i < argc; i++)
        s_collect (&paths, argv[i]);
    if (paths.count == 0)
        s_bail ("replay", "no input; name files or directories");

    printf ("1..%zu\n", paths.count);
    for (size_t i = 0; i < paths.count; i++) {
        const char *slash = strrchr (paths.items[i], '/');
        const char *name = slash ? slash + 1 : paths.items[i];
        printf ("# %s\n", name);
        fflush (stdout);
        size_t size;
        uint8_t *data = s_load (paths.items[i], &size);
        LLVMFuzzerTestOneInput (data, size);
        printf ("ok %zu - %s\n", i + 1, name);
        free (data);
        free (paths.items[i]);
    }
    free (paths.items);
    return 0;
}
