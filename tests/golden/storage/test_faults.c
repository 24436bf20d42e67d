/* Bad luck, for every N: the N-th call of the machine fails, or takes effect and its answer is lost, or the whole
 * cluster dies before or after it. Then every object converges, bound volumes have their bytes, and when all was
 * deleted nothing is left.
 *
 * HOW: the loops of binder and kubelet run on the fake machine, step by step, on a fake clock. The machine's operations
 * are wrapped (FAULTY): they are counted, and the one chosen goes wrong. A scenario is a row: what is there before,
 * what is done while one call goes wrong, and how it is seen that all came right. It is played with N = 1, 2, … until
 * none of its calls is the N-th any more. Who dies does nothing any more: the machine refuses all, and the records of
 * the cloud are put back to what they were at that instant; then the cluster is started again.
 *
 * To add one: a row in `scenarios`. To make another operation fail: a FAULTY row and its place in wrap(). */
#include "unit/kubeletsim/kubelet_kit.h"

#include "binder/binder.h"
#include "csi/cloud.h"

#include <dirent.h>
#include <errno.h>

#define PV      RES.persistentvolumes
#define PVC     RES.persistentvolumeclaims
#define SNAP    RES.volumesnapshots
#define CONTENT RES.volumesnapshotcontents
#define VA      RES.volumeattachments

/* ---- what goes wrong ---- */

enum how { NONE, FAILS, ANSWER_LOST, DIES_BEFORE, DIES_AFTER, HOW_MAX };
static const char *const how_names[HOW_MAX] = {"", "fails", "answer lost", "dies before", "dies after"};

static struct {
    const struct machine_ops *real;
    enum how how;
    unsigned at, seen; /* call to go wrong; calls so far */
    bool hit, dead;
    char what[32]; /* the operation that went wrong */
    struct kit *kit;
} fault;

static void records_copy(const char *from, const char *to);
static char *records_dir(struct kit *kit, const char *name);

static void die(void)
{
    _auto_free_ char *live = records_dir(fault.kit, "cloud"), *kept = records_dir(fault.kit, "kept");
    fault.dead = true;
    records_copy(live, kept);
}

static int no_answer(struct err *e)
{
    return err_set(e, fault.dead ? ERR_UNAVAILABLE : ERR_SYS, "%s", fault.dead ? "the helper is gone" : "bad luck");
}

/* Is this the call that does not happen? */
static bool goes_wrong_before(const char *op)
{
    if (fault.dead || fault.how == NONE)
        return fault.dead;
    if (++fault.seen != fault.at)
        return false;
    fault.hit = true;
    snprintf(fault.what, sizeof fault.what, "%s", op);
    if (fault.how == DIES_BEFORE)
        die();
    return fault.how == FAILS || fault.how == DIES_BEFORE;
}

/* It happened; does anybody learn of it? */
static bool goes_wrong_after(void)
{
    if (!fault.hit || fault.seen != fault.at || fault.dead)
        return false;
    if (fault.how == DIES_AFTER)
        die();
    return fault.how == DIES_AFTER || fault.how == ANSWER_LOST;
}

