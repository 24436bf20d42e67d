/* go_errno.c - see go_errno.h. */
#include "base/go_errno.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *go_errno_text(int sys_errno, char out[GO_ERRNO_LEN])
{
    snprintf(out, GO_ERRNO_LEN, "%s", strerror(sys_errno));
    out[0] = (char)tolower((unsigned char)out[0]);
    return out;
}
