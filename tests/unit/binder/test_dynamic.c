/* Volumes made on demand, attached, grown and deleted again; failures and restarts on the way. */
#include "unit/loop_world.h"

#include "binder/binder.h"
#include "sys/fake.h"
#include "unit/csi/cloud_kit.h"

struct fixture {
    struct loop_world w;
    struct binder_env env;
};

static void start_loops(struct fixture *f)
{
    size_t n;
    const struct loop_def *const *loops = binder_loops(&n);
    world_start(&f->w, loops, n, &f->env);
}

static struct machine *fresh_machine(void)
{
    struct machine *m = machine_open_fake("test");
    struct node_spec n1 = {.name = "n1", .nodefs_bytes = INT64_C(1) << 30};
    struct node_spec n2 = {.name = "n2", .index = 1, .nodefs_bytes = INT64_C(1) << 30};
    struct err e = ERR_INIT;
    assert_int_equal(m->ops->node_start(m, &n1, &e), 0);
    assert_int_equal(m->ops->node_start(m, &n2, &e), 0);
    assert_non_null(kit_cloud(m, clock_real(), NULL, "us-east-1a", "us-east-1a"));
    return m;
}

static void drop_machine(struct machine *m)
{
    cloud_close(m->cloud);
    m->ops->close(m);
}

#define CLASS(name, provisioner, more)                                                                                 \
    "{'apiVersion':'storage.k8s.io/v1','kind':'StorageClass','metadata':{'name':'" name                                \
    "'},'provisioner':'" provisioner "'" more "}"
#define ZONE ",'topology.kubernetes.io/zone':'us-east-1a'"

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    f->env.machine = fresh_machine();
    world_open(&f->w);
    world_account(&f->w);
    start_loops(f);
    make_node(&f->w, "n1", NODE("n1", ZONE, ""));
    make_node(&f->w, "n2", NODE("n2", ZONE, ""));
    make(&f->w, CLASS("gp3", "ebs.csi.aws.com", ",'allowVolumeExpansion':true"));
    make(&f->w, CLASS("gp2", "kubernetes.io/aws-ebs", ""));
    make(&f->w, CLASS("wait", "ebs.csi.aws.com", ",'volumeBindingMode':'WaitForFirstConsumer'"));
    make(&f->w, CLASS("local-path", "rancher.io/local-path", ",'volumeBindingMode':'WaitForFirstConsumer'"));
    settle(&f->w);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    world_close(&f->w);
    drop_machine(f->env.machine);
    free(f);
    return 0;
}

#define PV  RES.persistentvolumes
#define PVC RES.persistentvolumeclaims
#define VA  RES.volumeattachments

/* Name of the volume made for a claim (static buffer). */
static const char *volume_of(struct loop_world *w, const char *claim)
{
    return text_at(w, PVC, claim, "spec.volumeName");
}

static void test_immediate(void **state)
{
    struct fixture *f = *state;
    struct loop_world *w = &f->w;
    make(w, CLAIM("c", "1500Mi", ",'storageClassName':'gp3'"));
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Bound");
    assert_string_equal(text_at(w, PVC, "c", "status.capacity.storage"), "2Gi");
    char pv[300], text[400];
    snprintf(pv, sizeof pv, "%s", volume_of(w, "c"));
    snprintf(text, sizeof text, "Successfully provisioned volume %s", pv);
    assert_event(w, "c", "Provisioning", "External provisioner is provisioning volume for claim \"default/c\"");
    assert_event(w, "c", "ProvisioningSucceeded", text);
    assert_string_equal(annotation(w, PV, pv, "pv.kubernetes.io/provisioned-by"), "ebs.csi.aws.com");
    assert_string_equal(annotation(w, PV, pv, "pv.kubernetes.io/bound-by-controller"), "");
    assert_string_equal(annotation(w, PVC, "c", "pv.kubernetes.io/bound-by-controller"), "yes");
    _auto_sobj_ struct sobj *obj = get(w, PV, pv);
    assert_true(finalizer_has(obj->tree, "external-provisioner.volume.kubernetes.io/finalizer"));
    assert_true(finalizer_has(obj->tree, "kubernetes.io/pv-protection"));
    assert_non_null(jmap(obj->tree, "spec.csi.volumeAttributes", "storage.kubernetes.io/csiProvisionerIdentity"));

    delete_it(w, PVC, "c", NULL);
    settle(w);
    assert_string_equal(text_at(w, PV, pv, "status.phase"), "(gone)");
    struct fake_counts left;
    machine_fake_count(f->env.machine, &left);
    assert_int_equal(left.disks, 0);
}

