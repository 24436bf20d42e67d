/* Volumes: what is mounted and undone, what is said when it cannot be, and that files follow what they show. */
#include "unit/kubeletsim/kubelet_kit.h"

#include "volume/volume.h"

#include <semaphore.h>

#define MOUNT(name) ",'volumeMounts':[{'name':'" name "','mountPath':'/" name "'}]"
#define CONFIG_MAP(name, data)                                                                                         \
    "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'" name "','namespace':'default'},'data':{" data "}}"

static const char *volume_file(struct kit *kit, const char *pod, const char *plugin, const char *volume,
                               const char *file)
{
    return node_file(kit, "/var/lib/kubelet/pods/%s/volumes/kubernetes.io~%s/%s/%s", uid_of(kit, pod), plugin, volume,
                     file);
}

/* -- what the kubelet writes -- */

static void test_config_map_follows(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, CONFIG_MAP("m", "'a':'1','b':'2'"));
    make(&kit->w, POD_ON_NODE("p", MOUNT("v"), ",'volumes':[{'name':'v','configMap':{'name':'m'}}]"));
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Running");
    assert_string_equal(volume_file(kit, "p", "configmap", "v", "a"), "1");
    change(&kit->w, RES.configmaps, "m", "", "data.a", "'changed'");
    settle(&kit->w);
    assert_string_equal(volume_file(kit, "p", "configmap", "v", "a"), "changed");
    /* A vanished object leaves what there was. */
    delete_it(&kit->w, RES.configmaps, "m", NULL);
    settle(&kit->w);
    assert_string_equal(volume_file(kit, "p", "configmap", "v", "b"), "2");
    assert_string_equal(phase(kit, "p"), "Running");
}

/* -- a change while the one before it is being written -- */

static struct {
    const struct machine_ops *fake;
    struct kit *kit;
    sem_t written, go;
    atomic_int writes;
} slow;

/* The second write holds still with its work done. */
static int slow_write(struct machine *m, const char *node, const char *dir, const struct file_spec *files, size_t n,
                      int64_t gid, bool *changed, struct err *e)
{
    const int rc = slow.fake->write_volume(m, node, dir, files, n, gid, changed, e);
    if (++slow.writes == 2) {
        sem_post(&slow.written);
        sem_wait(&slow.go);
    }
    return rc;
}

static bool first_is_written(struct loop_world *w _unused_)
{
    return slow.writes == 1 && str_eq(phase(slow.kit, "p"), "Running");
}

static bool last_is_there(struct loop_world *w _unused_)
{
    return str_eq(volume_file(slow.kit, "p", "configmap", "v", "a"), "3");
}

static void test_change_meets_change(void **state)
{
    struct kit *kit = *state;
    slow.fake = kit->fake_ops;
    slow.kit = kit;
    sem_init(&slow.written, 0, 0);
    sem_init(&slow.go, 0, 0);
    kit->ops.write_volume = slow_write;
    make(&kit->w, CONFIG_MAP("m", "'a':'1'"));
    make(&kit->w,
         POD_ON_NODE("p", MOUNT("v"),
                     ",'automountServiceAccountToken':false,'volumes':[{'name':'v','configMap':{'name':'m'}}]"));
    await(&kit->w, first_is_written, "the first content");
    change(&kit->w, RES.configmaps, "m", "", "data.a", "'2'");
    sem_wait(&slow.written);
    change(&kit->w, RES.configmaps, "m", "", "data.a", "'3'");
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL); /* the loop hears of it */
    sem_post(&slow.go);
    await(&kit->w, last_is_there, "the last content");
    sem_destroy(&slow.written);
    sem_destroy(&slow.go);
}

