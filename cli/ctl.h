/* SPDX-License-Identifier: MPL-2.0 */
/*  What scanhubctl's commands share.  A command gets its own words as argc and
    argv (argv[0] is its whole name, for getopt's messages) and returns the
    exit status: 0, 1, or one of sysexits.h.  */

#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "hub/config.h"
#include "lib/err.h"

typedef struct ctl_command ctl_command_t;

typedef struct
{
    const char *config_path;
    hub_config_t *config; /* NULL until ctl_config */
    const ctl_command_t *command;
} ctl_t;

struct ctl_command
{
    const char *name; /* one word or two */
    const char *args;
    const char *summary;
    int (*run) (ctl_t *self, int argc, char **argv);
};

/*  Find the command that argv begins with; '*words' is how many of them are
    its name.  NULL: a message is printed.  */
const ctl_command_t *ctl_command_find (int argc, char **argv, int *words);

/*  Is it the first of two words, and --help?  Then the commands that begin with
    it are printed.  */
bool ctl_command_help (int argc, char **argv);

/*  Print how to call everything; how to call one command.  */
void ctl_usage (FILE *to, const char *config_path);
void ctl_usage_command (FILE *to, const ctl_command_t *command);

/*  Print the completion for a shell, made from the same table.  */
int ctl_completion (const char *shell);

/*  For a wrong call: print the command's usage on stderr; EX_USAGE.  */
int ctl_misused (const ctl_t *self);

/*  The same where so many words are wanted from argv[optind] on, and others are
    there: it says which is too many.  */
int ctl_miscounted (const ctl_t *self, int argc, char **argv, int words);

/*  Print a line on stdout; wrapped if that is a terminal.  */
void ctl_say (const char *format, ...) SH_PRINTF (1, 2);

/*  Print "scanhubctl: text" on stderr, escaped, and return 'status'.  */
int ctl_fail (int status, const char *format, ...) SH_PRINTF (2, 3);

/*  The same for an error of ours, with the status that fits it.  */
int ctl_fail_err (sh_err_t err, const sh_why_t *why);

/*  Print "scanhubctl: warning: text" on stderr.  */
void ctl_warn (const char *format, ...) SH_PRINTF (1, 2);

/*  Load the configuration if it is not yet; 0 or the status, with a message
    printed.  */
int ctl_config (ctl_t *self);

/*  The same for 'reload': the hub that runs does not need that file until it
    can be read again, and the message says so.  */
int ctl_config_of_reload (ctl_t *self);

int ctl_keygen (ctl_t *self, int argc, char **argv);
int ctl_scanner_add (ctl_t *self, int argc, char **argv);
int ctl_hub_rotate (ctl_t *self, int argc, char **argv);
int ctl_scanner_export (ctl_t *self, int argc, char **argv);
int ctl_scanner_import (ctl_t *self, int argc, char **argv);
int ctl_scanner_show (ctl_t *self, int argc, char **argv);
int ctl_scanner_rotate (ctl_t *self, int argc, char **argv);
int ctl_scanner_rename (ctl_t *self, int argc, char **argv);
int ctl_scanner_list (ctl_t *self, int argc, char **argv);
int ctl_scanner_approve (ctl_t *self, int argc, char **argv);
int ctl_scanner_invite (ctl_t *self, int argc, char **argv);
int ctl_scanner_pending (ctl_t *self, int argc, char **argv);
int ctl_scanner_reject (ctl_t *self, int argc, char **argv);
int ctl_scanner_revoke (ctl_t *self, int argc, char **argv);
int ctl_reload (ctl_t *self, int argc, char **argv);
int ctl_ping (ctl_t *self, int argc, char **argv);
int ctl_status (ctl_t *self, int argc, char **argv);
int ctl_doctor (ctl_t *self, int argc, char **argv);
int ctl_subnets (ctl_t *self, int argc, char **argv);
int ctl_scan (ctl_t *self, int argc, char **argv);
int ctl_orders (ctl_t *self, int argc, char **argv);
int ctl_preview_list (ctl_t *self, int argc, char **argv);
int ctl_preview_show (ctl_t *self, int argc, char **argv);
int ctl_preview_apply (ctl_t *self, int argc, char **argv);
int ctl_preview_drop (ctl_t *self, int argc, char **argv);
int ctl_pause (ctl_t *self, int argc, char **argv);
int ctl_resume (ctl_t *self, int argc, char **argv);
int ctl_reports (ctl_t *self, int argc, char **argv);
int ctl_refusals (ctl_t *self, int argc, char **argv);
int ctl_why (ctl_t *self, int argc, char **argv);
int ctl_undo (ctl_t *self, int argc, char **argv);
int ctl_digest (ctl_t *self, int argc, char **argv);

/*  Ask the running hub; '*answer' is malloc'ed and begins with "ok".  0, or the
    status with a message printed.  */
int ctl_ask (ctl_t *self, const char *request, char **answer);

/*  The same for requests that are answered by a JSON document; '*out' is the
    caller's.  */
int ctl_ask_json (ctl_t *self, const char *request, json_t **out);

/*  Say that the hub's answer is none that this version knows; the status.  */
int ctl_not_understood (void);

/*  Print a document for programs, with an end of line; 0, or the status.  */
int ctl_print_json (const json_t *document);

/*  Options of a command that has none but --help and, unless 'json' is NULL,
    --json, and takes so many words.  -1: go on; they begin at argv[optind].  */
int ctl_words (const ctl_t *self, int argc, char **argv, int words,
               bool *json);

/*  Tell whether a key that was just added (or, with 'gone', removed) is now in
    force in the running hub, and which hub that is.  That the hub is not
    running is no error.  */
void ctl_tell_force (const ctl_t *self, const char *key, bool gone);

/*  Tell which scan agent of phpIPAM has this code, by the running hub; nothing
    if it is not running or has not read phpIPAM.  */
void ctl_tell_code (const ctl_t *self, const char *code);

#endif
