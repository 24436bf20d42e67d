/* Jobs: how many pods run, what their ends come to, indexes, suspension, deadlines, and when a finished job goes. */
#include "controllers_kit.h"

#define JOB(more)                                                                                                      \
    "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'j','namespace':'default'},'spec':{'template':{'spec':{" \
    "'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}" more "}}"
#define FINALIZER "batch.kubernetes.io/job-tracking"

/* The first pod that still runs, and works on that index (-1: any). Its name in a static buffer, "" for none. */
static const char *running(struct loop_world *w, int index)
{
    static char name[300];
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, w->registry, "pods", "default");
    for (size_t i = 0; i < pods.len; i++) {
        const char *text = jmap(pods.trees[i], "metadata.annotations", "batch.kubernetes.io/job-completion-index");
        if (!pod_active(pods.trees[i]) || (index >= 0 && (!text || strtol(text, NULL, 10) != index)))
            continue;
        snprintf(name, sizeof name, "%s", pods.items[i]->name);
        return name;
    }
    return "";
}

static int edit_end(json_t *pod, void *arg, struct err *e)
{
    char **how = arg;
    (void)e;
    jset_str(pod, "status.phase", how[0]);
    jset(pod, "status.containerStatuses",
         json_pack("[{ss si ss ss sb s{s{si ss}}}]", "name", "c", "restartCount", 0, "image", "i", "imageID", "i",
                   "ready", 0, "state", "terminated", "exitCode", 0, "finishedAt", how[1]));
    return 1;
}

/* Lets a pod come to its end now, as a kubelet would tell it. */
static void end(struct loop_world *w, const char *pod, const char *phase)
{
    struct err e = ERR_INIT;
    char now[TIME_TEXT_LEN];
    now_text(&w->clock.clock, now);
    const char *how[] = {phase, now};
    assert_true(*pod);
    if (reg_modify(w->registry, "kubelet", RES.pods, "default", pod, "status", edit_end, how, &e) < 0)
        fail_msg("%s: %s", pod, e.msg);
    settle(w);
}

static const char *condition(struct loop_world *w, const char *type)
{
    _auto_sobj_ struct sobj *job = get(w, RES.jobs, "j");
    static char reason[128];
    snprintf(reason, sizeof reason, "%s",
             condition_true(job->tree, type) ? jstr_or(condition_get(job->tree, type), "reason", "") : "");
    return reason;
}

static void test_complete(void **state)
{
    struct loop_world *w = *state;
    make(w, JOB(",'completions':3,'parallelism':2"));
    settle(w);
    assert_int_equal(count(w, RES.pods), 2);
    assert_string_equal(text_at(w, RES.jobs, "j", "status.active"), "2");
    assert_string_equal(text_at(w, RES.jobs, "j", "status.ready"), "0");
    char first[300];
    snprintf(first, sizeof first, "%s", running(w, -1));
    _auto_sobj_ struct sobj *pod = get(w, RES.pods, first);
    assert_true(finalizer_has(pod->tree, FINALIZER));
    end(w, first, "Succeeded");
    _auto_sobj_ struct sobj *ended = get(w, RES.pods, first);
    assert_false(finalizer_has(ended->tree, FINALIZER));
    assert_int_equal(count(w, RES.pods), 3);
    end(w, running(w, -1), "Succeeded");
    assert_string_equal(text_at(w, RES.jobs, "j", "status.active"), "1");
    end(w, running(w, -1), "Succeeded");
    assert_string_equal(text_at(w, RES.jobs, "j", "status.succeeded"), "3");
    assert_string_equal(text_at(w, RES.jobs, "j", "status.uncountedTerminatedPods"), "{}");
    assert_string_equal(condition(w, "SuccessCriteriaMet"), "CompletionsReached");
    assert_string_equal(condition(w, "Complete"), "CompletionsReached");
    assert_event(w, "j", "Completed", "Job completed");
}

