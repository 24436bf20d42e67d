/* What each driver makes of a claim, and its refusals. */
#include "csi/driver.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/fake.h"
#include "unit/csi/cloud_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define GIB (INT64_C(1) << 30)

static json_t *parse(const char *text)
{
    json_error_t at;
    json_t *j = json_loads(text, JSON_DECODE_ANY, &at);
    if (!j)
        fail_msg("%s: %s", at.text, text);
    return j;
}

static int setup(void **state)
{
    struct machine *m = machine_open_fake("test");
    struct node_spec n1 = {.name = "n1", .nodefs_bytes = GIB}, n2 = {.name = "n2", .index = 1, .nodefs_bytes = GIB};
    struct err e = ERR_INIT;
    assert_int_equal(m->ops->node_start(m, &n1, &e), 0);
    assert_int_equal(m->ops->node_start(m, &n2, &e), 0);
    assert_non_null(kit_cloud(m, clock_real(), NULL, "us-east-1b", "us-east-1b"));
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;
    cloud_close(m->cloud);
    m->ops->close(m);
    return 0;
}

static const char node_text[] = "{\"metadata\":{\"name\":\"n1\",\"labels\":{\"kubernetes.io/"
                                "hostname\":\"h1\",\"topology.kubernetes.io/zone\":\"us-east-1b\"}}}";

static struct csi_create request(const json_t *modes, const json_t *node)
{
    return (struct csi_create){.name = "pvc-1",
                               .bytes = 1,
                               .access_modes = modes,
                               .fstype = "",
                               .volume_mode = "Filesystem",
                               .claim_ns = "default",
                               .claim_name = "c",
                               .node = node,
                               .class_name = "sc"};
}

static void test_ebs_life(void **state)
{
    struct machine *m = *state;
    const struct csi_driver *d = csi_driver_by_name("ebs.csi.aws.com");
    _auto_json_ json_t *modes = parse("[\"ReadWriteOnce\"]");
    _auto_json_ json_t *node = parse(node_text);
    struct csi_create req = request(modes, node);
    struct csi_volume vol = {0}, again = {0};
    struct err e = ERR_INIT;
    assert_int_equal(d->create(d, m, &req, &vol, &e), 0);
    assert_int_equal(vol.bytes, GIB); /* whole GiB */
    assert_int_equal(strlen(vol.handle), strlen("vol-") + 17);
    assert_string_equal(jstr(vol.source, "csi.fsType"), "ext4");
    const json_t *terms = jat(vol.node_affinity, "required.nodeSelectorTerms");
    const json_t *expr = json_array_get(jat(json_array_get(terms, 0), "matchExpressions"), 0);
    assert_string_equal(jstr(expr, "key"), "topology.kubernetes.io/zone");
    assert_true(jarr_has(expr, "values", "us-east-1b"));
    assert_int_equal(d->create(d, m, &req, &again, &e), 0); /* idempotent by name */
    assert_string_equal(again.handle, vol.handle);

    char device[64] = "";
    assert_int_equal(d->publish(d, m, vol.handle, "n1", false, device, sizeof device, &e), 0);
    snprintf(device, sizeof device, "/dev/xvdbz");
    assert_int_equal(d->publish(d, m, vol.handle, "n1", false, device, sizeof device, &e), 0);
    assert_string_equal(device, "/dev/xvdba"); /* keeps the name it has */
    snprintf(device, sizeof device, "/dev/xvdbq");
    assert_int_equal(d->locate(d, m, vol.handle, "n1", device, sizeof device, &e), 0);
    assert_string_equal(device, "/dev/xvdba"); /* whatever an attachment says */
    _auto_json_ json_t *pv = json_pack("{s:{s:O}}", "spec", "csi", jat(vol.source, "csi"));
    assert_int_equal(d->stage(d, m, "n1", pv, device, "/var/lib/kubelet/x", &e), 0);
    assert_int_equal(d->remove(d, m, pv, &e), -1);
    assert_non_null(strstr(e.msg, "Could not delete volume ID"));
    assert_int_equal(d->unstage(d, m, "n1", "/var/lib/kubelet/x", &e), 0);
    assert_int_equal(d->unpublish(d, m, vol.handle, "n1", &e), 0);
    assert_int_equal(d->locate(d, m, vol.handle, "n1", device, sizeof device, &e), -1);
    assert_int_equal(e.code, ERR_CONFLICT);
    err_clear(&e);
    struct csi_grown grown;
    assert_int_equal(d->expand(d, m, pv, 2 * GIB + 1, &grown, &e), 0);
    assert_true(grown.bytes == 3 * GIB && grown.on_node);
    struct disk_info info;
    assert_int_equal(m->ops->disk_info(m, vol.handle, &info, &e), 0);
    assert_int_equal(info.bytes, 3 * GIB);
    assert_int_equal(d->remove(d, m, pv, &e), 0);
    assert_int_equal(d->remove(d, m, pv, &e), 0); /* already gone is fine */
    err_clear(&e);
    assert_int_equal(d->publish(d, m, vol.handle, "n1", false, device, sizeof device, &e), -1);
    assert_non_null(strstr(e.msg, "code = NotFound"));
    csi_volume_release(&vol);
    csi_volume_release(&again);
}

