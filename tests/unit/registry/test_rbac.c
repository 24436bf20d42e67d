/* Roles: who may do what by the bindings there are, what the reviews tell of it, and that nobody gives away more than
 * he has. Words and cases as a real server of 1.32 answered. */
#include "door.h"

#include "registry/rbac.h"

static int setup(void **state)
{
    struct door *d = xcalloc(1, sizeof *d);
    door_open(d);
    assert_int_equal(rbac_bootstrap(d->r, &d->e), 0);
    door_expect(d, door_post(d, "namespaces", "/", "{\"metadata\":{\"name\":\"rb\"}}"), 201);
    door_expect(
        d,
        door_post(d, "roles.rbac.authorization.k8s.io", "rb/",
                  "{\"metadata\":{\"name\":\"r\"},\"rules\":[{\"apiGroups\":[\"\"],\"resources\":[\"pods\",\"pods/"
                  "log\"],\"verbs\":[\"get\",\"list\"]},{\"apiGroups\":[\"\"],\"resources\":[\"configmaps\"],"
                  "\"resourceNames\":[\"mine\"],\"verbs\":[\"get\",\"update\"]}]}"),
        201);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    door_close(*state);
    free(*state);
    return 0;
}

static void bind(struct door *d, const char *name, const char *kind, const char *role, const char *subject)
{
    _auto_free_ char *text =
        xasprintf("{\"metadata\":{\"name\":\"%s\"},\"roleRef\":{\"kind\":\"%s\",\"name\":\"%s\"},\"subjects\":[%s]}",
                  name, kind, role, subject);
    door_expect(d, door_post(d, "rolebindings.rbac.authorization.k8s.io", "rb/", text), 201);
}

static const char *const students[] = {"students", "system:authenticated", NULL};

/* "verb resource[/sub] [name]" in the namespace rb, or "verb /path". */
static bool may(struct door *d, const char *user, const char *what, struct buf *why)
{
    char verb[32] = "", on[64] = "", name[64] = "";
    sscanf(what, "%31s %63s %63s", verb, on, name);
    char *sub = on[0] == '/' ? NULL : strchr(on, '/');
    if (sub)
        *sub++ = '\0';
    const struct who w = {user, students};
    const struct access a = {.verb = verb,
                             .is_resource = on[0] != '/',
                             .group = "",
                             .resource = on,
                             .sub = sub ? sub : "",
                             .ns = "rb",
                             .name = name,
                             .path = on};
    return rbac_allows(d->r, &w, &a, why);
}

static void test_what_a_role_allows(void **state)
{
    struct door *d = *state;
    static const struct {
        const char *what;
        bool allowed;
    } rows[] = {{"get pods x", true},
                {"list pods", true},
                {"get pods/log x", true},
                {"watch pods", false},
                {"create pods", false},
                {"get pods/exec x", false},
                {"get configmaps mine", true},
                {"update configmaps mine", true},
                {"get configmaps other", false},
                {"list configmaps", false},
                {"get /version", true},
                {"get /apis/apps/v1", true},
                {"get /metrics", false},
                {"post /version", false}};
    bind(d, "rb", "Role", "r", "{\"kind\":\"User\",\"name\":\"student1\"}");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (may(d, "student1", rows[i].what, NULL) != rows[i].allowed)
            fail_msg("%s: expected %s", rows[i].what, rows[i].allowed ? "yes" : "no");
    assert_false(may(d, "student2", "get pods x", NULL));
    _auto_buf_ struct buf why = BUF_INIT;
    assert_true(may(d, "student1", "get pods x", &why));
    assert_string_equal(buf_str(&why), "RBAC: allowed by RoleBinding \"rb/rb\" of Role \"r\" to User \"student1\"");
}

static void test_subjects(void **state)
{
    struct door *d = *state;
    bind(d, "account", "Role", "r", "{\"kind\":\"ServiceAccount\",\"name\":\"robot\",\"namespace\":\"default\"}");
    assert_true(may(d, "system:serviceaccount:default:robot", "list pods", NULL));
    assert_false(may(d, "system:serviceaccount:rb:robot", "list pods", NULL));
    assert_false(may(d, "student1", "list pods", NULL));
    bind(d, "group", "ClusterRole", "view", "{\"kind\":\"Group\",\"name\":\"students\"}");
    door_expect(d, door_get(d, "clusterroles.rbac.authorization.k8s.io", "/view"), 200);
    _auto_json_ json_t *rules = rbac_gather(d->r, door_json(d));
    assert_int_equal(json_array_size(rules), 10); /* of system:aggregate-to-view; a loop writes them */
    assert_false(may(d, "student1", "list services", NULL));
}

