/* What a real 1.32 control plane did, played again: each file of tests/golden/storage/sequences tells what a user (or a
 * hand that played the kubelet or a driver) asked for and when, and what became of every claim, volume, pod and
 * attachment, version by version, and which events were told. The same requests are made here of the same loops, on a
 * clock that moves only when told; the versions and events must be the same.
 *
 * A file. "steps": requests in order, "at" so many seconds from the start. "objects": the versions of each object, the
 * first whole, each further one as what changed (a merge patch), "gone" when it was deleted. "events": about whom, and
 * how often. "order": which claims and volumes were written one after the other. {pvc/c} stands for the uid of claim c,
 * {va/v@n1} for the name of the attachment of volume v to n1. "given" was there before, "labels" stood on both nodes.
 *
 * What is left out is what differs from run to run: ids, times, hashes, the order of what two loops write at once. Two
 * nodes that would do equally are drawn by lot in reality: if it does not come out as recorded, it is played once more
 * with the names of the nodes exchanged. Counts of events that a resync repeats may be one off.
 *
 * Arguments are names of files to play alone (with all that differs); none: all of them. */
#include "unit/loop_world.h"

#include "base/buf.h"
#include "binder/binder.h"
#include "controllers/controllers.h"
#include "scheduler/scheduler.h"
#include "sys/fake.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>

#define FOLDER     "tests/golden/storage/sequences"
#define TICK_MS    50
#define HEARTBEAT  10 /* seconds */
#define MAX_WRITES 500

struct play {
    struct loop_world w;
    const char *name;
    json_t *story; /* the file */
    bool swapped;  /* n1 is n2 */

    json_t *seen;   /* {"pvc/c": [version …]} */
    json_t *ids;    /* {"pvc/c": uid, "va/v@n1": name} */
    json_t *events; /* [event …] in the order of their first version */
    struct write {
        uint64_t rv;
        char key[300];
    } writes[MAX_WRITES]; /* every new version, as they came from the watches */
    size_t write_count;
    int64_t now_ms, beat_ms;
    struct buf complaints;
};

static void complain(struct play *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct play *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_adds(&p->complaints, "    ");
    buf_addv(&p->complaints, fmt, ap);
    buf_addc(&p->complaints, '\n');
    va_end(ap);
}

/* -- what of an object is compared -- */

static const char *const differ_each_run[] = {
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
    "lastTransitionTime",
    "lastPhaseTransitionTime",
    "timeAdded",
    "lastProbeTime",
    "time",
    "deletionGracePeriodSeconds",
    "kind",
    "apiVersion",
    "startTime",
};
static const char *const of_metadata_not[] = {"name", "namespace", "generateName", "ownerReferences"};
static const char *const hashes[] = {"controller-revision-hash", "pod-template-hash"};

static bool is_one_of(const char *s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(s, list[i]))
            return true;
    return false;
}

static bool is_nothing(const json_t *v)
{
    return json_is_null(v) || (json_is_object(v) && !json_object_size(v)) || (json_is_array(v) && !json_array_size(v));
}

/* A copy without what differs in each run, and without empty members. Returns new. */
static json_t *essence(const json_t *v)
{
    json_t *out;
    if (json_is_object(v)) {
        out = json_object();
        const char *key;
        json_t *member;
        json_object_foreach((json_t *)v, key, member)
        {
            if (is_one_of(key, differ_each_run, ARRAY_LEN(differ_each_run)))
                continue;
            bool deleting = str_eq(key, "deletionTimestamp");
            json_t *e = deleting ? json_true() : essence(member);
            if (is_nothing(e))
                json_decref(e);
            else
                json_object_set_new(out, deleting ? "deleting" : key, e);
        }
    } else if (json_is_array(v)) {
        out = json_array();
        size_t i;
        json_t *item;
        json_array_foreach(v, i, item) json_array_append_new(out, essence(item));
    } else {
        out = json_deep_copy(v);
    }
    return out;
}

