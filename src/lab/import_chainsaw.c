/* import_chainsaw.c - tests of chainsaw: chainsaw-test.yaml, a Test whose steps try operations, one after the other.
 *
 * DESIGN: an operation that does something goes into a step's solution, one that looks is a check; where one does
 * something behind a check a new step of ours begins. What is for the reports of a failure (catch, describe, podLogs…)
 * and what cleans up is left out: a cluster of our own goes as a whole. Of JMESPath, $namespace and bindings by
 * their name, ($size), are known, filled in before anything else is read, and what is said most often of a script's
 * end: ($error == null), ($stdout), contains($stdout, 'x').
 * Source: chainsaw's documentation (operations, checks). */
#include "lab/import_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "lab/fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "chainsaw-test.yaml"
#define WITHIN    "30s"

struct chainsaw {
    struct import *im;
    struct buf text;  /* of the file */
    json_t *step;     /* of ours; NULL: none has begun */
    json_t *bindings; /* owned: what is bound where we are, name -> value */
    const char *name, *title;
    size_t number; /* of steps of ours, for their names */
    const char *assert_within;
};

static void fault(const struct chainsaw *c, const char *part, const char *what)
{
    import_fault(c->im, FILE_NAME, import_line(buf_str(&c->text), part), "%s", what);
}

/* The step of ours that an operation belongs to. */
static json_t *step_for(struct chainsaw *c, bool acts)
{
    if (c->step && !(acts && json_object_get(c->step, "checks")))
        return c->step;
    _auto_free_ char *name = xasprintf("%zu-%s", ++c->number, c->name);
    for (char *p = name; *p; p++)
        if (*p == ' ')
            *p = '-';
    return c->step = import_step(c->im, name, c->title);
}

/* ---- expressions ---- */

static bool is_expression(const char *s)
{
    const size_t n = s ? strlen(s) : 0;
    return n > 1 && s[0] == '(' && s[n - 1] == ')';
}

static const char *telling_key(const char *key)
{
    return is_expression(key) || strstr(key, "->") || key[0] == '~' ? key : NULL;
}

/* What a text as a whole stands for: "($size)". NULL: nothing that is bound. Borrowed. */
static json_t *bound(const struct chainsaw *c, const char *text)
{
    const size_t n = is_expression(text) ? strlen(text) : 0;
    if (n < 4 || text[1] != '$')
        return NULL;
    _auto_free_ char *name = xstrndup(text + 2, n - 3);
    return json_object_get(c->bindings, name);
}

/* What is bound is filled in, another expression is a fault, told where it stands. Edits. */
static json_t *without_expressions(const struct chainsaw *c, const char *file, const char *text, json_t *v)
{
    const char *key;
    size_t i;
    json_t *x;
    void *next;
    json_t *value = json_is_string(v) ? bound(c, json_string_value(v)) : NULL;
    if (value)
        return json_deep_copy(value);
    if (json_is_string(v) && is_expression(json_string_value(v)))
        import_fault(c->im, file, import_line(text, json_string_value(v)), "the JMESPath expression %s is not known",
                     json_string_value(v));
    json_object_foreach_safe(v, next, key, x)
    {
        if (telling_key(key))
            import_fault(c->im, file, import_line(text, key), "the JMESPath expression %s is not known", key);
        json_object_set_new(v, key, without_expressions(c, file, text, x));
    }
    json_array_foreach(v, i, x) json_array_set_new(v, i, without_expressions(c, file, text, x));
    return json_incref(v);
}

/* Later ones see earlier ones, and take the place of those with the same name. */
static void bind_all(struct chainsaw *c, const json_t *list)
{
    size_t i;
    json_t *row;
    json_array_foreach(list, i, row)
    {
        const char *name = jstr(row, "name");
        json_t *value = json_deep_copy(json_object_get(row, "value"));
        if (!name || !value || is_expression(name) || json_object_get(row, "match"))
            fault(c, "bindings", "a binding that is more than a name and a value is not known");
        else
            json_object_set_new(c->bindings, name, without_expressions(c, FILE_NAME, buf_str(&c->text), value));
        json_decref(value);
    }
}

/* An operation with what is bound filled in, but where another language is spoken: what a script is to come to, and
 * what resources() reads itself. Returns new. */
