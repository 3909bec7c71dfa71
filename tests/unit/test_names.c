/* SPDX-License-Identifier: MPL-2.0 */
/*  Names of hosts, asked from name servers of the test's own: threads that
    speak DNS on a loopback address, packet by packet as written here.  */

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "scanner/generated.h"
#include "scanner/names.h"
#include "tests/unit/sets.h"

/*  Where nobody else has ports.  */
#define FIRST "127.53.0.1"
#define SECOND "127.53.0.2"

#define TYPE_CNAME 5
#define TYPE_PTR 12
#define NXDOMAIN 3
#define SERVFAIL 2
#define REFUSED 5

static int64_t
s_now (void)
{
    return sh_clock_mono (sh_clock_system ());
}

/* packets */

typedef struct
{
    uint8_t data[4096];
    size_t size;
} packet_t;

static void
s_put (packet_t *self, const void *data, size_t size)
{
    assert_true (size <= sizeof self->data - self->size);
    memcpy (self->data + self->size, data, size);
    self->size += size;
}

static void
s_put16 (packet_t *self, unsigned value)
{
    const uint8_t bytes[] = { (uint8_t) (value >> 8), (uint8_t) value };
    s_put (self, bytes, 2);
}

/*  Labels with a byte for their length, without the root.  */
static void
s_put_labels (packet_t *self, const char *text)
{
    while (*text) {
        size_t size = strcspn (text, ".");
        uint8_t length = (uint8_t) size;
        s_put (self, &length, 1);
        s_put (self, text, size);
        text += size + (text[size] == '.');
    }
}

/*  A record of the name at 'owner' in the packet, with 'rdata' as it is.  */
static void
s_put_record (packet_t *self, unsigned owner, unsigned type, const void *rdata,
              size_t size)
{
    static const uint8_t middle[] = { 0, 1, 0, 0, 0, 60 }; /* IN, TTL */
    s_put16 (self, 0xc000 | owner);
    s_put16 (self, type);
    s_put (self, middle, sizeof middle);
    s_put16 (self, (unsigned) size);
    s_put (self, rdata, size);
    self->data[7]++; /* answers */
}

static void
s_put_name (packet_t *self, unsigned owner, unsigned type, const char *name)
{
    packet_t rdata = { .size = 0 };
    s_put_labels (&rdata, name);
    s_put (&rdata, "", 1);
    s_put_record (self, owner, type, rdata.data, rdata.size);
}

/* the server */

typedef enum
{
    MODE_ANSWER,  /* by the address that is asked for, see s_answer */
    MODE_NAME,    /* "hN.example" for every address 10.0.x.y */
    MODE_NOTHING, /* NXDOMAIN */
    MODE_ODD,     /* like NAME for odd addresses, silent about even ones */
    MODE_FAULT,   /* SERVFAIL, REFUSED */
    MODE_SILENT
} mode_t_;

typedef struct
{
    int udp, tcp;
    mode_t_ mode;
    int delay; /* ms before an answer of MODE_NAME */
    pthread_t thread;
    atomic_bool stop;
    atomic_uint asked, by_tcp, held, held_most;
    unsigned odd; /* changes the order of answers */
    char last[128];
    struct
    {
        int64_t due;
        packet_t packet;
        struct sockaddr_storage to;
        socklen_t length;
    } later[128];
} server_t;

/*  The name that is asked for, as text; returns the end of the question.  */
static size_t
s_read_question (const packet_t *packet, char *name, size_t room)
{
    size_t at = 12, used = 0;
    while (at < packet->size && packet->data[at]) {
        size_t length = packet->data[at++];
        assert_true (at + length < packet->size && used + length + 2 < room);
        memcpy (name + used, packet->data + at, length);
        used += length;
        name[used++] = '.';
        at += length;
    }
    name[used ? used - 1 : 0] = '\0';
    return at + 5;
}

static void
s_begin (packet_t *out, const packet_t *question, size_t end, unsigned rcode)
{
    *out = (packet_t){ .size = 0 };
    s_put (out, question->data, end);
    out->data[2] = 0x84; /* a response, authoritative */
    out->data[3] = (uint8_t) rcode;
    memset (out->data + 6, 0, 6);
}

