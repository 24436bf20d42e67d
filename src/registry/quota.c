/* quota.c - quotas keep count: charged by the write that uses, recounted when things go.
 *
 * DESIGN: a write in a namespace with quotas takes quota_mu before it is checked and keeps it until it is committed or
 * has failed (op_end). So what one write was granted is in the count before the next is judged: many at once cannot go
 * over together. The count is status.used, raised by the charge; recounting looks at all objects, under the same lock,
 * and is done for a quota that is new or changed, after a charge that was not committed, and by the quota loop when
 * objects went away. Without quotas in the namespace nothing is locked.
 *
 * LOCKS: service_mu, then quota_mu, then those of the store.
 * Source: apiserver admission/plugin/resourcequota/controller.go, pkg/controller/resourcequota. */
#include "registry/meta_int.h"
#include "registry/quota_int.h"

#include "base/str.h"

#include <string.h>

enum { QUOTAS_MAX = 64 };

/* The quotas of one namespace. */
struct quotas {
    struct sobj *items[QUOTAS_MAX]; /* owned */
    size_t len;
};

static void quotas_release(struct quotas *q)
{
    for (size_t i = 0; i < q->len; i++)
        sobj_unref(q->items[i]);
    q->len = 0;
}
#define _auto_quotas_ __attribute__((cleanup(quotas_release)))

static int take_quota(struct sobj *o, void *arg)
{
    struct quotas *q = arg;
    if (q->len == QUOTAS_MAX)
        return 1;
    q->items[q->len++] = sobj_ref(o);
    return 0;
}

static void quotas_read(struct registry *r, const char *ns, struct quotas *out)
{
    struct snapshot *snap = store_snapshot(r->store);
    snapshot_scan(snap, RES.resourcequotas->bucket, ns, NULL, NULL, take_quota, out);
    snapshot_unref(snap);
}

/* -- counting anew -- */

struct count {
    const json_t *quota;
    const struct resource *res;
    int64_t now_ns;
    struct amounts *total;
};

static int count_object(struct sobj *o, void *arg)
{
    struct count *c = arg;
    if (quota_scopes_take(c->quota, c->res, o->tree))
        usage_add(c->res, o->tree, c->now_ns, c->total);
    return 0;
}

static void count_sources(struct registry *r, const json_t *quota, const char *ns, struct amounts *total)
{
    const struct resource *seen[QUOTAS_MAX];
    size_t n = 0;
    const char *name;
    json_t *v;
    struct count c = {.quota = quota, .now_ns = clock_wall_ns(r->clock), .total = total};
    struct snapshot *snap = store_snapshot(r->store);
    json_object_foreach(jat(quota, "spec.hard"), name, v)
    {
        const struct resource *source;
        bool known = usage_sources(name, &source, 1) == 0 || n == QUOTAS_MAX;
        for (size_t i = 0; i < n && !known; i++)
            known = seen[i] == source;
        if (known)
            continue;
        seen[n++] = c.res = source;
        snapshot_scan(snap, source->bucket, ns, NULL, NULL, count_object, &c);
    }
    snapshot_unref(snap);
}

static void put_amount(json_t *map, const char *name, const struct quantity *q)
{
    char text[QUANTITY_TEXT_LEN];
    quantity_format(q, text);
    json_object_set_new(map, name, json_string(text));
}

/* Writes status.hard and what is used of it. `used` is taken. */
static int put_status(struct registry *r, struct sobj **quota, json_t *take_used, struct err *e)
{
    json_t *next = json_deep_copy((*quota)->tree);
    jset(next, "status.hard", json_deep_copy(jat(next, "spec.hard")));
    jset(next, "status.used", take_used);
    if (!jat(next, "status.hard"))
        jdel(next, "status");
    if (json_equal(next, (*quota)->tree)) {
        json_decref(next);
        return 0;
    }
    struct sobj *written = NULL;
    meta_seal(RES.resourcequotas, next);
    if (store_put(r->store, (*quota)->bucket, (*quota)->ns, (*quota)->name, (*quota)->rv, next, &written, e) < 0)
        return -1;
    sobj_unref(*quota);
    *quota = written;
    return 0;
}

