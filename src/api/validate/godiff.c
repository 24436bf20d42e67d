/* godiff.c - differences of two objects, as go-cmp reports them in the texts of immutability errors.
 *
 * DESIGN: gotree.c compares, gotext.c lays out; here stands what is shown: of equal neighbours two on each side, the
 * others counted; of equal values at most four members; of changed ones what was removed (-) and what was added (+).
 * `verbosity` bounds how much of a value is shown and falls with each level of nesting.
 * Left out: go-cmp's special form for long texts.
 * THREADS: pure functions. Source of the format: google/go-cmp, cmp/report_compare.go and report_reflect.go. */
#include "api/validate/godiff_int.h"

enum { CONTEXT = 2, VERBOSITY_SAME = 1, VERBOSITY_CHANGED = 3 };
enum diff_mode { DIFF_BOTH, DIFF_SAME, DIFF_REMOVED, DIFF_INSERTED };
enum type_mode { TYPE_EMIT, TYPE_ELIDE, TYPE_AUTO };

struct format {
    enum diff_mode mode;
    enum type_mode types;
    int verbosity;
    json_t *keep;
};

static unsigned level(const struct format *f)
{
    return f->verbosity < 0 ? 0 : (unsigned)f->verbosity;
}

/* How many members of an equal or whole value are shown. */
static size_t value_limit(const struct format *f)
{
    return ((1U << level(f)) >> 1) << 2;
}

static struct text *nil_text(void)
{
    return text_line(xstrdup("nil"));
}

/* -- types -- */

static void type_name(const struct go_type *t, struct buf *out)
{
    if (t->kind == GO_STRUCT && t->of != NULL)
        go_type_name_write(out, t->of, t->of->go_name);
    else
        go_type_name_write(out, t->field->type != NULL ? t->field->type : t->holder,
                           t->kind == GO_SCALAR ? t->field->go_type : t->field->go_whole);
}

/* Takes `value`; puts the type's name in front where Go needs it. */
static struct text *with_type(const struct format *f, const struct go_type *t, struct text *value)
{
    bool composite = t->kind == GO_STRUCT || t->kind == GO_SLICE || t->kind == GO_MAP;
    bool nil = value->kind == TEXT_LINE && strcmp(value->line, "nil") == 0;
    if (f->types == TYPE_ELIDE)
        return value;
    if (f->types == TYPE_AUTO && (!composite || nil || f->mode == DIFF_SAME))
        return value;
    _auto_buf_ struct buf b = BUF_INIT;
    type_name(t, &b);
    return text_wrap(buf_steal(&b, NULL), value, "");
}

/* -- one value -- */

static struct text *value_text(struct format f, const struct go_type *t, const json_t *v);

static struct text *string_text(const struct format *f, const char *prefix, const char *s)
{
    _auto_buf_ struct buf b = BUF_INIT;
    size_t n = strlen(s), max = (size_t)1 << level(f) << 5;
    bool cut = n > max + 3;
    buf_adds(&b, prefix);
    buf_add_quoted(&b, s, cut ? max : n);
    buf_adds(&b, cut ? "..." : "");
    return text_line(buf_steal(&b, NULL));
}

static struct text *scalar_text(const struct format *f, const struct go_type *t, const json_t *v)
{
    switch (t->field->base) {
    case SB_BOOL:
        return text_line(xstrdup(json_is_true(v) ? "true" : "false"));
    case SB_INT32:
    case SB_INT64:
        return text_line(xasprintf("%lld", (long long)json_integer_value(v)));
    case SB_TIME:
    case SB_MICROTIME:
        return string_text(f, "s", json_is_string(v) ? json_string_value(v) : "");
    default:
        return string_text(f, "", json_is_string(v) ? json_string_value(v) : "");
    }
}

