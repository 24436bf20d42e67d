/* test_pki.c - keys and certificates persist and renew; kubeconfigs merge without harm; tokens sign and verify. */
#include "apiserver/jwt_int.h"
#include "apiserver/pki.h"
#include "api/decode.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/stowage-pki-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    static const char *const files[] = {"pki/ca.key",
                                        "pki/ca.crt",
                                        "pki/server.key",
                                        "pki/server.crt",
                                        "pki/sa.key",
                                        "pki/admin.token",
                                        "pki",
                                        "config",
                                        "link",
                                        "real",
                                        ""};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        _auto_free_ char *path = xasprintf("%s/%s", dir, files[i]);
        remove(path);
    }
    return 0;
}

static void read_pki(const char *const *names, struct pki *p)
{
    struct err e = ERR_INIT;
    struct pki_conf conf = {.dir = dir, .extra_names = names};
    if (pki_load(&conf, p, &e) < 0)
        fail_msg("%s", e.msg);
}

static void identity_persists(void **state)
{
    (void)state;
    _auto_pki_ struct pki a = {0}, b = {0}, c = {0};
    read_pki(NULL, &a);
    read_pki(NULL, &b);
    assert_string_equal(a.ca_pem, b.ca_pem);
    assert_string_equal(a.cert_pem, b.cert_pem);
    assert_string_equal(a.sa_key_pem, b.sa_key_pem);
    assert_string_equal(a.admin_token, b.admin_token);
    assert_int_equal(strlen(a.admin_token), 64);
    static const char *const more[] = {"lab.example.com", "192.0.2.7", NULL};
    read_pki(more, &c);
    assert_string_equal(a.ca_pem, c.ca_pem);
    assert_string_not_equal(a.cert_pem, c.cert_pem);
}

