/* Growing, snapshots and clones as loops: the objects they write, what they do when any one call of the machine fails,
 * and that nothing of the machine is left when the objects are gone. */
#include "unit/loop_world.h"

#include "binder/binder.h"
#include "sys/fake.h"
#include "unit/csi/cloud_kit.h"

struct fixture {
    struct loop_world w;
    struct binder_env env;
};

#define PV      RES.persistentvolumes
#define PVC     RES.persistentvolumeclaims
#define SNAP    RES.volumesnapshots
#define CONTENT RES.volumesnapshotcontents

#define SNAP_CLASS(name, policy, more)                                                                                 \
    "{'apiVersion':'snapshot.storage.k8s.io/v1','kind':'VolumeSnapshotClass','metadata':{'name':'" name "'" more       \
    "},'driver':'ebs.csi.aws.com','deletionPolicy':'" policy "'}"
#define SNAPSHOT(name, claim, more)                                                                                    \
    "{'apiVersion':'snapshot.storage.k8s.io/v1','kind':'VolumeSnapshot','metadata':{'name':'" name                     \
    "','namespace':'default'},'spec':{'source':{'persistentVolumeClaimName':'" claim "'}" more "}}"
#define IN_CLASS ",'storageClassName':'gp3'"
#define FROM_SNAPSHOT(name)                                                                                            \
    ",'dataSource':{'apiGroup':'snapshot.storage.k8s.io','kind':'VolumeSnapshot','name':'" name "'}"
#define FROM_CLAIM(name) ",'dataSource':{'kind':'PersistentVolumeClaim','name':'" name "'}"

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct node_spec n1 = {.name = "n1", .nodefs_bytes = INT64_C(1) << 30};
    struct err e = ERR_INIT;
    size_t n;
    const struct loop_def *const *loops = binder_loops(&n);
    f->env.machine = machine_open_fake("test");
    assert_int_equal(f->env.machine->ops->node_start(f->env.machine, &n1, &e), 0);
    assert_non_null(kit_cloud(f->env.machine, clock_real(), NULL, "us-east-1a", "us-east-1a"));
    world_open(&f->w);
    world_account(&f->w);
    world_start(&f->w, loops, n, &f->env);
    make_node(&f->w, "n1", NODE("n1", ",'topology.kubernetes.io/zone':'us-east-1a'", ""));
    make(&f->w, "{'apiVersion':'storage.k8s.io/v1','kind':'StorageClass','metadata':{'name':'gp3'},'provisioner':"
                "'ebs.csi.aws.com','allowVolumeExpansion':true}");
    make(&f->w,
         SNAP_CLASS("csi", "Delete", ",'annotations':{'snapshot.storage.kubernetes.io/is-default-class':'true'}"));
    make(&f->w, CLAIM("c", "1Gi", IN_CLASS));
    settle(&f->w);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    world_close(&f->w);
    cloud_close(f->env.machine->cloud);
    f->env.machine->ops->close(f->env.machine);
    free(f);
    return 0;
}

static unsigned disks(struct fixture *f)
{
    struct fake_counts left;
    machine_fake_count(f->env.machine, &left);
    return left.disks;
}

static void test_snapshot_and_restore(void **state)
{
    struct fixture *f = *state;
    struct loop_world *w = &f->w;
    make(w, SNAPSHOT("s", "c", ""));
    settle(w);
    assert_string_equal(text_at(w, SNAP, "s", "spec.volumeSnapshotClassName"), "csi");
    assert_string_equal(text_at(w, SNAP, "s", "status.readyToUse"), "true");
    assert_string_equal(text_at(w, SNAP, "s", "status.restoreSize"), "1Gi");
    assert_event(w, "s", "CreatingSnapshot", "Waiting for a snapshot default/s to be created by the CSI driver.");
    assert_event(w, "s", "SnapshotReady", "Snapshot default/s is ready to use.");
    char content[300];
    snprintf(content, sizeof content, "%s", text_at(w, SNAP, "s", "status.boundVolumeSnapshotContentName"));
    assert_string_equal(text_at(w, CONTENT, content, "status.restoreSize"), "1073741824");
    assert_string_equal(text_at(w, CONTENT, content, "metadata.annotations"), "");
    assert_string_equal(text_at(w, PVC, "c", "metadata.finalizers"), "[\"kubernetes.io/pvc-protection\"]");
    assert_int_equal(disks(f), 2);
    make(w, CLAIM("r", "2Gi", IN_CLASS FROM_SNAPSHOT("s")));
    settle(w);
    assert_string_equal(text_at(w, PVC, "r", "status.capacity.storage"), "2Gi");
    delete_it(w, SNAP, "s", NULL);
    settle(w);
    assert_string_equal(text_at(w, SNAP, "s", "metadata.name"), "(gone)");
    assert_string_equal(text_at(w, CONTENT, content, "metadata.name"), "(gone)");
    assert_int_equal(disks(f), 2);
}

