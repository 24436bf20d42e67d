/* The drivers beside EBS: what each makes of a class and a claim, what it refuses, and that a volume goes through its
 * whole life without anything left behind. */
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

static json_t *parse(const char *text)
{
    _auto_free_ char *copy = xstrdup(text);
    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    json_t *j = json_loads(copy, JSON_DECODE_ANY, NULL);
    if (!j)
        fail_msg("no JSON: %s", copy);
    return j;
}

#define TEN  "0123456789"
#define LONG TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
static const char node_text[] = "{'metadata':{'name':'n1','labels':{'topology.kubernetes.io/zone':'us-east-1b'}}}";

static struct csi_create request(const json_t *modes, const json_t *parameters, const json_t *node, int64_t bytes)
{
    return (struct csi_create){.name = "pvc-0a1b",
                               .bytes = bytes,
                               .access_modes = modes,
                               .parameters = parameters,
                               .fstype = "",
                               .volume_mode = "Filesystem",
                               .claim_ns = "shop",
                               .claim_name = "data",
                               .node = node,
                               .class_name = "sc"};
}

/* -- what is made -- */

static const struct made_row {
    const char *driver, *parameters, *modes;
    int64_t gib, made_gib;
    const char *handle;       /* its beginning */
    const char *path, *value; /* one more thing to be seen in the source */
    const char *topology;     /* key of the affinity, or NULL */
} made[] = {
    {"efs.csi.aws.com", "{'provisioningMode':'efs-ap','fileSystemId':'fs-92107410','directoryPerms':'700'}",
     "['ReadWriteMany']", 5, 5, "fs-92107410::fsap-0", "csi.driver", "efs.csi.aws.com", NULL},
    {"fsx.csi.aws.com", "{'subnetId':'subnet-1','deploymentType':'SCRATCH_2'}", "['ReadWriteMany']", 1, 1200, "fs-0",
     "csi.driver", "fsx.csi.aws.com", NULL},
    {"fsx.csi.aws.com", "{}", "['ReadWriteOnce']", 1201, 2400, "fs-0", "csi.driver", "fsx.csi.aws.com", NULL},
    {"nfs.csi.k8s.io", "{'server':'nfs.lab','share':'/export'}", "['ReadWriteMany']", 1, 1, "nfs.lab#export#pvc-0a1b##",
     "csi.volumeAttributes.subdir", "pvc-0a1b", NULL},
    {"nfs.csi.k8s.io", "{'server':'nfs.lab','share':'/export','subDir':'team','onDelete':'retain'}", "['ReadOnlyMany']",
     1, 1, "nfs.lab#export#team#pvc-0a1b#retain", "csi.volumeAttributes.server", "nfs.lab", NULL},
    {"pxd.portworx.com", "{'repl':'2','io_profile':'db'}", "['ReadWriteMany']", 3, 3, "", "csi.volumeAttributes.repl",
     "2", NULL},
    {"pd.csi.storage.gke.io", "{'type':'pd-ssd'}", "['ReadWriteOnce']", 12, 12,
     "projects/stowage/zones/us-east-1b/disks/pvc-0a1b", "csi.fsType", "ext4", "topology.gke.io/zone"},
    {"disk.csi.azure.com", "{'skuName':'Premium_LRS'}", "['ReadWriteOnce']", 4, 4, "/subscriptions/",
     "csi.volumeAttributes.requestedsizegib", "4", "topology.disk.csi.azure.com/zone"},
    {"hostpath.csi.k8s.io", "{}", "['ReadWriteOnce']", 1, 1, "", "csi.driver", "hostpath.csi.k8s.io",
     "topology.hostpath.csi/node"},
};

