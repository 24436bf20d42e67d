/* verb_disk.c - `stowage disk`: the cloud's disks by hand, and the glass disk.
 *
 * DESIGN: a table of actions; each names the operation of the control socket it asks for, how many words it takes and
 * under which names they travel. Flags are one table for all: a flag that an action does not know is refused by the
 * `flags` of its row. What is made prints its id alone, so that a script can keep it.
 *
 * When you add an action: a row, its line in the help, the man page. THREADS: none. */
#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/local.h"
#include "cli/disk_int.h"
#include "cli/verbs_int.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define GIB (INT64_C(1) << 30)

enum flag_kind { FLAG_TEXT, FLAG_SIZE, FLAG_NUMBER, FLAG_BOOL, FLAG_TAG };
static const struct flag {
    char letter;
    const char *name;
    enum flag_kind kind;
} flags[] = {
    {'z', "zone", FLAG_TEXT},         {'s', "size", FLAG_SIZE},         {'t', "type", FLAG_TEXT},
    {'i', "iops", FLAG_NUMBER},       {'u', "throughput", FLAG_NUMBER}, {'I', "id", FLAG_TEXT},
    {'S', "snapshot", FLAG_TEXT},     {'e', "encrypted", FLAG_BOOL},    {'k', "kms-key", FLAG_TEXT},
    {'m', "multi-attach", FLAG_BOOL}, {'g', "tag", FLAG_TAG},           {'D', "device", FLAG_TEXT},
    {'T', "description", FLAG_TEXT},  {'n', "namespace", FLAG_TEXT},    {'a', "snapshots", FLAG_BOOL},
};

struct call {
    const char *dir, *output; /* output: "", "json", "wide" */
    json_t *request;
};

static int ask(const struct call *call, json_t **out, struct err *e)
{
    return local_call(call->dir, call->request, out, NULL, e);
}

static void print_json(const json_t *j)
{
    _auto_free_ char *text = json_dumps(j, JSON_INDENT(4));
    puts(text);
}

/* -- actions -- */

/* What was made is told by its id, or whole with -o json. */
static int run_make(const struct call *call, const char *id, struct err *e)
{
    _auto_json_ json_t *made = NULL;
    if (ask(call, &made, e) < 0)
        return -1;
    if (*call->output)
        print_json(made);
    else
        puts(jstr_or(made, id, ""));
    return 0;
}

static int run_ls(const struct call *call, const char *arg _unused_, struct err *e)
{
    bool snapshots = jbool(call->request, "snapshots", false), more = true;
    _auto_json_ json_t *all = json_array();
    jset_str(call->request, "op", snapshots ? "disk-snapshots" : "disk-list");
    while (more) {
        _auto_json_ json_t *page = NULL;
        if (ask(call, &page, e) < 0)
            return -1;
        json_array_extend(all, json_object_get(page, "items"));
        jset_int(call->request, "from", jint(page, "next", 0));
        more = jbool(page, "more", false);
    }
    if (str_eq(call->output, "json")) {
        _auto_json_ json_t *list = json_pack("{s:O}", snapshots ? "Snapshots" : "Volumes", all);
        print_json(list);
    } else if (snapshots) {
        disk_print_snapshots(all);
    } else {
        disk_print_list(all, str_eq(call->output, "wide"));
    }
    return 0;
}

static int run_attach(const struct call *call, const char *arg _unused_, struct err *e)
{
    _auto_json_ json_t *made = NULL;
    if (ask(call, &made, e) < 0)
        return -1;
    if (*call->output)
        print_json(made);
    else
        printf("%s attached to %s as %s\n", jstr_or(made, "VolumeId", ""), jstr_or(made, "Node", ""),
               jstr_or(made, "Device", ""));
    return 0;
}

