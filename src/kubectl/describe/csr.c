/* csr.c - requests for certificates: what is asked for is read out of the PKCS#10 text in them.
 *
 * A text that is none is refused before anything is described (describe_refuses()), as the real one does. Source:
 * kubectl's describe.go describeCertificateSigningRequest. THREADS: pure. */
#include "kubectl/describe/page_int.h"

#include "api/printer.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "kubectl/describe/describe.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MOST 1024
#define LIST_MOST 1000

/* NULL: it is none. */
static gnutls_x509_crq_t read_request(const json_t *object)
{
    size_t n = 0;
    gnutls_x509_crq_t crq = NULL;
    _auto_free_ char *pem = base64_of(jstr_or(object, "spec.request", ""), &n);
    const gnutls_datum_t text = {(unsigned char *)pem, (unsigned)n};
    if (!pem || gnutls_x509_crq_init(&crq) < 0)
        return NULL;
    if (gnutls_x509_crq_import(crq, &text, GNUTLS_X509_FMT_PEM) == 0)
        return crq;
    gnutls_x509_crq_deinit(crq);
    return NULL;
}

const char *describe_csr_fault(const json_t *object)
{
    gnutls_x509_crq_t crq = read_request(object);
    if (!crq)
        return "Error parsing CSR: PEM block type must be CERTIFICATE REQUEST";
    gnutls_x509_crq_deinit(crq);
    return NULL;
}

/* ---- the subject ---- */

/* A text of DER: its bytes, behind tag and length. */
static void add_value(struct strlist *to, const unsigned char *der, size_t n)
{
    size_t head = 2, len = n > 1 ? der[1] : 0;
    if (n > 1 && der[1] > 0x80 && der[1] <= 0x82 && n >= 2u + (der[1] & 3)) {
        head += der[1] & 3;
        len = 0;
        for (size_t i = 2; i < head; i++)
            len = len << 8 | der[i];
    }
    if (n < head || len > n - head)
        return;
    _auto_free_ char *text = xstrndup((const char *)der + head, len);
    strlist_add(to, text);
}

static void values_of(gnutls_x509_crq_t crq, const char *oid, struct strlist *out)
{
    unsigned char der[TEXT_MOST];
    for (unsigned i = 0; i < LIST_MOST; i++) {
        size_t n = sizeof der;
        if (gnutls_x509_crq_get_dn_by_oid(crq, oid, i, 1, der, &n) < 0)
            return;
        add_value(out, der, n);
    }
}

/* Each in a line of its own, the title in the first. */
static void put_list(struct page *p, const char *title, const struct strlist *values)
{
    for (size_t i = 0; i < values->len; i++)
        page_put(p, 0, "\t%s%s\t%s\n", i == 0 ? title : "", i == 0 ? ":" : "", values->items[i]);
}

static void put_last(struct page *p, gnutls_x509_crq_t crq, const char *title, const char *oid)
{
    _auto_strlist_ struct strlist values = {0};
    values_of(crq, oid, &values);
    page_put(p, 0, "\t%s:\t%s\n", title, values.len ? values.items[values.len - 1] : "");
}

static void put_subject(struct page *p, gnutls_x509_crq_t crq)
{
    static const struct {
        const char *title, *oid;
    } lists[] = {{"Organization", GNUTLS_OID_X520_ORGANIZATION_NAME},
                 {"Organizational Unit", GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME},
                 {"Country", GNUTLS_OID_X520_COUNTRY_NAME},
                 {"Locality", GNUTLS_OID_X520_LOCALITY_NAME},
                 {"Province", GNUTLS_OID_X520_STATE_OR_PROVINCE_NAME},
                 {"StreetAddress", "2.5.4.9"},
                 {"PostalCode", GNUTLS_OID_X520_POSTALCODE}};
    page_put(p, 0, "Subject:\n");
    put_last(p, crq, "Common Name", GNUTLS_OID_X520_COMMON_NAME);
    put_last(p, crq, "Serial Number", "2.5.4.5");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        _auto_strlist_ struct strlist values = {0};
        values_of(crq, lists[i].oid, &values);
        put_list(p, lists[i].title, &values);
    }
}