static void test_ebs_refusals(void **state)
{
    static const struct {
        const char *modes, *parameters, *why;
    } rows[] = {
        {"[\"ReadWriteMany\"]", "{}", "rpc error: code = InvalidArgument desc = Volume capabilities not supported"},
        {"[\"ReadWriteOnce\"]", "{\"colour\":\"red\"}",
         "rpc error: code = InvalidArgument desc = Invalid parameter key colour for CreateVolume"},
        {"[\"ReadWriteOnce\"]", "{\"Type\":\"gp9\"}",
         "rpc error: code = Internal desc = Could not create volume \"pvc-1\": invalid AWS VolumeType \"gp9\""},
        {"[\"ReadWriteOnce\"]", "{\"iops\":\"1\",\"iopsPerGB\":\"1\"}",
         "rpc error: code = InvalidArgument desc = invalid StorageClass parameters; specify either IOPS or IOPSPerGb, "
         "not both"},
    };
    const struct csi_driver *d = csi_driver_by_name("ebs.csi.aws.com");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_json_ json_t *modes = parse(rows[i].modes);
        _auto_json_ json_t *parameters = parse(rows[i].parameters);
        struct csi_create req = request(modes, NULL);
        req.parameters = parameters;
        struct csi_volume vol = {0};
        struct err e = ERR_INIT;
        assert_int_equal(d->create(d, *state, &req, &vol, &e), -1);
        assert_string_equal(e.msg, rows[i].why);
        assert_null(vol.source);
    }
}

static void test_local_path(void **state)
{
    struct machine *m = *state;
    const struct csi_driver *d = csi_driver_by_name("rancher.io/local-path");
    _auto_json_ json_t *modes = parse("[\"ReadWriteOnce\"]");
    _auto_json_ json_t *many = parse("[\"ReadWriteMany\"]");
    _auto_json_ json_t *node = parse(node_text);
    struct csi_create req = request(modes, NULL);
    struct csi_volume vol = {0};
    struct err e = ERR_INIT;
    assert_int_equal(d->create(d, m, &req, &vol, &e), -1);
    assert_string_equal(e.msg, "configuration error, no node was specified");
    req.access_modes = many;
    assert_int_equal(d->create(d, m, &req, &vol, &e), -1);
    assert_string_equal(e.msg, "NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes");
    req = request(modes, node);
    assert_int_equal(d->create(d, m, &req, &vol, &e), 0);
    assert_string_equal(jstr(vol.source, "hostPath.path"), "/opt/local-path-provisioner/pvc-1_default_c");
    assert_string_equal(jstr(vol.source, "hostPath.type"), "DirectoryOrCreate");
    assert_string_equal(json_string_value(json_object_get(vol.annotations, "local.path.provisioner/selected-node")),
                        "n1");
    assert_int_equal(vol.bytes, 1); /* as asked, never rounded */
    csi_volume_release(&vol);
}

