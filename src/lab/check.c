/* check.c - see check.h: the table of kinds, waiting, and the report.
 *
 * DESIGN: a check is asked again and again until it passes or its patience is over, at first often, then less: what is
 * so already costs one look, and nobody sleeps for nothing. What has to start a process for a look looks more seldom in
 * the end. */
#include "lab/check_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "lab/fields.h"

#include <string.h>
#include <time.h>

#define PATIENCE_MS 10000
#define FIRST_MS    10
#define LONGEST_MS  400
#define PROCESS_MS  1200 /* of a kind whose every look is a process in a pod or node */

static const struct {
    const char *field;
    check_fn *run;
    bool whole;        /* it is given the check, not only its member */
    bool no_wait;      /* what it looks at does not change by waiting */
    bool ours;         /* only in a cluster of ours */
    bool running;      /* it looks at what runs in pods, which the API does not tell of */
    const char *where; /* to look, when the check does not say */
} kinds_of_check[] = {
    {"assert", check_assert, false, false, false, false, "kubectl get, kubectl describe"},
    {"error", check_error, false, false, false, false, "kubectl get"},
    {"jsonpath", check_jsonpath, false, false, false, false, "kubectl get -o yaml"},
    {"exec", check_exec, false, false, false, true, "kubectl exec"},
    {"node", check_node, false, false, true, true, "stowage shell"},
    {"http", check_http, false, false, false, true, "kubectl port-forward and curl"},
    {"bytes", check_bytes, false, false, false, true, "kubectl exec"},
    {"event", check_event, false, false, false, false, "kubectl describe, kubectl get events"},
    {"order", check_order, false, false, false, false, "kubectl get events"},
    {"history", check_history, false, false, false, false, "kubectl get -w, next time"},
    {"same", check_same, false, false, false, false, "kubectl get -o yaml: uid, creationTimestamp"},
    {"recreated", check_recreated, false, false, false, false, "kubectl get -o yaml: uid, creationTimestamp"},
    {"quiz", check_quiz, true, true, false, false, "stowage lab answer"},
    {"shell", check_script, false, false, false, true, ""},
    {"all", check_all, false, false, false, true, ""},
};

void check_result_release(struct check_result *r)
{
    buf_release(&r->expected);
    buf_release(&r->observed);
    buf_release(&r->look);
    *r = (struct check_result){0};
}

static size_t kind_of(const json_t *check)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds_of_check); i++)
        if (json_object_get(check, kinds_of_check[i].field))
            return i;
    BUG("a check of no kind was loaded");
}

const char *check_impossible(const struct lab_env *env, const json_t *check)
{
    size_t i;
    const json_t *part;
    json_array_foreach(json_object_get(check, "all"), i,
                       part) if (check_impossible(env, part)) return check_impossible(env, part);
    return kinds_of_check[kind_of(check)].ours && !env->host
               ? "it looks at a node from inside, which only a cluster of "
                 "Stowage allows"
               : NULL;
}

int check_once(struct lab_env *env, const json_t *check, struct check_result *out, struct err *e)
{
    const size_t k = kind_of(check);
    const json_t *what = kinds_of_check[k].whole ? check : json_object_get(check, kinds_of_check[k].field);
    struct check_result r = {0};
    if (kinds_of_check[k].run(env, what, &r, e) < 0) {
        check_result_release(&r);
        return -1;
    }
    if (!r.look.len || jstr(check, "look")) {
        buf_clear(&r.look);
        buf_adds(&r.look, jstr_or(check, "look", kinds_of_check[k].where));
    }
    *out = r;
    return 0;
}

/* The first that does not hold is the one that is told. */
int check_all(struct lab_env *env, const json_t *list, struct check_result *out, struct err *e)
{
    size_t i;
    const json_t *part;
    out->passed = true;
    json_array_foreach(list, i, part) if (out->passed)
    {
        struct check_result r = {0};
        if (check_once(env, part, &r, e) < 0)
            return -1;
        check_result_release(out);
        *out = r;
    }
    return 0;
}

/* What went wrong is what was observed: a pod that does not run yet, an object that is not there. */
static void fail_with(const json_t *check, struct check_result *r, struct err *e)
{
    buf_adds(&r->expected, jstr_or(check, "name", ""));
    buf_adds(&r->observed, e->msg);
    buf_adds(&r->look, jstr_or(check, "look", kinds_of_check[kind_of(check)].where));
    err_clear(e);
}

static int64_t longest_nap(const json_t *check)
{
    return kinds_of_check[kind_of(check)].running ? PROCESS_MS : LONGEST_MS;
}

