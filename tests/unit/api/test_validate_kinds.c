/* test_validate_kinds.c - the other kinds: configuration, the cluster, services, workloads, events; and warnings. */
#include "validate_check.h"

#define SERVICE(spec) "{'metadata':{'name':'s'},'spec':{" spec "}}"
#define DEPLOYMENT(spec)                                                                                               \
    "{'metadata':{'name':'d'},'spec':{'selector':{'matchLabels':{'a':'b'}},'template':{'metadata':{'labels':{'a':'b'}" \
    "},'spec':{'containers':[{'name':'c','image':'i'}]}}" spec "}}"
#define NODE(spec) "{'metadata':{'name':'n'},'spec':{" spec "}}"

static const struct {
    const char *bucket, *snippet, *want;
} rows[] = {
    /* configuration */
    {"configmaps", "{'metadata':{'name':'c'},'data':{'a':'x','..':'y'},'binaryData':{'a':'AA=='}}",
     "data[..]: Invalid value: \"..\": must not be '..'\n"
     "data[a]: Invalid value: \"a\": duplicate of key present in binaryData"},
    {"secrets", "{'metadata':{'name':'s'},'type':'kubernetes.io/tls'}",
     "data[tls.crt]: Required value\ndata[tls.key]: Required value"},
    {"secrets", "{'metadata':{'name':'s'},'type':'kubernetes.io/dockerconfigjson','data':{'.dockerconfigjson':'eA=='}}",
     "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": invalid character 'x' looking for "
     "beginning "
     "of value"},
    {"secrets", "{'metadata':{'name':'s'},'type':'kubernetes.io/service-account-token'}",
     "metadata.annotations[kubernetes.io/service-account.name]: Required value"},
    {"secrets", "{'metadata':{'name':'s'},'type':'kubernetes.io/basic-auth'}",
     "data[username]: Required value\ndata[password]: Required value"},
    /* the cluster */
    {"namespaces", "{'metadata':{'name':'n','labels':{'pod-security.kubernetes.io/enforce':'loose'}}}",
     "metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"loose\": must be one of privileged, "
     "baseline, "
     "restricted"},
    {"nodes", NODE("'taints':[{'key':'a','value':'b','effect':'NoSchedule'},{'key':'a','effect':'NoSchedule'}]"),
     "metadata.taints[1]: Duplicate value: core.Taint{Key:\"a\", Value:\"\", Effect:\"NoSchedule\", TimeAdded:<nil>}: "
     "taints "
     "must be unique by key and effect pair"},
    {"nodes", NODE("'podCIDRs':['10.0.0.0/24','10.0.1.0/24']"),
     "spec.podCIDRs: Invalid value: []string{\"10.0.0.0/24\", \"10.0.1.0/24\"}: may specify no more than one CIDR for "
     "each "
     "IP family"},
    /* services */
    {"services", SERVICE("'ports':[{'port':80}]"), ""},
    {"services", SERVICE(""), "spec.ports: Required value"},
    {"services", SERVICE("'ports':[{'port':80},{'port':80}]"),
     "spec.ports[0].name: Required value\n"
     "spec.ports[1].name: Required value\n"
     "spec.ports[1]: Duplicate value: core.ServicePort{Name:\"\", Protocol:\"TCP\", AppProtocol:(*string)(nil), "
     "Port:80, "
     "TargetPort:intstr.IntOrString{Type:0, IntVal:0, StrVal:\"\"}, NodePort:0}"},
    {"services", SERVICE("'ports':[{'port':80,'nodePort':30000,'targetPort':'UPPER'}]"),
     "spec.ports[0].targetPort: Invalid value: \"UPPER\": must contain only alpha-numeric characters (a-z, 0-9), and "
     "hyphens (-)\n"
     "spec.ports[0].targetPort: Invalid value: \"UPPER\": must contain at least one letter (a-z)\n"
     "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"},
    {"services", SERVICE("'type':'ExternalName'"), "spec.externalName: Required value"},
    {"services", SERVICE("'type':'NodePort','clusterIP':'None','clusterIPs':['None'],'ports':[{'port':1}]"),
     "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"},
    {"services", SERVICE("'ports':[{'port':80}],'loadBalancerSourceRanges':['x'],'externalTrafficPolicy':'Local'"),
     "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'\n"
     "spec.LoadBalancerSourceRanges[0]: Invalid value: \"x\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or "
     "2001:db8::/64)\n"
     "spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for externally-accessible services"},
    {"endpoints", "{'metadata':{'name':'e'},'subsets':[{},{'addresses':[{'ip':'127.0.0.1'}]}]}",
     "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`\n"
     "subsets[1].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, "
     "::1/128)"},
    {"endpointslices.discovery.k8s.io",
     "{'metadata':{'name':'e'},'addressType':'IPv4','endpoints':[{'addresses':['::1']},{'addresses':[]}],'ports':[]}",
     "endpoints[0].addresses[0]: Invalid value: \"::1\": must be a valid IPv4 address\n"
     "endpoints[1].addresses: Required value: must contain at least 1 address"},
    /* workloads */
    {"deployments.apps", DEPLOYMENT(""), ""},
    {"deployments.apps", "{'metadata':{'name':'d'},'spec':{'template':{}}}",
     "spec.selector: Required value\n"
     "spec.template.metadata.labels: Invalid value: map[string]string(nil): `selector` does not match template "
     "`labels`\n"
     "spec.template.spec.containers: Required value"},
    {"deployments.apps", DEPLOYMENT(",'replicas':-1,'strategy':{'type':'Rolling'}"),
     "spec.replicas: Invalid value: -1: must be greater than or equal to 0\n"
     "spec.strategy: Unsupported value: apps.DeploymentStrategy{Type:\"Rolling\", "
     "RollingUpdate:(*apps.RollingUpdateDeployment)(nil)}: supported values: \"Recreate\", \"RollingUpdate\""},
    {"deployments.apps", DEPLOYMENT(",'strategy':{'rollingUpdate':{'maxSurge':0,'maxUnavailable':'0%'}}"),
     "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:\"0%\"}: "
     "may "
     "not be 0 when `maxSurge` is 0"},
    {"deployments.apps", DEPLOYMENT(",'progressDeadlineSeconds':5,'minReadySeconds':5"),
     "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds"},
    {"replicasets.apps",
     "{'metadata':{'name':'d'},'spec':{'selector':{},'template':{'spec':{'containers':[{'name':'c',"
     "'image':'i'}],'restartPolicy':'Never'}}}}",
     "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string(nil), "
     "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: empty selector is invalid for deployment\n"
     "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""},
    {"controllerrevisions.apps", "{'metadata':{'name':'r'},'revision':-1}",
     "data: Required value: data is mandatory\nrevision: Invalid value: -1: must be greater than or equal to 0"},
    {"leases.coordination.k8s.io", "{'metadata':{'name':'l'},'spec':{'leaseDurationSeconds':0,'leaseTransitions':-1}}",
     "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0\n"
     "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"},
    /* events */
    {"events", "{'metadata':{'name':'e'},'involvedObject':{'namespace':'other'}}",
     "involvedObject.namespace: Invalid value: \"other\": does not match event.namespace"},
};

static void test_new_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_create(rows[i].bucket, rows[i].snippet, rows[i].want);
}

