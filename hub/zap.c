/* SPDX-License-Identifier: MPL-2.0 */
#include "hub/zap.h"

#include "hub/allowance.h"

#include <assert.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/tsan.h"
#include "scanner-proto/limits.h"

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define ZAP_VERSION "1.0"
#define KEY_BYTES 32
#define TEXT_MOST 256 /* of what a peer's frame shows in a log line */

/*  A stranger can try with a fresh key every time, so that no two lines are
    the same: this many are written in a minute, then they are counted.  */
#define LINES_MOST 60
#define LINES_MS 60000

#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

/*  Handshakes of one registered key.  A scanner makes a few a day; thousands
    of connections of one key would let it search for the routing ids that
    libzmq gives to others, and fill memory.  */
#define HANDSHAKE_BURST 240
#define HANDSHAKE_REFILL_MS 1000
#define HANDSHAKE_NAMES 16384

#define BEAT_MS 5000 /* the least often that it shows that it is alive */

typedef struct
{
    hub_registry_t *registry;
    hub_knocks_t *pending, *admitted;
    hub_putoff_t *putoff;
    hub_beat_t *beat;
    hub_meters_t *meters;
    zsock_t *pipe;
    zsock_t *zap;
    int64_t since; /* when the minute of log lines began */
    unsigned lines, held;
    hub_allowance_t *handshakes;
} zap_t;

/*  The frames of RFC 27's request, in order.  */
enum
{
    FRAME_VERSION,
    FRAME_REQUEST,
    FRAME_DOMAIN,
    FRAME_ADDRESS,
    FRAME_IDENTITY,
    FRAME_MECHANISM,
    FRAME_KEY,
    FRAME_COUNT
};

static bool
s_frame_is (zframe_t *frame, const char *text)
{
    return zframe_size (frame) == strlen (text)
           && memcmp (zframe_data (frame), text, strlen (text)) == 0;
}

static void
s_frame_text (char out[static TEXT_MOST], zframe_t *frame)
{
    size_t size = zframe_size (frame);
    if (size > TEXT_MOST - 1)
        size = TEXT_MOST - 1;
    if (size > 0)
        memcpy (out, zframe_data (frame), size);
    out[size] = '\0';
}

/*  May another refusal be written?  */
static bool
s_may_log (zap_t *self)
{
    int64_t now = sh_clock_mono (sh_clock_system ());
    if (now - self->since >= LINES_MS) {
        if (self->held > 0)
            sh_log (SH_LOG_NOTICE, "more handshakes were refused",
                    SH_INT ("count", self->held));
        self->since = now;
        self->lines = 0;
        self->held = 0;
    }
    if (self->lines < LINES_MOST) {
        self->lines++;
        return true;
    }
    self->held++;
    return false;
}

static void
s_count (zap_t *self, hub_handshake_t why)
{
    if (self->meters)
        hub_meters_handshake (self->meters, why);
}

static void
s_refuse_key (zap_t *self, const char *key, zframe_t *address)
{
    char peer[TEXT_MOST];
    s_frame_text (peer, address);
    bool twice = hub_registry_claims (self->registry, key) > 1;
    bool retired = hub_registry_is_retired (self->registry, key);
    s_count (self, twice ? HUB_HANDSHAKE_TWICE : HUB_HANDSHAKE_UNKNOWN);
    if (!twice && !retired && self->pending)
        hub_knocks_note (self->pending, key, peer,
                         sh_clock_wall (sh_clock_system ()));
    if (!s_may_log (self))
        return;
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_key_fingerprint (fingerprint, key);
    const char *text = "handshake refused: unknown key";
    const char *remedy = "scanhubctl scanner pending";
    if (retired) {
        text = "handshake refused: the scanner has another key by now";
        remedy = "if a copy of the former key runs somewhere, stop it";
    } else if (twice) {
        text = "handshake refused: two files claim the key";
        remedy = "scanhubctl scanner list";
    }
    sh_log (SH_LOG_NOTICE, text, SH_STR ("key", key),
            SH_STR ("fingerprint", fingerprint), SH_STR ("peer", peer),
            SH_STR ("remedy", remedy));
}

static bool
s_refuse_request (zap_t *self, const char *what)
{
    s_count (self, HUB_HANDSHAKE_MALFORMED);
    if (s_may_log (self))
        sh_log (SH_LOG_WARNING, "handshake refused: not as expected",
                SH_STR ("what", what));
    return false;
}

/*  A key of the registry is let in, but not too often, and not while it is put
    off.  */