/* Of pods only what others write on them. Returns new. */
static json_t *version_of(const struct resource *res, const json_t *tree)
{
    json_t *out = essence(tree);
    json_t *meta = json_object_get(out, "metadata");
    for (size_t i = 0; i < ARRAY_LEN(of_metadata_not); i++)
        json_object_del(meta, of_metadata_not[i]);
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
        json_object_del(json_object_get(meta, "labels"), hashes[i]);
    if (is_nothing(json_object_get(meta, "labels")))
        json_object_del(meta, "labels");
    if (is_nothing(meta))
        json_object_del(out, "metadata");
    if (res == RES.pods) {
        json_object_del(out, "spec");
        if (jstr(tree, "spec.nodeName"))
            jset_str(out, "spec.nodeName", jstr(tree, "spec.nodeName"));
    }
    return out;
}

/* -- listening: a loop of the test's own that writes down every version -- */

static void key_of(const struct resource *res, const json_t *o, char *out, size_t size)
{
    const char *kind = res == RES.persistentvolumes ? "pv" : (res == RES.persistentvolumeclaims ? "pvc" : "pod");
    if (res == RES.volumeattachments)
        snprintf(out, size, "va/%s@%s", jstr_or(o, "spec.source.persistentVolumeName", "(inline)"),
                 jstr_or(o, "spec.nodeName", "?"));
    else
        snprintf(out, size, "%s/%s", kind, obj_name(o));
}

static void map_object(struct loop *l, const struct watch_event *ev)
{
    struct play *p = loop_env(l);
    const struct resource *res = resource_by_bucket(ev->obj->bucket);
    char key[512];
    if (*ev->obj->ns && !str_eq(ev->obj->ns, jstr(p->story, "namespace")))
        return; /* recycler pods live elsewhere */
    key_of(res, ev->obj->tree, key, sizeof key);
    json_object_set_new(p->ids, key,
                        json_string(res == RES.volumeattachments ? ev->obj->name : obj_uid(ev->obj->tree)));
    json_t *now = ev->type == WATCH_DELETED ? json_string("gone") : version_of(res, ev->obj->tree);
    json_t *versions = json_object_get(p->seen, key);
    if (!versions)
        json_object_set_new(p->seen, key, versions = json_array());
    if (json_equal(json_array_get(versions, json_array_size(versions) - 1), now)) {
        json_decref(now);
        return;
    }
    json_array_append_new(versions, now);
    assert_in_range(p->write_count, 0, MAX_WRITES - 1);
    struct write *w = &p->writes[p->write_count++];
    w->rv = ev->obj->rv;
    snprintf(w->key, sizeof w->key, "%s", key);
}

static int64_t times_told(const json_t *event)
{
    int64_t series = jint(event, "series.count", 1), count = jint(event, "count", 1);
    return series > count ? series : count;
}

static void map_event(struct loop *l, const struct watch_event *ev)
{
    struct play *p = loop_env(l);
    const json_t *o = ev->obj->tree;
    const char *from = jstr(o, "source.component");
    char about[512];
    snprintf(about, sizeof about, "%s/%s", jstr_or(o, "involvedObject.kind", "?"),
             jstr_or(o, "involvedObject.name", "?"));
    size_t i;
    json_t *known;
    if (ev->type == WATCH_DELETED || str_eq(jstr(o, "involvedObject.kind"), "Node"))
        return;
    json_array_foreach(p->events, i, known)
    {
        if (str_eq(jstr(known, "name"), ev->obj->name)) {
            jset_int(known, "count", times_told(o));
            return;
        }
    }
    json_array_append_new(p->events, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "name", ev->obj->name, "about",
                                               about, "type", jstr_or(o, "type", "?"), "reason",
                                               jstr_or(o, "reason", "?"), "message", jstr_or(o, "message", "?"), "from",
                                               str_empty(from) ? jstr_or(o, "reportingComponent", "?") : from, "count",
                                               (json_int_t)times_told(o)));
}

static int nothing_to_do(struct loop *l, const char *ns, const char *name, struct err *e)
{
    (void)l;
    (void)ns;
    (void)name;
    (void)e;
    return 0;
}

