/* nginx_conf.c - nginx's configuration language, enough of it for what courses write.
 *
 * Two steps: words (quotes, comments, "{ } ;") into directives, and directives into servers and locations by a table:
 * name, where it may stand, what it sets. Directives that we accept and ignore are rows without a function, so a usual
 * configuration passes and a misspelt one fails with nginx's words. The tree lives as long as the process (a reload is
 * a new process). */
#include "web.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORDS_MAX     64
#define INCLUDE_MAX   8
#define INCLUDE_FILES 256
#define FILE_MAX      (1 << 20)

enum place { MAIN = 1, EVENTS = 2, HTTP = 4, SERVER = 8, LOCATION = 16, TYPES = 32, OTHER = 64, ANY = 127 };

struct reader {
    struct web *web;
    const char *file;
    char *at;
    int line, depth;
    enum place place;
    struct server *server;
    struct location *location;
    char *fault; /* where the words go */
    size_t fault_size;
};
struct directive {
    const char *words[WORDS_MAX];
    size_t count;
    bool block;
};

__attribute__((format(printf, 2, 3))) static int fault(struct reader *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(r->fault, r->fault_size, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < r->fault_size)
        snprintf(r->fault + n, r->fault_size - (size_t)n, " in %s:%d", r->file, r->line);
    return -1;
}

static struct scope *scope_of(struct reader *r)
{
    return r->location ? &r->location->scope : r->server ? &r->server->scope : &r->web->http;
}

/* ---- what directives do ---- */

static int set_root(struct reader *r, const struct directive *d)
{
    char *path = strdup(d->words[1]);
    const size_t n = strlen(path);
    if (n > 1 && path[n - 1] == '/')
        path[n - 1] = '\0';
    scope_of(r)->root = path;
    return 0;
}

static int set_alias(struct reader *r, const struct directive *d)
{
    scope_of(r)->alias = strdup(d->words[1]);
    return 0;
}

static void set_list(const char **list, const struct directive *d)
{
    memset(list, 0, LISTS_MAX * sizeof *list);
    for (size_t i = 1; i < d->count && i < LISTS_MAX; i++)
        list[i - 1] = strdup(d->words[i]);
}

static int set_index(struct reader *r, const struct directive *d)
{
    set_list(scope_of(r)->index, d);
    return 0;
}

static int set_try_files(struct reader *r, const struct directive *d)
{
    set_list(scope_of(r)->try_files, d);
    return 0;
}

static int set_names(struct reader *r, const struct directive *d)
{
    set_list(r->server->names, d);
    return 0;
}

static int set_default_type(struct reader *r, const struct directive *d)
{
    scope_of(r)->default_type = strdup(d->words[1]);
    return 0;
}

static int set_autoindex(struct reader *r, const struct directive *d)
{
    scope_of(r)->autoindex = strcmp(d->words[1], "on") == 0;
    scope_of(r)->autoindex_set = true;
    return 0;
}

static int set_return(struct reader *r, const struct directive *d)
{
    struct scope *s = scope_of(r);
    char *end;
    const long code = strtol(d->words[1], &end, 10);
    if (*end) { /* an address alone is a redirect */
        s->return_code = 302;
        s->return_text = strdup(d->words[1]);
        return 0;
    }
    if (code < 0 || code > 999)
        return fault(r, "invalid return code \"%s\"", d->words[1]);
    s->return_code = (int)code;
    s->return_text = d->count > 2 ? strdup(d->words[2]) : NULL;
    return 0;
}

static int set_error_page(struct reader *r, const struct directive *d)
{
    struct scope *s = scope_of(r);
    const char *page = strdup(d->words[d->count - 1]);
    for (size_t i = 1; i + 1 < d->count && s->error_count < LISTS_MAX; i++) {
        if (d->words[i][0] == '=')
            continue;
        s->errors[s->error_count].code = (int)strtol(d->words[i], NULL, 10);
        s->errors[s->error_count++].page = page;
    }
    return 0;
}

static int set_add_header(struct reader *r, const struct directive *d)
{
    struct scope *s = scope_of(r);
    if (d->count > 2 && s->add_count < LISTS_MAX)
        s->add[s->add_count++] = (struct header){strdup(d->words[1]), strdup(d->words[2])};
    return 0;
}

