/* test_validate_storage.c - volumes, claims, classes, and the CSI kinds. */
#include "validate_check.h"

#define PV(more)                                                                                                       \
    "{'metadata':{'name':'v'},'spec':{'capacity':{'storage':'1Gi'},'accessModes':['ReadWriteOnce']" more "}}"
#define PVC(more)                                                                                                      \
    "{'metadata':{'name':'c'},'spec':{'accessModes':['ReadWriteOnce'],'storageClassName':'s','resources':{'requests':" \
    "{'storage':'2Gi'}}" more "}}"
#define BOUND(size, more)                                                                                              \
    "{'metadata':{'name':'c'},'spec':{'accessModes':['ReadWriteOnce'],'storageClassName':'s','volumeName':'v',"        \
    "'resources':{'requests':{'storage':'" size "'}}" more                                                             \
    "},'status':{'phase':'Bound','capacity':{'storage':'2Gi'}}}"
#define SC(more) "{'metadata':{'name':'s'},'provisioner':'a.b/c'" more "}"

static const struct {
    const char *bucket, *snippet, *want;
} rows[] = {
    {"persistentvolumes", PV(",'hostPath':{'path':'/d'}"), ""},
    {"persistentvolumes", "{'metadata':{'name':'v'},'spec':{}}",
     "spec.accessModes: Required value\n"
     "spec.capacity: Required value\n"
     "spec.capacity: Unsupported value: core.ResourceList(nil): supported values: \"storage\"\n"
     "spec: Required value: must specify a volume type"},
    {"persistentvolumes", PV(",'nfs':{'server':'s','path':'/p'},'hostPath':{'path':'/d'}"),
     "spec.nfs: Forbidden: may not specify more than 1 volume type"},
    {"persistentvolumes", PV(",'hostPath':{'path':'/a/..'},'persistentVolumeReclaimPolicy':'Recycle'"),
     "spec.hostPath.path: Invalid value: \"/a/..\": must not contain '..'\n"
     "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"},
    {"persistentvolumes", PV(",'local':{'path':'/d'}"),
     "spec.nodeAffinity: Required value: Local volume requires node affinity"},
    {"persistentvolumes",
     PV(",'local':{'path':'/d'},'nodeAffinity':{'required':{'nodeSelectorTerms':[{'matchExpressions':[{'key':'k',"
        "'operator':'In'}]}]}}"),
     "spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified "
     "when "
     "`operator` is 'In' or 'NotIn'"},
    {"persistentvolumes", PV(",'csi':{'driver':'d','volumeHandle':'','nodePublishSecretRef':{'name':'s'}}"),
     "spec.csi.volumeHandle: Required value\nspec.csi.nodePublishSecretRef.namespace: Required value"},
    {"persistentvolumes", PV(",'iscsi':{'targetPortal':'1.2.3.4','iqn':'iqn','lun':1}"),
     "spec.iscsi.iqn: Invalid value: \"iqn\": must be valid format"},
    {"persistentvolumes", PV(",'iscsi':{'targetPortal':'1.2.3.4','iqn':'iqn.2001-04.com.example:x','lun':300}"),
     "spec.iscsi.lun: Invalid value: 300: must be between 0 and 255, inclusive"},
    {"persistentvolumes", PV(",'gcePersistentDisk':{'pdName':''}"), "spec.persistentDisk.pdName: Required value"},
    {"persistentvolumes", PV(",'fc':{'targetWWNs':['w']},'volumeMode':'File'"),
     "spec.fc.lun: Required value: lun is required if targetWWNs is specified\n"
     "spec.volumeMode: Unsupported value: \"File\": supported values: \"Block\", \"Filesystem\""},
    {"persistentvolumes",
     "{'metadata':{'name':'v'},'spec':{'capacity':{'storage':'1Gi','iops':'500m'},'accessModes':['ReadWriteOnce'],"
     "'hostPath':{'path':'/d'}}}",
     "spec.capacity: Unsupported value: core.ResourceList{\"iops\":resource.Quantity{i:resource.int64Amount{value:500, "
     "scale:-3}, d:resource.infDecAmount{Dec:(*inf.Dec)(nil)}, s:\"500m\", Format:\"DecimalSI\"}, "
     "\"storage\":resource.Quantity{i:resource.int64Amount{value:1073741824, scale:0}, "
     "d:resource.infDecAmount{Dec:(*inf.Dec)(nil)}, s:\"1Gi\", Format:\"BinarySI\"}}: supported values: \"storage\""},

    {"persistentvolumeclaims", PVC(""), ""},
    {"persistentvolumeclaims", "{'metadata':{'name':'c'},'spec':{}}",
     "spec.accessModes: Required value: at least 1 access mode is required\nspec.resources[storage]: Required value"},
    {"persistentvolumeclaims",
     "{'metadata':{'name':'c'},'spec':{'accessModes':['ReadWriteOncePod','ReadWriteMany','Some'],'resources':{'"
     "requests':{'storage':"
     "'-1Gi'}}}}",
     "spec.accessModes: Unsupported value: \"Some\": supported values: \"ReadOnlyMany\", \"ReadWriteMany\", "
     "\"ReadWriteOnce\", \"ReadWriteOncePod\"\n"
     "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes\n"
     "spec.resources[storage]: Invalid value: \"-1Gi\": must be greater than zero"},
    {"persistentvolumeclaims", PVC(",'selector':{'matchExpressions':[{'key':'k','operator':'Exists','values':['x']}]}"),
     "spec.selector.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or "
     "'DoesNotExist'"},
    {"persistentvolumeclaims", PVC(",'dataSource':{'kind':'Pod','name':'p'}"),
     "spec.dataSource: Invalid value: \"Pod\": must be 'PersistentVolumeClaim' when referencing the default apiGroup"},

    {"storageclasses.storage.k8s.io", SC(""), ""},
    {"storageclasses.storage.k8s.io", "{'metadata':{'name':'s'},'reclaimPolicy':'Recycle','volumeBindingMode':'Now'}",
     "provisioner: Required value\n"
     "reclaimPolicy: Unsupported value: \"Recycle\": supported values: \"Delete\", \"Retain\"\n"
     "volumeBindingMode: Unsupported value: \"Now\": supported values: \"Immediate\", \"WaitForFirstConsumer\""},
    {"storageclasses.storage.k8s.io", SC(",'allowedTopologies':[{}]"),
     "allowedTopologies[0].matchLabelExpressions: Duplicate value: \"\""},
    {"storageclasses.storage.k8s.io",
     SC(",'allowedTopologies':[{'matchLabelExpressions':[{'key':'z','values':['a','a']}]}]"),
     "allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: \"a\""},

    {"volumeattachments.storage.k8s.io", "{'metadata':{'name':'a'},'spec':{'attacher':'d','nodeName':'n','source':{}}}",
     "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"},
    {"csidrivers.storage.k8s.io",
     "{'metadata':{'name':'d'},'spec':{'volumeLifecycleModes':['Now'],'tokenRequests':[{'audience':'a',"
     "'expirationSeconds':1},{'audience':'a'}]}}",
     "spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes\n"
     "spec.tokenRequests[1].audience: Duplicate value: \"a\"\n"
     "spec.volumeLifecycleModes: Unsupported value: \"Now\": supported values: \"Persistent\", \"Ephemeral\""},
    {"csinodes.storage.k8s.io",
     "{'metadata':{'name':'n'},'spec':{'drivers':[{'name':'d','nodeID':'i','topologyKeys':['k','k']},{'name':'d',"
     "'nodeID':'','topologyKeys':[]}]}}",
     "spec.drivers[0].topologyKeys: Duplicate value: \"k\"\n"
     "spec.drivers[1].nodeID: Required value\n"
     "spec.drivers[1].name: Duplicate value: \"d\""},
    {"csistoragecapacities.storage.k8s.io", "{'metadata':{'name':'n'},'storageClassName':'s','capacity':'-1'}",
     "capacity: Invalid value: \"-1\": must be greater than or equal to 0"},
    {"volumesnapshots.snapshot.storage.k8s.io",
     "{'metadata':{'name':'s'},'spec':{'source':{'persistentVolumeClaimName':'c'}}}", ""},
    {"volumesnapshots.snapshot.storage.k8s.io",
     "{'metadata':{'name':'s'},'spec':{'source':{},'volumeSnapshotClassName':''}}",
     "spec.source: Invalid value: \"object\": exactly one of volumeSnapshotContentName and persistentVolumeClaimName "
     "must "
     "be set\n"
     "spec.volumeSnapshotClassName: Invalid value: \"string\": volumeSnapshotClassName must not be the empty string "
     "when "
     "set"},
    {"volumesnapshotcontents.snapshot.storage.k8s.io",
     "{'metadata':{'name':'s'},'spec':{'deletionPolicy':'Keep','source':{},'volumeSnapshotRef':{'name':'x'}}}",
     "spec.deletionPolicy: Unsupported value: \"Keep\": supported values: \"Delete\", \"Retain\"\n"
     "spec.driver: Required value\n"
     "spec.source: Invalid value: \"object\": exactly one of volumeHandle and snapshotHandle must be set\n"
     "spec.volumeSnapshotRef: Invalid value: \"object\": both spec.volumeSnapshotRef.name and "
     "spec.volumeSnapshotRef.namespace must be set"},
    {"volumesnapshotclasses.snapshot.storage.k8s.io", "{'metadata':{'name':'s'}}",
     "deletionPolicy: Required value\ndriver: Required value"},
};