static const struct loop_watch watches[] = {{"persistentvolumes", map_object},
                                            {"persistentvolumeclaims", map_object},
                                            {"pods", map_object},
                                            {"volumeattachments.storage.k8s.io", map_object},
                                            {"events", map_event},
                                            {NULL, NULL}};
static const struct loop_def listener = {.name = "listener", .watches = watches, .reconcile = nothing_to_do};

/* -- names that are known only here -- */

/* Replaces {…} by the id it stands for, and exchanges n1 and n2 where they are words. Returns new text. */
static char *spell(const struct play *p, const char *text)
{
    struct buf out = BUF_INIT;
    for (const char *c = text; *c; c++) {
        const char *end = strchr(c, '}');
        _auto_free_ char *key = *c == '{' && end ? xstrndup(c + 1, (size_t)(end - c - 1)) : NULL;
        const char *id = key ? json_string_value(json_object_get(p->ids, key)) : NULL;
        bool node = p->swapped && c[0] == 'n' && (c[1] == '1' || c[1] == '2') && !isalnum((unsigned char)c[2]) &&
                    (c == text || !isalnum((unsigned char)c[-1]));
        if (id) {
            buf_adds(&out, id);
            c = end;
        } else if (node) {
            buf_adds(&out, c[1] == '1' ? "n2" : "n1");
            c++;
        } else {
            buf_addc(&out, *c);
        }
    }
    return buf_steal(&out, NULL);
}

/* A part of the story as it must read here. Returns new. */
static json_t *spell_json(struct play *p, const json_t *part)
{
    if (!part)
        return NULL;
    _auto_free_ char *text = json_dumps(part, JSON_ENCODE_ANY | JSON_COMPACT);
    if (p->swapped) { /* nodes first: the ids of attachments name them */
        const json_t *ids = p->ids;
        p->ids = NULL;
        char *exchanged = spell(p, text);
        p->ids = (json_t *)ids;
        free(text);
        text = exchanged;
    }
    bool swapped = p->swapped;
    p->swapped = false;
    _auto_free_ char *here = spell(p, text);
    p->swapped = swapped;
    return json_loads(here, JSON_DECODE_ANY, NULL);
}

/* -- playing -- */

static void heartbeat(struct play *p)
{
    static const char *const nodes[] = {"n1", "n2"};
    char now[TIME_TEXT_LEN], text[128];
    now_text(&p->w.clock.clock, now);
    snprintf(text, sizeof text, "[{'type':'Ready','status':'True','lastHeartbeatTime':'%s'}]", now);
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
        change(&p->w, RES.nodes, nodes[i], "status", "status.conditions", text);
    p->beat_ms = p->now_ms + HEARTBEAT * 1000;
}

static void pass_until(struct play *p, int64_t ms)
{
    while (p->now_ms < ms) {
        int64_t by = ms - p->now_ms < TICK_MS ? ms - p->now_ms : TICK_MS;
        clock_fake_advance(&p->w.clock, by * 1000000);
        p->now_ms += by;
        if (p->now_ms >= p->beat_ms)
            heartbeat(p);
        control_wake(p->w.control);
        settle(&p->w);
    }
}

/* "/api/v1/namespaces/x/pods/p/status" in its parts; they live in `words`. */
static struct reg_target target_of(const char *path, struct strlist *words)
{
    strlist_split(words, path, '/'); /* "", "api" or "apis", … */
    char **w = words->items + 2;
    const char *group = str_eq(words->items[1], "apis") ? *w++ : "", *version = *w++;
    struct reg_target t = {.ns = "", .name = "", .sub = ""};
    size_t left = words->len - (size_t)(w - words->items);
    if (left > 2 && str_eq(w[0], "namespaces")) {
        t.ns = w[1];
        w += 2;
        left -= 2;
    }
    t.res = resource_by_plural(group, version, w[0]);
    t.name = left > 1 ? w[1] : "";
    t.sub = left > 2 ? w[2] : "";
    return t;
}

static enum patch_type patch_of(const char *word)
{
    return str_eq(word, "json") ? PATCH_JSON : (str_eq(word, "strategic") ? PATCH_STRATEGIC : PATCH_MERGE);
}

