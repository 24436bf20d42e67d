/* static_pods.c - pods that a node runs because of a file of its own: /etc/kubernetes/manifests.
 *
 * DESIGN: each node's folder is read every two seconds. A manifest there becomes a pod of the API, with the node's name
 * behind its own, owned by the Node, bound to it from the start, and with the hash of its text: such a mirror is all
 * that is kept, so the folder and the pods that say they come from it are compared, and what is too many or too few
 * goes or comes. A file that changed is another pod. On the node a pod is known by the hash, not by its mirror's uid: a
 * mirror that somebody deletes goes at once and comes again, and its containers do not notice. They end with the file.
 * What is no pod, or refused by the API, is left out, as the real kubelet only logs it.
 *
 * THREADS: folders are read on workers; pods are compared and made on the loop thread. Source:
 * pkg/kubelet/config/file.go, common.go applyDefaults, pod/mirror_client.go. */
#include "kubeletsim/pod_int.h"

#include "api/decode.h"
#include "base/buf.h"
#include "base/sha256.h"
#include "control/objects.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER       "/etc/kubernetes/manifests"
#define PERIOD_MS    2000
#define MANIFEST_MAX (1 << 20)
#define HASH_LEN     33
#define HASH         "kubernetes.io/config.hash"
#define MIRROR       "kubernetes.io/config.mirror"
#define SEEN         "kubernetes.io/config.seen"
#define SOURCE       "kubernetes.io/config.source"

struct look {
    struct kubelet *k;
    struct node_run *n;
    json_t *pods; /* owned array: as the files have them, with their hash */
};

/* -- files -- */

