/* call.c - one command's way to the cluster and the words of its failures. See call.h.
 *
 * DESIGN: connection, namespace and discovery are made when the first verb asks for them, so that what needs no cluster
 * works without one. Discovery is kept from call to call; a word that it does not know makes it asked again once a
 * call, and what was there before is kept until the call ends, since others point into it. Where a failure comes from
 * decides its words: what the server refused is kept as its Status. */
#include "kubectl/call_int.h"

#include "api/decode.h"
#include "api/status.h"
#include "base/json.h"
#include "base/str.h"
#include "kubectl/files.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void call_end(struct call *c)
{
    for (size_t i = 0; i < c->values_len; i++)
        strlist_release(&c->values[i].texts);
    free(c->path);
    strlist_release(&c->words);
    strlist_release(&c->warned);
    kinds_release(&c->old_kinds);
    json_decref(c->failure);
    *c = (struct call){0};
}

/* ---- the cluster ---- */

/* What flags say in place of the kubeconfig: texts, and files whose text is meant. */
static int take_flags(struct call *c, struct access *a, struct err *e)
{
    const struct {
        const char *flag;
        char **text;
        bool file;
    } rows[] = {{"server", &a->url, false},
                {"token", &a->token, false},
                {"tls-server-name", &a->server_name, false},
                {"certificate-authority", &a->ca_pem, true},
                {"client-certificate", &a->cert_pem, true},
                {"client-key", &a->key_pem, true}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *value = call_text(c, rows[i].flag);
        _auto_buf_ struct buf text = BUF_INIT;
        if (!*value)
            continue;
        if (rows[i].file && file_text(value, &text) < 0)
            return err_set(e, ERR_BAD_REQUEST, "unable to read %s %s for %s due to open %s: %s", rows[i].flag, value,
                           a->context, value, file_why(errno));
        free(*rows[i].text);
        *rows[i].text = rows[i].file ? buf_steal(&text, NULL) : xstrdup(value);
    }
    a->insecure |= call_bool(c, "insecure-skip-tls-verify");
    return 0;
}

bool call_has_files(const struct call *c)
{
    return (call_knows(c, "filename") && call_list(c, "filename")->len) ||
           (call_knows(c, "kustomize") && !str_empty(call_text(c, "kustomize")));
}

bool call_own_flag(const struct call *c, const char *flag)
{
    for (const struct kubectl_flag *f = c->verb ? c->verb->flags : NULL; f && f->name; f++)
        if (str_eq(f->name, flag))
            return true;
    return false;
}

static int open_access(struct call *c, struct err *e)
{
    struct kubectl *k = c->k;
    const struct access_from from = {k->kubeconfig, k->context, call_text(c, "cluster"),
                                     call_own_flag(c, "user") ? "" : call_text(c, "user")};
    if (k->ns)
        return 0;
    if (access_load_from(&from, &k->access, e) < 0) {
        if (e->code != ERR_NOT_FOUND || k->context || !*call_text(c, "server"))
            return -1;
        err_clear(e);
        k->access = (struct access){.ns = xstrdup("default"), .context = xstrdup("")};
    }
    if (take_flags(c, &k->access, e) < 0)
        return -1;
    k->ns = xstrdup(str_empty(k->access.ns) ? "default" : k->access.ns);
    return 0;
}

/* --as, --as-group. */
static int take_identity(struct call *c, struct err *e)
{
    const char *user = call_text(c, "as");
    if (*user)
        return client_set_identity(c->k->client, user, call_list(c, "as-group"), e);
    return call_list(c, "as-group")->len
               ? err_set(e, ERR_BAD_REQUEST, "requesting uid, groups or user-extra for %s without impersonating a user",
                         c->k->access.context)
               : 0;
}

