/* A pod's life: what is written and told from its first sight to its deletion, however it ends. */
#include "unit/kubeletsim/kubelet_kit.h"

/* SIGTERM is noted and ignored, as a shell that is process 1 does. */
static atomic_int terms, kills;
static const struct machine_ops *inner;

static int stubborn_signal(struct machine *m, const char *node, const char *id, int sig, struct err *e)
{
    if (sig == SIGTERM) {
        terms++;
        return 0;
    }
    kills += sig == SIGKILL;
    return inner->container_signal(m, node, id, sig, e);
}

static void be_stubborn(struct kit *kit)
{
    terms = kills = 0;
    inner = kit->fake_ops;
    kit->ops.container_signal = stubborn_signal;
}

static unsigned long version_of(struct kit *kit, const char *pod)
{
    return strtoul(text_at(&kit->w, PODS, pod, "metadata.resourceVersion"), NULL, 10);
}

/* -- to Running -- */

static void test_to_running(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "", ""));
    unsigned long made = version_of(kit, "p");
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Running");
    assert_string_equal(text_at(&kit->w, PODS, "p", "status.podIP"), "10.244.0.2");
    assert_string_equal(text_at(&kit->w, PODS, "p", "status.hostIP"), "172.30.0.10");
    assert_string_equal(text_at(&kit->w, PODS, "p", "status.startTime"), "2026-01-01T00:00:00Z");
    static const char *const conditions[] = {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady",
                                             "PodScheduled"};
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
        assert_string_equal(condition(kit, "p", conditions[i]), "True");
    assert_string_equal(cs(kit, "p", "c", "state"), "{\"running\":{\"startedAt\":\"2026-01-01T00:00:00Z\"}}");
    assert_string_equal(cs(kit, "p", "c", "lastState"), "{}");
    assert_string_equal(cs(kit, "p", "c", "ready"), "true");
    assert_string_equal(cs(kit, "p", "c", "started"), "true");
    assert_string_equal(cs(kit, "p", "c", "image"), "docker.io/library/busybox:latest");
    assert_int_equal(strlen(cs(kit, "p", "c", "containerID")), strlen("containerd://") + 64);
    assert_event(&kit->w, "p", "Pulling", "Pulling image \"busybox\"");
    assert_event(&kit->w, "p", "Created", "Created container: c");
    assert_event(&kit->w, "p", "Started", "Started container c");
    /* Everything waits, everything runs: two writes, whatever lies between them. */
    unsigned long now = version_of(kit, "p");
    assert_in_range(now - made, 2, 6);
    settle(&kit->w);
    pass_seconds(&kit->w, 120);
    assert_int_equal(version_of(kit, "p"), now);
}

/* More than can be counted is more than there is. */
static void test_asks_too_much(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p",
                              ",'resources':{'requests':{'memory':'5E'}}},{'name':'d','image':'nginx','resources':"
                              "{'requests':{'memory':'5E'}}",
                              ""));
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Failed");
    assert_string_equal(text_at(&kit->w, PODS, "p", "status.reason"), "OutOfmemory");
}

/* Those who name their node themselves: what the scheduler would have said, the kubelet does. */
static void test_not_for_this_node(void **state)
{
    struct kit *kit = *state;
    change(&kit->w, RES.nodes, FIRST_NODE, "", "spec.taints", "[{'key':'k','value':'v','effect':'NoExecute'}]");
    make(&kit->w, POD_ON_NODE("p", "", ""));
    make(&kit->w, POD_ON_NODE("q", "", ",'tolerations':[{'key':'k','operator':'Exists'}]"));
    make(&kit->w, POD_ON_NODE("w", "", ",'os':{'name':'windows'}"));
    expect_text(kit, "p", "status.reason", "TaintToleration");
    expect_text(kit, "p", "status.message",
                "Pod was rejected: Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate");
    expect_text(kit, "q", "status.phase", "Running");
    expect_text(kit, "w", "status.reason", "PodOSNotSupported");
    expect_text(kit, "w", "status.message",
                "Pod was rejected: Failed to admit pod as the OS field doesn't match node OS");
}

