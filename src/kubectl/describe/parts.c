/* parts.c - what several kinds show alike: labels, annotations, conditions, tolerations, events.
 *
 * THREADS: pure. */
#include "kubectl/describe/page_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "kubectl/describe/describe.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ANNOTATION_MAX 140 /* longer values go on lines of their own, cut */

void page_labels(struct page *p, const char *indent, const char *title, const json_t *labels)
{
    page_put(p, 0, "%s%s\t", indent, title);
    _auto_json_ json_t *keys = keys_sorted(labels);
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *key = json_string_value(json_array_get(keys, i));
        if (i > 0) {
            page_put(p, 0, "%s", indent);
            page_put(p, 0, "\t");
        }
        page_put(p, 0, "%s=%s\n", key, json_string_value(json_object_get(labels, key)));
    }
    if (json_array_size(keys) == 0)
        page_end(p, "<none>");
}

/* A value that is long or has lines: each under its key, cut. */
static void put_lines(struct page *p, const char *value, size_t n)
{
    for (size_t i = 0; i <= n;) {
        const char *end = memchr(value + i, '\n', n - i);
        size_t len = end != NULL ? (size_t)(end - value) - i : n - i;
        bool cut = len > ANNOTATION_MAX - 2;
        page_put(p, 0, "\t  %.*s%s\n", (int)(cut ? ANNOTATION_MAX - 2 : len), value + i, cut ? "..." : "");
        i += len + 1;
    }
}

void page_annotations(struct page *p, const char *title, const json_t *annotations)
{
    page_put(p, 0, "%s\t", title);
    _auto_json_ json_t *keys = keys_sorted(annotations);
    size_t shown = 0;
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *key = json_string_value(json_array_get(keys, i));
        if (str_eq(key, "kubectl.kubernetes.io/last-applied-configuration"))
            continue;
        const char *value = json_string_value(json_object_get(annotations, key));
        value = value != NULL ? value : "";
        size_t n = strlen(value);
        n -= n > 0 && value[n - 1] == '\n';
        if (shown++ > 0)
            page_put(p, 0, "\t");
        if (n + strlen(key) + 2 > ANNOTATION_MAX || memchr(value, '\n', n) != NULL) {
            page_put(p, 0, "%s:\n", key);
            put_lines(p, value, n);
        } else {
            page_put(p, 0, "%s: %.*s\n", key, (int)n, value);
        }
    }
    if (shown == 0)
        page_end(p, "<none>");
}

void page_resources(struct page *p, int level, const char *title, const json_t *list)
{
    if (json_object_size(list) == 0)
        return;
    page_put(p, level, "%s\n", title);
    _auto_json_ json_t *keys = keys_sorted(list);
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *key = json_string_value(json_array_get(keys, i));
        _auto_buf_ struct buf text = BUF_INIT;
        value_text(&text, json_object_get(list, key));
        page_put(p, level + 1, "%s:\t%s\n", key, buf_str(&text));
    }
}

void page_conditions(struct page *p, const json_t *list, const char *title, const struct condition_column *columns,
                     size_t n)
{
    if (json_array_size(list) == 0)
        return;
    _auto_buf_ struct buf titles = BUF_INIT, rules = BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        buf_addf(&titles, "%s%s", i > 0 ? "\t" : "", columns[i].title);
        buf_addf(&rules, "%s%s", i > 0 ? "\t" : "", columns[i].rule);
    }
    page_put(p, 0, "%s\n", title);
    page_put(p, 1, "%s\n", buf_str(&titles));
    if (columns[0].rule[0] != '\0')
        page_put(p, 1, "%s\n", buf_str(&rules));
    for (size_t i = 0; i < json_array_size(list); i++) {
        _auto_buf_ struct buf line = BUF_INIT;
        for (size_t j = 0; j < n; j++) {
            const char *text = jstr_or(json_array_get(list, i), columns[j].member, "");
            buf_adds(&line, j > 0 ? "\t" : "");
            if (columns[j].time)
                value_time(&line, text);
            else
                buf_adds(&line, text);
            buf_adds(&line, columns[j].blank ? " " : "");
        }
        page_put(p, 1, "%s\n", buf_str(&line));
    }
}

void page_conditions_short(struct page *p, const json_t *list)
{
    static const struct condition_column columns[] = {
        {"Type", "----", "type", true, false},
        {"Status", "------", "status", false, false},
        {"Reason", "------", "reason", false, false},
    };
    page_conditions(p, list, "Conditions:", columns, ARRAY_LEN(columns));
}

void page_conditions_timed(struct page *p, const json_t *list)
{
    static const struct condition_column columns[] = {
        {"Type", "----", "type", false, false},
        {"Status", "------", "status", false, false},
        {"LastTransitionTime", "------------------", "lastTransitionTime", false, true},
        {"Reason", "------", "reason", false, false},
        {"Message", "-------", "message", false, false},
    };
    page_conditions(p, list, "Conditions:", columns, ARRAY_LEN(columns));
}

void page_conditions_seen(struct page *p, const json_t *list, const char *title, const char *member)
{
    const struct condition_column columns[] = {
        {"Type", "----", "type", true, false},
        {"Status", "------", "status", true, false},
        {title, "-----------------", member, true, true},
        {"LastTransitionTime", "------------------", "lastTransitionTime", true, true},
        {"Reason", "------", "reason", true, false},
        {"Message", "-------", "message", false, false},
    };
    page_conditions(p, list, "Conditions:", columns, ARRAY_LEN(columns));
}

