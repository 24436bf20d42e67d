/* wait.c - `kubectl wait`: until objects have a condition, a value, are there, or are gone.
 *
 * DESIGN: one deadline for all objects; each is followed on its own, one after the other (until.h), since all must get
 * there anyhow. What a condition is, is a row of wishes[]. */
#include "api/jsonpath.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/output/print.h"
#include "kubectl/verbs/until.h"
#include "kubectl/verbs/verbs_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define WEEK_MS   (7 * 24 * 3600 * INT64_C(1000))
#define POLL_MS   500
#define TIMED_OUT "timed out waiting for the condition"

struct wish {
    enum { WISH_CONDITION, WISH_JSONPATH, WISH_DELETE, WISH_CREATE } kind;
    char *name, *value; /* of the condition, or path and value ("": any); owned */
};
struct waiting {
    struct wish wish;
    struct printer printer;
    int64_t timeout, deadline;
    size_t visited;
    json_t *last;          /* as it was seen last; owned */
    struct strlist errors; /* one is told as an error, several as a list, as kubectl has it */
};

static void waiting_release(struct waiting *w)
{
    free(w->wish.name);
    free(w->wish.value);
    printer_release(&w->printer);
    json_decref(w->last);
    strlist_release(&w->errors);
}

/* ---- what is wished ---- */

/* Splits at '=', but not at "==". */
static void split_equals(struct strlist *out, const char *s)
{
    _auto_buf_ struct buf part = BUF_INIT;
    for (; *s != '\0'; s++) {
        if (*s == '=' && s[1] == '=') {
            buf_adds(&part, "==");
            s++;
        } else if (*s == '=') {
            strlist_add(out, buf_str(&part));
            buf_clear(&part);
        } else {
            buf_addc(&part, *s);
        }
    }
    strlist_add(out, buf_str(&part));
}

/* Quotes at both ends are the shell's. Returns new. */
static char *unquoted(const char *s)
{
    s += strspn(s, "'\"");
    size_t n = strlen(s);
    while (n > 0 && strchr("'\"", s[n - 1]) != NULL)
        n--;
    return xstrndup(s, n);
}

/* A path, bare or in one pair of braces. */
static bool is_path(const char *s)
{
    size_t n = strlen(s), from = s[0] == '{';
    if (from && (n < 3 || s[n - 1] != '}'))
        return false;
    for (size_t i = from; i < n - from; i++)
        if (s[i] == '{' || s[i] == '}')
            return false;
    return true;
}

static int wish_jsonpath(struct call *c, const char *text, struct wish *w)
{
    _auto_strlist_ struct strlist parts = {0};
    _auto_json_ json_t *nothing = json_object(), *found = NULL;
    struct err e = ERR_INIT;
    split_equals(&parts, text);
    if (parts.len > 2)
        return call_fail(c, "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or "
                            "--for=jsonpath='{.status.readyReplicas}'");
    w->kind = WISH_JSONPATH;
    w->name = xstrdup(parts.items[0]);
    w->value = parts.len == 2 ? unquoted(parts.items[1]) : xstrdup("");
    if (w->name[0] == '\0')
        return call_fail(c, "jsonpath expression cannot be empty");
    if (!is_path(w->name))
        return call_fail(c, "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or "
                            "'{.name1.name2}'");
    if (parts.len == 2 && w->value[0] == '\0')
        return call_fail(c, "jsonpath wait has to have a value after equal sign, like "
                            "--for=jsonpath='{.status.readyReplicas}'=3");
    if (jsonpath_find(w->name, nothing, true, &found, &e) < 0)
        return call_error(c, &e);
    return 0;
}

/* 0, or what call_fail() returned. */
static int wish_of(struct call *c, const char *text, struct wish *w)
{
    if (strcasecmp(text, "delete") == 0 || strcasecmp(text, "create") == 0) {
        w->kind = strcasecmp(text, "delete") == 0 ? WISH_DELETE : WISH_CREATE;
        return 0;
    }
    if (str_starts(text, "jsonpath="))
        return wish_jsonpath(c, text + strlen("jsonpath="), w);
    if (!str_starts(text, "condition=")) {
        _auto_buf_ struct buf quoted = BUF_INIT;
        buf_add_quoted(&quoted, text, strlen(text));
        return call_fail(c, "unrecognized condition: %s", buf_str(&quoted));
    }
    text += strlen("condition=");
    const char *equal = strchr(text, '=');
    w->kind = WISH_CONDITION;
    w->name = xstrndup(text, equal != NULL ? (size_t)(equal - text) : strlen(text));
    w->value = xstrdup(equal != NULL ? equal + 1 : "true");
    return 0;
}

