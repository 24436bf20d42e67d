/* pki.c - keys and certificates, see pki.h.
 *
 * DESIGN: each item is a file below <dir>/pki; what is there is used, what is missing is made and written (0600,
 * renamed into place so that a crash leaves either nothing or the whole file). Server certificates are signed by the
 * cluster's own CA, which is all that clients need to know.
 *
 *     ca.key, ca.crt        the CA, 10 years
 *     server.key, .crt      1 year; made again when a name is missing or it runs out within 30 days
 *     sa.key                signs service account tokens
 *     admin.token           64 hex digits from the kernel's generator
 *
 * THREADS: called once, at start.
 * When you add an item: a file name here and a member in struct pki. */
#include "apiserver/pki.h"

#include "apiserver/file_int.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DAY = 24 * 3600, CA_DAYS = 3650, SERVER_DAYS = 365, RENEW_DAYS = 30 };

static const char *const usual_names[] = {
    "localhost",
    "127.0.0.1",
    "::1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "10.96.0.1",
    NULL,
};

static int fail(struct err *e, int rc, const char *what)
{
    return err_set(e, ERR_INTERNAL, "%s: %s", what, gnutls_strerror(rc));
}

static void key_cleanup(gnutls_x509_privkey_t *k)
{
    if (*k)
        gnutls_x509_privkey_deinit(*k);
}

static void crt_cleanup(gnutls_x509_crt_t *c)
{
    if (*c)
        gnutls_x509_crt_deinit(*c);
}
#define _auto_key_ _cleanup_(key_cleanup)
#define _auto_crt_ _cleanup_(crt_cleanup)

/* -- keys -- */

/* Returns new PEM text. */
static int make_key(char **out_pem, struct err *e)
{
    _auto_key_ gnutls_x509_privkey_t key = NULL;
    gnutls_datum_t pem = {0};
    int rc = gnutls_x509_privkey_init(&key);
    if (rc >= 0)
        rc = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (rc >= 0)
        rc = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
    if (rc < 0)
        return fail(e, rc, "cannot make a key");
    *out_pem = xstrndup((char *)pem.data, pem.size);
    gnutls_free(pem.data);
    return 0;
}

static int load_key(const char *pem, gnutls_x509_privkey_t *out, struct err *e)
{
    gnutls_datum_t d = {(void *)(uintptr_t)pem, (unsigned)strlen(pem)};
    _auto_key_ gnutls_x509_privkey_t key = NULL;
    int rc = gnutls_x509_privkey_init(&key);
    if (rc >= 0)
        rc = gnutls_x509_privkey_import2(key, &d, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (rc < 0)
        return fail(e, rc, "cannot read a key");
    *out = TAKE(key);
    return 0;
}

static int load_crt(const char *pem, gnutls_x509_crt_t *out, struct err *e)
{
    gnutls_datum_t d = {(void *)(uintptr_t)pem, (unsigned)strlen(pem)};
    _auto_crt_ gnutls_x509_crt_t crt = NULL;
    int rc = gnutls_x509_crt_init(&crt);
    if (rc >= 0)
        rc = gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_PEM);
    if (rc < 0)
        return fail(e, rc, "cannot read a certificate");
    *out = TAKE(crt);
    return 0;
}

static int make_token(char **out, struct err *e)
{
    (void)e;
    unsigned char raw[32];
    random_bytes(raw, sizeof raw);
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < sizeof raw; i++)
        buf_addf(&b, "%02x", raw[i]);
    *out = buf_steal(&b, NULL);
    return 0;
}

/* -- certificates -- */

static int set_basics(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *cn, int days)
{
    unsigned char serial[16], id[20];
    size_t id_len = sizeof id;
    random_bytes(serial, sizeof serial);
    serial[0] &= 0x7f; /* positive */
    time_t now = time(NULL);
    int rc = gnutls_x509_crt_set_version(crt, 3);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_activation_time(crt, now - DAY);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_expiration_time(crt, now + (time_t)days * DAY);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_key(crt, key);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, cn, (unsigned)strlen(cn));
    if (rc >= 0)
        rc = gnutls_x509_crt_get_key_id(crt, 0, id, &id_len);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_subject_key_id(crt, id, id_len);
    return rc;
}

