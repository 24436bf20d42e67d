/* schema_parse.c - the compact notation (described in schema.c) to the structs of schema.h.
 *
 * DESIGN: three passes over one private copy of the text, in which words are cut apart in place. The first finds the
 * types (a name may be used before it is described), the second reads the fields, the third copies inlined structs into
 * their holders. Everything lives as long as the process. THREADS: called once. */
#include "api/schema_int.h"

#include "api/decode_int.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 16, MAX_FIELDS = SCHEMA_FIELDS_MAX };

/* A type under construction; `type` is first, so that references to it stay valid. */
struct draft {
    struct schema_type type;
    char **lines; /* its field lines */
    size_t line_count;
    struct schema_field *own; /* parsed fields, inlined ones not expanded */
    size_t own_count;
    const char *package; /* "core.v1" */
    bool expanded;
};

struct parser {
    struct draft **drafts;
    size_t count, cap;
    struct draft **index; /* by name */
    size_t index_size;
    const char *package, *group, *version, *openapi; /* of the current `package` line */
    const char *line;                                /* for errors */
    struct err *e;
};

static int bad(struct parser *p, const char *why, const char *what)
{
    return err_set(p->e, ERR_CORRUPT, "%s \"%s\" in line: %s", why, what ? what : "", p->line);
}

/* Cuts `line` into words in place; the text after " -- " goes to *out_descr. */
static size_t words_cut(char *line, char *words[MAX_WORDS], const char **out_descr)
{
    char *descr = strstr(line, " -- ");
    if (descr) {
        *descr = '\0';
        *out_descr = descr + 4;
    }
    size_t n = 0;
    char *save = NULL;
    for (char *w = strtok_r(line, " ", &save); w && n < MAX_WORDS; w = strtok_r(NULL, " ", &save))
        words[n++] = w;
    return n;
}

/* -- types -- */

/* After the first pass: a hash of the names, at most half full. */
static void index_drafts(struct parser *p)
{
    for (p->index_size = 64; p->index_size < p->count * 2;)
        p->index_size *= 2;
    p->index = xcalloc(p->index_size, sizeof *p->index);
    for (size_t i = 0; i < p->count; i++) {
        const char *name = p->drafts[i]->type.name;
        size_t at = str_hash32(name, strlen(name)) & (p->index_size - 1);
        while (p->index[at])
            at = (at + 1) & (p->index_size - 1);
        p->index[at] = p->drafts[i];
    }
}

static struct draft *draft_find(struct parser *p, const char *name)
{
    size_t at = str_hash32(name, strlen(name)) & (p->index_size - 1);
    for (; p->index[at]; at = (at + 1) & (p->index_size - 1))
        if (strcmp(p->index[at]->type.name, name) == 0)
            return p->index[at];
    return NULL;
}

static struct draft *draft_add(struct parser *p, const char *name, const char *suffix)
{
    if (p->count == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 256;
        p->drafts = xrealloc(p->drafts, p->cap * sizeof(struct draft *));
    }
    struct draft *d = xcalloc(1, sizeof *d);
    const char *last_dot = strchr(p->package, '.');
    d->package = p->package;
    d->type.name = xasprintf("%s.%s%s", p->package, name, suffix);
    d->type.go_name = xasprintf("%s.%s%s", last_dot ? last_dot + 1 : p->package, name, suffix);
    d->type.openapi_name = xasprintf("%s.%s%s", p->openapi, name, suffix);
    p->drafts[p->count++] = d;
    return d;
}

static void draft_make_kind(struct parser *p, struct draft *d)
{
    d->type.group = p->group;
    d->type.version = p->version;
    d->type.kind = strrchr(d->type.name, '.') + 1;
}

static void line_add(struct draft *d, char *line)
{
    if ((d->line_count & (d->line_count + 1)) == 0) /* 0, 1, 3, 7, …: full */
        d->lines = xrealloc(d->lines, (d->line_count + 1) * 2 * sizeof(char *));
    d->lines[d->line_count++] = line;
}

static void list_kind_add(struct parser *p, const char *name)
{
    struct draft *d = draft_add(p, name, "List");
    draft_make_kind(p, d);
    d->type.is_list = true;
    d->type.descr = xasprintf("A list of %s objects.", name);
    line_add(d, xstrdup("metadata 1 meta.v1.ListMeta -- What a list carries: its resource version and how to go on."));
    line_add(d, xasprintf("items 2 []%s always required unlisted -- The objects.", name));
}

