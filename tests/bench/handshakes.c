/* SPDX-License-Identifier: MPL-2.0 */
/*  handshakes: connects as a scanner does (scanner-proto/session.h), again and
    again, some at a time: TCP, ZMTP and CURVE up to the moment at which libzmq
    says that the handshake has succeeded, then the connection is closed.  No
    hello is said, so that a bare libzmq server can be measured in the same way.
    Prints a JSON object.  */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <zmq.h>

#include "lib/keyfile.h"
#include "scanner-proto/session.h"
#include "tests/bench/swarm_stats.h"

#define KEYS_MOST 100000
#define AT_ONCE 16
#define PATIENCE 10000 /* ms without any news */

typedef struct
{
    char public_key[SH_KEY_TEXT], secret_key[SH_KEY_TEXT];
} s_key_t;

typedef struct
{
    sp_hub_t hub;
    s_key_t *keys;
    size_t key_count;
    size_t wanted, begun, done, failed;
    sp_session_t *sessions[AT_ONCE];
} s_run_t;

static bool
s_read_keys (s_run_t *self, const char *path)
{
    char line[256];
    FILE *file = fopen (path, "re");
    self->keys = calloc (KEYS_MOST, sizeof *self->keys);
    if (!file || !self->keys) {
        fprintf (stderr, "handshakes: %s: %s\n", path, strerror (errno));
        return false;
    }
    while (self->key_count < KEYS_MOST && fgets (line, sizeof line, file)) {
        s_key_t *key = &self->keys[self->key_count];
        self->key_count += sscanf (line, "%40s %40s", key->public_key,
                                   key->secret_key)
                           == 2;
    }
    fclose (file);
    if (self->key_count == 0)
        fprintf (stderr, "handshakes: %s: no line PUBLIC SECRET\n", path);
    return self->key_count > 0;
}

/*  Take turns with the keys: a hub does not let one in too often.  */
static bool
s_begin (s_run_t *self, size_t at)
{
    sh_why_t why = { "" };
    if (self->begun == self->wanted)
        return true;
    const s_key_t *key = &self->keys[self->begun++ % self->key_count];
    if (sp_session_new (&self->sessions[at], &self->hub, key->public_key,
                        key->secret_key, &why)
        == SH_OK)
        return true;
    fprintf (stderr, "handshakes: %s\n", why.text);
    return false;
}

/*  Hear what became of one; begin another in its place.  */
static bool
s_serve (s_run_t *self, size_t at)
{
    sp_link_t link = SP_LINK_NOTHING;
    while (link == SP_LINK_NOTHING
           && sp_session_news (self->sessions[at], &link))
        continue;
    if (link == SP_LINK_NOTHING)
        return true;
    self->done++;
    self->failed += link != SP_LINK_SECURED;
    sp_session_destroy (&self->sessions[at]);
    return s_begin (self, at);
}

static bool
s_run (s_run_t *self)
{
    for (size_t i = 0; i < AT_ONCE; i++)
        if (!s_begin (self, i))
            return false;
    while (self->done < self->wanted) {
        zmq_pollitem_t items[AT_ONCE];
        size_t which[AT_ONCE];
        int count = 0;
        for (size_t i = 0; i < AT_ONCE; i++)
            if (self->sessions[i]) {
                which[count] = i;
                items[count++] = (zmq_pollitem_t){
                    sp_session_monitor (self->sessions[i]), 0, ZMQ_POLLIN, 0
                };
            }
        if (zmq_poll (items, count, PATIENCE) <= 0) {
            fprintf (stderr, "handshakes: no news of %d handshakes\n", count);
            return false;
        }
        for (int i = 0; i < count; i++)
            if (items[i].revents && !s_serve (self, which[i]))
                return false;
    }
    return true;
}

int
main (int argc, char **argv)
{
    s_run_t run = { .wanted = argc == 5 ? strtoul (argv[4], NULL, 10) : 0 };
    if (run.wanted == 0) {
        fprintf (stderr, "usage: handshakes ENDPOINT SERVER-KEY KEYS COUNT\n");
        return EX_USAGE;
    }
    run.hub = (sp_hub_t){ .endpoint = argv[1], .public_key = argv[2] };
    if (!s_read_keys (&run, argv[3]))
        return EX_NOINPUT;
    int64_t began = sw_now ();
    bool good = s_run (&run);
    double seconds = (double) (sw_now () - began) / 1e6;
    if (good)
        printf ("{\"handshakes\": %zu, \"failed\": %zu, \"seconds\": %.6f, "
                "\"rate\": %.1f, \"cpu_s\": %.3f}\n", run.done, run.failed,
                seconds, (double) run.done / seconds, sw_cpu ());
    free (run.keys);
    return good ? EX_OK : EX_SOFTWARE;
}
