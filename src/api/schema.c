/* schema.c - looking types and fields up; the notation of the schema texts.
 *
 * NOTATION (src/api/schema/<topic>.schema: lines, words separated by blanks, `#` starts a comment line):
 *
 *     package core.v1 openapi=io.k8s.api.core.v1 version=v1 [group=apps]
 *     kind PersistentVolumeClaim list -- What it is, in our words.
 *       metadata     1  meta.v1.ObjectMeta
 *       spec         2  PersistentVolumeClaimSpec
 *     type PersistentVolumeClaimSpec [atomic] [embedded] -- Words.
 *       accessModes  1  []string/PersistentVolumeAccessMode      -- Words.
 *       selector     4  *meta.v1.LabelSelector                   -- Words.
 *       inline       2  SomeSource
 *
 * A field line is: JSON name, protobuf number, type, flags, words. Fields stand in Go's struct order, which is the
 * order in which objects are written. A `kind` gets kind and apiVersion in front; `list` makes its list kind as well.
 *
 * TYPE is [*][[] or {} or {}[]]base[/GoName][=GoName]:
 *     *         a Go pointer: absent stays absent, zero is kept
 *     []  {}    list, map from string ({ResourceName} names the key's Go type)
 *     base      string bool int32 int64 double bytes time microtime quantity intstr any, or a type's name ("meta.v1.X"
 * of another package) /GoName   the value's named Go type, =GoName that of the whole list or map; only messages show
 * them
 *
 * FLAGS:
 *     always            written even when empty (no omitempty); structs, times and quantities held by value always are
 *     required          required in OpenAPI
 *     default=TEXT      default that the server fills in and OpenAPI tells; fill=TEXT one that OpenAPI does not tell
 *     enum=A|B          the values there are; only told, not checked
 *     patch=WORDS merge=KEY     strategic merge: merge, replace, retainKeys; the list's key
 *     set  map=K1,K2  unlisted  server-side apply: what kind of list (none of them: atomic)
 *     atomic            a map or struct that apply replaces as a whole; granular: not so, although its type says atomic
 *     go=NAME           Go's field name, where it is not the JSON name with a capital
 *
 * DESIGN: parsed once by schema_parse.c into arrays that never change. Names point into one copy of the text. Every
 * type has a small open-addressed hash of its field names; types have one by full name. THREADS: schema_init() before
 * any other; then read only. When you add a flag: parse it in schema_parse.c, describe it here. */
#include "api/schema.h"

#include "api/schema_int.h"
#include "base/mem.h"
#include "base/str.h"

#include <pthread.h>
#include <string.h>

static struct schema_set all;
static uint16_t *type_index; /* position + 1, 0 empty */
static size_t type_mask;

static void type_index_build(void)
{
    size_t size = 64;
    while (size < all.count * 2)
        size *= 2;
    type_index = xcalloc(size, sizeof *type_index);
    type_mask = size - 1;
    for (size_t i = 0; i < all.count; i++) {
        size_t at = str_hash32(all.types[i]->name, strlen(all.types[i]->name)) & type_mask;
        while (type_index[at])
            at = (at + 1) & type_mask;
        type_index[at] = (uint16_t)(i + 1);
    }
}

static void init_once(void)
{
    size_t len = 0;
    const char *text = schema_text(&len);
    struct err e = ERR_INIT;
    if (schema_parse(text, len, &all, &e) < 0)
        BUG("schema: %s", e.msg);
    type_index_build();
}

void schema_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
}

const struct schema_type *schema_type(const char *name)
{
    size_t at = str_hash32(name, strlen(name)) & type_mask;
    for (; type_index[at]; at = (at + 1) & type_mask) {
        const struct schema_type *t = all.types[type_index[at] - 1];
        if (strcmp(t->name, name) == 0)
            return t;
    }
    return NULL;
}

const struct schema_type *schema_type_at(size_t i)
{
    return i < all.count ? all.types[i] : NULL;
}

const struct schema_type *schema_kind(const char *group, const char *version, const char *kind)
{
    for (size_t i = 0; i < all.count; i++) {
        const struct schema_type *t = all.types[i];
        if (t->kind && strcmp(t->kind, kind) == 0 && strcmp(t->group, group) == 0 && strcmp(t->version, version) == 0)
            return t;
    }
    return NULL;
}

const struct schema_field *schema_field(const struct schema_type *t, const char *json_name, size_t len)
{
    if (!t || t->field_count == 0)
        return NULL;
    unsigned at = str_hash32(json_name, len) & t->index_mask;
    for (; t->index[at]; at = (at + 1) & t->index_mask) {
        const struct schema_field *f = &t->fields[t->index[at] - 1];
        if (strncmp(f->name, json_name, len) == 0 && f->name[len] == '\0')
            return f;
    }
    return NULL;
}
