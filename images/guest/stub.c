/* stub.c - what runs in the place of an image that nobody knows: the command, if the stub has it, and else nothing, for
 * as long as it takes. It says so once, on standard error. */
#include "guest.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void end(int sig)
{
    (void)sig;
    _exit(0);
}

int stub_main(int argc, char **argv)
{
    if (argc > 1) {
        execvp(argv[1], argv + 1);
        if (errno != ENOENT && errno != EACCES) {
            fprintf(stderr, "stub: %s: %s\n", argv[1], strerror(errno));
            return 126;
        }
        fprintf(stderr, "stub: the real image is not here, and this one has no %s: it does nothing and stays\n",
                argv[1]);
    } else {
        fprintf(stderr, "stub: the real image is not here: this one does nothing and stays\n");
    }
    signal(SIGTERM, end);
    signal(SIGINT, end);
    signal(SIGQUIT, end);
    while (1)
        pause();
}
