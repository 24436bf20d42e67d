/* filter_spread.c - topology spread: how evenly the pods a constraint means stand over its domains.
 *
 * DESIGN: constraints are compiled once an attempt; hard ones (DoNotSchedule) are counted by domain over all nodes that
 * count for them, soft ones (ScheduleAnyway) by score_pod.c. A pod without constraints gets two soft ones by default,
 * over hosts and zones, for the pods of its services and of the set that owns it.
 * Source: plugins/podtopologyspread/{common,filtering}.go, plugins/helper/spread.go. */
#include "scheduler/scheduler_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* -- compiling -- */

/* Takes the selector. */
static void constraint_begin(struct attempt *a, struct constraint *c, json_t *take_selector)
{
    struct err e = ERR_INIT;
    if (label_selector_from_json(take_selector, &c->selector, &e) < 0)
        label_selector_from_json(NULL, &c->selector, &e);
    _auto_free_ char *text = take_selector ? json_text(take_selector) : xstrdup("");
    c->memo = matches_row(a->cache, a->me->ns, text);
    c->by_host = str_eq(c->key, HOST_KEY);
    c->by_zone = c->counts.interned = str_eq(c->key, ZONE_KEY);
    c->counts_itself = label_selector_match(c->selector, a->me->labels);
    json_decref(take_selector);
}

static void read_constraint(struct attempt *a, const json_t *json)
{
    struct spread_state *s = &a->spread;
    bool hard = str_eq(jstr(json, "whenUnsatisfiable"), "DoNotSchedule");
    struct constraint *c = hard ? &s->hard[s->hard_len] : &s->soft[s->soft_len];
    if ((hard ? s->hard_len : s->soft_len) == MAX_CONSTRAINTS)
        return;
    *c = (struct constraint){
        .json = json,
        .key = jstr_or(json, "topologyKey", ""),
        .max_skew = jint(json, "maxSkew", 1),
        .min_domains = jint(json, "minDomains", 1),
        .hard = hard,
        .honor_affinity = !str_eq(jstr(json, "nodeAffinityPolicy"), "Ignore"),
        .honor_taints = str_eq(jstr(json, "nodeTaintsPolicy"), "Honor"),
    };
    constraint_begin(a, c, selector_with_keys(json, a->me->labels));
    hard ? s->hard_len++ : s->soft_len++;
}

/* -- the cluster's own constraints -- */

struct gather {
    const json_t *labels;
    json_t *match; /* owned by default_selector() */
};

static int gather_service(struct sobj *o, void *arg)
{
    struct gather *g = arg;
    const json_t *selector = jat(o->tree, "spec.selector");
    const char *key;
    json_t *value;
    if (!json_object_size(selector))
        return 0;
    json_object_foreach((json_t *)(uintptr_t)selector, key, value)
    {
        if (!json_equal(json_object_get(g->labels, key), value))
            return 0;
    }
    json_object_update(g->match, (json_t *)(uintptr_t)selector);
    return 0;
}

/* The selectors of the services that mean the pod and of the set that owns it, all at once. Returns new or NULL. */
static json_t *default_selector(const struct attempt *a)
{
    static const struct {
        const char *kind, *bucket;
    } owners[] = {{"ReplicationController", "replicationcontrollers"},
                  {"ReplicaSet", "replicasets.apps"},
                  {"StatefulSet", "statefulsets.apps"}};
    struct gather g = {a->me->labels, json_object()};
    json_t *out = json_pack("{s:o}", "matchLabels", g.match);
    struct snapshot *snap = reg_snapshot(a->cache->registry);
    snapshot_scan(snap, "services", a->me->ns, NULL, NULL, gather_service, &g);
    const json_t *owner = controller_of(a->pod);
    for (size_t i = 0; owner && i < ARRAY_LEN(owners); i++) {
        if (!str_eq(jstr(owner, "kind"), owners[i].kind))
            continue;
        _auto_sobj_ struct sobj *set = snapshot_get(snap, owners[i].bucket, a->me->ns, jstr_or(owner, "name", ""));
        json_t *selector = set ? jat(set->tree, "spec.selector") : NULL;
        json_object_update(g.match, i == 0 ? selector : json_object_get(selector, "matchLabels"));
        if (i > 0 && json_object_get(selector, "matchExpressions"))
            json_object_set(out, "matchExpressions", json_object_get(selector, "matchExpressions"));
    }
    snapshot_unref(snap);
    if (json_object_size(g.match) || json_object_get(out, "matchExpressions"))
        return out;
    json_decref(out);
    return NULL;
}

