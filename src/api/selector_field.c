/* selector_field.c - field selectors: which fields each kind lets clients select on, and how their values read.
 *
 * DESIGN: a table row per kind with fields of its own; kinds without a row know metadata.name and metadata.namespace
 * and refuse in other words than the ones with a row, as the real server does. A field has up to two paths because
 * events are stored once and seen through two API groups. Absent values read as the field's default: "" for most,
 * "false" or "0" for booleans and numbers. Empty values are legal and common ("involvedObject.namespace="): they match
 * absent fields.
 *
 * THREADS: a selector never changes after it is made. When you add a kind with selectable fields, add its row to
 * kind_rows. */
#include "api/selector.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct field {
    const char *label; /* as clients write it */
    const char *path;  /* NULL: known, but objects never have a value for it */
    const char *other; /* tried when `path` has no value, or NULL */
    const char *dflt;  /* NULL: "" */
};

static const struct field common_fields[] = {
    {"metadata.name", "metadata.name", NULL, NULL}, {"metadata.namespace", "metadata.namespace", NULL, NULL}, {0}};

static const struct field pod_fields[] = {{"metadata.name", "metadata.name", NULL, NULL},
                                          {"metadata.namespace", "metadata.namespace", NULL, NULL},
                                          {"spec.nodeName", "spec.nodeName", NULL, NULL},
                                          {"spec.host", "spec.nodeName", NULL, NULL},
                                          {"spec.restartPolicy", "spec.restartPolicy", NULL, NULL},
                                          {"spec.schedulerName", "spec.schedulerName", NULL, NULL},
                                          {"spec.serviceAccountName", "spec.serviceAccountName", NULL, NULL},
                                          {"spec.hostNetwork", "spec.hostNetwork", NULL, "false"},
                                          {"status.phase", "status.phase", NULL, NULL},
                                          {"status.podIP", "status.podIP", NULL, NULL},
                                          {"status.podIPs", NULL, NULL, NULL},
                                          {"status.nominatedNodeName", "status.nominatedNodeName", NULL, NULL},
                                          {0}};

static const struct field node_fields[] = {
    {"metadata.name", "metadata.name", NULL, NULL}, {"spec.unschedulable", "spec.unschedulable", NULL, "false"}, {0}};

static const struct field namespace_fields[] = {
    {"metadata.name", "metadata.name", NULL, NULL}, {"status.phase", "status.phase", NULL, NULL}, {0}};

static const struct field secret_fields[] = {{"metadata.name", "metadata.name", NULL, NULL},
                                             {"metadata.namespace", "metadata.namespace", NULL, NULL},
                                             {"type", "type", NULL, NULL},
                                             {0}};

static const struct field service_fields[] = {{"metadata.name", "metadata.name", NULL, NULL},
                                              {"metadata.namespace", "metadata.namespace", NULL, NULL},
                                              {"spec.clusterIP", "spec.clusterIP", NULL, NULL},
                                              {"spec.type", "spec.type", NULL, NULL},
                                              {0}};

static const struct field rc_fields[] = {{"metadata.name", "metadata.name", NULL, NULL},
                                         {"metadata.namespace", "metadata.namespace", NULL, NULL},
                                         {"status.replicas", "status.replicas", NULL, "0"},
                                         {0}};

static const struct field job_fields[] = {{"metadata.name", "metadata.name", NULL, NULL},
                                          {"metadata.namespace", "metadata.namespace", NULL, NULL},
                                          {"status.successful", "status.succeeded", NULL, "0"},
                                          {0}};

static const struct field csr_fields[] = {
    {"metadata.name", "metadata.name", NULL, NULL}, {"spec.signerName", "spec.signerName", NULL, NULL}, {0}};

#define EVENT_FIELDS(object)                                                                                           \
    {"metadata.name", "metadata.name", NULL, NULL}, {"metadata.namespace", "metadata.namespace", NULL, NULL},          \
        {object ".kind", "involvedObject.kind", "regarding.kind", NULL},                                               \
        {object ".namespace", "involvedObject.namespace", "regarding.namespace", NULL},                                \
        {object ".name", "involvedObject.name", "regarding.name", NULL},                                               \
        {object ".uid", "involvedObject.uid", "regarding.uid", NULL},                                                  \
        {object ".apiVersion", "involvedObject.apiVersion", "regarding.apiVersion", NULL},                             \
        {object ".resourceVersion", "involvedObject.resourceVersion", "regarding.resourceVersion", NULL},              \
        {object ".fieldPath", "involvedObject.fieldPath", "regarding.fieldPath", NULL},                                \
        {"reason", "reason", NULL, NULL},                                                                              \
    {                                                                                                                  \
        "type", "type", NULL, NULL                                                                                     \
    }

static const struct field core_event_fields[] = {
    EVENT_FIELDS("involvedObject"),
    {"reportingComponent", "reportingComponent", "reportingController", NULL},
    {"source", "source.component", "reportingComponent", NULL},
    {0}};

static const struct field event_fields[] = {
    EVENT_FIELDS("regarding"), {"reportingController", "reportingComponent", "reportingController", NULL}, {0}};

static const struct {
    const char *group, *kind;
    const struct field *fields;
} kind_rows[] = {
    {"", "Pod", pod_fields},
    {"", "Node", node_fields},
    {"", "Namespace", namespace_fields},
    {"", "Secret", secret_fields},
    {"", "Service", service_fields},
    {"", "Event", core_event_fields},
    {"", "ReplicationController", rc_fields},
    {"events.k8s.io", "Event", event_fields},
    {"batch", "Job", job_fields},
    {"certificates.k8s.io", "CertificateSigningRequest", csr_fields},
};

