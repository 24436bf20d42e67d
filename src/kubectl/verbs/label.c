/* label.c - `kubectl label` and `kubectl annotate`: one verb over two maps; a row of marks[] says what differs. */
#include "base/json.h"
#include "base/str.h"
#include "kubectl/verbs/modify.h"
#include "kubectl/pairs.h"
#include "kubectl/verbs/verbs_int.h"

#include <string.h>

#define MERGE        "application/merge-patch+json"
#define CHANGE_CAUSE "kubernetes.io/change-cause"

struct mark {
    const char *word, *member, *done;
};
static const struct mark labels = {"label", "labels", "labeled"};
static const struct mark annotations = {"annotation", "annotations", "annotated"};

struct marking {
    const struct mark *mark;
    struct pairs pairs;
    struct change change;
    bool list, single, local;
};

/* What stands there and would be lost, in each verb's words. */
static int refuse_overwrite(const struct marking *m, const json_t *object, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    const bool label = m->mark == &labels;
    const char *key;
    json_t *value;
    json_object_foreach(m->pairs.put, key, value)
    {
        const json_t *has = json_object_get(json_object_get(json_object_get(object, "metadata"), m->mark->member), key);
        if (has == NULL || json_equal(has, value) || (!label && str_eq(key, CHANGE_CAUSE)))
            continue;
        if (label)
            return err_set(e, ERR_CONFLICT, "'%s' already has a value (%s), and --overwrite is false", key,
                           json_string_value(has));
        buf_addf(&text, "%s'%s' already has a value (%s)", text.len > 0 ? "; " : "", key, json_string_value(has));
    }
    if (text.len > 0)
        return err_set(e, ERR_CONFLICT, "--overwrite is false but found the following declared annotation(s): %s",
                       buf_str(&text));
    return 0;
}

/* The patch, and the object with it. Returns new patch. */
static json_t *mark_object(struct call *c, const struct marking *m, json_t *object)
{
    json_t *map = json_object(), *patch = json_pack("{s:{s:o}}", "metadata", m->mark->member, map);
    const char *key, *version = call_text(c, "resource-version");
    json_t *value;
    _auto_free_ char *path = xasprintf("metadata.%s", m->mark->member);
    json_t *has = jmake_obj(object, path);
    json_object_foreach(m->pairs.put, key, value)
    {
        json_object_set(map, key, value);
        json_object_set(has, key, value);
    }
    for (size_t i = 0; i < m->pairs.remove.len; i++) {
        json_object_set_new(map, m->pairs.remove.items[i], json_null());
        json_object_del(has, m->pairs.remove.items[i]);
    }
    if (json_object_size(has) == 0)
        jdel(object, path);
    if (*version)
        jset_str(patch, "metadata.resourceVersion", version);
    return patch;
}

/* "labeled", "unlabeled", "not labeled": told from what became of the object. */
static const char *done_word(struct call *c, const struct marking *m, const json_t *before, const json_t *after)
{
    if (m->mark != &labels)
        return m->mark->done;
    _auto_free_ char *a = json_text(before), *b = json_text(after);
    if (json_equal(before, after))
        return "not labeled";
    return !call_bool(c, "overwrite") && strlen(b) < strlen(a) ? "unlabeled" : "labeled";
}

static void list_marks(struct call *c, const struct marking *m, const struct target *t, const json_t *object)
{
    const char *key, *indent = m->single ? "" : " ";
    json_t *value;
    if (!m->single)
        fprintf(c->k->out, "Listing %s for %s.%s/%s:\n", m->mark->member, t->kind->kind, t->kind->group,
                jstr_or(object, "metadata.name", ""));
    json_object_foreach(json_object_get(json_object_get(object, "metadata"), m->mark->member), key, value)
    {
        fprintf(c->k->out, "%s%s=%s\n", indent, key, json_string_value(value));
    }
}

static void tell_not_there(struct call *c, const struct marking *m, const json_t *object)
{
    for (size_t i = 0; m->mark == &labels && i < m->pairs.remove.len; i++)
        if (jmap(object, "metadata.labels", m->pairs.remove.items[i]) == NULL)
            fprintf(c->k->out, "label \"%s\" not found.\n", m->pairs.remove.items[i]);
}

static int mark_one(struct call *c, const struct target *t, json_t *object, void *arg)
{
    struct marking *m = arg;
    struct err e = ERR_INIT;
    _auto_json_ json_t *before = json_clone(object), *after = NULL;
    _auto_buf_ struct buf path = BUF_INIT;
    bool only_here = m->change.dry == DRY_CLIENT || m->local || m->list;
    if (!call_bool(c, "overwrite") && refuse_overwrite(m, object, &e) < 0)
        return call_error(c, &e), 0;
    if (!only_here)
        tell_not_there(c, m, object);
    _auto_json_ json_t *patch = mark_object(c, m, object);
    kind_path(t->kind, jstr(object, "metadata.namespace"), jstr_or(object, "metadata.name", ""), NULL, &path);
    if (!only_here && change_send(c, &m->change, "PATCH", buf_str(&path), patch, MERGE, &after, &e) < 0)
        return call_error(c, &e), 0;
    if (m->list)
        list_marks(c, m, t, object);
    else
        change_tell(c, &m->change, t->kind, after != NULL ? after : object, done_word(c, m, before, object));
    return 0;
}

