/* route.c - see route_int.h. As nginx does it: first the host decides (its own rules, else those of a wildcard, else
 * those without a host), then the path among the rules of that host: one that is equal, else the longest one that fits,
 * else the host's fallback. THREADS: a table never changes once made. */
#include "ingress/route_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the table ---- */

/* The C library's regcomp() takes memory and stack without end for some expressions, and "\\1" time: an expression of
 * more than so many parts, repetitions counted out, is none. */
enum { PARTS_MAX = 2000, DEPTH_MAX = 20 };

/* What a repetition makes of one part: at *at there is "{2,5}"; leaves *at on its brace. */
static size_t times_of(const char **at)
{
    size_t most = 1, n = 0;
    while (**at && **at != '}') {
        ++*at;
        n = isdigit((unsigned char)**at) ? 10 * n + (size_t)(**at - '0') : 0;
        n = n > PARTS_MAX ? PARTS_MAX : n;
        most = n > most ? n : most;
    }
    return most;
}

static bool is_tame(const char *pattern)
{
    size_t total[DEPTH_MAX] = {0}, last[DEPTH_MAX] = {0}, depth = 0;
    for (const char *c = pattern; *c; c++) {
        size_t part = 1;
        if (*c == '(') {
            if (++depth == DEPTH_MAX)
                return false;
            total[depth] = last[depth] = 0;
            continue;
        }
        if (*c == ')' && depth > 0)
            part += total[depth--];
        else if (*c == '{')
            part = last[depth] * (times_of(&c) - 1);
        else if (*c == '\\' && (!*++c || isdigit((unsigned char)*c)))
            return false;
        last[depth] = part + (*c == '}' ? last[depth] : 0);
        total[depth] += part;
        if (total[depth] > PARTS_MAX || !*c)
            return false;
    }
    return depth == 0;
}

static void route_read(struct route *r, const json_t *rule)
{
    *r = (struct route){.host = jstr_or(rule, "host", ""),
                        .path = jstr_or(rule, "path", "/"),
                        .type = jstr_or(rule, "type", "Prefix"),
                        .rewrite = jstr(rule, "rewrite"),
                        .fallback = jbool(rule, "fallback", false),
                        .targets = jat(rule, "targets")};
    if (!*r->path)
        r->path = "/";
    if (!jbool(rule, "regex", false) && !r->rewrite)
        return;
    _auto_free_ char *pattern = xasprintf("^%s", r->path);
    r->is_regex = is_tame(pattern) && regcomp(&r->regex, pattern, REG_EXTENDED | REG_ICASE) == 0;
}

struct table *table_new(json_t *take_json)
{
    struct table *t = xcalloc(1, sizeof *t);
    const json_t *rules = jat(take_json, "rules"), *tls = jat(take_json, "tls"), *item;
    size_t i;
    t->json = take_json;
    t->routes = xcalloc(json_array_size(rules) + 1, sizeof *t->routes);
    json_array_foreach(rules, i, item) route_read(&t->routes[t->route_count++], item);
    t->certificates = xcalloc(json_array_size(tls) + 1, sizeof *t->certificates);
    json_array_foreach(tls, i, item)
    {
        t->certificates[t->certificate_count++] =
            (struct certificate){.hosts = jat(item, "hosts"),
                                 .redirect = jbool(item, "redirect", true),
                                 .credentials = credentials_new(jstr_or(item, "cert", ""), jstr_or(item, "key", ""))};
    }
    return t;
}

void table_free(struct table *t)
{
    for (size_t i = 0; i < t->route_count; i++)
        if (t->routes[i].is_regex)
            regfree(&t->routes[i].regex);
    for (size_t i = 0; i < t->certificate_count; i++)
        if (t->certificates[i].credentials)
            gnutls_certificate_free_credentials(t->certificates[i].credentials);
    free(t->routes);
    free(t->certificates);
    json_decref(t->json);
    free(t);
}

/* ---- matching ---- */

/* "*.example.com" stands for one label. */
static bool host_fits(const char *rule, const char *host)
{
    if (!str_starts(rule, "*."))
        return strcasecmp(rule, host) == 0;
    const char *dot = strchr(host, '.');
    return dot && dot != host && strcasecmp(rule + 1, dot) == 0;
}

/* The host as the table spells it whose rules a request falls under. */
static const char *server_of(const struct table *t, const char *host)
{
    const char *wild = NULL;
    for (size_t i = 0; i < t->route_count; i++) {
        const char *rule = t->routes[i].host;
        if (strcasecmp(rule, host) == 0)
            return rule;
        if (!wild && host_fits(rule, host))
            wild = rule;
    }
    return wild ? wild : "";
}

static bool prefix_fits(const char *prefix, const char *path)
{
    size_t n = strlen(prefix);
    while (n && prefix[n - 1] == '/')
        n--;
    return strncmp(prefix, path, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* How well: 0 not at all; longer paths better, equality best. */
static size_t path_fit(const struct route *r, const char *path)
{
    const size_t n = strlen(r->path) + 1;
    if (r->fallback)
        return 1;
    if (r->is_regex)
        return regexec(&r->regex, path, 0, NULL, 0) == 0 ? n + 1 : 0;
    if (str_eq(r->type, "Exact"))
        return strcmp(r->path, path) == 0 ? SIZE_MAX : 0;
    if (str_eq(r->type, "Prefix"))
        return prefix_fits(r->path, path) ? n + 1 : 0;
    return str_starts(path, r->path) ? n + 1 : 0;
}

const struct route *table_route(const struct table *t, const char *host, const char *path)
{
    const char *server = server_of(t, host);
    const struct route *best = NULL;
    size_t best_fit = 0;
    for (size_t i = 0; i < t->route_count; i++) {
        const struct route *r = &t->routes[i];
        const size_t fit = strcasecmp(r->host, server) == 0 ? path_fit(r, path) : 0;
        if (fit > best_fit) {
            best = r;
            best_fit = fit;
        }
    }
    return best;
}

const struct certificate *table_certificate(const struct table *t, const char *host)
{
    for (size_t i = 0; i < t->certificate_count; i++)
        for (size_t h = 0; h < json_array_size(t->certificates[i].hosts); h++)
            if (host_fits(json_string_value(json_array_get(t->certificates[i].hosts, h)), host))
                return &t->certificates[i];
    return NULL;
}

char *route_rewrite(const struct route *r, const char *path)
{
    enum { GROUPS = 10 };
    regmatch_t m[GROUPS];
    if (!r->rewrite || !r->is_regex || regexec(&r->regex, path, GROUPS, m, 0) != 0)
        return NULL;
    _auto_buf_ struct buf out = BUF_INIT;
    for (const char *c = r->rewrite; *c; c++) {
        const int group = c[0] == '$' && c[1] >= '1' && c[1] <= '9' ? c[1] - '0' : 0;
        if (!group) {
            buf_addc(&out, *c);
            continue;
        }
        if (m[group].rm_so >= 0)
            buf_add(&out, path + m[group].rm_so, (size_t)(m[group].rm_eo - m[group].rm_so));
        c++;
    }
    return xasprintf("%s%s", out.len && out.data[0] == '/' ? "" : "/", buf_str(&out));
}