static void test_downward_follows(void **state)
{
    struct kit *kit = *state;
    make(&kit->w,
         POD_ON_NODE("p", MOUNT("v"),
                     ",'volumes':[{'name':'v','downwardAPI':{'items':[{'path':'notes','fieldRef':"
                     "{'fieldPath':'metadata.annotations'}},{'path':'cpu','resourceFieldRef':{'containerName':'c',"
                     "'resource':'requests.cpu'}}]}}]"));
    settle(&kit->w);
    assert_string_equal(volume_file(kit, "p", "downward-api", "v", "notes"), "");
    assert_string_equal(volume_file(kit, "p", "downward-api", "v", "cpu"), "0");
    change(&kit->w, PODS, "p", "", "metadata.annotations", "{'z':'1','a':'two\\nlines'}");
    settle(&kit->w);
    assert_string_equal(volume_file(kit, "p", "downward-api", "v", "notes"), "a=\"two\\nlines\"\nz=\"1\"");
}

/* Tokens are renewed when most of their life is over, and only then. */
static void test_token(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", MOUNT("v"),
                              ",'automountServiceAccountToken':false,'volumes':[{'name':'v','projected':{'sources':["
                              "{'serviceAccountToken':{'path':'token','expirationSeconds':1000}}]}}]"));
    settle(&kit->w);
    assert_string_equal(volume_file(kit, "p", "projected", "v", "token"), "token-1-of-default-default");
    pass_seconds(&kit->w, 799);
    assert_string_equal(volume_file(kit, "p", "projected", "v", "token"), "token-1-of-default-default");
    pass_seconds(&kit->w, 2);
    assert_string_equal(volume_file(kit, "p", "projected", "v", "token"), "token-2-of-default-default");
    pass_seconds(&kit->w, 700);
    assert_int_equal(kit->tokens, 2);
}

/* -- what is missing -- */

static void test_missing_config_map(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", ",'volumeMounts':[{'name':'v','mountPath':'/v'},{'name':'s','mountPath':'/s'}]",
                              ",'volumes':[{'name':'v','configMap':{'name':'m','items':[{'key':'k','path':'f'}]}},"
                              "{'name':'s','secret':{'secretName':'gone'}}]"));
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Pending");
    assert_string_equal(cs(kit, "p", "c", "state.waiting.reason"), "ContainerCreating");
    assert_event(&kit->w, "p", "FailedMount", "MountVolume.SetUp failed for volume \"v\" : configmap \"m\" not found");
    assert_event(&kit->w, "p", "FailedMount", "MountVolume.SetUp failed for volume \"s\" : secret \"gone\" not found");
    /* 500 ms, 1 s, 2 s, 4 s … */
    pass_seconds(&kit->w, 8);
    assert_in_range(event_count(kit, "p", "FailedMount", "secret"), 4, 5);
    make(&kit->w, CONFIG_MAP("m", "'x':'1'"));
    settle(&kit->w); /* looked at at once */
    assert_event(&kit->w, "p", "FailedMount",
                 "MountVolume.SetUp failed for volume \"v\" : configmap references non-existent config key: k");
    change(&kit->w, RES.configmaps, "m", "", "data.k", "'v'");
    make(&kit->w, "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'gone','namespace':'default'},"
                  "'data':{'p':'aGk='}}");
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Running");
    assert_string_equal(volume_file(kit, "p", "configmap", "v", "f"), "v");
    assert_string_equal(volume_file(kit, "p", "secret", "s", "p"), "hi");
}

/* All that is wrong with a projected volume is said at once. */
static void test_projected_errors(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", MOUNT("v"),
                              ",'volumes':[{'name':'v','projected':{'sources':[{'configMap':{'name':'m'}},"
                              "{'secret':{'name':'s'}},{'configMap':{'name':'o','optional':true}}]}}]"));
    settle(&kit->w);
    assert_event(&kit->w, "p", "FailedMount",
                 "MountVolume.SetUp failed for volume \"v\" : [configmap \"m\" not found, secret \"s\" not found]");
}