static json_t *filled_in(struct chainsaw *c, const json_t *op)
{
    static const char *const others[] = {"check", "expect", "content", "resource", "bindings", "outputs"};
    json_t *out = json_object(), *value;
    const char *key;
    json_object_foreach((json_t *)(uintptr_t)op, key, value)
    {
        size_t i = 0;
        while (i < ARRAY_LEN(others) && !str_eq(others[i], key))
            i++;
        json_t *copy = json_deep_copy(value);
        json_object_set_new(out, key,
                            i < ARRAY_LEN(others) ? json_incref(copy)
                                                  : without_expressions(c, FILE_NAME, buf_str(&c->text), copy));
        json_decref(copy);
    }
    return out;
}

/* Objects of an operation: in its file, or written there. Returns a new array; faults are told. */
static json_t *resources(const struct chainsaw *c, const json_t *op)
{
    const char *file = jstr(op, "file");
    json_t *written = json_object_get(op, "resource");
    if (written)
        return json_pack("[o]", without_expressions(c, FILE_NAME, buf_str(&c->text), written));
    _auto_buf_ struct buf text = BUF_INIT;
    json_t *out = json_array(), *x;
    size_t i;
    if (!file) {
        fault(c, "try", "an operation needs file or resource");
        return out;
    }
    _auto_json_ json_t *docs = import_docs(c->im, file, &text);
    json_array_foreach(docs, i, x) if (json_is_object(x))
        json_array_append_new(out, without_expressions(c, file, buf_str(&text), x));
    return out;
}

/* ---- what a command must come to ---- */

struct expected {
    bool fails;        /* it shall not succeed */
    struct buf script; /* tests of $stdout, in bash */
};

/* 'x' or "x" behind a comma. */
static bool quoted_text(const char *s, struct buf *out)
{
    const char *open = strpbrk(s, "'\""), *close = open ? strchr(open + 1, *open) : NULL;
    if (!close)
        return false;
    buf_add(out, open + 1, (size_t)(close - open - 1));
    return true;
}

static bool expect_one(struct expected *x, const char *key, const json_t *value)
{
    const bool truth = !json_is_false(value);
    _auto_buf_ struct buf part = BUF_INIT;
    if (str_eq(key, "($error == null)") || str_eq(key, "($error != null)")) {
        x->fails = (strchr(key, '!') != NULL) == truth;
        return true;
    }
    if (str_eq(key, "$error") || str_eq(key, "($error)")) {
        x->fails = !json_is_null(value);
        return json_is_null(value);
    }
    if (str_starts(key, "(contains($stdout,") && quoted_text(key, &part)) {
        buf_addf(&x->script, "case $stdout in *");
        buf_add_shell_word(&x->script, buf_str(&part));
        buf_addf(&x->script, "*) [ %d = 1 ] ;; *) [ %d = 0 ] ;; esac || exit 90\n", truth, truth);
        return true;
    }
    if ((str_eq(key, "($stdout)") || str_eq(key, "$stdout") || str_eq(key, "(trim_space($stdout))")) &&
        json_is_string(value)) {
        buf_adds(&x->script, "[ \"$stdout\" = \"$(printf %s ");
        buf_add_shell_word(&x->script, json_string_value(value));
        buf_adds(&x->script, ")\" ] || exit 90\n");
        return true;
    }
    return false;
}

/* Of `check`, or of each `check` in `expect`. */
static void expectation(const struct chainsaw *c, const json_t *op, struct expected *x)
{
    _auto_json_ json_t *checks = json_array();
    size_t i;
    const json_t *row;
    const char *key;
    json_t *value;
    if (json_object_get(op, "check"))
        json_array_append(checks, json_object_get(op, "check"));
    json_array_foreach(json_object_get(op, "expect"), i, row)
    {
        if (json_object_get(row, "match"))
            fault(c, "match:", "expect with match is not known");
        json_array_append(checks, json_object_get(row, "check"));
    }
    json_array_foreach(checks, i, row)
        json_object_foreach((json_t *)(uintptr_t)row, key, value) if (!expect_one(x, key, value)) import_fault(
            c->im, FILE_NAME, import_line(buf_str(&c->text), key), "the JMESPath expression %s is not known", key);
}

/* A script of ours around theirs: it ends with 0 when theirs came to what was expected. Returns new. */
static char *judged(const char *script, const struct expected *x)
{
    if (!x->fails && !x->script.len)
        return xstrdup(script);
    return xasprintf("stdout=$(\n%s\n)\ncode=$?\nprintf '%%s\\n' \"$stdout\"\n[ $code %s 0 ] || exit 91\n%s", script,
                     x->fails ? "!=" : "=", buf_str(&x->script));
}

