/* pv.c - persistent volumes: capacity, one source, node affinity; what an update may not change.
 *
 * THREADS: pure functions. Source: pkg/apis/core/validation, pkg/volume/validation. When you add a source: its name
 * here in the real server's order, its rules in volume_sources.c. */
#include "api/validate/kinds_int.h"
#include "api/validate/pod_int.h"

#define PV_SOURCE "core.v1.PersistentVolumeSource"

static const char *const sources[] = {"hostPath",
                                      "gcePersistentDisk",
                                      "awsElasticBlockStore",
                                      "glusterfs",
                                      "flocker",
                                      "nfs",
                                      "rbd",
                                      "quobyte",
                                      "cephfs",
                                      "iscsi",
                                      "cinder",
                                      "fc",
                                      "flexVolume",
                                      "azureFile",
                                      "vsphereVolume",
                                      "photonPersistentDisk",
                                      "portworxVolume",
                                      "azureDisk",
                                      "scaleIO",
                                      "local",
                                      "storageos",
                                      "csi",
                                      NULL};
/* Those that can pass mount options to their file system. */
static const char *const with_mount_options[] = {"gcePersistentDisk",
                                                 "awsElasticBlockStore",
                                                 "glusterfs",
                                                 "quobyte",
                                                 "nfs",
                                                 "rbd",
                                                 "cinder",
                                                 "cephfs",
                                                 "iscsi",
                                                 "fc",
                                                 "azureFile",
                                                 "azureDisk",
                                                 "vsphereVolume",
                                                 "csi",
                                                 NULL};
static const char *const reclaim_policies[] = {"Delete", "Recycle", "Retain", NULL};

#define INLINE_CONTEXT "in the context of inline volumes"

/* -- spec -- */

static void capacity_check(const json_t *spec, const struct vpath *p, struct field_errors *errs)
{
    _auto_strlist_ struct strlist names = {0};
    const json_t *capacity = vget(spec, "capacity");
    if (json_object_size(capacity) == 0)
        v_required(errs, p, NULL);
    if (!vhas(capacity, "storage") || json_object_size(capacity) > 1) {
        _auto_free_ char *at = vpath_text(p);
        _auto_free_ char *value = go_resources_text(capacity);
        fe_add(errs, FE_NOT_SUPPORTED, at, value, "supported values: \"storage\"");
    }
    sorted_keys(capacity, &names);
    for (size_t i = 0; i < names.len; i++) {
        const struct vpath *at = KEY(p, names.items[i]);
        v_qty_basic(errs, at, vget(capacity, names.items[i]));
        v_qty_positive(errs, at, vget(capacity, names.items[i]));
    }
}

static void reclaim_check(const json_t *spec, bool inline_volume, const struct vpath *p, struct field_errors *errs)
{
    const char *policy = vstr(spec, "persistentVolumeReclaimPolicy");
    const struct vpath *at = FIELD(p, "persistentVolumeReclaimPolicy");
    if (policy[0] == '\0')
        return;
    if (inline_volume && strcmp(policy, "Retain") != 0)
        v_forbidden(errs, at, "may only be Retain " INLINE_CONTEXT);
    else if (!inline_volume && !one_of(policy, reclaim_policies))
        v_unsupported(errs, at, policy, reclaim_policies);
}

static void affinity_check(const json_t *spec, bool inline_volume, const struct vpath *p, struct field_errors *errs)
{
    const json_t *affinity = vget(spec, "nodeAffinity");
    const struct vpath *at = FIELD(p, "nodeAffinity");
    if (affinity == NULL)
        return;
    if (inline_volume)
        v_forbidden(errs, at, "may not be specified " INLINE_CONTEXT);
    else if (vhas(affinity, "required"))
        v_node_selector(errs, FIELD(at, "required"), vget(affinity, "required"), false);
    else
        v_required(errs, FIELD(at, "required"), "must specify required node constraints");
}

/* Names that complaints use for some sources: slips of the real server that clients see. */
static const char *told_as(const char *source, bool second)
{
    if (!second && strcmp(source, "gcePersistentDisk") == 0)
        return "persistentDisk";
    return second && strcmp(source, "cephfs") == 0 ? "cephFS" : source;
}

