/* values.c - how kubectl's describers write single values: times, ages, pairs, selectors, and Go's %v of anything.
 *
 * THREADS: pure, but for the time zone, which is the process's own. */
#include "kubectl/describe/page_int.h"

#include "api/base64.h"
#include "api/printer.h"
#include "api/selector.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *keys_sorted(const json_t *object)
{
    json_t *out = json_array();
    size_t n = json_object_size(object), i = 0;
    _auto_free_ const char **keys = xcalloc(n + 1, sizeof *keys);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        keys[i++] = key;
    }
    qsort(keys, n, sizeof *keys, by_text);
    for (i = 0; i < n; i++)
        json_array_append_new(out, json_string(keys[i]));
    return out;
}

static void text_of_object(struct buf *out, const json_t *object)
{
    _auto_json_ json_t *keys = keys_sorted(object);
    buf_adds(out, "map[");
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *key = json_string_value(json_array_get(keys, i));
        buf_addf(out, "%s%s:", i > 0 ? " " : "", key);
        value_text(out, json_object_get(object, key));
    }
    buf_addc(out, ']');
}

void value_text(struct buf *out, const json_t *value)
{
    switch (value != NULL ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        buf_add(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        buf_addf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        buf_addf(out, "%g", json_real_value(value));
        break;
    case JSON_TRUE:
        buf_adds(out, "true");
        break;
    case JSON_FALSE:
        buf_adds(out, "false");
        break;
    case JSON_NULL:
        buf_adds(out, "<nil>");
        break;
    case JSON_ARRAY:
        buf_addc(out, '[');
        value_join(out, value, " ");
        buf_addc(out, ']');
        break;
    case JSON_OBJECT:
        text_of_object(out, value);
        break;
    }
}

void value_join(struct buf *out, const json_t *list, const char *between)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (i > 0)
            buf_adds(out, between);
        value_text(out, json_array_get(list, i));
    }
}

void value_time(struct buf *out, const char *rfc3339)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t ns;
    if (rfc3339 == NULL || time_parse(rfc3339, &ns) < 0) {
        buf_adds(out, "Mon, 01 Jan 0001 00:00:00 +0000");
        return;
    }
    time_t seconds = (time_t)(ns / 1000000000);
    struct tm tm;
    localtime_r(&seconds, &tm);
    long off = tm.tm_gmtoff / 60;
    long ahead = off < 0 ? -off : off;
    buf_addf(out, "%s, %02d %s %04d %02d:%02d:%02d %c%02ld%02ld", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
             tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec, off < 0 ? '-' : '+', ahead / 60, ahead % 60);
}

void value_age(struct buf *out, const char *rfc3339, int64_t now)
{
    int64_t at;
    char text[24];
    if (rfc3339 == NULL || time_parse(rfc3339, &at) < 0) {
        buf_adds(out, "<unknown>");
        return;
    }
    human_duration(now - at, text);
    buf_adds(out, text);
}

void value_pairs(struct buf *out, const json_t *object)
{
    _auto_json_ json_t *keys = keys_sorted(object);
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *key = json_string_value(json_array_get(keys, i));
        const char *value = json_string_value(json_object_get(object, key));
        buf_addf(out, "%s%s=%s", i > 0 ? "," : "", key, value != NULL ? value : "");
    }
    if (json_array_size(keys) == 0)
        buf_adds(out, "<none>");
}

void value_selector(struct buf *out, const json_t *selector, const char *none)
{
    struct label_selector *s = NULL;
    struct err e;
    if (label_selector_from_json(selector, &s, &e) < 0) {
        buf_adds(out, "<error>");
        return;
    }
    _auto_free_ char *text = label_selector_text(s);
    buf_adds(out, text[0] != '\0' ? text : none);
    label_selector_free(s);
}

void value_modes(struct buf *out, const json_t *modes)
{
    static const char *const names[][2] = {
        {"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};
    bool first = true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        bool has = false;
        for (size_t j = 0; j < json_array_size(modes); j++)
            has |= str_eq(json_string_value(json_array_get(modes, j)), names[i][0]);
        if (!has)
            continue;
        buf_addf(out, "%s%s", first ? "" : ",", names[i][1]);
        first = false;
    }
}

void value_controller(struct buf *out, const json_t *object)
{
    const json_t *owners = jat(object, "metadata.ownerReferences");
    for (size_t i = 0; i < json_array_size(owners); i++) {
        const json_t *o = json_array_get(owners, i);
        if (!jbool(o, "controller", false))
            continue;
        buf_addf(out, "%s/%s", jstr_or(o, "kind", ""), jstr_or(o, "name", ""));
        return;
    }
}

char *base64_of(const char *text, size_t *out_len)
{
    _auto_buf_ struct buf b = BUF_INIT;
    size_t at;
    if (text != NULL && base64_decode(text, strlen(text), &b, &at) < 0)
        buf_clear(&b);
    return buf_steal(&b, out_len);
}

size_t base64_size(const char *text)
{
    size_t n;
    free(base64_of(text, &n));
    return n;
}