static void test_intree_name(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'gp2'"));
    settle(w);
    assert_string_equal(annotation(w, PVC, "c", "volume.kubernetes.io/storage-provisioner"), "ebs.csi.aws.com");
    char pv[300];
    snprintf(pv, sizeof pv, "%s", volume_of(w, "c"));
    assert_non_null(strstr(text_at(w, PV, pv, "spec.awsElasticBlockStore.volumeID"), "vol-0"));
    assert_string_equal(text_at(w, PV, pv, "spec.csi"), "");
    assert_string_equal(annotation(w, PV, pv, "pv.kubernetes.io/migrated-to"), "ebs.csi.aws.com");
    _auto_sobj_ struct sobj *obj = get(w, PV, pv);
    assert_string_equal(jmap(obj->tree, "metadata.labels", "topology.kubernetes.io/region"), "us-east-1");
    delete_it(w, PVC, "c", NULL);
    settle(w);
    assert_string_equal(text_at(w, PV, pv, "status.phase"), "(gone)");
}

static void test_local_path(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'local-path'"));
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Pending");
    change(w, PVC, "c", "", "metadata.annotations", "{'volume.kubernetes.io/selected-node':'n1'}");
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Bound");
    assert_string_equal(annotation(w, PV, volume_of(w, "c"), "local.path.provisioner/selected-node"), "n1");
    assert_non_null(strstr(text_at(w, PV, volume_of(w, "c"), "spec.hostPath.path"), "_default_c"));
}

static void test_failure_and_retry(void **state)
{
    struct fixture *f = *state;
    struct loop_world *w = &f->w;
    machine_fake_fail(f->env.machine, 1, ERR_NO_SPACE);
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'gp3'"));
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Pending");
    machine_fake_fail(f->env.machine, 0, ERR_OK);
    pass_seconds(w, 2);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Bound");
}

static void test_refused(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'m','namespace':'default'},'spec':{"
            "'accessModes':['ReadWriteMany'],'storageClassName':'gp3','resources':{'requests':{'storage':'1Gi'}}}}");
    settle(w);
    assert_event(
        w, "m", "ProvisioningFailed",
        "failed to provision volume with StorageClass \"gp3\": rpc error: code = InvalidArgument desc = Volume "
        "capabilities not supported");
}

/* The VolumeAttachment there is, or "" (static buffer). */
static const char *only_attachment(struct loop_world *w)
{
    static char name[100];
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, w->registry, VA->bucket, NULL);
    assert_in_range(all.len, 0, 1);
    snprintf(name, sizeof name, "%s", all.len ? all.items[0]->name : "");
    return name;
}

static void test_attach_and_detach(void **state)
{
    struct fixture *f = *state;
    struct loop_world *w = &f->w;
    char text[600], unique[600], pv[300];
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'gp3'"));
    settle(w);
    snprintf(pv, sizeof pv, "%s", volume_of(w, "c"));
    make(w, POD_WITH_CLAIM("a", "c", ",'nodeName':'n1'"));
    settle(w);
    const char *va = only_attachment(w);
    assert_string_equal(text_at(w, VA, va, "status.attached"), "true");
    assert_string_equal(text_at(w, VA, va, "status.attachmentMetadata.devicePath"), "/dev/xvdba");
    snprintf(unique, sizeof unique, "kubernetes.io/csi/ebs.csi.aws.com^%s",
             text_at(w, PV, pv, "spec.csi.volumeHandle"));
    assert_non_null(strstr(text_at(w, RES.nodes, "n1", "status.volumesAttached"), unique));
    snprintf(text, sizeof text, "AttachVolume.Attach succeeded for volume \"%s\" ", pv);
    assert_event(w, "a", "SuccessfulAttachVolume", text);
    _auto_sobj_ struct sobj *obj = get(w, PV, pv);
    assert_true(finalizer_has(obj->tree, "external-attacher/ebs-csi-aws-com"));

    make(w, POD_WITH_CLAIM("b", "c", ",'nodeName':'n2'"));
    settle(w);
    snprintf(text, sizeof text, "Multi-Attach error for volume \"%s\" Volume is already used by pod(s) a", pv);
    assert_event(w, "b", "FailedAttachVolume", text);

    snprintf(text, sizeof text, "['%s']", unique);
    change(w, RES.nodes, "n1", "status", "status.volumesInUse", text);
    end_pod(w, "a");
    settle(w);
    assert_string_equal(text_at(w, VA, only_attachment(w), "spec.nodeName"), "n1"); /* still mounted there */
    change(w, RES.nodes, "n1", "status", "status.volumesInUse", NULL);
    settle(w);
    assert_string_equal(text_at(w, VA, only_attachment(w), "spec.nodeName"), "n2");
    assert_string_equal(text_at(w, VA, only_attachment(w), "status.attached"), "true");
    assert_string_equal(text_at(w, RES.nodes, "n1", "status.volumesAttached"), "");

    delete_it(w, PVC, "c", NULL);
    end_pod(w, "b");
    settle(w);
    assert_string_equal(only_attachment(w), "");
    assert_string_equal(text_at(w, PV, pv, "status.phase"), "(gone)");
    struct fake_counts left;
    machine_fake_count(f->env.machine, &left);
    assert_int_equal(left.disks, 0);
}

