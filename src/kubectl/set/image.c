/* image.c - kubectl set image: images of containers by their names, or of all ("*"). */
#include "kubectl/set/set_int.h"

#include "base/json.h"
#include "base/str.h"

#include <string.h>

static const struct kubectl_flag flags[] = {SET_FLAGS, {NULL}};

struct wish {
    char *name;
    const char *image;
};
struct wishes {
    struct wish *items;
    size_t len;
};

static bool set_list(const json_t *spec, const char *list, const struct wish *w, json_t *piece)
{
    bool found = false;
    size_t i;
    const json_t *container;
    json_array_foreach(json_object_get(spec, list), i, container)
    {
        const char *name = jstr_or(container, "name", "");
        if (!str_eq(w->name, "*") && !str_eq(w->name, name))
            continue;
        found = true;
        if (!str_eq(jstr(container, "image"), w->image))
            set_container(piece, list, name, "image", json_string(w->image));
    }
    return found;
}

static int patch(struct call *c, const struct kind *kind, const json_t *object, void *arg, json_t **out, struct err *e)
{
    const struct wishes *all = arg;
    const json_t *spec = set_pod_spec(object, e);
    _auto_json_ json_t *piece = json_object();
    (void)kind;
    if (!spec)
        return -1;
    for (size_t i = 0; i < all->len; i++) {
        const bool first = set_list(spec, "initContainers", &all->items[i], piece);
        if (!set_list(spec, "containers", &all->items[i], piece) && !first)
            set_fail(c, "unable to find container named \"%s\"", all->items[i].name);
    }
    if (json_object_size(piece))
        *out = set_wrap(object, TAKE(piece));
    return 0;
}

static bool is_pair(const char *word)
{
    return (strchr(word, '=') && word[0] != '=') || (str_ends(word, "-") && !str_eq(word, "-"));
}

/* Words are objects, then pairs. False: told. */
static bool parse(struct call *c, struct wishes *out)
{
    _auto_buf_ struct buf bad = BUF_INIT;
    size_t i = 0;
    while (i < c->words.len && !is_pair(c->words.items[i]))
        i++;
    for (; i < c->words.len; i++) {
        const char *word = c->words.items[i], *equals = strchr(word, '=');
        if (!is_pair(word)) {
            set_fail(c, "all resources must be specified before image changes: %s", word);
            return false;
        }
        if (equals)
            out->items[out->len++] = (struct wish){xstrndup(word, (size_t)(equals - word)), equals + 1};
        else
            buf_addf(&bad, "%s%s", bad.len ? ", " : "", word);
    }
    if (bad.len)
        set_fail(c, "invalid image format: %s", buf_str(&bad));
    return !bad.len;
}

static bool every(const struct wishes *w)
{
    for (size_t i = 0; i < w->len; i++)
        if (str_eq(w->items[i].name, "*"))
            return true;
    return false;
}

static int run_with(struct call *c, struct wishes *w)
{
    if (!parse(c, w) || !set_flags_fit(c))
        return c->code;
    const struct set_change s = {.done = "image updated",
                                 .failed = "failed to patch image update to pod template: ",
                                 .leave = w->len,
                                 .patch = patch,
                                 .arg = w};
    const bool named = c->words.len > w->len || call_has_files(c);
    if (named && w->len == 0)
        set_fail(c, "at least one image update is required");
    else if (named && w->len > 1 && every(w))
        set_fail(c, "all containers are already specified by *, but saw more than one container_name=container_image "
                    "pairs");
    else
        return set_all(c, &s);
    return c->code;
}

static int run(struct call *c)
{
    struct wishes w = {.items = xcalloc(c->words.len + 1, sizeof *w.items)};
    const int code = run_with(c, &w);
    for (size_t i = 0; i < w.len; i++)
        free_cleanup(&w.items[i].name);
    free_cleanup(&w.items);
    return code;
}

const struct kubectl_verb set_image = {
    .name = "image",
    .summary = "Update the image of a pod template",
    .usage = "(-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... CONTAINER_NAME_N=CONTAINER_IMAGE_N",
    .flags = flags,
    .takes = TAKES_KINDS,
    .run = run,
};
