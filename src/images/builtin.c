/* builtin.c - an image of the catalogue, made: its config as OCI has it, its layers from content.c.
 *
 * A built-in image looks like any other from outside: one config says what runs in it, for the kubelet as for `stowage
 * image inspect` and an export. Its digest is of its name, since its bytes are this machine's. THREADS: any. */
#include "images/images_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define BIRTH "2025-06-01T00:00:00Z" /* of every built-in image */

/* "…@VERSION@…" with the version. Returns new. */
static char *with_version(const char *word, const char *version)
{
    const char *mark = strstr(word, "@VERSION@");
    return mark ? xasprintf("%.*s%s%s", (int)(mark - word), word, version, mark + 9) : xstrdup(word);
}

static json_t *words(const char *const *list, size_t max, const char *version)
{
    json_t *a = json_array();
    for (size_t i = 0; i < max && list[i]; i++) {
        _auto_free_ char *word = with_version(list[i], version);
        json_array_append_new(a, json_string(word));
    }
    return a;
}

static void set_words(json_t *config, const char *key, const char *const *list, size_t max, const char *version)
{
    if (list[0])
        json_object_set_new(config, key, words(list, max, version));
}

static void add_step(json_t *history, const char *text, bool empty)
{
    json_t *step = json_pack("{s:s, s:s}", "created", BIRTH, "created_by", text);
    if (empty)
        json_object_set_new(step, "empty_layer", json_true());
    json_array_append_new(history, step);
}

static void add_words_step(json_t *history, const char *what, const json_t *list)
{
    if (!list)
        return;
    _auto_free_ char *text = json_dumps(list, 0), *step = xasprintf("%s %s", what, text);
    add_step(history, step, true);
}

static json_t *history_of(const struct image_def *def, const json_t *config, const char *version)
{
    json_t *history = json_array();
    _auto_free_ char *os =
        xasprintf("# %s %s, a busybox userland", def->os ? def->os : "", def->os_version ? def->os_version : version);
    _auto_free_ char *app = xasprintf("COPY %s %s / # built in", def->app ? def->app : "", version);
    if (def->os)
        add_step(history, os, false);
    if (def->app)
        add_step(history, app, false);
    add_words_step(history, "ENV", json_object_get(config, "Env"));
    add_words_step(history, "ENTRYPOINT", json_object_get(config, "Entrypoint"));
    add_words_step(history, "CMD", json_object_get(config, "Cmd"));
    return history;
}

json_t *builtin_config(const struct image_def *def, const char *version)
{
    json_t *config = json_object();
    set_words(config, "Entrypoint", def->entrypoint, ARRAY_LEN(def->entrypoint), version);
    set_words(config, "Cmd", def->cmd, ARRAY_LEN(def->cmd), version);
    set_words(config, "Env", def->env, ARRAY_LEN(def->env), version);
    if (def->workdir)
        json_object_set_new(config, "WorkingDir", json_string(def->workdir));
    if (def->user)
        json_object_set_new(config, "User", json_string(def->user));
    if (def->volume)
        json_object_set_new(config, "Volumes", json_pack("{s:{}}", def->volume));
    if (def->port)
        json_object_set_new(config, "ExposedPorts", json_pack("{s:{}}", def->port));
    if (def->stop_signal)
        json_object_set_new(config, "StopSignal", json_string(def->stop_signal));
    json_t *history = history_of(def, config, version);
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "created", BIRTH, "architecture", machine_arch(), "os", "linux",
                     "config", config, "history", history);
}

char *builtin_digest(const char *canonical)
{
    struct sha256 s;
    char hex[SHA256_TEXT_LEN];
    sha256_init(&s);
    sha256_add(&s, "stowage", 7);
    sha256_add(&s, canonical, strlen(canonical));
    sha256_hex(&s, hex);
    return xasprintf("sha256:%s", hex);
}

bool builtin_find(const struct image_name *n, const struct image_def **out_def, char **out_version)
{
    _auto_free_ char *repository = xasprintf("%s/%s", n->domain, n->path);
    for (const struct image_def *def = NULL; (def = catalogue_find(repository, def));)
        if (tag_find(def->tags, n->tag ? n->tag : "latest", out_version)) {
            *out_def = def;
            return true;
        }
    return false;
}

/* Variants of an image on another distribution say so in their tag. */
static const char *os_layer(const struct image_def *def, const char *tag, const char **out_version)
{
    if (strstr(tag, "alpine") && str_eq(def->os, "debian")) {
        *out_version = "3.21.3";
        return "alpine";
    }
    *out_version = def->os_version;
    return def->os;
}

static int add_layer(struct images *im, const char *id, const char *version, struct strlist *out, struct err *e)
{
    const struct layer_def *def = layer_by_id(id);
    if (!def)
        BUG("the catalogue names an unknown layer: %s", id);
    _auto_free_ char *path = NULL;
    bool made = false;
    if (layer_make(im->layers, def, version, &path, &made, e) < 0)
        return -1;
    strlist_add(out, strrchr(path, '/') + 1);
    return 0;
}

int builtin_layers(struct images *im, const struct image_def *def, const char *tag, const char *version,
                   struct strlist *out, struct err *e)
{
    const char *os_version = NULL, *os = os_layer(def, tag ? tag : "", &os_version);
    if (os && add_layer(im, os, os_version ? os_version : version, out, e) < 0)
        return -1;
    return def->app ? add_layer(im, def->app, version, out, e) : 0;
}