static int set_proxy(struct reader *r, const struct directive *d)
{
    scope_of(r)->proxy_pass = strdup(d->words[1]);
    return 0;
}

static int set_deny(struct reader *r, const struct directive *d)
{
    if (strcmp(d->words[1], "all") == 0)
        scope_of(r)->deny_all = true;
    return 0;
}

static int set_listen(struct reader *r, const struct directive *d)
{
    struct server *v = r->server;
    if (v->listen_count == LISTS_MAX)
        return fault(r, "too many listen directives");
    struct listen *l = &v->listen[v->listen_count];
    const char *text = d->words[1], *port = strrchr(text, ':');
    *l = (struct listen){.port = 80};
    if (text[0] == '[') {
        l->ipv6 = true;
        port = strstr(text, "]:");
        port = port ? port + 2 : NULL;
    } else if (port) {
        snprintf(l->host, sizeof l->host, "%.*s", (int)(port - text), text[0] == '*' ? "" : text);
        port++;
    } else if (isdigit((unsigned char)*text) && !strchr(text, '.')) {
        port = text;
    } else {
        snprintf(l->host, sizeof l->host, "%s", text);
    }
    if (port) {
        char *end;
        const long n = strtol(port, &end, 10);
        if (*end || n < 1 || n > 65535)
            return fault(r, "invalid port in \"%s\" of the \"listen\" directive", text);
        l->port = (uint16_t)n;
    }
    if (strcmp(l->host, "localhost") == 0)
        snprintf(l->host, sizeof l->host, "127.0.0.1");
    for (size_t i = 2; i < d->count; i++)
        l->is_default |= strcmp(d->words[i], "default_server") == 0;
    v->listen_count++;
    return 0;
}

static int set_user(struct reader *r, const struct directive *d)
{
    r->web->user = strdup(d->words[1]);
    return 0;
}

static int set_access_log(struct reader *r, const struct directive *d)
{
    if (strcmp(d->words[1], "off") == 0)
        r->web->access_log = r->place == MAIN || r->place == HTTP ? "" : r->web->access_log;
    else
        r->web->access_log = strdup(d->words[1]);
    return 0;
}

static int set_error_log(struct reader *r, const struct directive *d)
{
    const char *level = d->count > 2 ? d->words[2] : "error";
    r->web->error_log = strdup(d->words[1]);
    r->web->notices = strcmp(level, "notice") == 0 || strcmp(level, "info") == 0 || strcmp(level, "debug") == 0;
    return 0;
}

static int set_pid(struct reader *r, const struct directive *d)
{
    r->web->pid_file = strdup(d->words[1]);
    return 0;
}

static int set_tokens(struct reader *r, const struct directive *d)
{
    r->web->tokens = strcmp(d->words[1], "off") != 0;
    return 0;
}

/* ---- blocks ---- */

static int read_block(struct reader *r, bool in_braces);

static int enter(struct reader *r, enum place place)
{
    const enum place before = r->place;
    r->place = place;
    const int result = read_block(r, true);
    r->place = before;
    return result;
}

static int open_events(struct reader *r, const struct directive *d)
{
    (void)d;
    return enter(r, EVENTS);
}

static int open_http(struct reader *r, const struct directive *d)
{
    (void)d;
    return enter(r, HTTP);
}

static int open_types(struct reader *r, const struct directive *d)
{
    (void)d;
    return enter(r, TYPES);
}

/* A block whose content is accepted and not used (upstream, map, if …). */
static int open_other(struct reader *r, const struct directive *d)
{
    (void)d;
    return enter(r, OTHER);
}

static int open_server(struct reader *r, const struct directive *d)
{
    (void)d;
    struct server *v = calloc(1, sizeof *v);
    v->last_location = &v->locations;
    struct web *w = r->web;
    *w->last_server = v;
    w->last_server = &v->next;
    r->server = v;
    const int result = enter(r, SERVER);
    r->server = NULL;
    if (!v->listen_count)
        v->listen[v->listen_count++] = (struct listen){.port = 80};
    return result;
}

