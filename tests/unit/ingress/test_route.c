/* test_route.c - which rule a request falls under, what the pod is asked for, which certificate is shown. */
#include "base/mem.h"
#include "base/str.h"
#include "ingress/route_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct table *t;

/* The name of the rule (its only target) is as expected; "" = none. */
static void expect(const char *host, const char *path, const char *want)
{
    const struct route *r = table_route(t, host, path);
    const char *got = r ? json_string_value(json_array_get(r->targets, 0)) : "";
    if (!str_eq(got, want))
        fail_msg("%s %s: %s, not %s", host, path, got, want);
}

static void hosts(void **state)
{
    (void)state;
    expect("a.example.com", "/", "a");
    expect("A.EXAMPLE.com", "/", "a");
    expect("b.example.com", "/", "wild");
    expect("c.b.example.com", "/", "any"); /* a star is one label */
    expect("elsewhere.org", "/", "any");
    expect("a.example.com", "/none-here/but-in-any", "a");
    expect("only.example.com", "/other", ""); /* a host with rules of its own does not fall to the others */
    expect("fall.example.com", "/other", "fallback");
}

static void paths(void **state)
{
    (void)state;
    expect("a.example.com", "/foo", "prefix");
    expect("a.example.com", "/foo/", "prefix");
    expect("a.example.com", "/foo/bar", "longer");
    expect("a.example.com", "/foobar", "a"); /* element by element */
    expect("a.example.com", "/foo/exact", "exact");
    expect("a.example.com", "/foo/exact/", "prefix");
    expect("a.example.com", "/implementation-of", "text"); /* letter by letter */
}

static void rewriting(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"rewrite.example.com", "/shop/cart", "/"},
        {"regex.example.com", "/api/v1/x", "/v1/x"},
        {"regex.example.com", "/api", "/"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct route *r = table_route(t, rows[i][0], rows[i][1]);
        assert_non_null(r);
        _auto_free_ char *got = route_rewrite(r, rows[i][1]);
        assert_string_equal(got, rows[i][2]);
    }
    assert_null(route_rewrite(table_route(t, "a.example.com", "/"), "/"));
}

static void certificates(void **state)
{
    (void)state;
    assert_true(table_certificate(t, "tls.example.com")->redirect);
    assert_false(table_certificate(t, "x.tls.example.com")->redirect);
    assert_null(table_certificate(t, "a.example.com"));
    assert_null(table_certificate(t, "tls.example.com")->credentials); /* not a certificate */
    gnutls_certificate_credentials_t fake = credentials_new(NULL, NULL);
    assert_non_null(fake);
    gnutls_certificate_free_credentials(fake);
}

static json_t *rule(const char *host, const char *path, const char *type, const char *name)
{
    return json_pack("{s:s, s:s, s:s, s:[s]}", "host", host, "path", path, "type", type, "targets", name);
}

static bool is_regex(const char *path)
{
    json_t *one = rule("h", path, "ImplementationSpecific", "x");
    json_object_set_new(one, "regex", json_true());
    struct table *made = table_new(json_pack("{s:[o]}", "rules", one));
    const bool is = made->routes[0].is_regex;
    table_free(made);
    return is;
}

/* Somebody who may write an ingress must not end the server, or eat its memory. */
static void wild_expressions(void **state)
{
    (void)state;
    static const char *const good[] = {"/api(/|$)(.*)", "/[a-z]{1,63}(-[0-9]{1,63}){2}", "/a{2,}b+(c|d)*?", "/x\\.html",
                                       "/((a)(b(c)))"};
    static const char *const bad[] = {"/((a{1,200}){1,200}){1,20}",
                                      "/(a*)*\\1",
                                      "/(a{99999999999999999999})",
                                      "/a\\",
                                      "/(((((((((((((((((((((a)))))))))))))))))))))",
                                      "/(a"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!is_regex(good[i]))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (is_regex(bad[i]))
            fail_msg("%s", bad[i]);
    _auto_free_ char *deep = xcalloc(1, 40004);
    memset(deep, '(', 20000);
    memset(deep + 20000, ')', 20000);
    deep[0] = '/';
    deep[39999] = '\0';
    assert_false(is_regex(deep));
}

static int start(void **state)
{
    (void)state;
    json_t *rules = json_array(), *special;
    json_array_append_new(rules, rule("", "/", "Prefix", "any"));
    json_array_append_new(rules, rule("*.example.com", "/", "Prefix", "wild"));
    json_array_append_new(rules, rule("a.example.com", "/", "Prefix", "a"));
    json_array_append_new(rules, rule("a.example.com", "/foo", "Prefix", "prefix"));
    json_array_append_new(rules, rule("a.example.com", "/foo", "Prefix", "later, so not heard"));
    json_array_append_new(rules, rule("a.example.com", "/foo/bar/", "Prefix", "longer"));
    json_array_append_new(rules, rule("a.example.com", "/foo/exact", "Exact", "exact"));
    json_array_append_new(rules, rule("a.example.com", "/impl", "ImplementationSpecific", "text"));
    json_array_append_new(rules, rule("only.example.com", "/one", "Prefix", "one"));
    json_array_append_new(rules, rule("fall.example.com", "/one", "Prefix", "one"));
    json_array_append_new(rules, special = rule("fall.example.com", "/", "Prefix", "fallback"));
    json_object_set_new(special, "fallback", json_true());
    json_array_append_new(rules, special = rule("rewrite.example.com", "/shop", "Prefix", "shop"));
    json_object_set_new(special, "rewrite", json_string("/"));
    json_array_append_new(rules, special = rule("regex.example.com", "/api(/|$)(.*)", "ImplementationSpecific", "api"));
    json_object_set_new(special, "rewrite", json_string("/$2"));
    t = table_new(json_pack("{s:o, s:[{s:[s], s:s, s:s}, {s:[s], s:b}]}", "rules", rules, "tls", "hosts",
                            "tls.example.com", "cert", "no", "key", "no", "hosts", "*.tls.example.com", "redirect", 0));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    table_free(t);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts),
        cmocka_unit_test(paths),
        cmocka_unit_test(rewriting),
        cmocka_unit_test(certificates),
        cmocka_unit_test(wild_expressions),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
