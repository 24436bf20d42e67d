/* server_table.c - see server_table.h. */
#include "kubectl/output/server_table.h"

#include "api/status.h"
#include "base/json.h"
#include "base/mem.h"
#include "kubectl/call.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void server_table_release(struct server_table *t)
{
    json_decref(t->columns);
    t->columns = NULL;
}

static void begin_cell(struct table *out, bool *first)
{
    if (!*first)
        buf_addc(&out->text, '\t');
    *first = false;
}

static bool is_shown(const struct server_table *t, const json_t *column)
{
    return t->wide || jint(column, "priority", 0) == 0;
}

static void add_upper(struct table *out, const char *text)
{
    for (; *text; text++)
        buf_addc(&out->text, (char)toupper((unsigned char)*text));
}

static void add_headers(const struct server_table *t, const char *event, struct table *out)
{
    bool first = true;
    size_t i;
    const json_t *column;
    const char *const before[] = {event ? "EVENT" : NULL, t->with_namespace ? "NAMESPACE" : NULL};
    for (i = 0; i < ARRAY_LEN(before); i++) {
        if (before[i]) {
            begin_cell(out, &first);
            buf_adds(&out->text, before[i]);
        }
    }
    json_array_foreach(t->columns, i, column)
    {
        if (is_shown(t, column)) {
            begin_cell(out, &first);
            add_upper(out, jstr_or(column, "name", ""));
        }
    }
    for (i = 0; t->label_columns && i < t->label_columns->len; i++) {
        const char *slash = strrchr(t->label_columns->items[i], '/');
        begin_cell(out, &first);
        add_upper(out, slash ? slash + 1 : t->label_columns->items[i]);
    }
    if (t->show_labels) {
        begin_cell(out, &first);
        buf_adds(&out->text, "LABELS");
    }
    buf_addc(&out->text, '\n');
}

/* A cell's first line; control characters that could move the cursor are made visible. */
static void add_text(struct table *out, const char *s)
{
    const size_t n = strcspn(s, "\f\n\r");
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\x1b')
            buf_adds(&out->text, "^[");
        else
            buf_addc(&out->text, s[i] == '\t' ? ' ' : s[i]);
    }
    if (s[n])
        buf_adds(&out->text, "...");
}

static void add_cell(struct table *out, const json_t *cell)
{
    if (json_is_string(cell))
        add_text(out, json_string_value(cell));
    else if (!json_is_null(cell))
        go_plain_write(&out->text, cell);
}

static void add_labels(const json_t *labels, struct table *out)
{
    _auto_strlist_ struct strlist all = {0};
    const char *key;
    const json_t *value;
    json_object_foreach((json_t *)(uintptr_t)labels, key, value)
        strlist_addf(&all, "%s=%s", key, json_is_string(value) ? json_string_value(value) : "");
    strlist_sort(&all);
    _auto_free_ char *text = strlist_join(&all, ",");
    buf_adds(&out->text, all.len ? text : "<none>");
}

static void add_row(const struct server_table *t, const struct kind *kind, const json_t *row, const char *event,
                    struct table *out)
{
    const json_t *object = json_object_get(row, "object"), *cell;
    bool first = true;
    size_t i;
    if (event) {
        begin_cell(out, &first);
        buf_addf(&out->text, "%-8s", event); /* as wide as MODIFIED */
    }
    if (t->with_namespace) {
        begin_cell(out, &first);
        buf_adds(&out->text, jstr_or(object, "metadata.namespace", ""));
    }
    json_array_foreach(json_object_get(row, "cells"), i, cell)
    {
        const json_t *column = json_array_get(t->columns, i);
        if (!column || !is_shown(t, column))
            continue;
        begin_cell(out, &first);
        if (t->with_kind && kind && str_eq(jstr(column, "format"), "name")) {
            call_label(kind, &out->text);
            buf_addc(&out->text, '/');
        }
        add_cell(out, cell);
    }
    for (i = 0; t->label_columns && i < t->label_columns->len; i++) {
        begin_cell(out, &first);
        const char *value = jmap(object, "metadata.labels", t->label_columns->items[i]);
        buf_adds(&out->text, value ? value : "");
    }
    if (t->show_labels) {
        begin_cell(out, &first);
        add_labels(jat(object, "metadata.labels"), out);
    }
    buf_addc(&out->text, '\n');
}

void server_table_add(struct server_table *t, const struct kind *kind, const json_t *table, const char *event,
                      struct table *out)
{
    json_t *columns = json_object_get(table, "columnDefinitions");
    const json_t *rows = json_object_get(table, "rows"), *row;
    size_t i;
    if (json_array_size(columns) && !json_equal(columns, t->columns)) {
        json_decref(t->columns);
        t->columns = json_incref(columns);
        t->headed = false;
    }
    if (json_array_size(rows) == 0)
        return;
    if (!t->no_headers && !t->headed)
        add_headers(t, event, out);
    t->headed = true;
    json_array_foreach(rows, i, row) add_row(t, kind, row, event, out);
}
