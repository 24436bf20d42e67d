/* scale.c - `kubectl scale` and `kubectl autoscale`: how many, said once or left to the load. */
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/verbs/modify.h"
#include "kubectl/verbs/verbs_int.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MERGE "application/merge-patch+json"

struct scaling {
    struct change change;
    size_t found, failed;
    struct strlist missing; /* why objects were not found */
};

/* ---- scale ---- */

static void scale_path(const struct target *t, const json_t *object, struct buf *out)
{
    kind_path(t->kind, jstr(object, "metadata.namespace"), jstr_or(object, "metadata.name", ""), "scale", out);
}

/* What --current-replicas and --resource-version ask for, of the Scale as it is; it is then put back changed. */
static int scale_if(struct call *c, struct scaling *s, const char *path, int64_t replicas, struct err *e)
{
    _auto_json_ json_t *scale = NULL;
    if (call_json(c, "GET", path, NULL, NULL, &scale, e) < 0)
        return -1;
    int64_t want = call_int(c, "current-replicas"), is = jint(scale, "spec.replicas", 0);
    const char *version = call_text(c, "resource-version");
    if (want >= 0 && want != is)
        return err_set(e, ERR_CONFLICT, "Expected replicas to be %lld, was %lld", (long long)want, (long long)is);
    if (!str_empty(version) && !str_eq(version, jstr(scale, "metadata.resourceVersion")))
        return err_set(e, ERR_CONFLICT, "Expected resource version to be %s, was %s", version,
                       jstr_or(scale, "metadata.resourceVersion", ""));
    jset_int(scale, "spec.replicas", replicas);
    return change_send(c, &s->change, "PUT", path, scale, NULL, NULL, e);
}

/* Until the object has as many as it should, or --timeout is over. */
static int await_replicas(struct call *c, const char *path, int64_t replicas, struct err *e)
{
    int64_t end = clock_mono_ms(clock_real()) + call_duration(c, "timeout");
    for (;;) {
        _auto_json_ json_t *scale = NULL;
        if (call_json(c, "GET", path, NULL, NULL, &scale, e) < 0)
            return -1;
        if (jint(scale, "status.replicas", 0) == replicas)
            return 0;
        if (clock_mono_ms(clock_real()) >= end)
            return err_set(e, ERR_TIMEOUT, "timed out waiting for the condition");
        nanosleep(&(struct timespec){.tv_nsec = 200000000L}, NULL);
    }
}

static int scale_one(struct call *c, const struct target *t, json_t *object, void *arg)
{
    struct scaling *s = arg;
    struct err e = ERR_INIT;
    int64_t replicas = call_int(c, "replicas");
    _auto_buf_ struct buf path = BUF_INIT;
    s->found++;
    scale_path(t, object, &path);
    int rc = 0;
    if (s->change.dry != DRY_CLIENT && (call_int(c, "current-replicas") >= 0 || *call_text(c, "resource-version"))) {
        rc = scale_if(c, s, buf_str(&path), replicas, &e);
    } else if (s->change.dry != DRY_CLIENT) {
        _auto_json_ json_t *patch = json_pack("{s:{s:I}}", "spec", "replicas", (json_int_t)replicas);
        rc = change_send(c, &s->change, "PATCH", buf_str(&path), patch, MERGE, NULL, &e);
    }
    if (rc == 0 && s->change.dry == DRY_NONE && call_duration(c, "timeout") > 0)
        rc = await_replicas(c, buf_str(&path), replicas, &e);
    if (rc < 0)
        return call_error(c, &e), -1;
    change_tell(c, &s->change, t->kind, object, "scaled");
    return 0;
}

/* Named ones are asked for here: that none is there has words of its own. */
static int scale_named(struct call *c, const struct targets *all, const struct target *t, struct scaling *s)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *object = NULL;
    struct err e = ERR_INIT;
    target_path(all, t, &path);
    if (call_json(c, "GET", buf_str(&path), NULL, NULL, &object, &e) == 0)
        return scale_one(c, t, object, s);
    if (!call_not_found(c))
        return call_error(c, &e), -1;
    strlist_add(&s->missing, jstr_or(c->failure, "message", e.msg));
    call_forget(c);
    return 0;
}

static int scale_all(struct call *c, const struct targets *t, struct scaling *s)
{
    for (size_t i = 0; i < t->len; i++) {
        struct targets one = *t;
        one.items = &t->items[i];
        one.len = 1;
        if ((t->items[i].name != NULL ? scale_named(c, &one, one.items, s) : targets_visit(c, &one, scale_one, s)) < 0)
            return c->code;
    }
    if (s->found == 0 && s->missing.len > 0)
        return call_fail(c, "no objects passed to scale %s", s->missing.items[0]);
    for (size_t i = 0; i < s->missing.len; i++) {
        fprintf(c->k->err, "Error from server (NotFound): %s\n", s->missing.items[i]);
        c->code = 1;
    }
    return s->found == 0 && c->code == 0 ? call_fail(c, "no objects passed to scale") : c->code;
}

static int scale_run(struct call *c)
{
    _auto_targets_ struct targets t = {0};
    struct scaling s = {0};
    if (!call_given(c, "replicas"))
        return call_fail(c, "required flag(s) \"replicas\" not set");
    if (call_int(c, "replicas") < 0)
        return call_fail(c, "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0");
    if (call_int(c, "current-replicas") < -1)
        return call_fail(c, "The --current-replicas must specify an integer of -1 or greater");
    if (change_begin(c, &s.change) == 0 && targets_of(c, &(struct targets_opts){.all = false}, &t) == 0)
        scale_all(c, &t, &s);
    change_end(c, &s.change);
    strlist_release(&s.missing);
    return c->code;
}

