/* volume_sources.c - the rules of each kind of volume, in pods and in persistent volumes.
 *
 * DESIGN: one table, a row a source: members that must not be empty, then a function for what else there is to say.
 * A persistent volume's form of a source may ask for more (references there have namespaces); the rows say so.
 * THREADS: pure functions. When you add a source: a row, and its name in the order lists of pod_volumes.c and pv.c. */
#include "api/validate/pod_int.h"

struct source {
    enum source_use use;
    const json_t *json;
    const struct vpath *path;
    struct field_errors *errs;
};
typedef void source_rules(const struct source *s);

static const char *const host_path_types[] = {"",     "BlockDevice",  "CharDevice", "Directory", "DirectoryOrCreate",
                                              "File", "FileOrCreate", "Socket",     NULL};

/* A reference to a secret: its name, perhaps its namespace too. */
static void secret_ref_check(const struct source *s, const char *key, bool with_namespace)
{
    const json_t *ref = vget(s->json, key);
    const struct vpath *p = FIELD(s->path, key);
    if (ref == NULL)
        return;
    v_required_str(s->errs, p, ref, "name");
    if (with_namespace)
        v_required_str(s->errs, p, ref, "namespace");
}

/* -- paths of the node -- */

static void host_path(const struct source *s)
{
    const char *path = vstr(s->json, "path");
    if (path[0] == '\0') {
        v_required(s->errs, FIELD(s->path, "path"), NULL);
        return;
    }
    v_no_backsteps(s->errs, FIELD(s->path, "path"), path);
    v_choice_opt(s->errs, s->path, s->json, "type", host_path_types);
}

static void local(const struct source *s)
{
    const char *path = vstr(s->json, "path");
    if (path[0] == '\0')
        v_required(s->errs, FIELD(s->path, "path"), NULL);
    else
        v_no_backsteps(s->errs, FIELD(s->path, "path"), path);
}

static void empty_dir(const struct source *s)
{
    if (qty(vget(s->json, "sizeLimit")).nano < 0)
        v_forbidden(s->errs, FIELD(s->path, "sizeLimit"), "SizeLimit field must be a valid resource quantity");
}

static void git_repo(const struct source *s)
{
    v_descending_path(s->errs, FIELD(s->path, "directory"), vstr(s->json, "directory"));
}

/* -- cloud disks -- */

static void partition(const struct source *s)
{
    v_range(s->errs, FIELD(s->path, "partition"), vint(s->json, "partition"), 0, 255);
}

static void cinder(const struct source *s)
{
    secret_ref_check(s, "secretRef", s->use == SOURCE_PV);
}

static void azure_file(const struct source *s)
{
    if (s->use == SOURCE_PV && vhas(s->json, "secretNamespace"))
        v_required_str(s->errs, s->path, s->json, "secretNamespace");
}

static void azure_disk(const struct source *s)
{
    static const char *const caching[] = {"None", "ReadOnly", "ReadWrite", NULL};
    static const char *const kinds[] = {"Dedicated", "Managed", "Shared", NULL};
    static const char *const managed_uri[] = {
        "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}", NULL};
    static const char *const blob_uri[] = {"https://{account-name}.blob.core.windows.net/{container-name}/"
                                           "{disk-name}.vhd",
                                           NULL};
    const char *uri = vstr(s->json, "diskURI");
    bool managed = strcmp(vstr(s->json, "kind"), "Managed") == 0;
    v_choice_opt(s->errs, s->path, s->json, "cachingMode", caching);
    v_choice_opt(s->errs, s->path, s->json, "kind", kinds);
    if (managed && !str_starts(uri, "/subscriptions/"))
        v_unsupported(s->errs, FIELD(s->path, "diskURI"), uri, managed_uri);
    if (!managed && vhas(s->json, "kind") && !str_starts(uri, "https://"))
        v_unsupported(s->errs, FIELD(s->path, "diskURI"), uri, blob_uri);
}