static int recount_locked(struct registry *r, struct sobj **quota, struct err *e)
{
    static const struct quantity nothing = {.format = QF_DECIMAL_SI};
    _auto_amounts_ struct amounts total = {0};
    json_t *used = json_object();
    const char *name;
    json_t *v;
    count_sources(r, (*quota)->tree, (*quota)->ns, &total);
    json_object_foreach(jat((*quota)->tree, "spec.hard"), name, v)
    {
        const struct resource *source;
        const struct quantity *q = amounts_get(&total, name);
        if (usage_sources(name, &source, 1) > 0)
            put_amount(used, name, q ? q : &nothing);
    }
    return put_status(r, quota, used, e);
}

int reg_quota_recount(struct registry *r, const char *ns, const char *name, struct err *e)
{
    pthread_mutex_lock(&r->quota_mu);
    struct sobj *quota = store_get(r->store, RES.resourcequotas->bucket, ns, name);
    int rc = quota && !meta_deleting(quota->tree) ? recount_locked(r, &quota, e) : 0;
    sobj_unref(quota);
    pthread_mutex_unlock(&r->quota_mu);
    return rc;
}

/* -- charging -- */

/* What the write adds: all of a new object, the difference for a changed one. Nothing negative: what is given back is
 * counted when it is gone. */
static void added(const struct op *op, const json_t *obj, const json_t *old, struct amounts *out)
{
    _auto_amounts_ struct amounts after = {0}, before = {0};
    usage_add(op->res, obj, op->now_ns, &after);
    if (old)
        usage_add(op->res, old, op->now_ns, &before);
    for (size_t i = 0; i < after.len; i++) {
        struct quantity q = after.items[i].q;
        const struct quantity *had = amounts_get(&before, after.items[i].name);
        if (had)
            quantity_sub(&q, had);
        if (!old || q.nano > 0)
            amounts_add(out, after.items[i].name, &q);
    }
    amounts_sort(out);
}

static struct quantity amount_in(const json_t *quota, const char *map, const char *name)
{
    struct quantity q = {.format = QF_DECIMAL_SI};
    const char *text = jmap(json_object_get(quota, "status"), map, name);
    if (!text || quantity_parse(text, &q) < 0)
        q = (struct quantity){.format = QF_DECIMAL_SI};
    q.verbatim = false;
    return q;
}

static void list_add(struct buf *b, const char *name, const struct quantity *q)
{
    char text[QUANTITY_TEXT_LEN];
    quantity_format(q, text);
    buf_addf(b, "%s%s=%s", b->len ? "," : "", name, text);
}

/* New amounts for status.used in `used`, or the op failed. */
static int grant(struct op *op, const json_t *obj, const json_t *quota, const struct amounts *wanted, json_t *used)
{
    _auto_buf_ struct buf asked = BUF_INIT, had = BUF_INIT, limit = BUF_INIT;
    for (size_t i = 0; i < wanted->len; i++) {
        const char *name = wanted->items[i].name;
        if (!jmap(json_object_get(quota, "status"), "hard", name))
            continue;
        struct quantity before = amount_in(quota, "used", name), hard = amount_in(quota, "hard", name), after = before;
        if (after.nano == 0)
            after.format = wanted->items[i].q.format;
        quantity_add(&after, &wanted->items[i].q);
        if (quantity_cmp(&after, &hard) > 0) {
            list_add(&asked, name, &wanted->items[i].q);
            list_add(&had, name, &before);
            list_add(&limit, name, &hard);
        }
        put_amount(used, name, &after);
    }
    if (asked.len == 0)
        return 0;
    return op_forbid(op, obj, "exceeded quota: %s, requested: %s, used: %s, limited: %s", meta_name(quota),
                     buf_str(&asked), buf_str(&had), buf_str(&limit));
}

/* -- a quota on what pods ask for makes them say how much -- */

static const char *const compute[] = {"cpu",
                                      "ephemeral-storage",
                                      "limits.cpu",
                                      "limits.ephemeral-storage",
                                      "limits.memory",
                                      "memory",
                                      "requests.cpu",
                                      "requests.ephemeral-storage",
                                      "requests.memory"};

static bool says(const json_t *container, const char *name)
{
    const char *list = str_starts(name, "limits.") ? "limits" : "requests";
    const char *dot = strchr(name, '.');
    return jmap(json_object_get(container, "resources"), list, dot ? dot + 1 : name) != NULL;
}

