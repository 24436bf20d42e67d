/* own_cluster.c - see own_cluster.h.
 *
 * DESIGN: the cluster is a process of its own, started from this binary, as a user would: so one that crashes takes
 * nobody along, and a lab that is kept can be looked into with every verb. What nobody will look into again is
 * ephemeral: no object of it is written to a disk. */
#include "cli/own_cluster.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/local.h"
#include "cli/spawn.h"
#include "client/kubeconfig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define START_TRIES    100
#define START_PAUSE_NS 200000000

/* ---- the host ---- */

static int host_disk(void *self, const json_t *disk, char id[64], struct err *e)
{
    const struct own_cluster *c = self;
    const int64_t gib = (quantity_bytes(jstr_or(disk, "size", "0"), 0) + (1 << 30) - 1) >> 30;
    _auto_json_ json_t *request = json_pack("{s:s, s:s, s:s, s:I, s:{s:s}}", "op", "disk-create", "zone",
                                            jstr_or(disk, "zone", "us-east-1a"), "type", jstr_or(disk, "type", "gp3"),
                                            "size", (json_int_t)gib, "tags", "Name", jstr_or(disk, "name", ""));
    _auto_json_ json_t *answer = NULL;
    if (local_call(c->data, request, &answer, NULL, e) < 0)
        return -1;
    snprintf(id, 64, "%s", jstr_or(answer, "VolumeId", ""));
    return 0;
}

static char **host_shell(void *self, const char *node)
{
    const struct own_cluster *c = self;
    const char *const words[] = {c->self_exe, "shell", "--data", c->data, node, NULL};
    char **argv = xcalloc(ARRAY_LEN(words), sizeof *argv);
    for (size_t i = 0; words[i]; i++)
        argv[i] = xstrdup(words[i]);
    return argv;
}

void own_cluster_host(struct own_cluster *c, const struct cli *cli, const char *data)
{
    if (!c->data)
        c->data = xstrdup(data);
    c->self_exe = cli->self_exe;
    c->host = (struct lab_host){
        .disk = host_disk, .node_shell = host_shell, .program = cli->self_exe, .data = c->data, .self = c};
}

/* ---- starting and stopping ---- */

static int make_dirs(struct own_cluster *c, const char *dir, struct err *e)
{
    if (dir) {
        c->dir = xstrdup(dir);
        if (mkdir(dir, 0700) < 0 && errno != EEXIST)
            return err_sys(e, errno, "%s", dir);
    } else {
        const char *tmp = getenv("TMPDIR");
        c->dir = xasprintf("%s/stowage-run.XXXXXX", tmp && *tmp ? tmp : "/tmp");
        if (!mkdtemp(c->dir))
            return err_sys(e, errno, "%s", c->dir);
    }
    c->data = xasprintf("%s/data", c->dir);
    c->work = xasprintf("%s/work", c->dir);
    c->kubeconfig = xasprintf("%s/kubeconfig", c->data);
    return mkdir(c->work, 0700) < 0 && errno != EEXIST ? err_sys(e, errno, "%s", c->work) : 0;
}

bool own_cluster_is_up(const char *data)
{
    _auto_json_ json_t *request = json_pack("{s:s}", "op", "status"), *answer = NULL;
    struct err none = ERR_INIT;
    return local_call(data, request, &answer, NULL, &none) == 0;
}

char *own_cluster_console(const char *data, const char *view, struct err *e)
{
    _auto_json_ json_t *request = json_pack("{s:s, s:s}", "op", "console", "view", view), *answer = NULL;
    if (local_call(data, request, &answer, NULL, e) < 0)
        return NULL;
    return xstrdup(jstr_or(answer, "url", ""));
}

static bool take_down(const struct own_cluster *c)
{
    struct err e = ERR_INIT;
    _auto_json_ json_t *answer = NULL;
    return local_down(c->data, &answer, &e) == 0;
}

static void remove_dir(const struct own_cluster *c)
{
    const char *const argv[] = {"rm", "-rf", "--one-file-system", c->dir, NULL};
    _auto_buf_ struct buf told = BUF_INIT;
    struct err e = ERR_INIT;
    int code;
    spawn_wait(argv, &told, &code, &e); /* best effort: nobody waits for it */
}

/* In the janitor: a cluster that was still starting is waited for, since it goes on without its starter. */
static void tidy(void *arg, enum janitor_state state)
{
    const struct own_cluster *c = arg;
    bool gone = state == JANITOR_NOTHING || take_down(c);
    for (int i = 0; i < START_TRIES && !gone && state == JANITOR_STARTING; i++) {
        nanosleep(&(struct timespec){0, START_PAUSE_NS}, NULL);
        gone = take_down(c);
    }
    remove_dir(c);
}

int own_cluster_folder(struct own_cluster *c, const struct cli *cli, struct err *e)
{
    *c = (struct own_cluster){0};
    if (make_dirs(c, NULL, e) < 0)
        return -1;
    own_cluster_host(c, cli, c->data);
    return janitor_start(&c->janitor, tidy, c, e);
}

/* One that stays, because its folder has a name. */
static int named_folder(struct own_cluster *c, const struct cli *cli, const char *dir, struct err *e)
{
    *c = (struct own_cluster){0};
    if (make_dirs(c, dir, e) < 0)
        return -1;
    own_cluster_host(c, cli, c->data);
    c->up = own_cluster_is_up(c->data);
    return janitor_start(&c->janitor, NULL, NULL, e);
}

