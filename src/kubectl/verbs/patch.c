/* patch.c - `kubectl patch`. */
#include "api/decode.h"
#include "api/patch.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/files.h"
#include "kubectl/verbs/modify.h"
#include "kubectl/verbs/three_way.h"
#include "kubectl/verbs/verbs_int.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *word, *type;
} types[] = {
    {"json", "application/json-patch+json"},
    {"merge", "application/merge-patch+json"},
    {"strategic", "application/strategic-merge-patch+json"},
};

struct patching {
    struct change change;
    json_t *patch;
    size_t type;
    size_t seen;
};

static int read_patch(struct call *c, struct patching *p)
{
    _auto_buf_ struct buf text = BUF_INIT;
    struct err e = ERR_INIT;
    const char *type = call_text(c, "type"), *file = call_text(c, "patch-file");
    for (p->type = 0; p->type < ARRAY_LEN(types); p->type++)
        if (strcasecmp(types[p->type].word, type) == 0)
            break;
    if (p->type == ARRAY_LEN(types))
        return call_fail(c, "--type must be one of [json merge strategic], not \"%s\"", type), -1;
    if (!*call_text(c, "patch") && !*file)
        return call_fail(c, "must specify --patch or --patch-file containing the contents of the patch"), -1;
    if (*call_text(c, "patch") && *file)
        return call_fail(c, "cannot specify --patch and --patch-file together"), -1;
    if (*file && file_text(file, &text) < 0)
        return call_fail(c, "unable to read patch file: open %s: %s", file, file_why(errno)), -1;
    if (!*file)
        buf_adds(&text, call_text(c, "patch"));
    const bool json = buf_str(&text)[strspn(buf_str(&text), " \t\r\n")] == '{';
    if (json && json_parse(buf_str(&text), text.len, &p->patch, &e) < 0)
        return call_fail(c, "Error from server (BadRequest): %s", e.msg), -1;
    if (!json && yaml_parse(buf_str(&text), text.len, &p->patch, NULL, &e) < 0)
        return call_fail(c, "unable to parse \"%s\": %s", buf_str(&text), e.msg), -1;
    return 0;
}

/* What a dry run of the client shows. */
static int patch_here(struct patching *p, const struct target *t, const json_t *live, json_t **out, struct err *e)
{
    const struct schema_type *type = builtin_type(t->kind->group, t->kind->version, t->kind->kind);
    if (p->type == 0)
        return patch_json(live, p->patch, out, e);
    return p->type == 1 || !type ? patch_merge(live, p->patch, out, e) : patch_strategic(type, live, p->patch, out, e);
}

static int patch_one(struct call *c, const struct target *t, json_t *live, void *arg)
{
    struct patching *p = arg;
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *answer = NULL;
    struct err e = ERR_INIT;
    const char *sub = call_text(c, "subresource");
    const bool here = call_bool(c, "local") || p->change.dry == DRY_CLIENT;
    p->seen++;
    kind_path(t->kind, t->kind->namespaced ? jstr_or(live, "metadata.namespace", t->ns) : "",
              jstr_or(live, "metadata.name", ""), *sub ? sub : NULL, &path);
    const int rc =
        here ? patch_here(p, t, live, &answer, &e)
             : change_send(c, &p->change, "PATCH", buf_str(&path), p->patch, types[p->type].type, &answer, &e);
    if (rc < 0) {
        call_error(c, &e);
        return 0;
    }
    _auto_json_ json_t *before = json_clone(live), *after = json_clone(answer);
    json_object_del(json_object_get(before, "metadata"), "managedFields");
    json_object_del(json_object_get(after, "metadata"), "managedFields");
    if (printer_object(c, &p->change.printer, t->kind, answer,
                       json_equal(before, after) ? "patched (no change)" : "patched", &e) < 0)
        call_error(c, &e);
    return 0;
}

static int patch_run(struct call *c)
{
    _auto_targets_ struct targets t = {0};
    struct patching p = {0};
    if (read_patch(c, &p) == 0 && change_begin(c, &p.change) == 0 &&
        targets_of(c, &(struct targets_opts){0}, &t) == 0) {
        if (call_bool(c, "local"))
            for (size_t i = 0; i < t.len && t.items[i].object; i++)
                patch_one(c, &t.items[i], t.items[i].object, &p);
        else
            targets_visit(c, &t, patch_one, &p);
    }
    if (p.seen == 0 && c->code == 0)
        call_fail(c, "no objects passed to patch");
    change_end(c, &p.change);
    json_decref(p.patch);
    return c->code;
}

static const struct kubectl_flag flags[] = {
    FLAGS_OUTPUT,
    FLAGS_FILES("Files that name the objects"),
    FLAGS_DRY_RUN,
    FLAGS_MANAGER("kubectl-patch"),
    {"patch", 'p', FLAG_TEXT, NULL, "The patch, JSON or YAML"},
    {"patch-file", 0, FLAG_TEXT, NULL, "A file with the patch"},
    {"type", 0, FLAG_TEXT, "strategic", "json, merge or strategic"},
    {"local", 0, FLAG_BOOL, NULL, "Change what the file says, ask no server"},
    {"subresource", 0, FLAG_TEXT, NULL, "status or scale, instead of the object"},
    {0},
};

const struct kubectl_verb kubectl_patch = {
    .name = "patch",
    .summary = "Update fields of a resource",
    .usage = "(-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE] [options]",
    .help = "  kubectl patch pv data -p '{\"spec\":{\"persistentVolumeReclaimPolicy\":\"Retain\"}}'\n"
            "  kubectl patch pv data --type=json -p '[{\"op\":\"remove\",\"path\":\"/spec/claimRef\"}]'\n",
    .flags = flags,
    .takes = TAKES_KINDS,
    .run = patch_run,
};
