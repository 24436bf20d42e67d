/* objects.c - readers and small edits of objects that every control loop shares. THREADS: pure, or as safe as the
 * registry. */
#include "control/objects.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* -- lists -- */

void objlist_release(struct objlist *l)
{
    for (size_t i = 0; i < l->len; i++)
        sobj_unref(l->items[i]);
    free(l->items);
    free(l->trees);
    *l = (struct objlist){0};
}

void objlist_add(struct objlist *l, struct sobj *o)
{
    if (l->len == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 16;
        l->items = xrealloc(l->items, l->cap * sizeof *l->items);
        l->trees = xrealloc(l->trees, l->cap * sizeof *l->trees);
    }
    l->items[l->len] = sobj_ref(o);
    l->trees[l->len++] = o->tree;
}

static int add_visited(struct sobj *o, void *arg)
{
    objlist_add(arg, o);
    return 0;
}

void objlist_load(struct objlist *l, struct registry *r, const char *bucket, const char *ns)
{
    struct snapshot *snap = reg_snapshot(r);
    snapshot_scan(snap, bucket, ns, NULL, NULL, add_visited, l);
    snapshot_unref(snap);
}

struct sobj *objlist_find(const struct objlist *l, const char *ns, const char *name)
{
    for (size_t i = 0; i < l->len; i++)
        if (str_eq(l->items[i]->name, name) && str_eq(l->items[i]->ns, ns))
            return l->items[i];
    return NULL;
}

/* -- names -- */

const char *obj_name(const json_t *o)
{
    return jstr_or(o, "metadata.name", "");
}

const char *obj_ns(const json_t *o)
{
    return jstr_or(o, "metadata.namespace", "");
}

const char *obj_uid(const json_t *o)
{
    return jstr_or(o, "metadata.uid", "");
}

json_t *object_reference(const json_t *o)
{
    json_t *ref = json_object();
    jset_str(ref, "kind", jstr_or(o, "kind", ""));
    if (*obj_ns(o))
        jset_str(ref, "namespace", obj_ns(o));
    jset_str(ref, "name", obj_name(o));
    jset_str(ref, "uid", obj_uid(o));
    jset_str(ref, "apiVersion", jstr_or(o, "apiVersion", ""));
    jset_str(ref, "resourceVersion", jstr_or(o, "metadata.resourceVersion", ""));
    return ref;
}

bool same_member(const json_t *a, const json_t *b, const char *path)
{
    const json_t *x = jat(a, path);
    const json_t *y = jat(b, path);
    return x == y || (x && y && json_equal(x, y));
}

/* -- owners -- */

const json_t *controller_of(const json_t *o)
{
    size_t i;
    json_t *ref;
    json_array_foreach(jat(o, "metadata.ownerReferences"), i, ref)
    {
        if (jbool(ref, "controller", false))
            return ref;
    }
    return NULL;
}

bool controlled_by(const json_t *o, const json_t *owner)
{
    const json_t *ref = controller_of(o);
    return ref && str_eq(jstr(ref, "uid"), obj_uid(owner));
}

bool owned_by_uid(const json_t *o, const char *uid)
{
    return jfind(o, "metadata.ownerReferences", "uid", uid) != NULL;
}

json_t *controller_ref(const json_t *owner)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "apiVersion", jstr_or(owner, "apiVersion", ""), "kind",
                     jstr_or(owner, "kind", ""), "name", obj_name(owner), "uid", obj_uid(owner), "controller", 1,
                     "blockOwnerDeletion", 1);
}

bool owner_remove(json_t *o, const char *uid)
{
    json_t *refs = jat(o, "metadata.ownerReferences");
    bool changed = false;
    for (size_t i = json_array_size(refs); i-- > 0;) {
        if (!str_eq(jstr(json_array_get(refs, i), "uid"), uid))
            continue;
        json_array_remove(refs, i);
        changed = true;
    }
    if (changed && !json_array_size(refs))
        jdel(o, "metadata.ownerReferences");
    return changed;
}