static struct text *struct_text(struct format f, const struct go_type *t, const json_t *v)
{
    _cleanup_(go_members_release) struct go_members members = {0};
    struct text *list = text_list();
    size_t max = value_limit(&f);
    f.verbosity--;
    f.types = TYPE_AUTO;
    go_members_of(t->of, &members);
    for (size_t i = 0; i < members.len; i++) {
        const struct go_member *m = &members.items[i];
        const json_t *value = go_member_value(m, v, f.keep);
        if (go_is_zero(&m->type, value, f.keep))
            continue;
        if (list->len == max) {
            text_list_ellipsis(list, NULL);
            break;
        }
        text_list_add(list, 0, xstrdup(m->name), value_text(f, &m->type, value));
    }
    return text_wrap(xstrdup("{"), list, "}");
}

static struct text *slice_text(struct format f, const struct go_type *t, const json_t *v)
{
    struct go_type element = go_element(t);
    struct text *list = text_list();
    size_t max = value_limit(&f), i;
    json_t *item;
    f.verbosity--;
    f.types = TYPE_ELIDE;
    json_array_foreach(v, i, item)
    {
        if (list->len == max) {
            text_list_ellipsis(list, NULL);
            break;
        }
        text_list_add(list, 0, NULL, value_text(f, &element, go_value_of(&element, item, f.keep)));
    }
    return text_wrap(xstrdup("{"), list, "}");
}

static struct text *map_text(struct format f, const struct go_type *t, const json_t *v)
{
    _auto_strlist_ struct strlist keys = {0};
    struct go_type element = go_element(t);
    struct text *list = text_list();
    size_t max = value_limit(&f);
    f.verbosity--;
    f.types = TYPE_ELIDE;
    sorted_keys(v, &keys);
    for (size_t i = 0; i < keys.len; i++) {
        if (list->len == max) {
            text_list_ellipsis(list, NULL);
            break;
        }
        const json_t *value = go_value_of(&element, json_object_get(v, keys.items[i]), f.keep);
        text_list_add(list, 0, go_map_key_text(t, keys.items[i]), value_text(f, &element, value));
    }
    return text_wrap(xstrdup("{"), list, "}");
}

/* The String() of a *metav1.LabelSelector, which the report calls. Returns new text. */
static char *selector_string(const json_t *selector)
{
    _auto_buf_ struct buf b = BUF_INIT;
    _auto_strlist_ struct strlist keys = {0};
    const json_t *labels = vget(selector, "matchLabels");
    size_t i, j;
    json_t *req, *value;
    sorted_keys(labels, &keys);
    buf_adds(&b, "&LabelSelector{MatchLabels:map[string]string{");
    for (i = 0; i < keys.len; i++)
        buf_addf(&b, "%s: %s,", keys.items[i], vstr(labels, keys.items[i]));
    buf_adds(&b, "},MatchExpressions:[]LabelSelectorRequirement{");
    json_array_foreach(vget(selector, "matchExpressions"), i, req)
    {
        buf_addf(&b, "LabelSelectorRequirement{Key:%s,Operator:%s,Values:[", vstr(req, "key"), vstr(req, "operator"));
        json_array_foreach(vget(req, "values"), j, value)
            buf_addf(&b, "%s%s", j > 0 ? " " : "", json_string_value(value));
        buf_adds(&b, "],},");
    }
    buf_adds(&b, "},}");
    return buf_steal(&b, NULL);
}

static struct text *pointer_text(struct format f, const struct go_type *t, const json_t *v)
{
    struct go_type element = go_element(t);
    if (element.of != NULL && strcmp(element.of->name, "meta.v1.LabelSelector") == 0) {
        _auto_free_ char *s = selector_string(v);
        return string_text(&f, "s", s);
    }
    if (t->field->base == SB_QUANTITY) {
        char text[QUANTITY_TEXT_LEN];
        qty_text(v, text);
        return string_text(&f, "s", text);
    }
    return text_wrap(xstrdup("&"), value_text(f, &element, go_value_of(&element, v, f.keep)), "");
}

