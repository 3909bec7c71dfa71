/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/ctl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/completion.h"
#include "lib/log.h"
#include "lib/wrap.h"

#define COLUMN 28    /* where the summaries begin */
#define NAME_MOST 32 /* of what is compared to find the nearest name */

static const ctl_command_t s_commands[] = {
    { "keygen", "FILE", "make a key pair: FILE (secret) and FILE.pub",
      ctl_keygen },
    { "hub rotate", "[--at TIME | --cancel]",
      "another key for the hub, announced beforehand", ctl_hub_rotate },
    { "scanner invite", "[--host HOST]", "show what a new site has to run",
      ctl_scanner_invite },
    { "scanner pending", "[--json]", "show unknown keys that knocked",
      ctl_scanner_pending },
    { "scanner approve",
      "FINGERPRINT NAME --code CODE [--shim | --legacy-http]",
      "let one of them in; several --code: a shim", ctl_scanner_approve },
    { "scanner reject", "FINGERPRINT", "forget one of them for a day",
      ctl_scanner_reject },
    { "scanner add",
      "NAME --code CODE (--public-key KEY | --cert FILE)\n"
      "              [--shim | --legacy-http]",
      "let a key in that has not knocked", ctl_scanner_add },
    { "scanner list", "[--json]", "show who may come in, and what is wrong",
      ctl_scanner_list },
    { "scanner show", "NAME", "all that is registered about one of them",
      ctl_scanner_show },
    { "scanner rotate", "NAME (FINGERPRINT | --public-key KEY)",
      "another key, from its first use on", ctl_scanner_rotate },
    { "scanner rename", "OLD NEW", "another name; its session goes on",
      ctl_scanner_rename },
    { "scanner export", "[FILE]", "the whole registry as one document",
      ctl_scanner_export },
    { "scanner import", "FILE [--dry-run] [--replace]",
      "take such a document over, all or nothing", ctl_scanner_import },
    { "scanner revoke", "NAME", "let a scanner in no longer",
      ctl_scanner_revoke },
    { "subnets", "[--agent NAME | --all | SUBNET ...]",
      "what is scanned, how, and why not", ctl_subnets },
    { "scan",
      "SUBNET [--kind discover|check|both] [--watch]\n"
      "       scanhubctl [--config FILE] scan --cancel SUBNET|ORDER [--watch]",
      "have a subnet scanned now", ctl_scan },
    { "orders", "", "show scans that were ordered", ctl_orders },
    { "pause", "SUBNET|AGENT [--until TIME]",
      "leave a subnet, or all of an agent, alone", ctl_pause },
    { "resume", "SUBNET|AGENT", "the end of a pause", ctl_resume },
    { "reports",
      "[--scanner NAME] [--subnet SUBNET] [--since SPAN]\n"
      "              [--limit N] [--json]",
      "what came in, and what came of it", ctl_reports },
    { "refusals",
      "[--scanner NAME] [--subnet SUBNET] [--since SPAN]\n"
      "              [--json]",
      "what was refused or put off, and what to do", ctl_refusals },
    { "why", "ADDRESS [--json]", "which reports wrote this row",
      ctl_why },
    { "undo", "REPORT --sql", "the SQL that takes a report back", ctl_undo },
    { "digest", "[--since SPAN] [--json]",
      "new, gone, silent: for a mail from cron", ctl_digest },
    { "preview list", "[--subnet SUBNET] [--json]",
      "show what is held and not written", ctl_preview_list },
    { "preview show", "N [--json]", "show what one of them would change",
      ctl_preview_show },
    { "preview apply", "(N ... | --subnet SUBNET | --all) [--json]",
      "write it after all", ctl_preview_apply },
    { "preview drop", "(N ... | --subnet SUBNET | --all)",
      "forget it", ctl_preview_drop },
    { "reload", "", "make the hub read its configuration again", ctl_reload },
    { "doctor", "[--json] [--digest DIGEST ...]",
      "is all in order, and if not, what is to be done",
      ctl_doctor },
    { "ping", "[--wait SECONDS]", "is the hub ready?", ctl_ping },
    { "status", "[--json] [--all] [--watch [SECONDS]]",
      "is it working, and if not, why?", ctl_status },
    { 0 },
};

/*  Commands of two words are one line of the whole help, so that it fits a
    screen; 'scanhubctl WORD --help' has theirs.  */
static const struct
{
    const char *word, *summary;
} s_groups[] = {
    { "hub", "the hub's own key: rotate" },
    { "scanner", "who may come in: invite, approve, list, revoke ..." },
    { "preview", "what the hub holds: list, show, apply, drop" },
    { NULL, NULL },
};