static void test_backoff(void **state)
{
    struct loop_world *w = *state;
    make(w, JOB(",'backoffLimit':1"));
    settle(w);
    end(w, running(w, -1), "Failed");
    assert_string_equal(running(w, -1), ""); /* the next one waits ten seconds */
    assert_string_equal(text_at(w, RES.jobs, "j", "status.failed"), "1");
    pass_seconds(w, 9);
    assert_string_equal(running(w, -1), "");
    pass_seconds(w, 2);
    end(w, running(w, -1), "Failed");
    assert_string_equal(condition(w, "Failed"), "BackoffLimitExceeded");
    assert_string_equal(text_at(w, RES.jobs, "j", "status.failed"), "2");
    assert_event(w, "j", "BackoffLimitExceeded", "Job has reached the specified backoff limit");
    pass_seconds(w, 60);
    assert_int_equal(count(w, RES.pods), 2);
}

static void test_indexed(void **state)
{
    struct loop_world *w = *state;
    make(w, JOB(",'completions':4,'parallelism':4,'completionMode':'Indexed'"));
    settle(w);
    assert_int_equal(count(w, RES.pods), 4);
    char name[300];
    snprintf(name, sizeof name, "%s", running(w, 2));
    assert_true(str_starts(name, "j-2-"));
    assert_string_equal(text_at(w, RES.pods, name, "spec.hostname"), "j-2");
    end(w, name, "Succeeded");
    end(w, running(w, 0), "Succeeded");
    assert_string_equal(text_at(w, RES.jobs, "j", "status.completedIndexes"), "0,2");
    end(w, running(w, 1), "Failed");
    pass_seconds(w, 11);
    end(w, running(w, 1), "Succeeded"); /* again */
    assert_string_equal(text_at(w, RES.jobs, "j", "status.completedIndexes"), "0-2");
    end(w, running(w, 3), "Succeeded");
    assert_string_equal(condition(w, "Complete"), "CompletionsReached");
    assert_string_equal(text_at(w, RES.jobs, "j", "status.succeeded"), "4");
    assert_string_equal(text_at(w, RES.jobs, "j", "status.failed"), "1");
}

static void test_suspended(void **state)
{
    struct loop_world *w = *state;
    make(w, JOB(",'suspend':true"));
    settle(w);
    assert_int_equal(count(w, RES.pods), 0);
    assert_string_equal(condition(w, "Suspended"), "JobSuspended");
    change(w, RES.jobs, "j", "", "spec.suspend", "false");
    settle(w);
    assert_string_equal(condition(w, "Suspended"), "");
    assert_event(w, "j", "Resumed", "Job resumed");
    char name[300];
    snprintf(name, sizeof name, "%s", running(w, -1));
    change(w, RES.jobs, "j", "", "spec.suspend", "true");
    settle(w);
    assert_string_equal(text_at(w, RES.jobs, "j", "status.startTime"), "");
    assert_string_equal(text_at(w, RES.jobs, "j", "status.failed"), ""); /* deleted, not failed */
    assert_null(get(w, RES.pods, name));                                 /* nothing holds it */
}

static void test_deadline(void **state)
{
    struct loop_world *w = *state;
    make(w, JOB(",'activeDeadlineSeconds':5"));
    settle(w);
    char name[300];
    snprintf(name, sizeof name, "%s", running(w, -1));
    struct err e = ERR_INIT;
    reg_bind_pod(w->registry, "scheduler", "default", name, "n1", &e); /* so that it takes its time to end */
    pass_seconds(w, 6);
    assert_string_equal(condition(w, "FailureTarget"), "DeadlineExceeded");
    assert_string_equal(condition(w, "Failed"), "");
    assert_string_equal(text_at(w, RES.jobs, "j", "status.terminating"), "1");
    end_pod(w, name);
    settle(w);
    assert_string_equal(condition(w, "Failed"), "DeadlineExceeded");
    assert_event(w, "j", "DeadlineExceeded", "Job was active longer than specified deadline");
}

/* 2^63-1 seconds are no wait that can be told in milliseconds. */
static void test_deadline_that_never_comes(void **state)
{
    struct loop_world *w = *state;
    make(w, JOB(",'activeDeadlineSeconds':9223372036854775807"));
    settle(w);
    pass_seconds(w, 3);
    assert_int_equal(count(w, RES.pods), 1);
    assert_string_equal(condition(w, "FailureTarget"), "");
}

static void test_goes_when_its_time_is_over(void **state)
{
    struct loop_world *w = *state;
    make(w, JOB(",'ttlSecondsAfterFinished':5"));
    settle(w);
    end(w, running(w, -1), "Succeeded");
    pass_seconds(w, 3);
    assert_int_equal(count(w, RES.jobs), 1);
    pass_seconds(w, 4);
    assert_int_equal(count(w, RES.jobs), 0);
    assert_int_equal(count(w, RES.pods), 0);
}

