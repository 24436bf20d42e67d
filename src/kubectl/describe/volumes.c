/* volumes.c - volumes of pods and sources of persistent volumes.
 *
 * DESIGN: one table; a source is a key of the object, a sentence, and fields. Where a persistent volume's source shows
 * more than a pod's (glusterfs, ScaleIO, Azure Files, CSI), the field says so. When you add a source that kubectl
 * learned, add its row; the order of rows is the order in which kubectl looks. THREADS: pure. */
#include "kubectl/describe/page_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

enum where { BOTH, POD, PV };
struct source_field {
    const char *label, *path;
    const char *none; /* what stands there when the member is absent; NULL: nothing */
    enum where where;
};
struct source {
    const char *key, *title;
    struct source_field fields[12];
    void (*more)(struct page *p, const json_t *source); /* after the fields; may be NULL */
};

static void more_projected(struct page *p, const json_t *source);
static void more_downward(struct page *p, const json_t *source);
static void more_ephemeral(struct page *p, const json_t *source);
static void more_csi(struct page *p, const json_t *source);

#define READ_ONLY                                                                                                      \
    {                                                                                                                  \
        "ReadOnly:", "readOnly", "false", BOTH                                                                         \
    }

static const struct source sources[] = {
    {"hostPath",
     "HostPath (bare host directory volume)",
     {{"Path:", "path", NULL, BOTH}, {"HostPathType:", "type", "<none>", BOTH}},
     NULL},
    {"emptyDir",
     "EmptyDir (a temporary directory that shares a pod's lifetime)",
     {{"Medium:", "medium", NULL, BOTH}, {"SizeLimit:", "sizeLimit", "<unset>", BOTH}},
     NULL},
    {"gcePersistentDisk",
     "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)",
     {{"PDName:", "pdName", NULL, BOTH},
      {"FSType:", "fsType", NULL, BOTH},
      {"Partition:", "partition", "0", BOTH},
      READ_ONLY},
     NULL},
    {"awsElasticBlockStore",
     "AWSElasticBlockStore (a Persistent Disk resource in AWS)",
     {{"VolumeID:", "volumeID", NULL, BOTH},
      {"FSType:", "fsType", NULL, BOTH},
      {"Partition:", "partition", "0", BOTH},
      READ_ONLY},
     NULL},
    {"gitRepo",
     "GitRepo (a volume that is pulled from git when the pod is created)",
     {{"Repository:", "repository", NULL, BOTH}, {"Revision:", "revision", NULL, BOTH}},
     NULL},
    {"secret",
     "Secret (a volume populated by a Secret)",
     {{"SecretName:", "secretName", NULL, BOTH}, {"Optional:", "optional", "false", BOTH}},
     NULL},
    {"configMap",
     "ConfigMap (a volume populated by a ConfigMap)",
     {{"Name:", "name", NULL, BOTH}, {"Optional:", "optional", "false", BOTH}},
     NULL},
    {"nfs",
     "NFS (an NFS mount that lasts the lifetime of a pod)",
     {{"Server:", "server", NULL, BOTH}, {"Path:", "path", NULL, BOTH}, READ_ONLY},
     NULL},
    {"iscsi",
     "ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the pod)",
     {{"TargetPortal:", "targetPortal", NULL, BOTH},
      {"IQN:", "iqn", NULL, BOTH},
      {"Lun:", "lun", "0", BOTH},
      {"ISCSIInterface", "iscsiInterface", NULL, BOTH}, /* without a colon, as kubectl has it */
      {"FSType:", "fsType", NULL, BOTH},
      READ_ONLY,
      {"Portals:", "portals", "[]", BOTH},
      {"DiscoveryCHAPAuth:", "chapAuthDiscovery", "false", BOTH},
      {"SessionCHAPAuth:", "chapAuthSession", "false", BOTH},
      {"SecretRef:", "secretRef", "nil", BOTH},
      {"InitiatorName:", "initiatorName", "<none>", BOTH}},
     NULL},
    {"glusterfs",
     "Glusterfs (a Glusterfs mount on the host that shares a pod's lifetime)",
     {{"EndpointsName:", "endpoints", NULL, BOTH},
      {"EndpointsNamespace:", "endpointsNamespace", "<unset>", PV},
      {"Path:", "path", NULL, BOTH},
      READ_ONLY},
     NULL},
    {"persistentVolumeClaim",
     "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
     {{"ClaimName:", "claimName", NULL, BOTH}, READ_ONLY},
     NULL},
    {"ephemeral",
     "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)",
     {{0}},
     more_ephemeral},
    {"rbd",
     "RBD (a Rados Block Device mount on the host that shares a pod's lifetime)",
     {{"CephMonitors:", "monitors", "[]", BOTH},
      {"RBDImage:", "image", NULL, BOTH},
      {"FSType:", "fsType", NULL, BOTH},
      {"RBDPool:", "pool", NULL, BOTH},
      {"RadosUser:", "user", NULL, BOTH},
      {"Keyring:", "keyring", NULL, BOTH},
      {"SecretRef:", "secretRef", "nil", BOTH},
      READ_ONLY},
     NULL},
    {"quobyte",
     "Quobyte (a Quobyte mount on the host that shares a pod's lifetime)",
     {{"Registry:", "registry", NULL, BOTH}, {"Volume:", "volume", NULL, BOTH}, READ_ONLY},
     NULL},
    {"downwardAPI", "DownwardAPI (a volume populated by information about the pod)", {{0}}, more_downward},
    {"azureDisk",
     "AzureDisk (an Azure Data Disk mount on the host and bind mount to the pod)",
     {{"DiskName:", "diskName", NULL, BOTH},
      {"DiskURI:", "diskURI", NULL, BOTH},
      {"Kind: ", "kind", NULL, BOTH},
      {"FSType:", "fsType", NULL, BOTH},
      {"CachingMode:", "cachingMode", NULL, BOTH},
      READ_ONLY},
     NULL},
    {"vsphereVolume",
     "vSphereVolume (a Persistent Disk resource in vSphere)",
     {{"VolumePath:", "volumePath", NULL, BOTH},
      {"FSType:", "fsType", NULL, BOTH},
      {"StoragePolicyName:", "storagePolicyName", NULL, BOTH}},
     NULL},
    {"cinder",
     "Cinder (a Persistent Disk resource in OpenStack)",
     {{"VolumeID:", "volumeID", NULL, BOTH},
      {"FSType:", "fsType", NULL, BOTH},
      READ_ONLY,
      {"SecretRef:", "secretRef", "nil", BOTH}},
     NULL},
    {"photonPersistentDisk",
     "PhotonPersistentDisk (a Persistent Disk resource in photon platform)",
     {{"PdID:", "pdID", NULL, BOTH}, {"FSType:", "fsType", NULL, BOTH}},
     NULL},
    {"portworxVolume", "PortworxVolume (a Portworx Volume resource)", {{"VolumeID:", "volumeID", NULL, BOTH}}, NULL},
    {"scaleIO",
     "ScaleIO (a persistent volume backed by a block device in ScaleIO)",
     {{"Gateway:", "gateway", NULL, BOTH},
      {"System:", "system", NULL, BOTH},
      {"Protection Domain:", "protectionDomain", NULL, BOTH},
      {"Storage Pool:", "storagePool", NULL, BOTH},
      {"Storage Mode:", "storageMode", NULL, BOTH},
      {"VolumeName:", "volumeName", NULL, BOTH},
      {"SecretName:", "secretRef.name", NULL, PV},
      {"SecretNamespace:", "secretRef.namespace", NULL, PV},
      {"FSType:", "fsType", NULL, BOTH},
      READ_ONLY},
     NULL},
    {"local",
     "LocalVolume (a persistent volume backed by local storage on a node)",
     {{"Path:", "path", NULL, BOTH}},
     NULL},
    {"cephfs",
     "CephFS (a CephFS mount on the host that shares a pod's lifetime)",
     {{"Monitors:", "monitors", "[]", BOTH},
      {"Path:", "path", NULL, BOTH},
      {"User:", "user", NULL, BOTH},
      {"SecretFile:", "secretFile", NULL, BOTH},
      {"SecretRef:", "secretRef", "nil", BOTH},
      READ_ONLY},
     NULL},
    {"storageos",
     "StorageOS (a StorageOS Persistent Disk resource)",
     {{"VolumeName:", "volumeName", NULL, BOTH},
      {"VolumeNamespace:", "volumeNamespace", NULL, BOTH},
      {"FSType:", "fsType", NULL, BOTH},
      READ_ONLY},
     NULL},
    {"fc",
     "FC (a Fibre Channel disk)",
     {{"TargetWWNs:", "targetWWNs", NULL, BOTH},
      {"LUN:", "lun", "<none>", BOTH},
      {"FSType:", "fsType", NULL, BOTH},
      READ_ONLY},
     NULL},
    {"azureFile",
     "AzureFile (an Azure File Service mount on the host and bind mount to the pod)",
     {{"SecretName:", "secretName", NULL, BOTH},
      {"SecretNamespace:", "secretNamespace", NULL, PV},
      {"ShareName:", "shareName", NULL, BOTH},
      READ_ONLY},
     NULL},
    {"flexVolume",
     "FlexVolume (a generic volume resource that is provisioned/attached using an exec based plugin)",
     {{"Driver:", "driver", NULL, BOTH},
      {"FSType:", "fsType", NULL, BOTH},
      {"SecretRef:", "secretRef", "nil", BOTH},
      READ_ONLY,
      {"Options:", "options", "map[]", BOTH}},
     NULL},
    {"flocker",
     "Flocker (a Flocker volume mounted by the Flocker agent)",
     {{"DatasetName:", "datasetName", NULL, BOTH}, {"DatasetUUID:", "datasetUUID", NULL, BOTH}},
     NULL},
    {"projected", "Projected (a volume that contains injected data from multiple sources)", {{0}}, more_projected},
    {"csi",
     "CSI (a Container Storage Interface (CSI) volume source)",
     {{"Driver:", "driver", NULL, BOTH},
      {"FSType:", "fsType", NULL, BOTH},
      {"VolumeHandle:", "volumeHandle", NULL, PV},
      READ_ONLY},
     more_csi},
    {"image",
     "Image (a container image or OCI artifact)",
     {{"Reference:", "reference", NULL, BOTH}, {"PullPolicy:", "pullPolicy", NULL, BOTH}},
     NULL},
};