struct client *call_client(struct call *c)
{
    struct kubectl *k = c->k;
    struct err e = ERR_INIT;
    if (k->client)
        return k->client;
    if (open_access(c, &e) < 0 || client_open(&k->access, &k->client, &e) < 0 || take_identity(c, &e) < 0) {
        call_error(c, &e);
        return NULL;
    }
    client_set_agent(k->client, "kubectl/v1.32.0 (stowage)");
    client_set_cancel(k->client, k->cancel);
    return k->client;
}

const char *call_namespace(struct call *c)
{
    struct err e = ERR_INIT;
    if (c->ns)
        return c->ns;
    c->ns_given = !str_empty(call_text(c, "namespace"));
    if (c->ns_given)
        return c->ns = call_text(c, "namespace");
    if (open_access(c, &e) < 0) {
        call_error(c, &e);
        return NULL;
    }
    return c->ns = c->k->ns;
}

/* ---- kinds ---- */

static int kinds_ask(struct call *c, struct err *e)
{
    struct kinds fresh = {0};
    if (!call_client(c)) /* told already */
        return err_set(e, ERR_OK, "%s", "");
    if (kinds_load(c->k->client, &fresh, e) < 0)
        return -1;
    kinds_release(&c->old_kinds);
    c->old_kinds = c->k->kinds;
    c->k->kinds = fresh;
    c->fresh = true;
    return 0;
}

const struct kinds *call_kinds(struct call *c, struct err *e)
{
    if (c->k->kinds.len == 0 && kinds_ask(c, e) < 0)
        return NULL;
    return &c->k->kinds;
}

const struct kind *call_kind(struct call *c, const char *word)
{
    struct err e = ERR_INIT;
    const struct kinds *all = call_kinds(c, &e);
    const struct kind *k = all ? kinds_find(all, word) : NULL;
    if (all && !k && !c->fresh) {
        all = kinds_ask(c, &e) < 0 ? NULL : &c->k->kinds;
        k = all ? kinds_find(all, word) : NULL;
    }
    if (!all)
        call_error(c, &e);
    else if (!k)
        call_fail(c, "the server doesn't have a resource type \"%s\"", word);
    return k;
}

const struct kind *call_kind_of(struct call *c, const char *api_version, const char *kind, struct err *e)
{
    const struct kinds *all = call_kinds(c, e);
    const struct kind *k = all ? kinds_of(all, api_version, kind) : NULL;
    if (all && !k && !c->fresh) {
        if (kinds_ask(c, e) < 0)
            return NULL;
        k = kinds_of(&c->k->kinds, api_version, kind);
    }
    if (all && !k)
        err_set(e, ERR_INVALID, "no matches for kind \"%s\" in version \"%s\"\nensure CRDs are installed first", kind,
                api_version);
    return k;
}

void call_label(const struct kind *k, struct buf *out)
{
    for (const char *p = k->kind; *p; p++)
        buf_addc(out, (char)tolower((unsigned char)*p));
    buf_addf(out, "%s%s", k->group[0] ? "." : "", k->group);
}

/* ---- requests ---- */

static void tell_warnings(struct call *c, const struct strlist *warnings)
{
    for (size_t i = 0; i < warnings->len; i++) {
        if (strlist_has(&c->warned, warnings->items[i]))
            continue;
        strlist_add(&c->warned, warnings->items[i]);
        fflush(c->k->out); /* in the order in which it was said, where both go to one place */
        fprintf(c->k->err, "Warning: %s\n", warnings->items[i]);
    }
}

/* What client-go says of a status that came without a Status. */
static const struct {
    int status;
    const char *text;
} plain_failures[] = {
    {404, "the server could not find the requested resource"},
    {401, "the server has asked for the client to provide credentials"},
    {405, "the server does not allow this method on the requested resource"},
    {406, "the server was unable to respond with a content type that the client supports"},
    {415, "the server was not able to process the request content type"},
    {503, "the server is currently unable to handle the request"},
};

