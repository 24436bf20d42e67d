/* reserve.c - see reserve_int.h. THREADS: none; the helper's loop. */
#include "sys/reserve_int.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RESERVE (INT64_C(32) << 20)
#define PLENTY  (INT64_C(256) << 20) /* free bytes from which on it is made */
#define NOTHING (INT64_C(1) << 20)   /* free bytes below which it is given back */

static int64_t free_bytes(const char *dir)
{
    struct statvfs s;
    return statvfs(dir, &s) < 0 ? -1 : (int64_t)s.f_bavail * (int64_t)s.f_frsize;
}

static void make(const char *path)
{
    _auto_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fallocate(fd, 0, 0, RESERVE) < 0)
        unlink(path);
}

int64_t reserve_look(const char *dir)
{
    _auto_free_ char *path = xasprintf("%s.reserve", dir);
    const int64_t room = free_bytes(dir);
    const bool there = access(path, F_OK) == 0;
    if (there && room >= 0 && room < NOTHING) {
        unlink(path);
        return room;
    }
    if (!there && room > PLENTY)
        make(path);
    return room;
}