/* A reference prints as Go's generated String() has it; lists and maps as %v; a size of nothing is none. */
static void field_text(struct buf *out, const struct source_field *f, const json_t *v)
{
    bool unset = str_eq(f->path, "sizeLimit") && quantity_bytes(json_string_value(v), 0) <= 0;
    if (v == NULL || json_is_null(v) || unset)
        buf_adds(out, f->none != NULL ? f->none : "");
    else if (str_eq(f->path, "secretRef") && jstr(v, "namespace") != NULL)
        buf_addf(out, "&SecretReference{Name:%s,Namespace:%s,}", jstr_or(v, "name", ""), jstr(v, "namespace"));
    else if (str_eq(f->path, "secretRef"))
        buf_addf(out, "&LocalObjectReference{Name:%s,}", jstr_or(v, "name", ""));
    else if (str_eq(f->path, "targetWWNs"))
        value_join(out, v, ", ");
    else
        value_text(out, v);
}

static const struct source *source_of(const json_t *spec)
{
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        if (json_is_object(json_object_get(spec, sources[i].key)))
            return &sources[i];
    return NULL;
}

static void put_source(struct page *p, const json_t *spec, enum where where)
{
    const struct source *s = source_of(spec);
    if (s == NULL) {
        page_put(p, 1, "<unknown>\n");
        return;
    }
    const json_t *source = json_object_get(spec, s->key);
    page_put(p, 2, "Type:\t%s\n", s->title);
    for (size_t i = 0; i < ARRAY_LEN(s->fields) && s->fields[i].label != NULL; i++) {
        const struct source_field *f = &s->fields[i];
        if (f->where != BOTH && f->where != where)
            continue;
        _auto_buf_ struct buf text = BUF_INIT;
        field_text(&text, f, jat(source, f->path));
        page_put(p, 2, "%s\t%s\n", f->label, buf_str(&text));
    }
    if (s->more != NULL)
        s->more(p, source);
}

