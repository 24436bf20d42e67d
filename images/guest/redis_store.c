/* redis_store.c - keys in memory and in dump.rdb, whose format is redis' own (version 9, nothing compressed, no
 * checksum), so that a file looks like one and can be looked into. A list of keys is enough: labs have tens. */
#include "redis_store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct key *redis_keys;

int64_t redis_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct text text_of(const char *data, size_t len)
{
    struct text t = {malloc(len + 1), len};
    if (!t.data)
        abort();
    memcpy(t.data, data, len);
    t.data[len] = '\0';
    return t;
}

bool text_is(const struct text *t, const char *s)
{
    return t->len == strlen(s) && memcmp(t->data, s, t->len) == 0;
}

static void key_free(struct key *k)
{
    for (size_t i = 0; i < k->count; i++)
        free(k->items[i].data);
    free(k->items);
    free(k->name.data);
    free(k);
}

static struct key **place(const struct text *name)
{
    struct key **at = &redis_keys;
    while (*at && !((*at)->name.len == name->len && memcmp((*at)->name.data, name->data, name->len) == 0))
        at = &(*at)->next;
    return at;
}

bool redis_delete(const struct text *name)
{
    struct key **at = place(name), *gone = *at;
    if (!gone)
        return false;
    *at = gone->next;
    key_free(gone);
    return true;
}

struct key *redis_find(const struct text *name)
{
    struct key *k = *place(name);
    if (k && k->expires && k->expires <= redis_now_ms()) {
        redis_delete(name);
        return NULL;
    }
    return k;
}

struct key *redis_make(const struct text *name, enum kind kind)
{
    redis_delete(name);
    struct key *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    k->name = text_of(name->data, name->len);
    k->kind = kind;
    k->next = redis_keys;
    redis_keys = k;
    return k;
}

void redis_clear(void)
{
    for (struct key *k; (k = redis_keys); key_free(k))
        redis_keys = k->next;
}

void key_insert(struct key *k, size_t at, const char *data, size_t len)
{
    k->items = realloc(k->items, (k->count + 1) * sizeof *k->items);
    if (!k->items)
        abort();
    memmove(&k->items[at + 1], &k->items[at], (k->count - at) * sizeof *k->items);
    k->items[at] = text_of(data, len);
    k->count++;
}

void key_remove(struct key *k, size_t at, size_t n)
{
    for (size_t i = at; i < at + n; i++)
        free(k->items[i].data);
    memmove(&k->items[at], &k->items[at + n], (k->count - at - n) * sizeof *k->items);
    k->count -= n;
}

/* ---- dump.rdb ---- */

static void put_len(FILE *f, size_t n)
{
    if (n < 64) {
        putc((int)n, f);
    } else if (n < 16384) {
        putc((int)(0x40 | n >> 8), f);
        putc((int)(n & 255), f);
    } else {
        putc(0x80, f);
        for (int shift = 24; shift >= 0; shift -= 8)
            putc((int)(n >> shift & 255), f);
    }
}

static void put_text(FILE *f, const struct text *t)
{
    put_len(f, t->len);
    fwrite(t->data, 1, t->len, f);
}

static void put_key(FILE *f, const struct key *k)
{
    if (k->expires) {
        putc(0xfc, f);
        for (int shift = 0; shift < 64; shift += 8)
            putc((int)((uint64_t)k->expires >> shift & 255), f);
    }
    putc(k->kind, f);
    put_text(f, &k->name);
    if (k->kind != KIND_STRING)
        put_len(f, k->kind == KIND_HASH ? k->count / 2 : k->count);
    for (size_t i = 0; i < k->count; i++)
        put_text(f, &k->items[i]);
}

int redis_save(const char *path)
{
    char temp[256];
    snprintf(temp, sizeof temp, "temp-%d.rdb", (int)getpid());
    FILE *f = fopen(temp, "we");
    if (!f)
        return -1;
    fputs("REDIS0009", f);
    putc(0xfe, f);
    putc(0, f);
    for (const struct key *k = redis_keys; k; k = k->next)
        put_key(f, k);
    putc(0xff, f);
    for (int i = 0; i < 8; i++)
        putc(0, f);
    const int rc = fflush(f) == 0 && fsync(fileno(f)) == 0 ? 0 : -1;
    fclose(f);
    return rc == 0 && rename(temp, path) == 0 ? 0 : -1;
}

static bool get_len(FILE *f, size_t *out)
{
    const int c = getc(f);
    if (c == EOF || c >= 0xc0)
        return false; /* the end, or an encoding that we never write */
    if (c < 0x40) {
        *out = (size_t)c;
        return true;
    }
    *out = c < 0x80 ? (size_t)(c & 0x3f) : 0;
    for (int i = 0; i < (c < 0x80 ? 1 : 4); i++) {
        const int d = getc(f);
        if (d == EOF)
            return false;
        *out = *out << 8 | (size_t)d;
    }
    return *out < (size_t)1 << 29;
}

static bool get_text(FILE *f, struct text *out)
{
    size_t n;
    if (!get_len(f, &n))
        return false;
    char *data = malloc(n + 1);
    if (!data || fread(data, 1, n, f) != n) {
        free(data);
        return false;
    }
    data[n] = '\0';
    out->data = data;
    out->len = n;
    return true;
}

static bool get_key(FILE *f, int type, int64_t expires)
{
    struct text name, item;
    size_t n = 1;
    if ((type != KIND_STRING && type != KIND_LIST && type != KIND_SET && type != KIND_HASH) || !get_text(f, &name))
        return false;
    struct key *k = redis_make(&name, (enum kind)type);
    free(name.data);
    k->expires = expires;
    if (type != KIND_STRING && !get_len(f, &n))
        return false;
    for (n *= type == KIND_HASH ? 2 : 1; n > 0; n--) {
        if (!get_text(f, &item))
            return false;
        key_insert(k, k->count, item.data, item.len);
        free(item.data);
    }
    return true;
}

int redis_load(const char *path)
{
    char head[10] = "";
    int64_t expires = 0;
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    bool sound = fread(head, 1, 9, f) == 9 && memcmp(head, "REDIS", 5) == 0;
    for (int c; sound && (c = getc(f)) != 0xff;) {
        if (c == 0xfe) {
            getc(f);
        } else if (c == 0xfc) {
            unsigned char b[8] = {0};
            sound = fread(b, 1, 8, f) == 8;
            expires = 0;
            for (int i = 7; i >= 0; i--)
                expires = expires << 8 | b[i];
        } else {
            sound = c != EOF && get_key(f, c, expires);
            expires = 0;
        }
    }
    fclose(f);
    return sound ? 0 : -1;
}
