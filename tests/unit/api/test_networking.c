/* test_networking.c - ingresses, their classes and network policies: what they may say, what is filled in, what their
 * tables show. */
#include "validate_check.h"

#include "api/decode.h"
#include "api/printer.h"

#define INGRESSES "ingresses.networking.k8s.io"
#define CLASSES   "ingressclasses.networking.k8s.io"
#define POLICIES  "networkpolicies.networking.k8s.io"

#define OBJ(spec)  "{'metadata':{'name':'i'},'spec':{" spec "}}"
#define PATH(p)    OBJ("'rules':[{'http':{'paths':[" p "]}}]")
#define BACKEND    "'backend':{'service':{'name':'s','port':{'number':80}}}"
#define RULE(host) OBJ("'rules':[{'host':'" host "','http':{'paths':[{'path':'/','pathType':'Prefix'," BACKEND "}]}}]")
#define AT         "spec.rules[0].http.paths[0]"

static const struct row {
    const char *bucket, *snippet, *want;
} rows[] = {
    {INGRESSES, RULE("a.example.com"), ""},
    {INGRESSES, RULE("*.example.com"), ""},
    {INGRESSES, OBJ("'defaultBackend':{'service':{'name':'s','port':{'name':'http'}}}"), ""},
    {INGRESSES, OBJ(""),
     "spec: Invalid value: []networking.IngressRule(nil): either `defaultBackend` or `rules` must be specified"},
    {INGRESSES, PATH("{'path':'/'," BACKEND "}"), AT ".pathType: Required value: pathType must be specified"},
    {INGRESSES, PATH("{'path':'/','pathType':'prefix'," BACKEND "}"),
     AT ".pathType: Unsupported value: \"prefix\": supported values: \"Exact\", \"ImplementationSpecific\", "
        "\"Prefix\""},
    {INGRESSES, PATH("{'path':'a','pathType':'Exact'," BACKEND "}"),
     AT ".path: Invalid value: \"a\": must be an absolute path"},
    {INGRESSES, PATH("{'pathType':'ImplementationSpecific'," BACKEND "}"), ""},
    {INGRESSES, PATH("{'path':'/a//b','pathType':'Exact'," BACKEND "}"),
     AT ".path: Invalid value: \"/a//b\": must not contain '//'"},
    {INGRESSES, PATH("{'path':'/','pathType':'Exact','backend':{}}"),
     AT ".backend: Invalid value: \"\": resource or service backend is required"},
    {INGRESSES, PATH("{'path':'/','pathType':'Exact','backend':{'service':{'name':'s'}}}"),
     AT ".backend: Required value: port name or number is required"},
    {INGRESSES, RULE("10.0.0.1"),
     "spec.rules[0].host: Invalid value: \"10.0.0.1\": must be a DNS name, not an IP "
     "address"},
    {CLASSES, OBJ("'controller':'k8s.io/ingress-nginx'"), ""},
    {CLASSES, OBJ("'controller':'nginx'"),
     "spec.controller: Invalid value: \"nginx\": must be a domain-prefixed path (such as \"acme.io/foo\")"},
    {POLICIES, OBJ("'podSelector':{}"), ""},
    {POLICIES, OBJ("'podSelector':{},'policyTypes':['Inbound']"),
     "spec.policyTypes[0]: Unsupported value: \"Inbound\": supported values: \"Ingress\", \"Egress\""},
    {POLICIES, OBJ("'podSelector':{},'ingress':[{'from':[{}]}]"),
     "spec.ingress[0].from[0]: Required value: must specify a peer"},
    {POLICIES, OBJ("'podSelector':{},'ingress':[{'from':[{'podSelector':{},'ipBlock':{'cidr':'10.0.0.0/8'}}]}]"),
     "spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer"},
    {POLICIES, OBJ("'podSelector':{},'egress':[{'to':[{'ipBlock':{'cidr':'10.0.0.0/8','except':['10.0.0.0/8']}}]}]"),
     "spec.egress[0].to[0].ipBlock.except[0]: Invalid value: \"10.0.0.0/8\": must be a strict subset of `cidr`"},
    {POLICIES, OBJ("'podSelector':{},'egress':[{'ports':[{'protocol':'TCP','port':80,'endPort':70}]}]"),
     "spec.egress[0].ports[0].endPort: Invalid value: 70: must be greater than or equal to `port`"},
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_create(rows[i].bucket, rows[i].snippet, rows[i].want);
    assert_update(CLASSES, "", OBJ("'controller':'a.io/x'"), OBJ("'controller':'a.io/y'"),
                  "spec.controller: Invalid value: \"a.io/y\": field is immutable");
}

