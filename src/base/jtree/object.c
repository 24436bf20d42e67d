/* object.c - objects: members in an array, in the order in which they came.
 *
 * DESIGN. Most objects have a handful of members, and comparing lengths is cheaper than hashing the key that is asked
 * for. From INDEXED_FROM members on there is a hash of places beside the array. A removed member leaves a hole, so that
 * places (and walks over the object) stay valid; holes go when the array is full and made anew.
 *
 * INVARIANTS: live <= used <= cap; a hole has neither key nor value; with an index, every member's place stands in it
 * (holes' places may, too), and it has at least 2 * cap slots. THREADS: see jtree.h. */
#include "base/jtree/jtree_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

json_t *json_object(void)
{
    struct object *o = xmalloc(sizeof *o);
    *o = (struct object){.json = json_head(JSON_OBJECT)};
    return &o->json;
}

static void members_drop(struct object *o)
{
    for (uint32_t i = 0; i < o->used; i++) {
        if (!o->members[i].key)
            continue;
        key_unref(o->members[i].key);
        json_decref(o->members[i].value);
    }
    o->live = o->used = o->signs = 0;
}

void object_release(struct object *o)
{
    members_drop(o);
    free(o->members);
    free(o->index);
    free(o);
}

size_t json_object_size(const json_t *j)
{
    return json_is_object(j) ? object_of(j)->live : 0;
}

/* -- finding -- */

static uint32_t sign_of(const char *key, size_t n)
{
    unsigned first = n ? (unsigned char)key[0] : 0, last = n ? (unsigned char)key[n - 1] : 0;
    return UINT32_C(1) << ((first * 5 + last * 3 + n) % 32);
}

static bool member_is(const struct member *m, const char *key, size_t n)
{
    return m->key && m->key->len == n && memcmp(m->key->text, key, n) == 0;
}

static struct member *index_find(const struct object *o, const char *key, size_t n)
{
    const uint32_t mask = o->index[0], *slots = o->index + 1;
    for (uint32_t at = key_hash(key, n) & mask; slots[at]; at = (at + 1) & mask) {
        struct member *m = &o->members[slots[at] - 1];
        if (member_is(m, key, n))
            return m;
    }
    return NULL;
}

struct member *object_find(const struct object *o, const char *key, size_t n)
{
    if (!(o->signs & sign_of(key, n)))
        return NULL;
    if (o->index)
        return index_find(o, key, n);
    for (struct member *m = o->members, *end = m + o->used; m < end; m++)
        if (member_is(m, key, n))
            return m;
    return NULL;
}

json_t *json_object_getn(const json_t *j, const char *key, size_t n)
{
    if (!json_is_object(j) || !key)
        return NULL;
    struct member *m = object_find(object_of(j), key, n);
    return m ? m->value : NULL;
}

json_t *json_object_get(const json_t *j, const char *key)
{
    return key ? json_object_getn(j, key, strlen(key)) : NULL;
}

/* -- adding -- */

static void index_add(struct object *o, uint32_t place)
{
    uint32_t mask = o->index[0], *slots = o->index + 1, at = o->members[place].key->hash & mask;
    while (slots[at])
        at = (at + 1) & mask;
    slots[at] = place + 1;
}

static void index_drop(struct object *o)
{
    free(o->index);
    o->index = NULL;
}

static void index_build(struct object *o)
{
    uint32_t size = 64;
    while (size < 2 * o->cap)
        size *= 2;
    index_drop(o);
    o->index = xcalloc(1 + (size_t)size, sizeof *o->index);
    o->index[0] = size - 1;
    for (uint32_t i = 0; i < o->used; i++)
        if (o->members[i].key)
            index_add(o, i);
}

static void holes_close(struct object *o)
{
    uint32_t to = 0;
    for (uint32_t i = 0; i < o->used; i++)
        if (o->members[i].key)
            o->members[to++] = o->members[i];
    o->used = to;
}

/* Room for one more. */
static void object_make_room(struct object *o)
{
    holes_close(o);
    if (o->used >= o->cap - o->cap / 4) {
        o->cap = o->cap ? o->cap * 2 : 4;
        o->members = xrealloc(o->members, o->cap * sizeof *o->members);
    }
    index_drop(o); /* places have changed */
    if (o->used >= INDEXED_FROM)
        index_build(o);
}

void object_append(struct object *o, struct key *take_key, json_t *take_value)
{
    if (o->used == o->cap)
        object_make_room(o);
    o->signs |= sign_of(take_key->text, take_key->len);
    o->members[o->used++] = (struct member){take_key, take_value};
    o->live++;
    if (o->index)
        index_add(o, o->used - 1);
    else if (o->used == INDEXED_FROM)
        index_build(o);
}

