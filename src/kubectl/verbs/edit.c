/* edit.c - `kubectl edit`: objects as YAML in $KUBE_EDITOR, $EDITOR or vi, and back as a patch.
 *
 * DESIGN: one file for all of them. What the server refuses is put in front of the text as a comment and the editor
 * opens again; leaving it without a change ends the edit and keeps the file. */
#include "api/decode.h"
#include "api/schema.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/verbs/editing.h"
#include "kubectl/files.h"
#include "kubectl/manifests.h"
#include "kubectl/verbs/three_way.h"
#include "kubectl/verbs/verbs_int.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct editing {
    struct call *c;
    struct change change;
    json_t *objects; /* as they are: an array */
    bool creating;
    char *path;         /* of the file */
    struct buf reason;  /* why the last try was refused, as comments */
    const char *plural; /* of the kind that was sent last */
    bool fatal;         /* what is wrong is not to be edited away */
    bool keep;          /* the file holds what was not saved */
};

/* ---- the editor ---- */

static int run_editor(const char *path, struct err *e)
{
    const char *editor = getenv("KUBE_EDITOR");
    editor = str_empty(editor) ? getenv("EDITOR") : editor;
    editor = str_empty(editor) ? "vi" : editor;
    _auto_free_ char *command = xasprintf("%s %s", editor, path);
    char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, command, NULL};
    pid_t pid;
    int status;
    const int rc = posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ);
    if (rc != 0)
        return err_sys(e, rc, "unable to launch the editor \"%s\"", editor);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, errno, "waiting for the editor \"%s\"", editor);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(e, ERR_INTERNAL, "there was a problem with the editor \"%s\"", editor);
    return 0;
}

static int write_file(const char *path, const struct buf *text, struct err *e)
{
    _auto_file_ FILE *f = fopen(path, "we");
    if (!f || fwrite(buf_str(text), 1, text->len, f) != text->len || fflush(f) != 0)
        return err_sys(e, errno, "%s", path);
    return 0;
}

static int read_back(const char *path, struct buf *out, struct err *e)
{
    return file_text(path, out) < 0 ? err_sys(e, errno, "%s", path) : 0;
}

/* Without lines that begin with '#'. */
static void without_comments(const struct buf *text, struct buf *out)
{
    for (const char *p = buf_str(text); *p;) {
        const size_t n = strcspn(p, "\n") + (p[strcspn(p, "\n")] == '\n');
        if (*p != '#')
            buf_add(out, p, n);
        p += n;
    }
}

/* ---- one round ---- */

static void write_objects(const struct editing *ed, struct buf *out)
{
    size_t i;
    json_t *object;
    const bool json = str_eq(call_text(ed->c, "output"), "json");
    json_array_foreach(ed->objects, i, object)
    {
        if (json) {
            json_pretty(out, object);
            buf_addc(out, '\n');
            continue;
        }
        _auto_free_ char *text = yaml_text(object);
        buf_addf(out, "%s%s", i ? "---\n" : "", text);
    }
}

static void write_header(const struct editing *ed, struct buf *out)
{
    buf_adds(out, "# Please edit the object below. Lines beginning with a '#' will be ignored,\n"
                  "# and an empty file will abort the edit. If an error occurs while saving this file will be\n"
                  "# reopened with the relevant failures.\n#\n");
    buf_adds(out, buf_str(&ed->reason));
}

/* What the server did not like, as comments for the next round. */
static void note_refusal(struct editing *ed, const struct err *e)
{
    const json_t *status = ed->c->failure, *causes = jat(status, "details.causes"), *cause;
    size_t i;
    buf_clear(&ed->reason);
    if (!status) {
        buf_addf(&ed->reason, "# %s\n#\n", e->msg);
        return;
    }
    buf_addf(&ed->reason, "# %s \"%s\" was not valid:\n", ed->plural, jstr_or(status, "details.name", ""));
    json_array_foreach(causes, i, cause)
        buf_addf(&ed->reason, "# * %s: %s\n", jstr_or(cause, "field", ""), jstr_or(cause, "message", ""));
    if (json_array_size(causes) == 0)
        buf_addf(&ed->reason, "# * %s\n", jstr_or(status, "message", ""));
    buf_adds(&ed->reason, "#\n");
    if (!str_eq(jstr(status, "reason"), "Invalid")) {
        buf_clear(&ed->reason);
        buf_addf(&ed->reason, "# %s\n#\n", jstr_or(status, "message", ""));
    }
    fprintf(ed->c->k->err, "error: %s \"%s\" %s\n", ed->plural, jstr_or(status, "details.name", ""),
            str_eq(jstr(status, "reason"), "Invalid") ? "is invalid" : jstr_or(status, "message", ""));
    call_forget(ed->c);
}

