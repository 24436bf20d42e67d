/* check_object.c - a part of an object that must, or must not, be there.
 *
 * DESIGN: as kuttl and chainsaw compare: members that are named must be equal, others do not matter; lists have the
 * same length and match one by one. An object without a name stands for any of its kind. What is shown is not the whole
 * object but the first member that differs, of the object that came furthest. */
#include "lab/check_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <string.h>

/* The first difference: its path, and how much was equal before it. */
struct difference {
    struct buf path, expected, observed;
    int equal;
};

static void difference_release(struct difference *d)
{
    buf_release(&d->path);
    buf_release(&d->expected);
    buf_release(&d->observed);
}

static bool scalar_equal(const json_t *a, const json_t *b)
{
    struct quantity x, y;
    const char *s = json_string_value(a), *t = json_string_value(b);
    if (json_equal(a, b))
        return true;
    return s && t && isdigit((unsigned char)*s) && isdigit((unsigned char)*t) && quantity_parse(s, &x) == 0 &&
           quantity_parse(t, &y) == 0 && quantity_cmp(&x, &y) == 0;
}

static bool differ(struct difference *d, const char *path, const json_t *want, const json_t *have)
{
    buf_adds(&d->path, path);
    json_write(&d->expected, want);
    if (have)
        json_write(&d->observed, have);
    return false;
}

static bool covers(const json_t *want, const json_t *have, const char *path, struct difference *d)
{
    const char *key;
    size_t i;
    const json_t *x;
    if (json_is_object(want) && json_is_object(have)) {
        json_object_foreach((json_t *)(uintptr_t)want, key, x)
        {
            _auto_free_ char *inner = *path ? xasprintf("%s.%s", path, key) : xstrdup(key);
            const json_t *other = json_object_get(have, key);
            if (!other ? !differ(d, inner, x, NULL) : !covers(x, other, inner, d))
                return false;
        }
        return true;
    }
    if (json_is_array(want) && json_is_array(have) && json_array_size(want) == json_array_size(have)) {
        json_array_foreach(want, i, x)
        {
            _auto_free_ char *inner = xasprintf("%s[%zu]", path, i);
            if (!covers(x, json_array_get(have, i), inner, d))
                return false;
        }
        return true;
    }
    if (!json_is_object(want) && !json_is_array(want) && scalar_equal(want, have)) {
        d->equal++;
        return true;
    }
    return differ(d, path, want, have);
}

bool object_covers(const json_t *want, const json_t *have)
{
    struct difference d = {0};
    const bool all = covers(want, have, "", &d);
    difference_release(&d);
    return all;
}

/* All that may be meant: the one of that name, or all of the kind. Returns new in *out (an array). */
static int candidates(struct lab_env *env, const json_t *want, json_t **out, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *got = NULL;
    const bool named = jstr(want, "metadata.name");
    if (env_object_path(env, want, NULL, named, &path, e) < 0)
        return -1;
    if (client_json(env->client, "GET", buf_str(&path), NULL, NULL, &got, e) < 0) {
        if (e->code != ERR_NOT_FOUND)
            return -1;
        err_clear(e);
        *out = json_array();
        return 0;
    }
    *out = named ? json_pack("[O]", got) : json_incref(json_object_get(got, "items"));
    size_t i;
    json_t *x;
    json_array_foreach(*out, i, x) /* members of a list do not tell their kind */
        if (!jstr(x, "kind"))
    {
        jset_str(x, "kind", jstr_or(want, "kind", ""));
        jset_str(x, "apiVersion", jstr_or(want, "apiVersion", ""));
    }
    return 0;
}

static void name_of(const json_t *want, struct buf *out)
{
    const char *name = jstr(want, "metadata.name"), *ns = jstr(want, "metadata.namespace");
    buf_addf(out, "%s %s%s%s", jstr_or(want, "kind", ""), name ? name : "(any)", ns ? " in namespace " : "",
             ns ? ns : "");
}

/* The one that matches, or the difference of the nearest. */
static const json_t *nearest(const json_t *want, const json_t *list, struct difference *best)
{
    size_t i;
    const json_t *x;
    best->equal = -1;
    json_array_foreach(list, i, x)
    {
        struct difference d = {0};
        if (covers(want, x, "", &d)) {
            difference_release(&d);
            return x;
        }
        if (d.equal > best->equal) {
            difference_release(best);
            *best = d;
        } else {
            difference_release(&d);
        }
    }
    return NULL;
}

int check_assert(struct lab_env *env, const json_t *want, struct check_result *out, struct err *e)
{
    _auto_json_ json_t *list = NULL;
    struct difference d = {0};
    if (candidates(env, want, &list, e) < 0)
        return -1;
    out->passed = nearest(want, list, &d) != NULL;
    name_of(want, &out->expected);
    if (!json_array_size(list)) {
        buf_adds(&out->observed, "there is none");
    } else if (!out->passed) {
        buf_addf(&out->expected, " with %s: %s", buf_str(&d.path), buf_str(&d.expected));
        buf_addf(&out->observed, "%s: %s", buf_str(&d.path), d.observed.len ? buf_str(&d.observed) : "(not set)");
    }
    difference_release(&d);
    return 0;
}

int check_error(struct lab_env *env, const json_t *want, struct check_result *out, struct err *e)
{
    _auto_json_ json_t *list = NULL;
    struct difference d = {0};
    if (candidates(env, want, &list, e) < 0)
        return -1;
    const json_t *there = nearest(want, list, &d);
    difference_release(&d);
    out->passed = !there;
    buf_adds(&out->expected, "no such object: ");
    name_of(want, &out->expected);
    if (there)
        buf_addf(&out->observed, "%s %s is there", jstr_or(want, "kind", ""), jstr_or(there, "metadata.name", ""));
    return 0;
}
