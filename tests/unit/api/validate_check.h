/* validate_check.h - for the tests of validation: a manifest snippet in, complaints out.
 *
 * Snippets are JSON with single quotes for double ones. They are decoded and defaulted as a request would be, then
 * checked; the complaints become lines "field: message". */
#ifndef STOWAGE_TESTS_VALIDATE_CHECK_H
#define STOWAGE_TESTS_VALIDATE_CHECK_H

#include "api/decode.h"
#include "api/schema.h"
#include "api/validate.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static inline int validate_setup(void **state)
{
    (void)state;
    schema_init();
    resource_init();
    return 0;
}

/* Returns new. */
static inline json_t *object_of(const struct resource *r, const char *snippet)
{
    _auto_free_ char *text = xstrdup(snippet);
    _auto_strlist_ struct strlist warnings = {0};
    struct decode_opts opts = {.want = r, .media = MEDIA_JSON, .fields = FIELDS_STRICT};
    struct err e = ERR_INIT;
    json_t *obj = NULL;
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    if (decode_object(&opts, text, strlen(text), &obj, &warnings, &e) < 0)
        fail_msg("%s\nin: %s", e.msg, text);
    defaults_apply(r, obj);
    if (r->namespaced && jat(obj, "metadata.namespace") == NULL)
        jset_str(obj, "metadata.namespace", "default");
    return obj;
}

static inline char *complaints_text(const struct field_errors *errs)
{
    _auto_buf_ struct buf b = BUF_INIT;
    for (size_t i = 0; i < errs->len; i++)
        buf_addf(&b, "%s%s: %s", i > 0 ? "\n" : "", errs->items[i].field, errs->items[i].message);
    return buf_steal(&b, NULL);
}

static inline const struct resource *kind_of(const char *bucket)
{
    const struct resource *r = resource_by_bucket(bucket);
    if (r == NULL)
        fail_msg("no kind in bucket %s", bucket);
    return r;
}

/* One row: what a new object gets to hear. */
static inline void assert_create(const char *bucket, const char *snippet, const char *want)
{
    const struct resource *r = kind_of(bucket);
    _auto_json_ json_t *obj = object_of(r, snippet);
    _auto_field_errors_ struct field_errors errs = {0};
    validate_create(r, obj, &errs);
    _auto_free_ char *got = complaints_text(&errs);
    assert_string_equal(got, want);
}

/* One row: what changing `before` into `after` gets to hear. */
static inline void assert_update(const char *bucket, const char *sub, const char *before, const char *after,
                                 const char *want)
{
    const struct resource *r = kind_of(bucket);
    _auto_json_ json_t *old = object_of(r, before);
    _auto_json_ json_t *obj = object_of(r, after);
    _auto_field_errors_ struct field_errors errs = {0};
    validate_update(r, sub, obj, old, &errs);
    _auto_free_ char *got = complaints_text(&errs);
    assert_string_equal(got, want);
}

#endif