static void test_roles_that_are_not_there(void **state)
{
    struct door *d = *state;
    _auto_buf_ struct buf why = BUF_INIT;
    bind(d, "dang", "Role", "nosuch", "{\"kind\":\"User\",\"name\":\"student1\"}");
    assert_false(may(d, "student1", "create pods", &why));
    assert_string_equal(buf_str(&why), "RBAC: role.rbac.authorization.k8s.io \"nosuch\" not found");
}

/* Creates something as student1. */
static int post_as_student(struct door *d, const char *bucket, const char *json)
{
    struct door_path p;
    struct reg_ctx ctx = door_ctx(d);
    ctx.user = "student1";
    ctx.groups = students;
    struct reg_body body = {.bytes = json, .len = strlen(json), .media = MEDIA_JSON};
    reg_answer_release(&d->ans);
    return door_done(d, reg_create(d->r, &ctx, door_path(&p, bucket, "rb/"), &body, &d->ans, &d->e));
}

static void test_nobody_gives_more_than_he_has(void **state)
{
    struct door *d = *state;
    bind(d, "rb", "Role", "r", "{\"kind\":\"User\",\"name\":\"student1\"}");
    door_expect(d,
                post_as_student(d, "roles.rbac.authorization.k8s.io",
                                "{\"metadata\":{\"name\":\"less\"},\"rules\":[{\"apiGroups\":[\"\"],\"resources\":["
                                "\"pods\"],\"verbs\":[\"list\"]}]}"),
                201);
    door_expect(
        d,
        post_as_student(d, "roles.rbac.authorization.k8s.io",
                        "{\"metadata\":{\"name\":\"e\"},\"rules\":[{\"apiGroups\":[\"*\"],\"resources\":[\"*\"],"
                        "\"verbs\":[\"*\"]},{\"apiGroups\":[\"\"],\"resources\":[\"nodes\",\"pods\"],\"verbs\":["
                        "\"get\",\"list\"]}]}"),
        403);
    door_expect_message(d,
                        "roles.rbac.authorization.k8s.io \"e\" is forbidden: user \"student1\" (groups=[\"students\" "
                        "\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n"
                        "{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\" \"list\"]}\n"
                        "{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}");
    static const char binding[] = "{\"metadata\":{\"name\":\"esc\"},\"roleRef\":{\"kind\":\"%s\",\"name\":\"%s\"},"
                                  "\"subjects\":[{\"kind\":\"User\",\"name\":\"student2\"}]}";
    _auto_free_ char *all = xasprintf(binding, "ClusterRole", "cluster-admin");
    door_expect(d, post_as_student(d, "rolebindings.rbac.authorization.k8s.io", all), 403);
    door_expect_message(
        d, "rolebindings.rbac.authorization.k8s.io \"esc\" is forbidden: user \"student1\" (groups=[\"students\" "
           "\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n"
           "{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}\n{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}");
    _auto_free_ char *own = xasprintf(binding, "Role", "r");
    door_expect(d, post_as_student(d, "rolebindings.rbac.authorization.k8s.io", own), 201);
}

/* Among names a star stands for nothing but an object of that name. */
static void test_a_star_among_names(void **state)
{
    struct door *d = *state;
    static const char role[] = "{\"metadata\":{\"name\":\"%s\"},\"rules\":[{\"apiGroups\":[\"\"],\"resources\":["
                               "\"secrets\"],\"resourceNames\":[\"%s\"],\"verbs\":[\"get\"]}]}";
    _auto_free_ char *star = xasprintf(role, "star", "*"), *same = xasprintf(role, "same", "*"),
                     *other = xasprintf(role, "other", "keys");
    door_expect(d, door_post(d, "roles.rbac.authorization.k8s.io", "rb/", star), 201);
    bind(d, "star", "Role", "star", "{\"kind\":\"User\",\"name\":\"student1\"}");
    assert_false(may(d, "student1", "get secrets keys", NULL));
    door_expect(d, post_as_student(d, "roles.rbac.authorization.k8s.io", same), 201);
    door_expect(d, post_as_student(d, "roles.rbac.authorization.k8s.io", other), 403);
}