static void SH_PRINTF (2, 0)
s_message (const char *kind, const char *format, va_list args)
{
    char text[1024];
    char shown[sizeof text * 2];
    char line[sizeof shown + 32];
    vsnprintf (text, sizeof text, format, args);
    sh_escape (shown, sizeof shown, text);
    snprintf (line, sizeof line, "scanhubctl: %s%s", kind, shown);
    fflush (stdout); /* keeps the order where both go to one place */
    sh_wrap_terminal (stderr, line);
}

int
ctl_fail (int status, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_message ("", format, args);
    va_end (args);
    return status;
}

void
ctl_warn (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_message ("warning: ", format, args);
    va_end (args);
}

int
ctl_fail_err (sh_err_t err, const sh_why_t *why)
{
    assert (why);
    int status = EX_SOFTWARE;
    switch (err) {
    case SH_E_CONFIG:
        status = EX_CONFIG;
        break;
    case SH_E_MODE:
        status = EX_NOPERM;
        break;
    case SH_E_NOT_FOUND:
        status = EX_NOINPUT;
        break;
    case SH_E_EXISTS:
        status = EX_CANTCREAT;
        break;
    case SH_E_SYNTAX:
    case SH_E_TOO_LARGE:
        status = EX_DATAERR;
        break;
    case SH_E_IO:
        status = EX_IOERR;
        break;
    case SH_E_MEMORY:
        status = EX_OSERR;
        break;
    case SH_E_TIMEOUT:
        status = EX_TEMPFAIL;
        break;
    default:
        break;
    }
    return ctl_fail (status, "%s", why->text);
}

static int
s_config (ctl_t *self, const char *solace)
{
    sh_why_t why;
    if (self->config)
        return 0;
    sh_err_t rc = hub_config_peek (&self->config, self->config_path, &why);
    if (rc == SH_E_NOT_FOUND)
        return ctl_fail (EX_CONFIG, "%s", why.text);
    if (rc == SH_OK)
        return 0;
    /*  Who may not read it is not who is to mend it.  */
    if (rc == SH_E_IO && faccessat (AT_FDCWD, self->config_path, R_OK,
                                    AT_EACCESS) != 0
        && errno == EACCES)
        return ctl_fail (EX_NOPERM, "%s%s", why.text, solace);
    sh_why_t all = why;
    size_t used = strlen (all.text);
    snprintf (all.text + used, sizeof all.text - used, "%s", solace);
    return ctl_fail_err (rc, &all);
}

int
ctl_config (ctl_t *self)
{
    return s_config (self, "");
}

int
ctl_config_of_reload (ctl_t *self)
{
    return s_config (self, "; the running hub goes on with what it had");
}

static void
s_print_line (FILE *to, const char *name, const char *args,
              const char *summary)
{
    int width = fprintf (to, "  %s%s%s", name, *args ? " " : "", args);
    fprintf (to, "%*s%s\n", COLUMN - width, "", summary);
}

/*  On one line each, so that all of it fits a terminal: what is longer is in
    the command's own help.  */
static void
s_print_command (FILE *to, const ctl_command_t *command)
{
    size_t size = strlen (command->name) + strlen (command->args) + 1;
    s_print_line (to, command->name,
                  size <= COLUMN - 4 ? command->args : "...",
                  command->summary);
}

/*  Does the command's name begin with this word and a second one?  */
static bool
s_is_of (const ctl_command_t *command, const char *word)
{
    size_t size = strlen (word);
    return strncmp (command->name, word, size) == 0
           && command->name[size] == ' ';
}

/*  True if the command was printed with, or goes with, its group.  */
static bool
s_print_group (FILE *to, const ctl_command_t *command)
{
    for (size_t i = 0; s_groups[i].word; i++) {
        if (!s_is_of (command, s_groups[i].word))
            continue;
        if (command == s_commands
            || !s_is_of (command - 1, s_groups[i].word))
            s_print_line (to, s_groups[i].word, "COMMAND",
                          s_groups[i].summary);
        return true;
    }
    return false;
}

void
ctl_usage (FILE *to, const char *config_path)
{
    fputs ("usage: scanhubctl [--config FILE] COMMAND [ARGUMENTS]\n\n", to);
    for (const ctl_command_t *command = s_commands; command->name; command++)
        if (!s_print_group (to, command))
            s_print_command (to, command);
    fprintf (to,
             "\nFILE: scanhubd's configuration (%s)\n"
             "More: scanhubctl COMMAND --help, scanhubctl --version, man "
             "scanhubctl\n",
             config_path);
}

void
ctl_usage_command (FILE *to, const ctl_command_t *command)
{
    const char *gap = command->args[0] ? " " : "";
    if (strlen (command->name) + strlen (command->args) > 44)
        gap = "\n           "; /* to stay within 80 columns */
    fprintf (to, "usage: scanhubctl [--config FILE] %s%s%s\n    %s\n",
             command->name, gap, command->args, command->summary);
}

