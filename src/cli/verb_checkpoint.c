/* verb_checkpoint.c - `stowage checkpoint`: the whole cluster kept under a name, and back to it. */
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/local.h"
#include "cli/verbs_int.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MIB        (1 << 20)
#define FILES_MOST 20 /* of a disk, for people */

struct call {
    const char *name;
    bool json, replace, verbose;
};

/* ---- what is told ---- */

/* "12.3 ms (rest 0.1, plan 0.4, …)". */
static void print_ms(const json_t *ms, bool each)
{
    double sum = 0;
    const char *phase, *sep = " (";
    json_t *took;
    json_object_foreach((json_t *)(uintptr_t)ms, phase, took)
    {
        sum += json_number_value(took);
    }
    printf("%.0f ms", sum);
    json_object_foreach((json_t *)(uintptr_t)ms, phase, took)
    {
        if (each)
            printf("%s%s %.1f", sep, phase, json_number_value(took));
        sep = ", ";
    }
    printf(each ? ")\n" : "\n");
}

static void print_saved(const struct call *call, const json_t *told)
{
    printf("saved \"%s\": %" PRId64 " objects, %" PRId64 " disks, %" PRId64 " MiB, in ", call->name,
           jint(told, "objects", 0), jint(told, "disks", 0), jint(told, "bytes", 0) / MIB);
    print_ms(json_object_get(told, "ms"), call->verbose);
}

static void print_restored(const struct call *call, const json_t *told)
{
    size_t i;
    const json_t *node;
    printf("restored \"%s\": objects %" PRId64 " back, %" PRId64 " changed, %" PRId64 " gone; %" PRId64 " disks; ",
           call->name, jint(told, "added", 0), jint(told, "changed", 0), jint(told, "removed", 0),
           jint(told, "disks", 0));
    json_array_foreach(json_object_get(told, "nodes"), i, node)
    {
        printf("%s%s", i ? ", " : "restarted ", json_string_value(node));
    }
    printf("%s in ", json_array_size(json_object_get(told, "nodes")) ? "" : "no node restarted");
    print_ms(json_object_get(told, "ms"), call->verbose);
}

static void print_list(const struct call *call _unused_, const json_t *told)
{
    size_t i;
    const json_t *row;
    if (json_array_size(told))
        printf("%-24s %-21s %8s %6s %8s\n", "NAME", "SAVED", "OBJECTS", "DISKS", "SIZE");
    json_array_foreach(told, i, row)
    {
        printf("%-24s %-21s %8" PRId64 " %6" PRId64 " %5" PRId64 "MiB\n", jstr_or(row, "name", ""),
               jstr_or(row, "created", ""), jint(row, "objects", 0), jint(row, "disks", 0),
               jint(row, "bytes", 0) / MIB);
    }
}

static char sign_of(const json_t *row)
{
    const char *how = jstr_or(row, "how", "");
    return str_eq(how, "added") ? '+' : str_eq(how, "removed") ? '-' : '~';
}

static void print_object(const json_t *row)
{
    size_t i;
    const json_t *field;
    const char *ns = jstr_or(row, "namespace", "");
    printf("%c %s %s%s%s\n", sign_of(row), jstr_or(row, "kind", ""), ns, *ns ? "/" : "", jstr_or(row, "name", ""));
    json_array_foreach(json_object_get(row, "fields"), i, field)
    {
        printf("    %s\n", json_string_value(field));
    }
}

static void print_use(const json_t *row, const char *when, const char *words)
{
    const json_t *use = json_object_get(row, when);
    if (use)
        printf("%s%" PRId64 " files, %" PRId64 " KiB", words, jint(use, "files", 0), jint(use, "bytes", 0) / 1024);
}

/* "~ deep/file: 2 -> 7 bytes". */
static void print_file(const json_t *row)
{
    size_t i;
    const json_t *what;
    const int64_t then = jint(row, "sizeThen", -1), now = jint(row, "sizeNow", -1);
    const char *kind = jstr_or(row, "kind", "");
    printf("    %c %s%s", sign_of(row), jstr_or(row, "path", ""), str_eq(kind, "directory") ? "/" : "");
    if (str_eq(kind, "file") && then >= 0 && now >= 0 && then != now)
        printf(": %" PRId64 " -> %" PRId64 " bytes", then, now);
    else if (str_eq(kind, "file"))
        printf(": %" PRId64 " bytes", now >= 0 ? now : then);
    else if (!str_eq(kind, "directory"))
        printf(": a %s", kind);
    json_array_foreach(json_object_get(row, "what"), i, what)
    {
        if (!str_eq(json_string_value(what), "size"))
            printf(", %s", json_string_value(what));
    }
    printf("\n");
}

static void print_files(const json_t *disk)
{
    size_t i;
    const json_t *row, *files = json_object_get(disk, "files");
    const size_t n = json_array_size(files);
    json_array_foreach(files, i, row)
    {
        if (i < FILES_MOST)
            print_file(row);
    }
    if (n > FILES_MOST)
        printf("    ... and %zu more (-o json has them all)\n", n - FILES_MOST);
    if (jbool(disk, "filesCut", false))
        printf("    (there are more files than are compared)\n");
    if (jstr(disk, "namesNotRead"))
        printf("    (names are compared on ext4, not on %s)\n", jstr(disk, "namesNotRead"));
}

