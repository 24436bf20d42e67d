/* events.c - `kubectl events`: in order of time, of one object or all, and as they come.
 *
 * Those of one moment stay in the server's order. (kubectl's own sort is not stable: it shuffles them when they are
 * more than a dozen.) */
#include "api/printer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/describe/describe.h"
#include "kubectl/output/print.h"
#include "kubectl/verbs/verbs_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct events_view {
    struct call *c;
    struct printer printer;
    struct table table;
    const struct kind *kind;
    bool headed;
};

static bool is_wanted(struct call *c, const json_t *event)
{
    const struct strlist *types = call_list(c, "types");
    for (size_t i = 0; i < types->len; i++)
        if (strcasecmp(types->items[i], jstr_or(event, "type", "")) == 0)
            return true;
    return types->len == 0;
}

static void add_row(struct events_view *v, const json_t *e)
{
    bool everywhere = call_bool(v->c, "all-namespaces");
    _auto_buf_ struct buf age = BUF_INIT;
    const char *message = jstr_or(e, "message", "");
    size_t n;
    describe_event_age(&age, e, clock_wall_ns(clock_real()));
    while (isspace((unsigned char)*message))
        message++;
    for (n = strlen(message); n > 0 && isspace((unsigned char)message[n - 1]);)
        n--;
    if (!v->headed && !call_bool(v->c, "no-headers"))
        table_addf(&v->table, "%sLAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE\n", everywhere ? "NAMESPACE\t" : "");
    v->headed = true;
    if (everywhere)
        table_addf(&v->table, "%s\t", jstr_or(e, "metadata.namespace", ""));
    table_addf(&v->table, "%s\t%s\t%s\t%s/%s\t%.*s\n", buf_str(&age), jstr_or(e, "type", ""), jstr_or(e, "reason", ""),
               jstr_or(e, "involvedObject.kind", ""), jstr_or(e, "involvedObject.name", ""), (int)n, message);
}

/* ---- all there are ---- */

static const char *moment_of(const json_t *e)
{
    if (json_is_object(jat(e, "series")))
        return jstr_or(e, "series.lastObservedTime", "");
    return jstr_or(e, "lastTimestamp", jstr_or(e, "eventTime", ""));
}

/* RFC 3339 with and without fractions of a second. */
static int64_t time_of(const json_t *e)
{
    int64_t at;
    return time_parse(moment_of(e), &at) == 0 ? at : 0;
}

struct placed {
    const json_t *event;
    int64_t at;
    size_t was;
};

static int by_time(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->was < y->was ? -1 : 1;
}

/* Those that are wanted, in order. Returns new array. */
static json_t *sorted(struct call *c, const json_t *list)
{
    json_t *out = json_array();
    size_t n = json_array_size(list), len = 0;
    _auto_free_ struct placed *all = xcalloc(n + 1, sizeof *all);
    for (size_t i = 0; i < n; i++) {
        const json_t *e = json_array_get(list, i);
        if (is_wanted(c, e))
            all[len++] = (struct placed){e, time_of(e), i};
    }
    qsort(all, len, sizeof *all, by_time);
    for (size_t i = 0; i < len; i++) {
        json_t *e = (json_t *)(uintptr_t)all[i].event;
        jset_str(e, "apiVersion", "v1");
        jset_str(e, "kind", "Event");
        json_array_append(out, e);
    }
    return out;
}

static int show(struct events_view *v, const json_t *list)
{
    struct call *c = v->c;
    struct err e = ERR_INIT;
    if (json_array_size(list) == 0 && call_bool(c, "all-namespaces"))
        fputs("No events found.\n", c->k->err);
    else if (json_array_size(list) == 0)
        fprintf(c->k->err, "No events found in %s namespace.\n", c->ns);
    if (json_array_size(list) == 0)
        return 0;
    if (v->printer.form != PRINT_TABLE) {
        _auto_json_ json_t *whole =
            json_pack("{s:s,s:O,s:s,s:{}}", "apiVersion", "v1", "items", list, "kind", "EventList", "metadata");
        return printer_object(c, &v->printer, NULL, whole, NULL, &e) < 0 ? call_error(c, &e) : 0;
    }
    for (size_t i = 0; i < json_array_size(list); i++)
        add_row(v, json_array_get(list, i));
    table_flush(&v->table, c->k->out);
    return 0;
}

