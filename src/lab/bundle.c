/* bundle.c - see bundle.h. */
#include "lab/bundle.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <unistd.h>

#define FORMAT  "submission/1"
#define PEM_MAX 4096

static int failed(int rc, const char *what, struct err *e)
{
    return rc < 0 ? err_set(e, ERR_INTERNAL, "%s: %s", what, gnutls_strerror(rc)) : 0;
}

static void key_cleanup(gnutls_privkey_t *k)
{
    if (*k)
        gnutls_privkey_deinit(*k);
}

static void public_cleanup(gnutls_pubkey_t *k)
{
    if (*k)
        gnutls_pubkey_deinit(*k);
}

static void datum_cleanup(gnutls_datum_t *d)
{
    gnutls_free(d->data);
}

/* ---- the key ---- */

static int make_key(const char *path, struct err *e)
{
    gnutls_x509_privkey_t key;
    gnutls_datum_t pem _cleanup_(datum_cleanup) = {0};
    if (failed(gnutls_x509_privkey_init(&key), "make a key", e) < 0)
        return -1;
    int rc = gnutls_x509_privkey_generate(key, GNUTLS_PK_EDDSA_ED25519, 0, 0);
    rc = rc < 0 ? rc : gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
    gnutls_x509_privkey_deinit(key);
    if (failed(rc, "make a key", e) < 0)
        return -1;
    /* Whole under its name or not at all; who was faster has made the key. */
    _auto_free_ char *fresh = xasprintf("%s.%d", path, (int)getpid());
    _auto_close_ int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const bool written = fd >= 0 && write(fd, pem.data, pem.size) == (ssize_t)pem.size && fsync(fd) == 0 &&
                         (link(fresh, path) == 0 || errno == EEXIST);
    const int why = errno;
    unlink(fresh);
    return written ? 0 : err_sys(e, why, "%s", path);
}

static int load_key(const char *path, gnutls_privkey_t *out, struct err *e)
{
    char text[PEM_MAX];
    if (access(path, F_OK) < 0 && make_key(path, e) < 0)
        return -1;
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (n < 0)
        return err_sys(e, errno, "%s", path);
    const gnutls_datum_t pem = {(unsigned char *)text, (unsigned)n};
    gnutls_privkey_t key _cleanup_(key_cleanup) = NULL;
    if (failed(gnutls_privkey_init(&key), path, e) < 0 ||
        failed(gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0), path, e) < 0)
        return -1;
    *out = TAKE(key);
    return 0;
}

/* ---- signing ---- */

int bundle_sign(const char *key_file, const json_t *payload, struct buf *out, struct err *e)
{
    gnutls_privkey_t key _cleanup_(key_cleanup) = NULL;
    gnutls_pubkey_t public _cleanup_(public_cleanup) = NULL;
    gnutls_datum_t pem _cleanup_(datum_cleanup) = {0}, signature _cleanup_(datum_cleanup) = {0},
                       text _cleanup_(datum_cleanup) = {0};
    _auto_free_ char *said = json_text(payload);
    const gnutls_datum_t data = {(unsigned char *)said, (unsigned)strlen(said)};
    if (load_key(key_file, &key, e) < 0)
        return -1;
    if (failed(gnutls_pubkey_init(&public), "sign", e) < 0 ||
        failed(gnutls_pubkey_import_privkey(public, key, 0, 0), "sign", e) < 0 ||
        failed(gnutls_pubkey_export2(public, GNUTLS_X509_FMT_PEM, &pem), "sign", e) < 0 ||
        failed(gnutls_privkey_sign_data2(key, GNUTLS_SIGN_EDDSA_ED25519, 0, &data, &signature), "sign", e) < 0 ||
        failed(gnutls_base64_encode2(&signature, &text), "sign", e) < 0)
        return -1;
    _auto_json_ json_t *whole =
        json_pack("{s:s, s:s, s:s%, s:s%}", "stowage", FORMAT, "payload", said, "key", (char *)pem.data,
                  (size_t)pem.size, "signature", (char *)text.data, (size_t)text.size);
    _auto_free_ char *written = json_dumps(whole, JSON_INDENT(1));
    buf_adds(out, written);
    buf_addc(out, '\n');
    return 0;
}

/* ---- opening ---- */

bool bundle_is(const char *text, size_t len)
{
    /* However it was laid out since: the first member says it. */
    static const char words[] = "{\"stowage\":\"" FORMAT "\"";
    size_t at = 0;
    for (size_t i = 0; i < len && words[at]; i++)
        if (!strchr(" \t\r\n", text[i])) {
            if (text[i] != words[at])
                return false;
            at++;
        }
    return words[at] == '\0';
}

static int verify(const json_t *whole, const char *payload, struct err *e)
{
    const char *pem = jstr_or(whole, "key", ""), *encoded = jstr_or(whole, "signature", "");
    const gnutls_datum_t key = {(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)},
                         base64 = {(unsigned char *)(uintptr_t)encoded, (unsigned)strlen(encoded)},
                         data = {(unsigned char *)(uintptr_t)payload, (unsigned)strlen(payload)};
    gnutls_pubkey_t public _cleanup_(public_cleanup) = NULL;
    gnutls_datum_t signature _cleanup_(datum_cleanup) = {0};
    if (gnutls_pubkey_init(&public) < 0 || gnutls_pubkey_import(public, &key, GNUTLS_X509_FMT_PEM) < 0 ||
        gnutls_pubkey_get_pk_algorithm(public, NULL) != GNUTLS_PK_EDDSA_ED25519 ||
        gnutls_base64_decode2(&base64, &signature) < 0)
        return err_set(e, ERR_CORRUPT, "this bundle has no key or signature of ours");
    if (gnutls_pubkey_verify_data2(public, GNUTLS_SIGN_EDDSA_ED25519, 0, &data, &signature) < 0)
        return err_set(e, ERR_CORRUPT, "this bundle was changed after it was signed");
    return 0;
}

int bundle_open(const char *text, size_t len, json_t **out, struct err *e)
{
    _auto_json_ json_t *whole = json_loadb(text, len, 0, NULL);
    const char *payload = jstr(whole, "payload");
    if (!str_eq(jstr(whole, "stowage"), FORMAT) || !payload)
        return err_set(e, ERR_CORRUPT, "this is no bundle of `stowage lab submit`");
    if (verify(whole, payload, e) < 0)
        return -1;
    _auto_json_ json_t *said = json_loads(payload, 0, NULL);
    if (!json_is_object(said))
        return err_set(e, ERR_CORRUPT, "this bundle says nothing");
    struct sha256 sum;
    char hex[SHA256_TEXT_LEN];
    sha256_init(&sum);
    sha256_add(&sum, jstr(whole, "key"), strlen(jstr(whole, "key")));
    sha256_hex(&sum, hex);
    jset_str(said, "key", hex);
    *out = TAKE(said);
    return 0;
}
