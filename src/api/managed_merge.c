/* managed_merge.c - laying an applied configuration over the live object, and taking out what is no longer applied.
 *
 * MERGE: leaves of the configuration win; structs and maps merge member by member; keyed lists and sets element by
 * element. Elements both sides have stand in the configuration's order, elements of the live list keep their place
 * among them, new ones come where the configuration has them. A null never deletes.
 *
 * PRUNE: what the applier named last time and does not name now goes, unless someone else owns it; an element of a list
 * goes with everything below it that nobody owns (defaults), but if someone owns a part of it, the unowned rest stays
 * too. A container emptied on the way becomes null rather than absent: its owners still own it.
 *
 * THREADS: pure functions. Source of the rules: structured-merge-diff, merge.Updater. */
#include "api/managed_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* -- merge -- */

static json_t *merge_members(const struct shape *s, const json_t *live, const json_t *applied)
{
    json_t *out = json_object(), *value;
    const char *key;
    json_object_foreach((json_t *)live, key, value)
    {
        struct shape part = shape_of_member(s, key);
        json_object_set_new(out, key, merge_values(&part, value, json_object_get(applied, key)));
    }
    json_object_foreach((json_t *)applied, key, value)
    {
        if (json_object_get(live, key) == NULL)
            json_object_set_new(out, key, json_clone(value));
    }
    return out;
}

/* Both lists with the keys of their elements, while they are merged. */
struct zip {
    struct shape element;
    const json_t *live, *applied;
    char **live_keys, **applied_keys;
    size_t live_count, applied_count;
    bool *done;  /* of applied: already in the result */
    size_t next; /* of applied: the next one that live has too; applied_count if none is left */
    json_t *out;
};

static bool zip_shared(const struct zip *z, size_t applied_at)
{
    return item_keys_find(z->live_keys, z->live_count, z->applied_keys[applied_at]) >= 0;
}

static void zip_advance(struct zip *z, size_t from)
{
    z->next = from;
    while (z->next < z->applied_count && !zip_shared(z, z->next))
        z->next++;
}

static void zip_take_applied(struct zip *z, size_t at)
{
    int twin = item_keys_find(z->live_keys, z->live_count, z->applied_keys[at]);
    const json_t *live = twin >= 0 ? json_array_get(z->live, (size_t)twin) : NULL;
    const json_t *applied = json_array_get(z->applied, at);
    z->done[at] = true;
    json_array_append_new(z->out, live != NULL ? merge_values(&z->element, live, applied) : json_clone(applied));
}

static void zip_run(struct zip *z)
{
    size_t l = 0, a = 0;
    zip_advance(z, 0);
    while (l < z->live_count || a < z->applied_count) {
        int twin = l < z->live_count ? item_keys_find(z->applied_keys, z->applied_count, z->live_keys[l]) : -1;
        if (l < z->live_count && twin < 0) {
            json_array_append_new(z->out, json_clone(json_array_get(z->live, l++)));
            continue;
        }
        if (l < z->live_count && a < z->applied_count && (size_t)twin == a) {
            zip_take_applied(z, a);
            l++;
            zip_advance(z, ++a);
            continue;
        }
        if (l < z->live_count &&
            (z->done[twin] || (a < z->applied_count && z->next < z->applied_count && (size_t)twin != z->next))) {
            l++; /* stands, or will stand, where the configuration has it */
            continue;
        }
        if (a < z->applied_count) {
            zip_take_applied(z, a);
            if (z->next == a)
                zip_advance(z, a + 1);
            a++;
        }
    }
}

static json_t *merge_lists(const struct shape *s, const json_t *live, const json_t *applied)
{
    struct zip z = {.element = shape_of_element(s), .live = live, .applied = applied};
    z.live_count = json_array_size(live);
    z.applied_count = json_array_size(applied);
    z.live_keys = item_keys(s, live);
    z.applied_keys = item_keys(s, applied);
    z.done = xcalloc(z.applied_count + 1, sizeof *z.done);
    z.out = json_array();
    zip_run(&z);
    item_keys_free(z.live_keys, z.live_count);
    item_keys_free(z.applied_keys, z.applied_count);
    free(z.done);
    return z.out;
}

