/* related.c - see related.h. Lists come in pieces of 500, as kubectl asks for them. */
#include "kubectl/describe/related.h"

#include "api/selector.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/describe/describe.h"

#include <string.h>

/* As a query has it; replication controllers select by a plain map. */
static char *selector_text(const json_t *object)
{
    const json_t *selector = jat(object, "spec.selector");
    struct label_selector *s = NULL;
    struct err e = ERR_INIT;
    bool plain = json_is_object(selector) && jat(selector, "matchLabels") == NULL &&
                 jat(selector, "matchExpressions") == NULL && json_object_size(selector) > 0;
    _auto_json_ json_t *wrapped = plain ? json_pack("{s:O}", "matchLabels", selector) : NULL;
    if (label_selector_from_json(plain ? wrapped : selector, &s, &e) < 0)
        return xstrdup("");
    char *text = label_selector_text(s);
    label_selector_free(s);
    return text;
}

static void fill_in(struct buf *out, const char *path, const json_t *object)
{
    _auto_free_ char *selector = selector_text(object);
    const char *const words[][2] = {{"{ns}", jstr_or(object, "metadata.namespace", "")},
                                    {"{name}", jstr_or(object, "metadata.name", "")},
                                    {"{selector}", selector}};
    while (*path != '\0') {
        size_t i = 0;
        while (i < ARRAY_LEN(words) && !str_starts(path, words[i][0]))
            i++;
        if (i == ARRAY_LEN(words)) {
            buf_addc(out, *path++);
            continue;
        }
        client_escape(out, words[i][1]);
        path += strlen(words[i][0]);
    }
}

/* Appends all pieces of a list. */
static int ask_list(struct call *c, const char *path, json_t *list, struct err *e)
{
    _auto_free_ char *more = xstrdup("");
    do {
        _auto_buf_ struct buf at = BUF_INIT;
        _auto_json_ json_t *piece = NULL;
        buf_adds(&at, path);
        if (more[0] != '\0')
            call_query(&at, "continue", more);
        if (call_json(c, "GET", buf_str(&at), NULL, NULL, &piece, e) < 0)
            return -1;
        json_array_extend(list, json_object_get(piece, "items"));
        char *next = xstrdup(jstr_or(piece, "metadata.continue", ""));
        free_cleanup(&more);
        more = next;
    } while (more[0] != '\0');
    return 0;
}

static int ask_one(struct call *c, const struct describe_want *w, const json_t *object, json_t *related, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *got = w->single ? NULL : json_array();
    fill_in(&path, w->path, object);
    int rc = w->single ? call_json(c, "GET", buf_str(&path), NULL, NULL, &got, e) : ask_list(c, buf_str(&path), got, e);
    if (rc == 0) {
        json_object_set(related, w->name, got);
        return 0;
    }
    if (w->needed)
        return -1;
    const char *why = c->failure != NULL ? jstr_or(c->failure, "message", e->msg) : e->msg;
    json_object_set_new(jmake_obj(related, "errors"), w->name, json_string(why));
    call_forget(c);
    err_clear(e);
    return 0;
}

/* -- events -- */

static void add_term(struct buf *out, const char *field, const char *value)
{
    buf_addf(out, "%sinvolvedObject.%s%%3D", out->len > 0 ? "%2C" : "", field);
    client_escape(out, value);
}

static void ask_events_of(struct call *c, const struct kind *kind, const json_t *object, const char *uid, json_t *list)
{
    const char *ns = jstr_or(object, "metadata.namespace", "");
    bool by_kind = describe_events_of(kind->group, kind->kind) != EVENTS_BY_NAME;
    _auto_buf_ struct buf terms = BUF_INIT, path = BUF_INIT;
    struct err e = ERR_INIT;
    add_term(&terms, "name", jstr_or(object, "metadata.name", ""));
    add_term(&terms, "namespace", ns);
    if (by_kind)
        add_term(&terms, "kind", kind->kind);
    add_term(&terms, "uid", uid);
    buf_adds(&path, "/api/v1");
    if (ns[0] != '\0')
        buf_addf(&path, "/namespaces/%s", ns);
    buf_addf(&path, "/events?fieldSelector=%s&limit=500", buf_str(&terms));
    if (ask_list(c, buf_str(&path), list, &e) < 0) {
        call_forget(c); /* who may not see events is told of none, as by kubectl */
    }
}

static void ask_events(struct call *c, const struct kind *kind, const json_t *object, json_t *related)
{
    enum describe_events how = describe_events_of(kind->group, kind->kind);
    const char *mirrored = jmap(object, "metadata.annotations", "kubernetes.io/config.mirror");
    const char *uid = mirrored != NULL ? mirrored : jstr_or(object, "metadata.uid", "");
    json_t *list = json_array();
    if (how != EVENTS_NONE)
        ask_events_of(c, kind, object, uid, list);
    if (how == EVENTS_OF_NODE) /* its kubelet names a node where others name its uid */
        ask_events_of(c, kind, object, jstr_or(object, "metadata.name", ""), list);
    json_object_set_new(related, "events", list);
}

int related_ask(struct call *c, const struct kind *kind, const json_t *object, bool events, json_t **out, struct err *e)
{
    _auto_json_ json_t *related = json_object();
    for (const struct describe_want *w = describe_wants(kind->group, kind->kind); w->name != NULL; w++)
        if (ask_one(c, w, object, related, e) < 0)
            return -1;
    if (events)
        ask_events(c, kind, object, related);
    *out = TAKE(related);
    return 0;
}
