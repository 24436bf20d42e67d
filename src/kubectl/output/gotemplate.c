/* gotemplate.c - see gotemplate.h.
 *
 * DESIGN: no syntax tree: the text is run as it is read. A block that is not taken is passed over with `live` off, a
 * range runs the same text once for each element. Values are jansson references; functions are rows of a table
 * (gotemplate_functions.c).
 * Variables are a stack; leaving a block pops what it declared. */
#include "kubectl/output/gotemplate.h"
#include "kubectl/output/gotemplate_int.h"

#include "api/base64.h"
#include "api/status.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64

struct variable {
    char *name; /* with its "$" */
    json_t *value;
};
struct run {
    const char *text; /* the whole template */
    const char *at;
    const json_t *dot;
    struct variable *vars;
    size_t vars_len;
    bool missing_ok, live;
    int depth;
    struct buf *out;
    struct err *e;
};

int template_fail(struct run *r, const char *what, const char *near)
{
    return err_set(r->e, ERR_BAD_REQUEST, "template: output:1:%zu: %s%s%.30s", (size_t)(r->at - r->text), what,
                   *near ? " " : "", near);
}

/* ---- variables ---- */

static void var_add(struct run *r, const char *name, size_t n, json_t *take)
{
    r->vars = xrealloc(r->vars, (r->vars_len + 1) * sizeof *r->vars);
    r->vars[r->vars_len++] = (struct variable){xstrndup(name, n), take};
}

static void vars_drop(struct run *r, size_t to)
{
    while (r->vars_len > to) {
        free(r->vars[--r->vars_len].name);
        json_decref(r->vars[r->vars_len].value);
    }
}

static struct variable *var_find(struct run *r, const char *name, size_t n)
{
    for (size_t i = r->vars_len; i-- > 0;)
        if (strlen(r->vars[i].name) == n && strncmp(r->vars[i].name, name, n) == 0)
            return &r->vars[i];
    return NULL;
}

/* ---- words ---- */

static void skip_blanks(struct run *r)
{
    r->at += strspn(r->at, " \t\r\n");
}

static size_t name_len(const char *s)
{
    size_t n = 0;
    while (isalnum((unsigned char)s[n]) || s[n] == '_' || (unsigned char)s[n] >= 0x80)
        n++;
    return n;
}

/* At the end of an action: "}}" or "-}}"? */
static bool at_end(const struct run *r)
{
    return strncmp(r->at, "}}", 2) == 0 || strncmp(r->at, "-}}", 3) == 0;
}

/* Takes the end of an action; "-}}" takes the white space after it, too. */
static int take_end(struct run *r)
{
    skip_blanks(r);
    const bool trim = *r->at == '-';
    if (!at_end(r))
        return template_fail(r, *r->at ? "unexpected" : "unclosed action", r->at);
    r->at += trim ? 3 : 2;
    if (trim)
        skip_blanks(r);
    return 0;
}

static bool take_word(struct run *r, const char *word)
{
    const size_t n = strlen(word);
    if (strncmp(r->at, word, n) != 0 || name_len(r->at) != n)
        return false;
    r->at += n;
    skip_blanks(r);
    return true;
}

/* ---- expressions ---- */

/* What a value is when it is not there at all: NULL, printed as "<no value>". */
static int pipeline(struct run *r, json_t **out);

/* ".a.b" behind a value; takes it. */
static int fields(struct run *r, json_t **value)
{
    while (*r->at == '.' && name_len(r->at + 1)) {
        const size_t n = name_len(r->at + 1);
        _auto_free_ char *name = xstrndup(r->at + 1, n);
        json_t *inner = json_object_get(*value, name);
        if (r->live && *value && !json_is_object(*value))
            return template_fail(r, "can't evaluate field", name);
        if (r->live && !inner && !r->missing_ok)
            return err_set(r->e, ERR_BAD_REQUEST, "template: output:1:%zu: map has no entry for key \"%s\"",
                           (size_t)(r->at - r->text), name);
        json_incref(inner);
        json_decref(*value);
        *value = inner;
        r->at += n + 1;
    }
    return 0;
}

static int quoted(struct run *r, json_t **out)
{
    static const char plain[] = "ntr", meant[] = "\n\t\r";
    _auto_buf_ struct buf text = BUF_INIT;
    const char quote = *r->at;
    const char *p = r->at + 1;
    for (; *p && *p != quote; p++) {
        if (quote == '"' && *p == '\\' && p[1]) {
            const char *known = strchr(plain, *++p);
            buf_addc(&text, known ? meant[known - plain] : *p);
        } else {
            buf_addc(&text, *p);
        }
    }
    if (!*p)
        return template_fail(r, "unterminated quoted string", "");
    r->at = p + 1;
    *out = json_stringn(buf_str(&text), text.len);
    return 0;
}

