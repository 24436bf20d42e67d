/* runtime_class.c - RuntimeClass: a pod names a class that exists, or none; it gets the class's overhead, its nodes and
 * the tolerations they need. Source: plugin/pkg/admission/runtimeclass. */
#include "registry/admission_int.h"

#include "base/str.h"

#define CLASS_BUCKET "runtimeclasses.node.k8s.io"

/* The nodes must suit the pod and the class. */
static int add_selector(struct op *op, json_t *pod, const json_t *selector)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)selector, key, value)
    {
        const char *own = jmap(pod, "spec.nodeSelector", key), *wanted = json_string_value(value);
        if (own && !str_eq(own, wanted))
            return op_forbid(op, pod,
                             "conflict: runtimeClass.scheduling.nodeSelector[%s] = %s; pod.spec.nodeSelector[%s] = %s",
                             key, wanted, key, own);
        jset_map(pod, "spec.nodeSelector", key, wanted);
    }
    return 0;
}

static void add_tolerations(json_t *pod, const json_t *tolerations)
{
    size_t i, k;
    json_t *wanted, *own;
    json_array_foreach(tolerations, i, wanted)
    {
        json_t *list = jmake_arr(pod, "spec.tolerations");
        bool there = false;
        json_array_foreach(list, k, own) there |= json_equal(own, wanted);
        if (!there)
            json_array_append(list, wanted);
    }
}

int admit_runtime_class(struct op *op, struct admit *a)
{
    const char *name = jstr_or(a->obj, "spec.runtimeClassName", "");
    if (!*name)
        return 0;
    _auto_sobj_ struct sobj *found = store_get(op->r->store, CLASS_BUCKET, "", name);
    if (!found)
        return op_forbid(op, a->obj, "pod rejected: RuntimeClass \"%s\" not found", name);
    const json_t *overhead = jat(found->tree, "overhead.podFixed");
    if (overhead)
        jset(a->obj, "spec.overhead", json_deep_copy(overhead));
    add_tolerations(a->obj, jat(found->tree, "scheduling.tolerations"));
    return add_selector(op, a->obj, jat(found->tree, "scheduling.nodeSelector"));
}
