/* A machine without room: the claim whose disk wants some is told, once, and nobody else is. */
#include "unit/loop_world.h"

#include "binder/binder.h"
#include "csi/cloud.h"
#include "sys/fake.h"
#include "unit/csi/cloud_kit.h"

struct fixture {
    struct loop_world w;
    struct binder_env env;
    struct cloud *cloud;
};

#define VOL(n) "vol-0000000000000000" n
#define LONG   30 /* seconds: several looks */

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct node_spec n1 = {.name = "n1", .nodefs_bytes = INT64_C(1) << 30};
    struct err e = ERR_INIT;
    size_t n;
    const struct loop_def *const *loops = binder_loops(&n);
    world_open(&f->w);
    world_account(&f->w);
    f->env.machine = machine_open_fake("test");
    assert_int_equal(f->env.machine->ops->node_start(f->env.machine, &n1, &e), 0);
    f->cloud = kit_cloud(f->env.machine, &f->w.clock.clock, NULL, "us-east-1a", "us-east-1a");
    world_start(&f->w, loops, n, &f->env);
    make_node(&f->w, "n1", NODE("n1", ",'topology.kubernetes.io/zone':'us-east-1a'", ""));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    world_close(&f->w);
    cloud_close(f->cloud);
    f->env.machine->ops->close(f->env.machine);
    free(f);
    return 0;
}

/* A disk made by hand, its volume (whose source is `source`), its claim, and a pod that has it on the node. */
static void use(struct fixture *f, const char *name, const char *id, const char *source)
{
    struct err e = ERR_INIT;
    const struct cloud_create disk = {.id = id, .zone = "us-east-1a", .gib = 1, .type = "gp3"};
    assert_int_equal(cloud_disk_create(f->cloud, &disk, NULL, &e), 0);
    make(&f->w,
         "{'apiVersion':'v1','kind':'PersistentVolume','metadata':{'name':'pv-%s'},'spec':{'accessModes':["
         "'ReadWriteOnce'],'capacity':{'storage':'1Gi'},'storageClassName':'',%s}}",
         name, source);
    make(&f->w,
         "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'%s','namespace':'default'},'spec':{"
         "'accessModes':['ReadWriteOnce'],'storageClassName':'','volumeName':'pv-%s','resources':{'requests':{"
         "'storage':'1Gi'}}}}",
         name, name);
    make(&f->w,
         "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p-%s','namespace':'default'},'spec':{'nodeName':'n1',"
         "'containers':[{'name':'c','image':'busybox'}],'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':"
         "'%s'}}]}}",
         name, name);
    settle(&f->w);
}

static int64_t told(struct fixture *f, const char *claim)
{
    _auto_objlist_ struct objlist all = {0};
    int64_t n = 0;
    objlist_load(&all, f->w.registry, RES.events->bucket, NULL);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jstr(all.trees[i], "involvedObject.name"), claim) &&
            str_eq(jstr(all.trees[i], "reason"), "NoRoomForDisk"))
            n += jint(all.trees[i], "count", 1);
    return n;
}

static void test_who_is_told(void **state)
{
    struct fixture *f = *state;
    struct machine *m = f->env.machine;
    use(f, "a", VOL("1"), "'csi':{'driver':'ebs.csi.aws.com','volumeHandle':'" VOL("1") "'}");
    use(f, "b", VOL("2"), "'awsElasticBlockStore':{'volumeID':'aws://us-east-1a/" VOL("2") "'}");
    pass_seconds(&f->w, LONG);
    assert_int_equal(told(f, "a") + told(f, "b"), 0);
    machine_fake_starve(m, VOL("1"), true);
    pass_seconds(&f->w, LONG);
    assert_int_equal(told(f, "a"), 1);
    assert_int_equal(told(f, "b"), 0);
    assert_event(&f->w, "a", "NoRoomForDisk",
                 "the filesystem of this machine that holds the disk of volume \"pv-a\" is full: writes fail with \"No "
                 "space left on device\" or \"Input/output error\" until there is room");
    machine_fake_starve(m, VOL("2"), true);
    pass_seconds(&f->w, LONG);
    assert_int_equal(told(f, "a"), 1);
    assert_int_equal(told(f, "b"), 1);
    /* There was room, and there is none again. */
    machine_fake_starve(m, VOL("1"), false);
    pass_seconds(&f->w, LONG);
    machine_fake_starve(m, VOL("1"), true);
    pass_seconds(&f->w, LONG);
    assert_int_equal(told(f, "a"), 2);
    assert_int_equal(told(f, "b"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_who_is_told, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
