/* privileges.c - see privileges.h. glibc has no capset(2) wrapper, hence the raw call. */
#include "app/privileges.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

void privileges_drop(void)
{
    const uint32_t keep = (UINT32_C(1) << CAP_DAC_OVERRIDE) | (UINT32_C(1) << CAP_NET_BIND_SERVICE);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[2] = {{0}};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (syscall(SYS_capget, &header, caps) < 0)
        return;
    caps[0].effective &= keep;
    caps[0].permitted &= keep;
    caps[0].inheritable = 0;
    caps[1] = (struct __user_cap_data_struct){0};
    syscall(SYS_capset, &header, caps);
}
