/* disks_kit.h - the binder's loops on a fake machine with a cloud, for tests about disks. */
#ifndef STOWAGE_TESTS_BINDER_DISKS_KIT_H
#define STOWAGE_TESTS_BINDER_DISKS_KIT_H

#include "unit/loop_world.h"

#include "binder/binder.h"
#include "csi/cloud.h"
#include "sys/fake.h"
#include "unit/csi/cloud_kit.h"

#define ZONE ",'topology.kubernetes.io/zone':'us-east-1a'"

struct fixture {
    struct loop_world w;
    struct binder_env env;
    struct cloud *cloud;
};

/* `count` nodes, n1 and so on, in one zone. `id`: a disk that is there from the start, or NULL. */
static inline struct fixture *disks_open(int count, const char *id)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct err e = ERR_INIT;
    char name[8];
    size_t n;
    const struct loop_def *const *loops = binder_loops(&n);
    world_open(&f->w);
    world_account(&f->w);
    f->env.machine = machine_open_fake("test");
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "n%d", i + 1);
        const struct node_spec node = {.name = name, .index = i, .nodefs_bytes = INT64_C(1) << 30};
        assert_int_equal(f->env.machine->ops->node_start(f->env.machine, &node, &e), 0);
    }
    f->cloud = kit_cloud(f->env.machine, &f->w.clock.clock, NULL, "us-east-1a", "us-east-1a");
    const struct cloud_create disk = {.id = id, .zone = "us-east-1a", .gib = 1, .type = "gp3"};
    if (id)
        assert_int_equal(cloud_disk_create(f->cloud, &disk, NULL, &e), 0);
    world_start(&f->w, loops, n, &f->env);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "n%d", i + 1);
        _auto_free_ char *node = xasprintf(NODE("%s", ZONE, ""), name, name);
        make_node(&f->w, name, node);
    }
    return f;
}

static inline int disks_close(void **state)
{
    struct fixture *f = *state;
    world_close(&f->w);
    cloud_close(f->cloud);
    f->env.machine->ops->close(f->env.machine);
    free(f);
    return 0;
}

#endif