#define FAULTY(op, params, args)                                                                                       \
    static int faulty_##op params                                                                                      \
    {                                                                                                                  \
        if (goes_wrong_before(#op))                                                                                    \
            return no_answer(e);                                                                                       \
        const unsigned turn = fault.seen;                                                                              \
        const int rc = fault.real->op args;                                                                            \
        return rc == 0 && turn == fault.at && goes_wrong_after() ? no_answer(e) : rc;                                  \
    }
#define M struct machine *m
#define E struct err *e
#define N const char *node

// clang-format off
FAULTY(node_start, (M, const struct node_spec *s, E), (m, s, e))
FAULTY(disk_create, (M, const char *id, int64_t bytes, E), (m, id, bytes, e))
FAULTY(disk_create_ext4, (M, const char *id, int64_t bytes, E), (m, id, bytes, e))
FAULTY(disk_grow, (M, const char *id, int64_t bytes, E), (m, id, bytes, e))
FAULTY(disk_delete, (M, const char *id, E), (m, id, e))
FAULTY(disk_copy, (M, const char *from, const char *to, int64_t bytes, E), (m, from, to, bytes, e))
FAULTY(disk_info, (M, const char *id, struct disk_info *out, E), (m, id, out, e))
FAULTY(disk_attach, (M, const char *id, N, const char *device, unsigned how, E), (m, id, node, device, how, e))
FAULTY(disk_detach, (M, const char *id, N, E), (m, id, node, e))
FAULTY(fs_mount, (M, const struct fs_mount *s, E), (m, s, e))
FAULTY(fs_grow, (M, N, const char *device, const char *target, E), (m, node, device, target, e))
FAULTY(bind, (M, N, const char *source, const char *target, bool ro, E), (m, node, source, target, ro, e))
FAULTY(tmpfs, (M, N, const char *target, int64_t bytes, mode_t mode, E), (m, node, target, bytes, mode, e))
FAULTY(unmount, (M, N, const char *target, E), (m, node, target, e))
FAULTY(fs_stat, (M, N, const char *path, struct fs_stat *out, E), (m, node, path, out, e))
FAULTY(mkdir_p, (M, N, const char *path, mode_t mode, E), (m, node, path, mode, e))
FAULTY(remove_all, (M, N, const char *path, E), (m, node, path, e))
FAULTY(stat, (M, N, const char *path, struct stat *out, E), (m, node, path, out, e))
FAULTY(chown_tree, (M, N, const char *path, uint32_t gid, bool ro, E), (m, node, path, gid, ro, e))
FAULTY(write_volume, (M, N, const char *dir, const struct file_spec *files, size_t count, int64_t gid, bool *changed, E),
       (m, node, dir, files, count, gid, changed, e))
FAULTY(sandbox_start, (M, const struct sandbox_spec *s, E), (m, s, e))
FAULTY(sandbox_stop, (M, N, const char *id, E), (m, node, id, e))
FAULTY(container_start, (M, const struct container_spec *s, pid_t *pid, E), (m, s, pid, e))
FAULTY(container_signal, (M, N, const char *id, int sig, E), (m, node, id, sig, e))
FAULTY(container_remove, (M, N, const char *id, bool purge, E), (m, node, id, purge, e))
// clang-format on

/* Disks are kept: the cloud must not make up what is lost. */
static void lasting_info(struct machine *m, struct machine_info *out)
{
    fault.real->info(m, out);
    out->simulated = false;
}

static void wrap(struct kit *kit)
{
    fault.real = kit->fake_ops;
    fault.kit = kit;
    kit->ops.info = lasting_info;
#define WRAP(op) kit->ops.op = faulty_##op
    WRAP(node_start), WRAP(disk_create), WRAP(disk_create_ext4), WRAP(disk_grow), WRAP(disk_delete), WRAP(disk_copy);
    WRAP(disk_info), WRAP(disk_attach), WRAP(disk_detach), WRAP(fs_mount), WRAP(fs_grow), WRAP(bind), WRAP(tmpfs);
    WRAP(unmount), WRAP(fs_stat), WRAP(mkdir_p), WRAP(remove_all), WRAP(stat), WRAP(chown_tree), WRAP(write_volume);
    WRAP(sandbox_start), WRAP(sandbox_stop), WRAP(container_start), WRAP(container_signal), WRAP(container_remove);
}

/* ---- the records of the cloud ---- */

static char *records_dir(struct kit *kit, const char *name)
{
    return xasprintf("%s/%s", kit->dir, name);
}

static void copy_file(const char *from, const char *to)
{
    char text[16384];
    _auto_file_ FILE *in = fopen(from, "re"), *out = fopen(to, "we");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t n; (n = fread(text, 1, sizeof text, in)) > 0;)
        assert_int_equal(fwrite(text, 1, n, out), n);
}

/* Calls fn for each file; returns how many there are. */
static size_t records_each(const char *dir, const char *other, void (*fn)(const char *path, const char *other))
{
    size_t n = 0;
    DIR *d = opendir(dir);
    for (const struct dirent *entry; d && (entry = readdir(d));) {
        if (entry->d_name[0] == '.')
            continue;
        _auto_free_ char *path = xasprintf("%s/%s", dir, entry->d_name);
        _auto_free_ char *to = xasprintf("%s/%s", other, entry->d_name);
        if (fn)
            fn(path, to);
        n++;
    }
    if (d)
        closedir(d);
    return n;
}

static void remove_file(const char *path, const char *other)
{
    (void)other;
    assert_int_equal(unlink(path), 0);
}

static void records_copy(const char *from, const char *to)
{
    if (mkdir(to, 0700) < 0)
        assert_int_equal(errno, EEXIST);
    records_each(to, "", remove_file);
    records_each(from, to, copy_file);
}

/* ---- a cluster that can die ---- */

static void start(struct kit *kit)
{
    static struct binder_env env;
    size_t n;
    struct cloud *cloud = NULL;
    struct err e = ERR_INIT;
    const struct loop_def *const *loops = binder_loops(&n);
    _auto_free_ char *dir = records_dir(kit, "cloud");
    const struct cloud_conf conf = {
        .machine = kit->machine, .dir = dir, .clock = &kit->w.clock.clock, .region = "us-east-1"};
    env.machine = kit->machine;
    if (cloud_open(&conf, &cloud, &e) < 0)
        fail_msg("cloud: %s", e.msg);
    for (int i = 0; i < 2; i++) {
        struct cloud_instance at = {.type = CLOUD_INSTANCE_TYPE, .attach_limit = 26};
        kubelet_node_name(i, at.node);
        kubelet_node_place("us-east-1", NULL, i, at.zone, at.ip);
        cloud_instance_id(at.node, at.id);
        cloud_instance_add(cloud, &at);
    }
    for (size_t i = 0; i < n; i++)
        control_add(kit->w.control, loops[i], &env);
    kit_open_kubelet(kit);
    if (cloud_resume(cloud, &e) < 0)
        fail_msg("resume: %s", e.msg);
    settle(&kit->w);
}

static void stop(struct kit *kit)
{
    control_stop(kit->w.control);
    kubelet_close(kit->kubelet);
    control_free(kit->w.control);
    cloud_close(kit->machine->cloud);
}

static void start_again(struct kit *kit)
{
    _auto_free_ char *live = records_dir(kit, "cloud"), *kept = records_dir(kit, "kept");
    const struct control_conf conf = {.registry = kit->w.registry, .clock = &kit->w.clock.clock, .step_mode = true};
    stop(kit);
    records_copy(kept, live);
    fault.dead = false;
    fault.how = NONE;
    machine_fake_reboot(kit->machine);
    kit->w.control = control_new(&conf);
    start(kit);
}

/* ---- scenarios ---- */

static void claim(struct kit *kit, const char *name, const char *size, const char *source)
{
    make(&kit->w,
         "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'%s','namespace':'default'},'spec':{"
         "'accessModes':['ReadWriteOnce'],'storageClassName':'gp3','resources':{'requests':{'storage':'%s'}}%s}}",
         name, size, source);
}

static void pod(struct kit *kit)
{
    make(&kit->w, POD_ON_NODE("p", ",'command':['sleep','1000'],'volumeMounts':[{'name':'v','mountPath':'/data'}]",
                              ",'terminationGracePeriodSeconds':1,'volumes':[{'name':'v','persistentVolumeClaim':{"
                              "'claimName':'c'}}]"));
}

static void do_claim(struct kit *kit)
{
    claim(kit, "c", "1Gi", "");
}

static void do_pod(struct kit *kit)
{
    pod(kit);
}

static void do_claim_and_pod(struct kit *kit)
{
    do_claim(kit);
    settle(&kit->w);
    pod(kit);
}

static void do_grow(struct kit *kit)
{
    change(&kit->w, PVC, "c", "", "spec.resources.requests.storage", "'2Gi'");
}

static void do_snapshot(struct kit *kit)
{
    make(&kit->w, "{'apiVersion':'snapshot.storage.k8s.io/v1','kind':'VolumeSnapshot','metadata':{'name':'s',"
                  "'namespace':'default'},'spec':{'volumeSnapshotClassName':'csi','source':{"
                  "'persistentVolumeClaimName':'c'}}}");
}

static void do_all_to_restore(struct kit *kit)
{
    do_claim_and_pod(kit);
    pass_seconds(&kit->w, 10);
    do_snapshot(kit);
}

static void do_restore(struct kit *kit)
{
    claim(kit, "r", "1Gi", ",'dataSource':{'apiGroup':'snapshot.storage.k8s.io','kind':'VolumeSnapshot','name':'s'}");
}

static void do_clone(struct kit *kit)
{
    claim(kit, "r", "1Gi", ",'dataSource':{'kind':'PersistentVolumeClaim','name':'c'}");
}

static void do_delete_pod(struct kit *kit)
{
    delete_it(&kit->w, PODS, "p", NULL);
}

static void do_delete_snapshot(struct kit *kit)
{
    delete_it(&kit->w, SNAP, "s", NULL);
}

static void do_delete_claim(struct kit *kit)
{
    delete_it(&kit->w, PVC, "c", NULL);
}

static bool is(struct kit *kit, const struct resource *res, const char *name, const char *path, const char *want)
{
    return str_eq(text_at(&kit->w, res, name, path), want);
}

static bool bound(struct kit *kit)
{
    return is(kit, PVC, "c", "status.phase", "Bound");
}

static bool runs(struct kit *kit)
{
    return bound(kit) && is(kit, PODS, "p", "status.phase", "Running") &&
           is(kit, PODS, "p", "status.containerStatuses", "") == false &&
           cs(kit, "p", "c", "state.running.startedAt")[0];
}

static bool grown(struct kit *kit)
{
    return runs(kit) && is(kit, PVC, "c", "status.capacity.storage", "2Gi") &&
           is(kit, PVC, "c", "status.conditions", "");
}

static bool ready(struct kit *kit)
{
    return is(kit, SNAP, "s", "status.readyToUse", "true");
}

static bool running_and_ready(struct kit *kit)
{
    return runs(kit) && ready(kit);
}

static bool copied(struct kit *kit)
{
    return is(kit, PVC, "r", "status.phase", "Bound");
}

static bool detached(struct kit *kit)
{
    struct fake_counts left;
    machine_fake_count(kit->machine, &left);
    return is(kit, PODS, "p", "status.phase", "(gone)") && count(&kit->w, VA) == 0 && left.attached == 0;
}

static bool snapshot_gone(struct kit *kit)
{
    return count(&kit->w, SNAP) + count(&kit->w, CONTENT) == 0;
}

static bool claim_gone(struct kit *kit)
{
    return count(&kit->w, PVC) + count(&kit->w, PV) == 0;
}

static const struct scenario {
    const char *name;
    void (*before)(struct kit *kit); /* NULL: nothing */
    bool (*before_done)(struct kit *kit);
    void (*act)(struct kit *kit);
    bool (*done)(struct kit *kit);
} scenarios[] = {
    {"create", NULL, NULL, do_claim, bound},
    {"attach, format, mount, run", do_claim, bound, do_pod, runs},
    {"grow while in use", do_claim_and_pod, runs, do_grow, grown},
    {"snapshot while in use", do_claim_and_pod, runs, do_snapshot, ready},
    {"restore", do_all_to_restore, running_and_ready, do_restore, copied},
    {"clone", do_claim_and_pod, runs, do_clone, copied},
    {"stop, unmount, detach", do_claim_and_pod, runs, do_delete_pod, detached},
    {"delete snapshot", do_all_to_restore, running_and_ready, do_delete_snapshot, snapshot_gone},
    {"delete claim", do_claim, bound, do_delete_claim, claim_gone},
};

/* ---- playing one ---- */

/* Lets time pass until it is so. */
static void until(struct kit *kit, bool (*done)(struct kit *kit), const char *what)
{
    settle(&kit->w);
    for (int i = 0; i < 900 && !done(kit); i++)
        pass_seconds(&kit->w, 1);
    if (done(kit))
        return;
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, kit->w.registry, RES.events->bucket, NULL);
    for (size_t i = all.len > 12 ? all.len - 12 : 0; i < all.len; i++)
        print_message("  %s %s: %s\n", jstr_or(all.trees[i], "involvedObject.name", "?"),
                      jstr_or(all.trees[i], "reason", "?"), jstr_or(all.trees[i], "message", "?"));
    struct fake_counts left;
    machine_fake_count(kit->machine, &left);
    print_message("  left: %u disks, %u attached, %u mounts, %u sandboxes, %u containers\n", left.disks, left.attached,
                  left.mounts, left.sandboxes, left.containers);
    fail_msg("%s: call %u (%s) %s: it never comes right", what, fault.at, fault.what, how_names[fault.how]);
}

