/* until.c - see until.h.
 *
 * DESIGN: a list of that one object, then a watch from its version on; when the server ends the watch (they last some
 * minutes) it begins again with the list, so nothing is missed and what was seen may be seen twice. */
#include "kubectl/verbs/until.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"

#include <time.h>

#define PAUSE_MS 200 /* before asking again where a watch failed */

struct following {
    until_fn *seen;
    void *arg;
};

static int take_event(void *arg, const char *type, json_t *object, struct err *e)
{
    struct following *f = arg;
    if (str_eq(type, "BOOKMARK"))
        return 0;
    return f->seen(f->arg, object, str_eq(type, "DELETED"), e);
}

static void path_of(const struct kind *kind, const char *ns, const char *name, struct buf *path)
{
    _auto_free_ char *field = xasprintf("metadata.name=%s", name);
    kind_path(kind, ns, NULL, NULL, path);
    call_query(path, "fieldSelector", field);
}

/* 1: seen; 0: not yet, *out_version is where to watch from; -1. */
static int look(struct call *c, const struct kind *kind, const char *path, struct following *f, char **out_version,
                struct err *e)
{
    _auto_json_ json_t *list = NULL;
    _auto_buf_ struct buf version = BUF_INIT;
    if (call_json(c, "GET", path, NULL, NULL, &list, e) < 0)
        return -1;
    *out_version = xstrdup(jstr_or(list, "metadata.resourceVersion", "0"));
    json_t *object = json_array_get(json_object_get(list, "items"), 0);
    if (object != NULL) { /* in lists they do not say what they are */
        kind_api_version(kind, &version);
        jset_str(object, "apiVersion", buf_str(&version));
        jset_str(object, "kind", kind->kind);
    }
    return f->seen(f->arg, object, false, e);
}

int until_seen(struct call *c, const struct kind *kind, const char *ns, const char *name, int64_t deadline,
               until_fn *seen, void *arg, struct err *e)
{
    struct following f = {seen, arg};
    _auto_buf_ struct buf path = BUF_INIT;
    path_of(kind, ns, name, &path);
    for (;;) {
        _auto_free_ char *version = NULL;
        _auto_buf_ struct buf watch = BUF_INIT;
        int rc = look(c, kind, buf_str(&path), &f, &version, e);
        int64_t left = deadline == INT64_MAX ? -1 : deadline - clock_mono_ms(clock_real());
        if (rc != 0 || (deadline != INT64_MAX && left <= 0))
            return rc;
        buf_addf(&watch, "%s&watch=true&resourceVersion=%s", buf_str(&path), version);
        rc = client_watch(c->k->client, buf_str(&watch), left, take_event, &f, e);
        if (rc > 0 || (rc < 0 && e->code != ERR_GONE && e->code != ERR_EXPIRED))
            return rc;
        if (rc < 0) {
            err_clear(e);
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
        }
    }
}
