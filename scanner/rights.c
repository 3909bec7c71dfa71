/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/rights.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*  Two words each of effective, permitted, inheritable: the layout of
    version 3.  libcap is a dependency that these twenty lines save.  */
bool
sc_rights_raw (void)
{
    struct __user_cap_header_struct header
        = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
    const uint32_t raw = UINT32_C (1) << CAP_NET_RAW;

    if (syscall (SYS_capget, &header, data) != 0
        || !(data[0].effective & raw))
        return false;
    if (geteuid () == 0)
        return true;
    data[0].inheritable |= raw;
    return syscall (SYS_capset, &header, data) == 0
           && prctl (PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0)
                  == 0;
}
