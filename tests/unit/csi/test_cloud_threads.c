/* Many hands on the same disks: each operation is whole, refusals are in order, and nothing is left. For TSan too. */
#include "csi/cloud.h"

#include "base/mem.h"
#include "sys/fake.h"
#include "unit/csi/cloud_kit.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define GIB     (INT64_C(1) << 30)
#define THREADS 6
#define ROUNDS  60
#define DISKS   4

static struct cloud *cloud;

static void one_round(unsigned n)
{
    static const char *const nodes[] = {"n1", "n2"};
    char id[CLOUD_ID_LEN], token[16];
    struct err e = ERR_INIT;
    snprintf(id, sizeof id, "vol-0000000000000000%u", n % DISKS);
    snprintf(token, sizeof token, "pvc-%u", n % 3);
    const struct cloud_create by_id = {.id = id, .zone = "us-east-1a", .gib = 1, .type = "gp3"};
    const struct cloud_create by_token = {.token = token, .zone = "us-east-1a", .gib = 1, .type = "gp3"};
    const struct cloud_change grow = {.gib = 2 + n % 3};
    struct cloud_disk *list;
    _auto_disk_ struct cloud_disk made = {0};
    cloud_disk_create(cloud, &by_id, NULL, &e);
    if (cloud_disk_create(cloud, &by_token, &made, &e) == 0)
        cloud_disk_delete(cloud, made.id, &e);
    cloud_disk_attach(cloud, id, nodes[n % 2], NULL, false, NULL, &e);
    cloud_tag(cloud, id, "round", "x", &e);
    cloud_disk_modify(cloud, id, &grow, NULL, &e);
    size_t seen = cloud_disks(cloud, NULL, NULL, &list);
    cloud_disks_free(list, seen);
    cloud_disk_detach(cloud, id, NULL, NULL, false, &e);
    if (n % 5 == 0)
        cloud_disk_delete(cloud, id, &e);
}

static void *work(void *arg)
{
    unsigned first = *(unsigned *)arg;
    for (unsigned i = 0; i < ROUNDS; i++)
        one_round(first + i);
    return NULL;
}

static void test_many_hands(void **state)
{
    (void)state;
    struct machine *m = machine_open_fake("test");
    struct node_spec n1 = {.name = "n1", .nodefs_bytes = GIB}, n2 = {.name = "n2", .index = 1, .nodefs_bytes = GIB};
    struct err e = ERR_INIT;
    pthread_t threads[THREADS];
    unsigned first[THREADS];
    assert_int_equal(m->ops->node_start(m, &n1, &e), 0);
    assert_int_equal(m->ops->node_start(m, &n2, &e), 0);
    cloud = kit_cloud(m, clock_real(), NULL, "us-east-1a", "us-east-1a");
    for (unsigned i = 0; i < THREADS; i++) {
        first[i] = i * 7;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &first[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    struct cloud_disk *list;
    size_t n = cloud_disks(cloud, NULL, NULL, &list);
    for (size_t i = 0; i < n; i++) {
        assert_true(list[i].state == CLOUD_AVAILABLE || list[i].state == CLOUD_IN_USE);
        cloud_disk_detach(cloud, list[i].id, NULL, NULL, false, &e);
        assert_int_equal(cloud_disk_delete(cloud, list[i].id, &e), 0);
    }
    cloud_disks_free(list, n);
    struct fake_counts left;
    machine_fake_count(m, &left);
    assert_int_equal(left.disks, 0);
    assert_int_equal(left.attached, 0);
    cloud_close(cloud);
    m->ops->close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_many_hands)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
