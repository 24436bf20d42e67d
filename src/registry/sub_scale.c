/* sub_scale.c - /scale of workloads: one number, shown as an object of its own.
 *
 * A Scale is made from the workload when read; a write changes spec.replicas through the same update engine, so
 * versions, conflicts and generation work as for the workload itself. Source:
 * pkg/registry/apps/{deployment,replicaset}/storage. */
#include "registry/meta_int.h"
#include "registry/registry_int.h"
#include "registry/sub_int.h"

#include "base/str.h"

#include <string.h>

#define SCALE_TYPE "autoscaling.v1.Scale"

static char *selector_text(const json_t *workload)
{
    struct label_selector *sel = NULL;
    struct err e = ERR_INIT;
    json_t *selector = jat(workload, "spec.selector");
    bool plain = str_eq(jstr(workload, "kind"), "ReplicationController"); /* a map */
    _auto_json_ json_t *labels = plain ? json_pack("{sO}", "matchLabels", selector) : json_incref(selector);
    if (label_selector_from_json(labels, &sel, &e) < 0)
        return xstrdup("");
    char *text = label_selector_text(sel);
    label_selector_free(sel);
    return text;
}

/* Returns new. */
static json_t *scale_of(const json_t *workload)
{
    static const char *const shown[] = {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"};
    json_t *meta = json_object(), *spec = json_object(), *status = json_object();
    for (size_t i = 0; i < ARRAY_LEN(shown); i++)
        member_copy(meta, json_object_get(workload, "metadata"), shown[i]);
    int64_t replicas = jint(workload, "spec.replicas", 0);
    if (replicas != 0)
        json_object_set_new(spec, "replicas", json_integer(replicas));
    json_object_set_new(status, "replicas", json_integer(jint(workload, "status.replicas", 0)));
    _auto_free_ char *selector = selector_text(workload);
    if (*selector)
        json_object_set_new(status, "selector", json_string(selector));
    return json_pack("{ss ss so so so}", "kind", "Scale", "apiVersion", "autoscaling/v1", "metadata", meta, "spec",
                     spec, "status", status);
}

static int answer(struct op *op)
{
    json_t *scale = scale_of(op->ans->obj ? op->ans->obj->tree : op->ans->body);
    reg_answer_release(op->ans);
    return op_answer_tree(op, 200, scale);
}

/* A read of a missing one names the subresource; a write does not, because there the workload is what is missing. */
static int no_scale(struct op *op)
{
    const char *group = op->res->group, *name = op->t->name;
    _auto_free_ char *kind = xasprintf("%s/scale", op->res->plural);
    _auto_free_ char *message = xasprintf("%s%s%s \"%s\" not found", kind, *group ? "." : "", group, name);
    json_t *details = json_pack("{ss}", "name", name);
    if (*group)
        json_object_set_new(details, "group", json_string(group));
    json_object_set_new(details, "kind", json_string(kind));
    return op_fail(op, status_failure(ERR_NOT_FOUND, message, details));
}

int scale_get(struct op *op)
{
    _auto_sobj_ struct sobj *cur = store_get(op->r->store, op->res->bucket, op->t->ns, op->t->name);
    if (!cur)
        return no_scale(op);
    return op_answer_tree(op, 200, scale_of(cur->tree));
}

static int check_replicas(struct op *op, const json_t *scale)
{
    int64_t replicas = jint(scale, "spec.replicas", 0);
    if (replicas >= 0)
        return 0;
    _auto_field_errors_ struct field_errors errs = {0};
    fe_invalid_int(&errs, "spec.replicas", replicas, "must be greater than or equal to 0");
    return op_fail(op, status_invalid("autoscaling", "Scale", meta_name(scale), &errs));
}

/* Entries of this subresource carry no time. */
static void drop_times(json_t *obj)
{
    size_t i;
    json_t *entry;
    json_array_foreach(jat(obj, "metadata.managedFields"), i, entry)
    {
        if (str_eq(jstr(entry, "subresource"), "scale"))
            json_object_del(entry, "time");
    }
}

/* The workload with the scale's number and, if it names one, its version. */
static int with_scale(struct op *op, const json_t *live, const json_t *scale, json_t **out_obj)
{
    if (check_replicas(op, scale) < 0)
        return -1;
    json_t *obj = json_copy((json_t *)live);
    json_object_set_new(obj, "metadata", json_deep_copy(json_object_get(live, "metadata")));
    json_object_set_new(obj, "spec", json_copy(json_object_get(live, "spec")));
    jset_int(obj, "spec.replicas", jint(scale, "spec.replicas", 0));
    op_manage(op, live, obj, "scale");
    drop_times(obj);
    const char *rv = jstr_or(scale, "metadata.resourceVersion", "");
    json_object_set_new(meta_of(obj), "resourceVersion", json_string(rv));
    *out_obj = obj;
    return 0;
}

static int make_from_scale(struct op *op, const json_t *live, void *arg, json_t **out_obj)
{
    return with_scale(op, live, arg, out_obj);
}

int scale_update(struct op *op, struct reg_body *body)
{
    _auto_json_ json_t *scale = NULL;
    if (sub_decode(op, SCALE_TYPE, body, &scale) < 0 || meta_check_namespace(op, scale) < 0 ||
        meta_check_name(op, scale) < 0)
        return -1;
    const char *uid = jstr(scale, "metadata.uid");
    struct change c = {.make = make_from_scale, .arg = scale, .uid = uid && *uid ? uid : NULL};
    return op_update(op, &c) < 0 ? -1 : answer(op);
}

struct scale_patching {
    enum patch_type type;
    bool force;
    struct reg_body *body;
};

static int decode_patched(struct op *op, json_t *take_doc, json_t **out_scale)
{
    _auto_json_ json_t *doc = take_doc;
    struct decode_opts opts = {.type = schema_type(SCALE_TYPE), .media = MEDIA_JSON, .fields = op->ctx->fields};
    if (decode_tree(&opts, json_incref(doc), out_scale, op->ctx->warnings, op->e) < 0)
        return patch_fail_decode(op, doc);
    return 0;
}

static int make_from_patch(struct op *op, const json_t *live, void *arg, json_t **out_obj)
{
    const struct scale_patching *p = arg;
    _auto_json_ json_t *now = scale_of(live);
    _auto_json_ json_t *scale = NULL;
    json_t *doc = NULL;
    if (patch_apply_body(op, p->type, schema_type(SCALE_TYPE), now, p->body, &doc) < 0 ||
        decode_patched(op, doc, &scale) < 0 || meta_check_name(op, scale) < 0)
        return -1;
    return with_scale(op, live, scale, out_obj);
}

/* An applied Scale is an applied workload that says nothing but its number. */
static int make_from_apply(struct op *op, const json_t *live, void *arg, json_t **out_obj)
{
    struct scale_patching *p = arg;
    _auto_json_ json_t *scale = NULL;
    struct reg_body body = *p->body;
    body.media = MEDIA_YAML;
    body.tree = json_incref(body.tree);
    if (sub_decode(op, SCALE_TYPE, &body, &scale) < 0 || meta_check_name(op, scale) < 0 ||
        check_replicas(op, scale) < 0)
        return -1;
    _auto_json_ json_t *applied = json_pack("{ss ss s{ss ss} s{sI}}", "apiVersion", resource_api_version(op->res),
                                            "kind", op->res->kind, "metadata", "name", op->t->name, "namespace",
                                            op->t->ns, "spec", "replicas", (json_int_t)jint(scale, "spec.replicas", 0));
    struct manage_ctx m = {.res = op->res, .manager = op->ctx->manager, .subresource = "scale", .now = op->now};
    json_t *obj = NULL, *status = NULL;
    if (managed_apply(&m, live, applied, p->force, &obj, &status, op->e) < 0)
        return status ? op_fail(op, status) : op_fail_err(op);
    drop_times(obj);
    *out_obj = obj;
    return 0;
}

int scale_patch(struct op *op, enum patch_type type, bool force, struct reg_body *body)
{
    struct scale_patching p = {.type = type, .force = force, .body = body};
    struct change c = {.make = type == PATCH_APPLY ? make_from_apply : make_from_patch, .arg = &p};
    return op_update(op, &c) < 0 ? -1 : answer(op);
}
