/* sessions.c - see sessions.h.
 *
 * DESIGN: two small tables, looked through from end to end: of codes and of sessions. Time is the machine's, not the
 * cluster's: moving the cluster's clock signs nobody out. THREADS: `mu` guards all. */
#include "apiserver/console/sessions.h"

#include "apiserver/file_int.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { CODES = 4, SESSIONS = 64 };
#define NS INT64_C(1000000000)

struct row {
    char digest[SHA256_TEXT_LEN]; /* of a code or a cookie; "" = empty */
    int64_t until;                /* wall ns */
    enum session_who who;
    char *token; /* owned; NULL but for SESSION_TOKEN */
};

struct sessions {
    pthread_mutex_t mu;
    const struct clock *clock;
    char *path; /* or NULL */
    uint16_t port;
    struct row codes[CODES], rows[SESSIONS];
};

/* -- rows -- */

static void digest_of(const char *secret, char out[SHA256_TEXT_LEN])
{
    struct sha256 sha;
    sha256_init(&sha);
    sha256_add(&sha, secret, strlen(secret));
    sha256_hex(&sha, out);
}

static void empty_row(struct row *r)
{
    free(r->token);
    *r = (struct row){0};
}

/* Who knows the digest's beginning knows nothing of the secret, so this may take as long as it takes. */
static struct row *find(struct sessions *s, struct row *rows, size_t n, const char *secret)
{
    char digest[SHA256_TEXT_LEN];
    int64_t now = clock_wall_ns(s->clock);
    digest_of(secret, digest);
    for (size_t i = 0; i < n; i++)
        if (rows[i].until > now && strcmp(rows[i].digest, digest) == 0)
            return &rows[i];
    return NULL;
}

static struct row *make_room(struct row *rows, size_t n)
{
    struct row *oldest = rows;
    for (size_t i = 1; i < n; i++)
        if (rows[i].until < oldest->until)
            oldest = &rows[i];
    empty_row(oldest);
    return oldest;
}

