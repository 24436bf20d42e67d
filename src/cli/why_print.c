/* why_print.c - the human form of an explanation: a headline, why, who, the volumes looked at with what does not fit,
 * what to change, the last events. Aligned, short, in colour only on a terminal. */
#include "cli/why_print.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define MAX_ROWS 12 /* the nearest; -o json has all */

enum paint { PLAIN, BOLD, GREEN, YELLOW, RED, DIM };

struct page {
    FILE *out;
    bool colour;
};

static const char *on(const struct page *p, enum paint paint)
{
    static const char *const codes[] = {"", "\033[1m", "\033[32m", "\033[33m", "\033[31m", "\033[2m"};
    return p->colour ? codes[paint] : "";
}

static const char *off(const struct page *p)
{
    return p->colour ? "\033[0m" : "";
}

/* -- one line each -- */

static const struct {
    const char *verdict;
    enum paint paint;
} moods[] = {
    {"bound", GREEN}, {"running", GREEN},      {"free", GREEN},        {"binding", GREEN},
    {"ended", GREEN}, {"lost", RED},           {"failed", RED},        {"missing", RED},
    {"no-node", RED}, {"no-volume-fits", RED}, {"class-missing", RED},
};

static enum paint mood(const char *verdict)
{
    for (size_t i = 0; i < ARRAY_LEN(moods); i++)
        if (str_eq(moods[i].verdict, verdict))
            return moods[i].paint;
    return YELLOW;
}

static void headline(const struct page *p, const json_t *t)
{
    static const struct {
        const char *kind, *prefix;
    } kinds[] = {{"PersistentVolumeClaim", "pvc"}, {"PersistentVolume", "pv"}, {"Pod", "pod"}};
    const char *prefix = "?", *verdict = jstr_or(t, "verdict", "");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(kinds[i].kind, jstr(t, "kind")))
            prefix = kinds[i].prefix;
    fprintf(p->out, "%s%s/%s%s", on(p, BOLD), prefix, jstr_or(t, "name", ""), off(p));
    if (jstr(t, "namespace"))
        fprintf(p->out, "  in %s", jstr(t, "namespace"));
    fprintf(p->out, "  %s%s%s%s%s\n", on(p, mood(verdict)), jstr_or(t, "phase", ""), jstr(t, "phase") ? ", " : "",
            verdict, off(p));
}

static void field(const struct page *p, const char *label, const char *text)
{
    if (!str_empty(text))
        fprintf(p->out, "  %s%-10s%s %s\n", on(p, DIM), label, off(p), text);
}

static void print_asks(const struct page *p, const json_t *asks)
{
    if (!asks)
        return;
    _auto_buf_ struct buf b = BUF_INIT;
    const char *cls = jstr(asks, "class");
    buf_addf(&b, "%s, %s, %s, ", jstr_or(asks, "size", ""), jstr_or(asks, "accessModes", ""),
             jstr_or(asks, "volumeMode", ""));
    if (!cls)
        buf_adds(&b, "no class named");
    else
        buf_addf(&b, "class %s", *cls ? cls : "\"\" (none, by intent)");
    if (jstr(asks, "volumeName"))
        buf_addf(&b, ", volume %s", jstr(asks, "volumeName"));
    if (jstr(asks, "selector"))
        buf_addf(&b, ", labels %s", jstr(asks, "selector"));
    field(p, "asks for", buf_str(&b));
}

/* -- lists -- */

/* "size 1Gi, wanted 5Gi; class manual, wanted no class" of the rules that do not hold. */
static void misfits(const json_t *candidate, struct buf *b)
{
    size_t i;
    const json_t *rule;
    json_array_foreach(jat(candidate, "rules"), i, rule)
    {
        if (!jbool(rule, "ok", false))
            buf_addf(b, "%s%s: %s (wanted: %s)", b->len ? "; " : "", jstr_or(rule, "rule", ""),
                     jstr_or(rule, "has", ""), jstr_or(rule, "wants", ""));
    }
}

static size_t widest(const json_t *list, const char *key)
{
    size_t i, width = 0;
    const json_t *row;
    json_array_foreach(list, i, row)
    {
        size_t n = strlen(jstr_or(row, key, ""));
        width = n > width && i < MAX_ROWS ? n : width;
    }
    return width;
}

static void print_candidates(const struct page *p, const json_t *t)
{
    const json_t *list = jat(t, "candidates");
    size_t n = json_array_size(list), i;
    const json_t *c;
    if (n == 0)
        return;
    fprintf(p->out, "\n  %s%s%s\n", on(p, BOLD),
            str_eq(jstr(t, "kind"), "PersistentVolume") ? "Claims that wait" : "Volumes, nearest first", off(p));
    int width = (int)widest(list, "name");
    json_array_foreach(list, i, c)
    {
        if (i == MAX_ROWS) {
            fprintf(p->out, "    and %zu more (-o json has all)\n", n - i);
            break;
        }
        _auto_buf_ struct buf why = BUF_INIT;
        bool fits = jbool(c, "fits", false);
        misfits(c, &why);
        fprintf(p->out, "    %s%s%s %-*s  %s\n", on(p, fits ? GREEN : RED), fits ? "fits" : "no  ", off(p), width,
                jstr_or(c, "name", ""), fits ? (jbool(c, "chosen", false) ? "the one it gets" : "") : buf_str(&why));
    }
}

