/* check_event.c - events that were seen, alone or in an order.
 *
 * The order is that of the first time each was told; of those that were told in the same second, of their revision. */
#include "lab/check_int.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char *time_of(const json_t *event)
{
    const char *first = jstr(event, "firstTimestamp");
    return first ? first : jstr_or(event, "eventTime", jstr_or(event, "metadata.creationTimestamp", ""));
}

/* The revision an event was made at is only known by that of its last change; series are few. */
static int by_time(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    const int order = strncmp(time_of(x), time_of(y), strlen("2006-01-02T15:04:05"));
    if (order)
        return order;
    const long long p = atoll(jstr_or(x, "metadata.resourceVersion", "0"));
    const long long q = atoll(jstr_or(y, "metadata.resourceVersion", "0"));
    return p < q ? -1 : p > q;
}

/* About the object that `of` names. Returns a new array, or NULL. */
static json_t *events_of(struct lab_env *env, const json_t *what, struct err *e)
{
    const char *of = jstr(what, "of"), *slash = strchr(of, '/'), *ns = jstr(what, "namespace");
    _auto_free_ char *word = xstrndup(of, slash ? (size_t)(slash - of) : strlen(of));
    const struct kind *k = kinds_find(&env->kinds, word);
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *list = NULL;
    if (!k || !slash) {
        err_set(e, ERR_NOT_FOUND, "\"%s\" names no object: write KIND/NAME", of);
        return NULL;
    }
    if (k->namespaced)
        buf_addf(&path, "/api/v1/namespaces/%s/events", ns ? ns : client_namespace(env->client));
    else
        buf_adds(&path, "/api/v1/events");
    buf_addf(&path, "?fieldSelector=involvedObject.kind%%3D%s%%2CinvolvedObject.name%%3D", k->kind);
    client_escape(&path, slash + 1);
    if (client_json(env->client, "GET", buf_str(&path), NULL, NULL, &list, e) < 0)
        return NULL;
    return json_incref(json_object_get(list, "items"));
}

static void describe(const json_t *what, struct buf *out)
{
    static const char *const parts[] = {"type", "reason"};
    buf_addf(out, "%s: an event", jstr(what, "of"));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (jstr(what, parts[i]))
            buf_addf(out, " %s", jstr(what, parts[i]));
}

static int fits(const json_t *what, const json_t *event, bool *out_fits, struct err *e)
{
    static const char *const parts[] = {"type", "reason"};
    _auto_buf_ struct buf ignored = BUF_INIT;
    *out_fits = false;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (jstr(what, parts[i]) && !str_eq(jstr(what, parts[i]), jstr(event, parts[i])))
            return 0;
    return match_text(json_object_get(what, "message"), jstr_or(event, "message", ""), out_fits, &ignored, e);
}

static void show_events(const json_t *list, struct buf *out)
{
    size_t i;
    const json_t *x;
    json_array_foreach(list, i, x) buf_addf(out, "%s%s %s: %.200s", out->len ? "\n" : "", jstr_or(x, "type", ""),
                                            jstr_or(x, "reason", ""), jstr_or(x, "message", ""));
    if (!json_array_size(list))
        buf_adds(out, "no event at all");
}

/* The first that fits; *out_found NULL: none. Borrowed from list. */
static int first_fit(const json_t *what, const json_t *list, const json_t **out_found, struct err *e)
{
    size_t i;
    const json_t *x;
    *out_found = NULL;
    json_array_foreach(list, i, x)
    {
        bool is;
        if (fits(what, x, &is, e) < 0)
            return -1;
        if (is && (!*out_found || by_time(&x, out_found) < 0))
            *out_found = x;
    }
    return 0;
}

int check_event(struct lab_env *env, const json_t *what, struct check_result *out, struct err *e)
{
    _auto_json_ json_t *list = events_of(env, what, e);
    const json_t *found;
    if (!list || first_fit(what, list, &found, e) < 0)
        return -1;
    bool ignored;
    out->passed = found;
    describe(what, &out->expected);
    if (json_object_get(what, "message")) {
        buf_adds(&out->expected, " that says ");
        match_text(json_object_get(what, "message"), "", &ignored, &out->expected, e);
    }
    show_events(list, &out->observed);
    return 0;
}

int check_order(struct lab_env *env, const json_t *list, struct check_result *out, struct err *e)
{
    _auto_json_ json_t *before = NULL;
    size_t i;
    const json_t *what, *found;
    out->passed = true;
    json_array_foreach(list, i, what)
    {
        _auto_json_ json_t *events = events_of(env, what, e);
        if (!events || first_fit(what, events, &found, e) < 0)
            return -1;
        buf_adds(&out->expected, i ? ", then " : "");
        describe(what, &out->expected);
        if (!out->passed)
            continue;
        if (!found || (before && by_time(&found, &(const json_t *){before}) < 0)) {
            out->passed = false;
            describe(what, &out->observed);
            buf_adds(&out->observed, found ? " came before the one in front of it" : " was not seen");
            continue;
        }
        json_decref(before);
        before = json_incref((json_t *)(uintptr_t)found);
    }
    return 0;
}
