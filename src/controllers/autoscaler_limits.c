/* autoscaler_limits.c - how fast an autoscaler may go: what was wanted of late, and what was changed.
 *
 * DESIGN: fewer replicas are taken only if nothing more was wanted for the stabilization window (5 min by default),
 * more at once; either at no more than the policies allow in their periods, by default doubling (or four) in 15 s. The
 * past is kept in memory: after a restart an autoscaler is careful again for a window. Source:
 * pkg/controller/podautoscaler horizontal.go (stabilizeRecommendationWithBehaviors,
 * convertDesiredReplicasWithBehaviorRate).
 *
 * THREADS: the loop thread's. */
#include "controllers/autoscaler_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define PAST_MS          3600000 /* the longest window there is */
#define DOWN_WINDOW      300
#define DEFAULT_INCREASE 4

struct moment {
    int64_t at_ms, n;
};
struct past {
    struct moment *items; /* owned; oldest first */
    size_t len, cap;
};
struct pace {
    char *ns, *name; /* owned */
    struct past wanted, changed;
    struct pace *next;
};

static void past_add(struct past *p, int64_t now_ms, int64_t n)
{
    size_t old = 0;
    while (old < p->len && p->items[old].at_ms + PAST_MS < now_ms)
        old++;
    if (old) {
        p->len -= old;
        memmove(p->items, p->items + old, p->len * sizeof *p->items);
    }
    if (p->len == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 16;
        p->items = xrealloc(p->items, p->cap * sizeof *p->items);
    }
    p->items[p->len++] = (struct moment){now_ms, n};
}

static void pace_free(struct pace *p)
{
    free(p->wanted.items);
    free(p->changed.items);
    free(p->ns);
    free(p->name);
    free(p);
}

void paces_free(struct pace *all)
{
    for (struct pace *next; all; all = next) {
        next = all->next;
        pace_free(all);
    }
}

struct pace *pace_of(struct pace **all, const char *ns, const char *name)
{
    for (struct pace *p = *all; p; p = p->next)
        if (str_eq(p->name, name) && str_eq(p->ns, ns))
            return p;
    struct pace *p = xcalloc(1, sizeof *p);
    p->ns = xstrdup(ns);
    p->name = xstrdup(name);
    p->next = *all;
    return *all = p;
}

void pace_drop(struct pace **all, const char *ns, const char *name)
{
    for (struct pace **link = all; *link; link = &(*link)->next) {
        struct pace *p = *link;
        if (!str_eq(p->name, name) || !str_eq(p->ns, ns))
            continue;
        *link = p->next;
        pace_free(p);
        return;
    }
}

/* The least (for more) or the most (for fewer) that was wanted within the window, the new wish included. */
static int64_t stabilize(const struct past *past, int64_t now_ms, int64_t window_s, int64_t wanted, bool up)
{
    for (size_t i = 0; i < past->len; i++) {
        const struct moment *m = &past->items[i];
        if (m->at_ms + window_s * 1000 <= now_ms)
            continue;
        if (up ? m->n < wanted : m->n > wanted)
            wanted = m->n;
    }
    return wanted;
}

/* How far the number was moved that way within the period. */
static int64_t moved(const struct past *past, int64_t now_ms, int64_t period_s, bool up)
{
    int64_t sum = 0;
    for (size_t i = 0; i < past->len; i++)
        if (past->items[i].at_ms + period_s * 1000 > now_ms && (past->items[i].n > 0) == up)
            sum += past->items[i].n;
    return sum;
}

static int64_t percent_up(int64_t n, int64_t percent)
{
    return n + (n * percent + 99) / 100;
}

static int64_t percent_down(int64_t n, int64_t percent)
{
    return n - n * percent / 100;
}

/* How far the policies let the number go; `current` where they disable it. */
static int64_t policy_limit(const struct pace *p, const json_t *rules, int64_t now_ms, int64_t current, bool up)
{
    bool wide = !str_eq(jstr(rules, "selectPolicy"), "Min"), any = false;
    int64_t limit = current;
    size_t i;
    json_t *policy;
    if (str_eq(jstr(rules, "selectPolicy"), "Disabled"))
        return current;
    json_array_foreach(json_object_get(rules, "policies"), i, policy)
    {
        int64_t start = current - moved(&p->changed, now_ms, jint(policy, "periodSeconds", 15), up);
        int64_t value = jint(policy, "value", 0), to;
        if (str_eq(jstr(policy, "type"), "Percent"))
            to = up ? percent_up(start, value) : percent_down(start, value);
        else
            to = up ? start + value : start - value;
        if (!any || (wide == up ? to > limit : to < limit))
            limit = to;
        any = true;
    }
    return limit;
}

static int64_t default_up_limit(int64_t current)
{
    return 2 * current > DEFAULT_INCREASE ? 2 * current : DEFAULT_INCREASE;
}

int64_t pace_limit(struct pace *p, const json_t *hpa, int64_t now_ms, int64_t current, int64_t wanted,
                   struct verdict_text *able, struct verdict_text *limited)
{
    const json_t *up = jat(hpa, "spec.behavior.scaleUp"), *down = jat(hpa, "spec.behavior.scaleDown");
    int64_t least = jint(hpa, "spec.minReplicas", 1), most = jint(hpa, "spec.maxReplicas", 1), calm = wanted;
    if (!p->wanted.len)
        past_add(&p->wanted, now_ms, current); /* what is there was wanted once */
    if (wanted < current)
        calm = stabilize(&p->wanted, now_ms, jint(down, "stabilizationWindowSeconds", DOWN_WINDOW), wanted, false);
    else if (wanted > current)
        calm = stabilize(&p->wanted, now_ms, jint(up, "stabilizationWindowSeconds", 0), wanted, true);
    past_add(&p->wanted, now_ms, wanted);
    if (wanted < current && calm > current)
        calm = current;
    if (wanted > current && calm < current)
        calm = current;
    *able =
        calm == wanted ? (struct verdict_text){"True", "ReadyForNewScale", "recommended size matches current size"}
        : wanted < current
            ? (struct verdict_text){"True", "ScaleDownStabilized",
                                    "recent recommendations were higher than current one, applying the highest "
                                    "recent recommendation"}
            : (struct verdict_text){"True", "ScaleUpStabilized",
                                    "recent recommendations were lower than current one, applying the lowest recent "
                                    "recommendation"};
    int64_t fast = up ? policy_limit(p, up, now_ms, current, true) : default_up_limit(current);
    int64_t slow = down ? policy_limit(p, down, now_ms, current, false) : 0;
    if (calm > current && calm > fast && fast < most) {
        *limited = (struct verdict_text){"True", "ScaleUpLimit",
                                         "the desired replica count is increasing faster than the maximum scale rate"};
        return fast > current ? fast : current;
    }
    if (calm < current && calm < slow && slow > least) {
        *limited = (struct verdict_text){"True", "ScaleDownLimit",
                                         "the desired replica count is decreasing faster than the maximum scale rate"};
        return slow < current ? slow : current;
    }
    *limited =
        calm > most ? (struct verdict_text){"True", "TooManyReplicas",
                                            "the desired replica count is more than the maximum replica count"}
        : calm < least
            ? (struct verdict_text){"True", "TooFewReplicas",
                                    "the desired replica count is less than the minimum replica count"}
            : (struct verdict_text){"False", "DesiredWithinRange", "the desired count is within the acceptable range"};
    return calm > most ? most : calm < least ? least : calm;
}

void pace_scaled(struct pace *p, int64_t now_ms, int64_t by)
{
    past_add(&p->changed, now_ms, by);
}