static void sources_check(const json_t *spec, const struct vpath *p, struct field_errors *errs)
{
    bool found = false;
    for (size_t i = 0; sources[i] != NULL; i++) {
        const json_t *source = vget(spec, sources[i]);
        if (source == NULL)
            continue;
        if (found && strcmp(sources[i], "flexVolume") != 0) { /* a second flexVolume was never refused */
            v_forbidden(errs, FIELD(p, told_as(sources[i], true)), "may not specify more than 1 volume type");
            continue;
        }
        found = true;
        volume_source_check(SOURCE_PV, sources[i], source, FIELD(p, told_as(sources[i], false)), errs);
        if (strcmp(sources[i], "local") == 0 && !vhas(spec, "nodeAffinity"))
            v_required(errs, FIELD(p, "nodeAffinity"), "Local volume requires node affinity");
    }
    if (!found)
        v_required(errs, p, "must specify a volume type");
}

/* "/", "/./", "//", "/a/..": what path.Clean() makes "/". */
static bool is_root(const char *path)
{
    int depth = 0;
    if (path[0] != '/')
        return false;
    while (*path != '\0') {
        path += strspn(path, "/");
        size_t n = strcspn(path, "/");
        if (n == 2 && strncmp(path, "..", 2) == 0)
            depth -= depth > 0;
        else if (n > 0 && !(n == 1 && path[0] == '.'))
            depth++;
        path += n;
    }
    return depth == 0;
}

static void class_and_mode_check(const json_t *spec, bool inline_volume, const struct vpath *p,
                                 struct field_errors *errs)
{
    const char *class = vstr(spec, "storageClassName"), *mode = vstr(spec, "volumeMode");
    if (class[0] != '\0' && inline_volume)
        v_forbidden(errs, FIELD(p, "storageClassName"), "may not be specified " INLINE_CONTEXT);
    else if (class[0] != '\0')
        v_name(errs, FIELD(p, "storageClassName"), class, rule_subdomain);
    if (inline_volume && vhas(spec, "volumeMode") && strcmp(mode, "Filesystem") != 0)
        v_forbidden(errs, FIELD(p, "volumeMode"), "may not specify volumeMode other than Filesystem " INLINE_CONTEXT);
    else if (!inline_volume)
        v_choice_opt(errs, p, spec, "volumeMode", volume_modes);
}

static void inline_check(const json_t *spec, const struct vpath *p, struct field_errors *errs)
{
    if (vhas(spec, "claimRef"))
        v_forbidden(errs, FIELD(p, "claimRef"), "may not be specified " INLINE_CONTEXT);
    if (json_object_size(vget(spec, "capacity")) > 0)
        v_forbidden(errs, FIELD(p, "capacity"), "may not be specified " INLINE_CONTEXT);
    if (!vhas(spec, "csi"))
        v_required(errs, FIELD(p, "csi"), "has to be specified " INLINE_CONTEXT);
}

void pv_spec_check(const json_t *spec, bool inline_volume, const struct vpath *p, struct field_errors *errs)
{
    const json_t *modes = vget(spec, "accessModes"), *host_path = vget(spec, "hostPath");
    if (inline_volume)
        inline_check(spec, p, errs);
    if (json_array_size(modes) == 0)
        v_required(errs, FIELD(p, "accessModes"), NULL);
    v_access_modes(errs, FIELD(p, "accessModes"), modes);
    if (!inline_volume)
        capacity_check(spec, FIELD(p, "capacity"), errs);
    reclaim_check(spec, inline_volume, p, errs);
    affinity_check(spec, inline_volume, p, errs);
    sources_check(spec, p, errs);
    if (is_root(vstr(host_path, "path")) && strcmp(vstr(spec, "persistentVolumeReclaimPolicy"), "Recycle") == 0)
        v_forbidden(errs, FIELD(p, "persistentVolumeReclaimPolicy"),
                    "may not be 'recycle' for a hostPath mount of '/'");
    class_and_mode_check(spec, inline_volume, p, errs);
}

/* -- create -- */

