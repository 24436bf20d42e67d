/* node_taint.c - TaintNodesByCondition: a node is not ready until it says so. */
#include "registry/admission_int.h"

#include "base/str.h"

#define NOT_READY "node.kubernetes.io/not-ready"

int admit_node_taint(struct op *op, struct admit *a)
{
    (void)op;
    json_t *taints = jmake_arr(a->obj, "spec.taints");
    size_t i;
    json_t *t;
    json_array_foreach(taints, i, t)
    {
        if (str_eq(jstr(t, "key"), NOT_READY) && str_eq(jstr(t, "effect"), "NoSchedule"))
            return 0;
    }
    json_array_append_new(taints, json_pack("{ssss}", "key", NOT_READY, "effect", "NoSchedule"));
    return 0;
}