static int refuse(json_t *take_v)
{
    json_decref(take_v);
    return -1;
}

int json_object_setn_new_nocheck(json_t *j, const char *key, size_t n, json_t *take_v)
{
    if (!json_is_object(j) || !key || !take_v || take_v == j || n >= UINT32_MAX)
        return refuse(take_v);
    struct object *o = object_of(j);
    struct member *m = object_find(o, key, n);
    if (m && j->frozen && json_equal(m->value, take_v)) {
        json_decref(take_v); /* nothing changes, so the others need not mind */
        return 0;
    }
    json_check_thawed(j);
    if (m) {
        json_t *old = m->value;
        m->value = take_v;
        json_decref(old);
        return 0;
    }
    object_append(o, key_of(key, n), take_v);
    return 0;
}

int json_object_set_new_nocheck(json_t *j, const char *key, json_t *take_v)
{
    return key ? json_object_setn_new_nocheck(j, key, strlen(key), take_v) : refuse(take_v);
}

int json_object_setn_new(json_t *j, const char *key, size_t n, json_t *take_v)
{
    return key && utf8_valid(key, n) ? json_object_setn_new_nocheck(j, key, n, take_v) : refuse(take_v);
}

int json_object_set_new(json_t *j, const char *key, json_t *take_v)
{
    return key ? json_object_setn_new(j, key, strlen(key), take_v) : refuse(take_v);
}

/* -- removing -- */

int json_object_del(json_t *j, const char *key)
{
    if (!json_is_object(j) || !key)
        return -1;
    struct object *o = object_of(j);
    struct member *m = object_find(o, key, strlen(key));
    if (!m)
        return -1;
    json_check_thawed(j);
    struct member gone = *m;
    *m = (struct member){0};
    o->live--;
    key_unref(gone.key);
    json_decref(gone.value);
    return 0;
}

int json_object_clear(json_t *j)
{
    if (!json_is_object(j))
        return -1;
    json_check_thawed(j);
    struct object *o = object_of(j);
    members_drop(o);
    index_drop(o);
    return 0;
}

/* -- walking -- */

size_t json_object_next(const json_t *j, size_t at, const char **out_key)
{
    const struct object *o = json_is_object(j) ? object_of(j) : NULL;
    for (; o && at < o->used; at++) {
        if (!o->members[at].key)
            continue;
        *out_key = o->members[at].key->text;
        return at + 1;
    }
    *out_key = NULL;
    return 0;
}

json_t *json_object_at(const json_t *j, size_t at)
{
    return json_is_object(j) && at > 0 && at <= object_of(j)->used ? object_of(j)->members[at - 1].value : NULL;
}

/* -- whole objects -- */

json_t *object_copy(const struct object *from, json_t *(*value)(const json_t *v))
{
    struct object *o = object_of(json_object());
    o->cap = from->live;
    o->members = o->cap ? xmalloc(o->cap * sizeof *o->members) : NULL;
    for (uint32_t i = 0; i < from->used; i++) {
        const struct member *m = &from->members[i];
        if (m->key)
            o->members[o->used++] = (struct member){key_ref(m->key), value(m->value)};
    }
    o->live = o->used;
    o->signs = from->signs; /* perhaps with more than there is: that costs a search, no more */
    if (o->used >= INDEXED_FROM)
        index_build(o);
    return &o->json;
}

int json_object_update(json_t *j, json_t *other)
{
    const char *key;
    json_t *v;
    if (!json_is_object(j) || !json_is_object(other))
        return -1;
    json_object_foreach(other, key, v) json_object_setn_new_nocheck(j, key, json_key_length(key), json_incref(v));
    return 0;
}

int json_object_update_missing(json_t *j, json_t *other)
{
    const char *key;
    json_t *v;
    if (!json_is_object(j) || !json_is_object(other))
        return -1;
    json_object_foreach(other, key, v)
    {
        if (!json_object_getn(j, key, json_key_length(key)))
            json_object_setn_new_nocheck(j, key, json_key_length(key), json_incref(v));
    }
    return 0;
}

int json_object_update_recursive(json_t *j, json_t *other)
{
    const char *key;
    json_t *v;
    if (!json_is_object(j) || !json_is_object(other))
        return -1;
    json_object_foreach(other, key, v)
    {
        json_t *there = json_object_getn(j, key, json_key_length(key));
        if (json_is_object(there) && json_is_object(v))
            json_object_update_recursive(there, v);
        else
            json_object_setn_new_nocheck(j, key, json_key_length(key), json_incref(v));
    }
    return 0;
}
