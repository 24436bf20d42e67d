/* gotemplate_functions.c - what a Go template may call: and, index, printf, eq, … of text/template, exists and
 * base64decode of kubectl.
 *
 * How to add one: its function, and its row in template_functions[]. */
#include "kubectl/output/gotemplate_int.h"

#include "api/base64.h"
#include "api/status.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool template_true(const json_t *v)
{
    if (!v || json_is_null(v) || json_is_false(v))
        return false;
    if (json_is_string(v))
        return json_string_length(v) > 0;
    if (json_is_number(v))
        return json_number_value(v) != 0;
    return json_is_true(v) || json_object_size(v) || json_array_size(v);
}

void template_print(const json_t *v, struct buf *out)
{
    if (!v || json_is_null(v))
        buf_adds(out, v ? "<nil>" : "<no value>");
    else
        go_plain_write(out, v);
}

static int fn_and_or(json_t **args, size_t len, bool until, json_t **out)
{
    size_t i = 0;
    while (i + 1 < len && template_true(args[i]) != until)
        i++;
    *out = json_incref(args[i]);
    return 0;
}

static int fn_and(struct run *r _unused_, json_t **args, size_t len, json_t **out)
{
    return fn_and_or(args, len, false, out);
}

static int fn_or(struct run *r _unused_, json_t **args, size_t len, json_t **out)
{
    return fn_and_or(args, len, true, out);
}

static int fn_not(struct run *r _unused_, json_t **args, size_t len _unused_, json_t **out)
{
    *out = json_boolean(!template_true(args[0]));
    return 0;
}

static int fn_len(struct run *r, json_t **args, size_t len _unused_, json_t **out)
{
    const json_t *v = args[0];
    if (!json_is_string(v) && !json_is_array(v) && !json_is_object(v))
        return template_fail(r, "error calling len: of what has no length", "");
    *out = json_integer((json_int_t)(json_is_string(v)  ? json_string_length(v)
                                     : json_is_array(v) ? json_array_size(v)
                                                        : json_object_size(v)));
    return 0;
}

static int fn_index(struct run *r, json_t **args, size_t len, json_t **out)
{
    json_t *v = args[0];
    for (size_t i = 1; i < len; i++) {
        if (json_is_array(v) && json_is_integer(args[i])) {
            v = json_array_get(v, (size_t)json_integer_value(args[i]));
            if (!v)
                return template_fail(r, "error calling index: index out of range", "");
        } else if (json_is_object(v) && json_is_string(args[i])) {
            v = json_object_get(v, json_string_value(args[i]));
        } else {
            return template_fail(r, "error calling index: cannot index", "");
        }
    }
    *out = json_incref(v);
    return 0;
}

static int fn_slice(struct run *r, json_t **args, size_t len, json_t **out)
{
    const json_t *v = args[0];
    const size_t n = json_is_string(v) ? json_string_length(v) : json_array_size(v);
    const size_t from = len > 1 ? (size_t)json_integer_value(args[1]) : 0;
    const size_t to = len > 2 ? (size_t)json_integer_value(args[2]) : n;
    if (from > to || to > n)
        return template_fail(r, "error calling slice: index out of range", "");
    if (json_is_string(v)) {
        *out = json_stringn(json_string_value(v) + from, to - from);
        return *out ? 0 : template_fail(r, "error calling slice: within a character", "");
    }
    *out = json_array();
    for (size_t i = from; i < to; i++)
        json_array_append(*out, json_array_get(v, i));
    return 0;
}

/* Go's Print puts blanks between two values of which none is a text; Println between all. */
static int print_all(json_t **args, size_t len, bool line, json_t **out)
{
    _auto_buf_ struct buf text = BUF_INIT;
    for (size_t i = 0; i < len; i++) {
        if (i && (line || (!json_is_string(args[i]) && !json_is_string(args[i - 1]))))
            buf_addc(&text, ' ');
        template_print(args[i], &text);
    }
    buf_adds(&text, line ? "\n" : "");
    *out = json_stringn(buf_str(&text), text.len);
    return 0;
}

static int fn_print(struct run *r _unused_, json_t **args, size_t len, json_t **out)
{
    return print_all(args, len, false, out);
}

static int fn_println(struct run *r _unused_, json_t **args, size_t len, json_t **out)
{
    return print_all(args, len, true, out);
}

/* One verb of printf: flags and width apply to the text of the value. */
static void print_verb(struct buf *out, const char *spec, size_t n, const json_t *v)
{
    _auto_buf_ struct buf text = BUF_INIT;
    const char verb = spec[n - 1];
    if (verb == 'q' && json_is_string(v))
        buf_add_quoted(&text, json_string_value(v), json_string_length(v));
    else if (verb == 'T')
        buf_adds(&text, json_is_string(v) ? "string" : json_is_number(v) ? "float64" : "interface {}");
    else if (strchr("feg", verb) && json_is_number(v))
        buf_addf(&text, verb == 'f' ? "%f" : verb == 'e' ? "%e" : "%g", json_number_value(v));
    else if (verb == 'x' && json_is_integer(v))
        buf_addf(&text, "%llx", (unsigned long long)json_integer_value(v));
    else
        template_print(v, &text);
    int width = 0;
    bool left = false;
    for (size_t i = 1; i + 1 < n; i++) {
        left |= spec[i] == '-';
        if (spec[i] == '.')
            break;
        if (isdigit((unsigned char)spec[i]))
            width = width < 1000 ? width * 10 + (spec[i] - '0') : width;
    }
    const int pad = width > (int)text.len ? width - (int)text.len : 0;
    buf_addf(out, "%*s%s%*s", left ? 0 : pad, "", buf_str(&text), left ? pad : 0, "");
}

