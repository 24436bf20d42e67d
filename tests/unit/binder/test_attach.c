/* Attach and detach, beyond the plain case of test_dynamic.c: disks made by hand, pods that name them, waits on the
 * clock, nodes that are lost, and what the pods are told. */
#include "disks_kit.h"

#include "volume/volume.h"

#define VA     RES.volumeattachments
#define NODES  RES.nodes
#define VOL    "vol-00000000000000001"
#define UNIQUE "kubernetes.io/csi/ebs.csi.aws.com^" VOL
#define READY(status)                                                                                                  \
    "[{'type':'Ready','status':'" status "','reason':'x','message':'x','lastTransitionTime':'2026-01-01T00:00:00Z',"   \
    "'lastHeartbeatTime':'2026-01-01T00:00:00Z'}]"

static int setup(void **state)
{
    struct fixture *f = disks_open(2, VOL);
    change(&f->w, NODES, "n1", "status", "status.conditions", READY("True"));
    settle(&f->w);
    *state = f;
    return 0;
}

/* -- what there is -- */

static const char *va_on(const char *node)
{
    static char name[ATTACHMENT_NAME_LEN];
    attachment_name(VOL, "ebs.csi.aws.com", node, name);
    return name;
}

static bool attached_to(struct fixture *f, const char *node)
{
    struct disk_info info;
    struct err e = ERR_INIT;
    assert_int_equal(f->env.machine->ops->disk_info(f->env.machine, VOL, &info, &e), 0);
    return str_eq(info.node, node) && str_eq(text_at(&f->w, VA, va_on(node), "status.attached"), "true");
}

static bool has_va(struct fixture *f, const char *node)
{
    return !str_eq(text_at(&f->w, VA, va_on(node), "status.attached"), "(gone)");
}

static void pod_with_disk(struct fixture *f, const char *pod, const char *node, const char *id)
{
    make(&f->w,
         "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','namespace':'default'},'spec':{'nodeName':'%s',"
         "'containers':[{'name':'c','image':'busybox'}],'volumes':[{'name':'v','awsElasticBlockStore':{'volumeID':'%s',"
         "'fsType':'ext4'}}]}}",
         pod, node, id);
    settle(&f->w);
}

static void pod_with_claim(struct fixture *f, const char *pod, const char *node)
{
    make(&f->w,
         "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','namespace':'default'},'spec':{'nodeName':'%s',"
         "'containers':[{'name':'c','image':'busybox'}],'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':"
         "'c'}}]}}",
         pod, node);
    settle(&f->w);
}

static void volume_by_hand(struct fixture *f)
{
    make(&f->w, VOLUME("v", "1Gi",
                       ",'storageClassName':'','awsElasticBlockStore':{'volumeID':'aws://us-east-1a/" VOL
                       "','fsType':'ext4'}"));
    make(&f->w, CLAIM("c", "1Gi", ",'storageClassName':'','volumeName':'v'"));
    settle(&f->w);
}

static void in_use(struct fixture *f, const char *node, bool yes)
{
    change(&f->w, NODES, node, "status", "status.volumesInUse", yes ? "['" UNIQUE "']" : NULL);
    settle(&f->w);
}

/* How often a pod was told `reason` with this part of a message. */
static int64_t told(struct fixture *f, const char *pod, const char *reason, const char *part)
{
    _auto_objlist_ struct objlist all = {0};
    int64_t n = 0;
    objlist_load(&all, f->w.registry, RES.events->bucket, NULL);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jstr(all.trees[i], "involvedObject.name"), pod) && str_eq(jstr(all.trees[i], "reason"), reason) &&
            strstr(jstr_or(all.trees[i], "message", ""), part))
            n += jint(all.trees[i], "count", 1);
    return n;
}

/* -- disks by hand -- */

