/* What a submission is taken for: archives and folders, names of steps, markers in scripts, logs, answers, the order of
 * objects. */
#include "base/json.h"
#include "base/mem.h"
#include "lab/bundle.h"
#include "lab/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct lab lab;
static struct handin handin;
static struct plan plan;
static struct err e;

static int start(void **state _unused_)
{
    lab.name = xstrdup("claims");
    lab.tree =
        json_loads("{\"steps\": [{\"name\": \"q1\", \"checks\": [{\"name\": \"first\", \"quiz\": {}}, {\"name\": "
                   "\"second\", \"quiz\": {}}]}, {\"name\": \"q2\"}, {\"name\": \"q10\", \"checks\": [{\"name\": "
                   "\"state\", \"quiz\": {}}]}]}",
                   0, NULL);
    return lab.tree ? 0 : -1;
}

static int end(void **state _unused_)
{
    plan_release(&plan);
    handin_release(&handin);
    lab_release(&lab);
    err_clear(&e);
    return 0;
}

static void take(const char *name, const char *text)
{
    if (handin_take(name, text, strlen(text), &handin, &e) < 0 || plan_of(&lab, &handin, &plan, &e) < 0)
        fail_msg("%s", e.msg);
}

static void answered(const char *check, const char *text)
{
    assert_string_equal(jstr_or(plan.answers, check, "(none)"), text);
}

static void objects_by_kind(void **state _unused_)
{
    take("q10-all.yaml",
         "kind: Pod\napiVersion: v1\nmetadata: {name: a}\n---\n---\nkind: List\napiVersion: v1\nitems:\n"
         "- {kind: Namespace, apiVersion: v1}\n- {kind: Widget, apiVersion: x/v1}\n---\nkind: "
         "PersistentVolumeClaim\napiVersion: v1\n---\njust text\n");
    assert_int_equal(plan.len, 1);
    assert_int_equal(plan.items[0].step, 2);
    static const char *const kinds[] = {"Namespace", "PersistentVolumeClaim", "Widget", "Pod"};
    assert_int_equal(json_array_size(plan.items[0].objects), ARRAY_LEN(kinds));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        assert_string_equal(jstr(json_array_get(plan.items[0].objects, i), "kind"), kinds[i]);
    assert_int_equal(plan.remarks.len, 1);
    assert_string_equal(plan.remarks.items[0], "q10-all.yaml: document 4 is no object of Kubernetes");
}

static void script_in_parts(void **state _unused_)
{
    take("mine.sh",
         "#!/bin/bash\necho one\n# step: q10\n# answer: Bound\necho ten\n#  Step q2\necho two\n# step: q7\necho "
         "still two\n# answer second: a b: c\n");
    assert_int_equal(plan.len, 3);
    assert_string_equal(plan.items[0].script, "#!/bin/bash\necho one\n");
    assert_string_equal(plan.items[1].script, "echo two\necho still two\n# answer second: a b: c\n");
    answered("state", "Bound");
    answered("second", "a b: c");
    answered("first", "(none)");
    assert_string_equal(plan.remarks.items[0], "mine.sh: there is no step \"q7\"");
}

static void session_again(void **state _unused_)
{
    take("s.jsonl",
         "{\"step\": \"q1\", \"line\": \"get pods\", \"kubectl\": true}\n{\"step\": 2, \"line\": \"apply -f - <<'E'\\nx"
         "\\nE\", \"exit\": 1, \"namespace\": \"a\"}\n{\"step\": 2, \"line\": \"lab answer Bound\", \"exit\": 0}\n"
         "{\"step\": 2, \"line\": \"lab check\", \"exit\": 0}\nnothing\n{\"step\": 0, \"line\": \"lab answer --to "
         "'second' yes it is\"}\n");
    assert_int_equal(plan.len, 2);
    assert_string_equal(plan.items[0].script, "kubectl get pods\n");
    assert_string_equal(plan.items[1].script,
                        "stowage repl --kubeconfig \"$KUBECONFIG\" -n 'a' -c 'apply -f - <<'\\''E'\\''\nx\nE'\n");
    assert_int_equal(plan.items[1].step, 2);
    answered("state", "Bound");
    answered("second", "yes it is");
    assert_string_equal(plan.remarks.items[0], "s.jsonl: line 5 is no JSON object");
}

static void answers_by_name(void **state _unused_)
{
    take("answers.yaml", "q1: one\nsecond: 2\nstate: true\nq77: x\n");
    answered("first", "one");
    answered("second", "2");
    answered("state", "true");
    assert_string_equal(plan.remarks.items[0], "answers.yaml: no question or step is called \"q77\"");
}

static void names_that_lead_out(void **state _unused_)
{
    static const char *const bad[] = {"/etc/x", "../x", "a/../../x", "a/..", "a\\..\\x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        err_clear(&e);
        assert_int_equal(handin_take(bad[i], "x", 1, &handin, &e), -1);
        assert_int_equal(e.code, ERR_BAD_REQUEST);
    }
    assert_int_equal(handin_take("a/./b//c..d", "x", 1, &handin, &e), 0);
    assert_string_equal(handin.files[0].path, "b/c..d"); /* the folder that all are in is taken off */
}

static void signed_and_changed(void **state _unused_)
{
    char key[] = "/tmp/stowage-key.XXXXXX";
    close(mkstemp(key));
    unlink(key);
    _auto_buf_ struct buf text = BUF_INIT, again = BUF_INIT;
    _auto_json_ json_t *payload = json_pack("{s:s, s:{s:s}, s:[{s:i, s:s}]}", "lab", "claims", "answers", "state",
                                            "Bound", "log", "step", 1, "line", "echo");
    assert_int_equal(bundle_sign(key, payload, &text, &e), 0);
    assert_int_equal(bundle_sign(key, payload, &again, &e), 0);
    assert_string_equal(buf_str(&text), buf_str(&again)); /* one key, and Ed25519 has no chance in it */
    unlink(key);
    take("alice.json", buf_str(&text));
    answered("state", "Bound");
    assert_string_equal(plan.items[0].script, "echo\n");
    assert_int_equal(strlen(jstr_or(plan.bundle, "key", "")), 64);
    plan_release(&plan);
    handin_release(&handin);
    *strstr(text.data, "Bound") = 'b';
    assert_int_equal(handin_take("alice.json", buf_str(&text), text.len, &handin, &e), 0);
    assert_int_equal(plan_of(&lab, &handin, &plan, &e), -1);
    assert_string_equal(e.msg, "alice.json: this bundle was changed after it was signed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(objects_by_kind, start, end),
        cmocka_unit_test_setup_teardown(script_in_parts, start, end),
        cmocka_unit_test_setup_teardown(session_again, start, end),
        cmocka_unit_test_setup_teardown(answers_by_name, start, end),
        cmocka_unit_test_setup_teardown(names_that_lead_out, start, end),
        cmocka_unit_test_setup_teardown(signed_and_changed, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
