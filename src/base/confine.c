/* confine.c - see confine.h.
 *
 * DESIGN: the kernel follows ".." only while it can be sure that nobody moves what it walks through: a rename or a
 * mount anywhere on the machine makes it give up with EAGAIN, which means no more than "once more". THREADS: any. */
#include "base/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TRIES = 1000 }; /* a machine that renames without pause is hostile */

int confine_open(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
    for (int i = 0;; i++) {
        const int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN || i == TRIES)
            return fd;
        sched_yield();
    }
}
