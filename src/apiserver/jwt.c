/* jwt.c - see jwt_int.h.
 *
 * DESIGN: three parts in unpadded base64url: header, claims, signature. GnuTLS signs and verifies in DER; a token
 * carries the two numbers r and s as 32 bytes each. Only ES256 with our own key is accepted: the header of a token is
 * compared, never obeyed.
 * Source: RFC 7515, 7518 section 3.4, 7517.
 * THREADS: a key is read only once loaded. */
#include "apiserver/jwt_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

enum { COORD = 32 };

struct jwt_key {
    gnutls_privkey_t priv;
    gnutls_pubkey_t pub;
    char kid[44]; /* base64url of the key's hash */
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void add_base64url(struct buf *out, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i < 3 ? n - i : 3;
        unsigned v = (unsigned)p[i] << 16 | (have > 1 ? (unsigned)p[i + 1] << 8 : 0) | (have > 2 ? p[i + 2] : 0);
        for (size_t k = 0; k <= have; k++)
            buf_addc(out, alphabet[v >> (18 - 6 * k) & 63]);
    }
}

static bool read_base64url(struct buf *out, const char *s, size_t n)
{
    unsigned v = 0, bits = 0;
    for (size_t i = 0; i < n; i++) {
        const char *at = s[i] ? strchr(alphabet, s[i]) : NULL;
        if (!at)
            return false;
        v = v << 6 | (unsigned)(at - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_addc(out, (char)(v >> bits & 255));
        }
    }
    return n % 4 != 1;
}

static int tls_fail(struct err *e, int rc, const char *what)
{
    return err_set(e, ERR_INTERNAL, "%s: %s", what, gnutls_strerror(rc));
}

void jwt_key_free(struct jwt_key *k)
{
    if (!k)
        return;
    if (k->priv)
        gnutls_privkey_deinit(k->priv);
    if (k->pub)
        gnutls_pubkey_deinit(k->pub);
    free(k);
}

static int key_fill(struct jwt_key *k, const char *pem)
{
    gnutls_datum_t d = {(void *)(uintptr_t)pem, (unsigned)strlen(pem)};
    int rc = gnutls_privkey_init(&k->priv);
    if (rc >= 0)
        rc = gnutls_privkey_import_x509_raw(k->priv, &d, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (rc >= 0)
        rc = gnutls_pubkey_init(&k->pub);
    if (rc >= 0)
        rc = gnutls_pubkey_import_privkey(k->pub, k->priv, 0, 0);
    unsigned char id[32];
    size_t len = sizeof id;
    if (rc >= 0)
        rc = gnutls_pubkey_get_key_id(k->pub, GNUTLS_KEYID_USE_SHA256, id, &len);
    if (rc < 0)
        return rc;
    _auto_buf_ struct buf b = BUF_INIT;
    add_base64url(&b, id, len);
    snprintf(k->kid, sizeof k->kid, "%s", buf_str(&b));
    return 0;
}

int jwt_key_load(const char *pem, struct jwt_key **out, struct err *e)
{
    struct jwt_key *k = xcalloc(1, sizeof *k);
    int rc = key_fill(k, pem);
    if (rc < 0) {
        jwt_key_free(k);
        return tls_fail(e, rc, "cannot read the service account key");
    }
    *out = k;
    return 0;
}

/* The i-th number of a signature, right-aligned in 32 bytes; a leading zero byte of DER goes. */
static void add_coord(struct buf *out, const gnutls_datum_t *n)
{
    const unsigned char *p = n->data;
    size_t len = n->size;
    while (len > COORD) {
        p++;
        len--;
    }
    for (size_t i = len; i < COORD; i++)
        buf_addc(out, 0);
    buf_add(out, p, len);
}

int jwt_sign(const struct jwt_key *k, const json_t *claims, char **out_token, struct err *e)
{
    _auto_buf_ struct buf token = BUF_INIT, text = BUF_INIT, raw = BUF_INIT;
    buf_addf(&text, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", k->kid);
    add_base64url(&token, text.data, text.len);
    buf_addc(&token, '.');
    buf_clear(&text);
    json_write(&text, claims);
    add_base64url(&token, text.data, text.len);
    gnutls_datum_t data = {(unsigned char *)token.data, (unsigned)token.len}, sig = {0}, r = {0}, s = {0};
    int rc = gnutls_privkey_sign_data2(k->priv, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &sig);
    if (rc >= 0)
        rc = gnutls_decode_rs_value(&sig, &r, &s);
    if (rc >= 0) {
        add_coord(&raw, &r);
        add_coord(&raw, &s);
        buf_addc(&token, '.');
        add_base64url(&token, raw.data, raw.len);
        *out_token = buf_steal(&token, NULL);
    }
    gnutls_free(sig.data);
    gnutls_free(r.data);
    gnutls_free(s.data);
    return rc < 0 ? tls_fail(e, rc, "cannot sign a token") : 0;
}

static bool signature_ok(const struct jwt_key *k, const char *token, size_t signed_len, const struct buf *raw)
{
    if (raw->len != (size_t)2 * COORD)
        return false;
    gnutls_datum_t r = {(unsigned char *)raw->data, COORD}, s = {(unsigned char *)raw->data + COORD, COORD}, sig = {0};
    gnutls_datum_t data = {(void *)(uintptr_t)token, (unsigned)signed_len};
    int rc = gnutls_encode_rs_value(&sig, &r, &s);
    if (rc >= 0)
        rc = gnutls_pubkey_verify_data2(k->pub, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &sig);
    gnutls_free(sig.data);
    return rc >= 0;
}

json_t *jwt_verify(const struct jwt_key *k, const char *token)
{
    const char *dot = strchr(token, '.');
    const char *dot2 = dot ? strchr(dot + 1, '.') : NULL;
    if (!dot2 || strlen(token) > 16384)
        return NULL;
    _auto_buf_ struct buf head = BUF_INIT, body = BUF_INIT, sig = BUF_INIT;
    if (!read_base64url(&head, token, (size_t)(dot - token)) ||
        !read_base64url(&body, dot + 1, (size_t)(dot2 - dot - 1)) || !read_base64url(&sig, dot2 + 1, strlen(dot2 + 1)))
        return NULL;
    _auto_json_ json_t *h = json_loadb(head.data ? head.data : "", head.len, 0, NULL);
    if (!str_eq(jstr(h, "alg"), "ES256") || !signature_ok(k, token, (size_t)(dot2 - token), &sig))
        return NULL;
    return json_loadb(body.data ? body.data : "", body.len, 0, NULL);
}

json_t *jwt_key_set(const struct jwt_key *k)
{
    gnutls_datum_t x = {0}, y = {0};
    gnutls_ecc_curve_t curve;
    if (gnutls_pubkey_export_ecc_raw2(k->pub, &curve, &x, &y, 0) < 0)
        return json_pack("{s:[]}", "keys");
    _auto_buf_ struct buf bx = BUF_INIT, by = BUF_INIT, tx = BUF_INIT, ty = BUF_INIT;
    add_coord(&bx, &x);
    add_coord(&by, &y);
    add_base64url(&tx, bx.data, bx.len);
    add_base64url(&ty, by.data, by.len);
    gnutls_free(x.data);
    gnutls_free(y.data);
    return json_pack("{s:[{s:s,s:s,s:s,s:s,s:s,s:s,s:s}]}", "keys", "use", "sig", "kty", "EC", "kid", k->kid, "crv",
                     "P-256", "alg", "ES256", "x", buf_str(&tx), "y", buf_str(&ty));
}
