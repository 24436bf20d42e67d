/* bench_store.c - how fast the store commits and lists.
 *
 *     bench_store [seconds per case] [file]      (Release build; default 2 s, a file in the working directory)
 *
 * Cases: threads that create, that update 7,000 objects at random, and that do so without a disk; then lists of 7,000
 * objects, a watcher that follows the writers, and replay. */
#include "base/clock.h"
#include "base/mem.h"
#include "store/store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OBJECTS = 7000, BYTES = 1024 };

struct worker {
    struct store *store;
    pthread_t thread;
    unsigned id;
    bool create;
    atomic_bool *stop;
    uint64_t done;
};

static double now_s(void)
{
    return (double)clock_mono_ns(clock_real()) / 1e9;
}

/* An object of about 1 KiB, shaped like one of the API's. */
static json_t *make_object(const char *name)
{
    static const char filler[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    json_t *labels = json_pack("{s:s,s:s}", "app", "web", "tier", "backend");
    json_t *data = json_object();
    for (int i = 0; i < 10; i++) {
        char key[16];
        snprintf(key, sizeof key, "field-%d", i);
        json_object_set_new(data, key, json_string(filler));
    }
    return json_pack("{s:s,s:s,s:{s:s,s:s,s:s,s:o},s:o}", "kind", "ConfigMap", "apiVersion", "v1", "metadata", "name",
                     name, "namespace", "default", "uid", "00000000-0000-4000-8000-000000000000", "labels", labels,
                     "data", data);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    unsigned seed = w->id * 7919 + 1;
    struct err e = ERR_INIT;
    while (!atomic_load(w->stop)) {
        char name[48];
        if (w->create)
            snprintf(name, sizeof name, "new-%u-%" PRIu64, w->id, w->done);
        else
            snprintf(name, sizeof name, "object-%u", (unsigned)rand_r(&seed) % OBJECTS);
        if (store_put(w->store, "configmaps", "default", name, RV_ANY, make_object(name), NULL, &e) < 0) {
            fprintf(stderr, "put: %s\n", e.msg);
            exit(1);
        }
        w->done++;
    }
    return NULL;
}

static void run_writers(struct store *s, const char *label, unsigned threads, bool create, double seconds)
{
    struct worker workers[64] = {0};
    atomic_bool stop = false;
    struct store_stats before, after;
    store_stats(s, &before);
    double start = now_s();
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (struct worker){.store = s, .id = i, .create = create, .stop = &stop};
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    usleep((useconds_t)(seconds * 1e6));
    atomic_store(&stop, true);
    uint64_t total = 0;
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        total += workers[i].done;
    }
    double took = now_s() - start;
    store_stats(s, &after);
    printf("%-28s %2u threads  %9.0f commits/s   %5.1f a group   journal %zu KiB\n", label, threads,
           (double)total / took, (double)(after.commits - before.commits) / (double)(after.groups - before.groups),
           after.journal_bytes / 1024);
}

static int sum_bytes(struct sobj *obj, void *arg)
{
    *(size_t *)arg += obj->len;
    return 0;
}

static void run_lists(struct store *s)
{
    double start = now_s();
    size_t bytes = 0, objects = 0;
    enum { ROUNDS = 200 };
    for (int i = 0; i < ROUNDS; i++) {
        struct snapshot *snap = store_snapshot(s);
        snapshot_scan(snap, "configmaps", NULL, NULL, NULL, sum_bytes, &bytes);
        objects = snapshot_count(snap, "configmaps");
        snapshot_unref(snap);
    }
    double ms = (now_s() - start) * 1000 / ROUNDS;
    printf("%-28s %zu objects  %9.3f ms a list   %zu bytes\n", "list", objects, ms, bytes / ROUNDS);
}

static void fill(struct store *s)
{
    struct err e = ERR_INIT;
    for (int i = 0; i < OBJECTS; i++) {
        char name[48];
        snprintf(name, sizeof name, "object-%d", i);
        store_put(s, "configmaps", "default", name, RV_ANY, make_object(name), NULL, &e);
    }
}

static struct store *open_or_die(const char *path)
{
    struct store_conf conf = {.path = path, .clock = clock_real()};
    struct store *s = NULL;
    struct err e = ERR_INIT;
    if (store_open(&conf, &s, &e) < 0) {
        fprintf(stderr, "%s\n", e.msg);
        exit(1);
    }
    return s;
}

static void remove_files(const char *path)
{
    _auto_free_ char *wal = xasprintf("%s-wal", path);
    unlink(path);
    unlink(wal);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 2;
    const char *path = argc > 2 ? argv[2] : "bench_store.db";
    size_t size = 0;
    json_t *one = make_object("object-0");
    size = json_dumpb(one, NULL, 0, JSON_COMPACT);
    json_decref(one);
    printf("objects of %zu bytes\n", size);

    struct store *memory = open_or_die(NULL);
    fill(memory);
    run_writers(memory, "update, no disk", 8, false, seconds);
    store_close(memory);

    remove_files(path);
    struct store *s = open_or_die(path);
    fill(s);
    run_lists(s);
    run_writers(s, "update", 1, false, seconds);
    run_writers(s, "update", 8, false, seconds);
    run_writers(s, "update", 32, false, seconds);
    run_writers(s, "create", 8, true, seconds);
    store_close(s);
    double start = now_s();
    s = open_or_die(path);
    struct store_stats stats;
    store_stats(s, &stats);
    printf("%-28s %zu objects  %9.1f ms\n", "replay", stats.objects, (now_s() - start) * 1000);
    store_close(s);
    remove_files(path);
    return 0;
}
