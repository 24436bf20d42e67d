/* selector.c - label selectors: query text and LabelSelector objects.
 *
 * DESIGN: a selector is a list of requirements, ANDed and sorted by key. Text goes through a lexer that knows seven
 * special characters and two words, and a recursive-descent parser that looks one token ahead; each refusal has the
 * words of the real parser, which are part of what users see ("unable to parse requirement: found 'b', expected: '('").
 * `in` and `notin` are words only where an operator may stand: `in in (in)` is legal.
 *
 * INVARIANTS: the values of a requirement are sorted and unique, so the canonical text needs no further work.
 * THREADS: a selector never changes after it is made; share it freely. */
#include "api/selector.h"

#include "api/selector_int.h"
#include "api/validate.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct label_selector {
    struct requirement *items;
    size_t len, cap;
    bool nothing; /* made from null: matches no object */
};

/* -- requirements -- */

void requirement_release(struct requirement *r)
{
    free(r->key);
    strlist_release(&r->values);
    *r = (struct requirement){0};
}

int req_op_of_object(const char *name, enum req_op *out)
{
    static const struct {
        const char *name;
        enum req_op op;
    } ops[] = {{"In", REQ_IN}, {"NotIn", REQ_NOT_IN}, {"Exists", REQ_EXISTS}, {"DoesNotExist", REQ_ABSENT},
               {"Gt", REQ_GT}, {"Lt", REQ_LT}};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (str_eq(ops[i].name, name)) {
            *out = ops[i].op;
            return 0;
        }
    }
    return -1;
}

static void values_add(struct strlist *values, const char *v)
{
    if (!strlist_has(values, v))
        strlist_add(values, v);
}

/* How many values the operator needs. */
static bool value_count_fits(enum req_op op, size_t n)
{
    switch (op) {
    case REQ_IN:
    case REQ_NOT_IN:
        return n > 0;
    case REQ_EXISTS:
    case REQ_ABSENT:
        return n == 0;
    default:
        return n == 1;
    }
}

int requirement_from_json(const json_t *expression, struct requirement *out)
{
    enum req_op op;
    const char *key = jstr(expression, "key");
    const json_t *values = json_object_get(expression, "values");
    if (key == NULL || req_op_of_object(jstr(expression, "operator"), &op) < 0 ||
        !value_count_fits(op, json_array_size(values)))
        return -1;
    struct requirement r = {.key = xstrdup(key), .op = op};
    for (size_t i = 0; i < json_array_size(values); i++) {
        const char *v = json_string_value(json_array_get(values, i));
        values_add(&r.values, v != NULL ? v : "");
    }
    strlist_sort(&r.values);
    *out = r;
    return 0;
}

static bool number_match(const struct requirement *r, const char *label)
{
    int64_t have, want;
    if (r->values.len != 1 || !str_to_i64(label, &have) || !str_to_i64(r->values.items[0], &want))
        return false;
    return r->op == REQ_GT ? have > want : have < want;
}

bool requirement_match(const struct requirement *r, const json_t *labels)
{
    const char *label = json_string_value(json_object_get(labels, r->key));
    switch (r->op) {
    case REQ_EXISTS:
        return label != NULL;
    case REQ_ABSENT:
        return label == NULL;
    case REQ_NE:
    case REQ_NOT_IN:
        return label == NULL || !strlist_has(&r->values, label);
    case REQ_GT:
    case REQ_LT:
        return label != NULL && number_match(r, label);
    default:
        return label != NULL && strlist_has(&r->values, label);
    }
}

/* -- lexer -- */

enum token {
    TOK_END,
    TOK_WORD,
    TOK_IN,
    TOK_NOT_IN,
    TOK_OPEN,
    TOK_CLOSE,
    TOK_COMMA,
    TOK_NOT,
    TOK_EQ,
    TOK_EQ_EQ,
    TOK_NE,
    TOK_GT,
    TOK_LT
};

struct lexer {
    const char *at; /* behind the current token */
    enum token token;
    const char *text; /* of the current token */
    int len;
};

static const char SPECIAL[] = "=!(),><";
static const char BLANK[] = " \t\r\n";

/* Reads the next token into the lexer. */
static void lex(struct lexer *l)
{
    static const struct {
        const char *text;
        enum token token;
    } marks[] = {{"!=", TOK_NE}, {"==", TOK_EQ_EQ}, {"=", TOK_EQ},    {"!", TOK_NOT},  {">", TOK_GT},
                 {"<", TOK_LT},  {"(", TOK_OPEN},   {")", TOK_CLOSE}, {",", TOK_COMMA}};
    l->at += strspn(l->at, BLANK);
    l->text = l->at;
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        if (str_starts(l->at, marks[i].text)) {
            l->len = (int)strlen(marks[i].text);
            l->at += l->len;
            l->token = marks[i].token;
            return;
        }
    }
    while (*l->at != '\0' && strchr(SPECIAL, *l->at) == NULL && strchr(BLANK, *l->at) == NULL)
        l->at++;
    l->len = (int)(l->at - l->text);
    if (l->len == 0)
        l->token = TOK_END;
    else if (l->len == 2 && memcmp(l->text, "in", 2) == 0)
        l->token = TOK_IN;
    else if (l->len == 5 && memcmp(l->text, "notin", 5) == 0)
        l->token = TOK_NOT_IN;
    else
        l->token = TOK_WORD;
}