static int add_name(gnutls_x509_crt_t crt, const char *name)
{
    unsigned char ip[16];
    if (inet_pton(AF_INET, name, ip) == 1)
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, ip, 4, GNUTLS_FSAN_APPEND);
    if (inet_pton(AF_INET6, name, ip) == 1)
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, ip, 16, GNUTLS_FSAN_APPEND);
    return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name),
                                                GNUTLS_FSAN_APPEND);
}

static int sign_and_write(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer, gnutls_x509_privkey_t key, char **out_pem,
                          struct err *e)
{
    gnutls_datum_t pem = {0};
    int rc = gnutls_x509_crt_sign2(crt, issuer, key, GNUTLS_DIG_SHA256, 0);
    if (rc >= 0)
        rc = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem);
    if (rc < 0)
        return fail(e, rc, "cannot sign a certificate");
    *out_pem = xstrndup((char *)pem.data, pem.size);
    gnutls_free(pem.data);
    return 0;
}

static int make_ca(const char *key_pem, char **out_pem, struct err *e)
{
    _auto_key_ gnutls_x509_privkey_t key = NULL;
    _auto_crt_ gnutls_x509_crt_t crt = NULL;
    if (load_key(key_pem, &key, e) < 0)
        return -1;
    int rc = gnutls_x509_crt_init(&crt);
    if (rc >= 0)
        rc = set_basics(crt, key, "stowage-ca", CA_DAYS);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_DIGITAL_SIGNATURE);
    if (rc < 0)
        return fail(e, rc, "cannot make the CA's certificate");
    return sign_and_write(crt, crt, key, out_pem, e);
}

static int set_authority(gnutls_x509_crt_t crt, gnutls_x509_crt_t ca)
{
    unsigned char id[64];
    size_t len = sizeof id;
    int rc = gnutls_x509_crt_get_subject_key_id(ca, id, &len, NULL);
    return rc < 0 ? rc : gnutls_x509_crt_set_authority_key_id(crt, id, len);
}

struct signer {
    const char *ca_pem, *ca_key_pem; /* borrowed */
};

static int make_server(const struct signer *s, const char *key_pem, const struct strlist *names, char **out_pem,
                       struct err *e)
{
    _auto_key_ gnutls_x509_privkey_t key = NULL, ca_key = NULL;
    _auto_crt_ gnutls_x509_crt_t crt = NULL, ca = NULL;
    if (load_key(key_pem, &key, e) < 0 || load_key(s->ca_key_pem, &ca_key, e) < 0 || load_crt(s->ca_pem, &ca, e) < 0)
        return -1;
    int rc = gnutls_x509_crt_init(&crt);
    if (rc >= 0)
        rc = set_basics(crt, key, "kube-apiserver", SERVER_DAYS);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
    if (rc >= 0)
        rc = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
    if (rc >= 0)
        rc = set_authority(crt, ca);
    for (size_t i = 0; rc >= 0 && i < names->len; i++)
        rc = add_name(crt, names->items[i]);
    if (rc < 0)
        return fail(e, rc, "cannot make the server's certificate");
    return sign_and_write(crt, ca, ca_key, out_pem, e);
}

/* Signed by this CA, good for a while, and with every name? */
static bool server_good(const char *pem, const char *ca_pem, const struct strlist *names)
{
    struct err e = ERR_INIT;
    _auto_crt_ gnutls_x509_crt_t crt = NULL, ca = NULL;
    if (load_crt(pem, &crt, &e) < 0 || load_crt(ca_pem, &ca, &e) < 0)
        return false;
    if (gnutls_x509_crt_get_expiration_time(crt) < time(NULL) + (time_t)RENEW_DAYS * DAY)
        return false;
    unsigned why = 0;
    if (gnutls_x509_crt_verify(crt, &ca, 1, 0, &why) < 0 || why != 0)
        return false;
    for (size_t i = 0; i < names->len; i++)
        if (!gnutls_x509_crt_check_hostname(crt, names->items[i]))
            return false;
    return true;
}

/* -- the directory -- */

struct keeper {
    char *dir;  /* owned; NULL: nothing on disk */
    bool wrote; /* something new is in it */
};

/* Returns new text, or NULL if the file is not there. -1 on any other trouble. */
static int keeper_read(const struct keeper *k, const char *name, char **out, struct err *e)
{
    *out = NULL;
    if (!k->dir)
        return 0;
    _auto_free_ char *path = xasprintf("%s/%s", k->dir, name);
    return file_read(path, out, e);
}