static void test_attach_unknown_disk(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, VOLUME("v", "1Gi", ",'storageClassName':'','csi':{'driver':'ebs.csi.aws.com','volumeHandle':'vol-none'}"));
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'','volumeName':'v'"));
    make(w, POD_WITH_CLAIM("p", "c", ",'nodeName':'n1'"));
    settle(w);
    assert_event(w, "p", "FailedAttachVolume",
                 "AttachVolume.Attach failed for volume \"v\" : rpc error: code = NotFound desc = Volume \"vol-none\" "
                 "not found");
}

static void test_restart_attaches_again(void **state)
{
    struct fixture *f = *state;
    struct loop_world *w = &f->w;
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'gp3'"));
    make(w, CLAIM("d", "1Gi", ",'storageClassName':'gp3'"));
    settle(w);
    make(w, POD_WITH_CLAIM("p", "c", ",'nodeName':'n1'"));
    settle(w);
    char handle[64], device[64];
    snprintf(handle, sizeof handle, "%s", text_at(w, PV, volume_of(w, "c"), "spec.csi.volumeHandle"));
    snprintf(device, sizeof device, "%s", text_at(w, VA, only_attachment(w), "status.attachmentMetadata.devicePath"));

    control_stop(w->control); /* the process dies: the kernel drops every attachment; disks are files and stay */
    control_free(w->control);
    drop_machine(f->env.machine);
    f->env.machine = fresh_machine();
    struct err e = ERR_INIT;
    assert_int_equal(f->env.machine->ops->disk_create(f->env.machine, handle, INT64_C(1) << 30, &e), 0);
    struct control_conf cc = {.registry = w->registry, .clock = &w->clock.clock, .step_mode = true};
    w->control = control_new(&cc);
    start_loops(f);
    settle(w);
    struct disk_info info;
    assert_int_equal(f->env.machine->ops->disk_info(f->env.machine, handle, &info, &e), 0);
    assert_string_equal(info.node, "n1");
    assert_string_equal(info.device, device);
}

static void test_expand(void **state)
{
    struct fixture *f = *state;
    struct loop_world *w = &f->w;
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'gp3'"));
    settle(w);
    change(w, PVC, "c", "", "spec.resources.requests.storage", "'2Gi'");
    settle(w);
    assert_string_equal(text_at(w, PV, volume_of(w, "c"), "spec.capacity.storage"), "2Gi");
    assert_string_equal(text_at(w, PVC, "c", "status.capacity.storage"), "1Gi"); /* until the file system has grown */
    assert_event(w, "c", "ExternalExpanding", "waiting for an external controller to expand this PVC");
    assert_event(w, "c", "FileSystemResizeRequired", "Require file system resize of volume on node");
    _auto_sobj_ struct sobj *claim = get(w, PVC, "c");
    assert_true(condition_true(claim->tree, "FileSystemResizePending"));
    struct disk_info info;
    struct err e = ERR_INIT;
    const char *handle = text_at(w, PV, volume_of(w, "c"), "spec.csi.volumeHandle");
    assert_int_equal(f->env.machine->ops->disk_info(f->env.machine, handle, &info, &e), 0);
    assert_int_equal(info.bytes, INT64_C(2) << 30);
}