static void modes_are_private(void **state)
{
    (void)state;
    static const char *const files[] = {"ca.key", "server.key", "sa.key", "admin.token"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        _auto_free_ char *path = xasprintf("%s/pki/%s", dir, files[i]);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

static void certificate_names(void **state)
{
    (void)state;
    _auto_pki_ struct pki p = {0};
    static const char *const more[] = {"lab.example.com", NULL};
    read_pki(more, &p);
    gnutls_x509_crt_t crt;
    gnutls_datum_t d = {(unsigned char *)p.cert_pem, (unsigned)strlen(p.cert_pem)};
    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    assert_int_equal(gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_PEM), 0);
    static const char *const names[] = {"localhost", "127.0.0.1",      "::1", "kubernetes", "kubernetes.default.svc",
                                        "10.96.0.1", "lab.example.com"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_true(gnutls_x509_crt_check_hostname(crt, names[i]));
    assert_false(gnutls_x509_crt_check_hostname(crt, "example.org"));
    gnutls_x509_crt_deinit(crt);
}

static void nothing_on_disk(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_pki_ struct pki a = {0}, b = {0};
    assert_int_equal(pki_load(&(struct pki_conf){0}, &a, &e), 0);
    assert_int_equal(pki_load(&(struct pki_conf){0}, &b, &e), 0);
    assert_string_not_equal(a.admin_token, b.admin_token);
}

/* -- kubeconfig -- */

static const char others[] = "apiVersion: v1\n"
                             "kind: Config\n"
                             "clusters:\n"
                             "- cluster:\n"
                             "    server: https://example.org:6443\n"
                             "  name: prod\n"
                             "contexts:\n"
                             "- context:\n"
                             "    cluster: prod\n"
                             "    namespace: web\n"
                             "    user: me\n"
                             "  name: prod\n"
                             "current-context: prod\n"
                             "users:\n"
                             "- name: me\n"
                             "  user:\n"
                             "    token: \"0123\"\n"
                             "extra: kept\n";

static void put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static json_t *read_yaml(const char *path)
{
    char text[8192];
    _auto_file_ FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    json_t *docs = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(yaml_parse_all(text, n, &docs, &e), 0);
    json_t *first = json_incref(json_array_get(docs, 0));
    json_decref(docs);
    return first;
}

static const struct kubeconfig ours = {"stowage", "https://127.0.0.1:6443", "PEM\n", "secret"};

static void merge_keeps_the_rest(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_free_ char *path = xasprintf("%s/config", dir);
    put_file(path, others);
    for (int again = 0; again < 2; again++)
        assert_int_equal(kubeconfig_merge(path, &ours, &e), 0);
    _auto_json_ json_t *c = read_yaml(path);
    assert_string_equal(jstr(c, "current-context"), "stowage");
    assert_string_equal(jstr(c, "extra"), "kept");
    assert_int_equal(json_array_size(json_object_get(c, "clusters")), 2);
    assert_int_equal(json_array_size(json_object_get(c, "users")), 2);
    const json_t *prod = json_array_get(json_object_get(c, "contexts"), 0);
    assert_string_equal(jstr(prod, "context.namespace"), "web");
    const json_t *me = json_array_get(json_object_get(c, "users"), 0);
    assert_string_equal(jstr(me, "user.token"), "0123");
    const json_t *mine = json_array_get(json_object_get(c, "clusters"), 1);
    assert_string_equal(jstr(mine, "cluster.server"), "https://127.0.0.1:6443");
    assert_string_equal(jstr(mine, "cluster.certificate-authority-data"), "UEVNCg==");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    assert_int_equal(kubeconfig_remove(path, "stowage", &e), 0);
    _auto_json_ json_t *after = read_yaml(path);
    assert_int_equal(json_array_size(json_object_get(after, "clusters")), 1);
    assert_string_equal(jstr(after, "current-context"), "");
}

static void broken_file_is_left_alone(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_free_ char *path = xasprintf("%s/config", dir);
    static const char broken[] = "clusters: [\n  - a: {";
    put_file(path, broken);
    assert_int_equal(kubeconfig_merge(path, &ours, &e), -1);
    char text[100];
    _auto_file_ FILE *f = fopen(path, "r");
    size_t n = fread(text, 1, sizeof text, f);
    assert_int_equal(n, sizeof broken - 1);
    assert_memory_equal(text, broken, n);
}

static void link_survives(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_free_ char *link = xasprintf("%s/link", dir), *real = xasprintf("%s/real", dir);
    put_file(real, others);
    assert_int_equal(symlink(real, link), 0);
    assert_int_equal(kubeconfig_merge(link, &ours, &e), 0);
    struct stat st;
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    _auto_json_ json_t *c = read_yaml(real);
    assert_string_equal(jstr(c, "current-context"), "stowage");
}

/* -- tokens -- */

static void tokens(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_pki_ struct pki p = {0}, q = {0};
    struct jwt_key *key = NULL, *other = NULL;
    assert_int_equal(pki_load(&(struct pki_conf){0}, &p, &e), 0);
    assert_int_equal(pki_load(&(struct pki_conf){0}, &q, &e), 0);
    assert_int_equal(jwt_key_load(p.sa_key_pem, &key, &e), 0);
    assert_int_equal(jwt_key_load(q.sa_key_pem, &other, &e), 0);
    _auto_json_ json_t *claims = json_pack("{s:s,s:i}", "sub", "system:serviceaccount:a:b", "exp", 5);
    for (int i = 0; i < 50; i++) { /* signatures vary in the length of their numbers */
        _auto_free_ char *token = NULL;
        assert_int_equal(jwt_sign(key, claims, &token, &e), 0);
        _auto_json_ json_t *back = jwt_verify(key, token);
        assert_true(json_equal(claims, back));
        assert_null(jwt_verify(other, token));
        size_t n = strlen(token);
        token[n / 2] = token[n / 2] == 'A' ? 'B' : 'A';
        assert_null(jwt_verify(key, token));
    }
    static const char *const rubbish[] = {"", "a", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "e30.e30.e30"};
    for (size_t i = 0; i < ARRAY_LEN(rubbish); i++)
        assert_null(jwt_verify(key, rubbish[i]));
    _auto_json_ json_t *set = jwt_key_set(key);
    assert_string_equal(jstr(json_array_get(json_object_get(set, "keys"), 0), "crv"), "P-256");
    jwt_key_free(key);
    jwt_key_free(other);
    assert_int_equal(jwt_key_load("no key", &key, &e), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_persists),    cmocka_unit_test(modes_are_private),
        cmocka_unit_test(certificate_names),    cmocka_unit_test(nothing_on_disk),
        cmocka_unit_test(merge_keeps_the_rest), cmocka_unit_test(broken_file_is_left_alone),
        cmocka_unit_test(link_survives),        cmocka_unit_test(tokens),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
