/* job.c - the rules of jobs and cron jobs.
 *
 * A job's selector is the server's own unless manualSelector says otherwise, and most of its spec is final: what counts
 * as done must not change on the way. THREADS: pure functions. Source: pkg/apis/batch/validation. */
#include "api/validate/workload_int.h"

#include "api/cron.h"
#include "api/selector.h"

enum { MAX_INDEXED_PARALLELISM = 100000, MAX_CRON_NAME = 52 };
#define TEMPLATE(spec_path) FIELD(spec_path, "template")

static bool indexed(const json_t *spec)
{
    return strcmp(vstr(spec, "completionMode"), "Indexed") == 0;
}

/* -- pod failure policy, success policy -- */

static void exit_codes_check(const struct change *c, const struct vpath *p, const json_t *codes, const json_t *spec)
{
    static const char *const operators[] = {"In", "NotIn", NULL};
    const char *op = vstr(codes, "operator"), *container = vstr(codes, "containerName");
    const json_t *values = vget(codes, "values");
    v_choice(c->errs, FIELD(p, "operator"), op, operators);
    if (vhas(codes, "containerName")) {
        bool found = false;
        static const char *const lists[] = {"template.spec.containers", "template.spec.initContainers"};
        for (size_t k = 0; k < ARRAY_LEN(lists); k++)
            for (size_t i = 0; i < json_array_size(jat(spec, lists[k])); i++)
                found = found || strcmp(vstr(json_array_get(jat(spec, lists[k]), i), "name"), container) == 0;
        if (!found)
            v_invalid(c->errs, FIELD(p, "containerName"), container,
                      "must be one of the container or initContainer names in the pod template");
    }
    if (json_array_size(values) == 0)
        v_invalid_go(c->errs, FIELD(p, "values"), go_list_text("int32", values), "at least one value is required");
    else if (json_array_size(values) > 255)
        v_too_many(c->errs, FIELD(p, "values"), json_array_size(values), 255);
    for (size_t i = 0; i < json_array_size(values); i++)
        if (strcmp(op, "In") == 0 && json_integer_value(json_array_get(values, i)) == 0)
            v_invalid_int(c->errs, ITEM(FIELD(p, "values"), i), 0, "must not be 0 for the In operator");
}

static void failure_rule_check(const struct change *c, const struct vpath *p, const json_t *rule, const json_t *spec)
{
    static const char *const actions[] = {"Count", "FailIndex", "FailJob", "Ignore", NULL};
    const char *action = vstr(rule, "action");
    const json_t *codes = vget(rule, "onExitCodes");
    bool conditions = json_array_size(vget(rule, "onPodConditions")) > 0;
    if (*action == '\0')
        v_required(c->errs, FIELD(p, "action"), "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]");
    else if (strcmp(action, "FailIndex") == 0 && !vhas(spec, "backoffLimitPerIndex"))
        v_invalid(c->errs, FIELD(p, "action"), action, "requires the backoffLimitPerIndex to be set");
    else if (!one_of(action, actions))
        v_unsupported(c->errs, FIELD(p, "action"), action, actions);
    if (codes != NULL)
        exit_codes_check(c, FIELD(p, "onExitCodes"), codes, spec);
    if (codes != NULL && conditions)
        v_invalid_go(c->errs, p, xstrdup("\"\""), "specifying both OnExitCodes and OnPodConditions is not supported");
    if (codes == NULL && !conditions)
        v_invalid_go(c->errs, p, xstrdup("\"\""), "specifying one of OnExitCodes and OnPodConditions is required");
}