static unsigned bytes_of(struct kit *kit, const char *name)
{
    char pv[256];
    snprintf(pv, sizeof pv, "%s", text_at(&kit->w, PVC, name, "spec.volumeName"));
    return machine_fake_content(kit->machine, text_at(&kit->w, PV, pv, "spec.csi.volumeHandle"));
}

static bool cloud_is_empty(struct cloud *c)
{
    struct cloud_disk *disks;
    struct cloud_snapshot *snapshots;
    const size_t n = cloud_disks(c, NULL, NULL, &disks), m = cloud_snapshots(c, &snapshots);
    cloud_disks_free(disks, n);
    cloud_snapshots_free(snapshots, m);
    return n + m == 0;
}

static bool all_gone(struct kit *kit)
{
    struct fake_counts left;
    machine_fake_count(kit->machine, &left);
    return count(&kit->w, PODS) + count(&kit->w, PVC) + count(&kit->w, PV) + count(&kit->w, SNAP) +
                   count(&kit->w, CONTENT) + count(&kit->w, VA) ==
               0 &&
           left.disks + left.mounts + left.containers + left.sandboxes == 0 && cloud_is_empty(kit->machine->cloud);
}

static void delete_if_there(struct kit *kit, const struct resource *res, const char *name)
{
    if (!is(kit, res, name, "metadata.name", "(gone)"))
        delete_it(&kit->w, res, name, NULL);
}