json_t *merge_values(const struct shape *s, const json_t *live, const json_t *applied)
{
    bool has_parts =
        (json_is_object(live) && json_object_size(live) > 0) || (json_is_array(live) && json_array_size(live) > 0);
    if (applied == NULL || (json_is_null(applied) && has_parts && s->form != FORM_LEAF))
        return json_clone(live);
    bool same_kind = json_typeof(live) == json_typeof(applied);
    if (s->form == FORM_LEAF || !same_kind || !has_parts)
        return json_clone(applied);
    return s->form == FORM_STRUCT || s->form == FORM_MAP ? merge_members(s, live, applied)
                                                         : merge_lists(s, live, applied);
}

/* -- removal -- */

static json_t *remove_members(const struct shape *s, const json_t *value, const json_t *set)
{
    json_t *out = json_object(), *member;
    const char *key;
    _auto_buf_ struct buf name = BUF_INIT;
    json_object_foreach((json_t *)value, key, member)
    {
        buf_clear(&name);
        buf_addf(&name, "f:%s", key);
        const json_t *below = json_object_get(set, buf_str(&name));
        struct shape part = shape_of_member(s, key);
        if (!fields_is_member(below))
            json_object_set_new(out, key, remove_fields(&part, member, below));
    }
    return out;
}

static json_t *remove_items(const struct shape *s, const json_t *value, const json_t *set)
{
    json_t *out = json_array();
    struct shape element = shape_of_element(s);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        _auto_free_ char *key = item_key(s, item);
        const json_t *below = json_object_get(set, key);
        if (!fields_is_member(below))
            json_array_append_new(out, remove_fields(&element, item, below));
    }
    return out;
}

json_t *remove_fields(const struct shape *s, const json_t *value, const json_t *set)
{
    if (set == NULL || s->form == FORM_LEAF || (!json_is_object(value) && !json_is_array(value)))
        return json_clone(value);
    bool members = s->form == FORM_STRUCT || s->form == FORM_MAP;
    if (json_is_object(value) != members)
        return json_clone(value);
    json_t *out = members ? remove_members(s, value, set) : remove_items(s, value, set);
    if (json_object_size(out) + json_array_size(out) > 0)
        return out;
    json_decref(out);
    return json_null();
}

/* The same set with the struct fields on the way to its members as members too. Returns new. */
static json_t *with_named_fields(const struct shape *s, const json_t *set)
{
    if (set == NULL)
        return NULL;
    json_t *out = NULL, *child;
    const char *key;
    bool member = fields_is_member(set);
    json_object_foreach((json_t *)set, key, child)
    {
        if (strcmp(key, ".") == 0)
            continue;
        bool field = s->form == FORM_STRUCT && *key == 'f' && schema_field(s->type, key + 2, strlen(key + 2)) != NULL;
        struct shape part = {FORM_LEAF, NULL, NULL};
        if (*key == 'f' && (s->form == FORM_STRUCT || s->form == FORM_MAP))
            part = shape_of_member(s, key + 2);
        else if (s->form == FORM_KEYED)
            part = shape_of_element(s);
        json_t *below = with_named_fields(&part, child);
        if (field)
            fields_mark(&below);
        fields_hang(&out, key, below);
    }
    if (member)
        fields_mark(&out);
    return out;
}

static json_t *fields_with_named(const struct shape *s, const json_t *value)
{
    _auto_json_ json_t *set = fields_of(s, value);
    return with_named_fields(s, set);
}

json_t *prune_values(const struct shape *s, const json_t *merged, const json_t *last, const json_t *owned)
{
    if (last == NULL)
        return json_clone(merged);
    _auto_json_ json_t *last_named = with_named_fields(s, last), *owned_named = with_named_fields(s, owned);
    _auto_json_ json_t *all = fields_with_named(s, merged);

    /* All of last time's fields go… */
    _auto_json_ json_t *first = remove_fields(s, merged, last_named);
    _auto_json_ json_t *first_left = fields_with_named(s, first);
    /* …those somebody owns come back… */
    _auto_json_ json_t *kept = fields_union(first_left, owned_named);
    _auto_json_ json_t *gone = fields_minus(all, kept);
    _auto_json_ json_t *second = remove_fields(s, merged, gone);
    _auto_json_ json_t *second_left = fields_with_named(s, second);
    /* …and so does what went only because its container did. */
    _auto_json_ json_t *missing = fields_minus(all, second_left);
    _auto_json_ json_t *final = fields_common(missing, last_named);
    return remove_fields(s, merged, final);
}
