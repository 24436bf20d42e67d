/* rules.c - see rules.h.
 *
 * DESIGN: what is wrong with a lab shall be said before anything is started, with line and column; so all that can be
 * known without a cluster is looked at here: files and what is in them, expressions, names of nodes, images, answers.
 * Rules of a single field are rows of a table, found by a walk over the tree; those of lists stand alone.
 *
 * How to add a rule of a field: a row in rules[]. */
#include "lab/rules.h"

#include "api/decode.h"
#include "api/jsonpath.h"
#include "base/json.h"
#include "base/mem.h"
#include "images/image.h"
#include "lab/check.h"
#include "lab/format.h"

#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NODES_MAX 16 /* of `stowage up` */

struct ruling {
    const struct lab *lab;
    const struct marks *marks;
    struct strlist *faults;
};

static void fault(const struct ruling *r, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void fault(const struct ruling *r, const char *path, const char *fmt, ...)
{
    int line, column;
    _auto_buf_ struct buf text = BUF_INIT;
    va_list ap;
    marks_find(r->marks, path, &line, &column);
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    strlist_addf(r->faults, "lab.yaml:%d:%d: %s: %s", line, column, path, buf_str(&text));
}

/* `; did you mean "x"?`, or "". Returns new. */
static char *meant(const char *near)
{
    return near ? xasprintf("; did you mean \"%s\"?", near) : xstrdup("");
}

/* ---- variables ---- */

static const char *nearest_variable(const struct ruling *r, const char *name)
{
    const char *names[64], *key;
    size_t n = 0;
    json_t *value;
    json_object_foreach(r->lab->vars, key, value) if (n + 1 < ARRAY_LEN(names)) names[n++] = key;
    names[n] = NULL;
    return strlen(name) < 3 || str_starts(name, "DISK_") ? NULL : nearest_name(name, names);
}

/* What is not filled in may be for a shell; but not what looks like one of ours. */
static void rule_variables(const struct ruling *r, const char *path, const char *text)
{
    for (const char *open = strstr(text, "${"); open; open = strstr(open + 2, "${")) {
        _auto_free_ char *name = xstrndup(open + 2, strcspn(open + 2, "}\n"));
        const char *near = nearest_variable(r, name);
        if (near && strcmp(near, name) != 0)
            fault(r, path, "\"${%s}\" is none of the lab's variants; did you mean \"${%s}\"?", name, near);
    }
}

/* Of each text in a value. */
static void rule_texts(const struct ruling *r, const char *path, const json_t *v)
{
    const char *key;
    size_t i;
    const json_t *x;
    if (json_is_string(v))
        rule_variables(r, path, json_string_value(v));
    json_array_foreach(v, i, x) rule_texts(r, path, x);
    json_object_foreach((json_t *)(uintptr_t)v, key, x) rule_texts(r, path, x);
}

/* A rule for a text, for one that stands there or for each of a list. */
static void rule_each(const struct ruling *r, const char *path, const json_t *v,
                      void (*rule)(const struct ruling *r, const char *path, const char *text))
{
    size_t i;
    const json_t *x;
    if (json_is_string(v))
        rule(r, path, json_string_value(v));
    json_array_foreach(v, i, x)
    {
        _auto_free_ char *at = xasprintf("%s[%zu]", path, i);
        rule(r, at, json_string_value(x));
    }
}

/* ---- files ---- */

static bool read_file(const struct ruling *r, const char *path, const char *file, struct buf *out)
{
    struct err e = ERR_INIT;
    if (lab_file(r->lab, file, out, &e) == 0)
        return true;
    fault(r, path, "%s", e.msg);
    return false;
}

static void rule_file(const struct ruling *r, const char *path, const json_t *owner _unused_, const json_t *v)
{
    _auto_buf_ struct buf text = BUF_INIT;
    if (read_file(r, path, json_string_value(v), &text))
        rule_variables(r, path, buf_str(&text));
}

static void rule_manifest(const struct ruling *r, const char *path, const char *file)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_json_ json_t *docs = NULL;
    struct err e = ERR_INIT;
    if (!read_file(r, path, file, &text))
        return;
    rule_variables(r, path, buf_str(&text));
    if (yaml_parse_all(buf_str(&text), text.len, &docs, &e) < 0)
        fault(r, path, "%s: %s", file, e.msg);
}

static void rule_manifests(const struct ruling *r, const char *path, const json_t *owner _unused_, const json_t *v)
{
    rule_each(r, path, v, rule_manifest);
}

/* ---- expressions, objects ---- */

