/* test_validate_pods.c - pods: what a spec may say, what may change, and the difference told when too much changed. */
#include "validate_check.h"

/* A pod with one container; `more` of the container, then of the spec. */
#define POD(container, spec)                                                                                           \
    "{'metadata':{'name':'p'},'spec':{'serviceAccountName':'default','containers':[{'name':'c','image':'i'" container  \
    "}]" spec "}}"
#define GATED(spec) POD("", ",'schedulingGates':[{'name':'a.b/c'}]" spec)
#define AFFINITY(op)                                                                                                   \
    ",'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[{"            \
    "'matchExpressions':[{'key':'k','operator':" op "}]}]}}}"
#define VOLUME(source) POD("", ",'volumes':[{'name':'v'" source "}]")

static const struct {
    const char *snippet, *want;
} specs[] = {
    {POD("", ""), ""},
    {"{'metadata':{'name':'p'},'spec':{}}", "spec.containers: Required value"},
    {"{'metadata':{'name':'p'},'spec':{'containers':[{'name':'c'},{'name':'c','image':'i'}]}}",
     "spec.containers[0].image: Required value\nspec.containers[1].name: Duplicate value: \"c\""},
    {POD("", ",'initContainers':[{'name':'c','image':'i','livenessProbe':{'exec':{'command':['x']}}}]"),
     "spec.initContainers[0].name: Duplicate value: \"c\"\n"
     "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without "
     "restartPolicy=Always"},
    /* ports */
    {POD(",'ports':[{'containerPort':0}]", ""), "spec.containers[0].ports[0].containerPort: Required value"},
    {POD(",'ports':[{'containerPort':80,'hostPort':80},{'containerPort':81,'hostPort':80}]", ""),
     "spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//80\""},
    {POD(",'ports':[{'containerPort':70000,'protocol':'X'}]", ""),
     "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive\n"
     "spec.containers[0].ports[0].protocol: Unsupported value: \"X\": supported values: \"SCTP\", \"TCP\", \"UDP\""},
    /* environment */
    {POD(",'env':[{'name':'A=B'}]", ""),
     "spec.containers[0].env[0].name: Invalid value: \"A=B\": a valid environment variable name must consist only of "
     "printable ASCII characters other than '='"},
    {POD(",'env':[{'name':'A','value':'1','valueFrom':{'fieldRef':{'fieldPath':'spec.nosuch'}}}]", ""),
     "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"spec.nosuch\": error converting "
     "fieldPath: field label not supported: spec.nosuch\n"
     "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty"},
    {POD(",'env':[{'name':'A','valueFrom':{'fieldRef':{'fieldPath':'metadata.labels[\\u0027app\\u0027]'}}}]", ""), ""},
    {POD(",'envFrom':[{}]", ""),
     "spec.containers[0].envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`"},
    /* resources */
    {POD(",'resources':{'requests':{'memory':'2Gi'},'limits':{'memory':'1Gi'}}", ""),
     "spec.containers[0].resources.requests: Invalid value: \"2Gi\": must be less than or equal to memory limit of "
     "1Gi"},
    {POD(",'resources':{'limits':{'disk':'1'},'requests':{'disk':'1'}}", ""),
     "spec.containers[0].resources.limits[disk]: Invalid value: disk: must be a standard resource type or fully "
     "qualified\n"
     "spec.containers[0].resources.limits[disk]: Invalid value: disk: must be a standard resource for containers\n"
     "spec.containers[0].resources.requests[disk]: Invalid value: disk: must be a standard resource type or fully "
     "qualified\n"
     "spec.containers[0].resources.requests[disk]: Invalid value: disk: must be a standard resource for containers"},
    {POD(",'resources':{'limits':{'hugepages-2Mi':'2Mi'},'requests':{'hugepages-2Mi':'2Mi'}}", ""),
     "spec.containers[0].resources: Forbidden: HugePages require cpu or memory"},
    /* probes */
    {POD(",'livenessProbe':{}", ""), "spec.containers[0].livenessProbe: Required value: must specify a handler type"},
    {POD(",'readinessProbe':{'exec':{},'tcpSocket':{'port':1},'terminationGracePeriodSeconds':5}", ""),
     "spec.containers[0].readinessProbe.exec.command: Required value\n"
     "spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type\n"
     "spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for "
     "readinessProbes"},
    /* volumes */
    {VOLUME(""), ""}, /* an emptyDir is filled in */
    {VOLUME(",'emptyDir':{},'hostPath':{'path':'/x'}"),
     "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"},
    {VOLUME(",'hostPath':{'path':'/a/../b','type':'Dir'}"),
     "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'\n"
     "spec.volumes[0].hostPath.type: Unsupported value: \"Dir\": supported values: \"\", \"BlockDevice\", "
     "\"CharDevice\", "
     "\"Directory\", \"DirectoryOrCreate\", \"File\", \"FileOrCreate\", \"Socket\""},
    {VOLUME(",'configMap':{'defaultMode':644,'items':[{'key':'k','path':'..x'}]}"),
     "spec.volumes[0].configMap.name: Required value\n"
     "spec.volumes[0].configMap.defaultMode: Invalid value: 644: must be a number between 0 and 0777 (octal), both "
     "inclusive\n"
     "spec.volumes[0].configMap.items[0].path: Invalid value: \"..x\": must not start with '..'"},
    {VOLUME(",'nfs':{'server':'s'}"), "spec.volumes[0].nfs.path: Required value\n"
                                      "spec.volumes[0].nfs.path: Invalid value: \"\": must be an absolute path"},
    {VOLUME(",'ephemeral':{'volumeClaimTemplate':{'metadata':{'name':'x'},'spec':{'accessModes':['ReadWriteOnce']}}}"),
     "spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set\n"
     "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value"},
    {VOLUME(",'projected':{'sources':[{'secret':{'name':'a','items':[{'key':'k','path':'p'}]}},"
            "{'configMap':{'name':'b','items':[{'key':'k','path':'p'}]}}]}"),
     "spec.volumes[0].projected: Invalid value: \"b\": conflicting duplicate paths"},
    {VOLUME(",'projected':{'sources':[{'secret':{'name':'a'},'configMap':{'name':'b'}}]}"),
     "spec.volumes[0].projected.sources[0]: Forbidden: may not specify more than 1 volume type per source"},
    {VOLUME(",'csi':{'driver':'d.example.com','nodePublishSecretRef':{}}"),
     "spec.volumes[0].csi.nodePublishSecretRef.name: Required value"},
    /* mounts and devices */
    {POD(",'volumeMounts':[{'name':'v'}]", ""), "spec.containers[0].volumeMounts[0].name: Not found: \"v\"\n"
                                                "spec.containers[0].volumeMounts[0].mountPath: Required value"},
    {POD(",'volumeMounts':[{'name':'v','mountPath':'/a','subPath':'../x'},{'name':'v','mountPath':'/a'}]",
         ",'volumes':[{'name':'v','emptyDir':{}}]"),
     "spec.containers[0].volumeMounts.subPath: Invalid value: \"../x\": must not contain '..'\n"
     "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique"},
    {POD(",'volumeMounts':[{'name':'v','mountPath':'/a','mountPropagation':'Bidirectional'}]",
         ",'volumes':[{'name':'v','emptyDir':{}}]"),
     "spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only "
     "to "
     "privileged containers"},
    {POD(",'volumeDevices':[{'name':'v','devicePath':'/dev/x'}]", ",'volumes':[{'name':'v','emptyDir':{}}]"),
     "spec.containers[0].volumeDevices[0].name: Invalid value: \"v\": can only use volume source type of "
     "PersistentVolumeClaim or Ephemeral for block mode"},
    /* the spec itself */
    {POD("", ",'restartPolicy':'Sometimes','dnsPolicy':'None'"),
     "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\"\n"
     "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"},
    {POD("", ",'securityContext':{'runAsUser':-1,'sysctls':[{'name':'A'}]}"),
     "spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive\n"
     "spec.securityContext.sysctls[0].name: Invalid value: \"A\": must have at most 253 characters and match regex "
     "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"},
    {POD("", ",'tolerations':[{'operator':'Exists','value':'x','effect':'Never'},{'key':'k','tolerationSeconds':1}]"),
     "spec.tolerations[0].operator: Invalid value: \"x\": value must be empty when `operator` is 'Exists'\n"
     "spec.tolerations[0].effect: Unsupported value: \"Never\": supported values: \"NoSchedule\", "
     "\"PreferNoSchedule\", "
     "\"NoExecute\"\n"
     "spec.tolerations[1].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set"},
    {POD("", ",'topologySpreadConstraints':[{'maxSkew':0,'topologyKey':'zone','whenUnsatisfiable':'DoNotSchedule'},"
             "{'maxSkew':1,'topologyKey':'zone','whenUnsatisfiable':'DoNotSchedule'}]"),
     "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero\n"
     "spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: \"{zone, DoNotSchedule}\""},
    {POD("", ",'dnsConfig':{'nameservers':['x'],'options':[{}]},'hostUsers':false,'hostPID':true"),
     "spec.dnsConfig.nameservers[0]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or "
     "2001:db8::ffff)\n"
     "spec.dnsConfig.options[0]: Required value: must not be empty\n"
     "spec.HostPID: Forbidden: when `pod.Spec.HostUsers` is false"},
    {POD(",'ports':[{'containerPort':80,'hostPort':81}]",
         ",'hostNetwork':true,'securityContext':{'sysctls':[{'name':'net.core.somaxconn','value':'1'}]}"),
     "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true\n"
     "spec.securityContext.sysctls[0].name: Invalid value: \"net.core.somaxconn\": may not be specified when "
     "'hostNetwork' is true"},
    {POD("", ",'hostAliases':[{'ip':'x','hostnames':['ok']}]"),
     "spec.hostAliases[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"},
    {POD("", ",'ephemeralContainers':[{'name':'e','image':'i'}]"),
     "spec.ephemeralContainers: Forbidden: cannot be set on create"},
    {POD("", ",'affinity':{'podAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{'topologyKey':'z',"
             "'labelSelector':{'matchExpressions':[{'key':'a','operator':'Is'}]}}]}}"),
     "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchExpressions[0]."
     "operator: Invalid value: \"Is\": not a valid selector operator"},
};

