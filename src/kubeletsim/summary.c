/* summary.c - what a node answers about its usage: /stats/summary, /metrics, /metrics/resource, /configz, /healthz.
 *
 * DESIGN: everything comes from the last measurement (stats.c), which is at most ten seconds old: asking costs a node
 * nothing. The summary is a tree; the two metric pages are tables of lines over the same numbers. What a page is called
 * is a row in pages[].
 *
 * THREADS: any; holds k->mu while it reads the measurement. Source: staging/src/k8s.io/kubelet/pkg/apis/stats/v1alpha1,
 * pkg/kubelet/metrics/collectors, pkg/kubelet/apis/config/v1beta1/defaults.go. */
#include "kubeletsim/eviction_int.h"

#include "base/buf.h"

#define NANO 1e9

/* -- the summary -- */

static json_t *time_of(int64_t ns)
{
    char text[TIME_TEXT_LEN];
    time_format(ns, text);
    return json_string(text);
}

static void set_known(json_t *to, const char *key, int64_t value)
{
    if (value >= 0)
        jset_int(to, key, value);
}

static json_t *cpu_json(int64_t at, const struct container_use *u, int64_t nano_cores)
{
    json_t *out = json_pack("{s:o}", "time", time_of(at));
    if (u->cpu_ns >= 0)
        jset_int(out, "usageNanoCores", nano_cores);
    set_known(out, "usageCoreNanoSeconds", u->cpu_ns);
    return out;
}

static json_t *memory_json(int64_t at, const struct container_use *u, int64_t available)
{
    json_t *out = json_pack("{s:o}", "time", time_of(at));
    set_known(out, "availableBytes", available);
    set_known(out, "usageBytes", u->memory);
    set_known(out, "workingSetBytes", u->working_set);
    set_known(out, "rssBytes", u->rss);
    return out;
}

/* `own`: what is used by whom it is told of; NULL: by all. */
static json_t *fs_json(int64_t at, const struct fs_stat *fs, const struct path_use *own)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "time", time_of(at), "availableBytes",
                     (json_int_t)fs->bytes_avail, "capacityBytes", (json_int_t)fs->bytes, "usedBytes",
                     (json_int_t)(own ? own->bytes : fs_used(fs)), "inodesFree", (json_int_t)fs->inodes_free, "inodes",
                     (json_int_t)fs->inodes, "inodesUsed",
                     (json_int_t)(own ? own->inodes : fs->inodes - fs->inodes_free));
}

static json_t *container_json(const struct node_stats *s, const struct container_stats *c)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "name", c->name, "startTime", time_of(c->started), "cpu",
                     cpu_json(s->at, &c->use, c->nano_cores), "memory", memory_json(s->at, &c->use, -1), "rootfs",
                     fs_json(s->at, &s->nodefs, &c->rootfs), "logs", fs_json(s->at, &s->nodefs, &c->logs));
}

static json_t *volume_json(const struct node_stats *s, const struct pod_stats *p, const struct volume_stats *v)
{
    json_t *out = fs_json(s->at, &v->fs, v->own_fs ? NULL : &v->use);
    jset_str(out, "name", v->name);
    if (v->claim)
        jset(out, "pvcRef", json_pack("{s:s, s:s}", "name", v->claim, "namespace", p->ns));
    return out;
}

static json_t *pod_json(const struct node_stats *s, const struct pod_stats *p)
{
    int64_t cores;
    const struct container_use sum = pod_use(p, &cores);
    json_t *containers = json_array(), *volumes = json_array();
    for (size_t i = 0; i < p->container_count; i++)
        json_array_append_new(containers, container_json(s, &p->containers[i]));
    for (size_t i = 0; i < p->volume_count; i++)
        json_array_append_new(volumes, volume_json(s, p, &p->volumes[i]));
    return json_pack("{s:{s:s, s:s, s:s}, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:I}}", "podRef", "name", p->name,
                     "namespace", p->ns, "uid", p->uid, "startTime", time_of(p->started), "containers", containers,
                     "cpu", cpu_json(s->at, &sum, cores), "memory", memory_json(s->at, &sum, -1), "volume", volumes,
                     "ephemeral-storage", fs_json(s->at, &s->nodefs, &p->total), "process_stats", "process_count",
                     (json_int_t)sum.pids);
}

static struct container_use node_use(const struct node_stats *s, int64_t *out_nano_cores)
{
    struct container_use sum = {0};
    *out_nano_cores = 0;
    for (size_t i = 0; i < s->pod_count; i++) {
        int64_t cores;
        const struct container_use u = pod_use(&s->pods[i], &cores);
        sum.cpu_ns += u.cpu_ns;
        sum.memory += u.memory;
        sum.working_set += u.working_set;
        sum.rss += u.rss;
        sum.pids += u.pids;
        *out_nano_cores += cores;
    }
    return sum;
}

