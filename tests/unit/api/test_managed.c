/* test_managed.c - field ownership: entries after writes, and server-side apply, as recorded from a 1.32 server. */
#include "api/patch.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct resource *configmaps, *deployments;

static json_t *parse(const char *text)
{
    _auto_free_ char *copy = xstrdup(text);
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    json_t *j = json_loads(copy, 0, NULL);
    assert_non_null(j);
    return j;
}

/* "one Apply {'f:data':{}}; upd Update/status {…}": all entries in short. Returns new. */
static char *entries_text(const json_t *obj)
{
    _auto_buf_ struct buf b = BUF_INIT;
    const json_t *entries = jat(obj, "metadata.managedFields");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        _auto_free_ char *fields = json_dumps(json_object_get(entry, "fieldsV1"), JSON_COMPACT);
        const char *sub = jstr(entry, "subresource");
        buf_addf(&b, "%s%s %s%s%s %s %s", i > 0 ? "; " : "", jstr(entry, "manager"), jstr(entry, "operation"),
                 sub != NULL ? "/" : "", sub != NULL ? sub : "", jstr_or(entry, "time", "-"), fields);
    }
    for (size_t i = 0; i < b.len; i++)
        if (b.data[i] == '"')
            b.data[i] = '\'';
    return buf_steal(&b, NULL);
}

static void assert_entries(const json_t *obj, const char *want)
{
    _auto_free_ char *got = entries_text(obj);
    assert_string_equal(got, want);
}

static struct manage_ctx by(const char *manager, const char *now)
{
    return (struct manage_ctx){.res = configmaps, .manager = manager, .subresource = "", .now = now};
}

/* Applies and, on success, replaces *live (nulls dropped, as decoding would). Returns the refusal, or NULL. */
static char *apply(json_t **live, const struct manage_ctx *ctx, const char *config, bool force)
{
    _auto_json_ json_t *applied = parse(config), *out = NULL, *status = NULL;
    struct err e = ERR_INIT;
    if (managed_apply(ctx, *live, applied, force, &out, &status, &e) < 0)
        return xstrdup(e.msg);
    if (json_is_null(json_object_get(out, "data")))
        json_object_del(out, "data");
    json_decref(*live);
    *live = TAKE(out);
    return NULL;
}

static void applies(json_t **live, const char *manager, const char *now, const char *data)
{
    struct manage_ctx ctx = by(manager, now);
    _auto_free_ char *config = xasprintf("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'}%s}", data);
    _auto_free_ char *refusal = apply(live, &ctx, config, false);
    assert_null(refusal);
}

static void test_create_and_update(void **state)
{
    (void)state;
    struct manage_ctx ctx = by("kubectl-create", "t1");
    _auto_json_ json_t *obj =
        parse("{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'k','namespace':'n','creationTimestamp':null,"
              "'labels':{'a':'b'}},'data':{'x':'1'}}");
    managed_update(&ctx, NULL, obj);
    assert_entries(obj,
                   "kubectl-create Update t1 {'f:data':{'.':{},'f:x':{}},'f:metadata':{'f:labels':{'.':{},'f:a':{}}}}");

    _auto_json_ json_t *next = json_deep_copy(obj);
    jset_str(next, "data.y", "2");
    ctx = by("my-tool", "t2");
    managed_update(&ctx, obj, next);
    assert_entries(next,
                   "kubectl-create Update t1 {'f:data':{'.':{},'f:x':{}},'f:metadata':{'f:labels':{'.':{},'f:a':{}}}}; "
                   "my-tool Update t2 {'f:data':{'f:y':{}}}");

    _auto_json_ json_t *same = json_deep_copy(next);
    ctx = by("other", "t3");
    managed_update(&ctx, next, same);
    assert_true(json_equal(next, same));

    jset_str(same, "data.x", "9");
    jdel(same, "data.y");
    managed_update(&ctx, next, same);
    assert_entries(
        same, "kubectl-create Update t1 {'f:data':{},'f:metadata':{'f:labels':{'.':{},'f:a':{}}}}; other Update t3 "
              "{'f:data':{'f:x':{}}}");
}