static bool
s_may_enter (zap_t *self, const hub_principal_t *who)
{
    int64_t now = sh_clock_mono (sh_clock_system ());
    if (self->putoff && hub_putoff_left (self->putoff, who->key, now) > 0) {
        s_count (self, HUB_HANDSHAKE_PUT_OFF);
        if (s_may_log (self))
            sh_log (SH_LOG_NOTICE, "handshake refused: the key is put off, "
                                   "for it filled the hub's memory",
                    SH_STR ("scanner", who->name), SH_STR ("key", who->key));
        return false;
    }
    if (hub_allowance_take (self->handshakes, who->key, now))
        return true;
    s_count (self, HUB_HANDSHAKE_OFTEN);
    if (s_may_log (self))
        sh_log (SH_LOG_WARNING, "handshake refused: the key connects too "
                                "often; does a copy of it run elsewhere?",
                SH_STR ("scanner", who->name), SH_STR ("key", who->key));
    return false;
}

/*  Is the handshake one that we let in?  Then 'key' is whose.  */
static bool
s_admit (zap_t *self, zframe_t *const frames[], size_t count,
         char key[static SH_KEY_TEXT])
{
    if (count != FRAME_COUNT)
        return s_refuse_request (self, "number of frames");
    if (!s_frame_is (frames[FRAME_VERSION], ZAP_VERSION))
        return s_refuse_request (self, "version");
    if (!s_frame_is (frames[FRAME_DOMAIN], SP_ZAP_DOMAIN))
        return s_refuse_request (self, "domain");
    if (!s_frame_is (frames[FRAME_MECHANISM], "CURVE"))
        return s_refuse_request (self, "mechanism");
    if (zframe_size (frames[FRAME_KEY]) != KEY_BYTES)
        return s_refuse_request (self, "size of the key");

    hub_principal_t who;
    zmq_z85_encode (key, zframe_data (frames[FRAME_KEY]), KEY_BYTES);
    if (!hub_registry_find (self->registry, key, &who)) {
        s_refuse_key (self, key, frames[FRAME_ADDRESS]);
        return false;
    }
    bool good = s_may_enter (self, &who);
    if (good) {
        char peer[TEXT_MOST];
        s_frame_text (peer, frames[FRAME_ADDRESS]);
        if (self->admitted)
            hub_knocks_note (self->admitted, key, peer,
                             sh_clock_mono (sh_clock_system ()));
        sh_log (SH_LOG_DEBUG, "handshake accepted",
                SH_STR ("scanner", who.name), SH_STR ("key", key));
    }
    hub_principal_clear (&who);
    return good;
}

/*  Answer a request.  Even one that makes no sense gets its 400, for a REP
    socket takes no other request before.  */
static void
s_answer (zap_t *self, zmsg_t *request)
{
    zframe_t *frames[FRAME_COUNT] = { NULL };
    size_t count = 0;
    zframe_t *frame = zmsg_first (request);
    for (; frame; frame = zmsg_next (request), count++) {
        if (count < FRAME_COUNT)
            frames[count] = frame;
    }
    char key[SH_KEY_TEXT] = "";
    bool admitted = s_admit (self, frames, count, key);

    zframe_t *id = frames[FRAME_REQUEST];
    zmsg_t *reply = zmsg_new ();
    zmsg_addstr (reply, ZAP_VERSION);
    zmsg_addmem (reply, id ? zframe_data (id) : NULL,
                 id ? zframe_size (id) : 0);
    zmsg_addstr (reply, admitted ? "200" : "400");
    zmsg_addstr (reply, admitted ? "OK" : "No access");
    zmsg_addstr (reply, admitted ? key : "");
    zmsg_addmem (reply, NULL, 0);
    if (zmsg_send (&reply, self->zap) != 0)
        zmsg_destroy (&reply);
}

static void
s_take_request (zap_t *self)
{
    zmsg_t *request = zmsg_recv (self->zap);
    if (request)
        s_answer (self, request);
    zmsg_destroy (&request);
}

/*  False: end.  */
static bool
s_take_command (zap_t *self)
{
    char *command = zstr_recv (self->pipe);
    bool go_on = command && strcmp (command, "$TERM") != 0;
    if (go_on && strcmp (command, "RELOAD") == 0) {
        sh_why_t why = { "" };
        sh_err_t rc = hub_registry_reload (self->registry, &why);
        zstr_send (self->pipe, rc == SH_OK ? "" : why.text);
    }
    zstr_free (&command);
    return go_on;
}

static void
s_loop (zap_t *self)
{
    zmq_pollitem_t items[] = {
        { .socket = zsock_resolve (self->pipe), .events = ZMQ_POLLIN },
        { .socket = zsock_resolve (self->zap), .events = ZMQ_POLLIN },
        { .fd = hub_registry_fd (self->registry), .events = ZMQ_POLLIN },
    };
    for (;;) {
        hub_beat_idle (self->beat);
        int count = zmq_poll (items, 3, BEAT_MS);
        hub_beat_work (self->beat);
        if (count < 0) {
            if (zmq_errno () == EINTR)
                continue;
            break; /* the context is being terminated */
        }
        /*  The registry first: a key that was just put there is known.  */
        if (items[2].revents)
            hub_registry_follow (self->registry);
        if (items[1].revents)
            s_take_request (self);
        if (items[0].revents && !s_take_command (self))
            break;
    }
}

