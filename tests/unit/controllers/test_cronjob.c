/* CronJobs: a job each minute, none too many, none too late; old ones go. The clock begins at a full minute. */
#include "controllers_kit.h"

#define CRON(more)                                                                                                     \
    "{'apiVersion':'batch/v1','kind':'CronJob','metadata':{'name':'tick','namespace':'default'},'spec':{'schedule':"   \
    "'* * * * *','jobTemplate':{'metadata':{'labels':{'a':'b'}},'spec':{'template':{'spec':{'restartPolicy':'Never',"  \
    "'containers':[{'name':'c','image':'i'}]}}}}" more "}}"
/* 2026-01-01T00:00:00Z in minutes */
#define FIRST "tick-29453761"

static int edit_done(json_t *pod, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    jset_str(pod, "status.phase", "Succeeded");
    return 1;
}

static void finish_pods(struct loop_world *w)
{
    _auto_objlist_ struct objlist pods = {0};
    objlist_load(&pods, w->registry, "pods", "default");
    for (size_t i = 0; i < pods.len; i++) {
        struct err e = ERR_INIT;
        reg_modify(w->registry, "kubelet", RES.pods, "default", pods.items[i]->name, "status", edit_done, NULL, &e);
    }
    settle(w);
}

static void test_each_minute(void **state)
{
    struct loop_world *w = *state;
    make(w, CRON(""));
    pass_seconds(w, 59);
    assert_int_equal(count(w, RES.jobs), 0);
    pass_seconds(w, 2);
    assert_int_equal(count(w, RES.jobs), 1);
    assert_event(w, "tick", "SuccessfulCreate", "Created job " FIRST);
    assert_string_equal(text_at(w, RES.jobs, FIRST, "metadata.labels.a"), "b");
    assert_string_equal(annotation(w, RES.jobs, FIRST, "batch.kubernetes.io/cronjob-scheduled-timestamp"),
                        "2026-01-01T00:01:00Z");
    assert_string_equal(text_at(w, RES.cronjobs, "tick", "status.lastScheduleTime"), "2026-01-01T00:01:00Z");
    _auto_sobj_ struct sobj *cj = get(w, RES.cronjobs, "tick");
    assert_string_equal(jstr(json_array_get(jat(cj->tree, "status.active"), 0), "name"), FIRST);
    finish_pods(w);
    assert_event(w, "tick", "SawCompletedJob", "Saw completed job: " FIRST ", condition: Complete");
    assert_string_equal(text_at(w, RES.cronjobs, "tick", "status.active"), "");
    assert_string_not_equal(text_at(w, RES.cronjobs, "tick", "status.lastSuccessfulTime"), "");
    for (int i = 0; i < 5; i++) {
        pass_seconds(w, 60);
        finish_pods(w);
    }
    assert_int_equal(count(w, RES.jobs), 3); /* the successful ones that are kept */
    change(w, RES.cronjobs, "tick", "", "spec.suspend", "true");
    pass_seconds(w, 180);
    assert_int_equal(count(w, RES.jobs), 3);
    delete_it(w, RES.cronjobs, "tick", "Background");
    settle(w);
    assert_int_equal(count(w, RES.jobs), 0);
}

static void test_forbid(void **state)
{
    struct loop_world *w = *state;
    make(w, CRON(",'concurrencyPolicy':'Forbid'"));
    pass_seconds(w, 125);
    assert_int_equal(count(w, RES.jobs), 1);
    assert_event(w, "tick", "JobAlreadyActive",
                 "Not starting job because prior execution is running and concurrency policy is Forbid");
    finish_pods(w);
    assert_int_equal(count(w, RES.jobs), 2); /* the one that was held back */
}

static void test_replace(void **state)
{
    struct loop_world *w = *state;
    make(w, CRON(",'concurrencyPolicy':'Replace'"));
    pass_seconds(w, 61);
    assert_int_equal(count(w, RES.jobs), 1);
    pass_seconds(w, 60);
    assert_int_equal(count(w, RES.jobs), 1);
    assert_event(w, "tick", "SuccessfulDelete", "Deleted job " FIRST);
}

static void test_late(void **state)
{
    struct loop_world *w = *state;
    make(w, CRON(",'startingDeadlineSeconds':20,'suspend':true"));
    pass_seconds(w, 100);
    change(w, RES.cronjobs, "tick", "", "spec.suspend", "false"); /* 40 s after the minute */
    settle(w);
    assert_int_equal(count(w, RES.jobs), 0);
    pass_seconds(w, 21);
    assert_int_equal(count(w, RES.jobs), 1);
}

static void test_never_late(void **state)
{
    struct loop_world *w = *state;
    make(w, CRON(",'startingDeadlineSeconds':9223372036854775807"));
    pass_seconds(w, 61);
    assert_int_equal(count(w, RES.jobs), 1);
}

/* One made by hand (kubectl create job --from=cronjob/tick) is its own, but not of its making. */
static void test_by_hand(void **state)
{
    struct loop_world *w = *state;
    make(w, CRON(""));
    make(w,
         "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'now','namespace':'default','ownerReferences':["
         "{'apiVersion':'batch/v1','kind':'CronJob','name':'tick','controller':true,'uid':'%s'}]},'spec':{'template':"
         "{'spec':{'restartPolicy':'Never','containers':[{'name':'c','image':'i'}]}}}}",
         text_at(w, RES.cronjobs, "tick", "metadata.uid"));
    settle(w);
    assert_event(w, "tick", "UnexpectedJob", "Saw a job that the controller did not create or forgot: now");
    assert_string_equal(text_at(w, RES.cronjobs, "tick", "status.active"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_minute, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forbid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_never_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_by_hand, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
