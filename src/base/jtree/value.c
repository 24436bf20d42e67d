/* value.c - the values that are not objects; references; whole trees.
 *
 * Scalars never change after they were made (the one exception says so), so a copy of a tree shares them. The small
 * integers are made once and for all. THREADS: see jtree.h. */
#include "base/jtree/jtree_int.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t json_head(json_type type)
{
    return (json_t){.type = (uint8_t)type, .refs = 1};
}

#ifndef NDEBUG
void json_check_thawed(const json_t *j)
{
    if (__atomic_load_n(&j->frozen, __ATOMIC_RELAXED))
        BUG("a frozen tree is being changed: copy it first");
}
#endif

/* -- references -- */

static void array_release(struct array *a)
{
    for (size_t i = 0; i < a->len; i++)
        json_decref(a->items[i]);
    free(a->items);
    free(a);
}

void json_delete(json_t *j)
{
    if (json_is_object(j))
        object_release(object_of(j));
    else if (json_is_array(j))
        array_release(array_of(j));
    else
        free(j);
}

/* -- scalars -- */

#define CONSTANT(t)                                                                                                    \
    {                                                                                                                  \
        .type = (t), .refs = JSON_FOREVER                                                                              \
    }

json_t *json_true(void)
{
    static json_t the = CONSTANT(JSON_TRUE);
    return &the;
}

json_t *json_false(void)
{
    static json_t the = CONSTANT(JSON_FALSE);
    return &the;
}

json_t *json_null(void)
{
    static json_t the = CONSTANT(JSON_NULL);
    return &the;
}

#define SMALL(v)                                                                                                       \
    {                                                                                                                  \
        .json = CONSTANT(JSON_INTEGER), .value = (v)                                                                   \
    }
#define SMALL_4(v)  SMALL(v), SMALL((v) + 1), SMALL((v) + 2), SMALL((v) + 3)
#define SMALL_16(v) SMALL_4(v), SMALL_4((v) + 4), SMALL_4((v) + 8), SMALL_4((v) + 12)

json_t *json_integer(json_int_t v)
{
    static struct integer small[] = {SMALL_16(0), SMALL_16(16)};
    if (v >= 0 && v < (json_int_t)ARRAY_LEN(small))
        return &small[v].json;
    struct integer *i = xmalloc(sizeof *i);
    *i = (struct integer){json_head(JSON_INTEGER), v};
    return &i->json;
}

json_t *json_real(double v)
{
    if (!isfinite(v))
        return NULL;
    struct real *r = xmalloc(sizeof *r);
    *r = (struct real){json_head(JSON_REAL), v};
    return &r->json;
}

json_int_t json_integer_value(const json_t *j)
{
    return json_is_integer(j) ? ((const struct integer *)(const void *)j)->value : 0;
}

double json_real_value(const json_t *j)
{
    return json_is_real(j) ? ((const struct real *)(const void *)j)->value : 0;
}

double json_number_value(const json_t *j)
{
    return json_is_integer(j) ? (double)json_integer_value(j) : json_real_value(j);
}

/* -- strings -- */

json_t *json_stringn_nocheck(const char *s, size_t n)
{
    if (!s || n >= UINT32_MAX)
        return NULL;
    struct string *str = xmalloc(sizeof *str + n + 1);
    str->json = json_head(JSON_STRING);
    str->len = (uint32_t)n;
    memcpy(str->text, s, n);
    str->text[n] = '\0';
    return &str->json;
}

json_t *json_string_nocheck(const char *s)
{
    return s ? json_stringn_nocheck(s, strlen(s)) : NULL;
}

json_t *json_stringn(const char *s, size_t n)
{
    return s && utf8_valid(s, n) ? json_stringn_nocheck(s, n) : NULL;
}

json_t *json_string(const char *s)
{
    return s ? json_stringn(s, strlen(s)) : NULL;
}

json_t *json_sprintf(const char *fmt, ...)
{
    _auto_free_ char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        text = NULL;
    return n < 0 ? NULL : json_stringn(text, (size_t)n);
}

const char *json_string_value(const json_t *j)
{
    return json_is_string(j) ? ((const struct string *)(const void *)j)->text : NULL;
}

