/* diff.c - `kubectl diff`: what apply would change, as diff shows it.
 *
 * DESIGN: the server is asked for the result by a dry run; live and merged objects are written as YAML into two folders
 * and `diff -u -N` (or $KUBECTL_EXTERNAL_DIFF) compares them. Exit code 0: nothing, 1: something, more: it failed. */
#include "api/decode.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/verbs/modify.h"
#include "kubectl/verbs/three_way.h"
#include "kubectl/verbs/verbs_int.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct folders {
    char *live, *merged;
    struct strlist files; /* to take away again */
};

static void folders_release(struct folders *f)
{
    for (size_t i = 0; i < f->files.len; i++)
        unlink(f->files.items[i]);
    strlist_release(&f->files);
    if (f->live)
        rmdir(f->live);
    if (f->merged)
        rmdir(f->merged);
    free(f->live);
    free(f->merged);
}

static char *new_folder(const char *name, struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    char *path = xasprintf("%s/%s-XXXXXX", str_empty(tmp) ? "/tmp" : tmp, name);
    if (mkdtemp(path))
        return path;
    err_sys(e, errno, "%s", path);
    free(path);
    return NULL;
}

/* NULL: an empty file. */
static int write_object(struct folders *f, const char *folder, const char *name, const json_t *object, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/%s", folder, name), *text = object ? yaml_text(object) : xstrdup("");
    _auto_file_ FILE *file = fopen(path, "we");
    strlist_add(&f->files, path);
    return !file || fputs(text, file) < 0 || fflush(file) != 0 ? err_sys(e, errno, "%s", path) : 0;
}

/* ---- secrets ---- */

/* Values that are alike are stars; others tell which is which. */
static void mask(json_t *one, json_t *other, const char *differs)
{
    json_t *data = json_object_get(one, "data"), *value;
    const json_t *theirs = json_object_get(other, "data");
    const char *key;
    void *next;
    json_object_foreach_safe(data, next, key, value)
    {
        const json_t *same = json_object_get(theirs, key);
        json_object_set_new(data, key, json_string(!same || json_equal(same, value) ? "***" : differs));
    }
}

static void mask_both(json_t *live, json_t *merged)
{
    _auto_json_ json_t *before = json_clone(live);
    if (!str_eq(jstr(merged, "kind"), "Secret"))
        return;
    mask(live, merged, "*** (before)");
    mask(merged, before, "*** (after)");
}

/* ---- what would be ---- */

/* The object as apply would leave it. live NULL: it is new. */
static int merged_of(struct call *c, struct change *ch, const struct target *t, const json_t *live, json_t **out,
                     struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    if (call_bool(c, "server-side")) {
        kind_path(t->kind, t->ns, t->name, NULL, &path);
        call_query(&path, "force", call_bool(c, "force-conflicts") ? "true" : "false");
        return change_send(c, ch, "PATCH", buf_str(&path), t->object, "application/apply-patch+yaml", out, e);
    }
    jmake_obj(t->object, "metadata.annotations"); /* as apply has it; else theirs would be taken out */
    if (!live) {
        kind_path(t->kind, t->ns, NULL, NULL, &path);
        return change_send(c, ch, "POST", buf_str(&path), t->object, NULL, out, e);
    }
    const struct schema_type *type = builtin_type(t->kind->group, t->kind->version, t->kind->kind);
    const char *text = jmap(live, "metadata.annotations", LAST_APPLIED);
    _auto_json_ json_t *original = text ? json_loads(text, 0, NULL) : NULL;
    _auto_json_ json_t *patch = three_way(original, t->object, live, type);
    if (json_object_size(patch) == 0) {
        *out = json_clone(live);
        return 0;
    }
    kind_path(t->kind, t->ns, t->name, NULL, &path);
    return change_send(c, ch, "PATCH", buf_str(&path), patch,
                       type ? "application/strategic-merge-patch+json" : "application/merge-patch+json", out, e);
}

/* Without what is not compared: who manages which field. */
static void tidy(struct call *c, json_t *object)
{
    if (object && !call_bool(c, "show-managed-fields"))
        json_object_del(json_object_get(object, "metadata"), "managedFields");
}

