/* sorting.c - see sorting.h. */
#include "kubectl/output/sorting.h"

#include "api/jsonpath.h"
#include "api/quantity.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct keyed {
    json_t *entry, *key; /* key: NULL when there is none; both owned while sorting */
    size_t at;
};

/* "pod2" before "pod10". */
static int natural_cmp(const char *a, const char *b)
{
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            a += strspn(a, "0");
            b += strspn(b, "0");
            const size_t na = strspn(a, "0123456789"), nb = strspn(b, "0123456789");
            const int by_value = na != nb ? (na > nb) - (na < nb) : strncmp(a, b, na);
            if (by_value)
                return by_value;
            a += na;
            b += nb;
            continue;
        }
        if (*a != *b)
            return (unsigned char)*a - (unsigned char)*b;
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

static int text_cmp(const char *a, const char *b)
{
    struct quantity qa, qb;
    if (quantity_parse(a, &qa) == 0 && quantity_parse(b, &qb) == 0)
        return quantity_cmp(&qa, &qb);
    return natural_cmp(a, b);
}

static int key_cmp(const json_t *a, const json_t *b)
{
    if (!a || !b)
        return (a != NULL) - (b != NULL);
    if (json_is_number(a) && json_is_number(b))
        return (json_number_value(a) > json_number_value(b)) - (json_number_value(a) < json_number_value(b));
    if (json_is_boolean(a) && json_is_boolean(b))
        return json_is_true(a) - json_is_true(b);
    if (json_is_string(a) && json_is_string(b))
        return text_cmp(json_string_value(a), json_string_value(b));
    return 0;
}

static int keyed_cmp(const void *pa, const void *pb)
{
    const struct keyed *a = pa, *b = pb;
    const int c = key_cmp(a->key, b->key);
    return c ? c : (a->at > b->at) - (a->at < b->at);
}

static int find_key(struct keyed *k, const char *path, const char *inside, struct err *e)
{
    _auto_json_ json_t *found = NULL;
    const json_t *object = inside ? json_object_get(k->entry, inside) : k->entry;
    if (jsonpath_find(path, object, true, &found, e) < 0)
        return -1;
    json_t *first = json_array_get(found, 0);
    if (first && !json_is_null(first))
        k->key = json_incref(first);
    return 0;
}

int sort_by(json_t *array, const char *path, const char *inside, struct err *e)
{
    const size_t n = json_array_size(array);
    _auto_free_ struct keyed *all = xcalloc(n ? n : 1, sizeof *all);
    bool any = false;
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        all[i] = (struct keyed){.entry = json_incref(json_array_get(array, i)), .at = i};
        if (rc == 0)
            rc = find_key(&all[i], path, inside, e);
        any |= all[i].key != NULL;
    }
    if (rc == 0 && n > 0 && !any)
        rc = err_set(e, ERR_BAD_REQUEST, "couldn't find any field with path \"%s%s%s\" in the list of objects",
                     path[0] == '{'   ? ""
                     : path[0] == '.' ? "{"
                                      : "{.",
                     path, path[0] == '{' ? "" : "}");
    if (rc == 0) {
        qsort(all, n, sizeof *all, keyed_cmp);
        json_array_clear(array);
    }
    for (size_t i = 0; i < n; i++) {
        if (rc == 0)
            json_array_append_new(array, all[i].entry);
        else
            json_decref(all[i].entry);
        json_decref(all[i].key);
    }
    return rc;
}