static int open_location(struct reader *r, const struct directive *d)
{
    static const struct {
        const char *sign;
        enum match match;
    } signs[] = {{"=", MATCH_EXACT}, {"^~", MATCH_PREFIX_FINAL}, {"~", MATCH_REGEX}, {"~*", MATCH_REGEX}};
    struct location *l = calloc(1, sizeof *l), *outer = r->location;
    l->path = strdup(d->words[d->count - 1]);
    for (size_t i = 0; d->count > 2 && i < sizeof signs / sizeof *signs; i++)
        if (strcmp(signs[i].sign, d->words[1]) == 0)
            l->match = signs[i].match;
    if (l->match == MATCH_REGEX) {
        const int flags = REG_EXTENDED | REG_NOSUB | (d->words[1][1] ? REG_ICASE : 0);
        if (regcomp(&l->regex, l->path, flags) != 0)
            return fault(r, "pcre2_compile() failed in \"%s\"", l->path);
    }
    *r->server->last_location = l;
    r->server->last_location = &l->next;
    r->location = l;
    const int result = enter(r, LOCATION);
    r->location = outer;
    return result;
}

static int read_file(struct reader *outer, const char *path);

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The files a pattern names, sorted; the pattern is in the last part of the path. glob(3) would link half of libc. */
static size_t match_files(const char *pattern, char **out, size_t max)
{
    const char *slash = strrchr(pattern, '/');
    char *dir = strndup(pattern, slash ? (size_t)(slash - pattern) : 0);
    size_t n = 0;
    DIR *d = opendir(*dir ? dir : "/");
    for (const struct dirent *entry; d && n < max && (entry = readdir(d));)
        if (fnmatch(slash + 1, entry->d_name, FNM_PERIOD) == 0 && asprintf(&out[n], "%s/%s", dir, entry->d_name) > 0)
            n++;
    if (d)
        closedir(d);
    free(dir);
    qsort(out, n, sizeof *out, by_name);
    return n;
}

static int do_include(struct reader *r, const struct directive *d)
{
    char pattern[1024], *files[INCLUDE_FILES];
    snprintf(pattern, sizeof pattern, "%s%s", d->words[1][0] == '/' ? "" : "/etc/nginx/", d->words[1]);
    if (!strpbrk(pattern, "*?["))
        return read_file(r, strdup(pattern));
    const size_t n = match_files(pattern, files, INCLUDE_FILES);
    for (size_t i = 0; i < n; i++)
        if (read_file(r, files[i]) < 0)
            return -1;
    return 0;
}

/* ---- the table ---- */

enum { BLOCK = 1, LINE = 0 };
static const struct {
    const char *name;
    unsigned places;
    int form;
    size_t min_words; /* after the name */
    int (*act)(struct reader *r, const struct directive *d);
} table[] = {
    {"events", MAIN, BLOCK, 0, open_events},
    {"http", MAIN, BLOCK, 0, open_http},
    {"server", HTTP, BLOCK, 0, open_server},
    {"location", SERVER | LOCATION, BLOCK, 1, open_location},
    {"types", HTTP | SERVER | LOCATION, BLOCK, 0, open_types},
    {"upstream", HTTP, BLOCK, 1, open_other},
    {"map", HTTP, BLOCK, 2, open_other},
    {"geo", HTTP, BLOCK, 1, open_other},
    {"stream", MAIN, BLOCK, 0, open_other},
    {"if", SERVER | LOCATION, BLOCK, 1, open_other},
    {"limit_except", LOCATION, BLOCK, 1, open_other},
    {"include", ANY, LINE, 1, do_include},
    {"listen", SERVER, LINE, 1, set_listen},
    {"server_name", SERVER, LINE, 1, set_names},
    {"root", HTTP | SERVER | LOCATION, LINE, 1, set_root},
    {"alias", LOCATION, LINE, 1, set_alias},
    {"index", HTTP | SERVER | LOCATION, LINE, 1, set_index},
    {"try_files", SERVER | LOCATION, LINE, 2, set_try_files},
    {"default_type", HTTP | SERVER | LOCATION, LINE, 1, set_default_type},
    {"autoindex", HTTP | SERVER | LOCATION, LINE, 1, set_autoindex},
    {"return", SERVER | LOCATION, LINE, 1, set_return},
    {"error_page", HTTP | SERVER | LOCATION, LINE, 2, set_error_page},
    {"add_header", HTTP | SERVER | LOCATION, LINE, 2, set_add_header},
    {"proxy_pass", LOCATION, LINE, 1, set_proxy},
    {"deny", HTTP | SERVER | LOCATION, LINE, 1, set_deny},
    {"user", MAIN, LINE, 1, set_user},
    {"pid", MAIN, LINE, 1, set_pid},
    {"access_log", HTTP | SERVER | LOCATION, LINE, 1, set_access_log},
    {"error_log", MAIN | HTTP | SERVER | LOCATION, LINE, 1, set_error_log},
    {"server_tokens", HTTP | SERVER | LOCATION, LINE, 1, set_tokens},
};

