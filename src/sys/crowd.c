/* crowd.c - see crowd.h. What the kernel does not tell counts as nobody else being there. THREADS: any. */
#include "sys/crowd.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define CROWD_MAX 8

double crowd_now(void)
{
    char text[128] = "";
    _auto_close_ int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int running = 0;
    if (fd < 0 || cpus < 1 || read(fd, text, sizeof text - 1) <= 0 || sscanf(text, "%*f %*f %*f %d/", &running) != 1)
        return 1;
    const double each = (double)(running - 1) / (double)cpus; /* without us, who ask */
    return each < 1 ? 1 : each > CROWD_MAX ? CROWD_MAX : each;
}

int64_t crowd_share(int64_t ms)
{
    return (int64_t)((double)ms / crowd_now());
}
