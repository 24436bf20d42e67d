/* limit_range.c - LimitRanger: fills in what containers do not say, and holds pods and claims within bounds.
 *
 * All that is wrong is told at once, the bounds of each limit range in its order. Source:
 * plugin/pkg/admission/limitranger/admission.go. */
#include "registry/admission_int.h"
#include "registry/meta_int.h"
#include "registry/quota_int.h"

#include "base/buf.h"
#include "base/str.h"

#include <string.h>

#define NOTE "kubernetes.io/limit-ranger"

/* -- filling in -- */

/* Adds to `into` what `from` has and it has not; returns the names, sorted and joined, or NULL. */
static char *fill(json_t *container, const char *list, const json_t *from)
{
    _auto_strlist_ struct strlist names = {0};
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)from, name, v)
    {
        if (jmap(json_object_get(container, "resources"), list, name))
            continue;
        json_object_set(jmake_obj(jmake_obj(container, "resources"), list), name, v);
        strlist_add(&names, name);
    }
    strlist_sort(&names);
    return names.len ? strlist_join(&names, ", ") : NULL;
}

static void fill_containers(json_t *pod, const char *list, const char *what, const json_t *item, struct strlist *notes)
{
    json_t *containers = json_object_get(json_object_get(pod, "spec"), list), *c;
    size_t i;
    json_array_foreach(containers, i, c)
    {
        const char *name = jstr_or(c, "name", "");
        _auto_free_ char *limits = fill(c, "limits", json_object_get(item, "default"));
        _auto_free_ char *requests = fill(c, "requests", json_object_get(item, "defaultRequest"));
        if (requests)
            strlist_addf(notes, "%s request for %s %s", requests, what, name);
        if (limits)
            strlist_addf(notes, "%s limit for %s %s", limits, what, name);
    }
}

static int fill_from(struct sobj *range, void *arg)
{
    json_t *pod = arg;
    _auto_strlist_ struct strlist notes = {0};
    size_t i;
    json_t *item;
    json_array_foreach(jat(range->tree, "spec.limits"), i, item)
    {
        if (!str_eq(jstr(item, "type"), "Container"))
            continue;
        fill_containers(pod, "containers", "container", item, &notes);
        fill_containers(pod, "initContainers", "init container", item, &notes);
    }
    if (notes.len > 0) {
        _auto_free_ char *joined = strlist_join(&notes, "; ");
        _auto_free_ char *text = xasprintf("LimitRanger plugin set: %s", joined);
        jset_map(pod, "metadata.annotations", NOTE, text);
    }
    return 0;
}

int admit_limit_defaults(struct op *op, struct admit *a)
{
    struct snapshot *snap = store_snapshot(op->r->store);
    snapshot_scan(snap, RES.limitranges->bucket, op->t->ns, NULL, NULL, fill_from, a->obj);
    snapshot_unref(snap);
    return 0;
}

/* -- bounds -- */

struct bounds {
    const json_t *obj;
    const char *type; /* "Container", … */
    const struct amounts *requests, *limits;
    struct strlist *faults;
};

static void fault(struct bounds *b, char *take_text)
{
    if (strlist_has(b->faults, take_text))
        free_cleanup(&take_text);
    else
        strlist_take(b->faults, take_text);
}

struct texts {
    char bound[QUANTITY_TEXT_LEN], seen[QUANTITY_TEXT_LEN];
};

static struct texts texts_of(const struct quantity *bound, const struct quantity *seen)
{
    struct texts t = {.seen = ""};
    quantity_format(bound, t.bound);
    if (seen)
        quantity_format(seen, t.seen);
    return t;
}

static void check_min(struct bounds *b, const char *name, const struct quantity *bound)
{
    const struct quantity *request = amounts_get(b->requests, name), *limit = amounts_get(b->limits, name);
    struct texts t = texts_of(bound, request);
    if (!request)
        fault(b, xasprintf("minimum %s usage per %s is %s.  No request is specified", name, b->type, t.bound));
    else if (quantity_cmp(request, bound) < 0)
        fault(b, xasprintf("minimum %s usage per %s is %s, but request is %s", name, b->type, t.bound, t.seen));
    else if (limit && quantity_cmp(limit, bound) < 0) {
        t = texts_of(bound, limit);
        fault(b, xasprintf("minimum %s usage per %s is %s, but limit is %s", name, b->type, t.bound, t.seen));
    }
}

static void check_max(struct bounds *b, const char *name, const struct quantity *bound)
{
    const struct quantity *request = amounts_get(b->requests, name), *limit = amounts_get(b->limits, name);
    struct texts t = texts_of(bound, limit);
    if (!limit)
        fault(b, xasprintf("maximum %s usage per %s is %s.  No limit is specified", name, b->type, t.bound));
    else if (quantity_cmp(limit, bound) > 0)
        fault(b, xasprintf("maximum %s usage per %s is %s, but limit is %s", name, b->type, t.bound, t.seen));
    else if (request && quantity_cmp(request, bound) > 0) {
        t = texts_of(bound, request);
        fault(b, xasprintf("maximum %s usage per %s is %s, but request is %s", name, b->type, t.bound, t.seen));
    }
}

