/* tls.c - certificates of hosts, and the one that is shown where there is none. */
#include "base/mem.h"
#include "ingress/route_int.h"

#include <gnutls/x509.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

static gnutls_certificate_credentials_t from_pem(const char *cert, const char *key)
{
    gnutls_certificate_credentials_t c = NULL;
    const gnutls_datum_t crt = {(unsigned char *)(uintptr_t)cert, (unsigned)strlen(cert)};
    const gnutls_datum_t priv = {(unsigned char *)(uintptr_t)key, (unsigned)strlen(key)};
    if (gnutls_certificate_allocate_credentials(&c) < 0)
        return NULL;
    if (gnutls_certificate_set_x509_key_mem2(c, &crt, &priv, GNUTLS_X509_FMT_PEM, NULL, 0) >= 0)
        return c;
    gnutls_certificate_free_credentials(c);
    return NULL;
}

static int fill_fake(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
    static const char name[] = "Kubernetes Ingress Controller Fake Certificate", org[] = "Acme Co";
    const unsigned char serial[] = {1};
    const time_t now = time(NULL);
    const gnutls_x509_crt_t self = crt;
    int rc = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (rc < 0 || (rc = gnutls_x509_crt_set_version(crt, 3)) < 0 ||
        (rc = gnutls_x509_crt_set_serial(crt, serial, sizeof serial)) < 0 ||
        (rc = gnutls_x509_crt_set_activation_time(crt, now)) < 0 ||
        (rc = gnutls_x509_crt_set_expiration_time(crt, now + 365 * 86400)) < 0 ||
        (rc = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_ORGANIZATION_NAME, 0, org, sizeof org - 1)) < 0 ||
        (rc = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, sizeof name - 1)) < 0 ||
        (rc = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "ingress.local", 13, 0)) < 0 ||
        (rc = gnutls_x509_crt_set_key(crt, key)) < 0)
        return rc;
    return gnutls_x509_crt_sign2(crt, self, key, GNUTLS_DIG_SHA256, 0);
}

static gnutls_certificate_credentials_t fake(void)
{
    gnutls_certificate_credentials_t c = NULL;
    gnutls_x509_crt_t crt = NULL;
    gnutls_x509_privkey_t key = NULL;
    if (gnutls_x509_crt_init(&crt) >= 0 && gnutls_x509_privkey_init(&key) >= 0 && fill_fake(crt, key) >= 0 &&
        gnutls_certificate_allocate_credentials(&c) >= 0 && gnutls_certificate_set_x509_key(c, &crt, 1, key) < 0) {
        gnutls_certificate_free_credentials(c);
        c = NULL;
    }
    if (key)
        gnutls_x509_privkey_deinit(key);
    if (crt)
        gnutls_x509_crt_deinit(crt);
    return c;
}

gnutls_certificate_credentials_t credentials_new(const char *cert, const char *key)
{
    return cert && key ? from_pem(cert, key) : fake();
}
