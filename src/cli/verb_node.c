/* verb_node.c - `stowage node stop|start NAME`: a machine that is lost, and one that comes back; `node shell NAME`: a
 * shell there. */
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/local.h"
#include "cli/verbs_int.h"

#include <stdio.h>
#include <unistd.h>

static int power(const char *dir, const char *node, bool on, struct err *e)
{
    _auto_json_ json_t *request = json_pack("{s:s, s:s, s:b}", "op", "node-power", "node", node, "on", on);
    _auto_json_ json_t *answer = NULL;
    if (local_call(dir, request, &answer, NULL, e) < 0)
        return -1;
    printf("%s is %s\n", node, on ? "on" : "off");
    return 0;
}

static int node_run(const struct cli *cli _unused_, int argc, char **argv, struct err *e)
{
    _auto_free_ char *dir = cli_data_flag("node", false, argc, argv, e);
    if (!dir)
        return -1;
    const char *what = argc - optind >= 2 ? argv[optind] : "", *node = argc - optind >= 2 ? argv[optind + 1] : "";
    const int more = argc - optind - 2;
    if (str_eq(what, "shell"))
        return node_shell(dir, node, more, argv + optind + 2, e);
    if (more == 0 && (str_eq(what, "stop") || str_eq(what, "start")))
        return power(dir, node, str_eq(what, "start"), e);
    return cli_usage(e, "node", "stop, start or shell, and which node?");
}

const struct cli_verb verb_node = {
    .name = "node",
    .words = "stop start shell",
    .summary = "switch a node's machine off, as if it were lost, and on again",
    .help = "usage: stowage node [--data DIR] stop|start NODE\n"
            "       stowage node [--data DIR] shell NODE [-- COMMAND [ARGUMENT...]]\n\n"
            "stop ends every process and mount of the node at once; its kubelet falls silent. The cluster finds out as "
            "a real\n"
            "one does: NotReady after 50 s, pods evicted 5 min later, volumes detached after 6 min more, or at once "
            "with the\n"
            "taint node.kubernetes.io/out-of-service. `stowage clock forward` saves the waiting. start brings it back; "
            "so does\n"
            "the next `stowage up`. shell is what `stowage shell NODE` is.\n",
    .run = node_run,
};
