/* SPDX-License-Identifier: MPL-2.0 */

#include "lib/completion.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#define BREAKS " \n\t[](),"

/*  The words of 'args', one after the other; "..." is none.  */
typedef struct
{
    const char *at;
    size_t size; /* 0: there are no more */
} word_t;

static bool
s_next (word_t *self)
{
    self->at += self->size;
    self->at += strspn (self->at, BREAKS "|");
    self->size = strcspn (self->at, BREAKS);
    /*  Options that exclude each other; values stay together.  */
    if (self->at[0] == '-')
        self->size = strcspn (self->at, BREAKS "|");
    return self->size > 0;
}

static bool
s_is_option (const word_t *self)
{
    return self->size > 1 && self->at[0] == '-';
}

static bool
s_is (const word_t *self, const char *text)
{
    return self->size == strlen (text)
           && strncmp (self->at, text, self->size) == 0;
}

/*  An option's value: the word right behind it.  */
static bool
s_value (word_t *value, const word_t *option)
{
    if (!s_is_option (option) || option->at[option->size] != ' ')
        return false;
    *value = *option;
    return s_next (value) && value->at == option->at + option->size + 1
           && !s_is_option (value);
}

typedef enum
{
    FILES,  /* options whose value is a file */
    WORDS,  /* ... is one of some words */
    VALUED, /* ... is anything at all */
} kind_t;

static bool
s_is_kind (const word_t *option, kind_t kind)
{
    word_t value;
    if (!s_value (&value, option))
        return false;
    bool words = memchr (value.at, '|', value.size)
                 && islower ((unsigned char) value.at[0]);
    return kind == VALUED || (kind == FILES && s_is (&value, "FILE"))
           || (kind == WORDS && words);
}

/*  A word that was met before in the same texts is not printed again.  */
typedef struct
{
    const sh_completion_t *of;
    size_t index; /* 0: the program's own options, then the commands' */
    word_t word;
} walk_t;

static const char *
s_text (const sh_completion_t *self, size_t index)
{
    return index == 0 ? self->args : self->commands[index - 1].args;
}

static walk_t
s_begin (const sh_completion_t *self)
{
    return (walk_t){ self, 0, { s_text (self, 0), 0 } };
}

static bool
s_step (walk_t *self)
{
    while (!s_next (&self->word)) {
        if (++self->index > self->of->count)
            return false;
        self->word = (word_t){ s_text (self->of, self->index), 0 };
    }
    return true;
}

static bool
s_is_new (const walk_t *at, kind_t kind)
{
    for (walk_t walk = s_begin (at->of);
         s_step (&walk) && walk.word.at != at->word.at;)
        if (walk.word.size == at->word.size
            && strncmp (walk.word.at, at->word.at, at->word.size) == 0
            && s_is_kind (&walk.word, kind))
            return false;
    return true;
}

/*  A pattern of all options of a kind; a shell's "case" takes it.  */
static void
s_print_pattern (FILE *to, const sh_completion_t *self, kind_t kind)
{
    const char *gap = "";
    for (walk_t walk = s_begin (self); s_step (&walk);)
        if (s_is_kind (&walk.word, kind) && s_is_new (&walk, kind)) {
            fprintf (to, "%s%.*s", gap, (int) walk.word.size, walk.word.at);
            gap = "|";
        }
    if (!*gap)
        fputs ("''", to);
}

/*  What may follow options whose value is one of some words.  */
static void
s_print_values (FILE *to, const sh_completion_t *self, bool zsh)
{
    for (walk_t walk = s_begin (self); s_step (&walk);) {
        word_t value;
        if (!s_is_kind (&walk.word, WORDS) || !s_is_new (&walk, WORDS)
            || !s_value (&value, &walk.word))
            continue;
        fprintf (to, "    (%.*s) %s", (int) walk.word.size, walk.word.at,
                 zsh ? "compadd -- " : "_scanhub_words '");
        for (size_t i = 0; i < value.size; i++)
            fputc (value.at[i] == '|' ? ' ' : value.at[i], to);
        fputs (zsh ? "; return ;;\n" : "'; return ;;\n", to);
    }
}

/*  The options in 'args' and, of every command, --help.  */
static void
s_print_options (FILE *to, const char *args)
{
    word_t word = { args, 0 };
    while (s_next (&word))
        if (s_is_option (&word) && !s_is (&word, "--help"))
            fprintf (to, "%.*s ", (int) word.size, word.at);
    fputs ("--help", to);
}

static bool
s_takes_file (const char *args)
{
    word_t word = { args, 0 }, value;
    while (s_next (&word))
        if (s_value (&value, &word))
            word = value;
        else if (s_is (&word, "FILE"))
            return true;
    return false;
}

static size_t
s_first (const char *name)
{
    return strcspn (name, " ");
}

/*  The first of its commands with this first word?  */
static bool
s_is_first (const sh_completion_t *self, size_t index)
{
    const char *name = self->commands[index].name;
    size_t size = s_first (name);
    for (size_t i = 0; i < index; i++)
        if (s_first (self->commands[i].name) == size
            && strncmp (self->commands[i].name, name, size) == 0)
            return false;
    return true;
}

static bool
s_is_of_group (const char *name, const char *group, size_t size)
{
    return strncmp (name, group, size) == 0 && name[size] == ' ';
}

/*  Within single quotes of a shell; zsh splits name and text at a colon.  */
static void
s_print_quoted (FILE *to, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\'')
            fputs ("'\\''", to);
        else
            fputc (text[i], to);
}

static void
s_print_choice (FILE *to, const char *name, size_t size, const char *summary,
                bool zsh)
{
    fputs (zsh ? " '" : " ", to);
    fprintf (to, "%.*s", (int) size, name);
    if (zsh) {
        fputc (':', to);
        s_print_quoted (to, summary, strlen (summary));
        fputc ('\'', to);
    }
}

