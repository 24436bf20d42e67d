/* main.c - where the program starts: the hidden verbs of the node helper, else the command line.
 *
 * The same binary is everything: `stowage up` re-executes itself as the node helper and as each container's init, so
 * there is one file to install. Those verbs come first, before anything is initialised: they must stay small and
 * single-threaded. */
#include "app/up.h"
#include "cli/cli.h"
#include "sys/machine.h"

int main(int argc, char **argv)
{
    static const struct cli_host host = {.up = app_up};
    int code = sys_hidden_main(argc, argv);
    return code >= 0 ? code : cli_main(&host, argc, argv);
}
