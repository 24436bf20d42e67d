/* Descriptions: alignment, each way a row is written, what belongs to an object, and kinds our own server does not
 * have. */
#include "base/clock.h"
#include "base/mem.h"
#include "kubectl/describe/describe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW "2026-01-02T03:10:00Z"

static char *described(const char *object, const char *related)
{
    _auto_json_ json_t *o = json_loads(object, 0, NULL), *r = json_loads(related, 0, NULL);
    _auto_buf_ struct buf out = BUF_INIT;
    int64_t now;
    assert_non_null(o);
    assert_non_null(r);
    assert_int_equal(time_parse(NOW, &now), 0);
    describe_object(&out, o, r, now);
    return buf_steal(&out, NULL);
}

static void expect(const char *object, const char *related, const char *text)
{
    _auto_free_ char *got = described(object, related);
    assert_string_equal(got, text);
}

static void test_class(void **state)
{
    (void)state;
    expect(
        "{\"apiVersion\":\"storage.k8s.io/"
        "v1\",\"kind\":\"StorageClass\",\"metadata\":{\"name\":\"fast\",\"annotations\":"
        "{\"storageclass.kubernetes.io/is-default-class\":\"true\"}},\"provisioner\":\"p\",\"parameters\":{\"b\":\"2\","
        "\"a\":\"1\"},\"mountOptions\":[\"noatime\"],\"reclaimPolicy\":\"Delete\",\"allowedTopologies\":"
        "[{\"matchLabelExpressions\":[{\"key\":\"zone\",\"values\":[\"a\",\"b\"]},{\"key\":\"x\",\"values\":[\"y\"]}]}]"
        "}",
        "{\"events\":[]}",
        "Name:                  fast\n"
        "IsDefaultClass:        Yes\n"
        "Annotations:           storageclass.kubernetes.io/is-default-class=true\n"
        "Provisioner:           p\n"
        "Parameters:            a=1,b=2\n"
        "AllowVolumeExpansion:  <unset>\n"
        "MountOptions:\n"
        "  noatime\n"
        "ReclaimPolicy:      Delete\n"
        "AllowedTopologies:  \n"
        "  Term 0:           zone in [a, b]\n"
        "                    x in [y]\n"
        "Events:             <none>\n");
}

static void test_claim(void **state)
{
    (void)state;
    expect(
        "{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"name\":\"data\",\"namespace\":"
        "\"shop\","
        "\"finalizers\":[\"kubernetes.io/"
        "pvc-protection\"]},\"spec\":{\"storageClassName\":\"gp2\",\"volumeName\":\"pv-1\","
        "\"volumeMode\":\"Filesystem\"},\"status\":{\"phase\":\"Bound\",\"accessModes\":[\"ReadWriteMany\","
        "\"ReadWriteOnce\"],\"capacity\":{\"storage\":\"3Gi\"}}}",
        "{\"pods\":[{\"metadata\":{\"name\":\"z\"},\"spec\":{\"volumes\":[{\"persistentVolumeClaim\":{\"claimName\":"
        "\"data\"}}]}},"
        "{\"metadata\":{\"name\":\"other\"},\"spec\":{\"volumes\":[{\"persistentVolumeClaim\":{\"claimName\":\"x\"}}]}}"
        ","
        "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"volumes\":[{\"persistentVolumeClaim\":{\"claimName\":\"data\"}}]}}]"
        ","
        "\"events\":[{\"type\":\"Normal\",\"reason\":\"Later\",\"message\":\" twice "
        "\\n\",\"count\":3,\"firstTimestamp\":"
        "\"2026-01-02T03:00:00Z\",\"lastTimestamp\":\"2026-01-02T03:09:00Z\",\"source\":{\"component\":\"c\"}},"
        "{\"type\":\"Warning\",\"reason\":\"First\",\"message\":\"once\",\"firstTimestamp\":\"2026-01-02T03:08:30Z\","
        "\"lastTimestamp\":\"2026-01-02T03:08:30Z\",\"reportingComponent\":\"d\"}]}",
        "Name:          data\n"
        "Namespace:     shop\n"
        "StorageClass:  gp2\n"
        "Status:        Bound\n"
        "Volume:        pv-1\n"
        "Labels:        <none>\n"
        "Annotations:   <none>\n"
        "Finalizers:    [kubernetes.io/pvc-protection]\n"
        "Capacity:      3Gi\n"
        "Access Modes:  RWO,RWX\n"
        "VolumeMode:    Filesystem\n"
        "Used By:       a\n"
        "               z\n"
        "Events:\n"
        "  Type     Reason  Age                From  Message\n"
        "  ----     ------  ----               ----  -------\n"
        "  Warning  First   90s                d     once\n"
        "  Normal   Later   60s (x3 over 10m)  c     twice\n");
}

static void test_role(void **state)
{
    (void)state;
    expect("{\"apiVersion\":\"rbac.authorization.k8s.io/"
           "v1\",\"kind\":\"Role\",\"metadata\":{\"name\":\"reader\"},\"rules\":["
           "{\"apiGroups\":[\"\"],\"resources\":[\"pods\",\"pods/log\"],\"verbs\":[\"get\",\"list\"]},"
           "{\"apiGroups\":[\"apps\"],\"resources\":[\"deployments/"
           "scale\"],\"resourceNames\":[\"a\"],\"verbs\":[\"get\"]},"
           "{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"watch\"]},"
           "{\"nonResourceURLs\":[\"/healthz\"],\"verbs\":[\"get\"]}]}",
           "{}",
           "Name:         reader\n"
           "Labels:       <none>\n"
           "Annotations:  <none>\n"
           "PolicyRule:\n"
           "  Resources               Non-Resource URLs  Resource Names  Verbs\n"
           "  ---------               -----------------  --------------  -----\n"
           "  pods                    []                 []              [get list watch]\n"
           "  pods/log                []                 []              [get list]\n"
           "                          [/healthz]         []              [get]\n"
           "  deployments.apps/scale  []                 [a]             [get]\n");
}