/* -- network storage -- */

static void nfs(const struct source *s)
{
    const char *path = vstr(s->json, "path");
    if (path[0] != '/')
        v_invalid(s->errs, FIELD(s->path, "path"), path, "must be an absolute path");
}

static void glusterfs(const struct source *s)
{
    const char *ns = vstr(s->json, "endpointsNamespace");
    const struct vpath *at = FIELD(s->path, "endpointsNamespace");
    if (s->use != SOURCE_PV || !vhas(s->json, "endpointsNamespace"))
        return;
    if (ns[0] == '\0')
        v_invalid(s->errs, at, ns, "if the endpointnamespace is set, it must be a valid namespace name");
    else
        v_name(s->errs, at, ns, rule_label);
}

/* iqn.2001-04.com.example:storage, eui.02004567A425678D, naa.52004567BA64678D */
static bool is_iscsi_name(const char *name)
{
    if (strlen(name) < 4)
        return false;
    size_t digits = strspn(name + 4, "0123456789abcdefABCDEF");
    if (str_starts(name, "iqn")) {
        bool dated = strlen(name) > 12 && strspn(name + 4, "0123456789") == 4 && name[8] == '-' &&
                     strspn(name + 9, "0123456789") == 2;
        return name[3] == '.' && dated && strcspn(name + 11, " ") == strlen(name + 11);
    }
    if (str_starts(name, "eui"))
        return name[3] == '.' && digits == 16 && name[4 + digits] == '\0';
    return name[3] == '.' && (digits == 16 || digits == 32) && name[4 + digits] == '\0';
}

static void iscsi_name_check(const struct source *s, const struct vpath *p, const char *name)
{
    static const char *const prefixes[] = {"iqn", "eui", "naa"};
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        known = known || str_starts(name, prefixes[i]);
    if (!known && s->use == SOURCE_POD)
        v_invalid(s->errs, p, name, "must be valid format starting with iqn, eui, or naa");
    else if (!known || !is_iscsi_name(name))
        v_invalid(s->errs, p, name, "must be valid format");
}

static void iscsi(const struct source *s)
{
    const char *iqn = vstr(s->json, "iqn");
    if (iqn[0] != '\0')
        iscsi_name_check(s, FIELD(s->path, "iqn"), iqn);
    v_range(s->errs, FIELD(s->path, "lun"), vint(s->json, "lun"), 0, 255);
    bool chap = vbool(s->json, "chapAuthDiscovery") || vbool(s->json, "chapAuthSession");
    if (chap && !vhas(s->json, "secretRef"))
        v_required(s->errs, FIELD(s->path, "secretRef"), NULL);
    if (s->use == SOURCE_PV)
        secret_ref_check(s, "secretRef", false);
    if (vhas(s->json, "initiatorName"))
        iscsi_name_check(s, FIELD(s->path, "initiatorname"), vstr(s->json, "initiatorName"));
}

static void fibre_channel(const struct source *s)
{
    const json_t *targets = vget(s->json, "targetWWNs");
    size_t ids = json_array_size(vget(s->json, "wwids"));
    const struct vpath *at = FIELD(s->path, "targetWWNs");
    if (json_array_size(targets) == 0 && ids == 0)
        v_required(s->errs, at, "must specify either targetWWNs or wwids, but not both");
    if (json_array_size(targets) != 0 && ids != 0)
        v_invalid_go(s->errs, at, go_list_text("string", targets),
                     "targetWWNs and wwids can not be specified simultaneously");
    if (json_array_size(targets) == 0)
        return;
    if (!vhas(s->json, "lun"))
        v_required(s->errs, FIELD(s->path, "lun"), "lun is required if targetWWNs is specified");
    else
        v_range(s->errs, FIELD(s->path, "lun"), vint(s->json, "lun"), 0, 255);
}