/*  Names that are no names.  */
static bool
s_answer_badly (packet_t *out, unsigned last)
{
    static const uint8_t control[] = "\x03" "a\x01" "b" "\x07" "example",
                         dot[] = "\x03" "a.b" "\x07" "example",
                         zero[] = "\x03" "a\0b" "\x07" "example",
                         utf8[] = "\x07" "b\xc3\xbc" "cher" "\x07" "example",
                         beyond[] = "\x3f" "short", root[] = "";
    uint8_t loop[] = { 0xc0, (uint8_t) (out->size + 12) };
    uint8_t forward[] = { 0xcf, 0xff };
    char longest[400] = "";
    switch (last) {
    case 40: s_put_record (out, 12, TYPE_PTR, control, sizeof control); break;
    case 41: s_put_record (out, 12, TYPE_PTR, dot, sizeof dot); break;
    case 42: s_put_record (out, 12, TYPE_PTR, zero, sizeof zero); break;
    case 43: s_put_record (out, 12, TYPE_PTR, utf8, sizeof utf8); break;
    case 44: s_put_record (out, 12, TYPE_PTR, root, 1); break;
    case 45: s_put_record (out, 12, TYPE_PTR, loop, 2); break;
    case 46: s_put_record (out, 12, TYPE_PTR, forward, 2); break;
    case 47: s_put_record (out, 12, TYPE_PTR, beyond, 4); break;
    case 48: s_put_record (out, 12, TYPE_PTR, "", 0); break;
    case 49: /* 5 * 64 bytes */
        for (int i = 0; i < 5; i++) {
            memset (longest + 64 * i, 'a', 63);
            longest[64 * i + 63] = i < 4 ? '.' : '\0';
        }
        s_put_name (out, 12, TYPE_PTR, longest);
        break;
    case 50: s_put_name (out, 12, TYPE_PTR, "10.0.0.50"); break;
    case 51: s_put_name (out, 12, TYPE_PTR, "-bad-.example"); break;
    case 52: s_put_name (out, 12, TYPE_PTR, "ip-10-0-0-52.example"); break;
    case 53: /* cut off in the middle of a record */
        s_put_name (out, 12, TYPE_PTR, "cut.example");
        out->size -= 7;
        break;
    case 54: /* more answers than there are */
        s_put_name (out, 12, TYPE_PTR, "many.example");
        out->data[7] = 200;
        break;
    case 55: /* the length of the data is a lie */
        s_put_name (out, 12, TYPE_PTR, "lie.example");
        out->data[out->size - 14] = 0xff;
        break;
    case 56: /* of another name */
        s_put_name (out, 13, TYPE_PTR, "other.example");
        break;
    case 57: /* an alias of itself */
        s_put_record (out, 12, TYPE_CNAME, (uint8_t[]){ 0xc0, 12 }, 2);
        break;
    case 58: /* nothing but noise after the header */
        memset (out->data + 4, 0xa5, 300);
        out->size = 304;
        break;
    case 59: /* not even a whole header */
        out->size = 7;
        break;
    default: return false;
    }
    return true;
}

static void
s_send (server_t *self, const packet_t *packet, const struct sockaddr *to,
        socklen_t length)
{
    (void) sendto (self->udp, packet->data, packet->size, 0, to, length);
}

/*  Packets that come before the right one and have to be passed over.  */
static void
s_send_forged (server_t *self, const packet_t *answer, size_t end,
               unsigned last, const struct sockaddr *to, socklen_t length)
{
    packet_t forged = *answer;
    forged.size = end;
    forged.data[7] = 0;
    if (last == 7)
        forged.data[0] ^= 0x55; /* the id */
    if (last == 8)
        forged.data[13] ^= 1; /* the question: 9... */
    if (last != 7 && last != 8)
        return;
    s_put_name (&forged, 12, TYPE_PTR, "forged.example");
    s_send (self, &forged, to, length);
}

/*  By the last number of the address.  False: say nothing.  */
static bool
s_answer (server_t *self, packet_t *out, const packet_t *question, size_t end,
          unsigned last, bool tcp)
{
    s_begin (out, question, end, 0);
    switch (last) {
    case 1: s_put_name (out, 12, TYPE_PTR, "printer.site.example"); break;
    case 2: s_begin (out, question, end, NXDOMAIN); break;
    case 3: s_begin (out, question, end, SERVFAIL); break;
    case 4: s_begin (out, question, end, REFUSED); break;
    case 5: return false;
    case 6: /* once by UDP, then whole */
        if (tcp)
            s_put_name (out, 12, TYPE_PTR, "by-tcp.example");
        else
            out->data[2] |= 2;
        break;
    case 7: s_put_name (out, 12, TYPE_PTR, "right-id.example"); break;
    case 8: s_put_name (out, 12, TYPE_PTR, "right-question.example"); break;
    case 9: { /* RFC 2317: of 9.0-127.0.0.10.in-addr.arpa */
        packet_t alias = { .size = 0 };
        s_put_labels (&alias, "9.0-127");
        s_put16 (&alias, 0xc00e);
        unsigned target = (unsigned) out->size + 12;
        s_put_record (out, 12, TYPE_CNAME, alias.data, alias.size);
        s_put_name (out, target, TYPE_PTR, "delegated.example");
        break;
    }
    case 10: /* in another order every time */
        s_put_name (out, 12, TYPE_PTR, self->odd ? "b.example" : "-.example");
        s_put_name (out, 12, TYPE_PTR, self->odd ? "-.example" : "C.example");
        s_put_name (out, 12, TYPE_PTR, self->odd ? "C.example" : "b.example");
        self->odd ^= 1;
        break;
    case 11: s_put_name (out, 12, TYPE_PTR, "UPPER-Case.example"); break;
    case 12: break; /* no error and no data */
    case 14: /* one of two is generated */
        s_put_name (out, 12, TYPE_PTR, "10-0-0-14.example");
        s_put_name (out, 12, TYPE_PTR, "x.example");
        break;
    default:
        if (!s_answer_badly (out, last))
            s_begin (out, question, end, NXDOMAIN);
    }
    return true;
}

