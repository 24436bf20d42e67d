/* marks.c - where things stand in a YAML text.
 *
 * DESIGN: the text is read once more, by libyaml's document tree, only for the places: a sorted table of paths. What
 * the values mean is the business of api/decode.h. THREADS: any; a struct marks is read only. */
#include "lab/fields.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct mark {
    char *path;
    int line, column;
};
struct marks {
    struct mark *items;
    size_t len, cap;
};

static void mark_add(struct marks *m, const char *path, const yaml_mark_t *at)
{
    if (m->len == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 256;
        m->items = xrealloc(m->items, m->cap * sizeof *m->items);
    }
    m->items[m->len++] = (struct mark){xstrdup(path), (int)at->line + 1, (int)at->column + 1};
}

#define DEPTH_MAX 64

static void walk(struct marks *m, yaml_document_t *doc, int index, const char *path, int depth);

static void walk_member(struct marks *m, yaml_document_t *doc, const yaml_node_pair_t *pair, const char *path,
                        int depth)
{
    const yaml_node_t *key = yaml_document_get_node(doc, pair->key);
    if (key->type != YAML_SCALAR_NODE)
        return;
    const char *name = (const char *)key->data.scalar.value;
    _auto_free_ char *inner = *path ? xasprintf("%s.%s", path, name) : xstrdup(name);
    mark_add(m, inner, &key->start_mark);
    walk(m, doc, pair->value, inner, depth + 1);
}

static void walk(struct marks *m, yaml_document_t *doc, int index, const char *path, int depth)
{
    const yaml_node_t *node = yaml_document_get_node(doc, index);
    if (!node || depth > DEPTH_MAX)
        return;
    if (node->type == YAML_MAPPING_NODE) {
        for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++)
            walk_member(m, doc, p, path, depth);
    } else if (node->type == YAML_SEQUENCE_NODE) {
        const yaml_node_item_t *first = node->data.sequence.items.start;
        for (const yaml_node_item_t *i = first; i < node->data.sequence.items.top; i++) {
            _auto_free_ char *inner = xasprintf("%s[%d]", path, (int)(i - first));
            mark_add(m, inner, &yaml_document_get_node(doc, *i)->start_mark);
            walk(m, doc, *i, inner, depth + 1);
        }
    }
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct mark *)a)->path, ((const struct mark *)b)->path);
}

struct marks *marks_read(const char *text, size_t len)
{
    yaml_parser_t parser;
    yaml_document_t doc;
    struct marks *m = NULL;
    if (!yaml_parser_initialize(&parser))
        return NULL;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (yaml_parser_load(&parser, &doc)) {
        m = xcalloc(1, sizeof *m);
        if (yaml_document_get_root_node(&doc))
            walk(m, &doc, 1, "", 0);
        if (m->len)
            qsort(m->items, m->len, sizeof *m->items, by_path);
        yaml_document_delete(&doc);
    }
    yaml_parser_delete(&parser);
    return m;
}

bool marks_refuse(const char *text, size_t len, const char *file, struct strlist *faults)
{
    yaml_parser_t parser;
    yaml_document_t doc;
    if (!yaml_parser_initialize(&parser))
        return false;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    const bool whole = yaml_parser_load(&parser, &doc);
    if (whole)
        yaml_document_delete(&doc);
    else
        strlist_addf(faults, "%s:%zu:%zu: %s", file, parser.problem_mark.line + 1, parser.problem_mark.column + 1,
                     parser.problem ? parser.problem : "this is no YAML");
    yaml_parser_delete(&parser);
    return !whole;
}

void marks_free(struct marks *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->len; i++)
        free(m->items[i].path);
    free(m->items);
    free(m);
}

static const struct mark *find(const struct marks *m, const char *path)
{
    const struct mark key = {.path = (char *)(uintptr_t)path};
    return m->len ? bsearch(&key, m->items, m->len, sizeof key, by_path) : NULL;
}

void marks_find(const struct marks *m, const char *path, int *out_line, int *out_column)
{
    _auto_free_ char *around = xstrdup(path);
    const struct mark *found = m ? find(m, around) : NULL;
    while (m && !found && *around) { /* the thing around it: up to the last '.' or '[' */
        size_t n = strlen(around);
        while (n > 0 && around[n - 1] != '.' && around[n - 1] != '[')
            n--;
        around[n ? n - 1 : 0] = '\0';
        found = find(m, around);
    }
    *out_line = found ? found->line : 1;
    *out_column = found ? found->column : 1;
}