static void policies_check(const struct change *c, const struct vpath *p, const json_t *spec)
{
    static const char *const replacements[] = {"Failed", "TerminatingOrFailed", NULL}, *const failed[] = {"Failed",
                                                                                                          NULL};
    const json_t *rules = jat(spec, "podFailurePolicy.rules");
    for (size_t i = 0; i < json_array_size(rules); i++)
        failure_rule_check(c, ITEM(FIELD(FIELD(p, "podFailurePolicy"), "rules"), i), json_array_get(rules, i), spec);
    if (vhas(spec, "successPolicy")) {
        if (!indexed(spec))
            v_invalid_go(c->errs, FIELD(p, "successPolicy"),
                         go_struct_text("batch.v1.SuccessPolicy", vget(spec, "successPolicy")),
                         "requires indexed completion mode");
        else if (json_array_size(jat(spec, "successPolicy.rules")) == 0)
            v_required(c->errs, FIELD(FIELD(p, "successPolicy"), "rules"),
                       "at least one rules must be specified when the successPolicy is specified");
    }
    if (vhas(spec, "podReplacementPolicy"))
        v_choice(c->errs, FIELD(p, "podReplacementPolicy"), vstr(spec, "podReplacementPolicy"),
                 vhas(spec, "podFailurePolicy") ? failed : replacements);
}

/* -- the spec -- */

static void completion_mode_check(const struct change *c, const struct vpath *p, const json_t *spec)
{
    static const char *const modes[] = {"NonIndexed", "Indexed", NULL};
    static const char *const of_indexed[] = {"backoffLimitPerIndex", "maxFailedIndexes"};
    if (vhas(spec, "completionMode") && !one_of(vstr(spec, "completionMode"), modes))
        v_unsupported(c->errs, FIELD(p, "completionMode"), vstr(spec, "completionMode"), modes);
    if (indexed(spec)) {
        if (!vhas(spec, "completions"))
            v_required(c->errs, FIELD(p, "completions"), "when completion mode is Indexed");
        if (vint(spec, "parallelism") > MAX_INDEXED_PARALLELISM)
            v_invalid_int(c->errs, FIELD(p, "parallelism"), vint(spec, "parallelism"),
                          "must be less than or equal to 100000 when completion mode is Indexed");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(of_indexed); i++)
        if (vhas(spec, of_indexed[i]))
            v_invalid_int(c->errs, FIELD(p, of_indexed[i]), vint(spec, of_indexed[i]),
                          "requires indexed completion mode");
}

