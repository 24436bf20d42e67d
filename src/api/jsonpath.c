/* jsonpath.c - see jsonpath.h.
 *
 * DESIGN: no syntax tree: a path is a set of values that each step of the text turns into another set, so reading and
 * evaluating are one pass, and a range is the same text passed once for each value. Sets are jansson arrays of
 * references.
 *
 * When you add a step: a row of steps[], which tells by its first characters. */
#include "api/jsonpath.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64

struct eval {
    const json_t *root;
    bool missing_ok;
    struct err *e;
};

static json_t *borrowed(const json_t *v)
{
    return (json_t *)(uintptr_t)v;
}

/* A path from its first character to the one that ends it; `set` is turned into what it gives. */
static int path_run(struct eval *ev, const char **text, json_t **set, const char *ends);

/* ---- names and numbers ---- */

static bool ends_name(char c)
{
    return !c || strchr(".[]{}() \t\n=!<>,|&'\"$@*?", c);
}

/* A name up to where it ends; a backslash takes the next character as it is. Returns new. */
static char *read_name(const char **text)
{
    _auto_buf_ struct buf name = BUF_INIT;
    const char *p = *text;
    for (; *p == '\\' || !ends_name(*p); p++) {
        if (*p == '\\' && p[1])
            p++;
        buf_addc(&name, *p);
    }
    *text = p;
    return buf_steal(&name, NULL);
}

/* A quoted text. Returns new, NULL when it does not end. */
static char *read_quoted(const char **text)
{
    _auto_buf_ struct buf s = BUF_INIT;
    static const char plain[] = "ntr", meant[] = "\n\t\r";
    const char quote = **text, *p = *text + 1;
    for (; *p && *p != quote; p++) {
        if (*p == '\\' && p[1]) {
            const char *known = strchr(plain, *++p);
            buf_addc(&s, known ? meant[known - plain] : *p);
            continue;
        }
        buf_addc(&s, *p);
    }
    if (!*p)
        return NULL;
    *text = p + 1;
    return buf_steal(&s, NULL);
}

static void skip_space(const char **text)
{
    *text += strspn(*text, " \t\n\r");
}

/* ---- steps: each turns a set into another ---- */

static int step_name(struct eval *ev, json_t *from, const char *name, json_t *to)
{
    size_t i;
    const json_t *v;
    bool found = false;
    json_array_foreach(from, i, v)
    {
        json_t *x = json_object_get(v, name);
        if (x && !json_is_null(x)) {
            json_array_append(to, x);
            found = true;
        }
    }
    if (found || ev->missing_ok || !json_array_size(from))
        return 0;
    return err_set(ev->e, ERR_BAD_REQUEST, "%s is not found", name);
}

static void add_children(const json_t *v, json_t *to)
{
    const char *key;
    size_t i;
    json_t *x;
    json_object_foreach(borrowed(v), key, x) json_array_append(to, x);
    json_array_foreach(v, i, x) json_array_append(to, x);
}

static void step_all(const json_t *from, json_t *to)
{
    size_t i;
    const json_t *v;
    json_array_foreach(from, i, v) add_children(v, to);
}

/* Every member of that name, however deep. */
static void step_deep(const json_t *v, const char *name, json_t *to, int depth)
{
    const char *key;
    size_t i;
    json_t *x;
    if (depth > DEPTH_MAX)
        return;
    if ((x = json_object_get(v, name)))
        json_array_append(to, x);
    json_object_foreach(borrowed(v), key, x) step_deep(x, name, to, depth + 1);
    json_array_foreach(v, i, x) step_deep(x, name, to, depth + 1);
}

struct slice {
    long from, to, step;
    bool has_from, has_to, one;
};

