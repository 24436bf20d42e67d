/* verb_kubectl.c - `stowage kubectl ARGS`, and the binary called as `kubectl`.
 *
 * Which cluster: what kubectl would take; where neither $KUBECONFIG nor ~/.kube/config says anything, the one in the
 * data directory. */
#include "kubectl/kubectl.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/kubectl_record.h"
#include "cli/verbs_int.h"

#include <stdlib.h>
#include <unistd.h>

/* The data directory's kubeconfig when the user has none; NULL: the usual ones. Returns new. */
static char *own_kubeconfig(void)
{
    const char *home = getenv("HOME");
    _auto_free_ char *usual = xasprintf("%s/.kube/config", home ? home : "");
    _auto_free_ char *data = cli_data_dir(NULL), *own = xasprintf("%s/kubeconfig", data);
    if (!str_empty(getenv("KUBECONFIG")) || access(usual, R_OK) == 0 || access(own, R_OK) < 0)
        return NULL;
    return TAKE(own);
}

static int kubectl_run(const struct cli *cli _unused_, int argc, char **argv, struct err *e)
{
    struct kubectl k;
    struct kubectl_record record;
    _auto_free_ char *kubeconfig = own_kubeconfig();
    if (kubectl_open(&k, kubeconfig, NULL, e) < 0)
        return -1;
    const int in = k.in;
    kubectl_record_begin(&record, kubeconfig ? kubeconfig : getenv("KUBECONFIG"), argc, argv, &k.in);
    const int code = kubectl_main(&k, argc, argv);
    kubectl_record_end(&record, k.ns, code);
    if (k.in != in)
        close(k.in);
    kubectl_close(&k);
    return code;
}

const struct cli_verb verb_kubectl = {
    .name = "kubectl",
    .summary = "kubectl inside: the same words, the same output",
    .help = "usage: stowage kubectl ARGS…\n",
    .run = kubectl_run,
    .own_flags = true,
};