static void test_deleted(void **state)
{
    struct loop_world *w = *state;
    make(w, JOB(""));
    settle(w);
    delete_it(w, RES.jobs, "j", "Background");
    settle(w);
    assert_int_equal(count(w, RES.jobs), 0);
    assert_int_equal(count(w, RES.pods), 0); /* the finalizer holds nothing */
}

static int edit_exit(json_t *pod, void *arg, struct err *e)
{
    (void)e;
    jset_str(pod, "status.phase", "Failed");
    jset(pod, "status.containerStatuses",
         json_pack("[{ss si ss ss sb s{s{si ss}}}]", "name", "c", "restartCount", 0, "image", "i", "imageID", "i",
                   "ready", 0, "state", "terminated", "exitCode", *(int *)arg, "finishedAt", "2026-01-01T00:00:00Z"));
    return 1;
}

static void fail_with(struct loop_world *w, const char *pod, int code)
{
    struct err e = ERR_INIT;
    assert_true(*pod);
    if (reg_modify(w->registry, "kubelet", RES.pods, "default", pod, "status", edit_exit, &code, &e) < 0)
        fail_msg("%s: %s", pod, e.msg);
    settle(w);
}

static void test_failure_policy(void **state)
{
    struct loop_world *w = *state;
    make(w, JOB(",'backoffLimit':0,'podFailurePolicy':{'rules':[{'action':'Ignore','onExitCodes':{'operator':'In',"
                "'values':[7]}},{'action':'FailJob','onExitCodes':{'operator':'In','values':[42]}}]}"));
    settle(w);
    fail_with(w, running(w, -1), 7); /* does not count */
    assert_string_equal(text_at(w, RES.jobs, "j", "status.failed"), "");
    pass_seconds(w, 11);
    char name[300], text[700];
    snprintf(name, sizeof name, "%s", running(w, -1));
    snprintf(text, sizeof text,
             "Container c for pod default/%s failed with exit code 42 matching FailJob rule at index 1", name);
    fail_with(w, name, 42);
    assert_string_equal(condition(w, "Failed"), "PodFailurePolicy");
    assert_event(w, "j", "PodFailurePolicy", text);
}

static void test_limit_per_index(void **state)
{
    struct loop_world *w = *state;
    make(w, JOB(",'completions':2,'parallelism':2,'completionMode':'Indexed','backoffLimitPerIndex':1"));
    settle(w);
    end(w, running(w, 0), "Failed");
    pass_seconds(w, 11);
    assert_string_equal(annotation(w, RES.pods, running(w, 0), "batch.kubernetes.io/job-index-failure-count"), "1");
    end(w, running(w, 0), "Failed");
    assert_string_equal(text_at(w, RES.jobs, "j", "status.failedIndexes"), "0");
    pass_seconds(w, 60);
    assert_string_equal(running(w, 0), "");
    end(w, running(w, 1), "Succeeded"); /* the other one goes on */
    assert_string_equal(condition(w, "Failed"), "FailedIndexes");
    assert_string_equal(text_at(w, RES.jobs, "j", "status.completedIndexes"), "1");
}

static void test_success_policy(void **state)
{
    struct loop_world *w = *state;
    make(w, JOB(",'completions':3,'parallelism':3,'completionMode':'Indexed','successPolicy':{'rules':[{"
                "'succeededIndexes':'0,2','succeededCount':1}]}"));
    settle(w);
    end(w, running(w, 1), "Succeeded");
    assert_string_equal(condition(w, "SuccessCriteriaMet"), "");
    end(w, running(w, 2), "Succeeded");
    assert_string_equal(condition(w, "SuccessCriteriaMet"), "SuccessPolicy");
    assert_string_equal(running(w, -1), ""); /* the rest is not needed */
    settle(w);
    assert_string_equal(condition(w, "Complete"), "SuccessPolicy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_complete, setup, teardown),
        cmocka_unit_test_setup_teardown(test_backoff, setup, teardown),
        cmocka_unit_test_setup_teardown(test_indexed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_suspended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline_that_never_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_goes_when_its_time_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failure_policy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit_per_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_success_policy, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
