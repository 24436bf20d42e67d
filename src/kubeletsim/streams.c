/* streams.c - what the API server asks of a node: exec, attach, port-forward. Logs are in logs.c.
 *
 * DESIGN: these run on stream threads of the API server and look only at the API objects, as a real API server does;
 * the container's id in the pod's status is the key to the machine. Error texts: pkg/kubelet/kubelet_pods.go.
 *
 * THREADS: any; touches no pod_run. */
#include "kubeletsim/stats_int.h"

#include <stdio.h>
#include <string.h>

struct target {
    struct sobj *pod; /* owned */
    const char *node; /* borrows from pod */
    const char *container;
    const char *id; /* of a running container; borrows from pod */
};

const json_t *container_status_find(const json_t *pod, const char *name)
{
    static const char *const lists[] = {"status.containerStatuses", "status.initContainerStatuses",
                                        "status.ephemeralContainerStatuses"};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i;
        const json_t *s;
        json_array_foreach(jat(pod, lists[l]), i, s)
        {
            if (str_eq(jstr(s, "name"), name))
                return s;
        }
    }
    return NULL;
}

static int find_pod(struct kubelet *k, const char *ns, const char *name, struct target *out, struct err *e)
{
    out->pod = reg_read(k->conf.registry, RES.pods, ns, name);
    if (!out->pod)
        return err_set(e, ERR_NOT_FOUND, "pods \"%s\" not found", name);
    out->node = jstr_or(out->pod->tree, "spec.nodeName", "");
    if (kubelet_node_index(k, out->node) < 0)
        return err_set(e, ERR_BAD_REQUEST, "pod %s does not have a host assigned", name);
    return 0;
}

static int find_container(struct kubelet *k, const struct exec_req *req, struct target *out, struct err *e)
{
    if (find_pod(k, req->ns, req->pod, out, e) < 0)
        return -1;
    const json_t *pod = out->pod->tree;
    out->container = req->container;
    if (str_empty(out->container))
        out->container = jstr_or(json_array_get(jat(pod, "spec.containers"), 0), "name", "");
    const json_t *s = container_status_find(pod, out->container);
    const char *id = jstr_or(s, "containerID", "");
    if (!s || !jat(s, "state.running") || !str_starts(id, ID_PREFIX))
        return req->argv
                   ? err_set(e, ERR_INTERNAL, "container not found (\"%s\")", out->container)
                   : err_set(e, ERR_INTERNAL, "container %s not found in pod %s_%s", out->container, req->pod, req->ns);
    out->id = id + strlen(ID_PREFIX);
    return 0;
}

static void give(const struct stream_fds *fds, struct exec_session *out)
{
    *out = (struct exec_session){fds->in, fds->out, fds->err, fds->exit_fd};
}

static int op_exec(void *self, const struct exec_req *req, struct exec_session *out, struct err *e)
{
    struct kubelet *k = self;
    struct target t = {0};
    struct stream_fds fds = {-1, -1, -1, -1};
    int rc = find_container(k, req, &t, e);
    if (rc == 0) {
        struct exec_spec spec = {
            .node = t.node, .id = t.id, .argv = req->argv, .tty = req->tty, .want_stdin = req->stdin_};
        rc = k->m->ops->exec(k->m, &spec, &fds, e);
    }
    if (rc == 0)
        give(&fds, out);
    sobj_unref(t.pod);
    return rc;
}

static int op_attach(void *self, const struct exec_req *req, struct exec_session *out, struct err *e)
{
    struct kubelet *k = self;
    struct target t = {0};
    struct stream_fds fds = {-1, -1, -1, -1};
    int rc = find_container(k, req, &t, e);
    if (rc == 0)
        rc = k->m->ops->attach(k->m, t.node, t.id, &fds, e);
    if (rc == 0)
        give(&fds, out);
    sobj_unref(t.pod);
    return rc;
}

static int op_dial(void *self, const char *ns, const char *pod, uint16_t port, int *out_fd, struct err *e)
{
    struct kubelet *k = self;
    struct target t = {0};
    int rc = find_pod(k, ns, pod, &t, e);
    if (rc == 0)
        rc = k->m->ops->dial(k->m, t.node, pod_uid(t.pod->tree), port, out_fd, e);
    sobj_unref(t.pod);
    return rc;
}

int node_reach(void *self, const char *node, struct err *e)
{
    const struct kubelet *k = self;
    const int index = kubelet_node_index(k, node);
    if (index < 0)
        return err_set(e, ERR_UNAVAILABLE, "no kubelet answers for %s: it is simulated, its pods have no processes",
                       node);
    if (node_is_off(&k->nodes[index]))
        return err_set(e, ERR_UNAVAILABLE, "dial tcp %s:10250: connect: no route to host", k->nodes[index].ip);
    return 0;
}

const struct node_ops kubelet_ops = {
    .reach = node_reach,
    .exec = op_exec,
    .attach = op_attach,
    .log = logs_open,
    .dial = op_dial,
    .page = summary_page,
    .usage = summary_usage,
};