/* Counts the writes of one pod from its creation to Running. */
static void test_two_writes(void **state)
{
    struct kit *kit = *state;
    struct err e = ERR_INIT;
    struct watch *watch = NULL;
    make(&kit->w, POD_ON_NODE("p", "},{'name':'d','image':'nginx'", ""));
    struct snapshot *snap = store_snapshot(kit->w.store);
    struct watch_conf conf = {.bucket = "pods", .after_rv = snapshot_rv(snap)};
    assert_int_equal(store_watch(kit->w.store, &conf, &watch, &e), 0);
    snapshot_unref(snap);
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Running");
    struct watch_event ev;
    int writes = 0;
    while (watch_next(watch, &ev) > 0) {
        writes++;
        watch_event_release(&ev);
    }
    watch_close(watch);
    assert_int_equal(writes, 2);
}

/* -- ends -- */

static void test_completed(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "", ",'restartPolicy':'Never'"));
    settle(&kit->w);
    pass_seconds(&kit->w, 5);
    end_container(kit, "p", "c", 0);
    expect_text(kit, "p", "status.phase", "Succeeded");
    assert_string_equal(cs(kit, "p", "c", "state.terminated.reason"), "Completed");
    assert_string_equal(cs(kit, "p", "c", "state.terminated.finishedAt"), "2026-01-01T00:00:05Z");
    assert_string_equal(condition(kit, "p", "Ready"), "False PodCompleted");
    assert_string_equal(condition(kit, "p", "Initialized"), "True PodCompleted");
    assert_string_equal(condition(kit, "p", "PodReadyToStartContainers"), "False");
    struct fake_counts left;
    machine_fake_count(kit->machine, &left);
    assert_int_equal(left.containers + left.sandboxes + left.mounts, 0);
    /* Its log stays until it is deleted. */
    char log[600];
    snprintf(log, sizeof log, "/var/log/pods/default_p_%s/c/0.log", uid_of(kit, "p"));
    assert_string_equal(node_file(kit, "%s", log), "");
    delete_it(&kit->w, PODS, "p", NULL);
    expect_gone(kit, "p");
    assert_string_equal(node_file(kit, "%s", log), "(none)");
}

static void test_failed(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "", ",'restartPolicy':'Never'"));
    settle(&kit->w);
    end_container(kit, "p", "c", 3);
    expect_text(kit, "p", "status.phase", "Failed");
    assert_string_equal(cs(kit, "p", "c", "state.terminated.reason"), "Error");
    assert_string_equal(cs(kit, "p", "c", "state.terminated.exitCode"), "3");
    assert_string_equal(condition(kit, "p", "Ready"), "False PodFailed");
}

static void test_deadline(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "", ",'activeDeadlineSeconds':10"));
    settle(&kit->w);
    pass_seconds(&kit->w, 9);
    assert_string_equal(phase(kit, "p"), "Running");
    pass_seconds(&kit->w, 2);
    expect_text(kit, "p", "status.phase", "Failed");
    assert_string_equal(text_at(&kit->w, PODS, "p", "status.reason"), "DeadlineExceeded");
    assert_event(&kit->w, "p", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline");
}

static void put_message(struct kit *kit, const char *pod, const char *text)
{
    struct err e = ERR_INIT;
    char path[600];
    int fd = -1;
    snprintf(path, sizeof path, "/var/lib/kubelet/pods/%s/containers/c/00000000", uid_of(kit, pod));
    assert_int_equal(kit->machine->ops->open(kit->machine, FIRST_NODE, path, O_WRONLY, 0, &fd, &e), 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void test_termination_message(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "", ",'restartPolicy':'Never'"));
    settle(&kit->w);
    put_message(kit, "p", "bye \xff");
    end_container(kit, "p", "c", 1);
    expect_text(kit, "p", "status.phase", "Failed");
    assert_string_equal(cs(kit, "p", "c", "state.terminated.message"), "bye \xef\xbf\xbd");
}