static void test_snapshot_waits_for_its_restore(void **state)
{
    struct fixture *f = *state;
    struct loop_world *w = &f->w;
    make(w, SNAPSHOT("s", "c", ""));
    settle(w);
    make(w, CLAIM("small", "500Mi", IN_CLASS FROM_SNAPSHOT("s")));
    settle(w);
    delete_it(w, SNAP, "s", NULL);
    settle(w);
    assert_event(w, "s", "SnapshotDeletePending", "Snapshot is being used to restore a PVC");
    assert_string_equal(text_at(w, SNAP, "s", "metadata.name"), "s");
    delete_it(w, PVC, "small", NULL);
    settle(w);
    assert_string_equal(text_at(w, SNAP, "s", "metadata.name"), "(gone)");
}

static void test_clone(void **state)
{
    struct fixture *f = *state;
    struct loop_world *w = &f->w;
    make(w, CLAIM("twin", "1Gi", IN_CLASS FROM_CLAIM("c")));
    settle(w);
    assert_string_equal(text_at(w, PVC, "twin", "status.phase"), "Bound");
    assert_string_equal(text_at(w, PVC, "c", "metadata.finalizers"), "[\"kubernetes.io/pvc-protection\"]");
    assert_int_equal(disks(f), 2);
}

static void test_lowered_request(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    change(w, PVC, "c", "", "spec.resources.requests.storage", "'20Ti'");
    settle(w);
    assert_non_null(strstr(text_at(w, PVC, "c", "status.conditions"), "ControllerResizeError"));
    assert_string_equal(text_at(w, PVC, "c", "status.capacity.storage"), "1Gi");
    change(w, PVC, "c", "", "spec.resources.requests.storage", "'2Gi'");
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.allocatedResources.storage"), "2Gi");
    assert_string_equal(text_at(w, PVC, "c", "status.allocatedResourceStatuses.storage"), "NodeResizePending");
    assert_null(strstr(text_at(w, PVC, "c", "status.conditions"), "ControllerResizeError"));
    assert_string_equal(text_at(w, PV, text_at(w, PVC, "c", "spec.volumeName"), "spec.capacity.storage"), "2Gi");
}

/* Whatever call of the machine fails, once, all comes to the same end. */
static void test_any_call_may_fail(void **state)
{
    struct fixture *f = *state;
    struct loop_world *w = &f->w;
    for (unsigned nth = 1; nth < 12; nth++) {
        machine_fake_fail(f->env.machine, nth, ERR_NO_SPACE);
        make(w, SNAPSHOT("s", "c", ""));
        settle(w);
        pass_seconds(w, 10);
        assert_string_equal(text_at(w, SNAP, "s", "status.readyToUse"), "true");
        make(w, CLAIM("r", "1Gi", IN_CLASS FROM_SNAPSHOT("s")));
        make(w, CLAIM("t", "1Gi", IN_CLASS FROM_CLAIM("c")));
        settle(w);
        pass_seconds(w, 10);
        assert_string_equal(text_at(w, PVC, "r", "status.phase"), "Bound");
        assert_string_equal(text_at(w, PVC, "t", "status.phase"), "Bound");
        delete_it(w, SNAP, "s", NULL);
        delete_it(w, PVC, "r", NULL);
        delete_it(w, PVC, "t", NULL);
        settle(w);
        pass_seconds(w, 20);
        machine_fake_fail(f->env.machine, 0, ERR_OK);
        assert_int_equal(count(w, SNAP) + count(w, CONTENT), 0);
        assert_int_equal(count(w, PV), 1);
        assert_int_equal(disks(f), 1);
    }
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_snapshot_and_restore), T(test_snapshot_waits_for_its_restore), T(test_clone), T(test_lowered_request),
        T(test_any_call_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