/* What annotations and parameters make of it. */
static void test_local_path_forms(void **state)
{
    static const struct {
        const char *parameters, *claim_notes, *class_notes;
        const char *path, *value; /* of the source; or the end of the refusal */
    } rows[] = {
        {"{}", "{}", "{\"defaultVolumeType\":\"local\"}", "local.path", "/opt/local-path-provisioner/pvc-1_default_c"},
        {"{}", "{\"volumeType\":\"hostPath\"}", "{\"defaultVolumeType\":\"local\"}", "hostPath.type",
         "DirectoryOrCreate"},
        {"{}", "{\"volumeType\":\"tape\"}", "{}", NULL,
         "failed to create persistent volume source: \"tape\" is not a recognised volume type"},
        {"{\"pathPattern\":\"{{ .PVC.Namespace }}/{{.PVC.Name}}-{{ .PVC.Annotations.team }}\"}", "{\"team\":\"red\"}",
         "{}", "hostPath.path", "/opt/local-path-provisioner/default/c-red"},
        {"{\"pathPattern\":\"{{ .PVC.Colour }}\"}", "{}", "{}", NULL,
         "failed to create path from pattern {{ .PVC.Colour }}: there is no .PVC.Colour"},
        {"{\"pathPattern\":\"../../{{ .PVName }}\"}", "{}", "{}", NULL, "is not below /opt/local-path-provisioner"},
        {"{\"nodePath\":\"/opt/local-path-provisioner\"}", "{}", "{}", "hostPath.path",
         "/opt/local-path-provisioner/pvc-1_default_c"},
        {"{\"nodePath\":\"/data\"}", "{}", "{}", NULL, "config doesn't contain path /data on node n1"},
    };
    const struct csi_driver *d = csi_driver_by_name("rancher.io/local-path");
    _auto_json_ json_t *modes = parse("[\"ReadWriteOnce\"]");
    _auto_json_ json_t *node = parse(node_text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_json_ json_t *parameters = parse(rows[i].parameters);
        _auto_json_ json_t *claim_notes = parse(rows[i].claim_notes);
        _auto_json_ json_t *class_notes = parse(rows[i].class_notes);
        struct csi_create req = request(modes, node);
        req.parameters = parameters;
        req.claim_notes = claim_notes;
        req.class_notes = class_notes;
        struct csi_volume vol = {0};
        struct err e = ERR_INIT;
        assert_int_equal(d->create(d, *state, &req, &vol, &e), rows[i].path ? 0 : -1);
        if (rows[i].path)
            assert_string_equal(jstr(vol.source, rows[i].path), rows[i].value);
        else if (!str_ends(e.msg, rows[i].value))
            fail_msg("%s", e.msg);
        csi_volume_release(&vol);
    }
}

/* The directory is on every node and goes from each; one that is not this provisioner's is left alone. */
static void test_minikube(void **state)
{
    static const char path[] = "/tmp/hostpath-provisioner/default/c";
    struct machine *m = *state;
    const struct csi_driver *d = csi_driver_by_name("k8s.io/minikube-hostpath");
    _auto_json_ json_t *modes = parse("[\"ReadWriteMany\"]");
    struct csi_create req = request(modes, NULL);
    struct csi_volume vol = {0};
    struct err e = ERR_INIT;
    struct stat st;
    assert_int_equal(d->create(d, m, &req, &vol, &e), 0);
    assert_string_equal(jstr(vol.source, "hostPath.path"), path);
    assert_int_equal(m->ops->stat(m, "n2", path, &st, &e), 0);
    _auto_json_ json_t *pv = json_pack("{s:{}, s:O}", "metadata", "spec", vol.source);
    assert_int_equal(d->remove(d, m, pv, &e), 0);
    assert_int_equal(m->ops->stat(m, "n1", path, &st, &e), 0);
    jset(pv, "metadata.annotations", json_incref(vol.annotations));
    assert_int_equal(d->remove(d, m, pv, &e), 0);
    assert_int_equal(m->ops->stat(m, "n1", path, &st, &e), -1);
    assert_int_equal(m->ops->stat(m, "n2", path, &st, &e), -1);
    csi_volume_release(&vol);
}

static void test_provisioner_table(void **state)
{
    (void)state;
    assert_ptr_equal(csi_provisioner("kubernetes.io/aws-ebs")->driver, csi_driver_by_name("ebs.csi.aws.com"));
    assert_null(csi_provisioner("kubernetes.io/no-provisioner")->driver);
    assert_null(csi_provisioner("lab.example.com/p"));
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_ebs_life),         T(test_ebs_refusals), T(test_local_path),
                                       T(test_local_path_forms), T(test_minikube),     T(test_provisioner_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