static void test_new_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_create(rows[i].bucket, rows[i].snippet, rows[i].want);
}

#define IMMUTABLE                                                                                                      \
    "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for "   \
    "bound claims\n"

static const struct {
    const char *bucket, *before, *after, *want;
} changes[] = {
    /* claims */
    {"persistentvolumeclaims", PVC(""), PVC(",'volumeName':'v'"), ""},
    {"persistentvolumeclaims", BOUND("2Gi", ""), BOUND("4Gi", ""), ""},
    {"persistentvolumeclaims", BOUND("4Gi", ""), BOUND("3Gi", ""), ""},
    {"persistentvolumeclaims", BOUND("4Gi", ""), BOUND("2Gi", ""),
     "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"},
    {"persistentvolumeclaims", PVC(""), PVC(",'selector':{'matchLabels':{'a':'b'}}"),
     IMMUTABLE "  core.PersistentVolumeClaimSpec{\n"
               "  \tAccessModes: {\"ReadWriteOnce\"},\n"
               "- \tSelector:    nil,\n"
               "+ \tSelector:    s\"&LabelSelector{MatchLabels:map[string]string{a: b,},"
               "MatchExpressions:[]LabelSelectorRequirement{},}\",\n"
               "  \tResources:   {Requests: {s\"storage\": {i: {...}, s: \"2Gi\", Format: \"BinarySI\"}}},\n"
               "  \tVolumeName:  \"\",\n"
               "  \t... // 5 identical fields\n"
               "  }\n"},
    {"persistentvolumeclaims", PVC(""),
     "{'metadata':{'name':'c'},'spec':{'accessModes':['ReadWriteOnce'],'storageClassName':'s','resources':{'requests':"
     "{'storage':'3Gi'}}}}",
     IMMUTABLE "  core.PersistentVolumeClaimSpec{\n"
               "  \tAccessModes: {\"ReadWriteOnce\"},\n"
               "  \tSelector:    nil,\n"
               "  \tResources: core.VolumeResourceRequirements{\n"
               "  \t\tLimits: nil,\n"
               "- \t\tRequests: core.ResourceList{\n"
               "- \t\t\ts\"storage\": {i: resource.int64Amount{value: 2147483648}, s: \"2Gi\", Format: \"BinarySI\"},\n"
               "- \t\t},\n"
               "+ \t\tRequests: core.ResourceList{\n"
               "+ \t\t\ts\"storage\": {i: resource.int64Amount{value: 3221225472}, s: \"3Gi\", Format: \"BinarySI\"},\n"
               "+ \t\t},\n"
               "  \t},\n"
               "  \tVolumeName:       \"\",\n"
               "  \tStorageClassName: &\"s\",\n"
               "  \t... // 4 identical fields\n"
               "  }\n"},
    /* volumes */
    {"persistentvolumes", PV(",'hostPath':{'path':'/d'}"),
     PV(",'hostPath':{'path':'/d'},'persistentVolumeReclaimPolicy':'Delete','mountOptions':['ro']"), ""},
    {"persistentvolumes", PV(",'hostPath':{'path':'/d'}"), PV(",'hostPath':{'path':'/e'}"),
     "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n"
     "  core.PersistentVolumeSource{\n"
     "  \tGCEPersistentDisk:    nil,\n"
     "  \tAWSElasticBlockStore: nil,\n"
     "  \tHostPath: &core.HostPathVolumeSource{\n"
     "- \t\tPath: \"/d\",\n"
     "+ \t\tPath: \"/e\",\n"
     "  \t\tType: &\"\",\n"
     "  \t},\n"
     "  \tGlusterfs: nil,\n"
     "  \tNFS:       nil,\n"
     "  \t... // 17 identical fields\n"
     "  }\n"},
    {"persistentvolumes", PV(",'csi':{'driver':'d','volumeHandle':'h'}"),
     PV(",'csi':{'driver':'d','volumeHandle':'h','controllerExpandSecretRef':{'name':'n','namespace':'s'}}"), ""},
    {"persistentvolumes",
     PV(",'hostPath':{'path':'/d'},'nodeAffinity':{'required':{'nodeSelectorTerms':[{'matchExpressions':[{'key':"
        "'failure-domain.beta.kubernetes.io/zone','operator':'In','values':['a']}]}]}}"),
     PV(",'hostPath':{'path':'/d'},'nodeAffinity':{'required':{'nodeSelectorTerms':[{'matchExpressions':[{'key':"
        "'topology.kubernetes.io/zone','operator':'In','values':['a']}]}]}}"),
     ""},
    /* classes and drivers */
    {"storageclasses.storage.k8s.io", SC(""), SC(",'allowVolumeExpansion':true"), ""},
    {"storageclasses.storage.k8s.io", SC(",'parameters':{'a':'b'}"), SC(",'reclaimPolicy':'Retain'"),
     "parameters: Forbidden: updates to parameters are forbidden.\n"
     "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden."},
    {"csidrivers.storage.k8s.io", "{'metadata':{'name':'d'},'spec':{}}",
     "{'metadata':{'name':'d'},'spec':{'attachRequired':false}}",
     "spec.attachedRequired: Invalid value: false: field is immutable"},
    {"volumesnapshots.snapshot.storage.k8s.io",
     "{'metadata':{'name':'s','resourceVersion':'1'},'spec':{'source':{'persistentVolumeClaimName':'c'}}}",
     "{'metadata':{'name':'s','resourceVersion':'1'},'spec':{'source':{'persistentVolumeClaimName':'d'}}}",
     "spec.source.persistentVolumeClaimName: Invalid value: \"string\": persistentVolumeClaimName is immutable"},
};

static void test_changed_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++)
        assert_update(changes[i].bucket, "", changes[i].before, changes[i].after, changes[i].want);
}

static void test_status(void **state)
{
    (void)state;
    assert_update("persistentvolumeclaims", "status", PVC(""),
                  "{'metadata':{'name':'c'},'spec':{},'status':{'capacity':{'storage':'-1'}}}",
                  "status.capacity[storage]: Invalid value: -1: must be a valid resource quantity");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_objects),
        cmocka_unit_test(test_changed_objects),
        cmocka_unit_test(test_status),
    };
    return cmocka_run_group_tests(tests, validate_setup, NULL);
}
