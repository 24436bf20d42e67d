/* Ends and starts: back-off and its words, images that cannot be had, init containers and sidecars, and what a pod is
 * after the cluster process was restarted. */
#include "unit/kubeletsim/kubelet_kit.h"

#define BACKOFF(wait) "back-off " wait " restarting failed container=c pod=p_default(%s)"

static void assert_waits(struct kit *kit, const char *fmt)
{
    char want[256];
    snprintf(want, sizeof want, fmt, uid_of(kit, "p"));
    assert_string_equal(cs(kit, "p", "c", "state.waiting.reason"), "CrashLoopBackOff");
    assert_string_equal(cs(kit, "p", "c", "state.waiting.message"), want);
}

/* The first restart comes at once; then 10 s, 20 s, 40 s … after the end. */
static void test_back_off(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "", ""));
    settle(&kit->w);
    end_container(kit, "p", "c", 1);
    expect_cs(kit, "p", "c", "restartCount", "1");
    assert_string_equal(cs(kit, "p", "c", "lastState.terminated.exitCode"), "1");
    assert_string_equal(cs(kit, "p", "c", "ready"), "true");

    end_container(kit, "p", "c", 1);
    expect_cs(kit, "p", "c", "state.terminated.reason", "Error"); /* for a moment it shows how it ended */
    assert_string_equal(condition(kit, "p", "Ready"), "False ContainersNotReady: containers with unready status: [c]");
    pass_seconds(&kit->w, 2);
    assert_waits(kit, BACKOFF("10s"));
    assert_string_equal(cs(kit, "p", "c", "lastState.terminated.exitCode"), "1");
    assert_string_equal(phase(kit, "p"), "Running");
    char told[256];
    snprintf(told, sizeof told, "Back-off restarting failed container c in pod p_default(%s)", uid_of(kit, "p"));
    assert_event(&kit->w, "p", "BackOff", told);
    pass_seconds(&kit->w, 7);
    assert_string_equal(cs(kit, "p", "c", "restartCount"), "1");
    pass_seconds(&kit->w, 2);
    assert_string_equal(cs(kit, "p", "c", "restartCount"), "2");

    static const struct {
        int seconds;
        const char *text;
    } next[] = {{20, BACKOFF("20s")},    {40, BACKOFF("40s")},   {80, BACKOFF("1m20s")},
                {160, BACKOFF("2m40s")}, {300, BACKOFF("5m0s")}, {300, BACKOFF("5m0s")}};
    for (size_t i = 0; i < ARRAY_LEN(next); i++) {
        end_container(kit, "p", "c", 1);
        pass_seconds(&kit->w, 2);
        assert_waits(kit, next[i].text);
        pass_seconds(&kit->w, next[i].seconds - 3);
        assert_waits(kit, next[i].text);
        pass_seconds(&kit->w, 2);
        assert_true(cs(kit, "p", "c", "state.running")[0] != '\0');
    }
    /* A run of ten minutes forgets it. */
    pass_seconds(&kit->w, 601);
    end_container(kit, "p", "c", 1);
    expect_cs(kit, "p", "c", "ready", "true");
}

static void test_on_failure(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "", ",'restartPolicy':'OnFailure'"));
    settle(&kit->w);
    end_container(kit, "p", "c", 1);
    expect_cs(kit, "p", "c", "restartCount", "1");
    end_container(kit, "p", "c", 0);
    expect_text(kit, "p", "status.phase", "Succeeded");
    assert_string_equal(cs(kit, "p", "c", "restartCount"), "1");
}

/* -- images -- */

struct other_image {
    size_t container;
    const char *image;
};

static int edit_image(json_t *pod, void *arg, struct err *e)
{
    (void)e;
    const struct other_image *other = arg;
    jset_str(json_array_get(jat(pod, "spec.containers"), other->container), "image", other->image);
    return 1;
}

static void set_image(struct kit *kit, const char *pod, size_t container, const char *image)
{
    struct err e = ERR_INIT;
    struct other_image other = {container, image};
    assert_int_equal(reg_modify(kit->w.registry, "test", PODS, "default", pod, "", edit_image, &other, &e), 0);
    settle(&kit->w);
}

