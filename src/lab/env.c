/* env.c - see env.h. */
#include "lab/env.h"

#include "base/json.h"
#include "base/mem.h"
#include "lab/fields.h"
#include "lab/tools.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int lab_env_open(struct lab_env *env, const struct lab *lab, const char *kubeconfig, const char *work,
                 const struct lab_host *host, struct err *e)
{
    _auto_access_ struct access a = {0};
    *env = (struct lab_env){.lab = lab, .host = host, .patience_percent = 100};
    if (access_load(kubeconfig, NULL, &a, e) < 0 || client_open(&a, &env->client, e) < 0)
        return -1;
    client_set_agent(env->client, "stowage-lab");
    if (kinds_load(env->client, &env->kinds, e) < 0) {
        lab_env_close(env);
        return -1;
    }
    env->kubeconfig = xstrdup(kubeconfig);
    env->work = xstrdup(work);
    env->tools = xasprintf("%s/.bin", work);
    env->vars = lab ? json_deep_copy(lab->vars) : json_object();
    env->answers = json_object();
    if (tools_make(env->tools, false, e) < 0) {
        lab_env_close(env);
        return -1;
    }
    const char *ns = lab ? jstr(lab->tree, "namespace") : NULL;
    if (ns) {
        client_set_namespace(env->client, ns);
        json_object_set_new(env->vars, "NAMESPACE", json_string(ns));
    }
    return 0;
}

void lab_env_close(struct lab_env *env)
{
    client_free(env->client);
    kinds_release(&env->kinds);
    free(env->kubeconfig);
    free(env->work);
    free(env->tools);
    json_decref(env->vars);
    json_decref(env->answers);
    *env = (struct lab_env){0};
}

int64_t env_patience(const struct lab_env *env, int64_t ms)
{
    return env->limit_ms && env->limit_ms < ms ? env->limit_ms : ms;
}

int64_t env_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void env_took(struct lab_env *env, int64_t begin)
{
    const int64_t ms = env_now_ms() - begin;
    env->slowest_ms = ms > env->slowest_ms ? ms : env->slowest_ms;
}

/* What the cluster calls so; or what somebody may have meant. */
static int no_kind(const struct lab_env *env, const char *word, struct err *e)
{
    const struct kinds *k = &env->kinds;
    const char **names = xcalloc(2 * k->len + 1, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < k->len; i++) {
        names[n++] = k->items[i].singular;
        names[n++] = k->items[i].plural;
    }
    const char *near = nearest_name(word, names);
    free(names);
    return err_set(e, ERR_NOT_FOUND, "the server doesn't have a resource type \"%s\"%s%s%s", word,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* Kinds come with definitions that were applied meanwhile. */
static int ask_again(struct lab_env *env, struct err *e)
{
    struct kinds now = {0};
    if (kinds_load(env->client, &now, e) < 0)
        return -1;
    kinds_release(&env->kinds);
    env->kinds = now;
    return 0;
}

int env_path(struct lab_env *env, const char *of, const char *ns, const char *sub, struct buf *out, struct err *e)
{
    const char *slash = strchr(of, '/');
    if (!slash || !slash[1])
        return err_set(e, ERR_BAD_REQUEST, "\"%s\" names no object: write KIND/NAME", of);
    _auto_free_ char *word = xstrndup(of, (size_t)(slash - of));
    const struct kind *k = kinds_find(&env->kinds, word);
    if (!k && ask_again(env, e) < 0)
        return -1;
    if (!k && !(k = kinds_find(&env->kinds, word)))
        return no_kind(env, word, e);
    kind_path(k, ns ? ns : client_namespace(env->client), slash + 1, sub, out);
    return 0;
}

int env_get(struct lab_env *env, const char *of, const char *ns, json_t **out, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    if (env_path(env, of, ns, NULL, &path, e) < 0)
        return -1;
    return client_json(env->client, "GET", buf_str(&path), NULL, NULL, out, e);
}

int env_object_path(struct lab_env *env, const json_t *object, const char *ns, bool name, struct buf *out,
                    struct err *e)
{
    const char *version = jstr_or(object, "apiVersion", ""), *kind = jstr_or(object, "kind", "");
    const struct kind *k = kinds_of(&env->kinds, version, kind);
    if (!k && ask_again(env, e) < 0)
        return -1;
    if (!k && !(k = kinds_of(&env->kinds, version, kind)))
        return err_set(e, ERR_NOT_FOUND, "no matches for kind \"%s\" in version \"%s\"", kind, version);
    const char *own = jstr(object, "metadata.namespace");
    kind_path(k,
              own  ? own
              : ns ? ns
                   : client_namespace(env->client),
              name ? jstr(object, "metadata.name") : NULL, NULL, out);
    return 0;
}
