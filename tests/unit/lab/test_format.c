/* What is said of a lab's file that is wrong: line, column, what was expected, the nearest name. */
#include "base/json.h"
#include "base/mem.h"
#include "lab/format.h"
#include "lab/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static void put(const char *text)
{
    _auto_free_ char *path = xasprintf("%s/lab.yaml", dir);
    _auto_file_ FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
}

#define HEAD "title: T\nsteps:\n- name: a\n"

static const struct {
    const char *text, *says;
} wrong[] = {
    {"title: T\n", "lab.yaml:1:1: a lab needs a field \"steps\": a list"},
    {"titel: T\nsteps: []\n", "lab.yaml:1:1: titel: a lab has no field \"titel\"; did you mean \"title\"?"},
    {HEAD "  chekcs: []\n", "lab.yaml:4:3: steps[0].chekcs: a step has no field \"chekcs\"; did you mean \"checks\"?"},
    {HEAD "  checks:\n  - name: c\n    points: many\n    error: {kind: Pod}\n",
     "lab.yaml:6:5: steps[0].checks[0].points: expected a whole number from 0 to 1000000, found \"many\""},
    {HEAD "  checks:\n  - name: c\n    within: soon\n    error: {kind: Pod}\n",
     "lab.yaml:6:5: steps[0].checks[0].within: expected a time such as 30s or 2m, found \"soon\""},
    {HEAD "  checks:\n  - name: c\n",
     "lab.yaml:5:5: steps[0].checks[0]: a check needs exactly one of assert, error, jsonpath, exec, "
     "node, http, bytes, event, order, history, same, recreated, quiz, shell, all; this has none"},
    {HEAD "  checks:\n  - name: c\n    error: {kind: Pod}\n    shell: {run: x}\n",
     "lab.yaml:5:5: steps[0].checks[0]: a check needs exactly one of assert, error, jsonpath, exec, node, http, bytes, "
     "event, "
     "order, history, same, recreated, quiz, shell, all; this has several"},
    {"title: T\nsteps: []\ncluster: {profile: egs}\n",
     "lab.yaml:3:11: cluster.profile: expected one of eks, killercoda, kind, minikube, none, found \"egs\"; did you "
     "mean \"eks\"?"},
    {HEAD "- name: a\n", "lab.yaml:4:3: steps[1].name: this name is used before"},
    {HEAD "  file: ../../etc/passwd\n",
     "lab.yaml:4:3: steps[0].file: expected a path below the lab's folder, found \"../../etc/passwd\""},
    {HEAD "  solution:\n  - answer: {check: none, with: x}\n",
     "lab.yaml:5:14: steps[0].solution[0].answer.check: no question of this step has that name"},
    {HEAD "  checks:\n  - {name: q, quiz: {ask: Why?, answer: b}}\n  solution:\n  - answer: {check: qq, with: x}\n",
     "lab.yaml:7:14: steps[0].solution[0].answer.check: no question of this step has that name; did you mean \"q\"?"},
    {HEAD "  checks:\n  - {name: q, quiz: {ask: Why?, kind: choice, choices: [a, b], answer: [c, d]}}\n",
     "lab.yaml:5:64: steps[0].checks[0].quiz.answer: expected one of the choices"},
    {HEAD "  checks:\n  - {name: q, quiz: {ask: Why?, kind: number, answer: many}}\n",
     "lab.yaml:5:47: steps[0].checks[0].quiz.answer: expected a number"},
    {HEAD "  checks:\n  - {name: c, jsonpath: {of: pod/a, path: '{.spec', is: x}}\n",
     "lab.yaml:5:37: steps[0].checks[0].jsonpath.path: expected a kubectl JSONPath, found \"{.spec\": "},
    {HEAD "  checks:\n  - {name: c, jsonpath: {of: pod, path: '{.spec}', is: x}}\n",
     "lab.yaml:5:26: steps[0].checks[0].jsonpath.of: expected KIND/NAME such as pod/web, found \"pod\""},
    {HEAD "  checks:\n  - {name: c, exec: {pod: a, command: b, output: {matches: 'a('}}}\n",
     "lab.yaml:5:51: steps[0].checks[0].exec.output.matches: expected an extended regular expression, found \"a(\": "},
    {HEAD "  checks:\n  - {name: c, assert: {kind: Pod}}\n",
     "lab.yaml:5:15: steps[0].checks[0].assert: a part of an object needs a member \"apiVersion\""},
    {HEAD "  checks:\n  - {name: c, node: {node: node02, run: x}}\n",
     "lab.yaml:5:22: steps[0].checks[0].node.node: the lab's cluster of 2 has no node \"node02\"; did you mean "
     "\"node01\"?"},
    {"title: T\nsteps: []\ncluster: {nodes: 17}\n", "lab.yaml:3:11: cluster.nodes: expected 1 to 16 nodes, found 17"},
    {"title: T\nsteps: []\ncluster: {images: [busybox, ngnix]}\n",
     "lab.yaml:3:29: cluster.images[1]: there is no image \"ngnix\" here; did you mean \"nginx\"?"},
    {"title: T\nsteps: []\ncluster: {images: 'nginx:0.1-none'}\n",
     "lab.yaml:3:11: cluster.images: there is no \"0.1-none\" of the image nginx here"},
    {"title: T\nvariants: {size: [1Gi, 2Gi]}\nsteps:\n- name: a\n  text: \"Make one of ${sise}.\"\n",
     "lab.yaml:5:3: steps[0].text: \"${sise}\" is none of the lab's variants; did you mean \"${size}\"?"},
    {"title: T\nsteps: []\n", "lab.yaml:2:1: steps: a lab needs at least one step"},
    {"title: T\nsteps:\n- name: a b\n", "lab.yaml:3:3: steps[0].name: expected a name without blanks, slashes and "
                                        "colons, found \"a b\""},
    {"title: T\nsteps: []\ncluster: {zones: [us-east-1a, us-west-1a]}\n",
     "lab.yaml:3:31: cluster.zones[1]: expected a zone from us-east-1a to us-east-1f, found \"us-west-1a\""},
    {"title: T\nsteps: []\n  minutes: 5\ntitle: U\n", "lab.yaml:3:3: did not find expected key"},
    {"title: T\nsteps: []\ntitle: U\n", "lab.yaml:3:1: the field \"title\" is given twice"},
    {"title: [\n", "lab.yaml:2:1: "},
    {"- a\n", "lab.yaml:1:1: expected a lab (an object)"},
};

