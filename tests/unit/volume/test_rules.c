/* Reclaim, default class, names and phases. */
#include "volume/volume.h"

#include "base/json.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static json_t *parse(const char *text)
{
    json_error_t at;
    json_t *j = json_loads(text, 0, &at);
    if (!j)
        fail_msg("%s: %s", at.text, text);
    return j;
}

static void test_reclaim(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *annotations;
        enum reclaim what;
        const char *message;
    } rows[] = {
        {"\"hostPath\":{\"path\":\"/tmp/x\"}", "", RECLAIM_KEEP, ""}, /* no policy: Retain */
        {"\"persistentVolumeReclaimPolicy\":\"Delete\",\"hostPath\":{\"path\":\"/tmp/x\"}", "", RECLAIM_DELETE_PATH,
         ""},
        {"\"persistentVolumeReclaimPolicy\":\"Delete\",\"hostPath\":{\"path\":\"/data/tmp/x\"}", "",
         RECLAIM_DELETE_PATH, ""}, /* the pattern has no beginning */
        {"\"persistentVolumeReclaimPolicy\":\"Delete\",\"hostPath\":{\"path\":\"/mnt/x\"}", "", RECLAIM_FAIL,
         "host_path deleter only supports /tmp/.+ but received provided /mnt/x"},
        {"\"persistentVolumeReclaimPolicy\":\"Delete\",\"local\":{\"path\":\"/mnt/x\"}", "", RECLAIM_FAIL,
         "error getting deleter volume plugin for volume \"v\": no volume plugin matched"},
        {"\"persistentVolumeReclaimPolicy\":\"Delete\",\"nfs\":{\"path\":\"/x\"}", "", RECLAIM_FAIL,
         "error getting deleter volume plugin for volume \"v\": no deletable volume plugin matched"},
        {"\"persistentVolumeReclaimPolicy\":\"Delete\",\"csi\":{\"driver\":\"d\"}", "", RECLAIM_EXTERNAL, ""},
        {"\"persistentVolumeReclaimPolicy\":\"Delete\",\"hostPath\":{\"path\":\"/mnt/x\"}",
         "\"pv.kubernetes.io/provisioned-by\":\"rancher.io/local-path\"", RECLAIM_EXTERNAL, ""},
        {"\"persistentVolumeReclaimPolicy\":\"Delete\",\"awsElasticBlockStore\":{\"volumeID\":\"v\"}", "", RECLAIM_FAIL,
         "error getting deleter volume plugin for volume \"v\": no volume plugin matched"},
        {"\"persistentVolumeReclaimPolicy\":\"Delete\",\"awsElasticBlockStore\":{\"volumeID\":\"v\"}",
         "\"pv.kubernetes.io/migrated-to\":\"ebs.csi.aws.com\"", RECLAIM_EXTERNAL, ""},
        {"\"persistentVolumeReclaimPolicy\":\"Recycle\",\"nfs\":{\"path\":\"/x\"}", "", RECLAIM_RECYCLE, ""},
        {"\"persistentVolumeReclaimPolicy\":\"Recycle\",\"csi\":{\"driver\":\"d\"}", "", RECLAIM_FAIL,
         "No recycler plugin found for the volume!"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_free_ char *text = xasprintf("{\"metadata\":{\"name\":\"v\",\"annotations\":{%s}},\"spec\":{%s}}",
                                           rows[i].annotations, rows[i].spec);
        _auto_json_ json_t *pv = parse(text);
        struct reclaim_plan plan = pv_reclaim(pv);
        assert_int_equal(plan.what, rows[i].what);
        assert_string_equal(plan.message, rows[i].message);
    }
}

static void test_default_class(void **state)
{
    (void)state;
#define CLASS(name, born, dflt)                                                                                        \
    parse("{\"metadata\":{\"name\":\"" name "\",\"creationTimestamp\":\"" born                                         \
          "\",\"annotations\":{\"storageclass.kubernetes.io/is-default-class\":\"" dflt "\"}}}")
    _auto_json_ json_t *old = CLASS("old", "2026-01-01T00:00:00Z", "true");
    _auto_json_ json_t *b = CLASS("b", "2026-01-02T00:00:00Z", "true");
    _auto_json_ json_t *a = CLASS("a", "2026-01-02T00:00:00Z", "true");
    _auto_json_ json_t *newest = CLASS("newest", "2026-02-01T00:00:00Z", "false");
    const json_t *all[] = {old, b, a, newest};
    assert_ptr_equal(class_pick_default(all, 4), a); /* newest default; the same second: first by name */
    assert_ptr_equal(class_pick_default(all, 1), old);
    assert_null(class_pick_default(all + 3, 1));
}

