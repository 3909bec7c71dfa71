/* SPDX-License-Identifier: MPL-2.0 */

#include "cli/process.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKETS_MOST 16 /* of one port: one for each address */
#define LISTENING 0x0a  /* TCP_LISTEN, as the kernel prints it */
#define COMMAND_MOST 4096

typedef struct
{
    unsigned long inodes[SOCKETS_MOST];
    size_t count;
} sockets_t;

/*  A line of /proc/net/tcp: number, local address, remote one, state, two of
    queues and timers, retransmits, user, time-out, inode.  */
static void
s_read_line (sockets_t *self, char *line, uint16_t port)
{
    enum { LOCAL = 1, STATE = 3, INODE = 9, FIELDS };
    const char *fields[FIELDS];
    char *rest = NULL;
    for (size_t i = 0; i < FIELDS; i++) {
        fields[i] = strtok_r (i ? NULL : line, " \n", &rest);
        if (!fields[i])
            return;
    }
    const char *colon = strrchr (fields[LOCAL], ':');
    if (colon && strtoul (colon + 1, NULL, 16) == port
        && strtoul (fields[STATE], NULL, 16) == LISTENING)
        self->inodes[self->count++] = strtoul (fields[INODE], NULL, 10);
}

static void
s_read_table (sockets_t *self, const char *path, uint16_t port)
{
    char line[512];
    FILE *file = fopen (path, "re");
    while (file && self->count < SOCKETS_MOST
           && fgets (line, sizeof line, file))
        s_read_line (self, line, port);
    if (file)
        fclose (file);
}

static bool
s_has (const sockets_t *self, const char *link)
{
    static const char prefix[] = "socket:[";
    const size_t size = sizeof prefix - 1;
    if (strncmp (link, prefix, size) != 0)
        return false;
    unsigned long inode = strtoul (link + size, NULL, 10);
    for (size_t i = 0; i < self->count; i++)
        if (self->inodes[i] == inode)
            return true;
    return false;
}

/*  Has the process one of the sockets open?  */
static bool
s_holds (const sockets_t *self, long pid)
{
    char path[64], link[64];
    bool found = false;
    snprintf (path, sizeof path, "/proc/%ld/fd", pid);
    DIR *stream = opendir (path);
    const struct dirent *item;
    while (stream && !found && (item = readdir (stream))) {
        ssize_t size = readlinkat (dirfd (stream), item->d_name, link,
                                   sizeof link - 1);
        link[size > 0 ? size : 0] = '\0';
        found = s_has (self, link);
    }
    if (stream)
        closedir (stream);
    return found;
}

/*  The first process of which 'wanted' is true; 0: none.  */
static long
s_find (bool (*wanted) (const void *context, long pid), const void *context)
{
    long found = 0;
    DIR *stream = opendir ("/proc");
    const struct dirent *item;
    while (stream && !found && (item = readdir (stream))) {
        if (!isdigit ((unsigned char) item->d_name[0]))
            continue;
        long pid = strtol (item->d_name, NULL, 10);
        if (wanted (context, pid))
            found = pid;
    }
    if (stream)
        closedir (stream);
    return found;
}

static bool
s_wanted_socket (const void *context, long pid)
{
    return s_holds (context, pid);
}

void
ctl_port_look (ctl_port_t *out, uint16_t port, long preferred)
{
    assert (out);
    sockets_t sockets = { .count = 0 };
    char path[64];
    *out = (ctl_port_t){ .listening = false };
    s_read_table (&sockets, "/proc/net/tcp", port);
    s_read_table (&sockets, "/proc/net/tcp6", port);
    out->listening = sockets.count > 0;
    if (!out->listening)
        return;
    out->pid = preferred > 0 && s_holds (&sockets, preferred)
                   ? preferred : s_find (s_wanted_socket, &sockets);
    snprintf (path, sizeof path, "/proc/%ld/comm", out->pid);
    FILE *file = out->pid > 0 ? fopen (path, "re") : NULL;
    if (file && fgets (out->name, sizeof out->name, file))
        out->name[strcspn (out->name, "\n")] = '\0';
    if (file)
        fclose (file);
}

typedef struct
{
    const char *word, *other;
} words_t;

static bool
s_wanted_words (const void *context, long pid)
{
    const words_t *words = context;
    char path[64], command[COMMAND_MOST];
    snprintf (path, sizeof path, "/proc/%ld/cmdline", pid);
    FILE *file = fopen (path, "re");
    if (!file)
        return false;
    size_t size = fread (command, 1, sizeof command, file);
    fclose (file);
    return memmem (command, size, words->word, strlen (words->word))
           && memmem (command, size, words->other, strlen (words->other));
}

long
ctl_process_with (const char *word, const char *other)
{
    assert (word && other);
    const words_t words = { word, other };
    return s_find (s_wanted_words, &words);
}
