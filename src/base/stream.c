/* stream.c - see stream.h. Several gzip members, or zstd frames, one after the other are one stream, as their own
 * programs have it. */
#include "base/stream.h"

#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#if STOWAGE_ZSTD
#include <zstd.h>
#endif

#define CHUNK (64 * 1024)

struct stream {
    int fd;
    const unsigned char *mem;
    size_t mem_left;
    int64_t max_bytes, bytes;
    struct sha256 sha;
    bool digest, raw_end;
    const struct codec *codec; /* NULL: plain */
    bool member_done;          /* gzip */
    z_stream z;
#if STOWAGE_ZSTD
    ZSTD_DStream *zstd;
    bool in_frame;
#endif
    size_t have, at; /* of chunk */
    unsigned char chunk[CHUNK];
};

/* Fills the empty chunk; it stays empty at the end. */
static int refill(struct stream *s, struct err *e)
{
    ssize_t n;
    s->at = s->have = 0;
    if (s->fd < 0) {
        n = (ssize_t)(s->mem_left < CHUNK ? s->mem_left : CHUNK);
        memcpy(s->chunk, s->mem, (size_t)n);
        s->mem += n;
        s->mem_left -= (size_t)n;
    } else {
        do
            n = read(s->fd, s->chunk, CHUNK);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return err_sys(e, errno, "read");
    }
    s->have = (size_t)n;
    s->raw_end = n == 0;
    return 0;
}

/* -- gzip -- */

static int open_gzip(struct stream *s, struct err *e)
{
    return inflateInit2(&s->z, 16 + MAX_WBITS) == Z_OK ? 0 : err_set(e, ERR_INTERNAL, "no memory to decompress");
}

static void close_gzip(struct stream *s)
{
    inflateEnd(&s->z);
}

/* One step of zlib; *out_end at the end of the last member. */
static int inflate_step(struct stream *s, bool *out_end, struct err *e)
{
    if (s->at == s->have && !s->raw_end && refill(s, e) < 0)
        return -1;
    if (s->at == s->have) {
        *out_end = s->member_done;
        return s->member_done ? 0 : err_set(e, ERR_CORRUPT, "the compressed data end too early");
    }
    if (s->member_done && s->chunk[s->at] != 0x1f) { /* padding after the last member */
        s->at = s->have;
        return 0;
    }
    if (s->member_done)
        inflateReset(&s->z);
    s->member_done = false;
    s->z.next_in = s->chunk + s->at;
    s->z.avail_in = (unsigned)(s->have - s->at);
    const int rc = inflate(&s->z, Z_NO_FLUSH);
    s->at = s->have - s->z.avail_in;
    s->member_done = rc == Z_STREAM_END;
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return err_set(e, ERR_CORRUPT, "damaged gzip data: %s", s->z.msg ? s->z.msg : "inflate failed");
    return 0;
}

static ssize_t read_gzip(struct stream *s, void *buf, size_t n, struct err *e)
{
    bool end = false;
    const size_t want = n < (size_t)1 << 30 ? n : (size_t)1 << 30;
    s->z.next_out = buf;
    s->z.avail_out = (unsigned)want;
    while (!end && s->z.avail_out == want)
        if (inflate_step(s, &end, e) < 0)
            return -1;
    return (ssize_t)(want - s->z.avail_out);
}

/* -- zstd -- */

#if STOWAGE_ZSTD
static int open_zstd(struct stream *s, struct err *e)
{
    s->zstd = ZSTD_createDStream();
    return s->zstd ? 0 : err_set(e, ERR_INTERNAL, "no memory to decompress");
}

static void close_zstd(struct stream *s)
{
    ZSTD_freeDStream(s->zstd);
}

static ssize_t read_zstd(struct stream *s, void *buf, size_t n, struct err *e)
{
    ZSTD_outBuffer out = {.dst = buf, .size = n};
    while (out.pos == 0) {
        if (s->at == s->have && !s->raw_end && refill(s, e) < 0)
            return -1;
        if (s->at == s->have && !s->in_frame)
            return 0;
        const bool no_more = s->at == s->have; /* what it still holds comes out */
        ZSTD_inBuffer in = {.src = s->chunk, .size = s->have, .pos = s->at};
        const size_t rc = ZSTD_decompressStream(s->zstd, &out, &in);
        s->at = in.pos;
        if (ZSTD_isError(rc))
            return err_set(e, ERR_CORRUPT, "damaged zstd data: %s", ZSTD_getErrorName(rc));
        s->in_frame = rc != 0;
        if (no_more && s->in_frame && out.pos == 0)
            return err_set(e, ERR_CORRUPT, "the compressed data end too early");
    }
    return (ssize_t)out.pos;
}
#define KNOWN "gzip and zstd are"
#else
#define KNOWN "gzip is"
#endif

