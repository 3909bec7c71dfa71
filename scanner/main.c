/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhub-scanner: options, subcommands, and what has to be in order before
    anything else runs.  */

#ifdef HAVE_CONFIG_H
#include "build-config.h"
#endif

#include <czmq.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "build-config.h"
#include "lib/completion.h"
#include "lib/keyfile.h"
#include "lib/secret.h"
#include "lib/signals.h"
#include "lib/wrap.h"
#include "lib/yaml.h"
#include "scanner-proto/codec.h"
#include "scanner-proto/spool.h"
#include "scanner/adhoc.h"
#include "scanner/doctor.h"
#include "scanner/join.h"
#include "scanner/link.h"
#include "scanner/nmap_xml.h"
#include "scanner/resolver.h"
#include "scanner/run.h"

#define PROGRAM "scanhub-scanner"
#define DEFAULT_CONFIG SYSCONFDIR "/scanhub/scanner.yaml"
#define WAIT_DEFAULT 20
#define JOIN_WAIT_DEFAULT 300
#define WAIT_MOST 86400

typedef struct
{
    const char *config_path; /* NULL: the default, which may be missing where
                                the command can do without */
    uint32_t wait;
    bool check; /* -t */
    char used[16]; /* letters of the options that were given */
    bool waits; /* --wait was given */
    /*  Of 'join'.  */
    const char *name, *from;
    /*  Of 'probe' and of 'join': their word.  */
    const char *word;
    /*  Of 'probe'.  */
    const char *engine;
    bool json, names, all;
    uint32_t rate;
} options_t;

typedef struct
{
    const char *name;
    int (*function) (const options_t *options, sc_config_t *config);
    const char *description;
    const char *letters; /* the options that it has */
    const char *wants; /* the word that it takes, for the message when there is
                          none; NULL: it takes none */
    bool free; /* it can do without a configuration file */
} command_t;

static void
s_complain (const char *text, const char *more)
{
    char line[sizeof (sh_why_t) + 256];
    (void) snprintf (line, sizeof line, PROGRAM ": %s%s", text, more);
    sh_wrap_terminal (stderr, line);
}

static int
s_misuse (const char *text, const char *word)
{
    char more[256];
    (void) snprintf (more, sizeof more, "%s%s; see --help", *word ? ": " : "",
                     word);
    s_complain (text, more);
    return EX_USAGE;
}

static int
s_once (const options_t *options, sc_config_t *config)
{
    sc_run_options_t run = { .config = config,
                             .version = PROGRAM " " PACKAGE_VERSION,
                             .once = true,
                             .wait = options->wait,
                             .clock = sh_clock_system () };
    return sc_run (&run);
}

static int
s_run (const options_t *options, sc_config_t *config)
{
    (void) options;
    sc_run_options_t run = { .config = config,
                             .version = PROGRAM " " PACKAGE_VERSION,
                             .clock = sh_clock_system () };
    return sc_run (&run);
}

static int
s_status (const options_t *options, sc_config_t *config)
{
    (void) options;
    return sc_run_status (config);
}

static int
s_probe (const options_t *options, sc_config_t *config)
{
    if (options->engine) {
        config->engine = sc_config_engine_index (options->engine);
        if (config->engine < 0)
            return s_misuse ("no such engine", options->engine);
    }
    const sc_adhoc_t adhoc = {
        .config = config,
        .cidr = options->word,
        .json = options->json,
        .names = options->names,
        .rate = options->rate,
        .neighbours = options->all ? SC_NEIGHBOURS_ALL : SC_NEIGHBOURS_STABLE,
        .clock = sh_clock_system (),
    };
    return sc_adhoc_run (&adhoc);
}

/*  The configuration is what it makes; 'config' is NULL.  */
static int
s_join (const options_t *options, sc_config_t *config)
{
    (void) config;
    const sc_join_t join = {
        .config_path
        = options->config_path ? options->config_path : DEFAULT_CONFIG,
        .invitation = options->word,
        .name = options->name,
        .from = options->from,
        .wait = options->waits ? options->wait : JOIN_WAIT_DEFAULT,
        .clock = sh_clock_system (),
    };
    return sc_join (&join);
}

static int
s_rotate (const options_t *options, sc_config_t *config)
{
    return sc_rotate (config, options->waits ? options->wait : 0,
                      sh_clock_system ());
}

