/* loop_world.h - a cluster without threads for tests of control loops: in-memory store, real registry, control in step
 * mode, fake clock, fake machine where the test gives one. */
#ifndef STOWAGE_TESTS_UNIT_LOOP_WORLD_H
#define STOWAGE_TESTS_UNIT_LOOP_WORLD_H

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/control.h"
#include "control/objects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define SECOND INT64_C(1000000000)

struct loop_world {
    struct clock_fake clock;
    struct store *store;
    struct registry *registry;
    struct control *control;
    /* What works beside the loops, on threads of its own (the fake machine's ends): waits until it rests, and returns a
     * number that grows with all it did. NULL: there is nothing. */
    unsigned (*beside)(void *arg);
    void *beside_arg;
    unsigned beside_seen;
};

static inline void world_make(struct loop_world *w, const struct clock *clock, struct pool *pool, const char *journal)
{
    struct err e = ERR_INIT;
    struct store_conf sc = {.clock = clock, .path = journal};
    resource_init();
    if (store_open(&sc, &w->store, &e) < 0)
        fail_msg("store: %s", e.msg);
    struct registry_conf rc = {
        .store = w->store, .clock = clock, .service_cidr = "10.96.0.0/12", .pod_cidr = "10.244.0.0/16"};
    w->registry = registry_new(&rc);
    if (registry_bootstrap(w->registry, "127.0.0.1", 6443, &e) < 0)
        fail_msg("bootstrap: %s", e.msg);
    struct control_conf cc = {.registry = w->registry, .clock = clock, .pool = pool, .step_mode = pool == NULL};
    w->control = control_new(&cc);
}

/* With a journal in this file. */
static inline void world_open_file(struct loop_world *w, const char *journal)
{
    *w = (struct loop_world){0};
    clock_fake_init(&w->clock, INT64_C(1767225600) * SECOND);
    world_make(w, &w->clock.clock, NULL, journal);
}

static inline void world_open(struct loop_world *w)
{
    world_open_file(w, NULL);
}

/* One with threads, by this machine's clock, for tests of what they do to each other: see await(). */
static inline void world_open_threads(struct loop_world *w, struct pool *pool)
{
    *w = (struct loop_world){0};
    world_make(w, clock_real(), pool, NULL);
}

/* What the ServiceAccount loop would make: pods need it. */
static inline void world_account(struct loop_world *w)
{
    struct err e = ERR_INIT;
    if (reg_make(w->registry, "test", RES.serviceaccounts, "default",
                 json_pack("{s:s, s:s, s:{s:s}}", "kind", "ServiceAccount", "apiVersion", "v1", "metadata", "name",
                           "default"),
                 NULL, &e) < 0)
        fail_msg("service account: %s", e.msg);
}

static inline void world_start(struct loop_world *w, const struct loop_def *const *loops, size_t n, void *env)
{
    struct err e = ERR_INIT;
    for (size_t i = 0; i < n; i++)
        control_add(w->control, loops[i], env);
    if (control_start(w->control, &e) < 0)
        fail_msg("control: %s", e.msg);
}

static inline void world_close(struct loop_world *w)
{
    control_stop(w->control);
    control_free(w->control);
    registry_free(w->registry);
    store_close(w->store);
}

/* Runs the loops until nothing is due and nothing is on its way to them: what follows does not depend on the speed of
 * any thread, and the clock may be moved. */
static inline void settle(struct loop_world *w)
{
    for (int i = 0; i < 200; i++) {
        unsigned ran = control_step(w->control), did = w->beside ? w->beside(w->beside_arg) : 0;
        if (ran == 0 && did == w->beside_seen)
            return;
        w->beside_seen = did;
    }
    fail_msg("the loops do not come to rest");
}

/* Until it is so; it becomes so sooner or later, however slow the machine is. */
static inline void await(struct loop_world *w, bool (*is_so)(struct loop_world *w), const char *what)
{
    for (int tries = 0; tries < 60000; tries++) {
        if (is_so(w))
            return;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    fail_msg("it never came to be: %s", what);
}

static inline void pass_seconds(struct loop_world *w, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        clock_fake_advance(&w->clock, SECOND);
        control_wake(w->control);
        settle(w);
    }
}

static inline const struct resource *kind_of(const json_t *obj)
{
    const struct resource *res = resource_by_api_version(jstr_or(obj, "apiVersion", ""), jstr_or(obj, "kind", ""));
    if (!res)
        fail_msg("unknown kind %s %s", jstr_or(obj, "apiVersion", "?"), jstr_or(obj, "kind", "?"));
    return res;
}

/* Makes an object from JSON text with ' for ", as a user would. */
static inline void make(struct loop_world *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char text[8192];
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_error_t at;
    json_t *obj = json_loads(text, 0, &at);
    if (!obj)
        fail_msg("%s in %s", at.text, text);
    struct err e = ERR_INIT;
    const struct resource *res = kind_of(obj);
    char ns[256];
    snprintf(ns, sizeof ns, "%s", jstr_or(obj, "metadata.namespace", res->namespaced ? "default" : ""));
    if (reg_make(w->registry, "test", res, ns, obj, NULL, &e) < 0)
        fail_msg("make: %s", e.msg);
}

/* A node (see NODE) without the taint that admission gives to new ones. */
static inline int edit_drop_taint(json_t *node, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    json_t *taints = jat(node, "spec.taints");
    for (size_t i = json_array_size(taints); i-- > 0;)
        if (str_eq(jstr(json_array_get(taints, i), "key"), "node.kubernetes.io/not-ready"))
            json_array_remove(taints, i);
    if (!json_array_size(taints))
        jdel(node, "spec.taints");
    return 1;
}

