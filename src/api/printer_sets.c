/* printer_sets.c - columns of StatefulSet, DaemonSet, Job, CronJob and ResourceQuota. THREADS: pure functions. */
#include "api/printer.h"
#include "api/printer_int.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define CONTAINERS_TEXT "Names of each container in the template."
#define IMAGES_TEXT     "Images referenced by each container in the template."

static void put_text(struct buf *out, char *take_text)
{
    cell_text(out, take_text);
    free_cleanup(&take_text);
}

/* -- stateful sets -- */

static void statefulset_ready(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    put_text(out, xasprintf("%lld/%lld", (long long)jint(obj, "status.readyReplicas", 0),
                            (long long)jint(obj, "spec.replicas", 0)));
}

static const struct column statefulset_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Ready", "string", "", 0, statefulset_ready, "Number of the pod with ready state"},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
    {"Containers", "string", "", 1, cell_containers, CONTAINERS_TEXT},
    {"Images", "string", "", 1, cell_images, IMAGES_TEXT},
};
const struct printer printer_statefulset = {"apps", "StatefulSet", statefulset_columns, ARRAY_LEN(statefulset_columns),
                                            NULL};

/* -- daemon sets -- */

#define STATUS_COUNT(function, field)                                                                                  \
    static void function(struct buf *out, const json_t *obj, int64_t now)                                              \
    {                                                                                                                  \
        (void)now;                                                                                                     \
        cell_int(out, jint(obj, "status." field, 0));                                                                  \
    }
STATUS_COUNT(daemons_desired, "desiredNumberScheduled")
STATUS_COUNT(daemons_current, "currentNumberScheduled")
STATUS_COUNT(daemons_ready, "numberReady")
STATUS_COUNT(daemons_updated, "updatedNumberScheduled")
STATUS_COUNT(daemons_available, "numberAvailable")

static void daemons_selector(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    _auto_strlist_ struct strlist pairs = {0};
    const char *key;
    json_t *v;
    json_object_foreach(jat(obj, "spec.template.spec.nodeSelector"), key, v)
        strlist_addf(&pairs, "%s=%s", key, json_string_value(v));
    strlist_sort(&pairs);
    _auto_free_ char *text = strlist_join(&pairs, ",");
    cell_text_or(out, text, "<none>");
}

#define DAEMONSET_URL "More info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/"
static const struct column daemonset_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Desired", "integer", "", 0, daemons_desired,
     "The total number of nodes that should be running the daemon pod (including nodes correctly running the daemon "
     "pod). " DAEMONSET_URL},
    {"Current", "integer", "", 0, daemons_current,
     "The number of nodes that are running at least 1 daemon pod and are supposed to run the daemon "
     "pod. " DAEMONSET_URL},
    {"Ready", "integer", "", 0, daemons_ready,
     "The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and "
     "ready."},
    {"Up-to-date", "integer", "", 0, daemons_updated, "The total number of nodes that are running updated daemon pod"},
    {"Available", "integer", "", 0, daemons_available,
     "The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and "
     "available (ready for at least spec.minReadySeconds)"},
    {"Node Selector", "string", "", 0, daemons_selector,
     "NodeSelector is a selector which must be true for the pod to fit on a node. Selector which must match a node's "
     "labels for the pod to be scheduled on that node. More info: "
     "https://kubernetes.io/docs/concepts/configuration/assign-pod-node/"},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
    {"Containers", "string", "", 1, cell_containers, CONTAINERS_TEXT},
    {"Images", "string", "", 1, cell_images, IMAGES_TEXT},
    {"Selector", "string", "", 1, cell_selector,
     "A label query over pods that are managed by the daemon set. Must match in order to be controlled. If empty, "
     "defaulted to labels on Pod template. More info: "
     "https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors"},
};
const struct printer printer_daemonset = {"apps", "DaemonSet", daemonset_columns, ARRAY_LEN(daemonset_columns), NULL};

/* -- jobs -- */

static bool has_condition(const json_t *obj, const char *type)
{
    const json_t *list = jat(obj, "status.conditions");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);
        if (str_eq(jstr(c, "type"), type) && str_eq(jstr(c, "status"), "True"))
            return true;
    }
    return false;
}

static void job_status(struct buf *out, const json_t *obj, int64_t now)
{
    static const char *const ends[] = {"Complete", "Failed"}, *const states[] = {"Suspended", "FailureTarget",
                                                                                 "SuccessCriteriaMet"};
    (void)now;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (has_condition(obj, ends[i])) {
            cell_text(out, ends[i]);
            return;
        }
    if (jstr(obj, "metadata.deletionTimestamp") != NULL) {
        cell_text(out, "Terminating");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (has_condition(obj, states[i])) {
            cell_text(out, states[i]);
            return;
        }
    cell_text(out, "Running");
}

static void job_completions(struct buf *out, const json_t *obj, int64_t now)
{
    long long done = (long long)jint(obj, "status.succeeded", 0),
              parallel = (long long)jint(obj, "spec.parallelism", 0);
    (void)now;
    if (jat(obj, "spec.completions") != NULL)
        put_text(out, xasprintf("%lld/%lld", done, (long long)jint(obj, "spec.completions", 0)));
    else if (parallel > 1)
        put_text(out, xasprintf("%lld/1 of %lld", done, parallel));
    else
        put_text(out, xasprintf("%lld/1", done));
}

static void job_duration(struct buf *out, const json_t *obj, int64_t now)
{
    const char *start = jstr(obj, "status.startTime"), *end = jstr(obj, "status.completionTime");
    int64_t end_ns = now;
    if (start == NULL)
        cell_text(out, "");
    else if (end != NULL && time_parse(end, &end_ns) < 0)
        cell_text(out, "<unknown>");
    else
        cell_since(out, start, end_ns);
}

static const struct column job_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Status", "string", "", 0, job_status, "Status of the job."},
    {"Completions", "string", "", 0, job_completions,
     "The number of pods which reached phase Succeeded. The value increases monotonically for a given spec. However, "
     "it "
     "may decrease in reaction to scale down of elastic indexed jobs."},
    {"Duration", "string", "", 0, job_duration, "Time required to complete the job."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
    {"Containers", "string", "", 1, cell_containers, CONTAINERS_TEXT},
    {"Images", "string", "", 1, cell_images, IMAGES_TEXT},
    {"Selector", "string", "", 1, cell_selector,
     "A label query over pods that should match the pod count. Normally, the system sets this field for you. More "
     "info: "
     "https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors"},
};
const struct printer printer_job = {"batch", "Job", job_columns, ARRAY_LEN(job_columns), NULL};

/* -- cron jobs: the cells of templates read the job's -- */

static void cronjob_schedule(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "spec.schedule"));
}

