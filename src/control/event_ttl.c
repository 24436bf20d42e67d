/* event_ttl.c - Events live for an hour after their last change.
 *
 * The real API server stores Events under a lease of one hour, renewed by every write. Here a loop watches them: each
 * key comes back when its hour is over and the Event goes if nothing changed it since. */
#include "base/json.h"
#include "base/mem.h"
#include "control/control.h"

#define TTL_MS INT64_C(3600000)

/* Wall ns of the last change that the object itself tells of. */
static int64_t last_change(const json_t *ev)
{
    static const char *const paths[] = {"lastTimestamp", "series.lastObservedTime", "eventTime", "firstTimestamp",
                                        "metadata.creationTimestamp"};
    int64_t last = 0;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const char *text = jstr(ev, paths[i]);
        int64_t ns;
        if (text && time_parse(text, &ns) == 0 && ns > last)
            last = ns;
    }
    return last;
}

static int event_ttl_reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    _auto_sobj_ struct sobj *ev = reg_read(loop_registry(l), RES.events, ns, name);
    if (!ev)
        return 0;
    int64_t age_ms = (clock_wall_ns(loop_clock(l)) - last_change(ev->tree)) / 1000000;
    if (age_ms < TTL_MS) {
        /* An Event from the future waits no longer than a fresh one. */
        loop_enqueue_after(l, ns, name, age_ms < 0 ? TTL_MS : TTL_MS - age_ms);
        return 0;
    }
    if (reg_remove(loop_registry(l), loop_name(l), RES.events, ns, name, NULL, e) < 0)
        return e->code == ERR_NOT_FOUND ? 0 : -1;
    return 0;
}

static const struct loop_watch event_ttl_watches[] = {{.bucket = "events"}, {0}};

const struct loop_def event_ttl_loop = {
    .name = "event-ttl",
    .watches = event_ttl_watches,
    .reconcile = event_ttl_reconcile,
    .max_backoff_ms = 60000,
};