/* ---- operations that do something ---- */

static void add_script(struct chainsaw *c, const json_t *op, const char *script)
{
    struct expected x = {0};
    _auto_buf_ struct buf text = BUF_INIT;
    size_t i;
    const json_t *row;
    expectation(c, op, &x);
    json_array_foreach(json_object_get(op, "env"), i, row)
    {
        const json_t *bare = json_object_get(row, "value");
        _auto_free_ char *value = json_is_string(bare) ? xstrdup(json_string_value(bare)) : json_text(bare);
        buf_addf(&text, "export %s=", jstr_or(row, "name", "_"));
        buf_add_shell_word(&text, value ? value : "");
        buf_addc(&text, '\n');
    }
    if (json_object_get(op, "outputs"))
        fault(c, "outputs", "outputs are not known");
    buf_adds(&text, script);
    _auto_free_ char *whole = judged(buf_str(&text), &x);
    /* A script that is asked for its end is a check as much as an action: it is judged, once. */
    import_add(step_for(c, true), "solution", import_script(whole));
    buf_release(&x.script);
}

static void op_script(struct chainsaw *c, const json_t *op)
{
    add_script(c, op, jstr_or(op, "content", "true"));
}

static void op_command(struct chainsaw *c, const json_t *op)
{
    _auto_buf_ struct buf line = BUF_INIT;
    size_t i;
    const json_t *word;
    buf_add_shell_word(&line, jstr_or(op, "entrypoint", "true"));
    json_array_foreach(json_object_get(op, "args"), i, word)
    {
        _auto_free_ char *bare = json_is_string(word) ? NULL : json_text(word);
        const char *text = bare ? bare : json_string_value(word);
        buf_addc(&line, ' ');
        if (text && strchr(text, '$') && !strpbrk(text, "'\"`"))
            buf_addf(&line, "\"%s\"", text); /* chainsaw expands variables in them */
        else
            buf_add_shell_word(&line, text ? text : "");
    }
    add_script(c, op, buf_str(&line));
}

/* kubectl says of itself whether it succeeded; only then, or only not. */
static void by_kubectl(struct chainsaw *c, const json_t *op, const char *verb, const json_t *objects)
{
    size_t i;
    const json_t *o;
    json_array_foreach(objects, i, o)
    {
        _auto_free_ char *text = json_text(o);
        _auto_buf_ struct buf run = BUF_INIT;
        buf_addf(&run, "kubectl %s -n \"%s\" -f - <<'END_OF_OBJECT'\n%s\nEND_OF_OBJECT\n", verb,
                 jstr_or(o, "metadata.namespace", "$NAMESPACE"), text);
        add_script(c, op, buf_str(&run));
    }
}

static void op_apply(struct chainsaw *c, const json_t *op)
{
    _auto_json_ json_t *objects = resources(c, op);
    if (json_object_get(op, "expect"))
        by_kubectl(c, op, "apply", objects);
    else if (json_array_size(objects))
        import_add(step_for(c, true), "solution", json_pack("{s:O}", "objects", objects));
}

static void op_create(struct chainsaw *c, const json_t *op)
{
    _auto_json_ json_t *objects = resources(c, op);
    by_kubectl(c, op, "create", objects);
}

static void op_update(struct chainsaw *c, const json_t *op)
{
    _auto_json_ json_t *objects = resources(c, op);
    by_kubectl(c, op, "replace", objects);
}

static void op_patch(struct chainsaw *c, const json_t *op)
{
    _auto_json_ json_t *objects = resources(c, op);
    size_t i;
    const json_t *o;
    json_array_foreach(objects, i, o)
    {
        _auto_free_ char *text = json_text(o), *word = import_kind_word(jstr(o, "apiVersion"), jstr_or(o, "kind", ""));
        _auto_buf_ struct buf run = BUF_INIT;
        buf_addf(&run, "kubectl patch -n \"%s\" %s %s --type=merge -p ", jstr_or(o, "metadata.namespace", "$NAMESPACE"),
                 word, jstr_or(o, "metadata.name", ""));
        buf_add_shell_word(&run, text);
        add_script(c, op, buf_str(&run));
    }
}