static void test_log_as_message(void **state)
{
    struct kit *kit = *state;
    struct err e = ERR_INIT;
    char path[600];
    int fd = -1;
    make(&kit->w, POD_ON_NODE("p", ",'terminationMessagePolicy':'FallbackToLogsOnError'", ",'restartPolicy':'Never'"));
    settle(&kit->w);
    snprintf(path, sizeof path, "/var/log/pods/default_p_%s/c/0.log", uid_of(kit, "p"));
    assert_int_equal(kit->machine->ops->open(kit->machine, FIRST_NODE, path, O_WRONLY, 0, &fd, &e), 0);
    for (int i = 0; i < 100; i++)
        dprintf(fd, "2026-01-01T00:00:00.000000000Z stdout F line %d\n", i);
    close(fd);
    end_container(kit, "p", "c", 1);
    expect_text(kit, "p", "status.phase", "Failed");
    const char *message = cs(kit, "p", "c", "state.terminated.message");
    assert_int_equal(strncmp(message, "line 20\nline 21\n", 16), 0);
    assert_non_null(strstr(message, "line 99\n"));
}

/* -- deletion -- */

static void test_delete_politely(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "", ""));
    settle(&kit->w);
    delete_it(&kit->w, PODS, "p", NULL);
    expect_gone(kit, "p");
    assert_event(&kit->w, "p", "Killing", "Stopping container c");
    struct fake_counts left;
    machine_fake_count(kit->machine, &left);
    assert_int_equal(left.containers + left.sandboxes + left.mounts, 0);
}

static void test_delete_with_grace(void **state)
{
    struct kit *kit = *state;
    be_stubborn(kit);
    make(&kit->w, POD_ON_NODE("p", "", ",'terminationGracePeriodSeconds':7"));
    settle(&kit->w);
    delete_it(&kit->w, PODS, "p", NULL);
    settle(&kit->w);
    assert_int_equal(terms, 1);
    pass_seconds(&kit->w, 6);
    assert_int_equal(kills, 0);
    assert_string_equal(phase(kit, "p"), "Running");
    pass_seconds(&kit->w, 2);
    assert_int_equal(kills, 1);
    expect_gone(kit, "p");
    assert_int_equal(terms, 1);
}

static void test_delete_with_endless_grace(void **state)
{
    struct kit *kit = *state;
    be_stubborn(kit);
    make(&kit->w, POD_ON_NODE("p", "", ",'terminationGracePeriodSeconds':9223372036854775807"));
    settle(&kit->w);
    delete_it(&kit->w, PODS, "p", NULL);
    pass_seconds(&kit->w, 10);
    assert_int_equal(terms, 1);
    assert_int_equal(kills, 0);
    assert_true(strcmp(text_at(&kit->w, PODS, "p", "metadata.deletionTimestamp"), "2100-01-01T00:00:00Z") > 0);
}

/* A second delete can only shorten the grace. */
static void test_delete_again(void **state)
{
    struct kit *kit = *state;
    struct err e = ERR_INIT;
    struct reg_delete_opts sooner = {.grace_seconds = 3};
    be_stubborn(kit);
    make(&kit->w, POD_ON_NODE("p", "", ""));
    settle(&kit->w);
    delete_it(&kit->w, PODS, "p", NULL);
    pass_seconds(&kit->w, 2);
    assert_int_equal(reg_remove(kit->w.registry, "test", PODS, "default", "p", &sooner, &e), 0);
    settle(&kit->w);
    pass_seconds(&kit->w, 4);
    assert_int_equal(kills, 1);
    expect_gone(kit, "p");
}

static void test_force_delete(void **state)
{
    struct kit *kit = *state;
    struct fake_counts left;
    be_stubborn(kit);
    make(&kit->w, POD_ON_NODE("p", "", ""));
    settle(&kit->w);
    end_pod(&kit->w, "p");
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "(gone)");
    /* The same name again: it waits for its predecessor. */
    make(&kit->w, POD_ON_NODE("p", "", ""));
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Pending");
    pass_seconds(&kit->w, 3);
    assert_int_equal(kills, 1);
    expect_text(kit, "p", "status.phase", "Running");
    machine_fake_count(kit->machine, &left);
    assert_int_equal(left.sandboxes, 1);
    assert_int_equal(left.containers, 1);
}