static int step_slice(struct eval *ev, const json_t *from, const struct slice *s, json_t *to)
{
    size_t i;
    const json_t *v;
    json_array_foreach(from, i, v)
    {
        const long n = (long)json_array_size(v);
        long a = s->has_from ? s->from : 0, b = s->has_to ? s->to : n;
        if (!json_is_array(v)) {
            if (ev->missing_ok)
                continue;
            return err_set(ev->e, ERR_BAD_REQUEST, "object is not array or slice");
        }
        a += a < 0 ? n : 0;
        b += b < 0 ? n : 0;
        if (s->one && (a < 0 || a >= n)) {
            if (ev->missing_ok)
                continue;
            return err_set(ev->e, ERR_BAD_REQUEST, "array index out of bounds: index %ld, length %ld", s->from, n);
        }
        b = s->one ? a + 1 : b > n ? n : b;
        for (long k = a < 0 ? 0 : a; k < b; k += s->step)
            json_array_append(to, json_array_get(v, (size_t)k));
    }
    return 0;
}

/* ---- filters: ?(@.type=="Ready") ---- */

enum { OP_NONE, OP_EQ, OP_NE, OP_LE, OP_GE, OP_LT, OP_GT };
static const struct {
    const char *text;
    int op;
} operators[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<=", OP_LE}, {">=", OP_GE}, {"<", OP_LT}, {">", OP_GT}};

static int read_operator(const char **text)
{
    skip_space(text);
    for (size_t i = 0; i < ARRAY_LEN(operators); i++)
        if (str_starts(*text, operators[i].text)) {
            *text += strlen(operators[i].text);
            return operators[i].op;
        }
    return OP_NONE;
}

static bool compares(const json_t *a, const json_t *b, int op)
{
    int order;
    if (json_is_number(a) && json_is_number(b)) {
        const double x = json_number_value(a), y = json_number_value(b);
        order = x < y ? -1 : x > y;
    } else if (json_is_string(a) && json_is_string(b)) {
        order = strcmp(json_string_value(a), json_string_value(b));
    } else {
        order = json_equal(a, b) ? 0 : 2;
    }
    const bool known = order != 2;
    switch (op) {
    case OP_EQ:
        return order == 0;
    case OP_NE:
        return order != 0;
    case OP_LE:
        return known && order <= 0;
    case OP_GE:
        return known && order >= 0;
    case OP_LT:
        return known && order < 0;
    default:
        return known && order > 0;
    }
}

/* One side of a comparison for one value: a path from it, a text, a number, a truth value. Returns new, NULL = nothing.
 */
static int read_operand(struct eval *ev, const char **text, const json_t *at, json_t **out)
{
    skip_space(text);
    const char *p = *text;
    if (*p == '@' || *p == '.' || *p == '$') {
        _auto_json_ json_t *set = json_pack("[O]", at);
        struct eval inner = *ev;
        inner.missing_ok = true;
        if (path_run(&inner, text, &set, ") =!<>") < 0)
            return -1;
        *out = json_incref(json_array_get(set, 0));
        return 0;
    }
    if (*p == '\'' || *p == '"') {
        _auto_free_ char *s = read_quoted(text);
        if (!s)
            return err_set(ev->e, ERR_BAD_REQUEST, "unterminated quoted string");
        *out = json_string(s);
        return 0;
    }
    _auto_free_ char *word = xstrndup(p, strcspn(p, ") =!<>"));
    *text += strlen(word);
    *out = json_loads(word, JSON_DECODE_ANY, NULL);
    return *out ? 0 : err_set(ev->e, ERR_BAD_REQUEST, "unrecognized identifier %s", word);
}

/* Does the value pass? *text ends behind the filter's ')'. */
static int filter_one(struct eval *ev, const char **text, const json_t *at, bool *out_passes)
{
    _auto_json_ json_t *left = NULL, *right = NULL;
    if (read_operand(ev, text, at, &left) < 0)
        return -1;
    const int op = read_operator(text);
    if (op != OP_NONE && read_operand(ev, text, at, &right) < 0)
        return -1;
    skip_space(text);
    if (**text != ')')
        return err_set(ev->e, ERR_BAD_REQUEST, "unclosed array expect ]");
    ++*text;
    *out_passes = left && (op == OP_NONE || (right && compares(left, right, op)));
    return 0;
}

static int step_filter(struct eval *ev, const char **text, const json_t *from, json_t *to)
{
    size_t i, k;
    const json_t *v, *x;
    const char *end = *text;
    bool passes;
    _auto_json_ json_t *nothing = json_null();
    if (filter_one(ev, &end, nothing, &passes) < 0) /* also where there is no value: to know where it ends */
        return -1;
    json_array_foreach(from, i, v)
    {
        _auto_json_ json_t *children = json_array();
        add_children(v, children);
        json_array_foreach(children, k, x)
        {
            const char *p = *text;
            if (filter_one(ev, &p, x, &passes) < 0)
                return -1;
            if (passes)
                json_array_append(to, borrowed(x));
        }
    }
    *text = end;
    return 0;
}

/* ---- brackets ---- */

static bool read_number(const char **text, long *out)
{
    char *end;
    *out = strtol(*text, &end, 10);
    const bool some = end != *text;
    *text = end;
    return some;
}

static int bracket_slice(struct eval *ev, const char **text, const json_t *from, json_t *to)
{
    struct slice s = {.step = 1};
    s.has_from = read_number(text, &s.from);
    s.one = **text != ':';
    if (s.one && !s.has_from)
        return err_set(ev->e, ERR_BAD_REQUEST, "invalid array index %.20s", *text);
    if (!s.one) {
        ++*text;
        s.has_to = read_number(text, &s.to);
        if (**text == ':' && (++*text, !read_number(text, &s.step) || s.step <= 0))
            return err_set(ev->e, ERR_BAD_REQUEST, "step must be > 0");
    }
    return step_slice(ev, from, &s, to);
}

/* One of what a comma divides. */
static int bracket_part(struct eval *ev, const char **text, json_t *from, json_t *to)
{
    skip_space(text);
    if (**text == '*') {
        ++*text;
        step_all(from, to);
        return 0;
    }
    if (**text == '?' && (*text)[1] == '(') {
        *text += 2;
        return step_filter(ev, text, from, to);
    }
    if (**text == '\'' || **text == '"') {
        _auto_free_ char *name = read_quoted(text);
        return name ? step_name(ev, from, name, to) : err_set(ev->e, ERR_BAD_REQUEST, "unterminated quoted string");
    }
    return bracket_slice(ev, text, from, to);
}

static int step_bracket(struct eval *ev, const char **text, json_t *from, json_t *to)
{
    do {
        ++*text; /* '[' or ',' */
        if (bracket_part(ev, text, from, to) < 0)
            return -1;
        skip_space(text);
    } while (**text == ',');
    if (**text != ']')
        return err_set(ev->e, ERR_BAD_REQUEST, "unterminated array");
    ++*text;
    return 0;
}

static int step_dot(struct eval *ev, const char **text, json_t *from, json_t *to)
{
    const bool deep = (*text)[1] == '.';
    *text += deep ? 2 : 1;
    if (**text == '*') {
        ++*text;
        step_all(from, to);
        return 0;
    }
    _auto_free_ char *name = read_name(text);
    if (!*name) { /* {.} is the thing itself, as in {.[0]} */
        json_array_extend(to, from);
        return 0;
    }
    if (!deep)
        return step_name(ev, from, name, to);
    size_t i;
    const json_t *v;
    json_array_foreach(from, i, v) step_deep(v, name, to, 0);
    return 0;
}

static int path_run(struct eval *ev, const char **text, json_t **set, const char *ends)
{
    if (**text == '$') {
        json_decref(*set);
        *set = json_pack("[O]", ev->root);
        ++*text;
    } else if (**text == '@') {
        ++*text;
    }
    while (**text && !strchr(ends, **text)) {
        _auto_json_ json_t *to = json_array();
        int rc;
        if (**text == '.')
            rc = step_dot(ev, text, *set, to);
        else if (**text == '[')
            rc = step_bracket(ev, text, *set, to);
        else
            rc = err_set(ev->e, ERR_BAD_REQUEST, "unrecognized character in action: U+%04X '%c'",
                         (unsigned)(unsigned char)**text, **text);
        if (rc < 0)
            return -1;
        json_decref(*set);
        *set = TAKE(to);
    }
    return 0;
}

/* ---- templates ---- */

static void print_set(const json_t *set, struct buf *out)
{
    size_t i;
    const json_t *v;
    json_array_foreach(set, i, v)
    {
        if (i)
            buf_addc(out, ' ');
        if (json_is_string(v))
            buf_adds(out, json_string_value(v));
        else
            json_write(out, v);
    }
}

/* To behind the {end} that belongs to a range begun before. NULL: there is none. */
static const char *skip_range(const char *text)
{
    int open = 1;
    for (const char *p = text; (p = strchr(p, '{')); p++) {
        const char *word = p + 1;
        skip_space(&word);
        open += str_starts(word, "range") ? 1 : str_starts(word, "end") ? -1 : 0;
        if (!open) {
            p = strchr(p, '}');
            return p ? p + 1 : NULL;
        }
    }
    return NULL;
}

static int template_run(struct eval *ev, const char **text, const json_t *at, bool in_range, struct buf *out,
                        int depth);

/* What stands behind {range path}, once for each value. */
static int range_run(struct eval *ev, const char **text, const json_t *set, struct buf *out, int depth)
{
    const char *after = skip_range(*text);
    size_t i;
    const json_t *v;
    if (!after)
        return err_set(ev->e, ERR_BAD_REQUEST, "not in range, nothing to end");
    json_array_foreach(set, i, v)
    {
        const char *p = *text;
        if (template_run(ev, &p, v, true, out, depth + 1) < 0)
            return -1;
    }
    *text = after;
    return 0;
}

/* What stands between { and }. 1: it was the end of the range. */
static int action_run(struct eval *ev, const char **text, const json_t *at, struct buf *out, int depth)
{
    _auto_json_ json_t *set = json_pack("[O]", at);
    bool range = false, literal = false;
    skip_space(text);
    if (**text == '"' || **text == '\'') {
        _auto_free_ char *s = read_quoted(text);
        if (!s)
            return err_set(ev->e, ERR_BAD_REQUEST, "unterminated quoted string");
        buf_adds(out, s);
        literal = true;
    } else if (str_starts(*text, "end") && ends_name((*text)[3])) {
        *text += 3;
        skip_space(text);
        if (**text == '}')
            ++*text;
        return 1;
    } else {
        range = str_starts(*text, "range") && ends_name((*text)[5]);
        *text += range ? 5 : 0;
        skip_space(text);
        if (path_run(ev, text, &set, "} \t\n") < 0)
            return -1;
    }
    skip_space(text);
    if (**text != '}')
        return err_set(ev->e, ERR_BAD_REQUEST, "unclosed action");
    ++*text;
    if (range)
        return range_run(ev, text, set, out, depth);
    if (!literal)
        print_set(set, out);
    return 0;
}

static int template_run(struct eval *ev, const char **text, const json_t *at, bool in_range, struct buf *out, int depth)
{
    if (depth > DEPTH_MAX)
        return err_set(ev->e, ERR_BAD_REQUEST, "ranges are nested too deep");
    while (**text) {
        const size_t plain = strcspn(*text, "{");
        buf_add(out, *text, plain);
        *text += plain;
        if (!**text)
            break;
        ++*text;
        const int rc = action_run(ev, text, at, out, depth);
        if (rc < 0)
            return -1;
        if (rc == 1)
            return in_range ? 0 : err_set(ev->e, ERR_BAD_REQUEST, "not in range, nothing to end");
    }
    return 0;
}

int jsonpath_print(const char *template_text, const json_t *root, bool missing_ok, struct buf *out, struct err *e)
{
    struct eval ev = {root, missing_ok, e};
    _auto_buf_ struct buf text = BUF_INIT;
    if (template_run(&ev, &template_text, root, false, &text, 0) < 0)
        return -1;
    buf_add(out, buf_str(&text), text.len);
    return 0;
}

int jsonpath_find(const char *path, const json_t *root, bool missing_ok, json_t **out_array, struct err *e)
{
    struct eval ev = {root, missing_ok, e};
    _auto_json_ json_t *set = json_pack("[O]", root);
    const bool braces = *path == '{';
    _auto_free_ char *text = xasprintf("%s%s", strchr(".[$@", path[braces]) ? "" : ".", path + braces);
    const char *p = text;
    if (path_run(&ev, &p, &set, "}") < 0)
        return -1;
    *out_array = TAKE(set);
    return 0;
}
