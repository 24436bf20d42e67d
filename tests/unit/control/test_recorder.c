/* Events as client-go's recorders write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define EPOCH  (INT64_C(1700000000) * SECOND) /* 2023-11-14T22:13:20Z */

struct house {
    struct clock_fake clock;
    struct store *store;
    struct registry *registry;
    struct control *control;
};

static int open_house(void **state)
{
    struct house *h = xcalloc(1, sizeof *h);
    struct err e = ERR_INIT;
    clock_fake_init(&h->clock, EPOCH);
    if (store_open(&(struct store_conf){.clock = &h->clock.clock}, &h->store, &e) < 0)
        return -1;
    h->registry = registry_new(&(struct registry_conf){
        .store = h->store, .clock = &h->clock.clock, .service_cidr = "10.96.0.0/12", .pod_cidr = "10.244.0.0/16"});
    if (registry_bootstrap(h->registry, "127.0.0.1", 6443, &e) < 0)
        return -1;
    h->control =
        control_new(&(struct control_conf){.registry = h->registry, .clock = &h->clock.clock, .step_mode = true});
    control_add(h->control, &event_ttl_loop, NULL);
    *state = h;
    return control_start(h->control, &e);
}

static int close_house(void **state)
{
    struct house *h = *state;
    control_free(h->control);
    registry_free(h->registry);
    store_close(h->store);
    free(h);
    return 0;
}

struct found {
    struct sobj *items[64];
    size_t len;
};

static int add_found(struct sobj *o, void *arg)
{
    struct found *f = arg;
    f->items[f->len++] = o;
    return 0;
}

/* The events of the namespace; borrowed until the next change. */
static struct found events_in(struct house *h, const char *ns)
{
    struct found f = {0};
    struct snapshot *snap = store_snapshot(h->store);
    snapshot_scan(snap, "events", ns, NULL, NULL, add_found, &f);
    snapshot_unref(snap);
    return f;
}

static json_t *claim(void)
{
    return json_pack("{s:s,s:s,s:{s:s,s:s,s:s,s:s}}", "kind", "PersistentVolumeClaim", "apiVersion", "v1", "metadata",
                     "name", "data", "namespace", "default", "uid", "u-1", "resourceVersion", "42");
}

static void record(struct house *h, const char *reason, const char *message)
{
    _auto_json_ json_t *obj = claim();
    struct event_source src = {.component = "persistentvolume-controller", .host = ""};
    control_event(h->control, &src, obj, "", EVENT_NORMAL, reason, "%s", message);
    control_step(h->control);
}

static void test_form(void **state)
{
    struct house *h = *state;
    record(h, "WaitForFirstConsumer", "waiting for first consumer to be created before binding");
    struct found f = events_in(h, "default");
    assert_int_equal(f.len, 1);
    const json_t *ev = f.items[0]->tree;
    assert_string_equal(jstr(ev, "metadata.name"), "data.17979cfe362a0000");
    assert_string_equal(jstr(ev, "metadata.namespace"), "default");
    assert_string_equal(jstr(ev, "source.component"), "persistentvolume-controller");
    assert_null(jat(ev, "source.host"));
    assert_string_equal(jstr(ev, "firstTimestamp"), "2023-11-14T22:13:20Z");
    assert_string_equal(jstr(ev, "lastTimestamp"), "2023-11-14T22:13:20Z");
    assert_int_equal(jint(ev, "count", 0), 1);
    assert_string_equal(jstr(ev, "type"), "Normal");
    assert_true(json_is_null(jat(ev, "eventTime")));
    assert_string_equal(jstr(ev, "reportingComponent"), "persistentvolume-controller");
    assert_string_equal(jstr(ev, "reportingInstance"), "");
    _auto_json_ json_t *want =
        json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "kind", "PersistentVolumeClaim", "namespace", "default", "name", "data",
                  "uid", "u-1", "apiVersion", "v1", "resourceVersion", "42");
    assert_true(json_equal(jat(ev, "involvedObject"), want));
}