/*  False: say nothing, now.  */
static bool
s_reply (server_t *self, packet_t *out, const packet_t *question, bool tcp)
{
    char name[300], text[40];
    unsigned last = 0, third = 0;
    atomic_fetch_add (&self->asked, 1);
    size_t end = s_read_question (question, name, sizeof name);
    (void) snprintf (self->last, sizeof self->last, "%.120s", name);
    (void) sscanf (name, "%u.%u.", &last, &third);
    switch (self->mode) {
    case MODE_FAULT:
        s_begin (out, question, end, last % 2 ? SERVFAIL : REFUSED);
        return true;
    case MODE_ANSWER:
        return s_answer (self, out, question, end, last, tcp);
    case MODE_ODD:
        if (last % 2 == 0)
            return false;
        break;
    case MODE_NOTHING:
        s_begin (out, question, end, NXDOMAIN);
        return true;
    case MODE_SILENT:
        return false;
    default:
        break;
    }
    s_begin (out, question, end, 0);
    (void) snprintf (text, sizeof text, "h%u.example", third * 256 + last);
    s_put_name (out, 12, TYPE_PTR, text);
    return true;
}

static void
s_hold (server_t *self, const packet_t *packet,
        const struct sockaddr_storage *to, socklen_t length)
{
    for (size_t i = 0; i < sizeof self->later / sizeof *self->later; i++) {
        if (self->later[i].due)
            continue;
        self->later[i].due = s_now () + self->delay;
        self->later[i].packet = *packet;
        self->later[i].to = *to;
        self->later[i].length = length;
        if (++self->held > self->held_most)
            self->held_most = self->held;
        return;
    }
}

static void
s_send_held (server_t *self)
{
    for (size_t i = 0; i < sizeof self->later / sizeof *self->later; i++) {
        if (!self->later[i].due || self->later[i].due > s_now ())
            continue;
        self->later[i].due = 0;
        self->held--;
        s_send (self, &self->later[i].packet,
                (struct sockaddr *) &self->later[i].to,
                self->later[i].length);
    }
}

static void
s_serve_udp (server_t *self)
{
    packet_t question = { .size = 0 }, answer;
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    ssize_t size = recvfrom (self->udp, question.data, sizeof question.data,
                             MSG_DONTWAIT, (struct sockaddr *) &from, &length);
    if (size < 12)
        return;
    question.size = (size_t) size;
    if (!s_reply (self, &answer, &question, false))
        return;
    if (self->delay) {
        s_hold (self, &answer, &from, length);
        return;
    }
    char name[300];
    unsigned last = 0;
    size_t end = s_read_question (&question, name, sizeof name);
    (void) sscanf (name, "%u.", &last);
    if (self->mode == MODE_ANSWER)
        s_send_forged (self, &answer, end, last, (struct sockaddr *) &from,
                       length);
    s_send (self, &answer, (struct sockaddr *) &from, length);
}

static void
s_serve_tcp (server_t *self)
{
    int fd = accept (self->tcp, NULL, NULL);
    packet_t question = { .size = 0 }, answer;
    uint8_t head[2];
    atomic_fetch_add (&self->by_tcp, 1);
    if (recv (fd, head, 2, MSG_WAITALL) == 2) {
        question.size = (size_t) (head[0] << 8 | head[1]);
        if (recv (fd, question.data, question.size, MSG_WAITALL)
                == (ssize_t) question.size
            && s_reply (self, &answer, &question, true)) {
            packet_t framed = { .size = 0 };
            s_put16 (&framed, (unsigned) answer.size);
            s_put (&framed, answer.data, answer.size);
            (void) send (fd, framed.data, framed.size, MSG_NOSIGNAL);
        }
    }
    (void) close (fd);
}

static void *
s_serve (void *context)
{
    server_t *self = context;
    while (!self->stop) {
        struct pollfd items[] = { { .fd = self->udp, .events = POLLIN },
                                  { .fd = self->tcp, .events = POLLIN } };
        (void) poll (items, 2, 5);
        if (items[0].revents)
            s_serve_udp (self);
        if (items[1].revents)
            s_serve_tcp (self);
        s_send_held (self);
    }
    return NULL;
}

