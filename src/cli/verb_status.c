/* verb_status.c - `stowage status`: is it up, where, since when, what is real. */
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/local.h"
#include "cli/verbs_int.h"

#include <getopt.h>
#include <stdio.h>

static void print_status(const json_t *s)
{
    printf("cluster      %s\n", jstr_or(s, "server", "?"));
    printf("process      %d\n", (int)jint(s, "pid", 0));
    printf("data         %s\n", jstr_or(s, "data", "?"));
    printf("kubeconfig   %s\n", jstr_or(s, "kubeconfig", "?"));
    printf("nodes        %d, %s\n", (int)jint(s, "nodes", 0), jbool(s, "ready", false) ? "Ready" : "not ready yet");
    printf("objects      %d\n", (int)jint(s, "objects", 0));
    const char *ingress = jstr_or(s, "ingress", ""), *unfiltered = jstr_or(s, "policiesWhy", "");
    if (*ingress)
        printf("ingress      http://%s and https://%s\n", ingress, jstr_or(s, "ingressTls", ""));
    else if (*jstr_or(s, "ingressWhy", ""))
        printf("ingress      not served: %s\n", jstr_or(s, "ingressWhy", ""));
    if (*unfiltered)
        printf("policies     network policies are not enforced: %s\n", unfiltered);
    const char *why = jstr_or(s, "simulated", "");
    printf("kernel       %s%s\n",
           *why ? "simulated (pods and disks are only remembered): " : "real disks, mounts and processes", why);
    if (*jstr_or(s, "differs", ""))
        printf("rootless     %s\n", jstr_or(s, "differs", ""));
}

static int status_run(const struct cli *cli _unused_, int argc, char **argv, struct err *e)
{
    static const struct option options[] = {
        {"data", required_argument, NULL, 'd'}, {"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
    const char *data = NULL;
    bool json = false;
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (opt == 'd')
            data = optarg;
        else if (opt == 'j')
            json = true;
        else
            return cli_usage(e, "status", "unknown flag or missing value");
    }
    _auto_free_ char *dir = cli_data_dir(data);
    _auto_json_ json_t *request = json_pack("{s:s}", "op", "status");
    _auto_json_ json_t *answer = NULL;
    if (local_call(dir, request, &answer, NULL, e) < 0)
        return -1;
    if (json) {
        _auto_free_ char *text = json_text(answer);
        puts(text);
    } else {
        print_status(answer);
    }
    return jbool(answer, "ready", false) ? 0 : 1;
}

const struct cli_verb verb_status = {
    .name = "status",
    .summary = "say whether the cluster runs, and where",
    .help = "usage: stowage status [--data DIR] [--json]\n\nExit code 0: running and Ready; 1: not.\n",
    .run = status_run,
};
