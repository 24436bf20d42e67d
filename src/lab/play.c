/* play.c - see play.h.
 *
 * How to add an action: its fields in format.c, a row in kinds_of_action[]. */
#include "lab/play.h"

#include "api/decode.h"
#include "api/jsonpath.h"
#include "base/json.h"
#include "base/mem.h"
#include "lab/check.h"
#include "lab/fields.h"
#include "lab/script.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#define SCRIPT_MS 120000
#define WAIT_MS   60000

static void pause_ms(int64_t ms)
{
    const struct timespec t = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

/* A solution that is spoilt waits for what will not come; what prepares a lab has all the time it needs. */
static int percent(const struct lab_env *env, const struct play_opts *o)
{
    return o ? env->patience_percent : 100;
}

/* ---- objects ---- */

int play_object(struct lab_env *env, const json_t *object, const char *ns, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    if (!jstr(object, "metadata.name"))
        return err_set(e, ERR_BAD_REQUEST, "a %s has no name", jstr_or(object, "kind", "object"));
    if (env_object_path(env, object, ns, true, &path, e) < 0)
        return -1;
    buf_adds(&path, "?fieldManager=stowage-lab&force=true");
    if (client_json(env->client, "PATCH", buf_str(&path), object, "application/apply-patch+yaml", NULL, e) < 0)
        return err_wrap(e, "%s %s", jstr_or(object, "kind", ""), jstr(object, "metadata.name"));
    return 0;
}

static int play_objects(struct lab_env *env, json_t *list, const char *ns, const struct play_opts *o, struct err *e)
{
    size_t i;
    json_t *x;
    json_array_foreach(list, i, x)
    {
        if (json_is_null(x))
            continue; /* an empty document */
        if (str_eq(jstr(x, "kind"), "List")) {
            if (play_objects(env, json_object_get(x, "items"), ns, o, e) < 0)
                return -1;
            continue;
        }
        if (o && o->edit)
            o->edit(o->arg, x);
        if (json_object_size(x) && play_object(env, x, ns, e) < 0)
            return -1;
    }
    return 0;
}

static int apply_file(struct lab_env *env, const char *file, const char *ns, const struct play_opts *o, struct err *e)
{
    _auto_buf_ struct buf raw = BUF_INIT, text = BUF_INIT;
    _auto_json_ json_t *docs = NULL;
    if (lab_file(env->lab, file, &raw, e) < 0)
        return -1;
    lab_fill(env->vars, buf_str(&raw), &text);
    if (yaml_parse_all(buf_str(&text), text.len, &docs, e) < 0 || play_objects(env, docs, ns, o, e) < 0)
        return err_wrap(e, "%s", file);
    return 0;
}

static int act_apply(struct lab_env *env, const json_t *action, const struct play_opts *o, struct err *e)
{
    const json_t *files = json_object_get(action, "apply"), *file;
    const char *ns = jstr(action, "namespace");
    size_t i;
    if (json_is_string(files))
        return apply_file(env, json_string_value(files), ns, o, e);
    json_array_foreach(files, i, file) if (apply_file(env, json_string_value(file), ns, o, e) < 0) return -1;
    return 0;
}

/* ${DISK_…} is known only now. Returns new; NULL gives NULL. */
static json_t *filled_now(const struct lab_env *env, const json_t *tree)
{
    _auto_free_ char *raw = tree ? json_dumps(tree, JSON_COMPACT) : NULL;
    _auto_buf_ struct buf text = BUF_INIT;
    if (!raw)
        return NULL;
    lab_fill(env->vars, raw, &text);
    return json_loads(buf_str(&text), 0, NULL);
}

static int act_objects(struct lab_env *env, const json_t *action, const struct play_opts *o, struct err *e)
{
    _auto_json_ json_t *list = filled_now(env, json_object_get(action, "objects"));
    return play_objects(env, list, jstr(action, "namespace"), o, e);
}

/* ---- the rest ---- */

static int act_run(struct lab_env *env, const json_t *action, const struct play_opts *o, struct err *e)
{
    _auto_buf_ struct buf out = BUF_INIT, errors = BUF_INIT;
    const struct script s = {
        .text = jstr(action, "run"), .node = jstr(action, "node"), .timeout_ms = env_patience(env, SCRIPT_MS)};
    int code;
    (void)o;
    if (script_run(env, &s, &code, &out, &errors, e) < 0)
        return -1;
    if (code == 0)
        return 0;
    const struct buf *told = errors.len ? &errors : &out;
    const size_t from = told->len > 400 ? told->len - 400 : 0;
    return err_set(e, ERR_INTERNAL, "the script \"%.60s\" ended with %d: %s", s.text, code, buf_str(told) + from);
}

static int make_disk(struct lab_env *env, const json_t *disk, struct err *e)
{
    char id[64];
    if (!env->host)
        return err_set(e, ERR_UNSUPPORTED, "disks are only to be had in a cluster of Stowage");
    if (env->host->disk(env->host->self, disk, id, e) < 0)
        return -1;
    _auto_free_ char *name = xasprintf("DISK_%s", jstr(disk, "name"));
    for (char *p = name; *p; p++)
        *p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
    json_object_set_new(env->vars, name, json_string(id));
    return 0;
}

static int act_disk(struct lab_env *env, const json_t *action, const struct play_opts *o, struct err *e)
{
    (void)o;
    return make_disk(env, json_object_get(action, "disk"), e);
}

static int act_wait(struct lab_env *env, const json_t *action, const struct play_opts *o, struct err *e)
{
    const json_t *wait = json_object_get(action, "wait");
    int64_t patience = WAIT_MS;
    if (jstr(wait, "within"))
        duration_parse(jstr(wait, "within"), &patience);
    patience = env_patience(env, patience * percent(env, o) / 100);
    _auto_json_ json_t *check = json_pack("{s:s, s:O}", "name", "wait", "jsonpath", wait);
    struct check_result r = {0};
    const int rc = check_await(env, check, patience, &r, e);
    const bool passed = r.passed;
    _auto_free_ char *seen = xstrdup(buf_str(&r.observed));
    check_result_release(&r);
    if (rc < 0 || passed)
        return rc;
    return err_set(e, ERR_TIMEOUT, "%s: %s is still %s", jstr(wait, "of"), jstr(wait, "path"), seen);
}

static int act_delete(struct lab_env *env, const json_t *action, const struct play_opts *o, struct err *e)
{
    const json_t *what = json_object_get(action, "delete");
    const char *of = jstr(what, "of"), *ns = jstr(what, "namespace");
    _auto_buf_ struct buf path = BUF_INIT;
    const int64_t patience = env_patience(env, (int64_t)WAIT_MS * percent(env, o) / 100);
    if (env_path(env, of, ns, NULL, &path, e) < 0 ||
        client_json(env->client, "DELETE", buf_str(&path), NULL, NULL, NULL, e) < 0)
        return -1;
    for (int64_t waited = 0; jbool(what, "wait", true); waited += 20) {
        _auto_json_ json_t *now = NULL;
        if (env_get(env, of, ns, &now, e) < 0) {
            err_clear(e);
            break;
        }
        if (waited > patience)
            return err_set(e, ERR_TIMEOUT, "%s is still there", of);
        pause_ms(20);
    }
    return 0;
}

static int act_answer(struct lab_env *env, const json_t *action, const struct play_opts *o, struct err *e)
{
    const json_t *with = jat(action, "answer.with");
    _auto_free_ char *text = json_is_string(with) ? xstrdup(json_string_value(with)) : json_text(with);
    (void)o;
    (void)e;
    json_object_set_new(env->answers, jstr(action, "answer.check"), json_string(text));
    return 0;
}

static const struct {
    const char *field;
    int (*act)(struct lab_env *env, const json_t *action, const struct play_opts *o, struct err *e);
} kinds_of_action[] = {
    {"apply", act_apply}, {"objects", act_objects}, {"run", act_run},       {"disk", act_disk},
    {"wait", act_wait},   {"delete", act_delete},   {"answer", act_answer},
};

static int play_action(struct lab_env *env, const json_t *action, const struct play_opts *o, struct err *e)
{
    const int64_t begin = env_now_ms();
    for (size_t k = 0; k < ARRAY_LEN(kinds_of_action); k++)
        if (json_object_get(action, kinds_of_action[k].field) && kinds_of_action[k].act(env, action, o, e) < 0)
            return -1;
    env_took(env, begin);
    return 0;
}

int play_actions(struct lab_env *env, const json_t *actions, const struct play_opts *opts, struct err *e)
{
    size_t i;
    const json_t *action;
    json_array_foreach(actions, i, action)
    {
        _auto_json_ json_t *changed = opts && opts->action ? opts->action(opts->arg, action) : NULL;
        const json_t *meant = opts && opts->action ? changed : action;
        if (meant && play_action(env, meant, opts, e) < 0)
            return -1;
    }
    return 0;
}

static int make_namespace(struct lab_env *env, const char *ns, struct err *e)
{
    _auto_json_ json_t *object =
        json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "Namespace", "metadata", "name", ns);
    return play_object(env, object, NULL, e);
}

