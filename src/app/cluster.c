/* cluster.c - wiring: who gets what, in which order it starts, how it stops.
 *
 *   data directory -> node helper (one thread so far!) -> store -> registry -> runtime + loops -> API -> loops run
 *                                       \-> imagefs -> nodes boot ----------/           \
 *                                        \-> keys -------------------------------------/
 *
 * DESIGN: struct cluster holds every part; cluster_close() takes down what is there in reverse, so a failed start and a
 * normal stop share one path. Nothing here decides anything about objects.
 *
 * When the node helper or a node dies unasked, every pod of it is gone and with them what their volumes had open: the
 * cluster then stops as a whole, with a message, and the next start finds all that was acknowledged. A machine thread
 * hears of the death (on_death), the main thread acts on it (cluster_wait).
 *
 * When you add a folder of loops: one line in add_loops(). */
#include "app/cluster.h"

#include "api/resource.h"
#include "api/schema.h"
#include "apiserver/apiserver.h"
#include "apiserver/pki.h"
#include "app/beside.h"
#include "app/checkpoint.h"
#include "app/datadir.h"
#include "app/labs.h"
#include "app/nodefiles.h"
#include "app/privileges.h"
#include "app/profile.h"
#include "app/pulse.h"
#include "app/requests.h"
#include "app/seal.h"
#include "app/shells.h"
#include "app/zones.h"
#include "app/simulated.h"
#include "app/viewer.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "binder/binder.h"
#include "cli/local.h"
#include "cli/version.h"
#include "control/clockwork.h"
#include "control/control.h"
#include "controllers/controllers.h"
#include "csi/cloud.h"
#include "images/image.h"
#include "kubeletsim/hollow.h"
#include "kubeletsim/kubelet.h"
#include "registry/rbac.h"
#include "registry/registry.h"
#include "scheduler/scheduler.h"
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define POOL_THREADS 16
#define ANY_PORT     6443 /* what the kubernetes Service names until the kernel has picked one */
#define REGION       "us-east-1"
#define SERVICE_CIDR "10.96.0.0/12"
#define API_INSIDE   "10.96.0.1"
#define POD_CIDR     "10.244.0.0/16"
#define CLUSTER_DNS  "10.96.0.10"
#define ATTACH_LIMIT 26 /* of a t3.medium: 28, less its network interface and its root disk */

struct cluster {
    struct up_conf conf;
    struct datadir data;
    struct clock_ahead clock;
    struct clockwork *clockwork;
    struct machine *machine, *starting;
    struct cloud *cloud;
    struct beside keys, mounting, roles;
    struct pki pki; /* once the keys are made */
    struct store *store;
    struct registry *registry;
    struct images *images;
    int imagefs; /* the filesystem of image layers, -1 = a directory of the data directory */
    struct pool *pool;
    struct pulse *pulse;
    struct control *control;
    struct kubelet_boot *boot; /* NULL in a simulated cluster */
    struct kubelet *kubelet;
    struct hollow *hollow; /* simulated nodes */
    struct apiserver *api;
    struct local_server *local;
    struct checkpoints *checkpoints;
    struct launcher launcher;
    struct labs *labs;
    struct shells *shells;
    char *zones; /* of the nodes, in turn; NULL: as they are by default */
    struct binder_env binder_env;
    struct controllers_env controllers_env;
    char *kubeconfig;
    char why[256];                                           /* simulated: why */
    char differs[sizeof((struct machine_info *)0)->differs]; /* from a cluster of root's */
    bool started;
    pthread_mutex_t mu; /* guards the two below */
    bool lost;          /* the node helper or a node died */
    char lost_node[64]; /* "" = the helper */
};

/* -- parts -- */

/* Begun here: the helper takes some milliseconds, in which the main thread has tables to make. */
static int begin_machine(struct cluster *c, struct err *e)
{
    if (*c->why)
        c->machine = machine_open_fake(c->why);
    else if (machine_begin_real(c->conf.self_exe, c->data.path, &c->starting, e) < 0)
        return e->code == ERR_UNSUPPORTED ? 0 : -1; /* an accident is no reason to pretend */
    return 0;
}

