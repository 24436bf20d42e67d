/* Many at the same door: nothing is lost, nothing is given twice. */
#include "door.h"

#include <pthread.h>
#include <sched.h>

#define THREADS 4
#define ROUNDS  100

static int increment(json_t *obj, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    uint64_t n = 0;
    str_to_u64(jstr_or(obj, "data.n", "0"), &n);
    _auto_free_ char *text = xasprintf("%d", (int)n + 1);
    jset_str(obj, "data.n", text);
    return 1;
}

static void *incrementer(void *arg)
{
    struct registry *r = arg;
    struct err e = ERR_INIT;
    for (int i = 0; i < ROUNDS; i++)
        while (reg_modify(r, "loop", RES.configmaps, "default", "n", "", increment, NULL, &e) < 0)
            if (e.code != ERR_CONFLICT)
                return xstrdup(e.msg);
    return NULL;
}

static void *service_maker(void *arg)
{
    struct registry *r = arg;
    struct err e = ERR_INIT;
    for (int i = 0; i < 20; i++)
        if (reg_make(r, "loop", RES.services, "default",
                     json_pack("{s{ss} s{ss s[{si}]}}", "metadata", "generateName", "s-", "spec", "type", "NodePort",
                               "ports", "port", 80),
                     NULL, &e) < 0)
            return xstrdup(e.msg);
    return NULL;
}

static void run(struct registry *r, void *(*work)(void *))
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, r);
    for (size_t i = 0; i < THREADS; i++) {
        void *complaint;
        pthread_join(threads[i], &complaint);
        if (complaint)
            fail_msg("%s", (char *)complaint);
    }
}

static void test_increments(void **state)
{
    (void)state;
    struct door d;
    door_open(&d);
    door_expect(&d, door_post(&d, "configmaps", "default/", "{\"metadata\":{\"name\":\"n\"}}"), 201);
    run(d.r, incrementer);
    door_expect(&d, door_get(&d, "configmaps", "default/n"), 200);
    _auto_free_ char *all = xasprintf("%d", THREADS * ROUNDS);
    door_expect_str(&d, "data.n", all);
    door_close(&d);
}

struct seen {
    struct strlist ips, ports;
};

static int collect(struct sobj *svc, void *arg)
{
    struct seen *s = arg;
    const char *ip = jstr_or(svc->tree, "spec.clusterIP", "");
    int64_t port = jint(json_array_get(jat(svc->tree, "spec.ports"), 0), "nodePort", 0);
    _auto_free_ char *text = xasprintf("%d", (int)port);
    assert_false(strlist_has(&s->ips, ip));
    assert_false(port && strlist_has(&s->ports, text));
    strlist_add(&s->ips, ip);
    strlist_add(&s->ports, text);
    return 0;
}

static void test_addresses_are_given_once(void **state)
{
    (void)state;
    struct door d;
    struct seen seen = {0};
    door_open(&d);
    run(d.r, service_maker);
    struct snapshot *snap = reg_snapshot(d.r);
    snapshot_scan(snap, RES.services->bucket, NULL, NULL, NULL, collect, &seen);
    snapshot_unref(snap);
    assert_int_equal(seen.ips.len, THREADS * 20 + 1); /* and the kubernetes service */
    strlist_release(&seen.ips);
    strlist_release(&seen.ports);
    door_close(&d);
}

/* -- a pod that its kubelet takes away while a client deletes it by force -- */

static _Atomic bool kubelet_ends;

static void *kubelet(void *arg)
{
    struct registry *r = arg;
    while (!kubelet_ends) {
        struct err e = ERR_INIT;
        _auto_sobj_ struct sobj *pod = reg_read(r, RES.pods, "default", "p");
        if (!pod || !jstr(pod->tree, "metadata.deletionTimestamp")) {
            sched_yield();
            continue;
        }
        struct reg_delete_opts now = {.grace_seconds = 0, .uid = jstr(pod->tree, "metadata.uid")};
        reg_remove(r, "kubelet", RES.pods, "default", "p", &now, &e);
    }
    return NULL;
}

/* Whoever of the two wins: the deletion happened, and says so. */
static void test_forced_delete_is_never_told_404(void **state)
{
    (void)state;
    struct door d;
    pthread_t threads[THREADS];
    door_open(&d);
    kubelet_ends = false;
    door_expect(&d, door_post(&d, "serviceaccounts", "default/", "{\"metadata\":{\"name\":\"default\"}}"), 201);
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, kubelet, d.r);
    for (int i = 0; i < ROUNDS * 10; i++) {
        door_expect(&d,
                    door_post(&d, "pods", "default/",
                              "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"nodeName\":\"n\",\"containers\":["
                              "{\"name\":\"c\",\"image\":\"i\"}]}}"),
                    201);
        door_expect(&d, door_delete(&d, "pods", "default/p", "{\"gracePeriodSeconds\":0}"), 200);
        door_expect_str(&d, "kind", "Pod");
        door_expect(&d, door_get(&d, "pods", "default/p"), 404);
    }
    kubelet_ends = true;
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    door_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_increments),
        cmocka_unit_test(test_addresses_are_given_once),
        cmocka_unit_test(test_forced_delete_is_never_told_404),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
