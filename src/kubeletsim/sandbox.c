/* sandbox.c - a pod's namespaces and its directory on the node: made before its containers, gone after them.
 *
 * DESIGN: everything the pod has on the node lives under /var/lib/kubelet/pods/<uid> and
 * /var/log/pods/<ns>_<pod>_<uid>, so cleaning up is unmounting and removing two trees. Jobs run on workers. Source:
 * pkg/kubelet/kubelet_pods.go (hosts file), network/dns/dns.go, kuberuntime_container.go killContainer. */
#include "kubeletsim/kubelet_int.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CLUSTER_DOMAIN "cluster.local"

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

void pod_hostname(const json_t *pod, char out[64])
{
    snprintf(out, 64, "%s", jstr_or(pod, "spec.hostname", jstr_or(pod, "metadata.name", "")));
    for (size_t n = strlen(out); n > 0 && (out[n - 1] == '-' || out[n - 1] == '.'); n--)
        out[n - 1] = '\0';
}

static int write_file(struct pod_run *p, const char *path, const char *text, struct err *e)
{
    struct machine *m = p->k->m;
    _auto_close_ int fd = -1;
    if (m->ops->open(m, pod_node(p), path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644, &fd, e) < 0)
        return -1;
    size_t n = strlen(text);
    if (write(fd, text, n) != (ssize_t)n)
        return err_sys(e, errno, "write %s", path);
    return 0;
}

static void add_aliases(const json_t *pod, struct buf *out)
{
    size_t i, j;
    const json_t *alias, *name;
    const json_t *list = jat(pod, "spec.hostAliases");
    if (json_array_size(list) > 0)
        buf_adds(out, "\n# Entries added by HostAliases.\n");
    json_array_foreach(list, i, alias)
    {
        buf_adds(out, jstr_or(alias, "ip", ""));
        json_array_foreach(json_object_get(alias, "hostnames"), j, name)
        {
            buf_addf(out, "\t%s", json_string_value(name));
        }
        buf_addc(out, '\n');
    }
}

static void hosts_text(const struct pod_run *p, struct buf *out)
{
    const json_t *pod = pod_tree(p);
    char host[64];
    const char *subdomain = jstr(pod, "spec.subdomain");
    pod_hostname(pod, host);
    buf_adds(out, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
                  "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n");
    if (subdomain)
        buf_addf(out, "%s\t%s.%s.%s.svc." CLUSTER_DOMAIN "\t%s\n", p->ip, host, subdomain, p->ns, host);
    else
        buf_addf(out, "%s\t%s\n", p->ip, host);
    add_aliases(pod, out);
}

static void resolv_text(const struct pod_run *p, struct buf *out)
{
    buf_addf(out,
             "search %s.svc." CLUSTER_DOMAIN " svc." CLUSTER_DOMAIN " " CLUSTER_DOMAIN
             "\nnameserver %s\noptions ndots:5\n",
             p->ns, p->k->conf.cluster_dns);
}

static int write_pod_files(struct pod_run *p, struct err *e)
{
    char dir[PATH_LEN], path[PATH_LEN + 32], host[80];
    struct machine *m = p->k->m;
    pod_dir(p, dir);
    if (m->ops->mkdir_p(m, pod_node(p), dir, 0750, e) < 0)
        return -1;
    _auto_buf_ struct buf hosts = BUF_INIT;
    _auto_buf_ struct buf resolv = BUF_INIT;
    hosts_text(p, &hosts);
    resolv_text(p, &resolv);
    pod_hostname(pod_tree(p), host);
    size_t n = strlen(host);
    host[n] = '\n';
    host[n + 1] = '\0';
    const char *const files[][2] = {
        {"etc-hosts", buf_str(&hosts)}, {"resolv.conf", buf_str(&resolv)}, {"hostname", host}};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i][0]);
        if (write_file(p, path, files[i][1], e) < 0)
            return -1;
    }
    return 0;
}

