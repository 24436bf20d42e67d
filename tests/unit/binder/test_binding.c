/* Claims and volumes find each other, and part. */
#include "unit/loop_world.h"

#include "binder/binder.h"
#include "sys/fake.h"

struct fixture {
    struct loop_world w;
    struct binder_env env;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    size_t n;
    f->env.machine = machine_open_fake("test");
    world_open(&f->w);
    world_account(&f->w);
    const struct loop_def *const *loops = binder_loops(&n);
    world_start(&f->w, loops, n, &f->env);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    world_close(&f->w);
    f->env.machine->ops->close(f->env.machine);
    free(f);
    return 0;
}

#define PV  RES.persistentvolumes
#define PVC RES.persistentvolumeclaims

static void test_static(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, VOLUME("log", "100Mi", ",'hostPath':{'path':'/pv/log'}"));
    settle(w);
    assert_string_equal(text_at(w, PV, "log", "status.phase"), "Available");
    make(w, CLAIM("c", "50Mi", ",'storageClassName':''"));
    settle(w);
    assert_string_equal(text_at(w, PV, "log", "status.phase"), "Bound");
    assert_string_equal(text_at(w, PV, "log", "spec.claimRef.name"), "c");
    assert_string_equal(annotation(w, PV, "log", "pv.kubernetes.io/bound-by-controller"), "yes");
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Bound");
    assert_string_equal(text_at(w, PVC, "c", "spec.volumeName"), "log");
    assert_string_equal(text_at(w, PVC, "c", "status.capacity"), "{\"storage\":\"100Mi\"}");
    assert_string_equal(annotation(w, PVC, "c", "pv.kubernetes.io/bind-completed"), "yes");

    delete_it(w, PVC, "c", NULL);
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "(gone)");
    assert_string_equal(text_at(w, PV, "log", "status.phase"), "Released");

    make(w, CLAIM("c", "50Mi", ",'storageClassName':''")); /* another uid: not its volume */
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Pending");
    assert_event(w, "c", "FailedBinding", "no persistent volumes available for this claim and no storage class is set");

    change(w, PV, "log", "", "spec.claimRef", NULL);
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Bound");
}

/* One file with the volume and the claim: nobody is told that there is no volume. */
static void test_together(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, CLAIM("c", "1Gi", ",'storageClassName':''"));
    make(w, VOLUME("v", "1Gi", ",'hostPath':{'path':'/v'}"));
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Bound");
    _auto_objlist_ struct objlist events = {0};
    objlist_load(&events, w->registry, RES.events->bucket, NULL);
    assert_int_equal(events.len, 0);
}

static void test_protection(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, VOLUME("v", "1Gi", ",'hostPath':{'path':'/v'}"));
    make(w, CLAIM("c", "1Gi", ",'storageClassName':''"));
    make(w, POD_WITH_CLAIM("p", "c", ",'nodeName':'n1'"));
    settle(w);
    delete_it(w, PVC, "c", NULL);
    delete_it(w, PV, "v", NULL);
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Bound");
    assert_string_equal(text_at(w, PV, "v", "status.phase"), "Bound");
    end_pod(w, "p");
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "(gone)");
    assert_string_equal(text_at(w, PV, "v", "status.phase"), "(gone)");
}

static void test_reclaim(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, VOLUME("tmp", "1Gi", ",'persistentVolumeReclaimPolicy':'Delete','hostPath':{'path':'/tmp/x'}"));
    make(w, CLAIM("a", "1Gi", ",'storageClassName':'','volumeName':'tmp'"));
    make(w, VOLUME("mnt", "1Gi", ",'persistentVolumeReclaimPolicy':'Delete','hostPath':{'path':'/mnt/x'}"));
    make(w, CLAIM("b", "1Gi", ",'storageClassName':'','volumeName':'mnt'"));
    settle(w);
    assert_string_equal(text_at(w, PVC, "a", "status.phase"), "Bound");
    delete_it(w, PVC, "a", NULL);
    delete_it(w, PVC, "b", NULL);
    settle(w);
    assert_string_equal(text_at(w, PV, "tmp", "status.phase"), "(gone)");
    assert_string_equal(text_at(w, PV, "mnt", "status.phase"), "Failed");
    assert_event(w, "mnt", "VolumeFailedDelete",
                 "host_path deleter only supports /tmp/.+ but received provided /mnt/x");
}

static void test_recycle(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, VOLUME("rec", "1Gi", ",'persistentVolumeReclaimPolicy':'Recycle','hostPath':{'path':'/mnt/x'}"));
    make(w, CLAIM("a", "1Gi", ",'storageClassName':''"));
    settle(w);
    delete_it(w, PVC, "a", NULL);
    settle(w);
    assert_string_equal(text_at(w, PV, "rec", "status.phase"), "Released");
    change(w, RES.pods, "recycler-for-rec", "status", "status.phase", "'Succeeded'");
    settle(w);
    assert_string_equal(text_at(w, PV, "rec", "status.phase"), "Available");
    assert_string_equal(text_at(w, PV, "rec", "spec.claimRef"), "");
    assert_event(w, "rec", "VolumeRecycled", "Volume recycled");
}

/* Half a minute a GiB, up to what a pod may say. */
static void test_recycle_much(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, VOLUME("rec", "8Ei", ",'persistentVolumeReclaimPolicy':'Recycle','hostPath':{'path':'/mnt/x'}"));
    make(w, CLAIM("a", "1Gi", ",'storageClassName':''"));
    settle(w);
    delete_it(w, PVC, "a", NULL);
    settle(w);
    assert_string_equal(text_at(w, RES.pods, "recycler-for-rec", "spec.activeDeadlineSeconds"), "2147483647");
}

