/* pod_mounts.c - where a container sees the pod's volumes: mounts and raw devices.
 *
 * DESIGN: names must be known volumes, places unique, and a volume is either mounted or a device. Complaints about
 * subPath, propagation and recursiveReadOnly name the list, not the item, as the real server's do.
 * THREADS: pure functions. */
#include "api/validate/pod_int.h"

/* Has the list an entry whose `key` is `value`? */
static bool list_names(const json_t *list, const char *key, const char *value)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (strcmp(vstr(item, key), value) == 0)
            return true;
    }
    return false;
}

/* -- mounts -- */

static void propagation_check(struct field_errors *errs, const struct vpath *p, const json_t *mount,
                              const json_t *container)
{
    static const char *const modes[] = {"Bidirectional", "HostToContainer", "None", NULL};
    if (!vhas(mount, "mountPropagation"))
        return;
    const char *mode = vstr(mount, "mountPropagation");
    v_choice_opt(errs, p, mount, "mountPropagation", modes);
    if (strcmp(mode, "Bidirectional") == 0 && !vbool(vget(container, "securityContext"), "privileged"))
        v_forbidden(errs, FIELD(p, "mountPropagation"),
                    "Bidirectional mount propagation is available only to privileged containers");
}

static void recursive_check(struct field_errors *errs, const struct vpath *p, const json_t *mount)
{
    static const char *const modes[] = {"Disabled", "IfPossible", "Enabled", NULL};
    const char *mode = vstr(mount, "recursiveReadOnly"), *propagation = vstr(mount, "mountPropagation");
    const struct vpath *at = FIELD(p, "recursiveReadOnly");
    if (!vhas(mount, "recursiveReadOnly") || strcmp(mode, "Disabled") == 0)
        return;
    if (!one_of(mode, modes)) {
        v_unsupported(errs, at, mode, modes);
        return;
    }
    if (!vbool(mount, "readOnly"))
        v_forbidden(errs, at, "may only be specified when readOnly is true");
    if (propagation[0] != '\0' && strcmp(propagation, "None") != 0)
        v_forbidden(errs, at, "may only be specified when mountPropagation is None or not specified");
}

static void sub_path_check(struct field_errors *errs, const struct vpath *list, const struct vpath *p,
                           const json_t *mount)
{
    const char *path = vstr(mount, "subPath"), *expr = vstr(mount, "subPathExpr");
    if (path[0] != '\0')
        v_descending_path(errs, FIELD(list, "subPath"), path);
    if (expr[0] == '\0')
        return;
    if (path[0] != '\0')
        v_invalid(errs, FIELD(p, "subPathExpr"), expr, "subPathExpr and subPath are mutually exclusive");
    v_descending_path(errs, FIELD(list, "subPathExpr"), expr);
}

static void mount_check(struct pod_rules *r, const struct vpath *list, const struct vpath *p, const json_t *mount,
                        const json_t *container, struct strlist *places)
{
    const char *name = vstr(mount, "name"), *place = vstr(mount, "mountPath");
    const json_t *devices = vget(container, "volumeDevices");
    if (name[0] == '\0')
        v_required(r->errs, FIELD(p, "name"), NULL);
    if (!strlist_has(&r->volumes, name))
        v_not_found(r->errs, FIELD(p, "name"), name);
    if (place[0] == '\0')
        v_required(r->errs, FIELD(p, "mountPath"), NULL);
    if (strlist_has(places, place))
        v_invalid(r->errs, FIELD(p, "mountPath"), place, "must be unique");
    strlist_add(places, place);
    if (list_names(devices, "name", name))
        v_invalid(r->errs, FIELD(p, "name"), name, "must not already exist in volumeDevices");
    if (list_names(devices, "devicePath", place))
        v_invalid(r->errs, FIELD(p, "mountPath"), place, "must not already exist as a path in volumeDevices");
    sub_path_check(r->errs, list, p, mount);
    propagation_check(r->errs, list, mount, container);
    recursive_check(r->errs, list, mount);
}

void v_mounts(struct pod_rules *r, const struct vpath *p, const json_t *container)
{
    _auto_strlist_ struct strlist places = {0};
    size_t i;
    json_t *mount;
    json_array_foreach(vget(container, "volumeMounts"), i, mount)
        mount_check(r, p, ITEM(p, i), mount, container, &places);
}

/* -- devices -- */

static void device_check(struct pod_rules *r, const struct vpath *p, const json_t *device, const json_t *mounts,
                         struct strlist *names, struct strlist *places)
{
    const char *name = vstr(device, "name"), *place = vstr(device, "devicePath");
    const struct vpath *name_at = FIELD(p, "name"), *place_at = FIELD(p, "devicePath");
    bool known = strlist_has(&r->volumes, name);
    if (name[0] == '\0')
        v_required(r->errs, name_at, NULL);
    if (strlist_has(names, name))
        v_invalid(r->errs, name_at, name, "must be unique");
    if (known && !strlist_has(&r->claim_volumes, name))
        v_invalid(r->errs, name_at, name,
                  "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode");
    if (!known)
        v_not_found(r->errs, name_at, name);
    if (place[0] == '\0')
        v_required(r->errs, place_at, NULL);
    if (strlist_has(places, place))
        v_invalid(r->errs, place_at, place, "must be unique");
    if (path_has_backsteps(place))
        v_invalid(r->errs, place_at, place, "can not contain backsteps ('..')");
    else
        strlist_add(places, place);
    if (list_names(mounts, "name", name))
        v_invalid(r->errs, name_at, name, "must not already exist in volumeMounts");
    if (list_names(mounts, "mountPath", place))
        v_invalid(r->errs, place_at, place, "must not already exist as a path in volumeMounts");
    if (name[0] != '\0')
        strlist_add(names, name);
}

void v_devices(struct pod_rules *r, const struct vpath *p, const json_t *container)
{
    _auto_strlist_ struct strlist names = {0}, places = {0};
    size_t i;
    json_t *device;
    json_array_foreach(vget(container, "volumeDevices"), i, device)
        device_check(r, ITEM(p, i), device, vget(container, "volumeMounts"), &names, &places);
}