static void test_any_kind(void **state)
{
    (void)state;
    expect("{\"apiVersion\":\"snapshot.storage.k8s.io/"
           "v1\",\"kind\":\"VolumeSnapshot\",\"metadata\":{\"name\":\"s\",\"namespace\":"
           "\"n\",\"uid\":\"u\",\"labels\":{\"a\":\"b\"},\"managedFields\":[{\"manager\":\"m\"}]},\"spec\":{\"source\":"
           "{\"persistentVolumeClaimName\":\"c\"},\"deletionAPIPolicy\":null},\"status\":{\"readyToUse\":true,\"list\":"
           "[1,\"x\"],"
           "\"example.com/x\":[{\"k\":1}]}}",
           "{\"events\":[]}",
           "Name:         s\n"
           "Namespace:    n\n"
           "Labels:       a=b\n"
           "Annotations:  <none>\n"
           "API Version:  snapshot.storage.k8s.io/v1\n"
           "Kind:         VolumeSnapshot\n"
           "Metadata:\n"
           "  UID:  u\n"
           "Spec:\n"
           "  Deletion API Policy:  <nil>\n"
           "  Source:\n"
           "    Persistent Volume Claim Name:  c\n"
           "Status:\n"
           "  example.com/x:\n"
           "    K:  1\n"
           "  List:\n"
           "    1\n"
           "    x\n"
           "  Ready To Use:  true\n"
           "Events:          <none>\n");
}

/* A name or annotation with a terminal's escape must not reach the terminal; long annotations are cut. */
static void test_hostile_annotations(void **state)
{
    (void)state;
    char object[1024], value[201] = {0};
    memset(value, 'x', sizeof value - 1);
    snprintf(object, sizeof object,
             "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\",\"annotations\":{\"a\":\"\\u001b["
             "31m\\r\","
             "\"b\":\"%s\",\"kubectl.kubernetes.io/last-applied-configuration\":\"{}\"}},\"type\":\"Opaque\",\"data\":"
             "{\"k\":\"aGVsbG8=\"}}",
             value);
    _auto_free_ char *got = described(object, "{}");
    assert_non_null(strstr(got, "Annotations:  a: ^[[31m\\r\n              b:\n                xxx"));
    assert_null(strchr(got, '\x1b'));
    assert_null(strstr(got, "last-applied"));
    assert_non_null(strstr(got, "xxx...\n"));
    assert_non_null(strstr(got, "k:  5 bytes\n"));
}

static void test_node_sums(void **state)
{
    (void)state;
    _auto_free_ char *got = described("{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"n\","
                                      "\"labels\":{\"node-role.kubernetes.io/control-plane\":"
                                      "\"\"}},\"spec\":{\"taints\":[{\"key\":\"b\",\"effect\":\"NoSchedule\"},{\"key\":"
                                      "\"a\",\"value\":\"v\",\"effect\":"
                                      "\"NoExecute\"}]},\"status\":{\"allocatable\":{\"cpu\":\"2\",\"memory\":\"1Gi\","
                                      "\"pods\":\"110\",\"example.com/gpu\":\"4\"}}}",
                                      "{\"errors\":{\"lease\":\"gone\"},\"pods\":[{\"metadata\":{\"name\":\"p\","
                                      "\"namespace\":\"d\",\"creationTimestamp\":"
                                      "\"2026-01-02T03:05:00Z\"},\"spec\":{\"containers\":[{\"name\":\"c\","
                                      "\"resources\":{\"requests\":{\"cpu\":\"250m\","
                                      "\"memory\":\"128Mi\"},\"limits\":{\"memory\":\"2Gi\"}}}],\"initContainers\":[{"
                                      "\"name\":\"big\",\"resources\":{\"requests\":"
                                      "{\"cpu\":\"1\"}}},{\"name\":\"side\",\"restartPolicy\":\"Always\",\"resources\":"
                                      "{\"requests\":{\"cpu\":\"50m\"}}}]}}]}");
    assert_non_null(strstr(got, "Roles:              control-plane\n"));
    assert_non_null(strstr(got, "Taints:             a=v:NoExecute\n                    b:NoSchedule\n"));
    assert_non_null(strstr(got, "Lease:              Failed to get lease: gone\n"));
    assert_non_null(strstr(got, "1 (50%)       0 (0%)      128Mi (12%)      2Gi (200%)     5m\n"));
    assert_non_null(strstr(got, "  cpu                1 (50%)      0 (0%)\n"));
    assert_non_null(strstr(got, "  example.com/gpu    0            0\n"));
}

static void test_wants(void **state)
{
    (void)state;
    assert_string_equal(describe_wants("apps", "Deployment")[0].name, "replica_sets");
    assert_string_equal(describe_wants("", "Node")[1].name, "lease");
    assert_null(describe_wants("", "Node")[2].name);
    assert_null(describe_wants("example.com", "Anything")[0].name);
    assert_int_equal(describe_events_of("", "Secret"), EVENTS_NONE);
    assert_int_equal(describe_events_of("", "Pod"), EVENTS_BY_NAME);
    assert_int_equal(describe_events_of("example.com", "Anything"), EVENTS_BY_KIND);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_class),
        cmocka_unit_test(test_claim),
        cmocka_unit_test(test_role),
        cmocka_unit_test(test_any_kind),
        cmocka_unit_test(test_hostile_annotations),
        cmocka_unit_test(test_node_sums),
        cmocka_unit_test(test_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
