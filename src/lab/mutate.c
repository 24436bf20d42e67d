/* mutate.c - see mutate.h.
 *
 * DESIGN: the solution is played once more, and the hooks of play.h change one object or one action on its way, so a
 * mutant is little more than two numbers. A mutation says whether it applies, and applies itself. THREADS: pure but for
 * reading files. */
#include "lab/mutate_int.h"

#include "api/decode.h"
#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- actions: what is done instead, new; NULL: it does not apply ---- */

/* Nothing. What only waits, and what is done by objects, is not among them. */
static json_t *left_out(const json_t *action)
{
    static const char *const fields[] = {"run", "delete", "disk"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (json_object_get(action, fields[i]))
            return json_object();
    return NULL;
}

/* The first size in a text: digits and Mi, Gi or Ti. NULL: none. */
static const char *find_size(const char *text, size_t *out_len)
{
    for (const char *p = text; *p; p++) {
        const size_t digits = strspn(p, "0123456789");
        if (!digits)
            continue;
        const char *unit = p + digits;
        if (strchr("MGT", *unit) && *unit && unit[1] == 'i' && !isalnum((unsigned char)unit[2])) {
            *out_len = digits + 2;
            return p;
        }
        p = unit - 1;
    }
    return NULL;
}

static json_t *script_size(const json_t *action)
{
    const char *text = jstr(action, "run");
    size_t len;
    const char *at = text ? find_size(text, &len) : NULL;
    if (!at)
        return NULL;
    _auto_free_ char *size = xstrndup(at, len);
    _auto_json_ json_t *holder = json_pack("{s:s}", "size", size);
    twice(holder, "size");
    _auto_free_ char *other = xasprintf("%.*s%s%s", (int)(at - text), text, jstr(holder, "size"), at + len);
    json_t *changed = json_deep_copy(action);
    jset_str(changed, "run", other);
    return changed;
}

static const struct {
    const char *what;
    json_t *(*apply)(const json_t *action);
} changes[] = {
    {"left out", left_out},
    {"twice the size", script_size},
};

/* "the script "kubectl patch…"", "delete pod/web". */
static void action_name(const json_t *action, struct buf *out)
{
    const char *run = jstr(action, "run");
    if (run)
        buf_addf(out, "`%.*s`", (int)strcspn(run, "\n"), run);
    else if (json_object_get(action, "delete"))
        buf_addf(out, "delete %s", jstr(action, "delete.of"));
    else
        buf_addf(out, "disk %s", jstr_or(action, "disk.name", ""));
}

/* ---- all that apply ---- */

void mutants_release(struct mutants *m)
{
    for (size_t i = 0; i < m->len; i++) {
        free(m->items[i].what);
        json_decref(m->items[i].object);
    }
    free(m->items);
    *m = (struct mutants){0};
}

static void add_mutant(struct mutants *to, struct mutant take_mutant)
{
    if (to->len == to->cap) {
        to->cap = to->cap ? to->cap * 2 : 32;
        to->items = xrealloc(to->items, to->cap * sizeof *to->items);
    }
    to->items[to->len++] = take_mutant;
}

/* What is gone through: all steps' solutions, counted as they are played. */
struct walk {
    const struct lab *lab;
    struct mutants *to;
    const char *step;
    size_t objects, actions;
    bool judged;    /* the step has checks: what it does is asked for */
    bool solution;  /* else what prepares: only its objects are of interest, for they may be made again */
    bool last;      /* of the last step in which something is done */
    json_t *living; /* objects made before the last step's solution, by what they are */
    json_t *late;   /* and those by it */
};

static void walk_living(const struct walk *w, const json_t *object)
{
    const char *ns = jstr_or(object, "metadata.namespace", "default");
    if (!live_applies(object) || !jstr(object, "metadata.name"))
        return;
    _auto_free_ char *key = xasprintf("%s %s/%s", jstr(object, "kind"), ns, jstr(object, "metadata.name"));
    json_object_set_new(w->last && w->solution ? w->late : w->living, key,
                        json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", jstr_or(object, "apiVersion", "v1"), "kind",
                                  jstr(object, "kind"), "metadata", "name", jstr(object, "metadata.name"), "namespace",
                                  ns));
}

static void walk_object(struct walk *w, const json_t *object)
{
    walk_living(w, object);
    for (size_t i = 0; w->solution && i < ARRAY_LEN(mutations); i++) {
        _auto_json_ json_t *copy = json_deep_copy(object);
        if (mutations[i].apply(copy))
            add_mutant(w->to,
                       (struct mutant){.of = MUTANT_OBJECT,
                                       .index = w->objects,
                                       .mutation = i,
                                       .what = xasprintf("%s: %s %s: %s", w->step, jstr_or(object, "kind", ""),
                                                         jstr_or(object, "metadata.name", ""), mutations[i].what)});
    }
    w->objects += w->solution;
}

static void walk_list(struct walk *w, const json_t *list)
{
    size_t i;
    const json_t *x;
    json_array_foreach(list, i, x) if (str_eq(jstr(x, "kind"), "List")) walk_list(w, json_object_get(x, "items"));
    else if (!json_is_null(x)) walk_object(w, x);
}