static struct text *value_text(struct format f, const struct go_type *t, const json_t *v)
{
    bool reference = t->kind == GO_PTR || t->kind == GO_SLICE || t->kind == GO_MAP;
    if (reference && v == NULL)
        return t->kind == GO_PTR ? nil_text() : with_type(&f, t, nil_text());
    switch (t->kind) {
    case GO_STRUCT:
        return with_type(&f, t, struct_text(f, t, v));
    case GO_SLICE:
        return with_type(&f, t, slice_text(f, t, v));
    case GO_MAP:
        return with_type(&f, t, map_text(f, t, v));
    case GO_PTR:
        return pointer_text(f, t, v);
    default:
        return with_type(&f, t, scalar_text(&f, t, v));
    }
}

/* -- a node of the comparison -- */

static struct text *node_text(struct format f, const struct go_node *n);

static struct text *leaf_text(struct format f, const struct go_node *n)
{
    if (f.mode == DIFF_REMOVED)
        return n->x.valid ? value_text(f, &n->type, n->x.v) : NULL;
    if (f.mode == DIFF_INSERTED || !n->x.valid)
        return n->y.valid ? value_text(f, &n->type, n->y.v) : NULL;
    return value_text(f, &n->type, n->x.v);
}

static const char *record_name(const struct go_node *n)
{
    return n->type.kind == GO_STRUCT ? "field" : n->type.kind == GO_MAP ? "entry" : "element";
}

static char *key_of(const struct go_node *n)
{
    return n->name != NULL ? xstrdup(n->name) : NULL;
}

/* A child whose side is shown alone or that is equal on both. */
static bool child_is_zero(const struct format *f, const struct go_node *child)
{
    bool x = go_is_zero(&child->type, child->x.v, f->keep), y = go_is_zero(&child->type, child->y.v, f->keep);
    return f->mode == DIFF_SAME ? x || y : f->mode == DIFF_REMOVED ? x : y;
}

static struct text *whole_list(struct format f, const struct go_node *n, size_t max)
{
    struct text *list = text_list();
    for (size_t i = 0; i < n->len; i++) {
        const struct go_node *child = n->children[i];
        if (list->len == max) {
            text_list_ellipsis(list, NULL);
            break;
        }
        if (n->type.kind == GO_STRUCT && child_is_zero(&f, child))
            continue;
        struct text *value = node_text(f, child);
        if (value != NULL)
            text_list_add(list, 0, key_of(child), value);
    }
    return list;
}

/* Some equal neighbours: the first and last of them, the others counted. */
static void same_group(struct format f, const struct go_node *n, size_t start, size_t count, struct text *list)
{
    bool first = start == 0, last = start + count == n->len;
    size_t low = 0, high = 0;
    while (low < CONTEXT && low + high < count && !first)
        low++;
    while (high < CONTEXT && low + high < count && !last)
        high++;
    if (count - (low + high) == 1)
        high++;
    f.mode = DIFF_SAME;
    for (size_t i = 0; i < count; i++) {
        const struct go_node *child = n->children[start + i];
        if (i >= low && i < count - high) {
            struct diff_stats stats = {.name = record_name(n), .identical = count - (low + high)};
            text_list_ellipsis(list, &stats);
            i = count - high - 1;
            continue;
        }
        text_list_add(list, 0, key_of(child), node_text(f, child));
    }
}

/* A changed child: both sides whole when there is nothing to tell apart inside, else the differences inside. */
static void changed_child(struct format f, const struct go_node *child, struct text *list)
{
    if (child->descendants != child->depth) {
        text_list_add(list, 0, key_of(child), node_text(f, child));
        return;
    }
    f.mode = DIFF_REMOVED;
    struct text *x = node_text(f, child);
    f.mode = DIFF_INSERTED;
    struct text *y = node_text(f, child);
    for (int more = 2; x != NULL && y != NULL && text_equal(x, y) && more <= 12; more += 2) {
        struct format wider = f;
        wider.verbosity += more;
        text_free(x);
        text_free(y);
        wider.mode = DIFF_REMOVED;
        x = node_text(wider, child);
        wider.mode = DIFF_INSERTED;
        y = node_text(wider, child);
    }
    if (x != NULL)
        text_list_add(list, '-', key_of(child), x);
    if (y != NULL)
        text_list_add(list, '+', key_of(child), y);
}