static int number(struct run *r, json_t **out)
{
    char *end;
    const size_t n = strspn(r->at, "+-0123456789.eE");
    _auto_free_ char *text = xstrndup(r->at, n);
    const bool whole = !strpbrk(text, ".eE");
    *out = whole ? json_integer(strtoll(text, &end, 10)) : json_real(strtod(text, &end));
    if (*end)
        return template_fail(r, "bad number syntax:", text);
    r->at += n;
    return 0;
}

/* A word that is no function: true, false, nil. */
static int constant(struct run *r, json_t **out)
{
    if (take_word(r, "true"))
        *out = json_true();
    else if (take_word(r, "false"))
        *out = json_false();
    else if (take_word(r, "nil"))
        *out = NULL;
    else
        return template_fail(r, "function not defined here:", r->at);
    return 0;
}

/* One operand; *out_none when there is none. */
static int operand(struct run *r, json_t **out, bool *out_none)
{
    skip_blanks(r);
    *out_none = false;
    *out = NULL;
    const size_t n = *r->at == '$' ? 1 + name_len(r->at + 1) : 0;
    if (n) {
        struct variable *v = var_find(r, r->at, n);
        if (!v)
            return template_fail(r, "undefined variable", r->at);
        *out = json_incref(v->value);
        r->at += n;
        return fields(r, out);
    }
    if (*r->at == '.') {
        *out = json_incref((json_t *)(uintptr_t)r->dot);
        if (!name_len(r->at + 1)) {
            r->at++;
            return 0;
        }
        return fields(r, out);
    }
    if (*r->at == '(') {
        r->at++;
        if (pipeline(r, out) < 0)
            return -1;
        if (*r->at != ')')
            return template_fail(r, "unclosed left paren", "");
        r->at++;
        return fields(r, out);
    }
    if (*r->at == '"' || *r->at == '`')
        return quoted(r, out);
    if (isdigit((unsigned char)*r->at) || ((*r->at == '-' || *r->at == '+') && isdigit((unsigned char)r->at[1])))
        return number(r, out);
    if (isalpha((unsigned char)*r->at))
        return constant(r, out);
    *out_none = true;
    return 0;
}

static int call_function(struct run *r, size_t f, json_t **args, size_t len, json_t **out)
{
    if (len < template_functions[f].least || len > template_functions[f].most)
        return template_fail(r, "wrong number of args for", template_functions[f].name);
    return r->live ? template_functions[f].call(r, args, len, out) : 0;
}

static int take_function(struct run *r)
{
    for (size_t i = 0; i < template_function_count; i++)
        if (take_word(r, template_functions[i].name))
            return (int)i;
    return -1;
}

/* A function with its arguments, or one operand. last: what came through the pipe, taken; NULL with piped false. */
static int command(struct run *r, bool piped, json_t *last, json_t **out)
{
    json_t *args[ARGS_MAX + 1] = {0};
    size_t len = 0;
    int rc = 0;
    bool none = false;
    skip_blanks(r);
    const int f = take_function(r);
    while (rc == 0 && len < ARGS_MAX) {
        rc = operand(r, &args[len], &none);
        if (none)
            break;
        len++; /* also of one that failed: it may have a value */
        if (f < 0)
            break;
    }
    if (rc == 0 && f < 0 && (len == 0 || piped))
        rc = template_fail(r, len == 0 ? "missing value for command" : "a value cannot be given to", "a value");
    if (piped)
        args[len++] = json_incref(last);
    if (rc == 0 && f >= 0)
        rc = call_function(r, (size_t)f, args, len, out);
    else if (rc == 0)
        *out = json_incref(args[0]);
    for (size_t i = 0; i < len; i++)
        json_decref(args[i]);
    json_decref(last);
    skip_blanks(r);
    return rc;
}

static int pipeline(struct run *r, json_t **out)
{
    json_t *value = NULL;
    bool piped = false;
    if (++r->depth > DEPTH_MAX)
        return template_fail(r, "too deep", "");
    for (;;) {
        json_t *next = NULL;
        if (command(r, piped, value, &next) < 0)
            return -1;
        value = next;
        if (*r->at != '|')
            break;
        r->at++;
        piped = true;
    }
    r->depth--;
    *out = value;
    return 0;
}

/* ---- actions ---- */

enum stop { STOP_END, STOP_ELSE, STOP_TEXT_END };
static int block(struct run *r, enum stop *out_stop);

