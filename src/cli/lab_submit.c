/* lab_submit.c - see lab_submit.h. THREADS: none of its own. */
#include "cli/lab_submit.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/session_log.h"
#include "lab/bundle.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- objects ---- */

static const char *const kinds[] = {"namespaces",
                                    "storageclasses",
                                    "persistentvolumes",
                                    "persistentvolumeclaims",
                                    "configmaps",
                                    "secrets",
                                    "services",
                                    "deployments",
                                    "statefulsets",
                                    "daemonsets",
                                    "jobs",
                                    "cronjobs",
                                    "volumesnapshots",
                                    "pods"};

/* What the cluster made for itself, or another object did. */
static bool is_own(const json_t *x)
{
    static const char *const names[] = {"default",         "kube-system",      "kube-public",
                                        "kube-node-lease", "kube-root-ca.crt", "kubernetes"};
    const char *name = jstr_or(x, "metadata.name", ""), *ns = jstr_or(x, "metadata.namespace", "");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(name, names[i]) && !jstr(x, "metadata.ownerReferences"))
            return true;
    return str_starts(ns, "kube-") || json_array_size(jat(x, "metadata.ownerReferences")) > 0;
}

/* As somebody would write it down: without what servers fill in. */
static void strip(json_t *x)
{
    static const char *const filled[] = {"status",
                                         "metadata.uid",
                                         "metadata.resourceVersion",
                                         "metadata.managedFields",
                                         "metadata.creationTimestamp",
                                         "metadata.generation",
                                         "metadata.selfLink",
                                         "spec.claimRef.uid",
                                         "spec.claimRef.resourceVersion",
                                         "spec.nodeName"};
    for (size_t i = 0; i < ARRAY_LEN(filled); i++)
        if (jat(x, filled[i]))
            jdel(x, filled[i]);
}

static int add_kind(struct lab_env *env, const char *word, json_t *to, struct err *e)
{
    const struct kind *k = kinds_find(&env->kinds, word);
    _auto_buf_ struct buf path = BUF_INIT, version = BUF_INIT;
    _auto_json_ json_t *list = NULL;
    size_t i;
    json_t *x;
    if (!k)
        return 0; /* snapshots: only where they are known */
    kind_path(k, NULL, NULL, NULL, &path);
    kind_api_version(k, &version);
    if (client_json(env->client, "GET", buf_str(&path), NULL, NULL, &list, e) < 0)
        return -1;
    json_array_foreach(json_object_get(list, "items"), i, x)
    {
        if (is_own(x))
            continue;
        strip(x);
        jset_str(x, "apiVersion", buf_str(&version));
        jset_str(x, "kind", k->kind);
        json_array_append(to, x);
    }
    return 0;
}

/* Returns new, or NULL. */
static json_t *objects_of(struct lab_env *env, struct err *e)
{
    _auto_json_ json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (add_kind(env, kinds[i], list, e) < 0)
            return NULL;
    return TAKE(list);
}

/* ---- the bundle ---- */

static json_t *payload_of(const struct submit_from *f, struct err *e)
{
    char stamp[32];
    struct tm when;
    const time_t now = time(NULL);
    int64_t points, cost;
    _auto_free_ char *log_path = session_log_path(f->home);
    _auto_json_ json_t *log = session_log_read(log_path, f->attempt->id, e),
                       *objects = log ? objects_of(f->env, e) : NULL;
    if (!objects || book_points(f->book, f->attempt, &points, &cost, e) < 0)
        return NULL;
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &when));
    return json_pack("{s:s, s:s, s:s, s:I, s:i, s:I, s:O, s:O, s:O}", "lab", f->attempt->lab, "seed", f->attempt->seed,
                     "time", stamp, "points", (json_int_t)points, "of", lab_points(f->env->lab), "step",
                     (json_int_t)f->attempt->step, "answers", f->env->answers, "log", log, "objects", objects);
}

static int save(const char *path, const struct buf *text, struct err *e)
{
    _auto_file_ FILE *f = str_eq(path, "-") ? NULL : fopen(path, "we");
    FILE *to = str_eq(path, "-") ? stdout : f;
    if (!to || fwrite(text->data, 1, text->len, to) != text->len || fflush(to) != 0)
        return err_sys(e, errno, "%s", path);
    return 0;
}

int lab_submit(const struct submit_from *from, int argc, char **argv, struct err *e)
{
    static const struct option options[] = {{"output", required_argument, NULL, 'o'}, {NULL, 0, NULL, 0}};
    _auto_free_ char *path = xasprintf("%s-submission.json", from->attempt->lab);
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "o:", options, NULL)) != -1;) {
        if (opt != 'o')
            return cli_usage(e, "lab", "unknown flag or missing value");
        free(path);
        path = xstrdup(optarg);
    }
    if (optind != argc)
        return cli_usage(e, "lab", "submit takes no words; -o names the file");
    _auto_json_ json_t *payload = payload_of(from, e);
    _auto_free_ char *key = xasprintf("%s/key.pem", from->home);
    _auto_buf_ struct buf text = BUF_INIT;
    if (!payload || bundle_sign(key, payload, &text, e) < 0 || save(path, &text, e) < 0)
        return -1;
    const size_t lines = json_array_size(json_object_get(payload, "log"));
    if (!str_eq(path, "-"))
        printf("%s: %lld of %lld points, %zu command%s, signed\n", path, (long long)jint(payload, "points", 0),
               (long long)jint(payload, "of", 0), lines, lines == 1 ? "" : "s");
    if (!lines)
        fputs("Nothing was recorded (`stowage repl` does that): what is in the cluster now is handed in instead.\n",
              stderr);
    return 0;
}
