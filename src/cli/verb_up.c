/* verb_up.c - `stowage up`: flags to a struct up_conf; the floor above does the rest. */
#include "api/feature.h"
#include "api/quantity.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/verbs_int.h"
#include "lab/fields.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT    6443
#define DEFAULT_NODEFS  "20Gi"
#define DEFAULT_IMAGEFS "20Gi"
#define SIZE_MIN        (INT64_C(256) << 20)
#define MAX_NODES       16
#define MAX_SIMULATED   5000
#define HISTORY_MAX_MS  (INT64_C(168) * 3600 * 1000)

static const char *const profiles[] = {"eks", "killercoda", "kind", "minikube", "none"};

enum {
    OPT_DATA = 256,
    OPT_LISTEN,
    OPT_PROFILE,
    OPT_FEATURE_GATES,
    OPT_NODES,
    OPT_ZONES,
    OPT_SIMULATED_NODES,
    OPT_NODEFS,
    OPT_IMAGEFS,
    OPT_UNKNOWN_IMAGES,
    OPT_HISTORY,
    OPT_EPHEMERAL,
    OPT_DETACH,
    OPT_KUBECONFIG,
    OPT_WRITE_KUBECONFIG,
    OPT_PLAIN_HTTP,
    OPT_SIMULATE,
    OPT_QUIET,
    OPT_CLASS,
};

static const struct option options[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"profile", required_argument, NULL, OPT_PROFILE},
    {"feature-gates", required_argument, NULL, OPT_FEATURE_GATES},
    {"nodes", required_argument, NULL, OPT_NODES},
    {"zones", required_argument, NULL, OPT_ZONES},
    {"simulated-nodes", required_argument, NULL, OPT_SIMULATED_NODES},
    {"nodefs-size", required_argument, NULL, OPT_NODEFS},
    {"nodefs", required_argument, NULL, OPT_NODEFS}, /* its older name */
    {"imagefs-size", required_argument, NULL, OPT_IMAGEFS},
    {"unknown-images", required_argument, NULL, OPT_UNKNOWN_IMAGES},
    {"history", required_argument, NULL, OPT_HISTORY},
    {"ephemeral", no_argument, NULL, OPT_EPHEMERAL},
    {"detach", no_argument, NULL, OPT_DETACH},
    {"kubeconfig", required_argument, NULL, OPT_KUBECONFIG},
    {"write-kubeconfig", no_argument, NULL, OPT_WRITE_KUBECONFIG},
    {"plain-http", no_argument, NULL, OPT_PLAIN_HTTP},
    {"simulate", no_argument, NULL, OPT_SIMULATE},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"class", required_argument, NULL, OPT_CLASS},
    {"verbose", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

/* "127.0.0.1:6443", ":6443", "127.0.0.1", "[::1]:6443". *out_host is new. */
static int parse_listen(const char *text, char **out_host, int *out_port, struct err *e)
{
    const char *colon = strrchr(text, ':');
    if (text[0] == '[' && colon && colon < strchr(text, ']'))
        colon = NULL;
    uint64_t port = DEFAULT_PORT;
    if (colon && (!str_to_u64(colon + 1, &port) || port > 65535))
        return cli_usage(e, "up", "--listen %s: the port must be 0 to 65535", text);
    size_t n = colon ? (size_t)(colon - text) : strlen(text);
    *out_host = n == 0 ? xstrdup("127.0.0.1") : xstrndup(text, n);
    *out_port = (int)port;
    return 0;
}

static int check_profile(const char *name, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
        if (str_eq(profiles[i], name))
            return 0;
    return cli_usage(e, "up", "--profile %s: known are eks, killercoda, kind, minikube, none", name);
}

static int parse_size(const char *flag, int64_t *out, struct err *e)
{
    const int64_t bytes = quantity_bytes(optarg, -1);
    if (bytes < SIZE_MIN)
        return cli_usage(e, "up", "%s %s: a size of at least 256Mi", flag, optarg);
    *out = bytes;
    return 0;
}

static int parse_history(unsigned *out, struct err *e)
{
    int64_t ms;
    if (!duration_parse(optarg, &ms) || ms < 1000 || ms > HISTORY_MAX_MS)
        return cli_usage(e, "up", "--history %s: a time from 1s to 168h", optarg);
    *out = (unsigned)(ms / 1000);
    return 0;
}

static int parse_flag(int opt, struct up_conf *conf, char **host, const char **data, struct err *e)
{
    uint64_t number;
    switch (opt) {
    case OPT_DATA:
        *data = optarg;
        return 0;
    case OPT_LISTEN:
        free(*host);
        *host = NULL;
        return parse_listen(optarg, host, &conf->port, e);
    case OPT_PROFILE:
        conf->profile = optarg;
        return check_profile(optarg, e);
    case OPT_FEATURE_GATES: {
        struct err why = ERR_INIT;
        return features_set(optarg, &why) == 0 ? 0 : cli_usage(e, "up", "--feature-gates %s: %s", optarg, why.msg);
    }
    case OPT_NODES:
        if (!str_to_u64(optarg, &number) || number < 1 || number > MAX_NODES)
            return cli_usage(e, "up", "--nodes %s: 1 to %d", optarg, MAX_NODES);
        conf->nodes = (int)number;
        return 0;
    case OPT_ZONES:
        conf->zones = optarg;
        return 0;
    case OPT_SIMULATED_NODES:
        if (!str_to_u64(optarg, &number) || number > MAX_SIMULATED)
            return cli_usage(e, "up", "--simulated-nodes %s: 0 to %d", optarg, MAX_SIMULATED);
        conf->simulated_nodes = (int)number;
        return 0;
    case OPT_NODEFS:
        return parse_size("--nodefs-size", &conf->nodefs_bytes, e);
    case OPT_IMAGEFS:
        return parse_size("--imagefs-size", &conf->imagefs_bytes, e);
    case OPT_UNKNOWN_IMAGES:
        conf->fail_unknown_images = str_eq(optarg, "fail");
        return conf->fail_unknown_images || str_eq(optarg, "stub")
                   ? 0
                   : cli_usage(e, "up", "--unknown-images %s: stub or fail", optarg);
    case OPT_HISTORY:
        return parse_history(&conf->history_seconds, e);
    case OPT_EPHEMERAL:
        conf->ephemeral = true;
        return 0;
    case OPT_DETACH:
        conf->detach = true;
        return 0;
    case OPT_KUBECONFIG:
        conf->kubeconfig = optarg;
        return 0;
    case OPT_WRITE_KUBECONFIG:
        conf->write_kubeconfig = true;
        return 0;
    case OPT_PLAIN_HTTP:
        conf->plain_http = true;
        return 0;
    case OPT_SIMULATE:
        conf->simulate = true;
        return 0;
    case OPT_QUIET:
        conf->quiet = true;
        return 0;
    case OPT_CLASS:
        conf->class_dir = optarg;
        return 0;
    case 'v':
        conf->verbose++;
        return 0;
    default:
        return cli_usage(e, "up", "unknown flag or missing value");
    }
}

static int up_run(const struct cli *cli, int argc, char **argv, struct err *e)
{
    struct up_conf conf = {
        .port = DEFAULT_PORT,
        .profile = "eks",
        .nodes = 2,
        .nodefs_bytes = quantity_bytes(DEFAULT_NODEFS, 0),
        .imagefs_bytes = quantity_bytes(DEFAULT_IMAGEFS, 0),
        .self_exe = cli->self_exe,
    };
    _auto_free_ char *host = xstrdup("127.0.0.1");
    const char *data = NULL;
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "v", options, NULL)) != -1;)
        if (parse_flag(opt, &conf, &host, &data, e) < 0)
            return -1;
    if (optind < argc)
        return cli_usage(e, "up", "takes no argument \"%s\"", argv[optind]);
    _auto_free_ char *dir = cli_data_dir(data);
    conf.data_dir = dir;
    conf.host = host;
    return cli->host->up(&conf, e);
}