static int fn_printf(struct run *r, json_t **args, size_t len, json_t **out)
{
    _auto_buf_ struct buf text = BUF_INIT;
    size_t next = 1;
    if (!json_is_string(args[0]))
        return template_fail(r, "error calling printf: the format is no text", "");
    for (const char *p = json_string_value(args[0]); *p; p++) {
        if (*p != '%' || !p[1]) {
            buf_addc(&text, *p);
            continue;
        }
        const size_t n = 2 + strspn(p + 1, "-+# 0123456789.");
        const char verb = p[n - 1];
        if (verb == '%')
            buf_addc(&text, '%');
        else if (next >= len)
            buf_addf(&text, "%%!%c(MISSING)", verb);
        else
            print_verb(&text, p, n, args[next++]);
        if (!verb)
            break;
        p += n - 1;
    }
    *out = json_stringn(buf_str(&text), text.len);
    return 0;
}

/* <0, 0, >0; *out_ok: whether they can be compared. */
static double compare(const json_t *a, const json_t *b, bool *out_ok)
{
    *out_ok = true;
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) - json_number_value(b);
    if (json_is_string(a) && json_is_string(b))
        return strcmp(json_string_value(a), json_string_value(b));
    *out_ok = false;
    return 0;
}

static int fn_eq(struct run *r _unused_, json_t **args, size_t len, json_t **out)
{
    bool equal = false, ok;
    for (size_t i = 1; i < len; i++) {
        const double c = compare(args[0], args[i], &ok);
        equal |= ok ? c == 0 : args[0] && args[i] && json_equal(args[0], args[i]);
    }
    *out = json_boolean(equal);
    return 0;
}

static int fn_ne(struct run *r, json_t **args, size_t len, json_t **out)
{
    json_t *same;
    fn_eq(r, args, len, &same);
    *out = json_boolean(!json_is_true(same));
    return 0;
}

static int fn_order(struct run *r, json_t **args, json_t **out, bool less, bool equal, bool more)
{
    bool ok;
    const double c = compare(args[0], args[1], &ok);
    if (!ok)
        return template_fail(r, "error calling a comparison: incompatible types for comparison", "");
    *out = json_boolean(c < 0 ? less : c == 0 ? equal : more);
    return 0;
}

static int fn_lt(struct run *r, json_t **args, size_t len _unused_, json_t **out)
{
    return fn_order(r, args, out, true, false, false);
}

static int fn_le(struct run *r, json_t **args, size_t len _unused_, json_t **out)
{
    return fn_order(r, args, out, true, true, false);
}

static int fn_gt(struct run *r, json_t **args, size_t len _unused_, json_t **out)
{
    return fn_order(r, args, out, false, false, true);
}

static int fn_ge(struct run *r, json_t **args, size_t len _unused_, json_t **out)
{
    return fn_order(r, args, out, false, true, true);
}

static int fn_exists(struct run *r _unused_, json_t **args, size_t len, json_t **out)
{
    const json_t *v = args[0];
    for (size_t i = 1; v && i < len; i++)
        v = json_is_integer(args[i]) ? json_array_get(v, (size_t)json_integer_value(args[i]))
                                     : json_object_get(v, json_is_string(args[i]) ? json_string_value(args[i]) : "");
    *out = json_boolean(v != NULL);
    return 0;
}

static int fn_base64decode(struct run *r, json_t **args, size_t len _unused_, json_t **out)
{
    _auto_buf_ struct buf bytes = BUF_INIT;
    size_t at;
    if (!json_is_string(args[0]))
        return template_fail(r, "error calling base64decode: wrong type for value; expected string", "");
    if (base64_decode(json_string_value(args[0]), json_string_length(args[0]), &bytes, &at) < 0)
        return template_fail(r, "error calling base64decode: base64 decode failed", "");
    *out = json_stringn(buf_str(&bytes), bytes.len);
    return *out ? 0 : template_fail(r, "error calling base64decode: what it holds is no text", "");
}

const struct template_function template_functions[] = {
    {"and", fn_and, 1, ARGS_MAX},
    {"or", fn_or, 1, ARGS_MAX},
    {"not", fn_not, 1, 1},
    {"len", fn_len, 1, 1},
    {"index", fn_index, 1, ARGS_MAX},
    {"slice", fn_slice, 1, 3},
    {"print", fn_print, 0, ARGS_MAX},
    {"println", fn_println, 0, ARGS_MAX},
    {"printf", fn_printf, 1, ARGS_MAX},
    {"eq", fn_eq, 2, ARGS_MAX},
    {"ne", fn_ne, 2, 2},
    {"lt", fn_lt, 2, 2},
    {"le", fn_le, 2, 2},
    {"gt", fn_gt, 2, 2},
    {"ge", fn_ge, 2, 2},
    {"exists", fn_exists, 1, ARGS_MAX},
    {"base64decode", fn_base64decode, 1, 1},
};
const size_t template_function_count = ARRAY_LEN(template_functions);