static void test_pod_names_disk(void **state)
{
    struct fixture *f = *state;
    pod_with_disk(f, "p", "n1", "aws://us-east-1a/" VOL);
    assert_true(attached_to(f, "n1"));
    _auto_sobj_ struct sobj *va = get(&f->w, VA, va_on("n1"));
    _auto_json_ json_t *want = json_loads("{\"inlineVolumeSpec\":{\"csi\":{\"driver\":\"ebs.csi.aws.com\","
                                          "\"volumeHandle\":\"" VOL "\",\"fsType\":\"ext4\",\"volumeAttributes\":{"
                                          "\"partition\":\"0\"}},\"accessModes\":[\"ReadWriteOnce\"],\"volumeMode\":"
                                          "\"Filesystem\"}}",
                                          0, NULL);
    if (!json_equal(jat(va->tree, "spec.source"), want)) {
        _auto_free_ char *seen = json_text(jat(va->tree, "spec.source"));
        fail_msg("source: %s", seen);
    }
    assert_event(&f->w, "p", "SuccessfulAttachVolume",
                 "AttachVolume.Attach succeeded for volume \"ebs.csi.aws.com-" VOL "\" ");
    assert_non_null(strstr(text_at(&f->w, NODES, "n1", "status.volumesAttached"), UNIQUE));

    pod_with_disk(f, "q", "n2", VOL);
    assert_event(&f->w, "q", "FailedAttachVolume",
                 "Multi-Attach error for volume \"ebs.csi.aws.com-" VOL "\" Volume is already used by pod(s) p");
    end_pod(&f->w, "p");
    in_use(f, "n1", false);
    assert_true(attached_to(f, "n2"));
    assert_false(has_va(f, "n1"));
    end_pod(&f->w, "q");
    in_use(f, "n2", false);
    assert_false(has_va(f, "n2"));
}

/* One disk, named by a volume and by a pod: they know of each other. */
static void test_volume_and_pod(void **state)
{
    struct fixture *f = *state;
    volume_by_hand(f);
    pod_with_claim(f, "a", "n1");
    assert_true(attached_to(f, "n1"));
    pod_with_disk(f, "b", "n1", VOL);
    end_pod(&f->w, "a");
    in_use(f, "n1", false);
    assert_true(attached_to(f, "n1")); /* b has it */
    pod_with_claim(f, "c", "n2");
    assert_int_equal(told(f, "c", "FailedAttachVolume", "Volume is already used by pod(s) b"), 1);
    end_pod(&f->w, "b");
    in_use(f, "n1", false);
    assert_true(attached_to(f, "n2"));
}

static void test_attached_by_hand_elsewhere(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    assert_int_equal(cloud_disk_attach(f->cloud, VOL, "n2", "/dev/sdf", false, NULL, &e), 0);
    pod_with_disk(f, "p", "n1", VOL);
    assert_int_equal(told(f, "p", "FailedAttachVolume", "api error VolumeInUse: " VOL " is already attached"), 1);
    assert_int_equal(cloud_disk_detach(f->cloud, VOL, NULL, NULL, false, &e), 0);
    pass_seconds(&f->w, 5);
    assert_true(attached_to(f, "n1"));
    assert_true(told(f, "p", "FailedAttachVolume", "") >= 2); /* 0.5, 1, 2 … seconds apart */
}

static void test_wrong_zone(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    const struct cloud_create other = {.id = "vol-00000000000000002", .zone = "us-east-1b", .gib = 1, .type = "gp3"};
    assert_int_equal(cloud_disk_create(f->cloud, &other, NULL, &e), 0);
    pod_with_disk(f, "p", "n1", other.id);
    assert_int_equal(told(f, "p", "FailedAttachVolume",
                          "api error InvalidVolume.ZoneMismatch: The volume 'vol-00000000000000002' is not in the same "
                          "availability zone as instance 'i-0"),
                     1);
}

/* What a user made himself is attached and left alone, whatever pods there are. */
static void test_attachment_by_hand(void **state)
{
    struct fixture *f = *state;
    volume_by_hand(f);
    make(&f->w, "{'apiVersion':'storage.k8s.io/v1','kind':'VolumeAttachment','metadata':{'name':'mine'},'spec':{"
                "'attacher':'ebs.csi.aws.com','nodeName':'n2','source':{'persistentVolumeName':'v'}}}");
    settle(&f->w);
    assert_string_equal(text_at(&f->w, VA, "mine", "status.attached"), "true");
    pod_with_claim(f, "p", "n1");
    assert_int_equal(told(f, "p", "FailedAttachVolume", "VolumeInUse"), 1);
    end_pod(&f->w, "p");
    pass_seconds(&f->w, 400);
    assert_string_equal(text_at(&f->w, VA, "mine", "status.attached"), "true");
    delete_it(&f->w, VA, "mine", NULL);
    settle(&f->w);
    assert_string_equal(text_at(&f->w, VA, "mine", "status.attached"), "(gone)");
}

static void test_nobody_attaches(void **state)
{
    struct fixture *f = *state;
    make(&f->w, VOLUME("o", "1Gi", ",'storageClassName':'','csi':{'driver':'disk.example.com','volumeHandle':'d-1'}"));
    make(&f->w, CLAIM("c", "1Gi", ",'storageClassName':'','volumeName':'o'"));
    settle(&f->w);
    pod_with_claim(f, "p", "n1");
    pass_seconds(&f->w, 119);
    assert_int_equal(told(f, "p", "FailedAttachVolume", ""), 0);
    pass_seconds(&f->w, 3);
    assert_event(&f->w, "p", "FailedAttachVolume",
                 "AttachVolume.Attach failed for volume \"o\" : timed out waiting for external-attacher of "
                 "disk.example.com CSI driver to attach volume d-1");
}