static void rule_expression(const struct ruling *r, const char *path, const json_t *owner _unused_, const json_t *v)
{
    regex_t re;
    char why[200];
    const int rc = regcomp(&re, json_string_value(v), REG_EXTENDED | REG_NOSUB);
    if (rc == 0) {
        regfree(&re);
        return;
    }
    regerror(rc, &re, why, sizeof why);
    fault(r, path, "expected an extended regular expression, found \"%s\": %s", json_string_value(v), why);
}

static void rule_jsonpath(const struct ruling *r, const char *path, const json_t *owner _unused_, const json_t *v)
{
    _auto_json_ json_t *nothing = json_object();
    _auto_buf_ struct buf text = BUF_INIT;
    struct err e = ERR_INIT;
    if (jsonpath_print(json_string_value(v), nothing, true, &text, &e) < 0)
        fault(r, path, "expected a kubectl JSONPath, found \"%s\": %s", json_string_value(v), e.msg);
}

static void rule_object(const struct ruling *r, const char *path, const json_t *owner _unused_, const json_t *v)
{
    const char *of = json_string_value(v), *slash = strchr(of, '/');
    if (!slash || slash == of || !slash[1])
        fault(r, path, "expected KIND/NAME such as pod/web, found \"%s\"", of);
}

static void rule_part(const struct ruling *r, const char *path, const json_t *owner _unused_, const json_t *v)
{
    static const char *const members[] = {"apiVersion", "kind"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (!jstr(v, members[i]))
            fault(r, path, "a part of an object needs a member \"%s\"", members[i]);
}

/* ---- the cluster ---- */

static int nodes_of(const struct ruling *r)
{
    return (int)jint(r->lab->tree, "cluster.nodes", 2);
}

static void rule_nodes(const struct ruling *r, const char *path, const json_t *owner _unused_, const json_t *v)
{
    const json_int_t n = json_integer_value(v);
    if (n < 1 || n > NODES_MAX)
        fault(r, path, "expected 1 to %d nodes, found %lld", NODES_MAX, (long long)n);
}

static void rule_node(const struct ruling *r, const char *path, const json_t *owner _unused_, const json_t *v)
{
    char names[NODES_MAX][16];
    const char *list[NODES_MAX + 1] = {NULL}, *word = json_string_value(v);
    const int n = nodes_of(r) < NODES_MAX ? nodes_of(r) : NODES_MAX;
    for (int i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], i ? "node%02d" : "controlplane", i);
        list[i] = names[i];
        if (strcmp(word, names[i]) == 0)
            return;
    }
    _auto_free_ char *hint = meant(nearest_name(word, list));
    fault(r, path, "the lab's cluster of %d has no node \"%s\"%s", n, word, hint);
}

static void rule_image(const struct ruling *r, const char *path, const char *ref)
{
    struct err e = ERR_INIT;
    if (image_at_hand(ref, &e) < 0)
        fault(r, path, "%s", e.msg);
}

static void rule_images(const struct ruling *r, const char *path, const json_t *owner _unused_, const json_t *v)
{
    size_t i;
    const json_t *ref;
    if (json_is_string(v))
        rule_image(r, path, json_string_value(v));
    json_array_foreach(v, i, ref)
    {
        _auto_free_ char *at = xasprintf("%s[%zu]", path, i);
        rule_image(r, at, json_string_value(ref));
    }
}

/* As the cloud of a cluster has them. */
static void rule_zone(const struct ruling *r, const char *path, const char *zone)
{
    static const char region[] = "us-east-1";
    const char *letter = str_starts(zone, region) ? zone + strlen(region) : "";
    if (!*letter || letter[1] || *letter < 'a' || *letter > 'f')
        fault(r, path, "expected a zone from us-east-1a to us-east-1f, found \"%s\"", zone);
}

static void rule_zones(const struct ruling *r, const char *path, const json_t *owner _unused_, const json_t *v)
{
    rule_each(r, path, v, rule_zone);
}

/* It is a word of command lines: `lab exam LAB:STEP`, files of submissions. */
static void rule_name(const struct ruling *r, const char *path, const json_t *owner _unused_, const json_t *v)
{
    const char *name = json_string_value(v);
    if (!*name || strpbrk(name, " \t\n/:"))
        fault(r, path, "expected a name without blanks, slashes and colons, found \"%s\"", name);
}

/* ---- questions ---- */

/* Could the answer be given? */
static bool can_be_given(const json_t *quiz, const json_t *answer)
{
    const char *kind = jstr_or(quiz, "kind", "text");
    _auto_free_ char *text = json_is_string(answer) ? xstrdup(json_string_value(answer)) : json_text(answer);
    size_t i;
    double number;
    const json_t *choice;
    if (strcmp(kind, "number") == 0)
        return quiz_number(text, &number);
    if (strcmp(kind, "choice") != 0)
        return true;
    json_array_foreach(json_object_get(quiz, "choices"), i, choice) if (quiz_same(choice, text)) return true;
    return false;
}

