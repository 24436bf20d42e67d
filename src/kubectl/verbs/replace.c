/* replace.c - `kubectl replace`: the file's object in place of the live one; --force deletes it first. */
#include "base/json.h"
#include "base/str.h"
#include "kubectl/verbs/deleting.h"
#include "kubectl/verbs/verbs_int.h"

#include <string.h>

static void replace_one(struct call *c, struct change *ch, const struct target *t)
{
    _auto_free_ char *before = xasprintf("error when replacing \"%s\": ", t->source);
    _auto_json_ json_t *live = NULL, *answer = NULL;
    _auto_buf_ struct buf path = BUF_INIT;
    struct err e = ERR_INIT;
    if (call_bool(c, "save-config"))
        last_applied_set(t->object);
    if (ch->dry == DRY_CLIENT) {
        change_tell(c, ch, t->kind, t->object, "replaced");
        return;
    }
    kind_path(t->kind, t->ns, t->name, *call_text(c, "subresource") ? call_text(c, "subresource") : NULL, &path);
    /* without a version of its own it takes the one that is there, so it always replaces */
    if (!jstr(t->object, "metadata.resourceVersion")) {
        if (call_json(c, "GET", buf_str(&path), NULL, NULL, &live, &e) < 0) {
            call_error_at(c, before, &e);
            return;
        }
        jset_str(t->object, "metadata.resourceVersion", jstr_or(live, "metadata.resourceVersion", ""));
    }
    if (change_send(c, ch, "PUT", buf_str(&path), t->object, NULL, &answer, &e) < 0)
        call_error_at(c, before, &e);
    else
        change_tell(c, ch, t->kind, answer, "replaced");
}

static void replace_forced(struct call *c, struct change *ch, const struct targets *t)
{
    const struct deleting how = {.dry = ch->dry,
                                 .cascade = "Background",
                                 .grace_s = call_int(c, "grace-period") >= 0 ? call_int(c, "grace-period") : -1,
                                 .wait = true,
                                 .missing_ok = true,
                                 .force = true,
                                 .timeout_ms = call_duration(c, "timeout"),
                                 .output = ""};
    delete_targets(c, t, &how);
    for (size_t i = 0; c->code == 0 && i < t->len; i++) {
        _auto_json_ json_t *answer = NULL;
        _auto_buf_ struct buf path = BUF_INIT;
        struct err e = ERR_INIT;
        kind_path(t->items[i].kind, t->items[i].ns, NULL, NULL, &path);
        json_object_del(json_object_get(t->items[i].object, "metadata"), "resourceVersion");
        json_object_del(json_object_get(t->items[i].object, "metadata"), "uid");
        if (call_bool(c, "save-config"))
            last_applied_set(t->items[i].object);
        if (change_send(c, ch, "POST", buf_str(&path), t->items[i].object, NULL, &answer, &e) < 0)
            call_error(c, &e);
        else
            change_tell(c, ch, t->items[i].kind, answer, "replaced");
    }
}

static int replace_run(struct call *c)
{
    _auto_targets_ struct targets t = {0};
    struct change ch;
    if (call_unexpected(c))
        return c->code;
    if (!call_has_files(c))
        return call_fail(c, "must specify one of -f and -k");
    if (change_begin(c, &ch) < 0)
        return c->code;
    if (targets_of(c, &(struct targets_opts){.checked = true}, &t) == 0) {
        if (call_bool(c, "force"))
            replace_forced(c, &ch, &t);
        else
            for (size_t i = 0; i < t.len; i++)
                replace_one(c, &ch, &t.items[i]);
    }
    change_end(c, &ch);
    return c->code;
}

static const struct kubectl_flag flags[] = {
    FLAGS_OUTPUT,
    FLAGS_FILES("Files with the objects"),
    FLAGS_DRY_RUN,
    FLAGS_VALIDATE,
    FLAGS_MANAGER("kubectl-replace"),
    {"force", 0, FLAG_BOOL, NULL, "Delete and create anew"},
    {"grace-period", 0, FLAG_INT, "-1", "With --force: seconds a pod has to end"},
    {"cascade", 0, FLAG_TEXT, "background", "With --force: what they own", "background"},
    {"timeout", 0, FLAG_DURATION, "0s", "With --force: how long to wait"},
    {"wait", 0, FLAG_BOOL, NULL, "With --force: until it is gone"},
    {"save-config", 0, FLAG_BOOL, NULL, "Remember the object for a later apply"},
    {"subresource", 0, FLAG_TEXT, NULL, "status or scale, instead of the object"},
    {0},
};

const struct kubectl_verb kubectl_replace = {
    .name = "replace",
    .summary = "Replace a resource by file name or stdin",
    .usage = "-f FILENAME [options]",
    .help = "  kubectl replace -f pod.yaml\n  kubectl replace --force -f pod.yaml\n",
    .flags = flags,
    .takes = TAKES_FILES,
    .run = replace_run,
};