static void check_made(const struct made_row *row, const struct csi_volume *v)
{
    if (v->bytes != row->made_gib * GIB || !str_starts(v->handle, row->handle) || !v->handle[0])
        fail_msg("%s %s: %lld bytes, handle %s", row->driver, row->parameters, (long long)v->bytes, v->handle);
    assert_string_equal(jstr_or(v->source, row->path, ""), row->value);
    assert_string_equal(jstr_or(v->source, "csi.volumeHandle", ""), v->handle);
    const json_t *term = json_array_get(jat(v->node_affinity, "required.nodeSelectorTerms"), 0);
    const char *key = jstr(json_array_get(jat(term, "matchExpressions"), 0), "key");
    if (!str_eq(key, row->topology))
        fail_msg("%s: topology %s", row->driver, key ? key : "none");
}

static void use_on(struct machine *m, const struct csi_driver *d, const json_t *pv, const char *handle,
                   const char *node)
{
    struct err e = ERR_INIT;
    char device[64] = "";
    _auto_free_ char *target = xasprintf("/var/lib/kubelet/%s", node);
    if (d->publish && d->publish(d, m, handle, node, false, device, sizeof device, &e) < 0)
        fail_msg("%s: publish: %s", d->name, e.msg);
    if (d->stage(d, m, node, pv, device, target, &e) < 0)
        fail_msg("%s: stage: %s", d->name, e.msg);
    assert_true(m->ops->is_mounted(m, node, target));
}

static void leave(struct machine *m, const struct csi_driver *d, const char *handle, const char *node)
{
    struct err e = ERR_INIT;
    _auto_free_ char *target = xasprintf("/var/lib/kubelet/%s", node);
    assert_int_equal(d->unstage(d, m, node, target, &e), 0);
    if (d->unpublish)
        assert_int_equal(d->unpublish(d, m, handle, node, &e), 0);
}

static void test_life(void **state)
{
    struct machine *m = *state;
    for (size_t i = 0; i < ARRAY_LEN(made); i++) {
        const struct csi_driver *d = csi_driver_by_name(made[i].driver);
        struct err e = ERR_INIT;
        struct csi_volume v = {0}, again = {0};
        struct fake_counts left;
        _auto_json_ json_t *modes = parse(made[i].modes), *parameters = parse(made[i].parameters);
        _auto_json_ json_t *node = parse(node_text);
        struct csi_create req = request(modes, parameters, node, made[i].gib * GIB);
        if (d->create(d, m, &req, &v, &e) < 0 || d->create(d, m, &req, &again, &e) < 0)
            fail_msg("%s: %s", d->name, e.msg);
        check_made(&made[i], &v);
        assert_string_equal(v.handle, again.handle);
        _auto_json_ json_t *pv = json_pack("{s:O}", "spec", v.source);
        use_on(m, d, pv, v.handle, "n1");
        if (!d->attach_required) /* files: everywhere at once */
            use_on(m, d, pv, v.handle, "n2");
        leave(m, d, v.handle, "n1");
        if (!d->attach_required)
            leave(m, d, v.handle, "n2");
        if (d->remove(d, m, pv, &e) < 0 || d->remove(d, m, pv, &e) < 0)
            fail_msg("%s: remove: %s", d->name, e.msg);
        machine_fake_count(m, &left);
        assert_int_equal(left.mounts, 0);
        csi_volume_release(&v);
        csi_volume_release(&again);
    }
}

/* -- what is refused -- */

