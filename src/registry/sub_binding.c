/* sub_binding.c - POST pods/NAME/binding (and POST bindings): the scheduler's word on where a pod runs.
 *
 * The pod gets nodeName, the binding's annotations, and the condition PodScheduled. Once only.
 * Source: pkg/registry/core/pod/storage/storage.go BindingREST. */
#include "registry/meta_int.h"
#include "registry/registry_int.h"
#include "registry/sub_int.h"

#include "base/str.h"

#include <string.h>

/* Refusals name "pods/binding" as if it were a resource. */
static int refuse(struct op *op, const char *why)
{
    _auto_free_ char *text =
        xasprintf("Operation cannot be fulfilled on pods/binding \"%s\": pod %s %s", op->t->name, op->t->name, why);
    json_t *details = json_pack("{ssss}", "name", op->t->name, "kind", "pods/binding");
    return op_fail(op, status_failure(ERR_CONFLICT, text, details));
}

static int refuse_assigned(struct op *op, const char *node)
{
    _auto_free_ char *why = xasprintf("is already assigned to node \"%s\"", node);
    return refuse(op, why);
}

static int check(struct op *op, const json_t *binding)
{
    const char *kind = jstr_or(binding, "target.kind", ""), *node = jstr_or(binding, "target.name", "");
    if (*kind && strcmp(kind, "Node") != 0)
        return op_fail_plain(op, "target.kind: Unsupported value: \"%s\": supported values: \"Node\", \"<empty>\"",
                             kind);
    if (!*node)
        return op_fail_plain(op, "target.name: Required value");
    return 0;
}

/* Replaces or appends the condition of this type. Takes it. */
static void set_condition(json_t *pod, json_t *take_condition)
{
    json_t *list = jmake_arr(pod, "status.conditions"), *c;
    size_t i;
    json_array_foreach(list, i, c)
    {
        if (str_eq(jstr(c, "type"), jstr(take_condition, "type"))) {
            json_array_set_new(list, i, take_condition);
            return;
        }
    }
    json_array_append_new(list, take_condition);
}

static int assign(struct op *op, const json_t *live, void *arg, json_t **out_obj)
{
    const json_t *binding = arg;
    const char *node = jstr_or(live, "spec.nodeName", "");
    if (meta_deleting(live))
        return refuse(op, "is being deleted, cannot be assigned to a host");
    if (*node)
        return refuse_assigned(op, node);
    if (json_array_size(jat(live, "spec.schedulingGates")) > 0)
        return refuse(op, "has non-empty .spec.schedulingGates");
    json_t *pod = json_deep_copy(live);
    jset_str(pod, "spec.nodeName", jstr_or(binding, "target.name", ""));
    const char *key;
    json_t *v;
    json_object_foreach(jat(binding, "metadata.annotations"), key, v)
        jset_map(pod, "metadata.annotations", key, json_string_value(v) ? json_string_value(v) : "");
    set_condition(pod, json_pack("{ssss sn ss}", "type", "PodScheduled", "status", "True", "lastProbeTime",
                                 "lastTransitionTime", op->now));
    *out_obj = pod;
    return 0;
}

int binding_create(struct op *op, struct reg_body *body)
{
    _auto_json_ json_t *binding = NULL;
    if (sub_decode(op, "core.v1.Binding", body, &binding) < 0 || meta_check_namespace(op, binding) < 0)
        return -1;
    const char *name = meta_name(binding);
    if (*op->t->sub && *name && strcmp(name, op->t->name) != 0)
        return op_fail_code(op, ERR_BAD_REQUEST, "name in URL does not match name in Binding object");
    if (check(op, binding) < 0)
        return -1;
    struct reg_target pod = {
        .res = RES.pods, .ns = op->t->ns, .name = *op->t->name ? op->t->name : name, .sub = "binding"};
    struct op inner;
    op_begin(&inner, op->r, op->ctx, &pod, op->ans, op->e);
    const char *uid = jstr(binding, "metadata.uid");
    struct change c = {.make = assign, .arg = binding, .uid = uid && *uid ? uid : NULL, .ours = true};
    int rc = op_update(&inner, &c);
    op_end(&inner);
    if (rc < 0)
        return -1;
    reg_answer_release(op->ans);
    return sub_answer_created(op);
}
