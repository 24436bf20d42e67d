/* status.c - metav1.Status bodies and lists of field errors.
 *
 * DESIGN: validation collects field errors, each a kind of mistake, a path and the text after "path: " (the `message`
 * of a cause). The kinds are rows of fe_rows: the words that open the text and the reason a client sees.
 * status_invalid() turns a list into the 422 body; kubectl prints from details.causes, not from message, so both must
 * be there.
 *
 * Which details an error carries depends on its code only (status_rows): none at all, an empty object, or the object's
 * name, group and resource. Two conventions stand in for what Go expresses by type: an ERR_INTERNAL whose text begins
 * "Internal error occurred: " is an InternalError with a cause, any other is what the real server makes of a plain Go
 * error (500 without reason or details); and texts that begin with their own number ("415: …") come from the generic
 * answer, which has empty details.
 *
 * THREADS: pure functions. When you add an err code, add its row to status_rows. */
#include "api/status.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static const char INTERNAL_PREFIX[] = "Internal error occurred: ";

static const struct {
    const char *opens;
    const char *reason;
} fe_rows[] = {
    [FE_REQUIRED] = {"Required value", "FieldValueRequired"},
    [FE_INVALID] = {"Invalid value", "FieldValueInvalid"},
    [FE_NOT_SUPPORTED] = {"Unsupported value", "FieldValueNotSupported"},
    [FE_FORBIDDEN] = {"Forbidden", "FieldValueForbidden"},
    [FE_DUPLICATE] = {"Duplicate value", "FieldValueDuplicate"},
    [FE_NOT_FOUND] = {"Not found", "FieldValueNotFound"},
    [FE_TOO_LONG] = {"Too long", "FieldValueTooLong"},
    [FE_TOO_MANY] = {"Too many", "FieldValueTooMany"},
    [FE_TYPE_INVALID] = {"Invalid value", "FieldValueTypeInvalid"},
    [FE_INTERNAL] = {"Internal error", "InternalError"},
};

/* -- field errors -- */

void field_errors_release(struct field_errors *l)
{
    for (size_t i = 0; i < l->len; i++) {
        free(l->items[i].field);
        free(l->items[i].message);
    }
    free(l->items);
    *l = (struct field_errors){0};
}

static void push(struct field_errors *l, enum field_err type, const char *field, char *take_message)
{
    if (l->len == l->cap) {
        l->cap = l->cap != 0 ? l->cap * 2 : 4;
        l->items = xrealloc(l->items, l->cap * sizeof *l->items);
    }
    l->items[l->len++] = (struct field_error){type, xstrdup(field), take_message};
}

void fe_add(struct field_errors *l, enum field_err type, const char *field, const char *value_text, const char *detail)
{
    _auto_buf_ struct buf b = BUF_INIT;
    buf_adds(&b, fe_rows[type].opens);
    if (value_text != NULL) {
        buf_adds(&b, ": ");
        buf_adds(&b, value_text);
    }
    if (!str_empty(detail)) {
        buf_adds(&b, ": ");
        buf_adds(&b, detail);
    }
    push(l, type, field, buf_steal(&b, NULL));
}

static void add_quoted(struct field_errors *l, enum field_err type, const char *field, const char *value,
                       const char *detail)
{
    _auto_buf_ struct buf b = BUF_INIT;
    buf_add_quoted(&b, value, strlen(value));
    fe_add(l, type, field, buf_str(&b), detail);
}

void fe_required(struct field_errors *l, const char *field, const char *detail)
{
    fe_add(l, FE_REQUIRED, field, NULL, detail);
}

void fe_invalid_str(struct field_errors *l, const char *field, const char *value, const char *detail)
{
    add_quoted(l, FE_INVALID, field, value, detail);
}

void fe_invalid_int(struct field_errors *l, const char *field, long long value, const char *detail)
{
    _auto_free_ char *text = xasprintf("%lld", value);
    fe_add(l, FE_INVALID, field, text, detail);
}

void fe_invalid_json(struct field_errors *l, const char *field, const json_t *value, const char *detail)
{
    _auto_buf_ struct buf b = BUF_INIT;
    go_value_write(&b, value);
    fe_add(l, FE_INVALID, field, buf_str(&b), detail);
}

void fe_not_supported(struct field_errors *l, const char *field, const char *value, const char *const *valid)
{
    _auto_buf_ struct buf b = BUF_INIT;
    for (size_t i = 0; valid != NULL && valid[i] != NULL; i++) {
        buf_adds(&b, i == 0 ? "supported values: " : ", ");
        buf_add_quoted(&b, valid[i], strlen(valid[i]));
    }
    add_quoted(l, FE_NOT_SUPPORTED, field, value, buf_str(&b));
}

