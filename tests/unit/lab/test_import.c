/* What becomes of others' folders: the tree that a lab.yaml would give, and what is said of what can not be done. */
#include "base/json.h"
#include "base/mem.h"
#include "lab/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static void put(const char *name, const char *text)
{
    _auto_free_ char *path = xasprintf("%s/%s", dir, name);
    _auto_file_ FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
}

static void drop(const char *name)
{
    _auto_free_ char *path = xasprintf("%s/%s", dir, name);
    unlink(path);
}

/* "" when it is a lab. Returns new. */
static char *load(struct lab *out)
{
    _auto_strlist_ struct strlist faults = {0};
    struct err e = ERR_INIT;
    const int rc = lab_load(dir, NULL, out, &faults, &e);
    return rc == 0 ? xstrdup("") : faults.len ? strlist_join(&faults, "\n") : xstrdup(e.msg);
}

static const json_t *step(const struct lab *l, size_t i)
{
    return json_array_get(json_object_get(l->tree, "steps"), i);
}

static void has(const char *whole, const char *part)
{
    if (!strstr(whole, part))
        fail_msg("expected \"%s\" in:\n%s", part, whole);
}

static void test_killercoda(void **state)
{
    (void)state;
    _auto_lab_ struct lab l = {0};
    put("index.json", "{\"title\": \"T\", \"time\": \"15 min\", \"details\": {\"steps\": [\n"
                      "{\"title\": \"One\", \"text\": \"one.md\", \"verify\": \"v.sh\"}]},\n"
                      "\"backend\": {\"imageid\": \"kubernetes-kubeadm-2nodes\"}}");
    put("one.md", "Run `a b`{{exec}}, or `c`{{copy}}.\n```bash\nd\ne\n```{{execute}}\n{{ mustache }}\n");
    put("v.sh", "#!/bin/sh\nexit 0\n");
    _auto_free_ char *says = load(&l);
    assert_string_equal(says, "");
    assert_string_equal(jstr(l.tree, "title"), "T");
    assert_int_equal(jint(l.tree, "minutes", 0), 15);
    assert_int_equal(jint(l.tree, "cluster.nodes", 0), 2);
    assert_string_equal(jstr(step(&l, 0), "text"), "Run `a b`, or `c`.\n```bash\nd\ne\n```\n{{ mustache }}\n");
    const json_t *solution = json_array_get(json_object_get(step(&l, 0), "solution"), 0);
    has(jstr(solution, "run"), "'END_OF_SCRIPT'\na b\n\nd\ne\n");
    assert_string_equal(jstr(solution, "node"), "controlplane");
    const json_t *check = json_array_get(json_object_get(step(&l, 0), "checks"), 0);
    has(jstr(check, "node.run"), "#!/bin/sh\nexit 0\n");
    drop("v.sh");
    put("one.md", "`x && docker ps`{{exec}} `mydocker`{{exec}}\n`curl https://get.example.org/x`{{exec}}");
    _auto_lab_ struct lab none = {0};
    _auto_free_ char *wrong = load(&none);
    has(wrong, "one.md:1: docker is not to be had");
    has(wrong, "get.example.org is out of reach");
    has(wrong, "index.json:2: ");
    has(wrong, "v.sh: No such file");
    assert_null(strstr(wrong, "mydocker"));
    put("one.md", "\xff\xfe");
    _auto_free_ char *binary = load(&none);
    has(binary, "one.md:1: this is no text in UTF-8");
    drop("one.md");
    put("index.json", "{\"title\": \"T\",\n \"details\": oops}");
    _auto_free_ char *broken = load(&none);
    has(broken, "index.json:2: ");
    drop("index.json");
}