/* The current token where a value may stand. */
static enum token as_value(const struct lexer *l)
{
    return l->token == TOK_IN || l->token == TOK_NOT_IN ? TOK_WORD : l->token;
}

/* -- parser -- */

static int unexpected(const struct lexer *l, const char *wanted, struct err *e)
{
    return err_set(e, ERR_BAD_REQUEST, "found '%.*s'%s", l->len, l->text, wanted);
}

/* "field: Invalid value: "v": why" */
static int refuse_value(const char *field, const char *value, const char *why, struct err *e)
{
    _auto_buf_ struct buf quoted = BUF_INIT;
    buf_add_quoted(&quoted, value, strlen(value));
    return err_set(e, ERR_BAD_REQUEST, "%s: Invalid value: %s: %s", field, buf_str(&quoted), why);
}

static int parse_key(struct lexer *l, struct requirement *r, struct err *e)
{
    if (l->token == TOK_NOT) {
        r->op = REQ_ABSENT;
        lex(l);
    }
    if (as_value(l) != TOK_WORD)
        return unexpected(l, ", expected: identifier", e);
    r->key = xstrndup(l->text, (size_t)l->len);
    const char *why = check_qualified_name(r->key);
    if (why != NULL)
        return refuse_value("<nil>", r->key, why, e);
    lex(l);
    return 0;
}

static int parse_operator(struct lexer *l, struct requirement *r, struct err *e)
{
    static const enum req_op ops[] = {
        [TOK_IN] = REQ_IN, [TOK_NOT_IN] = REQ_NOT_IN, [TOK_EQ] = REQ_EQ, [TOK_EQ_EQ] = REQ_EQ_EQ,
        [TOK_NE] = REQ_NE, [TOK_GT] = REQ_GT,         [TOK_LT] = REQ_LT};
    switch (l->token) {
    case TOK_IN:
    case TOK_NOT_IN:
    case TOK_EQ:
    case TOK_EQ_EQ:
    case TOK_NE:
    case TOK_GT:
    case TOK_LT:
        r->op = ops[l->token];
        lex(l);
        return 0;
    default:
        return unexpected(l, ", expected: in, notin, =, ==, !=, gt, lt", e);
    }
}

/* What stands between the brackets; stops at the closing one. Empty places count as "". */
static int parse_list(struct lexer *l, struct requirement *r, struct err *e)
{
    for (;;) {
        if (as_value(l) == TOK_WORD) {
            _auto_free_ char *v = xstrndup(l->text, (size_t)l->len);
            values_add(&r->values, v);
            lex(l);
            if (l->token == TOK_CLOSE)
                return 0;
            if (l->token != TOK_COMMA)
                return unexpected(l, ", expected: ',' or ')'", e);
        } else if (l->token == TOK_COMMA) {
            lex(l);
            if (r->values.len == 0 || l->token == TOK_CLOSE || l->token == TOK_COMMA)
                values_add(&r->values, "");
            if (l->token == TOK_CLOSE)
                return 0;
            if (l->token == TOK_COMMA)
                lex(l);
        } else {
            return unexpected(l, ", expected: ',', or identifier", e);
        }
    }
}

static int parse_values(struct lexer *l, struct requirement *r, struct err *e)
{
    if (l->token != TOK_OPEN)
        return unexpected(l, " expected: '('", e);
    lex(l);
    if (l->token == TOK_CLOSE) {
        values_add(&r->values, "");
    } else if (as_value(l) == TOK_WORD || l->token == TOK_COMMA) {
        if (parse_list(l, r, e) < 0)
            return -1;
    } else {
        return unexpected(l, ", expected: ',', ')' or identifier", e);
    }
    lex(l); /* the closing bracket */
    strlist_sort(&r->values);
    return 0;
}

static int parse_exact(struct lexer *l, struct requirement *r, struct err *e)
{
    if (l->token == TOK_END || l->token == TOK_COMMA) {
        values_add(&r->values, "");
        return 0;
    }
    if (as_value(l) != TOK_WORD)
        return unexpected(l, ", expected: identifier", e);
    _auto_free_ char *v = xstrndup(l->text, (size_t)l->len);
    values_add(&r->values, v);
    lex(l);
    return 0;
}

static int check_values(const struct requirement *r, struct err *e)
{
    int64_t ignored;
    if ((r->op == REQ_GT || r->op == REQ_LT) && !str_to_i64(r->values.items[0], &ignored))
        return refuse_value("values[0]", r->values.items[0], "for 'Gt', 'Lt' operators, the value must be an integer",
                            e);
    for (size_t i = 0; i < r->values.len; i++) {
        const char *why = check_label_value(r->values.items[i]);
        if (why != NULL) {
            _auto_free_ char *field = xasprintf("values[%zu][%s]", i, r->key);
            return refuse_value(field, r->values.items[i], why, e);
        }
    }
    return 0;
}