/*  It reads the configuration itself, to say what is wrong with it; 'config' is
    NULL.  */
static int
s_doctor (const options_t *options, sc_config_t *config)
{
    (void) config;
    const sc_doctor_options_t doctor = {
        .config_path
        = options->config_path ? options->config_path : DEFAULT_CONFIG,
        .json = options->json,
        .root = "",
        .clock = sh_clock_system (),
    };
    return sc_doctor (&doctor);
}

/*  For comparison with what 'scanhubctl scanner list' shows on the hub.  */
static void
s_print_fingerprint (const sc_config_t *config)
{
    sh_keyfile_t *key = NULL;
    char fingerprint[SH_FINGERPRINT_TEXT];
    if (sh_keyfile_load (&key, config->key, true, NULL) != SH_OK)
        return; /* it was there a moment ago */
    sh_key_fingerprint (fingerprint, key->public_key);
    (void) printf ("public-key: %s\nfingerprint: %s\n", key->public_key,
                   fingerprint);
    sh_keyfile_destroy (&key);
}

/*  Everything that can be wrong without a hub.  */
static int
s_check (const options_t *options, sc_config_t *config)
{
    (void) options;
    const void *settings;
    const sc_engine_t *engine = sc_config_engine (config, &settings);
    sc_tell_t tell = { .once = true };
    sc_link_t *link = NULL;
    sh_why_t why = { 0 };
    sh_err_t rc = engine->check (settings, &why);
    if (rc != SH_OK)
        sc_tell_trouble (&tell, NULL, rc, why.text);
    else if (why.text[0])
        sc_tell_note (&tell, NULL, why.text);
    sh_err_t key = sc_link_new (&link, config, PROGRAM " " PACKAGE_VERSION,
                                &tell, sh_clock_system (), &why);
    sc_link_destroy (&link);
    if (key != SH_OK) {
        sc_tell_trouble (&tell, NULL, key, why.text);
        return EX_CONFIG;
    }
    s_print_fingerprint (config);
    if (rc == SH_OK)
        (void) printf ("%s is in order\n", config->path);
    return tell.exit_status;
}

static const command_t s_commands[] = {
    { "join", s_join, "make a key and the configuration, knock at the hub",
      "cwNF", "which hub? Copy the line of scanhubctl scanner invite", true },
    { "rotate", s_rotate, "make the next key and knock at the hub with it",
      "cw", NULL, false },
    { "once", s_once, "scan every assigned subnet once, say what came of it",
      "cw", NULL, false },
    { "run", s_run, "scan again and again, log to standard error", "c", NULL,
      false },
    { "status", s_status, "how is the service that runs here?", "c", NULL,
      false },
    { "doctor", s_doctor, "is all in order here, and what is to be done?",
      "cj", NULL, true },
    { "probe", s_probe, "without a hub: show who answers in a network",
      "cjnrea", "which network? Such as: 10.0.0.0/24", true },
    { "check-config", s_check, "check configuration, key and engine", "ct",
      NULL, false },
    { NULL, NULL, NULL, NULL, NULL, false }
};

static void
s_usage (FILE *stream)
{
    (void) fputs ("usage: " PROGRAM " [OPTION]... COMMAND [INVITATION | NETWORK]\n"
                  "\n",
                  stream);
    for (const command_t *command = s_commands; command->name; command++)
        (void) fprintf (stream, "  %-14s%s\n", command->name,
                        command->description);
    (void) fprintf (stream,
                    "\n"
                    "  -c, --config FILE  configuration (%s)\n"
                    "  -w, --wait SECONDS how long 'once' waits for the hub "
                    "(%d), 'join' (%d) and\n"
                    "                     'rotate' (0) for its approval\n"
                    "      --name NAME    'join' proposes this name\n"
                    "      --from FILE    'join' takes over an old agent's "
                    "name and code\n"
                    "  -j, --json         'probe' and 'doctor' print JSON\n"
                    "  -n, --names        'probe' looks up names\n"
                    "  -r, --rate N       'probe' sends N probes a second\n"
                    "  -e, --engine NAME  'probe' uses this engine\n"
                    "  -a, --all          'probe' shows temporary IPv6 "
                    "addresses, too\n"
                    "  -t                 the same as check-config; -h, "
                    "--help; -V, --version\n"
                    "See " PROGRAM "(8).\n",
                    DEFAULT_CONFIG, WAIT_DEFAULT, JOIN_WAIT_DEFAULT);
}

