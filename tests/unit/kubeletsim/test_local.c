/* Local volumes: a directory of the node as it is, and the kubelet's words when there is none. */
#include "unit/kubeletsim/kubelet_kit.h"

#define LOCAL_PV                                                                                                       \
    VOLUME("pv1", "1Gi",                                                                                               \
           ",'storageClassName':'','local':{'path':'/mnt/vol1'},'claimRef':{'namespace':'default','name':'c1'},"       \
           "'nodeAffinity':{'required':{'nodeSelectorTerms':[{'matchExpressions':[{'key':'kubernetes.io/hostname',"    \
           "'operator':'In','values':['" FIRST_NODE "']}]}]}}")

/* What the node lacks is said of the volume as a whole, before anything of the pod is begun; made, the pod goes on. */
static void test_missing_directory(void **state)
{
    struct kit *kit = *state;
    struct machine *m = kit->machine;
    struct err e = ERR_INIT;
    char uid[64];
    make(&kit->w, LOCAL_PV);
    make(&kit->w, CLAIM("c1", "1Gi", ",'storageClassName':'','volumeName':'pv1'"));
    snprintf(uid, sizeof uid, "'%s'", text_at(&kit->w, RES.persistentvolumeclaims, "c1", "metadata.uid"));
    change(&kit->w, RES.persistentvolumes, "pv1", "", "spec.claimRef.uid", uid);
    change(&kit->w, RES.persistentvolumeclaims, "c1", "status", "status.phase", "'Bound'");
    make(&kit->w, POD_ON_NODE("p", ",'volumeMounts':[{'name':'v','mountPath':'/v'}]",
                              ",'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'c1'}}]"));
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Pending");
    assert_event(&kit->w, "p", "FailedMount",
                 "MountVolume.NewMounter initialization failed for volume \"pv1\" : path \"/mnt/vol1\" does not exist");
    assert_int_equal(m->ops->mkdir_p(m, FIRST_NODE, "/mnt/vol1", 0755, &e), 0);
    pass_seconds(&kit->w, 130); /* the longest pause between two tries is two minutes and two seconds */
    assert_string_equal(phase(kit, "p"), "Running");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_missing_directory, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
