/* preempt.c - room for a pod of more priority, at the cost of others.
 *
 * DESIGN: on a copy of each node that sending pods away could help, all pods of less priority are imagined gone. If the
 * pod fits then, as many as possible are let back, those whose disruption budget would be broken first, the more
 * important ones before others. Of the nodes that remain the one with the least harm is taken. Who explains asks for
 * the plan only. The pod is promised the node and waits there for its victims to end, gracefully. Source:
 * framework/preemption/preemption.go, plugins/defaultpreemption/default_preemption.go.
 *
 * THREADS: as the attempt. */
#include "scheduler/scheduler_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX      "preemption: "
#define NOT_HELPFUL "Preemption is not helpful for scheduling"
#define NO_VICTIMS  "No preemption victims found for incoming pod"
/* Nodes to compare, in a big cluster: the best of so many is good enough. */
#define CANDIDATES_MIN 100

/* -- disruption budgets -- */

struct budget {
    const json_t *json;
    struct label_selector *selector; /* owned; NULL: means nothing */
    int64_t allowed;
};
struct budgets {
    struct objlist list;
    struct budget *items; /* owned */
};

static void budgets_load(struct budgets *b, struct registry *r)
{
    *b = (struct budgets){0};
    objlist_load(&b->list, r, RES.poddisruptionbudgets->bucket, NULL);
    b->items = xcalloc(b->list.len + 1, sizeof *b->items);
    for (size_t i = 0; i < b->list.len; i++) {
        struct err e = ERR_INIT;
        const json_t *selector = jat(b->list.trees[i], "spec.selector");
        b->items[i].json = b->list.trees[i];
        if (json_object_size(selector))
            label_selector_from_json(selector, &b->items[i].selector, &e);
    }
}

static void budgets_release(struct budgets *b)
{
    for (size_t i = 0; i < b->list.len; i++)
        label_selector_free(b->items[i].selector);
    free(b->items);
    objlist_release(&b->list);
}

static void budgets_reset(struct budgets *b)
{
    for (size_t i = 0; i < b->list.len; i++)
        b->items[i].allowed = jint(b->items[i].json, "status.disruptionsAllowed", 0);
}

/* Takes the pod off its budgets. Would that break one? */
static bool budgets_take(struct budgets *b, const struct pod_info *p)
{
    bool broken = false;
    for (size_t i = 0; i < b->list.len; i++) {
        struct budget *one = &b->items[i];
        if (!one->selector || !json_object_size(p->labels) || !str_eq(obj_ns(one->json), p->ns) ||
            !label_selector_match(one->selector, p->labels) ||
            json_object_get(jat(one->json, "status.disruptedPods"), p->name))
            continue;
        broken |= --one->allowed < 0;
    }
    return broken;
}

/* -- victims -- */

struct victim {
    struct pod_info *pod; /* owned reference */
    bool broken;          /* its budget would be */
};

/* More important ones first: by priority, then by who runs for longer. */
static int by_importance(const void *pa, const void *pb)
{
    const struct victim *a = pa, *b = pb;
    if (a->pod->priority != b->pod->priority)
        return a->pod->priority > b->pod->priority ? -1 : 1;
    return strcmp(jstr_or(a->pod->pod, "status.startTime", "~"), jstr_or(b->pod->pod, "status.startTime", "~"));
}

/* Takes all pods of less priority off the copy. Returns how many; *out: new. */
static size_t take_lesser(struct attempt *a, struct node_info *n, struct victim **out)
{
    struct victim *v = xcalloc(n->pods.len + 1, sizeof *v);
    size_t len = 0;
    for (size_t i = 0; i < n->pods.len; i++)
        if (n->pods.items[i]->priority < a->me->priority)
            v[len++].pod = pod_info_ref(n->pods.items[i]);
    qsort(v, len, sizeof *v, by_importance);
    for (size_t i = 0; i < len; i++)
        attempt_imagine(a, n, v[i].pod, -1);
    *out = v;
    return len;
}

static bool fits(struct attempt *a, const struct node_info *n, struct verdict *v)
{
    filter_node_promised(a, n, v);
    return v->reasons.len == 0;
}

