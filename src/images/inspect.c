/* inspect.c - what is told of an image: as `docker image inspect` and `docker history` tell it, read from its config
 * and its layers. THREADS: any. */
#include "images/images_int.h"
#include "images/manage.h"

#include "base/json.h"
#include "base/mem.h"

#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int64_t layer_bytes(const struct images *im, const char *name)
{
    _auto_free_ char *path = xasprintf("%s/%s", im->layers, name);
    char *const paths[] = {path, NULL};
    int64_t sum = 0;
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *entry; walk && (entry = fts_read(walk));)
        if (entry->fts_info == FTS_F)
            sum += entry->fts_statp->st_nlink > 1 ? entry->fts_statp->st_size / (int64_t)entry->fts_statp->st_nlink
                                                  : entry->fts_statp->st_size;
    if (walk)
        fts_close(walk);
    return sum;
}

/* ---- of whom ---- */

struct about { /* copies, so that nothing is held while layers are walked */
    json_t *config;
    struct strlist names, ids, layers;
    char *id;
    int64_t size, added, used;
    bool builtin, stub;
};

static void about_release(struct about *a)
{
    json_decref(a->config);
    strlist_release(&a->names);
    strlist_release(&a->ids);
    strlist_release(&a->layers);
    free(a->id);
}

static void copy_list(struct strlist *to, const struct strlist *from)
{
    for (size_t i = 0; i < from->len; i++)
        strlist_add(to, from->items[i]);
}

/* A built-in image by one of its names. */
static bool about_builtin(const char *name, struct about *out)
{
    struct err ignored = ERR_INIT;
    _auto_name_ struct image_name n = {0};
    const struct image_def *def = NULL;
    _auto_free_ char *version = NULL;
    if (image_name_parse(name, &n, &ignored) < 0 || !builtin_find(&n, &def, &version))
        return false;
    json_decref(out->config);
    out->config = builtin_config(def, version);
    out->builtin = true;
    out->size = def->size;
    if (!out->id) {
        _auto_free_ char *canonical = image_name_text(&n);
        out->id = builtin_digest(canonical);
        strlist_add(&out->names, canonical);
    }
    return true;
}

static int about(struct images *im, const char *ref, struct about *out, struct err *e)
{
    pthread_mutex_lock(&im->mu);
    const struct record *r = record_need_locked(im, ref, e);
    if (r) {
        out->id = xstrdup(r->id);
        out->config = json_incref(r->config);
        copy_list(&out->names, &r->names);
        copy_list(&out->ids, &r->ids);
        copy_list(&out->layers, &r->layers);
        out->size = r->size;
        out->added = r->added;
        out->used = r->used;
        out->builtin = r->builtin;
        out->stub = r->stub;
    }
    pthread_mutex_unlock(&im->mu);
    if (out->stub)
        out->config = builtin_config(&stub_def, "1");
    const char *name = !r ? ref : out->names.len ? out->names.items[0] : out->ids.len ? out->ids.items[0] : "";
    if (!out->config && !about_builtin(name, out))
        return r ? err_set(e, ERR_NOT_FOUND, "%s: this Stowage has no such built-in image any more", ref) : -1;
    err_clear(e);
    return 0;
}

/* ---- lists ---- */
static json_t *text_array(const struct strlist *l)
{
    json_t *a = json_array();
    for (size_t i = 0; i < l->len; i++)
        json_array_append_new(a, json_string(l->items[i]));
    return a;
}

static json_t *vector_array(const char *const *list)
{
    json_t *a = json_array();
    for (; *list; list++)
        json_array_append_new(a, json_string(*list));
    return a;
}

static void add_row(const struct image_info *info, void *arg)
{
    json_t *list = arg;
    size_t at = 0;
    while (at < json_array_size(list) && jint(json_array_get(list, at), "LastUsed", 0) >= info->used)
        at++;
    json_array_insert_new(list, at,
                          json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:s}", "Id", info->id, "RepoTags",
                                    vector_array(info->names), "RepoDigests", vector_array(info->ids), "Size",
                                    (json_int_t)info->size, "Added", (json_int_t)info->added, "LastUsed",
                                    (json_int_t)info->used, "Origin",
                                    info->stub      ? "stub"
                                    : info->builtin ? "built-in"
                                                    : "imported"));
}

json_t *images_list(struct images *im)
{
    json_t *list = json_array();
    images_each(im, add_row, list);
    return list;
}

json_t *images_catalogue(void)
{
    const struct image_def *row;
    json_t *list = json_array();
    for (size_t i = 0; (row = catalogue_row(i)); i++) {
        const struct tag_rule *t = row->tags;
        _auto_strlist_ struct strlist tags = {0};
        strlist_split(&tags, t->names ? t->names : "", ' ');
        for (size_t k = 0; k < tags.len; k++)
            tags.items[k][strcspn(tags.items[k], "=")] = '\0';
        if (t->versions)
            strlist_split(&tags, t->versions, ' ');
        if (t->any)
            strlist_add(&tags, "any version");
        if (t->open)
            strlist_add(&tags, "any tag");
        for (size_t k = 0; k < tags.len; k++) /* "1.7:12" -> "1.7.0-12" */
            if (strchr(tags.items[k], ':')) {
                char *spread = xasprintf("%.*s.0-%s", (int)strcspn(tags.items[k], ":"), tags.items[k],
                                         strchr(tags.items[k], ':') + 1);
                free(tags.items[k]);
                tags.items[k] = spread;
            }
        json_array_append_new(list, json_pack("{s:s, s:o, s:I}", "Repository", row->repository, "Tags",
                                              text_array(&tags), "Size", (json_int_t)row->size));
    }
    return list;
}