/*  UDP and TCP on one port; false if that is not to be had.  */
static bool
s_bind (server_t *self, struct sockaddr_storage *addr, socklen_t length,
        uint16_t *port)
{
    int one = 1;
    struct sockaddr *any = (struct sockaddr *) addr;
    struct sockaddr_in *four = (struct sockaddr_in *) addr;
    four->sin_port = htons (*port); /* sin6_port is at the same place */
    self->udp = socket (any->sa_family, SOCK_DGRAM, 0);
    self->tcp = socket (any->sa_family, SOCK_STREAM, 0);
    assert_int_equal (setsockopt (self->tcp, SOL_SOCKET, SO_REUSEADDR, &one,
                                  sizeof one),
                      0);
    if (bind (self->udp, any, length) == 0
        && getsockname (self->udp, any, &length) == 0
        && bind (self->tcp, any, length) == 0 && listen (self->tcp, 10) == 0) {
        *port = ntohs (four->sin_port);
        return true;
    }
    (void) close (self->udp);
    (void) close (self->tcp);
    return false;
}

/*  On 'ip', port '*port' or, if that is 0, one that becomes known by it.
    False if there is no such address here.  */
static bool
s_open (server_t *self, const char *ip, uint16_t *port)
{
    struct sockaddr_storage addr = { .ss_family = AF_INET };
    struct sockaddr_in *four = (struct sockaddr_in *) &addr;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *) &addr;
    socklen_t length = sizeof *four;
    if (inet_pton (AF_INET, ip, &four->sin_addr) != 1) {
        addr.ss_family = AF_INET6;
        length = sizeof *six;
        assert_int_equal (inet_pton (AF_INET6, ip, &six->sin6_addr), 1);
    }
    bool any = *port == 0;
    for (int i = 0; i < (any ? 50 : 1); i++) {
        if (s_bind (self, &addr, length, port))
            return true;
    }
    return false;
}

static server_t *
s_start (const char *ip, uint16_t *port, mode_t_ mode)
{
    server_t *self = calloc (1, sizeof *self);
    assert_non_null (self);
    self->mode = mode;
    if (!s_open (self, ip, port)) {
        free (self);
        assert_ptr_not_equal (strchr (ip, ':'), NULL); /* else it is a must */
        return NULL;
    }
    assert_int_equal (pthread_create (&self->thread, NULL, s_serve, self), 0);
    return self;
}

static void
s_stop (server_t *self)
{
    self->stop = true;
    assert_int_equal (pthread_join (self->thread, NULL), 0);
    (void) close (self->udp);
    (void) close (self->tcp);
    free (self);
}

/* the client's side */

static void
s_add (sc_result_t *result, const char *ip)
{
    sc_host_t host = { .ip = set_ip (ip) };
    assert_int_equal (sc_result_add (result, &host), SH_OK);
}

/*  10.0.1.0 and so on.  */
static void
s_add_many (sc_result_t *result, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char ip[20];
        (void) snprintf (ip, sizeof ip, "10.0.%u.%u", 1 + i / 256, i % 256);
        s_add (result, ip);
    }
}

static const char *
s_name (const sc_result_t *result, const char *ip)
{
    sh_addr_t addr = set_ip (ip);
    for (size_t i = 0; i < result->count; i++) {
        if (sh_addr_cmp (&result->hosts[i].ip, &addr) == 0)
            return result->hosts[i].name;
    }
    fail_msg ("no host %s", ip);
    return NULL;
}

static size_t
s_named (const sc_result_t *result)
{
    size_t count = 0;
    for (size_t i = 0; i < result->count; i++)
        count += result->hosts[i].name != NULL;
    return count;
}

/*  As an owner's loop does it; returns the ms that it took.  Waiting for the
    descriptor and the time-out alone must do.  */
static int64_t
s_finish (sc_names_t *names)
{
    int64_t begin = s_now (), steps = 0;
    while (!sc_names_step (names)) {
        struct pollfd item = { .fd = sc_names_fd (names), .events = POLLIN };
        int timeout = sc_names_timeout (names);
        assert_in_range (timeout, 0, 60000);
        (void) poll (&item, 1, timeout);
        assert_true (++steps < 100000); /* else it spins */
    }
    return s_now () - begin;
}

static int64_t
s_look_up (sc_result_t *result, const char *const *servers, size_t count,
           const sc_names_options_t *options, char *note, size_t room)
{
    sh_addr_t addrs[8];
    for (size_t i = 0; i < count; i++)
        addrs[i] = set_ip (servers[i]);
    sc_names_t *names = NULL;
    sh_why_t why = { "" };
    assert_int_equal (sc_names_start (&names, result, addrs, count, options,
                                      sh_clock_system (), &why),
                      SH_OK);
    int64_t took = s_finish (names);
    if (note)
        (void) snprintf (note, room, "%s", sc_names_note (names));
    sc_names_destroy (&names);
    assert_null (names);
    return took;
}

static size_t
s_count_fds (void)
{
    DIR *directory = opendir ("/proc/self/fd");
    assert_non_null (directory);
    size_t count = 0;
    while (readdir (directory))
        count++;
    (void) closedir (directory);
    return count;
}