static json_t *summary_json(const struct kubelet *k, const struct node_run *n, const struct node_stats *s)
{
    int64_t cores;
    const struct container_use sum = node_use(s, &cores);
    const int64_t left = k->info.memory_bytes - sum.working_set;
    json_t *pods = json_array();
    for (size_t i = 0; i < s->pod_count; i++)
        json_array_append_new(pods, pod_json(s, &s->pods[i]));
    return json_pack(
        "{s:{s:s, s:[], s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:{s:o, s:i, s:I}}, s:o}", "node", "nodeName", n->name,
        "systemContainers", "startTime", time_of(n->started), "cpu", cpu_json(s->at, &sum, cores), "memory",
        memory_json(s->at, &sum, s->memory_available >= 0 && s->memory_available < left ? s->memory_available : left),
        "fs", fs_json(s->at, &s->nodefs, NULL), "runtime", "imageFs", fs_json(s->at, &s->imagefs, NULL), "containerFs",
        fs_json(s->at, &s->nodefs, NULL), "rlimit", "time", time_of(s->at), "maxpid", 32768, "curproc",
        (json_int_t)sum.pids, "pods", pods);
}

static void print_summary(const struct kubelet *k, const struct node_run *n, const struct node_stats *s,
                          struct buf *out)
{
    _auto_json_ json_t *summary = summary_json(k, n, s);
    _auto_free_ char *text = json_dumps(summary, JSON_INDENT(1));
    buf_adds(out, text);
}

/* -- metrics -- */

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static int64_t volume_avail(const struct volume_stats *v)
{
    return v->fs.bytes_avail;
}
static int64_t volume_capacity(const struct volume_stats *v)
{
    return v->fs.bytes;
}
static int64_t volume_inodes(const struct volume_stats *v)
{
    return v->fs.inodes;
}
static int64_t volume_inodes_free(const struct volume_stats *v)
{
    return v->fs.inodes_free;
}
static int64_t volume_inodes_used(const struct volume_stats *v)
{
    return v->fs.inodes - v->fs.inodes_free;
}

/* Of each volume that stands behind a claim. */
static const struct {
    const char *name, *help;
    int64_t (*of)(const struct volume_stats *v);
} volume_metrics[] = {
    {"available_bytes", "Number of available bytes in the volume", volume_avail},
    {"capacity_bytes", "Capacity in bytes of the volume", volume_capacity},
    {"inodes", "Maximum number of inodes in the volume", volume_inodes},
    {"inodes_free", "Number of free inodes in the volume", volume_inodes_free},
    {"inodes_used", "Number of used inodes in the volume", volume_inodes_used},
    {"used_bytes", "Number of used bytes in the volume", volume_used},
};

static void print_metrics(const struct kubelet *k, const struct node_run *n, const struct node_stats *s,
                          struct buf *out)
{
    (void)k, (void)n;
    for (size_t m = 0; m < ARRAY_LEN(volume_metrics); m++) {
        _auto_free_ char *name = xasprintf("kubelet_volume_stats_%s", volume_metrics[m].name);
        head(out, name, "gauge", volume_metrics[m].help);
        for (size_t i = 0; i < s->pod_count; i++)
            for (size_t j = 0; j < s->pods[i].volume_count; j++) {
                const struct volume_stats *v = &s->pods[i].volumes[j];
                if (v->claim)
                    buf_addf(out, "%s{namespace=\"%s\",persistentvolumeclaim=\"%s\"} %lld\n", name, s->pods[i].ns,
                             v->claim, (long long)volume_metrics[m].of(v));
            }
    }
}

static void print_container_metric(const struct node_stats *s, struct buf *out, const char *name, bool cpu)
{
    head(out, name, cpu ? "counter" : "gauge", cpu ? "CPU time used, in core-seconds" : "Working set, in bytes");
    for (size_t i = 0; i < s->pod_count; i++)
        for (size_t j = 0; j < s->pods[i].container_count; j++) {
            const struct container_stats *c = &s->pods[i].containers[j];
            buf_addf(out, "%s{container=\"%s\",namespace=\"%s\",pod=\"%s\"} ", name, c->name, s->pods[i].ns,
                     s->pods[i].name);
            if (cpu)
                buf_addf(out, "%.9g", (double)c->use.cpu_ns / NANO);
            else
                buf_addf(out, "%lld", (long long)c->use.working_set);
            buf_addf(out, " %lld\n", (long long)(s->at / 1000000));
        }
}

static void print_pod_metric(const struct node_stats *s, struct buf *out, const char *name, bool cpu)
{
    head(out, name, cpu ? "counter" : "gauge", cpu ? "CPU time used, in core-seconds" : "Working set, in bytes");
    for (size_t i = 0; i < s->pod_count; i++) {
        int64_t cores;
        const struct container_use u = pod_use(&s->pods[i], &cores);
        buf_addf(out, "%s{namespace=\"%s\",pod=\"%s\"} %.10g %lld\n", name, s->pods[i].ns, s->pods[i].name,
                 cpu ? (double)u.cpu_ns / NANO : (double)u.working_set, (long long)(s->at / 1000000));
    }
}