static void check_ratio(struct bounds *b, const char *name, const struct quantity *bound)
{
    const struct quantity *request = amounts_get(b->requests, name), *limit = amounts_get(b->limits, name);
    struct texts t = texts_of(bound, NULL);
    const char *missing = !request || request->nano == 0 ? "request" : !limit || limit->nano == 0 ? "limit" : NULL;
    if (missing) {
        fault(b, xasprintf("%s max limit to request ratio per %s is %s, but no %s is specified or %s is 0", name,
                           b->type, t.bound, missing, missing));
        return;
    }
    double ratio = (double)limit->nano / (double)request->nano;
    if (ratio > (double)bound->nano / 1e9)
        fault(b, xasprintf("%s max limit to request ratio per %s is %s, but provided ratio is %f", name, b->type,
                           t.bound, ratio));
}

/* Claims have requests only. */
static void check_claim_max(struct bounds *b, const char *name, const struct quantity *bound)
{
    const struct quantity *request = amounts_get(b->requests, name);
    struct texts t = texts_of(bound, request);
    if (!request)
        fault(b, xasprintf("maximum %s usage per %s is %s.  No request is specified", name, b->type, t.bound));
    else if (quantity_cmp(request, bound) > 0)
        fault(b, xasprintf("maximum %s usage per %s is %s, but request is %s", name, b->type, t.bound, t.seen));
}

static void check_each(struct bounds *b, const json_t *map,
                       void (*check)(struct bounds *, const char *, const struct quantity *))
{
    _auto_amounts_ struct amounts all = {0};
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)map, name, v)
    {
        struct quantity q;
        if (json_string_value(v) && quantity_parse(json_string_value(v), &q) == 0)
            amounts_add(&all, name, &q);
    }
    amounts_sort(&all);
    for (size_t i = 0; i < all.len; i++)
        check(b, all.items[i].name, &all.items[i].q);
}

static void check_item(struct bounds *b, const json_t *item, bool claim)
{
    check_each(b, json_object_get(item, "min"), check_min);
    check_each(b, json_object_get(item, "max"), claim ? check_claim_max : check_max);
    if (!claim)
        check_each(b, json_object_get(item, "maxLimitRequestRatio"), check_ratio);
}

static void container_amounts(const json_t *container, const char *list, struct amounts *out)
{
    const char *name;
    json_t *v;
    json_object_foreach(json_object_get(json_object_get(container, "resources"), list), name, v)
    {
        struct quantity q;
        if (json_string_value(v) && quantity_parse(json_string_value(v), &q) == 0)
            amounts_add(out, name, &q);
    }
}

static void check_containers(struct bounds *b, const json_t *item, const char *list)
{
    const json_t *containers = json_object_get(jat(b->obj, "spec"), list);
    for (size_t i = 0; i < json_array_size(containers); i++) {
        _auto_amounts_ struct amounts requests = {0}, limits = {0};
        container_amounts(json_array_get(containers, i), "requests", &requests);
        container_amounts(json_array_get(containers, i), "limits", &limits);
        b->requests = &requests;
        b->limits = &limits;
        check_item(b, item, false);
    }
}

static void check_whole(struct bounds *b, const json_t *item, bool claim)
{
    _auto_amounts_ struct amounts requests = {0}, limits = {0};
    if (claim) {
        container_amounts(json_object_get(b->obj, "spec"), "requests", &requests);
    } else {
        pod_resources_add(b->obj, "requests", &requests);
        pod_resources_add(b->obj, "limits", &limits);
    }
    b->requests = &requests;
    b->limits = &limits;
    check_item(b, item, claim);
}

struct check {
    const json_t *obj;
    bool claim;
    struct strlist faults;
};

static int check_range(struct sobj *range, void *arg)
{
    struct check *c = arg;
    size_t i;
    json_t *item;
    json_array_foreach(jat(range->tree, "spec.limits"), i, item)
    {
        struct bounds b = {.obj = c->obj, .type = jstr_or(item, "type", ""), .faults = &c->faults};
        if (c->claim && strcmp(b.type, "PersistentVolumeClaim") == 0) {
            check_whole(&b, item, true);
        } else if (!c->claim && strcmp(b.type, "Container") == 0) {
            check_containers(&b, item, "containers");
            check_containers(&b, item, "initContainers");
        } else if (!c->claim && strcmp(b.type, "Pod") == 0) {
            check_whole(&b, item, false);
        }
    }
    return c->faults.len > 0; /* the first range that refuses tells why */
}

int admit_limits(struct op *op, struct admit *a)
{
    struct check c = {.obj = a->obj, .claim = op->res == RES.persistentvolumeclaims};
    if (a->old && meta_deleting(a->obj))
        return 0; /* what is going may be let go */
    struct snapshot *snap = store_snapshot(op->r->store);
    snapshot_scan(snap, RES.limitranges->bucket, op->t->ns, NULL, NULL, check_range, &c);
    snapshot_unref(snap);
    int rc = 0;
    if (c.faults.len > 0) {
        _auto_free_ char *text = strlist_join(&c.faults, ", ");
        rc = op_forbid(op, a->obj, c.faults.len > 1 ? "[%s]" : "%s", text);
    }
    strlist_release(&c.faults);
    return rc;
}
