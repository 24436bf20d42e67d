/* sandbox.c - a pod's namespaces and address; its clean-up in two parts.
 *
 * DESIGN: everything a pod has on its node lives under /var/lib/kubelet/pods/<uid> and /var/log/pods/<ns>_<pod>_<uid>.
 * When its containers have ended, what holds resources goes (containers, namespaces, mounts); directories and logs go
 * when it is deleted. Addresses of a node are given out in turn, so that one that was just freed rests a while.
 *
 * INVARIANTS: directories are removed only after every mount in them is gone; the machine refuses to remove through a
 * mount all the same.
 *
 * THREADS: jobs on workers; addresses on the loop thread. */
#include "kubeletsim/volumes_int.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

void pod_dir(const struct pod_run *p, char out[PATH_LEN])
{
    snprintf(out, PATH_LEN, ROOT_DIR "/pods/%s", p->uid);
}

void pod_log_dir(const char *ns, const char *pod, const char *uid, const char *container, char out[PATH_LEN])
{
    int n = snprintf(out, PATH_LEN, LOG_DIR "/%s_%s_%s", ns, pod, uid);
    if (container && n > 0 && n < PATH_LEN)
        snprintf(out + n, (size_t)(PATH_LEN - n), "/%s", container);
}

/* -- addresses -- */

bool pod_take_ip(struct pod_run *p)
{
    struct node_run *n = &p->k->nodes[p->node];
    if (jbool(pod_tree(p), "spec.hostNetwork", false)) {
        snprintf(p->ip, sizeof p->ip, "%s", n->ip);
        return true;
    }
    for (int tried = 0; tried < POD_IPS && !p->ip[0]; tried++) {
        int i = (n->next_ip + tried) % POD_IPS;
        if (n->ips[i])
            continue;
        n->ips[i] = true;
        n->next_ip = (i + 1) % POD_IPS;
        snprintf(p->ip, sizeof p->ip, "10.244.%d.%d", n->index, i + 2);
    }
    return p->ip[0] != '\0';
}

void pod_give_ip(struct pod_run *p)
{
    unsigned a, b, c, d;
    if (sscanf(p->ip, "%u.%u.%u.%u", &a, &b, &c, &d) == 4 && a == 10 && d >= 2 && d < POD_IPS + 2)
        p->k->nodes[p->node].ips[d - 2] = false;
    p->ip[0] = '\0';
}

/* -- start -- */

/* "net.core.somaxconn=1024", as a vector with its end. */
static void list_sysctls(const json_t *pod, struct strlist *out)
{
    size_t i;
    const json_t *s;
    json_array_foreach(jat(pod, "spec.securityContext.sysctls"), i, s)
    {
        strlist_addf(out, "%s=%s", jstr_or(s, "name", ""), jstr_or(s, "value", ""));
    }
    strlist_take(out, NULL);
}

/* Adds those of one container. */
static struct port_map *add_host_ports(const json_t *container, struct port_map *list, size_t *count)
{
    size_t i;
    const json_t *port;
    json_array_foreach(json_object_get(container, "ports"), i, port)
    {
        const int64_t host = jint(port, "hostPort", 0);
        if (host < 1 || host > 65535)
            continue;
        list = xrealloc(list, (*count + 1) * sizeof *list);
        list[(*count)++] = (struct port_map){.host = (uint16_t)host,
                                             .container = (uint16_t)jint(port, "containerPort", 0),
                                             .udp = str_eq(jstr(port, "protocol"), "UDP")};
    }
    return list;
}

/* The ports of the node that its containers ask for. Returns new. */
static struct port_map *host_ports(const json_t *pod, size_t *out_count)
{
    const json_t *containers = jat(pod, "spec.containers");
    struct port_map *list = NULL;
    *out_count = 0;
    for (size_t i = 0; i < json_array_size(containers); i++)
        list = add_host_ports(json_array_get(containers, i), list, out_count);
    return list;
}

void sandbox_start_job(struct job *j)
{
    struct pod_run *p = j->pod;
    const json_t *pod = pod_tree(p);
    struct machine *m = p->k->m;
    _auto_free_ char *host = pod_kernel_hostname(p);
    _auto_strlist_ struct strlist sysctls = {0};
    list_sysctls(pod, &sysctls);
    struct sandbox_spec spec = {
        .node = pod_node(p),
        .id = p->uid,
        .hostname = host,
        .ip = p->ip,
        .host_network = jbool(pod, "spec.hostNetwork", false),
        .host_pid = jbool(pod, "spec.hostPID", false),
        .host_ipc = jbool(pod, "spec.hostIPC", false),
        .share_pid = jbool(pod, "spec.shareProcessNamespace", false),
        .sysctls = (const char *const *)sysctls.items,
    };
    _auto_free_ struct port_map *ports = host_ports(pod, &spec.port_count);
    spec.ports = ports;
    if (strlen(host) > HOST_NAME_MAX) {
        err_set(&j->err, ERR_INVALID,
                "failed to construct FQDN from pod hostname and cluster domain, FQDN %s is too long "
                "(64 characters is the max, %zu characters requested)",
                host, strlen(host));
        j->ok = false;
        return;
    }
    j->ok = pod_files_write(p, &j->err) == 0 && m->ops->sandbox_start(m, &spec, &j->err) == 0;
}

/* -- clean-up -- */

static int remove_containers(struct pod_run *p, struct err *e)
{
    struct machine *m = p->k->m;
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_run *c = &p->containers[i];
        if (c->id[0] && m->ops->container_remove(m, pod_node(p), c->id, true, e) < 0)
            return -1;
    }
    return 0;
}

/* What mounts.c bound for subPaths. */
static int unmount_sub_paths(struct pod_run *p, struct err *e)
{
    struct machine *m = p->k->m;
    char dir[PATH_LEN];
    pod_dir(p, dir);
    for (size_t i = 0; i < p->container_count; i++) {
        const struct container_run *c = &p->containers[i];
        size_t at;
        const json_t *mount;
        json_array_foreach(json_object_get(c->spec, "volumeMounts"), at, mount)
        {
            if (str_empty(jstr(mount, "subPath")) && str_empty(jstr(mount, "subPathExpr")))
                continue;
            _auto_free_ char *path =
                xasprintf("%s/volume-subpaths/%s/%s/%zu", dir, jstr_or(mount, "name", ""), c->name, at);
            if (m->ops->unmount(m, pod_node(p), path, e) < 0)
                return -1;
        }
    }
    return 0;
}

void pod_clean_job(struct job *j)
{
    struct pod_run *p = j->pod;
    struct machine *m = p->k->m;
    j->ok = remove_containers(p, &j->err) == 0 &&
            (!p->sandbox || m->ops->sandbox_stop(m, pod_node(p), p->uid, &j->err) == 0) &&
            unmount_sub_paths(p, &j->err) == 0 && volumes_unmount(p, &j->err) == 0;
}

void pod_remove_job(struct job *j)
{
    struct pod_run *p = j->pod;
    struct machine *m = p->k->m;
    char dir[PATH_LEN], logs[PATH_LEN];
    pod_dir(p, dir);
    pod_log_dir(p->ns, p->name, p->uid, NULL, logs);
    j->ok =
        m->ops->remove_all(m, pod_node(p), dir, &j->err) == 0 && m->ops->remove_all(m, pod_node(p), logs, &j->err) == 0;
}