/* A file server has grown all by itself: no node has anything to do, and it has the size it was asked for. */
static void test_expand_files(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, CLASS("nfs", "nfs.csi.k8s.io", ",'parameters':{'server':'s','share':'/x'},'allowVolumeExpansion':true"));
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'nfs'"));
    settle(w);
    change(w, PVC, "c", "", "spec.resources.requests.storage", "'1500Mi'");
    settle(w);
    assert_string_equal(text_at(w, PV, volume_of(w, "c"), "spec.capacity.storage"), "1500Mi");
    assert_string_equal(text_at(w, PVC, "c", "status.capacity.storage"), "1500Mi");
    assert_event(w, "c", "VolumeResizeSuccessful", "Resize volume succeeded");
    _auto_sobj_ struct sobj *claim = get(w, PVC, "c");
    assert_false(condition_true(claim->tree, "FileSystemResizePending"));
}

/* More than any disk: the driver says so, and the disk stays as it is. */
static void test_expand_too_much(void **state)
{
    struct fixture *f = *state;
    struct loop_world *w = &f->w;
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'gp3'"));
    settle(w);
    change(w, PVC, "c", "", "spec.resources.requests.storage", "'8Ei'");
    settle(w);
    assert_string_equal(text_at(w, PV, volume_of(w, "c"), "spec.capacity.storage"), "1Gi");
    _auto_sobj_ struct sobj *claim = get(w, PVC, "c");
    assert_false(condition_true(claim->tree, "FileSystemResizePending"));
}

/* allowedTopologies decide where a volume is made that waits for no pod, also where no node stands. */
static void test_allowed_topologies(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, CLASS("far", "ebs.csi.aws.com",
                  ",'allowedTopologies':[{'matchLabelExpressions':[{'key':'topology.kubernetes.io/zone','values':["
                  "'us-east-1b']}]}]"));
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'far'"));
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Bound");
    assert_non_null(strstr(text_at(w, PV, volume_of(w, "c"), "spec.nodeAffinity"), "\"us-east-1b\""));
}

/* Contents that only somebody else could fill in: the provisioner leaves the claim alone, and says so. */
static void test_populator(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w,
         CLAIM("c", "1Gi",
               ",'storageClassName':'gp3','dataSourceRef':{'apiGroup':'hello.example.com','kind':'Hello','name':'x'}"));
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Pending");
    assert_event(w, "c", "Provisioning", "Assuming an external populator will provision the volume");
}

/* Parameters for the sidecars: secrets stand in the volume, a word they do not know is refused. */
static void test_sidecar_parameters(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, CLASS("secret", "ebs.csi.aws.com",
                  ",'parameters':{'csi.storage.k8s.io/node-stage-secret-name':'key-of-${pvc.name}',"
                  "'csi.storage.k8s.io/node-stage-secret-namespace':'${pvc.namespace}'}"));
    make(w, CLASS("odd", "ebs.csi.aws.com", ",'parameters':{'csi.storage.k8s.io/colour':'red'}"));
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'secret'"));
    make(w, CLAIM("o", "1Gi", ",'storageClassName':'odd'"));
    settle(w);
    assert_string_equal(text_at(w, PV, volume_of(w, "c"), "spec.csi.nodeStageSecretRef"),
                        "{\"name\":\"key-of-c\",\"namespace\":\"default\"}");
    assert_string_equal(text_at(w, PV, volume_of(w, "c"), "spec.csi.nodePublishSecretRef"), "");
    assert_event(w, "o", "ProvisioningFailed",
                 "failed to provision volume with StorageClass \"odd\": failed to strip CSI Parameters of prefixed "
                 "keys: found unknown parameter key \"csi.storage.k8s.io/colour\" with reserved namespace "
                 "csi.storage.k8s.io/");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_immediate), T(test_intree_name),        T(test_local_path),          T(test_failure_and_retry),
        T(test_refused),   T(test_attach_and_detach),  T(test_attach_unknown_disk), T(test_restart_attaches_again),
        T(test_expand),    T(test_expand_files),       T(test_expand_too_much),     T(test_allowed_topologies),
        T(test_populator), T(test_sidecar_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