static int run_done(const struct call *call, const char *word, struct err *e)
{
    _auto_json_ json_t *answer = NULL;
    if (ask(call, &answer, e) < 0)
        return -1;
    if (*call->output)
        print_json(answer);
    else
        printf("%s %s\n", jstr_or(call->request, "id", ""), word);
    return 0;
}

static int run_show(const struct call *call, const char *arg _unused_, struct err *e)
{
    _auto_json_ json_t *glass = NULL;
    if (ask(call, &glass, e) < 0)
        return -1;
    if (*call->output)
        print_json(glass);
    else
        disk_print_glass(glass);
    return 0;
}

static const struct action {
    const char *name, *op;
    const char *words[2]; /* members of the request, in the order of the command line */
    int needed;           /* how many of them must be given */
    const char *flags;    /* letters of those it takes */
    int (*run)(const struct call *call, const char *arg, struct err *e);
    const char *arg;
} actions[] = {
    {"create", "disk-create", {NULL, NULL}, 0, "zstiuISekmg", run_make, "VolumeId"},
    {"ls", "disk-list", {NULL, NULL}, 0, "a", run_ls, ""},
    {"attach", "disk-attach", {"id", "node"}, 2, "D", run_attach, ""},
    {"detach", "disk-detach", {"id", "node"}, 1, "D", run_done, "detached"},
    {"modify", "disk-modify", {"id", NULL}, 1, "stiu", run_done, "modified"},
    {"snapshot", "disk-snapshot", {"id", NULL}, 1, "Tg", run_make, "SnapshotId"},
    {"rm", "disk-remove", {"id", NULL}, 1, "", run_done, "deleted"},
    {"show", "disk-show", {"what", NULL}, 1, "n", run_show, ""},
};

/* -- the command line -- */

static int put_size(json_t *request, const char *text, struct err *e)
{
    int64_t gib, bytes;
    if (!str_to_i64(text, &gib)) { /* a bare number counts GiB, as the console does */
        bytes = quantity_bytes(text, -1);
        gib = bytes < 0 ? -1 : (bytes + GIB - 1) / GIB;
    }
    if (gib <= 0)
        return cli_usage(e, "disk", "--size %s: a size as 10Gi is needed", text);
    jset_int(request, "size", gib);
    return 0;
}

static int put_tag(json_t *request, const char *text, struct err *e)
{
    const char *eq = strchr(text, '=');
    if (!eq || eq == text)
        return cli_usage(e, "disk", "--tag %s: KEY=VALUE is needed", text);
    _auto_free_ char *key = xstrndup(text, (size_t)(eq - text));
    jset_map(request, "tags", key, eq + 1);
    return 0;
}

static int put_flag(json_t *request, const struct flag *f, const char *text, struct err *e)
{
    int64_t number;
    switch (f->kind) {
    case FLAG_SIZE:
        return put_size(request, text, e);
    case FLAG_NUMBER:
        if (!str_to_i64(text, &number) || number <= 0)
            return cli_usage(e, "disk", "--%s %s: a number is needed", f->name, text);
        jset_int(request, f->name, number);
        return 0;
    case FLAG_BOOL:
        jset_bool(request, f->name, true);
        return 0;
    case FLAG_TAG:
        return put_tag(request, text, e);
    default:
        jset_str(request, f->name, text);
        return 0;
    }
}

static void fill_options(struct option *out)
{
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        out[i] = (struct option){flags[i].name, flags[i].kind == FLAG_BOOL ? no_argument : required_argument, NULL,
                                 flags[i].letter};
    out[ARRAY_LEN(flags)] = (struct option){"data", required_argument, NULL, 'd'};
    out[ARRAY_LEN(flags) + 1] = (struct option){"output", required_argument, NULL, 'o'};
    out[ARRAY_LEN(flags) + 2] = (struct option){0};
}

