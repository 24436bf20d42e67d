/* api_test.h - what the tests of api share. */
#ifndef STOWAGE_TEST_API_H
#define STOWAGE_TEST_API_H

#include "api/decode.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* Decodes a body and returns the object's text, or the error's. */
static inline char *decoded_bytes(const char *api_version, const char *kind, enum media media,
                                  enum field_validation fields, const void *body, size_t len, struct strlist *warnings)
{
    struct decode_opts opts = {.want = resource_by_api_version(api_version, kind), .media = media, .fields = fields};
    assert_non_null(opts.want);
    struct err e = ERR_INIT;
    json_t *tree = NULL;
    if (decode_object(&opts, body, len, &tree, warnings, &e) < 0)
        return xstrdup(e.msg);
    char *text = json_text(tree);
    json_decref(tree);
    return text;
}

static inline char *decoded(const char *kind, enum media media, enum field_validation fields, const char *body)
{
    const char *group = strcmp(kind, "StorageClass") == 0 ? "storage.k8s.io/v1"
                        : strcmp(kind, "Deployment") == 0 ? "apps/v1"
                                                          : "v1";
    return decoded_bytes(group, kind, media, fields, body, strlen(body), NULL);
}

#define assert_text(take_text, want)                                                                                   \
    do {                                                                                                               \
        char *text_ = (take_text);                                                                                     \
        assert_string_equal(text_, want);                                                                              \
        free(text_);                                                                                                   \
    } while (0)

static inline int api_setup(void **state)
{
    (void)state;
    schema_init();
    resource_init();
    return 0;
}

#endif