static void
s_version (void)
{
    int major, minor, patch;
    zmq_version (&major, &minor, &patch);
    (void) printf (PROGRAM " " PACKAGE_VERSION "\n"
                           "libzmq %d.%d.%d, CZMQ %d.%d.%d, libsodium %s, "
                           "%s, %s\n%s, %s, %s, %s\n",
                   major, minor, patch, CZMQ_VERSION_MAJOR, CZMQ_VERSION_MINOR,
                   CZMQ_VERSION_PATCH, sodium_version_string (),
                   sp_codec_library (), sp_spool_library (),
                   sc_resolver_library (), sh_yaml_library (),
                   sc_nmap_xml_library (), sc_adhoc_library ());
}

static bool
s_number (uint32_t *out, const char *text, unsigned long most)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul (text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value > most)
        return false;
    *out = (uint32_t) value;
    return true;
}

/*  One option; true if there is nothing more to do, but to exit with
    'status'.  */
static bool
s_option (options_t *options, int letter, char **argv, int *status)
{
    switch (letter) {
    case 'c':
        options->config_path = optarg;
        return false;
    case 'w':
        options->waits = true;
        if (s_number (&options->wait, optarg, WAIT_MOST))
            return false;
        *status = s_misuse ("not a number of seconds", optarg);
        return true;
    case 'N':
        options->name = optarg;
        return false;
    case 'F':
        options->from = optarg;
        return false;
    case 't':
        options->check = true;
        return false;
    case 'j':
        options->json = true;
        return false;
    case 'n':
        options->names = true;
        return false;
    case 'a':
        options->all = true;
        return false;
    case 'e':
        options->engine = optarg;
        return false;
    case 'r':
        if (s_number (&options->rate, optarg, SP_RATE_MOST) && options->rate)
            return false;
        *status = s_misuse ("not a number of probes per second", optarg);
        return true;
    case 'V':
        s_version ();
        break;
    case 'h':
        s_usage (stdout);
        break;
    case ':':
        *status = s_misuse ("this option needs a value", argv[optind - 1]);
        return true;
    default:
        *status = s_misuse ("no such option", argv[optind - 1]);
        return true;
    }
    *status = EX_OK;
    return true;
}

static const struct option s_options[]
    = { { "config", required_argument, NULL, 'c' },
        { "wait", required_argument, NULL, 'w' },
        { "name", required_argument, NULL, 'N' },
        { "from", required_argument, NULL, 'F' },
        { "json", no_argument, NULL, 'j' },
        { "names", no_argument, NULL, 'n' },
        { "rate", required_argument, NULL, 'r' },
        { "engine", required_argument, NULL, 'e' },
        { "all", no_argument, NULL, 'a' },
        { "version", no_argument, NULL, 'V' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 } };

/*  The options of a command, as a help would show them.  */
static void
s_describe (char *out, size_t size, const char *letters)
{
    size_t used = 0;
    *out = '\0';
    for (const struct option *one = s_options; one->name; one++)
        if (strchr (letters, one->val) && used < size)
            used += (size_t) snprintf (
                out + used, size - used, "[--%s%s] ", one->name,
                !one->has_arg ? ""
                : strchr ("cF", one->val) ? " FILE"
                                          : " VALUE");
}

/*  Made from the tables above; "make" asks for it.  */
static int
s_completion (const char *shell)
{
    enum { COUNT = sizeof s_commands / sizeof *s_commands - 1 };
    sh_completion_command_t commands[COUNT];
    char args[COUNT][160], own[160];
    s_describe (own, sizeof own, "cV");
    for (size_t i = 0; i < COUNT; i++) {
        s_describe (args[i], sizeof args[i], s_commands[i].letters);
        commands[i] = (sh_completion_command_t){
            s_commands[i].name, args[i], s_commands[i].description
        };
    }
    const sh_completion_t all = { PROGRAM, own, commands, COUNT };
    return sh_completion_print (stdout, &all, shell)
               ? EX_OK : s_misuse ("completion is for bash and zsh", "");
}

static const command_t *
s_find (const char *name)
{
    for (const command_t *command = s_commands; command->name; command++) {
        if (strcmp (command->name, name) == 0)
            return command;
    }
    return NULL;
}