void sandbox_start_job(struct job *j)
{
    struct pod_run *p = j->pod;
    const json_t *pod = pod_tree(p);
    struct machine *m = p->k->m;
    char host[64];
    pod_hostname(pod, host);
    struct sandbox_spec spec = {
        .node = pod_node(p),
        .id = p->uid,
        .hostname = host,
        .ip = p->ip,
        .host_network = jbool(pod, "spec.hostNetwork", false),
        .host_pid = jbool(pod, "spec.hostPID", false),
        .host_ipc = jbool(pod, "spec.hostIPC", false),
        .share_pid = jbool(pod, "spec.shareProcessNamespace", false),
    };
    j->ok = write_pod_files(p, &j->err) == 0 && m->ops->sandbox_start(m, &spec, &j->err) == 0;
}

/* -- stopping -- */

/* Runs an exec hook and waits for its end, at most `ms`. */
static void run_hook(struct pod_run *p, const struct container_run *c, const json_t *command, int64_t ms)
{
    struct machine *m = p->k->m;
    struct err e = ERR_INIT;
    struct stream_fds fds = {-1, -1, -1, -1};
    _auto_strlist_ struct strlist argv = {0};
    size_t i;
    const json_t *word;
    json_array_foreach(command, i, word)
    {
        strlist_add(&argv, json_string_value(word) ? json_string_value(word) : "");
    }
    strlist_take(&argv, NULL);
    argv.len--;
    struct exec_spec spec = {.node = pod_node(p), .id = c->id, .argv = (const char *const *)argv.items};
    if (m->ops->exec(m, &spec, &fds, &e) == 0) {
        struct pollfd end = {fds.exit_fd, POLLIN, 0};
        poll(&end, 1, (int)ms);
    } else {
        kubelet_event(p->k, p, c->name, EVENT_WARNING, "FailedPreStopHook", "PreStopHook failed");
    }
    const int all[] = {fds.in, fds.out, fds.err, fds.exit_fd};
    for (i = 0; i < ARRAY_LEN(all); i++)
        if (all[i] >= 0)
            close(all[i]);
}

static void pause_ms(int64_t ms, int64_t at_most)
{
    poll(NULL, 0, (int)(ms < at_most ? ms : at_most));
}

static void stop_container(struct pod_run *p, struct container_run *c)
{
    struct machine *m = p->k->m;
    struct err e = ERR_INIT;
    const json_t *hook = jat(container_spec_of(p, c), "lifecycle.preStop");
    kubelet_event(p->k, p, c->name, EVENT_NORMAL, "Killing", "Stopping container %s", c->name);
    int64_t left = p->kill_at - kubelet_mono(p->k);
    if (hook && left > 0) {
        if (jat(hook, "exec.command"))
            run_hook(p, c, jat(hook, "exec.command"), left);
        else if (jat(hook, "sleep.seconds"))
            pause_ms(jint(hook, "sleep.seconds", 0) * 1000, left);
    }
    m->ops->container_signal(m, pod_node(p), c->id, SIGTERM, &e);
    c->stopping = true;
}

void pod_stop_job(struct job *j)
{
    struct pod_run *p = j->pod;
    for (size_t i = 0; i < p->container_count; i++)
        if (p->containers[i].state == CONTAINER_RUNNING && !p->containers[i].stopping)
            stop_container(p, &p->containers[i]);
}

void pod_kill_job(struct job *j)
{
    struct pod_run *p = j->pod;
    struct machine *m = p->k->m;
    struct err e = ERR_INIT;
    for (size_t i = 0; i < p->container_count; i++)
        if (p->containers[i].state == CONTAINER_RUNNING)
            m->ops->container_signal(m, pod_node(p), p->containers[i].id, SIGKILL, &e);
}

void pod_clean_job(struct job *j)
{
    struct pod_run *p = j->pod;
    struct machine *m = p->k->m;
    struct err e = ERR_INIT;
    char path[PATH_LEN];
    for (size_t i = 0; i < p->container_count; i++)
        if (p->containers[i].id[0])
            m->ops->container_remove(m, pod_node(p), p->containers[i].id, true, &e);
    if (p->sandbox)
        m->ops->sandbox_stop(m, pod_node(p), p->uid, &e);
    volumes_unmount(j);
    bool deleted = p->gone || jat(pod_tree(p), "metadata.deletionTimestamp");
    if (!deleted)
        return; /* a finished pod keeps its directory and logs until it is deleted */
    pod_dir(p, path);
    m->ops->remove_all(m, pod_node(p), path, &e);
    pod_log_dir(p->ns, p->name, p->uid, NULL, path);
    m->ops->remove_all(m, pod_node(p), path, &e);
}