static void count_changed(const struct go_node *child, struct diff_stats *stats)
{
    stats->removed += !child->y.valid;
    stats->inserted += !child->x.valid;
    stats->modified += child->x.valid && child->y.valid;
}

static struct text *changed_list(struct format f, const struct go_node *n, size_t max)
{
    struct text *list = text_list();
    struct diff_stats beyond = {.name = record_name(n)};
    size_t changed = 0, i = 0;
    bool any_beyond = false;
    while (i < n->len) {
        bool equal = n->children[i]->diff == 0;
        size_t end = i;
        while (end < n->len && (n->children[end]->diff == 0) == equal)
            end++;
        if (changed >= max) {
            any_beyond = true;
            for (size_t k = i; k < end; k++)
                equal ? (void)beyond.identical++ : count_changed(n->children[k], &beyond);
        } else if (equal) {
            same_group(f, n, i, end - i, list);
        } else {
            for (size_t k = i; k < end; k++)
                changed_child(f, n->children[k], list);
            changed += end - i;
        }
        i = end;
    }
    if (any_beyond)
        text_list_ellipsis(list, &beyond);
    return list;
}

static struct text *list_text(struct format f, const struct go_node *n)
{
    size_t max = f.mode == DIFF_SAME ? value_limit(&f) : (size_t)1 << level(&f) << 1;
    f.verbosity--;
    f.types = n->type.kind == GO_STRUCT ? TYPE_AUTO : TYPE_ELIDE;
    struct text *list = f.mode == DIFF_BOTH ? changed_list(f, n, max) : whole_list(f, n, max);
    return text_wrap(xstrdup("{"), list, "}");
}

static struct text *node_text(struct format f, const struct go_node *n)
{
    if (f.mode == DIFF_SAME)
        f.verbosity = VERBOSITY_SAME;
    else if (level(&f) < VERBOSITY_CHANGED)
        f.verbosity = VERBOSITY_CHANGED;
    if (n->depth == 0)
        return leaf_text(f, n);
    if (n->type.kind == GO_PTR)
        return text_wrap(xstrdup("&"), node_text(f, n->children[0]), "");
    return with_type(&f, &n->type, list_text(f, n));
}

/* -- all of it -- */

/* Internal pods keep the host's namespaces in the security context. Returns new. */
static json_t *pod_spec_internal(const json_t *spec)
{
    static const char *const moved[] = {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"};
    json_t *out = json_copy((json_t *)spec);
    json_t *context = vhas(spec, "securityContext") ? json_copy(vget(spec, "securityContext")) : json_object();
    for (size_t i = 0; i < ARRAY_LEN(moved); i++) {
        json_t *v = vget(spec, moved[i]);
        if (v != NULL)
            json_object_set(context, moved[i], v);
    }
    json_object_set_new(out, "securityContext", context);
    return out;
}

char *go_diff(const char *type, const json_t *before, const json_t *after)
{
    const struct schema_type *t = go_known_type(type);
    bool pod = strcmp(type, "core.v1.PodSpec") == 0;
    _auto_buf_ struct buf out = BUF_INIT;
    _auto_json_ json_t *keep = json_array();
    if (pod) {
        json_array_append_new(keep, pod_spec_internal(before));
        before = json_array_get(keep, json_array_size(keep) - 1);
        json_array_append_new(keep, pod_spec_internal(after));
        after = json_array_get(keep, json_array_size(keep) - 1);
    }
    struct go_node *root = go_compare(t, before, after, keep);
    struct format f = {.mode = DIFF_BOTH, .types = TYPE_EMIT, .keep = keep};
    struct text *text = node_text(f, root);
    text_render(text, &out);
    text_free(text);
    go_node_free(root);
    return buf_steal(&out, NULL);
}