static void test_no_image(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "},{'name':'bad','image':'nosuch/image:1'", ""));
    settle(&kit->w);
    assert_string_equal(cs(kit, "p", "bad", "state.waiting.reason"), "ErrImagePull");
    assert_non_null(strstr(cs(kit, "p", "bad", "state.waiting.message"), "docker.io/nosuch/image:1"));
    assert_string_equal(phase(kit, "p"), "Pending");
    assert_string_equal(cs(kit, "p", "c", "ready"), "true"); /* the other one runs all the same */
    assert_event(&kit->w, "p", "Failed", "Error: ErrImagePull");
    pass_seconds(&kit->w, 2);
    assert_string_equal(cs(kit, "p", "bad", "state.waiting.reason"), "ImagePullBackOff");
    assert_int_equal(strncmp(cs(kit, "p", "bad", "state.waiting.message"),
                             "Back-off pulling image \"nosuch/image:1\": ErrImagePull: rpc error: ", 65),
                     0);
    assert_event(&kit->w, "p", "BackOff", "Back-off pulling image \"nosuch/image:1\"");
    assert_event(&kit->w, "p", "Failed", "Error: ImagePullBackOff");
    assert_int_equal(event_count(kit, "p", "Pulling", "nosuch"), 1);
    pass_seconds(&kit->w, 8);
    assert_int_equal(event_count(kit, "p", "Pulling", "nosuch"), 2);
    assert_string_equal(cs(kit, "p", "bad", "state.waiting.reason"), "ErrImagePull");
    pass_seconds(&kit->w, 19);
    assert_int_equal(event_count(kit, "p", "Pulling", "nosuch"), 2);
    pass_seconds(&kit->w, 3);
    assert_int_equal(event_count(kit, "p", "Pulling", "nosuch"), 3);
}

/* Back-offs are an image's: who mends the name of one need not wait. */
static void test_another_image(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "},{'name':'bad','image':'nosuch/image:1'", ""));
    pass_seconds(&kit->w, 11);
    pass_seconds(&kit->w, 2);
    assert_string_equal(cs(kit, "p", "bad", "state.waiting.reason"), "ImagePullBackOff");
    set_image(kit, "p", 1, "nosuch/image:2");
    assert_int_equal(event_count(kit, "p", "Pulling", "nosuch/image:2"), 1);
    pass_seconds(&kit->w, 11); /* ten seconds again, not forty */
    assert_int_equal(event_count(kit, "p", "Pulling", "nosuch/image:2"), 2);
    set_image(kit, "p", 1, "nginx");
    expect_text(kit, "p", "status.phase", "Running");

    for (int i = 0; i < 2; i++)
        end_container(kit, "p", "c", 1);
    pass_seconds(&kit->w, 2);
    assert_string_equal(cs(kit, "p", "c", "state.waiting.reason"), "CrashLoopBackOff");
    set_image(kit, "p", 0, "nosuch/image:3"); /* what there is to see is still what ran before */
    assert_string_equal(cs(kit, "p", "c", "state.waiting.reason"), "ErrImagePull");
    assert_string_equal(cs(kit, "p", "c", "lastState.terminated.exitCode"), "1");
    assert_string_equal(cs(kit, "p", "c", "restartCount"), "1");
    set_image(kit, "p", 0, "busybox:1.36");
    expect_cs(kit, "p", "c", "restartCount", "2");
    assert_string_equal(cs(kit, "p", "c", "ready"), "true");
}

static void test_pull_secrets(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'there','namespace':'default'}}");
    make(&kit->w, POD_ON_NODE("p", "", ",'imagePullSecrets':[{'name':'a'},{'name':'there'},{'name':'b'}]"));
    make(&kit->w, POD_ON_NODE("q", "", ",'imagePullSecrets':[{'name':'there'}]"));
    settle(&kit->w);
    assert_event(&kit->w, "p", "FailedToRetrieveImagePullSecret",
                 "Unable to retrieve some image pull secrets (a, b); attempting to pull the image may not succeed.");
    assert_int_equal(event_count(kit, "q", "FailedToRetrieveImagePullSecret", ""), 0);
    assert_string_equal(phase(kit, "p"), "Running");
}

static void test_image_policies(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", ",'imagePullPolicy':'Never'", ""));
    settle(&kit->w);
    assert_string_equal(cs(kit, "p", "c", "state.waiting.reason"), "ErrImageNeverPull");
    assert_event(&kit->w, "p", "ErrImageNeverPull",
                 "Container image \"busybox\" is not present with pull policy of Never");
    assert_event(&kit->w, "p", "Failed", "Error: ErrImageNeverPull");
    make(&kit->w, POD_ON_NODE("q", ",'imagePullPolicy':'IfNotPresent'", ""));
    settle(&kit->w);
    make(&kit->w, POD_ON_NODE("r", ",'imagePullPolicy':'Never'", ""));
    settle(&kit->w);
    assert_string_equal(phase(kit, "r"), "Running");
    assert_event(&kit->w, "r", "Pulled", "Container image \"busybox\" already present on machine");
    pass_seconds(&kit->w, 11);
    assert_string_equal(phase(kit, "p"), "Running"); /* now it is there */
}

