/* explain.c - see explain.h. An attempt that ends before anything is written. THREADS: any; reads only.
 *
 * When a filter gets a new reason: a row of advice here. */
#include "scheduler/explain.h"
#include "scheduler/scheduler_int.h"

#include "base/json.h"
#include "base/mem.h"

#include <string.h>

static json_t *texts(const struct strlist *l)
{
    json_t *out = json_array();
    for (size_t i = 0; i < l->len; i++)
        json_array_append_new(out, json_string(l->items[i]));
    return out;
}

/* Fills `out` with a row a node. Returns the FitError text if none fits, else NULL. New text. */
static char *ask_nodes(const struct attempt *a, json_t *out)
{
    size_t n = a->world.nodes.len;
    _auto_free_ struct verdict *verdicts = xcalloc(n + 1, sizeof *verdicts);
    _auto_free_ bool *fits = xcalloc(n + 1, sizeof *fits);
    for (size_t i = 0; i < n; i++) {
        _auto_strlist_ struct strlist also = {0};
        filter_node(a, &a->world.info[i], &verdicts[i], &also);
        fits[i] = verdicts[i].reasons.len == 0;
        json_array_append_new(out, json_pack("{s:s, s:b, s:b, s:o, s:o}", "name", obj_name(a->world.nodes.trees[i]),
                                             "fits", fits[i], "chosen", 0, "reasons", texts(&verdicts[i].reasons),
                                             "also", texts(&also)));
    }
    int best = pick_best(a, fits);
    char *message = best < 0 ? fit_error(verdicts, n) : NULL;
    if (best >= 0)
        jset_bool(json_array_get(out, (size_t)best), "chosen", true);
    for (size_t i = 0; i < n; i++)
        strlist_release(&verdicts[i].reasons);
    return message;
}

/* -- advice: for each kind of reason, said once -- */

static const struct {
    const char *reason; /* a part of it */
    const char *text, *command;
} advice[] = {
    {"didn't match Pod's node affinity/selector",
     "Give a node the labels that the pod's nodeSelector or affinity asks for.", "kubectl label node NODE KEY=VALUE"},
    {"had untolerated taint", "Give the pod a toleration for the taint, or take the taint off the node.",
     "kubectl taint node NODE KEY-"},
    {"were unschedulable", "Let the node take pods again.", "kubectl uncordon NODE"},
    {"Insufficient ", "Ask for less (resources.requests), or end pods that hold it.", "kubectl describe node NODE"},
    {"Too many pods", "End pods on the node.", NULL},
    {"had volume node affinity conflict",
     "The pod's volume can be reached from other nodes only: let the pod run there, or use a volume of this place.",
     "kubectl get pv -o jsonpath='{range .items[*]}{.metadata.name} {.spec.nodeAffinity}{\"\\n\"}{end}'"},
    {"had no available volume zone", "The pod's volume is in another zone than the node.",
     "kubectl get node -L "
     "topology.kubernetes.io/zone"},
    {"didn't find available persistent volumes to bind",
     "Create a volume that fits the pod's claim and that the node can reach, or use a class that makes one there.",
     NULL},
    {"did not have enough free storage", "The driver has not that much room here: ask for less, or give it more.",
     NULL},
    {"exceed max volume count", "The node has as many disks as it takes: end pods that use disks there.", NULL},
    {"had no available disk", "A pod there names the same disk: end it, or name another disk.", NULL},
    {"ReadWriteOncePod access mode", "One pod at a time may use the claim: delete the one that has it.", NULL},
    {"bound to non-existent pv(s)", "The volume of its claim is gone: bring it back, or make the claim anew.", NULL},
    {"didn't have free ports", "The host port is taken there: choose another, or do without.", NULL},
};

static bool among(const json_t *nodes, const char *part)
{
    static const char *const lists[] = {"reasons", "also"};
    size_t i, k;
    const json_t *node, *reason;
    json_array_foreach(nodes, i, node)
    {
        for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
            json_array_foreach(jat(node, lists[l]), k, reason)
            {
                if (strstr(json_string_value(reason), part))
                    return true;
            }
        }
    }
    return false;
}

static json_t *advise(const json_t *nodes)
{
    json_t *out = json_array();
    for (size_t i = 0; i < ARRAY_LEN(advice); i++)
        if (among(nodes, advice[i].reason))
            json_array_append_new(out, json_pack("{s:s, s:s}", "text", advice[i].text, "command",
                                                 advice[i].command ? advice[i].command : ""));
    return out;
}

json_t *scheduler_explain(struct registry *r, const json_t *pod)
{
    struct attempt a = {.pod = pod};
    char refused[1024];
    json_t *nodes = json_array();
    world_load(&a.world, r);
    bool stopped = claims_load(&a, refused, sizeof refused) != 0;
    _auto_free_ char *message = stopped ? fit_error_for_all(refused, a.world.nodes.len) : ask_nodes(&a, nodes);
    world_release(&a.world);
    return json_pack("{s:s?, s:o, s:s?, s:o}", "refused", stopped ? refused : NULL, "nodes", nodes, "message", message,
                     "changes", message ? advise(nodes) : json_array());
}