static void hash_text(const struct buf *text, const char *node, char out[HASH_LEN])
{
    struct sha256 s;
    uint8_t sum[SHA256_LEN];
    sha256_init(&s);
    sha256_add(&s, text->data, text->len);
    sha256_add(&s, node, strlen(node));
    sha256_finish(&s, sum);
    for (size_t i = 0; i < (HASH_LEN - 1) / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

static bool read_manifest(struct look *look, const char *path, struct buf *out)
{
    struct machine *m = look->k->m;
    struct err e = ERR_INIT;
    _auto_close_ int fd = -1;
    if (m->ops->open(m, look->n->name, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0, &fd, &e) < 0)
        return false;
    ssize_t n;
    while (out->len < MANIFEST_MAX && (n = read(fd, buf_reserve(out, 4096), 4096)) > 0)
        out->len += (size_t)n;
    return out->len > 0;
}

/* What the kubelet adds to a pod of a file. */
static void complete(struct look *look, json_t *pod, const char *hash)
{
    const char *node = look->n->name;
    char now[TIME_TEXT_LEN];
    time_format(kubelet_now(look->k), now);
    _auto_free_ char *name = xasprintf("%s-%s", jstr_or(pod, "metadata.name", ""), node);
    jset_str(pod, "metadata.name", name);
    if (str_empty(jstr(pod, "metadata.namespace")))
        jset_str(pod, "metadata.namespace", "default");
    jset_map(pod, "metadata.annotations", HASH, hash);
    jset_map(pod, "metadata.annotations", MIRROR, hash);
    jset_map(pod, "metadata.annotations", SEEN, now);
    jset_map(pod, "metadata.annotations", SOURCE, "file");
    jset_str(pod, "spec.nodeName", node);
    json_array_append_new(jmake_arr(pod, "spec.tolerations"),
                          json_pack("{s:s, s:s}", "effect", "NoExecute", "operator", "Exists"));
}

static void take_manifest(struct look *look, const char *file)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_free_ char *path = xasprintf(FOLDER "/%s", file);
    struct err e = ERR_INIT;
    json_t *pod = NULL;
    char hash[HASH_LEN];
    if (!read_manifest(look, path, &text) || yaml_parse(buf_str(&text), text.len, &pod, NULL, &e) < 0)
        return;
    if (json_is_object(pod) && str_eq(jstr(pod, "kind"), "Pod") && !str_empty(jstr(pod, "metadata.name"))) {
        hash_text(&text, look->n->name, hash);
        complete(look, pod, hash);
        json_array_append(look->pods, pod);
    }
    json_decref(pod);
}

static void look_work(void *arg)
{
    struct look *look = arg;
    _auto_strlist_ struct strlist files = {0};
    node_list_dir(look->k, look->n->name, FOLDER, &files);
    look->pods = json_array();
    for (size_t i = 0; i < files.len; i++)
        if (*files.items[i] != '.') /* what editors leave */
            take_manifest(look, files.items[i]);
}

/* -- pods -- */

/* It becomes the name of directories: what users write there instead is none. */
static bool is_hash(const char *text)
{
    return text && strlen(text) == HASH_LEN - 1 && strspn(text, "0123456789abcdef") == HASH_LEN - 1;
}

bool pod_is_static(const json_t *pod)
{
    return str_eq(jmap(pod, "metadata.annotations", SOURCE), "file") &&
           is_hash(jmap(pod, "metadata.annotations", HASH));
}

const char *pod_uid(const json_t *pod)
{
    return pod_is_static(pod) ? jmap(pod, "metadata.annotations", HASH) : jstr_or(pod, "metadata.uid", "");
}

bool static_pod_is_copy(const struct kubelet *k, const json_t *pod)
{
    for (const struct pod_run *p = k->pods; p; p = p->next)
        if (str_eq(p->uid, pod_uid(pod)))
            return !str_eq(p->name, obj_name(pod)) || !str_eq(p->ns, obj_ns(pod));
    return false;
}

/* A mirror that is being deleted waits for nobody. */
void static_pod_keep(struct pod_run *p)
{
    struct err e = ERR_INIT;
    const struct reg_delete_opts now = {.grace_seconds = 0, .uid = obj_uid(pod_tree(p))};
    if (p->from_file && !p->file_gone && !p->gone && jat(pod_tree(p), "metadata.deletionTimestamp"))
        reg_remove(p->k->conf.registry, USER_AGENT, RES.pods, p->ns, p->name, &now, &e);
}

static const char *hash_of(const json_t *pod)
{
    const char *hash = jmap(pod, "metadata.annotations", HASH);
    return hash ? hash : "";
}

static const json_t *find(const json_t *pods, const char *ns, const char *name)
{
    size_t i;
    const json_t *pod;
    json_array_foreach(pods, i, pod)
    {
        if (str_eq(obj_name(pod), name) && str_eq(obj_ns(pod), ns))
            return pod;
    }
    return NULL;
}

/* Those whose file went, or changed, end now. */
static void end_without_file(struct look *look)
{
    struct kubelet *k = look->k;
    for (struct pod_run *p = k->pods; p; p = p->next) {
        const json_t *wanted = &k->nodes[p->node] == look->n && p->from_file ? find(look->pods, p->ns, p->name) : NULL;
        if (&k->nodes[p->node] != look->n || !p->from_file || p->file_gone ||
            (wanted && str_eq(hash_of(wanted), p->uid)))
            continue;
        p->file_gone = true;
        loop_enqueue(k->pods_loop, p->ns, p->name);
    }
}

static void remove_stale(struct look *look, const struct objlist *there)
{
    struct err e = ERR_INIT;
    for (size_t i = 0; i < there->len; i++) {
        const json_t *pod = there->trees[i];
        if (!pod_is_static(pod) || !str_eq(jstr(pod, "spec.nodeName"), look->n->name) ||
            jat(pod, "metadata.deletionTimestamp"))
            continue;
        const json_t *wanted = find(look->pods, obj_ns(pod), obj_name(pod));
        const bool runs = !static_pod_is_copy(look->k, pod);
        const struct reg_delete_opts opts = {.grace_seconds = runs ? -1 : 0, .uid = obj_uid(pod)};
        if (!wanted || !str_eq(hash_of(wanted), hash_of(pod)))
            reg_remove(look->k->conf.registry, "system:node", RES.pods, obj_ns(pod), obj_name(pod), &opts, &e);
    }
}

static void make_missing(struct look *look, const struct objlist *there)
{
    struct registry *r = look->k->conf.registry;
    size_t i;
    json_t *pod;
    _auto_sobj_ struct sobj *node = reg_read(r, RES.nodes, "", look->n->name);
    json_array_foreach(look->pods, i, pod)
    {
        struct err e = ERR_INIT;
        const struct pod_run *p = pod_run_find(look->k, obj_ns(pod), obj_name(pod));
        if (!node || objlist_find(there, obj_ns(pod), obj_name(pod)) || (p && p->file_gone))
            continue; /* the latter: what was there before is still ending */
        jset(pod, "metadata.ownerReferences",
             json_pack("[{s:s, s:b, s:s, s:s, s:s}]", "apiVersion", "v1", "controller", 1, "kind", "Node", "name",
                       look->n->name, "uid", obj_uid(node->tree)));
        reg_make(r, USER_AGENT, RES.pods, obj_ns(pod), json_incref(pod), NULL, &e);
    }
}

/* No files and no pods of any: so it is mostly. What an earlier life of the cluster left is seen by the first look. */
static bool has_nothing(const struct look *look)
{
    const struct kubelet *k = look->k;
    if (!look->n->looked || json_array_size(look->pods))
        return false;
    for (const struct pod_run *p = k->pods; p; p = p->next)
        if (p->from_file && &k->nodes[p->node] == look->n)
            return false;
    return true;
}

/* All pods of the cluster are walked. */
static void compare(struct look *look)
{
    _auto_objlist_ struct objlist there = {0};
    objlist_load(&there, look->k->conf.registry, RES.pods->bucket, NULL);
    end_without_file(look);
    remove_stale(look, &there);
    make_missing(look, &there);
    look->n->looked = true;
}

static void look_end(struct loop *l, void *arg)
{
    struct look *look = arg;
    if (!node_is_off(look->n) && !has_nothing(look))
        compare(look);
    loop_enqueue_after(l, "", look->n->name, PERIOD_MS);
    json_decref(look->pods);
    free(look);
}

/* The node's object changes far more often than its folder: only time counts. */
static int reconcile(struct loop *l, const char *ns _unused_, const char *name, struct err *e _unused_)
{
    struct kubelet *k = loop_env(l);
    const int index = kubelet_node_index(k, name);
    if (index < 0)
        return 0;
    struct node_run *n = &k->nodes[index];
    if (kubelet_mono(k) < n->next_look)
        return 0;
    n->next_look = kubelet_mono(k) + PERIOD_MS;
    struct look *look = xcalloc(1, sizeof *look);
    *look = (struct look){.k = k, .n = n};
    if (node_is_off(n)) {
        look->pods = json_array();
        look_end(l, look);
    } else {
        loop_offload(l, look_work, look_end, look);
    }
    return 0;
}

static const struct loop_watch watches[] = {{"nodes", NULL}, {NULL, NULL}};

const struct loop_def static_pods_loop_def = {
    .name = "kubelet-static",
    .component = "kubelet",
    .watches = watches,
    .reconcile = reconcile,
    .max_backoff_ms = 10000,
};