static void print_nodes(const struct page *p, const json_t *nodes)
{
    size_t i, k;
    const json_t *node, *reason;
    if (!json_array_size(nodes))
        return;
    fprintf(p->out, "\n  %sNodes%s\n", on(p, BOLD), off(p));
    int width = (int)widest(nodes, "name");
    json_array_foreach(nodes, i, node)
    {
        static const char *const lists[] = {"reasons", "also"};
        bool fits = jbool(node, "fits", false);
        _auto_buf_ struct buf why = BUF_INIT;
        for (size_t n = 0; n < ARRAY_LEN(lists); n++) {
            json_array_foreach(jat(node, lists[n]), k, reason)
            {
                buf_addf(&why, "%s%s", why.len ? "; " : "", json_string_value(reason));
            }
        }
        fprintf(p->out, "    %s%s%s %-*s  %s\n", on(p, fits ? GREEN : RED), fits ? "fits" : "no  ", off(p), width,
                jstr_or(node, "name", ""), buf_str(&why));
    }
}

static void print_claims(const struct page *p, const json_t *claims)
{
    size_t i;
    const json_t *c;
    if (!json_array_size(claims))
        return;
    fprintf(p->out, "\n  %sClaims%s\n", on(p, BOLD), off(p));
    int width = (int)widest(claims, "name");
    json_array_foreach(claims, i, c)
    {
        const char *verdict = jstr_or(c, "verdict", "");
        fprintf(p->out, "    %-*s  %s%s%s  %s\n", width, jstr_or(c, "name", ""), on(p, mood(verdict)), verdict, off(p),
                jstr_or(c, "because", ""));
    }
}

static void print_attachments(const struct page *p, const json_t *list)
{
    size_t i;
    const json_t *a;
    json_array_foreach(list, i, a)
    {
        const char *error = jstr_or(a, "error", "");
        fprintf(p->out, "%s    %s on %s: %s%s%s\n", i ? "" : "\n  Attachments\n", jstr_or(a, "volume", ""),
                jstr_or(a, "node", ""), jbool(a, "attached", false) ? "attached" : "not attached", *error ? ", " : "",
                error);
    }
}

/* What the kubelet waits for; a volume that is in order needs no line. */
static void print_volumes(const struct page *p, const json_t *list)
{
    size_t i, printed = 0;
    const json_t *v;
    json_array_foreach(list, i, v)
    {
        if (str_eq(jstr(v, "state"), "ready"))
            continue;
        fprintf(p->out, "%s    %s  %s%s%s  %s\n", printed++ ? "" : "\n  Volumes\n", jstr_or(v, "name", ""),
                on(p, YELLOW), jstr_or(v, "state", ""), off(p), jstr_or(v, "because", ""));
    }
}

static void print_finalizers(const struct page *p, const json_t *list)
{
    size_t i;
    const json_t *f;
    json_array_foreach(list, i, f)
    {
        fprintf(p->out, "%s    %s  %s\n", i ? "" : "\n  Held by\n", jstr_or(f, "name", ""), jstr_or(f, "text", ""));
    }
}

static void print_changes(const struct page *p, const json_t *changes)
{
    size_t i;
    const json_t *c;
    if (!json_array_size(changes))
        return;
    fprintf(p->out, "\n  %sWhat would help%s\n", on(p, BOLD), off(p));
    json_array_foreach(changes, i, c)
    {
        fprintf(p->out, "    %s\n", jstr_or(c, "text", ""));
        if (!str_empty(jstr(c, "command")))
            fprintf(p->out, "      %s%s%s\n", on(p, GREEN), jstr(c, "command"), off(p));
    }
}

static void print_events(const struct page *p, const json_t *events)
{
    size_t i, n = json_array_size(events);
    const json_t *ev;
    json_array_foreach(events, i, ev)
    {
        if (i + 5 < n)
            continue;
        int64_t count = jint(ev, "count", 1);
        fprintf(p->out, "%s    %s%s%s %s", i == 0 || i + 5 == n ? "\n  Last events\n" : "",
                on(p, str_eq(jstr(ev, "type"), "Warning") ? YELLOW : DIM), jstr_or(ev, "reason", ""), off(p),
                jstr_or(ev, "message", ""));
        if (count > 1)
            fprintf(p->out, " (%lld times)", (long long)count);
        fputc('\n', p->out);
    }
}

void why_print(FILE *out, const json_t *told, bool colour)
{
    struct page p = {out, colour};
    headline(&p, told);
    print_asks(&p, jat(told, "asks"));
    field(&p, "because", jstr(told, "because"));
    field(&p, "waits for", jstr(told, "waitsFor"));
    if (!str_eq(jstr(told, "actor"), "nobody"))
        field(&p, "who acts", jstr(told, "actor"));
    print_nodes(&p, jat(told, "scheduler.nodes"));
    print_claims(&p, jat(told, "claims"));
    print_attachments(&p, jat(told, "attachments"));
    print_volumes(&p, jat(told, "volumes"));
    if (!str_eq(jstr(told, "verdict"), "binding"))
        print_candidates(&p, told);
    print_finalizers(&p, jat(told, "finalizers"));
    print_changes(&p, jat(told, "changes"));
    print_events(&p, jat(told, "events"));
}