static int ask(struct play *p, const json_t *step, const struct reg_target *t, struct reg_body *body,
               struct reg_answer *ans, struct err *e)
{
    struct reg_ctx ctx = {.user = "kubernetes-admin", .manager = "kubectl"};
    const char *method = jstr_or(step, "method", "");
    if (str_eq(method, "POST"))
        return reg_create(p->w.registry, &ctx, t, body, ans, e);
    if (str_eq(method, "PATCH"))
        return reg_patch(p->w.registry, &ctx, t, patch_of(jstr(step, "patch")), false, body, ans, e);
    struct reg_delete_opts o = REG_DELETE_DEFAULT;
    o.grace_seconds = jint(step, "body.gracePeriodSeconds", -1);
    o.propagation = jstr(step, "body.propagationPolicy");
    json_decref(body->tree);
    return reg_delete(p->w.registry, &ctx, t, &o, ans, e);
}

static void do_step(struct play *p, const json_t *recorded)
{
    pass_until(p, (int64_t)(json_number_value(jat(recorded, "at")) * 1000));
    _auto_json_ json_t *step = spell_json(p, recorded);
    _auto_strlist_ struct strlist words = {0};
    struct reg_target t = target_of(jstr_or(step, "path", ""), &words);
    struct reg_body body = {.tree = json_deep_copy(jat(step, "body"))};
    _auto_answer_ struct reg_answer ans = {0};
    struct err e = ERR_INIT;
    (void)ask(p, step, &t, &body, &ans, &e);
    if (ans.http != jint(step, "status", 0))
        complain(p, "%.2f %s: answered %d, recorded %d %s", json_number_value(jat(step, "at")),
                 jstr_or(step, "do", "?"), ans.http, (int)jint(step, "status", 0), e.msg);
    settle(&p->w);
}

static void make_from(struct play *p, const json_t *obj)
{
    struct err e = ERR_INIT;
    const struct resource *res = kind_of(obj);
    if (reg_make(p->w.registry, "test", res, jstr_or(obj, "metadata.namespace", ""), json_deep_copy(obj), NULL, &e) < 0)
        fail_msg("%s: given: %s", p->name, e.msg);
}

#define ROOM "{'cpu':'4','memory':'8Gi','pods':'110','ephemeral-storage':'100Gi'}"

static void prepare(struct play *p)
{
    static const char *const nodes[] = {"n1", "n2"};
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
        _auto_json_ json_t *labels = json_pack("{s:s}", "kubernetes.io/hostname", nodes[i]);
        json_object_update(labels, jat(p->story, "labels"));
        _auto_free_ char *text = json_dumps(labels, 0);
        _auto_free_ char *node = xasprintf("{'apiVersion':'v1','kind':'Node','metadata':{'name':'%s','labels':%s},"
                                           "'status':{'capacity':" ROOM ",'allocatable':" ROOM "}}",
                                           nodes[i], text);
        make_node(&p->w, nodes[i], node);
    }
    heartbeat(p);
    make(&p->w, "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'%s'}}", jstr(p->story, "namespace"));
    size_t i;
    json_t *obj;
    json_array_foreach(jat(p->story, "given"), i, obj) make_from(p, obj);
    settle(&p->w);
    json_object_clear(p->seen);
    json_array_clear(p->events);
}

/* No driver's containers ran where this was recorded: their part was played by hand. */
static const char *const drivers_part[] = {"external-provisioner", "external-attacher", "external-resizer",
                                           "csi-driver-install"};

static void add_loops(struct play *p, const struct loop_def *const *loops, size_t n, void *env)
{
    for (size_t i = 0; i < n; i++)
        if (!is_one_of(loops[i]->name, drivers_part, ARRAY_LEN(drivers_part)))
            control_add(p->w.control, loops[i], env);
}

/* -- comparing -- */

static void complain_json(struct play *p, const char *what, const json_t *v)
{
    _auto_free_ char *text = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    complain(p, "  %s %s", what, text ? text : "nothing");
}