/* Somebody may hold a kubeconfig of it: where it was before, or any port when that is not to be had. */
static int port_before(const struct own_cluster *c)
{
    _auto_access_ struct access before = {0};
    struct err none = ERR_INIT;
    if (access_load(c->kubeconfig, NULL, &before, &none) < 0)
        return 0;
    const char *colon = strrchr(before.url, ':');
    return colon ? (int)strtol(colon + 1, NULL, 10) : 0;
}

/* An ephemeral cluster has a directory of its own below the one that it was given. */
static int find_place(struct own_cluster *c, struct err *e)
{
    _auto_json_ json_t *request = json_pack("{s:s}", "op", "status"), *status = NULL;
    if (local_call(c->data, request, &status, NULL, e) < 0)
        return -1;
    free(c->data);
    free(c->kubeconfig);
    c->host.data = c->data = xstrdup(jstr_or(status, "data", ""));
    c->kubeconfig = xstrdup(jstr_or(status, "kubeconfig", ""));
    return 0;
}

/* The flag that names them. Returns new; NULL: `up` shall choose. */
static char *zones_flag(const json_t *wants)
{
    const json_t *zones = json_object_get(wants, "zones"), *zone;
    _auto_buf_ struct buf flag = BUF_INIT;
    size_t i;
    if (!json_is_string(zones) && json_array_size(zones) == 0)
        return NULL;
    buf_addf(&flag, "--zones=%s", json_is_string(zones) ? json_string_value(zones) : "");
    json_array_foreach(zones, i, zone) buf_addf(&flag, "%s%s", i ? "," : "", json_string_value(zone));
    return buf_steal(&flag, NULL);
}

static int start_at(struct own_cluster *c, const json_t *wants, int port, struct err *e)
{
    char nodes[8], listen[32];
    _auto_free_ char *zones = zones_flag(wants);
    snprintf(nodes, sizeof nodes, "%d", (int)jint(wants, "nodes", 2));
    snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    const char *const argv[] = {c->self_exe,
                                "up",
                                "--detach",
                                "--data",
                                c->data,
                                "--listen",
                                listen,
                                "--profile",
                                jstr_or(wants, "profile", "eks"),
                                "--nodes",
                                nodes,
                                "--history",
                                "24h",
                                c->ephemeral ? "--ephemeral" : zones,
                                c->ephemeral ? zones : NULL,
                                NULL};
    _auto_buf_ struct buf told = BUF_INIT;
    int code;
    if (spawn_wait(argv, &told, &code, e) < 0)
        return -1;
    c->up = code == 0;
    return c->up ? 0 : err_set(e, ERR_INTERNAL, "the cluster did not start: %s", buf_str(&told));
}

static int start(struct own_cluster *c, const json_t *wants, struct err *e)
{
    const int port = port_before(c);
    if (port && start_at(c, wants, port, e) == 0)
        return 0;
    err_clear(e);
    return start_at(c, wants, 0, e);
}

static int start_watched(struct own_cluster *c, const json_t *wants, struct err *e)
{
    janitor_tell(&c->janitor, JANITOR_STARTING);
    const int rc = start(c, wants, e);
    janitor_tell(&c->janitor, c->up ? JANITOR_UP : JANITOR_NOTHING);
    return rc;
}

int own_cluster_start(struct own_cluster *c, const struct cli *cli, const json_t *wants, const char *dir, struct err *e)
{
    if ((dir ? named_folder(c, cli, dir, e) : own_cluster_folder(c, cli, e)) < 0)
        return -1;
    return c->up ? 0 : start_watched(c, wants, e);
}

int own_cluster_start_ephemeral(struct own_cluster *c, const struct cli *cli, const json_t *wants, struct err *e)
{
    if (own_cluster_folder(c, cli, e) < 0)
        return -1;
    c->ephemeral = true;
    return start_watched(c, wants, e) < 0 ? -1 : find_place(c, e);
}

int own_cluster_find(struct own_cluster *c, const struct cli *cli, const char *dir, struct err *e)
{
    return access(dir, F_OK) < 0 ? err_sys(e, errno, "%s", dir) : named_folder(c, cli, dir, e);
}

/* Its kubeconfig with another token. */
static int write_judge(struct own_cluster *c, const char *pass, struct err *e)
{
    _auto_access_ struct access a = {0};
    if (access_load(c->kubeconfig, NULL, &a, e) < 0)
        return -1;
    free(a.token);
    a.token = xstrdup(pass);
    return access_save(&a, c->judge, e);
}

int own_cluster_seal(struct own_cluster *c, int64_t at, int64_t *out_before, struct err *e)
{
    _auto_json_ json_t *request = json_pack("{s:s, s:I}", "op", "seal", "at", (json_int_t)at), *answer = NULL;
    if (local_call(c->data, request, &answer, NULL, e) < 0)
        return -1;
    const char *pass = jstr_or(answer, "pass", "");
    if (!c->judge)
        c->judge = xasprintf("%s/judge.kubeconfig", c->dir);
    if (write_judge(c, pass, e) < 0)
        return -1;
    setenv(LOCAL_PASS, pass, 1);
    *out_before = jint(answer, "before", 0);
    return 0;
}

int own_cluster_down(struct own_cluster *c, struct err *e)
{
    if (c->up && !take_down(c) && own_cluster_is_up(c->data))
        return err_set(e, ERR_TIMEOUT, "the cluster in %s does not end", c->data);
    c->up = false;
    return 0;
}

void own_cluster_stop(struct own_cluster *c, bool keep)
{
    if (c->up && !keep)
        take_down(c);
    if (c->dir && !keep)
        remove_dir(c);
    janitor_dismiss(&c->janitor);
    free(c->dir);
    free(c->data);
    free(c->judge);
    free(c->work);
    free(c->kubeconfig);
    *c = (struct own_cluster){0};
}
