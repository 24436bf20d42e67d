/* Admission and allocation: what pods, claims and services get on their way in, and what is refused. */
#include "door.h"

#include <stdio.h>

static int setup(void **state)
{
    struct door *d = xcalloc(1, sizeof *d);
    door_open(d);
    door_expect(d, door_post(d, "serviceaccounts", "default/", "{\"metadata\":{\"name\":\"default\"}}"), 201);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    door_close(*state);
    free(*state);
    return 0;
}

static void make_pod(struct door *d, const char *name, const char *spec, int http)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"metadata\":{\"name\":\"%s\"},\"spec\":{%s\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}", name,
             spec);
    door_expect(d, door_post(d, "pods", "default/", text), http);
}

static void test_pod(void **state)
{
    struct door *d = *state;
    make_pod(d, "p", "", 201);
    door_expect_str(d, "spec.serviceAccountName", "default");
    door_expect_str(d, "spec.preemptionPolicy", "PreemptLowerPriority");
    door_expect_str(d, "status.phase", "Pending");
    assert_int_equal(jint(door_json(d), "spec.priority", -1), 0);
    assert_int_equal(json_array_size(jat(door_json(d), "spec.tolerations")), 2);
    const json_t *volume = json_array_get(jat(door_json(d), "spec.volumes"), 0);
    assert_true(str_starts(jstr(volume, "name"), "kube-api-access-"));
    const json_t *mount =
        json_array_get(jat(json_array_get(jat(door_json(d), "spec.containers"), 0), "volumeMounts"), 0);
    assert_string_equal(jstr(mount, "name"), jstr(volume, "name"));
    assert_string_equal(jstr(mount, "mountPath"), "/var/run/secrets/kubernetes.io/serviceaccount");

    make_pod(d, "q", "\"automountServiceAccountToken\":false,", 201);
    assert_null(jat(door_json(d), "spec.volumes"));
    make_pod(d, "r", "\"serviceAccountName\":\"nosuch\",", 403);
    door_expect_message(
        d, "pods \"r\" is forbidden: error looking up service account default/nosuch: serviceaccount \"nosuch\" "
           "not found");
    make_pod(d, "s", "\"priorityClassName\":\"system-node-critical\",", 201);
    assert_int_equal(jint(door_json(d), "spec.priority", 0), 2000001000);
    make_pod(d, "t", "\"priorityClassName\":\"nosuch\",", 403);
    door_expect_message(d, "pods \"t\" is forbidden: no PriorityClass with name nosuch was found");
    make_pod(d, "u", "\"priority\":5,", 403);
    door_expect_message(
        d, "pods \"u\" is forbidden: the integer value of priority (5) must not be provided in pod spec; priority "
           "admission controller computed 0 from the given PriorityClass name");
}

static void test_qos(void **state)
{
    struct door *d = *state;
    static const struct {
        const char *name, *resources, *qos;
    } rows[] = {
        {"a", "{}", "BestEffort"},
        {"b", "{\"requests\":{\"cpu\":\"1\"}}", "Burstable"},
        {"c", "{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}}",
         "Guaranteed"},
        {"d", "{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"500m\",\"memory\":\"1Gi\"}}",
         "Burstable"},
        {"e", "{\"limits\":{\"ephemeral-storage\":\"1Gi\"}}", "BestEffort"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\","
                 "\"resources\":%s}]}}",
                 rows[i].name, rows[i].resources);
        door_expect(d, door_post(d, "pods", "default/", text), 201);
        door_expect_str(d, "status.qosClass", rows[i].qos);
    }
}