static void assert_cells(const char *bucket, const char *snippet, const char *want)
{
    const struct resource *r = kind_of(bucket);
    _auto_json_ json_t *obj = object_of(r, snippet);
    _auto_buf_ struct buf b = BUF_INIT;
    table_row_write(&b, r, obj, INCLUDE_NONE, 0);
    if (!strstr(buf_str(&b), want))
        fail_msg("%s", buf_str(&b));
}

static void test_cells(void **state)
{
    (void)state;
    assert_cells(INGRESSES,
                 "{'metadata':{'name':'i'},'spec':{'ingressClassName':'nginx','tls':[{}],'rules':[{'host':'a'},"
                 "{'host':'b'},{'host':'c'},{'host':'d'},{'host':'e'}]},'status':{'loadBalancer':{'ingress':"
                 "[{'ip':'203.0.113.5'}]}}}",
                 "[\"i\",\"nginx\",\"a,b,c + 2 more...\",\"203.0.113.5\",\"80, 443\",");
    assert_cells(INGRESSES, OBJ("'rules':[{}]"), "[\"i\",\"\\u003cnone\\u003e\",\"*\",\"\",\"80\",");
    assert_cells(CLASSES,
                 OBJ("'controller':'e.io/c','parameters':{'apiGroup':'k8s.example.com','kind':'P','name':'x'}"),
                 "[\"i\",\"e.io/c\",\"P.k8s.example.com/x\",");
    assert_cells(POLICIES, OBJ("'podSelector':{'matchLabels':{'app':'web'}}"), "[\"i\",\"app=web\",");
    assert_cells(POLICIES, OBJ("'podSelector':{}"), "[\"i\",\"\\u003cnone\\u003e\",");
}

static void assert_types(const char *snippet, const char *want)
{
    const struct resource *r = kind_of(POLICIES);
    _auto_json_ json_t *obj = object_of(r, snippet);
    defaults_apply(r, obj);
    _auto_free_ char *text = json_dumps(jat(obj, "spec.policyTypes"), JSON_COMPACT);
    assert_string_equal(text, want);
}

static void test_policy_types(void **state)
{
    (void)state;
    assert_types(OBJ("'podSelector':{}"), "[\"Ingress\"]");
    assert_types(OBJ("'podSelector':{},'egress':[{}]"), "[\"Ingress\",\"Egress\"]");
    assert_types(OBJ("'podSelector':{},'policyTypes':['Egress']"), "[\"Egress\"]");
}

static void test_class_annotation(void **state)
{
    (void)state;
    const struct resource *r = kind_of(INGRESSES);
    _auto_json_ json_t *obj = object_of(r, RULE("a.example.com"));
    _auto_strlist_ struct strlist warnings = {0};
    jset_map(obj, "metadata.annotations", "kubernetes.io/ingress.class", "nginx");
    validate_warnings(r, obj, obj, &warnings);
    assert_int_equal(warnings.len, 0); /* an update says nothing */
    validate_warnings(r, obj, NULL, &warnings);
    assert_int_equal(warnings.len, 1);
    assert_string_equal(warnings.items[0], "annotation \"kubernetes.io/ingress.class\" is deprecated, please use "
                                           "'spec.ingressClassName' instead");
    jset_str(obj, "spec.ingressClassName", "nginx");
    validate_warnings(r, obj, NULL, &warnings);
    assert_int_equal(warnings.len, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_class_annotation),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_policy_types),
    };
    return cmocka_run_group_tests(tests, validate_setup, NULL);
}
