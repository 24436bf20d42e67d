/* console.c - what is below /console: see console_int.h.
 *
 * When you add a path: a branch in console_serve_page() or console_serve(), a line in console_int.h and in
 * docs/console.md. */
#include "apiserver/console/console_int.h"

#include "apiserver/authn_int.h"
#include "apiserver/console/assets.h"
#include "apiserver/console/sessions.h"
#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOT "/console"

static const char left_out[] =
    "This stowage was built without its console, because Node.js was not there at build time.\n"
    "Install nodejs and npm and build again (./dev build), or use kubectl and `stowage` as before.\n";

/* -- life -- */

struct console *console_new(struct apiserver *s, const struct console_conf *conf)
{
    if (!conf->answer)
        return NULL;
    struct console *c = xcalloc(1, sizeof *c);
    c->srv = s;
    c->conf = *conf;
    c->sessions = sessions_new(clock_real(), conf->state_path);
    c->worker = pool_new("stowage-console", 1);
    pthread_mutex_init(&c->mu, NULL);
    return c;
}

/* A page may be waiting for us. */
void console_resume(struct console *c)
{
    struct err e = ERR_INIT;
    if (c && sessions_port(c->sessions))
        console_open_door(c, sessions_port(c->sessions), &e);
}

void console_quiet(struct console *c)
{
    int fd = c && c->door ? MHD_quiesce_daemon(c->door) : -1;
    if (fd >= 0)
        close(fd);
}

void console_stop(struct console *c)
{
    if (c && c->door)
        MHD_stop_daemon(TAKE(c->door));
}

void console_free(struct console *c)
{
    if (!c)
        return;
    pool_free(c->worker);
    sessions_free(c->sessions);
    pthread_mutex_destroy(&c->mu);
    free(c);
}

/* The name of a view, and nothing that would lead a browser elsewhere. */
static bool is_view(const char *view)
{
    return strspn(view, "abcdefghijklmnopqrstuvwxyz-") == strlen(view);
}

bool apiserver_console_viewed(struct apiserver *s)
{
    return s->console && sessions_have_viewer(s->console->sessions);
}

int apiserver_console_link(struct apiserver *s, const struct console_link *link, char **out_url, struct err *e)
{
    char code[SESSION_COOKIE_LEN];
    if (!is_view(link->view))
        return err_set(e, ERR_BAD_REQUEST, "no view is named \"%s\"", link->view);
    if (!s->console)
        return err_set(e, ERR_UNSUPPORTED, "this server has no console");
    if (console_open_door(s->console, 0, e) < 0)
        return -1;
    sessions_code(s->console->sessions, link->viewer ? SESSION_VIEWER : SESSION_ADMIN,
                  link->seconds ? link->seconds : CODE_SECONDS, code);
    *out_url = xasprintf("http://127.0.0.1:%u" ROOT "/login?code=%s%s%s", s->console->port, code,
                         *link->view ? "&view=" : "", link->view);
    return 0;
}

/* -- who -- */

/* Cookies know no ports: two clusters on one machine need two names. In the arena. */
static const char *cookie_name(struct request *rq)
{
    return arena_printf(&rq->arena, CONSOLE_COOKIE "%u", console_at_door(rq) ? rq->srv->console->port : rq->srv->port);
}

static const char *cookie_of(struct request *rq)
{
    const char *h = request_header(rq, "Cookie"), *name = cookie_name(rq);
    size_t n = strlen(name);
    while (h && *h) {
        h += strspn(h, "; ");
        size_t len = strcspn(h, ";");
        if (len > n && strncmp(h, name, n) == 0 && h[n] == '=')
            return arena_strndup(&rq->arena, h + n + 1, len - n - 1);
        h += len;
    }
    return NULL;
}

bool console_user(struct request *rq)
{
    const struct console *c = rq->srv->console;
    _auto_free_ char *token = NULL;
    enum session_who who;
    const char *cookie = c ? cookie_of(rq) : NULL;
    if (!cookie || !console_same_site(rq) || !sessions_find(c->sessions, cookie, &who, &token))
        return false;
    if (who == SESSION_VIEWER)
        authn_viewer(rq);
    else if (who != SESSION_TOKEN)
        authn_admin(rq);
    rq->by_link = who == SESSION_ADMIN;
    rq->by_cookie = who != SESSION_TOKEN || authn_token(rq->srv->authn, token, rq);
    return rq->by_cookie;
}

/* -- signing in and out -- */

static void set_cookie(struct request *rq, unsigned http, const char *value, int64_t seconds, const char *where)
{
    const struct reply_header more[] = {
        {"Set-Cookie", arena_printf(&rq->arena, "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s",
                                    cookie_name(rq), value, (long long)seconds, rq->conn->tls ? "; Secure" : "")},
        {"Referrer-Policy", "no-referrer"},
        {NULL, NULL},
    };
    reply_static(rq, &(struct reply){.http = http, .type = TYPE_TEXT, .location = where, .more = more, .nosniff = true},
                 "", 0);
}

static void sign_in(struct request *rq, enum session_who who, const char *token, unsigned http, const char *where)
{
    char cookie[SESSION_COOKIE_LEN];
    sessions_begin(rq->srv->console->sessions, who, token, cookie);
    set_cookie(rq, http, cookie, SESSION_SECONDS, where);
}