static const char *const s_servers[] = { FIRST, SECOND };

/* cases */

typedef struct
{
    const char *ip, *name;
} row_t;

static void
s_check_rows (const sc_result_t *result, const row_t *rows)
{
    for (; rows->ip; rows++) {
        const char *name = s_name (result, rows->ip);
        if ((name == NULL) != (rows->name == NULL)
            || (name && strcmp (name, rows->name) != 0))
            fail_msg ("%s: '%s' instead of '%s'", rows->ip,
                      name ? name : "none", rows->name ? rows->name : "none");
    }
}

/*  One server alone: what each kind of answer comes to.  */
static void
test_answers (void **state)
{
    (void) state;
    static const row_t rows[] = {
        { "10.0.0.1", "printer.site.example" },
        { "10.0.0.2", NULL },
        { "10.0.0.3", NULL },
        { "10.0.0.4", NULL },
        { "10.0.0.5", NULL },
        { "10.0.0.6", "by-tcp.example" },
        { "10.0.0.7", "right-id.example" },
        { "10.0.0.8", "right-question.example" },
        { "10.0.0.9", "delegated.example" },
        { "10.0.0.10", "b.example" },
        { "10.0.0.11", "UPPER-Case.example" },
        { "10.0.0.12", NULL },
        { "10.0.0.14", "x.example" },
        { NULL, NULL },
    };
    uint16_t port = 0;
    server_t *server = s_start (FIRST, &port, MODE_ANSWER);
    sc_names_options_t options = { .port = port, .timeout = 500 };
    for (int round = 0; round < 2; round++) { /* 10.0.0.10 changes its order */
        sc_result_t result = { 0 };
        for (const row_t *row = rows; row->ip; row++)
            s_add (&result, row->ip);
        s_look_up (&result, s_servers, 1, &options, NULL, 0);
        s_check_rows (&result, rows);
        assert_int_equal (server->by_tcp, round + 1);
        sc_result_clear (&result);
    }
    s_stop (server);
}

static void
test_bad_answers (void **state)
{
    (void) state;
    uint16_t port = 0;
    server_t *server = s_start (FIRST, &port, MODE_ANSWER);
    sc_names_options_t options = { .port = port, .timeout = 500 };
    for (unsigned last = 40; last < 60; last++) { /* each with a good one */
        char ip[20];
        sc_result_t result = { 0 };
        (void) snprintf (ip, sizeof ip, "10.0.0.%u", last);
        s_add (&result, ip);
        s_add (&result, "10.0.0.1");
        s_look_up (&result, s_servers, 1, &options, NULL, 0);
        if (s_name (&result, ip))
            fail_msg ("%s is called '%s'", ip, s_name (&result, ip));
        assert_string_equal (s_name (&result, "10.0.0.1"),
                             "printer.site.example");
        sc_result_clear (&result);
    }
    s_stop (server);
}

/*  The second one is asked where the first is silent or has a fault, and not
    where it says that there is no name.  */
static void
test_failover (void **state)
{
    (void) state;
    static const row_t rows[] = {
        { "10.0.0.1", "printer.site.example" },
        { "10.0.0.2", NULL },
        { "10.0.0.3", "h3.example" },
        { "10.0.0.4", "h4.example" },
        { "10.0.0.5", "h5.example" },
        { "10.0.0.12", NULL },
        /* no fault of the server's: names that are not to be taken */
        { "10.0.0.40", NULL },
        { "10.0.0.52", NULL },
        { NULL, NULL },
    };
    uint16_t port = 0;
    server_t *first = s_start (FIRST, &port, MODE_ANSWER);
    server_t *second = s_start (SECOND, &port, MODE_NAME);
    sc_names_options_t options = { .port = port, .timeout = 500 };
    sc_result_t result = { 0 };
    char note[200];
    for (const row_t *row = rows; row->ip; row++)
        s_add (&result, row->ip);
    s_look_up (&result, s_servers, 2, &options, note, sizeof note);
    s_check_rows (&result, rows);
    assert_int_equal (second->asked, 3);
    assert_string_equal (note, "");
    sc_result_clear (&result);
    s_stop (first);
    s_stop (second);
}

/*  A lost packet is sent again.  */
static void
test_tries (void **state)
{
    (void) state;
    uint16_t port = 0;
    server_t *server = s_start (FIRST, &port, MODE_ODD);
    sc_names_options_t options = { .port = port, .timeout = 100, .tries = 3 };
    sc_result_t result = { 0 };
    s_add (&result, "10.0.0.2");
    int64_t took = s_look_up (&result, s_servers, 1, &options, NULL, 0);
    assert_null (result.hosts[0].name);
    assert_int_equal (server->asked, 3);
    assert_in_range (took, 250, 2000);
    server->mode = MODE_NAME;
    s_look_up (&result, s_servers, 1, &options, NULL, 0);
    assert_string_equal (result.hosts[0].name, "h2.example");
    assert_int_equal (server->asked, 4);
    sc_result_clear (&result);
    s_stop (server);
}

