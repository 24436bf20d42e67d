/* mutate.c - see mutate.h.
 *
 * DESIGN: the solution is played once more, and the edit hook of play.h changes one object on its way, so a mutant is
 * only two numbers. A mutation says whether it applies to an object, and applies itself. THREADS: pure but for reading
 * files. */
#include "lab/mutate.h"

#include "api/decode.h"
#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>

/* ---- mutations: true when done ---- */

static bool other_name(json_t *o)
{
    const char *name = jstr(o, "metadata.name");
    if (!name)
        return false;
    _auto_free_ char *other = xasprintf("%s-x", name);
    jset_str(o, "metadata.name", other);
    return true;
}

/* kube-public is everywhere, and nobody looks there. */
static bool other_namespace(json_t *o)
{
    static const char *const namespaced[] = {"PersistentVolumeClaim",
                                             "Pod",
                                             "Deployment",
                                             "StatefulSet",
                                             "ConfigMap",
                                             "Secret",
                                             "Service",
                                             "Job",
                                             "DaemonSet",
                                             NULL};
    for (size_t i = 0; namespaced[i]; i++)
        if (str_eq(jstr(o, "kind"), namespaced[i])) {
            jset_str(o, "metadata.namespace", "kube-public");
            return true;
        }
    return false;
}

static bool twice(json_t *o, const char *path)
{
    struct quantity q;
    char text[QUANTITY_TEXT_LEN];
    const char *now = jstr(o, path);
    if (!now || quantity_parse(now, &q) < 0)
        return false;
    const struct quantity once = q;
    quantity_add(&q, &once);
    quantity_format(&q, text);
    jset_str(o, path, text);
    return true;
}

static bool other_size(json_t *o)
{
    return twice(o, "spec.resources.requests.storage") || twice(o, "spec.capacity.storage");
}

static bool other_mode(json_t *o)
{
    const json_t *modes = jat(o, "spec.accessModes");
    const char *first = json_string_value(json_array_get(modes, 0));
    if (!first)
        return false;
    jset(o, "spec.accessModes", json_pack("[s]", str_eq(first, "ReadWriteOnce") ? "ReadWriteMany" : "ReadWriteOnce"));
    return true;
}

static bool other_class(json_t *o)
{
    if (!str_eq(jstr(o, "kind"), "PersistentVolumeClaim") && !str_eq(jstr(o, "kind"), "PersistentVolume"))
        return false;
    if (!jstr(o, "spec.storageClassName"))
        return false;
    jset_str(o, "spec.storageClassName", "another-class");
    return true;
}

static bool other_policy(json_t *o)
{
    static const char *const paths[] = {"spec.persistentVolumeReclaimPolicy", "reclaimPolicy"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (jstr(o, paths[i])) {
            jset_str(o, paths[i], str_eq(jstr(o, paths[i]), "Retain") ? "Delete" : "Retain");
            return true;
        }
    return false;
}

static bool no_object(json_t *o)
{
    json_object_clear(o);
    return true;
}

static const struct {
    const char *what;
    bool (*apply)(json_t *o);
} mutations[] = {
    {"left out", no_object},
    {"another name", other_name},
    {"in another namespace", other_namespace},
    {"twice the size", other_size},
    {"another access mode", other_mode},
    {"another class", other_class},
    {"another reclaim policy", other_policy},
};

/* ---- all that apply ---- */

void mutants_release(struct mutants *m)
{
    for (size_t i = 0; i < m->len; i++)
        free(m->items[i].what);
    free(m->items);
    *m = (struct mutants){0};
}

static void add_mutants(struct mutants *to, const json_t *object, size_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(mutations); i++) {
        _auto_json_ json_t *copy = json_deep_copy(object);
        if (!mutations[i].apply(copy))
            continue;
        if (to->len == to->cap) {
            to->cap = to->cap ? to->cap * 2 : 32;
            to->items = xrealloc(to->items, to->cap * sizeof *to->items);
        }
        to->items[to->len++] = (struct mutant){number, i,
                                               xasprintf("%s %s: %s", jstr_or(object, "kind", ""),
                                                         jstr_or(object, "metadata.name", ""), mutations[i].what)};
    }
}

static void add_list(struct mutants *to, const json_t *list, size_t *number)
{
    size_t i;
    const json_t *x;
    json_array_foreach(list, i, x) if (str_eq(jstr(x, "kind"), "List"))
        add_list(to, json_object_get(x, "items"), number);
    else if (!json_is_null(x)) add_mutants(to, x, (*number)++);
}

static int add_file(const struct lab *lab, const char *file, struct mutants *to, size_t *number, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_json_ json_t *docs = NULL;
    if (lab_file(lab, file, &text, e) < 0 || yaml_parse_all(buf_str(&text), text.len, &docs, e) < 0)
        return err_wrap(e, "%s", file);
    add_list(to, docs, number);
    return 0;
}

static int add_action(const struct lab *lab, const json_t *action, struct mutants *to, size_t *number, struct err *e)
{
    const json_t *files = json_object_get(action, "apply"), *file;
    size_t i;
    if (json_is_string(files))
        return add_file(lab, json_string_value(files), to, number, e);
    json_array_foreach(files, i, file) if (add_file(lab, json_string_value(file), to, number, e) < 0) return -1;
    add_list(to, json_object_get(action, "objects"), number);
    return 0;
}

int mutants_of(const struct lab *lab, struct mutants *out, struct err *e)
{
    struct mutants m = {0};
    size_t s, a, number = 0;
    const json_t *step, *action;
    json_array_foreach(json_object_get(lab->tree, "steps"), s, step) json_array_foreach(
        json_object_get(step, "solution"), a, action) if (add_action(lab, action, &m, &number, e) < 0)
    {
        mutants_release(&m);
        return -1;
    }
    *out = m;
    return 0;
}

void spoil(void *arg, json_t *object)
{
    struct spoiler *s = arg;
    if (s->seen++ == s->mutant->object)
        mutations[s->mutant->mutation].apply(object);
}