/* Accepted wherever they stand; they change nothing here. A trailing '*' stands for any rest. */
static const char *const ignored[] = {
    "worker_*",
    "daemon",
    "master_process",
    "load_module",
    "env",
    "pcre_jit",
    "timer_resolution",
    "use",
    "multi_accept",
    "accept_mutex",
    "log_format",
    "sendfile*",
    "tcp_*",
    "keepalive_*",
    "gzip*",
    "client_*",
    "send_timeout",
    "reset_timedout_connection",
    "aio",
    "directio*",
    "output_buffers",
    "expires",
    "etag",
    "if_modified_since",
    "charset*",
    "proxy_*",
    "fastcgi_*",
    "uwsgi_*",
    "ssl_*",
    "http2*",
    "large_client_header_buffers",
    "server_names_hash*",
    "types_hash*",
    "variables_hash*",
    "map_hash*",
    "open_file_cache*",
    "resolver*",
    "rewrite",
    "rewrite_log",
    "set",
    "set_real_ip_from",
    "real_ip*",
    "allow",
    "satisfy",
    "auth_*",
    "limit_*",
    "log_not_found",
    "log_subrequest",
    "internal",
    "autoindex_*",
    "absolute_redirect",
    "port_in_redirect",
    "server_name_in_redirect",
    "merge_slashes",
    "stub_status",
    "sub_filter*",
    "underscores_in_headers",
    "ignore_invalid_headers",
    "chunked_transfer_encoding",
    "lingering_*",
    "max_ranges",
    "msie_*",
    "recursive_error_pages",
    "break",
    "access_by*",
    "subrequest*",
    "random_index",
    "disable_symlinks",
    "dav_*",
    "create_full_put_path",
    "min_delete_depth",
    "thread_pool",
    "debug_*",
    "lock_file",
    "ssl",
    "http3*",
    "quic_*",
};

static bool is_ignored(const char *name)
{
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        const size_t n = strlen(ignored[i]);
        const bool prefix = ignored[i][n - 1] == '*';
        if (prefix ? strncmp(ignored[i], name, n - 1) == 0 : strcmp(ignored[i], name) == 0)
            return true;
    }
    return false;
}

static int add_type(struct reader *r, const struct directive *d)
{
    for (size_t i = 1; i < d->count; i++) {
        struct mime *m = malloc(sizeof *m);
        *m = (struct mime){r->web->mimes, strdup(d->words[i]), strdup(d->words[0])};
        r->web->mimes = m;
    }
    return 0;
}

static int act(struct reader *r, const struct directive *d)
{
    const char *name = d->words[0];
    if (r->place == TYPES && strcmp(name, "include") != 0)
        return add_type(r, d);
    if (r->place == OTHER)
        return d->block ? enter(r, OTHER) : 0;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].name, name) != 0)
            continue;
        if (!(table[i].places & r->place))
            return fault(r, "\"%s\" directive is not allowed here", name);
        if (table[i].form == BLOCK && !d->block)
            return fault(r, "directive \"%s\" has no opening \"{\"", name);
        if (table[i].form == LINE && d->block)
            return fault(r, "directive \"%s\" is not terminated by \";\"", name);
        if (d->count - 1 < table[i].min_words)
            return fault(r, "invalid number of arguments in \"%s\" directive", name);
        return table[i].act(r, d);
    }
    if (!is_ignored(name))
        return fault(r, "unknown directive \"%s\"", name);
    return d->block ? enter(r, OTHER) : 0;
}

