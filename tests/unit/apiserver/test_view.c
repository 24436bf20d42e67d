/* test_view.c - indentation, YAML, compression. */
#include "apiserver/gzip_int.h"
#include "apiserver/view_int.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <zlib.h>

static void indents(void **state)
{
    (void)state;
    static const struct {
        const char *compact, *indented;
    } rows[] = {
        {"{}", "{}"},
        {"[]", "[]"},
        {"{\"a\":1}", "{\n  \"a\": 1\n}"},
        {"{\"a\":{},\"b\":[],\"c\":[1,{\"d\":null}]}",
         "{\n  \"a\": {},\n  \"b\": [],\n  \"c\": [\n    1,\n    {\n      \"d\": null\n    }\n  ]\n}"},
        {"{\"a\":\"{,:[\\\"}\"}", "{\n  \"a\": \"{,:[\\\"}\"\n}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_buf_ struct buf b = BUF_INIT;
        json_indent(&b, rows[i].compact, strlen(rows[i].compact));
        assert_string_equal(buf_str(&b), rows[i].indented);
    }
}

static void yaml_sorts(void **state)
{
    (void)state;
    static const char json[] = "{\"kind\":\"X\",\"apiVersion\":\"v1\",\"items\":[{\"b\":\"1\",\"a\":2}]}";
    _auto_buf_ struct buf b = BUF_INIT;
    json_to_yaml(&b, json, sizeof json - 1);
    assert_string_equal(buf_str(&b), "apiVersion: v1\nitems:\n- a: 2\n  b: \"1\"\nkind: X\n");
}

static void compresses(void **state)
{
    (void)state;
    _auto_buf_ struct buf b = BUF_INIT;
    for (int i = 0; i < 20000; i++)
        buf_addf(&b, "line %d\n", i % 50);
    size_t len = b.len;
    _auto_free_ char *want = xmemdup(b.data, len), *got = xmalloc(len);
    gzip_buf(&b);
    assert_true(b.len < len / 10);
    z_stream z = {.next_in = (unsigned char *)b.data,
                  .avail_in = (unsigned)b.len,
                  .next_out = (unsigned char *)got,
                  .avail_out = (unsigned)len};
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, len);
    assert_memory_equal(got, want, len);
    inflateEnd(&z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indents),
        cmocka_unit_test(yaml_sorts),
        cmocka_unit_test(compresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