static void test_config_error(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", ",'env':[{'name':'A','valueFrom':{'configMapKeyRef':{'name':'m','key':'k'}}}]", ""));
    settle(&kit->w);
    assert_string_equal(cs(kit, "p", "c", "state.waiting.reason"), "CreateContainerConfigError");
    assert_string_equal(cs(kit, "p", "c", "state.waiting.message"), "configmap \"m\" not found");
    assert_event(&kit->w, "p", "Failed", "Error: configmap \"m\" not found");
    make(&kit->w,
         "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'m','namespace':'default'},'data':{'x':'y'}}");
    pass_seconds(&kit->w, 11);
    assert_string_equal(cs(kit, "p", "c", "state.waiting.message"), "couldn't find key k in ConfigMap default/m");
    change(&kit->w, RES.configmaps, "m", "", "data.k", "'v'");
    pass_seconds(&kit->w, 11);
    assert_string_equal(phase(kit, "p"), "Running");
}

/* -- containers that cannot start -- */

static int no_start(struct machine *m, const struct container_spec *spec, pid_t *out_pid, struct err *e)
{
    (void)m, (void)spec, (void)out_pid;
    return err_set(e, ERR_NOT_FOUND, "exec: \"foo\": executable file not found in $PATH: unknown");
}

static void test_start_error(void **state)
{
    struct kit *kit = *state;
    kit->ops.container_start = no_start;
    make(&kit->w, POD_ON_NODE("p", "", ""));
    settle(&kit->w);
    /* The first restart was at once. */
    assert_string_equal(cs(kit, "p", "c", "restartCount"), "1");
    assert_string_equal(cs(kit, "p", "c", "state.waiting.reason"), "RunContainerError");
    assert_string_equal(cs(kit, "p", "c", "lastState.terminated.reason"), "StartError");
    assert_string_equal(cs(kit, "p", "c", "lastState.terminated.exitCode"), "128");
    assert_string_equal(cs(kit, "p", "c", "lastState.terminated.startedAt"), "1970-01-01T00:00:00Z");
    assert_event(&kit->w, "p", "Failed", "Error: exec: \"foo\": executable file not found in $PATH: unknown");
    pass_seconds(&kit->w, 2);
    assert_waits(kit, BACKOFF("10s"));
    pass_seconds(&kit->w, 9);
    pass_seconds(&kit->w, 2);
    assert_waits(kit, BACKOFF("20s"));
    struct fake_counts left;
    machine_fake_count(kit->machine, &left);
    assert_int_equal(left.containers, 0);
}

/* -- init containers -- */

#define INITS ",'initContainers':[{'name':'i','image':'busybox'},{'name':'j','image':'busybox'}]"

static void test_init_containers(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "", INITS));
    settle(&kit->w);
    assert_true(cs(kit, "p", "i", "state.running")[0] != '\0');
    assert_string_equal(cs(kit, "p", "j", "state.waiting.reason"), "PodInitializing");
    assert_string_equal(cs(kit, "p", "c", "state.waiting.reason"), "PodInitializing");
    assert_string_equal(phase(kit, "p"), "Pending");
    assert_string_equal(condition(kit, "p", "Initialized"),
                        "False ContainersNotInitialized: containers with incomplete status: [i j]");
    end_container(kit, "p", "i", 0);
    expect_cs(kit, "p", "i", "ready", "true");
    assert_string_equal(condition(kit, "p", "Initialized"),
                        "False ContainersNotInitialized: containers with incomplete status: [j]");
    end_container(kit, "p", "j", 1);
    expect_cs(kit, "p", "j", "restartCount", "1");
    end_container(kit, "p", "j", 0);
    expect_text(kit, "p", "status.phase", "Running");
    assert_string_equal(condition(kit, "p", "Initialized"), "True");
    end_container(kit, "p", "c", 1);
    expect_cs(kit, "p", "c", "restartCount", "1");
    assert_string_equal(cs(kit, "p", "i", "restartCount"), "0"); /* history */
}

