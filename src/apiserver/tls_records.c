/* tls_records.c - see tls_records_int.h.
 *
 * DESIGN: GnuTLS says cipher, keys and record numbers of both directions (gnutls_record_get_state()), and does the
 * sealing and opening; what is left is the form of a record (RFC 8446, section 5):
 *
 *     23, 3, 3, length | sealed: content, its type, zeros | tag        the five bytes before are authenticated too
 *
 * The nonce is the direction's own, exclusive-or the record's number. A change of the client's keys cannot be followed
 * and ends the stream; no client of ours asks for one.
 *
 * INVARIANTS: the TLS session itself is never used here after tls_records_take(); it stays the HTTP library's, which
 * reads its end and writes into the void (tls_io_detach()). A record that does not open ends the stream for
 * good. THREADS: one at a time. */
#include "apiserver/tls_records_int.h"

#include "base/mem.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER = 5,
    NONCE = 12,
    TAG = 16,
    PLAIN_MAX = 16384,
    SEALED_MAX = PLAIN_MAX + 256,
    TYPE_ALERT = 21,
    TYPE_DATA = 23,
};

struct direction {
    gnutls_aead_cipher_hd_t cipher;
    uint8_t iv[NONCE];
    uint64_t number; /* of the next record */
};

struct tls_records {
    int fd;
    size_t plain_max; /* of a record the client wants */
    struct direction read, write;
    struct buf in; /* from the socket, not yet opened */
    bool failed;
};

/* -- taking over -- */

static bool direction_init(struct direction *d, gnutls_session_t session, bool reading)
{
    gnutls_datum_t iv, key;
    uint8_t number[8];
    if (gnutls_record_get_state(session, reading, NULL, &iv, &key, number) < 0 || iv.size != NONCE)
        return false;
    memcpy(d->iv, iv.data, NONCE);
    for (size_t i = 0; i < sizeof number; i++)
        d->number = d->number << 8 | number[i];
    return gnutls_aead_cipher_init(&d->cipher, gnutls_cipher_get(session), &key) == 0;
}

static void direction_release(struct direction *d)
{
    if (d->cipher)
        gnutls_aead_cipher_deinit(d->cipher);
    gnutls_memset(d, 0, sizeof *d);
}

struct tls_records *tls_records_take(struct tls_io *io)
{
    gnutls_session_t session = tls_io_session(io);
    if (gnutls_protocol_get_version(session) != GNUTLS_TLS1_3 || gnutls_record_check_pending(session) > 0 ||
        gnutls_cipher_get_tag_size(gnutls_cipher_get(session)) != TAG)
        return NULL;
    struct tls_records *t = xcalloc(1, sizeof *t);
    size_t max = gnutls_record_get_max_size(session);
    t->plain_max = max > 0 && max < PLAIN_MAX ? max : PLAIN_MAX;
    if (!direction_init(&t->read, session, true) || !direction_init(&t->write, session, false) ||
        !tls_io_detach(io, &t->in, &t->fd)) {
        tls_records_free(t);
        return NULL;
    }
    return t;
}

void tls_records_free(struct tls_records *t)
{
    if (!t)
        return;
    direction_release(&t->read);
    direction_release(&t->write);
    buf_release(&t->in);
    free(t);
}

int tls_records_fd(const struct tls_records *t)
{
    return t->fd;
}

struct buf *tls_records_in(struct tls_records *t)
{
    return &t->in;
}

/* -- records -- */

static void next_nonce(struct direction *d, uint8_t out[NONCE])
{
    memcpy(out, d->iv, NONCE);
    for (unsigned i = 0; i < 8; i++)
        out[NONCE - 1 - i] ^= (uint8_t)(d->number >> (8 * i));
    d->number++;
}

static void seal_one(struct tls_records *t, uint8_t type, const void *data, size_t len, struct buf *out)
{
    uint8_t plain[PLAIN_MAX + 1], nonce[NONCE];
    size_t sealed_len = len + 1 + TAG, room = sealed_len;
    const uint8_t header[HEADER] = {TYPE_DATA, 3, 3, (uint8_t)(sealed_len >> 8), (uint8_t)sealed_len};
    if (len > 0)
        memcpy(plain, data, len);
    plain[len] = type;
    next_nonce(&t->write, nonce);
    buf_add(out, header, HEADER);
    if (gnutls_aead_cipher_encrypt(t->write.cipher, nonce, NONCE, header, HEADER, TAG, plain, len + 1,
                                   buf_reserve(out, sealed_len), &room) < 0)
        BUG("a record could not be sealed");
    out->len += room;
}

void tls_records_seal(struct tls_records *t, const void *data, size_t len, struct buf *out)
{
    for (const char *p = data; len > 0;) {
        size_t n = len < t->plain_max ? len : t->plain_max;
        seal_one(t, TYPE_DATA, p, n, out);
        p += n;
        len -= n;
    }
}

void tls_records_close(struct tls_records *t, struct buf *out)
{
    static const uint8_t goodbye[2] = {1, 0}; /* a warning: close_notify */
    seal_one(t, TYPE_ALERT, goodbye, sizeof goodbye, out);
}

/* Opens one sealed record behind its header. False: not one of data. */
static bool open_one(struct tls_records *t, const uint8_t *header, size_t sealed_len, struct buf *out)
{
    uint8_t plain[SEALED_MAX], nonce[NONCE];
    size_t len = sizeof plain;
    next_nonce(&t->read, nonce);
    if (gnutls_aead_cipher_decrypt(t->read.cipher, nonce, NONCE, header, HEADER, TAG, header + HEADER, sealed_len,
                                   plain, &len) < 0)
        return false;
    while (len > 0 && plain[len - 1] == 0)
        len--;
    if (len == 0 || plain[len - 1] != TYPE_DATA)
        return false;
    buf_add(out, plain, len - 1);
    return true;
}

bool tls_records_open(struct tls_records *t, struct buf *out)
{
    size_t at = 0;
    while (!t->failed && t->in.len - at >= HEADER) {
        const uint8_t *header = (const uint8_t *)t->in.data + at;
        size_t len = (size_t)header[3] << 8 | header[4];
        if (header[0] != TYPE_DATA || len <= TAG || len > SEALED_MAX) {
            t->failed = true;
            break;
        }
        if (t->in.len - at < HEADER + len)
            break;
        t->failed = !open_one(t, header, len, out);
        at += HEADER + len;
    }
    buf_consume(&t->in, at);
    return !t->failed;
}
