/* test_pod_security.c - what namespaces demand of pods by their labels. */
#include "door.h"

#include "registry/admission/pod_security_int.h"

#include <stdio.h>

static json_t *parse(const char *text)
{
    _auto_free_ char *copy = xstrdup(text);
    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *j = json_loads(copy, 0, NULL);
    if (!j)
        fail_msg("bad JSON: %s", copy);
    return j;
}

#define ONE(more)   "'containers':[{'name':'c'" more "}]"
#define CONTEXT(in) ",'securityContext':{" in "}"
#define GOOD                                                                                                           \
    "'allowPrivilegeEscalation':false,'capabilities':{'drop':['ALL']},'runAsNonRoot':true,'seccompProfile':{'type':"   \
    "'RuntimeDefault'}"

static const struct {
    enum security_level level;
    const char *spec, *faults;
} rows[] = {
    {SECURITY_BASELINE, "{" ONE("") "}", ""},
    {SECURITY_BASELINE,
     "{'hostNetwork':true,'hostPID':true," ONE(",'ports':[{'hostPort':80}],'securityContext':{'privileged':true}") "}",
     "host namespaces (hostNetwork=true, hostPID=true), hostPort (container \"c\" uses hostPort 80), privileged "
     "(container \"c\" must not set securityContext.privileged=true)"},
    {SECURITY_BASELINE, "{'volumes':[{'name':'v','hostPath':{'path':'/'}},{'name':'w','emptyDir':{}}]," ONE("") "}",
     "hostPath volumes (volume \"v\")"},
    {SECURITY_BASELINE,
     "{'initContainers':[{'name':'i','ports':[{'hostPort':8080}]}]," ONE(",'ports':[{'hostPort':80}]") "}",
     "hostPorts (containers \"i\", \"c\" use hostPorts 80, 8080)"},
    {SECURITY_BASELINE, "{" ONE(CONTEXT("'capabilities':{'add':['SYS_ADMIN','CHOWN','NET_ADMIN']}")) "}",
     "non-default capabilities (container \"c\" must not include \"NET_ADMIN\", \"SYS_ADMIN\" in "
     "securityContext.capabilities.add)"},
    {SECURITY_BASELINE, "{'securityContext':{'seccompProfile':{'type':'Unconfined'}}," ONE("") "}",
     "seccompProfile (pod must not set securityContext.seccompProfile.type to \"Unconfined\")"},
    {SECURITY_BASELINE, "{'securityContext':{'sysctls':[{'name':'kernel.msgmax','value':'1'}]}," ONE("") "}",
     "forbidden sysctls (kernel.msgmax)"},
    {SECURITY_BASELINE, "{" ONE(CONTEXT("'seLinuxOptions':{'type':'spc_t','user':'u'}")) "}",
     "seLinuxOptions (container \"c\" set forbidden securityContext.seLinuxOptions: type \"spc_t\"; user may not be "
     "set)"},
    {SECURITY_RESTRICTED, "{" ONE(CONTEXT(GOOD)) "}", ""},
    {SECURITY_RESTRICTED, "{" ONE("") "}",
     "allowPrivilegeEscalation != false (container \"c\" must set securityContext.allowPrivilegeEscalation=false), "
     "unrestricted capabilities (container \"c\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot "
     "!= true (pod or container \"c\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "
     "\"c\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"},
    {SECURITY_RESTRICTED,
     "{'volumes':[{'name':'v','hostPath':{'path':'/'}},{'name':'n','nfs':{'server':'s','path':'/'}}]," ONE(
         CONTEXT(GOOD ",'runAsUser':0")) "}",
     "restricted volume types (volumes \"v\", \"n\" use restricted volume types \"hostPath\", \"nfs\"), runAsUser=0 "
     "(container \"c\" must not set runAsUser=0)"},
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_json_ json_t *spec = parse(rows[i].spec);
        _auto_free_ char *faults = security_faults(rows[i].level, spec);
        assert_string_equal(faults ? faults : "", rows[i].faults);
    }
}

#define POD(name) "{\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]"

static void test_labels(void **state)
{
    (void)state;
    struct door d;
    door_open(&d);
    door_expect(
        &d,
        door_post(&d, "namespaces", "/",
                  "{\"metadata\":{\"name\":\"b\",\"labels\":{\"pod-security.kubernetes.io/enforce\":\"baseline\","
                  "\"pod-security.kubernetes.io/warn\":\"restricted\","
                  "\"pod-security.kubernetes.io/warn-version\":\"v1.30\"}}}"),
        201);
    door_expect(&d, door_post(&d, "serviceaccounts", "b/", "{\"metadata\":{\"name\":\"default\"}}"), 201);
    door_expect(&d, door_post(&d, "pods", "b/", POD("bad") ",\"hostIPC\":true}}"), 403);
    door_expect_message(&d, "pods \"bad\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces "
                            "(hostIPC=true)");
    assert_int_equal(d.warnings.len, 0);
    door_expect(&d, door_post(&d, "pods", "b/", POD("ok") "}}"), 201);
    assert_int_equal(d.warnings.len, 1);
    assert_true(str_starts(d.warnings.items[0], "would violate PodSecurity \"restricted:v1.30\": "));
    door_expect(&d,
                door_post(&d, "deployments.apps", "b/",
                          "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},"
                          "\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"hostIPC\":true,"
                          "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}"),
                201);
    assert_int_equal(d.warnings.len, 2);
    door_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