static const struct {
    const char *bucket, *sub, *before, *after, *want;
} changes[] = {
    {"configmaps", "", "{'metadata':{'name':'c'},'immutable':true,'data':{'a':'1'}}",
     "{'metadata':{'name':'c'},'data':{'a':'2'}}",
     "immutable: Forbidden: field is immutable when `immutable` is set\n"
     "data: Forbidden: field is immutable when `immutable` is set"},
    {"secrets", "", "{'metadata':{'name':'s'}}", "{'metadata':{'name':'s'},'type':'x/y'}",
     "type: Invalid value: \"x/y\": field is immutable"},
    {"nodes", "", NODE("'providerID':'a'"), NODE("'providerID':'b'"),
     "spec.providerID: Forbidden: node updates may not change providerID except from \"\" to valid"},
    {"services", "", SERVICE("'clusterIP':'10.0.0.1','clusterIPs':['10.0.0.1'],'ports':[{'port':80}]"),
     SERVICE("'clusterIP':'10.0.0.2','clusterIPs':['10.0.0.2'],'ports':[{'port':80}]"),
     "spec.clusterIPs[0]: Invalid value: []string{\"10.0.0.2\"}: may not change once set"},
    {"deployments.apps", "status", DEPLOYMENT(""),
     "{'metadata':{'name':'d'},'spec':{'selector':{},'template':{}},'status':{'readyReplicas':5}}",
     "status.readyReplicas: Invalid value: 5: cannot be greater than status.replicas"},
    {"deployments.apps", "", DEPLOYMENT(""), DEPLOYMENT(",'paused':true"), ""},
    {"namespaces", "status", "{'metadata':{'name':'n'}}", "{'metadata':{'name':'n'},'status':{'phase':'Gone'}}",
     "status.phase: Invalid value: \"Gone\": may only be 'Active' if `deletionTimestamp` is empty"},
};