static void keep_failure(struct call *c, const struct client_answer *a)
{
    struct err e = ERR_INIT;
    call_forget(c);
    c->failure = a->body.len ? json_loadb(a->body.data, a->body.len, 0, NULL) : NULL;
    if (str_eq(jstr(c->failure, "kind"), "Status"))
        return;
    call_forget(c);
    client_failure(a, &e);
    const char *text = NULL;
    for (size_t i = 0; i < ARRAY_LEN(plain_failures); i++)
        if (plain_failures[i].status == a->status)
            text = plain_failures[i].text;
    _auto_free_ char *body =
        xasprintf("an error on the server (\"%s\") has prevented the request from succeeding", buf_str(&a->body));
    c->failure = status_failure(e.code, text ? text : body, NULL);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int call_request(struct call *c, const struct client_request *rq, struct client_answer *out, struct err *e)
{
    _auto_client_answer_ struct client_answer a = {0};
    if (!call_client(c))
        return err_set(e, ERR_OK, "%s", "");
    struct client_request sent = *rq;
    int64_t patience;
    const char *limit = call_text(c, "request-timeout");
    if (!sent.timeout_ms && duration_ms(limit, &patience) == 0 && patience > 0)
        sent.timeout_ms = patience;
    const int64_t began = now_ms();
    if (client_call(c->k->client, &sent, &a, e) < 0)
        return -1;
    if (call_int(c, "v") >= 6)
        fprintf(c->k->err, "%s %s%s %d in %lld milliseconds\n", rq->method ? rq->method : "GET", c->k->access.url,
                rq->path, a.status, (long long)(now_ms() - began));
    tell_warnings(c, &a.warnings);
    if (a.status >= 300) {
        keep_failure(c, &a);
        return status_to_err(c->failure, e);
    }
    *out = a;
    a = (struct client_answer){0};
    return 0;
}

int call_json(struct call *c, const char *method, const char *path, const json_t *body, const char *type, json_t **out,
              struct err *e)
{
    _auto_client_answer_ struct client_answer a = {0};
    _auto_buf_ struct buf text = BUF_INIT;
    if (body)
        json_write(&text, body);
    const struct client_request rq = {
        .method = method, .path = path, .type = type, .body = body ? buf_str(&text) : NULL, .len = text.len};
    if (call_request(c, &rq, &a, e) < 0)
        return -1;
    return out ? json_parse(buf_str(&a.body), a.body.len, out, e) : 0;
}

void call_query(struct buf *path, const char *key, const char *value)
{
    buf_addf(path, "%c%s=", strchr(buf_str(path), '?') ? '&' : '?', key);
    client_escape(path, value);
}

/* ---- failures ---- */

int call_fail(struct call *c, const char *fmt, ...)
{
    _auto_buf_ struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    const bool whole = str_starts(buf_str(&text), "error: ") || str_starts(buf_str(&text), "Error from server");
    fflush(c->k->out);
    fprintf(c->k->err, "%s%s\n", whole ? "" : "error: ", buf_str(&text));
    return c->code = 1;
}

int call_usage(struct call *c, const char *fmt, ...)
{
    _auto_buf_ struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    fprintf(c->k->err, "error: %s\nSee '%s -h' for help and examples\n", buf_str(&text), c->path);
    return c->code = 1;
}

bool call_unexpected(struct call *c)
{
    if (c->words.len == 0)
        return false;
    _auto_free_ char *words = strlist_join(&c->words, " ");
    call_usage(c, "Unexpected args: [%s]", words);
    return true;
}

/* "The Pod "x" is invalid: …": what is wrong with it, one cause in the line, several below it. */
static void tell_invalid(struct call *c, const json_t *status)
{
    FILE *err = c->k->err;
    const json_t *causes = jat(status, "details.causes"), *cause;
    const char *kind = jstr_or(status, "details.kind", ""), *name = jstr_or(status, "details.name", "");
    size_t i;
    if (*kind)
        fprintf(err, "The %s \"%s\" is invalid", kind, name);
    else
        fputs("The request is invalid", err);
    if (json_array_size(causes) == 0) {
        fprintf(err, ": %s\n", jstr_or(status, "message", ""));
        return;
    }
    fputs(": ", err);
    json_array_foreach(causes, i, cause)
    {
        const char *field = jstr_or(cause, "field", ""), *message = jstr_or(cause, "message", "");
        fprintf(err, "%s%s%s%s\n",
                json_array_size(causes) == 1 ? ""
                : i == 0                     ? "\n* "
                                             : "* ",
                field, *field ? ": " : "", message);
    }
}

static void tell_status(struct call *c, const char *before, const json_t *status)
{
    const char *reason = jstr_or(status, "reason", ""), *message = jstr_or(status, "message", "");
    if (str_eq(reason, "Invalid"))
        tell_invalid(c, status);
    else if (str_eq(reason, "Unauthorized"))
        fprintf(c->k->err, "error: You must be logged in to the server (%s%s)\n", before, message);
    else if (*reason)
        fprintf(c->k->err, "Error from server (%s): %s%s\n", reason, before, message);
    else
        fprintf(c->k->err, "Error from server: %s%s\n", before, message);
}

/* The server is not there, or its name or certificate is not what was expected. */
static void tell_unreachable(struct call *c, const struct err *e)
{
    const char *host = str_starts(e->msg, "dial tcp ") ? e->msg + strlen("dial tcp ") : "";
    const char *end = strstr(host, ": connect");
    if (e->sys_errno == ECONNREFUSED && end)
        fprintf(c->k->err, "The connection to the server %.*s was refused - did you specify the right host or port?\n",
                (int)(end - host), host);
    else
        fprintf(c->k->err, "Unable to connect to the server: %s\n", e->msg);
}

/* Ctrl-C in the REPL: whoever pressed it knows. */
static bool cancelled(const struct call *c, const struct err *e)
{
    struct pollfd p = {c->k->cancel, POLLIN, 0};
    return e->code == ERR_TIMEOUT && c->k->cancel >= 0 && poll(&p, 1, 0) > 0;
}

int call_error_at(struct call *c, const char *before, const struct err *e)
{
    c->code = 1;
    fflush(c->k->out);
    if (cancelled(c, e))
        return 1;
    if (c->failure && e->code != ERR_OK) {
        tell_status(c, before, c->failure);
        call_forget(c);
    } else if (e->code == ERR_UNAUTHORIZED) {
        fprintf(c->k->err, "error: You must be logged in to the server (%s%s)\n", before, e->msg);
    } else if (e->code == ERR_UNAVAILABLE) {
        tell_unreachable(c, e);
    } else if (e->code != ERR_OK) { /* OK: it was told where it happened */
        fprintf(c->k->err, "error: %s%s\n", before, e->msg);
    }
    return 1;
}

int call_error(struct call *c, const struct err *e)
{
    return call_error_at(c, "", e);
}

bool call_not_found(const struct call *c)
{
    return str_eq(jstr(c->failure, "reason"), "NotFound");
}

void call_forget(struct call *c)
{
    json_decref(c->failure);
    c->failure = NULL;
}

int call_dry_run(struct call *c, enum dry_run *out)
{
    const char *text = call_text(c, "dry-run");
    static const struct {
        const char *word;
        enum dry_run means;
    } words[] = {{"none", DRY_NONE}, {"client", DRY_CLIENT}, {"server", DRY_SERVER}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq(text, words[i].word)) {
            *out = words[i].means;
            return 0;
        }
    }
    if (str_eq(text, "unchanged")) {
        fputs("W --dry-run is deprecated and can be replaced with --dry-run=client.\n", c->k->err);
        *out = DRY_CLIENT;
        return 0;
    }
    call_fail(c, "Invalid dry-run value (%s). Must be \"none\", \"server\", or \"client\".", text);
    return -1;
}
