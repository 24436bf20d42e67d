/* accept.c - see accept.h. THREADS: no state. */
#include "base/accept.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

/* Nothing is wrong with this process: nobody is there any more. */
static bool is_passing(int code)
{
    return code == EAGAIN || code == EINTR || code == ECONNABORTED;
}

int accept_from_or_rest(int listener, struct sockaddr *peer, socklen_t *len, int flags, int wake)
{
    const int fd = accept4(listener, peer, len, flags);
    if (fd < 0 && !is_passing(errno))
        poll(&(struct pollfd){wake, POLLIN, 0}, 1, ACCEPT_REST_MS);
    return fd;
}

int accept_or_rest(int listener, int flags, int wake)
{
    return accept_from_or_rest(listener, NULL, NULL, flags, wake);
}