static void compare_versions(struct play *p, const char *key, const json_t *recorded)
{
    const json_t *seen = json_object_get(p->seen, key);
    size_t n = json_array_size(recorded), m = json_array_size(seen);
    json_t *want = NULL;
    for (size_t i = 0; i < n || i < m; i++) {
        const json_t *change = json_array_get(recorded, i), *got = json_array_get(seen, i);
        json_t *next = NULL;
        struct err e = ERR_INIT;
        if (json_is_object(change) && json_is_object(want))
            (void)patch_merge(want, change, &next, &e);
        else if (change)
            next = json_deep_copy(change);
        json_decref(want);
        want = next;
        if (want && got && json_equal(want, got))
            continue;
        complain(p, "%s, version %zu of %zu (%zu here):", key, i + 1, n, m);
        complain_json(p, "recorded", want);
        complain_json(p, "    here", got);
    }
    json_decref(want);
}

static void compare_objects(struct play *p, const json_t *recorded)
{
    const char *key;
    json_t *versions;
    json_object_foreach((json_t *)recorded, key, versions) compare_versions(p, key, versions);
    json_object_foreach(p->seen, key, versions)
    {
        if (json_object_get(recorded, key))
            continue;
        complain(p, "%s: not recorded", key);
        complain_json(p, "    here", versions);
    }
}

static int by_rv(const void *pa, const void *pb)
{
    const struct write *a = pa, *b = pb;
    return (a->rv > b->rv) - (a->rv < b->rv);
}

/* "VCCV": in which order a volume and its claim were written. */
static void order_of_pair(const char *pv, const char *pvc, const char *key, struct buf *out)
{
    if (str_eq(key, pv) || str_eq(key, pvc))
        buf_addc(out, str_eq(key, pv) ? 'V' : 'C');
}

static void compare_pair(struct play *p, const json_t *recorded, const char *pv, const char *pvc)
{
    _auto_buf_ struct buf want = BUF_INIT, got = BUF_INIT;
    size_t i;
    json_t *key;
    json_array_foreach(recorded, i, key) order_of_pair(pv, pvc, json_string_value(key), &want);
    for (size_t k = 0; k < p->write_count; k++)
        order_of_pair(pv, pvc, p->writes[k].key, &got);
    if (!str_eq(buf_str(&want), buf_str(&got)))
        complain(p, "%s and %s were written in this order: %s (recorded %s)", pv, pvc, buf_str(&got), buf_str(&want));
}

/* A claim and the volume that it was bound to are written in turn, and both by one controller. */
static void compare_order(struct play *p, const json_t *recorded)
{
    const char *key;
    json_t *versions;
    if (recorded)
        qsort(p->writes, p->write_count, sizeof *p->writes, by_rv);
    json_object_foreach(p->seen, key, versions)
    {
        const char *volume = NULL;
        for (size_t i = 0; i < json_array_size(versions) && !volume; i++)
            volume = jstr(json_array_get(versions, i), "spec.volumeName");
        _auto_free_ char *pv = xasprintf("pv/%s", volume ? volume : "");
        if (recorded && volume && str_starts(key, "pvc/"))
            compare_pair(p, recorded, pv, key);
    }
}

static bool same_event(const json_t *a, const json_t *b)
{
    static const char *const parts[] = {"type", "reason", "message", "from"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!str_eq(jstr(a, parts[i]), jstr(b, parts[i])))
            return false;
    int64_t difference = jint(a, "count", 1) - jint(b, "count", 1);
    return difference >= -1 && difference <= 1;
}

/* The events about one object, in order. Returns new. */
static json_t *told_of(const json_t *events, const char *about)
{
    json_t *out = json_array();
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event) if (str_eq(jstr(event, "about"), about)) json_array_append(out, event);
    return out;
}

static void compare_events_of(struct play *p, const json_t *recorded, const char *about)
{
    _auto_json_ json_t *want = told_of(recorded, about), *got = told_of(p->events, about);
    for (size_t i = 0; i < json_array_size(want) || i < json_array_size(got); i++) {
        const json_t *w = json_array_get(want, i), *g = json_array_get(got, i);
        if (w && g && same_event(w, g))
            continue;
        complain(p, "event %zu about %s:", i + 1, about);
        complain_json(p, "recorded", w);
        complain_json(p, "    here", g);
    }
}

