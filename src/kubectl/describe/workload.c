/* workload.c - who makes pods: deployments, replica sets, stateful sets, daemon sets, jobs. THREADS: pure. */
#include "kubectl/describe/page_int.h"
#include "kubectl/verbs/rollout_state.h"

#include "api/printer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static bool is_controlled_by(const json_t *object, const char *uid)
{
    const json_t *owners = jat(object, "metadata.ownerReferences");
    for (size_t i = 0; i < json_array_size(owners); i++) {
        const json_t *o = json_array_get(owners, i);
        if (jbool(o, "controller", false))
            return str_eq(jstr(o, "uid"), uid);
    }
    return false;
}

void page_pod_phases(struct page *p, const json_t *object)
{
    static const char *const phases[] = {"Running", "Pending", "Succeeded", "Failed"};
    int count[ARRAY_LEN(phases)] = {0};
    const json_t *pods = jat(p->related, "pods");
    for (size_t i = 0; i < json_array_size(pods); i++) {
        const json_t *pod = json_array_get(pods, i);
        for (size_t j = 0; j < ARRAY_LEN(phases); j++)
            count[j] +=
                is_controlled_by(pod, jstr(object, "metadata.uid")) && str_eq(jstr(pod, "status.phase"), phases[j]);
    }
    if (jstr(p->related, "errors.pods") != NULL)
        page_put(p, 0, "Pods Status:\terror in fetching pods: %s\n", jstr(p->related, "errors.pods"));
    else
        page_put(p, 0, "Pods Status:\t%d Running / %d Waiting / %d Succeeded / %d Failed\n", count[0], count[1],
                 count[2], count[3]);
}

static void put_controller(struct page *p, const json_t *object)
{
    _auto_buf_ struct buf by = BUF_INIT;
    value_controller(&by, object);
    if (by.len > 0)
        page_put(p, 0, "Controlled By:\t%s\n", buf_str(&by));
}

static void put_current(struct page *p, const json_t *object)
{
    page_put(p, 0, "Replicas:\t%lld current / %lld desired\n", (long long)jint(object, "status.replicas", 0),
             (long long)jint(object, "spec.replicas", 0));
}

const struct row rows_replication_controller[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {"Selector:", ROW_PAIRS, "spec.selector", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_current, 0},
    {NULL, ROW_CALL, NULL, NULL, page_pod_phases, 0},
    {NULL, ROW_CALL, "spec.template", NULL, page_pod_template, 0},
    {NULL, ROW_CALL, "status.conditions", NULL, page_conditions_short, 0},
    ROWS_END,
};

const struct row rows_replica_set[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {"Selector:", ROW_SELECTOR, "spec.selector", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_controller, 0},
    {NULL, ROW_CALL, NULL, NULL, put_current, 0},
    {NULL, ROW_CALL, NULL, NULL, page_pod_phases, 0},
    {NULL, ROW_CALL, "spec.template", NULL, page_pod_template, 0},
    {NULL, ROW_CALL, "status.conditions", NULL, page_conditions_short, 0},
    ROWS_END,
};

/* -- deployments -- */

static void put_replicas(struct page *p, const json_t *d)
{
    page_put(p, 0, "Replicas:\t%lld desired | %lld updated | %lld total | %lld available | %lld unavailable\n",
             (long long)jint(d, "spec.replicas", 0), (long long)jint(d, "status.updatedReplicas", 0),
             (long long)jint(d, "status.replicas", 0), (long long)jint(d, "status.availableReplicas", 0),
             (long long)jint(d, "status.unavailableReplicas", 0));
}

static void put_rolling(struct page *p, const json_t *rolling)
{
    if (!json_is_object(rolling))
        return;
    _auto_buf_ struct buf text = BUF_INIT;
    value_text(&text, jat(rolling, "maxUnavailable"));
    buf_adds(&text, " max unavailable, ");
    value_text(&text, jat(rolling, "maxSurge"));
    page_put(p, 0, "RollingUpdateStrategy:\t%s max surge\n", buf_str(&text));
}