static void quobyte(const struct source *s)
{
    static const char pairs[] = "must be a host:port pair or multiple pairs separated by commas";
    const char *registry = vstr(s->json, "registry");
    const struct vpath *at = FIELD(s->path, "registry");
    _auto_strlist_ struct strlist hosts = {0};
    if (registry[0] == '\0')
        v_required(s->errs, at, pairs);
    else if (strlen(vstr(s->json, "tenant")) >= 65)
        v_required(s->errs, FIELD(s->path, "tenant"), "must be a UUID and may not exceed a length of 64 characters");
    else
        strlist_split(&hosts, registry, ',');
    for (size_t i = 0; i < hosts.len; i++) {
        if (strchr(hosts.items[i], ':') == NULL)
            v_invalid(s->errs, at, registry, pairs);
    }
    v_required_str(s->errs, s->path, s->json, "volume");
}

static void flocker(const struct source *s)
{
    const char *name = vstr(s->json, "datasetName");
    bool id = vstr(s->json, "datasetUUID")[0] != '\0';
    if (name[0] == '\0' && !id)
        v_required(s->errs, s->path, "one of datasetName and datasetUUID is required");
    if (name[0] != '\0' && id)
        v_invalid(s->errs, s->path, "resource", "datasetName and datasetUUID can not be specified simultaneously");
    if (strchr(name, '/') != NULL)
        v_invalid(s->errs, FIELD(s->path, "datasetName"), name, "must not contain '/'");
}

static void storage_os(const struct source *s)
{
    static const char *const names[] = {"volumeName", "volumeNamespace"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (vstr(s->json, names[i])[0] != '\0')
            v_name(s->errs, FIELD(s->path, names[i]), vstr(s->json, names[i]), rule_label);
    }
    secret_ref_check(s, "secretRef", s->use == SOURCE_PV);
}

/* -- drivers -- */

static void flex_volume(const struct source *s)
{
    _auto_strlist_ struct strlist keys = {0};
    const json_t *options = vget(s->json, "options");
    sorted_keys(options, &keys);
    for (size_t i = 0; i < keys.len; i++) {
        const char *key = keys.items[i];
        _auto_free_ char *space = xasprintf(".%.*s", (int)strcspn(key, "/"), key);
        if (str_ends(space, ".kubernetes.io") || str_ends(space, ".k8s.io"))
            v_invalid(s->errs, KEY(FIELD(s->path, "options"), key), key,
                      "kubernetes.io and k8s.io namespaces are reserved");
    }
}

static void csi_in_pod(const struct source *s)
{
    const json_t *ref = vget(s->json, "nodePublishSecretRef");
    v_csi_driver_name(s->errs, FIELD(s->path, "driver"), vstr(s->json, "driver"));
    if (ref == NULL)
        return;
    if (vstr(ref, "name")[0] == '\0')
        v_required(s->errs, FIELD(FIELD(s->path, "nodePublishSecretRef"), "name"), NULL);
    else
        v_name(s->errs, FIELD(s->path, "name"), vstr(ref, "name"), rule_subdomain);
}

/* References of a CSI volume are checked as names besides. */
static void csi_secret_check(const struct source *s, const char *key)
{
    static const struct {
        const char *member;
        name_rule *rule;
    } parts[] = {{"name", rule_subdomain}, {"namespace", rule_label}};
    const json_t *ref = vget(s->json, key);
    const struct vpath *p = FIELD(s->path, key);
    for (size_t i = 0; ref != NULL && i < ARRAY_LEN(parts); i++) {
        if (vstr(ref, parts[i].member)[0] == '\0')
            v_required(s->errs, FIELD(p, parts[i].member), NULL);
        else
            v_name(s->errs, FIELD(p, parts[i].member), vstr(ref, parts[i].member), parts[i].rule);
    }
}

