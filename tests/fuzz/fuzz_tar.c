/* Archives, plain and compressed: read to the end; what was read is written, and must be read back as the same. */
#include "base/mem.h"
#include "base/str.h"
#include "base/tar.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct tar_entry *entry)
{
    struct err e = ERR_INIT;
    _auto_buf_ struct buf written = BUF_INIT;
    struct tar_entry copy = *entry;
    copy.size = 0;
    tar_put_header(&written, &copy);
    tar_put_end(&written);
    const struct stream_conf conf = {.fd = -1, .mem = written.data, .mem_len = written.len};
    struct stream *s = NULL;
    if (stream_open(&conf, &s, &e) < 0)
        return; /* a name that begins as gzip does */
    struct tar *t = tar_new(s);
    const struct tar_entry *again;
    if (tar_next(t, &again, &e) != 1 || !str_eq(again->path, entry->path) || !str_eq(again->link, entry->link) ||
        again->uid != entry->uid || again->xattr_count != entry->xattr_count)
        BUG("our own archive reads differently: %s", e.msg);
    tar_free(t);
    stream_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct stream_conf conf = {.fd = -1, .mem = data, .mem_len = size, .max_bytes = 16 << 20};
    struct stream *s = NULL;
    struct err e = ERR_INIT;
    const struct tar_entry *entry;
    if (stream_open(&conf, &s, &e) < 0)
        return 0;
    struct tar *t = tar_new(s);
    for (int i = 0; i < 1000 && tar_next(t, &entry, &e) == 1; i++)
        if (entry->path[0] && !(entry->type == TAR_FILE && str_ends(entry->path, "/")))
            round_trip(entry);
    tar_free(t);
    stream_close(s);
    return 0;
}