void page_volume_source(struct page *p, const json_t *spec)
{
    put_source(p, spec, PV);
}

void page_volumes(struct page *p, const json_t *volumes, const char *space)
{
    size_t n = json_array_size(volumes);
    page_put(p, 0, "%sVolumes:%s\n", space, n == 0 ? "\t<none>" : "");
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(volumes, i);
        page_put(p, 1, "%s%s:\n", space[0] != '\0' ? " " : "", jstr_or(v, "name", ""));
        put_source(p, v, POD);
    }
}

static void put_projected(struct page *p, const json_t *source)
{
    static const struct {
        const char *key, *name, *optional;
    } named[] = {{"secret", "SecretName:", "SecretOptionalName:"},
                 {"configMap", "ConfigMapName:", "ConfigMapOptional:"}};
    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        const json_t *s = json_object_get(source, named[i].key);
        if (!json_is_object(s))
            continue;
        _auto_buf_ struct buf optional = BUF_INIT;
        value_text(&optional, jat(s, "optional"));
        page_put(p, 2, "%s\t%s\n", named[i].name, jstr_or(s, "name", ""));
        page_put(p, 2, "%s\t%s\n", named[i].optional, buf_str(&optional));
    }
    if (json_is_object(json_object_get(source, "downwardAPI")))
        page_put(p, 2, "DownwardAPI:\ttrue\n");
    const json_t *token = json_object_get(source, "serviceAccountToken");
    if (json_is_object(token))
        page_put(p, 2, "TokenExpirationSeconds:\t%lld\n", (long long)jint(token, "expirationSeconds", 0));
}

