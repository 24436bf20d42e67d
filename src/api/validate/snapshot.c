/* snapshot.c - snapshots, their contents and classes. In a real cluster they are custom resources, so the rules are
 * those of their definitions: required members, enums, and the CEL rules with their messages.
 *
 * THREADS: pure functions. Source: kubernetes-csi/external-snapshotter client/config/crd. */
#include "api/validate/kinds_int.h"

static const char *const policies[] = {"Delete", "Retain", NULL};

/* A rule of the definition was broken; values are not shown, only their types. */
static void broken(const struct change *c, const struct vpath *p, const char *type, const char *message)
{
    v_invalid(c->errs, p, type, message);
}

static bool present(const json_t *obj, const char *key)
{
    return json_object_get(obj, key) != NULL;
}

static bool required_object(const struct change *c, const struct vpath *p, const json_t *parent, const char *key)
{
    if (json_is_object(vget(parent, key)))
        return true;
    v_required(c->errs, FIELD(p, key), NULL);
    return false;
}

static void required_text(const struct change *c, const struct vpath *p, const json_t *parent, const char *key)
{
    if (!present(parent, key))
        v_required(c->errs, FIELD(p, key), NULL);
}

static void policy_check(const struct change *c, const struct vpath *p, const json_t *parent)
{
    const char *policy = jstr(parent, "deletionPolicy");
    required_text(c, p, parent, "deletionPolicy");
    if (policy && !one_of(policy, policies))
        v_unsupported(c->errs, FIELD(p, "deletionPolicy"), policy, policies);
}

/* Set once, a member stays, and stays as it is. */
static void settled(const struct change *c, const struct vpath *p, const json_t *now, const json_t *before,
                    const char *key)
{
    const char *was = jstr(before, key), *is = jstr(now, key);
    if (!was || str_eq(was, is))
        return;
    _auto_free_ char *text = xasprintf(is ? "%s is immutable" : "%s is required once set", key);
    broken(c, is ? FIELD(p, key) : p, is ? "string" : "object", text);
}

struct choice { /* exactly one of two members */
    const char *a, *b, *message;
};

static void source_check(const struct change *c, const struct vpath *p, const json_t *now, const json_t *before,
                         const struct choice *of)
{
    settled(c, p, now, before, of->a);
    settled(c, p, now, before, of->b);
    if (present(now, of->a) == present(now, of->b))
        broken(c, p, "object", of->message);
}

/* -- snapshots -- */

static void snapshot_check(const struct change *c)
{
    static const struct choice of = {
        "persistentVolumeClaimName", "volumeSnapshotContentName",
        "exactly one of volumeSnapshotContentName and persistentVolumeClaimName must be set"};
    const json_t *spec = vget(c->obj, "spec");
    const struct vpath *p = FIELD(NULL, "spec");
    const char *class = jstr(spec, "volumeSnapshotClassName");
    if (!required_object(c, NULL, c->obj, "spec"))
        return;
    if (required_object(c, p, spec, "source"))
        source_check(c, FIELD(p, "source"), vget(spec, "source"), jat(c->old, "spec.source"), &of);
    if (class && !*class)
        broken(c, FIELD(p, "volumeSnapshotClassName"), "string",
               "volumeSnapshotClassName must not be the empty string when set");
}

void snapshot_create(const struct change *c)
{
    change_meta_create(c);
    snapshot_check(c);
}

void snapshot_update(const struct change *c)
{
    change_meta_update(c);
    if (!*c->sub)
        snapshot_check(c);
}

/* -- contents -- */

static void content_check(const struct change *c)
{
    static const struct choice of = {"volumeHandle", "snapshotHandle",
                                     "exactly one of volumeHandle and snapshotHandle must be set"};
    const json_t *spec = vget(c->obj, "spec"), *ref = vget(spec, "volumeSnapshotRef");
    const struct vpath *p = FIELD(NULL, "spec");
    if (!required_object(c, NULL, c->obj, "spec"))
        return;
    policy_check(c, p, spec);
    required_text(c, p, spec, "driver");
    if (required_object(c, p, spec, "source"))
        source_check(c, FIELD(p, "source"), vget(spec, "source"), jat(c->old, "spec.source"), &of);
    if (required_object(c, p, spec, "volumeSnapshotRef") && !(present(ref, "name") && present(ref, "namespace")))
        broken(c, FIELD(p, "volumeSnapshotRef"), "object",
               "both spec.volumeSnapshotRef.name and spec.volumeSnapshotRef.namespace must be set");
    settled(c, p, spec, jat(c->old, "spec"), "sourceVolumeMode");
}

void content_create(const struct change *c)
{
    change_meta_create(c);
    content_check(c);
}

void content_update(const struct change *c)
{
    change_meta_update(c);
    if (!*c->sub)
        content_check(c);
}

/* -- classes -- */

static void snapshot_class_check(const struct change *c)
{
    policy_check(c, NULL, c->obj);
    required_text(c, NULL, c->obj, "driver");
}

void snapshot_class_create(const struct change *c)
{
    change_meta_create(c);
    snapshot_class_check(c);
}

void snapshot_class_update(const struct change *c)
{
    change_meta_update(c);
    snapshot_class_check(c);
}