void fe_forbidden(struct field_errors *l, const char *field, const char *detail)
{
    fe_add(l, FE_FORBIDDEN, field, NULL, detail);
}

void fe_duplicate(struct field_errors *l, const char *field, const char *value)
{
    add_quoted(l, FE_DUPLICATE, field, value, NULL);
}

void fe_not_found(struct field_errors *l, const char *field, const char *value)
{
    add_quoted(l, FE_NOT_FOUND, field, value, NULL);
}

void fe_too_long(struct field_errors *l, const char *field, int max)
{
    _auto_free_ char *detail = xasprintf("may not be more than %d byte%s", max, max == 1 ? "" : "s");
    fe_add(l, FE_TOO_LONG, field, NULL, detail);
}

void fe_too_many(struct field_errors *l, const char *field, int got, int max)
{
    _auto_free_ char *value = xasprintf("%d", got);
    _auto_free_ char *detail = xasprintf("must have at most %d item%s", max, max == 1 ? "" : "s");
    fe_add(l, FE_TOO_MANY, field, value, detail);
}

/* -- bodies -- */

enum details {
    DETAILS_NONE,
    DETAILS_EMPTY,
    DETAILS_OBJECT,
    DETAILS_GENERIC /* empty if the text begins with its number */
};

static const enum details status_rows[ERR_MAX] = {
    [ERR_FORBIDDEN] = DETAILS_OBJECT,
    [ERR_NOT_FOUND] = DETAILS_OBJECT,
    [ERR_METHOD_NOT_ALLOWED] = DETAILS_EMPTY,
    [ERR_NOT_ACCEPTABLE] = DETAILS_GENERIC,
    [ERR_ALREADY_EXISTS] = DETAILS_OBJECT,
    [ERR_CONFLICT] = DETAILS_OBJECT,
    [ERR_UNSUPPORTED_MEDIA] = DETAILS_GENERIC,
    [ERR_INVALID] = DETAILS_EMPTY,
    [ERR_TOO_MANY] = DETAILS_EMPTY,
    [ERR_TIMEOUT] = DETAILS_EMPTY,
};

/* Text from outside may not be UTF-8, which JSON cannot carry. */
static json_t *text_json(const char *s)
{
    json_t *text = json_string(s);
    return text != NULL ? text : json_string("(text that is not UTF-8)");
}

static json_t *details_new(const char *name, const char *group, const char *kind)
{
    json_t *d = json_object();
    if (!str_empty(name))
        json_object_set_new(d, "name", text_json(name));
    if (!str_empty(group))
        json_object_set_new(d, "group", text_json(group));
    if (!str_empty(kind))
        json_object_set_new(d, "kind", text_json(kind));
    return d;
}

static json_t *envelope(const char *verdict)
{
    return json_pack("{ss ss s{} ss}", "kind", "Status", "apiVersion", "v1", "metadata", "status", verdict);
}

/* A failure whose reason may be missing. */
static json_t *failure(int http, const char *reason, const char *message, json_t *take_details)
{
    json_t *s = envelope("Failure");
    json_object_set_new(s, "message", text_json(message));
    if (!str_empty(reason))
        json_object_set_new(s, "reason", json_string(reason));
    if (take_details != NULL)
        json_object_set_new(s, "details", take_details);
    json_object_set_new(s, "code", json_integer(http));
    return s;
}

json_t *status_failure(enum err_code code, const char *message, json_t *take_details)
{
    return failure(err_http_status(code), err_reason(code), message, take_details);
}

static json_t *status_internal(const char *message)
{
    if (!str_starts(message, INTERNAL_PREFIX))
        return failure(500, NULL, message, NULL);
    json_t *details = json_pack("{s[{ss}]}", "causes", "message", message + strlen(INTERNAL_PREFIX));
    return failure(500, "InternalError", message, details);
}

json_t *status_from_err(const struct err *e, const struct resource *r, const char *name)
{
    int http = err_http_status(e->code);
    if (http == 500)
        return status_internal(e->msg);
    json_t *details = NULL;
    switch (status_rows[e->code]) {
    case DETAILS_NONE:
        break;
    case DETAILS_EMPTY:
        details = json_object();
        break;
    case DETAILS_OBJECT:
        details = r != NULL ? details_new(name, r->group, r->plural) : json_object();
        break;
    case DETAILS_GENERIC: {
        _auto_free_ char *prefix = xasprintf("%d: ", http);
        details = str_starts(e->msg, prefix) ? json_object() : NULL;
        break;
    }
    }
    return status_failure(e->code, e->msg, details);
}