/* The oldest of the sets that have the deployment's template; NULL if none has. */
static const json_t *newest_set(const json_t *sets, const json_t *d)
{
    const json_t *found = NULL;
    for (size_t i = 0; i < json_array_size(sets); i++) {
        const json_t *s = json_array_get(sets, i);
        if (!is_controlled_by(s, jstr(d, "metadata.uid")) ||
            !template_equal(jat(s, "spec.template"), jat(d, "spec.template")))
            continue;
        if (found == NULL ||
            strcmp(jstr_or(s, "metadata.creationTimestamp", ""), jstr_or(found, "metadata.creationTimestamp", "")) < 0)
            found = s;
    }
    return found;
}

static void add_set(struct buf *out, const json_t *set)
{
    buf_addf(out, "%s%s (%lld/%lld replicas created)", out->len > 0 ? ", " : "", jstr_or(set, "metadata.name", ""),
             (long long)jint(set, "status.replicas", 0), (long long)jint(set, "spec.replicas", 0));
}

static void put_sets(struct page *p, const json_t *d)
{
    const json_t *sets = jat(p->related, "replica_sets"), *newest = newest_set(sets, d);
    _auto_buf_ struct buf old = BUF_INIT, new = BUF_INIT;
    for (size_t i = 0; i < json_array_size(sets); i++) {
        const json_t *s = json_array_get(sets, i);
        if (s != newest && is_controlled_by(s, jstr(d, "metadata.uid")))
            add_set(&old, s);
    }
    if (newest != NULL)
        add_set(&new, newest);
    if (old.len + new.len == 0)
        return;
    page_put(p, 0, "OldReplicaSets:\t%s\n", old.len > 0 ? buf_str(&old) : "<none>");
    page_put(p, 0, "NewReplicaSet:\t%s\n", new.len > 0 ? buf_str(&new) : "<none>");
}

