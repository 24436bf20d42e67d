/* redis.c - the commands of the guest's redis: those that labs type. One that is not known is refused in redis' words.
 * How to add one: a row in `commands`. */
#include "redis_int.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- answers ---- */

static void put(struct reply *r, const char *data, size_t n)
{
    while (r->len + n > r->cap) {
        r->cap = r->cap ? r->cap * 2 : 4096;
        r->data = realloc(r->data, r->cap);
        if (!r->data)
            abort();
    }
    memcpy(r->data + r->len, data, n);
    r->len += n;
}

void reply_line(struct reply *r, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(line, sizeof line - 2, fmt, ap);
    va_end(ap);
    const size_t len = n < (int)sizeof line - 2 ? (size_t)n : sizeof line - 3;
    memcpy(line + len, "\r\n", 2);
    put(r, line, len + 2);
}

static void bulk(struct reply *r, const struct text *t)
{
    if (!t) {
        reply_line(r, "$-1");
        return;
    }
    reply_line(r, "$%zu", t->len);
    put(r, t->data, t->len);
    put(r, "\r\n", 2);
}

static void wrong_type(struct reply *r)
{
    reply_line(r, "-WRONGTYPE Operation against a key holding the wrong kind of value");
}

/* ---- commands ---- */

/* The key as that kind; false when it is of another (answered). */
static bool of_kind(const struct call *c, enum kind kind, struct key **out)
{
    *out = redis_find(&c->argv[1]);
    if (!*out || (*out)->kind == kind)
        return true;
    wrong_type(c->reply);
    return false;
}

static void do_ping(struct call *c)
{
    if (c->argc > 1)
        bulk(c->reply, &c->argv[1]);
    else
        reply_line(c->reply, "+PONG");
}

static void do_echo(struct call *c)
{
    bulk(c->reply, &c->argv[1]);
}

static void do_ok(struct call *c)
{
    reply_line(c->reply, "+OK");
}

static void do_set(struct call *c)
{
    bool nx = false, xx = false;
    int64_t expires = 0;
    for (size_t i = 3; i < c->argc; i++) {
        const char *word = c->argv[i].data;
        if (strcasecmp(word, "NX") == 0)
            nx = true;
        else if (strcasecmp(word, "XX") == 0)
            xx = true;
        else if ((strcasecmp(word, "EX") == 0 || strcasecmp(word, "PX") == 0) && i + 1 < c->argc)
            expires =
                redis_now_ms() + strtoll(c->argv[++i].data, NULL, 10) * (word[0] == 'E' || word[0] == 'e' ? 1000 : 1);
        else {
            reply_line(c->reply, "-ERR syntax error");
            return;
        }
    }
    const bool there = redis_find(&c->argv[1]) != NULL;
    if ((nx && there) || (xx && !there)) {
        bulk(c->reply, NULL);
        return;
    }
    struct key *k = redis_make(&c->argv[1], KIND_STRING);
    key_insert(k, 0, c->argv[2].data, c->argv[2].len);
    k->expires = expires;
    reply_line(c->reply, "+OK");
}

static void do_get(struct call *c)
{
    struct key *k;
    if (of_kind(c, KIND_STRING, &k))
        bulk(c->reply, k ? &k->items[0] : NULL);
}

static void do_mset(struct call *c)
{
    for (size_t i = 1; i + 1 < c->argc; i += 2)
        key_insert(redis_make(&c->argv[i], KIND_STRING), 0, c->argv[i + 1].data, c->argv[i + 1].len);
    reply_line(c->reply, "+OK");
}

static void do_mget(struct call *c)
{
    reply_line(c->reply, "*%zu", c->argc - 1);
    for (size_t i = 1; i < c->argc; i++) {
        const struct key *k = redis_find(&c->argv[i]);
        bulk(c->reply, k && k->kind == KIND_STRING ? &k->items[0] : NULL);
    }
}

static void do_del(struct call *c)
{
    size_t n = 0;
    for (size_t i = 1; i < c->argc; i++)
        n += redis_find(&c->argv[i]) && redis_delete(&c->argv[i]);
    reply_line(c->reply, ":%zu", n);
}

static void do_exists(struct call *c)
{
    size_t n = 0;
    for (size_t i = 1; i < c->argc; i++)
        n += redis_find(&c->argv[i]) != NULL;
    reply_line(c->reply, ":%zu", n);
}

