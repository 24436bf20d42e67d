/* yaml_read.c - YAML to trees, and to the JSON text a real server would make of it.
 *
 * DESIGN: libyaml gives events; a recursive builder makes jansson trees of them. Anchors share what they name, so an
 * alias costs nothing here; but whoever copies or writes the tree pays, so the expanded weight is counted and bounded
 * (a few nested aliases would be gigabytes). Nesting is bounded, too. Duplicate keys are noted with their line and the
 * last one wins. Error texts and lines are those of Go's yaml.v2, whose scanner is a translation of libyaml. THREADS:
 * pure. */
#include "api/decode_int.h"

#include "api/yaml_int.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 1000, WEIGHT_BASE = 1 << 20, WEIGHT_PER_BYTE = 10 };

struct anchor {
    char *name;    /* owned */
    json_t *value; /* owned; NULL while it is being read */
    size_t weight;
};

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    bool have_event;
    struct anchor *anchors;
    size_t anchor_count;
    size_t weight;     /* nodes and bytes so far, aliases expanded */
    size_t weight_max; /* ten times the text and a bit */
    struct strlist *dups;
    struct err *e;
};

static void reader_release(struct reader *r)
{
    if (r->have_event)
        yaml_event_delete(&r->event);
    yaml_parser_delete(&r->parser);
    for (size_t i = 0; i < r->anchor_count; i++) {
        free(r->anchors[i].name);
        json_decref(r->anchors[i].value);
    }
    free(r->anchors);
}

static void reader_init(struct reader *r, const char *text, size_t len, struct strlist *dups, struct err *e)
{
    *r = (struct reader){.weight_max = WEIGHT_BASE + len * WEIGHT_PER_BYTE, .dups = dups, .e = e};
    if (!yaml_parser_initialize(&r->parser))
        BUG("out of memory");
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, len);
}

/* -- events -- */

static int refuse(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    size_t line = p->problem_mark.line;
    if (line && p->error == YAML_SCANNER_ERROR)
        line++;
    if (!line)
        line = p->context_mark.line;
    const char *problem = p->problem ? p->problem : "unknown problem parsing YAML content";
    if (line)
        return err_set(r->e, ERR_BAD_REQUEST, "yaml: line %zu: %s", line, problem);
    return err_set(r->e, ERR_BAD_REQUEST, "yaml: %s", problem);
}

static int next(struct reader *r)
{
    if (r->have_event)
        yaml_event_delete(&r->event);
    r->have_event = yaml_parser_parse(&r->parser, &r->event) != 0;
    return r->have_event ? 0 : refuse(r);
}

static int weigh(struct reader *r, size_t more)
{
    r->weight += more;
    if (r->weight > r->weight_max)
        return err_set(r->e, ERR_BAD_REQUEST, "yaml: document contains excessive aliasing");
    return 0;
}

/* -- anchors -- */

static struct anchor *anchor_find(struct reader *r, const char *name)
{
    for (size_t i = r->anchor_count; i-- > 0;)
        if (strcmp(r->anchors[i].name, name) == 0)
            return &r->anchors[i];
    return NULL;
}

/* Names what is about to be read. Returns its place, or SIZE_MAX without an anchor. */
static size_t anchor_open(struct reader *r, const yaml_char_t *name)
{
    if (!name)
        return SIZE_MAX;
    r->anchors = xrealloc(r->anchors, (r->anchor_count + 1) * sizeof *r->anchors);
    r->anchors[r->anchor_count] = (struct anchor){.name = xstrdup((const char *)name), .weight = r->weight};
    return r->anchor_count++;
}

static void anchor_close(struct reader *r, size_t at, json_t *value)
{
    if (at == SIZE_MAX)
        return;
    r->anchors[at].value = json_incref(value);
    r->anchors[at].weight = r->weight - r->anchors[at].weight;
}

static int alias_read(struct reader *r, json_t **out)
{
    const char *name = (const char *)r->event.data.alias.anchor;
    struct anchor *a = anchor_find(r, name);
    if (!a)
        return err_set(r->e, ERR_BAD_REQUEST, "yaml: unknown anchor '%s' referenced", name);
    if (!a->value)
        return err_set(r->e, ERR_BAD_REQUEST, "yaml: anchor '%s' value contains itself", name);
    if (weigh(r, a->weight + 1) < 0)
        return -1;
    *out = json_incref(a->value);
    return 0;
}

/* -- nodes -- */

static int node_read(struct reader *r, unsigned depth, json_t **out);

