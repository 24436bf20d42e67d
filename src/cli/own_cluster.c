/* own_cluster.c - see own_cluster.h.
 *
 * DESIGN: the cluster is a process of its own, started from this binary, as a user would: so one that crashes takes
 * nobody along, and a lab that is kept can be looked into with every verb. It is ephemeral: nothing of it shall be
 * found again. */
#include "cli/own_cluster.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/local.h"
#include "cli/spawn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static bool is_up(const struct own_cluster *c)
{
    _auto_json_ json_t *request = json_pack("{s:s}", "op", "status"), *answer = NULL;
    struct err none = ERR_INIT;
    return local_call(c->data, request, &answer, NULL, &none) == 0;
}

int own_cluster_start(struct own_cluster *c, const struct cli *cli, const json_t *wants, const char *dir, struct err *e)
{
    *c = (struct own_cluster){0};
    if (make_dirs(c, dir, e) < 0)
        return -1;
    own_cluster_host(c, cli, c->data);
    if (dir && (c->up = is_up(c)))
        return 0;
    char nodes[8];
    snprintf(nodes, sizeof nodes, "%d", (int)jint(wants, "nodes", 2));
    const char *const argv[] = {cli->self_exe, "up",        "--detach",
                                "--data",      c->data,     "--listen",
                                "127.0.0.1:0", "--profile", jstr_or(wants, "profile", "eks"),
                                "--nodes",     nodes,       NULL};
    _auto_buf_ struct buf told = BUF_INIT;
    int code;
    if (spawn_wait(argv, &told, &code, e) < 0)
        return -1;
    c->up = code == 0;
    return c->up ? 0 : err_set(e, ERR_INTERNAL, "the cluster did not start: %s", buf_str(&told));
}

void own_cluster_stop(struct own_cluster *c, bool keep)
{
    if (c->up && !keep) {
        const char *const argv[] = {c->self_exe, "down", "--data", c->data, NULL};
        _auto_buf_ struct buf told = BUF_INIT;
        struct err e = ERR_INIT;
        int code;
        spawn_wait(argv, &told, &code, &e);
    }
    if (c->dir && !keep) {
        const char *const argv[] = {"rm", "-rf", "--one-file-system", c->dir, NULL};
        _auto_buf_ struct buf told = BUF_INIT;
        struct err e = ERR_INIT;
        int code;
        spawn_wait(argv, &told, &code, &e);
    }
    free(c->dir);
    free(c->data);
    free(c->work);
    free(c->kubeconfig);
    *c = (struct own_cluster){0};
}