static void test_reset_and_untracked(void **state)
{
    (void)state;
    struct manage_ctx ctx = by("a", "t1");
    _auto_json_ json_t *old = parse(
        "{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'k','managedFields':[{'manager':'x','operation':"
        "'Update','apiVersion':'v1','fieldsType':'FieldsV1','fieldsV1':{'f:data':{}}}]}}");
    _auto_json_ json_t *obj =
        parse("{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'k','managedFields':[{}]},'data':{'b':'1'}}");
    managed_update(&ctx, old, obj);
    assert_null(jat(obj, "metadata.managedFields"));
    _auto_json_ json_t *next = json_deep_copy(obj);
    jset_str(next, "data.c", "1");
    managed_update(&ctx, obj, next);
    assert_null(jat(next, "metadata.managedFields"));
}

static void test_cap(void **state)
{
    (void)state;
    _auto_json_ json_t *obj =
        parse("{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'k'},'data':{'k00':'1'}}");
    struct manage_ctx ctx = by("m00", "2026-01-01T00:00:00Z");
    managed_update(&ctx, NULL, obj);
    for (int i = 1; i <= 11; i++) {
        _auto_json_ json_t *old = json_deep_copy(obj);
        _auto_free_ char *manager = xasprintf("m%02d", i), *path = xasprintf("data.k%02d", i);
        _auto_free_ char *now = xasprintf("2026-01-01T00:00:%02dZ", i);
        jset_str(obj, path, "1");
        ctx = by(manager, now);
        managed_update(&ctx, old, obj);
    }
    const json_t *entries = jat(obj, "metadata.managedFields"), *first = json_array_get(entries, 0);
    assert_int_equal(json_array_size(entries), 10);
    assert_string_equal(jstr(first, "manager"), "ancient-changes");
    assert_string_equal(jstr(first, "time"), "2026-01-01T00:00:02Z");
    _auto_free_ char *fields = json_text(json_object_get(first, "fieldsV1"));
    assert_string_equal(fields, "{\"f:data\":{\".\":{},\"f:k00\":{},\"f:k01\":{},\"f:k02\":{}}}");
}