static int keeper_write(struct keeper *k, const char *name, const char *text, struct err *e)
{
    if (!k->dir)
        return 0;
    _auto_free_ char *path = xasprintf("%s/%s", k->dir, name);
    k->wrote = true;
    return file_write(path, text, strlen(text), FILE_BEGUN, e);
}

static int keep(struct keeper *k, const char *name, int (*make)(char **out, struct err *e), char **out, struct err *e)
{
    if (keeper_read(k, name, out, e) < 0)
        return -1;
    if (*out)
        return 0;
    return make(out, e) < 0 || keeper_write(k, name, *out, e) < 0 ? -1 : 0;
}

static int keep_ca(struct keeper *k, const char *ca_key, char **out, struct err *e)
{
    if (keeper_read(k, "ca.crt", out, e) < 0)
        return -1;
    if (*out)
        return 0;
    return make_ca(ca_key, out, e) < 0 || keeper_write(k, "ca.crt", *out, e) < 0 ? -1 : 0;
}

static int keep_server(struct keeper *k, const struct signer *s, const char *key, const struct strlist *names,
                       char **out, struct err *e)
{
    if (keeper_read(k, "server.crt", out, e) < 0)
        return -1;
    if (*out && server_good(*out, s->ca_pem, names))
        return 0;
    free(*out);
    *out = NULL;
    return make_server(s, key, names, out, e) < 0 || keeper_write(k, "server.crt", *out, e) < 0 ? -1 : 0;
}

static void all_names(const struct pki_conf *conf, struct strlist *out)
{
    for (const char *const *n = usual_names; *n; n++)
        strlist_add(out, *n);
    char host[256];
    if (gethostname(host, sizeof host) == 0 && *host) {
        host[sizeof host - 1] = '\0';
        if (!strlist_has(out, host))
            strlist_add(out, host);
    }
    for (const char *const *n = conf->extra_names; n && *n; n++)
        if (**n && !strlist_has(out, *n))
            strlist_add(out, *n);
}

static void keeper_release(struct keeper *k)
{
    _auto_free_ char *any = k->wrote ? xasprintf("%s/.", k->dir) : NULL;
    if (any)
        file_sync_names(any);
    free(k->dir);
}

int pki_load(const struct pki_conf *conf, struct pki *out, struct err *e)
{
    struct keeper k __attribute__((cleanup(keeper_release))) = {0};
    _auto_pki_ struct pki p = {0};
    _auto_free_ char *ca_key = NULL;
    _auto_strlist_ struct strlist names = {0};
    all_names(conf, &names);
    if (conf->dir) {
        k.dir = xasprintf("%s/pki", conf->dir);
        if ((mkdir(conf->dir, 0700) < 0 && errno != EEXIST) || (mkdir(k.dir, 0700) < 0 && errno != EEXIST))
            return err_sys(e, errno, "cannot make %s", k.dir);
    }
    if (keep(&k, "ca.key", make_key, &ca_key, e) < 0 || keep_ca(&k, ca_key, &p.ca_pem, e) < 0 ||
        keep(&k, "server.key", make_key, &p.key_pem, e) < 0)
        return -1;
    struct signer s = {p.ca_pem, ca_key};
    if (keep_server(&k, &s, p.key_pem, &names, &p.cert_pem, e) < 0 ||
        keep(&k, "sa.key", make_key, &p.sa_key_pem, e) < 0 ||
        keep(&k, "admin.token", make_token, &p.admin_token, e) < 0)
        return -1;
    p.admin_token[strcspn(p.admin_token, "\r\n ")] = '\0';
    if (!*p.admin_token)
        return err_set(e, ERR_CORRUPT, "%s/admin.token is empty", k.dir);
    *out = p;
    p = (struct pki){0};
    return 0;
}

void pki_release(struct pki *p)
{
    free(p->ca_pem);
    free(p->cert_pem);
    if (p->key_pem)
        gnutls_memset(p->key_pem, 0, strlen(p->key_pem));
    if (p->sa_key_pem)
        gnutls_memset(p->sa_key_pem, 0, strlen(p->sa_key_pem));
    if (p->admin_token)
        gnutls_memset(p->admin_token, 0, strlen(p->admin_token));
    free(p->key_pem);
    free(p->sa_key_pem);
    free(p->admin_token);
    *p = (struct pki){0};
}