static int parse_requirement(struct lexer *l, struct requirement *r, struct err *e)
{
    r->op = REQ_EXISTS;
    if (parse_key(l, r, e) < 0)
        return -1;
    if (r->op == REQ_ABSENT || l->token == TOK_END || l->token == TOK_COMMA)
        return 0;
    if (parse_operator(l, r, e) < 0)
        return -1;
    int done = r->op == REQ_IN || r->op == REQ_NOT_IN ? parse_values(l, r, e) : parse_exact(l, r, e);
    return done < 0 ? -1 : check_values(r, e);
}

static struct requirement *selector_add(struct label_selector *s)
{
    if (s->len == s->cap) {
        s->cap = s->cap != 0 ? s->cap * 2 : 4;
        s->items = xrealloc(s->items, s->cap * sizeof *s->items);
    }
    s->items[s->len] = (struct requirement){0};
    return &s->items[s->len++];
}

static int parse_all(struct lexer *l, struct label_selector *s, struct err *e)
{
    lex(l);
    for (;;) {
        if (l->token == TOK_END)
            return 0;
        if (as_value(l) != TOK_WORD && l->token != TOK_NOT)
            return unexpected(l, ", expected: !, identifier, or 'end of string'", e);
        if (parse_requirement(l, selector_add(s), e) < 0)
            return err_wrap(e, "unable to parse requirement");
        if (l->token == TOK_END)
            return 0;
        if (l->token != TOK_COMMA)
            return unexpected(l, ", expected: ',' or 'end of string'", e);
        lex(l);
        if (as_value(l) != TOK_WORD && l->token != TOK_NOT)
            return unexpected(l, ", expected: identifier after ','", e);
    }
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct requirement *)a)->key, ((const struct requirement *)b)->key);
}

static void selector_sort(struct label_selector *s)
{
    if (s->len > 1)
        qsort(s->items, s->len, sizeof *s->items, by_key);
}

int label_selector_parse(const char *text, struct label_selector **out, struct err *e)
{
    struct label_selector *s = xcalloc(1, sizeof *s);
    struct lexer l = {.at = text};
    if (parse_all(&l, s, e) < 0) {
        label_selector_free(s);
        return -1;
    }
    selector_sort(s);
    *out = s;
    return 0;
}

int label_selector_from_json(const json_t *sel, struct label_selector **out, struct err *e)
{
    struct label_selector *s = xcalloc(1, sizeof *s);
    s->nothing = sel == NULL || json_is_null(sel);
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(sel, "matchLabels"), key, value)
    {
        struct requirement *r = selector_add(s);
        *r = (struct requirement){.key = xstrdup(key), .op = REQ_EQ};
        values_add(&r->values, json_is_string(value) ? json_string_value(value) : "");
    }
    size_t i;
    json_array_foreach(json_object_get(sel, "matchExpressions"), i, value)
    {
        struct requirement r;
        if (requirement_from_json(value, &r) < 0 || r.op == REQ_GT || r.op == REQ_LT) {
            label_selector_free(s);
            return err_set(e, ERR_BAD_REQUEST, "\"%s\" is not a valid label selector operator",
                           jstr_or(value, "operator", ""));
        }
        *selector_add(s) = r;
    }
    selector_sort(s);
    *out = s;
    return 0;
}

bool label_selector_match(const struct label_selector *s, const json_t *labels)
{
    if (s->nothing)
        return false;
    for (size_t i = 0; i < s->len; i++)
        if (!requirement_match(&s->items[i], labels))
            return false;
    return true;
}

void label_selector_free(struct label_selector *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->len; i++)
        requirement_release(&s->items[i]);
    free(s->items);
    free(s);
}

static void requirement_write(struct buf *out, const struct requirement *r)
{
    static const char *const before[] = {
        [REQ_EQ] = "=",    [REQ_EQ_EQ] = "==", [REQ_NE] = "!=", [REQ_IN] = " in (", [REQ_NOT_IN] = " notin (",
        [REQ_EXISTS] = "", [REQ_ABSENT] = "",  [REQ_GT] = ">",  [REQ_LT] = "<"};
    if (r->op == REQ_ABSENT)
        buf_addc(out, '!');
    buf_adds(out, r->key);
    buf_adds(out, before[r->op]);
    for (size_t i = 0; i < r->values.len; i++) {
        if (i > 0)
            buf_addc(out, ',');
        buf_adds(out, r->values.items[i]);
    }
    if (r->op == REQ_IN || r->op == REQ_NOT_IN)
        buf_addc(out, ')');
}

char *label_selector_text(const struct label_selector *s)
{
    _auto_buf_ struct buf b = BUF_INIT;
    for (size_t i = 0; i < s->len; i++) {
        if (i > 0)
            buf_addc(&b, ',');
        requirement_write(&b, &s->items[i]);
    }
    return buf_steal(&b, NULL);
}