static const struct kubectl_flag scale_flags[] = {
    FLAGS_OUTPUT,
    FLAGS_FILES("Files whose objects are scaled"),
    FLAGS_SELECTOR,
    FLAGS_ALL,
    FLAGS_DRY_RUN,
    {"replicas", 0, FLAG_INT, "0", "How many there shall be"},
    {"current-replicas", 0, FLAG_INT, "-1", "Only if there are so many now"},
    {"resource-version", 0, FLAG_TEXT, NULL, "Only if this is the object's version"},
    {"timeout", 0, FLAG_DURATION, "0s", "Wait so long until there are as many; 0: do not wait"},
    {0},
};

const struct kubectl_verb kubectl_scale = {
    .name = "scale",
    .summary = "Set a new size for a deployment, replica set, or replication controller",
    .usage = "[--resource-version=version] [--current-replicas=count] --replicas=COUNT (-f FILENAME | TYPE NAME) "
             "[options]",
    .help = "  kubectl scale --replicas=3 deployment/web\n  kubectl scale --current-replicas=2 --replicas=3 sts db\n",
    .flags = scale_flags,
    .takes = TAKES_KINDS,
    .run = scale_run,
};

/* ---- autoscale ---- */

static json_t *autoscaler(struct call *c, const struct target *t, const json_t *object)
{
    const char *name = call_text(c, "name"), *its = jstr_or(object, "metadata.name", "");
    _auto_buf_ struct buf version = BUF_INIT;
    kind_api_version(t->kind, &version);
    json_t *hpa =
        json_pack("{s:s,s:s,s:{s:n,s:s},s:{s:I,s:{s:s,s:s,s:s}},s:{s:i,s:i}}", "apiVersion", "autoscaling/v1", "kind",
                  "HorizontalPodAutoscaler", "metadata", "creationTimestamp", "name", *name ? name : its, "spec",
                  "maxReplicas", (json_int_t)call_int(c, "max"), "scaleTargetRef", "apiVersion", buf_str(&version),
                  "kind", t->kind->kind, "name", its, "status", "currentReplicas", 0, "desiredReplicas", 0);
    if (call_int(c, "min") > 0)
        jset_int(hpa, "spec.minReplicas", call_int(c, "min"));
    if (call_int(c, "cpu-percent") >= 0)
        jset_int(hpa, "spec.targetCPUUtilizationPercentage", call_int(c, "cpu-percent"));
    return hpa;
}

static int autoscale_one(struct call *c, const struct target *t, json_t *object, void *arg)
{
    struct scaling *s = arg;
    struct err e = ERR_INIT;
    const struct kind *hpas = call_kind(c, "horizontalpodautoscalers.v1.autoscaling");
    hpas = hpas != NULL ? hpas : call_kind(c, "horizontalpodautoscalers");
    if (hpas == NULL)
        return -1;
    _auto_json_ json_t *hpa = autoscaler(c, t, object), *made = NULL;
    _auto_buf_ struct buf path = BUF_INIT;
    s->found++;
    if (s->change.dry == DRY_CLIENT)
        return change_tell(c, &s->change, hpas, hpa, "created"), 0;
    buf_addf(&path, "/apis/autoscaling/v1/namespaces/%s/horizontalpodautoscalers", call_namespace(c));
    if (change_send(c, &s->change, "POST", buf_str(&path), hpa, NULL, &made, &e) < 0)
        return call_error(c, &e), -1;
    change_tell(c, &s->change, hpas, made, "autoscaled");
    return 0;
}

static int autoscale_run(struct call *c)
{
    _auto_targets_ struct targets t = {0};
    struct scaling s = {0};
    long long max = call_int(c, "max"), min = call_int(c, "min");
    if (!call_given(c, "max"))
        return call_fail(c, "required flag(s) \"max\" not set");
    if (max < 1)
        return call_fail(c, "--max=MAXPODS is required and must be at least 1, max: %lld", max);
    if (max < min)
        return call_fail(c, "--max=MAXPODS must be larger or equal to --min=MINPODS, max: %lld, min: %lld", max, min);
    if (change_begin(c, &s.change) == 0 && targets_of(c, &(struct targets_opts){.all = false}, &t) == 0)
        targets_visit(c, &t, autoscale_one, &s);
    change_end(c, &s.change);
    return s.found == 0 && c->code == 0 ? call_fail(c, "no objects passed to autoscale") : c->code;
}

static const struct kubectl_flag autoscale_flags[] = {
    FLAGS_OUTPUT,
    FLAGS_FILES("Files whose objects are scaled"),
    FLAGS_DRY_RUN,
    FLAGS_MANAGER("kubectl-autoscale"),
    {"min", 0, FLAG_INT, "-1", "Not fewer than these"},
    {"max", 0, FLAG_INT, "-1", "Not more than these"},
    {"cpu-percent", 0, FLAG_INT, "-1", "The use of what is requested that is aimed at"},
    {"name", 0, FLAG_TEXT, NULL, "Of the autoscaler; the object's own if left out"},
    {"save-config", 0, FLAG_BOOL, NULL, "Keep what was sent in an annotation, for apply"},
    {0},
};

const struct kubectl_verb kubectl_autoscale = {
    .name = "autoscale",
    .summary = "Auto-scale a deployment, replica set, stateful set, or replication controller",
    .usage = "(-f FILENAME | TYPE NAME | TYPE/NAME) [--min=MINPODS] --max=MAXPODS [--cpu-percent=CPU] [options]",
    .help = "  kubectl autoscale deployment web --min=2 --max=10 --cpu-percent=80\n",
    .flags = autoscale_flags,
    .takes = TAKES_KINDS,
    .run = autoscale_run,
};