void spread_defaults(struct attempt *a)
{
    static const struct {
        const char *key;
        int64_t skew;
    } rows[] = {{HOST_KEY, 3}, {ZONE_KEY, 5}};
    if (json_array_size(jat(a->pod, "spec.topologySpreadConstraints")))
        return;
    _auto_json_ json_t *selector = default_selector(a);
    for (size_t i = 0; selector && i < ARRAY_LEN(rows); i++) {
        struct constraint *c = &a->spread.soft[a->spread.soft_len++];
        *c =
            (struct constraint){.key = rows[i].key, .max_skew = rows[i].skew, .min_domains = 1, .honor_affinity = true};
        constraint_begin(a, c, json_incref(selector));
    }
    a->spread.by_default = true;
}

/* -- counting -- */

bool spread_includes(const struct attempt *a, const struct constraint *c, const struct node_info *n)
{
    return (!c->honor_affinity || affinity_allows(a, n)) && (!c->honor_taints || taints_allow(a, n));
}

const char *spread_domain(const struct constraint *c, const struct node_info *n)
{
    return c->by_host ? n->host : c->by_zone ? n->zone : json_string_value(json_object_get(n->labels, c->key));
}

static bool has_every_key(const struct spread_state *s, const struct node_info *n)
{
    for (size_t i = 0; i < s->hard_len; i++)
        if (!spread_domain(&s->hard[i], n))
            return false;
    return true;
}

static void count_node(struct attempt *a, size_t at)
{
    const struct node_info *n = a->cache->nodes[at];
    if (!n->o || !has_every_key(&a->spread, n))
        return;
    for (size_t i = 0; i < a->spread.hard_len; i++) {
        struct constraint *c = &a->spread.hard[i];
        if (spread_includes(a, c, n))
            *domains_at(&c->counts, c->key, spread_domain(c, n)) += matches_count(c->memo, a->cache, at, c->selector);
    }
}

/* The fewest pods in any domain; none while there are fewer domains than the constraint wants. */
static int64_t fewest(const struct constraint *c)
{
    int64_t least = INT64_MAX;
    if ((int64_t)c->counts.len < c->min_domains)
        return 0;
    for (size_t i = 0; i < c->counts.cap; i++)
        if (c->counts.items[i].value && c->counts.items[i].count < least)
            least = c->counts.items[i].count;
    return least == INT64_MAX ? 0 : least;
}

void spread_prepare(struct attempt *a)
{
    size_t i;
    json_t *json;
    json_array_foreach(jat(a->pod, "spec.topologySpreadConstraints"), i, json) read_constraint(a, json);
    for (size_t n = 0; a->spread.hard_len && n < a->cache->len; n++)
        count_node(a, n);
    for (size_t h = 0; h < a->spread.hard_len; h++)
        a->spread.hard[h].least = fewest(&a->spread.hard[h]);
}

void spread_count(struct attempt *a, const struct node_info *n, const struct pod_info *p, int by)
{
    if (!str_eq(p->ns, a->me->ns) || !has_every_key(&a->spread, n) || jstr(p->pod, "metadata.deletionTimestamp"))
        return;
    for (size_t i = 0; i < a->spread.hard_len; i++) {
        struct constraint *c = &a->spread.hard[i];
        if (!spread_includes(a, c, n) || !label_selector_match(c->selector, p->labels))
            continue;
        *domains_at(&c->counts, c->key, spread_domain(c, n)) += by;
        c->least = fewest(c);
    }
}

static void constraints_release(struct constraint *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        label_selector_free(list[i].selector);
        domains_release(&list[i].counts);
    }
}

void spread_release(struct spread_state *s)
{
    constraints_release(s->hard, s->hard_len);
    constraints_release(s->soft, s->soft_len);
}

/* -- the filter -- */

void filter_spread(const struct attempt *a, const struct node_info *n, struct verdict *v)
{
    for (size_t i = 0; i < a->spread.hard_len; i++) {
        const struct constraint *c = &a->spread.hard[i];
        const char *value = spread_domain(c, n);
        if (!value) {
            refuse(v, true, "node(s) didn't match pod topology spread constraints (missing required label)");
            return;
        }
        int64_t here = domains_get(&c->counts, c->key, value);
        if (here + c->counts_itself - c->least > c->max_skew) {
            refuse(v, false, "node(s) didn't match pod topology spread constraints");
            return;
        }
    }
}
