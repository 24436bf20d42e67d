/* pod_update.c - what may change in a pod: images, a shorter deadline, more tolerations, fewer scheduling gates.
 *
 * DESIGN: the allowed changes are checked one by one, then undone in a copy of the new spec; if the copy still differs
 * from the old spec, something else changed, and the difference is told. What pods
 * still held by gates may change is pod_gates.c. Ephemeral containers have their own rules; the status is pod_status.c.
 * THREADS: pure functions. Source: pkg/apis/core/validation (ValidatePodUpdate). */
#include "api/validate/kinds_int.h"
#include "api/validate/pod_int.h"

#define POD_SPEC "core.v1.PodSpec"
#define MAY_CHANGE                                                                                                     \
    "pod updates may not change fields other than "                                                                    \
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "       \
    "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it "    \
    "was previously negative)"

static const char *const container_lists[] = {"containers", "initContainers"};

/* -- what is checked by itself -- */

/* False if nothing more can be said. */
static bool images_check(const struct change *c, const struct vpath *p, const char *list)
{
    const json_t *now = vget(vget(c->obj, "spec"), list), *before = vget(vget(c->old, "spec"), list);
    size_t i;
    json_t *container;
    if (json_array_size(now) != json_array_size(before)) {
        v_forbidden(c->errs, p, "pod updates may not add or remove containers");
        return false;
    }
    json_array_foreach(now, i, container)
    {
        const struct vpath *at = ITEM(p, i);
        v_required_str(c->errs, at, container, "image");
        v_image_blanks(c->errs, at, container);
    }
    return true;
}

/* False if nothing more can be said. */
static bool deadline_check(const struct change *c, const struct vpath *p)
{
    const json_t *now = vget(vget(c->obj, "spec"), "activeDeadlineSeconds");
    const json_t *before = vget(vget(c->old, "spec"), "activeDeadlineSeconds");
    int64_t seconds = json_integer_value(now);
    if (now == NULL && before != NULL)
        v_invalid_go(c->errs, p, NULL, "must not update from a positive integer to nil value");
    if (now == NULL)
        return true;
    if (seconds < 0 || seconds > INT32_MAX) {
        v_range(c->errs, p, seconds, 0, INT32_MAX);
        return false;
    }
    if (before != NULL && json_integer_value(before) < seconds) {
        v_invalid_int(c->errs, p, seconds, "must be less than or equal to previous value");
        return false;
    }
    return true;
}

/* The same toleration, whatever its seconds. */
static bool toleration_kept(const json_t *old, const json_t *list)
{
    static const char *const members[] = {"key", "operator", "value", "effect"};
    size_t i;
    json_t *toleration;
    json_array_foreach(list, i, toleration)
    {
        bool same = true;
        for (size_t m = 0; m < ARRAY_LEN(members); m++)
            same = same && strcmp(vstr(old, members[m]), vstr(toleration, members[m])) == 0;
        if (same)
            return true;
    }
    return false;
}

static void tolerations_check(const struct change *c, const struct vpath *p)
{
    const json_t *now = vget(vget(c->obj, "spec"), "tolerations");
    size_t i;
    json_t *toleration;
    json_array_foreach(vget(vget(c->old, "spec"), "tolerations"), i, toleration)
    {
        if (toleration_kept(toleration, now))
            continue;
        v_forbidden(c->errs, p, "existing toleration can not be modified except its tolerationSeconds");
        return;
    }
    v_tolerations(c->errs, p, now);
}

/* -- the rest must be equal -- */

static void restore_images(json_t *spec, const json_t *from, const char *list)
{
    const json_t *before = vget(from, list);
    size_t i;
    json_t *container;
    if (!vhas(spec, list))
        return;
    json_t *copy = json_deep_copy(vget(spec, list));
    json_array_foreach(copy, i, container) vrestore(container, json_array_get(before, i), "image");
    json_object_set_new(spec, list, copy);
}

/* The new spec with all allowed changes undone. Returns new. */
static json_t *spec_restored(const struct change *c)
{
    static const char *const members[] = {"activeDeadlineSeconds", "schedulingGates", "tolerations"};
    const json_t *before = vget(c->old, "spec");
    json_t *spec = json_copy(vget(c->obj, "spec"));
    for (size_t i = 0; i < ARRAY_LEN(container_lists); i++)
        restore_images(spec, before, container_lists[i]);
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        vrestore(spec, before, members[i]);
    if (vint(before, "terminationGracePeriodSeconds") < 0 && vint(spec, "terminationGracePeriodSeconds") == 1)
        vrestore(spec, before, "terminationGracePeriodSeconds");
    if (json_array_size(vget(before, "schedulingGates")) > 0)
        pod_gated_restore(spec, before);
    vrestore(spec, before, "serviceAccount"); /* the old name of serviceAccountName */
    return spec;
}

static void rest_check(const struct change *c, const struct vpath *p)
{
    const json_t *before = vget(c->old, "spec");
    _auto_json_ json_t *spec = spec_restored(c);
    if (json_array_size(vget(before, "schedulingGates")) > 0)
        pod_gated_changes_check(c, p);
    if (go_equal(POD_SPEC, spec, before))
        return;
    _auto_free_ char *diff = go_diff(POD_SPEC, before, spec);
    _auto_free_ char *detail = xasprintf("%s\n%s", MAY_CHANGE, diff);
    v_forbidden(c->errs, p, detail);
}

static void main_update(const struct change *c)
{
    const struct vpath *p = FIELD(NULL, "spec");
    change_meta_update(c);
    pod_check(c);
    for (size_t i = 0; i < ARRAY_LEN(container_lists); i++) {
        if (!images_check(c, FIELD(p, container_lists[i]), container_lists[i]))
            return;
    }
    if (!deadline_check(c, FIELD(p, "activeDeadlineSeconds")))
        return;
    tolerations_check(c, FIELD(p, "tolerations"));
    pod_gates_check(c, p);
    rest_check(c, p);
}

/* -- ephemeral containers: added, never changed or removed -- */

static void ephemeral_update(const struct change *c)
{
    const struct vpath *p = FIELD(FIELD(NULL, "spec"), "ephemeralContainers");
    size_t i, j;
    json_t *old, *now;
    change_meta_update(c);
    pod_check(c);
    if (jmap(c->old, "metadata.annotations", "kubernetes.io/config.mirror") != NULL) {
        field_errors_release(c->errs);
        v_forbidden(c->errs, FIELD(NULL, ""), "static pods do not support ephemeral containers");
        return;
    }
    json_array_foreach(vget(vget(c->old, "spec"), "ephemeralContainers"), i, old)
    {
        const char *name = vstr(old, "name");
        const json_t *kept = NULL;
        json_array_foreach(vget(vget(c->obj, "spec"), "ephemeralContainers"), j, now)
        {
            if (strcmp(vstr(now, "name"), name) == 0)
                kept = now;
        }
        if (kept != NULL && go_equal("core.v1.EphemeralContainer", kept, old))
            continue;
        _auto_free_ char *diff = kept != NULL ? go_diff("core.v1.EphemeralContainer", old, kept) : xstrdup("");
        _auto_free_ char *detail = xasprintf("existing ephemeral containers \"%s\" may not be %s\n%s", name,
                                             kept != NULL ? "changed" : "removed", diff);
        v_forbidden(c->errs, p, detail);
    }
}

void pod_update(const struct change *c)
{
    if (strcmp(c->sub, "status") == 0)
        pod_status_update(c);
    else if (strcmp(c->sub, "ephemeralcontainers") == 0)
        ephemeral_update(c);
    else
        main_update(c);
}