int
ctl_completion (const char *shell)
{
    enum { COUNT = sizeof s_commands / sizeof *s_commands - 1 };
    sh_completion_command_t commands[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        commands[i] = (sh_completion_command_t){ s_commands[i].name,
                                                 s_commands[i].args,
                                                 s_commands[i].summary };
    const sh_completion_t all = { "scanhubctl",
                                  "[--config FILE] [--version]", commands,
                                  COUNT };
    if (sh_completion_print (stdout, &all, shell))
        return 0;
    return ctl_fail (EX_USAGE, "there is completion for bash and zsh only");
}

int
ctl_misused (const ctl_t *self)
{
    ctl_usage_command (stderr, self->command);
    return EX_USAGE;
}

int
ctl_miscounted (const ctl_t *self, int argc, char **argv, int words)
{
    if (argc - optind > words)
        ctl_fail (0, "'%s' is one word too many", argv[optind + words]);
    else
        ctl_fail (0, "a word is missing");
    return ctl_misused (self);
}

void
ctl_say (const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    sh_wrap_terminal (stdout, text);
}

/*  How many of argv's words are the command's name; 0: it is another one.  */
static int
s_match (const ctl_command_t *command, int argc, char **argv)
{
    const char *name = command->name;
    for (int words = 0; words < argc;) {
        size_t size = strcspn (name, " ");
        const char *word = argv[words++];
        if (strlen (word) != size || strncmp (word, name, size) != 0)
            return 0;
        if (name[size] == '\0')
            return words;
        name += size + 1;
    }
    return 0;
}

static size_t
s_least (size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/*  How many letters must be put in, taken out or changed to make one text the
    other.  */
static size_t
s_distance (const char *a, const char *b)
{
    size_t row[NAME_MOST + 1];
    size_t size = strlen (b);
    assert (size <= NAME_MOST);
    for (size_t i = 0; i <= size; i++)
        row[i] = i;
    for (size_t at = 0; a[at]; at++) {
        size_t diagonal = row[0];
        row[0] = at + 1;
        for (size_t i = 1; i <= size; i++) {
            size_t above = row[i];
            row[i] = s_least (above + 1, row[i - 1] + 1,
                              diagonal + (a[at] != b[i - 1]));
            diagonal = above;
        }
    }
    return row[size];
}

/*  The command whose name is nearest to 'given', if one is near at all.  */
static const ctl_command_t *
s_nearest (const char *given)
{
    const ctl_command_t *nearest = NULL;
    size_t least = 4;
    for (const ctl_command_t *it = s_commands; it->name; it++) {
        size_t distance = s_distance (given, it->name);
        if (distance < least && distance < strlen (it->name)) {
            nearest = it;
            least = distance;
        }
    }
    return nearest;
}

/*  Is 'word' the first of two of some command's name?  */
static bool
s_is_first_word (const char *word)
{
    for (const ctl_command_t *it = s_commands; it->name; it++)
        if (s_is_of (it, word))
            return true;
    return false;
}

bool
ctl_command_help (int argc, char **argv)
{
    assert (argc > 0 && argv);
    if (argc != 2 || !s_is_first_word (argv[0])
        || (strcmp (argv[1], "--help") != 0 && strcmp (argv[1], "-h") != 0))
        return false;
    printf ("usage: scanhubctl [--config FILE] %s COMMAND [ARGUMENTS]\n\n",
            argv[0]);
    for (const ctl_command_t *it = s_commands; it->name; it++)
        if (s_is_of (it, argv[0]))
            s_print_command (stdout, it);
    printf ("\nMore: scanhubctl %s COMMAND --help\n", argv[0]);
    return true;
}

const ctl_command_t *
ctl_command_find (int argc, char **argv, int *words)
{
    assert (argc > 0 && argv && words);
    for (const ctl_command_t *it = s_commands; it->name; it++) {
        *words = s_match (it, argc, argv);
        if (*words > 0)
            return it;
    }
    if (argc == 1 && s_is_first_word (argv[0])) {
        ctl_fail (0, "'%s' needs a second word; see scanhubctl %s --help",
                  argv[0], argv[0]);
        return NULL;
    }

    char given[256];
    const ctl_command_t *nearest = NULL;
    if (argc > 1) {
        snprintf (given, sizeof given, "%s %s", argv[0], argv[1]);
        nearest = s_nearest (given);
    }
    if (!nearest && !s_is_first_word (argv[0])) {
        snprintf (given, sizeof given, "%s", argv[0]);
        nearest = s_nearest (given);
    }
    if (nearest)
        ctl_fail (0, "there is no command '%s'; did you mean '%s'?", given,
                  nearest->name);
    else
        ctl_fail (0, "there is no command '%s'; see scanhubctl --help", given);
    return NULL;
}
