/* Discovery, in the words of a 1.32 server; and events in their two views. */
#include "api_test.h"

#include "api/event_view.h"
#include "api/openapi.h"

/* The member of `list` whose `key` is `name`, as text. */
static char *row(struct doc d, const char *path, const char *key, const char *name)
{
    assert_non_null(d.data);
    assert_int_equal(d.data[d.len - 1], '\n');
    json_t *doc = json_loadb(d.data, d.len, 0, NULL);
    char *text = NULL;
    size_t i;
    json_t *item;
    json_array_foreach(jat(doc, path), i, item)
    {
        if (strcmp(jstr_or(item, key, ""), name) == 0)
            text = json_text(item);
    }
    json_decref(doc);
    assert_non_null(text);
    return text;
}

static void test_legacy_lists(void **state)
{
    (void)state;
    struct doc core = discovery_resource_list("", "v1");
    assert_int_equal(
        strncmp(core.data,
                "{\"kind\":\"APIResourceList\",\"groupVersion\":\"v1\",\"resources\":[{\"name\":\"bindings\"", 70),
        0);
    assert_text(row(core, "resources", "name", "pods"), "{\"name\":\"pods\",\"singularName\":\"pod\",\"namespaced\":"
                                                        "true,\"kind\":\"Pod\",\"verbs\":[\"create\",\"delete\","
                                                        "\"deletecollection\",\"get\",\"list\",\"patch\",\"update\","
                                                        "\"watch\"],\"shortNames\":[\"po\"],\"categories\":[\"all\"],"
                                                        "\"storageVersionHash\":\"xPOwRZ+Yhw8=\"}");
    assert_text(row(core, "resources", "name", "pods/eviction"),
                "{\"name\":\"pods/"
                "eviction\",\"singularName\":\"\",\"namespaced\":true,\"group\":\"policy\",\"version\":\"v1\",\"kind\":"
                "\"Eviction\",\"verbs\":[\"create\"]}");
    assert_text(row(discovery_resource_list("apps", "v1"), "resources", "name", "deployments/scale"),
                "{\"name\":\"deployments/"
                "scale\",\"singularName\":\"\",\"namespaced\":true,\"group\":\"autoscaling\",\"version\":\"v1\","
                "\"kind\":\"Scale\",\"verbs\":[\"get\",\"patch\",\"update\"]}");
    assert_null(discovery_resource_list("apps", "v1beta1").data);
    assert_null(discovery_resource_list("", "v2").data);
}

static void test_groups(void **state)
{
    (void)state;
    assert_text(
        row(discovery_group_list(), "groups", "name", "storage.k8s.io"),
        "{\"name\":\"storage.k8s.io\",\"versions\":[{\"groupVersion\":\"storage.k8s.io/v1\",\"version\":\"v1\"}],"
        "\"preferredVersion\":{\"groupVersion\":\"storage.k8s.io/v1\",\"version\":\"v1\"}}");
    assert_string_equal(
        discovery_group("apps").data,
        "{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\",\"name\":\"apps\",\"versions\":[{\"groupVersion\":\"apps/v1\","
        "\"version\":\"v1\"}],\"preferredVersion\":{\"groupVersion\":\"apps/v1\",\"version\":\"v1\"}}\n");
    assert_null(discovery_group("nosuch").data);
    assert_null(discovery_group("").data);
    assert_text(
        discovery_api_versions("1.2.3.4:6443"),
        "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],\"serverAddressByClientCIDRs\":[{\"clientCIDR\":\"0.0.0.0/0\","
        "\"serverAddress\":\"1.2.3.4:6443\"}]}\n");
}

static void test_aggregated(void **state)
{
    (void)state;
    struct doc core = discovery_aggregated(true, false);
    json_t *doc = json_loadb(core.data, core.len, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(doc, "items")), 1);
    json_t *version = json_array_get(jat(json_array_get(json_object_get(doc, "items"), 0), "versions"), 0);
    assert_string_equal(jstr(version, "freshness"), "Current");
    assert_text(
        json_text(json_array_get(json_object_get(version, "resources"), 6)),
        "{\"resource\":\"namespaces\",\"responseKind\":{\"group\":\"\",\"version\":\"\",\"kind\":\"Namespace\"},"
        "\"scope\":"
        "\"Cluster\",\"singularResource\":\"namespace\",\"verbs\":[\"create\",\"delete\",\"get\",\"list\",\"patch\","
        "\"update\","
        "\"watch\"],\"shortNames\":[\"ns\"],\"subresources\":[{\"subresource\":\"finalize\",\"responseKind\":{"
        "\"group\":\"\","
        "\"version\":\"\",\"kind\":\"Namespace\"},\"verbs\":[\"update\"]},{\"subresource\":\"status\",\"responseKind\":"
        "{\"group\":\"\",\"version\":\"\",\"kind\":\"Namespace\"},\"verbs\":[\"get\",\"patch\",\"update\"]}]}");
    json_decref(doc);
    assert_non_null(strstr(discovery_aggregated(false, true).data, "\"apiVersion\":\"apidiscovery.k8s.io/v2beta1\""));
    assert_non_null(strstr(discovery_aggregated(false, false).data,
                           "{\"metadata\":{\"name\":\"apps\",\"creationTimestamp\":null}"));
}

static void test_events_have_two_views(void **state)
{
    (void)state;
    json_t *core = json_loads(
        "{\"kind\":\"Event\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"e\",\"creationTimestamp\":null},"
        "\"involvedObject\":{\"kind\":\"Pod\",\"name\":\"p\"},\"reason\":\"R\",\"message\":\"m\",\"source\":"
        "{\"component\":\"c\"},\"firstTimestamp\":\"2024-01-02T03:04:05Z\",\"lastTimestamp\":null,\"count\":3,"
        "\"type\":\"Normal\",\"eventTime\":null,\"reportingComponent\":\"\",\"reportingInstance\":\"\"}",
        0, NULL);
    json_t *v1 = events_to_v1(core);
    assert_text(json_text(v1),
                "{\"kind\":\"Event\",\"apiVersion\":\"events.k8s.io/"
                "v1\",\"metadata\":{\"name\":\"e\",\"creationTimestamp\":null},"
                "\"eventTime\":null,\"reason\":\"R\",\"regarding\":{\"kind\":\"Pod\",\"name\":\"p\"},\"note\":\"m\","
                "\"type\":\"Normal\","
                "\"deprecatedSource\":{\"component\":\"c\"},\"deprecatedFirstTimestamp\":\"2024-01-02T03:04:05Z\","
                "\"deprecatedLastTimestamp\":null,\"deprecatedCount\":3}");
    json_t *back = events_from_v1(v1);
    assert_true(json_equal(back, core));
    json_decref(back);
    json_decref(v1);
    json_decref(core);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_legacy_lists),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_aggregated),
        cmocka_unit_test(test_events_have_two_views),
    };
    return cmocka_run_group_tests(tests, api_setup, NULL);
}