/* -- waits -- */

static void test_shared_is_told_once(void **state)
{
    struct fixture *f = *state;
    volume_by_hand(f);
    pod_with_claim(f, "a", "n1");
    in_use(f, "n1", true);
    pod_with_claim(f, "b", "n2");
    pass_seconds(&f->w, 30);
    assert_int_equal(told(f, "b", "FailedAttachVolume", "Volume is already used by pod(s) a"), 1);
    end_pod(&f->w, "a");
    settle(&f->w);
    pod_with_claim(f, "c", "n2");
    assert_int_equal(told(f, "c", "FailedAttachVolume", ""), 0); /* once a volume and node */
    in_use(f, "n1", false);
    assert_true(attached_to(f, "n2"));
    assert_int_equal(told(f, "c", "SuccessfulAttachVolume", ""), 1);
}

/* A healthy node is waited for without end; one that is not Ready, six minutes. */
static void test_six_minutes(void **state)
{
    struct fixture *f = *state;
    volume_by_hand(f);
    pod_with_claim(f, "a", "n1");
    in_use(f, "n1", true);
    end_pod(&f->w, "a");
    pass_seconds(&f->w, 400);
    assert_true(attached_to(f, "n1"));
    change(&f->w, NODES, "n1", "status", "status.conditions", READY("Unknown"));
    settle(&f->w);
    assert_false(has_va(f, "n1")); /* the wait was over already */

    pod_with_claim(f, "b", "n1");
    in_use(f, "n1", true);
    assert_true(attached_to(f, "n1"));
    end_pod(&f->w, "b");
    pass_seconds(&f->w, 359);
    assert_true(attached_to(f, "n1"));
    pod_with_claim(f, "c", "n2");
    assert_int_equal(told(f, "c", "FailedAttachVolume", "is already exclusively attached to one node"), 1);
    pass_seconds(&f->w, 2);
    assert_false(has_va(f, "n1"));
    pass_seconds(&f->w, 2);
    assert_true(attached_to(f, "n2"));
    assert_string_equal(text_at(&f->w, NODES, "n1", "status.volumesAttached"), "");
}

static void test_pod_comes_back_in_time(void **state)
{
    struct fixture *f = *state;
    volume_by_hand(f);
    pod_with_claim(f, "a", "n1");
    in_use(f, "n1", true);
    change(&f->w, NODES, "n1", "status", "status.conditions", READY("Unknown"));
    end_pod(&f->w, "a");
    pass_seconds(&f->w, 300);
    pod_with_claim(f, "b", "n1");
    pass_seconds(&f->w, 5);
    end_pod(&f->w, "b");
    pass_seconds(&f->w, 300); /* the wait began again */
    assert_true(attached_to(f, "n1"));
    pass_seconds(&f->w, 62);
    assert_false(has_va(f, "n1"));
}

static void test_out_of_service(void **state)
{
    struct fixture *f = *state;
    volume_by_hand(f);
    pod_with_claim(f, "a", "n1");
    in_use(f, "n1", true);
    end_pod(&f->w, "a");
    settle(&f->w);
    assert_true(attached_to(f, "n1"));
    change(&f->w, NODES, "n1", "", "spec.taints",
           "[{'key':'node.kubernetes.io/out-of-service','value':'nodeshutdown','effect':'NoExecute'}]");
    settle(&f->w);
    assert_false(has_va(f, "n1"));
}

/* A node object that is deleted says nothing of its machine: what was mounted may still be. */
static void test_node_deleted(void **state)
{
    struct fixture *f = *state;
    volume_by_hand(f);
    pod_with_claim(f, "a", "n1");
    in_use(f, "n1", true);
    end_pod(&f->w, "a");
    delete_it(&f->w, NODES, "n1", NULL);
    pass_seconds(&f->w, 359);
    assert_true(has_va(f, "n1"));
    pass_seconds(&f->w, 3);
    assert_false(has_va(f, "n1"));
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, disks_close)
    const struct CMUnitTest tests[] = {
        T(test_pod_names_disk),      T(test_volume_and_pod),     T(test_attached_by_hand_elsewhere),
        T(test_wrong_zone),          T(test_attachment_by_hand), T(test_nobody_attaches),
        T(test_shared_is_told_once), T(test_six_minutes),        T(test_pod_comes_back_in_time),
        T(test_out_of_service),      T(test_node_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
