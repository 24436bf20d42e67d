/* test_output.c - columns, templates, sorting, manifests: what a command prints and reads, without a cluster. */
#include "base/mem.h"
#include "kubectl/output/columns.h"
#include "kubectl/output/gotemplate.h"
#include "kubectl/manifests.h"
#include "kubectl/output/print.h"
#include "kubectl/output/sorting.h"
#include "kubectl/output/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static json_t *tree(const char *text)
{
    json_t *j = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(j);
    return j;
}

static void flushes_to(struct table *t, const char *expected)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    table_flush(t, f);
    fclose(f);
    assert_string_equal(text, expected);
    free(text);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    _auto_table_ struct table t = {0};
    table_addf(&t, "NAME\tÄGE\tX\nlong-name\t5\t\n");
    flushes_to(&t, "NAME        ÄGE   X\nlong-name   5     \n");
    table_addf(&t, "a\tb\n\nccccccc\td\n"); /* another block, another width */
    flushes_to(&t, "a     b\n\nccccccc   d\n");
    flushes_to(&t, "");
}

static void remembered_columns_do_not_shrink(void **state)
{
    (void)state;
    _auto_table_ struct table t = {.remember = true};
    table_addf(&t, "long-name\tb\n");
    flushes_to(&t, "long-name   b\n");
    table_addf(&t, "x\tb\n");
    flushes_to(&t, "x           b\n");
}

static void templates(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"a{{.n}}b", "a1b"},
        {"{{ .s | printf \"%-4s|%q\" \"x\" }}", "x   |\"t\""},
        {"{{range .l}}{{.}},{{end}}", "3,1,2,"},
        {"{{range $i, $v := .l}}{{$i}}{{$v}}{{$.s}} {{else}}no{{end}}", "03t 11t 22t "},
        {"{{range .none}}x{{else}}no{{end}}", "no"},
        {"{{range $k, $v := .m}}{{$k}}={{$v}};{{end}}", "a=1;b=2;"},
        {"{{if .none}}a{{else if eq .n 1}}b{{else}}c{{end}}", "b"},
        {"{{if .none}}a{{else if .none}}b{{else}}c{{end}}", "c"},
        {"{{with .m}}{{.a}}{{end}}{{with .none}}x{{else with .s}}{{.}}{{end}}", "1t"},
        {"{{.none.deeper}}{{.m}}", "<no value>map[a:1 b:2]"},
        {"{{index .l 1}} {{index .m \"b\"}} {{len .l}} {{slice .s 0 1}}", "1 2 3 t"},
        {"{{- /* c */ -}} {{$x := 2}}{{$x = 3}}{{$x}} {{- print 1 2 \"a\" 3}}", "31 2a3"},
        {"{{and .n 0}}{{or 0 .s}}{{not .n}} {{lt 1 2}}{{ge 1 2}}", "0tfalse truefalse"},
        {"{{base64decode \"aGk=\"}} {{exists .m \"a\"}} {{(index .l 0)}}", "hi true 3"},
    };
    _auto_json_ json_t *root = tree("{\"n\":1,\"s\":\"t\",\"l\":[3,1,2],\"m\":{\"b\":2,\"a\":1}}");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_buf_ struct buf out = BUF_INIT;
        struct err e = ERR_INIT;
        if (gotemplate_print(rows[i][0], root, true, &out, &e) < 0)
            fail_msg("%s: %s", rows[i][0], e.msg);
        assert_string_equal(buf_str(&out), rows[i][1]);
    }
}

static void templates_that_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"{{",
                                      "{{.a",
                                      "{{if}}x{{end}}",
                                      "{{range .l}}x",
                                      "{{end}}",
                                      "{{else}}",
                                      "{{nope .a}}",
                                      "{{$x}}",
                                      "{{\"a}}",
                                      "{{define \"x\"}}{{end}}",
                                      "{{len .n}}",
                                      "{{index .l 9}}",
                                      "{{(((.a)}}",
                                      "{{.n.x}}",
                                      "{{lt 1 \"a\"}}",
                                      "{{not}}",
                                      "{{1x}}",
                                      "{{.s | .n}}",
                                      "{{/* never closed }}"};
    _auto_json_ json_t *root = tree("{\"n\":1,\"s\":\"t\",\"l\":[3]}");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        _auto_buf_ struct buf out = BUF_INIT;
        struct err e = ERR_INIT;
        if (gotemplate_print(bad[i], root, true, &out, &e) == 0)
            fail_msg("%s: not refused: %s", bad[i], buf_str(&out));
    }
    struct err e = ERR_INIT;
    _auto_buf_ struct buf out = BUF_INIT;
    assert_int_equal(gotemplate_print("{{.none}}", root, false, &out, &e), -1);
}