/* ---- what a lab wants to find ---- */

/* Names of the classes that are in a list of objects. */
static void add_classes(const json_t *objects, bool all, struct strlist *out)
{
    size_t i;
    const json_t *x;
    json_array_foreach(objects, i, x) if (all || str_eq(jstr(x, "kind"), "StorageClass"))
        strlist_add(out, jstr_or(x, "metadata.name", ""));
}

static int need_class(const char *name, struct strlist *have, struct err *e)
{
    if (strlist_has(have, name))
        return 0;
    strlist_take(have, NULL); /* ends the list */
    have->len--;
    const char *near = nearest_name(name, (const char *const *)have->items);
    _auto_buf_ struct buf list = BUF_INIT;
    for (size_t i = 0; i < have->len; i++)
        buf_addf(&list, "%s%s", i ? ", " : "", have->items[i]);
    return err_set(e, ERR_NOT_FOUND, "the lab wants a storage class \"%s\", and there is %s%s%s%s%s", name,
                   have->len ? "only " : "none", buf_str(&list), near ? "; did you mean \"" : "", near ? near : "",
                   near ? "\"?" : "");
}

/* The classes that the lab counts on are there, or its own objects make them. */
static int need_classes(struct lab_env *env, const json_t *cluster, struct err *e)
{
    const json_t *wanted = json_object_get(cluster, "classes"), *x;
    _auto_strlist_ struct strlist have = {0};
    _auto_json_ json_t *list = NULL;
    size_t i;
    if (!wanted)
        return 0;
    if (client_json(env->client, "GET", "/apis/storage.k8s.io/v1/storageclasses", NULL, NULL, &list, e) < 0)
        return -1;
    add_classes(json_object_get(list, "items"), true, &have);
    add_classes(json_object_get(cluster, "objects"), false, &have);
    if (json_is_string(wanted) && need_class(json_string_value(wanted), &have, e) < 0)
        return -1;
    json_array_foreach(wanted, i, x) if (need_class(json_string_value(x), &have, e) < 0) return -1;
    return 0;
}

int play_cluster(struct lab_env *env, struct err *e)
{
    size_t i;
    const json_t *disk;
    const json_t *cluster = json_object_get(env->lab->tree, "cluster");
    const char *ns = jstr(env->lab->tree, "namespace");
    if (need_classes(env, cluster, e) < 0 || (ns && make_namespace(env, ns, e) < 0))
        return -1;
    json_array_foreach(json_object_get(cluster, "disks"), i,
                       disk) if (make_disk(env, disk, e) < 0) return err_wrap(e, "disk %s", jstr(disk, "name"));
    _auto_json_ json_t *objects = filled_now(env, json_object_get(cluster, "objects"));
    if (objects && play_objects(env, objects, NULL, NULL, e) < 0)
        return -1;
    return play_actions(env, json_object_get(env->lab->tree, "setup"), NULL, e);
}
