/* What the server fills in, as recorded from a 1.32 server. */
#include "api_test.h"

/* Decodes, applies defaults, and compares the named part with `want`. */
static void assert_defaults(const char *kind, const char *body, const char *path, const char *want)
{
    const char *groups[] = {"v1", "apps/v1", "storage.k8s.io/v1", "discovery.k8s.io/v1"};
    struct decode_opts opts = {.media = MEDIA_YAML};
    for (size_t i = 0; i < ARRAY_LEN(groups) && !opts.want; i++)
        opts.want = resource_by_api_version(groups[i], kind);
    struct err e = ERR_INIT;
    json_t *tree = NULL;
    assert_int_equal(decode_object(&opts, body, strlen(body), &tree, NULL, &e), 0);
    defaults_apply(opts.want, tree);
    assert_text(json_text(jat(tree, path)), want);
    json_decref(tree);
}

static void test_pod(void **state)
{
    (void)state;
    assert_defaults(
        "Pod", "spec: {containers: [{name: c, image: nginx, ports: [{containerPort: 80}]}], volumes: [{name: v}]}",
        "spec",
        "{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}],\"containers\":[{\"name\":\"c\",\"image\":\"nginx\",\"ports\":"
        "[{\"containerPort\":80,\"protocol\":\"TCP\"}],\"resources\":{},\"terminationMessagePath\":"
        "\"/dev/termination-log\",\"terminationMessagePolicy\":\"File\",\"imagePullPolicy\":\"Always\"}],"
        "\"restartPolicy\":\"Always\",\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\","
        "\"securityContext\":{},\"schedulerName\":\"default-scheduler\",\"enableServiceLinks\":true}");
    assert_defaults("Pod", "spec: {serviceAccount: bob, terminationGracePeriodSeconds: -5, containers: []}",
                    "spec.serviceAccountName", "\"bob\"");
}

