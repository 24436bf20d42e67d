/* explain.c - see explain.h. An attempt that ends before anything is written. THREADS: any; reads only.
 *
 * When a filter gets a new reason: a row of advice here. */
#include "scheduler/explain.h"
#include "scheduler/scheduler_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static json_t *texts(const struct strlist *l)
{
    json_t *out = json_array();
    for (size_t i = 0; i < l->len; i++)
        json_array_append_new(out, json_string(l->items[i]));
    return out;
}

/* The row of one node. */
static json_t *node_row(const struct node_info *n, const struct verdict *v, const struct strlist *also)
{
    static const char outside[] = "node(s) didn't satisfy plugin(s) [NodeAffinity]";
    json_t *reasons = texts(&v->reasons);
    if (v->outside)
        json_array_append_new(reasons, json_string(outside));
    return json_pack("{s:s, s:b, s:b, s:o, s:o}", "name", n->name, "fits", !json_array_size(reasons), "chosen", 0,
                     "reasons", reasons, "also", texts(also));
}

static void mark_chosen(json_t *rows, const char *name)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (str_eq(jstr(row, "name"), name))
            jset_bool(row, "chosen", true);
    }
}

/* Fills `out` with a row a node. Returns the FitError text if none fits, else NULL. New text. */
static char *ask_nodes(struct attempt *a, json_t *out)
{
    const struct cache *c = a->cache;
    struct verdict *verdicts = xcalloc(c->len + 1, sizeof *verdicts);
    _auto_free_ size_t *at = xcalloc(c->len + 1, sizeof *at);
    struct fitting f = {.at = at};
    for (size_t i = 0; i < c->len; i++) {
        _auto_strlist_ struct strlist also = {0};
        if (!c->nodes[i]->o)
            continue;
        verdicts[i].outside = a->only && !strlist_has(a->only, c->nodes[i]->name);
        if (!verdicts[i].outside)
            filter_node(a, c->nodes[i], &verdicts[i], &also);
        if (!verdicts[i].outside && !verdicts[i].reasons.len)
            f.at[f.len++] = i;
        json_array_append_new(out, node_row(c->nodes[i], &verdicts[i], &also));
    }
    int best = pick_best(a, &f);
    char *message = NULL;
    if (best < 0) {
        struct preemption plan;
        preempt_plan(a, verdicts, &plan);
        message = fit_error(a, NULL, verdicts, &plan);
        preemption_release(&plan);
    } else {
        mark_chosen(out, c->nodes[best]->name);
    }
    verdicts_free(verdicts, c->len);
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
    {"didn't satisfy plugin(s) [NodeAffinity]",
     "The pod names its nodes (metadata.name), as a DaemonSet's does: make "
     "room there.",
     NULL},
    {"didn't match pod affinity rules", "Start the pods that it wants to stand beside, or prefer them only.", NULL},
    {"anti-affinity rules", "Pods there and this one shun each other: add a node, or prefer it only.", NULL},
    {"topology spread constraints", "Add nodes to the emptier domains, raise maxSkew, or use ScheduleAnyway.",
     "kubectl get node -L topology.kubernetes.io/zone"},
    {"didn't have free ports", "The host port is taken there: choose another, or do without.", NULL},
};

/* How far a node is from taking the pod: the number of its reasons. `part`: one of them, whose text is *text. */
static size_t distance(const json_t *node, const char *part, const char **text)
{
    static const char *const lists[] = {"reasons", "also"};
    size_t k, n = 0;
    const json_t *reason;
    *text = NULL;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        json_array_foreach(jat(node, lists[l]), k, reason)
        {
            n++;
            if (strstr(json_string_value(reason), part))
                *text = json_string_value(reason);
        }
    }
    return n;
}

/* What is to be told, and of which node: the one that lacks least beside it. */
struct hint {
    size_t row, distance;
    const char *node, *reason; /* borrowed */
};

static struct hint hint_of(const json_t *nodes, size_t row)
{
    struct hint best = {.row = row};
    size_t i;
    const json_t *node;
    json_array_foreach(nodes, i, node)
    {
        const char *reason;
        const size_t d = distance(node, advice[row].reason, &reason);
        if (reason && (!best.node || d < best.distance))
            best = (struct hint){row, d, jstr_or(node, "name", ""), reason};
    }
    return best;
}