static void test_sources(void **state)
{
    (void)state;
    _auto_json_ json_t *csi = parse("{\"spec\":{\"csi\":{\"driver\":\"att.example.com\",\"volumeHandle\":\"vol-1\"}}}");
    _auto_json_ json_t *ebs = parse("{\"spec\":{\"awsElasticBlockStore\":{\"volumeID\":\"aws://us-east-1a/vol-2\"}}}");
    _auto_json_ json_t *path = parse("{\"spec\":{\"hostPath\":{\"path\":\"/x\"}}}");
    char name[128];
    assert_true(pv_unique_name(csi, name, sizeof name));
    assert_string_equal(name, "kubernetes.io/csi/att.example.com^vol-1");
    assert_true(pv_unique_name(ebs, name, sizeof name));
    assert_string_equal(name, "kubernetes.io/csi/ebs.csi.aws.com^vol-2");
    assert_true(pv_is_migrated(ebs));
    assert_false(pv_is_migrated(csi));
    assert_false(pv_unique_name(path, name, sizeof name));
    assert_string_equal(provisioner_csi_name("kubernetes.io/aws-ebs"), "ebs.csi.aws.com");
    assert_string_equal(provisioner_csi_name("example.com/x"), "example.com/x");
    assert_true(provisioner_is_unknown_intree("kubernetes.io/glusterfs"));
    assert_true(provisioner_is_unknown_intree(PROVISIONER_NONE));
    assert_false(provisioner_is_unknown_intree("kubernetes.io/aws-ebs"));

    char attachment[ATTACHMENT_NAME_LEN]; /* as recorded from a real cluster */
    attachment_name("vol-1", "att.example.com", "n1", attachment);
    assert_string_equal(attachment, "csi-5cfc30ba612b61ffcab68e8e1d8c37a52009782ecd15eeb7320b585b5523ecd0");
}

static void test_devices(void **state)
{
    (void)state;
    char name[DEVICE_NAME_LEN];
    assert_true(device_pick(NULL, 0, name));
    assert_string_equal(name, "/dev/xvdba");
    const char *used[] = {"/dev/xvdba", "/dev/xvdbc"};
    assert_true(device_pick(used, 2, name));
    assert_string_equal(name, "/dev/xvdbb");
    assert_true(device_name(26, name));
    assert_string_equal(name, "/dev/xvdca");
    assert_false(device_name(52, name));
}

static void test_phases(void **state)
{
    (void)state;
    assert_true(sm_may(&pv_sm, PV_BOUND, PV_RELEASED));
    assert_false(sm_may(&pv_sm, PV_BOUND, PV_PENDING));
    assert_true(sm_may(&claim_sm, CLAIM_BOUND, CLAIM_LOST));
    assert_false(sm_may(&pv_sm, PV_AVAILABLE, PV_PENDING));
    _auto_json_ json_t *odd = parse("{\"status\":{\"phase\":\"Strange\"}}");
    assert_int_equal(pv_phase(odd), PV_PENDING);
    assert_string_equal(claim_phase_name(CLAIM_LOST), "Lost");
}

static void test_allowed_topologies(void **state)
{
    (void)state;
    _auto_json_ json_t *sc =
        parse("{\"allowedTopologies\":[{\"matchLabelExpressions\":[{\"key\":\"z\",\"values\":[\"a\",\"b\"]}]}]}");
    _auto_json_ json_t *in = parse("{\"metadata\":{\"labels\":{\"z\":\"b\"}}}");
    _auto_json_ json_t *out = parse("{\"metadata\":{\"labels\":{\"z\":\"c\"}}}");
    assert_true(class_allows_node(sc, in));
    assert_false(class_allows_node(sc, out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reclaim), cmocka_unit_test(test_default_class), cmocka_unit_test(test_sources),
        cmocka_unit_test(test_devices), cmocka_unit_test(test_phases),        cmocka_unit_test(test_allowed_topologies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