static int package_line(struct parser *p, char *line)
{
    char *words[MAX_WORDS];
    const char *descr = NULL;
    size_t n = words_cut(line, words, &descr);
    if (n < 3)
        return bad(p, "short package", line);
    p->package = words[1];
    p->group = "";
    p->version = "v1";
    for (size_t i = 2; i < n; i++) {
        if (str_starts(words[i], "group="))
            p->group = words[i] + 6;
        else if (str_starts(words[i], "version="))
            p->version = words[i] + 8;
        else if (str_starts(words[i], "openapi="))
            p->openapi = words[i] + 8;
        else
            return bad(p, "unknown word", words[i]);
    }
    return p->openapi ? 0 : bad(p, "no openapi in package", p->package);
}

static int type_line(struct parser *p, char *line, struct draft **out)
{
    char *words[MAX_WORDS];
    const char *descr = NULL;
    size_t n = words_cut(line, words, &descr);
    if (n < 2 || !p->package)
        return bad(p, "a type needs a name and a package", line);
    struct draft *d = draft_add(p, words[1], "");
    d->type.descr = descr;
    bool is_kind = strcmp(words[0], "kind") == 0;
    if (is_kind)
        draft_make_kind(p, d);
    bool list = false;
    for (size_t i = 2; i < n; i++) {
        if (strcmp(words[i], "list") == 0 && is_kind)
            list = true;
        else if (strcmp(words[i], "atomic") == 0)
            d->type.map_atomic = true;
        else if (strcmp(words[i], "embedded") == 0)
            d->type.embedded = true;
        else
            return bad(p, "unknown word", words[i]);
    }
    if (list)
        list_kind_add(p, words[1]);
    *out = d;
    return 0;
}

/* First pass: packages and types; field lines are kept for the second. */
static int types_find(struct parser *p, char *text)
{
    struct draft *current = NULL;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        p->line = line;
        int rc = 0;
        if (line[0] == '#')
            continue;
        if (str_starts(line, "package "))
            rc = package_line(p, line);
        else if (str_starts(line, "type ") || str_starts(line, "kind "))
            rc = type_line(p, line, &current);
        else if (line[0] == ' ' && current)
            line_add(current, line);
        else
            rc = bad(p, "what is", line);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* -- fields -- */

static const struct {
    const char *name;
    enum schema_base base;
    const char *go;
    bool struct_like; /* Go always writes it when held by value */
} bases[] = {
    {"string", SB_STRING, "string", false},
    {"bool", SB_BOOL, "bool", false},
    {"int32", SB_INT32, "int32", false},
    {"int64", SB_INT64, "int64", false},
    {"double", SB_DOUBLE, "float64", false},
    {"bytes", SB_BYTES, "[]uint8", false},
    {"time", SB_TIME, "v1.Time", true},
    {"microtime", SB_MICROTIME, "v1.MicroTime", true},
    {"quantity", SB_QUANTITY, "resource.Quantity", true},
    {"intstr", SB_INT_OR_STRING, "intstr.IntOrString", true},
    {"any", SB_ANY, "runtime.RawExtension", true},
};

static const char *go_qualified(const char *name)
{
    return strchr(name, '.') ? name : xasprintf("v1.%s", name);
}

static int base_parse(struct parser *p, const struct draft *d, struct schema_field *f, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
        if (strcmp(bases[i].name, name) != 0)
            continue;
        f->base = bases[i].base;
        f->go_type = bases[i].go;
        if (bases[i].struct_like && f->shape == SHAPE_ONE && !f->nullable_pointer)
            f->always = true;
        return 0;
    }
    _auto_free_ char *full = strchr(name, '.') ? xstrdup(name) : xasprintf("%s.%s", d->package, name);
    struct draft *ref = draft_find(p, full);
    if (!ref)
        return bad(p, "unknown type", full);
    f->base = SB_OBJECT;
    f->type = &ref->type;
    f->go_type = ref->type.go_name;
    if (f->shape == SHAPE_ONE && !f->nullable_pointer)
        f->always = true;
    return 0;
}

/* The prefix of a type: '*', "[]", "{}", "{Key}", "{}[]". Returns what follows; *out_key is the map key's Go type or
 * "". */