static void mount_options_check(const struct change *c)
{
    static const char annotation[] = "volume.beta.kubernetes.io/mount-options";
    const json_t *spec = vget(c->obj, "spec");
    for (size_t i = 0; with_mount_options[i] != NULL; i++) {
        if (vhas(spec, with_mount_options[i]))
            return;
    }
    if (jmap(c->obj, "metadata.annotations", annotation) != NULL)
        v_forbidden(c->errs, FIELD(FIELD(FIELD(NULL, "metadata"), "annotations"), annotation),
                    "may not specify mount options for this volume type");
}

static void pv_check(const struct change *c)
{
    change_meta_create(c);
    pv_spec_check(vget(c->obj, "spec"), false, FIELD(NULL, "spec"), c->errs);
}

void pv_create(const struct change *c)
{
    pv_check(c);
    mount_options_check(c);
}

/* -- update -- */

/* The spec's source alone. Returns new. */
static json_t *source_of(const json_t *pv, bool drop_expand_secret)
{
    json_t *out = json_object();
    for (size_t i = 0; sources[i] != NULL; i++) {
        json_t *source = vget(vget(pv, "spec"), sources[i]);
        if (source != NULL)
            json_object_set_new(out, sources[i], json_copy(source));
    }
    if (drop_expand_secret)
        json_object_del(vget(out, "csi"), "controllerExpandSecretRef");
    return out;
}

static void source_update_check(const struct change *c)
{
    const json_t *old_csi = jat(c->old, "spec.csi");
    bool may_set_secret = old_csi != NULL && !vhas(old_csi, "controllerExpandSecretRef");
    _auto_json_ json_t *now = source_of(c->obj, may_set_secret);
    _auto_json_ json_t *before = source_of(c->old, false);
    if (go_equal(PV_SOURCE, now, before))
        return;
    _auto_free_ char *diff = go_diff(PV_SOURCE, before, now);
    _auto_free_ char *detail = xasprintf("spec.persistentvolumesource is immutable after creation\n%s", diff);
    v_forbidden(c->errs, FIELD(FIELD(NULL, "spec"), "persistentvolumesource"), detail);
}

static const char *ga_label(const char *beta)
{
    static const char *const pairs[][2] = {
        {"failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"},
        {"failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"},
        {"beta.kubernetes.io/os", "kubernetes.io/os"},
        {"beta.kubernetes.io/arch", "kubernetes.io/arch"},
        {"beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        if (strcmp(beta, pairs[i][0]) == 0)
            return pairs[i][1];
    }
    return beta;
}

/* Renames beta labels in place. */
static void labels_to_ga(json_t *affinity)
{
    size_t i, j;
    json_t *term, *req;
    json_array_foreach(jat(affinity, "required.nodeSelectorTerms"), i, term)
    {
        json_array_foreach(vget(term, "matchExpressions"), j, req)
            json_object_set_new(req, "key", json_string(ga_label(vstr(req, "key"))));
    }
}

static void affinity_update_check(const struct change *c)
{
    static const char type[] = "core.v1.VolumeNodeAffinity";
    const json_t *now = jat(c->obj, "spec.nodeAffinity"), *before = jat(c->old, "spec.nodeAffinity");
    if (before == NULL || go_equal(type, now, before))
        return;
    _auto_json_ json_t *now_ga = json_deep_copy(now);
    _auto_json_ json_t *before_ga = json_deep_copy(before);
    labels_to_ga(now_ga);
    labels_to_ga(before_ga);
    if (now != NULL && go_equal(type, now_ga, before_ga))
        return;
    v_invalid_go(c->errs, FIELD(NULL, "nodeAffinity"), now != NULL ? go_struct_text(type, now) : NULL,
                 "field is immutable, except for updating from beta label to GA");
}

static void status_check(const struct change *c)
{
    meta_update(c->obj, c->old, META_CORE, c->errs);
}

/* The real server runs the checks of a new volume twice here, so complaints come twice. */
void pv_update(const struct change *c)
{
    if (strcmp(c->sub, "status") == 0) {
        status_check(c);
        return;
    }
    pv_check(c);
    mount_options_check(c);
    pv_check(c);
    source_update_check(c);
    v_immutable_str(c->errs, FIELD(NULL, "volumeMode"), jstr_or(c->obj, "spec.volumeMode", ""),
                    jstr_or(c->old, "spec.volumeMode", ""));
    affinity_update_check(c);
}
