/* grade_worker.c - see grade_worker.h.
 *
 *     job ──► read what was handed in ──► plan ──► a cluster, a jail when there are scripts ──► play and judge ──►
 * answer └─ not to be taken ──► refused: no points, with the reason
 *
 * DESIGN: this process ends with its parent, its cluster and jail with it. What the submission can reach is its own
 * cluster, from a jail (sys/jail.h) or through objects that we send; the lab's folder and everybody else's things stay
 * out of both. A kubeconfig that is handed in must carry its credentials in itself: one that names files or programs of
 * this machine is refused. */
#include "cli/grade_worker.h"

#include "api/decode.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/disk_warden.h"
#include "cli/local.h"
#include "cli/own_cluster.h"
#include "cli/settle.h"
#include "lab/grade.h"
#include "lab/tools.h"
#include "sys/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAYS_MAX    800
#define JOB_MAX     (1024 * 1024)
#define NODE_PIDS   2048
#define REMARKS_MAX 100

struct worker {
    const struct cli *cli;
    json_t *job; /* owned */
    struct handin handin;
    struct lab lab;
    struct plan plan;
    struct own_cluster own;
    struct lab_env env;
    struct settle settle;
    struct jail *jail;
    struct disk_warden warden;
    char seed[256], digest[SHA256_TEXT_LEN];
};

static void worker_release(struct worker *w)
{
    disk_warden_stop(&w->warden);
    lab_env_close(&w->env);
    jail_close(w->jail);
    own_cluster_stop(&w->own, false);
    plan_release(&w->plan);
    lab_release(&w->lab);
    handin_release(&w->handin);
    json_decref(w->job);
}

/* ---- the jail ---- */

/* The program itself is kubectl: a link, shown in the jail under its name. It starts in a few milliseconds, where the
 * usual one takes a hundred. $KUBECTL: that one. */
static char *find_kubectl(const char *tools)
{
    const char *given = getenv("KUBECTL");
    char real[PATH_MAX];
    return !str_empty(given) && realpath(given, real) ? xstrdup(real) : xasprintf("%s/kubectl", tools);
}

/* "https://127.0.0.1:34567" */
static int port_of(const char *url)
{
    const char *colon = strrchr(url, ':');
    return colon ? (int)strtol(colon + 1, NULL, 10) : 0;
}

static int put_files(struct worker *w, struct err *e)
{
    _auto_close_ int fd = open(w->own.kubeconfig, O_RDONLY | O_CLOEXEC);
    char text[65536];
    const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (n < 0)
        return err_sys(e, errno, "%s", w->own.kubeconfig);
    if (jail_put(w->jail, ".kube/config", text, (size_t)n, e) < 0)
        return -1;
    for (size_t i = 0; i < w->handin.len; i++) {
        const struct handin_file *f = &w->handin.files[i];
        struct err full = ERR_INIT; /* a disk that is full by what was handed in is the student's */
        if (jail_put(w->jail, f->path, buf_str(&f->data), f->data.len, &full) < 0)
            strlist_addf(&w->plan.remarks, "%s", full.msg);
    }
    return 0;
}

static int open_jail(struct worker *w, struct err *e)
{
    _auto_access_ struct access access_to = {0};
    _auto_free_ char *dir = xasprintf("%s/jail", w->own.dir), *tools = xasprintf("%s/bin", w->own.dir);
    _auto_free_ char *kubectl = find_kubectl(tools), *k = xasprintf("%s/k", tools);
    const char *const programs[] = {w->cli->self_exe, kubectl, k, NULL};
    if (tools_make(tools, true, e) < 0)
        return -1;
    if (access_load(w->own.kubeconfig, NULL, &access_to, e) < 0)
        return -1;
    if (mkdir(dir, 0700) < 0)
        return err_sys(e, errno, "%s", dir);
    const struct jail_conf conf = {.dir = dir,
                                   .cluster = w->own.data,
                                   .port = port_of(access_to.url),
                                   .programs = programs,
                                   .memory_bytes = jint(w->job, "memory", 0),
                                   .disk_bytes = jint(w->job, "disk", 0),
                                   .cpu_ms = jint(w->job, "cpu", 0),
                                   .pids = (int)jint(w->job, "pids", 0)};
    if (jail_open(&conf, &w->jail, e) < 0)
        return -1;
    return put_files(w, e);
}