/* ---- words ---- */

enum token { WORD, OPEN, CLOSE, SEMICOLON, END, BROKEN };

static void skip_space(struct reader *r)
{
    while (*r->at && (isspace((unsigned char)*r->at) || *r->at == '#')) {
        if (*r->at == '#')
            r->at += strcspn(r->at, "\n");
        else
            r->line += *r->at++ == '\n';
    }
}

static char unescaped(char c)
{
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
}

static char *quoted(struct reader *r)
{
    const char quote = *r->at++;
    char *start = r->at, *to = r->at;
    while (*r->at && *r->at != quote) {
        const bool escaped = *r->at == '\\' && r->at[1];
        r->at += escaped;
        r->line += *r->at == '\n';
        *to++ = escaped ? unescaped(*r->at) : *r->at;
        r->at++;
    }
    if (!*r->at)
        return NULL;
    r->at++;
    *to = '\0';
    return strdup(start);
}

static enum token next(struct reader *r, char **out_word)
{
    skip_space(r);
    switch (*r->at) {
    case '\0':
        return END;
    case '{':
        r->at++;
        return OPEN;
    case '}':
        r->at++;
        return CLOSE;
    case ';':
        r->at++;
        return SEMICOLON;
    case '"':
    case '\'':
        *out_word = quoted(r);
        return *out_word ? WORD : BROKEN;
    default:
        break;
    }
    char *start = r->at;
    while (*r->at && !isspace((unsigned char)*r->at) && *r->at != ';' &&
           (*r->at != '{' || (r->at > start && r->at[-1] == '$'))) {
        if (*r->at == '{') /* "${name}" */
            while (*r->at && *r->at != '}')
                r->at++;
        if (*r->at)
            r->at++;
    }
    *out_word = strndup(start, (size_t)(r->at - start));
    return WORD;
}

static int read_block(struct reader *r, bool in_braces)
{
    struct directive d = {0};
    for (;;) {
        char *word = NULL;
        switch (next(r, &word)) {
        case WORD:
            if (d.count == WORDS_MAX)
                return fault(r, "too many arguments in \"%s\" directive", d.words[0]);
            d.words[d.count++] = word;
            break;
        case SEMICOLON:
        case OPEN:
            d.block = r->at[-1] == '{';
            if (!d.count)
                return fault(r, "unexpected \"%c\"", r->at[-1]);
            if (act(r, &d) < 0)
                return -1;
            d = (struct directive){0};
            break;
        case CLOSE:
            if (d.count || !in_braces)
                return fault(r, "unexpected \"}\"");
            return 0;
        case END:
            if (d.count)
                return fault(r, "unexpected end of file, expecting \";\" or \"}\"");
            return in_braces ? fault(r, "unexpected end of file, expecting \"}\"") : 0;
        default:
            return fault(r, "unexpected end of file, expecting a closing quote");
        }
    }
}

static int read_file(struct reader *outer, const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        const int code = errno;
        snprintf(outer->fault, outer->fault_size, "open() \"%s\" failed (%d: %s)%s", path, code, strerror(code),
                 outer->file ? "" : "");
        if (outer->file) {
            const size_t n = strlen(outer->fault);
            snprintf(outer->fault + n, outer->fault_size - n, " in %s:%d", outer->file, outer->line);
        }
        return -1;
    }
    char *text = calloc(1, FILE_MAX + 1);
    const size_t n = fread(text, 1, FILE_MAX, f);
    fclose(f);
    text[n] = '\0';
    struct reader r = *outer;
    r.file = strdup(path);
    r.at = text;
    r.line = 1;
    r.depth++;
    int result = r.depth > INCLUDE_MAX ? fault(&r, "too many nested includes") : read_block(&r, false);
    free(text);
    return result;
}

int nginx_conf_read(struct web *w, const char *path, char *out, size_t size)
{
    struct reader r = {.web = w, .place = MAIN, .fault = out, .fault_size = size};
    w->last_server = &w->servers;
    return read_file(&r, path);
}