static int open_machine(struct cluster *c, struct err *e)
{
    struct machine_info info = {0};
    if (c->starting && machine_end_real(c->starting, e) == 0)
        c->machine = c->starting;
    c->starting = NULL;
    if (!c->machine && e->code != ERR_UNSUPPORTED)
        return -1;
    if (!c->machine)
        c->machine = machine_open_fake(e->msg);
    err_clear(e);
    if (c->conf.verbose > 1)
        c->machine = machine_trace(c->machine, STDERR_FILENO);
    c->machine->ops->info(c->machine, &info);
    if (info.simulated)
        snprintf(c->why, sizeof c->why, "%s", info.why[0] ? info.why : "the kernel is not used");
    memcpy(c->differs, info.differs, sizeof c->differs);
    return simulated_check(c->data.path, &info, c->why, e);
}

/* On a machine thread. The main thread waits for signals, so it is told by one. */
static void on_death(void *arg, const char *node)
{
    struct cluster *c = arg;
    pthread_mutex_lock(&c->mu);
    bool first = !c->lost;
    c->lost = true;
    if (first || !*node)
        snprintf(c->lost_node, sizeof c->lost_node, "%s", node);
    pthread_mutex_unlock(&c->mu);
    if (first)
        kill(getpid(), SIGTERM);
}

