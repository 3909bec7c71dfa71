/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/holders.h"

#include <dirent.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "hub/descriptors.h"

typedef struct
{
    int fd;
    char peer[HUB_PEER_TEXT];
    char address[HUB_KNOCK_ADDRESS];
    uint64_t received;
} connection_t;

static unsigned
s_port (const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohs (((const struct sockaddr_in *) address)->sin_port);
    if (address->ss_family == AF_INET6)
        return ntohs (((const struct sockaddr_in6 *) address)->sin6_port);
    return 0;
}

/*  Is it a port that the hub listens on for scanners?  With "*" nobody knows,
    and the hub's other TCP connections receive little.  */
static bool
s_is_ours (unsigned port, const sh_strings_t *endpoints)
{
    for (size_t i = 0; port && i < endpoints->count; i++) {
        const char *colon = strrchr (endpoints->items[i], ':');
        if (colon
            && (strcmp (colon, ":*") == 0
                || strtoul (colon + 1, NULL, 10) == port))
            return true;
    }
    return false;
}

void
hub_peer_text (char out[static HUB_PEER_TEXT], int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[HUB_KNOCK_ADDRESS], port[8];
    out[0] = '\0';
    if (fd >= 0 && getpeername (fd, (struct sockaddr *) &address, &size) == 0
        && getnameinfo ((struct sockaddr *) &address, size, host, sizeof host,
                        port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV)
               == 0)
        snprintf (out, HUB_PEER_TEXT, "%s %s", host, port);
}

void
hub_holders_note_taken (hub_session_t *session)
{
    session->taken = hub_descriptors_received (session->fd);
}

/*  False: the descriptor is no scanner's connection.  */
static bool
s_read (connection_t *out, int fd, const sh_strings_t *endpoints)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname (fd, (struct sockaddr *) &address, &size) != 0
        || !s_is_ours (s_port (&address), endpoints))
        return false;
    hub_peer_text (out->peer, fd);
    size_t length = strcspn (out->peer, " ");
    if (length == 0 || length >= sizeof out->address)
        return false;
    memcpy (out->address, out->peer, length);
    out->address[length] = '\0';
    out->fd = fd;
    out->received = hub_descriptors_received (fd);
    return true;
}

/*  Sessions by the descriptor of their connection.  */
typedef struct
{
    const hub_session_t **items;
    size_t count;
} index_t;

static bool
s_index (index_t *out, hub_sessions_t *sessions)
{
    int highest = -1;
    for (const hub_session_t *one = hub_sessions_first (sessions); one;
         one = hub_sessions_next (sessions))
        if (one->fd > highest)
            highest = one->fd;
    out->count = (size_t) highest + 1;
    out->items = calloc (out->count + 1, sizeof *out->items);
    if (!out->items)
        return false;
    for (const hub_session_t *one = hub_sessions_first (sessions); one;
         one = hub_sessions_next (sessions))
        if (one->fd >= 0)
            out->items[one->fd] = one;
    return true;
}

/*  The number alone would not do: a connection that ended may have left it to
    another one.  */
static const hub_session_t *
s_session (const index_t *index, const connection_t *connection)
{
    const hub_session_t *session = (size_t) connection->fd < index->count
                                       ? index->items[connection->fd] : NULL;
    return session && strcmp (session->peer, connection->peer) == 0 ? session
                                                                    : NULL;
}

/*  Whose the connection is, and what it holds.  */
typedef struct
{
    const char *address, *key, *name; /* key "": not known */
    uint64_t held;
} share_t;

/*  The place for it: of its key, or, without one, of its address; a free one;
    that of the smallest, if it is smaller.  */
static hub_holder_t *
s_place (hub_holder_t *out, size_t *count, const share_t *share)
{
    hub_holder_t *smallest = NULL;
    for (size_t i = 0; i < *count; i++) {
        bool same = strcmp (out[i].key, share->key) == 0
                    && (*share->key
                        || strcmp (out[i].address, share->address) == 0);
        if (same)
            return &out[i];
        if (!smallest || out[i].held < smallest->held)
            smallest = &out[i];
    }
    if (*count < HUB_HOLDERS_MOST)
        smallest = &out[(*count)++];
    else if (smallest->held >= share->held)
        return NULL;
    *smallest = (hub_holder_t){ .held = 0 };
    snprintf (smallest->address, sizeof smallest->address, "%s",
              share->address);
    snprintf (smallest->key, sizeof smallest->key, "%s", share->key);
    snprintf (smallest->name, sizeof smallest->name, "%s", share->name);
    return smallest;
}

static int
s_most_first (const void *a, const void *b)
{
    const hub_holder_t *x = a, *y = b;
    return (x->held < y->held) - (x->held > y->held);
}

/*  What holds little is not worth a place, unless it is one of many of the
    same.  */
#define SMALL (64 * 1024)

static share_t
s_share (const connection_t *connection, const index_t *index,
         const hub_greetings_t *greetings)
{
    share_t share = { connection->address, "", "", connection->received };
    uint64_t taken = 0;
    const hub_session_t *session = s_session (index, connection);
    const hub_greeting_t *greeting = NULL;
    if (session) {
        share.key = session->key;
        share.name = session->name;
        taken = session->taken;
    } else if ((greeting = hub_greetings_find (greetings, connection->peer))) {
        share.key = greeting->key;
        taken = greeting->taken;
    }
    share.held = share.held > taken ? share.held - taken : 0;
    return share;
}

static size_t
s_find (hub_holder_t *out, const sh_strings_t *endpoints, const index_t *index,
        const hub_greetings_t *greetings, DIR *directory)
{
    size_t count = 0;
    for (struct dirent *one; (one = readdir (directory));) {
        connection_t connection;
        if (one->d_name[0] == '.'
            || !s_read (&connection, (int) strtol (one->d_name, NULL, 10),
                        endpoints)
            || connection.received < SMALL)
            continue;
        share_t share = s_share (&connection, index, greetings);
        hub_holder_t *holder
            = share.held < SMALL ? NULL : s_place (out, &count, &share);
        if (holder) {
            holder->held += share.held;
            holder->connections++;
        }
    }
    return count;
}

size_t
hub_holders_find (hub_holder_t out[static HUB_HOLDERS_MOST],
                  const sh_strings_t *endpoints, hub_sessions_t *sessions,
                  const hub_greetings_t *greetings)
{
    size_t count = 0;
    index_t index = { NULL, 0 };
    DIR *directory = opendir ("/proc/self/fd");
    if (directory && s_index (&index, sessions))
        count = s_find (out, endpoints, &index, greetings, directory);
    if (directory)
        closedir (directory);
    free (index.items);
    qsort (out, count, sizeof *out, s_most_first);
    while (count > 0 && out[count - 1].held < HUB_HOLDER_LEAST)
        count--;
    return count;
}