static int diff_one(struct call *c, struct change *ch, struct folders *f, const struct target *t, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *live = NULL, *merged = NULL;
    kind_path(t->kind, t->ns, t->name, NULL, &path);
    if (call_json(c, "GET", buf_str(&path), NULL, NULL, &live, e) < 0) {
        if (!call_not_found(c))
            return -1;
        call_forget(c);
        err_clear(e);
    }
    if (merged_of(c, ch, t, live, &merged, e) < 0)
        return -1;
    tidy(c, live);
    tidy(c, merged);
    mask_both(live, merged);
    const struct kind *k = t->kind;
    _auto_free_ char *name = xasprintf("%s%s%s.%s.%s.%s", k->group, *k->group ? "." : "", k->version, k->kind, t->ns,
                                       t->name ? t->name : "");
    return write_object(f, f->live, name, live, e) < 0 || write_object(f, f->merged, name, merged, e) < 0 ? -1 : 0;
}

/* ---- diff ---- */

/* Runs it and passes on what it prints. Its exit code, or -1 with `e`. */
static int run_diff(struct call *c, const struct folders *f, struct err *e)
{
    const char *program = getenv("KUBECTL_EXTERNAL_DIFF");
    _auto_free_ char *command =
        xasprintf("exec %s %s %s", str_empty(program) ? "diff -u -N" : program, f->live, f->merged);
    char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, command, NULL};
    int pipes[2], status;
    pid_t pid;
    char piece[4096];
    if (pipe(pipes) < 0)
        return err_sys(e, errno, "pipe");
    posix_spawn_file_actions_t acts;
    posix_spawn_file_actions_init(&acts);
    posix_spawn_file_actions_adddup2(&acts, pipes[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&acts, pipes[0]);
    posix_spawn_file_actions_addclose(&acts, pipes[1]);
    const int rc = posix_spawn(&pid, "/bin/sh", &acts, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&acts);
    close(pipes[1]);
    _auto_close_ int in = pipes[0];
    if (rc != 0)
        return err_sys(e, rc, "diff");
    for (ssize_t n; (n = read(in, piece, sizeof piece)) > 0;)
        fwrite(piece, 1, (size_t)n, c->k->out);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, errno, "waiting for diff");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

static int diff_all(struct call *c, struct change *ch, const struct targets *t, struct folders *f)
{
    struct err e = ERR_INIT;
    f->live = new_folder("LIVE", &e);
    f->merged = f->live ? new_folder("MERGED", &e) : NULL;
    if (!f->merged)
        return call_error(c, &e);
    for (size_t i = 0; i < t->len; i++)
        if (diff_one(c, ch, f, &t->items[i], &e) < 0)
            return call_error(c, &e);
    const int code = run_diff(c, f, &e);
    return code < 0 ? call_error(c, &e) : code;
}

static int diff_files(struct call *c)
{
    _auto_targets_ struct targets t = {0};
    struct change ch = {.dry = DRY_SERVER, .manager = call_text(c, "field-manager")};
    struct folders f = {0};
    if (!*ch.manager)
        ch.manager = call_bool(c, "server-side") ? "kubectl" : "kubectl-client-side-apply";
    if (call_unexpected(c))
        return c->code;
    if (!call_has_files(c))
        return call_fail(c, "must specify one of -f and -k");
    if (targets_of(c, &(struct targets_opts){.checked = true}, &t) < 0 || c->code)
        return c->code;
    const int code = diff_all(c, &ch, &t, &f);
    folders_release(&f);
    return code;
}

/* 1 tells of differences, so what fails is 2. */
static int diff_run(struct call *c)
{
    const int code = diff_files(c);
    return c->code ? 2 : code;
}

static const struct kubectl_flag flags[] = {
    FLAGS_FILES("Files with what shall be"),
    FLAGS_SELECTOR,
    FLAGS_MANAGER(NULL),
    {"server-side", 0, FLAG_BOOL, NULL, "Let the server merge, by owners of fields"},
    {"force-conflicts", 0, FLAG_BOOL, NULL, "With --server-side: take fields that others own"},
    {"show-managed-fields", 0, FLAG_BOOL, NULL, "Compare metadata.managedFields, too"},
    {0},
};

const struct kubectl_verb kubectl_diff = {
    .name = "diff",
    .summary = "Diff the live version against a would-be applied version",
    .usage = "-f FILENAME [options]",
    .help = "  kubectl diff -f web.yaml\n",
    .flags = flags,
    .takes = TAKES_FILES,
    .run = diff_run,
};
