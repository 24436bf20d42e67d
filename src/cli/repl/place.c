/* place.c - which cluster a session speaks to.
 *
 *     --kubeconfig, --context ──► that one
 *     a lab is under way ───────► the lab's              (asked again after each word of a lab)
 *     one runs in --data ───────► that one
 *     otherwise ────────────────► one of its own, started now, gone with the session
 *
 * INVARIANT: a cluster of its own, once started, lives to the session's end: a lab in between takes the prompt away
 * from it and gives it back. */
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/lab_place.h"
#include "cli/local.h"
#include "cli/repl/session_int.h"
#include "cli/session_log.h"
#include "lab/book.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void set_text(char **to, const char *text)
{
    char *copy = text ? xstrdup(text) : NULL;
    free(*to);
    *to = copy;
}

/* What the cluster in a data directory says of itself; NULL: none runs there. Returns new. */
static json_t *status_of(const char *data)
{
    _auto_json_ json_t *request = json_pack("{s:s}", "op", "status");
    struct err none = ERR_INIT;
    json_t *answer = NULL;
    local_call(data, request, &answer, NULL, &none);
    return answer;
}

/* ---- connecting ---- */

static int connect_to(struct session *s, const char *config, const char *data, const char *label, struct err *e)
{
    set_text(&s->config, config);
    set_text(&s->data, data);
    set_text(&s->label, label);
    if (config)
        setenv("KUBECONFIG", config, 1); /* for what the user starts from here */
    return session_reconnect(s, e);
}

int session_reconnect(struct session *s, struct err *e)
{
    kubectl_close(&s->k);
    if (kubectl_open(&s->k, s->config, s->context, e) < 0 || access_load(s->config, s->context, &s->k.access, e) < 0)
        return -1;
    s->k.cancel = s->cancel;
    s->k.ns = xstrdup(str_empty(s->ns_given) ? s->k.access.ns : s->ns_given);
    if (!s->label)
        s->label = xstrdup(str_empty(s->k.access.context) ? "cluster" : s->k.access.context);
    return 0;
}

void session_use(struct session *s, const char *ns)
{
    set_text(&s->k.ns, ns);
}

/* Nothing of it is left behind, however the session ends: it is a file of this process. */
char *session_shell_config(struct session *s)
{
    if (str_eq(s->k.ns, s->k.access.ns))
        return NULL;
    struct access here = s->k.access; /* borrows all of it */
    here.ns = s->k.ns;
    _auto_free_ char *text = access_text(&here);
    const ssize_t len = (ssize_t)strlen(text);
    if (s->shell_config <= 0)
        s->shell_config = memfd_create("kubeconfig", MFD_CLOEXEC);
    if (s->shell_config < 0 || ftruncate(s->shell_config, 0) < 0 ||
        pwrite(s->shell_config, text, (size_t)len, 0) != len)
        return NULL;
    return xasprintf("/proc/%d/fd/%d", (int)getpid(), s->shell_config);
}

struct client *session_client(struct session *s, struct err *e)
{
    if (s->k.client || client_open(&s->k.access, &s->k.client, e) < 0)
        return s->k.client;
    client_set_agent(s->k.client, "kubectl/v1.32.0 (stowage)");
    client_set_cancel(s->k.client, s->cancel);
    return s->k.client;
}

const struct kinds *session_kinds(struct session *s, struct err *e)
{
    struct client *c = session_client(s, e);
    if (!c || (!s->k.kinds.len && kinds_load(c, &s->k.kinds, e) < 0))
        return NULL;
    return &s->k.kinds;
}

/* ---- choosing ---- */

/* A kubeconfig that lies in the data directory of a cluster of ours: then its own words work, too. */
static int connect_given(struct session *s, struct err *e)
{
    const char *slash = s->kubeconfig ? strrchr(s->kubeconfig, '/') : NULL;
    _auto_free_ char *dir = slash ? xstrndup(s->kubeconfig, (size_t)(slash - s->kubeconfig)) : NULL;
    _auto_json_ json_t *status = dir && *dir == '/' ? status_of(dir) : NULL;
    return connect_to(s, s->kubeconfig, status ? dir : NULL, NULL, e);
}

