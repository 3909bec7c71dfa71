/* SPDX-License-Identifier: MPL-2.0 */
/*  Any frames as a request to the ZAP handler.  The input is frames, each with
    its size before it, of which byte 255 stands for the right content of its
    place.  There is an answer to everything, and 200 only to the one request
    that RFC 27 describes, for the one key that is in the registry.  */

#include <czmq.h>

#include "hub/zap.h"
#include "lib/bytes.h"
#include "lib/keyfile.h"
#include "lib/log.h"
#include "scanner-proto/limits.h"
#include "tests/fuzz/input.h"

#define FRAMES 10
#define RIGHT 255

typedef struct
{
    char directory[40], *file;
    uint8_t key[32];
    char text[SH_KEY_TEXT];
    hub_registry_t *registry;
    hub_zap_args_t args;
    zactor_t *actor;
    zsock_t *client;
    unsigned long admitted;
} stage_t;

static stage_t s_stage = { .directory = "/tmp/scanhub-fuzz-XXXXXX" };

static void
s_strike (void)
{
    zsock_destroy (&s_stage.client);
    zactor_destroy (&s_stage.actor);
    hub_registry_destroy (&s_stage.registry);
    unlink (s_stage.file);
    free (s_stage.file);
    rmdir (s_stage.directory);
}

static void
s_set (void)
{
    stage_t *self = &s_stage;
    sh_keyfile_t *key = NULL;
    setenv ("ZSYS_SIGHANDLER", "false", 1); /* libFuzzer has its own */
    zsys_init ();
    sh_log_set_level (SH_LOG_ERROR);
    fuzz_require (mkdtemp (self->directory) != NULL);
    fuzz_require (asprintf (&self->file, "%s/site.cert", self->directory) > 0);
    fuzz_require (sh_keyfile_generate (&key) == SH_OK
                  && sh_keyfile_add (key, "code", "site") == SH_OK
                  && sh_keyfile_save (key, self->file, false, NULL) == SH_OK);
    memcpy (self->text, key->public_key, sizeof self->text);
    fuzz_require (zmq_z85_decode (self->key, self->text) != NULL);
    sh_keyfile_destroy (&key);
    fuzz_require (hub_registry_new (&self->registry, self->directory, NULL)
                  == SH_OK);
    self->args.registry = self->registry;
    self->actor = zactor_new (hub_zap_actor, &self->args);
    self->client = zsock_new_req ("inproc://zeromq.zap.01");
    fuzz_require (self->actor && !self->args.failed && self->client);
    atexit (s_strike);
}

/*  What a right request has in its n-th frame.  */
static sh_bytes_t
s_right (size_t place)
{
    static const char *const texts[]
        = { "1.0", "1", SP_ZAP_DOMAIN, "127.0.0.1", "", "CURVE" };
    if (place < sizeof texts / sizeof *texts)
        return (sh_bytes_t){ (const uint8_t *) texts[place],
                             strlen (texts[place]) };
    return (sh_bytes_t){ s_stage.key, sizeof s_stage.key };
}

/*  Is it, by the simplest reading, the request that may be let in?  */
static bool
s_may (const sh_bytes_t *frames, size_t count)
{
    if (count != 7)
        return false;
    for (size_t i = 0; i < count; i++) {
        sh_bytes_t right = s_right (i);
        bool any = i == 1 || i == 3 || i == 4; /* id, address, identity */
        if (!any
            && (frames[i].size != right.size
                || memcmp (frames[i].data, right.data, right.size) != 0))
            return false;
    }
    return true;
}

static void
s_check (zmsg_t *reply, bool may, sh_bytes_t id)
{
    fuzz_require (reply && zmsg_size (reply) == 6);
    zframe_t *version = zmsg_first (reply);
    fuzz_require (zframe_streq (version, "1.0"));
    zframe_t *request = zmsg_next (reply);
    fuzz_require (zframe_size (request) == id.size
                  && (id.size == 0
                      || memcmp (zframe_data (request), id.data, id.size)
                             == 0));
    zframe_t *status = zmsg_next (reply);
    zmsg_next (reply);
    zframe_t *user = zmsg_next (reply);
    bool admitted = zframe_streq (status, "200");
    fuzz_require (admitted || zframe_streq (status, "400"));
    fuzz_require (zframe_streq (user, admitted ? s_stage.text : ""));
    fuzz_require (may || !admitted);
    if (admitted)
        s_stage.admitted++;
    /*  After so many in a row the handler refuses for a while.  */
    fuzz_require (!may || admitted || s_stage.admitted >= 100);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (!s_stage.actor)
        s_set ();
    input_t input = { data, size };
    sh_bytes_t frames[FRAMES];
    size_t count = 0;
    zmsg_t *request = zmsg_new ();
    do {
        sh_bytes_t *frame = &frames[count];
        uint8_t length = fuzz_byte (&input);
        if (length == RIGHT)
            *frame = s_right (count);
        else {
            frame->size = length < input.left ? length : input.left;
            frame->data = input.at;
            input.at += frame->size;
            input.left -= frame->size;
        }
        zmsg_addmem (request, frame->data, frame->size);
        count++;
    } while (input.left > 0 && count < FRAMES);

    bool may = s_may (frames, count);
    /*  libFuzzer's timer interrupts the calls now and then.  */
    while (zmsg_send (&request, s_stage.client) != 0)
        fuzz_require (errno == EINTR);
    zmsg_t *reply;
    while (!(reply = zmsg_recv (s_stage.client)))
        fuzz_require (errno == EINTR);
    s_check (reply, may, count > 1 ? frames[1] : (sh_bytes_t){ NULL, 0 });
    zmsg_destroy (&reply);
    return 0;
}
