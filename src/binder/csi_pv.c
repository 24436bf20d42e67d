/* csi_pv.c - the PersistentVolume objects of provisioned volumes, and names that CSI sidecars derive.
 *
 * A class of an in-tree name gets its PV in the in-tree form: same disk, other words, two labels more.
 * Source: external-provisioner controller.go Provision; csi-translation-lib aws_ebs.go. */
#include "binder/binder_int.h"

#include "api/quantity.h"
#include "base/buf.h"
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

/* -- parameters for the sidecars: secrets -- */

/* A pair of parameters, <stem>secret-name and <stem>secret-namespace, and the member of the volume's source it fills.
 */
static const struct {
    const char *stem, *member; /* NULL: the provisioner's own, or for all of them */
} secrets[] = {
    {"", NULL},
    {"provisioner-", NULL},
    {"controller-publish-", "controllerPublishSecretRef"},
    {"node-stage-", "nodeStageSecretRef"},
    {"node-publish-", "nodePublishSecretRef"},
    {"controller-expand-", "controllerExpandSecretRef"},
    {"node-expand-", "nodeExpandSecretRef"},
};

static const char *secret_parameter(const json_t *sc, const char *stem, const char *what)
{
    char key[100];
    snprintf(key, sizeof key, CSI_PARAMETERS "%ssecret-%s", stem, what);
    return jmap(sc, "parameters", key);
}

static bool is_known(const char *key)
{
    if (str_eq(key, "fstype"))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        size_t n = strlen(secrets[i].stem);
        if (strncmp(key, secrets[i].stem, n) == 0 &&
            (str_eq(key + n, "secret-name") || str_eq(key + n, "secret-namespace")))
            return true;
    }
    return false;
}

const char *csi_unknown_parameter(const json_t *sc)
{
    const char *key;
    const json_t *value;
    json_object_foreach(jat(sc, "parameters"), key, value)
    {
        if (str_starts(key, CSI_PARAMETERS) && !is_known(key + strlen(CSI_PARAMETERS)))
            return key;
    }
    return NULL;
}

/* "${pvc.namespace}" and the like, filled in. Returns new; NULL for NULL. */
static char *filled_in(const char *text, const json_t *pv)
{
    const struct {
        const char *word, *value;
    } words[] = {
        {"${pv.name}", obj_name(pv)},
        {"${pvc.namespace}", jstr_or(pv, "spec.claimRef.namespace", "")},
        {"${pvc.name}", jstr_or(pv, "spec.claimRef.name", "")},
    };
    _auto_buf_ struct buf out = BUF_INIT;
    for (const char *c = text; c && *c;) {
        size_t w = 0;
        while (w < ARRAY_LEN(words) && !str_starts(c, words[w].word))
            w++;
        if (w == ARRAY_LEN(words)) {
            buf_addc(&out, *c++);
            continue;
        }
        buf_adds(&out, words[w].value);
        c += strlen(words[w].word);
    }
    return text ? buf_steal(&out, NULL) : NULL;
}

/* The secret of that stem, or the one for all. Returns a new reference to it, or NULL. */
static json_t *secret_ref(const json_t *pv, const json_t *sc, const char *stem)
{
    const char *from = secret_parameter(sc, stem, "name") ? stem : "";
    _auto_free_ char *name = filled_in(secret_parameter(sc, from, "name"), pv);
    _auto_free_ char *ns = filled_in(secret_parameter(sc, from, "namespace"), pv);
    return name && ns ? json_pack("{s:s, s:s}", "name", name, "namespace", ns) : NULL;
}

static void put_secrets(json_t *pv, const json_t *sc)
{
    _auto_json_ json_t *own = secret_ref(pv, sc, "provisioner-");
    jset_map(pv, "metadata.annotations", ANN_DELETE_SECRET_NAME, jstr_or(own, "name", ""));
    jset_map(pv, "metadata.annotations", ANN_DELETE_SECRET_NS, jstr_or(own, "namespace", ""));
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        json_t *ref = secrets[i].member ? secret_ref(pv, sc, secrets[i].stem) : NULL;
        if (ref)
            json_object_set_new(jat(pv, "spec.csi"), secrets[i].member, ref);
    }
}

/* -- the volume -- */

static void put_csi_parts(struct loop *l, json_t *pv, const json_t *sc, const char *driver)
{
    if (!jat(pv, "spec.csi"))
        return;
    jset_map(pv, "spec.csi.volumeAttributes", "storage.kubernetes.io/csiProvisionerIdentity", identity(l, driver));
    put_secrets(pv, sc);
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