/* The attempt that is under way, read from the book if there is one; id 0: none. */
static void look_for_lab(const struct session *s, struct attempt *out)
{
    _auto_free_ char *path = xasprintf("%s/labs/book.db", s->home);
    struct book *book = NULL;
    struct err none = ERR_INIT;
    if (access(path, R_OK) == 0 && book_open(path, &book, &none) == 0)
        book_current(book, out, &none);
    book_close(book);
}

int64_t session_lab_step(const struct session *s)
{
    _auto_attempt_ struct attempt lab = {0};
    if (s->attempt)
        look_for_lab(s, &lab);
    return lab.step;
}

/* The lab's cluster is started by every word of the lab, should it not run. */
static void wake_lab(const struct session *s, const char *data)
{
    const char *const argv[] = {s->cli->self_exe, "lab", "status", NULL};
    _auto_json_ json_t *status = status_of(data);
    struct err none = ERR_INIT;
    if (status)
        return;
    setenv("STOWAGE_DATA", s->home, 1);
    const pid_t pid =
        program_start(&(struct program){.argv = argv, .in = -1, .out = STDERR_FILENO, .err = STDERR_FILENO}, &none);
    if (pid > 0)
        program_wait(s, pid);
}

static int connect_lab(struct session *s, const struct attempt *lab, struct err *e)
{
    _auto_free_ char *labs = xasprintf("%s/labs", s->home);
    _auto_free_ char *dir = lab_cluster_dir(labs, lab->exam ? lab->id : 0);
    _auto_free_ char *data = xasprintf("%s/data", dir), *config = xasprintf("%s/kubeconfig", data);
    free(s->log);
    s->log = session_log_path(labs);
    s->attempt = lab->id;
    set_text(&s->lab, lab->lab);
    wake_lab(s, data);
    return connect_to(s, config, data, lab->lab, e);
}

static int connect_own(struct session *s, struct err *e)
{
    _auto_json_ json_t *wants = json_pack("{s:s, s:i}", "profile", s->profile, "nodes", s->nodes);
    if (!s->own.up && own_cluster_start(&s->own, s->cli, wants, NULL, e) < 0)
        return -1;
    return connect_to(s, s->own.kubeconfig, s->own.data, "stowage", e);
}

static int connect_running(struct session *s, struct err *e)
{
    _auto_json_ json_t *status = status_of(s->home);
    if (!status)
        return connect_own(s, e);
    return connect_to(s, jstr(status, "kubeconfig"), jstr_or(status, "data", s->home), "stowage", e);
}

int session_look_again(struct session *s, struct err *e)
{
    if (s->kubeconfig || s->context)
        return 0;
    _auto_attempt_ struct attempt lab = {0};
    look_for_lab(s, &lab);
    const bool same = s->config && lab.id == s->attempt;
    if (!lab.id) {
        s->attempt = 0;
        set_text(&s->lab, NULL);
        return same ? 0 : connect_running(s, e);
    }
    /* A lab that is begun anew has a fresh cluster behind the same name. */
    return same ? session_reconnect(s, e) : connect_lab(s, &lab, e);
}

int session_open(struct session *s, struct err *e)
{
    s->home = cli_data_dir(s->data_given);
    s->files = json_object();
    return s->kubeconfig || s->context ? connect_given(s, e) : session_look_again(s, e);
}

void session_close(struct session *s)
{
    char *const texts[] = {s->home, s->data, s->config, s->label, s->lab, s->log};
    jobs_end(s);
    kubectl_close(&s->k);
    line_free(s->line);
    buf_release(&s->typed);
    json_decref(s->files);
    if (s->shell_config > 0)
        close(s->shell_config);
    own_cluster_stop(&s->own, false);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
}