static void cronjob_zone(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text_or(out, jstr(obj, "spec.timeZone"), "<none>");
}

static void cronjob_suspend(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jat(obj, "spec.suspend") == NULL ? "<unset>" : jbool(obj, "spec.suspend", false) ? "True" : "False");
}

static void cronjob_active(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_int(out, (int64_t)json_array_size(jat(obj, "status.active")));
}

static void cronjob_last(struct buf *out, const json_t *obj, int64_t now)
{
    const char *last = jstr(obj, "status.lastScheduleTime");
    if (last == NULL)
        cell_text(out, "<none>");
    else
        cell_since(out, last, now);
}

static void cronjob_containers(struct buf *out, const json_t *obj, int64_t now)
{
    cell_containers(out, jat(obj, "spec.jobTemplate"), now);
}

static void cronjob_images(struct buf *out, const json_t *obj, int64_t now)
{
    cell_images(out, jat(obj, "spec.jobTemplate"), now);
}

static void cronjob_selector(struct buf *out, const json_t *obj, int64_t now)
{
    const json_t *job = jat(obj, "spec.jobTemplate");
    if (jat(job, "spec.selector") == NULL)
        cell_text(out, "<none>");
    else
        cell_selector(out, job, now);
}

static const struct column cronjob_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Schedule", "string", "", 0, cronjob_schedule,
     "The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron."},
    {"Timezone", "string", "", 0, cronjob_zone,
     "The time zone name for the given schedule, see https://en.wikipedia.org/wiki/List_of_tz_database_time_zones. If "
     "not specified, this will default to the time zone of the kube-controller-manager process. The set of valid time "
     "zone names and the time zone offset is loaded from the system-wide time zone database by the API server during "
     "CronJob validation and the controller manager during execution. If no system-wide time zone database can be "
     "found a bundled version of the database is used instead. If the time zone name becomes invalid during the "
     "lifetime of a CronJob or due to a change in host configuration, the controller will stop creating new new Jobs "
     "and will create a system event with the reason UnknownTimeZone. More information can be found in "
     "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones"},
    {"Suspend", "boolean", "", 0, cronjob_suspend,
     "This flag tells the controller to suspend subsequent executions, it does not apply to already started "
     "executions.  Defaults to false."},
    {"Active", "integer", "", 0, cronjob_active, "A list of pointers to currently running jobs."},
    {"Last Schedule", "string", "", 0, cronjob_last,
     "Information when was the last time the job was successfully scheduled."},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
    {"Containers", "string", "", 1, cronjob_containers, CONTAINERS_TEXT},
    {"Images", "string", "", 1, cronjob_images, IMAGES_TEXT},
    {"Selector", "string", "", 1, cronjob_selector,
     "A label query over pods that should match the pod count. Normally, the system sets this field for you. More "
     "info: "
     "https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors"},
};
const struct printer printer_cronjob = {"batch", "CronJob", cronjob_columns, ARRAY_LEN(cronjob_columns), NULL};

/* -- quotas: limits of what pods may use apart from the rest -- */

static void quota_amounts(struct buf *out, const json_t *obj, bool limits)
{
    _auto_strlist_ struct strlist parts = {0}, names = {0};
    const char *key;
    json_t *v;
    json_object_foreach(jat(obj, "status.hard"), key, v) strlist_add(&names, key);
    strlist_sort(&names);
    for (size_t i = 0; i < names.len; i++) {
        const char *used = jmap(obj, "status.used", names.items[i]);
        if (str_starts(names.items[i], "limits.") == limits)
            strlist_addf(&parts, "%s: %s/%s", names.items[i], used ? used : "0",
                         jmap(obj, "status.hard", names.items[i]));
    }
    put_text(out, strlist_join(&parts, ", "));
}

static void quota_requests(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    quota_amounts(out, obj, false);
}

static void quota_limits(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    quota_amounts(out, obj, true);
}

static const struct column quota_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Age", "string", "", 0, cell_age, COLUMN_CREATED_TEXT},
    {"Request", "string", "", 0, quota_requests,
     "Request represents a minimum amount of cpu/memory that a container may consume."},
    {"Limit", "string", "", 0, quota_limits,
     "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node."},
};
const struct printer printer_quota = {"", "ResourceQuota", quota_columns, ARRAY_LEN(quota_columns), NULL};
