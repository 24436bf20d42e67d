/* test_sessions.c - a service with affinity: who has a pod keeps it, for as long as was said, across new tables; asked
 * of the kernel itself. */
#include "kernel/sys/harness.h"

#include "base/json.h"
#include "sys/nft.h"

#include <sched.h>

static struct machine *m;
static struct err e;

/* -- what the packet filter remembers -- */

/* Is `pid` a descendant of this process? */
static bool is_ours(int pid)
{
    while (pid > 1 && pid != getpid()) {
        char path[64], text[512] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        _auto_file_ FILE *f = fopen(path, "re");
        const char *after = f && fgets(text, sizeof text, f) ? strrchr(text, ')') : NULL;
        if (!after || sscanf(after, ") %*c %d", &pid) != 1)
            return false;
    }
    return pid == getpid();
}

/* The network of the service process. */
static int open_network(void)
{
    int fd = -1;
    DIR *d = opendir("/proc");
    for (const struct dirent *entry; fd < 0 && d && (entry = readdir(d));) {
        char path[320], name[32] = "";
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        _auto_file_ FILE *f = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? fopen(path, "re") : NULL;
        if (!f || !fgets(name, sizeof name, f) || !str_eq(name, "stowage-svc\n") ||
            !is_ours((int)strtol(entry->d_name, NULL, 10)))
            continue;
        snprintf(path, sizeof path, "/proc/%s/ns/net", entry->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (d)
        closedir(d);
    return fd;
}

static struct {
    int count;
    uint64_t left;
} remembered;

static void count_session(void *arg, const void *key, size_t len, const void *value, size_t value_len, uint64_t left)
{
    (void)arg, (void)key, (void)value;
    assert_int_equal(len, 16);
    assert_int_equal(value_len, 8);
    remembered.count++;
    remembered.left = left;
}

static int sessions(void)
{
    _auto_close_ int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), there = open_network();
    remembered.count = 0;
    assert_true(own >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0);
    const int result = nft_recall("sessions", count_session, NULL, &e);
    assert_int_equal(setns(own, CLONE_NEWNET), 0);
    ok(result);
    return remembered.count;
}

/* -- pods and calls -- */

static void server(const char *id, const char *ip)
{
    char script[128];
    const struct sandbox_spec pod = {.node = "worker-1", .id = id, .hostname = id, .ip = ip};
    snprintf(script, sizeof script, "while true; do echo %s | nc -l -p 8080; done", id);
    ok(m->ops->sandbox_start(m, &pod, &e));
    const struct container_spec c = container(id, id, script);
    ok(m->ops->container_start(m, &c, NULL, &e));
}

/* Who answers, 'a' or 'b'. */
static char call(void)
{
    char out[64] = "";
    await(container_run("client", "nc -w 20 10.96.3.4 80 </dev/null", out, sizeof out) == 0 && out[0]);
    return out[0];
}

static void table(const char *targets, int seconds, const char *more)
{
    _auto_free_ char *text = xasprintf("{\"services\": [{\"ip\": \"10.96.3.4\", \"port\": 80, \"targets\": [%s], "
                                       "\"sticky\": %d}%s]}",
                                       targets, seconds, more);
    char *result = NULL;
    ok(m->ops->set_services(m, text, &result, &e));
    assert_non_null(strstr(result, "\"filter\":true"));
    free(result);
}

static void age(int64_t ms)
{
    _auto_free_ char *text = xasprintf("{\"aged\": %lld}", (long long)ms);
    char *result = NULL;
    ok(m->ops->set_services(m, text, &result, &e));
    assert_non_null(strstr(result, "\"filter\":true"));
    free(result);
}

#define A     "\"10.244.0.40:8080\""
#define B     "\"10.244.0.41:8080\""
#define OTHER ", {\"ip\": \"10.96.3.5\", \"port\": 80, \"targets\": [" A "]}"
#define HOUR  INT64_C(3600000)

static void a_client_keeps_its_pod(void **state)
{
    (void)state;
    table(A ", " B, 3600, "");
    const char first = call();
    for (int i = 0; i < 12; i++)
        assert_int_equal(call(), first);
    assert_int_equal(sessions(), 1);
    assert_in_range(remembered.left, HOUR / 2, HOUR);
}

static void also_when_the_table_changes(void **state)
{
    (void)state;
    const char first = call();
    for (int i = 0; i < 8; i++) {
        table(i % 2 ? A ", " B : B ", " A, 3600, i % 2 ? OTHER : "");
        assert_int_equal(sessions(), 1);
        assert_int_equal(call(), first);
    }
    table(A ", " B, 1800, ""); /* less from now on, also for whoever is there */
    assert_int_equal(sessions(), 1);
    assert_in_range(remembered.left, 1, HOUR / 2);
    table(A ", " B, 3600, "");
}

static void not_when_its_pod_is_gone(void **state)
{
    (void)state;
    const char first = call();
    table(first == 'a' ? B : A, 3600, "");
    assert_int_equal(sessions(), 0);
    const char other = call();
    assert_int_not_equal(other, first);
    table(A ", " B, 3600, ""); /* who came while there was only one keeps that one */
    for (int i = 0; i < 8; i++)
        assert_int_equal(call(), other);
}

static void nor_without_affinity(void **state)
{
    (void)state;
    call();
    assert_int_equal(sessions(), 1);
    table(A ", " B, 0, "");
    assert_int_equal(sessions(), 0);
    char seen[2] = {call(), 0};
    await((seen[1] = call()) != seen[0]);
    table(A ", " B, 3600, "");
    assert_int_equal(sessions(), 0);
}

static void the_clusters_clock_counts(void **state)
{
    (void)state;
    call();
    age(HOUR / 2);
    assert_int_equal(sessions(), 1);
    assert_in_range(remembered.left, 1, HOUR / 2);
    call(); /* and a call begins it anew */
    assert_int_equal(sessions(), 1);
    assert_in_range(remembered.left, HOUR / 2 + 1, HOUR);
    age(HOUR);
    assert_int_equal(sessions(), 0);
}

static void the_kernel_forgets(void **state)
{
    (void)state;
    table(A ", " B, 1, "");
    call();
    await(sessions() == 0);
}

static int start(void **state)
{
    (void)state;
    m = harness_start();
    const struct sandbox_spec pod = {.node = "worker-1", .id = "client", .hostname = "client", .ip = "10.244.0.42"};
    server("a", "10.244.0.40");
    server("b", "10.244.0.41");
    ok(m->ops->sandbox_start(m, &pod, &e));
    const struct container_spec c = container("client", "client", "sleep 100000");
    ok(m->ops->container_start(m, &c, NULL, &e));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    m->ops->close(m); /* and with it the pods */
    await(mounts_of(data_dir) == 0);
    harness_end();
    return 0;
}

int main(int argc, char **argv)
{
    harness_main(argc, argv);
    struct machine_info info;
    machine_probe(&info);
    if (!(info.caps & CAP_FILTER)) {
        printf("skipped: no packet filter on this machine\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_keeps_its_pod),    cmocka_unit_test(also_when_the_table_changes),
        cmocka_unit_test(not_when_its_pod_is_gone),  cmocka_unit_test(nor_without_affinity),
        cmocka_unit_test(the_clusters_clock_counts), cmocka_unit_test(the_kernel_forgets),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
