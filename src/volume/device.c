/* device.c - the device names a cloud gives to attached disks.
 *
 * Courses show /dev/xvdba for the first claim of a node: the two-letter names that begin with b or c. THREADS: pure. */
#include "volume/volume.h"

#include "base/str.h"

#include <stdio.h>

bool device_name(unsigned n, char out[DEVICE_NAME_LEN])
{
    if (n >= 2 * 26)
        return false;
    snprintf(out, DEVICE_NAME_LEN, "/dev/xvd%c%c", 'b' + (int)(n / 26), 'a' + (int)(n % 26));
    return true;
}

bool device_pick(const char *const *used, size_t count, char out[DEVICE_NAME_LEN])
{
    char name[DEVICE_NAME_LEN];
    for (unsigned n = 0; device_name(n, name); n++) {
        bool taken = false;
        for (size_t i = 0; i < count && !taken; i++)
            taken = str_eq(used[i], name);
        if (taken)
            continue;
        snprintf(out, DEVICE_NAME_LEN, "%s", name);
        return true;
    }
    return false;
}
