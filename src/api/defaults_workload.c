/* defaults_workload.c - conditional defaults of stateful sets, daemon sets, jobs and limit ranges. See defaults.c.
 * THREADS: pure. */
#include "api/defaults_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

enum { BACKOFF_LIMIT = 6, BACKOFF_UNLIMITED = 2147483647 };

static void make_member(json_t *obj, const char *name)
{
    json_t *v = json_object_get(obj, name);
    if (!v || json_is_null(v))
        json_object_set_new_nocheck(obj, name, json_object());
}

void default_statefulset_spec(json_t *spec)
{
    make_member(spec, "persistentVolumeClaimRetentionPolicy");
}

/* A type that is given comes with what is given: only one that is not brings its parameters. */
void default_statefulset_strategy(json_t *strategy)
{
    if (!str_empty(jstr(strategy, "type")))
        return;
    jset_str(strategy, "type", "RollingUpdate");
    make_member(strategy, "rollingUpdate");
}

void default_daemonset_strategy(json_t *strategy)
{
    if (str_eq(jstr(strategy, "type"), "RollingUpdate"))
        make_member(strategy, "rollingUpdate");
}

static void set_unless_there(json_t *obj, const char *path, json_t *take_value)
{
    const json_t *v = jat(obj, path);
    if (v && !json_is_null(v))
        json_decref(take_value);
    else
        jset(obj, path, take_value);
}

/* By cpu at 80 %, if by nothing else. */
void default_autoscaler_spec(json_t *spec)
{
    if (!json_array_size(json_object_get(spec, "metrics")))
        jset(spec, "metrics",
             json_pack("[{s:s, s:{s:s, s:{s:s, s:i}}}]", "type", "Resource", "resource", "name", "cpu", "target",
                       "type", "Utilization", "averageUtilization", 80));
}

static json_t *policy(const char *type, int value)
{
    return json_pack("{s:s, s:i, s:i}", "type", type, "value", value, "periodSeconds", 15);
}

/* Rules that are given in part are completed; if only one direction is given, the other gets all of its defaults. */
void default_autoscaler_behavior(json_t *behavior)
{
    json_t *up = jmake_obj(behavior, "scaleUp"), *down = jmake_obj(behavior, "scaleDown");
    if (!json_object_get(up, "stabilizationWindowSeconds"))
        jset_int(up, "stabilizationWindowSeconds", 0);
    if (!jstr(up, "selectPolicy"))
        jset_str(up, "selectPolicy", "Max");
    if (!json_array_size(json_object_get(up, "policies")))
        jset(up, "policies", json_pack("[o, o]", policy("Pods", 4), policy("Percent", 100)));
    if (!jstr(down, "selectPolicy"))
        jset_str(down, "selectPolicy", "Max");
    if (!json_array_size(json_object_get(down, "policies")))
        jset(down, "policies", json_pack("[o]", policy("Percent", 100)));
}

/* What the template says of labels is said of its selector and of itself. */
void default_replication_controller(json_t *rc)
{
    const json_t *labels = jat(rc, "spec.template.metadata.labels");
    if (!json_object_size(labels))
        return;
    if (!json_object_size(jat(rc, "spec.selector")))
        jset(rc, "spec.selector", json_deep_copy(labels));
    if (!json_object_size(jat(rc, "metadata.labels")))
        jset(rc, "metadata.labels", json_deep_copy(labels));
}

/* Not of the spec, which cron jobs hold as it was given. */
void default_job(json_t *job)
{
    json_t *spec = jmake_obj(job, "spec");
    bool amounts = jat(spec, "completions") || jat(spec, "parallelism");
    const json_t *labels = jat(spec, "template.metadata.labels");
    if (!amounts)
        jset_int(spec, "completions", 1);
    set_unless_there(spec, "parallelism", json_integer(1));
    set_unless_there(spec, "backoffLimit",
                     json_integer(jat(spec, "backoffLimitPerIndex") ? BACKOFF_UNLIMITED : BACKOFF_LIMIT));
    set_unless_there(spec, "completionMode", json_string("NonIndexed"));
    set_unless_there(spec, "suspend", json_false());
    set_unless_there(spec, "manualSelector", json_false());
    set_unless_there(spec, "podReplacementPolicy",
                     json_string(jat(spec, "podFailurePolicy") ? "Failed" : "TerminatingOrFailed"));
    if (json_object_size(jat(job, "metadata.labels")) == 0 && json_object_size(labels) > 0)
        jset(job, "metadata.labels", json_deep_copy(labels));
    json_t *rules = jat(spec, "podFailurePolicy.rules"), *conditions, *condition;
    for (size_t i = 0; i < json_array_size(rules); i++) {
        size_t k;
        conditions = jat(json_array_get(rules, i), "onPodConditions");
        json_array_foreach(conditions, k, condition)
        {
            if (str_empty(jstr(condition, "status")))
                jset_str(condition, "status", "True");
        }
    }
}

/* What `from` has and `to` has not. */
static void fill_amounts(json_t *item, const char *to, const char *from)
{
    const char *key;
    json_t *v;
    json_object_foreach(json_object_get(item, from), key, v)
    {
        json_t *into = jmake_obj(item, to);
        if (!json_object_get(into, key))
            json_object_set_nocheck(into, key, v);
    }
}

/* Containers: the limit is the maximum, the request the limit, or the minimum. */
void default_limit_range_item(json_t *item)
{
    if (!str_eq(jstr(item, "type"), "Container"))
        return;
    fill_amounts(item, "default", "max");
    fill_amounts(item, "defaultRequest", "default");
    fill_amounts(item, "defaultRequest", "min");
}