static void test_apply_sequence(void **state)
{
    (void)state;
    _auto_json_ json_t *live = NULL;
    applies(&live, "one", "t1", ",'data':{'a':'1','b':'2'}");
    assert_entries(live, "one Apply t1 {'f:data':{'f:a':{},'f:b':{}}}");
    applies(&live, "one", "t2", ",'data':{'a':'1','b':'2'}");
    assert_entries(live, "one Apply t1 {'f:data':{'f:a':{},'f:b':{}}}");
    applies(&live, "two", "t3", ",'data':{'c':'3'}");
    applies(&live, "two", "t4", ",'data':{'c':'3','a':'1'}");
    assert_entries(live, "one Apply t1 {'f:data':{'f:a':{},'f:b':{}}}; two Apply t3 {'f:data':{'f:a':{},'f:c':{}}}");

    struct manage_ctx one = by("one", "t5"), three = by("three", "t5");
    static const char one_config[] =
        "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'},'data':{'a':'9','b':'2'}}";
    static const char both_config[] =
        "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'},'data':{'a':'x','c':'y'}}";
    static const char a_config[] = "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'},'data':{'a':'x'}}";
    _auto_free_ char *single = apply(&live, &one, one_config, false);
    assert_string_equal(single, "Apply failed with 1 conflict: conflict with \"two\": .data.a");
    _auto_free_ char *several = apply(&live, &three, both_config, false);
    assert_string_equal(
        several,
        "Apply failed with 3 conflicts: conflicts with \"one\":\n- .data.a\nconflicts with \"two\":\n- .data.a\n- "
        ".data.c");
    _auto_free_ char *forced = apply(&live, &three, a_config, true);
    assert_null(forced);
    assert_entries(
        live,
        "one Apply t1 {'f:data':{'f:b':{}}}; two Apply t3 {'f:data':{'f:c':{}}}; three Apply t5 {'f:data':{'f:a':{}}}");

    applies(&live, "one", "t6", ",'data':{}");
    assert_entries(
        live, "two Apply t3 {'f:data':{'f:c':{}}}; three Apply t5 {'f:data':{'f:a':{}}}; one Apply t6 {'f:data':{}}");
    applies(&live, "two", "t7", "");
    applies(&live, "three", "t8", ",'data':{}");
    assert_entries(live, "one Apply t6 {'f:data':{}}; three Apply t8 {'f:data':{}}");
    assert_null(jat(live, "data"));

    _auto_json_ json_t *put = json_deep_copy(live);
    jset_str(put, "data.z", "1");
    struct manage_ctx upd = by("upd", "t9");
    managed_update(&upd, live, put);
    assert_entries(put, "upd Update t9 {'f:data':{'.':{},'f:z':{}}}");
    _auto_free_ char *with_update =
        apply(&put, &one, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'},'data':{'z':'2'}}", false);
    assert_string_equal(with_update, "Apply failed with 1 conflict: conflict with \"upd\" using v1: .data.z");
    applies(&put, "one", "t10", ",'data':{'z':'1'}");
    assert_entries(put, "one Apply - {'f:data':{'f:z':{}}}; upd Update t9 {'f:data':{'.':{},'f:z':{}}}");
}

static void test_apply_refusals(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{'apiVersion':'v1','metadata':{'name':'c'}}", "invalid object type: /v1, Kind="},
        {"{'kind':'ConfigMap','metadata':{'name':'c'}}", "invalid object type: /, Kind=ConfigMap"},
        {"{'apiVersion':'v9','kind':'ConfigMap'}", "invalid object type: /v9, Kind=ConfigMap"},
        {"{'apiVersion':'v1','kind':'ConfigMap','metadata':{'managedFields':[]}}",
         "metadata.managedFields must be nil"},
        {"{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'},'nosuch':1}",
         "failed to create typed patch object (/c; /v1, Kind=ConfigMap): .nosuch: field not declared in schema"},
        {"{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'},'data':{'a':5}}",
         "failed to create typed patch object (/c; /v1, Kind=ConfigMap): .data.a: expected string, got "
         "&value.valueUnstructured{Value:5}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_json_ json_t *live = NULL;
        struct manage_ctx ctx = by("m", "t1");
        _auto_free_ char *refusal = apply(&live, &ctx, rows[i][0], false);
        assert_string_equal(refusal, rows[i][1]);
    }
}

static void test_before_first_apply(void **state)
{
    (void)state;
    _auto_json_ json_t *live =
        parse("{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'c','uid':'u'},'data':{'a':'','z':'7'}}");
    struct manage_ctx ctx = by("after", "t1");
    _auto_free_ char *refusal =
        apply(&live, &ctx, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c'},'data':{'a':'1'}}", false);
    assert_string_equal(refusal,
                        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.a");
    applies(&live, "after", "t1", ",'data':{'q':'1'}");
    assert_entries(
        live,
        "after Apply t1 {'f:data':{'f:q':{}}}; before-first-apply Update t1 {'f:data':{'.':{},'f:a':{},'f:z':{}}}");
}

static void test_kubectl_takes_over(void **state)
{
    (void)state;
    _auto_json_ json_t *live =
        parse("{'kind':'ConfigMap','apiVersion':'v1','metadata':{'name':'c','uid':'u','annotations':{"
              "'kubectl.kubernetes.io/last-applied-configuration':''},'managedFields':[{'manager':"
              "'kubectl-client-side-apply','operation':'Update','apiVersion':'v1','fieldsType':'FieldsV1','fieldsV1':{"
              "'f:data':{'.':{},'f:x':{}}}}]},'data':{'x':'1'}}");
    jset_map(live, "metadata.annotations", "kubectl.kubernetes.io/last-applied-configuration",
             "{\"data\":{\"x\":\"1\"}}\n");
    applies(&live, "kubectl", "t1", ",'data':{'x':'2'}");
    assert_string_equal(jstr(live, "data.x"), "2");
    assert_string_equal(
        jmap(live, "metadata.annotations", "kubectl.kubernetes.io/last-applied-configuration"),
        "{\"apiVersion\":\"v1\",\"data\":{\"x\":\"2\"},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"}}\n");
    assert_entries(live, "kubectl Apply t1 {'f:data':{'f:x':{}}}; kubectl-client-side-apply Update - {'f:data':{}}");
}

#define DEPLOYMENT(containers)                                                                                         \
    "{'apiVersion':'apps/"                                                                                             \
    "v1','kind':'Deployment','metadata':{'name':'d'},'spec':{'template':{'spec':{'containers':[" containers "]}}}}"

static void deploys(json_t **live, const char *manager, const char *config)
{
    struct manage_ctx ctx = {.res = deployments, .manager = manager, .subresource = "", .now = "t1"};
    _auto_free_ char *refusal = apply(live, &ctx, config, false);
    assert_null(refusal);
}

static void assert_containers(const json_t *live, const char *want)
{
    _auto_buf_ struct buf b = BUF_INIT;
    const json_t *containers = jat(live, "spec.template.spec.containers");
    for (size_t i = 0; i < json_array_size(containers); i++) {
        _auto_free_ char *text = json_dumps(json_array_get(containers, i), JSON_COMPACT);
        buf_adds(&b, text);
    }
    for (size_t i = 0; i < b.len; i++)
        if (b.data[i] == '"')
            b.data[i] = '\'';
    assert_string_equal(buf_str(&b), want);
}

static void test_keyed_lists(void **state)
{
    (void)state;
    _auto_json_ json_t *live = NULL;
    deploys(&live, "one", DEPLOYMENT("{'name':'a','image':'i','ports':[{'containerPort':443},{'containerPort':80}]}"));
    assert_entries(
        live,
        "one Apply t1 "
        "{'f:spec':{'f:template':{'f:spec':{'f:containers':{'k:{\\'name\\':\\'a\\'}':{'.':{},'f:image':{},'f:name':"
        "{},'f:ports':{'k:{\\'containerPort\\':80,\\'protocol\\':\\'TCP\\'}':{'.':{},'f:containerPort':{}},'k:{\\'"
        "containerPort\\'"
        ":443,\\'protocol\\':\\'TCP\\'}':{'.':{},'f:containerPort':{}}}}}}}}}");
    deploys(&live, "two", DEPLOYMENT("{'name':'b','image':'j'},{'name':'a','env':[{'name':'Y','value':'2'}]}"));
    assert_containers(
        live,
        "{'name':'b','image':'j'}{'name':'a','image':'i','ports':[{'containerPort':443},{'containerPort':80}],'env':[{"
        "'name':'Y','value':'2'}]}");
    deploys(&live, "one", DEPLOYMENT("{'name':'z','image':'k'},{'name':'a','image':'i'}"));
    assert_containers(live, "{'name':'b','image':'j'}{'name':'z','image':'k'}{'name':'a','image':'i','env'"
                            ":[{'name':'Y','value'"
                            ":'2'}]}");
    deploys(&live, "one", DEPLOYMENT(""));
    assert_containers(live, "{'name':'b','image':'j'}{'name':'a','env':[{'name':'Y','value':'2'}]}");

    struct manage_ctx ctx = {.res = deployments, .manager = "three", .subresource = "", .now = "t1"};
    _auto_free_ char *twice = apply(&live, &ctx, DEPLOYMENT("{'name':'a'},{'name':'a'}"), false);
    assert_string_equal(
        twice, "failed to create typed patch object (/d; apps/v1, Kind=Deployment): .spec.template.spec.containers: "
               "duplicate entries for key [name=\"a\"]");
    _auto_free_ char *conflict = apply(&live, &ctx, DEPLOYMENT("{'name':'b','image':'q'}"), false);
    assert_string_equal(
        conflict,
        "Apply failed with 1 conflict: conflict with \"two\": .spec.template.spec.containers[name=\"b\"].image");
}

static void test_defaults_are_owned_by_updaters_only(void **state)
{
    (void)state;
    struct manage_ctx ctx = {.res = deployments, .manager = "kubectl-create", .subresource = "", .now = "t1"};
    _auto_json_ json_t *obj =
        parse("{'kind':'Deployment','apiVersion':'apps/"
              "v1','metadata':{'name':'kd','creationTimestamp':null,'labels':{'app':'kd'}},'spec':{"
              "'replicas':1,'selector':{'matchLabels':{'app':'kd'}},'template':{'metadata':{'creationTimestamp':null,'"
              "labels':{'app':'kd'}},"
              "'spec':{'containers':[{'name':'nginx','image':'nginx','resources':{},'imagePullPolicy':'Always'}],'"
              "restartPolicy':'Always',"
              "'securityContext':{}}},'strategy':{'type':'RollingUpdate','rollingUpdate':{'maxSurge':'25%'}}},'status':"
              "{'replicas':1}}");
    managed_update(&ctx, NULL, obj);
    assert_entries(obj, "kubectl-create Update t1 "
                        "{'f:metadata':{'f:labels':{'.':{},'f:app':{}}},'f:spec':{'f:replicas':{},'f:selector':{},"
                        "'f:strategy':{'f:rollingUpdate':{'.':{},'f:maxSurge':{}},'f:type':{}},'f:template':{'f:"
                        "metadata':{'f:labels':{'.':{},"
                        "'f:app':{}}},'f:spec':{'f:containers':{'k:{\\'name\\':\\'nginx\\'}':{'.':{},'f:image':{},'f:"
                        "imagePullPolicy':{},'f:name':"
                        "{},'f:resources':{}}},'f:restartPolicy':{},'f:securityContext':{}}}}}");
    _auto_json_ json_t *next = json_deep_copy(obj);
    jset_int(next, "status.replicas", 3);
    jset_int(next, "spec.replicas", 5);
    ctx.manager = "kcm";
    ctx.subresource = "status";
    managed_update(&ctx, obj, next);
    const json_t *entry = json_array_get(jat(next, "metadata.managedFields"), 0);
    assert_string_equal(jstr(entry, "subresource"), "status");
    _auto_free_ char *fields = json_text(json_object_get(entry, "fieldsV1"));
    assert_string_equal(fields, "{\"f:status\":{\"f:replicas\":{}}}");
}

static void test_odd_shapes(void **state)
{
    (void)state;
    /* Duplicates of a key are one leaf; a claimRef has parts although its type is atomic elsewhere. */
    struct manage_ctx ctx = {.res = resource_by_kind("", "v1", "Pod"), .manager = "m", .subresource = "", .now = "t1"};
    _auto_json_ json_t *pod =
        parse("{'kind':'Pod','apiVersion':'v1','metadata':{'name':'p'},'spec':{'containers':[{'name':'c',"
              "'resources':{},'ports':[{'containerPort':80,'protocol':'TCP'},{'containerPort':80,"
              "'protocol':'TCP'}]}]}}");
    managed_update(&ctx, NULL, pod);
    assert_entries(
        pod, "m Update t1 {'f:spec':{'f:containers':{'k:{\\'name\\':\\'c\\'}':{'.':{},'f:name':{},'f:ports':{'.':{},"
             "'k:{\\'containerPort\\':80,\\'protocol\\':\\'TCP\\'}':{}},'f:resources':{}}}}}");
    ctx.res = resource_by_kind("", "v1", "PersistentVolume");
    _auto_json_ json_t *pv =
        parse("{'kind':'PersistentVolume','apiVersion':'v1','metadata':{'name':'p'},'spec':{'claimRef':{'name':'c'}}}");
    managed_update(&ctx, NULL, pv);
    assert_entries(pv, "m Update t1 {'f:spec':{'f:claimRef':{'.':{},'f:name':{}}}}");
}

static int setup(void **state)
{
    (void)state;
    schema_init();
    resource_init();
    configmaps = resource_by_kind("", "v1", "ConfigMap");
    deployments = resource_by_kind("apps", "v1", "Deployment");
    return configmaps != NULL && deployments != NULL ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_and_update),
        cmocka_unit_test(test_reset_and_untracked),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_apply_sequence),
        cmocka_unit_test(test_apply_refusals),
        cmocka_unit_test(test_before_first_apply),
        cmocka_unit_test(test_kubectl_takes_over),
        cmocka_unit_test(test_keyed_lists),
        cmocka_unit_test(test_defaults_are_owned_by_updaters_only),
        cmocka_unit_test(test_odd_shapes),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
