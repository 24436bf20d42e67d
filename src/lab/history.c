/* history.c - see history.h. */
#include "lab/history.h"

#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_S  1 /* the server tells all that was before it begins to wait */
#define WATCH_MS 20000

static char *note_path(const struct lab_env *env)
{
    return xasprintf("%s/.step.json", env->work);
}

/* ---- the beginning ---- */

static char *uid_key(const json_t *what)
{
    return xasprintf("%s %s", jstr_or(what, "namespace", ""), jstr(what, "of"));
}

/* An object that is not there yet has no uid. */
static int note_uid(struct lab_env *env, const json_t *what, json_t *uids, struct err *e)
{
    _auto_free_ char *key = uid_key(what);
    _auto_json_ json_t *object = NULL;
    if (env_get(env, jstr(what, "of"), jstr(what, "namespace"), &object, e) == 0) {
        json_object_set_new(uids, key, json_string(jstr_or(object, "metadata.uid", "")));
        return 0;
    }
    if (e->code != ERR_NOT_FOUND)
        return -1;
    err_clear(e);
    return 0;
}

/* Of all that the checks, and their parts, want to be the same or another. */
static int note_uids(struct lab_env *env, const json_t *checks, json_t *uids, struct err *e)
{
    static const char *const fields[] = {"same", "recreated"};
    size_t i;
    const json_t *check;
    json_array_foreach(checks, i, check)
    {
        for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
            const json_t *what = json_object_get(check, fields[f]);
            if (what && note_uid(env, what, uids, e) < 0)
                return -1;
        }
        if (note_uids(env, json_object_get(check, "all"), uids, e) < 0)
            return -1;
    }
    return 0;
}

static bool looks_back(const json_t *checks)
{
    size_t i;
    const json_t *check;
    json_array_foreach(checks, i, check)
    {
        if (json_object_get(check, "history") || json_object_get(check, "same") ||
            json_object_get(check, "recreated") || looks_back(json_object_get(check, "all")))
            return true;
    }
    return false;
}

int history_begin(struct lab_env *env, const json_t *step, struct err *e)
{
    _auto_json_ json_t *uids = json_object(), *now = NULL;
    _auto_free_ char *path = note_path(env);
    if (!looks_back(json_object_get(step, "checks")))
        return 0;
    if (note_uids(env, json_object_get(step, "checks"), uids, e) < 0 ||
        client_json(env->client, "GET", "/api/v1/namespaces?limit=1", NULL, NULL, &now, e) < 0)
        return -1;
    _auto_json_ json_t *note =
        json_pack("{s:s, s:O}", "revision", jstr_or(now, "metadata.resourceVersion", "0"), "uids", uids);
    return json_dump_file(note, path, JSON_COMPACT) < 0 ? err_sys(e, errno, "%s", path) : 0;
}

const char *history_uid(const json_t *began, const json_t *what)
{
    _auto_free_ char *key = uid_key(what);
    return json_string_value(json_object_get(json_object_get(began, "uids"), key));
}

json_t *history_began(const struct lab_env *env, struct err *e)
{
    _auto_free_ char *path = note_path(env);
    json_error_t fault;
    json_t *note = json_load_file(path, 0, &fault);
    if (!note)
        err_set(e, ERR_NOT_FOUND, "it is not known when this step began: %s", fault.text);
    return note;
}

/* ---- since then ---- */

struct telling {
    json_t *events;
    bool (*enough)(void *arg, const json_t *events);
    void *arg;
};

static void add_event(json_t *events, const char *type, json_t *object)
{
    json_array_append_new(events, json_pack("{s:s, s:I, s:O}", "type", type, "rv",
                                            (json_int_t)atoll(jstr_or(object, "metadata.resourceVersion", "0")),
                                            "object", object));
}

static int on_event(void *arg, const char *type, json_t *object, struct err *e)
{
    static const struct {
        const char *theirs, *ours;
    } types[] = {{"ADDED", "created"}, {"MODIFIED", "changed"}, {"DELETED", "deleted"}};
    struct telling *t = arg;
    (void)e;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_eq(type, types[i].theirs))
            add_event(t->events, types[i].ours, object);
    return t->enough && t->enough(t->arg, t->events);
}

/* The collection, with what selects in it. */
static int collection(struct lab_env *env, const json_t *what, struct buf *out, struct err *e)
{
    const char *of = jstr(what, "of"), *slash = strchr(of, '/'), *selector = jstr(what, "selector");
    _auto_free_ char *any = xasprintf("%.*s/x", slash ? (int)(slash - of) : (int)strlen(of), of);
    if (env_path(env, any, jstr(what, "namespace"), NULL, out, e) < 0)
        return -1;
    out->len -= 2; /* "/x" */
    out->data[out->len] = '\0';
    buf_addc(out, '?');
    if (slash) {
        buf_adds(out, "fieldSelector=metadata.name%3D");
        client_escape(out, slash + 1);
        buf_addc(out, '&');
    }
    if (selector) {
        buf_adds(out, "labelSelector=");
        client_escape(out, selector);
        buf_addc(out, '&');
    }
    return 0;
}

/* As they were at the revision. */
static int list_then(struct lab_env *env, const char *at, const char *revision, json_t *events, struct err *e)
{
    _auto_free_ char *path = xasprintf("%sresourceVersion=%s&resourceVersionMatch=Exact", at, revision);
    _auto_json_ json_t *list = NULL;
    size_t i;
    json_t *x;
    if (client_json(env->client, "GET", path, NULL, NULL, &list, e) < 0)
        return -1;
    json_array_foreach(json_object_get(list, "items"), i, x) add_event(events, "there", x);
    return 0;
}

json_t *history_of(struct lab_env *env, const json_t *what, bool (*enough)(void *arg, const json_t *events), void *arg,
                   struct err *e)
{
    _auto_json_ json_t *note = history_began(env, e), *events = json_array();
    _auto_buf_ struct buf at = BUF_INIT;
    if (!note || collection(env, what, &at, e) < 0 ||
        list_then(env, buf_str(&at), jstr(note, "revision"), events, e) < 0)
        return NULL;
    if (enough && enough(arg, events))
        return TAKE(events);
    buf_addf(&at, "watch=true&timeoutSeconds=%d&resourceVersion=%s", WATCH_S, jstr(note, "revision"));
    struct telling t = {events, enough, arg};
    return client_watch(env->client, buf_str(&at), WATCH_MS, on_event, &t, e) < 0 ? NULL : TAKE(events);
}
