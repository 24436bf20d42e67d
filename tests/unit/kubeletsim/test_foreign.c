/* Volumes that a node of a course cannot mount: what its kubelet says of each, and at which step. */
#include "unit/kubeletsim/kubelet_kit.h"

#define WITH(name, source)                                                                                             \
    POD_ON_NODE(name, ",'volumeMounts':[{'name':'v','mountPath':'/v'}]",                                               \
                ",'automountServiceAccountToken':false,'volumes':[{'name':'v'," source "}]")
#define PLAN                                                                                                           \
    "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process volumes=[v]: " \
    "failed to get Plugin from volumeSpec for volume \"v\" err=no volume plugin matched"
#define NO_PROGRAM "executable file not found in $PATH"

static const struct {
    const char *name, *pod, *says;
} rows[] = {
    {"nfs", WITH("nfs", "'nfs':{'server':'10.0.0.1','path':'/e'}"), "Mounting arguments: -t nfs 10.0.0.1:/e /var/lib/"},
    {"ro", WITH("ro", "'nfs':{'server':'10.0.0.1','path':'/e','readOnly':true}"),
     "arguments: -t nfs -o ro 10.0.0.1:/e "},
    {"iscsi", WITH("iscsi", "'iscsi':{'targetPortal':'10.0.0.1','iqn':'iqn.2001-04.com.example:s','lun':0}"),
     "MountVolume.WaitForAttach failed for volume \"v\" : " NO_PROGRAM},
    {"fc", WITH("fc", "'fc':{'targetWWNs':['50060e801049cfd1'],'lun':0}"),
     "MountVolume.WaitForAttach failed for volume \"v\" : no fc disk found"},
    {"git", WITH("git", "'gitRepo':{'repository':'https://example.com/x.git'}"),
     "MountVolume.SetUp failed for volume \"v\" : failed to exec 'git clone -- https://example.com/x.git': "
     ": " NO_PROGRAM},
    {"rbd", WITH("rbd", "'rbd':{'monitors':['10.0.0.1:6789'],'image':'x'}"), PLAN},
    {"flex", WITH("flex", "'flexVolume':{'driver':'acme/x'}"), PLAN},
    {"none", WITH("none", "'csi':{'driver':'nosuch.csi.example.com'}"),
     "MountVolume.NewMounter initialization failed for volume \"v\" : volume mode \"Ephemeral\" not supported by "
     "driver nosuch.csi.example.com (no CSIDriver object)"},
    {"disk", WITH("disk", "'csi':{'driver':'ebs.csi.aws.com'}"),
     "volume mode \"Ephemeral\" not supported by driver ebs.csi.aws.com (only supports [\"Persistent\"])"},
};

static void test_words(void **state)
{
    struct kit *kit = *state;
    make(&kit->w,
         "{'apiVersion':'storage.k8s.io/v1','kind':'CSIDriver','metadata':{'name':'ebs.csi.aws.com'},'spec':{}}");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        make(&kit->w, rows[i].pod);
    settle(&kit->w);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(phase(kit, rows[i].name), "Pending");
        if (event_count(kit, rows[i].name, "FailedMount", rows[i].says) == 0)
            fail_msg("%s: no event says %s", rows[i].name, rows[i].says);
    }
}

/* A driver that makes such volumes: a directory for as long as the pod lives. */
static void test_inline(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, "{'apiVersion':'storage.k8s.io/v1','kind':'CSIDriver','metadata':{'name':'hostpath.csi.k8s.io'},"
                  "'spec':{'volumeLifecycleModes':['Persistent','Ephemeral']}}");
    make(&kit->w, WITH("own", "'csi':{'driver':'hostpath.csi.k8s.io'}"));
    expect_text(kit, "own", "status.phase", "Running");
    struct fake_counts with, without;
    machine_fake_count(kit->machine, &with);
    assert_int_equal(with.mounts, 1);
    delete_it(&kit->w, PODS, "own", NULL);
    pass_seconds(&kit->w, 40);
    expect_gone(kit, "own");
    machine_fake_count(kit->machine, &without);
    assert_int_equal(without.mounts, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_words, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_inline, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