static void more_projected(struct page *p, const json_t *source)
{
    const json_t *list = jat(source, "sources");
    for (size_t i = 0; i < json_array_size(list); i++)
        put_projected(p, json_array_get(list, i));
}

static void more_downward(struct page *p, const json_t *source)
{
    const json_t *items = jat(source, "items");
    page_put(p, 2, "Items:\n");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *from = jstr_or(item, "fieldRef.fieldPath", jstr_or(item, "resourceFieldRef.resource", ""));
        page_put(p, 3, "%s -> %s\n", from, jstr_or(item, "path", ""));
    }
}

static void more_ephemeral(struct page *p, const json_t *source)
{
    const json_t *claim = jat(source, "volumeClaimTemplate");
    if (!json_is_object(claim))
        return;
    p->indent += 2;
    page_claim(p, claim, false);
    p->indent -= 2;
}

static void more_csi(struct page *p, const json_t *source)
{
    const json_t *attributes = jat(source, "volumeAttributes");
    _auto_json_ json_t *keys = keys_sorted(attributes);
    page_put(p, 2, "VolumeAttributes:\t");
    if (json_array_size(keys) == 0)
        page_end(p, "<none>");
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *key = json_string_value(json_array_get(keys, i));
        _auto_buf_ struct buf line = BUF_INIT;
        buf_addf(&line, "%s=", key);
        value_text(&line, json_object_get(attributes, key));
        if (i > 0) {
            page_put(p, 2, "%s", "");
            page_put(p, 2, "\t");
        }
        bool cut = line.len > 140;
        page_put(p, 2, "%.*s%s\n", (int)(cut ? 140 : line.len), buf_str(&line), cut ? "..." : "");
    }
}