static void test_pull_policy_follows_the_tag(void **state)
{
    (void)state;
    static const struct {
        const char *image, *policy;
    } rows[] = {
        {"nginx", "\"Always\""},
        {"nginx:latest", "\"Always\""},
        {"nginx:1.27", "\"IfNotPresent\""},
        {"localhost:5000/app", "\"Always\""},
        {"localhost:5000/app:2", "\"IfNotPresent\""},
        {"localhost:5000/app@sha256:00", "\"IfNotPresent\""},
        {"\"\"", "\"IfNotPresent\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_free_ char *body = xasprintf("spec: {ephemeralContainers: [{name: c, image: %s}]}", rows[i].image);
        struct decode_opts opts = {.want = resource_by_api_version("v1", "Pod"), .media = MEDIA_YAML};
        struct err e = ERR_INIT;
        json_t *tree = NULL;
        assert_int_equal(decode_object(&opts, body, strlen(body), &tree, NULL, &e), 0);
        defaults_apply(opts.want, tree);
        json_t *container = json_array_get(jat(tree, "spec.ephemeralContainers"), 0);
        assert_text(json_text(json_object_get(container, "imagePullPolicy")), rows[i].policy);
        json_decref(tree);
    }
}

static void test_requests_come_from_limits(void **state)
{
    (void)state;
    assert_defaults(
        "Pod", "spec: {containers: [{name: c, resources: {limits: {memory: 0.5Gi, cpu: 1}, requests: {cpu: 100m}}}]}",
        "spec.containers",
        "[{\"name\":\"c\",\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"512Mi\"},\"requests\":{\"cpu\":"
        "\"100m\","
        "\"memory\":\"512Mi\"}},\"terminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePolicy\":"
        "\"File\",\"imagePullPolicy\":\"IfNotPresent\"}]");
}

static void test_volumes_and_claims(void **state)
{
    (void)state;
    assert_defaults(
        "Pod",
        "spec: {containers: [], volumes: [{name: a, configMap: {name: c}}, {name: b, hostPath: {path: /d}}, {name: p, "
        "projected: {sources: [{serviceAccountToken: {path: t}}]}}]}",
        "spec.volumes",
        "[{\"name\":\"a\",\"configMap\":{\"name\":\"c\",\"defaultMode\":420}},{\"name\":\"b\",\"hostPath\":{\"path\":"
        "\"/d\","
        "\"type\":\"\"}},{\"name\":\"p\",\"projected\":{\"sources\":[{\"serviceAccountToken\":{\"expirationSeconds\":"
        "3600,"
        "\"path\":\"t\"}}],\"defaultMode\":420}}]");
    assert_defaults("PersistentVolumeClaim", "spec: {accessModes: [ReadWriteOnce]}", "spec.volumeMode",
                    "\"Filesystem\"");
    assert_defaults("PersistentVolumeClaim", "{}", "status", "{\"phase\":\"Pending\"}");
    assert_defaults(
        "PersistentVolume", "spec: {hostPath: {path: /mnt}}", "spec",
        "{\"hostPath\":{\"path\":\"/mnt\",\"type\":\"\"},\"persistentVolumeReclaimPolicy\":\"Retain\",\"volumeMode\":"
        "\"Filesystem\"}");
    assert_defaults("StorageClass", "{provisioner: x}", "reclaimPolicy", "\"Delete\"");
    assert_defaults("StorageClass", "{provisioner: x}", "volumeBindingMode", "\"Immediate\"");
}

static void test_deployment(void **state)
{
    (void)state;
    assert_defaults("Deployment", "spec: {strategy: {rollingUpdate: {maxSurge: 50%}}}", "spec.strategy",
                    "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxUnavailable\":\"25%\",\"maxSurge\":\"50%\"}}");
    assert_defaults("Deployment", "spec: {strategy: {type: Recreate}}", "spec.strategy", "{\"type\":\"Recreate\"}");
    assert_defaults("Deployment", "spec: {replicas: 0}", "spec.replicas", "0");
    assert_defaults("Deployment", "{}", "spec.progressDeadlineSeconds", "600");
}

static void test_service(void **state)
{
    (void)state;
    assert_defaults(
        "Service", "spec: {ports: [{port: 80}]}", "spec",
        "{\"ports\":[{\"protocol\":\"TCP\",\"port\":80,\"targetPort\":80}],\"type\":\"ClusterIP\",\"sessionAffinity\":"
        "\"None\",\"internalTrafficPolicy\":\"Cluster\"}");
    assert_defaults(
        "Service", "spec: {type: LoadBalancer, sessionAffinity: ClientIP}", "spec",
        "{\"type\":\"LoadBalancer\",\"sessionAffinity\":\"ClientIP\",\"externalTrafficPolicy\":\"Cluster\","
        "\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":10800}},\"allocateLoadBalancerNodePorts\":true,"
        "\"internalTrafficPolicy\":\"Cluster\"}");
}

static void test_others(void **state)
{
    (void)state;
    assert_defaults("Namespace", "metadata: {name: ns1}", "metadata.labels",
                    "{\"kubernetes.io/metadata.name\":\"ns1\"}");
    assert_defaults(
        "CSIDriver", "spec: {}", "spec",
        "{\"attachRequired\":true,\"podInfoOnMount\":false,\"volumeLifecycleModes\":[\"Persistent\"],"
        "\"storageCapacity\":false,\"fsGroupPolicy\":\"ReadWriteOnceWithFSType\",\"requiresRepublish\":false,"
        "\"seLinuxMount\":false}");
    assert_defaults("EndpointSlice", "ports: [{port: 80}]", "ports",
                    "[{\"name\":\"\",\"protocol\":\"TCP\",\"port\":80}]");
    assert_defaults("Secret", "{}", "type", "\"Opaque\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pod),
        cmocka_unit_test(test_pull_policy_follows_the_tag),
        cmocka_unit_test(test_requests_come_from_limits),
        cmocka_unit_test(test_volumes_and_claims),
        cmocka_unit_test(test_deployment),
        cmocka_unit_test(test_service),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, api_setup, NULL);
}
