/* records.c - which images are here: the table, and its file <dir>/images.json.
 *
 * DESIGN: a record is an image with its names. The file is written anew and renamed with each change of what is here;
 * when an image was last used is written with the next such change, and at the end. A record whose layers are gone is
 * dropped when it is read: the image is then simply not here any more.
 *
 * THREADS: `_locked` functions with im->mu held. */
#include "images/images_int.h"

#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID_SHORT 12 /* of an id's hex: as short as a user may give it */

int64_t images_now(const struct images *im)
{
    return clock_wall_ns(im->conf.clock ? im->conf.clock : clock_real()) / INT64_C(1000000000);
}

void record_free(struct record *r)
{
    if (!r)
        return;
    free(r->id);
    strlist_release(&r->names);
    strlist_release(&r->ids);
    strlist_release(&r->layers);
    strlist_release(&r->blobs);
    json_decref(r->config);
    free(r);
}

const char *const *strlist_vector(struct strlist *l)
{
    strlist_take(l, NULL);
    l->len--;
    return (const char *const *)l->items;
}

void record_info(const struct record *r, struct image_info *out)
{
    struct record *room = (struct record *)r; /* the lists keep a NULL behind their end; nothing else changes */
    *out = (struct image_info){
        .id = r->id,
        .names = strlist_vector(&room->names),
        .ids = strlist_vector(&room->ids),
        .size = r->size,
        .added = r->added,
        .used = r->used,
        .builtin = r->builtin,
        .stub = r->stub,
    };
}

/* ---- the file ---- */

static json_t *texts_of(const struct strlist *l)
{
    json_t *a = json_array();
    for (size_t i = 0; i < l->len; i++)
        json_array_append_new(a, json_string(l->items[i]));
    return a;
}

static void read_texts(const json_t *row, const char *key, struct strlist *out)
{
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(row, key), i, item)
    {
        if (json_is_string(item))
            strlist_add(out, json_string_value(item));
    }
}

static bool layers_are_there(const struct images *im, const struct record *r)
{
    for (size_t i = 0; !im->conf.simulated && i < r->layers.len; i++) {
        _auto_free_ char *path = xasprintf("%s/%s", im->layers, r->layers.items[i]);
        if (strchr(r->layers.items[i], '/') || access(path, F_OK) < 0)
            return false;
    }
    return true;
}

static struct record *record_read(struct images *im, const json_t *row)
{
    struct err e = ERR_INIT;
    struct record *r = xcalloc(1, sizeof *r);
    r->id = xstrdup(jstr_or(row, "id", ""));
    read_texts(row, "names", &r->names);
    read_texts(row, "ids", &r->ids);
    read_texts(row, "layers", &r->layers);
    read_texts(row, "blobs", &r->blobs);
    r->size = jint(row, "size", 0);
    r->added = jint(row, "added", 0);
    r->used = jint(row, "used", 0);
    r->builtin = jbool(row, "builtin", false);
    r->stub = jbool(row, "stub", false);
    if (!r->builtin && !r->stub)
        r->config = blob_json(im, r->id, &e);
    const bool sound = r->builtin || r->stub || (r->config && layers_are_there(im, r));
    if (!sound || (r->stub && im->conf.fail_unknown)) {
        record_free(r);
        return NULL;
    }
    return r;
}

int records_load(struct images *im, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/images.json", im->dir);
    json_error_t why;
    if (access(path, F_OK) < 0)
        return 0;
    _auto_json_ json_t *rows = json_load_file(path, 0, &why);
    if (!rows)
        return err_set(e, ERR_CORRUPT, "%s: %s", path, why.text);
    size_t i;
    const json_t *row;
    struct record **end = &im->records;
    json_array_foreach(rows, i, row)
    {
        *end = record_read(im, row);
        if (*end)
            end = &(*end)->next;
    }
    return 0;
}

static json_t *record_row(const struct record *r)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:b, s:b}", "id", r->id, "names", texts_of(&r->names),
                     "ids", texts_of(&r->ids), "layers", texts_of(&r->layers), "blobs", texts_of(&r->blobs), "size",
                     (json_int_t)r->size, "added", (json_int_t)r->added, "used", (json_int_t)r->used, "builtin",
                     r->builtin, "stub", r->stub);
}

int records_save_locked(struct images *im, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/images.json", im->dir), *temp = xasprintf("%s.new", path);
    _auto_json_ json_t *rows = json_array();
    for (const struct record *r = im->records; r; r = r->next)
        json_array_append_new(rows, record_row(r));
    _auto_close_ int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || json_dumpfd(rows, fd, JSON_INDENT(1)) < 0 || fdatasync(fd) < 0 || rename(temp, path) < 0)
        return err_sys(e, errno, "write %s", path);
    return 0;
}

/* ---- finding ---- */

static bool is_id_of(const struct record *r, const char *text)
{
    static const char prefix[] = "sha256:";
    const char *hex = r->id + (str_starts(r->id, prefix) ? sizeof prefix - 1 : 0);
    if (str_starts(text, prefix))
        text += sizeof prefix - 1;
    return strlen(text) >= ID_SHORT && str_starts(hex, text);
}

struct record *record_find_locked(struct images *im, const char *what)
{
    for (struct record *r = im->records; r; r = r->next)
        if (strlist_has(&r->names, what) || strlist_has(&r->ids, what) || is_id_of(r, what))
            return r;
    return NULL;
}

struct record *record_need_locked(struct images *im, const char *ref, struct err *e)
{
    _auto_free_ char *canonical = NULL;
    struct err ignored = ERR_INIT;
    struct record *r = image_normalize(ref, &canonical, &ignored) == 0 ? record_find_locked(im, canonical) : NULL;
    if (!r)
        r = record_find_locked(im, ref);
    if (!r)
        err_set(e, ERR_NOT_FOUND, "No such image: %s", canonical ? canonical : ref);
    return r;
}

/* ---- adding ---- */

static void take_text(struct strlist *l, const char *text)
{
    for (size_t i = 0; i < l->len; i++) {
        if (!str_eq(l->items[i], text))
            continue;
        free(l->items[i]);
        memmove(&l->items[i], &l->items[i + 1], (l->len - i - 1) * sizeof *l->items);
        l->len--;
        return;
    }
}

static void add_missing(struct strlist *to, const struct strlist *from)
{
    for (size_t i = 0; i < from->len; i++)
        if (!strlist_has(to, from->items[i]))
            strlist_add(to, from->items[i]);
}

/* One of our own making that lost its last name to a real one is of no use to anybody. */
static bool is_superseded(const struct record *r, size_t names_before)
{
    return (r->builtin || r->stub) && names_before > 0 && r->names.len == 0 && r->leases == 0;
}

void record_add_locked(struct images *im, struct record *take_r)
{
    struct record **at = &im->records, *same = NULL;
    while (*at) {
        struct record *r = *at;
        const size_t names = r->names.len;
        for (size_t i = 0; i < take_r->names.len; i++)
            take_text(&r->names, take_r->names.items[i]);
        if (str_eq(r->id, take_r->id)) {
            same = r;
        } else if (is_superseded(r, names)) {
            *at = r->next;
            record_free(r);
            continue;
        }
        at = &r->next;
    }
    if (!same) {
        *at = take_r;
        return;
    }
    add_missing(&same->names, &take_r->names);
    add_missing(&same->ids, &take_r->ids);
    add_missing(&same->blobs, &take_r->blobs);
    strlist_release(&same->layers);
    same->layers = take_r->layers;
    take_r->layers = (struct strlist){0};
    record_free(take_r);
}