const struct row rows_deployment[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {"CreationTimestamp:", ROW_TIME, "metadata.creationTimestamp", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {"Selector:", ROW_SELECTOR, "spec.selector", "", NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_replicas, 0},
    {"StrategyType:", ROW_SHOW, "spec.strategy.type", NULL, NULL, 0},
    {"MinReadySeconds:", ROW_NUMBER, "spec.minReadySeconds", NULL, NULL, 0},
    {NULL, ROW_CALL, "spec.strategy.rollingUpdate", NULL, put_rolling, 0},
    {NULL, ROW_CALL, "spec.template", NULL, page_pod_template, 0},
    {NULL, ROW_CALL, "status.conditions", NULL, page_conditions_short, 0},
    {NULL, ROW_CALL, NULL, NULL, put_sets, 0},
    ROWS_END,
};

/* -- stateful sets -- */

static void put_update(struct page *p, const json_t *s)
{
    const json_t *rolling = jat(s, "spec.updateStrategy.rollingUpdate");
    page_put(p, 0, "Replicas:\t%lld desired | %lld total\n", (long long)jint(s, "spec.replicas", 0),
             (long long)jint(s, "status.replicas", 0));
    page_put(p, 0, "Update Strategy:\t%s\n", jstr_or(s, "spec.updateStrategy.type", ""));
    if (!json_is_integer(jat(rolling, "partition")))
        return;
    page_put(p, 1, "Partition:\t%lld\n", (long long)jint(rolling, "partition", 0));
    if (jat(rolling, "maxUnavailable") == NULL)
        return;
    _auto_buf_ struct buf text = BUF_INIT;
    value_text(&text, jat(rolling, "maxUnavailable"));
    page_put(p, 1, "MaxUnavailable:\t%s\n", buf_str(&text));
}

static void put_claims(struct page *p, const json_t *templates)
{
    size_t n = json_array_size(templates);
    page_put(p, 0, "Volume Claims:%s\n", n == 0 ? "\t<none>" : "");
    for (size_t i = 0; i < n; i++) {
        const json_t *t = json_array_get(templates, i);
        const char *class = jmap(t, "metadata.annotations", "volume.beta.kubernetes.io/storage-class");
        _auto_buf_ struct buf modes = BUF_INIT;
        value_text(&modes, jat(t, "spec.accessModes"));
        page_put(p, 1, "Name:\t%s\n", jstr_or(t, "metadata.name", ""));
        page_put(p, 1, "StorageClass:\t%s\n", class != NULL ? class : jstr_or(t, "spec.storageClassName", ""));
        page_labels(p, "  ", "Labels:", jat(t, "metadata.labels"));
        page_labels(p, "  ", "Annotations:", jat(t, "metadata.annotations"));
        page_put(p, 1, "Capacity:\t%s\n", jstr_or(t, "spec.resources.requests.storage", "<default>"));
        page_put(p, 1, "Access Modes:\t%s\n", json_is_array(jat(t, "spec.accessModes")) ? buf_str(&modes) : "[]");
    }
}

const struct row rows_stateful_set[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {"CreationTimestamp:", ROW_TIME, "metadata.creationTimestamp", NULL, NULL, 0},
    {"Selector:", ROW_SELECTOR, "spec.selector", "", NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_update, 0},
    {NULL, ROW_CALL, NULL, NULL, page_pod_phases, 0},
    {NULL, ROW_CALL, "spec.template", NULL, page_pod_template, 0},
    {NULL, ROW_CALL, "spec.volumeClaimTemplates", NULL, put_claims, 0},
    ROWS_END,
};

/* -- daemon sets: their counts stand behind a blank, not in a column -- */

static void put_counts(struct page *p, const json_t *status)
{
    static const char *const counts[][2] = {
        {"Desired Number of Nodes Scheduled", "desiredNumberScheduled"},
        {"Current Number of Nodes Scheduled", "currentNumberScheduled"},
        {"Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"},
        {"Number of Nodes Scheduled with Available Pods", "numberAvailable"},
        {"Number of Nodes Misscheduled", "numberMisscheduled"},
    };
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        page_put(p, 0, "%s: %lld\n", counts[i][0], (long long)jint(status, counts[i][1], 0));
}

const struct row rows_daemon_set[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Selector:", ROW_SELECTOR, "spec.selector", "", NULL, 0},
    {"Node-Selector:", ROW_PAIRS, "spec.template.spec.nodeSelector", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {NULL, ROW_CALL, "status", NULL, put_counts, 0},
    {NULL, ROW_CALL, NULL, NULL, page_pod_phases, 0},
    {NULL, ROW_CALL, "spec.template", NULL, page_pod_template, 0},
    ROWS_END,
};

/* -- jobs -- */

static void put_duration(struct page *p, const json_t *job)
{
    int64_t start, end;
    char text[24];
    const char *from = jstr(job, "status.startTime"), *to = jstr(job, "status.completionTime");
    if (from == NULL || to == NULL || time_parse(from, &start) < 0 || time_parse(to, &end) < 0)
        return;
    human_duration(end - start, text);
    page_put(p, 0, "Duration:\t%s\n", text);
}

/* At most 50 characters of "0-3,5,7", to the end of a part. */
static void put_indexes(struct page *p, const char *indexes)
{
    size_t n = strlen(indexes), end = n < 50 ? n : 50 + strcspn(indexes + 50, ",");
    bool cut = end < n;
    page_put(p, 0, "Completed Indexes:\t%.*s%s\n", (int)(cut ? end + 1 : n), n > 0 ? indexes : "",
             n == 0 ? "<none>"
             : cut  ? "..."
                    : "");
}

static void put_statuses(struct page *p, const json_t *job)
{
    const json_t *ready = jat(job, "status.ready");
    page_put(p, 0, "Pods Statuses:\t%lld Active", (long long)jint(job, "status.active", 0));
    if (json_is_integer(ready))
        page_put(p, 0, " (%lld Ready)", (long long)json_integer_value(ready));
    page_put(p, 0, " / %lld Succeeded / %lld Failed\n", (long long)jint(job, "status.succeeded", 0),
             (long long)jint(job, "status.failed", 0));
    if (str_eq(jstr(job, "spec.completionMode"), "Indexed"))
        put_indexes(p, jstr_or(job, "status.completedIndexes", ""));
}

const struct row rows_job[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {"Selector:", ROW_SELECTOR, "spec.selector", "", NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_controller, 0},
    {"Parallelism:", ROW_SOME, "spec.parallelism", NULL, NULL, 0},
    {"Completions:", ROW_ELSE, "spec.completions", "<unset>", NULL, 0},
    {"Completion Mode:", ROW_SOME, "spec.completionMode", NULL, NULL, 0},
    {"Suspend:", ROW_SOME, "spec.suspend", NULL, NULL, 0},
    {"Backoff Limit:", ROW_SOME, "spec.backoffLimit", NULL, NULL, 0},
    {"TTL Seconds After Finished:", ROW_SOME, "spec.ttlSecondsAfterFinished", NULL, NULL, 0},
    {"Start Time:", ROW_TIME_SOME, "status.startTime", NULL, NULL, 0},
    {"Completed At:", ROW_TIME_SOME, "status.completionTime", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_duration, 0},
    {"Active Deadline Seconds:", ROW_SOME, "spec.activeDeadlineSeconds", "s", NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_statuses, 0},
    {NULL, ROW_CALL, "spec.template", NULL, page_pod_template, 0},
    ROWS_END,
};

static void put_suspended(struct page *p, const json_t *cron)
{
    const json_t *suspend = jat(cron, "spec.suspend"), *deadline = jat(cron, "spec.startingDeadlineSeconds");
    page_put(p, 0, "Suspend:\t%s\n", json_is_boolean(suspend) ? (json_is_true(suspend) ? "True" : "False") : "<unset>");
    static const struct row limits[] = {
        {"Successful Job History Limit:", ROW_ELSE, "spec.successfulJobsHistoryLimit", "<unset>", NULL, 0},
        {"Failed Job History Limit:", ROW_ELSE, "spec.failedJobsHistoryLimit", "<unset>", NULL, 0},
        ROWS_END,
    };
    page_rows(p, limits, cron);
    if (json_is_integer(deadline))
        page_put(p, 0, "Starting Deadline Seconds:\t%llds\n", (long long)json_integer_value(deadline));
    else
        page_put(p, 0, "Starting Deadline Seconds:\t<unset>\n");
}

static void put_job_template(struct page *p, const json_t *job)
{
    static const struct row counts[] = {
        {"Parallelism:", ROW_ELSE, "spec.parallelism", "<unset>", NULL, 0},
        {"Completions:", ROW_ELSE, "spec.completions", "<unset>", NULL, 0},
        {"Active Deadline Seconds:", ROW_SOME, "spec.activeDeadlineSeconds", "s", NULL, 0},
        ROWS_END,
    };
    _auto_buf_ struct buf selector = BUF_INIT;
    if (json_is_object(jat(job, "spec.selector")))
        value_selector(&selector, jat(job, "spec.selector"), "");
    else
        buf_adds(&selector, "<unset>");
    page_put(p, 0, "Selector:\t%s\n", buf_str(&selector));
    page_rows(p, counts, job);
    page_pod_template(p, jat(job, "spec.template"));
}

static void put_active(struct page *p, const json_t *cron)
{
    const json_t *active = jat(cron, "status.active");
    _auto_buf_ struct buf last = BUF_INIT;
    if (jstr(cron, "status.lastScheduleTime") != NULL)
        value_time(&last, jstr(cron, "status.lastScheduleTime"));
    else
        buf_adds(&last, "<unset>");
    page_put(p, 0, "Last Schedule Time:\t%s\n", buf_str(&last));
    page_put(p, 0, "Active Jobs:\t");
    for (size_t i = 0; i < json_array_size(active); i++)
        page_put(p, 0, "%s%s", i > 0 ? ", " : "", jstr_or(json_array_get(active, i), "name", ""));
    page_end(p, json_array_size(active) == 0 ? "<none>" : "");
}

const struct row rows_cron_job[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Namespace:", ROW_SHOW, "metadata.namespace", NULL, NULL, 0},
    {"Labels:", ROW_LABELS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_ANNOTATIONS, "metadata.annotations", NULL, NULL, 0},
    {"Schedule:", ROW_SHOW, "spec.schedule", NULL, NULL, 0},
    {"Concurrency Policy:", ROW_SHOW, "spec.concurrencyPolicy", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_suspended, 0},
    {NULL, ROW_CALL, "spec.jobTemplate", NULL, put_job_template, 0},
    {NULL, ROW_CALL, NULL, NULL, put_active, 0},
    ROWS_END,
};
