/* managed_shape.c - how ownership sees values: which structs, maps and lists have parts that can be owned one by one.
 *
 * The schema decides: structs and maps unless declared atomic, lists declared as sets or keyed. All else is a leaf.
 * Elements of keyed lists are named by their keys, of sets by themselves. THREADS: pure functions; the constants are
 * made once. */
#include "api/managed_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct shape shape_of_type(const struct schema_type *t)
{
    return (struct shape){t->map_atomic ? FORM_LEAF : FORM_STRUCT, t, NULL};
}

struct shape shape_of_field(const struct schema_field *f)
{
    struct shape s = {FORM_LEAF, NULL, f};
    if (f->map_atomic)
        return s;
    switch (f->shape) {
    case SHAPE_ONE:
        if (f->base == SB_OBJECT && (!f->type->map_atomic || f->map_granular))
            s = (struct shape){FORM_STRUCT, f->type, f};
        break;
    case SHAPE_LIST:
        s.form = f->list == LIST_SET ? FORM_SET : f->list == LIST_MAP ? FORM_KEYED : FORM_LEAF;
        break;
    case SHAPE_MAP:
    case SHAPE_MAP_OF_LIST:
        s.form = FORM_MAP;
        break;
    }
    return s;
}

struct shape shape_of_element(const struct shape *s)
{
    const struct schema_field *f = s->field;
    bool is_struct = f->base == SB_OBJECT && !f->type->map_atomic && f->shape != SHAPE_MAP_OF_LIST;
    return (struct shape){is_struct ? FORM_STRUCT : FORM_LEAF, is_struct ? f->type : NULL, NULL};
}

struct shape shape_of_member(const struct shape *s, const char *key)
{
    if (s->form == FORM_MAP)
        return shape_of_element(s);
    const struct schema_field *f = schema_field(s->type, key, strlen(key));
    return f != NULL ? shape_of_field(f) : (struct shape){FORM_LEAF, NULL, NULL};
}

/* -- what Go writes for nothing -- */

static struct {
    json_t *object, *text, *zero, *quantity;
} constants;

static void constants_make(void)
{
    constants.object = json_object();
    constants.text = json_string("");
    constants.zero = json_integer(0);
    constants.quantity = json_string("0");
}

static void constants_need(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, constants_make);
}

const json_t *empty_object(void)
{
    constants_need();
    return constants.object;
}

const json_t *implied_value(const struct schema_field *f)
{
    if (!f->always)
        return NULL;
    constants_need();
    if (f->shape != SHAPE_ONE)
        return json_null();
    switch (f->base) {
    case SB_STRING:
        return constants.text;
    case SB_BOOL:
        return json_false();
    case SB_INT32:
    case SB_INT64:
    case SB_DOUBLE:
    case SB_INT_OR_STRING:
        return constants.zero;
    case SB_QUANTITY:
        return constants.quantity;
    case SB_OBJECT:
        return constants.object;
    default:
        return json_null();
    }
}

/* -- elements -- */

/* The value of one key of an element: its own, the schema's default, or what Go would write. */
static const json_t *key_value(const struct schema_type *t, const json_t *item, const char *name)
{
    const json_t *v = json_object_get(item, name);
    if (v != NULL)
        return v;
    const struct schema_field *f = t != NULL ? schema_field(t, name, strlen(name)) : NULL;
    if (f == NULL)
        return json_null();
    v = f->dflt != NULL ? f->dflt : implied_value(f);
    return v != NULL ? v : json_null();
}

/* Writes the keys in the order of their names. */
static void keys_write(struct buf *out, const struct schema_field *f, const json_t *item)
{
    const char *last = "", *lead = "k:{";
    for (;;) {
        const char *next = NULL;
        for (const char *const *k = f->list_keys; *k != NULL; k++)
            if (strcmp(*k, last) > 0 && (next == NULL || strcmp(*k, next) < 0))
                next = *k;
        if (next == NULL)
            break;
        buf_adds(out, lead);
        buf_add_json_string(out, next, strlen(next));
        buf_addc(out, ':');
        json_write(out, key_value(f->type, item, next));
        last = next;
        lead = ",";
    }
    buf_addc(out, '}');
}

char *item_key(const struct shape *list, const json_t *item)
{
    _auto_buf_ struct buf b = BUF_INIT;
    if (list->form == FORM_KEYED) {
        keys_write(&b, list->field, item);
    } else {
        buf_adds(&b, "v:");
        json_write(&b, item);
    }
    return buf_steal(&b, NULL);
}

char **item_keys(const struct shape *list, const json_t *items)
{
    size_t n = json_array_size(items);
    char **keys = xcalloc(n + 1, sizeof *keys);
    for (size_t i = 0; i < n; i++)
        keys[i] = item_key(list, json_array_get(items, i));
    return keys;
}

void item_keys_free(char **keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(keys[i]);
    free(keys);
}

int item_keys_find(char *const *keys, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i], key) == 0)
            return (int)i;
    return -1;
}
