/* job_policy.c - what one pod's failure means for its Job, where the user has said so; and when some successes are
 * enough.
 *
 * Of a pod failure policy the first rule that matches counts. With a limit per index an index that failed too often is
 * given up, and the others go on. Source: pkg/controller/job/{pod_failure_policy,backoff_utils,success_policy}.go. */
#include "controllers/job_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

/* -- rules -- */

static bool code_listed(const json_t *values, int64_t code)
{
    for (size_t i = 0; i < json_array_size(values); i++)
        if (json_integer_value(json_array_get(values, i)) == code)
            return true;
    return false;
}

/* The container whose exit code the rule is about, or NULL. */
static const json_t *container_of_rule(const json_t *codes, const json_t *pod)
{
    static const char *const lists[] = {"status.containerStatuses", "status.initContainerStatuses"};
    const char *only = jstr(codes, "containerName");
    bool in = str_eq(jstr(codes, "operator"), "In");
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        for (size_t i = 0; i < json_array_size(jat(pod, lists[k])); i++) {
            const json_t *c = json_array_get(jat(pod, lists[k]), i);
            int64_t code = jint(c, "state.terminated.exitCode", 0);
            if (code == 0 || (only && !str_eq(only, jstr(c, "name"))))
                continue;
            if (code_listed(jat(codes, "values"), code) == in)
                return c;
        }
    return NULL;
}

static const char *condition_of_rule(const json_t *patterns, const json_t *pod)
{
    for (size_t i = 0; i < json_array_size(patterns); i++) {
        const json_t *pattern = json_array_get(patterns, i);
        const json_t *cond = condition_get(pod, jstr_or(pattern, "type", ""));
        if (cond && str_eq(jstr(cond, "status"), jstr_or(pattern, "status", "True")))
            return jstr(cond, "type");
    }
    return NULL;
}

/* Does rule `at` match? Then says how, for the job's message. */
static bool rule_matches(const json_t *rule, size_t at, const json_t *pod, char *out, size_t size)
{
    const char *action = jstr_or(rule, "action", "");
    const json_t *codes = jat(rule, "onExitCodes");
    if (codes) {
        const json_t *c = container_of_rule(codes, pod);
        if (c)
            snprintf(out, size, "Container %s for pod %s/%s failed with exit code %lld matching %s rule at index %zu",
                     jstr_or(c, "name", ""), obj_ns(pod), obj_name(pod),
                     (long long)jint(c, "state.terminated.exitCode", 0), action, at);
        return c != NULL;
    }
    const char *type = condition_of_rule(jat(rule, "onPodConditions"), pod);
    if (type)
        snprintf(out, size, "Pod %s/%s has condition %s matching %s rule at index %zu", obj_ns(pod), obj_name(pod),
                 type, action, at);
    return type != NULL;
}

const char *job_failure_action(struct job_round *r, const json_t *pod)
{
    const json_t *rules = jat(r->job, "spec.podFailurePolicy.rules");
    char how[sizeof r->message];
    if (!str_eq(jstr(pod, "status.phase"), "Failed"))
        return "Count";
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        if (!rule_matches(rule, i, pod, how, sizeof how))
            continue;
        if (str_eq(jstr(rule, "action"), "FailJob") && !*r->fail_job)
            snprintf(r->fail_job, sizeof r->fail_job, "%s", how);
        return jstr_or(rule, "action", "Count");
    }
    return "Count";
}

/* -- failures of one index -- */

bool job_per_index(const json_t *job)
{
    return job_indexed(job) && jat(job, "spec.backoffLimitPerIndex") != NULL;
}

static int64_t annotated(const json_t *pod, const char *key)
{
    const char *text = jmap(pod, "metadata.annotations", key);
    return text ? atoll(text) : 0;
}

int64_t job_index_failures(const struct job_round *r, int64_t index)
{
    int64_t most = 0;
    for (size_t i = 0; i < r->pods.len; i++) {
        const json_t *pod = r->pods.trees[i];
        if (job_pod_index(pod) != index || !pod_terminal(pod) || str_eq(jstr(pod, "status.phase"), "Succeeded"))
            continue;
        int64_t n = annotated(pod, ANN_FAILURES) + 1;
        most = n > most ? n : most;
    }
    return most;
}

void job_index_failed(struct job_round *r, const json_t *pod, const char *action)
{
    int64_t index = job_pod_index(pod);
    if (!job_per_index(r->job) || index < 0 || index >= r->indexes)
        return;
    if (str_eq(action, "FailIndex") || annotated(pod, ANN_FAILURES) + 1 > jint(r->job, "spec.backoffLimitPerIndex", 0))
        r->lost[index] = true;
}

int64_t job_lost_count(const struct job_round *r)
{
    int64_t n = 0;
    for (int64_t i = 0; i < r->indexes; i++)
        n += r->lost[i];
    return n;
}

/* -- enough successes -- */

/* The rule that is met, or -1. */
int job_success_rule(const struct job_round *r)
{
    const json_t *rules = jat(r->job, "spec.successPolicy.rules");
    for (size_t i = 0; r->done && i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        const char *text = jstr(rule, "succeededIndexes");
        _auto_free_ bool *named = xcalloc((size_t)r->indexes + 1, sizeof *named);
        int64_t of = 0, met = 0;
        job_indexes_parse(text ? text : "", named, r->indexes);
        for (int64_t k = 0; k < r->indexes; k++) {
            bool counts = !text || named[k];
            of += counts;
            met += counts && r->done[k];
        }
        int64_t need = jint(rule, "succeededCount", of);
        if (need > 0 && met >= need)
            return (int)i;
    }
    return -1;
}
