/* event_ttl.c - events live for one hour after they were last seen (the API server's --event-ttl). */
#include "controllers/controllers_int.h"

#include "base/json.h"
#include "base/str.h"

#define TTL_NS (INT64_C(3600) * 1000000000)

static int64_t last_seen(const json_t *ev)
{
    static const char *const where[] = {"series.lastObservedTime", "lastTimestamp", "eventTime",
                                        "metadata.creationTimestamp"};
    int64_t at = 0;
    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        const char *text = jstr(ev, where[i]);
        if (text && time_parse(text, &at) == 0)
            return at;
    }
    return at;
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *ev = reg_read(loop_registry(l), RES.events, ns, name);
    if (!ev)
        return 0;
    int64_t left = last_seen(ev->tree) + TTL_NS - clock_wall_ns(loop_clock(l));
    if (left > 0) {
        loop_enqueue_after(l, ns, name, left / 1000000 + 1);
        return 0;
    }
    struct reg_delete_opts opts = REG_DELETE_DEFAULT;
    if (reg_remove(loop_registry(l), WHO, RES.events, ns, name, &opts, e) < 0 && e->code != ERR_NOT_FOUND)
        return -1;
    err_clear(e);
    return 0;
}

static void map(struct loop *l, const struct watch_event *ev)
{
    if (ev->type == WATCH_ADDED)
        loop_enqueue(l, ev->obj->ns, ev->obj->name);
}

static const struct loop_watch watches[] = {{"events", map}, {NULL, NULL}};

const struct loop_def event_ttl_loop = {.name = "event-ttl", .watches = watches, .reconcile = reconcile};