/* Of files with --local nothing is asked. */
static void mark_local(struct call *c, const struct targets *all, struct marking *m)
{
    for (size_t i = 0; i < all->len; i++) {
        _auto_json_ json_t *object = json_clone(all->items[i].object);
        mark_one(c, &all->items[i], object, m);
    }
}

static int check(struct call *c, const struct marking *m)
{
    bool files = call_has_files(c);
    bool local = call_bool(c, "local");
    if (m->list && *call_text(c, "output"))
        return call_fail(c, "--list and --output may not be specified together");
    if (call_bool(c, "all") && *call_text(c, "selector"))
        return call_fail(c, "cannot set --all and --selector at the same time");
    if (call_bool(c, "all") && *call_text(c, "field-selector"))
        return call_fail(c, "cannot set --all and --field-selector at the same time");
    if (!local && m->pairs.words == 0 && !files)
        return call_fail(c, "one or more resources must be specified as <resource> <name> or <resource>/<name>");
    if (local && m->pairs.words > 0)
        return call_fail(c, "can only use local files by -f %s --local=true is set",
                         m->mark == &labels ? "pod.yaml or --filename=pod.json when"
                                            : "rsrc.yaml or --filename=rsrc.json when");
    if (json_object_size(m->pairs.put) == 0 && m->pairs.remove.len == 0 && !m->list)
        return call_fail(c, "at least one %s update is required", m->mark->word);
    return 0;
}

static int mark_run(struct call *c, const struct mark *mark)
{
    _auto_targets_ struct targets t = {0};
    struct err e = ERR_INIT;
    struct marking m = {.mark = mark, .list = call_bool(c, "list"), .local = call_bool(c, "local")};
    if (change_begin(c, &m.change) < 0)
        return c->code;
    if (pairs_parse(&c->words, mark->word, &m.pairs, &e) < 0)
        call_error(c, &e);
    else if (check(c, &m) == 0 &&
             targets_of(c, &(struct targets_opts){.leave = c->words.len - m.pairs.words}, &t) == 0) {
        m.single = t.single;
        if (!m.single && *call_text(c, "resource-version"))
            call_fail(c, "--resource-version may only be used with a single resource");
        else if (m.local)
            mark_local(c, &t, &m);
        else
            targets_visit(c, &t, mark_one, &m);
    }
    change_end(c, &m.change);
    pairs_release(&m.pairs);
    return c->code;
}

static int label_run(struct call *c)
{
    return mark_run(c, &labels);
}

static int annotate_run(struct call *c)
{
    return mark_run(c, &annotations);
}

#define MARK_FLAGS(manager)                                                                                            \
    FLAGS_OUTPUT, FLAGS_FILES("Files whose objects are marked"), FLAGS_SELECTOR, FLAGS_FIELDS, FLAGS_ALL_NAMESPACES,   \
        FLAGS_ALL, FLAGS_DRY_RUN, FLAGS_MANAGER(manager),                                                              \
        {"overwrite", 0, FLAG_BOOL, NULL, "What is there may be replaced"},                                            \
        {"list", 0, FLAG_BOOL, NULL, "Show them all, as they are then"},                                               \
        {"local", 0, FLAG_BOOL, NULL, "Ask no server: only print what of the files becomes"},                          \
        {"resource-version", 0, FLAG_TEXT, NULL, "Only if this is the object's version"},                              \
    {                                                                                                                  \
        0                                                                                                              \
    }
static const struct kubectl_flag label_flags[] = {MARK_FLAGS("kubectl-label")};
static const struct kubectl_flag annotate_flags[] = {MARK_FLAGS("kubectl-annotate")};

const struct kubectl_verb kubectl_label = {
    .name = "label",
    .summary = "Update the labels on a resource",
    .usage = "[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version] "
             "[options]",
    .help = "  kubectl label pods web tier=front\n  kubectl label --overwrite pods web tier=back\n"
            "  kubectl label node node01 disk-\n  kubectl label pods --all team=a\n",
    .flags = label_flags,
    .takes = TAKES_KINDS,
    .run = label_run,
};

const struct kubectl_verb kubectl_annotate = {
    .name = "annotate",
    .summary = "Update the annotations on a resource",
    .usage = "[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version] "
             "[options]",
    .help = "  kubectl annotate pods web note='a text'\n  kubectl annotate pods web note-\n",
    .flags = annotate_flags,
    .takes = TAKES_KINDS,
    .run = annotate_run,
};
