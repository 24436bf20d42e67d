/* test_selector.c - label, field and node selectors: what they match and the words in which they refuse. */
#include "api/selector.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct resource configmaps = {.group = "", .version = "v1", .kind = "ConfigMap"};
static const struct resource pods = {.group = "", .version = "v1", .kind = "Pod"};
static const struct resource events = {.group = "events.k8s.io", .version = "v1", .kind = "Event"};

static bool label_match(const char *selector, const char *labels_text)
{
    struct err e = ERR_INIT;
    struct label_selector *s = NULL;
    assert_int_equal(label_selector_parse(selector, &s, &e), 0);
    _auto_json_ json_t *labels = json_loads(labels_text, 0, NULL);
    bool match = label_selector_match(s, labels);
    label_selector_free(s);
    return match;
}

static void test_label_match(void **state)
{
    (void)state;
    static const struct {
        const char *selector, *labels;
        bool match;
    } rows[] = {
        {"", "{}", true},
        {"n=1", "{\"n\":\"1\"}", true},
        {"n==1", "{\"n\":\"2\"}", false},
        {"n!=1", "{}", true},
        {"n!=1", "{\"n\":\"1\"}", false},
        {"n", "{\"n\":\"\"}", true},
        {"!n", "{\"n\":\"\"}", false},
        {"n in (1,2)", "{\"n\":\"2\"}", true},
        {"n notin (1,2)", "{\"n\":\"2\"}", false},
        {"n notin (1,2)", "{}", true},
        {"n>3", "{\"n\":\"31\"}", true},
        {"n > 3", "{\"n\":\"3\"}", false},
        {"n<3", "{\"n\":\"x\"}", false},
        {" n = 1 ", "{\"n\":\"1\"}", true},
        {"n=", "{\"n\":\"\"}", true},
        {"n in ()", "{\"n\":\"\"}", true},
        {"n in (x,)", "{\"n\":\"\"}", true},
        {"n in (,)", "{\"n\":\"\"}", true},
        {"in in (in)", "{\"in\":\"in\"}", true},
        {"n in (1),odd=1", "{\"n\":\"1\",\"odd\":\"0\"}", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(label_match(rows[i].selector, rows[i].labels), rows[i].match);
}

static void test_label_refusals(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"n in (1", "unable to parse requirement: found '', expected: ',' or ')'"},
        {"n=1,", "found '', expected: identifier after ','"},
        {",n=1", "found ',', expected: !, identifier, or 'end of string'"},
        {"=1", "found '=', expected: !, identifier, or 'end of string'"},
        {"n=a b", "found 'b', expected: ',' or 'end of string'"},
        {"bad key=1", "unable to parse requirement: found 'key', expected: in, notin, =, ==, !=, gt, lt"},
        {"n in (a b)", "unable to parse requirement: found 'b', expected: ',' or ')'"},
        {"n!1", "unable to parse requirement: found '!', expected: in, notin, =, ==, !=, gt, lt"},
        {"n>x",
         "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an "
         "integer"},
        {"!n=1", "found '=', expected: ',' or 'end of string'"},
        {"n in 1", "unable to parse requirement: found '1' expected: '('"},
        {"n notin", "unable to parse requirement: found '' expected: '('"},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=1",
         "unable to parse requirement: <nil>: Invalid value: "
         "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\": name part must be no more than 63 "
         "characters"},
        {"n=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
         "unable to parse requirement: values[0][n]: Invalid value: "
         "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\": must be no more than 63 characters"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = ERR_INIT;
        struct label_selector *s = NULL;
        assert_int_equal(label_selector_parse(rows[i][0], &s, &e), -1);
        assert_null(s);
        assert_int_equal(e.code, ERR_BAD_REQUEST);
        assert_string_equal(e.msg, rows[i][1]);
    }
}

static void test_label_object(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct label_selector *s = NULL;
    assert_int_equal(label_selector_from_json(NULL, &s, &e), 0);
    assert_false(label_selector_match(s, NULL));
    label_selector_free(s);
    _auto_json_ json_t *empty = json_object();
    assert_int_equal(label_selector_from_json(empty, &s, &e), 0);
    assert_true(label_selector_match(s, NULL));
    label_selector_free(s);
    _auto_json_ json_t *full =
        json_loads("{\"matchLabels\":{\"tier\":\"web\",\"app\":\"a\"},\"matchExpressions\":[{\"key\":\"env\","
                   "\"operator\":\"In\",\"values\":[\"y\",\"x\"]},{\"key\":\"old\",\"operator\":"
                   "\"DoesNotExist\"}]}",
                   0, NULL);
    assert_int_equal(label_selector_from_json(full, &s, &e), 0);
    _auto_free_ char *text = label_selector_text(s);
    assert_string_equal(text, "app=a,env in (x,y),!old,tier=web");
    label_selector_free(s);
    _auto_json_ json_t *bad = json_loads("{\"matchExpressions\":[{\"key\":\"env\",\"operator\":\"Near\"}]}", 0, NULL);
    s = NULL;
    assert_int_equal(label_selector_from_json(bad, &s, &e), -1);
    assert_string_equal(e.msg, "\"Near\" is not a valid label selector operator");
}