static void test_wrong_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct err e = ERR_INIT;
        _auto_lab_ struct lab lab = {0};
        _auto_strlist_ struct strlist faults = {0};
        put(wrong[i].text);
        assert_int_equal(lab_load(dir, NULL, &lab, &faults, &e), -1);
        assert_true(faults.len > 0);
        if (strncmp(faults.items[0], wrong[i].says, strlen(wrong[i].says)) != 0)
            fail_msg("row %zu\nexpected %s\nobserved %s", i, wrong[i].says, faults.items[0]);
        assert_null(lab.tree);
    }
}

static void test_a_file_that_is_not_there(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_lab_ struct lab lab = {0};
    _auto_strlist_ struct strlist faults = {0};
    put(HEAD "  solution:\n  - apply: nothing.yaml\n");
    assert_int_equal(lab_load(dir, NULL, &lab, &faults, &e), -1);
    assert_non_null(strstr(faults.items[0], "lab.yaml:5:5: steps[0].solution[0].apply: "));
    assert_non_null(strstr(faults.items[0], "No such file"));
}

static void test_a_manifest_that_is_none(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_lab_ struct lab lab = {0};
    _auto_strlist_ struct strlist faults = {0};
    _auto_free_ char *path = xasprintf("%s/pod.yaml", dir);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs("kind: Pod\nmetadata: {name: web\n", f);
    fclose(f);
    put(HEAD "  solution:\n  - apply: pod.yaml\n");
    const int rc = lab_load(dir, NULL, &lab, &faults, &e);
    unlink(path);
    assert_int_equal(rc, -1);
    assert_non_null(strstr(faults.items[0], "lab.yaml:5:5: steps[0].solution[0].apply: pod.yaml: "));
    assert_non_null(strstr(faults.items[0], "line "));
}