/* "$x :=" or "$x =" in front of a pipeline: how long the name is; 0: nothing of the kind. *out_new: ":=". */
static size_t assigns(const struct run *r, bool *out_new)
{
    const size_t n = *r->at == '$' ? 1 + name_len(r->at + 1) : 0;
    const char *p = r->at + n + strspn(r->at + n, " ");
    *out_new = strncmp(p, ":=", 2) == 0;
    return n > 1 && (*out_new || (*p == '=' && p[1] != '=')) ? n : 0;
}

/* A pipeline, and its value under a name where one stands in front. *out_assigned: it prints nothing. */
static int value_of(struct run *r, json_t **out, bool *out_assigned)
{
    bool fresh;
    skip_blanks(r);
    const char *name = r->at;
    const size_t n = assigns(r, &fresh);
    *out_assigned = n > 0;
    if (n)
        r->at = strchr(r->at, '=') + 1;
    if (pipeline(r, out) < 0)
        return -1;
    if (!n)
        return 0;
    struct variable *old = fresh ? NULL : var_find(r, name, n);
    if (!fresh && !old)
        return template_fail(r, "undefined variable", name);
    if (fresh) {
        var_add(r, name, n, json_incref(*out));
    } else {
        json_decref(old->value);
        old->value = json_incref(*out);
    }
    return 0;
}

/* The rest of an if or with after its condition: taken or passed over, with its else. */
static int branches(struct run *r, bool taken, const json_t *dot);

static int else_part(struct run *r, bool live)
{
    enum stop stop;
    const bool was = r->live;
    _auto_json_ json_t *value = NULL;
    bool assigned;
    r->live = live;
    skip_blanks(r);
    const bool with = take_word(r, "with");
    if (with || take_word(r, "if")) {
        if (value_of(r, &value, &assigned) < 0 || take_end(r) < 0)
            return -1;
        const int rc = branches(r, live && template_true(value), with && template_true(value) ? value : r->dot);
        r->live = was;
        return rc;
    }
    if (take_end(r) < 0 || block(r, &stop) < 0)
        return -1;
    r->live = was;
    return stop == STOP_END ? take_end(r) : template_fail(r, "unexpected {{else}}", "");
}

static int branches(struct run *r, bool taken, const json_t *dot)
{
    const bool was = r->live;
    const json_t *const dot_was = r->dot;
    const size_t vars = r->vars_len;
    enum stop stop;
    r->live = was && taken;
    r->dot = dot;
    if (block(r, &stop) < 0)
        return -1;
    r->live = was;
    r->dot = dot_was;
    vars_drop(r, vars);
    if (stop == STOP_TEXT_END)
        return template_fail(r, "unexpected EOF", "");
    return stop == STOP_ELSE ? else_part(r, was && !taken) : take_end(r);
}

static int do_if(struct run *r, bool with)
{
    _auto_json_ json_t *value = NULL;
    bool assigned;
    const size_t vars = r->vars_len;
    if (value_of(r, &value, &assigned) < 0 || take_end(r) < 0)
        return -1;
    const bool taken = template_true(value);
    const int rc = branches(r, taken, with && taken ? value : r->dot);
    vars_drop(r, vars);
    return rc;
}

/* ---- range ---- */

struct names {
    const char *key, *value; /* in the text; NULL: none */
    size_t key_len, value_len;
};

/* "$v :=" or "$k, $v :=". */
static void range_names(struct run *r, struct names *out)
{
    skip_blanks(r);
    const char *p = r->at;
    const size_t n = *p == '$' ? 1 + name_len(p + 1) : 0;
    *out = (struct names){0};
    if (n < 2)
        return;
    const char *after = p + n + strspn(p + n, " ");
    if (strncmp(after, ":=", 2) == 0) {
        *out = (struct names){.value = p, .value_len = n};
        r->at = after + 2;
        return;
    }
    if (*after != ',')
        return;
    const char *second = after + 1 + strspn(after + 1, " ");
    if (*second != '$')
        return;
    const size_t m = 1 + name_len(second + 1);
    const char *sign = second + m + strspn(second + m, " ");
    if (strncmp(sign, ":=", 2) != 0)
        return;
    *out = (struct names){p, second, n, m};
    r->at = sign + 2;
}

/* The body once for one element. */
static int range_once(struct run *r, const struct names *names, json_t *key, json_t *value, const char *body,
                      enum stop *out_stop)
{
    const size_t vars = r->vars_len;
    if (names->key)
        var_add(r, names->key, names->key_len, json_incref(key));
    if (names->value)
        var_add(r, names->value, names->value_len, json_incref(value));
    r->dot = value;
    r->at = body;
    const int rc = block(r, out_stop);
    vars_drop(r, vars);
    return rc;
}