static void test_binding(void **state)
{
    struct door *d = *state;
    make_pod(d, "p", "", 201);
    door_expect(d, door_post(d, "pods", "default/p/binding", "{\"metadata\":{\"name\":\"p\"}}"), 500);
    door_expect_message(d, "target.name: Required value");
    door_expect(
        d, door_post(d, "pods", "default/p/binding", "{\"metadata\":{\"name\":\"zz\"},\"target\":{\"name\":\"n\"}}"),
        400);
    door_expect_message(d, "name in URL does not match name in Binding object");
    door_expect(d,
                door_post(d, "pods", "default/p/binding",
                          "{\"metadata\":{\"name\":\"p\",\"annotations\":{\"x\":\"y\"}},\"target\":{\"kind\":\"Node\","
                          "\"name\":\"n\"}}"),
                201);
    door_expect(d, door_get(d, "pods", "default/p"), 200);
    door_expect_str(d, "spec.nodeName", "n");
    assert_string_equal(jmap(door_json(d), "metadata.annotations", "x"), "y");
    const json_t *condition = json_array_get(jat(door_json(d), "status.conditions"), 0);
    assert_string_equal(jstr(condition, "type"), "PodScheduled");
    assert_string_equal(jstr(condition, "status"), "True");
    struct err e = ERR_INIT;
    assert_int_equal(reg_bind_pod(d->r, "scheduler", "default", "p", "m", &e), -1);
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_string_equal(e.msg,
                        "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"n\"");
    assert_int_equal(reg_bind_pod(d->r, "scheduler", "default", "nosuch", "m", &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

#define CLAIM                                                                                                          \
    "{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],%s\"resources\":{\"requests\":{"    \
    "\"storage\":\"%s\"}}}}"

static void make_class(struct door *d, const char *name, const char *more)
{
    char text[512];
    snprintf(text, sizeof text,
             "{\"metadata\":{\"name\":\"%s\"%s},\"provisioner\":\"x.example.com/p\",\"allowVolumeExpansion\":%s}", name,
             more, strcmp(name, "grows") == 0 ? "true" : "false");
    door_expect(d, door_post(d, "storageclasses.storage.k8s.io", "/", text), 201);
}

static void test_default_class(void **state)
{
    struct door *d = *state;
    char text[512];
    snprintf(text, sizeof text, CLAIM, "none", "", "1Gi");
    door_expect(d, door_post(d, "persistentvolumeclaims", "default/", text), 201);
    assert_null(jat(door_json(d), "spec.storageClassName"));
    make_class(d, "old", ",\"annotations\":{\"storageclass.kubernetes.io/is-default-class\":\"true\"}");
    clock_fake_advance(&d->clock, INT64_C(2000000000));
    make_class(d, "new", ",\"annotations\":{\"storageclass.kubernetes.io/is-default-class\":\"true\"}");
    make_class(d, "not", "");
    snprintf(text, sizeof text, CLAIM, "some", "", "1Gi");
    door_expect(d, door_post(d, "persistentvolumeclaims", "default/", text), 201);
    door_expect_str(d, "spec.storageClassName", "new");
    snprintf(text, sizeof text, CLAIM, "static", "\"storageClassName\":\"\",", "1Gi");
    door_expect(d, door_post(d, "persistentvolumeclaims", "default/", text), 201);
    door_expect_str(d, "spec.storageClassName", "");
}

static void test_resize(void **state)
{
    struct door *d = *state;
    static const struct {
        const char *class;
        int http;
    } rows[] = {{"grows", 200}, {"stays", 403}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512], path[64], class[64];
        make_class(d, rows[i].class, "");
        snprintf(class, sizeof class, "\"storageClassName\":\"%s\",", rows[i].class);
        snprintf(text, sizeof text, CLAIM, rows[i].class, class, "1Gi");
        snprintf(path, sizeof path, "default/%s/status", rows[i].class);
        door_expect(d, door_post(d, "persistentvolumeclaims", "default/", text), 201);
        door_expect(d,
                    door_patch(d, "persistentvolumeclaims", path, PATCH_MERGE,
                               "{\"status\":{\"phase\":\"Bound\",\"capacity\":{\"storage\":\"1Gi\"}}}"),
                    200);
        *strrchr(path, '/') = 0;
        door_expect(d,
                    door_patch(d, "persistentvolumeclaims", path, PATCH_MERGE,
                               "{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"2Gi\"}}}}"),
                    rows[i].http);
    }
    door_expect_message(
        d, "persistentvolumeclaims \"stays\" is forbidden: only dynamically provisioned pvc can be resized and the "
           "storageclass that provisions the pvc must support resize");
}

static void make_service(struct door *d, const char *name, const char *spec, int http)
{
    char text[512];
    snprintf(text, sizeof text, "{\"metadata\":{\"name\":\"%s\"},\"spec\":{%s\"ports\":[{\"port\":80}]}}", name, spec);
    door_expect(d, door_post(d, "services", "default/", text), http);
}

static void test_service(void **state)
{
    struct door *d = *state;
    make_service(d, "a", "", 201);
    _auto_free_ char *ip = xstrdup(jstr(door_json(d), "spec.clusterIP"));
    assert_true(str_starts(ip, "10."));
    assert_true(jarr_has(door_json(d), "spec.clusterIPs", ip));
    assert_true(jarr_has(door_json(d), "spec.ipFamilies", "IPv4"));
    door_expect_str(d, "spec.ipFamilyPolicy", "SingleStack");

    char spec[128], message[256];
    snprintf(spec, sizeof spec, "\"clusterIP\":\"%s\",", ip);
    make_service(d, "b", spec, 422);
    snprintf(message, sizeof message,
             "Service \"b\" is invalid: spec.clusterIPs: Invalid value: []string{\"%s\"}: failed to allocate IP %s: "
             "provided IP is "
             "already allocated",
             ip, ip);
    door_expect_message(d, message);
    make_service(d, "b", "\"clusterIP\":\"192.0.2.1\",", 422);
    make_service(d, "b", "\"clusterIP\":\"10.96.200.200\",", 201);
    door_expect_str(d, "spec.clusterIP", "10.96.200.200");

    /* a client that sends less keeps its address */
    door_expect(
        d, door_put(d, "services", "default/a", "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"ports\":[{\"port\":80}]}}"),
        200);
    door_expect_str(d, "spec.clusterIP", ip);

    make_service(d, "h", "\"clusterIP\":\"None\",\"selector\":{\"a\":\"b\"},", 201);
    assert_true(jarr_has(door_json(d), "spec.clusterIPs", "None"));
    door_expect_str(d, "spec.ipFamilyPolicy", "SingleStack");
    make_service(d, "e", "\"type\":\"ExternalName\",\"externalName\":\"x.example.com\",", 201);
    assert_null(jat(door_json(d), "spec.clusterIP"));
}

static int64_t node_port(struct door *d)
{
    return jint(json_array_get(jat(door_json(d), "spec.ports"), 0), "nodePort", 0);
}

static void test_node_ports(void **state)
{
    struct door *d = *state;
    make_service(d, "a", "\"type\":\"NodePort\",", 201);
    int64_t port = node_port(d);
    assert_in_range(port, 30000, 32767);
    door_expect(d, door_patch(d, "services", "default/a", PATCH_MERGE, "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}"),
                200);
    assert_int_equal(node_port(d), port);

    char text[256];
    const char *form =
        "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,\"nodePort\":%d}]}}";
    snprintf(text, sizeof text, form, (int)port);
    door_expect(d, door_post(d, "services", "default/", text), 422);
    snprintf(text, sizeof text,
             "Service \"b\" is invalid: spec.ports[0].nodePort: Invalid value: %d: provided port is already "
             "allocated",
             (int)port);
    door_expect_message(d, text);
    snprintf(text, sizeof text, form, 80);
    door_expect(d, door_post(d, "services", "default/", text), 422);
    door_expect_message(
        d, "Service \"b\" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid "
           "range. The range of valid ports is 30000-32767");

    /* back to ClusterIP: the port goes, the address stays */
    door_expect(d, door_patch(d, "services", "default/a", PATCH_MERGE, "{\"spec\":{\"type\":\"ClusterIP\"}}"), 200);
    assert_int_equal(node_port(d), 0);
    assert_non_null(jat(door_json(d), "spec.clusterIP"));
    door_expect(d,
                door_patch(d, "services", "default/a", PATCH_MERGE,
                           "{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"x.example.com\"}}"),
                200);
    assert_null(jat(door_json(d), "spec.clusterIP"));
}

static void test_reviews(void **state)
{
    struct door *d = *state;
    struct reg_ctx ctx = door_ctx(d);
    struct reg_target t = {.res = resource_by_plural("authorization.k8s.io", "v1", "selfsubjectaccessreviews"),
                           .ns = "",
                           .name = "",
                           .sub = ""};
    reg_answer_release(&d->ans);
    struct reg_body body = {
        .tree = json_pack("{s{s{ssss}}}", "spec", "resourceAttributes", "verb", "get", "resource", "pods")};
    assert_int_equal(reg_create(d->r, &ctx, &t, &body, &d->ans, &d->e), 0);
    assert_true(jbool(door_json(d), "status.allowed", false));
    reg_answer_release(&d->ans);
    body = (struct reg_body){.tree = json_pack("{s{}}", "spec")};
    assert_int_equal(reg_create(d->r, &ctx, &t, &body, &d->ans, &d->e), -1);
    door_expect_message(
        d, ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: \"null\": exactly one of "
           "nonResourceAttributes or resourceAttributes must be specified");
}

static int issue(void *self, const struct token_req *req, char **out_token, struct err *e)
{
    (void)self;
    (void)e;
    _auto_free_ char *bound = req->bound ? json_text(req->bound) : xstrdup("");
    *out_token = xasprintf("%s/%s/%d%s", req->ns, req->account, (int)req->seconds, bound);
    return 0;
}

/* Asks for a token of the account tied to an object. */
static int bind_token(struct door *d, const char *kind, const char *name, const char *uid)
{
    char text[256];
    snprintf(text, sizeof text,
             "{\"spec\":{\"boundObjectRef\":{\"kind\":\"%s\",\"apiVersion\":\"v1\",\"name\":\"%s\",\"uid\":\"%s\"}}}",
             kind, name, uid);
    return door_post(d, "serviceaccounts", "default/default/token", text);
}

static void test_bound_token(void **state)
{
    struct door *d = *state;
    static const struct token_ops ops = {.issue = issue};
    registry_set_token_ops(d->r, &ops, NULL);
    door_expect(d, door_post(d, "serviceaccounts", "default/", "{\"metadata\":{\"name\":\"other\"}}"), 201);
    door_expect(d,
                door_post(d, "pods", "default/",
                          "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"nodeName\":\"n\",\"containers\":[{\"name\":\"c\","
                          "\"image\":\"i\"}]}}"),
                201);
    _auto_free_ char *uid = xstrdup(jstr(door_json(d), "metadata.uid"));
    _auto_free_ char *want =
        xasprintf("default/default/3600{\"node\":{\"name\":\"n\"},\"pod\":{\"name\":\"p\",\"uid\":\"%s\"}}", uid);
    door_expect(d, bind_token(d, "Pod", "p", uid), 201);
    door_expect_str(d, "status.token", want);
    door_expect_str(d, "spec.boundObjectRef.name", "p");
    door_expect(d, bind_token(d, "Pod", "p", "another"), 409);
    door_expect_message(d,
                        "Operation cannot be fulfilled on Pod \"p\": the UID in the bound object reference (another) "
                        "does not match the UID in record. The object might have been deleted and then recreated");
    door_expect_str(d, "details.kind", "Pod");
    door_expect(d, bind_token(d, "Pod", "nosuch", ""), 404);
    door_expect_message(d, "pods \"nosuch\" not found");
    door_expect(d, bind_token(d, "Node2", "n", ""), 400);
    door_expect_message(d, "cannot bind token to object of type /v1, Kind=Node2");
    door_expect(d,
                door_post(d, "serviceaccounts", "default/other/token",
                          "{\"spec\":{\"boundObjectRef\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"name\":\"p\"}}}"),
                400);
    door_expect_message(
        d, "cannot bind token for serviceaccount \"other\" to pod running with different serviceaccount name.");
}

static void test_token(void **state)
{
    struct door *d = *state;
    static const struct token_ops ops = {.issue = issue};
    registry_set_token_ops(d->r, &ops, NULL);
    door_expect(d, door_post(d, "serviceaccounts", "default/default/token", "{\"spec\":{}}"), 201);
    door_expect_str(d, "status.token", "default/default/3600");
    door_expect_str(d, "metadata.name", "default");
    door_expect(d, door_post(d, "serviceaccounts", "default/default/token", "{\"spec\":{\"expirationSeconds\":5}}"),
                422);
    door_expect_message(
        d, "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 5: may not "
           "specify a duration less than 10 minutes");
    door_expect(d, door_post(d, "serviceaccounts", "default/nosuch/token", "{\"spec\":{}}"), 404);
    door_expect(d,
                door_post(d, "serviceaccounts", "default/default/token", "{\"metadata\":{\"name\":\"x\"},\"spec\":{}}"),
                422);
    door_expect_message(d, "TokenRequest.authentication.k8s.io \"default\" is invalid: metadata.name: Invalid value: "
                           "\"x\": must match the service account name if specified");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_pod),     T(test_qos),        T(test_binding), T(test_default_class), T(test_resize),
        T(test_service), T(test_node_ports), T(test_reviews), T(test_token),         T(test_bound_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
