/* workload.c - `create deployment`, `create job`, `create cronjob`. */
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/create/creating.h"

#include <stdlib.h>
#include <string.h>

/* The words after "--". Returns new. */
static json_t *command_of(const struct call *c)
{
    json_t *command = json_array();
    for (size_t i = c->dash < 0 ? c->words.len : (size_t)c->dash; i < c->words.len; i++)
        json_array_append_new(command, json_string(c->words.items[i]));
    return command;
}

static json_t *container_of(const struct call *c, const char *name, const char *image)
{
    json_t *container = json_pack("{s:s,s:s,s:{}}", "image", image, "name", name, "resources");
    json_t *command = command_of(c);
    if (json_array_size(command))
        json_object_set(container, "command", command);
    json_decref(command);
    return container;
}

json_t *creating_pod(struct call *c, const char *name, const char *image)
{
    return json_pack("{s:[o]}", "containers", container_of(c, name, image));
}

/* "registry/team/my_app:1" to "my-app". Returns new. */
static char *name_of_image(const char *image)
{
    const char *slash = strrchr(image, '/');
    const char *name = slash ? slash + 1 : image;
    char *text = xstrndup(name, strcspn(name, ":@"));
    if (!strchr(text, '_'))
        return text;
    for (char *p = text; *p; p++)
        *p = *p == '_' ? '-' : *p;
    char suffix[6];
    random_suffix(suffix, 5); /* another image may have that very name */
    _auto_free_ char *plain = text;
    return xasprintf("%s-%s", plain, suffix);
}

/* ---- deployment ---- */

static json_t *containers_of(struct call *c)
{
    const struct strlist *images = call_list(c, "image");
    const int64_t port = call_int(c, "port");
    json_t *containers = json_array();
    for (size_t i = 0; i < images->len; i++) {
        _auto_free_ char *name = name_of_image(images->items[i]);
        json_t *one = container_of(c, name, images->items[i]);
        if (port >= 0)
            json_object_set_new(one, "ports", json_pack("[{s:I}]", "containerPort", (json_int_t)port));
        json_array_append_new(containers, one);
    }
    return containers;
}

static int deployment_run(struct call *c)
{
    const char *name = creating_name(c);
    if (!name || !creating_has(c, "image"))
        return c->code;
    if (call_list(c, "image")->len > 1 && c->dash >= 0 && (size_t)c->dash < c->words.len)
        return call_fail(c, "cannot specify multiple --image options and command");
    if (call_int(c, "replicas") < 0)
        return call_fail(c, "replicas must be non-negative");
    json_t *o = creating_object(c, "apps/v1", "Deployment", name);
    jset_map(o, "metadata.labels", "app", name);
    jset_int(o, "spec.replicas", call_int(c, "replicas"));
    jset_map(o, "spec.selector.matchLabels", "app", name);
    jset(o, "spec.strategy", json_object());
    jset(o, "spec.template.metadata.creationTimestamp", json_null());
    jset_map(o, "spec.template.metadata.labels", "app", name);
    jset(o, "spec.template.spec.containers", containers_of(c));
    jset(o, "status", json_object());
    return creating_send(c, o, "deployments", true, "failed to create deployment: ");
}

static const struct kubectl_flag deployment_flags[] = {
    FLAGS_CREATE,
    {"image", 0, FLAG_LIST, NULL, "Image of a container; again for more of them"},
    {"replicas", 'r', FLAG_INT, "1", "How many pods"},
    {"port", 0, FLAG_INT, "-1", "The port the container tells"},
    {0},
};

const struct kubectl_verb kubectl_create_deployment = {
    .name = "deployment",
    .aliases = "deploy",
    .summary = "Create a deployment with the specified name",
    .usage = "NAME --image=image -- [COMMAND] [args...] [options]",
    .flags = deployment_flags,
    .takes = TAKES_NAME,
    .run = deployment_run,
};

/* ---- job ---- */

static json_t *job_template(struct call *c, const char *name, const char *restart)
{
    json_t *template = json_pack("{s:{s:n},s:o}", "metadata", "creationTimestamp", "spec",
                                 creating_pod(c, name, call_text(c, "image")));
    jset_str(template, "spec.restartPolicy", restart);
    return template;
}

