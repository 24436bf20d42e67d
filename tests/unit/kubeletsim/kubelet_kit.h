/* kubelet_kit.h - a kubelet with two nodes on the fake machine, in step mode: tests make pods, end their containers,
 * move the clock, and read statuses, events and what the machine was asked. */
#ifndef STOWAGE_TESTS_UNIT_KUBELETSIM_KUBELET_KIT_H
#define STOWAGE_TESTS_UNIT_KUBELETSIM_KUBELET_KIT_H

#include "unit/loop_world.h"

#include "base/buf.h"
#include "base/pool.h"
#include "kubeletsim/kubelet.h"
#include "sys/fake.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PODS       RES.pods
#define FIRST_NODE "controlplane"

struct kit {
    struct loop_world w;
    struct machine *machine;
    const struct machine_ops *fake_ops;
    struct machine_ops ops; /* the fake's, with what a test overrides */
    struct images *images;
    struct kubelet *kubelet;
    char dir[64];
    int tokens;
    struct pool *pool; /* NULL: step mode */
};

static inline int kit_token(void *self, const struct token_req *req, char **out, struct err *e)
{
    (void)e;
    struct kit *kit = self;
    *out = xasprintf("token-%d-of-%s-%s", ++kit->tokens, req->ns, req->account);
    return 0;
}
static const struct token_ops kit_token_ops = {.issue = kit_token};

static inline void kit_open_kubelet(struct kit *kit)
{
    struct err e = ERR_INIT;
    struct kubelet_conf conf = {.registry = kit->w.registry,
                                .machine = kit->machine,
                                .images = kit->images,
                                .clock = kit->pool ? clock_real() : &kit->w.clock.clock,
                                .nodes = 2,
                                .nodefs_bytes = INT64_C(20) << 30,
                                .region = "us-east-1",
                                .cluster_dns = "10.96.0.10",
                                .kubelet_version = "v1.32.13",
                                .step_mode = !kit->pool};
    if (kubelet_open(&conf, &kit->kubelet, &e) < 0)
        fail_msg("kubelet: %s", e.msg);
    registry_set_node_ops(kit->w.registry, kubelet_node_ops(), kit->kubelet);
    kubelet_add_loops(kit->kubelet, kit->w.control);
    if (control_start(kit->w.control, &e) < 0)
        fail_msg("control: %s", e.msg);
}

/* The machine tells ends from a thread of its own. */
static inline unsigned kit_ends_told(void *machine)
{
    return machine_fake_rest(machine);
}

/* `pool`: with threads, by this machine's clock; NULL: in step mode. */
static inline int kit_setup_on(void **state, struct pool *pool)
{
    struct err e = ERR_INIT;
    struct kit *kit = xcalloc(1, sizeof *kit);
    kit->pool = pool;
    if (pool)
        world_open_threads(&kit->w, pool);
    else
        world_open(&kit->w);
    world_account(&kit->w);
    make(&kit->w, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'kube-root-ca.crt','namespace':'default'},"
                  "'data':{'ca.crt':'PEM'}}");
    registry_set_token_ops(kit->w.registry, &kit_token_ops, kit);
    kit->machine = machine_open_fake("test");
    kit->w.beside = kit_ends_told;
    kit->w.beside_arg = kit->machine;
    kit->fake_ops = kit->machine->ops;
    kit->ops = *kit->fake_ops;
    kit->machine->ops = &kit->ops;
    snprintf(kit->dir, sizeof kit->dir, "/tmp/kubelet-kit-XXXXXX");
    if (!mkdtemp(kit->dir) || images_open(kit->dir, &kit->images, &e) < 0)
        fail_msg("images: %s", e.msg);
    images_configure(kit->images, &(struct images_conf){.clock = kit->pool ? NULL : &kit->w.clock.clock});
    kit_open_kubelet(kit);
    if (!pool)
        settle(&kit->w);
    *state = kit;
    return 0;
}

static inline int kit_setup(void **state)
{
    return kit_setup_on(state, NULL);
}

static inline int kit_setup_threads(void **state)
{
    return kit_setup_on(state, pool_new("test", 4));
}

static inline int kit_teardown(void **state)
{
    struct kit *kit = *state;
    control_stop(kit->w.control);
    kubelet_close(kit->kubelet);
    world_close(&kit->w);
    kit->machine->ops->close(kit->machine);
    images_close(kit->images);
    pool_free(kit->pool);
    _auto_free_ char *rm = xasprintf("rm -rf %s", kit->dir);
    FILE *sh = popen(rm, "r");
    if (sh)
        pclose(sh);
    free(kit);
    return 0;
}

/* The cluster process ends and starts again: no process or mount is left, objects and disks are. */
static inline void kit_restart(struct kit *kit)
{
    struct err e = ERR_INIT;
    control_stop(kit->w.control);
    kubelet_close(kit->kubelet);
    control_free(kit->w.control);
    kit->machine->ops->node_stop(kit->machine, FIRST_NODE, &e);
    kit->machine->ops->node_stop(kit->machine, "node01", &e);
    struct control_conf cc = {.registry = kit->w.registry, .clock = &kit->w.clock.clock, .step_mode = true};
    kit->w.control = control_new(&cc);
    kit_open_kubelet(kit);
    settle(&kit->w);
}