static char *shape_parse(struct schema_field *f, char *s, const char **out_key)
{
    *out_key = "";
    if (*s == '*') {
        f->nullable_pointer = true;
        s++;
    }
    if (s[0] == '[' && s[1] == ']') {
        f->shape = SHAPE_LIST;
        return s + 2;
    }
    char *end = *s == '{' ? strchr(s, '}') : NULL;
    if (!end)
        return s;
    *end = '\0';
    *out_key = s + 1;
    s = end + 1;
    f->shape = SHAPE_MAP;
    if (s[0] == '[' && s[1] == ']') {
        f->shape = SHAPE_MAP_OF_LIST;
        s += 2;
    }
    return s;
}

static const char *go_whole(const struct schema_field *f, const char *key)
{
    if (f->shape == SHAPE_LIST)
        return xasprintf("[]%s", f->go_type);
    if (f->shape == SHAPE_ONE)
        return f->go_type;
    const char *package = !*key || strchr(key, '.') ? "" : "v1.";
    return xasprintf("map[%s%s]%s%s", package, *key ? key : "string", f->shape == SHAPE_MAP_OF_LIST ? "[]" : "",
                     f->go_type);
}

static int field_type_parse(struct parser *p, const struct draft *d, struct schema_field *f, char *text)
{
    const char *key = NULL;
    char *base = shape_parse(f, text, &key);
    char *whole_name = strchr(base, '=');
    if (whole_name)
        *whole_name++ = '\0';
    char *value_name = strchr(base, '/');
    if (value_name)
        *value_name++ = '\0';
    if (base_parse(p, d, f, base) < 0)
        return -1;
    if (value_name)
        f->go_type = go_qualified(value_name);
    f->go_whole = whole_name ? go_qualified(whole_name) : go_whole(f, key);
    return 0;
}

/* TEXT of default= or fill=: JSON, or a plain word for strings. */
static json_t *default_parse(const struct schema_field *f, const char *text)
{
    if (strchr("{[\"", *text))
        return json_loads(text, JSON_DECODE_ANY, NULL);
    switch (f->base) {
    case SB_BOOL:
        return json_boolean(strcmp(text, "true") == 0);
    case SB_INT32:
    case SB_INT64:
        return json_integer(strtoll(text, NULL, 10));
    case SB_INT_OR_STRING:
        return text[strspn(text, "0123456789")] ? json_string(text) : json_integer(strtoll(text, NULL, 10));
    default:
        return json_string(text);
    }
}

static void patch_parse(struct schema_field *f, const char *words)
{
    f->patch_merge = strstr(words, "merge") != NULL;
    f->patch_replace = strstr(words, "replace") != NULL;
    f->patch_retain_keys = strstr(words, "retainKeys") != NULL;
}

/* "a,b" as a NULL-terminated list; empty words are kept. */
static const char *const *words_parse(char *text, char separator)
{
    size_t n = 1;
    for (const char *p = text; *p; p++)
        n += *p == separator;
    const char **words = xcalloc(n + 1, sizeof *words);
    char *at = text;
    for (size_t i = 0; i < n; i++) {
        words[i] = at;
        at += strcspn(at, (char[]){separator, '\0'});
        if (*at)
            *at++ = '\0';
    }
    return words;
}

static int flag_parse(struct parser *p, struct schema_field *f, char *w)
{
    if (strcmp(w, "always") == 0)
        f->always = true;
    else if (strcmp(w, "required") == 0)
        f->required = true;
    else if (strcmp(w, "set") == 0)
        f->list = LIST_SET;
    else if (strcmp(w, "unlisted") == 0)
        f->list_undeclared = true;
    else if (strcmp(w, "atomic") == 0)
        f->map_atomic = true;
    else if (strcmp(w, "granular") == 0)
        f->map_granular = true;
    else if (str_starts(w, "default="))
        f->dflt = default_parse(f, w + 8);
    else if (str_starts(w, "fill=")) {
        f->dflt = default_parse(f, w + 5);
        f->dflt_silent = true;
    } else if (str_starts(w, "patch="))
        patch_parse(f, w + 6);
    else if (str_starts(w, "merge="))
        f->merge_key = w + 6;
    else if (str_starts(w, "go="))
        f->go_name = w + 3;
    else if (str_starts(w, "enum="))
        f->enums = words_parse(w + 5, '|');
    else if (str_starts(w, "map=")) {
        f->list = LIST_MAP;
        f->list_keys = words_parse(w + 4, ',');
    } else
        return bad(p, "unknown flag", w);
    return 0;
}

