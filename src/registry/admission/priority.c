/* priority.c - Priority: a pod's class name becomes a number, and the pod keeps what it was given.
 *
 * The two system classes are always there; others are PriorityClass objects, one of which may be the default.
 * Source: plugin/pkg/admission/priority. */
#include "registry/admission_int.h"
#include "registry/meta_int.h"

#include "base/str.h"

#include <inttypes.h>
#include <string.h>

#define CLASS_BUCKET "priorityclasses.scheduling.k8s.io"

static const struct {
    const char *name;
    int64_t value;
} system_classes[] = {
    {"system-cluster-critical", 2000000000},
    {"system-node-critical", 2000001000},
};

struct choice {
    int64_t value;
    const char *policy; /* borrowed from `obj`, or static */
    const char *name;
    struct sobj *obj;
};

/* The global default with the lowest value wins, as in the real plug-in. */
static int consider_default(struct sobj *obj, void *arg)
{
    struct choice *c = arg;
    int64_t value = jint(obj->tree, "value", 0);
    if (!jbool(obj->tree, "globalDefault", false) || (c->obj && c->value <= value))
        return 0;
    sobj_unref(c->obj);
    *c = (struct choice){value, jstr_or(obj->tree, "preemptionPolicy", c->policy), obj->name, sobj_ref(obj)};
    return 0;
}

static void choose_default(struct op *op, struct choice *c)
{
    struct snapshot *snap = store_snapshot(op->r->store);
    snapshot_scan(snap, CLASS_BUCKET, NULL, NULL, NULL, consider_default, c);
    snapshot_unref(snap);
}

static int choose(struct op *op, const json_t *pod, const char *name, struct choice *c)
{
    *c = (struct choice){.policy = "PreemptLowerPriority", .name = name};
    if (!*name) {
        choose_default(op, c);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(system_classes); i++) {
        if (strcmp(system_classes[i].name, name) == 0) {
            c->value = system_classes[i].value;
            return 0;
        }
    }
    c->obj = store_get(op->r->store, CLASS_BUCKET, "", name);
    if (!c->obj)
        return op_forbid(op, pod, "no PriorityClass with name %s was found", name);
    c->value = jint(c->obj->tree, "value", 0);
    c->policy = jstr_or(c->obj->tree, "preemptionPolicy", c->policy);
    return 0;
}

static int give(struct op *op, json_t *pod, const struct choice *c)
{
    json_t *spec = json_object_get(pod, "spec");
    json_t *own = json_object_get(spec, "priority");
    if (json_is_integer(own) && json_integer_value(own) != c->value)
        return op_forbid(op, pod,
                         "the integer value of priority (%" PRId64
                         ") must not be provided in pod spec; priority admission "
                         "controller computed %" PRId64 " from the given PriorityClass name",
                         (int64_t)json_integer_value(own), c->value);
    const char *policy = jstr(spec, "preemptionPolicy");
    if (policy && strcmp(policy, c->policy) != 0)
        return op_forbid(
            op, pod,
            "the string value of PreemptionPolicy (%s) must not be provided in pod spec; priority admission "
            "controller computed %s from the given PriorityClass name",
            policy, c->policy);
    if (c->name && *c->name)
        json_object_set_new(spec, "priorityClassName", json_string(c->name));
    json_object_set_new(spec, "priority", json_integer(c->value));
    json_object_set_new(spec, "preemptionPolicy", json_string(c->policy));
    return 0;
}

int admit_priority(struct op *op, struct admit *a)
{
    json_t *spec = json_object_get(a->obj, "spec");
    if (!json_is_object(spec))
        return 0;
    if (a->verb == ADMIT_UPDATE) {
        static const char *const kept[] = {"priority", "preemptionPolicy"};
        for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
            json_t *old = json_object_get(json_object_get(a->old, "spec"), kept[i]);
            if (old && !json_object_get(spec, kept[i])) {
                json_object_set(spec, kept[i], old);
            }
        }
        return 0;
    }
    struct choice c;
    if (choose(op, a->obj, jstr_or(spec, "priorityClassName", ""), &c) < 0)
        return -1;
    int rc = give(op, a->obj, &c);
    sobj_unref(c.obj);
    return rc;
}

/* -- only one class may be everybody's -- */

struct other_default {
    const char *name; /* the one at hand */
    struct sobj *found;
};

static int find_default(struct sobj *obj, void *arg)
{
    struct other_default *o = arg;
    if (!jbool(obj->tree, "globalDefault", false) || str_eq(obj->name, o->name))
        return 0;
    o->found = sobj_ref(obj);
    return 1;
}

int admit_priority_class(struct op *op, struct admit *a)
{
    struct other_default o = {.name = meta_name(a->obj)};
    if (!jbool(a->obj, "globalDefault", false))
        return 0;
    struct snapshot *snap = store_snapshot(op->r->store);
    snapshot_scan(snap, CLASS_BUCKET, NULL, NULL, NULL, find_default, &o);
    snapshot_unref(snap);
    _auto_sobj_ struct sobj *found = o.found;
    return found ? op_forbid(op, a->obj, "PriorityClass %s is already marked as default. Only one default can exist",
                             found->name)
                 : 0;
}
