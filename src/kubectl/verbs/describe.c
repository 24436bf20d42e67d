/* describe.c - `kubectl describe`: objects in words, with what belongs to them and their events.
 *
 * DESIGN: this asks (the objects, then related.c for the rest) and describe/ writes. A name that nothing has is taken
 * as the beginning of names. */
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/describe/describe.h"
#include "kubectl/describe/related.h"
#include "kubectl/targets.h"
#include "kubectl/verbs/verbs_int.h"

#include <string.h>

struct describing {
    size_t done;
    const char *prefix; /* of names; NULL: all */
};

static int describe_one(struct call *c, const struct target *t, json_t *object, void *arg)
{
    struct describing *d = arg;
    struct err e = ERR_INIT;
    _auto_json_ json_t *related = NULL;
    _auto_buf_ struct buf text = BUF_INIT;
    if (d->prefix != NULL && !str_starts(jstr_or(object, "metadata.name", ""), d->prefix))
        return 0;
    if (related_ask(c, t->kind, object, call_bool(c, "show-events"), &related, &e) < 0) {
        call_error(c, &e);
        return 0;
    }
    const char *fault = describe_refuses(object);
    if (fault) {
        call_fail(c, "%s", fault);
        return 0;
    }
    describe_object(&text, object, related, clock_wall_ns(clock_real()));
    if (d->prefix == NULL && d->done > 0)
        fputs("\n\n", c->k->out);
    fwrite(buf_str(&text), 1, text.len, c->k->out);
    if (d->prefix != NULL)
        fputc('\n', c->k->out);
    d->done++;
    return 0;
}

/* One object by its name, else those whose names begin with it. */
static int describe_named(struct call *c, const struct targets *all)
{
    const struct target *t = &all->items[0];
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_json_ json_t *object = NULL, *why = NULL;
    struct err e = ERR_INIT;
    struct describing d = {0};
    target_path(all, t, &path);
    if (call_json(c, "GET", buf_str(&path), NULL, NULL, &object, &e) == 0)
        return describe_one(c, t, object, &d), c->code;
    if (!call_not_found(c))
        return call_error(c, &e);
    why = json_incref(c->failure);
    _auto_targets_ struct targets every = {.labels = xstrdup(""), .fields = xstrdup("")};
    targets_add(&every, t->kind, t->ns, NULL);
    d.prefix = t->name;
    targets_visit(c, &every, describe_one, &d);
    if (d.done > 0 || c->code != 0)
        return c->code;
    json_decref(c->failure);
    c->failure = json_incref(why);
    return call_error(c, &e);
}

static int describe_run(struct call *c)
{
    _auto_targets_ struct targets t = {0};
    struct describing d = {0};
    if (c->words.len == 0 && !call_has_files(c))
        return call_fail(c, "You must specify the type of resource to describe. Use \"kubectl api-resources\" for a "
                            "complete list of supported resources.");
    if (targets_of(c, &(struct targets_opts){.all = true}, &t) < 0)
        return c->code;
    if (c->words.len == 2 && t.single)
        return describe_named(c, &t);
    targets_visit(c, &t, describe_one, &d);
    if (d.done > 0 || c->code != 0)
        return c->code;
    if (t.everywhere)
        fputs("No resources found\n", c->k->err);
    else
        fprintf(c->k->err, "No resources found in %s namespace.\n", call_namespace(c));
    return 0;
}

static const struct kubectl_flag flags[] = {
    FLAGS_FILES("Files whose objects are described"),
    FLAGS_SELECTOR,
    FLAGS_ALL_NAMESPACES,
    FLAGS_CHUNK,
    {"show-events", 0, FLAG_BOOL, "true", "The object's events, too"},
    {0},
};

const struct kubectl_verb kubectl_describe = {
    .name = "describe",
    .summary = "Show details of a specific resource or group of resources",
    .usage = "(-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME) [options]",
    .help = "  kubectl describe nodes node01\n  kubectl describe pods/web\n  kubectl describe pvc\n"
            "  kubectl describe po -l app=web\n",
    .flags = flags,
    .takes = TAKES_KINDS,
    .run = describe_run,
};
