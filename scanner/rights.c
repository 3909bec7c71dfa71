/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/rights.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RAW (UINT32_C (1) << CAP_NET_RAW)

/*  Two words each of effective, permitted, inheritable: the layout of
    version 3.  libcap is a dependency that these lines save.  */
typedef struct __user_cap_data_struct caps_t[_LINUX_CAPABILITY_U32S_3];

static int
s_call (long which, caps_t caps)
{
    struct __user_cap_header_struct header
        = { .version = _LINUX_CAPABILITY_VERSION_3 };
    return (int) syscall (which, &header, caps);
}

/*  Do programs that we start get what the bounding set leaves, because we are
    root and root means something here?  */
static bool
s_root_counts (void)
{
    int bits = prctl (PR_GET_SECUREBITS, 0, 0, 0, 0);
    return geteuid () == 0 && bits >= 0 && !(bits & SECBIT_NOROOT);
}

bool
sc_rights_raw (void)
{
    caps_t caps = { 0 };
    if (s_root_counts ())
        return prctl (PR_CAPBSET_READ, CAP_NET_RAW, 0, 0, 0) == 1;
    if (s_call (SYS_capget, caps) != 0 || !(caps[0].permitted & RAW))
        return false;
    caps[0].inheritable |= RAW;
    return s_call (SYS_capset, caps) == 0
           && prctl (PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0)
                  == 0;
}

/*  Of root's bounding set nothing but CAP_NET_RAW is left, if 'child' needs
    that.  Without CAP_SETPCAP it cannot be made smaller, and then is not ours
    to make.  */
static void
s_shrink_bounds (bool child)
{
    for (int cap = 0; prctl (PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (!child || cap != CAP_NET_RAW)
            (void) prctl (PR_CAPBSET_DROP, cap, 0, 0, 0);
}

sh_err_t
sc_rights_reduce (bool child, sh_why_t *why)
{
    caps_t caps = { 0 };
    bool root = child && s_root_counts ();
    bool raw = child && sc_rights_raw ();
    s_shrink_bounds (child);
    if (!root && raw)
        caps[0].permitted = caps[0].inheritable = RAW;
    if (s_call (SYS_capset, caps) != 0)
        return sh_fail (why, SH_E_INTERNAL, "cannot give up capabilities: %s",
                        strerror (errno));
    if (!root && prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return sh_fail (why, SH_E_INTERNAL, "cannot give up privileges: %s",
                        strerror (errno));
    return SH_OK;
}