static void
test_short (void **state)
{
    (void) state;
    uint16_t port = 0;
    server_t *server = s_start (FIRST, &port, MODE_ANSWER);
    sc_names_options_t options
        = { .port = port, .timeout = 500, .form = SC_NAMES_SHORT };
    sc_result_t result = { 0 };
    s_add (&result, "10.0.0.1");
    s_add (&result, "10.0.0.11");
    s_look_up (&result, s_servers, 1, &options, NULL, 0);
    assert_string_equal (s_name (&result, "10.0.0.1"), "printer");
    assert_string_equal (s_name (&result, "10.0.0.11"), "UPPER-Case");
    sc_result_clear (&result);
    s_stop (server);
}

static void
test_ipv6 (void **state)
{
    (void) state;
    uint16_t port = 0;
    server_t *server = s_start ("::1", &port, MODE_NAME);
    if (!server)
        skip ();
    sc_names_options_t options = { .port = port, .timeout = 500 };
    sc_result_t result = { 0 };
    s_add (&result, "2001:db8:1:23::4567:89ab");
    s_look_up (&result, (const char *[]){ "::1" }, 1, &options, NULL, 0);
    assert_string_equal (server->last,
                         "b.a.9.8.7.6.5.4.0.0.0.0.0.0.0.0."
                         "3.2.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    assert_non_null (result.hosts[0].name);
    sc_result_clear (&result);
    s_stop (server);
}

/*  A name from elsewhere stays, and nobody is asked.  */
static void
test_named_already (void **state)
{
    (void) state;
    uint16_t port = 0;
    server_t *server = s_start (FIRST, &port, MODE_NAME);
    sc_names_options_t options = { .port = port };
    sc_result_t result = { 0 };
    s_look_up (&result, s_servers, 1, &options, NULL, 0); /* nobody at all */
    s_add (&result, "10.0.0.1");
    s_add (&result, "10.0.0.2");
    result.hosts[0].name = strdup ("known.example");
    s_look_up (&result, s_servers, 1, &options, NULL, 0);
    assert_string_equal (result.hosts[0].name, "known.example");
    assert_string_equal (result.hosts[1].name, "h2.example");
    assert_int_equal (server->asked, 1);
    sc_result_clear (&result);
    s_stop (server);
}

/*  300 hosts, each answer takes 100 ms.  */
static void
test_parallel (void **state)
{
    (void) state;
    uint16_t port = 0;
    server_t *server = s_start (FIRST, &port, MODE_NAME);
    server->delay = 100;
    sc_names_options_t options = { .port = port };
    sc_result_t result = { 0 };
    s_add_many (&result, 300);
    int64_t took = s_look_up (&result, s_servers, 1, &options, NULL, 0);
    assert_int_equal (s_named (&result), 300);
    assert_string_equal (s_name (&result, "10.0.2.43"), "h555.example");
    assert_in_range (took, 400, 4000);
    assert_in_range (server->held_most, 32, SC_NAMES_AT_ONCE);
    print_message ("# 300 names at 100 ms each: %lld ms\n", (long long) took);
    sc_result_clear (&result);
    s_stop (server);
}

/*  It costs one time-out, not one for each host.  */
static void
test_dead_server (void **state)
{
    (void) state;
    uint16_t port = 0;
    server_t *dead = s_start (FIRST, &port, MODE_SILENT);
    server_t *second = s_start (SECOND, &port, MODE_NAME);
    sc_names_options_t options = { .port = port, .timeout = 500 };
    sc_result_t result = { 0 };
    char note[200];
    s_add_many (&result, 300);
    int64_t took
        = s_look_up (&result, s_servers, 2, &options, note, sizeof note);
    assert_int_equal (s_named (&result), 300);
    assert_in_range (dead->asked, SC_NAMES_SILENT,
                     SC_NAMES_AT_ONCE + SC_NAMES_SILENT);
    assert_in_range (took, 490, 2500);
    assert_non_null (strstr (note, "the name server " FIRST " does"));
    print_message ("# 300 names behind a dead server: %lld ms\n",
                   (long long) took);
    sc_result_clear (&result);

    /* nobody at all: over after one time-out, too */
    second->mode = MODE_SILENT;
    s_add_many (&result, 300);
    took = s_look_up (&result, s_servers, 2, &options, note, sizeof note);
    assert_int_equal (s_named (&result), 0);
    assert_in_range (took, 490, 4000);
    sc_result_clear (&result);
    s_stop (dead);
    s_stop (second);

    /* nobody listens: that is known at once */
    s_add_many (&result, 300);
    took = s_look_up (&result, s_servers, 2, &options, note, sizeof note);
    assert_in_range (took, 0, 400);
    assert_string_not_equal (note, "");
    sc_result_clear (&result);
}

/*  It cannot say, but it is there: it is asked about every host.  */
static void
test_useless_server (void **state)
{
    (void) state;
    uint16_t port = 0;
    server_t *server = s_start (FIRST, &port, MODE_FAULT);
    sc_names_options_t options = { .port = port, .timeout = 5000 };
    sc_result_t result = { 0 };
    char note[200];
    s_add_many (&result, 100);
    int64_t took
        = s_look_up (&result, s_servers, 1, &options, note, sizeof note);
    assert_int_equal (server->asked, 100);
    assert_string_equal (note, "");
    assert_in_range (took, 0, 4500);
    sc_result_clear (&result);
    s_stop (server);
}

/*  A server that answers now and then is not given up.  */
static void
test_lossy_server (void **state)
{
    (void) state;
    uint16_t port = 0;
    server_t *server = s_start (FIRST, &port, MODE_ODD);
    sc_names_options_t options = { .port = port, .timeout = 150, .tries = 1 };
    sc_result_t result = { 0 };
    char note[200];
    s_add_many (&result, 300);
    s_look_up (&result, s_servers, 1, &options, note, sizeof note);
    assert_int_equal (s_named (&result), 150);
    assert_int_equal (server->asked, 300);
    assert_string_equal (note, "");
    sc_result_clear (&result);
    s_stop (server);
}

/*  What has come until then counts.  */
static void
test_deadline (void **state)
{
    (void) state;
    uint16_t port = 0;
    server_t *server = s_start (FIRST, &port, MODE_ODD);
    sc_names_options_t options
        = { .port = port, .timeout = 5000, .deadline = 600 };
    sc_result_t result = { 0 };
    char note[200];
    s_add_many (&result, 60);
    int64_t took
        = s_look_up (&result, s_servers, 1, &options, note, sizeof note);
    assert_int_equal (s_named (&result), 30);
    assert_in_range (took, 590, 1500);
    assert_string_equal (note, "not all names could be looked up in 1 s");
    sc_result_clear (&result);
    s_stop (server);
}

/*  At any time, with questions by UDP and TCP under way.  */
static void
test_destroy (void **state)
{
    (void) state;
    uint16_t port = 0;
    server_t *server = s_start (FIRST, &port, MODE_ANSWER);
    sc_names_options_t options = { .port = port };
    sh_addr_t addr = set_ip (FIRST);
    size_t before = s_count_fds ();
    for (int steps = 0; steps < 6; steps++) {
        sc_result_t result = { 0 };
        sc_names_t *names = NULL;
        sh_why_t why;
        s_add_many (&result, 6);
        s_add (&result, "10.0.0.5");
        s_add (&result, "10.0.0.6");
        assert_int_equal (sc_names_start (&names, &result, &addr, 1, &options,
                                          sh_clock_system (), &why),
                          SH_OK);
        for (int i = 0; i < steps; i++) {
            assert_false (sc_names_step (names));
            assert_true (s_count_fds () > before + 1);
            struct pollfd item
                = { .fd = sc_names_fd (names), .events = POLLIN };
            (void) poll (&item, 1, 20);
        }
        sc_names_destroy (&names);
        assert_null (names);
        sc_names_destroy (&names);
        /* the server's thread has one, too, for a moment */
        int64_t end = s_now () + 2000;
        while (s_count_fds () != before && s_now () < end)
            (void) usleep (1000);
        assert_int_equal (s_count_fds (), before);
        sc_result_clear (&result);
    }
    s_stop (server);
}

/*  The first name of 127.0.0.1 in the hosts file.  */
static bool
s_read_hosts (char *name, size_t room)
{
    char line[500];
    FILE *file = fopen ("/etc/hosts", "r");
    bool found = false;
    while (file && !found && fgets (line, sizeof line, file)) {
        char *rest = line;
        const char *ip = strtok_r (rest, " \t\n", &rest);
        const char *first = strtok_r (rest, " \t\n", &rest);
        found = ip && first && strcmp (ip, "127.0.0.1") == 0;
        if (found)
            (void) snprintf (name, room, "%s", first);
    }
    if (file)
        (void) fclose (file);
    return found;
}

/*  Without servers of the subnet's: the system's, as its file names them, and
    before these its hosts file.  */
static void
test_system (void **state)
{
    (void) state;
    uint16_t port = 0;
    server_t *dead = s_start (SECOND, &port, MODE_SILENT);
    server_t *server = s_start (FIRST, &port, MODE_NAME);
    char path[] = "/tmp/test_names.XXXXXX", first[300] = "";
    int fd = mkstemp (path);
    assert_true (fd >= 0);
    assert_true (dprintf (fd,
                          "nameserver " SECOND "\nnameserver " FIRST "\n"
                          "options rotate timeout:9\n")
                 > 0);
    sc_names_options_t options
        = { .timeout = 500, .resolv_conf = path, .port = port };
    sc_result_t result = { 0 };
    bool hosts = s_read_hosts (first, sizeof first);
    s_add_many (&result, 100);
    s_add (&result, "127.0.0.1");
    int64_t took = s_look_up (&result, NULL, 0, &options, NULL, 0);
    assert_in_range (s_named (&result), 100, 101);
    assert_string_equal (s_name (&result, "10.0.1.7"), "h263.example");
    assert_in_range (took, 290, 2000);
    if (hosts)
        assert_string_equal (s_name (&result, "127.0.0.1"), first);
    sc_result_clear (&result);

    /* a subnet's own servers: the hosts file does not count */
    s_add (&result, "127.0.0.1");
    options = (sc_names_options_t){ .timeout = 500, .port = port };
    s_look_up (&result, s_servers, 1, &options, NULL, 0);
    assert_string_equal (result.hosts[0].name, "h1.example");
    sc_result_clear (&result);
    assert_int_equal (close (fd), 0);
    assert_int_equal (unlink (path), 0);
    s_stop (dead);
    s_stop (server);
}

static void
test_generated (void **state)
{
    (void) state;
    static const struct
    {
        const char *ip, *name;
        bool generated;
    } table[] = {
        /* the old rule: hyphens, either order, anywhere */
        { "10.0.0.1", "ip-10-0-0-1.ec2.internal", true },
        { "10.0.0.1", "10-0-0-1.dyn.isp.example", true },
        { "10.0.0.1", "1-0-0-10.dyn.isp.example", true },
        { "10.0.0.1", "host.10-0-0-1.isp.example", true },
        { "10.0.0.1", "10-0-0-1", true },
        { "10.0.0.1", "10-0-0-15.isp.example", true },
        { "10.0.0.2", "10-0-0-1.isp.example", false },
        { "10.0.0.1", "10-0-1.isp.example", false },
        { "10.0.0.1", "printer.site.example", false },
        { "10.0.0.1", "node1.rack10.example", false },
        { "203.0.113.77", "cpe-203-0-113-77.isp.example", true },
        { "203.0.113.77", "77-113-0-203.pool.isp.example", true },
        /* beyond it */
        { "10.0.0.1", "1.0.0.10.in-addr.arpa", true },
        { "10.0.0.1", "10.0.0.1.static.isp.example", true },
        { "10.0.0.1", "10.0.0.15.static.isp.example", false },
        { "10.0.0.1", "110.0.0.1.static.isp.example", false },
        { "10.0.0.1", "dyn_10_0_0_1.isp.example", true },
        { "10.0.0.1", "host-010-000-000-001.isp.example", true },
        { "10.0.0.1", "010000000001.isp.example", true },
        { "10.0.0.1", "0100000000012.isp.example", false },
        { "10.0.0.1", "ip0a000001.isp.example", true },
        { "10.0.0.1", "IP0A000001.isp.example", true },
        { "10.0.0.1", "a0a000001.isp.example", false },
        { "10.0.0.1", "1001.example", false },
        { "10.0.0.1", "", false },
        /* IPv6 */
        { "2001:db8::1", "2001-db8--1.isp.example", true },
        { "2001:db8::1", "host-2001-db8-0-0-0-0-0-1.isp.example", true },
        { "2001:db8::1", "2001-0db8-0000-0000-0000-0000-0000-0001.x", true },
        { "2001:db8::1", "20010db8000000000000000000000001.x", true },
        { "2001:db8::1", "2001.db8.0.0.0.0.0.1.dyn.example", true },
        { "2001:db8::1", "2001-DB8--1.isp.example", true },
        { "2001:db8::1", "2001-db8--12.isp.example", false },
        { "2001:db8::1", "2001-db8--2.isp.example", false },
        { "2001:db8::1", "db8-1.example", false },
        { "2001:db8::1", "printer.site.example", false },
        { "2001:db8::1",
          "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
          "ip6.arpa",
          true },
        { "fd00:1:2:3:a:b:c:d", "fd00-1-2-3-a-b-c-d.lan", true },
        { "fd00:1:2:3:a:b:c:d", "fd00-1-2-3-a-b-c-e.lan", false },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sh_addr_t ip = set_ip (table[i].ip);
        if (sc_name_is_generated (table[i].name, &ip) != table[i].generated)
            fail_msg ("%s of %s", table[i].name, table[i].ip);
    }
}

int
main (void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_answers),
        cmocka_unit_test (test_bad_answers),
        cmocka_unit_test (test_failover),
        cmocka_unit_test (test_tries),
        cmocka_unit_test (test_short),
        cmocka_unit_test (test_ipv6),
        cmocka_unit_test (test_named_already),
        cmocka_unit_test (test_parallel),
        cmocka_unit_test (test_dead_server),
        cmocka_unit_test (test_useless_server),
        cmocka_unit_test (test_lossy_server),
        cmocka_unit_test (test_deadline),
        cmocka_unit_test (test_destroy),
        cmocka_unit_test (test_system),
        cmocka_unit_test (test_generated),
    };
    cmocka_set_message_output (CM_OUTPUT_TAP);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