static void op_delete(struct chainsaw *c, const json_t *op)
{
    const json_t *ref = json_object_get(op, "ref");
    size_t i;
    const json_t *o;
    if (json_object_get(op, "expect"))
        fault(c, "delete:", "expect of a deletion is not known");
    if (ref) {
        import_add(step_for(c, true), "solution", import_delete(ref));
        return;
    }
    _auto_json_ json_t *objects = resources(c, op);
    json_array_foreach(objects, i, o)
    {
        _auto_json_ json_t *one =
            json_pack("{s:s, s:s}", "apiVersion", jstr_or(o, "apiVersion", "v1"), "kind", jstr_or(o, "kind", ""));
        static const char *const parts[] = {"name", "namespace", "labels"};
        for (size_t p = 0; p < ARRAY_LEN(parts); p++)
            if (json_object_get(json_object_get(o, "metadata"), parts[p]))
                json_object_set(one, parts[p], json_object_get(json_object_get(o, "metadata"), parts[p]));
        import_add(step_for(c, true), "solution", import_delete(one));
    }
}

static void op_sleep(struct chainsaw *c, const json_t *op)
{
    int64_t ms = 1000;
    duration_parse(jstr_or(op, "duration", "1s"), &ms);
    _auto_free_ char *line = xasprintf("sleep %lld.%03lld", (long long)(ms / 1000), (long long)(ms % 1000));
    import_add(step_for(c, true), "solution", import_script(line));
}

/* ---- operations that look ---- */

static void look_for(struct chainsaw *c, const json_t *op, const char *kind)
{
    _auto_json_ json_t *objects = resources(c, op);
    size_t i;
    json_t *o;
    json_array_foreach(objects, i, o) import_object_check(
        c->im, step_for(c, false), kind, import_duration(jstr(op, "timeout"), c->assert_within), json_incref(o));
}

static void op_assert(struct chainsaw *c, const json_t *op)
{
    look_for(c, op, "assert");
}

static void op_error(struct chainsaw *c, const json_t *op)
{
    look_for(c, op, "error");
}

/* As `kubectl wait`, which it is. */
static void op_wait(struct chainsaw *c, const json_t *op)
{
    _auto_buf_ struct buf run = BUF_INIT;
    _auto_free_ char *word = import_kind_word(jstr(op, "apiVersion"), jstr_or(op, "kind", ""));
    const char *within = import_duration(jstr(op, "timeout"), c->assert_within), *ns = jstr(op, "namespace");
    const char *condition = jstr(op, "for.condition.name"), *path = jstr(op, "for.jsonPath.path");
    buf_addf(&run, "kubectl wait -n \"%s\" --timeout=5s %s", ns && !is_expression(ns) ? ns : "$NAMESPACE", word);
    if (jstr(op, "name"))
        buf_addf(&run, "/%s", jstr(op, "name"));
    else if (jstr(op, "selector"))
        buf_addf(&run, " -l %s", jstr(op, "selector"));
    else
        buf_adds(&run, " --all");
    if (condition)
        buf_addf(&run, " --for=condition=%s%s%s", condition, jstr(op, "for.condition.value") ? "=" : "",
                 jstr_or(op, "for.condition.value", ""));
    else if (path)
        buf_addf(&run, " --for=jsonpath='%s'%s%s", path, jstr(op, "for.jsonPath.value") ? "=" : "",
                 jstr_or(op, "for.jsonPath.value", ""));
    else if (jat(op, "for.deletion"))
        buf_adds(&run, " --for=delete");
    else
        fault(c, "wait:", "what is waited for is not known");
    import_script_check(c->im, step_for(c, false), buf_str(&run), within, buf_str(&run), 0);
}

static void op_nothing(struct chainsaw *c, const json_t *op)
{
    (void)c;
    (void)op;
}

static const struct {
    const char *name;
    void (*add)(struct chainsaw *c, const json_t *op);
} operations[] = {
    {"apply", op_apply},    {"create", op_create}, {"update", op_update},   {"patch", op_patch},
    {"delete", op_delete},  {"script", op_script}, {"command", op_command}, {"sleep", op_sleep},
    {"assert", op_assert},  {"error", op_error},   {"wait", op_wait},       {"describe", op_nothing},
    {"events", op_nothing}, {"get", op_nothing},   {"podLogs", op_nothing}, {"description", op_nothing},
};

