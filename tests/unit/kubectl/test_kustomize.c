/* A folder with a kustomization: names that follow, hashes that real kustomize makes, and what is refused. */
#include "base/json.h"
#include "base/mem.h"
#include "kubectl/kustomize/kustomize.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char folder[] = "/tmp/stowage-kustomize.XXXXXX";

static void write_file(const char *name, const char *text)
{
    _auto_free_ char *path = xasprintf("%s/%s", folder, name);
    _auto_file_ FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fputs(text, f) >= 0, 1);
}

static int build(const char *kustomization, json_t **out, struct err *e)
{
    _auto_strlist_ struct strlist warnings = {0};
    write_file("kustomization.yaml", kustomization);
    return kustomize_build(folder, out, &warnings, e);
}

static const char objects[] = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  volumes:\n"
                              "  - {name: a, configMap: {name: x}}\n  - {name: b, configMap: {name: other}}\n"
                              "  containers: [{name: c, image: \"nginx:1\"}]\n";

static void test_names_and_hashes(void **state)
{
    (void)state;
    _auto_json_ json_t *out = NULL;
    struct err e = ERR_INIT;
    write_file("r.yaml", objects);
    assert_int_equal(build("resources: [r.yaml]\nnamePrefix: dev-\n"
                           "configMapGenerator: [{name: x, literals: [\"a='q'\", 'b=\"r\"', c=d=e]}]\n",
                           &out, &e),
                     0);
    assert_int_equal(json_array_size(out), 2);
    const json_t *map = json_array_get(out, 0), *pod = json_array_get(out, 1);
    assert_string_equal(jstr(map, "metadata.name"), "dev-x-7h775t7h96"); /* as kubectl 1.32 builds it */
    assert_string_equal(jstr(map, "data.a"), "q");
    assert_string_equal(jstr(pod, "metadata.name"), "dev-p");
    const json_t *volumes = jat(pod, "spec.volumes");
    assert_string_equal(jstr(json_array_get(volumes, 0), "configMap.name"), "dev-x-7h775t7h96");
    assert_string_equal(jstr(json_array_get(volumes, 1), "configMap.name"), "other");
}

static void test_patch_and_image(void **state)
{
    (void)state;
    _auto_json_ json_t *out = NULL;
    struct err e = ERR_INIT;
    write_file("r.yaml", objects);
    assert_int_equal(
        build("resources: [r.yaml]\nimages: [{name: nginx, newTag: \"2\"}]\npatches:\n"
              "- patch: '{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {volumes: [{name: b, $patch: "
              "delete}]}}'\n",
              &out, &e),
        0);
    const json_t *pod = json_array_get(out, 0);
    assert_int_equal(json_array_size(jat(pod, "spec.volumes")), 1);
    assert_string_equal(jstr(json_array_get(jat(pod, "spec.containers"), 0), "image"), "nginx:2");
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "kustomization.yaml is empty"},
        {"fooBar: 1\n", "invalid Kustomization: json: unknown field \"fooBar\""},
        {"resources: x\n", "invalid Kustomization: json: cannot unmarshal into Go struct field"},
        {"resources: [1]\n", "accumulating resources"},
        {"resources: [.]\n", "cycle detected"},
        {"resources: [nope.yaml]\n", "no such file or directory"},
        {"resources: [/etc/passwd]\n", "security; file '/etc/passwd' is not in or below"},
        {"resources: ['https://example.com/x']\n", "is remote"},
        {"configMapGenerator: [{name: x, literals: [c]}]\n", "invalid literal source c, expected key=value"},
        {"configMapGenerator: [{name: x, files: [../../etc/passwd]}]\n", "file sources"},
        {"patches: [{}]\n", "must specify one of patch and path"},
        {"patches: [{patch: '['}]\n", "unable to parse SM or JSON patch"},
        {"patches: [7]\n", "must specify one of patch and path"},
        {"patches: [{patch: '[{op: add, path: /a, value: 1}]'}]\n", "must specify a target"},
        {"replacements: [{source: {kind: Pod, name: zz}}]\n", "nothing selected by Pod:zz"},
        {"replacements: [7]\n", "nothing selected by"},
        {"replicas: [{name: zz, count: 1}]\n", "resource with name zz does not match a config"},
        {"helmCharts: []\n", "'helmCharts' of a kustomization is not built here"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _auto_json_ json_t *out = NULL;
        struct err e = ERR_INIT;
        assert_int_equal(build(cases[i].text, &out, &e), -1);
        if (!strstr(e.msg, cases[i].message))
            fail_msg("%s: \"%s\" has no \"%s\"", cases[i].text, e.msg, cases[i].message);
    }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"kustomization.yaml", "r.yaml"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        _auto_free_ char *path = xasprintf("%s/%s", folder, names[i]);
        remove(path);
    }
    return remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_hashes),
        cmocka_unit_test(test_patch_and_image),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