static int walk_file(struct walk *w, const char *file, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_json_ json_t *docs = NULL;
    if (lab_file(w->lab, file, &text, e) < 0 || yaml_parse_all(buf_str(&text), text.len, &docs, e) < 0)
        return err_wrap(e, "%s", file);
    walk_list(w, docs);
    return 0;
}

static void walk_changes(const struct walk *w, const json_t *action)
{
    _auto_buf_ struct buf name = BUF_INIT;
    action_name(action, &name);
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        _auto_json_ json_t *changed = changes[i].apply(action);
        if (changed)
            add_mutant(w->to,
                       (struct mutant){.of = MUTANT_ACTION,
                                       .index = w->actions,
                                       .mutation = i,
                                       .what = xasprintf("%s: %s: %s", w->step, buf_str(&name), changes[i].what)});
    }
}

static int walk_actions(struct walk *w, const json_t *actions, struct err *e)
{
    size_t i, f;
    const json_t *action, *file;
    json_array_foreach(actions, i, action)
    {
        const json_t *files = json_object_get(action, "apply");
        if (json_is_string(files) && walk_file(w, json_string_value(files), e) < 0)
            return -1;
        json_array_foreach(files, f, file) if (walk_file(w, json_string_value(file), e) < 0) return -1;
        walk_list(w, json_object_get(action, "objects"));
        if (w->solution && w->judged)
            walk_changes(w, action);
        w->actions += w->solution;
    }
    return 0;
}

/* The last step in which more is done than to answer. */
static const json_t *last_doing(const struct lab *lab)
{
    const json_t *step, *action, *last = NULL;
    size_t s, a;
    json_array_foreach(json_object_get(lab->tree, "steps"), s, step)
        json_array_foreach(json_object_get(step, "solution"), a, action) if (!json_object_get(action, "answer")) last =
            step;
    return last;
}

static int walk_lab(struct walk *w, struct err *e)
{
    const json_t *steps = json_object_get(w->lab->tree, "steps"), *last = last_doing(w->lab), *step;
    static const char *const lists[] = {"setup", "faults", "solution"};
    size_t s;
    walk_list(w, jat(w->lab->tree, "cluster.objects"));
    if (walk_actions(w, json_object_get(w->lab->tree, "setup"), e) < 0)
        return -1;
    json_array_foreach(steps, s, step)
    {
        w->step = jstr(step, "name");
        w->last = step == last;
        w->judged = json_array_size(json_object_get(step, "checks"));
        for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
            w->solution = l + 1 == ARRAY_LEN(lists);
            if (walk_actions(w, json_object_get(step, lists[l]), e) < 0)
                return -1;
        }
    }
    return 0;
}

/* What was made at the very end is as good when it is made twice. */
static void add_living(struct walk *w)
{
    const char *key;
    json_t *object;
    json_object_foreach(w->living, key, object) if (!json_object_get(w->late, key))
        add_mutant(w->to, (struct mutant){.of = MUTANT_LIVE,
                                          .object = json_incref(object),
                                          .what = xasprintf("at the end: %s %s: deleted and created again",
                                                            jstr(object, "kind"), jstr(object, "metadata.name"))});
}

/* What the lab declares to be no miss. */
static void explain(const struct lab *lab, struct mutants *m, struct strlist *unknown)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(lab->tree, "equivalent"), i, row)
    {
        bool found = false;
        for (size_t k = 0; k < m->len; k++)
            if (str_eq(m->items[k].what, jstr(row, "nearMiss"))) {
                m->items[k].why = jstr(row, "why");
                found = true;
            }
        if (!found)
            strlist_add(unknown, jstr(row, "nearMiss"));
    }
}

int mutants_of(const struct lab *lab, struct mutants *out, struct strlist *unknown, struct err *e)
{
    struct mutants m = {0};
    _auto_json_ json_t *living = json_object(), *late = json_object();
    struct walk w = {.lab = lab, .to = &m, .step = "", .living = living, .late = late};
    if (walk_lab(&w, e) < 0) {
        mutants_release(&m);
        return -1;
    }
    add_living(&w);
    explain(lab, &m, unknown);
    *out = m;
    return 0;
}

/* ---- spoiling ---- */

static bool is_meant(const struct spoiler *s, enum mutant_of of, size_t index)
{
    return s->mutant->of == of && s->mutant->index == index;
}

json_t *spoil_action(void *arg, const json_t *action)
{
    struct spoiler *s = arg;
    if (!is_meant(s, MUTANT_ACTION, s->actions++))
        return json_incref((json_t *)(uintptr_t)action);
    s->done = true;
    return changes[s->mutant->mutation].apply(action);
}

void spoil_object(void *arg, json_t *object)
{
    struct spoiler *s = arg;
    if (is_meant(s, MUTANT_OBJECT, s->objects++))
        s->done = mutations[s->mutant->mutation].apply(object);
}

int spoil_solved(void *arg, struct lab_env *env, const json_t *step, struct err *e)
{
    struct spoiler *s = arg;
    return s->mutant->of == MUTANT_LIVE && step == last_doing(env->lab)
               ? live_recreate(env, s->mutant->object, &s->done, e)
               : 0;
}