static int range_over(struct run *r, const struct names *names, json_t *over, const char *body, enum stop *out_stop,
                      size_t *out_count)
{
    _auto_strlist_ struct strlist keys = {0};
    const char *name;
    json_t *value;
    size_t i;
    int rc = 0;
    json_array_foreach(over, i, value)
    {
        _auto_json_ json_t *at = json_integer((json_int_t)i);
        rc = rc == 0 ? range_once(r, names, at, value, body, out_stop) : rc;
        ++*out_count;
    }
    json_object_foreach(over, name, value) strlist_add(&keys, name);
    strlist_sort(&keys);
    for (i = 0; rc == 0 && i < keys.len; i++) {
        _auto_json_ json_t *key = json_string(keys.items[i]);
        rc = range_once(r, names, key, json_object_get(over, keys.items[i]), body, out_stop);
        ++*out_count;
    }
    return rc;
}

static int do_range(struct run *r)
{
    struct names names;
    _auto_json_ json_t *over = NULL;
    const json_t *const dot = r->dot;
    const bool was = r->live;
    enum stop stop = STOP_END;
    size_t count = 0;
    range_names(r, &names);
    if (pipeline(r, &over) < 0 || take_end(r) < 0)
        return -1;
    if (was && over && !json_is_array(over) && !json_is_object(over) && !json_is_null(over))
        return template_fail(r, "range can't iterate over it", "");
    const char *body = r->at;
    if (was && range_over(r, &names, over, body, &stop, &count) < 0)
        return -1;
    if (count == 0) { /* pass over the body */
        r->live = false;
        json_t *nothing = NULL;
        if (range_once(r, &names, nothing, nothing, body, &stop) < 0)
            return -1;
        r->live = was;
    }
    r->dot = dot;
    if (stop == STOP_TEXT_END)
        return template_fail(r, "unexpected EOF", "");
    return stop == STOP_ELSE ? else_part(r, was && count == 0) : take_end(r);
}

/* ---- the text ---- */

static int print_action(struct run *r)
{
    _auto_json_ json_t *value = NULL;
    bool assigned;
    if (value_of(r, &value, &assigned) < 0 || take_end(r) < 0)
        return -1;
    if (r->live && !assigned)
        template_print(value, r->out);
    return 0;
}

/* One action, behind its "{{". 1: end or else, *out_stop says which. */
static int action(struct run *r, enum stop *out_stop)
{
    static const char *const unknown[] = {"define", "template", "block", "break", "continue"};
    skip_blanks(r);
    if (strncmp(r->at, "/*", 2) == 0) {
        const char *close = strstr(r->at, "*/");
        if (!close)
            return template_fail(r, "unclosed comment", "");
        r->at = close + 2;
        return take_end(r);
    }
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        if (take_word(r, unknown[i]))
            return template_fail(r, "this action is not known here:", unknown[i]);
    const bool end = take_word(r, "end");
    if (end || take_word(r, "else")) {
        *out_stop = end ? STOP_END : STOP_ELSE;
        return 1;
    }
    if (take_word(r, "if"))
        return do_if(r, false);
    if (take_word(r, "with"))
        return do_if(r, true);
    if (take_word(r, "range"))
        return do_range(r);
    return print_action(r);
}

/* Text and actions up to an {{end}}, an {{else}} (behind the word), or the end of the text. */
static int block(struct run *r, enum stop *out_stop)
{
    int rc = ++r->depth > DEPTH_MAX ? template_fail(r, "too deep", "") : 0;
    while (rc == 0) {
        const char *open = strstr(r->at, "{{");
        size_t n = open ? (size_t)(open - r->at) : strlen(r->at);
        const bool trim = open && open[2] == '-' && isspace((unsigned char)open[3]);
        const char *text = r->at;
        r->at += n;
        while (trim && n > 0 && isspace((unsigned char)text[n - 1]))
            n--;
        if (r->live)
            buf_add(r->out, text, n);
        if (!open) {
            *out_stop = STOP_TEXT_END;
            break;
        }
        r->at += trim ? 3 : 2;
        rc = action(r, out_stop);
    }
    r->depth--;
    return rc < 0 ? -1 : 0;
}

int gotemplate_print(const char *text, const json_t *root, bool missing_ok, struct buf *out, struct err *e)
{
    struct run r = {.text = text, .at = text, .dot = root, .missing_ok = missing_ok, .live = true, .out = out, .e = e};
    enum stop stop;
    var_add(&r, "$", 1, json_incref((json_t *)(uintptr_t)root));
    int rc = block(&r, &stop);
    if (rc == 0 && stop != STOP_TEXT_END)
        rc = template_fail(&r, stop == STOP_END ? "unexpected {{end}}" : "unexpected {{else}}", "");
    vars_drop(&r, 0);
    free(r.vars);
    return rc;
}
