/* Protobuf bodies: envelope, messages, and the objects made of them. */
#include "api/decode.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte chooses the resource; the rest is the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    schema_init();
    resource_init();
    if (size < 1)
        return 0;
    size_t n = 0;
    const struct resource *const *all = resource_all(&n);
    struct decode_opts opts = {.want = all[data[0] % n], .media = MEDIA_PROTOBUF};
    json_t *tree = NULL;
    struct err e = ERR_INIT;
    if (decode_object(&opts, data + 1, size - 1, &tree, NULL, &e) < 0)
        return 0;
    defaults_apply(opts.want, tree);
    json_t *again = NULL;
    if (decode_tree(&opts, tree, &again, NULL, &e) == 0)
        json_decref(again);
    return 0;
}