static void test_cluster_scope_and_field_path(void **state)
{
    struct house *h = *state;
    _auto_json_ json_t *node =
        json_pack("{s:s,s:{s:s,s:s}}", "kind", "Node", "metadata", "name", "node-1", "uid", "node-1");
    struct event_source src = {.component = "kubelet", .host = "node-1"};
    control_event(h->control, &src, node, "spec.containers{c}", EVENT_WARNING, "Starting", "Starting %s.", "kubelet");
    control_step(h->control);
    struct found f = events_in(h, "default");
    assert_int_equal(f.len, 1);
    const json_t *ev = f.items[0]->tree;
    assert_null(jat(ev, "involvedObject.namespace"));
    assert_string_equal(jstr(ev, "involvedObject.fieldPath"), "spec.containers{c}");
    assert_string_equal(jstr(ev, "source.host"), "node-1");
    assert_string_equal(jstr(ev, "reportingInstance"), "node-1");
    assert_string_equal(jstr(ev, "message"), "Starting kubelet.");
    assert_string_equal(jstr(ev, "type"), "Warning");
}

/* What containers, programs and file names say is told as text, whatever it was; a note ends between characters. */
static void test_is_text(void **state)
{
    struct house *h = *state;
    char note[2000];
    record(h, "Failed", "caf\xe9 is no manifest");
    assert_string_equal(jstr(events_in(h, "default").items[0]->tree, "message"), "caf\xef\xbf\xbd is no manifest");
    _auto_json_ json_t *obj = claim();
    const struct event_source src = {
        .component = "default-scheduler", .instance = "default-scheduler-0", .action = "Scheduling"};
    memset(note, 'x', 1023);
    memcpy(note + 1023, "\xc3\xa9\xc3\xa9", sizeof "\xc3\xa9\xc3\xa9");
    control_event(h->control, &src, obj, "", EVENT_WARNING, "FailedScheduling", "%s", note);
    control_step(h->control);
    const struct found f = events_in(h, "default");
    assert_int_equal(f.len, 2);
    for (size_t i = 0; i < f.len; i++)
        if (str_eq(jstr(f.items[i]->tree, "reason"), "FailedScheduling"))
            assert_int_equal(strlen(jstr(f.items[i]->tree, "message")), 1023);
}

static void test_counting(void **state)
{
    struct house *h = *state;
    for (int i = 0; i < 3; i++) {
        record(h, "FailedBinding", "no persistent volumes available for this claim and no storage class is set");
        clock_fake_advance(&h->clock, 15 * SECOND);
    }
    record(h, "Other", "something else");
    struct found f = events_in(h, "default");
    assert_int_equal(f.len, 2);
    const json_t *ev = f.items[0]->tree;
    assert_int_equal(jint(ev, "count", 0), 3);
    assert_string_equal(jstr(ev, "firstTimestamp"), "2023-11-14T22:13:20Z");
    assert_string_equal(jstr(ev, "lastTimestamp"), "2023-11-14T22:13:50Z");

    /* somebody removed it: it is written again, with its count */
    struct err e = ERR_INIT;
    assert_int_equal(reg_remove(h->registry, "test", RES.events, "default", f.items[0]->name, NULL, &e), 0);
    record(h, "FailedBinding", "no persistent volumes available for this claim and no storage class is set");
    f = events_in(h, "default");
    assert_int_equal(f.len, 2);
    assert_int_equal(jint(f.items[0]->tree, "count", 0), 4);
}

static void test_similar(void **state)
{
    struct house *h = *state;
    for (int i = 0; i < 12; i++) {
        char message[32];
        snprintf(message, sizeof message, "attempt %d", i);
        record(h, "ProvisioningFailed", message);
    }
    struct found f = events_in(h, "default");
    assert_int_equal(f.len, 10); /* nine of their own, and the tenth stands for the rest */
    const json_t *last = f.items[9]->tree;
    assert_string_equal(jstr(last, "message"), "(combined from similar events): attempt 11");
    assert_int_equal(jint(last, "count", 0), 3);
    assert_string_equal(jstr(last, "reportingComponent"), "");
    assert_string_equal(jstr(f.items[8]->tree, "message"), "attempt 8");
}

