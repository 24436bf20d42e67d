/* csi_pv.c - the PersistentVolume objects of provisioned volumes, and names that CSI sidecars derive.
 *
 * A class of an in-tree name gets its PV in the in-tree form: same disk, other words, two labels more.
 * Source: external-provisioner controller.go Provision; csi-translation-lib aws_ebs.go. */
#include "binder/binder_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

void attacher_finalizer(const char *driver, char *out, size_t size)
{
    int n = snprintf(out, size, FIN_ATTACHER_PREFIX "%s", driver);
    for (char *p = out + strlen(FIN_ATTACHER_PREFIX); n > 0 && *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-'))
            *p = '-';
}

bool driver_attaches(struct loop *l, const char *driver)
{
    _auto_sobj_ struct sobj *obj = reg_read(loop_registry(l), RES.csidrivers, "", driver);
    if (obj)
        return jbool(obj->tree, "spec.attachRequired", true);
    const struct csi_driver *ours = csi_driver_by_name(driver);
    return !ours || ours->attach_required;
}

/* "<unix ms>-<0..9999>-<driver>", drawn once in the life of the process as a provisioner does at its start. */
static const char *identity(struct loop *l, const char *driver)
{
    static char head[40], text[320];
    if (!*head) {
        uint16_t salt;
        random_bytes(&salt, sizeof salt);
        snprintf(head, sizeof head, "%lld-%u", (long long)(clock_wall_ns(loop_clock(l)) / 1000000), salt % 10000u);
    }
    snprintf(text, sizeof text, "%s-%s", head, driver);
    return text;
}

static void put_csi_parts(struct loop *l, json_t *pv, const json_t *sc, const char *driver)
{
    if (!jat(pv, "spec.csi"))
        return;
    jset_map(pv, "spec.csi.volumeAttributes", "storage.kubernetes.io/csiProvisionerIdentity", identity(l, driver));
    jset_map(pv, "metadata.annotations", ANN_DELETE_SECRET_NAME, "");
    jset_map(pv, "metadata.annotations", ANN_DELETE_SECRET_NS, "");
    if (str_eq(jstr_or(sc, "reclaimPolicy", "Delete"), "Delete"))
        finalizer_add(pv, FIN_PROVISIONER);
}

json_t *pv_build(struct loop *l, const json_t *claim, const json_t *sc, const struct csi_provisioner *p,
                 struct csi_volume *made)
{
    char size[QUANTITY_TEXT_LEN];
    struct quantity bytes;
    quantity_from_bytes(made->bytes, &bytes);
    quantity_format(&bytes, size);
    json_t *pv = json_pack("{s:s, s:s, s:{}, s:{s:{s:s}, s:o, s:s, s:s, s:s, s:o}}", "kind", "PersistentVolume",
                           "apiVersion", "v1", "metadata", "spec", "capacity", "storage", size, "accessModes",
                           json_deep_copy(jat(claim, "spec.accessModes")), "persistentVolumeReclaimPolicy",
                           jstr_or(sc, "reclaimPolicy", "Delete"), "storageClassName", obj_name(sc), "volumeMode",
                           claim_mode(claim), "claimRef", object_reference(claim));
    jset(pv, "metadata.name", json_sprintf("pvc-%s", obj_uid(claim)));
    if (made->annotations)
        jset(pv, "metadata.annotations", json_deep_copy(made->annotations));
    if (made->labels)
        jset(pv, "metadata.labels", json_deep_copy(made->labels));
    jset_map(pv, "metadata.annotations", ANN_PROVISIONED_BY, p->provisioner);
    json_object_update(jat(pv, "spec"), made->source);
    if (made->node_affinity)
        jset(pv, "spec.nodeAffinity", json_incref(made->node_affinity));
    if (json_array_size(jat(sc, "mountOptions")) && !p->driver->plain)
        jset(pv, "spec.mountOptions", json_deep_copy(jat(sc, "mountOptions")));
    put_csi_parts(l, pv, sc, p->driver->name);
    pv_to_intree(pv, p->provisioner);
    return pv;
}
