/* test_quantity.c - texts in, texts out, as a Kubernetes 1.32 server answers them. */
#include "api/quantity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *in;
    const char *canonical; /* quantity_format */
    const char *answer;    /* quantity_text; NULL: the same */
} texts[] = {
    {"0", "0", NULL},
    {"1Gi", "1Gi", NULL},
    {"1024Mi", "1Gi", NULL},
    {"1.5Gi", "1536Mi", NULL},
    {"1000Mi", "1000Mi", NULL},
    {"1000", "1k", NULL},
    {"0.5", "500m", NULL},
    {".5", "500m", NULL},
    {"1.5", "1500m", NULL},
    {"1e3", "1e3", NULL},
    {"1E3", "1e3", "1E3"},
    {"1000e3", "1e6", NULL},
    {"100M", "100M", NULL},
    {"1000M", "1G", NULL},
    {"100m", "100m", NULL},
    {"1000m", "1", NULL},
    {"0.1n", "1n", NULL},
    {"1.1n", "2n", NULL},
    {"-0.1n", "-1n", NULL},
    {"-1024Ki", "-1Mi", NULL},
    {"50.Mi", "50Mi", "50.Mi"},
    {"1.234", "1234m", "1.234"},
    {"1.500", "1500m", "1.500"},
    {"1.000", "1", NULL},
    {"+5", "5", "+5"},
    {"0100", "100", "0100"},
    {"512Ki", "512Ki", NULL},
    {"0.5Ki", "512", NULL},
    {"8Ei", "9223372036854775807", NULL},
    {"99999999999999999999999Gi", "9223372036854775807", NULL},
    {"18446744073709551616", "18446744073709551616", NULL},
    {"1000E", "1e21", NULL},
    {"-", "0", NULL},
    {".", "0", NULL},
    {"Gi", "0", NULL},
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct quantity q;
        char out[QUANTITY_TEXT_LEN];
        assert_int_equal(quantity_parse(texts[i].in, &q), 0);
        quantity_format(&q, out);
        assert_string_equal(out, texts[i].canonical);
        assert_int_equal(quantity_text(texts[i].in, false, out), 0);
        assert_string_equal(out, texts[i].answer != NULL ? texts[i].answer : texts[i].canonical);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const shape[] = {"", "1GB", "1gb", "1GI", "1 Gi", " 1", "1,5Gi", "abc", "1.1.M", "true", "5Gi "};
    static const char *const bad_suffix[] = {"1mi", ".5i", "1i", "-3.01e-", "1e", "0mi"};
    struct quantity q;
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        assert_int_equal(quantity_parse(shape[i], &q), -1);
        assert_non_null(strstr(quantity_refusal(shape[i]), "must match the regular expression"));
    }
    for (size_t i = 0; i < sizeof bad_suffix / sizeof *bad_suffix; i++)
        assert_string_equal(quantity_refusal(bad_suffix[i]), "unable to parse quantity's suffix");
    assert_string_equal(quantity_refusal("Ei"), "unable to parse numeric part of quantity");
    assert_null(quantity_refusal("5Gi"));
}

static void test_milli_rounding(void **state)
{
    (void)state;
    char out[QUANTITY_TEXT_LEN];
    assert_int_equal(quantity_text("0.0001", true, out), 0);
    assert_string_equal(out, "1m");
    assert_int_equal(quantity_text("1.234", true, out), 0);
    assert_string_equal(out, "1.234");
    assert_int_equal(quantity_text("500u", true, out), 0);
    assert_string_equal(out, "1m");
}

static void test_arithmetic(void **state)
{
    (void)state;
    struct quantity a, b;
    char out[QUANTITY_TEXT_LEN];
    quantity_parse("1Gi", &a);
    quantity_parse("512Mi", &b);
    assert_int_equal(quantity_cmp(&a, &b), 1);
    quantity_add(&a, &b);
    quantity_format(&a, out);
    assert_string_equal(out, "1536Mi");
    quantity_sub(&a, &b);
    quantity_sub(&a, &b);
    assert_int_equal(quantity_cmp(&a, &b), 0);
    quantity_parse("1500m", &a);
    assert_int_equal(quantity_value(&a), 2);
    assert_int_equal(quantity_milli(&a), 1500);
    assert_int_equal(quantity_bytes("3Gi", -1), 3221225472);
    assert_int_equal(quantity_bytes("3GB", -1), -1);
    assert_int_equal(quantity_bytes(NULL, 7), 7);
    quantity_from_bytes(3 << 20, &a);
    quantity_format(&a, out);
    assert_string_equal(out, "3Mi");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_milli_rounding),
        cmocka_unit_test(test_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