static bool tag_is(const yaml_event_t *ev, const char *tag)
{
    const char *t = (const char *)ev->data.scalar.tag;
    return t && strncmp(t, "tag:yaml.org,2002:", 18) == 0 && strcmp(t + 18, tag) == 0;
}

static json_t *scalar_value(const yaml_event_t *ev)
{
    const char *s = (const char *)ev->data.scalar.value;
    size_t n = ev->data.scalar.length;
    bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && ev->data.scalar.plain_implicit;
    if (plain || tag_is(ev, "int") || tag_is(ev, "float") || tag_is(ev, "bool") || tag_is(ev, "null"))
        return yaml_resolve(s, n);
    return json_stringn_nocheck(s, n);
}

static int scalar_read(struct reader *r, json_t **out)
{
    const yaml_event_t *ev = &r->event;
    if (weigh(r, ev->data.scalar.length + 1) < 0)
        return -1;
    if (ev->data.scalar.plain_implicit &&
        yaml_is_not_finite((const char *)ev->data.scalar.value, ev->data.scalar.length))
        return err_set(r->e, ERR_BAD_REQUEST, "json: unsupported value: %s",
                       strpbrk((const char *)ev->data.scalar.value, "iI") ? "+Inf" : "NaN");
    size_t anchor = anchor_open(r, ev->data.scalar.anchor);
    *out = scalar_value(ev);
    anchor_close(r, anchor, *out);
    return 0;
}

static int list_read(struct reader *r, unsigned depth, json_t **out)
{
    _auto_json_ json_t *list = json_array();
    size_t anchor = anchor_open(r, r->event.data.sequence_start.anchor);
    if (weigh(r, 1) < 0 || next(r) < 0)
        return -1;
    while (r->event.type != YAML_SEQUENCE_END_EVENT) {
        json_t *item = NULL;
        if (node_read(r, depth + 1, &item) < 0)
            return -1;
        json_array_append_new(list, item);
        if (next(r) < 0)
            return -1;
    }
    anchor_close(r, anchor, list);
    *out = TAKE(list);
    return 0;
}

/* A key as JSON has it: numbers and booleans become their text. */
static int key_text(struct reader *r, const json_t *key, struct buf *out)
{
    buf_clear(out);
    if (json_is_string(key)) {
        size_t n = 0;
        _auto_free_ char *text = json_key_clean(json_string_value(key), json_string_length(key), &n);
        buf_add(out, text, n);
    } else if (json_is_number(key) || json_is_boolean(key))
        json_write(out, key);
    else
        return err_set(r->e, ERR_BAD_REQUEST, "error converting YAML to JSON: unsupported map key");
    buf_reserve(out, 1)[0] = '\0';
    return 0;
}

static void dup_note(struct reader *r, const json_t *key, size_t line)
{
    if (!r->dups || r->dups->len >= 100)
        return;
    _auto_buf_ struct buf text = BUF_INIT;
    buf_addf(&text, "line %zu: key ", line + 1);
    if (json_is_string(key))
        buf_add_quoted(&text, json_string_value(key), json_string_length(key));
    else
        json_write(&text, key);
    buf_adds(&text, " already set in map");
    strlist_add(r->dups, text.data);
}

static int merge_into(struct reader *r, json_t *map, const json_t *value)
{
    if (json_is_object(value)) {
        json_object_update(map, (json_t *)value);
        return 0;
    }
    size_t n = json_array_size(value);
    for (size_t i = n; i-- > 0;) { /* earlier maps win */
        json_t *item = json_array_get(value, i);
        if (!json_is_object(item))
            n = 0;
        else
            json_object_update(map, item);
    }
    if (n == 0)
        return err_set(r->e, ERR_BAD_REQUEST, "yaml: map merge requires map or sequence of maps as the value");
    return 0;
}

/* The key is the current event; reads it and its value into the map. */
static int member_read(struct reader *r, unsigned depth, json_t *map)
{
    _auto_json_ json_t *key = NULL;
    _auto_json_ json_t *value = NULL;
    _auto_buf_ struct buf text = BUF_INIT;
    size_t line = r->event.start_mark.line;
    bool merge = r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.plain_implicit &&
                 strcmp((const char *)r->event.data.scalar.value, "<<") == 0;
    if (node_read(r, depth + 1, &key) < 0 || next(r) < 0 || node_read(r, depth + 1, &value) < 0)
        return -1;
    if (merge)
        return merge_into(r, map, value);
    if (key_text(r, key, &text) < 0)
        return -1;
    if (json_object_getn(map, text.data, text.len))
        dup_note(r, key, line);
    json_object_setn_new_nocheck(map, text.data, text.len, TAKE(value));
    return 0;
}