static int take_option(const struct action *a, struct call *call, const char **data, int opt, struct err *e)
{
    if (opt == 'd') {
        *data = optarg;
        return 0;
    }
    if (opt == 'o') {
        call->output = optarg;
        bool ok = str_eq(optarg, "json") || (str_eq(optarg, "wide") && str_eq(a->name, "ls"));
        return ok ? 0 : cli_usage(e, "disk", "-o %s: json%s", optarg, str_eq(a->name, "ls") ? " or wide" : "");
    }
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (flags[i].letter == opt && strchr(a->flags, opt))
            return put_flag(call->request, &flags[i], optarg, e);
    return cli_usage(e, "disk", "disk %s: unknown flag or missing value", a->name);
}

static int take_words(const struct action *a, json_t *request, int n, char **words, struct err *e)
{
    int max = a->words[1] ? 2 : a->words[0] ? 1 : 0;
    if (n < a->needed || n > max)
        return cli_usage(e, "disk", "disk %s: %s", a->name,
                         n > max ? "too many words" : (n == 0 ? "which disk?" : "to which node?"));
    for (int i = 0; i < n; i++)
        jset_str(request, a->words[i], words[i]);
    return 0;
}

static int run_action(const struct action *a, int argc, char **argv, struct err *e)
{
    struct option options[ARRAY_LEN(flags) + 3];
    _auto_json_ json_t *request = json_pack("{s:s}", "op", a->op);
    struct call call = {.output = "", .request = request};
    const char *data = NULL;
    fill_options(options);
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "o:n:", options, NULL)) != -1;)
        if (take_option(a, &call, &data, opt, e) < 0)
            return -1;
    if (take_words(a, request, argc - optind, argv + optind, e) < 0)
        return -1;
    if (str_eq(a->name, "create") && !jstr(request, "zone"))
        return cli_usage(e, "disk",
                         "disk create: in which --zone? `kubectl get nodes -L topology.kubernetes.io/zone` shows those "
                         "of the nodes");
    _auto_free_ char *dir = cli_data_dir(data);
    call.dir = dir;
    return a->run(&call, a->arg, e);
}

static int disk_run(const struct cli *cli _unused_, int argc, char **argv, struct err *e)
{
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(actions); i++)
        if (str_eq(actions[i].name, argv[1]))
            return run_action(&actions[i], argc - 1, argv + 1, e);
    return cli_usage(e, "disk", "what: create, ls, attach, detach, modify, snapshot, rm or show?");
}

const struct cli_verb verb_disk = {
    .name = "disk",
    .words = "create ls attach detach modify snapshot rm show",
    .summary = "the cloud's disks by hand; look through a volume, from claim to file",
    .help =
        "usage: stowage disk create --zone ZONE --size SIZE [--type gp2|gp3|io1|io2|st1|sc1|standard] [--iops N]\n"
        "                           [--throughput N] [--id vol-…] [--snapshot snap-…] [--encrypted] [--kms-key ARN]\n"
        "                           [--multi-attach] [--tag KEY=VALUE]… [-o json]\n"
        "       stowage disk ls [--snapshots] [-o wide|json]\n"
        "       stowage disk attach ID NODE [--device /dev/sdf]\n"
        "       stowage disk detach ID [NODE]\n"
        "       stowage disk modify ID [--size SIZE] [--type TYPE] [--iops N] [--throughput N]\n"
        "       stowage disk snapshot ID [--description TEXT] [--tag KEY=VALUE]…\n"
        "       stowage disk rm ID\n"
        "       stowage disk show pvc/NAME|pv/NAME|ID [-n|--namespace NAMESPACE] [-o json]\n\n"
        "A disk lies in a zone and is there before any object: give its id to a PersistentVolume (csi or\n"
        "awsElasticBlockStore) or to a pod. create and snapshot print the id alone. Refusals are EC2's.\n"
        "show looks through the volume: claim, pod, mount, filesystem, device, file, each with what the kernel says of "
        "it.\n"
        "Every action takes [--data DIR]; -o may be written --output.\n",
    .run = disk_run,
};