static void do_incr(struct call *c)
{
    struct key *k;
    char text[32], *end = text;
    const char *name = c->argv[0].data;
    const long long by = c->argc > 2 ? strtoll(c->argv[2].data, NULL, 10) : 1;
    if (!of_kind(c, KIND_STRING, &k))
        return;
    const long long old = k ? strtoll(k->items[0].data, &end, 10) : 0;
    if (k && (*end || end == k->items[0].data)) {
        reply_line(c->reply, "-ERR value is not an integer or out of range");
        return;
    }
    snprintf(text, sizeof text, "%lld", name[0] == 'd' || name[0] == 'D' ? old - by : old + by);
    const int64_t expires = k ? k->expires : 0;
    k = redis_make(&c->argv[1], KIND_STRING);
    k->expires = expires;
    key_insert(k, 0, text, strlen(text));
    reply_line(c->reply, ":%s", text);
}

static void do_append(struct call *c)
{
    struct key *k;
    if (!of_kind(c, KIND_STRING, &k))
        return;
    if (!k) {
        k = redis_make(&c->argv[1], KIND_STRING);
        key_insert(k, 0, "", 0);
    }
    struct text *t = &k->items[0];
    t->data = realloc(t->data, t->len + c->argv[2].len + 1);
    if (!t->data)
        abort();
    memcpy(t->data + t->len, c->argv[2].data, c->argv[2].len + 1);
    t->len += c->argv[2].len;
    reply_line(c->reply, ":%zu", t->len);
}

static void do_strlen(struct call *c)
{
    struct key *k;
    if (of_kind(c, KIND_STRING, &k))
        reply_line(c->reply, ":%zu", k ? k->items[0].len : 0);
}

static void do_keys(struct call *c)
{
    size_t n = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (pass)
            reply_line(c->reply, "*%zu", n);
        for (const struct key *k = redis_keys; k; k = k->next)
            if (fnmatch(c->argv[1].data, k->name.data, 0) == 0) {
                n++;
                if (pass)
                    bulk(c->reply, &k->name);
            }
    }
}

static void do_dbsize(struct call *c)
{
    size_t n = 0;
    for (const struct key *k = redis_keys; k; k = k->next)
        n++;
    reply_line(c->reply, ":%zu", n);
}

static void do_flush(struct call *c)
{
    redis_clear();
    reply_line(c->reply, "+OK");
}

static void do_type(struct call *c)
{
    static const char *const names[] = {"string", "list", "set", "", "hash"};
    const struct key *k = redis_find(&c->argv[1]);
    reply_line(c->reply, "+%s", k ? names[k->kind] : "none");
}

static void do_ttl(struct call *c)
{
    const struct key *k = redis_find(&c->argv[1]);
    const int64_t left = k && k->expires ? (k->expires - redis_now_ms() + 999) / 1000 : -1;
    reply_line(c->reply, ":%lld", k ? (long long)left : -2LL);
}

static void do_expire(struct call *c)
{
    struct key *k = redis_find(&c->argv[1]);
    if (k)
        k->expires = redis_now_ms() + strtoll(c->argv[2].data, NULL, 10) * 1000;
    reply_line(c->reply, ":%d", k != NULL);
}

static void do_persist(struct call *c)
{
    struct key *k = redis_find(&c->argv[1]);
    const bool had = k && k->expires;
    if (k)
        k->expires = 0;
    reply_line(c->reply, ":%d", had);
}

static void do_push(struct call *c)
{
    struct key *k;
    if (!of_kind(c, KIND_LIST, &k))
        return;
    if (!k)
        k = redis_make(&c->argv[1], KIND_LIST);
    for (size_t i = 2; i < c->argc; i++)
        key_insert(k, strcasecmp(c->argv[0].data, "lpush") == 0 ? 0 : k->count, c->argv[i].data, c->argv[i].len);
    reply_line(c->reply, ":%zu", k->count);
}

static void do_pop(struct call *c)
{
    struct key *k;
    if (!of_kind(c, KIND_LIST, &k))
        return;
    if (!k) {
        bulk(c->reply, NULL);
        return;
    }
    const size_t at = strcasecmp(c->argv[0].data, "lpop") == 0 ? 0 : k->count - 1;
    bulk(c->reply, &k->items[at]);
    key_remove(k, at, 1);
    if (k->count == 0)
        redis_delete(&c->argv[1]);
}

static void do_llen(struct call *c)
{
    struct key *k;
    if (of_kind(c, KIND_LIST, &k))
        reply_line(c->reply, ":%zu", k ? k->count : 0);
}