/* Lets pods back while the newcomer still fits. Those that stay away are moved to the front; returns how many. */
static size_t reprieve(struct attempt *a, struct node_info *n, struct victim *v, size_t len, int *out_broken)
{
    _auto_free_ bool *away = xcalloc(len + 1, sizeof *away);
    size_t kept = 0;
    for (int broken = 1; broken >= 0; broken--) {
        for (size_t i = 0; i < len; i++) {
            struct verdict now = {0};
            if (v[i].broken != (broken == 1))
                continue;
            attempt_imagine(a, n, v[i].pod, 1);
            away[i] = !fits(a, n, &now);
            strlist_release(&now.reasons);
            if (away[i])
                attempt_imagine(a, n, v[i].pod, -1);
        }
    }
    for (size_t i = 0; i < len; i++) {
        if (!away[i]) {
            pod_info_unref(v[i].pod);
            continue;
        }
        *out_broken += v[i].broken;
        v[kept++] = v[i];
    }
    return kept;
}

/* Puts those that were imagined gone back into the counts of the attempt. */
static void restore(struct attempt *a, struct node_info *n, const struct victim *v, size_t len)
{
    for (size_t i = 0; i < len; i++)
        attempt_imagine(a, n, v[i].pod, 1);
}

struct candidate {
    const char *node;
    struct victim *victims; /* owned; the most important first */
    size_t len;
    int broken;
};

static void candidate_release(struct candidate *c)
{
    for (size_t i = 0; i < c->len; i++)
        pod_info_unref(c->victims[i].pod);
    free(c->victims);
    *c = (struct candidate){0};
}

/* True with a candidate, else adds to `why` what keeps the pod away even so. */
static bool try_node(struct attempt *a, const struct node_info *real, struct budgets *b, struct candidate *out,
                     struct strlist *why)
{
    struct node_info *n = node_info_copy(real);
    struct verdict v = {0};
    *out = (struct candidate){.node = real->name};
    out->len = take_lesser(a, n, &out->victims);
    bool some = out->len > 0, ok = some && fits(a, n, &v);
    if (ok) {
        budgets_reset(b);
        for (size_t i = 0; i < out->len; i++)
            out->victims[i].broken = budgets_take(b, out->victims[i].pod);
        out->len = reprieve(a, n, out->victims, out->len, &out->broken);
    }
    restore(a, n, out->victims, out->len);
    if (!some)
        strlist_add(why, NO_VICTIMS);
    for (size_t i = 0; i < v.reasons.len; i++)
        strlist_add(why, v.reasons.items[i]);
    strlist_release(&v.reasons);
    node_info_free(n);
    if (!ok)
        candidate_release(out);
    return ok;
}

/* -- the least harm -- */

static int64_t harm_priority(const struct candidate *c)
{
    return c->len ? c->victims[0].pod->priority : INT64_MIN;
}

static int64_t harm_sum(const struct candidate *c)
{
    int64_t sum = 0;
    for (size_t i = 0; i < c->len; i++)
        sum += c->victims[i].pod->priority + INT32_MAX + INT64_C(1);
    return sum;
}

/* When the most important victims of the node began; the later the better. */
static const char *began(const struct candidate *c)
{
    const char *first = "~";
    for (size_t i = 0; i < c->len && c->victims[i].pod->priority == harm_priority(c); i++) {
        const char *at = jstr_or(c->victims[i].pod->pod, "status.startTime", "~");
        first = strcmp(at, first) < 0 ? at : first;
    }
    return first;
}

static bool less_harm(const struct candidate *a, const struct candidate *b)
{
    if (a->broken != b->broken)
        return a->broken < b->broken;
    if (harm_priority(a) != harm_priority(b))
        return harm_priority(a) < harm_priority(b);
    if (harm_sum(a) != harm_sum(b))
        return harm_sum(a) < harm_sum(b);
    return a->len != b->len ? a->len < b->len : strcmp(began(a), began(b)) > 0;
}

static void find_least(struct attempt *a, const struct verdict *verdicts, struct candidate *best, struct strlist *why)
{
    const struct cache *c = a->cache;
    size_t found = 0, want = c->present / 10 > CANDIDATES_MIN ? c->present / 10 : CANDIDATES_MIN;
    struct budgets budgets;
    budgets_load(&budgets, c->registry);
    for (size_t i = 0; i < c->len && found < want; i++) {
        struct candidate one;
        if (!c->nodes[i]->o)
            continue;
        if (!verdicts || verdicts[i].final || verdicts[i].outside) {
            strlist_add(why, NOT_HELPFUL);
            continue;
        }
        if (!try_node(a, c->nodes[i], &budgets, &one, why))
            continue;
        found++;
        if (best->node && !less_harm(&one, best)) {
            candidate_release(&one);
            continue;
        }
        candidate_release(best);
        *best = one;
    }
    budgets_release(&budgets);
}

