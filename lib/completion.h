/* SPDX-License-Identifier: MPL-2.0 */
/*  Completion for bash and zsh, made from the tables that a program's --help
    is printed from, so that neither knows what the other does not.  */

#ifndef SH_COMPLETION_H
#define SH_COMPLETION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*  A command: 'name' is one word or two.  In 'args', what begins with - is an
    option; the word behind it is its value: FILE is a file, a|b one of these,
    other words in capitals anything.  FILE elsewhere is an argument.  */
typedef struct
{
    const char *name, *args, *summary;
} sh_completion_command_t;

typedef struct
{
    const char *program;
    const char *args; /* options of the program itself */
    const sh_completion_command_t *commands;
    size_t count; /* may be 0 */
} sh_completion_t;

/*  Print the script for 'shell', bash or zsh; false for any other.  */
bool sh_completion_print (FILE *to, const sh_completion_t *self,
                          const char *shell);

#endif