/* Each watch is a descriptor; the soft limit of a login shell is too small for a class. Containers keep the user's. */
static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* What ends the cluster: it is waited for, so no thread takes it. Under nohup a hang-up does not. */
static void block_signals(sigset_t *set)
{
    const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction hangup;
    sigemptyset(set);
    sigaction(SIGHUP, NULL, &hangup);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        if (signals[i] != SIGHUP || hangup.sa_handler != SIG_IGN)
            sigaddset(set, signals[i]);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The inventory of disks, and the nodes as its instances. */
static int open_cloud(struct cluster *c, struct err *e)
{
    _auto_free_ char *dir = xasprintf("%s/cloud", c->data.path);
    const struct cloud_conf conf = {.machine = c->machine, .dir = dir, .clock = &c->clock.clock, .region = REGION};
    if (cloud_open(&conf, &c->cloud, e) < 0)
        return err_wrap(e, "disks");
    for (int i = 0; i < c->conf.nodes; i++) {
        struct cloud_instance instance = {.type = CLOUD_INSTANCE_TYPE, .attach_limit = ATTACH_LIMIT};
        kubelet_node_name(i, instance.node);
        kubelet_node_place(REGION, c->zones, i, instance.zone, instance.ip);
        if (!cloud_zone_known(c->cloud, instance.zone))
            return err_set(e, ERR_BAD_REQUEST, "--zones %s: \"%s\" is no zone; there are " REGION "a to " REGION "f",
                           c->zones, instance.zone);
        cloud_instance_id(instance.node, instance.id);
        cloud_instance_add(c->cloud, &instance);
    }
    return zones_keep(c->data.path, c->zones, e);
}

/* Layers lie on a filesystem of their own, which only the helper and the nodes have mounted: here it is a descriptor.
 * Nodes that boot after that see it. */
static int mount_imagefs(void *arg, struct err *e)
{
    struct cluster *c = arg;
    if (c->machine->ops->images_mount(c->machine, c->conf.imagefs_bytes, &c->imagefs, e) < 0)
        return -1;
    c->boot = kubelet_boot_begin(c->machine, &c->clock.clock, c->conf.nodes, c->conf.nodefs_bytes);
    return 0;
}

static int make_roles(void *arg, struct err *e)
{
    const struct cluster *c = arg;
    return rbac_bootstrap(c->registry, e);
}

static int make_keys(void *arg, struct err *e)
{
    struct cluster *c = arg;
    const struct pki_conf pki = {.dir = c->data.path};
    return pki_load(&pki, &c->pki, e);
}

static int open_images(struct cluster *c, struct err *e)
{
    _auto_free_ char *dir =
        c->why[0] ? xasprintf("%s/images", c->data.path) : xasprintf("/proc/self/fd/%d/images", c->imagefs);
    const struct images_conf conf = {.clock = &c->clock.clock,
                                     .machine = c->machine,
                                     .simulated = c->why[0],
                                     .fail_unknown = c->conf.fail_unknown_images};
    if (images_open(dir, &c->images, e) < 0)
        return -1;
    images_configure(c->images, &conf);
    return 0;
}

static int open_objects(struct cluster *c, struct err *e)
{
    _auto_free_ char *journal = c->conf.ephemeral ? NULL : xasprintf("%s/state.db", c->data.path);
    struct store_conf store = {.path = journal, .clock = &c->clock.clock, .window_seconds = c->conf.history_seconds};
    if (store_open(&store, &c->store, e) < 0)
        return -1;
    struct registry_conf registry = {c->store, &c->clock.clock, SERVICE_CIDR, POD_CIDR};
    c->registry = registry_new(&registry);
    if (open_cloud(c, e) < 0)
        return -1;
    if (*c->why)
        simulated_restore(c->registry, c->machine);
    return 0;
}

/* What waits for the disk waits beside the rest. In a simulated cluster nothing is mounted. */
static int open_state(struct cluster *c, struct err *e)
{
    if (!c->why[0])
        beside_begin(&c->mounting, mount_imagefs, c);
    beside_begin(&c->keys, make_keys, c);
    if (open_objects(c, e) < 0 || beside_end(&c->mounting, e) < 0)
        return -1;
    return open_images(c, e);
}

static void add_folder(struct cluster *c, const struct loop_def *const *loops, size_t n, void *env)
{
    for (size_t i = 0; i < n; i++)
        control_add(c->control, loops[i], env);
}

static void add_loops(struct cluster *c)
{
    size_t n;
    struct control_conf control = {c->registry, &c->clock.clock, c->pool, false};
    c->control = control_new(&control);
    c->binder_env = (struct binder_env){.machine = c->machine};
    c->controllers_env = (struct controllers_env){.ca_pem = c->pki.ca_pem};
    /* The scheduler first: it looks at a pod before claims that came with it are bound, as the real one does. */
    const struct loop_def *const *loops = scheduler_loops(&n);
    add_folder(c, loops, n, NULL);
    loops = binder_loops(&n);
    add_folder(c, loops, n, &c->binder_env);
    loops = controllers_loops(&n);
    add_folder(c, loops, n, &c->controllers_env);
    kubelet_add_loops(c->kubelet, c->control);
    hollow_add_loops(c->hollow, c->control);
}

static int open_nodes(struct cluster *c, struct err *e)
{
    struct kubelet_conf conf = {
        .registry = c->registry,
        .machine = c->machine,
        .images = c->images,
        .clock = &c->clock.clock,
        .nodes = c->conf.nodes,
        .zones = c->zones,
        .nodefs_bytes = c->conf.nodefs_bytes,
        .region = REGION,
        .cluster_dns = CLUSTER_DNS,
        .kubelet_version = STOWAGE_KUBERNETES,
        .boot = c->boot,
    };
    if (kubelet_open(&conf, &c->kubelet, e) < 0)
        return -1;
    struct hollow_conf hollow = {
        .registry = c->registry,
        .clock = &c->clock.clock,
        .nodes = c->conf.simulated_nodes,
        .region = REGION,
        .kubelet_version = STOWAGE_KUBERNETES,
    };
    if (hollow_open(&hollow, &c->hollow, e) < 0)
        return -1;
    registry_set_node_ops(c->registry, kubelet_node_ops(), c->kubelet);
    return cloud_resume(c->cloud, e);
}

/* Appends what to do. Returns -1. */
static int advise(struct err *e, const char *what)
{
    size_t n = strlen(e->msg);
    snprintf(e->msg + n, sizeof e->msg - n, "; %s", what);
    return -1;
}

static bool nodes_alive(void *arg)
{
    const struct cluster *c = arg;
    kubelet_node_await(c->kubelet, NULL, &(struct err){0});
    return pulse_ask(c->pulse, 5000);
}

static void end_shells(void *arg)
{
    shells_end(arg);
}

static int open_api(struct cluster *c, struct err *e)
{
    _auto_free_ char *console_state = xasprintf("%s/console.json", c->data.path);
    struct apiserver_conf conf = {
        .registry = c->registry,
        .control = c->control,
        .clock = &c->clock.clock,
        .nodes_alive = nodes_alive,
        .nodes_arg = c,
        .addr = c->conf.host,
        .port = (uint16_t)c->conf.port,
        .pki = &c->pki,
        .plain_http = c->conf.plain_http,
        .console = {requests_handle, c, console_state},
    };
    c->labs = labs_new(&c->launcher, c->data.path);
    if (apiserver_start(&conf, &c->api, e) < 0)
        return advise(e, "choose another address with --listen");
    c->shells = shells_new();
    apiserver_on_seal(c->api, end_shells, c->shells);
    seal_resume(c->data.path, c->api);
    /* With --listen :0 the port is known only now. */
    return c->conf.port ? 0 : registry_bootstrap(c->registry, c->conf.host, apiserver_port(c->api), e);
}

/* The API inside the cluster's network, at the address of the kubernetes Service, and a kubeconfig on each node for it.
 */
static int open_inside(struct cluster *c, struct err *e)
{
    int fd = -1;
    if (c->why[0] || c->conf.plain_http)
        return 0;
    if (c->machine->ops->listen(c->machine, API_INSIDE, 443, &fd, e) < 0 || apiserver_listen_inside(c->api, fd, e) < 0)
        return err_wrap(e, "the API inside the cluster's network");
    struct kubeconfig k = {"stowage", "https://" API_INSIDE ":443", c->pki.ca_pem, c->pki.admin_token};
    return nodefiles_write(c->machine, c->conf.nodes, &k, e);
}

static int write_kubeconfigs(struct cluster *c, struct err *e)
{
    struct kubeconfig k = {"stowage", apiserver_url(c->api), c->pki.ca_pem, c->pki.admin_token};
    if (c->conf.plain_http)
        k.ca_pem = k.token = NULL;
    c->kubeconfig = c->conf.kubeconfig ? xstrdup(c->conf.kubeconfig) : xasprintf("%s/kubeconfig", c->data.path);
    if (kubeconfig_write(c->kubeconfig, &k, e) < 0)
        return -1;
    if (!c->conf.write_kubeconfig)
        return 0;
    const char *own = getenv("KUBECONFIG"), *home = getenv("HOME");
    _auto_free_ char *path =
        str_empty(own) ? xasprintf("%s/.kube/config", home ? home : "") : xstrndup(own, strcspn(own, ":"));
    return kubeconfig_merge(path, &k, e);
}

/* Before anything is made: what is made has one owner for all of us then. */
static void choose_machine(struct cluster *c)
{
    struct err e = ERR_INIT;
    if (c->conf.simulate)
        snprintf(c->why, sizeof c->why, "--simulate was given");
    else if (machine_enter_userns(&e) < 0)
        snprintf(c->why, sizeof c->why, "%.255s", e.msg);
}

static int start(struct cluster *c, struct err *e)
{
    sigset_t set;
    if (launcher_open(&c->launcher, c->conf.self_exe, e) < 0)
        return -1;
    choose_machine(c);
    if (datadir_open(c->conf.data_dir, c->conf.ephemeral, &c->data, e) < 0 ||
        checkpoint_recover(c->data.path, c->conf.ephemeral, e) < 0 ||
        zones_find(c->data.path, c->conf.zones, &c->zones, e) < 0 || begin_machine(c, e) < 0)
        return -1;
    schema_init();
    resource_init();
    if (open_machine(c, e) < 0)
        return -1;
    clockwork_load(c->data.path, &c->clock);
    privileges_drop(); /* the helper is there: from here on threads may be made, and nothing needs the kernel's keys */
    block_signals(&set);
    c->machine->ops->on_death(c->machine, on_death, c);
    raise_limits();
    if (open_state(c, e) < 0)
        return -1;
    c->pool = pool_new("stowage-job", POOL_THREADS);
    c->pulse = pulse_new(c->machine, c->pool, c->conf.nodes);
    if (registry_bootstrap(c->registry, c->conf.host, c->conf.port ? c->conf.port : ANY_PORT, e) < 0)
        return -1;
    beside_begin(&c->roles, make_roles, c);
    if (profile_apply(c->registry, c->conf.profile, e) < 0 || open_nodes(c, e) < 0 || beside_end(&c->keys, e) < 0 ||
        beside_end(&c->roles, e) < 0)
        return -1;
    add_loops(c);
    if (open_api(c, e) < 0 || open_inside(c, e) < 0 || write_kubeconfigs(c, e) < 0 || control_start(c->control, e) < 0)
        return -1;
    c->started = true;
    c->clockwork = clockwork_open(c->data.path, &c->clock, c->control);
    if (checkpoints_open(c, &c->checkpoints, e) < 0)
        return -1;
    return local_serve(c->data.path, requests_handle, c, &c->local, e);
}

int cluster_open(const struct up_conf *conf, struct cluster **out, struct err *e)
{
    struct cluster *c = xcalloc(1, sizeof *c);
    c->conf = *conf;
    c->data = (struct datadir){.lock = -1, .janitor = -1};
    c->imagefs = -1;
    pthread_mutex_init(&c->mu, NULL);
    json_object_seed(0);
    if (start(c, e) < 0) {
        if (e->code == ERR_NO_SPACE)
            advise(e, "make room there, or choose a directory on another disk with --data");
        cluster_close(c);
        return -1;
    }
    *out = c;
    return 0;
}

int cluster_wait(struct cluster *c, struct err *e)
{
    sigset_t set;
    int sig;
    block_signals(&set);
    int rc = sigwait(&set, &sig);
    if (rc != 0)
        return err_sys(e, rc, "wait for signals");
    pthread_mutex_lock(&c->mu);
    if (c->lost)
        rc = err_set(e, ERR_UNAVAILABLE, "%s%s died, so the cluster stops; objects and volumes are %s `stowage up`",
                     *c->lost_node ? "node " : "the node helper", c->lost_node,
                     c->conf.ephemeral ? "gone, it was ephemeral: start anew with" : "kept, start it again with");
    pthread_mutex_unlock(&c->mu);
    return rc;
}

void cluster_close(struct cluster *c)
{
    if (!c)
        return;
    local_stop(c->local);
    checkpoints_end(c->checkpoints);
    clockwork_close(c->clockwork);
    apiserver_stop(c->api);
    if (c->started)
        control_stop(c->control);
    if (c->registry)
        registry_set_node_ops(c->registry, NULL, NULL);
    if (c->control)
        control_free(c->control);
    beside_end(&c->mounting, &(struct err){0});
    beside_end(&c->keys, &(struct err){0});
    beside_end(&c->roles, &(struct err){0});
    kubelet_boot_free(c->boot);
    kubelet_close(c->kubelet);
    hollow_close(c->hollow);
    pool_free(c->pool);
    checkpoints_close(c->checkpoints);
    pulse_free(c->pulse);
    cloud_close(c->cloud);
    if (c->machine)
        c->machine->ops->close(c->machine);
    if (c->images)
        images_close(c->images);
    close_cleanup(&c->imagefs);
    if (c->registry)
        registry_free(c->registry);
    if (c->store)
        store_close(c->store);
    pki_release(&c->pki);
    labs_free(c->labs);
    shells_free(c->shells);
    launcher_close(&c->launcher);
    free(c->zones);
    free(c->kubeconfig);
    datadir_close(&c->data);
    pthread_mutex_destroy(&c->mu);
    free(c);
}

/* -- what others ask -- */

struct apiserver *cluster_api(struct cluster *c)
{
    return c->api;
}

struct shells *cluster_shells(struct cluster *c)
{
    return c->shells;
}

struct labs *cluster_labs(struct cluster *c)
{
    return c->labs;
}

const char *cluster_class(const struct cluster *c)
{
    return c->conf.class_dir;
}

int cluster_console_link(struct cluster *c, const struct console_link *link, char **out_url, struct err *e)
{
    if (link->viewer && viewer_ensure(c->registry, e) < 0)
        return -1;
    return apiserver_console_link(c->api, link, out_url, e);
}

const char *cluster_url(const struct cluster *c)
{
    return apiserver_url(c->api);
}

const char *cluster_kubeconfig(const struct cluster *c)
{
    return c->kubeconfig;
}

const char *cluster_simulated(const struct cluster *c)
{
    return c->why;
}

const char *cluster_differs(const struct cluster *c)
{
    return c->differs;
}

bool cluster_ephemeral(const struct cluster *c)
{
    return c->conf.ephemeral;
}

struct machine *cluster_machine(struct cluster *c)
{
    return c->machine;
}

struct cloud *cluster_cloud(struct cluster *c)
{
    return c->cloud;
}

struct registry *cluster_registry(struct cluster *c)
{
    return c->registry;
}

struct images *cluster_images(struct cluster *c)
{
    return c->images;
}

struct store *cluster_store(struct cluster *c)
{
    return c->store;
}

struct control *cluster_control(struct cluster *c)
{
    return c->control;
}

struct kubelet *cluster_kubelet(struct cluster *c)
{
    return c->kubelet;
}

int cluster_nodes(const struct cluster *c)
{
    return c->conf.nodes;
}

struct checkpoints *cluster_checkpoints(struct cluster *c)
{
    return c->checkpoints;
}

int cluster_restored(struct cluster *c, struct err *e)
{
    if (*c->why)
        simulated_restore(c->registry, c->machine);
    if (apiserver_console_viewed(c->api) && viewer_ensure(c->registry, e) < 0)
        return -1;
    return registry_bootstrap(c->registry, c->conf.host, apiserver_port(c->api), e);
}

struct pool *cluster_pool(struct cluster *c)
{
    return c->pool;
}

const struct clock *cluster_clock(const struct cluster *c, int64_t *out_ahead)
{
    *out_ahead = clock_ahead_by(&c->clock);
    return &c->clock.clock;
}

/* A restore has left its disks out if the node did not come on then. Those of other nodes that are off still fail. */
static int plug_in(void *arg, struct err *e _unused_)
{
    struct cloud *cloud = arg;
    cloud_freeze(cloud);
    cloud_resume(cloud, &(struct err){0});
    cloud_thaw(cloud);
    return 0;
}

int cluster_node_power(struct cluster *c, const char *node, bool on, struct err *e)
{
    return kubelet_node_power(c->kubelet, node, on, plug_in, c->cloud, e);
}

int cluster_clock_forward(struct cluster *c, int64_t ns, struct err *e)
{
    return clockwork_forward(c->data.path, &c->clock, c->control, ns, e);
}

int64_t cluster_clock_speed(struct cluster *c, int64_t times, struct err *e)
{
    if (times && clockwork_speed(c->clockwork, times, e) < 0)
        return -1;
    return clockwork_speed_now(c->clockwork);
}

const char *cluster_data_dir(const struct cluster *c)
{
    return c->data.path;
}

const char *cluster_shell_node(const struct cluster *c)
{
    return c->conf.nodes > 1 ? "node01" : "controlplane";
}

bool cluster_has_node(const struct cluster *c, const char *name)
{
    for (int i = 0; i < c->conf.nodes; i++) {
        char have[64];
        kubelet_node_name(i, have);
        if (str_eq(have, name))
            return true;
    }
    return false;
}

static bool node_ready(const json_t *node)
{
    size_t i;
    const json_t *cond;
    json_array_foreach(jat(node, "status.conditions"), i, cond)
    {
        if (str_eq(jstr(cond, "type"), "Ready"))
            return str_eq(jstr(cond, "status"), "True");
    }
    return false;
}

json_t *cluster_status(struct cluster *c)
{
    struct store_stats stats;
    bool ready = true;
    store_stats(c->store, &stats);
    for (int i = 0; i < c->conf.nodes; i++) {
        char name[64];
        kubelet_node_name(i, name);
        _auto_sobj_ struct sobj *node = reg_read(c->registry, RES.nodes, "", name);
        ready = ready && node && node_ready(node->tree);
    }
    struct kubelet_net net;
    kubelet_network(c->kubelet, &net);
    json_t *told = json_pack(
        "{s:s, s:i, s:s, s:s, s:i, s:b, s:I, s:s, s:s, s:s, s:s, s:s, s:s}", "server", apiserver_url(c->api), "pid",
        (int)getpid(), "data", c->data.path, "kubeconfig", c->kubeconfig, "nodes", c->conf.nodes, "ready", ready,
        "objects", (json_int_t)stats.objects, "simulated", c->why, "differs", c->differs, "ingress", net.ingress,
        "ingressTls", net.ingress_tls, "ingressWhy", net.ingress_why, "policiesWhy", net.filter_why);
    if (c->conf.class_dir)
        jset_str(told, "class", c->conf.class_dir);
    return told;
}

struct newest {
    const struct snapshot *snap;
    uint64_t revision;
};

static int newest_object(struct sobj *obj, void *arg)
{
    struct newest *n = arg;
    n->revision = obj->rv > n->revision ? obj->rv : n->revision;
    return 0;
}

static int newest_in_bucket(const char *bucket, void *arg)
{
    struct newest *n = arg;
    if (!str_eq(bucket, RES.leases->bucket))
        snapshot_scan(n->snap, bucket, NULL, NULL, NULL, newest_object, n);
    return 0;
}

bool cluster_quiet(struct cluster *c, uint64_t *out_revision, size_t *out_objects)
{
    const bool quiet = control_quiet(c->control);
    struct snapshot *snap = store_snapshot(c->store);
    struct newest newest = {.snap = snap};
    snapshot_buckets(snap, newest_in_bucket, &newest);
    *out_revision = newest.revision;
    *out_objects = snapshot_objects(snap);
    snapshot_unref(snap);
    return quiet;
}
