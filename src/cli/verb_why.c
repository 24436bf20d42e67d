/* verb_why.c - `stowage why pvc/claim-log-1`: asks the running cluster, prints the answer (why_print.c). */
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/local.h"
#include "cli/verbs_int.h"
#include "cli/why_print.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct why_args {
    const char *data, *ns;
    bool json;
    char *kind; /* owned */
    const char *name;
};

static int parse(int argc, char **argv, struct why_args *a, struct err *e)
{
    static const struct option options[] = {{"data", required_argument, NULL, 'd'},
                                            {"namespace", required_argument, NULL, 'n'},
                                            {"output", required_argument, NULL, 'o'},
                                            {NULL, 0, NULL, 0}};
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "n:o:", options, NULL)) != -1;) {
        if (opt == 'd')
            a->data = optarg;
        else if (opt == 'n')
            a->ns = optarg;
        else if (opt == 'o' && str_eq(optarg, "json"))
            a->json = true;
        else
            return cli_usage(e, "why", opt == 'o' ? "the only output is json" : "unknown flag or missing value");
    }
    const char *what = optind < argc ? argv[optind] : "";
    const char *slash = strchr(what, '/');
    if (slash && optind + 1 == argc) {
        a->kind = xstrndup(what, (size_t)(slash - what));
        a->name = slash + 1;
    } else if (!slash && *what && optind + 2 == argc) { /* as kubectl takes them: "pvc NAME" */
        a->kind = xstrdup(what);
        a->name = argv[optind + 1];
    }
    return str_empty(a->name) ? cli_usage(e, "why", "of what? pvc/NAME, pv/NAME or pod/NAME") : 0;
}

/* The explanation comes in a file beside the answer. Returns new, or NULL. */
static json_t *ask(const char *dir, const json_t *request, struct err *e)
{
    int fds[LOCAL_MAX_FDS];
    return local_call_long(dir, request, fds, e);
}

static int why_run(const struct cli *cli _unused_, int argc, char **argv, struct err *e)
{
    struct why_args a = {.ns = "default"};
    if (parse(argc, argv, &a, e) < 0) {
        free(a.kind);
        return -1;
    }
    _auto_free_ char *kind = a.kind;
    _auto_free_ char *dir = cli_data_dir(a.data);
    _auto_json_ json_t *request =
        json_pack("{s:s, s:s, s:s, s:s}", "op", "why", "kind", kind, "namespace", a.ns, "name", a.name);
    _auto_json_ json_t *answer = ask(dir, request, e);
    if (!answer)
        return -1;
    if (a.json) {
        _auto_free_ char *text = json_dumps(answer, JSON_INDENT(2));
        puts(text ? text : "{}");
        return 0;
    }
    const char *no_color = getenv("NO_COLOR");
    why_print(stdout, answer, isatty(STDOUT_FILENO) && str_empty(no_color));
    return 0;
}

const struct cli_verb verb_why = {
    .name = "why",
    .summary = "say why a claim, a volume or a pod is as it is, and what would change it",
    .help = "usage: stowage why pvc/NAME|pv/NAME|pod/NAME [-n NAMESPACE] [-o json] [--data DIR]\n\n"
            "Prints what it waits for, who must act, each volume with what fits and what does not, and the smallest "
            "change\n"
            "that would make it work. The reasons are those the binder and the scheduler decide by.\n\n"
            "  -n, --namespace NS   default: default\n"
            "  -o, --output json    everything, as data\n",
    .run = why_run,
};
