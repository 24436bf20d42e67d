/* resources.c - kubectl set resources: limits and requests of containers. */
#include "kubectl/set/set_int.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/str.h"

#include <string.h>

static const struct kubectl_flag flags[] = {
    SET_FLAGS,
    {"containers", 'c', FLAG_TEXT, "*", "Which containers: a name, with '*' for any characters", NULL},
    {"limits", 0, FLAG_TEXT, NULL, "cpu=100m,memory=256Mi", NULL},
    {"requests", 0, FLAG_TEXT, NULL, "cpu=100m,memory=256Mi", NULL},
    {NULL},
};

/* "cpu=1,memory=2Gi". NULL: told. */
static json_t *parse(struct call *c, const char *text)
{
    _auto_json_ json_t *out = json_object();
    _auto_strlist_ struct strlist parts = {0};
    struct quantity q;
    if (*text)
        strlist_split(&parts, text, ',');
    for (size_t i = 0; i < parts.len; i++) {
        char *equals = strchr(parts.items[i], '=');
        if (!equals || strchr(equals + 1, '=')) {
            set_fail(c, "Invalid argument syntax %s, expected <resource>=<value>", parts.items[i]);
            return NULL;
        }
        *equals = '\0';
        if (quantity_parse(equals + 1, &q) < 0) {
            set_fail(c, "quantities must match the regular expression "
                        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
            return NULL;
        }
        json_object_set_new(out, parts.items[i], json_string(equals + 1));
    }
    return TAKE(out);
}

/* How many containers are meant. */
static size_t set_list(struct call *c, const json_t *spec, const char *list, const json_t *wished, json_t *piece)
{
    size_t i, found = 0;
    const json_t *container;
    json_array_foreach(json_object_get(spec, list), i, container)
    {
        const char *name = jstr_or(container, "name", "");
        if (!set_selects(call_text(c, "containers"), name))
            continue;
        found++;
        _auto_json_ json_t *other = json_deep_copy(json_object_get(container, "resources"));
        if (!other)
            other = json_object();
        json_object_update_recursive(other, (json_t *)(uintptr_t)wished);
        if (!json_equal(other, json_object_get(container, "resources")))
            set_container(piece, list, name, "resources", json_deep_copy(wished));
    }
    return found;
}

static int patch(struct call *c, const struct kind *kind, const json_t *object, void *arg, json_t **out, struct err *e)
{
    const json_t *spec = set_pod_spec(object, e);
    _auto_json_ json_t *piece = json_object();
    (void)kind;
    if (!spec)
        return -1;
    if (set_list(c, spec, "containers", arg, piece) + set_list(c, spec, "initContainers", arg, piece) == 0)
        set_fail(c, "unable to find container named %s", call_text(c, "containers"));
    if (json_object_size(piece))
        *out = set_wrap(object, TAKE(piece));
    return 0;
}

static int run(struct call *c)
{
    if (!set_flags_fit(c))
        return c->code;
    const bool named = c->words.len || call_has_files(c);
    if (named && !*call_text(c, "limits") && !*call_text(c, "requests")) {
        set_fail(c, "you must specify an update to requests or limits (in the form of --requests/--limits)");
        return c->code;
    }
    _auto_json_ json_t *limits = parse(c, call_text(c, "limits"));
    _auto_json_ json_t *requests = limits ? parse(c, call_text(c, "requests")) : NULL;
    _auto_json_ json_t *wished = json_object();
    if (!limits || !requests)
        return c->code;
    if (json_object_size(limits))
        json_object_set(wished, "limits", limits);
    if (json_object_size(requests))
        json_object_set(wished, "requests", requests);
    const struct set_change s = {.done = "resource requirements updated",
                                 .failed = "failed to patch resources update to pod template ",
                                 .patch = patch,
                                 .arg = wished};
    return set_all(c, &s);
}

const struct kubectl_verb set_resources = {
    .name = "resources",
    .summary = "Update resource requests/limits on objects with pod templates",
    .usage = "(-f FILENAME | TYPE NAME)  ([--limits=LIMITS & --requests=REQUESTS]",
    .flags = flags,
    .takes = TAKES_KINDS,
    .run = run,
};