static void test_kuttl(void **state)
{
    (void)state;
    _auto_lab_ struct lab l = {0};
    put("10-late.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n");
    put("2-first.yaml",
        "apiVersion: kuttl.dev/v1beta1\nkind: TestStep\ncommands:\n- {command: kubectl get x, namespaced: true}\n"
        "delete:\n- {apiVersion: apps/v1, kind: Deployment, labels: {a: b}}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    put("2-assert.yaml",
        "apiVersion: kuttl.dev/v1beta1\nkind: TestAssert\ntimeout: 7\n---\napiVersion: v1\nkind: Pod\n");
    put("2-errors.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n");
    _auto_free_ char *says = load(&l);
    assert_string_equal(says, "");
    assert_string_equal(jstr(step(&l, 0), "name"), "step-02");
    assert_string_equal(jstr(step(&l, 1), "name"), "step-10");
    const json_t *solution = json_object_get(step(&l, 0), "solution");
    has(jstr(json_array_get(solution, 0), "run"), "deployment.v1.apps -l a=b");
    has(jstr(json_array_get(solution, 1), "run"), "kubectl get x --namespace \"$NAMESPACE\"");
    const json_t *objects = json_object_get(json_array_get(solution, 2), "objects");
    assert_string_equal(jstr(json_array_get(objects, 0), "metadata.name"), "a");
    const json_t *checks = json_object_get(step(&l, 0), "checks");
    assert_string_equal(jstr(json_array_get(checks, 0), "within"), "7s");
    assert_string_equal(jstr(json_array_get(checks, 0), "assert.kind"), "Pod");
    assert_string_equal(jstr(json_array_get(checks, 1), "error.metadata.name"), "s");
    assert_true(str_starts(jstr(l.tree, "namespace"), "kuttl-stowage-import-"));
    static const char *const files[] = {"10-late.yaml", "2-first.yaml", "2-assert.yaml", "2-errors.yaml"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        drop(files[i]);
}

#define CHAINSAW                                                                                                       \
    "apiVersion: chainsaw.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: t}\nspec:\n  namespace: mine\n  steps:\n"  \
    "  - try:\n"

#define BOUND                                                                                                          \
    "apiVersion: chainsaw.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: t}\nspec:\n  namespace: mine\n"            \
    "  bindings:\n  - {name: size, value: 2Gi}\n  - {name: many, value: 3}\n  - {name: same, value: ($size)}\n"        \
    "  steps:\n"

/* Bindings of the test, of a step, of an operation: the inner ones count, and end with it. */
static void test_bindings(void **state)
{
    (void)state;
    _auto_lab_ struct lab l = {0};
    put("chainsaw-test.yaml", BOUND "  - bindings: [{name: size, value: 5Gi}]\n    try:\n"
                                    "    - apply: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, "
                                    "data: {x: ($size), z: ($same)}}}\n"
                                    "    - apply: {bindings: [{name: size, value: 7Gi}], resource: {apiVersion: v1, "
                                    "kind: ConfigMap, metadata: {name: "
                                    "b}, data: {x: ($size)}, count: ($many)}}\n"
                                    "  - try:\n"
                                    "    - delete: {ref: {apiVersion: v1, kind: Pod, name: ($size)}}\n"
                                    "    - script: {content: 'echo $S', env: [{name: S, value: ($many)}]}\n");
    _auto_free_ char *says = load(&l);
    assert_string_equal(says, "");
    const json_t *done = json_object_get(step(&l, 0), "solution");
    const json_t *a = json_array_get(json_object_get(json_array_get(done, 0), "objects"), 0);
    const json_t *b = json_array_get(json_object_get(json_array_get(done, 1), "objects"), 0);
    assert_string_equal(jstr(a, "data.x"), "5Gi");
    assert_string_equal(jstr(a, "data.z"), "2Gi");
    assert_string_equal(jstr(b, "data.x"), "7Gi");
    assert_int_equal(jint(b, "count", 0), 3);
    done = json_object_get(step(&l, 1), "solution");
    has(jstr(json_array_get(done, 0), "run"), "pod '2Gi'");
    has(jstr(json_array_get(done, 1), "run"), "export S='3'");
    put("chainsaw-test.yaml", BOUND "  - try:\n"
                                    "    - delete: {ref: {apiVersion: v1, kind: Pod, name: ($nobody)}}\n"
                                    "    - wait: {apiVersion: v1, kind: Pod, name: \"(join('-', [$size]))\"}\n"
                                    "  - bindings: [{name: ($a), value: 1}]\n    try: []\n");
    _auto_lab_ struct lab none = {0};
    _auto_free_ char *wrong = load(&none);
    has(wrong, "chainsaw-test.yaml:12: the JMESPath expression ($nobody) is not known");
    has(wrong, "chainsaw-test.yaml:13: the JMESPath expression (join('-', [$size])) is not known");
    has(wrong, "a binding that is more than a name and a value is not known");
    drop("chainsaw-test.yaml");
}

static void test_chainsaw(void **state)
{
    (void)state;
    _auto_lab_ struct lab l = {0};
    put("chainsaw-test.yaml", CHAINSAW
        "    - apply: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: ($namespace)}}}\n"
        "    - error: {resource: {apiVersion: v1, kind: Pod}, timeout: 3s}\n"
        "    - script: {content: echo hi, check: {($stdout): hi, ($error == null): true}}\n");
    _auto_free_ char *says = load(&l);
    assert_string_equal(says, "");
    assert_string_equal(jstr(l.tree, "namespace"), "mine");
    assert_int_equal(json_array_size(json_object_get(l.tree, "steps")), 2); /* something is done behind a check */
    const json_t *objects = json_object_get(json_array_get(json_object_get(step(&l, 0), "solution"), 0), "objects");
    assert_string_equal(jstr(json_array_get(objects, 0), "metadata.namespace"), "mine");
    assert_string_equal(jstr(json_array_get(json_object_get(step(&l, 0), "checks"), 0), "within"), "3s");
    has(jstr(json_array_get(json_object_get(step(&l, 1), "solution"), 0), "run"), "[ $code = 0 ] || exit 91");
    put("chainsaw-test.yaml", CHAINSAW "    - assert: {resource: {apiVersion: v1, kind: Pod, (spec): 1}}\n"
                                       "    - script: {content: x, check: {(length($stdout)): 2}, outputs: []}\n"
                                       "    - fly: {}\n");
    _auto_lab_ struct lab none = {0};
    _auto_free_ char *wrong = load(&none);
    has(wrong, "chainsaw-test.yaml:8: the JMESPath expression (spec) is not known");
    has(wrong, "chainsaw-test.yaml:9: the JMESPath expression (length($stdout)) is not known");
    has(wrong, "chainsaw-test.yaml:9: outputs are not known");
    has(wrong, "chainsaw-test.yaml:10: the operation \"fly\" is not known");
    drop("chainsaw-test.yaml");
}

static void test_nothing(void **state)
{
    (void)state;
    _auto_lab_ struct lab none = {0};
    _auto_free_ char *says = load(&none);
    has(says, "has no lab.yaml: it is no lab");
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/stowage-import-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
    (void)state;
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killercoda), cmocka_unit_test(test_kuttl),   cmocka_unit_test(test_chainsaw),
        cmocka_unit_test(test_bindings),   cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