static void job_spec_check(const struct change *c, const struct vpath *p, const json_t *spec)
{
    static const char *const counts[] = {
        "parallelism",          "completions",     "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
        "backoffLimitPerIndex", "maxFailedIndexes"};
    const struct vpath *restart_at = FIELD(FIELD(TEMPLATE(p), "spec"), "restartPolicy");
    const char *restart = jstr_or(spec, "template.spec.restartPolicy", "");
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        v_nonnegative_field(c->errs, p, spec, counts[i]);
    if (vhas(spec, "maxFailedIndexes") && !vhas(spec, "backoffLimitPerIndex"))
        v_required(c->errs, FIELD(p, "backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    completion_mode_check(c, p, spec);
    policies_check(c, p, spec);
    v_pod_template(c->errs, TEMPLATE(p), vget(spec, "template"));
    if (strcmp(restart, "OnFailure") != 0 && strcmp(restart, "Never") != 0)
        v_required(c->errs, restart_at, "valid values: \"OnFailure\", \"Never\"");
    else if (vhas(spec, "podFailurePolicy") && strcmp(restart, "Never") != 0)
        v_invalid(c->errs, restart_at, restart, "only \"Never\" is supported when podFailurePolicy is specified");
}

/* The server's labels must be on the template, and the selector must want no others. */
static void generated_selector_check(const struct change *c, const json_t *spec)
{
    const json_t *json = vget(spec, "selector");
    struct label_selector *selector = NULL;
    struct err e = ERR_INIT;
    if (vbool(spec, "manualSelector") || json == NULL || label_selector_from_json(json, &selector, &e) < 0)
        return;
    const char *uid = jstr_or(c->obj, "metadata.uid", ""), *name = jstr_or(c->obj, "metadata.name", "");
    _auto_json_ json_t *expected =
        json_pack("{ss ss ss ss}", "controller-uid", uid, "batch.kubernetes.io/controller-uid", uid, "job-name", name,
                  "batch.kubernetes.io/job-name", name);
    if (!label_selector_match(selector, expected))
        v_invalid_go(c->errs, FIELD(SPEC, "selector"), go_struct_text("meta.v1.LabelSelector", json),
                     "`selector` not auto-generated");
    label_selector_free(selector);
}

static void job_selector_check(const struct change *c, const json_t *spec)
{
    const json_t *json = vget(spec, "selector"), *labels = jat(spec, "template.metadata.labels");
    struct label_selector *selector = NULL;
    struct err e = ERR_INIT;
    if (json == NULL)
        v_required(c->errs, FIELD(SPEC, "selector"), NULL);
    else
        v_label_selector(c->errs, FIELD(SPEC, "selector"), json);
    if (label_selector_from_json(json, &selector, &e) == 0 && !label_selector_match(selector, labels))
        v_invalid_go(c->errs, FIELD(FIELD(TEMPLATE(SPEC), "metadata"), "labels"), go_map_text(labels),
                     "`selector` does not match template `labels`");
    label_selector_free(selector);
}

static void job_check(const struct change *c)
{
    const json_t *spec = vget(c->obj, "spec");
    generated_selector_check(c, spec);
    job_spec_check(c, SPEC, spec);
    job_selector_check(c, spec);
}

void job_create(const struct change *c)
{
    change_meta_create(c);
    job_check(c);
}

/* -- changes of a job -- */

static void completions_change(const struct change *c, const json_t *now, const json_t *before)
{
    const struct vpath *p = FIELD(SPEC, "completions");
    if (go_equal_field("batch.v1.JobSpec", "completions", now, before))
        return;
    if (!indexed(before))
        v_invalid_int(c->errs, p, vint(now, "completions"), "field is immutable");
    else if (vint(now, "completions") != vint(now, "parallelism"))
        v_invalid_int(c->errs, p, vint(now, "completions"), "can only be modified in tandem with spec.parallelism");
}

/* A suspended job that never ran may still be steered to other nodes. */
static void template_change(const struct change *c, const json_t *now, const json_t *before)
{
    static const char *const steering[] = {"nodeSelector", "tolerations", "affinity", "schedulingGates"};
    _auto_json_ json_t *restored = json_deep_copy(vget(now, "template"));
    bool may_steer = vbool(before, "suspend") && jat(c->old, "status.startTime") == NULL;
    if (may_steer) {
        for (size_t i = 0; i < ARRAY_LEN(steering); i++)
            vrestore(jat(restored, "spec"), jat(before, "template.spec"), steering[i]);
        vrestore(jat(restored, "metadata"), jat(before, "template.metadata"), "labels");
        vrestore(jat(restored, "metadata"), jat(before, "template.metadata"), "annotations");
    }
    if (!go_equal("core.v1.PodTemplateSpec", restored, vget(before, "template")))
        v_invalid_go(c->errs, TEMPLATE(SPEC), go_struct_text("core.v1.PodTemplateSpec", restored),
                     "field is immutable");
}

static void job_changes_check(const struct change *c)
{
    static const char *const structs[][2] = {{"selector", "meta.v1.LabelSelector"},
                                             {"podFailurePolicy", "batch.v1.PodFailurePolicy"},
                                             {"successPolicy", "batch.v1.SuccessPolicy"}};
    const json_t *now = vget(c->obj, "spec"), *before = vget(c->old, "spec");
    completions_change(c, now, before);
    for (size_t i = 0; i < ARRAY_LEN(structs); i++) {
        const json_t *value = vget(now, structs[i][0]);
        if (!go_equal_field("batch.v1.JobSpec", structs[i][0], now, before))
            v_invalid_go(c->errs, FIELD(SPEC, structs[i][0]), value ? go_struct_text(structs[i][1], value) : NULL,
                         "field is immutable");
        if (i == 0)
            template_change(c, now, before);
    }
    v_immutable_str(c->errs, FIELD(SPEC, "completionMode"), vstr(now, "completionMode"),
                    vstr(before, "completionMode"));
    if (vint(now, "backoffLimitPerIndex") != vint(before, "backoffLimitPerIndex"))
        v_invalid_int(c->errs, FIELD(SPEC, "backoffLimitPerIndex"), vint(now, "backoffLimitPerIndex"),
                      "field is immutable");
    v_immutable_str(c->errs, FIELD(SPEC, "managedBy"), vstr(now, "managedBy"), vstr(before, "managedBy"));
}

static void job_status(const struct change *c)
{
    static const char *const counts[] = {"active", "succeeded", "failed", "ready", "terminating", NULL};
    status_nonnegative(c, counts);
}

void job_update(const struct change *c)
{
    change_meta_update(c);
    if (strcmp(c->sub, "status") == 0) {
        job_status(c);
        return;
    }
    job_spec_check(c, SPEC, vget(c->obj, "spec"));
    job_selector_check(c, vget(c->obj, "spec"));
    job_changes_check(c);
}

/* -- cron jobs -- */

static void schedule_check(const struct change *c, const json_t *spec)
{
    const char *schedule = vstr(spec, "schedule"), *zone = vstr(spec, "timeZone");
    const struct vpath *p = FIELD(SPEC, "schedule"), *zone_at = FIELD(SPEC, "timeZone");
    struct cron parsed;
    struct err e = ERR_INIT;
    if (*schedule == '\0')
        v_required(c->errs, p, NULL);
    else if (strstr(schedule, "TZ") != NULL)
        v_invalid(c->errs, p, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    else if (cron_parse(schedule, &parsed, &e) < 0)
        v_invalid(c->errs, p, schedule, e.msg);
    if (!vhas(spec, "timeZone"))
        return;
    if (*zone == '\0')
        v_invalid(c->errs, zone_at, zone, "timeZone must be nil or non-empty string");
    else if (strcasecmp(zone, "Local") == 0)
        v_invalid(c->errs, zone_at, zone,
                  "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
    else if (!cron_zone_known(zone)) {
        _auto_free_ char *why = xasprintf("unknown time zone %s", zone);
        v_invalid(c->errs, zone_at, zone, why);
    }
}

static void cronjob_spec_check(const struct change *c)
{
    static const char *const policies[] = {"Allow", "Forbid", "Replace", NULL};
    const json_t *spec = vget(c->obj, "spec"), *job = jat(spec, "jobTemplate.spec");
    const struct vpath *p = FIELD(FIELD(SPEC, "jobTemplate"), "spec");
    schedule_check(c, spec);
    v_nonnegative_field(c->errs, SPEC, spec, "startingDeadlineSeconds");
    v_choice(c->errs, FIELD(SPEC, "concurrencyPolicy"), vstr(spec, "concurrencyPolicy"), policies);
    if (vbool(job, "manualSelector"))
        v_unsupported(c->errs, FIELD(p, "manualSelector"), "true", (const char *const[]){"nil", "false", NULL});
    job_spec_check(c, p, job);
    v_nonnegative_field(c->errs, SPEC, spec, "successfulJobsHistoryLimit");
    v_nonnegative_field(c->errs, SPEC, spec, "failedJobsHistoryLimit");
}

void cronjob_create(const struct change *c)
{
    const char *name = jstr_or(c->obj, "metadata.name", "");
    change_meta_create(c);
    cronjob_spec_check(c);
    if (strlen(name) > MAX_CRON_NAME)
        v_invalid(c->errs, FIELD(FIELD(NULL, "metadata"), "name"), name, "must be no more than 52 characters");
}

void cronjob_update(const struct change *c)
{
    change_meta_update(c);
    if (strcmp(c->sub, "status") != 0)
        cronjob_spec_check(c);
}
