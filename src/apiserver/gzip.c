/* gzip.c - see gzip_int.h.
 * THREADS: pure. */
#include "apiserver/gzip_int.h"

#include "base/mem.h"

#include <zlib.h>

enum { WINDOW_GZIP = 15 + 16, MEM_LEVEL = 8 };

void gzip_buf(struct buf *b)
{
    z_stream z = {0};
    if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, WINDOW_GZIP, MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        BUG("zlib does not start");
    struct buf out = BUF_INIT;
    size_t bound = deflateBound(&z, b->len);
    z.next_out = (unsigned char *)buf_reserve(&out, bound);
    z.avail_out = (unsigned)bound;
    z.next_in = (unsigned char *)b->data;
    z.avail_in = (unsigned)b->len;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        BUG("zlib wants more than its own bound");
    out.len = z.total_out;
    deflateEnd(&z);
    buf_release(b);
    *b = out;
}