static void test_lost(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, VOLUME("v", "1Gi", ",'hostPath':{'path':'/v'}"));
    make(w, CLAIM("c", "1Gi", ",'storageClassName':''"));
    settle(w);
    delete_it(w, PV, "v", NULL);
    change(w, PV, "v", "", "metadata.finalizers", NULL);
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Lost");
    assert_string_equal(text_at(w, PVC, "c", "status.capacity"), "");
    assert_event(w, "c", "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!");

    make(w,
         VOLUME("v", "1Gi", ",'hostPath':{'path':'/v'}")); /* the volume is the claim's again, the claim stays Lost */
    settle(w);
    assert_string_equal(text_at(w, PV, "v", "status.phase"), "Bound");
    assert_string_equal(text_at(w, PV, "v", "spec.claimRef.name"), "c");
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Lost");
    change(w, PVC, "c", "", "metadata.annotations", NULL);
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Bound");
}

static void test_named_volume(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, CLAIM("c", "2Gi", ",'storageClassName':'','volumeName':'v'"));
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Pending");
    make(w, VOLUME("v", "1Gi", ",'hostPath':{'path':'/v'}"));
    settle(w);
    assert_event(w, "c", "VolumeMismatch", "Cannot bind to requested volume \"v\": requested PV is too small");
    make(w, CLAIM("d", "1Gi", ",'storageClassName':'','volumeName':'v'"));
    settle(w);
    assert_string_equal(text_at(w, PVC, "d", "status.phase"), "Bound");
    pass_seconds(w, 16); /* the resync looks at the first claim again */
    assert_event(w, "c", "FailedBinding", "volume \"v\" already bound to a different claim.");
}

static void test_default_class_later(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, CLAIM("c", "1Gi", ""));
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "spec.storageClassName"), "");
    make(w, "{'apiVersion':'storage.k8s.io/v1','kind':'StorageClass','metadata':{'name':'std','annotations':"
            "{'storageclass.kubernetes.io/is-default-class':'true'}},'provisioner':'kubernetes.io/no-provisioner'}");
    settle(w);
    assert_string_equal(text_at(w, PVC, "c", "spec.storageClassName"), "std");
    assert_event(w, "c", "ProvisioningFailed", "no volume plugin matched name: kubernetes.io/no-provisioner");
}

static void test_unknown_provisioner(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'ext'"));
    settle(w);
    assert_event(w, "c", "ProvisioningFailed", "storageclass.storage.k8s.io \"ext\" not found");
    make(w, "{'apiVersion':'storage.k8s.io/"
            "v1','kind':'StorageClass','metadata':{'name':'ext'},'provisioner':'lab.example.com/p'}");
    settle(w);
    assert_event(
        w, "c", "ExternalProvisioning",
        "Waiting for a volume to be created either by the external provisioner 'lab.example.com/p' or manually by the "
        "system administrator. If volume creation is delayed, please verify that the provisioner is running and "
        "correctly registered.");
    assert_string_equal(annotation(w, PVC, "c", "volume.kubernetes.io/storage-provisioner"), "lab.example.com/p");
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Pending");
}

static void test_waits_for_consumer(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w, "{'apiVersion':'storage.k8s.io/"
            "v1','kind':'StorageClass','metadata':{'name':'w'},'provisioner':'x.example.com/p',"
            "'volumeBindingMode':'WaitForFirstConsumer'}");
    make(w, VOLUME("v", "1Gi", ",'storageClassName':'w','hostPath':{'path':'/v'}"));
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'w'"));
    settle(w);
    assert_event(w, "c", "WaitForFirstConsumer", "waiting for first consumer to be created before binding");
    assert_string_equal(text_at(w, PVC, "c", "status.phase"), "Pending");
    make(w, POD_WITH_CLAIM("p", "c", ""));
    pass_seconds(w, 16);
    assert_event(w, "c", "WaitForPodScheduled", "waiting for pod p to be scheduled");
}

static void test_ephemeral(void **state)
{
    struct loop_world *w = &((struct fixture *)*state)->w;
    make(w,
         POD("p",
             ",'volumes':[{'name':'s','ephemeral':{'volumeClaimTemplate':{'metadata':{'labels':{'t':'x'}},'spec':{"
             "'accessModes':['ReadWriteOnce'],'storageClassName':'','resources':{'requests':{'storage':'1Mi'}}}}}}]"));
    settle(w); /* the scheduler is to see the pod first */
    pass_seconds(w, 1);
    assert_string_equal(text_at(w, PVC, "p-s", "metadata.labels.t"), "x");
    make(w, CLAIM("q-s", "1Mi", ""));
    make(w, POD("q", ",'volumes':[{'name':'s','ephemeral':{'volumeClaimTemplate':{'spec':{"
                     "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Mi'}}}}}}]"));
    settle(w);
    pass_seconds(w, 1);
    assert_event(w, "q", "FailedBinding",
                 "ephemeral volume s: PVC default/q-s was not created for pod default/q (pod is not owner)");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_static),
        T(test_together),
        T(test_protection),
        T(test_reclaim),
        T(test_recycle),
        T(test_recycle_much),
        T(test_lost),
        T(test_named_volume),
        T(test_default_class_later),
        T(test_unknown_provisioner),
        T(test_waits_for_consumer),
        T(test_ephemeral),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
