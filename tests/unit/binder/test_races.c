/* Many claims, few volumes, everybody at once: no volume is ever promised twice, no claim is left waiting beside a
 * volume that fits it. Worlds of chance, the same on every machine. */
#include "unit/loop_world.h"

#include "binder/binder.h"
#include "sys/fake.h"
#include "volume/volume.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define PV  RES.persistentvolumes
#define PVC RES.persistentvolumeclaims

static uint64_t seed;

static unsigned chance(unsigned n)
{
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(seed >> 33) % n;
}

/* -- what must always hold -- */

static void check_invariants(struct loop_world *w)
{
    _auto_objlist_ struct objlist claims = {0}, pvs = {0};
    objlist_load(&claims, w->registry, PVC->bucket, NULL);
    objlist_load(&pvs, w->registry, PV->bucket, NULL);
    for (size_t i = 0; i < claims.len; i++) {
        const char *volume = jstr_or(claims.trees[i], "spec.volumeName", "");
        if (!claim_fully_bound(claims.trees[i]))
            continue;
        for (size_t k = i + 1; k < claims.len; k++)
            if (claim_fully_bound(claims.trees[k]) && str_eq(jstr(claims.trees[k], "spec.volumeName"), volume))
                fail_msg("seed %llu: %s and %s are both bound to %s", (unsigned long long)seed, claims.items[i]->name,
                         claims.items[k]->name, volume);
        const struct sobj *pv = objlist_find(&pvs, "", volume);
        if (pv && claim_phase(claims.trees[i]) == CLAIM_BOUND && !pv_owned_by_claim(pv->tree, claims.trees[i]))
            fail_msg("%s is bound to %s, which is not its own", claims.items[i]->name, volume);
    }
}

/* Once all has come to rest, no claim waits for a volume that is there. */
static void check_nobody_forgotten(struct loop_world *w)
{
    _auto_objlist_ struct objlist claims = {0}, pvs = {0};
    objlist_load(&claims, w->registry, PVC->bucket, NULL);
    objlist_load(&pvs, w->registry, PV->bucket, NULL);
    for (size_t i = 0; i < claims.len; i++) {
        struct pv_match_opts opts = {0};
        const json_t *claim = claims.trees[i];
        if (*jstr_or(claim, "spec.volumeName", "") || obj_deleting(claim))
            continue;
        const json_t *pv = pv_pick(claim, pvs.trees, pvs.len, &opts);
        if (pv)
            fail_msg("%s waits though %s fits", claims.items[i]->name, obj_name(pv));
    }
}

/* -- what happens -- */

static const char *const sizes[] = {"1Gi", "2Gi", "5Gi"};

static void drop(struct loop_world *w, const struct resource *res, const char *name)
{
    _auto_sobj_ struct sobj *o = get(w, res, name);
    if (o && !obj_deleting(o->tree))
        delete_it(w, res, name, NULL);
}

static void free_volume(struct loop_world *w, const char *name)
{
    _auto_sobj_ struct sobj *o = get(w, PV, name);
    if (o && pv_phase(o->tree) == PV_RELEASED && !obj_deleting(o->tree))
        change(w, PV, name, "", "spec.claimRef", NULL);
}

static void something(struct loop_world *w, unsigned *claims, unsigned *volumes)
{
    char name[16];
    switch (chance(6)) {
    case 0:
    case 1:
        make(
            w,
            "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'c%u','namespace':'default'},'spec':{"
            "'accessModes':['%s'],'storageClassName':'','resources':{'requests':{'storage':'%s'}}}}",
            (*claims)++, chance(3) ? "ReadWriteOnce" : "ReadWriteMany", sizes[chance(3)]);
        break;
    case 2:
    case 3:
        make(w,
             "{'apiVersion':'v1','kind':'PersistentVolume','metadata':{'name':'v%u'},'spec':{'accessModes':[%s],"
             "'capacity':{'storage':'%s'},'hostPath':{'path':'/x'}%s}}",
             (*volumes)++, chance(3) ? "'ReadWriteOnce'" : "'ReadWriteOnce','ReadWriteMany'", sizes[chance(3)],
             chance(8) ? "" : ",'claimRef':{'namespace':'default','name':'c3'}");
        break;
    case 4:
        snprintf(name, sizeof name, "c%u", chance(*claims + 1));
        drop(w, PVC, name);
        break;
    default:
        snprintf(name, sizeof name, "v%u", chance(*volumes + 1));
        if (chance(3))
            free_volume(w, name);
        else
            drop(w, PV, name);
    }
}

