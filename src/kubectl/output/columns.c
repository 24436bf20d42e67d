/* columns.c - see columns.h.
 *
 * A cell is what the path gives, several values divided by commas, "<none>" when it gives nothing. */
#include "kubectl/output/columns.h"

#include "api/jsonpath.h"
#include "api/status.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

int columns_check(const char *spec, bool of_file, char **text, struct err *e)
{
    _auto_strlist_ struct strlist columns = {0}, joined = {0};
    if (of_file) {
        _auto_free_ char *heads = xstrdup(spec);
        char *paths = strchr(heads, '\n'), *more = NULL;
        if (!paths)
            return err_set(e, ERR_BAD_REQUEST, "invalid custom-columns template file: two lines are needed");
        *paths++ = '\0';
        for (char *h = strtok_r(heads, " \t\r", &more); h; h = strtok_r(NULL, " \t\r", &more))
            strlist_add(&columns, h);
        size_t i = 0;
        for (char *p = strtok_r(paths, " \t\r\n", &more); p; p = strtok_r(NULL, " \t\r\n", &more), i++)
            strlist_addf(&joined, "%s:%s", i < columns.len ? columns.items[i] : "", p);
        if (i != columns.len)
            return err_set(e, ERR_BAD_REQUEST, "number of headers (%zu) and field specifications (%zu) don't match",
                           columns.len, i);
        if (i == 0)
            return err_set(e, ERR_BAD_REQUEST, "custom-columns format specified but no custom columns given");
        free(*text);
        *text = strlist_join(&joined, "\n");
        return 0;
    }
    strlist_split(&columns, spec, ',');
    for (size_t i = 0; i < columns.len; i++) {
        const char *colon = strchr(columns.items[i], ':');
        if (!colon || strchr(colon + 1, ':'))
            return err_set(e, ERR_BAD_REQUEST, "unexpected custom-columns spec: %s, expected <header>:<json-path-expr>",
                           columns.items[i]);
        for (char *p = columns.items[i]; *p; p++)
            *p = *p == '\n' ? ' ' : *p; /* lines divide columns from here on */
    }
    free(*text);
    *text = strlist_join(&columns, "\n");
    return 0;
}

static int add_cell(const char *path, const json_t *object, struct table *out, struct err *e)
{
    _auto_json_ json_t *found = NULL;
    size_t i;
    const json_t *v;
    if (jsonpath_find(path, object, true, &found, e) < 0)
        return -1;
    size_t shown = 0;
    json_array_foreach(found, i, v)
    {
        if (json_is_null(v) && json_array_size(found) == 1)
            break;
        buf_adds(&out->text, shown++ ? "," : "");
        go_plain_write(&out->text, v);
    }
    if (!shown)
        buf_adds(&out->text, "<none>");
    return 0;
}

static int add_row(const struct strlist *columns, const json_t *object, struct table *out, struct err *e)
{
    for (size_t i = 0; i < columns->len; i++) {
        buf_adds(&out->text, i ? "\t" : "");
        if (add_cell(strchr(columns->items[i], ':') + 1, object, out, e) < 0)
            return -1;
    }
    buf_addc(&out->text, '\n');
    return 0;
}

int columns_print(const char *spec, const json_t *object, bool no_headers, struct table *out, struct err *e)
{
    _auto_strlist_ struct strlist columns = {0};
    const json_t *items = json_object_get(object, "items"), *item;
    size_t i;
    strlist_split(&columns, spec, '\n');
    for (i = 0; !no_headers && i < columns.len; i++)
        buf_addf(&out->text, "%s%.*s", i ? "\t" : "", (int)strcspn(columns.items[i], ":"), columns.items[i]);
    if (!no_headers)
        buf_addc(&out->text, '\n');
    if (!json_is_array(items))
        return add_row(&columns, object, out, e);
    json_array_foreach(items, i, item) if (add_row(&columns, item, out, e) < 0) return -1;
    return 0;
}
