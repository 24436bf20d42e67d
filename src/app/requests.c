/* requests.c - see requests.h. Tables: word -> function; each group of words has its file. They are called by the
 * control socket's thread and by the console's threads, one at a time. */
#include "app/requests.h"

#include "apiserver/apiserver.h"
#include "app/requests_int.h"
#include "app/seal.h"
#include "app/shells.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/local_far.h"
#include "kubeletsim/kubelet.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static int op_status(struct cluster *c, const json_t *request _unused_, json_t **out, int fds[4] _unused_,
                     struct err *e _unused_)
{
    *out = cluster_status(c);
    return 0;
}

static int op_quiet(struct cluster *c, const json_t *request _unused_, json_t **out, int fds[4] _unused_,
                    struct err *e _unused_)
{
    uint64_t revision;
    size_t objects;
    const bool quiet = cluster_quiet(c, &revision, &objects);
    *out =
        json_pack("{s:b, s:I, s:I}", "quiet", quiet, "revision", (json_int_t)revision, "objects", (json_int_t)objects);
    return 0;
}

static int op_down(struct cluster *c, const json_t *request _unused_, json_t **out, int fds[4] _unused_,
                   struct err *e _unused_)
{
    *out = json_pack("{s:i, s:b}", "pid", (int)getpid(), "ephemeral", cluster_ephemeral(c));
    kill(getpid(), SIGTERM);
    return 0;
}

static void take_argv(const json_t *request, struct strlist *argv)
{
    size_t i;
    const json_t *word;
    json_array_foreach(json_object_get(request, "argv"), i, word)
    {
        strlist_add(argv, json_string_value(word) ? json_string_value(word) : "");
    }
    if (argv->len == 0) {
        strlist_add(argv, "/bin/sh");
        strlist_add(argv, "-c");
        strlist_add(argv, "if [ -x /bin/bash ]; then exec /bin/bash -l; else exec /bin/sh -l; fi");
    }
    strlist_take(argv, NULL);
    argv->len--;
}

/* One that would outlast an exam ends with it. */
static int open_shell(struct cluster *c, const json_t *request, const struct exec_spec *spec, struct stream_fds *out,
                      struct err *e)
{
    struct machine *m = cluster_machine(c);
    if (m->ops->exec(m, spec, out, e) < 0)
        return -1;
    if (!seal_binds(c, request) || shells_guard(cluster_shells(c), &out->exit_fd, e) == 0)
        return 0;
    const int lost[] = {out->in, out->out, out->err, out->exit_fd};
    for (size_t i = 0; i < ARRAY_LEN(lost); i++)
        if (lost[i] >= 0)
            close(lost[i]);
    return -1;
}

static int op_shell(struct cluster *c, const json_t *request, json_t **out, int fds[4], struct err *e)
{
    const char *node = jstr_or(request, "node", "");
    struct stream_fds got = {-1, -1, -1, -1};
    _auto_strlist_ struct strlist argv = {0};
    _auto_free_ char *term = xasprintf("TERM=%s", jstr_or(request, "term", "dumb"));
    const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin",
                               "HOME=/root",
                               "USER=root",
                               "LOGNAME=root",
                               "SHELL=/bin/bash",
                               "KUBECONFIG=/etc/kubernetes/admin.conf",
                               LOCAL_FAR "=1",
                               term,
                               NULL};
    if (!*node)
        node = cluster_shell_node(c);
    if (!cluster_has_node(c, node))
        return err_set(e, ERR_NOT_FOUND, "no node \"%s\" (`kubectl get nodes` lists them)", node);
    take_argv(request, &argv);
    struct exec_spec spec = {
        .node = node,
        .id = "",
        .argv = (const char *const *)argv.items,
        .env = env,
        .cwd = "/root",
        .tty = jbool(request, "tty", false),
        .want_stdin = true,
    };
    if (kubelet_node_await(cluster_kubelet(c), node, e) < 0 || open_shell(c, request, &spec, &got, e) < 0)
        return -1;
    const int all[] = {got.in, got.out, got.err, got.exit_fd};
    for (size_t i = 0, n = 0; i < ARRAY_LEN(all); i++)
        if (all[i] >= 0)
            fds[n++] = all[i];
    *out = json_pack("{s:s}", "node", node);
    return 0;
}

/* {"view", "viewer", "seconds"}: all may be absent. */
static int op_console(struct cluster *c, const json_t *request, json_t **out, int fds[4] _unused_, struct err *e)
{
    _auto_free_ char *url = NULL;
    const struct console_link link = {.view = jstr_or(request, "view", ""),
                                      .viewer = jbool(request, "viewer", false),
                                      .seconds = jint(request, "seconds", 0)};
    if (cluster_console_link(c, &link, &url, e) < 0)
        return -1;
    *out = json_pack("{s:s}", "url", url);
    return 0;
}

/* {"at"}: from when on its users only read. Told: {"before" (when it was to be until now; 0: never), "at", "pass"}. */
static int op_seal(struct cluster *c, const json_t *request, json_t **out, int fds[4] _unused_, struct err *e)
{
    const int64_t at = jint(request, "at", 0), before = apiserver_seal_at(cluster_api(c));
    if (at <= 0)
        return err_set(e, ERR_BAD_REQUEST, "from when on?");
    if (seal_set(c, at, e) < 0)
        return -1;
    *out = json_pack("{s:I, s:I, s:s}", "before", (json_int_t)before, "at",
                     (json_int_t)apiserver_seal_at(cluster_api(c)), "pass", apiserver_seal_pass(cluster_api(c)));
    return 0;
}

static const struct request_op ops[] = {{"status", op_status}, {"quiet", op_quiet},     {"down", op_down},
                                        {"shell", op_shell},   {"console", op_console}, {"seal", op_seal},
                                        {NULL, NULL}};
static const struct request_op *const tables[] = {ops,
                                                  disk_request_ops,
                                                  clock_request_ops,
                                                  node_request_ops,
                                                  why_request_ops,
                                                  image_request_ops,
                                                  checkpoint_request_ops,
                                                  lab_request_ops,
                                                  class_request_ops};

static int handle(struct cluster *c, const json_t *request, json_t **out, int fds[4], struct err *e)
{
    const char *op = jstr_or(request, "op", "");
    if (seal_allows(c, request, e) < 0)
        return -1;
    for (size_t t = 0; t < ARRAY_LEN(tables); t++)
        for (const struct request_op *row = tables[t]; row->op; row++)
            if (str_eq(row->op, op))
                return row->run(c, request, out, fds, e);
    return err_set(e, ERR_BAD_REQUEST, "this cluster does not know \"%s\" (it runs another version of stowage?)", op);
}

int requests_handle(void *arg, const json_t *request, json_t **out, int fds[4], struct err *e)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&one_at_a_time);
    int rc = handle(arg, request, out, fds, e);
    pthread_mutex_unlock(&one_at_a_time);
    return rc;
}