const struct cli_verb verb_up = {
    .name = "up",
    .summary = "start the cluster and keep it running",
    .help =
        "usage: stowage up [FLAGS]\n\n"
        "  --data DIR            where everything is kept (default $STOWAGE_DATA, /var/lib/stowage for root,\n"
        "                        ~/.local/share/stowage else); two clusters with two directories run side by side\n"
        "  --listen ADDR:PORT    default 127.0.0.1:6443; port 0 takes any free one\n"
        "  --profile NAME        storage classes of a fresh cluster: eks (gp2, the default), killercoda (local-path),\n"
        "                        kind (standard), minikube (standard, Immediate), none\n"
        "  --feature-gates LIST  what a 1.32 server serves only when told to: VolumeAttributesClass=true\n"
        "  --nodes N             default 2: controlplane and node01\n"
        "  --zones LIST          the zones of the nodes, in turn: us-east-1a,us-east-1b (by default a, a, b, c, a…)\n"
        "  --simulated-nodes N   so many more whose pods are Running without a process; for pods with\n"
        "                        runtimeClassName: simulated\n"
        "  --nodefs-size SIZE    size of each node's filesystem, sparse (default 20Gi)\n"
        "  --unknown-images HOW  what an image is that is neither built in nor imported: stub (the default; a shell "
        "and\n"
        "                        nothing else runs in its place, and an event says so) or fail (ErrImagePull)\n"
        "  --imagefs-size SIZE   size of the one with the image layers, sparse (default 20Gi)\n"
        "  --history TIME        how far back a watch may begin, and a list be as it was (default 5m)\n"
        "  --ephemeral           keep nothing: objects and volumes are gone when it stops\n"
        "  --detach              return once the nodes are Ready; `stowage down` stops it\n"
        "  --kubeconfig FILE     write the administrator's kubeconfig there (default DIR/kubeconfig, mode 0600)\n"
        "  --write-kubeconfig    also merge a context \"stowage\" into $KUBECONFIG or ~/.kube/config\n"
        "  --plain-http          no TLS (kubectl sends no credentials then; loopback only)\n"
        "  --simulate            do not touch the kernel: pods and disks are only remembered\n"
        "  --class DIR           its console shows its administrator the class in that folder (`stowage class`)\n"
        "  --quiet               print nothing but errors\n"
        "  -v, --verbose         log more; twice traces every kernel request\n",
    .run = up_run,
};