void
hub_zap_actor (zsock_t *pipe, void *args)
{
    assert (pipe && args);
    hub_zap_args_t *given = args;
    zap_t self = { .registry = given->registry,
                   .pending = given->pending,
                   .admitted = given->admitted,
                   .putoff = given->putoff,
                   .beat = given->beat,
                   .meters = given->meters,
                   .pipe = pipe,
                   .zap = zsock_new (ZMQ_REP),
                   .since = sh_clock_mono (sh_clock_system ()) };
    given->failed
        = hub_allowance_new (&self.handshakes, HANDSHAKE_NAMES,
                             HANDSHAKE_BURST, HANDSHAKE_REFILL_MS)
              != SH_OK
          || !self.zap || zsock_bind (self.zap, "%s", ZAP_ENDPOINT) < 0;
    bool ready = !given->failed;
    SH_TSAN_GIVE (given);
    zsock_signal (pipe, 0); /* 'args' may be gone from here on */
    hub_beat_begin (self.beat);
    if (ready)
        s_loop (&self);
    hub_beat_leave (self.beat);
    if (self.held > 0)
        sh_log (SH_LOG_NOTICE, "more handshakes were refused",
                SH_INT ("count", self.held));
    zsock_destroy (&self.zap);
    hub_allowance_destroy (&self.handshakes);
}

static sh_err_t
s_set_options (void *socket, const char *public_key, const char *secret_key,
               sh_why_t *why)
{
    const int on = 1;
    const struct
    {
        const char *name;
        int option;
        const void *value;
        size_t size;
    } options[] = {
        { "ZMQ_CURVE_SERVER", ZMQ_CURVE_SERVER, &on, sizeof on },
        { "ZMQ_CURVE_PUBLICKEY", ZMQ_CURVE_PUBLICKEY, public_key,
          SH_KEY_TEXT },
        { "ZMQ_CURVE_SECRETKEY", ZMQ_CURVE_SECRETKEY, secret_key,
          SH_KEY_TEXT },
        { "ZMQ_ZAP_DOMAIN", ZMQ_ZAP_DOMAIN, SP_ZAP_DOMAIN,
          strlen (SP_ZAP_DOMAIN) },
        { "ZMQ_ZAP_ENFORCE_DOMAIN", ZMQ_ZAP_ENFORCE_DOMAIN, &on, sizeof on },
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (zmq_setsockopt (socket, options[i].option, options[i].value,
                            options[i].size)
            != 0)
            return sh_fail (why, SH_E_CONFIG,
                            "this libzmq does not set %s: %s; without it the "
                            "socket would be open to everybody",
                            options[i].name, zmq_strerror (zmq_errno ()));
    }
    return SH_OK;
}

static bool
s_int_is (void *socket, int option, int wanted)
{
    int value = -1;
    size_t size = sizeof value;
    return zmq_getsockopt (socket, option, &value, &size) == 0
           && size == sizeof value && value == wanted;
}

static bool
s_domain_is_ours (void *socket)
{
    char domain[TEXT_MOST] = "";
    size_t size = sizeof domain - 1;
    return zmq_getsockopt (socket, ZMQ_ZAP_DOMAIN, domain, &size) == 0
           && strcmp (domain, SP_ZAP_DOMAIN) == 0;
}

/*  What was set is only believed when it is read back.  */
static sh_err_t
s_check_options (void *socket, sh_why_t *why)
{
    const char *fault = NULL;
    if (!s_int_is (socket, ZMQ_MECHANISM, ZMQ_CURVE))
        fault = "ZMQ_MECHANISM";
    else if (!s_int_is (socket, ZMQ_CURVE_SERVER, 1))
        fault = "ZMQ_CURVE_SERVER";
    else if (!s_domain_is_ours (socket))
        fault = "ZMQ_ZAP_DOMAIN";
    else if (!s_int_is (socket, ZMQ_ZAP_ENFORCE_DOMAIN, 1))
        fault = "ZMQ_ZAP_ENFORCE_DOMAIN";
    if (!fault)
        return SH_OK;
    return sh_fail (why, SH_E_CONFIG,
                    "this libzmq does not keep %s; without it the socket "
                    "would be open to everybody",
                    fault);
}

sh_err_t
hub_zap_protect (void *socket, const char *secret_key, sh_why_t *why)
{
    assert (socket && secret_key);
    char public_key[SH_KEY_TEXT];
    if (!sh_key_valid (secret_key)
        || zmq_curve_public (public_key, secret_key) != 0)
        return sh_fail (why, SH_E_CONFIG,
                        "the hub's secret key is not 40 characters of Z85");
    void *raw = zsock_resolve (socket);
    sh_err_t rc = s_set_options (raw, public_key, secret_key, why);
    if (rc == SH_OK)
        rc = s_check_options (raw, why);
    return rc;
}