/* A pod on the node; `container` and `spec` are members, with ' for ". */
#define POD_ON_NODE(name, container, spec)                                                                             \
    "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'" name                                                        \
    "','namespace':'default'},'spec':{'nodeName':'" FIRST_NODE                                                         \
    "','containers':[{'name':'c','image':'busybox'" container "}]" spec "}}"

/* The member `path` of the status of container `name`, as text ("" if absent). In a static buffer. */
static inline const char *cs(struct kit *kit, const char *pod, const char *name, const char *path)
{
    static const char *const lists[] = {"status.containerStatuses", "status.initContainerStatuses"};
    static char out[8][1024];
    static unsigned turn;
    char *buf = out[turn++ % 8];
    _auto_sobj_ struct sobj *o = get(&kit->w, PODS, pod);
    buf[0] = '\0';
    for (size_t l = 0; o && l < ARRAY_LEN(lists); l++) {
        size_t i;
        const json_t *s;
        json_array_foreach(jat(o->tree, lists[l]), i, s)
        {
            const json_t *v = str_eq(jstr(s, "name"), name) ? jat(s, path) : NULL;
            if (json_is_string(v))
                snprintf(buf, 1024, "%s", json_string_value(v));
            else if (v) {
                _auto_free_ char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
                snprintf(buf, 1024, "%s", text);
            }
        }
    }
    return buf;
}

/* "True", or "False reason: message" of a condition. */
static inline const char *condition(struct kit *kit, const char *pod, const char *type)
{
    static char out[8][512];
    static unsigned turn;
    char *buf = out[turn++ % 8];
    _auto_sobj_ struct sobj *o = get(&kit->w, PODS, pod);
    const json_t *c = o ? condition_get(o->tree, type) : NULL;
    const char *reason = jstr(c, "reason"), *message = jstr(c, "message");
    snprintf(buf, 512, "%s%s%s%s%s", jstr_or(c, "status", ""), reason ? " " : "", reason ? reason : "",
             message ? ": " : "", message ? message : "");
    return buf;
}

static inline const char *phase(struct kit *kit, const char *pod)
{
    return text_at(&kit->w, PODS, pod, "status.phase");
}

static inline const char *uid_of(struct kit *kit, const char *pod)
{
    return text_at(&kit->w, PODS, pod, "metadata.uid");
}

/* -- once everything has settled -- */

/* `path` of the container is `want`. */
static inline void expect_cs(struct kit *kit, const char *pod, const char *name, const char *path, const char *want)
{
    settle(&kit->w);
    if (!str_eq(cs(kit, pod, name, path), want))
        fail_msg("%s/%s %s is \"%s\", not \"%s\"; its state is %s", pod, name, path, cs(kit, pod, name, path), want,
                 cs(kit, pod, name, "state"));
}

static inline void expect_text(struct kit *kit, const char *pod, const char *path, const char *want)
{
    settle(&kit->w);
    if (!str_eq(text_at(&kit->w, PODS, pod, path), want))
        fail_msg("%s of pod %s is \"%s\", not \"%s\"", path, pod, text_at(&kit->w, PODS, pod, path), want);
}

static inline void expect_gone(struct kit *kit, const char *pod)
{
    expect_text(kit, pod, "status.phase", "(gone)");
}

/* Ends the container's process; the kubelet sees it and does what it does then. */
static inline void end_container(struct kit *kit, const char *pod, const char *name, int code)
{
    const char *id = cs(kit, pod, name, "containerID");
    char was[128], want[128];
    snprintf(was, sizeof was, "%s", id);
    snprintf(want, sizeof want, "%s", id + strlen("containerd://"));
    assert_true(machine_fake_exit(kit->machine, want, code));
    settle(&kit->w);
    if (str_eq(cs(kit, pod, name, "state.running")[0] ? cs(kit, pod, name, "containerID") : "", was))
        fail_msg("the end of %s/%s was not seen", pod, name);
}

/* The text of a file of the node, or "(none)". In a static buffer. */
static inline const char *node_file(struct kit *kit, const char *fmt, ...)
{
    static char out[4096];
    char path[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(path, sizeof path, fmt, ap);
    va_end(ap);
    struct err e = ERR_INIT;
    int fd = -1;
    if (kit->machine->ops->open(kit->machine, FIRST_NODE, path, O_RDONLY, 0, &fd, &e) < 0)
        return "(none)";
    ssize_t n = pread(fd, out, sizeof out - 1, 0);
    out[n > 0 ? n : 0] = '\0';
    close(fd);
    return out;
}

/* How often the event was counted; 0 = there is none. */
static inline int64_t event_count(struct kit *kit, const char *pod, const char *reason, const char *part)
{
    _auto_objlist_ struct objlist all = {0};
    int64_t n = 0;
    objlist_load(&all, kit->w.registry, RES.events->bucket, NULL);
    for (size_t i = 0; i < all.len; i++)
        if (str_eq(jstr(all.trees[i], "involvedObject.name"), pod) && str_eq(jstr(all.trees[i], "reason"), reason) &&
            strstr(jstr_or(all.trees[i], "message", ""), part))
            n += jint(all.trees[i], "count", 1);
    return n;
}

#endif