static void test_specs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(specs); i++)
        assert_create("pods", specs[i].snippet, specs[i].want);
}

#define MAY_CHANGE                                                                                                     \
    "spec: Forbidden: pod updates may not change fields other than "                                                   \
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only " \
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "      \
    "previously negative)\n"

static const struct {
    const char *before, *after, *want;
} changes[] = {
    {POD("", ""),
     "{'metadata':{'name':'p'},'spec':{'serviceAccountName':'default','containers':[{'name':'c','image':'other',"
     "'imagePullPolicy':'Always'}]}}",
     ""},
    {POD("", ""), POD("", ",'tolerations':[{'operator':'Exists'}]"), ""},
    {POD("", ",'tolerations':[{'operator':'Exists'}]"), POD("", ""),
     "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"},
    {POD("", ",'activeDeadlineSeconds':5"), POD("", ",'activeDeadlineSeconds':9"),
     "spec.activeDeadlineSeconds: Invalid value: 9: must be less than or equal to previous value"},
    {GATED(",'nodeSelector':{'a':'b'}"), GATED(",'nodeSelector':{'a':'b','c':'d'}"), ""},
    {GATED(",'nodeSelector':{'a':'b'}"), GATED(",'nodeSelector':{'a':'c'}"),
     "spec.nodeSelector: Invalid value: map[string]string{\"a\":\"c\"}: only additions to spec.nodeSelector are "
     "allowed "
     "(no mutations or deletions)"},
    {GATED(""), GATED(AFFINITY("'In','values':['x']")), ""},
    {GATED(AFFINITY("'In','values':['x']")), GATED(AFFINITY("'Exists'")),
     "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]: Invalid value: "
     "core.NodeSelectorTerm{MatchExpressions:[]core.NodeSelectorRequirement{core.NodeSelectorRequirement{Key:\"k\", "
     "Operator:\"Exists\", Values:[]string(nil)}}, MatchFields:[]core.NodeSelectorRequirement(nil)}: only additions "
     "are "
     "allowed (no mutations or deletions)"},
    {POD("", ""), POD("", ",'schedulingGates':[{'name':'a.b/c'}]"),
     "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a.b/c'"},
    {POD("", ""),
     "{'metadata':{'name':'p'},'spec':{'serviceAccountName':'default','containers':["
     "{'name':'c','image':'i'},{'name':'d','image':'i'}]}}",
     "spec.containers: Forbidden: pod updates may not add or remove containers"},
    {POD("", ""), POD("", ",'nodeName':'n','hostNetwork':true"),
     MAY_CHANGE "  core.PodSpec{\n"
                "  \t... // 9 identical fields\n"
                "  \tServiceAccountName:           \"default\",\n"
                "  \tAutomountServiceAccountToken: nil,\n"
                "- \tNodeName:                     \"\",\n"
                "+ \tNodeName:                     \"n\",\n"
                "  \tSecurityContext: &core.PodSecurityContext{\n"
                "- \t\tHostNetwork: false,\n"
                "+ \t\tHostNetwork: true,\n"
                "  \t\tHostPID:     false,\n"
                "  \t\tHostIPC:     false,\n"
                "  \t\t... // 15 identical fields\n"
                "  \t},\n"
                "  \tImagePullSecrets: nil,\n"
                "  \tHostname:         \"\",\n"
                "  \t... // 19 identical fields\n"
                "  }\n"},
    {POD("", ",'volumes':[{'name':'v','emptyDir':{'sizeLimit':'1Gi'}}]"),
     POD("", ",'volumes':[{'name':'w','emptyDir':{}},{'name':'v','emptyDir':{'sizeLimit':'1Gi'}}]"),
     MAY_CHANGE
     "  core.PodSpec{\n"
     "  \tVolumes: []core.Volume{\n"
     "+ \t\t{\n"
     "+ \t\t\tName:         \"w\",\n"
     "+ \t\t\tVolumeSource: core.VolumeSource{EmptyDir: &core.EmptyDirVolumeSource{}},\n"
     "+ \t\t},\n"
     "  \t\t{Name: \"v\", VolumeSource: {EmptyDir: &{SizeLimit: &{i: {...}, s: \"1Gi\", Format: \"BinarySI\"}}}},\n"
     "  \t},\n"
     "  \tInitContainers: nil,\n"
     "  \tContainers:     {{Name: \"c\", Image: \"i\", TerminationMessagePath: \"/dev/termination-log\", "
     "TerminationMessagePolicy: \"File\", ...}},\n"
     "  \t... // 31 identical fields\n"
     "  }\n"},
};