/* Plays it with call `at` going wrong. False: there are not so many calls. */
static bool play(struct kit *kit, const struct scenario *s, enum how how, unsigned at)
{
    if (s->before) {
        s->before(kit);
        until(kit, s->before_done, "before");
    }
    const unsigned bytes = bytes_of(kit, "c");
    fault.how = how;
    fault.at = at;
    fault.seen = 0;
    fault.hit = false;
    s->act(kit);
    settle(&kit->w);
    for (int i = 0; i < 30 && !fault.hit && !s->done(kit); i++)
        pass_seconds(&kit->w, 1);
    const bool hit = fault.hit;
    if (fault.dead)
        start_again(kit);
    until(kit, s->done, s->name);
    fault.how = NONE; /* no more of it while all is deleted */
    if (bytes && !is(kit, PVC, "c", "status.phase", "(gone)"))
        assert_int_equal(bytes_of(kit, "c"), bytes);
    if (bytes && s->done == copied)
        assert_int_equal(bytes_of(kit, "r"), bytes);
    delete_if_there(kit, PODS, "p");
    delete_if_there(kit, SNAP, "s");
    delete_if_there(kit, PVC, "r");
    delete_if_there(kit, PVC, "c");
    until(kit, all_gone, "deleting all");
    return hit;
}

