/* page.c - the page a describer writes on, and the rows most describers are made of.
 *
 * DESIGN: text is gathered with its tabs, then aligned in one go (table.h), as kubectl's describers do; a flush ends
 * all columns, so that a long label above does not push the table of events aside. Escapes of terminals and carriage
 * returns that come from objects are made visible: nobody's annotation paints on a user's screen. THREADS: pure. */
#include "kubectl/describe/page_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "kubectl/output/table.h"

#include <stdarg.h>
#include <string.h>

static void put_blanks(struct page *p, int level)
{
    for (int i = 0; i < level + p->indent; i++)
        buf_adds(&p->raw, "  ");
}

void page_put(struct page *p, int level, const char *fmt, ...)
{
    put_blanks(p, level);
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&p->raw, fmt, ap);
    va_end(ap);
}

void page_end(struct page *p, const char *text)
{
    page_put(p, 0, "%s\n", text);
}

void page_flush(struct page *p)
{
    _auto_table_ struct table table = {.padding = 2};
    struct buf *safe = &table.text;
    const char *s = buf_str(&p->raw);
    for (size_t i = 0; i < p->raw.len; i++) {
        if (s[i] == '\x1b')
            buf_adds(safe, "^[");
        else if (s[i] == '\r')
            buf_adds(safe, "\\r");
        else
            buf_addc(safe, s[i]);
    }
    table_align(&table, p->out);
    buf_clear(&p->raw);
}

/* Is there something to show: neither absent, null, "" nor an empty list or object? */
static bool is_full(const json_t *v)
{
    if (json_is_string(v))
        return json_string_length(v) > 0;
    if (json_is_array(v))
        return json_array_size(v) > 0;
    if (json_is_object(v))
        return json_object_size(v) > 0;
    return v != NULL && !json_is_null(v);
}

static void put_value(struct page *p, const struct row *r, const json_t *v)
{
    _auto_buf_ struct buf text = BUF_INIT;
    if (json_is_array(v))
        value_join(&text, v, ",");
    else if (v != NULL && !json_is_null(v))
        value_text(&text, v);
    bool ending = r->how == ROW_SOME && r->other != NULL;
    page_put(p, r->level, "%s\t%s%s\n", r->label, buf_str(&text), ending ? r->other : "");
}

static void put_time(struct page *p, const struct row *r, const json_t *object)
{
    _auto_buf_ struct buf text = BUF_INIT;
    value_time(&text, jstr(object, r->path));
    page_put(p, r->level, "%s\t%s\n", r->label, buf_str(&text));
}

static void put_with(struct page *p, const struct row *r, const json_t *v)
{
    _auto_buf_ struct buf text = BUF_INIT;
    if (r->how == ROW_PAIRS)
        value_pairs(&text, v);
    else if (r->how == ROW_SELECTOR)
        value_selector(&text, v, r->other != NULL ? r->other : "<none>");
    else if (json_array_size(v) > 0)
        value_text(&text, v);
    else
        buf_adds(&text, "[]");
    page_put(p, r->level, "%s\t%s\n", r->label, buf_str(&text));
}

static void put_row(struct page *p, const struct row *r, const json_t *object)
{
    const json_t *v = r->path != NULL ? jat(object, r->path) : object;
    switch (r->how) {
    case ROW_SHOW:
        put_value(p, r, v);
        break;
    case ROW_NUMBER:
        page_put(p, r->level, "%s\t%lld\n", r->label, (long long)jint(object, r->path, 0));
        break;
    case ROW_FLAG:
        page_put(p, r->level, "%s\t%s\n", r->label, jbool(object, r->path, false) ? "true" : "false");
        break;
    case ROW_SOME:
        if (v != NULL && !json_is_null(v))
            put_value(p, r, v);
        break;
    case ROW_FULL:
        if (is_full(v))
            put_value(p, r, v);
        break;
    case ROW_ELSE:
        if (is_full(v))
            put_value(p, r, v);
        else
            page_put(p, r->level, "%s\t%s\n", r->label, r->other);
        break;
    case ROW_LIST:
    case ROW_PAIRS:
    case ROW_SELECTOR:
        put_with(p, r, v);
        break;
    case ROW_LABELS:
        page_labels(p, "", r->label, v);
        break;
    case ROW_ANNOTATIONS:
        page_annotations(p, r->label, v);
        break;
    case ROW_TIME_SOME:
        if (v == NULL || json_is_null(v))
            break;
        put_time(p, r, object);
        break;
    case ROW_TIME:
        put_time(p, r, object);
        break;
    case ROW_TITLE:
        page_put(p, r->level, "%s\n", r->label);
        break;
    case ROW_CALL:
        r->call(p, v);
        break;
    }
}

void page_rows(struct page *p, const struct row *rows, const json_t *object)
{
    for (const struct row *r = rows; r->label != NULL || r->call != NULL; r++)
        put_row(p, r, object);
}
