/* bench_bind.c - how long the binder takes to bind N claims to N volumes, with the journal on a real disk.
 *
 *     bench_bind DIR [N [ORDER]]
 *
 * Three orders: all objects are there when the loops start; volumes wait and claims come; claims wait and volumes come.
 * Objects are made through the registry, as the API server does, and their making is not counted. Prints milliseconds
 * each: of the clock, and of the processor (which says what a quiet machine would need); and how many writes they were.
 * With an ORDER ("claims-come") only that one. */
#include "binder/binder.h"

#include "api/resource.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "control/objects.h"
#include "sys/fake.h"
#include "volume/volume.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct house {
    struct store *store;
    struct registry *registry;
    struct control *control;
    struct binder_env env;
};

static double now_ms(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void die(const struct err *e)
{
    fprintf(stderr, "bench_bind: %s\n", e->msg);
    exit(1);
}

static void make(struct house *h, const struct resource *res, const char *ns, json_t *obj)
{
    struct err e = ERR_INIT;
    if (reg_make(h->registry, "bench", res, ns, obj, NULL, &e) < 0)
        die(&e);
}

static void make_volumes(struct house *h, int n)
{
    for (int i = 0; i < n; i++) {
        char name[32], size[32];
        snprintf(name, sizeof name, "pv-%05d", i);
        snprintf(size, sizeof size, "%dMi", 100 + i % 997);
        make(h, RES.persistentvolumes, "",
             json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:[s], s:{s:s}, s:{s:s}}}", "apiVersion", "v1", "kind",
                       "PersistentVolume", "metadata", "name", name, "spec", "storageClassName", "manual",
                       "accessModes", "ReadWriteOnce", "capacity", "storage", size, "hostPath", "path", "/data"));
    }
}

static void make_claims(struct house *h, int n)
{
    for (int i = 0; i < n; i++) {
        char name[32], size[32];
        snprintf(name, sizeof name, "claim-%05d", i);
        snprintf(size, sizeof size, "%dMi", 100 + i % 997);
        make(h, RES.persistentvolumeclaims, "default",
             json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:[s], s:{s:{s:s}}}}", "apiVersion", "v1", "kind",
                       "PersistentVolumeClaim", "metadata", "name", name, "namespace", "default", "spec",
                       "storageClassName", "manual", "accessModes", "ReadWriteOnce", "resources", "requests", "storage",
                       size));
    }
}

static void settle(struct house *h)
{
    control_go_on(h->control);
    while (!control_quiet(h->control))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* The loops see what is made when all of it is there. */
static void hold(struct house *h)
{
    while (!control_pause(h->control, 1000))
        continue;
}

static uint64_t writes(const struct house *h)
{
    struct store_stats st;
    store_stats(h->store, &st);
    return st.commits;
}

static int count_bound(struct house *h)
{
    _auto_objlist_ struct objlist claims = {0};
    int n = 0;
    objlist_load(&claims, h->registry, RES.persistentvolumeclaims->bucket, NULL);
    for (size_t i = 0; i < claims.len; i++)
        n += claim_phase(claims.trees[i]) == CLAIM_BOUND;
    return n;
}

static void start(struct house *h)
{
    struct err e = ERR_INIT;
    size_t n;
    const struct loop_def *const *loops = binder_loops(&n);
    for (size_t i = 0; i < n; i++)
        control_add(h->control, loops[i], &h->env);
    if (control_start(h->control, &e) < 0)
        die(&e);
}

static const struct order {
    const char *what;
    void (*first)(struct house *, int), (*second)(struct house *, int); /* NULL: the loops start last */
} orders[] = {
    {"all-there", NULL, NULL},
    {"claims-come", make_volumes, make_claims},
    {"volumes-come", make_claims, make_volumes},
};

static void run(const char *dir, int n, const struct order *o)
{
    struct house h = {0};
    struct err e = ERR_INIT;
    _auto_free_ char *path = xasprintf("%s/%d.db", dir, rand());
    struct store_conf sc = {.path = path, .clock = clock_real()};
    if (store_open(&sc, &h.store, &e) < 0)
        die(&e);
    struct registry_conf rc = {h.store, clock_real(), "10.96.0.0/12", "10.244.0.0/16"};
    h.registry = registry_new(&rc);
    if (registry_bootstrap(h.registry, "127.0.0.1", 6443, &e) < 0)
        die(&e);
    struct pool *pool = pool_new("bench-job", 16); /* as many as a cluster has */
    struct control_conf cc = {.registry = h.registry, .clock = clock_real(), .pool = pool};
    h.control = control_new(&cc);
    h.env.machine = machine_open_fake("bench");
    if (!o->second) {
        make_volumes(&h, n);
        make_claims(&h, n);
    }
    if (o->second) {
        start(&h);
        hold(&h);
        o->first(&h, n);
        settle(&h);
        hold(&h);
        o->second(&h, n);
    }
    uint64_t written = writes(&h);
    double began = now_ms(CLOCK_MONOTONIC), cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
    if (!o->second)
        start(&h);
    settle(&h);
    double done = now_ms(CLOCK_MONOTONIC);
    cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    written = writes(&h) - written;
    if (count_bound(&h) != n)
        fprintf(stderr, "bench_bind: only %d of %d are bound\n", count_bound(&h), n);
    printf("%s %.0f %.0f %" PRIu64 "\n", o->what, done - began, cpu, written);
    control_stop(h.control);
    control_free(h.control);
    pool_free(pool);
    registry_free(h.registry);
    store_close(h.store);
    h.env.machine->ops->close(h.env.machine);
    unlink(path);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_bind DIR [N]\n");
        return 2;
    }
    uint64_t n = 10000;
    if (argc > 2 && (!str_to_u64(argv[2], &n) || n > 1000000)) {
        fprintf(stderr, "bench_bind: N is a number up to a million\n");
        return 2;
    }
    mallopt(M_TOP_PAD, 64 * 1024 * 1024); /* as the program does (app/up.c) */
    resource_init();
    for (size_t i = 0; i < ARRAY_LEN(orders); i++)
        if (argc < 4 || str_eq(argv[3], orders[i].what))
            run(argv[1], (int)n, &orders[i]);
    return 0;
}