static void test_host_path_types(void **state)
{
    struct kit *kit = *state;
    static const struct {
        const char *pod, *message; /* NULL: it runs */
    } rows[] = {
        {POD_ON_NODE("p0", MOUNT("v"), ",'volumes':[{'name':'v','hostPath':{'path':'/d','type':'Directory'}}]"),
         "MountVolume.SetUp failed for volume \"v\" : hostPath type check failed: /d is not a directory"},
        {POD_ON_NODE("p1", MOUNT("v"), ",'volumes':[{'name':'v','hostPath':{'path':'/f','type':'File'}}]"),
         "MountVolume.SetUp failed for volume \"v\" : hostPath type check failed: /f is not a file"},
        {POD_ON_NODE("p2", MOUNT("v"), ",'volumes':[{'name':'v','hostPath':{'path':'/s','type':'Socket'}}]"),
         "MountVolume.SetUp failed for volume \"v\" : hostPath type check failed: /s is not a socket file"},
        {POD_ON_NODE("p3", MOUNT("v"),
                     ",'volumes':[{'name':'v','hostPath':{'path':'/d3','type':'DirectoryOrCreate'}}]"),
         NULL},
        {POD_ON_NODE("p4", MOUNT("v"), ",'volumes':[{'name':'v','hostPath':{'path':'/d4'}}]"), NULL},
        {POD_ON_NODE("p5", MOUNT("v"), ",'volumes':[{'name':'v','hostPath':{'path':'/d5','type':'FileOrCreate'}}]"),
         NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[8];
        snprintf(name, sizeof name, "p%zu", i);
        make(&kit->w, "%s", rows[i].pod);
        settle(&kit->w);
        assert_string_equal(phase(kit, name), rows[i].message ? "Pending" : "Running");
        if (rows[i].message)
            assert_event(&kit->w, name, "FailedMount", rows[i].message);
    }
}

/* -- disks -- */

#define DISK_PV                                                                                                        \
    VOLUME("pv1", "1Gi",                                                                                               \
           ",'storageClassName':'','csi':{'driver':'ebs.csi.aws.com','volumeHandle':'vol-1','fsType':'ext4'},"         \
           "'claimRef':{'namespace':'default','name':'c1'}")

static int edit_bind(json_t *claim, void *arg, struct err *e)
{
    (void)arg, (void)e;
    jset_str(claim, "status.phase", "Bound");
    return 1;
}

static int edit_claim_ref(json_t *pv, void *arg, struct err *e)
{
    (void)e;
    jset_str(pv, "spec.claimRef.uid", arg);
    return 1;
}

static void make_disk(struct kit *kit)
{
    struct err e = ERR_INIT;
    make(&kit->w, DISK_PV);
    make(&kit->w, CLAIM("c1", "1Gi", ",'storageClassName':'','volumeName':'pv1'"));
    char uid[64];
    snprintf(uid, sizeof uid, "%s", text_at(&kit->w, RES.persistentvolumeclaims, "c1", "metadata.uid"));
    assert_int_equal(reg_modify(kit->w.registry, "test", RES.persistentvolumes, "", "pv1", "", edit_claim_ref, uid, &e),
                     0);
    assert_int_equal(kit->machine->ops->disk_create(kit->machine, "vol-1", 1 << 30, &e), 0);
}

static void bind_disk(struct kit *kit)
{
    struct err e = ERR_INIT;
    assert_int_equal(
        reg_modify(kit->w.registry, "test", RES.persistentvolumeclaims, "default", "c1", "status", edit_bind, NULL, &e),
        0);
}

static int edit_attached(json_t *va, void *arg, struct err *e)
{
    (void)arg, (void)e;
    jset_bool(va, "status.attached", true);
    jset_str(va, "status.attachmentMetadata.devicePath", "/dev/xvdba");
    return 1;
}

static void attach_disk(struct kit *kit)
{
    struct err e = ERR_INIT;
    char va[ATTACHMENT_NAME_LEN];
    attachment_name("vol-1", "ebs.csi.aws.com", FIRST_NODE, va);
    make(&kit->w,
         "{'apiVersion':'storage.k8s.io/v1','kind':'VolumeAttachment','metadata':{'name':'%s'},'spec':{"
         "'attacher':'ebs.csi.aws.com','nodeName':'" FIRST_NODE "','source':{'persistentVolumeName':'pv1'}}}",
         va);
    assert_int_equal(kit->machine->ops->disk_attach(kit->machine, "vol-1", FIRST_NODE, "/dev/xvdba", false, &e), 0);
    assert_int_equal(
        reg_modify(kit->w.registry, "test", RES.volumeattachments, "", va, "status", edit_attached, NULL, &e), 0);
    settle(&kit->w);
}

#define CLAIMED                                                                                                        \
    ",'automountServiceAccountToken':false,'volumes':[{'name':'data','persistentVolumeClaim':{'claimName':'c1'}}]"
#define IN_USE "kubernetes.io/csi/ebs.csi.aws.com^vol-1"

static void test_disk(void **state)
{
    struct kit *kit = *state;
    struct fake_counts before, during, after;
    machine_fake_count(kit->machine, &before);
    make_disk(kit);
    make(&kit->w, POD_ON_NODE("p", MOUNT("data"), CLAIMED));
    settle(&kit->w);
    assert_event(&kit->w, "p", "FailedMount",
                 "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], "
                 "failed to process volumes=[data]: error processing PVC default/c1: PVC is not bound");
    bind_disk(kit);
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Pending"); /* not attached */
    attach_disk(kit);
    assert_string_equal(phase(kit, "p"), "Running");
    assert_string_equal(text_at(&kit->w, RES.nodes, FIRST_NODE, "status.volumesInUse"), "[\"" IN_USE "\"]");
    /* A second pod on the node shares the staging mount. */
    machine_fake_count(kit->machine, &during);
    assert_int_equal(during.mounts - before.mounts, 2); /* staging and its bind */
    make(&kit->w, POD_ON_NODE("q", MOUNT("data"), CLAIMED));
    settle(&kit->w);
    machine_fake_count(kit->machine, &after);
    assert_int_equal(after.mounts - during.mounts, 1);
    delete_it(&kit->w, PODS, "p", NULL);
    expect_gone(kit, "p");
    machine_fake_count(kit->machine, &after);
    assert_int_equal(after.mounts, during.mounts);
    assert_string_equal(text_at(&kit->w, RES.nodes, FIRST_NODE, "status.volumesInUse"), "[\"" IN_USE "\"]");
    delete_it(&kit->w, PODS, "q", NULL);
    expect_gone(kit, "q");
    machine_fake_count(kit->machine, &after);
    assert_int_equal(after.mounts, before.mounts);
    assert_string_equal(text_at(&kit->w, RES.nodes, FIRST_NODE, "status.volumesInUse"), "");
}

/* ReadWriteOncePod: a second pod that was put on the node by hand waits for the first one's end. */
static void test_one_pod_only(void **state)
{
    struct kit *kit = *state;
    struct fake_counts before, after;
    make_disk(kit);
    change(&kit->w, RES.persistentvolumes, "pv1", "", "spec.accessModes", "['ReadWriteOncePod']");
    bind_disk(kit);
    attach_disk(kit);
    machine_fake_count(kit->machine, &before);
    make(&kit->w, POD_ON_NODE("p", MOUNT("data"), CLAIMED));
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Running");
    make(&kit->w, POD_ON_NODE("q", MOUNT("data"), CLAIMED));
    settle(&kit->w);
    assert_string_equal(phase(kit, "q"), "Pending");
    assert_event(&kit->w, "q", "FailedMount",
                 "MountVolume.SetUp failed for volume \"pv1\" : volume uses the ReadWriteOncePod access mode and is "
                 "already in use by another pod");
    delete_it(&kit->w, PODS, "p", NULL);
    expect_gone(kit, "p");
    pass_seconds(&kit->w, 5);
    assert_string_equal(phase(kit, "q"), "Running");
    delete_it(&kit->w, PODS, "q", NULL);
    expect_gone(kit, "q");
    machine_fake_count(kit->machine, &after);
    assert_int_equal(after.mounts, before.mounts);
}

static void make_bound(struct kit *kit, const char *volume, const char *claim, const char *spec)
{
    struct err e = ERR_INIT;
    char uid[64];
    make(&kit->w,
         "{'apiVersion':'v1','kind':'PersistentVolume','metadata':{'name':'%s'},'spec':{'accessModes':["
         "'ReadWriteOnce'],'capacity':{'storage':'1Gi'},'claimRef':{'namespace':'default','name':'%s'},%s}}",
         volume, claim, spec);
    make(&kit->w,
         "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'%s','namespace':'default'},'spec':{"
         "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}},'storageClassName':'',"
         "'volumeName':'%s'}}",
         claim, volume);
    snprintf(uid, sizeof uid, "%s", text_at(&kit->w, RES.persistentvolumeclaims, claim, "metadata.uid"));
    assert_int_equal(
        reg_modify(kit->w.registry, "test", RES.persistentvolumes, "", volume, "", edit_claim_ref, uid, &e), 0);
    assert_int_equal(reg_modify(kit->w.registry, "test", RES.persistentvolumeclaims, "default", claim, "status",
                                edit_bind, NULL, &e),
                     0);
}

#define WITH_CLAIM(claim)                                                                                              \
    ",'automountServiceAccountToken':false,'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'" claim "'}}]"

/* What a pod that chose its node itself may have brought with it. */
static void test_checked_first(void **state)
{
    struct kit *kit = *state;
    make_bound(kit, "far", "far",
               "'local':{'path':'/mnt'},'nodeAffinity':{'required':{'nodeSelectorTerms':[{'matchExpressions':[{'key':"
               "'kubernetes.io/hostname','operator':'In','values':['elsewhere']}]}]}}");
    make_bound(kit, "opts", "opts", "'hostPath':{'path':'/tmp/x'},'mountOptions':['noatime']");
    make(&kit->w, POD_ON_NODE("p", MOUNT("v"), WITH_CLAIM("far")));
    make(&kit->w, POD_ON_NODE("q", MOUNT("v"), WITH_CLAIM("opts")));
    settle(&kit->w);
    assert_event(&kit->w, "p", "FailedMount",
                 "MountVolume.NodeAffinity check failed for volume \"far\" : no matching NodeSelectorTerms");
    assert_event(&kit->w, "q", "FailedMount",
                 "MountVolume.MountOptionSupport check failed for volume \"opts\" : mount options are not supported "
                 "for this volume type");
}

/* Two volumes of one pod whose long names differ at the end are mounted at two places. */
static void test_long_names(void **state)
{
    struct kit *kit = *state;
    struct machine *m = kit->machine;
    struct err e = ERR_INIT;
    struct fake_counts before, after;
    for (char last = '1'; last <= '2'; last++) {
        char name[256], claim[] = {'c', last, '\0'}, path[] = {'/', 'm', 'n', 't', '/', last, '\0'};
        memset(name, 'v', 252);
        name[252] = last;
        name[253] = '\0';
        _auto_free_ char *spec =
            xasprintf("'local':{'path':'%s'},'nodeAffinity':{'required':{'nodeSelectorTerms':[{"
                      "'matchExpressions':[{'key':'kubernetes.io/hostname','operator':'In','values':["
                      "'" FIRST_NODE "']}]}]}}",
                      path);
        make_bound(kit, name, claim, spec);
        assert_int_equal(m->ops->mkdir_p(m, FIRST_NODE, path, 0755, &e), 0);
    }
    machine_fake_count(m, &before);
    make(&kit->w, POD_ON_NODE("p", ",'volumeMounts':[{'name':'v','mountPath':'/v'},{'name':'w','mountPath':'/w'}]",
                              ",'automountServiceAccountToken':false,'volumes':[{'name':'v','persistentVolumeClaim':{"
                              "'claimName':'c1'}},{'name':'w','persistentVolumeClaim':{'claimName':'c2'}}]"));
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Running");
    machine_fake_count(m, &after);
    assert_int_equal(after.mounts - before.mounts, 2);
}

/* A volume that is mounted stays as it is while another one of the pod is retried. */
static void test_retry_keeps_mounts(void **state)
{
    struct kit *kit = *state;
    struct fake_counts before, during, after;
    make_disk(kit);
    bind_disk(kit);
    attach_disk(kit);
    machine_fake_count(kit->machine, &before);
    make(&kit->w, POD_ON_NODE("p",
                              ",'volumeMounts':[{'name':'data','mountPath':'/d'},{'name':'m','mountPath':'/m'},"
                              "{'name':'v','mountPath':'/v'}]",
                              ",'volumes':[{'name':'data','persistentVolumeClaim':{'claimName':'c1'}},"
                              "{'name':'m','emptyDir':{'medium':'Memory'}},{'name':'v','configMap':{'name':'m'}}]"));
    settle(&kit->w);
    machine_fake_count(kit->machine, &during);
    pass_seconds(&kit->w, 30);
    machine_fake_count(kit->machine, &after);
    assert_int_equal(after.mounts, during.mounts);
    make(&kit->w, CONFIG_MAP("m", ""));
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Running");
    delete_it(&kit->w, PODS, "p", NULL);
    expect_gone(kit, "p");
    machine_fake_count(kit->machine, &after);
    assert_int_equal(after.mounts, before.mounts);
}

/* Whatever call of the machine fails, once, on the way to Running: the pod gets there, and nothing is left after it. */
static void test_every_failure_heals(void **state)
{
    struct kit *kit = *state;
    struct fake_counts before, after;
    make_disk(kit);
    bind_disk(kit);
    attach_disk(kit);
    make(&kit->w, CONFIG_MAP("m", "'a':'b'"));
    machine_fake_count(kit->machine, &before);
    unsigned first = machine_fake_calls(kit->machine), calls = 1;
    for (unsigned n = 0; n < calls; n++) {
        machine_fake_fail(kit->machine, n, ERR_SYS); /* the 0th fails nothing: it counts */
        make(&kit->w, POD_ON_NODE("p",
                                  ",'volumeMounts':[{'name':'data','mountPath':'/d','subPath':'a/b'},"
                                  "{'name':'m','mountPath':'/m'},{'name':'v','mountPath':'/v'}]",
                                  ",'securityContext':{'fsGroup':7},'volumes':[{'name':'data','persistentVolumeClaim':"
                                  "{'claimName':'c1'}},{'name':'m','emptyDir':{'medium':'Memory'}},"
                                  "{'name':'v','configMap':{'name':'m'}}]"));
        pass_seconds(&kit->w, n ? 30 : 1);
        expect_cs(kit, "p", "c", "ready", "true");
        if (n == 0)
            calls = machine_fake_calls(kit->machine) - first;
        machine_fake_fail(kit->machine, 0, ERR_OK);
        delete_it(&kit->w, PODS, "p", NULL);
        expect_gone(kit, "p");
        machine_fake_count(kit->machine, &after);
        assert_int_equal(after.mounts, before.mounts);
        assert_int_equal(after.containers + after.sandboxes, 0);
    }
    assert_in_range(calls, 15, 100);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_config_map_follows),
        cmocka_unit_test_setup_teardown(test_change_meets_change, kit_setup_threads, kit_teardown),
        TEST(test_downward_follows),
        TEST(test_token),
        TEST(test_missing_config_map),
        TEST(test_projected_errors),
        TEST(test_host_path_types),
        TEST(test_disk),
        TEST(test_one_pod_only),
        TEST(test_checked_first),
        TEST(test_long_names),
        TEST(test_retry_keeps_mounts),
        TEST(test_every_failure_heals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