static void random_secret(char out[SESSION_COOKIE_LEN])
{
    unsigned char raw[(SESSION_COOKIE_LEN - 1) / 2];
    random_bytes(raw, sizeof raw);
    for (size_t i = 0; i < sizeof raw; i++) {
        out[2 * i] = "0123456789abcdef"[raw[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[raw[i] & 15];
    }
    out[SESSION_COOKIE_LEN - 1] = '\0';
}

static struct row *issue(struct sessions *s, struct row *rows, size_t n, enum session_who who, int64_t seconds,
                         char out[SESSION_COOKIE_LEN])
{
    struct row *r = make_room(rows, n);
    r->who = who;
    random_secret(out);
    digest_of(out, r->digest);
    r->until = clock_wall_ns(s->clock) + seconds * NS;
    return r;
}

/* -- the file -- */

/* Whatever is wrong with it, one can sign in anew. */
static void load(struct sessions *s)
{
    struct err e = ERR_INIT;
    _auto_free_ char *text = NULL;
    if (file_read(s->path, &text, &e) < 0 || !text)
        return;
    _auto_json_ json_t *j = json_loads(text, 0, NULL);
    s->port = (uint16_t)jint(j, "port", 0);
    size_t i, n = 0;
    json_t *o;
    json_array_foreach(json_object_get(j, "sessions"), i, o)
    {
        const char *digest = jstr_or(o, "digest", "");
        if (n == SESSIONS || strlen(digest) != SHA256_TEXT_LEN - 1)
            continue;
        memcpy(s->rows[n].digest, digest, SHA256_TEXT_LEN);
        s->rows[n].who = jbool(o, "viewer", false) ? SESSION_VIEWER : SESSION_ADMIN;
        s->rows[n++].until = jint(o, "until", 0);
    }
}

static void save(const struct sessions *s)
{
    struct err e = ERR_INIT;
    if (!s->path)
        return;
    json_t *kept = json_array();
    for (size_t i = 0; i < SESSIONS; i++)
        if (s->rows[i].digest[0] && !s->rows[i].token)
            json_array_append_new(kept,
                                  json_pack("{s:s, s:I, s:b}", "digest", s->rows[i].digest, "until",
                                            (json_int_t)s->rows[i].until, "viewer", s->rows[i].who == SESSION_VIEWER));
    _auto_json_ json_t *j = json_pack("{s:i, s:o}", "port", (int)s->port, "sessions", kept);
    _auto_free_ char *text = json_text(j);
    file_write(s->path, text, strlen(text), FILE_QUICK, &e);
}

struct sessions *sessions_new(const struct clock *clock, const char *path)
{
    struct sessions *s = xcalloc(1, sizeof *s);
    pthread_mutex_init(&s->mu, NULL);
    s->clock = clock;
    s->path = path ? xstrdup(path) : NULL;
    if (s->path)
        load(s);
    return s;
}

void sessions_free(struct sessions *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < SESSIONS; i++)
        empty_row(&s->rows[i]);
    pthread_mutex_destroy(&s->mu);
    free(s->path);
    free(s);
}

/* -- what others call -- */

void sessions_code(struct sessions *s, enum session_who who, int64_t seconds, char out[SESSION_COOKIE_LEN])
{
    pthread_mutex_lock(&s->mu);
    issue(s, s->codes, CODES, who, seconds, out);
    pthread_mutex_unlock(&s->mu);
}

bool sessions_redeem(struct sessions *s, const char *code, enum session_who *out_who)
{
    pthread_mutex_lock(&s->mu);
    struct row *r = find(s, s->codes, CODES, code);
    if (r) {
        *out_who = r->who;
        empty_row(r);
    }
    pthread_mutex_unlock(&s->mu);
    return r != NULL;
}

void sessions_begin(struct sessions *s, enum session_who who, const char *token, char out_cookie[SESSION_COOKIE_LEN])
{
    pthread_mutex_lock(&s->mu);
    struct row *r = issue(s, s->rows, SESSIONS, who, SESSION_SECONDS, out_cookie);
    r->token = token ? xstrdup(token) : NULL;
    save(s);
    pthread_mutex_unlock(&s->mu);
}

void sessions_end(struct sessions *s, const char *cookie)
{
    pthread_mutex_lock(&s->mu);
    struct row *r = find(s, s->rows, SESSIONS, cookie);
    if (r)
        empty_row(r);
    save(s);
    pthread_mutex_unlock(&s->mu);
}

bool sessions_find(struct sessions *s, const char *cookie, enum session_who *out_who, char **out_token)
{
    pthread_mutex_lock(&s->mu);
    const struct row *r = find(s, s->rows, SESSIONS, cookie);
    if (r) {
        *out_who = r->who;
        *out_token = r->token ? xstrdup(r->token) : NULL;
    }
    pthread_mutex_unlock(&s->mu);
    return r != NULL;
}

static bool any_viewer(const struct row *rows, size_t n, int64_t now)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].who == SESSION_VIEWER && rows[i].until > now)
            return true;
    return false;
}

bool sessions_have_viewer(struct sessions *s)
{
    const int64_t now = clock_wall_ns(s->clock);
    pthread_mutex_lock(&s->mu);
    const bool any = any_viewer(s->rows, SESSIONS, now) || any_viewer(s->codes, CODES, now);
    pthread_mutex_unlock(&s->mu);
    return any;
}

uint16_t sessions_port(struct sessions *s)
{
    pthread_mutex_lock(&s->mu);
    uint16_t port = s->port;
    pthread_mutex_unlock(&s->mu);
    return port;
}

void sessions_keep_port(struct sessions *s, uint16_t port)
{
    pthread_mutex_lock(&s->mu);
    s->port = port;
    save(s);
    pthread_mutex_unlock(&s->mu);
}
