/* warnings.c - what is allowed but unwise: names that make poor host names, parts of bytes, old volume kinds and
 * labels.
 *
 * DESIGN: tables of deprecated things. A pod is warned about only when it is created, as in the real server: updates of
 * pods come from machines. THREADS: pure functions. Source: pkg/api/{pod,persistentvolume,persistentvolumeclaim,
 * storage,node,service}, the strategies. When you deprecate something: a row. */
#include "api/validate/kinds_int.h"

#define CLASS_ANNOTATION "volume.beta.kubernetes.io/storage-class"
#define MOUNT_ANNOTATION "volume.beta.kubernetes.io/mount-options"

static void warn_at(struct strlist *out, const struct vpath *p, const char *text)
{
    _auto_free_ char *at = vpath_text(p);
    strlist_addf(out, "%s: %s", at, text);
}

/* -- host names -- */

static void name_warning(const json_t *obj, const char *use, struct strlist *out)
{
    struct msgs m = {0};
    rule_label(jstr_or(obj, "metadata.name", ""), &m);
    if (m.len == 0)
        return;
    _auto_buf_ struct buf b = BUF_INIT;
    for (size_t i = 0; i < m.len; i++)
        buf_addf(&b, "%s%s", i > 0 ? " " : "", m.text[i]);
    strlist_addf(out,
                 "metadata.name: this is used in %s, which can result in surprising behavior; a DNS label is "
                 "recommended: [%s]",
                 use, buf_str(&b));
}

/* -- deprecated labels of nodes -- */