/* ---- is it so? ---- */

/* A condition counts only when it was told of the object as it is now. */
static int has_condition(const struct wish *w, const json_t *object)
{
    const json_t *list = jat(object, "status.conditions");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *it = json_array_get(list, i);
        if (strcasecmp(jstr_or(it, "type", ""), w->name) != 0)
            continue;
        int64_t generation = jint(object, "metadata.generation", 0);
        int64_t seen = jint(it, "observedGeneration", jint(object, "status.observedGeneration", generation));
        return seen >= generation && strcasecmp(jstr_or(it, "status", ""), w->value) == 0;
    }
    return 0;
}

static int has_value(const struct wish *w, const json_t *object, struct err *e)
{
    _auto_json_ json_t *found = NULL;
    if (jsonpath_find(w->name, object, true, &found, e) < 0)
        return -1;
    if (json_array_size(found) == 0)
        return 0;
    if (json_array_size(found) > 1)
        return err_set(e, ERR_BAD_REQUEST, "given jsonpath expression matches more than one value");
    if (w->value[0] == '\0')
        return 1;
    const json_t *v = json_array_get(found, 0);
    if (json_is_object(v) || json_is_array(v))
        return err_set(e, ERR_BAD_REQUEST, "jsonpath leads to a nested object or list which is not supported");
    _auto_free_ char *text = json_is_string(v) ? xstrdup(json_string_value(v)) : json_text(v);
    return str_eq(text, w->value);
}

static int is_so(const struct wish *w, const json_t *object, struct err *e)
{
    return w->kind == WISH_CONDITION ? has_condition(w, object) : has_value(w, object, e);
}

static void remember(struct waiting *w, const json_t *object)
{
    json_decref(w->last);
    w->last = json_incref((json_t *)(uintptr_t)object);
}

static int seen(void *arg, const json_t *object, bool gone, struct err *e)
{
    struct waiting *w = arg;
    if (w->wish.kind == WISH_DELETE)
        return object == NULL || gone;
    if (object == NULL)
        return err_set(e, ERR_NOT_FOUND, "%s", "");
    remember(w, object);
    return gone ? 0 : is_so(&w->wish, object, e);
}

/* ---- one object ---- */

/* A refusal of the server has words of its own already; who gave up waiting (Ctrl-C) is told nothing. */
static void failed(struct call *c, struct waiting *w, const struct err *e)
{
    if (c->failure == NULL && e->code == ERR_TIMEOUT) {
        call_error(c, e);
        return;
    }
    const char *reason = jstr(c->failure, "reason");
    if (c->failure != NULL)
        strlist_addf(&w->errors, "Error from server (%s): %s", reason != NULL ? reason : "",
                     jstr_or(c->failure, "message", e->msg));
    else
        strlist_add(&w->errors, e->msg);
    call_forget(c);
}

static void vanished(struct waiting *w, const struct kind *k, const char *name)
{
    _auto_buf_ struct buf kind = BUF_INIT;
    kind_qualified(k, &kind);
    strlist_addf(&w->errors, "Error from server (NotFound): %s \"%s\" not found", buf_str(&kind), name);
}

static void tell_errors(struct call *c, const struct waiting *w)
{
    for (size_t i = 0; i < w->errors.len; i++) {
        const char *text = w->errors.items[i];
        bool plain = w->errors.len > 1 || str_starts(text, "Error from server");
        fprintf(c->k->err, "%s%s\n", plain ? "" : "error: ", text);
        c->code = 1;
    }
}

static void met(struct call *c, struct waiting *w, const struct kind *k, const json_t *object)
{
    struct err e = ERR_INIT;
    if (printer_object(c, &w->printer, k, object, "condition met", &e) < 0)
        call_error(c, &e);
}

/* 1: as wished; 0: not so in time; -1. */
static int wait_for(struct call *c, const struct kind *kind, json_t *object, struct waiting *w, struct err *e)
{
    if (w->wish.kind == WISH_CREATE)
        return 1;
    if (w->timeout == 0)
        return w->wish.kind == WISH_DELETE ? 0 : is_so(&w->wish, object, e);
    if (clock_mono_ms(clock_real()) >= w->deadline) /* it was spent on others */
        return 0;
    return until_seen(c, kind, jstr_or(object, "metadata.namespace", ""), jstr_or(object, "metadata.name", ""),
                      w->deadline, seen, w, e);
}