/* -- tolerations and the like -- */

static int by_member(const json_t *a, const json_t *b, const char *member)
{
    return strcmp(jstr_or(a, member, ""), jstr_or(b, member, ""));
}

/* Indexes in the order of a member; equal ones stay as they were. Lists are short: insertion. Returns new. */
static size_t *in_order(const json_t *list, const char *member)
{
    size_t n = json_array_size(list), *at = xcalloc(n + 1, sizeof *at);
    for (size_t i = 0; i < n; i++) {
        size_t j = i;
        for (; j > 0 && by_member(json_array_get(list, i), json_array_get(list, at[j - 1]), member) < 0; j--)
            at[j] = at[j - 1];
        at[j] = i;
    }
    return at;
}

static void put_toleration(struct page *p, const json_t *t)
{
    const char *key = jstr_or(t, "key", ""), *value = jstr_or(t, "value", ""), *effect = jstr_or(t, "effect", "");
    page_put(p, 0, "%s%s%s%s%s", key, value[0] != '\0' ? "=" : "", value, effect[0] != '\0' ? ":" : "", effect);
    if (str_eq(jstr(t, "operator"), "Exists") && value[0] == '\0')
        page_put(p, 0, "%sop=Exists", key[0] != '\0' || effect[0] != '\0' ? " " : "");
    if (json_is_integer(jat(t, "tolerationSeconds")))
        page_put(p, 0, " for %llds", (long long)jint(t, "tolerationSeconds", 0));
    page_put(p, 0, "\n");
}

void page_tolerations(struct page *p, const char *title, const json_t *tolerations)
{
    page_put(p, 0, "%s\t", title);
    if (json_array_size(tolerations) == 0)
        page_end(p, "<none>");
    _auto_free_ size_t *order = in_order(tolerations, "key");
    for (size_t i = 0; i < json_array_size(tolerations); i++) {
        page_put(p, 0, "%s", i > 0 ? "\t" : "");
        put_toleration(p, json_array_get(tolerations, order[i]));
    }
}

void page_spread(struct page *p, const json_t *constraints, const char *space)
{
    if (json_array_size(constraints) == 0)
        return;
    _auto_free_ size_t *order = in_order(constraints, "topologyKey");
    page_put(p, 0, "%sTopology Spread Constraints:\t", space);
    for (size_t i = 0; i < json_array_size(constraints); i++) {
        const json_t *c = json_array_get(constraints, order[i]);
        page_put(p, 0, "%s%s:%s when max skew %lld is exceeded", i > 0 ? "\t" : "", jstr_or(c, "topologyKey", ""),
                 jstr_or(c, "whenUnsatisfiable", ""), (long long)jint(c, "maxSkew", 0));
        if (json_is_object(jat(c, "labelSelector"))) {
            _auto_buf_ struct buf text = BUF_INIT;
            value_selector(&text, jat(c, "labelSelector"), "<none>");
            page_put(p, 0, " for selector %s", buf_str(&text));
        }
        page_put(p, 0, "\n");
    }
}

/* -- events -- */

static const char *last_of(const json_t *event)
{
    return jstr_or(event, "lastTimestamp", "");
}

void describe_event_age(struct buf *out, const json_t *event, int64_t now)
{
    const char *first = jstr(event, "eventTime") != NULL ? jstr(event, "eventTime") : jstr(event, "firstTimestamp");
    const json_t *series = jat(event, "series");
    bool many = json_is_object(series) || jint(event, "count", 0) > 1;
    if (!many) {
        value_age(out, first, now);
        return;
    }
    value_age(out, json_is_object(series) ? jstr(series, "lastObservedTime") : jstr(event, "lastTimestamp"), now);
    buf_addf(out, " (x%lld over ", (long long)jint(json_is_object(series) ? series : event, "count", 0));
    value_age(out, first, now);
    buf_addc(out, ')');
}

static void put_event(struct page *p, const json_t *event)
{
    _auto_buf_ struct buf age = BUF_INIT;
    describe_event_age(&age, event, p->now);
    const char *from = jstr_or(event, "source.component", ""), *message = jstr_or(event, "message", "");
    if (from[0] == '\0')
        from = jstr_or(event, "reportingComponent", "");
    while (isspace((unsigned char)*message))
        message++;
    size_t n = strlen(message);
    while (n > 0 && isspace((unsigned char)message[n - 1]))
        n--;
    page_put(p, 1, "%s\t%s\t%s\t%s\t%.*s\n", jstr_or(event, "type", ""), jstr_or(event, "reason", ""), buf_str(&age),
             from, (int)n, message);
}

void page_events(struct page *p, const json_t *events)
{
    size_t n = json_array_size(events);
    if (n == 0) {
        page_put(p, 0, "Events:\t<none>\n");
        return;
    }
    page_flush(p);
    page_put(p, 0, "Events:\n  Type\tReason\tAge\tFrom\tMessage\n");
    page_put(p, 1, "----\t------\t----\t----\t-------\n");
    _auto_free_ const json_t **sorted = xcalloc(n, sizeof *sorted);
    for (size_t i = 0; i < n; i++) {
        const json_t *event = json_array_get(events, i);
        size_t j = i;
        for (; j > 0 && strcmp(last_of(event), last_of(sorted[j - 1])) < 0; j--)
            sorted[j] = sorted[j - 1];
        sorted[j] = event;
    }
    for (size_t i = 0; i < n; i++)
        put_event(p, sorted[i]);
}
