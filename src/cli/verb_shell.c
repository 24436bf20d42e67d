/* verb_shell.c - `stowage shell [NODE]`: a shell on a node. Reads a script from standard input when that is no
 * terminal. */
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/local.h"
#include "cli/terminal.h"
#include "cli/verbs_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static json_t *command_of(int argc, char **argv)
{
    json_t *list = json_array();
    for (int i = 0; i < argc; i++)
        json_array_append_new(list, json_string(argv[i]));
    return list;
}

int node_shell(const char *dir, const char *node, int argc, char **argv, struct err *e)
{
    bool tty = argc == 0 && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    _auto_json_ json_t *request =
        json_pack("{s:s, s:s, s:b, s:o, s:s}", "op", "shell", "node", node, "tty", tty, "argv", command_of(argc, argv),
                  "term", getenv("TERM") ? getenv("TERM") : "dumb");
    _auto_json_ json_t *answer = NULL;
    int fds[LOCAL_MAX_FDS];
    if (local_call(dir, request, &answer, fds, e) < 0)
        return -1;
    char message[256] = "";
    int code = tty ? terminal_run(true, fds[0], -1, -1, fds[1], message)
                   : terminal_run(false, fds[0], fds[1], fds[2], fds[3], message);
    if (message[0])
        fprintf(stderr, "stowage: %s\n", message);
    return code;
}

static int shell_run(const struct cli *cli _unused_, int argc, char **argv, struct err *e)
{
    _auto_free_ char *dir = cli_data_flag("shell", true, argc, argv, e);
    if (!dir)
        return -1;
    const char *node = "";
    if (optind < argc && !str_eq(argv[optind - 1], "--"))
        node = argv[optind++];
    if (optind < argc && str_eq(argv[optind], "--"))
        optind++;
    return node_shell(dir, node, argc - optind, argv + optind, e);
}

const struct cli_verb verb_shell = {
    .name = "shell",
    .summary = "a shell on a node, with kubectl and this machine's tools",
    .help = "usage: stowage shell [--data DIR] [NODE] [-- COMMAND [ARGUMENT...]]\n\n"
            "Without NODE: the node where pods run (node01; the control plane if it is the only one). The node's root "
            "has this machine's /usr read-only and a filesystem of "
            "its own above it:\n"
            "what you make under /mnt, /opt, /data there is what hostPath and local volumes see. `stowage shell < "
            "script` runs a\n"
            "script. The exit code is the shell's.\n",
    .run = shell_run,
};