/* ---- the test ---- */

/* With bindings of its own, which end with it. */
static void add_bound(struct chainsaw *c, void (*add)(struct chainsaw *c, const json_t *op), const json_t *op)
{
    json_t *outside = c->bindings;
    c->bindings = json_copy(outside);
    bind_all(c, json_object_get(op, "bindings"));
    _auto_json_ json_t *filled = filled_in(c, op);
    add(c, filled);
    json_decref(c->bindings);
    c->bindings = outside;
}

static void add_operation(struct chainsaw *c, const json_t *op)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)op, key, value)
    {
        size_t i = 0;
        while (i < ARRAY_LEN(operations) && !str_eq(operations[i].name, key))
            i++;
        if (i < ARRAY_LEN(operations) && operations[i].add != op_nothing) {
            add_bound(c, operations[i].add, value);
        } else if (i == ARRAY_LEN(operations)) {
            _auto_free_ char *what = xasprintf("the operation \"%s\" is not known", key);
            fault(c, key, what);
        }
    }
}

static void no_unknown(const struct chainsaw *c, const json_t *o, const char *const *known, const char *of)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)o, key, value)
    {
        size_t i = 0;
        while (known[i] && !str_eq(known[i], key))
            i++;
        if (!known[i]) {
            _auto_free_ char *what = xasprintf("%s \"%s\" is not known", of, key);
            fault(c, key, what);
        }
    }
}

static void add_step(struct chainsaw *c, const json_t *step, size_t number)
{
    static const char *const known[] = {"name",    "description", "try",      "catch",      "finally",
                                        "cleanup", "bindings",    "timeouts", "skipDelete", "deletionPropagationPolicy",
                                        NULL};
    size_t i;
    const json_t *op;
    _auto_free_ char *name = xasprintf("step-%zu", number + 1);
    no_unknown(c, step, known, "a step's");
    c->step = NULL;
    c->name = jstr_or(step, "name", name);
    c->title = jstr_or(step, "description", c->name);
    json_t *outside = c->bindings;
    c->bindings = json_copy(outside);
    bind_all(c, json_object_get(step, "bindings"));
    json_array_foreach(json_object_get(step, "try"), i, op) add_operation(c, op);
    json_decref(c->bindings);
    c->bindings = outside;
}

static void add_test(struct chainsaw *c, const json_t *test)
{
    static const char *const known[] = {
        "description", "steps",      "bindings",   "timeouts", "namespace",
        "skip",        "concurrent", "skipDelete", "fullName", "catch",
        "cleanup",     "cluster",    "template",   "failFast", "deletionPropagationPolicy",
        NULL};
    const json_t *spec = json_object_get(test, "spec");
    _auto_free_ char *ns = xasprintf("chainsaw-%s", jstr_or(test, "metadata.name", c->im->lab->name));
    size_t i;
    const json_t *step;
    if (!str_eq(jstr(test, "kind"), "Test") || !str_starts(jstr_or(test, "apiVersion", ""), "chainsaw.kyverno.io/"))
        fault(c, "kind:", "this is no Test of chainsaw.kyverno.io");
    no_unknown(c, spec, known, "a test's");
    import_namespace(c->im, is_expression(jstr(spec, "namespace")) ? ns : jstr_or(spec, "namespace", ns));
    json_object_set_new(c->im->tree, "title", json_string(jstr_or(test, "metadata.name", c->im->lab->name)));
    if (jstr(spec, "description"))
        json_object_set_new(c->im->tree, "about", json_string(jstr(spec, "description")));
    c->assert_within = import_duration(jstr(spec, "timeouts.assert"), WITHIN);
    json_object_set_new(c->bindings, "namespace", json_string(c->im->ns));
    bind_all(c, json_object_get(spec, "bindings"));
    json_array_foreach(json_object_get(spec, "steps"), i, step) add_step(c, step, i);
}

int import_chainsaw(struct import *im, struct err *e)
{
    struct chainsaw c = {.im = im, .bindings = json_object()};
    (void)e;
    _auto_json_ json_t *docs = import_docs(im, FILE_NAME, &c.text);
    if (docs && json_array_size(docs) != 1)
        fault(&c, "---", "one Test in the file is read, not several");
    else if (docs)
        add_test(&c, json_array_get(docs, 0));
    buf_release(&c.text);
    json_decref(c.bindings);
    return 0;
}
