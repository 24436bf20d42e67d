/* source.c - who holds the bytes of a volume: CSI drivers, and the in-tree types that hand over to one.
 *
 * DESIGN: since Kubernetes 1.2x the in-tree cloud types are only names; each is served by its CSI driver ("migration").
 * One table says which. When you add an in-tree type: a row here; if a driver of ours serves it, a row in
 * csi/provisioners.c. Source: csi-translation-lib. THREADS: pure. */
#include "volume/volume.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static const struct intree {
    const char *provisioner; /* class.provisioner */
    const char *driver;      /* the CSI driver behind it */
    const char *source;      /* path of the source in a PV */
    const char *handle;      /* field of the source that names the volume */
    bool partitioned;        /* has a field `partition` */
} intree[] = {
    {"kubernetes.io/aws-ebs", "ebs.csi.aws.com", "spec.awsElasticBlockStore", "volumeID", true},
    {"kubernetes.io/gce-pd", "pd.csi.storage.gke.io", "spec.gcePersistentDisk", "pdName", true},
    {"kubernetes.io/azure-disk", "disk.csi.azure.com", "spec.azureDisk", "diskURI"},
    {"kubernetes.io/azure-file", "file.csi.azure.com", "spec.azureFile", "shareName"},
    {"kubernetes.io/cinder", "cinder.csi.openstack.org", "spec.cinder", "volumeID"},
    {"kubernetes.io/vsphere-volume", "csi.vsphere.vmware.com", "spec.vsphereVolume", "volumePath"},
    {"kubernetes.io/portworx-volume", "pxd.portworx.com", "spec.portworxVolume", "volumeID"},
};

/* -- the two forms of a source -- */

static const struct intree *intree_spec(const json_t *spec)
{
    for (size_t i = 0; i < ARRAY_LEN(intree); i++)
        if (json_object_get(spec, strchr(intree[i].source, '.') + 1))
            return &intree[i];
    return NULL;
}

/* Where a persistent disk is, as its driver's handle says it: "zones/us-east-1a", or of several zones their region. */
static void gce_place(const char *zones, char *out, size_t size)
{
    const char *more = zones ? strstr(zones, "__") : NULL, *dash = NULL;
    for (const char *at = zones; more && at < more; at++)
        dash = *at == '-' ? at : dash;
    if (dash)
        snprintf(out, size, "regions/%.*s", (int)(dash - zones), zones);
    else
        snprintf(out, size, "zones/%s", str_empty(zones) ? "UNSPECIFIED" : zones);
}

/* By which the driver knows what an in-tree source names: "aws://us-east-1a/vol-0123" is vol-0123. Borrowed from the
 * source, or in `buf`. zones: the label of the PV, or NULL. */
static const char *handle_of(const struct intree *row, const json_t *source, const char *zones,
                             char buf[VOLUME_HANDLE_LEN])
{
    char place[100];
    const char *id = jstr(source, row->handle);
    const char *slash = id && str_starts(id, "aws://") ? strrchr(id, '/') : NULL;
    if (!id || !str_eq(row->handle, "pdName"))
        return slash ? slash + 1 : id;
    gce_place(zones, place, sizeof place);
    snprintf(buf, VOLUME_HANDLE_LEN, "projects/UNSPECIFIED/%s/disks/%s", place, id);
    return buf;
}

static const char *zones_of(const json_t *pv)
{
    const char *zones = jmap(pv, "metadata.labels", LABEL_ZONE);
    return str_empty(zones) ? jmap(pv, "metadata.labels", LABEL_BETA_ZONE) : zones;
}

static json_t *to_csi(const json_t *spec, const char *zones)
{
    char buf[VOLUME_HANDLE_LEN];
    const struct intree *row = intree_spec(spec);
    const json_t *source = row ? json_object_get(spec, strchr(row->source, '.') + 1) : NULL;
    const char *handle = source ? handle_of(row, source, zones, buf) : NULL;
    if (!handle)
        return NULL;
    json_t *csi = json_pack("{s:s, s:s, s:s}", "driver", row->driver, "volumeHandle", handle, "fsType",
                            jstr_or(source, "fsType", "ext4"));
    if (row->partitioned)
        json_object_set_new(jmake_obj(csi, "volumeAttributes"), "partition",
                            json_sprintf("%d", (int)jint(source, "partition", 0)));
    if (jbool(source, "readOnly", false))
        jset_bool(csi, "readOnly", true);
    return json_pack("{s:o}", "csi", csi);
}

json_t *source_to_csi(const json_t *spec)
{
    return to_csi(spec, NULL);
}

json_t *pv_to_csi(const json_t *pv)
{
    return to_csi(json_object_get(pv, "spec"), zones_of(pv));
}