/* -- the plan -- */

static bool ends_by_preemption(const json_t *pod)
{
    return jstr(pod, "metadata.deletionTimestamp") && condition_true(pod, "DisruptionTarget") &&
           str_eq(jstr(condition_get(pod, "DisruptionTarget"), "reason"), "PreemptionByScheduler");
}

/* Why it may not even try; NULL if it may. */
static const char *not_eligible(const struct attempt *a, const struct verdict *verdicts)
{
    const char *promised = jstr_or(a->pod, "status.nominatedNodeName", "");
    if (str_eq(jstr(a->pod, "spec.preemptionPolicy"), "Never"))
        return "not eligible due to preemptionPolicy=Never.";
    for (size_t i = 0; *promised && i < a->cache->len; i++) {
        const struct node_info *n = a->cache->nodes[i];
        if (!str_eq(n->name, promised) || !verdicts || verdicts[i].final)
            continue;
        for (size_t p = 0; p < n->pods.len; p++)
            if (n->pods.items[p]->priority < a->me->priority && ends_by_preemption(n->pods.trees[p]))
                return "not eligible due to a terminating pod on the nominated node.";
    }
    return NULL;
}

void preempt_plan(struct attempt *a, const struct verdict *verdicts, struct preemption *out)
{
    const char *no = not_eligible(a, verdicts);
    *out = (struct preemption){.keep = no != NULL};
    if (no) {
        out->text = xasprintf(PREFIX "%s", no);
        return;
    }
    _auto_strlist_ struct strlist why = {0};
    struct candidate best = {0};
    find_least(a, verdicts, &best, &why);
    if (!best.node) {
        _auto_free_ char *text = nodes_text(a->cache->present, &why);
        out->text = xasprintf(PREFIX "%s", text);
        return;
    }
    out->node = best.node;
    out->violations = best.broken;
    out->len = best.len;
    out->victims = xcalloc(best.len + 1, sizeof(struct pod_info *));
    for (size_t i = 0; i < best.len; i++)
        out->victims[i] = pod_info_ref(best.victims[i].pod);
    candidate_release(&best);
}

void preemption_release(struct preemption *p)
{
    for (size_t i = 0; i < p->len; i++)
        pod_info_unref(p->victims[i]);
    free(p->victims);
    free(p->text);
}

/* -- the act -- */

static int end_victim(struct attempt *a, const struct pod_info *v, const char *node, struct err *e)
{
    struct registry *r = a->cache->registry;
    char now[TIME_TEXT_LEN];
    now_text(loop_clock(a->l), now);
    struct disruption why = {now, "PreemptionByScheduler",
                             "default-scheduler: preempting to accommodate a higher priority pod"};
    if (reg_modify(r, WHO, RES.pods, v->ns, v->name, "status", edit_disrupted, &why, e) < 0 ||
        reg_remove(r, WHO, RES.pods, v->ns, v->name, &REG_DELETE_DEFAULT, e) < 0) {
        if (e->code != ERR_NOT_FOUND)
            return -1;
        err_clear(e);
        return 0;
    }
    report_preempted(a, v->pod, node);
    return 0;
}

static int edit_no_promise(json_t *pod, void *arg _unused_, struct err *e _unused_)
{
    if (!jstr(pod, "status.nominatedNodeName"))
        return 0;
    jdel(pod, "status.nominatedNodeName");
    return 1;
}

int preempt_act(struct attempt *a, const struct preemption *p, struct err *e)
{
    for (size_t i = 0; i < p->len; i++)
        if (end_victim(a, p->victims[i], p->node, e) < 0)
            return -1;
    /* Whoever of less priority was promised this node looks for another. */
    for (size_t i = 0; i < a->cache->nominees_len; i++) {
        const struct nominee *o = &a->cache->nominees[i];
        struct err ignored = ERR_INIT;
        if (str_eq(o->node, p->node) && o->pod->priority < a->me->priority)
            reg_modify(a->cache->registry, WHO, RES.pods, o->pod->ns, o->pod->name, "status", edit_no_promise, NULL,
                       &ignored);
    }
    return 0;
}