size_t json_string_length(const json_t *j)
{
    return json_is_string(j) ? ((const struct string *)(const void *)j)->len : 0;
}

void json_string_overwrite(json_t *j, const char *s, size_t n)
{
    struct string *str = (struct string *)(void *)j;
    if (!json_is_string(j) || n > str->len)
        BUG("a string of %zu bytes has no room for %zu", json_string_length(j), n);
    memcpy(str->text, s, n);
    str->text[n] = '\0';
    str->len = (uint32_t)n;
}

/* -- arrays -- */

json_t *json_array(void)
{
    struct array *a = xmalloc(sizeof *a);
    *a = (struct array){.json = json_head(JSON_ARRAY)};
    return &a->json;
}

size_t json_array_size(const json_t *j)
{
    return json_is_array(j) ? array_of(j)->len : 0;
}

json_t *json_array_get(const json_t *j, size_t i)
{
    return json_is_array(j) && i < array_of(j)->len ? array_of(j)->items[i] : NULL;
}

/* May `v` go into `j`, and `i` be one of `places`? If not, v is released. */
static bool array_takes(json_t *j, size_t i, size_t places, json_t *v)
{
    if (json_is_array(j) && v && v != j && i < places) {
        json_check_thawed(j);
        return true;
    }
    json_decref(v);
    return false;
}

int json_array_set_new(json_t *j, size_t i, json_t *take_v)
{
    if (!array_takes(j, i, json_array_size(j), take_v))
        return -1;
    json_t *old = array_of(j)->items[i];
    array_of(j)->items[i] = take_v;
    json_decref(old);
    return 0;
}

int json_array_insert_new(json_t *j, size_t i, json_t *take_v)
{
    if (!array_takes(j, i, json_array_size(j) + 1, take_v))
        return -1;
    struct array *a = array_of(j);
    if (a->len == a->cap) {
        a->cap = a->cap ? a->cap * 2 : 2;
        a->items = xrealloc(a->items, a->cap * sizeof *a->items);
    }
    memmove(a->items + i + 1, a->items + i, (a->len - i) * sizeof *a->items);
    a->items[i] = take_v;
    a->len++;
    return 0;
}

int json_array_append_new(json_t *j, json_t *take_v)
{
    return json_array_insert_new(j, json_array_size(j), take_v);
}

int json_array_remove(json_t *j, size_t i)
{
    if (i >= json_array_size(j))
        return -1;
    json_check_thawed(j);
    struct array *a = array_of(j);
    json_t *gone = a->items[i];
    a->len--;
    memmove(a->items + i, a->items + i + 1, (a->len - i) * sizeof *a->items);
    json_decref(gone);
    return 0;
}

int json_array_clear(json_t *j)
{
    if (!json_is_array(j))
        return -1;
    json_check_thawed(j);
    struct array *a = array_of(j);
    while (a->len > 0)
        json_decref(a->items[--a->len]);
    return 0;
}

int json_array_extend(json_t *j, json_t *other)
{
    if (!json_is_array(j) || !json_is_array(other))
        return -1;
    size_t n = json_array_size(other); /* it may be the same array */
    for (size_t i = 0; i < n; i++)
        json_array_append(j, json_array_get(other, i));
    return 0;
}

static json_t *array_copy(const struct array *from, json_t *(*value)(const json_t *v))
{
    struct array *a = array_of(json_array());
    a->len = a->cap = from->len;
    a->items = a->cap ? xmalloc(a->cap * sizeof(json_t *)) : NULL;
    for (size_t i = 0; i < a->len; i++)
        a->items[i] = value(from->items[i]);
    return &a->json;
}

/* -- whole trees -- */

static json_t *shared(const json_t *j)
{
    return json_incref((json_t *)(uintptr_t)j);
}

static json_t *copy(const json_t *j, json_t *(*value)(const json_t *v))
{
    if (json_is_object(j))
        return object_copy(object_of(j), value);
    return json_is_array(j) ? array_copy(array_of(j), value) : shared(j);
}

json_t *json_copy(const json_t *j)
{
    return copy(j, shared);
}

json_t *json_deep_copy(const json_t *j)
{
    return copy(j, json_deep_copy);
}