static void do_lrange(struct call *c)
{
    struct key *k;
    if (!of_kind(c, KIND_LIST, &k))
        return;
    const long long n = k ? (long long)k->count : 0;
    long long from = strtoll(c->argv[2].data, NULL, 10), to = strtoll(c->argv[3].data, NULL, 10);
    from = from < 0 ? from + n : from;
    to = to < 0 ? to + n : to;
    from = from < 0 ? 0 : from;
    to = to >= n ? n - 1 : to;
    reply_line(c->reply, "*%lld", to >= from ? to - from + 1 : 0);
    for (long long i = from; i <= to; i++)
        bulk(c->reply, &k->items[i]);
}

static void do_sadd(struct call *c)
{
    struct key *k;
    size_t added = 0;
    if (!of_kind(c, KIND_SET, &k))
        return;
    if (!k)
        k = redis_make(&c->argv[1], KIND_SET);
    for (size_t i = 2; i < c->argc; i++) {
        size_t at = 0;
        while (at < k->count && !text_is(&k->items[at], c->argv[i].data))
            at++;
        if (at == k->count) {
            key_insert(k, at, c->argv[i].data, c->argv[i].len);
            added++;
        }
    }
    reply_line(c->reply, ":%zu", added);
}

static void all_items(struct call *c, enum kind kind)
{
    struct key *k;
    if (!of_kind(c, kind, &k))
        return;
    reply_line(c->reply, "*%zu", k ? k->count : 0);
    for (size_t i = 0; k && i < k->count; i++)
        bulk(c->reply, &k->items[i]);
}

static void do_smembers(struct call *c)
{
    all_items(c, KIND_SET);
}

static size_t field_at(const struct key *k, const struct text *name)
{
    size_t i = 0;
    while (k && i < k->count && !text_is(&k->items[i], name->data))
        i += 2;
    return i;
}

static void do_hset(struct call *c)
{
    struct key *k;
    size_t added = 0;
    if (!of_kind(c, KIND_HASH, &k))
        return;
    if (!k)
        k = redis_make(&c->argv[1], KIND_HASH);
    for (size_t i = 2; i + 1 < c->argc; i += 2) {
        const size_t at = field_at(k, &c->argv[i]);
        added += at == k->count;
        if (at < k->count)
            key_remove(k, at, 2);
        key_insert(k, k->count, c->argv[i].data, c->argv[i].len);
        key_insert(k, k->count, c->argv[i + 1].data, c->argv[i + 1].len);
    }
    reply_line(c->reply, ":%zu", added);
}

static void do_hget(struct call *c)
{
    struct key *k;
    if (!of_kind(c, KIND_HASH, &k))
        return;
    const size_t at = field_at(k, &c->argv[2]);
    bulk(c->reply, k && at < k->count ? &k->items[at + 1] : NULL);
}

static void do_hgetall(struct call *c)
{
    all_items(c, KIND_HASH);
}

static void do_save(struct call *c)
{
    if (redis_save("dump.rdb") < 0) {
        reply_line(c->reply, "-ERR");
        return;
    }
    redis_note("DB saved on disk");
    if (strcasecmp(c->argv[0].data, "bgsave") == 0)
        reply_line(c->reply, "+Background saving started");
    else
        reply_line(c->reply, "+OK");
}

static void do_info(struct call *c)
{
    char text[1024];
    size_t n = 0;
    for (const struct key *k = redis_keys; k; k = k->next)
        n++;
    const int len = snprintf(text, sizeof text,
                             "# Server\r\nredis_version:7.4.2\r\nredis_mode:standalone\r\nos:Linux\r\ntcp_port:%d\r\n"
                             "# Clients\r\nconnected_clients:1\r\n# Persistence\r\nloading:0\r\naof_enabled:%d\r\n"
                             "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n# Keyspace\r\n",
                             server.port, server.appendonly);
    const int more = n ? snprintf(text + len, sizeof text - (size_t)len, "db0:keys=%zu,expires=0,avg_ttl=0\r\n", n) : 0;
    const struct text t = {text, (size_t)(len + more)};
    bulk(c->reply, &t);
}