static int follow(struct call *c, const struct target *t, json_t *object, void *arg)
{
    struct waiting *w = arg;
    struct err e = ERR_INIT;
    const char *name = jstr_or(object, "metadata.name", "");
    w->visited++;
    remember(w, object);
    int rc = wait_for(c, t->kind, object, w, &e);
    if (rc > 0)
        met(c, w, t->kind, w->last);
    else if (rc < 0 && e.code == ERR_NOT_FOUND && c->failure == NULL)
        vanished(w, t->kind, name);
    else if (rc < 0)
        failed(c, w, &e);
    else
        strlist_addf(&w->errors, "%s %s/%s", w->timeout == 0 ? "condition not met for" : TIMED_OUT " on",
                     t->kind->plural, name);
    return 0;
}

/* Of a name that nothing has: nothing to wait for, or what is waited for. */
static void follow_named(struct call *c, const struct targets *all, const struct target *t, struct waiting *w)
{
    _auto_buf_ struct buf path = BUF_INIT;
    target_path(all, t, &path);
    for (;;) {
        _auto_json_ json_t *object = NULL;
        struct err e = ERR_INIT;
        if (call_json(c, "GET", buf_str(&path), NULL, NULL, &object, &e) == 0) {
            follow(c, t, object, w);
            return;
        }
        if (!call_not_found(c) || (w->wish.kind != WISH_CREATE && w->wish.kind != WISH_DELETE)) {
            failed(c, w, &e);
            return;
        }
        call_forget(c);
        if (w->wish.kind == WISH_DELETE)
            return;
        if (clock_mono_ms(clock_real()) >= w->deadline) {
            strlist_add(&w->errors, TIMED_OUT);
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
    }
}

static int follow_all(struct call *c, const struct targets *all, struct waiting *w)
{
    for (size_t i = 0; i < all->len; i++) {
        struct targets one = *all;
        one.items = &all->items[i];
        one.len = 1;
        if (all->items[i].name != NULL)
            follow_named(c, &one, one.items, w);
        else
            targets_visit(c, &one, follow, w);
    }
    if (w->visited == 0 && w->errors.len == 0 && c->code == 0 && w->wish.kind != WISH_DELETE)
        strlist_add(&w->errors, "no matching resources found");
    tell_errors(c, w);
    return c->code;
}

static int wait_run(struct call *c)
{
    _auto_targets_ struct targets t = {0};
    struct waiting w = {.timeout = call_duration(c, "timeout")};
    w.timeout = w.timeout < 0 ? WEEK_MS : w.timeout;
    w.deadline = clock_mono_ms(clock_real()) + w.timeout;
    if (printer_init(c, &w.printer, false) == 0 && wish_of(c, call_text(c, "for"), &w.wish) == 0 &&
        targets_of(c, &(struct targets_opts){.all = false}, &t) == 0)
        follow_all(c, &t, &w);
    printer_end(c, &w.printer);
    waiting_release(&w);
    return c->code;
}

static const struct kubectl_flag flags[] = {
    FLAGS_OUTPUT,
    FLAGS_FILES("Files whose objects are waited for"),
    FLAGS_SELECTOR,
    FLAGS_FIELDS,
    FLAGS_ALL_NAMESPACES,
    FLAGS_ALL,
    {"for", 0, FLAG_TEXT, NULL,
     "What is waited for: create, delete, condition=name[=value], jsonpath='{path}'[=value]"},
    {"timeout", 0, FLAG_DURATION, "30s", "How long; 0: look once; below 0: a week"},
    {0},
};

const struct kubectl_verb kubectl_wait = {
    .name = "wait",
    .summary = "Experimental: Wait for a specific condition on one or many resources",
    .usage = "([-f FILENAME] | resource.group/resource.name | resource.group [(-l label | --all)]) "
             "[--for=create|--for=delete|--for condition=available|--for=jsonpath='{}'[=value]]",
    .help = "  kubectl wait --for=condition=Ready pod/web\n"
            "  kubectl wait --for=jsonpath='{.status.phase}'=Bound pvc/data --timeout=60s\n"
            "  kubectl wait --for=delete pod/web\n",
    .flags = flags,
    .takes = TAKES_KINDS,
    .run = wait_run,
};