static void one_world(uint64_t n)
{
    struct loop_world w;
    struct binder_env env = {.machine = machine_open_fake("test")};
    size_t count;
    unsigned claims = 0, volumes = 0;
    seed = n;
    world_open(&w);
    const struct loop_def *const *loops = binder_loops(&count);
    world_start(&w, loops, count, &env);
    for (int i = 0; i < 120; i++) {
        something(&w, &claims, &volumes);
        if (chance(3) == 0)
            control_step(w.control); /* the loops come to it now, or after more has happened */
        if (i % 20 == 0)
            check_invariants(&w);
    }
    pass_seconds(&w, 16);
    check_invariants(&w);
    check_nobody_forgotten(&w);
    world_close(&w);
    env.machine->ops->close(env.machine);
}

static void test_many_worlds(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 12; n++)
        one_world(n * 7919);
}

/* One volume, twenty claims at once; then nineteen more volumes, one by one. */
static void test_few_for_many(void **state)
{
    (void)state;
    struct loop_world w;
    struct binder_env env = {.machine = machine_open_fake("test")};
    size_t count;
    world_open(&w);
    const struct loop_def *const *loops = binder_loops(&count);
    world_start(&w, loops, count, &env);
    for (int i = 0; i < 20; i++)
        make(&w, CLAIM("c%d", "1Gi", ",'storageClassName':''"), i);
    for (int i = 0; i < 20; i++) {
        make(&w, VOLUME("v%d", "1Gi", ",'hostPath':{'path':'/x'}"), i);
        settle(&w); /* no second passes: no resync helps */
        _auto_objlist_ struct objlist all = {0};
        objlist_load(&all, w.registry, PVC->bucket, NULL);
        int bound = 0;
        for (size_t k = 0; k < all.len; k++)
            bound += claim_phase(all.trees[k]) == CLAIM_BOUND;
        assert_int_equal(bound, i + 1);
        check_invariants(&w);
    }
    world_close(&w);
    env.machine->ops->close(env.machine);
}

/* -- bindings that are written side by side -- */

#define PAIRS 64

static void make_pairs(struct loop_world *w)
{
    for (int i = 0; i < PAIRS; i++)
        make(w, VOLUME("v%d", "1Gi", ",'hostPath':{'path':'/x'}"), i);
    for (int i = 0; i < PAIRS; i++)
        make(w, CLAIM("c%d", "1Gi", ",'storageClassName':''"), i);
}

static bool all_bound(struct loop_world *w)
{
    _auto_objlist_ struct objlist claims = {0}, pvs = {0};
    size_t bound = 0;
    objlist_load(&claims, w->registry, PVC->bucket, NULL);
    objlist_load(&pvs, w->registry, PV->bucket, NULL);
    for (size_t i = 0; i < claims.len; i++)
        bound += claim_phase(claims.trees[i]) == CLAIM_BOUND && claim_fully_bound(claims.trees[i]);
    for (size_t i = 0; i < pvs.len; i++)
        bound += pv_phase(pvs.trees[i]) == PV_BOUND;
    return bound == 2 * PAIRS;
}

static void test_workers_take_part(void **state)
{
    (void)state;
    struct loop_world w;
    struct binder_env env = {.machine = machine_open_fake("test")};
    struct pool *pool = pool_new("test", 4);
    size_t count;
    world_open_threads(&w, pool);
    const struct loop_def *const *loops = binder_loops(&count);
    world_start(&w, loops, count, &env);
    make_pairs(&w);
    await(&w, all_bound, "every claim is bound, and every volume");
    check_invariants(&w);
    world_close(&w);
    pool_free(pool);
    env.machine->ops->close(env.machine);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit r;
    getrlimit(RLIMIT_FSIZE, &r);
    r.rlim_cur = bytes < r.rlim_max ? bytes : r.rlim_max;
    setrlimit(RLIMIT_FSIZE, &r);
}

/* Nothing can be written for a while: then all is as it would have been. */
static void test_full_disk(void **state)
{
    (void)state;
    struct loop_world w;
    struct binder_env env = {.machine = machine_open_fake("test")};
    char dir[] = "/tmp/stowage-test-races-XXXXXX";
    size_t count;
    assert_non_null(mkdtemp(dir));
    _auto_free_ char *path = xasprintf("%s/state.db", dir);
    world_open_file(&w, path);
    const struct loop_def *const *loops = binder_loops(&count);
    world_start(&w, loops, count, &env);
    settle(&w);
    make_pairs(&w);
    signal(SIGXFSZ, SIG_IGN);
    limit_files(0);
    control_step(w.control);
    limit_files(RLIM_INFINITY);
    assert_false(store_writable(w.store));
    assert_false(all_bound(&w));
    check_invariants(&w);
    pass_seconds(&w, 40);
    assert_true(all_bound(&w));
    check_invariants(&w);
    world_close(&w);
    env.machine->ops->close(env.machine);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_many_worlds), cmocka_unit_test(test_few_for_many),
                                       cmocka_unit_test(test_workers_take_part), cmocka_unit_test(test_full_disk)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