static const struct {
    const char *driver, *parameters, *modes, *mode;
    int64_t gib;
    const char *why;
} refused[] = {
    {"efs.csi.aws.com", "{'fileSystemId':'fs-1'}", "['ReadWriteMany']", "Filesystem", 1,
     "rpc error: code = InvalidArgument desc = Missing provisioningMode parameter"},
    {"efs.csi.aws.com", "{'provisioningMode':'efs-dir','fileSystemId':'fs-1'}", "['ReadWriteMany']", "Filesystem", 1,
     "rpc error: code = InvalidArgument desc = Provisioning mode efs-dir is not supported. Only Access point "
     "provisioning: 'efs-ap' is supported"},
    {"efs.csi.aws.com", "{'provisioningMode':'efs-ap'}", "['ReadWriteMany']", "Filesystem", 1,
     "rpc error: code = InvalidArgument desc = Missing fileSystemId parameter"},
    {"efs.csi.aws.com", "{'provisioningMode':'efs-ap','fileSystemId':'fs-1'}", "['ReadOnlyMany']", "Filesystem", 1,
     "rpc error: code = InvalidArgument desc = Volume capabilities not supported"},
    {"efs.csi.aws.com", "{'provisioningMode':'efs-ap','fileSystemId':'fs-1'}", "['ReadWriteMany']", "Block", 1,
     "rpc error: code = InvalidArgument desc = Volume capabilities not supported"},
    {"nfs.csi.k8s.io", "{'share':'/x'}", "['ReadWriteMany']", "Filesystem", 1,
     "rpc error: code = InvalidArgument desc = server is a required parameter"},
    {"nfs.csi.k8s.io", "{'server':'s','share':'/x','speed':'9'}", "['ReadWriteMany']", "Filesystem", 1,
     "rpc error: code = InvalidArgument desc = invalid parameter \"speed\" in storage class"},
    {"nfs.csi.k8s.io", "{'server':'s','share':'/x','subDir':'a/../../etc'}", "['ReadWriteMany']", "Filesystem", 1,
     "rpc error: code = InvalidArgument desc = subDir a/../../etc leads out of the share"},
    {"nfs.csi.k8s.io", "{'server':'s','share':'/x','subDir':'" LONG "/others/" LONG "'}", "['ReadWriteMany']",
     "Filesystem", 1,
     "rpc error: code = InvalidArgument desc = the volume id s#x#" LONG "/others/" LONG
     "#pvc-0a1b# is longer than 255 characters"},
    {"efs.csi.aws.com", "{'provisioningMode':'efs-ap','fileSystemId':'fs-1','basePath':'/../etc'}", "['ReadWriteMany']",
     "Filesystem", 1,
     "rpc error: code = InvalidArgument desc = the root directory /../etc/pvc-0a1b leads out of the file system"},
    {"fsx.csi.aws.com", "{'colour':'red'}", "['ReadWriteMany']", "Filesystem", 1,
     "rpc error: code = InvalidArgument desc = Invalid parameter key colour for CreateVolume"},
    {"hostpath.csi.k8s.io", "{}", "['ReadWriteOnce']", "Filesystem", 2048,
     "rpc error: code = OutOfRange desc = Requested capacity 2199023255552 exceeds maximum allowed 1099511627776"},
    {"pxd.portworx.com", "{'repl':'9'}", "['ReadWriteOnce']", "Filesystem", 1,
     "rpc error: code = InvalidArgument desc = invalid repl value: 9. Valid values are 1, 2 and 3"},
    {"pd.csi.storage.gke.io", "{'type':'pd-warp'}", "['ReadWriteOnce']", "Filesystem", 10,
     "rpc error: code = InvalidArgument desc = disk type \"pd-warp\" is not one of pd-standard, pd-balanced, pd-ssd, "
     "pd-extreme"},
    {"pd.csi.storage.gke.io", "{'fstype':'ext4'}", "['ReadWriteOnce']", "Filesystem", 10,
     "rpc error: code = InvalidArgument desc = failed to extract parameters: parameters contains invalid option "
     "\"fstype\""},
    {"pd.csi.storage.gke.io", "{}", "['ReadWriteMany']", "Filesystem", 10,
     "rpc error: code = InvalidArgument desc = VolumeCapabilities is invalid: specified multi writer with mount access "
     "type"},
    {"disk.csi.azure.com", "{'flavour':'x'}", "['ReadWriteOnce']", "Filesystem", 1,
     "rpc error: code = InvalidArgument desc = Failed parsing disk parameters: invalid parameter flavour in storage "
     "class"},
    {"disk.csi.azure.com", "{}", "['ReadWriteMany']", "Filesystem", 1,
     "rpc error: code = InvalidArgument desc = mountVolume is not supported for access mode: MULTI_NODE_MULTI_WRITER"},
    {"disk.csi.azure.com", "{}", "['ReadOnlyMany']", "Filesystem", 1,
     "rpc error: code = InvalidArgument desc = mountVolume is not supported for access mode: MULTI_NODE_READER_ONLY"},
};

