/* rollout_state.c - see rollout_state.h. Words and order of the questions are kubectl's. THREADS: pure. */
#include "kubectl/verbs/rollout_state.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "kubectl/output/table.h"

#include <stdlib.h>

#define REVISION_KEY "deployment.kubernetes.io/revision"
#define CAUSE_KEY    "kubernetes.io/change-cause"

static int64_t revision_number(const json_t *object)
{
    const char *text = jmap(object, "metadata.annotations", REVISION_KEY);
    return text != NULL ? strtoll(text, NULL, 10) : jint(object, "revision", 0);
}

static bool timed_out(const json_t *d)
{
    const json_t *list = jat(d, "status.conditions");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(jstr(json_array_get(list, i), "type"), "Progressing"))
            return str_eq(jstr(json_array_get(list, i), "reason"), "ProgressDeadlineExceeded");
    return false;
}

static bool is_observed(const json_t *object)
{
    return jint(object, "metadata.generation", 0) <= jint(object, "status.observedGeneration", 0);
}

static int deployment_state(const json_t *d, int64_t revision, struct buf *out, struct err *e)
{
    const char *name = jstr_or(d, "metadata.name", "");
    long long want = jint(d, "spec.replicas", 0), all = jint(d, "status.replicas", 0);
    long long updated = jint(d, "status.updatedReplicas", 0), ready = jint(d, "status.availableReplicas", 0);
    if (revision > 0 && revision != revision_number(d))
        return err_set(e, ERR_CONFLICT, "desired revision (%lld) is different from the running revision (%lld)",
                       (long long)revision, (long long)revision_number(d));
    if (!is_observed(d)) {
        buf_adds(out, "Waiting for deployment spec update to be observed...\n");
        return 0;
    }
    if (timed_out(d))
        return err_set(e, ERR_TIMEOUT, "deployment \"%s\" exceeded its progress deadline", name);
    if (updated < want || all > updated || ready < updated)
        buf_addf(out, "Waiting for deployment \"%s\" rollout to finish: ", name);
    if (updated < want)
        buf_addf(out, "%lld out of %lld new replicas have been updated...\n", updated, want);
    else if (all > updated)
        buf_addf(out, "%lld old replicas are pending termination...\n", all - updated);
    else if (ready < updated)
        buf_addf(out, "%lld of %lld updated replicas are available...\n", ready, updated);
    else
        buf_addf(out, "deployment \"%s\" successfully rolled out\n", name);
    return updated >= want && all <= updated && ready >= updated;
}

static int needs_rolling(const json_t *object, struct err *e)
{
    if (str_eq(jstr(object, "spec.updateStrategy.type"), "RollingUpdate"))
        return 0;
    return err_set(e, ERR_BAD_REQUEST, "rollout status is only available for RollingUpdate strategy type");
}

static int daemon_state(const json_t *d, int64_t revision _unused_, struct buf *out, struct err *e)
{
    const char *name = jstr_or(d, "metadata.name", "");
    long long want = jint(d, "status.desiredNumberScheduled", 0);
    long long updated = jint(d, "status.updatedNumberScheduled", 0), ready = jint(d, "status.numberAvailable", 0);
    if (needs_rolling(d, e) < 0)
        return -1;
    if (!is_observed(d))
        buf_adds(out, "Waiting for daemon set spec update to be observed...\n");
    else if (updated < want)
        buf_addf(out,
                 "Waiting for daemon set \"%s\" rollout to finish: %lld out of %lld new pods have been updated...\n",
                 name, updated, want);
    else if (ready < want)
        buf_addf(out, "Waiting for daemon set \"%s\" rollout to finish: %lld of %lld updated pods are available...\n",
                 name, ready, want);
    else
        buf_addf(out, "daemon set \"%s\" successfully rolled out\n", name);
    return is_observed(d) && updated >= want && ready >= want;
}

/* With a partition only the pods above it are renewed. */
static int partition_state(const json_t *s, struct buf *out)
{
    const json_t *partition = jat(s, "spec.updateStrategy.rollingUpdate.partition");
    long long updated = jint(s, "status.updatedReplicas", 0);
    long long want = jint(s, "spec.replicas", 0) - (json_is_integer(partition) ? json_integer_value(partition) : 0);
    if (json_is_integer(partition) && updated < want) {
        buf_addf(out, "Waiting for partitioned roll out to finish: %lld out of %lld new pods have been updated...\n",
                 updated, want);
        return 0;
    }
    buf_addf(out, "partitioned roll out complete: %lld new pods have been updated...\n", updated);
    return 1;
}