static bool field_match(const struct resource *r, const char *selector, const char *object)
{
    struct err e = ERR_INIT;
    struct field_selector *s = NULL;
    assert_int_equal(field_selector_parse(r, selector, &s, &e), 0);
    _auto_json_ json_t *obj = json_loads(object, 0, NULL);
    bool match = field_selector_match(s, obj);
    field_selector_free(s);
    return match;
}

static void test_field_match(void **state)
{
    (void)state;
    static const char pod[] =
        "{\"metadata\":{\"name\":\"fa\",\"namespace\":\"lw\"},\"spec\":{\"nodeName\":\"n1\"},\"status\":"
        "{\"phase\":\"Running\",\"podIP\":\"1.2.3.4\"}}";
    static const char event[] =
        "{\"metadata\":{\"name\":\"e\"},\"involvedObject\":{\"name\":\"fa\"},\"reportingComponent\":\"\"}";
    assert_true(field_match(&pods, "metadata.name=fa", pod));
    assert_false(field_match(&pods, "metadata.name!=fa", pod));
    assert_true(field_match(&pods, "metadata.name==fa,status.phase!=Failed,status.phase!=Succeeded", pod));
    assert_false(field_match(&pods, "spec.nodeName=", pod));
    assert_true(field_match(&pods, "status.nominatedNodeName=", pod));
    assert_true(field_match(&pods, "spec.hostNetwork=false", pod));
    assert_false(field_match(&pods, "status.podIPs=1.2.3.4", pod));
    assert_true(field_match(&pods, "", pod));
    assert_true(field_match(&events, "regarding.name=fa,regarding.namespace=", event));
    assert_false(field_match(&events, "reportingController=me", event));
    assert_true(field_match(&configmaps, "metadata.name=a\\,b", "{\"metadata\":{\"name\":\"a,b\"}}"));
}

static void test_field_refusals(void **state)
{
    (void)state;
    static const struct {
        const struct resource *r;
        const char *selector, *text;
    } rows[] = {
        {&pods, "metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"},
        {&pods, "=x", "field label not supported: "},
        {&pods, "metadata.uid=x", "field label not supported: metadata.uid"},
        {&pods, "a\\,b=c", "field label not supported: a\\,b"},
        {&pods, "metadata.name=a=b", "invalid field selector: unescaped character in value: 61"},
        {&events, "involvedObject.name=fa", "field label not supported: involvedObject.name"},
        {&configmaps, "data=x",
         "\"data\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = ERR_INIT;
        struct field_selector *s = NULL;
        assert_int_equal(field_selector_parse(rows[i].r, rows[i].selector, &s, &e), -1);
        assert_string_equal(e.msg, rows[i].text);
    }
}

static void test_field_name(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct field_selector *s = NULL;
    assert_int_equal(field_selector_parse(&pods, "status.phase=Running,metadata.name=x", &s, &e), 0);
    assert_string_equal(field_selector_name(s), "x");
    field_selector_free(s);
    assert_int_equal(field_selector_parse(&pods, "metadata.name!=x", &s, &e), 0);
    assert_null(field_selector_name(s));
    field_selector_free(s);
}

static void test_node_selector(void **state)
{
    (void)state;
    _auto_json_ json_t *node =
        json_loads("{\"metadata\":{\"name\":\"n1\",\"labels\":{\"zone\":\"a\",\"cpus\":\"4\"}}}", 0, NULL);
    static const struct {
        const char *terms;
        bool match;
    } rows[] = {
        {"[]", false},
        {"[{}]", false},
        {"[{\"matchExpressions\":[{\"key\":\"zone\",\"operator\":\"In\",\"values\":[\"a\",\"b\"]}]}]", true},
        {"[{\"matchExpressions\":[{\"key\":\"zone\",\"operator\":\"NotIn\",\"values\":[\"a\"]}]},{\"matchFields\":[{"
         "\"key\":"
         "\"metadata.name\",\"operator\":\"In\",\"values\":[\"n1\"]}]}]",
         true},
        {"[{\"matchExpressions\":[{\"key\":\"cpus\",\"operator\":\"Gt\",\"values\":[\"4\"]}]}]", false},
        {"[{\"matchExpressions\":[{\"key\":\"zone\",\"operator\":\"Exists\"},{\"key\":\"gpu\",\"operator\":"
         "\"DoesNotExist\"}]}]",
         true},
    };
    assert_true(node_selector_match(NULL, node));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        _auto_json_ json_t *selector = json_pack("{so}", "nodeSelectorTerms", json_loads(rows[i].terms, 0, NULL));
        assert_int_equal(node_selector_match(selector, node), rows[i].match);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_label_match),    cmocka_unit_test(test_label_refusals),
        cmocka_unit_test(test_label_object),   cmocka_unit_test(test_field_match),
        cmocka_unit_test(test_field_refusals), cmocka_unit_test(test_field_name),
        cmocka_unit_test(test_node_selector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
