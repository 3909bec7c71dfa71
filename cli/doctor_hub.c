/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl doctor: the hub that runs, by what it says and by what the
    kernel says of it.  */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/doctor.h"
#include "hub/ceiling.h"
#include "lib/control.h"
#include "lib/owner.h"
#include "lib/span.h"

#define HUB "scanhubd"
#define ASK_MS 5000
#define FILES_LEAST 1024 /* descriptors, which scanners' connections take */
#define FILES_FULL 80    /* percent */

/*  "ok TEXT" without the "ok", or NULL.  */
static const char *
s_said (char *answer)
{
    answer[strcspn (answer, "\n")] = '\0';
    return strncmp (answer, "ok ", 3) == 0 ? answer + 3 : NULL;
}

static void
s_check_socket (ctl_doctor_t *self)
{
    struct stat meta;
    const char *path = self->config->control;
    if (stat (path, &meta) != 0)
        return;
    unsigned mode = meta.st_mode & 0777;
    char group[SH_GROUP_TEXT];
    sh_owner_group (group, meta.st_gid);
    if (mode & S_IWOTH)
        sh_findings_error (&self->found,
                           "everybody on this machine may give the hub orders "
                           "at %s (mode %04o): restart the hub", path, mode);
    else if (mode & S_IWGRP)
        sh_findings_good (&self->found,
                          "members of the group %s may ask at %s",
                          group, path);
}

static void
s_ask_ready (ctl_doctor_t *self)
{
    char *answer = NULL;
    sh_why_t why;
    sh_err_t rc = sh_control_ask (&answer, self->config->control, HUB, "ping",
                                  ASK_MS, &why);
    if (rc != SH_OK)
        sh_findings_error (&self->found, "%s", why.text);
    else if (s_said (answer))
        sh_findings_good (&self->found, "process %ld is ready", self->pid);
    else
        sh_findings_error (&self->found, "process %ld: %s; scanners keep their "
                                         "reports until that is mended",
                           self->pid,
                           strncmp (answer, "error ", 6) == 0 ? answer + 6
                                                              : answer);
    free (answer);
}

void
ctl_check_hub (ctl_doctor_t *self)
{
    char *answer = NULL;
    sh_why_t why;
    const char *path = self->config->control;
    sh_err_t rc = sh_control_ask (&answer, path, HUB, "hub", ASK_MS, &why);
    if (rc == SH_OK) {
        const char *said = s_said (answer);
        self->hub = CTL_HUB_UP;
        if (said && strncmp (said, "pid ", 4) == 0)
            self->pid = strtol (said + 4, NULL, 10);
        self->status = ctl_doctor_ask (self, "status");
        s_ask_ready (self);
        s_check_socket (self);
    } else if (rc == SH_E_NOT_FOUND) {
        self->hub = CTL_HUB_DOWN;
        sh_findings_error (&self->found,
                           "it is not running, nobody answers at %s: systemctl "
                           "start scanhubd, and look at journalctl -u scanhubd "
                           "if it ends again", path);
    } else if (rc == SH_E_MODE)
        sh_findings_warning (&self->found, "%s", why.text);
    else
        sh_findings_error (&self->found, "%s", why.text);
    free (answer);
}

/*  A soft limit of the hub's process as the kernel has it; 0: unknown, or
    without limit.  */
static uint64_t
s_limit (long pid, const char *name)
{
    char path[64], line[256];
    uint64_t value = 0;
    snprintf (path, sizeof path, "/proc/%ld/limits", pid);
    FILE *file = fopen (path, "re");
    while (file && fgets (line, sizeof line, file)) {
        size_t size = strlen (name);
        if (strncmp (line, name, size) == 0)
            value = strtoull (line + size, NULL, 10);
    }
    if (file)
        fclose (file);
    return value;
}

/*  The memory that the hub's control group allows; 0: no limit, or unknown.  */
static uint64_t
s_group_memory (long pid)
{
    char path[512], line[400];
    uint64_t value = 0;
    snprintf (path, sizeof path, "/proc/%ld/cgroup", pid);
    FILE *file = fopen (path, "re");
    if (!file)
        return 0;
    path[0] = '\0';
    while (fgets (line, sizeof line, file))
        if (strncmp (line, "0::", 3) == 0) {
            line[strcspn (line, "\n")] = '\0';
            snprintf (path, sizeof path, "/sys/fs/cgroup%s/memory.max",
                      line + 3);
        }
    fclose (file);
    file = *path ? fopen (path, "re") : NULL;
    if (file && fgets (line, sizeof line, file))
        value = strtoull (line, NULL, 10); /* "max" is 0 */
    if (file)
        fclose (file);
    return value;
}

static void
s_check_memory (ctl_doctor_t *self)
{
    hub_ceiling_t ceiling;
    uint64_t group = s_group_memory (self->pid);
    hub_ceiling_init (&ceiling, self->config->memory_ceiling,
                      self->roster.count);
    if (group > 0 && group < ceiling.most + ceiling.most / 4)
        sh_findings_warning (
            &self->found,
            "the service may have %" PRIu64 " MiB of memory, too little for a "
            "ceiling of %" PRIu64 " MiB: the kernel would end the hub before "
            "it defends itself; raise MemoryMax, or lower hub.memory_ceiling",
            group >> 20, ceiling.most >> 20);
}

void
ctl_check_limits (ctl_doctor_t *self)
{
    if (self->pid == 0)
        return;
    uint64_t files = s_limit (self->pid, "Max open files");
    size_t keys = self->roster.count;
    if (files > 0 && (files < FILES_LEAST || files < 2 * keys + 128))
        sh_findings_warning (
            &self->found,
            "the hub may open %" PRIu64 " files, and %zu keys may each have "
            "several connections: set LimitNOFILE=16384 for the service and "
            "restart it", files, keys);
    else if (files > 0)
        sh_findings_good (&self->found, "%" PRIu64 " descriptors", files);
    s_check_memory (self);
}
