/* Archives of images: imported into a store that unpacks nothing. Whatever comes, an answer, and nothing is left of
 * what was refused. */
#include "base/mem.h"
#include "images/manage.h"
#include "sys/layer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct images *store(char dir[32])
{
    struct err e = ERR_INIT;
    struct images *im = NULL;
    const struct images_conf conf = {.simulated = true};
    snprintf(dir, 32, "/tmp/stowage-fuzz-XXXXXX");
    if (!mkdtemp(dir) || images_open(dir, &im, &e) < 0)
        BUG("no store: %s", e.msg);
    images_configure(im, &conf);
    return im;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char dir[32];
    struct err e = ERR_INIT;
    struct images *im = store(dir);
    _auto_strlist_ struct strlist out = {0};
    _auto_free_ char *path = xasprintf("%s/archive", dir), *blobs = xasprintf("%s/blobs/sha256", dir);
    FILE *f = fopen(path, "we");
    if (f) {
        fwrite(data, 1, size, f);
        fclose(f);
    }
    const int rc = images_import(im, path, NULL, &out, &e);
    for (size_t i = 0; i < out.len; i++) {
        _auto_json_ json_t *told = NULL, *steps = NULL;
        images_inspect(im, out.items[i], &told, &e);
        images_history(im, out.items[i], &steps, &e);
    }
    if (rc < 0 && out.len == 0 && rmdir(blobs) < 0)
        BUG("something is left of an image that was refused");
    images_close(im);
    layer_remove(dir, &e);
    return 0;
}