static const json_t *before_of(const struct editing *ed, const json_t *after)
{
    size_t i;
    const json_t *x;
    json_array_foreach(ed->objects, i, x)
    {
        const bool same = str_eq(jstr(x, "kind"), jstr(after, "kind")) &&
                          str_eq(jstr(x, "metadata.name"), jstr(after, "metadata.name")) &&
                          str_eq(jstr(x, "metadata.namespace"), jstr(after, "metadata.namespace"));
        if (same)
            return x;
    }
    return NULL;
}

static int send_change(struct editing *ed, const struct kind *k, const json_t *before, json_t *after, struct err *e)
{
    struct call *c = ed->c;
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *answer = NULL;
    const struct schema_type *type = builtin_type(k->group, k->version, k->kind);
    _auto_json_ json_t *patch = two_way(before, after, type);
    if (json_object_size(patch) == 0) {
        change_tell(c, &ed->change, k, before, "skipped");
        return 0;
    }
    kind_path(k, jstr(after, "metadata.namespace"), jstr_or(after, "metadata.name", ""), NULL, &path);
    if (*call_text(c, "subresource"))
        buf_addf(&path, "/%s", call_text(c, "subresource"));
    if (call_bool(c, "save-config")) {
        last_applied_set(after);
        json_decref(patch);
        patch = two_way(before, after, type);
    }
    if (change_send(c, &ed->change, "PATCH", buf_str(&path), patch,
                    type ? "application/strategic-merge-patch+json" : "application/merge-patch+json", &answer, e) < 0)
        return -1;
    return change_tell(c, &ed->change, k, answer, "edited");
}

static int send_new(struct editing *ed, const struct kind *k, json_t *after, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *answer = NULL;
    if (call_bool(ed->c, "save-config"))
        last_applied_set(after);
    kind_path(k, jstr(after, "metadata.namespace"), NULL, NULL, &path);
    if (change_send(ed->c, &ed->change, "POST", buf_str(&path), after, NULL, &answer, e) < 0)
        return -1;
    return change_tell(ed->c, &ed->change, k, answer, "created");
}

static int send_all(struct editing *ed, const struct buf *text, struct err *e)
{
    _auto_manifests_ struct manifests m = {0};
    if (manifests_parse(buf_str(text), text->len, ed->path, &m, e) < 0)
        return -1;
    for (size_t i = 0; i < m.len; i++) {
        json_t *after = m.items[i].object;
        const struct kind *k = call_kind_of(ed->c, jstr_or(after, "apiVersion", ""), jstr_or(after, "kind", ""), e);
        const json_t *before = before_of(ed, after);
        if (!k)
            return -1;
        ed->plural = k->plural;
        ed->fatal = !before && !ed->creating;
        if (ed->fatal)
            return err_set(e, ERR_BAD_REQUEST, "At least one of apiVersion, kind and name was changed");
        if ((ed->creating ? send_new(ed, k, after, e) : send_change(ed, k, before, after, e)) < 0)
            return -1;
    }
    return 0;
}

static void keep_file(struct editing *ed)
{
    ed->keep = true;
    fprintf(ed->c->k->err, "A copy of your changes has been stored to \"%s\"\n", ed->path);
}

