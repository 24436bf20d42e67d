/* modify.c - see modify.h. */
#include "kubectl/verbs/modify.h"

#include "base/json.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

int change_begin(struct call *c, struct change *ch)
{
    *ch = (struct change){.manager = call_knows(c, "field-manager") ? call_text(c, "field-manager") : ""};
    if (call_knows(c, "dry-run") && call_dry_run(c, &ch->dry) < 0)
        return -1;
    return call_knows(c, "output") ? printer_init(c, &ch->printer, false) : 0;
}

void change_end(struct call *c, struct change *ch)
{
    printer_end(c, &ch->printer);
    printer_release(&ch->printer);
}

/* --validate: strict (true, ""), warn, ignore (false). */
static const char *validation(const struct call *c)
{
    static const char *const words[][2] = {{"true", "Strict"}, {"strict", "Strict"}, {"", "Strict"},
                                           {"warn", "Warn"},   {"ignore", "Ignore"}, {"false", "Ignore"}};
    const char *text = call_text(c, "validate");
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(words[i][0], text))
            return words[i][1];
    return "Strict";
}

void change_query(const struct call *c, const struct change *ch, struct buf *path)
{
    if (ch->dry == DRY_SERVER)
        call_query(path, "dryRun", "All");
    if (*ch->manager)
        call_query(path, "fieldManager", ch->manager);
    if (call_knows(c, "validate"))
        call_query(path, "fieldValidation", validation(c));
}

int change_send(struct call *c, const struct change *ch, const char *method, const char *path, const json_t *body,
                const char *type, json_t **out, struct err *e)
{
    _auto_buf_ struct buf full = BUF_INIT;
    buf_adds(&full, path);
    change_query(c, ch, &full);
    return call_json(c, method, buf_str(&full), body, type, out, e);
}

int change_tell(struct call *c, struct change *ch, const struct kind *kind, const json_t *object, const char *done)
{
    _auto_free_ char *text = xasprintf("%s%s", done, dry_run_note(ch->dry));
    struct err e = ERR_INIT;
    if (printer_object(c, &ch->printer, kind, object, text, &e) < 0)
        return call_error(c, &e);
    return 0;
}

int change_create(struct call *c, struct change *ch, const struct kind *kind, const char *ns, json_t *object,
                  const char *before)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *made = NULL;
    struct err e = ERR_INIT;
    if (ch->dry == DRY_CLIENT)
        return change_tell(c, ch, kind, object, "created");
    kind_path(kind, ns, NULL, NULL, &path);
    if (change_send(c, ch, "POST", buf_str(&path), object, NULL, &made, &e) < 0)
        return call_error_at(c, before, &e);
    return change_tell(c, ch, kind, made, "created");
}

/* ---- what was applied last ---- */

char *last_applied_text(const json_t *object)
{
    _auto_json_ json_t *copy = json_clone(object);
    _auto_buf_ struct buf text = BUF_INIT;
    json_object_del(jmake_obj(copy, "metadata.annotations"), LAST_APPLIED);
    json_compact(&text, copy);
    buf_addc(&text, '\n');
    return buf_steal(&text, NULL);
}

void last_applied_set(json_t *object)
{
    _auto_free_ char *text = last_applied_text(object);
    jset_map(object, "metadata.annotations", LAST_APPLIED, text);
}