/* Of the catalogue's names, as docker writes them, the one that this is a slip from; NULL. Borrowed. */
static const char *nearest_name(const char *name)
{
    const struct image_def *row;
    const char *best = NULL;
    size_t least = strlen(name) / 3 + 2;
    for (size_t i = 0; (row = catalogue_row(i)); i++) {
        const char *known = image_name_familiar(row->repository);
        const size_t slips = str_slips(name, known);
        if (slips < least) {
            least = slips;
            best = known;
        }
    }
    return best;
}

int image_at_hand(const char *ref, struct err *e)
{
    _auto_name_ struct image_name n = {0};
    const struct image_def *def;
    _auto_free_ char *version = NULL;
    if (image_name_parse(ref, &n, e) < 0)
        return -1;
    _auto_free_ char *repository = xasprintf("%s/%s", n.domain, n.path);
    const char *name = image_name_familiar(repository);
    if (builtin_find(&n, &def, &version))
        return 0;
    if (catalogue_find(repository, NULL))
        return err_set(e, ERR_NOT_FOUND, "there is no \"%s\" of the image %s here", n.tag ? n.tag : n.digest, name);
    if (unknown_judge(&n) == UNKNOWN_LOCAL)
        return 0;
    const char *near = nearest_name(name);
    return err_set(e, ERR_NOT_FOUND, "there is no image \"%s\" here%s%s%s", ref, near ? "; did you mean \"" : "",
                   near ? near : "", near ? "\"?" : "");
}

/* ---- inspect ---- */

/* Where the layers are on a node, as docker names them: the uppermost is "upper", the others "lower". */
static json_t *driver_of(const struct about *a)
{
    _auto_buf_ struct buf lower = BUF_INIT;
    json_t *data = json_object();
    for (size_t i = a->layers.len; i-- > 0;) {
        if (i + 1 < a->layers.len)
            buf_addf(&lower, "%s" NODE_IMAGEFS "/layers/%s", lower.len ? ":" : "", a->layers.items[i]);
        else
            json_object_set_new(data, "UpperDir", json_sprintf(NODE_IMAGEFS "/layers/%s", a->layers.items[i]));
    }
    if (lower.len)
        json_object_set_new(data, "LowerDir", json_string(buf_str(&lower)));
    return json_pack("{s:o, s:s}", "Data", data, "Name", "overlayfs");
}

int images_inspect(struct images *im, const char *ref, json_t **out, struct err *e)
{
    _cleanup_(about_release) struct about a = {0};
    char used[TIME_TEXT_LEN] = "";
    if (about(im, ref, &a, e) < 0)
        return -1;
    if (a.used)
        time_format(a.used * INT64_C(1000000000), used);
    json_t *config = json_object_get(a.config, "config"), *layers = jat(a.config, "rootfs.diff_ids");
    int64_t bytes = 0;
    for (size_t i = 0; i < a.layers.len; i++)
        bytes += layer_bytes(im, a.layers.items[i]);
    *out = json_pack("{s:s, s:o, s:o, s:s, s:s, s:O?, s:s, s:s, s:I, s:I, s:o, s:{s:s, s:o}, s:{s:s, s:b, s:b}}", "Id",
                     a.id, "RepoTags", text_array(&a.names), "RepoDigests", text_array(&a.ids), "Created",
                     jstr_or(a.config, "created", ""), "Author", jstr_or(a.config, "author", ""), "Config", config,
                     "Architecture", jstr_or(a.config, "architecture", ""), "Os", jstr_or(a.config, "os", "linux"),
                     "Size", (json_int_t)a.size, "UnpackedSize", (json_int_t)bytes, "GraphDriver", driver_of(&a),
                     "RootFS", "Type", "layers", "Layers", layers ? json_incref(layers) : text_array(&a.layers),
                     "Metadata", "LastUsed", used, "BuiltIn", a.builtin, "Stub", a.stub);
    return 0;
}

/* ---- history ---- */

/* Newest first; steps and layers are joined from the bottom. */
int images_history(struct images *im, const char *ref, json_t **out, struct err *e)
{
    _cleanup_(about_release) struct about a = {0};
    size_t i, layer = 0;
    const json_t *step;
    if (about(im, ref, &a, e) < 0)
        return -1;
    json_t *rows = json_array();
    json_array_foreach(json_object_get(a.config, "history"), i, step)
    {
        const bool empty = jbool(step, "empty_layer", false);
        const char *name = !empty && layer < a.layers.len ? a.layers.items[layer] : NULL;
        layer += !empty;
        json_array_insert_new(rows, 0,
                              json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "Id", "<missing>", "Created",
                                        jstr_or(step, "created", ""), "CreatedBy", jstr_or(step, "created_by", ""),
                                        "Size", (json_int_t)(name ? layer_bytes(im, name) : 0), "Comment",
                                        jstr_or(step, "comment", ""), "Layer", name ? name : ""));
    }
    for (; layer < a.layers.len; layer++) /* an image need not tell how it was made */
        json_array_insert_new(rows, 0,
                              json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "Id", "<missing>", "Created",
                                        jstr_or(a.config, "created", ""), "CreatedBy", "", "Size",
                                        (json_int_t)layer_bytes(im, a.layers.items[layer]), "Comment", "", "Layer",
                                        a.layers.items[layer]));
    if (json_array_size(rows))
        json_object_set_new(json_array_get(rows, 0), "Id", json_string(a.id));
    *out = rows;
    return 0;
}
