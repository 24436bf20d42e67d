/* test_validate_names.c - names, labels, annotations, owners, finalizers. */
#include "validate_check.h"

#define CHARS                                                                                                          \
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"

typedef const char *check_fn(const char *s);

static const struct {
    check_fn *check;
    const char *name;
    const char *begins; /* of the complaint; NULL: fine */
} names[] = {
    {check_dns1123_label, "web-1", NULL},
    {check_dns1123_label, "1", NULL},
    {check_dns1123_label, "web.1", "must not contain dots"},
    {check_dns1123_label, "Web", "a lowercase RFC 1123 label must"},
    {check_dns1123_label, "", "a lowercase RFC 1123 label must"},
    {check_dns1123_label, "-a", "a lowercase RFC 1123 label must"},
    {check_dns1123_label, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "must be no more than 63 characters"},
    {check_dns1123_subdomain, "a.b-c.d", NULL},
    {check_dns1123_subdomain, "a..b", "a lowercase RFC 1123 subdomain must"},
    {check_dns1123_subdomain, "a.", "a lowercase RFC 1123 subdomain must"},
    {check_dns1035_label, "a1", NULL},
    {check_dns1035_label, "1a", "a DNS-1035 label must"},
    {check_qualified_name, "example.com/My_name", NULL},
    {check_qualified_name, "My.name", NULL},
    {check_qualified_name, "/x", "prefix part must be non-empty"},
    {check_qualified_name, "x/", "name part must be non-empty"},
    {check_qualified_name, "X.com/a", "prefix part a lowercase RFC 1123 subdomain"},
    {check_qualified_name, "a/b/c", "a qualified name " CHARS},
    {check_qualified_name, "bad key", "name part " CHARS},
    {check_label_value, "", NULL},
    {check_label_value, "v1.2_x", NULL},
    {check_label_value, "a b", "a valid label must be an empty string"},
    {check_config_key, ".bashrc", NULL},
    {check_config_key, "..", "must not be '..'"},
    {check_config_key, "..data", "must not start with '..'"},
    {check_config_key, "a/b", "a valid config key must"},
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *got = names[i].check(names[i].name);
        if ((got == NULL) != (names[i].begins == NULL) || (got != NULL && !str_starts(got, names[i].begins)))
            fail_msg("\"%s\": %s", names[i].name, got != NULL ? got : "(fine)");
    }
}

static const struct {
    const char *snippet, *want;
} metadata[] = {
    {"{'metadata':{'name':'a'}}", ""},
    {"{'metadata':{}}", "metadata.name: Required value: name or generateName is required"},
    {"{'metadata':{'name':'a','finalizers':['x']}}", "metadata.finalizers[0]: Invalid value: \"x\": name is neither a "
                                                     "standard finalizer name nor is it fully qualified"},
    {"{'metadata':{'name':'a','finalizers':['orphan','example.com/x']}}", ""},
    {"{'metadata':{'name':'a','finalizers':['orphan','foregroundDeletion']}}",
     "metadata.finalizers: Invalid value: []string{\"orphan\", \"foregroundDeletion\"}: finalizer orphan and "
     "foregroundDeletion cannot be both set"},
    {"{'metadata':{'name':'a','annotations':{'Upper.Case/Key':'v'}}}", ""},
    {"{'metadata':{'name':'a','labels':{'/x':'v'}}}",
     "metadata.labels: Invalid value: \"/x\": prefix part must be non-empty"},
    {"{'metadata':{'name':'a','ownerReferences':[{'apiVersion':'','kind':'','name':'','uid':''}]}}",
     "metadata.ownerReferences.apiVersion: Invalid value: \"\": version must not be empty\n"
     "metadata.ownerReferences.kind: Invalid value: \"\": kind must not be empty\n"
     "metadata.ownerReferences.name: Invalid value: \"\": name must not be empty\n"
     "metadata.ownerReferences.uid: Invalid value: \"\": uid must not be empty"},
    {"{'metadata':{'name':'a','ownerReferences':[{'apiVersion':'v1','kind':'Event','name':'e','uid':'u'}]}}",
     "metadata.ownerReferences: Invalid value: v1.OwnerReference{APIVersion:\"v1\", Kind:\"Event\", Name:\"e\", "
     "UID:\"u\", Controller:(*bool)(nil), BlockOwnerDeletion:(*bool)(nil)}: /v1, Kind=Event is disallowed from being "
     "an "
     "owner"},
};

static void test_metadata(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(metadata); i++)
        assert_create("configmaps", metadata[i].snippet, metadata[i].want);
}

static void test_names_of_kinds(void **state)
{
    (void)state;
    assert_create("namespaces", "{'metadata':{'name':'a.b'}}",
                  "metadata.name: Invalid value: \"a.b\": must not contain dots");
    assert_create("events", "{'metadata':{'name':'Any_Name'},'involvedObject':{'namespace':'default'}}", "");
    assert_create("nodes", "{'metadata':{'name':'n','namespace':'x'}}",
                  "metadata.namespace: Forbidden: not allowed on this type");
}

/* What the generic layer says and core's layer says again. */
static void test_update_of_metadata(void **state)
{
    (void)state;
    static const char once[] = "metadata.uid: Invalid value: \"v\": field is immutable";
    _auto_free_ char *twice = xasprintf("%s\n%s", once, once);
    assert_update("configmaps", "", "{'metadata':{'name':'a','uid':'u'}}", "{'metadata':{'name':'a','uid':'v'}}",
                  twice);
    static const char finalizers[] = "metadata.finalizers: Forbidden: no new finalizers can be added if the object is "
                                     "being deleted, found new finalizers []string{\"a.b/c\"}";
    _auto_free_ char *refused = xasprintf("%s\n%s", finalizers, finalizers);
    assert_update("configmaps", "", "{'metadata':{'name':'a','deletionTimestamp':'2024-01-02T03:04:05Z'}}",
                  "{'metadata':{'name':'a','finalizers':['a.b/c'],'deletionTimestamp':'2024-01-02T03:04:05Z'}}",
                  refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_names_of_kinds),
        cmocka_unit_test(test_update_of_metadata),
    };
    return cmocka_run_group_tests(tests, validate_setup, NULL);
}