static void test_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++)
        assert_update("pods", "", changes[i].before, changes[i].after, changes[i].want);
}

static void test_ephemeral_containers(void **state)
{
    (void)state;
    assert_update("pods", "ephemeralcontainers", POD("", ""),
                  POD("", ",'ephemeralContainers':[{'name':'e','image':'i','targetContainerName':'x',"
                          "'ports':[{'containerPort':1}]}]"),
                  "spec.ephemeralContainers[0].targetContainerName: Not found: \"x\"\n"
                  "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container");
    assert_update("pods", "ephemeralcontainers", POD("", ",'ephemeralContainers':[{'name':'e','image':'i'}]"),
                  POD("", ""),
                  "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"e\" may not be removed\n");
}

#define STATUS(text)                                                                                                   \
    "{'metadata':{'name':'p'},'spec':{'serviceAccountName':'default','restartPolicy':'Never','containers':[{'name':'"  \
    "c',"                                                                                                              \
    "'image':'i'}]},'status':{" text "}}"

static void test_status(void **state)
{
    (void)state;
    assert_update(
        "pods", "status", STATUS("'containerStatuses':[{'name':'c','state':{'terminated':{'exitCode':1}}}]"),
        STATUS("'containerStatuses':[{'name':'c','state':{'running':{}}}],'hostIP':'1.2.3.4',"
               "'hostIPs':[{'ip':'1.2.3.5'}],'podIPs':[{'ip':'1.1.1.1'},{'ip':'1.1.1.2'}]"),
        "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state\n"
        "status.podIPs: Invalid value: []core.PodIP{core.PodIP{IP:\"1.1.1.1\"}, core.PodIP{IP:\"1.1.1.2\"}}: may "
        "specify no more than one IP for each IP family\n"
        "status.hostIPs[0].ip: Invalid value: \"1.2.3.5\": must be equal to `hostIP`");
    assert_update(
        "pods", "status", POD("", ""),
        "{'metadata':{'name':'p'},'spec':{'serviceAccountName':'default','containers':[{'name':'c','image':"
        "'i'}]},'status':{'podIPs':[{'ip':'x'}]}}",
        "status.podIPs[0]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specs),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_ephemeral_containers),
        cmocka_unit_test(test_status),
    };
    return cmocka_run_group_tests(tests, validate_setup, NULL);
}