/* The variables of a lab are the script's, as they are of the lab's own. Names are the lab's author's. */
static void fill_environment(const struct worker *w, struct strlist *vars)
{
    const char *name;
    json_t *value;
    strlist_add(vars, "PATH=" JAIL_PROGRAMS ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    strlist_add(vars, "HOME=" JAIL_HOME);
    strlist_add(vars, "USER=student");
    strlist_add(vars, "LOGNAME=student");
    strlist_add(vars, "SHELL=/bin/bash");
    strlist_add(vars, "LANG=C.UTF-8");
    strlist_add(vars, "KUBECONFIG=" JAIL_HOME "/.kube/config");
    json_object_foreach(w->env.vars, name, value)
    {
        if (json_string_value(value))
            strlist_addf(vars, "%s=%s", name, json_string_value(value));
    }
    strlist_take(vars, NULL);
}

static int run_script(void *self, const char *text, int64_t timeout_ms, struct script_end *out, struct buf *says,
                      struct err *e)
{
    static const char *const cuts[] = {
        [JAIL_IN_TIME] = NULL,
        [JAIL_LATE] = "it was still running when the time was over",
        [JAIL_SPENT] = "it used more of the processor than it may (--cpu)",
    };
    struct worker *w = self;
    _auto_strlist_ struct strlist vars = {0};
    struct jail_end end = {0};
    fill_environment(w, &vars);
    if (jail_run(w->jail, text, (const char *const *)vars.items, timeout_ms, &end, e) < 0)
        return -1;
    const struct buf *last = end.err.len ? &end.err : &end.out;
    const size_t from = last->len > SAYS_MAX ? last->len - SAYS_MAX : 0;
    buf_adds(says, buf_str(last) + from);
    *out = (struct script_end){.cut = cuts[end.cut], .ms = end.ms};
    const int code = end.code;
    jail_end_release(&end);
    return code;
}

/* ---- somebody's cluster ---- */

/* Only what is known to be harmless: a member that we do not know a kubectl may. */
static bool carries_only(const json_t *config, const char *list, const char *inner, const char *const *members)
{
    size_t i;
    const json_t *row;
    const char *name;
    json_t *value;
    json_array_foreach(json_object_get(config, list), i, row)
    {
        json_object_foreach(json_object_get(row, inner), name, value)
        {
            const char *const *m = members;
            while (*m && !str_eq(*m, name))
                m++;
            if (!*m)
                return false;
        }
    }
    return true;
}

/* Returns new, or NULL. */
static json_t *check_config(const char *text, size_t len, struct err *e)
{
    static const char *const of_user[] =
        {"token",     "client-certificate-data", "client-key-data", "username", "password", "as", "as-uid",
         "as-groups", "as-user-extra",           "extensions",      NULL},
                             *const of_cluster[] = {"server",
                                                    "certificate-authority-data",
                                                    "insecure-skip-tls-verify",
                                                    "tls-server-name",
                                                    "disable-compression",
                                                    "extensions",
                                                    NULL};
    _auto_json_ json_t *config = NULL;
    if (yaml_parse(text, len, &config, NULL, e) < 0)
        return NULL;
    if (carries_only(config, "users", "user", of_user) && carries_only(config, "clusters", "cluster", of_cluster))
        return TAKE(config);
    err_set(e, ERR_BAD_REQUEST,
            "a kubeconfig that is handed in carries its certificates and tokens in itself (kubectl config view "
            "--flatten --minify); it names no files, programs or proxies");
    return NULL;
}

/* As we have read it, which leaves no other reader another meaning. */
static int save_config(const struct worker *w, const char *to, struct err *e)
{
    const struct handin_file *f = handin_find(&w->handin, w->plan.kubeconfig);
    _auto_json_ json_t *config = check_config(buf_str(&f->data), f->data.len, e);
    if (!config)
        return err_wrap(e, "%s", f->path);
    _auto_close_ int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 || json_dumpfd(config, fd, JSON_COMPACT) < 0 ? err_sys(e, errno, "%s", to) : 0;
}

static json_t *judge_theirs(struct worker *w, struct err *e)
{
    struct err why = ERR_INIT;
    if (own_cluster_folder(&w->own, w->cli, e) < 0)
        return NULL;
    _auto_free_ char *config = xasprintf("%s/theirs", w->own.dir);
    if (save_config(w, config, &why) < 0 || lab_env_open(&w->env, &w->lab, config, w->own.work, NULL, &why) < 0)
        return grade_refused(&w->lab, why.msg);
    w->env.janitor = &w->own.janitor;
    json_t *report = grade_cluster(&w->env, &w->plan, &why);
    return report ? report : grade_refused(&w->lab, why.msg);
}

/* ---- a cluster of ours ---- */

static void bound_cluster(const struct worker *w)
{
    struct err none = ERR_INIT;
    _auto_json_ json_t *request = json_pack("{s:s}", "op", "status"), *status = NULL, *nodes = NULL;
    _auto_strlist_ struct strlist names = {0};
    size_t i;
    const json_t *node;
    if (local_call(w->own.data, request, &status, NULL, &none) < 0 ||
        client_json(w->env.client, "GET", "/api/v1/nodes", NULL, NULL, &nodes, &none) < 0)
        return; /* it has ended already: judging will tell */
    json_array_foreach(json_object_get(nodes, "items"), i, node) strlist_add(&names, jstr(node, "metadata.name"));
    strlist_take(&names, NULL);
    const struct jail_cluster bounds = {.data_dir = w->own.data,
                                        .api = (int)jint(status, "pid", 0),
                                        .memory_bytes = jint(w->job, "cluster-memory", 0),
                                        .pids = NODE_PIDS,
                                        .nodes = (const char *const *)names.items};
    jail_bound_cluster(&bounds);
}

static json_t *judge_ours(struct worker *w, struct err *e)
{
    if (own_cluster_start_ephemeral(&w->own, w->cli, json_object_get(w->lab.tree, "cluster"), e) < 0 ||
        lab_env_open(&w->env, &w->lab, w->own.kubeconfig, w->own.work, &w->own.host, e) < 0)
        return NULL;
    bound_cluster(w);
    w->env.janitor = &w->own.janitor;
    settle_watch(&w->settle, &w->env);
    if ((plan_has_scripts(&w->plan) && open_jail(w, e) < 0) ||
        disk_warden_start(&w->warden, w->own.data, jint(w->job, "cluster-disk", 0), e) < 0)
        return NULL;
    const struct grade_opts opts = {.timeout_ms = jint(w->job, "timeout", 0), .script = run_script, .self = w};
    json_t *report = grade_submission(&w->env, &w->plan, &opts, e);
    if (!disk_warden_stop(&w->warden))
        return report;
    json_decref(report);
    return grade_refused(&w->lab, "its pods wrote more to disks than they may (--cluster-disk)");
}

/* ---- the submission ---- */

static int load_lab(struct worker *w, const char *seed, struct err *e)
{
    _auto_strlist_ struct strlist faults = {0};
    snprintf(w->seed, sizeof w->seed, "%s", seed);
    lab_release(&w->lab);
    return lab_load(jstr_or(w->job, "lab", ""), w->seed, &w->lab, &faults, e);
}

/* A bundle says which variant its student had, unless the teacher does. */
static int read_submission(struct worker *w, struct err *e)
{
    if (handin_read(jstr_or(w->job, "path", ""), &w->handin, e) < 0)
        return -1;
    handin_digest(&w->handin, w->digest);
    if (plan_of(&w->lab, &w->handin, &w->plan, e) < 0)
        return -1;
    const char *own = jstr_or(w->plan.bundle, "seed", "");
    if (jstr(w->job, "seed") || !*own)
        return 0;
    if (load_lab(w, own, e) < 0)
        return -1;
    plan_release(&w->plan);
    return plan_of(&w->lab, &w->handin, &w->plan, e);
}

static json_t *remarks_of(const struct worker *w)
{
    json_t *list = json_array();
    for (size_t i = 0; i < w->plan.remarks.len && i < REMARKS_MAX; i++) {
        _auto_buf_ struct buf shown = BUF_INIT;
        buf_add_visible(&shown, w->plan.remarks.items[i], strlen(w->plan.remarks.items[i]));
        json_array_append_new(list, json_string(buf_str(&shown)));
    }
    return list;
}

/* What a bundle says of itself, beside what came of it here. Returns new, or NULL. */
static json_t *signed_part(struct worker *w)
{
    const json_t *b = w->plan.bundle;
    return b ? json_pack("{s:s, s:s, s:I, s:I}", "key", jstr_or(b, "key", ""), "time", jstr_or(b, "time", ""), "points",
                         (json_int_t)jint(b, "points", 0), "of", (json_int_t)jint(b, "of", 0))
             : NULL;
}

static json_t *judge(struct worker *w, const char **out_status, struct err *e)
{
    struct err why = ERR_INIT;
    *out_status = "refused";
    if (read_submission(w, &why) < 0)
        return grade_refused(&w->lab, why.msg);
    json_t *report = w->plan.kubeconfig ? judge_theirs(w, e) : judge_ours(w, e);
    if (report && !jstr(report, "refused"))
        *out_status = "graded";
    return report;
}

/* ---- the process ---- */

static json_t *read_job(struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    ssize_t n;
    while (text.len < JOB_MAX && (n = read(STDIN_FILENO, buf_reserve(&text, 4096), 4096)) > 0)
        text.len += (size_t)n;
    json_t *job = json_loadb(text.len ? text.data : "", text.len, 0, NULL);
    if (!job)
        err_set(e, ERR_USAGE, "no job on standard input");
    return job;
}

int grade_worker(const struct cli *cli, struct err *e)
{
    struct worker w = {.cli = cli, .job = read_job(e)};
    const char *status = "error";
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!w.job || load_lab(&w, jstr_or(w.job, "seed", ""), e) < 0) {
        worker_release(&w);
        return -1;
    }
    _auto_json_ json_t *report = judge(&w, &status, e);
    _auto_json_ json_t *bundle = signed_part(&w);
    _auto_json_ json_t *answer = json_pack("{s:s, s:O?, s:o, s:s, s:s}", "status", report ? status : "error", "report",
                                           report, "remarks", remarks_of(&w), "seed", w.seed, "digest", w.digest);
    if (!report)
        jset_str(answer, "error", e->msg);
    if (bundle)
        json_object_set(answer, "bundle", bundle);
    worker_release(&w);
    _auto_free_ char *text = json_dumps(answer, JSON_COMPACT);
    return puts(text) < 0 || fflush(stdout) != 0 ? err_sys(e, errno, "answer") : 0;
}