static void test_changed_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++)
        assert_update(changes[i].bucket, changes[i].sub, changes[i].before, changes[i].after, changes[i].want);
}

/* Scale and Binding come as themselves, through their parent or on their own. */
static void test_requests(void **state)
{
    (void)state;
    _auto_json_ json_t *scale =
        json_pack("{s:{s:s,s:s},s:{s:i}}", "metadata", "name", "d", "namespace", "default", "spec", "replicas", -1);
    _auto_field_errors_ struct field_errors errs = {0};
    validate_update(kind_of("deployments.apps"), "scale", scale, scale, &errs);
    validate_create(resource_by_kind("", "v1", "Binding"), scale, &errs);
    _auto_free_ char *got = complaints_text(&errs);
    assert_string_equal(got, "spec.replicas: Invalid value: -1: must be greater than or equal to 0\n"
                             "target.name: Required value");
}

static const struct {
    const char *bucket, *snippet, *want;
} warned[] = {
    {"pods", "{'metadata':{'name':'a.b'},'spec':{'containers':[{'name':'c','image':'i'}]}}",
     "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is "
     "recommended: [must not contain dots]"},
    {"pods",
     "{'metadata':{'name':'a'},'spec':{'containers':[{'name':'c','image':'i','resources':{'limits':{'memory':"
     "'100m'}},'env':[{'name':'A'},{'name':'A'}],'ports':[{'containerPort':1},{'containerPort':1}]}]}}",
     "spec.containers[0].resources.limits[memory]: fractional byte value \"100m\" is invalid, must be an integer\n"
     "spec.containers[0].resources.requests[memory]: fractional byte value \"100m\" is invalid, must be an integer\n"
     "spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using apply\n"
     "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]"},
    {"persistentvolumes",
     "{'metadata':{'name':'v'},'spec':{'rbd':{'monitors':['m'],'image':'i'},"
     "'persistentVolumeReclaimPolicy':'Recycle'}}",
     "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach "
     "is "
     "to use dynamic provisioning.\n"
     "spec.rbd: deprecated in v1.28, non-functional in v1.31+"},
    {"persistentvolumeclaims", "{'metadata':{'name':'c'},'spec':{'resources':{'requests':{'storage':'1.5'}}}}",
     "spec.resources.requests[storage]: fractional byte value \"1500m\" is invalid, must be an integer"},
    {"storageclasses.storage.k8s.io",
     "{'metadata':{'name':'s'},'provisioner':'p','allowedTopologies':[{'matchLabelExpressions':[{'key':"
     "'failure-domain.beta.kubernetes.io/zone','values':['a']}]}]}",
     "allowedTopologies[0].matchLabelExpressions[0].key: deprecated since v1.17; use \"topology.kubernetes.io/zone\" "
     "instead"},
};

static void test_warnings(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(warned); i++) {
        const struct resource *r = kind_of(warned[i].bucket);
        _auto_json_ json_t *obj = object_of(r, warned[i].snippet);
        _auto_strlist_ struct strlist warnings = {0};
        validate_warnings(r, obj, NULL, &warnings);
        _auto_free_ char *got = strlist_join(&warnings, "\n");
        assert_string_equal(got, warned[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_objects),
        cmocka_unit_test(test_changed_objects),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_warnings),
    };
    return cmocka_run_group_tests(tests, validate_setup, NULL);
}