static void test_refusals(void **state)
{
    struct machine *m = *state;
    struct fake_counts left;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        const struct csi_driver *d = csi_driver_by_name(refused[i].driver);
        struct err e = ERR_INIT;
        struct csi_volume v = {0};
        _auto_json_ json_t *modes = parse(refused[i].modes), *parameters = parse(refused[i].parameters);
        _auto_json_ json_t *node = parse(node_text);
        struct csi_create req = request(modes, parameters, node, refused[i].gib * GIB);
        req.volume_mode = refused[i].mode;
        assert_int_equal(d->create(d, m, &req, &v, &e), -1);
        assert_string_equal(e.msg, refused[i].why);
    }
    machine_fake_count(m, &left);
    assert_int_equal(left.disks, 0);
}

/* Sizes that no arithmetic of bytes holds, as a claim may well ask for. */
static void test_endless(void **state)
{
    static const struct {
        const char *driver, *parameters, *why; /* its end */
    } rows[] = {
        {"ebs.csi.aws.com", "{}", "Volume of 8589934592GiB is too large for volume type gp3; maximum is 16384GiB."},
        {"ebs.csi.aws.com", "{'type':'io1','iopsPerGB':'9223372036854775807'}", "maximum is 16384GiB."},
        {"pd.csi.storage.gke.io", "{}", "too large for volume type pd-standard; maximum is 65536GiB."},
        {"pxd.portworx.com", "{}", "maximum is 40960GiB."},
        {"fsx.csi.aws.com", "{}", "maximum is 65536GiB."},
    };
    struct machine *m = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct csi_driver *d = csi_driver_by_name(rows[i].driver);
        struct err e = ERR_INIT;
        struct csi_volume v = {0};
        _auto_json_ json_t *modes = parse("['ReadWriteOnce']"), *parameters = parse(rows[i].parameters);
        _auto_json_ json_t *node = parse(node_text);
        struct csi_create req = request(modes, parameters, node, INT64_MAX);
        assert_int_equal(d->create(d, m, &req, &v, &e), -1);
        if (!str_ends(e.msg, rows[i].why))
            fail_msg("%s: %s", rows[i].driver, e.msg);
    }
}

/* -- handles that are none -- */

static const struct machine_ops *plain;

static int no_way_out(struct machine *m, const char *node, const char *path, struct err *e)
{
    if (strstr(path, ".."))
        fail_msg("%s is removed", path);
    return plain->remove_all(m, node, path, e);
}