static void rule_quiz(const struct ruling *r, const char *path, const json_t *quiz, const json_t *answers)
{
    _auto_json_ json_t *list =
        json_is_array(answers) ? json_incref((json_t *)(uintptr_t)answers) : json_pack("[O]", answers);
    size_t i;
    const json_t *x;
    json_array_foreach(list, i, x) if (can_be_given(quiz, x)) return;
    if (strcmp(jstr_or(quiz, "kind", "text"), "number") == 0)
        fault(r, path, "expected a number");
    else
        fault(r, path, "expected one of the choices");
}

/* ---- names, and answers of solutions ---- */

static void rule_unique(const struct ruling *r, const json_t *list, const char *at, struct strlist *seen)
{
    size_t i;
    const json_t *x;
    json_array_foreach(list, i, x)
    {
        const char *name = jstr_or(x, "name", "");
        _auto_free_ char *path = xasprintf("%s[%zu].name", at, i);
        if (strlist_has(seen, name))
            fault(r, path, "this name is used before");
        strlist_add(seen, name);
    }
}

static void rule_answers(const struct ruling *r, const json_t *step, const char *at)
{
    size_t i, c;
    const json_t *action, *check;
    json_array_foreach(json_object_get(step, "solution"), i, action)
    {
        const char *names[64], *to = jstr(action, "answer.check");
        size_t n = 0;
        bool found = !to;
        json_array_foreach(json_object_get(step, "checks"), c, check)
        {
            if (!json_object_get(check, "quiz") || n + 1 == ARRAY_LEN(names))
                continue;
            names[n] = jstr_or(check, "name", "");
            found = found || strcmp(names[n], to) == 0;
            n++;
        }
        names[n] = NULL;
        if (found)
            continue;
        _auto_free_ char *path = xasprintf("%s.solution[%zu].answer.check", at, i),
                         *hint = meant(nearest_name(to, names));
        fault(r, path, "no question of this step has that name%s", hint);
    }
}

/* ---- all ---- */

static const struct {
    const char *shape, *field;
    void (*rule)(const struct ruling *r, const char *path, const json_t *owner, const json_t *v);
} rules[] = {
    {"a step", "name", rule_name},
    {"a step", "file", rule_file},
    {"an action", "apply", rule_manifests},
    {"an action", "node", rule_node},
    {"a node check", "node", rule_node},
    {"a match", "matches", rule_expression},
    {"a jsonpath check", "matches", rule_expression},
    {"a jsonpath check", "path", rule_jsonpath},
    {"a jsonpath check", "of", rule_object},
    {"a wait", "path", rule_jsonpath},
    {"a wait", "of", rule_object},
    {"a deletion", "of", rule_object},
    {"an event check", "of", rule_object},
    {"an object", "of", rule_object},
    {"a check", "assert", rule_part},
    {"a check", "error", rule_part},
    {"a condition", "assert", rule_part},
    {"a condition", "error", rule_part},
    {"a quiz", "answer", rule_quiz},
    {"a cluster", "nodes", rule_nodes},
    {"a cluster", "images", rule_images},
    {"a cluster", "zones", rule_zones},
    {"a disk", "zone", rule_zones},
};

static void visit(void *arg, const struct shape *shape, const struct field *field, const json_t *owner,
                  const json_t *value, const char *path)
{
    static const char *const scripts[] = {"run", "command"};
    const struct ruling *r = arg;
    bool texts = field->type != FIELD_OBJECT && field->type != FIELD_LIST;
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
        texts = texts && strcmp(field->name, scripts[i]) != 0;
    if (texts)
        rule_texts(r, path, value);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (strcmp(rules[i].shape, shape->name) == 0 && strcmp(rules[i].field, field->name) == 0)
            rules[i].rule(r, path, owner, value);
}

void lab_rules(const struct lab *lab, const struct marks *marks, struct strlist *faults)
{
    struct ruling r = {lab, marks, faults};
    _auto_strlist_ struct strlist steps = {0}, checks = {0};
    const json_t *list = json_object_get(lab->tree, "steps"), *step;
    size_t i;
    fields_walk(&lab_shape, lab->tree, visit, &r);
    rule_unique(&r, list, "steps", &steps);
    if (!json_array_size(list))
        fault(&r, "steps", "a lab needs at least one step");
    json_array_foreach(list, i, step)
    {
        _auto_free_ char *at = xasprintf("steps[%zu]", i), *check = xasprintf("%s.checks", at);
        rule_answers(&r, step, at);
        rule_unique(&r, json_object_get(step, "checks"), check, &checks);
    }
}