static bool array_equal(const struct array *a, const struct array *b)
{
    if (a->len != b->len)
        return false;
    for (size_t i = 0; i < a->len; i++)
        if (!json_equal(a->items[i], b->items[i]))
            return false;
    return true;
}

/* Copies have their members in the same places; only others are searched. */
static bool object_equal(const struct object *a, const struct object *b)
{
    if (a->live != b->live)
        return false;
    for (uint32_t i = 0; i < a->used; i++) {
        const struct key *key = a->members[i].key;
        if (!key)
            continue;
        const struct member *m =
            i < b->used && b->members[i].key == key ? &b->members[i] : object_find(b, key->text, key->len);
        if (!m || !json_equal(a->members[i].value, m->value))
            return false;
    }
    return true;
}

bool json_equal(const json_t *a, const json_t *b)
{
    if (!a || !b || json_typeof(a) != json_typeof(b))
        return false;
    if (a == b)
        return true;
    switch (json_typeof(a)) {
    case JSON_OBJECT:
        return object_equal(object_of(a), object_of(b));
    case JSON_ARRAY:
        return array_equal(array_of(a), array_of(b));
    case JSON_STRING:
        return json_string_length(a) == json_string_length(b) &&
               memcmp(json_string_value(a), json_string_value(b), json_string_length(a)) == 0;
    case JSON_INTEGER:
        return json_integer_value(a) == json_integer_value(b);
    case JSON_REAL:
        return json_real_value(a) == json_real_value(b);
    default:
        return true;
    }
}

/* Puts the result into the slot; says whether it is the old value now. */
static bool slot_reuse(json_t **slot, const json_t *old)
{
    *slot = json_reuse(*slot, old);
    return *slot == old;
}

static bool array_reuse(struct array *a, const struct array *old)
{
    bool same = a->len == old->len;
    for (size_t i = 0; i < a->len && i < old->len; i++)
        same = slot_reuse(&a->items[i], old->items[i]) && same;
    return same;
}

/* The member of `old` in the same place, else the one of the same key; *out_moved is set then. */
static const struct member *counterpart(const struct object *old, uint32_t place, const struct key *key,
                                        bool *out_moved)
{
    if (place < old->used && old->members[place].key == key)
        return &old->members[place];
    const struct member *m = object_find(old, key->text, key->len);
    *out_moved = *out_moved || !m || m - old->members != (ptrdiff_t)place;
    return m;
}

static bool object_reuse(struct object *o, const struct object *old)
{
    bool moved = o->used != old->used || o->live != o->used || old->live != old->used, same = true;
    for (uint32_t i = 0; i < o->used; i++) {
        if (!o->members[i].key)
            continue;
        const struct member *m = counterpart(old, i, o->members[i].key, &moved);
        same = m && slot_reuse(&o->members[i].value, m->value) && same;
    }
    return same && !moved;
}

json_t *json_reuse(json_t *take_new, const json_t *old)
{
    bool same = false;
    if (!old || !take_new || take_new == old || take_new->type != old->type)
        return take_new;
    if (!json_is_object(old) && !json_is_array(old))
        same = json_equal(take_new, old);
    else if (take_new->frozen)
        return take_new; /* not ours to compare piece by piece */
    else
        same = json_is_object(old) ? object_reuse(object_of(take_new), object_of(old))
                                   : array_reuse(array_of(take_new), array_of(old));
    bool container = json_is_object(old) || json_is_array(old);
    if (!same || (container && !old->frozen)) /* a container that may change is nobody else's */
        return take_new;
    json_decref(take_new);
    return shared(old);
}

json_t *json_freeze(json_t *j)
{
    if ((!json_is_object(j) && !json_is_array(j)) || __atomic_load_n(&j->frozen, __ATOMIC_RELAXED))
        return j;
    __atomic_store_n(&j->frozen, true, __ATOMIC_RELAXED);
    for (uint32_t i = 0; json_is_object(j) && i < object_of(j)->used; i++)
        json_freeze(object_of(j)->members[i].value);
    for (size_t i = 0; i < json_array_size(j); i++)
        json_freeze(array_of(j)->items[i]);
    return j;
}
