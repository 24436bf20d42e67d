/* claim.c - which objects belong to a controller: adoption and release by selector.
 *
 * DESIGN: as controller_ref_manager.go: an object the owner controls stays if the selector still matches, else it is
 * released; an object without controller is adopted if the selector matches. Nothing changes while the owner is being
 * deleted. A loop here reads the registry itself, not a cache that lags behind, so what it made a moment ago is already
 * in its next list: the "expectations" that guard real controllers against making things twice are not needed. */
#include "controllers/controllers_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int edit_adopt(json_t *obj, void *arg, struct err *e)
{
    (void)e;
    const json_t *owner = arg;
    if (controller_of(obj) || jstr(obj, "metadata.deletionTimestamp"))
        return 0;
    json_array_append_new(jmake_arr(obj, "metadata.ownerReferences"), controller_ref(owner));
    return 1;
}

static int edit_release(json_t *obj, void *arg, struct err *e)
{
    (void)e;
    return owner_remove(obj, obj_uid(arg)) ? 1 : 0;
}

struct claim {
    struct loop *l;
    const json_t *owner;
    const struct resource *res;
    struct label_selector *selector;
    bool frozen; /* the owner is being deleted */
};

static int change(const struct claim *c, const json_t *obj, int (*edit)(json_t *, void *, struct err *), struct err *e)
{
    int rc = reg_modify(loop_registry(c->l), WHO, c->res, obj_ns(obj), obj_name(obj), "", edit, (void *)c->owner, e);
    if (rc < 0 && e->code == ERR_NOT_FOUND) {
        err_clear(e);
        return 0;
    }
    return rc < 0 ? -1 : 1;
}

/* 1: the owner's; 0: not; -1: an error. */
static int claim_one(const struct claim *c, const json_t *obj, struct err *e)
{
    bool match = label_selector_match(c->selector, jat(obj, "metadata.labels"));
    if (controller_of(obj)) {
        if (!controlled_by(obj, c->owner))
            return 0;
        if (match)
            return 1;
        if (c->frozen || jstr(obj, "metadata.deletionTimestamp"))
            return 0;
        return change(c, obj, edit_release, e) < 0 ? -1 : 0;
    }
    if (!match || c->frozen || jstr(obj, "metadata.deletionTimestamp"))
        return 0;
    return change(c, obj, edit_adopt, e);
}

int claim_objects(struct loop *l, const json_t *owner, const struct resource *res, struct objlist *list, struct err *e)
{
    struct claim c = {.l = l, .owner = owner, .res = res, .frozen = jstr(owner, "metadata.deletionTimestamp") != NULL};
    if (selector_of(owner, &c.selector, e) < 0)
        return -1;
    size_t kept = 0;
    int rc = 0;
    for (size_t i = 0; i < list->len; i++) {
        int mine = rc < 0 ? 0 : claim_one(&c, list->trees[i], e);
        if (mine < 0)
            rc = -1;
        if (mine > 0) {
            list->items[kept] = list->items[i];
            list->trees[kept++] = list->trees[i];
        } else {
            sobj_unref(list->items[i]);
        }
    }
    list->len = kept;
    label_selector_free(c.selector);
    return rc;
}

void enqueue_controller(struct loop *l, const json_t *obj, const char *kind)
{
    const json_t *ref = controller_of(obj);
    if (ref && str_eq(jstr(ref, "kind"), kind))
        loop_enqueue(l, obj_ns(obj), jstr_or(ref, "name", ""));
}

int write_status(struct loop *l, const struct resource *res, const json_t *old, json_t *take_new, struct err *e)
{
    if (json_equal(jat(old, "status"), jat(take_new, "status"))) {
        json_decref(take_new);
        return 0;
    }
    return reg_write(loop_registry(l), WHO, res, "status", take_new, NULL, e) < 0 ? -1 : 1;
}

void put_count(json_t *status, const char *field, int64_t n)
{
    if (n)
        jset_int(status, field, n);
    else
        jdel(status, field);
}

int64_t int_or_percent(const json_t *v, int64_t total, bool round_up)
{
    if (json_is_integer(v))
        return json_integer_value(v);
    const char *text = json_string_value(v);
    int64_t percent = text ? atoll(text) : 0;
    return (total * percent + (round_up ? 99 : 0)) / 100;
}

void tree_hash(const json_t *tree, int64_t collisions, char out[HASH_LEN])
{
    _auto_free_ char *text = json_dumps(tree, JSON_COMPACT | JSON_SORT_KEYS);
    uint32_t h = str_hash32(text, strlen(text)) + (uint32_t)collisions;
    snprintf(out, HASH_LEN, "%u", h);
    for (char *p = out; *p; p++) /* digits to the alphabet without vowels, as SafeEncodeString */
        *p = "bcdfghjklmnpqrstvwxz2456789"[(unsigned char)*p % 27];
}