/* Deleted before its volumes could be mounted. */
static void test_delete_while_mounting(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", ",'volumeMounts':[{'name':'v','mountPath':'/v'}]",
                              ",'volumes':[{'name':'v','configMap':{'name':'none'}}]"));
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Pending");
    delete_it(&kit->w, PODS, "p", NULL);
    expect_gone(kit, "p");
    struct fake_counts left;
    machine_fake_count(kit->machine, &left);
    assert_int_equal(left.mounts, 0);
}

/* A container whose end got lost does not hold up its pod for ever. */
static int ignorant_signal(struct machine *m, const char *node, const char *id, int sig, struct err *e)
{
    (void)m, (void)node, (void)sig;
    return err_set(e, ERR_NOT_FOUND, "container \"%s\" is not running", id);
}

static int forgetful_remove(struct machine *m, const char *node, const char *id, bool purge, struct err *e)
{
    (void)m, (void)node, (void)id, (void)purge, (void)e;
    return 0;
}

static void test_lost_container(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "", ""));
    settle(&kit->w);
    kit->ops.container_signal = ignorant_signal;
    kit->ops.container_remove = forgetful_remove;
    delete_it(&kit->w, PODS, "p", NULL);
    pass_seconds(&kit->w, 4);
    expect_gone(kit, "p");
}

/* Sidecars stop last; hooks come before the signal and count into the grace. */
static void test_order_of_ends(void **state)
{
    struct kit *kit = *state;
    be_stubborn(kit);
    make(&kit->w, POD_ON_NODE("p", "",
                              ",'terminationGracePeriodSeconds':9,'initContainers':[{'name':'s','image':'busybox',"
                              "'restartPolicy':'Always'}]"));
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Running");
    assert_string_equal(cs(kit, "p", "s", "ready"), "true");
    delete_it(&kit->w, PODS, "p", NULL);
    settle(&kit->w);
    assert_int_equal(terms, 1); /* the regular one only */
    end_container(kit, "p", "c", 0);
    settle(&kit->w);
    assert_int_equal(terms, 2);
    assert_string_equal(phase(kit, "p"), "Running"); /* not over while its sidecar runs */
    end_container(kit, "p", "s", 0);
    expect_gone(kit, "p");
}

/* -- pods that say they are of a file of the node -- */

#define OF_FILE(name, hash)                                                                                            \
    "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'" name "','namespace':'default','annotations':"               \
    "{'kubernetes.io/config.source':'file','kubernetes.io/config.hash':'" hash "'}},'spec':{'nodeName':'" FIRST_NODE   \
    "','automountServiceAccountToken':false,'containers':[{'name':'c','image':'busybox'}]}}"

/* What a hash becomes is a directory: nothing but a hash may be one. */
static void test_no_hash(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, OF_FILE("p", "../../../../escaped"));
    expect_text(kit, "p", "status.phase", "Running");
    assert_string_not_equal(node_file(kit, "/var/lib/kubelet/pods/%s/etc-hosts", uid_of(kit, "p")), "(none)");
    pass_seconds(&kit->w, 4);
    expect_text(kit, "p", "status.phase", "Running");
}

static void test_hash_of_another(void **state)
{
    struct kit *kit = *state;
    struct fake_counts n;
    make(&kit->w, OF_FILE("a", "0123456789abcdef0123456789abcdef"));
    expect_text(kit, "a", "status.phase", "Running");
    make(&kit->w, OF_FILE("b", "0123456789abcdef0123456789abcdef"));
    expect_text(kit, "b", "status.phase", "Pending");
    machine_fake_count(kit->machine, &n);
    assert_int_equal(n.containers, 1);
    pass_seconds(&kit->w, 6); /* neither has a file */
    expect_gone(kit, "a");
    expect_gone(kit, "b");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_to_running),      TEST(test_asks_too_much),       TEST(test_not_for_this_node),
        TEST(test_two_writes),      TEST(test_completed),           TEST(test_failed),
        TEST(test_deadline),        TEST(test_termination_message), TEST(test_log_as_message),
        TEST(test_delete_politely), TEST(test_delete_with_grace),   TEST(test_delete_with_endless_grace),
        TEST(test_delete_again),    TEST(test_force_delete),        TEST(test_delete_while_mounting),
        TEST(test_lost_container),  TEST(test_order_of_ends),       TEST(test_no_hash),
        TEST(test_hash_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
