/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/old_agent.h"

#include <assert.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "lib/file.h"
#include "lib/log.h"
#include "lib/yaml.h"

#define SECTION "nofusscomputing_phpipam_scan_agent"
#define PLAYBOOK "phpipam_scan_agent"
#define CRONTAB_MOST 262144

/*  A text of the section, if it is there and fits.  */
static sh_err_t
s_take (char *out, size_t size, const sh_yaml_t *section, const char *key,
        const char *path, sh_why_t *why)
{
    const sh_yaml_t *node = sh_yaml_get (section, key);
    out[0] = '\0';
    if (!node || node->kind == SH_YAML_NULL)
        return SH_OK;
    if (node->kind != SH_YAML_TEXT || strlen (node->text) >= size)
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: '%s' is no text of at most %zu characters",
                        path, node->line, key, size - 1);
    snprintf (out, size, "%s", node->text);
    return SH_OK;
}

/*  It becomes part of a line that somebody runs on the hub.  */
static sh_err_t
s_check_code (const char *code, const char *path, sh_why_t *why)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789-_=";
    if (code[strspn (code, good)] == '\0')
        return SH_OK;
    return sh_fail (why, SH_E_CONFIG,
                    "%s: 'scanagent_code' is no code of a scan agent: it has "
                    "others than phpIPAM's characters A-Z a-z 0-9 - _ =; join "
                    "without --from, and take the code from phpIPAM",
                    path);
}

sh_err_t
sc_old_agent_read (sc_old_agent_t *out, const char *path, sh_why_t *why)
{
    assert (out && path);
    sh_yaml_t *tree = NULL;
    sh_err_t rc = sh_yaml_load (&tree, path, why);
    if (rc != SH_OK)
        return rc;
    const sh_yaml_t *section = sh_yaml_get (tree, SECTION);
    if (!section)
        rc = sh_fail (why, SH_E_CONFIG,
                      "%s:1: no section '" SECTION "'; is it the old scan "
                      "agent's file?",
                      path);
    if (rc == SH_OK)
        rc = s_take (out->code, sizeof out->code, section, "scanagent_code",
                     path, why);
    if (rc == SH_OK)
        rc = s_check_code (out->code, path, why);
    if (rc == SH_OK)
        rc = s_take (out->name, sizeof out->name, section, "client_name",
                     path, why);
    sh_yaml_destroy (&tree);
    return rc;
}

static size_t
s_show_lines (FILE *to, const char *path, char *text)
{
    size_t count = 0;
    char *rest = NULL;
    for (char *line = strtok_r (text, "\n", &rest); line;
         line = strtok_r (NULL, "\n", &rest)) {
        line += strspn (line, " \t");
        if (*line == '#' || !strstr (line, PLAYBOOK))
            continue;
        char shown[512];
        sh_escape (shown, sizeof shown, line);
        (void) fprintf (to, "  %s: %s\n", path, shown);
        count++;
    }
    return count;
}

size_t
sc_old_agent_cron (FILE *to, const char *root)
{
    static const char *const places[]
        = { "/etc/crontab", "/etc/cron.d/*", "/var/spool/cron/*",
            "/var/spool/cron/crontabs/*" };
    size_t count = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *pattern = NULL;
        glob_t found = { 0 };
        if (asprintf (&pattern, "%s%s", root, places[i]) < 0)
            continue;
        if (glob (pattern, 0, NULL, &found) == 0) {
            for (size_t k = 0; k < found.gl_pathc; k++) {
                char *text = NULL;
                size_t size = 0;
                if (sh_file_read (&text, &size, NULL, found.gl_pathv[k],
                                  CRONTAB_MOST, NULL)
                    == SH_OK)
                    count += s_show_lines (to, found.gl_pathv[k], text);
                free (text);
            }
            globfree (&found);
        }
        free (pattern);
    }
    return count;
}
