/* jail_relay.c - the jail's only way out: connections to one port of 127.0.0.1, carried on to this machine's.
 *
 * The socket that listens was made in the jail's network; this process stayed in the machine's. It ends when its owner
 * does. THREADS: none. */
#include "sys/jail_int.h"
#include "sys/proc_int.h"
#include "sys/svc_int.h"

#include "base/accept.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64

_Noreturn void jail_relay(int listener, int port)
{
    struct relay *relays = NULL;
    struct pollfd p[1 + 2 * CONNECTIONS_MAX];
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    prctl(PR_SET_NAME, "stowage-relay");
    proc_keep_fds(&listener, 1);
    for (;;) {
        const size_t n = relay_poll(relays, p + 1, ARRAY_LEN(p) - 1);
        p[0] = (struct pollfd){n < ARRAY_LEN(p) - 1 ? listener : -1, POLLIN, 0};
        if (poll(p, n + 1, -1) < 0 && errno != EINTR)
            _exit(1);
        relay_work(&relays, p + 1, n);
        const int fd = p[0].revents ? accept_or_rest(listener, SOCK_CLOEXEC, -1) : -1;
        if (fd >= 0)
            relay_add(&relays, fd, &to);
    }
}
