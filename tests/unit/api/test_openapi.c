/* The OpenAPI documents hold what kubectl looks for. */
#include "api_test.h"

#include "api/openapi.h"
#include "api/proto_wire.h"

static json_t *loaded(struct doc d)
{
    assert_non_null(d.data);
    json_t *doc = json_loadb(d.data, d.len, 0, NULL);
    assert_non_null(doc);
    return doc;
}

static const json_t *schema_in(const json_t *doc, const char *name)
{
    return json_object_get(jat(doc, "components.schemas"), name);
}

/* Every reference leads somewhere. */
static void references_check(const json_t *v, const json_t *defs, const char *prefix)
{
    const char *key;
    json_t *item;
    size_t i;
    json_array_foreach((json_t *)v, i, item) references_check(item, defs, prefix);
    json_object_foreach((json_t *)v, key, item)
    {
        if (strcmp(key, "$ref") == 0) {
            assert_int_equal(strncmp(json_string_value(item), prefix, strlen(prefix)), 0);
            assert_non_null(json_object_get(defs, json_string_value(item) + strlen(prefix)));
        } else {
            references_check(item, defs, prefix);
        }
    }
}

static void test_v3_core(void **state)
{
    (void)state;
    json_t *doc = loaded(openapi_v3("api/v1"));
    references_check(doc, jat(doc, "components.schemas"), "#/components/schemas/");
    const json_t *pvc = schema_in(doc, "io.k8s.api.core.v1.PersistentVolumeClaim");
    assert_text(json_text(json_object_get(pvc, "x-kubernetes-group-version-kind")),
                "[{\"group\":\"\",\"kind\":\"PersistentVolumeClaim\",\"version\":\"v1\"}]");
    const json_t *containers = jat(schema_in(doc, "io.k8s.api.core.v1.PodSpec"), "properties.containers");
    assert_string_equal(jstr(containers, "x-kubernetes-patch-merge-key"), "name");
    assert_string_equal(jstr(containers, "x-kubernetes-patch-strategy"), "merge");
    assert_string_equal(jstr(containers, "x-kubernetes-list-type"), "map");
    assert_text(json_text(jat(schema_in(doc, "io.k8s.api.core.v1.ContainerPort"), "properties.protocol.default")),
                "\"TCP\"");
    assert_text(
        json_text(jat(schema_in(doc, "io.k8s.api.core.v1.PersistentVolumeClaimSpec"), "properties.accessModes.items")),
        "{\"type\":\"string\",\"default\":\"\",\"enum\":[\"ReadOnlyMany\",\"ReadWriteMany\",\"ReadWriteOnce\","
        "\"ReadWriteOncePod\"]}");
    assert_null(schema_in(doc, "io.k8s.api.core.v1.VolumeSource"));
    json_decref(doc);
}

/* kubectl takes any PATCH operation of a kind and looks for fieldValidation in it. */
static void test_every_patch_tells_field_validation(void **state)
{
    (void)state;
    json_t *doc = loaded(openapi_v3("apis/apps/v1"));
    const char *path;
    json_t *item;
    int patches = 0;
    json_object_foreach(json_object_get(doc, "paths"), path, item)
    {
        json_t *patch = json_object_get(item, "patch");
        if (!patch)
            continue;
        patches++;
        bool found = false;
        size_t i;
        json_t *p;
        json_array_foreach(json_object_get(patch, "parameters"), i, p) found |=
            strcmp(jstr(p, "name"), "fieldValidation") == 0;
        assert_true(found);
        assert_true(json_is_object(json_object_get(patch, "x-kubernetes-group-version-kind")));
        json_t *content = jat(patch, "requestBody.content");
        assert_non_null(json_object_get(content, "application/strategic-merge-patch+json"));
    }
    assert_int_equal(patches, 5 + 4 + 3); /* five kinds; status of four, scale of three */
    json_t *get = jat(doc, "paths");
    get = jat(json_object_get(get, "/apis/apps/v1/namespaces/{namespace}/deployments"), "get");
    assert_text(json_text(json_object_get(get, "x-kubernetes-group-version-kind")),
                "{\"group\":\"apps\",\"kind\":\"Deployment\",\"version\":\"v1\"}");
    json_decref(doc);
}

static void test_index_names_hashes(void **state)
{
    (void)state;
    json_t *index = loaded(openapi_v3_index());
    json_t *core = json_object_get(json_object_get(index, "paths"), "api/v1");
    _auto_free_ char *want = xasprintf("/openapi/v3/api/v1?hash=%s", openapi_v3("api/v1").etag);
    assert_string_equal(jstr(core, "serverRelativeURL"), want);
    assert_null(openapi_v3("apis/nosuch/v1").data);
    assert_null(openapi_v3("v1").data);
    assert_ptr_equal(openapi_v3("api/v1").data, openapi_v3("api/v1").data);
    json_decref(index);
}

static void test_v2(void **state)
{
    (void)state;
    json_t *doc = loaded(openapi_v2_json());
    references_check(doc, json_object_get(doc, "definitions"), "#/definitions/");
    json_t *quantity =
        json_object_get(json_object_get(doc, "definitions"), "io.k8s.apimachinery.pkg.api.resource.Quantity");
    assert_string_equal(jstr(quantity, "type"), "string");
    json_decref(doc);
}

/* The protobuf form has the members at gnostic's numbers, and as many definitions as the JSON form. */
static void test_v2_proto(void **state)
{
    (void)state;
    struct doc d = openapi_v2_proto();
    struct wire w = {(const uint8_t *)d.data, (const uint8_t *)d.data + d.len};
    struct wire_field f;
    struct err e = ERR_INIT;
    size_t definitions = 0;
    unsigned seen = 0;
    while (wire_next(&w, &f, &e) == 1) {
        seen |= 1U << f.number;
        struct wire_field def;
        while (f.number == 9 && wire_next(&f.bytes, &def, &e) == 1)
            definitions++;
    }
    assert_int_equal(e.code, ERR_OK);
    assert_int_equal(seen, 1U << 1 | 1U << 2 | 1U << 8 | 1U << 9);
    json_t *doc = loaded(openapi_v2_json());
    assert_int_equal(definitions, json_object_size(json_object_get(doc, "definitions")));
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v3_core),
        cmocka_unit_test(test_every_patch_tells_field_validation),
        cmocka_unit_test(test_index_names_hashes),
        cmocka_unit_test(test_v2),
        cmocka_unit_test(test_v2_proto),
    };
    return cmocka_run_group_tests(tests, api_setup, NULL);
}
