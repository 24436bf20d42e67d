/* YAML as Go's yaml.v2 and sigs.k8s.io/yaml read and write it. */
#include "api_test.h"

static char *parsed(const char *text)
{
    struct err e = ERR_INIT;
    json_t *doc = NULL;
    if (yaml_parse(text, strlen(text), &doc, NULL, &e) < 0)
        return xstrdup(e.msg);
    char *out = json_text(doc);
    json_decref(doc);
    return out;
}

static void test_plain_scalars(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *json;
    } rows[] = {
        {"yes", "true"},
        {"n", "false"},
        {"On", "true"},
        {"yEs", "\"yEs\""},
        {"~", "null"},
        {"", "null"},
        {"null", "null"},
        {"0644", "420"},
        {"0o17", "15"},
        {"0x1F", "31"},
        {"0b101", "5"},
        {"09", "9"},
        {"1_000", "1000"},
        {"-7", "-7"},
        {"1.5", "1.5"},
        {"0.1", "0.1"},
        {"1e3", "1000"},
        {".5", "0.5"},
        {"1.", "1"},
        {"12:30:45", "\"12:30:45\""},
        {"2024-01-02", "\"2024-01-02\""},
        {"1Gi", "\"1Gi\""},
        {"\"yes\"", "\"yes\""},
        {"'1'", "\"1\""},
        {"!!str 1", "\"1\""},
        {"1.2.3", "\"1.2.3\""},
        {"-", "[null]"},
        {"+", "\"+\""},
        {"9223372036854775807", "9223372036854775807"},
        {"25%", "\"25%\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_text(parsed(rows[i].yaml), rows[i].json);
}

static void test_keys_anchors_and_merges(void **state)
{
    (void)state;
    assert_text(parsed("1: a\ntrue: b\n1.5: c\n"), "{\"1\":\"a\",\"true\":\"b\",\"1.5\":\"c\"}");
    assert_text(parsed("a: &x {b: 1}\nc: *x\n"), "{\"a\":{\"b\":1},\"c\":{\"b\":1}}");
    assert_text(parsed("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n"),
                "{\"a\":{\"b\":1,\"c\":2},\"d\":{\"b\":1,\"c\":3}}");
    assert_text(parsed("a: &x [*x]\n"), "yaml: anchor 'x' value contains itself");
    assert_text(parsed("a: *y\n"), "yaml: unknown anchor 'y' referenced");
}

static void test_errors_name_gos_lines(void **state)
{
    (void)state;
    assert_text(parsed("apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: yy\n"),
                "yaml: line 4: found character that cannot start any token");
    assert_text(parsed("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yy\n data:\n  a: b\n"),
                "yaml: line 4: did not find expected key");
    assert_text(parsed("a: 1\nb: c: d\n"), "yaml: line 2: mapping values are not allowed in this context");
    assert_text(parsed("{\"a\": [}"), "yaml: did not find expected node content");
    assert_text(parsed("{"), "yaml: line 1: did not find expected node content");
}

static void test_bombs_are_refused(void **state)
{
    (void)state;
    struct buf text = BUF_INIT;
    buf_adds(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++)
        buf_addf(&text, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1, i - 1,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    assert_text(parsed(text.data), "yaml: document contains excessive aliasing");
    buf_clear(&text);
    for (int i = 0; i < 5000; i++)
        buf_addc(&text, '[');
    assert_text(parsed(text.data), "yaml: exceeded max depth");
    buf_release(&text);
}

static void test_bodies(void **state)
{
    (void)state;
    assert_text(
        decoded("ConfigMap", MEDIA_YAML, FIELDS_STRICT,
                "metadata:\n  name: fv\n  name: fv2\ndata:\n  a: \"1\"\n  a: \"2\"\n"),
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: yaml: unmarshal errors:\n"
        "  line 3: key \"name\" already set in map\n  line 6: key \"a\" already set in map");
    assert_text(decoded("ConfigMap", MEDIA_YAML, FIELDS_STRICT, "metadata: {name: y}"),
                "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal bool into Go "
                "struct field "
                "ObjectMeta.metadata.name of type string");
    assert_text(decoded("ConfigMap", MEDIA_YAML, FIELDS_STRICT, "z: 1\nmetadata: {name: x, b: 2, a: 1}"),
                "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field "
                "\"metadata.a\", unknown field \"metadata.b\", unknown field \"z\"");
    assert_text(decoded("ConfigMap", MEDIA_YAML, FIELDS_STRICT, "# nothing\n"),
                "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"creationTimestamp\":null}}");
}

static void test_documents(void **state)
{
    (void)state;
    static const char text[] = "---\na: 1\n---\n---\nb: 2\n...\n";
    struct err e = ERR_INIT;
    json_t *all = NULL;
    assert_int_equal(yaml_parse_all(text, strlen(text), &all, &e), 0);
    assert_text(json_text(all), "[{\"a\":1},{\"b\":2}]");
    json_decref(all);
}

static void test_writing(void **state)
{
    (void)state;
    json_t *doc = json_loads("{\"spec\":{\"list\":[{\"b\":\"x\",\"a\":1}],\"empty\":{},\"none\":[]},\"text\":"
                             "\"one\\ntwo\\n\",\"yes\":\"yes\","
                             "\"n10\":\"10\",\"n9\":1.5,\"date\":\"2024-01-02\",\"colon\":\"a: b\",\"null\":null}",
                             0, NULL);
    assert_text(yaml_text(doc),
                "colon: 'a: b'\ndate: \"2024-01-02\"\nn9: 1.5\nn10: \"10\"\n\"null\": null\nspec:\n  empty: {}\n"
                "  list:\n  - a: 1\n    b: x\n  none: []\ntext: |\n  one\n  two\n\"yes\": \"yes\"\n");
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_scalars),
        cmocka_unit_test(test_keys_anchors_and_merges),
        cmocka_unit_test(test_errors_name_gos_lines),
        cmocka_unit_test(test_bombs_are_refused),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_writing),
    };
    return cmocka_run_group_tests(tests, api_setup, NULL);
}