static json_t *about_object(enum err_code code, const struct resource *r, const char *name, char *take_message)
{
    _auto_free_ char *message = take_message;
    return status_failure(code, message, details_new(name, r->group, r->plural));
}

json_t *status_not_found(const struct resource *r, const char *name)
{
    return about_object(ERR_NOT_FOUND, r, name, xasprintf("%s \"%s\" not found", resource_qualified(r), name));
}

json_t *status_already_exists(const struct resource *r, const char *name)
{
    return about_object(ERR_ALREADY_EXISTS, r, name,
                        xasprintf("%s \"%s\" already exists", resource_qualified(r), name));
}

json_t *status_conflict(const struct resource *r, const char *name, const char *why)
{
    return about_object(ERR_CONFLICT, r, name,
                        xasprintf("Operation cannot be fulfilled on %s \"%s\": %s", resource_qualified(r), name, why));
}

json_t *status_forbidden(const struct resource *r, const char *name, const char *why)
{
    const char *what = resource_qualified(r);
    char *message = str_empty(name) ? xasprintf("%s is forbidden: %s", what, why)
                                    : xasprintf("%s \"%s\" is forbidden: %s", what, name, why);
    return about_object(ERR_FORBIDDEN, r, name, message);
}

json_t *status_deleted(const struct resource *r, const char *name, const char *uid)
{
    json_t *s = envelope("Success");
    json_t *details = details_new(name, r->group, r->plural);
    if (!str_empty(uid))
        json_object_set_new(details, "uid", text_json(uid));
    json_object_set_new(s, "details", details);
    return s;
}

/* "field: text" of each error once, as an aggregate prints: bare if one is left, else in brackets. */
static void errors_write(struct buf *out, const struct field_errors *errs)
{
    _auto_strlist_ struct strlist texts = {0};
    for (size_t i = 0; i < errs->len; i++) {
        char *text = xasprintf("%s: %s", errs->items[i].field, errs->items[i].message);
        if (strlist_has(&texts, text))
            free(text);
        else
            strlist_take(&texts, text);
    }
    _auto_free_ char *joined = strlist_join(&texts, ", ");
    buf_adds(out, texts.len == 1 ? "" : "[");
    buf_adds(out, joined);
    buf_adds(out, texts.len == 1 ? "" : "]");
}

static json_t *cause_new(const struct field_error *fe)
{
    json_t *cause = json_object();
    json_object_set_new(cause, "reason", json_string(fe_rows[fe->type].reason));
    json_object_set_new(cause, "message", text_json(fe->message));
    if (!str_empty(fe->field))
        json_object_set_new(cause, "field", text_json(fe->field));
    return cause;
}

json_t *status_invalid(const char *group, const char *kind, const char *name, const struct field_errors *errs)
{
    _auto_buf_ struct buf message = BUF_INIT;
    buf_adds(&message, kind);
    if (!str_empty(group)) {
        buf_addc(&message, '.');
        buf_adds(&message, group);
    }
    buf_addc(&message, ' ');
    buf_add_quoted(&message, name != NULL ? name : "", name != NULL ? strlen(name) : 0);
    buf_adds(&message, " is invalid: ");
    errors_write(&message, errs);

    json_t *causes = json_array();
    for (size_t i = 0; i < errs->len; i++)
        json_array_append_new(causes, cause_new(&errs->items[i]));
    json_t *details = details_new(name, group, kind);
    json_object_set_new(details, "causes", causes);
    return status_failure(ERR_INVALID, buf_str(&message), details);
}

/* -- reading -- */

/* The code that stands for this HTTP status and reason; the first that matches in the table's order. */
static enum err_code code_of(int http, const char *reason)
{
    for (int code = ERR_BAD_REQUEST; code < ERR_MAX; code++)
        if (err_http_status(code) == http && (reason == NULL || strcmp(err_reason(code), reason) == 0))
            return (enum err_code)code;
    return ERR_INTERNAL;
}

int status_to_err(const json_t *status, struct err *e)
{
    int http = (int)jint(status, "code", 500);
    return err_set(e, code_of(http, jstr(status, "reason")), "%s", jstr_or(status, "message", "unknown error"));
}
