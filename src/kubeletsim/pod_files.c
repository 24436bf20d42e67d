/* pod_files.c - the files the kubelet writes for each pod: hosts, hostname, resolv.conf.
 *
 * THREADS: workers. Source: pkg/kubelet/kubelet_pods.go (hosts file), network/dns/dns.go. */
#include "kubeletsim/pod_int.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CLUSTER_DOMAIN "cluster.local"
#define NODE_FILE_MAX  65536

static bool on_host_network(const struct pod_run *p)
{
    return jbool(pod_tree(p), "spec.hostNetwork", false);
}

void pod_hostname(const struct pod_run *p, char out[64])
{
    const json_t *pod = pod_tree(p);
    if (on_host_network(p)) {
        snprintf(out, 64, "%s", pod_node(p));
        return;
    }
    snprintf(out, 64, "%s", jstr_or(pod, "spec.hostname", p->name));
    for (size_t n = strlen(out); n > 0 && (out[n - 1] == '-' || out[n - 1] == '.'); n--)
        out[n - 1] = '\0';
}

char *pod_kernel_hostname(const struct pod_run *p)
{
    const char *subdomain = jstr(pod_tree(p), "spec.subdomain");
    char host[64];
    pod_hostname(p, host);
    if (!jbool(pod_tree(p), "spec.setHostnameAsFQDN", false) || str_empty(subdomain) || on_host_network(p))
        return xstrdup(host);
    return xasprintf("%s.%s.%s.svc." CLUSTER_DOMAIN, host, subdomain, p->ns);
}

static int write_file(struct pod_run *p, const char *path, const struct buf *text, struct err *e)
{
    struct machine *m = p->k->m;
    _auto_close_ int fd = -1;
    if (m->ops->open(m, pod_node(p), path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644, &fd, e) < 0)
        return -1;
    if (write(fd, buf_str(text), text->len) != (ssize_t)text->len)
        return err_sys(e, errno, "write %s", path);
    return 0;
}

int pod_read_node_file(const struct pod_run *p, const char *path, size_t max, struct buf *out, struct err *e)
{
    struct machine *m = p->k->m;
    _auto_close_ int fd = -1;
    if (m->ops->open(m, pod_node(p), path, O_RDONLY | O_CLOEXEC, 0, &fd, e) < 0)
        return -1;
    for (size_t total = 0; total < max;) {
        ssize_t n = read(fd, buf_reserve(out, 4096), 4096);
        if (n <= 0)
            break;
        out->len += (size_t)n;
        total += (size_t)n;
    }
    buf_adds(out, "");
    return 0;
}

/* One that is not there has nothing. */
static void add_node_file(const struct pod_run *p, const char *path, struct buf *out)
{
    struct err e = ERR_INIT;
    pod_read_node_file(p, path, NODE_FILE_MAX, out, &e);
}

/* -- /etc/hosts -- */

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
    const char *subdomain = jstr(pod_tree(p), "spec.subdomain");
    char host[64];
    pod_hostname(p, host);
    if (on_host_network(p)) {
        buf_adds(out, "# Kubernetes-managed hosts file (host network).\n");
        add_node_file(p, "/etc/hosts", out);
    } else {
        buf_adds(out, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"
                      "::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\n"
                      "fe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n");
        if (!str_empty(subdomain))
            buf_addf(out, "%s\t%s.%s.%s.svc." CLUSTER_DOMAIN "\t%s\n", p->ip, host, subdomain, p->ns, host);
        else
            buf_addf(out, "%s\t%s\n", p->ip, host);
    }
    add_aliases(pod_tree(p), out);
}

/* -- /etc/resolv.conf -- */

static void add_words(struct buf *out, const char *before, const json_t *list)
{
    size_t i;
    const json_t *word;
    json_array_foreach(list, i, word)
    {
        buf_addf(out, "%s%s", before, json_string_value(word));
    }
}

/* "ndots:2": of the pod's dnsConfig. */
static void add_options(struct buf *out, const json_t *config)
{
    size_t i;
    const json_t *option;
    json_array_foreach(json_object_get(config, "options"), i, option)
    {
        const char *value = jstr(option, "value");
        buf_addf(out, " %s%s%s", jstr_or(option, "name", ""), value ? ":" : "", value ? value : "");
    }
}

static void resolv_text(const struct pod_run *p, struct buf *out)
{
    const json_t *config = jat(pod_tree(p), "spec.dnsConfig"), *servers = json_object_get(config, "nameservers");
    const char *policy = jstr_or(pod_tree(p), "spec.dnsPolicy", "ClusterFirst");
    bool cluster = str_eq(policy, "ClusterFirstWithHostNet") || (str_eq(policy, "ClusterFirst") && !on_host_network(p));
    if (!cluster && !str_eq(policy, "None"))
        add_node_file(p, "/etc/resolv.conf", out);
    _auto_buf_ struct buf search = BUF_INIT;
    _auto_buf_ struct buf options = BUF_INIT;
    if (cluster)
        buf_addf(&search, " %s.svc." CLUSTER_DOMAIN " svc." CLUSTER_DOMAIN " " CLUSTER_DOMAIN, p->ns);
    add_words(&search, " ", json_object_get(config, "searches"));
    if (cluster)
        buf_adds(&options, " ndots:5");
    add_options(&options, config);
    if (search.len > 0)
        buf_addf(out, "search%s\n", buf_str(&search));
    if (cluster)
        buf_addf(out, "nameserver %s\n", p->k->conf.cluster_dns);
    size_t i;
    const json_t *server;
    json_array_foreach(servers, i, server)
    {
        buf_addf(out, "nameserver %s\n", json_string_value(server));
    }
    if (options.len > 0)
        buf_addf(out, "options%s\n", buf_str(&options));
}

/* -- together -- */

static void hostname_text(const struct pod_run *p, struct buf *out)
{
    _auto_free_ char *host = pod_kernel_hostname(p);
    buf_addf(out, "%s\n", host);
}

int pod_files_write(struct pod_run *p, struct err *e)
{
    static const struct {
        const char *name;
        void (*text)(const struct pod_run *p, struct buf *out);
    } files[] = {{"etc-hosts", hosts_text}, {"resolv.conf", resolv_text}, {"hostname", hostname_text}};
    char dir[PATH_LEN];
    struct machine *m = p->k->m;
    pod_dir(p, dir);
    if (m->ops->mkdir_p(m, pod_node(p), dir, 0750, e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        _auto_buf_ struct buf text = BUF_INIT;
        _auto_free_ char *path = xasprintf("%s/%s", dir, files[i].name);
        files[i].text(p, &text);
        if (write_file(p, path, &text, e) < 0)
            return -1;
    }
    return 0;
}