/* -- which -- */

struct codec {
    const char *name, *magic;
    size_t len;
    int (*open)(struct stream *s, struct err *e); /* NULL: known by sight only */
    void (*close)(struct stream *s);
    ssize_t (*read)(struct stream *s, void *buf, size_t n, struct err *e);
};
static const struct codec codecs[] = {
    {"gzip", "\x1f\x8b", 2, open_gzip, close_gzip, read_gzip},
#if STOWAGE_ZSTD
    {"zstd", "\x28\xb5\x2f\xfd", 4, open_zstd, close_zstd, read_zstd},
#else
    {"zstd", "\x28\xb5\x2f\xfd", 4, NULL, NULL, NULL},
#endif
    {"xz", "\xfd\x37zXZ", 5, NULL, NULL, NULL},
    {"bzip2", "BZh", 3, NULL, NULL, NULL},
};

static int detect(struct stream *s, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
        const struct codec *c = &codecs[i];
        if (s->have < c->len || memcmp(s->chunk, c->magic, c->len) != 0)
            continue;
        if (!c->open)
            return err_set(e, ERR_UNSUPPORTED, "compressed with %s: only " KNOWN " understood", c->name);
        if (c->open(s, e) < 0)
            return -1;
        s->codec = c;
    }
    return 0;
}

static ssize_t read_plain(struct stream *s, void *buf, size_t n, struct err *e)
{
    if (s->at == s->have && (s->raw_end || refill(s, e) < 0))
        return s->raw_end ? 0 : -1;
    const size_t left = s->have - s->at, take = left < n ? left : n;
    memcpy(buf, s->chunk + s->at, take);
    s->at += take;
    return (ssize_t)take;
}

int stream_open(const struct stream_conf *conf, struct stream **out, struct err *e)
{
    struct stream *s = xcalloc(1, sizeof *s);
    s->fd = conf->fd;
    s->mem = conf->mem ? conf->mem : (const unsigned char *)"";
    s->mem_left = conf->mem_len;
    s->max_bytes = conf->max_bytes;
    s->digest = conf->digest;
    sha256_init(&s->sha);
    if (refill(s, e) < 0 || detect(s, e) < 0) {
        stream_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    if (s->codec)
        s->codec->close(s);
    free_cleanup(&s);
}

void stream_cleanup(struct stream **s)
{
    stream_close(*s);
}

ssize_t stream_read(struct stream *s, void *buf, size_t n, struct err *e)
{
    if (n == 0)
        return 0;
    const ssize_t got = s->codec ? s->codec->read(s, buf, n, e) : read_plain(s, buf, n, e);
    if (got <= 0)
        return got;
    if (s->digest)
        sha256_add(&s->sha, buf, (size_t)got);
    s->bytes += got;
    if (s->max_bytes && s->bytes > s->max_bytes)
        return err_set(e, ERR_TOO_LARGE, "more than %lld bytes come out of it", (long long)s->max_bytes);
    return got;
}

ssize_t stream_read_full(struct stream *s, void *buf, size_t n, struct err *e)
{
    size_t done = 0;
    while (done < n) {
        const ssize_t got = stream_read(s, (char *)buf + done, n - done, e);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

int stream_drain(struct stream *s, struct err *e)
{
    _auto_free_ char *chunk = xmalloc(CHUNK);
    ssize_t n;
    while ((n = stream_read(s, chunk, CHUNK, e)) > 0)
        continue;
    return (int)n;
}

int64_t stream_bytes(const struct stream *s)
{
    return s->bytes;
}

void stream_digest(const struct stream *s, char out[SHA256_TEXT_LEN])
{
    struct sha256 copy = s->sha;
    sha256_hex(&copy, out);
}
