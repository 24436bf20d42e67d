/* How far a rollout is, in kubectl's words, and which revisions an object has. */
#include "base/mem.h"
#include "base/str.h"
#include "kubectl/verbs/rollout_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void expect(int want, const char *line, int64_t revision, const char *object)
{
    _auto_json_ json_t *o = json_loads(object, 0, NULL);
    _auto_buf_ struct buf text = BUF_INIT;
    struct err e = ERR_INIT;
    assert_non_null(o);
    assert_int_equal(rollout_state(o, revision, &text, &e), want);
    assert_string_equal(want < 0 ? e.msg : buf_str(&text), line);
}

#define DEPLOYMENT(generation, status)                                                                                 \
    "{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\",\"generation\":" generation                               \
    ",\"annotations\":{\"deployment.kubernetes.io/revision\":\"4\"}},\"spec\":{\"replicas\":3},\"status\":{" status    \
    "}}"

static void test_deployment(void **state)
{
    (void)state;
    expect(0, "Waiting for deployment spec update to be observed...\n", 0, DEPLOYMENT("2", "\"observedGeneration\":1"));
    expect(0, "Waiting for deployment \"web\" rollout to finish: 1 out of 3 new replicas have been updated...\n", 0,
           DEPLOYMENT("2", "\"observedGeneration\":2,\"updatedReplicas\":1"));
    expect(0, "Waiting for deployment \"web\" rollout to finish: 1 old replicas are pending termination...\n", 0,
           DEPLOYMENT("2", "\"observedGeneration\":2,\"updatedReplicas\":3,\"replicas\":4"));
    expect(0, "Waiting for deployment \"web\" rollout to finish: 2 of 3 updated replicas are available...\n", 0,
           DEPLOYMENT("2", "\"observedGeneration\":2,\"updatedReplicas\":3,\"replicas\":3,\"availableReplicas\":2"));
    expect(1, "deployment \"web\" successfully rolled out\n", 4,
           DEPLOYMENT("2", "\"observedGeneration\":2,\"updatedReplicas\":3,\"replicas\":3,\"availableReplicas\":3"));
    expect(-1, "desired revision (5) is different from the running revision (4)", 5, DEPLOYMENT("2", ""));
    expect(-1, "deployment \"web\" exceeded its progress deadline", 0,
           DEPLOYMENT("1", "\"observedGeneration\":1,\"conditions\":[{\"type\":\"Progressing\",\"reason\":"
                           "\"ProgressDeadlineExceeded\"}]"));
}

static void test_sets(void **state)
{
    (void)state;
    expect(-1, "rollout status is only available for RollingUpdate strategy type", 0,
           "{\"kind\":\"DaemonSet\",\"spec\":{\"updateStrategy\":{\"type\":\"OnDelete\"}}}");
    expect(0, "Waiting for daemon set \"d\" rollout to finish: 1 of 2 updated pods are available...\n", 0,
           "{\"kind\":\"DaemonSet\",\"metadata\":{\"name\":\"d\"},\"spec\":{\"updateStrategy\":{\"type\":"
           "\"RollingUpdate\"}},"
           "\"status\":{\"desiredNumberScheduled\":2,\"updatedNumberScheduled\":2,\"numberAvailable\":1}}");
    expect(0, "Waiting for 2 pods to be ready...\n", 0,
           "{\"kind\":\"StatefulSet\",\"metadata\":{\"generation\":1},\"spec\":{\"replicas\":3,\"updateStrategy\":{"
           "\"type\":"
           "\"RollingUpdate\"}},\"status\":{\"observedGeneration\":1,\"readyReplicas\":1}}");
    expect(1, "partitioned roll out complete: 1 new pods have been updated...\n", 0,
           "{\"kind\":\"StatefulSet\",\"metadata\":{\"generation\":1},\"spec\":{\"replicas\":3,\"updateStrategy\":{"
           "\"type\":"
           "\"RollingUpdate\",\"rollingUpdate\":{\"partition\":2}}},\"status\":{\"observedGeneration\":1,"
           "\"readyReplicas\":3,"
           "\"updatedReplicas\":1}}");
    expect(1, "statefulset rolling update complete 3 pods at revision a...\n", 0,
           "{\"kind\":\"StatefulSet\",\"metadata\":{\"generation\":1},\"spec\":{\"replicas\":3,\"updateStrategy\":{"
           "\"type\":"
           "\"RollingUpdate\"}},\"status\":{\"observedGeneration\":1,\"readyReplicas\":3,\"currentReplicas\":3,"
           "\"updateRevision\":\"a\",\"currentRevision\":\"a\"}}");
    expect(-1, "no status viewer has been implemented for Pod", 0, "{\"kind\":\"Pod\"}");
}

#define OWNED(revision, owner, template)                                                                               \
    "{\"metadata\":{\"annotations\":{\"deployment.kubernetes.io/revision\":\"" revision                                \
    "\"},\"ownerReferences\":[{\"controller\":true,\"uid\":\"" owner "\"}]},\"spec\":{\"template\":" template "}}"

static void test_past(void **state)
{
    (void)state;
    _auto_json_ json_t *object = json_loads("{\"metadata\":{\"uid\":\"me\"}}", 0, NULL);
    _auto_json_ json_t *list = json_loads("[" OWNED("10", "me", "{\"spec\":1}") "," OWNED(
                                              "9", "me", "{\"spec\":2}") "," OWNED("11", "other", "{\"spec\":3}") "]",
                                          0, NULL);
    _auto_rollout_past_ struct rollout_past past = {0};
    _auto_buf_ struct buf text = BUF_INIT;
    rollout_past_of(object, list, &past);
    assert_int_equal(past.len, 2);
    assert_int_equal(rollout_past_find(&past, 0)->number, 9);
    assert_int_equal(rollout_past_find(&past, 10)->number, 10);
    assert_null(rollout_past_find(&past, 11));
    rollout_past_print(&past, &text);
    assert_string_equal(buf_str(&text), "REVISION  CHANGE-CAUSE\n9         <none>\n10        <none>\n");
}

static void test_templates(void **state)
{
    (void)state;
    _auto_json_ json_t *a =
        json_loads("{\"metadata\":{\"labels\":{\"a\":\"b\",\"pod-template-hash\":\"1\"}},\"spec\":{}}", 0, NULL);
    _auto_json_ json_t *b =
        json_loads("{\"metadata\":{\"labels\":{\"a\":\"b\"},\"creationTimestamp\":null},\"spec\":{},"
                   "\"$patch\":\"replace\"}",
                   0, NULL);
    _auto_json_ json_t *c = json_loads("{\"metadata\":{\"labels\":{\"a\":\"c\"}},\"spec\":{}}", 0, NULL);
    assert_true(template_equal(a, b));
    assert_false(template_equal(a, c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deployment),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_past),
        cmocka_unit_test(test_templates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