static void silent_containers(const json_t *pod, const char *name, struct strlist *out)
{
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        const json_t *list = json_object_get(jat(pod, "spec"), lists[l]);
        for (size_t i = 0; i < json_array_size(list); i++)
            if (!says(json_array_get(list, i), name))
                strlist_add(out, jstr_or(json_array_get(list, i), "name", ""));
    }
    strlist_sort(out);
}

static int must_specify(struct op *op, const json_t *pod, const json_t *quota)
{
    _auto_strlist_ struct strlist missing = {0};
    for (size_t i = 0; i < ARRAY_LEN(compute); i++) {
        _auto_strlist_ struct strlist containers = {0};
        if (!jmap(json_object_get(quota, "spec"), "hard", compute[i]))
            continue;
        silent_containers(pod, compute[i], &containers);
        _auto_free_ char *names = strlist_join(&containers, ",");
        if (containers.len > 0)
            strlist_addf(&missing, "%s for: %s", compute[i], names);
    }
    if (missing.len == 0)
        return 0;
    _auto_free_ char *text = strlist_join(&missing, "; ");
    return op_forbid(op, pod, "failed quota: %s: must specify %s", meta_name(quota), text);
}

static bool concerns(const json_t *quota, const struct amounts *wanted)
{
    for (size_t i = 0; i < wanted->len; i++)
        if (jmap(json_object_get(quota, "spec"), "hard", wanted->items[i].name))
            return true;
    return false;
}

static int charge_one(struct op *op, const json_t *obj, bool is_new, struct sobj **quota, const struct amounts *wanted)
{
    if (is_new && op->res == RES.pods && must_specify(op, obj, (*quota)->tree) < 0)
        return -1;
    if (!concerns((*quota)->tree, wanted))
        return 0;
    if (!member_equal(json_object_get((*quota)->tree, "status"), json_object_get((*quota)->tree, "spec"), "hard") &&
        recount_locked(op->r, quota, op->e) < 0)
        return op_fail_err(op);
    json_t *used = json_deep_copy(jat((*quota)->tree, "status.used"));
    if (!used)
        used = json_object();
    if (grant(op, obj, (*quota)->tree, wanted, used) < 0) {
        json_decref(used);
        return -1;
    }
    if (op->ctx->dry_run) {
        json_decref(used);
        return 0;
    }
    op->charged = true;
    return put_status(op->r, quota, used, op->e) < 0 ? op_fail_err(op) : 0;
}

static void hold(struct op *op)
{
    if (!op->holds_quotas)
        pthread_mutex_lock(&op->r->quota_mu);
    op->holds_quotas = true;
}

static void recount_all(struct op *op)
{
    struct err e = ERR_INIT;
    _auto_quotas_ struct quotas quotas = {0};
    quotas_read(op->r, op->t->ns, &quotas);
    for (size_t i = 0; i < quotas.len; i++)
        recount_locked(op->r, &quotas.items[i], &e); /* the quota loop comes to what fails here */
    op->charged = false;
}

int quota_charge(struct op *op, const json_t *obj, const json_t *old)
{
    _auto_quotas_ struct quotas first = {0}, quotas = {0};
    _auto_amounts_ struct amounts wanted = {0};
    quotas_read(op->r, op->t->ns, &first);
    if (first.len == 0)
        return 0;
    added(op, obj, old, &wanted);
    if (wanted.len == 0)
        return 0;
    hold(op);
    if (op->charged)
        recount_all(op); /* an earlier try of this op */
    quotas_read(op->r, op->t->ns, &quotas);
    for (size_t i = 0; i < quotas.len; i++) {
        const json_t *quota = quotas.items[i]->tree;
        if (!meta_deleting(quota) && quota_scopes_take(quota, op->res, obj) &&
            charge_one(op, obj, !old, &quotas.items[i], &wanted) < 0)
            return -1;
    }
    return 0;
}

void quota_settle(struct op *op)
{
    if (op->charged && op->e->code != ERR_OK)
        recount_all(op);
    if (op->holds_quotas)
        pthread_mutex_unlock(&op->r->quota_mu);
    op->holds_quotas = op->charged = false;
}
