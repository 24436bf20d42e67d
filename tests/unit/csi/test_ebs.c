/* The EBS driver: class parameters bent and refused as the real one does it, and what its PVs show. */
#include "csi/cloud.h"
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

static const struct csi_driver *ebs;

static int setup(void **state)
{
    struct machine *m = machine_open_fake("test");
    struct node_spec n1 = {.name = "n1", .nodefs_bytes = GIB}, n2 = {.name = "n2", .index = 1, .nodefs_bytes = GIB};
    struct err e = ERR_INIT;
    assert_int_equal(m->ops->node_start(m, &n1, &e), 0);
    assert_int_equal(m->ops->node_start(m, &n2, &e), 0);
    assert_non_null(kit_cloud(m, clock_real(), NULL, "us-east-1a", "us-east-1a"));
    ebs = csi_driver_by_name("ebs.csi.aws.com");
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

static json_t *parse(const char *text)
{
    _auto_free_ char *copy = xstrdup(text);
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *j = json_loads(copy, JSON_DECODE_ANY, NULL);
    if (!j)
        fail_msg("%s", text);
    return j;
}

/* Returns the driver's answer; the disk made in *out. */
static int create(struct machine *m, const char *name, int64_t gib, const char *parameters, const char *mode,
                  const char *access, struct csi_volume *vol, struct cloud_disk *out, struct err *e)
{
    _auto_json_ json_t *p = parse(parameters), *modes = json_pack("[s]", access);
    const struct csi_create req = {.name = name,
                                   .bytes = gib * GIB,
                                   .parameters = p,
                                   .access_modes = modes,
                                   .fstype = "",
                                   .volume_mode = mode,
                                   .claim_ns = "default",
                                   .claim_name = "c",
                                   .class_name = "sc"};
    int rc = ebs->create(ebs, m, &req, vol, e);
    if (rc == 0)
        assert_int_equal(cloud_disk_get(m->cloud, vol->handle, out, e), 0);
    return rc;
}

static void test_parameters(void **state)
{
    static const struct {
        int64_t gib;
        const char *parameters, *type;
        int64_t iops, throughput;
        const char *why; /* the end of the refusal, or NULL */
    } rows[] = {
        {1, "{}", "gp3", 3000, 125, NULL},
        {1, "{'type':'gp2'}", "gp2", 100, 0, NULL},
        {1, "{'type':'gp2','iops':'500'}", "gp2", 100, 0, NULL}, /* not sent */
        {10, "{'type':'gp3','iops':'4000','throughput':'500'}", "gp3", 4000, 500, NULL},
        {10, "{'type':'gp3','iops':'99999'}", "gp3", 5000, 125, NULL}, /* capped by size */
        {100, "{'type':'gp3','iops':'99999'}", "gp3", 16000, 125, NULL},
        {10, "{'type':'io1','iopsPerGB':'50'}", "io1", 500, 0, NULL},
        {10, "{'type':'io1','iopsPerGB':'500'}", "io1", 500, 0, NULL},
        {4, "{'type':'io1','iopsPerGB':'1'}", "", 0, 0,
         "api error InvalidParameterValue: Volume iops of 4 is too low; minimum is 100."},
        {4, "{'type':'io1','iopsPerGB':'1','allowAutoIOPSPerGBIncrease':'true'}", "io1", 100, 0, NULL},
        {1000, "{'type':'io2','iops':'200000'}", "io2", 64000, 0, NULL},
        {1000, "{'type':'io2','iops':'200000','blockExpress':'true'}", "io2", 200000, 0, NULL},
        {10, "{'type':'io1'}", "", 0, 0,
         "api error InvalidParameterDependency: The parameter [VolumeType] requires the parameter Iops to be set."},
        {10, "{'type':'st1'}", "", 0, 0,
         "api error InvalidParameterValue: Volume of 10GiB is too small for volume type st1; minimum is 125GiB."},
        {125, "{'type':'ST1'}", "st1", 0, 0, NULL},
        {1, "{'type':'gp3','blockExpress':'true'}", "", 0, 0, "Block Express is only supported on io2 volumes"},
        {1, "{'iops':'many'}", "", 0, 0,
         "Could not parse invalid iops: strconv.ParseInt: parsing \"many\": invalid syntax"},
        {1, "{'type':'sc1','throughput':'200'}", "", 0, 0, "minimum is 125GiB."},
        {20000, "{}", "", 0, 0,
         "api error InvalidParameterValue: Volume of 20000GiB is too large for volume type gp3; maximum is 16384GiB."},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct csi_volume vol = {0};
        _auto_disk_ struct cloud_disk d = {0};
        struct err e = ERR_INIT;
        char name[32];
        snprintf(name, sizeof name, "pvc-%zu", i);
        int rc = create(*state, name, rows[i].gib, rows[i].parameters, "Filesystem", "ReadWriteOnce", &vol, &d, &e);
        if (rc != (rows[i].why ? -1 : 0))
            fail_msg("%s: %d %s", rows[i].parameters, rc, e.msg);
        if (rows[i].why && !str_ends(e.msg, rows[i].why))
            fail_msg("%s: %s", rows[i].parameters, e.msg);
        if (!rows[i].why) {
            assert_string_equal(d.type, rows[i].type);
            assert_int_equal(d.iops, rows[i].iops);
            assert_int_equal(d.throughput, rows[i].throughput);
        }
        csi_volume_release(&vol);
    }
}

static void test_what_it_shows(void **state)
{
    struct csi_volume vol = {0};
    _auto_disk_ struct cloud_disk d = {0};
    struct err e = ERR_INIT;
    assert_int_equal(create(*state, "pvc-x", 1,
                            "{'encrypted':'true','tagSpecification_1':'team=storage','blockSize':'2048'}", "Filesystem",
                            "ReadWriteOnce", &vol, &d, &e),
                     0);
    assert_true(d.encrypted);
    assert_string_equal(d.kms_key, "arn:aws:kms:us-east-1:123456789012:alias/aws/ebs");
    assert_string_equal(jstr(d.tags, "team"), "storage");
    assert_string_equal(json_string_value(json_object_get(d.tags, "CSIVolumeName")), "pvc-x");
    assert_string_equal(json_string_value(json_object_get(d.tags, "kubernetes.io/created-for/pvc/name")), "c");
    assert_string_equal(jstr(vol.source, "csi.volumeAttributes.blocksize"), "2048");
    assert_null(jat(vol.source, "csi.volumeAttributes.type"));
    csi_volume_release(&vol);
}

/* What the class says of the filesystem: shown in the PV, refused where the filesystem cannot have it. */
static void test_format_parameters(void **state)
{
    static const struct {
        const char *mode, *parameters, *key, *value; /* key: of volumeAttributes; value NULL: not there */
        const char *why;                             /* the end of the refusal, or NULL */
    } rows[] = {
        {"Filesystem", "{'blockSize':'2048'}", "blocksize", "2048", NULL},
        {"Filesystem", "{'INODESIZE':'512'}", "inodesize", "512", NULL},
        {"Filesystem", "{'bytesPerInode':'8k'}", "bytesperinode", "8k", NULL},
        {"Filesystem", "{'numberOfInodes':'1000'}", "numberofinodes", "1000", NULL},
        {"Filesystem", "{'ext4BigAlloc':'true','ext4ClusterSize':'16384'}", "ext4clustersize", "16384", NULL},
        {"Filesystem", "{'ext4BigAlloc':'yes'}", "ext4bigalloc", NULL, NULL},
        {"Filesystem", "{'fsType':'xfs','inodeSize':'1024'}", "inodesize", "1024", NULL},
        {"Filesystem", "{'blockSize':'4096;reboot'}", "", NULL, "Could not parse blockSize (4096;reboot): <nil>"},
        {"Filesystem", "{'ext4ClusterSize':'16384'}", "", NULL,
         "Cannot set ext4BigAllocClusterSize when ext4BigAlloc is false"},
        {"Filesystem", "{'fsType':'xfs','numberOfInodes':'9'}", "", NULL, "Cannot use numberofinodes with fstype xfs"},
        {"Filesystem", "{'fsType':'ext3','ext4BigAlloc':'true'}", "", NULL, "Cannot use ext4bigalloc with fstype ext3"},
        {"Block", "{'blockSize':'2048'}", "", NULL, "Cannot use blocksize with block volume"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct csi_volume vol = {0};
        _auto_disk_ struct cloud_disk d = {0};
        struct err e = ERR_INIT;
        char name[32];
        snprintf(name, sizeof name, "pvc-f%zu", i);
        int rc = create(*state, name, 1, rows[i].parameters, rows[i].mode, "ReadWriteOnce", &vol, &d, &e);
        if (rc != (rows[i].why ? -1 : 0) || (rows[i].why && !str_ends(e.msg, rows[i].why)))
            fail_msg("%s: %d %s", rows[i].parameters, rc, e.msg);
        const char *seen = rc == 0 ? jmap(vol.source, "csi.volumeAttributes", rows[i].key) : NULL;
        if (!str_eq(seen ? seen : "-", rows[i].value ? rows[i].value : "-"))
            fail_msg("%s: %s", rows[i].parameters, seen);
        csi_volume_release(&vol);
    }
}

/* What the node makes of a PV's attributes: words of mkfs, or a refusal; nothing but letters and digits gets there. */
static char said[256];
static int hear_mount(struct machine *m, const struct fs_mount *spec, struct err *e)
{
    (void)m, (void)e;
    snprintf(said, sizeof said, "%s: %s", spec->fstype, spec->mkfs);
    return 0;
}

static void test_format_words(void **state)
{
    static const struct {
        const char *csi, *said;
    } rows[] = {
        {"{}", "ext4: "},
        {"{'volumeAttributes':{'blocksize':'2048','inodesize':'512'}}", "ext4: -b 2048 -I 512"},
        {"{'volumeAttributes':{'ext4clustersize':'16384','ext4bigalloc':'true'}}", "ext4: -O bigalloc -C 16384"},
        {"{'fsType':'xfs','volumeAttributes':{'blocksize':'1024','inodesize':'512'}}", "xfs: -b size=1024 -i size=512"},
        {"{'fsType':'ext2','volumeAttributes':{'bytesperinode':'8192','numberofinodes':'5'}}", "ext2: -i 8192 -N 5"},
        {"{'volumeAttributes':{'blocksize':'1 -O ^has_journal'}}",
         "rpc error: code = InvalidArgument desc = Invalid blocksize (aborting!): <nil>"},
        {"{'fsType':'xfs','volumeAttributes':{'ext4bigalloc':'true'}}",
         "rpc error: code = InvalidArgument desc = Cannot use ext4bigalloc with fstype xfs"},
        {"{'fsType':'btrfs'}", "rpc error: code = InvalidArgument desc = NodeStageVolume: invalid fstype btrfs"},
    };
    struct machine *m = *state;
    struct machine_ops ops = *m->ops;
    const struct machine_ops *real = m->ops;
    ops.fs_mount = hear_mount;
    m->ops = &ops;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = ERR_INIT;
        _auto_json_ json_t *csi = parse(rows[i].csi), *pv = json_pack("{s:{s:O}}", "spec", "csi", csi);
        if (ebs->stage(ebs, m, "n1", pv, "/dev/xvdba", "/mnt", &e) < 0)
            snprintf(said, sizeof said, "%s", e.msg);
        assert_string_equal(said, rows[i].said);
    }
    m->ops = real;
}

/* A class of attributes named from the start wins over the storage class. */
static void test_mutable(void **state)
{
    struct machine *m = *state;
    struct csi_volume vol = {0};
    struct err e = ERR_INIT;
    _auto_disk_ struct cloud_disk d = {0};
    _auto_json_ json_t *p = parse("{'type':'gp2'}"), *modes = json_pack("[s]", "ReadWriteOnce"),
                       *fast = parse("{'type':'gp3','iops':'5000','throughput':'250'}"),
                       *bad = parse("{'colour':'red'}");
    struct csi_create req = {.name = "pvc-mutable",
                             .bytes = 10 * GIB,
                             .parameters = p,
                             .mutable = bad,
                             .access_modes = modes,
                             .fstype = "",
                             .volume_mode = "Filesystem",
                             .claim_ns = "default",
                             .claim_name = "c",
                             .class_name = "sc"};
    assert_int_equal(ebs->create(ebs, m, &req, &vol, &e), -1);
    assert_string_equal(e.msg, "rpc error: code = InvalidArgument desc = Invalid mutable parameter: rpc error: code = "
                               "InvalidArgument desc = Invalid mutable parameter key: colour");
    err_clear(&e);
    req.mutable = fast;
    assert_int_equal(ebs->create(ebs, m, &req, &vol, &e), 0);
    assert_int_equal(cloud_disk_get(m->cloud, vol.handle, &d, &e), 0);
    assert_string_equal(d.type, "gp3");
    assert_int_equal(d.iops, 5000);
    assert_int_equal(d.throughput, 250);
    csi_volume_release(&vol);
}

/* A raw device that several nodes write: io2 only, and then really on both. */
static void test_multi_attach(void **state)
{
    struct machine *m = *state;
    struct csi_volume vol = {0};
    _auto_disk_ struct cloud_disk d = {0};
    struct err e = ERR_INIT;
    char device[64] = "";
    assert_int_equal(create(m, "pvc-m", 4, "{'type':'gp3'}", "Block", "ReadWriteMany", &vol, &d, &e), -1);
    assert_non_null(strstr(e.msg, "CreateDisk: multi-attach is only supported for io2 volumes"));
    assert_int_equal(create(m, "pvc-m", 4, "{'type':'io2','iops':'1000'}", "Block", "ReadWriteMany", &vol, &d, &e), 0);
    assert_true(d.multi_attach);
    assert_int_equal(ebs->publish(ebs, m, vol.handle, "n1", false, device, sizeof device, &e), 0);
    device[0] = '\0';
    if (ebs->publish(ebs, m, vol.handle, "n2", false, device, sizeof device, &e) < 0)
        fail_msg("second node: %s", e.msg);
    assert_int_equal(ebs->unpublish(ebs, m, vol.handle, "n1", &e), 0);
    assert_int_equal(ebs->unpublish(ebs, m, vol.handle, "n2", &e), 0);
    csi_volume_release(&vol);
}

static void test_modify(void **state)
{
    struct machine *m = *state;
    struct csi_volume vol = {0};
    _auto_disk_ struct cloud_disk d = {0}, after = {0};
    struct err e = ERR_INIT;
    assert_int_equal(create(m, "pvc-y", 10, "{'type':'gp2'}", "Filesystem", "ReadWriteOnce", &vol, &d, &e), 0);
    _auto_json_ json_t *pv = json_pack("{s:{s:O}}", "spec", "csi", jat(vol.source, "csi"));
    _auto_json_ json_t *good = parse("{'type':'gp3','iops':'4000'}"), *bad = parse("{'colour':'red'}");
    assert_int_equal(ebs->modify(ebs, m, pv, bad, &e), -1);
    assert_string_equal(e.msg, "rpc error: code = InvalidArgument desc = Invalid mutable parameter key: colour");
    err_clear(&e);
    assert_int_equal(ebs->modify(ebs, m, pv, good, &e), 0);
    assert_int_equal(ebs->modify(ebs, m, pv, good, &e), 0);
    assert_int_equal(cloud_disk_get(m->cloud, vol.handle, &after, &e), 0);
    assert_string_equal(after.type, "gp3");
    assert_int_equal(after.iops, 4000);
    csi_volume_release(&vol);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_parameters),   T(test_what_it_shows), T(test_format_parameters),
                                       T(test_format_words), T(test_mutable),       T(test_multi_attach),
                                       T(test_modify)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
