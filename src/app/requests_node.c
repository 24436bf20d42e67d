/* requests_node.c - the control socket's answer about a node's machine: what `stowage node` asks. */
#include "app/requests_int.h"

#include "base/json.h"
#include "base/mem.h"

static int op_power(struct cluster *c, const json_t *request, json_t **out, int fds[4] _unused_, struct err *e)
{
    const char *node = jstr_or(request, "node", "");
    if (cluster_node_power(c, node, jbool(request, "on", true), e) < 0)
        return -1;
    *out = json_pack("{s:s}", "node", node);
    return 0;
}

const struct request_op node_request_ops[] = {{"node-power", op_power}, {NULL, NULL}};
