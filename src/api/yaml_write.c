/* yaml_write.c - trees as YAML, looking as kubectl -o yaml and the real server write it.
 *
 * DESIGN: libyaml's emitter (Go's is a translation of it) with yaml.v2's choices on top: keys in its "natural" order,
 * strings plain when they would be read back as strings, literal when they have lines, else double-quoted.
 * THREADS: pure. */
#include "api/decode.h"

#include "api/yaml_int.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static int sink(void *data, unsigned char *bytes, size_t size)
{
    buf_add(data, bytes, size);
    return 1;
}

/* -- key order -- */

struct run {
    int64_t value;
    size_t end;
};

static struct run digits_run(const char *s, size_t at, int64_t start)
{
    struct run r = {start, at};
    for (; isdigit((unsigned char)s[r.end]) && r.value < INT64_MAX / 20; r.end++)
        r.value = r.value * 10 + (s[r.end] - '0');
    return r;
}

/* Does a number with a digit other than 0 end right before `at`? */
static bool significant_before(const char *s, size_t at)
{
    while (at > 0 && isdigit((unsigned char)s[at - 1]))
        if (s[--at] != '0')
            return true;
    return false;
}

/* yaml.v2's order of keys: letters by code, numbers by value, other characters before letters. */
static int natural_compare(const void *pa, const void *pb)
{
    const char *a = *(const char *const *)pa, *b = *(const char *const *)pb;
    size_t i = 0;
    while (a[i] && a[i] == b[i])
        i++;
    if (!a[i] || !b[i])
        return (a[i] != '\0') - (b[i] != '\0');
    bool letter_a = isalpha((unsigned char)a[i]) || (a[i] & 0x80),
         letter_b = isalpha((unsigned char)b[i]) || (b[i] & 0x80);
    if (letter_a && letter_b)
        return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : 1;
    if (letter_a || letter_b)
        return letter_b ? -1 : 1;
    int64_t start = (a[i] == '0' || b[i] == '0') && significant_before(a, i) ? 1 : 0;
    struct run ra = digits_run(a, i, start), rb = digits_run(b, i, start);
    if (ra.value != rb.value)
        return ra.value < rb.value ? -1 : 1;
    if (ra.end != rb.end)
        return ra.end < rb.end ? -1 : 1;
    return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : 1;
}

/* -- values -- */

static void emit(yaml_emitter_t *em, yaml_event_t *ev)
{
    yaml_emitter_emit(em, ev); /* fails only for texts that are no UTF-8, which decoding has replaced */
}

static void scalar_emit(yaml_emitter_t *em, const char *s, size_t n, yaml_scalar_style_t style)
{
    yaml_event_t ev;
    if (yaml_scalar_event_initialize(&ev, NULL, NULL, (const yaml_char_t *)s, (int)n, 1, 1, style))
        emit(em, &ev);
}

/* "12:30:45", which YAML 1.1 would read as a number in base 60. */
static bool is_base60(const char *s)
{
    if (*s == '+' || *s == '-')
        s++;
    size_t n = strspn(s, "0123456789_");
    bool any = false;
    for (s += n; n > 0 && *s == ':'; any = true) {
        size_t digits = strspn(s + 1, "0123456789");
        if (digits == 0 || digits > 2 || (digits == 2 && s[1] > '5'))
            return false;
        s += 1 + digits;
    }
    if (any && *s == '.')
        s += 1 + strspn(s + 1, "0123456789_");
    return any && *s == '\0';
}

/* "2024-01-02", with or without a time: what yaml.v2 takes for a timestamp. */
static bool is_date(const char *s)
{
    for (size_t i = 0; i < 4; i++)
        if (!isdigit((unsigned char)s[i]))
            return false;
    if (s[4] != '-')
        return false;
    size_t month = strspn(s + 5, "0123456789");
    if (month < 1 || month > 2 || s[5 + month] != '-')
        return false;
    const char *day = s + 6 + month;
    size_t n = strspn(day, "0123456789");
    return n >= 1 && n <= 2 &&
           (day[n] == '\0' || ((day[n] == 'T' || day[n] == 't' || day[n] == ' ') && strchr(day, ':')));
}

static void string_emit(yaml_emitter_t *em, const char *s, size_t n)
{
    yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;
    if (memchr(s, '\n', n)) {
        style = YAML_LITERAL_SCALAR_STYLE;
    } else {
        _auto_json_ json_t *again = yaml_resolve(s, n);
        if (!json_is_string(again) || is_base60(s) || is_date(s) || yaml_is_not_finite(s, n) || strcmp(s, "<<") == 0)
            style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    }
    scalar_emit(em, s, n, style);
}

static void value_emit(yaml_emitter_t *em, const json_t *v);

static void map_emit(yaml_emitter_t *em, const json_t *v)
{
    size_t n = json_object_size(v), at = 0;
    _auto_free_ const char **keys = xcalloc(n, sizeof *keys);
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)v, key, item) keys[at++] = key;
    qsort(keys, n, sizeof *keys, natural_compare);
    yaml_event_t ev;
    yaml_mapping_start_event_initialize(&ev, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE);
    emit(em, &ev);
    for (size_t i = 0; i < n; i++) {
        string_emit(em, keys[i], strlen(keys[i]));
        value_emit(em, json_object_get(v, keys[i]));
    }
    yaml_mapping_end_event_initialize(&ev);
    emit(em, &ev);
}

static void list_emit(yaml_emitter_t *em, const json_t *v)
{
    yaml_event_t ev;
    yaml_sequence_start_event_initialize(&ev, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE);
    emit(em, &ev);
    for (size_t i = 0; i < json_array_size(v); i++)
        value_emit(em, json_array_get(v, i));
    yaml_sequence_end_event_initialize(&ev);
    emit(em, &ev);
}

static void value_emit(yaml_emitter_t *em, const json_t *v)
{
    if (json_is_object(v)) {
        map_emit(em, v);
    } else if (json_is_array(v)) {
        list_emit(em, v);
    } else if (json_is_string(v)) {
        string_emit(em, json_string_value(v), json_string_length(v));
    } else {
        _auto_free_ char *text = json_text(v);
        scalar_emit(em, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
    }
}

char *yaml_text(const json_t *tree)
{
    yaml_emitter_t em;
    yaml_event_t ev;
    struct buf out = BUF_INIT;
    if (!yaml_emitter_initialize(&em))
        BUG("out of memory");
    yaml_emitter_set_output(&em, sink, &out);
    yaml_emitter_set_unicode(&em, 1);
    yaml_stream_start_event_initialize(&ev, YAML_UTF8_ENCODING);
    emit(&em, &ev);
    yaml_document_start_event_initialize(&ev, NULL, NULL, NULL, 1);
    emit(&em, &ev);
    value_emit(&em, tree);
    yaml_document_end_event_initialize(&ev, 1);
    emit(&em, &ev);
    yaml_stream_end_event_initialize(&ev);
    emit(&em, &ev);
    yaml_emitter_flush(&em);
    yaml_emitter_delete(&em);
    return buf_steal(&out, NULL);
}