static int map_read(struct reader *r, unsigned depth, json_t **out)
{
    _auto_json_ json_t *map = json_object();
    size_t anchor = anchor_open(r, r->event.data.mapping_start.anchor);
    if (weigh(r, 1) < 0 || next(r) < 0)
        return -1;
    while (r->event.type != YAML_MAPPING_END_EVENT)
        if (member_read(r, depth, map) < 0 || next(r) < 0)
            return -1;
    anchor_close(r, anchor, map);
    *out = TAKE(map);
    return 0;
}

/* The node whose first event is current. */
static int node_read(struct reader *r, unsigned depth, json_t **out)
{
    if (depth > DEPTH_MAX)
        return err_set(r->e, ERR_BAD_REQUEST, "yaml: exceeded max depth");
    switch (r->event.type) {
    case YAML_ALIAS_EVENT:
        return alias_read(r, out);
    case YAML_SCALAR_EVENT:
        return scalar_read(r, out);
    case YAML_SEQUENCE_START_EVENT:
        return list_read(r, depth, out);
    case YAML_MAPPING_START_EVENT:
        return map_read(r, depth, out);
    default:
        return err_set(r->e, ERR_BAD_REQUEST, "yaml: unexpected event");
    }
}

/* The next document: 1 and *out, or 0 at the end of the text. */
static int document_read(struct reader *r, json_t **out)
{
    do {
        if (next(r) < 0)
            return -1;
        if (r->event.type == YAML_STREAM_END_EVENT)
            return 0;
    } while (r->event.type != YAML_DOCUMENT_START_EVENT);
    _auto_json_ json_t *doc = NULL;
    if (next(r) < 0 || node_read(r, 0, &doc) < 0 || next(r) < 0)
        return -1;
    *out = TAKE(doc);
    return 1;
}

int yaml_parse(const char *text, size_t len, json_t **out, struct strlist *dups, struct err *e)
{
    __attribute__((cleanup(reader_release))) struct reader r;
    reader_init(&r, text, len, dups, e);
    json_t *doc = NULL;
    int rc = document_read(&r, &doc);
    if (rc < 0)
        return -1;
    *out = rc ? doc : json_null();
    return 0;
}

int yaml_parse_all(const char *text, size_t len, json_t **out_array, struct err *e)
{
    __attribute__((cleanup(reader_release))) struct reader r;
    reader_init(&r, text, len, NULL, e);
    _auto_json_ json_t *all = json_array();
    json_t *doc = NULL;
    int rc;
    while ((rc = document_read(&r, &doc)) > 0) {
        if (json_is_null(doc)) /* "---" with nothing behind it */
            json_decref(doc);
        else
            json_array_append_new(all, doc);
    }
    if (rc < 0)
        return -1;
    *out_array = TAKE(all);
    return 0;
}

/* -- as JSON text -- */

static int key_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sorted_write(struct buf *out, const json_t *v);

static void sorted_object_write(struct buf *out, const json_t *v)
{
    size_t n = json_object_size(v), at = 0;
    _auto_free_ const char **keys = xcalloc(n, sizeof *keys);
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)v, key, item) keys[at++] = key;
    qsort(keys, n, sizeof *keys, key_compare);
    buf_addc(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_addc(out, ',');
        buf_add_json_string(out, keys[i], strlen(keys[i]));
        buf_addc(out, ':');
        sorted_write(out, json_object_get(v, keys[i]));
    }
    buf_addc(out, '}');
}

static void sorted_write(struct buf *out, const json_t *v)
{
    if (json_is_object(v)) {
        sorted_object_write(out, v);
    } else if (json_is_array(v)) {
        buf_addc(out, '[');
        for (size_t i = 0; i < json_array_size(v); i++) {
            if (i)
                buf_addc(out, ',');
            sorted_write(out, json_array_get(v, i));
        }
        buf_addc(out, ']');
    } else {
        json_write(out, v);
    }
}

int yaml_to_json_text(const char *text, size_t len, struct buf *out, struct strlist *dups, struct err *e)
{
    _auto_json_ json_t *doc = NULL;
    if (yaml_parse(text, len, &doc, dups, e) < 0)
        return -1;
    sorted_write(out, doc);
    return 0;
}
