/* test_budget.c - disruption budgets: what they may say, and what their table shows. */
#include "validate_check.h"

#include "api/openapi.h"
#include "api/printer.h"

#define BUDGET(spec) "{'metadata':{'name':'b'},'spec':{" spec "}}"
#define BUCKET       "poddisruptionbudgets.policy"

static const struct {
    const char *snippet, *want;
} rows[] = {
    {BUDGET("'minAvailable':1,'selector':{'matchLabels':{'a':'b'}}"), ""},
    {BUDGET("'maxUnavailable':'30%','unhealthyPodEvictionPolicy':'AlwaysAllow'"), ""},
    {BUDGET("'minAvailable':-1"), "spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"},
    {BUDGET("'maxUnavailable':'101%'"),
     "spec.maxUnavailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:\"101%\"}: must not be greater "
     "than 100%"},
    {BUDGET("'minAvailable':1,'unhealthyPodEvictionPolicy':'Never'"),
     "spec.unhealthyPodEvictionPolicy: Unsupported value: \"Never\": supported values: \"AlwaysAllow\", "
     "\"IfHealthyBudget\""},
    {BUDGET("'minAvailable':1,'maxUnavailable':1,'selector':{}"),
     "spec: Invalid value: policy.PodDisruptionBudgetSpec{MinAvailable:(*intstr.IntOrString)(0xc000000000), "
     "Selector:(*v1.LabelSelector)(0xc000000000), MaxUnavailable:(*intstr.IntOrString)(0xc000000000), "
     "UnhealthyPodEvictionPolicy:(*policy.UnhealthyPodEvictionPolicyType)(nil)}: minAvailable and maxUnavailable "
     "cannot be both set"},
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_create(BUCKET, rows[i].snippet, rows[i].want);
    assert_update(BUCKET, "status", BUDGET(""), "{'metadata':{'name':'b'},'status':{'currentHealthy':-1}}",
                  "status.currentHealthy: Invalid value: -1: must be greater than or equal to 0");
}

static void assert_cells(const char *snippet, const char *want)
{
    const struct resource *r = kind_of(BUCKET);
    _auto_json_ json_t *obj = object_of(r, snippet);
    _auto_buf_ struct buf b = BUF_INIT;
    table_row_write(&b, r, obj, INCLUDE_NONE, 0);
    assert_non_null(strstr(buf_str(&b), want));
}

static void test_cells(void **state)
{
    (void)state;
    assert_cells("{'metadata':{'name':'b'},'spec':{'minAvailable':2},'status':{'disruptionsAllowed':1}}",
                 "[\"b\",\"2\",\"N/A\",1,");
    assert_cells(BUDGET("'maxUnavailable':'30%'"), "[\"b\",\"N/A\",\"30%\",0,");
}

static void test_served(void **state)
{
    (void)state;
    struct doc list = discovery_resource_list("policy", "v1");
    assert_non_null(list.data);
    assert_non_null(strstr(list.data, "\"shortNames\":[\"pdb\"],\"storageVersionHash\":\"EVWiDmWqyJw=\""));
    assert_non_null(strstr(list.data, "{\"name\":\"poddisruptionbudgets/status\",\"singularName\":\"\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_served),
    };
    return cmocka_run_group_tests(tests, validate_setup, NULL);
}