int selector_of(const json_t *owner, struct label_selector **out, struct err *e)
{
    json_t *selector = jat(owner, "spec.selector");
    if (!str_eq(jstr(owner, "kind"), "ReplicationController"))
        return label_selector_from_json(selector, out, e);
    _auto_json_ json_t *labels = json_pack("{s:O}", "matchLabels", selector);
    return label_selector_from_json(labels, out, e);
}

/* -- finalizers -- */

bool finalizer_add(json_t *o, const char *name)
{
    return jarr_add_unique(jmake_arr(o, "metadata.finalizers"), name);
}

bool finalizer_remove(json_t *o, const char *name)
{
    json_t *list = jat(o, "metadata.finalizers");
    if (!list || !jarr_remove(list, name))
        return false;
    if (!json_array_size(list))
        jdel(o, "metadata.finalizers");
    return true;
}

bool finalizer_has(const json_t *o, const char *name)
{
    return jarr_has(o, "metadata.finalizers", name);
}

/* -- conditions -- */

const json_t *condition_get(const json_t *o, const char *type)
{
    return jfind(o, "status.conditions", "type", type);
}

bool condition_true(const json_t *o, const char *type)
{
    return str_eq(jstr(condition_get(o, type), "status"), "True");
}

int edit_disrupted(json_t *pod, void *arg, struct err *e)
{
    (void)e;
    const struct disruption *d = arg;
    if (condition_true(pod, "DisruptionTarget"))
        return 0;
    json_array_append_new(jmake_arr(pod, "status.conditions"),
                          json_pack("{s:s, s:s, s:n, s:s, s:s, s:s}", "type", "DisruptionTarget", "status", "True",
                                    "lastProbeTime", "lastTransitionTime", d->now, "reason", d->reason, "message",
                                    d->message));
    return 1;
}

/* -- pods -- */

bool pod_terminal(const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    return str_eq(phase, "Succeeded") || str_eq(phase, "Failed");
}

bool pod_active(const json_t *pod)
{
    return !pod_terminal(pod) && !jstr(pod, "metadata.deletionTimestamp");
}

bool pod_ready(const json_t *pod)
{
    return condition_true(pod, "Ready");
}

bool pod_available(const json_t *pod, int64_t min_ready, int64_t now_ns)
{
    if (!pod_ready(pod))
        return false;
    int64_t since;
    if (min_ready == 0 || time_parse(jstr_or(condition_get(pod, "Ready"), "lastTransitionTime", ""), &since) < 0)
        return min_ready == 0;
    return since + min_ready * INT64_C(1000000000) <= now_ns;
}

void pod_volume_claim(const json_t *pod, const json_t *volume, char *out, size_t size)
{
    const char *name = jstr(volume, "persistentVolumeClaim.claimName");
    if (name)
        snprintf(out, size, "%s", name);
    else if (jat(volume, "ephemeral"))
        snprintf(out, size, "%s-%s", obj_name(pod), jstr_or(volume, "name", ""));
    else
        *out = '\0';
}

bool pod_uses_claim(const json_t *pod, const char *claim)
{
    size_t i;
    json_t *volume;
    json_array_foreach(jat(pod, "spec.volumes"), i, volume)
    {
        char name[512];
        pod_volume_claim(pod, volume, name, sizeof name);
        if (str_eq(name, claim))
            return true;
    }
    return false;
}

void now_text(const struct clock *c, char out[TIME_TEXT_LEN])
{
    time_format(clock_wall_ns(c), out);
}

bool pod_tolerates(const json_t *pod, const json_t *taint)
{
    size_t i;
    json_t *t;
    json_array_foreach(jat(pod, "spec.tolerations"), i, t)
    {
        const char *effect = jstr_or(t, "effect", "");
        const char *key = jstr_or(t, "key", "");
        if ((*effect && !str_eq(effect, jstr(taint, "effect"))) || (*key && !str_eq(key, jstr(taint, "key"))))
            continue;
        if (str_eq(jstr(t, "operator"), "Exists") || str_eq(jstr_or(t, "value", ""), jstr_or(taint, "value", "")))
            return true;
    }
    return false;
}