static void sweep(void **state, enum how how)
{
    struct kit *kit = *state;
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
        unsigned at = 1;
        while (play(kit, &scenarios[i], how, at))
            at++;
        print_message("%s: %s: %u calls\n", scenarios[i].name, how_names[how], at - 1);
        assert_true(at > 1);
    }
    die();
    start_again(kit);
    assert_true(all_gone(kit));
}

static void test_fails(void **state)
{
    sweep(state, FAILS);
}

static void test_answer_lost(void **state)
{
    sweep(state, ANSWER_LOST);
}

static void test_dies_before(void **state)
{
    sweep(state, DIES_BEFORE);
}

static void test_dies_after(void **state)
{
    sweep(state, DIES_AFTER);
}

static int setup(void **state)
{
    struct kit *kit;
    kit_setup(state);
    kit = *state;
    control_stop(kit->w.control);
    kubelet_close(kit->kubelet);
    control_free(kit->w.control);
    wrap(kit);
    machine_fake_reboot(kit->machine);
    const struct control_conf conf = {.registry = kit->w.registry, .clock = &kit->w.clock.clock, .step_mode = true};
    kit->w.control = control_new(&conf);
    start(kit);
    make(&kit->w, "{'apiVersion':'storage.k8s.io/v1','kind':'StorageClass','metadata':{'name':'gp3'},'provisioner':"
                  "'ebs.csi.aws.com','allowVolumeExpansion':true}");
    make(&kit->w, "{'apiVersion':'snapshot.storage.k8s.io/v1','kind':'VolumeSnapshotClass','metadata':{'name':'csi'},"
                  "'driver':'ebs.csi.aws.com','deletionPolicy':'Delete'}");
    settle(&kit->w);
    return 0;
}

static int teardown(void **state)
{
    struct kit *kit = *state;
    struct cloud *cloud = kit->machine->cloud;
    fault.how = NONE;
    cloud_close(cloud);
    return kit_teardown(state);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_fails), T(test_answer_lost), T(test_dies_before), T(test_dies_after)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