/* "disk=ssd zone=a": what the pod's nodeSelector asks for and the node has not; "KEY=VALUE" if that is not it. */
static void missing_labels(const struct attempt *a, const char *name, struct buf *out)
{
    const char *key;
    json_t *value;
    const size_t before = out->len;
    for (size_t i = 0; i < a->cache->len; i++) {
        const struct node_info *n = a->cache->nodes[i];
        if (!n->o || !str_eq(n->name, name))
            continue;
        json_object_foreach(jat(a->pod, "spec.nodeSelector"), key, value)
        {
            if (!str_eq(jmap(n->o->tree, "metadata.labels", key), json_string_value(value)))
                buf_addf(out, "%s%s=%s", out->len > before ? " " : "", key,
                         json_string_value(value) ? json_string_value(value) : "");
        }
    }
    if (out->len == before)
        buf_adds(out, "KEY=VALUE");
}

/* The command with its words in capitals filled in. Returns new. */
static char *command_for(const struct attempt *a, const struct hint *h)
{
    _auto_buf_ struct buf out = BUF_INIT;
    for (const char *c = advice[h->row].command ? advice[h->row].command : ""; *c;) {
        const char *brace = strchr(h->reason, '{');
        if (str_starts(c, "NODE")) {
            buf_adds(&out, h->node);
            c += strlen("NODE");
        } else if (str_starts(c, "KEY=VALUE")) {
            missing_labels(a, h->node, &out);
            c += strlen("KEY=VALUE");
        } else if (str_starts(c, "KEY-") && brace) { /* of "… taint {key: value}" */
            buf_add(&out, brace + 1, strcspn(brace + 1, ":}"));
            c += strlen("KEY");
        } else {
            buf_addc(&out, *c++);
        }
    }
    return buf_steal(&out, NULL);
}

/* What brings a node to take the pod by itself stands first. */
static json_t *advise(const struct attempt *a, const json_t *nodes)
{
    struct hint hints[ARRAY_LEN(advice)];
    json_t *out = json_array();
    size_t most = 0;
    for (size_t i = 0; i < ARRAY_LEN(advice); i++) {
        hints[i] = hint_of(nodes, i);
        most = hints[i].distance > most ? hints[i].distance : most;
    }
    for (size_t far = 1; far <= most; far++) {
        for (size_t i = 0; i < ARRAY_LEN(advice); i++) {
            if (!hints[i].node || hints[i].distance != far)
                continue;
            _auto_free_ char *command = command_for(a, &hints[i]);
            json_array_append_new(out, json_pack("{s:s, s:s}", "text", advice[i].text, "command", command));
        }
    }
    return out;
}

/* The text when no node is looked at. New. */
static char *message_for_all(struct attempt *a, const char *refused)
{
    struct preemption plan;
    preempt_plan(a, NULL, &plan);
    char *text = fit_error(a, refused, NULL, &plan);
    preemption_release(&plan);
    return text;
}

static json_t *explain(struct attempt *a)
{
    char refused[1024];
    json_t *nodes = json_array();
    bool stopped = attempt_prepare(a, refused, sizeof refused) != 0;
    _auto_free_ char *message = stopped ? message_for_all(a, refused) : ask_nodes(a, nodes);
    return json_pack("{s:s?, s:o, s:s?, s:o}", "refused", stopped ? refused : NULL, "nodes", nodes, "message", message,
                     "changes", message ? advise(a, nodes) : json_array());
}

json_t *scheduler_explain(struct registry *r, const json_t *pod)
{
    struct cache cache;
    struct attempt a;
    _auto_sobj_ struct sobj *stored = reg_read(r, RES.pods, obj_ns(pod), obj_name(pod));
    if (!stored)
        return json_pack("{s:n, s:[], s:n, s:[]}", "refused", "nodes", "message", "changes");
    cache_init(&cache, r);
    cache_load(&cache);
    attempt_begin(&a, NULL, &cache, stored);
    json_t *told = explain(&a);
    attempt_end(&a);
    cache_release(&cache);
    return told;
}
