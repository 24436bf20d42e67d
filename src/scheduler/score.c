/* score.c - which of the nodes that would do is best.
 *
 * DESIGN: the sum of a few scores from 0 to 100, as the default plugins weigh them: free share of cpu and memory, few
 * pods of the same owner, the pod's own node preferences, no PreferNoSchedule taint. Ties go to the first node by name,
 * so that the same cluster always decides alike (the real scheduler draws lots). */
#include "scheduler/scheduler_int.h"

#include "api/quantity.h"
#include "api/selector.h"
#include "base/json.h"
#include "base/str.h"

static int64_t free_share(int64_t used, const char *allocatable, bool milli)
{
    struct quantity q;
    if (!allocatable || quantity_parse(allocatable, &q) < 0)
        return 0;
    int64_t have = milli ? quantity_milli(&q) : quantity_value(&q);
    return have <= 0 || used >= have ? 0 : (int64_t)((double)(have - used) / (double)have * 100);
}

static int64_t score_free(const struct node_info *n)
{
    return (free_share(n->cpu, jmap(n->node, "status.allocatable", "cpu"), true) +
            free_share(n->memory, jmap(n->node, "status.allocatable", "memory"), false)) /
           2;
}

static int64_t score_spread(const struct attempt *a, const struct node_info *n)
{
    const json_t *owner = controller_of(a->pod);
    int64_t same = 0;
    for (size_t i = 0; owner && i < n->pods.len; i++)
        same += str_eq(jstr(controller_of(n->pods.trees[i]), "uid"), jstr(owner, "uid"));
    return same > 10 ? 0 : 100 - 10 * same;
}

static int64_t score_preference(const struct attempt *a, const struct node_info *n)
{
    int64_t sum = 0;
    size_t i;
    json_t *term;
    json_array_foreach(jat(a->pod, "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"), i,
                       term)
    {
        json_t *as_selector = json_pack("{s:[O]}", "nodeSelectorTerms", jat(term, "preference"));
        if (node_selector_match(as_selector, n->node))
            sum += jint(term, "weight", 0);
        json_decref(as_selector);
    }
    return sum;
}

static int64_t score_taints(const struct attempt *a, const struct node_info *n)
{
    int64_t bad = 0;
    size_t i;
    json_t *taint;
    json_array_foreach(jat(n->node, "spec.taints"), i, taint) bad +=
        str_eq(jstr(taint, "effect"), "PreferNoSchedule") && !pod_tolerates(a->pod, taint);
    return bad > 10 ? 0 : 100 - 10 * bad;
}

int pick_best(const struct attempt *a, const bool *fits)
{
    int best = -1;
    int64_t best_score = -1;
    for (size_t i = 0; i < a->world.nodes.len; i++) {
        const struct node_info *n = &a->world.info[i];
        if (!fits[i])
            continue;
        int64_t score = score_free(n) + 2 * score_spread(a, n) + 2 * score_preference(a, n) + 3 * score_taints(a, n);
        if (score > best_score) {
            best_score = score;
            best = (int)i;
        }
    }
    return best;
}
