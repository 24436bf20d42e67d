/* check_history.c - what became of objects since the step began, and in which order; and whether one is still the same.
 *
 * The order is that of revisions, which a server gives out one after the other, whatever the kind. */
#include "lab/check_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "lab/history.h"

#include <stdlib.h>

#define SHOWN_EVENTS 12
#define FORGOTTEN    "the cluster was started again, and has forgotten what was before: begin the step anew"

/* ---- one change of the list ---- */

static void name_of(const json_t *what, struct buf *out)
{
    const char *selector = jstr(what, "selector"), *ns = jstr(what, "namespace");
    buf_addf(out, "%s%s%s%s%s%s", jstr(what, "of"), selector ? " (" : "", selector ? selector : "", selector ? ")" : "",
             ns ? " in namespace " : "", ns ? ns : "");
}

static void describe(const json_t *what, struct buf *out)
{
    name_of(what, out);
    buf_addf(out, " %s", jstr_or(what, "is", "there"));
    if (json_object_get(what, "with")) {
        buf_adds(out, " with ");
        json_write(out, json_object_get(what, "with"));
    }
}

/* "there", or nothing said: in whatever way it came to be so. */
static bool fits(const json_t *what, const json_t *event)
{
    const char *is = jstr_or(what, "is", "there"), *type = jstr(event, "type");
    const json_t *with = json_object_get(what, "with");
    if (str_eq(is, "there") ? str_eq(type, "deleted") : !str_eq(is, type))
        return false;
    return !with || object_covers(with, json_object_get(event, "object"));
}

/* ---- the list ---- */

/* The first event behind `after` that fits. False: none. *out_rv: its revision. */
static bool first_fit(const json_t *what, const json_t *events, int64_t after, bool first, int64_t *out_rv)
{
    size_t i;
    const json_t *event;
    json_array_foreach(events, i, event)
    {
        const int64_t rv = jint(event, "rv", 0);
        if ((!first && rv <= after) || !fits(what, event))
            continue;
        *out_rv = rv;
        return true;
    }
    return false;
}

struct seeking {
    const json_t *what;
    int64_t after, found;
    bool first, is_found;
};

static bool enough(void *arg, const json_t *events)
{
    struct seeking *s = arg;
    s->is_found = first_fit(s->what, events, s->after, s->first, &s->found);
    return s->is_found;
}

static void show_events(const json_t *what, const json_t *events, struct buf *out)
{
    size_t i;
    const json_t *event;
    const size_t len = json_array_size(events), from = len > SHOWN_EVENTS ? len - SHOWN_EVENTS : 0;
    name_of(what, out);
    buf_adds(out, len ? ":" : " was never there");
    if (from)
        buf_adds(out, " ...");
    json_array_foreach(events, i, event) if (i >= from)
    {
        const char *phase = jstr(event, "object.status.phase");
        buf_addf(out, "%s %s", i > from ? "," : "", jstr(event, "type"));
        if (phase && !str_eq(jstr(event, "type"), "deleted"))
            buf_addf(out, " (%s)", phase);
    }
}

int check_history(struct lab_env *env, const json_t *list, struct check_result *out, struct err *e)
{
    struct seeking s = {.first = true, .is_found = true};
    size_t i;
    const json_t *what;
    json_array_foreach(list, i, what)
    {
        buf_adds(&out->expected, i ? ", then " : "since the step began: ");
        describe(what, &out->expected);
        if (!s.is_found)
            continue;
        s.what = what;
        s.is_found = false;
        _auto_json_ json_t *events = history_of(env, what, enough, &s, e);
        if (!events && e->code != ERR_EXPIRED && e->code != ERR_GONE)
            return -1;
        if (!events) {
            err_clear(e);
            buf_adds(&out->observed, FORGOTTEN);
        } else if (!s.is_found)
            show_events(what, events, &out->observed);
        s.after = s.found;
        s.first = false;
    }
    out->passed = s.is_found;
    return 0;
}

/* ---- the same, or another ---- */

static int check_identity(struct lab_env *env, const json_t *what, bool same, struct check_result *out, struct err *e)
{
    _auto_json_ json_t *note = history_began(env, e), *now = NULL;
    const char *of = jstr(what, "of");
    if (!note)
        return -1;
    const char *then = history_uid(note, what);
    buf_addf(&out->expected, "%s is %s", of,
             same ? "the one that was there when the step began" : "another one than when the step began");
    if (env_get(env, of, jstr(what, "namespace"), &now, e) < 0) {
        if (e->code != ERR_NOT_FOUND)
            return -1;
        buf_adds(&out->observed, e->msg);
        err_clear(e);
        return 0;
    }
    const bool is_same = str_eq(then, jstr(now, "metadata.uid"));
    out->passed = is_same == same;
    buf_adds(&out->observed, is_same ? "it is the same" : "it is another one, created ");
    buf_adds(&out->observed, is_same ? "" : jstr_or(now, "metadata.creationTimestamp", ""));
    return 0;
}

int check_same(struct lab_env *env, const json_t *what, struct check_result *out, struct err *e)
{
    return check_identity(env, what, true, out, e);
}

int check_recreated(struct lab_env *env, const json_t *what, struct check_result *out, struct err *e)
{
    return check_identity(env, what, false, out, e);
}