static const char *label_warning(const char *key)
{
    static const char *const rows[][2] = {
        {"failure-domain.beta.kubernetes.io/zone",
         "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"},
        {"failure-domain.beta.kubernetes.io/region",
         "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"},
        {"beta.kubernetes.io/instance-type",
         "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"},
        {"beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"},
        {"beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(key, rows[i][0]) == 0)
            return rows[i][1];
    }
    return NULL;
}

static void label_key_warning(const struct vpath *p, const char *key, struct strlist *out)
{
    const char *why = label_warning(key);
    if (why != NULL)
        warn_at(out, p, why);
}

static void node_term_warnings(const struct vpath *p, const json_t *term, struct strlist *out)
{
    const struct vpath *at = FIELD(p, "matchExpressions");
    size_t i;
    json_t *req;
    json_array_foreach(vget(term, "matchExpressions"), i, req)
        label_key_warning(FIELD(ITEM(at, i), "key"), vstr(req, "key"), out);
}

static void node_selector_warnings(const struct vpath *p, const json_t *selector, struct strlist *out)
{
    const struct vpath *at = FIELD(p, "nodeSelectorTerms");
    size_t i;
    json_t *term;
    json_array_foreach(vget(selector, "nodeSelectorTerms"), i, term) node_term_warnings(ITEM(at, i), term, out);
}

static void pod_label_warnings(const struct vpath *p, const json_t *spec, struct strlist *out)
{
    const char *const preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    const json_t *affinity = jat(spec, "affinity.nodeAffinity");
    const struct vpath *selector_at = FIELD(p, "nodeSelector");
    const struct vpath *affinity_at = FIELD(FIELD(p, "affinity"), "nodeAffinity");
    const struct vpath *preferred_at = FIELD(affinity_at, preferred),
                       *spread_at = FIELD(p, "topologySpreadConstraints");
    _auto_strlist_ struct strlist keys = {0};
    size_t i;
    json_t *item;
    sorted_keys(vget(spec, "nodeSelector"), &keys);
    for (i = 0; i < keys.len; i++)
        label_key_warning(KEY(selector_at, keys.items[i]), keys.items[i], out);
    node_selector_warnings(FIELD(affinity_at, "requiredDuringSchedulingIgnoredDuringExecution"),
                           vget(affinity, "requiredDuringSchedulingIgnoredDuringExecution"), out);
    json_array_foreach(vget(affinity, preferred), i, item)
        node_term_warnings(FIELD(ITEM(preferred_at, i), "preference"), vget(item, "preference"), out);
    json_array_foreach(vget(spec, "topologySpreadConstraints"), i, item)
        label_key_warning(FIELD(ITEM(spread_at, i), "topologyKey"), vstr(item, "topologyKey"), out);
}

/* -- old volumes -- */

static void pod_volume_warnings(const struct vpath *p, const json_t *spec, struct strlist *out)
{
    static const char *const rows[][2] = {
        {"photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
        {"gitRepo", "deprecated in v1.11"},
        {"scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
        {"flocker", "deprecated in v1.22, non-functional in v1.25+"},
        {"storageos", "deprecated in v1.22, non-functional in v1.25+"},
        {"quobyte", "deprecated in v1.22, non-functional in v1.25+"},
        {"glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
        {"cephfs", "deprecated in v1.28, non-functional in v1.31+"},
        {"rbd", "deprecated in v1.28, non-functional in v1.31+"},
    };
    const struct vpath *volumes = FIELD(p, "volumes");
    size_t i;
    json_t *volume;
    json_array_foreach(vget(spec, "volumes"), i, volume)
    {
        for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
            if (vhas(volume, rows[k][0]))
                warn_at(out, FIELD(ITEM(volumes, i), rows[k][0]), rows[k][1]);
        }
    }
}

/* -- things said twice -- */

static void repeated_warnings(const struct vpath *p, const json_t *list, const char *member, const char *what,
                              struct strlist *out)
{
    _auto_strlist_ struct strlist seen = {0};
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *value = vstr(item, member);
        _auto_free_ char *text = xasprintf("duplicate %s \"%s\"", what, value);
        if (strlist_has(&seen, value))
            warn_at(out, FIELD(ITEM(p, i), member), text);
        strlist_add(&seen, value);
    }
}

static void env_warnings(const struct vpath *p, const json_t *env, struct strlist *out)
{
    _auto_strlist_ struct strlist seen = {0};
    size_t i;
    json_t *var;
    json_array_foreach(env, i, var)
    {
        const char *name = vstr(var, "name");
        _auto_free_ char *text =
            xasprintf("hides previous definition of \"%s\", which may be dropped when using apply", name);
        _auto_free_ char *itself = xasprintf("$(%s)", name);
        if (strlist_has(&seen, name) && strstr(vstr(var, "value"), itself) == NULL)
            warn_at(out, ITEM(p, i), text);
        strlist_add(&seen, name);
    }
}

static bool same_port(const json_t *a, const json_t *b)
{
    return vint(a, "containerPort") == vint(b, "containerPort") && vint(a, "hostPort") == vint(b, "hostPort") &&
           strcmp(vstr(a, "protocol"), vstr(b, "protocol")) == 0 && strcmp(vstr(a, "hostIP"), vstr(b, "hostIP")) == 0;
}

static void port_warnings(const struct vpath *p, const json_t *ports, struct strlist *out)
{
    for (size_t i = 0; i < json_array_size(ports); i++) {
        for (size_t j = 0; j < i; j++) {
            if (!same_port(json_array_get(ports, i), json_array_get(ports, j)))
                continue;
            _auto_free_ char *first = vpath_text(ITEM(p, j));
            _auto_free_ char *text = xasprintf("duplicate port definition with %s", first);
            warn_at(out, ITEM(p, i), text);
            break;
        }
    }
}

/* -- parts of bytes -- */

static void fraction_warning(const struct vpath *p, const json_t *amounts, const char *name, struct strlist *out)
{
    const json_t *value = vget(amounts, name);
    char amount[QUANTITY_TEXT_LEN];
    if (value == NULL || !qty_fractional(value))
        return;
    struct quantity q = qty(value);
    quantity_format(&q, amount);
    _auto_free_ char *text = xasprintf("fractional byte value \"%s\" is invalid, must be an integer", amount);
    warn_at(out, KEY(p, name), text);
}

static void fraction_warnings(const struct vpath *p, const json_t *resources, struct strlist *out)
{
    static const char *const maps[] = {"limits", "requests"};
    static const char *const names[] = {"memory", "ephemeral-storage"};
    for (size_t m = 0; m < ARRAY_LEN(maps); m++) {
        for (size_t n = 0; n < ARRAY_LEN(names); n++)
            fraction_warning(FIELD(p, maps[m]), vget(resources, maps[m]), names[n], out);
    }
}

/* -- pods and templates -- */

static void container_warnings(const struct vpath *p, const json_t *spec, struct strlist *out)
{
    static const char *const lists[] = {"initContainers", "containers"};
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        const struct vpath *list = FIELD(p, lists[k]);
        size_t i;
        json_t *c;
        json_array_foreach(vget(spec, lists[k]), i, c)
        {
            const struct vpath *at = ITEM(list, i);
            fraction_warnings(FIELD(at, "resources"), vget(c, "resources"), out);
            env_warnings(FIELD(at, "env"), vget(c, "env"), out);
            port_warnings(FIELD(at, "ports"), vget(c, "ports"), out);
        }
    }
}

static void spec_warnings(const struct vpath *p, const json_t *spec, struct strlist *out)
{
    const struct vpath *secrets = FIELD(p, "imagePullSecrets");
    size_t i;
    json_t *secret;
    pod_label_warnings(p, spec, out);
    pod_volume_warnings(p, spec, out);
    repeated_warnings(FIELD(p, "hostAliases"), vget(spec, "hostAliases"), "ip", "ip", out);
    json_array_foreach(vget(spec, "imagePullSecrets"), i, secret)
    {
        if (vstr(secret, "name")[0] == '\0')
            warn_at(out, FIELD(ITEM(secrets, i), "name"), "invalid empty name \"\"");
    }
    repeated_warnings(secrets, vget(spec, "imagePullSecrets"), "name", "name", out);
    fraction_warning(FIELD(p, "overhead"), vget(spec, "overhead"), "memory", out);
    container_warnings(p, spec, out);
    if (vint(spec, "terminationGracePeriodSeconds") < 0)
        warn_at(out, FIELD(p, "terminationGracePeriodSeconds"),
                "must be >= 0; negative values are invalid and will be treated as 1");
}

void pod_warnings(const json_t *obj, const json_t *old, struct strlist *out)
{
    if (old != NULL)
        return;
    name_warning(obj, "the Pod's hostname", out);
    spec_warnings(FIELD(NULL, "spec"), vget(obj, "spec"), out);
}

/* The template's warnings come again only when the template changed. */
static void workload_warnings(const json_t *obj, const json_t *old, struct strlist *out)
{
    const json_t *now = jat(obj, "spec.template"), *before = jat(old, "spec.template");
    if (old == NULL)
        name_warning(obj, "Pod names and hostnames", out);
    if (old == NULL || before == NULL || now == NULL || !json_equal(now, before))
        spec_warnings(FIELD(FIELD(FIELD(NULL, "spec"), "template"), "spec"), vget(now, "spec"), out);
}

void deployment_warnings(const json_t *obj, const json_t *old, struct strlist *out)
{
    workload_warnings(obj, old, out);
}

void replicaset_warnings(const json_t *obj, const json_t *old, struct strlist *out)
{
    workload_warnings(obj, old, out);
}

void statefulset_warnings(const json_t *obj, const json_t *old, struct strlist *out)
{
    const struct vpath *p = FIELD(FIELD(NULL, "spec"), "volumeClaimTemplates");
    const json_t *claims = jat(obj, "spec.volumeClaimTemplates");
    const json_t *now = jat(obj, "spec.template"), *before = jat(old, "spec.template");
    if (old == NULL || before == NULL || now == NULL || !json_equal(now, before))
        spec_warnings(FIELD(FIELD(FIELD(NULL, "spec"), "template"), "spec"), vget(now, "spec"), out);
    for (size_t i = 0; old == NULL && i < json_array_size(claims); i++) {
        const struct vpath *at = FIELD(FIELD(ITEM(p, i), "spec"), "resources");
        const json_t *resources = jat(json_array_get(claims, i), "spec.resources");
        fraction_warning(FIELD(at, "requests"), vget(resources, "requests"), "storage", out);
        fraction_warning(FIELD(at, "limits"), vget(resources, "limits"), "storage", out);
    }
    if (jint(obj, "spec.revisionHistoryLimit", 0) < 0)
        strlist_add(out,
                    "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is "
                    "recommended");
}

void daemonset_warnings(const json_t *obj, const json_t *old, struct strlist *out)
{
    const json_t *now = jat(obj, "spec.template"), *before = jat(old, "spec.template");
    if (old == NULL || before == NULL || now == NULL || !json_equal(now, before))
        spec_warnings(FIELD(FIELD(FIELD(NULL, "spec"), "template"), "spec"), vget(now, "spec"), out);
}

void job_warnings(const json_t *obj, const json_t *old, struct strlist *out)
{
    workload_warnings(obj, old, out);
}

void cronjob_warnings(const json_t *obj, const json_t *old, struct strlist *out)
{
    const struct vpath *p = FIELD(FIELD(FIELD(NULL, "spec"), "jobTemplate"), "spec");
    const json_t *now = jat(obj, "spec.jobTemplate.spec.template"),
                 *before = jat(old, "spec.jobTemplate.spec.template");
    if (old == NULL)
        name_warning(obj, "Pod names and hostnames", out);
    if (old == NULL || before == NULL || now == NULL || !json_equal(now, before))
        spec_warnings(FIELD(FIELD(p, "template"), "spec"), vget(now, "spec"), out);
}

/* -- storage -- */

static void annotation_warning(const json_t *obj, const char *key, const char *text, struct strlist *out)
{
    if (jmap(obj, "metadata.annotations", key) != NULL)
        warn_at(out, KEY(FIELD(FIELD(NULL, "metadata"), "annotations"), key), text);
}

void pv_warnings(const json_t *obj, const json_t *old, struct strlist *out)
{
    static const char *const rows[][3] = {
        {"photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
        {"scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
        {"storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"},
        {"glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
        {"rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"},
        {"cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"},
    };
    const json_t *spec = vget(obj, "spec");
    const struct vpath *p = FIELD(NULL, "spec");
    (void)old;
    annotation_warning(obj, CLASS_ANNOTATION, "deprecated since v1.8; use \"storageClassName\" attribute instead", out);
    annotation_warning(obj, MOUNT_ANNOTATION, "deprecated since v1.31; use \"mountOptions\" attribute instead", out);
    if (strcmp(vstr(spec, "persistentVolumeReclaimPolicy"), "Recycle") == 0)
        warn_at(out, FIELD(p, "persistentVolumeReclaimPolicy"),
                "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic "
                "provisioning.");
    node_selector_warnings(FIELD(FIELD(p, "nodeAffinity"), "required"), jat(spec, "nodeAffinity.required"), out);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (vhas(spec, rows[i][0]))
            warn_at(out, FIELD(p, rows[i][1]), rows[i][2]);
    }
}

void pvc_warnings(const json_t *obj, const json_t *old, struct strlist *out)
{
    const struct vpath *p = FIELD(FIELD(NULL, "spec"), "resources");
    (void)old;
    annotation_warning(obj, CLASS_ANNOTATION, "deprecated since v1.8; use \"storageClassName\" attribute instead", out);
    fraction_warning(FIELD(p, "requests"), jat(obj, "spec.resources.requests"), "storage", out);
    fraction_warning(FIELD(p, "limits"), jat(obj, "spec.resources.limits"), "storage", out);
}

void class_warnings(const json_t *obj, const json_t *old, struct strlist *out)
{
    const struct vpath *p = FIELD(NULL, "allowedTopologies");
    size_t i, j;
    json_t *term, *req;
    (void)old;
    json_array_foreach(vget(obj, "allowedTopologies"), i, term)
    {
        const struct vpath *at = FIELD(ITEM(p, i), "matchLabelExpressions");
        json_array_foreach(vget(term, "matchLabelExpressions"), j, req)
            label_key_warning(FIELD(ITEM(at, j), "key"), vstr(req, "key"), out);
    }
}

/* -- services and nodes -- */

void service_warnings(const json_t *obj, const json_t *old, struct strlist *out)
{
    const json_t *spec = vget(obj, "spec"), *ips = vget(spec, "clusterIPs");
    (void)old;
    if (json_array_size(ips) != 1 || strcmp(vitem(ips, 0), "None") != 0)
        return;
    if (vstr(spec, "loadBalancerIP")[0] != '\0')
        strlist_add(out, "spec.loadBalancerIP is ignored for headless services");
    if (json_array_size(vget(spec, "externalIPs")) > 0)
        strlist_add(out, "spec.externalIPs is ignored for headless services");
    if (strcmp(vstr(spec, "sessionAffinity"), "None") != 0)
        strlist_add(out, "spec.SessionAffinity is ignored for headless services");
}

void node_warnings(const json_t *obj, const json_t *old, struct strlist *out)
{
    const json_t *spec = vget(obj, "spec");
    (void)old;
    if (vhas(spec, "configSource"))
        strlist_add(out, "spec.configSource: the feature is no longer supported");
    if (vstr(spec, "externalID")[0] != '\0')
        strlist_add(out, "spec.externalID: this field is deprecated, and is unused by Kubernetes");
}

void ingress_warnings(const json_t *obj, const json_t *old, struct strlist *out)
{
    if (!old && jmap(obj, "metadata.annotations", "kubernetes.io/ingress.class") &&
        !vhas(vget(obj, "spec"), "ingressClassName"))
        strlist_add(
            out,
            "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead");
}