/* ---- other names ---- */

static const struct {
    const char *title;
    unsigned type;
} names[] = {{"DNS Names", GNUTLS_SAN_DNSNAME},
             {"Email Addresses", GNUTLS_SAN_RFC822NAME},
             {"URIs", GNUTLS_SAN_URI},
             {"IP Addresses", GNUTLS_SAN_IPADDRESS}};

static void add_name(struct strlist *to, unsigned type, const char *bytes, size_t n)
{
    char address[INET6_ADDRSTRLEN];
    _auto_free_ char *text = xstrndup(bytes, n);
    if (type != GNUTLS_SAN_IPADDRESS)
        strlist_add(to, text);
    else if ((n == 4 || n == 16) && inet_ntop(n == 4 ? AF_INET : AF_INET6, bytes, address, sizeof address))
        strlist_add(to, address);
}

static void put_names(struct page *p, gnutls_x509_crq_t crq)
{
    char bytes[TEXT_MOST];
    struct strlist found[ARRAY_LEN(names)] = {0};
    size_t all = 0;
    for (unsigned i = 0; i < LIST_MOST; i++) {
        unsigned type = 0, critical;
        size_t n = sizeof bytes;
        const int rc = gnutls_x509_crq_get_subject_alt_name(crq, i, bytes, &n, &type, &critical);
        if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            break;
        for (size_t k = 0; rc >= 0 && k < ARRAY_LEN(names); k++)
            if (names[k].type == type)
                add_name(&found[k], type, bytes, n);
    }
    for (size_t k = 0; k < ARRAY_LEN(names); k++)
        all += found[k].len;
    if (all)
        page_put(p, 0, "Subject Alternative Names:\n");
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        put_list(p, names[k].title, &found[k]);
        strlist_release(&found[k]);
    }
}

/* ---- the object ---- */

static bool has_condition(const json_t *object, const char *type)
{
    return jfind(object, "status.conditions", "type", type) != NULL;
}

static void put_request(struct page *p, const json_t *object)
{
    char duration[24];
    const json_t *seconds = jat(object, "spec.expirationSeconds");
    const char *signer = jstr_or(object, "spec.signerName", "");
    if (*signer)
        page_put(p, 0, "Signer:\t%s\n", signer);
    if (json_is_integer(seconds)) {
        human_duration(json_integer_value(seconds) * 1000000000, duration);
        page_put(p, 0, "Requested Duration:\t%s\n", duration);
    }
    page_put(p, 0, "Status:\t%s%s%s\n",
             has_condition(object, "Denied")     ? "Denied"
             : has_condition(object, "Approved") ? "Approved"
                                                 : "Pending",
             has_condition(object, "Failed") ? ",Failed" : "",
             *jstr_or(object, "status.certificate", "") ? ",Issued" : "");
    gnutls_x509_crq_t crq = read_request(object);
    if (!crq)
        return;
    put_subject(p, crq);
    put_names(p, crq);
    gnutls_x509_crq_deinit(crq);
}

const struct row rows_csr[] = {
    {"Name:", ROW_SHOW, "metadata.name", NULL, NULL, 0},
    {"Labels:", ROW_PAIRS, "metadata.labels", NULL, NULL, 0},
    {"Annotations:", ROW_PAIRS, "metadata.annotations", NULL, NULL, 0},
    {"CreationTimestamp:", ROW_TIME, "metadata.creationTimestamp", NULL, NULL, 0},
    {"Requesting User:", ROW_SHOW, "spec.username", NULL, NULL, 0},
    {NULL, ROW_CALL, NULL, NULL, put_request, 0},
    ROWS_END,
};
