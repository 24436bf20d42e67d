/* printer_cells.c - cells that many kinds share. THREADS: pure functions. */
#include "api/printer.h"
#include "api/printer_int.h"
#include "api/selector.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

void cell_text(struct buf *out, const char *s)
{
    if (s == NULL)
        s = "";
    buf_add_json_string(out, s, strlen(s));
}

void cell_text_or(struct buf *out, const char *s, const char *dflt)
{
    cell_text(out, str_empty(s) ? dflt : s);
}

void cell_int(struct buf *out, int64_t v)
{
    buf_addf(out, "%lld", (long long)v);
}

void cell_bool(struct buf *out, bool v)
{
    buf_adds(out, v ? "true" : "false");
}

void cell_since(struct buf *out, const char *time, int64_t now)
{
    int64_t at;
    char text[24];
    if (time == NULL || time_parse(time, &at) < 0) {
        cell_text(out, "<unknown>");
        return;
    }
    human_duration(now - at, text);
    cell_text(out, text);
}

void cell_name(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_text(out, jstr(obj, "metadata.name"));
}

void cell_age(struct buf *out, const json_t *obj, int64_t now)
{
    cell_since(out, jstr(obj, "metadata.creationTimestamp"), now);
}

/* The member `name` of each container of the template, joined. */
static void template_join(struct buf *out, const json_t *obj, const char *name)
{
    const json_t *containers = jat(obj, "spec.template.spec.containers");
    _auto_buf_ struct buf b = BUF_INIT;
    for (size_t i = 0; i < json_array_size(containers); i++) {
        if (i > 0)
            buf_addc(&b, ',');
        buf_adds(&b, jstr_or(json_array_get(containers, i), name, ""));
    }
    cell_text(out, buf_str(&b));
}

void cell_containers(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    template_join(out, obj, "name");
}

void cell_images(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    template_join(out, obj, "image");
}

void cell_label_set(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    _auto_strlist_ struct strlist parts = {0};
    const char *key;
    json_t *value;
    json_object_foreach(jat(obj, "spec.selector"), key, value)
        strlist_addf(&parts, "%s=%s", key, json_string_value(value));
    strlist_sort(&parts);
    _auto_free_ char *text = strlist_join(&parts, ",");
    cell_text_or(out, text, "<none>");
}

void cell_selector(struct buf *out, const json_t *obj, int64_t now)
{
    (void)now;
    cell_selector_at(out, obj, "spec.selector");
}

void cell_selector_at(struct buf *out, const json_t *obj, const char *path)
{
    struct err e = ERR_INIT;
    struct label_selector *selector = NULL;
    if (label_selector_from_json(jat(obj, path), &selector, &e) < 0) {
        cell_text(out, "<error>");
        return;
    }
    _auto_free_ char *text = label_selector_text(selector);
    cell_text_or(out, text, "<none>");
    label_selector_free(selector);
}