static int field_parse(struct parser *p, struct draft *d, char *line, struct schema_field *f)
{
    char *words[MAX_WORDS];
    p->line = line;
    size_t n = words_cut(line, words, &f->descr);
    if (n < 3)
        return bad(p, "a field needs name, number and type", line);
    f->name = words[0];
    f->proto = (unsigned)strtoul(words[1], NULL, 10);
    if (field_type_parse(p, d, f, words[2]) < 0)
        return -1;
    for (size_t i = 3; i < n; i++)
        if (flag_parse(p, f, words[i]) < 0)
            return -1;
    return 0;
}

static int fields_parse(struct parser *p, struct draft *d)
{
    d->own = xcalloc(d->line_count + 1, sizeof *d->own);
    for (size_t i = 0; i < d->line_count; i++)
        if (field_parse(p, d, d->lines[i], &d->own[d->own_count++]) < 0)
            return -1;
    free(d->lines);
    d->lines = NULL;
    return 0;
}

/* -- inlining and the index -- */

static const struct schema_field kind_fields[] = {
    {.name = "kind",
     .base = SB_STRING,
     .go_type = "string",
     .go_whole = "string",
     .descr = "What kind of object this is, as a CamelCase word."},
    {.name = "apiVersion",
     .base = SB_STRING,
     .go_type = "string",
     .go_whole = "string",
     .go_name = "APIVersion",
     .descr = "Group and version of the format this object is written in."},
};

static bool is_inline(const struct schema_field *f)
{
    return strcmp(f->name, "inline") == 0;
}

static void index_build(struct schema_type *t)
{
    unsigned size = 4;
    while (size < t->field_count * 2)
        size *= 2;
    uint8_t *index = xcalloc(size, 1);
    for (size_t i = 0; i < t->field_count; i++) {
        unsigned at = str_hash32(t->fields[i].name, strlen(t->fields[i].name)) & (size - 1);
        while (index[at])
            at = (at + 1) & (size - 1);
        index[at] = (uint8_t)(i + 1);
    }
    t->index = index;
    t->index_mask = size - 1;
}

static int expand(struct parser *p, struct draft *d);

/* Copies the fields of what `holder` inlines to `out`. */
static int inlined_copy(struct parser *p, const struct schema_field *holder, struct schema_field *out, size_t *n)
{
    struct draft *ref = draft_find(p, holder->type->name);
    if (!ref || expand(p, ref) < 0)
        return bad(p, "cannot inline", holder->type->name);
    if (*n + ref->type.field_count > MAX_FIELDS)
        return bad(p, "too many fields in", holder->type->name);
    for (size_t i = 0; i < ref->type.field_count; i++) {
        out[*n] = ref->type.fields[i];
        out[*n].inlined = true;
        out[*n].proto_inlined = holder->proto;
        (*n)++;
    }
    return 0;
}

static int expand(struct parser *p, struct draft *d)
{
    if (d->expanded)
        return 0;
    d->expanded = true;
    struct schema_field fields[MAX_FIELDS];
    size_t n = 0;
    if (d->type.kind)
        for (size_t i = 0; i < ARRAY_LEN(kind_fields); i++)
            fields[n++] = kind_fields[i];
    for (size_t i = 0; i < d->own_count; i++) {
        if (n >= MAX_FIELDS)
            return bad(p, "too many fields", d->type.name);
        if (!is_inline(&d->own[i]))
            fields[n++] = d->own[i];
        else if (inlined_copy(p, &d->own[i], fields, &n) < 0)
            return -1;
    }
    d->type.fields = xmemdup(fields, (n ? n : 1) * sizeof *fields);
    d->type.field_count = n;
    free(d->own);
    d->own = NULL;
    index_build(&d->type);
    return 0;
}

int schema_parse(const char *text, size_t len, struct schema_set *out, struct err *e)
{
    struct parser p = {.line = "", .e = e};
    char *copy = xstrndup(text, len); /* names point into it for good */
    int rc = types_find(&p, copy);
    index_drafts(&p);
    for (size_t i = 0; rc == 0 && i < p.count; i++)
        rc = fields_parse(&p, p.drafts[i]);
    for (size_t i = 0; rc == 0 && i < p.count; i++)
        rc = expand(&p, p.drafts[i]);
    free(p.index);
    if (rc < 0)
        return -1;
    out->types = xcalloc(p.count + 1, sizeof *out->types);
    for (size_t i = 0; i < p.count; i++)
        out->types[i] = &p.drafts[i]->type;
    out->count = p.count;
    free(p.drafts);
    return 0;
}