static int list_events(struct events_view *v, const char *path)
{
    struct call *c = v->c;
    _auto_json_ json_t *all = json_array();
    _auto_free_ char *more = xstrdup("");
    do {
        struct err e = ERR_INIT;
        _auto_buf_ struct buf at = BUF_INIT;
        _auto_json_ json_t *piece = NULL;
        buf_adds(&at, path);
        call_query(&at, "limit", "500");
        if (*more)
            call_query(&at, "continue", more);
        if (call_json(c, "GET", buf_str(&at), NULL, NULL, &piece, &e) < 0)
            return call_error(c, &e);
        json_array_extend(all, json_object_get(piece, "items"));
        char *next = xstrdup(jstr_or(piece, "metadata.continue", ""));
        free(more);
        more = next;
    } while (*more);
    _auto_json_ json_t *list = sorted(c, all);
    return show(v, list);
}

/* ---- as they come ---- */

static int on_event(void *arg, const char *type, json_t *object, struct err *e)
{
    struct events_view *v = arg;
    if (str_eq(type, "DELETED") || str_eq(type, "BOOKMARK") || !is_wanted(v->c, object))
        return 0;
    if (v->printer.form != PRINT_TABLE)
        return printer_object(v->c, &v->printer, v->kind, object, NULL, e);
    add_row(v, object);
    table_flush(&v->table, v->c->k->out);
    fflush(v->c->k->out);
    return 0;
}

static int watch_events(struct events_view *v, const char *path)
{
    struct err e = ERR_INIT;
    _auto_buf_ struct buf at = BUF_INIT;
    buf_adds(&at, path);
    call_query(&at, "watch", "true");
    v->table.remember = true;
    if (call_client(v->c) == NULL)
        return v->c->code;
    return client_watch(v->c->k->client, buf_str(&at), -1, on_event, v, &e) < 0 ? call_error(v->c, &e) : 0;
}

/* ---- the verb ---- */

/* --for kind/name as a field selector. -1: told. */
static int add_object(struct call *c, struct buf *path)
{
    const char *word = call_text(c, "for"), *slash = strchr(word, '/');
    if (!call_given(c, "for") || !*word)
        return 0;
    if (slash == NULL)
        return call_fail(c, "--for must be in resource/name form"), -1;
    if (strchr(slash + 1, '/') != NULL)
        return call_fail(c, "arguments in resource/name form may not have more than one slash"), -1;
    _auto_free_ char *name = xstrndup(word, (size_t)(slash - word));
    const struct kind *k = call_kind(c, name);
    if (k == NULL)
        return -1;
    _auto_buf_ struct buf version = BUF_INIT, fields = BUF_INIT;
    kind_api_version(k, &version);
    buf_addf(&fields, "involvedObject.kind=%s,involvedObject.apiVersion=%s,involvedObject.name=%s", k->kind,
             buf_str(&version), slash + 1);
    call_query(path, "fieldSelector", buf_str(&fields));
    return 0;
}

static int events_run(struct call *c)
{
    struct events_view v = {.c = c};
    const struct strlist *types = call_list(c, "types");
    _auto_buf_ struct buf path = BUF_INIT;
    const char *ns = call_namespace(c);
    if (ns == NULL || printer_init(c, &v.printer, false) < 0)
        return c->code;
    for (size_t i = 0; i < types->len; i++)
        if (strcasecmp(types->items[i], "Normal") != 0 && strcasecmp(types->items[i], "Warning") != 0)
            return call_fail(c, "valid --types are Normal or Warning");
    buf_adds(&path, "/api/v1");
    if (!call_bool(c, "all-namespaces"))
        buf_addf(&path, "/namespaces/%s", ns);
    buf_adds(&path, "/events");
    v.kind = call_kind(c, "events.v1.");
    v.kind = v.kind != NULL ? v.kind : call_kind(c, "events");
    if (add_object(c, &path) == 0)
        call_bool(c, "watch") ? watch_events(&v, buf_str(&path)) : list_events(&v, buf_str(&path));
    printer_end(c, &v.printer);
    printer_release(&v.printer);
    table_release(&v.table);
    return c->code;
}

static const struct kubectl_flag flags[] = {
    FLAGS_OUTPUT,
    FLAGS_ALL_NAMESPACES,
    FLAGS_CHUNK,
    {"for", 0, FLAG_TEXT, NULL, "Only of this object: pod/web"},
    {"types", 0, FLAG_LIST, NULL, "Only of these types: Normal, Warning"},
    {"watch", 'w', FLAG_BOOL, NULL, "Afterwards, show those that come"},
    {"no-headers", 0, FLAG_BOOL, NULL, "No first line with headers"},
    {0},
};

const struct kubectl_verb kubectl_events = {
    .name = "events",
    .summary = "List events",
    .usage = "[(-o|--output=)json|yaml|name|go-template|jsonpath] [--for TYPE/NAME] [--watch] [--types=Normal,Warning] "
             "[options]",
    .help = "  kubectl events\n  kubectl events --for pod/web --watch\n  kubectl events --types=Warning -A\n",
    .flags = flags,
    .takes = TAKES_NONE,
    .run = events_run,
};
