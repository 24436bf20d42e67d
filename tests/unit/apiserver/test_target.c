/* test_target.c - method and path to verb, resource and route. */
#include "apiserver/target_int.h"
#include "api/schema.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *method, *path, *query;
    const char *verb, *ns, *resource, *name, *sub;
    enum route route;
} rows[] = {
    {"GET", "/api/v1/pods", "", "list", "", "pods", "", "", ROUTE_OK},
    {"GET", "/api/v1/pods/", "", "list", "", "pods", "", "", ROUTE_OK},
    {"GET", "/api/v1/pods", "watch=1", "watch", "", "pods", "", "", ROUTE_OK},
    {"GET", "/api/v1/namespaces/d/pods", "watch=false", "list", "d", "pods", "", "", ROUTE_OK},
    {"GET", "/api/v1/namespaces//pods", "", "list", "", "pods", "", "", ROUTE_OK},
    {"GET", "/api/v1/namespaces/d/pods/x", "watch=1", "get", "d", "pods", "x", "", ROUTE_OK},
    {"GET", "/api/v1/namespaces/d/pods", "fieldSelector=metadata.name%3Dx", "list", "d", "pods", "x", "", ROUTE_OK},
    {"GET", "/api/v1/namespaces/d/pods", "fieldSelector=status.phase%3DRunning%2Cmetadata.name%3Dx", "list", "d",
     "pods", "x", "", ROUTE_OK},
    /* a part of a value is no demand on the name */
    {"GET", "/api/v1/namespaces/d/pods", "fieldSelector=spec.nodeName!%3Da%5C%2Cmetadata.name%3Dx", "list", "d", "pods",
     "", "", ROUTE_OK},
    {"GET", "/api/v1/namespaces/d/pods", "fieldSelector=spec.nodeName!%3Da%5C%5C%2Cmetadata.name%3Dx", "list", "d",
     "pods", "x", "", ROUTE_OK},
    {"GET", "/api/v1/namespaces/d/pods/x/log", "", "get", "d", "pods", "x", "log", ROUTE_OK},
    {"POST", "/api/v1/namespaces/d/pods/x/exec", "", "create", "d", "pods", "x", "exec", ROUTE_OK},
    {"POST", "/api/v1/namespaces/d/pods", "", "create", "d", "pods", "", "", ROUTE_OK},
    {"DELETE", "/api/v1/namespaces/d/pods", "", "deletecollection", "d", "pods", "", "", ROUTE_OK},
    {"DELETE", "/api/v1/namespaces/d/pods/x", "", "delete", "d", "pods", "x", "", ROUTE_OK},
    {"PATCH", "/apis/apps/v1/namespaces/d/deployments/x/scale", "", "patch", "d", "deployments", "x", "scale",
     ROUTE_OK},
    {"GET", "/api/v1/namespaces/d", "", "get", "d", "namespaces", "d", "", ROUTE_OK},
    {"PUT", "/api/v1/namespaces/d/finalize", "", "update", "d", "namespaces", "d", "finalize", ROUTE_OK},
    {"GET", "/api/v1/watch/namespaces/d/pods/x", "", "watch", "d", "pods", "x", "", ROUTE_OK},
    {"GET", "/api/v1/watch/pods", "", "watch", "", "pods", "", "", ROUTE_OK},
    {"GET", "/apis/storage.k8s.io/v1/storageclasses/a", "", "get", "", "storageclasses", "a", "", ROUTE_OK},
    /* no such path */
    {"GET", "/api/v1/pods/x", "", "get", "", "pods", "x", "", ROUTE_NOT_FOUND},
    {"GET", "/api/v1/namespaces/d/nodes", "", "list", "d", "nodes", "", "", ROUTE_NOT_FOUND},
    {"GET", "/api/v1/namespaces/d/pods/x/nosuch", "", "get", "d", "pods", "x", "nosuch", ROUTE_NOT_FOUND},
    {"GET", "/api/v1/namespaces/d/configmaps/x/status", "", "get", "d", "configmaps", "x", "status", ROUTE_NOT_FOUND},
    {"GET", "/api/v1/namespaces/d/pods/x/log/y", "", "get", "d", "pods", "x", "log", ROUTE_NOT_FOUND},
    {"GET", "/api/v1//pods", "", "get", "", "", "pods", "", ROUTE_NOT_FOUND},
    {"GET", "/api/v1/Pods", "", "list", "", "Pods", "", "", ROUTE_NOT_FOUND},
    {"GET", "/api/v2/pods", "", "list", "", "pods", "", "", ROUTE_NOT_FOUND},
    {"GET", "/api/v1/bindings", "", "list", "", "bindings", "", "", ROUTE_NOT_FOUND},
    {"GET", "/apis/nosuch.example.com/v1/things", "", "list", "", "things", "", "", ROUTE_NO_GROUP},
    /* to others: any method */
    {"HEAD", "/api/v1/namespaces/d/pods/x/proxy/a", "", "get", "d", "pods", "x", "proxy", ROUTE_OK},
    {"OPTIONS", "/api/v1/namespaces/d/services/x:80/proxy", "", "", "d", "services", "x:80", "proxy", ROUTE_OK},
    {"PUT", "/api/v1/namespaces/d/services/x/proxy/a/b/", "", "update", "d", "services", "x", "proxy", ROUTE_OK},
    /* no such method */
    {"HEAD", "/api/v1/namespaces/d/pods/x/log", "", "get", "d", "pods", "x", "log", ROUTE_NO_METHOD},
    {"POST", "/api/v1/pods", "", "create", "", "pods", "", "", ROUTE_NO_METHOD},
    {"DELETE", "/api/v1/pods", "", "deletecollection", "", "pods", "", "", ROUTE_NO_METHOD},
    {"POST", "/api/v1/namespaces/d/pods/x", "", "create", "d", "pods", "x", "", ROUTE_NO_METHOD},
    {"PUT", "/api/v1/namespaces/d/pods", "", "update", "d", "pods", "", "", ROUTE_NO_METHOD},
    {"DELETE", "/api/v1/namespaces", "", "deletecollection", "", "namespaces", "", "", ROUTE_NO_METHOD},
    {"HEAD", "/api/v1/namespaces/d/pods", "", "list", "d", "pods", "", "", ROUTE_NO_METHOD},
    {"DELETE", "/api/v1/namespaces/d/pods/x/status", "", "delete", "d", "pods", "x", "status", ROUTE_NO_METHOD},
    {"GET", "/api/v1/namespaces/d/bindings", "", "list", "d", "bindings", "", "", ROUTE_NO_METHOD},
    {"FOO", "/api/v1/namespaces/d/pods", "", "", "d", "pods", "", "", ROUTE_NO_METHOD},
};