static int stateful_state(const json_t *s, int64_t revision _unused_, struct buf *out, struct err *e)
{
    long long want = jint(s, "spec.replicas", 0), ready = jint(s, "status.readyReplicas", 0);
    if (needs_rolling(s, e) < 0)
        return -1;
    if (jint(s, "status.observedGeneration", 0) == 0 || !is_observed(s)) {
        buf_adds(out, "Waiting for statefulset spec update to be observed...\n");
        return 0;
    }
    if (ready < want) {
        buf_addf(out, "Waiting for %lld pods to be ready...\n", want - ready);
        return 0;
    }
    if (json_is_object(jat(s, "spec.updateStrategy.rollingUpdate")))
        return partition_state(s, out);
    if (!str_eq(jstr(s, "status.updateRevision"), jstr(s, "status.currentRevision"))) {
        buf_addf(out, "waiting for statefulset rolling update to complete %lld pods at revision %s...\n",
                 (long long)jint(s, "status.updatedReplicas", 0), jstr_or(s, "status.updateRevision", ""));
        return 0;
    }
    buf_addf(out, "statefulset rolling update complete %lld pods at revision %s...\n",
             (long long)jint(s, "status.currentReplicas", 0), jstr_or(s, "status.currentRevision", ""));
    return 1;
}

int rollout_state(const json_t *object, int64_t revision, struct buf *out, struct err *e)
{
    static const struct {
        const char *kind;
        int (*state)(const json_t *object, int64_t revision, struct buf *out, struct err *e);
    } kinds[] = {{"Deployment", deployment_state}, {"DaemonSet", daemon_state}, {"StatefulSet", stateful_state}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(kinds[i].kind, jstr(object, "kind")))
            return kinds[i].state(object, revision, out, e);
    return err_set(e, ERR_BAD_REQUEST, "no status viewer has been implemented for %s", jstr_or(object, "kind", ""));
}

/* ---- what came before ---- */

void rollout_past_release(struct rollout_past *r)
{
    free(r->items);
    *r = (struct rollout_past){0};
}

static bool is_owned(const json_t *object, const char *uid)
{
    const json_t *owners = jat(object, "metadata.ownerReferences");
    for (size_t i = 0; i < json_array_size(owners); i++)
        if (jbool(json_array_get(owners, i), "controller", false))
            return str_eq(jstr(json_array_get(owners, i), "uid"), uid);
    return false;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = ((const struct revision *)a)->number, y = ((const struct revision *)b)->number;
    return (x > y) - (x < y);
}

void rollout_past_of(const json_t *object, const json_t *list, struct rollout_past *out)
{
    size_t n = json_array_size(list);
    *out = (struct rollout_past){.items = xcalloc(n + 1, sizeof *out->items)};
    for (size_t i = 0; i < n; i++) {
        const json_t *r = json_array_get(list, i), *data = jat(r, "data.spec.template");
        if (is_owned(r, jstr(object, "metadata.uid")))
            out->items[out->len++] =
                (struct revision){revision_number(r), r, data != NULL ? data : jat(r, "spec.template")};
    }
    qsort(out->items, out->len, sizeof *out->items, by_number);
}

const struct revision *rollout_past_find(const struct rollout_past *r, int64_t number)
{
    if (number == 0)
        return r->len > 1 ? &r->items[r->len - 2] : NULL;
    for (size_t i = 0; i < r->len; i++)
        if (r->items[i].number == number)
            return &r->items[i];
    return NULL;
}

bool template_equal(const json_t *a, const json_t *b)
{
    _auto_json_ json_t *x = json_clone(a), *y = json_clone(b);
    json_t *const both[] = {x, y};
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        json_object_del(jmake_obj(both[i], "metadata.labels"), "pod-template-hash");
        jdel(both[i], "metadata.creationTimestamp");
        json_object_del(both[i], "$patch");
    }
    return json_equal(x, y) == 1;
}

void rollout_past_print(const struct rollout_past *r, struct buf *out)
{
    _auto_table_ struct table t = {.padding = 2};
    table_addf(&t, "REVISION\tCHANGE-CAUSE\n");
    for (size_t i = 0; i < r->len; i++) {
        const char *cause = jmap(r->items[i].object, "metadata.annotations", CAUSE_KEY);
        table_addf(&t, "%lld\t%s\n", (long long)r->items[i].number, str_empty(cause) ? "<none>" : cause);
    }
    table_align(&t, out);
}