/* 1: over; 0: again; -1 with `e`. */
static int one_round(struct editing *ed, struct buf *last, struct err *e)
{
    struct call *c = ed->c;
    _auto_buf_ struct buf file = BUF_INIT, edited = BUF_INIT, plain = BUF_INIT;
    write_header(ed, &file);
    buf_adds(&file, buf_str(last));
    if (write_file(ed->path, &file, e) < 0 || run_editor(ed->path, e) < 0 || read_back(ed->path, &edited, e) < 0)
        return -1;
    without_comments(&edited, &plain);
    if (str_eq(buf_str(&plain), buf_str(last)) && !ed->creating) {
        if (!ed->reason.len) {
            fputs("Edit cancelled, no changes made.\n", c->k->err);
            return 1;
        }
        keep_file(ed);
        return err_set(e, ERR_BAD_REQUEST, "Edit cancelled, no valid changes were saved.");
    }
    if (strspn(buf_str(&plain), " \t\r\n") == plain.len) {
        fputs("Edit cancelled, saved file was empty.\n", c->k->err);
        return 1;
    }
    buf_clear(last);
    buf_adds(last, buf_str(&plain));
    if (send_all(ed, &plain, e) == 0)
        return 1;
    if (ed->fatal) {
        keep_file(ed);
        return -1;
    }
    note_refusal(ed, e);
    err_clear(e);
    return 0;
}

static int edit_all(struct editing *ed)
{
    struct call *c = ed->c;
    struct err e = ERR_INIT;
    _auto_buf_ struct buf text = BUF_INIT;
    const char *tmp = getenv("TMPDIR");
    ed->path = xasprintf("%s/kubectl-edit-XXXXXX.yaml", str_empty(tmp) ? "/tmp" : tmp);
    _auto_close_ int fd = mkstemps(ed->path, 5);
    if (fd < 0) {
        err_sys(&e, errno, "%s", ed->path);
        return call_error(c, &e);
    }
    write_objects(ed, &text);
    int rc = 0;
    while (rc == 0)
        rc = one_round(ed, &text, &e);
    if (rc < 0)
        call_error(c, &e);
    if (!ed->keep)
        unlink(ed->path);
    return c->code;
}

static void editing_end(struct editing *ed)
{
    json_decref(ed->objects);
    free(ed->path);
    buf_release(&ed->reason);
    change_end(ed->c, &ed->change);
}

static int gather(struct call *c, const struct target *t _unused_, json_t *object, void *arg)
{
    const struct editing *ed = arg;
    if (!call_bool(c, "show-managed-fields"))
        json_object_del(json_object_get(object, "metadata"), "managedFields");
    json_array_append(ed->objects, object);
    return 0;
}

static int edit_run(struct call *c)
{
    struct editing ed = {.c = c, .objects = json_array(), .plural = ""};
    _auto_targets_ struct targets t = {0};
    ed.change.manager = call_text(c, "field-manager");
    if (targets_of(c, &(struct targets_opts){.all = true}, &t) == 0 && targets_visit(c, &t, gather, &ed) == 0 &&
        c->code == 0)
        edit_all(&ed);
    editing_end(&ed);
    return c->code;
}

int edit_new(struct call *c)
{
    struct editing ed = {.c = c, .objects = json_array(), .creating = true, .plural = ""};
    _auto_targets_ struct targets t = {0};
    ed.change.manager = call_text(c, "field-manager");
    if (targets_of(c, &(struct targets_opts){.checked = true}, &t) == 0) {
        for (size_t i = 0; i < t.len; i++)
            json_array_append(ed.objects, t.items[i].object);
        edit_all(&ed);
    }
    editing_end(&ed);
    return c->code;
}

static const struct kubectl_flag flags[] = {
    FLAGS_OUTPUT,
    FLAGS_FILES("Files that name the objects"),
    FLAGS_VALIDATE,
    FLAGS_MANAGER("kubectl-edit"),
    {"save-config", 0, FLAG_BOOL, NULL, "Remember the object for a later apply"},
    {"subresource", 0, FLAG_TEXT, NULL, "status or scale, instead of the object"},
    {0},
};

const struct kubectl_verb kubectl_edit = {
    .name = "edit",
    .summary = "Edit a resource on the server",
    .usage = "(RESOURCE/NAME | -f FILENAME) [options]",
    .help = "  kubectl edit pvc claim\n  KUBE_EDITOR=nano kubectl edit deployment/web\n",
    .flags = flags,
    .takes = TAKES_KINDS,
    .run = edit_run,
};
