/* Pods that use more than they may, and nodes that run low: who goes, in which words, and for how long a node says so.
 * How full things are is what the test says: the fake machine's answers are replaced. */
#include "unit/kubeletsim/kubelet_kit.h"

#define GIB      (INT64_C(1) << 30)
#define MIB      (INT64_C(1) << 20)
#define NO_TOKEN ",'automountServiceAccountToken':false"
#define BIG_DIR  "/volumes/kubernetes.io~empty-dir/big"

/* What there is; the node has 20Gi. */
static struct {
    int64_t nodefs_left, inodes_left, imagefs_left; /* of the first node */
    int64_t layers, logs, big_dir;                  /* what each of those trees uses */
    const char *hog; /* a container that uses ten times as much; when it goes, so does the shortage */
    const struct machine_ops *fake;
} world;

static int say_fs_stat(struct machine *m, const char *node, const char *path, struct fs_stat *out, struct err *e)
{
    (void)m, (void)e;
    const bool first = str_eq(node, FIRST_NODE), images = str_eq(path, NODE_IMAGEFS);
    const int64_t left = !first ? 20 * GIB : images ? world.imagefs_left : world.nodefs_left;
    *out = (struct fs_stat){.bytes = 20 * GIB, .bytes_free = left, .bytes_avail = left, .inodes = 1000};
    out->inodes_free = first && !images ? world.inodes_left : 1000;
    return 0;
}

static int say_usage(struct machine *m, const char *node, const char *const *paths, size_t count, struct path_use *out,
                     struct err *e)
{
    (void)m, (void)node, (void)e;
    for (size_t i = 0; i < count; i++) {
        const bool logs = str_starts(paths[i], "/var/log/pods/");
        out[i] = (struct path_use){logs ? world.logs : str_ends(paths[i], "/fs") ? world.layers : 0, 3};
        if (str_ends(paths[i], BIG_DIR))
            out[i].bytes = world.big_dir;
        if (world.hog && strstr(paths[i], world.hog))
            out[i].bytes *= 10;
    }
    return 0;
}

static int see_remove(struct machine *m, const char *node, const char *id, bool purge, struct err *e)
{
    if (str_eq(id, world.hog))
        world.nodefs_left = 10 * GIB;
    return world.fake->container_remove(m, node, id, purge, e);
}

static int setup(void **state)
{
    const int rc = kit_setup(state);
    struct kit *kit = *state;
    memset(&world, 0, sizeof world);
    world.nodefs_left = world.imagefs_left = 20 * GIB;
    world.inodes_left = 1000;
    kit->ops.fs_stat = say_fs_stat;
    kit->ops.disk_usage = say_usage;
    kit->ops.container_remove = see_remove;
    world.fake = kit->fake_ops;
    return rc;
}

static const char *pressure(struct kit *kit)
{
    static char text[64];
    _auto_sobj_ struct sobj *node = get(&kit->w, RES.nodes, FIRST_NODE);
    const json_t *c = condition_get(node->tree, "DiskPressure");
    snprintf(text, sizeof text, "%s %s", jstr_or(c, "status", ""), jstr_or(c, "reason", ""));
    return text;
}

/* -- limits of its own -- */

static void test_limits(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("fine", ",'resources':{'limits':{'ephemeral-storage':'1Gi'}}", NO_TOKEN));
    make(&kit->w, POD_ON_NODE("layer", ",'resources':{'limits':{'ephemeral-storage':'50Mi'}}", NO_TOKEN));
    make(&kit->w, POD_ON_NODE("dir", ",'volumeMounts':[{'name':'big','mountPath':'/d'}]",
                              NO_TOKEN ",'volumes':[{'name':'big','emptyDir':{'sizeLimit':'100Mi'}}]"));
    expect_text(kit, "layer", "status.phase", "Running");
    world.layers = 51 * MIB;
    world.big_dir = 99 * MIB;
    world.nodefs_left -= 150 * MIB;
    pass_seconds(&kit->w, 15);
    expect_text(kit, "layer", "status.reason", "Evicted");
    expect_text(kit, "layer", "status.message",
                "Pod ephemeral local storage usage exceeds the total limit of containers 50Mi. ");
    expect_text(kit, "layer", "status.phase", "Failed");
    expect_text(kit, "dir", "status.phase", "Running");
    assert_string_equal(condition(kit, "layer", "DisruptionTarget"), "");
    world.big_dir = 101 * MIB;
    world.nodefs_left -= 2 * MIB;
    pass_seconds(&kit->w, 45);
    expect_text(kit, "dir", "status.message", "Usage of EmptyDir volume \"big\" exceeds the limit \"100Mi\". ");
    assert_int_equal(event_count(kit, "dir", "Evicted", "Usage of EmptyDir volume"), 1);
    expect_text(kit, "fine", "status.phase", "Running");
    assert_string_equal(pressure(kit), "False KubeletHasNoDiskPressure");
}

/* One container is over its limit, the pod as a whole is not. */
static void test_container_limit(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'two','namespace':'default'},'spec':{'nodeName':"
                  "'" FIRST_NODE "','automountServiceAccountToken':false,'containers':["
                  "{'name':'a','image':'busybox','resources':{'limits':{'ephemeral-storage':'60Mi'}}},"
                  "{'name':'b','image':'busybox','resources':{'limits':{'ephemeral-storage':'200Mi'}}}]}}");
    expect_text(kit, "two", "status.phase", "Running");
    world.layers = 40 * MIB;
    world.logs = 30 * MIB;
    world.nodefs_left -= 140 * MIB;
    pass_seconds(&kit->w, 15);
    expect_text(kit, "two", "status.message", "Container a exceeded its local ephemeral storage limit \"60Mi\". ");
}