/* A job as the cron job would start it now. NULL: told. */
static json_t *job_from(struct call *c, const char *name, const char *from)
{
    _auto_json_ json_t *cron = NULL;
    _auto_buf_ struct buf path = BUF_INIT;
    struct err e = ERR_INIT;
    const char *slash = strchr(from, '/'), *ns = call_namespace(c);
    _auto_free_ char *word = xstrndup(from, slash ? (size_t)(slash - from) : 0);
    const struct kind *k = slash ? call_kind(c, word) : NULL;
    if (!slash)
        call_fail(c, "there is no need to specify a resource type as a separate argument when passing arguments in "
                     "resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource "
                     "resource/<resource_name>'");
    if (!k || !ns)
        return NULL;
    kind_path(k, ns, slash + 1, NULL, &path);
    if (call_json(c, "GET", buf_str(&path), NULL, NULL, &cron, &e) < 0) {
        call_error(c, &e);
        return NULL;
    }
    if (!str_eq(k->kind, "CronJob")) {
        call_fail(c, "from must be an existing cronjob");
        return NULL;
    }
    const json_t *template = jat(cron, "spec.jobTemplate");
    json_t *o = creating_object(c, "batch/v1", "Job", name);
    jset_map(o, "metadata.annotations", "cronjob.kubernetes.io/instantiate", "manual");
    json_object_update_missing(jmake_obj(o, "metadata.annotations"), jat(template, "metadata.annotations"));
    if (jat(template, "metadata.labels"))
        jset(o, "metadata.labels", json_deep_copy(jat(template, "metadata.labels")));
    jset(o, "metadata.ownerReferences",
         json_pack("[{s:s,s:b,s:s,s:s,s:s}]", "apiVersion", "batch/v1", "controller", 1, "kind", "CronJob", "name",
                   jstr_or(cron, "metadata.name", ""), "uid", jstr_or(cron, "metadata.uid", "")));
    jset(o, "spec", json_deep_copy(jat(template, "spec")));
    return o;
}

static int job_run(struct call *c)
{
    const char *name = creating_name(c), *from = call_text(c, "from");
    if (!name)
        return c->code;
    if (!*call_text(c, "image") == !*from)
        return call_fail(c, "either --image or --from must be specified");
    json_t *o = *from ? job_from(c, name, from) : creating_object(c, "batch/v1", "Job", name);
    if (!o)
        return c->code;
    if (!*from)
        jset(o, "spec.template", job_template(c, name, "Never"));
    jset(o, "status", json_object());
    return creating_send(c, o, "jobs", true, "failed to create job: ");
}

static const struct kubectl_flag job_flags[] = {
    FLAGS_CREATE,
    {"image", 0, FLAG_TEXT, NULL, "Image of the container"},
    {"from", 0, FLAG_TEXT, NULL, "cronjob/NAME whose job it is"},
    {0},
};

const struct kubectl_verb kubectl_create_job = {
    .name = "job",
    .summary = "Create a job with the specified name",
    .usage = "NAME --image=image [--from=cronjob/name] -- [COMMAND] [args...] [options]",
    .flags = job_flags,
    .takes = TAKES_NAME,
    .run = job_run,
};

/* ---- cron job ---- */

static int cronjob_run(struct call *c)
{
    const char *name = creating_name(c), *restart = call_text(c, "restart");
    if (!name || !creating_has(c, "image") || !creating_has(c, "schedule"))
        return c->code;
    json_t *o = creating_object(c, "batch/v1", "CronJob", name);
    jset(o, "spec.jobTemplate.metadata.creationTimestamp", json_null());
    jset_str(o, "spec.jobTemplate.metadata.name", name);
    jset(o, "spec.jobTemplate.spec.template", job_template(c, name, *restart ? restart : "OnFailure"));
    jset_str(o, "spec.schedule", call_text(c, "schedule"));
    jset(o, "status", json_object());
    return creating_send(c, o, "cronjobs", true, "failed to create cronjob: ");
}

static const struct kubectl_flag cronjob_flags[] = {
    FLAGS_CREATE,
    {"image", 0, FLAG_TEXT, NULL, "Image of the container"},
    {"schedule", 0, FLAG_TEXT, NULL, "When, as cron has it: \"*/5 * * * *\""},
    {"restart", 0, FLAG_TEXT, NULL, "The pods' restartPolicy: OnFailure, Never"},
    {0},
};

const struct kubectl_verb kubectl_create_cronjob = {
    .name = "cronjob",
    .aliases = "cj",
    .summary = "Create a cron job with the specified name",
    .usage = "NAME --image=image --schedule='0/5 * * * ?' -- [COMMAND] [args...] [flags] [options]",
    .flags = cronjob_flags,
    .takes = TAKES_NAME,
    .run = cronjob_run,
};
