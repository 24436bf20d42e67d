/* pod_volumes.c - a pod's volumes: unique names, exactly one source each.
 *
 * DESIGN: a volume with a fault is not known to the mounts checked later, which then complain as well; the real server
 * does the same. THREADS: pure functions. When you add a source: its name here, its rules in volume_sources.c. */
#include "api/validate/pod_int.h"

/* In the order the real server looks at them: the second one found is the one it forbids. */
static const char *const sources[] = {
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
};

/* The claim a generic ephemeral volume makes is named after pod and volume. */
static void ephemeral_name_check(struct pod_rules *r, const struct vpath *p, const json_t *volume)
{
    const char *pod = vstr(r->meta, "name"), *name = vstr(volume, "name");
    struct msgs m = {0};
    if (pod[0] == '\0' || name[0] == '\0')
        return;
    _auto_free_ char *claim = xasprintf("%s-%s", pod, name);
    rule_subdomain(claim, &m);
    for (size_t i = 0; i < m.len; i++) {
        _auto_free_ char *detail = xasprintf("PVC name \"%s\": %s", claim, m.text[i]);
        v_invalid(r->errs, FIELD(p, "name"), name, detail);
    }
}

void pod_volume_source_check(struct pod_rules *r, const struct vpath *p, const json_t *volume)
{
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        const json_t *source = vget(volume, sources[i]);
        if (source == NULL)
            continue;
        if (found) {
            v_forbidden(r->errs, FIELD(p, sources[i]), "may not specify more than 1 volume type");
            continue;
        }
        found = true;
        volume_source_check(SOURCE_POD, sources[i], source, FIELD(p, sources[i]), r->errs);
        if (strcmp(sources[i], "ephemeral") == 0)
            ephemeral_name_check(r, p, volume);
    }
    if (!found)
        v_required(r->errs, p, "must specify a volume type");
}

/* A claim that another volume of this pod creates cannot be named here: they would be the same object. */
static void created_claims_check(struct pod_rules *r, const struct vpath *p, const json_t *volumes)
{
    size_t i, j;
    json_t *volume, *other;
    json_array_foreach(volumes, i, volume)
    {
        const char *claim = vstr(vget(volume, "persistentVolumeClaim"), "claimName");
        if (claim[0] == '\0')
            continue;
        json_array_foreach(volumes, j, other)
        {
            _auto_free_ char *made = xasprintf("%s-%s", vstr(r->meta, "name"), vstr(other, "name"));
            if (vhas(other, "ephemeral") && strcmp(made, claim) == 0)
                v_invalid(r->errs, FIELD(FIELD(ITEM(p, i), "persistentVolumeClaim"), "claimName"), claim,
                          "must not reference a PVC that gets created for an ephemeral volume");
        }
    }
}

void pod_volumes_check(struct pod_rules *r, const struct vpath *p)
{
    const json_t *volumes = vget(r->spec, "volumes");
    size_t i;
    json_t *volume;
    json_array_foreach(volumes, i, volume)
    {
        const struct vpath *at = ITEM(p, i);
        const char *name = vstr(volume, "name");
        size_t faults = r->errs->len;
        pod_volume_source_check(r, at, volume);
        if (name[0] == '\0')
            v_required(r->errs, FIELD(at, "name"), NULL);
        else
            v_name(r->errs, FIELD(at, "name"), name, rule_label);
        if (strlist_has(&r->volumes, name))
            v_duplicate(r->errs, FIELD(at, "name"), name);
        if (r->errs->len > faults)
            continue;
        strlist_add(&r->volumes, name);
        if (vhas(volume, "persistentVolumeClaim") || vhas(volume, "ephemeral"))
            strlist_add(&r->claim_volumes, name);
    }
    if (r->meta != NULL && vstr(r->meta, "name")[0] != '\0')
        created_claims_check(r, p, volumes);
}

void pod_rules_release(struct pod_rules *r)
{
    strlist_release(&r->volumes);
    strlist_release(&r->claim_volumes);
}