static void test_spam(void **state)
{
    struct house *h = *state;
    for (int i = 0; i < 40; i++)
        record(h, "Same", "again");
    struct found f = events_in(h, "default");
    assert_int_equal(f.len, 1);
    assert_int_equal(jint(f.items[0]->tree, "count", 0), 25);
    clock_fake_advance(&h->clock, 300 * SECOND);
    record(h, "Same", "again");
    f = events_in(h, "default");
    assert_int_equal(jint(f.items[0]->tree, "count", 0), 41); /* dropped ones were counted */
}

static void schedule_failed(struct house *h)
{
    _auto_json_ json_t *obj = claim();
    struct event_source src = {
        .component = "default-scheduler", .host = "", .instance = "default-scheduler-vm", .action = "Scheduling"};
    control_event(h->control, &src, obj, "", EVENT_WARNING, "FailedScheduling", "0/1 nodes are available");
    control_step(h->control);
}

static void test_series(void **state)
{
    struct house *h = *state;
    schedule_failed(h);
    struct found f = events_in(h, "default");
    assert_int_equal(f.len, 1);
    const json_t *ev = f.items[0]->tree;
    assert_true(json_is_null(jat(ev, "firstTimestamp")) && json_is_null(jat(ev, "lastTimestamp")));
    assert_null(jat(ev, "count"));
    assert_null(jat(ev, "series"));
    assert_int_equal(json_object_size(jat(ev, "source")), 0);
    assert_string_equal(jstr(ev, "eventTime"), "2023-11-14T22:13:20.000000Z");
    assert_string_equal(jstr(ev, "action"), "Scheduling");
    assert_string_equal(jstr(ev, "reportingComponent"), "default-scheduler");
    assert_string_equal(jstr(ev, "reportingInstance"), "default-scheduler-vm");

    for (int i = 0; i < 4; i++) {
        clock_fake_advance(&h->clock, SECOND);
        schedule_failed(h);
    }
    f = events_in(h, "default");
    assert_int_equal(f.len, 1);
    assert_int_equal(jint(f.items[0]->tree, "series.count", 0), 2); /* written when it became one */
    clock_fake_advance(&h->clock, 360 * SECOND);
    control_step(h->control);
    f = events_in(h, "default");
    assert_int_equal(jint(f.items[0]->tree, "series.count", 0), 5); /* and when it rested */
    assert_string_equal(jstr(f.items[0]->tree, "series.lastObservedTime"), "2023-11-14T22:13:24.000000Z");
    schedule_failed(h);
    assert_int_equal(events_in(h, "default").len, 2);
}

static void test_ttl(void **state)
{
    struct house *h = *state;
    record(h, "Once", "one");
    record(h, "Twice", "two");
    clock_fake_advance(&h->clock, 1800 * SECOND);
    record(h, "Twice", "two");
    clock_fake_advance(&h->clock, 1799 * SECOND);
    control_step(h->control);
    assert_int_equal(events_in(h, "default").len, 2);
    clock_fake_advance(&h->clock, SECOND);
    control_step(h->control);
    struct found f = events_in(h, "default");
    assert_int_equal(f.len, 1);
    assert_string_equal(jstr(f.items[0]->tree, "reason"), "Twice");
    clock_fake_advance(&h->clock, 1800 * SECOND);
    control_step(h->control);
    assert_int_equal(events_in(h, "default").len, 0);
}

#define HOUSE_TEST(fn) cmocka_unit_test_setup_teardown(fn, open_house, close_house)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(test_form),    HOUSE_TEST(test_cluster_scope_and_field_path),
        HOUSE_TEST(test_is_text), HOUSE_TEST(test_counting),
        HOUSE_TEST(test_similar), HOUSE_TEST(test_spam),
        HOUSE_TEST(test_series),  HOUSE_TEST(test_ttl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