/* Whoever writes down a volume by hand writes its handle: no driver goes where it leads. */
static void test_no_handles(void **state)
{
    static const char *const pvs[] = {
        "{'spec':{'csi':{'driver':'hostpath.csi.k8s.io','volumeHandle':'../kept'}}}",
        "{'spec':{'csi':{'driver':'hostpath.csi.k8s.io','volumeHandle':'..'}}}",
        "{'spec':{'csi':{'driver':'nfs.csi.k8s.io','volumeHandle':'s#x#../../kept##'}}}",
        "{'spec':{'csi':{'driver':'nfs.csi.k8s.io','volumeHandle':'s#x#a/..##'}}}",
    };
    struct machine *m = *state;
    struct machine_ops wary = *m->ops;
    struct err e = ERR_INIT;
    struct csi_snapshot snapshot;
    plain = m->ops;
    wary.remove_all = no_way_out;
    m->ops = &wary;
    assert_int_equal(m->ops->mkdir_p(m, "n1", "/var/lib/csi-hostpath-data/../kept", 0700, &e), 0);
    assert_int_equal(m->ops->mkdir_p(m, "n1", "/var/lib/csi-hostpath-data/..", 0700, &e), 0);
    assert_int_equal(m->ops->mkdir_p(m, "n1", "/var/lib/csi-hostpath-data/../kept.snap", 0700, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(pvs); i++) {
        _auto_json_ json_t *pv = parse(pvs[i]);
        const struct csi_driver *d = csi_driver_by_name(jstr(pv, "spec.csi.driver"));
        err_clear(&e);
        d->remove(d, m, pv, &e);
    }
    const struct csi_driver *d = csi_driver_by_name("hostpath.csi.k8s.io");
    err_clear(&e);
    assert_int_equal(d->remove_snapshot(d, m, "../kept", &e), 0);
    assert_int_equal(d->snapshot_get(d, m, "../kept", &snapshot, &e), -1);
    m->ops = plain;
}

/* A volume that somebody wrote down by hand; the file system was there before. */
static void test_static_handles(void **state)
{
    static const struct {
        const char *pv, *why; /* NULL: is mounted */
    } rows[] = {
        {"{'spec':{'csi':{'driver':'efs.csi.aws.com','volumeHandle':'fs-582a03f3'}}}", NULL},
        {"{'spec':{'csi':{'driver':'efs.csi.aws.com','volumeHandle':'fs-582a03f3:/pages'}}}", NULL},
        {"{'spec':{'csi':{'driver':'efs.csi.aws.com','volumeHandle':'pages'}}}",
         "volume ID 'pages' is invalid: Expected a file system ID of the form 'fs-...'"},
        {"{'spec':{'csi':{'driver':'efs.csi.aws.com','volumeHandle':'fs-1:/a:fsap-1:x'}}}",
         "Expected at most three fields separated by ':'"},
        {"{'spec':{'csi':{'driver':'efs.csi.aws.com','volumeHandle':'fs-582a03f3::fsap-0123'}}}", "access denied"},
        {"{'spec':{'csi':{'driver':'fsx.csi.aws.com','volumeHandle':'fs-0199','volumeAttributes':{'dnsname':'d'}}}}",
         NULL},
        {"{'spec':{'csi':{'driver':'fsx.csi.aws.com','volumeHandle':'fs-0199'}}}", "dnsname is not provided"},
        {"{'spec':{'mountOptions':['flock','noatime'],'csi':{'driver':'fsx.csi.aws.com','volumeHandle':'fs-0199',"
         "'volumeAttributes':{'dnsname':'d'}}}}",
         NULL},
        {"{'spec':{'mountOptions':['tls'],'csi':{'driver':'fsx.csi.aws.com','volumeHandle':'fs-0199',"
         "'volumeAttributes':{'dnsname':'d','mountname':'m'}}}}",
         "Mounting arguments: -t lustre -o tls d@tcp:/m /mnt/static\nOutput: mount.lustre: "},
        {"{'spec':{'mountOptions':['tls','iam','timeo=600'],'csi':{'driver':'efs.csi.aws.com','volumeHandle':"
         "'fs-582a03f3'}}}",
         NULL},
        {"{'spec':{'mountOptions':['nfsvers=4.1','hard'],'csi':{'driver':'nfs.csi.k8s.io','volumeHandle':'x',"
         "'volumeAttributes':{'server':'s','share':'/x'}}}}",
         NULL},
        {"{'spec':{'mountOptions':['nfsvers=4.1','hards'],'csi':{'driver':'nfs.csi.k8s.io','volumeHandle':'x',"
         "'volumeAttributes':{'server':'s','share':'/x'}}}}",
         "-o nfsvers=4.1,hards s:/x /mnt/static\nOutput: mount.nfs: an incorrect mount option was specified"},
        {"{'spec':{'csi':{'driver':'nfs.csi.k8s.io','volumeHandle':'x','volumeAttributes':{'server':'s'}}}}",
         "share is a required parameter"},
        {"{'spec':{'csi':{'driver':'hostpath.csi.k8s.io','volumeHandle':'nosuch'}}}",
         "volume id nosuch does not exist in the volumes list"},
    };
    struct machine *m = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_json_ json_t *pv = parse(rows[i].pv);
        const struct csi_driver *d = csi_driver_by_name(jstr(pv, "spec.csi.driver"));
        struct err e = ERR_INIT;
        int rc = d->stage(d, m, "n1", pv, "", "/mnt/static", &e);
        if ((rc < 0) != (rows[i].why != NULL) || (rows[i].why && !strstr(e.msg, rows[i].why)))
            fail_msg("%s: %d %s", rows[i].pv, rc, e.msg);
        if (rc == 0)
            assert_int_equal(d->unstage(d, m, "n1", "/mnt/static", &e), 0);
    }
}