struct term {
    const struct field *field;
    bool differs; /* != */
    char *value;  /* owned */
};
struct field_selector {
    struct term *items;
    size_t len;
};

/* -- parsing -- */

/* The value without its backslashes; NULL with `e` set if they are wrong. Returns new. */
static char *unescape(const char *s, struct err *e)
{
    _auto_buf_ struct buf b = BUF_INIT;
    for (; *s != '\0'; s++) {
        if (*s == ',' || *s == '=') {
            err_set(e, ERR_BAD_REQUEST, "invalid field selector: unescaped character in value: %d", *s);
            return NULL;
        }
        if (*s == '\\') {
            s++;
            if (*s == '\0' || strchr("\\,=", *s) == NULL) {
                err_set(e, ERR_BAD_REQUEST, "invalid field selector: invalid escape sequence: \\%.1s", s);
                return NULL;
            }
        }
        buf_addc(&b, *s);
    }
    return buf_steal(&b, NULL);
}

static const struct field *kind_fields(const struct resource *r)
{
    for (size_t i = 0; i < ARRAY_LEN(kind_rows); i++)
        if (str_eq(kind_rows[i].group, r->group) && str_eq(kind_rows[i].kind, r->kind))
            return kind_rows[i].fields;
    return NULL;
}

static const struct field *field_find(const struct resource *r, const char *label, struct err *e)
{
    const struct field *own = kind_fields(r);
    for (const struct field *f = own != NULL ? own : common_fields; f->label != NULL; f++)
        if (strcmp(f->label, label) == 0)
            return f;
    if (own != NULL)
        err_set(e, ERR_BAD_REQUEST, "field label not supported: %s", label);
    else
        err_set(e, ERR_BAD_REQUEST,
                "\"%s\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", label);
    return NULL;
}

/* Splits at commas no backslash stands before. */
static void split_terms(const char *text, struct strlist *out)
{
    const char *start = text;
    for (; *text != '\0'; text++) {
        if (*text == '\\' && text[1] != '\0') {
            text++;
        } else if (*text == ',') {
            strlist_take(out, xstrndup(start, (size_t)(text - start)));
            start = text + 1;
        }
    }
    strlist_add(out, start);
}

static int parse_term(const struct resource *r, const char *whole, const char *term, struct term *out, struct err *e)
{
    const char *op = strpbrk(term, "=");
    if (op == NULL)
        return err_set(e, ERR_BAD_REQUEST, "invalid selector: '%s'; can't understand '%s'", whole, term);
    bool differs = op > term && op[-1] == '!';
    const char *value = op + 1 + (!differs && op[1] == '=' ? 1 : 0);
    _auto_free_ char *label = xstrndup(term, (size_t)(op - term) - (differs ? 1 : 0));
    _auto_free_ char *plain = unescape(value, e);
    if (plain == NULL)
        return -1;
    const struct field *f = field_find(r, label, e);
    if (f == NULL)
        return -1;
    *out = (struct term){f, differs, TAKE(plain)};
    return 0;
}

int field_selector_parse(const struct resource *r, const char *text, struct field_selector **out, struct err *e)
{
    _auto_strlist_ struct strlist terms = {0};
    split_terms(text, &terms);
    strlist_sort(&terms);
    struct field_selector *s = xcalloc(1, sizeof *s);
    s->items = xcalloc(terms.len, sizeof *s->items);
    for (size_t i = 0; i < terms.len; i++) {
        if (*terms.items[i] == '\0')
            continue;
        if (parse_term(r, text, terms.items[i], &s->items[s->len], e) < 0) {
            field_selector_free(s);
            return -1;
        }
        s->len++;
    }
    *out = s;
    return 0;
}

void field_selector_free(struct field_selector *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->len; i++)
        free(s->items[i].value);
    free(s->items);
    free(s);
}

/* -- matching -- */

/* A scalar as selectors see it; numbers into `scratch`. NULL if there is none. */
static const char *scalar_text(const json_t *v, char scratch[24])
{
    if (json_is_string(v))
        return *json_string_value(v) != '\0' ? json_string_value(v) : NULL;
    if (json_is_boolean(v))
        return json_is_true(v) ? "true" : "false";
    if (json_is_integer(v)) {
        snprintf(scratch, 24, "%lld", (long long)json_integer_value(v));
        return scratch;
    }
    return NULL;
}

static const char *field_value(const struct field *f, const json_t *obj, char scratch[24])
{
    const char *v = f->path != NULL ? scalar_text(jat(obj, f->path), scratch) : NULL;
    if (v == NULL && f->other != NULL)
        v = scalar_text(jat(obj, f->other), scratch);
    if (v == NULL)
        v = f->dflt != NULL ? f->dflt : "";
    return v;
}

bool field_selector_match(const struct field_selector *s, const json_t *obj)
{
    char scratch[24];
    for (size_t i = 0; i < s->len; i++) {
        const struct term *t = &s->items[i];
        bool same = strcmp(field_value(t->field, obj, scratch), t->value) == 0;
        if (same == t->differs)
            return false;
    }
    return true;
}

const char *field_selector_name(const struct field_selector *s)
{
    for (size_t i = 0; i < s->len; i++)
        if (!s->items[i].differs && strcmp(s->items[i].field->label, "metadata.name") == 0)
            return s->items[i].value;
    return NULL;
}