static void csi(const struct source *s)
{
    static const char *const secrets[] = {"controllerPublishSecretRef", "controllerExpandSecretRef",
                                          "nodePublishSecretRef", "nodeExpandSecretRef"};
    if (s->use == SOURCE_POD) {
        csi_in_pod(s);
        return;
    }
    v_csi_driver_name(s->errs, FIELD(s->path, "driver"), vstr(s->json, "driver"));
    v_required_str(s->errs, s->path, s->json, "volumeHandle");
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        csi_secret_check(s, secrets[i]);
}

/* -- what the cluster's own objects give -- */

static void files_of(const struct source *s)
{
    v_file_mode(s->errs, s->path, s->json, "defaultMode");
    v_key_to_path(s->errs, FIELD(s->path, "items"), vget(s->json, "items"));
}

static void downward_api(const struct source *s)
{
    v_downward_api(s->errs, s->path, s->json);
}

static void projected(const struct source *s)
{
    v_projected(s->errs, s->path, s->json);
}

static void ephemeral(const struct source *s)
{
    const json_t *claim = vget(s->json, "volumeClaimTemplate");
    const struct vpath *at = FIELD(s->path, "volumeClaimTemplate");
    if (claim == NULL)
        v_required(s->errs, at, NULL);
    else
        pvc_template_check(claim, at, s->errs);
}

#define REQUIRES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct {
    const char *name;
    const char *const *required; /* texts or lists that must not be empty */
    source_rules *rules;
} rows[] = {
    {"emptyDir", NULL, empty_dir},
    {"hostPath", NULL, host_path},
    {"local", NULL, local},
    {"gitRepo", REQUIRES("repository"), git_repo},
    {"gcePersistentDisk", REQUIRES("pdName"), partition},
    {"awsElasticBlockStore", REQUIRES("volumeID"), partition},
    {"secret", REQUIRES("secretName"), files_of},
    {"configMap", REQUIRES("name"), files_of},
    {"nfs", REQUIRES("server", "path"), nfs},
    {"iscsi", REQUIRES("targetPortal", "iqn"), iscsi},
    {"glusterfs", REQUIRES("endpoints", "path"), glusterfs},
    {"flocker", NULL, flocker},
    {"persistentVolumeClaim", REQUIRES("claimName"), NULL},
    {"rbd", REQUIRES("monitors", "image"), NULL},
    {"cinder", REQUIRES("volumeID"), cinder},
    {"cephfs", REQUIRES("monitors"), NULL},
    {"quobyte", NULL, quobyte},
    {"downwardAPI", NULL, downward_api},
    {"fc", NULL, fibre_channel},
    {"flexVolume", REQUIRES("driver"), flex_volume},
    {"azureFile", REQUIRES("secretName", "shareName"), azure_file},
    {"vsphereVolume", REQUIRES("volumePath"), NULL},
    {"photonPersistentDisk", REQUIRES("pdID"), NULL},
    {"portworxVolume", REQUIRES("volumeID"), NULL},
    {"azureDisk", REQUIRES("diskName", "diskURI"), azure_disk},
    {"storageos", REQUIRES("volumeName"), storage_os},
    {"projected", NULL, projected},
    {"scaleIO", REQUIRES("gateway", "system", "volumeName"), NULL},
    {"csi", NULL, csi},
    {"ephemeral", NULL, ephemeral},
};

static bool is_empty(const json_t *v)
{
    return json_is_array(v) ? json_array_size(v) == 0 : json_string_length(v) == 0;
}

bool volume_source_check(enum source_use use, const char *name, const json_t *source, const struct vpath *p,
                         struct field_errors *errs)
{
    const struct source s = {.use = use, .json = source, .path = p, .errs = errs};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].name, name) != 0)
            continue;
        for (const char *const *member = rows[i].required; member != NULL && *member != NULL; member++) {
            if (is_empty(vget(source, *member)))
                v_required(errs, FIELD(p, *member), NULL);
        }
        if (rows[i].rules != NULL)
            rows[i].rules(&s);
        return true;
    }
    return false;
}