static void test_hostpath_snapshots(void **state)
{
    struct machine *m = *state;
    const struct csi_driver *d = csi_driver_by_name("hostpath.csi.k8s.io");
    struct err e = ERR_INIT;
    struct csi_volume v = {0};
    struct csi_snapshot s = {{0}};
    _auto_json_ json_t *modes = parse("['ReadWriteOnce']"), *node = parse(node_text);
    struct csi_create req = request(modes, NULL, node, GIB);
    assert_int_equal(d->create(d, m, &req, &v, &e), 0);
    assert_int_equal(d->snapshot(d, m, "nosuch", "snapshot-1", NULL, &s, &e), -1);
    assert_string_equal(e.msg, "rpc error: code = NotFound desc = volume id nosuch does not exist");
    err_clear(&e);
    assert_int_equal(d->snapshot_get(d, m, "nosuch", &s, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    csi_volume_release(&v);
}

/* The other clouds' disks: a snapshot is found by its handle, makes a disk, and goes. */
static void test_zonal_snapshots(void **state)
{
    static const struct {
        const char *driver, *handle;
    } rows[] = {
        {"pd.csi.storage.gke.io", "projects/stowage/global/snapshots/snapshot-1"},
        {"disk.csi.azure.com", "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/stowage/providers/"
                               "Microsoft.Compute/snapshots/snapshot-1"},
    };
    struct machine *m = *state;
    _auto_json_ json_t *modes = parse("['ReadWriteOnce']"), *node = parse(node_text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct csi_driver *d = csi_driver_by_name(rows[i].driver);
        struct err e = ERR_INIT;
        struct csi_volume v = {0}, restored = {0};
        struct csi_snapshot s = {{0}}, again = {{0}};
        struct csi_create req = request(modes, NULL, node, 10 * GIB);
        assert_int_equal(d->create(d, m, &req, &v, &e), 0);
        assert_int_equal(d->snapshot(d, m, v.handle, "snapshot-1", NULL, &s, &e), 0);
        assert_string_equal(s.handle, rows[i].handle);
        assert_true(s.ready && s.bytes == 10 * GIB && s.created_ns > 0);
        assert_int_equal(d->snapshot(d, m, v.handle, "snapshot-1", NULL, &again, &e), 0); /* idempotent by name */
        assert_int_equal(d->snapshot_get(d, m, s.handle, &again, &e), 0);
        assert_string_equal(again.handle, s.handle);
        req.name = "pvc-restored";
        req.snapshot = s.handle;
        if (d->create(d, m, &req, &restored, &e) < 0)
            fail_msg("%s: %s", d->name, e.msg);
        assert_int_equal(d->remove_snapshot(d, m, s.handle, &e), 0);
        assert_int_equal(d->remove_snapshot(d, m, s.handle, &e), 0);
        assert_int_equal(d->snapshot_get(d, m, s.handle, &again, &e), -1);
        assert_int_equal(e.code, ERR_NOT_FOUND);
        err_clear(&e);
        req.name = "pvc-late";
        struct csi_volume none = {0};
        assert_int_equal(d->create(d, m, &req, &none, &e), -1);
        err_clear(&e);
        _auto_json_ json_t *pv = json_pack("{s:O}", "spec", v.source),
                           *other = json_pack("{s:O}", "spec", restored.source);
        assert_int_equal(d->remove(d, m, pv, &e), 0);
        assert_int_equal(d->remove(d, m, other, &e), 0);
        csi_volume_release(&v);
        csi_volume_release(&restored);
    }
}

/* Google's disks are at several nodes where all of them only read; a writer is alone, Azure's always. */
static void test_readers(void **state)
{
    static const struct {
        const char *driver, *mode;
        bool first, second; /* read-only? */
        int rc;
    } rows[] = {
        {"pd.csi.storage.gke.io", "['ReadOnlyMany']", true, true, 0},
        {"pd.csi.storage.gke.io", "['ReadWriteOnce']", false, true, -1},
        {"pd.csi.storage.gke.io", "['ReadWriteOnce']", true, false, -1},
        {"disk.csi.azure.com", "['ReadWriteOnce']", true, true, -1},
    };
    struct machine *m = *state;
    _auto_json_ json_t *node = parse(node_text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct csi_driver *d = csi_driver_by_name(rows[i].driver);
        struct err e = ERR_INIT;
        struct csi_volume v = {0};
        char device[64] = "";
        _auto_json_ json_t *modes = parse(rows[i].mode);
        _auto_free_ char *name = xasprintf("pvc-%zu", i);
        struct csi_create req = request(modes, NULL, node, 10 * GIB);
        req.name = name;
        assert_int_equal(d->create(d, m, &req, &v, &e), 0);
        assert_int_equal(d->publish(d, m, v.handle, "n1", rows[i].first, device, sizeof device, &e), 0);
        device[0] = '\0';
        assert_int_equal(d->publish(d, m, v.handle, "n2", rows[i].second, device, sizeof device, &e), rows[i].rc);
        err_clear(&e);
        assert_int_equal(d->unpublish(d, m, v.handle, "n1", &e), 0);
        assert_int_equal(d->unpublish(d, m, v.handle, "n2", &e), 0);
        csi_volume_release(&v);
    }
}

/* Classes of in-tree provisioners, in their driver's words. */
static void test_intree_classes(void **state _unused_)
{
    static const struct {
        const char *class, *want;
    } rows[] = {
        {"{'provisioner':'kubernetes.io/aws-ebs','parameters':{'type':'io1','iopsPerGB':'10','fsType':'xfs'}}",
         "{'provisioner':'kubernetes.io/aws-ebs','parameters':{'type':'io1','iopsPerGB':'10',"
         "'allowautoiopspergbincrease':'true','csi.storage.k8s.io/fstype':'xfs'}}"},
        {"{'provisioner':'kubernetes.io/gce-pd','parameters':{'zones':'us-east-1a, us-east-1b'}}",
         "{'provisioner':'kubernetes.io/gce-pd','allowedTopologies':[{'matchLabelExpressions':["
         "{'key':'topology.kubernetes.io/zone','values':['us-east-1a','us-east-1b']}]}]}"},
        {"{'provisioner':'ebs.csi.aws.com','parameters':{'zone':'us-east-1a'}}",
         "{'provisioner':'ebs.csi.aws.com','parameters':{'zone':'us-east-1a'}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_json_ json_t *class = parse(rows[i].class), *want = parse(rows[i].want);
        _auto_json_ json_t *seen = csi_class(class);
        if (!json_equal(seen, want))
            fail_msg("%s became %s", rows[i].class, json_dumps(seen, JSON_COMPACT));
    }
}

/* A device is a disk of the machine under the volume's id: made, attached where its directory is, copied, deleted. */
static void test_hostpath_block(void **state)
{
    struct machine *m = *state;
    const struct csi_driver *d = csi_driver_by_name("hostpath.csi.k8s.io");
    struct err e = ERR_INIT;
    struct csi_volume v = {0}, twin = {0};
    struct disk_info info;
    char device[64] = "/dev/xvdba";
    _auto_json_ json_t *modes = parse("['ReadWriteOnce']"), *node = parse(node_text);
    struct csi_create req = request(modes, NULL, node, GIB);
    req.volume_mode = "Block";
    assert_int_equal(d->create(d, m, &req, &v, &e), 0);
    assert_int_equal(d->create(d, m, &req, &twin, &e), 0); /* once more, as after a crash */
    assert_string_equal(v.handle, twin.handle);
    csi_volume_release(&twin);
    assert_int_equal(m->ops->disk_info(m, v.handle, &info, &e), 0);
    assert_int_equal(info.bytes, GIB);
    assert_int_equal(d->publish(d, m, v.handle, "n1", false, device, sizeof device, &e), 0);
    assert_true(str_starts(device, "/dev/hostpath-"));
    assert_int_equal(d->locate(d, m, v.handle, "n1", device, sizeof device, &e), 0);
    _auto_json_ json_t *pv = json_pack("{s:O}", "spec", v.source);
    struct csi_grown grown;
    assert_int_equal(d->expand(d, m, pv, 2 * GIB, &grown, &e), 0);
    req.name = "pvc-twin";
    req.source = v.handle;
    req.bytes = 2 * GIB;
    assert_int_equal(d->create(d, m, &req, &twin, &e), 0);
    csi_volume_release(&twin);
    req.name = "pvc-directory";
    req.volume_mode = "Filesystem";
    assert_int_equal(d->create(d, m, &req, &twin, &e), -1);
    assert_non_null(strstr(e.msg, "mode is not compatible with requested mode"));
    err_clear(&e);
    assert_int_equal(d->remove(d, m, pv, &e), -1); /* attached */
    err_clear(&e);
    assert_int_equal(d->unpublish(d, m, v.handle, "n1", &e), 0);
    assert_int_equal(d->remove(d, m, pv, &e), 0);
    assert_int_equal(m->ops->disk_info(m, v.handle, &info, &e), -1);
    csi_volume_release(&v);
}

/* What a volume has when it has grown, and whether its node has still something to do. */
static void test_growing(void **state)
{
    static const struct {
        const char *driver, *parameters;
        int64_t bytes, grown;
        bool on_node;
    } rows[] = {
        {"fsx.csi.aws.com", "{}", 1201 * GIB, 2400 * GIB, false},
        {"fsx.csi.aws.com", "{}", 12 * GIB, 1200 * GIB, false}, /* it has more already */
        {"nfs.csi.k8s.io", "{'server':'nfs.lab','share':'/export'}", 12 * GIB + 1, 12 * GIB + 1, false},
        {"pxd.portworx.com", "{}", 12 * GIB + 1, 13 * GIB, false},
        {"pd.csi.storage.gke.io", "{}", 12 * GIB + 1, 13 * GIB, true},
        {"disk.csi.azure.com", "{}", 12 * GIB + 1, 13 * GIB, true},
        {"hostpath.csi.k8s.io", "{}", 12 * GIB + 512, 12 * GIB + 512, true}, /* nothing is sold by the GiB there */
    };
    struct machine *m = *state;
    _auto_json_ json_t *modes = parse("['ReadWriteOnce']"), *node = parse(node_text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct csi_driver *d = csi_driver_by_name(rows[i].driver);
        struct err e = ERR_INIT;
        struct csi_volume v = {0};
        struct csi_grown grown = {0};
        _auto_json_ json_t *parameters = parse(rows[i].parameters);
        _auto_free_ char *name = xasprintf("pvc-%zu", i);
        struct csi_create req = request(modes, parameters, node, 10 * GIB);
        req.name = name;
        if (d->create(d, m, &req, &v, &e) < 0)
            fail_msg("%s: %s", d->name, e.msg);
        _auto_json_ json_t *pv = json_pack("{s:O}", "spec", v.source);
        if (d->expand(d, m, pv, rows[i].bytes, &grown, &e) < 0)
            fail_msg("%s: %s", d->name, e.msg);
        if (grown.bytes != rows[i].grown || grown.on_node != rows[i].on_node)
            fail_msg("%s: %lld bytes, %s", d->name, (long long)grown.bytes, grown.on_node ? "and on the node" : "done");
        csi_volume_release(&v);
    }
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_life),           T(test_refusals),   T(test_static_handles),
                                       T(test_endless),        T(test_no_handles), T(test_hostpath_snapshots),
                                       T(test_hostpath_block), T(test_growing),    T(test_zonal_snapshots),
                                       T(test_intree_classes), T(test_readers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