/*  The command to run, or NULL with an exit status.  */
static const command_t *
s_parse (options_t *options, int argc, char **argv, int *status)
{
    int letter;
    opterr = 0;
    while ((letter = getopt_long (argc, argv, ":c:w:tjnar:e:Vh", s_options, NULL))
           != -1) {
        if (s_option (options, letter, argv, status))
            return NULL;
        size_t used = strlen (options->used);
        if (used + 1 < sizeof options->used)
            options->used[used] = (char) letter;
    }
    const char *name = options->check ? "check-config" : NULL;
    if (!name && optind < argc)
        name = argv[optind++];
    if (!name) {
        *status = s_misuse ("no command", "");
        return NULL;
    }
    if (strcmp (name, "completion") == 0) {
        *status = s_completion (optind < argc ? argv[optind] : "");
        return NULL;
    }
    const command_t *command = s_find (name);
    if (!command) {
        *status = s_misuse ("no such command", name);
        return NULL;
    }
    size_t fit = strspn (options->used, command->letters);
    if (options->used[fit]) {
        char word[] = { '-', options->used[fit], '\0' };
        *status = s_misuse ("this option goes with another command", word);
        return NULL;
    }
    if (command->wants && optind == argc) {
        *status = s_misuse (command->wants, "");
        return NULL;
    }
    if (command->wants)
        options->word = argv[optind++];
    if (optind < argc) {
        *status = s_misuse ("too many words", argv[optind]);
        return NULL;
    }
    return command;
}

/*  A service manager may leave 0, 1 or 2 closed; a socket that lands there
    would be mistaken for standard output.  */
static bool
s_fill_standard_files (void)
{
    int fd;
    do
        fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd < 3);
    if (fd >= 3)
        (void) close (fd);
    return fd >= 3;
}

/*  Before any thread: no core dumps, and signals that come to us alone.  */
static sh_err_t
s_prepare (sh_why_t *why)
{
    sh_err_t rc = sh_secret_harden (why);
    if (rc == SH_OK && !s_fill_standard_files ())
        rc = sh_fail (why, SH_E_IO, "/dev/null: %s", strerror (errno));
    if (rc == SH_OK && signal (SIGPIPE, SIG_IGN) == SIG_ERR)
        rc = sh_fail (why, SH_E_INTERNAL, "signal: %s", strerror (errno));
    if (rc == SH_OK)
        sh_signals_block ();
    zsys_handler_set (NULL); /* CZMQ would take SIGINT and SIGTERM */
    return rc;
}

/*  Where no file was named, one that is not there is missed only by commands
    that need a hub.  */
static sh_err_t
s_load (sc_config_t **out, const options_t *options, const command_t *command,
        sh_why_t *why)
{
    const char *path
        = options->config_path ? options->config_path : DEFAULT_CONFIG;
    if (command->function == s_join || command->function == s_doctor)
        return SH_OK; /* it is what makes it, or judges it */
    sh_err_t rc = sc_config_load (out, path, why);
    if (rc == SH_E_NOT_FOUND && !options->config_path && command->free)
        rc = sc_config_default (out);
    return rc;
}

/*  What was printed is of use only if it got where it should.  */
static int
s_flush (int status)
{
    if (fflush (stdout) == 0 && !ferror (stdout))
        return status;
    (void) fprintf (stderr, PROGRAM ": cannot write the output: %s\n",
                    strerror (errno));
    return EX_IOERR;
}

int
main (int argc, char **argv)
{
    options_t options = { .wait = WAIT_DEFAULT };
    int status = EX_OK;
    const command_t *command = s_parse (&options, argc, argv, &status);
    if (!command)
        return s_flush (status);

    sh_why_t why = { 0 };
    sc_config_t *config = NULL;
    sh_err_t rc = s_prepare (&why);
    if (rc == SH_OK)
        rc = s_load (&config, &options, command, &why);
    if (rc == SH_OK) {
        if (config)
            sh_log_set_level ((sh_level_t) config->log_level);
        status = command->function (&options, config);
    } else {
        s_complain (*why.text ? why.text : sh_err_text (rc),
                    rc == SH_E_NOT_FOUND
                        ? "; make it: scanhub-scanner join, or copy "
                          "scanner.yaml.example there"
                        : "");
        status = rc == SH_E_NOT_FOUND ? EX_CONFIG : sc_exit_status (rc);
    }
    sc_config_destroy (&config);
    zsys_shutdown ();
    return s_flush (status);
}