static void
s_print_top (FILE *to, const sh_completion_t *self, bool zsh)
{
    fputs (zsh ? "('') offer=(" : "    ('') offer='", to);
    for (size_t i = 0; i < self->count; i++) {
        const sh_completion_command_t *one = &self->commands[i];
        size_t size = s_first (one->name);
        if (s_is_first (self, i))
            s_print_choice (to, one->name, size,
                            one->name[size] ? "" : one->summary, zsh);
    }
    fputs (zsh ? ")\n    options=(" : " ", to);
    s_print_options (to, self->args);
    fputs (zsh ? ") ;;\n" : "' ;;\n", to);
}

/*  The second words of a group of commands.  */
static void
s_print_group (FILE *to, const sh_completion_t *self, const char *name,
               bool zsh)
{
    size_t size = s_first (name);
    fprintf (to, "%s(%.*s) offer=%s", zsh ? "" : "    ", (int) size, name,
             zsh ? "(" : "'");
    for (size_t i = 0; i < self->count; i++) {
        const sh_completion_command_t *one = &self->commands[i];
        if (s_is_of_group (one->name, name, size))
            s_print_choice (to, one->name + size + 1,
                            strlen (one->name + size + 1), one->summary, zsh);
    }
    fputs (zsh ? ")\n    options=(--help) ;;\n" : " --help' ;;\n", to);
}

static void
s_print_command (FILE *to, const sh_completion_command_t *self, bool zsh)
{
    fprintf (to, "%s('%s'|'%s '*) options=%s", zsh ? "" : "    ", self->name,
             self->name, zsh ? "(" : "'");
    s_print_options (to, self->args);
    fputs (zsh ? ")" : "'", to);
    fputs (s_takes_file (self->args) ? " files=1 ;;\n" : " ;;\n", to);
}

static void
s_print_cases (FILE *to, const sh_completion_t *self, bool zsh)
{
    s_print_top (to, self, zsh);
    for (size_t i = 0; i < self->count; i++) {
        const char *name = self->commands[i].name;
        if (name[s_first (name)] && s_is_first (self, i))
            s_print_group (to, self, name, zsh);
    }
    for (size_t i = 0; i < self->count; i++)
        s_print_command (to, &self->commands[i], zsh);
}

/*  How far the command line is: the words that are neither options nor their
    values.  '%s' are the shells' names for the words.  */
static void
s_print_walk (FILE *to, const sh_completion_t *self, const char *words,
              const char *from, const char *until)
{
    fprintf (to, "    for ((i = %s; i < %s; i++)); do\n"
                 "        case ${%s[i]} in\n        (",
             from, until, words);
    s_print_pattern (to, self, VALUED);
    fprintf (to, ") ((i++)) ;;\n        (-*) ;;\n"
                 "        (*) command=\"$command${command:+ }${%s[i]}\" ;;\n"
                 "        esac\n    done\n",
             words);
}

static void
s_print_bash (FILE *to, const sh_completion_t *self)
{
    fprintf (to, "# bash completion for %s\n_scanhub_words ()\n{\n"
                 "    mapfile -t COMPREPLY < <(compgen -W \"$1\" -- "
                 "\"$word\")\n}\n\n"
                 "_%s ()\n{\n"
                 "    local word=${COMP_WORDS[COMP_CWORD]} command='' files=''\n"
                 "    local offer='' options='' i\n"
                 "    case ${COMP_WORDS[COMP_CWORD-1]} in\n    (",
             self->program, self->program);
    s_print_pattern (to, self, FILES);
    fputs (") return ;;\n", to);
    s_print_values (to, self, false);
    fputs ("    (", to);
    s_print_pattern (to, self, VALUED);
    fputs (") compopt +o default 2>/dev/null; return 0 ;;\n    esac\n", to);
    s_print_walk (to, self, "COMP_WORDS", "1", "COMP_CWORD");
    fputs ("    case $command in\n", to);
    s_print_cases (to, self, false);
    fprintf (to, "    esac\n"
                 "    [[ $word == -* ]] && offer=\"$offer $options\"\n"
                 "    [[ $files ]] || compopt +o default 2>/dev/null\n"
                 "    _scanhub_words \"$offer\"\n"
                 "} && complete -o default -F _%s %s\n",
             self->program, self->program);
}

static void
s_print_zsh (FILE *to, const sh_completion_t *self)
{
    fprintf (to, "#compdef %s\n"
                 "local command='' files='' i\n"
                 "local -a offer options\n"
                 "case ${words[CURRENT-1]} in\n    (",
             self->program);
    s_print_pattern (to, self, FILES);
    fputs (") _files; return ;;\n", to);
    s_print_values (to, self, true);
    fputs ("    (", to);
    s_print_pattern (to, self, VALUED);
    fputs (") return ;;\nesac\n", to);
    s_print_walk (to, self, "words", "2", "CURRENT");
    fputs ("case $command in\n", to);
    s_print_cases (to, self, true);
    fprintf (to, "esac\n"
                 "(( $#offer )) && _describe -t commands '%s command' offer\n"
                 "[[ ${words[CURRENT]} == -* ]] && compadd -- $options\n"
                 "[[ -n $files ]] && _files\n"
                 "return 0\n",
             self->program);
}

bool
sh_completion_print (FILE *to, const sh_completion_t *self, const char *shell)
{
    assert (to && self && shell);
    if (strcmp (shell, "bash") == 0)
        s_print_bash (to, self);
    else if (strcmp (shell, "zsh") == 0)
        s_print_zsh (to, self);
    else
        return false;
    return true;
}