static void print_resource_metrics(const struct kubelet *k, const struct node_run *n, const struct node_stats *s,
                                   struct buf *out)
{
    (void)k, (void)n;
    int64_t cores;
    const struct container_use sum = node_use(s, &cores);
    const long long at = s->at / 1000000;
    print_container_metric(s, out, "container_cpu_usage_seconds_total", true);
    print_container_metric(s, out, "container_memory_working_set_bytes", false);
    head(out, "node_cpu_usage_seconds_total", "counter", "CPU time used by pods, in core-seconds");
    buf_addf(out, "node_cpu_usage_seconds_total %.9g %lld\n", (double)sum.cpu_ns / NANO, at);
    head(out, "node_memory_working_set_bytes", "gauge", "Working set of pods, in bytes");
    buf_addf(out, "node_memory_working_set_bytes %lld %lld\n", (long long)sum.working_set, at);
    print_pod_metric(s, out, "pod_cpu_usage_seconds_total", true);
    print_pod_metric(s, out, "pod_memory_working_set_bytes", false);
    head(out, "resource_scrape_error", "gauge", "1 if there was an error while getting these, 0 otherwise");
    buf_adds(out, "resource_scrape_error 0\n");
}

/* -- how it is configured -- */

static void print_config(const struct kubelet *k, const struct node_run *n, const struct node_stats *s, struct buf *out)
{
    (void)k, (void)n, (void)s;
    _auto_json_ json_t *hard = json_object();
    for (int i = 0; i < SIGNAL_KINDS; i++) {
        _auto_free_ char *text = signals[i].percent ? xasprintf("%d%%", signals[i].percent)
                                                    : xasprintf("%lldMi", (long long)(signals[i].bytes >> 20));
        json_object_set_new(hard, signals[i].name, json_string(text));
    }
    _auto_json_ json_t *config =
        json_pack("{s:{s:O, s:s, s:s, s:i, s:i, s:s, s:i, s:s, s:s, s:s, s:b}}", "kubeletconfig", "evictionHard", hard,
                  "evictionPressureTransitionPeriod", "5m0s", "imageMinimumGCAge", "2m0s",
                  "imageGCHighThresholdPercent", 85, "imageGCLowThresholdPercent", 80, "containerLogMaxSize", "10Mi",
                  "containerLogMaxFiles", 5, "volumeStatsAggPeriod", "1m0s", "nodeStatusUpdateFrequency", "10s",
                  "syncFrequency", "1m0s", "localStorageCapacityIsolation", 1);
    json_write(out, config);
}

static void print_health(const struct kubelet *k, const struct node_run *n, const struct node_stats *s, struct buf *out)
{
    (void)k, (void)n, (void)s;
    buf_adds(out, "ok");
}

/* -- pages -- */

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8; escaping=values"

static const struct {
    const char *path, *type;
    void (*print)(const struct kubelet *k, const struct node_run *n, const struct node_stats *s, struct buf *out);
} pages[] = {
    {"/stats/summary", "application/json", print_summary},       {"/metrics", METRICS_TYPE, print_metrics},
    {"/metrics/resource", METRICS_TYPE, print_resource_metrics}, {"/configz", "application/json", print_config},
    {"/healthz", "text/plain; charset=utf-8", print_health},
};

int summary_page(void *self, const char *node, const char *path, char **out_text, const char **out_type, struct err *e)
{
    static const struct node_stats nothing;
    struct kubelet *k = self;
    const int index = kubelet_node_index(k, node);
    size_t at = 0;
    while (at < ARRAY_LEN(pages) && !str_eq(pages[at].path, path))
        at++;
    if (index < 0 || at == ARRAY_LEN(pages))
        return err_set(e, ERR_NOT_FOUND, "404 page not found");
    const struct node_run *n = &k->nodes[index];
    if (node_reach(k, node, e) < 0)
        return -1;
    struct buf out = BUF_INIT;
    pthread_mutex_lock(&k->mu);
    const struct node_stats *s = node_stats_locked(n);
    pages[at].print(k, n, s ? s : &nothing, &out);
    pthread_mutex_unlock(&k->mu);
    *out_text = buf_steal(&out, NULL);
    *out_type = pages[at].type;
    return 0;
}

int summary_usage(void *self, const char *node, json_t **out, struct err *e)
{
    struct kubelet *k = self;
    const int index = kubelet_node_index(k, node);
    if (index < 0 || node_is_off(&k->nodes[index]))
        return err_set(e, ERR_NOT_FOUND, "nodes \"%s\" not found", node);
    pthread_mutex_lock(&k->mu);
    const struct node_stats *s = node_stats_locked(&k->nodes[index]);
    json_t *summary = s ? summary_json(k, &k->nodes[index], s) : NULL;
    pthread_mutex_unlock(&k->mu);
    if (!summary)
        return err_set(e, ERR_NOT_FOUND, "nodes \"%s\" not found", node);
    *out = summary;
    return 0;
}