static void routes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a;
        arena_init(&a);
        struct query q;
        query_parse(&a, rows[i].query, &q);
        struct target t;
        target_parse(&a, rows[i].method, rows[i].path, &q, &t);
        const struct resource *res = NULL;
        const struct subresource *sub = NULL;
        enum route route = target_route(&t, rows[i].method, &res, &sub);
        if (!t.is_resource || strcmp(t.verb, rows[i].verb) != 0 || strcmp(t.ns, rows[i].ns) != 0 ||
            strcmp(t.resource, rows[i].resource) != 0 || strcmp(t.name, rows[i].name) != 0 ||
            strcmp(t.sub, rows[i].sub) != 0 || route != rows[i].route)
            fail_msg("%s %s: verb %s ns %s resource %s name %s sub %s route %d", rows[i].method, rows[i].path, t.verb,
                     t.ns, t.resource, t.name, t.sub, (int)route);
        arena_reset(&a);
    }
}

static void other_paths(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "//api/v1/pods", "/healthz", "/API/v1/pods"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct arena a;
        arena_init(&a);
        struct query q = {0};
        struct target t;
        target_parse(&a, "POST", paths[i], &q, &t);
        assert_false(t.is_resource);
        assert_string_equal(t.verb, "post");
        arena_reset(&a);
    }
}

static void long_paths(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    char path[4001];
    for (size_t i = 0; i + 1 < sizeof path; i += 2) {
        path[i] = '/';
        path[i + 1] = 'a';
    }
    path[4000] = '\0';
    memcpy(path, "/api/v1", 7);
    struct query q = {0};
    struct target t;
    target_parse(&a, "GET", path, &q, &t);
    assert_true(t.is_resource);
    arena_reset(&a);
}

int main(void)
{
    schema_init();
    resource_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes),
        cmocka_unit_test(other_paths),
        cmocka_unit_test(long_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