#define VARIED                                                                                                         \
    "title: T ${size}\nvariants:\n  size: [1Gi, 2Gi, 3Gi, 4Gi, 5Gi]\n  count: [1, 2]\nsteps:\n- name: a\n"             \
    "  text: \"${size} ${count} ${other}\"\n"

static void test_variants_by_seed(void **state)
{
    (void)state;
    bool differ = false;
    _auto_free_ char *first = NULL;
    put(VARIED);
    for (int i = 0; i < 20; i++) {
        struct err e = ERR_INIT;
        _auto_lab_ struct lab lab = {0}, again = {0};
        _auto_strlist_ struct strlist faults = {0};
        _auto_free_ char *seed = xasprintf("student-%d", i);
        assert_int_equal(lab_load(dir, seed, &lab, &faults, &e), 0);
        assert_int_equal(lab_load(dir, seed, &again, &faults, &e), 0);
        assert_true(json_equal(lab.tree, again.tree));
        assert_non_null(strstr(jstr(lab.tree, "title"), "Gi"));
        differ = differ || (first && strcmp(first, jstr(lab.tree, "title")) != 0);
        if (!first)
            first = xstrdup(jstr(lab.tree, "title"));
    }
    assert_true(differ);
    struct err e = ERR_INIT;
    _auto_lab_ struct lab plain = {0};
    _auto_strlist_ struct strlist faults = {0};
    assert_int_equal(lab_load(dir, NULL, &plain, &faults, &e), 0);
    assert_string_equal(jstr(json_array_get(json_object_get(plain.tree, "steps"), 0), "text"), "1Gi 1 ${other}");
}

static void test_durations(void **state)
{
    (void)state;
    int64_t ms = 0;
    assert_true(duration_parse("90s", &ms) && ms == 90000);
    assert_true(duration_parse("1h30m", &ms) && ms == 5400000);
    assert_true(duration_parse("250ms", &ms) && ms == 250);
    assert_true(duration_parse("1.5s", &ms) && ms == 1500);
    static const char *const none[] = {"", "s", "10", "10 s", "-1s", "1d", "1e9h", "5sm"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_false(duration_parse(none[i], &ms));
}

/* Every $ref leads somewhere, and every shape forbids what it does not name. */
static void check_refs(const json_t *defs, const json_t *x)
{
    const char *key, *ref = jstr(x, "$ref");
    size_t i;
    json_t *v;
    if (ref)
        assert_true(json_is_object(json_object_get(defs, ref + strlen("#/$defs/"))));
    json_object_foreach((json_t *)(uintptr_t)x, key, v) check_refs(defs, v);
    json_array_foreach(x, i, v) check_refs(defs, v);
}

static void test_schema(void **state)
{
    (void)state;
    _auto_json_ json_t *schema = fields_schema(&lab_shape, "Stowage lab");
    const json_t *defs = json_object_get(schema, "$defs");
    assert_true(json_object_size(defs) > 15);
    check_refs(defs, schema);
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
    assert_true(jarr_has(schema, "required", "steps"));
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/stowage-lab-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
    (void)state;
    _auto_free_ char *path = xasprintf("%s/lab.yaml", dir);
    unlink(path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_a_file_that_is_not_there),
        cmocka_unit_test(test_a_manifest_that_is_none),
        cmocka_unit_test(test_variants_by_seed),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_schema),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