static void compare_events(struct play *p, const json_t *recorded)
{
    _auto_strlist_ struct strlist abouts = {0};
    const json_t *both[] = {recorded, p->events};
    for (size_t k = 0; k < ARRAY_LEN(both); k++) {
        size_t i;
        json_t *event;
        json_array_foreach(both[k], i, event) if (!strlist_has(&abouts, jstr_or(event, "about", "?")))
            strlist_add(&abouts, jstr_or(event, "about", "?"));
    }
    for (size_t i = 0; i < abouts.len; i++)
        compare_events_of(p, recorded, abouts.items[i]);
}

/* -- one file -- */

/* Returns new text: what differs, "" if nothing does. */
static char *play(const char *name, const json_t *story, bool swapped)
{
    struct play p = {.name = name,
                     .story = (json_t *)story,
                     .swapped = swapped,
                     .seen = json_object(),
                     .ids = json_object(),
                     .events = json_array()};
    struct binder_env be = {.machine = machine_open_fake("golden")};
    struct controllers_env ce = {.ca_pem = "certificate"};
    size_t n;
    world_open(&p.w);
    control_add(p.w.control, &listener, &p);
    const struct loop_def *const *loops = scheduler_loops(&n);
    add_loops(&p, loops, n, NULL);
    loops = binder_loops(&n);
    add_loops(&p, loops, n, &be);
    loops = controllers_loops(&n);
    add_loops(&p, loops, n, &ce);
    world_start(&p.w, NULL, 0, NULL);
    settle(&p.w);
    prepare(&p);
    size_t i;
    json_t *step;
    json_array_foreach(jat(story, "steps"), i, step) do_step(&p, step);
    pass_until(&p, (int64_t)(json_number_value(jat(story, "ends")) * 1000));
    _auto_json_ json_t *objects = spell_json(&p, jat(story, "objects")), *events = spell_json(&p, jat(story, "events"));
    _auto_json_ json_t *order = spell_json(&p, jat(story, "order"));
    compare_objects(&p, objects);
    compare_order(&p, order);
    compare_events(&p, events);
    world_close(&p.w);
    be.machine->ops->close(be.machine);
    json_decref(p.seen);
    json_decref(p.ids);
    json_decref(p.events);
    return buf_steal(&p.complaints, NULL);
}

static bool play_file(const char *name)
{
    _auto_free_ char *path = xasprintf(FOLDER "/%s.json", name);
    json_error_t at;
    _auto_json_ json_t *story = json_load_file(path, 0, &at);
    if (!story)
        fail_msg("%s: line %d: %s", path, at.line, at.text);
    _auto_free_ char *as_recorded = play(name, story, false);
    if (!*as_recorded)
        return true;
    _auto_free_ char *exchanged = play(name, story, true);
    if (*exchanged)
        printf("%s: %s\nas recorded\n%swith the nodes exchanged\n%s", name, jstr_or(story, "about", ""), as_recorded,
               exchanged);
    return !*exchanged;
}

static void list_files(struct strlist *names)
{
    DIR *dir = opendir(FOLDER);
    assert_non_null(dir);
    for (const struct dirent *d; (d = readdir(dir));)
        if (str_ends(d->d_name, ".json"))
            strlist_addf(names, "%.*s", (int)(strlen(d->d_name) - strlen(".json")), d->d_name);
    closedir(dir);
    strlist_sort(names);
}

static struct strlist chosen;

static void test_sequences(void **state)
{
    (void)state;
    if (!chosen.len)
        list_files(&chosen);
    size_t equal = 0;
    for (size_t i = 0; i < chosen.len; i++)
        equal += play_file(chosen.items[i]);
    print_message("%zu of %zu sequences equal\n", equal, chosen.len);
    assert_int_equal(equal, chosen.len);
    assert_true(chosen.len > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sequences)};
    for (int i = 1; i < argc; i++)
        strlist_add(&chosen, argv[i]);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    strlist_release(&chosen);
    return rc;
}