static void test_reviews(void **state)
{
    struct door *d = *state;
    bind(d, "rb", "Role", "r", "{\"kind\":\"User\",\"name\":\"student1\"}");
    static const char review[] = "{\"spec\":{\"user\":\"student1\",\"resourceAttributes\":{\"namespace\":\"rb\","
                                 "\"verb\":\"%s\",\"resource\":\"pods\"}}}";
    const struct resource *res = resource_by_plural("authorization.k8s.io", "v1", "subjectaccessreviews");
    for (int i = 0; i < 2; i++) {
        struct reg_ctx ctx = door_ctx(d);
        _auto_free_ char *text = xasprintf(review, i == 0 ? "get" : "delete");
        struct reg_target t = {.res = res, .ns = "", .name = "", .sub = ""};
        struct reg_body body = {.bytes = text, .len = strlen(text), .media = MEDIA_JSON};
        reg_answer_release(&d->ans);
        door_expect(d, door_done(d, reg_create(d->r, &ctx, &t, &body, &d->ans, &d->e)), 201);
        assert_int_equal(jbool(door_json(d), "status.allowed", i != 0), i == 0);
    }
}

/* A second start finds all that the first one made, and what an administrator changed. */
static void test_defaults_are_made_once(void **state)
{
    struct door *d = *state;
    uint64_t rv = store_rv(d->store);
    assert_int_equal(rbac_bootstrap(d->r, &d->e), 0);
    assert_true(store_rv(d->store) == rv);
    door_expect(d, door_get(d, "clusterrolebindings.rbac.authorization.k8s.io", "/cluster-admin"), 200);
    assert_string_equal(jstr(json_array_get(json_object_get(door_json(d), "subjects"), 0), "name"), "system:masters");
}

static void test_faults(void **state)
{
    struct door *d = *state;
    static const struct {
        const char *bucket, *json, *message;
    } rows[] = {
        {"roles", "{\"metadata\":{\"name\":\"x\"},\"rules\":[{\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}]}",
         "Role.rbac.authorization.k8s.io \"x\" is invalid: rules[0].verbs: Required value: verbs must contain at least "
         "one value"},
        {"rolebindings", "{\"metadata\":{\"name\":\"x\"},\"subjects\":[{\"kind\":\"User\",\"name\":\"bob\"}]}",
         "RoleBinding.rbac.authorization.k8s.io \"x\" is invalid: [roleRef.kind: Unsupported value: \"\": supported "
         "values: \"Role\", \"ClusterRole\", roleRef.name: Required value]"},
        {"rolebindings",
         "{\"metadata\":{\"name\":\"x\"},\"roleRef\":{\"kind\":\"Role\",\"name\":\"r\"},\"subjects\":[{\"kind\":"
         "\"Person\",\"name\":\"bob\"}]}",
         "RoleBinding.rbac.authorization.k8s.io \"x\" is invalid: subjects[0].kind: Unsupported value: \"Person\": "
         "supported values: \"ServiceAccount\", \"User\", \"Group\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_free_ char *bucket = xasprintf("%s.rbac.authorization.k8s.io", rows[i].bucket);
        door_expect(d, door_post(d, bucket, "rb/", rows[i].json), 422);
        door_expect_message(d, rows[i].message);
    }
    bind(d, "u", "Role", "r", "");
    door_expect(d,
                door_put(d, "rolebindings.rbac.authorization.k8s.io", "rb/u",
                         "{\"metadata\":{\"name\":\"u\"},\"roleRef\":{\"kind\":\"Role\",\"name\":\"q\"}}"),
                422);
    door_expect_message(d, "RoleBinding.rbac.authorization.k8s.io \"u\" is invalid: roleRef: Invalid value: "
                           "rbac.RoleRef{APIGroup:\"rbac.authorization.k8s.io\", Kind:\"Role\", Name:\"q\"}: cannot "
                           "change roleRef");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_a_role_allows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_subjects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_roles_that_are_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_gives_more_than_he_has, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_star_among_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reviews, setup, teardown),
        cmocka_unit_test_setup_teardown(test_defaults_are_made_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