static void do_config(struct call *c)
{
    const struct {
        const char *name, *value;
    } rows[] = {{"dir", server.dir},
                {"appendonly", server.appendonly ? "yes" : "no"},
                {"dbfilename", "dump.rdb"},
                {"maxmemory", "0"},
                {"save", "3600 1 300 100 60 10000"}};
    if (strcasecmp(c->argv[1].data, "get") != 0 || c->argc < 3) {
        reply_line(c->reply, "+OK");
        return;
    }
    struct reply body = {0};
    size_t n = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (fnmatch(c->argv[2].data, rows[i].name, 0) != 0)
            continue;
        const struct text name = {(char *)rows[i].name, strlen(rows[i].name)};
        const struct text value = {(char *)rows[i].value, strlen(rows[i].value)};
        bulk(&body, &name);
        bulk(&body, &value);
        n += 2;
    }
    reply_line(c->reply, "*%zu", n);
    put(c->reply, body.data ? body.data : "", body.len);
    free(body.data);
}

static void do_auth(struct call *c)
{
    const struct text *given = &c->argv[c->argc - 1];
    if (!server.password[0])
        reply_line(c->reply,
                   "-ERR AUTH <password> called without any password configured for the default user. Are you sure "
                   "your configuration is correct?");
    else if (!text_is(given, server.password))
        reply_line(c->reply, "-WRONGPASS invalid username-password pair or user is disabled.");
    else {
        if (c->client)
            c->client->authorized = true;
        reply_line(c->reply, "+OK");
    }
}

static void do_empty(struct call *c)
{
    reply_line(c->reply, "*0");
}

static void do_shutdown(struct call *c)
{
    (void)c;
    redis_ending = 1;
}

static const struct command {
    const char *name;
    size_t words; /* at least, with its name */
    bool writes;
    void (*run)(struct call *c);
} commands[] = {
    {"ping", 1, false, do_ping},
    {"echo", 2, false, do_echo},
    {"set", 3, true, do_set},
    {"get", 2, false, do_get},
    {"mset", 3, true, do_mset},
    {"mget", 2, false, do_mget},
    {"del", 2, true, do_del},
    {"unlink", 2, true, do_del},
    {"exists", 2, false, do_exists},
    {"incr", 2, true, do_incr},
    {"decr", 2, true, do_incr},
    {"incrby", 3, true, do_incr},
    {"decrby", 3, true, do_incr},
    {"append", 3, true, do_append},
    {"strlen", 2, false, do_strlen},
    {"keys", 2, false, do_keys},
    {"dbsize", 1, false, do_dbsize},
    {"flushall", 1, true, do_flush},
    {"flushdb", 1, true, do_flush},
    {"type", 2, false, do_type},
    {"ttl", 2, false, do_ttl},
    {"expire", 3, true, do_expire},
    {"persist", 2, true, do_persist},
    {"lpush", 3, true, do_push},
    {"rpush", 3, true, do_push},
    {"lpop", 2, true, do_pop},
    {"rpop", 2, true, do_pop},
    {"llen", 2, false, do_llen},
    {"lrange", 4, false, do_lrange},
    {"sadd", 3, true, do_sadd},
    {"smembers", 2, false, do_smembers},
    {"hset", 4, true, do_hset},
    {"hget", 3, false, do_hget},
    {"hgetall", 2, false, do_hgetall},
    {"save", 1, false, do_save},
    {"bgsave", 1, false, do_save},
    {"info", 1, false, do_info},
    {"config", 2, false, do_config},
    {"auth", 2, false, do_auth},
    {"select", 2, false, do_ok},
    {"client", 2, false, do_ok},
    {"command", 1, false, do_empty},
    {"quit", 1, false, do_ok},
    {"shutdown", 1, false, do_shutdown},
};

static void log_command(const struct call *c)
{
    if (!server.aof || !c->client)
        return;
    fprintf(server.aof, "*%zu\r\n", c->argc);
    for (size_t i = 0; i < c->argc; i++) {
        fprintf(server.aof, "$%zu\r\n", c->argv[i].len);
        fwrite(c->argv[i].data, 1, c->argv[i].len, server.aof);
        fputs("\r\n", server.aof);
    }
    fflush(server.aof);
}

void redis_execute(struct call *c)
{
    const bool auth = strcasecmp(c->argv[0].data, "auth") == 0;
    if (c->client && server.password[0] && !c->client->authorized && !auth) {
        reply_line(c->reply, "-NOAUTH Authentication required.");
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcasecmp(commands[i].name, c->argv[0].data) != 0)
            continue;
        if (c->argc < commands[i].words) {
            reply_line(c->reply, "-ERR wrong number of arguments for '%s' command", commands[i].name);
            return;
        }
        commands[i].run(c);
        if (commands[i].writes) {
            server.changes++;
            log_command(c);
        }
        return;
    }
    reply_line(c->reply, "-ERR unknown command '%.64s', with args beginning with: ", c->argv[0].data);
}