static inline void make_node(struct loop_world *w, const char *name, const char *text)
{
    struct err e = ERR_INIT;
    make(w, "%s", text);
    if (reg_modify(w->registry, "test", RES.nodes, "", name, "", edit_drop_taint, NULL, &e) < 0)
        fail_msg("node: %s", e.msg);
}

/* Returns a new reference or NULL. */
static inline struct sobj *get(struct loop_world *w, const struct resource *res, const char *name)
{
    return reg_read(w->registry, res, res->namespaced ? "default" : "", name);
}

static inline void delete_it(struct loop_world *w, const struct resource *res, const char *name,
                             const char *propagation)
{
    struct err e = ERR_INIT;
    struct reg_delete_opts opts = REG_DELETE_DEFAULT;
    opts.propagation = propagation;
    if (reg_remove(w->registry, "test", res, res->namespaced ? "default" : "", name, &opts, &e) < 0)
        fail_msg("delete %s: %s", name, e.msg);
}

/* Removes a pod for good, as a kubelet would. */
static inline void end_pod(struct loop_world *w, const char *name)
{
    struct err e = ERR_INIT;
    struct reg_delete_opts opts = {.grace_seconds = 0};
    if (reg_remove(w->registry, "test", RES.pods, "default", name, &opts, &e) < 0)
        fail_msg("end %s: %s", name, e.msg);
}

struct change {
    const char *path;
    const char *json; /* ' for "; NULL deletes */
};

static inline int edit_change(json_t *obj, void *arg, struct err *e)
{
    (void)e;
    const struct change *c = arg;
    if (!c->json) {
        jdel(obj, c->path);
        return 1;
    }
    char text[4096];
    snprintf(text, sizeof text, "%s", c->json);
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    if (!v)
        fail_msg("bad JSON: %s", text);
    jset(obj, c->path, v);
    return 1;
}

static inline void change(struct loop_world *w, const struct resource *res, const char *name, const char *sub,
                          const char *path, const char *json)
{
    struct err e = ERR_INIT;
    struct change c = {path, json};
    if (reg_modify(w->registry, "test", res, res->namespaced ? "default" : "", name, sub, edit_change, &c, &e) < 0)
        fail_msg("change %s %s: %s", name, path, e.msg);
}

/* The text at `path` of the object, "" if absent, "(gone)" without the object. In a static buffer. */
static inline const char *text_at(struct loop_world *w, const struct resource *res, const char *name, const char *path)
{
    static char out[8][1024];
    static unsigned turn;
    char *buf = out[turn++ % 8];
    _auto_sobj_ struct sobj *o = get(w, res, name);
    const json_t *v = o ? jat(o->tree, path) : NULL;
    if (json_is_string(v)) {
        snprintf(buf, 1024, "%s", json_string_value(v));
    } else {
        _auto_free_ char *text = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
        snprintf(buf, 1024, "%s", o ? (text ? text : "") : "(gone)");
    }
    return buf;
}

static inline const char *annotation(struct loop_world *w, const struct resource *res, const char *name,
                                     const char *key)
{
    static char out[4][512];
    static unsigned turn;
    char *buf = out[turn++ % 4];
    _auto_sobj_ struct sobj *o = get(w, res, name);
    const char *v = o ? jmap(o->tree, "metadata.annotations", key) : NULL;
    snprintf(buf, 512, "%s", v ? v : "");
    return buf;
}

/* How many objects the bucket holds (namespace default, or cluster scope). */
static inline size_t count(struct loop_world *w, const struct resource *res)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, w->registry, res->bucket, res->namespaced ? "default" : NULL);
    return all.len;
}

/* Is there an event about `name` with this reason and message? Prints all there are when not. */
static inline void assert_event(struct loop_world *w, const char *name, const char *reason, const char *message)
{
    _auto_objlist_ struct objlist all = {0};
    objlist_load(&all, w->registry, RES.events->bucket, NULL);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jstr(all.trees[i], "involvedObject.name"), name) && str_eq(jstr(all.trees[i], "reason"), reason) &&
            str_eq(jstr(all.trees[i], "message"), message))
            return;
    for (size_t i = 0; i < all.len; i++)
        print_message("  %s %s: %s\n", jstr_or(all.trees[i], "involvedObject.name", "?"),
                      jstr_or(all.trees[i], "reason", "?"), jstr_or(all.trees[i], "message", "?"));
    fail_msg("no event %s about %s: %s", reason, name, message);
}

#define NODE(name, labels, extra)                                                                                      \
    "{'apiVersion':'v1','kind':'Node','metadata':{'name':'" name "','labels':{'kubernetes.io/hostname':'" name         \
    "'" labels "}},'spec':{" extra                                                                                     \
    "},'status':{'allocatable':{'cpu':'4','memory':'8Gi','pods':'110','ephemeral-storage':'50Gi'},"                    \
    "'conditions':[{'type':'Ready','status':'True'}]}}"
#define CLAIM(name, size, spec)                                                                                        \
    "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'" name                                      \
    "','namespace':'default'},'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'" size       \
    "'}}" spec "}}"
#define VOLUME(name, size, spec)                                                                                       \
    "{'apiVersion':'v1','kind':'PersistentVolume','metadata':{'name':'" name                                           \
    "'},'spec':{'accessModes':['ReadWriteOnce'],'capacity':{'storage':'" size "'}" spec "}}"
#define POD(name, spec)                                                                                                \
    "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'" name                                                        \
    "','namespace':'default'},'spec':{'containers':[{'name':'c','image':'nginx'}]" spec "}}"
#define POD_WITH_CLAIM(name, claim, spec)                                                                              \
    POD(name, ",'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'" claim "'}}]" spec)

#endif