/* -- the node -- */

/* Of the event, as text. Returns new. */
static char *event_annotations(struct kit *kit, const char *pod, const char *reason)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, kit->w.registry, RES.events->bucket, NULL);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jstr(all.trees[i], "involvedObject.name"), pod) && str_eq(jstr(all.trees[i], "reason"), reason))
            return json_dumps(jat(all.trees[i], "metadata.annotations"), JSON_COMPACT | JSON_SORT_KEYS);
    return NULL;
}

static void test_disk_pressure(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("modest", ",'resources':{'requests':{'ephemeral-storage':'1Gi'}}", NO_TOKEN));
    make(&kit->w, POD_ON_NODE("hog", "", NO_TOKEN));
    make(&kit->w, POD_ON_NODE("small", "", NO_TOKEN));
    expect_text(kit, "hog", "status.phase", "Running");
    _auto_free_ char *id = xstrdup(cs(kit, "hog", "c", "containerID") + strlen("containerd://"));
    world.hog = id;
    world.layers = 100 * MIB;
    world.nodefs_left = 1 * GIB; /* 5 % */
    pass_seconds(&kit->w, 11);
    expect_text(kit, "hog", "status.message",
                "The node was low on resource: ephemeral-storage. Threshold quantity: 2Gi, available: 1Gi. Container c "
                "was using 1000Mi, request is 0, has larger consumption of ephemeral-storage. ");
    assert_string_equal(pressure(kit), "True KubeletHasDiskPressure");
    assert_int_equal(event_count(kit, FIRST_NODE, "EvictionThresholdMet", "Attempting to reclaim ephemeral-storage"),
                     1);
    assert_int_equal(event_count(kit, FIRST_NODE, "NodeHasDiskPressure", "status is now: NodeHasDiskPressure"), 1);
    assert_true(str_starts(condition(kit, "hog", "DisruptionTarget"), "True TerminationByKubelet: The node was low"));
    _auto_free_ char *told = event_annotations(kit, "hog", "Evicted");
    assert_string_equal(told, "{\"offending_containers\":\"c\",\"offending_containers_usage\":\"1000Mi\","
                              "\"starved_resource\":\"ephemeral-storage\"}");
    pass_seconds(&kit->w, 60);
    expect_text(kit, "small", "status.phase", "Running");
    expect_text(kit, "modest", "status.phase", "Running");
    assert_string_equal(pressure(kit), "True KubeletHasDiskPressure");

    make(&kit->w, POD_ON_NODE("late", "", NO_TOKEN));
    expect_text(kit, "late", "status.message", "Pod was rejected: The node had condition: [DiskPressure]. ");
    expect_text(kit, "late", "status.phase", "Failed");
    assert_string_equal(cs(kit, "late", "c", "state"), "");
    pass_seconds(&kit->w, 300);
    assert_string_equal(pressure(kit), "False KubeletHasNoDiskPressure");
    assert_int_equal(event_count(kit, FIRST_NODE, "NodeHasNoDiskPressure", "status is now"), 2);
}

/* Nearly full, but no shortage yet: images that nobody uses go, and what did not suffice is told. */
static void test_image_garbage(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("stays", "", NO_TOKEN));
    make(&kit->w, "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'goes','namespace':'default'},'spec':{'nodeName':"
                  "'node01','automountServiceAccountToken':false,'containers':[{'name':'c','image':'nginx'}]}}");
    expect_text(kit, "goes", "status.phase", "Running");
    delete_it(&kit->w, PODS, "goes", NULL);
    pass_seconds(&kit->w, 40);
    expect_gone(kit, "goes");
    pass_seconds(&kit->w, 301);
    assert_true(images_present(kit->images, "nginx")); /* there is room */
    world.imagefs_left = 3174 * MIB;                   /* 15.5 % */
    pass_seconds(&kit->w, 301);
    assert_false(images_present(kit->images, "nginx"));
    assert_true(images_present(kit->images, "busybox"));
    assert_string_equal(phase(kit, "stays"), "Running");
    assert_string_equal(pressure(kit), "False KubeletHasNoDiskPressure");
    assert_int_equal(event_count(kit, FIRST_NODE, "FreeDiskSpaceFailed",
                                 "Failed to garbage collect required amount of images. Attempted to free 966787072 "
                                 "bytes, but only found 0 bytes eligible to free."),
                     1);
    assert_int_equal(event_count(kit, FIRST_NODE, "ImageGCFailed", ""), 0);
    pass_seconds(&kit->w, 301);
    assert_int_equal(event_count(kit, FIRST_NODE, "ImageGCFailed", "Failed to garbage collect"), 1);
}

/* Of those that ask for nothing the one that uses most goes first, as long as it lasts; a critical pod stays. */
static void test_order(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("vital", "", NO_TOKEN ",'priorityClassName':'system-node-critical'"));
    make(&kit->w, POD_ON_NODE("first", "", NO_TOKEN));
    make(&kit->w, POD_ON_NODE("second", "", NO_TOKEN));
    expect_text(kit, "second", "status.phase", "Running");
    world.layers = 10 * MIB;
    world.inodes_left = 40; /* 4 % */
    pass_seconds(&kit->w, 60);
    expect_text(kit, "first", "status.message",
                "The node was low on resource: inodes. Threshold quantity: 50, available: 40. ");
    expect_text(kit, "second", "status.phase", "Failed"); /* the first did not help */
    expect_text(kit, "vital", "status.phase", "Running");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_limits, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_container_limit, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_disk_pressure, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_image_garbage, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_order, setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