static bool signed_in(struct request *rq)
{
    _auto_free_ char *token = NULL;
    enum session_who who;
    const char *cookie = cookie_of(rq);
    return cookie && sessions_find(rq->srv->console->sessions, cookie, &who, &token);
}

/* A link that was used is no reason to lose whom it signed in: browsers ask twice for a page that is slow to come. */
static void login_by_code(struct request *rq)
{
    const char *code = query_get(&rq->query, "code"), *view = query_get(&rq->query, "view");
    const char *where = arena_printf(&rq->arena, ROOT "/%s", view && is_view(view) ? view : "");
    enum session_who who;
    if (code && sessions_redeem(rq->srv->console->sessions, code, &who))
        sign_in(rq, who, NULL, 303, where);
    else if (signed_in(rq))
        reply_static(rq, &(struct reply){.http = 303, .type = TYPE_TEXT, .location = where, .nosniff = true}, "", 0);
    else /* used, or too old: the page says so, and what to do */
        set_cookie(rq, 303, "", 0, ROOT "/?expired");
}

static void login_by_token(struct request *rq)
{
    struct err e = ERR_INIT;
    _auto_json_ json_t *body = json_loadb(rq->body.len ? rq->body.data : "", rq->body.len, 0, NULL);
    const char *token = jstr(body, "token");
    if (token && authn_token(rq->srv->authn, token, rq)) {
        sign_in(rq, SESSION_TOKEN, token, 200, NULL);
        return;
    }
    err_set(&e, ERR_UNAUTHORIZED, "this token is not known here, or it has run out");
    reply_err(rq, &e);
}

static void serve_login(struct request *rq)
{
    struct err e = ERR_INIT;
    if (strcmp(rq->method, "GET") == 0) {
        login_by_code(rq);
    } else if (strcmp(rq->method, "POST") != 0) {
        reply_no_method(rq);
    } else if (!console_same_site(rq)) {
        err_set(&e, ERR_FORBIDDEN, "from another site");
        reply_err(rq, &e);
    } else {
        login_by_token(rq);
    }
}

static void serve_logout(struct request *rq)
{
    const char *cookie = cookie_of(rq);
    if (strcmp(rq->method, "POST") != 0) {
        reply_no_method(rq);
        return;
    }
    if (cookie && console_same_site(rq))
        sessions_end(rq->srv->console->sessions, cookie);
    set_cookie(rq, 200, "", 0, NULL);
}

/* -- pages -- */

/* Nothing but what came with the page is run, and nothing is asked of anybody else. Not every browser takes 'self' to
 * mean a WebSocket, too. */
static const char *content_policy(struct request *rq)
{
    const unsigned port = rq->srv->console->port;
    const char *streams =
        console_at_door(rq) ? arena_printf(&rq->arena, " ws://127.0.0.1:%u ws://localhost:%u", port, port) : "";
    return arena_printf(&rq->arena,
                        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' "
                        "data:; font-src 'self'; connect-src 'self'%s; base-uri 'none'; form-action 'self'; "
                        "frame-ancestors 'none'",
                        streams);
}

static void send_asset(struct request *rq, const struct asset *a, const char *cache)
{
    const struct reply_header more[] = {
        {"Content-Security-Policy", content_policy(rq)},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Content-Encoding", "gzip"},
        {NULL, NULL},
    };
    const char *type = arena_strndup(&rq->arena, a->type, a->type_len);
    reply_static(rq, &(struct reply){.http = 200, .type = type, .cache = cache, .more = more, .nosniff = true}, a->data,
                 a->len);
}

/* Names of files below assets/ have a digest in them. */
static void serve_page(struct request *rq, const char *name)
{
    struct asset a;
    bool file = asset_find(name, &a);
    if (strcmp(rq->method, "GET") != 0 && strcmp(rq->method, "HEAD") != 0) {
        reply_no_method(rq);
    } else if (!assets_exist()) {
        reply_text(rq, 501, left_out);
    } else if (!file && (strchr(name, '.') || !asset_find("index.html", &a))) {
        reply_no_page(rq);
    } else {
        send_asset(rq, &a, str_starts(name, "assets/") ? "public, max-age=31536000, immutable" : "no-cache");
    }
}

/* What follows /console, or NULL. */
static const char *below_root(const struct request *rq)
{
    const char *path = rq->srv->console && str_starts(rq->target.path, ROOT) ? rq->target.path + sizeof ROOT - 1 : NULL;
    return path && (!*path || *path == '/') ? path : NULL;
}

static bool is_guarded(const char *path)
{
    return str_starts(path, "/api/") || strcmp(path, "/shell") == 0;
}

bool console_serve_page(struct request *rq)
{
    const char *path = below_root(rq);
    if (!path || is_guarded(path))
        return false;
    if (strcmp(path, "/login") == 0)
        serve_login(rq);
    else if (strcmp(path, "/logout") == 0)
        serve_logout(rq);
    else if (!*path)
        reply_static(rq, &(struct reply){.http = 308, .type = TYPE_TEXT, .location = ROOT "/"}, "", 0);
    else
        serve_page(rq, path + 1);
    return true;
}

bool console_serve(struct request *rq)
{
    const char *path = below_root(rq);
    if (!path || !is_guarded(path))
        return false;
    if (strcmp(path, "/shell") == 0)
        console_shell(rq);
    else
        console_call(rq, path + 5);
    return true;
}