static void test_init_failure(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "", INITS ",'restartPolicy':'Never'"));
    settle(&kit->w);
    end_container(kit, "p", "i", 4);
    expect_text(kit, "p", "status.phase", "Failed");
    assert_string_equal(cs(kit, "p", "i", "state.terminated.exitCode"), "4");
}

static void test_sidecar_restarts(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "",
                              ",'restartPolicy':'Never','initContainers':[{'name':'s','image':'busybox',"
                              "'restartPolicy':'Always'}]"));
    settle(&kit->w);
    assert_string_equal(phase(kit, "p"), "Running");
    end_container(kit, "p", "s", 1);
    expect_cs(kit, "p", "s", "restartCount", "1");
    expect_cs(kit, "p", "s", "ready", "true");
    end_container(kit, "p", "c", 0);
    expect_text(kit, "p", "status.phase", "Succeeded");
}

/* -- after a restart of the cluster process -- */

static void test_adoption(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "", ",'initContainers':[{'name':'i','image':'busybox'}]"));
    settle(&kit->w);
    end_container(kit, "p", "i", 0);
    expect_text(kit, "p", "status.phase", "Running");
    make(&kit->w, POD_ON_NODE("never", "", ",'restartPolicy':'Never'"));
    make(&kit->w, POD_ON_NODE("over", "", ",'restartPolicy':'Never'"));
    settle(&kit->w);
    end_container(kit, "over", "c", 0);
    expect_text(kit, "over", "status.phase", "Succeeded");
    pass_seconds(&kit->w, 60);
    kit_restart(kit);

    assert_string_equal(phase(kit, "p"), "Running"); /* what ran once is not Pending again */
    assert_true(cs(kit, "p", "i", "state.running")[0] != '\0');
    assert_string_equal(cs(kit, "p", "i", "restartCount"), "1");
    assert_string_equal(cs(kit, "p", "c", "state.terminated.reason"), "Unknown");
    assert_string_equal(cs(kit, "p", "c", "state.terminated.exitCode"), "255");
    end_container(kit, "p", "i", 0);
    expect_cs(kit, "p", "c", "ready", "true");
    assert_string_equal(cs(kit, "p", "c", "restartCount"), "1");
    assert_string_equal(cs(kit, "p", "c", "lastState.terminated.reason"), "Unknown");
    assert_event(&kit->w, "p", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");

    assert_string_equal(phase(kit, "never"), "Failed");
    assert_string_equal(cs(kit, "never", "c", "state.terminated.reason"), "Unknown");
    assert_string_equal(phase(kit, "over"), "Succeeded");
    delete_it(&kit->w, PODS, "over", NULL);
    expect_gone(kit, "over");
    delete_it(&kit->w, PODS, "p", NULL);
    expect_gone(kit, "p");
}

/* A container that waited for its restart goes on waiting for it: the count and the last end are kept. */
static void test_adoption_of_a_crash_loop(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "", ""));
    settle(&kit->w);
    end_container(kit, "p", "c", 7);
    expect_cs(kit, "p", "c", "restartCount", "1");
    end_container(kit, "p", "c", 7);
    pass_seconds(&kit->w, 2);
    assert_string_equal(cs(kit, "p", "c", "state.waiting.reason"), "CrashLoopBackOff");
    kit_restart(kit);
    expect_cs(kit, "p", "c", "ready", "true");
    assert_string_equal(cs(kit, "p", "c", "restartCount"), "2");
    assert_string_equal(cs(kit, "p", "c", "lastState.terminated.exitCode"), "7");
}

/* Another image for a running container: it is stopped and started again. */
static void test_image_change(void **state)
{
    struct kit *kit = *state;
    make(&kit->w, POD_ON_NODE("p", "", ""));
    settle(&kit->w);
    set_image(kit, "p", 0, "nginx");
    expect_cs(kit, "p", "c", "restartCount", "1");
    expect_cs(kit, "p", "c", "ready", "true");
    assert_string_equal(cs(kit, "p", "c", "image"), "docker.io/library/nginx:latest");
    assert_event(&kit->w, "p", "Killing", "Container c definition changed, will be restarted");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_back_off),
        TEST(test_on_failure),
        TEST(test_no_image),
        TEST(test_another_image),
        TEST(test_pull_secrets),
        TEST(test_image_policies),
        TEST(test_config_error),
        TEST(test_start_error),
        TEST(test_init_containers),
        TEST(test_init_failure),
        TEST(test_sidecar_restarts),
        TEST(test_adoption),
        TEST(test_adoption_of_a_crash_loop),
        TEST(test_image_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