static bool in_vain(const struct lab_env *env, const json_t *check)
{
    return env->settled && env->settled(env->settled_arg, kinds_of_check[kind_of(check)].running);
}

int check_await(struct lab_env *env, const json_t *check, int64_t patience_ms, struct check_result *out, struct err *e)
{
    const int64_t begin = env_now_ms();
    const char *impossible = check_impossible(env, check);
    if (impossible)
        return err_set(e, ERR_UNSUPPORTED, "%s: %s", jstr_or(check, "name", ""), impossible);
    if (patience_ms < 0) {
        patience_ms = PATIENCE_MS;
        if (jstr(check, "within"))
            duration_parse(jstr(check, "within"), &patience_ms);
        patience_ms = patience_ms * env->patience_percent / 100;
    }
    patience_ms = kinds_of_check[kind_of(check)].no_wait ? 0 : env_patience(env, patience_ms);
    const int64_t longest = longest_nap(check);
    for (int64_t nap = FIRST_MS;; nap = nap * 3 / 2 < longest ? nap * 3 / 2 : longest) {
        struct check_result r = {0};
        const int rc = check_once(env, check, &r, e);
        if (rc < 0 && (e->code == ERR_USAGE || e->code == ERR_UNSUPPORTED))
            return -1;
        if (rc < 0)
            fail_with(check, &r, e);
        const int64_t left = begin + patience_ms - env_now_ms();
        if (r.passed || left <= 0 || in_vain(env, check)) {
            r.ms = env_now_ms() - begin;
            env_took(env, begin);
            *out = r;
            return 0;
        }
        check_result_release(&r);
        nap = nap < left ? nap : left;
        nanosleep(&(struct timespec){nap / 1000, (nap % 1000) * 1000000}, NULL);
    }
}

/* ---- the report ---- */

/* What a cluster says may be anything; a report is text. */
static void set_visible(json_t *row, const char *name, const struct buf *text)
{
    _auto_buf_ struct buf shown = BUF_INIT;
    buf_add_visible(&shown, buf_str(text), text->len);
    jset_str(row, name, buf_str(&shown));
}

static json_t *report_check(const json_t *check, const struct check_result *r)
{
    const int of = check_points(check);
    json_t *row = json_pack("{s:s, s:b, s:i, s:i, s:I}", "name", jstr_or(check, "name", ""), "passed", r->passed,
                            "points", r->passed ? of : 0, "of", of, "ms", (json_int_t)r->ms);
    const struct {
        const char *name;
        const struct buf *text;
    } texts[] = {{"expected", &r->expected}, {"observed", &r->observed}, {"look", &r->look}};
    for (size_t i = 0; i < ARRAY_LEN(texts) && !r->passed; i++)
        set_visible(row, texts[i].name, texts[i].text);
    return row;
}

json_t *check_step(struct lab_env *env, const json_t *step, void (*told)(void *arg, const json_t *row), void *arg,
                   struct err *e)
{
    _auto_json_ json_t *rows = json_array();
    size_t i;
    const json_t *check;
    int points = 0, of = 0;
    json_array_foreach(json_object_get(step, "checks"), i, check)
    {
        struct check_result r = {0};
        if (check_await(env, check, -1, &r, e) < 0)
            return NULL;
        json_t *row = report_check(check, &r);
        points += (int)jint(row, "points", 0);
        of += (int)jint(row, "of", 0);
        json_array_append_new(rows, row);
        check_result_release(&r);
        if (told)
            told(arg, row);
        if (env->first_failure && points < of)
            break;
    }
    return json_pack("{s:s, s:s, s:i, s:i, s:O}", "name", jstr_or(step, "name", ""), "title",
                     jstr_or(step, "title", jstr_or(step, "name", "")), "points", points, "of", of, "checks", rows);
}

json_t *check_report(const struct lab *lab, json_t *steps)
{
    size_t i;
    const json_t *step;
    int points = 0, of = 0;
    json_array_foreach(steps, i, step)
    {
        points += (int)jint(step, "points", 0);
        of += (int)jint(step, "of", 0);
    }
    return json_pack("{s:s, s:s, s:f, s:i, s:i, s:O}", "lab", lab->name, "title", jstr_or(lab->tree, "title", ""),
                     "score", of ? 100.0 * points / of : 100.0, "points", points, "of", of, "steps", steps);
}

bool check_all_passed(const json_t *report)
{
    size_t s, c;
    const json_t *step, *row;
    json_array_foreach(json_object_get(report, "steps"), s, step)
        json_array_foreach(json_object_get(step, "checks"), c, row) if (!jbool(row, "passed", false)) return false;
    return true;
}