static void sorted(const char *array, const char *path, const char *expected)
{
    _auto_json_ json_t *all = tree(array), *wanted = tree(expected);
    struct err e = ERR_INIT;
    assert_int_equal(sort_by(all, path, NULL, &e), 0);
    assert_true(json_equal(all, wanted));
}

static void sorting_knows_numbers_quantities_and_names(void **state)
{
    (void)state;
    sorted("[{\"a\":\"pod10\"},{\"a\":\"pod9\"},{\"b\":1}]", ".a", "[{\"b\":1},{\"a\":\"pod9\"},{\"a\":\"pod10\"}]");
    sorted("[{\"a\":\"1Gi\"},{\"a\":\"20Mi\"}]", "{.a}", "[{\"a\":\"20Mi\"},{\"a\":\"1Gi\"}]");
    sorted("[{\"a\":3},{\"a\":-1},{\"a\":2.5}]", "a", "[{\"a\":-1},{\"a\":2.5},{\"a\":3}]");
    _auto_json_ json_t *all = tree("[{\"a\":1},{\"a\":2}]");
    struct err e = ERR_INIT;
    assert_int_equal(sort_by(all, ".x", NULL, &e), -1);
    assert_int_equal(json_array_size(all), 2);
}

static void custom_columns(void **state)
{
    (void)state;
    _auto_table_ struct table t = {0};
    _auto_json_ json_t *list = tree("{\"items\":[{\"n\":\"a\",\"l\":[1,2]},{\"n\":\"b\"}]}");
    struct err e = ERR_INIT;
    char *text = NULL;
    assert_int_equal(columns_check("N:.n,L:.l[*]", false, &text, &e), 0);
    assert_int_equal(columns_print(text, list, false, &t, &e), 0);
    flushes_to(&t, "N     L\na     1,2\nb     <none>\n");
    assert_int_equal(columns_check("N", false, &text, &e), -1);
    assert_string_equal(e.msg, "unexpected custom-columns spec: N, expected <header>:<json-path-expr>");
    assert_int_equal(columns_check("N  L\n.n .l\n", true, &text, &e), 0);
    assert_string_equal(text, "N:.n\nL:.l");
    free(text);
}

static void pretty_json_is_sorted(void **state)
{
    (void)state;
    _auto_json_ json_t *j = tree("{\"b\":[],\"a\":{\"d\":\"<x>\",\"c\":[1]},\"e\":{}}");
    _auto_buf_ struct buf out = BUF_INIT;
    json_pretty(&out, j);
    assert_string_equal(buf_str(&out), "{\n    \"a\": {\n        \"c\": [\n            1\n        ],\n        \"d\": "
                                       "\"\\u003cx\\u003e\"\n    },\n    \"b\": [],\n    \"e\": {}\n}");
}

static void manifests(void **state)
{
    (void)state;
    static const char text[] = "kind: A\n---\n# nothing\n---\nkind: List\nitems:\n- kind: B\n- {kind: C}\n";
    _auto_manifests_ struct manifests m = {0};
    struct err e = ERR_INIT;
    assert_int_equal(manifests_parse(text, strlen(text), "f", &m, &e), 0);
    assert_int_equal(m.len, 3);
    assert_string_equal(json_string_value(json_object_get(m.items[2].object, "kind")), "C");
    assert_int_equal(manifests_parse("a: [", 4, "f.yaml", &m, &e), -1);
    assert_non_null(strstr(e.msg, "error parsing f.yaml: error converting YAML to JSON: yaml: line 1"));
    assert_int_equal(manifests_parse("- a", 3, "f.yaml", &m, &e), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(remembered_columns_do_not_shrink),
        cmocka_unit_test(templates),
        cmocka_unit_test(templates_that_are_refused),
        cmocka_unit_test(sorting_knows_numbers_quantities_and_names),
        cmocka_unit_test(custom_columns),
        cmocka_unit_test(pretty_json_is_sorted),
        cmocka_unit_test(manifests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