static json_t *intree_form(const struct intree *row, const json_t *csi)
{
    const char *handle = jstr_or(csi, "volumeHandle", ""), *slash = strrchr(handle, '/');
    const char *name = slash ? slash + 1 : handle;
    json_t *source = json_object();
    if (str_eq(row->handle, "diskURI")) {
        jset_str(source, "kind", "Managed");
        jset_str(source, "diskName", name);
        jset_str(source, "cachingMode", "ReadOnly");
        jset_bool(source, "readOnly", false);
    }
    jset_str(source, row->handle, str_eq(row->handle, "pdName") ? name : handle);
    if (jstr(csi, "fsType"))
        jset_str(source, "fsType", jstr(csi, "fsType"));
    return source;
}

void pv_to_intree(json_t *pv, const char *provisioner)
{
    const struct intree *row = NULL;
    json_t *spec = json_object_get(pv, "spec");
    for (size_t i = 0; i < ARRAY_LEN(intree) && !row; i++)
        row = str_eq(intree[i].provisioner, provisioner) ? &intree[i] : NULL;
    if (!row || !jat(spec, "csi"))
        return;
    json_object_set_new(spec, strchr(row->source, '.') + 1, intree_form(row, jat(spec, "csi")));
    json_object_del(spec, "csi");
    json_t *exprs = jat(json_array_get(jat(spec, "nodeAffinity.required.nodeSelectorTerms"), 0), "matchExpressions");
    json_t *first = json_array_get(exprs, 0);
    const char *zone = json_string_value(json_array_get(jat(first, "values"), 0));
    if (str_empty(zone))
        return;
    _auto_free_ char *region = xstrndup(zone, strlen(zone) - 1);
    jset_str(first, "key", LABEL_ZONE);
    json_array_append_new(exprs,
                          json_pack("{s:s, s:s, s:[s]}", "key", LABEL_REGION, "operator", "In", "values", region));
    jset_map(pv, "metadata.labels", LABEL_ZONE, zone);
    jset_map(pv, "metadata.labels", LABEL_REGION, region);
}

/* -- who holds the bytes -- */

static const struct intree *intree_source(const json_t *pv)
{
    return intree_spec(json_object_get(pv, "spec"));
}

const char *pv_driver(const json_t *pv)
{
    const char *csi = jstr(pv, "spec.csi.driver");
    if (csi)
        return csi;
    const struct intree *row = intree_source(pv);
    return row ? row->driver : NULL;
}

const char *pv_handle(const json_t *pv, char buf[VOLUME_HANDLE_LEN])
{
    const char *csi = jstr(pv, "spec.csi.volumeHandle");
    const struct intree *row = csi ? NULL : intree_source(pv);
    return row ? handle_of(row, jat(pv, row->source), zones_of(pv), buf) : csi;
}

bool pv_is_on_disk(const json_t *pv, const char *disk)
{
    char buf[VOLUME_HANDLE_LEN];
    const char *handle = pv_handle(pv, buf), *slash = handle ? strrchr(handle, '/') : NULL;
    return str_eq(handle, disk) || (slash && str_eq(slash + 1, disk));
}

bool pv_is_migrated(const json_t *pv)
{
    return !jat(pv, "spec.csi") && intree_source(pv);
}

const char *pv_intree_plugin(const json_t *pv)
{
    const struct intree *row = jat(pv, "spec.csi") ? NULL : intree_source(pv);
    return row ? row->provisioner : NULL;
}

bool pv_unique_name(const json_t *pv, char *out, size_t size)
{
    char buf[VOLUME_HANDLE_LEN];
    const char *driver = pv_driver(pv);
    const char *handle = pv_handle(pv, buf);
    if (!driver || !handle)
        return false;
    snprintf(out, size, "kubernetes.io/csi/%s^%s", driver, handle);
    return true;
}

const char *provisioner_csi_name(const char *provisioner)
{
    for (size_t i = 0; i < ARRAY_LEN(intree); i++)
        if (str_eq(intree[i].provisioner, provisioner))
            return intree[i].driver;
    return provisioner;
}

bool provisioner_is_unknown_intree(const char *provisioner)
{
    return str_starts(provisioner, "kubernetes.io/") && str_eq(provisioner_csi_name(provisioner), provisioner) &&
           !str_eq(provisioner, "kubernetes.io/host-path");
}

void attachment_name(const char *handle, const char *driver, const char *node, char out[ATTACHMENT_NAME_LEN])
{
    struct sha256 s;
    sha256_init(&s);
    sha256_add(&s, handle, strlen(handle));
    sha256_add(&s, driver, strlen(driver));
    sha256_add(&s, node, strlen(node));
    memcpy(out, "csi-", 4);
    sha256_hex(&s, out + 4);
}