static void print_disk(const json_t *row)
{
    const int64_t then = jint(row, "sizeThen", 0), now = jint(row, "sizeNow", 0);
    printf("%c disk %s: ", sign_of(row), jstr_or(row, "id", ""));
    if (then && now && then != now)
        printf("%" PRId64 " MiB -> %" PRId64 " MiB, ", then / MIB, now / MIB);
    else
        printf("%" PRId64 " MiB, ", (now ? now : then) / MIB);
    printf("%" PRId64 " KiB differ", jint(row, "differing", 0) / 1024);
    print_use(row, "then", "; then ");
    print_use(row, "now", "; now ");
    printf("\n");
    print_files(row);
}

static void print_diff(const struct call *call, const json_t *told)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(told, "objects"), i, row) print_object(row);
    json_array_foreach(json_object_get(told, "disks"), i, row) print_disk(row);
    if (!json_array_size(json_object_get(told, "objects")) && !json_array_size(json_object_get(told, "disks")))
        printf("nothing has changed since \"%s\"\n", call->name);
}

static void print_removed(const struct call *call, const json_t *told _unused_)
{
    printf("removed \"%s\"\n", call->name);
}

/* ---- asking ---- */

static const struct action {
    const char *word, *op;
    bool named;
    void (*print)(const struct call *call, const json_t *told);
} actions[] = {
    {"save", "checkpoint-save", true, print_saved}, {"restore", "checkpoint-restore", true, print_restored},
    {"ls", "checkpoint-ls", false, print_list},     {"diff", "checkpoint-diff", true, print_diff},
    {"rm", "checkpoint-rm", true, print_removed},
};

static const struct action *find(const char *word)
{
    for (size_t i = 0; word && i < ARRAY_LEN(actions); i++)
        if (str_eq(word, actions[i].word))
            return &actions[i];
    return NULL;
}

static int ask(const struct action *action, const struct call *call, const char *dir, struct err *e)
{
    int fds[LOCAL_MAX_FDS] = {-1, -1, -1, -1};
    _auto_json_ json_t *request =
        json_pack("{s:s, s:s, s:b}", "op", action->op, "name", call->name ? call->name : "", "replace", call->replace);
    _auto_json_ json_t *result = local_call_long(dir, request, fds, e);
    if (!result)
        return -1;
    const json_t *told = json_object_get(result, "told");
    if (call->json && told) {
        json_dumpf(told, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        putchar('\n');
    } else {
        action->print(call, told);
    }
    return 0;
}

static int checkpoint_run(const struct cli *cli _unused_, int argc, char **argv, struct err *e)
{
    static const struct option options[] = {
        {"data", required_argument, NULL, 'd'},   {"json", no_argument, NULL, 'j'},
        {"output", required_argument, NULL, 'o'}, {"replace", no_argument, NULL, 'r'},
        {"verbose", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0}};
    struct call call = {0};
    const char *data = NULL;
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "vo:", options, NULL)) != -1;) {
        if (opt == '?' || (opt == 'o' && !str_eq(optarg, "json")))
            return cli_usage(e, "checkpoint", "unknown flag or missing value");
        data = opt == 'd' ? optarg : data;
        call.json |= opt == 'j' || opt == 'o';
        call.replace |= opt == 'r';
        call.verbose |= opt == 'v';
    }
    const struct action *action = find(argv[optind]);
    if (!action)
        return cli_usage(e, "checkpoint", optind < argc ? "there is no \"%s\"" : "save, ls, restore, diff or rm?%s",
                         optind < argc ? argv[optind] : "");
    if (argc - optind != 1 + action->named)
        return cli_usage(e, "checkpoint", action->named ? "%s which checkpoint?" : "%s takes no name", action->word);
    call.name = action->named ? argv[optind + 1] : NULL;
    _auto_free_ char *dir = cli_data_dir(data);
    return ask(action, &call, dir, e);
}

const struct cli_verb verb_checkpoint = {
    .name = "checkpoint",
    .words = "save ls restore diff rm",
    .summary = "keep the whole cluster under a name, and go back to it: objects and the bytes of volumes together",
    .help =
        "usage: stowage checkpoint save [--replace] NAME\n"
        "       stowage checkpoint ls\n"
        "       stowage checkpoint restore [-v] NAME\n"
        "       stowage checkpoint diff NAME\n"
        "       stowage checkpoint rm NAME\n\n"
        "In a checkpoint are all objects, the cloud's disks, attachments and snapshots, the bytes of every disk, and "
        "what\n"
        "each node has on its own filesystem (hostPath, emptyDir, local-path volumes, logs, writable layers), all of "
        "one\n"
        "moment. Not in it: images, the clock, keys, and processes: a pod that ran is started again, as on a node that "
        "has\n"
        "just got it. Going back, revisions go on: watches (kubectl get -w) see deletions and changes. A node is "
        "restarted\n"
        "if a pod or a disk is on it, now or then, or its filesystem was written. Killed in between, the cluster is at "
        "its\n"
        "next start what it was before, or what it was to become.\n"
        "diff: what has changed since, object by object (+ added, - removed, ~ changed) and disk by disk, with the\n"
        "files that differ by name (of ext4; the first twenty of a disk, all with -o json).\n\n"
        "  --data DIR    the cluster's data directory\n"
        "  -o, --output json, --json  the answer as JSON\n"
        "  --replace     save: under a name that is taken\n"
        "  -v, --verbose how long each phase took\n",
    .run = checkpoint_run,
};
