/* A machine without room: the claim whose disk wants some is told, once, and nobody else is. */
#include "disks_kit.h"

#define VOL(n) "vol-0000000000000000" n
#define LONG   30 /* seconds: several looks */

static int setup(void **state)
{
    *state = disks_open(1, NULL);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_who_is_told, setup, disks_close)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
